//! Values on their way into a column, from the chat, the API and the page: read as people write them, or refused with what would fit.

mod day;
mod number;
mod option;
mod person;
mod schedule;

pub use day::read as read_day;
pub use day::shift as day_shift;
pub(super) use person::by_name;
pub use schedule::in_words as predecessors_in_words;

use super::cell::{Cell, Style, plain_number};
use super::snapshot::{Snapshot, SnapshotColumn};
use super::typed::{Values, normal};
use crate::error::{Choice, Trouble, UserError};
use crate::locality::Locality;
use jiff::civil::Date;
use number::Written;
use person::People;
use serde_json::{Value, json};

/// Characters that a cell can hold.
const MOST_CHARS: usize = 4000;
/// Numbers from this one on are not told from their neighbours any more; the same below zero.
const TOO_GREAT: f64 = 9_007_199_254_740_992.0;

/// A value that fits a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Coerced {
    /// The value as it will be compared and written.
    pub value: Value,
    /// As people will see it.
    pub shown: String,
    /// What the person should know: what it was taken for.
    pub note: Option<String>,
}

/// Why a value does not fit its column, in words for the model or the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong, with what would fit.
    pub why: String,
    /// What can be meant, where it fits several.
    pub choices: Vec<Choice>,
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self { why, choices: Vec::new() }
    }
}

impl From<Unfit> for Trouble {
    fn from(Unfit { why, choices }: Unfit) -> Self {
        Self::Told(UserError { words: why, choices })
    }
}

/// Who writes values.
#[derive(Clone, Debug)]
pub struct Author {
    /// Where they are.
    pub locality: Locality,
    /// Whom they know beside the people of the sheet: addresses and names.
    pub people: Vec<(String, String)>,
}

/// Reads values for the columns of one sheet, as one person writes them.
pub struct ValueReader<'a> {
    snapshot: &'a Snapshot,
    locality: &'a Locality,
    people: People<'a>,
}

impl<'a> ValueReader<'a> {
    /// A reader of values for this sheet, written by this person.
    pub fn new(snapshot: &'a Snapshot, author: &'a Author) -> Self {
        let people = People { of_sheet: snapshot.people(), others: &author.people };
        Self { snapshot, locality: &author.locality, people }
    }

    /// Makes a value fit a column by its type, or says what would fit.
    ///
    /// # Errors
    /// A sentence for the model or the person, with the allowed values where there are any.
    pub fn read(&self, column: &SnapshotColumn, value: &Value) -> Result<Coerced, Unfit> {
        self.read_as(column, &column.style, value)
    }

    /// The day that a value means in a column that may compute its own.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub fn read_day(&self, column: &SnapshotColumn, value: &Value) -> Result<Date, Unfit> {
        let text = value.as_str().unwrap_or_default().trim();
        Ok(day::read(text, self.locality).map_err(|why| format!("{} is a date: {why}", column.title))?)
    }

    /// The same for a cell whose numbers look otherwise than those of its column.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub fn read_as(&self, column: &SnapshotColumn, style: &Style, value: &Value) -> Result<Coerced, Unfit> {
        if let Some(why) = &column.read_only {
            return Err(format!("{} cannot be written: {why}", column.title).into());
        }
        let text = match value {
            Value::Null => return Ok(nothing()),
            Value::String(s) => s.trim().to_owned(),
            Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), plain_number),
            Value::Array(all) => all.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect::<Vec<_>>().join("; "),
            other => other.to_string(),
        };
        if text.is_empty() {
            return Ok(nothing());
        }
        if text.chars().count() > MOST_CHARS {
            return Err(format!("the value for {} is longer than the 4,000 characters a cell can hold", column.title).into());
        }
        Ok(match column.kind.as_str() {
            "PICKLIST" => option::one(column, &text)?,
            "MULTI_PICKLIST" => option::several(column, &text)?,
            "CHECKBOX" => checkbox(column, &text)?,
            "DATE" | "ABSTRACT_DATETIME" => {
                let day = self.read_day(column, &json!(text))?;
                plain(day.to_string(), day.to_string())
            }
            "CONTACT_LIST" => person::one(column, &text, &self.people)?,
            "MULTI_CONTACT_LIST" => person::several(column, &text, &self.people)?,
            "DURATION" => schedule::duration(column, &text)?,
            "PREDECESSOR" => schedule::predecessors(column, &text, self.snapshot)?,
            _ => self.text_or_number(column, style, value, &text)?,
        })
    }

    /// Numbers only where the column is one of numbers; a text that begins with `=` stays a text.
    fn text_or_number(&self, column: &SnapshotColumn, style: &Style, value: &Value, text: &str) -> Result<Coerced, String> {
        if let Some(n) = value.as_f64() {
            return self.number(column, style, n, false, None);
        }
        let begins = column.values != Values::Number && !column.primary && self.is_empty(column);
        if column.values != Values::Number && !begins {
            return Ok(Coerced { note: self.kept_as_text(column, text), ..plain(normal(text), normal(text)) });
        }
        let written = match (number::read(text, self.locality.locale), style) {
            // Beside money an `m` behind a number is one of millions, and in a column of money it stands beside money.
            (Written::Text, Style::Money(sign)) if text.to_lowercase().ends_with(['m', 'n']) => {
                number::read(&format!("{sign}{text}"), self.locality.locale)
            }
            (written, _) => written,
        };
        match written {
            Written::Number { value, percent, currency } => {
                let note = self.sign_of(column, style, currency.as_deref(), value)?;
                self.number(column, style, value, percent, note)
            }
            Written::Either(point, comma) => Err(format!(
                "“{text}” can mean {} or {} in {}; write it without a sign for thousands, such as {} or {}",
                style.show(point),
                style.show(comma),
                column.title,
                plain_number(point.max(comma)),
                // One digit more, and it is no group of thousands.
                if point.min(comma).fract() == 0.0 {
                    plain_number(point.min(comma))
                } else {
                    format!("{}0", plain_number(point.min(comma)))
                }
            )),
            // The first value of a column says what it holds.
            Written::Broken | Written::Text if begins => Ok(plain(normal(text), normal(text))),
            Written::Broken => Err(format!("“{text}” cannot be read as a number for {}; write it like 1234.5", column.title)),
            Written::Text => {
                let note =
                    format!("{} holds numbers, but “{}” is text: sums will leave it out.", column.title, chat::text::shorten(text, 40));
                Ok(Coerced { note: Some(note), ..plain(text, text) })
            }
        }
    }

    /// Whether nothing stands in a column yet.
    fn is_empty(&self, column: &SnapshotColumn) -> bool {
        let at = self.snapshot.column_by_id(column.id).map(|(at, _)| at);
        at.is_some_and(|at| self.snapshot.rows.iter().all(|row| row.cells[at] == Cell::Empty))
    }

    /// That a number becomes a text in a column of texts; nothing of names, which may be numbers.
    fn kept_as_text(&self, column: &SnapshotColumn, text: &str) -> Option<String> {
        let number = matches!(number::read(text, self.locality.locale), Written::Number { .. }) && !column.primary;
        number.then(|| format!("{} holds texts: “{text}” is stored as text, and counts in no sum.", column.title))
    }

    /// What there is to say about a sign of money beside a number; an error where it is another than the column's.
    fn sign_of(&self, column: &SnapshotColumn, style: &Style, currency: Option<&str>, n: f64) -> Result<Option<String>, String> {
        match (currency, style) {
            (None, _) => Ok(None),
            (Some(sign), Style::Money(own)) if sign == own => Ok(None),
            (Some(sign), Style::Money(own)) => Err(format!("{} is in {own}, not in {sign}: give the amount in {own}", column.title)),
            (Some(sign), Style::Percent) => Err(format!("{} holds percents, not amounts in {sign}", column.title)),
            (Some(sign), _) => Ok(Some(format!("{} holds plain numbers: {} is stored, without {sign}.", column.title, plain_number(n)))),
        }
    }

    fn number(&self, column: &SnapshotColumn, style: &Style, n: f64, percent: bool, note: Option<String>) -> Result<Coerced, String> {
        if n.abs() >= TOO_GREAT {
            return Err(format!("{n:e} is too large for {}: numbers go up to 9,007,199,254,740,991", column.title));
        }
        if percent && matches!(style, Style::Money(_)) {
            return Err(format!("{} holds amounts of money: write the amount itself, not {} %", column.title, plain_number(n)));
        }
        let (n, note) = match (style, percent) {
            (Style::Percent, false) => (self.share(column, n)?, note),
            // 1e6 keeps 12.5 % from becoming 0.12500000000000003.
            (_, true) => {
                let share = (n * 1e6).round() / 1e8;
                let said = format!("{} holds plain numbers: {} % is stored as {}.", column.title, plain_number(n), plain_number(share));
                (share, if *style == Style::Percent { note } else { Some(said) })
            }
            _ => (n, note),
        };
        Ok(Coerced { note, ..plain(json!(n), style.show_all(n)) })
    }

    /// A number without a sign in a column of percents: 0.5 and 50 both mean 50 %, as long as nothing speaks against it.
    fn share(&self, column: &SnapshotColumn, n: f64) -> Result<f64, String> {
        if n.abs() <= 1.0 {
            return Ok(n);
        }
        let at = self.snapshot.column_by_id(column.id).map(|(at, _)| at);
        let beyond = at.is_some_and(|at| self.snapshot.rows.iter().any(|r| r.cells[at].number().is_some_and(|x| x.abs() > 1.0)));
        if beyond && n.abs() <= 10.0 {
            let (as_it_is, of_hundred) = (Style::Percent.show(n), Style::Percent.show(n / 100.0));
            return Err(format!("{} can mean {as_it_is} or {of_hundred} in {}; write it with %", plain_number(n), column.title));
        }
        Ok((n * 1e6).round() / 1e8)
    }
}

/// A stored value as people see it in this column.
pub fn coerce_display(column: &SnapshotColumn, value: &Value, people: &[(String, String)]) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => if *b { "yes" } else { "no" }.into(),
        Value::Number(n) => column.style.show(n.as_f64().unwrap_or_default()),
        Value::String(s) => {
            people.iter().find(|(email, _)| email == s && column.is_contact()).map_or_else(|| s.clone(), |(_, name)| name.clone())
        }
        Value::Object(o) => {
            let part = |v: &Value| v.as_str().or(v["name"].as_str()).or(v["email"].as_str()).map(str::to_owned);
            o.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(part).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) => value.to_string(),
    }
}

fn plain(value: impl Into<Value>, shown: impl Into<String>) -> Coerced {
    Coerced { value: value.into(), shown: shown.into(), note: None }
}

fn nothing() -> Coerced {
    plain(Value::Null, "")
}

fn checkbox(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" | "on" | "checked" | "ticked" | "done" | "x" | "✓" | "✔" | "☑" | "✅" | "ja" | "oui" | "sí" | "si" => {
            Ok(plain(true, "yes"))
        }
        "false" | "no" | "0" | "off" | "unchecked" | "unticked" | "☐" | "nein" | "non" => Ok(plain(false, "no")),
        _ => Err(format!("{} is a checkbox: use true or false, not “{text}”", column.title)),
    }
}

/// Several values in one text, with commas, semicolons or lines in between; those in what is known belong to it (“Doe, Jane”).
fn parts(text: &str, known: impl Fn(&str) -> bool) -> Vec<&str> {
    let ends: Vec<usize> = text.match_indices([',', ';', '\n']).map(|(at, _)| at).chain([text.len()]).collect();
    let (mut parts, mut begin, mut next) = (Vec::new(), 0, 0);
    while next < ends.len() {
        // The longest that is known; else what ends at the next of these.
        let longest = (next..ends.len()).rev().find(|end| known(text[begin..ends[*end]].trim()));
        let end = longest.unwrap_or(next);
        parts.push(text[begin..ends[end]].trim());
        (begin, next) = (ends[end] + 1, end + 1);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod zone_tests;
