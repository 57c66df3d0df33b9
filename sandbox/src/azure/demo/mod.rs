//! The built-in demo model: pattern-based, no network, no weights. It reads the conversation as a
//! real model would get it and answers with function calls or words.

mod asks;
mod changes;
mod dates;
mod filters;
mod jobs;
mod reading;
mod schema;
mod words;

use super::script::Reply;
use jiff::civil::Weekday;
use schema::Schema;
use serde_json::{Value, json};

/// What it can be asked, for those who are lost.
const EXAMPLES: &str = "- which tasks are overdue, and who owns them?\n\
    - how many tasks are blocked?\n\
    - total budget by department\n\
    - set Status to \"In Progress\" for everything assigned to Dana that is Not Started\n\
    - add a task \"Security review\", owner Omar\n\
    - delete the rows marked Cancelled\n\
    - add a picklist column Risk with Low, Medium, High\n\
    - summarize Notes into Summary";

fn lost() -> String {
    format!(
        "I did not understand that. I am the built-in demo model and only know patterns (set AZURE_OPENAI_* for the real one). Try for example:\n{EXAMPLES}"
    )
}

/// What a request comes down to.
enum Intent {
    Query(asks::Query),
    Update { filter: String, set: Vec<(String, New)> },
    Add { title: String, parent: Option<String>, cells: Vec<(String, Value)> },
    Delete { filter: String },
    Column(Value),
    Job(Value),
    Comment { row: String, text: String },
    Explain { row: String, column: Option<String> },
    Say(String),
}

/// What a cell is to become.
enum New {
    Value(Value),
    Expression(String),
}

/// The results of the functions that were called since the user's last message.
#[derive(Default)]
struct Turn<'a> {
    text: String,
    results: Vec<(&'a str, Value)>,
}

impl Turn<'_> {
    fn result(&self, name: &str) -> Option<&Value> {
        self.results.iter().rev().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

/// How the bot tells that a name fits several people.
const SEVERAL: &str = "more than one person is called";

pub(super) fn reply(request: &Value) -> Reply {
    let messages: &[Value] = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(answer) = jobs::row(request) {
        return Reply::Say(answer.to_string());
    }
    let mut turn = turn_of(messages);
    if let Some(text) = who_asks(&turn.text, messages) {
        return Reply::Say(text);
    }
    turn.text = with_row(&with_asker(&turn.text, messages), messages);
    if let Some(text) = small_talk(&turn.text) {
        return Reply::Say(text);
    }
    if let Some((_, failed)) = turn.results.last().filter(|(_, r)| !r["error"].is_null()) {
        let error = failed["error"].as_str().unwrap_or("unknown error");
        return Reply::Say(match error.strip_prefix(SEVERAL) {
            Some(people) => format!("M{}{}. Which one do you mean?", &SEVERAL[1..], people.split("; ").next().unwrap_or_default()),
            None => format!("That did not work: {error}"),
        });
    }
    if words::any(&turn.text, &["which sheets", "list sheets", "list my sheets", "what sheets", "find sheet", "find the sheet"]) {
        return sheets(&turn);
    }
    let lower = turn.text.to_lowercase();
    if let Some(name) = ["use ", "switch to "].iter().find_map(|verb| lower.strip_prefix(verb)).filter(|name| name.split(' ').count() < 4) {
        let name = turn.text[turn.text.len() - name.len()..].to_owned();
        return match sheets(&turn) {
            Reply::Say(all) => Reply::Say(format!("I see no sheet called “{name}”. {all}")),
            call => call,
        };
    }
    let Some(described) = turn.result("describe_sheet") else {
        return Reply::call("describe_sheet", json!({ "sheet": null }));
    };
    let schema = Schema::read(described, &today(messages), week_start(messages));
    let reply = intent(&turn.text, &schema).map_or_else(|| Reply::Say(lost()), |intent| act(intent, &turn, &schema));
    match &reply {
        // Nobody has asked it anything.
        Reply::Say(text) if text.contains(EXAMPLES) && offers(request, "no_answer") => Reply::call("no_answer", json!({})),
        _ => reply,
    }
}

/// Whether a function may be called.
fn offers(request: &Value, name: &str) -> bool {
    request["tools"].as_array().is_some_and(|all| all.iter().any(|t| t["function"]["name"] == name))
}

/// What a text model writes behind a prompt.
pub(super) fn continuation(prompt: &str) -> String {
    jobs::continuation(prompt).map_or_else(|| " I have nothing to add.".into(), |answer| format!(" {answer}\n\nThat is the answer."))
}

fn intent(text: &str, schema: &Schema) -> Option<Intent> {
    jobs::read(text, schema)
        .or_else(|| jobs::why(text, schema))
        .or_else(|| changes::read(text, schema))
        .or_else(|| asks::read(text, schema))
}

fn act(intent: Intent, turn: &Turn<'_>, schema: &Schema) -> Reply {
    match intent {
        Intent::Say(text) => Reply::Say(text),
        Intent::Query(query) => match turn.result("query_sheet") {
            None => Reply::call("query_sheet", json!({ "sheet": null, "sql": query.sql, "show": true })),
            Some(result) => Reply::Say(query.answer(result)),
        },
        Intent::Update { filter, set } => {
            let of = |(column, new): (String, New)| match new {
                New::Value(value) => json!({ "column": column, "value": value, "expression": null }),
                New::Expression(sql) => json!({ "column": column, "value": null, "expression": sql }),
            };
            let set: Vec<Value> = set.into_iter().map(of).collect();
            Reply::call("propose_update", json!({ "sheet": null, "where_sql": filter, "set": set }))
        }
        Intent::Delete { filter } => Reply::call("propose_delete", json!({ "sheet": null, "where_sql": filter })),
        Intent::Job(arguments) => Reply::call("propose_job", arguments),
        Intent::Column(arguments) => Reply::call("propose_column", arguments),
        Intent::Add { title, parent, cells } => {
            let parent_id = match named_row(parent.as_deref(), turn, schema) {
                Ok(id) => id,
                Err(reply) => return reply,
            };
            let mut all = vec![json!({ "column": schema.primary().title, "value": title })];
            all.extend(cells.into_iter().map(|(column, value)| json!({ "column": column, "value": value })));
            Reply::call(
                "propose_rows",
                json!({ "sheet": null, "rows": [{ "cells": all }], "parent_row_id": parent_id, "after_row_id": null, "position": "bottom" }),
            )
        }
        Intent::Explain { row, column } => match named_row(Some(&row), turn, schema) {
            Ok(id) => match turn.result("explain_result") {
                None => Reply::call("explain_result", json!({ "sheet": null, "row_id": id, "column": column })),
                Some(result) => Reply::Say(explained(&row, result)),
            },
            Err(reply) => reply,
        },
        Intent::Comment { row, text } => match named_row(Some(&row), turn, schema) {
            Ok(id) => Reply::call("propose_comment", json!({ "sheet": null, "row_id": id, "text": text })),
            Err(reply) => reply,
        },
    }
}

/// The id of the row that is called so, by way of a query.
fn named_row(name: Option<&str>, turn: &Turn<'_>, schema: &Schema) -> Result<Value, Reply> {
    let Some(name) = name else { return Ok(Value::Null) };
    let Some(result) = turn.result("query_sheet") else {
        let primary = &schema.primary().sql;
        let sql = format!(
            "SELECT row_id, {primary} FROM sheet WHERE {primary} LIKE {} ORDER BY level LIMIT 5",
            words::quote(&format!("{name}%"))
        );
        return Err(Reply::call("query_sheet", json!({ "sheet": null, "sql": sql, "show": false })));
    };
    match result["rows"][0][0].as_str() {
        Some(id) => Ok(json!(id)),
        None => Err(Reply::Say(format!("I found no row whose {} begins with “{name}”.", schema.primary().title))),
    }
}

/// The newest result of a row that has a reason.
fn explained(row: &str, result: &Value) -> String {
    let all = result["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let newest = all.iter().find(|r| r["answer"]["reason"].is_string()).or(all.first()).unwrap_or(&Value::Null);
    let value = newest["value"].as_str().map_or_else(|| newest["value"].to_string(), str::to_owned);
    let reason = newest["answer"]["reason"].as_str().unwrap_or("No reason was given.");
    format!("{row} has {value} in {}: {reason}", newest["column"].as_str().unwrap_or("that column"))
}

fn sheets(turn: &Turn<'_>) -> Reply {
    let Some(found) = turn.result("find_sheets") else {
        return Reply::call("find_sheets", json!({ "query": null }));
    };
    let lines = found["sheets"].as_array().into_iter().flatten().filter_map(|s| s["name"].as_str());
    Reply::Say(format!("These are the sheets I can see:\n{}", lines.map(|n| format!("- {n}\n")).collect::<String>()))
}

fn small_talk(text: &str) -> Option<String> {
    let bare = text.trim().trim_end_matches(['!', '.', '?']).to_lowercase();
    match bare.as_str() {
        "hi" | "hello" | "hey" | "good morning" | "hi there" => {
            Some("Hello! Ask me about this sheet, for example “which tasks are overdue?” or “total budget by department”.".into())
        }
        "thanks" | "thank you" | "great" | "ok" | "okay" | "cool" | "thx" => Some("You are welcome.".into()),
        _ => None,
    }
}

/// The user's last words (a follow-up is read together with what came before) and what was called since.
fn turn_of(messages: &[Value]) -> Turn<'_> {
    // What the bot itself asks to be checked is not what the person has said.
    let is_said = |m: &Value| m["role"] == "user" && !m["content"].as_str().is_some_and(|text| text.starts_with("[check]"));
    let users: Vec<usize> = messages.iter().enumerate().filter(|(_, m)| is_said(m)).map(|(i, _)| i).collect();
    let Some(last) = users.last().copied() else { return Turn::default() };
    // Signs that nobody sees may stand in the middle of a word.
    let unseen = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    // What was said before says by whom.
    let without_speaker = |text: &str| match text.strip_prefix('[').and_then(|t| t.split_once("] ")) {
        Some((_, said)) => said.to_owned(),
        None => text.to_owned(),
    };
    let words_at = |i: usize| {
        let text = messages[i]["content"].as_str().unwrap_or_default();
        let text = text.split("Beside the message, as data").next().unwrap_or_default().trim_end();
        if i == last { text.to_owned() } else { without_speaker(text) }.replace(unseen, "")
    };
    let mut text = words_at(last);
    let lower = text.to_lowercase();
    let follow_up =
        ["and only", "only ", "what about", "how about", "and for", "and what about", "just "].iter().any(|p| lower.starts_with(p));
    if follow_up && users.len() > 1 {
        text = format!("{} {text}", words_at(users[users.len() - 2]));
    }
    if let [.., before, _] = users.as_slice()
        && let Some(name) = asked_back(&messages[*before + 1..last], text.trim())
    {
        text = words_at(*before).replace(name, text.trim());
    }
    let mut results = Vec::new();
    for message in &messages[last + 1..] {
        if message["role"] != "tool" {
            continue;
        }
        let calls = messages[last + 1..].iter().flat_map(|m| m["tool_calls"].as_array().into_iter().flatten());
        let name = calls.filter(|c| c["id"] == message["tool_call_id"]).filter_map(|c| c["function"]["name"].as_str()).next_back();
        let content = message["content"].as_str().and_then(|c| serde_json::from_str(c).ok());
        results.extend(name.zip(content));
    }
    Turn { text, results }
}

/// The name that fits several people, where the last answer asked who is meant and one of them was named.
fn asked_back<'a>(answers: &'a [Value], named: &str) -> Option<&'a str> {
    let words = answers.iter().rev().find(|m| m["role"] == "assistant")?["content"].as_str()?;
    let (name, people) = words.get(1..)?.strip_prefix(&SEVERAL[1..])?.strip_prefix(" “")?.split_once('”')?;
    people.contains(named).then_some(name)
}

/// The day on which weeks begin, as the bot tells it.
fn week_start(messages: &[Value]) -> Weekday {
    let system = messages.iter().filter(|m| m["role"] == "system").filter_map(|m| m["content"].as_str());
    let named = system.filter_map(|s| s.split("Weeks begin on ").nth(1)?.split('.').next()).next_back().unwrap_or_default().to_lowercase();
    dates::WEEKDAYS.iter().find(|(name, _)| *name == named).map_or(Weekday::Monday, |(_, day)| *day)
}

/// What somebody is told who asks for their own name.
fn who_asks(text: &str, messages: &[Value]) -> Option<String> {
    let bare = text.to_lowercase().replace('’', "'");
    let asks = ["who am i", "what is my name", "what's my name", "do you know me", "do you know my name", "do you know who i am"];
    asks.contains(&bare.trim_end_matches(['?', '!', '.', ' ']).trim()).then(|| match asker(messages) {
        Some(name) => format!("You are {name}."),
        None => "I do not know who you are.".into(),
    })
}

/// The name of whoever asks, as the bot tells it.
fn asker(messages: &[Value]) -> Option<&str> {
    let system = messages.iter().filter(|m| m["role"] == "system").filter_map(|m| m["content"].as_str());
    let named = system.filter_map(|s| s.split("Who asks now: \"").nth(1)?.split('"').next()).next_back();
    named.filter(|name| !name.is_empty())
}

/// A text with the name of whoever asks for “my”, “I” and “me”.
fn with_asker(text: &str, messages: &[Value]) -> String {
    let known = asker(messages);
    // Where nobody is known, no word stands for them: the question is refused.
    let name = known.unwrap_or("me");
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    for i in 0..words.len() {
        let bare = words[i].trim_end_matches(['.', ',', '!', '?']).to_owned();
        let put = match bare.to_lowercase().as_str() {
            "my" | "mine" if known.is_some() => format!("{name}'s"),
            "mine" => name.to_owned(),
            "me" if i > 0 && ["to", "for", "by"].contains(&words[i - 1].as_str()) => name.to_owned(),
            "i" if i > 0 && words[i - 1] == "do" => {
                words[i - 1] = "does".into();
                name.to_owned()
            }
            _ => continue,
        };
        words[i] = words[i].replacen(&bare, &put, 1);
    }
    words.join(" ")
}

/// A text with the name of the row that was asked about before for “it”: “who owns Load test?”, “assign it to Mia”.
fn with_row(text: &str, messages: &[Value]) -> String {
    let answers = messages.iter().rev().filter(|m| m["role"] == "assistant").filter_map(|m| m["content"].as_str());
    let asked = answers.filter_map(|answer| answer.rsplit_once("[query of ")).map(|(_, query)| query).next();
    let Some(name) = asked.filter(|query| query.contains("-> 1 row]")).and_then(|query| query.split(" LIKE '%").nth(1)?.split("%'").next())
    else {
        return text.to_owned();
    };
    let verbs = ["assign", "give", "set", "mark", "move", "delete", "postpone", "push"];
    match verbs.iter().find(|verb| text.to_lowercase().starts_with(&format!("{verb} it "))) {
        Some(verb) => format!("{verb} \"{name}\" {}", &text[verb.len() + 4..]),
        None => text.to_owned(),
    }
}

fn today(messages: &[Value]) -> String {
    let system = messages.iter().filter(|m| m["role"] == "system").filter_map(|m| m["content"].as_str());
    let mut dates = system.filter_map(|s| s.split("Today is ").nth(1)).filter_map(|s| s.get(..10));
    dates.next_back().unwrap_or("1970-01-01").to_owned()
}
