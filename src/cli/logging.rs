//! Logs go to standard error, as lines for people or as JSON.

use crate::config::Log;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging; `default` is what is logged when `RUST_LOG` is not set.
pub(super) fn start(log: &Log, default: &str) {
    // async-openai logs bodies that it cannot read; those may be anybody's data.
    let directives = format!("{},async_openai=off", log.filter.as_deref().unwrap_or(default));
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new("info,async_openai=off"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let started = if log.json { builder.json().try_init() } else { builder.try_init() };
    if let Err(error) = started {
        eprintln!("chatsheet: logging is not available: {error}");
    }
}
