//! `sandbox`: one stand-in of the far side alone, for trying things out and for other people's tests.

use crate::clock::Clock;
use anyhow::Context;
use clap::{Args, Subcommand};
use sandbox::fault::{Faults, Kind};
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// Which stand-in.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    service: Service,
}

#[derive(Args)]
struct Common {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A share of answers that go wrong, such as 429=0.05; kinds: 429, 5xx, hang, reset, truncated, late, slow, busy (Smartsheet), nonsense (Azure).
    #[arg(long, value_name = "KIND=RATE", value_parser = fault)]
    fault: Vec<(Kind, f64)>,
}

#[derive(Subcommand)]
enum Service {
    /// A Smartsheet with sample sheets.
    Smartsheet {
        #[command(flatten)]
        common: Common,
        /// What is there at the start: samples, empty or large.
        #[arg(long, default_value = "samples")]
        seed: smartsheet::Seed,
        /// How long a write takes, in milliseconds.
        #[arg(long, default_value_t = 0)]
        write_latency_ms: u64,
        /// How long changes are gathered before webhooks are called, in milliseconds; the service takes up to a minute.
        #[arg(long, default_value_t = 60_000)]
        webhook_debounce_ms: u64,
        /// Requests a minute that are granted.
        #[arg(long, default_value_t = 300)]
        requests_per_minute: usize,
        /// The day around which the samples are laid, such as 2026-11-25. Unset: today.
        #[arg(long)]
        today: Option<jiff::civil::Date>,
        /// Where people who connect an account are sent back, such as http://127.0.0.1:3000/smartsheet/oauth_redirect.
        #[arg(long)]
        people_back_to: Option<String>,
    },
    /// An Azure OpenAI resource.
    Azure {
        #[command(flatten)]
        common: Common,
        /// Where answers come from: demo, script=FILE (one JSON reply a line), or obedient=FILE: what it reads gives it orders, and “OBEY 3” stands for the third line (from 0).
        #[arg(long, default_value = "demo")]
        mode: String,
        /// What the deployment takes and how it answers: classic, reasoning, effort-none, responses-only, ollama and more; `list` prints them.
        #[arg(long, default_value = "classic")]
        behaviour: String,
        /// How long the demo model takes for a row of a job, in milliseconds.
        #[arg(long, default_value_t = 0)]
        row_latency_ms: u64,
    },
    /// A Slack workspace.
    Slack {
        #[command(flatten)]
        common: Common,
        /// Where events are sent, such as http://127.0.0.1:3000/api/webhooks/slack.
        #[arg(long)]
        events: Option<String>,
    },
    /// A Discord.
    Discord {
        #[command(flatten)]
        common: Common,
    },
    /// A Microsoft Teams.
    Teams {
        #[command(flatten)]
        common: Common,
        /// Where activities are sent, such as http://127.0.0.1:3000/api/webhooks/teams.
        #[arg(long)]
        events: Option<String>,
    },
    /// A Telegram.
    Telegram {
        #[command(flatten)]
        common: Common,
    },
}

fn fault(text: &str) -> Result<(Kind, f64), String> {
    let (kind, rate) = text.split_once('=').ok_or("expected KIND=RATE, such as 429=0.05")?;
    let rate: f64 = rate.parse().map_err(|_| format!("'{rate}' is not a share from 0 to 1"))?;
    if (0.0..=1.0).contains(&rate) { Ok((kind.parse()?, rate)) } else { Err(format!("'{rate}' is not a share from 0 to 1")) }
}

fn set(faults: &Faults, wanted: &[(Kind, f64)]) {
    for (kind, rate) in wanted {
        faults.rate(*kind, *rate);
    }
}

/// As lines for a `.env` file.
fn print(settings: &[(&str, String)]) {
    for (name, value) in settings {
        println!("{name}={value}");
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.service {
        Service::Smartsheet { common, seed, write_latency_ms, webhook_debounce_ms, requests_per_minute, today, people_back_to } => {
            let options = smartsheet::Options {
                listen: common.listen,
                seed,
                today: today.unwrap_or_else(|| Clock::System.today()),
                write_latency: Duration::from_millis(write_latency_ms),
                webhook_debounce: Duration::from_millis(webhook_debounce_ms),
                requests_per_minute,
                ..smartsheet::Options::default()
            };
            let running = smartsheet::Smartsheet::start(options).await?;
            set(running.faults(), &common.fault);
            print(&running.settings());
            if let Some(url) = people_back_to {
                running.send_people_back_to(&url);
                running.account("lee.park@example.com", &[("Project Plan", "EDITOR")]);
                print(&running.account_settings());
                println!("# Whoever connects an account is lee.park@example.com, and sees the Project Plan.");
            }
            running.wait().await;
        }
        Service::Azure { behaviour, .. } if behaviour == "list" => {
            azure::BEHAVIOURS.iter().chain(&azure::WITHOUT_FUNCTIONS).for_each(|b| println!("{}", b.name));
        }
        Service::Azure { common, mode, behaviour, row_latency_ms } => {
            let behaviour = azure::Behaviour::named(&behaviour)
                .with_context(|| format!("there is no behaviour '{behaviour}'; --behaviour list prints all"))?;
            let replies = |file: &str| {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
                azure::Reply::parse_lines(&text).with_context(|| format!("{file} does not hold a reply a line"))
            };
            let mode = match mode.split_once('=') {
                None if mode == "demo" => azure::Mode::Demo,
                Some(("script", file)) => azure::Mode::Script(replies(file)?),
                Some(("obedient", file)) => azure::Mode::Obedient(replies(file)?),
                _ => anyhow::bail!("unknown mode '{mode}': use demo, script=FILE or obedient=FILE"),
            };
            let row_latency = Duration::from_millis(row_latency_ms);
            let options = azure::Options { listen: common.listen, mode, behaviour, row_latency, ..azure::Options::default() };
            let running = azure::Azure::start(options).await?;
            set(running.faults(), &common.fault);
            print(&running.settings());
            running.wait().await;
        }
        Service::Slack { common, events } => {
            let running = slack::Slack::start(slack::Options { listen: common.listen, ..slack::Options::default() }).await?;
            set(running.faults(), &common.fault);
            if let Some(url) = events {
                running.send_events_to(&url);
            }
            print(&running.settings());
            println!("# Or, for an app that workspaces install by a link (chatsheet workspaces invite), in place of the token:");
            println!("# SLACK_CLIENT_ID={} SLACK_CLIENT_SECRET={}", slack::CLIENT_ID, slack::CLIENT_SECRET);
            println!(
                "# Write as a person: curl -d 'channel=C1&user=U1&text=<@{}> help' {1}/sandbox/say; read: curl {1}/sandbox/messages",
                slack::BOT_USER,
                running.origin()
            );
            running.wait().await;
        }
        Service::Discord { common } => {
            let options = discord::Options { listen: common.listen, enforce_rates: true, ..discord::Options::default() };
            let running = discord::Discord::start(options).await?;
            set(running.faults(), &common.fault);
            print(&running.settings());
            println!("# Write as a person: curl -d 'text=help' {0}/sandbox/say; read: curl {0}/sandbox/messages", running.origin());
            running.wait().await;
        }
        Service::Teams { common, events } => {
            let options = teams::Options { listen: common.listen, enforce_rates: true, ..teams::Options::default() };
            let running = teams::Teams::start(options).await?;
            set(running.faults(), &common.fault);
            if let Some(url) = events {
                running.send_events_to(&url);
            }
            print(&running.settings());
            println!("# Write as a person: curl -d 'text=help' {0}/sandbox/say; read: curl {0}/sandbox/messages", running.origin());
            running.wait().await;
        }
        Service::Telegram { common } => {
            let options = telegram::Options { listen: common.listen, enforce_rates: true, ..telegram::Options::default() };
            let running = telegram::Telegram::start(options).await?;
            set(running.faults(), &common.fault);
            print(&running.settings());
            println!(
                "# Write as a person: curl -d 'chat=1&user=1&text=help' {0}/sandbox/say; read: curl {0}/sandbox/messages",
                running.origin()
            );
            running.wait().await;
        }
    }
    Ok(ExitCode::SUCCESS)
}
