//! Drafts: what is being done, then growing words, shown in a chat with one person until the message itself is sent.

use crate::Telegram;
use crate::event::Place;
use crate::payloads::SendMessageDraft;
use crate::render::render;
use chat::{ChatError, Message};
use std::sync::atomic::Ordering;
use teloxide::requests::JsonRequest;
use teloxide::types::ParseMode;
use teloxide::{ApiError, RequestError};

/// A conversation has one draft at a time; what changes in it is animated.
const DRAFT: u32 = 1;
/// So many refusals in a row are not about one message or chat: there are no drafts.
const REFUSALS: u32 = 5;

impl Telegram {
    /// Shows a draft; `false` where there are none: in groups, and where the service does not have them.
    pub(crate) async fn show_draft(&self, place: &Place, message: &Message) -> Result<bool, ChatError> {
        if !place.is_private() || self.drafts_refused.load(Ordering::Relaxed) >= REFUSALS {
            return Ok(false);
        }
        self.pace(place.chat, true).await?;
        let text = render(message).into_iter().next().unwrap_or_default().html;
        let draft =
            SendMessageDraft { chat_id: place.chat, message_thread_id: place.topic, draft_id: DRAFT, text, parse_mode: ParseMode::Html };
        match JsonRequest::new(self.bot.clone(), draft).await {
            Ok(_) => {
                self.drafts_refused.store(0, Ordering::Relaxed);
                Ok(true)
            }
            Err(RequestError::RetryAfter(seconds)) => Err(ChatError::RateLimited(seconds.duration())),
            Err(error) => {
                tracing::info!(%error, "telegram shows no draft here; a message grows by edits");
                match &error {
                    // So looks a method that is not known.
                    RequestError::Api(ApiError::InvalidToken) => self.drafts_refused.store(REFUSALS, Ordering::Relaxed),
                    RequestError::Api(_) => {
                        self.drafts_refused.fetch_add(1, Ordering::Relaxed);
                    }
                    _ => {}
                }
                Ok(false)
            }
        }
    }
}
