//! Reads an answer, streamed or whole: Azure's empty first chunk, fragments by index, filters inside a 200.

use super::error::{Error, failure_inside, filter_categories, filtered};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// Where a message of the model keeps what it thought, for a surface that takes it back.
pub(super) const CARRIED: &str = "carried";

/// A complete answer of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Its words; may be empty when it calls functions.
    pub text: String,
    /// The functions to call, in order.
    pub calls: Vec<ToolCall>,
    /// Whether the words were cut off at the token limit.
    pub cut_off: bool,
    /// Tokens spent.
    pub usage: Usage,
    /// What the model thought, sealed, for its next request in the same turn.
    pub carried: Vec<Value>,
}

impl Answer {
    /// The answer as a message of the conversation, before the results of its calls.
    pub fn message(&self) -> Value {
        let call = |c: &ToolCall| json!({ "id": c.id, "type": "function", "function": { "name": c.name, "arguments": c.arguments } });
        let calls: Vec<Value> = self.calls.iter().map(call).collect();
        let words = if self.text.is_empty() { Value::Null } else { json!(self.text) };
        let mut message = json!({ "role": "assistant", "content": words, "tool_calls": calls });
        if !self.carried.is_empty() {
            message[CARRIED] = json!(self.carried);
        }
        message
    }
}

/// A function call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Ties the result to the call.
    pub id: String,
    /// Name of the function; may be one that does not exist.
    pub name: String,
    /// Its arguments: should be JSON, may be not.
    pub arguments: String,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Told")]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// How many of them the far side had read before, at a lower price.
    pub cached_tokens: u64,
    /// Tokens of the answer, thoughts among them.
    pub completion_tokens: u64,
    /// How many of them were thoughts.
    pub reasoning_tokens: u64,
}

/// The same as chat completions tell it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

impl From<Told> for Usage {
    fn from(told: Told) -> Self {
        Self {
            prompt_tokens: told.prompt_tokens.unwrap_or_default(),
            cached_tokens: told.prompt_tokens_details.and_then(|d| d.cached_tokens).unwrap_or_default(),
            completion_tokens: told.completion_tokens.unwrap_or_default(),
            reasoning_tokens: told.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or_default(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Chunk {
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    /// An answer that comes in one piece has a `message`.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
    content_filter_results: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta {
    #[serde(deserialize_with = "words")]
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Fragment>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fragment {
    /// Which call it belongs to; some servers leave it out, or give all calls the same.
    index: Option<i64>,
    id: Option<String>,
    function: Option<FunctionFragment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionFragment {
    name: Option<String>,
    #[serde(deserialize_with = "json_text")]
    arguments: Option<String>,
}

/// JSON in a text, as it should be, or as it stands.
fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Null => None,
        other => Some(other.to_string()),
    })
}

/// Words as a text, as a part that holds one, or as a list of parts of which some are texts.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text_of = |part: &Value| match part {
        // Some gateways send a digit as a number.
        Value::Number(_) | Value::Bool(_) => Some(part.to_string()),
        part => part.as_str().or(part["text"].as_str()).or(part["text"]["value"].as_str()).map(str::to_owned),
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::Array(parts) => Some(parts.iter().filter_map(text_of).collect()),
        part => {
            let text = text_of(&part);
            if text.is_none() {
                tracing::warn!("the words of a model came in a shape that is not known; they are left out");
            }
            text
        }
    })
}

/// What is said behind the thoughts that some models put in tags before it; nothing as long as they think.
pub(super) fn spoken(text: &str) -> &str {
    for (open, close) in [("<think>", "</think>"), ("<thinking>", "</thinking>")] {
        let begun = text.trim_start();
        if let Some(thoughts) = begun.strip_prefix(open) {
            return thoughts.split_once(close).map_or("", |(_, said)| said.trim_start());
        }
        // The tag itself may still be on its way.
        if !begun.is_empty() && open.starts_with(begun) {
            return "";
        }
    }
    // Templates of some models open the tag themselves.
    text.split_once("</think>").map_or(text, |(_, said)| said.trim_start())
}

/// Tags that stand before calls that are written into words.
const BEFORE_CALLS: [&str; 5] = ["<tool_call", "<function=", "<tools>", "<|python_tag|>", "[TOOL_CALLS]"];

/// Words that grow, up to what may become a call that is written out.
pub(super) fn sayable(text: &str) -> &str {
    let call = text.char_indices().find_map(|(at, _)| may_call(text, at));
    call.map_or(text, |at| text[..at].trim_end())
}

/// Where a call begins that may stand here: in a tag, in JSON, in a fence, or as code.
fn may_call(text: &str, at: usize) -> Option<usize> {
    let from = &text[at..];
    let tag = BEFORE_CALLS.iter().any(|tag| from.starts_with(tag) || tag.starts_with(from));
    let opens =
        |open: char, next: char| from.strip_prefix(open).is_some_and(|rest| rest.trim_start().chars().next().is_none_or(|c| c == next));
    let fence = from.starts_with("```") || "```".starts_with(from);
    if tag || fence || opens('{', '"') || opens('[', '{') {
        return Some(at);
    }
    // Names of functions have an underscore; the last one may still grow.
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text[..at].chars().next_back().is_none_or(|c| !is_name(c));
    let name = from.find(|c| !is_name(c)).map_or(from, |end| &from[..end]);
    (begins && name.contains('_') && matches!(from[name.len()..].chars().next(), None | Some('('))).then_some(at)
}

/// The calls that a call stands for: models name functions with what they belong to, and pack several into one.
pub(super) fn unpacked(call: ToolCall) -> Vec<ToolCall> {
    #[derive(Deserialize)]
    struct Packed {
        tool_uses: Vec<Used>,
    }
    #[derive(Deserialize)]
    struct Used {
        recipient_name: String,
        parameters: Value,
    }
    let bare = |name: &str| name.strip_prefix("functions.").unwrap_or(name).to_owned();
    if let ("multi_tool_use.parallel", Ok(packed)) = (call.name.as_str(), serde_json::from_str::<Packed>(&call.arguments)) {
        let each = |(n, used): (usize, Used)| ToolCall {
            id: format!("{}_{n}", call.id),
            name: bare(&used.recipient_name),
            arguments: used.parameters.to_string(),
        };
        return packed.tool_uses.into_iter().enumerate().map(each).collect();
    }
    vec![ToolCall { name: bare(&call.name), ..call }]
}

/// Puts an answer together, chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    text: String,
    calls: Vec<(Option<i64>, ToolCall)>,
    finish: Option<String>,
    filtered: Vec<String>,
    usage: Usage,
}

impl Assembler {
    /// Takes a chunk; `true` when there are new words.
    pub fn take(&mut self, chunk: Value) -> Result<bool, Error> {
        let chunk: Chunk = serde_json::from_value(chunk).map_err(|error| {
            tracing::error!(%error, "a part of the model's answer cannot be read");
            Error::Unavailable(format!("its answer cannot be read: {error}"))
        })?;
        if let Some(error) = chunk.error.filter(|e| !e.is_null()) {
            return Err(match filter_categories(&error) {
                Some(categories) => Error::Filtered(categories),
                None => failure_inside(&error),
            });
        }
        self.usage = chunk.usage.unwrap_or(self.usage);
        let mut grew = false;
        for choice in chunk.choices.into_iter().take(1) {
            self.filtered.extend(choice.content_filter_results.as_ref().map(filtered).unwrap_or_default());
            self.finish = choice.finish_reason.or(self.finish.take());
            let Some(delta) = choice.delta else { continue };
            for words in [delta.content, delta.refusal].into_iter().flatten().filter(|w| !w.is_empty()) {
                self.text.push_str(&words);
                grew = true;
            }
            for fragment in delta.tool_calls.into_iter().flatten() {
                self.grow(fragment);
            }
        }
        Ok(grew)
    }

    /// Adds a fragment to its call, or begins one. Servers number calls in ways of their own: all of them alike, or not at all, and some give
    /// each fragment another id. A call begins with a name.
    fn grow(&mut self, fragment: Fragment) {
        let id = fragment.id.filter(|id| !id.is_empty());
        let function = fragment.function.unwrap_or_default();
        let (name, arguments) = (function.name.unwrap_or_default(), function.arguments.unwrap_or_default());
        let whole = |call: &ToolCall| serde_json::from_str::<Value>(&call.arguments).is_ok_and(|v| v.is_object());
        let fits = |(index, call): &(Option<i64>, ToolCall)| {
            let here = fragment.index.is_none() || *index == fragment.index;
            match &id {
                _ if name.is_empty() => here,
                Some(id) if !call.id.is_empty() => here && call.id == *id,
                _ => here && fragment.index.is_some() && !whole(call),
            }
        };
        let at = self.calls.iter().rposition(fits).unwrap_or_else(|| {
            self.calls.push((fragment.index, ToolCall::default()));
            self.calls.len() - 1
        });
        let call = &mut self.calls[at].1;
        if call.id.is_empty() {
            call.id = id.unwrap_or_default();
        }
        // Some servers repeat the name with every fragment.
        if call.name != name {
            call.name.push_str(&name);
        }
        call.arguments.push_str(&arguments);
    }

    /// The words so far, as far as they are for people.
    pub fn text(&self) -> &str {
        sayable(spoken(&self.text))
    }

    /// Whether nothing was said or called yet.
    pub fn is_empty(&self) -> bool {
        spoken(&self.text).trim().is_empty() && self.calls.is_empty()
    }

    /// What the answer took, as far as it is known.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// The whole answer, if it is one: a stream that just ends, a filter or a cut-off call is an error.
    pub fn finish(self) -> Result<Answer, Error> {
        let mut indexed = self.calls;
        indexed.sort_by_key(|(index, _)| index.unwrap_or(i64::MAX));
        let mut calls: Vec<ToolCall> = indexed.into_iter().flat_map(|(_, call)| unpacked(call)).collect();
        let text = spoken(&self.text).to_owned();
        for (i, call) in calls.iter_mut().enumerate().filter(|(_, c)| c.id.is_empty()) {
            call.id = format!("call_{i}");
        }
        match self.finish.as_deref() {
            None => Err(Error::Unavailable("the answer broke off".into())),
            Some("content_filter") => Err(Error::Filtered(self.filtered)),
            Some("length") if !calls.is_empty() || text.is_empty() => Err(Error::CutOff),
            Some(reason) => Ok(Answer { text, calls, cut_off: reason == "length", usage: self.usage, carried: Vec::new() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(chunks: &[Value]) -> Result<Answer, Error> {
        let mut assembler = Assembler::default();
        for chunk in chunks {
            assembler.take(chunk.clone())?;
        }
        assembler.finish()
    }

    #[test]
    fn words_come_as_a_text_or_in_parts() {
        let stop = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
        for content in [
            json!("Hello"),
            json!([{ "type": "text", "text": "Hel" }, { "type": "text", "text": "lo" }]),
            json!([{ "type": "reasoning" }, "Hello"]),
            json!({ "type": "text", "text": { "value": "Hello" } }),
            json!(["Hell", { "type": "thinking" }, "o"]),
        ] {
            let chunk = json!({ "choices": [{ "delta": { "content": content } }] });
            assert_eq!(assemble(&[chunk, stop.clone()]).expect("an answer").text, "Hello");
        }
        let digits = [json!("There are "), json!(1), json!(2), json!({}), json!(true)];
        let chunks = digits.map(|content| json!({ "choices": [{ "delta": { "content": content } }] }));
        assert_eq!(assemble(&[&chunks[..], &[stop]].concat()).expect("an answer").text, "There are 12true");
    }

    #[test]
    fn azures_odd_chunks_are_read() {
        let answer = assemble(&[
            json!({ "choices": [], "created": 0, "id": "", "prompt_filter_results": [] }),
            json!({ "choices": [{ "index": 0, "finish_reason": null, "content_filter_offsets": { "check_offset": 1 } }] }),
            json!({ "choices": [{ "delta": { "role": "assistant", "content": null, "tool_calls": [{ "index": 1, "id": "b", "function": { "name": "two", "arguments": "{" } }] } }] }),
            json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "one", "arguments": "" } }, { "index": 1, "function": { "arguments": "}" } }] } }] }),
            json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "function": { "arguments": "{}" } }] }, "finish_reason": "tool_calls" }], "obfuscation": "x" }),
            json!({ "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4 } }),
        ])
        .unwrap();
        let calls: Vec<_> = answer.calls.iter().map(|c| format!("{} {} {}", c.id, c.name, c.arguments)).collect();
        assert_eq!(calls, ["a one {}", "b two {}"]);
        assert_eq!(answer.usage.completion_tokens, 4);
    }

    #[test]
    fn calls_are_told_apart_however_servers_number_them() {
        let one = |index: Value, id: Value, name: &str, arguments: Value| {
            let mut call = json!({ "function": { "name": name, "arguments": arguments } });
            if !index.is_null() {
                call["index"] = index;
            }
            call["id"] = id;
            call
        };
        let said = |fragments: Vec<Value>| {
            let mut chunks: Vec<Value> =
                fragments.into_iter().map(|f| json!({ "choices": [{ "delta": { "tool_calls": [f] } }] })).collect();
            chunks.push(json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] }));
            let calls = assemble(&chunks).expect("an answer").calls;
            calls.iter().map(|c| format!("{}{}", c.name, c.arguments)).collect::<Vec<_>>().join(" ")
        };
        let (a, b) = (json!("{\"q\":1}"), json!("{\"q\":2}"));
        let both = "f{\"q\":1} f{\"q\":2}";
        assert_eq!(
            said(vec![one(json!(0), json!("x"), "f", a.clone()), one(json!(0), json!("y"), "f", b.clone())]),
            both,
            "one index for all"
        );
        assert_eq!(
            said(vec![one(json!(null), json!("x"), "f", a.clone()), one(json!(null), json!("y"), "f", b.clone())]),
            both,
            "no index"
        );
        assert_eq!(
            said(vec![one(json!(null), json!(null), "f", a.clone()), one(json!(null), json!(null), "f", b.clone())]),
            both,
            "nothing at all"
        );
        assert_eq!(said(vec![one(json!(0), json!("x"), "f", a), one(json!(1), json!("x"), "f", b)]), both, "one id for all");
        let each = vec![
            one(json!(0), json!("x"), "f", json!("")),
            one(json!(0), json!("y"), "", json!("{\"q\"")),
            one(json!(0), json!("z"), "", json!(":1}")),
        ];
        assert_eq!(said(each), "f{\"q\":1}", "an id for each fragment");
        let alike = vec![one(json!(0), json!(""), "f", json!("{\"q\":1}")), one(json!(0), json!(""), "f", json!("{\"q\":2}"))];
        assert_eq!(said(alike), both, "one index and no id");
        assert_eq!(said(vec![one(json!(-1), json!("x"), "f", json!("{\"q\":1}"))]), "f{\"q\":1}");
        let repeated = vec![one(json!(0), json!("x"), "f", json!("{\"q\"")), one(json!(0), json!(null), "f", json!(":1}"))];
        assert_eq!(said(repeated), "f{\"q\":1}");
        assert_eq!(said(vec![one(json!(0), json!("x"), "functions.f", json!({ "q": 1 }))]), "f{\"q\":1}", "arguments as an object");
        let packed = json!({ "tool_uses": [{ "recipient_name": "functions.f", "parameters": { "q": 1 } }, { "recipient_name": "f", "parameters": { "q": 2 } }] });
        assert_eq!(said(vec![one(json!(0), json!("x"), "multi_tool_use.parallel", packed)]), both);
    }

    #[test]
    fn thoughts_are_not_words_and_what_cannot_be_read_is_an_error() {
        let (mut assembler, mut shown) = (Assembler::default(), Vec::new());
        for piece in ["<th", "ink>a sum", ", I think</thi", "nk>\n\nThe sum", " is 1."] {
            assembler.take(json!({ "choices": [{ "delta": { "content": piece } }] })).expect("words");
            shown.push(assembler.text().to_owned());
        }
        assert_eq!(shown, ["", "", "", "The sum", "The sum is 1."]);
        assert_eq!((spoken("<b> is a tag"), spoken("a sum, I think</think>\nIt is 1.")), ("<b> is a tag", "It is 1."));
        let odd = assemble(&[json!({ "choices": [{ "delta": { "tool_calls": "none" } }] })]);
        insta::assert_snapshot!(odd.unwrap_err(), @r#"the model does not answer: its answer cannot be read: invalid type: string "none", expected a sequence"#);
    }

    #[test]
    fn words_grow_up_to_what_may_become_a_call() {
        for (grown, shown) in [
            ("Let me look.\n{", "Let me look."),
            ("Let me look.\n{\n  \"name", "Let me look."),
            ("One moment: [", "One moment:"),
            ("One moment: [{\"name\"", "One moment:"),
            ("I ask: query_sheet", "I ask:"),
            ("I ask: query_sheet(sql=\"SELECT 1", "I ask:"),
            ("Look:\n``", "Look:"),
            ("Look:\n```python\nquery", "Look:"),
            ("I ask. <tool", "I ask."),
            ("{\"type\": \"function\"", ""),
            ("There are 2 (two) tasks [see below] in due_date, or {soon}", "There are 2 (two) tasks [see below] in due_date, or {soon}"),
            ("a < b, `x` and due_date is", "a < b, `x` and due_date is"),
            ("", ""),
        ] {
            assert_eq!(sayable(grown), shown, "{grown}");
        }
    }

    #[test]
    fn broken_filtered_and_cut_off_answers_are_errors() {
        let text = json!({ "choices": [{ "delta": { "content": "Hel" } }] });
        let end = |reason: &str| json!({ "choices": [{ "delta": {}, "finish_reason": reason, "content_filter_results": { "violence": { "filtered": true } } }] });
        let call = json!({ "choices": [{ "delta": { "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "f", "arguments": "{\"a" } }] } }] });
        insta::assert_snapshot!(assemble(std::slice::from_ref(&text)).unwrap_err(), @"the model does not answer: the answer broke off");
        insta::assert_snapshot!(assemble(&[text.clone(), end("content_filter")]).unwrap_err(), @"the content filter refused it (violence)");
        insta::assert_snapshot!(assemble(&[call, end("length")]).unwrap_err(), @"the answer was cut off at the token limit");
        assert!(assemble(&[text, end("length")]).unwrap().cut_off);
        insta::assert_snapshot!(assemble(&[json!({ "error": { "code": "content_filter", "innererror": {} } })]).unwrap_err(), @"the content filter refused it ()");
    }
}
