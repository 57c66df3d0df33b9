//! What Telegram sends, as far as it is read. The types are ours: those of the library refuse a whole message for a kind of
//! entity or of media that is newer than they are, and Telegram never sends it again.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::ops::Range;
use teloxide::types::{ChatId, MessageId, ThreadId, UserId};

/// Something happened. What it is stands under the name of its kind.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Update {
    #[serde(rename = "update_id")]
    pub id: i64,
    #[serde(flatten)]
    pub kinds: Map<String, Value>,
}

impl Update {
    /// The content, if it is of this kind and can be read. What cannot be is counted, and told without its content.
    pub fn read<T: DeserializeOwned>(&self, kind: &'static str) -> Option<T> {
        let content = self.kinds.get(kind)?;
        T::deserialize(content)
            .inspect_err(|error| {
                metrics::counter!("chatsheet_unreadable_events_total", "platform" => "telegram").increment(1);
                tracing::warn!(update = self.id, kind, %error, "an update of telegram cannot be read and was left out");
            })
            .ok()
    }
}

/// A message; only what every message has is asked for.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    message_id: i32,
    pub chat: Chat,
    #[serde(default, deserialize_with = "lenient")]
    pub from: Option<User>,
    #[serde(default, deserialize_with = "lenient")]
    message_thread_id: Option<i32>,
    #[serde(default, deserialize_with = "lenient")]
    pub is_topic_message: bool,
    #[serde(default, deserialize_with = "lenient")]
    text: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    entities: Vec<Entity>,
    #[serde(default, deserialize_with = "lenient")]
    caption: Option<String>,
    #[serde(default, deserialize_with = "lenient_list")]
    caption_entities: Vec<Entity>,
    #[serde(default, deserialize_with = "lenient")]
    pub reply_to_message: Option<Box<Message>>,
    #[serde(default, deserialize_with = "lenient")]
    pub migrate_from_chat_id: Option<ChatId>,
    /// The rest: media, quotes, where it was forwarded from.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Message {
    /// How long after it was written somebody has changed it, if they did; other things of a message are told like changes.
    pub fn edited_after_ms(&self) -> Option<i64> {
        let at = |name: &str| self.more.get(name).and_then(Value::as_i64);
        Some((at("edit_date")? - at("date")?) * 1_000)
    }

    pub fn id(&self) -> MessageId {
        MessageId(self.message_id)
    }

    /// The topic that it stands in; other threads are none of ours.
    pub fn topic(&self) -> Option<ThreadId> {
        self.message_thread_id.filter(|_| self.is_topic_message).map(|id| ThreadId(MessageId(id)))
    }

    /// The words, or what is written under a picture or file, and what is marked in them; service messages have none.
    pub fn words(&self) -> Option<(String, &[Entity])> {
        match (&self.text, &self.caption) {
            (Some(text), _) => Some((text.clone(), &self.entities)),
            (None, Some(caption)) => Some((caption.clone(), &self.caption_entities)),
            (None, None) => self.more.get("rich_message").map(|rich| (text_in(rich), &[] as &[Entity])),
        }
    }
}

/// The texts of a rich message, a line for each of its blocks.
fn text_in(rich: &Value) -> String {
    let blocks = rich["blocks"].as_array().into_iter().flatten();
    let lines: Vec<String> = blocks.map(|block| flat(&block["text"])).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Rich text: a string, a list of parts, or a part with a text in it.
fn flat(text: &Value) -> String {
    match text {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(flat).collect(),
        Value::Object(part) => part.get("text").map(flat).unwrap_or_default(),
        _ => String::new(),
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Chat {
    pub id: ChatId,
    #[serde(rename = "type")]
    pub kind: String,
}

impl Chat {
    pub fn is_private(&self) -> bool {
        self.kind == "private"
    }

    pub fn is_channel(&self) -> bool {
        self.kind == "channel"
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub id: UserId,
    #[serde(default)]
    pub is_bot: bool,
    #[serde(default)]
    first_name: String,
    last_name: Option<String>,
    pub language_code: Option<String>,
}

impl User {
    pub fn full_name(&self) -> String {
        let last = self.last_name.iter().map(|last| format!(" {last}"));
        chat::text::clean(&[self.first_name.clone()].into_iter().chain(last).collect::<String>())
    }
}

/// A part of a text that is more than text; kinds that are not known are marks like others.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub kind: String,
    /// In units of UTF-16, as the length.
    offset: usize,
    length: usize,
    #[serde(default, deserialize_with = "lenient")]
    pub user: Option<User>,
}

impl Entity {
    /// Where it stands in the text, in bytes.
    pub fn range(&self, text: &str) -> Option<Range<usize>> {
        let start = at_unit(text, self.offset)?;
        Some(start..at_unit(text, self.offset.checked_add(self.length)?)?)
    }
}

/// The byte at which a unit of UTF-16 begins.
fn at_unit(text: &str, unit: usize) -> Option<usize> {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units == unit {
            return Some(at);
        }
        units += c.len_utf16();
    }
    (units == unit).then_some(text.len())
}

/// Somebody pressed a button.
#[derive(Debug, Deserialize)]
pub(crate) struct Press {
    pub id: String,
    pub from: User,
    pub data: Option<String>,
    pub message: Option<Message>,
}

/// The bot came into a chat, or left it.
#[derive(Debug, Deserialize)]
pub(crate) struct Membership {
    pub chat: Chat,
    pub from: User,
    old_chat_member: Member,
    new_chat_member: Member,
}

impl Membership {
    /// Whose membership it is.
    pub fn whose(&self) -> UserId {
        self.new_chat_member.user.id
    }

    /// Whether they are there now, and whether they were before.
    pub fn is_and_was(&self) -> (bool, bool) {
        (self.new_chat_member.is_present(), self.old_chat_member.is_present())
    }
}

#[derive(Debug, Deserialize)]
struct Member {
    user: User,
    status: String,
    /// Of people whose rights are restricted.
    #[serde(default)]
    is_member: bool,
}

impl Member {
    fn is_present(&self) -> bool {
        match self.status.as_str() {
            "restricted" => self.is_member,
            "left" | "kicked" => false,
            _ => true,
        }
    }
}

/// What cannot be read is as if it were not there.
fn lenient<'de, D: Deserializer<'de>, T: Default + DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

/// The items that can be read.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_array().into_iter().flatten().filter_map(|item| T::deserialize(item).ok()).collect())
}
