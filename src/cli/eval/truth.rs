//! What is right, worked out from the cells of the stand-in by plain code: no SQL, no snapshot, nothing of ours.

use super::case::Change;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// A figure over the rows of a sheet.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fold {
    /// What is worked out.
    pub of: Of,
    /// Title of the column; none for a count of rows.
    #[serde(default)]
    pub column: String,
    /// Title of the column that a ratio divides by.
    #[serde(default)]
    pub over: String,
    /// Conditions, all of which hold: column, comparison, value.
    #[serde(default)]
    pub r#where: Vec<(String, Is, Value)>,
    /// Whether rows with children count, too.
    #[serde(default)]
    pub all_rows: bool,
    /// What the figure is multiplied by.
    #[serde(default = "one")]
    pub times: f64,
    /// The sheet, where it is not that of the case.
    #[serde(default)]
    pub sheet: Option<String>,
}

/// What is worked out of the values of a column.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Of {
    /// Rows, or values where a column is named.
    Count,
    /// Different values.
    Distinct,
    Sum,
    Avg,
    Min,
    Max,
    /// The sum of one column divided by that of another.
    Ratio,
}

/// A comparison.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(super) enum Is {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    Other,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = ">")]
    More,
    #[serde(rename = "contains")]
    Contains,
    #[serde(rename = "blank")]
    Blank,
}

fn one() -> f64 {
    1.0
}

/// The rows of a sheet, as the stand-in pictures it.
pub(super) struct Rows(Vec<Row>);

impl Rows {
    pub fn of(picture: &Value) -> Self {
        Self(rows(picture))
    }
}

/// A row of the stand-in.
struct Row {
    cells: Map<String, Value>,
    parent: bool,
}

fn rows(picture: &Value) -> Vec<Row> {
    let all = picture["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let parents: BTreeSet<u64> = all.iter().filter_map(|row| row["parent"].as_u64()).collect();
    let row = |(row, n): (&Value, u64)| Row { cells: row["cells"].as_object().cloned().unwrap_or_default(), parent: parents.contains(&n) };
    all.iter().zip(1..).map(row).collect()
}

fn shown(cell: Option<&Value>) -> String {
    let Some(cell) = cell else { return String::new() };
    match (&cell["displayValue"], &cell["value"]) {
        (Value::String(shown), _) | (_, Value::String(shown)) => shown.clone(),
        (_, Value::Null) => String::new(),
        (_, other) => other.to_string(),
    }
}

impl Row {
    fn number(&self, column: &str) -> Option<f64> {
        self.cells.get(column)?["value"].as_f64()
    }

    fn holds(&self, (column, is, wanted): &(String, Is, Value)) -> bool {
        let cell = self.cells.get(column);
        let text = shown(cell);
        let number = cell.and_then(|c| c["value"].as_f64());
        let order = match (number, wanted.as_f64()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            (None, Some(_)) => None,
            _ if text.is_empty() => None,
            _ => Some(text.to_lowercase().cmp(&wanted.as_str().unwrap_or_default().to_lowercase())),
        };
        match is {
            Is::Blank => text.is_empty(),
            Is::Contains => text.to_lowercase().contains(&wanted.as_str().unwrap_or_default().to_lowercase()),
            Is::Equal => order == Some(Ordering::Equal) || cell.is_some_and(|c| c["value"] == *wanted),
            Is::Other => order.is_some_and(Ordering::is_ne),
            Is::Less => order.is_some_and(Ordering::is_lt),
            Is::More => order.is_some_and(Ordering::is_gt),
        }
    }
}

impl Fold {
    /// The figure of a column over all rows without children.
    pub fn over(of: Of, column: &str) -> Self {
        Self { of, column: column.to_owned(), over: String::new(), r#where: Vec::new(), all_rows: false, times: 1.0, sheet: None }
    }

    /// The figure over the rows of a sheet; `None` where there is nothing to work it out of.
    pub fn of(&self, rows: &Rows) -> Option<f64> {
        let meant = rows.0.iter().filter(|row| self.all_rows || !row.parent).filter(|row| self.r#where.iter().all(|w| row.holds(w)));
        let meant: Vec<&Row> = meant.collect();
        let numbers = |column: &str| meant.iter().filter_map(|row| row.number(column)).collect::<Vec<f64>>();
        let of = numbers(&self.column);
        let sum = |all: &[f64]| (!all.is_empty()).then(|| exact_sum(all));
        let figure = match self.of {
            Of::Count if self.column.is_empty() => Some(meant.len() as f64),
            Of::Count => Some(meant.iter().filter(|row| !shown(row.cells.get(&self.column)).is_empty()).count() as f64),
            Of::Distinct => {
                let all: BTreeSet<String> = meant.iter().map(|row| shown(row.cells.get(&self.column))).filter(|s| !s.is_empty()).collect();
                Some(all.len() as f64)
            }
            Of::Sum => sum(&of),
            Of::Avg => sum(&of).map(|s| s / of.len() as f64),
            Of::Min => of.iter().copied().reduce(f64::min),
            Of::Max => of.iter().copied().reduce(f64::max),
            Of::Ratio => sum(&of).zip(sum(&numbers(&self.over)).filter(|s| *s != 0.0)).map(|(a, b)| a / b),
        };
        figure.map(|f| f * self.times)
    }
}

/// A sum that loses nothing where large values cancel each other out (Neumaier).
fn exact_sum(all: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for value in all {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// What is different in a sheet: cells of rows that stayed, rows that came and went, columns that came.
pub(super) fn differences(sheet: &str, before: &Value, after: &Value) -> BTreeSet<String> {
    let (old, new) = (named(before), named(after));
    let mut all = BTreeSet::new();
    for (row, cells) in &new {
        let Some(known) = old.get(row) else {
            all.insert(words(&Change::Added(sheet.into(), row.0.clone())));
            continue;
        };
        let columns: BTreeSet<&String> = cells.keys().chain(known.keys()).collect();
        for column in columns {
            let (was, is) = (shown(known.get(column)), shown(cells.get(column)));
            if was != is {
                all.insert(words(&Change::Cell(sheet.into(), row.0.clone(), column.clone(), is)));
            }
        }
    }
    all.extend(old.keys().filter(|row| !new.contains_key(*row)).map(|row| words(&Change::Gone(sheet.into(), row.0.clone()))));
    let titles = |picture: &Value| -> BTreeSet<String> {
        picture["columns"].as_array().into_iter().flatten().filter_map(|c| c["title"].as_str().map(str::to_owned)).collect()
    };
    let (had, has) = (titles(before), titles(after));
    all.extend(has.difference(&had).map(|title| words(&Change::Column(sheet.into(), title.clone()))));
    all.extend(had.difference(&has).map(|title| format!("{sheet}: the column {title} is gone")));
    all
}

/// A difference in words.
pub(super) fn words(change: &Change) -> String {
    match change {
        Change::Cell(sheet, row, column, value) => format!("{sheet}: {row} has {value:?} in {column}"),
        Change::Added(sheet, row) => format!("{sheet}: {row} was added"),
        Change::Gone(sheet, row) => format!("{sheet}: {row} is gone"),
        Change::Column(sheet, title) => format!("{sheet}: the column {title} was added"),
    }
}

/// What a row of this name shows in a column.
pub(super) fn cell(picture: &Value, row: &str, column: &str) -> Option<String> {
    named(picture).iter().find(|((name, _), _)| name == row).map(|(_, cells)| shown(cells.get(column)))
}

/// Rows by name, and which of that name each is.
fn named(picture: &Value) -> BTreeMap<(String, usize), Map<String, Value>> {
    let primary = picture["columns"].as_array().into_iter().flatten().find(|c| c["primary"] == true);
    let primary = primary.and_then(|c| c["title"].as_str()).unwrap_or_default().to_owned();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for row in rows(picture) {
        let name = shown(row.cells.get(&primary));
        let nth = seen.entry(name.clone()).and_modify(|n| *n += 1).or_insert(0);
        all.insert((name, *nth), row.cells);
    }
    all
}
