//! A Telegram: the Bot API for the bot; people who write, mention, answer and press, as updates by webhook or on demand.

mod api;
mod html;
mod people;

pub use html::fault as html_fault;
pub use people::Delivered;

use crate::fault::Faults;
use crate::files::Files;
use crate::serve::{self, Running};
use axum::Router;
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The token that the stand-in knows.
pub const BOT_TOKEN: &str = "7007:sandbox-telegram-token";
/// The bot's id.
pub const BOT_ID: i64 = 7007;
/// The bot's user name.
pub const BOT_NAME: &str = "chatsheet_bot";
/// The secret that the settings name.
pub const SECRET: &str = "sandbox-telegram-secret";
/// A supergroup without topics.
pub const GROUP: i64 = -1_001_000_000_001;
/// A supergroup with topics; [`TOPIC`] is one of them.
pub const FORUM: i64 = -1_001_000_000_002;
/// A topic of [`FORUM`].
pub const TOPIC: i64 = 3;
/// A small group, which may become a supergroup.
pub const SMALL_GROUP: i64 = -42;
/// People whom the bot knows have ids up to this one; those of strangers are larger.
pub const PEOPLE: i64 = 50;

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the rates are enforced (1 a second and chat with short bursts, 20 a minute and group, 30 a second).
    pub enforce_rates: bool,
    /// Whether rich messages are known (Bot API 10.1), and drafts.
    pub rich: bool,
    /// Waits before an update that was not acknowledged is sent again.
    pub retry_after: [Duration; 3],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            enforce_rates: false,
            rich: true,
            retry_after: [Duration::ZERO, Duration::from_millis(200), Duration::from_secs(1)],
        }
    }
}

/// A running Telegram stand-in.
#[derive(Clone)]
pub struct Telegram {
    running: Arc<Running>,
    service: Arc<Service>,
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
    webhook: Option<(String, String)>,
    pending: VecDeque<Value>,
    /// Questions for updates so far, and those that another one has ended.
    questions: u64,
    conflicts: usize,
    /// Why the webhook did not take the last update that it was sent.
    undelivered: Option<String>,
    last_update: Option<Value>,
    /// Updates that are not sent yet.
    held: Option<Vec<Value>>,
    updates: i64,
    messages: Vec<Posted>,
    ids: HashMap<i64, i64>,
    /// People who never wrote to the bot, and chats that it was removed from.
    strangers: HashSet<i64>,
    gone: HashSet<i64>,
    /// Chats that were deleted, of which the bot is told nothing.
    deleted: HashSet<i64>,
    moved: HashMap<i64, i64>,
    refuse_markup: bool,
    /// What people see of messages that are not sent yet: by chat and topic, every state.
    drafts: HashMap<(i64, Option<i64>), Vec<String>>,
    sent: HashMap<i64, VecDeque<Instant>>,
    refused_for_rate: usize,
    commands: Vec<Value>,
    answered: Vec<(String, String)>,
    /// Ids of presses that may be answered.
    presses: HashSet<String>,
    calls: Vec<(String, Value)>,
}

/// A message in a chat.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The chat.
    pub chat: i64,
    /// Its number in the chat.
    pub id: i64,
    /// The topic it stands in.
    pub topic: Option<i64>,
    /// Who wrote it.
    pub from: i64,
    /// What people read.
    pub text: String,
    /// Buttons: label and payload.
    pub buttons: Vec<(String, String)>,
    /// The message that it answers.
    pub answers: Option<i64>,
    /// People that it calls.
    pub calls: Vec<String>,
    /// Whether it has a table as a table.
    pub rich: bool,
    /// The request that made it what it is now.
    pub body: Value,
    /// How often it was edited.
    pub edits: usize,
}

impl Posted {
    /// What a person reads, buttons included.
    pub fn seen(&self) -> String {
        let buttons: Vec<String> = self.buttons.iter().map(|(label, _)| format!("[{label}]")).collect();
        if buttons.is_empty() { self.text.clone() } else { format!("{}\n{}", self.text, buttons.join(" ")) }
    }
}

impl Telegram {
    /// Starts the stand-in.
    ///
    /// # Errors
    /// When the address is taken.
    #[expect(clippy::disallowed_methods, reason = "the stand-in's own way of delivering updates")]
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        let service = Arc::new(Service {
            options,
            faults: Faults::default(),
            state: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            files: Files::default(),
            http,
        });
        let router = Router::new()
            .route("/{bot}/{method}", any(api::call))
            .route("/file/{bot}/documents/{name}", get(api::file))
            .route("/sandbox/say", post(people::say_route))
            .route("/sandbox/messages", get(people::messages_route))
            .with_state(service.clone());
        Ok(Self { running: Arc::new(serve::serve(listener, router)?), service })
    }

    /// Its address, the base URL of its Bot API.
    pub fn origin(&self) -> String {
        self.running.origin()
    }

    /// The settings that lead the bot here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let people = (1..=PEOPLE).map(|id| id.to_string());
        let allowed: Vec<String> = people.chain([GROUP, FORUM, SMALL_GROUP].map(|id| id.to_string())).collect();
        vec![
            ("TELEGRAM_API_BASE_URL", self.origin()),
            ("TELEGRAM_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("TELEGRAM_ALLOWED", allowed.join(",")),
        ]
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// From now on markup is refused, as the service does when it cannot read it.
    pub fn refuse_markup(&self, refuse: bool) {
        self.service.state().refuse_markup = refuse;
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

    /// What people see in a chat or topic, oldest first.
    pub fn thread(&self, chat: i64, topic: Option<i64>) -> Vec<String> {
        let inside = |m: &&Posted| m.chat == chat && m.topic == topic;
        self.service.state().messages.iter().filter(inside).map(Posted::seen).collect()
    }

    /// The states of the draft that is shown in a chat with one person, oldest first; none when its message was sent.
    pub fn draft(&self, chat: i64) -> Vec<String> {
        self.service.state().drafts.get(&(chat, None)).cloned().unwrap_or_default()
    }

    /// Every call so far: method in lower case, and body.
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

    /// How many questions for updates were ended by another one.
    pub fn conflicts(&self) -> usize {
        self.service.state().conflicts
    }

    /// Answers to presses: the id of the press, and the words of the alert.
    pub fn answered(&self) -> Vec<(String, String)> {
        self.service.state().answered.clone()
    }

    /// Where updates are sent.
    pub fn webhook(&self) -> Option<String> {
        self.service.state().webhook.as_ref().map(|(url, _)| url.clone())
    }

    /// What is offered behind `/`.
    pub fn commands(&self) -> Vec<Value> {
        self.service.state().commands.clone()
    }

    /// Somebody never wrote to the bot, so it may not write to them.
    pub fn stranger(&self, user: i64) {
        self.service.state().strangers.insert(user);
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
}

impl State {
    /// The number of the next message of a chat.
    fn next_id(&mut self, chat: i64) -> i64 {
        let id = self.ids.entry(chat).or_insert(100);
        *id += 1;
        *id
    }
}

/// A chat as the Bot API describes it; `None` when there is none with this id.
fn chat(id: i64) -> Option<Value> {
    Some(match id {
        GROUP => json!({ "id": id, "type": "supergroup", "title": "Plan" }),
        FORUM => json!({ "id": id, "type": "supergroup", "title": "Topics", "is_forum": true }),
        SMALL_GROUP => json!({ "id": id, "type": "group", "title": "Small", "all_members_are_administrators": false }),
        1..=999 => json!({ "id": id, "type": "private", "first_name": name(id) }),
        _ if id < -1_001_000_000_002 => json!({ "id": id, "type": "supergroup", "title": "Many" }),
        _ => return None,
    })
}

fn name(user: i64) -> &'static str {
    match user {
        1 => "Lee Park",
        2 => "Mia Jensen",
        _ => "Somebody",
    }
}

fn user(id: i64) -> Value {
    let (first, last) = name(id).split_once(' ').unwrap_or((name(id), ""));
    let mut user = json!({ "id": id, "is_bot": false, "first_name": first });
    if !last.is_empty() {
        user["last_name"] = json!(last);
    }
    user
}

fn bot() -> Value {
    json!({ "id": BOT_ID, "is_bot": true, "first_name": "Chatsheet", "username": BOT_NAME })
}
