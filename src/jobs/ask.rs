//! Asks the model for one row: its text alone, in a data block; what comes back is checked before it is used.

use super::{Jobs, Kind, Parameters};
use crate::llm::{Error as ModelError, Usage};
use crate::sheet::{Cell, Snapshot, SnapshotRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;

/// Characters of a row that the model reads.
const SOURCE_CHARS: usize = 12_000;
/// How often a row is asked for that gets no usable answer.
const TRIES: u32 = 2;

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
    /// Asks for one row, when one of the calls that may run at the same time is free (`slots`); at once for a person who waits.
    pub(super) async fn ask(&self, kind: &Kind, parameters: &Parameters, source: &str, slots: Option<&Semaphore>) -> Asked {
        if source.is_empty() {
            return Asked::Unusable("there is nothing to read".into());
        }
        let (messages, schema, name) = (kind.messages(parameters, source), (kind.schema)(), kind.name.to_lowercase());
        let tokens = (kind.tokens)(parameters);
        let mut why = String::new();
        for _ in 0..TRIES {
            let answer = {
                let _slot = match slots {
                    Some(slots) => match slots.acquire().await {
                        Ok(slot) => Some(slot),
                        Err(_) => return Asked::Later(ModelError::Unavailable("this process stops".into())),
                    },
                    None => None,
                };
                self.parts.model.ask_json(&messages, &name, &schema, tokens).await
            };
            why = match answer {
                Ok((answer, usage)) => match (kind.check)(parameters, source, &answer) {
                    Ok(value) => return Asked::Answered { kept: Kept { value, answer }, usage },
                    Err(why) => why,
                },
                Err(ModelError::Filtered(_)) => return Asked::Unusable("the content filter of the model refused this row".into()),
                Err(ModelError::TooLong) => return Asked::Unusable("the row is longer than the model takes".into()),
                Err(error @ (ModelError::Unauthorized(_) | ModelError::NotFound(_) | ModelError::QuotaSpent(_))) => {
                    return Asked::Never(error);
                }
                Err(error @ (ModelError::RateLimited(_) | ModelError::Unavailable(_))) => return Asked::Later(error),
                Err(error) => error.to_string(),
            };
        }
        Asked::Unusable(why)
    }
}
