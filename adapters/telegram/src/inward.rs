//! Updates in: a route for Telegram's webhook, or a loop that asks for them. An update is acknowledged when it is stored.

use crate::payloads::GetUpdates;
use crate::wire::Update;
use crate::{Delivery, Telegram, event};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use chat::{ChatError, Inbox, Incoming, What};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subtle::ConstantTimeEq;
use teloxide::payloads::{AnswerCallbackQuerySetters, SetWebhookSetters};
use teloxide::requests::{JsonRequest, Requester};
use teloxide::types::{AllowedUpdate, CallbackQueryId, ChatId, UserId};

const SECRET: &str = "x-telegram-bot-api-secret-token";
/// What is not stored by now is asked for again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_secs(5);
/// How long Telegram holds a request that asks for updates; below the client's own limit.
const POLL_SECONDS: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A press that nobody has an answer for by then is acknowledged silently.
const SILENT_AFTER: Duration = Duration::from_millis(1_500);

fn wanted() -> [AllowedUpdate; 4] {
    [AllowedUpdate::Message, AllowedUpdate::EditedMessage, AllowedUpdate::CallbackQuery, AllowedUpdate::MyChatMember]
}

#[derive(Clone)]
struct Door {
    telegram: Arc<Telegram>,
    inbox: Arc<dyn Inbox>,
}

/// The route, to be mounted under `/api/webhooks/telegram`. Without a webhook in the settings it takes nothing.
pub fn router(telegram: Arc<Telegram>, inbox: Arc<dyn Inbox>) -> Router {
    Router::new().fallback(post(receive)).with_state(Door { telegram, inbox })
}

async fn receive(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Door { telegram, inbox } = door;
    let secret = telegram.webhook.as_ref().map(|w| w.secret.as_str());
    if !secret.is_some_and(|secret| carries(&headers, secret)) {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(update) = serde_json::from_slice::<Update>(&body) else {
        metrics::counter!("chatsheet_unreadable_events_total", "platform" => "telegram").increment(1);
        tracing::warn!("a body that is no update of telegram was left out");
        return StatusCode::OK;
    };
    match tokio::time::timeout(STORE_WITHIN, take(&telegram, inbox.as_ref(), update)).await {
        Ok(true) => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Whether the request carries the secret, once; compared in constant time, whatever its length.
fn carries(headers: &HeaderMap, secret: &str) -> bool {
    let mut values = headers.get_all(SECRET).iter();
    let (Some(given), None) = (values.next(), values.next()) else { return false };
    Sha256::digest(given.as_bytes()).as_slice().ct_eq(Sha256::digest(secret.as_bytes()).as_slice()).into()
}

/// Stores an update; `false` when Telegram is to deliver it again.
async fn take(telegram: &Arc<Telegram>, inbox: &dyn Inbox, update: Update) -> bool {
    let me = match telegram.me().await {
        Ok(me) => me,
        Err(error) => {
            tracing::error!(%error, "telegram does not say which bot this is; it will deliver the update again");
            return false;
        }
    };
    let press = event::pressed(&update);
    let Some(event) = event::parse(&update, me, now_ms()) else { return true };
    let (delivery, thread) = (event.delivery_id.clone(), event.thread.storage_key());
    if let Some((id, user)) = press {
        telegram.pressed(&event, id, user);
    }
    match inbox.accept(event).await {
        Ok(_) => true,
        Err(error) => {
            tracing::error!(%error, delivery, thread, "an update could not be stored; telegram will deliver it again");
            false
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

impl Telegram {
    /// How updates come, as Telegram sees it; for whoever sets the bot up.
    ///
    /// # Errors
    /// When Telegram does not accept the token or cannot be reached.
    pub async fn delivery(&self) -> Result<Delivery, ChatError> {
        let info = self.bot.get_webhook_info().await.map_err(|e| crate::web::chat_error(&e))?;
        Ok(match (&self.webhook, info.url) {
            (None, None) => Delivery::Works("it is asked for updates".into()),
            (None, Some(set)) => Delivery::Works(format!("updates still go to {set}; once the bot runs, it is asked for them")),
            (Some(ours), Some(set)) if ours.url == set => match info.last_error_message {
                Some(why) if info.pending_update_count > 0 => {
                    Delivery::Fails(format!("{} updates wait, because {set} does not take them: {why}", info.pending_update_count))
                }
                _ => Delivery::Works(format!("it sends updates to {set}")),
            },
            (Some(ours), _) => Delivery::Works(format!("once the bot runs, updates go to {}", ours.url)),
        })
    }
}

/// Sets the webhook, or asks for updates for as long as this runs.
pub(crate) async fn run(telegram: &Arc<Telegram>, inbox: &dyn Inbox) {
    let mut pause = Duration::from_secs(1);
    let mut offset = 0;
    while let Err(error) = listen(telegram, inbox, &mut offset, &mut pause).await {
        let wait = match error {
            ChatError::RateLimited(wait) => wait,
            _ => pause,
        };
        tracing::warn!(%error, ?wait, "telegram does not send updates; it is tried again");
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen(telegram: &Arc<Telegram>, inbox: &dyn Inbox, offset: &mut i64, pause: &mut Duration) -> Result<(), ChatError> {
    let error = |e| crate::web::chat_error(&e);
    telegram.me().await?;
    if let Some(webhook) = &telegram.webhook {
        let set = telegram.bot.set_webhook(webhook.url.clone()).secret_token(webhook.secret.clone()).allowed_updates(wanted());
        set.await.map_err(error)?;
        tracing::info!(url = %webhook.url, "telegram sends updates here");
        return Ok(());
    }
    telegram.bot.delete_webhook().await.map_err(error)?;
    tracing::info!("telegram is asked for updates");
    loop {
        let asked = GetUpdates { offset: *offset, timeout: POLL_SECONDS, allowed_updates: wanted() };
        for update in JsonRequest::new(telegram.bot.clone(), asked).await.map_err(error)? {
            let next = update.id + 1;
            if !take(telegram, inbox, update).await {
                return Err(ChatError::Unreachable("an update could not be stored".into()));
            }
            // What is stored is acknowledged by the next question.
            *offset = next;
        }
        *pause = Duration::from_secs(1);
    }
}

impl Telegram {
    /// Keeps a press for the answer to it, and acknowledges it silently when there is none soon.
    fn pressed(self: &Arc<Self>, event: &Incoming, id: CallbackQueryId, user: UserId) {
        let (What::Press { .. }, Some(place)) = (&event.what, event::Place::read(&event.anchor)) else { return };
        let key = (place.chat, user);
        // Of the same press, delivered again, there is nothing to acknowledge yet.
        if let Some(earlier) = self.presses().insert(key, id.clone()).filter(|earlier| *earlier != id) {
            self.acknowledge(earlier);
        }
        let telegram = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(SILENT_AFTER).await;
            let waits = telegram.presses().get(&key).is_some_and(|waiting| *waiting == id);
            if waits && let Some(id) = telegram.presses().remove(&key) {
                telegram.acknowledge(id);
            }
        });
    }

    fn acknowledge(self: &Arc<Self>, id: CallbackQueryId) {
        let telegram = self.clone();
        tokio::spawn(async move {
            if let Err(error) = telegram.bot.answer_callback_query(id).await {
                tracing::debug!(%error, "a press could not be acknowledged");
            }
        });
    }

    /// Answers the press of a person in a chat with words that only they see; `false` when there is none.
    pub(crate) async fn answer_press(&self, chat: ChatId, user: UserId, words: &str) -> bool {
        let Some(id) = self.presses().remove(&(chat, user)) else { return false };
        self.bot.answer_callback_query(id).text(words).show_alert(true).await.is_ok()
    }

    fn presses(&self) -> std::sync::MutexGuard<'_, std::collections::HashMap<(ChatId, UserId), CallbackQueryId>> {
        self.pressed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
