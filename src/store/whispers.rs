//! Answers that one person alone has seen, for as long as they may share them.

use super::{Asker, Store, on, on_write};
use chat::Anchor;
use serde_json::Value;
use sqlx::types::Json;

/// How long an answer can be shared, and its buttons work.
const KEPT_MS: i64 = 24 * 3_600 * 1_000;

impl Store {
    /// Keeps the answer that a person gets to an event; whether they were told it before. Older ones than a day go.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_whisper(
        &self,
        event: i64,
        person: &Asker,
        anchor: &Anchor,
        message: &Value,
        now_ms: i64,
    ) -> Result<bool, sqlx::Error> {
        const OLD: &str = "DELETE FROM whispers WHERE at_ms < $1";
        const PUT: &str = "INSERT INTO whispers (event_id, install, person, anchor, message, at_ms) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (event_id) DO UPDATE SET message = CASE WHEN whispers.told THEN whispers.message ELSE excluded.message END RETURNING told";
        on_write!(self, pool => {
            sqlx::query(OLD).bind(now_ms - KEPT_MS).execute(pool).await?;
            let put = sqlx::query_as(PUT).bind(event).bind(&person.install).bind(&person.id).bind(&anchor.0);
            put.bind(Json(message)).bind(now_ms).fetch_one(pool).await.map(|(told,): (bool,)| told)
        })
    }

    /// Notes that a person was told the answer to an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn whispered(&self, event: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE whispers SET told = TRUE WHERE event_id = $1";
        on_write!(self, pool => sqlx::query(SET).bind(event).execute(pool).await.map(|_| ()))
    }

    /// Lets what could not be shown to everybody be shared once more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_whisper_back(&self, event: i64) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE whispers SET shared = FALSE WHERE event_id = $1";
        on_write!(self, pool => sqlx::query(SET).bind(event).execute(pool).await.map(|_| ()))
    }

    /// Where the person was who alone has seen the answer to an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn whispered_at(&self, event: i64, person: &Asker) -> Result<Option<Anchor>, sqlx::Error> {
        const GET: &str = "SELECT anchor FROM whispers WHERE event_id = $1 AND person = $2 AND install = $3";
        let at: Option<(String,)> =
            on!(self, pool => sqlx::query_as(GET).bind(event).bind(&person.id).bind(&person.install).fetch_optional(pool).await?);
        Ok(at.map(|(anchor,)| Anchor(anchor)))
    }

    /// Hands out what a person alone has seen, and where they did: once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_whisper(&self, event: i64, person: &Asker) -> Result<Option<(Anchor, Value)>, sqlx::Error> {
        const TAKE: &str = "UPDATE whispers SET shared = TRUE WHERE event_id = $1 AND person = $2 AND install = $3 AND NOT shared RETURNING anchor, message";
        let taken: Option<(String, Json<Value>)> = on_write!(self, pool => {
            sqlx::query_as(TAKE).bind(event).bind(&person.id).bind(&person.install).fetch_optional(pool).await?
        });
        Ok(taken.map(|(anchor, Json(message))| (Anchor(anchor), message)))
    }
}
