//! The Smartsheet REST API 2.0: typed calls on behalf of an identity, paced, retried where that is
//! safe, with errors named after what the caller does next. Knows nothing of the rest of the crate.

mod bounded;
mod breaker;
mod client;
mod error;
mod held;
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
pub use model::{
    Cell, Column, ColumnSpec, Comment, Contact, Discussion, Hyperlink, NewCell, NewRow, ProjectSettings, Row, RowChange, Scalar,
    SheetHeader,
};
pub use pace::{Hold, SheetWriter};
pub use reader::{Read, read_sheet};
pub(crate) use request::LONGEST_WAIT;
pub use webhooks::Webhook;
pub use writes::{AddedColumn, Bulk, FailedItem, IDS_PER_URL, ROWS_PER_CALL};

use async_trait::async_trait;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// On whose behalf Smartsheet is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The shared token of the installation.
    Service,
    /// A person with an account of their own, by their key.
    Person(Arc<str>),
}

const SERVICE: &str = "service";
const PERSON: &str = "person:";

impl Identity {
    /// What it is stored as.
    pub fn stored(&self) -> String {
        match self {
            Self::Service => SERVICE.to_owned(),
            Self::Person(key) => format!("{PERSON}{key}"),
        }
    }

    /// The identity that was stored.
    pub fn read(stored: &str) -> Self {
        stored.strip_prefix(PERSON).map_or(Self::Service, |key| Self::Person(key.into()))
    }
}

/// Rate budgets that several processes draw from.
#[async_trait]
pub trait SharedBudget: Send + Sync {
    /// Takes `cost` from a budget that gives back one every `refill` and holds `burst`; tells how long to wait before it is used.
    ///
    /// # Errors
    /// Why it cannot be told now; nothing was taken.
    async fn take(&self, name: &str, cost: u32, refill: Duration, burst: u32) -> Result<Duration, String>;
}

/// Knows the access tokens of people.
#[async_trait]
pub trait PeoplesTokens: Send + Sync {
    /// The token of a person; another one when Smartsheet has refused this one.
    ///
    /// # Errors
    /// [`Error::NotConnected`], or why it cannot be told now.
    async fn token(&self, person: &str, refused: Option<&SecretString>) -> Result<SecretString, Error>;
}
