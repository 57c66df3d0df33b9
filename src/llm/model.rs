//! Asks the model: one request, patience, learned parameters, words as they grow.

use super::capabilities::Capabilities;
use super::endpoint::Endpoint;
use super::error::{Error, HttpFailure, UNTOLD_WAIT, Verdict};
use super::pace::Pace;
use super::stream::{Answer, Assembler, Usage};
use async_openai::Client;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::Instrument;

/// Waits that the service asks for are obeyed up to this; people do not wait longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const RETRIES: usize = 3;
/// A service that is overrun is left alone at least this long, even if it asks for less.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// Work that can wait obeys longer waits, and waits this long in all before it says that the model is busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// How the model is asked; the defaults are those of the system design.
#[derive(Clone, Debug)]
pub struct ModelSettings {
    /// Randomness, 0 to 2.
    pub temperature: f64,
    /// Longest answer in tokens.
    pub max_tokens: u32,
    /// Nucleus sampling, 0 to 1.
    pub top_p: f64,
    /// -2 to 2.
    pub frequency_penalty: f64,
    /// -2 to 2.
    pub presence_penalty: f64,
    /// Longest silence of the far side.
    pub timeout: Duration,
    /// First wait before a failed call is tried again.
    pub retry_delay: Duration,
    /// Prices of 1,000 tokens that are read and written, where they are known.
    pub prices: Option<(f64, f64)>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            temperature: 0.7,
            max_tokens: 4000,
            top_p: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            timeout: Duration::from_secs(60),
            retry_delay: Duration::from_secs(1),
            prices: None,
        }
    }
}

/// Which operation a deployment offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// `/chat/completions`
    Chat,
    /// `/completions`, of deployments that only continue a text.
    Text,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// A person who is talking.
    Talk,
    /// A job, which waits for its turn; the tokens that its call may take.
    Work(u64),
}

/// A deployment to ask.
pub struct Model {
    pub(super) client: Client<Endpoint>,
    pub(super) endpoint: Endpoint,
    pub(super) settings: ModelSettings,
    pub(super) api: Api,
    capabilities: Capabilities,
    pace: Arc<Pace>,
    /// Whether an answer within a tight limit was cut off, as those of models are that think first.
    pub(super) wants_room: AtomicBool,
}

impl Model {
    /// A model at this endpoint.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    pub fn new(endpoint: Endpoint, settings: ModelSettings) -> Result<Self, reqwest::Error> {
        Self::over(Api::Chat, endpoint, settings)
    }

    /// A model that only continues texts; it is asked for JSON and for nothing else.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    pub fn of_texts(endpoint: Endpoint, settings: ModelSettings) -> Result<Self, reqwest::Error> {
        Self::over(Api::Text, endpoint, settings)
    }

    #[expect(clippy::disallowed_methods, reason = "the one HTTP client for the model")]
    fn over(api: Api, endpoint: Endpoint, settings: ModelSettings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let pace = Arc::new(Pace::default());
        let heard = pace.clone();
        let service = tower::service_fn(move |request: HttpRequestFactory| {
            let (http, pace) = (http.clone(), heard.clone());
            async move { send(&http, &pace, request).await }
        });
        let client = Client::build(reqwest_of(), endpoint.clone()).with_http_service(service);
        let (capabilities, wants_room) = (Capabilities::default(), AtomicBool::new(false));
        Ok(Self { client, endpoint, settings, api, capabilities, pace, wants_room })
    }

    /// What to call it before people.
    pub fn label(&self) -> &str {
        &self.endpoint.label
    }

    /// Asks for an answer to these messages. `words` always holds the words so far.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask(&self, messages: &[Value], tools: &[Value], words: &watch::Sender<String>) -> Result<Answer, Error> {
        let mut request = self.request(messages, tools);
        (request["stream"], request["stream_options"]) = (json!(true), json!({ "include_usage": true }));
        self.send(request, words, Haste::Talk).await
    }

    /// Sends a request until it is answered, refused for good, or out of tries.
    pub(super) async fn send(&self, request: Value, words: &watch::Sender<String>, haste: Haste) -> Result<Answer, Error> {
        // Among many short calls a fault of one is likely to have passed sooner.
        let delay = if haste == Haste::Talk { self.settings.retry_delay } else { self.settings.retry_delay / 4 };
        let backoff = ExponentialBuilder::default().with_min_delay(delay).with_max_times(RETRIES).with_jitter();
        let mut backoff = backoff.build();
        let began = Instant::now();
        loop {
            if let Haste::Work(tokens) = haste {
                while let Err(wait) = self.pace.admit(tokens, Instant::now()) {
                    if began.elapsed() + wait > PATIENCE {
                        return Err(Error::RateLimited(wait));
                    }
                    tokio::time::sleep(wait).await;
                }
            }
            words.send_replace(String::new());
            let request = self.capabilities.fit(request.clone());
            let span = tracing::debug_span!("model", deployment = self.label());
            let tried = match (self.api, haste) {
                (Api::Chat, Haste::Talk) => self.attempt(request, words).instrument(span).await,
                (Api::Chat, Haste::Work(_)) => self.attempt_whole(request).instrument(span).await,
                (Api::Text, _) => self.attempt_text(request).instrument(span).await,
            };
            let verdict = match tried {
                Ok(answer) => {
                    self.count(&answer.usage);
                    return Ok(answer);
                }
                Err(verdict) => verdict,
            };
            let (error, wait) = match verdict {
                Verdict::Final(error) => return Err(error),
                Verdict::Unsupported(parameter, _) if self.capabilities.learn(parameter) => {
                    tracing::info!(parameter, "the deployment does not take a parameter; it is left out from now on");
                    continue;
                }
                Verdict::Unsupported(_, message) => return Err(Error::Refused(message)),
                // The deployment is closed for everybody who can wait; it slows a job and costs no try.
                Verdict::Again(Error::RateLimited(asked), _) if haste != Haste::Talk && began.elapsed() + asked <= PATIENCE => continue,
                Verdict::Again(error, wait) => (error, wait),
            };
            let Some(next) = backoff.next() else { return Err(error) };
            let wait = wait.unwrap_or(next);
            if wait > LONGEST_WAIT {
                return Err(error);
            }
            tracing::info!(%error, wait_ms = wait.as_millis() as u64, "the model is asked again");
            tokio::time::sleep(wait).await;
        }
    }

    pub(super) fn request(&self, messages: &[Value], tools: &[Value]) -> Value {
        let s = &self.settings;
        let mut request = json!({
            "model": self.endpoint.model, "messages": messages, "temperature": s.temperature, "max_tokens": s.max_tokens, "top_p": s.top_p,
            "frequency_penalty": s.frequency_penalty, "presence_penalty": s.presence_penalty,
        });
        if !tools.is_empty() {
            request["tools"] = json!(tools);
            request["tool_choice"] = json!("auto");
            request["parallel_tool_calls"] = json!(false);
        }
        request
    }

    async fn attempt(&self, request: Value, words: &watch::Sender<String>) -> Result<Answer, Verdict> {
        let opened = self.client.chat().create_stream_byot::<_, Value>(request).await;
        let mut stream = opened.map_err(verdict)?;
        let mut assembler = Assembler::default();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(verdict)?;
            if assembler.take(chunk).map_err(worth_another_try)? {
                words.send_replace(assembler.text().to_owned());
            }
        }
        assembler.finish().map_err(worth_another_try)
    }

    /// Prices of 1,000 tokens that are read and written, where they are known.
    pub fn prices(&self) -> Option<(f64, f64)> {
        self.settings.prices
    }

    /// What an answer took, for operators.
    fn count(&self, usage: &Usage) {
        for (kind, tokens) in [("prompt", usage.prompt_tokens), ("completion", usage.completion_tokens)] {
            metrics::counter!("chatsheet_model_tokens_total", "kind" => kind).increment(tokens);
        }
        if let Some((read, written)) = self.settings.prices {
            let cost = (usage.prompt_tokens as f64 * read + usage.completion_tokens as f64 * written) / 1_000.0;
            metrics::gauge!("chatsheet_model_cost").increment(cost);
        }
    }

    /// The answer in one piece, for work that nobody reads along with.
    async fn attempt_whole(&self, request: Value) -> Result<Answer, Verdict> {
        let answer: Value = self.client.chat().create_byot(request).await.map_err(verdict)?;
        let mut assembler = Assembler::default();
        assembler.take(answer).and_then(|_| assembler.finish()).map_err(worth_another_try)
    }
}

fn worth_another_try(error: Error) -> Verdict {
    match error {
        Error::Unavailable(_) => Verdict::Again(error, None),
        other => Verdict::Final(other),
    }
}

/// async-openai wants a client even where a service of ours does the sending.
#[expect(clippy::disallowed_methods, reason = "never sends: the service above does")]
fn reqwest_of() -> reqwest::Client {
    reqwest::Client::new()
}

async fn send(http: &reqwest::Client, pace: &Pace, request: HttpRequestFactory) -> Result<reqwest::Response, OpenAIError> {
    let request = request.build().await?;
    let streamed = request.body().and_then(reqwest::Body::as_bytes).is_some_and(asks_for_a_stream);
    let response = http.execute(request).await.map_err(|e| OpenAIError::Reqwest(e.without_url()))?;
    let (status, now) = (response.status(), Instant::now());
    metrics::counter!("chatsheet_model_requests_total", "status" => status.as_str().to_owned()).increment(1);
    pace.heard(response.headers(), now);
    if status.is_success() {
        return if streamed { in_pieces(response).await } else { Ok(response) };
    }
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<f64>().ok())
            .filter(|n| n.is_finite() && *n >= 0.0)
    };
    let retry_after = header("retry-after-ms")
        .map(|ms| Duration::from_secs_f64(ms / 1000.0))
        .or_else(|| header("retry-after").map(Duration::from_secs_f64));
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
            Err(other) => Verdict::Again(Error::Unavailable(other.to_string()), None),
        },
        OpenAIError::Reqwest(e) => Verdict::Again(Error::Unavailable(e.without_url().to_string()), None),
        OpenAIError::StreamError(e) => Verdict::Again(Error::Unavailable(e.to_string()), None),
        OpenAIError::JSONDeserialize(e, _) => Verdict::Again(Error::Unavailable(format!("its answer cannot be read: {e}")), None),
        other => Verdict::Final(Error::Refused(other.to_string())),
    }
}
