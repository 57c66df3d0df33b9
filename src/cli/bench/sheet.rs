//! A sheet of the largest size Smartsheet allows: reading it, asking it.

use super::figures::{Figure, percentile};
use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::events::Events;
use crate::sheet::{SheetId, Sheets, check, query};
use crate::smartsheet::{Client, Identity, Settings};
use anyhow::Context;
use sandbox::azure::{self, Mode, Reply};
use sandbox::{slack, smartsheet};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const QUERIES: [&str; 4] = [
    "SELECT group_1, sum(amount_2), count(*) FROM sheet GROUP BY group_1",
    "SELECT owner_4, avg(amount_7) FROM leaf WHERE amount_2 > 2500 GROUP BY owner_4 ORDER BY 2 DESC",
    "SELECT name, amount_2, day_3 FROM sheet WHERE day_3 < '2026-11-22' AND group_1 = 'North' ORDER BY amount_2 DESC LIMIT 20",
    "SELECT sum(amount_2), sum(amount_7), sum(amount_12) FROM leaf WHERE owner_4_email LIKE 'dana%'",
];

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let words = ["sandbox", "smartsheet", "--seed", "large", "--requests-per-minute", "1000000"];
    let far_side = Measured::start(&words, &[], &folder.0, 2).await?;
    let base_url = far_side.said[0].split_once('=').context("no address")?.1.to_owned();
    let mut figures = question(&folder, &base_url).await?;
    figures.extend(queries(&base_url).await?);
    Ok(figures)
}

/// The whole server answers one question about a sheet that it has not seen before.
async fn question(folder: &Folder, base_url: &str) -> anyhow::Result<Vec<Figure>> {
    let query = json!({ "sheet": null, "sql": QUERIES[0], "show": true });
    let script = vec![Reply::call("query_sheet", query), Reply::Say("Here it is.".into())];
    let azure = azure::Azure::start(azure::Options { mode: Mode::Script(script), ..azure::Options::default() }).await?;
    let slack = slack::Slack::start(slack::Options::default()).await?;
    let port = free_port().await?;
    let sheets = vec![("SMARTSHEET_API_BASE_URL", base_url.to_owned()), ("SMARTSHEET_ACCESS_TOKEN", smartsheet::TOKEN.to_owned())];
    let server = Measured::start(&["serve"], &settings(folder, port, [sheets, azure.settings(), slack.settings()]), &folder.0, 0).await?;
    until_ready(port).await?;
    slack.send_events_to(&format!("http://127.0.0.1:{port}/api/webhooks/slack"));
    let (cpu, started) = (server.cpu_ms()?, Instant::now());
    slack.say("C1", "U1", "<@UBOT> totals by group", None).await;
    let mut answered = false;
    for _ in 0..6 {
        answered = answered || slack.until(|m| m.iter().any(|m| m.seen().contains("Here it is"))).await.is_ok();
    }
    anyhow::ensure!(answered, "the question was not answered in a minute");
    Ok(vec![
        Figure::new("500,000 cells, fetched, parsed, queried: CPU", (server.cpu_ms()? - cpu) / 1000.0, "s", 1.0),
        Figure::new("500,000 cells, from question to answer", started.elapsed().as_secs_f64(), "s", None),
        Figure::new("500,000 cells: peak memory of the whole server", server.memory_mb("VmHWM")?, "MB", 160.0),
    ])
}

async fn queries(base_url: &str) -> anyhow::Result<Vec<Figure>> {
    let settings = Settings {
        base_url: base_url.parse()?,
        token: smartsheet::TOKEN.into(),
        retry_delay: Duration::from_millis(100),
        retries: 1,
        timeout: Duration::from_secs(60),
        breaker_pause: Duration::from_secs(1),
        answer_bytes: 300 << 20,
    };
    let client = Client::new(settings)?;
    let id = client.sheets(&Identity::Service).await?.first().context("no sheet")?.id;
    let sheets = Sheets::new(client, Clock::System, Events::default(), 1 << 30);
    let snapshot = sheets.snapshot(&Identity::Service, SheetId(id)).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let (mut times, mut grouped) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        for sql in QUERIES {
            let started = Instant::now();
            let checked = check(sql, &snapshot, Clock::System.now().to_zoned(jiff::tz::TimeZone::UTC).datetime())?;
            query(&snapshot, &checked, 50).await?;
            times.push(started.elapsed().as_secs_f64() * 1000.0);
            if sql == QUERIES[0] {
                grouped.extend(times.last().copied());
            }
        }
    }
    Ok(vec![
        Figure::new("cached sheet, a group-by again: p50", percentile(&mut grouped, 0.5), "ms", 3.0),
        Figure::new("cached sheet, group-by, filter, sum: p50", percentile(&mut times, 0.5), "ms", None),
        Figure::new("cached sheet, group-by, filter, sum: p99", percentile(&mut times, 0.99), "ms", 15.0),
    ])
}
