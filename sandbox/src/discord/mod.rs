//! A Discord: the REST API and the gateway for the bot; people who write, mention, press and use the slash command.

mod api;
mod check;
mod gateway;
mod members;
mod people;

pub use check::fault as message_fault;
pub use people::Delivered;

use crate::fault::Faults;
use crate::files::Files;
use crate::serve::{self, Running};
use axum::Router;
use axum::routing::{get, patch, post};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The bot's token.
pub const BOT_TOKEN: &str = "sandbox.discord.token";
/// The application, which is the bot's user, too.
pub const APPLICATION: u64 = 7_007;
/// The role that each server made for the bot.
pub const BOT_ROLE: u64 = 7_070;
/// A server.
pub const GUILD: u64 = 500;
/// A channel of it.
pub const CHANNEL: u64 = 600;
/// Another server that the bot is in, and its text channel.
pub const OTHER_GUILD: u64 = 510;
/// See [`OTHER_GUILD`].
pub const OTHER_CHANNEL: u64 = 610;

/// A server that has the bot without anybody having asked its operator, and its text channel.
pub const STRANGE_GUILD: u64 = 520;
/// See [`STRANGE_GUILD`].
pub const STRANGE_CHANNEL: u64 = 620;
/// People from this id on are in no server but that one.
pub const STRANGERS: u64 = 80;

/// How long Discord waits for the answer to an interaction.
const PATIENCE: Duration = Duration::from_secs(3);

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the rates are enforced (5 messages in 5 seconds and channel, edits alike, 50 a second in all).
    pub enforce_rates: bool,
    /// Whether the bot has the Message Content Intent.
    pub message_content: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 0)), enforce_rates: false, message_content: true }
    }
}

/// A running Discord stand-in.
#[derive(Clone)]
pub struct Discord {
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
    key: Ed25519KeyPair,
}

#[derive(Default)]
pub(crate) struct State {
    gateway: gateway::Gateway,
    ticks: u64,
    messages: Vec<Posted>,
    /// Threads and the channel each belongs to.
    threads: HashMap<u64, u64>,
    gone: HashSet<u64>,
    refuse_markup: bool,
    /// Whether first answers to interactions come too late.
    too_late: bool,
    /// Whether nothing is told of the channel in which something happens.
    silent_on_channels: bool,
    last_event: Option<(String, Value)>,
    sent: HashMap<(u64, &'static str), VecDeque<Instant>>,
    refused_for_rate: usize,
    calls: Vec<(String, Value)>,
    nonces: HashMap<String, u64>,
    /// How interactions were answered: their token, and the kind of the first answer.
    answered: HashMap<String, u64>,
    interactions: HashMap<String, (u64, u64)>,
    /// Interactions whose person is shown that the bot thinks.
    thinking: HashSet<String>,
    commands: Vec<Value>,
}

impl State {
    /// Whoever is answered later sees that the bot thinks until then.
    fn think(&mut self, token: &str, kind: u64) {
        if kind == 5 {
            self.thinking.insert(token.to_owned());
        }
    }
}

/// A message.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The channel or thread.
    pub channel: u64,
    /// Its id.
    pub id: u64,
    /// Who wrote it.
    pub from: u64,
    /// What was sent last.
    pub body: Value,
    /// The only person who sees it.
    pub only_for: Option<u64>,
    /// How often it was edited.
    pub edits: usize,
}

impl Posted {
    /// What a person reads.
    pub fn seen(&self) -> String {
        let mut lines = vec![people::readable(self.body["content"].as_str().unwrap_or_default())];
        for row in self.body["components"].as_array().into_iter().flatten() {
            let labels = row["components"].as_array().into_iter().flatten().filter_map(|b| b["label"].as_str());
            lines.push(labels.map(|l| format!("[{l}]")).collect::<Vec<_>>().join(" "));
        }
        lines.join("\n")
    }
}

impl Discord {
    /// Starts the stand-in.
    ///
    /// # Errors
    /// When the address is taken.
    #[expect(clippy::disallowed_methods, reason = "the stand-in's own way of delivering interactions")]
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .and_then(|k| Ed25519KeyPair::from_pkcs8(k.as_ref()).map_err(|_| ring::error::Unspecified));
        let key = key.map_err(|_| anyhow::anyhow!("no key can be made"))?;
        let service = Arc::new(Service {
            options,
            origin: Mutex::default(),
            faults: Faults::default(),
            state: Mutex::default(),
            changed: tokio::sync::Notify::new(),
            files: Files::default(),
            http,
            key,
        });
        let api = Router::new()
            .route("/gateway", get(gateway::address))
            .route("/users/@me", get(members::me))
            .route("/users/{user}", get(members::user))
            .route("/guilds/{guild}/members/{user}", get(members::member))
            .route("/guilds/{guild}/roles", get(members::roles))
            .route("/users/@me/channels", post(api::direct))
            .route("/oauth2/applications/@me", get(api::application))
            .route("/applications/@me", get(api::application))
            .route("/applications/{application}/commands", get(api::commands_there).put(api::commands))
            .route("/channels/{channel}", get(api::channel))
            .route("/channels/{channel}/messages", post(api::send))
            .route("/channels/{channel}/messages/{message}", patch(api::edit).get(api::message))
            .route("/channels/{channel}/messages/{message}/threads", post(api::thread))
            .route("/interactions/{interaction}/{token}/callback", post(api::callback))
            .route("/webhooks/{application}/{token}", post(api::followup))
            .route("/webhooks/{application}/{token}/messages/@original", patch(api::original).delete(api::forget_original));
        let router = Router::new()
            .nest("/api/v10", api)
            .route("/", get(gateway::connect))
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
            ("DISCORD_API_BASE_URL", self.origin()),
            ("DISCORD_BOT_TOKEN", BOT_TOKEN.to_owned()),
            ("DISCORD_APPLICATION_ID", APPLICATION.to_string()),
            ("DISCORD_PUBLIC_KEY", self.public_key()),
            ("DISCORD_ALLOWED", format!("{GUILD},{OTHER_GUILD}")),
        ]
    }

    /// The key that interactions over HTTP are signed with.
    pub fn public_key(&self) -> String {
        self.service.public_key()
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// From now on markup is refused.
    pub fn refuse_markup(&self, refuse: bool) {
        self.service.state().refuse_markup = refuse;
    }

    /// Interactions do not tell of their channel, and it cannot be asked for.
    pub fn keep_channels_to_itself(&self, silent: bool) {
        self.service.state().silent_on_channels = silent;
    }

    /// From now on first answers to interactions arrive after the three seconds that they have.
    pub fn answers_come_too_late(&self, late: bool) {
        self.service.state().too_late = late;
    }

    /// Sessions of the gateway: how many are open, how many were begun, and how many resumed.
    pub fn sessions(&self) -> (usize, usize, usize) {
        self.service.state().gateway.counts()
    }

    /// Asks the bot to connect anew, as Discord does from time to time.
    pub fn reconnect(&self) {
        let gateway = &mut self.service.state().gateway;
        gateway.tell_all(&json!({ "op": 7, "d": null }));
        gateway.forget_sessions();
    }

    /// Ends the bot's session, which cannot be resumed then.
    pub fn invalidate(&self) {
        let gateway = &mut self.service.state().gateway;
        gateway.tell_all(&json!({ "op": 9, "d": false }));
        gateway.forget_sessions();
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

    /// What people see in a thread: the message that it began with, and what stands in it.
    pub fn thread(&self, thread: u64) -> Vec<String> {
        let inside = |m: &&Posted| (m.channel == thread || m.id == thread) && m.only_for.is_none();
        self.service.state().messages.iter().filter(inside).map(Posted::seen).collect()
    }

    /// Threads, and the channel each belongs to.
    pub fn threads(&self) -> HashMap<u64, u64> {
        self.service.state().threads.clone()
    }

    /// Every call so far: what was done, and the body.
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

    /// Slash commands that are registered.
    pub fn commands(&self) -> Vec<Value> {
        self.service.state().commands.clone()
    }

    /// Returns when the stand-in fulfils a condition. Fails after twenty seconds.
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
    /// What interactions are signed with.
    fn public_key(&self) -> String {
        self.key.public_key().as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn origin(&self) -> String {
        self.origin.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.ticks += 1;
        1_000_000 + self.ticks
    }
}

/// A person as Discord describes them.
fn user(id: u64) -> Value {
    let (login, name) = match id {
        1 => ("lee", "Lee Park"),
        2 => ("mia", "Mia Jensen"),
        APPLICATION => ("chatsheet", "ChatSheet"),
        _ => ("somebody", "Somebody"),
    };
    json!({ "id": id.to_string(), "username": login, "global_name": name, "discriminator": "0", "avatar": null, "bot": id == APPLICATION })
}

/// The channel of a person and the bot.
pub(crate) fn direct_channel(user: u64) -> u64 {
    900 + user
}
