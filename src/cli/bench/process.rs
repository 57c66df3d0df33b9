//! A child process to be measured: this same program, with settings, and what /proc says of it.

use crate::cli::folder::Folder;
use anyhow::Context;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running child; killed when dropped.
pub(super) struct Measured {
    child: Child,
    /// What it said first: an address, or settings.
    pub said: Vec<String>,
}

impl Measured {
    /// Starts this program with these words and waits until it has printed `lines` lines.
    pub async fn start(words: &[&str], settings: &[(&str, String)], folder: &Path, lines: usize) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words).env_clear().envs(settings.iter().map(|(k, v)| (k, v))).current_dir(folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut said = Vec::new();
        while said.len() < lines {
            said.push(output.next_line().await?.context("the measured process ended")?);
        }
        tokio::spawn(async move { while let Ok(Some(_)) = output.next_line().await {} });
        Ok(Self { child, said })
    }

    /// CPU time of all its threads so far, in milliseconds.
    pub fn cpu_ms(&self) -> anyhow::Result<f64> {
        let id = self.child.id().context("the measured process ended")?;
        let mut nanoseconds = 0u64;
        for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(nanoseconds as f64 / 1e6)
    }

    /// A line of `/proc/…/status` in megabytes: `VmRSS` now, `VmHWM` at most.
    pub fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        let id = self.child.id().context("the measured process ended")?;
        let text = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let kilobytes =
            text.lines().find_map(|l| l.strip_prefix(line)?.trim_start_matches(':').split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.context("no such line")? / 1024.0)
    }
}

impl Measured {
    /// From here on `VmHWM` is the most memory since now.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        let id = self.child.id().context("the measured process ended")?;
        Ok(std::fs::write(format!("/proc/{id}/clear_refs"), "5")?)
    }
}

/// Settings of a `serve` in this folder on this port, beside those of the stand-ins.
pub(super) fn settings(folder: &Folder, port: u16, far_side: [Vec<(&'static str, String)>; 3]) -> Vec<(&'static str, String)> {
    let own = vec![
        ("DATABASE_URL", format!("sqlite://{}", folder.0.join("bench.db").display())),
        ("LISTEN", format!("127.0.0.1:{port}")),
        ("RUST_LOG", "error".into()),
    ];
    far_side.into_iter().flatten().chain(own).collect()
}

/// A port that was free a moment ago.
pub(super) async fn free_port() -> anyhow::Result<u16> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

/// Returns when the sidecar on this port is ready.
pub(super) async fn until_ready(port: u16) -> anyhow::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for _ in 0..20_000 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            if answer.starts_with(b"HTTP/1.1 200") {
                return Ok(());
            }
        }
        tokio::time::sleep(std::time::Duration::from_micros(500)).await;
    }
    anyhow::bail!("the sidecar did not become ready")
}
