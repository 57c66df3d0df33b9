//! Sheets that whoever uses the stand-in brings, and what a sheet looks like as a whole.

use super::world::{Column, Comment, Discussion, Look, Row, Sheet, World, shown};
use super::{formulas, project};
use serde_json::{Map, Value, json};

impl World {
    /// Makes a sheet from a description: `name`, `columns` as the API shows them without ids, `rows` with `parent` (the position of the
    /// parent row, from 0) and `cells` by title, each as the API shows it, but rows that others wait for by their positions, and the texts of `comments`. With `project` dependencies are enabled. Returns its id.
    pub fn plant(&mut self, described: &Value) -> i64 {
        let (id, now) = (self.new_id(), self.timestamp());
        let mut columns: Vec<Column> = Vec::new();
        for (at, column) in described["columns"].as_array().into_iter().flatten().enumerate() {
            let mut extra: Map<String, Value> = column.as_object().cloned().unwrap_or_default();
            let text = |extra: &mut Map<String, Value>, key: &str| extra.remove(key).and_then(|v| v.as_str().map(str::to_owned));
            let title = text(&mut extra, "title").unwrap_or_default();
            let kind = text(&mut extra, "type").unwrap_or_else(|| "TEXT_NUMBER".into());
            let options = extra.remove("options").and_then(|o| serde_json::from_value(o).ok()).unwrap_or_default();
            columns.push(Column { id: self.new_id(), title, kind, primary: at == 0, options, look: Look::Plain, extra });
        }
        let mut rows: Vec<Row> = Vec::new();
        for row in described["rows"].as_array().into_iter().flatten() {
            let parent = row["parent"].as_u64().and_then(|at| rows.get(usize::try_from(at).ok()?)).map(|r| r.id);
            let cell = |column: &Column| {
                let mut cell = row["cells"][&column.title].as_object()?.clone();
                let waits_for = cell.get_mut("objectValue").and_then(|o| o.get_mut("predecessors")).and_then(Value::as_array_mut);
                for one in waits_for.into_iter().flatten() {
                    one["rowId"] = json!(one["rowId"].as_u64().and_then(|at| rows.get(usize::try_from(at).ok()?)).map(|r| r.id));
                }
                Some((column.id, cell))
            };
            rows.push(Row {
                id: self.new_id(),
                parent,
                cells: columns.iter().filter_map(cell).collect(),
                created_at: now.clone(),
                modified_at: now.clone(),
                locked: false,
                expanded: true,
                format: None,
                filtered: false,
            });
        }
        let name = described["name"].as_str().unwrap_or_default().to_owned();
        let project = described["project"] == json!(true);
        let mut sheet = Sheet {
            id,
            name,
            version: 1,
            columns,
            rows,
            created_at: now.clone(),
            modified_at: now,
            access_level: "OWNER",
            project,
            holidays: Vec::new(),
            near: Default::default(),
        };
        let text = |cell: &Map<String, Value>| project::predecessors_text(&sheet, cell.get("objectValue")?);
        let texts = |row: &Row| row.cells.values().map(text).collect::<Vec<_>>();
        let texts: Vec<_> = sheet.rows.iter().map(texts).collect();
        for (cell, text) in sheet.rows.iter_mut().zip(texts).flat_map(|(row, texts)| row.cells.values_mut().zip(texts)) {
            cell.extend(text.map(|text| project::shown(&text)).into_iter().flatten());
        }
        formulas::recompute(&mut sheet);
        let commented: Vec<(i64, &Value)> =
            sheet.rows.iter().map(|row| row.id).zip(described["rows"].as_array().into_iter().flatten()).collect();
        for (row, described) in commented {
            for text in described["comments"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let comment = Comment { id: self.new_id(), text: text.to_owned(), created_at: self.timestamp() };
                let discussion = Discussion { id: self.new_id(), sheet: id, row: Some(row), comments: vec![comment] };
                self.discussions.push(discussion);
            }
        }
        self.sheets.insert(id, sheet);
        id
    }

    /// A cell as it is kept; `None` where there is none.
    pub fn cell(&self, sheet: &str, row: &str, column: &str) -> Option<Value> {
        let sheet = self.sheets.values().find(|s| s.name == sheet)?;
        let (primary, column) = (sheet.columns.iter().find(|c| c.primary)?.id, sheet.columns.iter().find(|c| c.title == column)?.id);
        let row = sheet.rows.iter().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row))?;
        row.cells.get(&column).cloned().map(Value::Object)
    }

    /// Puts a cell in place as the service may hold it, whatever requests could do. The row is named by its primary cell.
    pub fn put_cell(&mut self, sheet: &str, row: &str, column: &str, cell: &Value) {
        let Some(sheet) = self.sheets.values_mut().find(|s| s.name == sheet) else { return };
        let Some(primary) = sheet.columns.iter().find(|c| c.primary).map(|c| c.id) else { return };
        let Some(column) = sheet.columns.iter().find(|c| c.title == column).map(|c| c.id) else { return };
        let row = sheet.rows.iter_mut().find(|r| r.cells.get(&primary).is_some_and(|c| shown(c) == row));
        if let (Some(row), Some(cell)) = (row, cell.as_object()) {
            row.cells.insert(column, cell.clone());
        }
        sheet.version += 1;
    }

    /// Everything that `GET` shows of a sheet but ids, versions and times: what must be the same after a change and its undo.
    pub fn picture(&self, sheet: &str) -> Value {
        self.pictured(sheet, false)
    }

    /// The same with what formulas show in place of the formulas.
    pub fn contents(&self, sheet: &str) -> Value {
        self.pictured(sheet, true)
    }

    fn pictured(&self, sheet: &str, worked_out: bool) -> Value {
        let Some(sheet) = self.sheets.values().find(|s| s.name == sheet) else { return Value::Null };
        let title = |id: &i64| sheet.columns.iter().find(|c| c.id == *id).map(|c| c.title.clone()).unwrap_or_default();
        let number = |id: i64| sheet.position(id).map(|i| i + 1);
        let row = |row: &Row| {
            let cell = |(id, cell): (&i64, &Map<String, Value>)| {
                let mut cell = cell.clone();
                cell.remove("columnId");
                // Rows that come back have other ids; the numbers of the rows that others wait for are the same.
                let waits_for = cell.get_mut("objectValue").and_then(|o| o.get_mut("predecessors")).and_then(Value::as_array_mut);
                for one in waits_for.into_iter().flatten() {
                    one["rowId"] = json!(one["rowId"].as_i64().and_then(number));
                }
                // What a formula makes is made anew.
                if let Some(formula) = cell.remove("formula").filter(|_| !worked_out) {
                    cell = Map::from_iter([("formula".to_owned(), formula)]);
                }
                (title(id), Value::Object(cell))
            };
            // A box that was never touched and one that is not ticked look the same.
            let cells: Map<String, Value> = row.cells.iter().filter(|(_, c)| c.get("value") != Some(&json!(false))).map(cell).collect();
            json!({ "parent": row.parent.and_then(number), "cells": cells })
        };
        let column = |c: &Column| {
            let mut json = sheet.column_json(c);
            json["id"] = Value::Null;
            json
        };
        let columns: Vec<Value> = sheet.columns.iter().map(column).collect();
        json!({ "columns": columns, "rows": sheet.rows.iter().map(row).collect::<Vec<_>>() })
    }
}
