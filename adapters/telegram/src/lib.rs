//! Telegram: updates come in by webhook, or by long polling where there is no public URL; messages go out over the Bot API.

mod beside;
mod draft;
mod event;
mod inward;
#[cfg(test)]
mod odd;
mod payloads;
mod render;
mod web;
mod wire;

pub use inward::router;
pub use render::{Part, plain, render, rich};

use chat::{ChatError, Inbox, Overall, Pace, Rate};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32};
use teloxide::Bot;
use teloxide::requests::Requester;
use teloxide::types::{BotCommand, ChatId, Me, UserId};
use tokio::sync::OnceCell;
use url::Url;

/// How to reach Telegram as one bot.
#[derive(Clone)]
pub struct Settings {
    /// Token of the bot, `123456:ABC…`.
    pub bot_token: String,
    /// Base URL of the Bot API, `https://api.telegram.org`.
    pub api_base_url: Url,
    /// Where Telegram sends updates, and the secret that proves it; `None`: they are asked for.
    pub webhook: Option<Webhook>,
    /// Whether Telegram's rates are kept to.
    pub paced: bool,
}

/// How updates come in over HTTP.
#[derive(Clone)]
pub struct Webhook {
    /// The address.
    pub url: Url,
    /// 1 to 256 letters, digits, `_` and `-`; comes back in a header of every request.
    pub secret: String,
}

/// One bot of Telegram.
pub struct Telegram {
    bot: Bot,
    id: String,
    webhook: Option<Webhook>,
    me: OnceCell<Me>,
    paces: Option<Paces>,
    /// Presses that are not answered yet: by chat and person.
    pressed: Mutex<HashMap<(ChatId, UserId), teloxide::types::CallbackQueryId>>,
    /// The service does not know rich messages.
    no_rich: AtomicBool,
    /// How many drafts were refused in a row.
    drafts_refused: AtomicU32,
}

struct Paces {
    private: Pace,
    groups: Pace,
    all: Overall,
}

/// Messages and edits: 1 a second in a chat, 20 a minute in a group, 30 a second in all; a margin stays.
const CHAT: Rate = Rate::new(1_050, 3);
const GROUP: Rate = Rate::new(5_000, 8);
const GROWING_CHAT: Rate = Rate::new(1_200, 2);
const GROWING_GROUP: Rate = Rate::new(10_000, 3);
const ALL: Rate = Rate::new(40, 4);

/// How updates come to the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By asking for them or by webhook.
    Works(String),
    /// Telegram has updates that it cannot deliver.
    Fails(String),
}

/// Why the adapter could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It says which bot this is.
    #[error("the token does not look like 123456:ABC-…; BotFather gives it")]
    Token,
    /// Updates could be forged without it.
    #[error("the webhook secret must have 1 to 256 letters, digits, '_' or '-'")]
    Secret,
}

impl Telegram {
    /// An adapter with these settings.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let id = settings.bot_token.split_once(':').map(|(id, _)| id.to_owned());
        let id = id.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())).ok_or(SetupError::Token)?;
        if let Some(webhook) = &settings.webhook {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if !(1..=256).contains(&webhook.secret.len()) || !webhook.secret.bytes().all(allowed) {
                return Err(SetupError::Secret);
            }
        }
        Ok(Self {
            bot: Bot::new(settings.bot_token).set_api_url(settings.api_base_url),
            id,
            webhook: settings.webhook,
            me: OnceCell::new(),
            paces: settings.paced.then(|| Paces {
                private: Pace::new(&[CHAT], GROWING_CHAT),
                groups: Pace::new(&[CHAT, GROUP], GROWING_GROUP),
                all: ALL.overall(),
            }),
            pressed: Mutex::default(),
            no_rich: AtomicBool::new(false),
            drafts_refused: AtomicU32::new(0),
        })
    }

    /// The bot itself, asked for once.
    async fn me(&self) -> Result<&Me, ChatError> {
        self.me.get_or_try_init(|| async { self.bot.get_me().await }).await.map_err(|e| web::chat_error(&e))
    }

    /// Tries the token: the bot's name, and what it may hear in groups.
    ///
    /// # Errors
    /// When Telegram does not accept the token or cannot be reached.
    pub async fn who_am_i(&self) -> Result<String, ChatError> {
        let me = self.me().await?;
        let groups = if !me.can_join_groups {
            "it cannot be added to groups (BotFather > Bot Settings > Allow Groups)"
        } else if me.can_read_all_group_messages {
            "in groups it hears everything (privacy mode is off)"
        } else {
            "in groups it hears commands and replies to it; mentions only once privacy mode is off (BotFather > Bot Settings > Group Privacy, then remove and add the bot again)"
        };
        Ok(format!("@{}, {groups}", me.username()))
    }

    /// Whether Telegram offers commands when somebody types `/`.
    ///
    /// # Errors
    /// When Telegram does not accept the token or cannot be reached.
    pub async fn offers_commands(&self) -> Result<bool, ChatError> {
        self.bot.get_my_commands().await.map(|all| !all.is_empty()).map_err(|e| web::chat_error(&e))
    }

    /// Sets what Telegram offers when somebody types `/`: commands and what they do.
    ///
    /// # Errors
    /// When Telegram refuses them or cannot be reached.
    pub async fn register(&self, commands: Vec<(String, String)>) -> Result<(), ChatError> {
        let commands: Vec<BotCommand> = commands.into_iter().map(|(name, about)| BotCommand::new(name, about)).collect();
        self.bot.set_my_commands(commands).await.map(drop).map_err(|e| web::chat_error(&e))
    }

    /// Whether Telegram is asked for updates, which it lets one process do at a time.
    pub fn asks_for_updates(&self) -> bool {
        self.webhook.is_none()
    }

    /// Takes updates into the inbox until told to stop: tells Telegram where to send them, or asks for them.
    pub async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: tokio_util::sync::CancellationToken) {
        tokio::select! {
            () = inward::run(&self, inbox.as_ref()) => {}
            () = stop.cancelled() => {}
        }
    }
}
