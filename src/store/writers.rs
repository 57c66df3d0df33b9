//! Who may write to a sheet at the moment, among processes: a lease a sheet.

use super::{Store, on_write};
use crate::sheet::SheetId;

impl Store {
    /// Takes or prolongs the lease of a sheet; `false` while somebody else has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_sheet(&self, sheet: SheetId, owner: &str, now_ms: i64, until_ms: i64) -> Result<bool, sqlx::Error> {
        const TAKE: &str = "INSERT INTO sheet_writers (sheet_id, owner, until_ms) VALUES ($1, $2, $3)
            ON CONFLICT (sheet_id) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms
            WHERE sheet_writers.owner = excluded.owner OR sheet_writers.until_ms < $4";
        let taken = on_write!(self, pool => sqlx::query(TAKE).bind(sheet.0).bind(owner).bind(until_ms).bind(now_ms).execute(pool).await?.rows_affected());
        Ok(taken > 0)
    }

    /// Gives the lease of a sheet back.
    ///
    /// # Errors
    /// When the database fails; the lease runs out by itself.
    pub async fn leave_sheet(&self, sheet: SheetId, owner: &str) -> Result<(), sqlx::Error> {
        const LEAVE: &str = "DELETE FROM sheet_writers WHERE sheet_id = $1 AND owner = $2";
        on_write!(self, pool => sqlx::query(LEAVE).bind(sheet.0).bind(owner).execute(pool).await.map(|_| ()))
    }
}
