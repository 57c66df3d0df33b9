//! What is remembered: sqlx over SQLite (default) or PostgreSQL, one file per table family.
//!
//! SQL text is shared; `on!` runs one statement on whichever pool is there. The few statements
//! that differ (claiming an event) stand twice.

mod accepts;
mod changes;
mod inbox;
mod messages;
mod proposals;
mod sessions;

pub use changes::{Change, ChangeRow, RowState};
pub use inbox::{Event, Lane};
pub use messages::{MessageRecord, Role};
pub use proposals::{Proposal, ProposalState};
pub use sessions::{Session, Thread};

use accepts::Accepts;
use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Runs an expression with `$pool` bound to the pool that is there.
macro_rules! on {
    ($store:expr, $pool:ident => $run:expr) => {
        match &$store.db {
            $crate::store::Db::Sqlite($pool) => $run,
            $crate::store::Db::Pg($pool) => $run,
        }
    };
}
pub(crate) use on;

/// The same on the connection whose commits survive a power failure, for what has been acknowledged or approved.
macro_rules! on_durable {
    ($store:expr, $pool:ident => $run:expr) => {
        match &$store.durable {
            $crate::store::Db::Sqlite($pool) => $run,
            $crate::store::Db::Pg($pool) => $run,
        }
    };
}
pub(crate) use on_durable;

/// The pool behind the store.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Sqlite(SqlitePool),
    Pg(PgPool),
}

/// Everything that outlives the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) db: Db,
    pub(crate) durable: Db,
    accepts: Accepts,
    lock_file: Option<PathBuf>,
}

impl Store {
    /// Opens the database behind a URL: `sqlite://path`, `sqlite::memory:` or `postgres://…`.
    /// Does not migrate.
    ///
    /// # Errors
    /// When the database cannot be reached or opened.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(url).context("DATABASE_URL is not a PostgreSQL URL")?;
            return Self::connect_pg(options).await;
        }
        let memory = url.contains(":memory:");
        let options = SqliteConnectOptions::from_str(url)
            .context("DATABASE_URL is not a SQLite URL")?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .optimize_on_close(false, None);
        let lock_file = (!memory).then(|| options.get_filename().with_extension("lock"));
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None);
        let open = async |connections, synchronous| {
            let opened = pool(connections).connect_with(options.clone().synchronous(synchronous)).await;
            opened.context("the SQLite database cannot be opened").map(Db::Sqlite)
        };
        if memory {
            let db = open(1, SqliteSynchronous::Full).await?;
            return Ok(Self::over(db.clone(), db, lock_file));
        }
        let durable = open(1, SqliteSynchronous::Full).await?;
        // A process that dies loses nothing here either; only a power failure may take the last moments.
        let db = open(4, SqliteSynchronous::Normal).await?;
        Ok(Self::over(db, durable, lock_file))
    }

    /// Opens a PostgreSQL database with these options.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect_pg(options: PgConnectOptions) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(Duration::from_secs(5));
        let pool = pool.connect_with(options).await.context("the PostgreSQL database cannot be reached")?;
        Ok(Self::over(Db::Pg(pool.clone()), Db::Pg(pool), None))
    }

    fn over(db: Db, durable: Db, lock_file: Option<PathBuf>) -> Self {
        Self { accepts: Accepts::start(durable.clone()), db, durable, lock_file }
    }

    /// Brings the schema up to date; processes that start at the same time wait for each other.
    ///
    /// # Errors
    /// When a migration fails, or the database was made by a newer version.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let _lock = match &self.lock_file {
            Some(path) => {
                let file = std::fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
                Some(tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await??)
            }
            None => None,
        };
        match &self.db {
            Db::Sqlite(pool) => sqlx::migrate!("migrations/sqlite").run(pool).await?,
            Db::Pg(pool) => sqlx::migrate!("migrations/postgres").run(pool).await?,
        }
        Ok(())
    }

    /// Which engine it is.
    pub fn engine(&self) -> &'static str {
        match self.db {
            Db::Sqlite(_) => "SQLite",
            Db::Pg(_) => "PostgreSQL",
        }
    }

    /// Asks the database for a sign of life and for its schema.
    ///
    /// # Errors
    /// When it does not answer, or is not migrated.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        on!(self, pool => sqlx::query("SELECT 1 FROM inbox LIMIT 1").fetch_optional(pool).await.map(|_| ()))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        on_durable!(self, pool => pool.close().await);
        on!(self, pool => pool.close().await);
    }
}

/// A moment in the type that both databases store as a time.
pub(crate) fn database_time(at: jiff::Timestamp) -> sqlx::types::chrono::DateTime<sqlx::types::chrono::Utc> {
    sqlx::types::chrono::DateTime::from_timestamp_millis(at.as_millisecond()).unwrap_or_default()
}

/// The LIKE pattern (escaped by `!`) of all threads inside a conversation.
pub(crate) fn inside(conversation: &str) -> String {
    format!("{}|%", conversation.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}
