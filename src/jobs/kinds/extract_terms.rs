//! `EXTRACT_TERMS`: the key terms of a row, each as it stands there.

use super::{Instructions, Kind, Parameters, object, tokens_for};
use serde_json::{Value, json};

pub(super) const KIND: Kind = Kind {
    name: "EXTRACT_TERMS",
    verb: "extract the key terms of",
    instructions: Instructions::Welcome,
    task: |p| format!("Name at most {} key terms of a row of a sheet, each exactly as it is written there.", most(p)),
    tokens: |p| tokens_for(most(p) * 40),
    schema: || object("terms", &json!({ "type": "array", "items": { "type": "string" } })),
    check: |p, source, answer| {
        let source = source.to_lowercase();
        let mut terms: Vec<String> = Vec::new();
        for term in answer["terms"].as_array().ok_or("the model gave no terms")?.iter().filter_map(Value::as_str) {
            let term = chat::text::clean(term).trim().to_owned();
            let known = terms.iter().any(|t| t.to_lowercase() == term.to_lowercase());
            if !term.is_empty() && !known && source.contains(&term.to_lowercase()) && terms.len() < most(p) {
                // A comma and a space part the terms.
                terms.push(term.replace(", ", " "));
            }
        }
        if terms.is_empty() { Err("none of the terms stands in the row".into()) } else { Ok(Value::from(terms.join(", "))) }
    },
};

/// Most terms, unless the person said otherwise.
fn most(parameters: &Parameters) -> usize {
    parameters.limit.unwrap_or(8).clamp(1, 50) as usize
}
