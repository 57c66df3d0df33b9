//! The one message of a job: a bar that moves, then what came of it.

use super::runner::{Ended, undone};
use super::{Jobs, Kind, Parameters, UNDO, record, short};
use crate::changes::People;
use crate::events::{Event, View};
use crate::smartsheet::{Hold, Identity};
use crate::store::{Job, JobStatus};
use chat::{Block, Button, ButtonStyle, File, Markdown, Message, Progress, escape};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a job gets on whose platform is not connected.
const UNSEEN: Duration = Duration::from_secs(3);
/// How long names are waited for.
const NAMES: Duration = Duration::from_secs(2);
/// Problems that the message names; the rest goes into a file.
const NAMED: usize = 5;

/// The message of a running job.
pub(super) struct Shown {
    jobs: Arc<Jobs>,
    job: Job,
    sheet: String,
    started: Instant,
    /// Who slept through the lease shows nothing: somebody else may have said the last word.
    hold: Hold,
}

impl Shown {
    /// The message of a job; the sheet is named and linked where it can be read.
    pub async fn new(jobs: Arc<Jobs>, job: &Job, hold: Hold) -> Self {
        let snapshot = jobs.parts.changes.sheets.known(&Identity::read(&job.identity), job.sheet).await.ok();
        let sheet = snapshot.map_or_else(|| "the sheet".to_owned(), |s| format!("[{}]({})", escape(&s.name), s.permalink));
        Self { jobs, job: job.clone(), sheet, started: Instant::now(), hold }
    }

    /// Shows how far the job is, no faster than the platform and the other jobs allow, until it is done.
    pub async fn follow(&mut self, mut seen: Receiver<Event>, began: View, done: &CancellationToken) {
        let mut view = began;
        loop {
            if self.hold.holds() {
                self.show(&self.running(view, began), false).await;
            }
            let running = u32::try_from(self.jobs.running().len()).unwrap_or(1).max(1);
            let interval = self.chat().map_or(UNSEEN, |c| {
                let limits = c.limits();
                limits.progress_interval.max(limits.edit_interval * running)
            });
            let due = tokio::time::sleep(interval);
            tokio::pin!(due);
            let (shown, mut waited) = (view, false);
            while !waited || view == shown {
                tokio::select! {
                    () = &mut due, if !waited => waited = true,
                    event = seen.recv() => match event {
                        Ok(Event::Job(event)) if *event.id == *self.job.id => view = event.view,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = done.cancelled() => return,
                }
            }
        }
    }

    fn chat(&self) -> Option<&Arc<dyn chat::Chat>> {
        let platform = self.job.thread_key.split('|').next().unwrap_or_default();
        self.jobs.parts.chats.iter().find(|(p, _)| p.to_string() == platform).map(|(_, c)| c)
    }

    /// Shows a state; `false` when the same may work later.
    async fn show(&mut self, message: &Message, at_last: bool) -> bool {
        let Some(chat) = self.chat().cloned() else { return true };
        let before = self.job.message.clone();
        let shown = match &before {
            Some(at) if !at_last => chat.edit(at, message).await,
            _ => chat::insist(chat.as_ref(), &self.job.anchor, &mut self.job.message, message).await,
        };
        let settled = shown.as_ref().map_or_else(for_good, |()| true);
        match shown {
            // It was deleted: the next state is posted anew.
            Err(chat::ChatError::Gone(_)) => self.job.message = None,
            Err(error) => tracing::warn!(%error, job = %self.job.id, "the message of a job was not shown"),
            Ok(()) => {}
        }
        if let Some(at) = self.job.message.as_ref().filter(|at| before.as_ref() != Some(at))
            && let Err(error) = self.jobs.parts.store.set_job_message(&self.job.id, self.job.fence, at).await
        {
            tracing::warn!(%error, job = %self.job.id, "the place of a job's message could not be remembered");
        }
        settled
    }

    /// Since the job began, by whoever carried it out.
    fn since_it_began(&self) -> Duration {
        let began_ms = self.job.started_at_ms.unwrap_or(i64::MAX);
        let ms = self.jobs.parts.clock.now_ms().saturating_sub(began_ms).max(0);
        self.started.elapsed().max(Duration::from_millis(ms.unsigned_abs()))
    }

    fn running(&self, view: View, began: View) -> Message {
        let elapsed = self.started.elapsed();
        let (done, before) = (view.settled + view.answered, began.settled + began.answered);
        let mut words = vec![format!("{} so far", chat::text::duration(self.since_it_began()))];
        if done > before && elapsed > Duration::from_secs(2) {
            let left = elapsed.mul_f64((view.total - done.min(view.total)) as f64 / (done - before) as f64);
            words.push(format!("about {} left", chat::text::duration(left)));
        }
        if view.failed > 0 {
            words.push(format!("{} failed", view.failed));
        }
        self.bar(done, view.total, &words.join(" · "))
    }

    /// Shows that the job goes on later, and when.
    pub async fn rests(&mut self, done: usize, why: &str, wait: Duration) {
        let words = format!("{why}, it goes on in about {}", chat::text::duration(wait));
        let message = self.bar(done, self.job.total.max(0) as usize, &words);
        self.show(&message, false).await;
    }

    fn bar(&self, done: usize, total: usize, words: &str) -> Message {
        let progress = Progress { label: capital(&what(&self.job)), done: done as u64, total: total as u64 };
        let cancel = Button { label: "Cancel".into(), action: format!("jobcancel:{}", self.job.id), style: ButtonStyle::Plain };
        let note = format!("Job {} in {} · {words}", short(&self.job.id), self.sheet);
        let blocks = vec![Block::Progress(progress), Block::Note(Markdown::ours(&note)), Block::Buttons(vec![cancel])];
        Message::new(blocks).partial()
    }

    /// Shows what came of the job; `false` when that has to be said later.
    pub async fn end(&mut self, status: JobStatus, error: Option<&str>, ended: &Ended) -> bool {
        let mut message = self.ended(status, error, ended);
        if ended.done > 0 {
            match record::of(&self.jobs.parts.store, &self.job, ended.done).await {
                Ok(record) => drop(message.blocks.splice(1..1, record)),
                Err(error) => tracing::warn!(%error, job = %self.job.id, "it cannot be read what a job has written"),
            }
            let people = self.people().await.words();
            message.blocks.extend(people.map(|words| Block::Note(Markdown::ours(&words))));
        }
        self.show(&message, true).await
    }

    /// Who has asked for the job, who has confirmed it, and who has taken it back.
    async fn people(&self) -> People {
        let by = |job: &Job| job.parameters["by"].as_str().unwrap_or(&job.asker).to_owned();
        if self.job.kind != UNDO {
            return self.people_of(&self.job.id, &by(&self.job)).await;
        }
        let undone = self.jobs.parts.store.job(undone(&self.job)).await.unwrap_or_else(|error| {
            tracing::warn!(%error, job = %self.job.id, "it cannot be read which job is taken back");
            None
        });
        let made = match undone {
            Some(job) => self.people_of(&job.id, &by(&job)).await,
            None => People::default(),
        };
        People { undoer: self.name_of(&by(&self.job)).await, ..made }
    }

    async fn people_of(&self, job: &str, asker: &str) -> People {
        let decided = self.jobs.parts.store.decider(job).await;
        let decider = decided.unwrap_or_else(|error| {
            tracing::warn!(%error, job, "it cannot be read who confirmed a job");
            None
        });
        let asked = self.name_of(asker).await;
        let decided = match decider {
            Some(same) if same == asker => asked.clone(),
            Some(other) => self.name_of(&other).await,
            None => None,
        };
        People { asker: asked, decider: decided, undoer: None }
    }

    async fn name_of(&self, person: &str) -> Option<String> {
        let profile = self.chat()?.profile(&self.job.anchor, person);
        Some(tokio::time::timeout(NAMES, profile).await.ok()?.ok()?.name)
    }

    /// Shares the list of what was not written, when it is longer than what is named; `false` when that has to be done later.
    pub async fn share(&self, ended: &Ended) -> bool {
        let problems = &ended.problems;
        if let (true, Some(chat)) = (is_listed(ended), self.chat()) {
            // A spreadsheet would carry out what begins like a formula.
            let safe = |text: &String| if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.clone() };
            let quoted = |text: &String| format!("\"{}\"", safe(text).replace('"', "\"\""));
            let lines: String = problems.iter().map(|(row, why)| format!("{},{}\n", quoted(row), quoted(why))).collect();
            let name = format!("job-{}-not-written.csv", short(&self.job.id));
            let file = File { name, media_type: "text/csv".into(), bytes: format!("Row,Reason\n{lines}").into_bytes() };
            if let Err(error) = chat.upload(&self.job.anchor, &file).await {
                tracing::warn!(%error, job = %self.job.id, "the list of rows that were not written could not be shared");
                // One that may be there is not shared twice.
                return for_good(&error) || matches!(error, chat::ChatError::MayHaveLanded(_));
            }
        }
        true
    }

    fn ended(&self, status: JobStatus, error: Option<&str>, ended: &Ended) -> Message {
        let Ended { done, open, failed, problems, .. } = ended;
        let verb = if self.job.kind == UNDO { "taken back" } else { "written" };
        let written = format!("{done} of {} rows were {verb}.", ended.total());
        let again = if status == JobStatus::Cancelled { "Do the rest" } else { "Retry failed" };
        let rest = match ended.kept {
            0 => String::new(),
            n => format!(" The results of {n} more are kept: {again} writes them without asking the model again."),
        };
        let head = match status {
            JobStatus::Cancelled => format!("⏹️ Cancelled: {} in {}. {written}{rest}", escape(&what(&self.job)), self.sheet),
            JobStatus::Failed => {
                let why = escape(error.unwrap_or_default());
                format!("⚠️ Not finished: {} in {}. {why} {written}{rest}", escape(&what(&self.job)), self.sheet)
            }
            _ if self.job.kind == UNDO && *done == 0 => {
                format!("⚠️ Nothing was taken back: {} in {}.", escape(&what(&self.job)), self.sheet)
            }
            _ if self.job.kind == UNDO => {
                let words = what(&self.job);
                let of = words.strip_prefix("taking back: ").unwrap_or(&words);
                format!("↩️ Taken back in {}: {} ({done} changes).", self.sheet, escape(of))
            }
            _ if *done == 0 => format!("⚠️ Nothing was written: {} in {}.", escape(&what(&self.job)), self.sheet),
            _ => format!("✅ Done: {} in {}, {done} rows written.", escape(&what(&self.job)), self.sheet),
        };
        let mut blocks = vec![Block::Markdown(Markdown::ours(&head))];
        if !problems.is_empty() {
            let some =
                problems.iter().take(NAMED).map(|(row, why)| format!("\n- {}: {}", escape(&chat::text::shorten(row, 80)), escape(why)));
            let more = problems.len().saturating_sub(NAMED);
            let more = if more > 0 { format!("\n- and {more} more, listed in the file below") } else { String::new() };
            blocks.push(Block::Markdown(Markdown::ours(&format!("Not written ({}):{}{more}", problems.len(), some.collect::<String>()))));
        }
        let button =
            |label: &str, verb: &str| Button { label: label.into(), action: format!("{verb}:{}", self.job.id), style: ButtonStyle::Plain };
        let mut buttons = Vec::new();
        if *done > 0 && self.job.kind != UNDO {
            buttons.push(button("Undo", "jobundo"));
        }
        if failed + open > 0 && self.job.kind != UNDO {
            buttons.push(button(again, "jobretry"));
        }
        if failed + open > 0 && self.job.kind == UNDO {
            let action = format!("jobundo:{}", undone(&self.job));
            buttons.push(Button { label: "Take back the rest".into(), action, style: ButtonStyle::Plain });
        }
        if !buttons.is_empty() {
            blocks.push(Block::Buttons(buttons));
        }
        blocks.push(Block::Note(Markdown::ours(&format!("Job {} · {}", short(&self.job.id), chat::text::duration(self.since_it_began())))));
        Message::new(blocks)
    }
}

/// Whether more was not written than is named in the message: then there is a list of it.
pub(super) fn is_listed(ended: &Ended) -> bool {
    ended.problems.len() > NAMED
}

/// Whether what a platform says will not be otherwise later.
fn for_good(error: &chat::ChatError) -> bool {
    use chat::ChatError::{MayHaveLanded, RateLimited, Unreachable};
    !matches!(error, RateLimited(_) | Unreachable(_) | MayHaveLanded(_))
}

/// What a job does, in a few words.
pub(super) fn what(job: &Job) -> String {
    match (job.parameters["what"].as_str(), Kind::named(&job.kind), serde_json::from_value::<Parameters>(job.parameters.clone())) {
        (Some(words), _, _) => words.to_owned(),
        (None, Some(kind), Ok(p)) => kind.what(&p),
        _ => job.kind.to_lowercase().replace('_', " "),
    }
}

/// A job in one line, for lists.
pub fn in_a_line(job: &Job) -> String {
    format!("`{}` {}: {}, {} of {} rows", short(&job.id), escape(&what(job)), job.status.as_str(), job.progress, job.total)
}

/// A job in some lines: what it does, where it stands, what came of it.
pub fn in_detail(job: &Job, now_ms: i64) -> String {
    let since = |ms: i64| chat::text::duration(Duration::from_millis((now_ms - ms).max(0).unsigned_abs()));
    let mut text = in_a_line(job);
    match (job.status, job.started_at_ms) {
        (JobStatus::Processing, Some(at)) => text.push_str(&format!("\nRunning for {}.", since(at))),
        (JobStatus::Queued, _) => text.push_str(&format!("\nWaiting for {}.", since(job.created_at_ms))),
        _ => {}
    }
    if let Some(error) = &job.error {
        text.push_str(&format!("\n{}", escape(error)));
    }
    let result = |name: &str| job.result.as_ref().and_then(|r| r[name].as_u64());
    if let Some(written) = result("processedRows").or_else(|| result("rowsAffected")) {
        let failed = result("failedRows").filter(|n| *n > 0).map(|n| format!(", {n} failed")).unwrap_or_default();
        text.push_str(&format!("\n{written} rows were written{failed}."));
    }
    text
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
