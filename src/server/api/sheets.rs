//! `/api/smartsheet/{sheetId}`: what a sheet is called and made of.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::Parameters;
use super::problem::{Problem, Result};
use crate::sheet::Snapshot;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A sheet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sheet {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Grows with every change; also in the `ETag`.
    pub version: i64,
    /// What the account of the bot may do: `VIEWER` to `OWNER`.
    pub access_level: String,
    /// Where people open it.
    pub permalink: String,
    /// How many rows it has.
    pub total_row_count: usize,
    /// How many columns it has.
    pub column_count: usize,
}

/// Reads what a sheet is called and made of.
#[utoipa::path(get, path = "/api/smartsheet/{sheetId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The sheet", pattern = "^[0-9]+$")), responses((status = 200, body = Sheet), (status = 304, description = "It is as the ETag in If-None-Match says."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(sheet): Parameters<String>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.needs(Scope::Read)?;
    let snapshot = api.sheet(&sheet).await?;
    Ok(unless_known(&headers, &snapshot, None, |s| Sheet {
        id: s.id.to_string(),
        name: s.name.clone(),
        version: s.version,
        access_level: s.access_level.clone(),
        permalink: s.permalink.clone(),
        total_row_count: s.rows.len(),
        column_count: s.columns.len(),
    }))
}

/// What a version of a sheet says, or 304 when the caller knows that version; on that day, where the answer depends on it.
pub(super) fn unless_known<T: Serialize>(
    headers: &HeaderMap,
    snapshot: &Snapshot,
    day: Option<Date>,
    answer: impl FnOnce(&Snapshot) -> T,
) -> Response {
    let day = day.map(|day| format!("-{day}")).unwrap_or_default();
    let tag = format!("W/\"{}{day}\"", snapshot.version);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if known.split(',').any(|k| k.trim() == tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, Json(answer(snapshot))).into_response()
}
