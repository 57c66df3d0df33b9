//! The rate limit of a deployment: requests in a window, told in every answer.

use axum::http::{HeaderMap, HeaderValue};
use std::time::{Duration, Instant};

/// The window that runs.
#[derive(Debug, Default)]
pub(super) struct Window {
    began: Option<Instant>,
    taken: u64,
}

/// What is left of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    limit: u64,
    remaining: u64,
    resets_in: Duration,
}

impl Window {
    /// Takes one request of the window, or says how long to wait. Refused requests count, too.
    pub fn take(&mut self, limit: u64, length: Duration) -> Result<Left, Duration> {
        let now = Instant::now();
        let began = self.began.filter(|b| now.duration_since(*b) < length).unwrap_or_else(|| {
            self.taken = 0;
            now
        });
        self.began = Some(began);
        self.taken += 1;
        let resets_in = length.saturating_sub(now.duration_since(began));
        if self.taken > limit { Err(resets_in) } else { Ok(Left { limit, remaining: limit - self.taken, resets_in }) }
    }
}

/// Writes the headers of an answer.
pub(super) fn tell(headers: &mut HeaderMap, left: Option<Left>) {
    let Some(left) = left else { return };
    let numbers = [
        ("x-ratelimit-limit-requests", left.limit.to_string()),
        ("x-ratelimit-remaining-requests", left.remaining.to_string()),
        ("x-ratelimit-reset-requests", format!("{:.3}", left.resets_in.as_secs_f64())),
    ];
    for (name, value) in numbers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
