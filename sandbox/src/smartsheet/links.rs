//! Cells that take their value from a cell of another sheet.

use super::error::Failure;
use super::world::World;
use serde_json::{Map, Value, json};

/// Links of links that are followed at once.
const LONGEST_CHAIN: usize = 10;

/// The link of a cell that was sent; `None` where there is none.
pub(super) fn wanted(cell: &Value) -> Result<Option<[i64; 3]>, Failure> {
    let Some(link) = cell.get("linkInFromCell").filter(|link| !link.is_null()) else { return Ok(None) };
    if cell.get("value").is_some_and(|value| !value.is_null()) || cell.get("objectValue").is_some() {
        return Err(Failure::new(1115, "cell.value must be null where cell.linkInFromCell is given."));
    }
    let mut ids = [0; 3];
    for (id, key) in ids.iter_mut().zip(["sheetId", "rowId", "columnId"]) {
        let missing =
            || Failure::new(1012, format!("Required object attribute(s) are missing from your request: cell.linkInFromCell.{key}."));
        *id = super::rows::id_of(&link[key]).ok_or_else(missing)?;
    }
    Ok(Some(ids))
}

/// A request changes links or values, never both.
pub(super) fn one_kind(items: &[Value]) -> Result<(), Failure> {
    let cells = || items.iter().flat_map(|item| item["cells"].as_array().into_iter().flatten());
    let links = cells().filter(|cell| cell.get("linkInFromCell").is_some_and(|link| !link.is_null())).count();
    match links == 0 || links == cells().count() {
        true => Ok(()),
        false => Err(Failure::new(1115, "Cell links cannot be created or updated together with other cells.")),
    }
}

impl World {
    /// Refuses a link to a cell that is not there.
    pub(super) fn source(&self, [sheet, row, column]: [i64; 3]) -> Result<(), Failure> {
        let sheet = self.sheet(sheet)?;
        sheet.position(row).ok_or_else(Failure::not_found)?;
        sheet.column(column).ok_or_else(|| Failure::new(1036, format!("The columnId {column} is invalid.")))?;
        Ok(())
    }

    /// What a linked cell holds now: the value of its source, or its last one where the source is gone.
    pub(super) fn linked(&self, [sheet, row, column]: [i64; 3], last: Option<&Map<String, Value>>) -> Map<String, Value> {
        let source = self.sheets.get(&sheet);
        let from = source.and_then(|s| Some((s, s.rows.iter().find(|r| r.id == row)?, s.column(column)?)));
        let shown =
            from.map_or_else(|| last.cloned().unwrap_or_default(), |(_, row, _)| row.cells.get(&column).cloned().unwrap_or_default());
        let mut cell: Map<String, Value> = shown.into_iter().filter(|(key, _)| ["value", "displayValue"].contains(&key.as_str())).collect();
        let status = if from.is_some() { "OK" } else { "BROKEN" };
        let name = source.map(|s| s.name.as_str());
        cell.insert(
            "linkInFromCell".into(),
            json!({ "status": status, "sheetId": sheet, "rowId": row, "columnId": column, "sheetName": name }),
        );
        cell
    }

    /// Brings linked cells up to date, also those of linked cells. Sheets whose cells change have a new version.
    pub(super) fn follow_links(&mut self) {
        for _ in 0..LONGEST_CHAIN {
            if !self.follow_once() {
                break;
            }
        }
    }

    /// Whether a cell has changed by it.
    fn follow_once(&mut self) -> bool {
        let mut stale = Vec::new();
        for (sheet, row, column) in &self.links {
            let Some(held) = self.sheets.get(sheet).and_then(|s| s.rows.iter().find(|r| r.id == *row)?.cells.get(column)) else { continue };
            let Some(link) = held.get("linkInFromCell") else { continue };
            let source = ["sheetId", "rowId", "columnId"].map(|key| link[key].as_i64().unwrap_or_default());
            let now = self.linked(source, Some(held));
            if now != *held {
                stale.push((*sheet, *row, *column, now));
            }
        }
        let changed = !stale.is_empty();
        for (sheet, row, column, cell) in stale {
            if let Ok(held) = self.sheet_mut(sheet)
                && let Some(row) = held.rows.iter_mut().find(|r| r.id == row)
            {
                row.cells.insert(column, cell);
                super::formulas::recompute(held);
            }
            self.touched(sheet, json!({ "objectType": "row", "eventType": "updated", "id": row }));
        }
        changed
    }
}
