//! `propose_job`: work of a model on many rows, one isolated call each, written into one column.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::error::{Result, told};
use crate::jobs::{KINDS, Kind, Parameters};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_job",
    description: "Prepares work on the text of many rows: summarize, score against criteria, extract key terms, or a custom instruction per row. \
        Each row is worked on alone and the result goes into one column. Shows the results of the first rows to the person, who starts it with a button.",
    parameters: || {
        let kinds: Vec<&str> = KINDS.iter().map(|k| k.name).collect();
        object(json!({
            "sheet": sheet_parameter(),
            "kind": { "type": "string", "enum": kinds },
            "source_columns": { "type": "array", "items": { "type": "string" }, "description": "Titles of the columns to read." },
            "target_column": { "type": "string", "description": "Title of the text column to write; it is made if there is none." },
            "where_sql": { "type": ["string", "null"], "description": "SQL condition over table sheet, without WHERE; null for every row." },
            "instructions": { "type": ["string", "null"], "description": "Criteria, focus or tone in the person's words; what to do, for CUSTOM." },
            "limit": { "type": ["integer", "null"], "description": "Longest result in characters, highest score, or most terms." },
            "lowest": { "type": ["integer", "null"], "description": "Lowest score, such as 1 for a score of 1 to 5; null for 0." },
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
