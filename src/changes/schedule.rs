//! Project sheets: what Smartsheet moves along with the rows that a change touches.

use super::plan::RowEdit;
use crate::sheet::{Cell, Snapshot};
use std::collections::{HashMap, HashSet};

/// Names that are listed.
const LISTED: usize = 5;

/// What to know of a change of dates before it is approved: that ends follow, and which rows wait for these.
pub(super) fn warnings(snapshot: &Snapshot, rows: &[RowEdit]) -> Vec<String> {
    if !snapshot.project {
        return Vec::new();
    }
    let scheduled = |id: i64| {
        let column = snapshot.column_by_id(id).map(|(_, c)| c);
        column.filter(|c| matches!(c.kind.as_str(), "ABSTRACT_DATETIME" | "DURATION" | "PREDECESSOR"))
    };
    let touched = |row: &&RowEdit| row.cells.iter().any(|c| scheduled(c.column_id).is_some());
    let moved: Vec<i64> = rows.iter().filter(touched).map(|r| r.row_id).collect();
    if moved.is_empty() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    if let Some(end) = snapshot.columns.iter().find(|c| c.is_project_end()) {
        warnings.push(format!("{} follows by itself: Smartsheet computes it from start and duration.", end.title));
    }
    let starts = snapshot.columns.iter().find(|c| c.kind == "ABSTRACT_DATETIME" && !c.is_project_end()).map(|c| c.id);
    let waits = snapshot.columns.iter().position(|c| c.kind == "PREDECESSOR");
    let bound = rows.iter().find(|row| {
        let begins = row.cells.iter().any(|c| Some(c.column_id) == starts);
        begins && waits.zip(snapshot.row(row.row_id)).is_some_and(|(at, row)| row.cells[at] != Cell::Empty)
    });
    if let Some(row) = bound {
        warnings.push(format!("{} waits for other rows: Smartsheet may set its start back to what they make of it.", row.label));
    }
    let along = along(snapshot, &moved);
    if !along.is_empty() {
        let mut names: Vec<String> = along.iter().take(LISTED).filter_map(|id| snapshot.row(*id)).map(|r| snapshot.label(r)).collect();
        if along.len() > LISTED {
            names.push(format!("{} more", along.len() - LISTED));
        }
        let (last, others) = names.split_last().map_or((String::new(), String::new()), |(last, others)| (last.clone(), others.join(", ")));
        let names = if others.is_empty() { last } else { format!("{others} and {last}") };
        warnings.push(format!("Smartsheet may move the rows that wait for these, too: {names}."));
    }
    warnings
}

/// The rows that wait for these, at whatever remove, in the order of the sheet. Rows above follow from those below them and are not listed.
fn along(snapshot: &Snapshot, moved: &[i64]) -> Vec<i64> {
    let Some(position) = snapshot.columns.iter().position(|c| c.kind == "PREDECESSOR") else { return Vec::new() };
    let mut waiting: HashMap<i64, Vec<i64>> = HashMap::new();
    let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in &snapshot.rows {
        if let Some(parent) = row.parent {
            below.entry(parent).or_default().push(row.id);
        }
        let Cell::Several(cell) = &row.cells[position] else { continue };
        for before in cell.1["predecessors"].as_array().into_iter().flatten().filter_map(|p| p["rowId"].as_i64()) {
            waiting.entry(before).or_default().push(row.id);
        }
    }
    let (mut seen, mut above) = (moved.iter().copied().collect::<HashSet<i64>>(), HashSet::new());
    let mut next: Vec<i64> = moved.to_vec();
    while let Some(id) = next.pop() {
        let successors = waiting.get(&id).into_iter().flatten();
        // What waits as a whole moves with everything in it.
        let inside = below.get(&id).into_iter().flatten().filter(|_| !above.contains(&id));
        for other in successors.chain(inside) {
            if seen.insert(*other) {
                next.push(*other);
            }
        }
        if let Some(parent) = snapshot.row(id).and_then(|r| r.parent)
            && seen.insert(parent)
        {
            above.insert(parent);
            next.push(parent);
        }
    }
    snapshot.rows.iter().map(|r| r.id).filter(|id| seen.contains(id) && !above.contains(id) && !moved.contains(id)).collect()
}
