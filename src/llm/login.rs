//! How to log in: a key, a token that somebody made, or tokens of Entra ID that are fetched and renewed here.
//!
//! Sources: [client credentials](https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow),
//! [managed identities](https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token),
//! [workload identity](https://learn.microsoft.com/azure/aks/workload-identity-overview).

use super::error::HttpFailure;
use crate::error::of_request;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

/// A token is renewed when it lasts no longer than this, or than half of its life.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// When it is tried again where that failed.
const RENEWED_AGAIN: Duration = Duration::from_secs(30);
/// How long a token is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How to log in.
#[derive(Clone, Debug)]
pub enum Login {
    /// In the header `api-key`.
    Key(SecretString),
    /// In the header `Authorization`, as it is; none when it is empty.
    Bearer(SecretString),
    /// With tokens of Entra ID.
    Entra(Arc<Entra>),
}

/// Who asks Entra ID for tokens.
#[derive(Clone, Debug)]
pub enum Identity {
    /// An application with a secret.
    Secret {
        /// Id or name of the tenant.
        tenant: String,
        /// Id of the application.
        client: String,
        /// Its secret.
        secret: SecretString,
    },
    /// A workload that finds a token of its cluster in a file, which changes.
    Workload {
        /// Id or name of the tenant.
        tenant: String,
        /// Id of the application.
        client: String,
        /// The file.
        file: PathBuf,
    },
    /// The identity of the machine.
    Machine {
        /// Which one, where it has several.
        client: Option<String>,
        /// Where it is asked.
        at: Metadata,
    },
}

/// Where a machine gets its tokens.
#[derive(Clone, Debug)]
pub enum Metadata {
    /// From the metadata service of virtual machines.
    Imds(Url),
    /// From the service that App Service and Container Apps name, which knows us by a header.
    Endpoint(Url, SecretString),
}

/// Tokens of Entra ID for one scope.
#[derive(Debug)]
pub struct Entra {
    identity: Identity,
    authority: Url,
    scope: String,
    token: Mutex<Option<Token>>,
}

#[derive(Clone, Debug)]
struct Token {
    secret: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    /// Seconds, as a number or as a text.
    expires_in: Value,
}

impl Login {
    /// What must never be seen.
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Key(secret) | Self::Bearer(secret) => Some(secret).filter(|s| !s.expose_secret().is_empty()),
            Self::Entra(entra) => match &entra.identity {
                Identity::Secret { secret, .. } => Some(secret),
                Identity::Machine { at: Metadata::Endpoint(_, header), .. } => Some(header),
                Identity::Workload { .. } | Identity::Machine { .. } => None,
            },
        }
    }

    /// The header that logs a request in.
    ///
    /// # Errors
    /// As if the far side had refused: Entra ID does not give a token, or the secret cannot stand in a header.
    pub(super) async fn header(&self, http: &reqwest::Client) -> Result<Option<(HeaderName, HeaderValue)>, HttpFailure> {
        let (name, value) = match self {
            Self::Key(key) => (HeaderName::from_static("api-key"), key.expose_secret().to_owned()),
            Self::Bearer(token) if token.expose_secret().is_empty() => return Ok(None),
            Self::Bearer(token) => (AUTHORIZATION, format!("Bearer {}", token.expose_secret())),
            Self::Entra(entra) => (AUTHORIZATION, format!("Bearer {}", entra.token(http).await?.expose_secret())),
        };
        let odd = |_| HttpFailure::without_token("the key has characters that a header cannot have", false);
        let mut value = HeaderValue::from_str(&value).map_err(odd)?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }

    /// Forgets the token of a header that was refused. `false` when there is none to fetch in its place: a key stays what it is.
    pub(super) async fn forget(&self, refused: Option<&(HeaderName, HeaderValue)>) -> bool {
        let (Self::Entra(entra), Some((_, refused))) = (self, refused) else { return false };
        let mut kept = entra.token.lock().await;
        // Several requests are refused at the same time, and one of them has fetched another already.
        if kept.as_ref().is_some_and(|token| refused == format!("Bearer {}", token.secret.expose_secret()).as_str()) {
            *kept = None;
        }
        true
    }
}

impl Entra {
    /// Tokens for a scope, such as `https://cognitiveservices.azure.com/.default`, from an authority, such as `https://login.microsoftonline.com`.
    pub fn new(identity: Identity, authority: Url, scope: String) -> Self {
        Self { identity, authority, scope, token: Mutex::default() }
    }

    /// A token that is still good. One at a time fetches a new one; as long as the old one lasts, a failure to renew it is only logged.
    async fn token(&self, http: &reqwest::Client) -> Result<SecretString, HttpFailure> {
        let mut kept = self.token.lock().await;
        let now = Instant::now();
        if let Some(token) = kept.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.secret.clone());
        }
        match self.fetch(http).await {
            Ok(token) => {
                let secret = token.secret.clone();
                *kept = Some(token);
                Ok(secret)
            }
            Err(error) => match kept.as_mut().filter(|token| Instant::now() < token.ends_at) {
                Some(token) => {
                    tracing::warn!(error = error.body, "the token of Entra ID was not renewed");
                    token.renew_at = Instant::now() + RENEWED_AGAIN;
                    Ok(token.secret.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Token, HttpFailure> {
        let form = |tenant: &str, fields: &[(&str, &str)]| {
            let url = format!("{}/{tenant}/oauth2/v2.0/token", self.authority.as_str().trim_end_matches('/'));
            let all = [("grant_type", "client_credentials"), ("scope", &self.scope)];
            http.post(url).form(&all.iter().chain(fields).collect::<Vec<_>>())
        };
        // The metadata services are asked for a resource, not for a scope.
        let resource = self.scope.trim_end_matches("/.default");
        let request = match &self.identity {
            Identity::Secret { tenant, client, secret } => {
                form(tenant, &[("client_id", client), ("client_secret", secret.expose_secret())])
            }
            Identity::Workload { tenant, client, file } => {
                let read = tokio::fs::read_to_string(file).await;
                let assertion =
                    read.map_err(|e| HttpFailure::without_token(&format!("AZURE_FEDERATED_TOKEN_FILE cannot be read: {e}"), false))?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                form(tenant, &[("client_id", client), ("client_assertion_type", kind), ("client_assertion", assertion.trim())])
            }
            Identity::Machine { client, at } => {
                let which = client.iter().map(|id| ("client_id", id.as_str()));
                let request = match at {
                    Metadata::Imds(base) => {
                        let url = format!("{}/metadata/identity/oauth2/token", base.as_str().trim_end_matches('/'));
                        http.get(url).header("Metadata", "true").query(&[("api-version", "2018-02-01")])
                    }
                    Metadata::Endpoint(url, header) => {
                        http.get(url.clone()).header("X-IDENTITY-HEADER", header.expose_secret()).query(&[("api-version", "2019-08-01")])
                    }
                };
                request.query(&[("resource", resource)]).query(&which.collect::<Vec<_>>())
            }
        };
        let silent = |e: reqwest::Error| HttpFailure::without_token(&format!("Entra ID does not answer: {}", of_request(e)), true);
        let response = request.timeout(TIMEOUT).send().await.map_err(silent)?;
        let status = response.status();
        let body = response.bytes().await.map_err(silent)?;
        if !status.is_success() {
            let said: Value = serde_json::from_slice(&body).unwrap_or_default();
            let why = said["error_description"].as_str().or(said["error"].as_str()).unwrap_or("no reason given");
            let words = format!("Entra ID gives no token (HTTP {}): {}", status.as_u16(), chat::text::shorten(why, 300));
            return Err(HttpFailure::without_token(&words, status.is_server_error() || status.as_u16() == 429));
        }
        let unreadable = |_| HttpFailure::without_token("the answer of Entra ID is not a token", false);
        let granted: Granted = serde_json::from_slice(&body).map_err(unreadable)?;
        let seconds = granted.expires_in.as_u64().or_else(|| granted.expires_in.as_str()?.parse().ok()).unwrap_or_default();
        let (now, life) = (Instant::now(), Duration::from_secs(seconds));
        let renew_at = now + life.saturating_sub(RENEWED_BEFORE).max(life / 2);
        Ok(Token { secret: granted.access_token, renew_at, ends_at: now + life })
    }
}
