//! All four chat platforms connected: memory, CPU of an event and of an answer on each, and twenty conversations with a
//! question and a job at the same time, half of them in channels and groups, within the rates that each platform enforces.

use super::figures::Figure;
use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use anyhow::Context;
use futures_util::future::try_join_all;
use sandbox::crowd::{Crowd, InDiscord, InSlack, InTeams, InTelegram, converse, until};
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use std::time::Duration;
use tokio::time::Instant;

/// Conversations at the same time.
const CROWD: usize = 20;
/// Answers that are measured, one in a conversation each.
const ANSWERS: usize = 40;
/// Events that are measured: what one person says without waiting, which is answered together.
const EVENTS: usize = 200;

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let sheets =
        smartsheet::Smartsheet::start(smartsheet::Options { requests_per_minute: usize::MAX, ..smartsheet::Options::default() }).await?;
    let azure = azure::Azure::start(azure::Options::default()).await?;
    let slack = slack::Slack::start(slack::Options { enforce_rates: true, ..slack::Options::default() }).await?;
    let discord = discord::Discord::start(discord::Options { enforce_rates: true, ..discord::Options::default() }).await?;
    let teams = teams::Teams::start(teams::Options { enforce_rates: true, ..teams::Options::default() }).await?;
    let telegram = telegram::Telegram::start(telegram::Options { enforce_rates: true, ..telegram::Options::default() }).await?;
    let port = free_port().await?;
    let base = format!("http://127.0.0.1:{port}");
    let mut all = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
    all.extend([discord.settings(), teams.settings(), telegram.settings()].concat());
    all.extend([("PUBLIC_BASE_URL", base.clone()), ("TELEGRAM_WEBHOOK_SECRET", telegram::SECRET.to_owned())]);
    let measured = Measured::start(&["serve"], &all, &folder.0, 0).await?;
    until_ready(port).await?;
    slack.send_events_to(&format!("{base}/api/webhooks/slack"));
    teams.send_events_to(&format!("{base}/api/webhooks/teams"));
    telegram.until(|far| far.webhook().is_some()).await?;
    discord.until(|far| far.sessions().0 == 1).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut figures = vec![Figure::new("all four platforms connected: idle memory", measured.memory_mb("VmRSS")?, "MB", 30.0)];
    let crowds: [Box<dyn Crowd>; 4] = [
        Box::new(InSlack::new(slack)),
        Box::new(InTeams::new(teams)),
        Box::new(InDiscord::new(discord)),
        Box::new(InTelegram::new(telegram)),
    ];
    for crowd in &crowds {
        figures.extend(of_one(crowd.as_ref(), &measured).await?);
    }
    Ok(figures)
}

async fn of_one(crowd: &dyn Crowd, measured: &Measured) -> anyhow::Result<Vec<Figure>> {
    const HELP: &str = "I answer questions";
    let name = crowd.name();
    crowd.say(2, "use Project Plan").await;
    until(crowd, 2, "is now about").await?;
    let before = measured.cpu_ms()?;
    for n in 0..EVENTS {
        crowd.say(2, &format!("note {n}")).await;
    }
    crowd.say(2, "use Clinical Trials").await;
    until(crowd, 2, "now about Clinical Trials").await?;
    let event = (measured.cpu_ms()? - before) * 1_000.0 / EVENTS as f64;
    let before = measured.cpu_ms()?;
    try_join_all((2..2 + ANSWERS).map(|n| async move {
        crowd.say(2 * n, "help").await;
        until(crowd, 2 * n, HELP).await
    }))
    .await?;
    let answer = (measured.cpu_ms()? - before) * 1_000.0 / ANSWERS as f64;
    let began = Instant::now();
    try_join_all((70..70 + CROWD).map(|n| converse(crowd, n))).await.with_context(|| format!("twenty conversations in {name}"))?;
    Ok(vec![
        Figure::new(format!("{name}: an event: CPU"), event, "us", None),
        Figure::new(format!("{name}: an event and its answer: CPU"), answer, "us", None),
        Figure::new(format!("{name}: {CROWD} questions and jobs at once, until all is shown"), began.elapsed().as_secs_f64(), "s", None),
        Figure::new(format!("{name}: refused for its rates meanwhile"), crowd.refused() as f64, "", 0.0),
    ])
}
