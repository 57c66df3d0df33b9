//! `/api/smartsheet/{sheetId}/columns`: columns as they are, made, changed and deleted.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Body, Parameters};
use super::problem::{Problem, Result};
use super::sheets::unless_known;
use super::writes::Written;
use crate::changes::{self, ColumnAction, ColumnRequest};
use crate::sheet::{Snapshot, SnapshotColumn};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// A column.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its name in filters.
    pub sql_name: String,
    /// Smartsheet's type, such as `TEXT_NUMBER` or `DATE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it names the rows.
    pub primary: bool,
    /// What may be picked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Why it cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<String>,
}

/// The columns of a sheet, left to right.
#[derive(Debug, Serialize, ToSchema)]
pub struct Columns {
    /// The columns.
    pub columns: Vec<Column>,
}

/// A column to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewColumn {
    /// Its title.
    #[schema(min_length = 1, max_length = 50)]
    pub title: String,
    /// Its type: TEXT_NUMBER, DATE, CONTACT_LIST, MULTI_CONTACT_LIST, PICKLIST, MULTI_PICKLIST or CHECKBOX.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What may be picked.
    pub options: Option<Vec<String>>,
}

/// How a column is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnChange {
    /// Another title.
    #[schema(min_length = 1, max_length = 50)]
    pub title: Option<String>,
    /// Another type.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// What may be picked from now on.
    pub options: Option<Vec<String>>,
}

impl From<&SnapshotColumn> for Column {
    fn from(column: &SnapshotColumn) -> Self {
        Self {
            id: column.id.to_string(),
            title: column.title.clone(),
            sql_name: column.sql.clone(),
            kind: column.kind.clone(),
            primary: column.primary,
            options: column.options.clone(),
            read_only: column.read_only.clone(),
        }
    }
}

/// Lists the columns.
#[utoipa::path(get, path = "/api/smartsheet/{sheetId}/columns", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name")), responses((status = 200, body = Columns), (status = 304, description = "It is as the ETag in If-None-Match says."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(sheet): Parameters<String>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.needs(Scope::Read)?;
    let snapshot = api.sheet(&sheet).await?;
    Ok(unless_known(&headers, &snapshot, None, |s| Columns { columns: s.columns.iter().map(Column::from).collect() }))
}

/// Adds a column at the right.
#[utoipa::path(post, path = "/api/smartsheet/{sheetId}/columns", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name")), request_body = NewColumn, responses((status = 201, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(sheet): Parameters<String>,
    Body(new): Body<NewColumn>,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let request = ColumnRequest { action: ColumnAction::Add, column: new.title, new_title: None, kind: new.kind, options: new.options };
    let draft = changes::column(&snapshot, &request)?;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::CREATED))
}

/// Changes the title, type or options of a column.
#[utoipa::path(patch, path = "/api/smartsheet/{sheetId}/columns/{columnId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), ("columnId" = String, Path, description = "The column", pattern = "^[0-9]+$")), request_body = ColumnChange, responses((status = 200, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn update(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters((sheet, column)): Parameters<(String, String)>,
    Body(change): Body<ColumnChange>,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let request = ColumnRequest {
        action: ColumnAction::Update,
        column: title_of(&snapshot, &column)?,
        new_title: change.title,
        kind: change.kind,
        options: change.options,
    };
    let draft = changes::column(&snapshot, &request)?;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::OK))
}

/// Deletes a column with its cells; it can be taken back.
#[utoipa::path(delete, path = "/api/smartsheet/{sheetId}/columns/{columnId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name"), ("columnId" = String, Path, description = "The column", pattern = "^[0-9]+$")), responses((status = 200, body = Written), (status = 202, body = Written), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters((sheet, column)): Parameters<(String, String)>,
) -> Result<(StatusCode, Json<Written>)> {
    caller.needs(Scope::Write)?;
    let snapshot = api.sheet_to_change(&sheet).await?;
    let column = title_of(&snapshot, &column)?;
    let request = ColumnRequest { action: ColumnAction::Delete, column, new_title: None, kind: None, options: None };
    let draft = changes::column(&snapshot, &request)?;
    Ok(api.write(&caller, &snapshot, draft).await?.answer(StatusCode::OK))
}

fn title_of(snapshot: &Snapshot, column: &str) -> Result<String> {
    let found = column.parse().ok().and_then(|id| snapshot.column_by_id(id));
    found.map(|(_, c)| c.title.clone()).ok_or_else(|| Problem::not_found("column"))
}
