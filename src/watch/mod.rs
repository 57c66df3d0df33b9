//! Sheets that others change: webhooks and what they say, polling where there are none, and what has changed for
//! whoever watches.

mod callback;
mod difference;
mod webhooks;

pub use callback::Answer;
pub use webhooks::PURPOSE as WEBHOOK_PURPOSE;

use crate::clock::Clock;
use crate::error::{Result, Trouble};
use crate::events::{Event, Events, SheetEvent, Writer};
use crate::sheet::{SheetId, Sheets, Snapshot};
use crate::smartsheet::Identity;
use crate::store::Store;
use crate::vault::Vault;
use moka::future::Cache;
use secrecy::SecretString;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How often webhooks are looked after.
const LOOK: Duration = Duration::from_secs(5);
/// How often a sheet that somebody watches is asked for its version.
const POLL: Duration = Duration::from_secs(15);
/// Changes that come in quick succession are told together.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long a callback is remembered, so that the same one does nothing when it comes again.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What this room needs.
pub struct Parts {
    /// Which webhooks there are.
    pub store: Store,
    /// Sheets, and through them Smartsheet.
    pub sheets: Sheets,
    /// Seals their secrets.
    pub vault: Vault,
    /// Where changes are told.
    pub events: Events,
    /// The time.
    pub clock: Clock,
    /// The address that Smartsheet calls; none when it cannot reach us.
    pub callback: Option<Url>,
    /// Secret of webhooks that were made by hand.
    pub hand_made: Option<SecretString>,
}

/// Watches sheets.
pub struct Watch {
    parts: Parts,
    watched: Mutex<HashMap<i64, Watched>>,
    seen: Cache<String, ()>,
}

/// A sheet that somebody watches.
struct Watched {
    /// On whose behalf, once for each who watches.
    watchers: Vec<Identity>,
    /// As it was told last.
    told: Option<Arc<Snapshot>>,
    /// It could not be read when it had changed.
    behind: bool,
}

impl Watched {
    /// On whose behalf the sheet is read: of the installation, if anybody watches so.
    fn reader(&self) -> Option<Identity> {
        self.watchers.iter().find(|w| **w == Identity::Service).or(self.watchers.first()).cloned()
    }
}

/// As long as this lives, the sheet is watched.
pub struct Held {
    watch: Arc<Watch>,
    identity: Identity,
    sheet: SheetId,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut watched = self.watch.watched();
        if let Some(entry) = watched.get_mut(&self.sheet.0) {
            if let Some(own) = entry.watchers.iter().position(|w| *w == self.identity) {
                entry.watchers.swap_remove(own);
            }
            if entry.watchers.is_empty() {
                watched.remove(&self.sheet.0);
            }
        }
    }
}

impl Watch {
    /// Watches sheets over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let seen = Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build();
        Arc::new(Self { parts, watched: Mutex::default(), seen })
    }

    /// Looks after webhooks, polls what is watched, and tells what has changed, until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let tell = self.clone().tell_changes(self.parts.events.listen());
        let look = async {
            loop {
                if let Err(error) = self.look_after_webhooks().await {
                    tracing::error!(%error, "webhooks could not be looked after");
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let poll = async {
            loop {
                tokio::time::sleep(POLL).await;
                self.poll().await;
            }
        };
        tokio::select! {
            () = tell => {}
            () = look => {}
            () = poll => {}
            () = stop.cancelled() => {}
        }
    }

    /// Watches a sheet on somebody's behalf, from the version that is returned on.
    ///
    /// # Errors
    /// What people are told when the sheet cannot be read.
    pub async fn hold(self: &Arc<Self>, identity: Identity, sheet: SheetId) -> Result<(Held, Arc<Snapshot>)> {
        // Who watches asks again and again; changes are told or found by polling all the same.
        let snapshot = self.parts.sheets.within(&identity, sheet, POLL).await?;
        let news = {
            let mut watched = self.watched();
            let entry = watched.entry(sheet.0).or_insert(Watched { watchers: Vec::new(), told: None, behind: false });
            entry.watchers.push(identity.clone());
            entry.told.get_or_insert_with(|| snapshot.clone()).version < snapshot.version
        };
        let held = Held { watch: self.clone(), identity, sheet };
        if news {
            // Whoever watches already hears of it now, and not when Smartsheet calls or the sheet is asked for.
            self.told(sheet, Writer::Others).await;
        }
        Ok((held, snapshot))
    }

    /// Whether a sheet can still be read on somebody's behalf; as long as that cannot be asked, it can.
    pub async fn sees(&self, identity: &Identity, sheet: SheetId) -> bool {
        !matches!(self.parts.sheets.within(identity, sheet, POLL).await, Err(Trouble::Told(_)))
    }

    /// Whether changes of a sheet are told by a webhook, and not only found by asking.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_webhook(&self, sheet: SheetId) -> Result<bool> {
        Ok(self.parts.store.webhook_of_sheet(sheet).await?.is_some_and(|w| w.status == webhooks::ENABLED))
    }

    /// Asks for watched sheets, also for those that have a webhook: Smartsheet collects changes for a minute before it calls.
    async fn poll(&self) {
        let sheets: Vec<i64> = self.watched().keys().copied().collect();
        for sheet in sheets.into_iter().map(SheetId) {
            self.told(sheet, Writer::Others).await;
        }
    }

    async fn tell_changes(self: Arc<Self>, mut events: tokio::sync::broadcast::Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(Event::Touched { sheet, by }) if self.watched().contains_key(&sheet) => {
                    tokio::time::sleep(TOGETHER).await;
                    self.told(SheetId(sheet), by).await;
                }
                Ok(Event::Missed) | Err(RecvError::Lagged(_)) => {
                    self.watched().values_mut().for_each(|w| w.behind = true);
                    self.poll().await;
                }
                Ok(_) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Reads a watched sheet, and tells what has changed since it was told last.
    async fn told(&self, sheet: SheetId, by: Writer) {
        let Some(reader) = self.watched().get(&sheet.0).and_then(Watched::reader) else { return };
        let now = match self.parts.sheets.snapshot(&reader, sheet).await {
            Ok(now) => now,
            Err(error) => {
                tracing::warn!(%sheet, %error, "a watched sheet could not be read; it is tried again");
                if let Some(entry) = self.watched().get_mut(&sheet.0) {
                    entry.behind = true;
                }
                return;
            }
        };
        let before = self.watched().get_mut(&sheet.0).and_then(|w| {
            w.behind = false;
            // Others may have told a newer one meanwhile.
            if w.told.as_ref().is_some_and(|told| told.version >= now.version) { None } else { w.told.replace(now.clone()) }
        });
        let Some(before) = before else { return };
        let update = Arc::new(difference::between(&before, &now, by));
        self.parts.events.tell(Event::Sheet(SheetEvent { sheet: sheet.0, version: now.version, update }));
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<i64, Watched>> {
        self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
