//! Microsoft Teams as a bot meets it: the connector's REST API, the token endpoint, the keys; people who write, mention and
//! press, as signed activities.

mod api;
mod card;
mod people;
mod sign;
mod stream;

pub use card::fault as card_fault;
pub use people::Delivered;
pub use sign::Forgery;

use crate::fault::Faults;
use crate::files::Files;
use crate::serve::{self, Running};
use axum::Router;
use axum::routing::{get, post, put};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The application of the bot.
pub const APP_ID: &str = "11111111-2222-3333-4444-555555555555";
/// Its client secret.
pub const APP_PASSWORD: &str = "sandbox-teams-password";
/// The tenant.
pub const TENANT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
/// Ids of guests begin so: the tenant has let them in.
pub const GUEST: &str = "29:guest";
/// Ids of people begin so who write in a conversation of another tenant.
pub const STRANGER: &str = "29:strange";
/// Their tenant.
pub const STRANGE_TENANT: &str = "ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee";
/// The bot's id in conversations.
pub const BOT: &str = "28:11111111-2222-3333-4444-555555555555";
/// The bot's name.
pub const BOT_NAME: &str = "ChatSheet";
/// A channel; posts in it open threads.
pub const CHANNEL: &str = "19:plan@thread.tacv2";
/// The team of the channel.
pub const TEAM: &str = "19:team@thread.tacv2";
/// A group chat.
pub const GROUP: &str = "19:group@thread.v2";

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the rates are enforced (7 a second, 8 in two, 60 in 30 and 1,800 an hour in a conversation; 30 a second in all).
    pub enforce_rates: bool,
    /// Who signs, and whose API the bot's token is for: governments' clouds have their own.
    pub issuer: &'static str,
    /// How long an answer may stream.
    pub stream_lifetime: Duration,
    /// Waits before an activity that was not acknowledged is sent again.
    pub retry_after: [Duration; 2],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            enforce_rates: false,
            issuer: sign::ISSUER,
            stream_lifetime: Duration::from_secs(120),
            retry_after: [Duration::from_millis(100), Duration::from_millis(500)],
        }
    }
}

/// A running Teams stand-in.
#[derive(Clone)]
pub struct Teams {
    running: Arc<Running>,
    service: Arc<Service>,
}

pub(crate) struct Service {
    options: Options,
    origin: Mutex<String>,
    faults: Faults,
    state: Mutex<State>,
    changed: tokio::sync::Notify,
    files: Files,
    http: reqwest::Client,
}

#[derive(Default)]
pub(crate) struct State {
    events_url: Option<String>,
    last_activity: Option<Value>,
    /// Activities that are not sent yet.
    held: Option<Vec<Value>>,
    messages: Vec<Posted>,
    ticks: u64,
    gone: HashSet<String>,
    refuse_cards: bool,
    refuse_targeted: bool,
    hide_keys: bool,
    /// Whether the keys of before are not used any more.
    new_keys: bool,
    sent: HashMap<String, VecDeque<Instant>>,
    sent_at_all: VecDeque<Instant>,
    refused_for_rate: usize,
    calls: Vec<(String, Value)>,
    tokens: usize,
    revoked: bool,
    streams: stream::Streams,
}

/// A message in a conversation.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The conversation, with the root of the thread in it.
    pub conversation: String,
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub from: String,
    /// The activity, as it was sent last.
    pub activity: Value,
    /// Who alone sees it.
    pub only_for: Option<String>,
    /// How often it was changed.
    pub edits: usize,
}

impl Posted {
    /// What a person reads.
    pub fn seen(&self) -> String {
        match self.activity["attachments"][0]["content"].as_object() {
            Some(_) => card::seen(&self.activity["attachments"][0]["content"]),
            None => self.activity["text"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Teams {
    /// Starts the stand-in.
    ///
    /// # Errors
    /// When the address is taken.
    #[expect(clippy::disallowed_methods, reason = "the stand-in's own way of delivering activities")]
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(15)).build()?;
        let service = Arc::new(Service {
            options,
            origin: Mutex::default(),
            faults: Faults::default(),
            state: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            files: Files::default(),
            http,
        });
        let router = Router::new()
            .route("/v1/.well-known/openidconfiguration", get(sign::metadata))
            .route("/v1/.well-known/keys", get(sign::keys))
            .route("/token", post(api::token))
            .route("/service/v3/conversations", post(api::converse))
            .route("/service/v3/conversations/{conversation}/activities", post(api::send))
            .route("/service/v3/conversations/{conversation}/activities/{activity}", put(api::update))
            .route("/service/v3/conversations/{conversation}/members/{user}", get(api::member))
            .route("/files/{name}", get(people::file))
            .route("/sandbox/say", post(people::say_route))
            .route("/sandbox/messages", get(people::messages_route))
            .with_state(service.clone());
        let running = serve::serve(listener, router)?;
        *service.origin.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = running.origin();
        Ok(Self { running: Arc::new(running), service })
    }

    /// Its address, without a path.
    pub fn origin(&self) -> String {
        self.running.origin()
    }

    /// The settings that lead the bot here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("TEAMS_APP_ID", APP_ID.to_owned()),
            ("TEAMS_APP_PASSWORD", APP_PASSWORD.to_owned()),
            ("TEAMS_TENANT_ID", TENANT.to_owned()),
            ("TEAMS_OPENID_METADATA_URL", format!("{}/v1/.well-known/openidconfiguration", self.origin())),
            ("TEAMS_TOKEN_URL", format!("{}/token", self.origin())),
            ("TEAMS_SERVICE_HOSTS", self.origin().replace("http://", "")),
        ]
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// Where activities go from now on.
    pub fn send_events_to(&self, url: &str) {
        self.service.state().events_url = Some(url.to_owned());
    }

    /// From now on cards are refused, as the service does when it does not like one.
    pub fn refuse_cards(&self, refuse: bool) {
        self.service.state().refuse_cards = refuse;
    }

    /// From now on nothing is shown to one person alone, as where an administrator does not want it.
    pub fn refuse_targeted(&self, refuse: bool) {
        self.service.state().refuse_targeted = refuse;
    }

    /// Whether the keys cannot be read.
    pub fn hide_keys(&self, hide: bool) {
        self.service.state().hide_keys = hide;
    }

    /// From now on the service signs with another key, which it tells.
    pub fn change_keys(&self) {
        self.service.state().new_keys = true;
    }

    /// Tokens that were granted end now.
    pub fn revoke_tokens(&self) {
        self.service.state().revoked = true;
    }

    /// How many tokens were granted.
    pub fn tokens(&self) -> usize {
        self.service.state().tokens
    }

    /// All messages that are there, oldest first.
    pub fn messages(&self) -> Vec<Posted> {
        self.service.state().messages.clone()
    }

    /// Somebody deletes the messages that say this. Returns how many there were.
    pub fn delete(&self, words: &str) -> usize {
        let mut state = self.service.state();
        let before = state.messages.len();
        state.messages.retain(|m| !m.seen().contains(words));
        before - state.messages.len()
    }

    /// What everybody sees in a conversation, oldest first.
    pub fn thread(&self, conversation: &str) -> Vec<String> {
        self.seen_by(conversation, None)
    }

    /// What one person alone sees in a conversation, oldest first.
    pub fn whispers(&self, conversation: &str, user: &str) -> Vec<String> {
        self.seen_by(conversation, Some(user))
    }

    fn seen_by(&self, conversation: &str, only: Option<&str>) -> Vec<String> {
        let state = self.service.state();
        state.messages.iter().filter(|m| m.conversation == conversation && m.only_for.as_deref() == only).map(Posted::seen).collect()
    }

    /// Every call of the connector so far: what was done, and the body.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.service.state().calls.clone()
    }

    /// Told after every change.
    pub(crate) fn changed(&self) -> &tokio::sync::Notify {
        &self.service.changed
    }

    /// How many calls were refused because they came too fast.
    pub fn refused_for_rate(&self) -> usize {
        self.service.state().refused_for_rate
    }

    /// Returns when the stand-in fulfils a condition. Fails after a minute.
    ///
    /// # Errors
    /// When the condition is not fulfilled in time; the error lists what is there.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let seen = || self.messages().iter().map(|m| format!("{}: {}", m.from, m.seen())).collect();
        serve::until(&self.service.changed, || condition(self), seen).await
    }

    /// Waits until the stand-in ends, which it does only when it fails.
    pub async fn wait(self) {
        if let Ok(running) = Arc::try_unwrap(self.running) {
            running.wait().await;
        }
    }
}

impl Service {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Where the connector is.
    fn service_url(&self) -> String {
        format!("{}/service/", self.origin())
    }

    fn origin(&self) -> String {
        self.origin.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl State {
    fn next_id(&mut self) -> String {
        self.ticks += 1;
        format!("17953056{:05}", self.ticks)
    }
}

fn name(user: &str) -> &'static str {
    match user {
        "29:lee" => "Lee Park",
        "29:mia" => "Mia Jensen",
        _ => "Somebody",
    }
}
