//! Safe writing: a proposal shows what would be done, a person approves, the journal is written,
//! Smartsheet is asked, and all of it can be taken back.

mod apply;
mod apply_added;
mod apply_columns;
mod apply_rows;
mod approval;
mod matching;
mod people;
mod plan;
pub mod propose;
mod propose_columns;
mod schedule;
mod turn;
mod undo;

pub use apply::{CANCELLED, Outcome, OutcomeRow, Progress, SAME_VALUE, Stop};
pub use apply_rows::{COLUMN_GONE, LastWrites, Seen};
pub use approval::APPROVED_WITHIN;
pub(crate) use matching::{Matching, matching};
pub use people::People;
pub use plan::{Beside, CellEdit, DeletedRow, Location, NewRowPlan, Plan, RowEdit, Sample};
pub use propose::{Draft, NewRowRequest, SetRequest};
pub(crate) use propose_columns::new_column;
pub use propose_columns::{ColumnAction, ColumnRequest, column};
pub use undo::UndoRefused;

use crate::clock::Clock;
use crate::config::Writes;
use crate::sheet::Sheets;
use crate::store::Store;

/// What this room needs.
#[derive(Clone)]
pub struct Changes {
    /// The journal.
    pub store: Store,
    /// Sheets, and through them Smartsheet.
    pub sheets: Sheets,
    /// The time.
    pub clock: Clock,
    /// The rules.
    pub rules: Writes,
    /// How sheets stood after our last writes, for changes that are carried out beside each other.
    pub last_writes: LastWrites,
}
