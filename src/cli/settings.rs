//! `config`: prints the settings that hold, and where each comes from.

use crate::config::{Config, Origin, Sources, VARIABLES, Variable};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;

/// What to print.
#[derive(Args)]
pub(super) struct Arguments {
    /// Prints what is not set, too.
    #[arg(long)]
    all: bool,
    /// Prints JSON lines instead of a table.
    #[arg(long)]
    json: bool,
}

/// What stands for a secret.
const SECRET: &str = "(secret)";

pub(super) fn run(arguments: &Arguments, config: &Config, sources: &Sources) -> ExitCode {
    let width = VARIABLES.iter().map(|v| v.name.len()).max().unwrap_or_default();
    for Variable { name, default, secret, .. } in VARIABLES {
        let (set, origin) = (sources.get(name), sources.origin(name));
        let value = match set {
            _ if *name == "DATABASE_URL" => config.database_label(),
            Some(_) if *secret => SECRET.to_owned(),
            Some(value) => value.trim().to_owned(),
            None => (*default).to_owned(),
        };
        if value.is_empty() && !arguments.all {
            continue;
        }
        let from = if value.is_empty() { "unset".to_owned() } else { origin.to_string() };
        if arguments.json {
            let is_set = origin != Origin::Default;
            println!("{}", json!({ "name": name, "value": value, "from": from, "set": is_set, "secret": secret }));
        } else {
            println!("{name:width$}  {from:<11}  {value}");
        }
    }
    for unknown in &config.unknown {
        eprintln!("chatsheet: {unknown}");
    }
    ExitCode::SUCCESS
}
