//! Editing in the page: each edit is a change of its own in the name of the person, conditional, journalled and undoable.

use super::Viewer;
use super::visit::Visit;
use crate::changes::{Location, NewRowRequest, SetRequest, propose};
use crate::error::Trouble;
use crate::server::api::{Body, Problem, Result, Writer};
use crate::sheet::{Cell, Snapshot, SnapshotColumn, Style, ValueReader};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chat::What;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A cell as it was edited.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Edited {
    row: String,
    column: String,
    /// What was typed or chosen; null empties the cell.
    value: Value,
    /// What the page showed before.
    was: Value,
}

/// A row to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    /// What it is called: its primary cell.
    name: String,
    /// The row to stand behind.
    after: Option<String>,
    /// The row to stand under.
    parent: Option<String>,
}

/// A row that is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gone {
    row: String,
}

/// A change that is to be taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undone {
    change: String,
}

/// Sets a cell, as long as it holds what the page showed.
pub(super) async fn cell(
    State(viewer): State<Arc<Viewer>>,
    visit: Visit,
    Writer(told): Writer,
    Body(edited): Body<Edited>,
) -> Result<Response> {
    let caller = visit.caller()?;
    let snapshot = viewer.sheet_now(&visit.link).await?;
    let locality = viewer.api.parts.sheets.locality(&visit.link.identity(), told).await;
    let ids = edited.row.parse().ok().zip(edited.column.parse().ok());
    let (row, column) = ids.ok_or_else(|| Problem::not_found("cell"))?;
    let Some((cell, column)) = cell_of(&snapshot, row, column) else { return Ok(conflict(None)) };
    let (value, style) = (cell.to_json(), cell.style(&column.style));
    let typed = typed(column, style, edited.value);
    let author = viewer.api.parts.sheets.author(&visit.link.identity(), locality, &snapshot, &[&column.title]).await;
    let wanted = ValueReader::new(&snapshot, &author).read_as(column, style, &typed).map_err(Trouble::from)?;
    if Cell::same(&value, &wanted.value) {
        return Ok(Json(json!({ "value": value, "display": wanted.shown })).into_response());
    }
    if !Cell::same(&value, &edited.was) {
        return Ok(conflict(shown(&snapshot, row, column.id)));
    }
    let set = [SetRequest { column: column.title.clone(), value: typed, expression: None }];
    let draft = propose::update(&snapshot, &format!("row_id = {row}"), &set, &author).await?;
    match viewer.api.write(&caller, &snapshot, draft).await {
        Ok(written) => {
            let answer = json!({
                "value": wanted.value, "display": wanted.shown, "status": written.status, "change": written.change_id,
                "warnings": written.warnings,
            });
            Ok(Json(answer).into_response())
        }
        Err(problem) if problem.code == "conflict" => {
            let now = viewer.api.parts.sheets.current(&visit.link.identity(), visit.link.sheet).await?;
            Ok(conflict(shown(&now, row, column.id)))
        }
        Err(problem) => Err(problem),
    }
}

/// What somebody typed, as Smartsheet's own grid takes it: in a column of percents a number is one of percents.
fn typed(column: &SnapshotColumn, style: &Style, value: Value) -> Value {
    let Some(text) = value.as_str().map(str::trim).filter(|_| column.kind == "TEXT_NUMBER") else { return value };
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "-.,".contains(c)) && text.ends_with(|c: char| c.is_ascii_digit());
    if number && *style == Style::Percent { json!(format!("{text}%")) } else { value }
}

/// Adds a row with a name.
pub(super) async fn add(
    State(viewer): State<Arc<Viewer>>,
    visit: Visit,
    Writer(told): Writer,
    Body(new): Body<New>,
) -> Result<Json<Value>> {
    let caller = visit.caller()?;
    let snapshot = viewer.sheet_now(&visit.link).await?;
    let locality = viewer.api.parts.sheets.locality(&visit.link.identity(), told).await;
    let row = |id: Option<String>| {
        let known = |id: String| id.parse().ok().filter(|id| snapshot.row(*id).is_some()).ok_or_else(|| Problem::not_found("row"));
        id.map(known).transpose()
    };
    let location = Location { after: row(new.after)?, parent: row(new.parent)?, ..Location::default() };
    let (_, primary) = snapshot.primary().ok_or_else(|| Problem::not_fitting("The sheet has no primary column."))?;
    let request = NewRowRequest { cells: vec![(primary.title.clone(), new.name.into())] };
    let author = viewer.api.parts.sheets.author(&visit.link.identity(), locality, &snapshot, &[&primary.title]).await;
    let draft = propose::add(&snapshot, &[request], location, &author)?;
    let written = viewer.api.write(&caller, &snapshot, draft).await?;
    Ok(Json(json!({ "row": written.row_id, "status": written.status, "change": written.change_id })))
}

/// Deletes a row and those below it in the hierarchy.
pub(super) async fn delete(
    State(viewer): State<Arc<Viewer>>,
    visit: Visit,
    Writer(told): Writer,
    Body(gone): Body<Gone>,
) -> Result<Json<Value>> {
    let caller = visit.caller()?;
    let snapshot = viewer.sheet_now(&visit.link).await?;
    let locality = viewer.api.parts.sheets.locality(&visit.link.identity(), told).await;
    let row: i64 = gone.row.parse().ok().filter(|id| snapshot.row(*id).is_some()).ok_or_else(|| Problem::not_found("row"))?;
    let mut draft = propose::delete(&snapshot, &format!("row_id = {row}"), &locality).await?;
    viewer.api.parts.changes.warn_of_losses(&visit.link.identity(), &snapshot, &mut draft).await;
    let written = viewer.api.write(&caller, &snapshot, draft).await?;
    Ok(Json(json!({ "warnings": written.warnings, "written": written.written, "status": written.status, "change": written.change_id })))
}

/// Takes a change of the page back; what the bot says to that is the answer.
pub(super) async fn undo(State(viewer): State<Arc<Viewer>>, visit: Visit, Body(undone): Body<Undone>) -> Result<Json<Value>> {
    let (caller, store) = (visit.caller()?, &viewer.api.parts.store);
    let snapshot = viewer.sheet_now(&visit.link).await?;
    let (_, thread) = viewer.api.session_of_sheet(&caller, visit.link.sheet, &snapshot.name).await?;
    let known = store.change(&undone.change).await?.filter(|c| c.thread_key == thread.storage_key() && c.sheet == visit.link.sheet);
    known.ok_or_else(|| Problem::not_found("change"))?;
    let (key, what) = (thread.storage_key(), What::Press { action: format!("undo:{}", undone.change), message: None });
    let before = store.last_revision(&key).await?;
    if !viewer.api.happen(&caller, &thread, &format!("undo-{}", uuid::Uuid::new_v4()), what).await? {
        return Ok(Json(json!({ "said": "It is on its way, and takes longer than usual. The sheet shows it when it is done." })));
    }
    let said = store.posts_after(&key, before, 10).await?.into_iter().rfind(|p| p.author.is_none()).map(|p| p.body["text"].clone());
    Ok(Json(json!({ "said": said })))
}

fn cell_of(snapshot: &Snapshot, row: i64, column: i64) -> Option<(&Cell, &SnapshotColumn)> {
    let (at, column) = snapshot.column_by_id(column).filter(|(_, column)| !column.hidden)?;
    Some((&snapshot.row(row)?.cells[at], column))
}

fn shown(snapshot: &Snapshot, row: i64, column: i64) -> Option<Value> {
    let (at, column) = snapshot.column_by_id(column).filter(|(_, column)| !column.hidden)?;
    let cell = &snapshot.row(row)?.cells[at];
    Some(json!({ "value": cell.to_json(), "display": cell.shown(&column.style) }))
}

/// Somebody else was faster: what is there now, or that the row is gone.
fn conflict(now: Option<Value>) -> Response {
    (StatusCode::CONFLICT, Json(json!({ "code": "conflict", "now": now }))).into_response()
}
