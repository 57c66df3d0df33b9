//! What processes over one PostgreSQL tell each other at once (`NOTIFY`). Over SQLite there is one process, and nobody to tell.
//!
//! Nothing is kept: who was cut off asks the store how things stand.

use super::{Db, Store};
use sqlx::postgres::PgListener;

/// The longest word in bytes; PostgreSQL takes less than 8,000 (<https://www.postgresql.org/docs/17/sql-notify.html>).
pub const LONGEST_WORD: usize = 7_900;

/// Hears what other processes tell.
pub struct Hearing {
    listener: PgListener,
    own: String,
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A word of another process.
    Word(String),
    /// A word of this one.
    Own,
    /// The connection was lost, and words with it.
    Nothing,
}

impl Hearing {
    /// What is heard next.
    ///
    /// # Errors
    /// When the database cannot be reached. It may be tried again.
    pub async fn next(&mut self) -> Result<Heard, sqlx::Error> {
        let Some(heard) = self.listener.try_recv().await? else { return Ok(Heard::Nothing) };
        Ok(match heard.payload().split_once(' ') {
            Some((from, word)) if from != self.own => Heard::Word(word.to_owned()),
            _ => Heard::Own,
        })
    }
}

impl Store {
    /// Hears what other processes tell from now on; `None` where there can be no others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hear(&self, channel: &str) -> Result<Option<Hearing>, sqlx::Error> {
        let Db::Pg(pool) = &self.reads else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(channel).await?;
        Ok(Some(Hearing { listener, own: self.owner().to_owned() }))
    }

    /// Tells every other process a word of at most [`LONGEST_WORD`] bytes less the name of this one.
    ///
    /// # Errors
    /// When the database fails, or the word is too long.
    pub async fn tell_others(&self, channel: &str, word: &str) -> Result<(), sqlx::Error> {
        let Db::Pg(pool) = &self.writes else { return Ok(()) };
        sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(format!("{} {word}", self.owner())).execute(pool).await.map(drop)
    }
}
