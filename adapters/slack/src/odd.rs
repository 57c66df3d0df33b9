//! Recorded and odd deliveries of Slack, and what is heard of each.

use crate::event::{Parsed, parse};
use chat::Incoming;
use serde_json::Value;
use std::collections::BTreeMap;

/// In a line: who is spoken to and how, where, what stands beside.
fn heard(parsed: &Parsed) -> String {
    let told = |event: &Incoming| {
        let amends = if event.amends { " (amended)" } else { "" };
        let beside = if event.beside.is_empty() { String::new() } else { format!(" beside {:?}", event.beside) };
        let sender = &event.sender;
        let home = sender.home.as_ref().map(|home| format!(" of {home}")).unwrap_or_default();
        let by = format!("{} ({:?}{home})", sender.id, sender.standing);
        format!("{:?} {} by {by}: {:?}{beside}{amends}", event.addressed, event.thread.storage_key(), event.what)
    };
    match parsed {
        Parsed::Challenge(challenge) => format!("challenge {challenge}"),
        Parsed::Nothing => "nothing".into(),
        Parsed::Event(event) => told(event),
        Parsed::Command(event, _) => format!("alone: {}", told(event)),
        Parsed::Revoked(revoked) => format!("revoked {}", revoked.install),
    }
}

/// The body as Slack sends it: JSON, a form with JSON in it, or a form.
fn body(payload: &Value) -> String {
    let form = |pairs: Vec<(&str, String)>| url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let kind = payload["type"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match kind {
        _ if payload["command"].is_string() => {
            form(payload.as_object().expect("an object").iter().map(|(k, v)| (k.as_str(), text(v))).collect())
        }
        "block_actions" | "message_action" | "shortcut" | "view_closed" | "view_submission" => form(vec![("payload", payload.to_string())]),
        _ => payload.to_string(),
    }
}

#[test]
fn odd_deliveries_are_heard_for_what_they_are() {
    let mut lines = String::new();
    for file in [
        include_str!("../tests/odd/slack_odd.json"),
        include_str!("../tests/odd/slack_words.json"),
        include_str!("../tests/odd/slack_home.json"),
    ] {
        let all: BTreeMap<String, Value> = serde_json::from_str(file).expect("payloads");
        for (name, payload) in &all {
            lines.push_str(&format!("{name}\n    {}\n", heard(&parse(&body(payload), 0))));
        }
    }
    insta::assert_snapshot!(lines);
}
