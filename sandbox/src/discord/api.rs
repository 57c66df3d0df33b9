//! The REST API: messages, threads, interactions, people; limits and rates as documented.

use super::{
    APPLICATION, BOT_TOKEN, CHANNEL, GUILD, OTHER_CHANNEL, OTHER_GUILD, Posted, STRANGE_CHANNEL, STRANGE_GUILD, Service, State as World,
    direct_channel,
};
use crate::fault::{self, Kind};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn refused(status: u16, code: u64, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

fn too_fast(state: &mut World, seconds: f64) -> Response {
    state.refused_for_rate += 1;
    let body = json!({ "message": "You are being rate limited.", "retry_after": seconds, "global": false });
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.ceil().to_string())], Json(body)).into_response()
}

/// Does something with what is there, unless a fault or the token stands against it.
pub(super) async fn call(
    service: &Service,
    headers: &HeaderMap,
    what: &str,
    body: &Value,
    act: impl FnOnce(&mut World) -> Response,
) -> Response {
    let drawn = service.faults.draw();
    if let Some(kind) = drawn
        && let Some(response) = fault::before(kind).await
    {
        return response;
    }
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let answer = {
        let mut state = service.state();
        match drawn {
            Some(Kind::RateLimited) => too_fast(&mut state, 1.0),
            Some(Kind::ServerError) => refused(502, 0, "Bad Gateway"),
            _ if token != format!("Bot {BOT_TOKEN}") && !what.starts_with("interaction") => refused(401, 0, "401: Unauthorized"),
            _ => {
                state.calls.push((what.to_owned(), body.clone()));
                act(&mut state)
            }
        }
    };
    service.changed.notify_waiters();
    fault::after(drawn, answer).await
}

/// Whether a command can be registered, with its options: required ones first.
fn is_command(command: &Value) -> bool {
    let chars = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().chars().count();
    let name = |value: &Value| {
        let name = value["name"].as_str().unwrap_or_default();
        (1..=32).contains(&chars(value, "name")) && name.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase() || c == '-' || c == '_')
    };
    let options = command["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    let option = |o: &Value| {
        let lengths = ["min_length", "max_length"].iter().all(|k| o[*k].is_null() || o[*k].as_u64().is_some_and(|n| n <= 6_000));
        name(o) && (1..=100).contains(&chars(o, "description")) && (1..=11).contains(&o["type"].as_u64().unwrap_or_default()) && lengths
    };
    let optional_first = options.windows(2).any(|two| two[0]["required"] != true && two[1]["required"] == true);
    name(command)
        && (1..=100).contains(&chars(command, "description"))
        && options.len() <= 25
        && options.iter().all(option)
        && !optional_first
}

fn wrong(state: &World, body: &Value) -> Option<Response> {
    if state.refuse_markup
        && (body["content"].as_str().unwrap_or_default().contains("**") || body["components"].as_array().is_some_and(|c| !c.is_empty()))
    {
        return Some(refused(400, 50_035, "Invalid Form Body"));
    }
    let why = super::check::fault(body)?;
    Some(refused(400, if why.contains("empty") { 50_006 } else { 50_035 }, &why))
}

fn exists(state: &World, channel: u64) -> Option<Response> {
    let known = [CHANNEL, OTHER_CHANNEL, STRANGE_CHANNEL].contains(&channel)
        || state.threads.contains_key(&channel)
        || (900..1_000).contains(&channel)
        || (700..800).contains(&channel);
    if !known {
        return Some(refused(404, 10_003, "Unknown Channel"));
    }
    state.gone.contains(&channel).then(|| refused(403, 50_001, "Missing Access"))
}

/// Five in five seconds for each kind of request and channel, fifty a second in all.
fn rate(service: &Service, state: &mut World, channel: u64, kind: &'static str) -> Option<Response> {
    if !service.options.enforce_rates {
        return None;
    }
    let now = Instant::now();
    let within = |times: &std::collections::VecDeque<Instant>, seconds: u64| {
        times.iter().filter(|t| now.duration_since(**t) < Duration::from_secs(seconds)).count()
    };
    let overall: usize = state.sent.values().map(|times| within(times, 1)).sum();
    let times = state.sent.entry((channel, kind)).or_default();
    while times.front().is_some_and(|t| now.duration_since(*t) > Duration::from_secs(10)) {
        times.pop_front();
    }
    if within(times, 5) >= BUCKET || overall >= 50 {
        return Some(too_fast(state, 1.0));
    }
    times.push_back(now);
    None
}

/// Messages, and changes of them, in five seconds and channel.
const BUCKET: usize = 5;

/// How much of its bucket a request has left, as Discord tells with every answer.
fn bucket(state: &World, channel: u64, kind: &'static str, mut answer: Response) -> Response {
    let now = Instant::now();
    let times = state.sent.get(&(channel, kind)).into_iter().flatten().filter(|t| now.duration_since(**t) < Duration::from_secs(5));
    let (used, oldest) = times.fold((0, now), |(n, oldest), t| (n + 1, oldest.min(*t)));
    let after = (Duration::from_secs(5).saturating_sub(now.duration_since(oldest))).as_secs_f64();
    for (name, value) in [
        ("x-ratelimit-limit", BUCKET.to_string()),
        ("x-ratelimit-remaining", BUCKET.saturating_sub(used).to_string()),
        ("x-ratelimit-reset-after", format!("{after:.3}")),
        ("x-ratelimit-bucket", kind.to_owned()),
    ] {
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

/// The server of a channel or thread.
pub(super) fn guild_of(channel: u64, threads: &std::collections::HashMap<u64, u64>) -> u64 {
    match *threads.get(&channel).unwrap_or(&channel) {
        OTHER_CHANNEL => OTHER_GUILD,
        STRANGE_CHANNEL => STRANGE_GUILD,
        _ => GUILD,
    }
}

/// A message as Discord describes it.
pub(super) fn described(message: &Posted, threads: &std::collections::HashMap<u64, u64>) -> Value {
    let direct = (900..1_000).contains(&message.channel);
    let mut described = json!({
        "id": message.id.to_string(), "channel_id": message.channel.to_string(), "author": super::user(message.from),
        "content": message.body["content"].as_str().unwrap_or_default(), "timestamp": "2026-11-22T10:30:00.000000+00:00", "edited_timestamp": null,
        "tts": false, "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "pinned": false, "type": 0,
        "components": [], "flags": 0,
    });
    if !direct {
        described["guild_id"] = json!(guild_of(message.channel, threads).to_string());
    }
    if let Some(mentions) = message.body["mentions"].as_array() {
        described["mentions"] = json!(mentions);
    }
    if threads.contains_key(&message.id) {
        described["flags"] = json!(1 << 5);
    }
    described
}

pub(super) async fn application(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    call(&service, &headers, "application", &Value::Null, |_| {
        let flags = if service.options.message_content { 1 << 19 } else { 0 };
        Json(json!({
            "id": APPLICATION.to_string(), "name": "ChatSheet", "icon": null, "description": "", "bot_public": true, "bot_require_code_grant": false,
            "verify_key": service.public_key(), "team": null, "flags": flags,
        }))
        .into_response()
    })
    .await
}

pub(super) async fn direct(State(service): State<Arc<Service>>, headers: HeaderMap, Json(wanted): Json<Value>) -> Response {
    call(&service, &headers, "direct", &wanted, |_| {
        let id = wanted["recipient_id"].as_str().and_then(|id| id.parse().ok()).or(wanted["recipient_id"].as_u64()).unwrap_or_default();
        Json(json!({ "id": direct_channel(id).to_string(), "type": 1, "last_message_id": null, "recipients": [super::user(id)] }))
            .into_response()
    })
    .await
}

pub(super) async fn channel(State(service): State<Arc<Service>>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    call(&service, &headers, "channel", &Value::Null, |state| {
        if state.silent_on_channels {
            return (StatusCode::FORBIDDEN, Json(json!({ "message": "Missing Access", "code": 50001 }))).into_response();
        }
        if let Some(refusal) = exists(state, id) {
            return refusal;
        }
        let parent = state.threads.get(&id);
        Json(json!({
            "id": id.to_string(), "type": if parent.is_some() { 11 } else { 0 }, "guild_id": guild_of(id, &state.threads).to_string(), "name": "plan",
            "parent_id": parent.map(u64::to_string), "permission_overwrites": [], "position": 0, "nsfw": false,
        }))
        .into_response()
    })
    .await
}

/// A body of JSON, or of a form with a file beside it.
fn read(headers: &HeaderMap, bytes: &Bytes) -> Value {
    let multipart = headers.get("content-type").and_then(|t| t.to_str().ok()).is_some_and(|t| t.starts_with("multipart/"));
    if !multipart {
        return serde_json::from_slice(bytes).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(bytes);
    let boundary = text.split("\r\n").next().unwrap_or_default().to_owned();
    let mut body = json!({});
    for part in text.split(&boundary) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else { continue };
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        match head.split("filename=\"").nth(1).and_then(|r| r.split('"').next()) {
            Some(name) => body["file"] = json!({ "name": name, "bytes": content.len() }),
            None => {
                if let Ok(Value::Object(fields)) = serde_json::from_str(content)
                    && let Some(all) = body.as_object_mut()
                {
                    all.extend(fields);
                }
            }
        }
    }
    if let Some(file) = body["file"].as_object() {
        let words = format!("\\[file {}, {} bytes\\]", file["name"].as_str().unwrap_or_default(), file["bytes"]);
        body["content"] = json!(words);
    }
    body
}

fn keep(state: &mut World, channel: u64, body: &Value, only_for: Option<u64>) -> Posted {
    let id = state.next_id();
    let message = Posted { channel, id, from: APPLICATION, body: body.clone(), only_for, edits: 0 };
    state.messages.push(message.clone());
    message
}

pub(super) async fn send(State(service): State<Arc<Service>>, Path(channel): Path<u64>, headers: HeaderMap, bytes: Bytes) -> Response {
    let body = read(&headers, &bytes);
    call(&service, &headers, "send", &body, |state| {
        let known = body["nonce"].as_str().filter(|_| body["enforce_nonce"] == true).and_then(|n| state.nonces.get(n).copied());
        if let Some(message) = known.and_then(|id| state.messages.iter().find(|m| m.id == id).cloned()) {
            return Json(described(&message, &state.threads)).into_response();
        }
        if let Some(refusal) = exists(state, channel).or_else(|| wrong(state, &body)).or_else(|| rate(&service, state, channel, "send")) {
            return refusal;
        }
        let message = keep(state, channel, &body, None);
        if let Some(nonce) = body["nonce"].as_str() {
            if nonce.chars().count() > 25 {
                return refused(400, 50_035, "a nonce has at most 25 characters");
            }
            state.nonces.insert(nonce.to_owned(), message.id);
        }
        bucket(state, channel, "send", Json(described(&message, &state.threads)).into_response())
    })
    .await
}

/// A message as it is now.
pub(super) async fn message(State(service): State<Arc<Service>>, Path((channel, id)): Path<(u64, u64)>, headers: HeaderMap) -> Response {
    call(&service, &headers, "message", &Value::Null, |state| match state.messages.iter().find(|m| m.channel == channel && m.id == id) {
        Some(message) => {
            let mut described = described(message, &state.threads);
            // Whose server it is tells the gateway alone.
            described.as_object_mut().map(|message| message.remove("guild_id"));
            Json(described).into_response()
        }
        None => refused(404, 10_008, "Unknown Message"),
    })
    .await
}

pub(super) async fn edit(
    State(service): State<Arc<Service>>,
    Path((channel, id)): Path<(u64, u64)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    call(&service, &headers, "edit", &body, |state| {
        if let Some(refusal) = exists(state, channel).or_else(|| wrong(state, &body)).or_else(|| rate(&service, state, channel, "edit")) {
            return refusal;
        }
        let Some(message) = state.messages.iter_mut().find(|m| m.channel == channel && m.id == id && m.only_for.is_none()) else {
            return refused(404, 10_008, "Unknown Message");
        };
        if message.from != APPLICATION {
            return refused(403, 50_005, "Cannot edit a message authored by another user");
        }
        message.body = body.clone();
        message.edits += 1;
        let message = message.clone();
        bucket(state, channel, "edit", Json(described(&message, &state.threads)).into_response())
    })
    .await
}

pub(super) async fn thread(
    State(service): State<Arc<Service>>,
    Path((channel, message)): Path<(u64, u64)>,
    headers: HeaderMap,
    Json(wanted): Json<Value>,
) -> Response {
    call(&service, &headers, "thread", &wanted, |state| {
        let name = wanted["name"].as_str().unwrap_or_default().chars().count();
        if ![CHANNEL, OTHER_CHANNEL, STRANGE_CHANNEL].contains(&channel) {
            return refused(403, 50_013, "Missing Permissions");
        }
        if !state.messages.iter().any(|m| m.channel == channel && m.id == message && m.only_for.is_none()) {
            return refused(404, 10_008, "Unknown Message");
        }
        if !(1..=100).contains(&name) || !matches!(wanted["auto_archive_duration"].as_u64(), None | Some(60 | 1_440 | 4_320 | 10_080)) {
            return refused(400, 50_035, "Invalid Form Body");
        }
        if state.threads.insert(message, channel).is_some() {
            return refused(400, 160_004, "A thread has already been created for this message");
        }
        Json(json!({
            "id": message.to_string(), "type": 11, "guild_id": guild_of(channel, &state.threads).to_string(), "parent_id": channel.to_string(), "name": wanted["name"],
            "owner_id": APPLICATION.to_string(), "message_count": 0, "member_count": 1,
            "thread_metadata": { "archived": false, "auto_archive_duration": 1_440, "archive_timestamp": "2026-11-22T10:30:00.000000+00:00", "locked": false },
        }))
        .into_response()
    })
    .await
}

pub(super) async fn callback(
    State(service): State<Arc<Service>>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
    Json(answer): Json<Value>,
) -> Response {
    call(&service, &headers, "interaction answered", &answer, |state| {
        let kind = answer["type"].as_u64().unwrap_or_default();
        if state.too_late || !state.interactions.contains_key(&token) {
            return refused(404, 10_062, "Unknown interaction");
        }
        if state.answered.insert(token.clone(), kind).is_some() {
            return refused(400, 40_060, "Interaction has already been acknowledged.");
        }
        state.think(&token, kind);
        StatusCode::NO_CONTENT.into_response()
    })
    .await
}

pub(super) async fn original(
    State(service): State<Arc<Service>>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    service.state().thinking.remove(&token);
    aside(&service, &token, &headers, "interaction original", &body).await
}

pub(super) async fn forget_original(
    State(service): State<Arc<Service>>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
) -> Response {
    call(&service, &headers, "interaction forgotten", &Value::Null, |state| {
        if !state.interactions.contains_key(&token) || !state.answered.contains_key(&token) {
            return refused(404, 10_015, "Unknown Webhook");
        }
        state.thinking.remove(&token);
        StatusCode::NO_CONTENT.into_response()
    })
    .await
}

pub(super) async fn followup(
    State(service): State<Arc<Service>>,
    Path((_, token)): Path<(u64, String)>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    aside(&service, &token, &headers, "interaction followed up", &body).await
}

/// Words for the person who interacted.
async fn aside(service: &Service, token: &str, headers: &HeaderMap, what: &str, body: &Value) -> Response {
    call(service, headers, what, body, |state| {
        let Some((channel, user)) = state.interactions.get(token).copied().filter(|_| state.answered.contains_key(token)) else {
            return refused(404, 10_015, "Unknown Webhook");
        };
        if let Some(refusal) = wrong(state, body) {
            return refusal;
        }
        let message = keep(state, channel, body, Some(user));
        Json(described(&message, &state.threads)).into_response()
    })
    .await
}

pub(super) async fn commands(State(service): State<Arc<Service>>, headers: HeaderMap, Json(wanted): Json<Value>) -> Response {
    call(&service, &headers, "commands", &wanted, |state| {
        let all = wanted.as_array().cloned().unwrap_or_default();
        if all.len() > 100 || !all.iter().all(is_command) {
            return refused(400, 50_035, "Invalid Form Body");
        }
        state.commands = all;
        offered(state)
    })
    .await
}

pub(super) async fn commands_there(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    call(&service, &headers, "commands", &Value::Null, |state| offered(state)).await
}

fn offered(state: &World) -> Response {
    let more = |n: usize| json!({ "id": (800 + n).to_string(), "application_id": APPLICATION.to_string(), "version": "1", "default_member_permissions": null });
    let all = state.commands.iter().enumerate().map(|(n, command)| {
        let mut command = command.clone();
        more(n).as_object().into_iter().flatten().for_each(|(name, value)| command[name] = value.clone());
        command
    });
    Json(all.collect::<Vec<_>>()).into_response()
}
