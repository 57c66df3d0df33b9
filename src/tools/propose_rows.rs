//! `propose_rows`: new rows, with their place in the hierarchy.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::{Location, NewRowRequest, propose};
use crate::error::Result;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_rows",
    description: "Previews new rows.",
    parameters: || {
        let cell = object(json!({
            "column": { "type": "string" },
            "value": { "type": ["string", "number", "boolean", "null"], "description": "Days as YYYY-MM-DD, people by name." },
        }));
        object(json!({
            "sheet": sheet_parameter(),
            "rows": { "type": "array", "items": object(json!({ "cells": { "type": "array", "items": cell } })) },
            "parent_row_id": { "type": ["string", "null"], "description": "Under this row (row_id or name)." },
            "after_row_id": { "type": ["string", "null"], "description": "Directly behind this row." },
            "position": { "type": "string", "enum": ["top", "bottom"] },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    rows: Vec<NewRow>,
    parent_row_id: Option<String>,
    after_row_id: Option<String>,
    #[serde(default)]
    position: String,
}

#[derive(Deserialize)]
struct NewRow {
    cells: Vec<NewCell>,
}

#[derive(Deserialize)]
struct NewCell {
    column: String,
    #[serde(default)]
    value: Value,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, rows, parent_row_id, after_row_id, position } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let id = |text: Option<String>| text.filter(|t| !t.trim().is_empty()).map(|t| context.row(&snapshot, &t)).transpose();
    let location = Location { parent: id(parent_row_id)?, parent_label: None, after: id(after_row_id)?, top: position == "top" };
    let rows: Vec<NewRowRequest> =
        rows.into_iter().map(|r| NewRowRequest { cells: r.cells.into_iter().map(|c| (c.column, c.value)).collect() }).collect();
    let columns: Vec<&str> = rows.iter().flat_map(|r| &r.cells).map(|(column, _)| column.as_str()).collect();
    let author = context.author(&snapshot, &columns).await;
    let draft = propose::add(&snapshot, &rows, location, &author)?;
    context.propose(draft, snapshot).await
}
