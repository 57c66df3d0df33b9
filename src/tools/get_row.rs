//! `get_row`: everything in one row, with its comments.

use super::{Context, Output, Tool, arguments, object, sheet_parameter};
use crate::error::{Result, told};
use crate::sheet::{Cell, smartsheet_trouble};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "get_row",
    description: "Returns a row in full, with its comments.",
    parameters: || object(json!({ "sheet": sheet_parameter(), "row_id": { "type": "string", "description": "row_id or name." } })),
    run: |context, value| Box::pin(run(context, value)),
};

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    row_id: String,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, row_id } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let id = context.row(&snapshot, &row_id)?;
    let row = snapshot.row(id).ok_or_else(|| told(format!("there is no row {id} in {}", snapshot.name)))?;
    let filled = snapshot.columns.iter().zip(&row.cells).filter(|(_, cell)| **cell != Cell::Empty);
    let cells: Map<String, Value> = filled.map(|(c, cell)| (c.title.clone(), json!(chat::text::clean(&cell.shown(&c.style))))).collect();
    let discussions = context.sheets.client().discussions(&context.identity, snapshot.id, id).await.map_err(smartsheet_trouble)?;
    let comments: Vec<Value> = discussions
        .iter()
        .flat_map(|d| &d.comments)
        .take(20)
        .map(|c| {
            let by = c.created_by.as_ref().and_then(|b| b.name.clone().or(b.email.clone()));
            json!({ "by": by, "at": c.created_at, "text": c.text })
        })
        .collect();
    Ok(Output::json(
        json!({ "row_id": id.to_string(), "row_number": row.number, "level": row.level, "parent_id": row.parent.map(|p| p.to_string()), "cells": cells, "comments": comments }),
    ))
}
