//! Carries what happens to the other processes over the same PostgreSQL, and what happens there to this one.
//!
//! What is too long for a notification goes by its place in the store. Tokens of links are sealed on the way.

use crate::events::{Event, Events, JobEvent, PostEvent, View, Writer};
use crate::links::Links;
use crate::sheet::{SheetId, Sheets};
use crate::store::{Heard, Hearing, JobStatus, LONGEST_WORD, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// The longest list of events that is told at once, in bytes; the name of the process comes before it.
const LONGEST: usize = LONGEST_WORD - 200;
/// Events that are told together.
const TOGETHER: usize = 64;
/// How often a sign of life is told where nothing happens, and the longest silence: a connection that was cut without a word tells nothing
/// for ever.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
const LONGEST_SILENCE: Duration = Duration::from_secs(35);
/// How long a database that cannot be reached is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// An event on its way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Job {
        id: String,
        session_id: String,
        status: String,
        settled: usize,
        answered: usize,
        failed: usize,
        total: usize,
    },
    Served {
        event: String,
        told: Option<String>,
    },
    /// Without the message it is looked up.
    Post {
        thread: String,
        revision: i64,
        author: Option<String>,
        post: Option<Value>,
    },
    Touched {
        sheet: i64,
        ours: bool,
    },
    /// Something could not be told before.
    Missed,
}

/// What it carries between.
pub(super) struct Relay {
    pub store: Store,
    pub events: Events,
    pub sheets: Sheets,
    pub links: Links,
}

/// A relay that hears others.
pub(super) struct Listening {
    relay: Relay,
    channel: String,
    /// None over SQLite: there are no others.
    hearing: Option<Hearing>,
}

impl Listening {
    /// Carries to and fro until told to stop; over SQLite it does nothing.
    pub async fn run(self, stop: CancellationToken) {
        let Some(hearing) = self.hearing else { return };
        tokio::select! {
            () = self.relay.tell(&self.channel) => {}
            () = self.relay.hear(&self.channel, hearing) => {}
            () = stop.cancelled() => {}
        }
    }
}

impl Relay {
    /// Hears from now on what other processes tell.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(self) -> Result<Listening, sqlx::Error> {
        // Others may live in the same database.
        let channel = format!("chatsheet_{}", self.store.installation_id().await?.replace('-', ""));
        Ok(Listening { hearing: self.store.hear(&channel).await?, channel, relay: self })
    }

    async fn tell(&self, channel: &str) {
        let mut own = self.events.listen_to_own();
        let mut untold = false;
        loop {
            let mut events = Vec::new();
            match tokio::time::timeout(SIGN_OF_LIFE, own.recv()).await {
                Ok(Ok(event)) => events.push(event),
                Ok(Err(RecvError::Lagged(_))) => untold = true,
                Ok(Err(RecvError::Closed)) => return,
                Err(_) => {}
            }
            while let Some(event) = own.try_recv().ok().filter(|_| events.len() < TOGETHER) {
                events.push(event);
            }
            let told = events.into_iter().filter_map(|event| self.on_its_way(event));
            let missed = std::mem::take(&mut untold).then(|| serde_json::to_string(&Told::Missed).unwrap_or_default());
            let told: Vec<String> = missed.into_iter().chain(told).collect();
            let mut rest = told.as_slice();
            loop {
                let mut bytes = 0;
                let fits = rest.iter().take_while(|one| {
                    bytes += one.len() + 1;
                    bytes <= LONGEST
                });
                let (now, later) = rest.split_at(fits.count().max(1).min(rest.len()));
                if let Err(error) = self.store.tell_others(channel, &format!("[{}]", now.join(","))).await {
                    tracing::warn!(%error, "other processes could not be told what happened here; they are told later that something did");
                    untold = true;
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    /// An event as text; `None` for what others find out by themselves, or can do without.
    fn on_its_way(&self, event: Event) -> Option<String> {
        let told = match event {
            Event::Job(JobEvent { id, session_id, status, view: View { settled, answered, failed, total } }) => Told::Job {
                id: id.to_string(),
                session_id: session_id.to_string(),
                status: status.to_owned(),
                settled,
                answered,
                failed,
                total,
            },
            Event::Served { event, told } => Told::Served { event: event.to_string(), told },
            Event::Post(PostEvent { thread, revision, author, post }) => {
                let is_partial = post["partial"] == true;
                let post = self.links.sealed_in(post.as_ref().clone());
                let whole = Told::Post { thread: thread.to_string(), revision, author: author.clone(), post: Some(post) };
                let text = serde_json::to_string(&whole).ok()?;
                if text.len() <= LONGEST {
                    return Some(text);
                }
                if is_partial {
                    // Growing words are kept nowhere; the whole ones follow.
                    return None;
                }
                Told::Post { thread: thread.to_string(), revision, author, post: None }
            }
            Event::Touched { sheet, by } => Told::Touched { sheet, ours: by == Writer::Us },
            // Whoever watches there compares on their own behalf.
            Event::Sheet(_) | Event::Missed => return None,
        };
        serde_json::to_string(&told).ok().filter(|text| text.len() <= LONGEST)
    }

    async fn hear(&self, channel: &str, mut hearing: Hearing) {
        loop {
            let failed = match tokio::time::timeout(LONGEST_SILENCE, hearing.next()).await {
                Ok(Ok(Heard::Own)) => continue,
                Ok(Ok(Heard::Word(word))) => {
                    self.heard(&word).await;
                    continue;
                }
                Ok(Ok(Heard::Nothing)) => {
                    self.missed();
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("nothing was heard for {} s, not even this process", LONGEST_SILENCE.as_secs()),
            };
            tracing::warn!(failed, "other processes cannot be heard any more; it is tried again");
            hearing = self.again(channel).await;
            self.missed();
        }
    }

    async fn again(&self, channel: &str) -> Hearing {
        loop {
            tokio::time::sleep(PAUSE).await;
            match self.store.hear(channel).await {
                Ok(Some(hearing)) => return hearing,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "other processes cannot be heard; it is tried again"),
            }
        }
    }

    /// Nobody knows what was told meanwhile.
    fn missed(&self) {
        self.sheets.doubt_all();
        self.events.pass_on(Event::Missed);
    }

    async fn heard(&self, word: &str) {
        let told: Vec<Told> = match serde_json::from_str(word) {
            Ok(told) => told,
            Err(error) => {
                // A process of another version.
                tracing::warn!(%error, "what another process told cannot be read");
                return self.missed();
            }
        };
        for told in told {
            match told {
                Told::Job { id, session_id, status, settled, answered, failed, total } => {
                    let Some(known) = JobStatus::of_word(&status).map(JobStatus::as_str) else { continue };
                    let view = View { settled, answered, failed, total };
                    self.events.pass_on(Event::Job(JobEvent { id: id.into(), session_id: session_id.into(), status: known, view }));
                }
                Told::Served { event, told } => self.events.pass_on(Event::Served { event: event.into(), told }),
                Told::Post { thread, revision, author, post } => {
                    let post = match post {
                        Some(post) => Some(post),
                        None => self.kept(&thread, revision).await,
                    };
                    match post {
                        Some(post) => {
                            let post = self.links.opened_in(post).into();
                            self.events.pass_on(Event::Post(PostEvent { thread: thread.into(), revision, author, post }));
                        }
                        // It has changed again, which is told next.
                        None => tracing::debug!(revision, "a message of another process is not as it was told"),
                    }
                }
                Told::Missed => self.missed(),
                Told::Touched { sheet, ours } => {
                    self.sheets.changed_elsewhere(SheetId(sheet), if ours { Writer::Us } else { Writer::Others });
                }
            }
        }
    }

    /// A message as it was at this revision, if it still is.
    async fn kept(&self, thread: &str, revision: i64) -> Option<Value> {
        let posts = self.store.posts_after(thread, revision - 1, i64::MAX).await;
        let posts = posts.inspect_err(|error| tracing::warn!(%error, "a message of another process cannot be looked up")).ok()?;
        posts.into_iter().find(|post| post.revision == revision).map(|post| post.body)
    }
}
