//! The durable queue of events: accepted once, one at a time per thread, in order, leased.
//!
//! An event of the `queue` lane may be taken when no earlier event of its thread is unfinished: the
//! head of the line is the lock. Events of the `express` lane (buttons, stop, help) wait for nobody.
//!
//! Served events stay for days, and what waits is few: statements about what waits say `state IN ('new', 'taken')` beside the state that they
//! mean, because SQLite uses a partial index only where a statement repeats its condition.

use super::{Db, Store, on, on_durable, on_write};
use chat::{Accepted, Addressed, Incoming, MessageRef, ThreadKey, What};
use sqlx::types::Json;

/// How an event is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// One after the other in its thread.
    Queue,
    /// At once.
    Express,
}

impl Lane {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Express => "express",
        }
    }
}

/// Which events may be taken from the line.
#[derive(Clone, Debug)]
pub enum Take {
    /// Those that wait for nobody.
    Express,
    /// All but those of channels and people (see [`channel_key`] and [`person_key`]) that have their share already.
    AllBut {
        /// Channels that have their share.
        channels: Vec<String>,
        /// People who have theirs.
        people: Vec<String>,
    },
}

impl Take {
    /// Everything.
    pub const ALL: Self = Self::AllBut { channels: Vec::new(), people: Vec::new() };
}

/// What an event waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The answer before it in its thread.
    ForItsThread,
    /// Anybody's answer: all turns are taken.
    ForAPlace,
}

/// The channel or chat of an event, unique among all platforms.
pub fn channel_key(event: &Incoming) -> String {
    ThreadKey { root: None, ..event.thread.clone() }.storage_key()
}

/// Whoever caused an event, unique among all platforms.
pub fn person_key(event: &Incoming) -> String {
    format!("{}|{}", event.thread.install_key(), event.sender.id)
}

/// What became of the new words of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amended {
    /// They are served in the place of the old ones, or are known already.
    InTime,
    /// The old ones were not for the bot.
    Unknown,
    /// The old ones could not be answered.
    Failed {
        /// Under which id the new ones are kept.
        anew: String,
    },
    /// The old ones are being answered.
    Running {
        /// The event that is being answered.
        event: i64,
        /// Under which id the new ones are kept.
        anew: String,
    },
    /// The old ones were answered.
    TooLate,
}

/// The id of a question that is asked once more, now that its sheet is known.
pub fn asked_again(dedupe_id: &str) -> String {
    format!("{dedupe_id}:again")
}

/// The id of a question that is asked in other words.
fn reworded(dedupe_id: &str) -> String {
    format!("{dedupe_id}:reworded")
}

/// An event that this process holds the lease of.
#[derive(Clone, Debug)]
pub struct Event {
    /// Position in the inbox.
    pub id: i64,
    /// Grows with every lease; writes with an old one are refused.
    pub fence: i64,
    /// How often it was taken.
    pub attempts: i64,
    /// What came in.
    pub incoming: Incoming,
    /// The message that the answer goes into, once it was posted.
    pub reply: Option<MessageRef>,
}

type Row = (i64, i64, i64, Json<Incoming>, Option<Json<MessageRef>>);

const COLUMNS: &str = "id, fence, attempts, event, reply";

fn event((id, fence, attempts, Json(incoming), reply): Row) -> Event {
    Event { id, fence, attempts, incoming, reply: reply.map(|Json(r)| r) }
}

impl Store {
    /// Stores an event unless it is there already. Follow-ups without mention are stored only in
    /// threads that the bot takes part in.
    ///
    /// # Errors
    /// When the database fails; nothing was stored.
    pub async fn accept(&self, incoming: &Incoming, lane: Lane) -> Result<Accepted, sqlx::Error> {
        let thread = incoming.thread.storage_key();
        if incoming.addressed == Addressed::FollowUp && !self.takes_part(&thread).await? {
            // The mention that opens the thread may still wait for its commit.
            self.accepts.settled().await?;
            if !self.takes_part(&thread).await? {
                return Ok(Accepted::Ignored);
            }
        }
        self.accepts.accept(incoming, thread, lane).await
    }

    /// Puts the new words of a message in the place of the last ones, as long as these still wait: to be served, or for a sheet.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn amend(&self, incoming: &Incoming) -> Result<Amended, sqlx::Error> {
        const SET: &str = "UPDATE inbox SET event = $2 WHERE dedupe_key = $1 AND state = 'new'";
        self.accepts.settled().await?;
        let Some((event, state, last)) = self.last_wording(incoming).await? else { return Ok(Amended::Unknown) };
        if last.what == incoming.what {
            return Ok(Amended::InTime);
        }
        let latest = Incoming { dedupe_id: last.dedupe_id, ..incoming.clone() };
        let key = latest.dedupe_key();
        let replaced = on_write!(self, pool => sqlx::query(SET).bind(&key).bind(Json(&latest)).execute(pool).await?.rows_affected());
        if replaced > 0 {
            return Ok(Amended::InTime);
        }
        if self.reword_question(&latest).await? {
            return Ok(Amended::InTime);
        }
        let anew = reworded(&latest.dedupe_id);
        Ok(match state.as_str() {
            "failed" => Amended::Failed { anew },
            "taken" => Amended::Running { event, anew },
            _ => Amended::TooLate,
        })
    }

    /// The newest event that was made from a message: its place in the inbox, its state, and what was kept.
    async fn last_wording(&self, incoming: &Incoming) -> Result<Option<(i64, String, Incoming)>, sqlx::Error> {
        const FIND: &str = "SELECT id, state, event FROM inbox WHERE dedupe_key IN ($1, $2) ORDER BY id DESC LIMIT 1";
        let of = |dedupe_id: String| Incoming { dedupe_id, ..incoming.clone() }.dedupe_key();
        let (mut first, mut second) = (incoming.dedupe_key(), incoming.dedupe_key());
        let mut found = None;
        loop {
            let row: Option<(i64, String, Json<Incoming>)> =
                on!(self, pool => sqlx::query_as(FIND).bind(&first).bind(&second).fetch_optional(pool).await?);
            let Some((id, state, Json(event))) = row else { return Ok(found) };
            (first, second) = (of(asked_again(&event.dedupe_id)), of(reworded(&event.dedupe_id)));
            found = Some((id, state, event));
        }
    }

    /// Whether the bot takes part in a thread: it spoke there, or is about to.
    async fn takes_part(&self, thread: &str) -> Result<bool, sqlx::Error> {
        const FIND: &str = "SELECT 1 FROM threads WHERE thread_key = $1 UNION ALL SELECT 1 FROM inbox WHERE thread_key = $1 AND state IN ('new', 'taken') LIMIT 1";
        let found: Option<(i32,)> = on!(self, pool => sqlx::query_as(FIND).bind(thread).fetch_optional(pool).await?);
        Ok(found.is_some())
    }

    /// Whether somebody answers a text of this thread right now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_served(&self, thread: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
        const FIND: &str = "SELECT 1 FROM inbox WHERE thread_key = $1 AND lane = 'queue' AND state = 'taken' AND state IN ('new', 'taken') AND lease_until_ms >= $2 LIMIT 1";
        let found: Option<(i32,)> = on!(self, pool => sqlx::query_as(FIND).bind(thread).bind(now_ms).fetch_optional(pool).await?);
        Ok(found.is_some())
    }

    /// Takes the lease of the next event that may be served, in the order in which they came.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, owner: &str, which: &Take, now_ms: i64, lease_until_ms: i64) -> Result<Option<Event>, sqlx::Error> {
        const EXPRESS: &str = "SELECT i.id FROM inbox i WHERE i.lane = 'express' AND i.state IN ('new', 'taken')
            AND ((i.state = 'new' AND (i.lease_until_ms <= $1 OR i.lease_owner = $2)) OR (i.state = 'taken' AND i.lease_until_ms < $1)) ORDER BY i.id LIMIT 1";
        const NEXT: &str =
            "SELECT i.id FROM inbox i WHERE i.state IN ('new', 'taken') AND ((i.state = 'new' AND (i.lease_until_ms <= $1 OR i.lease_owner = $2)) OR (i.state = 'taken' AND i.lease_until_ms < $1))
            AND (i.lane = 'express' OR (i.channel NOT IN (SELECT value FROM {each}($4)) AND i.person NOT IN (SELECT value FROM {each}($5))
                AND NOT EXISTS (SELECT 1 FROM inbox j WHERE j.thread_key = i.thread_key AND j.lane = 'queue'
                    AND j.state IN ('new', 'taken') AND (j.id < i.id OR (j.id <> i.id AND j.state = 'taken' AND j.lease_until_ms >= $1)))))
            ORDER BY i.id LIMIT 1";
        const TAKE: &str =
            "UPDATE inbox SET state = 'taken', lease_owner = $2, lease_until_ms = $3, attempts = attempts + 1, fence = fence + 1";
        let each = match self.writes {
            Db::Sqlite(_) => "json_each",
            Db::Pg(_) => "jsonb_array_elements_text",
        };
        let next = match which {
            Take::Express => EXPRESS.to_owned(),
            Take::AllBut { .. } => NEXT.replace("{each}", each),
        };
        let take = self.take_sql(TAKE, &next, "i", COLUMNS);
        let row: Option<Row> = on_write!(self, pool => {
            let mut take = sqlx::query_as(sqlx::AssertSqlSafe(take)).bind(now_ms).bind(owner).bind(lease_until_ms);
            if let Take::AllBut { channels, people } = which {
                take = take.bind(Json(channels)).bind(Json(people));
            }
            take.fetch_optional(pool).await?
        });
        Ok(row.map(event))
    }

    /// Takes the texts that wait directly behind a text, from the same person and as long as they are
    /// `wanted`, into its event, so that they are answered together. All or nothing, and only when the
    /// text is taken for the first time: later something may have come of it already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_followers(&self, head: &mut Event, now_ms: i64, wanted: fn(&Incoming) -> bool) -> Result<(), sqlx::Error> {
        const WAITING: &str = "SELECT id, fence, attempts, event, reply FROM inbox
            WHERE thread_key = $1 AND lane = 'queue' AND state = 'new' AND state IN ('new', 'taken') AND id > $2 ORDER BY id LIMIT 20";
        const TAKE: &str = "UPDATE inbox SET state = 'done', done_at_ms = $2 WHERE id = $1 AND state = 'new'";
        const SET: &str = "UPDATE inbox SET event = $3 WHERE id = $1 AND fence = $2";
        if head.fence > 1 {
            return Ok(());
        }
        let thread = head.incoming.thread.storage_key();
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(WAITING).bind(&thread).bind(head.id).fetch_all(pool).await?);
        let sender = head.incoming.sender.id.clone();
        let mut together = head.incoming.clone();
        let What::Text { text } = &mut together.what else { return Ok(()) };
        let theirs = |e: &Event| matches!(e.incoming.what, What::Text { .. }) && e.incoming.sender.id == sender && wanted(&e.incoming);
        let followers: Vec<Event> = rows.into_iter().map(event).take_while(theirs).collect();
        if followers.is_empty() {
            return Ok(());
        }
        for Incoming { what, beside, mentions, addressed, .. } in followers.iter().map(|e| &e.incoming) {
            if let What::Text { text: more } = what {
                text.push_str(if text.is_empty() || more.is_empty() { "" } else { "\n" });
                text.push_str(more);
            }
            together.beside.extend(beside.iter().cloned());
            together.mentions.extend(mentions.iter().cloned());
            if *addressed != Addressed::FollowUp {
                together.addressed = *addressed;
            }
        }
        let taken = on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let mut changed = sqlx::query(SET).bind(head.id).bind(head.fence).bind(Json(&together)).execute(&mut *tx).await?.rows_affected();
            for Event { id, .. } in &followers {
                changed += sqlx::query(TAKE).bind(id).bind(now_ms).execute(&mut *tx).await?.rows_affected();
            }
            // Somebody else may have taken the text, or dropped one that waits: then each is served alone.
            let taken = changed == 1 + followers.len() as u64;
            if taken {
                tx.commit().await?;
            }
            taken
        });
        if taken {
            head.incoming = together;
        }
        Ok(())
    }

    /// Prolongs a lease; `false` when it was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prolong(&self, id: i64, fence: i64, lease_until_ms: i64) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE inbox SET lease_until_ms = $3 WHERE id = $1 AND fence = $2 AND state = 'taken'";
        let n = on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(lease_until_ms).execute(pool).await?.rows_affected());
        Ok(n > 0)
    }

    /// Remembers the message that the answer goes into; `false` when somebody else has taken the event since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_reply(&self, id: i64, fence: i64, reply: &MessageRef) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE inbox SET reply = $3 WHERE id = $1 AND fence = $2";
        let set = on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(Json(reply)).execute(pool).await?.rows_affected());
        Ok(set > 0)
    }

    /// Finishes an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(&self, id: i64, fence: i64, failed: bool, now_ms: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE inbox SET state = $3, done_at_ms = $4, lease_owner = NULL WHERE id = $1 AND fence = $2";
        let state = if failed { "failed" } else { "done" };
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(state).bind(now_ms).execute(pool).await.map(|_| ()))
    }

    /// Gives a lease back, so that another process takes the event at once. The attempt does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, id: i64, fence: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE inbox SET state = 'new', lease_owner = NULL, lease_until_ms = 0, attempts = attempts - 1 WHERE id = $1 AND fence = $2 AND state = 'taken'";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).execute(pool).await.map(|_| ()))
    }

    /// The first event that waits so and has no sign of life yet; of those that wait for a place, one of each channel where nothing is
    /// under way. It is marked, so that nobody else gives one, and not served before [`Store::announced`] or this moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_unannounced(&self, waits: Waits, until_ms: i64) -> Result<Option<Event>, sqlx::Error> {
        const BEHIND: &str = "UPDATE inbox SET announced = 1, lease_until_ms = $1 WHERE announced = 0 AND id = (SELECT i.id FROM inbox i WHERE i.state = 'new' AND i.state IN ('new', 'taken') AND i.announced = 0 AND i.lane = 'queue'
            AND EXISTS (SELECT 1 FROM inbox j WHERE j.thread_key = i.thread_key AND j.lane = 'queue' AND j.state = 'taken' AND j.state IN ('new', 'taken') AND j.reply IS NOT NULL AND j.id < i.id)
            AND NOT EXISTS (SELECT 1 FROM inbox j WHERE j.thread_key = i.thread_key AND j.lane = 'queue' AND j.state = 'new' AND j.state IN ('new', 'taken') AND j.id < i.id)
            ORDER BY i.id LIMIT 1) RETURNING id, fence, attempts, event, reply";
        const WITHOUT_PLACE: &str = "UPDATE inbox SET announced = 1, lease_until_ms = $1 WHERE announced = 0 AND id = (SELECT i.id FROM inbox i WHERE i.state = 'new' AND i.state IN ('new', 'taken') AND i.announced = 0 AND i.lane = 'queue'
            AND i.channel NOT IN (SELECT j.channel FROM inbox j WHERE j.state IN ('new', 'taken') AND (j.state = 'taken' OR j.announced = 1))
            ORDER BY i.id LIMIT 1) RETURNING id, fence, attempts, event, reply";
        let take = match waits {
            Waits::ForItsThread => BEHIND,
            Waits::ForAPlace => WITHOUT_PLACE,
        };
        let row: Option<Row> = on_write!(self, pool => sqlx::query_as(take).bind(until_ms).fetch_optional(pool).await?);
        Ok(row.map(event))
    }

    /// A waiting event has its sign of life, or can have none: it may be served.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn announced(&self, id: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE inbox SET lease_until_ms = 0 WHERE id = $1 AND state = 'new'";
        on_write!(self, pool => sqlx::query(SET).bind(id).execute(pool).await.map(|_| ()))
    }

    /// The reply message of an event, as it is stored now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reply_of(&self, id: i64) -> Result<Option<MessageRef>, sqlx::Error> {
        let row: Option<(Option<Json<MessageRef>>,)> =
            on!(self, pool => sqlx::query_as("SELECT reply FROM inbox WHERE id = $1").bind(id).fetch_optional(pool).await?);
        Ok(row.and_then(|(r,)| r).map(|Json(r)| r))
    }

    /// Whether an event with this dedupe key has come in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_accepted(&self, dedupe_key: &str) -> Result<bool, sqlx::Error> {
        const GET: &str = "SELECT count(*) FROM inbox WHERE dedupe_key = $1";
        let (n,): (i64,) = on!(self, pool => sqlx::query_as(GET).bind(dedupe_key).fetch_one(pool).await?);
        Ok(n > 0)
    }

    /// Whether the event with this dedupe key was served.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_served(&self, dedupe_key: &str) -> Result<bool, sqlx::Error> {
        const GET: &str = "SELECT count(*) FROM inbox WHERE dedupe_key = $1 AND state IN ('done', 'failed')";
        let (n,): (i64,) = on!(self, pool => sqlx::query_as(GET).bind(dedupe_key).fetch_one(pool).await?);
        Ok(n > 0)
    }

    /// Drops the texts of a thread that still wait and arrived before `id`. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_waiting(&self, thread: &str, before: i64, now_ms: i64) -> Result<u64, sqlx::Error> {
        const SET: &str = "UPDATE inbox SET state = 'done', done_at_ms = $3 WHERE thread_key = $1 AND lane = 'queue' AND state = 'new' AND state IN ('new', 'taken') AND id < $2";
        on_write!(self, pool => sqlx::query(SET).bind(thread).bind(before).bind(now_ms).execute(pool).await.map(|r| r.rows_affected()))
    }

    /// How many events are not finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished(&self) -> Result<i64, sqlx::Error> {
        let (n,): (i64,) =
            on!(self, pool => sqlx::query_as("SELECT count(*) FROM inbox WHERE state IN ('new', 'taken')").fetch_one(pool).await?);
        Ok(n)
    }

    /// Forgets events that were finished before this moment; later redeliveries would be new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_events(&self, before_ms: i64) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM inbox WHERE state IN ('done', 'failed') AND done_at_ms < $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(before_ms).execute(pool).await.map(|r| r.rows_affected()))
    }
}
