//! Webhooks of sheets: wanted, made, working or not.

use super::{Store, on, on_durable, on_write};
use crate::sheet::SheetId;

/// The webhook of a sheet, made or wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRecord {
    /// The sheet.
    pub sheet: SheetId,
    /// Smartsheet's id of it, once it was made.
    pub webhook_id: Option<i64>,
    /// Its secret, sealed.
    pub secret: Option<String>,
    /// `WANTED`, or Smartsheet's word.
    pub status: String,
    /// How often it was tried in vain to make it work.
    pub tries: i64,
    /// When it is looked after again, epoch milliseconds.
    pub next_try_ms: i64,
}

type Row = (String, Option<i64>, Option<String>, String, i64, i64);
const COLUMNS: &str = "sheet_id, webhook_id, secret, status, tries, next_try_ms";

fn record((sheet, webhook_id, secret, status, tries, next_try_ms): Row) -> Option<WebhookRecord> {
    Some(WebhookRecord { sheet: SheetId::try_from(sheet).ok()?, webhook_id, secret, status, tries, next_try_ms })
}

/// What people have switched off, or Smartsheet for good, stays so.
pub const SWITCHED_OFF: [&str; 3] = ["DISABLED_BY_OWNER", "DISABLED_APP_REVOKED", "DISABLED_ADMINISTRATIVE"];

impl Store {
    /// Wants webhooks for all sheets that a thread is about and that have none. What is edited in a page belongs to a thread of
    /// its own, which is nobody's conversation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn want_webhooks(&self) -> Result<u64, sqlx::Error> {
        const MISSING: &str =
            "SELECT count(*) FROM chat_sessions s WHERE NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.sheet_id = s.sheet_id)
            AND EXISTS (SELECT 1 FROM threads t WHERE t.session_id = s.id AND t.thread_key NOT LIKE 'web|viewer-%')";
        const ADD: &str = "INSERT INTO webhooks (sheet_id, status) SELECT DISTINCT s.sheet_id, 'WANTED' FROM chat_sessions s
            WHERE EXISTS (SELECT 1 FROM threads t WHERE t.session_id = s.id AND t.thread_key NOT LIKE 'web|viewer-%') ON CONFLICT (sheet_id) DO NOTHING";
        let (missing,): (i64,) = on!(self, pool => sqlx::query_as(MISSING).fetch_one(pool).await?);
        if missing == 0 {
            return Ok(0);
        }
        Ok(on_write!(self, pool => sqlx::query(ADD).execute(pool).await?.rows_affected()))
    }

    /// The webhooks that are to be looked after now: whether they work, or since no thread needs them any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_to_look_after(&self, now_ms: i64) -> Result<Vec<(WebhookRecord, bool)>, sqlx::Error> {
        const NEEDED: &str =
            "EXISTS (SELECT 1 FROM chat_sessions s JOIN threads t ON t.session_id = s.id WHERE s.sheet_id = webhooks.sheet_id
            AND t.thread_key NOT LIKE 'web|viewer-%')";
        let sql = |needed: bool| {
            let condition = if needed {
                format!("next_try_ms <= $1 AND {NEEDED} AND status NOT IN ('{}')", SWITCHED_OFF.join("', '"))
            } else {
                // One that works is not looked at before long, but is removed at once.
                format!("(next_try_ms <= $1 OR (status = 'ENABLED' AND tries = 0)) AND NOT {NEEDED}")
            };
            sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM webhooks WHERE {condition}"))
        };
        let mut all = Vec::new();
        for needed in [true, false] {
            let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql(needed)).bind(now_ms).fetch_all(pool).await?);
            all.extend(rows.into_iter().filter_map(record).map(|r| (r, needed)));
        }
        Ok(all)
    }

    /// Takes it upon this process to look after a webhook until a time; `false` when another one was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_webhook(&self, webhook: &WebhookRecord, until_ms: i64) -> Result<bool, sqlx::Error> {
        const TAKE: &str = "UPDATE webhooks SET next_try_ms = $3 WHERE sheet_id = $1 AND next_try_ms = $2";
        let sheet = webhook.sheet.to_string();
        let taken = on_write!(self, pool => {
            sqlx::query(TAKE).bind(&sheet).bind(webhook.next_try_ms).bind(until_ms).execute(pool).await?.rows_affected()
        });
        Ok(taken > 0)
    }

    /// Keeps how a webhook stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_webhook(&self, webhook: &WebhookRecord) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE webhooks SET webhook_id = $2, secret = $3, status = $4, tries = $5, next_try_ms = $6 WHERE sheet_id = $1";
        let w = webhook;
        on_durable!(self, pool => {
            let set = sqlx::query(SET).bind(w.sheet.to_string()).bind(w.webhook_id).bind(&w.secret).bind(&w.status);
            set.bind(w.tries).bind(w.next_try_ms).execute(pool).await.map(|_| ())
        })
    }

    /// The webhook with Smartsheet's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook(&self, id: i64) -> Result<Option<WebhookRecord>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM webhooks WHERE webhook_id = $1"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(id).fetch_optional(pool).await?);
        Ok(row.and_then(record))
    }

    /// The webhook of a sheet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_of_sheet(&self, sheet: SheetId) -> Result<Option<WebhookRecord>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM webhooks WHERE sheet_id = $1"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(sheet.to_string()).fetch_optional(pool).await?);
        Ok(row.and_then(record))
    }

    /// Forgets a webhook that was deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_webhook(&self, sheet: SheetId) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM webhooks WHERE sheet_id = $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(sheet.to_string()).execute(pool).await.map(|_| ()))
    }
}
