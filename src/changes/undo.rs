//! Takes a change back by another change, itself conditional: only what still stands as we left it.

use super::Changes;
use super::plan::{CellEdit, DeletedRow, Plan, RowEdit};
use crate::error::{Result, told};
use crate::smartsheet::ColumnSpec;
use crate::store::{Change, ChangeRow, ENTRY_TAKEN_BACK, RowState};
use serde_json::Value;
use std::fmt;

/// Why a change is not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoRefused {
    /// It was taken back already.
    TakenBack,
    /// Another undo of it is under way.
    BeingTakenBack,
    /// It takes another change back itself.
    IsUndo,
    /// It is still being carried out.
    UnderWay,
    /// It is older than changes may be that are taken back.
    TooOld {
        /// How old they may be.
        hours: u64,
    },
    /// Nothing of it was written.
    NothingWritten,
}

impl fmt::Display for UndoRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenBack => f.write_str("That change was taken back already."),
            Self::BeingTakenBack => f.write_str("That change is being taken back already."),
            Self::IsUndo => f.write_str("That was an undo itself. Ask for the change again instead."),
            Self::UnderWay => f.write_str("That change is still being carried out. Please try again when it is done."),
            Self::TooOld { hours } => write!(f, "Changes can be taken back for {hours} hours; this one is older."),
            Self::NothingWritten => f.write_str("Nothing of that change was written, so there is nothing to take back."),
        }
    }
}

impl Changes {
    /// Begins to take a change back for a person.
    ///
    /// # Errors
    /// A sentence when it is refused; see [`Self::try_undo`].
    pub async fn begin_undo(&self, id: String, change: &Change, asker: &str) -> Result<Change> {
        self.try_undo(id, change, asker).await?.map_err(|refused| told(refused.to_string()))
    }

    /// Begins to take a change back, or what an undo before has left of it; the returned change is then applied like any other.
    /// After a crash the same call, with the same id, brings the same change back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_undo(&self, id: String, change: &Change, asker: &str) -> Result<Result<Change, UndoRefused>> {
        if let Some(begun) = self.store.change(&id).await? {
            return Ok(Ok(begun));
        }
        if self.store.undo_of(&change.id).await?.is_some() {
            return Ok(Err(UndoRefused::TakenBack));
        }
        if change.undo_of.is_some() {
            return Ok(Err(UndoRefused::IsUndo));
        }
        if change.applying {
            return Ok(Err(UndoRefused::UnderWay));
        }
        let age_ms = self.clock.now_ms() - change.created_at_ms;
        if age_ms > self.rules.undo_window.as_millis() as i64 {
            return Ok(Err(UndoRefused::TooOld { hours: self.rules.undo_window.as_secs() / 3600 }));
        }
        let plan = Plan::read(&change.plan)?;
        let rows = self.store.change_rows(&change.id).await?;
        let back = reverse(&plan, &rows);
        if back.units() == 0 {
            let before = rows.iter().any(|r| r.reason.as_deref() == Some(ENTRY_TAKEN_BACK));
            return Ok(Err(if before { UndoRefused::TakenBack } else { UndoRefused::NothingWritten }));
        }
        let undo = Change {
            id,
            undo_of: Some(change.id.clone()),
            job_id: None,
            asker: asker.to_owned(),
            plan: back.kept()?,
            applying: true,
            created_at_ms: self.clock.now_ms(),
            ..change.clone()
        };
        if !self.store.begin_change(&undo, back.units() as i64, None).await? {
            return Ok(Err(UndoRefused::BeingTakenBack));
        }
        Ok(Ok(undo))
    }
}

/// The entries of a change that the plan which leads back is made of, in its order.
pub(super) fn reversed(plan: &Plan, rows: &[ChangeRow]) -> Vec<i64> {
    let done = rows.iter().filter(|r| matches!(r.state, RowState::Done | RowState::Sent));
    let by_what_was_made = !matches!(plan, Plan::Update { .. } | Plan::Delete { .. });
    done.filter(|r| !by_what_was_made || r.made.as_ref().is_some_and(|m| m.as_i64().is_some())).map(|r| r.seq).collect()
}

/// The plan that leads back, for what was written.
fn reverse(plan: &Plan, rows: &[ChangeRow]) -> Plan {
    // What is still in doubt is taken back too: only where it stands.
    let done = |seq: usize| rows.get(seq).filter(|r| matches!(r.state, RowState::Done | RowState::Sent));
    let made = |seq: usize| done(seq).and_then(|r| r.made.as_ref()).and_then(Value::as_i64);
    match plan {
        Plan::Update { rows: edits } => {
            let written = edits.iter().enumerate().filter(|(i, _)| done(*i).is_some());
            let back = |(i, edit): (usize, &RowEdit)| {
                let became = rows[i].made.as_ref();
                let cell = |c: &CellEdit| {
                    let back = swapped(c);
                    // Smartsheet had made something else of it: that is what stands there.
                    match became.and_then(|b| b.get(c.column_id.to_string())) {
                        Some(became) => CellEdit { before: became.clone(), before_beside: None, ..back },
                        None => back,
                    }
                };
                RowEdit { cells: edit.cells.iter().map(cell).collect(), ..edit.clone() }
            };
            Plan::Update { rows: written.map(back).collect() }
        }
        Plan::Add { location, rows: new } => {
            let row = |(i, r): (usize, &super::plan::NewRowPlan)| {
                Some(DeletedRow {
                    row_id: made(i)?,
                    label: r.label.clone(),
                    parent: location.parent,
                    above: None,
                    cells: r.cells.iter().map(swapped).collect(),
                    as_child: false,
                })
            };
            Plan::Delete { rows: new.iter().enumerate().filter_map(row).collect() }
        }
        Plan::Delete { rows: gone } => {
            Plan::Restore { rows: gone.iter().enumerate().filter(|(i, _)| done(*i).is_some()).map(|(_, r)| r.clone()).collect() }
        }
        Plan::Restore { rows: back } => {
            let row = |(i, r): (usize, &DeletedRow)| Some(DeletedRow { row_id: made(i)?, ..r.clone() });
            Plan::Delete { rows: back.iter().enumerate().filter_map(row).collect() }
        }
        Plan::AddColumn { spec } | Plan::RestoreColumn { spec, .. } => match made(0) {
            Some(column_id) => Plan::DeleteColumn { column_id, spec: spec.clone(), cells: Vec::new(), beside: Vec::new() },
            None => Plan::Delete { rows: Vec::new() },
        },
        Plan::UpdateColumn { column_id, before, after } => {
            let now = ColumnSpec { title: after.title.clone().or_else(|| before.title.clone()), ..(**after).clone() };
            Plan::UpdateColumn { column_id: *column_id, before: Box::new(now), after: before.clone() }
        }
        Plan::DeleteColumn { spec, cells, beside, .. } => {
            Plan::RestoreColumn { spec: spec.clone(), cells: cells.clone(), beside: beside.clone() }
        }
        Plan::Comment { label, .. } => match made(0) {
            Some(comment_id) => Plan::DeleteComment { comment_id, label: label.clone() },
            None => Plan::Delete { rows: Vec::new() },
        },
        Plan::DeleteComment { .. } | Plan::Job { .. } => Plan::Delete { rows: Vec::new() },
    }
}

fn swapped(cell: &CellEdit) -> CellEdit {
    CellEdit {
        before: cell.after.clone(),
        after: cell.before.clone(),
        before_shown: cell.after_shown.clone(),
        after_shown: cell.before_shown.clone(),
        before_beside: cell.after_beside.clone(),
        after_beside: cell.before_beside.clone(),
        ..cell.clone()
    }
}
