//! What is shown in threads: each message as it is now, and in which order they changed.

use super::{Store, on, on_write};
use serde_json::Value;
use sqlx::types::Json;

/// A message in a thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Grows with every change in the thread.
    pub revision: i64,
    /// Whether it is still growing.
    pub partial: bool,
    /// Its blocks, and its text; of people the text alone.
    pub body: Value,
    /// Who said it, where that was not the bot; empty when nobody knows.
    pub author: Option<String>,
    /// When it was first shown, epoch milliseconds.
    pub created_at_ms: i64,
}

type Row = (String, i64, bool, Json<Value>, Option<String>, i64);
const COLUMNS: &str = "id, revision, partial, body, author, created_at_ms";

fn post((id, revision, partial, Json(body), author, created_at_ms): Row) -> Post {
    Post { id, revision, partial, body, author, created_at_ms }
}

macro_rules! bind_post {
    ($put:expr, $thread:expr, $post:expr) => {
        $put.bind(&$post.id).bind($thread).bind($post.partial).bind(Json(&$post.body)).bind(&$post.author).bind($post.created_at_ms)
    };
}

impl Store {
    /// Shows a message in a thread, or changes it; returns its revision. `None` when a new one was there already, or one that
    /// should be changed is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_post(&self, thread: &str, post: &Post, new: bool) -> Result<Option<i64>, sqlx::Error> {
        // Never smaller than the time, so that they go on growing when all that was shown has been cleared.
        const NEXT: &str =
            "(SELECT CASE WHEN coalesce(max(revision), 0) < $6 THEN $6 ELSE max(revision) + 1 END FROM posts WHERE thread_key = $2)";
        let sql = || {
            sqlx::AssertSqlSafe(match new {
                true => format!(
                    "INSERT INTO posts (id, thread_key, revision, shown, partial, body, author, created_at_ms)
                    VALUES ($1, $2, {NEXT}, {NEXT}, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING revision"
                ),
                false => format!(
                    "UPDATE posts SET revision = {NEXT}, partial = $3, body = $4, author = $5 WHERE id = $1 AND thread_key = $2 RETURNING revision"
                ),
            })
        };
        /// Two messages of a thread that change at the same time take their revisions one after the other.
        const ONE_BY_ONE: &str = "SELECT pg_advisory_xact_lock(hashtext($1))";
        let row: Option<(i64,)> = match &self.writes {
            super::Db::Sqlite(pool) => {
                let _turn = self.turn.lock().await;
                bind_post!(sqlx::query_as(sql()), thread, post).fetch_optional(pool).await?
            }
            super::Db::Pg(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query(ONE_BY_ONE).bind(thread).execute(&mut *tx).await?;
                let row = bind_post!(sqlx::query_as(sql()), thread, post).fetch_optional(&mut *tx).await?;
                tx.commit().await?;
                row
            }
        };
        Ok(row.map(|(r,)| r))
    }

    /// The thread that a message stands in, and its revision.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place_of_post(&self, id: &str) -> Result<Option<(String, i64)>, sqlx::Error> {
        const GET: &str = "SELECT thread_key, revision FROM posts WHERE id = $1";
        on!(self, pool => sqlx::query_as(GET).bind(id).fetch_optional(pool).await)
    }

    /// The newest revision of a thread; 0 when nothing was shown in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_revision(&self, thread: &str) -> Result<i64, sqlx::Error> {
        const GET: &str = "SELECT coalesce(max(revision), 0) FROM posts WHERE thread_key = $1";
        let (revision,): (i64,) = on!(self, pool => sqlx::query_as(GET).bind(thread).fetch_one(pool).await?);
        Ok(revision)
    }

    /// What was shown or changed in a thread after this revision, in the order of the changes; the newest when there are more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn posts_after(&self, thread: &str, revision: i64, most: i64) -> Result<Vec<Post>, sqlx::Error> {
        let get = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM posts WHERE thread_key = $1 AND revision > $2 ORDER BY revision DESC LIMIT $3"
            ))
        };
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(get()).bind(thread).bind(revision).bind(most).fetch_all(pool).await?);
        Ok(rows.into_iter().rev().map(post).collect())
    }

    /// The last messages of a thread, in the order in which they were first shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_posts(&self, thread: &str, most: i64) -> Result<Vec<Post>, sqlx::Error> {
        let get = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM posts WHERE thread_key = $1 ORDER BY shown DESC LIMIT $2"));
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(get()).bind(thread).bind(most).fetch_all(pool).await?);
        Ok(rows.into_iter().rev().map(post).collect())
    }

    /// Takes everything away that was shown in a thread.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_posts(&self, thread: &str) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM posts WHERE thread_key = $1";
        Ok(on_write!(self, pool => sqlx::query(DELETE).bind(thread).execute(pool).await?.rows_affected()))
    }
}
