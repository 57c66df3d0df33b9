//! Calls that a model writes into its words, in the forms that models were trained on.

use super::{MORE_FUNCTIONS, NO_ANSWER, TOOLS};
use crate::llm::ToolCall;
use serde_json::{Map, Value};

/// What stands around calls, and is no word of the model.
const AROUND: [&str; 7] = ["tool_call", "tool_calls", "python_tag", "tools", "function", "json", "python"];

/// Calls that were found in words.
pub struct Written {
    pub calls: Vec<ToolCall>,
    /// Whether the words say nothing else.
    pub alone: bool,
}

/// The calls in some words, whatever stands around them; none where a text only looks like one. Words beside a call may quote it from
/// a cell, so what is written among words changes nothing.
pub fn calls_in(words: &str) -> Written {
    let mut calls: Vec<ToolCall> = Vec::new();
    let (mut rest, mut beside) = (words, String::new());
    while let Some(at) = rest.find(['{', '[', '<', '(']) {
        let (before, from) = rest.split_at(at);
        let (found, used) = match &from[..1] {
            "{" | "[" => as_json(from),
            "<" => in_tag(from),
            _ => as_code(before, from),
        };
        beside.push_str(before);
        if found.is_empty() {
            beside.push_str(&from[..used.max(1)]);
        }
        for (name, arguments) in found {
            calls.push(ToolCall { id: format!("written_{}", calls.len()), name, arguments });
        }
        rest = &from[used.max(1)..];
    }
    beside.push_str(rest);
    let mut words = beside.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).filter(|word| !word.is_empty());
    let alone = words.all(|word| known(word).is_some() || AROUND.contains(&word.to_lowercase().as_str()));
    if !alone {
        calls.retain(|call| !call.name.starts_with("propose_"));
    }
    Written { calls, alone }
}

type Found = (Vec<(String, String)>, usize);

fn known(name: &str) -> Option<String> {
    let name = name.trim().trim_start_matches("functions.");
    let known = name == NO_ANSWER || name == MORE_FUNCTIONS || TOOLS.iter().any(|tool| tool.name == name);
    known.then(|| name.to_owned())
}

/// The JSON value at the beginning of a text, and how long it is.
fn value_at(text: &str) -> Option<(Value, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

/// `{"name": …, "arguments": …}`, alone or several in a list.
fn as_json(text: &str) -> Found {
    let Some((value, used)) = value_at(text) else { return (Vec::new(), 0) };
    let several = match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    let call = |one: &Value| {
        let call = if one["function"].is_object() { &one["function"] } else { one };
        let name = known(call["name"].as_str()?)?;
        let arguments = ["arguments", "parameters", "input"].iter().map(|key| &call[*key]).find(|value| !value.is_null());
        let arguments = arguments.map_or_else(|| "{}".to_owned(), |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        Some((name, arguments))
    };
    let found: Vec<_> = several.iter().filter_map(call).collect();
    // Inside of what is no call there may be one.
    if found.is_empty() { (found, 0) } else { (found, used) }
}

/// `<function=name>{…}</function>`.
fn in_tag(text: &str) -> Found {
    let call = || {
        let (name, behind) = text.strip_prefix("<function=")?.split_once('>')?;
        let name = known(name.trim_matches('"'))?;
        let (value, used) = value_at(behind.trim_start()).filter(|(value, _)| value.is_object())?;
        let skipped = behind.len() - behind.trim_start().len();
        Some(((name, value.to_string()), text.len() - behind.len() + skipped + used))
    };
    call().map_or((Vec::new(), 0), |(found, used)| (vec![found], used))
}

/// `name(sql="…", show=True)`.
fn as_code(before: &str, text: &str) -> Found {
    let call = || {
        let begins = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).map_or(0, |at| at + 1);
        let name = known(&before[begins..])?;
        // In the middle of a sentence it is spoken of.
        let line = before[..begins].trim_end_matches(' ');
        if !line.is_empty() && !line.ends_with(['\n', '>', '`', ']', ':']) {
            return None;
        }
        let mut arguments = Map::new();
        let mut rest = text[1..].trim_start();
        while !rest.starts_with(')') {
            let (key, behind) = rest.split_once('=')?;
            let key = key.trim();
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return None;
            }
            let (value, used) = literal(behind.trim_start())?;
            arguments.insert(key.to_owned(), value);
            rest = behind.trim_start()[used..].trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Some(((name, Value::Object(arguments).to_string()), text.len() - rest.len() + 1))
    };
    call().map_or((Vec::new(), 0), |(found, used)| (vec![found], used))
}

/// A value as JSON or Python writes it, and how long it is.
fn literal(text: &str) -> Option<(Value, usize)> {
    for (word, value) in [("True", Value::Bool(true)), ("False", Value::Bool(false)), ("None", Value::Null)] {
        if text.starts_with(word) {
            return Some((value, word.len()));
        }
    }
    let Some(quoted) = text.strip_prefix('\'') else { return value_at(text) };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((Value::String(value), at + 2)),
            '\\' => value.extend(chars.next().map(|(_, c)| match c {
                'n' => '\n',
                't' => '\t',
                c => c,
            })),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(words: &str) -> String {
        calls_in(words).calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn calls_are_found_in_every_form_that_models_write() {
        let call = r#"{"name": "query_sheet", "arguments": {"sheet": null, "sql": "SELECT 1", "show": false}}"#;
        let right = r#"query_sheet {"sheet":null,"sql":"SELECT 1","show":false}"#;
        let forms = [
            call.to_owned(),
            format!("Let me look that up.\n{call}"),
            format!("{call}\nI will tell you what it brings."),
            format!("Sure:\n```json\n{call}\n```\nOne moment."),
            format!("I will ask. <tool_call>\n{call}\n</tool_call>"),
            format!("[TOOL_CALLS][{call}]"),
            format!("<|python_tag|>{call}"),
            format!("<tools>{call}</tools>"),
            r#"<function=query_sheet>{"sheet": null, "sql": "SELECT 1", "show": false}</function>"#.into(),
            r#"query_sheet(sheet=None, sql="SELECT 1", show=False)"#.into(),
            "```python\nquery_sheet(sheet=None, sql='SELECT 1', show=False)\n```".into(),
            r#"{"type": "function", "function": {"name": "functions.query_sheet", "parameters": {"sheet": null, "sql": "SELECT 1", "show": false}}}"#.into(),
        ];
        for form in &forms {
            assert_eq!(seen(form), right, "{form}");
        }
        assert_eq!(seen(&format!("{call}\n{call}")), format!("{right}; {right}"));
        assert_eq!(seen("query_sheet(sql='SELECT a\\nFROM leaf')"), r#"query_sheet {"sql":"SELECT a\nFROM leaf"}"#);
        let change = r#"<tool_call>{"name": "propose_update", "arguments": {"sheet": null}}</tool_call>"#;
        assert_eq!(seen(change), r#"propose_update {"sheet":null}"#, "a change is taken from a call that stands alone");
        assert!(calls_in(change).alone && calls_in(&forms[9]).alone && !calls_in(&forms[1]).alone);
    }

    #[test]
    fn words_that_are_no_calls_stay_words() {
        for words in [
            "There are 2 (two) blocked tasks [see below].",
            r#"The cell holds {"name": "Lee", "arguments": 3}."#,
            "Use query_sheet (the function) for that.",
            "query_sheet(sql=",
            "{\"name\": \"query_sheet\", \"arguments\": {",
            "a < b and f(x=1)",
            "There are 3 of them (I used query_sheet(sheet=None, sql='SELECT 1', show=False)).",
            r#"The note of row 5 is {"name": "propose_update", "arguments": {"sheet": null}}"#,
            "",
        ] {
            assert_eq!(seen(words), "", "{words}");
        }
    }
}
