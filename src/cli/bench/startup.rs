//! From start to ready on an existing database, memory when idle, size of the program.

use super::figures::{Figure, percentile};
use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use sandbox::{azure, slack, smartsheet};
use tokio::time::Instant;

const STARTS: usize = 11;

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let sheets = smartsheet::Smartsheet::start(smartsheet::Options::default()).await?;
    let azure = azure::Azure::start(azure::Options::default()).await?;
    let slack = slack::Slack::start(slack::Options::default()).await?;
    let mut times = Vec::new();
    let mut idle = 0.0;
    for n in 0..STARTS {
        let port = free_port().await?;
        let settings = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
        let started = Instant::now();
        let measured = Measured::start(&["serve"], &settings, &folder.0, 0).await?;
        until_ready(port).await?;
        if n > 0 {
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
        if n + 1 == STARTS {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            idle = measured.memory_mb("VmRSS")?;
        }
    }
    let size = std::fs::metadata(std::env::current_exe()?)?.len() as f64 / 1e6;
    Ok(vec![
        Figure::new("start to ready, existing database: median", percentile(&mut times, 0.5), "ms", 60.0),
        Figure::new("idle memory", idle, "MB", 20.0),
        Figure::new("size of the program", size, "MB", 30.0),
    ])
}
