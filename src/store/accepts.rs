//! Stores accepted events in groups: whatever has come in while the disk was busy goes into the next
//! commit together, so that one flush serves many events. Each waits until its own commit is done.

use super::inbox::{channel_key, person_key};
use super::{Db, Lane};
use chat::{Accepted, Incoming};
use sqlx::QueryBuilder;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};

/// Events of one commit.
const GROUP: usize = 32;
/// Events that wait for a commit; who comes later waits at the door.
const WAITING: usize = 1_024;

/// How long an event that waits for nobody is left to the process that took it in: over some platforms only that one can answer the
/// request that brought a press.
const OWN_FOR_MS: i64 = 1_500;

/// What came in and waits to be stored.
struct Pending {
    key: String,
    thread: String,
    channel: String,
    person: String,
    lane: Lane,
    event: String,
    received_at_ms: i64,
    done: oneshot::Sender<Result<Accepted, sqlx::Error>>,
}

/// What is handed to the task that commits.
enum Handed {
    Event(Pending),
    /// Somebody who wants to know when everything before this is stored.
    Settled(oneshot::Sender<()>),
}

/// Where events wait for their commit.
#[derive(Clone, Debug)]
pub(super) struct Accepts(mpsc::Sender<Handed>);

impl Accepts {
    /// Starts the task that commits; it ends with the last handle.
    pub fn start(durable: Db, turn: Arc<Mutex<()>>, owner: Arc<str>) -> Self {
        let (sender, mut waiting) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut handed = Vec::with_capacity(GROUP);
            while waiting.recv_many(&mut handed, GROUP).await > 0 {
                let (mut group, mut curious) = (Vec::with_capacity(handed.len()), Vec::new());
                for one in handed.drain(..) {
                    match one {
                        Handed::Event(pending) => group.push(pending),
                        Handed::Settled(tell) => curious.push(tell),
                    }
                }
                if !group.is_empty() {
                    let _turn = turn.lock().await;
                    store(&durable, &owner, group).await;
                }
                for tell in curious {
                    let _ = tell.send(());
                }
            }
        });
        Self(sender)
    }

    /// Stores an event unless it is there already. Once this has begun the event is stored even if
    /// the caller stops waiting.
    pub async fn accept(&self, incoming: &Incoming, thread: String, lane: Lane) -> Result<Accepted, sqlx::Error> {
        let event = serde_json::to_string(incoming).map_err(|e| sqlx::Error::Encode(e.into()))?;
        let (done, stored) = oneshot::channel();
        let pending = Pending {
            key: incoming.dedupe_key(),
            thread,
            channel: channel_key(incoming),
            person: person_key(incoming),
            lane,
            event,
            received_at_ms: incoming.received_at_ms,
            done,
        };
        self.0.send(Handed::Event(pending)).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        stored.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// Returns when every event that was handed in before is stored, or refused.
    pub async fn settled(&self) -> Result<(), sqlx::Error> {
        let (tell, told) = oneshot::channel();
        self.0.send(Handed::Settled(tell)).await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        told.await.map_err(|_| sqlx::Error::WorkerCrashed)
    }
}

/// Stores a group; where that fails each event alone, so that none suffers from another.
async fn store(durable: &Db, owner: &str, mut group: Vec<Pending>) {
    match (insert(durable, owner, &group).await, group.len()) {
        (Ok(mut added), _) => {
            for pending in group {
                // The same event twice in one group: the first one made it.
                let accepted = if added.remove(&pending.key) { Accepted::New } else { Accepted::Duplicate };
                let _ = pending.done.send(Ok(accepted));
            }
        }
        (Err(error), 1) => {
            if let Some(pending) = group.pop() {
                let _ = pending.done.send(Err(error));
            }
        }
        (Err(error), events) => {
            tracing::warn!(events, %error, "a group of events could not be stored together; each is stored alone");
            for pending in group {
                Box::pin(store(durable, owner, vec![pending])).await;
            }
        }
    }
}

/// The keys of those that were not there yet.
async fn insert(durable: &Db, owner: &str, group: &[Pending]) -> Result<HashSet<String>, sqlx::Error> {
    const INSERT: &str =
        "INSERT INTO inbox (dedupe_key, thread_key, channel, person, lane, state, event, received_at_ms, lease_owner, lease_until_ms) ";
    const UNLESS_THERE: &str = " ON CONFLICT (dedupe_key) DO NOTHING RETURNING dedupe_key";
    // Over SQLite there is one process.
    let own = |p: &Pending| match (durable, p.lane) {
        (Db::Pg(_), Lane::Express) => (Some(owner.to_owned()), p.received_at_ms + OWN_FOR_MS),
        _ => (None, 0),
    };
    macro_rules! statement {
        ($cast:literal) => {{
            let mut sql = QueryBuilder::new(INSERT);
            sql.push_values(group, |mut row, p| {
                row.push_bind(&p.key)
                    .push_bind(&p.thread)
                    .push_bind(&p.channel)
                    .push_bind(&p.person)
                    .push_bind(p.lane.as_str())
                    .push("'new'");
                let (owner, until_ms) = own(p);
                row.push_bind(&p.event).push_unseparated($cast).push_bind(p.received_at_ms).push_bind(owner).push_bind(until_ms);
            });
            sql.push(UNLESS_THERE);
            sql
        }};
    }
    let added: Vec<(String,)> = match durable {
        Db::Sqlite(pool) => statement!("").build_query_as().fetch_all(pool).await?,
        Db::Pg(pool) => {
            let mut threads: Vec<&str> = group.iter().map(|p| p.thread.as_str()).collect();
            threads.sort_unstable();
            threads.dedup();
            // Ids are handed out before commits: without these locks a later event of a thread could be seen first.
            const LOCK: &str =
                "SELECT pg_advisory_xact_lock(hashtextextended(t, 0)) FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) ORDER BY n";
            let mut tx = pool.begin().await?;
            sqlx::query(LOCK).bind(threads).execute(&mut *tx).await?;
            let added = statement!("::jsonb").build_query_as().fetch_all(&mut *tx).await?;
            tx.commit().await?;
            added
        }
    };
    Ok(added.into_iter().map(|(key,)| key).collect())
}
