//! `query_sheet`: one SELECT over a sheet; exact figures, and the rows that people should see.

use super::{Context, MAX_RESULT_CHARS, Output, Shown, Tool, arguments, object, sheet_parameter, short};
use crate::error::{Result, told};
use crate::sheet::{QueryResult, check, query};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "query_sheet",
    description: "Runs one SQLite SELECT and returns exact results. Tables: leaf (rows without children: for counts and sums), sheet (all rows). \
        Days are 'YYYY-MM-DD', CURRENT_DATE is today; percents 0 to 1; checkboxes 0 or 1; people a name and an _email column; empty cells NULL. \
        Texts among numbers or days stand in a _text column, the moment of a day in _time. path LIKE '%Phase 3%' is everything under that row, top the outermost one. \
        Texts compare without case. total counts all rows whatever LIMIT says.",
    parameters: || {
        object(json!({
            "sheet": sheet_parameter(),
            "sql": { "type": "string" },
            "show": { "type": "boolean", "description": "Whether people see the rows as a table." },
        }))
    },
    run: |context, value| Box::pin(run(context, value)),
};

/// Rows that go to the model.
const ROWS_FOR_MODEL: usize = 50;
/// Rows that are kept for people.
const ROWS_FOR_PEOPLE: usize = 100;

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
    sql: String,
    show: bool,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet, sql, show } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    let checked = check(&sql, &snapshot, context.locality.here()).map_err(|e| told(e.0))?;
    let result = query(&snapshot, &checked, ROWS_FOR_PEOPLE).await.map_err(|e| told(e.0))?;
    let mut json = for_model(&result);
    if !result.notes.is_empty() {
        json["notes"] = json!(result.notes);
    }
    let hints: Vec<&String> = checked.readings.iter().chain(&result.hints).collect();
    if !hints.is_empty() {
        json["hints"] = json!(hints);
    }
    let shown = Shown { snapshot, checked, result, rows_wanted: show };
    Ok(Output { shown: Some(shown), ..Output::json(json) })
}

/// A single figure comes alone: what is around it makes models ask again.
fn for_model(result: &QueryResult) -> Value {
    if let ([column], Some(exact)) = (result.columns.as_slice(), result.figure()) {
        let shown = result.shown(0, 0);
        let result = if exact.is_null() { Value::Null } else { json!(shown) };
        // Beside “56%” stands 0.56.
        let told = json!({ "result": result, "exact": exact });
        let exactly = exact.to_string();
        return if column.numeric && *exact != result && exactly != shown { told } else { json!({ "result": result }) };
    }
    let names: Vec<&str> = result.columns.iter().map(|c| c.name.as_str()).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut chars = 0;
    for i in 0..result.rows.len().min(ROWS_FOR_MODEL) {
        let row: Vec<String> = (0..names.len())
            .map(|c| if result.columns[c].numeric { result.rows[i][c].to_string() } else { short(&result.shown(i, c)) })
            .collect();
        chars += row.iter().map(String::len).sum::<usize>();
        if chars > MAX_RESULT_CHARS && !rows.is_empty() {
            break;
        }
        rows.push(row);
    }
    let truncated = rows.len() < result.wanted;
    json!({ "columns": names, "shown": rows.len(), "total": result.total, "truncated": truncated, "rows": rows })
}
