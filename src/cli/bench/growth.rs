//! What grows with use: the same measurements on an empty store and on stores that hold days of events, sessions and jobs, and behind a
//! long line of events that wait.

use super::events::accept;
use super::figures::{Figure, percentile};
use super::process::{Measured, free_port, settings, until_ready};
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::sheet::SheetId;
use crate::store::Store;
use anyhow::Context;
use chat::{Anchor, Platform, ThreadKey};
use futures_util::future::join_all;
use rusqlite::{Connection, named_params};
use sandbox::{azure, slack, smartsheet};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

/// Served events, sessions and finished jobs in the store.
const SIZES: [usize; 3] = [0, 10_000, 100_000];
/// Events that wait.
const WAITING: usize = 3_000;
/// Channels that people talk in.
const CHANNELS: usize = 50;
/// Measured turns, and how far they lie apart.
const TURNS: usize = 60;
const APART: Duration = Duration::from_millis(100);
/// How long an idle server is looked at.
const IDLE: Duration = Duration::from_secs(8);
/// How often a command is given.
const COMMANDS: usize = 9;

/// What a store holds after so many events that were served, each in a thread and a session of its own, beside as many jobs that ended.
const SERVED: &str = r#"
    CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :count) SELECT printf('%08d', i) AS i FROM n;
    INSERT INTO chat_sessions (id, sheet_id, sheet_name) SELECT 's' || i, :sheet, 'Project Plan' FROM n;
    INSERT INTO threads (thread_key, thread, anchor, session_id) SELECT 'slack|T1|C' || i || '|17' || i || '.1',
        json_object('platform', 'slack', 'install', 'T1', 'conversation', 'C' || i, 'root', '17' || i || '.1'), '{}', 's' || i FROM n;
    INSERT INTO messages (id, session_id, role, content, position) SELECT 'q' || i, 's' || i, 'user', 'how many tasks are blocked?', 1 FROM n;
    INSERT INTO messages (id, session_id, role, content, position) SELECT 'a' || i, 's' || i, 'assistant', 'Four tasks are blocked.', 2 FROM n;
    INSERT INTO jobs (id, status, kind, parameters, session_id, thread_key, asker, install, created_at_ms, finished_at_ms)
        SELECT 'j' || i, 'completed', 'export', '{}', 's' || i, 'slack|T1|C' || i || '|17' || i || '.1', 'U' || (i % 500), 'slack|T1', :now, :now FROM n;
"#;

/// Events of threads in the same state.
const EVENTS: &str = "INSERT INTO inbox (dedupe_key, thread_key, lane, state, event, received_at_ms, done_at_ms)
    SELECT :state || i, 'slack|T1|C' || i || '|17' || i || '.1', 'queue', :state, json_object('delivery_id', 'E' || i, 'dedupe_id', 'D' || i,
        'thread', json_object('platform', 'slack', 'install', 'T1', 'conversation', 'C' || i, 'root', '17' || i || '.1'), 'anchor', '{}',
        'sender', json_object('id', 'U' || (i % 500), 'name', NULL), 'addressed', 'mention',
        'what', json_object('kind', 'text', 'text', 'how many tasks are blocked?'), 'received_at_ms', :now), :now, :now
    FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :count) SELECT printf('%08d', i) AS i FROM n)";

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for served in SIZES {
        figures.extend(on_store(served).await?);
    }
    figures.extend(behind_a_line().await?);
    Ok(figures)
}

/// A database with this much in it, and its URL.
async fn filled(folder: &Folder, sheet: i64, served: usize, waiting: usize) -> anyhow::Result<String> {
    let path = folder.0.join("bench.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::connect(&url).await?;
    store.migrate().await?;
    store.close().await;
    let now = Clock::System.now_ms();
    tokio::task::spawn_blocking(move || {
        let database = Connection::open(path)?;
        let transaction = database.unchecked_transaction()?;
        if served > 0 {
            let sql =
                SERVED.replace(":count", &served.to_string()).replace(":sheet", &format!("'{sheet}'")).replace(":now", &now.to_string());
            database.execute_batch(&sql)?;
        }
        for (state, count) in [("done", served), ("new", waiting)].into_iter().filter(|(_, count)| *count > 0) {
            database.execute(EVENTS, named_params! { ":state": state, ":now": now, ":count": count as i64 })?;
        }
        transaction.commit()
    })
    .await??;
    Ok(url)
}

async fn on_store(served: usize) -> anyhow::Result<Vec<Figure>> {
    let name = |what: &str| format!("{served} served: {what}");
    let folder = Folder::make()?;
    let database = filled(&folder, 1, served, if served == 0 { 0 } else { WAITING }).await?;
    let accepted = accept(&folder, &database).await?;
    drop(folder);
    let town = Town::start(served, Duration::ZERO).await?;
    let idle_ms = town.idle().await?;
    let turn_ms = town.turns().await?;
    let (jobs_ms, status_ms) = (town.command("jobs").await?, town.command("status").await?);
    let waiting = if served == 0 { "" } else { ", 3,000 waiting" };
    Ok(vec![
        Figure::new(name(&format!("accepted event{waiting}: CPU")), accepted.cpu_us, "us", None),
        Figure::new(name(&format!("accepted event{waiting}: p99")), accepted.p99_ms, "ms", 50.0),
        Figure::new(name("start to ready"), town.ready_ms, "ms", 60.0),
        Figure::new(name("CPU at rest, a second"), idle_ms, "ms", 1.0),
        Figure::new(name("a turn, ten a second: CPU"), turn_ms - idle_ms * APART.as_secs_f64(), "ms", None),
        Figure::new(name("/sheet jobs: p50"), jobs_ms, "ms", None),
        Figure::new(name("/sheet status: p50"), status_ms, "ms", None),
    ])
}

/// Three thousand people ask at once, of a model that takes its time; then others write.
async fn behind_a_line() -> anyhow::Result<Vec<Figure>> {
    let town = Town::start(0, Duration::from_secs(20)).await?;
    let ask = async |from: usize, count: usize| {
        let ask = (from..from + count).map(|n| {
            let slack = &town.slack;
            async move { slack.say(&format!("C{}", n % CHANNELS), &format!("U{n}"), &format!("<@UBOT> question {n}"), None).await.statuses }
        });
        join_all(ask).await.concat().into_iter().filter(|status| *status != 200).count()
    };
    let mut refused = ask(0, WAITING).await;
    let (before, began) = (town.measured.cpu_ms()?, Instant::now());
    let mut times = Vec::new();
    for n in 0..100 {
        let started = Instant::now();
        refused += ask(WAITING + n, 1).await;
        times.push(started.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(APART.saturating_sub(started.elapsed())).await;
    }
    let cpu = (town.measured.cpu_ms()? - before) / began.elapsed().as_secs_f64();
    let started = Instant::now();
    town.slack.say("CELSEWHERE", "UELSE", "<@UBOT> help me with my plan, please", None).await;
    while !town.slack.calls().iter().any(|(_, body)| body.to_string().contains("CELSEWHERE")) {
        anyhow::ensure!(started.elapsed() < Duration::from_secs(60), "nothing was seen elsewhere for a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(vec![
        Figure::new("behind 3,000 waiting: events not accepted", refused as f64, "", 0.0),
        Figure::new("behind 3,000 waiting: two deliveries of an event, p99", percentile(&mut times, 0.99), "ms", 50.0),
        Figure::new("behind 3,000 waiting: CPU, ten events a second", cpu, "ms/s", None),
        Figure::new("behind 3,000 waiting: first sign of life elsewhere", started.elapsed().as_secs_f64(), "s", 2.0),
    ])
}

/// A running `serve` with many channels that are each about a sheet.
struct Town {
    measured: Measured,
    slack: slack::Slack,
    ready_ms: f64,
    _sides: (smartsheet::Smartsheet, azure::Azure),
    _folder: Folder,
}

impl Town {
    async fn start(served: usize, latency: Duration) -> anyhow::Result<Self> {
        let folder = Folder::make()?;
        let sheets =
            smartsheet::Smartsheet::start(smartsheet::Options { requests_per_minute: usize::MAX, ..smartsheet::Options::default() })
                .await?;
        let azure = azure::Azure::start(azure::Options { latency, ..azure::Options::default() }).await?;
        let slack = slack::Slack::start(slack::Options::default()).await?;
        let sheet = sheets.world().sheet_id("Project Plan").context("no sample sheet")?;
        let database = filled(&folder, sheet, served, 0).await?;
        let store = Store::connect(&database).await?;
        for n in 0..CHANNELS {
            let channel = format!("C{n}");
            let anchor = Anchor(json!({ "team": "T1", "channel": channel, "thread_ts": null }).to_string());
            let thread = ThreadKey { platform: Platform::Slack, install: "T1".into(), conversation: channel, root: None };
            store.bind_sheet(&thread, &anchor, SheetId(sheet), "Project Plan", Clock::System.now()).await?;
        }
        store.close().await;
        let port = free_port().await?;
        let mut settings = settings(&folder, port, [sheets.settings(), azure.settings(), slack.settings()]);
        settings.push(("PERSON_TURNS_PER_DAY", "0".into()));
        let started = Instant::now();
        let measured = Measured::start(&["serve"], &settings, &folder.0, 0).await?;
        until_ready(port).await?;
        let ready_ms = started.elapsed().as_secs_f64() * 1_000.0;
        slack.send_events_to(&format!("http://127.0.0.1:{port}/api/webhooks/slack"));
        Ok(Self { measured, slack, ready_ms, _sides: (sheets, azure), _folder: folder })
    }

    /// Milliseconds of CPU in a second without anything to do.
    async fn idle(&self) -> anyhow::Result<f64> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = self.measured.cpu_ms()?;
        tokio::time::sleep(IDLE).await;
        Ok((self.measured.cpu_ms()? - before) / IDLE.as_secs_f64())
    }

    /// Milliseconds of CPU of a turn: a mention in a new thread, a function, the answer.
    async fn turns(&self) -> anyhow::Result<f64> {
        let answered = |m: &[slack::Posted]| m.iter().filter(|m| m.seen().contains("$158,750")).count();
        let ask = async |n: usize| self.slack.say(&format!("C{}", n % CHANNELS), "U1", "<@UBOT> total budget by department", None).await;
        // The first ones read the sheet and open connections.
        for n in 0..10 {
            ask(n).await;
        }
        self.slack.until(|m| answered(m) == 10).await.context("the first turns were not answered")?;
        let before = self.measured.cpu_ms()?;
        for n in 0..TURNS {
            let started = Instant::now();
            ask(n).await;
            tokio::time::sleep(APART.saturating_sub(started.elapsed())).await;
        }
        self.slack.until(|m| answered(m) == TURNS + 10).await.context("not all turns were answered")?;
        Ok((self.measured.cpu_ms()? - before) / TURNS as f64)
    }

    /// Milliseconds from a slash command to its answer, the median of several.
    async fn command(&self, words: &str) -> anyhow::Result<f64> {
        let mut times = Vec::new();
        for _ in 0..COMMANDS {
            let before = self.slack.messages().len();
            let started = Instant::now();
            self.slack.slash("C1", "U1", words).await;
            self.slack.until(|m| m.len() > before).await?;
            times.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(percentile(&mut times, 0.5))
    }
}
