//! The sheet viewer: the page that the bot links to, what it reads, and what can be done from it.

mod assets;
mod cells;
mod data;
mod edit;
mod page;
mod talk;
mod visit;
mod work;

pub(super) use visit::{notice, shown};

use super::api::{Api, Result};
use crate::links::{Link, Links};
use crate::sheet::Snapshot;
use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::from_fn;
use axum::routing::{get, post};
use bytes::Bytes;
use chat::Chats;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;
use tower_http::set_header::SetResponseHeaderLayer;

/// Memory for sheets as pages read them.
const DATA_CACHE_BYTES: u64 = 16 << 20;

/// A sheet that was read this recently is shown at once.
const RECENT: Duration = Duration::from_secs(600);

/// Scripts, styles and connections are ours alone; nothing stands in the page itself that could run.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the viewer works with.
pub(super) struct Viewer {
    api: Arc<Api>,
    links: Links,
    chats: Chats,
    /// By sheet and version, compressed.
    data: Cache<(i64, i64), Bytes>,
}

impl Viewer {
    /// The sheet of a link, at once when it was read before: the live connection of the page then tells what has changed.
    async fn sheet(&self, link: &Link) -> Result<Arc<Snapshot>> {
        Ok(self.api.parts.sheets.within(&link.identity(), link.sheet, RECENT).await?)
    }

    /// The sheet of a link as it is now.
    async fn sheet_now(&self, link: &Link) -> Result<Arc<Snapshot>> {
        self.api.sheet_for(&link.identity(), &link.sheet.to_string()).await
    }
}

/// The routes of the viewer.
pub(super) fn router(api: Arc<Api>, links: Links, chats: Chats) -> Router {
    let data =
        Cache::builder().max_capacity(DATA_CACHE_BYTES).weigher(|_, bytes: &Bytes| bytes.len().try_into().unwrap_or(u32::MAX)).build();
    let viewer = Arc::new(Viewer { api, links, chats, data });
    let header = |name, value| SetResponseHeaderLayer::overriding(HeaderName::from_static(name), HeaderValue::from_static(value));
    Router::new()
        .route("/", get(visit::front))
        .route("/v/{token}", get(visit::enter))
        .route("/sheet/{id}", get(page::sheet))
        .route("/sheet/{id}/print", get(page::print).post(page::print))
        .route("/sheet/{id}/columns.css", get(page::columns))
        .route("/sheet/{id}/data", get(data::read))
        .route("/sheet/{id}/work", get(work::read))
        .route("/sheet/{id}/said", get(work::said))
        .route("/sheet/{id}/cell", post(edit::cell))
        .route("/sheet/{id}/row", post(edit::add))
        .route("/sheet/{id}/row/delete", post(edit::delete))
        .route("/sheet/{id}/undo", post(edit::undo))
        .route("/sheet/{id}/press", post(talk::press))
        .route("/sheet/{id}/say", post(talk::say))
        .route("/sheet/{id}/ticket", post(talk::ticket))
        .with_state(viewer)
        .layer(from_fn(assets::packed))
        .layer(SetResponseHeaderLayer::if_not_present(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store")))
        .route("/viewer/{asset}", get(assets::read))
        // What cannot be shown below the page of a sheet names its stylesheet as the page does.
        .route("/sheet/viewer/{asset}", get(assets::read))
        .layer(header("content-security-policy", POLICY))
        // Without a referrer browsers would not say where a form comes from, either.
        .layer(header("referrer-policy", "same-origin"))
        .layer(header("x-robots-tag", "noindex"))
}
