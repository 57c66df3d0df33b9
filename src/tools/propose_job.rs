//! `propose_job`: work of a model on many rows, one isolated call each, written into one column.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::error::{Result, told};
use crate::jobs::{KINDS, Kind, Parameters};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_job",
    description: "Previews work on the text of many rows, each alone: summarize, score, extract terms, or an instruction of its own (CUSTOM). The results go into one column.",
    parameters: || {
        let kinds: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
        object(json!({
            "sheet": sheet_parameter(),
            "kind": { "type": "string", "enum": kinds },
            "source_columns": { "type": "array", "items": { "type": "string" }, "description": "Columns to read." },
            "target_column": { "type": "string", "description": "Column to write; made if there is none." },
            "where_sql": { "type": ["string", "null"], "description": "Condition; null: every row." },
            "instructions": { "type": ["string", "null"], "description": "Criteria, focus or task in the person's words." },
            "limit": { "type": ["integer", "null"], "description": "Most characters, terms or points." },
            "lowest": { "type": ["integer", "null"], "description": "Lowest score." },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    kind: String,
    source_columns: Vec<String>,
    target_column: String,
    where_sql: Option<String>,
    instructions: Option<String>,
    limit: Option<u32>,
    lowest: Option<u32>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let a: Arguments = arguments(value)?;
    let snapshot = context.snapshot(a.sheet.as_deref()).await?;
    let kind = Kind::named(&a.kind).ok_or_else(|| told(format!("'{}' is not a kind of job", a.kind)))?;
    let some = |text: Option<String>| text.filter(|t| !t.trim().is_empty());
    let parameters = Parameters {
        source_columns: a.source_columns,
        target_column: a.target_column,
        filter: some(a.where_sql),
        instructions: a.instructions,
        limit: a.limit,
        lowest: a.lowest,
    };
    let proposed = context.jobs.propose(&snapshot, kind, parameters, &context.locality).await?;
    let output = context.propose(proposed.draft.clone(), snapshot).await?;
    if let Some(made) = &output.made {
        context.jobs.keep(&proposed, &made.proposal, &context.anchor).await?;
    }
    Ok(output)
}
