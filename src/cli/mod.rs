//! The command line: what can be run, and with which exit code it ends (0 done, 1 failed, 2 wrong use or settings).

mod access;
mod audit;
mod backup;
mod bench;
mod check;
mod demo;
mod eval;
mod folder;
mod forget;
mod health;
mod key;
mod logging;
mod manifest;
mod sandbox;
mod serve;
mod settings;
mod workspaces;

use crate::config::{Config, Sources};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Work with Smartsheet sheets from the chat thread you are already in.
#[derive(Parser)]
#[command(name = "chatsheet", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the bot and its sidecar.
    Serve,
    /// A chat on the terminal with sample sheets; needs no account, key or server. Reads piped lines, too.
    Demo,
    /// Tries every configured credential and connection, and says how to fix what does not work.
    Check,
    /// Prints the settings that hold, and where each comes from; never a secret.
    Config(settings::Arguments),
    /// Asks the running bot whether it is ready, and fails when it is not: for health checks of containers.
    Health,
    /// Brings the database up to date and ends.
    Migrate,
    /// Invites people, lists and removes them, and says what each may do.
    Access(access::Arguments),
    /// Makes, lists and revokes keys of the REST API, and changes the secret key.
    #[command(visible_alias = "keys")]
    Key(key::Arguments),
    /// Prints who did what, and says whether anything in that log was changed.
    Audit(audit::Arguments),
    /// Removes everything that is kept of a person, a channel or a workspace.
    Forget(forget::Arguments),
    /// Copies the SQLite database to a file, while the bot runs.
    Backup(backup::Arguments),
    /// Puts a copy in the place of the SQLite database, while the bot does not run.
    Restore(backup::Arguments),
    /// Invites Slack workspaces to install the app, lists and removes them.
    Workspaces(workspaces::Arguments),
    /// Prints the manifest that installs the app on a platform.
    Manifest(manifest::Arguments),
    /// Plays cases and says how right the answers are: figures, cells, what is said and what is not.
    Eval(eval::Arguments),
    /// Measures and prints figures; use a release build.
    Bench(bench::Arguments),
    /// Starts one stand-in of the far side alone.
    Sandbox(sandbox::Arguments),
}

/// Failed while running.
const FAILED: u8 = 1;
/// Wrong use or settings.
const WRONG: u8 = 2;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let read = Sources::read().and_then(|sources| Ok((Config::from(&sources)?, sources)));
    let (config, sources) = match read {
        Ok(read) => read,
        Err(faults) => {
            eprintln!("chatsheet: these settings are wrong:");
            for fault in faults {
                eprintln!("  {fault}");
            }
            eprintln!("Settings come from the environment and from .env; .env.example explains them.");
            return ExitCode::from(WRONG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("chatsheet: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let result = runtime.block_on(run(cli.command, config, &sources));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("chatsheet: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

async fn run(command: Command, config: Config, sources: &Sources) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => serve::run(&config).await,
        Command::Demo => Box::pin(demo::run(config)).await,
        Command::Check => check::run(&config).await,
        Command::Config(arguments) => Ok(settings::run(&arguments, &config, sources)),
        Command::Health => health::run(&config).await,
        Command::Migrate => serve::migrate(&config).await,
        Command::Access(arguments) => access::run(arguments, &config).await,
        Command::Key(arguments) => key::run(arguments, &config).await,
        Command::Audit(arguments) => audit::run(arguments, &config).await,
        Command::Forget(arguments) => forget::run(arguments, &config).await,
        Command::Backup(arguments) => backup::back_up(arguments, &config).await,
        Command::Restore(arguments) => backup::put_back(arguments, &config).await,
        Command::Workspaces(arguments) => workspaces::run(arguments, &config).await,
        Command::Manifest(arguments) => manifest::run(&arguments, &config).await,
        Command::Eval(arguments) => Box::pin(eval::run(arguments, &config)).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Sandbox(arguments) => sandbox::run(arguments).await,
    }
}

/// A time as people read it.
fn minute(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(|t| t.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}
