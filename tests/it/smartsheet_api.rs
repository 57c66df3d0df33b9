//! The stand-in answers as the documented service does; the client reads it so.

use crate::world::install_tls;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use sandbox::smartsheet::{Options, Smartsheet, TOKEN};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Api {
    sheets: Smartsheet,
    http: reqwest::Client,
}

/// A client that adds nothing.
#[expect(clippy::disallowed_methods, reason = "a plain client, to look at the wire")]
pub fn http() -> reqwest::Client {
    install_tls();
    reqwest::Client::new()
}

impl Api {
    async fn start(options: Options) -> Self {
        Self { sheets: Smartsheet::start(options).await.unwrap(), http: http() }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.request(method.parse().unwrap(), format!("{}/{path}", self.sheets.base_url())).bearer_auth(TOKEN);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await.1
    }

    async fn plan(&self) -> (i64, Value) {
        let id = self.sheets.world().sheet_id("Project Plan").unwrap();
        (id, self.get(&format!("sheets/{id}?exclude=nonexistentCells")).await)
    }
}

fn column(sheet: &Value, title: &str) -> i64 {
    sheet["columns"].as_array().unwrap().iter().find(|c| c["title"] == title).unwrap()["id"].as_i64().unwrap()
}

#[tokio::test]
async fn every_write_is_one_version_and_bulk_is_all_or_nothing_unless_asked_otherwise() {
    let api = Api::start(Options::default()).await;
    let (id, sheet) = api.plan().await;
    let status = column(&sheet, "Status");
    let rows: Vec<i64> = sheet["rows"].as_array().unwrap().iter().take(2).map(|r| r["id"].as_i64().unwrap()).collect();
    let body = json!([
        { "id": rows[0], "cells": [{ "columnId": status, "value": "Blocked" }] },
        { "id": rows[1], "cells": [{ "columnId": status, "value": "Nonsense" }] },
    ]);
    let (code, refusal) = api.call("PUT", &format!("sheets/{id}/rows"), body.clone()).await;
    assert_eq!((code, refusal["errorCode"].as_i64()), (400, Some(1042)));
    assert_eq!(refusal["detail"]["index"], 1);
    assert_eq!(api.get(&format!("sheets/{id}/version")).await["version"], 1, "nothing was written");
    let (code, partial) = api.call("PUT", &format!("sheets/{id}/rows?allowPartialSuccess=true"), body).await;
    assert_eq!((code, partial["resultCode"].as_i64(), partial["version"].as_i64()), (200, Some(3), Some(2)));
    assert_eq!(partial["failedItems"][0]["rowId"], rows[1]);
    assert_eq!(api.get(&format!("sheets/{id}?ifVersionAfter=2")).await, json!({ "version": 2 }));
}

#[tokio::test]
async fn strict_rules_and_locations_are_those_of_the_documentation() {
    let api = Api::start(Options::default()).await;
    let (id, sheet) = api.plan().await;
    let path = format!("sheets/{id}/rows");
    let row = sheet["rows"][1]["id"].as_i64().unwrap();
    let cases = [
        (json!({ "toBottom": true, "cells": [{ "columnId": column(&sheet, "Start"), "value": "7.12.2026" }] }), 1042),
        (json!({ "toBottom": true, "cells": [{ "columnId": column(&sheet, "Assigned To"), "value": "Omar" }] }), 1042),
        (json!({ "toBottom": true, "cells": [{ "columnId": 5, "value": "x" }] }), 1036),
        (json!({ "toBottom": true, "cells": [{ "columnId": column(&sheet, "Notes"), "value": "x", "formula": "=1" }] }), 1163),
        (json!({ "parentId": row, "siblingId": row, "cells": [{ "columnId": column(&sheet, "Notes"), "value": "x" }] }), 1062),
        (json!({ "toBottom": true, "cells": [{ "columnId": column(&sheet, "Notes"), "value": 1e17 }] }), 1148),
        (json!({ "id": 4, "cells": [] }), 1032),
    ];
    for (body, code) in cases {
        let (_, refusal) = api.call("POST", &path, json!([body])).await;
        assert_eq!(refusal["errorCode"].as_i64(), Some(code), "{body}");
    }
    let name = column(&sheet, "Task Name");
    let two = json!([{ "parentId": row, "cells": [{ "columnId": name, "value": "one" }] }, { "parentId": row, "cells": [{ "columnId": name, "value": "two" }] }]);
    let (_, added) = api.call("POST", &path, two).await;
    assert_eq!(added["result"][1]["siblingId"], added["result"][0]["id"], "rows of one request stand in its order");
    assert!(added["result"][0]["id"].as_i64().unwrap() > 1 << 50);
    let (code, gone) = api.call("GET", "sheets/12", Value::Null).await;
    assert_eq!((code, gone["errorCode"].as_i64()), (404, Some(1006)));
}

#[tokio::test]
async fn writes_at_the_same_time_collide_and_too_many_requests_are_refused() {
    let api = Api::start(Options { write_latency: Duration::from_millis(100), requests_per_minute: 12, ..Options::default() }).await;
    let (id, sheet) = api.plan().await;
    let row = sheet["rows"][0]["id"].as_i64().unwrap();
    let body = json!([{ "id": row, "cells": [{ "columnId": column(&sheet, "Notes"), "value": "x" }] }]);
    let path = format!("sheets/{id}/rows");
    let (a, b) = tokio::join!(api.call("PUT", &path, body.clone()), api.call("PUT", &path, body));
    let mut codes = [a.0, b.0];
    codes.sort_unstable();
    assert_eq!(codes, [200, 500]);
    let collision = if a.0 == 500 { a.1 } else { b.1 };
    assert_eq!(collision["errorCode"], 4004);
    for _ in 0..9 {
        api.get("users/me").await;
    }
    let (code, refusal) = api.call("GET", "users/me", Value::Null).await;
    assert_eq!((code, refusal["errorCode"].as_i64()), (429, Some(4003)));
}

#[tokio::test]
async fn a_webhook_is_challenged_and_called_back_signed() {
    use axum::routing::post;
    let api = Api::start(Options { webhook_debounce: Duration::from_millis(50), ..Options::default() }).await;
    let (id, sheet) = api.plan().await;
    let (calls, mut called) = tokio::sync::mpsc::unbounded_channel::<(Option<String>, Value)>();
    let receive = move |headers: HeaderMap, axum::Json(body): axum::Json<Value>| {
        let calls = calls.clone();
        async move {
            let signature = headers.get("Smartsheet-Hmac-SHA256").and_then(|v| v.to_str().ok()).map(str::to_owned);
            calls.send((signature, body.clone())).unwrap();
            axum::Json(json!({ "smartsheetHookResponse": body["challenge"] }))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/hook", post(receive))).await });
    let body = json!({ "name": "w", "callbackUrl": url, "scope": "sheet", "scopeObjectId": id, "events": ["*.*"], "version": 1 });
    let (_, made) = api.call("POST", "webhooks", body).await;
    assert_eq!(made["result"]["status"], "NEW_NOT_VERIFIED");
    let (_, enabled) = api.call("PUT", &format!("webhooks/{}", made["result"]["id"]), json!({ "enabled": true })).await;
    assert_eq!(enabled["result"]["status"], "ENABLED");
    assert!(called.recv().await.unwrap().1["challenge"].is_string());
    let row = sheet["rows"][0]["id"].as_i64().unwrap();
    api.call("PUT", &format!("sheets/{id}/rows"), json!([{ "id": row, "cells": [{ "columnId": column(&sheet, "Notes"), "value": "x" }] }]))
        .await;
    let (signature, event) = called.recv().await.unwrap();
    assert_eq!(signature.unwrap().len(), 64);
    assert_eq!((event["scopeObjectId"].as_i64(), event["events"][0]["objectType"].as_str()), (Some(id), Some("row")));
}

#[tokio::test]
async fn callbacks_come_again_until_they_are_taken_and_end_a_webhook_that_does_not() {
    let api = Api::start(Options { webhook_debounce: Duration::from_millis(10), ..Options::default() }).await;
    let answers = Arc::new(Mutex::new(VecDeque::from([500, 500, 200, 204])));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let receive = move |headers: HeaderMap, body: String| {
        let challenge = headers.get("smartsheet-hook-challenge").cloned();
        let status = if challenge.is_some() { 200 } else { answers.lock().unwrap().pop_front().unwrap_or(200) };
        if challenge.is_none() {
            tell.send((status, body)).unwrap();
        }
        let echo = challenge.map(|word| [("smartsheet-hook-response", word)]);
        async move {
            (
                StatusCode::from_u16(status).unwrap(),
                echo.map_or_else(HeaderMap::new, |[(name, word)]| HeaderMap::from_iter([(HeaderName::from_static(name), word)])),
            )
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(receive)).await.unwrap() });
    let (sheet, _) = api.plan().await;
    let wanted = json!({ "name": "w", "callbackUrl": url, "scope": "sheet", "scopeObjectId": sheet, "events": ["*.*"], "version": 1 });
    let id = api.call("POST", "webhooks", wanted).await.1["result"]["id"].as_i64().unwrap();
    assert_eq!(api.call("PUT", &format!("webhooks/{id}"), json!({ "enabled": true })).await.1["result"]["status"], "ENABLED");
    api.sheets.edit("Project Plan", "Load test", "Status", json!("Blocked"));
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(told.recv().await.unwrap());
    }
    assert_eq!(calls.iter().map(|(status, _)| *status).collect::<Vec<u16>>(), [500, 500, 200]);
    assert!(calls.iter().all(|(_, body)| *body == calls[0].1), "the same callback, sent again");
    assert_eq!(api.sheets.world().webhooks_of("Project Plan"), ["ENABLED"]);
    api.sheets.edit("Project Plan", "Load test", "Status", json!("Complete"));
    api.sheets.until(|w| w.webhooks_of("Project Plan") == ["DISABLED_CALLBACK_FAILED"]).await.unwrap();
    assert_eq!(told.recv().await.unwrap().0, 204, "any answer but 200 ends it at once");
}

/// What clients run into that know the common case only: blank parents, locks, days as people write them, ids as texts, and errors that are
/// JSON whatever is wrong.
#[tokio::test]
async fn the_rare_case_is_as_documented_too() {
    let api = Api::start(Options::default()).await;
    let (id, sheet) = api.plan().await;
    let (name, due, status) = (column(&sheet, "Task Name"), column(&sheet, "Due Date"), column(&sheet, "Status"));
    let path = format!("sheets/{id}/rows");
    let (code, blank) = api.call("POST", &path, json!({ "toBottom": true, "cells": [] })).await;
    let blank = blank["result"]["id"].as_i64().unwrap();
    assert_eq!(code, 200);
    let child = json!({ "parentId": blank, "toBottom": true, "cells": [{ "columnId": name, "value": "Child" }] });
    let (code, refusal) = api.call("POST", &path, child).await;
    assert_eq!((code, refusal["errorCode"].as_i64()), (400, Some(1185)));

    let row = sheet["rows"][1]["id"].as_i64().unwrap();
    let (code, _) = api
        .call(
            "PUT",
            &path,
            json!({ "id": row.to_string(), "locked": true, "cells": [{ "columnId": status.to_string(), "value": "Blocked" }] }),
        )
        .await;
    assert_eq!(code, 200, "ids may be texts");
    let now = api.get(&format!("{path}/{row}")).await;
    assert_eq!((&now["locked"], &now["lockedForUser"]), (&json!(true), &json!(false)), "an owner may go on writing");
    let typed = json!({ "id": row, "cells": [{ "columnId": due, "value": "12/25/2026", "strict": false }] });
    assert_eq!(api.call("PUT", &path, typed.clone()).await.0, 200);
    let cell = |row: &Value| row["cells"].as_array().unwrap().iter().find(|c| c["columnId"] == due).unwrap()["value"].clone();
    assert_eq!(cell(&api.get(&format!("{path}/{row}")).await), "2026-12-25");
    let mut strict = typed;
    strict["cells"][0].as_object_mut().unwrap().remove("strict");
    assert_eq!(api.call("PUT", &path, strict).await.1["errorCode"], 1042, "strictness is the usual case");

    let second = sheet["rows"][2]["id"].as_i64().unwrap();
    api.call("PUT", &path, json!({ "id": second, "indent": 1 })).await;
    assert_eq!(api.get(&format!("{path}/{second}")).await["parentId"], row);
    api.call("PUT", &path, json!({ "id": second, "outdent": 1 })).await;
    assert_eq!(api.get(&format!("{path}/{second}")).await["parentId"], now["parentId"]);

    let (code, refusal) = api.call("PATCH", &format!("sheets/{id}"), json!({})).await;
    assert_eq!((code, refusal["errorCode"].as_i64()), (405, Some(1010)));
    let send = |kind: &'static str, body: &'static str| {
        api.http.post(format!("{}/sheets/{id}/columns", api.sheets.base_url())).bearer_auth(TOKEN).header("content-type", kind).body(body)
    };
    for (kind, body, right) in [("text/plain", "x", (415, 1124)), ("application/json", "{", (400, 1008))] {
        let answer = send(kind, body).send().await.unwrap();
        let (code, refusal): (u16, Value) = (answer.status().as_u16(), answer.json().await.unwrap());
        assert_eq!((code, refusal["errorCode"].as_i64()), (right.0, Some(right.1)), "{kind}");
    }
}

#[tokio::test]
async fn cells_follow_their_links_and_rows_keep_how_they_look() {
    let api = Api::start(Options::default()).await;
    let (plan, sheet) = api.plan().await;
    let budget = api.sheets.world().sheet_id("Budget 2026").unwrap();
    let source = api.get(&format!("sheets/{budget}?exclude=nonexistentCells")).await;
    let (from, to) = (&source["rows"][1], &sheet["rows"][1]["id"]);
    let (actual, notes, name) = (column(&source, "Actual"), column(&sheet, "Notes"), column(&sheet, "Task Name"));
    let link = json!({ "sheetId": budget, "rowId": from["id"], "columnId": actual });
    let linked = json!({ "columnId": notes, "value": null, "linkInFromCell": link });
    let path = format!("sheets/{plan}/rows");

    let mixed = json!([{ "id": to, "cells": [linked.clone(), { "columnId": name, "value": "Renamed" }] }]);
    assert_eq!(api.call("PUT", &path, mixed).await.1["errorCode"], 1115, "links and values go apart");
    let made = api.call("POST", &path, json!([{ "toBottom": true, "cells": [linked.clone()] }])).await.1;
    assert_eq!(made["errorCode"], 1032, "a new row takes no link");
    let (code, _) = api.call("PUT", &path, json!([{ "id": to, "cells": [linked] }])).await;
    assert_eq!(code, 200);
    let cell = async |more: &str| {
        let row = api.get(&format!("{path}/{to}{more}")).await;
        row["cells"].as_array().unwrap().iter().find(|c| c["columnId"] == notes).unwrap().clone()
    };
    let value =
        |row: &Value, column: i64| row["cells"].as_array().unwrap().iter().find(|c| c["columnId"] == column).unwrap()["value"].clone();
    let shown = cell("").await;
    assert_eq!(shown["value"], value(from, actual));
    assert_eq!(shown["linkInFromCell"]["columnId"], actual);
    let brief = cell("?exclude=linkInFromCellDetails").await;
    assert_eq!(brief["linkInFromCell"], json!({ "sheetId": budget, "sheetName": "Budget 2026" }));

    let nowhere = json!({ "columnId": notes, "value": null, "linkInFromCell": { "sheetId": budget, "rowId": 1, "columnId": actual } });
    assert_eq!(api.call("PUT", &path, json!([{ "id": to, "cells": [nowhere] }])).await.1["errorCode"], 1006);
    // What is refused as a whole leaves the link.
    let failing = json!([{ "id": to, "cells": [{ "columnId": notes, "value": "typed" }] }, { "id": 1, "cells": [] }]);
    assert_eq!(api.call("PUT", &path, failing).await.0, 404);
    let version = || api.sheets.world().version("Project Plan");
    let before = version();
    let change = json!([{ "id": from["id"], "cells": [{ "columnId": actual, "value": 123.5 }] }]);
    api.call("PUT", &format!("sheets/{budget}/rows"), change).await;
    assert_eq!((cell("").await["value"].clone(), version() > before), (json!(123.5), true), "it follows its source");
    api.call("DELETE", &format!("sheets/{budget}/rows?ids={}", from["id"]), Value::Null).await;
    let broken = cell("").await;
    assert_eq!((&broken["value"], &broken["linkInFromCell"]["status"]), (&json!(123.5), &json!("BROKEN")));
    api.call("PUT", &path, json!([{ "id": to, "cells": [{ "columnId": notes, "value": "typed" }] }])).await;
    assert_eq!(cell("").await, json!({ "columnId": notes, "value": "typed", "displayValue": "typed" }), "a value ends a link");

    let looks = json!([{ "id": to, "expanded": false, "format": ",,1,,,,,,,18,,,,,,,",
        "cells": [{ "columnId": notes, "value": "bold", "format": ",,1,,,,,,,,,,,,,," }] }]);
    api.call("PUT", &path, looks).await;
    api.call("PUT", &path, json!([{ "id": to, "cells": [{ "columnId": notes, "value": "still bold" }] }])).await;
    let row = api.get(&format!("{path}/{to}?include=format,filters")).await;
    assert_eq!((&row["expanded"], &row["format"]), (&json!(false), &json!(",,1,,,,,,,18,,,,,,,")));
    assert_eq!(cell("?include=format").await["format"], ",,1,,,,,,,,,,,,,,", "a format outlives the value");
    assert_eq!(row["filteredOut"], false);
    let plain = cell("").await;
    assert!(plain["format"].is_null(), "only whoever asks is told: {plain}");
    api.sheets.world().filter_out("Project Plan", "Load test");
    let hidden = async |more: &str| {
        let sheet = api.get(&format!("sheets/{plan}{more}")).await;
        (sheet["rows"].as_array().unwrap().len(), sheet["rows"].as_array().unwrap().iter().filter(|r| r["filteredOut"] == true).count())
    };
    assert_eq!(hidden("?include=filters").await, (42, 1));
    assert_eq!(hidden("").await, (42, 0));
    assert_eq!(hidden("?include=filters&exclude=filteredOutRows").await, (41, 0));
}
