//! Calls that a model writes into its words, in the forms that models were trained on.

use super::{MORE_FUNCTIONS, NO_ANSWER, TOOLS};
use crate::llm::ToolCall;
use serde_json::{Map, Value};

/// What stands around calls, and is no word of the model.
const AROUND: [&str; 7] = ["tool_call", "tool_calls", "python_tag", "tools", "function", "json", "python"];

/// Calls that were found in words.
pub struct Written {
    pub calls: Vec<ToolCall>,
    /// Whether a call stands there that is not made: a change among other words, or one that cannot be read.
    pub unmade: bool,
    /// The words without the calls.
    pub words: String,
}

impl Written {
    /// Whether the words say nothing but calls.
    pub fn alone(&self) -> bool {
        !self.unmade && is_around(&self.words)
    }
}

/// The calls in some words, whatever stands around them; none where a text only looks like one. Words beside a call may quote it from
/// a cell, so what is written among words changes nothing.
pub fn calls_in(words: &str) -> Written {
    let mut written = Written { calls: Vec::new(), unmade: false, words: String::new() };
    let mut rest = words;
    while let Some(at) = rest.find(['{', '[', '<', '(']) {
        let (before, from) = rest.split_at(at);
        let found = match &from[..1] {
            "{" | "[" => as_json(from),
            "<" => in_tag(from),
            _ => as_code(before, from),
        };
        let kept = if let Found::Calls { name, .. } | Found::Broken { name } = &found { before.len() - name } else { before.len() };
        written.words.push_str(&before[..kept]);
        let used = match found {
            Found::Calls { calls, used, .. } => {
                for (name, arguments) in calls {
                    written.calls.push(ToolCall { id: format!("written_{}", written.calls.len()), name, arguments });
                }
                used
            }
            // People see nothing of what cannot be read.
            Found::Broken { .. } => {
                written.unmade = true;
                from.len()
            }
            Found::Nothing => {
                written.words.push_str(&from[..1]);
                1
            }
        };
        rest = &from[used..];
    }
    written.words.push_str(rest);
    if !is_around(&written.words) {
        let all = written.calls.len();
        written.calls.retain(|call| !call.name.starts_with("propose_"));
        written.unmade |= written.calls.len() < all;
    }
    if written.unmade || !written.calls.is_empty() {
        let lines: Vec<&str> = written.words.lines().filter(|line| line.trim().is_empty() || !is_around(line)).collect();
        written.words = lines.join("\n").trim().to_owned();
    }
    written
}

/// Whether some words are none of the model's own: tags, fences, names of functions.
fn is_around(words: &str) -> bool {
    let mut words = words.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).filter(|word| !word.is_empty());
    words.all(|word| known(word).is_some() || AROUND.contains(&word.to_lowercase().as_str()))
}

/// What stands at some place of the words.
enum Found {
    /// Names and arguments, and how long they are, beside the name that stands before the place.
    Calls {
        calls: Vec<(String, String)>,
        used: usize,
        name: usize,
    },
    /// A call that cannot be read, with the length of the name before the place.
    Broken {
        name: usize,
    },
    Nothing,
}

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
    let Some((value, used)) = value_at(text) else {
        let opened = text.starts_with('{') || text[1..].trim_start().starts_with('{');
        let name = text.split_once("\"name\"").filter(|(before, _)| opened && before.len() < 60);
        let name = name.and_then(|(_, behind)| behind.split('"').nth(1));
        return if name.and_then(known).is_some() { Found::Broken { name: 0 } } else { Found::Nothing };
    };
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
    let calls: Vec<_> = several.iter().filter_map(call).collect();
    // Inside of what is no call there may be one.
    if calls.is_empty() { Found::Nothing } else { Found::Calls { calls, used, name: 0 } }
}

/// `<function=name>{…}</function>`.
fn in_tag(text: &str) -> Found {
    let Some((name, behind)) = text.strip_prefix("<function=").and_then(|tag| tag.split_once('>')) else { return Found::Nothing };
    let Some(name) = known(name.trim_matches('"')) else { return Found::Nothing };
    let arguments = behind.trim_start();
    match value_at(arguments).filter(|(value, _)| value.is_object()) {
        Some((value, used)) => Found::Calls { calls: vec![(name, value.to_string())], used: text.len() - arguments.len() + used, name: 0 },
        None => Found::Broken { name: 0 },
    }
}

/// `name(sql="…", show=True)`.
fn as_code(before: &str, text: &str) -> Found {
    let begins = before.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).map_or(0, |at| at + 1);
    let Some(called) = known(&before[begins..]) else { return Found::Nothing };
    // In the middle of a sentence it is spoken of.
    let line = before[..begins].trim_end_matches(' ');
    if !line.is_empty() && !line.ends_with(['\n', '>', '`', ']', ':']) {
        return Found::Nothing;
    }
    let name = before.len() - begins;
    match arguments(text) {
        Some((arguments, used)) => Found::Calls { calls: vec![(called, arguments)], used, name },
        None => Found::Broken { name },
    }
}

/// Named arguments in round brackets, as JSON, and how long they are.
fn arguments(text: &str) -> Option<(String, usize)> {
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
    Some((Value::Object(arguments).to_string(), text.len() - rest.len() + 1))
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
        assert!(calls_in(change).alone() && calls_in(&forms[9]).alone() && !calls_in(&forms[1]).alone());
    }

    #[test]
    fn what_is_left_are_the_words_beside_calls() {
        let call = r#"{"name": "propose_update", "arguments": {"sheet": null}}"#;
        for (words, unmade, left) in [
            (format!("I will set it.\n```json\n{call}\n```\nPlease confirm."), true, "I will set it.\n\nPlease confirm."),
            (format!("The note of row 5 is {call}"), true, "The note of row 5 is"),
            (call.to_owned(), false, ""),
            ("I ask:\nquery_sheet('SELECT 1')".into(), true, "I ask:"),
            ("query_sheet(sql=".into(), true, ""),
            (r#"I ask: {"name": "query_sheet", "arguments": {"#.into(), true, "I ask:"),
            ("<function=query_sheet>SELECT 1</function>".into(), true, ""),
            ("I ask:\nquery_sheet(sql='SELECT 1')\nOne moment.".into(), false, "I ask:\n\nOne moment."),
            (
                "There are 2 (two) tasks in {x}: use query_sheet (the function).".into(),
                false,
                "There are 2 (two) tasks in {x}: use query_sheet (the function).",
            ),
            ("The cell holds {\"name\": \"Lee\"".into(), false, "The cell holds {\"name\": \"Lee\""),
        ] {
            let written = calls_in(&words);
            assert_eq!((written.unmade, written.words.as_str()), (unmade, left), "{words}");
        }
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
