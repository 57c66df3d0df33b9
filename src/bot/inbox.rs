//! The door: stores what the adapters bring, then wakes the conversation.

use super::commands::Command;
use super::line::Wake;
use super::speech::SmallTalk;
use super::{commands, speech};
use crate::access::{Access, Verdict, code_in};
use crate::store::{Amended, Lane, Store};
use async_trait::async_trait;
use chat::{Accepted, Addressed, Inbox, InboxError, Incoming, What};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a platform is asked who somebody is, before their event is kept. Platforms wait three seconds for an answer.
const ASKED_FOR: Duration = Duration::from_secs(1);

/// Where adapters hand in events.
pub struct Door {
    store: Store,
    access: Access,
    wake: Arc<Wake>,
    /// Whether messages without a mention are heard in threads that the bot takes part in.
    follow_ups: bool,
}

impl Door {
    /// A door to this store that rings `wake`.
    pub fn new(store: Store, access: Access, wake: Arc<Wake>, follow_ups: bool) -> Self {
        Self { store, access, wake, follow_ups }
    }

    /// Whether an event is served: of people who are not let in only the code of an invitation.
    async fn lets_in(&self, event: &Incoming) -> Result<bool, InboxError> {
        let mut verdict = self.access.at_the_door(event).await.map_err(|e| InboxError(Box::new(e)))?;
        // Of whom the event does not tell enough the platform is asked, before a word of theirs is kept. Where it does not answer soon,
        // it is asked again before they are served.
        if verdict == Verdict::Ask
            && let Ok(Ok(None)) = tokio::time::timeout(ASKED_FOR, self.access.role(event)).await
        {
            verdict = Verdict::No;
        }
        let invited = matches!(&event.what, What::Text { text } | What::Command { text } if code_in(text).is_some());
        Ok(verdict != Verdict::No || invited)
    }
}

/// Where an event waits: behind the others of its thread, or beside them.
pub(super) fn lane(incoming: &Incoming) -> Lane {
    match &incoming.what {
        What::Press { .. }
        | What::Filled { .. }
        | What::Home
        | What::Opened
        | What::Added
        | What::Link { .. }
        | What::Left
        | What::Moved { .. } => Lane::Express,
        What::Text { .. } | What::Command { .. } if commands::is_express(incoming) => Lane::Express,
        What::Text { .. } | What::Command { .. } => Lane::Queue,
    }
}

/// Whether it is a question for the model, which takes its time; short words are done at once.
fn is_asked(what: &What) -> bool {
    matches!(what, What::Text { text } if !text.trim().is_empty())
}

/// Whether what is said in a thread, to nobody in particular, wants no answer: thanks, greetings, signs without words.
fn is_for_nobody(what: &What) -> bool {
    let What::Text { text } = what else { return false };
    speech::is_wordless(text) || matches!(commands::parse(text), Some(Command::SmallTalk(SmallTalk::Hello | SmallTalk::Thanks)))
}

#[async_trait]
impl Inbox for Door {
    async fn accept(&self, event: Incoming) -> Result<Accepted, InboxError> {
        if event.addressed == Addressed::FollowUp && (!self.follow_ups || is_for_nobody(&event.what)) {
            return Ok(Accepted::Ignored);
        }
        if !self.lets_in(&event).await? {
            metrics::counter!("chatsheet_turned_away_total", "platform" => event.thread.platform.to_string()).increment(1);
            let access = self.access.clone();
            tokio::spawn(async move { access.turn_away(&event).await });
            return Ok(Accepted::Ignored);
        }
        if event.amends {
            return self.amend(event).await;
        }
        self.keep(event).await
    }
}

impl Door {
    /// Takes in the new words of a message: in the place of the old ones, or anew where those came to nothing.
    async fn amend(&self, event: Incoming) -> Result<Accepted, InboxError> {
        let event = Incoming { amends: false, ..event };
        match self.store.amend(&event).await.map_err(|e| InboxError(Box::new(e)))? {
            Amended::InTime => Ok(Accepted::Duplicate),
            Amended::TooLate => Ok(Accepted::Ignored),
            // What was not for the bot becomes so by a mention.
            Amended::Unknown if event.addressed == Addressed::FollowUp => Ok(Accepted::Ignored),
            Amended::Unknown => self.keep(event).await,
            // What is being answered is no longer what they ask: that ends, and the new words take its place.
            Amended::Running { .. } if !is_asked(&event.what) => Ok(Accepted::Ignored),
            Amended::Running { event: answered, anew } => {
                let thread = event.thread.storage_key();
                self.store.request_stop(&thread, event.received_at_ms).await.map_err(|e| InboxError(Box::new(e)))?;
                self.wake.stop(answered);
                self.keep(Incoming { dedupe_id: anew, ..event }).await
            }
            Amended::Failed { anew } => self.keep(Incoming { dedupe_id: anew, ..event }).await,
        }
    }

    async fn keep(&self, event: Incoming) -> Result<Accepted, InboxError> {
        let (lane, platform, began) = (lane(&event), event.thread.platform.to_string(), Instant::now());
        // The insert goes on when the caller gives up waiting: the event then runs once, from the inbox.
        let (store, wake) = (self.store.clone(), self.wake.clone());
        let stored = tokio::spawn(async move {
            let accepted = store.accept(&event, lane).await;
            if matches!(accepted, Ok(Accepted::New)) {
                wake.ring(lane);
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
