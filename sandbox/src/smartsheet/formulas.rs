//! The formulas that the stand-in computes: sums of the rows below, and what a project sheet rolls up. All others bring `#UNPARSEABLE`,
//! but for columns of the samples that have their values already.

use super::cells::looking;
use super::project;
use super::world::Sheet;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The formula that sums the rows below.
pub(super) const SUM_CHILDREN: &str = "=SUM(CHILDREN())";

/// Computes the formulas of a sheet anew, from the innermost rows outwards.
pub(super) fn recompute(sheet: &mut Sheet) {
    if sheet.project {
        project::recompute(sheet);
    }
    let filled: Vec<_> = sheet.columns.iter().filter_map(|c| Some((c.id, c.extra.get("formula")?.clone()))).collect();
    for (column, formula) in filled {
        for row in &mut sheet.rows {
            let unknown = || Map::from_iter(["value", "displayValue"].map(|key| (key.to_owned(), json!("#UNPARSEABLE"))));
            row.cells.entry(column).or_insert_with(unknown).insert("formula".into(), formula.clone());
        }
    }
    let columns: Vec<_> = sheet.columns.iter().map(|c| (c.id, c.look)).collect();
    for (column, look) in columns {
        if !sheet.rows.iter().any(|r| is_sum(r.cells.get(&column))) {
            continue;
        }
        let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
        for row in sheet.rows.iter_mut().rev() {
            if is_sum(row.cells.get(&column)) {
                let sum = sums.get(&row.id).copied().unwrap_or(0.0);
                let cell = json!({ "value": sum, "displayValue": looking(sum, look), "formula": SUM_CHILDREN });
                row.cells.extend(cell.as_object().cloned().map(|c| (column, c)));
            }
            let own = row.cells.get(&column).and_then(|c| c.get("value")).and_then(Value::as_f64).unwrap_or(0.0);
            if let Some(parent) = row.parent {
                *sums.entry(parent).or_default() += own;
            }
        }
    }
}

fn is_sum(cell: Option<&Map<String, Value>>) -> bool {
    cell.and_then(|c| c.get("formula")).and_then(Value::as_str) == Some(SUM_CHILDREN)
}
