//! Carries out changes that make rows: new ones, and deleted ones that come back. What is in doubt is looked for by its values.

use super::apply::{Run, mark, open};
use super::apply_rows::{Seen, Side, has_more, holds, new_cell, settle};
use super::plan::{CellEdit, DeletedRow, Location, NewRowPlan};
use super::turn::Turn;
use crate::error::Result;
use crate::sheet::Snapshot;
use crate::smartsheet::{Error, NewRow, ROWS_PER_CALL};
use crate::store::{ChangeRow, RowState};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

const STOPPED: &str = "Smartsheet did not answer, so this was not written";

/// A row to be made: which entry it is, and its values.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    at: usize,
    cells: &'a [CellEdit],
    side: Side,
}

impl Run<'_> {
    pub async fn add(&self, location: &Location, new: &[NewRowPlan], all: &mut [ChangeRow]) -> Result<()> {
        let rows: Vec<Wanted<'_>> = new.iter().enumerate().map(|(at, r)| Wanted { at, cells: &r.cells, side: Side::After }).collect();
        let (mut location, mut seen) = (location.clone(), None);
        for chunk in rows.chunks(ROWS_PER_CALL) {
            self.between(all).await?;
            if chunk.iter().any(|w| open(&all[w.at])) {
                let turn = self.changes.turn(self.change.sheet).await?;
                let (snapshot, version) = self.seen_or_current(&turn, &mut seen, &[]).await?;
                let after = self.add_block(&turn, &snapshot, &location, chunk, all).await?;
                seen = after.and_then(|after| Seen::after(&turn, (snapshot, version), after));
                turn.end().await;
            }
            let last = chunk.iter().rev().find_map(|w| all[w.at].made.as_ref().and_then(Value::as_i64));
            if let Some(last) = last {
                location = Location { after: Some(last), ..Location::default() };
            }
        }
        Ok(())
    }

    /// Adds rows that stand one behind the other. Returns the version of the sheet after it, if it was one request.
    async fn add_block(
        &self,
        turn: &Turn,
        snapshot: &Snapshot,
        location: &Location,
        rows: &[Wanted<'_>],
        all: &mut [ChangeRow],
    ) -> Result<Option<i64>> {
        let doubtful: Vec<Wanted<'_>> = rows.iter().filter(|w| all[w.at].state == RowState::Sent).copied().collect();
        if !doubtful.is_empty() {
            self.look_for_added(&doubtful, all).await?;
        }
        let (mut waits, mut versions) = (self.waits(), Vec::new());
        let touched = |all: &[ChangeRow]| rows.iter().map(|w| all[w.at].clone()).collect::<Vec<_>>();
        while rows.iter().any(|w| open(&all[w.at])) {
            let batch: Vec<Wanted<'_>> = rows.iter().filter(|w| open(&all[w.at])).copied().collect();
            let entries: Vec<usize> = batch.iter().map(|w| w.at).collect();
            for wanted in &batch {
                all[wanted.at].made = Some(json!({ "twins": twins(snapshot, wanted) }));
                mark(&mut all[wanted.at], RowState::Sent, None);
            }
            self.note(all, &touched(all)).await?;
            let requests: Vec<NewRow> = batch.iter().map(|w| new_row(snapshot, location, w)).collect();
            match self.changes.sheets.client().add_rows(&turn.writer, &self.identity, &requests).await {
                Ok(bulk) => {
                    versions.extend((!bulk.rows.is_empty()).then_some(bulk.version));
                    settle(all, &entries, &bulk);
                    let mut ids = bulk.rows.iter().map(|r| r.id);
                    for i in entries.iter().filter(|i| all[**i].state == RowState::Done).copied().collect::<Vec<_>>() {
                        all[i].made = ids.next().map(|id| json!(id));
                    }
                }
                Err(Error::MayHaveLanded(_)) => {
                    self.look_for_added(&batch, all).await?;
                    for i in entries.iter().filter(|i| open(&all[**i])).copied().collect::<Vec<_>>() {
                        all[i].made = None;
                        mark(&mut all[i], RowState::Failed, STOPPED);
                    }
                }
                Err(error) => {
                    entries.iter().for_each(|i| mark(&mut all[*i], RowState::Pending, None));
                    self.note(all, &touched(all)).await?;
                    if let Err(error) = waits.after(error).await {
                        self.give_up(all, &entries, error).await?;
                    }
                }
            }
            self.note(all, &touched(all)).await?;
        }
        Ok(versions.first().copied().filter(|_| versions.len() == 1))
    }

    /// Looks whether rows whose answer was lost are there; what does not show up in time stays open.
    async fn look_for_added(&self, batch: &[Wanted<'_>], all: &mut [ChangeRow]) -> Result<()> {
        let ours: HashSet<i64> = all.iter().filter_map(|r| r.made.as_ref().and_then(Value::as_i64)).collect();
        let find = |snapshot: &Snapshot| -> Vec<Option<i64>> {
            let mut taken = ours.clone();
            let one = |w: &Wanted<'_>| {
                let made = all[w.at].made.as_ref();
                let before: HashSet<i64> =
                    made.and_then(|m| m["twins"].as_array()).into_iter().flatten().filter_map(Value::as_i64).collect();
                twins(snapshot, w).into_iter().find(|t| !before.contains(t) && taken.insert(*t))
            };
            batch.iter().map(one).collect()
        };
        let snapshot = self.look(self.looks(), |s| find(s).iter().all(Option::is_some)).await?;
        for (wanted, id) in batch.iter().zip(find(&snapshot)) {
            if let Some(id) = id {
                all[wanted.at].made = Some(json!(id));
                mark(&mut all[wanted.at], RowState::Done, None);
            }
        }
        Ok(())
    }

    /// Brings deleted rows back where they stood: runs of neighbours in one request each.
    pub async fn restore(&self, back: &[DeletedRow], all: &mut [ChangeRow]) -> Result<()> {
        let mut new_ids: HashMap<i64, i64> = HashMap::new();
        let (mut start, mut seen) = (0, None);
        while start < back.len() {
            let first = &back[start];
            let mut run = vec![start];
            for (i, row) in back.iter().enumerate().skip(start + 1) {
                let neighbour =
                    row.parent == first.parent && row.above == Some(back[run[run.len() - 1]].row_id) && i == run[run.len() - 1] + 1;
                if !neighbour || run.len() == ROWS_PER_CALL {
                    break;
                }
                run.push(i);
            }
            start += run.len();
            self.between(all).await?;
            if !run.iter().any(|i| open(&all[*i])) {
                run.iter().for_each(|i| remember(&mut new_ids, &back[*i], &all[*i]));
                continue;
            }
            let turn = self.changes.turn(self.change.sheet).await?;
            let (snapshot, version) = self.seen_or_current(&turn, &mut seen, &[]).await?;
            for i in run.iter().copied().filter(|i| snapshot.row(back[*i].row_id).is_some()) {
                // It was in doubt whether it had gone.
                mark(&mut all[i], RowState::Skipped, "it is still there");
            }
            let there = |id: i64| new_ids.get(&id).copied().or_else(|| snapshot.row(id).map(|_| id));
            let parent = first.parent.and_then(there);
            if first.parent.is_some() && parent.is_none() {
                for i in run.iter().copied().filter(|i| open(&all[*i])).collect::<Vec<_>>() {
                    mark(&mut all[i], RowState::Skipped, "the row above it is not there");
                }
                let touched: Vec<ChangeRow> = run.iter().map(|i| all[*i].clone()).collect();
                self.note(all, &touched).await?;
                turn.end().await;
                continue;
            }
            let location = match first.above.and_then(there) {
                Some(above) => Location { after: Some(above), ..Location::default() },
                None => Location { parent, top: true, ..Location::default() },
            };
            let rows: Vec<Wanted<'_>> = run.iter().map(|at| Wanted { at: *at, cells: &back[*at].cells, side: Side::Before }).collect();
            let after = self.add_block(&turn, &snapshot, &location, &rows, all).await?;
            seen = after.and_then(|after| Seen::after(&turn, (snapshot, version), after));
            turn.end().await;
            run.iter().for_each(|i| remember(&mut new_ids, &back[*i], &all[*i]));
        }
        Ok(())
    }
}

/// Remembers which row a deleted one came back as.
fn remember(new_ids: &mut HashMap<i64, i64>, row: &DeletedRow, entry: &ChangeRow) {
    if let Some(id) = entry.made.as_ref().and_then(Value::as_i64) {
        new_ids.insert(row.row_id, id);
    }
}

/// Rows that have all of these values; of one without any, those that have none.
fn twins(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Vec<i64> {
    if wanted.cells.iter().all(|c| wanted.side.value(c).is_null()) {
        return snapshot.rows.iter().filter(|r| !has_more(snapshot, r, &[])).map(|r| r.id).collect();
    }
    snapshot.rows.iter().filter(|r| holds(snapshot, r, wanted.cells, wanted.side)).map(|r| r.id).collect()
}

fn new_row(snapshot: &Snapshot, location: &Location, wanted: &Wanted<'_>) -> NewRow {
    let cell = |c: &CellEdit| new_cell(snapshot, c.column_id, wanted.side.value(c), wanted.side.beside(c));
    let cells = wanted.cells.iter().map(cell).collect();
    match (location.after, location.parent) {
        (Some(after), _) => NewRow { cells, sibling_id: Some(after), ..NewRow::default() },
        (None, Some(parent)) => NewRow { cells, parent_id: Some(parent), to_bottom: (!location.top).then_some(true), ..NewRow::default() },
        (None, None) if location.top => NewRow { cells, to_top: Some(true), ..NewRow::default() },
        (None, None) => NewRow { cells, to_bottom: Some(true), ..NewRow::default() },
    }
}
