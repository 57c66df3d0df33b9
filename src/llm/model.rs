//! Asks the model: patience, and one deployment after the other where there are several.

use super::deployment::{self, Deployment, Memory};
use super::endpoint::Endpoint;
use super::error::{Error, Verdict};
use super::stream::{Answer, Usage};
use backon::{BackoffBuilder, ExponentialBuilder};
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Waits that the service asks for are obeyed up to this; people do not wait longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const RETRIES: usize = 3;
/// Work that can wait obeys longer waits, and waits this long in all before it says that the model is busy.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a deployment rests that cannot be used until an operator acts, where there is another.
pub(super) const OUT_OF_USE: Duration = Duration::from_secs(300);

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
    /// Prices, where they are known.
    pub prices: Option<Prices>,
    /// Authorities that are trusted beside the system's, such as that of a proxy that reads along.
    pub authorities: Vec<reqwest::Certificate>,
}

/// Prices of 1,000 tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// Of those that are read.
    pub read: f64,
    /// Of those that are read and had been read before.
    pub cached: f64,
    /// Of those that are written; thoughts are written, too.
    pub written: f64,
}

impl Prices {
    /// What a call has cost.
    pub fn of(&self, usage: &Usage) -> f64 {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let fresh = usage.prompt_tokens - cached;
        (fresh as f64 * self.read + cached as f64 * self.cached + usage.completion_tokens as f64 * self.written) / 1_000.0
    }
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
            authorities: Vec::new(),
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

/// Whether the model may call functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calling {
    /// As it likes.
    Free,
    /// It has to answer in words.
    Not,
}

/// Deployments to ask, the first of them that can be asked.
pub struct Model {
    deployments: Vec<Deployment>,
    pub(super) settings: ModelSettings,
    pub(super) api: Api,
    /// Whether an answer within a tight limit was cut off, as those of models are that think first.
    pub(super) room: AtomicU8,
    spent: Mutex<Spent>,
}

/// What the model was asked so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Answers.
    pub calls: usize,
    /// Tokens that it has read.
    pub read: u64,
    /// Tokens that it has written.
    pub written: u64,
}

impl Model {
    /// A model at these endpoints: those behind the first are asked when those before them cannot be.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    pub fn new(endpoints: &[Endpoint], settings: ModelSettings, memory: Option<Arc<dyn Memory>>) -> Result<Self, reqwest::Error> {
        Self::over(Api::Chat, endpoints, settings, memory)
    }

    /// A model that only continues texts; it is asked for JSON and for nothing else.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    pub fn of_texts(endpoint: Endpoint, settings: ModelSettings, memory: Option<Arc<dyn Memory>>) -> Result<Self, reqwest::Error> {
        Self::over(Api::Text, &[endpoint], settings, memory)
    }

    fn over(api: Api, endpoints: &[Endpoint], settings: ModelSettings, memory: Option<Arc<dyn Memory>>) -> Result<Self, reqwest::Error> {
        let http = deployment::http(&settings)?;
        let deployments = endpoints.iter().map(|endpoint| Deployment::new(&http, endpoint.clone(), memory.clone())).collect();
        Ok(Self { deployments, settings, api, room: AtomicU8::new(0), spent: Mutex::default() })
    }

    /// What to call it before people.
    pub fn label(&self) -> String {
        self.deployments.iter().map(|d| d.endpoint.label.as_str()).collect::<Vec<_>>().join(", then ")
    }

    /// What was learned of the first deployment, in words; empty when there is nothing to say.
    pub fn habits(&self) -> String {
        self.deployments.first().map(|d| d.habits().describe()).unwrap_or_default()
    }

    /// Asks for an answer to these messages. `words` always holds the words so far.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask(&self, messages: &[Value], tools: &[Value], calling: Calling, words: &watch::Sender<String>) -> Result<Answer, Error> {
        let mut request = self.request(messages, tools);
        if calling == Calling::Not && !tools.is_empty() {
            // The functions stay in the request, whose beginning is the same for the cache.
            request["tool_choice"] = json!("none");
        }
        self.send(request, words, Haste::Talk).await
    }

    /// Sends a request until it is answered, refused for good, or out of tries.
    pub(super) async fn send(&self, request: Value, words: &watch::Sender<String>, haste: Haste) -> Result<Answer, Error> {
        // Among many short calls a fault of one is likely to have passed sooner.
        let delay = if haste == Haste::Talk { self.settings.retry_delay } else { self.settings.retry_delay / 4 };
        let backoff = ExponentialBuilder::default().with_min_delay(delay).with_max_times(RETRIES).with_jitter();
        let mut backoff = backoff.build();
        let began = Instant::now();
        // Deployments that pass a request on to each other would do so for ever.
        let mut handed_on = 0;
        loop {
            let deployment = self.next(haste, began).await?;
            let verdict = match deployment.ask(self.api, haste, request.clone(), words).await {
                Ok(answer) => {
                    deployment.is_up(true);
                    self.count(&answer.usage);
                    return Ok(answer);
                }
                Err(verdict) => verdict,
            };
            if handed_on + 1 < self.deployments.len() && self.passes_on(deployment, &verdict) {
                handed_on += 1;
                continue;
            }
            let (error, wait) = match verdict {
                Verdict::Final(error) => return Err(error),
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

    /// The deployment to ask now: the first that does not rest; for work that can wait, the first that lets it out.
    async fn next(&self, haste: Haste, began: Instant) -> Result<&Deployment, Error> {
        loop {
            let now = Instant::now();
            let fresh = || self.deployments.iter().filter(|d| d.is_fresh(now));
            // When all of them rest the first is asked: it may be well again.
            let candidates: Vec<&Deployment> =
                if fresh().next().is_some() { fresh().collect() } else { self.deployments.iter().take(1).collect() };
            let Haste::Work(tokens) = haste else {
                return candidates.into_iter().next().ok_or_else(|| Error::NotFound("no deployment is set".into()));
            };
            let mut shortest = None;
            for deployment in candidates {
                match deployment.pace.admit(tokens, now) {
                    Ok(()) => return Ok(deployment),
                    Err(wait) => shortest = Some(shortest.map_or(wait, |other: Duration| other.min(wait))),
                }
            }
            let wait = shortest.ok_or_else(|| Error::NotFound("no deployment is set".into()))?;
            if began.elapsed() + wait > PATIENCE {
                return Err(Error::RateLimited(wait));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether another deployment is asked at once, after what this one has answered.
    fn passes_on(&self, deployment: &Deployment, verdict: &Verdict) -> bool {
        let rest = match verdict {
            Verdict::Again(Error::RateLimited(_) | Error::Unavailable(_), wait) => *wait,
            Verdict::Final(Error::Unauthorized(_) | Error::NotFound(_) | Error::QuotaSpent(_) | Error::NoFunctions(_)) => Some(OUT_OF_USE),
            _ => return false,
        };
        let now = Instant::now();
        if !self.deployments.iter().any(|other| !std::ptr::eq(other, deployment) && other.is_fresh(now)) {
            return false;
        }
        deployment.rest(rest);
        deployment.is_up(false);
        let (Verdict::Final(error) | Verdict::Again(error, _)) = verdict else { return false };
        tracing::warn!(deployment = deployment.endpoint.label, %error, "another deployment is asked");
        metrics::counter!("chatsheet_model_failovers_total").increment(1);
        true
    }

    pub(super) fn request(&self, messages: &[Value], tools: &[Value]) -> Value {
        let s = &self.settings;
        let mut request = json!({
            "messages": messages, "temperature": s.temperature, "max_tokens": s.max_tokens, "top_p": s.top_p,
            "frequency_penalty": s.frequency_penalty, "presence_penalty": s.presence_penalty,
        });
        if !tools.is_empty() {
            request["tools"] = json!(tools);
            request["tool_choice"] = json!("auto");
            request["parallel_tool_calls"] = json!(false);
            request["prompt_cache_key"] = json!(cache_key(messages, tools));
        }
        request
    }

    /// Prices, where they are known.
    pub fn prices(&self) -> Option<Prices> {
        self.settings.prices
    }

    /// What it was asked so far.
    pub fn spent(&self) -> Spent {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an answer has cost, where the prices are known.
    pub fn cost(&self, usage: &Usage) -> Option<f64> {
        self.settings.prices.map(|prices| prices.of(usage))
    }

    /// What an answer took, for operators.
    fn count(&self, usage: &Usage) {
        {
            let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
            spent.calls += 1;
            spent.read += usage.prompt_tokens;
            spent.written += usage.completion_tokens;
        }
        let kinds = [
            ("prompt", usage.prompt_tokens),
            ("cached", usage.cached_tokens),
            ("completion", usage.completion_tokens),
            ("reasoning", usage.reasoning_tokens),
        ];
        for (kind, tokens) in kinds {
            metrics::counter!("chatsheet_model_tokens_total", "kind" => kind).increment(tokens);
        }
        if let Some(prices) = self.settings.prices {
            metrics::gauge!("chatsheet_model_cost").increment(prices.of(usage));
        }
    }
}

/// Requests that begin alike have the same key, which leads them to where their beginning is in a cache.
fn cache_key(messages: &[Value], tools: &[Value]) -> String {
    let mut hasher = DefaultHasher::new();
    tools.iter().for_each(|tool| tool["function"]["name"].as_str().hash(&mut hasher));
    // The task, and which sheet it is about; behind that stands what changes.
    messages.first().and_then(|m| m["content"].as_str()).map(|system| system.split(", version ").next()).hash(&mut hasher);
    format!("chatsheet-{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens that were read before cost less; thoughts are among those that are written.
    #[test]
    fn a_call_costs_what_was_read_anew_read_before_and_written() {
        let prices = Prices { read: 2.0, cached: 0.5, written: 8.0 };
        let usage = |prompt_tokens, cached_tokens, completion_tokens| Usage {
            prompt_tokens,
            cached_tokens,
            completion_tokens,
            reasoning_tokens: completion_tokens / 2,
        };
        for (used, cost) in [((0, 0, 0), 0.0), ((1_000, 0, 0), 2.0), ((1_000, 1_000, 0), 0.5), ((2_000, 1_500, 250), 3.75)] {
            assert_eq!(prices.of(&usage(used.0, used.1, used.2)), cost, "{used:?}");
        }
        assert_eq!(prices.of(&usage(100, 900, 0)), 0.05, "no more is cached than was read");
    }
}
