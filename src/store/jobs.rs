//! Jobs: the seed's table with leases and fences, and the rows that each works on.

use super::audit::{audit, confirmed};
use super::job_rows::{JobRow, insert_rows};
use super::{Asker, Proposal, Store, on, on_durable, on_write};
use crate::sheet::SheetId;
use chat::{Anchor, MessageRef};
use serde_json::Value;
use sqlx::types::Json;

/// Where a job stands, in the seed's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum JobStatus {
    /// Proposed; a person decides.
    Created,
    /// Waits for a runner.
    Queued,
    /// Under way.
    Processing,
    /// Done, perhaps with rows that failed.
    Completed,
    /// Could not go on.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

impl JobStatus {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status that a word is; nothing for a word of another version.
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [Self::Created, Self::Queued, Self::Processing, Self::Completed, Self::Failed, Self::Cancelled];
        all.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether nothing more will happen.
    pub fn ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id; that of the proposal it came from, where there was one.
    pub id: String,
    /// Its kind, such as `SUMMARIZE`.
    pub kind: String,
    /// What it was asked to do.
    pub parameters: Value,
    /// Where it stands.
    pub status: JobStatus,
    /// Rows that are settled.
    pub progress: i64,
    /// Rows in all.
    pub total: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// What came of it, in the seed's shapes.
    pub result: Option<Value>,
    /// The session it belongs to.
    pub session_id: String,
    /// The thread it belongs to.
    pub thread_key: String,
    /// Where to post.
    pub anchor: Anchor,
    /// Who asked for it.
    pub asker: String,
    /// On whose behalf it writes.
    pub identity: String,
    /// The sheet.
    pub sheet: SheetId,
    /// The message that shows it.
    pub message: Option<MessageRef>,
    /// Whether somebody wants it stopped.
    pub cancel_requested: bool,
    /// How often it was taken up.
    pub attempts: i64,
    /// Grows whenever it is taken up; writes with an old one are refused.
    pub fence: i64,
    /// When it was proposed, epoch milliseconds.
    pub created_at_ms: i64,
    /// When it was first taken up.
    pub started_at_ms: Option<i64>,
}

impl Job {
    /// A job that is queued and that nobody has begun.
    pub fn queued(id: String, kind: &str, parameters: Value, place: &Place, created_at_ms: i64) -> Self {
        let Place { session_id, thread_key, anchor, asker, identity, sheet } = place.clone();
        Self {
            id,
            kind: kind.to_owned(),
            parameters,
            status: JobStatus::Queued,
            progress: 0,
            total: 0,
            error: None,
            result: None,
            session_id,
            thread_key,
            anchor,
            asker,
            identity,
            sheet,
            message: None,
            cancel_requested: false,
            attempts: 0,
            fence: 0,
            created_at_ms,
            started_at_ms: None,
        }
    }

    /// Where it belongs.
    pub fn place(&self) -> Place {
        Place {
            session_id: self.session_id.clone(),
            thread_key: self.thread_key.clone(),
            anchor: self.anchor.clone(),
            asker: self.asker.clone(),
            identity: self.identity.clone(),
            sheet: self.sheet,
        }
    }
}

/// Where a job belongs, and to whom.
#[derive(Clone, Debug)]
pub struct Place {
    /// The session.
    pub session_id: String,
    /// The thread.
    pub thread_key: String,
    /// Where to post.
    pub anchor: Anchor,
    /// Who asked for it.
    pub asker: String,
    /// On whose behalf it writes.
    pub identity: String,
    /// The sheet.
    pub sheet: SheetId,
}

impl Place {
    /// Who asked for it.
    pub fn person(&self) -> Asker {
        Asker::in_thread(&self.asker, &self.thread_key)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    parameters: Option<Json<Value>>,
    status: JobStatus,
    progress: i32,
    total: i32,
    error: Option<String>,
    result: Option<Json<Value>>,
    session_id: Option<String>,
    thread_key: String,
    anchor: String,
    asker: String,
    identity: String,
    sheet_id: String,
    message: Option<Json<MessageRef>>,
    cancel_requested: i64,
    attempts: i64,
    fence: i64,
    created_at_ms: i64,
    started_at_ms: Option<i64>,
}

const COLUMNS: &str = "id, kind, parameters, status, progress, total, error, result, session_id, thread_key, anchor, asker, identity, sheet_id, message, cancel_requested, attempts, fence, created_at_ms, started_at_ms";

fn job(row: Row) -> Option<Job> {
    Some(Job {
        sheet: SheetId::try_from(row.sheet_id).ok()?,
        status: row.status,
        id: row.id,
        kind: row.kind,
        parameters: row.parameters.map(|Json(p)| p).unwrap_or_default(),
        progress: row.progress.into(),
        total: row.total.into(),
        error: row.error,
        result: row.result.map(|Json(r)| r),
        session_id: row.session_id.unwrap_or_default(),
        thread_key: row.thread_key,
        anchor: Anchor(row.anchor),
        asker: row.asker,
        identity: row.identity,
        message: row.message.map(|Json(m)| m),
        cancel_requested: row.cancel_requested != 0,
        attempts: row.attempts,
        fence: row.fence,
        created_at_ms: row.created_at_ms,
        started_at_ms: row.started_at_ms,
    })
}

/// Writes a job within a transaction.
macro_rules! insert_job {
    ($tx:expr, $j:expr) => {
        sqlx::query(
            "INSERT INTO jobs (id, kind, parameters, status, progress, total, session_id, thread_key, anchor, asker, identity, sheet_id, message, created_at_ms, install)
            VALUES ($1, $2, $3, $4, $14, $5, $6, $7, $8, $9, $10, $11, $12, $13, $15) ON CONFLICT (id) DO NOTHING",
        )
        .bind(&$j.id)
        .bind(&$j.kind)
        .bind(Json(&$j.parameters))
        .bind($j.status)
        .bind(i32::try_from($j.total).unwrap_or(i32::MAX))
        .bind(&$j.session_id)
        .bind(&$j.thread_key)
        .bind(&$j.anchor.0)
        .bind(&$j.asker)
        .bind(&$j.identity)
        .bind($j.sheet.to_string())
        .bind($j.message.as_ref().map(Json))
        .bind($j.created_at_ms)
        .bind(i32::try_from($j.progress).unwrap_or(i32::MAX))
        .bind($j.place().person().install)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}
pub(super) use insert_job;

impl Store {
    /// Keeps a new job with its rows; `false` when it is there already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_job(&self, job: &Job, rows: &[JobRow]) -> Result<bool, sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if insert_job!(tx, job) == 0 {
                return Ok(false);
            }
            insert_rows!(tx, job.id, rows);
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Queues the job of a proposal that a person has confirmed: decision and queue in one transaction.
    /// `false` when it was decided before.
    ///
    /// # Errors
    /// When the database fails; nothing was decided.
    pub async fn start_job(&self, p: &Proposal, decided_by: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
        const DECIDE: &str = "UPDATE proposals SET state = 'confirmed', decided_by = $3, decided_at_ms = $4 WHERE id = $1 AND state = $2 AND expires_at_ms > $4";
        const QUEUE: &str = "UPDATE jobs SET status = 'queued', message = $2 WHERE id = $1 AND status = 'created'";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let decided = sqlx::query(DECIDE).bind(&p.id).bind(p.state).bind(decided_by).bind(now_ms).execute(&mut *tx).await?.rows_affected();
            if decided == 0 {
                return Ok(false);
            }
            sqlx::query(QUEUE).bind(&p.id).bind(p.message.as_ref().map(Json)).execute(&mut *tx).await?;
            audit!(tx, confirmed(p, decided_by, None, now_ms));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Takes the lease of the next job that may run: the oldest one of a person who has fewer than
    /// `per_person` running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim_job(&self, owner: &str, per_person: i64, now_ms: i64, lease_until_ms: i64) -> Result<Option<Job>, sqlx::Error> {
        const NEXT: &str =
            "SELECT j.id FROM jobs j WHERE j.status IN ('queued', 'processing') AND j.lease_until_ms < $1 AND j.run_at_ms <= $1
            AND (j.cancel_requested <> 0 OR (SELECT count(*) FROM jobs o WHERE o.asker = j.asker AND o.install = j.install AND o.status = 'processing' AND o.lease_until_ms >= $1) < $4)
            ORDER BY j.cancel_requested DESC, j.created_at_ms, j.id LIMIT 1";
        const TAKE: &str =
            "UPDATE jobs SET status = 'processing', lease_owner = $2, lease_until_ms = $3, attempts = attempts + 1, fence = fence + 1,
            started_at_ms = coalesce(started_at_ms, $1)";
        let take = self.take_sql(TAKE, NEXT, "j", COLUMNS);
        let row: Option<Row> = on_write!(self, pool => {
            let take = sqlx::query_as(sqlx::AssertSqlSafe(take)).bind(now_ms).bind(owner).bind(lease_until_ms).bind(per_person);
            take.fetch_optional(pool).await?
        });
        Ok(row.and_then(job))
    }

    /// Prolongs the lease of a job. `None` when it was lost, else whether somebody wants the job stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prolong_job(&self, id: &str, fence: i64, lease_until_ms: i64) -> Result<Option<bool>, sqlx::Error> {
        const SET: &str =
            "UPDATE jobs SET lease_until_ms = $3 WHERE id = $1 AND fence = $2 AND status = 'processing' RETURNING cancel_requested";
        let row: Option<(i64,)> =
            on_write!(self, pool => sqlx::query_as(SET).bind(id).bind(fence).bind(lease_until_ms).fetch_optional(pool).await?);
        Ok(row.map(|(wanted,)| wanted != 0))
    }

    /// Gives a job back: whoever comes next goes on with it after `run_at_ms`. A try that `counts` brings it nearer to being
    /// given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_job(&self, id: &str, fence: i64, run_at_ms: i64, counts: bool) -> Result<(), sqlx::Error> {
        const SET: &str =
            "UPDATE jobs SET lease_until_ms = 0, run_at_ms = CASE WHEN cancel_requested <> 0 THEN 0 ELSE $3 END, attempts = attempts - $4
            WHERE id = $1 AND fence = $2 AND status = 'processing'";
        let back = i64::from(!counts);
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(run_at_ms).bind(back).execute(pool).await.map(|_| ()))
    }

    /// Asks for a job to be stopped; one that nobody has confirmed is stopped by this, one that waits is taken up
    /// out of turn, to say so. `false` when it has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_job(&self, id: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE jobs SET cancel_requested = 1, finished_at_ms = CASE WHEN status = 'created' THEN $2 END, run_at_ms = 0,
            status = CASE WHEN status = 'created' THEN 'cancelled' ELSE status END
            WHERE id = $1 AND status IN ('created', 'queued', 'processing')";
        let n = on_durable!(self, pool => sqlx::query(SET).bind(id).bind(now_ms).execute(pool).await?.rows_affected());
        Ok(n > 0)
    }

    /// Ends a job; `false` when somebody else has taken it up. What came of it and could not be told now is told at `tell_at_ms`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_job(
        &self,
        id: &str,
        fence: i64,
        status: JobStatus,
        error: Option<&str>,
        result: &Value,
        (now_ms, tell_at_ms): (i64, Option<i64>),
    ) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE jobs SET status = $3, error = $4, result = $5, finished_at_ms = $6, tell_at_ms = $7, lease_until_ms = 0 WHERE id = $1 AND fence = $2 AND status = 'processing'";
        let n = on_durable!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(status).bind(error).bind(Json(result)).bind(now_ms).bind(tell_at_ms).execute(pool).await?.rows_affected());
        Ok(n > 0)
    }

    /// Takes the next job that has ended since `since_ms` and whose thread does not know yet; it is looked for again at `again_ms`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_untold(&self, now_ms: i64, since_ms: i64, again_ms: i64) -> Result<Option<Job>, sqlx::Error> {
        const NEXT: &str = "SELECT j.id FROM jobs j WHERE j.tell_at_ms <= $1 AND j.finished_at_ms > $2 ORDER BY j.tell_at_ms LIMIT 1";
        let take = self.take_sql("UPDATE jobs SET tell_at_ms = $3", NEXT, "j", COLUMNS);
        let row: Option<Row> = on_write!(self, pool => {
            let take = sqlx::query_as(sqlx::AssertSqlSafe(take)).bind(now_ms).bind(since_ms).bind(again_ms);
            take.fetch_optional(pool).await?
        });
        Ok(row.and_then(job))
    }

    /// Notes when it is tried again to tell a thread what came of a job; never, when it knows.
    ///
    /// # Errors
    /// When the database fails; it is told once more.
    pub async fn tell_job_at(&self, id: &str, at_ms: Option<i64>) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE jobs SET tell_at_ms = $2 WHERE id = $1";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(at_ms).execute(pool).await.map(|_| ()))
    }

    /// Whether somebody wants a job stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_cancelled(&self, id: &str) -> Result<bool, sqlx::Error> {
        const GET: &str = "SELECT cancel_requested FROM jobs WHERE id = $1";
        let row: Option<(i64,)> = on!(self, pool => sqlx::query_as(GET).bind(id).fetch_optional(pool).await?);
        Ok(row.is_some_and(|(wanted,)| wanted != 0))
    }

    /// Notes how far a job is; a job that gets on is not given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_job_progress(&self, id: &str, fence: i64, progress: usize) -> Result<(), sqlx::Error> {
        const SET: &str =
            "UPDATE jobs SET attempts = CASE WHEN progress < $3 THEN 0 ELSE attempts END, progress = $3 WHERE id = $1 AND fence = $2";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(i32::try_from(progress).unwrap_or(i32::MAX)).execute(pool).await.map(|_| ()))
    }

    /// Remembers the message that shows a job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_job_message(&self, id: &str, fence: i64, message: &MessageRef) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE jobs SET message = $3 WHERE id = $1 AND fence = $2";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(fence).bind(Json(message)).execute(pool).await.map(|_| ()))
    }

    /// A job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM jobs WHERE id = $1"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(id).fetch_optional(pool).await?);
        Ok(row.and_then(job))
    }

    /// The jobs of everybody, newest first, without those that nobody has confirmed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_jobs(&self, most: i64) -> Result<Vec<Job>, sqlx::Error> {
        let sql = || {
            let newest = "WHERE status <> 'created' ORDER BY created_at_ms DESC, id DESC LIMIT $1";
            sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM jobs {newest}"))
        };
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql()).bind(most).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(job).collect())
    }

    /// The jobs of a thread and those of a person, newest first, and how many there are in all; those that nobody has
    /// confirmed are left out. `skip` are left out before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs_of(&self, thread: &str, asker: Option<&Asker>, most: i64, skip: i64) -> Result<(Vec<Job>, i64), sqlx::Error> {
        const OF: &str = "FROM jobs WHERE status <> 'created' AND (thread_key = $1 OR (asker = $2 AND thread_key LIKE $3 ESCAPE '!'))";
        let list = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} {OF} ORDER BY created_at_ms DESC, id DESC LIMIT $4 OFFSET $5"));
        let count = || sqlx::AssertSqlSafe(format!("SELECT count(*) {OF}"));
        let (id, like) = asker.map(|a| (a.id.as_str(), super::inside(&a.install))).unwrap_or_default();
        let (rows, (total,)): (Vec<Row>, (i64,)) = on!(self, pool => {
            let rows = sqlx::query_as(list()).bind(thread).bind(id).bind(&like).bind(most).bind(skip).fetch_all(pool).await?;
            (rows, sqlx::query_as(count()).bind(thread).bind(id).bind(&like).fetch_one(pool).await?)
        });
        Ok((rows.into_iter().filter_map(job).collect(), total))
    }

    /// How many jobs of a person run at the moment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn running_jobs_of(&self, asker: &Asker, now_ms: i64) -> Result<i64, sqlx::Error> {
        const COUNT: &str =
            "SELECT count(*) FROM jobs WHERE asker = $1 AND install = $2 AND status = 'processing' AND lease_until_ms >= $3";
        let (n,): (i64,) =
            on!(self, pool => sqlx::query_as(COUNT).bind(&asker.id).bind(&asker.install).bind(now_ms).fetch_one(pool).await?);
        Ok(n)
    }

    /// How many jobs of a person run, or will as soon as there is a place.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_jobs_of(&self, asker: &Asker, now_ms: i64) -> Result<i64, sqlx::Error> {
        const COUNT: &str =
            "SELECT count(*) FROM jobs WHERE asker = $1 AND install = $2 AND status IN ('queued', 'processing') AND run_at_ms <= $3";
        let (n,): (i64,) =
            on!(self, pool => sqlx::query_as(COUNT).bind(&asker.id).bind(&asker.install).bind(now_ms).fetch_one(pool).await?);
        Ok(n)
    }

    /// How many jobs are queued or running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_jobs(&self) -> Result<i64, sqlx::Error> {
        const COUNT: &str = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'processing')";
        let (n,): (i64,) = on!(self, pool => sqlx::query_as(COUNT).fetch_one(pool).await?);
        Ok(n)
    }

    /// Forgets jobs that were proposed before this moment and never confirmed, with the answers of their first rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_unconfirmed_jobs(&self, before_ms: i64) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM jobs WHERE status = 'created' AND created_at_ms < $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(before_ms).execute(pool).await.map(|r| r.rows_affected()))
    }
}
