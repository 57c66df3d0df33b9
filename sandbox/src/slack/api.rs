//! The Web API: posting, editing, whispering, files, people; limits and rates as documented.

use super::{BOT_USER, FAR_AWAY, GUEST, Posted, STRANGE_TEAM, STRANGER, Service, State as World, blocks, installs, modal, stream};
use crate::fault::{self, Kind};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Methods that read no JSON.
const WITHOUT_JSON: [&str; 4] = ["conversations.info", "users.info", "files.getUploadURLExternal", "oauth.v2.access"];
/// Scopes of a bot token that methods need, as their documentation names them; others need none.
const NEEDED: [(&str, &str); 14] = [
    ("chat.postMessage", "chat:write"),
    ("chat.update", "chat:write"),
    ("chat.postEphemeral", "chat:write"),
    ("chat.startStream", "chat:write"),
    ("chat.appendStream", "chat:write"),
    ("chat.stopStream", "chat:write"),
    ("assistant.threads.setStatus", "chat:write"),
    ("assistant.threads.setSuggestedPrompts", "assistant:write"),
    ("chat.unfurl", "links:write"),
    ("conversations.open", "im:write"),
    ("conversations.info", "channels:read"),
    ("users.info", "users:read"),
    ("files.getUploadURLExternal", "files:write"),
    ("files.completeUploadExternal", "files:write"),
];
const CHANNELS: [(&str, &str); 2] = [("C1", "plan"), ("C2", "budget")];
/// Fields that the official client sends as JSON inside a form.
const JSON_FIELDS: [&str; 8] = ["attachments", "blocks", "chunks", "files", "metadata", "prompts", "unfurls", "view"];
const PEOPLE: [(&str, &str); 3] = [("U1", "Lee Park"), ("U2", "Mia Jensen"), ("UBOT", "chatsheet")];

pub(super) async fn call(
    State(service): State<Arc<Service>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    uri: axum::http::Uri,
    body: Bytes,
) -> Response {
    let drawn = service.faults.draw();
    if let Some(kind) = drawn
        && let Some(response) = fault::before(kind).await
    {
        return response;
    }
    match drawn {
        Some(Kind::RateLimited) => return too_fast(&mut service.state(), 1),
        Some(Kind::ServerError) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => {}
    }
    let read = if WITHOUT_JSON.contains(&method.as_str()) { None } else { serde_json::from_slice(&body).ok() };
    let mut body: Value = read.unwrap_or_else(|| form(&body));
    if let (Value::Object(fields), Some(query)) = (&mut body, uri.query()) {
        fields.extend(url::form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), json!(v))));
    }
    let authorization = headers.get("authorization").and_then(|v| v.to_str().ok());
    let bearer = authorization.and_then(|v| v.strip_prefix("Bearer "));
    let host = headers.get("host").and_then(|h| h.to_str().ok()).unwrap_or_default();
    let answer = if method == "apps.connections.open" {
        Json(super::socket::open(host, bearer)).into_response()
    } else if method == "oauth.v2.access" {
        installs::access(&mut service.state(), authorization, &body, service.options.token_lifetime)
    } else {
        run(&service, &method, body, host, bearer)
    };
    service.changed.notify_waiters();
    fault::after(drawn, answer).await
}

fn run(service: &Service, method: &str, body: Value, host: &str, bearer: Option<&str>) -> Response {
    let mut state = service.state();
    let (workspace, scopes) = match state.installs.open(bearer) {
        Ok(opened) => opened,
        Err(error) => return refused(error),
    };
    state.acting = workspace.install().to_owned();
    state.calls.push((method.to_owned(), body.clone()));
    let needed = NEEDED.iter().find(|(of, _)| *of == method).map(|(_, scope)| *scope);
    if let Some(needed) = needed.filter(|n| !scopes.split(',').any(|given| given == *n)) {
        return Json(json!({ "ok": false, "error": "missing_scope", "needed": needed, "provided": scopes })).into_response();
    }
    let rates = service.options.enforce_rates;
    match method {
        "auth.test" => {
            let who = json!({ "url": "https://sandbox.slack.com/", "team": "Sandbox", "user": "chatsheet", "team_id": workspace.team, "user_id": BOT_USER, "bot_id": "B1" });
            ([("x-oauth-scopes", scopes)], ok(who)).into_response()
        }
        "chat.postMessage" => post_message(&mut state, &body, rates),
        "chat.update" => update(&mut state, &body, rates),
        "assistant.threads.setStatus" => stream::set_status(&mut state, &body),
        "assistant.threads.setSuggestedPrompts" => stream::suggest(&mut state, &body),
        "chat.startStream" => stream::start(&mut state, &body, rates),
        "chat.appendStream" => stream::append(&mut state, &body, rates),
        "chat.stopStream" => stream::stop(&mut state, &body, rates),
        "chat.postEphemeral" => post_ephemeral(&mut state, &body),
        "chat.unfurl" => unfurl(&mut state, &body),
        "views.open" => modal::open(&mut state, &body),
        "views.publish" => publish_home(&mut state, &body),
        "conversations.open" => ok(json!({ "channel": { "id": format!("D{}", body["users"].as_str().unwrap_or_default()) } })),
        "conversations.info" => match CHANNELS.iter().find(|(id, _)| body["channel"] == *id) {
            Some((id, name)) => ok(json!({ "channel": { "id": id, "name": name, "is_channel": true, "is_private": false } })),
            None => refused("channel_not_found"),
        },
        "users.info" => {
            let id = body["user"].as_str().unwrap_or_default();
            let name = PEOPLE.iter().find(|(u, _)| *u == id).map_or(id, |(_, name)| *name);
            if !id.starts_with('U') {
                return refused("user_not_found");
            }
            let short = name.to_lowercase().replace(' ', ".");
            let strange = id.starts_with(STRANGER);
            let mut profile = json!({ "real_name": name, "display_name": name });
            if scopes.split(',').any(|given| given == "users:read.email") {
                profile["email"] = json!(format!("{short}@example.com"));
            }
            let mut user = json!({
                "id": id, "team_id": if strange { STRANGE_TEAM } else { &workspace.team }, "name": short, "is_restricted": id.starts_with(GUEST),
                "is_ultra_restricted": false, "is_stranger": strange, "is_bot": false,
                "profile": profile,
            });
            if id == FAR_AWAY.0 {
                (user["tz"], user["locale"]) = (json!(FAR_AWAY.1), json!("de-DE"));
            }
            ok(json!({ "user": user }))
        }
        "files.getUploadURLExternal" => {
            let id = format!("F{}", state.uploads.len() + 1);
            state.uploads.insert(id.clone(), (body["filename"].as_str().unwrap_or_default().to_owned(), Vec::new()));
            ok(json!({ "upload_url": format!("http://{host}/upload/{id}"), "file_id": id }))
        }
        "files.completeUploadExternal" => complete_upload(&mut state, &body),
        _ => refused("unknown_method"),
    }
}

fn form(body: &[u8]) -> Value {
    let value = |name: &str, text: &str| {
        let inside = JSON_FIELDS.contains(&name).then(|| serde_json::from_str(text).ok()).flatten();
        inside.unwrap_or_else(|| json!(text))
    };
    url::form_urlencoded::parse(body).map(|(k, v)| (k.to_string(), value(&k, &v))).collect::<serde_json::Map<_, _>>().into()
}

pub(super) fn ok(mut fields: Value) -> Response {
    fields["ok"] = json!(true);
    Json(fields).into_response()
}

pub(super) fn refused(error: &str) -> Response {
    Json(json!({ "ok": false, "error": error })).into_response()
}

pub(super) fn too_fast(state: &mut World, seconds: u64) -> Response {
    state.refused_for_rate += 1;
    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())], Json(json!({ "ok": false, "error": "ratelimited" })))
        .into_response()
}

/// One post a second and channel, with a short burst; fifty edits a minute.
pub(super) fn over(times: &mut std::collections::VecDeque<Instant>, allowed: usize, within: Duration) -> bool {
    let now = Instant::now();
    while times.front().is_some_and(|t| now.duration_since(*t) > within) {
        times.pop_front();
    }
    if times.len() >= allowed {
        return true;
    }
    times.push_back(now);
    false
}

/// Checks what Slack would check; the fault as an answer.
fn check(state: &World, body: &Value) -> Option<Response> {
    let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() && blocks.is_empty() {
        return Some(refused("no_text"));
    }
    if text.chars().count() > 40_000 {
        return Some(refused("msg_too_long"));
    }
    if state.refuse_blocks && !blocks.is_empty() {
        return Some(refused("invalid_blocks"));
    }
    let fault = blocks::fault(&blocks)?;
    Some(Json(json!({ "ok": false, "error": "invalid_blocks", "errors": [fault] })).into_response())
}

pub(super) fn posted(state: &mut World, body: &Value, user: &str) -> Posted {
    Posted {
        install: state.acting.clone(),
        channel: body["channel"].as_str().unwrap_or_default().into(),
        ts: state.next_ts(),
        thread_ts: body["thread_ts"].as_str().map(str::to_owned),
        user: user.into(),
        text: body["text"].as_str().unwrap_or_default().into(),
        blocks: body["blocks"].as_array().cloned().unwrap_or_default(),
        only_for: None,
        edits: 0,
        streaming: false,
        body: body.clone(),
    }
}

fn post_message(state: &mut World, body: &Value, rates: bool) -> Response {
    let channel = body["channel"].as_str().unwrap_or_default().to_owned();
    if !channel.starts_with(['C', 'D', 'G']) {
        return refused("channel_not_found");
    }
    if state.outside.as_ref() == Some(&channel) {
        return refused("not_in_channel");
    }
    if rates && over(state.posts.entry((state.acting.clone(), channel.clone())).or_default(), 4, Duration::from_secs(4)) {
        return too_fast(state, 1);
    }
    if !body["thread_ts"].is_null() && state.message(&body["channel"], &body["thread_ts"]).is_none() {
        return refused("invalid_thread_ts");
    }
    if let Some(refusal) = check(state, body) {
        return refusal;
    }
    let message = posted(state, body, BOT_USER);
    state.streams.clear(&channel, message.thread_ts.as_deref());
    let answer = json!({ "channel": channel, "ts": message.ts, "message": { "type": "message", "text": message.text, "ts": message.ts, "user": BOT_USER } });
    state.messages.push(message);
    ok(answer)
}

fn update(state: &mut World, body: &Value, rates: bool) -> Response {
    if rates && over(state.edits.entry(state.acting.clone()).or_default(), 50, Duration::from_secs(60)) {
        return too_fast(state, 5);
    }
    if let Some(refusal) = check(state, body) {
        return refusal;
    }
    let (channel, ts) = (&body["channel"], &body["ts"]);
    let Some(message) = state.message(channel, ts).filter(|m| m.only_for.is_none()) else { return refused("message_not_found") };
    if message.user != BOT_USER {
        return refused("cant_update_message");
    }
    if message.streaming {
        return refused("streaming_state_conflict");
    }
    message.text = body["text"].as_str().unwrap_or_default().into();
    message.blocks = body["blocks"].as_array().cloned().unwrap_or_default();
    message.edits += 1;
    message.changed_by(body);
    ok(json!({ "channel": channel, "ts": ts, "text": message.text, "message": { "text": message.text } }))
}

fn unfurl(state: &mut World, body: &Value) -> Response {
    if state.message(&body["channel"], &body["ts"]).is_none() {
        return refused("cannot_find_message");
    }
    for (url, shown) in body["unfurls"].as_object().into_iter().flatten() {
        let blocks = shown["blocks"].as_array().cloned().unwrap_or_default();
        if blocks.is_empty() || blocks.iter().any(|b| b["type"] == "table") || blocks::fault(&blocks).is_some() {
            return refused("cannot_unfurl_url");
        }
        state.unfurled.push((url.clone(), blocks));
    }
    ok(json!({}))
}

fn publish_home(state: &mut World, body: &Value) -> Response {
    let (view, user) = (&body["view"], body["user_id"].as_str().unwrap_or_default());
    let blocks = view["blocks"].as_array().cloned().unwrap_or_default();
    let metadata = view["private_metadata"].as_str().unwrap_or_default().to_owned();
    if user.is_empty() || view["type"] != "home" || metadata.len() > 3_000 {
        return refused("invalid_arguments");
    }
    let unfit = blocks.len() > 100 || blocks.iter().any(|b| b["type"] == "table") || blocks.chunks(50).any(|b| blocks::fault(b).is_some());
    if unfit {
        return refused("invalid_blocks");
    }
    state.homes.insert(user.to_owned(), (blocks, metadata));
    ok(json!({ "view": view }))
}

/// `response_url` of a command: five answers, which are seen where it was typed.
pub(super) async fn respond(State(service): State<Arc<Service>>, Path(id): Path<String>, Json(mut body): Json<Value>) -> Response {
    let answer = {
        let state = &mut *service.state();
        let Some((install, channel, user, left)) = state.ways_back.get_mut(&id).filter(|(.., left)| *left > 0) else {
            return (StatusCode::NOT_FOUND, "used_url").into_response();
        };
        *left -= 1;
        state.acting = install.clone();
        (body["channel"], body["user"]) = (json!(channel), json!(user));
        let alone = body["response_type"] == "ephemeral";
        if !alone || check(state, &body).is_some() {
            return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
        }
        whispered(state, &body);
        "ok".into_response()
    };
    service.changed.notify_waiters();
    answer
}

fn post_ephemeral(state: &mut World, body: &Value) -> Response {
    if let Some(refusal) = check(state, body) {
        return refusal;
    }
    if state.outside.as_deref() == body["channel"].as_str() {
        return refused("not_in_channel");
    }
    // In a thread it is shown only where something stands already; it is answered as if it were.
    let thread = body["thread_ts"].as_str().filter(|ts| !ts.is_empty());
    if thread.is_some_and(|ts| !state.messages.iter().any(|m| m.thread_ts.as_deref() == Some(ts) && m.only_for.is_none())) {
        return ok(json!({ "message_ts": state.next_ts() }));
    }
    ok(json!({ "message_ts": whispered(state, body) }))
}

/// Shows a message to one person; its time stamp.
fn whispered(state: &mut World, body: &Value) -> String {
    let user = body["user"].as_str().unwrap_or_default().to_owned();
    let mut message = posted(state, body, BOT_USER);
    message.only_for = Some(user);
    let ts = message.ts.clone();
    state.messages.push(message);
    ts
}

/// A file, for whoever has a token of the workspace; everybody else is led to the page where people log in.
pub(super) async fn file(State(service): State<Arc<Service>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    match token == format!("Bearer {}", super::BOT_TOKEN) {
        true => service.files.get(&name),
        false => Redirect::to("/?redir=%2Ffiles").into_response(),
    }
}

pub(super) async fn upload(State(service): State<Arc<Service>>, Path(id): Path<String>, body: Bytes) -> Response {
    match service.state().uploads.get_mut(&id) {
        Some((_, bytes)) => {
            *bytes = body.to_vec();
            ([("content-type", "text/plain")], format!("OK - {}", body.len())).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn complete_upload(state: &mut World, body: &Value) -> Response {
    let ids: Vec<String> = body["files"].as_array().into_iter().flatten().filter_map(|f| f["id"].as_str().map(str::to_owned)).collect();
    for id in &ids {
        let Some((name, bytes)) = state.uploads.get(id).cloned() else { return refused("file_not_found") };
        let mut message = posted(state, &json!({ "channel": body["channel_id"], "thread_ts": body["thread_ts"] }), BOT_USER);
        message.text = format!("[file {name}, {} bytes]", bytes.len());
        state.messages.push(message);
    }
    ok(json!({ "files": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() }))
}
