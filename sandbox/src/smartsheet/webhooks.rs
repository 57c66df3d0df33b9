//! Webhooks: created disabled, enabled by a real challenge, called back with skinny signed events.

use super::error::Failure;
use super::{Service, Smartsheet};
use axum::Json;
use axum::extract::{Path, State};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

type Reply = Result<Json<Value>, Failure>;

/// What is on its way to webhooks, and what was.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// A callback round is already on its way.
    pending: AtomicBool,
    /// Callbacks so far.
    calls: AtomicUsize,
    /// Challenges so far.
    challenges: AtomicUsize,
}

/// After so many callbacks the address has to prove itself again.
const CHALLENGED_EVERY: usize = 100;
/// A callback that is not taken is tried so often: seven times with waits that double, then every three hours.
const TRIES: u32 = 14;
/// The first wait; hours of Smartsheet are seconds here.
const FIRST_WAIT: Duration = Duration::from_millis(20);

impl Smartsheet {
    /// How many callbacks webhooks have taken, and how often they were challenged.
    pub fn callbacks(&self) -> (usize, usize) {
        let queue = &self.service.webhooks;
        (queue.calls.load(Ordering::Acquire), queue.challenges.load(Ordering::Acquire))
    }
}

pub(super) async fn list(State(service): State<Arc<Service>>) -> Json<Value> {
    let data: Vec<Value> = service.world().webhooks.values().rev().cloned().collect();
    Json(json!({ "pageNumber": 1, "totalPages": -1, "totalCount": -1, "data": data }))
}

pub(super) async fn create(State(service): State<Arc<Service>>, Json(body): Json<Value>) -> Reply {
    let mut world = service.world();
    for key in ["name", "callbackUrl", "scope", "scopeObjectId", "events", "version"] {
        if body.get(key).is_none() {
            return Err(Failure::new(1012, format!("Required object attribute(s) are missing from your request: webhook.{key}.")));
        }
    }
    world.sheet(body["scopeObjectId"].as_i64().unwrap_or(0))?;
    if body["events"] != json!(["*.*"]) {
        return Err(Failure::new(1008, "Unable to parse request. The following error occurred: events must be [\"*.*\"]."));
    }
    let url = body["callbackUrl"].as_str().and_then(|u| url::Url::parse(u).ok());
    let local = url.as_ref().and_then(|u| u.host_str()).is_some_and(|h| h == "127.0.0.1" || h == "localhost");
    if !url.is_some_and(|u| u.scheme() == "https" || local) {
        return Err(Failure::new(1008, "The callbackUrl must be an https URL."));
    }
    let (id, now) = (world.new_id(), world.timestamp());
    let mut webhook = body;
    for (key, value) in [
        ("id", json!(id)),
        ("sharedSecret", json!(format!("sandbox-secret-{id}"))),
        ("enabled", json!(false)),
        ("status", json!("NEW_NOT_VERIFIED")),
        ("createdAt", json!(now)),
        ("modifiedAt", json!(now)),
    ] {
        webhook[key] = value;
    }
    world.webhooks.insert(id, webhook.clone());
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": webhook })))
}

pub(super) async fn read(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Reply {
    service.world().webhooks.get(&id).cloned().map(Json).ok_or_else(Failure::not_found)
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Reply {
    service.world().webhooks.remove(&id).ok_or_else(Failure::not_found)?;
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0 })))
}

pub(super) async fn reset_secret(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Reply {
    let mut world = service.world();
    let fresh = format!("sandbox-secret-{id}-{}", world.timestamp());
    let webhook = world.webhooks.get_mut(&id).ok_or_else(Failure::not_found)?;
    webhook["sharedSecret"] = json!(fresh);
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": { "sharedSecret": fresh } })))
}

pub(super) async fn update(State(service): State<Arc<Service>>, Path(id): Path<i64>, Json(body): Json<Value>) -> Reply {
    let current = service.world().webhooks.get(&id).cloned().ok_or_else(Failure::not_found)?;
    let enable = body["enabled"].as_bool();
    let status = match enable {
        Some(true) if challenge(&service, &current).await => "ENABLED",
        Some(true) => "DISABLED_VERIFICATION_FAILED",
        Some(false) => "DISABLED_BY_OWNER",
        None => current["status"].as_str().unwrap_or("NEW_NOT_VERIFIED"),
    }
    .to_owned();
    let mut world = service.world();
    let webhook = world.webhooks.get_mut(&id).ok_or_else(Failure::not_found)?;
    for key in ["name", "callbackUrl", "events"] {
        if let Some(value) = body.get(key) {
            webhook[key] = value.clone();
        }
    }
    webhook["enabled"] = json!(status == "ENABLED");
    webhook["status"] = json!(status);
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": webhook })))
}

#[expect(clippy::disallowed_methods, reason = "the stand-in's own way of calling back")]
fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder().timeout(Duration::from_secs(5)).redirect(reqwest::redirect::Policy::none()).build()
}

async fn challenge(service: &Service, webhook: &Value) -> bool {
    service.webhooks.challenges.fetch_add(1, Ordering::AcqRel);
    let word = format!("challenge-{}", webhook["id"]);
    let Ok(client) = client() else { return false };
    let url = webhook["callbackUrl"].as_str().unwrap_or_default();
    let body = json!({ "challenge": word, "webhookId": webhook["id"] });
    let sent = client.post(url).header("Smartsheet-Hook-Challenge", &word).json(&body).send().await;
    let Ok(response) = sent.and_then(reqwest::Response::error_for_status) else { return false };
    let header = response.headers().get("Smartsheet-Hook-Response").and_then(|v| v.to_str().ok()) == Some(word.as_str());
    header || response.json::<Value>().await.is_ok_and(|b| b["smartsheetHookResponse"] == json!(word))
}

/// Collects changes for the debounce time, then calls the webhooks of the changed sheets.
pub(super) fn notify(service: &Arc<Service>) {
    if service.world().webhooks.is_empty() || service.webhooks.pending.swap(true, Ordering::AcqRel) {
        return;
    }
    let service = service.clone();
    tokio::spawn(async move {
        tokio::time::sleep(service.options.webhook_debounce).await;
        service.webhooks.pending.store(false, Ordering::Release);
        let (changes, webhooks) = {
            let mut world = service.world();
            (std::mem::take(&mut world.changes), world.webhooks.values().cloned().collect::<Vec<_>>())
        };
        for webhook in webhooks.iter().filter(|w| w["enabled"] == json!(true)) {
            let of_sheet = changes.iter().filter(|c| c["sheetId"] == webhook["scopeObjectId"]);
            let events: Vec<Value> = of_sheet.map(|c| c["event"].clone()).collect();
            if !events.is_empty() {
                call_back(&service, webhook, json!({ "events": events })).await;
            }
        }
    });
}

/// Gives the webhooks of a sheet another state, and tells their owners.
pub(super) async fn switch(service: &Service, sheet: &str, status: &str) {
    let of_sheet: Vec<Value> = {
        let mut world = service.world();
        let id = world.sheet_id(sheet);
        let of_sheet = world.webhooks.values_mut().filter(|w| w["scopeObjectId"].as_i64() == id);
        of_sheet
            .map(|w| {
                w["enabled"] = json!(status == "ENABLED");
                w["status"] = json!(status);
                w.clone()
            })
            .collect()
    };
    for webhook in of_sheet {
        call_back(service, &webhook, json!({ "newWebhookStatus": status })).await;
    }
}

async fn call_back(service: &Service, webhook: &Value, what: Value) {
    let now = service.world().timestamp();
    let mut body = json!({
        "nonce": format!("nonce-{now}"), "timestamp": now.replace('Z', ".000+0000"), "webhookId": webhook["id"],
        "scope": "sheet", "scopeObjectId": webhook["scopeObjectId"],
    });
    if let (Some(body), Value::Object(what)) = (body.as_object_mut(), what) {
        body.extend(what);
    }
    let body = body.to_string();
    let secret = webhook["sharedSecret"].as_str().unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return };
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    if (service.webhooks.calls.load(Ordering::Acquire) + 1).is_multiple_of(CHALLENGED_EVERY) && !challenge(service, webhook).await {
        return disable(service, webhook, "DISABLED_VERIFICATION_FAILED");
    }
    let Ok(client) = client() else { return };
    for attempt in 0..TRIES {
        let request = client.post(webhook["callbackUrl"].as_str().unwrap_or_default());
        let request = request.header("Smartsheet-Hmac-SHA256", &signature).header("Content-Type", "application/json");
        match request.body(body.clone()).send().await.map(|r| r.status().as_u16()) {
            Ok(200) => {
                service.webhooks.calls.fetch_add(1, Ordering::AcqRel);
                service.happened.notify_waiters();
                return;
            }
            Ok(201..=399 | 410) => break,
            _ => tokio::time::sleep(FIRST_WAIT * (1 << attempt.min(6))).await,
        }
    }
    disable(service, webhook, "DISABLED_CALLBACK_FAILED");
}

fn disable(service: &Service, webhook: &Value, status: &str) {
    let id = webhook["id"].as_i64().unwrap_or(0);
    if let Some(stored) = service.world().webhooks.get_mut(&id) {
        stored["enabled"] = json!(false);
        stored["status"] = json!(status);
    }
    service.happened.notify_waiters();
}
