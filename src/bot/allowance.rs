//! What people may use of the model in a day.

use super::{Bot, words};
use crate::access::Allowance;
use crate::error::{Result, told};
use crate::llm::Usage;
use crate::store::{Event, Used, person_key};
use std::sync::{Arc, Mutex, PoisonError};

/// What one turn takes.
#[derive(Clone, Default)]
pub(super) struct Spent(Arc<Mutex<Used>>);

impl Spent {
    /// Adds an answer of the model, at this price.
    pub fn add(&self, usage: &Usage, cost: Option<f64>) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.tokens += i64::try_from(usage.prompt_tokens + usage.completion_tokens).unwrap_or(i64::MAX);
        used.cost_micros += (cost.unwrap_or_default() * 1e6).round() as i64;
    }
}

tokio::task_local! {
    /// What the turn that this task serves takes.
    pub(super) static SPENT: Spent;
}

impl Bot {
    /// Counts a question of somebody.
    ///
    /// # Errors
    /// When they have used up what they may use in a day: what to say.
    pub(super) async fn take_turn(&self, event: &Event) -> Result<()> {
        let allowance = self.parts.allowance;
        // Served again after a crash, it is the same question.
        if allowance == Allowance::default() || event.fence > 1 {
            return Ok(());
        }
        let used = self.add_usage(event, Used { turns: 1, ..Used::default() }).await?;
        let over = |used: i64, most: Option<i64>| most.is_some_and(|most| used > most);
        let reached = |used: i64, most: Option<i64>| most.is_some_and(|most| used >= most);
        let (limit, what) = if over(used.turns, allowance.turns) {
            ("turns", format!("{} questions", allowance.turns.unwrap_or_default()))
        } else if reached(used.tokens, allowance.tokens) {
            ("tokens", format!("{} tokens", allowance.tokens.unwrap_or_default()))
        } else if reached(used.cost_micros, allowance.cost.map(|cost| (cost * 1e6) as i64)) {
            ("cost", "money that is set for you".to_owned())
        } else {
            return Ok(());
        };
        metrics::counter!("chatsheet_limits_reached_total", "limit" => limit).increment(1);
        Err(told(words::used_up(&what)))
    }

    /// Keeps what a turn has taken.
    pub(super) async fn note_spent(&self, event: &Event, spent: &Spent) {
        let used = std::mem::take(&mut *spent.0.lock().unwrap_or_else(PoisonError::into_inner));
        if (self.parts.allowance.tokens.is_none() && self.parts.allowance.cost.is_none()) || used == Used::default() {
            return;
        }
        if let Err(error) = self.add_usage(event, used).await {
            tracing::warn!(%error, event = event.id, "what a turn has taken could not be noted");
        }
    }

    async fn add_usage(&self, event: &Event, more: Used) -> Result<Used> {
        let day = self.parts.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        Ok(self.parts.store.add_usage(&person_key(&event.incoming), &day, more).await?)
    }
}
