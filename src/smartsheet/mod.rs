//! The Smartsheet REST API 2.0: typed calls on behalf of an identity, paced, retried where that is
//! safe, with errors named after what the caller does next. Knows nothing of the rest of the crate.

mod breaker;
mod client;
mod error;
mod listing;
mod model;
mod pace;
mod reader;
mod request;
mod webhooks;
mod writes;

pub use client::{Client, Settings};
pub use error::Error;
pub use listing::{Hit, SheetEntry, User, Workspace};
pub use model::{Cell, Column, ColumnSpec, Comment, Contact, Discussion, NewCell, NewRow, Row, RowChange, Scalar, SheetHeader};
pub use pace::{Hold, SheetWriter};
pub use reader::{Read, read_sheet};
pub(crate) use request::{CHANGE_AGENT, LONGEST_WAIT};
pub use webhooks::Webhook;
pub use writes::{Bulk, FailedItem, IDS_PER_URL};

/// On whose behalf Smartsheet is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The shared token of the installation.
    Service,
}

impl Identity {
    /// The word it is stored under.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Service => "service",
        }
    }
}
