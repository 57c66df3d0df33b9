//! Entra ID and the metadata services of machines: tokens that end.

use super::{Service, lock};
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// The tenant, the application, its secret, and the token of a cluster that stands for it.
pub const TENANT: &str = "sandbox-tenant";
/// The application that may log in.
pub const CLIENT: &str = "sandbox-client";
/// Its secret.
pub const SECRET: &str = "sandbox-client-secret";
/// What a workload shows in place of the secret.
pub const ASSERTION: &str = "sandbox-federated-token";
/// What goes with requests to the service that App Service names.
pub const IDENTITY_HEADER: &str = "sandbox-identity-header";

type Fields = BTreeMap<String, String>;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", axum::routing::post(of_application))
        .route("/metadata/identity/oauth2/token", axum::routing::get(of_machine))
        .route("/msi/token", axum::routing::get(of_app_service))
}

async fn of_application(State(service): State<Arc<Service>>, Path(tenant): Path<String>, Form(fields): Form<Fields>) -> Response {
    let is = |name: &str, value: &str| fields.get(name).is_some_and(|given| given == value);
    let proven = is("client_secret", SECRET)
        || (is("client_assertion", ASSERTION) && is("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    let asked_well = tenant == TENANT && is("client_id", CLIENT) && is("grant_type", "client_credentials");
    let scoped = fields.get("scope").is_some_and(|scope| scope.ends_with("/.default"));
    if !proven || !asked_well {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
    }
    if !scoped {
        return refused(StatusCode::BAD_REQUEST, "invalid_scope", "AADSTS1002012: The provided value for scope is not valid.");
    }
    granted(&service, false)
}

async fn of_machine(State(service): State<Arc<Service>>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    if headers.get("metadata").is_none_or(|v| v != "true") || !query.contains_key("api-version") {
        return refused(StatusCode::BAD_REQUEST, "invalid_request", "Required metadata header not specified");
    }
    of_resource(&service, &query)
}

async fn of_app_service(State(service): State<Arc<Service>>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    if headers.get("x-identity-header").is_none_or(|v| v != IDENTITY_HEADER) {
        return refused(StatusCode::UNAUTHORIZED, "unauthorized", "The identity header is missing or wrong.");
    }
    of_resource(&service, &query)
}

fn of_resource(service: &Service, query: &Fields) -> Response {
    if query.get("resource").is_none_or(|resource| resource.ends_with("/.default")) {
        return refused(StatusCode::BAD_REQUEST, "invalid_resource", "AADSTS500011: The resource principal was not found in the tenant.");
    }
    granted(service, true)
}

/// The metadata services tell seconds as a text.
fn granted(service: &Service, as_text: bool) -> Response {
    let life = service.options.token_life;
    let mut tokens = lock(&service.tokens);
    let token = format!("sandbox-entra-{}", tokens.len());
    tokens.push((token.clone(), Instant::now() + life));
    let seconds = if as_text { json!(life.as_secs().to_string()) } else { json!(life.as_secs()) };
    Json(json!({ "token_type": "Bearer", "expires_in": seconds, "access_token": token })).into_response()
}

fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": description }))).into_response()
}

/// Whether a token was given and has not ended.
pub(super) fn is_good(service: &Service, token: &str) -> bool {
    lock(&service.tokens).iter().any(|(given, ends)| given == token && *ends > Instant::now())
}
