//! `workspaces`: invites Slack workspaces to install the app, lists and removes them.

use super::{FAILED, WRONG, minute};
use crate::app::slack::Installations;
use crate::clock::Clock;
use crate::config::{Config, SlackAccess};
use crate::store::Store;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use slack_chat::InstallationStore;
use std::process::ExitCode;

/// What to do with workspaces.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a link by which one workspace or organisation can install the app within a day.
    Invite,
    /// Lists the workspaces and organisations that have installed the app.
    List,
    /// Forgets the token of a workspace; its admins can still remove the app in Slack.
    Remove {
        /// Its id, as `list` shows it.
        id: String,
    },
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(SlackAccess::Distributed { client_secret, public_base_url, .. }) = config.slack.as_ref().map(|s| &s.access) else {
        eprintln!("chatsheet: SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are not set: with them workspaces install the app by a link");
        return Ok(ExitCode::from(WRONG));
    };
    let store = Store::connect(config.database_url.expose_secret()).await?;
    store.migrate().await?;
    let installations = Installations::new(store.clone(), config.vault());
    let code = match arguments.command {
        Command::Invite => {
            eprintln!(
                "Whoever opens this link can install the app in one workspace, which can then ask about your sheets. It ends in a day:"
            );
            println!("{}", slack_chat::invitation(client_secret.expose_secret(), public_base_url));
            ExitCode::SUCCESS
        }
        Command::List => {
            let ids = installations.list().await?;
            if ids.is_empty() {
                eprintln!("No workspace has installed the app. `chatsheet workspaces invite` makes a link.");
            }
            for id in ids {
                match installations.load(&id).await {
                    Ok(Some(installation)) => println!("{id}  {}  {}", minute(installation.installed_at_ms), installation.name),
                    Ok(None) => {}
                    Err(error) => println!("{id}  cannot be opened: {error}"),
                }
            }
            ExitCode::SUCCESS
        }
        Command::Remove { id } => {
            if installations.remove(&id, Clock::System.now_ms()).await? {
                println!("{id} is forgotten: nothing that is said there is heard any more.");
                ExitCode::SUCCESS
            } else {
                eprintln!("chatsheet: {id} has not installed the app; `chatsheet workspaces list` lists those that have");
                ExitCode::from(FAILED)
            }
        }
    };
    store.close().await;
    Ok(code)
}
