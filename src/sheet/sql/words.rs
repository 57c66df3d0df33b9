//! Conditions and figures as a project manager reads them.

use super::super::cell::Style;
use super::read::{Constant, Kind, Read};
use jiff::civil::Date;

/// How two values are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `IS`, for which empty is a value like others.
    Same,
    /// `IS NOT`.
    NotSame,
}

impl Comparison {
    pub fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Same => "IS",
            Self::NotSame => "IS NOT",
        }
    }

    /// The same seen from the other side.
    pub fn swapped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    /// Whether it asks for the same value, or for another one; not for more or less.
    pub fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual | Self::Same | Self::NotSame)
    }

    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotSame)
    }

    fn said(self, of_days: bool) -> &'static str {
        match (self, of_days) {
            (Self::Equal | Self::Same, _) => "is",
            (Self::NotEqual | Self::NotSame, _) => "is not",
            (Self::Less, false) => "is less than",
            (Self::LessOrEqual, false) => "is at most",
            (Self::Greater, false) => "is more than",
            (Self::GreaterOrEqual, false) => "is at least",
            (Self::Less, true) => "is before",
            (Self::LessOrEqual, true) => "is on or before",
            (Self::Greater, true) => "is after",
            (Self::GreaterOrEqual, true) => "is on or after",
        }
    }
}

/// A comparison: “Due Date is before 2026-11-29”.
pub(super) fn comparison(left: &Read, how: Comparison, right: &Read) -> String {
    if left.kind == Kind::Checkbox
        && how.is_equality()
        && let Some(Constant::Number(n)) = right.constant
    {
        return ticked(left, (n != 0.0) != how.is_negative());
    }
    let days = matches!(left.kind, Kind::Day | Kind::Moment);
    format!("{} {} {}", left.beside(), how.said(days), value(right, &left.style))
}

pub(super) fn ticked(read: &Read, yes: bool) -> String {
    // The only box that is no column of the sheet is `is_parent`.
    if read.origin.is_some_and(|o| o.column.is_none()) {
        return if yes { "it has rows below it" } else { "it has no rows below it" }.into();
    }
    format!("{} is {}ticked", read.beside(), if yes { "" } else { "not " })
}

/// A value beside a column: numbers look like those of the column, days stand without quotes.
pub(super) fn value(read: &Read, style: &Style) -> String {
    match &read.constant {
        Some(Constant::Number(n)) => number(*n, style),
        Some(Constant::Text(text)) => day(text).unwrap_or_else(|| read.beside()),
        Some(Constant::Null) => "empty".into(),
        _ => read.beside(),
    }
}

/// `2026-11-29` -> `29 Nov 2026`, with the time where one stands behind it.
fn day(text: &str) -> Option<String> {
    let (day, time) = (text.get(..10)?.parse::<Date>().ok()?, text.get(10..)?);
    Some(format!("{}{}", civil_day(day), time.strip_suffix(":00").unwrap_or(time)))
}

pub(super) fn civil_day(day: Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}

/// Two conditions of which either may hold; “Status is not “Done” (or empty)” where one of them says that a cell is empty.
pub(super) fn either(a: &Read, b: &Read) -> Read {
    let of_one = |empty: &Read, other: &Read| {
        let behind = other.words.strip_prefix(empty.words.strip_suffix("is empty")?)?;
        let negative = ["is not ", "is none of ", "does not "].iter().any(|verb| behind.starts_with(verb));
        (negative && !other.loose).then(|| format!("{} (or empty)", other.words))
    };
    let one = of_one(a, b).or_else(|| of_one(b, a));
    let loose = one.is_none();
    let words = one.unwrap_or_else(|| format!("{} or {}", a.words, b.words));
    Read { loose, ..Read::new(String::new(), words, Kind::Checkbox) }
}

pub(super) fn number(n: f64, style: &Style) -> String {
    style.show(n)
}

/// A pattern of `LIKE`: “contains”, “begins with”, “ends with” where it is as simple as that.
pub(super) fn pattern(read: &Read, negated: bool, pattern: &Read, escape: Option<char>) -> String {
    let not = |positive: &str, negative: &str| if negated { negative.to_owned() } else { positive.to_owned() };
    let of = read.beside();
    let Some(Constant::Text(text)) = &pattern.constant else {
        return format!("{of} {} {}", not("is like", "is not like"), pattern.beside());
    };
    let signs = signs(text, escape);
    let any = |sign: Option<&(char, bool)>| sign == Some(&('%', true));
    let (begins, ends) = (any(signs.first()), any(signs.last()) && signs.len() > 1);
    let mut inner = signs.as_slice();
    while any(inner.first()) {
        inner = &inner[1..];
    }
    while any(inner.last()) {
        inner = &inner[..inner.len() - 1];
    }
    if inner.iter().any(|(_, meaning)| *meaning) {
        return format!("{of} {} “{text}”", not("is like", "is not like"));
    }
    let inner: String = inner.iter().map(|(c, _)| c).collect();
    let inner = inner.trim_start_matches("> ");
    let said = match (begins, ends) {
        (true, true) => not("contains", "does not contain"),
        (false, true) => not("begins with", "does not begin with"),
        (true, false) => not("ends with", "does not end with"),
        (false, false) => not("is", "is not"),
    };
    format!("{of} {said} “{inner}”")
}

/// The letters of a pattern, each with whether it means any letters or any one.
fn signs(pattern: &str, escape: Option<char>) -> Vec<(char, bool)> {
    let mut signs = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => signs.extend(chars.next().map(|literal| (literal, false))),
            c => signs.push((c, matches!(c, '%' | '_'))),
        }
    }
    signs
}

/// Several values: “is one of …”.
pub(super) fn list(read: &Read, negated: bool, values: &[Read]) -> String {
    let all: Vec<String> = values.iter().map(|v| value(v, &read.style)).collect();
    match (all.as_slice(), negated) {
        ([one], false) => format!("{} is {one}", read.beside()),
        ([one], true) => format!("{} is not {one}", read.beside()),
        (_, false) => format!("{} is one of {}", read.beside(), all.join(", ")),
        (_, true) => format!("{} is none of {}", read.beside(), all.join(", ")),
    }
}

/// Several tables, and what joins their rows.
pub(super) fn together(joined: &[String]) -> String {
    match joined {
        [] => "several tables together".into(),
        conditions => format!("several tables together, joined where {}", conditions.join(" and ")),
    }
}

/// What the columns that every sheet has are called.
pub(super) fn own(name: &str) -> String {
    match name {
        "path" => "what it stands under".into(),
        "top" => "the topmost row".into(),
        other => other.replace('_', " "),
    }
}

/// `total_budget` -> `Total budget`.
pub(super) fn title(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut chars = spaced.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
