//! Rows: add, update, delete in bulk; location, hierarchy and partial success as documented.

use super::accounts::level;
use super::cells::{Details, accept, is_admin, row_json};
use super::error::Failure;
use super::formulas::recompute;
use super::project;
use super::samples::PEOPLE;
use super::world::{Row, Sheet, World};
use super::{Service, discussions, links};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

const LOCATION: [&str; 7] = ["toTop", "toBottom", "parentId", "siblingId", "above", "indent", "outdent"];
const KNOWN: [&str; 6] = ["id", "cells", "expanded", "locked", "format", "rowNumber"];

pub(super) async fn read(State(service): State<Arc<Service>>, Path((sheet, row)): Path<(i64, i64)>, Query(params): Params) -> Reply {
    let world = service.world();
    let sheet = world.sheet(sheet)?;
    let found = sheet.rows.iter().find(|r| r.id == row).ok_or_else(Failure::not_found)?;
    let include = params.get("include").map(String::as_str).unwrap_or_default();
    let mut json = row_json(sheet, found, &Details::of(&params), Some(row_link(&world, sheet, row)));
    if include.contains("writerInfo") {
        written_by(&mut json);
    }
    json["columns"] = sheet.columns.iter().map(|c| sheet.column_json(c)).collect();
    if include.contains("discussions") {
        json["discussions"] = discussions::list_json(&world, |d| d.row == Some(row));
    }
    Ok(Json(json))
}

/// Who made and changed a row, as `include=writerInfo` tells it.
pub(super) fn written_by(row: &mut Value) {
    for key in ["createdBy", "modifiedBy"] {
        row[key] = json!({ "name": PEOPLE[3].0, "email": PEOPLE[3].1 });
    }
}

pub(super) fn row_link(world: &World, sheet: &Sheet, row: i64) -> String {
    format!("{}?rowId={row}", sheet.permalink(&world.origin))
}

pub(super) async fn add(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params, body: Bytes) -> Reply {
    change(&service, sheet, &params, &body, add_one).await
}

pub(super) async fn update(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params, body: Bytes) -> Reply {
    change(&service, sheet, &params, &body, |world, sheet, item, _| update_one(world, sheet, item)).await
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path(sheet_id): Path<i64>, Query(params): Params) -> Reply {
    let ids =
        params.get("ids").filter(|i| !i.is_empty()).ok_or_else(|| Failure::new(1009, "Required query parameter(s) are missing: ids."))?;
    let ids: Vec<i64> = ids
        .split(',')
        .map(|i| i.trim().parse())
        .collect::<Result<_, _>>()
        .map_err(|_| Failure::new(1018, "The value for query parameter ids is invalid."))?;
    let ignore = params.get("ignoreRowsNotFound").is_some_and(|v| v == "true");
    service
        .write(sheet_id, |world| {
            let sheet = world.sheet_mut(sheet_id)?;
            let unknown = ids.iter().any(|id| sheet.position(*id).is_none());
            if unknown && !ignore {
                return Err(Failure::not_found());
            }
            let mut gone: BTreeSet<i64> = ids.iter().copied().filter(|id| sheet.position(*id).is_some()).collect();
            let admin = level(&sheet.name, sheet.access_level).is_some_and(is_admin);
            if sheet.rows.iter().any(|r| gone.contains(&r.id) && r.locked) && !admin {
                return Err(Failure::new(1092, "You cannot delete a locked row."));
            }
            for row in &sheet.rows {
                if row.parent.is_some_and(|p| gone.contains(&p)) {
                    gone.insert(row.id);
                }
            }
            let mut version = world.forget_rows(sheet_id, &gone)?;
            settle_version(world, sheet_id, &mut version, gone.len());
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": gone })))
        })
        .await
}

/// One request is one version, however many rows it touches.
fn settle_version(world: &mut World, sheet_id: i64, version: &mut i64, touched: usize) {
    let extra = i64::try_from(touched.saturating_sub(1)).unwrap_or(0);
    if let Ok(sheet) = world.sheet_mut(sheet_id) {
        sheet.version -= extra;
        *version = sheet.version;
    }
}

async fn change(
    service: &Service,
    sheet_id: i64,
    params: &BTreeMap<String, String>,
    body: &[u8],
    one: impl Fn(&mut World, i64, &Map<String, Value>, Option<i64>) -> Result<i64, Failure>,
) -> Reply {
    let input: Value = serde_json::from_slice(body).map_err(|_| Failure::new(1282, "Invalid JSON in request body."))?;
    let single = input.is_object();
    let items =
        if single { vec![input] } else { input.as_array().cloned().ok_or_else(|| Failure::new(1008, "Unable to parse request."))? };
    if items.is_empty() {
        return Err(Failure::new(1024, "A body is required for this request."));
    }
    if items.len() > 500 {
        return Err(Failure::new(1061, "The maximum number of rows (500) has been exceeded."));
    }
    one_location(&items)?;
    links::one_kind(&items)?;
    let partial = params.get("allowPartialSuccess").is_some_and(|v| v == "true");
    service
        .write(sheet_id, |world| {
            let before = if partial { None } else { Some((world.sheet(sheet_id)?.clone(), world.links.clone())) };
            if world.sheet(sheet_id)?.access_level == "VIEWER" {
                return Err(Failure::new(1004, "You are not authorized to perform this action."));
            }
            let (mut done, mut failed) = (Vec::new(), Vec::new());
            for (index, item) in items.iter().enumerate() {
                let result = item
                    .as_object()
                    .ok_or_else(|| Failure::new(1008, "Unable to parse request."))
                    .and_then(|i| one(world, sheet_id, i, done.last().copied()));
                match result {
                    Ok(id) => done.push(id),
                    Err(failure) => failed.push((index, item.get("id").and_then(Value::as_i64), failure)),
                }
            }
            if let (Some((index, row, failure)), Some((sheet, links))) = (failed.first().cloned(), before) {
                world.sheets.insert(sheet_id, sheet);
                world.links = links;
                world.changes.truncate(world.changes.len().saturating_sub(done.len()));
                return Err(failure.at(index, row));
            }
            for id in &done {
                *world.written.entry(*id).or_default() += 1;
            }
            recompute(world.sheet_mut(sheet_id)?);
            let mut version = world.sheet(sheet_id)?.version;
            settle_version(world, sheet_id, &mut version, done.len());
            let sheet = world.sheet(sheet_id)?;
            let rows: Vec<Value> = done
                .iter()
                .filter_map(|id| sheet.rows.get(sheet.position(*id)?))
                .map(|r| row_json(sheet, r, &Details::written(), None))
                .collect();
            let result = if single { rows.into_iter().next().unwrap_or(Value::Null) } else { Value::Array(rows) };
            let mut reply = json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result });
            if !failed.is_empty() {
                reply["message"] = json!("PARTIAL_SUCCESS");
                reply["resultCode"] = json!(3);
                reply["failedItems"] = failed.iter().map(|(i, row, f)| json!({ "index": i, "rowId": row, "error": f.body() })).collect();
            }
            Ok(Json(reply))
        })
        .await
}

fn one_location(items: &[Value]) -> Result<(), Failure> {
    let of = |item: &Value| -> Vec<(String, Value)> {
        let fields = item.as_object().into_iter().flatten();
        fields.filter(|(k, v)| LOCATION.contains(&k.as_str()) && **v != json!(false)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let first = items.first().map(of).unwrap_or_default();
    if items.iter().any(|i| of(i) != first) {
        return Err(Failure::new(1123, "All rows must share the same location."));
    }
    let has = |k: &str| first.iter().any(|(name, _)| name == k);
    if (has("parentId") && has("siblingId")) || (has("toTop") && has("toBottom")) {
        return Err(Failure::new(1062, "Invalid row location."));
    }
    Ok(())
}

fn cells_of(sheet: &Sheet, item: &Map<String, Value>, row: Option<i64>) -> Result<BTreeMap<i64, Map<String, Value>>, Failure> {
    let admin = level(&sheet.name, sheet.access_level).is_some_and(is_admin);
    let has_children = row.is_some() && sheet.rows.iter().any(|r| r.parent == row);
    let mut cells = BTreeMap::new();
    for cell in item.get("cells").and_then(Value::as_array).into_iter().flatten() {
        let id = cell
            .get("columnId")
            .and_then(id_of)
            .ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: cell.columnId."))?;
        let column = sheet.column(id).ok_or_else(|| Failure::new(1036, format!("The columnId {id} is invalid.")))?;
        if let Some(failure) = project::refuses(column, has_children).filter(|_| sheet.project) {
            return Err(failure);
        }
        let mut accepted = accept(column, cell, admin)?;
        if let Some(text) = accepted.get("objectValue").and_then(|o| project::predecessors_text(sheet, o)) {
            accepted.extend(project::shown(&text));
        }
        if cells.insert(id, accepted).is_some() {
            return Err(Failure::new(1037, format!("The columnId {id} is used more than once in a row.")));
        }
    }
    Ok(cells)
}

/// Ids come as numbers or as texts.
pub(super) fn id_of(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn check_fields(item: &Map<String, Value>) -> Result<(), Failure> {
    match item.keys().find(|k| !KNOWN.contains(&k.as_str()) && !LOCATION.contains(&k.as_str())) {
        Some(unknown) => Err(Failure::new(1032, format!("The attribute(s) {unknown} are not allowed for this operation."))),
        None => Ok(()),
    }
}

/// Adds a row; rows of one request stand one behind the other, in the order of the request.
fn add_one(world: &mut World, sheet_id: i64, item: &Map<String, Value>, previous: Option<i64>) -> Result<i64, Failure> {
    check_fields(item)?;
    if item.contains_key("id") {
        return Err(Failure::new(1032, "The attribute(s) row.id are not allowed for this operation."));
    }
    let id = world.new_id();
    let now = world.timestamp();
    let sheet = world.sheet_mut(sheet_id)?;
    let cells = cells_of(sheet, item, None)?;
    let linked = item.get("cells").and_then(Value::as_array).into_iter().flatten().any(|cell| !cell["linkInFromCell"].is_null());
    if linked {
        return Err(Failure::new(1032, "The attribute(s) cell.linkInFromCell are not allowed for this operation."));
    }
    if sheet.rows.len() >= 20_000 || sheet.rows.len() * sheet.columns.len() >= 500_000 {
        return Err(Failure::new(1061, "The maximum number of rows in a sheet has been exceeded."));
    }
    let behind = previous.and_then(|p| sheet.position(p)).map(|i| (sheet.end_of_family(i), sheet.rows[i].parent));
    let (index, parent) = match behind {
        Some(place) => place,
        None => place(sheet, item)?.unwrap_or((sheet.rows.len(), None)),
    };
    let mut row =
        Row { id, parent, cells, created_at: now.clone(), modified_at: now, locked: false, expanded: true, format: None, filtered: false };
    look(&mut row, item);
    sheet.rows.insert(index, row);
    world.touched(sheet_id, json!({ "objectType": "row", "eventType": "created", "id": id }));
    Ok(id)
}

fn update_one(world: &mut World, sheet_id: i64, item: &Map<String, Value>) -> Result<i64, Failure> {
    check_fields(item)?;
    let id = item
        .get("id")
        .and_then(id_of)
        .ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: row.id."))?;
    let now = world.timestamp();
    let sheet = world.sheet_mut(sheet_id)?;
    let index = sheet.position(id).ok_or_else(Failure::not_found)?;
    let admin = level(&sheet.name, sheet.access_level).is_some_and(is_admin);
    if sheet.rows[index].locked && !admin {
        return Err(Failure::new(1050, "You cannot change a locked row."));
    }
    let mut cells = cells_of(sheet, item, Some(id))?;
    let before = sheet.rows[index].clone();
    let mut formatted = BTreeSet::new();
    for cell in item.get("cells").and_then(Value::as_array).into_iter().flatten() {
        let Some(column) = cell.get("columnId").and_then(id_of) else { continue };
        if cell.get("format").is_some() {
            formatted.insert(column);
        }
        match links::wanted(cell)? {
            Some(source) => {
                world.source(source)?;
                world.links.insert((sheet_id, id, column));
                cells.insert(column, world.linked(source, None));
            }
            None => drop(world.links.remove(&(sheet_id, id, column))),
        }
    }
    for (column, cell) in &cells {
        world.remember(&before, *column, cell, &now);
    }
    let sheet = world.sheet_mut(sheet_id)?;
    for (column, mut cell) in cells {
        // A format stays until another one is sent.
        if let Some(format) = before.cells.get(&column).and_then(|old| old.get("format")).filter(|_| !formatted.contains(&column)) {
            cell.insert("format".into(), format.clone());
        }
        if cell.is_empty() {
            sheet.rows[index].cells.remove(&column);
        } else {
            sheet.rows[index].cells.insert(column, cell);
        }
    }
    if let Some(locked) = item.get("locked").and_then(Value::as_bool) {
        if !admin {
            return Err(Failure::new(1004, "You are not authorized to perform this action."));
        }
        sheet.rows[index].locked = locked;
    }
    sheet.rows[index].modified_at = now;
    look(&mut sheet.rows[index], item);
    move_row(sheet, index, item)?;
    world.touched(sheet_id, json!({ "objectType": "row", "eventType": "updated", "id": id }));
    Ok(id)
}

/// Whether a row is open, and how it looks; an empty format takes the old one away.
fn look(row: &mut Row, item: &Map<String, Value>) {
    row.expanded = item.get("expanded").and_then(Value::as_bool).unwrap_or(row.expanded);
    if let Some(format) = item.get("format").and_then(Value::as_str) {
        row.format = Some(format.to_owned()).filter(|format| !format.is_empty());
    }
}

fn move_row(sheet: &mut Sheet, index: usize, item: &Map<String, Value>) -> Result<(), Failure> {
    let steps = |k: &str| item.get(k).and_then(Value::as_i64).filter(|n| *n > 0);
    if let Some(steps) = steps("indent") {
        return indent(sheet, index, steps);
    }
    if let Some(steps) = steps("outdent") {
        return outdent(sheet, index, steps);
    }
    if !item.iter().any(|(k, v)| LOCATION.contains(&k.as_str()) && *v != json!(false) && !v.is_null()) {
        return Ok(());
    }
    let end = sheet.end_of_family(index);
    let mut family: Vec<Row> = sheet.rows.drain(index..end).collect();
    let (at, parent) = place(sheet, item)?.unwrap_or((sheet.rows.len(), None));
    family[0].parent = parent;
    sheet.rows.splice(at..at, family);
    Ok(())
}

/// Under the row above it on its level.
fn indent(sheet: &mut Sheet, index: usize, steps: i64) -> Result<(), Failure> {
    for _ in 0..steps {
        let parent = sheet.rows[index].parent;
        let above = sheet.rows[..index].iter().rev().find(|r| r.parent == parent).map(|r| r.id);
        let above = above.ok_or_else(|| Failure::new(1062, "Invalid row location."))?;
        sheet.rows[index].parent = Some(above);
    }
    Ok(())
}

/// Behind its parent, on the level of the parent; the rows that follow it there become its children.
fn outdent(sheet: &mut Sheet, index: usize, steps: i64) -> Result<(), Failure> {
    for _ in 0..steps {
        let parent = sheet.rows[index].parent.ok_or_else(|| Failure::new(1062, "Invalid row location."))?;
        let (id, above) = (sheet.rows[index].id, sheet.position(parent).and_then(|i| sheet.rows[i].parent));
        for row in sheet.rows.iter_mut().skip(index + 1).filter(|r| r.parent == Some(parent)) {
            row.parent = Some(id);
        }
        sheet.rows[index].parent = above;
    }
    Ok(())
}

/// Where a row goes: its index and its parent.
fn place(sheet: &Sheet, item: &Map<String, Value>) -> Result<Option<(usize, Option<i64>)>, Failure> {
    let flag = |k: &str| item.get(k) == Some(&json!(true));
    let id = |k: &str| item.get(k).and_then(id_of);
    if let Some(parent) = id("parentId") {
        let index = sheet.position(parent).ok_or_else(|| Failure::new(1063, "The parentId is invalid."))?;
        if sheet.rows[index].cells.is_empty() {
            return Err(Failure::new(1185, "You cannot add a child row to a blank parent row."));
        }
        let at = if flag("toBottom") { sheet.end_of_family(index) } else { index + 1 };
        return Ok(Some((at, Some(parent))));
    }
    if let Some(sibling) = id("siblingId") {
        let index = sheet.position(sibling).ok_or_else(|| Failure::new(1064, "The siblingId is invalid."))?;
        let at = if flag("above") { index } else { sheet.end_of_family(index) };
        return Ok(Some((at, sheet.rows[index].parent)));
    }
    if flag("toTop") {
        return Ok(Some((0, None)));
    }
    Ok(flag("toBottom").then_some((sheet.rows.len(), None)))
}
