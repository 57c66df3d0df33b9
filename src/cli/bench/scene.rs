//! What the measurements of jobs share: `serve` as a process of its own, the far side in this one, a job in a thread of Slack.

use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use sandbox::{azure, slack, smartsheet};
use std::time::Duration;
use tokio::time::Instant;

/// The longest that a job is waited for.
const LONGEST: Duration = Duration::from_secs(600);

/// A running `serve` whose thread is about the sheet “Large”.
pub(super) struct Scene {
    pub sheets: smartsheet::Smartsheet,
    pub slack: slack::Slack,
    measured: Measured,
    idle_mb: f64,
    _azure: azure::Azure,
    _folder: Folder,
}

/// What a job took.
pub(super) struct Took {
    /// From the confirmation to the last word.
    pub time: Duration,
    /// Memory at most, above that of the idle process.
    pub memory_mb: f64,
    /// Requests to Smartsheet.
    pub requests: usize,
    /// Edits of messages.
    pub edits: usize,
}

impl Scene {
    pub async fn start(sheets: smartsheet::Options, model: azure::Options, concurrency: usize) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let sheets = smartsheet::Smartsheet::start(sheets).await?;
        let azure = azure::Azure::start(model).await?;
        let slack = slack::Slack::start(slack::Options::default()).await?;
        let port = free_port().await?;
        let mut settings = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
        settings.extend([("JOB_CONCURRENCY", concurrency.to_string()), ("CONFIRM_LIMIT_ROWS", "20000".into())]);
        let measured = Measured::start(&["serve"], &settings, &folder.0, 0).await?;
        until_ready(port).await?;
        slack.send_events_to(&format!("http://127.0.0.1:{port}/api/webhooks/slack"));
        slack.slash("C1", "U1", "help").await;
        slack.until(|m| !m.is_empty()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let idle_mb = measured.memory_mb("VmRSS")?;
        slack.slash("C1", "U1", "use Large").await;
        slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await?;
        Ok(Self { sheets, slack, measured, idle_mb, _azure: azure, _folder: folder })
    }

    /// Asks for a job, confirms it, and measures it.
    pub async fn run(&self, words: &str, counted: Option<&str>) -> anyhow::Result<Took> {
        self.slack.say("C1", "U1", &format!("<@UBOT> {words}"), None).await;
        self.until_seen("[Confirm]").await?;
        if let Some(button) = counted {
            self.slack.press("C1", "U1", "Confirm").await;
            self.until_seen(button).await?;
        }
        let requests = self.sheets.world().log.len();
        let edits = self.edits();
        self.measured.forget_peak()?;
        let began = Instant::now();
        self.slack.press("C1", "U1", counted.unwrap_or("Confirm")).await;
        self.until_seen("Done:").await?;
        Ok(Took {
            time: began.elapsed(),
            memory_mb: self.measured.memory_mb("VmHWM")? - self.idle_mb,
            requests: self.sheets.world().log.len() - requests,
            edits: self.edits() - edits,
        })
    }

    /// How long the last requests to Smartsheet take when nothing but them is done, one after the other, on a sheet that
    /// is as it was: what the far side allows.
    pub async fn replay(&self, sheets: smartsheet::Options, requests: usize) -> anyhow::Result<Duration> {
        let log: Vec<smartsheet::Logged> = self.sheets.world().log.iter().rev().take(requests).rev().cloned().collect();
        let fresh = smartsheet::Smartsheet::start(sheets).await?;
        #[expect(clippy::disallowed_methods, reason = "measures what the far side takes alone")]
        let client = reqwest::Client::new();
        let began = Instant::now();
        for entry in log {
            let request =
                client.request(entry.method.parse()?, format!("{}{}", fresh.base_url(), entry.path)).bearer_auth(smartsheet::TOKEN);
            let answer = request.header("Content-Type", "application/json").body(entry.body).send().await?.error_for_status()?;
            answer.bytes().await?;
        }
        Ok(began.elapsed())
    }

    async fn until_seen(&self, words: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.slack.until(|m| m.iter().any(|m| m.seen().contains(words))).await.is_err() {
            let last = self.slack.messages().last().map(slack::Posted::seen);
            anyhow::ensure!(began.elapsed() < LONGEST, "{words:?} was not seen; the last message is {last:?}");
        }
        Ok(())
    }

    fn edits(&self) -> usize {
        self.slack.calls().iter().filter(|(method, _)| method == "chat.update").count()
    }
}

/// Rows of a sheet that have something in a column.
pub(super) fn filled(world: &smartsheet::World, column: &str, value: &str) -> anyhow::Result<usize> {
    anyhow::ensure!(world.column_titles("Large").iter().any(|c| c == column), "there is no column {column}");
    Ok(world.rows("Large").iter().filter(|r| r.get(column).is_some_and(|v| v.replace(['$', ','], "").contains(value))).count())
}
