//! Prepares a job on rows: which rows, what it may cost, and the results of the first few, which are
//! kept and not asked for again.

use super::ask::{Asked, source_of};
use super::{Instructions, Jobs, Kind, Parameters};
use crate::changes::propose::writable;
use crate::changes::{Draft, Plan, Sample};
use crate::changes::{Matching, matching, new_column};
use crate::error::{Result, told};
use crate::llm::Usage;
use crate::locality::Locality;
use crate::sheet::{Cell, Snapshot};
use crate::store::{Job, JobRow, JobRowState, JobStatus, Place, Proposal};
use chat::Anchor;
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Rows whose results are shown before anything is decided.
const SAMPLES: usize = 3;
/// How long a person waits for them.
const PREVIEW: Duration = Duration::from_secs(45);
/// Characters of a token, about.
const CHARS_PER_TOKEN: usize = 4;

/// A job on rows, checked.
pub(super) struct Prepared {
    pub parameters: Parameters,
    pub rows: Vec<JobRow>,
    filter: Option<String>,
    warnings: Vec<String>,
    /// Characters that the model will read.
    chars: usize,
}

/// A job that waits for a person.
pub struct Proposed {
    /// What they are shown.
    pub draft: Draft,
    rows: Vec<JobRow>,
    parameters: Parameters,
    kind: &'static Kind,
}

impl Jobs {
    /// Finds the rows of a job and checks what it was asked to do.
    pub(super) async fn prepare(
        &self,
        snapshot: &Arc<Snapshot>,
        kind: &Kind,
        mut parameters: Parameters,
        locality: &Locality,
    ) -> Result<Prepared> {
        writable(snapshot)?;
        if parameters.source_columns.is_empty() {
            return Err(told("name at least one column to read"));
        }
        for title in &mut parameters.source_columns {
            let (_, column) =
                snapshot.column(title).ok_or_else(|| told(format!("there is no column called {title}; use describe_sheet")))?;
            title.clone_from(&column.title);
        }
        let target = match snapshot.column(&parameters.target_column) {
            Some((_, column)) if column.primary => {
                return Err(told(format!("{} names the rows and is not overwritten; choose another column", column.title)));
            }
            Some((_, column)) if column.kind != "TEXT_NUMBER" => {
                return Err(told(format!("{} is a column of type {}; choose a text column, or a new one", column.title, column.kind)));
            }
            Some((_, column)) => match &column.read_only {
                Some(why) => return Err(told(format!("{} cannot be written: {why}", column.title))),
                None => Some(column.title.clone()),
            },
            None => {
                new_column(snapshot, &parameters.target_column)?;
                None
            }
        };
        let is_new = target.is_none();
        parameters.target_column = target.unwrap_or_else(|| parameters.target_column.trim().to_owned());
        if parameters.source_columns.contains(&parameters.target_column) {
            return Err(told("the column that is written cannot be one that is read"));
        }
        parameters.instructions = parameters.instructions.filter(|i| !i.trim().is_empty());
        match (kind.instructions, &parameters.instructions) {
            (Instructions::Needed, None) => return Err(told("say in instructions what to do with each row")),
            (Instructions::Criteria, None) => parameters.instructions.clone_from(&self.parts.settings.criteria),
            _ => {}
        }
        let condition = parameters.filter.clone().unwrap_or_default();
        let Matching { filter, rows: found, warnings: left_out, .. } = matching(snapshot, &condition, &[], locality).await?;
        let mut rows = Vec::new();
        let written = snapshot.column(&parameters.target_column).map(|(i, _)| i);
        let (mut empty, mut overwritten, mut chars, mut formulas, mut locked) = (0, 0, 0, 0, 0);
        for row in found.iter().filter_map(|(id, _)| snapshot.row(*id)) {
            if row.locked {
                locked += 1;
                continue;
            }
            if written.is_some_and(|i| row.maker(i).is_some()) {
                formulas += 1;
                continue;
            }
            let source = source_of(snapshot, row, &parameters.source_columns);
            if source.is_empty() {
                empty += 1;
                continue;
            }
            chars += source.len();
            let before = written.map_or(serde_json::Value::Null, |i| row.cells[i].to_json());
            overwritten += usize::from(!Cell::same(&before, &serde_json::Value::Null));
            rows.push(JobRow {
                seq: rows.len() as i64,
                row_id: row.id,
                label: snapshot.label(row),
                before,
                state: JobRowState::Pending,
                answer: None,
                reason: None,
            });
        }
        if rows.is_empty() {
            return Err(told("no row matches that has something to read in these columns and can be written"));
        }
        let mut warnings = left_out;
        if is_new {
            warnings.push(format!("The column {} will be made.", parameters.target_column));
        }
        if overwritten > 0 {
            warnings.push(format!("{overwritten} of these cells hold something already; it will be replaced."));
        }
        if empty > 0 {
            warnings.push(format!("{empty} matching rows have nothing to read and are left out."));
        }
        if formulas > 0 {
            warnings.push(format!("{formulas} cells are left alone because a formula makes them."));
        }
        if locked > 0 {
            warnings.push(format!("{locked} rows are left alone because they are locked."));
        }
        Ok(Prepared { parameters, rows, filter, warnings, chars })
    }

    /// Prepares a job of this kind, and asks for the results of its first rows.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub async fn propose(
        &self,
        snapshot: &Arc<Snapshot>,
        kind: &'static Kind,
        parameters: Parameters,
        locality: &Locality,
    ) -> Result<Proposed> {
        let Prepared { parameters, mut rows, filter, warnings, chars } = self.prepare(snapshot, kind, parameters, locality).await?;
        let started = Instant::now();
        let (samples, usage) = self.samples(snapshot, kind, &parameters, &mut rows).await?;
        let estimate = self.estimate(rows.len(), chars, usage, started.elapsed());
        let plan = Plan::Job { what: kind.what(&parameters), rows: rows.len(), samples, estimate };
        Ok(Proposed { draft: Draft { plan, filter, warnings }, rows, parameters, kind })
    }

    /// Keeps a job until its proposal is decided.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(&self, proposed: &Proposed, proposal: &Proposal, anchor: &Anchor) -> Result<()> {
        let place = Place {
            session_id: proposal.session_id.clone(),
            thread_key: proposal.thread_key.clone(),
            anchor: anchor.clone(),
            asker: proposal.asker.clone(),
            identity: proposal.identity.clone(),
            sheet: proposal.sheet,
        };
        let parameters = serde_json::to_value(&proposed.parameters)?;
        let job = Job {
            status: JobStatus::Created,
            progress: proposed.rows.iter().filter(|r| r.is_asked()).count() as i64,
            total: proposed.rows.len() as i64,
            ..Job::queued(proposal.id.clone(), proposed.kind.name, parameters, &place, proposal.created_at_ms)
        };
        self.parts.store.add_job(&job, &proposed.rows).await?;
        Ok(())
    }

    /// Asks for the first rows, so that the person sees what they will get.
    async fn samples(
        &self,
        snapshot: &Snapshot,
        kind: &Kind,
        parameters: &Parameters,
        rows: &mut [JobRow],
    ) -> Result<(Vec<Sample>, Usage)> {
        let count = SAMPLES.min(rows.len());
        let first = &mut rows[..count];
        let sources: Vec<String> =
            first.iter().filter_map(|r| snapshot.row(r.row_id)).map(|r| source_of(snapshot, r, &parameters.source_columns)).collect();
        let answers = join_all(sources.iter().map(|source| self.ask(kind, parameters, source, None)));
        let busy = "the model is busy at the moment. Please ask again in a minute.";
        let answers = tokio::time::timeout(PREVIEW, answers).await.map_err(|_| told(busy))?;
        let (mut samples, mut spent) = (Vec::new(), Usage::default());
        for (row, asked) in first.iter_mut().zip(answers) {
            let shown = match asked {
                Asked::Answered { kept, usage } => {
                    spent.prompt_tokens += usage.prompt_tokens;
                    spent.completion_tokens += usage.completion_tokens;
                    let shown = kept.shown();
                    (row.state, row.answer) = (JobRowState::Answered, Some(serde_json::to_value(kept)?));
                    shown
                }
                Asked::Unusable(why) => format!("⚠️ {why}"),
                Asked::Later(error) | Asked::Never(error) => return Err(told(format!("the model does not answer: {error}"))),
            };
            samples.push(Sample { row_id: row.row_id, label: row.label.clone(), shown });
        }
        Ok((samples, spent))
    }

    /// What it may take: calls, tokens, cost, time; measured by the samples.
    fn estimate(&self, rows: usize, chars: usize, spent: Usage, took: Duration) -> String {
        let asked = SAMPLES.min(rows);
        let input =
            if spent.prompt_tokens > 0 { spent.prompt_tokens as usize * rows / asked } else { (chars + rows * 600) / CHARS_PER_TOKEN };
        let output = if spent.completion_tokens > 0 { spent.completion_tokens as usize * rows / asked } else { rows * 60 };
        let rounds = (rows - asked).div_ceil(self.parts.settings.concurrency.min(rows)) as u32;
        let cost = self.parts.model.prices().map(|prices| {
            let all = Usage { prompt_tokens: input as u64, completion_tokens: output as u64, ..Usage::default() };
            format!(" · about {:.2} in model cost", prices.of(&all))
        });
        format!(
            "About {} model calls, {} tokens{} · {}",
            rows - asked,
            input + output,
            cost.unwrap_or_default(),
            chat::text::duration(took * rounds + Duration::from_secs(1))
        )
    }
}
