//! What is different between two versions of a sheet, as programs and the viewer read it.

use crate::events::Writer;
use crate::sheet::{Cell, Snapshot, SnapshotColumn, SnapshotRow};
use serde_json::{Map, Value, json};

/// With more rows than this it is cheaper to read the sheet again.
const MOST: usize = 2_000;

/// Rows that are new, have changed or are gone; `reload` when columns, links or the order changed, or too much.
pub(super) fn between(before: &Snapshot, now: &Snapshot, by: Writer) -> Value {
    let by = if by == Writer::Us { "bot" } else { "smartsheet" };
    let head = json!({ "sheetId": now.id.to_string(), "from": before.version, "version": now.version, "by": by });
    let same_columns =
        before.columns.len() == now.columns.len() && before.columns.iter().zip(&now.columns).all(|(a, b)| shape(a) == shape(b));
    let kept = |snapshot: &Snapshot, other: &Snapshot| -> Vec<i64> {
        snapshot.rows.iter().map(|r| r.id).filter(|id| other.row(*id).is_some()).collect()
    };
    if !same_columns || before.hyperlinks != now.hyperlinks || kept(before, now) != kept(now, before) {
        return with(head, [("reload", json!(true))]);
    }
    let gone: Vec<String> = before.rows.iter().filter(|r| now.row(r.id).is_none()).map(|r| r.id.to_string()).collect();
    let (mut changed, mut added) = (Vec::new(), Vec::new());
    let mut above = None;
    for row in &now.rows {
        match before.row(row.id) {
            None => added.push(with(row_json(now, row, |_| true), [("afterId", json!(above.map(|id: i64| id.to_string())))])),
            Some(old) if old.parent != row.parent => return with(head, [("reload", json!(true))]),
            Some(old) => {
                let differs = |i: usize| old.cells[i] != row.cells[i];
                if (0..now.columns.len()).any(differs) {
                    changed.push(row_json(now, row, differs));
                }
            }
        }
        above = Some(row.id);
    }
    if changed.len() + added.len() + gone.len() > MOST {
        return with(head, [("reload", json!(true))]);
    }
    with(head, [("changed", json!(changed)), ("added", json!(added)), ("removed", json!(gone))])
}

/// What people see of a column.
fn shape(column: &SnapshotColumn) -> impl PartialEq + '_ {
    let SnapshotColumn { id, title, kind, options, read_only, hidden, .. } = column;
    (id, title, kind, options, read_only, hidden)
}

/// Some cells of a row: value, and how it looks where that is something else. Columns that Smartsheet hides are left out.
fn row_json(snapshot: &Snapshot, row: &SnapshotRow, wanted: impl Fn(usize) -> bool) -> Value {
    let cells = (0..snapshot.columns.len()).filter(|i| wanted(*i) && !snapshot.columns[*i].hidden).map(|i| {
        let (column, cell): (_, &Cell) = (&snapshot.columns[i], &row.cells[i]);
        (column.id.to_string(), json!({ "value": cell.to_json(), "display": cell.shown(&column.style) }))
    });
    let cells: Map<String, Value> = cells.collect();
    json!({ "id": row.id.to_string(), "parentId": row.parent.map(|p| p.to_string()), "rowNumber": row.number, "cells": cells })
}

fn with<const N: usize>(mut object: Value, more: [(&str, Value); N]) -> Value {
    for (key, value) in more {
        object[key] = value;
    }
    object
}
