//! One call: budget, breaker, the same bytes again where that is safe, and the error in words.

use super::Identity;
use super::client::Client;
use super::error::{Attempt, Error, classify};
use super::held::{HeldBody, RanOut};
use super::pace::{Hold, SheetWriter, cost};
use crate::error::of_request;
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use reqwest::{Body, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument;

/// Sent with every write, so that our own changes can be told from those of others.
pub(crate) const CHANGE_AGENT: &str = "chatsheet";

/// Waits that Smartsheet asks for are obeyed up to this.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Call {
    pub method: Method,
    pub path: String,
    pub body: Option<Bytes>,
    /// For a write: how long it may be sent.
    pub hold: Option<Hold>,
    /// What it takes from the budget; nothing when that was reserved.
    pub cost: Option<NonZeroU32>,
}

impl Call {
    pub fn get(path: &str) -> Self {
        Self { method: Method::GET, cost: Some(cost(path)), path: path.to_owned(), body: None, hold: None }
    }

    /// A write. It is sent once: whoever wants to repeat it compares again first, as others may have
    /// written meanwhile.
    pub fn write(writer: &SheetWriter, method: Method, path: String, body: Option<&impl Serialize>) -> Result<Self, Error> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|e| Error::Malformed(e.to_string()))?;
        let cost = (!writer.take_reserved()).then(|| cost(&path));
        Ok(Self { method, cost, path, body: body.map(Bytes::from), hold: Some(writer.until()) })
    }

    /// A write to something that is no sheet, such as a webhook; sent once, too.
    pub fn outside_of_sheets(method: Method, path: String, body: Option<&impl Serialize>) -> Result<Self, Error> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|e| Error::Malformed(e.to_string()))?;
        let hold = Hold::until(Instant::now() + LONGEST_WAIT);
        Ok(Self { method, cost: Some(cost(&path)), path, body: body.map(Bytes::from), hold: Some(hold) })
    }
}

/// Bytes of the words of a refusal.
const LONGEST_REFUSAL: u64 = 1 << 20;

/// The whole body as it is after inflation; nothing when it is larger than this.
async fn bytes_of(mut response: reqwest::Response, most: u64) -> reqwest::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

impl Client {
    /// Sends a call and reads its JSON answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, identity: &Identity, call: &Call) -> Result<T, Error> {
        let mut backoff = self.backoff().build();
        loop {
            let response = self.send(identity, call).await?;
            match bytes_of(response, self.settings.answer_bytes).await {
                Ok(None) if call.hold.is_some() => return Err(Error::MayHaveLanded("the answer is too large".into())),
                Ok(None) => return Err(Error::TooLarge(self.settings.answer_bytes)),
                Ok(Some(bytes)) => {
                    let unreadable = |e: serde_json::Error| match call.hold {
                        Some(_) => Error::MayHaveLanded(e.to_string()),
                        None => Error::Malformed(e.to_string()),
                    };
                    return serde_json::from_slice(&bytes).map_err(unreadable);
                }
                Err(e) if call.hold.is_some() => return Err(Error::MayHaveLanded(e.to_string())),
                Err(e) => match backoff.next() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(Error::Unreachable(e.to_string())),
                },
            }
        }
    }

    /// Sends a call until it is answered well, refused for good, or out of tries; a write only once.
    pub(super) async fn send(&self, identity: &Identity, call: &Call) -> Result<reqwest::Response, Error> {
        let mut backoff = self.backoff().build();
        loop {
            if let Err(left) = self.breaker.admit() {
                return Err(Error::Unreachable(format!("it failed several times in a row, trying again in {} s", left.as_secs().max(1))));
            }
            let path = call.path.split('?').next().unwrap_or_default();
            let span = tracing::debug_span!("smartsheet", method = %call.method, path);
            let attempt = match self.attempt(identity, call).instrument(span).await {
                Ok(response) => return Ok(response),
                Err(attempt) => attempt,
            };
            let (error, wait) = match attempt {
                Attempt::Final(error) => return Err(error),
                Attempt::Transient { error, .. } if call.hold.is_some() => return Err(error),
                Attempt::Doubtful(why) if call.hold.is_some() => return Err(Error::MayHaveLanded(why)),
                Attempt::Transient { error, wait } => (error, wait),
                Attempt::Doubtful(why) => (Error::Unreachable(why), None),
            };
            let Some(next) = backoff.next() else { return Err(error) };
            let wait = wait.unwrap_or(next);
            if wait > LONGEST_WAIT {
                return Err(error);
            }
            tracing::info!(%error, wait_ms = wait.as_millis() as u64, path, "smartsheet call is tried again");
            tokio::time::sleep(wait).await;
        }
    }

    /// The waits between tries.
    pub(crate) fn backoff(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.settings.retry_delay)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(self.settings.retries)
            .with_jitter()
    }

    async fn attempt(&self, identity: &Identity, call: &Call) -> Result<reqwest::Response, Attempt> {
        if let Some(cost) = call.cost {
            self.pace.wait(self.lane, identity, cost).await;
        }
        let unknown = |error| match error {
            error @ (Error::Busy(_) | Error::Unreachable(_)) => Attempt::Transient { error, wait: None },
            other => Attempt::Final(other),
        };
        let token = self.token(identity, None).await.map_err(unknown)?;
        match self.attempt_with(&token, call).await {
            // Nothing was carried out, and the token may have been renewed meanwhile.
            Err(Attempt::Final(Error::Unauthorized { .. })) if matches!(identity, Identity::Person(_)) => {
                let token = self.token(identity, Some(&token)).await.map_err(unknown)?;
                self.attempt_with(&token, call).await
            }
            other => other,
        }
    }

    async fn token(&self, identity: &Identity, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        match (identity, &self.people) {
            (Identity::Service, _) => Ok(self.settings.token.clone()),
            (Identity::Person(key), Some(people)) => people.token(key, refused).await,
            (Identity::Person(_), None) => Err(Error::NotConnected),
        }
    }

    async fn attempt_with(&self, token: &SecretString, call: &Call) -> Result<reqwest::Response, Attempt> {
        // After everything that is waited for: the rate, a token that is renewed.
        if call.hold.as_ref().is_some_and(|h| !h.holds()) {
            return Err(Attempt::Transient { error: Error::Busy(RanOut.to_string()), wait: None });
        }
        let url = format!("{}/{}", self.settings.base_url.as_str().trim_end_matches('/'), call.path);
        let mut request = self.http.request(call.method.clone(), url).bearer_auth(token.expose_secret());
        request = request.header("smartsheet-integration-source", "AI,ChatSheetAI,chatsheet");
        if call.method != Method::GET {
            request = request.header("Smartsheet-Change-Agent", &*self.change_agent);
        }
        if let Some(body) = &call.body {
            let body = match &call.hold {
                Some(hold) => Body::wrap(HeldBody::new(body.clone(), hold.clone())),
                None => Body::from(body.clone()),
            };
            request = request.header("Content-Type", "application/json").body(body);
        }
        let sent = match &call.hold {
            Some(hold) => hold.during(request.send()).await,
            None => request.send().await,
        };
        let response = sent.map_err(|e| {
            self.breaker.failed();
            let nothing_sent = e.is_connect();
            let why = of_request(e);
            if nothing_sent { Attempt::Transient { error: Error::Unreachable(why), wait: None } } else { Attempt::Doubtful(why) }
        })?;
        let status = response.status();
        metrics::counter!("chatsheet_smartsheet_requests_total", "status" => status.as_str().to_owned()).increment(1);
        if status.is_server_error() && status.as_u16() != 500 {
            self.breaker.failed();
        } else {
            self.breaker.succeeded();
        }
        if status.is_success() {
            return Ok(response);
        }
        let seconds = response.headers().get("retry-after").and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        let body = bytes_of(response, LONGEST_REFUSAL).await.ok().flatten().unwrap_or_default();
        Err(classify(status.as_u16(), &body, seconds.map(Duration::from_secs)))
    }
}
