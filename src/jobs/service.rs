//! What can be done with jobs by whoever asks: in a thread, or over the API. Apart from how it is asked.

use super::propose::Prepared;
use super::runner::{AT_ONCE, PER_PERSON};
use super::{BULK_UPDATE, Jobs, Kind, Parameters, UNDO, report, short};
use crate::changes::{self, CANCELLED, Plan, SetRequest};
use crate::error::{Result, Trouble, told};
use crate::locality::Told;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use crate::store::{Asker, Change, Job, JobRow, JobRowState, JobStatus, Place, RowState};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A job that somebody asks for who needs no preview.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Its id; the same id is queued once.
    pub id: String,
    /// One of [`KINDS`](super::KINDS), or [`BULK_UPDATE`].
    pub kind: String,
    /// [`Parameters`] in JSON; for [`BULK_UPDATE`] `criteria` (SQL condition; none for all rows) and `updates` (value by column).
    pub parameters: Value,
    /// Where it belongs, and to whom.
    pub place: Place,
    /// Where whoever asks for it is: their days are meant, and numbers as they write them.
    pub told: Told,
}

/// How long a job may take to count as ended after its last word, and how often that is looked at.
const LAST_WORD: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

/// Why a job does not begin at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// It does.
    Nothing,
    /// The person has so many running already.
    OwnJobs(usize),
    /// So many others run in this process.
    OtherJobs(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BulkUpdate {
    criteria: Option<String>,
    updates: Map<String, Value>,
}

impl Jobs {
    /// Queues a job that needs no confirmation.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub async fn create(&self, new: NewJob) -> Result<Job> {
        let identity = Identity::read(&new.place.identity);
        let sheets = &self.parts.changes.sheets;
        let (snapshot, locality) = (sheets.snapshot(&identity, new.place.sheet).await?, sheets.locality(&identity, new.told.clone()).await);
        let unfit = |e: serde_json::Error| told(format!("the parameters do not fit the kind {}: {e}", new.kind));
        let job = Job::queued(new.id.clone(), &new.kind, Value::Null, &new.place, self.parts.clock.now_ms());
        let (queued, job) = if new.kind == BULK_UPDATE {
            let BulkUpdate { criteria, updates } = serde_json::from_value(new.parameters.clone()).map_err(unfit)?;
            let set = updates.iter().map(|(column, value)| SetRequest { column: column.clone(), value: value.clone(), expression: None });
            let set: Vec<SetRequest> = set.collect();
            let criteria = criteria.unwrap_or_default();
            let columns: Vec<&str> = updates.keys().map(String::as_str).collect();
            let author = sheets.author(&identity, locality, &snapshot, &columns).await;
            let draft = changes::propose::update(&snapshot, &criteria, &set, &author).await?;
            let change = Change {
                id: format!("{}-change", job.id),
                undo_of: None,
                job_id: Some(job.id.clone()),
                sheet_version: snapshot.version,
                plan: draft.plan.kept()?,
                applying: true,
                created_at_ms: job.created_at_ms,
                session_id: job.session_id.clone(),
                thread_key: job.thread_key.clone(),
                asker: job.asker.clone(),
                identity: job.identity.clone(),
                sheet: job.sheet,
            };
            self.needs_no_approval(job.sheet, &draft.plan).await?;
            let rows = draft.plan.units();
            let what = format!("set {} in {rows} rows", updates.keys().cloned().collect::<Vec<_>>().join(", "));
            let parameters = json!({ "change": change.id, "what": what, "criteria": criteria, "updates": updates });
            let job = Job { parameters, total: rows as i64, ..job };
            (self.parts.store.begin_job_of_change(&job, &change, rows as i64).await?, job)
        } else {
            let kind = Kind::named(&new.kind).ok_or_else(|| told(format!("'{}' is not a kind of job", new.kind)))?;
            let parameters: Parameters = serde_json::from_value(new.parameters.clone()).map_err(unfit)?;
            let Prepared { parameters, rows, .. } = self.prepare(&snapshot, kind, parameters, &locality).await?;
            let plan = Plan::Job { what: kind.what(&parameters), rows: rows.len(), samples: Vec::new(), estimate: String::new() };
            self.needs_no_approval(job.sheet, &plan).await?;
            let job = Job { parameters: serde_json::to_value(&parameters)?, total: rows.len() as i64, ..job };
            (self.parts.store.add_job(&job, &rows).await?, job)
        };
        if !queued {
            return self.read(&new.id, &new.place.person()).await;
        }
        self.wake();
        Ok(job)
    }

    /// # Errors
    /// A sentence when a change needs the OK of somebody who is not asked here.
    async fn needs_no_approval(&self, sheet: SheetId, plan: &Plan) -> Result<()> {
        self.parts.changes.approval(sheet, plan).await?.map_or(Ok(()), |approval| Err(told(approval.elsewhere(""))))
    }

    /// The job of this person with this id, or the short one that people use.
    ///
    /// # Errors
    /// A sentence when there is none.
    pub async fn read(&self, id: &str, asker: &Asker) -> Result<Job> {
        self.look("", id, asker).await
    }

    /// The same for looking only: also jobs of others in this thread, where everybody sees them.
    ///
    /// # Errors
    /// A sentence when there is none.
    pub async fn look(&self, thread: &str, id: &str, asker: &Asker) -> Result<Job> {
        let seen = |j: &Job| asker.has(&j.asker, &j.thread_key) || j.thread_key == thread;
        let found = match self.parts.store.job(id).await?.filter(seen) {
            Some(job) => Some(job),
            None => {
                let (jobs, _) = self.parts.store.jobs_of(thread, Some(asker), 50, 0).await?;
                jobs.into_iter().find(|j| short(&j.id) == id.trim().to_lowercase())
            }
        };
        found.ok_or_else(|| told("I know no such job of yours; `jobs` lists them."))
    }

    /// The job of whomever it is, by its id or the short form of that.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn any(&self, id: &str) -> Result<Option<Job>> {
        if let Some(job) = self.parts.store.job(id).await? {
            return Ok(Some(job));
        }
        Ok(self.everybodys(200).await?.into_iter().find(|j| short(&j.id) == id.trim().to_lowercase()))
    }

    /// The jobs of everybody, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn everybodys(&self, most: i64) -> Result<Vec<Job>> {
        Ok(self.parts.store.newest_jobs(most).await?)
    }

    /// The same once it has ended; none while it runs. Its last word is said a moment before it counts as ended, and whoever is
    /// quick presses a button of that.
    async fn read_ended(&self, id: &str, asker: &Asker) -> Result<Option<Job>> {
        let until = Instant::now() + LAST_WORD;
        loop {
            let job = self.read(id, asker).await?;
            if job.status.ended() {
                return Ok(Some(job));
            }
            if Instant::now() > until {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The jobs of a thread and those of a person, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, thread: &str, asker: Option<&Asker>, most: i64) -> Result<Vec<Job>> {
        Ok(self.parts.store.jobs_of(thread, asker, most, 0).await?.0)
    }

    /// What a job of this person that is queued now has to wait for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waits_for(&self, asker: &Asker) -> Result<WaitsFor> {
        let own = self.parts.store.unfinished_jobs_of(asker, self.parts.clock.now_ms()).await?;
        let all = self.running().len();
        Ok(match () {
            () if own >= PER_PERSON => WaitsFor::OwnJobs(own as usize),
            () if all >= AT_ONCE => WaitsFor::OtherJobs(all),
            () => WaitsFor::Nothing,
        })
    }

    /// Stops a job; what runs ends within a request or a model call. Only the person who asked for it may.
    ///
    /// # Errors
    /// A sentence when there is no such job, or it has ended.
    pub async fn cancel(&self, id: &str, asker: &Asker) -> Result<()> {
        let job = self.read(id, asker).await?;
        if !self.parts.store.cancel_job(&job.id, self.parts.clock.now_ms()).await? {
            return Err(told("That job has ended already."));
        }
        if let Some(hold) = self.running().get(&job.id) {
            hold.cancel.cancel();
        }
        self.wake();
        Ok(())
    }

    /// Does the rows of a job again that were not written: as a new job. Answers that were paid for are kept.
    ///
    /// # Errors
    /// A sentence when there is nothing to be done again.
    pub async fn retry(&self, id: &str, asker: &Asker) -> Result<Job> {
        let asked = self.read_ended(id, asker).await?.ok_or_else(|| told("That job is still running."))?;
        let old = self.newest(asked).await?;
        if Kind::named(&old.kind).is_none() {
            return self.retry_change(&old).await;
        }
        let open = |r: &JobRow| !matches!(r.state, JobRowState::Written | JobRowState::Skipped);
        let failed: Vec<JobRow> = self.parts.store.job_rows(&old.id).await?.into_iter().filter(open).collect();
        if failed.is_empty() {
            return Err(nothing_failed());
        }
        let plan = Plan::Job { what: report::what(&old), rows: failed.len(), samples: Vec::new(), estimate: String::new() };
        self.needs_no_approval(old.sheet, &plan).await?;
        let anew = |(seq, row): (usize, JobRow)| JobRow {
            seq: seq as i64,
            state: if row.answer.is_some() { JobRowState::Answered } else { JobRowState::Pending },
            reason: None,
            ..row
        };
        let rows: Vec<JobRow> = failed.into_iter().enumerate().map(anew).collect();
        self.follow(&old, &format!("{}|retry", old.id), false, &old.kind, old.parameters.clone(), &rows).await
    }

    /// The last job that did again what an earlier one had left: from there it goes on, whichever message is pressed.
    async fn newest(&self, asked: Job) -> Result<Job> {
        let mut newest = asked;
        loop {
            let mut last = None;
            for attempt in 1.. {
                match self.parts.store.job(&follower(&format!("{}|retry", newest.id), attempt)).await? {
                    Some(job) => last = Some(job),
                    None => break,
                }
            }
            match last {
                None => return Ok(newest),
                Some(job) if !job.status.ended() => return Err(asked_for_already()),
                Some(job) => newest = job,
            }
        }
    }

    /// The entries of a large change that were refused, or not reached before it was cancelled, as a change of its own. What
    /// others have changed meanwhile is left alone again.
    async fn retry_change(&self, old: &Job) -> Result<Job> {
        let (store, now_ms) = (&self.parts.store, self.parts.clock.now_ms());
        let change = store.change(old.parameters["change"].as_str().unwrap_or_default()).await?.ok_or_else(nothing_failed)?;
        let entries = store.change_rows(&change.id).await?;
        let open = |at: usize| entries.get(at).is_some_and(|e| e.state == RowState::Failed || e.reason.as_deref() == Some(CANCELLED));
        let plan = Plan::read(&change.plan)?.part(open);
        if plan.units() == 0 {
            return Err(nothing_failed());
        }
        self.needs_no_approval(change.sheet, &plan).await?;
        let id = self.next_id(&format!("{}|retry", old.id), false).await?;
        let change = Change {
            id: format!("{id}-change"),
            job_id: Some(id.clone()),
            plan: plan.kept()?,
            applying: true,
            created_at_ms: now_ms,
            ..change
        };
        let mut parameters = old.parameters.clone();
        parameters["change"] = json!(change.id);
        let job = Job { total: plan.units() as i64, ..Job::queued(id, &old.kind, parameters, &old.place(), now_ms) };
        if !store.begin_job_of_change(&job, &change, job.total).await? {
            return Err(asked_for_already());
        }
        self.wake();
        Ok(job)
    }

    /// Takes a job back: as a new job. `by` is whoever does so, who may act for the person that asked.
    ///
    /// # Errors
    /// A sentence when that cannot be done.
    pub async fn undo(&self, id: &str, asker: &Asker, by: &str) -> Result<Job> {
        let old = self.read_ended(id, asker).await?.ok_or_else(|| told("That job is still running; cancel it first."))?;
        let changes = self.parts.store.job_changes(&old.id).await?;
        if changes.is_empty() {
            return Err(told("Nothing of that job was written, so there is nothing to take back."));
        }
        let what = format!("taking back: {}", report::what(&old));
        let rest = self.parts.store.is_half_taken_back(&old.id).await?;
        self.follow(&old, &format!("{}|undo", old.id), rest, UNDO, json!({ "job": old.id, "what": what, "by": by }), &[]).await
    }

    /// Queues a job that follows from another one. The same name is queued once, and again when that came to nothing or has
    /// left a rest.
    async fn follow(&self, old: &Job, name: &str, rest: bool, kind: &str, parameters: Value, rows: &[JobRow]) -> Result<Job> {
        let id = self.next_id(name, rest).await?;
        let total = if rows.is_empty() { old.total } else { rows.len() as i64 };
        let progress = rows.iter().filter(|r| r.is_asked()).count() as i64;
        let job = Job { progress, total, ..Job::queued(id, kind, parameters, &old.place(), self.parts.clock.now_ms()) };
        if !self.parts.store.add_job(&job, rows).await? {
            return Err(asked_for_already());
        }
        self.wake();
        Ok(job)
    }

    /// The id of the next job of this name.
    async fn next_id(&self, name: &str, rest: bool) -> Result<String> {
        for attempt in 1.. {
            let id = follower(name, attempt);
            let Some(earlier) = self.parts.store.job(&id).await? else { return Ok(id) };
            let left = rest || earlier.result.as_ref().is_some_and(|r| r["failedRows"].as_u64().is_some_and(|n| n > 0));
            match earlier.status {
                JobStatus::Failed | JobStatus::Cancelled => {}
                JobStatus::Completed if left => {}
                _ => break,
            }
        }
        Err(asked_for_already())
    }
}

/// The id of the job that is the nth to follow from another one under a name.
fn follower(name: &str, attempt: u32) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{name}|{attempt}").as_bytes()).to_string()
}

fn nothing_failed() -> Trouble {
    told("No row of that job failed, so there is nothing to do again.")
}

fn asked_for_already() -> Trouble {
    told("That was asked for already; `jobs` tells how far it is.")
}
