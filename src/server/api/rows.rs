//! `/api/smartsheet/{sheetId}/rows`: rows in pages, filtered by SQL; made, changed and deleted one at a time.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Body, Parameters, UrlQuery, Writer};
use super::problem::{Problem, Result};
use super::sheets::unless_known;
use super::writes::Written;
use crate::changes::{self, Location, Matching, NewRowRequest, SetRequest, propose};
use crate::sheet::{Cell, Snapshot, SnapshotRow};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Rows of a page at most.
const LARGEST_PAGE: i64 = 1000;
const LONGEST_FILTER: usize = 2000;
const LONGEST_COLUMNS: usize = 5000;

/// A row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its position in the sheet, from 1.
    pub row_number: u32,
    /// The row above it in the hierarchy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// 0 for the outermost rows.
    pub level: u16,
    /// Its values that are not empty, by column.
    pub cells: Map<String, Value>,
    /// How those values look that look different: amounts, names of people.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub display: Map<String, Value>,
}

/// A page of rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rows {
    /// The version of the sheet.
    pub version: i64,
    /// The rows of this page, top to bottom.
    pub rows: Vec<Row>,
    /// How many rows fit in all.
    pub total: usize,
    /// What `filter` left out, such as texts among numbers, and how many rows with which first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Which {
    /// From 1.
    #[serde(default = "first")]
    #[param(minimum = 1, maximum = 100000, default = 1)]
    pub page: i64,
    /// At most this many.
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub page_size: i64,
    /// An SQL condition on the columns' SQL names, such as `status = 'Blocked' AND due < '2026-12-01'`.
    #[param(max_length = 2000)]
    pub filter: Option<String>,
    /// Titles or SQL names of the columns to be returned, separated by commas; all when unset.
    #[param(max_length = 5000)]
    pub columns: Option<String>,
}

fn first() -> i64 {
    1
}

fn usual_size() -> i64 {
    100
}

/// A row to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRow {
    /// Values by column title or SQL name.
    #[schema(value_type = Object, example = json!({ "Task": "Book venue", "Status": "Not Started" }))]
    pub cells: Map<String, Value>,
    /// The row to stand under.
    pub parent_id: Option<String>,
    /// The row to stand behind.
    pub after_id: Option<String>,
    /// Whether it goes to the top instead of the bottom.
    #[serde(default)]
    pub to_top: bool,
}

/// Values to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RowChange {
    /// Values by column title or SQL name; null empties a cell.
    #[schema(value_type = Object, example = json!({ "Status": "Done" }))]
    pub cells: Map<String, Value>,
}

/// Reads rows.
#[utoipa::path(get, path = "/api/smartsheet/{sheetId}/rows", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), Which), responses((status = 200, body = Rows), (status = 414, description = "The URL is too long."), (status = 304, description = "It is as the ETag in If-None-Match says."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(sheet): Parameters<String>,
    UrlQuery(which): UrlQuery<Which>,
    Writer(told): Writer,
    headers: HeaderMap,
) -> Result<Response> {
    caller.needs(Scope::Read)?;
    let page = super::sessions::Page { page: which.page, page_size: which.page_size };
    let (most, skip) = page.window(LARGEST_PAGE)?;
    let longer = |text: &Option<String>, most: usize| text.as_ref().is_some_and(|t| t.chars().count() > most);
    if longer(&which.filter, LONGEST_FILTER) || longer(&which.columns, LONGEST_COLUMNS) {
        return Err(Problem::not_valid(format!("filter has at most {LONGEST_FILTER} characters, columns {LONGEST_COLUMNS}.")));
    }
    let snapshot = api.sheet(&sheet).await?;
    let locality = api.parts.sheets.locality(caller.identity(), told).await;
    let columns = columns_of(&snapshot, which.columns.as_deref())?;
    let (most, skip) = (usize::try_from(most).unwrap_or(0), usize::try_from(skip).unwrap_or(0));
    let (rows, total, notes): (Vec<&SnapshotRow>, usize, Vec<String>) = match which.filter.as_deref().filter(|f| !f.trim().is_empty()) {
        None => (snapshot.rows.iter().skip(skip).take(most).collect(), snapshot.rows.len(), Vec::new()),
        Some(filter) => {
            let Matching { rows, warnings, .. } = changes::matching(&snapshot, filter, &[], &locality).await?;
            (rows.iter().skip(skip).take(most).filter_map(|(id, _)| snapshot.row(*id)).collect(), rows.len(), warnings)
        }
    };
    // Conditions may ask for today.
    let day = which.filter.is_some().then(|| locality.today());
    Ok(unless_known(&headers, &snapshot, day, |s| Rows {
        version: s.version,
        rows: rows.into_iter().map(|r| row(s, r, &columns)).collect(),
        total,
        notes,
    }))
}

/// Reads a row.
#[utoipa::path(get, path = "/api/smartsheet/{sheetId}/rows/{rowId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), ("rowId" = String, Path, description = "The row", pattern = "^[0-9]+$")), responses((status = 200, body = Row), (status = 304, description = "It is as the ETag in If-None-Match says."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters((sheet, id)): Parameters<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.needs(Scope::Read)?;
    let snapshot = api.sheet(&sheet).await?;
    let found = row_of(&snapshot, &id)?;
    let columns = columns_of(&snapshot, None)?;
    Ok(unless_known(&headers, &snapshot, None, |s| row(s, found, &columns)))
}

/// Adds a row.
#[utoipa::path(post, path = "/api/smartsheet/{sheetId}/rows", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name")), request_body = NewRow, responses((status = 201, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(sheet): Parameters<String>,
    Writer(told): Writer,
    Body(new): Body<NewRow>,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let locality = api.parts.sheets.locality(caller.identity(), told).await;
    if new.parent_id.is_some() && new.after_id.is_some() {
        return Err(Problem::not_fitting("Give parentId or afterId, not both."));
    }
    if new.after_id.is_some() && new.to_top {
        return Err(Problem::not_fitting("Give afterId or toTop, not both."));
    }
    let id = |text: Option<String>| text.map(|t| row_of(&snapshot, &t).map(|r| r.id)).transpose();
    let location = Location { parent: id(new.parent_id)?, after: id(new.after_id)?, top: new.to_top, ..Location::default() };
    let request = NewRowRequest { cells: new.cells.into_iter().collect() };
    let columns: Vec<&str> = request.cells.iter().map(|(column, _)| column.as_str()).collect();
    let author = api.parts.sheets.author(caller.identity(), locality, &snapshot, &columns).await;
    let draft = propose::add(&snapshot, &[request], location, &author)?;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::CREATED))
}

/// Sets values of a row, as long as they still are as they were when the request came in.
#[utoipa::path(patch, path = "/api/smartsheet/{sheetId}/rows/{rowId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), ("rowId" = String, Path, description = "The row", pattern = "^[0-9]+$")), request_body = RowChange, responses((status = 200, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters((sheet, id)): Parameters<(String, String)>,
    Writer(told): Writer,
    Body(change): Body<RowChange>,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let locality = api.parts.sheets.locality(caller.identity(), told).await;
    let row = row_of(&snapshot, &id)?.id;
    let set: Vec<SetRequest> = change.cells.into_iter().map(|(column, value)| SetRequest { column, value, expression: None }).collect();
    let columns: Vec<&str> = set.iter().map(|s| s.column.as_str()).collect();
    let author = api.parts.sheets.author(caller.identity(), locality, &snapshot, &columns).await;
    let draft = propose::update(&snapshot, &format!("row_id = {row}"), &set, &author).await?;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::OK))
}

/// Deletes a row and the rows below it in the hierarchy; it can be taken back.
#[utoipa::path(delete, path = "/api/smartsheet/{sheetId}/rows/{rowId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), ("rowId" = String, Path, description = "The row", pattern = "^[0-9]+$")), responses((status = 200, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters((sheet, id)): Parameters<(String, String)>,
    Writer(told): Writer,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let locality = api.parts.sheets.locality(caller.identity(), told).await;
    let row = row_of(&snapshot, &id)?.id;
    let mut draft = propose::delete(&snapshot, &format!("row_id = {row}"), &locality).await?;
    api.parts.changes.warn_of_losses(caller.identity(), &snapshot, &mut draft).await;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::OK))
}

fn row_of<'a>(snapshot: &'a Snapshot, id: &str) -> Result<&'a SnapshotRow> {
    id.parse().ok().and_then(|id| snapshot.row(id)).ok_or_else(|| Problem::not_found("row"))
}

/// Positions of the named columns; of all, when none are named.
fn columns_of(snapshot: &Snapshot, names: Option<&str>) -> Result<Vec<usize>> {
    let Some(names) = names.filter(|n| !n.trim().is_empty()) else { return Ok((0..snapshot.columns.len()).collect()) };
    let position = |name: &str| {
        let found = snapshot.column(name).map(|(i, _)| i);
        found.ok_or_else(|| Problem::not_fitting(format!("There is no column called {}.", chat::text::shorten(name.trim(), 50))))
    };
    names.split(',').map(position).collect()
}

fn row(snapshot: &Snapshot, row: &SnapshotRow, columns: &[usize]) -> Row {
    let (mut cells, mut display) = (Map::new(), Map::new());
    for i in columns.iter().copied().filter(|i| row.cells[*i] != Cell::Empty) {
        let (column, value) = (&snapshot.columns[i], row.cells[i].to_json());
        let shown = row.cells[i].shown(&column.style);
        if !value.is_boolean() && value.as_str().map_or_else(|| value.to_string(), str::to_owned) != shown {
            display.insert(column.title.clone(), shown.into());
        }
        cells.insert(column.title.clone(), value);
    }
    Row { id: row.id.to_string(), row_number: row.number, parent_id: row.parent.map(|p| p.to_string()), level: row.level, cells, display }
}
