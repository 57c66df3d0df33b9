//! How much waits to be done, for operators.

use super::{Store, on};

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Jobs that are queued.
    pub jobs: i64,
    /// When the oldest of them was asked for, epoch milliseconds.
    pub oldest_job_ms: Option<i64>,
    /// Events that are not served yet.
    pub events: i64,
    /// When the oldest of them that nobody serves came in, epoch milliseconds.
    pub oldest_event_ms: Option<i64>,
}

impl Store {
    /// How much waits to be done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_work(&self) -> Result<Waiting, sqlx::Error> {
        const JOBS: &str = "SELECT count(*), min(created_at_ms) FROM jobs WHERE status = 'queued'";
        let (jobs, oldest_job_ms): (i64, Option<i64>) = on!(self, pool => sqlx::query_as(JOBS).fetch_one(pool).await?);
        const EVENTS: &str = "SELECT count(*), min(received_at_ms) FILTER (WHERE state = 'new') FROM inbox WHERE state IN ('new', 'taken')";
        let (events, oldest_event_ms): (i64, Option<i64>) = on!(self, pool => sqlx::query_as(EVENTS).fetch_one(pool).await?);
        Ok(Waiting { jobs, oldest_job_ms, events, oldest_event_ms })
    }
}
