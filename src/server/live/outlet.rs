//! The way out of one connection. While its task waits, a frame is written by whoever tells it, because waking a task per
//! connection costs as much as the writing; while its task is at work, or the socket is full, frames wait for the task.

use super::frame::{Frame, Packing};
use axum::extract::ws::Message;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::sync::Notify;

/// Frames that wait for a connection before it misses some.
pub(super) const BACKLOG: usize = 64;
/// The longest that a connection may take to accept a frame.
const STALLED: Duration = Duration::from_secs(20);

/// The way out of a connection, over its socket.
pub(super) struct Outlet<S> {
    packing: Packing,
    state: Mutex<State<S>>,
    wanted: Notify,
}

struct State<S> {
    socket: S,
    /// The connection's task is at work, or has to be: nobody else writes.
    busy: bool,
    waiting: VecDeque<Arc<Frame>>,
    /// More happened than could wait.
    missed: bool,
}

/// What the connection's task has to send.
pub(super) enum Due {
    /// A frame.
    Frame(Arc<Frame>),
    /// How everything stands, because frames were missed.
    Missed,
    /// Nothing more: from now on others write.
    Nothing,
}

impl<S: Sink<Message> + Unpin> Outlet<S> {
    /// A way out that its task is at.
    pub fn new(socket: S, packing: Packing) -> Self {
        let state = State { socket, busy: true, waiting: VecDeque::new(), missed: false };
        Self { packing, state: Mutex::new(state), wanted: Notify::new() }
    }

    /// Takes a frame; whoever tells it does not wait.
    pub fn take(&self, frame: &Arc<Frame>) {
        let mut state = self.state();
        if state.missed {
            return;
        }
        if state.busy {
            if state.waiting.len() >= BACKLOG {
                state.waiting.clear();
                state.missed = true;
            } else {
                state.waiting.push_back(frame.clone());
            }
            return;
        }
        let Ok(message) = frame.message(self.packing) else { return };
        // What does not fit at once is for the connection's task, which sees errors too.
        let mut context = Context::from_waker(Waker::noop());
        match state.socket.poll_ready_unpin(&mut context) {
            Poll::Ready(Ok(())) => {
                let written = state.socket.start_send_unpin(message).is_ok();
                if written && matches!(state.socket.poll_flush_unpin(&mut context), Poll::Ready(Ok(()))) {
                    return;
                }
            }
            _ => state.waiting.push_back(frame.clone()),
        }
        state.busy = true;
        self.wanted.notify_one();
    }

    /// The connection is to be told how everything stands.
    pub fn miss(&self) {
        let mut state = self.state();
        state.waiting.clear();
        (state.missed, state.busy) = (true, true);
        self.wanted.notify_one();
    }

    /// Waits until the connection's task is wanted.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// From now on only the connection's task writes, until nothing is due.
    pub fn seize(&self) {
        self.state().busy = true;
    }

    /// What the connection's task has to send next.
    pub fn due(&self) -> Due {
        let mut state = self.state();
        if std::mem::take(&mut state.missed) {
            return Due::Missed;
        }
        let next = state.waiting.pop_front();
        state.busy = next.is_some();
        next.map_or(Due::Nothing, Due::Frame)
    }

    /// Sends a frame, from the connection's task.
    pub async fn pass(&self, frame: &Frame) -> anyhow::Result<()>
    where
        S::Error: Into<anyhow::Error>,
    {
        self.send(frame.message(self.packing)?).await
    }

    /// Sends a message, from the connection's task, after everything before it.
    pub async fn send(&self, message: Message) -> anyhow::Result<()>
    where
        S::Error: Into<anyhow::Error>,
    {
        self.put(Some(message)).await
    }

    /// Gets out what did not fit at once, from the connection's task.
    pub async fn flush(&self) -> anyhow::Result<()>
    where
        S::Error: Into<anyhow::Error>,
    {
        self.put(None).await
    }

    async fn put(&self, mut message: Option<Message>) -> anyhow::Result<()>
    where
        S::Error: Into<anyhow::Error>,
    {
        let mut sent = pin!(poll_fn(|context| {
            let state = &mut *self.state();
            state.busy = true;
            if message.is_some() {
                ready!(state.socket.poll_ready_unpin(context))?;
                message.take().map(|m| state.socket.start_send_unpin(m)).transpose()?;
            }
            state.socket.poll_flush_unpin(context)
        }));
        // Most messages fit into the socket at once, and need no timer.
        let sent = match sent.as_mut().now_or_never() {
            Some(sent) => sent,
            None => tokio::time::timeout(STALLED, sent).await?,
        };
        sent.map_err(Into::into)
    }

    /// What the client says next.
    pub async fn heard(&self) -> Option<S::Item>
    where
        S: Stream,
    {
        poll_fn(|context| self.state().socket.poll_next_unpin(context)).await
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
