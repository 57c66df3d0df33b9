//! Carries out a change and says what became of it. May be called again after a crash: what is in
//! doubt is read back first.

use super::Changes;
use super::plan::Plan;
use crate::error::{Result, Trouble};
use crate::sheet::smartsheet_trouble;
use crate::smartsheet::{Error, Identity};
use crate::store::{Change, ChangeRow, RowState};
use tokio::sync::watch;

/// What became of a change.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Entries that were written.
    pub done: usize,
    /// Entries that were left alone because somebody else changed them.
    pub skipped: Vec<OutcomeRow>,
    /// Entries that Smartsheet refused.
    pub failed: Vec<OutcomeRow>,
    /// Ids of rows that were made or changed, for links.
    pub rows: Vec<i64>,
}

/// An entry that was not written.
#[derive(Clone, Debug)]
pub struct OutcomeRow {
    /// What it is called.
    pub label: String,
    /// Why.
    pub reason: String,
}

/// How far a change is: entries done, entries in all.
pub type Progress = (usize, usize);

/// What a change is carried out with.
pub(super) struct Run<'a> {
    pub changes: &'a Changes,
    pub change: &'a Change,
    pub identity: Identity,
    pub progress: &'a watch::Sender<Progress>,
}

impl Changes {
    /// Carries out a change, or what is left of it.
    ///
    /// # Errors
    /// When the store fails, or the plan cannot be read. Faults of Smartsheet are part of the outcome.
    pub async fn apply(&self, change: &Change, progress: &watch::Sender<Progress>) -> Result<Outcome> {
        let plan: Plan = serde_json::from_value(change.plan.clone())?;
        let mut rows = self.store.change_rows(&change.id).await?;
        if change.applying {
            let run = Run { changes: self, change, identity: Identity::Service, progress };
            let ran = match &plan {
                Plan::Update { rows: edits } => run.update(edits, &mut rows).await,
                Plan::Add { location, rows: new } => run.add(location, new, &mut rows).await,
                Plan::Delete { rows: gone } => run.delete(gone, &mut rows).await,
                Plan::Restore { rows: back } => run.restore(back, &mut rows).await,
                other => run.single(other, &mut rows).await,
            };
            // What Smartsheet did not let us do is part of the outcome; a fault of ours is tried again later.
            if let Err(Trouble::Told(words)) = ran {
                run.fail_open(&mut rows, &words.0).await?;
            } else {
                ran?;
            }
            let nothing = rows.iter().all(|r| r.state != RowState::Done);
            self.store.finish_change(&change.id, nothing, self.clock.now_ms()).await?;
        }
        Ok(outcome(&plan, &rows))
    }
}

impl Changes {
    /// Closes a change that could not be carried out in several tries; what is open has failed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon(&self, change: &Change, reason: &str) -> Result<()> {
        let mut rows = self.store.change_rows(&change.id).await?;
        let (progress, _) = watch::channel((0, rows.len()));
        let run = Run { changes: self, change, identity: Identity::Service, progress: &progress };
        run.fail_open(&mut rows, reason).await?;
        let nothing = rows.iter().all(|r| r.state != RowState::Done);
        self.store.finish_change(&change.id, nothing, self.clock.now_ms()).await?;
        Ok(())
    }
}

impl Run<'_> {
    /// Writes where entries stand, and tells how far the whole is.
    pub async fn note(&self, all: &[ChangeRow], touched: &[ChangeRow]) -> Result<()> {
        self.changes.store.set_change_rows(&self.change.id, touched).await?;
        let settled = all.iter().filter(|r| !matches!(r.state, RowState::Pending | RowState::Sent)).count();
        self.progress.send_replace((settled, all.len()));
        Ok(())
    }

    /// Smartsheet did not answer, for good: everything open fails with this reason.
    pub async fn give_up(&self, all: &mut [ChangeRow], error: Error) -> Result<()> {
        let reason = match smartsheet_trouble(error) {
            Trouble::Told(words) => words.0,
            Trouble::Logged(error) => {
                tracing::error!(change = %self.change.id, "{error:#}");
                "Smartsheet's answer was lost; please look whether it was written".into()
            }
        };
        self.fail_open(all, &reason).await
    }

    /// Everything that is neither written nor left alone fails with this reason.
    async fn fail_open(&self, all: &mut [ChangeRow], reason: &str) -> Result<()> {
        for row in all.iter_mut().filter(|r| matches!(r.state, RowState::Pending | RowState::Sent)) {
            row.state = RowState::Failed;
            row.reason = Some(reason.to_owned());
        }
        let touched = all.to_vec();
        self.note(all, &touched).await
    }
}

/// Marks an entry.
pub(super) fn mark(row: &mut ChangeRow, state: RowState, reason: impl Into<Option<&'static str>>) {
    row.state = state;
    row.reason = reason.into().map(str::to_owned);
}

fn outcome(plan: &Plan, rows: &[ChangeRow]) -> Outcome {
    let mut outcome = Outcome::default();
    for row in rows {
        let seq = usize::try_from(row.seq).unwrap_or(0);
        let entry = || OutcomeRow { label: plan.label(seq), reason: row.reason.clone().unwrap_or_default() };
        match row.state {
            RowState::Done => {
                outcome.done += 1;
                outcome.rows.extend(match plan {
                    Plan::Update { rows } => rows.get(seq).map(|r| r.row_id),
                    Plan::Comment { row_id, .. } => Some(*row_id),
                    Plan::Add { .. } | Plan::Restore { .. } => row.made.as_ref().and_then(serde_json::Value::as_i64),
                    _ => None,
                });
            }
            RowState::Skipped => outcome.skipped.push(entry()),
            _ => outcome.failed.push(entry()),
        }
    }
    outcome
}
