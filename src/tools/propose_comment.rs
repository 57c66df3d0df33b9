//! `propose_comment`: comment on a row.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::propose;
use crate::error::Result;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_comment",
    description: "Previews a comment on a row.",
    parameters: || {
        object(
            json!({ "sheet": sheet_parameter(), "row_id": { "type": "string", "description": "row_id or name." }, "text": { "type": "string" } }),
        )
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    row_id: String,
    text: String,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, row_id, text } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let id = context.row(&snapshot, &row_id)?;
    let draft = propose::comment(&snapshot, id, &text)?;
    context.propose(draft, snapshot).await
}
