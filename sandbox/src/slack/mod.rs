//! A Slack workspace: Web API for the bot; people who mention, answer and press, as signed events.

mod api;
mod blocks;
mod installs;
mod modal;
mod people;
mod socket;
mod stream;

pub use blocks::fault as block_fault;
pub use installs::{CLIENT_ID, CLIENT_SECRET, Workspace};
pub use people::Delivered;

use crate::fault::Faults;
use crate::files::Files;
use crate::serve::{self, Running};
use axum::Router;
use axum::routing::{any, get, post};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The bot token that the stand-in knows.
pub const BOT_TOKEN: &str = "xoxb-sandbox-slack-token";
/// The app-level token, for Socket Mode.
pub const APP_TOKEN: &str = "xapp-sandbox-slack-token";
/// The signing secret of the app.
pub const SIGNING_SECRET: &str = "sandbox-slack-signing-secret";
/// Ids of guests begin so: the workspace has let them in for some of its channels.
pub const GUEST: &str = "UG";
/// Somebody who is far away, and in which time zone; of the others Slack does not tell.
pub const FAR_AWAY: (&str, &str) = ("U9", "Pacific/Kiritimati");
/// Ids of people of another workspace begin so, with which a channel is shared.
pub const STRANGER: &str = "UX";
/// Their workspace.
pub const STRANGE_TEAM: &str = "TEXT";
/// The bot's user id.
pub const BOT_USER: &str = "UBOT";
/// The workspace.
pub const TEAM: &str = "T1";

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the documented rates are enforced (1 post a second and channel, 50 edits a minute).
    pub enforce_rates: bool,
    /// How long events wait for an answer.
    pub ack_within: Duration,
    /// Waits before an event that was not acknowledged is sent again (Slack: at once, 1 min, 5 min).
    pub retry_after: [Duration; 3],
    /// How long tokens that the app is given live; `None`: for ever.
    pub token_lifetime: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            enforce_rates: false,
            ack_within: Duration::from_secs(3),
            retry_after: [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1)],
            token_lifetime: None,
        }
    }
}

/// A running Slack stand-in.
#[derive(Clone)]
pub struct Slack {
    running: Arc<Running>,
    service: Arc<Service>,
    /// Where people are who write and press.
    workspace: Workspace,
}

pub(crate) struct Service {
    options: Options,
    faults: Faults,
    state: Mutex<State>,
    changed: tokio::sync::Notify,
    files: Files,
    http: reqwest::Client,
}

#[derive(Default)]
pub(crate) struct State {
    events_url: Option<String>,
    messages: Vec<Posted>,
    ticks: u64,
    refuse_blocks: bool,
    /// A channel that the bot is not a member of.
    outside: Option<String>,
    /// Where commands may be answered: install, channel, person, and how often still.
    ways_back: HashMap<String, (String, String, String, usize)>,
    last_event: Option<String>,
    /// Bodies that are not sent yet, and their types.
    held: Option<Vec<(String, String)>>,
    /// Whose token the call that is being answered has.
    acting: String,
    installs: installs::Installs,
    posts: HashMap<(String, String), VecDeque<Instant>>,
    edits: HashMap<String, VecDeque<Instant>>,
    /// Every call of the Web API: method and body.
    calls: Vec<(String, Value)>,
    refused_for_rate: usize,
    /// What people see in the app's home: blocks, and the metadata that comes back with presses.
    homes: HashMap<String, (Vec<Value>, String)>,
    /// What is shown below links: the link, and the blocks.
    unfurled: Vec<(String, Vec<Value>)>,
    uploads: HashMap<String, (String, Vec<u8>)>,
    modals: modal::Modals,
    streams: stream::Streams,
    sockets: socket::Sockets,
}

/// A message in the workspace.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The workspace (or organisation) that the app is installed in.
    pub install: String,
    /// The channel.
    pub channel: String,
    /// Its time stamp, which is its id.
    pub ts: String,
    /// The thread it stands in.
    pub thread_ts: Option<String>,
    /// Who wrote it.
    pub user: String,
    /// Its text.
    pub text: String,
    /// Its blocks.
    pub blocks: Vec<Value>,
    /// The only person who sees it.
    pub only_for: Option<String>,
    /// How often it was edited, or grew.
    pub edits: usize,
    /// Whether it is a stream that has not ended.
    pub streaming: bool,
    /// What it was posted with, and each change put in its place.
    pub body: Value,
}

impl Posted {
    fn changed_by(&mut self, body: &Value) {
        if let (Value::Object(all), Value::Object(new)) = (&mut self.body, body) {
            all.extend(new.iter().filter(|(key, _)| *key != "ts").map(|(k, v)| (k.clone(), v.clone())));
        }
    }

    /// What a person reads.
    pub fn seen(&self) -> String {
        if self.blocks.is_empty() { blocks::unescape(&self.text) } else { blocks::seen(&self.blocks) }
    }
}

impl Slack {
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    #[expect(clippy::disallowed_methods, reason = "the stand-in's own way of delivering events")]
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let http = reqwest::Client::builder().timeout(options.ack_within).build()?;
        let service = Arc::new(Service {
            options,
            faults: Faults::default(),
            state: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            files: Files::default(),
            http,
        });
        let router = Router::new()
            .route("/api/{method}", any(api::call))
            .route("/files/{name}", get(api::file))
            .route("/upload/{id}", post(api::upload))
            .route("/respond/{id}", post(api::respond))
            .route("/link", get(socket::link))
            .route("/oauth/v2/authorize", get(installs::authorize))
            .route("/sandbox/say", post(people::say_route))
            .route("/sandbox/messages", get(people::messages_route))
            .with_state(service.clone());
        Ok(Self { running: Arc::new(serve::serve(listener, router)?), service, workspace: Workspace::alone(TEAM) })
    }

    /// The base URL of its Web API.
    pub fn base_url(&self) -> String {
        format!("{}/api", self.running.origin())
    }

    /// Keeps a file; its private address.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> String {
        self.service.files.put(name, bytes);
        format!("{}/files/{name}", self.origin())
    }

    /// Its address, without a path.
    pub fn origin(&self) -> String {
        self.running.origin()
    }

    /// The settings that lead the bot here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SLACK_API_BASE_URL", self.base_url()),
            ("SLACK_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("SLACK_SIGNING_SECRET", SIGNING_SECRET.to_owned()),
        ]
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// Where events go from now on.
    pub fn send_events_to(&self, url: &str) {
        self.service.state().events_url = Some(url.to_owned());
    }

    /// The settings that lead the bot here by Socket Mode, without a public address.
    pub fn socket_settings(&self) -> Vec<(&'static str, String)> {
        vec![("SLACK_API_BASE_URL", self.base_url()), ("SLACK_BOT_TOKEN", BOT_TOKEN.to_owned()), ("SLACK_APP_TOKEN", APP_TOKEN.to_owned())]
    }

    /// Connections of Socket Mode: how many are open, and how many ever were.
    pub fn connections(&self) -> (usize, u64) {
        self.service.connections()
    }

    /// Asks the app to renew its connections, as Slack does every few hours.
    pub fn refresh_connections(&self) {
        self.service.renew(false);
    }

    /// How many connections were open at least since then.
    pub fn fewest_connections(&self) -> usize {
        self.service.fewest_connections()
    }

    /// Breaks all connections without a word.
    pub fn break_connections(&self) {
        self.service.renew(true);
    }

    /// Makes all connections fall silent, as they do when something between loses them.
    pub fn freeze_connections(&self) {
        self.service.freeze();
    }

    /// Returns when this many connections are open, of at least so many ever. Fails after a minute.
    ///
    /// # Errors
    /// When that does not happen.
    pub async fn connected(&self, open: usize, ever: u64) -> anyhow::Result<()> {
        let enough = || {
            let now = self.connections();
            now.0 >= open && now.1 >= ever
        };
        let seen = || vec![format!("{:?} connections", self.connections())];
        serve::until(&self.service.changed, enough, seen).await
    }

    /// From now on blocks are refused, as the service does when it does not like them.
    pub fn refuse_blocks(&self, refuse: bool) {
        self.service.state().refuse_blocks = refuse;
    }

    /// The bot is not a member of this channel any more; commands still work there, and are answered by their way back.
    pub fn keep_out_of(&self, channel: Option<&str>) {
        self.service.state().outside = channel.map(str::to_owned);
    }

    /// All messages that are there, oldest first.
    pub fn messages(&self) -> Vec<Posted> {
        self.service.state().messages.iter().filter(|m| m.install == self.workspace.install()).cloned().collect()
    }

    /// Somebody deletes the messages that say this. Returns how many there were.
    pub fn delete(&self, words: &str) -> usize {
        let mut state = self.service.state();
        let before = state.messages.len();
        state.messages.retain(|m| !m.seen().contains(words));
        before - state.messages.len()
    }

    /// What people see in a thread, oldest first: who, and the words.
    pub fn thread(&self, channel: &str, root: Option<&str>) -> Vec<(String, String)> {
        let inside = |m: &Posted| m.channel == channel && (root.is_none() || m.thread_ts.as_deref() == root || Some(m.ts.as_str()) == root);
        self.messages().iter().filter(|m| inside(m)).map(|m| (m.user.clone(), m.seen())).collect()
    }

    /// What a person sees in the app's home.
    pub fn home(&self, user: &str) -> Option<String> {
        self.service.state().homes.get(user).map(|(blocks, _)| blocks::seen(blocks))
    }

    /// What people see below links: the link, and the words.
    pub fn unfurled(&self) -> Vec<(String, String)> {
        self.service.state().unfurled.iter().map(|(url, blocks)| (url.clone(), blocks::seen(blocks))).collect()
    }

    /// Every call of the Web API so far: method and body.
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

    /// Returns when the messages fulfil a condition. Fails after a minute.
    ///
    /// # Errors
    /// When the condition is not fulfilled in time; the error lists what is there.
    pub async fn until(&self, condition: impl Fn(&[Posted]) -> bool) -> anyhow::Result<()> {
        let seen = || self.messages().iter().map(|m| format!("{}: {}", m.user, m.seen())).collect();
        serve::until(&self.service.changed, || condition(&self.messages()), seen).await
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
}

impl State {
    /// The message with this time stamp, where the token of the call leads.
    fn message(&mut self, channel: &Value, ts: &Value) -> Option<&mut Posted> {
        self.messages.iter_mut().find(|m| m.install == self.acting && *channel == m.channel && *ts == m.ts)
    }

    /// Time stamps as Slack makes them: seconds, a dot, six digits.
    fn next_ts(&mut self) -> String {
        self.ticks += 1;
        format!("1795305600.{:06}", self.ticks)
    }
}
