//! What a deployment takes. Its name says nothing about the model behind it, so this is learned
//! from refusals and remembered.

use serde_json::Value;
use std::collections::HashSet;
use std::sync::Mutex;

/// Parameters that the deployment refused so far.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    refused: Mutex<HashSet<String>>,
}

impl Capabilities {
    /// Remembers a refusal. `false` when it was known, so that trying again would not help.
    pub fn learn(&self, parameter: &str) -> bool {
        let name = parameter.split('.').next().unwrap_or(parameter);
        self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name.to_owned())
    }

    /// Fits a request to what is known.
    pub fn fit(&self, mut request: Value) -> Value {
        let refused = self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(fields) = request.as_object_mut() else { return request };
        if refused.contains("max_tokens")
            && let Some(limit) = fields.remove("max_tokens")
        {
            fields.insert("max_completion_tokens".into(), limit);
        }
        fields.retain(|name, _| !refused.contains(name));
        request
    }
}
