//! Fills a column with the model's answers: each answer is kept before it is used, each group of rows
//! is one change of the journal.

use super::runner::{Ended, Running};
use super::{Jobs, Kind, Parameters};
use crate::changes::{CellEdit, Plan, RowEdit, SAME_VALUE, Stop};
use crate::error::{Result, Trouble, told};
use crate::llm::{Error as ModelError, Usage};
use crate::sheet::{Cell, Snapshot, SnapshotRow};
use crate::smartsheet::{ColumnSpec, Identity};
use crate::store::{Change, ChangeRow, JobRow, JobRowState, RowState};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Rows that are written together; Smartsheet takes no more in a request.
const GROUP: usize = 500;
/// Characters of a row that the model reads.
const SOURCE_CHARS: usize = 12_000;
/// A model that does not answer is asked again this often, a row that gets no usable answer this often.
const PATIENCE: u32 = 6;
const TRIES: u32 = 2;
const SAMPLE_RESULTS: usize = 5;

/// An answer as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// For the cell.
    pub value: Value,
    /// As the model gave it, with its reasons.
    pub answer: Value,
}

impl Kept {
    /// The value as people see it.
    pub fn shown(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned)
    }
}

/// What came of asking for one row.
pub(super) enum Asked {
    Answered {
        /// The value for the cell, and the answer as the model gave it.
        kept: Kept,
        usage: Usage,
    },
    /// This row gets no value.
    Unusable(String),
    /// The model does not answer now.
    Later(ModelError),
    /// The model will not answer before somebody does something.
    Never(ModelError),
}

/// The text of a row's source columns; empty when they are.
pub(super) fn source_of(snapshot: &Snapshot, row: &SnapshotRow, titles: &[String]) -> String {
    let mut lines = Vec::new();
    for title in titles {
        if let Some((i, column)) = snapshot.column(title)
            && row.cells[i] != Cell::Empty
        {
            lines.push(format!("{}: {}", column.title, chat::text::clean(&row.cells[i].shown(&column.style))));
        }
    }
    chat::text::shorten(&lines.join("\n"), SOURCE_CHARS)
}

impl Jobs {
    /// Asks for one row; a model that is busy is waited for.
    pub(super) async fn ask(&self, kind: &Kind, parameters: &Parameters, source: &str) -> Asked {
        let messages = kind.messages(parameters, source);
        let (mut waits, mut tries) = (0, 0);
        loop {
            let answer = {
                let Ok(_slot) = self.model_slots.acquire().await else {
                    return Asked::Later(ModelError::Unavailable("this process stops".into()));
                };
                self.parts.model.ask_json(&messages, &kind.name.to_lowercase(), &(kind.schema)()).await
            };
            let why = match answer {
                Ok((answer, usage)) => match (kind.check)(parameters, source, &answer) {
                    Ok(value) => return Asked::Answered { kept: Kept { value, answer }, usage },
                    Err(why) => why,
                },
                Err(ModelError::Filtered(_)) => return Asked::Unusable("the content filter of the model refused this row".into()),
                Err(ModelError::TooLong) => return Asked::Unusable("the row is longer than the model takes".into()),
                Err(error @ (ModelError::Unauthorized(_) | ModelError::NotFound(_))) => return Asked::Never(error),
                Err(ModelError::RateLimited(wait)) if waits < PATIENCE && wait <= Duration::from_secs(300) => {
                    waits += 1;
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(error @ (ModelError::RateLimited(_) | ModelError::Unavailable(_))) => return Asked::Later(error),
                Err(error) => error.to_string(),
            };
            tries += 1;
            if tries >= TRIES {
                return Asked::Unusable(why);
            }
        }
    }
}

impl Running<'_> {
    /// Fills the target column.
    pub(super) async fn fill(&self, kind: &Kind) -> Result<Ended> {
        let parameters: Parameters = serde_json::from_value(self.job.parameters.clone())?;
        let store = &self.jobs.parts.store;
        self.make_column(&parameters).await?;
        let mut rows = store.job_rows(&self.job.id).await?;
        for change in store.job_changes(&self.job.id).await? {
            self.settle_group(&change, &mut rows).await?;
        }
        self.tell(&rows);
        let mut start = 0;
        while start < rows.len() {
            let end = (start + GROUP).min(rows.len());
            let stopped = self.ask_for(kind, &parameters, &mut rows, start..end).await?;
            self.write_group(&parameters, &mut rows, start..end).await?;
            if stopped {
                break;
            }
            start = end;
        }
        if self.stop.pause.is_cancelled() {
            return Err(Trouble::Logged(anyhow::anyhow!("this process stops; somebody else goes on with the job")));
        }
        Ok(standing(&rows))
    }

    /// Makes the target column when it is not there yet.
    async fn make_column(&self, parameters: &Parameters) -> Result<()> {
        let snapshot = self.sheet().await?;
        let begun = self.jobs.parts.store.change(&self.name("column")).await?;
        if begun.is_none_or(|c| !c.applying) && snapshot.column(&parameters.target_column).is_some() {
            return Ok(());
        }
        let index = u32::try_from(snapshot.columns.len()).ok();
        let spec = ColumnSpec { title: Some(parameters.target_column.clone()), kind: Some("TEXT_NUMBER".into()), index, options: None };
        let change = self.begin("column", &Plan::AddColumn { spec }, snapshot.version).await?;
        let (progress, _) = tokio::sync::watch::channel((0, 1));
        let stop = Stop { patient: true, ..Stop::default() };
        let outcome = self.jobs.parts.changes.apply(&change, &progress, &stop).await?;
        match outcome.failed.first() {
            Some(failed) => Err(told(format!("The column {} could not be made: {}", parameters.target_column, failed.reason))),
            None => Ok(()),
        }
    }

    /// Asks for the rows of a group that have no answer yet, several at a time. Returns whether it was stopped.
    async fn ask_for(&self, kind: &Kind, parameters: &Parameters, rows: &mut [JobRow], group: std::ops::Range<usize>) -> Result<bool> {
        let snapshot = self.sheet().await?;
        let open: Vec<(usize, String)> = group
            .filter(|i| rows[*i].state == JobRowState::Pending)
            .map(|i| (i, snapshot.row(rows[i].row_id).map(|r| source_of(&snapshot, r, &parameters.source_columns)).unwrap_or_default()))
            .collect();
        let stopped = || self.stop.cancel.is_cancelled() || self.stop.pause.is_cancelled();
        let questions = stream::iter(open).take_while(|_| std::future::ready(!stopped())).map(|(i, source)| async move {
            let asked = if source.is_empty() {
                Asked::Unusable("there is nothing to read".into())
            } else {
                self.jobs.ask(kind, parameters, &source).await
            };
            (i, asked)
        });
        let mut answers = questions.buffer_unordered(self.jobs.parts.settings.concurrency);
        while let Some((i, asked)) = answers.next().await {
            let row = &mut rows[i];
            match asked {
                Asked::Answered { kept, .. } => (row.state, row.answer) = (JobRowState::Answered, Some(serde_json::to_value(kept)?)),
                Asked::Unusable(why) => (row.state, row.reason) = (JobRowState::Failed, Some(why)),
                Asked::Later(error) => return Err(Trouble::Logged(anyhow::Error::from(error).context("the model does not answer"))),
                Asked::Never(error) => {
                    tracing::error!(%error, job = %self.job.id, "the model cannot be used; run `chatsheet check`");
                    return Err(told(
                        "The model cannot be used: its address or key is wrong. Please ask the person who runs me to run chatsheet check.",
                    ));
                }
            }
            self.note(std::slice::from_ref(row)).await?;
            self.tell(rows);
        }
        Ok(stopped())
    }

    /// Writes the answers of a group as one change.
    async fn write_group(&self, parameters: &Parameters, rows: &mut [JobRow], group: std::ops::Range<usize>) -> Result<()> {
        let snapshot = self.sheet().await?;
        let Some((position, column)) = snapshot.column(&parameters.target_column) else {
            return Err(told(format!("The column {} is gone.", parameters.target_column)));
        };
        let (mut edits, mut settled) = (Vec::new(), Vec::new());
        for row in rows[group.clone()].iter_mut().filter(|r| r.state == JobRowState::Answered) {
            let kept: Option<Kept> = row.answer.clone().and_then(|a| serde_json::from_value(a).ok());
            let (Some(now), Some(kept)) = (snapshot.row(row.row_id), kept) else {
                (row.state, row.reason) = (JobRowState::Skipped, Some("the row is gone".into()));
                settled.push(row.clone());
                continue;
            };
            let (before, shown) = (row.before.clone(), now.cells[position].shown(&column.style));
            let after_shown = kept.shown();
            let cell =
                CellEdit { column_id: column.id, title: column.title.clone(), before, after: kept.value, before_shown: shown, after_shown };
            edits.push(RowEdit { row_id: row.row_id, label: row.label.clone(), cells: vec![cell] });
        }
        if !settled.is_empty() {
            self.note(&settled).await?;
        }
        if edits.is_empty() {
            return Ok(());
        }
        let name = format!("rows {} to {}, attempt {}", group.start, group.end, self.job.fence);
        let change = self.begin(&name, &Plan::Update { rows: edits }, snapshot.version).await?;
        self.settle_group(&change, rows).await
    }

    /// Carries out what is left of a group's change, and notes what became of its rows.
    async fn settle_group(&self, change: &Change, rows: &mut [JobRow]) -> Result<()> {
        let plan: Plan = serde_json::from_value(change.plan.clone())?;
        let Plan::Update { rows: edits } = &plan else { return Ok(()) };
        let open = |row: &JobRow| row.state == JobRowState::Answered;
        let ours: HashSet<i64> = edits.iter().map(|e| e.row_id).collect();
        if !rows.iter().any(|r| open(r) && ours.contains(&r.row_id)) {
            return Ok(());
        }
        let (progress, _) = tokio::sync::watch::channel((0, edits.len()));
        // What was answered was paid for: it is written even when the job was cancelled meanwhile.
        let stop = Stop { cancel: CancellationToken::new(), ..self.stop.clone() };
        self.jobs.parts.changes.apply(change, &progress, &stop).await?;
        let written = self.jobs.parts.store.change_rows(&change.id).await?;
        let became: HashMap<i64, &ChangeRow> = edits.iter().map(|e| e.row_id).zip(&written).collect();
        let mut settled = Vec::new();
        for row in rows.iter_mut().filter(|r| open(r)) {
            if let Some(became) = became.get(&row.row_id) {
                (row.state, row.reason) = became_of(became);
                settled.push(row.clone());
            }
        }
        self.note(&settled).await?;
        self.tell(rows);
        Ok(())
    }

    async fn sheet(&self) -> Result<Arc<Snapshot>> {
        self.jobs.parts.changes.sheets.current(&Identity::Service, self.job.sheet).await
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

/// Where the rows of a job stand.
pub(super) fn standing(rows: &[JobRow]) -> Ended {
    let count = |state| rows.iter().filter(|r| r.state == state).count();
    let samples = rows.iter().filter(|r| r.state == JobRowState::Written).take(SAMPLE_RESULTS);
    let samples: Vec<Value> =
        samples.map(|r| json!({ "rowId": r.row_id.to_string(), "answer": r.answer.as_ref().map(|a| &a["answer"]) })).collect();
    let (written, failed) = (count(JobRowState::Written), count(JobRowState::Failed));
    let with_reason = rows.iter().filter(|r| matches!(r.state, JobRowState::Failed | JobRowState::Skipped));
    Ended {
        done: written,
        open: count(JobRowState::Pending) + count(JobRowState::Answered),
        problems: with_reason.map(|r| (r.label.clone(), r.reason.clone().unwrap_or_default())).collect(),
        failed,
        result: json!({ "processedRows": written, "failedRows": failed, "sampleResults": samples }),
    }
}
