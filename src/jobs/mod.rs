//! Long work: model answers for many rows, large changes, and taking either back. Durable, one
//! message in the thread, stoppable; whoever is killed is followed by whoever comes next.

mod fill;
pub mod kinds;
mod propose;
mod report;
mod runner;

pub use kinds::{KINDS, Kind, Parameters};
pub use propose::Proposed;
pub use report::in_a_line;

use crate::changes::Changes;
use crate::clock::Clock;
use crate::config::JobSettings;
use crate::error::{Result, told};
use crate::llm::Model;
use crate::store::{Change, Job, JobRow, JobRowState, JobStatus, Store};
use chat::{Anchor, Chats, MessageRef};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// A confirmed change of more rows than this is carried out by a job.
pub const LARGE: usize = 500;
/// The kind of a job that carries out one large change.
pub const BULK_UPDATE: &str = "BULK_UPDATE";
/// The kind of a job that takes another one back.
pub const UNDO: &str = "UNDO";

/// What jobs need.
pub struct Parts {
    /// What is remembered.
    pub store: Store,
    /// Writing, and through it sheets.
    pub changes: Changes,
    /// The model.
    pub model: Arc<Model>,
    /// The chats by platform.
    pub chats: Chats,
    /// The time.
    pub clock: Clock,
    /// Settings.
    pub settings: JobSettings,
}

/// A job that runs in this process.
struct Hold {
    fence: i64,
    cancel: CancellationToken,
}

/// All jobs of this installation.
pub struct Jobs {
    parts: Parts,
    owner: String,
    wake: Notify,
    settled: Notify,
    model_slots: Semaphore,
    running: Mutex<HashMap<String, Hold>>,
}

impl Jobs {
    /// Jobs over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let model_slots = Semaphore::new(parts.settings.concurrency);
        let owner = format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple());
        Arc::new(Self { parts, owner, wake: Notify::new(), settled: Notify::new(), model_slots, running: Mutex::default() })
    }

    /// Something was queued.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Stops a job; what runs ends within a request or a model call. Only the person who asked for it may.
    ///
    /// # Errors
    /// A sentence when there is no such job, or it has ended.
    pub async fn cancel(&self, id: &str, asker: &str) -> Result<()> {
        let job = self.of(id, asker).await?;
        if !self.parts.store.cancel_job(&job.id, self.parts.clock.now_ms()).await? {
            return Err(told("That job has ended already."));
        }
        if let Some(hold) = self.running().get(&job.id) {
            hold.cancel.cancel();
        }
        Ok(())
    }

    /// Does the rows of a job again that were not written: as a new job. Answers that were paid for are kept.
    ///
    /// # Errors
    /// A sentence when there is nothing to be done again.
    pub async fn retry(&self, id: &str, asker: &str) -> Result<Job> {
        let old = self.of(id, asker).await?;
        if !old.status.ended() {
            return Err(told("That job is still running."));
        }
        let open = |r: &JobRow| !matches!(r.state, JobRowState::Written | JobRowState::Skipped);
        let failed: Vec<JobRow> = self.parts.store.job_rows(&old.id).await?.into_iter().filter(open).collect();
        if failed.is_empty() {
            return Err(told("No row of that job failed, so there is nothing to do again."));
        }
        let anew = |(seq, row): (usize, JobRow)| JobRow {
            seq: seq as i64,
            state: if row.answer.is_some() { JobRowState::Answered } else { JobRowState::Pending },
            reason: None,
            ..row
        };
        let rows: Vec<JobRow> = failed.into_iter().enumerate().map(anew).collect();
        self.follow(&old, &format!("{}|retry", old.id), &old.kind, old.parameters.clone(), &rows).await
    }

    /// Takes a job back: as a new job.
    ///
    /// # Errors
    /// A sentence when that cannot be done.
    pub async fn undo(&self, id: &str, asker: &str) -> Result<Job> {
        let old = self.of(id, asker).await?;
        if !old.status.ended() {
            return Err(told("That job is still running; cancel it first."));
        }
        let changes = self.parts.store.job_changes(&old.id).await?;
        if changes.is_empty() {
            return Err(told("Nothing of that job was written, so there is nothing to take back."));
        }
        let what = format!("taking back: {}", report::what(&old));
        self.follow(&old, &format!("{}|undo", old.id), UNDO, json!({ "job": old.id, "what": what }), &[]).await
    }

    /// The job of this person with this id, or the short one that people use.
    async fn of(&self, id: &str, asker: &str) -> Result<Job> {
        let whole = self.parts.store.job(id).await?.filter(|j| j.asker == asker);
        let found = match whole {
            Some(job) => Some(job),
            None => self.parts.store.jobs_of("", asker, 50).await?.into_iter().find(|j| short(&j.id) == id.trim().to_lowercase()),
        };
        found.ok_or_else(|| told("I know no such job of yours; `jobs` lists them."))
    }

    /// Queues a job that follows from another one. The same name is queued once, and again when that came to nothing.
    async fn follow(&self, old: &Job, name: &str, kind: &str, parameters: Value, rows: &[JobRow]) -> Result<Job> {
        for attempt in 1.. {
            let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{name}|{attempt}").as_bytes()).to_string();
            match self.parts.store.job(&id).await?.map(|j| j.status) {
                Some(JobStatus::Failed | JobStatus::Cancelled) => continue,
                Some(_) => break,
                None => {}
            }
            let job = Job {
                id,
                kind: kind.to_owned(),
                parameters,
                status: JobStatus::Queued,
                progress: 0,
                total: if rows.is_empty() { old.total } else { rows.len() as i64 },
                error: None,
                result: None,
                message: None,
                cancel_requested: false,
                attempts: 0,
                fence: 0,
                created_at_ms: self.parts.clock.now_ms(),
                started_at_ms: None,
                ..old.clone()
            };
            if !self.parts.store.add_job(&job, rows).await? {
                break;
            }
            self.wake();
            return Ok(job);
        }
        Err(told("That was asked for already; `jobs` tells how far it is."))
    }

    /// The job as it is queued when a large change is confirmed.
    pub fn of_change(change: &Change, what: &str, anchor: &Anchor, rows: usize, message: Option<MessageRef>) -> Job {
        Job {
            id: change.job_id.clone().unwrap_or_default(),
            kind: BULK_UPDATE.into(),
            parameters: json!({ "change": change.id, "what": what }),
            status: JobStatus::Queued,
            progress: 0,
            total: rows as i64,
            error: None,
            result: None,
            session_id: change.session_id.clone(),
            thread_key: change.thread_key.clone(),
            anchor: anchor.clone(),
            asker: change.asker.clone(),
            identity: change.identity.clone(),
            sheet: change.sheet,
            message,
            cancel_requested: false,
            attempts: 0,
            fence: 0,
            created_at_ms: change.created_at_ms,
            started_at_ms: None,
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Hold>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What people call a job: the end of its id.
pub fn short(id: &str) -> String {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    digits[digits.len().saturating_sub(6)..].to_lowercase()
}
