//! People, and who belongs to which server.

use super::api::call;
use super::{APPLICATION, BOT_ROLE, STRANGE_GUILD, STRANGERS, Service};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn me(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    call(&service, &headers, "me", &Value::Null, |_| {
        let mut me = super::user(APPLICATION);
        for (field, value) in [("mfa_enabled", json!(false)), ("verified", json!(true)), ("email", Value::Null), ("flags", json!(0))] {
            me[field] = value;
        }
        Json(me).into_response()
    })
    .await
}

pub(super) async fn user(State(service): State<Arc<Service>>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    call(&service, &headers, "user", &Value::Null, |_| Json(super::user(id)).into_response()).await
}

/// The roles of a server: that of everybody, and the one that it made for the bot.
pub(super) async fn roles(State(service): State<Arc<Service>>, Path(guild): Path<u64>, headers: HeaderMap) -> Response {
    call(&service, &headers, "roles", &Value::Null, |_| {
        let role = |id: u64, name: &str, tags: Value| {
            json!({ "id": id.to_string(), "name": name, "color": 0, "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null }, "hoist": false, "position": 0, "permissions": "0", "managed": !tags.is_null(),
                "mentionable": false, "tags": tags, "icon": null, "unicode_emoji": null, "flags": 0 })
        };
        let mut everybody = role(guild, "@everyone", Value::Null);
        everybody.as_object_mut().map(|role| role.remove("tags"));
        Json(json!([everybody, role(BOT_ROLE, "ChatSheet", json!({ "bot_id": APPLICATION.to_string() }))])).into_response()
    })
    .await
}

/// A member of a server.
pub(super) async fn member(State(service): State<Arc<Service>>, Path((guild, id)): Path<(u64, u64)>, headers: HeaderMap) -> Response {
    call(&service, &headers, "member", &Value::Null, |_| {
        if (id >= STRANGERS) != (guild == STRANGE_GUILD) {
            return (StatusCode::NOT_FOUND, Json(json!({ "message": "Unknown Member", "code": 10007 }))).into_response();
        }
        Json(json!({
            "user": super::user(id), "nick": null, "avatar": null, "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "premium_since": null,
            "deaf": false, "mute": false, "flags": 0, "pending": false,
        }))
        .into_response()
    })
    .await
}
