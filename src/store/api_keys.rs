//! Keys of programs that use the REST API: what they may do, and hashes of their secrets.

use super::audit::audit;
use super::{AuditAction, AuditEvent, Store, on, on_durable, on_write};
use serde_json::{Value, json};

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// SHA-256 of its secret, in hexadecimal digits.
    pub secret_hash: String,
    /// What it may do, separated by spaces.
    pub scopes: String,
    /// When it was made, epoch milliseconds.
    pub created_at_ms: i64,
    /// When it was last used, about.
    pub last_used_at_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
}

type Row = (String, String, String, String, i64, Option<i64>, Option<i64>);
const COLUMNS: &str = "id, name, secret_hash, scopes, created_at_ms, last_used_at_ms, revoked_at_ms";

fn key((id, name, secret_hash, scopes, created_at_ms, last_used_at_ms, revoked_at_ms): Row) -> ApiKey {
    ApiKey { id, name, secret_hash, scopes, created_at_ms, last_used_at_ms, revoked_at_ms }
}

fn of_key(what: AuditAction, id: &str, at_ms: i64, detail: Value) -> AuditEvent {
    AuditEvent { at_ms, what, who: "operator".into(), place: String::new(), subject: format!("key:{id}"), detail }
}

impl Store {
    /// Keeps a new key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_api_key(&self, key: &ApiKey) -> Result<(), sqlx::Error> {
        const ADD: &str = "INSERT INTO api_keys (id, name, secret_hash, scopes, created_at_ms) VALUES ($1, $2, $3, $4, $5)";
        on_durable!(self, pool => {
            let add = sqlx::query(ADD).bind(&key.id).bind(&key.name).bind(&key.secret_hash).bind(&key.scopes).bind(key.created_at_ms);
            let mut tx = pool.begin().await?;
            add.execute(&mut *tx).await?;
            audit!(tx, of_key(AuditAction::KeyMade, &key.id, key.created_at_ms, json!({ "name": key.name, "scopes": key.scopes })));
            tx.commit().await
        })
    }

    /// The key with this id, revoked or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_keys WHERE id = $1"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(id).fetch_optional(pool).await?);
        Ok(row.map(key))
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM api_keys ORDER BY created_at_ms, id"));
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql()).fetch_all(pool).await?);
        Ok(rows.into_iter().map(key).collect())
    }

    /// Revokes a key; `false` when there is none that works.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_api_key(&self, id: &str, now_ms: i64) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE api_keys SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if sqlx::query(SET).bind(id).bind(now_ms).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            audit!(tx, of_key(AuditAction::KeyRevoked, id, now_ms, json!({})));
            tx.commit().await?;
            Ok(true)
        })
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key_used(&self, id: &str, now_ms: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE api_keys SET last_used_at_ms = $2 WHERE id = $1";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(now_ms).execute(pool).await.map(|_| ()))
    }
}
