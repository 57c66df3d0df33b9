//! What the deployment says of its limits, and the waits that follow for work that can wait: the limits are
//! those of everybody who uses the deployment, and a part of them is left to people who are talking.

use reqwest::header::HeaderMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// Jobs leave this part of what is left to chats.
const LEFT_TO_CHATS: u64 = 10;

/// Two moments of reset that are not further apart are one.
const SAME_WINDOW: Duration = Duration::from_millis(50);
/// How long a window is taken to last of which nothing was said yet.
const UNTOLD_WINDOW: Duration = Duration::from_secs(1);

/// The limits of a deployment as its last answers told them.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    closed_until: Option<Instant>,
    /// Which deployment and region answered last.
    answered: String,
}

/// One of the limits: `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    limit: u64,
    remaining: u64,
    resets_at: Instant,
}

impl Pace {
    /// Takes note of who has answered; whether that is somebody else than before.
    pub fn answers_elsewhere(&self, who: &str) -> bool {
        let mut state = self.lock();
        let other = state.answered != who;
        if other {
            who.clone_into(&mut state.answered);
        }
        other
    }

    /// Takes note of what an answer says.
    pub fn heard(&self, headers: &HeaderMap, now: Instant) {
        let mut state = self.lock();
        for (kind, bucket) in [("requests", Bucket::read(headers, "requests", now)), ("tokens", Bucket::read(headers, "tokens", now))] {
            let known = if kind == "requests" { &mut state.requests } else { &mut state.tokens };
            *known = match (bucket, *known) {
                // Answers overtake each other: within a window, what is left only shrinks.
                (Some(new), Some(old)) if new.resets_at <= old.resets_at + SAME_WINDOW && old.resets_at > now => {
                    Some(Bucket { remaining: new.remaining.min(old.remaining), ..new })
                }
                (new, old) => new.or(old),
            };
        }
    }

    /// The deployment wants to be left alone for this long.
    pub fn close(&self, wait: Duration, now: Instant) {
        let mut state = self.lock();
        state.closed_until = state.closed_until.max(Some(now + wait));
    }

    /// Lets a call of a job out that may take so many tokens, or says how long to wait.
    pub fn admit(&self, tokens: u64, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        if let Some(until) = state.closed_until.filter(|u| *u > now) {
            return Err(until - now);
        }
        let State { requests, tokens: all_tokens, .. } = &mut *state;
        for bucket in [&mut *requests, &mut *all_tokens].into_iter().flatten().filter(|b| b.resets_at <= now) {
            bucket.refill(now);
        }
        let wanted = [(requests, 1), (all_tokens, tokens)];
        let waits = wanted.iter().filter_map(|(bucket, n)| bucket.as_ref()?.wait(*n, now));
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        for (bucket, n) in wanted {
            if let Some(bucket) = bucket {
                bucket.remaining = bucket.remaining.saturating_sub(n);
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Bucket {
    /// What the headers say of a limit; none unless they say when it is full again.
    fn read(headers: &HeaderMap, kind: &str, now: Instant) -> Option<Self> {
        let text = |what: &str| headers.get(format!("x-ratelimit-{what}-{kind}"))?.to_str().ok();
        let remaining = text("remaining")?.parse().ok()?;
        let limit = text("limit").and_then(|n| n.parse().ok()).unwrap_or(remaining);
        Some(Self { limit, remaining, resets_at: now + seconds(text("reset")?)? })
    }

    /// A new window has begun; until an answer says more, it is a full one.
    fn refill(&mut self, now: Instant) {
        (self.remaining, self.resets_at) = (self.limit, now + UNTOLD_WINDOW);
    }

    /// How long a call of this size has to wait; one that is larger than the limit goes when everything is there.
    fn wait(&self, size: u64, now: Instant) -> Option<Duration> {
        let kept = (self.limit / LEFT_TO_CHATS).min(self.limit.saturating_sub(1));
        let fits = self.remaining >= kept + size.min(self.limit - kept);
        let wait = self.resets_at.saturating_duration_since(now);
        (!fits && !wait.is_zero()).then_some(wait)
    }
}

/// Azure gives plain seconds, others write `1m30s`.
fn seconds(text: &str) -> Option<Duration> {
    match text.parse::<f64>() {
        Ok(n) => Duration::try_from_secs_f64(n).ok(),
        Err(_) => text.parse::<jiff::SignedDuration>().ok()?.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pace: &Pace, now: Instant, headers: &[(&str, &str)]) {
        let pair = |(k, v): &(&str, &str)| (format!("x-ratelimit-{k}").parse().unwrap(), v.parse().unwrap());
        pace.heard(&headers.iter().map(pair).collect(), now);
    }

    #[test]
    fn jobs_wait_for_the_reset_and_leave_a_tenth_to_chats() {
        let (pace, now) = (Pace::default(), Instant::now());
        assert!(pace.admit(1_000, now).is_ok(), "nothing is known yet");
        heard(&pace, now, &[("limit-requests", "20"), ("remaining-requests", "5"), ("reset-requests", "10")]);
        let let_out = (0..10).take_while(|_| pace.admit(1_000, now).is_ok()).count();
        assert_eq!(let_out, 3, "two of twenty are left to chats");
        assert_eq!(pace.admit(1_000, now + Duration::from_secs(4)), Err(Duration::from_secs(6)));
        assert!(pace.admit(1_000, now + Duration::from_secs(10)).is_ok(), "it is full again");
    }

    #[test]
    fn tokens_count_and_a_closed_deployment_is_left_alone() {
        let (pace, now) = (Pace::default(), Instant::now());
        heard(&pace, now, &[("limit-tokens", "100000"), ("remaining-tokens", "12000"), ("reset-tokens", "1m30s")]);
        assert!(pace.admit(1_500, now).is_ok());
        assert_eq!(pace.admit(1_500, now), Err(Duration::from_secs(90)));
        assert!(pace.admit(500, now).is_ok(), "a smaller one still fits");
        pace.close(Duration::from_secs(3), now);
        assert_eq!(pace.admit(1, now), Err(Duration::from_secs(3)));
    }

    #[test]
    fn a_call_that_is_larger_than_the_limit_goes_when_everything_is_there() {
        let (pace, now) = (Pace::default(), Instant::now());
        heard(&pace, now, &[("limit-tokens", "1000"), ("remaining-tokens", "1000"), ("reset-tokens", "60")]);
        assert!(pace.admit(5_000, now).is_ok());
        let pace = Pace::default();
        heard(&pace, now, &[("limit-requests", "1"), ("remaining-requests", "1"), ("reset-requests", "60")]);
        assert!(pace.admit(10, now).is_ok(), "a limit of one can be used up");
    }
}
