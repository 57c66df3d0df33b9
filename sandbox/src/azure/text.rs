//! `/completions`: a deployment that continues a text, as models did before they could chat.

use super::{Mode, Received, Reply, Service, TEXT_DEPLOYMENT, demo, limit, lock, receive, wire};
use crate::fault::{self, Kind};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn dated(
    State(service): State<Arc<Service>>,
    Path(deployment): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !query.contains_key("api-version") {
        return wire::error(404, "404", "Resource not found");
    }
    answer(&service, &deployment, &headers, body).await
}

pub(super) async fn current(State(service): State<Arc<Service>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let deployment = body["model"].as_str().unwrap_or_default().to_owned();
    answer(&service, &deployment, &headers, body).await
}

async fn answer(service: &Service, deployment: &str, headers: &HeaderMap, body: Value) -> Response {
    if deployment == super::DEPLOYMENT {
        let message =
            "The completion operation does not work with the specified model, gpt-4o. Please choose different model and try again.";
        return wire::error(400, "OperationNotSupported", message);
    }
    let Received { fault, window } = match receive(service, deployment, TEXT_DEPLOYMENT, headers, &body).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let Some(prompt) = body["prompt"].as_str() else {
        return wire::error(400, "invalid_request_error", "you must provide a 'prompt' parameter");
    };
    if !service.options.latency.is_zero() {
        tokio::time::sleep(service.options.latency).await;
    }
    let text = match &service.options.mode {
        _ if fault == Some(Kind::Nonsense) => " As an admiral, I prefer the sea.".to_owned(),
        Mode::Demo | Mode::Obedient(_) => demo::continuation(prompt),
        Mode::Script(_) => match lock(&service.script).pop_front() {
            Some(Reply::Say(text)) => text,
            Some(Reply::Cut { text, finish_reason }) => return whole(&text, &finish_reason),
            Some(other) => return wire::render(&other, false, true, super::Shape::Azure),
            None => "(the script has ended)".to_owned(),
        },
    };
    let mut response = whole(&text, "stop");
    limit::tell(response.headers_mut(), window);
    fault::after(fault, response).await
}

fn whole(text: &str, finish: &str) -> Response {
    let completion = text.len() / 4 + 20;
    Json(json!({
        "id": "cmpl-sandbox", "object": "text_completion", "created": 1_795_305_600, "model": "sandbox-text-model",
        "choices": [{ "text": text, "index": 0, "finish_reason": finish, "logprobs": null }],
        "usage": { "prompt_tokens": 500, "completion_tokens": completion, "total_tokens": 500 + completion },
    }))
    .into_response()
}
