//! A thousand phrases for days in forty time zones, held against calendars that are walked day by day.

use super::day;
use crate::clock::Clock;
use crate::locality::Told;
use jiff::civil::{Date, Weekday, date};
use jiff::{Timestamp, Zoned};

/// From both sides of the date line, with half and quarter hours, with and without summer time on both halves of the world.
const ZONES: [&str; 40] = [
    "Pacific/Kiritimati",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Fiji",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Australia/Eucla",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Yangon",
    "Asia/Dhaka",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Karachi",
    "Asia/Kabul",
    "Asia/Dubai",
    "Asia/Tehran",
    "Europe/Moscow",
    "Africa/Nairobi",
    "Africa/Cairo",
    "Europe/Athens",
    "Europe/Berlin",
    "Africa/Lagos",
    "Europe/London",
    "UTC",
    "Atlantic/Azores",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Halifax",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "Pacific/Pago_Pago",
];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// Days later, or earlier, one step at a time.
fn walked(mut day: Date, days: i32) -> Date {
    for _ in 0..days.abs() {
        day = if days > 0 { day.tomorrow() } else { day.yesterday() }.expect("a day");
    }
    day
}

/// The same day of another month, or that month's last.
fn months_later(day: Date, months: i32) -> Date {
    let count = i32::from(day.year()) * 12 + i32::from(day.month()) - 1 + months;
    let (year, month) = (i16::try_from(count.div_euclid(12)).expect("a year"), i8::try_from(count.rem_euclid(12) + 1).expect("a month"));
    (1..=day.day()).rev().find_map(|d| Date::new(year, month, d).ok()).expect("a day")
}

fn first_that(mut day: Date, step: i32, fits: impl Fn(Date) -> bool) -> Date {
    loop {
        day = walked(day, step);
        if fits(day) {
            return day;
        }
    }
}

/// Phrases and the days that they mean on a day.
fn phrases(today: Date) -> Vec<(String, Date)> {
    let mut all = vec![
        ("today".to_owned(), today),
        ("now".to_owned(), today),
        ("tomorrow".to_owned(), walked(today, 1)),
        ("yesterday".to_owned(), walked(today, -1)),
        ("the day after tomorrow".to_owned(), walked(today, 2)),
        ("end of month".to_owned(), first_that(walked(today, -1), 1, |d| walked(d, 1).month() != today.month())),
        ("end of the year".to_owned(), date(today.year(), 12, 31)),
        ("next month".to_owned(), months_later(today, 1)),
        ("next year".to_owned(), months_later(today, 12)),
        (today.to_string(), today),
    ];
    for n in 1..=330 {
        all.push((format!("in {n} days"), walked(today, n)));
        all.push((format!("{n} days ago"), walked(today, -n)));
    }
    for n in 1..=110 {
        all.push((format!("in {n} weeks"), walked(today, 7 * n)));
        all.push((format!("in {n} months"), months_later(today, n)));
        all.push((format!("{n} months ago"), months_later(today, -n)));
    }
    for (name, weekday) in WEEKDAYS {
        let monday = first_that(walked(today, 1), -1, |d| d.weekday() == Weekday::Monday);
        let of_this_week = first_that(walked(monday, -1), 1, |d| d.weekday() == weekday);
        all.push((name.to_owned(), first_that(today, 1, |d| d.weekday() == weekday)));
        all.push((format!("next {name}"), walked(of_this_week, 7)));
        all.push((format!("last {name}"), first_that(today, -1, |d| d.weekday() == weekday)));
    }
    all
}

#[test]
fn a_thousand_phrases_are_the_right_day_in_forty_zones() {
    // Around changes of the clock, the turn of the year, a leap day and the date line.
    let moments = ["2026-11-29T10:30:00Z", "2026-03-29T00:59:59Z", "2026-12-31T23:30:00Z", "2028-02-29T11:59:00Z", "2026-11-01T05:30:00Z"];
    let mut wrong = Vec::new();
    let mut tried = 0;
    for (zone, moment) in ZONES.iter().zip(moments.iter().cycle()) {
        let now: Timestamp = moment.parse().expect("a moment");
        let there: Zoned = now.in_tz(zone).expect("a zone");
        let locality = Told::read(Some(zone), None).at(&Clock::manual(now));
        assert_eq!(locality.zone.iana_name(), Some(*zone));
        for (phrase, right) in phrases(there.date()) {
            tried += 1;
            if day::read(&phrase, &locality).as_ref() != Ok(&right) {
                wrong.push(format!("{zone} at {there}: {phrase} is {right}, not {:?}", day::read(&phrase, &locality)));
            }
        }
    }
    assert!(tried >= 40_000, "{tried}");
    assert!(wrong.is_empty(), "{} of {tried}: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    // A moment that is another day where the person is.
    let late: Timestamp = "2026-11-29T23:30:00Z".parse().expect("a moment");
    let tokyo = Told::read(Some("Asia/Tokyo"), None).at(&Clock::manual(late));
    assert_eq!(day::read("2026-11-29T23:30:00Z", &tokyo), Ok(date(2026, 11, 30)));
    assert_eq!(tokyo.today(), late.in_tz("Asia/Tokyo").expect("a zone").date());
}
