//! The rows of a running job, and how many stand where.

use super::ask::Kept;
use super::runner::Ended;
use crate::changes::{CANCELLED, Outcome};
use crate::events::View;
use crate::store::{JobRow, JobRowState};
use serde_json::{Value, json};

const SAMPLE_RESULTS: usize = 5;

/// All rows of a job.
pub(super) struct Board {
    rows: Vec<JobRow>,
    view: View,
    asking: Asking,
}

/// Whether more answers come in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asking {
    GoesOn,
    /// What there is will be written.
    Ended,
    /// What there is will be written by whoever goes on with the job.
    BrokeOff,
}

/// What can be written next.
pub(super) enum Next {
    /// The answers of the rows at these positions.
    Rows(Vec<usize>),
    /// Nothing before more answers have come in.
    Wait,
    /// Nothing any more.
    End,
}

impl Board {
    pub fn new(rows: Vec<JobRow>) -> Self {
        let mut view = View { total: rows.len(), ..View::default() };
        rows.iter().for_each(|r| count(&mut view, r.state, 1));
        Self { rows, view, asking: Asking::GoesOn }
    }

    pub fn rows(&self) -> &[JobRow] {
        &self.rows
    }

    pub fn view(&self) -> View {
        self.view
    }

    /// Puts rows back that have got on.
    pub fn put(&mut self, rows: Vec<JobRow>) {
        for row in rows {
            let Ok(at) = usize::try_from(row.seq) else { continue };
            count(&mut self.view, self.rows[at].state, -1);
            count(&mut self.view, row.state, 1);
            self.rows[at] = row;
        }
    }

    /// No more answers come in; those that there are shall be written now, or are left to whoever goes on with the job.
    pub fn close(&mut self, write: bool) {
        self.asking = if write { Asking::Ended } else { Asking::BrokeOff };
    }

    /// What can be written next. Answers wait for one another, so that one look at the sheet serves all of them, until
    /// writing is `due`.
    pub fn next(&self, due: bool) -> Next {
        let now = self.asking == Asking::Ended || (due && self.asking == Asking::GoesOn);
        let answered = |(i, row): (usize, &JobRow)| (row.state == JobRowState::Answered).then_some(i);
        let rows: Vec<usize> = if now { self.rows.iter().enumerate().filter_map(answered).collect() } else { Vec::new() };
        match self.asking {
            _ if !rows.is_empty() => Next::Rows(rows),
            Asking::GoesOn => Next::Wait,
            Asking::Ended | Asking::BrokeOff => Next::End,
        }
    }

    /// Where the job stands.
    pub fn ended(&self) -> Ended {
        ended(&self.rows)
    }
}

fn count(view: &mut View, state: JobRowState, by: isize) {
    let add = |n: &mut usize| *n = n.saturating_add_signed(by);
    match state {
        JobRowState::Pending => {}
        JobRowState::Answered => add(&mut view.answered),
        JobRowState::Written | JobRowState::Skipped => add(&mut view.settled),
        JobRowState::Failed => {
            add(&mut view.settled);
            add(&mut view.failed);
        }
    }
}

/// Where a job with these rows stands.
pub(super) fn ended(rows: &[JobRow]) -> Ended {
    let count = |state| rows.iter().filter(|r| r.state == state).count();
    let written = rows.iter().filter(|r| r.state == JobRowState::Written);
    let answer = |r: &JobRow| r.answer.clone().and_then(|a| serde_json::from_value::<Kept>(a).ok()).map(|k| k.answer);
    let samples: Vec<Value> =
        written.clone().take(SAMPLE_RESULTS).map(|r| json!({ "rowId": r.row_id.to_string(), "answer": answer(r) })).collect();
    let (written, failed) = (written.count(), count(JobRowState::Failed));
    let with_reason = rows.iter().filter(|r| matches!(r.state, JobRowState::Failed | JobRowState::Skipped));
    Ended {
        done: written,
        open: count(JobRowState::Pending) + count(JobRowState::Answered),
        kept: count(JobRowState::Answered),
        problems: with_reason.map(|r| (r.label.clone(), r.reason.clone().unwrap_or_default())).collect(),
        failed,
        result: json!({ "processedRows": written, "failedRows": failed, "sampleResults": samples }),
    }
}

/// Where a job of these changes stands.
pub(super) fn ended_by(outcomes: &[Outcome]) -> Ended {
    let all = || outcomes.iter().flat_map(|o| o.skipped.iter().chain(&o.altered).chain(&o.failed));
    let done = outcomes.iter().map(|o| o.done).sum();
    let ids: Vec<String> = outcomes.iter().flat_map(|o| &o.rows).map(i64::to_string).collect();
    let failed: usize = outcomes.iter().map(|o| o.failed.len()).sum();
    Ended {
        done,
        open: all().filter(|r| r.reason == CANCELLED).count(),
        kept: 0,
        failed,
        problems: all().filter(|r| r.reason != CANCELLED).map(|r| (r.label.clone(), r.reason.clone())).collect(),
        result: json!({ "rowsAffected": done, "rowIds": ids, "failedRows": failed }),
    }
}
