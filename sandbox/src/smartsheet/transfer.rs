//! Rows that go to another sheet, sheets that are copied or sorted, and a sheet as CSV.

use super::Service;
use super::error::Failure;
use super::formulas::recompute;
use super::sheets::summary;
use super::world::{Column, Row, Sheet, World, shown};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

/// The most rows that one request takes to another sheet.
const ROWS: usize = 5_000;

pub(super) async fn copy_rows(
    State(service): State<Arc<Service>>,
    Path(from): Path<i64>,
    Query(params): Params,
    Json(body): Json<Value>,
) -> Reply {
    transfer(&service, from, &params, &body, false).await
}

pub(super) async fn move_rows(
    State(service): State<Arc<Service>>,
    Path(from): Path<i64>,
    Query(params): Params,
    Json(body): Json<Value>,
) -> Reply {
    transfer(&service, from, &params, &body, true).await
}

/// Rows go to the bottom of the other sheet; columns that it does not have are made there.
async fn transfer(service: &Service, from: i64, params: &BTreeMap<String, String>, body: &Value, leave: bool) -> Reply {
    let missing = |what: &str| Failure::new(1012, format!("Required object attribute(s) are missing from your request: {what}."));
    let ids: Vec<i64> = body["rowIds"].as_array().ok_or_else(|| missing("rowIds"))?.iter().filter_map(Value::as_i64).collect();
    let to = body["to"]["sheetId"].as_i64().ok_or_else(|| missing("to.sheetId"))?;
    if ids.len() > ROWS {
        return Err(Failure::new(1061, "The maximum number of rows (5000) has been exceeded."));
    }
    let ignore = params.get("ignoreRowsNotFound").is_some_and(|v| v == "true");
    service
        .write(to, |world| {
            let source = world.sheet(from)?.clone();
            world.sheet(to)?;
            if !ignore && ids.iter().any(|id| source.position(*id).is_none()) {
                return Err(Failure::not_found());
            }
            let mut wanted: BTreeSet<i64> = ids.iter().copied().collect();
            // A row that leaves takes its children along.
            if leave {
                for row in &source.rows {
                    if row.parent.is_some_and(|parent| wanted.contains(&parent)) {
                        wanted.insert(row.id);
                    }
                }
            }
            let columns = columns_in(world, to, &source)?;
            let mut mapped: BTreeMap<i64, i64> = BTreeMap::new();
            for row in source.rows.iter().filter(|row| wanted.contains(&row.id)) {
                let (id, now) = (world.new_id(), world.timestamp());
                let cells = row.cells.iter().filter_map(|(column, cell)| Some((*columns.get(column)?, value_only(cell)))).collect();
                let parent = row.parent.and_then(|parent| mapped.get(&parent).copied());
                let copy = Row {
                    id,
                    parent,
                    cells,
                    created_at: now.clone(),
                    modified_at: now,
                    locked: false,
                    expanded: row.expanded,
                    format: row.format.clone(),
                    filtered: false,
                };
                world.sheet_mut(to)?.rows.push(copy);
                world.touched(to, json!({ "objectType": "row", "eventType": "created", "id": id }));
                mapped.insert(row.id, id);
            }
            recompute(world.sheet_mut(to)?);
            if leave {
                world.forget_rows(from, &wanted)?;
            }
            let mappings: Vec<Value> = mapped.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
            Ok(Json(json!({ "destinationSheetId": to, "rowMappings": mappings })))
        })
        .await
}

/// What goes to another sheet of a cell: a formula stays behind, its value goes.
fn value_only(cell: &Map<String, Value>) -> Map<String, Value> {
    cell.iter().filter(|(key, _)| *key != "formula").map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The columns of the other sheet for those of this one, by title and type.
fn columns_in(world: &mut World, to: i64, source: &Sheet) -> Result<BTreeMap<i64, i64>, Failure> {
    let mut found = BTreeMap::new();
    for column in source.columns.iter().filter(|c| !c.extra.contains_key("systemColumnType")) {
        let id = world.new_id();
        let sheet = world.sheet_mut(to)?;
        let same = |known: &&Column| (known.primary && column.primary) || (known.title == column.title && known.kind == column.kind);
        let known = sheet.columns.iter().find(same).map(|known| known.id);
        let there = known.unwrap_or_else(|| {
            let mut made = Column { id, primary: false, ..column.clone() };
            made.extra.remove("formula");
            sheet.columns.push(made);
            id
        });
        found.insert(column.id, there);
    }
    Ok(found)
}

pub(super) async fn copy_sheet(
    State(service): State<Arc<Service>>,
    Path(from): Path<i64>,
    Query(params): Params,
    Json(body): Json<Value>,
) -> Reply {
    let name = body["newName"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: newName."))?;
    if !matches!(body["destinationType"].as_str(), Some("folder" | "workspace")) {
        return Err(Failure::new(1012, "Required object attribute(s) are missing from your request: destinationType."));
    }
    let with_rows = params.get("include").is_some_and(|what| what.contains("data") || what.contains("all"));
    let mut world = service.world();
    let source = world.sheet(from)?.clone();
    let (id, now) = (world.new_id(), world.timestamp());
    let mut copy = Sheet { id, name: name.to_owned(), version: 1, created_at: now.clone(), modified_at: now, ..source };
    let mut columns = BTreeMap::new();
    for column in &mut copy.columns {
        let fresh = world.new_id();
        columns.insert(std::mem::replace(&mut column.id, fresh), fresh);
    }
    let mut rows = BTreeMap::new();
    for row in std::mem::take(&mut copy.rows).into_iter().filter(|_| with_rows) {
        let fresh = world.new_id();
        rows.insert(row.id, fresh);
        let cells = row.cells.into_iter().filter_map(|(column, cell)| Some((*columns.get(&column)?, cell))).collect();
        copy.rows.push(Row { id: fresh, parent: row.parent.and_then(|parent| rows.get(&parent).copied()), cells, ..row });
    }
    let result = summary(&world, &copy, false);
    world.sheets.insert(id, copy);
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": result })))
}

/// Puts siblings in order; children stay with their parent.
pub(super) async fn sort(State(service): State<Arc<Service>>, Path(id): Path<i64>, Json(body): Json<Value>) -> Reply {
    let criteria = body["sortCriteria"].as_array().filter(|all| (1..=3).contains(&all.len()));
    let criteria = criteria.ok_or_else(|| Failure::new(1031, "The attribute sortCriteria is invalid: one to three are needed."))?;
    let criteria: Vec<(i64, bool)> =
        criteria.iter().map(|one| (one["columnId"].as_i64().unwrap_or(0), one["direction"] == "DESCENDING")).collect();
    service
        .write(id, |world| {
            let sheet = world.sheet_mut(id)?;
            if let Some((unknown, _)) = criteria.iter().find(|(column, _)| sheet.column(*column).is_none()) {
                return Err(Failure::new(1036, format!("The columnId {unknown} is invalid.")));
            }
            let mut children: BTreeMap<Option<i64>, Vec<Row>> = BTreeMap::new();
            for row in std::mem::take(&mut sheet.rows) {
                children.entry(row.parent).or_default().push(row);
            }
            for siblings in children.values_mut() {
                siblings.sort_by(|a, b| criteria.iter().map(|of| order(a, b, *of)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
            }
            let mut stack: Vec<Row> = children.remove(&None).unwrap_or_default().into_iter().rev().collect();
            while let Some(row) = stack.pop() {
                stack.extend(children.remove(&Some(row.id)).unwrap_or_default().into_iter().rev());
                sheet.rows.push(row);
            }
            world.touched(id, json!({ "objectType": "sheet", "eventType": "updated", "id": id }));
            let (sheet, origin) = (world.sheet(id)?, world.origin.clone());
            Ok(Json(super::sheets::sheet_json(sheet, &origin, &BTreeMap::new())))
        })
        .await
}

/// Blanks come last, whichever way the order is.
fn order(a: &Row, b: &Row, (column, descending): (i64, bool)) -> Ordering {
    let of = |row: &Row| row.cells.get(&column).filter(|cell| !shown(cell).is_empty()).cloned();
    let (a, b) = match (of(a), of(b)) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return b.is_some().cmp(&a.is_some()),
    };
    let number = |cell: &Map<String, Value>| cell.get("value").and_then(Value::as_f64);
    let ascending = match (number(&a), number(&b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => shown(&a).to_lowercase().cmp(&shown(&b).to_lowercase()),
    };
    if descending { ascending.reverse() } else { ascending }
}

/// The sheet as CSV, as `Accept: text/csv` asks for it: titles, then what people see.
pub(super) fn csv(sheet: &Sheet) -> String {
    let quoted = |text: String| if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text };
    let line = |cells: Vec<String>| format!("{}\r\n", cells.into_iter().map(quoted).collect::<Vec<_>>().join(","));
    let titles = line(sheet.columns.iter().map(|column| column.title.clone()).collect());
    let row = |row: &Row| line(sheet.columns.iter().map(|c| row.cells.get(&c.id).map(shown).unwrap_or_default()).collect());
    sheet.rows.iter().fold(titles, |text, of| text + &row(of))
}
