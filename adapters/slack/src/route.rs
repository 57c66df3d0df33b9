//! The one URL for events, commands and presses: verified over the raw bytes, stored, then acknowledged.

use crate::event::{self, Parsed};
use crate::intake::NotStored;
use crate::{Slack, now_ms};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use chat::Inbox;
use slack_morphism::signature_verifier::SlackEventSignatureVerifier;
use std::sync::Arc;
use std::time::Duration;

/// Slack waits three seconds. What is not stored by now is asked for again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_millis(1500);

#[derive(Clone)]
struct Door {
    slack: Arc<Slack>,
    inbox: Arc<dyn Inbox>,
}

/// The route, to be mounted under `/api/webhooks/slack`.
pub fn router(slack: Arc<Slack>, inbox: Arc<dyn Inbox>) -> Router {
    Router::new().fallback(post(receive)).with_state(Door { slack, inbox })
}

async fn receive(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(text) = door.slack.verifier.as_ref().and_then(|verifier| verified(verifier, &headers, &body)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let parsed = match event::parse(text, now_ms()) {
        Parsed::Challenge(challenge) => return challenge.into_response(),
        other => other,
    };
    match door.slack.take(door.inbox.as_ref(), parsed, STORE_WITHIN).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(NotStored) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The body as text, if it was signed by Slack within the last five minutes.
fn verified<'a>(verifier: &SlackEventSignatureVerifier, headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|v| v.to_str().ok())
    };
    let signature = only(SlackEventSignatureVerifier::SLACK_SIGNED_HASH_HEADER)?;
    let timestamp = only(SlackEventSignatureVerifier::SLACK_SIGNED_TIMESTAMP)?;
    // Digits only, and few: keeps the verifier's arithmetic within its range.
    if timestamp.is_empty() || timestamp.len() > 12 || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    verifier.verify(signature, text, timestamp).ok().map(|()| text)
}
