//! `key`: makes, lists and revokes keys of the REST API.

use super::{FAILED, WRONG, minute};
use crate::app::keys::{self, Rotated};
use crate::clock::Clock;
use crate::config::Config;
use crate::server::api::{Scope, new_key};
use crate::store::{AuditAction, AuditEvent, Store};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use std::process::ExitCode;

/// What to do with keys.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a key and prints it; it is not shown again.
    Create {
        /// What it is for, such as the name of the program that will use it.
        name: String,
        /// What it may do; all of it when unset. Several are separated by commas.
        #[arg(long, value_delimiter = ',')]
        scope: Vec<Scope>,
    },
    /// Seals everything anew with CHATSHEET_SECRET_KEY that CHATSHEET_SECRET_KEY_OLD has sealed.
    Rotate,
    /// Lists all keys; their secrets are not kept.
    List,
    /// Revokes a key; it works for five more seconds at most.
    Revoke {
        /// The id of the key, as `list` shows it.
        id: String,
    },
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let (store, clock) = (Store::connect(config.database_url.expose_secret()).await?, Clock::System);
    store.migrate().await?;
    let code = match arguments.command {
        Command::Create { name, scope } => {
            let scopes = if scope.is_empty() { Scope::ALL.to_vec() } else { scope };
            let (key, secret) = new_key(&name, &scopes, clock.now_ms());
            store.add_api_key(&key).await?;
            eprintln!("Key {} ({}) may: {}. This is the only time that it is shown:", key.id, key.name, key.scopes);
            println!("{secret}");
            ExitCode::SUCCESS
        }
        Command::Rotate => rotate(&store, config).await?,
        Command::List => {
            let keys = store.api_keys().await?;
            if keys.is_empty() {
                eprintln!("There are no keys. `chatsheet key create NAME` makes one.");
            }
            for key in keys {
                let used = key.last_used_at_ms.map_or_else(|| "never used".to_owned(), |ms| format!("last used {}", minute(ms)));
                let state = key.revoked_at_ms.map_or_else(|| used, |ms| format!("revoked {}", minute(ms)));
                println!("{}  {}  made {}  {state}  {}", key.id, key.scopes.replace(' ', ","), minute(key.created_at_ms), key.name);
            }
            ExitCode::SUCCESS
        }
        Command::Revoke { id } => {
            if store.revoke_api_key(&id, clock.now_ms()).await? {
                println!("Key {id} is revoked.");
                ExitCode::SUCCESS
            } else {
                eprintln!("chatsheet: there is no key {id} that works; `chatsheet key list` lists them");
                ExitCode::from(FAILED)
            }
        }
    };
    store.close().await;
    Ok(code)
}

async fn rotate(store: &Store, config: &Config) -> anyhow::Result<ExitCode> {
    if config.secret_key.is_none() || config.old_secret_key.is_none() {
        eprintln!("chatsheet: set the new key as CHATSHEET_SECRET_KEY and the one before as CHATSHEET_SECRET_KEY_OLD");
        return Ok(ExitCode::from(WRONG));
    }
    let vault = config.vault();
    keys::fit(store, &vault).await?;
    let Rotated { anew, current, lost } = keys::rotate(store, &vault, |n, all| eprintln!("{n} of {all}")).await?;
    let entry = AuditEvent {
        at_ms: Clock::System.now_ms(),
        what: AuditAction::Rotated,
        who: "operator".into(),
        place: String::new(),
        subject: "secret key".into(),
        detail: json!({ "anew": anew, "current": current, "lost": lost }),
    };
    store.audit(&entry).await?;
    println!("{anew} sealed anew, {current} were already.");
    if lost > 0 {
        println!("{lost} open with neither key, and are left as they are.");
        return Ok(ExitCode::from(FAILED));
    }
    println!(
        "When every process runs with the new key, CHATSHEET_SECRET_KEY_OLD can go. Links of the viewer that the old key made end with it."
    );
    Ok(ExitCode::SUCCESS)
}
