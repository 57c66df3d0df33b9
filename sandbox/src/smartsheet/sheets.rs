//! Sheets, workspaces and `/users/me`: reading with paging and projections, creating, renaming.

use super::Service;
use super::accounts::{PERSON, level};
use super::cells::{Details, row_json};
use super::columns::new_column;
use super::error::Failure;
use super::rows::{row_link, written_by};
use super::samples::PEOPLE;
use super::world::{Row, Sheet, World};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

const WORKSPACE: i64 = 7_116_448_184_199_044;

pub(super) async fn me() -> Json<Value> {
    let own = PERSON.try_with(|p| p.as_ref().map(|p| p.email.clone())).ok().flatten();
    let (name, email) = own.as_deref().map_or(PEOPLE[3], |email| (email.split('@').next().unwrap_or_default(), email));
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    Json(json!({
        "id": 48_569_348_493_401_200_i64, "email": email, "firstName": first, "lastName": last, "locale": "en_US",
        "timeZone": "Etc/UTC", "account": { "id": 1_234_567, "name": "Sandbox" }, "admin": true, "licensedSheetCreator": true,
    }))
}

pub(super) async fn list(State(service): State<Arc<Service>>, Query(params): Params) -> Reply {
    let world = service.world();
    let with_version = params.get("include").is_some_and(|i| i.contains("sheetVersion"));
    let data: Vec<Value> = world.sheets.values().filter_map(|s| summary(&world, s, with_version)).collect();
    Ok(Json(paged(data, &params)))
}

/// A sheet in a list, if whoever asks sees it.
pub(super) fn summary(world: &World, sheet: &Sheet, with_version: bool) -> Option<Value> {
    let mut json = json!({
        "id": sheet.id, "name": sheet.name, "accessLevel": level(&sheet.name, sheet.access_level)?, "permalink": sheet.permalink(&world.origin),
        "createdAt": sheet.created_at, "modifiedAt": sheet.modified_at,
    });
    if with_version {
        json["version"] = json!(sheet.version);
    }
    Some(json)
}

/// The envelope of listings; a page beyond the end is the last page.
pub(super) fn paged(data: Vec<Value>, params: &BTreeMap<String, String>) -> Value {
    let total = data.len();
    if params.get("includeAll").is_some_and(|v| v == "true") {
        return json!({ "pageNumber": 1, "totalPages": 1, "totalCount": total, "data": data });
    }
    let number = |key: &str, default: usize| params.get(key).and_then(|v| v.parse().ok()).filter(|n| *n > 0).unwrap_or(default);
    let size = number("pageSize", 100);
    let pages = total.div_ceil(size).max(1);
    let page = number("page", 1).min(pages);
    let data: Vec<Value> = data.into_iter().skip((page - 1) * size).take(size).collect();
    json!({ "pageNumber": page, "pageSize": size, "totalPages": pages, "totalCount": total, "data": data })
}

pub(super) async fn version(State(service): State<Arc<Service>>, Path(sheet): Path<i64>) -> Reply {
    Ok(Json(json!({ "version": service.world().sheet(sheet)?.version })))
}

pub(super) async fn read(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
    Query(params): Params,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if headers.get(header::ACCEPT).is_some_and(|kind| kind.as_bytes().starts_with(b"text/csv")) {
        let text = super::transfer::csv(service.world().sheet(id)?);
        return Ok(([(header::CONTENT_TYPE, "text/csv;charset=UTF-8")], text).into_response());
    }
    Ok(read_json(&service, id, params).await?.into_response())
}

async fn read_json(service: &Service, id: i64, params: BTreeMap<String, String>) -> Reply {
    let mut sheet = service.world().sheet(id)?.clone();
    sheet.access_level = level(&sheet.name, sheet.access_level).unwrap_or("VIEWER");
    let origin = service.world().origin.clone();
    let after = params.get("ifVersionAfter").and_then(|v| v.parse::<i64>().ok());
    if after.is_some_and(|v| sheet.version <= v) {
        return Ok(Json(json!({ "version": sheet.version })));
    }
    // Without the newer API level a commenter looks like a viewer.
    if sheet.access_level == "COMMENTER" && params.get("accessApiLevel").is_none_or(|level| level != "1") {
        sheet.access_level = "VIEWER";
    }
    let discussed = params.get("include").is_some_and(|i| i.contains("discussions"));
    let render = tokio::task::spawn_blocking(move || sheet_json(&sheet, &origin, &params));
    let mut json = render.await.map_err(|_| Failure::new(4000, "An unexpected error has occurred."))?;
    if discussed {
        let world = service.world();
        for row in json["rows"].as_array_mut().into_iter().flatten() {
            let (row_id, all) = (row["id"].as_i64(), &world);
            let hanging = super::discussions::list_json(all, |d| d.row == row_id && row_id.is_some());
            if hanging.as_array().is_some_and(|list| !list.is_empty()) {
                row["discussions"] = hanging;
            }
        }
    }
    Ok(Json(json))
}

pub(super) fn sheet_json(sheet: &Sheet, origin: &str, params: &BTreeMap<String, String>) -> Value {
    let ids =
        |key: &str| -> Option<BTreeSet<i64>> { params.get(key).map(|v| v.split(',').filter_map(|i| i.trim().parse().ok()).collect()) };
    let (row_ids, numbers, column_ids) = (ids("rowIds"), ids("rowNumbers"), ids("columnIds"));
    let modified_since = params.get("rowsModifiedSince");
    let wanted = |(index, row): &(usize, &Row)| {
        row_ids.as_ref().is_none_or(|ids| ids.contains(&row.id))
            && numbers.as_ref().is_none_or(|n| n.contains(&(*index as i64 + 1)))
            && modified_since.is_none_or(|t| row.modified_at.as_str() >= t.as_str())
    };
    let without_filtered = params.get("exclude").is_some_and(|v| v.contains("filteredOutRows"));
    let mut rows: Vec<&Row> =
        sheet.rows.iter().enumerate().filter(wanted).map(|(_, r)| r).filter(|r| !(without_filtered && r.filtered)).collect();
    let page_size = params.get("pageSize").and_then(|v| v.parse::<usize>().ok());
    if params.contains_key("page") || page_size.is_some() {
        let size = page_size.filter(|s| *s > 0).unwrap_or(100);
        let page = params.get("page").and_then(|v| v.parse::<usize>().ok()).unwrap_or(1).max(1);
        rows = rows.into_iter().skip((page - 1) * size).take(size).collect();
    }
    let mut projected = sheet.clone();
    if let Some(ids) = &column_ids {
        projected.columns.retain(|c| ids.contains(&c.id));
    }
    let details = Details::of(params);
    let include = params.get("include").map(String::as_str).unwrap_or_default();
    let positions = Positions::new(sheet);
    let world_link = |row: i64| include.contains("rowPermalink").then(|| format!("{}?rowId={row}", sheet.permalink(origin)));
    let mut rows: Vec<Value> = rows.iter().map(|r| positions.row_json(&projected, r, &details, world_link(r.id))).collect();
    if include.contains("writerInfo") {
        rows.iter_mut().for_each(written_by);
    }
    let level = params.get("level").and_then(|l| l.parse::<u32>().ok()).unwrap_or(0);
    let columns: Vec<Value> = projected.columns.iter().map(|c| column_at_level(sheet.column_json(c), level)).collect();
    let mut json = json!({
        "id": sheet.id, "name": sheet.name, "version": sheet.version, "totalRowCount": sheet.rows.len(),
        "accessLevel": sheet.access_level, "effectiveAttachmentOptions": ["FILE", "LINK"], "ganttEnabled": sheet.project,
        "dependenciesEnabled": sheet.project, "resourceManagementEnabled": false, "cellImageUploadEnabled": true,
        "userSettings": { "criticalPathEnabled": false, "displaySummaryTasks": true },
        "permalink": sheet.permalink(origin), "createdAt": sheet.created_at, "modifiedAt": sheet.modified_at,
        "isMultiPicklistEnabled": true, "columns": columns, "rows": rows,
    });
    if sheet.project {
        let week = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"];
        json["projectSettings"] = json!({ "workingDays": week, "nonWorkingDays": sheet.holidays, "lengthOfDay": 8 });
    }
    json
}

/// Below level 2 multi-picklists, below level 1 multi-contacts look like text.
pub(super) fn column_at_level(mut column: Value, level: u32) -> Value {
    let hidden = match column["type"].as_str() {
        Some("MULTI_PICKLIST") => level < 2,
        Some("MULTI_CONTACT_LIST") => level < 1,
        _ => false,
    };
    if hidden {
        column["type"] = json!("TEXT_NUMBER");
    }
    column
}

/// Row numbers and siblings of a whole sheet, looked up once instead of once a row.
struct Positions {
    by_row: BTreeMap<i64, (usize, Option<i64>)>,
}

impl Positions {
    fn new(sheet: &Sheet) -> Self {
        let mut last: BTreeMap<Option<i64>, i64> = BTreeMap::new();
        let entry = |(index, row): (usize, &Row)| (row.id, (index + 1, last.insert(row.parent, row.id)));
        Self { by_row: sheet.rows.iter().enumerate().map(entry).collect() }
    }

    fn row_json(&self, sheet: &Sheet, row: &Row, details: &Details, link: Option<String>) -> Value {
        let alone = Sheet { rows: vec![row.clone()], ..sheet_without_rows(sheet) };
        let mut json = row_json(&alone, row, details, link);
        if let Some((number, sibling)) = self.by_row.get(&row.id) {
            json["rowNumber"] = json!(number);
            if let Some(sibling) = sibling {
                json["siblingId"] = json!(sibling);
            }
        }
        json
    }
}

fn sheet_without_rows(sheet: &Sheet) -> Sheet {
    Sheet {
        id: sheet.id,
        name: String::new(),
        version: sheet.version,
        columns: sheet.columns.clone(),
        rows: Vec::new(),
        created_at: String::new(),
        modified_at: String::new(),
        access_level: sheet.access_level,
        project: sheet.project,
        holidays: Vec::new(),
        near: Default::default(),
    }
}

pub(super) async fn create(State(service): State<Arc<Service>>, Json(body): Json<Value>) -> Reply {
    make_sheet(&mut service.world(), &body)
}

pub(super) async fn create_in_workspace(State(service): State<Arc<Service>>, Path(workspace): Path<i64>, Json(body): Json<Value>) -> Reply {
    known_workspace(workspace)?;
    make_sheet(&mut service.world(), &body)
}

fn make_sheet(world: &mut World, body: &Value) -> Reply {
    let name = body["name"]
        .as_str()
        .filter(|n| !n.is_empty())
        .ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: sheet.name."))?;
    let columns =
        body["columns"].as_array().filter(|c| !c.is_empty()).ok_or_else(|| Failure::new(1054, "fromId or columns is required."))?;
    let (id, now) = (world.new_id(), world.timestamp());
    let mut sheet = Sheet {
        id,
        name: name.into(),
        version: 1,
        columns: Vec::new(),
        rows: Vec::new(),
        created_at: now.clone(),
        modified_at: now,
        access_level: "OWNER",
        project: false,
        holidays: Vec::new(),
        near: Default::default(),
    };
    for column in columns {
        let fields = column.as_object().ok_or_else(|| Failure::new(1008, "Unable to parse request."))?;
        let made = new_column(&sheet, world.new_id(), fields)?;
        sheet.columns.push(made);
    }
    if sheet.columns.iter().filter(|c| c.primary).count() != 1 {
        return Err(Failure::new(1055, "A sheet has exactly one primary column."));
    }
    let mut result = summary(world, &sheet, false).unwrap_or_default();
    result["columns"] = sheet.columns.iter().map(|c| sheet.column_json(c)).collect();
    world.sheets.insert(id, sheet);
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "result": result })))
}

pub(super) async fn update(State(service): State<Arc<Service>>, Path(id): Path<i64>, Json(body): Json<Value>) -> Reply {
    service
        .write(id, |world| {
            let sheet = world.sheet_mut(id)?;
            if let Some(name) = body["name"].as_str() {
                sheet.name = name.to_owned();
            }
            let version = world.touched(id, json!({ "objectType": "sheet", "eventType": "updated", "id": id }));
            let result = summary(world, world.sheet(id)?, false);
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Reply {
    service.world().sheets.remove(&id).ok_or_else(Failure::not_found)?;
    Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0 })))
}

fn known_workspace(id: i64) -> Result<(), Failure> {
    if id == WORKSPACE { Ok(()) } else { Err(Failure::not_found()) }
}

pub(super) async fn workspaces(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "data": [workspace_json(&service)] }))
}

pub(super) async fn workspace(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Reply {
    known_workspace(id)?;
    Ok(Json(workspace_json(&service)))
}

fn workspace_json(service: &Service) -> Value {
    json!({ "id": WORKSPACE, "name": "Samples", "accessLevel": "OWNER", "permalink": format!("{}/workspaces/{WORKSPACE}", service.world().origin) })
}

/// Sheets that lie in a folder of the workspace.
const FOLDER: i64 = 5_553_331_117_777_111;
const IN_FOLDER: [&str; 2] = ["Organisation", "Asset Inventory"];

pub(super) async fn workspace_children(State(service): State<Arc<Service>>, Path(id): Path<i64>, Query(params): Params) -> Reply {
    known_workspace(id)?;
    let folder = json!({ "id": FOLDER, "name": "Archive", "resourceType": "folder" });
    let folders = params.get("childrenResourceTypes").is_none_or(|kinds| kinds.contains("folders"));
    children(&service, &params, folders.then_some(folder), |name| !IN_FOLDER.contains(&name))
}

pub(super) async fn folder_children(State(service): State<Arc<Service>>, Path(id): Path<i64>, Query(params): Params) -> Reply {
    if id != FOLDER {
        return Err(Failure::not_found());
    }
    children(&service, &params, None, |name| IN_FOLDER.contains(&name))
}

fn children(service: &Service, params: &BTreeMap<String, String>, folder: Option<Value>, here: impl Fn(&str) -> bool) -> Reply {
    let world = service.world();
    let max = params.get("maxItems").and_then(|v| v.parse().ok()).unwrap_or(100usize).max(1);
    let from = params.get("lastKey").and_then(|k| k.parse::<i64>().ok()).unwrap_or(0);
    let mut items: Vec<Value> = world
        .sheets
        .range(from + 1..)
        .filter(|(_, s)| here(&s.name))
        .filter_map(|(_, s)| {
            let mut json = summary(&world, s, false)?;
            json["resourceType"] = json!("sheet");
            Some(json)
        })
        .collect();
    let more = items.len() > max;
    items.truncate(max);
    let last = items.last().map(|s| s["id"].to_string());
    items.extend(folder.filter(|_| from == 0));
    let mut reply = json!({ "data": items });
    if let Some(last) = last.filter(|_| more) {
        reply["lastKey"] = json!(last);
    }
    Ok(Json(reply))
}

pub(super) fn hit(world: &World, sheet: &Sheet, row: &Row, text: &str) -> Value {
    json!({
        "text": text, "objectType": "row", "objectId": row.id, "parentObjectType": "sheet",
        "parentObjectId": sheet.id, "parentObjectName": sheet.name, "contextData": [row_link(world, sheet, row.id)],
    })
}
