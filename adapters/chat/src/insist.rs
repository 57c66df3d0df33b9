//! Brings a last state out: with patience where a platform asks for it, never twice.

use crate::{Anchor, Chat, ChatError, Message, MessageRef};
use std::time::Duration;

/// How long it is tried in all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
pub(crate) const TRIES: usize = 5;

/// How long to wait before the same may work; `None` when it will not.
pub(crate) fn wait_after(error: &ChatError, tries: usize) -> Option<Duration> {
    match error {
        ChatError::RateLimited(wait) => Some(*wait),
        ChatError::Unreachable(_) => Some(Duration::from_millis(500 << tries.min(6))),
        ChatError::MayHaveLanded(_) => Some(Duration::from_millis(500)),
        ChatError::Gone(_) | ChatError::Forbidden(_) | ChatError::Rejected(_) => None,
    }
}

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
            ChatError::Gone(_) if at.take().is_some() => Duration::ZERO,
            // Edits are safe to repeat; a post that may be there is not.
            ChatError::MayHaveLanded(why) if at.is_none() => {
                tracing::warn!(why, "it is not known whether a message was posted; it is not sent twice");
                return Ok(());
            }
            other => match wait_after(other, tries) {
                Some(wait) => wait,
                None => return Err(error),
            },
        };
        waited += wait;
        if tries >= TRIES || waited > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}
