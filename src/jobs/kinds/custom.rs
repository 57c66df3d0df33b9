//! `CUSTOM`: whatever a person wants to know of each row, in their own words.

use super::{Instructions, Kind, Parameters, object, text_of, tokens_for};
use serde_json::{Value, json};

pub(super) const KIND: Kind = Kind {
    name: "CUSTOM",
    verb: "work out",
    instructions: Instructions::Needed,
    task: |p| format!("Do with a row of a sheet what the person wants. Plain text of at most {} characters, without markup.", limit(p)),
    tokens: |p| tokens_for(limit(p)),
    schema: || object("answer", &json!({ "type": "string" })),
    check: |p, _, answer| text_of(answer, "answer", limit(p)).map(Value::from),
};

fn limit(parameters: &Parameters) -> usize {
    parameters.limit.unwrap_or(1_000).clamp(1, 4_000) as usize
}
