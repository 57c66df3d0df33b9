//! Discussions and comments on sheets and rows.

use super::Service;
use super::error::Failure;
use super::samples::PEOPLE;
use super::world::{Comment, Discussion, World};
use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Reply = Result<Json<Value>, Failure>;
type Params = Query<BTreeMap<String, String>>;

pub(super) fn list_json(world: &World, wanted: impl Fn(&Discussion) -> bool) -> Value {
    world.discussions.iter().filter(|d| wanted(d)).map(json_of).collect()
}

fn with_comments_only_where_asked(mut discussions: Value, params: &BTreeMap<String, String>) -> Value {
    if !params.get("include").is_some_and(|i| i.contains("comments")) {
        for one in discussions.as_array_mut().into_iter().flatten() {
            one.as_object_mut().map(|d| d.remove("comments"));
        }
    }
    discussions
}

fn author() -> Value {
    json!({ "name": PEOPLE[3].0, "email": PEOPLE[3].1 })
}

fn json_of(d: &Discussion) -> Value {
    let title: String = d.comments.first().map(|c| c.text.chars().take(100).collect()).unwrap_or_default();
    json!({
        "id": d.id, "title": title, "parentType": if d.row.is_some() { "ROW" } else { "SHEET" },
        "parentId": d.row.unwrap_or(d.sheet), "accessLevel": "OWNER", "createdBy": author(), "commentCount": d.comments.len(),
        "lastCommentedAt": d.comments.last().map(|c| c.created_at.clone()), "readOnly": false,
        "comments": d.comments.iter().map(|c| comment_json(c, d.id)).collect::<Vec<_>>(),
    })
}

fn comment_json(c: &Comment, discussion: i64) -> Value {
    json!({ "id": c.id, "discussionId": discussion, "text": c.text, "createdBy": author(), "createdAt": c.created_at, "modifiedAt": c.created_at })
}

fn text_of(body: &Value) -> Result<String, Failure> {
    let text = body["text"].as_str().filter(|t| !t.trim().is_empty());
    text.map(str::to_owned).ok_or_else(|| Failure::new(1012, "Required object attribute(s) are missing from your request: comment.text."))
}

pub(super) async fn of_sheet(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Query(params): Params) -> Reply {
    let world = service.world();
    world.sheet(sheet)?;
    let data = with_comments_only_where_asked(list_json(&world, |d| d.sheet == sheet), &params);
    Ok(Json(json!({ "pageNumber": 1, "pageSize": 100, "totalPages": 1, "totalCount": data.as_array().map_or(0, Vec::len), "data": data })))
}

pub(super) async fn of_row(State(service): State<Arc<Service>>, Path((sheet, row)): Path<(i64, i64)>, Query(params): Params) -> Reply {
    let world = service.world();
    world.sheet(sheet)?.position(row).ok_or_else(Failure::not_found)?;
    let data = with_comments_only_where_asked(list_json(&world, |d| d.row == Some(row)), &params);
    Ok(Json(json!({ "pageNumber": 1, "pageSize": 100, "totalPages": 1, "totalCount": data.as_array().map_or(0, Vec::len), "data": data })))
}

pub(super) async fn on_sheet(State(service): State<Arc<Service>>, Path(sheet): Path<i64>, Json(body): Json<Value>) -> Reply {
    start(&service, sheet, None, &body).await
}

pub(super) async fn on_row(State(service): State<Arc<Service>>, Path((sheet, row)): Path<(i64, i64)>, Json(body): Json<Value>) -> Reply {
    service.world().sheet(sheet)?.position(row).ok_or_else(Failure::not_found)?;
    start(&service, sheet, Some(row), &body).await
}

async fn start(service: &Service, sheet: i64, row: Option<i64>, body: &Value) -> Reply {
    let text = text_of(&body["comment"])?;
    service
        .write(sheet, |world| {
            world.sheet(sheet)?;
            let comment = Comment { id: world.new_id(), text, created_at: world.timestamp() };
            let discussion = Discussion { id: world.new_id(), sheet, row, comments: vec![comment] };
            let result = json_of(&discussion);
            let version = world.touched(sheet, json!({ "objectType": "discussion", "eventType": "created", "id": discussion.id }));
            world.discussions.push(discussion);
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

pub(super) async fn read(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    let world = service.world();
    let found = world.discussions.iter().find(|d| d.sheet == sheet && d.id == id);
    found.map(|d| Json(json_of(d))).ok_or_else(Failure::not_found)
}

pub(super) async fn delete(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    service
        .write(sheet, |world| {
            let at = world.discussions.iter().position(|d| d.sheet == sheet && d.id == id).ok_or_else(Failure::not_found)?;
            world.discussions.remove(at);
            let version = world.touched(sheet, json!({ "objectType": "discussion", "eventType": "deleted", "id": id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version })))
        })
        .await
}

pub(super) async fn comment(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>, Json(body): Json<Value>) -> Reply {
    let text = text_of(&body)?;
    service
        .write(sheet, |world| {
            let comment = Comment { id: world.new_id(), text, created_at: world.timestamp() };
            let discussion = world.discussions.iter_mut().find(|d| d.sheet == sheet && d.id == id).ok_or_else(Failure::not_found)?;
            discussion.comments.push(comment.clone());
            let version = world.touched(sheet, json!({ "objectType": "comment", "eventType": "created", "id": comment.id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": comment_json(&comment, id) })))
        })
        .await
}

pub(super) async fn read_comment(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    let world = service.world();
    let mut of_sheet = world.discussions.iter().filter(|d| d.sheet == sheet);
    let found = of_sheet.find_map(|d| d.comments.iter().find(|c| c.id == id).map(|c| comment_json(c, d.id)));
    found.map(Json).ok_or_else(Failure::not_found)
}

pub(super) async fn edit_comment(
    State(service): State<Arc<Service>>,
    Path((sheet, id)): Path<(i64, i64)>,
    Json(body): Json<Value>,
) -> Reply {
    let text = text_of(&body)?;
    service
        .write(sheet, |world| {
            let mut of_sheet = world.discussions.iter_mut().filter(|d| d.sheet == sheet);
            let found = of_sheet.find_map(|d| d.comments.iter_mut().find(|c| c.id == id).map(|c| (d.id, c)));
            let (discussion, comment) = found.ok_or_else(Failure::not_found)?;
            comment.text = text;
            let result = comment_json(comment, discussion);
            let version = world.touched(sheet, json!({ "objectType": "comment", "eventType": "updated", "id": id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version, "result": result })))
        })
        .await
}

pub(super) async fn delete_comment(State(service): State<Arc<Service>>, Path((sheet, id)): Path<(i64, i64)>) -> Reply {
    service
        .write(sheet, |world| {
            let known = world.discussions.iter().any(|d| d.sheet == sheet && d.comments.iter().any(|c| c.id == id));
            if !known {
                return Err(Failure::not_found());
            }
            for discussion in &mut world.discussions {
                discussion.comments.retain(|c| c.id != id);
            }
            world.discussions.retain(|d| !d.comments.is_empty());
            let version = world.touched(sheet, json!({ "objectType": "comment", "eventType": "deleted", "id": id }));
            Ok(Json(json!({ "message": "SUCCESS", "resultCode": 0, "version": version })))
        })
        .await
}
