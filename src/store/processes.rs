//! Which processes are alive: each holds a lock that goes with it, however it dies, so that what a dead
//! one has taken is free at once instead of when its leases run out.
//!
//! Over SQLite the lock is on a file beside the database, over PostgreSQL an advisory lock of a session.
//! A process that is only stopped keeps its lock, and its leases as long as they last.

use super::{Db, HEARTBEAT, LEASE, Store, on_write};
use anyhow::Context;
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection};
use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Names of processes begin like this; leases of others are left to run out.
const PREFIX: &str = "process-";
/// A request that nobody waits for any more may still be under way for this long; before that nobody else writes to its sheet.
pub const UNDER_WAY_MS: i64 = 2_000;
/// How often the dead are looked for by a process that has just come: the server may not have noticed yet that one of them is gone.
const LOOK_AT_FIRST: Duration = Duration::from_millis(250);

/// How others see that this process is alive.
#[derive(Debug)]
enum Alive {
    File { _lock: File, path: PathBuf },
    Session(tokio::sync::Mutex<PgConnection>),
}

/// This process, as the database knows it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub name: Arc<str>,
    alive: Arc<Mutex<Option<Arc<Alive>>>>,
    /// Others that gave no sign of life when they were last looked for.
    silent: Arc<Mutex<HashSet<String>>>,
    /// When it was first looked who is dead.
    since: Arc<OnceLock<Instant>>,
}

impl Process {
    pub fn new() -> Self {
        let name = format!("{PREFIX}{}", uuid::Uuid::new_v4().simple());
        Self { name: name.into(), alive: Arc::default(), silent: Arc::default(), since: Arc::default() }
    }

    fn set(&self, alive: Option<Alive>) -> Option<Arc<Alive>> {
        let mut held = self.alive.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut *held, alive.map(Arc::new))
    }

    /// Who has just come takes up at once what the dead have left.
    fn is_new(&self) -> bool {
        self.since.get_or_init(Instant::now).elapsed() < HEARTBEAT
    }

    fn was_silent(&self, other: &str) -> bool {
        self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).contains(other)
    }

    fn set_silent(&self, others: HashSet<String>) {
        *self.silent.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = others;
    }

    fn held(&self) -> Option<Arc<Alive>> {
        self.alive.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Takes the sign of life back at a polite end.
    pub fn leave(&self) {
        if let Some(Alive::File { path, .. }) = self.set(None).as_deref() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Store {
    /// What this process is called in leases.
    pub fn owner(&self) -> &str {
        &self.process.name
    }

    /// When [`free_dead`](Self::free_dead) is to be called next: often at first, then once a heartbeat.
    pub fn next_look(&self) -> Duration {
        if self.process.is_new() { LOOK_AT_FIRST } else { HEARTBEAT }
    }

    /// Shows that this process is alive (again, where the sign was lost), and frees what dead ones have taken.
    /// Returns how many of those there were.
    ///
    /// # Errors
    /// When the database fails, or the folder of the database cannot be written.
    pub async fn free_dead(&self, now_ms: i64) -> anyhow::Result<usize> {
        let dead = match (&self.writes, &self.lock_file) {
            (Db::Sqlite(_), None) => Vec::new(),
            (Db::Sqlite(_), Some(path)) => {
                if self.process.held().is_none() {
                    self.process.set(Some(lock_file(path, self.owner())?));
                }
                dead_files(path, self.owner())?
            }
            (Db::Pg(pool), _) => {
                let new = self.process.is_new();
                tokio::time::timeout(HEARTBEAT, self.keep_session()).await??;
                let (server_age,): (f64,) =
                    sqlx::query_as("SELECT extract(epoch FROM now() - pg_postmaster_start_time())::float8").fetch_one(pool).await?;
                let mut dead = Vec::new();
                // A server that has just come back has lost the signs of everybody.
                let owners = if server_age < LEASE.as_secs_f64() { Vec::new() } else { self.owners(now_ms).await? };
                let mut silent = HashSet::new();
                for name in owners {
                    let (alive,): (bool,) = sqlx::query_as(
                        "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
                        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                        AND (classid::bigint << 32 | objid::bigint) = $1)",
                    )
                    .bind(key(&name))
                    .fetch_one(pool)
                    .await?;
                    // Who lost its connection comes back within a heartbeat.
                    if !alive && (new || self.process.was_silent(&name)) {
                        dead.push((name, None));
                    } else if !alive {
                        silent.insert(name);
                    }
                }
                self.process.set_silent(silent);
                dead
            }
        };
        for (name, file) in &dead {
            self.free(name, now_ms).await?;
            tracing::info!(process = %name, "a process has died; what it had taken is free");
            if let Some(file) = file {
                let _ = std::fs::remove_file(file);
            }
        }
        Ok(dead.len())
    }

    /// Ends the leases of a process.
    async fn free(&self, name: &str, now_ms: i64) -> Result<(), sqlx::Error> {
        const INBOX: &str = "UPDATE inbox SET lease_until_ms = 0 WHERE state IN ('new', 'taken') AND lease_owner = $1";
        const JOBS: &str = "UPDATE jobs SET lease_until_ms = 0 WHERE status = 'processing' AND lease_owner = $1";
        const HOLDERS: &str = "DELETE FROM holders WHERE owner = $1";
        const SHEETS: &str = "UPDATE sheet_writers SET until_ms = $2 WHERE owner LIKE $1 AND until_ms > $2";
        on_write!(self, pool => {
            sqlx::query(INBOX).bind(name).execute(pool).await?;
            sqlx::query(JOBS).bind(name).execute(pool).await?;
            sqlx::query(HOLDERS).bind(name).execute(pool).await?;
            sqlx::query(SHEETS).bind(format!("{name}/%")).bind(now_ms + UNDER_WAY_MS).execute(pool).await?;
        });
        Ok(())
    }

    /// Other processes that have taken something.
    async fn owners(&self, now_ms: i64) -> Result<Vec<String>, sqlx::Error> {
        const OWNERS: &str =
            "SELECT lease_owner FROM inbox WHERE state IN ('new', 'taken') AND lease_owner IS NOT NULL AND lease_until_ms > $1
            UNION SELECT lease_owner FROM jobs WHERE status = 'processing' AND lease_until_ms > $1
            UNION SELECT owner FROM holders WHERE until_ms > $1
            UNION SELECT split_part(owner, '/', 1) FROM sheet_writers WHERE until_ms > $2";
        let Db::Pg(pool) = &self.reads else { return Ok(Vec::new()) };
        let rows: Vec<(Option<String>,)> = sqlx::query_as(OWNERS).bind(now_ms).bind(now_ms + UNDER_WAY_MS).fetch_all(pool).await?;
        Ok(rows.into_iter().filter_map(|(o,)| o).filter(|o| o.starts_with(PREFIX) && o != self.owner()).collect())
    }

    /// Holds the advisory lock of this process on a connection of its own; on a new one when that is gone.
    async fn keep_session(&self) -> Result<(), sqlx::Error> {
        if let Some(Alive::Session(connection)) = self.process.held().as_deref()
            && connection.lock().await.ping().await.is_ok()
        {
            return Ok(());
        }
        let Db::Pg(pool) = &self.writes else { return Ok(()) };
        let mut connection = pool.connect_options().as_ref().clone().connect().await?;
        sqlx::query("SELECT pg_advisory_lock($1)").bind(key(self.owner())).execute(&mut connection).await?;
        self.process.set(Some(Alive::Session(tokio::sync::Mutex::new(connection))));
        Ok(())
    }
}

/// The advisory lock of a process: the first half of its number.
fn key(name: &str) -> i64 {
    let digits = name.strip_prefix(PREFIX).and_then(|n| n.get(..16)).unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default().cast_signed()
}

/// What the files beside a database begin with.
fn stem(lock_file: &Path) -> Option<String> {
    Some(format!("{}.{PREFIX}", lock_file.file_stem()?.to_str()?))
}

/// Makes the file of this process. It has its name only once it is locked, so that nobody takes it for one of the dead.
fn lock_file(beside: &Path, name: &str) -> anyhow::Result<Alive> {
    let number = name.strip_prefix(PREFIX).unwrap_or(name);
    let stem = stem(beside).context("the database has no file name")?;
    let (path, hidden) = (beside.with_file_name(format!("{stem}{number}")), beside.with_file_name(format!(".{stem}{number}")));
    let lock = File::create(&hidden).with_context(|| format!("cannot create {}", hidden.display()))?;
    lock.lock()?;
    std::fs::rename(&hidden, &path)?;
    Ok(Alive::File { _lock: lock, path })
}

/// How many processes show that they are alive beside this file.
pub(super) fn living(beside: &Path) -> anyhow::Result<usize> {
    Ok(signs(beside)?.iter().filter(|(_, path)| !is_dead(path)).count())
}

/// The files of processes that hold no lock any more, by the names of these.
fn dead_files(beside: &Path, own: &str) -> anyhow::Result<Vec<(String, Option<PathBuf>)>> {
    let others = signs(beside)?.into_iter().filter(|(name, path)| name != own && is_dead(path));
    Ok(others.map(|(name, path)| (name, Some(path))).collect())
}

fn is_dead(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// The processes that have left a sign of life, and where it is.
fn signs(beside: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let stem = stem(beside).context("the database has no file name")?;
    let folder = beside.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut signs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(|n| n.strip_prefix(&stem)) {
            signs.push((format!("{PREFIX}{name}"), entry.path()));
        }
    }
    Ok(signs)
}
