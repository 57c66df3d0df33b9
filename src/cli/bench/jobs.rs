//! What background jobs cost beside the model: 1,000 rows summarized by a model that takes 200 ms, at several concurrencies.

use super::figures::Figure;
use super::process::{Folder, settings};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::sheet::SheetId;
use anyhow::Context;
use chat::Inbox;
use console_chat::Console;
use sandbox::{azure, slack, smartsheet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const ROWS: usize = 1_000;
const MODEL: Duration = Duration::from_millis(200);
/// Rows that the preview has asked for already.
const SAMPLES: usize = 3;

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (concurrency, name) in [(8, "1,000 rows summarized, 8 at once"), (32, "1,000 rows summarized, 32 at once")] {
        let took = summarize(concurrency).await?;
        let least = MODEL.as_secs_f64() * (ROWS - SAMPLES) as f64 / concurrency as f64;
        figures.push(Figure::new(name, took / least, "x of the model's time", 1.05));
    }
    Ok(figures)
}

/// Seconds from the confirmation to the last word.
async fn summarize(concurrency: usize) -> anyhow::Result<f64> {
    let folder = Folder::make()?;
    let seed = smartsheet::Seed::Large { rows: ROWS, columns: 6 };
    let sheets = smartsheet::Smartsheet::start(smartsheet::Options { seed, ..smartsheet::Options::default() }).await?;
    let azure = azure::Azure::start(azure::Options { latency: MODEL, ..azure::Options::default() }).await?;
    let slack = slack::Slack::start(slack::Options::default()).await?;
    let mut settings = settings(&folder, 0, [sheets.settings(), azure.settings(), slack.settings()]);
    settings.extend([("JOB_CONCURRENCY", concurrency.to_string()), ("CONFIRM_LIMIT_ROWS", "20000".into())]);
    let config = Config::read(&|name| settings.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone()));
    let config = config.map_err(|f| anyhow::anyhow!("{}", f.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))?;
    let console = Arc::new(Console::new("bench", false, Box::new(std::io::sink())));
    let app = App::start(&config, Clock::System, vec![console.clone()]).await?;
    let id = sheets.world().sheet_id("Large").context("no large sheet")?;
    app.store.bind_sheet(&console.thread(), &console.anchor(), SheetId(id), "Large", Clock::System.now()).await?;
    app.door.accept(console.line("summarize Text 5 into Summary", Clock::System.now_ms())).await?;
    app.bot.until_idle().await;
    let started = Instant::now();
    app.door.accept(console.line("confirm", Clock::System.now_ms())).await?;
    app.bot.until_idle().await;
    app.jobs.until_idle().await?;
    let took = started.elapsed().as_secs_f64();
    let written = sheets.world().rows("Large").iter().filter(|r| r.contains_key("Summary")).count();
    anyhow::ensure!(written == ROWS, "only {written} of {ROWS} rows were written");
    app.shut_down().await;
    Ok(took)
}
