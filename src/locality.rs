//! Where somebody is: their time zone, and how numbers and days are written there.

use crate::clock::Clock;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use pure_rust_locales::{Locale as Known, locale_match};

/// How numbers and days are written somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    /// Whether a comma stands before the fraction of a number.
    pub decimal_comma: bool,
    /// Whether the day stands before the month, as in `30.11.2026`.
    pub day_first: bool,
    /// The first day of the week.
    pub week_start: Weekday,
}

/// The person for whom something is read or answered: where they are, and the moment.
#[derive(Clone, Debug)]
pub struct Locality {
    /// Their time zone.
    pub zone: TimeZone,
    /// How they write; `None` when nobody has told.
    pub locale: Option<Locale>,
    /// The moment.
    pub now: Timestamp,
}

/// What somebody's account or platform tells of where they are. What is missing is taken from elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Their time zone.
    pub zone: Option<TimeZone>,
    /// How they write.
    pub locale: Option<Locale>,
}

impl Locale {
    /// Reads a tag as platforms write it: `de`, `de-DE`, `en_US`, `pt_BR.UTF-8`. `None` for a language that is not known.
    pub fn read(tag: &str) -> Option<Self> {
        let tag = tag.split(['.', '@']).next()?.replace('-', "_");
        let (language, region) = tag.split_once('_').map_or((tag.as_str(), None), |(l, r)| (l, Some(r)));
        let language = language.to_lowercase();
        let region = region.and_then(|r| r.rsplit('_').next()).map(str::to_uppercase);
        let named = region.as_ref().and_then(|region| format!("{language}_{region}").parse::<Known>().ok());
        // Of a language alone, or in a country that is not known, as most people write who speak it.
        let usual = match language.as_str() {
            "en" => "US".to_owned(),
            "cs" => "CZ".into(),
            "da" => "DK".into(),
            "el" => "GR".into(),
            "et" => "EE".into(),
            "he" => "IL".into(),
            "hi" => "IN".into(),
            "ja" => "JP".into(),
            "ko" => "KR".into(),
            "nb" | "nn" | "no" => "NO".into(),
            "sl" => "SI".into(),
            "sr" => "RS".into(),
            "sv" => "SE".into(),
            "uk" => "UA".into(),
            "vi" => "VN".into(),
            "zh" => "CN".into(),
            other => other.to_uppercase(),
        };
        let language = if language == "no" { "nb" } else { &language };
        let known = named.or_else(|| format!("{language}_{usual}").parse().ok())?;
        let decimal = locale_match!(known => LC_NUMERIC::DECIMAL_POINT);
        let day = locale_match!(known => LC_TIME::D_FMT);
        // Counted from the day of the week that glibc names: a Sunday, or a Monday.
        let from_monday = locale_match!(known => LC_TIME::WEEK).is_some_and(|week| week.get(1) == Some(&19_971_201));
        let first_weekday = locale_match!(known => LC_TIME::FIRST_WEEKDAY).unwrap_or(1) + i64::from(from_monday);
        let place = |signs: &[&str]| signs.iter().filter_map(|sign| day.find(sign)).min();
        Some(Self {
            decimal_comma: decimal == ",",
            day_first: !day.contains("%D") && place(&["%d", "%e", "%-d"]) < place(&["%m", "%b", "%B", "%-m"]),
            week_start: Weekday::from_sunday_one_offset(i8::try_from(first_weekday).unwrap_or(2)).unwrap_or(Weekday::Monday),
        })
    }
}

impl Told {
    /// Reads a zone (`Europe/Berlin`) and a tag (`de-DE`); what is not known counts as not told.
    pub fn read(zone: Option<&str>, locale: Option<&str>) -> Self {
        let zone = zone.filter(|z| !z.is_empty()).and_then(|z| TimeZone::get(z).ok());
        Self { zone, locale: locale.and_then(Locale::read) }
    }

    /// What this tells, and where it does not, what the other does.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { zone: self.zone.or(other.zone), locale: self.locale.or(other.locale) }
    }

    /// Somebody there at this moment; in UTC when no zone was told.
    pub fn at(self, clock: &Clock) -> Locality {
        Locality { zone: self.zone.unwrap_or(TimeZone::UTC), locale: self.locale, now: clock.now() }
    }
}

impl Locality {
    /// The moment there.
    pub fn here(&self) -> DateTime {
        self.now.to_zoned(self.zone.clone()).datetime()
    }

    /// The day there.
    pub fn today(&self) -> Date {
        self.here().date()
    }

    /// The first day of the week there.
    pub fn week_start(&self) -> Weekday {
        self.locale.map_or(Weekday::Monday, |l| l.week_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_platforms_are_read() {
        let of = |tag: &str| Locale::read(tag).map(|l| (l.decimal_comma, l.day_first, l.week_start));
        assert_eq!(of("en_US"), Some((false, false, Weekday::Sunday)));
        assert_eq!(of("en-GB"), Some((false, true, Weekday::Monday)));
        assert_eq!(of("de"), Some((true, true, Weekday::Monday)));
        assert_eq!(of("de-CH").map(|l| l.0), Some(false));
        assert_eq!(of("fr-FR"), Some((true, true, Weekday::Monday)));
        assert_eq!(of("pt-BR"), Some((true, true, Weekday::Sunday)));
        assert_eq!(of("ja").map(|l| (l.0, l.1)), Some((false, false)));
        assert_eq!(of("sv"), Some((true, false, Weekday::Monday)), "2026-11-30");
        assert_eq!(of("klingon"), None);
    }

    #[test]
    fn days_are_those_of_the_place() {
        let clock = Clock::manual("2026-11-29T05:30:00Z".parse().expect("a moment"));
        let day = |zone: &str| Told::read(Some(zone), None).at(&clock).today().to_string();
        let days = ["Pacific/Pago_Pago", "America/New_York", "UTC", "Asia/Tokyo", "nowhere"].map(day);
        assert_eq!(days, ["2026-11-28", "2026-11-29", "2026-11-29", "2026-11-29", "2026-11-29"]);
    }
}
