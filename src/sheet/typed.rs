//! Types of columns: a value is what its column holds, or a text beside it, and never something in between.

use super::cell::Cell;
use super::duration;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// The type of a column's values in SQL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Values {
    /// Texts; numbers among them are texts, too.
    #[default]
    Text,
    /// Numbers; texts stand beside them.
    Number,
    /// Lengths of work, as numbers of working days; texts stand beside them.
    Duration,
    /// Days; texts stand beside them.
    Day,
    /// Moments: their day, and the moment beside it; texts stand beside both.
    Moment,
    /// 0 or 1; texts stand beside them.
    Checkbox,
    /// Names of people, and their addresses beside them.
    People,
}

/// A cell as its column's type sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed<'a> {
    /// Nothing.
    Empty,
    /// A number, in columns of numbers and durations.
    Number(f64),
    /// A day.
    Day(Date),
    /// A moment in the zone of the sheet.
    Moment(DateTime),
    /// A tick or none.
    Checkbox(bool),
    /// Names and addresses, each joined by ", ".
    People(Cow<'a, str>, Option<String>),
    /// The text of a column of texts.
    Text(Cow<'a, str>),
    /// A text in a column of another type.
    Stray(Cow<'a, str>),
}

impl Values {
    /// The type of a column, by Smartsheet's type and what its cells hold.
    pub fn of<'a>(kind: &str, cells: impl Iterator<Item = &'a Cell>) -> Self {
        match kind {
            "CHECKBOX" => Self::Checkbox,
            "DATE" => Self::Day,
            "DATETIME" | "ABSTRACT_DATETIME" => Self::Moment,
            "DURATION" => Self::Duration,
            "CONTACT_LIST" | "MULTI_CONTACT_LIST" => Self::People,
            "MULTI_PICKLIST" | "PREDECESSOR" => Self::Text,
            "PICKLIST" => {
                let filled = cells.filter(|c| **c != Cell::Empty);
                let (numbers, others): (Vec<bool>, Vec<bool>) = filled.map(|c| option_number(c).is_some()).partition(|number| *number);
                if numbers.len() > others.len() { Self::Number } else { Self::Text }
            }
            _ => {
                let mut cells = cells;
                if cells.any(|c| c.number().is_some()) { Self::Number } else { Self::Text }
            }
        }
    }

    /// A cell of such a column.
    pub fn read<'a>(self, kind: &str, cell: &'a Cell, zone: &TimeZone) -> Typed<'a> {
        match (self, cell) {
            (Self::Checkbox, Cell::Bool(b)) => Typed::Checkbox(*b),
            (Self::Checkbox, Cell::Empty) => Typed::Checkbox(false),
            (_, Cell::Empty) => Typed::Empty,
            (Self::Number, _) if kind == "PICKLIST" => option_number(cell).map_or_else(|| Typed::Stray(words(cell)), Typed::Number),
            (Self::Number, _) => cell.number().map_or_else(|| Typed::Stray(words(cell)), Typed::Number),
            (Self::Duration, _) => {
                let days = cell.number().or_else(|| duration::days(&words(cell)));
                days.map_or_else(|| Typed::Stray(words(cell)), Typed::Number)
            }
            (Self::Day, Cell::Text(text)) => day(text).map_or_else(|| Typed::Stray(words(cell)), Typed::Day),
            (Self::Moment, Cell::Text(text)) => moment(text, zone).map_or_else(|| Typed::Stray(words(cell)), Typed::Moment),
            (Self::People, Cell::Named(named)) => Typed::People(normal(&named.1), Some(named.0.clone())),
            (Self::People, Cell::Several(several)) => Typed::People(normal(&several.0), addresses(&several.1)),
            (Self::People, Cell::Text(text)) => Typed::People(normal(text), text.contains('@').then(|| text.to_string())),
            (Self::Text | Self::People, _) => Typed::Text(words(cell)),
            (Self::Checkbox | Self::Day | Self::Moment, _) => Typed::Stray(words(cell)),
        }
    }
}

/// A cell as a text: the way it is compared with other texts.
pub fn words(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Empty => Cow::Borrowed(""),
        Cell::Number(n) => Cow::Owned(super::cell::plain_number(*n)),
        Cell::Styled(styled) => Cow::Owned(super::cell::plain_number(styled.0)),
        Cell::Bool(b) => Cow::Borrowed(if *b { "true" } else { "false" }),
        Cell::Text(text) => normal(text),
        Cell::Named(named) => normal(&named.1),
        Cell::Several(several) => normal(&several.0),
    }
}

/// A text in the form in which letters are composed (NFC), so that equal texts are equal.
pub fn normal(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// The day that a value of a date column holds; with a time behind it, too.
pub fn day(text: &str) -> Option<Date> {
    let head = text.get(..10)?;
    let rest = &text[10..];
    (rest.is_empty() || rest.starts_with('T')).then(|| head.parse().ok()).flatten()
}

/// The moment that a value holds, in this zone. One without a zone of its own is taken as it stands.
fn moment(text: &str, zone: &TimeZone) -> Option<DateTime> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.to_zoned(zone.clone()).datetime());
    }
    text.parse::<DateTime>().ok().or_else(|| day(text).map(|d| d.at(0, 0, 0, 0)))
}

/// A number as it stands in a text without any doubt: no signs of groups, no leading zeros, no units.
pub fn plain_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    (all_digits(whole) && all_digits(fraction) && !leading_zero && whole.len() < 16).then(|| text.parse().ok()).flatten()
}

fn option_number(cell: &Cell) -> Option<f64> {
    cell.number().or_else(|| if let Cell::Text(text) = cell { plain_number(text.trim()) } else { None })
}

/// The addresses of several people, as they stand in an `objectValue`.
fn addresses(object: &serde_json::Value) -> Option<String> {
    let of = |v: &serde_json::Value| v["email"].as_str().map(str::to_owned);
    let all: Vec<String> = object["values"].as_array()?.iter().filter_map(of).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_those_that_are_written_in_one_way_only() {
        let read = ["1001", "-5", "0.5", "007", "1,234", "12%", "1e5", "5 days", "", "-", ".5", "1."].map(plain_number);
        let right = [Some(1001.0), Some(-5.0), Some(0.5), None, None, None, None, None, None, None, None, None];
        assert_eq!(read, right);
    }

    #[test]
    fn moments_are_days_of_the_zone() {
        let zone = TimeZone::get("America/Los_Angeles").expect("a zone");
        let cell = Cell::Text("2026-11-29T02:30:00Z".into());
        let Typed::Moment(at) = Values::Moment.read("DATETIME", &cell, &zone) else { panic!("a moment") };
        assert_eq!(at.to_string(), "2026-11-28T18:30:00");
        let project = Cell::Text("2026-11-13T16:59:59".into());
        let Typed::Moment(at) = Values::Moment.read("ABSTRACT_DATETIME", &project, &zone) else { panic!("a moment") };
        assert_eq!(at.date().to_string(), "2026-11-13");
    }
}
