//! What a message of Slack shares or carries beside its words.

use crate::event::plain_text;
use chat::{Beside, Carried, Media, Quote};
use serde_json::Value;

/// The messages that are shared, and the files, of both.
pub(crate) fn read(attachments: &Value, files: &Value) -> Vec<Beside> {
    let attachments = || attachments.as_array().into_iter().flatten().filter(|a| is_message(a));
    let carried = attachments().map(|a| &a["files"]).chain([files]);
    let shared = attachments().filter_map(shared);
    shared.chain(carried.filter_map(Value::as_array).flatten().map(file)).collect()
}

/// Whether it is a message, and not the preview of a link.
fn is_message(attachment: &Value) -> bool {
    attachment["is_share"] == true || attachment["is_msg_unfurl"] == true
}

fn shared(attachment: &Value) -> Option<Beside> {
    let text = |name: &str| attachment[name].as_str().filter(|text| !text.trim().is_empty());
    let words = plain_text(text("text").or_else(|| text("fallback"))?, None);
    Some(Beside::Forwarded(Quote { author: text("author_name").map(chat::text::clean), text: crate::emoji::in_text(&words, &Value::Null) }))
}

fn file(file: &Value) -> Beside {
    let text = |name: &str| file[name].as_str().filter(|text| !text.is_empty());
    let name = text("name").or_else(|| text("title"));
    Beside::File(Carried {
        name: name.map(chat::text::clean),
        media: Media::of(text("mimetype"), name),
        size_bytes: file["size"].as_u64(),
        place: text("url_private_download").or_else(|| text("url_private")).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shared_messages_and_files_are_read_and_previews_of_links_are_not() {
        let attachments = json!([
            { "is_share": true, "author_name": "Mia Jensen", "text": "Server room AC is broken &amp; hot :fire:", "fallback": "[Nov 22] Mia: …" },
            { "title": "A page", "text": "a preview", "from_url": "https://acme.test" },
            { "is_msg_unfurl": true, "text": "", "fallback": "[Nov 22] Lee: see the file", "files": [{ "id": "F1", "name": "photo.png", "mimetype": "image/png" }] },
        ]);
        let files =
            json!([{ "id": "F2", "name": "rows.csv", "mimetype": "text/csv", "size": 120, "url_private": "https://files.slack.com/x" }]);
        let quote =
            |author: Option<&str>, text: &str| Beside::Forwarded(Quote { author: author.map(str::to_owned), text: text.to_owned() });
        let file = |name: &str, media, size_bytes, place: Option<&str>| {
            Beside::File(Carried { name: Some(name.to_owned()), media, size_bytes, place: place.map(str::to_owned) })
        };
        assert_eq!(
            read(&attachments, &files),
            [
                quote(Some("Mia Jensen"), "Server room AC is broken & hot 🔥"),
                quote(None, "[Nov 22] Lee: see the file"),
                file("photo.png", Media::Picture, None, None),
                file("rows.csv", Media::Text, Some(120), Some("https://files.slack.com/x")),
            ]
        );
        for odd in [json!(null), json!("x"), json!([null, 1, {}])] {
            assert!(read(&odd, &Value::Null).is_empty(), "{odd}");
        }
    }
}
