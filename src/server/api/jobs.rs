//! `/api/jobs`: long work over rows, created, watched and cancelled.

use super::Api;
use super::auth::{Caller, Scope};
use super::extract::{Body, Parameters, UrlQuery, Writer};
use super::idempotency::RequestName;
use super::problem::{Problem, Result};
use super::sessions::Page;
use crate::jobs::NewJob;
use crate::sheet::SheetId;
use crate::store::{self, Asker};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its id.
    pub id: String,
    /// `SUMMARIZE`, `SCORE_ALIGNMENT`, `EXTRACT_TERMS`, `CUSTOM`, `BULK_UPDATE`, `BULK_ADD`, `BULK_DELETE` or `UNDO`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `created`, `queued`, `processing`, `completed`, `failed` or `cancelled`.
    pub status: String,
    /// Rows that are settled.
    pub progress: i64,
    /// Rows in all.
    pub total: i64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What came of it: `processedRows`, `failedRows`, `sampleResults`, or `rowsAffected`, `rowIds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// The session it belongs to.
    pub session_id: String,
    /// The sheet.
    pub sheet_id: String,
}

/// Jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Jobs {
    /// The jobs of this page.
    pub jobs: Vec<Job>,
    /// How many there are in all.
    pub total: i64,
}

/// A job to be queued. It begins without a preview: the request itself approves it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobRequest {
    /// `SUMMARIZE`, `SCORE_ALIGNMENT`, `EXTRACT_TERMS`, `CUSTOM` or `BULK_UPDATE`.
    #[serde(rename = "type")]
    #[schema(example = "BULK_UPDATE")]
    pub kind: String,
    /// The sheet; or a session.
    #[schema(pattern = "^[0-9]+$")]
    pub sheet_id: Option<String>,
    /// The session whose sheet is meant.
    #[schema(max_length = 100)]
    pub session_id: Option<String>,
    /// For `BULK_UPDATE` `criteria` (an SQL condition; none for all rows) and `updates` (value by column); for the others `sourceColumns`, `targetColumn`, `filter`, `instructions`, `limit`.
    #[schema(value_type = Object, example = json!({ "criteria": "status = 'Blocked'", "updates": { "Status": "In Progress" } }))]
    pub parameters: Map<String, Value>,
}

impl From<store::Job> for Job {
    fn from(job: store::Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            status: job.status.as_str().to_owned(),
            progress: job.progress,
            total: job.total,
            error: job.error,
            result: job.result,
            session_id: job.session_id,
            sheet_id: job.sheet.to_string(),
        }
    }
}

/// Lists the jobs of this key.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", params(Page), responses((status = 200, body = Jobs), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Arc<Api>>, caller: Caller, UrlQuery(page): UrlQuery<Page>) -> Result<Json<Jobs>> {
    caller.needs(Scope::Jobs)?;
    let (most, skip) = page.window(100)?;
    let (jobs, total) = api.parts.store.jobs_of("", Some(&Asker::with_key(caller.id())), most, skip).await?;
    Ok(Json(Jobs { jobs: jobs.into_iter().map(Job::from).collect(), total }))
}

/// Queues a job. Jobs write into sheets: the key needs the scope `write`, too.
#[utoipa::path(post, path = "/api/jobs", tag = "jobs", request_body = JobRequest, responses((status = 202, body = Job, description = "It is queued; Location tells where it can be watched."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    name: Option<Extension<RequestName>>,
    Writer(told): Writer,
    Body(request): Body<JobRequest>,
) -> Result<impl IntoResponse> {
    caller.needs(Scope::Jobs)?;
    // Whatever a job does, in the end it writes.
    caller.needs(Scope::Write)?;
    let place = match (request.session_id, request.sheet_id) {
        (Some(session), None) => {
            let (session, thread) = api.session(&caller, &session).await?;
            api.place(&caller, &session, &thread.key)
        }
        (None, Some(sheet)) => {
            let snapshot = api.sheet_to_change(&sheet).await?;
            let (session, thread) = api.session_of_sheet(&caller, SheetId(snapshot.id), &snapshot.name).await?;
            api.place(&caller, &session, &thread)
        }
        _ => return Err(Problem::not_fitting("Give sheetId or sessionId, one of them.")),
    };
    let unique = |name: String| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{}|{name}", caller.id()).as_bytes());
    let id = name.map_or_else(uuid::Uuid::now_v7, |n| unique(n.0.0)).to_string();
    let job = api.parts.jobs.create(NewJob { id, kind: request.kind, parameters: Value::Object(request.parameters), place, told }).await?;
    tracing::info!(job = %job.id, key = caller.id(), kind = %job.kind, rows = job.total, "a job was queued over the API");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, format!("/api/jobs/{}", job.id))], Json(Job::from(job))))
}

/// Reads how a job stands.
#[utoipa::path(get, path = "/api/jobs/{jobId}", tag = "jobs", params(("jobId" = String, Path, description = "The job")), responses((status = 200, body = Job), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn read(State(api): State<Arc<Api>>, caller: Caller, Parameters(id): Parameters<String>) -> Result<Json<Job>> {
    caller.needs(Scope::Jobs)?;
    Ok(Json(api.job(&caller, &id).await?.into()))
}

/// Cancels a job; what runs ends within one request or one call of the model.
#[utoipa::path(delete, path = "/api/jobs/{jobId}", tag = "jobs", params(("jobId" = String, Path, description = "The job")), responses((status = 202, body = Job, description = "It will end."), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Parameters(id): Parameters<String>,
) -> Result<(StatusCode, Json<Job>)> {
    caller.needs(Scope::Jobs)?;
    let job = api.job(&caller, &id).await?;
    if job.status.ended() {
        return Err(Problem::new(StatusCode::CONFLICT, "has_ended", "That job has ended already."));
    }
    api.parts.jobs.cancel(&job.id, &Asker::with_key(caller.id())).await?;
    Ok((StatusCode::ACCEPTED, Json(api.job(&caller, &id).await?.into())))
}

impl Api {
    async fn job(&self, caller: &Caller, id: &str) -> Result<store::Job> {
        let found = self.parts.store.job(id).await?.filter(|j| j.asker == caller.id());
        found.ok_or_else(|| Problem::not_found("job"))
    }
}
