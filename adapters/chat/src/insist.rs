//! Brings a last state out: with patience where a platform asks for it, never twice.

use crate::{Anchor, Chat, ChatError, Message, MessageRef};
use std::time::Duration;

/// How long it is tried in all.
const PATIENCE: Duration = Duration::from_secs(90);
const TRIES: usize = 5;

/// Edits the message at `at`, or posts one when there is none or it is gone; `at` then says where.
///
/// # Errors
/// When the platform refuses it, or asks for more patience than there is.
pub async fn insist(chat: &dyn Chat, anchor: &Anchor, at: &mut Option<MessageRef>, message: &Message) -> Result<(), ChatError> {
    let mut waited = Duration::ZERO;
    let mut tries = 0;
    loop {
        let shown = match &*at {
            Some(place) => chat.edit(place, message).await,
            None => chat.post(anchor, message).await.map(|place| *at = Some(place)),
        };
        let Err(error) = shown else { return Ok(()) };
        tries += 1;
        let wait = match &error {
            ChatError::RateLimited(wait) => *wait,
            ChatError::Gone(_) if at.take().is_some() => Duration::ZERO,
            ChatError::Unreachable(_) => Duration::from_millis(500 << tries.min(6)),
            // Edits are safe to repeat; a post that may be there is not.
            ChatError::MayHaveLanded(_) if at.is_some() => Duration::from_millis(500),
            ChatError::MayHaveLanded(why) => {
                tracing::warn!(why, "it is not known whether a message was posted; it is not sent twice");
                return Ok(());
            }
            ChatError::Gone(_) | ChatError::Forbidden(_) | ChatError::Rejected(_) => return Err(error),
        };
        waited += wait;
        if tries >= TRIES || waited > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}
