//! `propose_column`: add, change or delete a column.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::{self, ColumnAction, ColumnRequest};
use crate::error::{Result, told};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_column",
    description: "Previews a new column, a change of one (title, type, options) or its deletion.",
    parameters: || {
        object(json!({
            "sheet": sheet_parameter(),
            "action": { "type": "string", "enum": ["add", "update", "delete"] },
            "column": { "type": "string", "description": "Its title." },
            "new_title": { "type": ["string", "null"] },
            "type": { "type": ["string", "null"], "enum": ["TEXT_NUMBER", "DATE", "CONTACT_LIST", "MULTI_CONTACT_LIST", "PICKLIST", "MULTI_PICKLIST", "CHECKBOX", null] },
            "options": { "type": ["array", "null"], "items": { "type": "string" } },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    action: String,
    column: String,
    new_title: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    options: Option<Vec<String>>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let a: Arguments = arguments(value)?;
    let snapshot = context.snapshot(a.sheet.as_deref()).await?;
    let action = match a.action.as_str() {
        "add" => ColumnAction::Add,
        "update" => ColumnAction::Update,
        "delete" => ColumnAction::Delete,
        other => return Err(told(format!("'{other}' is not an action; use add, update or delete"))),
    };
    let request = ColumnRequest { action, column: a.column, new_title: a.new_title, kind: a.kind, options: a.options };
    let draft = changes::column(&snapshot, &request)?;
    context.propose(draft, snapshot).await
}
