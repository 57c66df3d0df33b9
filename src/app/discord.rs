//! The Discord adapter, which a build may leave out: its client brings an older TLS of its own.

use super::platforms::Connected;
use crate::bot::Door;
use crate::config::Discord;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "discord")]
mod built {
    use super::{Arc, CancellationToken, Connected, Discord, Door};
    use anyhow::Context;
    use secrecy::ExposeSecret;
    use serde_json::Value;

    fn adapter(discord: &Discord) -> anyhow::Result<Arc<discord_chat::Discord>> {
        let settings = discord_chat::Settings {
            bot_token: discord.bot_token.expose_secret().to_owned(),
            application_id: discord.application_id,
            public_key: discord.public_key.clone(),
            api_base_url: discord.api_base_url.clone(),
            paced: discord.paced,
        };
        Ok(Arc::new(discord_chat::Discord::new(settings).context("DISCORD_BOT_TOKEN, DISCORD_PUBLIC_KEY")?))
    }

    pub(in crate::app) fn connect(
        discord: &Discord,
        door: &Arc<Door>,
        stop: &CancellationToken,
        connected: &mut Connected,
    ) -> anyhow::Result<()> {
        let adapter = adapter(discord)?;
        connected.webhooks.push(("discord", discord_chat::router(adapter.clone(), door.clone())));
        connected.tasks.push(Box::pin(adapter.clone().run(door.clone(), stop.clone())));
        connected.chats.push(adapter);
        Ok(())
    }

    /// Tries the credentials: the bot's name, and what it may hear.
    ///
    /// # Errors
    /// What does not work, in words.
    pub async fn who_am_i(discord: &Discord) -> anyhow::Result<String> {
        Ok(adapter(discord)?.who_am_i().await?)
    }

    /// Sets the slash commands.
    ///
    /// # Errors
    /// When Discord refuses them or cannot be reached.
    pub async fn register(discord: &Discord, commands: &Value) -> anyhow::Result<()> {
        Ok(adapter(discord)?.register(commands).await?)
    }
}

#[cfg(not(feature = "discord"))]
mod built {
    use super::{Arc, CancellationToken, Connected, Discord, Door};
    use serde_json::Value;

    const ABSENT: &str = "DISCORD_BOT_TOKEN is set, but this program was built without the feature `discord`";

    pub(in crate::app) fn connect(_: &Discord, _: &Arc<Door>, _: &CancellationToken, _: &mut Connected) -> anyhow::Result<()> {
        anyhow::bail!(ABSENT)
    }

    /// Nothing can be tried.
    ///
    /// # Errors
    /// Always.
    pub async fn who_am_i(_: &Discord) -> anyhow::Result<String> {
        anyhow::bail!(ABSENT)
    }

    /// Nothing can be set.
    ///
    /// # Errors
    /// Always.
    pub async fn register(_: &Discord, _: &Value) -> anyhow::Result<()> {
        anyhow::bail!(ABSENT)
    }
}

pub(super) use built::connect;
pub use built::{register, who_am_i};
