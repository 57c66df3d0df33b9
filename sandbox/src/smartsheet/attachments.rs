//! Attachments: links and files on sheets and rows.

use super::Service;
use super::error::Failure;
use super::samples::PEOPLE;
use super::sheets::paged;
use super::world::World;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

/// The service's own limit of a file.
const LARGEST: usize = 30 << 20;
/// How long the address of a file holds.
const URL_LIVES_MS: u64 = 120_000;

/// A file or a link.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub id: i64,
    pub sheet: i64,
    pub row: Option<i64>,
    name: String,
    created_at: String,
    what: What,
}

/// What is attached.
#[derive(Clone, Debug)]
enum What {
    Link { kind: String, url: String },
    File { mime: String, bytes: Bytes },
}

/// An attachment in a list, without its address.
fn json_of(one: &Attachment) -> Value {
    let mut json = json!({
        "id": one.id, "name": one.name, "parentType": if one.row.is_some() { "ROW" } else { "SHEET" }, "parentId": one.row.unwrap_or(one.sheet),
        "createdAt": one.created_at, "createdBy": { "name": PEOPLE[3].0, "email": PEOPLE[3].1 },
    });
    match &one.what {
        What::Link { kind, .. } => json["attachmentType"] = json!(kind),
        What::File { mime, bytes } => {
            json["attachmentType"] = json!("FILE");
            json["mimeType"] = json!(mime);
            json["sizeInKb"] = json!(bytes.len().div_ceil(1024));
        }
    }
    json
}

pub(super) async fn of_sheet(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params) -> Reply {
    let world = service.world();
    world.sheet(sheet)?;
    Ok(Json(paged(world.attachments.iter().filter(|one| one.sheet == sheet).map(json_of).collect(), &params)))
}

pub(super) async fn of_row(State(service): State<Arc<Service>>, Path((sheet, row)): Path<(i64, i64)>, Query(params): Params) -> Reply {
    let world = service.world();
    world.sheet(sheet)?.position(row).ok_or_else(Failure::not_found)?;
    Ok(Json(paged(world.attachments.iter().filter(|one| one.row == Some(row)).map(json_of).collect(), &params)))
}

/// One attachment, with the address from which it can be had for two minutes.
pub(super) async fn read(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    let world = service.world();
    let found = find(&world, sheet, id)?;
    let mut json = json_of(found);
    json["url"] = match &found.what {
        What::Link { url, .. } => json!(url),
        What::File { .. } => {
            json["urlExpiresInMillis"] = json!(URL_LIVES_MS);
            json!(format!("{}/files/{sheet}/{id}", world.origin))
        }
    };
    Ok(Json(json))
}

/// The bytes of a file, at the address that `read` gives.
pub(super) async fn download(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Result<Response, Failure> {
    let world = service.world();
    match &find(&world, sheet, id)?.what {
        What::File { mime, bytes } => Ok(([(header::CONTENT_TYPE, mime.clone())], bytes.clone()).into_response()),
        What::Link { .. } => Err(Failure::not_found()),
    }
}

fn find(world: &World, sheet: i64, id: i64) -> Result<&Attachment, Failure> {
    world.attachments.iter().find(|one| one.sheet == sheet && one.id == id).ok_or_else(Failure::not_found)
}

pub(super) async fn on_sheet(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, headers: HeaderMap, body: Bytes) -> Reply {
    attach(&service, sheet, None, &headers, body).await
}

pub(super) async fn on_row(
    State(service): State<Arc<Service>>,
    Path((sheet, row)): Path<(i64, i64)>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    service.world().sheet(sheet)?.position(row).ok_or_else(Failure::not_found)?;
    attach(&service, sheet, Some(row), &headers, body).await
}

async fn attach(service: &Service, sheet: i64, row: Option<i64>, headers: &HeaderMap, body: Bytes) -> Reply {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mime = text(header::CONTENT_TYPE);
    let (name, what) =
        if mime.starts_with("application/json") { link(&body)? } else { file(&text(header::CONTENT_DISPOSITION), mime, body)? };
    service
        .write(sheet, |world| {
            world.sheet(sheet)?;
            let one = Attachment { id: world.new_id(), sheet, row, name, created_at: world.timestamp(), what };
            let result = json_of(&one);
            let version = world.touched(sheet, json!({ "objectType": "attachment", "eventType": "created", "id": one.id }));
            world.attachments.push(one);
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

fn link(body: &[u8]) -> Result<(String, What), Failure> {
    let input: Value = serde_json::from_slice(body).map_err(|_| Failure::new(1282, "Invalid JSON in request body."))?;
    let missing =
        |what: &str| Failure::new(1012, format!("Required object attribute(s) are missing from your request: attachment.{what}."));
    let word = |key: &str| input[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned).ok_or_else(|| missing(key));
    let (name, kind, url) = (word("name")?, word("attachmentType")?, word("url")?);
    if kind == "FILE" || url::Url::parse(&url).is_err() {
        return Err(Failure::new(1031, "The attribute attachment.url is invalid."));
    }
    Ok((name, What::Link { kind, url }))
}

fn file(disposition: &str, mime: String, bytes: Bytes) -> Result<(String, What), Failure> {
    let name = disposition.split_once("filename=").map(|(_, name)| name.trim_matches('"').to_owned()).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::new(1009, "Required header(s) are missing: Content-Disposition with a filename."))?;
    if bytes.len() > LARGEST {
        return Err(Failure::new(1061, "The maximum size of an attachment (30 MB) has been exceeded."));
    }
    Ok((name, What::File { mime, bytes }))
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    service
        .write(sheet, |world| {
            find(world, sheet, id)?;
            world.attachments.retain(|one| one.id != id);
            let version = world.touched(sheet, json!({ "objectType": "attachment", "eventType": "deleted", "id": id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version })))
        })
        .await
}
