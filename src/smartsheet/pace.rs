//! The rate budget of a token, and one writer per sheet at a time.

use super::Identity;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Requests a minute and token that Smartsheet grants.
const PER_MINUTE: u32 = 300;
/// A fifth may go out at once; the rest is spread, so that no window of 60 s exceeds the grant.
const BURST: u32 = PER_MINUTE / 5;

/// The right to write to a sheet: as long as it lives nobody else of this process writes to it, so
/// that what was compared just before still stands.
#[derive(Debug)]
pub struct SheetWriter {
    pub(super) sheet: i64,
    _turn: OwnedMutexGuard<()>,
}

pub(super) struct Pace {
    budget: DefaultKeyedRateLimiter<Identity>,
    writers: Mutex<HashMap<i64, Arc<AsyncMutex<()>>>>,
}

impl Pace {
    pub fn new() -> Self {
        let spread = NonZeroU32::new(PER_MINUTE - BURST).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(BURST).unwrap_or(NonZeroU32::MIN);
        Self { budget: RateLimiter::keyed(Quota::per_minute(spread).allow_burst(burst)), writers: Mutex::default() }
    }

    /// Waits until the identity's budget allows a request of this cost (cell history and attachments cost ten).
    pub async fn wait(&self, identity: &Identity, cost: NonZeroU32) {
        // Fails only when the cost exceeds the burst, which no endpoint does.
        let _ = self.budget.until_key_n_ready(identity, cost).await;
    }

    pub async fn writer(&self, sheet: i64) -> SheetWriter {
        let lock = self.writers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(sheet).or_default().clone();
        SheetWriter { sheet, _turn: lock.lock_owned().await }
    }
}
