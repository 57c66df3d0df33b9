//! The Slack adapter, and where its installations are kept.

use super::platforms::Connected;
use crate::bot::Door;
use crate::clock::Clock;
use crate::config::{Config, Slack, SlackAccess};
use crate::store::Store;
use crate::vault::Vault;
use anyhow::Context;
use async_trait::async_trait;
use secrecy::ExposeSecret;
use slack_chat::{Access, Distribution, Installation, InstallationStore, Settings, StoreError};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const KIND: &str = "slack";

/// Installations in the database, encrypted.
#[derive(Clone)]
pub struct Installations {
    store: Store,
    vault: Vault,
}

impl Installations {
    /// Installations in this database.
    pub fn new(store: Store, vault: Vault) -> Self {
        Self { store, vault }
    }

    fn sealed(&self, id: &str, installation: &Installation) -> Result<String, StoreError> {
        let text = serde_json::to_string(installation).map_err(failed)?;
        self.vault.seal(&purpose(id), &text).map_err(failed)
    }

    /// The ids of all, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<String>, sqlx::Error> {
        self.store.grants(KIND).await
    }
}

/// What is sealed for one installation opens for no other.
fn purpose(id: &str) -> String {
    format!("grant|{KIND}|{id}")
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}

#[async_trait]
impl InstallationStore for Installations {
    async fn load(&self, id: &str) -> Result<Option<Installation>, StoreError> {
        let Some(sealed) = self.store.grant(KIND, id).await.map_err(failed)? else { return Ok(None) };
        let opened = self.vault.open(&purpose(id), &sealed).map_err(failed)?;
        serde_json::from_str(&opened).map(Some).map_err(failed)
    }

    async fn save(&self, id: &str, installation: &Installation, invitation: &str) -> Result<bool, StoreError> {
        let sealed = self.sealed(id, installation)?;
        self.store.keep_invited(KIND, id, &sealed, installation.installed_at_ms, invitation).await.map_err(failed)
    }

    async fn remove(&self, id: &str, before_ms: i64) -> Result<bool, StoreError> {
        self.store.forget_grant(KIND, id, before_ms, Clock::System.now_ms()).await.map_err(failed)
    }

    async fn take_turn(&self, id: &str, now_ms: i64, until_ms: i64) -> Result<bool, StoreError> {
        self.store.take_renewal(KIND, id, now_ms, until_ms).await.map_err(failed)
    }

    async fn save_renewed(&self, id: &str, installation: &Installation) -> Result<bool, StoreError> {
        let sealed = self.sealed(id, installation)?;
        self.store.keep_renewed(KIND, id, &sealed, installation.installed_at_ms).await.map_err(failed)
    }
}

/// The adapter of these settings.
///
/// # Errors
/// When the TLS set-up of this machine is broken, or an app that others install has nowhere to keep that.
pub fn adapter(slack: &Slack, installations: Option<Installations>) -> anyhow::Result<Arc<slack_chat::Slack>> {
    let access = match &slack.access {
        SlackAccess::Token(token) => Access::Token(token.expose_secret().to_owned()),
        SlackAccess::Distributed { client_id, client_secret, public_base_url } => Access::Distributed(Distribution {
            client_id: client_id.clone(),
            client_secret: client_secret.expose_secret().to_owned(),
            public_base_url: public_base_url.clone(),
            store: Arc::new(installations.context("installations cannot be kept")?),
        }),
    };
    let settings = Settings {
        access,
        signing_secret: slack.signing_secret.as_ref().map(|s| s.expose_secret().to_owned()),
        app_token: slack.app_token.as_ref().map(|s| s.expose_secret().to_owned()),
        api_base_url: slack.api_base_url.clone(),
        paced: slack.paced,
    };
    slack_chat::Slack::new(settings).map(Arc::new).context("SLACK_*")
}

/// Connects Slack, if it is set up.
pub(super) fn connect(
    config: &Config,
    installations: Installations,
    door: &Arc<Door>,
    stop: &CancellationToken,
    connected: &mut Connected,
) -> anyhow::Result<()> {
    let Some(slack) = &config.slack else { return Ok(()) };
    let adapter = adapter(slack, Some(installations))?;
    connected.webhooks.push(("slack", slack_chat::router(adapter.clone(), door.clone())));
    if matches!(slack.access, SlackAccess::Distributed { .. }) {
        connected.pages.push(("/slack", slack_chat::install_router(adapter.clone())));
    }
    connected.tasks.push(Box::pin(adapter.clone().run(door.clone(), stop.clone())));
    connected.chats.push(adapter);
    Ok(())
}
