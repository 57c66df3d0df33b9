//! `propose_update`: set columns of all rows that match, from one cell to thousands of rows.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::{SetRequest, propose};
use crate::error::Result;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_update",
    description: "Previews a change of cells in all rows that match, one cell or thousands.",
    parameters: || {
        let set = object(json!({
            "column": { "type": "string" },
            "value": { "type": ["string", "number", "boolean", "null"], "description": "null clears, or where expression is used." },
            "expression": { "type": ["string", "null"], "description": "SQLite over the row's columns, such as date(due_date, '+7 days')." },
        }));
        object(json!({
            "sheet": sheet_parameter(),
            "where_sql": { "type": "string", "description": "Condition, such as task_name = 'Go-live'." },
            "set": { "type": "array", "items": set },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    where_sql: String,
    set: Vec<Set>,
}

#[derive(Deserialize)]
struct Set {
    column: String,
    #[serde(default)]
    value: Value,
    expression: Option<String>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, where_sql, set } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let set: Vec<SetRequest> = set
        .into_iter()
        .map(|s| SetRequest { column: s.column, value: s.value, expression: s.expression.filter(|e| !e.trim().is_empty()) })
        .collect();
    let columns: Vec<&str> = set.iter().map(|s| s.column.as_str()).collect();
    let author = context.author(&snapshot, &columns).await;
    let draft = propose::update(&snapshot, &where_sql, &set, &author).await?;
    context.propose(draft, snapshot).await
}
