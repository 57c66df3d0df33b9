//! The cases that need no model: what queries bring, against the same worked out by plain code.

use super::case::QueryCase;
use super::score::{Score, Verdict};
use super::stage::NOW;
use super::truth::{Fold, Of, Rows, unit_in};
use crate::clock::Clock;
use crate::events::Events;
use crate::sheet::{QueryResult, SheetId, Sheets, Snapshot, SnapshotColumn, check};
use crate::smartsheet::{Client, Identity, Settings};
use anyhow::Context;
use jiff::civil::DateTime;
use sandbox::smartsheet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Sheets with columns of numbers: blanks, texts, percents, money and whole numbers.
const SHEETS: [&str; 5] = ["Project Plan", "Budget 2026", "Risk Register", "Clinical Trials", "Sales Pipeline"];

/// Columns that another one is divided by.
const RATIOS: usize = 3;

/// Plays all of them, and those that are made for each column of numbers where that is wanted.
pub(super) async fn run(cases: &[QueryCase], made: bool, wanted: &dyn Fn(&str, &str) -> bool) -> anyhow::Result<Vec<Score>> {
    let clock = Clock::manual(NOW.parse()?);
    let now = clock.now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let stand_in = smartsheet::Smartsheet::start(smartsheet::Options { today: clock.today(), ..smartsheet::Options::default() }).await?;
    let sheets = sheets_of(&stand_in, clock)?;
    let mut known: BTreeMap<String, (Arc<Snapshot>, Rows)> = BTreeMap::new();
    let names = cases.iter().map(|case| case.sheet.as_str()).chain(SHEETS);
    for name in names {
        if known.contains_key(name) {
            continue;
        }
        let id = stand_in.world().sheet_id(name).with_context(|| format!("there is no sheet {name:?}"))?;
        let snapshot = sheets.snapshot(&Identity::Service, SheetId(id)).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        let rows = Rows::of(&stand_in.world().contents(name));
        known.insert(name.to_owned(), (snapshot, rows));
    }
    let made = SHEETS
        .iter()
        .filter(|_| made)
        .flat_map(|name| known.get(*name).map(|(snapshot, _)| of_columns(name, snapshot)).unwrap_or_default());
    let mut scores = Vec::new();
    for (topic, case) in cases.iter().cloned().map(|case| ("queries", case)).chain(made.map(|case| ("aggregates", case))) {
        if let Some((snapshot, rows)) = known.get(&case.sheet).filter(|_| wanted(&case.id, topic)) {
            let verdict = verdict(&case, snapshot, rows, now);
            let says_so = case.error.is_some();
            scores.push(Score::new(case.id, topic, verdict, says_so));
        }
    }
    Ok(scores)
}

/// What reads the sheets of a stand-in.
pub(super) fn sheets_of(stand_in: &smartsheet::Smartsheet, clock: Clock) -> anyhow::Result<Sheets> {
    let settings = Settings {
        base_url: stand_in.base_url().parse()?,
        token: smartsheet::TOKEN.into(),
        retry_delay: Duration::from_millis(100),
        retries: 2,
        timeout: Duration::from_secs(10),
        breaker_pause: Duration::from_secs(1),
        answer_bytes: 300 << 20,
    };
    Ok(Sheets::new(Client::new(settings)?, clock, Events::default(), 1 << 26))
}

pub(super) fn verdict(case: &QueryCase, snapshot: &Arc<Snapshot>, rows: &Rows, now: DateTime) -> Verdict {
    let tried = check(&case.sql, snapshot, now).and_then(|checked| snapshot.query(&checked, 1_000));
    let result = match (tried, &case.error) {
        (Err(error), Some(words)) if error.0.contains(words.as_str()) => return Verdict::SaysSo(error.0),
        (Err(error), Some(words)) => return Verdict::Wrong(format!("{:?} does not say {words:?}", error.0)),
        (Err(error), None) => return Verdict::SaysSo(error.0),
        (Ok(_), Some(words)) => return Verdict::Wrong(format!("it ran; {words:?} was to be said")),
        (Ok(result), None) => result,
    };
    let figure = case.figure.as_ref().and_then(|fold| fold.of(rows));
    if case.figure.is_some() && !same(result.figure().and_then(Value::as_f64), figure) {
        return Verdict::Wrong(format!("{:?} instead of {figure:?} by {}", seen(&result), case.sql));
    }
    let count = case.count.as_ref().and_then(|fold| fold.of(rows));
    if let Some(count) = count.filter(|count| result.total as f64 != *count) {
        return Verdict::Wrong(format!("{} results instead of {count} by {}", result.total, case.sql));
    }
    if let Some(column) = &case.unit_of {
        let (unit, looks) = (column.as_ref().and_then(|column| rows.unit(column)), seen(&result));
        if !looks.is_empty() && unit_in(&looks) != unit {
            return Verdict::Wrong(format!("{looks:?} where the unit is {unit:?}, by {}", case.sql));
        }
    }
    match &case.looks {
        Some(looks) if seen(&result) != *looks => Verdict::Wrong(format!("it looks like {:?}, not like {looks:?}", seen(&result))),
        _ => Verdict::Right,
    }
}

/// Whether two figures are the same but for the last bits.
fn same(got: Option<f64>, wanted: Option<f64>) -> bool {
    match (got, wanted) {
        (Some(got), Some(wanted)) => (got - wanted).abs() <= 1e-9 * wanted.abs().max(1.0),
        (None, None) => true,
        _ => false,
    }
}

fn seen(result: &QueryResult) -> String {
    let at = result.columns.iter().position(|c| !c.is_row_id);
    at.filter(|_| !result.rows.is_empty()).map(|at| result.shown(0, at)).unwrap_or_default()
}

/// Each aggregate over each column of numbers, in the forms in which models write it. A bare one carries the unit of its column, and no other
/// figure does.
pub(super) fn of_columns(name: &str, snapshot: &Snapshot) -> Vec<QueryCase> {
    let numeric: Vec<&SnapshotColumn> = snapshot.columns.iter().filter(|c| c.is_numeric()).collect();
    let case = |sql: String, figure: Fold, unit_of: Option<&SnapshotColumn>| QueryCase {
        id: format!("{name}: {sql}"),
        sheet: name.to_owned(),
        sql,
        figure: Some(figure),
        looks: None,
        unit_of: Some(unit_of.map(|column| column.title.clone())),
        count: None,
        error: None,
    };
    let mut cases = Vec::new();
    for &column in &numeric {
        let (sql, bare) = (&column.sql, Some(column));
        let quoted = format!("\"{}\"", column.title.replace('"', "\"\""));
        let bracketed = if column.title.contains(']') { quoted.clone() } else { format!("[{}]", column.title) };
        let fold = |of: Of| Fold::over(of, &column.title);
        for (function, of) in [("SUM", Of::Sum), ("AVG", Of::Avg), ("MIN", Of::Min), ("MAX", Of::Max), ("MEDIAN", Of::Median)] {
            let hundredfold = || Fold { times: 100.0, ..fold(of) };
            cases.push(case(format!("SELECT {function}({sql}) FROM leaf"), fold(of), bare));
            cases.push(case(format!("SELECT {function}({quoted}) AS {quoted} FROM leaf"), fold(of), bare));
            cases.push(case(format!("SELECT {function}({sql}) * 100.0 AS {sql} FROM leaf"), hundredfold(), None));
            cases.push(case(format!("SELECT ROUND({function}({sql})*100,1) FROM leaf"), Fold { decimals: Some(1), ..hundredfold() }, None));
            cases.push(case(format!("SELECT ROUND({function}({bracketed}), 12) FROM leaf"), fold(of), bare));
        }
        cases.push(case(format!("SELECT COUNT({sql}) FROM leaf"), fold(Of::Numbers), None));
        cases.push(case(format!("SELECT COUNT({quoted}) AS {quoted} FROM leaf"), fold(Of::Numbers), None));
        for other in numeric.iter().filter(|other| other.id != column.id).take(RATIOS) {
            let ratio = Fold { over: other.title.clone(), ..fold(Of::Ratio) };
            cases.push(case(format!("SELECT SUM({sql}) / SUM({}) FROM leaf", other.sql), ratio, None));
        }
    }
    cases
}
