//! Who listens to which topic. Only they are woken; who does not keep up misses frames, and is told so.

use super::frame::Frame;
use super::topic::Topic;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::mpsc::{self, error::TrySendError};

/// Frames that wait for a connection before it misses some.
const BACKLOG: usize = 64;

/// A connection that listens.
#[derive(Clone)]
pub(super) struct Listener {
    id: u64,
    frames: mpsc::Sender<Arc<Frame>>,
    missed: Arc<AtomicBool>,
}

/// The listeners of each topic.
#[derive(Default)]
pub(super) struct Listeners(Mutex<HashMap<Topic, Vec<Listener>>>);

impl Listener {
    /// A new listener, and where its frames arrive.
    pub fn new() -> (Self, mpsc::Receiver<Arc<Frame>>) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let (frames, arriving) = mpsc::channel(BACKLOG);
        (Self { id: LAST.fetch_add(1, Ordering::Relaxed), frames, missed: Arc::default() }, arriving)
    }

    /// Whether frames were missed since this was last asked.
    pub fn missed_some(&self) -> bool {
        self.missed.swap(false, Ordering::AcqRel)
    }

    /// Hands a frame over; nothing waits for who does not take it.
    fn take(&self, frame: &Arc<Frame>) {
        if let Err(TrySendError::Full(_)) = self.frames.try_send(frame.clone()) {
            self.missed.store(true, Ordering::Release);
        }
    }
}

impl Listeners {
    /// Listens to a topic from now on; twice is once.
    pub fn join(&self, topic: Topic, listener: &Listener) {
        let mut topics = self.topics();
        let all = topics.entry(topic).or_default();
        all.retain(|l| !l.frames.is_closed());
        if !all.iter().any(|l| l.id == listener.id) {
            all.push(listener.clone());
        }
    }

    /// Listens no more.
    pub fn leave(&self, topic: &Topic, listener: &Listener) {
        let mut topics = self.topics();
        if let Some(all) = topics.get_mut(topic) {
            all.retain(|l| l.id != listener.id);
            if all.is_empty() {
                topics.remove(topic);
            }
        }
    }

    /// Tells everybody who listens to the frame's topic.
    pub fn tell(&self, frame: Frame) {
        let frame = Arc::new(frame);
        if let Some(all) = self.topics().get(&frame.topic) {
            all.iter().for_each(|l| l.take(&frame));
        }
    }

    /// More has happened than could be told: everybody is to look how things stand.
    pub fn all_missed_some(&self) {
        for (topic, all) in self.topics().iter() {
            let wake = Arc::new(Frame::new(topic.clone(), serde_json::json!({})));
            for listener in all {
                listener.missed.store(true, Ordering::Release);
                listener.take(&wake);
            }
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Vec<Listener>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_is_slow_misses_frames_and_is_told_so_and_nobody_else_waits() {
        let (listeners, (slow, mut arriving), (quick, mut taken)) = (Listeners::default(), Listener::new(), Listener::new());
        let topic = Topic::Sheet(1);
        listeners.join(topic.clone(), &slow);
        listeners.join(topic.clone(), &slow);
        listeners.join(topic.clone(), &quick);
        for n in 0..BACKLOG + 10 {
            listeners.tell(Frame::new(topic.clone(), json!({ "n": n })));
            listeners.tell(Frame::new(Topic::Sheet(2), json!({})));
            assert!(taken.try_recv().is_ok() && taken.try_recv().is_err(), "once each, and nothing of other topics");
        }
        assert!(slow.missed_some() && !slow.missed_some() && !quick.missed_some());
        assert_eq!(std::iter::from_fn(|| arriving.try_recv().ok()).count(), BACKLOG, "no more than that is kept");
        listeners.leave(&topic, &slow);
        listeners.all_missed_some();
        assert!(quick.missed_some() && taken.try_recv().is_ok() && !slow.missed_some());
    }
}
