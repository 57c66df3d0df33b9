//! Interactions over HTTP, for bots that are not reached over the gateway: verified over the raw bytes, stored, then answered.

use crate::inward::UnknownPlace;
use crate::{Discord, inward};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chat::Inbox;
use serde_json::{Value, json};
use serenity::model::Timestamp;
use serenity::model::application::Interaction;
use std::sync::Arc;

const PING: u64 = 1;
/// How old a signed request may be, in seconds: what somebody has recorded is not taken later.
const MAX_AGE_SECONDS: i64 = 300;

#[derive(Clone)]
struct Door {
    discord: Arc<Discord>,
    inbox: Arc<dyn Inbox>,
}

/// The route, to be mounted under `/api/webhooks/discord`. Without a public key it takes nothing.
pub fn router(discord: Arc<Discord>, inbox: Arc<dyn Inbox>) -> Router {
    Router::new().fallback(post(receive)).with_state(Door { discord, inbox })
}

async fn receive(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> Response {
    if !is_signed(&door.discord, &headers, &body) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let Ok(value) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    if value["type"] == PING {
        return Json(json!({ "type": PING })).into_response();
    }
    let Ok(interaction) = serde_json::from_value::<Interaction>(value) else {
        tracing::debug!("an interaction of an unknown kind was left out");
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(answer) = inward::deferral(&interaction) else { return StatusCode::BAD_REQUEST.into_response() };
    let token = interaction.token().to_owned();
    match door.discord.take(interaction, door.inbox.as_ref()).await {
        Ok(true) => Json(answer).into_response(),
        Ok(false) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(UnknownPlace) => {
            let discord = door.discord.clone();
            tokio::spawn(async move { discord.answer_that_the_channel_is_unknown(&token).await });
            Json(answer).into_response()
        }
    }
}

fn is_signed(discord: &Discord, headers: &HeaderMap, body: &[u8]) -> bool {
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).and_then(|v| v.to_str().ok())
    };
    let (Some(verifier), Some(signature), Some(timestamp)) =
        (&discord.verifier, only("x-signature-ed25519"), only("x-signature-timestamp"))
    else {
        return false;
    };
    let now = Timestamp::now().unix_timestamp();
    let recent = timestamp.parse::<i64>().is_ok_and(|at| now.checked_sub(at).is_some_and(|age| age.abs() <= MAX_AGE_SECONDS));
    recent && verifier.verify(signature, timestamp, body).is_ok()
}
