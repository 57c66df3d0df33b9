//! Keeps to a platform's rates before it has to refuse something: what must be seen waits for its turn, what only
//! shows growing words is left out.

use crate::ChatError;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Turns after which conversations that have been silent are forgotten.
const FORGET_EVERY: usize = 10_000;

/// How much may be sent: one every so often, and a few at once after a silence.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Time from one to the next.
    pub every: Duration,
    /// At once after a silence.
    pub burst: u32,
}

/// What all conversations together may send.
pub type Overall = DefaultDirectRateLimiter;

impl Rate {
    /// A rate; milliseconds.
    pub const fn new(every_ms: u64, burst: u32) -> Self {
        Self { every: Duration::from_millis(every_ms), burst }
    }

    fn quota(self) -> Quota {
        let every = Quota::with_period(self.every).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        every.allow_burst(NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN))
    }

    /// This rate for all conversations together.
    pub fn overall(self) -> Overall {
        RateLimiter::direct(self.quota())
    }
}

/// The rates of one kind of conversation.
pub struct Pace {
    rules: Vec<DefaultKeyedRateLimiter<String>>,
    growing: DefaultKeyedRateLimiter<String>,
    turns: AtomicUsize,
}

impl Pace {
    /// Each conversation keeps to all `rules`; messages that still grow take no more than `growing` of them.
    pub fn new(rules: &[Rate], growing: Rate) -> Self {
        let rules = rules.iter().map(|rate| RateLimiter::keyed(rate.quota())).collect();
        Self { rules, growing: RateLimiter::keyed(growing.quota()), turns: AtomicUsize::new(0) }
    }

    /// Waits until something may be sent into the conversation, and then into any (`all`). What only shows growth
    /// (`partial`) does not wait.
    ///
    /// # Errors
    /// [`ChatError::RateLimited`] for what does not wait.
    pub async fn turn(&self, conversation: &str, all: &Overall, partial: bool) -> Result<(), ChatError> {
        let key = conversation.to_owned();
        if self.turns.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.rules.iter().chain([&self.growing]).for_each(RateLimiter::retain_recent);
        }
        let now = DefaultClock::default().now();
        if partial {
            for rule in [&self.growing].into_iter().chain(&self.rules) {
                rule.check_key(&key).map_err(|early| ChatError::RateLimited(early.wait_time_from(now)))?;
            }
            return all.check().map_err(|early| ChatError::RateLimited(early.wait_time_from(now)));
        }
        for rule in &self.rules {
            rule.until_key_ready(&key).await;
        }
        all.until_ready().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn growing_words_give_way_and_last_words_wait() {
        let (pace, all) = (Pace::new(&[Rate::new(50, 3)], Rate::new(60_000, 1)), Rate::new(20, 3).overall());
        assert!(pace.turn("a", &all, true).await.is_ok());
        assert!(matches!(pace.turn("a", &all, true).await, Err(ChatError::RateLimited(wait)) if wait > Duration::from_secs(50)));
        assert!(pace.turn("b", &all, true).await.is_ok(), "conversations do not wait for each other");
        let begun = Instant::now();
        for _ in 0..4 {
            pace.turn("a", &all, false).await.expect("it waits");
        }
        assert!(begun.elapsed() >= Duration::from_millis(50), "what must be seen waits instead");
    }
}
