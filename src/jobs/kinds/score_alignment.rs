//! `SCORE_ALIGNMENT`: how well a row fits criteria, as a whole number; the reason is kept with the answer.

use super::{Instructions, Kind, Parameters, tokens_for};
use serde_json::{Value, json};

pub(super) const KIND: Kind = Kind {
    name: "SCORE_ALIGNMENT",
    verb: "score",
    instructions: Instructions::Criteria,
    task: |p| {
        format!(
            "Score how well a row of a sheet fits the criteria, as a whole number from {} (not at all) to {} (completely), with the reason in one sentence.",
            lowest(p),
            highest(p)
        )
    },
    tokens: |_| tokens_for(400),
    schema: || {
        json!({ "type": "object", "properties": { "score": { "type": "integer" }, "reason": { "type": "string" } },
            "required": ["score", "reason"], "additionalProperties": false })
    },
    check: |p, _, answer| {
        let score = answer["score"].as_f64().ok_or("the model gave no score")?;
        if score.fract() != 0.0 {
            return Err(format!("the score {score} is not a whole number"));
        }
        if !(f64::from(lowest(p))..=f64::from(highest(p))).contains(&score) {
            return Err(format!("the score {score} is not between {} and {}", lowest(p), highest(p)));
        }
        Ok(Value::from(score as i64))
    },
};

/// The lowest score, unless the person said otherwise.
fn lowest(parameters: &Parameters) -> u32 {
    parameters.lowest.unwrap_or_default().min(highest(parameters))
}

/// The highest score, likewise.
fn highest(parameters: &Parameters) -> u32 {
    parameters.limit.unwrap_or(100).max(1)
}
