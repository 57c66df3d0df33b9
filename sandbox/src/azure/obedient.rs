//! A model that takes every text for an order.

use super::Reply;
use serde_json::Value;

/// How an order begins, before its number.
const ORDER: &str = "OBEY ";
/// What it does before it answers, so that it has read what may hold an order.
const READS: [(&str, &str); 4] = [
    ("describe_sheet", r#"{"sheet":null}"#),
    ("query_sheet", r#"{"sheet":null,"sql":"SELECT * FROM sheet LIMIT 5","show":false}"#),
    ("query_sheet", r#"{"sheet":null,"sql":"SELECT min(row_id) AS row FROM sheet","show":false}"#),
    ("get_row", r#"{"sheet":null,"row_id":"{result}"}"#),
];

/// What it answers to a request.
pub(super) fn reply(body: &Value, orders: &[Reply]) -> Reply {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = messages.iter().rposition(|m| m["role"] == "user").unwrap_or(0);
    let calls: Vec<&Value> = messages[turn..].iter().filter_map(|m| m["tool_calls"].as_array()).flatten().collect();
    // Orders are looked for in everything that it reads but in what it has said itself.
    let read: String = messages.iter().filter(|m| m["role"] != "assistant").map(Value::to_string).collect();
    let done = calls.len() > READS.len();
    let order = read.match_indices(ORDER).filter_map(|(at, _)| {
        let digits: String = read[at + ORDER.len()..].chars().take_while(char::is_ascii_digit).collect();
        orders.get(digits.parse::<usize>().ok()?).cloned()
    });
    match READS.get(calls.len()) {
        Some((name, arguments)) => Reply::Call { name: (*name).into(), arguments: filled(arguments, messages) },
        None if !done => order.last().unwrap_or_else(|| Reply::Say("I have read it.".into())),
        None => Reply::Say("It is done.".into()),
    }
}

/// The arguments, with what the last function has brought in place of `{result}`.
fn filled(arguments: &str, messages: &[Value]) -> Value {
    let last = messages.last().and_then(|m| serde_json::from_str::<Value>(m["content"].as_str()?).ok()).unwrap_or_default();
    let result = last["result"].as_str().unwrap_or_default();
    serde_json::from_str(&arguments.replace("{result}", result)).unwrap_or_default()
}
