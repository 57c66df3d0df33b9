//! Who listens to which topic. Only they are told; who does not keep up misses frames, and is told so.

use super::frame::Frame;
use super::outlet::Outlet;
use super::topic::Topic;
use axum::extract::ws::Message;
use futures_util::Sink;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// Connections that are told between two rests, so that nothing else waits for a thousand sockets.
const AT_ONCE: usize = 50;

/// A connection that listens.
pub(super) type Listener<S> = Arc<Outlet<S>>;

/// The listeners of each topic, and what they call it.
pub(super) struct Listeners<S>(Mutex<HashMap<Topic, Group<S>>>);

struct Group<S> {
    name: Arc<str>,
    all: Arc<Vec<Listener<S>>>,
}

impl<S> Default for Listeners<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Sink<Message> + Unpin> Listeners<S> {
    /// Listens from now on to a topic, which clients call so; twice is once. `false`: it did so before.
    pub fn join(&self, topic: Topic, name: &str, listener: &Listener<S>) -> bool {
        let mut topics = self.topics();
        let Group { all, .. } = topics.entry(topic).or_insert_with(|| Group { name: name.into(), all: Arc::default() });
        let new = !all.iter().any(|l| Arc::ptr_eq(l, listener));
        if new {
            Arc::make_mut(all).push(listener.clone());
        }
        new
    }

    /// Listens no more.
    pub fn leave(&self, topic: &Topic, listener: &Listener<S>) {
        let mut topics = self.topics();
        if let Some(Group { all, .. }) = topics.get_mut(topic) {
            Arc::make_mut(all).retain(|l| !Arc::ptr_eq(l, listener));
            if all.is_empty() {
                topics.remove(topic);
            }
        }
    }

    /// Tells everybody who listens to the topic.
    pub async fn tell(&self, topic: &Topic, value: Value) {
        let group = self.topics().get(topic).map(|group| (group.name.clone(), group.all.clone()));
        let Some((name, all)) = group else { return };
        let frame = Arc::new(Frame::new(&name, value));
        for some in all.chunks(AT_ONCE) {
            some.iter().for_each(|l| l.take(&frame));
            tokio::task::yield_now().await;
        }
    }

    /// More has happened than could be told: everybody is to look how things stand.
    pub fn all_missed_some(&self) {
        self.topics().values().flat_map(|group| group.all.iter()).for_each(|l| l.miss());
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Topic, Group<S>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Packing;
    use super::super::outlet::{BACKLOG, Due};
    use super::*;
    use serde_json::json;
    use tokio::sync::mpsc;
    use tokio_util::sync::PollSender;

    type Socket = PollSender<Message>;

    fn connection(room: usize) -> (Listener<Socket>, mpsc::Receiver<Message>) {
        let (sender, arriving) = mpsc::channel(room);
        (Arc::new(Outlet::new(PollSender::new(sender), Packing::Json)), arriving)
    }

    const NAME: &str = "sheet:1";

    fn frame(n: usize) -> Frame {
        Frame::new(NAME, json!({ "n": n }))
    }

    #[tokio::test]
    async fn who_waits_is_told_at_once_and_who_is_slow_misses_frames_and_nobody_else_waits() {
        let listeners = Listeners::default();
        let ((slow, mut arriving), (quick, mut taken)) = (connection(1), connection(1));
        for listener in [&slow, &slow, &quick] {
            listeners.join(Topic::Sheet(1), NAME, listener);
        }
        assert!(matches!((slow.due(), quick.due()), (Due::Nothing, Due::Nothing)));
        for n in 0..BACKLOG + 10 {
            listeners.tell(&Topic::Sheet(1), json!({ "n": n })).await;
            listeners.tell(&Topic::Sheet(2), json!({})).await;
            let told = taken.try_recv().expect("written without its task");
            assert!(told.into_text().is_ok_and(|t| t.contains(&format!("\"n\":{n}"))) && taken.try_recv().is_err(), "once each");
        }
        assert!(arriving.try_recv().is_ok() && arriving.try_recv().is_err(), "one was written, then it was full");
        assert!(matches!(slow.due(), Due::Missed) && matches!(slow.due(), Due::Nothing), "nothing is kept for who missed some");
        listeners.leave(&Topic::Sheet(1), &slow);
        listeners.all_missed_some();
        assert!(matches!(quick.due(), Due::Missed) && matches!(slow.due(), Due::Nothing));
    }

    #[tokio::test]
    async fn what_happens_while_a_connection_is_at_work_comes_after_what_it_says() {
        let (listener, mut arriving) = connection(8);
        listener.take(&Arc::new(frame(1)));
        listener.send(Message::Text("state".into())).await.expect("sent");
        while let Due::Frame(frame) = listener.due() {
            listener.pass(&frame).await.expect("sent");
        }
        listener.take(&Arc::new(frame(2)));
        listener.seize();
        listener.take(&Arc::new(frame(3)));
        let told: Vec<String> = std::iter::from_fn(|| arriving.try_recv().ok()).map(|m| m.to_text().expect("text").to_owned()).collect();
        assert!(told[0] == "state" && told[1].contains("\"n\":1") && told[2].contains("\"n\":2") && told.len() == 3, "{told:?}");
        assert!(matches!(listener.due(), Due::Frame(_)) && matches!(listener.due(), Due::Nothing));
    }
}
