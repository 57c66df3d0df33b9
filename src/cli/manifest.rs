//! `manifest`: prints what installs the app on a platform, with the public URL filled in.

use super::WRONG;
use crate::config::Config;
use clap::{Args, ValueEnum};
use std::process::ExitCode;

/// What to print.
#[derive(Args)]
pub(super) struct Arguments {
    /// The platform.
    platform: Platform,
}

#[derive(Clone, Copy, ValueEnum)]
enum Platform {
    Slack,
}

const SLACK: &str = include_str!("../../manifests/slack.yaml");
const PLACEHOLDER: &str = "https://bot.example.com";

pub(super) fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(base) = &config.public_base_url else {
        eprintln!(
            "chatsheet: PUBLIC_BASE_URL is not set: Slack must be able to reach the sidecar under it, such as https://bot.example.com"
        );
        return Ok(ExitCode::from(WRONG));
    };
    match arguments.platform {
        Platform::Slack => print!("{}", SLACK.replace(PLACEHOLDER, base.as_str().trim_end_matches('/'))),
    }
    Ok(ExitCode::SUCCESS)
}
