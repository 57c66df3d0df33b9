//! A part of a query that was understood: what runs, what it says in words, and what kind of value it is.

use super::super::cell::Style;
use super::super::snapshot::{Snapshot, SnapshotColumn};
use super::super::table::{AS_NUMBER, AS_TEXT, ORDER};
use super::super::typed::{Typed, Values};
use super::left_out::{Fate, LeftOut, Use};
use super::near::Literal;
use super::scope::{Field, Scope, Source, fields_of, no_such_column};
use super::unmet::Demand;
use super::words::{self, Comparison};
use super::{SqlError, refused};
use jiff::civil::DateTime;

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Checkbox,
    Text,
    /// `2026-11-29`.
    Day,
    /// `2026-11-29 10:30:00`.
    Moment,
    /// NULL, or something whose kind depends on the row.
    Any,
}

/// What of a column is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Its values.
    Main,
    /// The texts among its values.
    Text,
    /// People's addresses.
    Email,
    /// What the rows are called that a row waits for.
    Names,
    /// The moments of which its values are the days.
    Moment,
    /// Its values, carried through another query.
    Carried,
    /// The id of a row.
    RowId,
    /// Another column that the snapshot adds.
    Own,
}

/// The column that a part of a query is, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The position of the column; `None` for those that the snapshot adds.
    pub column: Option<usize>,
    pub part: Part,
}

/// A value that stands in the query itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    Number(f64),
    Text(String),
    Null,
}

/// Empty cells of a column that a condition inside a figure passes over, because it says what they are not.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PassedOver {
    pub column: usize,
    /// The condition, which does not hold for them and is not false either.
    pub condition: String,
    /// Only in rows that this holds for.
    pub filter: Option<String>,
    /// Whether they fall under `ELSE` then.
    pub otherwise: bool,
}

/// A part of a query that was understood.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// What runs.
    pub sql: String,
    /// What it says.
    pub words: String,
    /// Whether the words want brackets beside others.
    pub loose: bool,
    pub kind: Kind,
    pub style: Style,
    pub origin: Option<Origin>,
    pub constant: Option<Constant>,
    /// Whether it is a figure over several rows.
    pub aggregate: bool,
    /// Whether it has the value of one row: a column outside of every figure.
    pub of_row: bool,
    /// Columns in which texts were left out by this.
    pub uses: Vec<Use>,
    /// Columns whose empty cells are left out by this, because it says what they are not.
    pub blanks: Vec<usize>,
    /// Columns whose empty cells would be left out by the contrary of this, because it says what they are.
    pub equals: Vec<usize>,
    /// Columns whose empty cells a condition inside this passes over.
    pub passed_over: Vec<PassedOver>,
}

/// What stands before the name of a bare column, however it is bracketed: its table and the dot, or nothing. `None` for all else.
pub(super) fn table_of(sql: &str) -> Option<&str> {
    let bare = sql.trim_start_matches('(').trim_end_matches(')');
    match bare.split('"').collect::<Vec<_>>().as_slice() {
        ["", _, ""] => Some(""),
        ["", table, ".", _, ""] => bare.get(..table.len() + 3),
        _ => None,
    }
}

impl Read {
    pub fn new(sql: impl Into<String>, words: impl Into<String>, kind: Kind) -> Self {
        Self {
            sql: sql.into(),
            words: words.into(),
            loose: false,
            kind,
            style: Style::Plain,
            origin: None,
            constant: None,
            aggregate: false,
            of_row: false,
            uses: Vec::new(),
            blanks: Vec::new(),
            equals: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    pub fn number(n: f64, sql: impl Into<String>) -> Self {
        Self { constant: Some(Constant::Number(n)), ..Self::new(sql, words::number(n, &Style::Plain), Kind::Number) }
    }

    pub fn text(text: &str) -> Self {
        let constant = Some(Constant::Text(text.to_owned()));
        Self { constant, ..Self::new(quoted(text), format!("“{text}”"), Kind::Text) }
    }

    /// Takes over what was left out by the parts that this was made of.
    pub fn with(mut self, parts: &[&Self]) -> Self {
        for part in parts {
            self.aggregate |= part.aggregate;
            self.of_row |= part.of_row;
            take_over(&mut self.uses, &part.uses);
            take_over(&mut self.blanks, &part.blanks);
            take_over(&mut self.equals, &part.equals);
            take_over(&mut self.passed_over, &part.passed_over);
        }
        self
    }

    /// Made with the help of a condition, which empty cells make neither true nor false; `otherwise` is what then stands in `ELSE`.
    pub fn decided_by(mut self, condition: &Self, otherwise: bool) -> Self {
        let of = |column: &usize| PassedOver { column: *column, condition: condition.sql.clone(), filter: None, otherwise };
        take_over(&mut self.passed_over, &condition.blanks.iter().map(of).collect::<Vec<_>>());
        self
    }

    /// Holds this column against a value: with `<>` its empty cells are left out, with `=` the contrary would leave them out.
    pub fn held(mut self, how: Comparison, column: Option<usize>) -> Self {
        match how {
            Comparison::NotEqual => self.blanks.extend(column),
            Comparison::Equal => self.equals.extend(column),
            _ => {}
        }
        self
    }

    /// Only for rows that this condition holds for.
    pub fn only_where(mut self, condition: &str) -> Self {
        let filters = self.uses.iter_mut().map(|one| &mut one.filter).chain(self.passed_over.iter_mut().map(|one| &mut one.filter));
        for filter in filters {
            *filter = Some(match filter.take() {
                Some(before) => format!("{before} AND ({condition})"),
                None => format!("({condition})"),
            });
        }
        self
    }

    /// What becomes of the texts that were left out so far.
    pub fn becoming(mut self, fate: &Fate) -> Self {
        for one in self.uses.iter_mut().filter(|one| one.become_of == Fate::Out) {
            one.become_of = fate.clone();
        }
        self
    }

    /// The words, with brackets where they could be misread beside others.
    pub fn beside(&self) -> String {
        if self.loose { format!("({})", self.words) } else { self.words.clone() }
    }

    pub fn is_null(&self) -> bool {
        self.constant == Some(Constant::Null)
    }
}

/// Adds what is not there yet.
fn take_over<T: Clone + PartialEq>(all: &mut Vec<T>, more: &[T]) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

/// A text as SQL writes it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as SQL writes it.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Reads a query of one snapshot.
pub(super) struct Reader<'a> {
    pub snapshot: &'a Snapshot,
    pub now: DateTime,
    /// Tables that `WITH` has named, the innermost last.
    pub named: Vec<Source>,
    /// What `WITH` says before the query at hand.
    pub defined: Vec<String>,
    pub scopes: Vec<Scope>,
    pub base: Vec<Field>,
    /// The outermost query, counted from the whole, of which a name was met.
    pub lowest: usize,
    pub literals: Vec<Literal>,
    /// Whether what is read stands under a `NOT`.
    pub denies: bool,
    pub demands: Vec<Demand>,
    pub touched: Option<String>,
    pub grouped: Vec<usize>,
    pub left_out: Vec<LeftOut>,
    pub readings: Vec<String>,
    /// What people are told beside what was left out.
    pub remarks: Vec<String>,
    depth: usize,
}

/// Levels of brackets and queries in one another.
const MAX_DEPTH: usize = 60;

impl<'a> Reader<'a> {
    pub fn new(snapshot: &'a Snapshot, now: DateTime) -> Self {
        Self {
            snapshot,
            now,
            named: Vec::new(),
            defined: Vec::new(),
            scopes: Vec::new(),
            base: fields_of(snapshot),
            lowest: usize::MAX,
            literals: Vec::new(),
            denies: false,
            demands: Vec::new(),
            touched: None,
            grouped: Vec::new(),
            left_out: Vec::new(),
            readings: Vec::new(),
            remarks: Vec::new(),
            depth: 0,
        }
    }

    /// One level deeper, unless that is too deep.
    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        if self.depth == MAX_DEPTH {
            return refused("the query is nested too deeply; make it simpler");
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    pub fn say(&mut self, reading: String) {
        if !self.readings.contains(&reading) {
            self.readings.push(reading);
        }
    }

    pub fn remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// The column that a name means, in the tables at hand and those around.
    pub fn column(&mut self, table: Option<&str>, wanted: &str) -> Result<Read, SqlError> {
        for (depth, scope) in self.scopes.iter().enumerate().rev() {
            let sources = scope.sources.iter().filter(|s| table.is_none_or(|t| s.alias.eq_ignore_ascii_case(t)));
            let found: Vec<(&Source, &Field)> = sources.filter_map(|s| Some((s, s.field(wanted, self.snapshot)?))).collect();
            match found.as_slice() {
                [] => {
                    let lower = wanted.to_lowercase();
                    let alias = scope.aliases.iter().position(|(alias, _)| table.is_none() && *alias == lower);
                    if let Some(alias) = alias {
                        return self.own_name(depth, alias);
                    }
                }
                [(source, field)] => {
                    let read = self.read_field(&source.alias, field);
                    self.lowest = self.lowest.min(depth);
                    return Ok(read);
                }
                [..] => {
                    let tables: Vec<&str> = found.iter().map(|(s, _)| s.alias.as_str()).collect();
                    return refused(format!(
                        "{wanted} stands in more than one table: write {}.{wanted}",
                        tables.join(&format!(".{wanted} or "))
                    ));
                }
            }
        }
        let shown = table.map_or_else(|| wanted.to_owned(), |t| format!("{t}.{wanted}"));
        let others = self.scopes.last().into_iter().flat_map(|s| &s.sources).filter(|s| s.table == super::Table::Other);
        let others: Vec<String> = others.flat_map(|s| s.fields.iter().map(|f| f.name.clone())).collect();
        if others.is_empty() {
            return Err(SqlError(no_such_column(&shown, self.snapshot)));
        }
        refused(format!("no such column: {shown}; the columns of that query are: {}", others.join(", ")))
    }

    /// What the query at this depth calls by a name of its own; not within itself.
    fn own_name(&mut self, depth: usize, alias: usize) -> Result<Read, SqlError> {
        let aliases = std::mem::take(&mut self.scopes[depth].aliases);
        let read = self.expr(&aliases[alias].1);
        self.scopes[depth].aliases = aliases;
        read.map(|read| Read { sql: format!("({})", read.sql), ..read })
    }

    fn read_field(&self, alias: &str, field: &Field) -> Read {
        let column = field.origin.and_then(|o| o.column);
        let words = match (column.map(|at| &self.snapshot.columns[at]), field.origin.map(|o| o.part)) {
            (Some(c), Some(Part::Email)) => format!("{} e-mail", c.title),
            (Some(c), Some(Part::Names)) => format!("{} (names)", c.title),
            (Some(c), Some(Part::Text)) => format!("{} text", c.title),
            (Some(c), Some(Part::Moment)) => format!("{} time", c.title),
            (Some(c), _) => c.title.clone(),
            (None, _) => words::own(&field.name),
        };
        let strays = field.origin.filter(|o| matches!(o.part, Part::Main | Part::Carried)).and_then(|o| o.column);
        let strays = strays.filter(|at| self.snapshot.columns[*at].strays > 0);
        Read {
            style: field.style.clone(),
            origin: field.origin,
            of_row: true,
            uses: strays.map(Use::of).into_iter().collect(),
            ..Read::new(format!("{}.{}", name(alias), name(&field.name)), words, field.kind)
        }
    }

    /// The column of the sheet that this is, with its values as they are.
    pub fn main(&self, read: &Read) -> Option<(usize, &'a SnapshotColumn)> {
        let Origin { column: Some(at), part: Part::Main } = read.origin? else { return None };
        Some((at, &self.snapshot.columns[at]))
    }

    /// The same in text: with the texts among the values, and numbers as people write them.
    pub fn as_text(&self, read: Read) -> Read {
        if read.constant.is_some() {
            return read;
        }
        let number = matches!(read.kind, Kind::Number | Kind::Any);
        let plain = if number { format!("{AS_TEXT}({})", read.sql) } else { read.sql.clone() };
        let texts = self.main(&read).and_then(|(_, c)| Some(self.texts_beside(&read.sql, &c.sql, c.text_sql.as_ref()?)));
        match texts {
            Some(texts) => {
                let sql = format!("(COALESCE({texts}, {plain}) COLLATE {ORDER})");
                Read { sql, kind: Kind::Text, uses: Vec::new(), ..read }
            }
            None if number => Read { sql: plain, kind: Kind::Text, ..read },
            None => read,
        }
    }

    /// The name of the texts beside a column that is written like this.
    pub fn texts_beside(&self, sql: &str, column: &str, texts: &str) -> String {
        sql.strip_suffix(&name(column)).map_or_else(|| name(texts), |table| format!("{table}{}", name(texts)))
    }

    /// The same as a number, for figures and arithmetic; an error where there is none in it.
    pub fn as_number(&self, read: Read) -> Result<Read, SqlError> {
        match read.kind {
            Kind::Number | Kind::Checkbox | Kind::Any => Ok(read),
            Kind::Text => match read.origin.and_then(|o| Some((o.part, &self.snapshot.columns[o.column?]))) {
                Some((Part::Text, column)) => {
                    refused(format!("{}_text holds the texts of {}, of which no figure can be made", column.sql, column.title))
                }
                Some((_, column)) => Err(SqlError(self.only_texts(column))),
                None => Ok(Read { sql: format!("{AS_NUMBER}({})", read.sql), kind: Kind::Number, origin: None, ..read }),
            },
            Kind::Day | Kind::Moment => {
                refused(format!("{} is a day, not a number: use MIN, MAX or COUNT, or julianday(…) for a number of days", read.words))
            }
        }
    }

    /// Why no figure can be made of a column of texts.
    pub fn only_texts(&self, column: &SnapshotColumn) -> String {
        let Some(at) = self.snapshot.columns.iter().position(|c| c.id == column.id) else { return String::new() };
        let texts = self.snapshot.rows.iter().filter_map(|r| match column.typed(&r.cells[at], &self.snapshot.zone) {
            Typed::Text(text) => Some(text.into_owned()),
            _ => None,
        });
        let some: Vec<String> = texts.take(3).map(|t| format!("“{}”", chat::text::shorten(&t, 30))).collect();
        let what = match column.values {
            Values::People => "people",
            _ if some.is_empty() => return format!("{} is empty: there is nothing to make a figure of", column.title),
            _ => "texts",
        };
        let read = if self.looks_like_numbers(at) {
            "; they look like numbers, but Smartsheet keeps them as texts: nothing is added up or compared until they are changed to numbers in the sheet"
        } else {
            ""
        };
        format!("{} ({}) holds {what}, not numbers: {}{read}", column.title, column.sql, some.join(", "))
    }

    /// Why the texts of a column cannot be put in order: they are days or numbers that Smartsheet keeps as texts.
    pub fn not_in_order(&self, read: &Read) -> Option<String> {
        let (at, column) = self.main(read).filter(|_| read.kind == Kind::Text)?;
        if self.looks_like_days(at) {
            return Some(format!(
                "{} ({}) holds its days as texts, which cannot be compared as days: use = or LIKE, or ask for the column to be changed to dates",
                column.title, column.sql
            ));
        }
        self.looks_like_numbers(at).then(|| self.only_texts(column))
    }

    /// Whether a column of texts holds mostly what looks like numbers.
    pub fn looks_like_numbers(&self, at: usize) -> bool {
        self.mostly(at, |text| {
            text.chars().any(|c| c.is_ascii_digit()) && text.chars().all(|c| !c.is_alphabetic()) && day_in(text).is_none()
        })
    }

    /// Whether a column of texts holds mostly what looks like days.
    pub fn looks_like_days(&self, at: usize) -> bool {
        self.mostly(at, |text| day_in(text).is_some())
    }

    /// Whether this holds for most texts of a column of texts.
    fn mostly(&self, at: usize, holds: impl Fn(&str) -> bool) -> bool {
        let column = &self.snapshot.columns[at];
        if column.values != Values::Text {
            return false;
        }
        let texts = self.snapshot.rows.iter().filter_map(|r| match column.typed(&r.cells[at], &self.snapshot.zone) {
            Typed::Text(text) => Some(holds(&text)),
            _ => None,
        });
        let (holding, others): (Vec<bool>, Vec<bool>) = texts.partition(|holds| *holds);
        holding.len() > others.len()
    }
}

/// Whether a text is a day in the way of some country: `11/30/2026`, `30.11.2026`, `2026-11-30`.
fn day_in(text: &str) -> Option<()> {
    let parts: Vec<&str> = text.trim().split(['/', '.', '-']).collect();
    let digits = |part: &&str, most: usize| !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    let [a, b, c] = parts.as_slice() else { return None };
    ((digits(a, 2) && digits(b, 2) && (c.len() == 2 || c.len() == 4) && digits(c, 4))
        || (a.len() == 4 && digits(a, 4) && digits(b, 2) && digits(c, 2)))
    .then_some(())
}
