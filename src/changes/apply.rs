//! Carries out a change and says what became of it. May be called again after a crash: what is in
//! doubt is read back first.

use super::Changes;
use super::plan::Plan;
use crate::error::{Result, Trouble};
use crate::sheet::{Snapshot, smartsheet_trouble};
use crate::smartsheet::{Error, Identity};
use crate::store::{Change, ChangeRow, RowState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

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

/// How soon, and at most how seldom, what is in doubt is looked for.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LONGEST_LOOK: Duration = Duration::from_secs(2);

/// What a change is carried out with.
pub(super) struct Run<'a> {
    pub changes: &'a Changes,
    pub change: &'a Change,
    pub identity: Identity,
    pub progress: &'a watch::Sender<Progress>,
    fence: i64,
    noted_at_ms: AtomicI64,
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
            let run = Run::take_up(self, change, progress).await?;
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
            run.close(&rows).await?;
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
        let run = Run::take_up(self, change, &progress).await?;
        run.fail_open(&mut rows, reason).await?;
        run.close(&rows).await
    }
}

impl<'a> Run<'a> {
    async fn take_up(changes: &'a Changes, change: &'a Change, progress: &'a watch::Sender<Progress>) -> Result<Self> {
        let (fence, noted_at_ms) = changes.store.take_change(&change.id).await?;
        Ok(Self { changes, change, identity: Identity::Service, progress, fence, noted_at_ms: noted_at_ms.into() })
    }

    async fn close(&self, rows: &[ChangeRow]) -> Result<()> {
        let nothing = rows.iter().all(|r| r.state != RowState::Done);
        let now_ms = self.changes.clock.now_ms();
        if self.changes.store.finish_change(&self.change.id, self.fence, nothing, now_ms).await? { Ok(()) } else { Err(taken_over()) }
    }

    /// The sheet as it is now.
    pub async fn current(&self) -> Result<Arc<Snapshot>> {
        self.changes.sheets.current(&self.identity, self.change.sheet).await
    }

    /// How long to look for what was sent: a request whose answer was lost may still be carried out.
    pub fn looks(&self) -> Looks {
        let since_ms = self.changes.clock.now_ms() - self.noted_at_ms.load(Ordering::Relaxed);
        let passed = Duration::from_millis(u64::try_from(since_ms).unwrap_or(0));
        Looks { until: Instant::now() + self.changes.rules.in_doubt.saturating_sub(passed), pause: FIRST_LOOK }
    }

    /// The sheet once everything that was sent shows up in it, or had the time to.
    pub async fn look_back(&self, complete: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>> {
        let mut looks = self.looks();
        loop {
            let seen = self.current().await;
            if seen.as_ref().is_ok_and(|s| complete(s)) || !looks.again().await {
                return seen;
            }
        }
    }

    /// Writes where entries stand, and tells how far the whole is.
    pub async fn note(&self, all: &[ChangeRow], touched: &[ChangeRow]) -> Result<()> {
        let now_ms = self.changes.clock.now_ms();
        if !self.changes.store.set_change_rows(&self.change.id, self.fence, touched, now_ms).await? {
            return Err(taken_over());
        }
        self.noted_at_ms.store(now_ms, Ordering::Relaxed);
        let settled = all.iter().filter(|r| !matches!(r.state, RowState::Pending | RowState::Sent)).count();
        self.progress.send_replace((settled, all.len()));
        Ok(())
    }

    /// Smartsheet did not answer, for good: those of these entries that are open fail with this reason.
    pub async fn give_up(&self, all: &mut [ChangeRow], entries: &[usize], error: Error) -> Result<()> {
        let reason = match smartsheet_trouble(error) {
            Trouble::Told(words) => words.0,
            Trouble::Logged(error) => {
                tracing::error!(change = %self.change.id, "{error:#}");
                "Smartsheet's answer was lost; please look whether it was written".into()
            }
        };
        self.fail(all, entries, &reason).await
    }

    /// Those of these entries that are neither written nor left alone fail with this reason.
    async fn fail(&self, all: &mut [ChangeRow], entries: &[usize], reason: &str) -> Result<()> {
        for i in entries.iter().copied() {
            if open(&all[i]) {
                all[i].state = RowState::Failed;
                all[i].reason = Some(reason.to_owned());
            }
        }
        let touched: Vec<ChangeRow> = entries.iter().map(|i| all[*i].clone()).collect();
        self.note(all, &touched).await
    }

    /// Everything that is open fails with this reason.
    pub async fn fail_open(&self, all: &mut [ChangeRow], reason: &str) -> Result<()> {
        let entries: Vec<usize> = (0..all.len()).collect();
        self.fail(all, &entries, reason).await
    }
}

/// Looks that are still worth it.
pub(super) struct Looks {
    until: Instant,
    pause: Duration,
}

impl Looks {
    /// Waits for the next look; `false` when there is none.
    pub async fn again(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        tokio::time::sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(LONGEST_LOOK);
        !left.is_zero()
    }
}

/// Whether it is not known yet what became of an entry.
pub(super) fn open(row: &ChangeRow) -> bool {
    matches!(row.state, RowState::Pending | RowState::Sent)
}

/// This process was thought to be dead, and another one goes on where it stood.
fn taken_over() -> Trouble {
    Trouble::Logged(anyhow::anyhow!("somebody else carries this change out now"))
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
