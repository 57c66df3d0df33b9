//! The page itself, its first rows written by the server; the stylesheet of its columns; the sheet on paper.

use super::cells::{Shown, kind, shown, visible, width};
use super::visit::{Visit, refused, shown as answer};
use super::work::Work;
use super::{Viewer, visit};
use crate::server::api::{Fields, Result};
use crate::sheet::{Snapshot, SnapshotRow};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use url::Url;

/// Rows that stand in the page before its script has read the sheet.
const FIRST_ROWS: usize = 60;
/// Rows on paper.
const PRINTED_ROWS: usize = 1_000;

#[derive(Template)]
#[template(path = "sheet.html")]
struct Page<'a> {
    id: &'a str,
    sheet: &'a Snapshot,
    session: &'a str,
    /// The name of the person whose link it is.
    person: Option<&'a str>,
    writable: bool,
    columns: Vec<Head<'a>>,
    rows: Vec<Row>,
    work: Work,
    thread: Option<Url>,
    until: String,
    read_at: String,
}

#[derive(Template)]
#[template(path = "print.html")]
struct Printed<'a> {
    sheet: &'a Snapshot,
    columns: Vec<Head<'a>>,
    rows: Vec<Row>,
    total: usize,
    read_at: String,
}

struct Head<'a> {
    title: &'a str,
    kind: &'static str,
}

struct Row {
    number: u32,
    level: u16,
    is_parent: bool,
    cells: Vec<(&'static str, Shown)>,
}

/// What of a sheet is printed; all of it when nothing is said.
#[derive(Default, Deserialize)]
pub(super) struct Selected {
    /// Ids of rows in their order, with hyphens in between.
    #[serde(default)]
    rows: String,
    /// Ids of columns in the same way.
    #[serde(default)]
    columns: String,
}

impl Selected {
    fn rows<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a SnapshotRow> {
        if self.rows.is_empty() {
            return snapshot.rows.iter().collect();
        }
        let all: HashMap<i64, &SnapshotRow> = snapshot.rows.iter().map(|r| (r.id, r)).collect();
        self.rows.split('-').filter_map(|id| all.get(&id.parse().ok()?).copied()).collect()
    }

    fn columns(&self, snapshot: &Snapshot) -> Vec<usize> {
        let wanted: HashSet<i64> = self.columns.split('-').filter_map(|id| id.parse().ok()).collect();
        visible(snapshot).into_iter().filter(|at| wanted.is_empty() || wanted.contains(&snapshot.columns[*at].id)).collect()
    }
}

fn heads<'a>(snapshot: &'a Snapshot, columns: &[usize]) -> Vec<Head<'a>> {
    columns.iter().map(|at| Head { title: &snapshot.columns[*at].title, kind: kind(&snapshot.columns[*at]) }).collect()
}

fn row(snapshot: &Snapshot, row: &SnapshotRow, columns: &[usize]) -> Row {
    let cells = columns.iter().map(|at| (kind(&snapshot.columns[*at]), shown(snapshot, row, *at))).collect();
    Row { number: row.number, level: row.level + 1, is_parent: row.is_parent, cells }
}

fn hour(at: Timestamp) -> String {
    format!("{} UTC", at.strftime("%Y-%m-%d %H:%M"))
}

/// The page of a link.
pub(super) async fn sheet(State(viewer): State<Arc<Viewer>>, visit: Visit) -> Response {
    match sheet_page(&viewer, &visit).await {
        Ok(response) => response,
        Err(problem) => refused(true, problem),
    }
}

async fn sheet_page(viewer: &Viewer, visit: &Visit) -> Result<Response> {
    let (link, parts) = (&visit.link, &viewer.api.parts);
    let snapshot = viewer.sheet(link).await?;
    let columns = visible(&snapshot);
    let thread = parts.store.thread_of_session(&link.session).await?;
    let thread = thread.and_then(|t| viewer.chats.get(&t.key.platform)?.thread_url(&t.anchor));
    let page = Page {
        id: &visit.id,
        sheet: &snapshot,
        session: &link.session,
        person: link.person.as_ref().map(|p| p.name.as_deref().unwrap_or(&p.id)),
        writable: link.person.is_some() && snapshot.writable(),
        columns: heads(&snapshot, &columns),
        rows: snapshot.rows.iter().take(FIRST_ROWS).map(|r| row(&snapshot, r, &columns)).collect(),
        work: viewer.work(visit, &snapshot).await?,
        thread,
        until: Timestamp::from_millisecond(link.until_ms).map(hour).unwrap_or_default(),
        read_at: hour(snapshot.read_at),
    };
    Ok(answer(StatusCode::OK, &page))
}

/// Widths of the columns: the page may not say them itself.
pub(super) async fn columns(State(viewer): State<Arc<Viewer>>, visit: Visit) -> Response {
    let snapshot = match viewer.sheet(&visit.link).await {
        Ok(snapshot) => snapshot,
        Err(problem) => return refused(false, problem),
    };
    let widths: Vec<String> = visible(&snapshot).iter().map(|at| format!("{}px", width(&snapshot.columns[*at]))).collect();
    let (first, others) = widths.split_first().map(|(first, others)| (first.as_str(), others.join(" "))).unwrap_or_default();
    let style = format!(":root {{ --first: {first}; --columns: {others}; --rows: {}; }}\n", snapshot.rows.len());
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], style).into_response()
}

/// The sheet on paper: a plain table. The page says which rows and columns it shows; they would be too many for an address.
pub(super) async fn print(
    State(viewer): State<Arc<Viewer>>,
    visit: Visit,
    headers: HeaderMap,
    Fields(selected): Fields<Selected>,
) -> Response {
    let snapshot = match viewer.sheet(&visit.link).await {
        Ok(snapshot) => snapshot,
        Err(problem) => return refused(visit::wants_html(&headers), problem),
    };
    let (columns, fits) = (selected.columns(&snapshot), selected.rows(&snapshot));
    let page = Printed {
        sheet: &snapshot,
        columns: heads(&snapshot, &columns),
        rows: fits.iter().take(PRINTED_ROWS).map(|r| row(&snapshot, r, &columns)).collect(),
        total: fits.len(),
        read_at: hour(snapshot.read_at),
    };
    answer(StatusCode::OK, &page)
}
