//! `describe_sheet`: columns with their SQL names, types, options and usual values; size; three rows.

use super::{Context, DESCRIBE_SHEET, Output, Tool, arguments, object, sheet_parameter, short};
use crate::error::Result;
use crate::sheet::{Cell, Snapshot, SnapshotColumn, Style, Values};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) const TOOL: Tool = Tool {
    name: DESCRIBE_SHEET,
    description: "Tells columns, options, usual values and three rows of a sheet: for other sheets than this thread's.",
    parameters: || object(json!({ "sheet": sheet_parameter() })),
    run: |context, value| Box::pin(run(context, value)),
};

/// Values that are listed although none comes twice.
const FEW_VALUES: usize = 3;
/// Different values up to which they are listed.
const MOST_VALUES: usize = 30;

#[derive(Deserialize)]
struct Arguments {
    sheet: Option<String>,
}

async fn run(context: &Context, value: Value) -> Result<Output> {
    let Arguments { sheet } = arguments(value)?;
    let snapshot = context.snapshot(sheet.as_deref()).await?;
    Ok(Output::json(describe(&snapshot)))
}

fn describe(snapshot: &Snapshot) -> Value {
    let columns: Vec<Value> = snapshot.columns.iter().enumerate().map(|(i, c)| column(snapshot, i, c)).collect();
    let sample: Vec<Value> = snapshot
        .rows
        .iter()
        .filter(|r| !r.is_parent)
        .take(3)
        .map(|row| {
            let cells = snapshot.columns.iter().zip(&row.cells).filter(|(_, cell)| **cell != Cell::Empty);
            cells.map(|(c, cell)| (c.sql.clone(), json!(short(&cell.shown(&c.style))))).collect::<serde_json::Map<_, _>>().into()
        })
        .collect();
    let leaves = snapshot.rows.iter().filter(|r| !r.is_parent).count();
    json!({
        "sheet_id": snapshot.id.to_string(), "name": snapshot.name, "version": snapshot.version, "your_rights": snapshot.access_level,
        "tables": { "sheet": "all rows", "leaf": "rows without children: use it for counts and sums, parent rows may repeat what their children say" },
        "extra_columns": "row_id, parent_id, level, row_number, is_parent, path (the rows above), top (the outermost of them)", "rows": snapshot.rows.len(), "leaf_rows": leaves,
        "levels": snapshot.rows.iter().map(|r| r.level + 1).max().unwrap_or(0), "columns": columns, "sample": sample,
    })
}

fn column(snapshot: &Snapshot, position: usize, column: &SnapshotColumn) -> Value {
    let filled = snapshot.rows.iter().filter(|r| r.cells[position] != Cell::Empty).count();
    let mut json = json!({ "title": column.title, "sql": column.sql, "type": column.kind, "filled": filled });
    if column.primary {
        json["primary"] = json!(true);
    }
    if !column.options.is_empty() {
        json["options"] = json!(column.options);
    }
    if column.is_numeric() {
        json["numeric"] = json!(true);
    }
    if let Some(texts) = &column.text_sql {
        json["cells_with_text"] = json!(column.strays);
        json["text_column"] = json!(texts);
    }
    if let Some(moments) = &column.moment_sql {
        json["unit"] = json!("days");
        json["time_column"] = json!(moments);
    }
    if column.values == Values::Duration {
        json["unit"] = json!("working days");
    }
    if column.style == Style::Percent {
        json["percent"] = json!(true);
        json["unit"] = json!("0.5 means 50%");
    }
    if let Some(emails) = &column.email_sql {
        json["email_column"] = json!(emails);
    }
    if let Some(names) = &column.names_sql {
        json["names_column"] = json!(names);
    }
    if column.is_project_end() {
        json["computed"] = json!("from start and duration; a day that is set here changes the duration");
    } else if let Some(why) = &column.read_only {
        json["read_only"] = json!(why);
    }
    let values = usual_values(snapshot, position, column);
    if !values.is_empty() {
        json["values"] = values.into_iter().map(|(value, count)| json!({ "value": short(&value), "count": count })).collect();
    }
    json
}

/// The values of a column that repeats itself, most frequent first.
fn usual_values(snapshot: &Snapshot, position: usize, column: &SnapshotColumn) -> Vec<(String, usize)> {
    if column.primary || column.is_numeric() || column.is_date() {
        return Vec::new();
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for row in &snapshot.rows {
        if row.cells[position] != Cell::Empty {
            *counts.entry(row.cells[position].shown(&column.style)).or_default() += 1;
            if counts.len() > MOST_VALUES {
                return Vec::new();
            }
        }
    }
    // One value a row says nothing that the rows do not.
    if counts.len() > FEW_VALUES && counts.values().all(|rows| *rows == 1) {
        return Vec::new();
    }
    let mut values: Vec<(String, usize)> = counts.into_iter().collect();
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values
}
