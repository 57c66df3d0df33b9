//! What one process does for all: a lease by name.

use super::{Store, on_write};

impl Store {
    /// Takes or prolongs a lease; `false` while another process has it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self, name: &str, now_ms: i64, until_ms: i64) -> Result<bool, sqlx::Error> {
        const TAKE: &str = "INSERT INTO holders (name, owner, until_ms) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_ms = excluded.until_ms
            WHERE holders.owner = excluded.owner OR holders.until_ms < $4";
        let taken = on_write!(self, pool => sqlx::query(TAKE).bind(name).bind(self.owner()).bind(until_ms).bind(now_ms).execute(pool).await?.rows_affected());
        Ok(taken > 0)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// When the database fails; the lease runs out by itself.
    pub async fn let_go(&self, name: &str) -> Result<(), sqlx::Error> {
        const LEAVE: &str = "DELETE FROM holders WHERE name = $1 AND owner = $2";
        on_write!(self, pool => sqlx::query(LEAVE).bind(name).bind(self.owner()).execute(pool).await.map(drop))
    }
}
