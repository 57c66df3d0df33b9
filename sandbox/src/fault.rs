//! Faults on demand: the next answers, or a share of all answers, go wrong in a named way.

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

/// How an answer goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Too many requests.
    RateLimited,
    /// The service fails.
    ServerError,
    /// No answer at all.
    Hang,
    /// The connection breaks before the answer.
    Reset,
    /// The connection breaks in the middle of the answer; what was asked for has been done.
    Truncated,
    /// What was asked for is done, and the answer never comes.
    HangAfter,
    /// The connection breaks at once, and what was asked for is done 800 ms later.
    Late,
    /// The answer takes two seconds longer.
    Slow,
    /// Another request changes the same sheet just now (Smartsheet's 4004).
    Busy,
    /// The model answers something that has nothing to do with the question.
    Nonsense,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "429" => Self::RateLimited,
            "5xx" | "500" => Self::ServerError,
            "hang" => Self::Hang,
            "reset" => Self::Reset,
            "truncated" => Self::Truncated,
            "late" => Self::Late,
            "slow" => Self::Slow,
            "busy" => Self::Busy,
            "nonsense" => Self::Nonsense,
            other => {
                return Err(format!("unknown fault '{other}': use 429, 5xx, hang, reset, truncated, late, slow, busy or nonsense"));
            }
        })
    }
}

/// The faults of one stand-in.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<Option<Kind>>,
    queued_writes: VecDeque<Kind>,
    rates: Vec<(Kind, f64)>,
    random: u64,
    dealt: Vec<Kind>,
}

impl Faults {
    /// The next `times` requests go wrong this way.
    pub fn next(&self, kind: Kind, times: usize) {
        self.lock().queued.extend(std::iter::repeat_n(Some(kind), times));
    }

    /// The next `skip` requests go well, and the one behind them goes wrong this way.
    pub fn after(&self, skip: usize, kind: Kind) {
        self.lock().queued.extend(std::iter::repeat_n(None, skip).chain([Some(kind)]));
    }

    /// From now on this share (0 to 1) of all requests goes wrong this way.
    pub fn rate(&self, kind: Kind, share: f64) {
        self.lock().rates.push((kind, share));
    }

    /// No more faults.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.queued.clear();
        state.queued_writes.clear();
        state.rates.clear();
    }

    /// The next request that changes something goes wrong this way.
    pub fn next_write(&self, kind: Kind) {
        self.lock().queued_writes.push_back(kind);
    }

    /// The fault for a request that changes something.
    pub(crate) fn draw_write(&self) -> Option<Kind> {
        let queued = self.lock().queued_writes.pop_front();
        if let Some(kind) = queued {
            self.lock().dealt.push(kind);
            return Some(kind);
        }
        self.draw()
    }

    /// How many requests have gone wrong this way.
    pub fn dealt(&self, kind: Kind) -> usize {
        self.lock().dealt.iter().filter(|k| **k == kind).count()
    }

    pub(crate) fn draw(&self) -> Option<Kind> {
        let mut state = self.lock();
        let queued = state.queued.pop_front();
        if queued == Some(None) {
            return None;
        }
        let by_rate = |state: &mut State| state.rates.clone().into_iter().find(|(_, share)| state.uniform() < *share).map(|(kind, _)| kind);
        let kind = queued.flatten().or_else(|| by_rate(&mut state))?;
        state.dealt.push(kind);
        Some(kind)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    /// splitmix64: the same faults in every run.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The part of a fault that looks the same on every service. `None`: the service words it itself.
pub(crate) async fn before(kind: Kind) -> Option<Response> {
    match kind {
        Kind::Hang => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Some(StatusCode::GATEWAY_TIMEOUT.into_response())
        }
        Kind::Reset => Some(broken(Bytes::new(), 64)),
        Kind::Slow => {
            tokio::time::sleep(Duration::from_secs(2)).await;
            None
        }
        Kind::RateLimited | Kind::ServerError | Kind::Truncated | Kind::HangAfter | Kind::Late | Kind::Busy | Kind::Nonsense => None,
    }
}

/// Breaks the connection and lets the work begin later.
pub(crate) fn late(work: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(800)).await;
        work.await
    });
    broken(Bytes::new(), 64)
}

/// The part of a fault that comes after what was asked for has been done.
pub(crate) async fn after(kind: Option<Kind>, response: Response) -> Response {
    match kind {
        Some(Kind::Truncated) => truncate(response).await,
        Some(Kind::HangAfter) => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            response
        }
        _ => response,
    }
}

/// Cuts an answer in the middle.
async fn truncate(response: Response) -> Response {
    let (_, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    broken(bytes.slice(..bytes.len() / 2), bytes.len())
}

fn broken(head: Bytes, announced: usize) -> Response {
    let body = stream::iter([Ok(head), Err(std::io::Error::other("connection broken on demand"))]);
    ([(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_LENGTH, announced.to_string())], Body::from_stream(body))
        .into_response()
}
