//! Carries out a change and says what became of it. May be called again after a crash: what is in
//! doubt is read back first.

use super::Changes;
use super::apply_rows::Seen;
use super::plan::Plan;
use super::undo::reversed;
use crate::error::{Result, Trouble, UserError};
use crate::sheet::{Snapshot, smartsheet_trouble};
use crate::smartsheet::{Error, Identity, LONGEST_WAIT};
use crate::store::{Change, ChangeRow, RowState};
use backon::BackoffBuilder;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What became of a change.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Entries that were written.
    pub done: usize,
    /// Entries that were left alone because somebody else changed them.
    pub skipped: Vec<OutcomeRow>,
    /// Entries of which Smartsheet made something else.
    pub altered: Vec<OutcomeRow>,
    /// Entries that Smartsheet refused.
    pub failed: Vec<OutcomeRow>,
    /// Ids of rows that were made or changed, for links.
    pub rows: Vec<i64>,
}

/// An entry that was not written, or not as it was meant.
#[derive(Clone, Debug)]
pub struct OutcomeRow {
    /// What it is called.
    pub label: String,
    /// Why.
    pub reason: String,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are settled.
    pub settled: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// Entries in all.
    pub total: usize,
}

/// How soon, and at most how seldom, what is in doubt is looked for.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LONGEST_LOOK: Duration = Duration::from_secs(2);
/// How long a request that may be repeated has to show up before it is.
const SAME_TWICE: Duration = Duration::from_secs(3);

/// How a change is stopped between two requests, and by what.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// A person does not want the rest.
    pub cancel: CancellationToken,
    /// This process stops: the rest is for whoever comes next.
    pub pause: CancellationToken,
    /// When Smartsheet does not answer the rest is left for later; otherwise it fails.
    pub patient: bool,
    /// The job that the change is a part of, and our fence of it: who has lost the job takes nothing up.
    pub lease: Option<(String, i64)>,
}

/// Why an entry was left alone: a person did not want the rest.
pub const CANCELLED: &str = "it was cancelled before this was written";
/// Why an entry was left alone: there was nothing to do.
pub const SAME_VALUE: &str = "it has this value already";

/// What a change is carried out with.
pub(super) struct Run<'a> {
    pub changes: &'a Changes,
    pub change: &'a Change,
    pub identity: Identity,
    pub progress: &'a watch::Sender<Progress>,
    stop: &'a Stop,
    fence: i64,
}

impl Changes {
    /// Carries out a change, or what is left of it. Between two requests it can be stopped.
    ///
    /// # Errors
    /// When the store fails, or the plan cannot be read. Faults of Smartsheet are part of the outcome.
    pub async fn apply(&self, change: &Change, progress: &watch::Sender<Progress>, stop: &Stop) -> Result<Outcome> {
        self.apply_next(change, progress, stop, &mut None).await
    }

    /// Like [`apply`](Self::apply), for one of several changes that follow one another: what the one before has `seen` of the
    /// sheet is not looked for again.
    ///
    /// # Errors
    /// See [`apply`](Self::apply).
    pub async fn apply_next(
        &self,
        change: &Change,
        progress: &watch::Sender<Progress>,
        stop: &Stop,
        seen: &mut Option<Seen>,
    ) -> Result<Outcome> {
        let plan = Plan::read(&change.plan)?;
        // Taken up before anything is read: what is noted after this is noted by us.
        let run = if change.applying { Some(Run::take_up(self, change, progress, stop).await?) } else { None };
        let mut rows = self.store.change_rows(&change.id).await?;
        if let Some(run) = run {
            let ran = match &plan {
                Plan::Update { rows: edits } => run.update(edits, &mut rows, seen).await,
                Plan::Add { location, rows: new } => run.add(location, new, &mut rows).await,
                Plan::Delete { rows: gone } => run.delete(gone, &mut rows).await,
                Plan::Restore { rows: back } => run.restore(back, &mut rows).await,
                other => run.single(other, &mut rows, seen).await,
            };
            match ran {
                Ok(()) => {}
                Err(error @ Trouble::Later(_)) if stop.patient => return Err(error),
                // What Smartsheet did not let us do is part of the outcome.
                Err(Trouble::Told(error) | Trouble::Later(error)) if rows.iter().all(|r| r.state != RowState::Sent) => {
                    run.fail_open(&mut rows, &error.words).await?;
                }
                // What was sent, and cannot be looked for, is looked for again later; a fault of ours is tried again later, too.
                Err(Trouble::Told(error) | Trouble::Later(error)) => {
                    return Err(Trouble::Logged(anyhow::anyhow!("it is not known yet what was carried out: {}", error.words)));
                }
                Err(error) => return Err(error),
            }
            run.close(&rows).await?;
        }
        Ok(outcome(&plan, &rows))
    }
}

impl Changes {
    /// Closes a change that could not be carried out in several tries. What was not sent has failed;
    /// what was sent stays marked so, with the reason, and may be taken back where it stands.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn abandon(&self, change: &Change, reason: &str, stop: &Stop) -> Result<()> {
        let progress = watch::Sender::default();
        let run = Run::take_up(self, change, &progress, stop).await?;
        let mut rows = self.store.change_rows(&change.id).await?;
        for row in rows.iter_mut().filter(|r| open(r)) {
            let cancelled = row.state == RowState::Pending && stop.cancel.is_cancelled();
            let state = if row.state == RowState::Sent { RowState::Sent } else { RowState::Failed };
            row.state = if cancelled { RowState::Skipped } else { state };
            row.reason = Some(if cancelled { CANCELLED } else { reason }.to_owned());
        }
        run.note(&rows, &rows).await?;
        run.close(&rows).await
    }
}

impl<'a> Run<'a> {
    async fn take_up(changes: &'a Changes, change: &'a Change, progress: &'a watch::Sender<Progress>, stop: &'a Stop) -> Result<Self> {
        let fence = changes.store.take_change(&change.id, stop.lease.as_ref()).await?.ok_or_else(taken_over)?;
        Ok(Self { changes, change, identity: Identity::read(&change.identity), progress, stop, fence })
    }

    /// Between two requests: an error when the change is to be left for whoever comes next. When it was
    /// cancelled, everything that was not sent is left alone.
    pub async fn between(&self, all: &mut [ChangeRow]) -> Result<()> {
        if self.stop.pause.is_cancelled() {
            return Err(Trouble::Logged(anyhow::anyhow!("this process stops; somebody else goes on with the change")));
        }
        if self.stop.cancel.is_cancelled() && all.iter().any(|r| r.state == RowState::Pending) {
            for row in all.iter_mut().filter(|r| r.state == RowState::Pending) {
                mark(row, RowState::Skipped, CANCELLED);
            }
            let touched = all.to_vec();
            self.note(all, &touched).await?;
        }
        Ok(())
    }

    async fn close(&self, rows: &[ChangeRow]) -> Result<()> {
        let nothing = rows.iter().all(|r| !matches!(r.state, RowState::Done | RowState::Sent));
        let now_ms = self.changes.clock.now_ms();
        if let Some(original) = self.change.undo_of.as_ref().filter(|_| !nothing && rows.iter().any(is_left)) {
            return self.close_half_way(original, rows, now_ms).await;
        }
        if self.changes.store.finish_change(&self.change.id, self.fence, nothing, now_ms).await? { Ok(()) } else { Err(taken_over()) }
    }

    /// Closes an undo that did not come to its end: what it took back counts, and the rest can be taken back later.
    async fn close_half_way(&self, original: &str, rows: &[ChangeRow], now_ms: i64) -> Result<()> {
        let store = &self.changes.store;
        let change = store.change(original).await?.ok_or_else(|| anyhow::anyhow!("the change that was to be taken back is gone"))?;
        let entries = reversed(&Plan::read(&change.plan)?, &store.change_rows(original).await?);
        // Also what had its old value already, or was changed by somebody else: there is nothing left to be done about it.
        let settled = |row: &ChangeRow| !is_left(row) && !open(row);
        let back: Vec<i64> = entries.iter().zip(rows).filter(|(_, row)| settled(row)).map(|(seq, _)| *seq).collect();
        let closed = store.finish_undo_half_way(&self.change.id, self.fence, original, &back, now_ms).await?;
        if closed { Ok(()) } else { Err(taken_over()) }
    }

    /// The sheet as it is now.
    pub async fn current(&self) -> Result<Arc<Snapshot>> {
        self.changes.sheets.current(&self.identity, self.change.sheet).await
    }

    /// How long to look for what was sent: a request whose answer was just lost, or whose sender just
    /// lost its lease, may still be carried out.
    pub fn looks(&self) -> Looks {
        Looks { until: Instant::now() + self.changes.rules.in_doubt, pause: FIRST_LOOK }
    }

    /// The waits between tries of one write.
    pub fn waits(&self) -> Waits {
        Waits(self.changes.sheets.client().backoff().build())
    }

    /// The sheet once everything that was sent shows up in it, or had some time to. For requests that are the same
    /// twice as once: to wait longer would keep nothing from being carried out late.
    pub async fn look_back(&self, complete: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>> {
        let until = Instant::now() + self.changes.rules.in_doubt.min(SAME_TWICE);
        self.look(Looks { until, pause: FIRST_LOOK }, complete).await
    }

    /// The sheet once everything that was sent shows up in it, or these looks are over.
    pub async fn look(&self, mut looks: Looks, complete: impl Fn(&Snapshot) -> bool) -> Result<Arc<Snapshot>> {
        loop {
            let seen = self.current().await;
            if seen.as_ref().is_ok_and(|s| complete(s)) || !looks.again().await {
                return seen;
            }
        }
    }

    /// Writes where entries stand, and tells how far the whole is.
    pub async fn note(&self, all: &[ChangeRow], touched: &[ChangeRow]) -> Result<()> {
        if !self.changes.store.set_change_rows(&self.change.id, self.fence, touched).await? {
            return Err(taken_over());
        }
        let settled = all.iter().filter(|r| !matches!(r.state, RowState::Pending | RowState::Sent)).count();
        let failed = all.iter().filter(|r| r.state == RowState::Failed).count();
        self.progress.send_replace(Progress { settled, failed, total: all.len() });
        Ok(())
    }

    /// Smartsheet did not answer, for good: those of these entries that are open fail with this reason.
    pub async fn give_up(&self, all: &mut [ChangeRow], entries: &[usize], error: Error) -> Result<()> {
        let lost = matches!(error, Error::MayHaveLanded(_));
        let reason = match smartsheet_trouble(error) {
            error @ Trouble::Later(_) if self.stop.patient => return Err(error),
            // What was sent stays in doubt, and is compared when the work goes on.
            Trouble::Logged(error) if lost && self.stop.patient => {
                tracing::warn!(change = %self.change.id, "{error:#}; it is taken up again");
                return Err(Trouble::Later(UserError::new("Smartsheet's answers are lost at the moment.")));
            }
            Trouble::Told(error) | Trouble::Later(error) => error.words,
            Trouble::Logged(error) => {
                tracing::error!(change = %self.change.id, "{error:#}");
                "Smartsheet's answer was lost; please look whether it was written".into()
            }
        };
        let unsent: Vec<usize> = entries.iter().copied().filter(|i| lost && all[*i].state == RowState::Pending).collect();
        self.fail(all, &unsent, "Smartsheet's answers were lost; it was not sent").await?;
        self.fail(all, entries, &reason).await
    }

    /// Those of these entries that are neither written nor left alone fail with this reason.
    async fn fail(&self, all: &mut [ChangeRow], entries: &[usize], reason: &str) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
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

/// Waits between tries of one write. Between two tries the sheet is compared anew.
pub(super) struct Waits(backon::ExponentialBackoff);

impl Waits {
    /// Waits until a write may be tried again that was not carried out, or may not have been.
    ///
    /// # Errors
    /// The error, when trying again would not help.
    pub async fn after(&mut self, error: Error) -> Result<(), Error> {
        let passing = matches!(error, Error::RateLimited(_) | Error::Busy(_) | Error::Unreachable(_) | Error::MayHaveLanded(_));
        let Some(next) = self.0.next().filter(|_| passing) else { return Err(error) };
        let wait = if let Error::RateLimited(Some(asked)) = error { asked } else { next };
        if wait > LONGEST_WAIT {
            return Err(error);
        }
        tracing::info!(%error, wait_ms = wait.as_millis() as u64, "a write is compared and tried anew");
        tokio::time::sleep(wait).await;
        Ok(())
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

/// Whether another try may do what this one has not done.
fn is_left(row: &ChangeRow) -> bool {
    row.state == RowState::Failed || row.reason.as_deref() == Some(CANCELLED)
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
                let with_reason = row.reason.is_some().then(entry);
                match plan {
                    Plan::Update { .. } => outcome.altered.extend(with_reason),
                    _ => outcome.failed.extend(with_reason),
                }
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
