//! `query_sheet`: one SELECT over a sheet; exact figures, and the rows that people should see.

use super::{Context, MAX_RESULT_CHARS, Output, Shown, Tool, arguments, object, sheet_parameter, short};
use crate::error::{Result, told};
use crate::sheet::{QueryResult, check};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "query_sheet",
    description: "Runs one SQLite SELECT over a sheet and returns exact results. Tables: sheet (all rows), leaf (rows without children: use it for counts and sums). \
        Days are 'YYYY-MM-DD' and CURRENT_DATE is today; percents are 0 to 1; checkboxes are 0 or 1; people have a name and an _email column; empty cells are NULL. \
        Texts among numbers or days are NULL there and stand in a _text column; the moment of a day is in a _time column. path and top name the rows above: path LIKE '%Phase 3%' is everything under it. \
        Texts are compared without regard to case. Lists come in the order of the sheet unless sorted, with row_id added; total counts all rows whatever LIMIT says.",
    parameters: || {
        object(json!({
            "sheet": sheet_parameter(),
            "sql": { "type": "string", "description": "Exactly one SELECT statement." },
            "show": { "type": "boolean", "description": "Whether the person should see the rows as a table below your answer." },
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
    let (of, query) = (snapshot.clone(), checked.clone());
    let run = tokio::task::spawn_blocking(move || of.query(&query, ROWS_FOR_PEOPLE));
    let result = run.await.map_err(anyhow::Error::from)?.map_err(|e| told(e.0))?;
    let mut json = for_model(&result);
    if result.total == 1 && result.columns.len() == 1 {
        json["figure"] = json!(result.shown(0, 0));
    }
    if !result.notes.is_empty() {
        json["notes"] = json!(result.notes);
    }
    let hints: Vec<&String> = checked.readings.iter().chain(&result.hints).collect();
    if !hints.is_empty() {
        json["hints"] = json!(hints);
    }
    let shown = show.then_some(Shown { snapshot, checked, result });
    Ok(Output { shown, ..Output::json(json) })
}

fn for_model(result: &QueryResult) -> Value {
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
