//! Takes in what came, whichever way: an acknowledgement means that it is stored.

use crate::Slack;
use crate::event::{Parsed, Place, Revoked, with_agent};
use chat::{Inbox, Incoming};
use std::time::Duration;

/// It is not stored; Slack has to deliver it again.
pub(crate) struct NotStored;

impl Slack {
    /// Stores what came, within this time.
    pub(crate) async fn take(&self, inbox: &dyn Inbox, parsed: Parsed, within: Duration) -> Result<(), NotStored> {
        if let Parsed::Command(event, way) = &parsed
            && let Some(place) = Place::read(&event.anchor)
        {
            self.remember_way(&place, &event.sender.id, way).await;
        }
        let (about, stored) = match parsed {
            Parsed::Challenge(_) | Parsed::Nothing => return Ok(()),
            Parsed::Event(event) | Parsed::Command(event, _) => {
                let about = format!("{} in {}", event.delivery_id, event.thread.storage_key());
                (about, tokio::time::timeout(within, self.accept(inbox, *event)).await)
            }
            Parsed::Revoked(revoked) => {
                (format!("the end of {}", revoked.install), tokio::time::timeout(within, self.revoke(inbox, *revoked)).await)
            }
        };
        match stored {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(error, about, "an event could not be stored; slack will deliver it again");
                Err(NotStored)
            }
            Err(_) => {
                tracing::warn!(about, "storing an event took too long; slack will deliver it again");
                Err(NotStored)
            }
        }
    }

    async fn accept(&self, inbox: &dyn Inbox, event: Incoming) -> Result<(), String> {
        let install = &event.thread.install;
        if !self.tokens.serves(install).await.map_err(|e| e.to_string())? {
            tracing::info!(install, "an event was left out: the app is not installed there any more");
            return Ok(());
        }
        let direct = Place::read(&event.anchor).filter(|place| place.is_dm() && place.home_of.is_none());
        let event = match direct {
            Some(place) if self.is_agent(&place).await => with_agent(event, place),
            _ => event,
        };
        inbox.accept(event).await.map(drop).map_err(|e| e.to_string())
    }

    /// Threads of an app that was removed are given up before its token is, so that both happen if this breaks off in between.
    async fn revoke(&self, inbox: &dyn Inbox, revoked: Revoked) -> Result<(), String> {
        let Revoked { install, at_ms, left } = revoked;
        if let Some(left) = left {
            inbox.accept(left).await.map_err(|e| e.to_string())?;
        }
        // Slack tells the time to the second; an app that was installed anew since then keeps its token.
        self.tokens.forget(&install, at_ms + 1_000).await.map_err(|e| e.to_string())
    }
}
