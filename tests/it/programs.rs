//! The API as somebody meets it who writes a program: sheets by their names, a list of them, a document with examples.

use crate::api::Program;
use crate::world::World;
use chatsheet::server::api::{Scope, document};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sheets_are_listed_and_named() {
    let world = World::start().await;
    let program = Program::new(&world, "reports", &Scope::ALL).await;
    let all = program.get("/api/smartsheet").await.body;
    let names: Vec<&str> = all["sheets"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!((names.len(), all["total"].as_u64()), (names.len(), Some(names.len() as u64)));
    assert!(names.contains(&"Project Plan") && names.len() > 5, "{names:?}");
    let changed: Vec<&str> = all["sheets"].as_array().unwrap().iter().map(|s| s["modifiedAt"].as_str().unwrap()).collect();
    assert!(changed.is_sorted_by(|a, b| a >= b), "last changed first: {changed:?}");
    let page = program.get("/api/smartsheet?page=2&pageSize=2").await.body;
    assert_eq!(page["sheets"], json!(all["sheets"].as_array().unwrap()[2..4]));
    let found = program.get("/api/smartsheet?name=PROJECT%20pl").await.body;
    let id = world.sheets.world().sheet_id("Project Plan").unwrap().to_string();
    assert_eq!((found["total"].as_u64(), found["sheets"][0]["id"].as_str()), (Some(1), Some(id.as_str())));
    for wrong in ["page=0", "pageSize=1001", "names=x", &format!("name={}", "x".repeat(501))] {
        assert_eq!(program.get(&format!("/api/smartsheet?{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }

    let by_id = program.get(&format!("/api/smartsheet/{id}")).await.body;
    for name in ["Project%20Plan", "project%20plan", "Project%20Pl"] {
        assert_eq!(program.get(&format!("/api/smartsheet/{name}")).await.body, by_id, "{name}");
    }
    let rows = program.get("/api/smartsheet/Project%20Plan/rows?pageSize=1&columns=Status&filter=%22Due%20Date%22%20%3C%20'2030-01-01'%20AND%20status%20=%20'Blocked'").await.body;
    assert_eq!((rows["total"].as_u64(), &rows["rows"][0]["cells"]), (Some(2), &json!({ "Status": "Blocked" })));
    let row = rows["rows"][0]["id"].as_str().unwrap();
    let path = format!("/api/smartsheet/Project%20Plan/rows/{row}");
    let written = program.send(program.request(reqwest::Method::PATCH, &path).json(&json!({ "cells": { "Status": "Complete" } }))).await;
    assert_eq!((written.status, &written.body["cells"]), (StatusCode::OK, &json!({ "Status": "Complete" })));
    let rest = program
        .send(program.request(reqwest::Method::PATCH, &path.replace("Plan/", "Pl/")).json(&json!({ "cells": { "Status": "Blocked" } })))
        .await;
    assert_eq!(rest.status, StatusCode::NOT_FOUND, "what is changed is named in full");
    assert!(rest.body["detail"].as_str().unwrap().starts_with("Did you mean Project Plan ("), "{}", rest.body);
    let several = program.get("/api/smartsheet/e/columns").await;
    assert_eq!((several.status, several.body["code"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("several_sheets")));
    let none = program.get("/api/smartsheet/Nobody's%20Plan").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    insta::assert_snapshot!(none.body["detail"].as_str().unwrap(), @"There is no sheet called Nobody's Plan that the bot can see; GET /api/smartsheet lists them.");
    let reader = Program::new(&world, "talker", &[Scope::Chat]).await;
    assert_eq!(reader.get("/api/smartsheet").await.status, StatusCode::FORBIDDEN);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_shows_examples_and_the_page_does_too() {
    let world = World::start().await;
    let http = crate::smartsheet_api::http();
    let get = async |path: &str| http.get(format!("http://{}{path}", world.app.address)).send().await.unwrap().text().await.unwrap();
    let document: Value = serde_json::from_str(&get("/api/openapi.json").await).unwrap();
    assert_eq!(document["servers"][0]["url"], "/");
    let page = get("/api/docs").await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(page.contains(&format!("<b>{}</b> <code>{path}</code>", method.to_uppercase())), "{method} {path} is not on the page");
            let answers = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.starts_with('2'));
            let mut contents = answers.filter_map(|(_, answer)| answer["content"].as_object()?.values().next()).peekable();
            let says_something = contents.peek().is_some();
            assert!(!says_something || contents.any(|c| c["example"].is_object()), "{method} {path} answers without an example");
        }
    }
    assert!(!page.contains('`') && page.contains("Accessibility review"), "code is set off, examples are shown");
    assert!(page.matches("Our fault").count() <= 1, "what any answer may be is said once");
    // What is sent as the example does what it says.
    let program = Program::new(&world, "example", &Scope::ALL).await;
    let example = |path: &str| document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"].clone();
    assert_eq!(
        program.post("/api/smartsheet/Project%20Plan/rows", example("/api/smartsheet/{sheetId}/rows")).await.status,
        StatusCode::CREATED
    );
    assert_eq!(
        program.post("/api/smartsheet/Project%20Plan/columns", example("/api/smartsheet/{sheetId}/columns")).await.status,
        StatusCode::CREATED
    );
    assert_eq!(program.post("/api/sessions", example("/api/sessions")).await.status, StatusCode::CREATED);
    world.end().await;
}

#[test]
fn the_document_names_every_endpoint_of_the_design() {
    let document: Value = serde_json::from_str(&document().unwrap()).unwrap();
    let mut lines = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        lines.extend(methods.as_object().unwrap().keys().filter(|k| *k != "parameters").map(|m| format!("{} {path}", m.to_uppercase())));
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"), @r"
    DELETE /api/jobs/{jobId}
    DELETE /api/messages
    DELETE /api/sessions/{id}
    DELETE /api/smartsheet/{sheetId}/columns/{columnId}
    DELETE /api/smartsheet/{sheetId}/rows/{rowId}
    GET /api/jobs
    GET /api/jobs/{jobId}
    GET /api/messages
    GET /api/sessions
    GET /api/sessions/{id}
    GET /api/smartsheet
    GET /api/smartsheet/{sheetId}
    GET /api/smartsheet/{sheetId}/columns
    GET /api/smartsheet/{sheetId}/rows
    GET /api/smartsheet/{sheetId}/rows/{rowId}
    PATCH /api/smartsheet/{sheetId}/columns/{columnId}
    PATCH /api/smartsheet/{sheetId}/rows/{rowId}
    POST /api/jobs
    POST /api/messages
    POST /api/sessions
    POST /api/smartsheet/{sheetId}/columns
    POST /api/smartsheet/{sheetId}/rows
    POST /api/webhooks/smartsheet
    POST /api/ws-ticket
    ");
}
