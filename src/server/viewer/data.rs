//! The sheet as the page reads it: column by column, values that come again written once. A tenth of Smartsheet's own form.

use super::assets::{gzip, knows, takes_gzip};
use super::cells::{kind, sign, visible, width};
use super::visit::{Visit, refused};
use super::{Viewer, visit};
use crate::server::api::Problem;
use crate::sheet::{Cell, Snapshot, SnapshotColumn};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;

/// A column with more different values than this names them row by row.
const MOST_DISTINCT: usize = 2_000;
/// People who are offered when a contact is chosen.
const MOST_PEOPLE: usize = 200;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    version: i64,
    columns: Vec<Column<'a>>,
    ids: Vec<String>,
    /// Positions of the rows above in the hierarchy, -1 for none.
    parents: Vec<i32>,
    /// Row, column (in this order), target.
    links: Vec<(usize, usize, &'a str)>,
    people: Vec<(String, String)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Column<'a> {
    id: String,
    title: &'a str,
    kind: &'static str,
    #[serde(rename = "type")]
    smartsheet_type: &'a str,
    width: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    options: &'a [String],
    /// How each option looks in a column of symbols: a sign, and its colour where that is what it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signs: Vec<Vec<&'static str>>,
    /// What cells hold: null, a value that looks as it is, or a value with how it looks.
    values: Box<RawValue>,
    /// Which of them each row has; each its own when unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<u32>>,
}

/// Reads the sheet, unless the page has this version.
pub(super) async fn read(State(viewer): State<Arc<Viewer>>, visit: Visit, headers: HeaderMap) -> Response {
    match answer(&viewer, &visit, &headers).await {
        Ok(response) => response,
        Err(problem) => refused(visit::wants_html(&headers), problem),
    }
}

async fn answer(viewer: &Viewer, visit: &Visit, headers: &HeaderMap) -> crate::server::api::Result<Response> {
    let snapshot = viewer.sheet(&visit.link).await?;
    let tag = format!("\"{}\"", snapshot.version);
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "private, no-cache"), (header::VARY, "accept-encoding")];
    if knows(headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    if !takes_gzip(headers) {
        return Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", "Sheets come compressed: send Accept-Encoding: gzip."));
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let (key, of) = ((snapshot.id, snapshot.version), snapshot.clone());
    let pack = async {
        let packed = tokio::task::spawn_blocking(move || anyhow::Ok(gzip(&written(&of)?)));
        packed.await.map_err(anyhow::Error::from)?
    };
    let packed: Bytes = viewer.data.try_get_with(key, pack).await.map_err(|e| anyhow::anyhow!("{e:#}"))?;
    Ok((caching, kind, [(header::CONTENT_ENCODING, "gzip")], packed).into_response())
}

fn written(snapshot: &Snapshot) -> anyhow::Result<Vec<u8>> {
    // What Smartsheet hides is not handed out to whoever looks into the page.
    let order = visible(snapshot);
    let position: HashMap<i64, i32> = snapshot.rows.iter().zip(0..).map(|(r, i)| (r.id, i)).collect();
    let place: HashMap<usize, usize> = order.iter().enumerate().map(|(shown, at)| (*at, shown)).collect();
    let mut links = Vec::new();
    for (i, row) in snapshot.rows.iter().enumerate() {
        for (at, link) in snapshot.hyperlinks.get(&row.id).into_iter().flatten() {
            links.extend(place.get(&usize::from(*at)).zip(link.url.as_deref()).map(|(place, url)| (i, *place, url)));
        }
    }
    let data = Data {
        version: snapshot.version,
        columns: order.iter().map(|at| column(snapshot, *at)).collect::<anyhow::Result<_>>()?,
        ids: snapshot.rows.iter().map(|r| r.id.to_string()).collect(),
        parents: snapshot.rows.iter().map(|r| r.parent.and_then(|p| position.get(&p).copied()).unwrap_or(-1)).collect(),
        links,
        people: snapshot.people().into_iter().take(MOST_PEOPLE).collect(),
    };
    Ok(serde_json::to_vec(&data)?)
}

fn column(snapshot: &Snapshot, at: usize) -> anyhow::Result<Column<'_>> {
    let column = &snapshot.columns[at];
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut rows = Vec::with_capacity(snapshot.rows.len());
    let mut values: Vec<String> = Vec::new();
    for row in &snapshot.rows {
        let value = value(column, &row.cells[at])?;
        let next = known.len() as u32;
        rows.push(*known.entry(value).or_insert(next));
        if known.len() > MOST_DISTINCT {
            break;
        }
    }
    let few = rows.len() == snapshot.rows.len();
    if few {
        values.resize(known.len(), String::new());
        known.into_iter().for_each(|(value, i)| values[i as usize] = value);
    } else {
        values = snapshot.rows.iter().map(|r| value(column, &r.cells[at])).collect::<anyhow::Result<_>>()?;
    }
    Ok(Column {
        id: column.id.to_string(),
        title: &column.title,
        kind: kind(column),
        smartsheet_type: &column.kind,
        width: width(column),
        read_only: column.read_only.as_deref(),
        options: &column.options,
        signs: signs(column),
        values: RawValue::from_string(format!("[{}]", values.join(",")))?,
        rows: few.then_some(rows),
    })
}

fn signs(column: &SnapshotColumn) -> Vec<Vec<&'static str>> {
    let Some(symbol) = column.symbol.as_deref() else { return Vec::new() };
    column
        .options
        .iter()
        .map(|option| sign(symbol, option).map(|(sign, colour)| std::iter::once(sign).chain(colour).collect()).unwrap_or_default())
        .collect()
}

/// A cell as JSON: its value alone where that looks as it is.
fn value(column: &SnapshotColumn, cell: &Cell) -> anyhow::Result<String> {
    let (value, shown) = (cell.to_json(), cell.shown(&column.style));
    let alike = match cell {
        Cell::Empty | Cell::Bool(_) => true,
        Cell::Text(text) => **text == *shown,
        Cell::Number(n) => n.abs() < 1e15 && n.to_string() == shown,
        Cell::Named(_) | Cell::Several(_) | Cell::Styled(_) => false,
    };
    Ok(if alike { value.to_string() } else { serde_json::to_string(&(value, shown))? })
}
