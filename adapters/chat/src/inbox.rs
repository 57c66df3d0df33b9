//! The door for events: durable acceptance, exactly once per event.

use crate::Incoming;
use async_trait::async_trait;

/// Whether an event was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Stored now; it will be handled.
    New,
    /// An earlier delivery of the same event is stored already; nothing was added.
    Duplicate,
    /// Not for the bot (a message in a thread it takes no part in); nothing was stored.
    Ignored,
}

/// Why an event could not be stored. The platform must be told to deliver it again.
#[derive(Debug, thiserror::Error)]
#[error("the event could not be stored: {0}")]
pub struct InboxError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Takes events from the adapters.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Returns when the event is on disk. Only then may the platform be answered.
    ///
    /// # Errors
    /// [`InboxError`] when the store refuses or cannot be reached; nothing was accepted.
    async fn accept(&self, event: Incoming) -> Result<Accepted, InboxError>;
}
