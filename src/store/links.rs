//! Until when the links of a session to the viewer were revoked.

use super::{Store, on, on_durable};

impl Store {
    /// Until when links of a session were revoked, 0 when they never were; `None` when there is no such session, or the key that
    /// made it was revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn links_revoked_until(&self, session: &str) -> Result<Option<i64>, sqlx::Error> {
        const GET: &str =
            "SELECT coalesce((SELECT until_ms FROM link_revocations WHERE session_id = $1), 0) FROM chat_sessions WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM threads t JOIN api_keys k ON t.thread_key LIKE 'web|' || k.id || '|%'
                WHERE t.session_id = $1 AND k.revoked_at_ms IS NOT NULL)";
        let row: Option<(i64,)> = on!(self, pool => sqlx::query_as(GET).bind(session).fetch_optional(pool).await?);
        Ok(row.map(|(until_ms,)| until_ms))
    }

    /// Revokes the links of a session that were made until this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_links(&self, session: &str, until_ms: i64) -> Result<(), sqlx::Error> {
        const PUT: &str = "INSERT INTO link_revocations (session_id, until_ms) VALUES ($1, $2)
            ON CONFLICT (session_id) DO UPDATE SET until_ms = excluded.until_ms";
        on_durable!(self, pool => sqlx::query(PUT).bind(session).bind(until_ms).execute(pool).await.map(|_| ()))
    }
}
