//! The page behind a permalink: a plain read-only table, so that links of the sandbox lead somewhere.

use super::Service;
use super::world::{Sheet, shown};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
    Query(params): Query<BTreeMap<String, String>>,
) -> Response {
    let marked = params.get("rowId").and_then(|r| r.parse::<i64>().ok());
    let world = service.world();
    let Ok(sheet) = world.sheet(id) else { return StatusCode::NOT_FOUND.into_response() };
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(html(sheet, marked))).into_response()
}

fn html(sheet: &Sheet, marked: Option<i64>) -> String {
    let escape = |s: &str| s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let heads: String = sheet.columns.iter().map(|c| format!("<th>{}</th>", escape(&c.title))).collect();
    let mut levels: BTreeMap<i64, usize> = BTreeMap::new();
    let mut body = String::new();
    for row in &sheet.rows {
        let level = row.parent.and_then(|p| levels.get(&p)).map_or(0, |l| l + 1);
        levels.insert(row.id, level);
        let class = if marked == Some(row.id) { " class=\"marked\"" } else { "" };
        body.push_str(&format!("<tr{class}>"));
        for column in &sheet.columns {
            let text = row.cells.get(&column.id).map(shown).unwrap_or_default();
            let indent = if column.primary { "&emsp;".repeat(level) } else { String::new() };
            body.push_str(&format!("<td>{indent}{}</td>", escape(&text)));
        }
        body.push_str("</tr>");
    }
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0} – sandbox</title>\
         <style>body{{font:14px sans-serif;margin:1.5rem}}table{{border-collapse:collapse}}td,th{{border:1px solid #ccc;\
         padding:4px 8px;text-align:left;vertical-align:top}}.marked td{{background:#fff3bf}}</style>\
         <h1>{0}</h1><p>A sheet of the sandbox, version {1}.</p><table><tr>{heads}</tr>{body}</table></html>",
        escape(&sheet.name),
        sheet.version
    )
}
