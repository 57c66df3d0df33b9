//! Carries out changes of rows that exist: only where the old values still stand, in chunks, journal first.

use super::apply::{Run, SAME_VALUE, mark, open};
use super::plan::{Beside, CellEdit, DeletedRow, RowEdit};
use super::turn::Turn;
use crate::error::Result;
use crate::sheet::{Cell, Maker, Snapshot, SnapshotColumn, SnapshotRow};
use crate::smartsheet::{Bulk, Error, IDS_PER_URL, Identity, NewCell, ROWS_PER_CALL, RowChange};
use crate::store::{ChangeRow, RowState};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const CHANGED: &str = "it was changed by somebody else meanwhile";
const GONE: &str = "the row is gone";
/// Why an entry was left alone: there is nowhere to write it.
pub const COLUMN_GONE: &str = "the column is gone";
const OVERRULED: &str =
    "Smartsheet has set it back, because it works it out from the rows before it: change those, or what this row waits for";

/// The sheet as it stood at the end of our last request, by the version in the answer: still good for rows that
/// the request did not touch, as long as nobody came in between. Changes that follow one another hand it on.
#[derive(Clone)]
pub struct Seen {
    pub(super) snapshot: Arc<Snapshot>,
    version: i64,
    turn: i64,
    at: Instant,
}

/// How sheets stood after our last writes, by identity and sheet, and which rows of that are not as they stand there any more. Two
/// jobs that take turns at a sheet need not read it each time.
#[derive(Clone, Default)]
pub struct LastWrites(Arc<Mutex<HashMap<Written, Last>>>);

/// Who has written, and to which sheet.
type Written = (Identity, i64);

/// How a sheet stood, and the rows that are not as they stand there.
type Last = (Seen, HashSet<i64>);

impl LastWrites {
    /// The sheet as it stood after the last write, if that holds in this turn and these rows are as they stand there.
    fn of(&self, key: &Written, turn: &Turn, rows: &[i64]) -> Option<Seen> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(key).filter(|(seen, touched)| seen.holds(turn) && !rows.iter().any(|r| touched.contains(r))).map(|(seen, _)| seen.clone())
    }

    /// Remembers how a sheet stands after a write to these rows; forgets it when somebody came in between.
    fn remember(&self, key: Written, seen: Option<&Seen>, rows: &[i64]) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen else {
            last.remove(&key);
            return;
        };
        last.retain(|_, (seen, _)| seen.at.elapsed() < SEEN);
        let entry = last.entry(key).or_insert_with(|| (seen.clone(), HashSet::new()));
        if !Arc::ptr_eq(&entry.0.snapshot, &seen.snapshot) {
            entry.1.clear();
        }
        entry.0 = seen.clone();
        entry.1.extend(rows);
    }
}

/// After this time a sheet is compared anew, even if the answer to our last request told how it stood.
const SEEN: Duration = Duration::from_secs(1);

impl Seen {
    /// As it was read some time ago: enough to make a column, which needs nothing but a title that is free.
    pub fn read(snapshot: Arc<Snapshot>) -> Self {
        Self { version: snapshot.version, snapshot, turn: i64::MIN, at: Instant::now() }
    }

    /// After one request of ours that changed something and made the sheet `version`; nothing when somebody came in between.
    pub(super) fn after(turn: &Turn, (snapshot, before): (Arc<Snapshot>, i64), version: i64) -> Option<Self> {
        (version == before + 1).then(|| Self { snapshot, version, turn: turn.number, at: Instant::now() })
    }

    /// Whether nobody of ours has written since, and others had no time to.
    fn holds(&self, turn: &Turn) -> bool {
        self.turn + 1 == turn.number && self.at.elapsed() < SEEN
    }
}

impl Run<'_> {
    fn key(&self) -> (Identity, i64) {
        (self.identity.clone(), self.change.sheet.0)
    }

    /// The sheet as it is now, and its version, as far as these rows are concerned, or others that our last request did not touch.
    pub async fn seen_or_current(&self, turn: &Turn, seen: &mut Option<Seen>, rows: &[i64]) -> Result<(Arc<Snapshot>, i64)> {
        // Whoever has compared does not wait for the rate before writing.
        self.changes.sheets.client().reserve(&turn.writer, &self.identity).await;
        // What a person has just confirmed is compared with the sheet itself: somebody else may have had that second.
        let of_job = self.change.job_id.is_some() && !rows.is_empty();
        let others = || if of_job { self.changes.last_writes.of(&self.key(), turn, rows) } else { None };
        match seen.take().filter(|s| s.holds(turn)).or_else(others) {
            Some(Seen { snapshot, version, .. }) => Ok((snapshot, version)),
            None => self.current().await.map(|s| (s.clone(), s.version)),
        }
    }

    pub async fn update(&self, edits: &[RowEdit], all: &mut [ChangeRow], seen: &mut Option<Seen>) -> Result<()> {
        for start in (0..edits.len()).step_by(ROWS_PER_CALL) {
            let range = start..(start + ROWS_PER_CALL).min(edits.len());
            let mut waits = self.waits();
            self.between(all).await?;
            while all[range.clone()].iter().any(open) {
                let turn = self.changes.turn(self.change.sheet).await?;
                let sent = self.update_chunk(&turn, seen, edits, all, range.clone()).await?;
                turn.end().await;
                let Err((error, batch)) = sent else { continue };
                if let Err(error) = waits.after(error).await {
                    // Nothing else would get through either.
                    let rest: Vec<usize> = if refused(&error) { batch } else { (start..all.len()).collect() };
                    self.give_up(all, &rest, error).await?;
                }
            }
        }
        Ok(())
    }

    /// One request for the open rows of a range that still have their old values. When it did not get
    /// through: why, and which rows it was about.
    async fn update_chunk(
        &self,
        turn: &Turn,
        seen: &mut Option<Seen>,
        edits: &[RowEdit],
        all: &mut [ChangeRow],
        range: Range<usize>,
    ) -> Result<Result<(), (Error, Vec<usize>)>> {
        let of_range: Vec<i64> = edits[range.clone()].iter().map(|e| e.row_id).collect();
        let (snapshot, version) = self.seen_or_current(turn, seen, &of_range).await?;
        let before: Vec<RowState> = all.iter().map(|r| r.state).collect();
        let mut batch = Vec::new();
        for i in range.clone() {
            let in_doubt = all[i].state == RowState::Sent;
            match compare(&snapshot, &edits[i]) {
                _ if !open(&all[i]) => {}
                Standing::Gone => mark(&mut all[i], RowState::Skipped, GONE),
                Standing::After if in_doubt => mark(&mut all[i], RowState::Done, None),
                Standing::After => mark(&mut all[i], RowState::Skipped, SAME_VALUE),
                Standing::NoColumn => mark(&mut all[i], RowState::Skipped, COLUMN_GONE),
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
            return Ok(Ok(()));
        }
        let change = |i: &usize| RowChange {
            id: edits[*i].row_id,
            cells: edits[*i].cells.iter().map(|c| new_cell(&snapshot, c.column_id, &c.after, c.after_beside.as_deref())).collect(),
        };
        let changes: Vec<RowChange> = batch.iter().map(change).collect();
        let sent = self.changes.sheets.client().update_rows(&turn.writer, &self.identity, &changes).await;
        let result = match sent {
            Ok(bulk) => {
                settle(all, &batch, &bulk);
                if snapshot.project.is_some() {
                    overruled(all, &batch, edits, &bulk);
                }
                // Where nothing was written the version of somebody else's change would look like that of ours.
                *seen = Seen::after(turn, (snapshot, version), bulk.version).filter(|_| !bulk.rows.is_empty());
                self.changes.last_writes.remember(self.key(), seen.as_ref(), &of_range);
                Ok(())
            }
            Err(error @ Error::MayHaveLanded(_)) => {
                tracing::warn!(rows = batch.len(), %error, "the answer to an update was lost; the rows are read back");
                let written = |s: &Snapshot, i: &usize| matches!(compare(s, &edits[*i]), Standing::After);
                let snapshot = self.look_back(|s| batch.iter().all(|i| written(s, i))).await?;
                for i in batch.iter().filter(|i| written(&snapshot, i)) {
                    mark(&mut all[*i], RowState::Done, None);
                }
                // The others stay in doubt; they are compared before they are sent again.
                if batch.iter().any(|i| open(&all[*i])) { Err((error, batch)) } else { Ok(()) }
            }
            Err(error) => {
                not_carried_out(all, &batch, &before);
                Err((error, batch))
            }
        };
        let touched = all[range].to_vec();
        self.note(all, &touched).await?;
        Ok(result)
    }

    pub async fn delete(&self, gone: &[DeletedRow], all: &mut [ChangeRow]) -> Result<()> {
        let mut seen = None;
        for range in families(gone) {
            let mut waits = self.waits();
            self.between(all).await?;
            while all[range.clone()].iter().any(open) {
                let turn = self.changes.turn(self.change.sheet).await?;
                let sent = self.delete_some(&turn, &mut seen, gone, all, range.clone()).await?;
                turn.end().await;
                let Err((error, batch)) = sent else { continue };
                if let Err(error) = waits.after(error).await {
                    // Nothing else would get through either.
                    let rest: Vec<usize> = if refused(&error) { batch } else { (range.start..all.len()).collect() };
                    self.give_up(all, &rest, error).await?;
                }
            }
        }
        Ok(())
    }

    /// One deletion of the open rows of a range that are as they were. When it did not get through: why, and which rows it was about.
    async fn delete_some(
        &self,
        turn: &Turn,
        seen: &mut Option<Seen>,
        gone: &[DeletedRow],
        all: &mut [ChangeRow],
        range: Range<usize>,
    ) -> Result<Result<(), (Error, Vec<usize>)>> {
        let (snapshot, version) = self.seen_or_current(turn, seen, &[]).await?;
        let before: Vec<RowState> = all.iter().map(|r| r.state).collect();
        deletable(&snapshot, &gone[range.clone()], &mut all[range.clone()]);
        let touched = all[range.clone()].to_vec();
        self.note(all, &touched).await?;
        let batch: Vec<usize> = range.clone().filter(|i| all[*i].state == RowState::Sent).collect();
        let ids: Vec<i64> = batch.iter().map(|i| gone[*i].row_id).collect();
        if ids.is_empty() {
            return Ok(Ok(()));
        }
        let result = match self.changes.sheets.client().delete_rows(&turn.writer, &self.identity, &ids).await {
            Ok(after) => {
                batch.iter().for_each(|i| mark(&mut all[*i], RowState::Done, None));
                *seen = after.and_then(|after| Seen::after(turn, (snapshot, version), after));
                Ok(())
            }
            Err(error @ Error::MayHaveLanded(_)) => {
                let snapshot = self.look_back(|s| ids.iter().all(|id| s.row(*id).is_none())).await?;
                for i in batch.iter().filter(|i| snapshot.row(gone[**i].row_id).is_none()) {
                    mark(&mut all[*i], RowState::Done, None);
                }
                if batch.iter().any(|i| open(&all[*i])) { Err((error, batch)) } else { Ok(()) }
            }
            Err(error) => {
                not_carried_out(all, &batch, &before);
                Err((error, batch))
            }
        };
        let touched = all[range].to_vec();
        self.note(all, &touched).await?;
        Ok(result)
    }
}

/// After a request that was refused its entries stand as they did before it: one whose answer was lost earlier may still be
/// carried out.
pub(super) fn not_carried_out(all: &mut [ChangeRow], batch: &[usize], before: &[RowState]) {
    for i in batch {
        mark(&mut all[*i], before[*i], None);
    }
}

/// The rows to delete in the order of the sheet, in parts of about one request each. What is below a row stays with it.
fn families(gone: &[DeletedRow]) -> Vec<Range<usize>> {
    let planned: HashSet<i64> = gone.iter().map(|r| r.row_id).collect();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for family in gone.chunk_by(|_, next| next.parent.is_some_and(|p| planned.contains(&p))) {
        match parts.last_mut() {
            Some(part) if part.len() + family.len() <= IDS_PER_URL => part.end += family.len(),
            _ => {
                let start = parts.last().map_or(0, |p| p.end);
                parts.push(start..start + family.len());
            }
        }
    }
    parts
}

/// Marks the open rows of a deletion: those that are as they were as sent, the others as left alone or gone.
fn deletable(snapshot: &Snapshot, gone: &[DeletedRow], all: &mut [ChangeRow]) {
    let planned: HashSet<i64> = gone.iter().map(|r| r.row_id).collect();
    let mut kept: HashSet<i64> = gone.iter().zip(all.iter()).filter(|(_, r)| r.state == RowState::Skipped).map(|(g, _)| g.row_id).collect();
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
        let reason = if !holds(snapshot, now, &row.cells, Side::Before) || has_more(snapshot, now, &row.cells) {
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
}

enum Standing {
    Before,
    After,
    Other,
    Gone,
    NoColumn,
}

fn compare(snapshot: &Snapshot, edit: &RowEdit) -> Standing {
    let Some(row) = snapshot.row(edit.row_id) else { return Standing::Gone };
    if edit.cells.iter().any(|c| snapshot.column_by_id(c.column_id).is_none()) {
        return Standing::NoColumn;
    }
    if holds(snapshot, row, &edit.cells, Side::Before) {
        Standing::Before
    } else if holds(snapshot, row, &edit.cells, Side::After) {
        Standing::After
    } else {
        Standing::Other
    }
}

/// Which side of an edit is meant: what was, or what will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

impl Side {
    pub fn value(self, edit: &CellEdit) -> &Value {
        if self == Self::Before { &edit.before } else { &edit.after }
    }

    pub fn beside(self, edit: &CellEdit) -> Option<&Beside> {
        if self == Self::Before { edit.before_beside.as_deref() } else { edit.after_beside.as_deref() }
    }
}

/// Whether the row has these values; columns that are gone count as changed. Of a formula the text is compared, as what it makes
/// changes by itself.
pub(super) fn holds(snapshot: &Snapshot, row: &SnapshotRow, cells: &[CellEdit], side: Side) -> bool {
    cells.iter().all(|c| {
        let Some((at, _)) = snapshot.column_by_id(c.column_id) else { return false };
        match (row.maker(at), side.beside(c).and_then(|b| b.formula.as_ref())) {
            (Some(Maker::Formula(now)), Some(formula)) => **now == **formula,
            _ => Cell::same(&row.cells[at].to_json(), side.value(c)),
        }
    })
}

/// Whether somebody filled a cell of the row that the plan knows nothing of.
pub(super) fn has_more(snapshot: &Snapshot, row: &SnapshotRow, cells: &[CellEdit]) -> bool {
    snapshot.columns.iter().enumerate().any(|(i, column)| {
        let planned = cells.iter().any(|c| c.column_id == column.id);
        let made = column.read_only.is_some() || row.maker(i).is_some() || (snapshot.project.is_some() && column.rolls_up());
        !planned && !made && !Cell::same(&row.cells[i].to_json(), &Value::Null)
    })
}

/// A value on its way, with what belongs beside it. What fits its column is sent strictly typed, so that Smartsheet reads nothing else
/// into it; what does not is sent as it stood.
pub(super) fn new_cell(snapshot: &Snapshot, column_id: i64, value: &Value, beside: Option<&Beside>) -> NewCell {
    let column = snapshot.column_by_id(column_id).map(|(_, c)| c);
    let beside = beside.cloned().unwrap_or_default();
    if beside.formula.is_some() {
        return NewCell { column_id, formula: beside.formula, strict: true, ..NewCell::default() };
    }
    let plain = NewCell { column_id, hyperlink: beside.hyperlink, ..NewCell::default() };
    match value {
        Value::Object(_) => NewCell { column_id, object_value: Some(value.clone()), strict: true, ..NewCell::default() },
        Value::Null if column.is_some_and(|c| c.kind == "CHECKBOX") => NewCell { value: Some(json!(false)), strict: true, ..plain },
        Value::Null => NewCell { column_id, value: Some(json!("")), ..NewCell::default() },
        _ => {
            let strict = column.is_none_or(|c| fits(c, value));
            let restricted = column.is_some_and(|c| c.validation) && !strict && snapshot.shapeable();
            NewCell {
                value: Some(value.clone()),
                display_value: beside.name.filter(|_| column.is_some_and(SnapshotColumn::is_contact)),
                strict,
                override_validation: restricted,
                ..plain
            }
        }
    }
}

/// Whether Smartsheet takes a value for a column as it is; otherwise it would refuse it (1042), or read it as it likes.
fn fits(column: &SnapshotColumn, value: &Value) -> bool {
    match column.kind.as_str() {
        "CHECKBOX" => value.is_boolean(),
        "DATE" | "ABSTRACT_DATETIME" => value.as_str().is_some_and(|text| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()),
        "CONTACT_LIST" => value.as_str().is_some_and(|text| text.contains('@') && !text.contains(char::is_whitespace)),
        "PICKLIST" => value.as_str().is_some_and(|text| column.options.is_empty() || column.options.iter().any(|o| o == text)),
        "MULTI_PICKLIST" | "MULTI_CONTACT_LIST" | "PREDECESSOR" => false,
        _ => true,
    }
}

/// Whether Smartsheet looked at a request and said no: asking for something else may work.
pub(super) fn refused(error: &Error) -> bool {
    matches!(error, Error::Refused { .. } | Error::Forbidden { .. } | Error::NotFound(_) | Error::Unauthorized { .. })
}

/// In a project sheet Smartsheet may take a value and work it out anew from what stands before it: then nothing was set, or something
/// else, which is noted for who takes it back.
fn overruled(all: &mut [ChangeRow], batch: &[usize], edits: &[RowEdit], bulk: &Bulk) {
    for i in batch {
        let RowEdit { row_id, cells: edits, .. } = &edits[*i];
        let Some(row) = bulk.rows.iter().find(|r| r.id == *row_id) else { continue };
        let now = |edit: &CellEdit| row.cells.iter().find(|c| c.column_id == edit.column_id).map(|c| c.value.to_json());
        let other: Vec<(&CellEdit, Value)> = edits
            .iter()
            .filter_map(|e| Some((e, now(e)?)))
            .filter(|(e, now)| e.after.as_object().is_none() && !Cell::same(now, &e.after))
            .collect();
        if other.len() == edits.len() && other.iter().all(|(e, now)| Cell::same(now, &e.before)) {
            mark(&mut all[*i], RowState::Skipped, OVERRULED);
        } else if !other.is_empty() {
            let became =
                other.iter().map(|(e, now)| format!("{} became {}", e.title, now.as_str().map_or_else(|| now.to_string(), day_of)));
            all[*i].reason = Some(format!("Smartsheet has set something else: {}", became.collect::<Vec<_>>().join(", ")));
            all[*i].made =
                Some(other.iter().map(|(e, now)| (e.column_id.to_string(), now.clone())).collect::<serde_json::Map<_, _>>().into());
        }
    }
}

/// A moment in the morning or evening of a working day as that day.
fn day_of(text: &str) -> String {
    text.split_once('T').map_or(text, |(day, _)| day).to_owned()
}

/// Notes the answer to a bulk request: the failed items by their position, all others done.
pub(super) fn settle(all: &mut [ChangeRow], batch: &[usize], bulk: &Bulk) {
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
