//! What was said in a session, in the seed's table and roles.

use super::{Store, database_time, on, on_write};
use crate::sheet::SheetId;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::QueryBuilder;
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

impl MessageRecord {
    /// Whether somebody may be told of it where each person alone sees what they are answered.
    pub fn is_of(&self, asker: &str) -> bool {
        self.metadata["asker"] == asker
    }
}

/// A message to be remembered.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its id; one that is known already is not added again.
    pub id: String,
    /// Who it is from.
    pub role: Role,
    /// The words.
    pub content: String,
    /// The function, for role `function`.
    pub name: Option<&'static str>,
    /// What the person is called, for role `user`, as far as the platform tells.
    pub author: Option<String>,
    /// What stood beside the words, as the model reads it, for role `user`.
    pub beside: Option<String>,
    /// The sheet that was asked and how, for people who ask why, for role `function`.
    pub why: Option<(SheetId, String)>,
    /// Whoever asked, where somebody did.
    pub asker: Option<String>,
}

impl NewMessage {
    /// The seed's metadata.
    fn metadata(&self, session: &str, now: Timestamp) -> Value {
        let kind = match self.role {
            Role::Function => "SYSTEM".to_owned(),
            other => other.as_str().to_uppercase(),
        };
        let status = if self.role == Role::Error { "error" } else { "complete" };
        let mut metadata = json!({ "id": self.id, "type": kind, "timestamp": now.to_string(), "sessionId": session, "status": status });
        if let Some(name) = self.name {
            metadata["name"] = json!(name);
        }
        if let Some(author) = &self.author {
            metadata["author"] = json!(author);
        }
        if let Some(beside) = &self.beside {
            metadata["beside"] = json!(beside);
        }
        if let Some((sheet, why)) = &self.why {
            (metadata["why"], metadata["sheet"]) = (json!(why), json!(sheet.to_string()));
        }
        if let Some(asker) = &self.asker {
            metadata["asker"] = json!(asker);
        }
        metadata
    }
}

type Row = (String, String, Option<String>, Option<Json<Value>>);

impl Store {
    /// Adds messages in this order; one that is there already (the same id) stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_messages(&self, session: &str, messages: &[NewMessage], now: Timestamp) -> Result<(), sqlx::Error> {
        const ADD: &str = "INSERT INTO messages (id, session_id, role, content, name, timestamp, metadata, position) ";
        const LAST: &str = "(SELECT coalesce(max(position), 0) FROM messages WHERE session_id = ";
        on_write!(self, pool => {
            let mut sql = QueryBuilder::new(ADD);
            sql.push_values(messages.iter().zip(1i64..), |mut row, (m, n)| {
                row.push_bind(&m.id).push_bind(session).push_bind(m.role.as_str()).push_bind(&m.content).push_bind(m.name);
                row.push_bind(database_time(now)).push_bind(Json(m.metadata(session, now)));
                row.push(LAST).push_bind_unseparated(session).push_unseparated(") + ").push_bind_unseparated(n);
            });
            sql.push(" ON CONFLICT (id) DO NOTHING");
            sql.build().execute(pool).await.map(|_| ())
        })
    }

    /// The last messages of a session but for the very last `skip`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recent_messages(&self, session: &str, count: i64, skip: i64) -> Result<Vec<MessageRecord>, sqlx::Error> {
        const GET: &str =
            "SELECT role, content, name, metadata FROM messages WHERE session_id = $1 ORDER BY position DESC LIMIT $2 OFFSET $3";
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(GET).bind(session).bind(count).bind(skip).fetch_all(pool).await?);
        let record = |(role, content, name, metadata): Row| MessageRecord {
            role,
            content,
            name,
            metadata: metadata.map(|Json(m)| m).unwrap_or_default(),
        };
        Ok(rows.into_iter().rev().map(record).collect())
    }

    /// How what was answered last in a session was found, sheet by sheet; nothing where the last answer asked the sheet nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_why(&self, session: &str, asker: Option<&str>) -> Result<Vec<(SheetId, String)>, sqlx::Error> {
        const GET: &str = "SELECT metadata FROM messages WHERE session_id = $1 AND role = 'function' AND position >
            (SELECT coalesce(max(position), 0) FROM messages WHERE session_id = $1 AND role IN ('user', 'error')) ORDER BY position";
        let rows: Vec<(Json<Value>,)> = on!(self, pool => sqlx::query_as(GET).bind(session).fetch_all(pool).await?);
        let read = |(Json(metadata),): (Json<Value>,)| {
            let theirs = asker.is_none_or(|asker| metadata["asker"] == asker);
            let sheet = SheetId::try_from(metadata["sheet"].as_str()?.to_owned()).ok()?;
            Some((sheet, metadata["why"].as_str()?.to_owned())).filter(|_| theirs)
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// How many messages a session has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_messages(&self, session: &str) -> Result<i64, sqlx::Error> {
        const COUNT: &str = "SELECT count(*) FROM messages WHERE session_id = $1";
        let (n,): (i64,) = on!(self, pool => sqlx::query_as(COUNT).bind(session).fetch_one(pool).await?);
        Ok(n)
    }

    /// Forgets what was said in a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_messages(&self, session: &str) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM messages WHERE session_id = $1";
        Ok(on_write!(self, pool => sqlx::query(DELETE).bind(session).execute(pool).await?.rows_affected()))
    }
}
