//! Days as people write them: ISO, local forms, and words such as “next Friday” or “in two weeks”, where the person is.

use crate::locality::Locality;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, Timestamp, ToSpan};

/// Years that a sheet's dates have.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Reads a day.
///
/// # Errors
/// What to write instead.
pub fn read(text: &str, locality: &Locality) -> Result<Date, String> {
    let lower = text.trim().to_lowercase();
    let lower = lower.trim_start_matches("on ").trim_end_matches('.').trim();
    let day = match in_words(lower, locality.today(), locality.week_start()).or_else(|| iso(text.trim(), locality)) {
        Some(day) => day,
        None => match local(lower, locality)? {
            Some(day) => day,
            None => return Err(format!("write it as YYYY-MM-DD, not “{text}”")),
        },
    };
    if YEARS.contains(&day.year()) {
        Ok(day)
    } else {
        Err(format!("“{text}” is in the year {}: years go from {} to {}", day.year(), YEARS.start(), YEARS.end()))
    }
}

/// An ISO day; a moment is the day that it is where the person is.
fn iso(text: &str, locality: &Locality) -> Option<Date> {
    if let Ok(at) = text.replacen(' ', "T", 1).parse::<Timestamp>() {
        return Some(at.to_zoned(locality.zone.clone()).date());
    }
    let digits = text.len() >= 10 && text.as_bytes().iter().take(4).all(u8::is_ascii_digit);
    if !digits {
        return None;
    }
    text.parse::<Date>()
        .ok()
        .filter(|_| text.len() == 10)
        .or_else(|| text.replacen(' ', "T", 1).parse::<DateTime>().ok().map(DateTime::date))
}

fn in_words(text: &str, today: Date, week_start: Weekday) -> Option<Date> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["today" | "now"] => Some(today),
        ["tomorrow"] => today.tomorrow().ok(),
        ["yesterday"] => today.yesterday().ok(),
        ["the", "day", "after", "tomorrow"] | ["day", "after", "tomorrow"] => today.checked_add(2.days()).ok(),
        ["end", "of", "month"] | ["end", "of", "the", "month"] | ["end", "of", "this", "month"] => Some(today.last_of_month()),
        ["end", "of", "next", "month"] => today.checked_add(1.month()).ok().map(Date::last_of_month),
        ["end", "of", "year"] | ["end", "of", "the", "year"] | ["end", "of", "this", "year"] => Some(today.last_of_year()),
        ["next" | "coming", unit @ ("month" | "year")] => shifted(today, 1, unit),
        [day] | ["this" | "coming", day] => weekday(day).and_then(|day| today.nth_weekday(1, day).ok()),
        // The Friday of the next week, as most people mean it, is the first one behind this week's.
        ["next", day] => weekday(day).and_then(|day| next_week(today, day, week_start)),
        ["last" | "past", day] => weekday(day).and_then(|day| today.nth_weekday(-1, day).ok()),
        ["in", count, unit] => shifted(today, count_of(count)?, unit),
        [count, unit, "from", "now" | "today"] => shifted(today, count_of(count)?, unit),
        [count, unit, "ago"] => shifted(today, -count_of(count)?, unit),
        _ => None,
    }
}

/// The day of this name in the week that follows.
fn next_week(today: Date, day: Weekday, week_start: Weekday) -> Option<Date> {
    let since = |day: Weekday| i64::from(week_start.until(day));
    today.checked_add((7 - since(today.weekday()) + since(day)).days()).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(name, _)| *name == text || (text.len() >= 3 && name.starts_with(text))).map(|(_, day)| *day)
}

fn count_of(text: &str) -> Option<i64> {
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    match text {
        "a" | "an" => Some(1),
        _ => words
            .iter()
            .position(|w| *w == text)
            .and_then(|n| i64::try_from(n).ok())
            .or_else(|| text.parse().ok().filter(|n: &i64| *n < 10_000)),
    }
}

fn shifted(today: Date, count: i64, unit: &str) -> Option<Date> {
    let span = match unit.trim_end_matches('s') {
        "day" => count.days(),
        "week" => count.weeks(),
        "month" => count.months(),
        "year" => count.years(),
        _ => return None,
    };
    today.checked_add(span).ok()
}

/// `30.11.2026`, `11/30/2026`, `30 November 2026`, `Nov 30`: a day that can be two is told with both.
fn local(text: &str, locality: &Locality) -> Result<Option<Date>, String> {
    let today = locality.today();
    if let Some(day) = with_month_name(text, today) {
        return Ok(Some(day));
    }
    let Some(sign) = ['.', '/', '-'].into_iter().find(|s| text.contains(*s)) else { return Ok(None) };
    let parts: Vec<&str> = text.split(sign).map(str::trim).filter(|p| !p.is_empty()).collect();
    let number = |part: &str| part.parse::<i16>().ok().filter(|_| part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit()));
    let Some(numbers) = parts.iter().map(|p| number(p)).collect::<Option<Vec<i16>>>() else { return Ok(None) };
    let year = |n: i16, part: &str| if part.len() <= 2 { 2000 + n } else { n };
    let of = |y: i16, m: i16, d: i16| Date::new(y, i8::try_from(m).ok()?, i8::try_from(d).ok()?).ok();
    let (a, b, y) = match numbers.as_slice() {
        [y, m, d] if parts[0].len() == 4 => return Ok(of(*y, *m, *d)),
        [a, b, y] => (*a, *b, year(*y, parts[2])),
        // A day without a year is the next one there is.
        [a, b] if sign != '-' => (*a, *b, today.year()),
        _ => return Ok(None),
    };
    let soon = |day: Option<Date>| {
        let without_year = numbers.len() == 2;
        day.and_then(|d| if without_year && d < today { d.checked_add(1.year()).ok() } else { Some(d) })
    };
    let (day_first, month_first) = (soon(of(y, b, a)), soon(of(y, a, b)));
    match (day_first, month_first) {
        // Points stand in countries that write the day first.
        (Some(day), _) if sign == '.' => Ok(Some(day)),
        (Some(day), None) => Ok(Some(day)),
        (None, Some(_)) if sign == '.' => Ok(None),
        (None, other) => Ok(other),
        (Some(day), Some(month)) if day == month => Ok(Some(day)),
        (Some(day), Some(month)) => match locality.locale {
            Some(locale) => Ok(Some(if locale.day_first { day } else { month })),
            None => Err(format!("“{text}” can be {day} or {month}: write it as YYYY-MM-DD")),
        },
    }
}

/// `30 November 2026`, `November 30, 2026`, `30 Nov`, `3rd of May`.
fn with_month_name(text: &str, today: Date) -> Option<Date> {
    let bare = text.replace([',', '.'], " ").replace(" of ", " ");
    let words: Vec<&str> = bare.split_whitespace().collect();
    let month = |word: &str| {
        MONTHS.iter().position(|m| *m == word || (word.len() >= 3 && m.starts_with(word)) || (word == "sept" && *m == "september"))
    };
    let day = |word: &str| word.trim_end_matches(|c: char| c.is_alphabetic()).parse::<i8>().ok().filter(|d| (1..=31).contains(d));
    let (d, m, y) = match words.as_slice() {
        [a, b] | [a, b, _] => {
            let year = words.get(2).map(|y| y.parse::<i16>().ok().map(|n| if y.len() == 2 { 2000 + n } else { n }));
            let year = match year {
                Some(None) => return None,
                Some(year) => year,
                None => None,
            };
            match (day(a), month(b), month(a), day(b)) {
                (Some(d), Some(m), _, _) | (_, _, Some(m), Some(d)) => (d, m, year),
                _ => return None,
            }
        }
        _ => return None,
    };
    let found = Date::new(y.unwrap_or(today.year()), i8::try_from(m).ok()? + 1, d).ok()?;
    // A day without a year is the next one there is.
    if y.is_none() && found < today { found.checked_add(1.year()).ok() } else { Some(found) }
}
/// How far “+7 days”, “-3d” or “+1 week” moves a day. A sign has to stand before it: “7 days” is no move.
pub fn shift(text: &str) -> Option<Span> {
    let text = text.trim().to_lowercase();
    let (sign, rest) = match text.chars().next()? {
        '+' => (1, &text[1..]),
        '-' | '−' => (-1, text.trim_start_matches(['-', '−'])),
        _ => return None,
    };
    let rest = rest.trim();
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let count: i64 = rest[..end].parse().ok().filter(|count| *count <= MOST_DAYS)?;
    let span = Span::new();
    let span = match rest[end..].trim() {
        "d" | "day" | "days" | "tag" | "tage" => span.try_days(sign * count),
        "w" | "week" | "weeks" | "woche" | "wochen" => span.try_weeks(sign * count),
        "m" | "month" | "months" | "monat" | "monate" => span.try_months(sign * count),
        "y" | "year" | "years" | "jahr" | "jahre" => span.try_years(sign * count),
        _ => return None,
    };
    span.ok()
}

/// The farthest that a day is moved: a century.
const MOST_DAYS: i64 = 36_525;
