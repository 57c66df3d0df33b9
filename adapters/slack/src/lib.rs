//! Slack: events, slash commands and buttons come in over one signed URL, or over connections that we open; messages go
//! out over the Web API.

mod event;
mod form;
mod render;
mod route;
mod socket;
mod stream;
mod web;

pub use render::{Part, render, text_only};
pub use route::router;

use chat::{ChatError, Overall, Pace, Rate};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use slack_morphism::prelude::*;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;
use std::time::{SystemTime, UNIX_EPOCH};

type Connector = SlackClientHyperConnector<HttpsConnector<HttpConnector>>;

/// How to reach one Slack workspace.
#[derive(Clone)]
pub struct Settings {
    /// Bot token, `xoxb-…`.
    pub bot_token: String,
    /// Signing secret of the app; `None`: nothing is taken over the URL.
    pub signing_secret: Option<String>,
    /// App-level token for Socket Mode, `xapp-…`; `None`: events come over the URL.
    pub app_token: Option<String>,
    /// Base URL of the Web API, `https://slack.com/api`.
    pub api_base_url: String,
    /// Whether Slack's rates are kept to.
    pub paced: bool,
}

/// The Slack app in one workspace.
pub struct Slack {
    client: SlackClient<Connector>,
    token: SlackApiToken,
    verifier: Option<SlackEventSignatureVerifier>,
    app_token: Option<SlackApiToken>,
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
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .try_with_platform_verifier()
            .map_err(|e| SetupError::Tls(e.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let base = settings.api_base_url.trim_end_matches('/').to_owned();
        let connector = SlackClientHyperConnector::with_connector(connector).with_slack_api_url(&base);
        Ok(Self {
            client: SlackClient::new(connector),
            token: SlackApiToken::new(settings.bot_token.into()),
            verifier: signing_secret.map(|secret| SlackEventSignatureVerifier::new(&secret.into())),
            app_token: app_token.map(|token| SlackApiToken::new(token.into())),
            paces: settings.paced.then(|| Paces {
                posts: Pace::new(&[POSTS], POSTS),
                edits: Pace::new(&[EDITS], GROWING),
                starts: STREAMS.overall(),
                appends: Pace::new(&[APPENDS], APPENDS),
                stops: STREAMS.overall(),
                all: ALL.overall(),
            }),
            streams: stream::Streams::default(),
        })
    }

    /// Tries the tokens: the bot's name and workspace.
    ///
    /// # Errors
    /// When Slack does not accept the token or cannot be reached.
    pub async fn who_am_i(&self) -> Result<String, ChatError> {
        let session = self.client.open_session(&self.token);
        let answer = session.auth_test().await.map_err(web::chat_error)?;
        if let Some(token) = &self.app_token {
            let opened = self.client.open_session(token).apps_connections_open(&SlackApiAppsConnectionOpenRequest::new()).await;
            opened.map_err(|e| ChatError::Forbidden(format!("Socket Mode: {}", web::chat_error(e))))?;
        }
        Ok(format!("{} in workspace {}", answer.user.as_deref().unwrap_or("bot"), answer.team))
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival; signatures are judged by the same clock")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
