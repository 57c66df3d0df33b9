//! Bodies, queries and paths as types: what does not fit is refused with a sentence that says where.

use super::problem::Problem;
use crate::locality::Told;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// A JSON body.
pub(in crate::server) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind != "application/json" {
            let detail = "The body must be JSON: send Content-Type: application/json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        serde_json::from_slice(&bytes).map(Self).map_err(|e| Problem::not_valid(format!("The body does not fit: {e}.")))
    }
}

/// The words of `Time-Zone` and `Accept-Language`: a zone, and the language that is liked most.
#[derive(Default)]
pub(in crate::server) struct Whence {
    pub zone: Option<String>,
    pub language: Option<String>,
}

impl Whence {
    fn read(parts: &Parts) -> Self {
        let text = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok());
        let language = text("accept-language").and_then(|all| all.split([',', ';']).next()).map(str::trim);
        Self { zone: text("time-zone").map(str::to_owned), language: language.map(str::to_owned) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Whence {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self::read(parts))
    }
}

/// Where whoever writes is: the language of `Accept-Language` that they like most, and the zone of `Time-Zone`, which our page sends.
pub(in crate::server) struct Writer(pub Told);

impl<S: Send + Sync> FromRequestParts<S> for Writer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Whence { zone, language } = Whence::read(parts);
        Ok(Self(Told::read(zone.as_deref(), language.as_deref())))
    }
}

/// Why a body could not be read.
pub(super) fn unread(rejection: BytesRejection) -> Problem {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::not_valid("The body broke off."),
    }
}

/// The query of a URL.
pub(super) struct UrlQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for UrlQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|q| Self(q.0)).map_err(|e| Problem::not_valid(format!("The query does not fit: {}.", e.body_text())))
    }
}

/// The fields of a form, or of a query.
pub(in crate::server) struct Fields<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Fields<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|f| Self(f.0)).map_err(|e| Problem::not_valid(format!("The form does not fit: {}.", e.body_text())))
    }
}

/// The variable parts of a path.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        path.map(|p| Self(p.0))
            .map_err(|_| Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path: ids are digits."))
    }
}
