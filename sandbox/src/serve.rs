//! Starts a stand-in on an address and stops it when the handle is dropped.

use anyhow::Context;
use axum::Router;
use std::net::SocketAddr;
use tokio::net::TcpListener;
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
