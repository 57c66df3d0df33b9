//! Queries that strong models write, each with its right figure, rows or refusal, worked out by hand.

use super::super::build::snapshot_of;
use super::super::snapshot::Snapshot;
use super::*;
use jiff::civil::datetime;
use serde_json::{Value, json};
use sqlparser::keywords::ALL_KEYWORDS;

/// A sheet of the API from titles with types, and rows of values; `null` is no cell, an array a value with what is shown.
pub(super) fn sheet(name: &str, columns: &[Value], rows: &[Vec<Value>]) -> Snapshot {
    snapshot_of(&body_of(name, columns, rows))
}

/// The same as the API sends it.
pub(super) fn body_of(name: &str, columns: &[Value], rows: &[Vec<Value>]) -> Value {
    let columns: Vec<Value> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            let mut column = if c.is_string() { json!({ "title": c, "type": "TEXT_NUMBER" }) } else { c.clone() };
            column["id"] = json!(100 + i);
            column["index"] = json!(i);
            column["primary"] = json!(i == 0);
            column
        })
        .collect();
    let rows: Vec<Value> = rows
        .iter()
        .enumerate()
        .map(|(n, values)| {
            let cell = |(i, v): (usize, &Value)| match v {
                Value::Null => None,
                Value::Object(cell) => {
                    let mut cell = cell.clone();
                    cell.insert("columnId".into(), json!(100 + i));
                    Some(Value::Object(cell))
                }
                Value::Array(pair) => Some(json!({ "columnId": 100 + i, "value": pair[0], "displayValue": pair[1] })),
                other => Some(json!({ "columnId": 100 + i, "value": other })),
            };
            let cells: Vec<Value> = values.iter().enumerate().filter_map(cell).collect();
            json!({ "id": 9000 - n, "rowNumber": n + 1, "cells": cells })
        })
        .collect();
    json!({ "id": 1, "name": name, "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER", "columns": columns, "rows": rows })
}

fn run(snapshot: &Snapshot, sql: &str) -> Result<(Checked, super::super::QueryResult), String> {
    let checked = check(sql, snapshot, datetime(2026, 11, 29, 10, 30, 0, 0)).map_err(|e| e.0)?;
    let result = snapshot.query(&checked, 100).map_err(|e| format!("{e} in {}", checked.sql))?;
    Ok((checked, result))
}

/// The rows of an answer as people see them, without ids; notes behind.
pub(super) fn seen(snapshot: &Snapshot, sql: &str) -> String {
    let (_, result) = match run(snapshot, sql) {
        Ok(answer) => answer,
        Err(error) => return format!("error: {error}"),
    };
    let visible: Vec<usize> = (0..result.columns.len()).filter(|i| !result.columns[*i].is_row_id).collect();
    let row = |r: usize| visible.iter().map(|c| result.shown(r, *c)).collect::<Vec<_>>().join(" | ");
    let mut lines: Vec<String> = (0..result.rows.len()).map(row).collect();
    lines.extend(result.notes.iter().map(|n| format!("note: {n}")));
    lines.extend(result.hints.iter().map(|n| format!("hint: {n}")));
    lines.join("\n")
}

pub(super) fn filter(snapshot: &Snapshot, condition: &str) -> String {
    match check(&format!("SELECT * FROM leaf WHERE {condition}"), snapshot, datetime(2026, 11, 29, 10, 30, 0, 0)) {
        Ok(checked) => checked.filter.unwrap_or_default(),
        Err(error) => format!("error: {error}"),
    }
}

fn money() -> Snapshot {
    let columns = [
        json!("Item"),
        json!("Amount"),
        json!("Share"),
        json!({ "title": "Due Date", "type": "DATE" }),
        json!({ "title": "Done", "type": "CHECKBOX" }),
        json!({ "title": "Status", "type": "PICKLIST", "options": ["Blocked", "Done", "In Progress"] }),
        json!({ "title": "Owner", "type": "CONTACT_LIST" }),
        json!("Imported"),
        json!("Deadline"),
    ];
    let lee = json!(["lee.park@example.com", "Lee Park"]);
    let dana = json!(["dana.reyes@example.com", "Dana Reyes"]);
    let rows = vec![
        vec![
            json!("A"),
            json!([10.0, "$10"]),
            json!([0.5, "50%"]),
            json!("2026-11-28"),
            json!(true),
            json!("Blocked"),
            lee.clone(),
            json!("1,234.50"),
            json!("11/30/2026"),
        ],
        vec![
            json!("B"),
            json!([2000.0, "$2,000"]),
            json!([1.0, "100%"]),
            json!("2027-01-31"),
            json!(false),
            json!("Done"),
            dana.clone(),
            json!("2,000"),
            json!("1/5/2027"),
        ],
        vec![
            json!("C"),
            json!("tbd"),
            json!([0.25, "25%"]),
            json!("TBD"),
            Value::Null,
            Value::Null,
            Value::Null,
            json!("€1.234,50"),
            json!("12/01/2025"),
        ],
        vec![json!("D"), json!("5 days"), Value::Null, Value::Null, Value::Null, json!("In Progress"), lee, json!("12%"), json!("TBD")],
    ];
    sheet("Money Matters", &columns, &rows)
}

#[test]
fn figures_leave_texts_out_and_say_so() {
    let s = money();
    insta::assert_snapshot!(seen(&s, "SELECT AVG(amount), MAX(amount), MIN(amount), SUM(amount), COUNT(amount), MEDIAN(amount) FROM leaf"), @r"
    $1,005 | $2,000 | $10 | $2,010 | 2 | $1,005
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item, amount FROM leaf WHERE amount > 5"), @r"
    A | $10
    B | $2,000
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item, amount FROM leaf ORDER BY amount DESC LIMIT 1"), @r"
    B | $2,000
    note: Amount holds text in 2 rows, which stand last (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item, amount FROM leaf ORDER BY amount"), @r"
    A | $10
    B | $2,000
    C | tbd
    D | 5 days
    note: Amount holds text in 2 rows, which stand last (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT SUM(amount * 2), SUM(COALESCE(amount, 0)), SUM(CASE WHEN amount > 100 THEN amount ELSE 0 END) FROM sheet"), @r"
    4020 | 2010 | 2000
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    note: Amount holds text in 2 rows, which count as 0 (C: “tbd”, D: “5 days”)
    note: Amount holds text in 2 rows, which fall under ELSE (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT SUM(amount) FROM leaf WHERE status = 'Done'"), @"$2,000");
    insta::assert_snapshot!(seen(&s, "SELECT COUNT(*) FILTER (WHERE amount > 100) / COUNT(*) AS share FROM leaf"), @"0.25");
    insta::assert_snapshot!(seen(&s, "SELECT SUM(imported) FROM leaf"), @"error: Imported (imported) holds texts, not numbers: “1,234.50”, “2,000”, “€1.234,50”; they look like numbers, but Smartsheet keeps them as texts: nothing is added up or compared until they are changed to numbers in the sheet");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE imported > 1500"), @"error: Imported (imported) holds texts, not numbers: “1,234.50”, “2,000”, “€1.234,50”; they look like numbers, but Smartsheet keeps them as texts: nothing is added up or compared until they are changed to numbers in the sheet");
    insta::assert_snapshot!(seen(&s, "SELECT amount, COUNT(*) FROM sheet GROUP BY amount ORDER BY amount"), @r"
    $10 | 1
    $2,000 | 1
    5 days | 1
    tbd | 1
    ");
    insta::assert_snapshot!(seen(&s, "WITH x AS (SELECT item, amount FROM leaf WHERE status <> 'Blocked') SELECT AVG(amount) FROM x"), @"
    $2,000
    note: Status is empty in 1 row, which is left out (C)
    note: Amount holds text in 1 row and is left out there (D: “5 days”)
    ");
}

#[test]
fn days_are_days_and_texts_stand_beside_them() {
    let s = money();
    insta::assert_snapshot!(seen(&s, "SELECT MAX(due_date), MIN(due_date) FROM leaf"), @r"
    2027-01-31 | 2026-11-28
    note: Due Date holds text in 1 row and is left out there (C: “TBD”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE \"Due Date\" < CURRENT_DATE"), @r"
    A
    note: Due Date holds text in 1 row and is left out there (C: “TBD”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE due_date = 'tbd'"), @"C");
    insta::assert_snapshot!(seen(&s, "SELECT item, due_date FROM leaf ORDER BY due_date DESC LIMIT 2"), @r"
    B | 2027-01-31
    A | 2026-11-28
    note: Due Date holds text in 1 row, which stands last (C: “TBD”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT date(due_date, '+1 month') FROM leaf WHERE item = 'B'"), @"2027-02-28");
    insta::assert_snapshot!(seen(&s, "SELECT due_date - date('now'), due_date + 7 FROM leaf WHERE item = 'A'"), @"-1 | 2026-12-05");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE YEAR(due_date) = 2027 AND strftime('%m', due_date) = 1"), @r"
    B
    note: Due Date holds text in 1 row and is left out there (C: “TBD”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE deadline < '2026-12-01'"), @"error: Deadline (deadline) holds its days as texts, which cannot be compared as days: use = or LIKE, or ask for the column to be changed to dates");
    insta::assert_snapshot!(seen(&s, "SELECT SUM(due_date) FROM leaf"), @"error: Due Date is a day, not a number: use MIN, MAX or COUNT, or julianday(…) for a number of days");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE due_date > 5"), @"error: Due Date is a day: compare it with 'YYYY-MM-DD', not with a number");
}

#[test]
fn boxes_people_and_texts_are_found_as_people_mean_them() {
    let s = money();
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE NOT done"), @r"
    B
    C
    D
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE done = 'yes'"), @"A");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE status = 'blocked' AND owner = 'LEE PARK'"), @"A");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE owner = 'lee.park@example.com'"), @r"
    A
    D
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE status = 'Bloked'"), @"hint: no row has Status “Bloked”; did you mean “Blocked” (1 row)?");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE owner = 'Dana Cho'"), @"hint: no row has Owner “Dana Cho”; did you mean “Dana Reyes” (1 row)?");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE status != 'Done'"), @r"
    A
    D
    note: Status is empty in 1 row, which is left out (C)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE status IS NOT 'Done'"), @r"
    A
    C
    D
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE share = 100"), @"B");
    insta::assert_snapshot!(seen(&s, "SELECT nope FROM sheet"), @"error: no such column: nope; the columns are: row_id, parent_id, level, row_number, is_parent, path, top, item, amount, share, due_date, done, status, owner, imported, deadline");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM sheet WHERE \"Stats\" = 'Done'"), @"error: no such column: Stats; did you mean status?; the columns are: row_id, parent_id, level, row_number, is_parent, path, top, item, amount, share, due_date, done, status, owner, imported, deadline; texts stand in single quotes");
    insta::assert_snapshot!(seen(&s, "SELECT COUNT(*) FROM \"Money Matters\" WHERE 'Due Date' > '2027-12-31'"), @"
    0
    note: Due Date holds text in 1 row and is left out there (C: “TBD”)
    hint: no row meets “Due Date is after 31 Dec 2027”; Due Date goes from 28 Nov 2026 to 31 Jan 2027
    ");
}

#[test]
fn units_go_to_what_has_them() {
    let s = money();
    insta::assert_snapshot!(seen(&s, "SELECT ROUND(AVG(share)*100, 1), ROUND(AVG(share), 2), AVG(share), COUNT(share) AS share, SUM(amount)/1000, MAX(amount) - MIN(amount) FROM leaf"), @r"
    58.3 | 58% | 58.3333% | 3 | 2.01 | $1,990
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT t FROM (SELECT SUM(amount) AS t FROM leaf)"), @r"
    $2,010
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    ");
}

#[test]
fn conditions_are_said_in_words() {
    let s = money();
    insta::assert_snapshot!(filter(&s, "\"Due Date\" < '2026-11-29' AND (status IS NULL OR status NOT IN ('Done','Cancelled'))"), @"Due Date is before 29 Nov 2026 and Status is none of “Done”, “Cancelled” (or empty)");
    insta::assert_snapshot!(filter(&s, "amount BETWEEN 5 AND 5000 AND share >= 0.5"), @"Amount is between $5 and $5,000 and Share is at least 50%");
    insta::assert_snapshot!(filter(&s, "item LIKE '%a%' OR NOT done"), @"Item contains “a” or Done is not ticked");
    insta::assert_snapshot!(filter(&s, "lower(item) = 'a' AND amount IS NULL AND done = 1"), @"Item is “a” and Amount has no number and Done is ticked");
    insta::assert_snapshot!(filter(&s, "row_id IN (SELECT row_id FROM sheet WHERE amount > 5)"), @"row id is among the rows where Amount is more than $5");
    insta::assert_snapshot!(filter(&s, "path LIKE '%Phase 3%' AND level > 1"), @"what it stands under contains “Phase 3” and level is more than 1");
}

#[test]
fn what_is_not_understood_is_refused_with_a_way_out() {
    let s = money();
    for sql in [
        "DELETE FROM sheet",
        "SELECT 1; SELECT 2",
        "SELECT * FROM sqlite_master",
        "SELECT load_extension('x')",
        "SELECT item REGEXP 'a' FROM sheet",
        "SELECT DATEDIFF(week, due_date, '2026-01-01') FROM sheet",
        "SELECT item FROM sheet WHERE status = NULL",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT * FROM x",
        "SELECT item FROM sheet WHERE amount > 'a lot'",
        "SELECT * FROM json_each('[1]')",
    ] {
        assert!(seen(&s, sql).starts_with("error: "), "{sql}: {}", seen(&s, sql));
    }
}

/// What stands in for a text is named; the texts themselves are compared with it.
#[test]
fn defaults_say_what_stands_in_for_texts() {
    let s = money();
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE COALESCE(amount, 0) < 5"), @r"
    C
    D
    note: Amount holds text in 2 rows, which count as 0 (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT AVG(IFNULL(amount, 0)), AVG(amount) FROM leaf"), @r"
    502.5 | $1,005
    note: Amount holds text in 2 rows, which count as 0 (C: “tbd”, D: “5 days”)
    note: Amount holds text in 2 rows and is left out there (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT CASE WHEN amount > 100 THEN 'big' ELSE 'small' END AS size, COUNT(*) FROM leaf GROUP BY 1"), @r"
    big | 1
    small | 3
    note: Amount holds text in 2 rows, which fall under ELSE (C: “tbd”, D: “5 days”)
    ");
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf WHERE COALESCE(status, '') = ''"), @"C");
    let condition = |sql: &str| check(sql, &s, datetime(2026, 11, 29, 10, 30, 0, 0)).expect("a query").filter;
    assert_eq!(condition("SELECT item FROM leaf WHERE COALESCE(amount, 0) < 5").as_deref(), Some("Amount (else 0) is less than $5"));
    let highest = condition("SELECT item FROM leaf WHERE amount = (SELECT MAX(amount) FROM leaf)");
    assert_eq!(highest.as_deref(), Some("Amount is the highest Amount of the sheet"));
}

/// Days and numbers that Smartsheet keeps as texts have no order but that of their letters.
#[test]
fn texts_that_look_like_days_are_not_put_in_order() {
    let s = money();
    for sql in [
        "SELECT MIN(deadline) FROM leaf",
        "SELECT MAX(imported) FROM leaf",
        "SELECT item FROM leaf WHERE date(deadline) < '2026-12-01'",
        "SELECT julianday(deadline) FROM leaf",
    ] {
        assert!(seen(&s, sql).contains("as texts"), "{sql}: {}", seen(&s, sql));
    }
    insta::assert_snapshot!(seen(&s, "SELECT item FROM leaf ORDER BY deadline DESC LIMIT 1"), @r"
    D
    note: Deadline holds texts that look like days or numbers: their order is that of the letters
    ");
}

/// A name that a title gives must read as a column wherever a column may stand, without quotes.
#[test]
fn every_word_of_the_reader_and_of_sqlite_may_be_a_title() {
    let sqlite = include_str!("sqlite_words.txt").split_whitespace();
    let words: Vec<&str> = ALL_KEYWORDS.iter().copied().chain(sqlite).collect();
    let mut broken = Vec::new();
    for group in words.chunks(60) {
        let titles: Vec<Value> = std::iter::once(json!("Primary Name")).chain(group.iter().map(|w| json!(w))).collect();
        let values: Vec<Value> = std::iter::once(json!("x")).chain((0..group.len()).map(|i| json!(format!("v{i}")))).collect();
        let s = sheet("Words", &titles, &[values]);
        for (i, word) in group.iter().enumerate() {
            let name = &s.columns[i + 1].sql;
            let ways = [
                format!("SELECT {name} FROM sheet WHERE {name} = 'v{i}' ORDER BY {name}"),
                format!("SELECT t.{name}, MAX({name}) FROM sheet AS t WHERE primary_name = 'x' AND {name} LIKE 'v%' GROUP BY {name}"),
                format!("SELECT row_id FROM sheet WHERE ({name} = 'v{i}')"),
                format!("SELECT row_id, ({name}), ({name} || 'x') FROM sheet WHERE ({name} LIKE 'v%' AND {name} IS NOT NULL)"),
                format!("SELECT CASE WHEN {name} IS NOT NULL THEN {name} END, {name} || 'x' FROM leaf WHERE NOT {name} IN ('y')"),
            ];
            for sql in ways {
                if run(&s, &sql).map(|(_, r)| r.total) != Ok(1) {
                    broken.push(format!("{word} -> {name}: {:?}", run(&s, &sql).map(|(_, r)| r.total)));
                    break;
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} of {}: {}", broken.len(), words.len(), broken.join("\n"));
}

/// A title that is another column's name, or that of what every row has, never means something else in silence.
#[test]
fn a_title_that_reads_like_another_name_is_its_own_column_or_asked_back() {
    let s = sheet(
        "Names",
        &[json!("Due Date"), json!("due_date"), json!("level"), json!("Top")],
        &[vec![json!("a"), json!("b"), json!(7), json!("x")]],
    );
    for (sql, right) in [
        ("\"due_date\"", "b"),
        ("due_date", "b"),
        ("\"Due Date\"", "a"),
        ("due_date_2", "a"),
        ("level_2", "7"),
        ("level", "0"),
        ("\"Top\"", "x"),
    ] {
        let shown = seen(&s, &format!("SELECT {sql} FROM sheet"));
        assert!(shown.contains(right), "{sql}: {shown}");
    }
    insta::assert_snapshot!(seen(&s, "SELECT \"level\" FROM sheet"), @"error: “level” is a column of the sheet, level_2, and also what every row has: write level_2 or level without quotes; texts stand in single quotes");
    insta::assert_snapshot!(seen(&s, "SELECT sheet.[level] FROM sheet"), @"error: “level” is a column of the sheet, level_2, and also what every row has: write level_2 or level without quotes");
}

#[test]
fn a_query_in_a_fence_is_the_query() {
    let s = sheet("Plan", &[json!("Item")], &[vec![json!("a")]]);
    for sql in ["```sql\nSELECT item FROM sheet;\n```", "```\nSELECT item FROM sheet\n```", "```SELECT item FROM sheet```"] {
        assert!(seen(&s, sql).contains('a') && !seen(&s, sql).contains("error"), "{sql}: {}", seen(&s, sql));
    }
}

#[test]
fn names_of_several_words_are_understood_without_quotes() {
    let s = money();
    assert_eq!(seen(&s, "SELECT COUNT(*) FROM Money Matters WHERE status = 'Done'"), "1");
    assert_eq!(
        seen(&s, "SELECT MAX(due date) FROM money matters m WHERE m.done = 0"),
        seen(&s, "SELECT MAX(due_date) FROM leaf WHERE done = 0")
    );
    assert_eq!(filter(&s, "Due Date < '2027-01-01' AND Status = 'Blocked'"), filter(&s, "due_date < '2027-01-01' AND status = 'Blocked'"));
    assert_eq!(seen(&s, "SELECT item FROM leaf ORDER BY Due Date"), seen(&s, "SELECT item FROM leaf ORDER BY due_date"));
    // What stands behind AS stays a name that is given, and words of SQL stay what they are.
    let traps = sheet(
        "Order By",
        &[json!("Item"), json!("Status"), json!("Status Note"), json!("Group By")],
        &[vec![json!("A"), json!("Open"), json!("wait"), json!("x")]],
    );
    assert_eq!(seen(&traps, "SELECT status note FROM Order By"), "wait");
    assert_eq!(seen(&traps, "SELECT status AS note FROM leaf GROUP BY status ORDER BY status"), "Open");
    assert_eq!(seen(&traps, "SELECT \"Group By\" FROM sheet"), "x");
}
