//! Values: as a snapshot holds them, as people see them, and as a column takes them.

use super::snapshot::SnapshotColumn;
use jiff::civil::Date;
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
    /// Texts are moments (`2026-03-01T08:00:00Z`).
    Moment,
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
            Self::Plain | Self::Moment => plain_number(n),
            Self::Percent => format!("{}%", plain_number((n * 1e6).round() / 1e4)),
            Self::Money(sign) => {
                let sign = if sign.chars().all(char::is_alphabetic) { format!("{sign} ") } else { sign.clone() };
                format!("{}{sign}{}", if n < 0.0 { "-" } else { "" }, grouped(n.abs()))
            }
        }
    }
}

fn plain_number(n: f64) -> String {
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
            Self::Text(t) if *style == Style::Moment => moment(t),
            Self::Text(t) => t.to_string(),
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

    /// Whether two cells hold the same value, an empty one and an unticked box included.
    pub fn same(a: &Value, b: &Value) -> bool {
        let empty = |v: &Value| matches!(v, Value::Null | Value::Bool(false)) || v == "";
        match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs() <= f64::EPSILON * x.abs().max(y.abs()).max(1.0),
            _ => a == b || (empty(a) && empty(b)) || (a["values"].is_array() && a["values"] == b["values"]),
        }
    }
}

/// A moment as people read it: to the minute, and in which time where that is told.
fn moment(text: &str) -> String {
    let Some((day, time)) = text.split_once('T') else { return text.to_owned() };
    let zone = if time.ends_with('Z') { " UTC" } else { "" };
    match time.get(..5) {
        Some(minutes) if minutes.as_bytes()[2] == b':' => format!("{day} {minutes}{zone}"),
        _ => text.to_owned(),
    }
}

/// A value that fits a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Coerced {
    /// The value as it will be compared and written.
    pub value: Value,
    /// As people will see it.
    pub shown: String,
}

/// Makes a value fit a column by its type, or says what would fit.
///
/// # Errors
/// A sentence for the model or the person, with the allowed values where there are any.
pub fn coerce(column: &SnapshotColumn, value: &Value, people: &[(String, String)], today: Date) -> Result<Coerced, String> {
    if let Some(why) = &column.read_only {
        return Err(format!("{} cannot be written: {why}", column.title));
    }
    let text = match value {
        Value::Null => return Ok(Coerced { value: Value::Null, shown: String::new() }),
        Value::String(s) if s.trim().is_empty() => return Ok(Coerced { value: Value::Null, shown: String::new() }),
        Value::String(s) => s.trim().to_owned(),
        other => other.to_string(),
    };
    if text.chars().count() > 4000 {
        return Err(format!("the value for {} is longer than the 4,000 characters a cell can hold", column.title));
    }
    match column.kind.as_str() {
        "PICKLIST" => picklist(column, &text),
        "MULTI_PICKLIST" => several_options(column, &text),
        "CHECKBOX" => checkbox(column, &text),
        "DATE" | "ABSTRACT_DATETIME" => date(column, &text, today),
        "CONTACT_LIST" => contact(column, &text, people),
        "MULTI_CONTACT_LIST" => several_contacts(column, &text, people),
        _ => text_or_number(column, value, &text),
    }
}

/// A stored value as people see it in this column.
pub fn coerce_display(column: &SnapshotColumn, value: &Value, people: &[(String, String)]) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => if *b { "yes" } else { "no" }.into(),
        Value::Number(n) => column.style.show(n.as_f64().unwrap_or_default()),
        Value::String(s) => {
            people.iter().find(|(email, _)| email == s && column.is_contact()).map_or_else(|| s.clone(), |(_, name)| name.clone())
        }
        Value::Object(o) => {
            let part = |v: &Value| v.as_str().or(v["name"].as_str()).or(v["email"].as_str()).map(str::to_owned);
            o.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(part).collect::<Vec<_>>().join(", ")
        }
        Value::Array(_) => value.to_string(),
    }
}

fn plain(value: impl Into<Value>, shown: impl Into<String>) -> Coerced {
    Coerced { value: value.into(), shown: shown.into() }
}

fn option_of<'a>(column: &'a SnapshotColumn, text: &str) -> Option<&'a String> {
    column.options.iter().find(|o| *o == text).or_else(|| column.options.iter().find(|o| o.to_lowercase() == text.to_lowercase()))
}

fn picklist(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    if column.options.is_empty() {
        return Ok(plain(text, text));
    }
    match option_of(column, text) {
        Some(option) => Ok(plain(option.clone(), option.clone())),
        None => Err(format!("“{text}” is not an option of {}; the options are: {}", column.title, column.options.join(", "))),
    }
}

fn several_options(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    let mut chosen = Vec::new();
    for part in parts(text, |part| option_of(column, part).is_some()) {
        let option = option_of(column, part)
            .ok_or_else(|| format!("“{part}” is not an option of {}; the options are: {}", column.title, column.options.join(", ")))?;
        chosen.push(option.clone());
    }
    let shown = chosen.join(", ");
    Ok(plain(json!({ "objectType": "MULTI_PICKLIST", "values": chosen }), shown))
}

/// Several values in one text, with commas or semicolons in between; those in what is known belong to it (“Doe, Jane”).
fn parts(text: &str, known: impl Fn(&str) -> bool) -> Vec<&str> {
    let ends: Vec<usize> = text.match_indices([',', ';']).map(|(at, _)| at).chain([text.len()]).collect();
    let (mut parts, mut begin, mut next) = (Vec::new(), 0, 0);
    while next < ends.len() {
        // The longest that is known; else what ends at the next of these.
        let longest = (next..ends.len()).rev().find(|end| known(text[begin..ends[*end]].trim()));
        let end = longest.unwrap_or(next);
        parts.push(text[begin..ends[end]].trim());
        (begin, next) = (ends[end] + 1, end + 1);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn checkbox(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" | "on" | "checked" | "done" => Ok(plain(true, "yes")),
        "false" | "no" | "0" | "off" | "unchecked" => Ok(plain(false, "no")),
        _ => Err(format!("{} is a checkbox: use true or false, not “{text}”", column.title)),
    }
}

fn date(column: &SnapshotColumn, text: &str, today: Date) -> Result<Coerced, String> {
    let day = match text.to_lowercase().as_str() {
        "today" => Some(today),
        "tomorrow" => today.tomorrow().ok(),
        "yesterday" => today.yesterday().ok(),
        _ => text.get(..10).filter(|_| text.len() == 10 || text.as_bytes().get(10) == Some(&b'T')).and_then(|d| d.parse().ok()),
    };
    let day: Date = day.ok_or_else(|| format!("{} is a date: write it as YYYY-MM-DD, not “{text}”", column.title))?;
    Ok(plain(day.to_string(), day.to_string()))
}

/// Finds the person by address, full name, or a first name that only one person has.
fn person<'a>(column: &SnapshotColumn, text: &str, people: &'a [(String, String)]) -> Result<Option<&'a (String, String)>, String> {
    let lower = text.to_lowercase();
    if let Some(found) = people.iter().find(|(email, name)| email.to_lowercase() == lower || name.to_lowercase() == lower) {
        return Ok(Some(found));
    }
    let begins = |name: &str| name.to_lowercase().split_whitespace().next() == Some(lower.as_str());
    let same: Vec<&(String, String)> = people.iter().filter(|(_, name)| begins(name)).collect();
    match same.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        more => Err(format!(
            "more than one person in this sheet is called {text}: {}; use the full name or the e-mail address for {}",
            more.iter().map(|(_, n)| n.as_str()).collect::<Vec<_>>().join(" and "),
            column.title
        )),
    }
}

fn contact(column: &SnapshotColumn, text: &str, people: &[(String, String)]) -> Result<Coerced, String> {
    if let Some((email, name)) = person(column, text, people)? {
        return Ok(plain(email.clone(), name.clone()));
    }
    if is_email(text) {
        return Ok(plain(text, text));
    }
    Err(format!(
        "I do not know the e-mail address of “{text}” for {}; use an e-mail address, or one of: {}",
        column.title,
        people.iter().map(|(_, n)| n.as_str()).take(20).collect::<Vec<_>>().join(", ")
    ))
}

fn is_email(text: &str) -> bool {
    let valid = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
    text.split_once('@').is_some_and(|(user, host)| valid(user) && valid(host) && host.contains('.') && !host.contains('@'))
}

fn several_contacts(column: &SnapshotColumn, text: &str, people: &[(String, String)]) -> Result<Coerced, String> {
    let mut values = Vec::new();
    let mut shown = Vec::new();
    for part in parts(text, |part| person(column, part, people).is_ok_and(|found| found.is_some())) {
        let one = contact(column, part, people)?;
        values.push(json!({ "objectType": "CONTACT", "email": one.value, "name": one.shown }));
        shown.push(one.shown);
    }
    Ok(plain(json!({ "objectType": "MULTI_CONTACT", "values": values }), shown.join(", ")))
}

/// Numbers only where the column is one of numbers; a text that begins with `=` stays a text.
fn text_or_number(column: &SnapshotColumn, value: &Value, text: &str) -> Result<Coerced, String> {
    match value.as_f64().or_else(|| column.numeric.then(|| read_number(text)).flatten()) {
        Some(n) if n.abs() > 9_007_199_254_740_992.0 => {
            Err(format!("{text} is too large for {}: numbers go up to 9,007,199,254,740,992", column.title))
        }
        Some(n) => Ok(plain(n, column.style.show(n))),
        None => Ok(plain(text, text)),
    }
}

fn read_number(text: &str) -> Option<f64> {
    let percent = text.ends_with('%');
    let digits: String = text.trim_end_matches('%').chars().filter(|c| !"$€£¥, ".contains(*c)).collect();
    let n: f64 = digits.parse().ok().filter(|n: &f64| n.is_finite())?;
    Some(if percent { n / 100.0 } else { n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: &str) -> SnapshotColumn {
        SnapshotColumn { title: "C".into(), kind: kind.into(), options: vec!["Low".into(), "High".into()], ..SnapshotColumn::default() }
    }

    #[test]
    fn commas_that_belong_to_a_name_or_an_option_stay() {
        let known = |part: &str| ["Doe, Jane", "Red, dark", "Jane"].contains(&part);
        assert_eq!(parts("Doe, Jane; Red, dark,Jane , x@y.test", known), ["Doe, Jane", "Red, dark", "Jane", "x@y.test"]);
        assert_eq!(parts(" , ;", known), [""; 0]);
    }

    #[test]
    fn moments_are_shown_to_the_minute() {
        let shown = |text: &str| Cell::Text(text.into()).shown(&Style::Moment);
        let all = ["2026-03-01T08:00:00Z", "2026-03-01T08:30:00", "2026-03-01", "soon", "To be told"].map(shown);
        assert_eq!(all, ["2026-03-01 08:00 UTC", "2026-03-01 08:30", "2026-03-01", "soon", "To be told"]);
    }

    fn told(kind: &str, value: Value) -> String {
        let people = [
            ("dana.r@x.test".to_owned(), "Dana Reyes".to_owned()),
            ("dana.c@x.test".to_owned(), "Dana Cho".to_owned()),
            ("omar@x.test".to_owned(), "Omar Haddad".to_owned()),
        ];
        match coerce(&column(kind), &value, &people, jiff::civil::date(2026, 11, 22)) {
            Ok(c) => format!("{} | {}", c.value, c.shown),
            Err(e) => format!("error: {e}"),
        }
    }

    #[test]
    fn values_fit_their_columns_or_say_what_would() {
        insta::assert_snapshot!(told("PICKLIST", json!("low")), @r#""Low" | Low"#);
        insta::assert_snapshot!(told("PICKLIST", json!("Medium")), @"error: “Medium” is not an option of C; the options are: Low, High");
        insta::assert_snapshot!(told("DATE", json!("2026-12-07")), @r#""2026-12-07" | 2026-12-07"#);
        insta::assert_snapshot!(told("DATE", json!("7 Dec")), @"error: C is a date: write it as YYYY-MM-DD, not “7 Dec”");
        insta::assert_snapshot!(told("CONTACT_LIST", json!("omar")), @r#""omar@x.test" | Omar Haddad"#);
        insta::assert_snapshot!(told("CONTACT_LIST", json!("Dana")), @"error: more than one person in this sheet is called Dana: Dana Reyes and Dana Cho; use the full name or the e-mail address for C");
        insta::assert_snapshot!(told("CHECKBOX", json!("yes")), @"true | yes");
        insta::assert_snapshot!(told("TEXT_NUMBER", json!("=SUM(A1)")), @r#""=SUM(A1)" | =SUM(A1)"#);
        insta::assert_snapshot!(told("MULTI_PICKLIST", json!("low, High")), @r#"{"objectType":"MULTI_PICKLIST","values":["Low","High"]} | Low, High"#);
    }

    #[test]
    fn numbers_look_as_in_the_sheet() {
        assert_eq!(Style::of_display("$1,200").show(-1234567.5), "-$1,234,567.50");
        assert_eq!(Style::of_display("45%").show(0.075), "7.5%");
        assert_eq!(Style::of_display("12").show(0.1 + 0.2), "0.3");
    }

    #[test]
    fn empty_and_unticked_are_the_same() {
        assert!(Cell::same(&Value::Null, &json!(false)));
        assert!(Cell::same(&json!(2), &json!(2.0)));
        assert!(!Cell::same(&json!("a"), &json!("b")));
    }
}
