//! Sheets that others change: webhooks of Smartsheet, and what is told at once over the WebSocket.

use crate::api::Program;
use crate::links::{Page, link_in};
use crate::world::{Setting, World, free_port};
use chatsheet::events::{Event, PostEvent, SheetEvent, Writer};
use chatsheet::server::api::Scope;
use futures_util::{SinkExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::StatusCode;
use sandbox::smartsheet;
use serde_json::{Value, json};
use sha2::Sha256;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const PATH: &str = "/api/webhooks/smartsheet";

/// A world that Smartsheet can reach.
pub async fn reachable() -> World {
    reachable_over(false).await.unwrap()
}

/// The same over PostgreSQL, where there is one.
pub async fn reachable_over(postgres: bool) -> Option<World> {
    let port = free_port();
    let quick = smartsheet::Options { webhook_debounce: Duration::from_millis(20), ..smartsheet::Options::default() };
    let settings = vec![
        ("LISTEN", format!("127.0.0.1:{port}")),
        ("PUBLIC_BASE_URL", format!("http://127.0.0.1:{port}")),
        ("CHATSHEET_SECRET_KEY", "a key for this story, and no other".repeat(2)),
    ];
    World::with(Setting { smartsheet: Some(quick), settings, postgres, ..Setting::default() }).await
}

/// A live connection.
pub struct Wire(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Wire {
    async fn open(world: &World, program: &Program, protocol: Option<&str>) -> Self {
        let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
        Self::with(world, &ticket, protocol, None).await.unwrap()
    }

    pub async fn with(world: &World, ticket: &str, protocol: Option<&str>, origin: Option<&str>) -> Result<Self, u16> {
        Self::at(world.app.address, ticket, protocol, origin).await
    }

    pub async fn at(address: SocketAddr, ticket: &str, protocol: Option<&str>, origin: Option<&str>) -> Result<Self, u16> {
        let mut request = format!("ws://{address}/ws?ticket={ticket}").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => {
                let mut wire = Self(socket);
                assert_eq!(wire.next().await["type"], "connected");
                Ok(wire)
            }
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    async fn say(&mut self, value: Value) {
        self.0.send(Message::Text(value.to_string().into())).await.unwrap();
    }

    /// Subscribes, and waits until that holds.
    pub async fn subscribe(&mut self, topic: &str) -> Value {
        self.say(json!({ "type": "subscribe", "topic": topic })).await;
        self.next().await
    }

    pub async fn next(&mut self) -> Value {
        self.next_within(Duration::from_secs(10)).await
    }

    pub async fn next_within(&mut self, time: Duration) -> Value {
        loop {
            let message = tokio::time::timeout(time, self.0.next()).await.expect("something is told").unwrap().unwrap();
            match message {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Binary(bytes) => return rmp_serde::from_slice(&bytes).unwrap(),
                _ => {}
            }
        }
    }

    /// Returns when the server has closed the connection, with its reason.
    pub async fn closed_within(&mut self, time: Duration) -> String {
        loop {
            match tokio::time::timeout(time, self.0.next()).await.expect("it is closed") {
                Some(Ok(Message::Close(frame))) => return frame.map(|f| f.reason.to_string()).unwrap_or_default(),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return String::new(),
            }
        }
    }

    /// The next message of this type.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let next = self.next().await;
            if next["type"] == kind {
                return next;
            }
        }
    }
}

fn sheet_topic(world: &World) -> String {
    format!("sheet:{}", world.sheets.world().sheet_id("Project Plan").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_made_elsewhere_is_told_by_a_webhook() {
    let world = reachable().await;
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    assert!(world.sheets.world().webhooks_of("Clinical Trials").is_empty(), "only for sheets that a thread is about");
    let (mut json, mut packed) = (Wire::open(&world, &program, None).await, Wire::open(&world, &program, Some("chatsheet.msgpack")).await);
    let topic = sheet_topic(&world);
    while !json.subscribe(&topic).await["webhook"].as_bool().unwrap() {}
    packed.subscribe(&topic).await;
    world.sheets.edit("Project Plan", "Load test", "Status", json!("Blocked"));
    let (told, same) = (json.next_of("sheet_update").await, packed.next_of("sheet_update").await);
    assert_eq!(told, same, "both packings say the same");
    let changed = told["changed"].as_array().unwrap();
    let cells: Vec<&Value> = changed[0]["cells"].as_object().unwrap().values().collect();
    assert_eq!((changed.len(), cells), (1, vec![&json!({ "value": "Blocked", "display": "Blocked" })]));
    assert!(world.type_line("how many tasks are blocked?").await.contains("3 rows"), "and the bot knows");
    // Our own writes are told at once, and not a second time when Smartsheet calls.
    let row = world.sheets.world().row_id("Project Plan", "Load test").unwrap();
    let path = format!("/api/smartsheet/{}/rows/{row}", topic.trim_start_matches("sheet:"));
    let written = program.send(program.request(reqwest::Method::PATCH, &path).json(&json!({ "cells": { "Status": "Complete" } }))).await;
    assert_eq!(written.status, StatusCode::OK);
    let told = json.next_of("sheet_update").await;
    assert_eq!(told["changed"][0]["id"], json!(row.to_string()));
    // A webhook that was switched off is switched on again, and what was missed is found by comparing.
    for (reason, value) in [("DISABLED_CALLBACK_FAILED", "In Progress"), ("DISABLED_EXCEEDED_GRID_LIMITS", "Blocked")] {
        world.sheets.switch_webhooks("Project Plan", reason).await;
        world.sheets.world().edit("Project Plan", "Load test", "Status", json!(value));
        // A sheet that is too large is not tried again all the time.
        world.clock.advance(Duration::from_secs(3_601));
        world.app.watch.look_after_webhooks().await.unwrap();
        assert_eq!(world.sheets.world().webhooks_of("Project Plan"), ["ENABLED"]);
        let missed = json.next_of("sheet_update").await;
        assert_eq!(missed["changed"][0]["id"], json!(row.to_string()));
    }
    // One that somebody has switched off stays off.
    world.sheets.switch_webhooks("Project Plan", "DISABLED_BY_OWNER").await;
    world.app.watch.look_after_webhooks().await.unwrap();
    assert_eq!(world.sheets.world().webhooks_of("Project Plan"), ["DISABLED_BY_OWNER"]);
    world.sheets.switch_webhooks("Project Plan", "ENABLED").await;
    world.app.watch.look_after_webhooks().await.unwrap();
    // One that was switched off without a word is found when it is looked at, within the hour.
    world.sheets.world().silence_webhooks("Project Plan");
    world.app.watch.look_after_webhooks().await.unwrap();
    assert_eq!(world.sheets.world().webhooks_of("Project Plan"), ["DISABLED_CALLBACK_FAILED"], "it is not asked for all the time");
    world.clock.advance(Duration::from_secs(3_601));
    world.app.watch.look_after_webhooks().await.unwrap();
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    // Nobody needs it any more.
    world.app.store.forget_conversation(&world.console.thread()).await.unwrap();
    world.app.watch.look_after_webhooks().await.unwrap();
    let session = program.get("/api/sessions").await.body["sessions"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        program.send(program.request(reqwest::Method::DELETE, &format!("/api/sessions/{session}"))).await.status,
        StatusCode::NO_CONTENT
    );
    world.app.watch.look_after_webhooks().await.unwrap();
    assert!(world.sheets.world().webhooks_of("Project Plan").is_empty(), "it is removed");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hundredth_call_asks_again_whether_it_is_us() {
    let world = reachable().await;
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    for n in 1..=101 {
        world.sheets.edit("Project Plan", "Load test", "Budget", json!(n));
        world.sheets.until(|_| world.sheets.callbacks().0 >= n).await.unwrap();
    }
    assert_eq!(world.sheets.callbacks(), (101, 2), "once when it was made, and once more");
    assert_eq!(world.sheets.world().webhooks_of("Project Plan"), ["ENABLED"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_smartsheet_did_not_make_are_refused() {
    let world = reachable().await;
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    // Smartsheet knows that it is enabled a little before the bot has noted it.
    let known = loop {
        let known = world.app.store.webhook_of_sheet(chatsheet::sheet::SheetId(sheet)).await.unwrap().unwrap();
        if known.status == "ENABLED" {
            break known;
        }
        tokio::task::yield_now().await;
    };
    assert!(known.secret.as_deref().is_some_and(|s| !s.contains("sandbox-secret")), "the secret is encrypted");
    let id = known.webhook_id.unwrap();
    let http = crate::smartsheet_api::http();
    let url = format!("http://{}{PATH}", world.app.address);
    let call = async |body: String, secret: Option<String>| {
        let mut request = http.post(&url).body(body.clone());
        if let Some(secret) = secret {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(body.as_bytes());
            let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
            request = request.header("Smartsheet-Hmac-SHA256", hex);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let body = |id: i64, nonce: &str| {
        json!({ "nonce": nonce, "timestamp": "2026-11-22T10:30:00.000+0000", "webhookId": id, "scope": "sheet", "scopeObjectId": sheet,
            "events": [{ "objectType": "cell", "eventType": "updated", "rowId": 1, "columnId": 2 }] })
        .to_string()
    };
    let secret = format!("sandbox-secret-{id}");
    let mut events = world.app.events.listen();
    assert_eq!(call(body(id, "a"), None).await, 403, "without a signature");
    assert_eq!(call(body(id, "a"), Some("wrong".into())).await, 403, "forged");
    assert_eq!(call(body(id + 1, "a"), Some(secret.clone())).await, 403, "unknown");
    for malformed in ["", "null", "[]", "{}", "{\"webhookId\": \"x\"}", "\u{feff}{}", &"[".repeat(10_000)] {
        assert_eq!(call(malformed.to_owned(), Some(secret.clone())).await, 400, "{malformed}");
    }
    assert!(events.try_recv().is_err(), "nothing has happened");
    assert_eq!(call(body(id, "a"), Some(secret.clone())).await, 200);
    assert_eq!(call(body(id, "a"), Some(secret.clone())).await, 200, "the same again");
    let touched = std::iter::from_fn(|| events.try_recv().ok()).filter(|e| *e == Event::Touched { sheet, by: Writer::Others }).count();
    assert_eq!(touched, 1, "does nothing");
    let written_by =
        |nonce: &str, agent: &str| body(id, nonce).replace("\"eventType\"", &format!("\"changeAgent\":\"{agent},other\",\"eventType\""));
    let own = format!("chatsheet-{}", world.app.store.installation_id().await.unwrap());
    assert_eq!(call(written_by("b", &own), Some(secret.clone())).await, 200);
    assert!(events.try_recv().is_err(), "what we have written ourselves is known already");
    assert_eq!(call(written_by("c", "chatsheet-another"), Some(secret.clone())).await, 200);
    assert_eq!(events.try_recv().unwrap(), Event::Touched { sheet, by: Writer::Others }, "another installation's writes are not ours");
    let challenge = |id: i64, word: &str| json!({ "challenge": word, "webhookId": id }).to_string();
    assert_eq!(call(challenge(id, "word"), None).await, 200, "every hundredth call is a challenge again");
    assert_eq!(call(challenge(id + 1, "word"), None).await, 403);
    assert_eq!(call(challenge(id, "two\r\nlines"), None).await, 403);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_sheet_without_a_webhook_is_asked_for_until_nobody_watches() {
    let world = World::start().await;
    let program = Program::new(&world, "watcher", &[Scope::Read]).await;
    let topic = sheet_topic(&world);
    let mut wire = Wire::open(&world, &program, None).await;
    let subscribed = wire.subscribe(&topic).await;
    assert_eq!((&subscribed["type"], &subscribed["webhook"]), (&json!("subscribed"), &json!(false)));
    world.sheets.edit("Project Plan", "Load test", "Status", json!("Blocked"));
    let told = wire.next_within(Duration::from_secs(60)).await;
    let row = world.sheets.world().row_id("Project Plan", "Load test").unwrap().to_string();
    assert_eq!((&told["type"], &told["changed"][0]["id"]), (&json!("sheet_update"), &json!(row)), "{told}");
    wire.say(json!({ "type": "unsubscribe", "topic": topic })).await;
    assert_eq!(wire.next().await["type"], "unsubscribed");
    world.app.events.tell(Event::Sheet(SheetEvent { sheet: topic[6..].parse().unwrap(), version: 99, update: Arc::new(json!({})) }));
    wire.say(json!({ "type": "connect" })).await;
    assert_eq!(wire.next().await["type"], "connected", "nothing is told any more");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_that_smartsheet_hides_are_not_handed_out() {
    let world = reachable().await;
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    let topic = sheet_topic(&world);
    // Before anybody has read it: with the columns as they are then.
    let columns = format!("{}/sheets/{}/columns", world.sheets.base_url(), topic.trim_start_matches("sheet:"));
    let http = crate::smartsheet_api::http();
    let all: Value = http.get(&columns).bearer_auth(smartsheet::TOKEN).send().await.unwrap().json().await.unwrap();
    let budget = all["data"].as_array().unwrap().iter().find(|c| c["title"] == "Budget").unwrap()["id"].to_string();
    let hide = http.put(format!("{columns}/{budget}")).bearer_auth(smartsheet::TOKEN).json(&json!({ "hidden": true }));
    assert!(hide.send().await.unwrap().status().is_success());
    let session = program.session("Project Plan").await;
    let said = program.post("/api/messages", json!({ "sessionId": session, "content": "edit" })).await;
    let page = Page::open(&link_in(said.body["messages"][0]["text"].as_str().unwrap())).await.unwrap();
    let data = page.get("/data").await.1;
    assert!(data.contains("\"Status\"") && !data.contains("\"Budget\"") && !data.contains(&budget), "{data}");
    let mut wire = Wire::open(&world, &program, None).await;
    wire.subscribe(&topic).await;
    world.sheets.edit("Project Plan", "Load test", "Budget", json!(77));
    let told = wire.next_of("sheet_update").await;
    assert!(!told.to_string().contains("77"), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_and_jobs_are_told_as_they_grow() {
    let world = World::start().await;
    let program = Program::new(&world, "talker", &Scope::ALL).await;
    let session = program.session("Clinical Trials").await;
    let mut wire = Wire::open(&world, &program, None).await;
    let topic = format!("session:{session}");
    assert_eq!(wire.subscribe(&topic).await["eventId"], 0);
    let asked = program.post("/api/messages", json!({ "sessionId": session, "content": "how many trials are recruiting?" })).await;
    let answer = asked.body["messages"][0].clone();
    let mut told = Vec::new();
    while told.last().is_none_or(|m: &Value| m["message"]["partial"] == true) {
        told.push(wire.next_of("message").await);
    }
    assert!(told.len() > 1 && told[0]["message"]["partial"] == true, "it is seen before it is complete: {told:?}");
    assert_eq!(told.last().unwrap()["message"], answer);
    let sheet = world.sheets.world().sheet_id("Clinical Trials").unwrap().to_string();
    let wanted = json!({ "type": "SUMMARIZE", "sheetId": sheet, "parameters": { "sourceColumns": ["Protocol"], "targetColumn": "Short" } });
    let job = program.post("/api/jobs", wanted).await.body["id"].as_str().unwrap().to_owned();
    wire.subscribe(&format!("job:{job}")).await;
    let mut last = Value::Null;
    while last["status"] != "completed" {
        last = wire.next_of("job_status").await;
    }
    assert_eq!((&last["total"], &last["jobId"]), (&json!(60), &json!(job)));
    // Who was away is told what was missed.
    let mut back = Wire::open(&world, &program, None).await;
    back.say(json!({ "type": "subscribe", "topic": topic, "lastEventId": 0 })).await;
    assert_eq!(back.next().await["type"], "subscribed");
    let said = back.next().await;
    assert_eq!((&said["type"], &said["message"]["text"]), (&json!("said"), &json!("how many trials are recruiting?")));
    let last = back.next().await;
    assert_eq!(last["message"], answer);
    // Ids go on growing when all of it has been cleared.
    program.delete(&format!("/api/messages?sessionId={session}")).await;
    world.clock.advance(Duration::from_secs(1));
    let again = program.post("/api/messages", json!({ "sessionId": session, "content": "how many trials are completed?" })).await;
    let mut back = Wire::open(&world, &program, None).await;
    back.say(json!({ "type": "subscribe", "topic": topic, "lastEventId": last["eventId"] })).await;
    assert_eq!(back.next().await["type"], "subscribed");
    assert_eq!(back.next().await["message"]["text"], "how many trials are completed?");
    assert_eq!(back.next().await["message"], again.body["messages"][0]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_told_how_things_stand_later_and_others_hear_everything() {
    let world = World::start().await;
    let program = Program::new(&world, "crowd", &Scope::ALL).await;
    let session = program.session("Project Plan").await;
    let topic = format!("session:{session}");
    let (mut dozing, mut awake) = (Wire::open(&world, &program, None).await, Wire::open(&world, &program, None).await);
    dozing.subscribe(&topic).await;
    awake.subscribe(&topic).await;
    let thread = world.app.store.thread_of_session(&session).await.unwrap().unwrap().key.storage_key();
    let post: Arc<Value> = json!({ "text": "x".repeat(64 << 10) }).into();
    for revision in 1..=300 {
        world.app.events.tell(Event::Post(PostEvent { thread: thread.as_str().into(), revision, author: None, post: post.clone() }));
        assert_eq!(awake.next().await["eventId"], revision, "nobody waits for who is slow");
    }
    let mut told = 0;
    while dozing.next().await["type"] == "message" {
        told += 1;
    }
    assert!((1..300).contains(&told), "{told} of 19 MB waited in sockets and in the backlog; then it was told how things stand");
    world.app.events.tell(Event::Post(PostEvent { thread: thread.as_str().into(), revision: 301, author: None, post }));
    assert_eq!(dozing.next().await["eventId"], 301, "it is told at once again");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_missed_changes_of_a_sheet_is_told_to_read_it_anew() {
    let world = reachable().await;
    let program = Program::new(&world, "crowd", &Scope::ALL).await;
    let topic = sheet_topic(&world);
    let (mut dozing, mut awake) = (Wire::open(&world, &program, None).await, Wire::open(&world, &program, None).await);
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    dozing.subscribe(&topic).await;
    let first = awake.subscribe(&topic).await["eventId"].as_i64().unwrap();
    let sheet = topic.trim_start_matches("sheet:").parse().unwrap();
    let update: Arc<Value> = json!({ "from": 0, "changed": "x".repeat(64 << 10) }).into();
    for version in 1..=300 {
        world.app.events.tell(Event::Sheet(SheetEvent { sheet, version: -version, update: update.clone() }));
        assert_eq!(awake.next().await["eventId"], -version, "nobody waits for who is slow");
    }
    world.sheets.edit("Project Plan", "Load test", "Status", json!("Blocked"));
    let changed = awake.next_of("sheet_update").await["eventId"].as_i64().unwrap();
    assert!(changed > first);
    let mut told = dozing.next().await;
    while told["type"] == "sheet_update" && told["eventId"].as_i64().unwrap() < 0 {
        told = dozing.next().await;
    }
    assert_eq!(told["type"], "subscribed", "how it stands");
    told = dozing.next().await;
    assert_eq!((&told["type"], &told["eventId"], &told["reload"]), (&json!("sheet_update"), &json!(changed), &json!(true)), "{told}");
    // The same for who comes back with what they knew.
    let mut back = Wire::open(&world, &program, None).await;
    for (known, reload) in [(first, true), (changed, false)] {
        back.say(json!({ "type": "subscribe", "topic": topic, "lastEventId": known })).await;
        assert_eq!(back.next().await["type"], "subscribed");
        if reload {
            assert_eq!(back.next().await["reload"], true);
        }
    }
    back.say(json!({ "type": "connect" })).await;
    assert_eq!(back.next().await["type"], "connected", "who knows everything is told nothing");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_connections_are_only_for_those_who_may() {
    let world = World::start().await;
    let (reader, other) = (Program::new(&world, "reader", &[Scope::Read]).await, Program::new(&world, "other", &Scope::ALL).await);
    let session = other.session("Project Plan").await;
    let ticket = reader.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let refused = async |ticket: &str, origin: Option<&str>| Wire::with(&world, ticket, None, origin).await.err();
    assert_eq!(refused("", None).await, Some(401));
    assert_eq!(refused("made-up", None).await, Some(401));
    assert_eq!(refused(&ticket, Some("https://evil.example.com")).await, Some(403));
    assert_eq!(refused(&ticket, Some("null")).await, Some(403));
    let origin = format!("http://{}", world.app.address);
    let mut wire = Wire::with(&world, &ticket, None, Some(&origin)).await.unwrap();
    assert_eq!(refused(&ticket, None).await, Some(401), "a ticket works once");
    assert_eq!(wire.subscribe(&sheet_topic(&world)).await["type"], "subscribed");
    for (topic, code) in [
        (format!("session:{session}"), "scope_missing"),
        ("job:x".into(), "scope_missing"),
        ("sheet:1".into(), "refused"),
        ("sheet:x".into(), "not_found"),
        ("x".repeat(5_000), "not_valid"),
    ] {
        let answer = wire.subscribe(&topic).await;
        assert_eq!((answer["type"].as_str(), answer["code"].as_str()), (Some("error"), Some(code)), "{answer}");
    }
    for nonsense in ["null", "[]", "{\"type\": 5}", "x", &"[".repeat(5_000)] {
        wire.0.send(Message::Text(nonsense.into())).await.unwrap();
        assert_eq!(wire.next().await["code"], "not_valid", "{nonsense}");
    }
    let revoked = reader.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    for key in world.app.store.api_keys().await.unwrap().iter().filter(|key| key.name == "reader") {
        world.app.store.revoke_api_key(&key.id, world.clock.now_ms()).await.unwrap();
    }
    assert_eq!(refused(&revoked, None).await, Some(401), "a revoked key opens nothing");
    let plain = crate::smartsheet_api::http().get(format!("http://{}/ws?ticket=x", world.app.address)).send().await.unwrap();
    assert_eq!((plain.status().as_u16(), &plain.headers()["content-type"]), (400, &"application/problem+json".parse().unwrap()));
    let late = other.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(refused(&late, None).await, Some(401), "and not for long");
    // It may end while the rest is still being sent.
    drop(wire.0.send(Message::Binary(vec![0; 1 << 20].into())).await);
    assert!(!matches!(wire.0.next().await, Some(Ok(Message::Text(_)))), "what is too long ends the connection");
    world.end().await;
}
