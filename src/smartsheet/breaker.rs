//! A circuit breaker: after several failures in a row nothing is sent for a while, then one trial.

use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

const FAILURES_TO_OPEN: u32 = 8;

/// Keeps calls away from a service that is down.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    pause: Duration,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    trial_since: Option<Instant>,
}

impl Breaker {
    pub fn new(pause: Duration) -> Self {
        Self { state: Mutex::default(), pause }
    }

    /// Whether a call may go out now; when not, how long the circuit stays open.
    pub fn admit(&self) -> Result<(), Duration> {
        let mut state = self.lock();
        let Some(until) = state.open_until else { return Ok(()) };
        let now = Instant::now();
        if now < until {
            return Err(until - now);
        }
        // A trial that was given up half-way says nothing; after a while another one may go.
        if state.trial_since.is_some_and(|since| now.duration_since(since) < self.pause) {
            return Err(self.pause);
        }
        state.trial_since = Some(now);
        Ok(())
    }

    /// The service answered, whatever it said.
    pub fn succeeded(&self) {
        *self.lock() = State::default();
    }

    /// The service did not answer or failed.
    pub fn failed(&self) {
        let mut state = self.lock();
        state.failures += 1;
        if state.failures >= FAILURES_TO_OPEN {
            state.open_until = Some(Instant::now() + self.pause);
            metrics::counter!("chatsheet_smartsheet_paused_total").increment(1);
        }
        state.trial_since = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opens_after_failures_and_closes_after_a_good_trial() {
        let pause = Duration::from_millis(40);
        let breaker = Breaker::new(pause);
        for _ in 0..FAILURES_TO_OPEN {
            assert!(breaker.admit().is_ok());
            breaker.failed();
        }
        assert!(breaker.admit().is_err(), "open");
        tokio::time::sleep(pause).await;
        assert!(breaker.admit().is_ok(), "one trial");
        assert!(breaker.admit().is_err(), "only one");
        breaker.failed();
        assert!(breaker.admit().is_err(), "open again");
        tokio::time::sleep(pause).await;
        assert!(breaker.admit().is_ok());
        breaker.succeeded();
        assert!(breaker.admit().is_ok(), "closed");
    }
}
