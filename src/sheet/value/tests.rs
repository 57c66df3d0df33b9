//! Values that people type, each with what is stored and shown, or the words of the refusal.

use super::super::build::snapshot_of;
use super::super::snapshot::Snapshot;
use super::*;
use crate::clock::Clock;
use crate::locality::Told;
use serde_json::{Value, json};

fn field() -> Snapshot {
    let column = |id: u32, title: &str, kind: &str, more: Value| {
        let mut column = json!({ "id": id, "index": id, "title": title, "type": kind, "primary": id == 0 });
        for (key, value) in more.as_object().into_iter().flatten() {
            column[key] = value.clone();
        }
        column
    };
    let columns = json!([
        column(0, "Item", "TEXT_NUMBER", json!({})),
        column(1, "Budget", "TEXT_NUMBER", json!({})),
        column(2, "Part No", "TEXT_NUMBER", json!({})),
        column(3, "% Done", "TEXT_NUMBER", json!({})),
        column(4, "Owner", "CONTACT_LIST", json!({ "contactOptions": [{ "name": "Mia Jensen", "email": "mia.jensen@example.com" }] })),
        column(5, "Ready", "CHECKBOX", json!({})),
        column(6, "Due", "DATE", json!({})),
        column(7, "Tier", "PICKLIST", json!({ "options": ["🔴 High", "🟢 Low", "1", "2"] })),
        column(8, "Tags", "MULTI_PICKLIST", json!({ "options": ["Legal", "Data", "Red, dark"] })),
        column(9, "Watchers", "MULTI_CONTACT_LIST", json!({})),
        column(10, "Growth", "TEXT_NUMBER", json!({})),
        column(11, "Effort", "DURATION", json!({})),
        column(12, "After", "PREDECESSOR", json!({})),
    ]);
    let dana = |value: &str| json!({ "columnId": 4, "value": value, "displayValue": "Dana Reyes" });
    let rows = json!([
        { "id": 71, "rowNumber": 1, "cells": [
            { "columnId": 0, "value": "A" }, { "columnId": 1, "value": 1200.0, "displayValue": "€1,200.00" },
            { "columnId": 2, "value": 10234.0, "displayValue": "10234" }, { "columnId": 3, "value": 0.25, "displayValue": "25%" },
            dana("dana.reyes@example.com"), { "columnId": 10, "value": 1.5, "displayValue": "150%" } ] },
        { "id": 72, "rowNumber": 2, "cells": [
            { "columnId": 0, "value": "B" }, { "columnId": 4, "value": "dana.cho@example.com", "displayValue": "Dana Cho" },
            { "columnId": 9, "value": "Omar Haddad", "displayValue": "Omar Haddad", "objectValue": { "objectType": "MULTI_CONTACT", "values": [
                { "objectType": "CONTACT", "name": "Omar Haddad", "email": "omar@example.com" } ] } } ] },
    ]);
    snapshot_of(
        &json!({ "id": 1, "name": "Field", "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER", "columns": columns, "rows": rows }),
    )
}

fn read_in(locale: &str, column: &str, value: Value) -> String {
    let snapshot = field();
    let clock = Clock::manual("2026-11-29T10:30:00Z".parse().expect("a moment"));
    let locality = Told::read(Some("America/New_York"), Some(locale)).at(&clock);
    let (_, column) = snapshot.column(column).expect("a column");
    let author =
        Author { locality, people: vec![("erin@example.com".into(), "Erin Fox".into()), ("cho@example.com".into(), "Dana Cho".into())] };
    match ValueReader::new(&snapshot, &author).read(column, &value) {
        Ok(c) => format!("{} | {}{}", c.value, c.shown, c.note.map(|n| format!(" | {n}")).unwrap_or_default()),
        Err(unfit) => format!("error: {}", unfit.why),
    }
}

fn read(column: &str, value: impl Into<Value>) -> String {
    read_in("", column, value.into())
}

#[test]
fn numbers_are_what_was_typed_or_are_asked_back() {
    insta::assert_snapshot!(read("Budget", "1.234,50 €"), @"1234.5 | €1,234.50");
    insta::assert_snapshot!(read("Budget", "12,50"), @"12.5 | €12.50");
    insta::assert_snapshot!(read("Budget", "(500)"), @"-500.0 | -€500");
    insta::assert_snapshot!(read("Budget", "1.000"), @"error: “1.000” can mean €1 or €1,000 in Budget; write it without a sign for thousands, such as 1000 or 1");
    insta::assert_snapshot!(read_in("de-DE", "Budget", json!("1.000")), @"1000.0 | €1,000");
    insta::assert_snapshot!(read("Budget", "$500"), @"error: Budget is in €, not in $: give the amount in €");
    insta::assert_snapshot!(read("Budget", "12,345,6"), @"error: “12,345,6” cannot be read as a number for Budget; write it like 1234.5");
    insta::assert_snapshot!(read("Budget", "tbd"), @r#""tbd" | tbd | Budget holds numbers, but “tbd” is text: sums will leave it out."#);
    insta::assert_snapshot!(read("Part No", "00123"), @r#""00123" | 00123 | Part No holds numbers, but “00123” is text: sums will leave it out."#);
    insta::assert_snapshot!(read("Part No", "+49 89 1234567"), @r#""+49 89 1234567" | +49 89 1234567 | Part No holds numbers, but “+49 89 1234567” is text: sums will leave it out."#);
    insta::assert_snapshot!(read("Part No", "€500"), @"500.0 | 500 | Part No holds plain numbers: 500 is stored, without €.");
    insta::assert_snapshot!(read("Part No", 1e300), @"error: 1e300 is too large for Part No: numbers go up to 9,007,199,254,740,991");
}

#[test]
fn percents_are_shares_of_a_hundred() {
    insta::assert_snapshot!(read("% Done", 50), @"0.5 | 50%");
    insta::assert_snapshot!(read("% Done", 0.5), @"0.5 | 50%");
    insta::assert_snapshot!(read("% Done", 1), @"1.0 | 100%");
    insta::assert_snapshot!(read("% Done", "75,5%"), @"0.755 | 75.5%");
    insta::assert_snapshot!(read("% Done", 100), @"1.0 | 100%");
    insta::assert_snapshot!(read("Growth", 2), @"error: 2 can mean 200% or 2% in Growth; write it with %");
    insta::assert_snapshot!(read("Growth", "200%"), @"2.0 | 200%");
    insta::assert_snapshot!(read("Part No", "50%"), @"0.5 | 0.5 | Part No holds plain numbers: 50 % is stored as 0.5.");
}

#[test]
fn people_are_found_however_they_are_written() {
    for way in [
        "mailto:dana.reyes@example.com",
        "<mailto:dana.reyes@example.com|dana.reyes@example.com>",
        "Dana Reyes <dana.reyes@example.com>",
        "Reyes, Dana",
        "dana  reyes",
        "@Dana Reyes",
        "DANA.REYES@EXAMPLE.COM",
        "dána reyes",
        "Reyes",
    ] {
        assert_eq!(read("Owner", way), r#""dana.reyes@example.com" | Dana Reyes"#, "{way}");
    }
    assert_eq!(read("Owner", "Mia Jensen"), r#""mia.jensen@example.com" | Mia Jensen"#, "on the list of the column");
    assert_eq!(read("Owner", "Omar"), r#""omar@example.com" | Omar Haddad"#, "only among several");
    insta::assert_snapshot!(read("Owner", "Dana"), @"error: more than one person is called “Dana”: Dana Reyes (dana.reyes@example.com) and Dana Cho (dana.cho@example.com); ask which one is meant for Owner");
    insta::assert_snapshot!(read("Owner", "Dana Rayes"), @"error: I do not know the e-mail address of “Dana Rayes” for Owner; did you mean Dana Reyes?; use an e-mail address, or one of: Dana Reyes, Dana Cho, Omar Haddad, Mia Jensen");
    assert!(read("Owner", "omar@").starts_with("error: I do not know"), "half an address is no name");
    assert_eq!(read("Owner", "Erin"), r#""erin@example.com" | Erin Fox"#, "known to the author, not to the sheet");
    insta::assert_snapshot!(read("Owner", "somebody"), @"error: I do not know the e-mail address of “somebody” for Owner; use an e-mail address, or one of: Dana Reyes, Dana Cho, Omar Haddad, Mia Jensen");
    insta::assert_snapshot!(read("Watchers", "Omar; new@example.com"), @r#"{"objectType":"MULTI_CONTACT","values":[{"objectType":"CONTACT","email":"omar@example.com","name":"Omar Haddad"},{"objectType":"CONTACT","email":"new@example.com","name":"new@example.com"}]} | Omar Haddad, new@example.com"#);
}

#[test]
fn options_are_found_without_regard_to_case_and_emoji() {
    insta::assert_snapshot!(read("Tier", ":red_circle: High"), @r#""🔴 High" | 🔴 High"#);
    insta::assert_snapshot!(read("Tier", "high"), @r#""🔴 High" | 🔴 High"#);
    insta::assert_snapshot!(read("Tier", 1.0), @r#""1" | 1"#);
    insta::assert_snapshot!(read("Tier", "Hihg"), @r#""🔴 High" | 🔴 High | “Hihg” was taken for the option “🔴 High” of Tier."#);
    insta::assert_snapshot!(read("Tags", "legal, red, dark"), @r#"{"objectType":"MULTI_PICKLIST","values":["Legal","Red, dark"]} | Legal, Red, dark"#);
    insta::assert_snapshot!(read("Tags", json!(["Legal", "data"])), @r#"{"objectType":"MULTI_PICKLIST","values":["Legal","Data"]} | Legal, Data"#);
}

#[test]
fn days_are_those_of_the_person() {
    // At 10:30 in UTC it is the same day in New York.
    let days = [
        ("2026-12-07", "2026-12-07"),
        ("today", "2026-11-29"),
        ("tomorrow", "2026-11-30"),
        ("Friday", "2026-12-04"),
        ("next Friday", "2026-12-04"),
        ("last Friday", "2026-11-27"),
        ("in two weeks", "2026-12-13"),
        ("3 days ago", "2026-11-26"),
        ("a month from now", "2026-12-29"),
        ("end of the month", "2026-11-30"),
        ("30.11.2026", "2026-11-30"),
        ("11/30/2026", "2026-11-30"),
        ("30/11/2026", "2026-11-30"),
        ("7 Dec", "2026-12-07"),
        ("November 30, 2026", "2026-11-30"),
        ("3rd of May", "2027-05-03"),
        ("Dec 24", "2026-12-24"),
        ("2026-11-30T23:30:00-08:00", "2026-12-01"),
        ("2026-11-30 00:00:00", "2026-11-30"),
        ("12/25", "2026-12-25"),
    ];
    for (typed, right) in days {
        assert_eq!(read("Due", typed), format!("\"{right}\" | {right}"), "{typed}");
    }
    insta::assert_snapshot!(read("Due", "03/04/2027"), @"error: Due is a date: “03/04/2027” can be 2027-04-03 or 2027-03-04: write it as YYYY-MM-DD");
    assert_eq!(read_in("en-US", "Due", json!("03/04/2027")), r#""2027-03-04" | 2027-03-04"#);
    assert_eq!(read_in("en-GB", "Due", json!("03/04/2027")), r#""2027-04-03" | 2027-04-03"#);
    insta::assert_snapshot!(read("Due", "2026-02-30"), @"error: Due is a date: write it as YYYY-MM-DD, not “2026-02-30”");
    insta::assert_snapshot!(read("Due", "0301-02-07"), @"error: Due is a date: “0301-02-07” is in the year 301: years go from 1900 to 2199");
    insta::assert_snapshot!(read("Due", "soon"), @"error: Due is a date: write it as YYYY-MM-DD, not “soon”");
}

#[test]
fn the_rest_is_read_by_its_type() {
    insta::assert_snapshot!(read("Ready", "✓"), @"true | yes");
    insta::assert_snapshot!(read("Ready", "maybe"), @"error: Ready is a checkbox: use true or false, not “maybe”");
    insta::assert_snapshot!(read("Item", "=SUM(A1)"), @r#""=SUM(A1)" | =SUM(A1)"#);
    insta::assert_snapshot!(read("Effort", "1w 2d"), @r#""1w 2d" | 1w 2d"#);
    insta::assert_snapshot!(read("Effort", 3), @r#""3d" | 3d"#);
    insta::assert_snapshot!(read("Effort", "soon"), @"error: Effort is a duration: write it like 5d, 1w or 4h, not “soon”");
    insta::assert_snapshot!(read("After", "1FS +2d, 2"), @r#"{"objectType":"PREDECESSOR_LIST","predecessors":[{"rowId":71,"type":"FS","lag":{"objectType":"DURATION","days":2.0}},{"rowId":72,"type":"FS"}]} | 1FS +2d, 2"#);
    insta::assert_snapshot!(read("After", "9"), @"error: there is no row 9 in Field");
    insta::assert_snapshot!(read("Item", "x".repeat(4001)), @"error: the value for Item is longer than the 4,000 characters a cell can hold");
}

#[test]
fn commas_that_belong_to_a_name_or_an_option_stay() {
    let known = |part: &str| ["Doe, Jane", "Red, dark", "Jane"].contains(&part);
    assert_eq!(parts("Doe, Jane; Red, dark,Jane , x@y.test", known), ["Doe, Jane", "Red, dark", "Jane", "x@y.test"]);
    assert_eq!(parts(" , ;", known), [""; 0]);
}

#[test]
fn a_sign_and_a_length_move_a_day() {
    let moved = |text: &str| day_shift(text).map(|span| jiff::civil::date(2027, 1, 31).checked_add(span).expect("a day").to_string());
    let right = [
        ("+7 days", Some("2027-02-07")),
        ("-3d", Some("2027-01-28")),
        ("+1 week", Some("2027-02-07")),
        ("+ 1 month", Some("2027-02-28")),
        ("−2 weeks", Some("2027-01-17")),
        ("7 days", None),
        ("+7", None),
        ("-5 apples", None),
        ("+99999999 days", None),
    ];
    for (text, day) in right {
        assert_eq!(moved(text).as_deref(), day, "{text}");
    }
}

#[test]
fn the_first_value_of_a_column_says_what_it_holds() {
    let snapshot = snapshot_of(&json!({ "id": 1, "name": "New", "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER",
        "columns": [{ "id": 1, "index": 0, "title": "Item", "type": "TEXT_NUMBER", "primary": true }, { "id": 2, "index": 1, "title": "Budget", "type": "TEXT_NUMBER" },
            { "id": 3, "index": 2, "title": "Note", "type": "TEXT_NUMBER" }],
        "rows": [{ "id": 7, "rowNumber": 1, "cells": [{ "columnId": 1, "value": "A" }, { "columnId": 3, "value": "call" }] }] }));
    let read = |column: &str, value: &str| {
        let author =
            Author { locality: Told::default().at(&Clock::manual("2026-11-29T10:30:00Z".parse().expect("a moment"))), people: Vec::new() };
        match ValueReader::new(&snapshot, &author).read(snapshot.column(column).expect("a column").1, &json!(value)) {
            Ok(c) => format!("{} | {}{}", c.value, c.shown, c.note.map(|n| format!(" | {n}")).unwrap_or_default()),
            Err(unfit) => format!("error: {}", unfit.why),
        }
    };
    insta::assert_snapshot!(read("Budget", "1200"), @"1200.0 | 1200");
    insta::assert_snapshot!(read("Budget", "1,5"), @"1.5 | 1.5");
    insta::assert_snapshot!(read("Budget", "$500"), @"500.0 | 500 | Budget holds plain numbers: 500 is stored, without $.");
    insta::assert_snapshot!(read("Budget", "00123"), @r#""00123" | 00123"#);
    insta::assert_snapshot!(read("Budget", "call me"), @r#""call me" | call me"#);
    insta::assert_snapshot!(read("Note", "1200"), @r#""1200" | 1200 | Note holds texts: “1200” is stored as text, and counts in no sum."#);
    insta::assert_snapshot!(read("Item", "2026"), @r#""2026" | 2026"#);
}

proptest::proptest! {
    /// Whatever is read, what the preview shows is what is stored: read once more, it is the same value.
    #[test]
    fn what_is_shown_is_what_is_stored(
        whole in 0u64..100_000_000,
        fraction in "[0-9]{0,7}",
        form in 0usize..9,
        style in 0usize..4,
    ) {
        let point = |w: u64| if fraction.is_empty() { w.to_string() } else { format!("{w}.{fraction}") };
        let grouped = |sign: char| {
            let digits = whole.to_string();
            let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap_or_default()).collect();
            groups.join(&sign.to_string())
        };
        let text = match form {
            0 => point(whole),
            1 => format!("-{}", point(whole)),
            2 => format!("({})", point(whole)),
            3 => format!("{}.{:0>2}", grouped(','), fraction.get(..2).unwrap_or("5")),
            4 => format!("{},{:0>2}", grouped('.'), fraction.get(..2).unwrap_or("5")),
            5 => format!("{}%", point(whole % 10_000)),
            6 => format!("€{}", point(whole)),
            7 => format!("{}k", point(whole % 10_000)),
            _ => format!("{} {:0>3},{:0>2}", whole % 1_000, whole % 999, fraction.get(..2).unwrap_or("5")),
        };
        let styles = [Style::Plain, Style::Percent, Style::Money("€".into()), Style::Money("$".into())];
        let style = &styles[style];
        let snapshot = field();
        let author = Author {
            locality: Told::read(None, Some("en-US")).at(&Clock::manual("2026-11-29T10:30:00Z".parse().expect("a moment"))),
            people: Vec::new(),
        };
        let reader = ValueReader::new(&snapshot, &author);
        let (_, column) = snapshot.column("Budget").expect("a column");
        if let Ok(first) = reader.read_as(column, style, &json!(text))
            && first.value.is_number()
        {
            let again = reader.read_as(column, style, &json!(first.shown));
            let again = again.map_err(|unfit| proptest::test_runner::TestCaseError::fail(format!("{text} -> {}: {}", first.shown, unfit.why)))?;
            let (a, b) = (first.value.as_f64().unwrap_or_default(), again.value.as_f64().unwrap_or_default());
            proptest::prop_assert!((a - b).abs() <= 1e-12 * a.abs().max(1e-9), "{} is stored as {} and shown as {}, which is {}", text, a, first.shown, b);
        }
    }
}
