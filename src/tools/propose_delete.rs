//! `propose_delete`: delete all rows that match, with their children.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::propose;
use crate::error::Result;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_delete",
    description: "Previews the deletion of all rows that match, with their children. Only when a deletion was asked for.",
    parameters: || object(json!({ "sheet": sheet_parameter(), "where_sql": { "type": "string" } })),
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    where_sql: String,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, where_sql } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let mut draft = propose::delete(&snapshot, &where_sql, &context.locality).await?;
    context.changes.warn_of_losses(&context.identity, &snapshot, &mut draft).await;
    context.propose(draft, snapshot).await
}
