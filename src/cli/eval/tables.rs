//! Tables of strangers: each CSV file of a folder becomes a sheet of the stand-in, and everything that is worked out of its columns is held
//! against plain code over the same cells.

use super::case::QueryCase;
use super::engine::{of_columns, sheets_of, verdict};
use super::score::{Score, Verdict};
use super::stage::NOW;
use super::truth::{Fold, Of, Rows};
use crate::clock::Clock;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use anyhow::Context;
use sandbox::smartsheet;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What a sheet of Smartsheet holds at most.
const COLUMNS: usize = 400;
const CELLS: usize = 500_000;
const ROWS: usize = 20_000;

/// Plays all tables of a folder.
pub(super) async fn run(folder: &Path) -> anyhow::Result<Vec<Score>> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> =
        listed.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == "csv")).collect();
    files.sort();
    anyhow::ensure!(!files.is_empty(), "{} holds no *.csv", folder.display());
    let clock = Clock::manual(NOW.parse()?);
    let now = clock.now().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let mut scores = Vec::new();
    for file in files {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let score = |id: String, verdict| Score::new(id, &name, verdict, false);
        let described = match described(&name, &file) {
            Ok(described) => described,
            Err(error) => {
                scores.push(Score::new(format!("{name}: is read"), &name, Verdict::SaysSo(format!("{error:#}")), true));
                continue;
            }
        };
        let options = smartsheet::Options { seed: smartsheet::Seed::Empty, today: clock.today(), ..smartsheet::Options::default() };
        let stand_in = smartsheet::Smartsheet::start(options).await?;
        let id = stand_in.world().plant(&described);
        let rows = Rows::of(&stand_in.world().contents(&name));
        let snapshot = match sheets_of(&stand_in, clock.clone())?.snapshot(&Identity::Service, SheetId(id)).await {
            Ok(snapshot) => snapshot,
            Err(error) => {
                scores.push(score(format!("{name}: is loaded"), Verdict::Crashed(error.to_string())));
                continue;
            }
        };
        let mut cases = of_columns(&name, &snapshot);
        for column in &snapshot.columns {
            let counted = |sql: String| {
                let fold = Fold::over(Of::Count, &column.title);
                QueryCase {
                    id: format!("{name}: {sql}"),
                    sheet: name.clone(),
                    sql,
                    figure: Some(fold),
                    looks: None,
                    unit_of: None,
                    count: None,
                    error: None,
                }
            };
            let quoted = column.title.replace('"', "\"\"");
            cases.push(counted(format!("SELECT COUNT(*) FROM leaf WHERE \"{quoted}\" <> ''")));
            cases.push(counted(format!("SELECT COUNT(*) FROM leaf WHERE {} != ''", column.sql)));
        }
        scores.extend(cases.into_iter().map(|case| {
            let verdict = verdict(&case, &snapshot, &rows, now);
            score(case.id, verdict)
        }));
    }
    Ok(scores)
}

/// A file as a sheet: titles that stand there twice get a number, and numbers are numbers.
fn described(name: &str, file: &Path) -> anyhow::Result<Value> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(file)?;
    let mut titles: Vec<String> = Vec::new();
    for (at, header) in reader.headers()?.iter().take(COLUMNS).enumerate() {
        let bare: String = header.trim().chars().take(50).collect();
        let title = if bare.is_empty() { format!("Column {}", at + 1) } else { bare };
        let taken = |title: &str, titles: &[String]| titles.iter().any(|known| known.to_lowercase() == title.to_lowercase());
        let free = (2..).map(|n| format!("{title} ({n})")).find(|numbered| !taken(numbered, &titles));
        titles.push(if taken(&title, &titles) { free.unwrap_or(title) } else { title });
    }
    anyhow::ensure!(!titles.is_empty(), "it has no columns");
    let most = (CELLS / titles.len()).min(ROWS);
    let mut rows = Vec::new();
    for record in reader.records().take(most) {
        let record = record?;
        let cells: Map<String, Value> = titles
            .iter()
            .zip(record.iter())
            .filter(|(_, text)| !text.trim().is_empty())
            .map(|(title, text)| (title.clone(), cell(text)))
            .collect();
        if !cells.is_empty() {
            rows.push(json!({ "cells": cells }));
        }
    }
    let columns: Vec<Value> = titles.iter().map(|title| json!({ "title": title, "type": "TEXT_NUMBER" })).collect();
    Ok(json!({ "name": name, "columns": columns, "rows": rows }))
}

/// A cell as Smartsheet takes it from a file: 007 and 1e5 stay texts.
fn cell(text: &str) -> Value {
    let text: String = text.trim().chars().take(4_000).collect();
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let plain =
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.') && digits.starts_with(|c: char| c.is_ascii_digit());
    let leading = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    match text.parse::<f64>().ok().filter(|n| plain && !leading && n.is_finite() && digits.len() <= 15) {
        Some(n) => json!({ "value": n, "displayValue": text }),
        None => json!({ "value": text, "displayValue": text }),
    }
}
