//! What an accepted event costs: verified, parsed, stored once, acknowledged.

use super::figures::{Figure, percentile};
use super::process::Measured;
use crate::access::{Access, Rules};
use crate::app::slack::adapter;
use crate::bot::Door;
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::config::{Slack, SlackAccess};
use crate::server;
use crate::store::Store;
use chat::Platform;
use sandbox::slack;
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EVENTS: usize = 4_000;
const AT_ONCE: usize = 16;

/// The measured side: the Slack route and the durable inbox, nobody who serves the events.
pub(super) async fn receive(database: &str) -> anyhow::Result<()> {
    let store = Store::connect(database).await?;
    store.migrate().await?;
    let settings = Slack {
        access: SlackAccess::Token("x".into()),
        signing_secret: Some(slack::SIGNING_SECRET.into()),
        app_token: None,
        api_base_url: url::Url::parse("http://127.0.0.1:1/api")?,
        paced: true,
    };
    let access = Access::new(Rules { by_platform: [(Platform::Slack, Rules::usual(Platform::Slack))].into(), tenant: None }, store.clone());
    let door = Arc::new(Door::new(store.clone(), access, Arc::default(), true));
    let adapter = adapter(&settings, None)?;
    let router = server::router(store, axum::Router::new(), vec![("slack", slack_chat::router(adapter, door))]);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    server::serve(listener, router, CancellationToken::new()).await;
    Ok(())
}

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let database = format!("sqlite://{}", folder.0.join("events.db").display());
    let Accepted { cpu_us, p99_ms, forged_us } = accept(&folder, &database).await?;
    Ok(vec![
        Figure::new("accepted event: CPU", cpu_us, "us", 250.0),
        Figure::new("accepted event: p99 until acknowledged, 16 at once", p99_ms, "ms", None),
        Figure::new("forged event: CPU", forged_us, "us", None),
    ])
}

/// What it costs to take events in.
pub(super) struct Accepted {
    pub cpu_us: f64,
    pub p99_ms: f64,
    pub forged_us: f64,
}

/// Sends events to a process that stores them in this database.
pub(super) async fn accept(folder: &Folder, database: &str) -> anyhow::Result<Accepted> {
    let measured = Measured::start(&["bench", "--receive-events", database], &[], &folder.0, 1).await?;
    let people = slack::Slack::start(slack::Options::default()).await?;
    people.send_events_to(&format!("http://{}/api/webhooks/slack", measured.said[0]));
    let now = Clock::System.now_ms() / 1000;
    send(&people, 0, 400, slack::SIGNING_SECRET, now).await;
    let before = measured.cpu_ms()?;
    let (mut times, accepted) = send(&people, 400, EVENTS, slack::SIGNING_SECRET, now).await;
    let cost = measured.cpu_ms()? - before;
    anyhow::ensure!(accepted == EVENTS, "only {accepted} of {EVENTS} events were accepted");
    let before = measured.cpu_ms()?;
    send(&people, 0, EVENTS, "another secret", now).await;
    let forged = measured.cpu_ms()? - before;
    Ok(Accepted { cpu_us: cost * 1000.0 / EVENTS as f64, p99_ms: percentile(&mut times, 0.99), forged_us: forged * 1000.0 / EVENTS as f64 })
}

/// Sends signed mentions, each its own event; how long each took, and how many were accepted.
pub(super) async fn send(people: &slack::Slack, from: usize, count: usize, secret: &'static str, now: i64) -> (Vec<f64>, usize) {
    let workers = (0..AT_ONCE).map(|worker| {
        let people = people.clone();
        tokio::spawn(async move {
            let mut results = Vec::new();
            for n in (from..from + count).skip(worker).step_by(AT_ONCE) {
                let body = json!({ "token": "x", "team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event_id": format!("Ev{n}"), "event_time": now,
                    "event": { "type": "app_mention", "user": "U1", "text": "<@UBOT> which tasks are overdue, and who owns them?", "ts": format!("1795305600.{n:06}"),
                        "channel": format!("C{}", n % 50), "event_ts": "1" },
                    "authorizations": [{ "enterprise_id": null, "team_id": "T1", "user_id": "UBOT", "is_bot": true, "is_enterprise_install": false }] });
                let started = Instant::now();
                let status = people.send_signed(&body.to_string(), secret, now).await;
                results.push((started.elapsed().as_secs_f64() * 1000.0, status == 200));
            }
            results
        })
    });
    let mut times = Vec::with_capacity(count);
    let mut accepted = 0;
    for worker in workers.collect::<Vec<_>>() {
        for (time, ok) in worker.await.unwrap_or_default() {
            times.push(time);
            accepted += usize::from(ok);
        }
    }
    (times, accepted)
}
