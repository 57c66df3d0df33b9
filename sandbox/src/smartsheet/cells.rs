//! What a cell accepts: the strict rules per column type, and what comes back.

use super::error::Failure;
use super::project;
use super::samples::PEOPLE;
use super::world::{Column, Look, Row, Sheet};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const KNOWN: [&str; 11] = [
    "columnId",
    "value",
    "objectValue",
    "formula",
    "strict",
    "overrideValidation",
    "hyperlink",
    "linkInFromCell",
    "format",
    "displayValue",
    "image",
];

/// The cell as it will be stored. Owners and admins may write to what is locked, and override validation.
pub(super) fn accept(column: &Column, input: &Value, admin: bool) -> Result<Map<String, Value>, Failure> {
    let cell = input.as_object().ok_or_else(|| Failure::new(1008, "Unable to parse request."))?;
    if let Some(unknown) = cell.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        return Err(Failure::new(1032, format!("The attribute(s) {unknown} are not allowed for this operation.")));
    }
    if column.extra.contains_key("systemColumnType") {
        return Err(Failure::new(1046, "Value cannot be set for system columns."));
    }
    if column.extra.contains_key("formula") {
        return Err(Failure::new(1302, "Cells of a column formula cannot be set."));
    }
    if column.extra.get("locked") == Some(&json!(true)) && !admin {
        return Err(Failure::new(1039, "You cannot change a locked column."));
    }
    if let Some(formula) = cell.get("formula").filter(|f| !f.is_null() && *f != "") {
        if ["value", "objectValue", "hyperlink"].iter().any(|k| cell.contains_key(*k)) {
            return Err(Failure::new(
                1163,
                "formula must not be used together with value, objectValue, image, hyperlink or linkInFromCell.",
            ));
        }
        return object(json!({ "formula": formula, "value": "#UNPARSEABLE", "displayValue": "#UNPARSEABLE" }));
    }
    let (value, object_value) = (cell.get("value"), cell.get("objectValue"));
    if value.is_some() && object_value.is_some() {
        return Err(Failure::new(1130, "Either value or objectValue may be set, not both."));
    }
    let strict = cell.get("strict") != Some(&json!(false));
    let override_validation = cell.get("overrideValidation") == Some(&json!(true));
    if override_validation && !admin {
        return Err(Failure::new(1212, "Only owners and admins may override validation."));
    }
    let mut stored = match (object_value, value) {
        (Some(o), _) => object_cell(column, o)?,
        (None, Some(v)) => plain_cell(column, v, strict)?,
        (None, None) if ["hyperlink", "formula", "linkInFromCell"].iter().any(|key| cell.contains_key(*key)) => Map::new(),
        (None, None) => return Err(Failure::new(1012, "Required object attribute(s) are missing from your request: cell.value.")),
    };
    let restricted = column.extra.get("validation") == Some(&json!(true)) && !override_validation;
    if restricted && !stored.is_empty() && !conforms(column, stored.get("value").unwrap_or(&Value::Null)) {
        return Err(strict_violation(column));
    }
    if let Some(name) = cell.get("displayValue").filter(|_| column.kind == "CONTACT_LIST" && !stored.is_empty()) {
        stored.insert("displayValue".into(), name.clone());
    }
    if let Some(format) = cell.get("format").and_then(Value::as_str).filter(|format| !format.is_empty()) {
        stored.insert("format".into(), json!(format));
    }
    if let Some(link) = cell.get("hyperlink").filter(|h| !h.is_null()) {
        stored.insert("hyperlink".into(), link.clone());
    }
    Ok(stored)
}

/// What a request wants to see of rows beside their values.
pub(super) struct Details {
    /// Cells that hold nothing.
    pub empty: bool,
    /// Values with their parts.
    pub objects: bool,
    /// Whether a personal filter hides a row.
    pub filters: bool,
    pub formats: bool,
    /// Where in its sheet the source of a linked cell is.
    links: bool,
}

impl Details {
    pub(super) fn of(params: &BTreeMap<String, String>) -> Self {
        let names = |parameter: &str, flag: &str| params.get(parameter).is_some_and(|flags| flags.split(',').any(|f| f.trim() == flag));
        Self {
            empty: !names("exclude", "nonexistentCells"),
            objects: names("include", "objectValue"),
            filters: names("include", "filters"),
            formats: names("include", "format"),
            links: !names("exclude", "linkInFromCellDetails"),
        }
    }

    /// What the answer to a write shows.
    pub(super) fn written() -> Self {
        Self { empty: false, objects: false, filters: false, formats: false, links: true }
    }
}

/// The row as the API shows it.
pub(super) fn row_json(sheet: &Sheet, row: &Row, details: &Details, permalink: Option<String>) -> Value {
    let index = sheet.position(row.id).unwrap_or(0);
    let cell = |column: &Column| -> Option<Value> {
        let mut json = row.cells.get(&column.id).cloned();
        if json.is_none() && !details.empty {
            return None;
        }
        let cell = json.get_or_insert_default();
        if !details.formats {
            cell.remove("format");
        }
        if let Some(link) = cell.get_mut("linkInFromCell").and_then(Value::as_object_mut).filter(|_| !details.links) {
            link.retain(|key, _| key == "sheetId" || key == "sheetName");
        }
        if details.objects {
            // Each value stands there twice, but for those that have several parts.
            match (column.kind.starts_with("MULTI_"), cell.contains_key("objectValue"), cell.get("value").cloned()) {
                (true, _, _) => {
                    cell.remove("value");
                }
                (false, false, Some(value)) => {
                    let contact = column.kind == "CONTACT_LIST" && value.as_str().is_some_and(|v| v.contains('@'));
                    let person = || json!({ "objectType": "CONTACT", "email": value, "name": cell.get("displayValue") });
                    let object = if contact { person() } else { value.clone() };
                    cell.insert("objectValue".into(), object);
                }
                _ => {}
            }
        } else {
            cell.remove("objectValue");
        }
        cell.insert("columnId".into(), json!(column.id));
        json.map(Value::Object)
    };
    let mut json = json!({
        "id": row.id, "rowNumber": index + 1, "expanded": row.expanded,
        "createdAt": row.created_at, "modifiedAt": row.modified_at,
        "cells": sheet.columns.iter().filter_map(cell).collect::<Vec<_>>(),
    });
    if let Some(parent) = row.parent {
        json["parentId"] = json!(parent);
    }
    let sibling = sheet.rows[..index].iter().rev().find(|r| r.parent == row.parent);
    if let Some(sibling) = sibling {
        json["siblingId"] = json!(sibling.id);
    }
    if row.locked {
        json["locked"] = json!(true);
        json["lockedForUser"] = json!(!is_admin(sheet.access_level));
    }
    if details.filters {
        json["filteredOut"] = json!(row.filtered);
    }
    if let Some(format) = row.format.as_ref().filter(|_| details.formats) {
        json["format"] = json!(format);
    }
    if let Some(link) = permalink {
        json["permalink"] = json!(link);
    }
    json
}

/// `$1,234.50`, without cents where there are none.
pub(super) fn money(n: f64) -> String {
    let cents = (n.abs() * 100.0).round() as u64;
    let whole = (cents / 100).to_string();
    let grouped: Vec<String> = whole.as_bytes().rchunks(3).rev().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
    let sign = if n < 0.0 { "-" } else { "" };
    let rest = if cents.is_multiple_of(100) { String::new() } else { format!(".{:02}", cents % 100) };
    format!("{sign}${}{rest}", grouped.join(","))
}

/// A number in a format.
pub(super) fn looking(n: f64, look: Look) -> String {
    match look {
        Look::Plain => n.to_string(),
        Look::Money => money(n),
        Look::Percent => format!("{}%", (n * 1e6).round() / 1e4),
    }
}

fn object(value: Value) -> Result<Map<String, Value>, Failure> {
    value.as_object().cloned().ok_or_else(|| Failure::new(1008, "Unable to parse request."))
}

fn strict_violation(column: &Column) -> Failure {
    Failure::new(
        1042,
        format!(
            "The value for cell in column {}, {}, did not conform to the strict requirements for type {}.",
            column.id, column.title, column.kind
        ),
    )
}

pub(super) fn is_admin(level: &str) -> bool {
    matches!(level, "OWNER" | "ADMIN")
}

/// Whether a value is one of the type of its column.
fn conforms(column: &Column, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match column.kind.as_str() {
        "DATE" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "ABSTRACT_DATETIME" => text.get(..10).is_some_and(|day| day.parse::<jiff::civil::Date>().is_ok()),
        "CHECKBOX" => value.is_boolean(),
        "CONTACT_LIST" => text.contains('@') && !text.contains(' '),
        "PICKLIST" => value.is_string() && (column.options.is_empty() || column.options.iter().any(|o| o == text)),
        "DURATION" => project::days_of(text).is_some(),
        "MULTI_PICKLIST" | "MULTI_CONTACT_LIST" => true,
        "PREDECESSOR" | "DATETIME" => false,
        _ => !value.is_object() && !value.is_array(),
    }
}

fn plain_cell(column: &Column, value: &Value, strict: bool) -> Result<Map<String, Value>, Failure> {
    let emptied = matches!(value, Value::Null) || value == "";
    if emptied {
        return if column.kind == "CHECKBOX" { object(json!({ "value": false })) } else { Ok(Map::new()) };
    }
    if let Some(n) = value.as_f64().filter(|n| n.abs() > 9_007_199_254_740_992.0) {
        return Err(Failure::new(1148, format!("The number {n} is out of range.")));
    }
    if column.kind.starts_with("MULTI_") || (strict && !conforms(column, value)) {
        return Err(strict_violation(column));
    }
    let text: String = value.as_str().map_or_else(|| value.to_string(), |s| s.chars().take(4000).collect());
    match column.kind.as_str() {
        "CONTACT_LIST" => {
            let known = PEOPLE.iter().find(|(n, e)| *e == text || (!strict && *n == text));
            match known {
                Some((name, email)) => object(json!({ "value": email, "displayValue": name })),
                None => object(json!({ "value": text, "displayValue": text })),
            }
        }
        "ABSTRACT_DATETIME" if conforms(column, value) => project::moment_of(&text).ok_or_else(|| strict_violation(column)),
        "DATE" | "CHECKBOX" if conforms(column, value) => object(json!({ "value": value })),
        "DATE" if !strict && let Some(day) = typed_day(&text) => object(json!({ "value": day.to_string() })),
        _ => match value.as_f64().map(|n| (n, column.look)).or_else(|| if strict { None } else { typed_number(column, &text) }) {
            Some((n, look)) => object(json!({ "value": n, "displayValue": looking(n, look) })),
            None => object(json!({ "value": text, "displayValue": text })),
        },
    }
}

/// Without strictness a day may be written as people write it in the United States.
fn typed_day(text: &str) -> Option<jiff::civil::Date> {
    let parts: Vec<i16> = text.split('/').map(|part| part.trim().parse()).collect::<Result<_, _>>().ok()?;
    let [month, day, year] = parts.as_slice() else { return None };
    jiff::civil::Date::new(if *year < 100 { 2_000 + year } else { *year }, i8::try_from(*month).ok()?, i8::try_from(*day).ok()?).ok()
}

/// Without strictness a text that people would type for a number becomes one, with the format of its signs.
fn typed_number(column: &Column, text: &str) -> Option<(f64, Look)> {
    if column.kind != "TEXT_NUMBER" && column.kind != "PICKLIST" {
        return None;
    }
    let (bare, look) = match (text.strip_prefix('$'), text.strip_suffix('%')) {
        (Some(amount), _) => (amount, Look::Money),
        (None, Some(share)) => (share, Look::Percent),
        (None, None) => (text, column.look),
    };
    let n: f64 = bare.replace(',', "").parse().ok().filter(|_| bare.starts_with(|c: char| c.is_ascii_digit() || c == '-'))?;
    let share = if text.ends_with('%') { 0.01 } else { 1.0 };
    // An option that looks like a number stays an option.
    (!column.options.iter().any(|o| o == text)).then_some((n * share, look))
}

fn object_cell(column: &Column, input: &Value) -> Result<Map<String, Value>, Failure> {
    let kind = input.get("objectType").and_then(Value::as_str).unwrap_or_default();
    let values = input.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    let shown: Option<Vec<String>> = match (kind, column.kind.as_str()) {
        ("MULTI_PICKLIST", "MULTI_PICKLIST") => {
            let texts: Vec<String> = values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
            texts.iter().all(|t| column.options.contains(t)).then_some(texts)
        }
        ("MULTI_CONTACT", "MULTI_CONTACT_LIST") => {
            let name = |v: &Value| v.get("name").or(v.get("email")).and_then(Value::as_str).map(str::to_owned);
            values.iter().map(name).collect()
        }
        ("PREDECESSOR_LIST", "PREDECESSOR") => return object(json!({ "objectValue": input })),
        ("CONTACT", "CONTACT_LIST") => {
            return plain_cell(column, input.get("email").unwrap_or(&Value::Null), true);
        }
        ("DATE", "DATE") => return plain_cell(column, input.get("value").unwrap_or(&Value::Null), true),
        _ => None,
    };
    let shown = shown.ok_or_else(|| strict_violation(column))?.join(", ");
    object(json!({ "value": shown, "displayValue": shown, "objectValue": input }))
}
