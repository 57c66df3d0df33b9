//! `backup` and `restore`.

use super::WRONG;
use crate::config::Config;
use crate::store::{Held, Store, restore};
use clap::Args;
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::process::ExitCode;

/// Where the copy is.
#[derive(Args)]
pub(super) struct Arguments {
    /// The file of the copy.
    file: PathBuf,
}

pub(super) async fn back_up(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let url = config.database_url.expose_secret();
    if let Some(path) = url.strip_prefix("sqlite://").filter(|path| !std::path::Path::new(path).exists()) {
        eprintln!("chatsheet: there is no database {path}");
        return Ok(ExitCode::from(WRONG));
    }
    let store = Store::connect(url).await?;
    let held = store.back_up(&arguments.file).await?;
    store.close().await;
    println!("{}: {}", arguments.file.display(), in_words(held));
    println!("CHATSHEET_SECRET_KEY is not in it: keep that, too, and elsewhere.");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn put_back(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let url = config.database_url.expose_secret();
    let (held, kept) = restore(url, &arguments.file).await?;
    let store = Store::connect(url).await?;
    store.migrate().await?;
    store.close().await;
    println!("{}: {}", config.database_label(), in_words(held));
    if let Some(kept) = kept {
        println!("What was there before is in {}.", kept.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn in_words(held: Held) -> String {
    let Held { sessions, proposals, jobs, events } = held;
    format!("{sessions} sessions, {proposals} proposals that wait, {jobs} jobs that are not finished, {events} events that are not served")
}
