//! `explain_result`: what a job's model said about a row, with its reason: why a score is what it is.

use super::{Context, Output, Tool, arguments, object, sheet_parameter, short};
use crate::error::{Result, told};
use serde::Deserialize;
use serde_json::{Value, json};

/// Results of a row that are told, newest first.
const SOME: usize = 5;

pub(super) const TOOL: Tool = Tool {
    name: "explain_result",
    description: "Tells what a job (score, summary, terms) answered for a row and why.",
    parameters: || {
        object(json!({
            "sheet": sheet_parameter(),
            "row_id": { "type": "string", "description": "row_id or name." },
            "column": { "type": ["string", "null"], "description": "null: any." },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    row_id: String,
    column: Option<String>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, row_id, column } = arguments(value)?;
    // Who cannot read the sheet does not learn what was said about its rows.
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let id = context.row(&snapshot, &row_id)?;
    let row = snapshot.row(id).ok_or_else(|| told(format!("there is no row {row_id}")))?;
    let all = context.changes.store.answers_of_row(crate::sheet::SheetId(snapshot.id), row.id).await?;
    let wanted = all.iter().filter(|(job, _)| column.as_ref().is_none_or(|c| job.parameters["targetColumn"].as_str() == Some(c)));
    let results: Vec<Value> = wanted
        .take(SOME)
        .map(|(job, answer)| {
            json!({
                "column": job.parameters["targetColumn"], "value": answer["value"], "answer": answer["answer"], "job": job.kind.to_lowercase(),
                "asked_for": job.parameters["instructions"].as_str().map(short), "read": job.parameters["sourceColumns"],
            })
        })
        .collect();
    if results.is_empty() {
        return Err(told(format!("no job has answered anything for {}", snapshot.label(row))));
    }
    Ok(Output::json(json!({ "row": snapshot.label(row), "results": results })))
}
