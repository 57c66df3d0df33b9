//! Working days of a project, as its settings name them.

use crate::smartsheet::ProjectSettings;
use jiff::ToSpan;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// Days that are counted at most: more than any plan has.
const MOST_DAYS: i64 = 40_000;

/// Which days are worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDays {
    /// From Monday on.
    week: [bool; 7],
    /// Holidays.
    off: BTreeSet<Date>,
}

impl WorkDays {
    /// Those of a project; Monday to Friday where its settings name none.
    pub fn of(settings: &ProjectSettings) -> Self {
        let names = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];
        let named = names.map(|name| settings.working_days.iter().any(|day| day.eq_ignore_ascii_case(name)));
        let week = if named.contains(&true) { named } else { [true, true, true, true, true, false, false] };
        Self { week, off: settings.non_working_days.iter().filter_map(|day| day.get(..10)?.parse().ok()).collect() }
    }

    /// Whether this day is worked on.
    pub fn contains(&self, day: Date) -> bool {
        self.week[day.weekday().to_monday_zero_offset() as usize] && !self.off.contains(&day)
    }

    /// This day, or the first after it that is worked on.
    pub fn at_or_after(&self, day: Date) -> Date {
        self.nearest(day, 1)
    }

    /// This day, or the last before it that is worked on.
    pub fn at_or_before(&self, day: Date) -> Date {
        self.nearest(day, -1)
    }

    fn nearest(&self, day: Date, step: i64) -> Date {
        let near = (0..MOST_DAYS).map(|n| day.saturating_add((n * step).days())).find(|day| self.contains(*day));
        near.unwrap_or(day)
    }

    /// The working day so many working days behind this one; before it where the number is below zero.
    pub fn plus(&self, day: Date, days: i64) -> Date {
        let (step, mut day) = (days.signum(), if days < 0 { self.at_or_before(day) } else { self.at_or_after(day) });
        for _ in 0..days.abs().min(MOST_DAYS) {
            day = self.nearest(day.saturating_add(step.days()), step);
        }
        day
    }

    /// How many working days lie between two of them: what [`plus`](Self::plus) gets from one to the other.
    pub fn between(&self, from: Date, to: Date) -> i64 {
        let (first, last, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
        let days = first.series(1.day()).take_while(|day| *day < last).filter(|day| self.contains(*day)).count();
        sign * days as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().expect("a day")
    }

    #[test]
    fn weekends_and_holidays_are_no_working_days() {
        let settings = ProjectSettings { working_days: Vec::new(), non_working_days: vec!["2026-12-25T00:00:00Z".into()] };
        let days = WorkDays::of(&settings);
        assert_eq!(days.plus(day("2026-12-24"), 1), day("2026-12-28"));
        assert_eq!(days.plus(day("2026-12-28"), -1), day("2026-12-24"));
        assert_eq!(days.at_or_before(day("2026-12-27")), day("2026-12-24"));
        assert_eq!(days.at_or_after(day("2026-12-25")), day("2026-12-28"));
        assert_eq!(days.between(day("2026-12-21"), day("2026-12-28")), 4);
        assert_eq!(days.between(day("2026-12-28"), day("2026-12-21")), -4);
        let short = ProjectSettings { working_days: vec!["MONDAY".into(), "Tuesday".into()], non_working_days: Vec::new() };
        assert_eq!(WorkDays::of(&short).plus(day("2026-11-30"), 2), day("2026-12-07"));
    }

    #[test]
    fn what_is_between_leads_from_one_to_the_other() {
        let days = WorkDays::of(&ProjectSettings { working_days: Vec::new(), non_working_days: vec!["2027-01-01".into()] });
        let all: Vec<Date> = day("2026-12-14").series(1.day()).take(40).filter(|d| days.contains(*d)).collect();
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
            assert_eq!(days.plus(a, days.between(a, b)), b, "{a} to {b}");
        }
    }
}
