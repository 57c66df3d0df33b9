//! The sheet as a table of SQLite: each column of the type of its values, with functions and an order that know all letters.

use super::cell::{Cell, plain_number};
use super::snapshot::{Snapshot, SnapshotColumn, SnapshotRow};
use super::typed::{Typed, Values, normal};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, Statement, config::DbConfig};
use std::cmp::Ordering;

/// Separates the rows of a path.
pub const PATH_SEPARATOR: &str = " > ";

/// The name of the order in which texts are compared: without regard to case, in every script.
pub(super) const ORDER: &str = "letters";
/// Writes a number as people write it in a text; other values stay.
pub(super) const AS_TEXT: &str = "as_text";
/// Reads a text that is a number without any doubt; everything else is NULL.
pub(super) const AS_NUMBER: &str = "as_number";

/// Bytes that every sheet lets a value have: texts of several rows in one.
const LONGEST_VALUE: usize = 64 << 10;
/// Bytes of the address and name of somebody.
const LONGEST_ADDRESS: usize = 600;
/// Signs of a pattern of `LIKE`.
const LONGEST_PATTERN: usize = 1_000;
/// Letters of a text times signs of a pattern of `LIKE`.
const MOST_COMPARED: usize = 16 << 20;
/// Numbers that a median or a deviation is taken of.
const MOST_NUMBERS: usize = 1_000_000;

/// Table `sheet` with every row, view `leaf` with the rows that have no children.
pub(super) fn load(snapshot: &Snapshot) -> Result<Connection, Error> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;")?;
    for config in [DbConfig::SQLITE_DBCONFIG_DQS_DML, DbConfig::SQLITE_DBCONFIG_DQS_DDL] {
        connection.set_db_config(config, false)?;
    }
    connection.create_collation(ORDER, compare)?;
    add_functions(&connection)?;
    let columns = columns(snapshot);
    connection.execute_batch(&format!(
        "CREATE TABLE sheet ({}); CREATE VIEW leaf AS SELECT * FROM sheet WHERE is_parent = 0; BEGIN",
        columns.join(", ")
    ))?;
    let marks = vec!["?"; columns.len()].join(", ");
    let mut insert = connection.prepare(&format!("INSERT INTO sheet VALUES ({marks})"))?;
    let (mut above, mut longest): (Vec<String>, usize) = Default::default();
    for row in &snapshot.rows {
        let label = snapshot.label(row);
        above.truncate(usize::from(row.level));
        let path = (!above.is_empty()).then(|| above.join(PATH_SEPARATOR));
        let top = above.first().map_or(label.as_str(), String::as_str);
        longest = longest.max(length(row, path.as_deref()));
        bind(snapshot, row, path.as_deref(), top, &mut insert)?;
        insert.raw_execute()?;
        if row.is_parent {
            above.push(label);
        }
    }
    drop(insert);
    connection.execute_batch("COMMIT; PRAGMA query_only=ON;")?;
    // No value that a query makes up is larger than a row of this sheet: what works on texts takes the square of their length.
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(longest.max(LONGEST_VALUE)).unwrap_or(i32::MAX))?;
    Ok(connection)
}

/// Bytes that a row takes in a table at most.
fn length(row: &SnapshotRow, path: Option<&str>) -> usize {
    let of = |cell: &Cell| match cell {
        Cell::Text(text) => text.len(),
        Cell::Named(named) => named.0.len() + named.1.len(),
        Cell::Several(several) => several.0.len() + several.1.as_array().map_or(0, |each| each.len() * LONGEST_ADDRESS),
        Cell::Empty | Cell::Number(_) | Cell::Styled(_) | Cell::Bool(_) => 0,
    };
    // What stands beside a column repeats it, and the sorter keeps what it sorts by twice.
    2 * (256 + path.map_or(0, str::len) + row.cells.iter().map(|cell| 32 + 2 * of(cell)).sum::<usize>())
}

fn columns(snapshot: &Snapshot) -> Vec<String> {
    let own = ["row_id INTEGER", "parent_id INTEGER", "level INTEGER", "row_number INTEGER", "is_parent INTEGER"];
    let mut columns: Vec<String> = own.map(str::to_owned).into();
    columns.extend(["path", "top"].map(|name| format!("{name} TEXT COLLATE {ORDER}")));
    let text = |name: &str| format!("\"{name}\" TEXT COLLATE {ORDER}");
    for column in &snapshot.columns {
        columns.push(match column.values {
            Values::Text | Values::People => text(&column.sql),
            Values::Number | Values::Duration => format!("\"{}\" REAL", column.sql),
            Values::Day | Values::Moment => format!("\"{}\" TEXT", column.sql),
            Values::Checkbox => format!("\"{}\" INTEGER", column.sql),
        });
        columns.extend(column.email_sql.as_deref().map(text));
        columns.extend(column.names_sql.as_deref().map(text));
        columns.extend(column.moment_sql.as_ref().map(|name| format!("\"{name}\" TEXT")));
        columns.extend(column.text_sql.as_deref().map(text));
    }
    columns
}

fn bind(snapshot: &Snapshot, row: &SnapshotRow, path: Option<&str>, top: &str, insert: &mut Statement<'_>) -> Result<(), Error> {
    let mut at = 0;
    let mut next = || {
        at += 1;
        at
    };
    insert.raw_bind_parameter(next(), row.id)?;
    insert.raw_bind_parameter(next(), row.parent)?;
    insert.raw_bind_parameter(next(), row.level)?;
    insert.raw_bind_parameter(next(), row.number)?;
    insert.raw_bind_parameter(next(), row.is_parent)?;
    insert.raw_bind_parameter(next(), path.map(normal))?;
    insert.raw_bind_parameter(next(), normal(top))?;
    for (column, cell) in snapshot.columns.iter().zip(&row.cells) {
        let typed = column.typed(cell, &snapshot.zone);
        match &typed {
            Typed::Empty | Typed::Stray(_) => insert.raw_bind_parameter(next(), None::<i64>)?,
            Typed::Number(n) => insert.raw_bind_parameter(next(), n)?,
            Typed::Day(day) => insert.raw_bind_parameter(next(), day.to_string())?,
            Typed::Moment(at) => insert.raw_bind_parameter(next(), at.date().to_string())?,
            Typed::Checkbox(ticked) => insert.raw_bind_parameter(next(), ticked)?,
            Typed::People(names, _) => insert.raw_bind_parameter(next(), &**names)?,
            Typed::Text(text) => insert.raw_bind_parameter(next(), &**text)?,
        }
        beside(snapshot, column, cell, &typed, insert, &mut next)?;
    }
    Ok(())
}

/// The values that stand beside a column, in the order in which [`columns`] names them.
fn beside(
    snapshot: &Snapshot,
    column: &SnapshotColumn,
    cell: &Cell,
    typed: &Typed<'_>,
    insert: &mut Statement<'_>,
    next: &mut impl FnMut() -> usize,
) -> Result<(), Error> {
    if column.email_sql.is_some() {
        let email = if let Typed::People(_, email) = typed { email.as_deref() } else { None };
        insert.raw_bind_parameter(next(), email)?;
    }
    if column.names_sql.is_some() {
        insert.raw_bind_parameter(next(), awaited(snapshot, cell))?;
    }
    if column.moment_sql.is_some() {
        let at = if let Typed::Moment(at) = typed { Some(at.strftime("%Y-%m-%d %H:%M:%S").to_string()) } else { None };
        insert.raw_bind_parameter(next(), at)?;
    }
    if column.text_sql.is_some() {
        let text = if let Typed::Stray(text) = typed { Some(&**text) } else { None };
        insert.raw_bind_parameter(next(), text)?;
    }
    Ok(())
}

/// What the rows are called that a row waits for.
fn awaited(snapshot: &Snapshot, cell: &Cell) -> Option<String> {
    let Cell::Several(several) = cell else { return None };
    let rows = several.1["predecessors"].as_array()?.iter().filter_map(|p| snapshot.row(p["rowId"].as_i64()?));
    let names: Vec<String> = rows.map(|row| normal(&snapshot.label(row)).into_owned()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Compares texts without regard to case and to spaces around them, letter by letter.
fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim(), b.trim());
    if a.is_ascii() && b.is_ascii() {
        return a.bytes().map(|c| c.to_ascii_lowercase()).cmp(b.bytes().map(|c| c.to_ascii_lowercase()));
    }
    fold(a).cmp(fold(b))
}

fn fold(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn add_functions(connection: &Connection) -> Result<(), Error> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("lower", 1, flags, |c| changed(c, str::to_lowercase))?;
    connection.create_scalar_function("upper", 1, flags, |c| changed(c, str::to_uppercase))?;
    connection.create_scalar_function("like", 2, flags, like)?;
    connection.create_scalar_function("like", 3, flags, like)?;
    connection.create_scalar_function(AS_TEXT, 1, flags, |c| {
        Ok(match c.get_raw(0) {
            ValueRef::Real(n) => ToSqlOutput::from(plain_number(n)),
            other => ToSqlOutput::Owned(Value::from(other_as_text(other))),
        })
    })?;
    connection.create_scalar_function(AS_NUMBER, 1, flags, |c| {
        Ok(match c.get_raw(0) {
            ValueRef::Real(n) => Some(n),
            ValueRef::Integer(n) => Some(n as f64),
            ValueRef::Text(text) => std::str::from_utf8(text).ok().and_then(|t| super::typed::plain_number(t.trim())),
            _ => None,
        })
    })?;
    connection.create_aggregate_function("median", 1, flags, Spread(median))?;
    connection.create_aggregate_function("stddev", 1, flags, Spread(deviation))
}

fn other_as_text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Integer(n) => Some(n.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
    }
}

fn changed(context: &Context<'_>, change: fn(&str) -> String) -> Result<Option<String>, Error> {
    Ok(match context.get_raw(0) {
        ValueRef::Real(n) => Some(plain_number(n)),
        other => other_as_text(other).map(|text| change(&normal(&text))),
    })
}

/// `LIKE`: the pattern first, then the text, then what takes a sign of the pattern for itself.
fn like(context: &Context<'_>) -> Result<Option<bool>, Error> {
    let escape = if context.len() == 3 { context.get::<Option<String>>(2)?.and_then(|e| e.chars().next()) } else { None };
    let text = match context.get_raw(1) {
        ValueRef::Null => return Ok(None),
        ValueRef::Real(n) => plain_number(n),
        other => other_as_text(other).unwrap_or_default(),
    };
    if context.get_raw(0) == ValueRef::Null {
        return Ok(None);
    }
    let pattern = context.get_or_create_aux(0, |value| -> Result<_, Error> {
        let text = match value {
            ValueRef::Real(n) => plain_number(n),
            other => other_as_text(other).unwrap_or_default(),
        };
        if text.chars().nth(LONGEST_PATTERN).is_some() {
            return Err(Error::UserFunctionError(format!("a pattern of LIKE has at most {LONGEST_PATTERN} characters").into()));
        }
        Ok(Pattern::read(&text, escape))
    })?;
    // Each is held against the other; no cell and no pattern that people write come near this.
    if pattern.0.len().saturating_mul(text.len()) > MOST_COMPARED {
        return Err(Error::UserFunctionError("a pattern of LIKE is too long for a text of this length".into()));
    }
    Ok(Some(pattern.holds(&text)))
}

/// A pattern of `LIKE`, ready to be held against texts.
struct Pattern(Vec<Sign>);

#[derive(PartialEq)]
enum Sign {
    Letter(char),
    One,
    Any,
}

impl Pattern {
    fn read(pattern: &str, escape: Option<char>) -> Self {
        let pattern = normal(pattern);
        let mut signs = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                c if Some(c) == escape => signs.extend(chars.next().into_iter().flat_map(char::to_lowercase).map(Sign::Letter)),
                '%' if signs.last() == Some(&Sign::Any) => {}
                '%' => signs.push(Sign::Any),
                '_' => signs.push(Sign::One),
                c => signs.extend(c.to_lowercase().map(Sign::Letter)),
            }
        }
        Self(signs)
    }

    fn holds(&self, text: &str) -> bool {
        let text: Vec<char> = fold(&normal(text)).collect();
        // The last `%` that was met takes in more and more, as long as what follows does not fit.
        let (mut at, mut sign, mut retry) = (0, 0, None);
        while at < text.len() {
            match self.0.get(sign) {
                Some(Sign::Any) => {
                    retry = Some((sign + 1, at));
                    sign += 1;
                }
                Some(Sign::One) => (at, sign) = (at + 1, sign + 1),
                Some(Sign::Letter(c)) if *c == text[at] => (at, sign) = (at + 1, sign + 1),
                _ => match &mut retry {
                    Some((after, from)) => {
                        *from += 1;
                        (at, sign) = (*from, *after);
                    }
                    None => return false,
                },
            }
        }
        self.0[sign..].iter().all(|s| *s == Sign::Any)
    }
}

/// A figure that needs all numbers at once.
struct Spread(fn(&mut [f64]) -> f64);

impl Aggregate<Vec<f64>, Option<f64>> for Spread {
    fn init(&self, _: &mut Context<'_>) -> Result<Vec<f64>, Error> {
        Ok(Vec::new())
    }

    fn step(&self, context: &mut Context<'_>, numbers: &mut Vec<f64>) -> Result<(), Error> {
        if numbers.len() == MOST_NUMBERS {
            return Err(Error::UserFunctionError(format!("a median or a deviation is taken of at most {MOST_NUMBERS} numbers").into()));
        }
        match context.get_raw(0) {
            ValueRef::Real(n) => numbers.push(n),
            ValueRef::Integer(n) => numbers.push(n as f64),
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => {}
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, numbers: Option<Vec<f64>>) -> Result<Option<f64>, Error> {
        Ok(numbers.filter(|all| !all.is_empty()).map(|mut all| (self.0)(&mut all)))
    }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) }
}

/// The standard deviation of a sample; of one number 0.
fn deviation(numbers: &mut [f64]) -> f64 {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|x| (x - mean).powi(2)).sum();
    if numbers.len() < 2 { 0.0 } else { (squares / (n - 1.0)).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_letters_of_every_script() {
        let holds = |pattern: &str, text: &str| Pattern::read(pattern, Some('\\')).holds(text);
        assert!(holds("%münchen%", "Größe MÜNCHEN") && holds("%москва", "Москва") && holds("cafe\u{301}", "CAFÉ"));
        assert!(holds("%50\\%\\_off", "O'Brien 50%_off") && !holds("50\\%", "50x") && holds("a%b%c", "aXbYbZc"));
        assert!(holds("_b%", "abc") && !holds("_b", "abc") && holds("%", "") && !holds("_", ""));
    }

    #[test]
    fn figures_of_all_numbers_at_once() {
        assert_eq!((median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0, 2.0, 3.0])), (2.0, 2.5));
        assert!((deviation(&mut [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]) - 2.138).abs() < 0.001);
    }
}
