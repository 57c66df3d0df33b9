//! Columns: add, change, delete, with the rules about types, titles and the primary column.

use super::Service;
use super::accounts::level;
use super::error::Failure;
use super::formulas::recompute;
use super::sheets::column_at_level;
use super::world::{Column, Look, Sheet, World};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

const TYPES: [&str; 8] =
    ["TEXT_NUMBER", "DATE", "DATETIME", "CONTACT_LIST", "MULTI_CONTACT_LIST", "PICKLIST", "MULTI_PICKLIST", "CHECKBOX"];
const EXTRA: [&str; 11] = [
    "validation",
    "formula",
    "description",
    "width",
    "locked",
    "hidden",
    "symbol",
    "systemColumnType",
    "autoNumberFormat",
    "contactOptions",
    "format",
];

pub(super) async fn list(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params) -> Reply {
    let world = service.world();
    let sheet = world.sheet(sheet)?;
    let level = params.get("level").and_then(|level| level.parse().ok()).unwrap_or(0);
    let data: Vec<Value> = sheet.columns.iter().map(|c| column_at_level(sheet.column_json(c), level)).collect();
    Ok(Json(json!({ "pageNumber": 1, "pageSize": 100, "totalPages": 1, "totalCount": data.len(), "data": data })))
}

pub(super) async fn read(State(service): State<Arc<Service>>, Path((sheet, column)): Path<(i64, i64)>) -> Reply {
    let world = service.world();
    let sheet = world.sheet(sheet)?;
    let column = sheet.column(column).ok_or_else(Failure::not_found)?;
    Ok(Json(sheet.column_json(column)))
}

pub(super) async fn add(State(service): State<Arc<Service>>, Path(sheet_id): Path<i64>, Json(body): Json<Value>) -> Reply {
    let single = body.is_object();
    let items = if single { vec![body] } else { body.as_array().cloned().unwrap_or_default() };
    service
        .write(sheet_id, |world| {
            shapeable(world, sheet_id)?;
            let mut made = Vec::new();
            for (n, item) in items.iter().enumerate() {
                let id = world.new_id();
                let sheet = world.sheet_mut(sheet_id)?;
                let fields = item.as_object().ok_or_else(|| Failure::new(1008, "Unable to parse request."))?;
                let index = fields
                    .get("index")
                    .and_then(Value::as_u64)
                    .ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: column.index."))?;
                let column = new_column(sheet, id, fields)?;
                let at = (usize::try_from(index).unwrap_or(usize::MAX)).saturating_add(n).min(sheet.columns.len());
                sheet.columns.insert(at, column);
                made.push(id);
            }
            if made.is_empty() {
                return Err(Failure::new(1024, "A body is required for this request."));
            }
            recompute(world.sheet_mut(sheet_id)?);
            let version = world.touched(sheet_id, json!({ "objectType": "column", "eventType": "created", "id": made[0] }));
            let sheet = world.sheet(sheet_id)?;
            let columns: Vec<Value> = made.iter().filter_map(|id| sheet.column(*id)).map(|c| sheet.column_json(c)).collect();
            let result = if single { columns.into_iter().next().unwrap_or(Value::Null) } else { Value::Array(columns) };
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

pub(super) async fn update(State(service): State<Arc<Service>>, Path((sheet_id, id)): Path<(i64, i64)>, Json(body): Json<Value>) -> Reply {
    service
        .write(sheet_id, |world| {
            shapeable(world, sheet_id)?;
            let fields = body.as_object().ok_or_else(|| Failure::new(1008, "Unable to parse request."))?;
            let sheet = world.sheet_mut(sheet_id)?;
            let position = sheet.columns.iter().position(|c| c.id == id).ok_or_else(Failure::not_found)?;
            let mut column = sheet.columns[position].clone();
            if let Some(title) = fields.get("title").and_then(Value::as_str) {
                unique_title(sheet, title, Some(id))?;
                column.title = title.to_owned();
            }
            let kind = fields.get("type").and_then(Value::as_str);
            if kind.is_none() && (fields.contains_key("options") || fields.contains_key("symbol")) {
                return Err(Failure::new(1090, "Column.type is required when changing symbol, systemColumnType or options."));
            }
            if let Some(kind) = kind.filter(|k| *k != column.kind) {
                if column.primary {
                    return Err(Failure::new(1057, "The primary column type must be TEXT_NUMBER."));
                }
                known_type(kind)?;
                column.kind = kind.to_owned();
                column.options.clear();
                for gone in ["validation", "symbol", "contactOptions"] {
                    column.extra.remove(gone);
                }
            }
            if fields.contains_key("options") {
                column.options = options(fields);
            }
            keep_extra(&mut column, fields);
            sheet.columns[position] = column;
            if let Some(index) = fields.get("index").and_then(Value::as_u64) {
                let column = sheet.columns.remove(position);
                let at = usize::try_from(index).unwrap_or(usize::MAX).min(sheet.columns.len());
                sheet.columns.insert(at, column);
            }
            let version = world.touched(sheet_id, json!({ "objectType": "column", "eventType": "updated", "id": id }));
            let sheet = world.sheet(sheet_id)?;
            let result = sheet.column(id).map(|c| sheet.column_json(c));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path((sheet_id, id)): Path<(i64, i64)>) -> Reply {
    service
        .write(sheet_id, |world| {
            shapeable(world, sheet_id)?;
            let sheet = world.sheet_mut(sheet_id)?;
            let column = sheet.column(id).ok_or_else(Failure::not_found)?;
            if column.primary {
                return Err(Failure::new(1065, "The primary column cannot be deleted."));
            }
            sheet.columns.retain(|c| c.id != id);
            for row in &mut sheet.rows {
                row.cells.remove(&id);
            }
            world.touched(sheet_id, json!({ "objectType": "column", "eventType": "deleted", "id": id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0 })))
        })
        .await
}

/// The structure of a sheet is changed by its owner and admins only.
fn shapeable(world: &World, sheet_id: i64) -> Result<(), Failure> {
    let sheet = world.sheet(sheet_id)?;
    match level(&sheet.name, sheet.access_level) {
        Some("OWNER" | "ADMIN") => Ok(()),
        _ => Err(Failure::new(1004, "You are not authorized to perform this action.")),
    }
}

pub(super) fn new_column(sheet: &Sheet, id: i64, fields: &Map<String, Value>) -> Result<Column, Failure> {
    if fields.get("validation") == Some(&json!(true)) && fields.get("type").and_then(Value::as_str) == Some("PICKLIST") {
        return Err(Failure::new(
            1031,
            "The attribute column.validation is invalid: set the type first, and the validation in a second request.",
        ));
    }
    let title = fields.get("title").and_then(Value::as_str).filter(|t| !t.is_empty() && t.chars().count() <= 50);
    let title = title.ok_or_else(|| Failure::new(1041, "The title is missing or too long."))?;
    unique_title(sheet, title, None)?;
    let kind = fields
        .get("type")
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: column.type."))?;
    known_type(kind)?;
    let primary = fields.get("primary") == Some(&json!(true));
    if primary && (kind != "TEXT_NUMBER" || sheet.columns.iter().any(|c| c.primary)) {
        return Err(Failure::new(1055, "A sheet has exactly one primary column, of type TEXT_NUMBER."));
    }
    if sheet.columns.len() >= 400 {
        return Err(Failure::new(1061, "The maximum number of columns has been exceeded."));
    }
    let mut column =
        Column { id, title: title.into(), kind: kind.into(), primary, options: options(fields), look: Look::default(), extra: Map::new() };
    keep_extra(&mut column, fields);
    Ok(column)
}

fn options(fields: &Map<String, Value>) -> Vec<String> {
    let list = fields.get("options").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|o| o.as_str().map(str::to_owned)).collect()
}

fn keep_extra(column: &mut Column, fields: &Map<String, Value>) {
    for key in EXTRA {
        if let Some(value) = fields.get(key) {
            column.extra.insert(key.into(), value.clone());
        }
    }
}

fn unique_title(sheet: &Sheet, title: &str, except: Option<i64>) -> Result<(), Failure> {
    if sheet.columns.iter().any(|c| c.title == title && Some(c.id) != except) {
        return Err(Failure::new(1056, "Column titles must be unique."));
    }
    Ok(())
}

fn known_type(kind: &str) -> Result<(), Failure> {
    match kind {
        "DURATION" | "PREDECESSOR" | "ABSTRACT_DATETIME" => {
            Err(Failure::new(1142, format!("Column type {kind} is reserved for project sheets.")))
        }
        k if TYPES.contains(&k) => Ok(()),
        _ => Err(Failure::new(1008, format!("Unable to parse request. The following error occurred: Unknown column type {kind}."))),
    }
}
