//! Carries out changes of rows: only where the old values still stand, in chunks, journal first.

use super::apply::{Run, mark, open};
use super::plan::{CellEdit, DeletedRow, Location, NewRowPlan, RowEdit};
use super::turn::Turn;
use crate::error::Result;
use crate::sheet::{Cell, Snapshot, SnapshotRow};
use crate::smartsheet::{Bulk, Error, NewCell, NewRow, RowChange};
use crate::store::{ChangeRow, RowState};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Rows of one request.
const CHUNK: usize = 500;
const CHANGED: &str = "it was changed by somebody else meanwhile";
const GONE: &str = "the row is gone";

impl Run<'_> {
    pub async fn update(&self, edits: &[RowEdit], all: &mut [ChangeRow]) -> Result<()> {
        for start in (0..edits.len()).step_by(CHUNK) {
            let range = start..(start + CHUNK).min(edits.len());
            if all[range.clone()].iter().all(|r| !open(r)) {
                continue;
            }
            let turn = self.changes.turn(self.change.sheet).await?;
            let snapshot = self.current().await?;
            let mut batch = Vec::new();
            let waiting: Vec<usize> = range.clone().filter(|i| open(&all[*i])).collect();
            for i in waiting {
                let in_doubt = all[i].state == RowState::Sent;
                match compare(&snapshot, &edits[i]) {
                    Standing::Gone => mark(&mut all[i], RowState::Skipped, GONE),
                    Standing::After if in_doubt => mark(&mut all[i], RowState::Done, None),
                    Standing::After => mark(&mut all[i], RowState::Skipped, "it has this value already"),
                    Standing::Other => mark(&mut all[i], RowState::Skipped, CHANGED),
                    Standing::Before => {
                        mark(&mut all[i], RowState::Sent, None);
                        batch.push(i);
                    }
                }
            }
            let touched = all[range.clone()].to_vec();
            self.note(all, &touched).await?;
            if batch.is_empty() {
                continue;
            }
            let changes: Vec<RowChange> = batch
                .iter()
                .map(|i| RowChange {
                    id: edits[*i].row_id,
                    cells: edits[*i].cells.iter().map(|c| cell_of(&snapshot, c, &c.after)).collect(),
                })
                .collect();
            match self.changes.sheets.client().update_rows(&turn.writer, &self.identity, &changes).await {
                Ok(bulk) => settle(all, &batch, &bulk),
                Err(error) => self.after_lost_update(edits, all, &batch, error).await?,
            }
            let touched = all[range].to_vec();
            self.note(all, &touched).await?;
            if touched.iter().any(|r| r.state == RowState::Failed && r.reason.as_deref() == Some(STOPPED)) {
                return self.fail_open(all, STOPPED).await;
            }
        }
        Ok(())
    }

    /// The request failed as a whole: refused rows fail; where the answer was lost the rows are read back.
    async fn after_lost_update(&self, edits: &[RowEdit], all: &mut [ChangeRow], batch: &[usize], error: Error) -> Result<()> {
        if matches!(error, Error::Refused { .. } | Error::Forbidden { .. } | Error::NotFound(_) | Error::Unauthorized { .. }) {
            return self.give_up(all, batch, error).await;
        }
        tracing::warn!(rows = batch.len(), %error, "the answer to an update was lost; the rows are read back");
        let written = |s: &Snapshot| batch.iter().all(|i| matches!(compare(s, &edits[*i]), Standing::After));
        let Ok(snapshot) = self.look_back(written).await else { return self.give_up(all, batch, error).await };
        for i in batch {
            match compare(&snapshot, &edits[*i]) {
                Standing::After => mark(&mut all[*i], RowState::Done, None),
                _ => mark(&mut all[*i], RowState::Failed, STOPPED),
            }
        }
        Ok(())
    }

    pub async fn add(&self, location: &Location, new: &[NewRowPlan], all: &mut [ChangeRow]) -> Result<()> {
        let turn = self.changes.turn(self.change.sheet).await?;
        let snapshot = self.current().await?;
        let rows: Vec<Wanted<'_>> = new.iter().enumerate().map(|(at, r)| Wanted { at, cells: &r.cells, value: |c| &c.after }).collect();
        let mut location = location.clone();
        for chunk in rows.chunks(CHUNK) {
            let made = self.add_block(&turn, &snapshot, &location, chunk, all).await?;
            if let Some(last) = made.last() {
                location = Location { after: Some(*last), ..Location::default() };
            }
        }
        Ok(())
    }

    /// Adds rows that stand one behind the other. What is in doubt is looked for by its values.
    async fn add_block(
        &self,
        turn: &Turn,
        snapshot: &Snapshot,
        location: &Location,
        rows: &[Wanted<'_>],
        all: &mut [ChangeRow],
    ) -> Result<Vec<i64>> {
        let doubtful: Vec<Wanted<'_>> = rows.iter().filter(|w| all[w.at].state == RowState::Sent).copied().collect();
        if !doubtful.is_empty() {
            self.look_for_added(&doubtful, all).await?;
        }
        let batch: Vec<Wanted<'_>> = rows.iter().filter(|w| open(&all[w.at])).copied().collect();
        for wanted in &batch {
            all[wanted.at].made = Some(json!({ "twins": twins(snapshot, wanted) }));
            mark(&mut all[wanted.at], RowState::Sent, None);
        }
        let entries: Vec<usize> = batch.iter().map(|w| w.at).collect();
        let touched = |all: &[ChangeRow]| rows.iter().map(|w| all[w.at].clone()).collect::<Vec<_>>();
        self.note(all, &touched(all)).await?;
        if !batch.is_empty() {
            let requests: Vec<NewRow> = batch.iter().map(|w| new_row(snapshot, location, w)).collect();
            match self.changes.sheets.client().add_rows(&turn.writer, &self.identity, &requests).await {
                Ok(bulk) => {
                    settle(all, &entries, &bulk);
                    let mut ids = bulk.rows.iter().map(|r| r.id);
                    for i in entries.iter().filter(|i| all[**i].state == RowState::Done).copied().collect::<Vec<_>>() {
                        all[i].made = ids.next().map(|id| json!(id));
                    }
                }
                Err(error @ Error::MayHaveLanded(_)) => match self.look_for_added(&batch, all).await {
                    Ok(()) => {
                        for i in entries.iter().filter(|i| open(&all[**i])).copied().collect::<Vec<_>>() {
                            all[i].made = None;
                            mark(&mut all[i], RowState::Failed, STOPPED);
                        }
                    }
                    Err(_) => self.give_up(all, &entries, error).await?,
                },
                Err(error) => self.give_up(all, &entries, error).await?,
            }
            self.note(all, &touched(all)).await?;
        }
        Ok(rows.iter().filter_map(|w| all[w.at].made.as_ref().and_then(Value::as_i64)).collect())
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
        let snapshot = self.look_back(|s| find(s).iter().all(Option::is_some)).await?;
        for (wanted, id) in batch.iter().zip(find(&snapshot)) {
            if let Some(id) = id {
                all[wanted.at].made = Some(json!(id));
                mark(&mut all[wanted.at], RowState::Done, None);
            }
        }
        Ok(())
    }

    pub async fn delete(&self, gone: &[DeletedRow], all: &mut [ChangeRow]) -> Result<()> {
        let turn = self.changes.turn(self.change.sheet).await?;
        let snapshot = self.current().await?;
        let planned: HashSet<i64> = gone.iter().map(|r| r.row_id).collect();
        let mut kept: HashSet<i64> =
            gone.iter().zip(all.iter()).filter(|(_, r)| r.state == RowState::Skipped).map(|(g, _)| g.row_id).collect();
        for (i, row) in gone.iter().enumerate().rev().filter(|(i, _)| open(&all[*i])).map(|(i, r)| (i, r.clone())).collect::<Vec<_>>() {
            let in_doubt = all[i].state == RowState::Sent;
            let Some(now) = snapshot.row(row.row_id) else {
                mark(
                    &mut all[i],
                    if in_doubt { RowState::Done } else { RowState::Skipped },
                    if in_doubt { None } else { Some("it is gone already") },
                );
                continue;
            };
            let below = snapshot.descendants(row.row_id);
            let reason = if !holds(&snapshot, now, &row.cells, |c| &c.before) || has_more(&snapshot, now, &row.cells) {
                Some(CHANGED)
            } else if below.iter().any(|id| !planned.contains(id)) {
                Some("it has new rows below it")
            } else if below.iter().any(|id| kept.contains(id)) {
                Some("a row below it was changed meanwhile")
            } else {
                None
            };
            match reason {
                Some(reason) => {
                    kept.insert(row.row_id);
                    mark(&mut all[i], RowState::Skipped, reason);
                }
                None => mark(&mut all[i], RowState::Sent, None),
            }
        }
        // Rows that would only go with a parent stay with it.
        for (i, row) in gone.iter().enumerate().filter(|(_, r)| r.as_child) {
            if all[i].state == RowState::Sent && row.parent.is_some_and(|p| kept.contains(&p)) {
                kept.insert(row.row_id);
                mark(&mut all[i], RowState::Skipped, "the row above it is left alone");
            }
        }
        let touched = all.to_vec();
        self.note(all, &touched).await?;
        let batch: Vec<usize> = (0..gone.len()).filter(|i| all[*i].state == RowState::Sent).collect();
        let ids: Vec<i64> = batch.iter().map(|i| gone[*i].row_id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.changes.sheets.client().delete_rows(&turn.writer, &self.identity, &ids).await {
            let all_gone = |s: &Snapshot| ids.iter().all(|id| s.row(*id).is_none());
            let Ok(snapshot) = self.look_back(all_gone).await else { return self.give_up(all, &batch, error).await };
            for i in &batch {
                let there = snapshot.row(gone[*i].row_id).is_some();
                mark(&mut all[*i], if there { RowState::Failed } else { RowState::Done }, there.then_some(STOPPED));
            }
        } else {
            batch.iter().for_each(|i| mark(&mut all[*i], RowState::Done, None));
        }
        let touched = all.to_vec();
        self.note(all, &touched).await
    }

    /// Brings deleted rows back where they stood: runs of neighbours in one request each.
    pub async fn restore(&self, back: &[DeletedRow], all: &mut [ChangeRow]) -> Result<()> {
        let turn = self.changes.turn(self.change.sheet).await?;
        let snapshot = self.current().await?;
        let mut new_ids: HashMap<i64, i64> = HashMap::new();
        let mut start = 0;
        while start < back.len() {
            let first = &back[start];
            let mut run = vec![start];
            for (i, row) in back.iter().enumerate().skip(start + 1) {
                let neighbour =
                    row.parent == first.parent && row.above == Some(back[run[run.len() - 1]].row_id) && i == run[run.len() - 1] + 1;
                if !neighbour || run.len() == CHUNK {
                    break;
                }
                run.push(i);
            }
            let there = |id: i64| new_ids.get(&id).copied().or_else(|| snapshot.row(id).map(|_| id));
            let parent = first.parent.and_then(there);
            let location = match first.above.and_then(there) {
                Some(above) => Location { after: Some(above), ..Location::default() },
                None => Location { parent, top: true, ..Location::default() },
            };
            let rows: Vec<Wanted<'_>> = run.iter().map(|at| Wanted { at: *at, cells: &back[*at].cells, value: |c| &c.before }).collect();
            self.add_block(&turn, &snapshot, &location, &rows, all).await?;
            for i in &run {
                if let Some(id) = all[*i].made.as_ref().and_then(Value::as_i64) {
                    new_ids.insert(back[*i].row_id, id);
                }
            }
            start += run.len();
        }
        Ok(())
    }
}

const STOPPED: &str = "Smartsheet did not answer, so this was not written";

/// A row to be made: which entry it is, and its values.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    at: usize,
    cells: &'a [CellEdit],
    value: fn(&CellEdit) -> &Value,
}

enum Standing {
    Before,
    After,
    Other,
    Gone,
}

fn compare(snapshot: &Snapshot, edit: &RowEdit) -> Standing {
    let Some(row) = snapshot.row(edit.row_id) else { return Standing::Gone };
    if holds(snapshot, row, &edit.cells, |c| &c.before) {
        Standing::Before
    } else if holds(snapshot, row, &edit.cells, |c| &c.after) {
        Standing::After
    } else {
        Standing::Other
    }
}

/// Whether the row has these values; columns that are gone count as changed.
fn holds(snapshot: &Snapshot, row: &SnapshotRow, cells: &[CellEdit], value: fn(&CellEdit) -> &Value) -> bool {
    cells.iter().all(|c| snapshot.column_by_id(c.column_id).is_some_and(|(i, _)| Cell::same(&row.cells[i].to_json(), value(c))))
}

/// Whether somebody filled a cell of the row that the plan knows nothing of.
fn has_more(snapshot: &Snapshot, row: &SnapshotRow, cells: &[CellEdit]) -> bool {
    snapshot.columns.iter().enumerate().any(|(i, column)| {
        let planned = cells.iter().any(|c| c.column_id == column.id);
        let made = column.read_only.is_some() || row.formulas.contains(&(i as u16));
        !planned && !made && !Cell::same(&row.cells[i].to_json(), &Value::Null)
    })
}

/// Rows that have all of these values.
fn twins(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Vec<i64> {
    snapshot.rows.iter().filter(|r| holds(snapshot, r, wanted.cells, wanted.value)).map(|r| r.id).collect()
}

pub(super) fn cell_of(snapshot: &Snapshot, edit: &CellEdit, value: &Value) -> NewCell {
    new_cell(snapshot, edit.column_id, value)
}

/// A value on its way: numbers and dates strictly typed, text never as a formula.
pub(super) fn new_cell(snapshot: &Snapshot, column_id: i64, value: &Value) -> NewCell {
    let column = snapshot.column_by_id(column_id).map(|(_, c)| c);
    let strict = column.is_some_and(|c| {
        c.kind != "TEXT_NUMBER" && !(c.kind == "PICKLIST" && value.as_str().is_some_and(|v| !c.options.iter().any(|o| o == v)))
    });
    match value {
        Value::Object(_) => NewCell { column_id, value: None, object_value: Some(value.clone()), strict: true },
        Value::Null if column.is_some_and(|c| c.kind == "CHECKBOX") => {
            NewCell { column_id, value: Some(json!(false)), object_value: None, strict: true }
        }
        Value::Null => NewCell { column_id, value: Some(json!("")), object_value: None, strict: false },
        // Without `strict` Smartsheet would read "1/2" or "$5" in a text as a number or a date.
        Value::String(_) => NewCell {
            column_id,
            value: Some(value.clone()),
            object_value: None,
            strict: strict || column.is_none_or(|c| c.kind == "TEXT_NUMBER"),
        },
        other => NewCell { column_id, value: Some(other.clone()), object_value: None, strict: true },
    }
}

fn new_row(snapshot: &Snapshot, location: &Location, wanted: &Wanted<'_>) -> NewRow {
    let cells = wanted.cells.iter().map(|c| cell_of(snapshot, c, (wanted.value)(c))).collect();
    match (location.after, location.parent) {
        (Some(after), _) => NewRow { cells, sibling_id: Some(after), ..NewRow::default() },
        (None, Some(parent)) => NewRow { cells, parent_id: Some(parent), to_bottom: (!location.top).then_some(true), ..NewRow::default() },
        (None, None) if location.top => NewRow { cells, to_top: Some(true), ..NewRow::default() },
        (None, None) => NewRow { cells, to_bottom: Some(true), ..NewRow::default() },
    }
}

/// Notes the answer to a bulk request: the failed items by their position, all others done.
fn settle(all: &mut [ChangeRow], batch: &[usize], bulk: &Bulk) {
    for i in batch {
        mark(&mut all[*i], RowState::Done, None);
    }
    for item in &bulk.failed {
        if let Some(i) = batch.get(item.index) {
            all[*i].state = RowState::Failed;
            all[*i].made = None;
            all[*i].reason = Some(format!("Smartsheet refused it ({}): {}", item.code, item.message));
        }
    }
}
