//! Questions that wait for the sheet of their thread.

use super::{Store, on, on_write};
use chat::Incoming;
use sqlx::types::Json;

impl Store {
    /// Keeps a question until a sheet is chosen in its thread; a question that is kept already takes these words. Whether another one waited there before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_question(&self, question: &Incoming) -> Result<bool, sqlx::Error> {
        const PUT: &str = "INSERT INTO waiting_questions (dedupe_key, thread_key, event, asked_at_ms) VALUES ($1, $2, $3, $4)
            ON CONFLICT (dedupe_key) DO UPDATE SET event = excluded.event";
        const OTHERS: &str = "SELECT 1 FROM waiting_questions WHERE thread_key = $1 AND dedupe_key <> $2 LIMIT 1";
        let (key, thread) = (question.dedupe_key(), question.thread.storage_key());
        let other: Option<(i32,)> = on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            let put = sqlx::query(PUT).bind(&key).bind(&thread).bind(Json(question)).bind(question.received_at_ms);
            put.execute(&mut *tx).await?;
            let other = sqlx::query_as(OTHERS).bind(&thread).bind(&key).fetch_optional(&mut *tx).await?;
            tx.commit().await?;
            other
        });
        Ok(other.is_some())
    }

    /// Gives a question that waits other words; whether it waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reword_question(&self, question: &Incoming) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE waiting_questions SET event = $2 WHERE dedupe_key = $1";
        let changed = on_write!(self, pool => {
            sqlx::query(SET).bind(question.dedupe_key()).bind(Json(question)).execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }

    /// The questions that wait in a thread, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_questions(&self, thread: &str) -> Result<Vec<Incoming>, sqlx::Error> {
        const GET: &str = "SELECT event FROM waiting_questions WHERE thread_key = $1 ORDER BY id";
        let rows: Vec<(Json<Incoming>,)> = on!(self, pool => sqlx::query_as(GET).bind(thread).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(Json(question),)| question).collect())
    }

    /// The questions that wait in the threads of a conversation, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn questions_inside(&self, conversation: &str) -> Result<Vec<Incoming>, sqlx::Error> {
        const GET: &str = "SELECT event FROM waiting_questions WHERE thread_key LIKE $1 ESCAPE '!' ORDER BY id";
        let threads = super::inside(conversation);
        let rows: Vec<(Json<Incoming>,)> = on!(self, pool => sqlx::query_as(GET).bind(&threads).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(Json(question),)| question).collect())
    }

    /// Drops a question that waits no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_question(&self, question: &Incoming) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM waiting_questions WHERE dedupe_key = $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(question.dedupe_key()).execute(pool).await.map(|_| ()))
    }
}
