//! What the bot shows in threads of the web: each message as it is now, and in which order they changed.

use super::{Store, on, on_write};
use serde_json::Value;
use sqlx::types::Json;

/// A message that the bot shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Grows with every change in the thread.
    pub revision: i64,
    /// Whether it is still growing.
    pub partial: bool,
    /// Its blocks, and its text.
    pub body: Value,
    /// When it was first shown, epoch milliseconds.
    pub created_at_ms: i64,
}

type Row = (String, i64, bool, Json<Value>, i64);

macro_rules! bind_post {
    ($put:expr, $thread:expr, $post:expr) => {
        $put.bind(&$post.id).bind($thread).bind($post.partial).bind(Json(&$post.body)).bind($post.created_at_ms)
    };
}

impl Store {
    /// Shows a message in a thread, or changes it; returns its revision, `None` when it should be changed and is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_post(&self, thread: &str, post: &Post, new: bool) -> Result<Option<i64>, sqlx::Error> {
        const NEXT: &str = "(SELECT coalesce(max(revision), 0) + 1 FROM posts WHERE thread_key = $2)";
        let sql = || {
            sqlx::AssertSqlSafe(match new {
                true => format!(
                    "INSERT INTO posts (id, thread_key, revision, partial, body, created_at_ms) VALUES ($1, $2, {NEXT}, $3, $4, $5) RETURNING revision"
                ),
                false => format!(
                    "UPDATE posts SET revision = {NEXT}, partial = $3, body = $4 WHERE id = $1 AND thread_key = $2 AND $5 >= 0 RETURNING revision"
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

    /// The newest revision of a thread; 0 when nothing was shown in it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_revision(&self, thread: &str) -> Result<i64, sqlx::Error> {
        const GET: &str = "SELECT coalesce(max(revision), 0) FROM posts WHERE thread_key = $1";
        let (revision,): (i64,) = on!(self, pool => sqlx::query_as(GET).bind(thread).fetch_one(pool).await?);
        Ok(revision)
    }

    /// What was shown or changed in a thread after this revision, in the order of the changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn posts_after(&self, thread: &str, revision: i64, most: i64) -> Result<Vec<Post>, sqlx::Error> {
        const GET: &str = "SELECT id, revision, partial, body, created_at_ms FROM posts WHERE thread_key = $1 AND revision > $2 ORDER BY revision LIMIT $3";
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(GET).bind(thread).bind(revision).bind(most).fetch_all(pool).await?);
        let post = |(id, revision, partial, Json(body), created_at_ms): Row| Post { id, revision, partial, body, created_at_ms };
        Ok(rows.into_iter().map(post).collect())
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
