//! `/api/webhooks/smartsheet`: where Smartsheet calls.

use super::api::Problem;
use crate::watch::{Answer, Watch};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;
use utoipa::ToSchema;

const SIGNATURE: &str = "smartsheet-hmac-sha256";
const CHALLENGE_ANSWER: &str = "smartsheet-hook-response";

/// A call of Smartsheet: a challenge, changes, or that a webhook does not work any more.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the raw body is read, whose signature is checked")]
pub(super) struct Call {
    /// The webhook.
    webhook_id: i64,
    /// To be told back.
    challenge: Option<String>,
    /// Names the call; the same is taken once.
    nonce: Option<String>,
    /// The sheet.
    scope_object_id: Option<i64>,
    /// What the webhook is now.
    new_webhook_status: Option<String>,
    /// What has changed; the sheet is asked for the rest.
    events: Option<Vec<Changed>>,
}

/// A change.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "see Call")]
pub(super) struct Changed {
    /// The program that wrote it.
    change_agent: Option<String>,
}

/// Takes a call of Smartsheet in. It is signed by the webhook's secret (`Smartsheet-Hmac-SHA256`) instead of a key.
#[utoipa::path(
    post,
    path = "/api/webhooks/smartsheet",
    tag = "smartsheet",
    request_body = Call,
    security(()),
    responses(
        (status = 200, description = "It is taken in, or this is the answer to the challenge."),
        (status = "4XX", body = Problem, content_type = "application/problem+json")
    )
)]
pub(super) async fn called(State(watch): State<Arc<Watch>>, headers: HeaderMap, body: Bytes) -> Response {
    let signature = headers.get(SIGNATURE).and_then(|v| v.to_str().ok());
    let answer = watch.called(&body, signature).await;
    let word = match &answer {
        Ok(Answer::Challenge(_)) => "challenge",
        Ok(Answer::Taken) => "taken",
        Ok(Answer::Malformed) => "malformed",
        Ok(Answer::Forbidden) => "forbidden",
        Err(_) => "failed",
    };
    metrics::counter!("chatsheet_smartsheet_callbacks_total", "answer" => word).increment(1);
    match answer {
        Ok(Answer::Challenge(word)) => {
            ([(CHALLENGE_ANSWER, word.clone())], Json(json!({ "smartsheetHookResponse": word }))).into_response()
        }
        Ok(Answer::Taken) => StatusCode::OK.into_response(),
        Ok(Answer::Malformed) => Problem::new(StatusCode::BAD_REQUEST, "not_valid", "This is no call of Smartsheet.").into_response(),
        Ok(Answer::Forbidden) => {
            Problem::new(StatusCode::FORBIDDEN, "forbidden", "The webhook is not known here, or its signature is wrong.").into_response()
        }
        Err(trouble) => Problem::from(trouble).into_response(),
    }
}
