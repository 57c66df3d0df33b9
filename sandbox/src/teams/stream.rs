//! Streams in personal chats: what is being done, the words so far, the message that takes their place.

use super::api::refused;
use super::{BOT, Posted, State as World, Teams};
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Streams that are open, by conversation.
#[derive(Default)]
pub(super) struct Streams {
    open: HashMap<String, Stream>,
    /// Typing indicators that were shown.
    typing: usize,
}

struct Stream {
    id: String,
    sequence: u64,
    status: String,
    begun: Instant,
}

impl Streams {
    /// Those that are older than this end as they are.
    pub(super) fn end_after(&mut self, lifetime: Duration) {
        self.open.retain(|_, s| s.begun.elapsed() < lifetime);
    }
}

impl Teams {
    /// What a person reads below a chat while there are no words yet.
    pub fn status(&self, conversation: &str) -> Option<String> {
        self.service.state().streams.open.get(conversation).map(|s| s.status.clone()).filter(|s| !s.is_empty())
    }

    /// How often “is typing” was shown.
    pub fn typing(&self) -> usize {
        self.service.state().streams.typing
    }

    /// Streams that have not ended.
    pub fn open_streams(&self) -> usize {
        self.service.state().streams.open.len()
    }

    /// The person presses Stop: streams end as they are.
    pub fn stop_streams(&self) {
        self.service.state().streams.open.clear();
    }
}

fn not_allowed(why: &str) -> Response {
    refused(403, "ContentStreamNotAllowed", why)
}

/// An activity that belongs to a stream, or shows that the bot types; `None` for any other.
pub(super) fn take(state: &mut World, conversation: &str, activity: &Value) -> Option<Response> {
    let info = activity["entities"].as_array().into_iter().flatten().find(|e| e["type"] == "streaminfo").cloned();
    let Some(info) = info else {
        return (activity["type"] == "typing").then(|| {
            state.streams.typing += 1;
            (StatusCode::ACCEPTED, Json(json!({}))).into_response()
        });
    };
    if !conversation.starts_with("a:") {
        return Some(refused(400, "BadRequest", "Streaming is only supported in personal chats."));
    }
    let (kind, sequence, id) =
        (info["streamType"].as_str().unwrap_or_default(), info["streamSequence"].as_u64(), info["streamId"].as_str());
    let text = activity["text"].as_str().unwrap_or_default();
    let Some(id) = id else {
        if state.streams.open.contains_key(conversation) {
            return Some(not_allowed("Only one stream is allowed at a time."));
        }
        if sequence != Some(1) || text.is_empty() || activity["type"] != "typing" {
            return Some(refused(400, "BadRequest", "A stream begins with streamSequence 1 and text."));
        }
        let id = state.next_id();
        let stream = Stream { id: id.clone(), sequence: 1, status: text.to_owned(), begun: Instant::now() };
        state.streams.open.insert(conversation.to_owned(), stream);
        return Some((StatusCode::CREATED, Json(json!({ "id": id }))).into_response());
    };
    let Some(stream) = state.streams.open.get_mut(conversation).filter(|s| s.id == id) else {
        return Some(not_allowed("Content stream was canceled by user or has ended."));
    };
    if kind == "final" {
        if sequence.is_some() || activity["type"] != "message" {
            return Some(refused(400, "BadRequest", "The end of a stream is a message without streamSequence."));
        }
        state.streams.open.remove(conversation);
    } else {
        if sequence.is_none_or(|n| n <= stream.sequence) {
            return Some(refused(202, "ContentStreamSequenceOrderPreConditionFailed", "A newer part was there already."));
        }
        let shown = state.messages.iter().find(|m| m.id == id).map(Posted::seen).unwrap_or_default();
        if kind == "informative" && shown.is_empty() && !text.is_empty() {
            (stream.sequence, stream.status) = (sequence.unwrap_or_default(), text.to_owned());
            return Some((StatusCode::ACCEPTED, Json(json!({}))).into_response());
        }
        if !text.starts_with(&shown) || text.is_empty() {
            return Some(refused(403, "ContentStreamNotAllowed", "What is streamed has to go on from what was."));
        }
        (stream.sequence, stream.status) = (sequence.unwrap_or_default(), String::new());
    }
    match state.messages.iter_mut().find(|m| m.conversation == conversation && m.id == id) {
        Some(message) => (message.activity, message.edits) = (activity.clone(), message.edits + 1),
        None => {
            let (conversation, id) = (conversation.to_owned(), id.to_owned());
            state.messages.push(Posted { conversation, id, from: BOT.into(), activity: activity.clone(), only_for: None, edits: 0 });
        }
    }
    Some((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}
