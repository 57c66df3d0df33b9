//! Who may write to a sheet at the moment, among processes: a lease a sheet.

use super::{Store, on_write};
use crate::sheet::SheetId;

impl Store {
    /// Takes or prolongs the lease of a sheet; `None` while somebody else has it. What is returned grows by one
    /// with every owner, so that who comes back sees whether anybody was there in between.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_sheet(&self, sheet: SheetId, owner: &str, now_ms: i64, until_ms: i64) -> Result<Option<i64>, sqlx::Error> {
        const TAKE: &str = "INSERT INTO sheet_writers (sheet_id, owner, until_ms, turns) VALUES ($1, $2, $3, 1)
            ON CONFLICT (sheet_id) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms,
            turns = sheet_writers.turns + CASE WHEN sheet_writers.owner = excluded.owner THEN 0 ELSE 1 END
            WHERE sheet_writers.owner = excluded.owner OR sheet_writers.until_ms < $4 RETURNING turns";
        let turns: Option<(i64,)> =
            on_write!(self, pool => sqlx::query_as(TAKE).bind(sheet.0).bind(owner).bind(until_ms).bind(now_ms).fetch_optional(pool).await?);
        Ok(turns.map(|(n,)| n))
    }

    /// Gives the lease of a sheet back: from this time on others may write to it.
    ///
    /// # Errors
    /// When the database fails; the lease runs out by itself.
    pub async fn leave_sheet(&self, sheet: SheetId, owner: &str, until_ms: i64) -> Result<(), sqlx::Error> {
        const LEAVE: &str = "UPDATE sheet_writers SET until_ms = $3 WHERE sheet_id = $1 AND owner = $2";
        on_write!(self, pool => sqlx::query(LEAVE).bind(sheet.0).bind(owner).bind(until_ms).execute(pool).await.map(|_| ()))
    }
}
