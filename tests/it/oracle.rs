//! Random sheets and random questions, held against plain code that knows neither SQL nor our types.

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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number,
    Day,
    Check,
    Text,
    People,
}

/// What somebody put into a cell.
#[derive(Clone, Debug, PartialEq)]
enum Raw {
    Nothing,
    Number(f64),
    Text(String),
    Day(String),
    Tick(bool),
    People(Vec<usize>),
}

struct Column {
    title: String,
    sql: String,
    kind: Kind,
    cells: Vec<Raw>,
}

const TITLES: [&str; 22] = [
    "Order",
    "To",
    "Due Date",
    "% Complete",
    "Статус",
    "負責人",
    "Größe (cm)",
    "2026 Plan",
    "Path",
    "Level",
    "Select",
    "Budget",
    "Budget Text",
    "Actual",
    "due date",
    "Is it done?",
    "Part #",
    "From",
    "When",
    "Team",
    "Total $",
    "Group By",
];
const WORDS: [&str; 12] =
    ["Blocked", "blocked", "In Progress", "Done", "MÜNCHEN", "münchen", "café", "cafe\u{301}", "Москва", "O'Brien", "50%_off", "Done "];
const STRAYS: [&str; 10] = ["tbd", "n/a", "5 days", "1,234", "30,5", "12%", "A-17", "1003", "#DIVIDE BY ZERO", "00123"];
const PEOPLE: [(&str, &str); 4] = [
    ("Dana Reyes", "dana.reyes@example.com"),
    ("Dana Cho", "dana.cho@example.com"),
    ("Zoë Łódź", "zoe@example.com"),
    ("Lee Park", "lee.park@example.com"),
];

fn cells(dice: &mut Dice, kind: Kind, rows: usize) -> Vec<Raw> {
    let (blank, stray) = (*dice.of(&[0, 20, 50]), *dice.of(&[0, 10, 40]));
    let cell = |dice: &mut Dice| match kind {
        _ if dice.chance(blank) => Raw::Nothing,
        Kind::Number if dice.chance(stray) => Raw::Text((*dice.of(&STRAYS)).into()),
        Kind::Number => Raw::Number(*dice.of(&[0.0, 1.0, 5.0, 10.0, 40.0, 1001.0, 1003.0, -3.5, 0.25, 2000.0])),
        Kind::Day if dice.chance(stray) => Raw::Text((*dice.of(&["TBD", "soon", "2026-13-01", "Q4 2026"])).into()),
        Kind::Day => Raw::Day(format!("202{}-{:02}-{:02}", 6 + dice.below(2), 1 + dice.below(12), 1 + dice.below(28))),
        Kind::Check => Raw::Tick(dice.chance(50)),
        Kind::Text => Raw::Text((*dice.of(&WORDS)).into()),
        Kind::People => {
            let mut all: Vec<usize> = (0..PEOPLE.len()).filter(|_| dice.chance(40)).collect();
            if all.is_empty() {
                all.push(dice.below(PEOPLE.len()));
            }
            Raw::People(all)
        }
    };
    (0..rows).map(|_| cell(dice)).collect()
}

fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Number | Kind::Text => "TEXT_NUMBER",
        Kind::Day => "DATE",
        Kind::Check => "CHECKBOX",
        Kind::People => "MULTI_CONTACT_LIST",
    }
}

fn json_of(raw: &Raw) -> Value {
    match raw {
        Raw::Nothing => Value::Null,
        Raw::Number(n) => json!({ "value": n, "displayValue": n.to_string() }),
        Raw::Text(text) => json!({ "value": text, "displayValue": text }),
        Raw::Day(day) => json!({ "value": day }),
        Raw::Tick(ticked) => json!({ "value": ticked }),
        Raw::People(all) => {
            let names: Vec<&str> = all.iter().map(|p| PEOPLE[*p].0).collect();
            let contact = |p: &usize| json!({ "objectType": "CONTACT", "name": PEOPLE[*p].0, "email": PEOPLE[*p].1 });
            let values: Vec<Value> = all.iter().map(contact).collect();
            json!({ "value": names.join(", "), "displayValue": names.join(", "), "objectValue": { "objectType": "MULTI_CONTACT", "values": values } })
        }
    }
}

/// A text as people compare it: composed, without case and spaces around it.
fn folded(text: &str) -> String {
    text.trim().to_lowercase().replace("e\u{301}", "é")
}

fn names(all: &[usize]) -> String {
    all.iter().map(|p| PEOPLE[*p].0).collect::<Vec<_>>().join(", ")
}

fn emails(all: &[usize]) -> String {
    all.iter().map(|p| PEOPLE[*p].1).collect::<Vec<_>>().join(", ")
}

/// A condition: how it is written, and what it says of a row; `None` is unknown, as for an empty cell.
struct Condition {
    sql: String,
    holds: Vec<Option<bool>>,
}

/// A table of the sheet as people know it.
struct Table {
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    fn of(&self, dice: &mut Dice, kind: Kind) -> Option<usize> {
        // A column without a single number is one of texts, of which no figure is made.
        let usable = |c: &Column| c.kind == kind && (kind != Kind::Number || c.cells.iter().any(|r| matches!(r, Raw::Number(_))));
        let all: Vec<usize> = (1..self.columns.len()).filter(|c| usable(&self.columns[*c])).collect();
        if all.is_empty() { None } else { Some(*dice.of(&all)) }
    }

    /// One of the ways to name a column.
    fn name(&self, dice: &mut Dice, at: usize) -> String {
        let Column { title, sql, .. } = &self.columns[at];
        // Two titles that differ in nothing but case are told apart by their names alone.
        let twins = self.columns.iter().filter(|c| c.title.to_lowercase() == title.to_lowercase()).count() > 1;
        match dice.below(if twins { 1 } else { 4 }) {
            0 => sql.clone(),
            1 => format!("\"{}\"", title.replace('"', "\"\"")),
            2 => format!("[{title}]"),
            _ => format!("`{title}`"),
        }
    }

    fn condition(&self, dice: &mut Dice, depth: usize) -> Condition {
        if depth > 0 && dice.chance(40) {
            let (a, b) = (self.condition(dice, depth - 1), self.condition(dice, depth - 1));
            return match dice.below(3) {
                0 => Condition {
                    sql: format!("({} AND {})", a.sql, b.sql),
                    holds: a.holds.iter().zip(&b.holds).map(|(a, b)| and(*a, *b)).collect(),
                },
                1 => Condition {
                    sql: format!("({} OR {})", a.sql, b.sql),
                    holds: a.holds.iter().zip(&b.holds).map(|(a, b)| and(a.map(|x| !x), b.map(|x| !x)).map(|x| !x)).collect(),
                },
                _ => Condition { sql: format!("NOT ({})", a.sql), holds: a.holds.iter().map(|h| h.map(|x| !x)).collect() },
            };
        }
        loop {
            let kind = *dice.of(&[Kind::Number, Kind::Number, Kind::Day, Kind::Check, Kind::Text, Kind::People]);
            if let Some(at) = self.of(dice, kind) {
                return self.simple(dice, at);
            }
        }
    }

    fn simple(&self, dice: &mut Dice, at: usize) -> Condition {
        let name = self.name(dice, at);
        let cells = &self.columns[at].cells;
        let each = |holds: &dyn Fn(&Raw) -> Option<bool>| cells.iter().map(holds).collect::<Vec<_>>();
        let sign = *dice.of(&["<", "<=", ">", ">=", "=", "<>"]);
        match self.columns[at].kind {
            Kind::Number => {
                let n = *dice.of(&[0.0, 5.0, 10.0, 1001.0, 1003.0, 0.25]);
                match dice.below(4) {
                    0 => {
                        let literal = if dice.chance(50) { format!("{n}") } else { format!("'{n}'") };
                        let holds = |raw: &Raw| match (raw, sign) {
                            (Raw::Number(x), _) => Some(compared(x.total_cmp(&n), sign)),
                            // A text may be the same number, and is another value otherwise.
                            (Raw::Text(text), "=" | "<>") => {
                                let same = folded(text) == n.to_string();
                                Some(same == (sign == "="))
                            }
                            _ => None,
                        };
                        Condition { sql: format!("{name} {sign} {literal}"), holds: each(&holds) }
                    }
                    1 => Condition {
                        sql: format!("{name} BETWEEN 1 AND 40"),
                        holds: each(&|raw| if let Raw::Number(x) = raw { Some((1.0..=40.0).contains(x)) } else { None }),
                    },
                    2 => Condition {
                        sql: format!("{name} IN ('1001', 'a-17', '10')"),
                        holds: each(&|raw| match raw {
                            Raw::Number(x) => Some([1001.0, 10.0].contains(x)),
                            Raw::Text(text) => Some(["1001", "a-17", "10"].contains(&folded(text).as_str())),
                            _ => None,
                        }),
                    },
                    _ => Condition { sql: format!("{name} IS NOT NULL"), holds: each(&|raw| Some(matches!(raw, Raw::Number(_)))) },
                }
            }
            Kind::Day => {
                let day = format!("202{}-{:02}-15", 6 + dice.below(2), 1 + dice.below(12));
                let holds = |raw: &Raw| match (raw, sign) {
                    (Raw::Day(d), _) => Some(compared(d.as_str().cmp(&day), sign)),
                    (Raw::Text(_), "<>") => Some(true),
                    (Raw::Text(_), "=") => Some(false),
                    _ => None,
                };
                Condition { sql: format!("{name} {sign} '{day}'"), holds: each(&holds) }
            }
            Kind::Check => match dice.below(3) {
                0 => Condition { sql: format!("NOT {name}"), holds: each(&|raw| Some(*raw != Raw::Tick(true))) },
                1 => Condition { sql: format!("{name} = 1"), holds: each(&|raw| Some(*raw == Raw::Tick(true))) },
                _ => Condition { sql: format!("{name} <> 1"), holds: each(&|raw| Some(*raw != Raw::Tick(true))) },
            },
            Kind::Text => {
                let word = *dice.of(&WORDS);
                let written = if dice.chance(50) { word.to_lowercase() } else { word.to_uppercase() };
                let quoted = written.replace('\'', "''");
                let is = |raw: &Raw| if let Raw::Text(text) = raw { Some(folded(text) == folded(&written)) } else { None };
                match dice.below(4) {
                    0 => Condition { sql: format!("{name} = '{quoted}'"), holds: each(&is) },
                    1 => Condition { sql: format!("{name} <> '{quoted}'"), holds: each(&|raw| is(raw).map(|x| !x)) },
                    2 => {
                        let part: String = folded(word).chars().take(3).collect();
                        let contains = |raw: &Raw| if let Raw::Text(text) = raw { Some(folded(text).contains(&part)) } else { None };
                        let pattern = part.to_uppercase().replace('\'', "''").replace('%', "\\%").replace('_', "\\_");
                        Condition { sql: format!("lower({name}) LIKE '%{pattern}%' ESCAPE '\\'"), holds: each(&contains) }
                    }
                    _ => Condition { sql: format!("{name} IS NULL"), holds: each(&|raw| Some(*raw == Raw::Nothing)) },
                }
            }
            Kind::People => {
                let (who, address) = *dice.of(&PEOPLE);
                let of = |raw: &Raw, text: fn(&[usize]) -> String, part: &str| {
                    if let Raw::People(all) = raw { Some(text(all).to_lowercase().contains(&part.to_lowercase())) } else { None }
                };
                if dice.chance(50) {
                    Condition { sql: format!("{name} LIKE '%{}%'", who.to_uppercase()), holds: each(&|raw| of(raw, names, who)) }
                } else {
                    let sql = &self.columns[at].sql;
                    Condition { sql: format!("{sql}_email LIKE '%{address}%'"), holds: each(&|raw| of(raw, emails, address)) }
                }
            }
        }
    }

    /// The numbers of a column in these rows.
    fn numbers(&self, at: usize, rows: &[usize]) -> Vec<f64> {
        rows.iter().filter_map(|r| if let Raw::Number(n) = self.columns[at].cells[*r] { Some(n) } else { None }).collect()
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn compared(order: std::cmp::Ordering, sign: &str) -> bool {
    match sign {
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        ">=" => order.is_ge(),
        "=" => order.is_eq(),
        _ => order.is_ne(),
    }
}

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

fn ask(snapshot: &Snapshot, sql: &str) -> Result<QueryResult, String> {
    let checked = check(sql, snapshot, jiff::civil::datetime(2026, 11, 29, 12, 0, 0, 0)).map_err(|e| e.0)?;
    snapshot.query(&checked, 1_000).map_err(|e| format!("{e} in {}", checked.sql))
}

fn question(dice: &mut Dice, table: &Table, snapshot: &Snapshot) -> Answer {
    let condition = table.condition(dice, 2);
    let rows: Vec<usize> = (0..table.rows).filter(|r| condition.holds[*r] == Some(true)).collect();
    let whose = &condition.sql;
    let number = table.of(dice, Kind::Number);
    let (sql, outcome) = match (dice.below(6), number) {
        (0 | 1, _) | (_, None) => {
            let sql = format!("SELECT row_number FROM sheet WHERE {whose}");
            let right: Vec<Value> = rows.iter().map(|r| json!(r + 1)).collect();
            let got = ask(snapshot, &sql).map(|a| a.rows.iter().map(|r| r[0].clone()).collect::<Vec<_>>());
            (sql, got.map(|got| (got == right, format!("{got:?} instead of {right:?}"))))
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
                let true_note = said == (texts > 0).then_some(texts)
                    || whose.contains(table.columns[at].sql.as_str())
                    || whose.contains(title.as_str());
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
            let average = if some.is_empty() { None } else { Some(some.iter().sum::<f64>() / some.len() as f64) };
            let right = [Some(rows.len() as f64 / table.rows as f64), Some(median), average];
            let outcome = ask(snapshot, &sql).map(|a| {
                let fits = a.rows[0].iter().zip(right).all(|(got, right)| near(got, right));
                (fits, format!("{:?} instead of {right:?}", a.rows[0]))
            });
            (sql, outcome)
        }
    };
    let (right, what) = outcome.unwrap_or_else(|error| (false, format!("error: {error}")));
    Answer { sql, right, what }
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
        columns.push(Column { title: title.to_owned(), sql: String::new(), kind, cells });
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
