//! `/api/smartsheet` and `/api/smartsheet/{sheetId}`: which sheets there are, what one is called and made of.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Parameters, UrlQuery};
use super::problem::{Problem, Result};
use super::sessions::Page;
use crate::sheet::{SheetId, Snapshot, smartsheet_trouble};
use crate::smartsheet::{Identity, SheetEntry};
use crate::tools::{Match, among};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// Sheets of a page at most.
const LARGEST_PAGE: i64 = 1000;
const LONGEST_NAME: usize = 500;

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

/// A sheet in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedSheet {
    /// Its id.
    pub id: String,
    /// Its name; several may have the same.
    pub name: String,
    /// Where people open it.
    pub permalink: String,
    /// When it was last changed.
    pub modified_at: String,
}

/// Sheets, last changed first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedSheets {
    /// The sheets of this page.
    pub sheets: Vec<ListedSheet>,
    /// How many there are in all.
    pub total: usize,
}

/// Which sheets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhichSheets {
    /// A part of the name, without regard to case; all when unset.
    #[param(max_length = 500)]
    pub name: Option<String>,
    /// From 1.
    #[serde(default = "first")]
    #[param(minimum = 1, maximum = 100000, default = 1)]
    pub page: i64,
    /// At most this many.
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub page_size: i64,
}

fn first() -> i64 {
    1
}

fn usual_size() -> i64 {
    100
}

/// Lists the sheets that the account of the bot can see.
#[utoipa::path(get, path = "/api/smartsheet", tag = "smartsheet", params(WhichSheets), responses((status = 200, body = ListedSheets), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    UrlQuery(which): UrlQuery<WhichSheets>,
) -> Result<Json<ListedSheets>> {
    caller.needs(Scope::Read)?;
    let (most, skip) = Page { page: which.page, page_size: which.page_size }.window(LARGEST_PAGE)?;
    let part = which.name.unwrap_or_default().trim().to_lowercase();
    if part.chars().count() > LONGEST_NAME {
        return Err(Problem::not_valid(format!("name has at most {LONGEST_NAME} characters.")));
    }
    let mut fits: Vec<SheetEntry> = api.directory().await?.iter().filter(|s| s.name.to_lowercase().contains(&part)).cloned().collect();
    fits.sort_by(|a, b| b.modified_at.cmp(&a.modified_at));
    let total = fits.len();
    let (most, skip) = (usize::try_from(most).unwrap_or(0), usize::try_from(skip).unwrap_or(0));
    let listed = |s: SheetEntry| ListedSheet { id: s.id.to_string(), name: s.name, permalink: s.permalink, modified_at: s.modified_at };
    Ok(Json(ListedSheets { sheets: fits.into_iter().skip(skip).take(most).map(listed).collect(), total }))
}

impl Api {
    /// The sheets that the account of the bot can see, as they were some seconds ago.
    async fn directory(&self) -> Result<Arc<Vec<SheetEntry>>> {
        if let Some(known) = self.directory.get(&()).await {
            return Ok(known);
        }
        let all = Arc::new(self.parts.sheets.client().sheets(&Identity::Service).await.map_err(smartsheet_trouble)?);
        self.directory.insert((), all.clone()).await;
        Ok(all)
    }

    /// The id of the sheet that a path names by its id or its name; a part of the name is enough where nothing is changed.
    pub(super) async fn sheet_named(&self, word: &str, part: bool) -> Result<SheetId> {
        if let Ok(id) = SheetId::try_from(word.to_owned()) {
            return Ok(id);
        }
        match among(self.directory().await?.to_vec(), word)? {
            Match::One(sheet) if part || sheet.name.to_lowercase() == word.trim().to_lowercase() => Ok(SheetId(sheet.id)),
            Match::One(sheet) => {
                let detail = format!("Did you mean {} ({})? What is changed has to be named in full, or by its id.", sheet.name, sheet.id);
                Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail))
            }
            Match::Several(sheets) => Err(Problem::several_sheets(&sheets)),
            Match::None(_) => {
                let name = chat::text::shorten(word.trim(), 50);
                let detail = format!("There is no sheet called {name} that the bot can see; GET /api/smartsheet lists them.");
                Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail))
            }
        }
    }
}

/// Reads what a sheet is called and made of.
#[utoipa::path(get, path = "/api/smartsheet/{sheetId}", tag = "smartsheet", params(("sheetId" = String, Path, description = "The id of the sheet, or its name")), responses((status = 200, body = Sheet), (status = 304, description = "It is as the ETag in If-None-Match says."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
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
    let tag = format!("W/\"{}-{}{day}\"", snapshot.id, snapshot.version);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let caching = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if known.split(',').any(|k| k.trim() == tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    (caching, Json(answer(snapshot))).into_response()
}
