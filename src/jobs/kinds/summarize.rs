//! `SUMMARIZE`: the source columns of a row in a sentence or two.

use super::{Instructions, Kind, Parameters, object, text_of, tokens_for};
use serde_json::{Value, json};

pub(super) const KIND: Kind = Kind {
    name: "SUMMARIZE",
    verb: "summarize",
    instructions: Instructions::Welcome,
    task: |p| format!("Summarize a row of a sheet in at most {} characters of plain text, without markup.", limit(p)),
    tokens: |p| tokens_for(limit(p)),
    schema: || object("summary", &json!({ "type": "string" })),
    check: |p, _, answer| text_of(answer, "summary", limit(p)).map(Value::from),
};

/// Longest summary in characters, unless the person said otherwise; a cell takes 4,000.
fn limit(parameters: &Parameters) -> usize {
    parameters.limit.unwrap_or(400).clamp(1, 4_000) as usize
}
