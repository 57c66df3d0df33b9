//! What a deployment takes. Its name says nothing about the model behind it, so this is learned
//! from refusals and remembered.

use serde_json::Value;
use std::collections::HashSet;
use std::sync::Mutex;

/// What says how freely words are chosen.
const SAMPLING: [&str; 4] = ["temperature", "top_p", "presence_penalty", "frequency_penalty"];

/// Parameters that the deployment refused so far.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    refused: Mutex<HashSet<String>>,
}

impl Capabilities {
    /// Remembers a refusal. `false` when it was known, so that trying again would not help.
    pub fn learn(&self, parameter: &str) -> bool {
        self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(parameter.to_owned())
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
        // Whoever refuses one of these chooses by itself how it answers.
        let chooses = SAMPLING.iter().any(|name| refused.contains(*name));
        fields.retain(|name, _| !(refused.contains(name) || chooses && SAMPLING.contains(&name.as_str())));
        if refused.contains("strict")
            && let Some(schema) = fields.get_mut("response_format").and_then(|format| format["json_schema"].as_object_mut())
        {
            schema.remove("strict");
        }
        let tools = fields.get_mut("tools").and_then(Value::as_array_mut);
        match tools {
            Some(tools) if refused.contains("strict") => {
                tools.iter_mut().filter_map(|t| t["function"].as_object_mut()).for_each(|function| drop(function.remove("strict")));
            }
            _ => {}
        }
        // Models that think take functions only where they are told not to.
        if refused.contains("reasoning_effort") && fields.contains_key("tools") {
            fields.insert("reasoning_effort".into(), "none".into());
        }
        request
    }
}
