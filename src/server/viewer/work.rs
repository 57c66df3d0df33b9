//! What is going on in the session: proposals that wait, jobs that run, what was said.

use super::visit::{Visit, refused, shown};
use super::{Viewer, visit};
use crate::bot::{capital, in_words};
use crate::changes::{CellEdit, Plan};
use crate::jobs;
use crate::server::api::Result;
use crate::sheet::{Cell, Snapshot};
use crate::store::{Job, MessageRecord, Proposal, ProposalState};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chat::{LinkPolicy, Markdown, Node};
use std::sync::Arc;
use url::Url;

/// Lines of a difference that are shown; the rest is counted.
const SHOWN_LINES: usize = 200;
const SHOWN_MESSAGES: i64 = 50;
/// Who answers.
const BOT: &str = "ChatSheet";
const SHOWN_JOBS: i64 = 20;

/// Proposals and jobs, as they stand above the sheet.
#[derive(Template)]
#[template(path = "work.html")]
pub(super) struct Work {
    id: String,
    proposals: Vec<Waiting>,
    jobs: Vec<Running>,
}

/// A proposal that waits for a person.
struct Waiting {
    what: String,
    lines: Vec<Line>,
    more: usize,
    /// Lines whose value has changed since.
    moved: usize,
    /// What the page may press: label, action and look; nothing when it belongs to somebody else.
    buttons: Vec<(String, String, &'static str)>,
}

/// A cell of a difference.
struct Line {
    row: Option<i64>,
    label: String,
    column: String,
    before: String,
    after: String,
    /// What is there now, where that is something else.
    now: Option<String>,
}

/// A job that waits or runs.
struct Running {
    id: String,
    what: String,
    done: i64,
    total: i64,
    cancel: bool,
}

/// What was said, oldest first.
#[derive(Template)]
#[template(path = "said.html")]
pub(super) struct Said {
    messages: Vec<Message>,
}

/// Something that was said.
struct Message {
    who: String,
    kind: &'static str,
    words: Vec<Node>,
}

/// The part of the page that tells what is going on.
pub(super) async fn read(State(viewer): State<Arc<Viewer>>, visit: Visit, headers: HeaderMap) -> Response {
    let work = async {
        let snapshot = viewer.sheet(&visit.link).await?;
        viewer.work(&visit, &snapshot).await
    };
    part(&headers, work.await)
}

/// The conversation, for a page that may have missed some of it.
pub(super) async fn reread(State(viewer): State<Arc<Viewer>>, visit: Visit, headers: HeaderMap) -> Response {
    let said = async {
        let snapshot = viewer.sheet(&visit.link).await?;
        viewer.said(&visit, &snapshot).await
    };
    part(&headers, said.await)
}

/// A part of the page, or why there is none.
fn part(headers: &HeaderMap, part: Result<impl Template>) -> Response {
    match part {
        Ok(part) => shown(StatusCode::OK, &part),
        Err(problem) => refused(visit::wants_html(headers), problem),
    }
}

impl Viewer {
    /// What is going on about this sheet in the session of the link.
    pub(super) async fn work(&self, visit: &Visit, snapshot: &Snapshot) -> Result<Work> {
        let (link, parts) = (&visit.link, &self.api.parts);
        let person = link.person.as_ref().map(|p| p.id.as_str());
        let mut work = Work { id: visit.id.clone(), proposals: Vec::new(), jobs: Vec::new() };
        let Some(thread) = parts.store.thread_of_session(&link.session).await? else { return Ok(work) };
        let (key, now_ms) = (thread.key.storage_key(), parts.clock.now_ms());
        let waiting = parts.store.waiting_proposals(&key).await?;
        for proposal in waiting.iter().filter(|p| p.sheet == link.sheet && p.expires_at_ms > now_ms) {
            let plan = Plan::read(&proposal.plan).map_err(anyhow::Error::from)?;
            work.proposals.push(Waiting::of(proposal, &plan, snapshot, person == Some(&proposal.asker)));
        }
        let all = parts.jobs.list(&key, None, SHOWN_JOBS).await?;
        let running = |job: &Job| Running {
            id: job.id.clone(),
            what: Markdown::ours(&jobs::in_a_line(job)).plain(),
            done: job.progress,
            total: job.total.max(1),
            cancel: person == Some(&job.asker) && !job.cancel_requested,
        };
        work.jobs = all.iter().filter(|j| !j.status.ended() && j.sheet == link.sheet).map(running).collect();
        Ok(work)
    }

    /// What was said in the session; only the person whose link it is may read it.
    pub(super) async fn said(&self, visit: &Visit, snapshot: &Snapshot) -> Result<Said> {
        if visit.link.person.is_none() {
            return Ok(Said { messages: Vec::new() });
        }
        let messages = self.api.parts.store.recent_messages(&visit.link.session, SHOWN_MESSAGES, 0).await?;
        // Links to the sheet and those that stand in it, as in the thread.
        let host = Url::parse(&snapshot.permalink).ok().and_then(|u| u.host_str().map(str::to_owned));
        let policy = LinkPolicy { exact: snapshot.links.clone(), hosts: host.into_iter().collect() };
        Ok(Said { messages: messages.iter().filter_map(|m| message(m, &policy)).collect() })
    }
}

fn message(message: &MessageRecord, policy: &LinkPolicy) -> Option<Message> {
    let (who, kind) = match message.role.as_str() {
        "user" => (message.metadata["author"].as_str().unwrap_or("Question"), "question"),
        "assistant" | "error" => (BOT, "answer"),
        _ => return None,
    };
    // Lines in brackets are notes for the model.
    let words: Vec<&str> = message.content.lines().filter(|l| !(l.starts_with('[') && l.ends_with(']'))).collect();
    let words = Markdown::untrusted(&words.join("\n"), policy).nodes;
    (!words.is_empty()).then(|| Message { who: who.to_owned(), kind, words })
}

impl Waiting {
    fn of(proposal: &Proposal, plan: &Plan, snapshot: &Snapshot, own: bool) -> Self {
        let edits = edits(plan);
        let moved = edits.iter().filter(|(row, _, cell)| moved_to(snapshot, *row, cell).is_some()).count();
        let all = edits.len() + whole(plan).count();
        let lines: Vec<Line> = edits.iter().map(|edit| line(snapshot, edit)).chain(whole(plan)).take(SHOWN_LINES).collect();
        let confirm = match proposal.state {
            ProposalState::Counting => (format!("Yes, all {} rows", proposal.row_count), format!("count:{}", proposal.id), "danger"),
            _ => ("Confirm".to_owned(), format!("confirm:{}", proposal.id), "primary"),
        };
        let cancel = ("Cancel".to_owned(), format!("cancel:{}", proposal.id), "plain");
        let buttons = if own { vec![confirm, cancel] } else { Vec::new() };
        Self { what: capital(&Markdown::ours(&in_words(plan)).plain()), more: all - lines.len(), lines, moved, buttons }
    }
}

/// A cell of a plan: its row, where there is one yet, what that is called, old and new value.
type Edit<'a> = (Option<i64>, &'a str, &'a CellEdit);

fn edits(plan: &Plan) -> Vec<Edit<'_>> {
    match plan {
        Plan::Update { rows } => rows.iter().flat_map(|r| r.cells.iter().map(move |c| (Some(r.row_id), r.label.as_str(), c))).collect(),
        Plan::Add { rows, .. } => rows.iter().flat_map(|r| r.cells.iter().map(move |c| (None, r.label.as_str(), c))).collect(),
        _ => Vec::new(),
    }
}

fn line(snapshot: &Snapshot, (row, label, cell): &Edit<'_>) -> Line {
    Line {
        row: *row,
        label: (*label).to_owned(),
        column: cell.title.clone(),
        before: cell.before_shown.clone(),
        after: cell.after_shown.clone(),
        now: moved_to(snapshot, *row, cell),
    }
}

/// What a plan does to whole rows, a line each.
fn whole(plan: &Plan) -> Box<dyn Iterator<Item = Line> + '_> {
    let line = |row: i64, label: &str, before: &str, after: &str| Line {
        row: Some(row),
        label: label.to_owned(),
        column: String::new(),
        before: before.to_owned(),
        after: after.to_owned(),
        now: None,
    };
    match plan {
        Plan::Delete { rows } => Box::new(rows.iter().map(move |r| line(r.row_id, &r.label, "the whole row", ""))),
        Plan::Comment { row_id, label, text } => Box::new(std::iter::once(line(*row_id, label, "", text))),
        Plan::Job { samples, .. } => Box::new(samples.iter().map(move |s| line(s.row_id, &s.label, "", &s.shown))),
        _ => Box::new(std::iter::empty()),
    }
}

/// What stands in a cell now, where that is not what the plan expects.
fn moved_to(snapshot: &Snapshot, row: Option<i64>, cell: &CellEdit) -> Option<String> {
    let (at, column) = snapshot.column_by_id(cell.column_id)?;
    let now = &snapshot.row(row?)?.cells[at];
    (!Cell::same(&now.to_json(), &cell.before)).then(|| now.shown(&column.style))
}
