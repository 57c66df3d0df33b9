//! Programs that work with sheets, conversations and jobs over the REST API.

use crate::world::{Setting, World, readable};
use bytes::Bytes;
use chatsheet::server::api::{Scope, document, new_key};
use reqwest::{Method, StatusCode};
use sandbox::smartsheet;
use serde_json::{Value, json};
use std::time::Duration;

/// A program with a key.
pub struct Program {
    http: reqwest::Client,
    base: String,
    pub key: String,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Program {
    pub async fn new(world: &World, name: &str, scopes: &[Scope]) -> Self {
        let (key, secret) = new_key(name, scopes, world.clock.now_ms());
        world.app.store.add_api_key(&key).await.unwrap();
        Self { http: crate::smartsheet_api::http(), base: format!("http://{}", world.app.address), key: secret }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        assert!(!status.is_server_error(), "{status}: {text}");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")) };
        if status.is_client_error() {
            assert_eq!(headers["content-type"], "application/problem+json", "{text}");
            assert!(body["code"].is_string() && body["detail"].as_str().is_some_and(|d| d.ends_with('.')), "{text}");
        }
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A session about a sheet.
    pub async fn session(&self, sheet: &str) -> String {
        let made = self.post("/api/sessions", json!({ "sheet": sheet })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        made.body["id"].as_str().unwrap().to_owned()
    }

    /// What the bot shows after these words.
    async fn say(&self, session: &str, words: &str) -> Vec<Value> {
        let said = self.post("/api/messages", json!({ "sessionId": session, "content": words })).await;
        assert_eq!((said.status, said.body["status"].as_str()), (StatusCode::OK, Some("answered")), "{}", said.body);
        said.body["messages"].as_array().unwrap().clone()
    }

    async fn press(&self, session: &str, shown: &[Value], label: &str) -> Vec<Value> {
        let said = self.post("/api/messages", json!({ "sessionId": session, "action": action(shown, label) })).await;
        assert_eq!(said.status, StatusCode::OK, "{}", said.body);
        said.body["messages"].as_array().unwrap().clone()
    }
}

/// The action of a button.
fn action(shown: &[Value], label: &str) -> String {
    let blocks = shown.iter().flat_map(|m| m["blocks"].as_array().unwrap());
    let mut buttons = blocks.filter(|b| b["type"] == "buttons").flat_map(|b| b["buttons"].as_array().unwrap());
    let button = buttons.find(|b| b["label"] == label).unwrap_or_else(|| panic!("no button {label} in {shown:?}"));
    button["action"].as_str().unwrap().to_owned()
}

fn text(shown: &[Value]) -> String {
    readable(&shown.iter().map(|m| m["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n--\n"))
}

fn sheet_path(world: &World, sheet: &str) -> String {
    format!("/api/smartsheet/{}", world.sheets.world().sheet_id(sheet).unwrap())
}

fn row_path(world: &World, row: &str) -> String {
    format!("{}/rows/{}", sheet_path(world, "Project Plan"), world.sheets.world().row_id("Project Plan", row).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_talks_to_the_bot_and_confirms_what_it_proposes() {
    let world = World::start().await;
    let program = Program::new(&world, "reporter", &Scope::ALL).await;
    let session = program.session("Project Plan").await;
    insta::assert_snapshot!(text(&program.say(&session, "how many tasks are blocked?").await), @"
    There are 2 rows.
    Rows: 2 · Status is “Blocked” · rows without children: 34 of 42 · Project Plan (‹sheet›) · as of 10:30 UTC
    ");
    let proposed = program.say(&session, "set Status of \"Load test\" to Complete").await;
    insta::assert_snapshot!(text(&proposed), @r"
    Set Status in 1 row of Project Plan (‹sheet›)?
    Where Task Name is “Load test”
    Row        Now          New
    ─────────  ───────────  ────────
    Load test  Not Started  Complete
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    let done = program.press(&session, &proposed, "Confirm").await;
    insta::assert_snapshot!(text(&done), @r"
    ✅ Done: set Status in 1 row in Project Plan (‹sheet›).
    Row        Was          Is
    ─────────  ───────────  ────────
    Load test  Not Started  Complete
    Asked for and confirmed by reporter.
    [Undo]
    You can take this back for 24 hours.
    ");
    assert_eq!(world.cell("Load test", "Status"), "Complete");
    let again = program.post("/api/messages", json!({ "sessionId": session, "action": action(&proposed, "Confirm") })).await;
    insta::assert_snapshot!(text(again.body["messages"].as_array().unwrap()), @"This was decided already.");
    program.press(&session, &done, "Undo").await;
    assert_ne!(world.cell("Load test", "Status"), "Complete");
    let said = program.get(&format!("/api/messages?sessionId={session}")).await.body;
    let roles: Vec<&str> = said["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert!(roles.starts_with(&["user", "function", "assistant", "user"]), "{roles:?}");
    assert_eq!(program.delete(&format!("/api/messages?sessionId={session}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(program.get(&format!("/api/messages?sessionId={session}")).await.body, json!({ "messages": [], "total": 0 }));
    let listed = program.get("/api/sessions").await.body;
    assert_eq!((&listed["total"], &listed["sessions"][0]["id"]), (&json!(1), &json!(session)));
    assert_eq!(program.delete(&format!("/api/sessions/{session}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(program.get(&format!("/api/sessions/{session}")).await.status, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_read_in_pages_by_condition_and_by_version() {
    let world = World::start().await;
    let program = Program::new(&world, "reader", &[Scope::Read]).await;
    let sheet = sheet_path(&world, "Project Plan");
    let info = program.get(&sheet).await;
    let tag = format!("W/\"{}-1\"", sheet.rsplit('/').next().unwrap());
    assert_eq!((&info.body["name"], info.headers["etag"].to_str().unwrap()), (&json!("Project Plan"), tag.as_str()));
    let named = program.send(program.request(Method::GET, &sheet).header("x-request-id", "ours-1")).await;
    assert_eq!(named.headers["x-request-id"], "ours-1", "a request keeps the name that a proxy gave it");
    assert_eq!(info.headers["x-request-id"].len(), 36, "or gets one");
    let known = program.send(program.request(Method::GET, &sheet).header("if-none-match", &tag)).await;
    assert_eq!((known.status, known.body), (StatusCode::NOT_MODIFIED, Value::Null));
    let columns = program.get(&format!("{sheet}/columns")).await.body;
    let titles: Vec<&str> = columns["columns"].as_array().unwrap().iter().map(|c| c["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len() as u64, info.body["columnCount"].as_u64().unwrap());
    let page = program.get(&format!("{sheet}/rows?pageSize=2&page=2&columns=Task%20Name,Status")).await.body;
    insta::assert_snapshot!(readable(&serde_json::to_string_pretty(&page).unwrap()), @r#"
    {
      "version": 1,
      "rows": [
        {
          "id": "1211274740638978",
          "rowNumber": 3,
          "parentId": "1805596819730522",
          "level": 1,
          "cells": {
            "Task Name": "Stakeholder interviews",
            "Status": "Complete"
          }
        },
        {
          "id": "1477063654514518",
          "rowNumber": 4,
          "parentId": "1211274740638978",
          "level": 2,
          "cells": {
            "Task Name": "Interview guide",
            "Status": "Complete"
          }
        }
      ],
      "total": 42
    }
    "#);
    let spent = program.get(&format!("{sheet}/rows?filter=budget%20%3C%205000")).await.body["notes"][0].to_string();
    assert!(spent.contains("Search page: “tbd”"), "what was left out is said: {spent}");
    let blocked = program.get(&format!("{sheet}/rows?filter=status%20%3D%20'Blocked'")).await.body;
    assert!(blocked["rows"].as_array().unwrap().iter().all(|r| r["cells"]["Status"] == "Blocked"), "{blocked}");
    assert_eq!(blocked["total"].as_u64().unwrap() as usize, blocked["rows"].as_array().unwrap().len());
    assert_eq!(program.get(&row_path(&world, "Load test")).await.body["cells"]["Task Name"], "Load test");
    for (path, status) in [
        (format!("{sheet}/rows?filter=nothing%20%3D%201"), 422),
        (format!("{sheet}/rows?filter=1%3B%20DROP%20TABLE%20sheet"), 422),
        (format!("{sheet}/rows?columns=Nothing"), 422),
        (format!("{sheet}/rows?pageSize=0"), 400),
        (format!("{sheet}/rows?pageSize=x"), 400),
        (format!("{sheet}/rows?unknown=1"), 400),
        (format!("{sheet}/rows/1"), 404),
        (format!("{sheet}/rows/x"), 404),
        ("/api/smartsheet/1".to_owned(), 404),
        ("/api/smartsheet/99999999999999999999".to_owned(), 404),
    ] {
        let answer = program.get(&path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.body);
    }
    let refused = program.patch(&row_path(&world, "Load test"), json!({ "cells": { "Status": "Complete" } })).await;
    assert_eq!((refused.status.as_u16(), refused.body["code"].as_str()), (403, Some("scope_missing")));
    let writer = Program::new(&world, "writer", &[Scope::Read, Scope::Write]).await;
    let before = world.cell("Load test", "Status");
    let written = writer.patch(&row_path(&world, "Load test"), json!({ "cells": { "Status": "Complete" } })).await.body;
    assert_eq!(world.cell("Load test", "Status"), "Complete", "{written}");
    let take_back = json!({ "sessionId": written["sessionId"], "action": format!("undo:{}", written["changeId"].as_str().unwrap()) });
    assert_eq!(writer.post("/api/messages", take_back).await.status.as_u16(), 200, "who may write may take that back");
    assert_eq!(world.cell("Load test", "Status"), before);
    let both = writer.post(&format!("{sheet}/rows"), json!({ "cells": { "Task Name": "x" }, "afterId": "1", "toTop": true })).await;
    assert_eq!(both.status.as_u16(), 422, "{}", both.body);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_work_later_is_told_apart_from_what_is_not_there() {
    let settings = vec![("SMARTSHEET_ACCESS_TOKEN", "an-old-token".to_owned())];
    let world = World::with(Setting { settings, unbound: true, ..Setting::default() }).await.unwrap();
    let program = Program::new(&world, "reader", &[Scope::Read]).await;
    let path = sheet_path(&world, "Project Plan");
    let response = program.request(Method::GET, &path).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "30"));
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "try_later");
    assert!(
        problem["detail"].as_str().unwrap().contains("SMARTSHEET_ACCESS_TOKEN") && !problem.to_string().contains("an-old-token"),
        "{problem}"
    );
    // The same request may be sent again with the same key: what came to nothing is not kept.
    let writer = Program::new(&world, "writer", &Scope::ALL).await;
    for _ in 0..2 {
        let request =
            writer.request(Method::POST, "/api/sessions").header("Idempotency-Key", "one").json(&json!({ "sheet": "Project Plan" }));
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["idempotent-replayed"].to_str().unwrap()), (503, "false"));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_columns_are_changed_journalled_and_taken_back() {
    let world = World::start().await;
    let program = Program::new(&world, "writer", &Scope::ALL).await;
    let (sheet, row) = (sheet_path(&world, "Project Plan"), row_path(&world, "Load test"));
    let before = world.cell("Load test", "Status");
    let changed = program.patch(&row, json!({ "cells": { "Status": "Complete" } })).await;
    assert_eq!((changed.status.as_u16(), &changed.body["cells"]), (200, &json!({ "Status": "Complete" })), "{}", changed.body);
    assert_eq!(world.cell("Load test", "Status"), "Complete");
    let undo = json!({ "sessionId": changed.body["sessionId"], "action": format!("undo:{}", changed.body["changeId"].as_str().unwrap()) });
    assert_eq!(program.post("/api/messages", undo).await.status, StatusCode::OK);
    assert_eq!(world.cell("Load test", "Status"), before, "it is taken back like any other change");
    for (cells, status) in
        [(json!({ "Status": "Nonsense" }), 422), (json!({ "Nothing": 1 }), 422), (json!({}), 422), (json!({ "Status": before }), 422)]
    {
        let answer = program.patch(&row, json!({ "cells": cells })).await;
        assert_eq!(answer.status.as_u16(), status, "{cells}: {}", answer.body);
    }
    let new = json!({ "cells": { "Task Name": "Fire drill", "Status": "Not Started" } });
    let once = || program.request(Method::POST, &format!("{sheet}/rows")).header("idempotency-key", "drill").json(&new);
    let (first, second) = (program.send(once()).await, program.send(once()).await);
    assert_eq!((first.status.as_u16(), &first.body), (201, &second.body), "{}", first.body);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert_eq!(
        world.sheets.world().rows("Project Plan").iter().filter(|r| r.get("Task Name").is_some_and(|n| n == "Fire drill")).count(),
        1
    );
    let other = program
        .send(
            program
                .request(Method::POST, &format!("{sheet}/rows"))
                .header("idempotency-key", "drill")
                .json(&json!({ "cells": { "Task Name": "Other" } })),
        )
        .await;
    assert_eq!(other.body["code"], "key_reused");
    let made = format!("{sheet}/rows/{}", first.body["rowId"].as_str().unwrap());
    assert_eq!(program.delete(&made).await.status, StatusCode::OK);
    assert_eq!(program.get(&made).await.status, StatusCode::NOT_FOUND);
    let column =
        program.post(&format!("{sheet}/columns"), json!({ "title": "Risk", "type": "PICKLIST", "options": ["Low", "High"] })).await;
    assert_eq!(column.status, StatusCode::CREATED, "{}", column.body);
    let column = format!("{sheet}/columns/{}", column.body["columnId"].as_str().unwrap());
    assert_eq!(program.patch(&column, json!({ "title": "Danger" })).await.status, StatusCode::OK);
    assert!(world.sheets.world().column_titles("Project Plan").contains(&"Danger".to_owned()));
    assert_eq!(program.patch(&column, json!({})).await.status.as_u16(), 422);
    assert_eq!(program.delete(&column).await.status, StatusCode::OK);
    assert_eq!(program.delete(&column).await.status, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_else_changes_meanwhile_is_left_alone() {
    let slow = smartsheet::Options { write_latency: Duration::from_millis(150), ..smartsheet::Options::default() };
    let world = World::with(Setting { smartsheet: Some(slow), ..Setting::default() }).await.unwrap();
    let (one, other) = (Program::new(&world, "one", &Scope::ALL).await, Program::new(&world, "other", &Scope::ALL).await);
    let row = row_path(&world, "Load test");
    let (first, second) = tokio::join!(
        one.patch(&row, json!({ "cells": { "Status": "Complete" } })),
        other.patch(&row, json!({ "cells": { "Status": "Blocked" } }))
    );
    let mut answers = [(first.status.as_u16(), "Complete", first.body), (second.status.as_u16(), "Blocked", second.body)];
    answers.sort_by_key(|a| a.0);
    assert_eq!((answers[0].0, answers[1].0), (200, 409), "{answers:?}");
    assert_eq!(answers[1].2["code"], "conflict");
    assert_eq!(world.cell("Load test", "Status"), answers[0].1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_is_not_approved_in_time_is_a_problem_and_not_under_way() {
    let world = World::with(Setting { hasty: true, ..Setting::default() }).await.unwrap();
    let program = Program::new(&world, "late", &Scope::ALL).await;
    let answer = program.patch(&row_path(&world, "Load test"), json!({ "cells": { "Status": "Complete" } })).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("not_approved")), "{}", answer.body);
    assert_ne!(world.cell("Load test", "Status"), "Complete");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_queued_once_watched_and_cancelled() {
    let world = World::start().await;
    let program = Program::new(&world, "worker", &Scope::ALL).await;
    let sheet = world.sheets.world().sheet_id("Clinical Trials").unwrap().to_string();
    let wanted = json!({ "type": "SUMMARIZE", "sheetId": sheet, "parameters": { "sourceColumns": ["Protocol"], "targetColumn": "Short" } });
    let once = || program.request(Method::POST, "/api/jobs").header("idempotency-key", "short").json(&wanted);
    let (first, second) = (program.send(once()).await, program.send(once()).await);
    assert_eq!((first.status.as_u16(), &first.body["id"]), (202, &second.body["id"]), "{}", first.body);
    world.app.jobs.until_idle().await.unwrap();
    let path = first.headers["location"].to_str().unwrap();
    let job = program.get(path).await.body;
    assert_eq!((job["status"].as_str(), &job["result"]["processedRows"]), (Some("completed"), &json!(60)), "{job}");
    assert_eq!(program.delete(path).await.body["code"], "has_ended");
    assert_eq!(program.get("/api/jobs").await.body["jobs"].as_array().unwrap().len(), 1);
    for (wrong, status) in [
        (json!({ "type": "NOTHING", "sheetId": sheet, "parameters": {} }), 422),
        (json!({ "type": "SUMMARIZE", "parameters": {} }), 422),
        (json!({ "type": "SUMMARIZE", "sheetId": sheet, "parameters": { "targetColumn": 5 } }), 422),
        (json!({ "type": "BULK_UPDATE", "sheetId": sheet, "parameters": { "updates": {} } }), 422),
        (json!({ "type": "BULK_UPDATE", "sheetId": "12", "parameters": { "updates": { "Phase": 1 } } }), 404),
    ] {
        let answer = program.post("/api/jobs", wrong.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{wrong}: {}", answer.body);
    }
    let stranger = Program::new(&world, "stranger", &Scope::ALL).await;
    assert_eq!(stranger.get(path).await.status, StatusCode::NOT_FOUND, "jobs of other keys are not shown");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_open_by_default() {
    let world = World::start().await;
    let program = Program::new(&world, "known", &Scope::ALL).await;
    let session = program.session("Project Plan").await;
    let (base, http) = (program.base.clone(), crate::smartsheet_api::http());
    let paths: Value = serde_json::from_str(&document().unwrap()).unwrap();
    for (path, methods) in paths["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|k| *k != "parameters") {
            let path = path
                .replace("{sheetId}", "1")
                .replace("{rowId}", "1")
                .replace("{columnId}", "1")
                .replace("{jobId}", "1")
                .replace("{id}", "1");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let request = http.request(method.clone(), format!("{base}{path}"));
            // Smartsheet signs with the secret of the webhook instead.
            let (request, refusal) = match path.as_str() {
                "/api/webhooks/smartsheet" => (request.body("{\"webhookId\":1}"), 403),
                _ => (request, 401),
            };
            let status = request.send().await.unwrap().status().as_u16();
            assert!(status == refusal || status == 429, "{method} {path}: {status}");
        }
    }
    let id = program.key.split('_').nth(1).unwrap();
    for wrong in [format!("csk_{id}_wrong"), "csk_nobody_x".into(), format!("csk_{id}"), "x".repeat(5000), format!("CSK_{id}_")] {
        let answer = http.get(format!("{base}/api/sessions")).bearer_auth(&wrong).send().await.unwrap();
        assert!(matches!(answer.status().as_u16(), 401 | 429 | 431), "{}", answer.status());
    }
    let stranger = Program::new(&world, "stranger", &Scope::ALL).await;
    assert_eq!(stranger.get(&format!("/api/sessions/{session}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.get(&format!("/api/messages?sessionId={session}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(stranger.get("/api/sessions").await.body, json!({ "sessions": [], "total": 0 }));
    let (key, secret) = new_key("gone", &Scope::ALL, 0);
    world.app.store.add_api_key(&key).await.unwrap();
    assert!(world.app.store.revoke_api_key(&key.id, 1).await.unwrap());
    let mut last = 0;
    for _ in 0..320 {
        last = http.get(format!("{base}/api/sessions")).bearer_auth(&secret).send().await.unwrap().status().as_u16();
        assert!(matches!(last, 401 | 429), "a revoked key is a stranger's: {last}");
    }
    assert_eq!(last, 429, "strangers are slowed");
    assert_eq!(program.get("/api/sessions").await.status, StatusCode::OK, "and nobody else");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_make_no_sense_are_refused_in_words() {
    let world = World::start().await;
    let program = Program::new(&world, "fuzzer", &Scope::ALL).await;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let bodies: [&[u8]; 8] = [
        b"null",
        b"[]",
        b"{}",
        b"{\"sheet\": 5}",
        b"{\"sheet\": \"Project Plan\", \"more\": 1}",
        b"\xff\xfe",
        b"{\"sheet\":",
        deep.as_bytes(),
    ];
    for body in bodies {
        let request = program.request(Method::POST, "/api/sessions").header("content-type", "application/json").body(body.to_vec());
        let answer = program.send(request).await;
        assert_eq!(answer.body["code"], "not_valid", "{}", answer.body);
    }
    let plain = program.send(program.request(Method::POST, "/api/sessions").body("sheet=Project Plan")).await;
    assert_eq!(plain.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    // Far more than the sockets hold: the refusal is read only by who may send the whole of it.
    let large = Bytes::from(format!("{{\"sheet\": \"{}\"}}", "x".repeat(12 << 20)));
    for _ in 0..20 {
        let request = program.request(Method::POST, "/api/sessions").header("content-type", "application/json");
        let answer = program.send(request.body(large.clone())).await;
        assert_eq!((answer.status, answer.body["code"].as_str()), (StatusCode::PAYLOAD_TOO_LARGE, Some("too_large")));
    }
    let put = program.send(program.request(Method::PUT, "/api/sessions")).await;
    assert_eq!((put.status, put.body["code"].as_str()), (StatusCode::METHOD_NOT_ALLOWED, Some("not_allowed")));
    assert_eq!(program.get("/api/nothing").await.status, StatusCode::NOT_FOUND);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_talks_over_the_api_is_where_the_headers_say() {
    let world = World::start().await;
    let program = Program::new(&world, "far away", &Scope::ALL).await;
    let session = program.post("/api/sessions", json!({ "sheet": "Project Plan" })).await.body["id"].clone();
    // It is half past ten in UTC, and tomorrow already in Kiribati, where weeks begin on Monday.
    for (zone, language, told) in [
        ("Pacific/Kiritimati", "en-GB", "Today is 2026-11-23, Monday. Weeks begin on Monday."),
        ("America/New_York", "en-US", "Today is 2026-11-22, Sunday. Weeks begin on Sunday."),
    ] {
        let request = program.request(Method::POST, "/api/messages").header("time-zone", zone).header("accept-language", language);
        let answer = program.send(request.json(&json!({ "sessionId": session, "content": "which tasks are due today?" }))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let asked = world.azure.requests();
        let system = asked.last().unwrap()["messages"][0]["content"].as_str().unwrap().to_owned();
        assert!(system.contains(told), "{zone}: {}", &system[system.find("Today").unwrap()..][..120]);
    }
    // So are the days and numbers of a job.
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    for (zone, language, day) in [("Pacific/Kiritimati", "de-DE", "2026-11-24"), ("America/New_York", "de-DE", "2026-11-23")] {
        let updates = json!({ "Due Date": "tomorrow", "Budget": "1.234,5" });
        let parameters = json!({ "criteria": "task_name = 'Load test'", "updates": updates });
        let job = json!({ "sheetId": sheet.to_string(), "type": "BULK_UPDATE", "parameters": parameters });
        let request = program.request(Method::POST, "/api/jobs").header("time-zone", zone).header("accept-language", language);
        let answer = program.send(request.json(&job)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
        world.app.jobs.until_idle().await.unwrap();
        let cell = |column: &str| world.sheets.world().cell("Project Plan", "Load test", column).unwrap()["value"].clone();
        assert_eq!((cell("Due Date"), cell("Budget")), (json!(day), json!(1234.5)), "{zone}");
    }
    world.end().await;
}
