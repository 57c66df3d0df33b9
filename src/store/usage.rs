//! What people have used of the model on a day.

use super::{Store, on_write};

/// What somebody has used on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Questions to the model.
    pub turns: i64,
    /// Tokens that were read and written for them.
    pub tokens: i64,
    /// What they cost, in millionths of the unit of the prices.
    pub cost_micros: i64,
}

impl Store {
    /// Adds to what a person (see [`super::person_key`]) has used on a day (`2026-11-30`), and returns all of it.
    ///
    /// # Errors
    /// When the database fails; nothing was added.
    pub async fn add_usage(&self, person: &str, day: &str, more: Used) -> Result<Used, sqlx::Error> {
        const ADD: &str = "INSERT INTO usage (person, day, turns, tokens, cost_micros) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (person, day) DO UPDATE SET turns = usage.turns + $3, tokens = usage.tokens + $4, cost_micros = usage.cost_micros + $5
            RETURNING turns, tokens, cost_micros";
        let Used { turns, tokens, cost_micros } = more;
        let (turns, tokens, cost_micros): (i64, i64, i64) = on_write!(self, pool => {
            sqlx::query_as(ADD).bind(person).bind(day).bind(turns).bind(tokens).bind(cost_micros).fetch_one(pool).await?
        });
        Ok(Used { turns, tokens, cost_micros })
    }

    /// Forgets what was used before a day.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_usage(&self, before_day: &str) -> Result<u64, sqlx::Error> {
        const DELETE: &str = "DELETE FROM usage WHERE day < $1";
        on_write!(self, pool => sqlx::query(DELETE).bind(before_day).execute(pool).await.map(|r| r.rows_affected()))
    }
}
