//! Slack: events, slash commands and buttons come in over one signed URL, or over connections that we open; messages go
//! out over the Web API.

mod beside;
mod emoji;
mod event;
mod form;
mod install;
mod intake;
#[cfg(test)]
mod odd;
mod render;
mod respond;
mod route;
mod scopes;
mod socket;
mod stream;
mod tokens;
mod web;
mod wire;

pub use install::{install_router, invitation};
pub use render::{Part, render, text_only};
pub use route::router;
pub use scopes::{OPTIONAL, SCOPES, Standing};
pub use tokens::{Distribution, Installation, InstallationStore, StoreError};

use chat::{Overall, Pace, Rate};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use slack_morphism::prelude::*;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokens::{Installed, Tokens};
use url::Url;

type Https = HttpsConnector<HttpConnector>;
type Connector = SlackClientHyperConnector<Https>;

/// How to reach Slack.
#[derive(Clone)]
pub struct Settings {
    /// Where the bot's tokens come from.
    pub access: Access,
    /// Signing secret of the app; `None`: nothing is taken over the URL.
    pub signing_secret: Option<String>,
    /// App-level token for Socket Mode, `xapp-…`; `None`: events come over the URL.
    pub app_token: Option<String>,
    /// Base URL of the Web API, `https://slack.com/api`.
    pub api_base_url: Url,
    /// Whether Slack's rates are kept to.
    pub paced: bool,
}

/// Where the bot's tokens come from.
#[derive(Clone)]
pub enum Access {
    /// The bot token of the one workspace, `xoxb-…`.
    Token(String),
    /// Workspaces install the app by a link.
    Distributed(Distribution),
}

/// The Slack app, in one workspace or in all that have installed it.
pub struct Slack {
    client: SlackClient<Connector>,
    https: Https,
    api_base_url: Url,
    tokens: Tokens,
    verifier: Option<SlackEventSignatureVerifier>,
    app_token: Option<SlackApiToken>,
    paced: bool,
    workspaces: Mutex<HashMap<String, Arc<Workspace>>>,
    responses: respond::Responses,
}

/// What is known of one workspace (or organisation): Slack counts for each on its own.
struct Workspace {
    paces: Option<Paces>,
    streams: stream::Streams,
}

struct Paces {
    posts: Pace,
    edits: Pace,
    starts: Overall,
    appends: Pace,
    stops: Overall,
    all: Overall,
}

/// Slack takes a message a second and channel, and 50 edits a minute in a workspace; a margin stays.
const POSTS: Rate = Rate::new(1_050, 1);
const EDITS: Rate = Rate::new(1_500, 8);
/// Edits that show growing words leave room for the words that must go out.
const GROWING: Rate = Rate::new(3_000, 6);
/// Streams: 20 a minute may begin (and end), 100 a minute may grow.
const STREAMS: Rate = Rate::new(4_000, 5);
const APPENDS: Rate = Rate::new(700, 10);
const ALL: Rate = Rate::new(20, 20);
/// The host of people's files.
const FILES: &str = "files.slack.com";

/// Why the adapter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The TLS set-up of this machine is broken.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
    /// Requests could be forged without it.
    #[error("neither a signing secret nor an app-level token is there")]
    NoWayIn,
}

impl Slack {
    /// An adapter with these settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let given = |secret: Option<String>| secret.filter(|s| !s.trim().is_empty());
        let (signing_secret, app_token) = (given(settings.signing_secret), given(settings.app_token));
        if signing_secret.is_none() && app_token.is_none() {
            return Err(SetupError::NoWayIn);
        }
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .try_with_platform_verifier()
            .map_err(|e| SetupError::Tls(e.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let base = settings.api_base_url.as_str().trim_end_matches('/');
        let client = SlackClient::new(SlackClientHyperConnector::with_connector(https.clone()).with_slack_api_url(base));
        Ok(Self {
            tokens: match settings.access {
                Access::Token(token) => Tokens::One(SlackApiToken::new(token.into())),
                Access::Distributed(app) => Tokens::Many(Box::new(Installed::new(app, https.clone(), settings.api_base_url.clone()))),
            },
            client,
            https,
            verifier: signing_secret.map(|secret| SlackEventSignatureVerifier::new(&secret.into())),
            app_token: app_token.map(|token| SlackApiToken::new(token.into())),
            api_base_url: settings.api_base_url,
            paced: settings.paced,
            workspaces: Mutex::default(),
            responses: respond::Responses::new(),
        })
    }

    /// Whether Slack keeps files there: the token of the bot goes there and nowhere else.
    fn keeps_files_at(&self, url: &Url) -> bool {
        (url.scheme() == "https" && url.port().is_none() && url.host_str() == Some(FILES)) || url.origin() == self.api_base_url.origin()
    }

    /// What is known of a workspace; the one of the settings answers to every name.
    fn workspace(&self, install: &str) -> Arc<Workspace> {
        let name = if matches!(self.tokens, Tokens::One(_)) { "" } else { install };
        let mut workspaces = self.workspaces.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Workspace { paces: self.paced.then(Paces::new), streams: stream::Streams::default() });
        workspaces.entry(name.to_owned()).or_insert_with(fresh).clone()
    }
}

impl Paces {
    fn new() -> Self {
        Self {
            posts: Pace::new(&[POSTS], POSTS),
            edits: Pace::new(&[EDITS], GROWING),
            starts: STREAMS.overall(),
            appends: Pace::new(&[APPENDS], APPENDS),
            stops: STREAMS.overall(),
            all: ALL.overall(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival; signatures are judged by the same clock")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
