//! Files that people carry into a conversation, kept where the platform keeps them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Files by name.
#[derive(Default)]
pub(crate) struct Files(Mutex<HashMap<String, Vec<u8>>>);

impl Files {
    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), bytes.to_vec());
    }

    pub fn get(&self, name: &str) -> Response {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            Some(bytes) => bytes.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

/// What somebody says, with something beside it; entities of the words stay.
pub(crate) fn with(mut said: serde_json::Value, beside: &serde_json::Value) -> serde_json::Value {
    let own = said["entities"].as_array().cloned().unwrap_or_default();
    if let (Some(all), Some(more)) = (said.as_object_mut(), beside.as_object()) {
        all.extend(more.clone());
    }
    if let Some(entities) = said["entities"].as_array_mut().filter(|_| beside["entities"].is_array()) {
        entities.extend(own);
    }
    said
}
