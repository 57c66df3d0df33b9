//! What is said about jobs.

use super::{capital, count, md, note, what};
use crate::changes::Plan;
use crate::jobs::{UNDO, WaitsFor, in_a_line, in_detail, short};
use crate::store::{Job, JobStatus};
use chat::{Block, Button, ButtonStyle, Message};
use std::time::Duration;

/// Jobs of a list that have a button.
const WITH_BUTTON: usize = 4;

/// What a job that is queued waits for; nothing when it begins at once.
fn waits(waits_for: WaitsFor) -> Option<String> {
    let (n, whose) = match waits_for {
        WaitsFor::Nothing => return None,
        WaitsFor::OwnJobs(n) => (n, " of yours"),
        WaitsFor::OtherJobs(n) => (n, ""),
    };
    let (are, now) = (if n == 1 { "is" } else { "are" }, if whose.is_empty() { "at the moment" } else { "already" });
    Some(format!("{}{whose} {are} running {now}; it begins when one of them has ended.", count(n, "job")))
}

pub(in crate::bot) fn starting(plan: &Plan, waits_for: WaitsFor) -> Message {
    let when = waits(waits_for).unwrap_or_else(|| "It begins at once.".into());
    Message::text(&format!("⏳ Queued: {}. {when} `jobs` tells how far it is.", what(plan)))
}

pub(in crate::bot) fn jobs(jobs: &[Job]) -> Message {
    if jobs.is_empty() {
        return Message::text("There are no jobs in this thread, and none of yours elsewhere.");
    }
    let lines: String = jobs.iter().map(|j| format!("- {}\n", in_a_line(j))).collect();
    let status = |job: &Job| button(&format!("Status {}", short(&job.id)), "jobstatus", job);
    Message::new(vec![
        md(&format!("**Jobs**, newest first\n{lines}")),
        Block::Buttons(jobs.iter().take(WITH_BUTTON).map(status).collect()),
        note("`status <job>` says more about one, `cancel <job>` stops it, `retry <job>` does again what failed."),
    ])
}

/// What a large change takes; a request writes 500 rows in one to three seconds.
pub(in crate::bot) fn in_the_background(requests: usize) -> String {
    let time = chat::text::duration(Duration::from_secs(2 * requests as u64));
    format!(
        "Runs in the background with about {} to Smartsheet, no model calls · about {time}. One message shows how far it is.",
        count(requests, "request")
    )
}

/// A job in some lines, with what can be done about it.
pub(in crate::bot) fn job_status(job: &Job, now_ms: i64) -> Message {
    let result = |name: &str| job.result.as_ref().and_then(|r| r[name].as_u64()).unwrap_or_default();
    let (written, own) = (result("processedRows") + result("rowsAffected"), job.kind != UNDO);
    let mut buttons = Vec::new();
    if !job.status.ended() {
        buttons.push(button("Cancel", "jobcancel", job));
    }
    if job.status.ended() && own && written > 0 {
        buttons.push(button("Undo", "jobundo", job));
    }
    if own && (matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) || result("failedRows") > 0) {
        buttons.push(button("Retry", "jobretry", job));
    }
    let mut message = Message::text(&in_detail(job, now_ms));
    if !buttons.is_empty() {
        message.blocks.push(Block::Buttons(buttons));
    }
    message
}

fn button(label: &str, verb: &str, job: &Job) -> Button {
    Button { label: label.to_owned(), action: format!("{verb}:{}", job.id), style: ButtonStyle::Plain }
}

pub(in crate::bot) fn job_queued(job: &Job, waits_for: WaitsFor) -> Message {
    let when = waits(waits_for).map(|words| format!(" {}", capital(&words))).unwrap_or_default();
    Message::text(&format!("⏳ Queued as job `{}`.{when}", short(&job.id)))
}
