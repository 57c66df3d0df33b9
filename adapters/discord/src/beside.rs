//! What a message of Discord answers, forwards or carries beside its words.

use chat::{Beside, Carried, Media, Quote};
use serenity::model::channel::{Attachment, Message};
use serenity::model::id::UserId;
use serenity::model::user::User;

/// The message that is answered, unless the bot itself has said it, those that are forwarded, and files.
pub(crate) fn read(message: &Message, me: UserId) -> Vec<Beside> {
    let answered = message.referenced_message.as_deref().filter(|earlier| earlier.author.id != me).into_iter();
    let answered = answered.filter_map(|earlier| quote(Some(&earlier.author), &earlier.content)).map(Beside::Answered);
    let forwarded = message.message_snapshots.iter();
    let quotes = answered.chain(forwarded.clone().filter_map(|snapshot| quote(None, &snapshot.content)).map(Beside::Forwarded));
    let answered = message.referenced_message.as_deref().filter(|earlier| earlier.author.id != me).into_iter();
    let files = answered.flat_map(|earlier| &earlier.attachments).chain(forwarded.flat_map(|snapshot| &snapshot.attachments));
    let files = files.chain(&message.attachments);
    quotes.chain(files.map(file)).collect()
}

fn quote(author: Option<&User>, text: &str) -> Option<Quote> {
    let author = author.map(|user| chat::text::clean(user.global_name.as_deref().unwrap_or(&user.name)));
    (!text.trim().is_empty()).then(|| Quote { author, text: text.to_owned() })
}

fn file(file: &Attachment) -> Beside {
    let media = Media::of(file.content_type.as_deref(), Some(&file.filename));
    Beside::File(Carried {
        name: Some(chat::text::clean(&file.filename)),
        media,
        size_bytes: Some(file.size.into()),
        place: Some(file.url.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(by: u64, content: &str, more: &Value) -> Value {
        let mut message = json!({
            "id": "5", "channel_id": "6", "author": { "id": by.to_string(), "username": "mia", "global_name": "Mia Jensen", "discriminator": "0", "avatar": null },
            "content": content, "timestamp": "2026-11-22T10:30:00Z", "edited_timestamp": null, "tts": false, "mention_everyone": false, "mentions": [],
            "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "type": 0,
        });
        message.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        message
    }

    #[test]
    fn answered_and_forwarded_messages_and_files_are_read() {
        let attached = json!([{ "id": "1", "filename": "rows.csv", "size": 120, "url": "https://cdn.discordapp.com/x", "proxy_url": "https://media.discordapp.net/x",
            "content_type": "text/csv; charset=utf-8", "height": null, "width": null }]);
        let snapshot = json!({ "message": { "content": "Ship it", "timestamp": "2026-11-22T10:30:00Z", "edited_timestamp": null, "mentions": [], "attachments": [],
            "embeds": [], "type": 0, "flags": 0 } });
        let more = json!({ "referenced_message": written(2, "AC is broken", &json!({})), "message_snapshots": [snapshot], "attachments": attached });
        let message: Message = serde_json::from_value(written(1, "and this?", &more)).expect("a message");
        let file = Carried {
            name: Some("rows.csv".into()),
            media: Media::Text,
            size_bytes: Some(120),
            place: Some("https://cdn.discordapp.com/x".into()),
        };
        assert_eq!(
            read(&message, UserId::new(7)),
            [
                Beside::Answered(Quote { author: Some("Mia Jensen".into()), text: "AC is broken".into() }),
                Beside::Forwarded(Quote { author: None, text: "Ship it".into() }),
                Beside::File(file),
            ]
        );
        let to_me = written(1, "and this?", &json!({ "referenced_message": written(7, "9 rows", &json!({})) }));
        assert!(read(&serde_json::from_value(to_me).expect("a message"), UserId::new(7)).is_empty(), "its own words");
    }
}
