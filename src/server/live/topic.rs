//! Topics: what can be subscribed to, by whom, and how things stand at that moment.

use super::listeners::Listener;
use super::{Holder, Live, Ticket};
use crate::server::api::{Problem, Scope};
use crate::server::web::told;
use crate::sheet::SheetId;
use crate::store::{Job, Post};
use crate::watch::Held;
use axum::extract::ws::WebSocket;
use serde_json::{Value, json};

/// Posts that are read at once for whoever was away, and about how many they are told again at most.
const MOST_POSTS: i64 = 2_000;

/// What frames are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Topic {
    /// A sheet.
    Sheet(i64),
    /// A job.
    Job(String),
    /// What is said in the thread of a session.
    Thread(String),
}

/// A topic that a connection has subscribed to.
pub(super) struct Wanted {
    /// What the client calls it.
    pub name: String,
    /// The last event that was known when it was told how things stand, where they are counted.
    pub known: Option<i64>,
    /// Keeps a sheet watched.
    _held: Option<Held>,
}

/// A topic, what keeps it alive, and how it stands.
type Subscribed = (Topic, Wanted, Vec<Value>);

/// A topic that a connection has just joined: it leaves it again when it is not told how things stand.
struct Joined<'a> {
    live: &'a Live,
    listener: &'a Listener<WebSocket>,
    topic: Option<Topic>,
}

impl Joined<'_> {
    fn keep(mut self) {
        self.topic = None;
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        if let Some(topic) = &self.topic {
            self.live.listeners.leave(topic, self.listener);
        }
    }
}

impl Live {
    /// Listens to a topic before it is looked how things stand, so that nothing is missed in between.
    fn joined<'a>(&'a self, topic: Topic, name: &str, listener: &'a Listener<WebSocket>) -> Joined<'a> {
        let new = self.listeners.join(topic.clone(), name, listener);
        Joined { live: self, listener, topic: new.then_some(topic) }
    }

    /// Subscribes to a topic that the ticket allows. Who knows the event `last` is told what came after it.
    /// The listener is told everything that happens after the state that is returned.
    pub(super) async fn want(
        &self,
        ticket: &Ticket,
        name: &str,
        last: Option<i64>,
        listener: &Listener<WebSocket>,
    ) -> Result<Subscribed, Problem> {
        let (kind, id) = name.split_once(':').unwrap_or((name, ""));
        match kind {
            "sheet" => self.want_sheet(ticket, name, id, last, listener).await,
            "job" => self.want_job(ticket, name, id, listener).await,
            "session" => self.want_session(ticket, name, id, last, listener).await,
            _ => Err(Problem::not_valid("A topic is sheet:ID, job:ID or session:ID.")),
        }
    }

    async fn want_sheet(
        &self,
        ticket: &Ticket,
        name: &str,
        id: &str,
        last: Option<i64>,
        listener: &Listener<WebSocket>,
    ) -> Result<Subscribed, Problem> {
        let sheet = SheetId::try_from(id.to_owned()).map_err(|_| Problem::not_found("sheet"))?;
        match &ticket.holder {
            Holder::Key { scopes, .. } => Scope::Read.needed_in(scopes)?,
            Holder::Viewer(link) if link.sheet == sheet => {}
            Holder::Viewer(_) => return Err(Problem::not_found("sheet")),
        }
        // Ids may be written in several ways.
        let joined = self.joined(Topic::Sheet(sheet.0), &format!("sheet:{sheet}"), listener);
        let (held, snapshot) = self.parts.watch.hold(ticket.holder.identity(), sheet).await?;
        let (version, live) = (snapshot.version, self.parts.watch.has_webhook(sheet).await?);
        joined.keep();
        let mut state = vec![json!({ "type": "subscribed", "topic": name, "eventId": version, "webhook": live })];
        if last.is_some_and(|l| l != version) {
            state.push(json!({ "type": "sheet_update", "topic": name, "eventId": version, "version": version, "reload": true }));
        }
        Ok((Topic::Sheet(sheet.0), Wanted { name: name.to_owned(), known: Some(version), _held: Some(held) }, state))
    }

    async fn want_job(&self, ticket: &Ticket, name: &str, id: &str, listener: &Listener<WebSocket>) -> Result<Subscribed, Problem> {
        if let Holder::Key { scopes, .. } = &ticket.holder {
            Scope::Jobs.needed_in(scopes)?;
        }
        let theirs = |job: &Job| match &ticket.holder {
            Holder::Key { id, .. } => job.asker == *id,
            Holder::Viewer(link) => job.session_id == link.session && job.sheet == link.sheet,
        };
        let read = async || Ok::<_, Problem>(self.parts.store.job(id).await?.filter(theirs));
        read().await?.ok_or_else(|| Problem::not_found("job"))?;
        let topic = Topic::Job(id.to_owned());
        let joined = self.joined(topic.clone(), name, listener);
        let job = read().await?.ok_or_else(|| Problem::not_found("job"))?;
        joined.keep();
        let state = vec![
            json!({ "type": "subscribed", "topic": name }),
            json!({
                "type": "job_status", "topic": name, "jobId": job.id, "status": job.status.as_str(), "progress": job.progress,
                "total": job.total, "answered": 0, "failed": job.result.as_ref().and_then(|r| r["failedRows"].as_u64()).unwrap_or(0),
                "error": job.error, "result": job.result,
            }),
        ];
        Ok((topic, Wanted { name: name.to_owned(), known: None, _held: None }, state))
    }

    async fn want_session(
        &self,
        ticket: &Ticket,
        name: &str,
        id: &str,
        last: Option<i64>,
        listener: &Listener<WebSocket>,
    ) -> Result<Subscribed, Problem> {
        let store = &self.parts.store;
        let found = match &ticket.holder {
            Holder::Key { id: key, scopes } => {
                Scope::Chat.needed_in(scopes)?;
                store.web_session(id, key).await?.map(|(_, thread)| thread)
            }
            // What was said is for the person whose link it is.
            Holder::Viewer(link) if link.person.is_some() && link.session == id => store.thread_of_session(id).await?,
            Holder::Viewer(_) => None,
        };
        let thread = found.ok_or_else(|| Problem::not_found("session"))?;
        let topic = Topic::Thread(thread.key.storage_key());
        let joined = self.joined(topic.clone(), name, listener);
        let now = store.last_revision(&thread.key.storage_key()).await?;
        let missed = match last.filter(|last| *last < now) {
            Some(after) => store.posts_after(&thread.key.storage_key(), after, MOST_POSTS).await?,
            None => Vec::new(),
        };
        joined.keep();
        let mut state = vec![json!({ "type": "subscribed", "topic": name, "eventId": now })];
        let frame = |p: Post| {
            let mut frame = told(p.author.as_deref(), p.revision, &self.parts.links.opened_in(p.body));
            frame["topic"] = json!(name);
            frame
        };
        state.extend(missed.into_iter().map(frame));
        Ok((topic, Wanted { name: name.to_owned(), known: Some(now), _held: None }, state))
    }
}
