//! Threads of the web, and events in them: what a key says or approves goes through the same door as everywhere else.

use super::Api;
use super::auth::Caller;
use super::extract::Whence;
use super::problem::{Problem, Result};
use crate::events::Event;
use crate::server::web::Web;
use crate::sheet::SheetId;
use crate::store::{Place, Session, Thread};
use axum::http::StatusCode;
use chat::{Addressed, Anchor, Inbox, Incoming, Sender, ThreadKey, What};
use std::time::Duration;
use tokio::time::Instant;

/// How long a request waits for what it has caused; then it is told how to look again.
const PATIENCE: Duration = Duration::from_secs(25);
/// How often it is looked whether another process has served an event.
const LOOK: Duration = Duration::from_secs(1);
/// How much later than its end it is heard what somebody was told.
const HEARD: Duration = Duration::from_millis(250);

/// How an event was served.
#[derive(Default)]
pub(in crate::server) struct Served {
    /// Whether it was, in time.
    pub done: bool,
    /// What its person was told, where it could not be done.
    pub told: Option<String>,
}

impl Api {
    /// A session of this key, and its thread.
    pub(super) async fn session(&self, caller: &Caller, id: &str) -> Result<(Session, Thread)> {
        let found = self.parts.store.web_session(id, caller.id()).await?;
        found.ok_or_else(|| Problem::not_found("session"))
    }

    /// The session in which a key changes a sheet without a conversation.
    pub(in crate::server) async fn session_of_sheet(&self, caller: &Caller, sheet: SheetId, name: &str) -> Result<(Session, ThreadKey)> {
        let thread = Web::thread(caller.install(), &format!("sheet-{sheet}"));
        let bound = self.parts.store.bind_sheet(&thread, &Web::anchor(&thread), sheet, name, self.parts.clock.now()).await?;
        Ok((bound, thread))
    }

    /// Where a job of this key belongs.
    pub(super) fn place(&self, caller: &Caller, session: &Session, thread: &ThreadKey) -> Place {
        Place {
            session_id: session.id.clone(),
            thread_key: thread.storage_key(),
            anchor: Web::anchor(thread),
            asker: caller.id().to_owned(),
            identity: caller.identity().stored(),
            sheet: session.sheet,
        }
    }

    /// Brings an event of the web in and waits until it was served.
    pub(in crate::server) async fn happen(&self, caller: &Caller, thread: &ThreadKey, name: &str, what: What) -> Result<bool> {
        Ok(self.happen_at(caller, Whence::default(), thread, &Web::anchor(thread), name, what).await?.done)
    }

    /// Brings an event in and waits until it was served, no longer than a request may.
    pub(in crate::server) async fn happen_at(
        &self,
        caller: &Caller,
        whence: Whence,
        thread: &ThreadKey,
        anchor: &Anchor,
        name: &str,
        what: What,
    ) -> Result<Served> {
        let incoming = Incoming {
            delivery_id: name.to_owned(),
            dedupe_id: name.to_owned(),
            thread: thread.clone(),
            anchor: anchor.clone(),
            sender: Sender {
                id: caller.id().to_owned(),
                name: Some(caller.name().to_owned()),
                time_zone: whence.zone,
                locale: whence.language,
                ..Sender::default()
            },
            addressed: Addressed::Dm,
            what,
            beside: Vec::new(),
            mentions: Vec::new(),
            amends: false,
            received_at_ms: self.parts.clock.now_ms(),
        };
        let dedupe_key = incoming.dedupe_key();
        let mut events = self.parts.events.listen();
        self.parts.door.accept(incoming).await.map_err(|e| {
            tracing::error!(error = %e, "an event of the API could not be stored");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try_later", "It could not be stored. Please try again.").after(LOOK)
        })?;
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let done = self.parts.store.was_served(&dedupe_key).await?;
            // What was told is heard a moment after it is noted that the event was served.
            let look = Instant::now() + if done { HEARD } else { LOOK };
            let served = async {
                loop {
                    match events.recv().await {
                        Ok(Event::Served { event, told }) if *event == *dedupe_key => return told,
                        Ok(_) => {}
                        Err(_) => return std::future::pending().await,
                    }
                }
            };
            if let Ok(told) = tokio::time::timeout_at(look, served).await {
                return Ok(Served { done: true, told });
            }
            if done {
                return Ok(Served { done, told: None });
            }
        }
        Ok(Served::default())
    }
}
