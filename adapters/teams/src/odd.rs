//! Recorded and odd activities of Teams, and what is heard of each.

use crate::event::parse;
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn odd_activities_are_heard_for_what_they_are() {
    let mut lines = String::new();
    for file in [include_str!("../tests/odd/teams_odd.json"), include_str!("../tests/odd/teams_upgrade.json")] {
        let all: BTreeMap<String, Value> = serde_json::from_str(file).expect("activities");
        for (name, activity) in all {
            let heard = match serde_json::from_value(activity) {
                Ok(activity) => parse(&activity, 0).map_or("nothing".to_owned(), |event| {
                    let amends = if event.amends { " (amended)" } else { "" };
                    let beside = if event.beside.is_empty() { String::new() } else { format!(" beside {:?}", event.beside) };
                    let home = event.sender.home.as_ref().map(|home| format!(" by somebody of {home}")).unwrap_or_default();
                    format!("{:?} {}: {:?}{home}{beside}{amends}", event.addressed, event.thread.storage_key(), event.what)
                }),
                Err(error) => format!("unreadable: {error}"),
            };
            lines.push_str(&format!("{name}\n    {heard}\n"));
        }
    }
    insta::assert_snapshot!(lines);
}
