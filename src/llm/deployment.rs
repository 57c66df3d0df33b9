//! One deployment: its clients, its pace, what was learned of it, and a single try.

use super::endpoint::Endpoint;
use super::error::{Error, HttpFailure, Refusal, UNTOLD_WAIT, Verdict};
use super::habits::{Habits, Surface};
use super::model::{Api, Haste, ModelSettings, OUT_OF_USE};
use super::pace::Pace;
use super::responses::{self, Items};
use super::stream::{Answer, Assembler, CARRIED};
use crate::error::of_request;
use async_openai::Client;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_trait::async_trait;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{OnceCell, watch};
use tokio::time::Instant;
use tracing::Instrument;

/// A service that is overrun is left alone at least this long, even if it asks for less.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// How long a deployment rests that does not answer, or cannot be used, where there is another.
const REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_secs(300);
/// So often something is learned within one question.
const LESSONS: usize = 12;
/// A model that thinks gets so much more room when its thoughts have used up the limit.
const ROOM: u64 = 4;

/// Keeps what was learned of deployments, so that a restart costs nothing.
#[async_trait]
pub trait Memory: Send + Sync {
    /// What was kept of a deployment.
    async fn recall(&self, deployment: &str) -> Option<Value>;
    /// Keeps what has proven itself.
    async fn keep(&self, deployment: &str, habits: Value);
}

/// A deployment.
pub(super) struct Deployment {
    client: Client<Endpoint>,
    responses: Client<Endpoint>,
    pub endpoint: Endpoint,
    pub pace: Arc<Pace>,
    memory: Option<Arc<dyn Memory>>,
    recalled: OnceCell<()>,
    habits: Mutex<State>,
    /// Whether its last answer that was cut off was one of thoughts.
    thought: AtomicBool,
    /// It is left alone until then, where there is another.
    rests_until: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    now: Habits,
    /// The last that an answer came with.
    proven: Habits,
    /// Until when it is not asked with functions, and why.
    without_functions: Option<(Instant, String)>,
}

impl Deployment {
    pub fn new(http: &reqwest::Client, endpoint: Endpoint, memory: Option<Arc<dyn Memory>>) -> Self {
        let pace = Arc::new(Pace::default());
        let client = |endpoint: Endpoint| {
            let (ours, pace, login) = (http.clone(), pace.clone(), endpoint.login.clone());
            let service = tower::service_fn(move |request: HttpRequestFactory| {
                let (http, pace, login) = (ours.clone(), pace.clone(), login.clone());
                async move {
                    let header = login.header(&http).await.map_err(boxed)?;
                    match send(&http, &pace, header.clone(), &request).await {
                        // A token can end before its time.
                        Err(error) if is_not_let_in(&error) && login.forget(header.as_ref()).await => {
                            send(&http, &pace, login.header(&http).await.map_err(boxed)?, &request).await
                        }
                        tried => tried,
                    }
                }
            });
            Client::build(http.clone(), endpoint).with_http_service(service)
        };
        Self {
            client: client(endpoint.clone()),
            responses: client(endpoint.for_responses()),
            endpoint,
            pace,
            memory,
            recalled: OnceCell::new(),
            habits: Mutex::default(),
            thought: AtomicBool::new(false),
            rests_until: Mutex::default(),
        }
    }

    /// What is known of it.
    pub fn habits(&self) -> Habits {
        self.state().now.clone()
    }

    /// Asks once, and again as long as it learns something.
    pub async fn ask(&self, api: Api, haste: Haste, request: Value, words: &watch::Sender<String>) -> Result<Answer, Verdict> {
        self.recall().await;
        if request["tools"].is_array()
            && let Some(why) = self.takes_no_functions()
        {
            return Err(Verdict::Final(Error::NoFunctions(why)));
        }
        let mut request_of_all = request;
        request_of_all["model"] = json!(self.endpoint.model);
        let first = self.habits();
        for _ in 0..LESSONS {
            words.send_replace(String::new());
            let habits = self.habits();
            let mut request = request_of_all.clone();
            // Work that can wait counts its tokens beforehand, and makes room by itself.
            let roomy = haste == Haste::Talk && habits.thirsty;
            if roomy && let Some(limit) = request["max_tokens"].as_u64() {
                request["max_tokens"] = json!(limit * ROOM);
            }
            let span = tracing::debug_span!("model", deployment = self.endpoint.label);
            let tried = match (api, haste) {
                (Api::Chat, Haste::Talk) => self.streamed(request, &habits, words).instrument(span).await,
                (Api::Chat, Haste::Work(_)) => self.whole(request, &habits).instrument(span).await,
                (Api::Text, _) => super::json::continued(&self.client, habits.fit(request)).instrument(span).await,
            };
            match tried {
                Ok(answer) => {
                    self.prove(&habits).await;
                    return Ok(answer);
                }
                // What was thought elsewhere cannot be read here.
                Err(Verdict::Unsupported(Refusal::Thoughts, message)) => {
                    if !forget_thoughts(&mut request_of_all) {
                        return Err(Verdict::Final(Error::Refused(message)));
                    }
                }
                Err(Verdict::Unsupported(refusal, message)) if api == Api::Chat || refusal != Refusal::Operation => {
                    if !self.learn(&habits, refusal) {
                        self.forget(&first);
                        let of_functions = matches!(refusal, Refusal::Operation | Refusal::Parameter("reasoning_effort"));
                        let without = of_functions && request_of_all["tools"].is_array();
                        return Err(Verdict::Final(if without { self.without_functions(message) } else { Error::Refused(message) }));
                    }
                }
                Err(Verdict::Final(Error::NoFunctions(why))) => return Err(Verdict::Final(self.without_functions(why))),
                Err(Verdict::Unsupported(_, message)) => return Err(Verdict::Final(Error::Refused(message))),
                // Gateways do not offer every operation, and say so in many ways. A deployment that is not there is another matter.
                Err(Verdict::Final(error @ (Error::NotFound(_) | Error::Unauthorized(_) | Error::Refused(_))))
                    if habits.surface == Surface::Responses && self.is_unproven(&error) =>
                {
                    if !self.learn(&habits, Refusal::Operation) {
                        self.forget(&first);
                        return Err(Verdict::Final(error));
                    }
                }
                Err(Verdict::Final(Error::CutOff)) if haste == Haste::Talk && !roomy && self.thought.load(Ordering::Relaxed) => {
                    tracing::info!("thoughts have used up the limit; the deployment gets more room from now on");
                    self.state().now.thirsty = true;
                }
                Err(Verdict::Final(error @ (Error::NotFound(_) | Error::Refused(_)))) if habits != first => {
                    self.forget(&first);
                    return Err(Verdict::Final(error));
                }
                Err(verdict) => return Err(verdict),
            }
        }
        self.forget(&first);
        Err(Verdict::Final(Error::Refused("it refuses one thing after the other".into())))
    }

    /// Remembers for a while that it takes no functions, whatever is tried, so that not each question is refused several times.
    fn without_functions(&self, why: String) -> Error {
        self.state().without_functions = Some((Instant::now() + OUT_OF_USE, why.clone()));
        Error::NoFunctions(why)
    }

    fn takes_no_functions(&self) -> Option<String> {
        self.state().without_functions.as_ref().filter(|(until, _)| Instant::now() < *until).map(|(_, why)| why.clone())
    }

    /// Whether an error may mean that the Responses API is not offered: it has not answered yet, or its path is not there any more.
    fn is_unproven(&self, error: &Error) -> bool {
        let deployment = matches!(error, Error::NotFound(why) if why.to_lowercase().contains("deployment"));
        let gone = matches!(error, Error::NotFound(_));
        !deployment && (gone || self.state().proven.surface != Surface::Responses)
    }

    async fn streamed(&self, mut request: Value, habits: &Habits, words: &watch::Sender<String>) -> Result<Answer, Verdict> {
        request["stream"] = json!(true);
        if habits.surface == Surface::Responses {
            let request = self.of_responses(&request, habits);
            let opened = self.responses.responses().create_stream_byot::<_, Value>(request).await;
            let mut stream = opened.map_err(verdict)?;
            let mut items = Items::default();
            while let Some(event) = stream.next().await {
                if items.take(event.map_err(verdict)?).map_err(worth_another_try)? {
                    words.send_replace(items.text().to_owned());
                }
                // Whatever becomes of the connection, the answer is whole.
                if items.is_whole() {
                    break;
                }
            }
            self.thought.store(items.usage().reasoning_tokens > 0, Ordering::Relaxed);
            return items.finish().map_err(worth_another_try);
        }
        request["stream_options"] = json!({ "include_usage": true });
        let opened = self.client.chat().create_stream_byot::<_, Value>(self.of_chat(request, habits)).await;
        let mut stream = opened.map_err(verdict)?;
        let mut assembler = Assembler::default();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(verdict)?;
            if assembler.take(chunk).map_err(worth_another_try)? {
                words.send_replace(assembler.text().to_owned());
            }
        }
        self.thought.store(assembler.usage().reasoning_tokens > 0 || assembler.is_empty(), Ordering::Relaxed);
        assembler.finish().map_err(worth_another_try)
    }

    /// The answer in one piece, for work that nobody reads along with.
    async fn whole(&self, request: Value, habits: &Habits) -> Result<Answer, Verdict> {
        if habits.surface == Surface::Responses {
            let answer: Value = self.responses.responses().create_byot(self.of_responses(&request, habits)).await.map_err(verdict)?;
            let mut items = Items::default();
            return items.take(answer).and_then(|_| items.finish()).map_err(worth_another_try);
        }
        let answer: Value = self.client.chat().create_byot(self.of_chat(request, habits)).await.map_err(verdict)?;
        let mut assembler = Assembler::default();
        assembler.take(answer).and_then(|_| assembler.finish()).map_err(worth_another_try)
    }

    fn of_chat(&self, mut request: Value, habits: &Habits) -> Value {
        if !self.endpoint.is_current_azure() {
            request.as_object_mut().map(|fields| fields.remove("prompt_cache_key"));
        }
        habits.fit(request)
    }

    fn of_responses(&self, request: &Value, habits: &Habits) -> Value {
        responses::request(request, habits)
    }

    async fn recall(&self) {
        let recall = async {
            let Some(memory) = &self.memory else { return };
            let Some(kept) = memory.recall(&self.endpoint.key()).await else { return };
            if let Ok(habits) = serde_json::from_value::<Habits>(kept) {
                *self.state() = State { now: habits.clone(), proven: habits, without_functions: None };
            }
        };
        self.recalled.get_or_init(|| recall).await;
    }

    /// Draws the conclusion from a refusal of a request that was made with these habits; others may have learned meanwhile.
    fn learn(&self, with: &Habits, refusal: Refusal) -> bool {
        let mut state = self.state();
        let learned = state.now != *with || state.now.learn(refusal, self.endpoint.is_azure());
        tracing::info!(?refusal, learned, "the deployment does not take something{}", state.now.describe());
        learned
    }

    /// Nothing helped: the next question begins with what has worked before, or anew when that was tried.
    fn forget(&self, tried: &Habits) {
        let mut state = self.state();
        if *tried == state.proven {
            *state = State::default();
        } else {
            state.now = state.proven.clone();
        }
    }

    async fn prove(&self, habits: &Habits) {
        {
            let mut state = self.state();
            if state.proven == *habits {
                return;
            }
            state.proven = habits.clone();
        }
        if let (Some(memory), Ok(value)) = (&self.memory, serde_json::to_value(habits)) {
            memory.keep(&self.endpoint.key(), value).await;
        }
    }

    /// Tells operators whether it answers.
    pub fn is_up(&self, up: bool) {
        metrics::gauge!("chatsheet_model_deployment_up", "deployment" => self.endpoint.label.clone()).set(f64::from(u8::from(up)));
    }

    /// Leaves it alone for a while, where there is another.
    pub fn rest(&self, wait: Option<Duration>) {
        *self.rests_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(Instant::now() + wait.unwrap_or(REST).clamp(REST, LONGEST_REST));
    }

    /// Whether it may be asked.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.rests_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_none_or(|until| until <= now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.habits.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn worth_another_try(error: Error) -> Verdict {
    match error {
        Error::Unavailable(_) => Verdict::Again(error, None),
        Error::RateLimited(wait) => Verdict::Again(error, Some(wait)),
        other => Verdict::Final(other),
    }
}

/// Takes what was thought out of a request. `false` when there was nothing.
fn forget_thoughts(request: &mut Value) -> bool {
    let messages = request["messages"].as_array_mut().into_iter().flatten();
    messages.filter_map(|message| message.as_object_mut()?.remove(CARRIED)).count() > 0
}

/// The HTTP client for models.
#[expect(clippy::disallowed_methods, reason = "the one HTTP client for models")]
pub(super) fn http(settings: &ModelSettings) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(settings.timeout)
        .redirect(reqwest::redirect::Policy::none());
    for authority in &settings.authorities {
        builder = builder.add_root_certificate(authority.clone());
    }
    builder.build()
}

fn boxed(failure: HttpFailure) -> OpenAIError {
    OpenAIError::Boxed(Box::new(failure))
}

fn is_not_let_in(error: &OpenAIError) -> bool {
    matches!(error, OpenAIError::Boxed(inner) if inner.downcast_ref::<HttpFailure>().is_some_and(|failure| failure.status == 401))
}

async fn send(
    http: &reqwest::Client,
    pace: &Pace,
    login: Option<(HeaderName, HeaderValue)>,
    request: &HttpRequestFactory,
) -> Result<reqwest::Response, OpenAIError> {
    let mut request = request.build().await?;
    request.headers_mut().extend(login);
    let streamed = request.body().and_then(reqwest::Body::as_bytes).is_some_and(asks_for_a_stream);
    let response = http.execute(request).await.map_err(|e| OpenAIError::Reqwest(e.without_url()))?;
    let (status, now) = (response.status(), Instant::now());
    metrics::counter!("chatsheet_model_requests_total", "status" => status.as_str().to_owned()).increment(1);
    pace.heard(response.headers(), now);
    let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
    if let Some(deployment) = text("x-ms-deployment-name") {
        let (region, spilled_over_from) = (text("x-ms-region"), text("x-ms-spillover-from-deployment"));
        // Once for each change: what answers is the same for hours.
        if pace.answers_elsewhere(&format!("{deployment} {region:?} {spilled_over_from:?}")) {
            tracing::info!(deployment, region, spilled_over_from, "the model answers from here");
        }
    }
    if status.is_success() {
        return if streamed { in_pieces(response).await } else { Ok(response) };
    }
    let number = |name: &str| text(name).and_then(|v| v.parse::<f64>().ok()).filter(|n| n.is_finite() && *n >= 0.0);
    let seconds = number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after"));
    let retry_after = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if status.as_u16() == 429 {
        pace.close(retry_after.unwrap_or(UNTOLD_WAIT).max(SHORTEST_WAIT), now);
    }
    let body = response.text().await.unwrap_or_default();
    Err(OpenAIError::Boxed(Box::new(HttpFailure { status: status.as_u16(), retry_after, body })))
}

fn asks_for_a_stream(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|body| body["stream"] == true)
}

/// An answer as a stream: some servers send it whole although a stream was asked for.
async fn in_pieces(response: reqwest::Response) -> Result<reqwest::Response, OpenAIError> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Ok(response);
    }
    let whole = response.bytes().await.map_err(|e| OpenAIError::Reqwest(e.without_url()))?;
    let whole: Value = serde_json::from_slice(&whole).map_err(|e| OpenAIError::Boxed(Box::new(e)))?;
    let mut piece = axum::http::Response::new(format!("data: {whole}\n\ndata: [DONE]\n\n"));
    piece.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(piece.into())
}

pub(super) fn verdict(error: OpenAIError) -> Verdict {
    match error {
        OpenAIError::Boxed(inner) => match inner.downcast::<HttpFailure>() {
            Ok(failure) => failure.verdict(),
            Err(other) => unreadable(&other.to_string()),
        },
        OpenAIError::Reqwest(e) => Verdict::Again(Error::Unavailable(of_request(e)), None),
        OpenAIError::StreamError(e) => Verdict::Again(Error::Unavailable(e.to_string()), None),
        OpenAIError::JSONDeserialize(e, _) => unreadable(&e.to_string()),
        other => Verdict::Final(Error::Refused(other.to_string())),
    }
}

/// An answer that cannot be read is asked for again, and is for whoever runs the bot to know.
fn unreadable(why: &str) -> Verdict {
    tracing::error!(why, "an answer of the model cannot be read");
    Verdict::Again(Error::Unavailable(format!("its answer cannot be read: {why}")), None)
}
