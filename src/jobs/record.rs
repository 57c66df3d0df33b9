//! What a job has written, row by row, as its last message keeps it.

use super::UNDO;
use super::runner::undone;
use crate::changes::{CellEdit, Plan, RowEdit};
use crate::store::{Job, RowState, Store};
use chat::{Align, Block, Column, TableBlock, TableCell, text};
use std::collections::{BTreeSet, HashSet};

/// Rows that the message of a job keeps.
const RECORDED: usize = 10;
/// Changes that are looked through for them.
const CHANGES: i64 = 3;
/// Characters of a value.
const CELL_CHARS: usize = 60;

/// The first rows that a job has written or taken back: cells old and new, and what came or went. `done` rows were written.
pub(super) async fn of(store: &Store, job: &Job, done: usize) -> sqlx::Result<Option<Block>> {
    let undoes = job.kind == UNDO;
    let mut edits: Vec<RowEdit> = Vec::new();
    let mut moved: Vec<(&str, String)> = Vec::new();
    for change in store.first_job_changes(if undoes { undone(job) } else { &job.id }, CHANGES).await? {
        let change = if undoes { store.undo_of(&change.id).await? } else { Some(change) };
        let Some(change) = change else { continue };
        let Ok(plan) = Plan::read(&change.plan) else { continue };
        let states = store.change_rows(&change.id).await?;
        let written: HashSet<i64> = states.iter().filter(|row| row.state == RowState::Done).map(|row| row.seq).collect();
        let is_written = |at: &usize| i64::try_from(*at).is_ok_and(|at| written.contains(&at));
        let mut names = |head: &'static str, labels: Vec<String>| {
            moved.extend(labels.into_iter().enumerate().filter(|(at, _)| is_written(at)).map(|(_, label)| (head, label)).take(RECORDED));
        };
        match plan {
            Plan::Update { rows } => {
                edits.extend(rows.into_iter().enumerate().filter(|(at, _)| is_written(at)).map(|(_, row)| row).take(RECORDED));
            }
            Plan::Add { rows, .. } => names("Added", rows.into_iter().map(|row| row.label).collect()),
            Plan::Delete { rows } => names("Deleted", rows.into_iter().map(|row| row.label).collect()),
            Plan::Restore { rows } => names("Brought back", rows.into_iter().map(|row| row.label).collect()),
            _ => {}
        }
        if edits.len().max(moved.len()) >= RECORDED {
            break;
        }
    }
    edits.truncate(RECORDED);
    Ok(match moved.first() {
        _ if !edits.is_empty() => Some(Block::Table(table(&edits, done))),
        Some((head, _)) => Some(Block::Table(list(head, &moved, done))),
        None => None,
    })
}

/// The names of rows that came or went in the same way as the first.
fn list(head: &str, moved: &[(&str, String)], done: usize) -> TableBlock {
    let same = moved.iter().filter(|(of, _)| *of == head).take(RECORDED);
    let rows: Vec<Vec<TableCell>> = same.map(|(_, label)| vec![TableCell::plain(shown(label))]).collect();
    TableBlock { columns: vec![Column { title: head.to_owned(), align: Align::Left }], total: done.max(rows.len()), rows }
}

fn table(rows: &[RowEdit], done: usize) -> TableBlock {
    let titles: BTreeSet<&str> = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.title.as_str()).collect();
    let several = titles.len() > 1;
    let heads: &[&str] = if several { &["Row", "Column", "Was", "Is"] } else { &["Row", "Was", "Is"] };
    let line = |row: &RowEdit, at: usize, cell: &CellEdit| {
        let mut line = vec![TableCell::plain(if at == 0 { row.label.clone() } else { String::new() })];
        line.extend(several.then(|| TableCell::plain(cell.title.clone())));
        line.extend([&cell.before_shown, &cell.after_shown].map(|value| TableCell::plain(shown(value))));
        line
    };
    let lines: Vec<Vec<TableCell>> =
        rows.iter().flat_map(|row| row.cells.iter().enumerate().map(|(at, cell)| line(row, at, cell))).take(RECORDED).collect();
    let columns = heads.iter().map(|title| Column { title: (*title).to_owned(), align: Align::Left }).collect();
    TableBlock { columns, total: done.max(lines.len()), rows: lines }
}

fn shown(value: &str) -> String {
    if value.is_empty() { "(empty)".into() } else { text::shorten(&text::clean(value), CELL_CHARS) }
}
