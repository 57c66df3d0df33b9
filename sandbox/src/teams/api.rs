//! The connector: messages, changes of them, people, conversations with one person; limits and rates as documented.

use super::{APP_ID, APP_PASSWORD, BOT, CHANNEL, GROUP, Posted, Service, State as World, Teams, card, name, stream};
use crate::fault::{self, Kind};
use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Of a message with everything in it, as UTF-16.
const MAX_BYTES: usize = 100 << 10;

pub(super) async fn token(State(service): State<Arc<Service>>, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let good = field("client_id") == APP_ID && field("client_secret") == APP_PASSWORD && field("grant_type") == "client_credentials";
    if !good || field("scope") != format!("{}/.default", service.options.issuer) {
        let answer =
            json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: x" });
        return (StatusCode::UNAUTHORIZED, Json(answer)).into_response();
    }
    let mut state = service.state();
    state.tokens += 1;
    state.revoked = false;
    Json(json!({ "token_type": "Bearer", "expires_in": 3_600, "access_token": format!("sandbox-teams-token-{}", state.tokens) }))
        .into_response()
}

pub(super) fn refused(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}

fn allowed(state: &World, headers: &HeaderMap) -> bool {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer sandbox-teams-token-"));
    token.and_then(|n| n.parse().ok()) == Some(state.tokens) && !state.revoked
}

/// Does something with what is there, unless a fault or the token stands against it.
async fn call(service: &Service, headers: &HeaderMap, what: &str, body: &Value, act: impl FnOnce(&mut World) -> Response) -> Response {
    let drawn = service.faults.draw();
    if let Some(kind) = drawn
        && let Some(response) = fault::before(kind).await
    {
        return response;
    }
    let answer = {
        let mut state = service.state();
        match drawn {
            Some(Kind::RateLimited) => too_fast(&mut state, 1),
            Some(Kind::ServerError) => refused(502, "ServiceError", "Bad gateway"),
            _ if !allowed(&state, headers) => refused(401, "Unauthorized", "Authorization has been denied for this request."),
            _ => {
                state.calls.push((what.to_owned(), body.clone()));
                act(&mut state)
            }
        }
    };
    service.changed.notify_waiters();
    fault::after(drawn, answer).await
}

fn too_fast(state: &mut World, seconds: u64) -> Response {
    state.refused_for_rate += 1;
    let mut answer = refused(429, "TooManyRequests", "API calls quota exceeded");
    answer.headers_mut().insert("retry-after", seconds.into());
    answer
}

/// Whether something happened this often within so many seconds.
fn over(times: &VecDeque<Instant>, now: Instant, (seconds, most): (u64, usize)) -> bool {
    times.iter().rev().take_while(|t| now.duration_since(**t) < Duration::from_secs(seconds)).count() >= most
}

/// The rates of a conversation, over each of the documented stretches of time, and that of the app in its tenant.
fn rate(service: &Service, state: &mut World, conversation: &str) -> Option<Response> {
    if !service.options.enforce_rates {
        return None;
    }
    let now = Instant::now();
    let times = state.sent.entry(conversation.to_owned()).or_default();
    while times.front().is_some_and(|t| now.duration_since(*t) > Duration::from_secs(3_600)) {
        times.pop_front();
    }
    let all = &mut state.sent_at_all;
    if [(1, 7), (2, 8), (30, 60), (3_600, 1_800)].into_iter().any(|rate| over(times, now, rate)) || over(all, now, (1, 30)) {
        return Some(too_fast(state, 1));
    }
    times.push_back(now);
    all.push_back(now);
    all.drain(..all.len().saturating_sub(30));
    None
}

/// What is wrong with an activity or its place.
fn wrong(state: &World, conversation: &str, activity: &Value) -> Option<Response> {
    let bare = conversation.split(';').next().unwrap_or_default();
    let known = bare == CHANNEL || bare == GROUP || bare.starts_with("a:") || bare.starts_with("19:many");
    if !known {
        return Some(refused(404, "ConversationNotFound", "Conversation not found."));
    }
    if state.gone.contains(bare) {
        return Some(refused(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster."));
    }
    if activity.to_string().encode_utf16().count() * 2 > MAX_BYTES {
        return Some(refused(413, "MessageSizeTooBig", "Message size too large."));
    }
    let attachments = activity["attachments"].as_array().map(Vec::as_slice).unwrap_or_default();
    let typing = activity["type"] == "typing";
    if !typing && attachments.is_empty() && activity["text"].as_str().unwrap_or_default().trim().is_empty() {
        return Some(refused(400, "BadSyntax", "Activity must have text or attachments."));
    }
    for attachment in attachments {
        if state.refuse_cards {
            return Some(refused(400, "BadSyntax", "Bad format of the card."));
        }
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
            return Some(refused(400, "BadSyntax", "Unsupported attachment."));
        }
        if let Some(why) = card::fault(&attachment["content"]) {
            return Some(refused(400, "BadSyntax", &why));
        }
    }
    None
}

pub(super) async fn send(
    State(service): State<Arc<Service>>,
    Path(conversation): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    Json(activity): Json<Value>,
) -> Response {
    let targeted = query.get("isTargetedActivity").is_some_and(|v| v == "true");
    let only_for = activity["recipient"]["id"].as_str().filter(|_| targeted).map(str::to_owned);
    call(&service, &headers, "send", &activity, |state| {
        state.streams.end_after(service.options.stream_lifetime);
        if let Some(refusal) = wrong(state, &conversation, &activity).or_else(|| rate(&service, state, &conversation)) {
            return refusal;
        }
        if let Some(answer) = stream::take(state, &conversation, &activity) {
            return answer;
        }
        if targeted && (only_for.is_none() || conversation.starts_with("a:") || state.refuse_targeted) {
            return refused(400, "BadArgument", "A targeted message needs a recipient, and a conversation of several people.");
        }
        let id = state.next_id();
        // What is posted at the top of a channel opens a thread.
        let opens = conversation == CHANNEL && !targeted;
        state.messages.push(Posted {
            conversation: if opens { Teams::thread_of(&id) } else { conversation.clone() },
            id: id.clone(),
            from: BOT.into(),
            activity: activity.clone(),
            only_for,
            edits: 0,
        });
        (StatusCode::CREATED, Json(json!({ "id": id }))).into_response()
    })
    .await
}

pub(super) async fn update(
    State(service): State<Arc<Service>>,
    Path((conversation, id)): Path<(String, String)>,
    headers: HeaderMap,
    Json(activity): Json<Value>,
) -> Response {
    call(&service, &headers, "update", &activity, |state| {
        if let Some(refusal) = wrong(state, &conversation, &activity).or_else(|| rate(&service, state, &conversation)) {
            return refusal;
        }
        match state.messages.iter_mut().find(|m| m.conversation == conversation && m.id == id && m.from == BOT) {
            Some(message) if message.only_for.is_some() => refused(400, "BadArgument", "A targeted message is changed as one."),
            Some(message) => {
                message.activity = activity.clone();
                message.edits += 1;
                Json(json!({ "id": id })).into_response()
            }
            None => refused(404, "ActivityNotFoundInConversation", "The specified activity was not found."),
        }
    })
    .await
}

pub(super) async fn member(
    State(service): State<Arc<Service>>,
    Path((conversation, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    call(&service, &headers, "member", &Value::Null, |_| {
        // People are listed by team or conversation, not by thread.
        if conversation.contains(";messageid=") || conversation == CHANNEL {
            return (
                StatusCode::NOT_FOUND,
                Json(json!({ "error": { "code": "ConversationNotFound", "message": "Conversation not found." } })),
            )
                .into_response();
        }
        let address = format!("{}@example.com", name(&user).to_lowercase().replace(' ', "."));
        let guest = user.starts_with(super::GUEST);
        let principal = if guest { address.replace('@', "_") + "#EXT#@home.example.com" } else { address.clone() };
        Json(json!({
            "id": user, "name": name(&user), "email": address, "userPrincipalName": principal, "tenantId": super::TENANT,
            "userRole": if guest { "guest" } else { "user" },
        }))
        .into_response()
    })
    .await
}

pub(super) async fn converse(State(service): State<Arc<Service>>, headers: HeaderMap, Json(wanted): Json<Value>) -> Response {
    call(&service, &headers, "converse", &wanted, |_| {
        let user = wanted["members"][0]["id"].as_str().unwrap_or_default().trim_start_matches("29:").to_owned();
        (StatusCode::CREATED, Json(json!({ "id": format!("a:{user}") }))).into_response()
    })
    .await
}
