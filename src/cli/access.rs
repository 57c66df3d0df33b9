//! `access`: invites people, lists and removes them, and says what each may do.

use super::{FAILED, WRONG, minute};
use crate::access::{AllowedSheets, Person, Role, hash_of, new_code};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Granted, Store};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use std::process::ExitCode;
use std::time::Duration;

/// How long a code can be used.
const CODE: Duration = Duration::from_secs(24 * 3_600);

/// What to do with access.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a code; whoever sends it to the bot first is let in.
    Invite {
        /// What they may do: reader (ask), editor (change sheets), admin (decide for others).
        #[arg(long, default_value = "editor")]
        role: Role,
    },
    /// Lists everybody of whom something was decided by name.
    List,
    /// Says what somebody may do from now on.
    Role {
        /// Who, as `list` shows them: telegram:501, discord:501, slack:T1:U5, teams:TENANT:29:….
        person: String,
        /// reader, editor or admin.
        role: Role,
    },
    /// Lists what admins have decided of channels and sheets.
    Rules,
    /// Lets somebody in no more, also when the settings would.
    Remove {
        /// Who, as `list` shows them.
        person: String,
    },
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let (store, clock) = (Store::connect(config.database_url.expose_secret()).await?, Clock::System);
    store.migrate().await?;
    let code = match arguments.command {
        Command::Invite { role: Role::Nobody } => {
            eprintln!("chatsheet: 'nobody' cannot be invited");
            ExitCode::from(WRONG)
        }
        Command::Invite { role } => {
            let code = new_code();
            store.add_access_code(&hash_of(&code), role, clock.now_ms() + CODE.as_millis() as i64).await?;
            eprintln!("Whoever sends this to the bot within a day, first, may use it as {role}:");
            println!("{code}");
            ExitCode::SUCCESS
        }
        Command::List => {
            let all = store.access().await?;
            if all.is_empty() {
                eprintln!(
                    "Nothing was decided by name: only the settings let people in (SLACK_ALLOWED and its like). `chatsheet access invite` prints a code."
                );
            }
            for Granted { person, name, role, at_ms } in all {
                println!("{person}  {role}  since {}  {}", minute(at_ms), name.unwrap_or_default());
            }
            ExitCode::SUCCESS
        }
        Command::Rules => {
            rules(&store).await?;
            ExitCode::SUCCESS
        }
        Command::Role { person, role } => decide(&store, &person, role, clock.now_ms()).await?,
        Command::Remove { person } => decide(&store, &person, Role::Nobody, clock.now_ms()).await?,
    };
    store.close().await;
    Ok(code)
}

/// Prints a line for each channel and each sheet of which something is decided.
async fn rules(store: &Store) -> anyhow::Result<()> {
    let (channels, approvals) = (store.ruled_channels().await?, store.approvals().await?);
    if channels.is_empty() && approvals.is_empty() {
        eprintln!(
            "Nothing is decided: every sheet may be used in every channel. Admins decide with `allow`, `only me on` and `approvers` in a channel."
        );
    }
    for channel in channels {
        let rules = store.channel_rules(&channel).await?;
        let place = |a: &AllowedSheets| format!("{} {} ({})", a.kind.as_str(), a.name, a.id);
        let allowed = match &rules.allowed {
            None => "every sheet".to_owned(),
            Some(allowed) if allowed.is_empty() => "no sheet".to_owned(),
            Some(allowed) => allowed.iter().map(place).collect::<Vec<_>>().join(", "),
        };
        println!("{channel}  {allowed}{}", if rules.only_me { "  answers for the asker alone" } else { "" });
    }
    for (sheet, approval) in approvals {
        let who: Vec<String> = approval.approvers.iter().map(|a| format!("{} ({})", a.name, a.person)).collect();
        let what = match approval.over_rows {
            0 => "every change needs".to_owned(),
            rows => format!("deletions and changes of more than {rows} rows need"),
        };
        println!("sheet {sheet}  {what} the OK of {}", who.join(" or "));
    }
    Ok(())
}

async fn decide(store: &Store, person: &str, role: Role, now_ms: i64) -> anyhow::Result<ExitCode> {
    let Ok(person) = person.parse::<Person>() else {
        eprintln!("chatsheet: expected a person such as telegram:501, discord:501, slack:T1:U5 or teams:TENANT:29:…, not '{person}'");
        return Ok(ExitCode::from(FAILED));
    };
    let shown = person.to_string();
    store.grant_access(&Granted { person, name: None, role, at_ms: now_ms }).await?;
    match role {
        Role::Nobody => println!("{shown} is let in no more, within a few seconds."),
        role => println!("{shown} is {role}, within a few seconds."),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read_as_they_are_shown() {
        for shown in ["telegram:501", "discord:9", "slack:T1:U5", "teams:aaaa-bbbb:29:1xyz"] {
            assert_eq!(shown.parse::<Person>().map(|p| p.to_string()), Ok(shown.to_owned()));
        }
        for odd in ["", "501", "slack:U5", "telegram:", "web:1", "myspace:1"] {
            assert_eq!(odd.parse::<Person>(), Err(()), "{odd}");
        }
    }
}
