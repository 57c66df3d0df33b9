//! What is right, worked out from the cells of the stand-in by plain code: no SQL, no snapshot, nothing of ours.

use super::case::Change;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Signs of units.
const UNITS: [char; 5] = ['$', '€', '£', '¥', '%'];

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
    /// Conditions, all of which hold: column, comparison, and a value or `{"column": "…"}`.
    #[serde(default)]
    pub r#where: Vec<(String, Is, Value)>,
    /// Whether rows with children count, too.
    #[serde(default)]
    pub all_rows: bool,
    /// What the figure is multiplied by.
    #[serde(default = "one")]
    pub times: f64,
    /// Decimals that it is rounded to.
    #[serde(default)]
    pub decimals: Option<i32>,
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
    /// The value in the middle, or halfway between the two there.
    Median,
    /// Numbers in a column.
    Numbers,
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
    /// A box that nobody has ticked.
    #[serde(rename = "unticked")]
    Unticked,
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

    /// The sign of a unit that people see beside every number of a column; `None` where there is none.
    pub fn unit(&self, column: &str) -> Option<char> {
        let numbers = self.0.iter().filter(|row| row.number(column).is_some());
        let signs: BTreeSet<Option<char>> = numbers.map(|row| unit_in(&shown(row.cells.get(column)))).collect();
        signs.first().copied().flatten().filter(|_| signs.len() == 1)
    }
}

/// The sign of a unit in a figure as people see it.
pub(super) fn unit_in(shown: &str) -> Option<char> {
    shown.chars().find(|c| UNITS.contains(c))
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
        let other = wanted["column"].as_str();
        let order = match (number, other.map_or_else(|| wanted.as_f64(), |other| self.number(other))) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            (None, Some(_)) => None,
            _ if other.is_some() => None,
            _ if text.is_empty() => None,
            _ => Some(text.to_lowercase().cmp(&wanted.as_str().unwrap_or_default().to_lowercase())),
        };
        match is {
            Is::Blank => text.is_empty(),
            Is::Unticked => cell.is_none_or(|c| c["value"] != true),
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
        Self {
            of,
            column: column.to_owned(),
            over: String::new(),
            r#where: Vec::new(),
            all_rows: false,
            times: 1.0,
            decimals: None,
            sheet: None,
        }
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
            Of::Median => middle(of),
            Of::Numbers => Some(of.len() as f64),
            Of::Ratio => sum(&of).zip(sum(&numbers(&self.over)).filter(|s| *s != 0.0)).map(|(a, b)| a / b),
        };
        let shift = self.decimals.map(|decimals| 10f64.powi(decimals));
        figure.map(|f| f * self.times).map(|f| shift.map_or(f, |shift| (f * shift).round() / shift))
    }
}

fn middle(mut all: Vec<f64>) -> Option<f64> {
    all.sort_by(f64::total_cmp);
    let upper = *all.get(all.len() / 2)?;
    if all.len() % 2 == 1 { Some(upper) } else { Some((all[all.len() / 2 - 1] + upper) / 2.0) }
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

/// What is different in a sheet: cells of rows that stayed, rows that came, went or stand elsewhere, columns, comments.
pub(super) fn differences(sheet: &str, before: &Picture, after: &Picture) -> BTreeSet<String> {
    let (old, new) = (named(&before.sheet), named(&after.sheet));
    let mut all = BTreeSet::new();
    for (row, now) in &new {
        let known = old.get(row);
        if known.is_none() {
            all.insert(words(&Change::Added(sheet.into(), row.0.clone())));
        }
        if now.parent != known.and_then(|known| known.parent.clone()) {
            all.insert(words(&Change::Under(sheet.into(), row.0.clone(), now.parent.clone().unwrap_or_default())));
        }
        let Some(known) = known else { continue };
        let columns: BTreeSet<&String> = now.cells.keys().chain(known.cells.keys()).collect();
        for column in columns {
            let (was, is) = (shown(known.cells.get(column)), shown(now.cells.get(column)));
            if was != is {
                all.insert(words(&Change::Cell(sheet.into(), row.0.clone(), column.clone(), is)));
            }
        }
    }
    all.extend(old.keys().filter(|row| !new.contains_key(*row)).map(|row| words(&Change::Gone(sheet.into(), row.0.clone()))));
    if order(&before.sheet, &new) != order(&after.sheet, &old) {
        all.insert(words(&Change::Order(sheet.into())));
    }
    let (had, has) = (columns(&before.sheet), columns(&after.sheet));
    for (title, now) in &has {
        match had.get(title) {
            None => drop(all.insert(words(&Change::Column(sheet.into(), title.clone())))),
            Some(known) if known != now => drop(all.insert(words(&Change::ColumnIsOther(sheet.into(), title.clone())))),
            Some(_) => {}
        }
    }
    all.extend(had.keys().filter(|title| !has.contains_key(*title)).map(|title| format!("{sheet}: the column {title} is gone")));
    let more = after.comments.iter().filter(|text| !before.comments.contains(text));
    all.extend(more.map(|text| words(&Change::Comment(sheet.into(), text.clone()))));
    let fewer = before.comments.iter().filter(|text| !after.comments.contains(text));
    all.extend(fewer.map(|text| format!("{sheet}: the comment {text:?} is gone")));
    all
}

/// A sheet at a moment.
#[derive(Default)]
pub(super) struct Picture {
    pub sheet: Value,
    pub comments: Vec<String>,
}

/// The rows that both moments have, from top to bottom.
fn order(picture: &Value, other: &BTreeMap<(String, usize), NamedRow>) -> Vec<(String, usize)> {
    in_order(picture).into_iter().map(|(name, _)| name).filter(|name| other.contains_key(name)).collect()
}

/// The columns by title; where they stand is told by nobody.
fn columns(picture: &Value) -> BTreeMap<String, Value> {
    let column = |column: &Value| {
        let mut column = column.clone();
        column.as_object_mut().map(|fields| fields.remove("index"));
        Some((column["title"].as_str()?.to_owned(), column))
    };
    picture["columns"].as_array().into_iter().flatten().filter_map(column).collect()
}

/// A difference in words.
pub(super) fn words(change: &Change) -> String {
    match change {
        Change::Cell(sheet, row, column, value) => format!("{sheet}: {row} has {value:?} in {column}"),
        Change::Added(sheet, row) => format!("{sheet}: {row} was added"),
        Change::Gone(sheet, row) => format!("{sheet}: {row} is gone"),
        Change::Column(sheet, title) => format!("{sheet}: the column {title} was added"),
        Change::ColumnIsOther(sheet, title) => format!("{sheet}: the column {title} is another"),
        Change::Under(sheet, row, parent) => format!("{sheet}: {row} stands under {parent:?}"),
        Change::Order(sheet) => format!("{sheet}: the rows stand in another order"),
        Change::Comment(sheet, text) => format!("{sheet}: the comment {text:?} was written"),
    }
}

/// What a row of this name shows in a column.
pub(super) fn cell(picture: &Value, row: &str, column: &str) -> Option<String> {
    named(picture).iter().find(|((name, _), _)| name == row).map(|(_, row)| shown(row.cells.get(column)))
}

/// A row as it is told from others.
struct NamedRow {
    cells: Map<String, Value>,
    /// The name of the row that it stands under.
    parent: Option<String>,
}

/// Rows by name, and which of that name each is.
fn named(picture: &Value) -> BTreeMap<(String, usize), NamedRow> {
    in_order(picture).into_iter().collect()
}

fn in_order(picture: &Value) -> Vec<((String, usize), NamedRow)> {
    let primary = picture["columns"].as_array().into_iter().flatten().find(|c| c["primary"] == true);
    let primary = primary.and_then(|c| c["title"].as_str()).unwrap_or_default().to_owned();
    let parents = picture["rows"].as_array().into_iter().flatten().map(|row| row["parent"].as_u64());
    let all = rows(picture);
    let names: Vec<String> = all.iter().map(|row| shown(row.cells.get(&primary))).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for ((row, name), parent) in all.into_iter().zip(&names).zip(parents) {
        let nth = seen.entry(name.clone()).and_modify(|n| *n += 1).or_insert(0);
        let parent = parent.and_then(|n| names.get(usize::try_from(n).ok()?.checked_sub(1)?)).cloned();
        named.push(((name.clone(), *nth), NamedRow { cells: row.cells, parent }));
    }
    named
}
