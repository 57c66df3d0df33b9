//! Payloads without what differs from run to run.

use serde_json::Value;
use std::collections::BTreeMap;

/// What goes over the wire, without what differs from run to run: addresses, ids, times and the order of fields.
pub(super) fn stable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(timeless(&steady(&text))),
        Value::Array(all) => all.into_iter().map(stable).collect(),
        Value::Object(all) => {
            let sorted: BTreeMap<String, Value> = all.into_iter().map(|(k, v)| (k, stable(v))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        other => other,
    }
}

/// How many seconds something took is the machine's.
fn timeless(text: &str) -> String {
    let mut parts = text.split(" second");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = out.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        out.replace_range(rest.., "‹n›");
        out.push_str(" second");
        out.push_str(part.strip_prefix('s').unwrap_or(part));
    }
    out
}

fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("http://127.0.0.1:") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find([' ', ')', '"', '|', '>', '<']).map_or(rest.len(), |e| at + e);
        let kind = if rest[at..end].contains("rowId=") {
            "row"
        } else if rest[at..end].contains("/v/") {
            "viewer"
        } else {
            "sheet"
        };
        out.push_str(&format!("https://‹{kind}›"));
        rest = &rest[end..];
    }
    out.push_str(rest);
    let id = |w: &str| w.len() == 36 && w.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let moment = |w: &str| w.len() == 10 && w.starts_with("17") && w.bytes().all(|b| b.is_ascii_digit());
    let tick = |w: &str| w.len() == 6 && w.starts_with("000") && w.bytes().all(|b| b.is_ascii_digit());
    // Some ids have no digit; no word of the story is made of these letters.
    let job = |w: &str| w.len() == 6 && w.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let word = |w: &str| match () {
        () if moment(w) || tick(w) => "‹ts›".to_owned(),
        () if id(w) || job(w) => "‹id›".to_owned(),
        () => w.to_owned(),
    };
    let mut steady = String::new();
    let mut open = String::new();
    for c in out.chars() {
        if c.is_alphanumeric() || c == '-' {
            open.push(c);
        } else {
            steady.push_str(&word(&std::mem::take(&mut open)));
            steady.push(c);
        }
    }
    steady + &word(&open)
}
