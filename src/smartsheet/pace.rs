//! The rate budget of a token, of which jobs leave a part to chats, and one writer per sheet at a time.

use super::{Identity, SharedBudget};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::Instant;

/// Requests a minute and token that Smartsheet grants.
const PER_MINUTE: u32 = 300;
const MINUTE: Duration = Duration::from_secs(60);
/// A fifth may go out at once; the rest is spread, so that no window of 60 s exceeds the grant.
const BURST: u32 = PER_MINUTE / 5;

/// The right to write to a sheet: as long as it lives nobody else of this process writes to it, so
/// that what was compared just before still stands. Among processes it holds until a moment that is
/// moved on by whoever keeps it; nothing is sent after that, even by a process that slept meanwhile.
#[derive(Debug)]
pub struct SheetWriter {
    pub(super) sheet: i64,
    until: Hold,
    /// The rate has been waited for.
    reserved: AtomicBool,
    _turn: OwnedMutexGuard<()>,
}

/// Until when a right to write holds.
#[derive(Clone, Debug)]
pub struct Hold {
    until: Arc<Mutex<Instant>>,
    /// A request is on its way.
    busy: Arc<AtomicBool>,
}

/// A request that is sent in the last moments could arrive after them.
const MARGIN: Duration = Duration::from_secs(2);

impl Hold {
    /// Holds until this moment.
    pub fn until(moment: Instant) -> Self {
        Self { until: Arc::new(Mutex::new(moment)), busy: Arc::default() }
    }

    /// Moves the moment.
    pub fn set(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = until;
    }

    /// Whether it holds long enough for a request; not for a process that slept through it.
    pub fn holds(&self) -> bool {
        Instant::now() + MARGIN < *self.until.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits for the answer to a request. Whoever gives up waiting leaves it on its way.
    pub(super) async fn during<T>(&self, request: impl Future<Output = T>) -> T {
        self.busy.store(true, Ordering::Release);
        let answer = request.await;
        self.busy.store(false, Ordering::Release);
        answer
    }

    /// Whether a request may be on its way that nobody waits for any more.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }
}

impl SheetWriter {
    /// Until when it holds; whoever has it moves this on.
    pub fn until(&self) -> Hold {
        self.until.clone()
    }

    /// Whether the rate has been waited for; once.
    pub(super) fn take_reserved(&self) -> bool {
        self.reserved.swap(false, Ordering::Relaxed)
    }
}

/// On whose time a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Somebody waits for it.
    Chat,
    /// A job can wait.
    Job,
}

pub(super) struct Pace {
    budget: DefaultKeyedRateLimiter<Identity>,
    of_jobs: DefaultKeyedRateLimiter<Identity>,
    /// What other processes take from the same budgets; without it this process is the only one.
    shared: Option<Arc<dyn SharedBudget>>,
    writers: Mutex<HashMap<i64, Arc<AsyncMutex<()>>>>,
    /// When the requests of the last minute were sent.
    sent: Mutex<VecDeque<Instant>>,
}

/// The budget of all requests, or the four fifths of it that jobs may use.
fn quota(lane: Lane) -> Quota {
    let some = |n: u32| NonZeroU32::new(if lane == Lane::Job { n / 5 * 4 } else { n }).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(some(PER_MINUTE - BURST)).allow_burst(some(BURST))
}

/// What a request takes from the budget: attachments and cell history count ten times.
pub(super) fn cost(path: &str) -> NonZeroU32 {
    let path = path.split('?').next().unwrap_or(path);
    let tenfold = path.split('/').any(|part| matches!(part, "attachments" | "history"));
    if tenfold { NonZeroU32::MIN.saturating_add(9) } else { NonZeroU32::MIN }
}

impl Pace {
    pub fn new(shared: Option<Arc<dyn SharedBudget>>) -> Self {
        Self {
            budget: RateLimiter::keyed(quota(Lane::Chat)),
            of_jobs: RateLimiter::keyed(quota(Lane::Job)),
            shared,
            writers: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// Waits until the identity's budget allows a request of this cost.
    pub async fn wait(&self, lane: Lane, identity: &Identity, cost: NonZeroU32) {
        if lane == Lane::Job {
            self.take(Lane::Job, identity, cost).await;
        }
        self.take(Lane::Chat, identity, cost).await;
        metrics::gauge!("chatsheet_smartsheet_budget_left").set(f64::from(self.left(cost.get(), Instant::now())));
    }

    /// Takes from one budget, of this process and of all.
    async fn take(&self, lane: Lane, identity: &Identity, cost: NonZeroU32) {
        let (own, suffix) = match lane {
            Lane::Chat => (&self.budget, ""),
            Lane::Job => (&self.of_jobs, "/jobs"),
        };
        // It fails only when the cost exceeds the burst, which no endpoint does.
        let _ = own.until_key_n_ready(identity, cost).await;
        let Some(shared) = &self.shared else { return };
        let (name, quota) = (format!("smartsheet/{}{suffix}", identity.stored()), quota(lane));
        match shared.take(&name, cost.get(), quota.replenish_interval(), quota.burst_size().get()).await {
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(error) => tracing::warn!(%error, "the rate budget of all processes cannot be asked; this one keeps to it alone"),
        }
    }

    /// Waits until the identity's budget allows a write, unless that was done already.
    pub async fn reserve(&self, lane: Lane, identity: &Identity, writer: &SheetWriter) {
        if !writer.take_reserved() {
            self.wait(lane, identity, NonZeroU32::MIN).await;
        }
        writer.reserved.store(true, Ordering::Relaxed);
    }

    /// Requests that the rate allows in this minute, after one of this cost.
    fn left(&self, cost: u32, now: Instant) -> u32 {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sent.extend(std::iter::repeat_n(now, cost as usize));
        while sent.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            sent.pop_front();
        }
        PER_MINUTE.saturating_sub(sent.len() as u32)
    }

    pub async fn writer(&self, sheet: i64) -> SheetWriter {
        let lock = self.writers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(sheet).or_default().clone();
        SheetWriter { sheet, until: Hold::until(Instant::now()), reserved: AtomicBool::new(false), _turn: lock.lock_owned().await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn no_minute_exceeds_the_grant_however_greedy_the_callers() {
        let clock = FakeRelativeClock::default();
        let budget = RateLimiter::direct_with_clock(quota(Lane::Chat), clock.clone());
        let mut last_minute: VecDeque<u64> = VecDeque::new();
        let mut most = 0;
        for tick in 0..20_000u64 {
            while last_minute.front().is_some_and(|t| tick - t >= 6_000) {
                last_minute.pop_front();
            }
            while budget.check().is_ok() {
                last_minute.push_back(tick);
            }
            most = most.max(last_minute.len());
            clock.advance(Duration::from_millis(10));
        }
        assert!((290..=300).contains(&most), "{most} requests in a minute: within the grant, and making use of it");
    }

    #[tokio::test]
    async fn greedy_jobs_leave_chats_their_part() {
        let pace = Pace::new(None);
        let one = NonZeroU32::MIN;
        let mut jobs = 0;
        while tokio::time::timeout(Duration::from_millis(1), pace.wait(Lane::Job, &Identity::Service, one)).await.is_ok() {
            jobs += 1;
        }
        let mut chats = 0;
        while pace.budget.check_key(&Identity::Service).is_ok() {
            chats += 1;
        }
        assert!((48..54).contains(&jobs) && chats >= 7, "{jobs} requests of jobs, then {chats} of chats without waiting");
    }

    #[test]
    fn expensive_endpoints_are_counted_tenfold() {
        let of = |path: &str| cost(path).get();
        assert_eq!(
            [of("sheets/1?include=attachments"), of("sheets/1/rows/2/attachments"), of("sheets/1/rows/2/columns/3/history")],
            [1, 10, 10]
        );
    }
}
