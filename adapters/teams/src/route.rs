//! The one URL for activities: the token is checked before the body is read, the event stored, then acknowledged.

use crate::Teams;
use crate::event::{self, Activity};
use crate::trust::{Distrust, Trusted};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use chat::{Accepted, Inbox, What};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use url::Url;

/// What is not stored by now is asked for again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_secs(5);
/// A press that has no outcome by then is answered without one; the card changes when there is.
const OUTCOME_WITHIN: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Door {
    teams: Arc<Teams>,
    inbox: Arc<dyn Inbox>,
}

/// The route, to be mounted under `/api/webhooks/teams`.
pub fn router(teams: Arc<Teams>, inbox: Arc<dyn Inbox>) -> Router {
    Router::new().fallback(post(receive)).with_state(Door { teams, inbox })
}

async fn receive(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> Response {
    let trusted = match trusted(&door.teams, &headers).await {
        Ok(trusted) => trusted,
        Err(status) => return status.into_response(),
    };
    let Ok(activity) = serde_json::from_slice::<Activity>(&body) else {
        metrics::counter!("chatsheet_unreadable_events_total", "platform" => "teams").increment(1);
        tracing::warn!("a body that is no activity was left out");
        return StatusCode::BAD_REQUEST.into_response();
    };
    if !speaks_for(&door.teams, &trusted, &activity) {
        return StatusCode::FORBIDDEN.into_response();
    }
    if activity.name == "message/submitAction"
        && let Some(reaction) = activity.value["actionValue"]["reaction"].as_str().filter(|r| ["like", "dislike"].contains(r))
    {
        // What they say beside it may be of the sheet: it is not logged.
        metrics::counter!("chatsheet_feedback_total", "platform" => "teams", "reaction" => reaction.to_owned()).increment(1);
    }
    let Some(event) = event::parse(&activity, now_ms()) else {
        return if activity.kind == "invoke" { Json(json!({})).into_response() } else { StatusCode::OK.into_response() };
    };
    let outcome = match (&event.what, activity.kind.as_str()) {
        (What::Press { .. }, "invoke") => {
            let message = activity.reply_to_id.clone().unwrap_or_default();
            Some(door.teams.presses.wait(&event::place(&activity).conversation, &message, &event.sender.id))
        }
        _ => None,
    };
    let (delivery, thread) = (event.delivery_id.clone(), event.thread.storage_key());
    match tokio::time::timeout(STORE_WITHIN, door.inbox.accept(event)).await {
        Ok(Ok(Accepted::New)) => {}
        // It was pressed before: what becomes of it is told there.
        Ok(Ok(Accepted::Duplicate)) if outcome.is_some() => return Json(answer(None)).into_response(),
        Ok(Ok(Accepted::Ignored)) if outcome.is_some() => return Json(in_words("You may not use this.")).into_response(),
        Ok(Ok(Accepted::Duplicate | Accepted::Ignored)) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, delivery, thread, "an activity could not be stored");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
    match outcome {
        Some(outcome) => Json(answer(tokio::time::timeout(OUTCOME_WITHIN, outcome).await.ok().and_then(Result::ok))).into_response(),
        None => StatusCode::OK.into_response(),
    }
}

/// What is shown to who has pressed; the card stays as it is when nothing is known yet.
fn answer(outcome: Option<Value>) -> Value {
    outcome.unwrap_or_else(|| in_words("I am at it."))
}

/// What whoever has pressed sees for a moment.
fn in_words(words: &str) -> Value {
    json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": words })
}

async fn trusted(teams: &Teams, headers: &HeaderMap) -> Result<Trusted, StatusCode> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(StatusCode::UNAUTHORIZED) };
    let token = value.to_str().ok().and_then(|v| v.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    teams.trust.check(token.trim()).await.map_err(|why| match why {
        Distrust::Refused(why) => {
            tracing::debug!(why, "an activity was refused");
            StatusCode::UNAUTHORIZED
        }
        Distrust::Unreadable(error) => {
            tracing::error!(error, "the keys of the Bot Framework cannot be read");
            StatusCode::SERVICE_UNAVAILABLE
        }
    })
}

/// Whether the token was made for what the activity says: its service, its channel, and a host that may have our token.
fn speaks_for(teams: &Teams, trusted: &Trusted, activity: &Activity) -> bool {
    let plain = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    let same = plain(&trusted.service_url) == plain(&activity.service_url);
    let endorsed = trusted.endorsements.contains(&activity.channel_id);
    let known = Url::parse(&activity.service_url).is_ok_and(|url| teams.may_serve(&url));
    if !known {
        tracing::warn!(service = activity.service_url, "an activity of a service that is not allowed; TEAMS_SERVICE_HOSTS names more");
    }
    same && endorsed && known
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}
