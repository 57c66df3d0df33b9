//! `health`: asks the bot on this machine whether it is ready.

use super::FAILED;
use crate::config::Config;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

/// How long the bot may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

#[expect(clippy::disallowed_methods, reason = "one question to this machine, with its own patience")]
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let ip = match config.listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("http://{}/readyz", SocketAddr::new(ip, config.listen.port()));
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let problem = match client.get(&url).send().await {
        Ok(answer) if answer.status().is_success() => None,
        Ok(answer) => Some(answer.text().await.unwrap_or_default().trim().to_owned()),
        Err(error) if error.is_timeout() => Some(format!("no answer within {} s", PATIENCE.as_secs())),
        Err(error) if error.is_connect() => Some("nothing listens there; check LISTEN, and that the bot runs".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    match problem {
        None => {
            println!("ready");
            Ok(ExitCode::SUCCESS)
        }
        Some(problem) => {
            eprintln!("chatsheet: {url}: {problem}");
            Ok(ExitCode::from(FAILED))
        }
    }
}
