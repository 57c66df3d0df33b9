//! Random sheets and random questions, held against plain code that knows neither SQL nor our types.

mod sheet;

use self::sheet::{Column, Kind, Raw, TITLES, Table, cells, folded, json_of, kind_of};
use crate::dice::Dice;
use crate::world::number;
use chatsheet::clock::Clock;
use chatsheet::events::Events;
use chatsheet::sheet::{QueryResult, SheetId, Sheets, Snapshot, check};
use chatsheet::smartsheet::{Client, Identity, Settings};
use sandbox::smartsheet::{Options, Seed, Smartsheet, TOKEN};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Sheets and questions of each, unless `ORACLE_SHEETS` says otherwise.
const SHEETS: u64 = 50;
const QUESTIONS: usize = 60;

fn near(got: &Value, right: Option<f64>) -> bool {
    match (got.as_f64(), right) {
        (Some(got), Some(right)) => (got - right).abs() <= 1e-9 * right.abs().max(1.0),
        (None, None) => got.is_null(),
        _ => false,
    }
}

/// One question: what was asked, what came back, what is right.
struct Answer {
    sql: String,
    right: bool,
    what: String,
}

/// Whether an answer is right, and what it was instead.
type Outcome = Result<(bool, String), String>;

fn ask(snapshot: &Snapshot, sql: &str) -> Result<QueryResult, String> {
    let checked = check(sql, snapshot, jiff::civil::datetime(2026, 11, 29, 12, 0, 0, 0)).map_err(|e| e.0)?;
    snapshot.query(&checked, 1_000).map_err(|e| format!("{e} in {}", checked.sql))
}

fn question(dice: &mut Dice, table: &Table, snapshot: &Snapshot) -> Answer {
    let condition = table.condition(dice, 2);
    let rows: Vec<usize> = (0..table.rows).filter(|r| condition.holds[*r] == Some(true)).collect();
    let whose = &condition.sql;
    let number = table.of(dice, Kind::Number);
    let (sql, outcome) = match (dice.below(12), number) {
        (0 | 1, _) | (_, None) => {
            let sql = format!("SELECT row_number FROM sheet WHERE {whose}");
            let outcome = these_rows(snapshot, &sql, &rows);
            (sql, outcome)
        }
        (2, Some(at)) => {
            let name = table.name(dice, at);
            let sql = format!(
                "SELECT COUNT(*), COUNT({name}), SUM({name}), AVG({name}), MIN({name}), MAX({name}), SUM({name} * 2) / COUNT(*) FROM sheet WHERE {whose}"
            );
            let all = table.numbers(at, &rows);
            let sum: f64 = all.iter().sum();
            let some = |x: f64| if all.is_empty() { None } else { Some(x) };
            let right = [
                Some(rows.len() as f64),
                Some(all.len() as f64),
                some(sum),
                some(sum / all.len() as f64),
                some(all.iter().copied().fold(f64::INFINITY, f64::min)),
                some(all.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                some(sum * 2.0 / rows.len() as f64),
            ];
            let texts = rows.iter().filter(|r| matches!(table.columns[at].cells[**r], Raw::Text(_))).count();
            let title = &table.columns[at].title;
            let outcome = ask(snapshot, &sql).map(|a| {
                let figures = a.rows[0].iter().zip(right).all(|(got, right)| near(got, right));
                let said = a
                    .notes
                    .iter()
                    .find_map(|n| n.strip_prefix(&format!("{title} holds text in "))?.split(' ').next()?.parse::<usize>().ok());
                // Of a column that the condition touches, too, the note may speak of what the condition left out.
                let true_note = said == (texts > 0).then_some(texts) || table.columns[at].stands_in(whose);
                (figures && true_note, format!("{:?} instead of {right:?}, notes {:?} for {texts}", a.rows[0], a.notes))
            });
            (sql, outcome)
        }
        (3, Some(at)) => {
            let (name, descending, most) = (table.name(dice, at), dice.chance(50), 1 + dice.below(5));
            let sql =
                format!("SELECT row_number FROM sheet WHERE {whose} ORDER BY {name}{} LIMIT {most}", if descending { " DESC" } else { "" });
            let mut sorted = rows.clone();
            let key = |r: &usize| if let Raw::Number(n) = table.columns[at].cells[*r] { Some(n) } else { None };
            sorted.sort_by(|a, b| match (key(a), key(b)) {
                (Some(x), Some(y)) => {
                    if descending {
                        y.total_cmp(&x)
                    } else {
                        x.total_cmp(&y)
                    }
                }
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => std::cmp::Ordering::Equal,
            });
            let right: Vec<Value> = sorted.iter().take(most).map(|r| json!(r + 1)).collect();
            let outcome = ask(snapshot, &sql).map(|a| {
                let got: Vec<Value> = a.rows.iter().map(|r| r[0].clone()).collect();
                (got == right && a.total == rows.len(), format!("{got:?} of {} instead of {right:?} of {}", a.total, rows.len()))
            });
            (sql, outcome)
        }
        (4, Some(at)) => {
            let Some(by) = table.of(dice, Kind::Text) else { return question(dice, table, snapshot) };
            let (name, group) = (table.name(dice, at), table.name(dice, by));
            let sql = format!("SELECT {group}, COUNT(*), SUM({name}) FROM sheet WHERE {whose} GROUP BY {group}");
            let mut right: BTreeMap<String, (usize, Vec<f64>)> = BTreeMap::new();
            for r in &rows {
                let key = if let Raw::Text(text) = &table.columns[by].cells[*r] { folded(text) } else { String::new() };
                let entry = right.entry(key).or_default();
                entry.0 += 1;
                entry.1.extend(table.numbers(at, &[*r]));
            }
            let outcome = ask(snapshot, &sql).map(|a| {
                let fits = |row: &Vec<Value>| {
                    let (count, all) = right.get(&folded(row[0].as_str().unwrap_or_default())).cloned().unwrap_or_default();
                    let sum = if all.is_empty() { None } else { Some(all.iter().sum::<f64>()) };
                    near(&row[1], Some(count as f64)) && near(&row[2], sum)
                };
                (a.rows.len() == right.len() && a.rows.iter().all(fits), format!("{:?} instead of {right:?}", a.rows))
            });
            (sql, outcome)
        }
        (5, Some(at)) => {
            // A query of another query: only what the inner condition lets through is counted.
            let name = &table.columns[at].sql;
            let sql = format!("WITH some AS (SELECT * FROM sheet WHERE {whose}) SELECT COUNT(*), SUM({name}), MAX({name}) FROM some");
            let all = table.numbers(at, &rows);
            let most = sum(&all).map(|_| all.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            let outcome = figures(snapshot, &sql, &[Some(rows.len() as f64), sum(&all), most]);
            (sql, outcome)
        }
        (7, Some(at)) => branches(dice, table, snapshot, at),
        (8, Some(at)) => beside_each_other(dice, table, snapshot, (at, &condition.sql, &rows)),
        (9, _) => by_another_name(dice, table, snapshot, (whose, &rows)),
        (11, _) => sieved(dice, table, snapshot, (whose, &rows)),
        (10, Some(at)) => carried(dice, table, snapshot, (at, whose, &rows)),
        (_, Some(at)) => {
            let name = table.name(dice, at);
            let sql =
                format!("SELECT COUNT(*) FILTER (WHERE {whose}) / COUNT(*), MEDIAN({name}), AVG({name}) FILTER (WHERE {whose}) FROM sheet");
            let all: Vec<usize> = (0..table.rows).collect();
            let mut numbers = table.numbers(at, &all);
            numbers.sort_by(f64::total_cmp);
            let middle = numbers.len() / 2;
            let median = if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) };
            let some = table.numbers(at, &rows);
            let average = sum(&some).map(|sum| sum / some.len() as f64);
            let outcome = figures(snapshot, &sql, &[Some(rows.len() as f64 / table.rows as f64), Some(median), average]);
            (sql, outcome)
        }
    };
    let (right, what) = outcome.unwrap_or_else(|error| (false, format!("error: {error}")));
    Answer { sql, right, what }
}

/// Whether the figures of the one row that a query brings are these.
fn figures(snapshot: &Snapshot, sql: &str, right: &[Option<f64>]) -> Outcome {
    ask(snapshot, sql).map(|a| {
        let fits = a.rows[0].len() == right.len() && a.rows[0].iter().zip(right).all(|(got, right)| near(got, *right));
        (fits, format!("{:?} instead of {right:?}", a.rows[0]))
    })
}

/// Whether a query brings the numbers of these rows.
fn these_rows(snapshot: &Snapshot, sql: &str, rows: &[usize]) -> Outcome {
    let right: Vec<Value> = rows.iter().map(|r| json!(r + 1)).collect();
    let got = ask(snapshot, sql).map(|a| a.rows.iter().map(|r| r[0].clone()).collect::<Vec<_>>());
    got.map(|got| (got == right, format!("{got:?} instead of {right:?}")))
}

fn sum(all: &[f64]) -> Option<f64> {
    if all.is_empty() { None } else { Some(all.iter().sum()) }
}

/// The first branch that holds gives the value.
fn branches(dice: &mut Dice, table: &Table, snapshot: &Snapshot, at: usize) -> (String, Outcome) {
    let (first, second, name) = (table.condition(dice, 1), table.condition(dice, 1), table.name(dice, at));
    let otherwise = dice.chance(50);
    let last = if otherwise { " ELSE 100" } else { "" };
    let sql = format!("SELECT SUM(CASE WHEN {} THEN 1 WHEN {} THEN {name}{last} END) FROM sheet", first.sql, second.sql);
    let of_row = |row: usize| match (first.holds[row], second.holds[row]) {
        (Some(true), _) => Some(1.0),
        (_, Some(true)) => table.numbers(at, &[row]).pop(),
        _ => otherwise.then_some(100.0),
    };
    let all: Vec<f64> = (0..table.rows).filter_map(of_row).collect();
    let outcome = figures(snapshot, &sql, &[sum(&all)]);
    (sql, outcome)
}

/// A figure of its own rows beside one of other rows, and rows that are held against a figure.
fn beside_each_other(dice: &mut Dice, table: &Table, snapshot: &Snapshot, (at, whose, rows): (usize, &str, &[usize])) -> (String, Outcome) {
    let (other, name) = (table.condition(dice, 1), table.name(dice, at));
    let others: Vec<usize> = (0..table.rows).filter(|r| other.holds[*r] == Some(true)).collect();
    let of_others = table.numbers(at, &others);
    if dice.chance(50) {
        let sql = format!("SELECT COUNT(*), (SELECT SUM({name}) FROM sheet WHERE {}) FROM sheet WHERE {whose}", other.sql);
        let outcome = figures(snapshot, &sql, &[Some(rows.len() as f64), sum(&of_others)]);
        return (sql, outcome);
    }
    let sql = format!("SELECT row_number FROM sheet WHERE {whose} AND {name} > (SELECT AVG({name}) FROM sheet WHERE {})", other.sql);
    let average = sum(&of_others).map(|sum| sum / of_others.len() as f64);
    let above = |r: &&usize| average.zip(table.numbers(at, &[**r]).pop()).is_some_and(|(average, n)| n > average);
    let right: Vec<usize> = rows.iter().filter(above).copied().collect();
    let outcome = these_rows(snapshot, &sql, &right);
    (sql, outcome)
}

/// A column that the query calls otherwise, in its own condition and in that of another query.
fn by_another_name(dice: &mut Dice, table: &Table, snapshot: &Snapshot, (whose, rows): (&str, &[usize])) -> (String, Outcome) {
    let inside = dice.chance(50);
    let kinds = [Kind::Text, Kind::People, Kind::Check, Kind::Number, Kind::Day];
    // Out of a query come values; texts beside numbers and days have a name of their own.
    let kinds = if inside { &kinds[..3] } else { &kinds };
    let at = loop {
        let kind = *dice.of(kinds);
        if let Some(at) = table.of(dice, kind) {
            break at;
        }
        if kinds.iter().all(|kind| table.of(dice, *kind).is_none()) {
            return by_another_name(dice, table, snapshot, (whose, rows));
        }
    };
    let name = table.name(dice, at);
    // The addresses of people stand in a column of their own.
    let condition = std::iter::repeat_with(|| table.simple_of(dice, at, "aka")).find(|c| c.sql.contains("aka"));
    let Some(condition) = condition else { unreachable!("most conditions are about the column itself") };
    let right: Vec<usize> = rows.iter().filter(|r| condition.holds[**r] == Some(true)).copied().collect();
    let own = format!("SELECT row_number, {name} AS aka FROM sheet WHERE {whose}");
    let sql = match inside {
        true => format!("WITH some AS ({own}) SELECT row_number FROM some WHERE {} ORDER BY row_number", condition.sql),
        false => format!("{own} AND {}", condition.sql),
    };
    let outcome = these_rows(snapshot, &sql, &right);
    (sql, outcome)
}

/// A condition on what another query lets through, or on whether it does.
fn sieved(dice: &mut Dice, table: &Table, snapshot: &Snapshot, (whose, rows): (&str, &[usize])) -> (String, Outcome) {
    let other = table.condition(dice, 2);
    let (sql, without) = match dice.below(3) {
        0 => {
            let sql = format!("WITH some AS (SELECT * FROM sheet WHERE {whose}) SELECT row_number FROM some WHERE {}", other.sql);
            (format!("{sql} ORDER BY row_number"), false)
        }
        at => {
            let not = if at == 1 { "" } else { "NOT " };
            let inner = format!("SELECT row_number FROM sheet WHERE {}", other.sql);
            (format!("SELECT row_number FROM sheet WHERE {whose} AND row_number {not}IN ({inner})"), at == 2)
        }
    };
    let right: Vec<usize> = rows.iter().filter(|r| (other.holds[**r] == Some(true)) != without).copied().collect();
    let outcome = if sql.starts_with("WITH") { without_texts(snapshot, table, &sql, &right) } else { these_rows(snapshot, &sql, &right) };
    (sql, outcome)
}

/// Out of a query come the numbers and days of a column; its texts have a name of their own. Whoever asks one for the other is told so, and
/// which texts are left out.
fn without_texts(snapshot: &Snapshot, table: &Table, sql: &str, right: &[usize]) -> Outcome {
    let told = |error: &String| error.contains(": compare it with a number, not") || error.contains(": compare it with 'YYYY-MM-DD', not");
    let answer = match ask(snapshot, sql) {
        Err(error) if told(&error) => return Ok((true, error)),
        answer => answer?,
    };
    let has_text =
        |r: &usize| table.columns.iter().any(|c| matches!(c.kind, Kind::Number | Kind::Day) && matches!(c.cells[*r], Raw::Text(_)));
    let got: Vec<usize> = answer.rows.iter().filter_map(|row| Some(row[0].as_u64()? as usize - 1)).collect();
    let (left_out, kept): (Vec<usize>, Vec<usize>) = right.iter().partition(|r| !got.contains(r));
    let says_so = left_out.is_empty() || answer.notes.iter().any(|note| note.contains(" holds text in "));
    let fits = kept == got && left_out.iter().all(has_text) && says_so;
    Ok((fits, format!("{got:?} instead of {right:?}, notes {:?}", answer.notes)))
}

/// A figure of what another query lets through, and how many texts are told to be left out there.
fn carried(dice: &mut Dice, table: &Table, snapshot: &Snapshot, (at, whose, rows): (usize, &str, &[usize])) -> (String, Outcome) {
    let (name, title) = (table.name(dice, at), &table.columns[at].title);
    let sql = format!("SELECT SUM(aka), COUNT(*) FROM (SELECT {name} AS aka FROM sheet WHERE {whose})");
    let texts = rows.iter().filter(|r| matches!(table.columns[at].cells[**r], Raw::Text(_))).count();
    let outcome = ask(snapshot, &sql).map(|a| {
        let fits = near(&a.rows[0][0], sum(&table.numbers(at, rows))) && near(&a.rows[0][1], Some(rows.len() as f64));
        let said =
            a.notes.iter().find_map(|n| n.strip_prefix(&format!("{title} holds text in "))?.split(' ').next()?.parse::<usize>().ok());
        let true_note = said == (texts > 0).then_some(texts) || table.columns[at].stands_in(whose);
        (fits && true_note, format!("{:?}, notes {:?} for {texts} texts", a.rows[0], a.notes))
    });
    (sql, outcome)
}

async fn table(dice: &mut Dice, far_side: &Smartsheet, sheets: &Sheets, name: &str) -> (Table, Arc<Snapshot>) {
    let rows = 5 + dice.below(30);
    let mut titles: Vec<&str> = TITLES.to_vec();
    let mut columns = Vec::new();
    for at in 0..6 + dice.below(6) {
        let title = if at == 0 { "Name" } else { titles.swap_remove(dice.below(titles.len())) };
        let kind =
            if at == 0 { Kind::Text } else { *dice.of(&[Kind::Number, Kind::Number, Kind::Day, Kind::Check, Kind::Text, Kind::People]) };
        let cells = if at == 0 { (0..rows).map(|r| Raw::Text(format!("Row {}", r + 1))).collect() } else { cells(dice, kind, rows) };
        columns.push(Column { title: title.to_owned(), sql: String::new(), email: String::new(), kind, cells });
    }
    let described: Vec<Value> = columns.iter().map(|c| json!({ "title": c.title, "type": kind_of(c.kind) })).collect();
    let row = |r: usize| {
        let filled = columns.iter().map(|c| (c.title.clone(), json_of(&c.cells[r]))).filter(|(_, cell)| !cell.is_null());
        json!({ "cells": filled.collect::<serde_json::Map<_, _>>() })
    };
    let lines: Vec<Value> = (0..rows).map(row).collect();
    let id = far_side.world().plant(&json!({ "name": name, "columns": described, "rows": lines }));
    let snapshot = sheets.snapshot(&Identity::Service, SheetId(id)).await.unwrap_or_else(|e| panic!("{e}"));
    for (column, of_snapshot) in columns.iter_mut().zip(&snapshot.columns) {
        column.sql.clone_from(&of_snapshot.sql);
        column.email = of_snapshot.email_sql.clone().unwrap_or_default();
    }
    (Table { columns, rows }, snapshot)
}

/// At least 2,000 questions in CI; `ORACLE_SHEETS=2000 ORACLE_SEED=7 cargo test --test it oracle` asks more, and others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_questions_of_random_sheets_are_answered_as_plain_code_does() {
    crate::world::install_tls();
    let (count, seed) = (number("ORACLE_SHEETS").unwrap_or(SHEETS), number("ORACLE_SEED").unwrap_or(20_261_129));
    let far_side = Smartsheet::start(Options { seed: Seed::Empty, requests_per_minute: usize::MAX, ..Options::default() }).await.unwrap();
    let settings = Settings {
        base_url: far_side.base_url().parse().unwrap(),
        token: TOKEN.into(),
        retry_delay: Duration::from_millis(10),
        retries: 1,
        timeout: Duration::from_secs(20),
        breaker_pause: Duration::from_secs(1),
        answer_bytes: 300 << 20,
    };
    let mut wrong = Vec::new();
    let mut asked = 0;
    for of_sheet in seed..seed + count {
        // A client of its own has a budget of its own.
        let sheets = Sheets::new(Client::new(settings.clone()).unwrap(), Clock::System, Events::default(), 1 << 24);
        let mut dice = Dice(of_sheet);
        let (table, snapshot) = table(&mut dice, &far_side, &sheets, &format!("Sheet {of_sheet}")).await;
        for _ in 0..QUESTIONS {
            asked += 1;
            let answer = question(&mut dice, &table, &snapshot);
            if !answer.right {
                wrong.push(format!("seed {of_sheet}: {}\n    {}", answer.sql, answer.what));
            }
        }
    }
    println!("{asked} questions of {count} sheets from seed {seed}: {} differ", wrong.len());
    assert!(wrong.is_empty(), "{} of {asked} differ:\n{}", wrong.len(), wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n"));
}
