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

/// An option or a person in a cell.
#[derive(Debug, PartialEq)]
pub(super) struct Chip {
    pub text: String,
    /// Its classes: a tint, and the colour of its sign.
    pub look: String,
    /// What stands before it; empty for nothing.
    pub sign: String,
}

/// Tints of options and people.
const TINTS: usize = 8;

impl Chip {
    /// The chip of a value in a column. The script of the page (chips.js) makes the same.
    fn of(column: &SnapshotColumn, text: String) -> Self {
        let at = column.options.iter().position(|option| *option == text);
        let hash = || text.encode_utf16().fold(0_u32, |sum, unit| sum.wrapping_mul(31).wrapping_add(u32::from(unit))) as usize;
        let tint = at.unwrap_or_else(hash) % TINTS;
        let sign = column.symbol.as_deref().filter(|_| at.is_some()).and_then(|symbol| sign(symbol, &text));
        let colour = sign.map(|(_, colour)| format!(" is-{}", colour.unwrap_or("plain"))).unwrap_or_default();
        let sign = if kind(column) == "person" { initials(&text) } else { sign.map(|(sign, _)| sign.to_owned()).unwrap_or_default() };
        Self { look: format!("chip tint-{tint}{colour}"), sign, text }
    }
}

/// The first letters of the first and the last word of a name.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    let last = words.last().filter(|_| words.len() > 1);
    words.first().into_iter().chain(last).filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}

/// How a value of one of Smartsheet's symbols looks, with its colour where that is what it says
/// (<https://developers.smartsheet.com/api/smartsheet/guides/basics/column-types>).
pub(super) fn sign(symbol: &str, value: &str) -> Option<(&'static str, Option<&'static str>)> {
    let one_of = |signs: &[(&'static str, &'static str)]| signs.iter().find(|(name, _)| *name == value).map(|(_, sign)| (*sign, None));
    let coloured = |sign, colour| Some((sign, Some(colour)));
    match symbol {
        "RYG" | "RYGB" | "RYGG" => match value {
            "Red" => coloured("●", "red"),
            "Yellow" => coloured("●", "yellow"),
            "Green" => coloured("●", "green"),
            "Blue" => coloured("●", "blue"),
            "Gray" => coloured("●", "gray"),
            _ => None,
        },
        "DECISION_SYMBOLS" | "DECISION_SHAPES" => match value {
            "Yes" => coloured("✔", "green"),
            "Hold" => coloured("■", "yellow"),
            "No" => coloured("✖", "red"),
            _ => None,
        },
        "HARVEY_BALLS" => one_of(&[("Empty", "○"), ("Quarter", "◔"), ("Half", "◑"), ("Three Quarter", "◕"), ("Full", "●")]),
        "PROGRESS" | "BARS_SIGNAL" => one_of(&[("Empty", "▁"), ("Quarter", "▂"), ("Half", "▄"), ("Three Quarter", "▆"), ("Full", "█")]),
        "PRIORITY" | "PRIORITY_HML" => match value {
            "High" => coloured("▲", "red"),
            "Medium" => coloured("◆", "yellow"),
            "Low" => coloured("▼", "blue"),
            _ => None,
        },
        "ARROWS_3_WAY" | "ARROWS_4_WAY" | "ARROWS_5_WAY" | "DIRECTIONS_3_WAY" | "DIRECTIONS_4_WAY" => one_of(&[
            ("Down", "↓"),
            ("Angle Down", "↘"),
            ("Sideways", "→"),
            ("Angle Up", "↗"),
            ("Up", "↑"),
            ("Unchanged", "→"),
            ("Left", "←"),
            ("Right", "→"),
        ]),
        "VCR" => one_of(&[("Stop", "■"), ("Rewind", "◀◀"), ("Play", "▶"), ("Fast Forward", "▶▶"), ("Pause", "❚❚")]),
        "STAR_RATING" | "HEARTS" | "MONEY" | "EFFORT" => {
            let signs = match symbol {
                "STAR_RATING" => ["☆", "★", "★★", "★★★", "★★★★", "★★★★★"],
                "HEARTS" => ["♡", "♥", "♥♥", "♥♥♥", "♥♥♥♥", "♥♥♥♥♥"],
                "MONEY" => ["–", "$", "$$", "$$$", "$$$$", "$$$$$"],
                _ => ["·", "▮", "▮▮", "▮▮▮", "▮▮▮▮", "▮▮▮▮▮"],
            };
            let words = ["Empty", "One", "Two", "Three", "Four", "Five"];
            words.iter().position(|word| *word == value).map(|at| (signs[at], None))
        }
        _ => None,
    }
}

/// A cell as it stands in the page. The script of the page makes the same.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    /// Its text; empty when it is made of parts.
    pub text: String,
    /// Values that stand side by side.
    pub chips: Vec<Chip>,
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
        let chips = chips.into_iter().map(|text| Chip::of(column, text)).collect();
        return Shown { text: String::new(), chips, link };
    }
    Shown { text, chips: Vec::new(), link }
}
