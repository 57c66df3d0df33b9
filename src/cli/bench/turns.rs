//! What a turn costs beside the model: one question, one function, the answer, on a model that takes no time.

use super::figures::{Figure, percentile};
use super::process::settings;
use crate::app::App;
use crate::cli::folder::Folder;
use crate::clock::Clock;
use crate::config::Config;
use crate::sheet::SheetId;
use anyhow::Context;
use chat::Inbox;
use console_chat::{Console, Look};
use sandbox::azure::{self, Mode, Reply};
use sandbox::{slack, smartsheet};
use serde_json::json;
use std::sync::Arc;
use tokio::time::Instant;

const TURNS: usize = 300;

pub(super) async fn measure() -> anyhow::Result<Vec<Figure>> {
    let folder = Folder::make()?;
    let sheets =
        smartsheet::Smartsheet::start(smartsheet::Options { requests_per_minute: usize::MAX, ..smartsheet::Options::default() }).await?;
    let query = json!({ "sheet": null, "sql": "SELECT department, sum(budget) FROM leaf GROUP BY department", "show": true });
    let script = (0..TURNS + 20).flat_map(|_| [Reply::call("query_sheet", query.clone()), Reply::Say("Here it is.".into())]).collect();
    let azure = azure::Azure::start(azure::Options { mode: Mode::Script(script), ..azure::Options::default() }).await?;
    let slack = slack::Slack::start(slack::Options::default()).await?;
    let settings = settings(&folder, 0, [sheets.settings(), azure.settings(), slack.settings()]);
    let config = Config::read(&|name| settings.iter().find(|(k, _)| *k == name).map(|(_, v)| v.clone()));
    let config = config.map_err(|f| anyhow::anyhow!("{}", f.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))?;
    let console = Arc::new(Console::new("bench", Look::default(), Box::new(std::io::sink())));
    let app = App::start(&config, Clock::System, vec![console.clone()]).await?;
    let id = sheets.world().sheet_id("Project Plan").context("no sample sheet")?;
    app.store.bind_sheet(&console.thread(), &console.anchor(), SheetId(id), "Project Plan", Clock::System.now()).await?;
    let mut times = Vec::with_capacity(TURNS);
    for n in 0..TURNS + 20 {
        let started = Instant::now();
        app.door.accept(console.line("total budget by department", Clock::System.now_ms())).await?;
        app.bot.until_idle().await;
        if n >= 20 {
            times.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    app.shut_down().await;
    Ok(vec![
        Figure::new("turn without model time: p50", percentile(&mut times, 0.5), "ms", 5.0),
        Figure::new("turn without model time: p99", percentile(&mut times, 0.99), "ms", None),
    ])
}
