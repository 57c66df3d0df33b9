//! Starts a stand-in on an address and stops it when the handle is dropped.

use anyhow::Context;
use axum::Router;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A stand-in that is listening. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// `http://address`, without a path.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the stand-in ends, which it does only when it fails.
    pub async fn wait(mut self) {
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))
}

pub(crate) fn serve(listener: TcpListener, router: Router) -> anyhow::Result<Running> {
    let address = listener.local_addr()?;
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "stand-in ended");
        }
    });
    Ok(Running { address, task })
}

/// How long it is waited for something that is to happen: long, since machines may be slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns when a condition holds; it is looked at after each change. Fails when it does not within [`PATIENCE`], and lists what
/// is there.
pub(crate) async fn until(changed: &Notify, condition: impl Fn() -> bool, seen: impl Fn() -> Vec<String>) -> anyhow::Result<()> {
    until_within(changed, PATIENCE, condition, seen).await
}

/// The same with a patience of one's own.
pub(crate) async fn until_within(
    changed: &Notify,
    within: Duration,
    condition: impl Fn() -> bool,
    seen: impl Fn() -> Vec<String>,
) -> anyhow::Result<()> {
    let wait = async {
        loop {
            let changed = changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    };
    let waited = tokio::time::timeout(within, wait).await;
    waited.map_err(|_| anyhow::anyhow!("not seen in {} seconds; there is:\n{}", within.as_secs(), seen().join("\n")))
}
