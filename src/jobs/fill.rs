//! Fills a column with the model's answers. Asking and writing go on beside each other: an answer is kept before it
//! is used, and a group of rows that has all its answers is one change of the journal.

use super::ask::{Asked, Kept, source_of};
use super::board::{Board, Next};
use super::runner::{Ended, Running};
use super::{Jobs, Kind, Parameters};
use crate::changes::propose::new_column;
use crate::changes::{CellEdit, Plan, RowEdit, SAME_VALUE, Seen, Stop};
use crate::error::{Result, Trouble, told};
use crate::sheet::Snapshot;
use crate::smartsheet::Identity;
use crate::store::{Change, ChangeRow, JobRow, JobRowState, RowState};
use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Answers that are kept in one commit.
const KEPT_TOGETHER: usize = 64;
/// How long calls that are under way get when a person cancels the job: they are paid for.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// What the asking and the writing side of a job share.
struct Desk {
    board: Mutex<Board>,
    got_on: Notify,
    /// Answers cannot be written, so nothing more is asked.
    unwritable: CancellationToken,
}

impl Desk {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What came of asking for the row at this position; whoever asked goes on when it is kept.
type CameIn = (usize, Asked, oneshot::Sender<()>);

/// The calls of a job that run at the same time; they end with it.
struct Calls {
    answers: mpsc::Receiver<CameIn>,
    tasks: JoinSet<()>,
}

impl Running<'_> {
    /// Fills the target column.
    pub(super) async fn fill(&self, kind: &'static Kind) -> Result<Ended> {
        let parameters: Arc<Parameters> = Arc::new(serde_json::from_value(self.job.parameters.clone())?);
        let store = &self.jobs.parts.store;
        if self.stop.cancel.is_cancelled() && self.job.fence == 1 {
            // It was cancelled before it began: nothing was paid for that the preview has not shown.
            return Ok(Board::new(store.job_rows(&self.job.id).await?).ended());
        }
        let desk = Desk {
            board: Mutex::new(Board::new(store.job_rows(&self.job.id).await?)),
            got_on: Notify::new(),
            unwritable: CancellationToken::new(),
        };
        for change in store.job_changes(&self.job.id).await? {
            self.settle_group(&change, &desk, &mut None).await?;
        }
        self.tell(desk.board().view());
        let sheet = self.jobs.parts.changes.sheets.snapshot(&Identity::read(&self.job.identity), self.job.sheet).await?;
        let calls = self.start_calls(kind, &parameters, &sheet, &desk.board());
        let write = async {
            let wrote = self.write_answers(&parameters, &desk, sheet).await;
            if wrote.is_err() {
                desk.unwritable.cancel();
            }
            wrote
        };
        let (asked, wrote) = tokio::join!(self.keep_answers(calls, &desk), write);
        wrote.and(asked)?;
        if self.stop.pause.is_cancelled() {
            return Err(Trouble::Logged(anyhow::anyhow!("this process stops; somebody else goes on with the job")));
        }
        Ok(desk.board().ended())
    }

    /// Makes the target column when it was not in the sheet that the job has read, nor is by now.
    async fn make_column(&self, parameters: &Parameters, read: &Arc<Snapshot>, seen: &mut Option<Seen>) -> Result<()> {
        let change = match self.jobs.parts.store.change(&self.name("column")).await? {
            Some(begun) if begun.applying => begun,
            Some(_) => return Ok(()),
            None if read.column(&parameters.target_column).is_some() => return Ok(()),
            None => {
                let spec = new_column(read, &parameters.target_column)?;
                self.begin("column", &Plan::AddColumn { spec }, read.version).await?
            }
        };
        let (progress, _) = tokio::sync::watch::channel((0, 1));
        let stop = Stop { cancel: CancellationToken::new(), ..self.stop.clone() };
        *seen = Some(Seen::read(read.clone()));
        let outcome = self.jobs.parts.changes.apply_next(&change, &progress, &stop, seen).await?;
        match outcome.failed.first() {
            Some(failed) => Err(told(format!("The column {} could not be made: {}", parameters.target_column, failed.reason))),
            None => Ok(()),
        }
    }

    /// Starts asking for the rows that have no answer yet, several at a time.
    fn start_calls(&self, kind: &'static Kind, parameters: &Arc<Parameters>, sheet: &Arc<Snapshot>, board: &Board) -> Calls {
        let pending = board.rows().iter().enumerate().filter(|(_, r)| r.state == JobRowState::Pending);
        let queue: VecDeque<(usize, i64)> = pending.map(|(i, r)| (i, r.row_id)).collect();
        let at_once = self.jobs.parts.settings.concurrency.min(queue.len());
        let (sender, answers) = mpsc::channel(at_once.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for _ in 0..at_once {
            let (jobs, stop, queue, sender) = (self.jobs.clone(), self.stop.clone(), queue.clone(), sender.clone());
            let (parameters, sheet) = (parameters.clone(), sheet.clone());
            tasks.spawn(async move {
                let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front();
                while let (false, Some((i, row_id))) = (stop.cancel.is_cancelled() || stop.pause.is_cancelled(), next()) {
                    let source = sheet.row(row_id).map(|r| source_of(&sheet, r, &parameters.source_columns)).unwrap_or_default();
                    let asked = Jobs::ask(&jobs, kind, &parameters, &source).await;
                    let (kept, is_kept) = oneshot::channel();
                    // Nothing more is asked when the answer could not be kept, or there was none.
                    if sender.send((i, asked, kept)).await.is_err() || is_kept.await.is_err() {
                        return;
                    }
                }
            });
        }
        Calls { answers, tasks }
    }

    /// Keeps what the model answers as it comes in, several answers in one commit.
    async fn keep_answers(&self, mut calls: Calls, desk: &Desk) -> Result<()> {
        let mut came_in = Vec::new();
        let mut ended = Ok(());
        let cancelled = async {
            self.stop.cancel.cancelled().await;
            tokio::time::sleep(LAST_CALLS).await;
        };
        tokio::pin!(cancelled);
        while ended.is_ok() {
            let n = tokio::select! {
                n = calls.answers.recv_many(&mut came_in, KEPT_TOGETHER) => n,
                () = &mut cancelled => 0,
                () = desk.unwritable.cancelled() => 0,
            };
            if n == 0 {
                break;
            }
            let (mut rows, mut waiting) = (Vec::with_capacity(n), Vec::with_capacity(n));
            for (i, asked, kept) in came_in.drain(..) {
                let mut row = desk.board().rows()[i].clone();
                match asked {
                    Asked::Answered { kept, .. } => (row.state, row.answer) = (JobRowState::Answered, Some(serde_json::to_value(kept)?)),
                    Asked::Unusable(why) => (row.state, row.reason) = (JobRowState::Failed, Some(why)),
                    Asked::Later(error) => {
                        ended = Err(Trouble::Logged(anyhow::Error::from(error).context("the model does not answer")));
                        continue;
                    }
                    Asked::Never(error) => {
                        tracing::error!(%error, job = %self.job.id, "the model cannot be used; run `chatsheet check`");
                        ended = Err(told(
                            "The model cannot be used: its address or key is wrong. Please ask the person who runs me to run chatsheet check.",
                        ));
                        continue;
                    }
                }
                rows.push(row);
                waiting.push(kept);
            }
            match self.note(&rows).await {
                Ok(()) => {
                    desk.board().put(rows);
                    for kept in waiting {
                        // Who asked may have been aborted meanwhile.
                        let _ = kept.send(());
                    }
                }
                Err(error) => ended = Err(error),
            }
            self.tell(desk.board().view());
            desk.got_on.notify_one();
        }
        calls.tasks.shutdown().await;
        // When the job was cancelled, what was paid for is written; when it will be taken up again, whole groups are.
        desk.board().close(ended.is_ok() && !self.stop.pause.is_cancelled());
        desk.got_on.notify_one();
        ended
    }

    /// Writes what has been answered to the sheet that the job has `read`: when all is, or from time to time.
    async fn write_answers(&self, parameters: &Parameters, desk: &Desk, read: Arc<Snapshot>) -> Result<()> {
        let every = self.jobs.parts.settings.write_every;
        let (mut due_at, mut seen, mut wrote) = (Instant::now() + every, None, false);
        let mut read = Some(read);
        loop {
            let due = Instant::now() >= due_at;
            let next = desk.board().next_group(due);
            match next {
                Next::Group(group) => {
                    if let Some(read) = read.take() {
                        self.make_column(parameters, &read, &mut seen).await?;
                    }
                    self.write_group(parameters, desk, group, &mut seen).await?;
                    wrote = true;
                }
                Next::Wait => {
                    if std::mem::take(&mut wrote) {
                        due_at = Instant::now() + every;
                    }
                    tokio::select! {
                        () = desk.got_on.notified() => {}
                        () = tokio::time::sleep_until(due_at), if Instant::now() < due_at => {}
                    }
                }
                Next::End => return Ok(()),
            }
        }
    }

    /// Writes the answers of a group as one change.
    async fn write_group(&self, parameters: &Parameters, desk: &Desk, group: Range<usize>, seen: &mut Option<Seen>) -> Result<()> {
        let Some((snapshot, _)) = self.target(parameters).await? else {
            return Err(told(format!("The column {} is gone.", parameters.target_column)));
        };
        let answered: Vec<JobRow> =
            desk.board().rows()[group.clone()].iter().filter(|r| r.state == JobRowState::Answered).cloned().collect();
        let missing = answered.iter().any(|r| snapshot.row(r.row_id).is_none());
        let snapshot = if missing { self.current().await? } else { snapshot };
        let Some((position, column)) = snapshot.column(&parameters.target_column) else {
            return Err(told(format!("The column {} is gone.", parameters.target_column)));
        };
        let (mut edits, mut gone) = (Vec::new(), Vec::new());
        for mut row in answered {
            let kept: Option<Kept> = row.answer.clone().and_then(|a| serde_json::from_value(a).ok());
            let (Some(now), Some(kept)) = (snapshot.row(row.row_id), kept) else {
                (row.state, row.reason) = (JobRowState::Skipped, Some("the row is gone".into()));
                gone.push(row);
                continue;
            };
            let (before_shown, after_shown) = (now.cells[position].shown(&column.style), kept.shown());
            let cell = CellEdit {
                column_id: column.id,
                title: column.title.clone(),
                before: row.before,
                after: kept.value,
                before_shown,
                after_shown,
            };
            edits.push(RowEdit { row_id: row.row_id, label: row.label, cells: vec![cell] });
        }
        if !gone.is_empty() {
            self.note(&gone).await?;
            desk.board().put(gone);
        }
        if edits.is_empty() {
            return Ok(());
        }
        let name = format!("rows {} to {}, attempt {}", group.start, group.end, self.job.fence);
        let change = self.begin(&name, &Plan::Update { rows: edits }, snapshot.version).await?;
        self.settle_group(&change, desk, seen).await
    }

    /// Carries out what is left of a group's change, and notes what became of its rows.
    async fn settle_group(&self, change: &Change, desk: &Desk, seen: &mut Option<Seen>) -> Result<()> {
        let plan = Plan::read(&change.plan)?;
        let Plan::Update { rows: edits } = &plan else { return Ok(()) };
        let ours: HashSet<i64> = edits.iter().map(|e| e.row_id).collect();
        let open: Vec<JobRow> = {
            let board = desk.board();
            board.rows().iter().filter(|r| r.state == JobRowState::Answered && ours.contains(&r.row_id)).cloned().collect()
        };
        if open.is_empty() {
            return Ok(());
        }
        let (progress, _) = tokio::sync::watch::channel((0, edits.len()));
        // What was answered was paid for: it is written even when the job was cancelled meanwhile.
        let stop = Stop { cancel: CancellationToken::new(), ..self.stop.clone() };
        self.jobs.parts.changes.apply_next(change, &progress, &stop, seen).await?;
        let written = self.jobs.parts.store.change_rows(&change.id).await?;
        let became: HashMap<i64, &ChangeRow> = edits.iter().map(|e| e.row_id).zip(&written).collect();
        let settled = open.into_iter().filter_map(|mut row| {
            (row.state, row.reason) = became_of(became.get(&row.row_id)?);
            Some(row)
        });
        let settled: Vec<JobRow> = settled.collect();
        self.note(&settled).await?;
        desk.board().put(settled);
        self.tell(desk.board().view());
        Ok(())
    }

    /// The sheet with the target column in it, and where that stands; read anew only when it is not known.
    async fn target(&self, parameters: &Parameters) -> Result<Option<(Arc<Snapshot>, usize)>> {
        let position = |s: Arc<Snapshot>| s.column(&parameters.target_column).map(|(i, _)| i).map(|i| (s, i));
        let known = self.jobs.parts.changes.sheets.known(&Identity::read(&self.job.identity), self.job.sheet).await?;
        match position(known) {
            Some(found) => Ok(Some(found)),
            None => Ok(position(self.jobs.parts.changes.sheets.snapshot(&Identity::read(&self.job.identity), self.job.sheet).await?)),
        }
    }

    async fn current(&self) -> Result<Arc<Snapshot>> {
        self.jobs.parts.changes.sheets.current(&Identity::read(&self.job.identity), self.job.sheet).await
    }
}

fn became_of(row: &ChangeRow) -> (JobRowState, Option<String>) {
    match row.state {
        RowState::Done => (JobRowState::Written, None),
        RowState::Skipped if row.reason.as_deref() == Some(SAME_VALUE) => (JobRowState::Written, None),
        RowState::Skipped => (JobRowState::Skipped, row.reason.clone()),
        _ => (JobRowState::Failed, row.reason.clone()),
    }
}
