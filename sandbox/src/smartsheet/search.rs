//! Search: at most 100 results, double quotes mean the exact words.

use super::Service;
use super::error::Failure;
use super::sheets::hit;
use super::world::{Sheet, World, shown};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Params = Query<BTreeMap<String, String>>;

pub(super) async fn everywhere(State(service): State<Arc<Service>>, Query(params): Params) -> Result<Json<Value>, Failure> {
    let world = service.world();
    let words = words(&params)?;
    let mut results = Vec::new();
    for sheet in world.sheets.values().filter(|s| super::accounts::level(&s.name, s.access_level).is_some()) {
        if matches(&sheet.name, &words) {
            results.push(json!({ "text": sheet.name, "objectType": "sheet", "objectId": sheet.id, "contextData": [] }));
        }
        results.extend(hits(&world, sheet, &words));
    }
    Ok(reply(results))
}

pub(super) async fn in_sheet(
    State(service): State<Arc<Service>>,
    Path(sheet): Path<i64>,
    Query(params): Params,
) -> Result<Json<Value>, Failure> {
    let world = service.world();
    Ok(reply(hits(&world, world.sheet(sheet)?, &words(&params)?)))
}

fn reply(mut results: Vec<Value>) -> Json<Value> {
    let total = results.len();
    results.truncate(100);
    Json(json!({ "results": results, "totalCount": total }))
}

fn words(params: &BTreeMap<String, String>) -> Result<Vec<String>, Failure> {
    let query = params.get("query").filter(|q| !q.trim().is_empty());
    let query = query.ok_or_else(|| Failure::new(1009, "Required query parameter(s) are missing: query."))?.to_lowercase();
    match query.strip_prefix('"').and_then(|q| q.strip_suffix('"')) {
        Some(exact) => Ok(vec![exact.to_owned()]),
        None => Ok(query.split_whitespace().map(str::to_owned).collect()),
    }
}

fn matches(text: &str, words: &[String]) -> bool {
    let text = text.to_lowercase();
    words.iter().all(|w| text.contains(w))
}

fn hits(world: &World, sheet: &Sheet, words: &[String]) -> Vec<Value> {
    // The index is behind: what was written a moment ago is not found yet.
    let rows = sheet.rows.iter().filter(|row| world.is_indexed(&row.modified_at));
    let texts = |cell: &Map<String, Value>| {
        // People are found by their addresses, too.
        [shown(cell), cell.get("value").and_then(Value::as_str).unwrap_or_default().to_owned()].join(" ")
    };
    let cells = rows.flat_map(|row| row.cells.values().map(move |cell| (row, texts(cell), shown(cell))));
    cells.filter(|(_, text, _)| matches(text, words)).map(|(row, _, shown)| hit(world, sheet, row, &shown)).collect()
}
