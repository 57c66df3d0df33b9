//! `propose_rows`: new rows, with their place in the hierarchy.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::changes::{Location, NewRowRequest, propose};
use crate::error::{Result, told};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "propose_rows",
    description: "Prepares new rows and shows them to the person, who approves them with a button.",
    parameters: || {
        let cell = object(json!({
            "column": { "type": "string", "description": "Title of the column." },
            "value": { "type": ["string", "number", "boolean", "null"], "description": "Dates as YYYY-MM-DD, people by name or e-mail." },
        }));
        object(json!({
            "sheet": sheet_parameter(),
            "rows": { "type": "array", "items": object(json!({ "cells": { "type": "array", "items": cell } })) },
            "parent_row_id": { "type": ["string", "null"], "description": "Under this row (find its row_id with query_sheet); null for the outermost level." },
            "after_row_id": { "type": ["string", "null"], "description": "Directly behind this row, on its level; null otherwise." },
            "position": { "type": "string", "enum": ["top", "bottom"], "description": "First or last under the parent (or of the sheet)." },
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
    let id = |text: Option<String>| {
        text.filter(|t| !t.trim().is_empty())
            .map(|t| t.trim().parse::<i64>().map_err(|_| told(format!("'{t}' is not a row_id; find it with query_sheet"))))
            .transpose()
    };
    let location = Location { parent: id(parent_row_id)?, parent_label: None, after: id(after_row_id)?, top: position == "top" };
    let rows: Vec<NewRowRequest> =
        rows.into_iter().map(|r| NewRowRequest { cells: r.cells.into_iter().map(|c| (c.column, c.value)).collect() }).collect();
    let columns: Vec<&str> = rows.iter().flat_map(|r| &r.cells).map(|(column, _)| column.as_str()).collect();
    let author = context.author(&snapshot, &columns).await;
    let draft = propose::add(&snapshot, &rows, location, &author)?;
    context.propose(draft, snapshot).await
}
