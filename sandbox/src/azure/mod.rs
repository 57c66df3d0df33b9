//! Azure OpenAI chat completions over HTTP: scripted, faulty, or answered by the built-in demo model.

mod behaviour;
mod demo;
pub mod entra;
mod limit;
mod obedient;
mod responses;
mod script;
mod text;
mod wire;

pub use behaviour::{BEHAVIOURS, Behaviour, Functions, Shape, Surface, WITHOUT_FUNCTIONS, Wording};
pub use script::Reply;

use crate::fault::{self, Faults, Kind};
use crate::serve::{self, Running};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// The API key that the stand-in knows.
pub const API_KEY: &str = "sandbox-azure-key";
/// The deployment that the stand-in has.
pub const DEPLOYMENT: &str = "sandbox";
/// The deployment that only continues texts.
pub const TEXT_DEPLOYMENT: &str = "sandbox-text";

/// Where the answers come from.
#[derive(Clone, Debug)]
pub enum Mode {
    /// The built-in, pattern-based demo model.
    Demo,
    /// These replies, in this order.
    Script(Vec<Reply>),
    /// A model that does what any text tells it: where `OBEY 3` stands in what it reads, it answers with the third of these replies
    /// (from 0), once a turn. Before that it reads the sheet, and behind it it says that it is done.
    Obedient(Vec<Reply>),
}

/// How to start the stand-in.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the answers come from.
    pub mode: Mode,
    /// What the deployment takes and how it answers.
    pub behaviour: Behaviour,
    /// Time to the first token.
    pub latency: Duration,
    /// The same for questions about single rows, on top of it.
    pub row_latency: Duration,
    /// Requests that are granted in a window of this length, told in every answer; none for no limit.
    pub limit: Option<(u64, Duration)>,
    /// How long tokens of Entra ID last.
    pub token_life: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            mode: Mode::Demo,
            behaviour: BEHAVIOURS[0],
            latency: Duration::ZERO,
            row_latency: Duration::ZERO,
            limit: None,
            token_life: Duration::from_secs(3_600),
        }
    }
}

/// A running Azure OpenAI stand-in.
#[derive(Clone)]
pub struct Azure {
    running: Arc<Running>,
    service: Arc<Service>,
}

struct Service {
    options: Options,
    faults: Faults,
    script: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Value>>,
    /// How many of them the deployment did not take.
    refused: AtomicUsize,
    turned_away: AtomicUsize,
    fails_from: AtomicUsize,
    asked: Notify,
    /// Whether answers are held back.
    paused: watch::Sender<bool>,
    /// Requests with this word fail, whatever is tried.
    stumbles_over: Mutex<Option<String>>,
    window: Mutex<limit::Window>,
    /// Requests that are being answered, and the most that were at once.
    under_way: Mutex<(usize, usize)>,
    /// Tokens of Entra ID, and when they end.
    tokens: Mutex<Vec<(String, Instant)>>,
}

impl Service {
    /// What thoughts of this resource are sealed with; no other can read them.
    fn seal(&self) -> String {
        format!("gAAAAAB-{:p}", std::ptr::from_ref(self))
    }
}

/// A request that is being answered.
struct UnderWay<'a>(&'a Service);

impl<'a> UnderWay<'a> {
    fn begin(service: &'a Service) -> Self {
        let mut under_way = lock(&service.under_way);
        under_way.0 += 1;
        under_way.1 = under_way.1.max(under_way.0);
        Self(service)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(&self.0.under_way).0 -= 1;
    }
}

impl Azure {
    /// Starts it.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let listener = serve::bind(options.listen).await?;
        let script = match &options.mode {
            Mode::Script(replies) => replies.iter().cloned().collect(),
            Mode::Demo | Mode::Obedient(_) => VecDeque::new(),
        };
        let service = Arc::new(Service {
            options,
            faults: Faults::default(),
            script: Mutex::new(script),
            requests: Mutex::default(),
            refused: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
            fails_from: AtomicUsize::new(usize::MAX),
            asked: Notify::new(),
            paused: watch::Sender::default(),
            stumbles_over: Mutex::default(),
            window: Mutex::default(),
            under_way: Mutex::default(),
            tokens: Mutex::default(),
        });
        let router = Router::new()
            .route("/openai/deployments/{deployment}/chat/completions", post(dated))
            .route("/openai/deployments/{deployment}/completions", post(text::dated))
            .route("/openai/v1/completions", post(text::current))
            .route("/openai/v1/chat/completions", post(current))
            .route("/v1/chat/completions", post(current))
            .route("/openai/v1/responses", post(responses::current))
            .route("/v1/responses", post(responses::current))
            .merge(entra::routes())
            .fallback(|| async { wire::error(404, "404", "Resource not found") })
            .with_state(service.clone());
        Ok(Self { running: Arc::new(serve::serve(listener, router)?), service })
    }

    /// The endpoint, as it is set in `AZURE_OPENAI_API_BASE`.
    pub fn base_url(&self) -> String {
        self.running.origin()
    }

    /// The settings that lead the bot here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_OPENAI_API_BASE", self.base_url()),
            ("AZURE_OPENAI_API_KEY", API_KEY.to_owned()),
            ("AZURE_OPENAI_API_VERSION", "2024-10-21".to_owned()),
            ("AZURE_OPENAI_DEPLOYMENT", DEPLOYMENT.to_owned()),
        ]
    }

    /// The settings that lead the bot here with tokens of Entra ID instead of a key.
    pub fn entra_settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_OPENAI_API_KEY", String::new()),
            ("AZURE_OPENAI_AUTH", "entra".to_owned()),
            ("AZURE_AUTHORITY_HOST", self.base_url()),
            ("AZURE_TENANT_ID", entra::TENANT.to_owned()),
            ("AZURE_CLIENT_ID", entra::CLIENT.to_owned()),
            ("AZURE_CLIENT_SECRET", entra::SECRET.to_owned()),
        ]
    }

    /// Tokens of Entra ID that were given so far are good for nothing any more.
    pub fn end_tokens(&self) {
        lock(&self.service.tokens).iter_mut().for_each(|(_, ends)| *ends = Instant::now());
    }

    /// How many tokens of Entra ID were given.
    pub fn tokens(&self) -> usize {
        lock(&self.service.tokens).len()
    }

    /// Faults on demand.
    pub fn faults(&self) -> &Faults {
        &self.service.faults
    }

    /// The most requests that were being answered at the same time.
    pub fn most_at_once(&self) -> usize {
        lock(&self.service.under_way).1
    }

    /// Whether requests are only answered once it goes on.
    pub fn pause(&self, pause: bool) {
        self.service.paused.send_replace(pause);
    }

    /// From now on requests with this word fail (500), as long as there is one.
    pub fn stumble_over(&self, word: &str) {
        *lock(&self.service.stumbles_over) = Some(word.to_owned());
    }

    /// Adds replies to the script.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.service.script).extend(replies);
    }

    /// Every request body so far, oldest first.
    pub fn requests(&self) -> Vec<Value> {
        lock(&self.service.requests).clone()
    }

    /// From this request on the service fails (503).
    pub fn fail_from(&self, request: usize) {
        self.service.fails_from.store(request, Ordering::Relaxed);
    }

    /// How many requests came without a key or token that is good.
    pub fn turned_away(&self) -> usize {
        self.service.turned_away.load(Ordering::Relaxed)
    }

    /// How many requests the deployment did not take.
    pub fn refused(&self) -> usize {
        self.service.refused.load(Ordering::Relaxed)
    }

    /// Returns when the requests so far fulfil a condition.
    ///
    /// # Errors
    /// When they do not within a minute.
    pub async fn until(&self, condition: impl Fn(&[Value]) -> bool) -> anyhow::Result<()> {
        let wait = async {
            loop {
                let asked = self.service.asked.notified();
                tokio::pin!(asked);
                asked.as_mut().enable();
                if condition(&lock(&self.service.requests)) {
                    return;
                }
                asked.await;
            }
        };
        let timed_out = |_| anyhow::anyhow!("not so after a minute and {} requests", lock(&self.service.requests).len());
        tokio::time::timeout(serve::PATIENCE, wait).await.map_err(timed_out)
    }

    /// Waits until the stand-in ends, which it does only when it fails.
    pub async fn wait(self) {
        if let Ok(running) = Arc::try_unwrap(self.running) {
            running.wait().await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn dated(
    State(service): State<Arc<Service>>,
    Path(deployment): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if !query.contains_key("api-version") {
        return wire::error(404, "404", "Resource not found");
    }
    answer(&service, &deployment, &headers, body, false).await
}

async fn current(State(service): State<Arc<Service>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let deployment = body["model"].as_str().unwrap_or_default().to_owned();
    answer(&service, &deployment, &headers, body, false).await
}

/// A request that is going to be answered.
struct Received {
    fault: Option<Kind>,
    window: Option<limit::Left>,
}

/// What comes before every answer: key, deployment, log, faults, limit. The error is the answer then.
async fn receive(service: &Service, deployment: &str, own: &str, headers: &HeaderMap, body: &Value) -> Result<Received, Response> {
    if let Some(response) = refusal_at_the_door(service, deployment, own, headers, body) {
        return Err(response);
    }
    if lock(&service.requests).len() > service.fails_from.load(Ordering::Relaxed) {
        return Err(wire::error(503, "ServiceUnavailable", "The service is temporarily unable to process your request."));
    }
    let fault = service.faults.draw();
    if let Some(response) = troubled(fault).await {
        return Err(response);
    }
    let Some((requests, length)) = service.options.limit else { return Ok(Received { fault, window: None }) };
    let window = lock(&service.window).take(requests, length).map_err(wire::throttled)?;
    Ok(Received { fault, window: Some(window) })
}

async fn answer(service: &Service, deployment: &str, headers: &HeaderMap, body: Value, responses: bool) -> Response {
    let _under_way = UnderWay::begin(service);
    let Received { fault, window } = match receive(service, deployment, DEPLOYMENT, headers, &body).await {
        Ok(received) => received,
        Err(response) => return response,
    };
    let behaviour = service.options.behaviour;
    if !behaviour.offers(responses) {
        service.refused.fetch_add(1, Ordering::Relaxed);
        return if responses {
            wire::error(404, "404", "Resource not found")
        } else {
            let message = "The chatCompletion operation does not work with the specified model, sandbox-model. Please choose different model and try again.";
            wire::error(400, "OperationNotSupported", message)
        };
    }
    let fault_of_items = if responses { responses::fault(&body, &service.seal()) } else { None };
    if let Some(refusal) = fault_of_items.or_else(|| behaviour.refusal(&body, responses)) {
        service.refused.fetch_add(1, Ordering::Relaxed);
        return refusal;
    }
    let sent = body;
    let body = if responses { responses::as_chat(&sent) } else { sent.clone() };
    if let Some(refusal) = unusable(&body) {
        return refusal;
    }
    let of_row = if body["response_format"].is_object() { service.options.row_latency } else { Duration::ZERO };
    // A sleep of no time lasts until the next tick of the timer.
    if !(service.options.latency + of_row).is_zero() {
        tokio::time::sleep(service.options.latency + of_row).await;
    }
    if lock(&service.stumbles_over).as_ref().is_some_and(|word| body.to_string().contains(word.as_str())) {
        return wire::error(500, "server_error", "The server had an error while processing your request.");
    }
    // The sender lives as long as the service.
    let _ = service.paused.subscribe().wait_for(|paused| !paused).await;
    let reply = match &service.options.mode {
        _ if fault == Some(Kind::Nonsense) => Reply::Say("As an admiral, I prefer the sea.".into()),
        Mode::Demo => demo::reply(&body),
        Mode::Obedient(orders) => obedient::reply(&body, orders),
        Mode::Script(_) => {
            let next = lock(&service.script).pop_front().unwrap_or_else(|| Reply::Say("(the script has ended)".into()));
            next.filled(&body)
        }
    };
    let limit = ["max_tokens", "max_completion_tokens", "max_output_tokens"].iter().find_map(|name| sent[*name].as_u64());
    let reply = match behaviour.shape {
        Shape::Thirsty(needs) if limit.is_some_and(|limit| limit < needs) => {
            Reply::Cut { text: String::new(), finish_reason: "length".into() }
        }
        _ => reply,
    };
    let mut response = if responses {
        responses::render(&reply, &sent, behaviour.shape == Shape::Whole, &service.seal())
    } else {
        let streaming = body["stream"] == json!(true) && behaviour.shape != Shape::Whole;
        let usage = body["stream_options"]["include_usage"] == json!(true);
        wire::render(&reply, streaming, usage, behaviour.shape)
    };
    limit::tell(response.headers_mut(), window);
    fault::after(fault, response).await
}

/// Checks key and deployment, and keeps the request; an answer when it goes no further.
fn refusal_at_the_door(service: &Service, deployment: &str, own: &str, headers: &HeaderMap, body: &Value) -> Option<Response> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let bearer = header("authorization").and_then(|v| v.strip_prefix("Bearer "));
    let known = header("api-key").or(bearer) == Some(API_KEY) || bearer.is_some_and(|token| entra::is_good(service, token));
    if !known {
        service.turned_away.fetch_add(1, Ordering::Relaxed);
        return Some(wire::error(
            401,
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
        ));
    }
    if deployment != own {
        return Some(wire::error(
            404,
            "DeploymentNotFound",
            "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
        ));
    }
    lock(&service.requests).push(body.clone());
    service.asked.notify_waiters();
    None
}

/// The answer of a fault that comes before anything else.
async fn troubled(fault: Option<Kind>) -> Option<Response> {
    if let Some(response) = fault::before(fault?).await {
        return Some(response);
    }
    match fault? {
        Kind::RateLimited => Some(wire::throttled(Duration::from_millis(200))),
        Kind::ServerError => Some(wire::error(500, "InternalServerError", "The server had an error while processing your request.")),
        _ => None,
    }
}

/// What the service refuses before it thinks, whatever the model: unanswered calls, schemas that are not strict.
fn unusable(body: &Value) -> Option<Response> {
    let messages = body["messages"].as_array().filter(|m| !m.is_empty());
    let Some(messages) = messages else {
        return Some(wire::error(400, "invalid_request_error", "'messages' must contain at least one message."));
    };
    for (i, message) in messages.iter().enumerate() {
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let answered = messages[i + 1..].iter().any(|m| m["role"] == "tool" && m["tool_call_id"] == call["id"]);
            if !answered {
                let text = format!(
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
                    call["id"]
                );
                return Some(wire::error(400, "invalid_request_error", &text));
            }
        }
    }
    let strict_ok = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|t| t["function"]["strict"] != json!(true) || strict_schema(&t["function"]["parameters"]));
    (!strict_ok).then(|| wire::error(400, "invalid_function_parameters", "Invalid schema for function: in strict mode every object needs 'additionalProperties': false and all properties in 'required'."))
}

fn strict_schema(schema: &Value) -> bool {
    let Some(fields) = schema.as_object() else { return true };
    const UNSUPPORTED: [&str; 8] = ["minLength", "maxLength", "pattern", "format", "minimum", "maximum", "minItems", "maxItems"];
    if fields.keys().any(|k| UNSUPPORTED.contains(&k.as_str())) {
        return false;
    }
    let Some(properties) = schema["properties"].as_object() else { return schema["items"].is_null() || strict_schema(&schema["items"]) };
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    schema["additionalProperties"] == json!(false)
        && properties.iter().all(|(name, sub)| required.contains(&name.as_str()) && strict_schema(sub))
}

impl IntoResponse for wire::Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self.body)).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
