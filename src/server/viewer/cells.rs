//! How a cell stands in a page: what kind of column it is in, its text, chips and links.

use crate::sheet::{Cell, Snapshot, SnapshotColumn, SnapshotRow, Values};
use serde_json::Value;

/// Columns as the page shows them: the primary one first, as the one that stays.
pub(super) fn visible(snapshot: &Snapshot) -> Vec<usize> {
    let mut order: Vec<usize> = (0..snapshot.columns.len()).filter(|i| !snapshot.columns[*i].hidden).collect();
    order.sort_by_key(|i| !snapshot.columns[*i].primary);
    order
}

/// What the page calls a kind of column; a class of its cells.
pub(super) fn kind(column: &SnapshotColumn) -> &'static str {
    match column.kind.as_str() {
        "CHECKBOX" => "check",
        "PICKLIST" | "MULTI_PICKLIST" => "pick",
        "CONTACT_LIST" | "MULTI_CONTACT_LIST" => "person",
        "DATE" | "DATETIME" | "ABSTRACT_DATETIME" => "date",
        _ if column.values == Values::Number => "number",
        _ => "text",
    }
}

/// Pixels that a column takes, as people have set it or as its kind needs.
pub(super) fn width(column: &SnapshotColumn) -> u32 {
    let usual = match kind(column) {
        _ if column.primary => 280,
        "check" => 70,
        "date" | "number" => 115,
        _ => 160,
    };
    let least = if column.primary { 220 } else { 50 };
    column.width.unwrap_or(usual).clamp(least, 600)
}

/// A cell as it stands in the page. The script of the page makes the same.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// Its text; empty when it is made of parts.
    pub text: String,
    /// Values that stand side by side.
    pub chips: Vec<String>,
    /// Where it leads.
    pub link: Option<String>,
}

/// What several values are called; commas in a name part nothing.
fn names(several: &Value) -> Vec<String> {
    let name = |v: &Value| v.as_str().or(v["name"].as_str()).or(v["email"].as_str()).map(str::to_owned);
    several["values"].as_array().into_iter().flatten().filter_map(name).collect()
}

pub(super) fn shown(snapshot: &Snapshot, row: &SnapshotRow, at: usize) -> Shown {
    let (column, cell) = (&snapshot.columns[at], &row.cells[at]);
    let text = match (kind(column), cell) {
        ("check", Cell::Bool(true)) => "✓".to_owned(),
        ("check", Cell::Bool(false)) => String::new(),
        _ => cell.shown(&column.style),
    };
    let link = snapshot.hyperlinks.get(&row.id).and_then(|links| links.iter().find(|(c, _)| usize::from(*c) == at));
    let link = link.and_then(|(_, link)| link.url.clone()).or_else(|| Some(text.clone()));
    let link = link.filter(|l| l.starts_with("https://") || l.starts_with("http://"));
    if matches!(kind(column), "pick" | "person") && link.is_none() && !text.is_empty() {
        let chips = match cell {
            Cell::Several(several) => names(&several.1),
            _ => vec![text],
        };
        return Shown { text: String::new(), chips, link };
    }
    Shown { text, chips: Vec::new(), link }
}
