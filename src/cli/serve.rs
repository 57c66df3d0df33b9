//! `serve` and `migrate`.

use super::{WRONG, logging};
use crate::access::Rules;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use secrecy::ExposeSecret;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let _logging = logging::start(&config.log, "info")?;
    for unknown in &config.unknown {
        tracing::warn!("{unknown}; it has no effect");
    }
    let missing = missing(config);
    if !missing.is_empty() {
        eprintln!("chatsheet: cannot serve yet:");
        for line in missing {
            eprintln!("  {line}");
        }
        eprintln!("`chatsheet demo` runs without any of this; `chatsheet check` tries what is set.");
        return Ok(ExitCode::from(WRONG));
    }
    let app = App::start(config, Clock::System, Vec::new()).await?;
    tracing::info!(address = %app.address, database = %config.database_label(), "ready");
    for platform in config.platforms() {
        let allowed = config.access.by_platform.get(&platform).cloned().unwrap_or_default();
        if allowed.is_nobody() {
            let setting = Rules::setting(platform);
            tracing::warn!(%platform, "nobody is let in but those who were invited: set {setting}, or run `chatsheet access invite`");
        } else {
            tracing::info!(%platform, "let in: {allowed}");
        }
    }
    if !config.has_chat_platform() {
        tracing::warn!("no chat platform is set up: only the API is there; the README says how to set one up");
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    app.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

fn missing(config: &Config) -> Vec<&'static str> {
    let mut lines = Vec::new();
    if config.smartsheet.is_none() {
        lines.push("SMARTSHEET_ACCESS_TOKEN: not set. Create one in Smartsheet under Personal Settings > API Access.");
    }
    if config.models.is_empty() {
        lines.push("AZURE_OPENAI_API_BASE, AZURE_OPENAI_API_KEY, AZURE_OPENAI_DEPLOYMENT: not set (or OPENAI_BASE_URL and OPENAI_MODEL).");
    }
    lines
}

pub(super) async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let store = Store::connect(config.database_url.expose_secret()).await?;
    store.migrate().await?;
    println!("{} is up to date.", config.database_label());
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
