//! `/api/docs`: the description of the API as one page without scripts, made from the same document as `openapi.json`.

use super::examples::type_of;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use serde_json::Value;
use std::fmt::Write;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{OpenApi, RefOr, Schema};

/// A page that is made once.
#[derive(Clone)]
pub(super) struct Page(Bytes);

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>ChatSheetAI: the API</title><link rel=\"stylesheet\" href=\"/api/docs.css\"><main>";

/// Answers that every operation may give; the page says so once.
const SAID_ONCE: [&str; 3] = ["4XX", "500", "503"];
const ANSWERS: &str = "Any request may be answered with 4XX (a problem whose `code` says what to do), 500 (our fault; `reference` names the line in the log) or 503 (Smartsheet, the model or the database does not answer, or a limit is used up; `Retry-After` says when to try again). The body is then a `Problem`.";

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
    let _ = write!(html, "<p>{}</p><p><a href=\"/api/openapi.json\">openapi.json</a></p><nav><ul>", text(Some(ANSWERS)));
    for tag in document.tags.iter().flatten() {
        let _ = write!(html, "<li><a href=\"#{0}\">{0}</a><ul>", escape(&tag.name));
        for (method, path, operation) in operations(document, &tag.name) {
            let (to, summary) = (anchor(method, path), text(operation.summary.as_deref()));
            let _ = write!(html, "<li><a href=\"#{to}\"><b>{method}</b> <code>{}</code></a> {summary}</li>", escape(path));
        }
        html.push_str("</ul></li>");
    }
    html.push_str("<li><a href=\"#shapes\">Shapes</a></li></ul></nav>");
    for tag in document.tags.iter().flatten() {
        let _ = write!(html, "<h2 id=\"{0}\">{0}</h2><p>{1}</p>", escape(&tag.name), text(tag.description.as_deref()));
        for (method, path, operation) in operations(document, &tag.name) {
            operation_html(&mut html, method, path, operation);
        }
    }
    html.push_str("<h2 id=\"shapes\">Shapes</h2>");
    for (name, schema) in document.components.iter().flat_map(|c| &c.schemas) {
        schema_html(&mut html, name, schema);
    }
    html.push_str("</main></html>");
    Page(html.into())
}

/// What belongs to a tag: method, path and what it does.
fn operations<'a>(document: &'a OpenApi, tag: &'a str) -> impl Iterator<Item = (&'static str, &'a str, &'a Operation)> {
    let all = document.paths.paths.iter().flat_map(|(path, item)| {
        let methods = [("GET", &item.get), ("POST", &item.post), ("PATCH", &item.patch), ("PUT", &item.put), ("DELETE", &item.delete)];
        methods.into_iter().filter_map(move |(method, operation)| operation.as_ref().map(|o| (method, path.as_str(), o)))
    });
    all.filter(move |(_, _, operation)| operation.tags.iter().flatten().any(|t| t == tag))
}

fn anchor(method: &str, path: &str) -> String {
    let words: Vec<&str> = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    format!("{}-{}", method.to_lowercase(), words.join("-"))
}

fn operation_html(html: &mut String, method: &str, path: &str, operation: &Operation) {
    let _ = write!(html, "<section id=\"{}\"><h3><b>{method}</b> <code>{}</code></h3>", anchor(method, path), escape(path));
    let _ = write!(html, "<p>{}</p><dl>", text(operation.summary.as_deref()));
    for parameter in operation.parameters.iter().flatten().filter_map(known) {
        let kind = parameter.schema.as_ref().map(type_of).unwrap_or_default();
        let words = text(parameter.description.as_deref());
        let _ = write!(html, "<dt><code>{}</code> {kind}</dt><dd>{words}</dd>", escape(&parameter.name));
    }
    for content in operation.request_body.iter().filter_map(known).flat_map(|b| b.content.values()).filter_map(known) {
        let _ = write!(html, "<dt>body</dt><dd>{}{}</dd>", reference(content.schema.as_ref()), example(content.example.as_ref()));
    }
    for (status, response) in &operation.responses.responses {
        let Some(response) = known(response).filter(|_| !SAID_ONCE.contains(&status.as_str())) else { continue };
        let contents: Vec<_> = response.content.values().filter_map(known).collect();
        let shape = contents.iter().map(|c| reference(c.schema.as_ref())).collect::<String>();
        let shown = contents.iter().map(|c| example(c.example.as_ref())).collect::<String>();
        let _ = write!(html, "<dt>{}</dt><dd>{} {shape}{shown}</dd>", escape(status), text(Some(&response.description)));
    }
    html.push_str("</dl></section>");
}

/// An example as it goes over the wire, with line breaks.
fn example(value: Option<&Value>) -> String {
    let written = value.and_then(|value| serde_json::to_string_pretty(value).ok());
    written.map(|json| format!("<pre tabindex=\"0\"><code>{}</code></pre>", escape(&json))).unwrap_or_default()
}

fn schema_html(html: &mut String, name: &str, schema: &RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    let _ = write!(html, "<section id=\"{0}\"><h3>{0}</h3><p>{1}</p><dl>", escape(name), text(object.description.as_deref()));
    for (field, shape) in &object.properties {
        let needed = if object.required.contains(field) { ", required" } else { "" };
        let words = match shape {
            RefOr::T(Schema::Object(o)) => text(o.description.as_deref()),
            RefOr::T(Schema::Array(a)) => text(a.description.as_deref()),
            other => reference(Some(other)),
        };
        let _ = write!(html, "<dt><code>{}</code> {}{needed}</dt><dd>{words}</dd>", escape(field), type_of(shape));
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
