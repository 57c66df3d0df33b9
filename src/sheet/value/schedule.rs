//! What plans are made of: durations (`5d`, `1w 2d`) and predecessors (`3FS +2d`).

use super::super::duration;
use super::super::snapshot::{Snapshot, SnapshotColumn};
use super::{Coerced, plain};
use crate::sheet::cell::plain_number;
use serde_json::{Value, json};

pub(super) fn duration(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    let days = duration::days(text).ok_or_else(|| format!("{} is a duration: write it like 5d, 1w or 4h, not “{text}”", column.title))?;
    // A number alone is one of days; units that are written out are not read by Smartsheet.
    let written =
        if text.chars().all(|c| c.is_ascii_digit() || c == '.') { format!("{}d", plain_number(days)) } else { duration::short(text) };
    Ok(plain(written.clone(), written))
}

/// Reads `3`, `3FS`, `3FS +2d`, several with commas in between. Rows are meant by their number.
pub(super) fn predecessors(column: &SnapshotColumn, text: &str, snapshot: &Snapshot) -> Result<Coerced, String> {
    let wrong = |part: &str| format!("{} names rows by number: write it like 3, 3FS or 3FS +2d, not “{part}”", column.title);
    let mut values = Vec::new();
    for part in text.split([',', ';']).map(str::trim).filter(|p| !p.is_empty()) {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let number: u32 = part[..digits].parse().map_err(|_| wrong(part))?;
        let row =
            snapshot.rows.iter().find(|r| r.number == number).ok_or_else(|| format!("there is no row {number} in {}", snapshot.name))?;
        let rest = part[digits..].trim();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let kind = match rest[..letters].to_uppercase().as_str() {
            "" => "FS",
            "FS" => "FS",
            "SS" => "SS",
            "FF" => "FF",
            "SF" => "SF",
            _ => return Err(wrong(part)),
        };
        let lag = rest[letters..].trim().replace(' ', "");
        let mut value = json!({ "rowId": row.id, "type": kind });
        if !lag.is_empty() {
            let sign = if lag.starts_with('-') { -1.0 } else { 1.0 };
            let days =
                duration::days(lag.trim_start_matches(['+', '-'])).filter(|_| lag.starts_with(['+', '-'])).ok_or_else(|| wrong(part))?;
            value["lag"] = json!({ "objectType": "DURATION", "days": days * sign });
        }
        values.push(value);
    }
    let list = json!({ "objectType": "PREDECESSOR_LIST", "predecessors": values });
    let shown = in_words(&list, snapshot);
    Ok(plain(list, shown))
}

/// Predecessors as people write them: `3FS +2d, 7`. Those whose rows are gone are left out.
pub fn in_words(list: &Value, snapshot: &Snapshot) -> String {
    let one = |p: &Value| Some(one_in_words(p, snapshot.row(p["rowId"].as_i64()?)?.number));
    list["predecessors"].as_array().into_iter().flatten().filter_map(one).collect::<Vec<_>>().join(", ")
}

fn one_in_words(predecessor: &Value, number: u32) -> String {
    let kind = predecessor["type"].as_str().unwrap_or("FS");
    let lag = predecessor["lag"]["days"].as_f64().filter(|d| *d != 0.0);
    match lag {
        Some(days) => format!("{number}{kind} {}{}d", if days < 0.0 { "-" } else { "+" }, plain_number(days.abs())),
        None if kind == "FS" => number.to_string(),
        None => format!("{number}{kind}"),
    }
}
