//! What background jobs cost beside the far side: 20,000 rows changed, 1,000 rows summarized at several concurrencies.

use super::figures::Figure;
use super::scene::{Scene, filled};
use sandbox::{azure, smartsheet};
use std::time::Duration;

const CHANGED: usize = 20_000;
const WRITE: Duration = Duration::from_millis(250);
/// Rows of one request.
const CHUNK: usize = 500;

const SUMMARIZED: usize = 1_000;
const MODEL: Duration = Duration::from_millis(200);

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = update().await?;
    for (concurrency, time, memory) in [
        (1, "1,000 rows summarized, one at a time", None),
        (8, "1,000 rows summarized, 8 at once", Some("the same: memory above idle")),
        (32, "1,000 rows summarized, 32 at once", None),
    ] {
        figures.extend(summarize(concurrency, time, memory).await?);
    }
    Ok(figures)
}

async fn update() -> anyhow::Result<Vec<Figure>> {
    let seed = smartsheet::Seed::Large { rows: CHANGED, columns: 6 };
    let options = smartsheet::Options { seed, write_latency: WRITE, ..smartsheet::Options::default() };
    let scene = Scene::start(options.clone(), azure::Options::default(), 8).await?;
    let took = scene.run("set Amount 2 to 1234567 for all rows", Some("Yes, all 20,000 rows")).await?;
    let written = filled(&scene.sheets.world(), "Amount 2", "1234567")?;
    anyhow::ensure!(written == CHANGED, "only {written} of {CHANGED} rows were written");
    let least = scene.replay(options, took.requests).await?;
    let minutes = took.time.as_secs_f64() / 60.0;
    Ok(vec![
        Figure::new("20,000 rows changed: requests to Smartsheet", took.requests as f64, "", (CHANGED / CHUNK + 2) as f64),
        Figure::new("20,000 rows changed: time", took.time.as_secs_f64() / least.as_secs_f64(), "x of the same requests alone", 1.05),
        Figure::new("20,000 rows changed: memory above idle", took.memory_mb, "MB", 60.0),
        // Those that say that it is queued, begun and done come at their own time.
        Figure::new("20,000 rows changed: edits while it runs", took.edits.saturating_sub(3) as f64 / minutes, "a minute", 20.0),
        Figure::new("20,000 rows changed: refused for the rate by Slack", scene.slack.refused_for_rate() as f64, "", 0.0),
    ])
}

async fn summarize(concurrency: usize, time: &'static str, memory: Option<&'static str>) -> anyhow::Result<Vec<Figure>> {
    let seed = smartsheet::Seed::Large { rows: SUMMARIZED, columns: 6 };
    let options = smartsheet::Options { seed, ..smartsheet::Options::default() };
    let scene = Scene::start(options, azure::Options { latency: MODEL, ..azure::Options::default() }, concurrency).await?;
    let took = scene.run("summarize Text 5 into Summary", None).await?;
    let written = filled(&scene.sheets.world(), "Summary", "")?;
    anyhow::ensure!(written == SUMMARIZED, "only {written} of {SUMMARIZED} rows were written");
    let least = MODEL.as_secs_f64() * SUMMARIZED as f64 / concurrency as f64;
    let mut figures = vec![Figure::new(time, took.time.as_secs_f64() / least, "x of the model's time", 1.05)];
    if let Some(name) = memory {
        figures.push(Figure::new(name, took.memory_mb, "MB", 60.0));
        let most = SUMMARIZED.div_ceil(CHUNK) + 2;
        figures.push(Figure::new("the same: requests to Smartsheet", took.requests as f64, "", most as f64));
    }
    Ok(figures)
}
