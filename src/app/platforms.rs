//! The adapters of the chat platforms that are set up.

use super::holder::Holder;
use super::slack::{self, Installations};
use crate::bot::Door;
use crate::config::{Config, Teams, Telegram};
use anyhow::Context;
use axum::Router;
use chat::Chat;
use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// What is connected.
#[derive(Default)]
pub(super) struct Connected {
    /// Where messages go out.
    pub chats: Vec<Arc<dyn Chat>>,
    /// Where events come in over HTTP: name below `/api/webhooks`, and the route.
    pub webhooks: Vec<(&'static str, Router)>,
    /// What people open in a browser: path, and the routes below it.
    pub pages: Vec<(&'static str, Router)>,
    /// What has to run as long as the program.
    pub tasks: Vec<BoxFuture<'static, ()>>,
}

/// Connects the platforms of the settings.
pub(super) fn connect(
    config: &Config,
    installations: Installations,
    door: &Arc<Door>,
    holder: Holder,
    stop: &CancellationToken,
) -> anyhow::Result<Connected> {
    let mut connected = Connected::default();
    slack::connect(config, installations, door, stop, &mut connected)?;
    if let Some(discord) = &config.discord {
        super::discord::connect(discord, door, stop, &mut connected)?;
    }
    if let Some(teams) = &config.teams {
        let adapter = teams_adapter(teams)?;
        connected.webhooks.push(("teams", teams_chat::router(adapter.clone(), door.clone())));
        connected.chats.push(adapter);
    }
    if let Some(telegram) = &config.telegram {
        let adapter = telegram_adapter(telegram, config.public_base_url.as_ref())?;
        connected.webhooks.push(("telegram", telegram_chat::router(adapter.clone(), door.clone())));
        connected.tasks.push(listen_to_telegram(adapter.clone(), door.clone(), holder, stop.clone()));
        connected.chats.push(adapter);
    }
    Ok(connected)
}

/// Telegram ends the question of one process with that of another, so one of them asks; anybody may take what Telegram sends by itself.
fn listen_to_telegram(
    adapter: Arc<telegram_chat::Telegram>,
    door: Arc<Door>,
    holder: Holder,
    stop: CancellationToken,
) -> BoxFuture<'static, ()> {
    if !adapter.asks_for_updates() || !holder.store.is_shared() {
        return Box::pin(adapter.run(door, stop));
    }
    Box::pin(holder.run(stop, move |stop| adapter.clone().run(door.clone(), stop)))
}

/// The Teams adapter of these settings.
///
/// # Errors
/// When the TLS set-up of this machine is broken.
pub fn teams_adapter(teams: &Teams) -> anyhow::Result<Arc<teams_chat::Teams>> {
    let settings = teams_chat::Settings {
        app_id: teams.app_id.clone(),
        app_password: teams.app_password.expose_secret().to_owned(),
        tenant_id: teams.tenant_id.clone(),
        openid_metadata_url: teams.openid_metadata_url.clone(),
        token_url: teams.token_url.clone(),
        service_hosts: teams.service_hosts.clone(),
        paced: teams.paced,
    };
    Ok(Arc::new(teams_chat::Teams::new(settings).context("TEAMS_APP_ID, TEAMS_APP_PASSWORD, TEAMS_TENANT_ID")?))
}

/// The Telegram adapter of these settings: with a webhook when Telegram can reach us and prove itself.
///
/// # Errors
/// When the token or the secret cannot be right.
pub fn telegram_adapter(telegram: &Telegram, public: Option<&Url>) -> anyhow::Result<Arc<telegram_chat::Telegram>> {
    let webhook = match (public, &telegram.webhook_secret) {
        (Some(base), Some(secret)) => {
            let url = format!("{}/api/webhooks/telegram", base.as_str().trim_end_matches('/'));
            let url = url.parse().context("PUBLIC_BASE_URL: not a URL to build on")?;
            Some(telegram_chat::Webhook { url, secret: secret.expose_secret().to_owned() })
        }
        _ => None,
    };
    let settings = telegram_chat::Settings {
        bot_token: telegram.bot_token.expose_secret().to_owned(),
        api_base_url: telegram.api_base_url.clone(),
        webhook,
        paced: telegram.paced,
    };
    Ok(Arc::new(telegram_chat::Telegram::new(settings).context("TELEGRAM_BOT_TOKEN, TELEGRAM_WEBHOOK_SECRET")?))
}
