//! Brings a last state out: with patience where a platform asks for it, never twice.

use crate::{Anchor, Chat, ChatError, Message, MessageRef};
use std::time::Duration;

/// How long it is tried in all.
const PATIENCE: Duration = Duration::from_secs(90);
const TRIES: usize = 6;

/// How often something was tried, and how long it was waited for.
#[derive(Default)]
pub(crate) struct Patience {
    tries: usize,
    waited: Duration,
}

impl Patience {
    /// How long to wait before the same may work; `None` when it will not, or has taken too long.
    pub fn after(&mut self, error: &ChatError) -> Option<Duration> {
        self.tries += 1;
        let growing = Duration::from_millis(500 << self.tries.min(6));
        let wait = match error {
            // Some guess how long.
            ChatError::RateLimited(wait) => growing.max(*wait),
            ChatError::Unreachable(_) | ChatError::MayHaveLanded(_) => growing,
            ChatError::Gone(_) | ChatError::Forbidden(_) | ChatError::Rejected(_) => return None,
        };
        self.waited += wait;
        (self.tries < TRIES && self.waited <= PATIENCE).then_some(wait)
    }
}

/// Edits the message at `at`, or posts one when there is none or it is gone; `at` then says where.
///
/// # Errors
/// When the platform refuses it, or asks for more patience than there is.
pub async fn insist(chat: &dyn Chat, anchor: &Anchor, at: &mut Option<MessageRef>, message: &Message) -> Result<(), ChatError> {
    let mut patience = Patience::default();
    loop {
        let shown = match &*at {
            Some(place) => chat.edit(place, message).await,
            None => chat.post(anchor, message).await.map(|place| *at = Some(place)),
        };
        let Err(error) = shown else { return Ok(()) };
        match &error {
            ChatError::Gone(_) if at.take().is_some() => continue,
            // Edits are safe to repeat; a post that may be there is not.
            ChatError::MayHaveLanded(why) if at.is_none() => return not_sent_twice(why),
            _ => match patience.after(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
        }
    }
}

/// Tells one person something alone, with the same patience.
///
/// # Errors
/// When the platform refuses it, or asks for more patience than there is.
pub async fn insist_alone(chat: &dyn Chat, anchor: &Anchor, person: &str, message: &Message) -> Result<(), ChatError> {
    let mut patience = Patience::default();
    loop {
        let Err(error) = chat.whisper(anchor, person, message).await else { return Ok(()) };
        match &error {
            ChatError::MayHaveLanded(why) => return not_sent_twice(why),
            _ => match patience.after(&error) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            },
        }
    }
}

fn not_sent_twice(why: &str) -> Result<(), ChatError> {
    tracing::warn!(why, "it is not known whether a message was posted; it is not sent twice");
    Ok(())
}
