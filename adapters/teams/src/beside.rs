//! What a message of Teams answers, forwards or carries beside its words.

use crate::event::{Activity, unescaped};
use chat::{Beside, Carried, Media, Quote};
use serde_json::Value;

/// A file that somebody uploaded; its content tells where it can be read without a token.
const UPLOADED: &str = "application/vnd.microsoft.teams.file.download.info";
/// What stands in the words of a message for one that it quotes.
const QUOTED: &str = "<quoted ";
/// Types of the parts of a message in HTML that are words of another one.
const REPLY: &str = "schema.skype.com/Reply";
const FORWARD: &str = "schema.skype.com/Forward";

/// The messages that are answered and forwarded, and the files. Clients tell what is answered in an entity, in the HTML of the message,
/// or by a reference; it is one message all the same.
pub(crate) fn read(activity: &Activity) -> Vec<Beside> {
    let quotes = activity.entities.iter().filter(|e| e.kind == "quotedReply").filter_map(|entity| {
        let quoted = entity.quoted_reply.as_ref().unwrap_or(&entity.quoted);
        let text = unescaped(quoted.preview.as_deref()?).trim().to_owned();
        (!text.is_empty()).then(|| Beside::Answered(Quote { author: quoted.sender_name.as_deref().map(chat::text::clean), text }))
    });
    let mut beside: Vec<Beside> = quotes.collect();
    for attachment in activity.attachments.as_array().into_iter().flatten() {
        let answered = beside.iter().any(|one| matches!(one, Beside::Answered(_)));
        let found = if attachment["contentType"] == "text/html" { html(attachment) } else { other(attachment).into_iter().collect() };
        beside.extend(found.into_iter().filter(|one| !answered || !matches!(one, Beside::Answered(_))));
    }
    beside
}

/// What the words of a message are without those of others: the marks of quotes, and what Teams adds of a forwarded message.
pub(crate) fn own_words(text: &str, attachments: &Value) -> String {
    let mut own = text.to_owned();
    while let Some(at) = own.find(QUOTED) {
        let Some(length) = own[at..].find('>') else { break };
        own.replace_range(at..=at + length, "");
    }
    let own = own.replace("</quoted>", "");
    let forwarded = attachments.as_array().into_iter().flatten().filter(|a| a["contentType"] == "text/html");
    let forwarded = forwarded.filter_map(|a| a["content"].as_str()).find(|html| html.contains(FORWARD));
    forwarded.map_or(own.clone(), |html| cut_to(&own, &words(&outside(html))).trim().to_owned())
}

/// The beginning or the end of a text that says just this; where there is none, this itself.
fn cut_to<'a>(text: &'a str, said: &'a str) -> &'a str {
    let (letters, said_letters) = (letters(text), letters(said));
    let same = |part: &[(char, usize, usize)]| part.iter().map(|l| l.0).eq(said_letters.iter().map(|l| l.0));
    match said_letters.len() {
        0 => "",
        n if n > letters.len() => said,
        n if same(&letters[..n]) => &text[..letters[n - 1].2],
        n if same(&letters[letters.len() - n..]) => {
            // The mark of a mention stands before its name.
            let before = letters.len().checked_sub(n + 1).map_or(0, |last| letters[last].2);
            &text[before..]
        }
        _ => said,
    }
}

/// The letters of a text without blanks, tags and the way they are escaped, each with where it begins and ends; tags behind a letter
/// belong to it.
fn letters(text: &str) -> Vec<(char, usize, usize)> {
    let mut letters: Vec<(char, usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let tag = rest.strip_prefix('<').filter(|tag| tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
        let escaped = if next == '&' { rest.find(';').filter(|end| *end <= 6).map(|end| &rest[..=end]) } else { None };
        if let Some(length) = tag.and_then(|tag| tag.find('>')) {
            at += length + 2;
            if rest.starts_with("</")
                && let Some(last) = letters.last_mut()
            {
                last.2 = at;
            }
            continue;
        }
        let (letter, length) = match escaped {
            Some(escaped) => (unescaped(escaped).chars().next().unwrap_or('&'), escaped.len()),
            None => (next, next.len_utf8()),
        };
        if !letter.is_whitespace() && letter != '\u{a0}' {
            letters.push((letter, at, at + length));
        }
        at += length;
    }
    letters
}

/// The parts of a piece of HTML that are words of another message: their type, and what is in them.
fn parts_of_others(html: &str) -> Vec<(&'static str, std::ops::Range<usize>, &str)> {
    let (mut parts, mut from) = (Vec::new(), 0);
    while let Some(at) = html[from..].find("<blockquote").map(|at| from + at) {
        let Some(inner) = html[at..].find('>').map(|length| at + length + 1) else { break };
        let kind = [REPLY, FORWARD].into_iter().find(|kind| html[at..inner].contains(kind));
        let (Some(kind), Some(length)) = (kind, closing(&html[inner..])) else {
            from = inner;
            continue;
        };
        let behind = inner + length;
        let end = html[behind..].find('>').map_or(html.len(), |end| behind + end + 1);
        parts.push((kind, at..end, &html[inner..behind]));
        from = end;
    }
    parts
}

/// Where the block ends that these words are in.
fn closing(html: &str) -> Option<usize> {
    let (mut depth, mut from) = (0_usize, 0);
    loop {
        let end = html[from..].find("</blockquote").map(|at| from + at)?;
        match html[from..end].matches("<blockquote").count() + depth {
            0 => return Some(end),
            open => depth = open - 1,
        }
        from = end + 1;
    }
}

/// A piece of HTML without the words of other messages.
fn outside(html: &str) -> String {
    let (mut own, mut from) = (String::new(), 0);
    for (_, range, _) in parts_of_others(html) {
        own.push_str(&html[from..range.start]);
        own.push('\n');
        from = range.end;
    }
    own.push_str(&html[from..]);
    own
}

/// What is in an element with this property.
fn property<'a>(html: &'a str, name: &str) -> Option<&'a str> {
    let at = html.find(&format!("itemprop=\"{name}\""))?;
    let element = html[..at].rfind('<')? + 1;
    let tag = html[element..].split([' ', '>']).next()?;
    let inner = at + html[at..].find('>')? + 1;
    let end = html[inner..].find(&format!("</{tag}")).map_or(html.len(), |end| inner + end);
    Some(&html[inner..end])
}

/// What the message itself, once more in HTML, holds of others.
fn html(attachment: &Value) -> Vec<Beside> {
    let parts = parts_of_others(attachment["content"].as_str().unwrap_or_default());
    let read = parts.into_iter().filter_map(|(kind, _, inner)| {
        if kind == FORWARD {
            let text = words(inner);
            return (!text.is_empty()).then_some(Beside::Forwarded(Quote { author: None, text }));
        }
        let author = property(inner, "mri").map(|name| chat::text::clean(&words(name))).filter(|name| !name.is_empty());
        let text = words(property(inner, "copy").or_else(|| property(inner, "preview"))?);
        (!text.is_empty()).then_some(Beside::Answered(Quote { author, text }))
    });
    read.collect()
}

fn other(attachment: &Value) -> Option<Beside> {
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
    let text = unescaped(&text);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
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
        let read = |attachments: &Value| read(&serde_json::from_value(json!({ "attachments": attachments })).unwrap());
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

    #[test]
    fn what_teams_puts_into_a_message_of_another_is_no_word_of_its_sender() {
        let reply = "<blockquote itemscope itemtype=\"http://schema.skype.com/Reply\" itemid=\"1\"><strong itemprop=\"mri\" itemid=\"8:orgid:a\">Mia Jensen</strong><span itemprop=\"time\" itemid=\"1\"></span><p itemprop=\"preview\">AC is broken &amp; hot</p></blockquote>";
        let older = reply.replace("<strong", "<p><b><span").replace("</strong>", "&nbsp;</span></b></p>").replace("preview", "copy");
        let forward = "<blockquote itemtype=\"http://schema.skype.com/Forward\"><p>undo</p>\n<p>please &lt;now&gt;</p></blockquote>";
        let bot = "<at>ChatSheet</at>";
        let entity = json!([{ "type": "quotedReply", "quotedReply": { "messageId": "1", "senderName": "Mia Jensen", "preview": "AC is broken & hot" } }]);
        let answered = || Beside::Answered(Quote { author: Some("Mia Jensen".into()), text: "AC is broken & hot".into() });
        let forwarded = || Beside::Forwarded(Quote { author: None, text: "undo\nplease <now>".into() });
        let mention = "<span itemtype=\"http://schema.skype.com/Mention\" itemscope itemid=\"0\">ChatSheet</span>";
        for (text, html, entities, own, beside) in [
            ("<quoted messageId=\"1\"/> stop", String::new(), entity.clone(), "stop", vec![answered()]),
            (
                "<quoted messageId=\"1\"/>\nstop",
                String::new(),
                json!([{ "type": "quotedReply", "senderName": "Mia Jensen", "preview": "AC is broken & hot" }]),
                "stop",
                vec![answered()],
            ),
            ("<quoted messageId=\"1\"/>stop", format!("{reply}<p>stop</p>"), entity, "stop", vec![answered()]),
            ("stop", format!("{reply}<p>stop</p>"), json!([]), "stop", vec![answered()]),
            ("stop", format!("<div>{older}stop</div>"), json!([]), "stop", vec![answered()]),
            (
                "who owns it?\r\n\r\nundo\r\nplease &lt;now&gt;",
                format!("<p>who owns it?</p>{forward}"),
                json!([]),
                "who owns it?",
                vec![forwarded()],
            ),
            ("undo\nplease &lt;now&gt;\n\nfyi", format!("{forward}<p>fyi</p>"), json!([]), "fyi", vec![forwarded()]),
            ("undo\nplease &lt;now&gt;", forward.to_owned(), json!([]), "", vec![forwarded()]),
            (
                &format!("{bot} who&nbsp;owns it?\n\nundo please"),
                format!("<p>{mention} who owns it?</p>{forward}"),
                json!([]),
                &format!("{bot} who&nbsp;owns it?"),
                vec![forwarded()],
            ),
            ("something that is told otherwise", format!("<p>who owns it?</p>{forward}"), json!([]), "who owns it?", vec![forwarded()]),
            (
                "a < b & <b>c</b>",
                "<p>a &lt; b &amp; <b>c</b></p><blockquote>mine</blockquote>".into(),
                json!([]),
                "a < b & <b>c</b>",
                vec![],
            ),
            ("<quoted ", "<blockquote itemtype=\"http://schema.skype.com/Reply\">".into(), json!([]), "<quoted", vec![]),
        ] {
            let activity = json!({ "text": text, "entities": entities, "attachments": [{ "contentType": "text/html", "content": html }] });
            let activity: Activity = serde_json::from_value(activity).unwrap();
            assert_eq!(own_words(&activity.text, &activity.attachments).trim(), own, "{text}");
            assert_eq!(read(&activity), beside, "{text}");
        }
    }
}
