//! The journal: approved writes with what became of each row, written before anything is sent.

use super::audit::{audit, began, confirmed, finished};
use super::jobs::{Job, insert_job};
use super::proposals::Proposal;
use super::{AuditAction, Store, on, on_durable, on_write, on_writer};
use crate::sheet::SheetId;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::types::Json;

/// An approved write.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its id.
    pub id: String,
    /// The change that this one takes back.
    pub undo_of: Option<String>,
    /// The job that it is a part of.
    pub job_id: Option<String>,
    /// The session it belongs to.
    pub session_id: String,
    /// The thread it belongs to.
    pub thread_key: String,
    /// Who asked for it.
    pub asker: String,
    /// On whose behalf it is written.
    pub identity: String,
    /// The sheet.
    pub sheet: SheetId,
    /// The version that the old values were read from.
    pub sheet_version: i64,
    /// What is to be done, with old values.
    pub plan: Box<RawValue>,
    /// Whether it is still being carried out.
    pub applying: bool,
    /// When it was approved, epoch milliseconds.
    pub created_at_ms: i64,
}

/// What became of one row (or column, or comment) of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRow {
    /// Its position in the plan.
    pub seq: i64,
    /// Where it stands.
    pub state: RowState,
    /// What was made: the id of a new row, column or comment.
    pub made: Option<Value>,
    /// Why it was skipped or failed.
    pub reason: Option<String>,
}

/// Where one row of a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum RowState {
    /// Not sent yet.
    Pending,
    /// Sent; the answer is not known yet.
    Sent,
    /// Written.
    Done,
    /// Left alone: somebody else changed it meanwhile.
    Skipped,
    /// Refused by Smartsheet.
    Failed,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    undo_of: Option<String>,
    job_id: Option<String>,
    session_id: String,
    thread_key: String,
    asker: String,
    identity: String,
    sheet_id: String,
    sheet_version: i64,
    plan: Json<Box<RawValue>>,
    state: String,
    created_at_ms: i64,
}

type RowRecord = (i64, RowState, Option<Json<Value>>, Option<String>);

const COLUMNS: &str = "id, undo_of, job_id, session_id, thread_key, asker, identity, sheet_id, sheet_version, plan, state, created_at_ms";
const ADD: &str = "INSERT INTO changes (id, proposal_id, undo_of, session_id, thread_key, asker, identity, sheet_id, sheet_version, plan, state, created_at_ms, job_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'applying', $11, $12) ON CONFLICT DO NOTHING";
/// Rows that one INSERT carries.
const ROWS_PER_INSERT: i64 = 1000;

fn change(row: Row) -> Option<Change> {
    Some(Change {
        sheet: SheetId::try_from(row.sheet_id).ok()?,
        applying: row.state == "applying",
        id: row.id,
        undo_of: row.undo_of,
        job_id: row.job_id,
        session_id: row.session_id,
        thread_key: row.thread_key,
        asker: row.asker,
        identity: row.identity,
        sheet_version: row.sheet_version,
        plan: row.plan.0,
        created_at_ms: row.created_at_ms,
    })
}

/// Writes a change and its rows within a transaction; `false` when it is there already.
macro_rules! insert_change {
    ($tx:expr, $c:expr, $proposal:expr, $rows:expr) => {{
        let added = sqlx::query(ADD)
            .bind(&$c.id)
            .bind($proposal)
            .bind(&$c.undo_of)
            .bind(&$c.session_id)
            .bind(&$c.thread_key)
            .bind(&$c.asker)
            .bind(&$c.identity)
            .bind($c.sheet.to_string())
            .bind($c.sheet_version)
            .bind(Json(&$c.plan))
            .bind($c.created_at_ms)
            .bind(&$c.job_id)
            .execute(&mut *$tx)
            .await?
            .rows_affected();
        if added > 0 {
            for start in (0..$rows).step_by(ROWS_PER_INSERT as usize) {
                let mut insert = sqlx::QueryBuilder::new("INSERT INTO change_rows (change_id, seq, state) ");
                insert.push_values(start..(start + ROWS_PER_INSERT).min($rows), |mut row, seq| {
                    row.push_bind(&$c.id).push_bind(seq).push_bind("pending");
                });
                insert.build().execute(&mut *$tx).await?;
            }
        }
        added > 0
    }};
}

/// Why an entry of a change is not taken back again: it was, by an undo that did not come to its end.
pub const ENTRY_TAKEN_BACK: &str = "it was taken back";

/// A change that can be taken back: not taken back yet, and no part of a job of which all was taken back that could be.
fn undoable() -> String {
    format!(
        "undo_of IS NULL AND state = 'applied' AND NOT EXISTS (SELECT 1 FROM changes u WHERE u.undo_of = changes.id)
        AND (job_id IS NULL OR EXISTS (SELECT 1 FROM change_rows r WHERE r.change_id = changes.id AND r.reason = '{ENTRY_TAKEN_BACK}')
            OR NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'UNDO' AND j.status = 'completed' AND j.parameters->>'job' = changes.job_id
                AND coalesce(CAST(j.result->>'failedRows' AS BIGINT), 0) = 0))"
    )
}

impl Store {
    /// Turns a proposal into a change, if it still waits: decision, journal, and the job that carries
    /// it out if there is one, in one transaction. `false` when it was decided before.
    ///
    /// # Errors
    /// When the database fails; nothing was decided.
    pub async fn confirm_proposal(
        &self,
        p: &Proposal,
        decided_by: &str,
        change: &Change,
        rows: i64,
        job: Option<&Job>,
        now_ms: i64,
    ) -> Result<bool, sqlx::Error> {
        const DECIDE: &str = "UPDATE proposals SET state = 'confirmed', decided_by = $3, decided_at_ms = $4 WHERE id = $1 AND state = $2 AND expires_at_ms > $4";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let decided = sqlx::query(DECIDE).bind(&p.id).bind(p.state).bind(decided_by).bind(now_ms).execute(&mut *tx).await?.rows_affected();
            if decided == 0 {
                return Ok(false);
            }
            if let Some(job) = job {
                insert_job!(tx, job);
            }
            if !insert_change!(tx, change, Some(&p.id), rows) {
                return Ok(false);
            }
            audit!(tx, confirmed(p, decided_by, Some(&change.id), now_ms));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Begins a change that needs no proposal: one that takes another one back, or a part of a job, which
    /// only who has the job may begin. `false` when that was begun before, or somebody else has the job. A part of a job
    /// that a power failure takes was not sent yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_change(&self, change: &Change, rows: i64, job_fence: Option<i64>) -> Result<bool, sqlx::Error> {
        /// Holds the job until the commit, if it is still ours.
        const HOLD: &str = "UPDATE jobs SET fence = fence WHERE id = $1 AND fence = $2 AND status = 'processing'";
        on_writer!(self, if job_fence.is_some() { &self.writes } else { &self.durable }, pool => {
            let mut tx = pool.begin().await?;
            if let Some(fence) = job_fence
                && sqlx::query(HOLD).bind(&change.job_id).bind(fence).execute(&mut *tx).await?.rows_affected() == 0
            {
                return Ok(false);
            }
            let added = insert_change!(tx, change, None::<&String>, rows);
            if added {
                audit!(tx, began(change));
            }
            tx.commit().await?;
            Ok(added)
        })
    }

    /// Begins a change that a job carries out which nobody had to confirm: both in one transaction.
    /// `false` when that was begun before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_job_of_change(&self, job: &Job, change: &Change, rows: i64) -> Result<bool, sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if insert_job!(tx, job) == 0 || !insert_change!(tx, change, None::<&String>, rows) {
                return Ok(false);
            }
            audit!(tx, began(change));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// The message that shows the proposal which became this change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn message_of_change(&self, change: &str) -> Result<Option<chat::MessageRef>, sqlx::Error> {
        const GET: &str = "SELECT p.message FROM proposals p JOIN changes c ON c.proposal_id = p.id WHERE c.id = $1";
        let row: Option<(Option<Json<chat::MessageRef>>,)> =
            on!(self, pool => sqlx::query_as(GET).bind(change).fetch_optional(pool).await?);
        Ok(row.and_then(|(m,)| m).map(|Json(m)| m))
    }

    /// The newest change of a person in a conversation, whatever its thread, that can be taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_undoable_of(&self, asker: &str, conversation: &str) -> Result<Option<Change>, sqlx::Error> {
        let get = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT id FROM changes WHERE asker = $1 AND (thread_key = $2 OR thread_key LIKE $3 ESCAPE '!') AND {}
                ORDER BY created_at_ms DESC, id DESC LIMIT 1",
                undoable()
            ))
        };
        let like = super::inside(conversation);
        let row: Option<(String,)> =
            on!(self, pool => sqlx::query_as(get()).bind(asker).bind(conversation).bind(&like).fetch_optional(pool).await?);
        match row {
            Some((id,)) => self.change(&id).await,
            None => Ok(None),
        }
    }

    /// The change that a proposal became.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_of_proposal(&self, proposal: &str) -> Result<Option<Change>, sqlx::Error> {
        self.one_change("proposal_id = $1", proposal).await
    }

    /// The change that took this one back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn undo_of(&self, change: &str) -> Result<Option<Change>, sqlx::Error> {
        self.one_change("undo_of = $1", change).await
    }

    /// The change with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change(&self, id: &str) -> Result<Option<Change>, sqlx::Error> {
        self.one_change("id = $1", id).await
    }

    /// The newest change of a session that is no undo itself and was not taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_undoable(&self, session: &str) -> Result<Option<Change>, sqlx::Error> {
        let condition = format!("session_id = $1 AND {} ORDER BY created_at_ms DESC, id DESC LIMIT 1", undoable());
        self.one_change(&condition, session).await
    }

    /// When the last change of a job began, epoch milliseconds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_change_of_job(&self, job: &str) -> Result<Option<i64>, sqlx::Error> {
        const GET: &str = "SELECT MAX(created_at_ms) FROM changes WHERE job_id = $1 AND undo_of IS NULL";
        let (at,): (Option<i64>,) = on!(self, pool => sqlx::query_as(GET).bind(job).fetch_one(pool).await?);
        Ok(at)
    }

    /// The first changes that a job has made; those that take others back are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_job_changes(&self, job: &str, most: i64) -> Result<Vec<Change>, sqlx::Error> {
        let sql = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM changes WHERE job_id = $1 AND undo_of IS NULL ORDER BY created_at_ms, id LIMIT $2"
            ))
        };
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql()).bind(job).bind(most).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(change).collect())
    }

    /// The changes that a job has made, in order; those that take others back are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_changes(&self, job: &str) -> Result<Vec<Change>, sqlx::Error> {
        let sql = || {
            sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM changes WHERE job_id = $1 AND undo_of IS NULL ORDER BY created_at_ms, id"))
        };
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql()).bind(job).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(change).collect())
    }

    async fn one_change(&self, condition: &str, argument: &str) -> Result<Option<Change>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM changes WHERE {condition}"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(argument).fetch_optional(pool).await?);
        Ok(row.and_then(change))
    }

    /// What became of each row of a change, in the plan's order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_rows(&self, change: &str) -> Result<Vec<ChangeRow>, sqlx::Error> {
        const GET: &str = "SELECT seq, state, made, reason FROM change_rows WHERE change_id = $1 ORDER BY seq";
        let rows: Vec<RowRecord> = on!(self, pool => sqlx::query_as(GET).bind(change).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(seq, state, made, reason)| ChangeRow { seq, state, made: made.map(|Json(m)| m), reason }).collect())
    }

    /// Takes a change up, for the first time or after whoever carried it out before was interrupted:
    /// from here on nothing is noted any more on behalf of the others. Returns the fence; `None` when the
    /// change is part of a job that somebody else has by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_change(&self, change: &str, job: Option<&(String, i64)>) -> Result<Option<i64>, sqlx::Error> {
        const TAKE: &str = "UPDATE changes SET fence = fence + 1 WHERE id = $1
            AND ($2 = '' OR EXISTS (SELECT 1 FROM jobs WHERE id = $2 AND fence = $3)) RETURNING fence";
        let (job, job_fence) = job.map_or(("", 0), |(id, fence)| (id.as_str(), *fence));
        let fence: Option<(i64,)> =
            on_write!(self, pool => sqlx::query_as(TAKE).bind(change).bind(job).bind(job_fence).fetch_optional(pool).await?);
        Ok(fence.map(|(f,)| f))
    }

    /// Writes where these rows of a change stand, all or none; `false` when somebody else has taken the change up.
    /// That rows are about to be sent survives a power failure; what became of them is seen in the sheet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_change_rows(&self, change: &str, fence: i64, rows: &[ChangeRow]) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE change_rows SET state = $4, made = $5, reason = $6 WHERE change_id = $1 AND seq BETWEEN $2 AND $3";
        let (begin, hold) = self.hold_change();
        let about_to_send = rows.iter().any(|r| r.state == RowState::Sent);
        on_writer!(self, if about_to_send { &self.durable } else { &self.writes }, pool => {
            let mut tx = pool.begin_with(begin).await?;
            if sqlx::query(hold).bind(change).bind(fence).fetch_optional(&mut *tx).await?.is_none() {
                return Ok(false);
            }
            // Rows that stand one behind the other and became the same are one statement.
            for run in rows.chunk_by(|a, b| a.seq + 1 == b.seq && a.state == b.state && a.made == b.made && a.reason == b.reason) {
                let (row, last) = (&run[0], run.last().map_or(run[0].seq, |r| r.seq));
                let set = sqlx::query(SET).bind(change).bind(row.seq).bind(last).bind(row.state);
                set.bind(row.made.as_ref().map(Json)).bind(&row.reason).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Closes a change; `false` when somebody else has taken it up. An undo of which nothing came
    /// does not count: it may be asked for again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_change(&self, change: &str, fence: i64, failed: bool, now_ms: i64) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE changes SET state = $2, applied_at_ms = $3,
            undo_of = CASE WHEN $2 = 'failed' THEN NULL ELSE undo_of END WHERE id = $1 AND fence = $4";
        let state = if failed { "failed" } else { "applied" };
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if sqlx::query(SET).bind(change).bind(state).bind(now_ms).bind(fence).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            audit!(tx, finished!(tx, change, if failed { AuditAction::Failed } else { AuditAction::Applied }, now_ms));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Closes an undo that took back only these entries of the original: they are marked so, and the undo is no
    /// longer in the way of another one. `false` when somebody else has taken it up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_undo_half_way(
        &self,
        undo: &str,
        fence: i64,
        original: &str,
        back: &[i64],
        now_ms: i64,
    ) -> Result<bool, sqlx::Error> {
        const CLOSE: &str = "UPDATE changes SET state = 'failed', applied_at_ms = $2, undo_of = NULL WHERE id = $1 AND fence = $3";
        const BACK: &str = "UPDATE change_rows SET state = 'skipped', reason = $4 WHERE change_id = $1 AND seq BETWEEN $2 AND $3";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if sqlx::query(CLOSE).bind(undo).bind(now_ms).bind(fence).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            for run in back.chunk_by(|a, b| a + 1 == *b) {
                let (first, last) = (run[0], run.last().copied().unwrap_or(run[0]));
                sqlx::query(BACK).bind(original).bind(first).bind(last).bind(ENTRY_TAKEN_BACK).execute(&mut *tx).await?;
            }
            audit!(tx, finished!(tx, undo, AuditAction::Failed, now_ms));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Whether an undo has taken back a part of a job and left the rest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_half_taken_back(&self, job: &str) -> Result<bool, sqlx::Error> {
        const ASK: &str = "SELECT EXISTS (SELECT 1 FROM changes c WHERE c.job_id = $1 AND c.undo_of IS NULL AND c.state = 'applied'
            AND NOT EXISTS (SELECT 1 FROM changes u WHERE u.undo_of = c.id)
            AND EXISTS (SELECT 1 FROM change_rows r WHERE r.change_id = c.id AND r.reason = $2)
            AND EXISTS (SELECT 1 FROM change_rows r WHERE r.change_id = c.id AND r.state IN ('done', 'sent')))";
        let (half,): (bool,) = on!(self, pool => sqlx::query_as(ASK).bind(job).bind(ENTRY_TAKEN_BACK).fetch_one(pool).await?);
        Ok(half)
    }
}
