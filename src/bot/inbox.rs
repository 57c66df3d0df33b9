//! The door: stores what the adapters bring, then wakes the conversation.

use super::commands;
use crate::access::{Access, Verdict, code_in};
use crate::store::{Lane, Store};
use async_trait::async_trait;
use chat::{Accepted, Addressed, Inbox, InboxError, Incoming, What};
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Where adapters hand in events.
pub struct Door {
    store: Store,
    access: Access,
    wake: Arc<Notify>,
    /// Whether messages without a mention are heard in threads that the bot takes part in.
    follow_ups: bool,
}

impl Door {
    /// A door to this store that rings `wake`.
    pub fn new(store: Store, access: Access, wake: Arc<Notify>, follow_ups: bool) -> Self {
        Self { store, access, wake, follow_ups }
    }

    /// Whether an event is served: of people who are not let in only the code of an invitation.
    async fn lets_in(&self, event: &Incoming) -> Result<bool, InboxError> {
        let verdict = self.access.at_the_door(event).await.map_err(|e| InboxError(Box::new(e)))?;
        let invited = matches!(&event.what, What::Text { text } | What::Command { text } if code_in(text).is_some());
        Ok(verdict != Verdict::No || invited)
    }
}

/// Where an event waits: behind the others of its thread, or beside them.
pub(super) fn lane(what: &What) -> Lane {
    match what {
        What::Press { .. } | What::Filled { .. } | What::Home | What::Opened | What::Link { .. } | What::Left | What::Moved { .. } => {
            Lane::Express
        }
        What::Text { text } | What::Command { text } if commands::is_express(text) => Lane::Express,
        What::Text { .. } | What::Command { .. } => Lane::Queue,
    }
}

#[async_trait]
impl Inbox for Door {
    async fn accept(&self, event: Incoming) -> Result<Accepted, InboxError> {
        if event.addressed == Addressed::FollowUp && !self.follow_ups {
            return Ok(Accepted::Ignored);
        }
        if !self.lets_in(&event).await? {
            metrics::counter!("chatsheet_turned_away_total", "platform" => event.thread.platform.to_string()).increment(1);
            let access = self.access.clone();
            tokio::spawn(async move { access.turn_away(&event).await });
            return Ok(Accepted::Ignored);
        }
        let (lane, platform, began) = (lane(&event.what), event.thread.platform.to_string(), Instant::now());
        // The insert goes on when the caller gives up waiting: the event then runs once, from the inbox.
        let (store, wake) = (self.store.clone(), self.wake.clone());
        let stored = tokio::spawn(async move {
            let accepted = store.accept(&event, lane).await;
            if matches!(accepted, Ok(Accepted::New)) {
                wake.notify_one();
            }
            accepted
        });
        let accepted = stored.await.map_err(|e| InboxError(Box::new(e)))?.map_err(|e| InboxError(Box::new(e)))?;
        metrics::histogram!("chatsheet_accept_duration_seconds", "platform" => platform).record(began.elapsed().as_secs_f64());
        let result = if accepted == Accepted::New { "new" } else { "duplicate" };
        metrics::counter!("chatsheet_events_total", "result" => result).increment(1);
        Ok(accepted)
    }
}
