//! `bench`: measures what matters to people who run this, and prints the figures beside their goals.

mod events;
mod faults;
mod figures;
mod jobs;
mod platforms;
mod process;
mod scene;
mod sheet;
mod sidecar;
mod startup;
mod turns;

use clap::Args;
use figures::Figure;
use std::process::ExitCode;

/// What to measure.
#[derive(Args)]
pub(super) struct Arguments {
    /// One group only: events, turns, startup, sheet, sidecar, jobs, faults or platforms.
    name: Option<String>,
    /// Prints JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// The measured side of a measurement, started by the measuring one.
    #[arg(long, hide = true)]
    receive_events: bool,
}

/// Measures; fails when a goal is missed.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if arguments.receive_events {
        events::receive().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let groups = ["events", "turns", "startup", "sheet", "sidecar", "jobs", "faults", "platforms"];
    if let Some(name) = arguments.name.as_ref().filter(|n| !groups.contains(&n.as_str())) {
        eprintln!("chatsheet: unknown measurement '{name}': use one of {}", groups.join(", "));
        return Ok(ExitCode::from(super::WRONG));
    }
    if cfg!(debug_assertions) {
        eprintln!("chatsheet: this is a debug build; figures mean little. Use cargo run --release -- bench");
    }
    let wanted = |group: &str| arguments.name.as_deref().is_none_or(|n| n == group);
    let mut all: Vec<Figure> = Vec::new();
    if wanted("events") {
        all.extend(events::measure().await?);
    }
    if wanted("turns") {
        all.extend(turns::measure().await?);
    }
    if wanted("startup") {
        all.extend(startup::measure().await?);
    }
    if wanted("sheet") {
        all.extend(sheet::measure().await?);
    }
    if wanted("sidecar") {
        all.extend(sidecar::measure().await?);
    }
    if wanted("jobs") {
        all.extend(jobs::measure().await?);
    }
    if wanted("faults") {
        all.extend(faults::measure().await?);
    }
    if wanted("platforms") {
        all.extend(platforms::measure().await?);
    }
    Ok(if figures::print(&all, arguments.json) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
