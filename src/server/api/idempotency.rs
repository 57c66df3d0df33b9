//! `Idempotency-Key` on POST: the first answer is kept and given again, so that a request may be sent twice.

use super::Api;
use super::auth::Caller;
use super::extract::unread;
use super::problem::Problem;
use crate::store::KeptAnswer;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const HEADER: &str = "idempotency-key";
/// Tells that an answer is not new.
const REPLAYED: &str = "idempotent-replayed";
const LONGEST: usize = 200;
/// Answers are small: they tell what became of a request.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The name that a request has for whoever sends it twice.
#[derive(Clone, Debug)]
pub(super) struct RequestName(pub String);

pub(super) async fn once(State(api): State<Arc<Api>>, caller: Caller, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    // It goes on when the caller hangs up: the same request, sent again, gets its answer.
    let answered = tokio::spawn(async move { answer(&api, &caller, request, next).await }).await;
    answered.unwrap_or_else(|e| Err(anyhow::Error::from(e).into())).unwrap_or_else(IntoResponse::into_response)
}

/// Whether an answer says that nothing was carried out, and that the request is to be sent again.
fn try_again(status: StatusCode, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Code {
        code: String,
    }
    let code = || serde_json::from_slice::<Code>(body).map(|c| c.code).unwrap_or_default();
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::CONFLICT => code() == "not_approved",
        _ => false,
    }
}

async fn answer(api: &Api, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let name = request.headers().get(HEADER).and_then(|v| v.to_str().ok()).map(str::trim).unwrap_or_default().to_owned();
    if name.is_empty() || name.len() > LONGEST || !name.is_ascii() {
        return Err(Problem::not_valid(format!("An Idempotency-Key has 1 to {LONGEST} characters of ASCII.")));
    }
    let (mut parts, body) = request.into_parts();
    let bytes = Bytes::from_request(Request::new(body), &()).await.map_err(unread)?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.path().as_bytes());
    hash.update([0]);
    hash.update(&bytes);
    let hash: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    let store = &api.parts.store;
    if let Some(known) = store.begin_request(caller.id(), &name, &hash, api.parts.clock.now_ms()).await? {
        if known.request_hash != hash {
            let detail = "This Idempotency-Key was used for another request; take a new one for each.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key_reused", detail));
        }
        let Some(KeptAnswer { status, body, location }) = known.answer else {
            let detail = "The first request with this Idempotency-Key is still under way, or was interrupted; look whether it was carried out before you send it with a new key.";
            return Err(Problem::new(StatusCode::CONFLICT, "under_way", detail));
        };
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let mut response = (status, [(header::CONTENT_TYPE.as_str(), kind), (REPLAYED, "true")], body).into_response();
        if let Some(location) = location.and_then(|l| HeaderValue::try_from(l).ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        return Ok(response);
    }
    parts.extensions.insert(RequestName(name.clone()));
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_ANSWER_BYTES).await.map_err(anyhow::Error::from)?;
    if try_again(parts.status, &bytes) {
        // Nothing was carried out: the same request may be sent again, with the same key.
        store.forget_request(caller.id(), &name).await?;
    } else {
        let location = parts.headers.get(header::LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let answer = KeptAnswer { status: parts.status.as_u16(), body: String::from_utf8_lossy(&bytes).into_owned(), location };
        store.answer_request(caller.id(), &name, &answer).await?;
    }
    parts.headers.insert(REPLAYED, HeaderValue::from_static("false"));
    Ok(Response::from_parts(parts, Body::from(bytes)))
}
