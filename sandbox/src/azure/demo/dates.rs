//! Days in words: dates, weekdays, months, holidays, spans such as “this week” and “in December”.

use super::reading::Reading;
use super::words;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};

const MONTHS: [&str; 12] =
    ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];
pub(super) const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// The first day that a text names, and where.
pub(super) fn day(text: &str, today: Date) -> Option<((usize, usize), Date)> {
    let mut found: Vec<((usize, usize), Date)> = Vec::new();
    for (at, _) in text.char_indices() {
        if let Some(date) = text.get(at..at + 10).and_then(|s| s.parse::<Date>().ok()) {
            found.push(((at, at + 10), date));
        }
    }
    let christmas = date(today.year(), 12, 25);
    let fixed = [
        ("today", today),
        ("tomorrow", today.saturating_add(1.days())),
        ("yesterday", today.saturating_sub(1.days())),
        ("next week", today.saturating_add(7.days())),
        ("a week ago", today.saturating_sub(7.days())),
        ("christmas eve", christmas.saturating_sub(1.days())),
        ("christmas day", christmas),
        ("christmas", christmas),
        ("new year's eve", date(today.year(), 12, 31)),
        ("new year's day", date(today.year() + 1, 1, 1)),
        ("new year", date(today.year() + 1, 1, 1)),
        ("the end of the month", today.last_of_month()),
        ("the end of the year", today.last_of_year()),
    ];
    found.extend(fixed.iter().filter_map(|(phrase, date)| words::find(text, phrase).map(|span| (span, *date))));
    for (name, weekday) in WEEKDAYS {
        for phrase in [format!("next {name}"), format!("this {name}"), name.to_owned()] {
            if let (Some(span), Ok(date)) = (words::find(text, &phrase), today.nth_weekday(1, weekday)) {
                found.push((span, date));
            }
        }
    }
    found.extend(day_of_month(text, today));
    if let Some((at, end)) = words::find(text, "in")
        && let Some(n) = text[end..].trim_start().split(' ').next().and_then(|w| w.parse::<i32>().ok())
        && let Some((_, unit)) = ["days", "day", "weeks", "week"].iter().filter_map(|u| words::find(&text[end..], u)).min()
    {
        let days = if text[..end + unit].ends_with("eeks") || text[..end + unit].ends_with("eek") { n * 7 } else { n };
        found.push(((at, end + unit), today.saturating_add(days.days())));
    }
    found.into_iter().min_by_key(|((at, end), _)| (*at, usize::MAX - *end))
}

/// `25 December`, `December 25th`, `Dec 25, 2026`; without a year the next one.
fn day_of_month(text: &str, today: Date) -> Option<((usize, usize), Date)> {
    let ((at, end), month) = month_name(text)?;
    let number = |s: &str| -> Option<i8> {
        let bare =
            s.trim_end_matches([',', '.', '?']).trim_end_matches("st").trim_end_matches("nd").trim_end_matches("rd").trim_end_matches("th");
        bare.parse().ok().filter(|d| (1..=31).contains(d))
    };
    let behind = text[end..].trim_start();
    let next = behind.split(' ').next().unwrap_or_default();
    let before = text[..at].trim_end();
    let last = before.rsplit(' ').next().unwrap_or_default();
    let (day, from, to) = match (number(next), number(last)) {
        (Some(day), _) => (day, at, text.len() - behind.len() + next.trim_end_matches(['?', '.', ',']).len()),
        (None, Some(day)) => (day, before.len() - last.len(), end),
        (None, None) => return None,
    };
    let (to, year) = year(text, to);
    let this = Date::new(year.unwrap_or(today.year()), month, day).ok()?;
    let date = if year.is_none() && this < today { Date::new(today.year() + 1, month, day).ok()? } else { this };
    Some(((from, to), date))
}

fn month_name(text: &str) -> Option<((usize, usize), i8)> {
    let names = MONTHS.iter().zip(1i8..).flat_map(|(name, n)| {
        let short = if *name == "may" { None } else { Some((&name[..3], n)) };
        [Some((*name, n)), short].into_iter().flatten()
    });
    names.filter_map(|(name, n)| words::find(text, name).map(|span| (span, n))).min_by_key(|((at, end), _)| (*at, usize::MAX - *end))
}

/// A year right behind a place.
fn year(text: &str, end: usize) -> (usize, Option<i16>) {
    let behind = text[end..].trim_start_matches([' ', ',']);
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    match digits.parse() {
        Ok(year) if digits.len() == 4 => (text.len() - behind.len() + 4, Some(year)),
        _ => (end, None),
    }
}

/// The spans of days that a text names (“this week”, “in December”), taken from it.
pub(super) fn span(reading: &mut Reading<'_>) -> Option<(usize, Date, Date)> {
    let today = reading.schema.today;
    let begun = today.saturating_sub(i32::from(reading.schema.week_start.until(today.weekday())).days());
    let month = |n: i32| {
        let first = today.first_of_month().saturating_add(n.months());
        (first, first.last_of_month())
    };
    let week = |n: i32| (begun.saturating_add((7 * n).days()), begun.saturating_add((7 * n + 6).days()));
    let year_of = |n: i16| (date(today.year() + n, 1, 1), date(today.year() + n, 12, 31));
    let one = |n: i32| (today.saturating_add(n.days()), today.saturating_add(n.days()));
    let spans = [
        ("this week", week(0)),
        ("next week", week(1)),
        ("last week", week(-1)),
        ("this month", month(0)),
        ("next month", month(1)),
        ("last month", month(-1)),
        ("this year", year_of(0)),
        ("next year", year_of(1)),
        ("last year", year_of(-1)),
    ];
    for (phrase, (from, to)) in spans {
        if let Some((at, _)) = reading.take(&[phrase]) {
            return Some((at, from, to));
        }
    }
    for phrase in ["in the next", "within the next", "over the next", "within", "the next", "next", "in the coming", "coming"] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        let mut behind = reading.rest[end..].split_whitespace();
        let (count, unit) = (behind.next().and_then(|w| w.parse::<i32>().ok()), behind.next().map(|u| u.trim_end_matches(['?', '.', '!'])));
        let (Some(n), Some(unit)) = (count, unit) else { continue };
        let days = match unit {
            "day" | "days" => n,
            "week" | "weeks" => n * 7,
            _ => continue,
        };
        let unit_at = reading.rest[end..].find(unit).map_or(end, |i| end + i + unit.len());
        reading.blank((at, unit_at));
        return Some((at, today, today.saturating_add(days.days())));
    }
    if let Some(((at, end), n)) = month_name(&reading.rest)
        && day_of_month(&reading.rest, today).is_none()
        && ["in", "during", "for", "of"].iter().any(|p| reading.rest[..at].trim_end().to_lowercase().ends_with(&format!(" {p}")))
    {
        let (end, named) = year(&reading.rest, end);
        let year = named.unwrap_or(if n < today.month() { today.year() + 1 } else { today.year() });
        reading.take_before(at, &["during"]);
        reading.blank((at, end));
        let first = Date::new(year, n, 1).ok()?;
        return Some((at, first, first.last_of_month()));
    }
    for (phrase, n) in [("today", 0), ("tomorrow", 1), ("yesterday", -1)] {
        let Some((at, _)) = words::find(&reading.rest, phrase) else { continue };
        let bound = ["before", "after", "since", "until", "by", "from", "between", "and", "till"];
        if !bound.iter().any(|b| reading.rest[..at].trim_end().to_lowercase().ends_with(b)) {
            reading.take(&[phrase]);
            let (from, to) = one(n);
            return Some((at, from, to));
        }
    }
    None
}
