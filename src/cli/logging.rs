//! Logs go to standard error or to a file, as lines for people or as JSON.

use crate::config::Log;
use anyhow::Context;
use std::io::IsTerminal;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// Starts logging; `default` is what is logged when `RUST_LOG` is not set.
///
/// # Errors
/// When the file of `LOG_FILE` cannot be written.
pub(super) fn start(log: &Log, default: &str) -> anyhow::Result<()> {
    // async-openai logs bodies that it cannot read; those may be anybody's data.
    let directives = format!("{},async_openai=off", log.filter.as_deref().unwrap_or(default));
    let filter = EnvFilter::try_new(&directives).unwrap_or_else(|_| EnvFilter::new("info,async_openai=off"));
    let (writer, colours) = match &log.file {
        None => (BoxMakeWriter::new(std::io::stderr), std::io::stderr().is_terminal()),
        Some(path) => {
            let file = std::fs::File::options().append(true).create(true).open(path);
            let file = file.with_context(|| format!("LOG_FILE: {} cannot be written", path.display()))?;
            (BoxMakeWriter::new(Mutex::new(file)), false)
        }
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    let started = if log.json { builder.json().try_init() } else { builder.try_init() };
    started.map_err(|error| anyhow::anyhow!("logging is not available: {error}"))
}
