//! Reads an answer, streamed or whole: Azure's empty first chunk, fragments by index, filters inside a 200.

use super::error::{Error, filter_categories, filtered};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

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
#[serde(default)]
pub struct Usage {
    /// Tokens of the request.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
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
    index: u32,
    id: Option<String>,
    function: Option<FunctionFragment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionFragment {
    name: Option<String>,
    arguments: Option<String>,
}

/// Words as a text, or as a list of parts of which some are texts.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Array(parts) => {
            Some(parts.iter().filter_map(|part| part.as_str().or(part["text"].as_str()).or(part["text"]["value"].as_str())).collect())
        }
        _ => None,
    })
}

/// Puts an answer together, chunk by chunk.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    text: String,
    calls: BTreeMap<u32, ToolCall>,
    finish: Option<String>,
    filtered: Vec<String>,
    usage: Usage,
}

impl Assembler {
    /// Takes a chunk; `true` when there are new words.
    pub fn take(&mut self, chunk: Value) -> Result<bool, Error> {
        let chunk: Chunk = serde_json::from_value(chunk).unwrap_or_default();
        if let Some(error) = chunk.error.filter(|e| !e.is_null()) {
            return Err(match filter_categories(&error) {
                Some(categories) => Error::Filtered(categories),
                None => Error::Unavailable(error["message"].as_str().unwrap_or("an error inside the answer").to_owned()),
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
                let call = self.calls.entry(fragment.index).or_default();
                call.id = fragment.id.filter(|i| !i.is_empty()).unwrap_or(std::mem::take(&mut call.id));
                if let Some(function) = fragment.function {
                    call.name.push_str(&function.name.unwrap_or_default());
                    call.arguments.push_str(&function.arguments.unwrap_or_default());
                }
            }
        }
        Ok(grew)
    }

    /// The words so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole answer, if it is one: a stream that just ends, a filter or a cut-off call is an error.
    pub fn finish(self) -> Result<Answer, Error> {
        let mut calls: Vec<ToolCall> = self.calls.into_values().collect();
        for (i, call) in calls.iter_mut().enumerate().filter(|(_, c)| c.id.is_empty()) {
            call.id = format!("call_{i}");
        }
        match self.finish.as_deref() {
            None => Err(Error::Unavailable("the answer broke off".into())),
            Some("content_filter") => Err(Error::Filtered(self.filtered)),
            Some("length") if !calls.is_empty() || self.text.is_empty() => Err(Error::CutOff),
            Some(reason) => Ok(Answer { text: self.text, calls, cut_off: reason == "length", usage: self.usage }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        ] {
            let chunk = json!({ "choices": [{ "delta": { "content": content } }] });
            assert_eq!(assemble(&[chunk, stop.clone()]).expect("an answer").text, "Hello");
        }
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
