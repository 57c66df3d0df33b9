//! Work that one process does for all over the same database, and another takes over.

use crate::clock::Clock;
use crate::store::{HEARTBEAT, LEASE, Store};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it is looked whether whoever does the work is gone.
const LOOK: Duration = Duration::from_secs(2);

/// The right to work, for whoever has it alone.
pub(super) struct Holder {
    pub store: Store,
    pub clock: Clock,
    /// What the work is called.
    pub name: &'static str,
}

impl Holder {
    /// Works whenever nobody else does, until told to stop. Work that ends by itself is done. It is stopped when another process has
    /// taken over, which happens when this one has slept.
    pub async fn run<W: Future<Output = ()>>(self, stop: CancellationToken, work: impl Fn(CancellationToken) -> W) {
        while !stop.is_cancelled() {
            if self.hold().await {
                let lost = stop.child_token();
                let ended = tokio::select! {
                    () = work(lost.clone()) => !lost.is_cancelled(),
                    () = self.keep() => {
                        tracing::warn!(work = self.name, "another process does this now");
                        false
                    }
                };
                if let Err(error) = self.store.let_go(self.name).await {
                    tracing::warn!(%error, work = self.name, "others take this over only when the lease has run out");
                }
                if ended {
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Returns when somebody else has the lease.
    async fn keep(&self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if !self.hold().await {
                return;
            }
        }
    }

    async fn hold(&self) -> bool {
        let now_ms = self.clock.now_ms();
        // Whoever cannot ask in time stops before the lease runs out.
        let asked = tokio::time::timeout(HEARTBEAT, self.store.hold(self.name, now_ms, now_ms + LEASE.as_millis() as i64)).await;
        match asked {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => {
                tracing::warn!(%error, work = self.name, "it is not known which process does this");
                false
            }
            Err(_) => false,
        }
    }
}
