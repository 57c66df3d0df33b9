//! Rate budgets that all processes share: each is a bucket that fills up with time.

use super::{Db, Store, on_write};
use crate::smartsheet::SharedBudget;
use async_trait::async_trait;
use std::time::Duration;

/// A wait is never longer, whatever a clock that was put back makes of it.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

impl Store {
    /// Takes `cost` from a budget that gives back one every `refill` and holds `burst`. Returns how long to wait before it is
    /// used: who comes later waits longer. Time is that of the database, whatever the clocks of the processes say.
    ///
    /// # Errors
    /// When the database fails; nothing was taken.
    pub async fn take_from_budget(&self, name: &str, cost: u32, refill: Duration, burst: u32) -> Result<Duration, sqlx::Error> {
        let now = match self.writes {
            Db::Sqlite(_) => "CAST(unixepoch('subsec') * 1000 AS BIGINT)",
            Db::Pg(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        };
        let (least, greatest) = match self.writes {
            Db::Sqlite(_) => ("min", "max"),
            Db::Pg(_) => ("least", "greatest"),
        };
        let take = || {
            sqlx::AssertSqlSafe(format!(
                "INSERT INTO rate_budgets (name, whole_at_ms) VALUES ($1, {now} + $2) ON CONFLICT (name) DO UPDATE
                SET whole_at_ms = {greatest}({now}, {least}(rate_budgets.whole_at_ms, {now} + $3)) + $2 RETURNING whole_at_ms - {now}"
            ))
        };
        let of = |n: u32| i64::try_from(refill.as_millis()).unwrap_or(i64::MAX).saturating_mul(n.into());
        let longest = of(burst) + LONGEST_WAIT.as_millis() as i64;
        let (whole_in,): (i64,) =
            on_write!(self, pool => sqlx::query_as(take()).bind(name).bind(of(cost)).bind(longest).fetch_one(pool).await?);
        Ok(Duration::from_millis(u64::try_from(whole_in - of(burst)).unwrap_or_default()))
    }

    /// Forgets budgets that have been whole since a moment before this one: they are as good as never used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_whole_budgets(&self, now_ms: i64) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM rate_budgets WHERE whole_at_ms < $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(now_ms).execute(pool).await.map(|r| r.rows_affected()))
    }
}

#[async_trait]
impl SharedBudget for Store {
    async fn take(&self, name: &str, cost: u32, refill: Duration, burst: u32) -> Result<Duration, String> {
        self.take_from_budget(name, cost, refill, burst).await.map_err(|e| e.to_string())
    }
}
