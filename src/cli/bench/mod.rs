//! `bench`: measures what matters to people who run this, and prints the figures beside their goals.

mod events;
mod faults;
mod figures;
mod growth;
mod jobs;
mod platforms;
mod process;
mod scene;
mod sheet;
mod sidecar;
mod startup;
mod turns;

use clap::{Args, ValueEnum};
use figures::Figure;
use std::process::ExitCode;

/// What to measure.
#[derive(Args)]
pub(super) struct Arguments {
    /// One group only.
    group: Option<Group>,
    /// Prints JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// The measured side of a measurement, started by the measuring one.
    #[arg(long, hide = true, value_name = "DATABASE")]
    receive_events: Option<String>,
}

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    Events,
    Turns,
    Startup,
    Sheet,
    Sidecar,
    Jobs,
    Faults,
    Platforms,
    Growth,
}

impl Group {
    async fn measure(self) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Events => events::measure().await,
            Self::Turns => turns::measure().await,
            Self::Startup => startup::measure().await,
            Self::Sheet => sheet::measure().await,
            Self::Sidecar => sidecar::measure().await,
            Self::Jobs => jobs::measure().await,
            Self::Faults => faults::measure().await,
            Self::Platforms => platforms::measure().await,
            Self::Growth => growth::measure().await,
        }
    }
}

/// Measures one group after the other, and prints each when it is done; fails when a goal is missed or a group could not be measured.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(database) = &arguments.receive_events {
        events::receive(database).await?;
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        eprintln!("chatsheet: this is a debug build; figures mean little. Use cargo run --release -- bench");
    }
    let groups = arguments.group.as_ref().map_or(Group::value_variants(), std::slice::from_ref);
    let (mut met, mut failed) = (true, Vec::new());
    for group in groups {
        let name = group.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
        match Box::pin(group.measure()).await {
            Ok(figures) => met &= figures::print(&figures, arguments.json),
            Err(error) => {
                eprintln!("chatsheet: {name} could not be measured: {error:#}");
                failed.push(name);
            }
        }
    }
    if !failed.is_empty() {
        eprintln!("chatsheet: not measured: {}", failed.join(", "));
    }
    Ok(if met && failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
