//! The Responses API: requests and answers in items. Nothing is stored at the far side, so what the model thought goes along,
//! encrypted, from one request to the next.

use super::error::{Error, failure_inside, filter_categories, filtered};
use super::habits::Habits;
use super::stream::{Answer, CARRIED, ToolCall, Usage, sayable, spoken, unpacked};
use serde_json::{Map, Value, json};

/// A request in the form of chat completions as this API takes it.
pub(super) fn request(chat: &Value, habits: &Habits) -> Value {
    let mut request = json!({ "model": chat["model"], "input": items(&chat["messages"]), "store": false });
    let carried = |name: &str| Some(chat[name].clone()).filter(|value| !value.is_null() && habits.takes(name));
    for name in ["temperature", "top_p", "parallel_tool_calls", "tool_choice", "prompt_cache_key", "stream"] {
        if let Some(value) = carried(name) {
            request[name] = value;
        }
    }
    if let Some(limit) = chat["max_tokens"].as_u64().filter(|_| habits.takes("max_output_tokens")) {
        request["max_output_tokens"] = json!(limit);
    }
    if habits.takes("include") {
        request["include"] = json!(["reasoning.encrypted_content"]);
    }
    if let Some(tools) = chat["tools"].as_array() {
        let flat = tools.iter().map(|tool| {
            let mut flat = tool["function"].clone();
            flat["type"] = json!("function");
            // What is left out counts as strict.
            flat["strict"] = json!(tool["function"]["strict"] == true && habits.takes("strict"));
            flat
        });
        request["tools"] = flat.collect();
    }
    let schema = &chat["response_format"]["json_schema"];
    if schema.is_object() && habits.takes("response_format") && habits.takes("text") {
        let strict = schema["strict"] == true && habits.takes("strict");
        let format = json!({ "type": "json_schema", "name": schema["name"], "schema": schema["schema"], "strict": strict });
        request["text"] = json!({ "format": format });
    }
    request
}

/// Messages as items.
fn items(messages: &Value) -> Vec<Value> {
    let mut items = Vec::new();
    for message in messages.as_array().into_iter().flatten() {
        if message["role"] == "tool" {
            items.push(json!({ "type": "function_call_output", "call_id": message["tool_call_id"], "output": message["content"] }));
            continue;
        }
        if let Some(carried) = message[CARRIED].as_array() {
            items.extend(carried.iter().cloned());
            continue;
        }
        if message["content"].as_str().is_some_and(|words| !words.is_empty()) {
            items.push(json!({ "role": message["role"], "content": message["content"] }));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            items.push(
                json!({ "type": "function_call", "call_id": call["id"], "name": function["name"], "arguments": function["arguments"] }),
            );
        }
    }
    items
}

/// Puts an answer together, event by event.
#[derive(Debug, Default)]
pub(super) struct Items {
    text: String,
    done: Vec<Value>,
    ended: Option<Value>,
}

impl Items {
    /// Takes an event, or a whole answer; `true` when there are new words.
    pub fn take(&mut self, event: Value) -> Result<bool, Error> {
        match event["type"].as_str().unwrap_or_default() {
            "response.output_text.delta" | "response.refusal.delta" => {
                let words = event["delta"].as_str().unwrap_or_default();
                self.text.push_str(words);
                return Ok(!words.is_empty());
            }
            "response.output_item.done" => self.done.push(event["item"].clone()),
            "response.completed" | "response.incomplete" | "response.failed" => self.ended = Some(event["response"].clone()),
            "error" => {
                let error = if event["error"].is_object() { &event["error"] } else { &event };
                return Err(failure(error));
            }
            _ if event["object"] == "response" => self.ended = Some(event),
            _ if event["error"].is_object() => return Err(failure(&event["error"])),
            _ => {}
        }
        Ok(false)
    }

    /// Whether the answer has come to its end.
    pub fn is_whole(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended["status"] != "failed")
    }

    /// The words so far, as far as they are for people.
    pub fn text(&self) -> &str {
        sayable(spoken(&self.text))
    }

    /// What the answer took, as far as it is known.
    pub fn usage(&self) -> Usage {
        let usage = self.ended.as_ref().map_or(&Value::Null, |ended| &ended["usage"]);
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        Usage {
            prompt_tokens: number(&usage["input_tokens"]),
            cached_tokens: number(&usage["input_tokens_details"]["cached_tokens"]),
            completion_tokens: number(&usage["output_tokens"]),
            reasoning_tokens: number(&usage["output_tokens_details"]["reasoning_tokens"]),
        }
    }

    /// The whole answer, if it is one: a stream that just ends, a filter or a call that was cut off is an error.
    pub fn finish(self) -> Result<Answer, Error> {
        let usage = self.usage();
        let Some(ended) = self.ended else { return Err(Error::Unavailable("the answer broke off".into())) };
        // What a filter has found stands beside the items.
        let categories = || ended["content_filters"].as_array().into_iter().flatten().flat_map(|f| filtered(&f["content_filter_results"]));
        let cut_off = match (ended["status"].as_str(), ended["incomplete_details"]["reason"].as_str()) {
            (Some("failed" | "cancelled"), _) if ended["error"]["code"] == "content_filter" => {
                return Err(Error::Filtered(categories().collect()));
            }
            (Some("failed" | "cancelled"), _) => return Err(failure(&ended["error"])),
            (_, Some("content_filter")) => return Err(Error::Filtered(categories().collect())),
            (Some("incomplete"), _) => true,
            _ => false,
        };
        let listed = ended["output"].as_array().filter(|items| !items.is_empty());
        let items = listed.unwrap_or(&self.done);
        let (mut text, mut calls, mut carried) = (String::new(), Vec::new(), Vec::new());
        // Items go back as they came, in their order; calls that are not what they were are told anew.
        let mut as_they_came = true;
        for item in items {
            match item["type"].as_str().unwrap_or_default() {
                "message" => text.extend(words(item)),
                "function_call" => {
                    let made = unpacked(call(item));
                    as_they_came &= matches!(made.as_slice(), [one] if item["call_id"] == one.id && item["name"] == one.name);
                    calls.extend(made);
                }
                "reasoning" if item["encrypted_content"].as_str().is_none_or(str::is_empty) => continue,
                "reasoning" => {}
                _ => continue,
            }
            carried.push(without_state(item));
        }
        if !as_they_came || !carried.iter().any(|item| item["type"] == "reasoning") {
            carried.clear();
        }
        let text = spoken(if text.is_empty() { &self.text } else { &text }).to_owned();
        if cut_off && (!calls.is_empty() || text.is_empty()) {
            return Err(Error::CutOff);
        }
        Ok(Answer { text, calls, cut_off, usage, carried })
    }
}

fn words(item: &Value) -> impl Iterator<Item = &str> {
    let parts = item["content"].as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str().or(part["refusal"].as_str()))
}

fn call(item: &Value) -> ToolCall {
    let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let arguments = match &item["arguments"] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let id = if text("call_id").is_empty() { text("id") } else { text("call_id") };
    ToolCall { id, name: text("name"), arguments }
}

/// An item as it is given back: what the far side says of its state is not taken there.
fn without_state(item: &Value) -> Value {
    let fields = item.as_object().into_iter().flatten();
    fields.filter(|(name, value)| *name != "status" && !value.is_null()).map(|(n, v)| (n.clone(), v.clone())).collect::<Map<_, _>>().into()
}

fn failure(error: &Value) -> Error {
    match (filter_categories(error), error["code"].as_str()) {
        (Some(categories), _) => Error::Filtered(categories),
        (_, Some("context_length_exceeded")) => Error::TooLong,
        _ => failure_inside(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(events: Vec<Value>) -> Result<Answer, Error> {
        let mut items = Items::default();
        for event in events {
            items.take(event)?;
        }
        items.finish()
    }

    #[test]
    fn a_conversation_becomes_items_and_thoughts_go_along() {
        let answer = Answer {
            text: "Let me see.".into(),
            calls: vec![ToolCall { id: "c1".into(), name: "f".into(), arguments: "{}".into() }],
            carried: vec![
                json!({ "type": "reasoning", "id": "r1", "summary": [], "encrypted_content": "x" }),
                json!({ "type": "function_call", "id": "fc", "call_id": "c1", "name": "f", "arguments": "{}" }),
            ],
            ..Answer::default()
        };
        let chat = json!({
            "model": "m", "max_tokens": 9, "temperature": 0.7, "stream": true, "stream_options": { "include_usage": true },
            "tools": [{ "type": "function", "function": { "name": "f", "strict": true, "parameters": {} } }],
            "response_format": { "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": {} } },
            "messages": [{ "role": "user", "content": "hi" }, answer.message(), { "role": "tool", "tool_call_id": "c1", "content": "2" }],
        });
        insta::assert_json_snapshot!(request(&chat, &Habits::default()), @r#"
        {
          "model": "m",
          "input": [
            {
              "role": "user",
              "content": "hi"
            },
            {
              "type": "reasoning",
              "id": "r1",
              "summary": [],
              "encrypted_content": "x"
            },
            {
              "type": "function_call",
              "id": "fc",
              "call_id": "c1",
              "name": "f",
              "arguments": "{}"
            },
            {
              "type": "function_call_output",
              "call_id": "c1",
              "output": "2"
            }
          ],
          "store": false,
          "temperature": 0.7,
          "stream": true,
          "max_output_tokens": 9,
          "include": [
            "reasoning.encrypted_content"
          ],
          "tools": [
            {
              "name": "f",
              "strict": true,
              "parameters": {},
              "type": "function"
            }
          ],
          "text": {
            "format": {
              "type": "json_schema",
              "name": "n",
              "schema": {},
              "strict": true
            }
          }
        }
        "#);
    }

    #[test]
    fn answers_come_in_events_or_whole() {
        let reasoning = json!({ "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x", "status": null });
        let call = json!({ "type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{\"a\":1}" });
        let whole = json!({ "object": "response", "status": "completed", "output": [reasoning, call], "usage": { "input_tokens": 9, "input_tokens_details": { "cached_tokens": 4 }, "output_tokens": 7, "output_tokens_details": { "reasoning_tokens": 5 } } });
        let events = vec![
            json!({ "type": "response.created", "response": { "object": "response", "status": "in_progress" } }),
            json!({ "type": "response.output_item.done", "item": reasoning }),
            json!({ "type": "response.function_call_arguments.delta", "delta": "{\"a\"" }),
            json!({ "type": "response.output_item.done", "item": call }),
            json!({ "type": "response.completed", "response": { "status": "completed", "output": [], "usage": whole["usage"] } }),
        ];
        for answer in [taken(events).unwrap(), taken(vec![whole]).unwrap()] {
            assert_eq!(answer.calls, [ToolCall { id: "c".into(), name: "f".into(), arguments: "{\"a\":1}".into() }]);
            let thought = json!({ "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" });
            assert_eq!(answer.carried, [thought, call.clone()], "what was thought goes back as it came");
            assert_eq!((answer.usage.cached_tokens, answer.usage.reasoning_tokens), (4, 5));
        }
    }

    #[test]
    fn calls_that_are_told_otherwise_carry_no_thoughts() {
        let reasoning = json!({ "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x" });
        let call = json!({ "type": "function_call", "id": "fc", "call_id": "c", "name": "functions.f", "arguments": "{}" });
        let answer = taken(vec![json!({ "object": "response", "status": "completed", "output": [reasoning, call] })]).unwrap();
        assert_eq!((answer.calls[0].name.as_str(), answer.carried.len()), ("f", 0));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let ended = |kind: &str, response: Value| json!({ "type": kind, "response": response });
        insta::assert_snapshot!(taken(vec![json!({ "type": "response.output_text.delta", "delta": "Hel" })]).unwrap_err(), @"the model does not answer: the answer broke off");
        insta::assert_snapshot!(taken(vec![json!({ "type": "error", "code": "server_error", "message": "oh" })]).unwrap_err(), @"the model does not answer: oh");
        insta::assert_snapshot!(taken(vec![ended("response.failed", json!({ "status": "failed", "error": { "code": "server_error", "message": "oh" } }))]).unwrap_err(), @"the model does not answer: oh");
        insta::assert_snapshot!(taken(vec![ended("response.incomplete", json!({ "status": "incomplete", "incomplete_details": { "reason": "content_filter" } }))]).unwrap_err(), @"the content filter refused it ()");
        insta::assert_snapshot!(taken(vec![ended("response.incomplete", json!({ "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" } }))]).unwrap_err(), @"the answer was cut off at the token limit");
        let words = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Half an" }] });
        let cut = ended(
            "response.incomplete",
            json!({ "status": "incomplete", "incomplete_details": { "reason": "max_output_tokens" }, "output": [words] }),
        );
        assert!(taken(vec![cut]).unwrap().cut_off);
    }
}
