//! `/responses`: the same answers in items and named events.

use super::script::Reply;
use super::{Service, answer, wire};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn current(State(service): State<Arc<Service>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let deployment = body["model"].as_str().unwrap_or_default().to_owned();
    answer(&service, &deployment, &headers, body, true).await
}

/// What is wrong with the items of a request.
pub(super) fn fault(body: &Value, seal: &str) -> Option<Response> {
    let refused = |message: &str| Some(wire::error(400, "invalid_request_error", message));
    let Some(items) = body["input"].as_array().filter(|items| !items.is_empty()) else {
        return refused("Missing required parameter: 'input'.");
    };
    for field in ["messages", "max_tokens", "max_completion_tokens", "stream_options", "response_format", "reasoning_effort"] {
        if !body[field].is_null() {
            let message = format!("Unknown parameter: '{field}'.");
            let error = json!({ "message": message, "type": "invalid_request_error", "param": field, "code": "unknown_parameter" });
            return Some(wire::refusal(400, &json!({ "error": error })));
        }
    }
    let answered = |call: &Value| items.iter().any(|i| i["type"] == "function_call_output" && i["call_id"] == call["call_id"]);
    for item in items {
        if item["type"] == "function_call" && !answered(item) {
            return refused(&format!("No tool output found for function call {}.", item["call_id"].as_str().unwrap_or_default()));
        }
        // Nothing was stored that an id could stand for.
        if item["type"] == "reasoning" && item["encrypted_content"].as_str().is_none_or(str::is_empty) {
            let id = item["id"].as_str().unwrap_or_default();
            return refused(&format!("Item with id '{id}' not found. Items are not persisted when `store` is set to false."));
        }
        if item["type"] == "reasoning" && item["encrypted_content"] != seal {
            let message = "The encrypted content could not be verified. Reason: Encrypted content could not be decrypted or parsed.";
            return Some(wire::error(400, "invalid_encrypted_content", message));
        }
    }
    None
}

/// The same request as chat completions have it.
pub(super) fn as_chat(body: &Value) -> Value {
    let mut messages: Vec<Value> = Vec::new();
    for item in body["input"].as_array().into_iter().flatten() {
        match item["type"].as_str() {
            Some("function_call") => {
                let call = json!({ "id": item["call_id"], "type": "function", "function": { "name": item["name"], "arguments": item["arguments"] } });
                match messages.last_mut().filter(|m| m["tool_calls"].is_array()) {
                    Some(last) => last["tool_calls"].as_array_mut().into_iter().for_each(|calls| calls.push(call.clone())),
                    None => messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] })),
                }
            }
            Some("function_call_output") => {
                messages.push(json!({ "role": "tool", "tool_call_id": item["call_id"], "content": item["output"] }));
            }
            Some("reasoning") => {}
            _ => messages.push(json!({ "role": item["role"], "content": item["content"] })),
        }
    }
    let nested = |tool: &Value| json!({ "type": "function", "function": tool });
    let tools: Vec<Value> = body["tools"].as_array().into_iter().flatten().map(nested).collect();
    let mut chat = json!({ "messages": messages, "stream": body["stream"], "tool_choice": body["tool_choice"] });
    if !tools.is_empty() {
        chat["tools"] = json!(tools);
    }
    if body["text"]["format"]["type"] == "json_schema" {
        chat["response_format"] = json!({ "type": "json_schema", "json_schema": body["text"]["format"] });
    }
    chat
}

/// The answer in items, as events where a stream was asked for.
pub(super) fn render(reply: &Reply, body: &Value, whole: bool, seal: &str) -> Response {
    let (text, calls, finish) = match reply {
        Reply::Http { .. } | Reply::Stream(_) | Reply::Pieces(_) => return wire::render(reply, false, true, super::Shape::Azure),
        Reply::Say(text) | Reply::Grow(text) => (text.clone(), Vec::new(), "stop"),
        Reply::Cut { text, finish_reason } => (text.clone(), Vec::new(), finish_reason.as_str()),
        Reply::Call { name, arguments } => (String::new(), vec![(name.clone(), arguments.to_string())], "stop"),
        Reply::Calls(calls) => (String::new(), calls.iter().map(|(n, a)| (n.clone(), a.to_string())).collect(), "stop"),
        Reply::RawCall { name, arguments, finish_reason } => {
            (String::new(), vec![(name.clone(), arguments.clone())], finish_reason.as_str())
        }
    };
    let mut items = Vec::new();
    let encrypted = body["include"].as_array().is_some_and(|all| all.iter().any(|i| i == "reasoning.encrypted_content"));
    let thoughts = if encrypted { json!(seal) } else { Value::Null };
    items.push(json!({ "type": "reasoning", "id": wire::call_id(), "summary": [], "encrypted_content": thoughts }));
    if !text.is_empty() {
        items.push(json!({ "type": "message", "id": wire::call_id(), "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": text, "annotations": [] }] }));
    }
    for (name, arguments) in calls {
        items.push(json!({ "type": "function_call", "id": wire::call_id(), "call_id": wire::call_id(), "name": name, "arguments": arguments, "status": "completed" }));
    }
    let (status, details) = match finish {
        "length" => ("incomplete", json!({ "reason": "max_output_tokens" })),
        "content_filter" => ("incomplete", json!({ "reason": "content_filter" })),
        _ => ("completed", Value::Null),
    };
    let usage = json!({
        "input_tokens": 1_000, "input_tokens_details": { "cached_tokens": 600 },
        "output_tokens": text.len() / 4 + 40, "output_tokens_details": { "reasoning_tokens": 20 }, "total_tokens": 1_040 + text.len() / 4,
    });
    let response = |output: &[Value], status: &str| {
        json!({
            "id": "resp_sandbox", "object": "response", "created_at": 1_795_305_600, "status": status, "model": "sandbox-model",
            "output": output, "error": null, "incomplete_details": details, "usage": usage,
        })
    };
    if body["stream"] != true || whole {
        return Json(response(&items, status)).into_response();
    }
    let mut events = vec![json!({ "type": "response.created", "response": response(&[], "in_progress") })];
    for (index, item) in items.iter().enumerate() {
        events.push(
            json!({ "type": "response.output_item.added", "output_index": index, "item": { "type": item["type"], "id": item["id"] } }),
        );
        if item["type"] == "message" {
            for piece in wire::pieces(&text, 24) {
                events.push(json!({ "type": "response.output_text.delta", "output_index": index, "item_id": item["id"], "content_index": 0, "delta": piece }));
            }
        }
        for piece in wire::pieces(item["arguments"].as_str().unwrap_or_default(), 17) {
            events.push(
                json!({ "type": "response.function_call_arguments.delta", "output_index": index, "item_id": item["id"], "delta": piece }),
            );
        }
        events.push(json!({ "type": "response.output_item.done", "output_index": index, "item": item }));
    }
    events.push(json!({ "type": format!("response.{status}"), "response": response(&items, status) }));
    let said: String = events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap_or_default())).collect();
    wire::event_stream(said)
}
