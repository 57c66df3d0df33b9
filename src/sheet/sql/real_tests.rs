//! Queries on what real sheets hold: names that begin alike, cells with several values, numbers as texts, blanks.

use super::super::build::snapshot_of;
use super::super::snapshot::Snapshot;
use super::check;
use super::tests::{body_of, filter, seen, sheet};
use jiff::civil::datetime;
use serde_json::{Value, json};

/// A sheet of three phases whose names begin alike, with people and tags of several values, and texts with signs among numbers.
fn phases() -> Snapshot {
    let people = |all: &[(&str, &str)]| {
        let values: Vec<Value> = all.iter().map(|(name, email)| json!({ "objectType": "CONTACT", "name": name, "email": email })).collect();
        json!({ "objectValue": { "objectType": "MULTI_CONTACT", "values": values }, "displayValue": all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ") })
    };
    let tags = |all: &[&str]| json!({ "objectValue": { "objectType": "MULTI_PICKLIST", "values": all }, "displayValue": all.join(", ") });
    let (dana, lee) = (("Dana Reyes", "dana@example.com"), ("Lee Park", "lee@example.com"));
    let columns = [
        json!("Item"),
        json!("Cost"),
        json!({ "title": "Team", "type": "MULTI_CONTACT_LIST" }),
        json!({ "title": "Tags", "type": "MULTI_PICKLIST", "options": ["Legal", "IT"] }),
        json!({ "title": "Status", "type": "PICKLIST", "options": ["Done", "Open"] }),
        json!("Qty"),
    ];
    let rows = vec![
        vec![json!("Phase 1"), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![json!("A"), json!(5.0), people(&[dana]), tags(&["Legal"]), json!("Done"), json!("9")],
        vec![json!("Phase 10"), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![json!("B"), json!(7.0), people(&[dana, lee]), tags(&["Legal", "IT"]), json!("Open"), json!("10")],
        vec![json!("Phase 1 follow-up"), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![json!("C"), json!("1,234"), people(&[lee]), Value::Null, Value::Null, json!("n/a")],
        vec![json!("Rest > Phase 1"), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![json!("D"), json!(1234.0), Value::Null, tags(&["IT"]), json!("Open"), json!("100")],
    ];
    let mut body = body_of("Phases", &columns, &rows);
    for (child, parent) in [(1, 0), (3, 2), (5, 4), (7, 6)] {
        body["rows"][child]["parentId"] = body["rows"][parent]["id"].clone();
    }
    snapshot_of(&body)
}

#[test]
fn rows_below_another_are_those_below_it_alone() {
    let s = phases();
    let under = |pattern: &str| seen(&s, &format!("SELECT item FROM leaf WHERE path LIKE '{pattern}'"));
    for pattern in ["%Phase 1%", "%phase 1 > %", "Phase 1%", "%Phase 1", "Phase 1 > %"] {
        assert_eq!(under(pattern), "A", "{pattern}");
    }
    assert_eq!(under("%Phase 10%"), "B");
    assert_eq!(under("%Rest > Phase 1%"), "D");
    assert_eq!(under("%Phase%"), "A\nB\nC\nD");
    assert_eq!(seen(&s, "SELECT item FROM leaf WHERE path NOT LIKE '%Phase 1%'"), "B\nC\nD");
    assert_eq!(filter(&s, "path LIKE '%Phase 1%'"), "stands under “Phase 1”");
    assert_eq!(filter(&s, "path NOT LIKE '%Phase 10'"), "does not stand directly under “Phase 10”");
    assert_eq!(filter(&s, "path LIKE '%follow-up%'"), "stands under “Phase 1 follow-up”");
    assert_eq!(filter(&s, "path LIKE '%Phase%'"), "stands under one of 4 rows like “Phase”");
    assert_eq!(filter(&s, "path LIKE '%Pha%'"), "what it stands under contains “Pha”");
}

#[test]
fn one_of_several_values_is_found_among_them() {
    let s = phases();
    let of = |condition: &str| seen(&s, &format!("SELECT item FROM leaf WHERE {condition}"));
    for condition in
        ["team = 'Dana Reyes'", "team = 'dana'", "team = 'dana@example.com'", "team_email = 'DANA@example.com'", "team IN ('Dana Reyes')"]
    {
        assert_eq!(of(condition), "A\nB", "{condition}");
    }
    assert_eq!(of("team = 'Dana Reyes, Lee Park'"), "B", "as the cell shows it");
    assert_eq!(of("team <> 'Dana Reyes'"), "C\nnote: Team is empty in 1 row, which is left out (D)");
    assert_eq!(of("team IS NOT 'Dana Reyes'"), "C\nD");
    assert_eq!(of("NOT (team = 'Dana Reyes')"), "C\nnote: Team is empty in 1 row, which is left out (D)");
    assert_eq!(of("tags = 'legal'"), "A\nB");
    assert_eq!(of("tags IN ('Legal', 'IT')"), "A\nB\nD");
    assert_eq!(of("tags NOT IN ('Legal')"), "D\nnote: Tags is empty in 1 row, which is left out (C)");
    assert_eq!(of("tags = 'Legl'"), "hint: no row has Tags “Legl”; did you mean “Legal” (2 rows)?");
    assert_eq!(filter(&s, "team = 'dana' AND tags <> 'IT'"), "Team includes “Dana Reyes” and Tags does not include “IT”");
}

#[test]
fn a_text_with_signs_is_the_number_and_itself() {
    let s = phases();
    let of = |condition: &str| seen(&s, &format!("SELECT item FROM leaf WHERE {condition}"));
    for condition in ["cost = '1,234'", "cost IN ('1,234')", "cost IN (1234, '1,234')"] {
        assert_eq!(of(condition), "C\nD", "{condition}");
    }
    assert_eq!(of("cost = '$1,234'"), "D");
    assert_eq!(of("cost = 1234"), "D");
    assert_eq!(of("cost <> '1,234'"), "A\nB");
    assert_eq!(of("cost NOT IN ('1,234', '5')"), "B");
    let most = json!({ "title": "Score", "type": "PICKLIST", "options": ["1", "2", "n/a"] });
    let scores = sheet(
        "Scores",
        &[json!("Item"), most],
        &[vec![json!("A"), json!("1")], vec![json!("B"), json!("n/a")], vec![json!("C"), json!("2")], vec![json!("D"), json!("10")]],
    );
    assert_eq!(seen(&scores, "SELECT MAX(score) FROM leaf"), "10\nnote: Score holds text in 1 row and is left out there (B: “n/a”)");
}

#[test]
fn texts_that_mostly_look_like_numbers_are_not_put_in_order() {
    let s = phases();
    for query in
        ["SELECT MAX(qty) FROM leaf", "SELECT item FROM leaf WHERE qty > '9'", "SELECT item FROM leaf WHERE qty BETWEEN '9' AND '50'"]
    {
        assert!(seen(&s, query).starts_with("error: Qty (qty) holds texts, not numbers"), "{query}: {}", seen(&s, query));
    }
    let first = seen(&s, "SELECT item FROM leaf ORDER BY qty DESC LIMIT 1");
    assert_eq!(first, "C\nnote: Qty holds texts that look like days or numbers: their order is that of the letters");
}

#[test]
fn blanks_are_named_wherever_a_condition_says_what_they_are_not() {
    let s = phases();
    let named = "\nnote: Status is empty in 1 row, which is left out (C)";
    assert_eq!(seen(&s, "SELECT item FROM leaf WHERE NOT (status = 'Done')"), format!("B\nD{named}"));
    assert_eq!(seen(&s, "SELECT item FROM leaf WHERE NOT (status = 'Done' OR item = 'D')"), format!("B{named}"));
    assert_eq!(seen(&s, "SELECT COUNT(*) FILTER (WHERE status <> 'Done') FROM leaf"), format!("2{named}"));
    let otherwise = "\nnote: Status is empty in 1 row, which falls under ELSE (C)";
    assert_eq!(seen(&s, "SELECT SUM(CASE WHEN status <> 'Done' THEN 1 ELSE 0 END) FROM leaf"), format!("2{otherwise}"));
    assert_eq!(seen(&s, "SELECT COUNT(*) FROM leaf WHERE status = 'Done'"), "1", "what they are says it by itself");
    assert_eq!(seen(&s, "SELECT item FROM leaf WHERE NOT (status <> 'Done')"), "A");
}

#[test]
fn what_is_shown_is_what_was_run() {
    let s = phases();
    let shown = |sql: &str| match check(sql, &s, datetime(2026, 11, 29, 10, 30, 0, 0)) {
        Ok(checked) => checked.filter.unwrap_or_default(),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(
        shown("SELECT status, COUNT(*) FROM leaf WHERE cost > 1 GROUP BY status HAVING COUNT(*) > 1"),
        "Cost is more than 1 and of these the groups where number of rows is more than 1"
    );
    assert_eq!(shown("SELECT item FROM leaf WHERE item LIKE '%50\\%%' ESCAPE '\\'"), "Item contains “50%”");
    assert_eq!(shown("SELECT item FROM leaf WHERE item LIKE '%50\\%' ESCAPE '\\'"), "Item ends with “50%”");
    assert_eq!(shown("SELECT a.item FROM leaf a JOIN leaf b ON a.cost = b.cost"), "several tables together, joined where Cost is Cost");
    assert!(shown("SELECT item, COUNT(*) FROM leaf").starts_with("error: item stands beside a figure over all rows"));
    assert!(shown("SELECT upper(item), COUNT(*) FROM leaf").starts_with("error: "));
    assert!(shown("SELECT item || ': ' || COUNT(*) FROM leaf").contains("takes a column and a figure over all rows together"));
    assert!(shown("SELECT cost - AVG(cost) FROM leaf").contains("takes a column and a figure over all rows together"));
    let part = seen(&s, "SELECT COUNT(*) AS part, (SELECT COUNT(*) FROM leaf) AS whole, 100 * 2 AS n FROM leaf WHERE status = 'Done'");
    assert_eq!(part, "1 | 4 | 200");
    assert_eq!(seen(&s, "SELECT item, MIN(cost) FROM leaf"), "A | 5\nnote: Cost holds text in 1 row and is left out there (C: “1,234”)");
    assert_eq!(
        seen(&s, "SELECT item FROM leaf WHERE status LIKE '%Opne%'"),
        "hint: no row has “Opne” in Status; did you mean “Open” (2 rows)?"
    );
}

#[test]
fn functions_of_other_databases_run_or_say_the_way() {
    let s = sheet(
        "Days",
        &[json!("Item"), json!({ "title": "Due", "type": "DATE" }), json!({ "title": "Start", "type": "DATE" })],
        &[vec![json!("A"), json!("2026-12-09"), json!("2026-12-02")]],
    );
    for (query, right) in [
        ("SELECT DATEDIFF(due, start) FROM leaf", "7"),
        ("SELECT DATEDIFF(day, start, due) FROM leaf", "7"),
        ("SELECT DATEDIFF('day', start, due) FROM leaf", "7"),
        ("SELECT DATEADD(day, 7, start) FROM leaf", "2026-12-09"),
        ("SELECT COUNT(*) FROM leaf WHERE DATEDIFF(due, CURRENT_DATE) <= 14", "1"),
    ] {
        assert_eq!(seen(&s, query), right, "{query}");
    }
    for (query, way) in [
        ("SELECT DATEDIFF(week, start, due) FROM leaf", "julianday(a) - julianday(b)"),
        ("SELECT DATE_ADD(due, INTERVAL 7 DAY) FROM leaf", "date(x, '+7 days')"),
        ("SELECT STRPOS(item, 'A') FROM leaf", "instr(text, part)"),
        ("SELECT CHARINDEX('A', item) FROM leaf", "instr(text, part)"),
        ("SELECT DAYNAME(due) FROM leaf", "strftime('%w', x)"),
        ("SELECT SAFE_DIVIDE(1, 2) FROM leaf", "NULLIF(b, 0)"),
        ("SELECT ARRAY_AGG(item) FROM leaf", "group_concat(x)"),
        ("SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY due) FROM leaf", "median(x)"),
    ] {
        assert!(seen(&s, query).contains(way), "{query}: {}", seen(&s, query));
    }
}

#[test]
fn one_of_several_is_found_under_another_name_and_told_where_it_is_not() {
    let s = phases();
    assert_eq!(seen(&s, "SELECT item, team AS owner FROM leaf WHERE owner = 'Lee Park'"), "B | Dana Reyes, Lee Park\nC | Lee Park");
    assert_eq!(seen(&s, "SELECT item, path AS p FROM leaf WHERE p LIKE '%Phase 1%'"), "A | Phase 1");
    for (condition, right) in [
        ("team = 'Dana Reyes'", "A\nB"),
        ("team IN ('dana', 'Lee Park')", "A\nB\nC"),
        ("team <> 'Lee Park'", "A\nnote: Team is empty in 1 row, which is left out (D)"),
        ("team IS NOT 'Lee Park'", "A\nD"),
        ("team = 'lee@example.com'", "B\nC"),
        ("team = 'Nobody'", "hint: no row has Team “Nobody”; the values are: “Dana Reyes”, “Lee Park”"),
    ] {
        let query = format!("WITH o AS (SELECT item, team FROM leaf) SELECT item FROM o WHERE {condition}");
        assert_eq!(seen(&s, &query), right, "{query}");
    }
}

/// What a query leaves out is told where another one is made of it, and only of the rows that it has.
#[test]
fn what_is_left_out_is_told_through_other_queries() {
    let s = phases();
    let text = |rows: &str| format!("note: Cost holds text in {rows} and is left out there (C: “1,234”)");
    let blank = "note: Status is empty in 1 row, which is left out (C)";
    for (query, right) in [
        ("WITH o AS (SELECT * FROM leaf) SELECT SUM(cost) FROM o", format!("1246\n{}", text("1 row"))),
        ("WITH o AS (SELECT * FROM leaf WHERE item <> 'C') SELECT SUM(cost) FROM o", "1246".into()),
        ("WITH o AS (SELECT item, cost FROM leaf), p AS (SELECT * FROM o) SELECT AVG(cost) FROM p WHERE item < 'C'", "6".into()),
        ("SELECT MAX(cost) FROM (SELECT cost FROM leaf ORDER BY item DESC LIMIT 2)", format!("1234\n{}", text("1 row"))),
        ("SELECT COUNT(*) FROM (SELECT * FROM leaf) AS o WHERE o.status <> 'Done'", format!("2\n{blank}")),
        ("WITH o AS (SELECT status AS s FROM leaf WHERE item <> 'C') SELECT COUNT(*) FROM o WHERE s <> 'Done'", "2".into()),
        (
            "WITH o(a, b) AS (SELECT item, cost FROM leaf) SELECT SUM(b) FROM o",
            "1246\nnote: Cost holds text in 1 row, which counts in no figure and no comparison (C: “1,234”)".into(),
        ),
        ("SELECT item FROM leaf WHERE item IN (SELECT item FROM leaf WHERE cost < 8)", format!("A\nB\n{}", text("1 row"))),
    ] {
        assert_eq!(seen(&s, query), right, "{query}");
    }
}

#[test]
fn what_has_no_rows_says_which_condition_it_is() {
    let s = phases();
    for (query, right) in [
        ("SELECT item FROM leaf WHERE cost > 5000", "hint: no row meets “Cost is more than 5000”; Cost goes from 5 to 1234"),
        (
            "SELECT COUNT(*) FROM leaf WHERE item = 'A' AND cost > 5000",
            "0\nhint: no row meets “Cost is more than 5000”; Cost goes from 5 to 1234",
        ),
        (
            "SELECT item FROM leaf WHERE status = 'Done' AND (cost > 6)",
            "hint: some rows meet each of these, but no row meets all: Status is “Done”; Cost is more than 6",
        ),
        ("SELECT SUM(cost) FROM leaf WHERE status = 'Dne'", "\nhint: no row has Status “Dne”; did you mean “Done” (1 row)?"),
        ("SELECT COUNT(*) FROM leaf WHERE cost > 5", "2"),
        ("WITH o AS (SELECT AVG(cost) AS a FROM leaf) SELECT COUNT(*) FROM leaf WHERE cost > (SELECT a FROM o)", "1"),
        (
            "WITH o AS (SELECT MAX(cost) AS a FROM leaf) SELECT COUNT(*) FROM leaf WHERE cost > (SELECT a FROM o)",
            "0\nhint: no row meets “Cost is more than the a of the sheet”; Cost goes from 5 to 1234",
        ),
    ] {
        let seen = seen(&s, query);
        let seen = seen.lines().filter(|line| !line.starts_with("note: ")).collect::<Vec<_>>().join("\n");
        assert_eq!(seen, right, "{query}");
    }
}

#[test]
fn each_branch_counts_only_what_no_other_takes() {
    let s = phases();
    let otherwise = "\nnote: Status is empty in 1 row, which falls under ELSE (C)";
    let left_out = "\nnote: Status is empty in 1 row, which is left out (C)";
    for (query, right) in [
        ("SELECT SUM(CASE WHEN item = 'C' THEN 5 WHEN status <> 'Done' THEN 1 ELSE 0 END) FROM leaf", "7".to_owned()),
        ("SELECT SUM(CASE WHEN status <> 'Done' THEN 1 WHEN item = 'C' THEN 5 ELSE 0 END) FROM leaf", "7".to_owned()),
        ("SELECT SUM(CASE WHEN item = 'A' THEN 5 WHEN status <> 'Done' THEN 1 ELSE 0 END) FROM leaf", format!("7{otherwise}")),
        ("SELECT SUM(CASE WHEN item = 'A' THEN 5 WHEN status <> 'Done' THEN 1 END) FROM leaf", format!("7{left_out}")),
        ("SELECT SUM(IIF(status <> 'Done', 1, 0)) FROM leaf", format!("2{otherwise}")),
        ("SELECT SUM(IIF(status <> 'Done', 1, 0)) FILTER (WHERE item <> 'C') FROM leaf", "2".to_owned()),
        ("SELECT COUNT(*) FROM leaf WHERE CASE WHEN status <> 'Done' THEN 1 ELSE 0 END = 1", format!("2{otherwise}")),
        ("SELECT COUNT(*) FROM leaf WHERE CASE WHEN status <> 'Done' THEN 1 END = 1", format!("2{left_out}")),
        ("SELECT SUM(CASE WHEN item = 'C' THEN 0 ELSE cost END) FROM leaf", "1246".to_owned()),
    ] {
        assert_eq!(seen(&s, query), right, "{query}");
    }
}

#[test]
fn moments_are_no_misses() {
    let columns = [json!("Item"), json!({ "title": "Created", "type": "DATETIME", "systemColumnType": "CREATED_DATE" })];
    let s = sheet("Log", &columns, &[vec![json!("A"), json!("2026-11-03T10:00:00Z")]]);
    assert_eq!(seen(&s, "SELECT item FROM leaf WHERE created LIKE '2026-11%'"), "A");
}
