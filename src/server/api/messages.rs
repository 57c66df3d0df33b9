//! `/api/messages`: what is said in a session, and what the bot answers.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Body, UrlQuery, Whence};
use super::idempotency::RequestName;
use super::problem::{Problem, Result};
use super::sessions::Page;
use crate::server::Web;
use crate::store::Post;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chat::What;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Characters of a message; models take no more for a reasonable price.
const LONGEST: usize = 20_000;
/// Messages of a page.
const MOST: i64 = 200;

/// What was said in a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Messages {
    /// The messages of this page, oldest first.
    pub messages: Vec<Message>,
    /// How many there are in all.
    pub total: i64,
}

/// A message as the session remembers it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// `user`, `assistant`, `function`, `system` or `error`.
    pub role: String,
    /// The words.
    pub content: String,
    /// The function, for role `function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id, type, timestamp, session and status.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

/// Something said, or a button pressed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMessage {
    /// The session.
    #[schema(max_length = 100)]
    pub session_id: String,
    /// The words; commands such as `undo` or `jobs` work, too.
    #[schema(max_length = 20000, example = "how many tasks are blocked?")]
    pub content: Option<String>,
    /// Instead of words: the `action` of a button in a message of the bot.
    #[schema(max_length = 64)]
    pub action: Option<String>,
}

/// What the bot shows after a message.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// `answered`, or `working`: it takes longer, and the WebSocket or `GET /api/messages` tell the rest.
    pub status: &'static str,
    /// The messages that are new or have changed, in the order of their last change: each with its id, its text and its blocks.
    #[schema(value_type = Vec<Object>)]
    pub messages: Vec<Value>,
}

/// Which session, and which of its messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Which {
    /// The session.
    #[param(max_length = 100)]
    pub session_id: String,
    /// From 1, which has the last messages.
    #[serde(default = "first")]
    #[param(minimum = 1, maximum = 100000, default = 1)]
    pub page: i64,
    /// At most this many.
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 200, default = 200)]
    pub page_size: i64,
}

fn first() -> i64 {
    1
}

fn usual_size() -> i64 {
    MOST
}

/// Which session.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Of {
    /// The session.
    #[param(max_length = 100)]
    pub session_id: String,
}

/// What was said in a session, in pages from the end: page 1 has the last messages.
#[utoipa::path(get, path = "/api/messages", tag = "messages", params(Which), responses((status = 200, body = Messages), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller, UrlQuery(which): UrlQuery<Which>) -> Result<Json<Messages>> {
    caller.needs(Scope::Chat)?;
    let (most, skip) = Page { page: which.page, page_size: which.page_size }.window(MOST)?;
    let (session, _) = api.session(&caller, &which.session_id).await?;
    let total = api.parts.store.count_messages(&session.id).await?;
    let messages = api.parts.store.recent_messages(&session.id, most, skip).await?.into_iter();
    let messages = messages.map(|m| Message { role: m.role, content: m.content, name: m.name, metadata: m.metadata });
    Ok(Json(Messages { messages: messages.collect(), total }))
}

/// Says something in a session, or presses a button; the answer is what the bot shows.
#[utoipa::path(post, path = "/api/messages", tag = "messages", request_body = NewMessage, responses((status = 200, body = Reply), (status = 202, body = Reply, description = "It takes longer."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Option<Extension<RequestName>>,
    whence: Whence,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Reply>)> {
    // Who may write may take that back.
    let takes_back = new.content.is_none() && new.action.as_ref().is_some_and(|action| action.starts_with("undo:"));
    caller.needs(if takes_back { Scope::Write } else { Scope::Chat })?;
    let (_, thread) = api.session(&caller, &new.session_id).await?;
    let what = match (new.content, new.action) {
        (Some(text), None) if !text.trim().is_empty() && text.chars().count() <= LONGEST => What::Text { text },
        (None, Some(action)) if !action.is_empty() && action.len() <= 64 => What::Press { action, message: None },
        _ => return Err(Problem::not_fitting(format!("Send either content (1 to {LONGEST} characters) or the action of a button."))),
    };
    let key = thread.key.storage_key();
    let before = api.parts.store.last_revision(&key).await?;
    let name = name.map_or_else(|| uuid::Uuid::new_v4().to_string(), |n| n.0.0);
    let served = api.happen_at(&caller, whence, &thread.key, &Web::anchor(&thread.key), &format!("message-{name}"), what).await?.done;
    let shown = api.parts.store.posts_after(&key, before, MOST).await?.into_iter();
    let shown = shown.filter(|p| p.author.is_none()).map(|p: Post| api.parts.links.opened_in(p.body)).collect();
    let (code, status) = if served { (StatusCode::OK, "answered") } else { (StatusCode::ACCEPTED, "working") };
    Ok((code, Json(Reply { status, messages: shown })))
}

/// Clears the messages of a session: the bot remembers nothing that was said.
#[utoipa::path(delete, path = "/api/messages", tag = "messages", params(Of), responses((status = 204, description = "They are gone."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn clear(State(api): State<Arc<Api>>, caller: Caller, UrlQuery(of): UrlQuery<Of>) -> Result<StatusCode> {
    caller.needs(Scope::Chat)?;
    let (session, thread) = api.session(&caller, &of.session_id).await?;
    api.parts.store.forget_messages(&session.id).await?;
    api.parts.store.forget_posts(&thread.key.storage_key()).await?;
    Ok(StatusCode::NO_CONTENT)
}
