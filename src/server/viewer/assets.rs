//! Scripts and styles of the page: they are part of the program, and compressed once.

use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    tag: String,
    plain: Bytes,
    packed: Bytes,
}

macro_rules! assets {
    ($($name:literal: $media_type:literal),* $(,)?) => {
        [$(($name, $media_type, include_str!(concat!("assets/", $name)))),*]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = assets! {
        "page.css": "text/css",
        "page.js": "text/javascript",
        "dom.js": "text/javascript",
        "chips.js": "text/javascript",
        "sheet.js": "text/javascript",
        "grid.js": "text/javascript",
        "edit.js": "text/javascript",
        "offers.js": "text/javascript",
        "unsaved.js": "text/javascript",
        "tools.js": "text/javascript",
        "rows.js": "text/javascript",
        "talk.js": "text/javascript",
        "live.js": "text/javascript",
        "fresh.js": "text/javascript",
    };
    let asset = |(name, media_type, text): (&'static str, &'static str, &'static str)| {
        let plain = Bytes::from(trimmed(text));
        let tag: String = Sha256::digest(&plain).iter().take(8).map(|b| format!("{b:02x}")).collect();
        Asset { name, media_type, tag: format!("\"{tag}\""), packed: gzip(&plain), plain }
    };
    files.into_iter().map(asset).collect()
});

/// The same script or stylesheet without what is there for who reads it in the editor: indentation, lines of comment.
fn trimmed(text: &str) -> String {
    let comment = |line: &&str| line.starts_with("// ") || (line.starts_with("/**") && line.ends_with("*/"));
    text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !comment(line)).flat_map(|line| [line, "\n"]).collect()
}

/// The same bytes, compressed.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

/// Whether a browser takes compressed answers.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("gzip"))
}

/// Whether a browser has this version already.
pub(super) fn knows(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|known| known.split(',').any(|k| k.trim() == tag))
}

pub(super) async fn read(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|a| a.name == name) else { return StatusCode::NOT_FOUND.into_response() };
    let caching = [(header::ETAG, asset.tag.as_str()), (header::CACHE_CONTROL, "no-cache"), (header::VARY, "accept-encoding")];
    if knows(&headers, &asset.tag) {
        return (StatusCode::NOT_MODIFIED, caching).into_response();
    }
    let kind = [(header::CONTENT_TYPE, format!("{}; charset=utf-8", asset.media_type))];
    if takes_gzip(&headers) {
        return (caching, kind, [(header::CONTENT_ENCODING, "gzip")], asset.packed.clone()).into_response();
    }
    (caching, kind, asset.plain.clone()).into_response()
}

/// Compresses pages on their way out.
pub(super) async fn packed(request: Request, next: Next) -> Response {
    let takes = takes_gzip(request.headers());
    let (mut head, body) = next.run(request).await.into_parts();
    let html = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !takes || !html {
        return Response::from_parts(head, body);
    }
    // Pages are written whole before they go out: nothing is waited for.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, gzip(&bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_its_scripts_can_be_read_in_one_sitting() {
        let packed: usize = ASSETS.iter().map(|a| a.packed.len()).sum();
        let grid = include_str!("assets/sheet.js").lines().count() + include_str!("assets/grid.js").lines().count();
        assert!(packed <= 45_000 && grid <= 600, "{packed} bytes compressed, {grid} lines of grid");
        for asset in ASSETS.iter().filter(|a| a.name.ends_with(".js")) {
            let text = std::str::from_utf8(&asset.plain).unwrap();
            let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(longest <= 140 && !text.contains("\n// "), "{}: {longest}", asset.name);
        }
    }
}
