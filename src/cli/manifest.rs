//! `manifest`: prints what installs the app on a platform, or registers it there.

use super::{FAILED, WRONG};
use crate::app::{discord, telegram_adapter};
use crate::config::Config;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;
use zip::write::{SimpleFileOptions, ZipWriter};

/// What to print.
#[derive(Args)]
pub(super) struct Arguments {
    /// The platform.
    platform: Platform,
    /// Tells the platform itself, where it can be told (Discord, Telegram), with the credentials of the settings.
    #[arg(long)]
    register: bool,
    /// Slack: an app that several workspaces or a whole organisation install by a link.
    #[arg(long)]
    distributed: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Platform {
    Discord,
    Slack,
    Teams,
    Telegram,
}

const SLACK: &str = include_str!("../../manifests/slack.yaml");
const DISCORD: &str = include_str!("../../manifests/discord.json");
const TEAMS: &str = include_str!("../../manifests/teams/manifest.json");
const TEAMS_ICONS: [(&str, &[u8]); 2] = [
    ("color.png", include_bytes!("../../manifests/teams/color.png")),
    ("outline.png", include_bytes!("../../manifests/teams/outline.png")),
];
const TEAMS_PACKAGE: &str = "chatsheet-teams.zip";
const TEAMS_PLACEHOLDER: &str = "00000000-0000-0000-0000-000000000000";
const TELEGRAM: &str = include_str!("../../manifests/telegram.json");
const PLACEHOLDER: &str = "https://bot.example.com";

/// What `manifests/telegram.json` says.
#[derive(serde::Deserialize)]
struct Commands {
    commands: Vec<Command>,
}

#[derive(serde::Deserialize)]
struct Command {
    command: String,
    description: String,
}

pub(super) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    match (arguments.platform, arguments.register) {
        (Platform::Discord, false) => {
            print!("{DISCORD}");
            Ok(ExitCode::SUCCESS)
        }
        (Platform::Discord, true) => register_discord(config).await,
        (Platform::Slack, false) => slack(config, arguments.distributed),
        (Platform::Slack, true) => {
            wrong("Slack takes manifests on its page only: https://api.slack.com/apps > Create New App > From a manifest")
        }
        (Platform::Teams, false) => teams(config),
        (Platform::Teams, true) => wrong("Teams takes packages in its admin centre or under Apps > Manage your apps > Upload an app"),
        (Platform::Telegram, false) => {
            print!("{TELEGRAM}");
            Ok(ExitCode::SUCCESS)
        }
        (Platform::Telegram, true) => register_telegram(config).await,
    }
}

fn wrong(why: &str) -> anyhow::Result<ExitCode> {
    eprintln!("chatsheet: {why}");
    Ok(ExitCode::from(WRONG))
}

/// Without a public address the app is one for Socket Mode. Tokens of an app that is distributed run out and are renewed.
fn slack(config: &Config, distributed: bool) -> anyhow::Result<ExitCode> {
    let mut manifest = SLACK.to_owned();
    match &config.public_base_url {
        Some(base) => manifest = manifest.replace(PLACEHOLDER, base.as_str().trim_end_matches('/')),
        None if distributed => return wrong("PUBLIC_BASE_URL is not set: Slack sends whoever installs the app back to it"),
        None => {
            manifest = without(&manifest, &["url: "])
                .replace("socket_mode_enabled: false", "socket_mode_enabled: true")
                .replace(" with your PUBLIC_BASE_URL filled in", " for Socket Mode");
        }
    }
    if distributed {
        manifest = manifest.replace("token_rotation_enabled: false", "token_rotation_enabled: true");
        manifest = manifest.replace("org_deploy_enabled: false", "org_deploy_enabled: true");
    } else {
        manifest = without(&manifest, &["redirect_urls:", "/slack/oauth_redirect"]);
    }
    print!("{manifest}");
    Ok(ExitCode::SUCCESS)
}

/// Leaves out the lines that have any of these words.
fn without(manifest: &str, words: &[&str]) -> String {
    manifest.split_inclusive('\n').filter(|line| !words.iter().any(|w| line.contains(w))).collect()
}

/// Writes the package of the Teams app into the current folder.
fn teams(config: &Config) -> anyhow::Result<ExitCode> {
    let (Some(base), Some(teams)) = (&config.public_base_url, &config.teams) else {
        return wrong(
            "PUBLIC_BASE_URL and the TEAMS_* settings are needed: they stand in the package; adapters/teams/README.md says where they come from",
        );
    };
    let manifest = TEAMS.replace(PLACEHOLDER, base.as_str().trim_end_matches('/')).replace(TEAMS_PLACEHOLDER, &teams.app_id);
    let manifest = manifest.replace("\"version\": \"0.0.0\"", &format!("\"version\": \"{}\"", teams_version()));
    let file = File::create(TEAMS_PACKAGE).with_context(|| format!("cannot write {TEAMS_PACKAGE}"))?;
    let mut package = ZipWriter::new(file);
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("manifest.json", manifest.as_bytes())].into_iter().chain(TEAMS_ICONS) {
        package.start_file(name, stored)?;
        package.write_all(bytes)?;
    }
    package.finish()?;
    println!("{TEAMS_PACKAGE} is the app. Teams > Apps > Manage your apps > Upload an app, or the admin centre for everybody.");
    println!("The messaging endpoint of the bot (Azure > Bot > Configuration): {}/api/webhooks/teams", base.as_str().trim_end_matches('/'));
    Ok(ExitCode::SUCCESS)
}

/// The version of the package, which grows with ours, so that Teams takes a new one for an update. It begins with 1.
fn teams_version() -> String {
    let [major, minor, patch] = [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    format!("{}.{minor}.{patch}", if major == "0" { "1" } else { major })
}

async fn register_discord(config: &Config) -> anyhow::Result<ExitCode> {
    let Some(settings) = &config.discord else {
        return wrong("DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID are not set: https://discord.com/developers/applications");
    };
    match discord::register(settings, &serde_json::from_str(DISCORD)?).await {
        Ok(()) => {
            println!("/sheet is offered now. The bot joins a server by this link:");
            // View Channels, Send Messages, Create Public Threads, Send Messages in Threads, Embed Links, Attach Files, Read Message History.
            println!(
                "https://discord.com/oauth2/authorize?client_id={}&scope=bot+applications.commands&permissions=309237763072",
                settings.application_id
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("chatsheet: {error:#}. `chatsheet check` tries the token.");
            Ok(ExitCode::from(FAILED))
        }
    }
}

async fn register_telegram(config: &Config) -> anyhow::Result<ExitCode> {
    let Some(telegram) = &config.telegram else {
        return wrong("TELEGRAM_BOT_TOKEN is not set: talk to https://t.me/BotFather, /newbot");
    };
    let wanted: Commands = serde_json::from_str(TELEGRAM)?;
    let commands: Vec<_> = wanted.commands.into_iter().map(|c| (c.command, c.description)).collect();
    let count = commands.len();
    match telegram_adapter(telegram, None)?.register(commands).await {
        Ok(()) => {
            println!("{count} commands are offered behind / now.");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("chatsheet: {error}. Check TELEGRAM_BOT_TOKEN; `chatsheet check` tries it.");
            Ok(ExitCode::from(FAILED))
        }
    }
}
