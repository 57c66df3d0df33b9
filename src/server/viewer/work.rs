//! What is going on in the session: proposals that wait, jobs that run, what was said.

use super::Viewer;
use super::visit::{Visit, refused, shown, wants_html};
use crate::bot::{capital, in_words};
use crate::changes::{CellEdit, Plan};
use crate::jobs;
use crate::server::api::Result;
use crate::server::web::told;
use crate::sheet::{Cell, Snapshot};
use crate::store::{self, Job, Proposal, ProposalState};
use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chat::Markdown;
use serde_json::Value;
use std::sync::Arc;

/// Lines of a difference that are shown; the rest is counted.
const SHOWN_LINES: usize = 200;
const SHOWN_MESSAGES: i64 = 50;
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

/// The part of the page that tells what is going on.
pub(super) async fn read(State(viewer): State<Arc<Viewer>>, visit: Visit, headers: HeaderMap) -> Response {
    let work = async {
        let snapshot = viewer.sheet(&visit.link).await?;
        viewer.work(&visit, &snapshot).await
    };
    match work.await {
        Ok(work) => shown(StatusCode::OK, &work),
        Err(problem) => refused(wants_html(&headers), problem),
    }
}

/// What was said in the thread last, by people and the bot; only the person whose link it is may read it.
pub(super) async fn said(State(viewer): State<Arc<Viewer>>, visit: Visit) -> Result<Json<Value>> {
    visit.caller()?;
    let (store, links) = (&viewer.api.parts.store, &viewer.api.parts.links);
    let posts = match store.thread_of_session(&visit.link.session).await? {
        Some(thread) => store.last_posts(&thread.key.storage_key(), SHOWN_MESSAGES).await?,
        None => Vec::new(),
    };
    let message = |p: store::Post| told(p.author.as_deref(), p.revision, &links.opened_in(p.body))["message"].take();
    Ok(Json(posts.into_iter().map(message).collect()))
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
