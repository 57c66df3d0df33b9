//! Who may speak: the token of a request is checked against the keys of the Bot Framework, before its body is read.
//! <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication>

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation, decode, decode_header};
use reqwest::Client;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, RwLock};
use tokio::time::Instant;
use url::Url;

/// Clocks may differ by this much.
const SKEW_SECONDS: u64 = 300;
/// Keys are read anew after this time, and when one is unknown, but not more often than that; sooner when they could not be read.
const KEYS_LAST: Duration = Duration::from_secs(24 * 3600);
const NOT_MORE_OFTEN: Duration = Duration::from_secs(30);
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The keys that are known, and when they were read.
pub(crate) struct Trust {
    http: Client,
    metadata: Url,
    audiences: [String; 3],
    keys: RwLock<Option<Arc<Keys>>>,
    /// When they were last asked for, and why they could not be read then.
    reading: Mutex<Option<(Instant, Option<String>)>>,
}

struct Keys {
    issuer: String,
    by_id: HashMap<String, Key>,
    read_at: Instant,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Key>,
}

#[derive(Clone, Deserialize)]
struct Key {
    #[serde(default)]
    kid: String,
    #[serde(default)]
    kty: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
    /// Channels that this key may sign for.
    #[serde(default)]
    endorsements: Vec<String>,
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(alias = "serviceUrl")]
    serviceurl: String,
}

/// A token that holds: the service that it speaks for, and the channels that its key may sign for.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub service_url: String,
    pub endorsements: Vec<String>,
}

/// Why a token does not hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    /// It was not made by the Bot Framework for this bot.
    #[error("{0}")]
    Refused(String),
    /// The keys cannot be read now; the same request may come again.
    #[error("the keys cannot be read: {0}")]
    Unreadable(String),
}

impl Trust {
    pub fn new(http: Client, metadata: Url, app_id: &str) -> Self {
        // Another part of the program may have installed it already.
        let _ = RING.install_default();
        let audiences = [app_id.to_owned(), format!("api://botid-{app_id}"), format!("api://{app_id}")];
        Self { http, metadata, audiences, keys: RwLock::default(), reading: Mutex::default() }
    }

    /// Who signs: also the name of the API that the bot's own token is for.
    pub async fn issuer(&self) -> Result<String, Distrust> {
        match self.known().await {
            Some(keys) => Ok(keys.issuer.clone()),
            None => Ok(self.read().await?.issuer.clone()),
        }
    }

    /// Checks the token of a request.
    pub async fn check(&self, token: &str) -> Result<Trusted, Distrust> {
        let refused = |e: jsonwebtoken::errors::Error| Distrust::Refused(e.to_string());
        let header = decode_header(token).map_err(refused)?;
        if header.crit.is_some() {
            return Err(Distrust::Refused("it has critical extensions, and none is known".into()));
        }
        let kid = header
            .kid
            .filter(|_| header.alg == Algorithm::RS256)
            .ok_or_else(|| Distrust::Refused("not an RS256 token with a key id".into()))?;
        let (issuer, key) = self.key(&kid).await?;
        let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).map_err(refused)?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.leeway = SKEW_SECONDS;
        rules.validate_nbf = true;
        rules.set_audience(&self.audiences);
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let claims: Claims = decode(token, &decoding, &rules).map_err(refused)?.claims;
        Ok(Trusted { service_url: claims.serviceurl, endorsements: key.endorsements })
    }

    /// The key with this id; keys are read anew when it is unknown.
    async fn key(&self, kid: &str) -> Result<(String, Key), Distrust> {
        let of = |keys: &Keys| keys.by_id.get(kid).map(|key| (keys.issuer.clone(), key.clone()));
        if let Some(found) = self.known().await.and_then(|keys| of(&keys)) {
            return Ok(found);
        }
        let keys = self.read().await?;
        of(&keys).ok_or_else(|| Distrust::Refused("signed with an unknown key".into()))
    }

    async fn known(&self) -> Option<Arc<Keys>> {
        self.keys.read().await.clone().filter(|keys| keys.read_at.elapsed() < KEYS_LAST)
    }

    /// Reads the keys, once at a time; what came of it a moment ago is good enough, so that forgers cannot make us ask for
    /// ever. While they cannot be read those that were last known are good, however old.
    async fn read(&self) -> Result<Arc<Keys>, Distrust> {
        let mut last = self.reading.lock().await;
        let known = self.keys.read().await.clone();
        if let Some((at, failed)) = last.as_ref()
            && at.elapsed() < if failed.is_some() { TRY_AGAIN } else { NOT_MORE_OFTEN }
        {
            return known.ok_or_else(|| Distrust::Unreadable(failed.clone().unwrap_or_default()));
        }
        let read = self.fetch().await.map_err(|e| e.without_url().to_string());
        *last = Some((Instant::now(), read.as_ref().err().cloned()));
        match (read, known) {
            (Ok(keys), _) => {
                *self.keys.write().await = Some(keys.clone());
                Ok(keys)
            }
            (Err(why), Some(known)) => {
                tracing::warn!(why, "the keys of the Bot Framework cannot be read; those that are known are used");
                Ok(known)
            }
            (Err(why), None) => Err(Distrust::Unreadable(why)),
        }
    }

    async fn fetch(&self) -> Result<Arc<Keys>, reqwest::Error> {
        let metadata: Metadata = self.http.get(self.metadata.clone()).send().await?.error_for_status()?.json().await?;
        let jwks: Jwks = self.http.get(metadata.jwks_uri).send().await?.error_for_status()?.json().await?;
        let by_id = jwks.keys.into_iter().filter(|k| k.kty == "RSA").map(|k| (k.kid.clone(), k)).collect();
        Ok(Arc::new(Keys { issuer: metadata.issuer, by_id, read_at: Instant::now() }))
    }
}

/// RS256 checked by ring; nothing else, and nothing is signed.
static RING: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| match (algorithm, key.kind()) {
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => Ok(Box::new(Rs256 { n: n.clone(), e: e.clone() })),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Rs256 {
    n: Vec<u8>,
    e: Vec<u8>,
}

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let key = RsaPublicKeyComponents { n: &self.n, e: &self.e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signed).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}
