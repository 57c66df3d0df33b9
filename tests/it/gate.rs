//! Who gets in how fast, what a key may do, and what ends when rights end.

use crate::api::Program;
use crate::links::{Page, link_in};
use crate::watching::{Wire, reachable};
use crate::world::{Setting, World};
use chatsheet::server::api::Scope;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_are_told_apart_by_their_addresses_also_behind_a_proxy() {
    let http = crate::smartsheet_api::http();
    for (trusted, others_too) in [("127.0.0.1, ::1", false), ("", true)] {
        let settings = vec![("TRUSTED_PROXIES", trusted.to_owned())];
        let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
        let from = async |address: &str| {
            let request = http.get(format!("http://{}/api/sessions", world.app.address)).header("x-forwarded-for", address);
            request.send().await.unwrap().status().as_u16()
        };
        // A request gets through every 200 ms: of several at once one is slowed.
        let slowed = async |address: &str, most: usize| {
            let answers = join_all((0..most).map(|_| from(address))).await;
            answers.contains(&429)
        };
        assert!(slowed("198.51.100.1", 400).await || slowed("198.51.100.1", 400).await, "who comes with no key is slowed");
        assert!(slowed("9.9.9.9, 198.51.100.1", 50).await, "whatever they say of themselves");
        assert_eq!(slowed("203.0.113.2", 50).await, others_too, "others are not, where a proxy of ours tells them apart");
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_a_key_end_with_it() {
    let world = reachable().await;
    let program = Program::new(&world, "leaver", &Scope::ALL).await;
    let session = program.session("Project Plan").await;
    let said = program.post("/api/messages", json!({ "sessionId": session, "content": "edit" })).await;
    let link = link_in(said.body["messages"][0]["text"].as_str().unwrap());
    let page = Page::open(&link).await.unwrap();
    assert!(page.get("").await.0.is_success());
    for key in world.app.store.api_keys().await.unwrap() {
        world.app.store.revoke_api_key(&key.id, world.clock.now_ms()).await.unwrap();
    }
    assert_eq!(page.get("").await.0, StatusCode::GONE);
    assert_eq!(page.post("/say", json!({ "text": "edit" })).await.0, StatusCode::GONE);
    assert_eq!(Page::open(&link).await.err(), Some(StatusCode::GONE));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_when_the_database_answers_and_has_all_its_tables() {
    let world = World::start().await;
    let ready = async || crate::smartsheet_api::http().get(format!("http://{}/readyz", world.app.address)).send().await.unwrap();
    assert_eq!(ready().await.status(), StatusCode::OK);
    let file = std::fs::read_dir(&world.folder.0).unwrap().map(|e| e.unwrap().path()).find(|p| p.extension().is_some_and(|e| e == "db"));
    let database = sqlx::SqlitePool::connect(&format!("sqlite://{}", file.unwrap().display())).await.unwrap();
    const LAST: &str = "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(LAST).execute(&database).await.unwrap();
    let answer = ready().await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().await.unwrap().contains("not migrated"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_come_in_pages_and_answers_again_with_all_that_they_told() {
    let world = World::start().await;
    let program = Program::new(&world, "worker", &Scope::ALL).await;
    let session = program.session("Project Plan").await;
    for question in ["how many tasks are blocked?", "which tasks are overdue?"] {
        program.post("/api/messages", json!({ "sessionId": session, "content": question })).await;
    }
    let page = async |query: &str| program.get(&format!("/api/messages?sessionId={session}{query}")).await.body;
    let all = page("").await;
    let total = all["total"].as_u64().unwrap();
    assert_eq!(total as usize, all["messages"].as_array().unwrap().len());
    let (last, before) = (page("&pageSize=1").await, page("&pageSize=1&page=2").await);
    let messages = all["messages"].as_array().unwrap();
    assert_eq!((&last["messages"][0], &before["messages"][0]), (&messages[messages.len() - 1], &messages[messages.len() - 2]));
    assert_eq!(program.get(&format!("/api/messages?sessionId={session}&pageSize=201")).await.status, StatusCode::BAD_REQUEST);

    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap().to_string();
    let update = |value: &str| json!({ "type": "BULK_UPDATE", "sheetId": sheet, "parameters": { "criteria": "status = 'Blocked'", "updates": { "Notes": value } } });
    let mut made = Vec::new();
    for value in ["one", "two"] {
        let once = || program.request(Method::POST, "/api/jobs").header("idempotency-key", value).json(&update(value));
        let (first, again) = (program.send(once()).await, program.send(once()).await);
        assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED), "{}", first.body);
        assert_eq!(
            (&again.headers["location"], &again.headers["idempotent-replayed"].to_str().unwrap()),
            (&first.headers["location"], &"true")
        );
        world.app.jobs.until_idle().await.unwrap();
        world.clock.advance(Duration::from_millis(1));
        made.push(first.body["id"].clone());
    }
    let jobs = program.get("/api/jobs?pageSize=1&page=2").await.body;
    assert_eq!((&jobs["total"], &jobs["jobs"][0]["id"], jobs["jobs"].as_array().unwrap().len()), (&json!(2), &made[0], 1));

    let watcher = Program::new(&world, "watcher", &[Scope::Jobs, Scope::Read]).await;
    let refused = watcher.post("/api/jobs", update("three")).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (StatusCode::FORBIDDEN, Some("scope_missing")), "jobs write");
    assert_eq!(watcher.get("/api/jobs").await.status, StatusCode::OK);

    let late = format!("/api/smartsheet/{sheet}/rows?filter=due_date%20%3C%20date('now')");
    let known = program.get(&late).await;
    let tag = known.headers["etag"].to_str().unwrap().to_owned();
    let again = async || program.send(program.request(Method::GET, &late).header("if-none-match", &tag)).await.status;
    assert_eq!(again().await, StatusCode::NOT_MODIFIED);
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(again().await, StatusCode::OK, "tomorrow the same condition may fit other rows");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_ends_its_live_connections() {
    let world = World::start().await;
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let mut wire = Wire::with(&world, &ticket, None, None).await.unwrap();
    let id = program.key.split('_').nth(1).unwrap();
    assert!(world.app.store.revoke_api_key(id, world.clock.now_ms()).await.unwrap());
    assert_eq!(wire.closed_within(Duration::from_secs(45)).await, "the link or the key has ended");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_see_a_sheet_any_more_is_told_nothing_of_it() {
    let world = World::start().await;
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let mut wire = Wire::with(&world, &ticket, None, None).await.unwrap();
    let topic = format!("sheet:{sheet}");
    assert_eq!(wire.subscribe(&topic).await["type"], "subscribed");
    world.sheets.world().withdraw("Project Plan");
    // Rights are looked at with every ping.
    let told = wire.next_within(Duration::from_secs(60)).await;
    assert_eq!(told["type"], "error");
    assert_eq!((&told["topic"], &told["code"]), (&json!(topic), &json!("not_found")), "{told}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_in_a_page_keeps_no_webhook() {
    let world = reachable().await;
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    let session = program.session("Budget 2026").await;
    world.app.watch.look_after_webhooks().await.unwrap();
    world.sheets.until(|w| w.webhooks_of("Budget 2026") == ["ENABLED"]).await.unwrap();
    let said = program.post("/api/messages", json!({ "sessionId": session, "content": "edit" })).await;
    let link = link_in(said.body["messages"][0]["text"].as_str().unwrap());
    let page = Page::open(&link).await.unwrap();
    let row = world.sheets.world().row_id("Budget 2026", "Licences").unwrap().to_string();
    let (status, written) = page.post("/row", json!({ "name": "Travel", "after": row })).await;
    assert_eq!(status, StatusCode::OK, "{written}");
    assert_eq!(program.send(program.request(Method::DELETE, &format!("/api/sessions/{session}"))).await.status, StatusCode::NO_CONTENT);
    world.app.watch.look_after_webhooks().await.unwrap();
    assert_eq!(world.sheets.world().webhooks_of("Budget 2026"), [""; 0], "nobody talks about the sheet any more");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_looks_different_is_read_anew() {
    let world = reachable().await;
    let program = Program::new(&world, "watcher", &Scope::ALL).await;
    world.sheets.until(|w| w.webhooks_of("Project Plan") == ["ENABLED"]).await.unwrap();
    let ticket = program.post("/api/ws-ticket", json!({})).await.body["ticket"].as_str().unwrap().to_owned();
    let mut wire = Wire::with(&world, &ticket, None, None).await.unwrap();
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    assert_eq!(wire.subscribe(&format!("sheet:{sheet}")).await["type"], "subscribed");
    let column = world.sheets.world().column_id("Project Plan", "Priority").unwrap();
    let path = format!("/api/smartsheet/{sheet}/columns/{column}");
    let changed = program
        .send(program.request(Method::PATCH, &path).json(&json!({ "type": "PICKLIST", "options": ["Low", "Medium", "High", "Urgent"] })))
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let told = wire.next().await;
    assert_eq!((&told["type"], &told["reload"]), (&json!("sheet_update"), &Value::Bool(true)), "{told}");
    world.end().await;
}
