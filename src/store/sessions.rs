//! Threads and the sessions they are bound to.

use super::{Asker, Store, database_time, on, on_write};
use crate::sheet::SheetId;
use chat::{Anchor, Incoming, ThreadKey};
use jiff::Timestamp;
use sqlx::types::Json;
use uuid::Uuid;

/// What the bot remembers of a conversation: its sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Session id.
    pub id: String,
    /// The sheet that the conversation is about.
    pub sheet: SheetId,
    /// The sheet's name when it was chosen.
    pub sheet_name: String,
}

/// A thread of a platform.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its key.
    pub key: ThreadKey,
    /// Where to post.
    pub anchor: Anchor,
    /// Its session, once a sheet was chosen.
    pub session_id: Option<String>,
    /// When somebody last said stop, in epoch milliseconds.
    pub stop_at_ms: i64,
}

type ThreadRow = (Json<ThreadKey>, String, Option<String>, i64);

impl Store {
    /// The thread with this key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thread(&self, key: &str) -> Result<Option<Thread>, sqlx::Error> {
        const GET: &str = "SELECT thread, anchor, session_id, stop_at_ms FROM threads WHERE thread_key = $1";
        let row: Option<ThreadRow> = on!(self, pool => sqlx::query_as(GET).bind(key).fetch_optional(pool).await?);
        Ok(row.map(|(Json(key), anchor, session_id, stop_at_ms)| Thread { key, anchor: Anchor(anchor), session_id, stop_at_ms }))
    }

    /// The thread of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn thread_of_session(&self, session: &str) -> Result<Option<Thread>, sqlx::Error> {
        const GET: &str = "SELECT thread_key FROM threads WHERE session_id = $1";
        let row: Option<(String,)> = on!(self, pool => sqlx::query_as(GET).bind(session).fetch_optional(pool).await?);
        match row {
            Some((key,)) => self.thread(&key).await,
            None => Ok(None),
        }
    }

    /// Remembers a thread and where to post in it; an existing one keeps its session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remember_thread(&self, key: &ThreadKey, anchor: &Anchor) -> Result<(), sqlx::Error> {
        const PUT: &str = "INSERT INTO threads (thread_key, thread, anchor) VALUES ($1, $2, $3) ON CONFLICT (thread_key) DO UPDATE SET anchor = excluded.anchor
            WHERE threads.anchor <> excluded.anchor";
        on_write!(self, pool => sqlx::query(PUT).bind(key.storage_key()).bind(Json(key)).bind(&anchor.0).execute(pool).await.map(|_| ()))
    }

    /// Forgets a conversation, its threads and what was said and shown in them: the bot no longer takes part in them. Their sessions stay. An empty
    /// conversation stands for all of the install.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_conversation(&self, key: &ThreadKey) -> Result<(), sqlx::Error> {
        const DELETE: &str = "DELETE FROM threads WHERE thread_key = $1 OR thread_key LIKE $2 ESCAPE '!'";
        const POSTS: &str = "DELETE FROM posts WHERE thread_key = $1 OR thread_key LIKE $2 ESCAPE '!'";
        const QUESTIONS: &str = "DELETE FROM waiting_questions WHERE thread_key = $1 OR thread_key LIKE $2 ESCAPE '!'";
        // Nothing leads to them when the threads are gone.
        const MESSAGES: &str = "DELETE FROM messages WHERE session_id IN (SELECT session_id FROM threads WHERE thread_key = $1 OR thread_key LIKE $2 ESCAPE '!')";
        let conversation = ThreadKey { root: None, ..key.clone() }.storage_key();
        let like = super::inside(conversation.trim_end_matches('|'));
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            for forget in [MESSAGES, DELETE, POSTS, QUESTIONS] {
                sqlx::query(forget).bind(&conversation).bind(&like).execute(&mut *tx).await?;
            }
            tx.commit().await
        })
    }

    /// A conversation goes on as `to`: its session, what waits there, what was changed and what runs. What was posted stays
    /// behind and cannot be edited any more, so jobs say the rest anew. Nothing happens when a sheet was chosen there already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_thread(&self, from: &str, to: &ThreadKey, anchor: &Anchor) -> Result<(), sqlx::Error> {
        const CLEAR: &str =
            "DELETE FROM threads WHERE thread_key = $1 AND session_id IS NULL AND EXISTS (SELECT 1 FROM threads WHERE thread_key = $2)";
        const MOVE: &str = "UPDATE threads SET thread_key = $1, thread = $3, anchor = $4
            WHERE thread_key = $2 AND NOT EXISTS (SELECT 1 FROM threads WHERE thread_key = $1)";
        const PROPOSALS: &str = "UPDATE proposals SET thread_key = $1, message = NULL WHERE thread_key = $2";
        const CHANGES: &str = "UPDATE changes SET thread_key = $1 WHERE thread_key = $2";
        const JOBS: &str = "UPDATE jobs SET thread_key = $1, anchor = $3, message = NULL WHERE thread_key = $2";
        const WAITING: &str = "SELECT id, event FROM waiting_questions WHERE thread_key = $1 ORDER BY id";
        const QUESTION: &str = "UPDATE waiting_questions SET thread_key = $2, event = $3 WHERE id = $1";
        // Behind what was shown there already, in which nothing of it can be found again.
        const POSTS: &str =
            "UPDATE posts SET thread_key = $1, revision = revision + (SELECT coalesce(max(revision), 0) FROM posts WHERE thread_key = $1),
            shown = shown + (SELECT coalesce(max(revision), 0) FROM posts WHERE thread_key = $1) WHERE thread_key = $2";
        let key = to.storage_key();
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(CLEAR).bind(&key).bind(from).execute(&mut *tx).await?;
            let moved = sqlx::query(MOVE).bind(&key).bind(from).bind(Json(to)).bind(&anchor.0).execute(&mut *tx).await?.rows_affected();
            if moved > 0 {
                for also in [PROPOSALS, CHANGES, POSTS] {
                    sqlx::query(also).bind(&key).bind(from).execute(&mut *tx).await?;
                }
                sqlx::query(JOBS).bind(&key).bind(from).bind(&anchor.0).execute(&mut *tx).await?;
                let waiting: Vec<(i64, Json<Incoming>)> = sqlx::query_as(WAITING).bind(from).fetch_all(&mut *tx).await?;
                for (id, Json(question)) in waiting {
                    let moved = Incoming { thread: to.clone(), anchor: anchor.clone(), ..question };
                    sqlx::query(QUESTION).bind(id).bind(&key).bind(Json(moved)).execute(&mut *tx).await?;
                }
            }
            tx.commit().await?;
        });
        Ok(())
    }

    /// The session of a thread.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_of(&self, thread: &str) -> Result<Option<Session>, sqlx::Error> {
        const GET: &str =
            "SELECT s.id, s.sheet_id, s.sheet_name FROM chat_sessions s JOIN threads t ON t.session_id = s.id WHERE t.thread_key = $1";
        let row: Option<(String, String, String)> = on!(self, pool => sqlx::query_as(GET).bind(thread).fetch_optional(pool).await?);
        Ok(row.and_then(|(id, sheet, sheet_name)| Some(Session { id, sheet: SheetId::try_from(sheet).ok()?, sheet_name })))
    }

    /// Binds a thread to a sheet, making its session when it has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bind_sheet(
        &self,
        key: &ThreadKey,
        anchor: &Anchor,
        sheet: SheetId,
        name: &str,
        now: Timestamp,
    ) -> Result<Session, sqlx::Error> {
        let thread = key.storage_key();
        self.remember_thread(key, anchor).await?;
        let now = database_time(now);
        if let Some(session) = self.session_of(&thread).await? {
            const SET: &str = "UPDATE chat_sessions SET sheet_id = $2, sheet_name = $3, updated_at = $4 WHERE id = $1";
            on_write!(self, pool => sqlx::query(SET).bind(&session.id).bind(sheet.to_string()).bind(name).bind(now).execute(pool).await?.rows_affected());
            return Ok(Session { sheet, sheet_name: name.into(), ..session });
        }
        let id = Uuid::now_v7().to_string();
        const ADD: &str = "INSERT INTO chat_sessions (id, sheet_id, sheet_name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)";
        const BIND: &str = "UPDATE threads SET session_id = $2 WHERE thread_key = $1";
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(ADD).bind(&id).bind(sheet.to_string()).bind(name).bind(now).execute(&mut *tx).await?;
            sqlx::query(BIND).bind(&thread).bind(&id).execute(&mut *tx).await?;
            tx.commit().await?;
        });
        Ok(Session { id, sheet, sheet_name: name.into() })
    }

    /// The sheets that a person has lately talked about, the last one first: as far as the last few thousand events tell.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent_sheets(&self, person: &Asker, most: i64) -> Result<Vec<(SheetId, String)>, sqlx::Error> {
        const GET: &str = "SELECT s.sheet_id, max(s.sheet_name) FROM (SELECT id, thread_key, event FROM inbox ORDER BY id DESC LIMIT 3000) i JOIN threads t ON t.thread_key = i.thread_key
            JOIN chat_sessions s ON s.id = t.session_id WHERE i.thread_key LIKE $1 ESCAPE '!' AND i.event->'sender'->>'id' = $2
            GROUP BY s.sheet_id ORDER BY max(i.id) DESC LIMIT $3";
        let like = super::inside(&person.install);
        let rows: Vec<(String, String)> =
            on!(self, pool => sqlx::query_as(GET).bind(&like).bind(&person.id).bind(most).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(|(id, name)| Some((SheetId::try_from(id).ok()?, name))).collect())
    }

    /// Notes that somebody said stop.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn request_stop(&self, thread: &str, at_ms: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE threads SET stop_at_ms = $2 WHERE thread_key = $1";
        on_write!(self, pool => sqlx::query(SET).bind(thread).bind(at_ms).execute(pool).await.map(|_| ()))
    }
}
