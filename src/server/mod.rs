//! The sidecar: health, the REST API, and the webhooks of the chat platforms, on an accept loop of our own.

mod accept;
mod address;
pub mod api;
mod connect;
mod health;
mod impatient;
pub mod live;
pub mod metrics;
mod mirror;
mod smartsheet;
mod viewer;
mod web;

pub use accept::serve;
pub use address::Proxies;
pub use mirror::Mirror;
pub use web::Web;

use crate::accounts::Accounts;
use crate::links::Links;
use crate::store::Store;
use crate::watch::Watch;
use api::{Api, Problem};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chat::Chats;
use futures_util::{StreamExt, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

/// Names a request in the log; a proxy in front may have given it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bodies of platforms are small; anything larger is refused before it is read.
const MAX_BODY_BYTES: usize = 1 << 20;
/// How much of a body that nobody wants is read, so that its sender reads the refusal.
const MAX_UNREAD_BYTES: usize = 16 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(8);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What the sidecar offers beside the platforms' webhooks: the API, the viewer, live connections, the address that Smartsheet calls.
pub fn own_routes(parts: api::Parts, watch: Arc<Watch>, links: Links, accounts: Option<Accounts>, chats: Chats) -> Router {
    let live = Router::new().route("/ws", get(live::open)).with_state(parts.live.clone());
    let smartsheet = Router::new().route("/api/webhooks/smartsheet", post(smartsheet::called)).with_state(watch);
    let api = Api::new(parts);
    let connect = accounts.map_or_else(Router::new, |accounts| connect::router(accounts, chats.clone()));
    let all = api::router(api.clone()).merge(connect).merge(viewer::router(api.clone(), links, chats)).merge(live).merge(smartsheet);
    all.layer(from_fn_with_state(api, api::at_the_pace_of_its_address))
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
    let span = |request: &Request<_>| {
        let id = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).unwrap_or_default();
        // What stands in the path of a link opens the sheet, or connects an account.
        let path = match request.uri().path() {
            path if path.starts_with("/v/") => "/v/…",
            path if path.starts_with("/connect/") => "/connect/…",
            path => path,
        };
        tracing::info_span!("http", id = id.get(..64).unwrap_or(id), method = %request.method(), path)
    };
    router
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES))
        .layer(from_fn(body_deadline))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(in_words))
        .layer(from_fn(metrics::measure))
        .layer(tower_http::set_header::SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        ))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// What the layers answer by themselves, said as a problem like every other.
async fn in_words(request: Request<Body>, next: Next) -> Response {
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_ours = kind.is_some_and(|kind| kind.ends_with(b"json") || kind.starts_with(b"text/html"));
    let problem = match response.status() {
        _ if is_ours => return response,
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        StatusCode::REQUEST_TIMEOUT => {
            let detail = "This took too long and was given up; look whether it was carried out before you send it again.";
            Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail)
        }
        StatusCode::INTERNAL_SERVER_ERROR => Problem::from(anyhow::anyhow!("a request ended in a panic")),
        _ => return response,
    };
    problem.into_response()
}

/// A body that is not here in time breaks off, however busily it trickles. What an answer left unread of it is read on, within bounds:
/// a connection that is closed over unread bytes is reset, and whoever is still sending may never see why it was refused.
async fn body_deadline(request: Request<Body>, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let until = Instant::now() + BODY_TIMEOUT;
    let (parts, body) = request.into_parts();
    let frames = Arc::new(Mutex::new(body.into_data_stream()));
    let in_time = stream::unfold(Some(frames.clone()), move |frames| async move {
        let frames = frames?;
        let frame = tokio::time::timeout_at(until, async { frames.lock().await.next().await }).await;
        match frame {
            Ok(frame) => frame.map(|f| (f, Some(frames))),
            Err(late) => Some((Err(axum::Error::new(late)), None)),
        }
    });
    let response = next.run(Request::from_parts(parts, Body::from_stream(in_time))).await;
    let rest = async {
        let (mut frames, mut left) = (frames.lock().await, MAX_UNREAD_BYTES);
        while let Some(Ok(frame)) = frames.next().await
            && frame.len() < left
        {
            left -= frame.len();
        }
    };
    let _ = tokio::time::timeout_at(until, rest).await;
    response
}
