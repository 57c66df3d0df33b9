//! The bot's tokens: one from the settings, or one for each workspace (or organisation) that has installed the app, which may
//! run out and be renewed.

use crate::web::CALL_TIMEOUT;
use crate::{Https, now_ms};
use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use backon::{ConstantBuilder, Retryable};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chat::ChatError;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use slack_morphism::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Tokens are renewed when they have this long to live; Slack gives them twelve hours.
const RENEW_BEFORE: Duration = Duration::from_secs(2 * 3600);
/// How long one process has for it.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long a token is used without looking whether another process has changed it.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const KNOWN: u64 = 10_000;
const ANSWER_BYTES: usize = 1 << 16;
const BEING_RENEWED: &str = "its token is being renewed";
/// Slack's words for a token that does not work.
const REFUSED: [&str; 5] = ["token_expired", "invalid_auth", "token_revoked", "account_inactive", "not_authed"];

/// The app as one workspace or organisation has installed it. It is kept encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// Name of the workspace or organisation.
    pub name: String,
    /// The bot's token there.
    pub(crate) bot_token: SlackApiTokenValue,
    /// What a new token is had for, when tokens run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<SlackApiTokenValue>,
    /// When the token runs out, epoch milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at_ms: Option<i64>,
    /// When the app was installed, epoch milliseconds.
    pub installed_at_ms: i64,
}

/// Installations could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("installations cannot be read or kept: {0}")]
pub struct StoreError(pub String);

/// Keeps installations by the id of their workspace (`T…`) or organisation (`E…`).
#[async_trait]
pub trait InstallationStore: Send + Sync {
    /// The installation with this id.
    async fn load(&self, id: &str) -> Result<Option<Installation>, StoreError>;
    /// Keeps an installation, in place of one that was there, and uses up its invitation; `false`, and nothing is kept, when that
    /// was used before.
    async fn save(&self, id: &str, installation: &Installation, invitation: &str) -> Result<bool, StoreError>;
    /// Forgets an installation that is older than this time; `false` when there is none.
    async fn remove(&self, id: &str, before_ms: i64) -> Result<bool, StoreError>;
    /// Whether this process is the one that renews the token until this time; 0 gives the turn back.
    async fn take_turn(&self, id: &str, now_ms: i64, until_ms: i64) -> Result<bool, StoreError>;
    /// Keeps an installation with a renewed token; `false` when it was replaced or forgotten meanwhile.
    async fn save_renewed(&self, id: &str, installation: &Installation) -> Result<bool, StoreError>;
}

/// An app that workspaces install by a link.
#[derive(Clone)]
pub struct Distribution {
    /// Client ID of the app.
    pub client_id: String,
    /// Client secret of the app.
    pub client_secret: String,
    /// Where the sidecar is reached from outside.
    pub public_base_url: Url,
    /// Where installations are kept.
    pub store: Arc<dyn InstallationStore>,
}

/// Where tokens come from.
pub(crate) enum Tokens {
    One(SlackApiToken),
    Many(Box<Installed>),
}

/// The installations that are known. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Installed {
    pub app: Distribution,
    https: Https,
    api_base_url: Url,
    known: Cache<String, Installation>,
}

/// What `oauth.v2.access` answers.
#[derive(Deserialize)]
pub(crate) struct Granted {
    access_token: SlackApiTokenValue,
    refresh_token: Option<SlackApiTokenValue>,
    /// Seconds.
    expires_in: Option<i64>,
    team: Option<Named>,
    enterprise: Option<Named>,
    #[serde(default)]
    is_enterprise_install: bool,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: Option<String>,
}

impl Granted {
    /// The installation and its id.
    pub fn installation(self, now_ms: i64) -> Option<(String, Installation)> {
        let named = if self.is_enterprise_install { self.enterprise } else { self.team }?;
        let installation = Installation {
            name: named.name.unwrap_or_else(|| named.id.clone()),
            bot_token: self.access_token,
            refresh_token: self.refresh_token,
            expires_at_ms: self.expires_in.map(|seconds| now_ms + seconds * 1_000),
            installed_at_ms: now_ms,
        };
        Some((named.id, installation))
    }
}

impl Installation {
    fn runs_out_within(&self, time: Duration) -> bool {
        self.expires_at_ms.is_some_and(|at_ms| at_ms - now_ms() <= time.as_millis() as i64)
    }
}

impl Tokens {
    /// The bot's token in a workspace or organisation.
    pub async fn of(&self, install: &str) -> Result<SlackApiToken, ChatError> {
        match self {
            Self::One(token) => Ok(token.clone()),
            Self::Many(installed) => Ok(SlackApiToken::new(installed.get(install, None).await?.bot_token)),
        }
    }

    /// Another token, after Slack has refused one with these words; `None` when there is none.
    ///
    /// # Errors
    /// [`ChatError::Unreachable`] as long as it may be about to be renewed.
    pub async fn instead(&self, install: &str, refused: &SlackApiToken, why: &str) -> Result<Option<SlackApiToken>, ChatError> {
        let Self::Many(installed) = self else { return Ok(None) };
        if !REFUSED.iter().any(|r| why.starts_with(r)) {
            return Ok(None);
        }
        installed.known.invalidate(install).await;
        let now = installed.get(install, Some(&refused.token_value)).await?;
        match now.bot_token == refused.token_value {
            true if now.refresh_token.is_some() => Err(ChatError::Unreachable(BEING_RENEWED.into())),
            true => Ok(None),
            false => Ok(Some(SlackApiToken::new(now.bot_token))),
        }
    }

    /// Whether there is one for each installation.
    pub fn are_many(&self) -> bool {
        matches!(self, Self::Many(_))
    }

    /// Whether events of this installation are to be heard at all.
    pub async fn serves(&self, install: &str) -> Result<bool, StoreError> {
        match self {
            Self::One(_) => Ok(true),
            Self::Many(installed) => Ok(installed.app.store.load(install).await?.is_some()),
        }
    }

    /// Forgets an installation that was made before this time.
    pub async fn forget(&self, install: &str, before_ms: i64) -> Result<(), StoreError> {
        let Self::Many(installed) = self else { return Ok(()) };
        if installed.app.store.remove(install, before_ms).await? {
            tracing::info!(install, "slack has revoked the bot's token");
        }
        installed.known.invalidate(install).await;
        Ok(())
    }
}

impl Installed {
    pub fn new(app: Distribution, https: Https, api_base_url: Url) -> Self {
        Self { app, https, api_base_url, known: Cache::builder().max_capacity(KNOWN).time_to_live(KNOWN_FOR).build() }
    }

    async fn get(&self, install: &str, refused: Option<&SlackApiTokenValue>) -> Result<Installation, ChatError> {
        let found = self.known.try_get_with_by_ref(install, self.look(install, refused)).await;
        found.map_err(|error| match &*error {
            ChatError::Forbidden(why) => ChatError::Forbidden(why.clone()),
            other => ChatError::Unreachable(other.to_string()),
        })
    }

    /// Reads an installation and renews its token if it is time, or if it is one that Slack has refused.
    async fn look(&self, install: &str, refused: Option<&SlackApiTokenValue>) -> Result<Installation, ChatError> {
        let unreachable = |e: StoreError| ChatError::Unreachable(e.to_string());
        let installation = self.read(install).await?;
        let refused = refused == Some(&installation.bot_token) && installation.refresh_token.is_some();
        if !refused && !installation.runs_out_within(RENEW_BEFORE) {
            return Ok(installation);
        }
        let now_ms = now_ms();
        let (has_run_out, until_ms) = (refused || installation.runs_out_within(Duration::ZERO), now_ms + RENEWAL.as_millis() as i64);
        if !self.app.store.take_turn(install, now_ms, until_ms).await.map_err(unreachable)? {
            // Another process is about to renew it.
            return if has_run_out { Err(ChatError::Unreachable(BEING_RENEWED.into())) } else { Ok(installation) };
        }
        let now_kept = self.read(install).await?;
        if now_kept != installation {
            return Ok(now_kept); // It was renewed before this process had its turn.
        }
        // A refresh token ends when it is used: what has begun is brought to its end, whoever waits for it.
        let (this, id, before) = (self.clone(), install.to_owned(), installation.clone());
        let renewed = tokio::spawn(async move { this.renew(&id, before, until_ms).await }).await;
        match renewed.unwrap_or_else(|e| Err(ChatError::Unreachable(e.to_string()))) {
            Err(error) if !has_run_out => {
                tracing::warn!(%error, install, "slack's token could not be renewed yet");
                Ok(installation)
            }
            Err(ChatError::Forbidden(why)) => {
                tracing::error!(why, install, "slack's token has run out and is not renewed; the app has to be installed again");
                Err(ChatError::Forbidden(format!("its token has run out and is not renewed ({why}); install the app again")))
            }
            other => other,
        }
    }

    async fn read(&self, install: &str) -> Result<Installation, ChatError> {
        let found = self.app.store.load(install).await.map_err(|e| ChatError::Unreachable(e.to_string()))?;
        found.ok_or_else(|| ChatError::Forbidden(format!("the app is not installed in {install}")))
    }

    async fn renew(&self, install: &str, before: Installation, until_ms: i64) -> Result<Installation, ChatError> {
        let granted = match &before.refresh_token {
            Some(refresh) => self.access(&[("grant_type", "refresh_token"), ("refresh_token", refresh.value())]).await,
            None => Err(ChatError::Forbidden("there is no refresh token".into())),
        };
        let granted = match granted {
            Ok(granted) => granted,
            Err(error) => {
                if let Err(error) = self.app.store.take_turn(install, until_ms, 0).await {
                    tracing::warn!(%error, install, "the turn to renew a token could not be given back");
                }
                return Err(error);
            }
        };
        let renewed = Installation {
            bot_token: granted.access_token,
            expires_at_ms: granted.expires_in.map(|seconds| now_ms() + seconds * 1_000),
            refresh_token: granted.refresh_token.or(before.refresh_token),
            ..before
        };
        let keep = || self.app.store.save_renewed(install, &renewed);
        let kept = keep.retry(ConstantBuilder::default()).await.map_err(|e| ChatError::Unreachable(e.to_string()))?;
        if !kept {
            return self.read(install).await; // It was installed anew, or removed.
        }
        tracing::info!(install, "slack's token was renewed");
        Ok(renewed)
    }

    /// Asks for a token: not by the crate's client, which puts codes and tokens into addresses.
    pub async fn access(&self, what: &[(&str, &str)]) -> Result<Granted, ChatError> {
        #[derive(Deserialize)]
        struct Answer {
            error: Option<String>,
            #[serde(flatten)]
            granted: Option<Granted>,
        }
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(what).finish();
        let proof = STANDARD.encode(format!("{}:{}", self.app.client_id, self.app.client_secret));
        let request = Request::post(format!("{}/oauth.v2.access", self.api_base_url.as_str().trim_end_matches('/')))
            .header("authorization", format!("Basic {proof}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .map_err(|e| ChatError::Forbidden(e.to_string()))?;
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(self.https.clone());
        let asked = async {
            let answer = client.request(request).await.map_err(|e| e.to_string())?;
            to_bytes(Body::new(answer.into_body()), ANSWER_BYTES).await.map_err(|e| e.to_string())
        };
        let answered = tokio::time::timeout(CALL_TIMEOUT, asked).await.unwrap_or_else(|_| Err("oauth.v2.access was not answered".into()));
        let answer: Answer = serde_json::from_slice(&answered.map_err(ChatError::Unreachable)?)
            .map_err(|_| ChatError::Unreachable("the answer of oauth.v2.access cannot be read".into()))?;
        match answer {
            Answer { granted: Some(granted), .. } => Ok(granted),
            Answer { error: Some(error), .. } if error == "ratelimited" || error.ends_with("_error") => Err(ChatError::Unreachable(error)),
            Answer { error, .. } => Err(ChatError::Forbidden(error.unwrap_or_else(|| "slack gave no token".into()))),
        }
    }

    /// Keeps what was granted by an invitation; its name. `None` when the invitation was used before.
    pub async fn keep(&self, granted: Granted, invitation: &str) -> Result<Option<String>, StoreError> {
        let now_ms = now_ms();
        let Some((id, installation)) = granted.installation(now_ms) else {
            return Err(StoreError("slack names neither a workspace nor an organisation".into()));
        };
        if !self.app.store.save(&id, &installation, invitation).await? {
            return Ok(None);
        }
        self.known.invalidate(&id).await;
        tracing::info!(install = id, name = installation.name, "slack: the app was installed");
        Ok(Some(installation.name))
    }
}
