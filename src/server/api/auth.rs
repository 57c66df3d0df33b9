//! Who asks: a bearer key, what it may do, and how fast. Nothing is open by default.

use super::Api;
use super::problem::Problem;
use crate::server::address::counted;
use crate::smartsheet::Identity;
use crate::store::ApiKey;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use moka::future::Cache;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// What keys begin with, so that scanners for leaked secrets find them.
const PREFIX: &str = "csk";
/// How long a key is known without being looked up; a revoked one works no longer than this.
const KNOWN: Duration = Duration::from_secs(5);
/// Requests of a key in a second, and at once.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
const AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);
/// Requests of an address, with whatever keys, in a second and at once.
const ADDRESS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);
const ADDRESS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(799);
/// Requests without a valid key of an address in a minute.
const STRANGERS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(299);
/// Addresses and keys whose pace is remembered before those that rest are forgotten.
const REMEMBERED: usize = 10_000;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scope {
    /// Look at sheets.
    Read,
    /// Change sheets.
    Write,
    /// Talk to the bot in sessions of its own; the bot's proposals are confirmed here, too.
    Chat,
    /// Look after jobs of its own; who begins one needs to write, too.
    Jobs,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Chat, Self::Jobs];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Chat => "chat",
            Self::Jobs => "jobs",
        }
    }

    /// # Errors
    /// When it is not among these scopes.
    pub(in crate::server) fn needed_in(self, scopes: &str) -> Result<(), Problem> {
        let word = self.as_str();
        if scopes.split(' ').any(|s| s == word) {
            return Ok(());
        }
        let detail = format!("This key has no scope '{word}'. Make one that has: chatsheet key create NAME --scope {word}.");
        Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail))
    }
}

/// A new key with its secret, which is shown once and not kept.
pub fn new_key(name: &str, scopes: &[Scope], now_ms: i64) -> (ApiKey, String) {
    let (id, secret) = (uuid::Uuid::new_v4().simple().to_string()[..12].to_owned(), [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]);
    let secret: String = secret.iter().map(|u| u.simple().to_string()).collect();
    let words: Vec<&str> = Scope::ALL.into_iter().filter(|s| scopes.contains(s)).map(Scope::as_str).collect();
    let key = ApiKey {
        id: id.clone(),
        name: name.to_owned(),
        secret_hash: hash(&secret),
        scopes: words.join(" "),
        created_at_ms: now_ms,
        last_used_at_ms: None,
        revoked_at_ms: None,
    };
    (key, format!("{PREFIX}_{id}_{secret}"))
}

fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, DefaultClock>;

/// Keys that were seen, and the pace of everybody.
pub(super) struct Gate {
    keys: Cache<String, Option<ApiKey>>,
    by_key: Limiter<String>,
    by_address: Limiter<IpAddr>,
    strangers: Limiter<IpAddr>,
}

impl Gate {
    pub fn new() -> Self {
        Self {
            keys: Cache::builder().max_capacity(REMEMBERED as u64).time_to_live(KNOWN).build(),
            by_key: RateLimiter::hashmap(Quota::per_second(PER_SECOND).allow_burst(AT_ONCE)),
            by_address: RateLimiter::hashmap(Quota::per_second(ADDRESS_PER_SECOND).allow_burst(ADDRESS_AT_ONCE)),
            strangers: RateLimiter::hashmap(Quota::per_minute(STRANGERS_PER_MINUTE)),
        }
    }
}

/// Who asks: a key, or a person who has a link of their own.
#[derive(Clone, Debug)]
pub(in crate::server) struct Caller(Arc<Asking>);

#[derive(Debug)]
struct Asking {
    id: String,
    name: String,
    scopes: String,
    install: String,
    identity: Identity,
}

impl From<ApiKey> for Caller {
    fn from(key: ApiKey) -> Self {
        Self(Arc::new(Asking { install: key.id.clone(), id: key.id, name: key.name, scopes: key.scopes, identity: Identity::Service }))
    }
}

impl Caller {
    /// A person who writes from the viewer of a session.
    pub fn viewer(session: &str, person: &str, name: &str, identity: Identity) -> Self {
        let install = format!("viewer-{session}");
        Self(Arc::new(Asking { id: person.to_owned(), name: name.to_owned(), scopes: String::new(), install, identity }))
    }

    /// The id under which it acts: in sessions, changes and jobs.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// On whose behalf it asks Smartsheet.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Where its own threads of the web stand, apart from those of all others.
    pub fn install(&self) -> &str {
        &self.0.install
    }

    /// What it may do, separated by spaces.
    pub fn scopes(&self) -> &str {
        &self.0.scopes
    }

    /// # Errors
    /// When the key lacks the scope.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        scope.needed_in(self.scopes())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| anyhow::anyhow!("a route of the API stands outside of its gate").into())
    }
}

/// From where a request comes, as it is counted.
#[derive(Clone, Copy)]
struct Counted(IpAddr);

/// Lets requests pass at the pace of their address, whatever they want.
pub(in crate::server) async fn at_the_pace_of_its_address(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    if let Some(peer) = peer {
        let address = counted(api.parts.proxies.client(peer, request.headers()));
        if let Err(problem) = paced(&api.gate.by_address, &address) {
            return problem.into_response();
        }
        request.extensions_mut().insert(Counted(address));
    }
    next.run(request).await
}

/// Lets requests with a valid key pass, at its pace.
pub(super) async fn authenticate(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<Counted>().map(|counted| counted.0);
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let bearer = bearer.unwrap_or_default().trim().to_owned();
    match api.caller(&bearer, address).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Api {
    /// The pace of whoever has a link, which is that of a key.
    pub(in crate::server) fn paced(&self, link: &str) -> Result<(), Problem> {
        paced(&self.gate.by_key, &link.to_owned())
    }

    async fn caller(&self, bearer: &str, address: Option<IpAddr>) -> Result<Caller, Problem> {
        let Some(key) = self.key(bearer).await? else {
            if let Some(address) = address {
                paced(&self.gate.strangers, &address)?;
            }
            let detail = "Send Authorization: Bearer KEY with a valid key; `chatsheet key create NAME` makes one.";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_missing", detail));
        };
        paced(&self.gate.by_key, &key.id)?;
        Ok(key.into())
    }

    /// The valid key of this text.
    async fn key(&self, text: &str) -> Result<Option<ApiKey>, Problem> {
        let mut parts = text.split('_');
        let (Some(PREFIX), Some(id), Some(secret), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Ok(None);
        };
        if id.len() > 32 {
            return Ok(None);
        }
        let known = match self.gate.keys.get(id).await {
            Some(known) => known,
            None => {
                let found = self.parts.store.api_key(id).await?;
                if found.is_some() {
                    self.parts.store.api_key_used(id, self.parts.clock.now_ms()).await?;
                    self.gate.keys.insert(id.to_owned(), found.clone()).await;
                }
                found
            }
        };
        let fits = |key: &ApiKey| bool::from(hash(secret).as_bytes().ct_eq(key.secret_hash.as_bytes()));
        Ok(known.filter(|k| k.revoked_at_ms.is_none() && fits(k)))
    }
}

fn paced<K: Clone + Eq + std::hash::Hash>(limiter: &Limiter<K>, key: &K) -> Result<(), Problem> {
    if limiter.len() > REMEMBERED {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        let wait = Duration::from_secs(wait.as_secs() + 1);
        let detail = format!("Too many requests. Please wait {} seconds.", wait.as_secs());
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_fast", detail).after(wait)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_key_have_a_pace_each() {
        let gate = Gate::new();
        let address = IpAddr::from([198, 51, 100, 1]);
        let let_in = |n: usize, ask: &dyn Fn() -> Result<(), Problem>| (0..n).filter(|_| ask().is_ok()).count();
        let of_address = let_in(5_000, &|| paced(&gate.by_address, &address));
        let of_key = let_in(5_000, &|| paced(&gate.by_key, &"key".to_owned()));
        assert!((800..4_000).contains(&of_address) && (200..2_000).contains(&of_key), "{of_address}, {of_key}");
        assert!(paced(&gate.by_address, &IpAddr::from([198, 51, 100, 2])).is_ok(), "others have their own");
    }
}
