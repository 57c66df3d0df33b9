//! The rows that a job works on: what the model answered for each, kept before it is used, and what became of it.

use super::{Job, Store, on, on_write};
use crate::sheet::SheetId;
use serde_json::Value;
use sqlx::types::Json;

/// A row that a job works on.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Its position.
    pub seq: i64,
    /// The row of the sheet.
    pub row_id: i64,
    /// What it is called.
    pub label: String,
    /// The value that the job will replace.
    pub before: Value,
    /// Where it stands.
    pub state: JobRowState,
    /// What the model answered.
    pub answer: Option<Value>,
    /// Why it was skipped or failed.
    pub reason: Option<String>,
}

impl JobRow {
    /// Whether the model has just been asked for it; what becomes of its answer later is no progress of its own.
    pub fn is_asked(&self) -> bool {
        self.state == JobRowState::Answered || (self.state == JobRowState::Failed && self.answer.is_none())
    }
}

/// Where a row of a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum JobRowState {
    /// The model was not asked yet.
    Pending,
    /// The model's answer is kept.
    Answered,
    /// The answer stands in the sheet.
    Written,
    /// Left alone.
    Skipped,
    /// No usable answer, or it could not be written.
    Failed,
}

type RowRecord = (i64, i64, String, Json<Value>, JobRowState, Option<Json<Value>>, Option<String>);

/// Rows that one INSERT carries.
pub(super) const ROWS_PER_INSERT: usize = 1000;

/// Writes the rows of a job within a transaction.
macro_rules! insert_rows {
    ($tx:expr, $job:expr, $rows:expr) => {
        for some in $rows.chunks($crate::store::job_rows::ROWS_PER_INSERT) {
            let mut insert = sqlx::QueryBuilder::new("INSERT INTO job_rows (job_id, seq, row_id, label, before, state, answer, reason) ");
            insert.push_values(some, |mut row, r| {
                row.push_bind(&$job).push_bind(r.seq).push_bind(r.row_id).push_bind(&r.label).push_bind(Json(&r.before));
                row.push_bind(r.state).push_bind(r.answer.as_ref().map(Json)).push_bind(&r.reason);
            });
            insert.build().execute(&mut *$tx).await?;
        }
    };
}
pub(super) use insert_rows;

impl Store {
    /// What jobs that were started have answered for a row of a sheet, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn answers_of_row(&self, sheet: SheetId, row_id: i64) -> Result<Vec<(Job, Value)>, sqlx::Error> {
        const GET: &str = "SELECT r.job_id, r.answer FROM job_rows r JOIN jobs j ON j.id = r.job_id
            WHERE r.row_id = $1 AND r.answer IS NOT NULL AND j.sheet_id = $2 AND j.status <> 'created' ORDER BY j.created_at_ms DESC, j.id DESC LIMIT 20";
        let rows: Vec<(String, Json<Value>)> =
            on!(self, pool => sqlx::query_as(GET).bind(row_id).bind(sheet.to_string()).fetch_all(pool).await?);
        let mut answers = Vec::with_capacity(rows.len());
        for (id, Json(answer)) in rows {
            if let Some(job) = self.job(&id).await? {
                answers.push((job, answer));
            }
        }
        Ok(answers)
    }

    /// The rows of a job, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_rows(&self, job: &str) -> Result<Vec<JobRow>, sqlx::Error> {
        const GET: &str = "SELECT seq, row_id, label, before, state, answer, reason FROM job_rows WHERE job_id = $1 ORDER BY seq";
        let rows: Vec<RowRecord> = on!(self, pool => sqlx::query_as(GET).bind(job).fetch_all(pool).await?);
        let row = |(seq, row_id, label, Json(before), state, answer, reason): RowRecord| JobRow {
            seq,
            row_id,
            label,
            before,
            state,
            answer: answer.map(|Json(a)| a),
            reason,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Writes where rows of a job stand, all or none; `false` when somebody else has taken the job up. An answer is kept
    /// when a row becomes [`JobRowState::Answered`], and stays what it is from there on. What a power failure takes of it costs no more than the calls that were on their way: the sheet itself says what was written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_job_rows(&self, job: &str, fence: i64, rows: &[JobRow]) -> Result<bool, sqlx::Error> {
        const HOLD: &str = "UPDATE jobs SET progress = progress + $3, attempts = 0 WHERE id = $1 AND fence = $2 AND status = 'processing'";
        const KEEP: &str = "UPDATE job_rows SET answer = $3 WHERE job_id = $1 AND seq = $2";
        const SET: &str = "UPDATE job_rows SET state = $4, reason = $5 WHERE job_id = $1 AND seq BETWEEN $2 AND $3";
        let asked = rows.iter().filter(|r| r.is_asked()).count();
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            let held = sqlx::query(HOLD).bind(job).bind(fence).bind(i32::try_from(asked).unwrap_or(0)).execute(&mut *tx).await?.rows_affected();
            if held == 0 {
                return Ok(false);
            }
            // Rows that stand one behind the other and became the same are one statement.
            for run in rows.chunk_by(|a, b| a.seq + 1 == b.seq && a.state == b.state && a.reason == b.reason) {
                let (row, last) = (&run[0], run.last().map_or(run[0].seq, |r| r.seq));
                for answered in run.iter().filter(|r| r.state == JobRowState::Answered) {
                    sqlx::query(KEEP).bind(job).bind(answered.seq).bind(answered.answer.as_ref().map(Json)).execute(&mut *tx).await?;
                }
                sqlx::query(SET).bind(job).bind(row.seq).bind(last).bind(row.state).bind(&row.reason).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            Ok(true)
        })
    }
}
