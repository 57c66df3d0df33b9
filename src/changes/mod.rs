//! Safe writing: a proposal shows what would be done, a person approves, the journal is written,
//! Smartsheet is asked, and all of it can be taken back.

mod apply;
mod apply_added;
mod apply_columns;
mod apply_rows;
mod plan;
pub mod propose;
mod turn;
mod undo;

pub use apply::{CANCELLED, Outcome, OutcomeRow, Progress, SAME_VALUE, Stop};
pub use apply_rows::{COLUMN_GONE, Seen};
pub use plan::{CellEdit, DeletedRow, Location, NewRowPlan, Plan, RowEdit, Sample};
pub use propose::{ColumnAction, ColumnRequest, Draft, NewRowRequest, SetRequest};
pub use undo::{NOTHING_WRITTEN, TAKEN_BACK};

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
}
