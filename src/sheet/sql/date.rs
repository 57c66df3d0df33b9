//! Days and moments in queries: literals, and the functions of SQLite with the moment of whoever asks and months that end.

use super::super::typed::Values;
use super::read::{Constant, Kind, Origin, Part, Read, Reader, quoted};
use super::{SqlError, refused};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

/// A stretch of time that a text names.
pub(super) enum Stretch {
    Day(Date),
    /// A month or a year, by its first day.
    Longer(Date),
}

/// The day, month or year that a text names.
pub(super) fn stretch(text: &str, today: Date) -> Option<Stretch> {
    let text = text.trim();
    let named = match text.to_lowercase().as_str() {
        "now" | "today" => Some(today),
        "tomorrow" => today.tomorrow().ok(),
        "yesterday" => today.yesterday().ok(),
        _ => None,
    };
    if let Some(day) = named.or_else(|| iso_day(text)) {
        return Some(Stretch::Day(day));
    }
    match text.len() {
        7 => format!("{text}-01").parse().ok().map(Stretch::Longer),
        4 if text.bytes().all(|b| b.is_ascii_digit()) => format!("{text}-01-01").parse().ok().map(Stretch::Longer),
        _ => None,
    }
}

/// An ISO day, also with a time behind it.
fn iso_day(text: &str) -> Option<Date> {
    let behind = text.get(10..)?;
    (behind.is_empty() || behind.starts_with(['T', ' '])).then(|| text.get(..10)?.parse().ok()).flatten()
}

/// A moment as SQLite writes it; `None` for a day without a time.
pub(super) fn moment(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('Z');
    if text.len() <= 10 {
        return None;
    }
    let at: DateTime = text.replacen(' ', "T", 1).parse().ok()?;
    Some(written(at))
}

fn written(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

impl Reader<'_> {
    /// `date`, `datetime`, `time`, `julianday` and `unixepoch` of these arguments, and `strftime`, whose format comes first.
    pub fn date_function(&mut self, function: &str, arguments: Vec<Read>) -> Result<Read, SqlError> {
        let mut arguments = arguments.into_iter();
        let mut sql: Vec<String> = Vec::new();
        let mut parts = Vec::new();
        if function == "strftime" {
            let Some(format) = arguments.next() else { return refused("strftime wants a format first, such as '%Y-%m'") };
            sql.push(format.sql.clone());
            parts.push(format);
        }
        let at = match arguments.next() {
            None => self.right_now(),
            Some(read) => self.point_in_time(read, function)?,
        };
        let words = at.words.clone();
        sql.push(at.sql.clone());
        parts.push(at);
        for modifier in arguments {
            let Some(Constant::Text(text)) = &modifier.constant else {
                // It may be about months.
                sql.extend([modifier.sql.clone(), "'floor'".into()]);
                parts.push(modifier);
                continue;
            };
            match text.trim().to_lowercase().as_str() {
                // Everything is in the zone of whoever asks already.
                "localtime" => continue,
                "utc" => return refused("'utc' is not available: days and moments are in the time zone of the person"),
                // The last day of a shorter month, not the first days of the next.
                text if text.contains("month") || text.contains("year") => {
                    sql.push(quoted(text));
                    if !text.starts_with("start") {
                        sql.push("'floor'".into());
                    }
                }
                text => sql.push(quoted(text)),
            }
        }
        let kind = match function {
            "date" => Kind::Day,
            "datetime" => Kind::Moment,
            "julianday" | "unixepoch" => Kind::Number,
            _ => Kind::Text,
        };
        let all: Vec<&Read> = parts.iter().collect();
        let said = if function == "date" && sql.len() == 1 { words } else { format!("{function}({})", said(&parts, &sql)) };
        let constant = self.today_of(function, &sql);
        Ok(Read { constant, ..Read::new(format!("{function}({})", sql.join(", ")), said, kind).with(&all) })
    }

    /// The day that `date('now')` is, so that words name it.
    fn today_of(&self, function: &str, sql: &[String]) -> Option<Constant> {
        let now = self.right_now();
        (function == "date" && sql.len() == 1 && sql[0] == now.sql).then(|| Constant::Text(self.now.date().to_string()))
    }

    /// The moment in the zone of whoever asks.
    pub fn right_now(&self) -> Read {
        let at = written(self.now);
        Read { constant: None, ..Read::new(quoted(&at), self.now.date().to_string(), Kind::Moment) }
    }

    /// What a function of time is asked of: `'now'`, a text, a column with its time where it has one.
    fn point_in_time(&mut self, read: Read, function: &str) -> Result<Read, SqlError> {
        if let Some(Constant::Text(text)) = &read.constant {
            let named = match text.trim().to_lowercase().as_str() {
                "now" => return Ok(self.right_now()),
                "today" => Some(self.now.date()),
                "tomorrow" => self.now.date().checked_add(1.day()).ok(),
                "yesterday" => self.now.date().checked_sub(1.day()).ok(),
                _ => None,
            };
            return Ok(named.map_or(read, |day| Read::text(&day.to_string())));
        }
        if let Some((at, column)) = self.main(&read)
            && column.values == Values::Moment
            && function != "date"
            && let Some(moment) = &column.moment_sql
        {
            let sql = self.texts_beside(&read.sql, &column.sql, moment);
            return Ok(Read { sql, kind: Kind::Moment, origin: Some(Origin { column: Some(at), part: Part::Moment }), ..read });
        }
        match read.kind {
            // A number would be taken for a day of the Julian calendar.
            Kind::Number if self.main(&read).is_some() => refused(format!("{} holds numbers, not days", read.words)),
            Kind::Text => self.not_in_order(&read).map_or(Ok(read), refused),
            _ => Ok(read),
        }
    }

    /// The difference of two days in days, and a day so many days later or earlier.
    pub fn shifted(&mut self, left: Read, minus: bool, right: Read) -> Result<Read, SqlError> {
        let is_day = |r: &Read| matches!(r.kind, Kind::Day | Kind::Moment);
        let sign = if minus { "-" } else { "+" };
        match (is_day(&left), is_day(&right)) {
            (true, true) if minus => {
                let sql = format!("(julianday({}) - julianday({}))", left.sql, right.sql);
                Ok(Read::new(sql, format!("the days from {} to {}", right.beside(), left.beside()), Kind::Number).with(&[&left, &right]))
            }
            (true, false) => {
                let days = self.as_number(right)?;
                let sql = format!("date({}, printf('%+d days', {sign}({})))", left.sql, days.sql);
                let words = format!("{} {sign} {} days", left.beside(), days.beside());
                Ok(Read::new(sql, words, Kind::Day).with(&[&left, &days]))
            }
            (false, true) if !minus => self.shifted(right, false, left),
            _ => refused("days can be subtracted from each other, and numbers of days added to a day, nothing else"),
        }
    }
}

fn said(parts: &[Read], sql: &[String]) -> String {
    let shown = parts.iter().map(Read::beside);
    let modifiers = sql.iter().skip(parts.len()).filter(|s| *s != "'floor'").map(|s| s.trim_matches('\'').to_owned());
    shown.chain(modifiers).collect::<Vec<_>>().join(", ")
}
