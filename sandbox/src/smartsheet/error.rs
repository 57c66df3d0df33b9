//! Smartsheet's error bodies: `errorCode`, the HTTP status that goes with it, `refId`, `detail`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub code: u32,
    pub message: String,
    pub detail: Option<Value>,
}

impl Failure {
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None }
    }

    pub fn at(mut self, index: usize, row_id: Option<i64>) -> Self {
        self.detail.get_or_insert_with(|| json!({ "index": index, "rowId": row_id }));
        self
    }

    pub fn not_found() -> Self {
        Self::new(1006, "Not Found")
    }

    pub fn rate_limited() -> Self {
        Self::new(4003, "Rate limit exceeded.")
    }

    pub fn busy(sheet_id: i64) -> Self {
        Self::new(
            4004,
            format!(
                "Request failed because sheetId {sheet_id} is currently being updated by another request that uses the same access token. Please retry your request once the previous request has completed."
            ),
        )
    }

    pub fn body(&self) -> Value {
        let mut body = json!({ "errorCode": self.code, "message": self.message, "refId": format!("sandbox{}", self.code) });
        if let Some(detail) = &self.detail {
            body["detail"] = detail.clone();
        }
        body
    }

    fn status(&self) -> StatusCode {
        match self.code {
            1001..=1003 => StatusCode::UNAUTHORIZED,
            1004 | 1013 | 1039 | 1045 | 1050 | 1092 | 1212 | 1288 => StatusCode::FORBIDDEN,
            1006 => StatusCode::NOT_FOUND,
            4000 | 4002 | 4004 => StatusCode::INTERNAL_SERVER_ERROR,
            4001 => StatusCode::SERVICE_UNAVAILABLE,
            4003 => StatusCode::TOO_MANY_REQUESTS,
            4005 => StatusCode::GONE,
            1010 => StatusCode::METHOD_NOT_ALLOWED,
            1124 => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status(), Json(self.body())).into_response()
    }
}
