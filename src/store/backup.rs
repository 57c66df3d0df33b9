//! Copies of a SQLite database: made while it is in use, and put back.

use super::{Db, SQLITE, Store, companion};
use anyhow::{Context, bail, ensure};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a copy holds that must not be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Conversations.
    pub sessions: i64,
    /// Proposals that wait for somebody.
    pub proposals: i64,
    /// Jobs that are not finished.
    pub jobs: i64,
    /// Events that are not served.
    pub events: i64,
}

const NOT_SQLITE: &str = "backup and restore are for SQLite; PostgreSQL has pg_dump and pg_restore (docs/operations.md)";

impl Store {
    /// Copies the database to a file that nobody else can read, as it is at one moment, while others go on using it.
    ///
    /// # Errors
    /// When it is not SQLite, the file is there already, or the copy cannot be written or is not whole.
    pub async fn back_up(&self, to: &Path) -> anyhow::Result<Held> {
        let Db::Sqlite(pool) = &self.writes else { bail!(NOT_SQLITE) };
        ensure!(!to.exists(), "{} is there already", to.display());
        let part = companion(to, ".part");
        if part.exists() {
            std::fs::remove_file(&part).with_context(|| format!("{} is in the way", part.display()))?;
        }
        let name = part.to_str().context("the name of the copy is not Unicode")?;
        sqlx::query("VACUUM INTO $1").bind(name).execute(pool).await.context("the database could not be copied")?;
        std::fs::set_permissions(&part, Permissions::from_mode(0o600))?;
        let held = held(&part).await.context("the copy is not whole")?;
        File::open(&part)?.sync_all()?;
        std::fs::rename(&part, to)?;
        Ok(held)
    }
}

/// Puts a copy in the place of the database behind a URL; what was there is kept beside it, under the name that is returned.
///
/// # Errors
/// When it is not SQLite, a process uses the database, or the copy is none of ours or not whole; nothing was changed.
pub async fn restore(url: &str, from: &Path) -> anyhow::Result<(Held, Option<PathBuf>)> {
    ensure!(url.starts_with("sqlite:") && !url.contains(":memory:"), NOT_SQLITE);
    let path = SqliteConnectOptions::from_str(url).context("DATABASE_URL is not a SQLite URL")?.get_filename().to_owned();
    ensure!(from.exists(), "there is no {}", from.display());
    let held = held(from).await.with_context(|| format!("{} is no whole copy of a database of this program", from.display()))?;
    let mut kept = None;
    if path.exists() {
        let users = super::processes::living(&path.with_extension("lock"))?;
        ensure!(users == 0, "{users} processes use {}: stop them first", path.display());
        let aside = companion(&path, ".before-restore");
        ensure!(!aside.exists(), "{} is there from an earlier time: move it away first", aside.display());
        for ending in ["", "-wal", "-shm"] {
            let (file, aside) = (companion(&path, ending), companion(&aside, ending));
            if file.exists() {
                std::fs::rename(&file, &aside).with_context(|| format!("{} could not be moved aside", file.display()))?;
            }
        }
        kept = Some(aside);
    }
    let part = companion(&path, ".part");
    std::fs::copy(from, &part).with_context(|| format!("{} could not be copied", from.display()))?;
    std::fs::set_permissions(&part, Permissions::from_mode(0o600))?;
    File::open(&part)?.sync_all()?;
    std::fs::rename(&part, &path)?;
    Ok((held, kept))
}

/// Looks whether a file is a whole database of ours, and what is in it.
async fn held(path: &Path) -> anyhow::Result<Held> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let pool = SqlitePool::connect_with(options).await?;
    let (whole,): (String,) = sqlx::query_as("PRAGMA integrity_check(1)").fetch_one(&pool).await?;
    ensure!(whole == "ok", "{whole}");
    let (newest,): (i64,) = sqlx::query_as("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(&pool).await?;
    ensure!(SQLITE.iter().any(|m| m.version == newest), "it was made by a newer version");
    let count = async |sql: &'static str| -> Result<i64, sqlx::Error> { sqlx::query_scalar(sql).fetch_one(&pool).await };
    let held = Held {
        sessions: count("SELECT count(*) FROM chat_sessions").await?,
        proposals: count("SELECT count(*) FROM proposals WHERE state IN ('open', 'counting')").await?,
        jobs: count("SELECT count(*) FROM jobs WHERE status IN ('queued', 'processing')").await?,
        events: count("SELECT count(*) FROM inbox WHERE state IN ('new', 'taken')").await?,
    };
    pool.close().await;
    Ok(held)
}
