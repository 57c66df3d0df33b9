//! What is remembered: sqlx over SQLite (default) or PostgreSQL, one file per table family.
//!
//! SQL text is shared; `on!` runs one statement on whichever pool is there. The few statements
//! that differ are made by one function each.

mod accepts;
mod access;
mod api_keys;
mod asker;
mod audit;
mod backup;
mod budgets;
mod bus;
mod changes;
mod channel_rules;
mod deployments;
mod forget;
mod grants;
mod holders;
mod idempotency;
mod inbox;
mod installation;
mod job_rows;
mod jobs;
mod links;
mod look;
mod messages;
mod posts;
mod processes;
mod proposals;
mod questions;
mod retention;
mod sealed;
mod sessions;
mod tickets;
mod usage;
mod waiting;
mod web_sessions;
mod webhooks;
mod whispers;
mod writers;

pub use access::Granted;
pub use api_keys::ApiKey;
pub use asker::Asker;
pub use audit::{AuditAction, AuditEvent, AuditRecord, Broken};
pub use backup::{Held, restore};
pub use bus::{Heard, Hearing, LONGEST_WORD};
pub use changes::{Change, ChangeRow, ENTRY_TAKEN_BACK, RowState};
pub use deployments::Deployments;
pub use forget::{Somewhere, Traces, Whose};
pub use idempotency::{KeptAnswer, KnownRequest};
pub use inbox::{Amended, Event, Lane, Take, Waits, asked_again, channel_key, person_key};
pub use job_rows::{JobRow, JobRowState};
pub use jobs::{Job, JobStatus, Place};
pub use look::Look;
pub use messages::{MessageRecord, NewMessage, Role};
pub use posts::Post;
pub use proposals::{Proposal, ProposalState};
pub use sealed::Sealed;
pub use sessions::{Session, Thread};
pub use usage::Used;
pub use waiting::Waiting;
pub use web_sessions::WebSession;
pub use webhooks::{SWITCHED_OFF, WebhookRecord};

use accepts::Accepts;
use anyhow::Context;
use processes::Process;
pub use processes::UNDER_WAY_MS;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long a lease lasts without a sign of life, and how often one is given.
pub const LEASE: Duration = Duration::from_secs(15);
/// See [`LEASE`].
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// Runs an expression that only reads, with `$pool` bound to the pool that is there.
macro_rules! on {
    ($store:expr, $pool:ident => $run:expr) => {
        match &$store.reads {
            $crate::store::Db::Sqlite($pool) => $run,
            $crate::store::Db::Pg($pool) => $run,
        }
    };
}
pub(crate) use on;

/// The same for an expression that writes. A process that dies loses nothing of it; only a power
/// failure may take the last moments.
macro_rules! on_write {
    ($store:expr, $pool:ident => $run:expr) => {
        $crate::store::on_writer!($store, &$store.writes, $pool => $run)
    };
}
pub(crate) use on_write;

/// The same where commits survive a power failure, for what has been acknowledged or approved.
macro_rules! on_durable {
    ($store:expr, $pool:ident => $run:expr) => {
        $crate::store::on_writer!($store, &$store.durable, $pool => $run)
    };
}
pub(crate) use on_durable;

/// SQLite has one writer at a time; who waits here is woken at once, who waits there sleeps and looks again.
macro_rules! on_writer {
    ($store:expr, $db:expr, $pool:ident => $run:expr) => {
        match $db {
            $crate::store::Db::Sqlite($pool) => {
                let _turn = $store.turn.lock().await;
                $run
            }
            $crate::store::Db::Pg($pool) => $run,
        }
    };
}
pub(crate) use on_writer;

/// The pool behind the store.
#[derive(Clone, Debug)]
pub(crate) enum Db {
    Sqlite(SqlitePool),
    Pg(PgPool),
}

/// Makes the file of a database if there is none, and lets nobody else read it: what people say and what stands in sheets is in it. SQLite
/// gives its companions the same rights.
fn keep_to_ourselves(path: &Path) -> anyhow::Result<()> {
    let file = File::options().append(true).create(true).mode(0o600).open(path);
    let file = file.with_context(|| format!("the database {} cannot be opened", path.display()))?;
    for path in [path.to_owned(), companion(path, "-wal"), companion(path, "-shm")] {
        if path.exists() {
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))
                .with_context(|| format!("others can read {}", path.display()))?;
        }
    }
    drop(file);
    Ok(())
}

/// A file that SQLite keeps beside a database.
pub(crate) fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Everything that outlives the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) reads: Db,
    pub(crate) writes: Db,
    pub(crate) durable: Db,
    pub(crate) turn: Arc<Mutex<()>>,
    accepts: Accepts,
    process: Process,
    lock_file: Option<PathBuf>,
}

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

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
        let open = async |connections, options: SqliteConnectOptions| {
            let pool = SqlitePoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None);
            pool.connect_with(options).await.context("the SQLite database cannot be opened").map(Db::Sqlite)
        };
        if !memory {
            keep_to_ourselves(options.get_filename())?;
        }
        let durable = open(1, options.clone().synchronous(SqliteSynchronous::Full)).await?;
        if memory {
            return Ok(Self::over(durable.clone(), durable.clone(), durable, lock_file));
        }
        let options = options.synchronous(SqliteSynchronous::Normal);
        let writes = open(1, options.clone()).await?;
        let reads = open(4, options.pragma("query_only", "ON")).await?;
        Ok(Self::over(reads, writes, durable, lock_file))
    }

    /// Opens a PostgreSQL database with these options.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn connect_pg(options: PgConnectOptions) -> anyhow::Result<Self> {
        // One of them hears what other processes tell.
        let pool = PgPoolOptions::new().max_connections(11).acquire_timeout(Duration::from_secs(5));
        let pool = Db::Pg(pool.connect_with(options).await.context("the PostgreSQL database cannot be reached")?);
        Ok(Self::over(pool.clone(), pool.clone(), pool, None))
    }

    fn over(reads: Db, writes: Db, durable: Db, lock_file: Option<PathBuf>) -> Self {
        let (turn, process) = (Arc::default(), Process::new());
        Self {
            accepts: Accepts::start(durable.clone(), Arc::clone(&turn), process.name.clone()),
            process,
            reads,
            writes,
            durable,
            turn,
            lock_file,
        }
    }

    /// Brings the schema up to date; processes that start at the same time wait for each other.
    ///
    /// # Errors
    /// When a migration fails, or the database was made by a newer version.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let _lock = match &self.lock_file {
            Some(path) => {
                let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
                Some(tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await??)
            }
            None => None,
        };
        let done = match &self.writes {
            Db::Sqlite(pool) => SQLITE.run(pool).await,
            Db::Pg(pool) => POSTGRES.run(pool).await,
        };
        match done {
            Err(MigrateError::VersionMissing(step)) => anyhow::bail!(
                "a newer version of chatsheet has brought this database to step {step}, which this one does not know; nothing was changed. \
                 Run that version, or restore a backup from before"
            ),
            done => Ok(done?),
        }
    }

    /// Whether other processes may live over the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.reads, Db::Pg(_))
    }

    /// Which engine it is.
    pub fn engine(&self) -> &'static str {
        match self.reads {
            Db::Sqlite(_) => "SQLite",
            Db::Pg(_) => "PostgreSQL",
        }
    }

    /// Asks the database for a sign of life and for its schema.
    ///
    /// # Errors
    /// When it does not answer, or is not migrated.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        let known = match &self.reads {
            Db::Sqlite(_) => SQLITE.iter().count(),
            Db::Pg(_) => POSTGRES.iter().count(),
        };
        const DONE: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";
        let (done,): (i64,) = on!(self, pool => sqlx::query_as(DONE).fetch_one(pool).await?);
        if (done as usize) < known {
            return Err(sqlx::Error::Configuration(format!("{done} of {known} migrations are done").into()));
        }
        Ok(())
    }

    /// The statement that takes the next thing from a queue: where several processes can write at the
    /// same time, they pass by what another one is just taking.
    fn take_sql(&self, take: &str, next: &str, alias: &str, columns: &str) -> String {
        let skip = match self.writes {
            Db::Sqlite(_) => String::new(),
            Db::Pg(_) => format!(" FOR UPDATE OF {alias} SKIP LOCKED"),
        };
        format!("{take} WHERE id = ({next}{skip}) RETURNING {columns}")
    }

    /// Begins a transaction, and holds a change in it until the commit if it is still ours. The plan of a change may be
    /// large, so its row is neither written nor read for this.
    fn hold_change(&self) -> (&'static str, &'static str) {
        match self.writes {
            Db::Sqlite(_) => ("BEGIN IMMEDIATE", "SELECT 1 FROM changes INDEXED BY changes_fence WHERE id = $1 AND fence = $2"),
            Db::Pg(_) => ("BEGIN", "SELECT 1 FROM changes WHERE id = $1 AND fence = $2 FOR UPDATE"),
        }
    }

    /// Closes all connections; from here on this process counts as gone.
    pub async fn close(&self) {
        self.process.leave();
        on_durable!(self, pool => pool.close().await);
        on_write!(self, pool => pool.close().await);
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
