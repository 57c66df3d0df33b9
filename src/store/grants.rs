//! What others have granted, with its tokens sealed: the Slack app in their workspace, Smartsheet in their name. And the
//! invitations that were used for it.

use super::audit::audit;
use super::{AuditAction, AuditEvent, Store, on, on_durable, on_write};
use serde_json::json;

const KEEP: &str = "INSERT INTO grants (kind, id, sealed, granted_at_ms) VALUES ($1, $2, $3, $4)
    ON CONFLICT (kind, id) DO UPDATE SET sealed = excluded.sealed, granted_at_ms = excluded.granted_at_ms, renewed_until_ms = 0";

fn entry(what: AuditAction, kind: &str, id: &str, at_ms: i64) -> AuditEvent {
    AuditEvent { at_ms, what, who: id.to_owned(), place: String::new(), subject: format!("grant:{kind}:{id}"), detail: json!({}) }
}

impl Store {
    /// What is kept, sealed, of a grant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant(&self, kind: &str, id: &str) -> Result<Option<String>, sqlx::Error> {
        const GET: &str = "SELECT sealed FROM grants WHERE kind = $1 AND id = $2";
        let row: Option<(String,)> = on!(self, pool => sqlx::query_as(GET).bind(kind).bind(id).fetch_optional(pool).await?);
        Ok(row.map(|(sealed,)| sealed))
    }

    /// The ids of all grants of a kind, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants(&self, kind: &str) -> Result<Vec<String>, sqlx::Error> {
        const GET: &str = "SELECT id FROM grants WHERE kind = $1 ORDER BY granted_at_ms, id";
        let rows: Vec<(String,)> = on!(self, pool => sqlx::query_as(GET).bind(kind).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Keeps a grant, in place of one that was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_grant(&self, kind: &str, id: &str, sealed: &str, granted_at_ms: i64) -> Result<(), sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(KEEP).bind(kind).bind(id).bind(sealed).bind(granted_at_ms).execute(&mut *tx).await?;
            audit!(tx, entry(AuditAction::Granted, kind, id, granted_at_ms));
            tx.commit().await
        })
    }

    /// The same by an invitation, which is used up with it; `false`, and nothing is kept, when it was used before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_invited(&self, kind: &str, id: &str, sealed: &str, now_ms: i64, invitation: &str) -> Result<bool, sqlx::Error> {
        const USE: &str = "INSERT INTO invitations (id, used_at_ms) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
        Ok(on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            let used = sqlx::query(USE).bind(invitation).bind(now_ms).execute(&mut *tx).await?.rows_affected() > 0;
            if used {
                sqlx::query(KEEP).bind(kind).bind(id).bind(sealed).bind(now_ms).execute(&mut *tx).await?;
                audit!(tx, entry(AuditAction::Granted, kind, id, now_ms));
                tx.commit().await?;
            }
            used
        }))
    }

    /// Forgets a grant that is older than a time; `false` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_grant(&self, kind: &str, id: &str, before_ms: i64, now_ms: i64) -> Result<bool, sqlx::Error> {
        const DELETE: &str = "DELETE FROM grants WHERE kind = $1 AND id = $2 AND granted_at_ms < $3";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if sqlx::query(DELETE).bind(kind).bind(id).bind(before_ms).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            audit!(tx, entry(AuditAction::Withdrawn, kind, id, now_ms));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Takes it upon this process to renew the tokens of a grant until a time (0 gives the turn back); `false` while another one does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_renewal(&self, kind: &str, id: &str, now_ms: i64, until_ms: i64) -> Result<bool, sqlx::Error> {
        const TAKE: &str = "UPDATE grants SET renewed_until_ms = $4 WHERE kind = $1 AND id = $2 AND renewed_until_ms <= $3";
        let taken = on_write!(self, pool => {
            sqlx::query(TAKE).bind(kind).bind(id).bind(now_ms).bind(until_ms).execute(pool).await?.rows_affected()
        });
        Ok(taken > 0)
    }

    /// Keeps the renewed tokens of the grant that was given at this time; `false` when it was replaced or forgotten meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_renewed(&self, kind: &str, id: &str, sealed: &str, granted_at_ms: i64) -> Result<bool, sqlx::Error> {
        const RENEW: &str = "UPDATE grants SET sealed = $3, renewed_until_ms = 0 WHERE kind = $1 AND id = $2 AND granted_at_ms = $4";
        let kept = on_durable!(self, pool => {
            sqlx::query(RENEW).bind(kind).bind(id).bind(sealed).bind(granted_at_ms).execute(pool).await?.rows_affected()
        });
        Ok(kept > 0)
    }

    /// Forgets invitations that were used before this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_invitations(&self, before_ms: i64) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM invitations WHERE used_at_ms < $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(before_ms).execute(pool).await.map(|_| ()))
    }
}
