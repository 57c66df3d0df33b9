//! What Discord takes as a message, and what it does not.

use serde_json::{Value, json};

/// What is wrong with a message; `None` when Discord would take it.
pub fn fault(body: &Value) -> Option<String> {
    let content = body["content"].as_str().unwrap_or_default();
    let chars = content.chars().count();
    let rows = body["components"].as_array().map(Vec::as_slice).unwrap_or_default();
    let files = body["file"].is_object();
    if chars > 2_000 {
        return Some(format!("{chars} characters, 2000 are allowed"));
    }
    if content.trim().is_empty() && body["embeds"].as_array().is_none_or(Vec::is_empty) && rows.is_empty() && !files {
        return Some("an empty message".into());
    }
    if body["allowed_mentions"]["parse"] != json!([]) {
        return Some("mentions are not switched off".into());
    }
    let embeds = body["embeds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.len() > 5 || embeds.len() > 10 {
        return Some("too many rows or embeds".into());
    }
    if let Some(why) = embed_fault(embeds) {
        return Some(why.into());
    }
    let mut ids = Vec::new();
    for row in rows {
        let buttons = row["components"].as_array().map(Vec::as_slice).unwrap_or_default();
        if row["type"] != 1 || !(1..=5).contains(&buttons.len()) {
            return Some("a row has 1 to 5 buttons".into());
        }
        for button in buttons {
            let id = button["custom_id"].as_str().unwrap_or_default();
            let label = button["label"].as_str().unwrap_or_default().chars().count();
            if !(1..=100).contains(&id.chars().count())
                || !(1..=80).contains(&label)
                || !(1..=4).contains(&button["style"].as_u64().unwrap_or_default())
            {
                return Some("a button's id, label or style".into());
            }
            ids.push(id.to_owned());
        }
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    (ids.len() != all).then(|| "an id that is used twice".into())
}

/// What is wrong with embeds: each text has its length, all together 6,000 characters, and addresses are of the web.
fn embed_fault(embeds: &[Value]) -> Option<&'static str> {
    let mut all = 0;
    for embed in embeds {
        let fields = embed["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
        let texts =
            [(&embed["title"], 256), (&embed["description"], 4_096), (&embed["footer"]["text"], 2_048), (&embed["author"]["name"], 256)];
        let of_fields = fields.iter().flat_map(|f| [(&f["name"], 256), (&f["value"], 1_024)]);
        for (text, most) in texts.into_iter().chain(of_fields) {
            let chars = text.as_str().unwrap_or_default().chars().count();
            all += chars;
            if chars > most {
                return Some("a text of an embed is too long");
            }
        }
        let wanted = |address: &Value| {
            address.is_null() || address.as_str().is_some_and(|a| ["http://", "https://", "attachment://"].iter().any(|s| a.starts_with(s)))
        };
        if fields.len() > 25 || all > 6_000 {
            return Some("an embed is too long");
        }
        if !wanted(&embed["url"]) || !wanted(&embed["image"]["url"]) || !wanted(&embed["thumbnail"]["url"]) {
            return Some("an address of an embed is none of the web");
        }
        if embed.as_object().is_none_or(|e| e.keys().all(|k| k == "type" || k == "color")) {
            return Some("an empty embed");
        }
    }
    None
}
