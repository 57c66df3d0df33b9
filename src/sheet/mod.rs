//! Sheets as the bot works with them: snapshots in memory, typed, queryable by read-only SQL.

mod build;
mod cache;
mod cell;
mod duration;
mod groups;
mod names;
mod query;
mod snapshot;
mod sql;
mod table;
mod trouble;
mod typed;
mod value;
mod work_days;

pub use cache::Sheets;
pub use cell::{Cell, Style};
pub use duration::days as days_of_duration;
pub use query::{Met, QueryResult, ResultColumn, query, rows_met};
pub use snapshot::{Maker, Snapshot, SnapshotColumn, SnapshotRow};
pub use sql::{Checked, SqlError, Table, check, nearest};
pub use trouble::smartsheet_trouble;
pub use typed::{Typed, Values};
pub use value::{Author, Coerced, Unfit, ValueReader, coerce_display, day_shift, predecessors_in_words, read_day};
pub use work_days::WorkDays;

use serde::{Deserialize, Serialize};
use std::fmt;

/// The id of a sheet. Up to 2^53, so it travels as text wherever JSON numbers might be rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SheetId(pub i64);

impl fmt::Display for SheetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for SheetId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("'{text}' is not a sheet id"))
    }
}

impl From<SheetId> for String {
    fn from(id: SheetId) -> Self {
        id.to_string()
    }
}
