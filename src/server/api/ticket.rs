//! `/api/ws-ticket`: opens a live connection without the key in its URL.

use super::Api;
use super::auth::Caller;
use super::problem::{Problem, Result};
use crate::server::live::{Holder, TICKET};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A ticket for a live connection.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Goes into the URL: `/ws?ticket=…`; it works once.
    pub ticket: String,
    /// How long it works.
    pub seconds: u64,
}

/// Makes a ticket for `/ws`: what happens to sheets, jobs and sessions, told at once. The connection may do what the key may.
#[utoipa::path(post, path = "/api/ws-ticket", tag = "live", responses((status = 201, body = Ticket), (status = "4XX", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn make(State(api): State<Arc<Api>>, caller: Caller) -> Result<(StatusCode, Json<Ticket>)> {
    let ticket = api.parts.live.ticket(Holder::Key { id: caller.id().to_owned(), scopes: caller.scopes().to_owned() })?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket, seconds: TICKET.as_secs() })))
}
