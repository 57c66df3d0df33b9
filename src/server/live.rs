//! `/ws`: what happens to sheets, jobs and sessions, told at once to programs and pages that have subscribed.
//! Whoever is too slow to take in everything is told how things stand instead; nothing grows meanwhile.

mod frame;
mod listeners;
mod outlet;
mod topic;

use crate::access::Access;
use crate::clock::Clock;
use crate::events::{Event, Events};
use crate::links::{Link, Links};
use crate::server::api::Problem;
use crate::server::web::told;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use crate::store::Store;
use crate::vault::Vault;
use crate::watch::Watch;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use frame::Packing;
use listeners::{Listener, Listeners};
use outlet::{Due, Outlet};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use topic::{Topic, Wanted};
use url::Url;

/// How long a ticket opens a connection.
pub(super) const TICKET: Duration = Duration::from_secs(60);
const PURPOSE: &str = "ticket";
/// Connections of a process.
const MAX_CONNECTIONS: usize = 5_000;
/// Pages of the viewer that one session has open.
const MAX_PAGES: usize = 200;
/// Topics of a connection.
const MAX_TOPICS: usize = 100;
/// Messages of clients are short.
const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// Smaller buffers than usual: most connections are silent most of the time.
const BUFFER_BYTES: usize = 4 << 10;
/// Connections are made anew after this time, so that rights are looked at again.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const PING: Duration = Duration::from_secs(20);
/// How long Smartsheet is waited for when it is asked whether a sheet can still be seen.
const RIGHTS: Duration = Duration::from_secs(5);

/// What live connections need.
pub struct Parts {
    /// Sessions and jobs.
    pub store: Store,
    /// Who may use the bot.
    pub access: Access,
    /// Sheets.
    pub watch: Arc<Watch>,
    /// What happens.
    pub events: Events,
    /// The time.
    pub clock: Clock,
    /// Seals tickets.
    pub vault: Vault,
    /// Links, which stand sealed in messages that are kept.
    pub links: Links,
    /// Where pages of ours are served from; connections of other pages are refused.
    pub public_base_url: Option<Url>,
}

/// All live connections.
pub struct Live {
    pub(super) parts: Parts,
    listeners: Listeners<WebSocket>,
    slots: Arc<Semaphore>,
    seats: Mutex<HashMap<String, usize>>,
    stop: CancellationToken,
}

/// A page of a session that is connected.
struct Seat {
    live: Arc<Live>,
    session: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.live.seats();
        if let Some(taken) = seats.get_mut(&self.session) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.session);
            }
        }
    }
}

/// Who may open a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub holder: Holder,
    pub until_ms: i64,
}

/// Who has a ticket: it opens what they may see.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Holder {
    /// A key of the API, with its scopes.
    Key { id: String, scopes: String },
    /// A page of the viewer.
    Viewer(Link),
}

impl Holder {
    /// On whose behalf sheets are read.
    fn identity(&self) -> Identity {
        match self {
            Self::Key { .. } => Identity::Service,
            Self::Viewer(link) => link.identity(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Opened {
    #[serde(default)]
    ticket: String,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Connect,
    #[serde(rename_all = "camelCase")]
    Subscribe {
        topic: String,
        last_event_id: Option<i64>,
    },
    Unsubscribe {
        topic: String,
    },
}

impl Live {
    /// Live connections over these parts, until told to stop.
    pub fn start(parts: Parts, stop: CancellationToken) -> Arc<Self> {
        let live = Arc::new(Self {
            parts,
            listeners: Listeners::default(),
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            seats: Mutex::default(),
            stop,
        });
        tokio::spawn(live.clone().tell());
        live
    }

    /// Seals a ticket.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub(super) fn ticket(&self, holder: Holder) -> anyhow::Result<String> {
        let until_ms = self.parts.clock.now_ms() + TICKET.as_millis() as i64;
        let ticket = Ticket { holder, until_ms };
        self.parts.vault.seal(PURPOSE, &serde_json::to_string(&ticket)?)
    }

    /// Opens a ticket, once.
    async fn redeem(&self, sealed: &str) -> Option<Ticket> {
        let opened = self.parts.vault.open(PURPOSE, sealed).ok()?;
        let ticket: Ticket = serde_json::from_str(&opened).ok()?;
        let now_ms = self.parts.clock.now_ms();
        let hash = Sha256::digest(sealed).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let held = async {
            let first = ticket.until_ms >= now_ms && self.parts.store.use_ticket(&hash, ticket.until_ms, now_ms).await?;
            anyhow::Ok(first && self.held(&ticket).await?)
        };
        // Whoever is new has to wait when it is not known; who is here already stays.
        let held = held.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a ticket cannot be looked into");
            false
        });
        held.then_some(ticket)
    }

    /// Whether a ticket still opens what it says: links and keys may have been revoked.
    async fn held(&self, ticket: &Ticket) -> anyhow::Result<bool> {
        let store = &self.parts.store;
        match &ticket.holder {
            Holder::Key { id, .. } => Ok(store.api_key(id).await?.is_some_and(|key| key.revoked_at_ms.is_none())),
            Holder::Viewer(link) => {
                let holds = self.parts.links.holds(link).await?;
                let access = &self.parts.access;
                let let_in = match &link.person {
                    Some(person) => access.role_in_session(&link.session, &person.id).await?.is_some(),
                    None => true,
                };
                let scope = access.scope_of_session(&link.session, &link.identity()).await;
                Ok(holds && let_in && scope.is_ok_and(|scope| scope.allows(link.sheet)))
            }
        }
    }

    /// Room for a connection; pages of one session take only a part of it.
    fn slot(self: &Arc<Self>, holder: &Holder) -> Option<(OwnedSemaphorePermit, Option<Seat>)> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        let Holder::Viewer(link) = holder else { return Some((slot, None)) };
        let mut seats = self.seats();
        let taken = seats.entry(link.session.clone()).or_default();
        if *taken >= MAX_PAGES {
            return None;
        }
        *taken += 1;
        drop(seats);
        Some((slot, Some(Seat { live: self.clone(), session: link.session.clone() })))
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.seats.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How long a connection may last: a page of the viewer as long as its link.
    fn lifetime(&self, ticket: &Ticket) -> Duration {
        match &ticket.holder {
            Holder::Key { .. } => LONGEST,
            Holder::Viewer(link) => Duration::from_millis((link.until_ms - self.parts.clock.now_ms()).max(0).unsigned_abs()).min(LONGEST),
        }
    }

    /// Makes frames of what happens, each once for all connections.
    async fn tell(self: Arc<Self>) {
        let mut events = self.parts.events.listen();
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                () = self.stop.cancelled() => return,
            };
            let (topic, value) = match event {
                Ok(Event::Job(e)) => (
                    Topic::Job(e.id.to_string()),
                    json!({
                        "type": "job_status", "jobId": &*e.id, "status": e.status, "progress": e.view.settled, "answered": e.view.answered,
                        "failed": e.view.failed, "total": e.view.total,
                    }),
                ),
                Ok(Event::Sheet(e)) => (Topic::Sheet(e.sheet), typed("sheet_update", e.version, &e.update)),
                Ok(Event::Post(e)) => (Topic::Thread(e.thread.to_string()), told(e.author.as_deref(), e.revision, &e.post)),
                Ok(Event::Served { .. } | Event::Touched { .. }) => continue,
                Ok(Event::Missed) | Err(RecvError::Lagged(_)) => {
                    self.listeners.all_missed_some();
                    continue;
                }
                Err(RecvError::Closed) => return,
            };
            self.listeners.tell(&topic, value).await;
        }
    }
}

fn typed(kind: &str, id: i64, update: &Value) -> Value {
    let mut value = update.clone();
    value["type"] = json!(kind);
    value["eventId"] = json!(id);
    value
}

/// Opens a connection.
pub(super) async fn open(
    State(live): State<Arc<Live>>,
    Query(opened): Query<Opened>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(error) => return Problem::new(error.status(), "no_websocket", format!("{}.", error.body_text())).into_response(),
    };
    if !from_our_page(&headers, live.parts.public_base_url.as_ref()) {
        return Problem::new(StatusCode::FORBIDDEN, "other_page", "Connections are only taken from pages of this server.").into_response();
    }
    let Some(ticket) = live.redeem(&opened.ticket).await else {
        let detail = "The ticket is not valid any more; POST /api/ws-ticket gives a new one.";
        return Problem::new(StatusCode::UNAUTHORIZED, "ticket_ended", detail).into_response();
    };
    let Some(slot) = live.slot(&ticket.holder) else {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many", "There are too many connections at the moment.");
        return problem.after(PING).into_response();
    };
    let upgrade = upgrade
        .protocols(Packing::PROTOCOLS)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES);
    let packing = Packing::of(upgrade.selected_protocol().and_then(|p| p.to_str().ok()));
    upgrade.on_upgrade(move |socket| Connection::serve(live, ticket, packing, socket, slot))
}

/// Programs send no Origin; pages of others are kept out.
pub(super) fn from_our_page(headers: &HeaderMap, public: Option<&Url>) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(origin) = origin.to_str().ok().and_then(|o| Url::parse(o).ok()) else { return false };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).and_then(|h| Url::parse(&format!("{}://{h}", origin.scheme())).ok());
    public.is_some_and(|p| p.origin() == origin.origin()) || host.is_some_and(|h| h.origin() == origin.origin())
}

/// One connection.
struct Connection {
    live: Arc<Live>,
    ticket: Ticket,
    packing: Packing,
    outlet: Listener<WebSocket>,
    topics: HashMap<Topic, Wanted>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.topics.keys().for_each(|topic| self.live.listeners.leave(topic, &self.outlet));
    }
}

impl Connection {
    async fn serve(live: Arc<Live>, ticket: Ticket, packing: Packing, socket: WebSocket, _slot: (OwnedSemaphorePermit, Option<Seat>)) {
        let open = metrics::gauge!("chatsheet_websocket_connections");
        open.increment(1);
        let (stop, lifetime) = (live.stop.clone(), live.lifetime(&ticket));
        let outlet = Arc::new(Outlet::new(socket, packing));
        let mut connection = Self { live, ticket, packing, outlet, topics: HashMap::new() };
        tokio::select! {
            ended = connection.run() => if let Err(error) = ended { tracing::debug!(%error, "a live connection ended"); },
            () = stop.cancelled() => connection.close(close_code::AWAY, "the server stops; connect again").await,
            () = tokio::time::sleep(lifetime) => connection.close(close_code::POLICY, "the link has ended").await,
        }
        drop(connection);
        open.decrement(1);
    }

    async fn run(&mut self) -> anyhow::Result<()> {
        self.send(&json!({ "type": "connected", "pingSeconds": PING.as_secs() })).await?;
        let mut ping = tokio::time::interval(PING);
        ping.reset();
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut alive = true;
        loop {
            self.send_due().await?;
            let said = tokio::select! {
                () = self.outlet.wanted() => continue,
                said = self.outlet.heard() => said,
                _ = ping.tick() => {
                    anyhow::ensure!(std::mem::take(&mut alive), "it did not answer a ping");
                    self.outlet.send(Message::Ping(Vec::new().into())).await?;
                    match self.live.held(&self.ticket).await {
                        Ok(false) => {
                            self.close(close_code::POLICY, "the link or the key has ended").await;
                            return Ok(());
                        }
                        Ok(true) => {}
                        Err(error) => tracing::warn!(%error, "it is not known whether a link or a key was revoked"),
                    }
                    self.leave_what_is_withdrawn().await?;
                    continue;
                }
            };
            // What happens while an answer is made comes after it.
            self.outlet.seize();
            alive = true;
            match said {
                Some(Ok(Message::Text(text))) => self.heard(serde_json::from_str(&text).ok()).await?,
                Some(Ok(Message::Binary(bytes))) => self.heard(rmp_serde::from_slice(&bytes).ok()).await?,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Sends what waits, until others may write.
    async fn send_due(&mut self) -> anyhow::Result<()> {
        self.outlet.flush().await?;
        loop {
            match self.outlet.due() {
                Due::Frame(frame) => self.outlet.pass(&frame).await?,
                Due::Missed => self.resync().await?,
                Due::Nothing => return Ok(()),
            }
        }
    }

    async fn heard(&mut self, said: Option<Said>) -> anyhow::Result<()> {
        match said {
            Some(Said::Connect) => self.send(&json!({ "type": "connected", "pingSeconds": PING.as_secs() })).await,
            Some(Said::Unsubscribe { topic }) => {
                self.leave(&topic);
                self.send(&json!({ "type": "unsubscribed", "topic": topic })).await
            }
            Some(Said::Subscribe { topic, .. }) if self.topics.len() >= MAX_TOPICS && !self.topics.values().any(|w| w.name == topic) => {
                self.refuse(&topic, "too_many", &format!("A connection has at most {MAX_TOPICS} topics.")).await
            }
            Some(Said::Subscribe { topic, last_event_id }) => {
                match self.live.want(&self.ticket, &topic, last_event_id, &self.outlet).await {
                    Ok((topic, wanted, state)) => {
                        self.topics.insert(topic, wanted);
                        for value in &state {
                            self.send(value).await?;
                        }
                        Ok(())
                    }
                    Err(problem) => {
                        if problem.status < 500 {
                            self.leave(&topic);
                        }
                        self.refuse(&topic, problem.code, &problem.detail).await
                    }
                }
            }
            None => {
                self.refuse("", "not_valid", "Send {\"type\": \"subscribe\", \"topic\": \"sheet:ID\"}, or unsubscribe, or connect.").await
            }
        }
    }

    fn leave(&mut self, name: &str) {
        for (gone, _) in self.topics.extract_if(|_, w| w.name == name) {
            self.live.listeners.leave(&gone, &self.outlet);
        }
    }

    /// Sheets that can no longer be seen in Smartsheet are not told of any more.
    async fn leave_what_is_withdrawn(&mut self) -> anyhow::Result<()> {
        let sheets = self.topics.iter().filter_map(|(topic, w)| match topic {
            Topic::Sheet(id) => Some((SheetId(*id), w.name.clone())),
            _ => None,
        });
        let (identity, watch) = (&self.ticket.holder.identity(), &self.live.parts.watch);
        // All at once: Smartsheet may be slow, and a ping is due before long.
        let asked = sheets.map(|(sheet, name)| async move {
            let seen = tokio::time::timeout(RIGHTS, watch.sees(identity, sheet)).await;
            (seen == Ok(false)).then_some(name)
        });
        for name in futures_util::future::join_all(asked).await.into_iter().flatten() {
            self.leave(&name);
            self.refuse(&name, "not_found", "This sheet cannot be seen in Smartsheet any more.").await?;
        }
        Ok(())
    }

    async fn refuse(&mut self, topic: &str, code: &str, detail: &str) -> anyhow::Result<()> {
        let topic: String = topic.chars().take(100).collect();
        self.send(&json!({ "type": "error", "topic": topic, "code": code, "detail": detail })).await
    }

    /// Tells how all topics stand, because what happened meanwhile was missed.
    async fn resync(&mut self) -> anyhow::Result<()> {
        let known: Vec<(String, Option<i64>)> = self.topics.values().map(|w| (w.name.clone(), w.known)).collect();
        for (name, known) in known {
            match self.live.want(&self.ticket, &name, known, &self.outlet).await {
                Ok((topic, wanted, state)) => {
                    self.topics.insert(topic, wanted);
                    for value in &state {
                        self.send(value).await?;
                    }
                }
                Err(problem) => {
                    if problem.status < 500 {
                        self.leave(&name);
                    }
                    self.refuse(&name, problem.code, &problem.detail).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&mut self, value: &Value) -> anyhow::Result<()> {
        self.outlet.send(self.packing.message(value)?).await
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(Duration::from_secs(1), self.outlet.send(Message::Close(Some(frame)))).await;
    }
}
