//! What a message of Telegram answers, forwards or carries beside its words.

use crate::wire::{Message, User};
use chat::{Beside, Carried, Media, Quote};
use serde::Deserialize;
use serde_json::{Map, Value};
use teloxide::types::UserId;

/// Kinds of media, by their names in a message; documents are looked into.
const MEDIA: [(&str, Media); 10] = [
    ("document", Media::Other),
    ("photo", Media::Picture),
    ("live_photo", Media::Picture),
    ("sticker", Media::Picture),
    ("animation", Media::Video),
    ("video", Media::Video),
    ("video_note", Media::Video),
    ("voice", Media::Sound),
    ("audio", Media::Sound),
    ("checklist", Media::Other),
];

/// What stands beside the words; what the bot itself has said is not told back to it.
pub(crate) fn read(message: &Message, me: UserId) -> Vec<Beside> {
    let answered = answered(message, me).map(Beside::Answered);
    let files = file_answered(message, me).into_iter().chain(file(&message.more));
    answered.into_iter().chain(files.map(Beside::File)).collect()
}

/// The file of the message that is answered: "add these rows" is said to a file, too.
fn file_answered(message: &Message, me: UserId) -> Option<Carried> {
    match message.reply_to_message.as_deref() {
        Some(earlier) => file(&earlier.more).filter(|_| earlier.from.as_ref().is_none_or(|from| from.id != me)),
        None => file(message.more.get("external_reply")?.as_object()?),
    }
}

/// The message or the part of it that is answered, of this chat or of another one.
fn answered(message: &Message, me: UserId) -> Option<Quote> {
    let quote = message.more.get("quote").and_then(|quote| quote["text"].as_str()).map(str::to_owned);
    if let Some(earlier) = message.reply_to_message.as_deref() {
        let by_me = earlier.from.as_ref().is_some_and(|from| from.id == me);
        let text = quote.or_else(|| earlier.words().map(|(words, _)| words).filter(|_| !by_me))?;
        return (!text.trim().is_empty()).then(|| Quote { author: earlier.from.as_ref().map(User::full_name), text });
    }
    let elsewhere = message.more.get("external_reply")?;
    Some(Quote { author: author(&elsewhere["origin"]), text: quote? })
}

/// Whom a forwarded message is from: the words are theirs.
pub(crate) fn forwarded_from(message: &Message) -> Option<Option<String>> {
    message.more.get("forward_origin").map(author)
}

/// A person, a name that somebody hides behind, a chat or a channel.
fn author(origin: &Value) -> Option<String> {
    let named = |value: &Value| value.as_str().map(chat::text::clean);
    User::deserialize(&origin["sender_user"])
        .ok()
        .map(|user| user.full_name())
        .or_else(|| named(&origin["sender_user_name"]))
        .or_else(|| named(&origin["sender_chat"]["title"]))
        .or_else(|| named(&origin["chat"]["title"]))
}

fn file(message: &Map<String, Value>) -> Option<Carried> {
    let (kind, media) = MEDIA.into_iter().find(|(kind, _)| message.contains_key(*kind))?;
    let content = &message[kind];
    // Of a picture there are several sizes.
    let content = content.as_array().and_then(|sizes| sizes.last()).unwrap_or(content);
    let text = |name: &str| content[name].as_str().filter(|text| !text.is_empty());
    let name = text("file_name").or_else(|| text("title"));
    let media = if kind == "document" { Media::of(text("mime_type"), name) } else { media };
    Some(Carried {
        name: name.map(chat::text::clean),
        media,
        size_bytes: content["file_size"].as_u64(),
        place: text("file_id").map(str::to_owned),
    })
}
