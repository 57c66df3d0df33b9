//! Sessions whose thread belongs to a key of the REST API.

use super::sessions::{Session, Thread};
use super::{Store, inside, on, on_durable};
use crate::sheet::SheetId;
use chat::{Platform, ThreadKey};

/// A session as programs see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSession {
    /// Session id.
    pub id: String,
    /// The sheet.
    pub sheet_id: String,
    /// The sheet's name when it was chosen.
    pub sheet_name: String,
    /// When it began, RFC 3339.
    pub created_at: String,
}

type Row = (String, String, String, sqlx::types::chrono::DateTime<sqlx::types::chrono::Utc>, String);

const FROM: &str = "FROM chat_sessions s JOIN threads t ON t.session_id = s.id WHERE t.thread_key LIKE $1 ESCAPE '!'";

/// The LIKE pattern of all threads of a key.
fn threads_of(key: &str) -> String {
    let all = ThreadKey { platform: Platform::Web, install: key.to_owned(), conversation: String::new(), root: None }.storage_key();
    inside(all.trim_end_matches('|'))
}

fn session((id, sheet_id, sheet_name, created_at, thread): Row) -> (WebSession, String) {
    let created_at = jiff::Timestamp::from_millisecond(created_at.timestamp_millis()).map(|t| t.to_string()).unwrap_or_default();
    (WebSession { id, sheet_id, sheet_name, created_at }, thread)
}

impl Store {
    /// Sessions of a key, newest first, and how many there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn web_sessions(&self, key: &str, most: i64, skip: i64) -> Result<(Vec<WebSession>, i64), sqlx::Error> {
        let like = threads_of(key);
        let list = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT s.id, s.sheet_id, s.sheet_name, s.created_at, t.thread_key {FROM} ORDER BY s.created_at DESC, s.id DESC LIMIT $2 OFFSET $3"
            ))
        };
        let count = || sqlx::AssertSqlSafe(format!("SELECT count(*) {FROM}"));
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(list()).bind(&like).bind(most).bind(skip).fetch_all(pool).await?);
        let (total,): (i64,) = on!(self, pool => sqlx::query_as(count()).bind(&like).fetch_one(pool).await?);
        Ok((rows.into_iter().map(|r| session(r).0).collect(), total))
    }

    /// A session of a key, and the key of its thread.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn web_session_details(&self, id: &str, key: &str) -> Result<Option<(WebSession, String)>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT s.id, s.sheet_id, s.sheet_name, s.created_at, t.thread_key {FROM} AND s.id = $2"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(threads_of(key)).bind(id).fetch_optional(pool).await?);
        Ok(row.map(session))
    }

    /// The same with the thread, for whoever goes on with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn web_session(&self, id: &str, key: &str) -> Result<Option<(Session, Thread)>, sqlx::Error> {
        let Some((found, thread)) = self.web_session_details(id, key).await? else { return Ok(None) };
        let Some(thread) = self.thread(&thread).await? else { return Ok(None) };
        let Ok(sheet) = SheetId::try_from(found.sheet_id) else { return Ok(None) };
        Ok(Some((Session { id: found.id, sheet, sheet_name: found.sheet_name }, thread)))
    }

    /// Deletes a session and what was shown in its thread; `false` while an event, a change or a job of it is not at its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_web_session(&self, id: &str, thread: &str) -> Result<bool, sqlx::Error> {
        const DELETE: &str = "DELETE FROM chat_sessions WHERE id = $1
            AND NOT EXISTS (SELECT 1 FROM changes WHERE session_id = $1 AND state = 'applying')
            AND NOT EXISTS (SELECT 1 FROM jobs WHERE session_id = $1 AND status IN ('queued', 'processing'))
            AND NOT EXISTS (SELECT 1 FROM inbox WHERE thread_key = $2 AND state IN ('new', 'taken'))";
        const THREAD: &str = "DELETE FROM threads WHERE thread_key = $1";
        const POSTS: &str = "DELETE FROM posts WHERE thread_key = $1";
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            if sqlx::query(DELETE).bind(id).bind(thread).execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(THREAD).bind(thread).execute(&mut *tx).await?;
            sqlx::query(POSTS).bind(thread).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(true)
        })
    }
}
