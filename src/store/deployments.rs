//! What was learned of the deployments of models, for all processes and their successors.

use super::{Store, on_write};
use crate::clock::Clock;
use crate::llm::Memory;
use async_trait::async_trait;
use serde_json::Value;

/// What was learned is forgotten after this: another model may stand behind the same name.
const KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// The memory of deployments in the database.
pub struct Deployments {
    /// Where it is kept.
    pub store: Store,
    /// Tells how old it is.
    pub clock: Clock,
}

#[async_trait]
impl Memory for Deployments {
    async fn recall(&self, deployment: &str) -> Option<Value> {
        const READ: &str = "SELECT habits FROM deployments WHERE deployment = $1 AND learned_at > $2";
        let since = self.clock.now_ms() - KEPT_MS;
        let read: Result<Option<String>, sqlx::Error> =
            on_write!(self.store, pool => sqlx::query_scalar(READ).bind(deployment).bind(since).fetch_optional(pool).await);
        match read {
            Ok(habits) => serde_json::from_str(&habits?).ok(),
            Err(error) => {
                tracing::warn!(%error, "what was learned of the model is not known; it is learned anew");
                None
            }
        }
    }

    async fn keep(&self, deployment: &str, habits: Value) {
        const KEEP: &str = "INSERT INTO deployments (deployment, habits, learned_at) VALUES ($1, $2, $3)
            ON CONFLICT (deployment) DO UPDATE SET habits = excluded.habits, learned_at = excluded.learned_at";
        let (habits, now) = (habits.to_string(), self.clock.now_ms());
        let kept: Result<_, sqlx::Error> =
            on_write!(self.store, pool => sqlx::query(KEEP).bind(deployment).bind(&habits).bind(now).execute(pool).await.map(drop));
        if let Err(error) = kept {
            tracing::warn!(%error, "what was learned of the model is not kept; it is learned anew after the next start");
        }
    }
}
