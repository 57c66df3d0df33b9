//! SQL that a model wrote: read, understood column by column, and written anew as the query that runs. What is not understood is refused.

mod branch;
mod compare;
mod date;
mod expr;
mod from;
mod function;
mod left_out;
mod near;
mod order;
mod path;
mod read;
mod scope;
mod select;
mod several;
mod text;
mod unmet;
mod words;

pub(super) use left_out::{LeftOut, Why};
pub(super) use near::Literal;
pub use near::nearest;
pub(super) use unmet::Demand;

use super::cell::Style;
use super::snapshot::Snapshot;
use jiff::civil::DateTime;
use read::Reader;
use select::Outer;

/// Why a query is not run. Written for whoever wrote the query, with what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SqlError(pub String);

/// The rows that a query is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Table {
    /// All rows of the sheet.
    Sheet,
    /// The rows without children.
    Leaf,
    /// Several tables, or the result of another query.
    #[default]
    Other,
}

/// A query that may be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// As it was written.
    pub asked: String,
    /// What runs.
    pub sql: String,
    /// The condition of the outermost `SELECT` in the sheet's own words.
    pub filter: Option<String>,
    /// The rows that it is asked of.
    pub table: Table,
    /// What was taken in another sense than it was written, for whoever wrote it.
    pub readings: Vec<String>,
    /// The columns of the result.
    pub(super) columns: Vec<Output>,
    /// How many rows of the result are wanted, and how many are passed over before them. They are counted all the same.
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    /// What may have been left out, as queries that say which rows.
    pub(super) left_out: Vec<LeftOut>,
    /// What people are told beside what was left out.
    pub(super) remarks: Vec<String>,
    /// Texts that columns are held against.
    pub(super) literals: Vec<Literal>,
    /// Brings the numbers of the rows that the condition of the outermost `SELECT` holds for, where it has one and they are rows of the sheet.
    pub(super) touched: Option<String>,
    /// What the condition of the outermost `SELECT` demands, part by part.
    pub(super) demands: Vec<Demand>,
    /// Columns whose cells, as they stand, rows are grouped by.
    pub(super) grouped: Vec<usize>,
}

impl Checked {
    /// Texts that rows are wanted for, as far as it is known what they are held against.
    pub fn wanted_texts(&self) -> impl Iterator<Item = &str> {
        self.literals.iter().filter(|literal| !literal.denied).map(|literal| literal.text.as_str())
    }

    /// All texts that columns are held against.
    pub fn known_texts(&self) -> impl Iterator<Item = &str> {
        self.literals.iter().map(|literal| literal.text.as_str())
    }
}

/// What reading the deepest query that [`text`] lets through takes of the stack, without optimization and with much to spare. Pages that are
/// not touched cost nothing.
const STACK_BYTES: usize = 64 << 20;

/// A query without the fence that models put around code.
fn unfenced(sql: &str) -> &str {
    let Some(inside) = sql.trim().strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return sql };
    let language = inside.find('\n').filter(|end| inside[..*end].trim().chars().all(char::is_alphanumeric));
    language.map_or(inside, |end| &inside[end..]).trim()
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Output {
    /// Its name for whoever wrote the query.
    pub name: String,
    /// What it is called before people.
    pub title: String,
    /// How its numbers look.
    pub style: Style,
    /// The position of the column whose cells it shows as they are.
    pub column: Option<usize>,
    /// Whether its values are ids of rows.
    pub is_row_id: bool,
    /// Whether 0 and 1 mean unticked and ticked.
    pub checkbox: bool,
}

/// Checks a query against the columns of a snapshot; adds `row_id` to plain lists of rows, and their order where there is none.
/// `now` is the moment in the time zone of whoever asks.
///
/// # Errors
/// [`SqlError`] with the reason.
pub fn check(sql: &str, snapshot: &Snapshot, now: DateTime) -> Result<Checked, SqlError> {
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || read(sql, snapshot, now));
        let read = reading.map_err(|e| SqlError(format!("no query can be read at the moment: {e}")))?.join();
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn read(sql: &str, snapshot: &Snapshot, now: DateTime) -> Result<Checked, SqlError> {
    let sql = unfenced(sql);
    let query = text::parse(sql, snapshot)?;
    let mut reader = Reader::new(snapshot, now);
    let Outer { sql: run, columns, filter, table, limit, offset } = reader.outermost(&query)?;
    Ok(Checked {
        asked: sql.trim().to_owned(),
        sql: run,
        filter: filter.map(|words| chat::text::shorten(&words, 300)),
        table,
        readings: reader.readings,
        columns,
        limit,
        offset,
        left_out: reader.left_out,
        remarks: reader.remarks,
        literals: reader.literals,
        touched: reader.touched,
        demands: reader.demands,
        grouped: reader.grouped,
    })
}

fn refused<T>(why: impl Into<String>) -> Result<T, SqlError> {
    Err(SqlError(why.into()))
}

#[cfg(test)]
mod real_tests;
#[cfg(test)]
mod tests;
