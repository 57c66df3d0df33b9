//! Discord: messages come in over the gateway, interactions over the gateway or a signed URL; a mention in a channel opens a
//! thread, and what is said goes on there.

mod beside;
mod event;
mod inward;
mod render;
mod route;
mod web;

pub use render::{Part, plain, render};
pub use route::router;

use chat::{ChatError, Overall, Pace, Rate};
use moka::future::Cache;
use serde_json::Value;
use serenity::http::{Http, HttpBuilder};
use serenity::interactions_endpoint::Verifier;
use serenity::model::id::{ApplicationId, ChannelId, GuildId, RoleId, UserId};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

/// How to reach Discord as one bot.
#[derive(Clone)]
pub struct Settings {
    /// Token of the bot.
    pub bot_token: String,
    /// The application's id.
    pub application_id: u64,
    /// The application's public key: interactions are taken over the URL, too. `None`: over the gateway only.
    pub public_key: Option<String>,
    /// Where Discord is; `None`: where it always is.
    pub api_base_url: Option<Url>,
    /// Whether Discord's rates are kept to.
    pub paced: bool,
}

/// The bot in Discord.
pub struct Discord {
    settings: Settings,
    http: Arc<Http>,
    verifier: Option<Verifier>,
    me: OnceCell<UserId>,
    paces: Option<(Pace, Overall)>,
    /// What is known of channels: the parent of a thread.
    channels: Cache<ChannelId, Option<ChannelId>>,
    /// The bot's own role in each server, which people may mention instead of the bot; none where it has none.
    roles: Cache<GuildId, Option<RoleId>>,
    /// Interactions whose person can still be answered alone.
    asides: Cache<u64, Aside>,
}

/// An interaction whose token is good for a quarter of an hour.
#[derive(Clone, Debug)]
struct Aside {
    token: String,
    /// The first answer takes the place of "thinking".
    deferred: Arc<AtomicBool>,
    since: Instant,
}

/// Only the person sees the message.
const EPHEMERAL: u64 = 1 << 6;
/// Of 5 messages in 5 seconds that a channel takes, and of as many edits; a margin stays.
const CHANNEL: Rate = Rate::new(1_200, 1);
const GROWING: Rate = Rate::new(1_800, 1);
/// Of 50 requests a second, which may arrive closer together than they were sent.
const ALL: Rate = Rate::new(30, 4);
/// A token of an interaction ends after fifteen minutes.
const ASIDE: Duration = Duration::from_secs(14 * 60);
/// How long the bot's own role in a server is known: it gets another one when it is invited anew.
const ROLE: Duration = Duration::from_secs(3_600);
const CHANNELS: u64 = 50_000;

/// Why the adapter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It would let forgers in.
    #[error("the public key has 64 hexadecimal digits")]
    PublicKey,
    /// Nothing works without it.
    #[error("the token is empty")]
    Token,
}

impl Discord {
    /// An adapter with these settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        if settings.bot_token.trim().is_empty() {
            return Err(SetupError::Token);
        }
        let verifier = match &settings.public_key {
            Some(key) => Some(verifier(key.trim()).ok_or(SetupError::PublicKey)?),
            None => None,
        };
        Ok(Self {
            http: Arc::new(client(&settings)),
            verifier,
            me: OnceCell::new(),
            paces: settings.paced.then(|| (Pace::new(&[CHANNEL], GROWING), ALL.overall())),
            channels: Cache::new(CHANNELS),
            roles: Cache::builder().max_capacity(CHANNELS).time_to_live(ROLE).build(),
            asides: Cache::builder().max_capacity(CHANNELS).time_to_live(ASIDE).build(),
            settings,
        })
    }

    /// The bot itself, asked for once.
    async fn me(&self) -> Result<UserId, ChatError> {
        let asked = self.me.get_or_try_init(|| async { self.http.get_current_user().await.map(|user| user.id) });
        asked.await.copied().map_err(|e| web::chat_error(&e))
    }

    /// Tries the token: the bot's name, and what it may hear.
    ///
    /// # Errors
    /// When Discord does not accept the token or cannot be reached.
    pub async fn who_am_i(&self) -> Result<String, ChatError> {
        let user = self.http.get_current_user().await.map_err(|e| web::chat_error(&e))?;
        let application = self.http.get_current_application_info().await.map_err(|e| web::chat_error(&e))?;
        if application.id.get() != self.settings.application_id {
            return Err(ChatError::Forbidden(format!(
                "the token belongs to application {}, not to DISCORD_APPLICATION_ID",
                application.id
            )));
        }
        if let (None, Some(url)) = (&self.settings.public_key, &application.interactions_endpoint_url) {
            return Err(ChatError::Forbidden(format!(
                "commands and buttons go to {url}, and without DISCORD_PUBLIC_KEY they are refused there: set it, or empty General Information > Interactions Endpoint URL"
            )));
        }
        if self.settings.public_key.as_ref().is_some_and(|key| !key.trim().eq_ignore_ascii_case(&application.verify_key)) {
            return Err(ChatError::Forbidden(
                "DISCORD_PUBLIC_KEY is not that of the application; it is under General Information > Public Key".into(),
            ));
        }
        // GATEWAY_MESSAGE_CONTENT and GATEWAY_MESSAGE_CONTENT_LIMITED.
        let hears = application.flags.is_some_and(|flags| flags.bits() & (1 << 18 | 1 << 19) != 0);
        let hears = if hears {
            "it hears follow-ups in its threads"
        } else {
            "it hears mentions only (Bot > Message Content Intent lets it hear follow-ups)"
        };
        let commands = self.http.get_global_commands().await.map_err(|e| web::chat_error(&e))?;
        let commands = if commands.is_empty() { "; /sheet is not known there yet: `chatsheet manifest discord --register`" } else { "" };
        Ok(format!("{}, {hears}{commands}", user.name))
    }

    /// Sets the slash commands.
    ///
    /// # Errors
    /// When Discord refuses them or cannot be reached.
    pub async fn register(&self, commands: &Value) -> Result<(), ChatError> {
        self.http.create_global_commands(commands).await.map(drop).map_err(|e| web::chat_error(&e))
    }
}

/// Checks signatures of the application with this key.
fn verifier(key: &str) -> Option<Verifier> {
    if key.len() != 64 || !key.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&key[2 * at..2 * at + 2], 16).ok()?;
    }
    Verifier::try_new(bytes).ok()
}

/// A client of the REST API; the gateway takes one of its own.
fn client(settings: &Settings) -> Http {
    let http = HttpBuilder::new(&settings.bot_token).application_id(ApplicationId::new(settings.application_id.max(1)));
    // serenity's limiter waits for as long as it likes; `Pace` keeps to the rates, and a refusal says so to whoever waits.
    let http = http.ratelimiter_disabled(true);
    match &settings.api_base_url {
        Some(base) => http.proxy(base.as_str().trim_end_matches('/')).build(),
        None => http.build(),
    }
}
