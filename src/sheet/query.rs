//! Runs a checked query on a snapshot: read-only, time-limited, rows capped with the total told.

use super::build::load;
use super::gate::{Checked, SqlError};
use super::snapshot::Snapshot;
use super::value::{Cell, Style};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const TIME_LIMIT: Duration = Duration::from_secs(3);
/// What an answer may hold in all.
const MAX_RESULT_BYTES: usize = 32 << 20;
/// Rows are counted up to here.
const MAX_COUNTED: usize = 1_000_000;

/// The answer to a query.
#[derive(Clone, Debug, Default)]
pub struct QueryResult {
    /// Its columns, `row_id` and `parent_id` included.
    pub columns: Vec<ResultColumn>,
    /// The first rows, each value as it is in SQL (ids as text).
    pub rows: Vec<Vec<Value>>,
    /// How many rows there are in all.
    pub total: usize,
}

/// A column of an answer.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// Its name in SQL.
    pub name: String,
    /// What to call it before people.
    pub title: String,
    /// How its numbers look.
    pub style: Style,
    /// Whether its values are numbers.
    pub numeric: bool,
    /// Whether its values are ids of rows.
    pub is_row_id: bool,
    /// Whether 0 and 1 mean unticked and ticked.
    pub checkbox: bool,
}

impl QueryResult {
    /// A value as people see it.
    pub fn shown(&self, row: usize, column: usize) -> String {
        let style = &self.columns[column];
        match &self.rows[row][column] {
            Value::Null => String::new(),
            Value::Number(n) if style.checkbox => if n.as_i64() == Some(0) { "no" } else { "yes" }.into(),
            Value::Number(n) => style.style.show(n.as_f64().unwrap_or_default()),
            Value::String(s) => s.clone(),
            other => other.to_string(),
        }
    }
}

impl Snapshot {
    /// Runs a query, keeping at most `max_rows` rows. Blocks: call it on a thread for blocking work.
    ///
    /// # Errors
    /// [`SqlError`] with SQLite's words, for whoever wrote the query.
    pub fn query(&self, checked: &Checked, max_rows: usize) -> Result<QueryResult, SqlError> {
        let wrong = |e: rusqlite::Error| SqlError(self.explain(&e.to_string()));
        let mut database = self.database.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let database = match &mut *database {
            Some(made) => made,
            none => none.insert(load(&self.columns, &self.rows).map_err(wrong)?),
        };
        let deadline = Instant::now() + TIME_LIMIT;
        database.authorizer(Some(authorize)).map_err(wrong)?;
        database.progress_handler(10_000, Some(move || Instant::now() > deadline)).map_err(wrong)?;
        let mut statement = database.prepare(&checked.sql).map_err(wrong)?;
        let mut result = QueryResult { columns: self.result_columns(checked, &statement.column_names()), ..QueryResult::default() };
        let (width, mut size_bytes) = (result.columns.len(), 0);
        let mut rows = statement.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            result.total += 1;
            if result.rows.len() < max_rows {
                let values = (0..width).map(|i| row.get_ref(i).map(|v| json_of(v, result.columns[i].is_row_id)));
                let values: Vec<Value> = values.collect::<Result<_, _>>().map_err(wrong)?;
                size_bytes += values.iter().map(|v| v.as_str().map_or(16, str::len)).sum::<usize>();
                if size_bytes > MAX_RESULT_BYTES {
                    return Err(SqlError("the result is too large; select fewer or shorter columns".into()));
                }
                result.rows.push(values);
            }
            if result.total >= MAX_COUNTED {
                break;
            }
        }
        for (i, column) in result.columns.iter_mut().enumerate() {
            column.numeric = result.rows.iter().any(|r| r[i].is_number()) && result.rows.iter().all(|r| r[i].is_number() || r[i].is_null());
        }
        Ok(result)
    }

    /// Rows whose cell in this numeric column is text, so that sums leave it out: label and text.
    pub fn text_among_numbers(&self, sql_name: &str) -> Vec<(String, String)> {
        let Some((i, column)) = self.columns.iter().enumerate().find(|(_, c)| c.sql == sql_name && c.numeric) else { return Vec::new() };
        let texts = self.rows.iter().filter(|r| matches!(r.cells[i], Cell::Text(_) | Cell::Named(_)));
        texts.map(|r| (self.label(r), r.cells[i].shown(&column.style))).collect()
    }

    fn result_columns(&self, checked: &Checked, names: &[&str]) -> Vec<ResultColumn> {
        let column = |(i, name): (usize, &&str)| {
            let source = checked.shows.get(i).cloned().flatten().unwrap_or_else(|| name.to_lowercase());
            let of_sheet = self.columns.iter().find(|c| c.sql == source);
            let own = self.columns.iter().find(|c| c.sql == name.to_lowercase());
            let title = own.map_or_else(|| words_of(name), |c| c.title.clone());
            let named_row_id =
                matches!(name.to_lowercase().as_str(), "row_id" | "parent_id") || matches!(source.as_str(), "row_id" | "parent_id");
            ResultColumn {
                name: (*name).to_owned(),
                title,
                style: of_sheet.map(|c| c.style.clone()).unwrap_or_default(),
                numeric: false,
                is_row_id: named_row_id,
                checkbox: own.is_some_and(|c| c.kind == "CHECKBOX"),
            }
        };
        names.iter().enumerate().map(column).collect()
    }

    fn explain(&self, error: &str) -> String {
        if error.contains("interrupted") {
            return format!("the query took longer than {} s; make it simpler", TIME_LIMIT.as_secs());
        }
        if error.contains("no such column") {
            let names: Vec<&str> = self.columns.iter().map(|c| c.sql.as_str()).collect();
            return format!("{error}; the columns are: row_id, parent_id, level, row_number, is_parent, {}", names.join(", "));
        }
        error.to_owned()
    }
}

fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Function { .. } => Authorization::Allow,
        AuthAction::Read { table_name, .. } if !table_name.starts_with("sqlite_") => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

fn json_of(value: ValueRef<'_>, is_id: bool) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) if is_id => Value::String(n.to_string()),
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(n) => serde_json::Number::from_f64(n).map_or(Value::Null, Value::Number),
        ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned().into(),
        ValueRef::Blob(_) => Value::Null,
    }
}

/// `total_budget` -> `Total budget`.
fn words_of(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
