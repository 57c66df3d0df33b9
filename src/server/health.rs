//! `/livez`: the process runs. `/readyz`: the database answers and is migrated.

use crate::store::Store;
use axum::extract::State;
use axum::http::StatusCode;

pub(super) async fn live() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(store): State<Store>) -> (StatusCode, &'static str) {
    match store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(error) => {
            tracing::warn!(%error, "not ready: the database does not answer, or is not migrated");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer, or is not migrated\n")
        }
    }
}
