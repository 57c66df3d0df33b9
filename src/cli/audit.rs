//! `audit`: prints the audit log, and says whether anything in it was changed.

use super::{FAILED, WRONG};
use crate::config::Config;
use crate::store::{AuditRecord, Store};
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::value::RawValue;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

/// What to do with the log.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints lines, the oldest first.
    Export {
        /// The first day (UTC), such as 2026-11-01; everything when unset.
        #[arg(long)]
        since: Option<jiff::civil::Date>,
        /// How to print it.
        #[arg(long, default_value = "jsonl")]
        format: Format,
    },
    /// Reads the whole log and says whether a line was changed, taken away or put in. Prints the hash of the last one: whoever keeps it
    /// elsewhere can tell later whether the log was written anew.
    Verify {
        /// A line and hash that an earlier `verify` has printed, such as 1042:9f3c…: the log has to hold it still.
        #[arg(long)]
        holds: Option<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values with a head.
    Csv,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let store = Store::connect(config.database_url.expose_secret()).await?;
    store.migrate().await?;
    match arguments.command {
        Command::Export { since, format } => export(&store, since, format).await,
        Command::Verify { holds } => verify(&store, holds.as_deref()).await,
    }
}

async fn export(store: &Store, since: Option<jiff::civil::Date>, format: Format) -> anyhow::Result<ExitCode> {
    let since_ms = match since {
        Some(day) => day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_millisecond(),
        None => i64::MIN,
    };
    let mut output = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    if matches!(format, Format::Csv) {
        csv::Writer::from_writer(&mut output).write_record(HEAD)?;
    }
    let mut after = 0;
    loop {
        let page = store.audit_lines(after, since_ms).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for line in &page {
            match format {
                Format::Jsonl => {
                    serde_json::to_writer(&mut output, &Printed::of(line)?)?;
                    output.write_all(b"\n")?;
                }
                Format::Csv => csv::WriterBuilder::new().has_headers(false).from_writer(&mut output).write_record(cells(line))?,
            }
        }
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

const HEAD: [&str; 8] = ["seq", "at", "what", "who", "place", "subject", "detail", "hash"];

#[derive(serde::Serialize)]
struct Printed<'a> {
    seq: i64,
    at: Timestamp,
    what: &'a str,
    who: &'a str,
    place: &'a str,
    subject: &'a str,
    detail: &'a RawValue,
    hash: &'a str,
}

impl<'a> Printed<'a> {
    fn of(line: &'a AuditRecord) -> anyhow::Result<Self> {
        let detail = serde_json::from_str(&line.detail).with_context(|| format!("the detail of line {} was changed", line.seq))?;
        let at = Timestamp::from_millisecond(line.at_ms)?;
        Ok(Self {
            seq: line.seq,
            at,
            what: &line.what,
            who: &line.who,
            place: &line.place,
            subject: &line.subject,
            detail,
            hash: &line.hash,
        })
    }
}

/// A line for a spreadsheet, which takes no text of it for a formula.
fn cells(line: &AuditRecord) -> [String; 8] {
    let at = Timestamp::from_millisecond(line.at_ms).map(|at| at.to_string()).unwrap_or_default();
    let texts = [&line.what, &line.who, &line.place, &line.subject, &line.detail, &line.hash];
    let [what, who, place, subject, detail, hash] = texts.map(|text| match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.clone(),
    });
    [line.seq.to_string(), at, what, who, place, subject, detail, hash]
}

async fn verify(store: &Store, holds: Option<&str>) -> anyhow::Result<ExitCode> {
    if let Some(kept) = holds {
        let Some((seq, hash)) = kept.split_once(':').and_then(|(seq, hash)| Some((seq.parse::<i64>().ok()?, hash))) else {
            eprintln!("chatsheet: '{kept}' is not a line and its hash, such as 1042:9f3c…");
            return Ok(ExitCode::from(WRONG));
        };
        let line = store.audit_lines(seq - 1, i64::MIN).await?.into_iter().next();
        if line.is_none_or(|line| line.seq != seq || line.hash != hash) {
            println!("AuditRecord {seq} is not what it was.");
            return Ok(ExitCode::from(FAILED));
        }
    }
    match store.verify_audit().await? {
        Ok(0) => println!("The log is empty."),
        Ok(lines) => {
            let (_, hash) = store.audit_head().await?;
            println!("{lines} lines, nothing was changed. The last one: {lines}:{hash}");
        }
        Err(broken) => {
            println!("The log was changed: {broken}.");
            return Ok(ExitCode::from(FAILED));
        }
    }
    Ok(ExitCode::SUCCESS)
}
