//! What a job has written, row by row, as its last message keeps it.

use super::UNDO;
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

/// The first cells that a job has changed or taken back, old and new; nothing where it has changed no cells. `done` rows were written.
pub(super) async fn of(store: &Store, job: &Job, done: usize) -> sqlx::Result<Option<Block>> {
    let mut rows: Vec<RowEdit> = Vec::new();
    for change in store.first_job_changes(&job.id, job.kind == UNDO, CHANGES).await? {
        let Ok(Plan::Update { rows: planned }) = serde_json::from_str(change.plan.get()) else { continue };
        let states = store.change_rows(&change.id).await?;
        let written: HashSet<i64> = states.iter().filter(|row| row.state == RowState::Done).map(|row| row.seq).collect();
        let of_change = planned.into_iter().zip(0..).filter(|(_, at)| written.contains(at)).map(|(row, _)| row);
        rows.extend(of_change.take(RECORDED - rows.len()));
        if rows.len() == RECORDED {
            break;
        }
    }
    Ok((!rows.is_empty()).then(|| Block::Table(table(&rows, done))))
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
