//! `forget`: removes everything that is kept of a person, a channel or a workspace.

use super::{FAILED, WRONG};
use crate::access::Person;
use crate::accounts::{Accounts, KIND};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Somewhere, Store, Traces, Whose};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use std::process::ExitCode;

/// Whom or what to forget.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    whose: Which,
    /// Removes it. Without, what would go is printed.
    #[arg(long, global = true)]
    yes: bool,
}

#[derive(Subcommand)]
enum Which {
    /// What a person has said and asked for, wherever that was.
    Person {
        /// Such as telegram:501, discord:501, slack:T1:U5 or teams:TENANT:29:….
        who: String,
    },
    /// What was said and asked for in a channel or chat, and in its threads.
    Channel {
        /// Such as slack:T1:C5, teams:TENANT:19:…, discord:CHANNEL or telegram:CHAT.
        which: String,
    },
    /// All of that in a workspace, a tenant or a server, with its rules and roles.
    Workspace {
        /// Such as slack:T1, teams:TENANT, discord:SERVER or telegram:BOT.
        which: String,
    },
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let (whose, named) = match &arguments.whose {
        Which::Person { who } => (who.parse::<Person>().ok().map(Whose::Person), who),
        Which::Channel { which } => (Somewhere::channel(which).map(Whose::Channel), which),
        Which::Workspace { which } => (Somewhere::workspace(which).map(Whose::Workspace), which),
    };
    let Some(whose) = whose else {
        eprintln!("chatsheet: '{named}' is not what `chatsheet forget --help` asks for, such as slack:T1:U5");
        return Ok(ExitCode::from(WRONG));
    };
    let store = Store::connect(config.database_url.expose_secret()).await?;
    store.migrate().await?;
    let accounts: Vec<String> = store.grants(KIND).await?.into_iter().filter(|account| whose.has_account(account)).collect();
    let traces = if arguments.yes {
        disconnect(&accounts, &store, config).await?;
        store.forget(&whose, Clock::System.now_ms()).await?
    } else {
        store.traces(&whose).await?
    };
    store.close().await;
    Ok(tell(&traces, accounts.len(), arguments.yes))
}

/// Gives accounts up that were connected; at Smartsheet, too, where its app is set.
async fn disconnect(people: &[String], store: &Store, config: &Config) -> anyhow::Result<()> {
    let accounts =
        config.accounts.clone().map(|settings| Accounts::new(settings, store.clone(), config.vault(), Clock::System)).transpose()?;
    for person in people {
        match &accounts {
            Some(accounts) => drop(accounts.disconnect(person).await?),
            None => drop(store.forget_grant(KIND, person, i64::MAX, Clock::System.now_ms()).await?),
        }
    }
    Ok(())
}

fn tell(traces: &Traces, accounts: usize, done: bool) -> ExitCode {
    let accounts = Some(("connected accounts", accounts as u64)).filter(|(_, n)| *n > 0);
    let gone: Vec<_> = traces.gone.iter().copied().chain(accounts).collect();
    match (gone.is_empty(), done) {
        (true, _) => println!("Nothing is found."),
        (false, true) => println!("Removed:"),
        (false, false) => println!("Would be removed:"),
    }
    for (what, n) in &gone {
        println!("{n:>8}  {what}");
    }
    if traces.audit_lines > 0 {
        println!("{} lines of the audit log stay, so that it can be verified.", traces.audit_lines);
    }
    if traces.approver_of > 0 {
        println!("Approver of {} sheets still: an admin names others there with `approvers`.", traces.approver_of);
    }
    if traces.under_way > 0 {
        println!("{} events, changes or jobs are under way: run this again when they have ended.", traces.under_way);
        return ExitCode::from(FAILED);
    }
    if !done && !gone.is_empty() {
        println!("Add --yes to remove it. Copies made by `backup`, logs, and what stands in the chat itself are not touched.");
    }
    ExitCode::SUCCESS
}
