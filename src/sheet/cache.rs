//! Snapshots by identity and sheet: fetched once per version, bounded by bytes.

use super::SheetId;
use super::build::Builder;
use super::snapshot::Snapshot;
use super::trouble::smartsheet_trouble;
use super::value::Author;
use crate::clock::Clock;
use crate::error::{Result, Trouble};
use crate::events::{Event, Events, Writer};
use crate::locality::{Locality, Told};
use crate::smartsheet::{AddedColumn, Client, Identity};
use jiff::tz::TimeZone;
use moka::future::Cache;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::time::Instant;

/// A snapshot that was checked this recently is not checked again while a question is answered.
const FRESH: Duration = Duration::from_secs(1);
/// Sheets that are read at the same time; each may take some hundred megabytes on the wire.
const READ_AT_ONCE: usize = 2;

/// How long a snapshot is kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(3600);
/// Sheets that are remembered as being read or changed, before those that are not any more are forgotten.
const REMEMBERED: usize = 1_000;

/// How long it is remembered where the people of an account are.
const SETTLED: Duration = Duration::from_secs(6 * 3600);
/// How long it is remembered whom an account knows.
const ACQUAINTED: Duration = Duration::from_secs(600);

type Key = (Identity, i64);

/// All sheets of this process. Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct Sheets {
    client: Client,
    clock: Clock,
    events: Events,
    cache: Cache<Key, Entry>,
    loading: Arc<Mutex<HashMap<Key, Arc<AsyncMutex<()>>>>>,
    /// When a sheet was last known to have changed; each identity has its own snapshot of it.
    changed_at: Arc<Mutex<HashMap<i64, Instant>>>,
    reading: Arc<Semaphore>,
    /// Where people are of whom nothing else is known.
    usual: Told,
    accounts: Cache<Identity, Told>,
    contacts: Cache<Identity, Arc<Vec<(String, String)>>>,
}

#[derive(Clone)]
struct Entry {
    snapshot: Arc<Snapshot>,
    /// Before the sheet was asked for, and when its answer was there.
    asked_at: Instant,
    checked_at: Instant,
}

impl Sheets {
    /// An empty cache that holds at most `max_bytes` of snapshots.
    pub fn new(client: Client, clock: Clock, events: Events, max_bytes: u64) -> Self {
        let weigh = |_: &Key, entry: &Entry| u32::try_from(entry.snapshot.size_bytes).unwrap_or(u32::MAX);
        let cache = Cache::builder().weigher(weigh).max_capacity(max_bytes).time_to_idle(IDLE).build();
        Self {
            client,
            clock,
            events,
            cache,
            loading: Arc::default(),
            changed_at: Arc::default(),
            reading: Arc::new(Semaphore::new(READ_AT_ONCE)),
            usual: Told::default(),
            accounts: Cache::builder().max_capacity(REMEMBERED as u64).time_to_live(SETTLED).build(),
            contacts: Cache::builder().max_capacity(REMEMBERED as u64).time_to_live(ACQUAINTED).build(),
        }
    }

    /// The same sheets for people who are here unless their account or platform says otherwise.
    #[must_use]
    pub fn with_usual(self, usual: Told) -> Self {
        Self { usual, ..self }
    }

    /// Where the person behind an identity is, as their Smartsheet account tells; what it does not tell is as usual.
    pub async fn told(&self, identity: &Identity) -> Told {
        let ask = async {
            let user = self.client.me(identity).await?;
            Ok::<_, crate::smartsheet::Error>(Told::read(user.time_zone.as_deref(), user.locale.as_deref()))
        };
        let of_account = Box::pin(self.accounts.try_get_with(identity.clone(), ask)).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "it is not known where the account is");
            Told::default()
        });
        // The account of the installation is nobody's who asks: the settings know better where they are.
        match identity {
            Identity::Service => self.usual.clone().or(of_account),
            Identity::Person(_) => of_account.or(self.usual.clone()),
        }
    }

    /// Somebody who asks on behalf of this identity, at this moment. What their platform told goes first.
    pub async fn locality(&self, identity: &Identity, of_platform: Told) -> Locality {
        of_platform.or(self.told(identity).await).at(&self.clock)
    }

    /// Somebody who writes to these columns of a sheet. Whom their account knows is asked for only where people are written.
    pub async fn author(&self, identity: &Identity, locality: Locality, snapshot: &Snapshot, columns: &[&str]) -> Author {
        let of_people = |name: &&str| snapshot.column(name).is_some_and(|(_, column)| column.is_contact());
        let people = if columns.iter().any(of_people) { self.contacts(identity).await.to_vec() } else { Vec::new() };
        Author { locality, people }
    }

    /// Addresses and names of whom an account knows; nobody where it does not let itself be asked.
    async fn contacts(&self, identity: &Identity) -> Arc<Vec<(String, String)>> {
        let ask = async {
            self.client.contacts(identity).await.map(Arc::new).unwrap_or_else(|error| {
                tracing::debug!(%error, "it is not known whom the account knows");
                Arc::default()
            })
        };
        self.contacts.get_with(identity.clone(), ask).await
    }

    /// The same sheets for work that can wait.
    pub fn for_jobs(&self) -> Self {
        Self { client: self.client.for_jobs(), ..self.clone() }
    }

    /// The client that the snapshots come through.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The sheet as it was read last, however long ago that is: for texts and names, never for comparing.
    ///
    /// # Errors
    /// What people are told when the sheet cannot be read.
    pub async fn known(&self, identity: &Identity, sheet: SheetId) -> Result<Arc<Snapshot>> {
        match self.cache.get(&(identity.clone(), sheet.0)).await {
            Some(entry) => Ok(entry.snapshot),
            None => self.snapshot(identity, sheet).await,
        }
    }

    /// The sheet as it is, at most a second old.
    ///
    /// # Errors
    /// What people are told when the sheet cannot be read.
    pub async fn snapshot(&self, identity: &Identity, sheet: SheetId) -> Result<Arc<Snapshot>> {
        self.load(identity, sheet, FRESH).await
    }

    /// The sheet as it was at most this long ago, and not before it is known to have changed: for whoever is told of changes anyway.
    ///
    /// # Errors
    /// What people are told when the sheet cannot be read.
    pub async fn within(&self, identity: &Identity, sheet: SheetId, age: Duration) -> Result<Arc<Snapshot>> {
        self.load(identity, sheet, age).await
    }

    /// The sheet as it is now, whatever was known: before something is written.
    ///
    /// # Errors
    /// What people are told when the sheet cannot be read.
    pub async fn current(&self, identity: &Identity, sheet: SheetId) -> Result<Arc<Snapshot>> {
        self.load(identity, sheet, Duration::ZERO).await
    }

    /// The sheet after nothing but a new column was made, as the version in the answer shows; `None` when it has to be read anew.
    pub async fn widened(&self, identity: &Identity, before: &Snapshot, added: AddedColumn) -> Option<Arc<Snapshot>> {
        let snapshot = Arc::new(before.widened(added)?);
        let now = Instant::now();
        let entry = Entry { snapshot: snapshot.clone(), asked_at: now, checked_at: now };
        self.cache.insert((identity.clone(), before.id), entry).await;
        Some(snapshot)
    }

    /// A sheet was changed, by us or by others: what is known of it is checked before it is used again.
    pub fn changed(&self, sheet: SheetId, by: Writer) {
        self.doubt(sheet.0);
        self.events.tell(Event::Touched { sheet: sheet.0, by });
    }

    /// The same for what another process has told.
    pub fn changed_elsewhere(&self, sheet: SheetId, by: Writer) {
        self.doubt(sheet.0);
        self.events.pass_on(Event::Touched { sheet: sheet.0, by });
    }

    /// Every sheet may have been changed.
    pub fn doubt_all(&self) {
        for (key, _) in &self.cache {
            self.doubt(key.1);
        }
    }

    fn doubt(&self, sheet: i64) {
        let mut changed_at = self.changed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if changed_at.len() > REMEMBERED {
            changed_at.retain(|_, at| at.elapsed() < IDLE * 2);
        }
        changed_at.insert(sheet, Instant::now());
    }

    async fn load(&self, identity: &Identity, sheet: SheetId, fresh: Duration) -> Result<Arc<Snapshot>> {
        let key = (identity.clone(), sheet.0);
        let lock = {
            let mut loading = self.loading.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if loading.len() > REMEMBERED {
                loading.retain(|_, lock| Arc::strong_count(lock) > 1);
            }
            loading.entry(key.clone()).or_default().clone()
        };
        let _one_at_a_time = lock.lock().await;
        let known = self.cache.get(&key).await;
        let changed_at = self.changed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(&sheet.0).copied();
        let holds = |e: &&Entry| e.checked_at.elapsed() < fresh && changed_at.is_none_or(|at| e.asked_at > at);
        if let Some(entry) = known.as_ref().filter(holds) {
            return Ok(entry.snapshot.clone());
        }
        let asked_at = Instant::now();
        let version = known.as_ref().map(|e| e.snapshot.version);
        let _slot = self.reading.acquire().await.map_err(|e| Trouble::Logged(e.into()))?;
        let read = self.client.sheet(identity, sheet.0, version, Builder::default).await;
        let snapshot = match (read, known) {
            (Ok(None), Some(entry)) => entry.snapshot,
            (Ok(Some((header, builder))), _) => {
                let read_at = self.clock.now();
                let zone = self.told(identity).await.zone.unwrap_or(TimeZone::UTC);
                let build = tokio::task::spawn_blocking(move || builder.finish(header, read_at, zone));
                Arc::new(build.await.map_err(|e| Trouble::Logged(e.into()))?)
            }
            (Ok(None), None) => {
                return Err(Trouble::Logged(anyhow::anyhow!("smartsheet answered 'unchanged' for a sheet that was never read")));
            }
            (Err(error), _) => {
                self.cache.invalidate(&key).await;
                return Err(smartsheet_trouble(error));
            }
        };
        self.cache.insert(key, Entry { snapshot: snapshot.clone(), asked_at, checked_at: Instant::now() }).await;
        Ok(snapshot)
    }
}
