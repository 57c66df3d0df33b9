//! What failing services cost a job beside the waits that they ask for: the same jobs with and without faults.

use super::figures::Figure;
use super::process::settings;
use crate::app::App;
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::NewJob;
use crate::locality::Told;
use crate::sheet::SheetId;
use crate::store::{JobStatus, Place};
use anyhow::Context;
use console_chat::{Console, Look};
use sandbox::fault::{Faults, Kind};
use sandbox::{azure, slack, smartsheet};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const JOBS: usize = 5;
const ROWS: usize = 200;
const MODEL: Duration = Duration::from_millis(200);
const CONCURRENCY: u32 = 8;
/// A service that says nothing for so long is asked again.
const SILENCE: Duration = Duration::from_secs(2);
/// What a request that was too early is asked to wait by the stand-in of the model.
const RETRY_AFTER: Duration = Duration::from_millis(200);

const FAULTS: [(Kind, f64); 5] =
    [(Kind::RateLimited, 0.05), (Kind::ServerError, 0.05), (Kind::Hang, 0.02), (Kind::Reset, 0.005), (Kind::Truncated, 0.005)];
/// Answers of the model that make no sense, and writes that meet somebody else's (Smartsheet's 4004).
const NONSENSE: f64 = 0.02;
const COLLISIONS: f64 = 0.05;

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let (calm, _) = run(false).await?;
    let (rough, waits) = run(true).await?;
    let ratio = (rough.as_secs_f64() - waits.as_secs_f64()) / calm.as_secs_f64();
    Ok(vec![
        Figure::new("5 jobs of 200 rows, nothing fails", calm.as_secs_f64(), "s", None),
        Figure::new(
            "the same, 5 % 429, 5 % 5xx, 2 % silence, 1 % broken off, 5 % collisions, 2 % nonsense",
            rough.as_secs_f64(),
            "s",
            None,
        ),
        Figure::new("waits that the services asked for", waits.as_secs_f64(), "s", None),
        Figure::new("time with faults, less those waits", ratio, "x", 1.5),
    ])
}

/// How long the jobs take, one after the other, and how much of it they were asked to wait.
async fn run(faults: bool) -> anyhow::Result<(Duration, Duration)> {
    let folder = Folder::make()?;
    let seed = smartsheet::Seed::Large { rows: JOBS * ROWS, columns: 11 };
    let sheets = smartsheet::Smartsheet::start(smartsheet::Options { seed, ..smartsheet::Options::default() }).await?;
    let azure = azure::Azure::start(azure::Options { latency: MODEL, ..azure::Options::default() }).await?;
    let slack = slack::Slack::start(slack::Options::default()).await?;
    let mut settings = settings(&folder, 0, [sheets.settings(), azure.settings(), slack.settings()]);
    settings.push(("JOB_CONCURRENCY", CONCURRENCY.to_string()));
    let config = Config::read(&|name| settings.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone()));
    let mut config = config.map_err(|f| anyhow::anyhow!("{}", f.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))?;
    config.model_settings.timeout = SILENCE;
    config.smartsheet.as_mut().context("no Smartsheet")?.timeout = SILENCE;
    let console = Arc::new(Console::new("bench", Look::default(), Box::new(std::io::sink())));
    let app = App::start(&config, Clock::System, vec![console.clone()]).await?;
    let sheet = SheetId(sheets.world().sheet_id("Large").context("no large sheet")?);
    let (thread, anchor) = (console.thread(), console.anchor());
    let session = app.store.bind_sheet(&thread, &anchor, sheet, "Large", Clock::System.now()).await?;
    let place = Place {
        session_id: session.id,
        thread_key: thread.storage_key(),
        anchor,
        asker: "bench".into(),
        identity: "service".into(),
        sheet,
    };
    if faults {
        for (kind, share) in FAULTS {
            azure.faults().rate(kind, share);
            sheets.faults().rate(kind, share);
        }
        azure.faults().rate(Kind::Nonsense, NONSENSE);
        sheets.faults().rate(Kind::Busy, COLLISIONS);
    }
    let began = Instant::now();
    for n in 0..JOBS {
        let filter = format!("row_number > {} AND row_number <= {}", n * ROWS, (n + 1) * ROWS);
        let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Text 10", "filter": filter });
        let new = NewJob { id: format!("job {n}"), kind: "SUMMARIZE".into(), parameters, place: place.clone(), told: Told::default() };
        app.jobs.create(new).await.map_err(|e| anyhow::anyhow!("{e}"))?;
        app.jobs.until_idle().await?;
        let job = app.store.job(&format!("job {n}")).await?.context("the job is gone")?;
        anyhow::ensure!(job.status == JobStatus::Completed, "job {n} ended as {}: {:?}", job.status.as_str(), job.error);
    }
    let took = began.elapsed();
    app.shut_down().await;
    let count = |faults: &Faults, kind| u32::try_from(faults.dealt(kind)).unwrap_or(u32::MAX);
    // A deployment that is overrun is left alone by all calls; one that says nothing holds up one of them. Smartsheet is
    // asked one thing at a time.
    let model = RETRY_AFTER * count(azure.faults(), Kind::RateLimited) + SILENCE * count(azure.faults(), Kind::Hang) / CONCURRENCY;
    let sheet = Duration::from_secs(1) * count(sheets.faults(), Kind::RateLimited) + SILENCE * count(sheets.faults(), Kind::Hang);
    Ok((took, model + sheet))
}
