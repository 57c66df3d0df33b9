//! The sidecar: health, the REST API, and the webhooks of the chat platforms, on an accept loop of our own.

mod accept;
pub mod api;
mod health;
pub mod live;
pub mod metrics;
mod smartsheet;
mod web;

pub use accept::serve;
pub use web::Web;

use crate::store::Store;
use crate::watch::Watch;
use api::Problem;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, Request, StatusCode};
use axum::middleware::from_fn;
use axum::routing::{get, post};
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::{RequestBodyTimeoutLayer, TimeoutLayer};
use tower_http::trace::TraceLayer;

/// Bodies of platforms are small; anything larger is refused before it is read.
const MAX_BODY_BYTES: usize = 1 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the sidecar offers beside the platforms' webhooks: the API, live connections, the address that Smartsheet calls.
pub fn own_routes(parts: api::Parts, watch: Arc<Watch>) -> Router {
    let live = Router::new().route("/ws", get(live::open)).with_state(parts.live.clone());
    let smartsheet = Router::new().route("/api/webhooks/smartsheet", post(smartsheet::called)).with_state(watch);
    api::router(parts).merge(live).merge(smartsheet)
}

/// All routes. `webhooks` come from the adapters and stand under `/api/webhooks`.
pub fn router(store: Store, more: Router, webhooks: Vec<(&'static str, Router)>) -> Router {
    let health = Router::new().route("/livez", get(health::live)).route("/readyz", get(health::ready)).with_state(store);
    let mut router = health.merge(more);
    for (name, routes) in webhooks {
        router = router.nest_service(&format!("/api/webhooks/{name}"), routes);
    }
    let router = router.fallback(|| async {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path; /api/docs lists what there is.")
    });
    let span = |request: &Request<_>| tracing::debug_span!("http", method = %request.method(), path = %request.uri().path());
    router
        .layer(from_fn(metrics::measure))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIMEOUT))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::new())
        .layer(tower_http::set_header::SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static("x-content-type-options"),
            axum::http::HeaderValue::from_static("nosniff"),
        ))
        .layer(TraceLayer::new_for_http().make_span_with(span))
}
