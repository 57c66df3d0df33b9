//! Carries out changes of columns and comments: one entry each.

use super::apply::{Run, mark, open};
use super::apply_rows::{Seen, new_cell, not_carried_out, refused};
use super::plan::{Beside, Plan};
use super::turn::Turn;
use crate::error::Result;
use crate::sheet::{Cell, Snapshot};
use crate::smartsheet::{ColumnSpec, Error, ROWS_PER_CALL, RowChange};
use crate::store::{ChangeRow, RowState};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

impl Run<'_> {
    pub async fn single(&self, plan: &Plan, all: &mut [ChangeRow], seen: &mut Option<Seen>) -> Result<()> {
        let turn = self.changes.turn(self.change.sheet).await?;
        let ran = self.single_in(&turn, plan, all, seen).await;
        turn.end().await;
        ran
    }

    async fn single_in(&self, turn: &Turn, plan: &Plan, all: &mut [ChangeRow], seen: &mut Option<Seen>) -> Result<()> {
        let mut before = seen.take().filter(|_| matches!(plan, Plan::AddColumn { .. }));
        let mut waits = self.waits();
        while open(&all[0]) {
            let trusted = before.is_some();
            let landed = if all[0].state == RowState::Sent { self.look_for(plan, &all[0]).await? } else { None };
            let sent = match landed {
                Some(made) => Ok(made),
                None => match self.send_once(turn, plan, all, before.take(), seen).await? {
                    Some(sent) => sent,
                    None => return Ok(()),
                },
            };
            match sent {
                Ok(made) => return self.made(turn, plan, made, all).await,
                // A comment that may be there is not made again. The rest is the same twice as once: titles of columns are unique.
                Err(error @ Error::MayHaveLanded(_)) if matches!(plan, Plan::Comment { .. }) => {
                    return self.give_up(all, &[0], error).await;
                }
                // Now the sheet is looked at.
                Err(error) if trusted && refused(&error) => {}
                Err(error) => {
                    if let Err(error) = waits.after(error).await {
                        return self.give_up(all, &[0], error).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends the request if the sheet is still as planned; `None` when it is not. What may have been
    /// carried out is looked for.
    async fn send_once(
        &self,
        turn: &Turn,
        plan: &Plan,
        all: &mut [ChangeRow],
        before: Option<Seen>,
        seen: &mut Option<Seen>,
    ) -> Result<Option<Result<Value, Error>>> {
        self.changes.sheets.client().reserve(&turn.writer, &self.identity).await;
        let snapshot = match before {
            Some(before) => before.snapshot,
            None => self.current().await?,
        };
        if let Some(reason) = not_as_planned(plan, &snapshot) {
            mark(&mut all[0], RowState::Skipped, reason);
            let touched = all.to_vec();
            self.note(all, &touched).await?;
            return Ok(None);
        }
        let before = [all[0].state];
        all[0].made = Some(json!({ "twins": self.comments_like(plan).await? }));
        mark(&mut all[0], RowState::Sent, None);
        let touched = all.to_vec();
        self.note(all, &touched).await?;
        Ok(Some(match self.send(turn, plan, &snapshot, seen).await {
            Err(Error::MayHaveLanded(why)) => self.look_for(plan, &all[0]).await?.ok_or(Error::MayHaveLanded(why)),
            Err(error) => {
                not_carried_out(all, &[0], &before);
                Err(error)
            }
            made => made,
        }))
    }

    /// Notes what was made; a column that comes back gets its cells first.
    async fn made(&self, turn: &Turn, plan: &Plan, made: Value, all: &mut [ChangeRow]) -> Result<()> {
        let mut lost = 0;
        if let (Plan::RestoreColumn { cells, beside, spec }, Some(column)) = (plan, made.as_i64()) {
            // What fills itself needs nothing.
            if spec.formula.is_none() && spec.system_column_type.is_none() {
                lost = self.fill(turn, column, cells, beside).await?;
            }
            self.restrict(turn, column, spec).await?;
        }
        all[0].made = Some(made);
        mark(&mut all[0], RowState::Done, None);
        all[0].reason = (lost > 0).then(|| format!("{lost} of its cells could not be brought back"));
        let touched = all.to_vec();
        self.note(all, &touched).await
    }

    async fn send(&self, turn: &Turn, plan: &Plan, before: &Snapshot, seen: &mut Option<Seen>) -> Result<Value, Error> {
        let (client, identity, writer) = (self.changes.sheets.client(), &self.identity, &turn.writer);
        match plan {
            Plan::AddColumn { spec } => {
                let added = client.add_column(writer, identity, spec).await?;
                let (id, version) = (added.column.id, added.version);
                let after = self.changes.sheets.widened(identity, before, added).await;
                *seen = after.and_then(|after| Seen::after(turn, (after, before.version), version));
                Ok(json!(id))
            }
            // Its cells come back next, so nothing is known of the sheet then; only then is it restricted to its options, and locked.
            Plan::RestoreColumn { spec, .. } => {
                let open = ColumnSpec { validation: None, locked: None, ..spec.clone() };
                client.add_column(writer, identity, &open).await.map(|added| json!(added.column.id))
            }
            Plan::UpdateColumn { column_id, after, .. } => {
                // A new type takes the restriction away, so that comes after it.
                let (first, then) = match after.kind {
                    Some(_) => (ColumnSpec { validation: None, ..(**after).clone() }, after.validation),
                    None => ((**after).clone(), None),
                };
                let mut column = client.update_column(writer, identity, *column_id, &first).await?;
                if let Some(validation) = then {
                    let spec = ColumnSpec { validation: Some(validation), ..ColumnSpec::default() };
                    column = client.update_column(writer, identity, *column_id, &spec).await?;
                }
                Ok(json!(column.id))
            }
            Plan::DeleteColumn { column_id, .. } => client.delete_column(writer, identity, *column_id).await.map(|()| Value::Null),
            Plan::Comment { row_id, text, .. } => {
                client.add_comment(writer, identity, *row_id, text).await.map(|d| json!(d.comments.first().map(|c| c.id)))
            }
            Plan::DeleteComment { comment_id, .. } => client.delete_comment(writer, identity, *comment_id).await.map(|()| Value::Null),
            Plan::Update { .. } | Plan::Add { .. } | Plan::Delete { .. } | Plan::Restore { .. } | Plan::Job { .. } => {
                Err(Error::Malformed("not a change of a single entry".into()))
            }
        }
    }

    /// Looks whether a request whose answer was lost is carried out; what it made, if so.
    async fn look_for(&self, plan: &Plan, entry: &ChangeRow) -> Result<Option<Value>> {
        if matches!(plan, Plan::DeleteComment { .. }) {
            // Nothing shows whether it is gone; a deletion may simply be sent again.
            return Ok(None);
        }
        let mut looks = self.looks();
        loop {
            let seen = match self.current().await {
                Ok(snapshot) => self.landed(plan, &snapshot, entry).await,
                Err(error) => Err(error),
            };
            if matches!(seen, Ok(Some(_))) || !looks.again().await {
                return seen;
            }
        }
    }

    /// What a change of this plan has made, if it shows up in the sheet.
    async fn landed(&self, plan: &Plan, snapshot: &Snapshot, entry: &ChangeRow) -> Result<Option<Value>> {
        Ok(match plan {
            Plan::AddColumn { spec } | Plan::RestoreColumn { spec, .. } => {
                snapshot.columns.iter().find(|c| same_column(&c.spec, spec)).map(|c| json!(c.id))
            }
            Plan::UpdateColumn { column_id, after, .. } => {
                snapshot.column_by_id(*column_id).filter(|(_, c)| same_column(&c.spec, after)).map(|_| json!(column_id))
            }
            Plan::DeleteColumn { column_id, .. } => snapshot.column_by_id(*column_id).is_none().then_some(Value::Null),
            Plan::Comment { .. } => {
                let before = entry.made.as_ref().and_then(|m| m["twins"].as_array()).cloned().unwrap_or_default();
                self.comments_like(plan).await?.into_iter().map(Value::from).find(|id| !before.contains(id))
            }
            _ => None,
        })
    }

    /// Ids of the comments that say the same on the same row; none for other plans.
    async fn comments_like(&self, plan: &Plan) -> Result<Vec<i64>> {
        let Plan::Comment { row_id, text, .. } = plan else { return Ok(Vec::new()) };
        let client = self.changes.sheets.client();
        let discussions =
            client.discussions(&self.identity, self.change.sheet.0, *row_id).await.map_err(crate::sheet::smartsheet_trouble)?;
        Ok(discussions.iter().flat_map(|d| &d.comments).filter(|c| c.text == *text).map(|c| c.id).collect())
    }

    /// Puts the cells of a restored column back, in rows that are still there and where nobody has
    /// written meanwhile. Returns how many were refused; when Smartsheet does not answer, this is tried again later.
    async fn fill(&self, turn: &Turn, column: i64, cells: &[(i64, Value)], beside: &[(i64, Beside)]) -> Result<usize> {
        let beside: HashMap<i64, &Beside> = beside.iter().map(|(row, beside)| (*row, beside)).collect();
        let mut waits = self.waits();
        let (mut sent, mut refused) = (HashSet::new(), 0);
        loop {
            let snapshot = self.current().await?;
            let position = snapshot.column_by_id(column).map(|(i, _)| i);
            let empty = |row: &i64| match (snapshot.row(*row), position) {
                (Some(row), Some(i)) => Cell::same(&row.cells[i].to_json(), &Value::Null),
                _ => false,
            };
            let missing: Vec<RowChange> = cells
                .iter()
                .filter(|(row, value)| !sent.contains(row) && !Cell::same(value, &Value::Null) && empty(row))
                .take(ROWS_PER_CALL)
                .map(|(row, value)| RowChange { id: *row, cells: vec![new_cell(&snapshot, column, value, beside.get(row).copied())] })
                .collect();
            if missing.is_empty() {
                return Ok(refused);
            }
            match self.changes.sheets.client().update_rows(&turn.writer, &self.identity, &missing).await {
                Ok(bulk) => {
                    refused += bulk.failed.len();
                    sent.extend(missing.iter().map(|m| m.id));
                }
                Err(error) => waits.after(error).await.map_err(anyhow::Error::from)?,
            }
        }
    }
}

impl Run<'_> {
    /// Restricts a restored column to its options, and locks it, as it was.
    async fn restrict(&self, turn: &Turn, column: i64, spec: &ColumnSpec) -> Result<()> {
        let restricted = ColumnSpec { validation: spec.validation, locked: spec.locked, ..ColumnSpec::default() };
        if restricted == ColumnSpec::default() {
            return Ok(());
        }
        let mut waits = self.waits();
        loop {
            match self.changes.sheets.client().update_column(&turn.writer, &self.identity, column, &restricted).await {
                Ok(_) => return Ok(()),
                Err(error) => waits.after(error).await.map_err(anyhow::Error::from)?,
            }
        }
    }
}

fn same_column(now: &ColumnSpec, wanted: &ColumnSpec) -> bool {
    let options = wanted.options.is_none()
        || wanted.options == now.options
        || (wanted.options.as_ref().is_some_and(Vec::is_empty) && now.options.is_none());
    (wanted.title.is_none() || wanted.title == now.title) && (wanted.kind.is_none() || wanted.kind == now.kind) && options
}

/// Why the change no longer fits the sheet; `None` when it does.
fn not_as_planned(plan: &Plan, snapshot: &Snapshot) -> Option<&'static str> {
    match plan {
        Plan::AddColumn { spec } | Plan::RestoreColumn { spec, .. } => {
            let taken = spec.title.as_deref().is_some_and(|t| snapshot.columns.iter().any(|c| c.title == t));
            taken.then_some("a column of this title was made meanwhile")
        }
        Plan::UpdateColumn { column_id, before, .. } => match snapshot.column_by_id(*column_id) {
            None => Some("the column is gone"),
            Some((_, c)) => (!same_column(&c.spec, before)).then_some("the column was changed by somebody else meanwhile"),
        },
        Plan::DeleteColumn { column_id, cells, .. } => {
            let Some((position, _)) = snapshot.column_by_id(*column_id) else { return Some("the column is gone already") };
            let filled = snapshot.rows.iter().filter(|r| !Cell::same(&r.cells[position].to_json(), &Value::Null)).count();
            let planned = cells.iter().filter(|(_, v)| !Cell::same(v, &Value::Null)).count();
            let changed =
                cells.iter().any(|(row, value)| snapshot.row(*row).is_some_and(|r| !Cell::same(&r.cells[position].to_json(), value)));
            (changed || filled > planned).then_some("its cells were changed by somebody else meanwhile")
        }
        Plan::Comment { row_id, .. } => snapshot.row(*row_id).is_none().then_some("the row is gone"),
        _ => None,
    }
}
