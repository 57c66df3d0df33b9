//! What a message of Teams answers, forwards or carries beside its words.

use crate::event::unescaped;
use chat::{Beside, Carried, Media, Quote};
use serde_json::Value;

/// A file that somebody uploaded; its content tells where it can be read without a token.
const UPLOADED: &str = "application/vnd.microsoft.teams.file.download.info";

/// The messages that are answered and forwarded, and the files; `text/html` is the message itself once more.
pub(crate) fn read(attachments: &Value) -> Vec<Beside> {
    attachments.as_array().into_iter().flatten().filter_map(attachment).collect()
}

fn attachment(attachment: &Value) -> Option<Beside> {
    match attachment["contentType"].as_str()? {
        "messageReference" => {
            let content = content(attachment);
            quote(&content["messageSender"], content["messagePreview"].as_str()?).map(Beside::Answered)
        }
        "forwardedMessageReference" => {
            let content = content(attachment);
            quote(&content["originalMessageSender"], content["originalMessageContent"].as_str()?).map(Beside::Forwarded)
        }
        UPLOADED => {
            let (name, content) = (attachment["name"].as_str(), content(attachment));
            let ending = content["fileType"].as_str().map(|ending| format!(".{ending}"));
            let media = Media::of(None, name.filter(|name| name.contains('.')).or(ending.as_deref()));
            Some(Beside::File(Carried {
                name: name.map(chat::text::clean),
                media,
                size_bytes: None,
                place: content["downloadUrl"].as_str().map(str::to_owned),
            }))
        }
        kind if ["image/", "audio/", "video/"].iter().any(|media| kind.starts_with(media)) => {
            let name = attachment["name"].as_str().map(chat::text::clean);
            Some(Beside::File(Carried { name, media: Media::of(Some(kind), None), size_bytes: None, place: None }))
        }
        _ => None,
    }
}

/// What an attachment holds: an object, or one written as text.
fn content(attachment: &Value) -> Value {
    match &attachment["content"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    }
}

fn quote(sender: &Value, html: &str) -> Option<Quote> {
    let name = |kind: &str| sender[kind]["displayName"].as_str();
    let author = name("user").or_else(|| name("application")).map(chat::text::clean);
    let text = words(html);
    (!text.is_empty()).then_some(Quote { author, text })
}

/// The words of a piece of HTML, a line for each paragraph.
fn words(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        let Some(length) = rest[at..].find('>') else { break };
        let tag = rest[at + 1..at + length].to_ascii_lowercase();
        if ["/p", "br", "/div", "/li", "/tr"].iter().any(|end| tag.trim_end_matches(['/', ' ']).eq(*end)) {
            text.push('\n');
        }
        rest = &rest[at + length + 1..];
    }
    if !rest.starts_with('<') {
        text.push_str(rest);
    }
    unescaped(&text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quotes_forwards_and_files_are_read_and_the_message_itself_is_not() {
        let sender = json!({ "user": { "id": "1", "displayName": "Mia Jensen" }, "application": null });
        let answered = json!({ "messageId": "1", "messagePreview": "AC is broken &amp; hot", "messageSender": sender }).to_string();
        let attachments = json!([
            { "contentType": "messageReference", "content": answered },
            { "contentType": "forwardedMessageReference", "content": { "originalMessageContent": "<p>Ship it</p><div>by <b>Friday</b></div>", "originalMessageSender": sender } },
            { "contentType": UPLOADED, "name": "rows.csv", "content": { "downloadUrl": "https://acme.sharepoint.com/x", "fileType": "csv" } },
            { "contentType": "image/png", "contentUrl": "https://smba.trafficmanager.net/x" },
            { "contentType": "text/html", "content": "<p>help</p>" },
            { "contentType": "messageReference", "content": "{}" },
        ]);
        let quote = |text: &str| Quote { author: Some("Mia Jensen".into()), text: text.into() };
        let file = |name: Option<&str>, media, place: Option<&str>| {
            Beside::File(Carried { name: name.map(str::to_owned), media, size_bytes: None, place: place.map(str::to_owned) })
        };
        assert_eq!(
            read(&attachments),
            [
                Beside::Answered(quote("AC is broken & hot")),
                Beside::Forwarded(quote("Ship it\nby Friday")),
                file(Some("rows.csv"), Media::Text, Some("https://acme.sharepoint.com/x")),
                file(None, Media::Picture, None),
            ]
        );
        for odd in [json!(null), json!("x"), json!([null, 1, {}, { "contentType": "messageReference", "content": "<" }])] {
            assert!(read(&odd).is_empty(), "{odd}");
        }
    }
}
