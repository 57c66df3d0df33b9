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

const SIGNATURE: &str = "smartsheet-hmac-sha256";
const CHALLENGE_ANSWER: &str = "smartsheet-hook-response";

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
