//! Recorded and odd updates of Telegram, and what is heard of each.

use crate::event::parse;
use crate::wire::Update;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use teloxide::types::Me;

#[test]
fn odd_updates_are_heard_for_what_they_are() {
    let me: Me = serde_json::from_value(json!({
        "id": 7007, "is_bot": true, "first_name": "Chatsheet", "username": "chatsheet_bot", "can_join_groups": true, "can_read_all_group_messages": false,
        "supports_inline_queries": false, "can_connect_to_business": false, "has_main_web_app": false,
    }))
    .expect("a bot");
    let mut lines = String::new();
    for file in [include_str!("../tests/odd/telegram_odd.json"), include_str!("../tests/odd/tg_ext.json")] {
        let all: BTreeMap<String, Value> = serde_json::from_str(file).expect("updates");
        for (name, update) in all {
            let update: Update = serde_json::from_str(&update.to_string()).expect("an update");
            let heard = parse(&update, &me, 0).map_or("nothing".to_owned(), |event| {
                let amends = if event.amends { " (amended)" } else { "" };
                let beside = if event.beside.is_empty() { String::new() } else { format!(" beside {:?}", event.beside) };
                format!("{:?} {}: {:?}{beside}{amends}", event.addressed, event.thread.storage_key(), event.what)
            });
            lines.push_str(&format!("{name}\n    {heard}\n"));
        }
    }
    insta::assert_snapshot!(lines);
}
