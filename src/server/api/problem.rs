//! What went wrong with a request, as `application/problem+json` (RFC 9457): a stable code, a sentence, nothing internal.

use crate::error::Trouble;
use crate::smartsheet::SheetEntry;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Sheets that a problem names.
const MOST_NAMED: usize = 20;

/// A problem with a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// The kind of the problem in short.
    pub title: String,
    /// A word for programs; it does not change.
    #[schema(example = "not_valid")]
    pub code: &'static str,
    /// A sentence for people that says what to do next.
    pub detail: String,
    /// Names the line in the log, when it is our fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When to try again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// The result of handlers.
pub(in crate::server) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Self { status: status.as_u16(), title, code, detail: detail.into(), reference: None, retry_after: None }
    }

    /// The request cannot be understood.
    pub fn not_valid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not_valid", detail)
    }

    /// It can be understood, but its parts do not fit together.
    pub fn not_fitting(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_fitting", detail)
    }

    /// There is no such thing, or it belongs to somebody else.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}, or it is not yours."))
    }

    /// A name leads to several sheets.
    pub fn several_sheets(sheets: &[SheetEntry]) -> Self {
        let names: Vec<String> = sheets.iter().take(MOST_NAMED).map(|s| format!("{} ({})", s.name, s.id)).collect();
        let more = if sheets.len() > MOST_NAMED { " and others" } else { "" };
        let detail = format!("Several sheets fit; name one of them by its id: {}{more}.", names.join(", "));
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "several_sheets", detail)
    }

    /// There is more of the body than anybody needs.
    pub fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than 1 MB.")
    }

    /// The same, to be tried again later.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Told(error) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", sentence(&error.words)),
            Trouble::Later(error) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "try_later", sentence(&error.words)).after(Duration::from_secs(30))
            }
            Trouble::Logged(error) => {
                let reference = Trouble::reference();
                tracing::error!(%reference, "{error:#}");
                let detail = format!("Something went wrong on our side. Please name {reference} to the person who runs this bot.");
                Self { reference: Some(reference), ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail) }
            }
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Trouble::from(error).into()
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Trouble::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after.map(|w| w.as_secs().max(1));
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Words for people in the middle of a message, as a sentence that stands alone.
fn sentence(words: &str) -> String {
    let mut chars = words.trim().chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let rest = chars.as_str();
    let end = if rest.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{end}")
}
