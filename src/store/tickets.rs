//! Tickets of live connections that were used: each opens one, whichever process it comes to.

use super::{Store, on_write};

impl Store {
    /// Uses a ticket up, by its hash; `false` when it was used before. Those that have ended by themselves are forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_ticket(&self, hash: &str, until_ms: i64, now_ms: i64) -> Result<bool, sqlx::Error> {
        const OLD: &str = "DELETE FROM used_tickets WHERE until_ms < $1";
        const USE: &str = "INSERT INTO used_tickets (hash, until_ms) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING";
        let used = on_write!(self, pool => {
            sqlx::query(OLD).bind(now_ms).execute(pool).await?;
            sqlx::query(USE).bind(hash).bind(until_ms).execute(pool).await?.rows_affected()
        });
        Ok(used > 0)
    }
}
