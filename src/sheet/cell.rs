//! Cells as a snapshot holds them, and as people see them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::sync::Arc;

/// A cell of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    /// Nothing.
    #[default]
    Empty,
    /// A number; percent as 0 to 1.
    Number(f64),
    /// A number that looks otherwise than those of its column.
    Styled(Arc<(f64, Style)>),
    /// A tick.
    Bool(bool),
    /// Text, also ISO dates and picklist values.
    Text(Arc<str>),
    /// A value that is shown as something else: a contact's address and name.
    Named(Arc<(String, String)>),
    /// Several values, as shown and as Smartsheet wants them back.
    Several(Arc<(String, Value)>),
}

/// How the numbers of a column look.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Style {
    /// As they are.
    #[default]
    Plain,
    /// 0.5 as 50%.
    Percent,
    /// With this sign in front.
    Money(String),
    /// Texts are moments (`2026-03-01T08:00:00Z`), shown in this time zone.
    Moment(TimeZone),
    /// Numbers are lengths of work in days: `5d`.
    Days,
}

impl Style {
    /// Learns the style from what Smartsheet shows for a number.
    pub fn of_display(shown: &str) -> Self {
        if shown.ends_with('%') {
            return Self::Percent;
        }
        let sign: String = shown.trim_start_matches('-').chars().take_while(|c| !c.is_ascii_digit() && *c != '.').collect();
        let money = !sign.is_empty() && sign.chars().all(|c| "$€£¥ ".contains(c));
        if money { Self::Money(sign.trim().to_owned()) } else { Self::Plain }
    }

    /// A number as people see it.
    pub fn show(&self, n: f64) -> String {
        match self {
            Self::Plain | Self::Moment(_) => plain_number(n),
            Self::Days => format!("{}d", plain_number(n)),
            Self::Percent => format!("{}%", plain_number((n * 1e6).round() / 1e4)),
            Self::Money(sign) => {
                let sign = if sign.chars().all(char::is_alphabetic) { format!("{sign} ") } else { sign.clone() };
                format!("{}{sign}{}", if n < 0.0 { "-" } else { "" }, grouped(n.abs()))
            }
        }
    }

    /// The same with every digit that is stored, where people would see it rounded.
    pub fn show_all(&self, n: f64) -> String {
        let (shown, of_hundred) = (self.show(n), if *self == Self::Percent { n * 100.0 } else { n });
        let digits: String = shown.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        let seen: f64 = digits.parse().unwrap_or_default();
        if (seen - of_hundred.abs()).abs() <= 4.0 * f64::EPSILON * of_hundred.abs() {
            return shown;
        }
        let (sign, all) = (if n < 0.0 { "-" } else { "" }, format!("{}", of_hundred.abs()));
        match self {
            Self::Plain | Self::Moment(_) => format!("{sign}{all}"),
            Self::Days => format!("{sign}{all}d"),
            Self::Percent => format!("{sign}{all}%"),
            Self::Money(money) if money.chars().all(char::is_alphabetic) => format!("{sign}{money} {all}"),
            Self::Money(money) => format!("{sign}{money}{all}"),
        }
    }
}

pub(super) fn plain_number(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 {
        return format!("{}", n as i64);
    }
    let text = format!("{n:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn grouped(n: f64) -> String {
    let cents = (n * 100.0).round() as u128;
    let whole = (cents / 100).to_string();
    let parts: Vec<&str> = whole.as_bytes().rchunks(3).rev().map(|c| std::str::from_utf8(c).unwrap_or_default()).collect();
    if cents.is_multiple_of(100) { parts.join(",") } else { format!("{}.{:02}", parts.join(","), cents % 100) }
}

impl Cell {
    /// What people see.
    pub fn shown(&self, style: &Style) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Number(n) => style.show(*n),
            Self::Styled(styled) => styled.1.show(styled.0),
            Self::Bool(true) => "yes".into(),
            Self::Bool(false) => "no".into(),
            Self::Text(t) => match style {
                Style::Moment(zone) => moment(t, zone),
                _ => t.to_string(),
            },
            Self::Named(named) => named.1.clone(),
            Self::Several(several) => several.0.clone(),
        }
    }

    /// The number that it holds, if it does.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Styled(styled) => Some(styled.0),
            _ => None,
        }
    }

    /// How a number in this place looks.
    pub fn style<'a>(&'a self, of_column: &'a Style) -> &'a Style {
        if let Self::Styled(styled) = self { &styled.1 } else { of_column }
    }

    /// The value as JSON, exact enough to be compared and to be written back.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Number(n) => json!(n),
            Self::Styled(styled) => json!(styled.0),
            Self::Bool(b) => json!(b),
            Self::Text(t) => json!(&**t),
            Self::Named(named) => json!(named.0),
            Self::Several(several) => several.1.clone(),
        }
    }

    /// Whether two cells hold the same value, an empty one and an unticked box included. A day is the same as a moment of it: in project
    /// sheets Smartsheet puts a time behind the days that it is given.
    pub fn same(a: &Value, b: &Value) -> bool {
        let empty = |v: &Value| matches!(v, Value::Null | Value::Bool(false)) || v == "";
        let moment_of = |day: &Value, moment: &Value| match (day.as_str(), moment.as_str()) {
            (Some(day), Some(moment)) => day.len() == 10 && moment.get(10..11) == Some("T") && moment.starts_with(day),
            _ => false,
        };
        let list = |v: &Value| ["values", "predecessors"].iter().find_map(|key| v[*key].as_array().cloned());
        match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs() <= f64::EPSILON * x.abs().max(y.abs()).max(1.0),
            _ => a == b || (empty(a) && empty(b)) || moment_of(a, b) || moment_of(b, a) || (list(a).is_some() && list(a) == list(b)),
        }
    }
}

/// A moment as people read it: to the minute, and in which time zone where it is a point in time.
fn moment(text: &str, zone: &TimeZone) -> String {
    if let Ok(at) = text.parse::<Timestamp>() {
        return at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    }
    let Some((day, time)) = text.split_once('T') else { return text.to_owned() };
    match time.get(..5) {
        Some(minutes) if minutes.as_bytes()[2] == b':' => format!("{day} {minutes}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_to_the_minute_in_the_zone_of_the_sheet() {
        let shown = |text: &str| Cell::Text(text.into()).shown(&Style::Moment(TimeZone::UTC));
        let all = ["2026-03-01T08:00:00Z", "2026-03-01T08:30:00", "2026-03-01", "soon", "To be told"].map(shown);
        assert_eq!(all, ["2026-03-01 08:00 UTC", "2026-03-01 08:30", "2026-03-01", "soon", "To be told"]);
        let berlin = Style::Moment(TimeZone::get("Europe/Berlin").expect("a zone"));
        assert_eq!(Cell::Text("2026-03-01T08:00:00Z".into()).shown(&berlin), "2026-03-01 09:00 CET");
    }

    #[test]
    fn numbers_look_as_in_the_sheet() {
        assert_eq!(Style::of_display("$1,200").show(-1234567.5), "-$1,234,567.50");
        assert_eq!(Style::of_display("45%").show(0.075), "7.5%");
        assert_eq!(Style::of_display("12").show(0.1 + 0.2), "0.3");
    }

    #[test]
    fn empty_and_unticked_are_the_same_and_a_day_is_the_same_with_a_time() {
        assert!(Cell::same(&Value::Null, &json!(false)));
        assert!(Cell::same(&json!(2), &json!(2.0)));
        assert!(!Cell::same(&json!("a"), &json!("b")));
        assert!(Cell::same(&json!("2026-12-02"), &json!("2026-12-02T08:00:00")));
        assert!(!Cell::same(&json!("2026-12-03"), &json!("2026-12-02T08:00:00")));
    }
}
