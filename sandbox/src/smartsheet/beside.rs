//! What the service has beside sheets, as far as clients ask for it: reports, dashboards, favourites, requests for updates, and what
//! the server says of itself.

use super::Service;
use super::error::Failure;
use super::samples::PEOPLE;
use super::sheets::paged;
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

/// A listing of a kind of thing of which there is none: reports, dashboards, favourites.
pub(super) async fn none(Query(params): Params) -> Json<Value> {
    Json(paged(Vec::new(), &params))
}

/// The fields of a sheet's summary, of which no sample has any.
pub(super) async fn summary_fields(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params) -> Reply {
    service.world().sheet(sheet)?;
    Ok(Json(paged(Vec::new(), &params)))
}

/// What the server says of itself.
pub(super) async fn server() -> Json<Value> {
    Json(json!({
        "featureInfo": { "symbolsVersion": 2 },
        "supportedLocales": ["en_US", "de_DE", "es_ES", "fr_FR", "ja_JP", "pt_BR"],
        "formats": {
            "bold": ["none", "on"], "italic": ["none", "on"], "underline": ["none", "on"], "strikethrough": ["none", "on"],
            "horizontalAlign": ["none", "left", "center", "right"], "verticalAlign": ["default", "top", "middle", "bottom"],
            "thousandsSeparator": ["none", "on"], "numberFormat": ["none", "NUMBER", "CURRENCY", "PERCENT"], "textWrap": ["none", "on"],
        },
    }))
}

/// Asks people by e-mail to fill in rows: kept, and sent to nobody.
pub(super) async fn ask_for_update(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Json(body): Json<Value>) -> Reply {
    let mut world = service.world();
    let known = world.sheet(sheet)?;
    let rows: Vec<i64> = body["rowIds"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    if rows.is_empty() || body["sendTo"].as_array().is_none_or(Vec::is_empty) {
        return Err(Failure::new(1012, "Required object attribute(s) are missing from your request: rowIds, sendTo."));
    }
    if rows.iter().any(|row| known.position(*row).is_none()) {
        return Err(Failure::not_found());
    }
    let (id, now) = (world.new_id(), world.timestamp());
    let mut request = body;
    for (key, value) in [
        ("id", json!(id)),
        ("sentBy", json!({ "name": PEOPLE[3].0, "email": PEOPLE[3].1 })),
        ("createdAt", json!(now)),
        ("modifiedAt", json!(now)),
    ] {
        request[key] = value;
    }
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": request })))
}

/// What a cell was before, newest first; who, when, and the value.
pub(super) async fn history(
    State(service): State<Arc<Service>>,
    Path((sheet, row, column)): Path<(i64, i64, i64)>,
    Query(params): Params,
) -> Reply {
    let world = service.world();
    let known = world.sheet(sheet)?;
    let found = known.position(row).and_then(|at| known.rows.get(at)).ok_or_else(Failure::not_found)?;
    known.column(column).ok_or_else(Failure::not_found)?;
    let entry = |at: &str, cell: &serde_json::Map<String, Value>| {
        let mut json = json!({ "columnId": column, "modifiedAt": at, "modifiedBy": { "name": PEOPLE[3].0, "email": PEOPLE[3].1 } });
        for key in ["value", "displayValue", "formula"] {
            if let Some(value) = cell.get(key) {
                json[key] = value.clone();
            }
        }
        json
    };
    let data: Vec<Value> = match world.history.get(&(row, column)) {
        Some(entries) => entries.iter().rev().map(|(at, cell)| entry(at, cell)).collect(),
        None => found.cells.get(&column).map(|cell| entry(&found.created_at, cell)).into_iter().collect(),
    };
    Ok(Json(paged(data, &params)))
}
