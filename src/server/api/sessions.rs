//! `/api/sessions`: conversations about a sheet.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Body, Parameters, UrlQuery};
use super::problem::{Problem, Result};
use crate::access::SheetScope;
use crate::server::web::Web;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use crate::store::WebSession;
use crate::tools::{Match, resolve};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A conversation about a sheet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The sheet.
    pub sheet_id: String,
    /// What the sheet was called when it was chosen.
    pub sheet_name: String,
    /// When it began (RFC 3339).
    pub created_at: String,
}

/// Sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The sessions of this page.
    pub sessions: Vec<Session>,
    /// How many there are in all.
    pub total: i64,
}

/// What the new conversation is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The name, the link or the id of a sheet.
    #[schema(min_length = 1, max_length = 500, example = "Project Plan")]
    pub sheet: String,
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Page {
    /// From 1.
    #[serde(default = "first")]
    #[param(minimum = 1, maximum = 100000, default = 1)]
    pub page: i64,
    /// At most this many.
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub page_size: i64,
}

fn first() -> i64 {
    1
}

fn usual_size() -> i64 {
    50
}

impl Page {
    /// How many to take, and how many to leave out before them.
    pub(super) fn window(&self, largest: i64) -> Result<(i64, i64)> {
        if !(1..=100_000).contains(&self.page) || !(1..=largest).contains(&self.page_size) {
            return Err(Problem::not_valid(format!("page is 1 to 100000 and pageSize 1 to {largest}.")));
        }
        Ok((self.page_size, (self.page - 1) * self.page_size))
    }
}

impl From<WebSession> for Session {
    fn from(session: WebSession) -> Self {
        Self { id: session.id, sheet_id: session.sheet_id, sheet_name: session.sheet_name, created_at: session.created_at }
    }
}

/// Lists the sessions of this key.
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(Page), responses((status = 200, body = Sessions), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller, UrlQuery(page): UrlQuery<Page>) -> Result<Json<Sessions>> {
    caller.needs(Scope::Chat)?;
    let (most, skip) = page.window(100)?;
    let (sessions, total) = api.parts.store.web_sessions(caller.id(), most, skip).await?;
    Ok(Json(Sessions { sessions: sessions.into_iter().map(Session::from).collect(), total }))
}

/// Begins a conversation about a sheet.
#[utoipa::path(post, path = "/api/sessions", tag = "sessions", request_body = NewSession, responses((status = 201, body = Session), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create(State(api): State<Arc<Api>>, caller: Caller, Body(new): Body<NewSession>) -> Result<impl IntoResponse> {
    caller.needs(Scope::Chat)?;
    if new.sheet.trim().is_empty() || new.sheet.chars().count() > 500 {
        return Err(Problem::not_fitting("sheet is the name, the link or the id of a sheet."));
    }
    let sheet = match resolve(&api.parts.sheets, &Identity::Service, &SheetScope::Everything, &new.sheet).await? {
        Match::One(sheet) => sheet,
        Match::Several(sheets) => return Err(Problem::several_sheets(&sheets)),
        Match::None(_) => {
            let detail = "No such sheet is shared with the account that the bot works under.";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no_such_sheet", detail));
        }
    };
    let thread = Web::thread(caller.id(), &uuid::Uuid::now_v7().to_string());
    let bound = api.parts.store.bind_sheet(&thread, &Web::anchor(&thread), SheetId(sheet.id), &sheet.name, api.parts.clock.now()).await?;
    let (session, _) = api.parts.store.web_session_details(&bound.id, caller.id()).await?.ok_or_else(|| Problem::not_found("session"))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/sessions/{}", session.id))], Json(Session::from(session))))
}

/// Reads a session.
#[utoipa::path(get, path = "/api/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session")), responses((status = 200, body = Session), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(State(api): State<Arc<Api>>, caller: Caller, Parameters(id): Parameters<String>) -> Result<Json<Session>> {
    caller.needs(Scope::Chat)?;
    let found = api.parts.store.web_session_details(&id, caller.id()).await?;
    found.map(|(s, _)| Json(s.into())).ok_or_else(|| Problem::not_found("session"))
}

/// Deletes a session with its messages; not while something of it is being carried out.
#[utoipa::path(delete, path = "/api/sessions/{id}", tag = "sessions", params(("id" = String, Path, description = "The session")), responses((status = 204, description = "It is deleted."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn delete(State(api): State<Arc<Api>>, caller: Caller, Parameters(id): Parameters<String>) -> Result<StatusCode> {
    caller.needs(Scope::Chat)?;
    let (session, thread) = api.session(&caller, &id).await?;
    if !api.parts.store.delete_web_session(&session.id, &thread.key.storage_key()).await? {
        let detail = "Something of this session is still being carried out. Wait for its end, or cancel its jobs first.";
        return Err(Problem::new(StatusCode::CONFLICT, "under_way", detail));
    }
    Ok(StatusCode::NO_CONTENT)
}
