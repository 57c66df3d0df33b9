//! The Bot API: messages, edits, files, answers to presses, updates on demand; limits and rates as documented.

use super::{BOT_ID, BOT_TOKEN, FORUM, Posted, Service, State as World, TOPIC, bot, chat, html, user};
use crate::fault::{self, Kind};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) async fn call(
    State(service): State<Arc<Service>>,
    Path((token, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let method = method.to_ascii_lowercase();
    let drawn = if method == "getupdates" { None } else { service.faults.draw() };
    if let Some(kind) = drawn
        && let Some(response) = fault::before(kind).await
    {
        return response;
    }
    match drawn {
        Some(Kind::RateLimited) => return too_fast(&mut service.state(), 1),
        Some(Kind::ServerError) => return (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response(),
        _ => {}
    }
    if token != format!("bot{BOT_TOKEN}") {
        return refused(401, "Unauthorized");
    }
    let multipart = headers.get("content-type").and_then(|t| t.to_str().ok()).is_some_and(|t| t.starts_with("multipart/"));
    let body = if multipart { form(&body) } else { serde_json::from_slice(&body).unwrap_or_default() };
    service.state().calls.push((method.clone(), body.clone()));
    service.changed.notify_waiters();
    let answer = if method == "getupdates" { updates(&service, &body).await } else { run(&service, &method, &body) };
    service.changed.notify_waiters();
    fault::after(drawn, answer).await
}

/// The fields of a multipart form: text, and `file` with the name and size of the file.
fn form(body: &Bytes) -> Value {
    let boundary = body.split(|b| *b == b'\r').next().unwrap_or_default().to_vec();
    let text = String::from_utf8_lossy(body);
    let mut fields = json!({});
    for part in text.split(&*String::from_utf8_lossy(&boundary)) {
        let Some((head, content)) = part.split_once("\r\n\r\n") else { continue };
        let of = |key: &str| head.split(&format!("{key}=\"")).nth(1).and_then(|r| r.split('"').next());
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        match (of("filename"), of("name")) {
            (Some(file), _) => fields["file"] = json!({ "name": file, "bytes": content.len() }),
            (None, Some(name)) => fields[name] = serde_json::from_str(content).unwrap_or_else(|_| json!(content)),
            _ => {}
        }
    }
    fields
}

fn ok(result: Value) -> Response {
    Json(json!({ "ok": true, "result": result })).into_response()
}

fn refused(code: u16, description: &str) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
    (status, Json(json!({ "ok": false, "error_code": code, "description": description }))).into_response()
}

fn bad(description: &str) -> Response {
    refused(400, &format!("Bad Request: {description}"))
}

fn too_fast(state: &mut World, seconds: u64) -> Response {
    state.refused_for_rate += 1;
    let body = json!({ "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {seconds}"), "parameters": { "retry_after": seconds } });
    (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
}

async fn updates(service: &Service, body: &Value) -> Response {
    let offset = body["offset"].as_i64().unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(body["timeout"].as_u64().unwrap_or_default());
    // A question ends the one before it, whoever asked. <https://core.telegram.org/bots/api#getupdates>
    let question = {
        let mut state = service.state();
        state.questions += 1;
        state.questions
    };
    service.changed.notify_waiters();
    loop {
        let changed = service.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        {
            let mut state = service.state();
            if state.webhook.is_some() {
                return refused(
                    409,
                    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first",
                );
            }
            if state.questions != question {
                state.conflicts += 1;
                return refused(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running");
            }
            state.pending.retain(|u| u["update_id"].as_i64().unwrap_or_default() >= offset);
            if !state.pending.is_empty() || Instant::now() >= until {
                return ok(state.pending.iter().take(100).cloned().collect());
            }
        }
        let _ = tokio::time::timeout_at(until.into(), changed).await;
    }
}

/// A file, at the address that has the bot's token in it.
pub(super) async fn file(State(service): State<Arc<Service>>, Path((token, name)): Path<(String, String)>) -> Response {
    if token == format!("bot{BOT_TOKEN}") { service.files.get(&name) } else { refused(401, "Unauthorized") }
}

fn run(service: &Service, method: &str, body: &Value) -> Response {
    let mut state = service.state();
    match method {
        "getfile" => {
            let id = body["file_id"].as_str().unwrap_or_default();
            ok(json!({ "file_id": id, "file_unique_id": id, "file_size": 1, "file_path": format!("documents/{id}") }))
        }
        "getme" => {
            let mut me = bot();
            for (field, value) in [
                ("can_join_groups", true),
                ("can_read_all_group_messages", false),
                ("supports_inline_queries", false),
                ("can_connect_to_business", false),
                ("has_main_web_app", false),
            ] {
                me[field] = json!(value);
            }
            ok(me)
        }
        "setwebhook" => set_webhook(&mut state, body),
        "getwebhookinfo" => {
            let url = state.webhook.as_ref().map(|(url, _)| url.as_str()).unwrap_or_default();
            let mut info =
                json!({ "url": url, "has_custom_certificate": false, "pending_update_count": state.pending.len(), "max_connections": 40 });
            if let Some(why) = state.undelivered.as_ref().filter(|_| !url.is_empty()) {
                info["last_error_date"] = json!(1_795_305_600);
                info["last_error_message"] = json!(why);
            }
            ok(info)
        }
        "deletewebhook" => {
            state.webhook = None;
            ok(json!(true))
        }
        "setmycommands" => commands(&mut state, body),
        "getmycommands" => ok(json!(state.commands)),
        "answercallbackquery" => {
            let text = body["text"].as_str().unwrap_or_default();
            if text.chars().count() > 200 {
                return bad("MESSAGE_TOO_LONG");
            }
            let id = body["callback_query_id"].as_str().unwrap_or_default();
            if !state.presses.contains(id) {
                return bad("query is too old and response timeout expired or query ID is invalid");
            }
            state.answered.push((id.to_owned(), text.to_owned()));
            ok(json!(true))
        }
        "getchatmember" => ok(json!({ "status": "member", "user": user(body["user_id"].as_i64().unwrap_or_default()) })),
        "sendmessage" => send(service, &mut state, body, false),
        "sendrichmessage" if service.options.rich => send(service, &mut state, body, true),
        "sendmessagedraft" if service.options.rich => draft(service, &mut state, body),
        "editmessagetext" => edit(service, &mut state, body),
        "senddocument" => {
            let (name, size) = (body["file"]["name"].as_str().unwrap_or_default(), body["file"]["bytes"].as_u64().unwrap_or_default());
            let content = Content { text: format!("[file {name}, {size} bytes]"), ..Content::default() };
            post(service, &mut state, body, content)
        }
        _ => refused(404, "Not Found"),
    }
}

/// The real service wants HTTPS, too.
fn set_webhook(state: &mut World, body: &Value) -> Response {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let secret = text("secret_token");
    if !secret.is_empty() && (secret.len() > 256 || !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')) {
        return bad("secret token contains unallowed characters");
    }
    let connections = body["max_connections"].as_u64().unwrap_or(40);
    if !(1..=100).contains(&connections) || !(body["allowed_updates"].is_null() || body["allowed_updates"].is_array()) {
        return bad("max_connections or allowed_updates");
    }
    state.webhook = if text("url").is_empty() { None } else { Some((text("url"), secret)) };
    ok(json!(true))
}

fn commands(state: &mut World, body: &Value) -> Response {
    let all = body["commands"].as_array().cloned().unwrap_or_default();
    let good = |c: &Value| {
        let (name, about) = (c["command"].as_str().unwrap_or_default(), c["description"].as_str().unwrap_or_default());
        let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        (1..=32).contains(&name.len()) && letters && (1..=256).contains(&about.chars().count())
    };
    if all.len() > 100 || !all.iter().all(good) {
        return bad("BOT_COMMAND_INVALID");
    }
    state.commands = all;
    ok(json!(true))
}

/// What a message shows.
#[derive(Default)]
struct Content {
    text: String,
    calls: Vec<String>,
    buttons: Vec<(String, String)>,
    rich: bool,
}

/// Reads what is to be shown, or says the reason why Telegram would not show it.
fn content(state: &World, body: &Value) -> Result<Content, String> {
    let buttons = buttons(body)?;
    if let Some(rich) = body["rich_message"]["html"].as_str() {
        if state.refuse_markup {
            return Err("RICH_MESSAGE_INVALID".into());
        }
        let read = html::read(rich, true).map_err(|why| format!("RICH_MESSAGE_HTML_INVALID: {why}"))?;
        if rich.chars().count() > 32_768 || read.blocks > 500 || read.columns > 20 {
            return Err("RICH_MESSAGE_TOO_LONG".into());
        }
        return Ok(Content { text: read.text, calls: Vec::new(), buttons, rich: true });
    }
    let text = body["text"].as_str().unwrap_or_default();
    let (text, calls) = match body["parse_mode"].as_str() {
        Some("HTML") if state.refuse_markup => return Err("can't parse entities: refused on demand".into()),
        Some("HTML") => {
            let read = html::read(text, false).map_err(|why| format!("can't parse entities: {why}"))?;
            if html::address_bytes(text) > html::MAX_ADDRESS_BYTES {
                return Err("message is too long".into());
            }
            (read.text, read.calls)
        }
        None => (text.to_owned(), html::called(text)),
        Some(_) => return Err("unsupported parse_mode".into()),
    };
    if text.trim().is_empty() {
        return Err("message text is empty".into());
    }
    if text.encode_utf16().count() > 4_096 {
        return Err("message is too long".into());
    }
    Ok(Content { text, calls, buttons, rich: false })
}

fn buttons(body: &Value) -> Result<Vec<(String, String)>, String> {
    let rows = body["reply_markup"]["inline_keyboard"].as_array().into_iter().flatten();
    let mut buttons = Vec::new();
    for button in rows.flat_map(|row| row.as_array().into_iter().flatten()) {
        let (label, data) = (button["text"].as_str().unwrap_or_default(), button["callback_data"].as_str().unwrap_or_default());
        if label.is_empty() {
            return Err("can't parse inline keyboard button: Field \"text\" must be of type String".into());
        }
        if !(1..=64).contains(&data.len()) {
            return Err("BUTTON_DATA_INVALID".into());
        }
        buttons.push((label.to_owned(), data.to_owned()));
    }
    if buttons.len() > 100 { Err("reply markup is too long".into()) } else { Ok(buttons) }
}

/// Whether something more may be sent now; edits count like messages.
fn rate(service: &Service, state: &mut World, chat: i64) -> Option<Response> {
    if !service.options.enforce_rates {
        return None;
    }
    let now = Instant::now();
    let within =
        |times: &VecDeque<Instant>, length: u64| times.iter().filter(|t| now.duration_since(**t) < Duration::from_secs(length)).count();
    let overall: usize = state.sent.values().map(|times| within(times, 1)).sum();
    let times = state.sent.entry(chat).or_default();
    while times.front().is_some_and(|t| now.duration_since(*t) > Duration::from_secs(60)) {
        times.pop_front();
    }
    // In any stretch of time no more than one a second, and a burst of three.
    let burst = times.iter().rev().enumerate().any(|(n, t)| n + 1 >= 4 + now.duration_since(*t).as_secs() as usize);
    if burst || overall >= 30 {
        return Some(too_fast(state, 1));
    }
    if chat < 0 && times.len() >= 20 {
        return Some(too_fast(state, 10));
    }
    times.push_back(now);
    None
}

fn send(service: &Service, state: &mut World, body: &Value, rich: bool) -> Response {
    if rich != body["rich_message"].is_object() {
        return bad("rich_message is required");
    }
    match content(state, body) {
        Ok(content) => post(service, state, body, content),
        Err(why) => bad(&why),
    }
}

/// A draft is for one person, and has a number.
fn draft(service: &Service, state: &mut World, body: &Value) -> Response {
    let chat = body["chat_id"].as_i64().unwrap_or_default();
    if !(1..=999).contains(&chat) || state.strangers.contains(&chat) {
        return bad("TEXTDRAFT_PEER_INVALID");
    }
    if body["draft_id"].as_i64().unwrap_or_default() == 0 {
        return bad("RANDOM_ID_INVALID");
    }
    let text =
        if body["text"].as_str().is_none_or(str::is_empty) { Ok("Thinking…".to_owned()) } else { content(state, body).map(|c| c.text) };
    let text = match text {
        Ok(text) => text,
        Err(why) => return bad(&why),
    };
    if let Some(refusal) = rate(service, state, chat) {
        return refusal;
    }
    state.drafts.entry((chat, body["message_thread_id"].as_i64())).or_default().push(text);
    ok(json!(true))
}

fn post(service: &Service, state: &mut World, body: &Value, content: Content) -> Response {
    let id = body["chat_id"].as_i64().or_else(|| body["chat_id"].as_str()?.parse().ok()).unwrap_or_default();
    if let Some(to) = state.moved.get(&id) {
        let answer = json!({ "ok": false, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat", "parameters": { "migrate_to_chat_id": to } });
        return (StatusCode::BAD_REQUEST, Json(answer)).into_response();
    }
    let Some(chat) = chat(id).filter(|_| !state.deleted.contains(&id)) else { return bad("chat not found") };
    if state.gone.contains(&id) {
        return refused(403, "Forbidden: bot was kicked from the supergroup chat");
    }
    if state.strangers.contains(&id) {
        return refused(403, "Forbidden: bot can't initiate conversation with a user");
    }
    let topic = body["message_thread_id"].as_i64();
    if topic.is_some() && (id, topic) != (FORUM, Some(TOPIC)) {
        return bad("message thread not found");
    }
    let answers = body["reply_parameters"]["message_id"].as_i64();
    let there = |answered: i64| state.messages.iter().any(|m| m.chat == id && m.id == answered);
    if answers.is_some_and(|a| !there(a)) && body["reply_parameters"]["allow_sending_without_reply"] != true {
        return bad("message to be replied not found");
    }
    if let Some(refusal) = rate(service, state, id) {
        return refusal;
    }
    let message = Posted {
        chat: id,
        id: state.next_id(id),
        topic,
        from: BOT_ID,
        text: content.text,
        buttons: content.buttons,
        answers,
        calls: content.calls,
        rich: content.rich,
        body: body.clone(),
        edits: 0,
    };
    let answer = described(&message, &chat);
    state.drafts.remove(&(id, topic));
    state.messages.push(message);
    ok(answer)
}

/// A message as the Bot API describes it.
pub(super) fn described(message: &Posted, chat: &Value) -> Value {
    let from = if message.from == BOT_ID { bot() } else { user(message.from) };
    let mut described = json!({ "message_id": message.id, "date": 1_795_305_600, "chat": chat, "from": from, "text": message.text });
    if let Some(topic) = message.topic {
        described["message_thread_id"] = json!(topic);
        described["is_topic_message"] = json!(true);
    }
    described
}

fn edit(service: &Service, state: &mut World, body: &Value) -> Response {
    let (id, number) = (body["chat_id"].as_i64().unwrap_or_default(), body["message_id"].as_i64().unwrap_or_default());
    let content = match content(state, body) {
        Ok(content) => content,
        Err(why) => return bad(&why),
    };
    if let Some(refusal) = rate(service, state, id) {
        return refusal;
    }
    let Some(message) = state.messages.iter_mut().find(|m| m.chat == id && m.id == number) else {
        return bad("message to edit not found");
    };
    if message.from != BOT_ID {
        return bad("message can't be edited");
    }
    if (&message.text, &message.buttons) == (&content.text, &content.buttons) {
        return bad(
            "message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
        );
    }
    (message.text, message.buttons, message.calls, message.rich) = (content.text, content.buttons, content.calls, content.rich);
    message.body = body.clone();
    message.edits += 1;
    let answer = chat(id).map(|chat| described(message, &chat)).unwrap_or_default();
    ok(answer)
}
