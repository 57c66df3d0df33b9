//! Comparisons: both sides are brought to one kind, so that a number meets a number, a day a day, and a text a text without regard
//! to case.

use super::super::cell::{Style, plain_number};
use super::super::duration;
use super::super::table::ORDER;
use super::super::typed::{self, Values, normal};
use super::super::value::by_name;
use super::date::{self, Stretch};
use super::near::Literal;
use super::read::{Constant, Kind, Origin, Part, Read, Reader, quoted};
use super::several::each_of;
use super::words::{self, Comparison};
use super::{SqlError, refused};

/// Whether a value is a text of nothing.
fn is_empty(read: &Read) -> bool {
    matches!(&read.constant, Some(Constant::Text(text)) if text.trim().is_empty())
}

impl Reader<'_> {
    pub fn compare(&mut self, left: Read, how: Comparison, right: Read) -> Result<Read, SqlError> {
        let (left, how, right) = match (&left.constant, &right.constant) {
            // Something is compared with a value, whichever stands first.
            (Some(_), None) => (right, how.swapped(), left),
            // A title in single quotes is compared with a value.
            (Some(Constant::Text(title)), Some(_)) => match self.column(None, &title.clone()) {
                Ok(column) => (column, how, right),
                Err(_) => (left, how, right),
            },
            _ => (left, how, right),
        };
        if how.is_equality() && is_empty(&right) && self.may_be_empty(&left) {
            return Ok(self.empty(left, how == Comparison::NotEqual));
        }
        if how.is_equality() {
            if let Some(read) = self.is_among_values(&left, how, std::slice::from_ref(&right))? {
                return Ok(read);
            }
            if let Some(read) = self.written_or_meant(&left, how, &right)? {
                return Ok(read);
            }
        }
        if right.constant.is_some() && left.constant.is_none() {
            let (left, right) = self.held_against(left, how, right)?;
            return Ok(self.compared(left, how, right));
        }
        let (left, right) = self.met(left, right)?;
        Ok(self.compared(left, how, right))
    }

    /// Whether '' held against it means that there is nothing in the cell: an empty cell is NULL, and no cell holds ''.
    fn may_be_empty(&self, read: &Read) -> bool {
        read.constant.is_none() && read.kind != Kind::Checkbox && read.origin.is_some_and(|origin| origin.column.is_some())
    }

    /// Whether a cell is empty, or holds something: a text among numbers is something.
    fn empty(&mut self, read: Read, negated: bool) -> Read {
        let read = if self.has_strays(&read) { self.as_text(read) } else { read };
        self.is_null(read, negated)
    }

    fn compared(&self, left: Read, how: Comparison, right: Read) -> Read {
        let words = words::comparison(&left, how, &right);
        let sql = format!("{} {} {}", without_case(&left), how.sql(), right.sql);
        Read::new(sql, words, Kind::Checkbox).with(&[&left, &right]).held(how, self.blank_of(&left))
    }

    /// A value with signs beside a column of numbers with texts among them: “1,234” is the number, and the text that stands there so.
    fn written_or_meant(&mut self, left: &Read, how: Comparison, right: &Read) -> Result<Option<Read>, SqlError> {
        let Some(Constant::Text(text)) = &right.constant else { return Ok(None) };
        if left.kind != Kind::Number || !self.has_strays(left) {
            return Ok(None);
        }
        let (left, number) = self.number_against_text(left.clone(), how, text)?;
        let meant = match &number.constant {
            Some(Constant::Number(n)) => plain_number(*n),
            Some(Constant::Text(text)) => text.clone(),
            _ => return Ok(None),
        };
        let written = normal(text.trim()).into_owned();
        if meant == written {
            return Ok(None);
        }
        let left = self.as_text(left);
        let words = words::comparison(&left, how, right);
        let inside = format!("{} IN ({}, {})", left.sql, quoted(&meant), quoted(&written));
        let sql = match how {
            Comparison::NotEqual => format!("NOT ({inside})"),
            Comparison::Same => format!("COALESCE({inside}, 0)"),
            Comparison::NotSame => format!("NOT COALESCE({inside}, 0)"),
            _ => inside,
        };
        Ok(Some(Read::new(sql, words, Kind::Checkbox).with(&[&left]).held(how, self.blank_of(&left))))
    }

    /// Two sides of which neither is a value: a day meets the day of a moment, a number the number that a text is.
    fn met(&mut self, left: Read, right: Read) -> Result<(Read, Read), SqlError> {
        Ok(match (left.kind, right.kind) {
            (Kind::Day, Kind::Moment) => (left, day_of(right)),
            (Kind::Moment, Kind::Day) => (day_of(left), right),
            (Kind::Number, Kind::Text) if right.origin.is_none() => (left, self.as_number(right)?),
            (Kind::Text, Kind::Number) if left.origin.is_none() => (self.as_number(left)?, right),
            (Kind::Number, Kind::Text) => (self.as_text(left), right),
            (Kind::Text, Kind::Number) => (left, self.as_text(right)),
            (Kind::Number, Kind::Day | Kind::Moment) | (Kind::Day | Kind::Moment, Kind::Number) => {
                return refused(format!("{} and {} cannot be compared: one is a number, the other a day", left.words, right.words));
            }
            _ => (left, right),
        })
    }

    /// Something beside a value that stands in the query: the value is read as the other side has its values.
    fn held_against(&mut self, left: Read, how: Comparison, right: Read) -> Result<(Read, Read), SqlError> {
        match (left.kind, right.constant.clone()) {
            (_, Some(Constant::Null) | None) | (Kind::Any, _) => Ok((left, right)),
            (Kind::Number, Some(Constant::Number(n))) => Ok(self.number_against(left, how, n, right)),
            (Kind::Number, Some(Constant::Text(text))) => self.number_against_text(left, how, &text),
            (Kind::Checkbox, Some(Constant::Text(text))) => self.box_against(left, how, &text),
            (Kind::Checkbox, Some(Constant::Number(_))) => Ok((left, right)),
            (Kind::Day, Some(Constant::Text(text))) => self.day_against(left, how, &text),
            (Kind::Moment, Some(Constant::Text(text))) => self.moment_against(left, how, &text),
            (Kind::Day | Kind::Moment, Some(Constant::Number(_))) => {
                refused(format!("{} is a day: compare it with 'YYYY-MM-DD', not with a number", left.words))
            }
            (Kind::Text, Some(Constant::Number(n))) => self.text_against_number(left, how, n, right),
            (Kind::Text, Some(Constant::Text(text))) => self.text_against(left, how, &text),
        }
    }

    fn number_against(&mut self, left: Read, how: Comparison, n: f64, right: Read) -> (Read, Read) {
        if let Some(part) = self.part_of_percent(&left, n) {
            self.say(format!("{} holds shares of 1: {} was read as {}%", left.words, plain_number(n), plain_number(n)));
            return (left, Read::number(part, plain(part)));
        }
        // A text may be the same number, and is another value otherwise: nothing is unknown of it.
        if how.is_equality() && self.has_strays(&left) {
            let words = Read::number(n, plain(n)).words;
            return (self.as_text(left), Read { words, ..Read::text(&plain_number(n)) });
        }
        (left, right)
    }

    /// 50 beside a column of percents that hold 0 to 1 means 50 %.
    fn part_of_percent(&self, left: &Read, n: f64) -> Option<f64> {
        let column = left.origin.and_then(|o| o.column)?;
        if left.style != Style::Percent || n.abs() <= 1.0 || n.abs() > 100.0 {
            return None;
        }
        let shares = self.snapshot.rows.iter().filter_map(|r| r.cells[column].number()).all(|n| n.abs() <= 1.0);
        shares.then_some(n / 100.0)
    }

    /// Whether texts stand among the values of this column.
    fn has_strays(&self, read: &Read) -> bool {
        self.main(read).is_some_and(|(_, c)| c.strays > 0)
    }

    fn number_against_text(&mut self, left: Read, how: Comparison, text: &str) -> Result<(Read, Read), SqlError> {
        let column = self.main(&left).map(|(_, c)| c.clone());
        let trimmed = text.trim();
        let read = match &column {
            Some(c) if c.values == Values::Duration => duration::days(trimmed),
            _ => typed::plain_number(trimmed).or_else(|| formatted(trimmed)),
        };
        if let Some(n) = read {
            // “50%” says by itself that it is a share.
            let percent = trimmed.ends_with('%');
            let number = Read::number(n, plain(n));
            return Ok(if percent { (left, number) } else { self.number_against(left, how, n, number) });
        }
        match column {
            Some(_) if how.is_equality() => {
                let left = self.as_text(left);
                self.remember_literal(&left, text);
                Ok((left, Read::text(&normal(text))))
            }
            Some(c) => {
                let texts = c.text_sql.as_ref().map(|t| format!("; the texts among them are in {t}")).unwrap_or_default();
                refused(format!("{} ({}) holds numbers: compare it with a number, not with '{text}'{texts}", c.title, c.sql))
            }
            None => refused(format!("{} is a number: compare it with a number, not with '{text}'", left.words)),
        }
    }

    fn box_against(&mut self, left: Read, how: Comparison, text: &str) -> Result<(Read, Read), SqlError> {
        match typed_box(text) {
            Some(ticked) => Ok((left, Read::number(f64::from(u8::from(ticked)), if ticked { "1" } else { "0" }))),
            None if how.is_equality() && self.has_strays(&left) => Ok((self.as_text(left), Read::text(&normal(text)))),
            None => refused(format!("{} is a checkbox: compare it with 1 (ticked) or 0, not with '{text}'", left.words)),
        }
    }

    fn day_against(&mut self, left: Read, how: Comparison, text: &str) -> Result<(Read, Read), SqlError> {
        // A time asks for the moment, where the column has it.
        if let Some((moment, at)) = self.moment_of(&left).zip(date::moment(text).filter(|at| !at.ends_with(" 00:00:00"))) {
            return Ok((moment, Read::text(&at)));
        }
        if let Some(stretch) = date::stretch(text, self.now.date()) {
            return match stretch {
                // Every text is another value than a day.
                Stretch::Day(day) if how.is_equality() && self.has_strays(&left) => Ok((self.as_text(left), Read::text(&day.to_string()))),
                Stretch::Day(day) => Ok((left, Read::text(&day.to_string()))),
                Stretch::Longer(first) if matches!(how, Comparison::Less | Comparison::GreaterOrEqual) => {
                    Ok((left, Read::text(&first.to_string())))
                }
                Stretch::Longer(_) => refused(format!("'{text}' is not a day: compare {} with 'YYYY-MM-DD'", left.words)),
            };
        }
        if how.is_equality() && self.has_strays(&left) {
            self.remember_literal(&left, text);
            return Ok((self.as_text(left), Read::text(&normal(text))));
        }
        refused(format!("{} is a day: compare it with 'YYYY-MM-DD', not with '{text}'", left.words))
    }

    /// The moments of which a column shows the days.
    fn moment_of(&self, read: &Read) -> Option<Read> {
        let (at, column) = self.main(read)?;
        let moments = column.moment_sql.as_ref()?;
        Some(Read {
            sql: self.texts_beside(&read.sql, &column.sql, moments),
            words: format!("{} time", column.title),
            kind: Kind::Moment,
            origin: Some(Origin { column: Some(at), part: Part::Moment }),
            ..read.clone()
        })
    }

    fn moment_against(&mut self, left: Read, how: Comparison, text: &str) -> Result<(Read, Read), SqlError> {
        match date::moment(text) {
            Some(at) => Ok((left, Read::text(&at))),
            None => self.day_against(day_of(left), how, text),
        }
    }

    fn text_against_number(&mut self, left: Read, how: Comparison, n: f64, right: Read) -> Result<(Read, Read), SqlError> {
        match left.origin.and_then(|o| o.column) {
            Some(_) if how.is_equality() => {
                let words = right.words;
                self.remember_literal(&left, &plain_number(n));
                Ok((left, Read { words, ..Read::text(&plain_number(n)) }))
            }
            Some(at) => Err(SqlError(self.only_texts(&self.snapshot.columns[at]))),
            // What a function makes of a text, such as the year of a day.
            None => Ok((Read { sql: format!("CAST({} AS REAL)", left.sql), kind: Kind::Number, ..left }, right)),
        }
    }

    fn text_against(&mut self, left: Read, how: Comparison, text: &str) -> Result<(Read, Read), SqlError> {
        let Some(Origin { column: Some(at), part }) = left.origin else { return Ok((left, Read::text(&normal(text)))) };
        let column = &self.snapshot.columns[at];
        if how.is_equality() {
            // An address means the person who has it.
            let address = column.email_sql.as_ref().filter(|_| part == Part::Main && text.contains('@'));
            let left = match address {
                Some(email) => Read {
                    sql: self.texts_beside(&left.sql, &column.sql, email),
                    words: format!("{} e-mail", column.title),
                    origin: Some(Origin { column: Some(at), part: Part::Email }),
                    ..left
                },
                None => left,
            };
            let text = &self.full_name(&left, text)?;
            self.remember_literal(&left, text);
            return Ok((left, Read::text(&normal(text))));
        }
        let number_or_day = typed::plain_number(text.trim()).is_some() || typed::day(text).is_some();
        if let Some(why) = self.not_in_order(&left).filter(|_| part == Part::Main && number_or_day) {
            return Err(SqlError(why));
        }
        Ok((left, Read::text(&normal(text))))
    }

    /// The whole name of the one person whom a first or last name fits, where nobody is called just that.
    pub fn full_name(&mut self, left: &Read, text: &str) -> Result<String, SqlError> {
        let same = Ok(text.to_owned());
        let at = left.origin.filter(|o| matches!(o.part, Part::Main | Part::Carried)).and_then(|o| o.column);
        let Some((at, column)) = at.map(|at| (at, &self.snapshot.columns[at])).filter(|(_, c)| c.email_sql.is_some()) else { return same };
        let mut people: Vec<(String, String)> = Vec::new();
        for row in &self.snapshot.rows {
            for person in each_of(&row.cells[at]).into_iter().map(|one| (one.email.unwrap_or_default(), one.name)) {
                // A text with a comma in it is rather several people than somebody's name.
                if !people.contains(&person) && !person.1.contains(',') {
                    people.push(person);
                }
            }
        }
        let wanted = normal(text.trim()).to_lowercase();
        if people.iter().any(|(_, name)| normal(name).to_lowercase() == wanted) {
            return same;
        }
        let mut names: Vec<&str> = by_name(text, &people).into_iter().map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [] => same,
            [name] => {
                let name = (*name).to_owned();
                self.say(format!("“{text}” was read as {name}"));
                Ok(name)
            }
            several => refused(format!(
                "more than one person is called “{text}”: {}; ask which one is meant, or compare {} with a whole name",
                several.join(" and "),
                column.sql
            )),
        }
    }

    fn remember_literal(&mut self, left: &Read, text: &str) {
        if let Some(Origin { column: Some(column), part: part @ (Part::Main | Part::Email | Part::Carried) }) = left.origin {
            self.remember_literal_of(column, part, text, false);
        }
    }

    /// The words between the signs of a pattern.
    pub fn remember_pattern(&mut self, left: &Read, pattern: &str) {
        let inner = pattern.trim_matches('%').trim();
        if inner.is_empty() || inner.contains(['%', '_']) {
            return;
        }
        if let Some(Origin { column: Some(column), part: part @ (Part::Main | Part::Email | Part::Carried) }) = left.origin {
            self.remember_literal_of(column, part, inner, true);
        }
    }

    pub fn remember_literal_of(&mut self, column: usize, part: Part, text: &str, within: bool) {
        let literal = Literal { column, part, text: normal(text).into_owned(), within, denied: self.denies };
        if !self.literals.contains(&literal) {
            self.literals.push(literal);
        }
    }

    /// `x IN (a, b)`: each value is read as `x` has its values.
    pub fn among(&mut self, left: Read, negated: bool, values: Vec<Read>) -> Result<Read, SqlError> {
        let (empty, values): (Vec<Read>, Vec<Read>) = values.into_iter().partition(|value| is_empty(value) && self.may_be_empty(&left));
        if !empty.is_empty() {
            let blank = self.empty(left.clone(), negated);
            if values.is_empty() {
                return Ok(blank);
            }
            let rest = self.among(left, negated, values)?;
            let (sign, word) = if negated { ("AND", "and") } else { ("OR", "or") };
            let (sql, words) = (format!("({} {sign} {})", rest.sql, blank.sql), format!("({} {word} {})", rest.words, blank.words));
            return Ok(Read { blanks: blank.blanks.clone(), ..Read::new(sql, words, Kind::Checkbox).with(&[&rest, &blank]) });
        }
        let how = if negated { Comparison::NotEqual } else { Comparison::Equal };
        if let Some(read) = self.is_among_values(&left, how, &values)? {
            return Ok(read);
        }
        // Where a text stands for a number and for itself, each value is held against the cell on its own.
        if left.kind == Kind::Number && self.has_strays(&left) && values.iter().any(|v| matches!(v.constant, Some(Constant::Text(_)))) {
            let words = words::list(&left, negated, &values);
            let each = values.into_iter().map(|value| self.compare(left.clone(), how, value)).collect::<Result<Vec<_>, _>>()?;
            let sql: Vec<&str> = each.iter().map(|read| read.sql.as_str()).collect();
            let sql = format!("({})", sql.join(if negated { " AND " } else { " OR " }));
            return Ok(Read::new(sql, words, Kind::Checkbox).with(&each.iter().collect::<Vec<_>>()));
        }
        let mut pairs = Vec::new();
        for value in values {
            pairs.push(match (&left.constant, &value.constant) {
                (None, Some(_)) => self.held_against(left.clone(), how, value)?,
                _ => self.met(left.clone(), value)?,
            });
        }
        let (lefts, rights): (Vec<Read>, Vec<Read>) = pairs.into_iter().unzip();
        let not = if negated { "NOT " } else { "" };
        let same = lefts.first().is_none_or(|first| lefts.iter().all(|l| l.sql == first.sql));
        let sql = if same {
            let list: Vec<&str> = rights.iter().map(|r| r.sql.as_str()).collect();
            format!("{} {not}IN ({})", without_case(lefts.first().unwrap_or(&left)), list.join(", "))
        } else {
            let each: Vec<String> = lefts.iter().zip(&rights).map(|(l, r)| format!("{} = {}", without_case(l), r.sql)).collect();
            format!("{not}({})", each.join(" OR "))
        };
        let parts: Vec<&Read> = lefts.iter().chain(&rights).collect();
        Ok(Read::new(sql, words::list(&left, negated, &rights), Kind::Checkbox).with(&parts).held(how, self.blank_of(&left)))
    }

    pub fn between(&mut self, read: Read, negated: bool, low: Read, high: Read) -> Result<Read, SqlError> {
        let said = format!("{} is {}between", read.beside(), if negated { "not " } else { "" });
        let from = self.compare(read.clone(), Comparison::GreaterOrEqual, low.clone())?;
        let to = self.compare(read.clone(), Comparison::LessOrEqual, high.clone())?;
        let words = format!("{said} {} and {}", words::value(&low, &read.style), words::value(&high, &read.style));
        let not = if negated { "NOT " } else { "" };
        let how = if negated { Comparison::NotEqual } else { Comparison::Equal };
        let between = Read::new(format!("{not}({} AND {})", from.sql, to.sql), words, Kind::Checkbox).with(&[&from, &to]);
        Ok(between.held(how, self.blank_of(&read)))
    }

    pub fn is_null(&mut self, read: Read, negated: bool) -> Read {
        if read.kind == Kind::Checkbox && self.main(&read).is_some() {
            self.say(format!("{} is never NULL: boxes that nobody has touched are 0", read.words));
        }
        let numbers = self.main(&read).is_some_and(|(_, c)| c.strays > 0);
        let words = match (numbers, negated) {
            (false, false) => format!("{} is empty", read.beside()),
            (false, true) => format!("{} is not empty", read.beside()),
            (true, false) => format!("{} has no {}", read.beside(), kind_word(read.kind)),
            (true, true) => format!("{} has a {}", read.beside(), kind_word(read.kind)),
        };
        let sql = format!("{} IS {}NULL", read.sql, if negated { "NOT " } else { "" });
        // Rows with a text are taken in, or left out, as the words say: “has no date” and “has a date”.
        Read { uses: Vec::new(), ..Read::new(sql, words, Kind::Checkbox).with(&[&read]) }
    }
}

/// What is compared, without regard to case where it is a text that no column has given its order to.
fn without_case(read: &Read) -> String {
    let own_order = read.kind != Kind::Text || read.origin.is_some_and(|o| o.part != Part::Carried) || read.sql.contains(" COLLATE ");
    if own_order { read.sql.clone() } else { format!("{} COLLATE {ORDER}", read.sql) }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Day | Kind::Moment => "date",
        Kind::Checkbox => "box",
        _ => "number",
    }
}

fn day_of(read: Read) -> Read {
    Read { sql: format!("date({})", read.sql), kind: Kind::Day, ..read }
}

fn typed_box(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "1" | "true" | "yes" | "checked" | "ticked" | "on" | "x" => Some(true),
        "0" | "false" | "no" | "unchecked" | "unticked" | "off" | "" => Some(false),
        _ => None,
    }
}

/// A number as SQL writes it, in full.
pub(super) fn plain(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 9e15 { format!("{}", n as i64) } else { format!("{n:?}") }
}

/// A number with the signs of money, percents and thousands, where they can mean one thing only.
fn formatted(text: &str) -> Option<f64> {
    let percent = text.ends_with('%');
    let bare = text.trim_end_matches('%').trim().trim_start_matches(['$', '€', '£', '¥']).trim();
    let (whole, fraction) = bare.split_once('.').map_or((bare, None), |(w, f)| (w, Some(f)));
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() == 1
        || (groups[0].len() <= 3 && groups.iter().skip(1).all(|g| g.len() == 3) && groups[0].bytes().all(|b| b.is_ascii_digit()));
    let digits = groups.concat();
    let number = fraction.map_or(digits.clone(), |f| format!("{digits}.{f}"));
    let n = typed::plain_number(&number).filter(|_| grouped)?;
    Some(if percent { n / 100.0 } else { n })
}
