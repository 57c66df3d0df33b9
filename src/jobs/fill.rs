//! Fills a column with the model's answers. Asking and writing go on beside each other: an answer is kept before it
//! is used, and a group of rows that has all its answers is one change of the journal.

use super::ask::{Asked, Kept, source_of};
use super::board::{Board, Next};
use super::runner::{Ended, Running};
use super::{Jobs, Kind, Parameters};
use crate::changes::{Beside, COLUMN_GONE, CellEdit, Plan, RowEdit, SAME_VALUE, Seen, Stop, new_column};
use crate::error::{Result, Trouble, UserError, told};
use crate::llm::Error as ModelError;
use crate::sheet::Snapshot;
use crate::smartsheet::{Identity, ROWS_PER_CALL};
use crate::store::{Change, ChangeRow, JobRow, JobRowState, RowState};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Answers that are kept in one commit.
const KEPT_TOGETHER: usize = 64;
/// A row that the model does not answer so often, though it answers others, fails alone.
const ROW_TRIES: usize = 2;
/// Rows that are asked for before it comes again.
const ASKED_BETWEEN: usize = 16;
/// Tries of a job in which rows wait for one another before those that are left fail alone.
const PATIENT_ATTEMPTS: i64 = 3;
/// When more rows than this get no answer and none does in between, it is the model.
const SILENT_ROWS: usize = 2;
/// Calls begin so far apart, so that they do not all come and go at the same moment from then on.
const APART: Duration = Duration::from_millis(5);
/// How long calls that are under way get when a person cancels the job: they are paid for.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// What the asking and the writing side of a job share.
struct Desk {
    board: Mutex<Board>,
    got_on: Notify,
    /// Nothing more is asked: answers cannot be written, or the model gives none.
    enough: CancellationToken,
}

impl Desk {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The column that a job writes.
#[derive(Clone, Copy)]
struct Target {
    id: i64,
    /// The job has made it.
    made: bool,
}

/// What came of asking for the row at this position; whoever asked goes on when it is kept.
type CameIn = (usize, Asked, oneshot::Sender<()>);

/// The calls of a job that run at the same time; they end with it.
struct Calls {
    answers: mpsc::Receiver<CameIn>,
    tasks: JoinSet<()>,
    /// Rows that were not asked for yet.
    queue: Arc<Mutex<VecDeque<(usize, i64)>>>,
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
            enough: CancellationToken::new(),
        };
        for change in store.job_changes(&self.job.id).await? {
            self.settle_group(&change, &desk, &mut None).await?;
        }
        self.tell(desk.board().view());
        let sheet = self.jobs.parts.changes.sheets.snapshot(&self.identity(), self.job.sheet).await?;
        let calls = self.start_calls(kind, &parameters, &sheet, &desk);
        let write = async {
            let wrote = self.write_answers(&parameters, &desk, sheet).await;
            if wrote.is_err() {
                desk.enough.cancel();
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

    /// The target column, which is made when it was not in the sheet that the job has read.
    async fn column(&self, parameters: &Parameters, read: &Arc<Snapshot>, seen: &mut Option<Seen>) -> Result<Target> {
        let (store, title) = (&self.jobs.parts.store, &parameters.target_column);
        let change = match (store.change(&self.name("column")).await?, read.column(title)) {
            (Some(begun), _) => begun,
            (None, Some((_, column))) => return Ok(Target { id: column.id, made: false }),
            (None, None) => self.begin("column", &Plan::AddColumn { spec: new_column(read, title)? }, read.version).await?,
        };
        if change.applying {
            let progress = tokio::sync::watch::Sender::default();
            let stop = Stop { cancel: CancellationToken::new(), ..self.stop.clone() };
            *seen = Some(Seen::read(read.clone()));
            let outcome = self.jobs.parts.changes.apply_next(&change, &progress, &stop, seen).await?;
            if let Some(failed) = outcome.failed.first() {
                return Err(told(format!("The column {title} could not be made: {}", failed.reason)));
            }
        }
        match store.change_rows(&change.id).await?.first().and_then(|row| row.made.as_ref()?.as_i64()) {
            Some(id) => Ok(Target { id, made: true }),
            None => {
                // Somebody else was faster.
                let current = self.current().await?;
                let (_, column) = current.column(title).ok_or_else(|| column_gone(parameters))?;
                Ok(Target { id: column.id, made: false })
            }
        }
    }

    /// Starts asking for the rows that have no answer yet, several at a time.
    fn start_calls(&self, kind: &'static Kind, parameters: &Arc<Parameters>, sheet: &Arc<Snapshot>, desk: &Desk) -> Calls {
        let pending = |(i, row): (usize, &JobRow)| (row.state == JobRowState::Pending).then_some((i, row.row_id));
        let queue: VecDeque<(usize, i64)> = desk.board().rows().iter().enumerate().filter_map(pending).collect();
        let at_once = self.jobs.parts.settings.concurrency.min(queue.len());
        let (sender, answers) = mpsc::channel(at_once.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let mut tasks = JoinSet::new();
        for n in 0..at_once as u32 {
            let (jobs, stop, queue, sender) = (self.jobs.clone(), self.stop.clone(), queue.clone(), sender.clone());
            let (parameters, sheet, enough) = (parameters.clone(), sheet.clone(), desk.enough.clone());
            tasks.spawn(async move {
                tokio::time::sleep(APART * n).await;
                let next = || queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front();
                let over = || [&stop.cancel, &stop.pause, &enough].iter().any(|token| token.is_cancelled());
                while let (false, Some((i, row_id))) = (over(), next()) {
                    let source = sheet.row(row_id).map(|r| source_of(&sheet, r, &parameters.source_columns)).unwrap_or_default();
                    let asked = Jobs::ask(&jobs, kind, &parameters, &source, Some(&jobs.model_slots)).await;
                    let (kept, is_kept) = oneshot::channel();
                    // Nothing more is asked when the answer could not be kept, or there was none.
                    if sender.send((i, asked, kept)).await.is_err() || is_kept.await.is_err() {
                        return;
                    }
                }
            });
        }
        Calls { answers, tasks, queue }
    }

    /// Why the model does not answer now, in words for the thread.
    fn no_answer(&self, error: &ModelError) -> Trouble {
        tracing::warn!(%error, job = %self.job.id, "the model does not answer");
        let words = match error {
            ModelError::RateLimited(wait) => {
                *self.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(*wait);
                "The model's limit is used up."
            }
            _ => "The model does not answer, although it was asked again and again.",
        };
        Trouble::Later(UserError::new(words))
    }

    /// Keeps what the model answers as it comes in, several answers in one commit.
    async fn keep_answers(&self, mut calls: Calls, desk: &Desk) -> Result<()> {
        let mut came_in = Vec::new();
        let mut ended = Ok(());
        // In a job that was taken up in vain again and again it counts what was answered before.
        let mut answered = if self.job.attempts > PATIENT_ATTEMPTS {
            desk.board().rows().iter().filter(|r| r.state != JobRowState::Pending).count()
        } else {
            0
        };
        let (mut silent, mut tried) = (HashSet::<usize>::new(), HashMap::<usize, usize>::new());
        let last_calls = async {
            tokio::select! {
                () = self.stop.cancel.cancelled() => {}
                () = desk.enough.cancelled() => {}
            }
            tokio::time::sleep(LAST_CALLS).await;
        };
        tokio::pin!(last_calls);
        loop {
            let n = tokio::select! {
                n = calls.answers.recv_many(&mut came_in, KEPT_TOGETHER) => n,
                () = &mut last_calls => 0,
            };
            if n == 0 {
                break;
            }
            let (mut rows, mut waiting) = (Vec::with_capacity(n), Vec::with_capacity(n));
            for (i, asked, kept) in came_in.drain(..) {
                let mut row = desk.board().rows()[i].clone();
                if matches!(asked, Asked::Later(_)) {
                    *tried.entry(i).or_default() += 1;
                    silent.insert(i);
                } else {
                    answered += 1;
                    silent.clear();
                }
                match asked {
                    Asked::Answered { kept, .. } => (row.state, row.answer) = (JobRowState::Answered, Some(serde_json::to_value(kept)?)),
                    Asked::Unusable(why) => (row.state, row.reason) = (JobRowState::Failed, Some(why)),
                    // Others are answered, so it is this row: it comes once more, behind some of them, and then fails alone.
                    Asked::Later(ModelError::Unavailable(_)) if answered > 0 && silent.len() <= SILENT_ROWS => {
                        if tried.get(&i).is_some_and(|n| *n < ROW_TRIES) {
                            let mut queue = calls.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                            let behind = queue.len().min(ASKED_BETWEEN);
                            queue.insert(behind, (i, row.row_id));
                            drop(queue);
                            let _ = kept.send(());
                            continue;
                        }
                        (row.state, row.reason) = (JobRowState::Failed, Some("the model did not answer for this row".into()));
                    }
                    Asked::Later(error) => {
                        ended = Err(self.no_answer(&error));
                        desk.enough.cancel();
                        continue;
                    }
                    Asked::Never(error) => {
                        tracing::error!(%error, job = %self.job.id, "the model cannot be used; run `chatsheet check`");
                        ended = Err(told(match error {
                            ModelError::QuotaSpent(_) => {
                                "The quota of the model is used up. Please tell the person who runs me; Retry goes on when it is raised."
                            }
                            _ => {
                                "The model cannot be used: its address or key is wrong. Please ask the person who runs me to run chatsheet check."
                            }
                        }));
                        desk.enough.cancel();
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
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            }
            self.tell(desk.board().view());
            desk.got_on.notify_one();
        }
        calls.tasks.shutdown().await;
        // What was paid for is written, unless somebody else goes on with the job.
        desk.board().close(!self.stop.pause.is_cancelled());
        desk.got_on.notify_one();
        ended
    }

    /// Writes what has been answered to the sheet that the job has `read`: when all is, or from time to time.
    async fn write_answers(&self, parameters: &Parameters, desk: &Desk, read: Arc<Snapshot>) -> Result<()> {
        let every = self.jobs.parts.settings.write_every;
        let (mut due_at, mut target, mut seen) = (Instant::now() + every, None, None);
        let mut read = Some(read);
        loop {
            let next = desk.board().next(Instant::now() >= due_at);
            let rows = match next {
                Next::Rows(rows) => rows,
                Next::Wait => {
                    tokio::select! {
                        () = desk.got_on.notified() => {}
                        () = tokio::time::sleep_until(due_at), if Instant::now() < due_at => {}
                    }
                    continue;
                }
                Next::End => return Ok(()),
            };
            if let Some(read) = read.take() {
                target = Some(self.column(parameters, &read, &mut seen).await?);
            }
            for group in rows.chunks(ROWS_PER_CALL) {
                let target = target.ok_or_else(|| column_gone(parameters))?;
                self.write_group(parameters, target, desk, group, &mut seen).await?;
                if self.stop.cancel.is_cancelled() {
                    // The other answers are kept, for whoever wants the rest after all.
                    return Ok(());
                }
            }
            due_at = Instant::now() + every;
        }
    }

    /// Writes the answers of these rows as one change.
    async fn write_group(
        &self,
        parameters: &Parameters,
        target: Target,
        desk: &Desk,
        group: &[usize],
        seen: &mut Option<Seen>,
    ) -> Result<()> {
        let answered: Vec<JobRow> = group.iter().map(|i| desk.board().rows()[*i].clone()).collect();
        let mut snapshot = self.jobs.parts.changes.sheets.known(&self.identity(), self.job.sheet).await?;
        if snapshot.column_by_id(target.id).is_none() || answered.iter().any(|r| snapshot.row(r.row_id).is_none()) {
            snapshot = self.current().await?;
        }
        let Some((position, column)) = snapshot.column_by_id(target.id) else { return Err(column_gone(parameters)) };
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
                // Nothing stood in a column that the job has made, whatever stood in one of this name before.
                before: if target.made { serde_json::Value::Null } else { row.before },
                after: kept.value,
                before_shown,
                after_shown,
                before_beside: if target.made { None } else { Beside::of(&snapshot, now, position) },
                after_beside: None,
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
        let name = format!("rows from {}, attempt {}", group.first().copied().unwrap_or_default(), self.job.fence);
        let change = self.begin(&name, &Plan::Update { rows: edits }, snapshot.version).await?;
        if self.settle_group(&change, desk, seen).await? { Ok(()) } else { Err(column_gone(parameters)) }
    }

    /// Carries out what is left of a group's change, and notes what became of its rows. `false` when their column is gone.
    async fn settle_group(&self, change: &Change, desk: &Desk, seen: &mut Option<Seen>) -> Result<bool> {
        let plan = Plan::read(&change.plan)?;
        let Plan::Update { rows: edits } = &plan else { return Ok(true) };
        let ours: HashSet<i64> = edits.iter().map(|e| e.row_id).collect();
        let open: Vec<JobRow> = {
            let board = desk.board();
            board.rows().iter().filter(|r| r.state == JobRowState::Answered && ours.contains(&r.row_id)).cloned().collect()
        };
        if open.is_empty() {
            return Ok(true);
        }
        let progress = tokio::sync::watch::Sender::default();
        // What was answered was paid for: it is written even when the job was cancelled meanwhile.
        let stop = Stop { cancel: CancellationToken::new(), ..self.stop.clone() };
        self.jobs.parts.changes.apply_next(change, &progress, &stop, seen).await?;
        let written = self.jobs.parts.store.change_rows(&change.id).await?;
        let became: HashMap<i64, &ChangeRow> = edits.iter().map(|e| e.row_id).zip(&written).collect();
        let (mut settled, all) = (Vec::new(), open.len());
        for mut row in open {
            let Some(written) = became.get(&row.row_id).filter(|w| w.reason.as_deref() != Some(COLUMN_GONE)) else { continue };
            (row.state, row.reason) = became_of(written);
            settled.push(row);
        }
        let has_column = settled.len() == all;
        self.note(&settled).await?;
        desk.board().put(settled);
        self.tell(desk.board().view());
        Ok(has_column)
    }

    async fn current(&self) -> Result<Arc<Snapshot>> {
        self.jobs.parts.changes.sheets.current(&self.identity(), self.job.sheet).await
    }

    fn identity(&self) -> Identity {
        Identity::read(&self.job.identity)
    }
}

/// The answers are kept: who tries again gets a new column.
fn column_gone(parameters: &Parameters) -> Trouble {
    told(format!("The column {} is gone. Retry failed makes it anew.", parameters.target_column))
}

fn became_of(row: &ChangeRow) -> (JobRowState, Option<String>) {
    match row.state {
        RowState::Done => (JobRowState::Written, None),
        RowState::Skipped if row.reason.as_deref() == Some(SAME_VALUE) => (JobRowState::Written, None),
        RowState::Skipped => (JobRowState::Skipped, row.reason.clone()),
        _ => (JobRowState::Failed, row.reason.clone()),
    }
}
