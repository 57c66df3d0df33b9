//! A database that is looked at without changing anything.

use super::{Db, POSTGRES, SQLITE, Store};
use anyhow::Context;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// What stands behind the URL of a database.
pub enum Look {
    /// A file that is not there yet, in a folder that can be written.
    NotYet(PathBuf),
    /// A database of this version, for reading.
    Ready(Store),
    /// A database that [`Store::migrate`] brings up to date.
    Older {
        /// Steps that are still to be done.
        steps: usize,
    },
    /// A database of a newer version.
    Newer,
}

impl Store {
    /// Looks at the database behind a URL, and changes nothing.
    ///
    /// # Errors
    /// When it cannot be reached or read, or made where it is to be.
    pub async fn look(url: &str) -> anyhow::Result<Look> {
        let (pool, known) = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).context("DATABASE_URL is not a SQLite URL")?;
            let path = options.get_filename();
            if url.contains(":memory:") || !path.exists() {
                can_be_made(path)?;
                return Ok(Look::NotYet(path.to_owned()));
            }
            let options = options.create_if_missing(false).busy_timeout(Duration::from_secs(5)).pragma("query_only", "ON");
            let pool = SqlitePoolOptions::new().max_connections(2).connect_with(options).await;
            (Db::Sqlite(pool.context("the SQLite database cannot be opened")?), SQLITE.iter().count())
        } else {
            let options = PgConnectOptions::from_str(url).context("DATABASE_URL is not a PostgreSQL URL")?;
            let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5)).connect_with(options).await;
            (Db::Pg(pool.context("the PostgreSQL database cannot be reached")?), POSTGRES.iter().count())
        };
        let store = Self::over(pool.clone(), pool.clone(), pool, None);
        let done = store.steps_done().await?;
        Ok(match done.cmp(&known) {
            std::cmp::Ordering::Equal => Look::Ready(store),
            std::cmp::Ordering::Less => Look::Older { steps: known - done },
            std::cmp::Ordering::Greater => Look::Newer,
        })
    }

    /// How many migrations were done; none where there is no table of them.
    async fn steps_done(&self) -> anyhow::Result<usize> {
        const DONE: &str = "SELECT count(*) FROM _sqlx_migrations WHERE success";
        let there: i64 = match &self.reads {
            Db::Sqlite(pool) => {
                sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'").fetch_one(pool).await?
            }
            Db::Pg(pool) => {
                sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()")
                    .fetch_one(pool)
                    .await?
            }
        };
        if there == 0 {
            return Ok(0);
        }
        let done: i64 = super::on!(self, pool => sqlx::query_scalar(DONE).fetch_one(pool).await?);
        Ok(usize::try_from(done)?)
    }
}

/// Tries to make a file where the database will be.
fn can_be_made(path: &Path) -> anyhow::Result<()> {
    let tried = super::companion(path, &format!(".{}", uuid::Uuid::now_v7().simple()));
    std::fs::File::create_new(&tried).with_context(|| format!("{} cannot be made", path.display()))?;
    std::fs::remove_file(&tried).with_context(|| format!("{} cannot be removed", tried.display()))
}
