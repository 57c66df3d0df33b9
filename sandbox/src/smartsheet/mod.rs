//! A stateful Smartsheet: the documented REST API 2.0 over one world in memory.

mod accounts;
mod attachments;
mod beside;
mod cells;
mod columns;
mod discussions;
mod error;
mod formulas;
mod links;
mod page;
mod plant;
mod project;
mod rows;
mod samples;
mod samples_odd;
mod search;
mod sheets;
mod transfer;
mod webhooks;
mod world;

pub use accounts::{Account, CLIENT_ID, CLIENT_SECRET};
pub use samples::Seed;
pub use world::{Logged, World};

use crate::fault::{self, Faults, Kind};
use crate::serve::{self, Running};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use error::Failure;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tower_http::compression::CompressionLayer;

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What is there at the start.
    pub seed: Seed,
    /// The day that the sample dates are laid around.
    pub today: jiff::civil::Date,
    /// Requests a minute and token.
    pub requests_per_minute: usize,
    /// How long a write takes; a second write to the same sheet meanwhile is refused (4004).
    pub write_latency: Duration,
    /// How long changes are collected before a webhook is called.
    pub webhook_debounce: Duration,
    /// How long tokens of people live.
    pub token_lifetime: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: Seed::Samples,
            today: jiff::civil::date(2026, 11, 22),
            requests_per_minute: 300,
            write_latency: Duration::ZERO,
            webhook_debounce: Duration::from_secs(60),
            token_lifetime: Duration::from_secs(604_799),
        }
    }
}

/// A running Smartsheet stand-in.
#[derive(Clone)]
pub struct Smartsheet {
    running: Arc<Running>,
    service: Arc<Service>,
}

/// What happens as a request that changes something comes in, after so many others.
type Meanwhile = (usize, Box<dyn FnOnce(&mut World) + Send>);

/// The access token that the stand-in knows.
pub const TOKEN: &str = "sandbox-smartsheet-token";

pub(crate) struct Service {
    world: Mutex<World>,
    faults: Faults,
    writing: Mutex<BTreeSet<i64>>,
    recent: Mutex<HashMap<String, VecDeque<Instant>>>,
    happened: Notify,
    held: watch::Sender<bool>,
    meanwhile: Mutex<Vec<Meanwhile>>,
    tokens: Mutex<accounts::Tokens>,
    options: Options,
    pub(crate) webhooks: webhooks::Queue,
}

impl Smartsheet {
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let world = World::new(options.seed, options.today, &origin);
        let service = Arc::new(Service {
            world: Mutex::new(world),
            faults: Faults::default(),
            writing: Mutex::default(),
            recent: Mutex::default(),
            happened: Notify::new(),
            held: watch::Sender::default(),
            meanwhile: Mutex::default(),
            tokens: Mutex::default(),
            webhooks: webhooks::Queue::default(),
            options,
        });
        let running = serve::serve(listener, router(service.clone()))?;
        Ok(Self { running: Arc::new(running), service })
    }

    /// The base URL of its API.
    pub fn base_url(&self) -> String {
        format!("{}/2.0", self.running.origin())
    }

    /// The settings that lead the bot here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("SMARTSHEET_API_BASE_URL", self.base_url()), ("SMARTSHEET_ACCESS_TOKEN", TOKEN.to_owned())]
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// Whether writes are only carried out once it lets go. Those that came are in the log.
    pub fn hold_writes(&self, hold: bool) {
        self.service.held.send_replace(hold);
    }

    /// Somebody does something at the very moment when the nth request from now comes in that changes something, before it is
    /// carried out or refused.
    pub fn at_write(&self, nth: usize, act: impl FnOnce(&mut World) + Send + 'static) {
        self.service.meanwhile().push((nth, Box::new(act)));
    }

    /// The sheets and everything else that is there, to look at or to change behind the bot's back.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.service.world()
    }

    /// Changes a cell as another person would, and calls the webhooks of the sheet.
    pub fn edit(&self, sheet: &str, row: &str, column: &str, value: serde_json::Value) {
        self.world().edit(sheet, row, column, value);
        webhooks::notify(&self.service);
    }

    /// Switches the webhooks of a sheet off, or on, and says so to their owners.
    pub async fn switch_webhooks(&self, sheet: &str, status: &str) {
        webhooks::switch(&self.service, sheet, status).await;
    }

    /// Returns when the world is like this, which is looked at whenever a request came in or was carried out.
    ///
    /// # Errors
    /// When that does not happen within a minute.
    pub async fn until(&self, condition: impl Fn(&World) -> bool) -> anyhow::Result<()> {
        let wait = async {
            loop {
                let happened = self.service.happened.notified();
                tokio::pin!(happened);
                happened.as_mut().enable();
                if condition(&self.world()) {
                    return;
                }
                happened.await;
            }
        };
        tokio::time::timeout(serve::PATIENCE, wait).await.map_err(|_| {
            let last = self.world().log.last().map(|l| format!("{} {}", l.method, l.path));
            anyhow::anyhow!("not so after a minute; the last request was {last:?}")
        })
    }

    /// Waits until the stand-in ends, which it does only when it fails.
    pub async fn wait(self) {
        if let Ok(running) = Arc::try_unwrap(self.running) {
            running.wait().await;
        }
    }
}

impl Service {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn meanwhile(&self) -> MutexGuard<'_, Vec<Meanwhile>> {
        self.meanwhile.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// A request that changes something has come in.
    fn write_comes_in(&self) {
        let mut waiting = self.meanwhile();
        waiting.iter_mut().for_each(|(nth, _)| *nth -= 1);
        for (_, act) in waiting.extract_if(.., |(nth, _)| *nth == 0) {
            act(&mut self.world());
        }
    }

    /// Runs a write on a sheet, refusing it while another write on that sheet is under way.
    pub(crate) async fn write<T>(&self, sheet_id: i64, change: impl FnOnce(&mut World) -> Result<T, Failure>) -> Result<T, Failure> {
        if !self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(sheet_id) {
            return Err(Failure::busy(sheet_id));
        }
        if !self.options.write_latency.is_zero() {
            tokio::time::sleep(self.options.write_latency).await;
        }
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        let result = {
            let mut world = self.world();
            change(&mut world).inspect(|_| world.follow_links())
        };
        self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&sheet_id);
        result
    }

    /// Whether a token has used up its minute; each has one of its own.
    fn over_rate(&self, token: &str, cost: usize) -> bool {
        let now = Instant::now();
        let mut all = self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let recent = all.entry(token.to_owned()).or_default();
        while recent.front().is_some_and(|t| now.duration_since(*t) > Duration::from_secs(60)) {
            recent.pop_front();
        }
        recent.extend(std::iter::repeat_n(now, cost));
        recent.len() > self.options.requests_per_minute
    }
}

fn router(service: Arc<Service>) -> Router {
    let api = Router::new()
        .route("/users/me", get(sheets::me))
        .route("/contacts", get(accounts::contacts))
        .route("/sheets", get(sheets::list).post(sheets::create))
        .route("/sheets/{sheet}", get(sheets::read).put(sheets::update).delete(sheets::delete))
        .route("/sheets/{sheet}/version", get(sheets::version))
        .route("/sheets/{sheet}/columns", get(columns::list).post(columns::add))
        .route("/sheets/{sheet}/columns/{column}", get(columns::read).put(columns::update).delete(columns::delete))
        .route("/sheets/{sheet}/rows", post(rows::add).put(rows::update).delete(rows::delete))
        .route("/sheets/{sheet}/rows/{row}", get(rows::read))
        .route("/sheets/{sheet}/rows/copy", post(transfer::copy_rows))
        .route("/sheets/{sheet}/rows/move", post(transfer::move_rows))
        .route("/sheets/{sheet}/rows/{row}/columns/{column}/history", get(beside::history))
        .route("/sheets/{sheet}/rows/{row}/attachments", get(attachments::of_row).post(attachments::on_row))
        .route("/sheets/{sheet}/attachments", get(attachments::of_sheet).post(attachments::on_sheet))
        .route("/sheets/{sheet}/attachments/{attachment}", get(attachments::read).delete(attachments::delete))
        .route("/sheets/{sheet}/copy", post(transfer::copy_sheet))
        .route("/sheets/{sheet}/sort", post(transfer::sort))
        .route("/sheets/{sheet}/summary/fields", get(beside::summary_fields))
        .route("/sheets/{sheet}/updaterequests", post(beside::ask_for_update))
        .route("/sheets/{sheet}/discussions", get(discussions::of_sheet).post(discussions::on_sheet))
        .route("/sheets/{sheet}/rows/{row}/discussions", get(discussions::of_row).post(discussions::on_row))
        .route("/sheets/{sheet}/discussions/{discussion}", get(discussions::read).delete(discussions::delete))
        .route("/sheets/{sheet}/discussions/{discussion}/comments", post(discussions::comment))
        .route(
            "/sheets/{sheet}/comments/{comment}",
            get(discussions::read_comment).put(discussions::edit_comment).delete(discussions::delete_comment),
        )
        .route("/reports", get(beside::none))
        .route("/sights", get(beside::none))
        .route("/favorites", get(beside::none))
        .route("/serverinfo", get(beside::server))
        .route("/search", get(search::everywhere))
        .route("/search/sheets/{sheet}", get(search::in_sheet))
        .route("/workspaces", get(sheets::workspaces))
        .route("/workspaces/{workspace}/metadata", get(sheets::workspace))
        .route("/workspaces/{workspace}/children", get(sheets::workspace_children))
        .route("/folders/{folder}/children", get(sheets::folder_children))
        .route("/workspaces/{workspace}/sheets", post(sheets::create_in_workspace))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{webhook}", get(webhooks::read).put(webhooks::update).delete(webhooks::delete))
        .route("/webhooks/{webhook}/resetsharedsecret", post(webhooks::reset_secret))
        .fallback(|| async { Failure::not_found() })
        .method_not_allowed_fallback(|| async { Failure::new(1010, "HTTP Method not supported.") })
        .layer(middleware::map_response(in_json))
        .layer(middleware::from_fn_with_state(service.clone(), gate))
        .layer(CompressionLayer::new().gzip(true))
        .layer(DefaultBodyLimit::max(32 << 20));
    Router::new()
        .route("/2.0/token", post(accounts::token).delete(accounts::revoke))
        .route("/b/authorize", get(accounts::authorize))
        .nest("/2.0", api)
        .route("/sheets/{sheet}", get(page::show))
        .route("/files/{sheet}/{attachment}", get(attachments::download))
        .with_state(service)
}

/// What the framework refuses by itself, such as an id that is none, in the words of the service.
async fn in_json(response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match response.status().as_u16() {
        400 | 422 if !is_json => {
            let why = axum::body::to_bytes(response.into_body(), 4096).await.unwrap_or_default();
            match why.starts_with(b"Invalid URL") {
                true => Failure::new(1018, "The value of an id in the path is invalid.").into_response(),
                false => Failure::new(1008, "Unable to parse request.").into_response(),
            }
        }
        415 if !is_json => Failure::new(1124, "Invalid Content-Type header. Media type not supported.").into_response(),
        _ => response,
    }
}

/// Before every call: faults, token, rate; after it: the log.
async fn gate(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let (request, entry) = logged(request).await;
    let change = entry.method != "GET";
    let fault = if change { service.faults.draw_write() } else { service.faults.draw() };
    let token = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = token.map(str::to_owned);
    let opened = token.as_deref().map(|t| service.tokens().open(t));
    let person = opened.as_ref().and_then(|o| o.as_ref().ok().cloned().flatten());
    service.world().log.push(Logged { fault, person: person.as_ref().map(|p| p.email.clone()), ..entry });
    if change {
        service.write_comes_in();
    }
    service.happened.notify_waiters();
    if let Some(kind) = fault
        && let Some(response) = fault::before(kind).await
    {
        return response;
    }
    let cost = if request.uri().path().split('/').any(|p| matches!(p, "attachments" | "history")) { 10 } else { 1 };
    let failure = match &opened {
        None => Some(Failure::new(1001, "An Access Token is required.")),
        Some(Err(failure)) => Some(failure.clone()),
        Some(_) if fault == Some(Kind::RateLimited) || service.over_rate(token.as_deref().unwrap_or_default(), cost) => {
            Some(Failure::rate_limited())
        }
        Some(_) if fault == Some(Kind::Busy) && change => Some(Failure::busy(0)),
        Some(_) if fault == Some(Kind::ServerError) => Some(if change {
            Failure::new(4002, "Server timeout exceeded.")
        } else {
            Failure::new(4001, "Smartsheet.com is currently offline for system maintenance. Please check back again shortly.")
        }),
        Some(_) => None,
    };
    let out_of_scope = || token.as_deref().and_then(|t| service.tokens().out_of_scope(t, request.uri().path(), change));
    let failure = failure.or_else(out_of_scope);
    let failure = failure.or_else(|| accounts::forbidden(&service, person.as_ref(), request.uri().path(), change));
    if let Some(failure) = failure {
        return failure.into_response();
    }
    let next = move |request| accounts::PERSON.scope(person, next.run(request));
    if fault == Some(Kind::Late) {
        return fault::late(next(request));
    }
    let agent = request.headers().get("smartsheet-change-agent").and_then(|v| v.to_str().ok()).map(str::to_owned);
    if !change {
        let response = next(request).await;
        service.happened.notify_waiters();
        return fault::after(fault, response).await;
    }
    // What changes something is carried out, whether or not somebody still waits for the answer.
    let carried_out = tokio::spawn(async move {
        let response = world::AGENT.scope(agent, next(request)).await;
        service.happened.notify_waiters();
        webhooks::notify(&service);
        response
    });
    match carried_out.await {
        Ok(response) => fault::after(fault, response).await,
        Err(_) => Failure::new(4000, "An unexpected error has occurred.").into_response(),
    }
}

async fn logged(request: Request) -> (Request, Logged) {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap_or_default();
    let keep_body = parts.method != Method::GET;
    let agent = parts.headers.get("smartsheet-change-agent").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let entry = Logged {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        body: if keep_body { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() },
        change_agent: agent,
        fault: None,
        person: None,
    };
    (Request::from_parts(parts, Body::from(bytes)), entry)
}
