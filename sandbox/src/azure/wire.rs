//! The wire format of chat completions: whole answers, streams with Azure's odd first chunk, errors.

use super::behaviour::Shape;
use super::script::Reply;
use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(super) struct Failure {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Response {
    Failure { status, headers: Vec::new(), body: json!({ "error": { "code": code, "message": message } }) }.into_response()
}

pub(super) fn refusal(status: u16, body: &Value) -> Response {
    Failure { status, headers: Vec::new(), body: body.clone() }.into_response()
}

pub(super) fn throttled(wait: Duration) -> Response {
    let message = "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 1 second.";
    let headers = vec![
        ("retry-after-ms", wait.as_millis().to_string()),
        ("retry-after", wait.as_secs().max(1).to_string()),
        ("x-ratelimit-remaining-requests", "0".to_owned()),
    ];
    Failure { status: 429, headers, body: json!({ "error": { "code": "429", "message": message } }) }.into_response()
}

pub(super) fn render(reply: &Reply, streaming: bool, usage: bool, shape: Shape) -> Response {
    let (content, calls, finish) = match reply {
        Reply::Http { status, headers, body } => {
            let mut response = Failure { status: *status, headers: Vec::new(), body: body.clone() }.into_response();
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
                    response.headers_mut().insert(name, value);
                }
            }
            return response;
        }
        Reply::Stream(text) => return event_stream(text.clone()),
        Reply::Grow(text) => return event_stream(grow(stream_text(text, &[], "stop", usage, shape))),
        Reply::Pieces(text) => {
            let pieces: Vec<_> = text.as_bytes().chunks(3).map(|p| Ok::<_, Infallible>(Bytes::copy_from_slice(p))).collect();
            return event_stream(Body::from_stream(stream::iter(pieces)));
        }
        Reply::Say(text) => (text.clone(), Vec::new(), "stop"),
        Reply::Cut { text, finish_reason } => (text.clone(), Vec::new(), finish_reason.as_str()),
        Reply::Call { name, arguments } => (String::new(), vec![(name.clone(), arguments.to_string())], "tool_calls"),
        Reply::Calls(calls) => (String::new(), calls.iter().map(|(n, a)| (n.clone(), a.to_string())).collect(), "tool_calls"),
        Reply::RawCall { name, arguments, finish_reason } => {
            (String::new(), vec![(name.clone(), arguments.clone())], finish_reason.as_str())
        }
    };
    let content = match shape {
        Shape::Thoughts => format!("<think>\nThey ask about a sheet. 17 might be a guess.\n</think>\n\n{content}"),
        _ => content,
    };
    let mut response =
        if streaming { event_stream(stream_text(&content, &calls, finish, usage, shape)) } else { whole(&content, &calls, finish, shape) };
    for (name, value) in [("x-ratelimit-remaining-requests", "99"), ("x-ratelimit-remaining-tokens", "99000")] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// Words as a deployment gives them.
fn words(content: &str, shape: Shape) -> Value {
    match shape {
        Shape::Parts => json!([{ "type": "text", "text": content }]),
        _ => json!(content),
    }
}

fn whole(content: &str, calls: &[(String, String)], finish: &str, shape: Shape) -> Response {
    let calls: Vec<Value> = calls
        .iter()
        .map(|(n, a)| json!({ "id": call_id(), "type": "function", "function": { "name": n, "arguments": arguments(a, shape) } }))
        .collect();
    let content_or_null = if content.is_empty() { Value::Null } else { words(content, shape) };
    let mut message = json!({ "role": "assistant", "content": content_or_null, "refusal": null });
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    Json(json!({
        "id": "chatcmpl-sandbox", "object": "chat.completion", "created": 1_795_305_600, "model": "sandbox-model",
        "choices": [{ "index": 0, "finish_reason": finish, "logprobs": null, "message": message, "content_filter_results": {} }],
        "prompt_filter_results": [safe_prompt()], "usage": usage_of(content),
    }))
    .into_response()
}

/// The arguments of a call, as a text of JSON or as an object.
fn arguments(text: &str, shape: Shape) -> Value {
    match shape {
        Shape::Objects => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        _ => json!(text),
    }
}

/// The fragments of a call, number `i` of its answer.
fn fragments(i: usize, name: &str, text: &str, shape: Shape) -> Vec<Value> {
    let whole = json!({ "id": call_id(), "type": "function", "function": { "name": name, "arguments": arguments(text, shape) } });
    let at = |index: usize, mut fragment: Value| {
        fragment["index"] = json!(index);
        fragment
    };
    match shape {
        Shape::NoIndex => return vec![whole],
        Shape::OneIndex => return vec![at(0, whole)],
        Shape::Objects => return vec![at(i, whole)],
        _ => {}
    }
    let mut all = vec![at(i, json!({ "id": call_id(), "type": "function", "function": { "name": name, "arguments": "" } }))];
    for piece in pieces(text, 17) {
        let mut next = at(i, json!({ "function": { "arguments": piece } }));
        match shape {
            Shape::IdPerFragment => next["id"] = json!(call_id()),
            Shape::NameRepeated => next["function"]["name"] = json!(name),
            _ => {}
        }
        all.push(next);
    }
    all
}

fn stream_text(content: &str, calls: &[(String, String)], finish: &str, usage: bool, shape: Shape) -> String {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "choices": [{ "content_filter_results": {}, "delta": delta, "finish_reason": finish, "index": 0, "logprobs": null }],
            "created": 1_795_305_600, "id": "chatcmpl-sandbox", "model": "sandbox-model", "obfuscation": "x7", "object": "chat.completion.chunk",
        })
    };
    let mut chunks =
        vec![json!({ "choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": [safe_prompt()] })];
    chunks.push(chunk(
        json!({ "role": "assistant", "content": if calls.is_empty() { json!("") } else { Value::Null }, "refusal": null }),
        Value::Null,
    ));
    for piece in pieces(content, 24) {
        chunks.push(chunk(json!({ "content": words(&piece, shape) }), Value::Null));
        if shape == Shape::Annotated {
            let offsets = json!({ "check_offset": 44, "start_offset": 44, "end_offset": 198 });
            chunks.push(json!({ "choices": [{ "index": 0, "finish_reason": null, "content_filter_results": {}, "content_filter_offsets": offsets }] }));
        }
    }
    for (i, (name, arguments)) in calls.iter().enumerate() {
        let all = fragments(i, name, arguments, shape).into_iter();
        chunks.extend(all.map(|fragment| chunk(json!({ "tool_calls": [fragment] }), Value::Null)));
    }
    chunks.push(chunk(json!({}), json!(finish)));
    if usage {
        chunks.push(json!({ "choices": [], "created": 1_795_305_600, "id": "chatcmpl-sandbox", "object": "chat.completion.chunk", "usage": usage_of(content) }));
    }
    let mut text: String = chunks.iter().map(|c| format!("data: {c}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    text
}

/// The events of a stream, one every 50 ms.
fn grow(text: String) -> Body {
    let events: Vec<Bytes> = text.split_inclusive("\n\n").map(|e| Bytes::copy_from_slice(e.as_bytes())).collect();
    Body::from_stream(stream::iter(events).then(|event| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, Infallible>(event)
    }))
}

pub(super) fn event_stream(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], body.into()).into_response()
}

pub(super) fn pieces(text: &str, chars: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(chars).map(|c| c.iter().collect()).collect()
}

/// Unique, as the service makes them.
pub(super) fn call_id() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    format!("call_sandbox{}", CALLS.fetch_add(1, Ordering::Relaxed))
}

fn usage_of(content: &str) -> Value {
    let completion = content.len() / 4 + 20;
    json!({ "prompt_tokens": 1000, "completion_tokens": completion, "total_tokens": 1000 + completion })
}

fn safe_prompt() -> Value {
    let safe = json!({ "filtered": false, "severity": "safe" });
    json!({ "prompt_index": 0, "content_filter_results": { "hate": safe, "self_harm": safe, "sexual": safe, "violence": safe, "jailbreak": { "filtered": false, "detected": false } } })
}
