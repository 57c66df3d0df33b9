//! `demo`: everything on this machine, a chat on the terminal, sample sheets, a built-in model.

use super::folder::Folder;
use super::logging;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::llm::{Endpoint, Login};
use crate::sheet::SheetId;
use crate::smartsheet::Settings;
use anyhow::Context;
use chat::Inbox;
use console_chat::{Console, Look, Prompt};
use sandbox::{azure, smartsheet};
use secrecy::SecretString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use url::Url;

const SHEET: &str = "Project Plan";

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let _logging = logging::start(&config.log, "warn")?;
    let clock = Clock::System;
    let folder = Folder::make()?;
    let sheets = smartsheet::Smartsheet::start(smartsheet::Options { today: clock.today(), ..smartsheet::Options::default() }).await?;
    // Rows take a moment, as with a real model, so that the bar of a job is seen.
    let model = azure::Azure::start(azure::Options { row_latency: Duration::from_millis(300), ..azure::Options::default() }).await?;
    let built_in = config.models.is_empty();
    let config = configured(config, &folder, &sheets, &model)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let (no_colours, multiplexer) = crate::config::terminal();
    let look = Look {
        terminal,
        colours: terminal && !no_colours,
        links: terminal && !multiplexer && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout),
    };
    let (prompt, out): (Option<Prompt>, Box<dyn Write + Send>) = if terminal {
        let (prompt, out) = Prompt::open(lines(&sheets)).context("the terminal cannot be edited on; pipe lines in instead")?;
        (Some(prompt), out)
    } else {
        (None, Box::new(std::io::stdout()))
    };
    let console = Arc::new(Console::new("you", look, out));
    let app = Box::pin(start(config, clock.clone(), console.clone())).await?;
    let id = sheets.world().sheet_id(SHEET).context("the sample sheet is missing")?;
    app.store.bind_sheet(&console.thread(), &console.anchor(), SheetId(id), SHEET, clock.now()).await?;
    let label = if built_in {
        "built-in demo model, pattern-based; set AZURE_OPENAI_* for the real one".to_owned()
    } else {
        "the model of your settings".to_owned()
    };
    console.print(&format!(
        "ChatSheetAI demo. Sample sheets in a sandbox on this machine; nothing leaves it{}.\n\
         Model: {label}.\n\
         Sidecar: http://{}  ·  This thread is about “{SHEET}”. Type help for examples, sheets for the others, exit to end.\n",
        if built_in { "" } else { " but what the model is asked" },
        app.address
    ))?;
    converse(&app, &console, &clock, prompt).await?;
    app.shut_down().await;
    Ok(ExitCode::SUCCESS)
}

/// What Tab offers.
fn lines(sheets: &smartsheet::Smartsheet) -> Vec<String> {
    let words = ["help", "sheets", "status", "view", "edit", "undo", "jobs", "stop", "exit"].map(str::to_owned);
    words.into_iter().chain(sheets.world().names().into_iter().map(|name| format!("use {name}"))).collect()
}

async fn converse(app: &App, console: &Console, clock: &Clock, prompt: Option<Prompt>) -> anyhow::Result<()> {
    let mut piped = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let line = match &prompt {
            Some(prompt) => prompt.line().await,
            None => tokio::select! {
                line = piped.next_line() => line?,
                _ = tokio::signal::ctrl_c() => None,
            },
        };
        let typed = line.as_deref().map(str::trim);
        match typed {
            Some("") => continue,
            None | Some("exit" | "quit") => {
                if prompt.is_some() {
                    console.print("Goodbye. The sandbox and what was changed in it are gone.")?;
                }
                return Ok(());
            }
            Some(typed) => {
                if prompt.is_none() {
                    console.print(&format!("you> {typed}"))?;
                }
                app.door.accept(console.line(typed, clock.now_ms())).await?;
                if prompt.is_none() {
                    app.bot.until_idle().await;
                    app.jobs.until_idle().await?;
                }
            }
        }
    }
}

/// The settings of the demo: a database in a folder of its own, the sandbox, a real model only if one is set.
fn configured(config: Config, folder: &Folder, sheets: &smartsheet::Smartsheet, model: &azure::Azure) -> anyhow::Result<Config> {
    let mut endpoint = Endpoint::azure(&model.base_url(), "2024-10-21", azure::DEPLOYMENT, Login::Key(SecretString::from(azure::API_KEY)));
    endpoint.label = "the built-in demo model (pattern-based; set AZURE_OPENAI_* for the real one)".into();
    Ok(Config {
        database_url: format!("sqlite://{}", folder.0.join("demo.db").display()).into(),
        smartsheet: Some(Settings {
            base_url: Url::parse(&sheets.base_url())?,
            token: SecretString::from(smartsheet::TOKEN),
            retry_delay: Duration::from_millis(200),
            retries: 4,
            timeout: Duration::from_secs(10),
            breaker_pause: Duration::from_secs(5),
            answer_bytes: 300 << 20,
        }),
        models: if config.models.is_empty() { vec![endpoint] } else { config.models.clone() },
        slack: None,
        discord: None,
        teams: None,
        telegram: None,
        ..config
    })
}

/// Starts on the usual address, or on a free one when that is taken.
async fn start(config: Config, clock: Clock, console: Arc<Console>) -> anyhow::Result<App> {
    let free = tokio::net::TcpListener::bind(config.listen).await.is_ok();
    let listen = if free { config.listen } else { std::net::SocketAddr::new(config.listen.ip(), 0) };
    App::start(&Config { listen, ..config }, clock, vec![console]).await
}
