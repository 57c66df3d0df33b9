//! `/api/docs`: the description of the API as one page without scripts, made from the same document as `openapi.json`.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use std::fmt::Write;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// A page that is made once.
#[derive(Clone)]
pub(super) struct Page(Bytes);

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>ChatSheetAI: the API</title><link rel=\"stylesheet\" href=\"/api/docs.css\"><main>";

/// The style of the page.
pub(super) const STYLE: &str = include_str!("page.css");

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        ([(header::CONTENT_SECURITY_POLICY, policy)], Html(self.0)).into_response()
    }
}

/// The page of a document.
pub(super) fn of(document: &OpenApi) -> Page {
    let mut html = HEAD.to_owned();
    let _ = write!(html, "<h1>{}</h1><p>{}</p>", escape(&document.info.title), text(document.info.description.as_deref()));
    let _ = write!(html, "<p><a href=\"/api/openapi.json\">openapi.json</a></p>");
    for tag in document.tags.iter().flatten() {
        let _ = write!(html, "<h2>{}</h2><p>{}</p>", escape(&tag.name), text(tag.description.as_deref()));
        for (path, item) in &document.paths.paths {
            let methods = [("GET", &item.get), ("POST", &item.post), ("PATCH", &item.patch), ("PUT", &item.put), ("DELETE", &item.delete)];
            for (method, operation) in methods.into_iter().filter_map(|(m, o)| o.as_ref().map(|o| (m, o))) {
                if operation.tags.iter().flatten().any(|t| *t == tag.name) {
                    operation_html(&mut html, method, path, operation);
                }
            }
        }
    }
    let _ = write!(html, "<h2>Shapes</h2>");
    for (name, schema) in document.components.iter().flat_map(|c| &c.schemas) {
        schema_html(&mut html, name, schema);
    }
    html.push_str("</main></html>");
    Page(html.into())
}

fn operation_html(html: &mut String, method: &str, path: &str, operation: &Operation) {
    let _ = write!(html, "<section><h3><b>{method}</b> <code>{}</code></h3>", escape(path));
    let _ = write!(html, "<p>{}</p><dl>", text(operation.summary.as_deref()));
    for parameter in operation.parameters.iter().flatten().filter_map(known) {
        let _ = write!(html, "<dt><code>{}</code></dt><dd>{}</dd>", escape(&parameter.name), text(parameter.description.as_deref()));
    }
    for content in operation.request_body.iter().filter_map(known).flat_map(|b| b.content.values()).filter_map(known) {
        let _ = write!(html, "<dt>body</dt><dd>{}</dd>", reference(content.schema.as_ref()));
    }
    for (status, response) in &operation.responses.responses {
        let Some(response) = known(response) else { continue };
        let shape = response.content.values().filter_map(known).map(|c| reference(c.schema.as_ref())).collect::<String>();
        let _ = write!(html, "<dt>{}</dt><dd>{} {}</dd>", escape(status), escape(&response.description), shape);
    }
    html.push_str("</dl></section>");
}

fn schema_html(html: &mut String, name: &str, schema: &RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let _ = write!(html, "<section id=\"{0}\"><h3>{0}</h3><p>{1}</p><dl>", escape(name), text(object.description.as_deref()));
    for (field, shape) in &object.properties {
        let needed = if object.required.contains(field) { " (required)" } else { "" };
        let words = match shape {
            RefOr::T(Schema::Object(o)) => text(o.description.as_deref()),
            RefOr::T(Schema::Array(a)) => text(a.description.as_deref()),
            other => reference(Some(other)),
        };
        let _ = write!(html, "<dt><code>{}</code>{needed}</dt><dd>{words}</dd>", escape(field));
    }
    html.push_str("</dl></section>");
}

/// What stands here itself.
fn known<T>(here: &RefOr<T>) -> Option<&T> {
    match here {
        RefOr::T(it) => Some(it),
        RefOr::Ref(_) => None,
    }
}

/// A link to the shape that is meant.
fn reference(schema: Option<&RefOr<Schema>>) -> String {
    match schema {
        Some(RefOr::Ref(r)) => {
            let name = escape(r.ref_location.rsplit('/').next().unwrap_or_default());
            format!("<a href=\"#{name}\">{name}</a>")
        }
        _ => String::new(),
    }
}

fn text(words: Option<&str>) -> String {
    // Backquotes set code off, here as in the sources.
    escape(words.unwrap_or_default())
        .split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
