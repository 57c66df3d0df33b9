//! Runs jobs under leases: claims the next one, keeps the lease, tells how far it is, ends it.

use super::board;
use super::report;
use super::{BULK_ADD, BULK_DELETE, BULK_UPDATE, Jobs, Kind, UNDO, Under};
use crate::access::{Person, Role};
use crate::changes::{Outcome, Plan, Progress, Seen, Stop, UndoRefused};
use crate::error::{Result, Trouble, told};
use crate::events::{Event, JobEvent, View};
use crate::smartsheet::Hold;
use crate::store::{Change, HEARTBEAT, Job, JobRow, JobStatus, LEASE};
use serde_json::Value;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// Jobs of one process, and of one person, that run at the same time.
pub(super) const AT_ONCE: usize = 16;
pub(super) const PER_PERSON: i64 = 3;
/// How often the queue is looked at without being woken.
const POLL: Duration = Duration::from_secs(1);
/// A wait that the thread is told of.
const WORTH_SAYING: Duration = Duration::from_secs(10);
/// Cancelled jobs that are ended while all places are taken.
const CANCELLED_BESIDE: usize = 4;
/// Last words that are said again at the same time.
const WORDS_AT_ONCE: usize = 4;
/// How long running jobs get to reach a good place when the process stops.
const DRAIN: Duration = Duration::from_secs(5);
/// How often it is noted how far a change is; the journal knows it exactly.
const NOTED_EVERY: Duration = Duration::from_secs(1);
/// A job that is taken up this often without getting on is given up.
const MAX_ATTEMPTS: i64 = 8;
/// The longest wait before a job that met trouble is taken up again.
const LONGEST_WAIT_MS: i64 = 60_000;
/// How often it is looked whether another process was asked to stop a job of ours.
const WATCHED_EVERY: Duration = Duration::from_secs(1);
/// When what came of a job and could not be said is said again, and for how long that is tried.
const SAID_AGAIN_MS: i64 = 30_000;
/// Longer than it may take to say it; who dies over it is followed by somebody else then.
const SAYING_MS: i64 = 300_000;
const SAID_AGAIN_FOR_MS: i64 = 24 * 3_600_000;

/// What came of a job.
#[derive(Default)]
pub(super) struct Ended {
    /// Rows that were written.
    pub done: usize,
    /// Rows that were not looked at, because it was cancelled.
    pub open: usize,
    /// Those of them that the model has answered.
    pub kept: usize,
    /// Rows that failed.
    pub failed: usize,
    /// Rows that failed or were left alone, with the reason.
    pub problems: Vec<(String, String)>,
    /// The seed's `result`.
    pub result: Value,
}

impl Ended {
    /// All rows of the job.
    pub fn total(&self) -> usize {
        self.done + self.open + self.problems.len()
    }
}

/// A job under our lease.
pub(super) struct Running<'a> {
    pub jobs: &'a Arc<Jobs>,
    pub job: &'a Job,
    pub stop: Stop,
    /// How long the model wants to be left alone.
    pub wait: Mutex<Option<Duration>>,
}

impl Jobs {
    /// Runs jobs until told to stop; then lets them reach a good place and gives them back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        // Last words of others take no place of a job: a platform that is away would hold up all.
        let (mut tasks, mut words) = (JoinSet::new(), JoinSet::new());
        loop {
            while tasks.len() < AT_ONCE + CANCELLED_BESIDE && !stop.is_cancelled() {
                // Who has cancelled one that waits for a place does not wait for it.
                let per_person = if tasks.len() < AT_ONCE { PER_PERSON } else { 0 };
                let Some(job) = self.next(per_person).await else { break };
                let (jobs, pause) = (self.clone(), stop.clone());
                tasks.spawn(async move {
                    Box::pin(jobs.clone().carry_out(job, pause)).await;
                    jobs.settled.notify_waiters();
                    jobs.wake();
                });
            }
            while words.len() < WORDS_AT_ONCE
                && let Some(job) = self.untold().await
            {
                words.spawn(Box::pin(self.clone().say_again(job)));
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(POLL) => {}
                Some(_) = tasks.join_next() => {}
                Some(_) = words.join_next() => {}
                () = stop.cancelled() => break,
            }
        }
        if tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() || words.join_next().await.is_some() {} })
            .await
            .is_err()
        {
            tasks.shutdown().await;
            let left: Vec<(String, i64)> = self.running().drain().map(|(id, hold)| (id, hold.fence)).collect();
            tracing::info!(jobs = left.len(), "jobs that did not reach a good place in time are given back as they stand");
            for (id, fence) in left {
                if let Err(error) = self.parts.store.release_job(&id, fence, 0, false).await {
                    tracing::warn!(job = %id, %error, "a job could not be given back; its lease runs out by itself");
                }
            }
        }
    }

    /// Returns when no job is queued or running, and the last word of each was said.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn until_idle(&self) -> Result<(), sqlx::Error> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if self.parts.store.unfinished_jobs().await? == 0 && self.running().is_empty() {
                return Ok(());
            }
            settled.await;
        }
    }

    async fn next(&self, per_person: i64) -> Option<Job> {
        let now_ms = self.parts.clock.now_ms();
        self.parts.store.claim_job(self.parts.store.owner(), per_person, now_ms, now_ms + LEASE.as_millis() as i64).await.unwrap_or_else(
            |error| {
                tracing::error!(%error, "the queue of jobs cannot be read");
                None
            },
        )
    }

    /// The next job that has ended and whose thread does not know yet.
    async fn untold(&self) -> Option<Job> {
        let now_ms = self.parts.clock.now_ms();
        let taken = self.parts.store.take_untold(now_ms, now_ms - SAID_AGAIN_FOR_MS, now_ms + SAYING_MS).await;
        taken.unwrap_or_else(|error| {
            tracing::error!(%error, "jobs whose end was not told cannot be looked for");
            None
        })
    }

    /// Says in its thread what came of a job, because that could not be said when it ended.
    async fn say_again(self: Arc<Self>, job: Job) {
        let ended = self.stand(&job, &Stop::default()).await;
        let mut shown = report::Shown::new(self.clone(), &job, Hold::until(Instant::now() + LEASE)).await;
        let told = match ended {
            Ok(ended) => shown.end(job.status, job.error.as_deref(), &ended).await && shown.share(&ended).await,
            Err(error) => {
                tracing::warn!(job = %job.id, "what came of a job cannot be read: {error}");
                false
            }
        };
        let again = (!told).then(|| self.parts.clock.now_ms() + SAID_AGAIN_MS);
        if let Err(error) = self.parts.store.tell_job_at(&job.id, again).await {
            tracing::warn!(job = %job.id, %error, "what came of a job is told once more");
        }
    }

    async fn carry_out(self: Arc<Self>, job: Job, pause: CancellationToken) {
        let lease = Some((job.id.clone(), job.fence));
        let (stop, lost) = (Stop { cancel: CancellationToken::new(), pause, patient: true, lease }, CancellationToken::new());
        if job.cancel_requested {
            stop.cancel.cancel();
        }
        self.running().insert(job.id.clone(), Under { fence: job.fence, cancel: stop.cancel.clone() });
        let hold = Hold::until(Instant::now() + LEASE);
        let keep = self.clone().hold(job.clone(), stop.cancel.clone(), lost.clone(), hold.clone());
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(keep));
        let seen = self.parts.events.listen();
        self.tell(&job, JobStatus::Processing, view_of(&job));
        let mut shown = report::Shown::new(self.clone(), &job, hold).await;
        let running = Running { jobs: &self, job: &job, stop: stop.clone(), wait: Mutex::default() };
        // Both to their end: an edit that is on its way must not arrive after the last one.
        let done = CancellationToken::new();
        let work = async {
            let ran = running.go_on().instrument(tracing::debug_span!("job", id = %job.id, kind = %job.kind)).await;
            done.cancel();
            ran
        };
        let both = async { tokio::join!(work, shown.follow(seen, view_of(&job), &done)).0 };
        let ran = tokio::select! {
            ran = both => ran,
            () = lost.cancelled() => {
                metrics::counter!("chatsheet_leases_lost_total", "what" => "job").increment(1);
                tracing::warn!(job = %job.id, "the lease of a job was lost; somebody else goes on with it");
                return self.leave(&job);
            }
        };
        let wait = running.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Err(error) = self.end(&job, &stop, ran, wait, &mut shown).await {
            tracing::error!(job = %job.id, %error, "a job could not be ended; it is taken up again");
        }
        self.leave(&job);
    }

    /// Forgets a job that ran under this fence; it may have been taken up anew meanwhile.
    fn leave(&self, job: &Job) {
        let mut running = self.running();
        if running.get(&job.id).is_some_and(|under| under.fence == job.fence) {
            running.remove(&job.id);
        }
    }

    /// Prolongs the lease until aborted; learns of a cancellation by another process.
    async fn hold(self: Arc<Self>, job: Job, cancel: CancellationToken, lost: CancellationToken, hold: Hold) {
        loop {
            let beat = Instant::now() + HEARTBEAT;
            while Instant::now() < beat && !cancel.is_cancelled() {
                tokio::time::sleep(WATCHED_EVERY).await;
                if self.parts.store.is_cancelled(&job.id).await.unwrap_or(false) {
                    cancel.cancel();
                }
            }
            tokio::time::sleep_until(beat).await;
            if !cancel.is_cancelled() && self.is_removed(&job).await {
                tracing::info!(job = %job.id, "whoever asked for a job is not let in any more: it is cancelled");
                cancel.cancel();
            }
            let asked = Instant::now();
            match self.parts.store.prolong_job(&job.id, job.fence, self.parts.clock.now_ms() + LEASE.as_millis() as i64).await {
                Ok(Some(wanted)) => {
                    hold.set(asked + LEASE);
                    if wanted {
                        cancel.cancel();
                    }
                }
                Ok(None) => return lost.cancel(),
                Err(error) => tracing::warn!(job = %job.id, %error, "the lease of a job could not be prolonged"),
            }
        }
    }

    /// Whether whoever asked for a job was removed since.
    async fn is_removed(&self, job: &Job) -> bool {
        let store = &self.parts.store;
        let Ok(Some(thread)) = store.thread(&job.thread_key).await else { return false };
        let decided = store.access_of(&Person::within(&thread.key, &job.asker)).await;
        decided.is_ok_and(|role| role == Some(Role::Nobody))
    }

    /// Tells the thread that the job goes on later, unless somebody else has taken it up.
    async fn say_rests(&self, job: &Job, shown: &mut report::Shown, done: usize, why: &str, wait: Duration) -> Result<(), sqlx::Error> {
        let until_ms = self.parts.clock.now_ms() + LEASE.as_millis() as i64;
        if wait >= WORTH_SAYING && self.parts.store.prolong_job(&job.id, job.fence, until_ms).await?.is_some() {
            shown.rests(done, why, wait).await;
        }
        Ok(())
    }

    async fn end(
        &self,
        job: &Job,
        stop: &Stop,
        ran: Result<Ended>,
        wait: Option<Duration>,
        shown: &mut report::Shown,
    ) -> Result<(), sqlx::Error> {
        let (store, now_ms) = (&self.parts.store, self.parts.clock.now_ms());
        // It may have got on since it was taken up.
        let (attempts, done) = store.job(&job.id).await?.map_or((job.attempts, 0), |j| (j.attempts, j.progress.max(0) as usize));
        let (status, error, ended) = match ran {
            Ok(ended) if stop.cancel.is_cancelled() && ended.open > 0 => (JobStatus::Cancelled, None, Some(ended)),
            Ok(ended) => (JobStatus::Completed, None, Some(ended)),
            Err(_) if stop.pause.is_cancelled() => return store.release_job(&job.id, job.fence, 0, false).await,
            // Whoever has cancelled does not wait for better times.
            Err(Trouble::Later(_) | Trouble::Logged(_)) if stop.cancel.is_cancelled() => (JobStatus::Cancelled, None, None),
            // To wait as long as the model asks for is no try.
            Err(Trouble::Later(_)) if wait.is_some_and(|w| w > Duration::ZERO) => {
                let wait = wait.unwrap_or_default();
                tracing::info!(job = %job.id, ?wait, "the model's limit is used up; the job goes on after that");
                self.say_rests(job, shown, done, "the model's limit is used up", wait).await?;
                return store.release_job(&job.id, job.fence, now_ms + wait.as_millis() as i64, false).await;
            }
            Err(Trouble::Told(error)) => (JobStatus::Failed, Some(error.words), None),
            Err(error) if attempts < MAX_ATTEMPTS => {
                let wait_ms = (1_000 << attempts.clamp(0, 10)).min(LONGEST_WAIT_MS);
                tracing::warn!(job = %job.id, wait_ms, "{error}; the job is taken up again");
                let wait = Duration::from_millis(wait_ms.unsigned_abs());
                self.say_rests(job, shown, done, "something does not answer at the moment", wait).await?;
                return store.release_job(&job.id, job.fence, now_ms + wait_ms, true).await;
            }
            Err(Trouble::Later(error)) => (JobStatus::Failed, Some(error.words), None),
            Err(Trouble::Logged(error)) => {
                let reference = Trouble::reference();
                tracing::error!(%reference, job = %job.id, "{error:#}");
                (JobStatus::Failed, Some(format!("It was tried {MAX_ATTEMPTS} times without getting on (reference {reference}).")), None)
            }
        };
        // The last word first: whoever is killed in between is followed by somebody who says it again in the same message.
        if store.prolong_job(&job.id, job.fence, now_ms + LEASE.as_millis() as i64).await?.is_none() {
            return Ok(());
        }
        let ended = match ended {
            Some(ended) => ended,
            None => self.stand(job, stop).await.unwrap_or_default(),
        };
        let told = shown.end(status, error.as_deref(), &ended).await;
        let total = ended.total();
        let view = View { settled: total - ended.open, answered: 0, failed: ended.failed, total };
        store.set_job_progress(&job.id, job.fence, view.settled).await?;
        let now_ms = self.parts.clock.now_ms();
        // Whoever presses *Undo* does not wait for the list of what was not written.
        let (listed, again_ms) = (report::is_listed(&ended), if told { SAYING_MS } else { SAID_AGAIN_MS });
        let when = (now_ms, (!told || listed).then_some(now_ms + again_ms));
        if store.finish_job(&job.id, job.fence, status, error.as_deref(), &ended.result, when).await? {
            let took_ms = now_ms - job.started_at_ms.unwrap_or(now_ms);
            metrics::histogram!("chatsheet_job_duration_seconds", "kind" => job.kind.clone(), "status" => status.as_str())
                .record(took_ms.max(0) as f64 / 1000.0);
            self.tell(job, status, view);
            if told && listed {
                let again = (!shown.share(&ended).await).then(|| self.parts.clock.now_ms() + SAID_AGAIN_MS);
                store.tell_job_at(&job.id, again).await?;
            }
        }
        Ok(())
    }

    /// Tells everybody who listens how a job stands.
    pub(super) fn tell(&self, job: &Job, status: JobStatus, view: View) {
        let (id, session_id) = (job.id.as_str().into(), job.session_id.as_str().into());
        self.parts.events.tell(Event::Job(JobEvent { id, session_id, status: status.as_str(), view }));
    }

    /// Where a job stands that is given up; its open changes are closed, so that they can be taken back.
    async fn stand(&self, job: &Job, stop: &Stop) -> Result<Ended> {
        let (store, mut outcomes) = (&self.parts.store, Vec::new());
        let mut changes = store.job_changes(&job.id).await?;
        if job.kind == UNDO {
            // By its name: one that did not come to its end no longer says what it took back.
            for change in store.job_changes(undone(job)).await? {
                changes.extend(store.change(&part_of(job, &undo_part(&change))).await?);
            }
        }
        for change in changes {
            if change.applying {
                self.parts.changes.abandon(&change, "the job was given up; please look whether it was written", stop).await?;
            }
            let closed = Change { applying: false, ..change };
            outcomes.push(self.parts.changes.apply(&closed, &watch::Sender::default(), &Stop::default()).await?);
        }
        let rows = self.parts.store.job_rows(&job.id).await?;
        Ok(if rows.is_empty() { board::ended_by(&outcomes) } else { board::ended(&rows) })
    }
}

impl Running<'_> {
    async fn go_on(&self) -> Result<Ended> {
        if self.job.attempts > MAX_ATTEMPTS {
            return Err(told(format!("It was interrupted {MAX_ATTEMPTS} times without getting on, so it was given up.")));
        }
        match (self.job.kind.as_str(), Kind::named(&self.job.kind)) {
            (_, Some(kind)) => self.fill(kind).await,
            (BULK_UPDATE | BULK_ADD | BULK_DELETE, _) => self.large_change().await,
            (UNDO, _) => self.undo().await,
            (other, _) => Err(told(format!("This version knows no jobs of kind {other}."))),
        }
    }

    /// One large change.
    async fn large_change(&self) -> Result<Ended> {
        let id = self.job.parameters["change"].as_str().unwrap_or_default();
        let change = self.jobs.parts.store.change(id).await?.ok_or_else(|| anyhow::anyhow!("the change of the job is gone"))?;
        let outcome = self.apply(&change, 0, &mut None).await?;
        Ok(board::ended_by(&[outcome]))
    }

    /// Takes the changes of another job back, the last one first.
    async fn undo(&self) -> Result<Ended> {
        let (store, changes) = (&self.jobs.parts.store, &self.jobs.parts.changes);
        let (mut outcomes, mut seen) = (Vec::new(), None);
        for change in store.job_changes(undone(self.job)).await?.iter().rev() {
            let id = self.name(&undo_part(change));
            let undo = match changes.try_undo(id, change, &self.job.asker).await? {
                Ok(undo) => Some(undo),
                Err(UndoRefused::NothingWritten) => None,
                // One that was given up half-way goes on here.
                Err(UndoRefused::TakenBack) => store.undo_of(&change.id).await?.filter(|u| u.applying),
                Err(refused) => return Err(told(refused.to_string())),
            };
            if let Some(undo) = undo {
                let before = outcomes.iter().map(|o: &Outcome| o.done).sum();
                outcomes.push(self.apply(&undo, before, &mut seen).await?);
            }
        }
        Ok(board::ended_by(&outcomes))
    }

    /// Carries a change out and tells how far it is.
    async fn apply(&self, change: &Change, before: usize, seen: &mut Option<Seen>) -> Result<Outcome> {
        let (progress, mut moved) = watch::channel(Progress::default());
        // Beside the change, never in its way: both may wait for the database.
        let tell = async {
            let mut noted: Option<Instant> = None;
            while moved.changed().await.is_ok() {
                let now = *moved.borrow_and_update();
                let settled = before + now.settled;
                self.tell(View { settled, failed: now.failed, ..view_of(self.job) });
                if noted.is_some_and(|at| at.elapsed() < NOTED_EVERY) {
                    continue;
                }
                noted = Some(Instant::now());
                if let Err(error) = self.jobs.parts.store.set_job_progress(&self.job.id, self.job.fence, settled).await {
                    tracing::warn!(job = %self.job.id, %error, "how far a job is could not be noted");
                }
            }
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            outcome = self.jobs.parts.changes.apply_next(change, &progress, &self.stop, seen) => outcome,
            never = tell => match never {},
        }
    }

    /// Begins a change of this job; the same name is begun once.
    pub(super) async fn begin(&self, name: &str, plan: &Plan, sheet_version: i64) -> Result<Change> {
        let store = &self.jobs.parts.store;
        // Their order is that in which they are taken back, whatever the clock does.
        let after = store.last_change_of_job(&self.job.id).await?.map_or(0, |at| at + 1);
        let change = Change {
            id: self.name(name),
            undo_of: None,
            job_id: Some(self.job.id.clone()),
            session_id: self.job.session_id.clone(),
            thread_key: self.job.thread_key.clone(),
            asker: self.job.asker.clone(),
            identity: self.job.identity.clone(),
            sheet: self.job.sheet,
            sheet_version,
            plan: plan.kept()?,
            applying: true,
            created_at_ms: self.jobs.parts.clock.now_ms().max(after),
        };
        let begun = store.begin_change(&change, plan.units() as i64, Some(self.job.fence)).await?;
        if begun {
            return Ok(change);
        }
        store.change(&change.id).await?.ok_or_else(|| Trouble::Logged(anyhow::anyhow!("somebody else carries this job out now")))
    }

    /// The id of a part of this job.
    pub(super) fn name(&self, part: &str) -> String {
        part_of(self.job, part)
    }

    /// Writes where rows stand; an error when somebody else has taken the job up.
    pub(super) async fn note(&self, rows: &[JobRow]) -> Result<()> {
        // A note counts as getting on, so nothing is noted where nothing came of it.
        if rows.is_empty() || self.jobs.parts.store.set_job_rows(&self.job.id, self.job.fence, rows).await? {
            return Ok(());
        }
        Err(Trouble::Logged(anyhow::anyhow!("somebody else carries this job out now")))
    }

    /// Tells how far the rows are.
    pub(super) fn tell(&self, view: View) {
        self.jobs.tell(self.job, JobStatus::Processing, view);
    }
}

/// The id of a part of a job.
fn part_of(job: &Job, part: &str) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{}|{part}", job.id).as_bytes()).to_string()
}

/// What the part of an undo is called that takes this change back.
fn undo_part(change: &Change) -> String {
    format!("undo {}", change.id)
}

/// The job that a job takes back.
pub(super) fn undone(job: &Job) -> &str {
    job.parameters["job"].as_str().unwrap_or_default()
}

/// How far a job was when it was taken up.
fn view_of(job: &Job) -> View {
    View { settled: job.progress.max(0) as usize, total: job.total.max(0) as usize, ..View::default() }
}
