//! What happens, for whoever wants to know it at once: the message of a job, requests that wait, live connections.
//! Nothing is kept; who comes late or is slow asks the store how things stand.

use std::sync::Arc;
use tokio::sync::broadcast;

/// Events that wait for a slow listener before it is told that it has missed some.
const BACKLOG: usize = 1024;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job got on, or changed its state.
    Job(JobEvent),
    /// An event of a conversation was served.
    Served {
        /// Its dedupe key.
        event: Arc<str>,
        /// What its person was told, where it could not be done.
        told: Option<String>,
    },
    /// A message in a thread is new, or has changed: of the bot or of somebody.
    Post(PostEvent),
    /// Something was written to a sheet.
    Touched {
        /// The sheet.
        sheet: i64,
        /// Who wrote.
        by: Writer,
    },
    /// What has changed in a sheet that somebody watches.
    Sheet(SheetEvent),
    /// Other processes could not be heard for a while: what they told is lost.
    Missed,
}

/// Who writes to a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// This program, for a person who asked for it.
    Us,
    /// Somebody else, or nobody knows who.
    Others,
}

/// What has changed in a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SheetEvent {
    /// The sheet.
    pub sheet: i64,
    /// Its version now.
    pub version: i64,
    /// Rows that are new, have changed or are gone.
    pub update: Arc<serde_json::Value>,
}

/// A message in a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostEvent {
    /// The storage key of its thread.
    pub thread: Arc<str>,
    /// Grows with every message of the thread.
    pub revision: i64,
    /// Who said it, where that was not the bot; empty when nobody knows.
    pub author: Option<String>,
    /// The message as it is now.
    pub post: Arc<serde_json::Value>,
}

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEvent {
    /// The job.
    pub id: Arc<str>,
    /// The session that it belongs to.
    pub session_id: Arc<str>,
    /// Its state, in the seed's words.
    pub status: &'static str,
    /// How far it is.
    pub view: View,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Rows that are settled.
    pub settled: usize,
    /// Rows whose answer waits to be written.
    pub answered: usize,
    /// Rows that failed.
    pub failed: usize,
    /// Rows in all.
    pub total: usize,
}

/// The one bus of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    all: broadcast::Sender<Event>,
    own: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { all: broadcast::channel(BACKLOG).0, own: broadcast::channel(BACKLOG).0 }
    }
}

impl Events {
    /// Tells everybody who listens, in other processes too.
    pub fn tell(&self, event: Event) {
        // Nobody listens: nobody wants to know.
        let _ = self.own.send(event.clone());
        let _ = self.all.send(event);
    }

    /// Tells everybody in this process what happened elsewhere.
    pub fn pass_on(&self, event: Event) {
        let _ = self.all.send(event);
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.all.subscribe()
    }

    /// Listens from now on to what this process tells, for whoever carries it to others.
    pub fn listen_to_own(&self) -> broadcast::Receiver<Event> {
        self.own.subscribe()
    }
}
