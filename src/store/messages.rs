//! What was said in a session, in the seed's table and roles.

use super::{Store, database_time, on};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::types::Json;

/// Who a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person.
    User,
    /// The bot.
    Assistant,
    /// A function that the model called.
    Function,
    /// The bot, saying that something failed.
    Error,
}

impl Role {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Function => "function",
            Self::Error => "error",
        }
    }
}

/// A message of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct MessageRecord {
    /// `user`, `assistant`, `function`, `system` or `error`.
    pub role: String,
    /// The words.
    pub content: String,
    /// The function, for role `function`.
    pub name: Option<String>,
    /// The seed's metadata.
    pub metadata: Value,
}

type Row = (String, String, Option<String>, Option<Json<Value>>);

impl Store {
    /// Adds a message; one that is there already (the same id) stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_message(
        &self,
        id: &str,
        session: &str,
        role: Role,
        content: &str,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let kind = match role {
            Role::Function => "SYSTEM".to_owned(),
            other => other.as_str().to_uppercase(),
        };
        let status = if role == Role::Error { "error" } else { "complete" };
        let mut metadata = json!({ "id": id, "type": kind, "timestamp": now.to_string(), "sessionId": session, "status": status });
        if let Some(name) = name {
            metadata["name"] = json!(name);
        }
        const ADD: &str = "INSERT INTO messages (id, session_id, role, content, name, timestamp, metadata, position)
            VALUES ($1, $2, $3, $4, $5, $6, $7, (SELECT coalesce(max(position), 0) + 1 FROM messages WHERE session_id = $2)) ON CONFLICT (id) DO NOTHING";
        on!(self, pool => sqlx::query(ADD).bind(id).bind(session).bind(role.as_str()).bind(content).bind(name)
            .bind(database_time(now)).bind(Json(metadata)).execute(pool).await.map(|_| ()))
    }

    /// The last messages of a session, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent_messages(&self, session: &str, count: i64) -> Result<Vec<MessageRecord>, sqlx::Error> {
        const GET: &str = "SELECT role, content, name, metadata FROM messages WHERE session_id = $1 ORDER BY position DESC LIMIT $2";
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(GET).bind(session).bind(count).fetch_all(pool).await?);
        let record = |(role, content, name, metadata): Row| MessageRecord {
            role,
            content,
            name,
            metadata: metadata.map(|Json(m)| m).unwrap_or_default(),
        };
        Ok(rows.into_iter().rev().map(record).collect())
    }
}
