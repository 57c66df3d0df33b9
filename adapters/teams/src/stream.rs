//! Answers that grow in personal chats, the way Teams shows them: what is being done, then the words so far, then the message
//! that takes their place. A chat has one such stream at a time, for at most two minutes.
//! <https://learn.microsoft.com/microsoftteams/platform/bots/streaming-ux>

use crate::Teams;
use crate::event::{At, Place};
use crate::render::{Part, plain, render};
use crate::web::{Created, activity};
use chat::{Block, ChatError, Message};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Teams ends a stream after two minutes; words that come later wait for the last message.
const LIFETIME: Duration = Duration::from_secs(110);
const STATUS_CHARS: usize = 1_000;
/// A stream has room for as much as a message.
const TEXT_CHARS: usize = 12_000;

/// The streams that this process has begun, by conversation.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<String, Stream>>);

#[derive(Clone)]
struct Stream {
    id: String,
    sequence: u64,
    shown: String,
    begun: Instant,
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words of an answer that grows; `None` for a message of anything else.
fn growing(message: &Message) -> Option<String> {
    let words = message.partial && matches!(message.blocks.as_slice(), [Block::Markdown(_)]);
    words.then(|| message.plain().trim().to_owned()).filter(|text| !text.is_empty() && text.chars().count() <= TEXT_CHARS)
}

impl Teams {
    /// Says what is being done: `true` where that is enough of a sign of life.
    pub(crate) async fn say_status(&self, place: &Place, doing: &str) -> bool {
        if place.personal {
            return self.begin_stream(place, doing).await.unwrap_or_else(|error| {
                tracing::info!(%error, "teams takes no stream here; a message says what is being done");
                false
            });
        }
        // Groups show it beside the message; channels do not show it.
        if place.thread().root.is_none() && self.pace(&place.conversation, true).await.is_ok() {
            let _ = self.send_activity(place, &json!({ "type": "typing" })).await;
        }
        false
    }

    async fn begin_stream(&self, place: &Place, doing: &str) -> Result<bool, ChatError> {
        self.streams.open().retain(|_, stream| stream.begun.elapsed() < LIFETIME);
        let open = self.streams.open().get(&place.conversation).cloned();
        // One that has words is the answer to something else.
        if open.as_ref().is_some_and(|stream| !stream.shown.is_empty()) {
            return Ok(false);
        }
        self.pace(&place.conversation, false).await?;
        let mut words = doing.chars();
        let doing: String = words.next().into_iter().flat_map(char::to_uppercase).chain(words).collect();
        let text = chat::text::shorten(&format!("{doing} …"), STATUS_CHARS);
        let (sequence, id) = (open.as_ref().map_or(1, |s| s.sequence + 1), open.as_ref().map(|s| s.id.as_str()));
        let body = json!({ "type": "typing", "text": text, "entities": [info("informative", Some(sequence), id)] });
        let sent = self.send_activity(place, &body).await?.id;
        let stream = match open {
            Some(stream) => Stream { sequence, ..stream },
            None => Stream { id: sent, sequence, shown: String::new(), begun: Instant::now() },
        };
        self.streams.open().insert(place.conversation.clone(), stream);
        Ok(true)
    }

    /// Shows the words so far, or all of them, in the stream of a chat; its id, which is that of the message. `None` where
    /// there is no stream.
    pub(crate) async fn show_in_stream(&self, place: &Place, message: &Message) -> Result<Option<String>, ChatError> {
        let Some(stream) = self.streams.open().get(&place.conversation).cloned() else { return Ok(None) };
        if message.partial {
            self.grow(place, &stream, message).await?;
            return Ok(Some(stream.id));
        }
        Ok(self.end_stream(place, &stream, message).await?.then_some(stream.id))
    }

    /// Whether a stream is open that has no words of an answer.
    pub(crate) fn only_says_what_it_does(&self, conversation: &str) -> bool {
        self.streams.open().get(conversation).is_some_and(|stream| stream.shown.is_empty() && stream.begun.elapsed() < LIFETIME)
    }

    /// The same for a message that was posted before; `false` when it is not a stream.
    pub(crate) async fn edit_in_stream(&self, place: &Place, id: &str, message: &Message) -> Result<bool, ChatError> {
        if self.streams.open().get(&place.conversation).is_none_or(|stream| stream.id != id) {
            return Ok(false);
        }
        self.show_in_stream(place, message).await.map(|shown| shown.is_some())
    }

    async fn grow(&self, place: &Place, stream: &Stream, message: &Message) -> Result<(), ChatError> {
        // What cannot be shown as growing words waits for the last message.
        let Some(words) = growing(message).filter(|w| w.starts_with(&stream.shown) && *w != stream.shown) else { return Ok(()) };
        if stream.begun.elapsed() > LIFETIME {
            return Ok(());
        }
        self.pace(&place.conversation, true).await?;
        let sequence = stream.sequence + 1;
        let body = json!({ "type": "typing", "textFormat": "plain", "text": words, "entities": [info("streaming", Some(sequence), Some(&stream.id))] });
        match self.send_activity(place, &body).await {
            // The person has pressed Stop, or it has ended by itself; the last message is shown all the same.
            Ok(_) | Err(ChatError::Forbidden(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some(open) = self.streams.open().get_mut(&place.conversation) {
            (open.sequence, open.shown) = (sequence, words);
        }
        Ok(())
    }

    /// Puts the last message in the place of a stream; `false` when that has ended by itself.
    async fn end_stream(&self, place: &Place, stream: &Stream, message: &Message) -> Result<bool, ChatError> {
        let mut parts = render(message).into_iter();
        let last = |part: Part| {
            let mut body = activity(part);
            body["id"] = json!(stream.id);
            let ends = info("final", None, Some(&stream.id));
            match body["entities"].as_array_mut() {
                Some(entities) => entities.push(ends),
                None => body["entities"] = json!([ends]),
            }
            body
        };
        self.pace(&place.conversation, false).await?;
        let first = last(parts.next().unwrap_or_default());
        let sent = match self.send_activity(place, &first).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "teams refused the card; the words go out as text");
                parts = plain(message).into_iter();
                self.send_activity(place, &last(parts.next().unwrap_or_default())).await
            }
            // It names its stream, so it cannot end that twice. One that has ended meanwhile is a message, whatever it says.
            Err(ChatError::MayHaveLanded(_)) => match self.send_activity(place, &first).await {
                Err(ChatError::Forbidden(_)) => {
                    let at = At { service_url: place.service_url.clone(), conversation: place.conversation.clone(), id: stream.id.clone() };
                    let part = render(message).into_iter().next().unwrap_or_default();
                    self.update(&at, part).await.map(|()| Created::default())
                }
                other => other,
            },
            other => other,
        };
        match sent {
            Err(ChatError::RateLimited(wait)) => return Err(ChatError::RateLimited(wait)),
            Err(ChatError::Unreachable(why)) => return Err(ChatError::Unreachable(why)),
            other => {
                self.streams.open().remove(&place.conversation);
                match other {
                    Err(ChatError::Forbidden(_) | ChatError::Gone(_)) => return Ok(false),
                    other => other.map(drop)?,
                }
            }
        }
        self.send_rest(place, None, parts.collect()).await;
        Ok(true)
    }

    async fn send_activity(&self, place: &Place, body: &Value) -> Result<Created, ChatError> {
        let url = self.url(&place.service_url, &["conversations", &place.conversation, "activities"])?;
        self.call(Method::POST, url, Some(body)).await
    }
}

/// What a stream is told about itself.
fn info(kind: &str, sequence: Option<u64>, id: Option<&str>) -> Value {
    let mut info = json!({ "type": "streaminfo", "streamType": kind });
    if let Some(sequence) = sequence {
        info["streamSequence"] = json!(sequence);
    }
    if let Some(id) = id {
        info["streamId"] = json!(id);
    }
    info
}
