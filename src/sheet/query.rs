//! Runs a checked query on a snapshot: read-only, time-limited, rows capped with the total told, and what was left out.

use super::cell::{Style, plain_number};
use super::groups::Loaded;
use super::snapshot::Snapshot;
use super::sql::{Checked, LeftOut, SqlError, Why};
use super::table::load;
use super::typed::Typed;
use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

const TIME_LIMIT: Duration = Duration::from_secs(3);
/// What a query may take beside the sheet: what is sorted, grouped and joined.
const MAX_HEAP_BYTES: u64 = 48 << 20;
/// After so many steps of SQLite its time and memory are looked at. A single step is bounded by the length of a value.
const STEPS: i32 = 50;
/// Queries that run at the same time in this process.
const AT_ONCE: u32 = 4;
/// How long a query waits for others to end.
const PATIENCE: Duration = Duration::from_secs(15);
/// What an answer may hold in all.
const MAX_RESULT_BYTES: usize = 16 << 20;
/// What a row and a value take beside their text.
const ROW_BYTES: usize = 64;
const VALUE_BYTES: usize = 40;
/// Rows are counted up to here.
const MAX_COUNTED: usize = 1_000_000;
/// Rows that figures were made of and that are named.
const NAMED_TOUCHED: usize = 10;
/// Rows that a note names.
const NAMED_IN_NOTE: usize = 3;

/// The rows that the condition of a query holds for.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// The numbers of the first.
    pub first: Vec<u32>,
    /// How many there are.
    pub all: usize,
}

/// The answer to a query.
#[derive(Clone, Debug, Default)]
pub struct QueryResult {
    /// Its columns, `row_id` and `parent_id` included.
    pub columns: Vec<ResultColumn>,
    /// The first rows, each value as it is in SQL (ids as text); texts among numbers stand where the sheet has them.
    pub rows: Vec<Vec<Value>>,
    /// How many rows there are in all, whatever `LIMIT` says.
    pub total: usize,
    /// How many of them were wanted.
    pub wanted: usize,
    /// What was left out, for people.
    pub notes: Vec<String>,
    /// What may have been meant otherwise, for whoever wrote the query.
    pub hints: Vec<String>,
    /// What people see of them beside whatever was found: texts of conditions that are neither a value of their column nor an option.
    pub unknown: Vec<String>,
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
    /// Whether its values are worked out, and stand in no cell.
    pub computed: bool,
}

impl QueryResult {
    /// The value, where the answer is a single one.
    pub fn figure(&self) -> Option<&Value> {
        let mut visible = self.columns.iter().enumerate().filter(|(_, c)| !c.is_row_id).map(|(at, _)| at);
        let at = visible.next().filter(|_| visible.next().is_none() && self.total == 1)?;
        self.rows.first()?.get(at)
    }

    /// Whether nothing was found: no row, or a figure that is none.
    pub fn is_nothing(&self) -> bool {
        self.total == 0 || self.figure().is_some_and(|value| value.is_null() || value.as_f64() == Some(0.0))
    }

    /// A value as people see it.
    pub fn shown(&self, row: usize, column: usize) -> String {
        let style = &self.columns[column];
        match &self.rows[row][column] {
            Value::Null => String::new(),
            Value::Number(n) if style.checkbox => if n.as_f64() == Some(0.0) { "no" } else { "yes" }.into(),
            Value::Number(n) if style.computed && style.style == Style::Plain => worked_out(n.as_f64().unwrap_or_default()),
            Value::Number(n) => style.style.show(n.as_f64().unwrap_or_default()),
            Value::String(s) => s.clone(),
            other => other.to_string(),
        }
    }
}

/// A quotient or a mean with three digits behind the point, or three that count when it is smaller; what was rounded already stays.
fn worked_out(n: f64) -> String {
    let as_asked = (n - (n * 1e6).round() / 1e6).abs() <= f64::EPSILON * n.abs();
    if as_asked || n.abs() < 1e-9 {
        return plain_number(n);
    }
    let zeros = if n.abs() < 1.0 { (-n.abs().log10()).floor().max(0.0) as usize } else { 0 };
    let text = format!("{n:.0$}", 3 + zeros);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The places of queries: SQLite tells the memory of the whole process only, so a query that seems to take too much runs once more alone.
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE as usize);

/// Why a query was ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Ended {
    Late = 1,
    Large = 2,
}

/// What looks after a running query.
#[derive(Clone)]
struct Watch {
    deadline: Instant,
    heap_bytes: u64,
    ended: Arc<AtomicU8>,
}

impl Watch {
    fn start() -> Self {
        Self { deadline: Instant::now() + TIME_LIMIT, heap_bytes: sqlite_heap::used() + MAX_HEAP_BYTES, ended: Arc::default() }
    }

    /// Whether the query has to end.
    fn ends(&self) -> bool {
        let ended = if Instant::now() > self.deadline {
            Ended::Late
        } else if sqlite_heap::used() > self.heap_bytes {
            Ended::Large
        } else {
            return false;
        };
        self.ended.store(ended as u8, Ordering::Relaxed);
        true
    }

    fn is(&self, ended: Ended) -> bool {
        self.ended.load(Ordering::Relaxed) == ended as u8
    }
}

/// Runs a query on a thread for blocking work, keeping at most `max_rows` rows.
///
/// # Errors
/// [`SqlError`] with SQLite's words, for whoever wrote the query; when it takes more than 3 s or 48 MB, or waits for others too long.
pub async fn query(snapshot: &Arc<Snapshot>, checked: &Checked, max_rows: usize) -> Result<QueryResult, SqlError> {
    in_its_place(snapshot, checked, move |snapshot, checked| snapshot.try_query(checked, max_rows)).await
}

/// The rows that figures of a query were made of; nothing where it has no condition, asks more than one table, or they cannot be told.
pub async fn rows_met(snapshot: &Arc<Snapshot>, checked: &Checked) -> Option<Met> {
    checked.touched.as_ref()?;
    let met = in_its_place(snapshot, checked, Snapshot::try_rows_met).await;
    met.inspect_err(|error| tracing::warn!(%error, "the rows of a figure cannot be told")).ok()
}

/// Runs on a thread for blocking work; once more alone when it took too much memory, or others did meanwhile.
async fn in_its_place<T, W>(snapshot: &Arc<Snapshot>, checked: &Checked, work: W) -> Result<T, SqlError>
where
    T: Send + 'static,
    W: Fn(&Snapshot, &Checked) -> Option<Result<T, SqlError>> + Copy + Send + 'static,
{
    let run = async |places: u32| {
        let place = tokio::time::timeout(PATIENCE, PLACES.acquire_many(places)).await;
        let Ok(Ok(_place)) = place else {
            return Some(Err(SqlError("too many queries run at the moment; try again in some seconds".into())));
        };
        let (of, checked) = (snapshot.clone(), checked.clone());
        let ran = tokio::task::spawn_blocking(move || work(&of, &checked)).await;
        ran.unwrap_or_else(|error| Some(Err(SqlError(format!("the query broke off: {error}")))))
    };
    if let Some(result) = run(1).await {
        return result;
    }
    run(AT_ONCE).await.unwrap_or_else(|| Err(too_large()))
}

fn too_large() -> SqlError {
    let megabytes = MAX_HEAP_BYTES >> 20;
    SqlError(format!("the query takes more than {megabytes} MB; join, sort or select fewer rows and columns"))
}

/// What is told beside an answer, which stands whatever becomes of this.
fn beside_the_answer<T: Default>(told: rusqlite::Result<T>) -> T {
    told.unwrap_or_else(|error| {
        tracing::warn!(%error, "what stands beside an answer cannot be told");
        T::default()
    })
}

impl Snapshot {
    /// Runs a query, keeping at most `max_rows` rows. Blocks, and counts what others take meanwhile: see [`query`].
    ///
    /// # Errors
    /// [`SqlError`] with SQLite's words, for whoever wrote the query.
    pub fn query(&self, checked: &Checked, max_rows: usize) -> Result<QueryResult, SqlError> {
        self.try_query(checked, max_rows).unwrap_or_else(|| Err(too_large()))
    }

    /// Runs a query; nothing when it took too much memory, or others did meanwhile.
    fn try_query(&self, checked: &Checked, max_rows: usize) -> Option<Result<QueryResult, SqlError>> {
        self.watched(checked, |loaded| {
            let mut result = self.run(loaded, checked, max_rows)?;
            result.notes = self.notes(loaded, &checked.left_out).map_err(|e| SqlError(e.to_string()))?;
            result.notes.extend(checked.remarks.iter().cloned());
            let misses = self.near_misses(&checked.literals);
            result.unknown = self.unknown(&misses);
            result.hints = misses.into_iter().map(|miss| miss.words).collect();
            if result.is_nothing() && result.hints.is_empty() {
                result.hints = beside_the_answer(self.unmet(loaded, &checked.demands));
            }
            Ok(result)
        })
    }

    fn try_rows_met(&self, checked: &Checked) -> Option<Result<Met, SqlError>> {
        let sql = checked.touched.as_deref().unwrap_or_default();
        self.watched(checked, |loaded| {
            let numbers = loaded.prepare(sql).and_then(|mut rows| rows.query_map([], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>());
            let numbers = numbers.map_err(|e| SqlError(e.to_string()))?;
            Ok(Met { all: numbers.len(), first: numbers.into_iter().take(NAMED_TOUCHED).collect() })
        })
    }

    /// Works on the table of this sheet within the limits of a query; nothing when that took too much memory, or others did meanwhile.
    fn watched<T>(&self, checked: &Checked, work: impl FnOnce(&Connection) -> Result<T, SqlError>) -> Option<Result<T, SqlError>> {
        let wrong = |e: rusqlite::Error| SqlError(e.to_string());
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match &mut *database {
            Some(made) => made,
            none => match load(self) {
                Ok(made) => none.insert(Loaded::new(made)),
                Err(error) => return Some(Err(wrong(error))),
            },
        };
        if let Err(error) = loaded.prepare_for(self, checked) {
            tracing::debug!(%error, "no index is made for a query");
        }
        let loaded = &loaded.connection;
        let watch = Watch::start();
        let watched = watch.clone();
        let ran = (|| {
            loaded.authorizer(Some(authorize)).map_err(wrong)?;
            loaded.progress_handler(STEPS, Some(move || watched.ends())).map_err(wrong)?;
            work(loaded)
        })();
        if ran.is_err() && watch.is(Ended::Large) {
            return None;
        }
        let ran = match ran {
            Err(_) if watch.is(Ended::Late) => {
                Err(SqlError(format!("the query took longer than {} s; make it simpler", TIME_LIMIT.as_secs())))
            }
            ran => ran,
        };
        Some(ran)
    }

    fn run(&self, database: &Connection, checked: &Checked, max_rows: usize) -> Result<QueryResult, SqlError> {
        let wrong = |e: rusqlite::Error| SqlError(e.to_string());
        let mut statement = database.prepare(&checked.sql).map_err(wrong)?;
        let column = |c: &super::sql::Output| ResultColumn {
            name: c.name.clone(),
            title: c.title.clone(),
            style: c.style.clone(),
            numeric: false,
            is_row_id: c.is_row_id,
            computed: c.column.is_none(),
            checkbox: c.checkbox,
        };
        let mut result = QueryResult { columns: checked.columns.iter().map(column).collect(), ..QueryResult::default() };
        let (width, mut size_bytes) = (result.columns.len(), 0);
        let most = max_rows.min(checked.limit.unwrap_or(usize::MAX));
        let mut rows = statement.query([]).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            result.total += 1;
            if result.total > checked.offset && result.rows.len() < most {
                let values = (0..width).map(|i| row.get_ref(i).map(|v| json_of(v, result.columns[i].is_row_id)));
                let values: Vec<Value> = values.collect::<Result<_, _>>().map_err(wrong)?;
                size_bytes += ROW_BYTES + values.iter().map(|v| VALUE_BYTES + v.as_str().map_or(0, str::len)).sum::<usize>();
                if size_bytes > MAX_RESULT_BYTES {
                    return Err(SqlError("the result is too large; select fewer or shorter columns".into()));
                }
                result.rows.push(values);
            }
            if result.total >= MAX_COUNTED {
                break;
            }
        }
        result.wanted = result.total.saturating_sub(checked.offset).min(checked.limit.unwrap_or(usize::MAX));
        self.fill_in_texts(checked, &mut result);
        for (i, column) in result.columns.iter_mut().enumerate() {
            column.numeric = !column.is_row_id
                && result.rows.iter().any(|r| r[i].is_number())
                && result.rows.iter().all(|r| r[i].is_number() || r[i].is_null());
        }
        Ok(result)
    }

    /// Cells that are shown as they stand show what the sheet shows: a text among numbers, a time beside a day.
    fn fill_in_texts(&self, checked: &Checked, result: &mut QueryResult) {
        let Some(id) = checked.columns.iter().position(|c| c.is_row_id && c.name == "row_id") else { return };
        for (at, output) in checked.columns.iter().enumerate() {
            let Some(column) = output.column.filter(|c| self.columns[*c].strays > 0) else { continue };
            for row in result.rows.iter_mut().filter(|r| r[at].is_null()) {
                let of = row[id].as_str().and_then(|id| id.parse().ok()).and_then(|id| self.row(id));
                if let Some(Typed::Stray(text)) = of.map(|r| self.columns[column].typed(&r.cells[column], &self.zone)) {
                    row[at] = Value::String(text.into_owned());
                }
            }
        }
    }

    /// What was left out, in a sentence for each column and reason, where rows show that it was.
    fn notes(&self, database: &Connection, left_out: &[LeftOut]) -> Result<Vec<String>, rusqlite::Error> {
        let mut notes = Vec::new();
        let mut said: BTreeSet<(usize, &str)> = BTreeSet::new();
        for LeftOut { column, why, sql } in left_out {
            let numbers: Vec<u32> = match why {
                Why::Somewhere => self.rows.iter().filter(|r| self.is_stray(*column, r)).map(|r| r.number).collect(),
                _ => database.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?,
            };
            let title = &self.columns[*column].title;
            let (rows, is, stand) = if numbers.len() == 1 { ("row", "is", "stands") } else { ("rows", "are", "stand") };
            let (falls, counts) = if numbers.len() == 1 { ("falls", "counts") } else { ("fall", "count") };
            let (head, kind) = match why {
                Why::Instead(other) => (format!("{title} holds text in {} {rows}, which {counts} as {other}", numbers.len()), "instead"),
                Why::Otherwise => (format!("{title} holds text in {} {rows}, which {falls} under ELSE", numbers.len()), "else"),
                Why::Figure | Why::Condition => (format!("{title} holds text in {} {rows} and is left out there", numbers.len()), "text"),
                Why::Order => (format!("{title} holds text in {} {rows}, which {stand} last", numbers.len()), "text"),
                Why::Blank => (format!("{title} is empty in {} {rows}, which {is} left out", numbers.len()), "blank"),
                Why::BlankOtherwise => (format!("{title} is empty in {} {rows}, which {falls} under ELSE", numbers.len()), "blank"),
                Why::Somewhere => (
                    format!(
                        "{title} holds text in {} {rows}, which count{} in no figure and no comparison",
                        numbers.len(),
                        if numbers.len() == 1 { "s" } else { "" }
                    ),
                    "text",
                ),
            };
            // One sentence says it, whichever part of the query left the texts out.
            if numbers.is_empty() || !said.insert((*column, kind)) {
                continue;
            }
            notes.push(format!("{head}{}", self.named(*column, &numbers, why)));
        }
        Ok(notes)
    }

    fn is_stray(&self, column: usize, row: &super::snapshot::SnapshotRow) -> bool {
        matches!(self.columns[column].typed(&row.cells[column], &self.zone), Typed::Stray(_))
    }

    /// The first of these rows, with their texts.
    fn named(&self, column: usize, numbers: &[u32], why: &Why) -> String {
        let rows = numbers.iter().take(NAMED_IN_NOTE).filter_map(|n| self.rows.iter().find(|r| r.number == *n));
        let some: Vec<String> = rows
            .map(|r| match why {
                Why::Blank | Why::BlankOtherwise => self.label(r),
                _ => format!("{}: “{}”", self.label(r), chat::text::shorten(&r.cells[column].shown(&self.columns[column].style), 60)),
            })
            .collect();
        let more = if numbers.len() > NAMED_IN_NOTE { ", …" } else { "" };
        format!(" ({}{more})", some.join(", "))
    }
}

/// Lets a query read the sheet, and do nothing else.
pub(super) fn authorize(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Function { .. } => Authorization::Allow,
        AuthAction::Read { table_name, .. } if !table_name.starts_with("sqlite_") => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

fn json_of(value: ValueRef<'_>, is_id: bool) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) if is_id => Value::String(n.to_string()),
        ValueRef::Integer(n) => n.into(),
        ValueRef::Real(n) if n.fract() == 0.0 && n.abs() < 9e15 => Value::from(n as i64),
        ValueRef::Real(n) => serde_json::Number::from_f64(n).map_or(Value::Null, Value::Number),
        ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned().into(),
        ValueRef::Blob(_) => Value::Null,
    }
}
