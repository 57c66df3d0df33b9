//! Every setting, read once at start and validated together; the only file that knows the environment.

mod models;
mod people;
mod platforms;
mod reader;
mod sources;
mod variables;

pub use platforms::{Discord, Slack, SlackAccess, Teams, Telegram};
pub use sources::{Origin, Sources, Unknown};
pub use variables::{VARIABLES, Variable};

use crate::access::{Allowance, Rules};
use crate::accounts;
use crate::llm::{Endpoint, ModelSettings};
use crate::locality::Told;
use crate::smartsheet;
use crate::vault::Vault;
use ipnet::IpNet;
use reader::{Reader, describe_env_error};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DATABASE_URL`: `sqlite://path` or `postgres://…`. Unset: `sqlite://chatsheet.db`.
    pub database_url: SecretString,
    /// `LISTEN`: address of the sidecar. Unset: `127.0.0.1:3000`.
    pub listen: SocketAddr,
    /// `PUBLIC_BASE_URL`: where the sidecar is reached from outside. Unset: it is not.
    pub public_base_url: Option<Url>,
    /// `TRUSTED_PROXIES`: comma-separated addresses or networks of proxies in front. Unset: none.
    pub proxies: Vec<IpNet>,
    /// `METRICS_LISTEN`: address of `/metrics`. Unset: nothing is measured out.
    pub metrics_listen: Option<SocketAddr>,
    /// The model, and those that are asked when it cannot be (`AZURE_OPENAI_FALLBACKS`); none when neither `AZURE_OPENAI_*` nor `OPENAI_BASE_URL` is set.
    pub models: Vec<Endpoint>,
    /// `AZURE_OPENAI_COMPLETIONS_DEPLOYMENT`: a deployment that only continues texts, for the work of jobs on rows. Unset: jobs use the model above.
    pub text_model: Option<Endpoint>,
    /// How the model is asked: `MODEL_*`.
    pub model_settings: ModelSettings,
    /// Smartsheet; `None` when `SMARTSHEET_ACCESS_TOKEN` is not set.
    pub smartsheet: Option<smartsheet::Settings>,
    /// What each person may use of the model in a day.
    pub allowance: Allowance,
    /// People's own accounts: `SMARTSHEET_CLIENT_ID`, `SMARTSHEET_CLIENT_SECRET`, `SMARTSHEET_ACCOUNTS`. Unset: there are none.
    pub accounts: Option<accounts::Settings>,
    /// `SMARTSHEET_WEBHOOK_SECRET`: shared secret of webhooks that were made by hand. Unset: none were.
    pub smartsheet_webhook_secret: Option<SecretString>,
    /// `CHATSHEET_SECRET_KEY`: encrypts secrets of webhooks and signs links; at least 32 characters. Unset: none are kept.
    pub secret_key: Option<SecretString>,
    /// The key before it, while it is changed.
    pub old_secret_key: Option<SecretString>,
    /// `LINK_HOURS`: how long links to the sheet viewer work. Unset: 24.
    pub link_lifetime: Duration,
    /// `FOLLOW_UPS`: whether messages without a mention are answered in threads that the bot takes part in. Unset: they are.
    pub follow_ups: bool,
    /// Who may use the bot: `SLACK_ALLOWED` and its like. Unset: members of the workspace or tenant; in Discord and Telegram nobody.
    pub access: Rules,
    /// Slack; `None` when no `SLACK_*` is set.
    pub slack: Option<Slack>,
    /// Discord; `None` when no `DISCORD_*` is set.
    pub discord: Option<Discord>,
    /// Microsoft Teams; `None` when no `TEAMS_*` is set.
    pub teams: Option<Teams>,
    /// Telegram; `None` when `TELEGRAM_BOT_TOKEN` is not set.
    pub telegram: Option<Telegram>,
    /// Rules for writing: `CONFIRM_*`, `UNDO_HOURS`.
    pub writes: Writes,
    /// Long work: `JOB_CONCURRENCY`, `JOB_WRITE_SECONDS`, `ALIGNMENT_CRITERIA`.
    pub jobs: JobSettings,
    /// `RETENTION_DAYS`: how long finished jobs and the journal of changes are kept. Unset: 90.
    pub retention: Duration,
    /// `MESSAGE_RETENTION_DAYS`: how long the words of conversations are kept. 0: for good, here `None`. Unset: 365.
    pub message_retention: Option<Duration>,
    /// `LINK_HOSTS`: comma-separated hosts whose links may stay in answers, beside Smartsheet's own. Unset: none.
    pub link_hosts: Vec<String>,
    /// `SNAPSHOT_CACHE_MB`: memory for sheets. Unset: 128.
    pub snapshot_cache_bytes: u64,
    /// `TIME_ZONE` and `LOCALE`: where people are of whom neither platform nor account tells. Unset: UTC, and no locale.
    pub usual: Told,
    /// Logging: `LOG_FORMAT`, `LOG_FILE`, `RUST_LOG`.
    pub log: Log,
    /// What is set and looks like a setting, and is none.
    pub unknown: Vec<Unknown>,
}

/// Rules for writing.
#[derive(Clone, Debug)]
pub struct Writes {
    /// `CONFIRM_WRITES`: `always`, or `bulk` (a change of cells in a single row is applied at once). Unset: `always`.
    pub confirm_always: bool,
    /// `CONFIRM_LIMIT_ROWS`: from this many rows on the number of rows is asked for in a second step. Unset: 200.
    pub confirm_limit_rows: i64,
    /// How long a proposal can be confirmed: ten minutes.
    pub proposal_lifetime: Duration,
    /// `UNDO_HOURS`: how long a change can be taken back. Unset: 24.
    pub undo_window: Duration,
    /// How long a request whose answer was lost may still be carried out: 20 seconds.
    pub in_doubt: Duration,
}

/// Settings of jobs.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// `JOB_CONCURRENCY`: model calls of jobs at the same time. Unset: 8.
    pub concurrency: usize,
    /// `JOB_WRITE_SECONDS`: how often what the model has answered is written, before all of it has been. Unset: 5 minutes.
    pub write_every: Duration,
    /// `ALIGNMENT_CRITERIA`: what SCORE_ALIGNMENT scores by when the person names no criteria. Unset: nothing in particular.
    pub criteria: Option<String>,
}

/// Logging.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// `LOG_FORMAT`: `pretty` or `json`. Unset: `pretty`.
    pub json: bool,
    /// `RUST_LOG`: filter directives. Unset: `info`.
    pub filter: Option<String>,
    /// `LOG_FILE`: lines are added to this file. Unset: they go to standard error.
    pub file: Option<PathBuf>,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector of traces, in builds with the feature `otel`. Unset: none.
    pub traces: Option<Url>,
}

impl Default for Writes {
    fn default() -> Self {
        Self {
            confirm_always: true,
            confirm_limit_rows: 200,
            proposal_lifetime: Duration::from_secs(600),
            undo_window: Duration::from_secs(24 * 3600),
            in_doubt: Duration::from_secs(20),
        }
    }
}

/// A setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub variable: String,
    /// What is wrong and what is expected. Never the value of a secret.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.problem)
    }
}

impl Config {
    /// The settings that are set there.
    ///
    /// # Errors
    /// All faults at once.
    pub fn from(sources: &Sources) -> Result<Self, Vec<Fault>> {
        Ok(Self { unknown: sources.unknown(), ..Self::read(&|name| sources.get(name))? })
    }

    /// Reads settings through a lookup; the empty string counts as unset.
    ///
    /// # Errors
    /// All faults at once, each naming its variable.
    pub fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { lookup, faults: Vec::new() };
        let r = &mut reader;
        let database_url = r.text_or_default("DATABASE_URL");
        if !["sqlite:", "postgres://", "postgresql://"].iter().any(|p| database_url.starts_with(p)) {
            r.fault("DATABASE_URL", "expected sqlite://path or postgres://user:password@host/database");
        }
        let config = Self {
            database_url: database_url.into(),
            listen: r.parsed("LISTEN", "an address and a port, such as 127.0.0.1:3000").unwrap_or(SocketAddr::from(([127, 0, 0, 1], 3000))),
            public_base_url: r.url("PUBLIC_BASE_URL"),
            proxies: r.networks("TRUSTED_PROXIES"),
            metrics_listen: r.text("METRICS_LISTEN").and_then(|_| r.parsed("METRICS_LISTEN", "an address such as 127.0.0.1:9090")),
            models: models::models(r),
            text_model: models::text_model(r),
            model_settings: models::settings(r),
            smartsheet: smartsheet_settings(r),
            accounts: account_settings(r),
            smartsheet_webhook_secret: r.secret("SMARTSHEET_WEBHOOK_SECRET"),
            secret_key: secret_key(r),
            old_secret_key: r.secret("CHATSHEET_SECRET_KEY_OLD"),
            link_lifetime: Duration::from_secs(r.number("LINK_HOURS", 1.0, 24.0 * 365.0) as u64 * 3600),
            follow_ups: r.choice("FOLLOW_UPS", &["answer", "mention"]) == "answer",
            access: people::access(r),
            allowance: people::allowance(r),
            slack: platforms::slack(r),
            discord: platforms::discord(r),
            teams: platforms::teams(r),
            telegram: platforms::telegram(r),
            writes: writes(r),
            jobs: jobs(r),
            retention: retention(r),
            message_retention: Some(r.number("MESSAGE_RETENTION_DAYS", 0.0, 36_500.0)).filter(|days| *days > 0.0).map(days),
            link_hosts: r
                .text("LINK_HOSTS")
                .unwrap_or_default()
                .split(',')
                .map(|h| h.trim().to_lowercase())
                .filter(|h| !h.is_empty())
                .collect(),
            usual: people::usual(r),
            snapshot_cache_bytes: r.number("SNAPSHOT_CACHE_MB", 1.0, 65_536.0) as u64 * (1 << 20),
            log: log(r),
            unknown: Vec::new(),
        };
        if reader.faults.is_empty() { Ok(config) } else { Err(reader.faults) }
    }

    /// The text of `.env.example`.
    pub fn example() -> String {
        let mut text = String::from(
            "# Settings of chatsheet. Copy to .env and fill in; everything is optional for `chatsheet demo`.\n# A secret may stand in a file instead: NAME_FILE names it, or SECRETS_DIRECTORY the folder of all.\n",
        );
        for Variable { name, default, about, secret } in VARIABLES {
            let secret = if *secret { " Secret." } else { "" };
            text.push_str(&format!("\n# {about}{secret}\n#{name}={default}\n"));
        }
        text
    }

    /// Values that must never be seen, for the redaction of errors.
    pub fn secrets(&self) -> Vec<&SecretString> {
        let slack = self.slack.iter().flat_map(|s| std::iter::once(s.access.secret()).chain(&s.signing_secret).chain(&s.app_token));
        let discord = self.discord.iter().map(|d| &d.bot_token);
        let teams = self.teams.iter().map(|t| &t.app_password);
        let telegram = self.telegram.iter().flat_map(|t| std::iter::once(&t.bot_token).chain(&t.webhook_secret));
        let own = self
            .smartsheet
            .iter()
            .map(|s| &s.token)
            .chain(&self.smartsheet_webhook_secret)
            .chain(&self.secret_key)
            .chain(&self.old_secret_key);
        let own = own.chain(self.accounts.iter().map(|a| &a.client_secret));
        let model = self.models.iter().chain(&self.text_model).filter_map(|endpoint| endpoint.login.secret());
        let own = own.chain(model);
        own.chain(slack).chain(discord).chain(teams).chain(telegram).collect()
    }

    /// What seals and opens with the keys of this installation; without any it lasts as long as the process.
    pub fn vault(&self) -> Vault {
        let vault = self.secret_key.as_ref().map_or_else(Vault::for_this_process, Vault::new);
        self.old_secret_key.iter().fold(vault, Vault::with_old)
    }

    /// `DATABASE_URL` without its password, for people.
    pub fn database_label(&self) -> String {
        let url = self.database_url.expose_secret();
        match Url::parse(url) {
            Ok(mut parsed) if parsed.password().is_some() => {
                let _ = parsed.set_password(Some("…"));
                parsed.to_string()
            }
            _ => url.to_owned(),
        }
    }
}

/// What is set in the environment, and in `.env` in the working directory; what goes first comes last.
fn environment() -> Result<impl Iterator<Item = (String, String, Origin)>, Vec<Fault>> {
    let file: Vec<(String, String)> = match dotenvy::dotenv_iter() {
        Ok(entries) => {
            entries.collect::<Result<_, _>>().map_err(|e| vec![Fault { variable: ".env".into(), problem: describe_env_error(&e) }])?
        }
        Err(_) => Vec::new(),
    };
    let of_process = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let of_process = of_process.map(|(name, value)| (name, value, Origin::Environment));
    Ok(file.into_iter().map(|(name, value)| (name, value, Origin::DotEnv)).chain(of_process))
}

/// What the environment says of the terminal: whether colours are unwanted (`NO_COLOR`), and whether a multiplexer (tmux, screen) stands
/// between, which swallows hidden links.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn terminal() -> (bool, bool) {
    let set = |name: &str| std::env::var(name).is_ok_and(|v| !v.is_empty());
    (set("NO_COLOR"), set("TMUX") || set("STY"))
}

/// Begins the program anew with one arena of the system's allocator, unless the environment says how many there are.
/// Each thread would keep for itself what it has freed of a large sheet: twice the memory for nothing. The allocator
/// only asks the environment, and only before the program begins.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn with_one_arena() {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if std::env::var(ARENAS).is_err()
        && let Ok(program) = std::env::current_exe()
    {
        use std::os::unix::process::CommandExt;
        // Comes back only when it did not work; then it runs as it is.
        let _ = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(ARENAS, "1").exec();
    }
}

/// The base URL of the API, and where people are asked.
fn smartsheet_addresses(r: &mut Reader<'_>) -> Option<(Url, Url)> {
    let domain = match r.choice("SMARTSHEET_REGION", &["us", "eu", "au", "gov"]).as_str() {
        "eu" => "smartsheet.eu",
        "au" => "smartsheet.au",
        "gov" => "smartsheetgov.com",
        _ => "smartsheet.com",
    };
    let api = r.url("SMARTSHEET_API_BASE_URL").or_else(|| Url::parse(&format!("https://api.{domain}/2.0")).ok());
    let authorize = r.url("SMARTSHEET_AUTHORIZE_URL").or_else(|| Url::parse(&format!("https://app.{domain}/b/authorize")).ok());
    api.zip(authorize)
}

fn account_settings(r: &mut Reader<'_>) -> Option<accounts::Settings> {
    let (client_id, client_secret) = (r.text("SMARTSHEET_CLIENT_ID"), r.secret("SMARTSHEET_CLIENT_SECRET"));
    let required = r.choice("SMARTSHEET_ACCOUNTS", &["optional", "required"]) == "required";
    let answers_alone = r.choice("PERSONAL_ANSWERS", &["thread", "alone"]) == "alone";
    let (client_id, client_secret) = match (client_id, client_secret) {
        (None, None) if required => {
            r.fault("SMARTSHEET_CLIENT_ID", "required with SMARTSHEET_ACCOUNTS=required: people could not connect their accounts");
            return None;
        }
        (None, None) => return None,
        (Some(id), Some(secret)) => (id, secret),
        (id, _) => {
            let missing = if id.is_none() { "SMARTSHEET_CLIENT_ID" } else { "SMARTSHEET_CLIENT_SECRET" };
            r.fault(missing, "required with the other one; Smartsheet > Account > Developer Tools shows both");
            return None;
        }
    };
    for (name, why) in [
        ("CHATSHEET_SECRET_KEY", "required with SMARTSHEET_CLIENT_ID: tokens of people are kept encrypted (openssl rand -hex 32)"),
        ("PUBLIC_BASE_URL", "required with SMARTSHEET_CLIENT_ID: Smartsheet sends people back to it"),
    ] {
        if r.text(name).is_none() {
            r.fault(name, why);
        }
    }
    let (api_base_url, authorize_url) = smartsheet_addresses(r)?;
    let public_base_url = Url::parse(&r.text("PUBLIC_BASE_URL")?).ok()?;
    Some(accounts::Settings { client_id, client_secret, authorize_url, api_base_url, public_base_url, required, answers_alone })
}

fn smartsheet_settings(r: &mut Reader<'_>) -> Option<smartsheet::Settings> {
    let (base_url, _) = smartsheet_addresses(r)?;
    Some(smartsheet::Settings {
        token: r.secret("SMARTSHEET_ACCESS_TOKEN")?,
        base_url,
        retry_delay: Duration::from_secs(1),
        retries: 4,
        timeout: Duration::from_secs(30),
        breaker_pause: Duration::from_secs(30),
        answer_bytes: r.number("SMARTSHEET_MAX_ANSWER_MB", 1.0, 4_096.0) as u64 * 1_000_000,
    })
}

fn secret_key(r: &mut Reader<'_>) -> Option<SecretString> {
    let key = r.secret("CHATSHEET_SECRET_KEY")?;
    if key.expose_secret().len() < 32 {
        r.fault("CHATSHEET_SECRET_KEY", "shorter than 32 characters; `openssl rand -hex 32` prints a good one");
    }
    Some(key)
}

fn jobs(r: &mut Reader<'_>) -> JobSettings {
    JobSettings {
        concurrency: r.number("JOB_CONCURRENCY", 1.0, 256.0) as usize,
        write_every: Duration::from_secs_f64(r.number("JOB_WRITE_SECONDS", 1.0, 86_400.0)),
        criteria: r.text("ALIGNMENT_CRITERIA"),
    }
}

fn log(r: &mut Reader<'_>) -> Log {
    let traces = r.url("OTEL_EXPORTER_OTLP_ENDPOINT");
    if traces.is_some() && cfg!(not(feature = "otel")) {
        r.fault("OTEL_EXPORTER_OTLP_ENDPOINT", "this program was built without traces: build it with --features otel, or unset this");
    }
    Log {
        json: r.choice("LOG_FORMAT", &["pretty", "json"]) == "json",
        filter: r.text("RUST_LOG"),
        file: r.text("LOG_FILE").map(PathBuf::from),
        traces,
    }
}

fn retention(r: &mut Reader<'_>) -> Duration {
    let (days, undo_hours) = (r.number("RETENTION_DAYS", 1.0, 36_500.0), r.text_or_default("UNDO_HOURS").parse().unwrap_or(0.0));
    if days * 24.0 < undo_hours {
        r.fault("RETENTION_DAYS", "is shorter than UNDO_HOURS: what is forgotten cannot be taken back");
    }
    self::days(days)
}

fn days(n: f64) -> Duration {
    Duration::from_secs((n * 86_400.0) as u64)
}

fn writes(r: &mut Reader<'_>) -> Writes {
    Writes {
        confirm_always: r.choice("CONFIRM_WRITES", &["always", "bulk"]) == "always",
        confirm_limit_rows: r.number("CONFIRM_LIMIT_ROWS", 2.0, 20_000.0) as i64,
        undo_window: Duration::from_secs(r.number("UNDO_HOURS", 1.0, 24.0 * 365.0) as u64 * 3600),
        ..Writes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
        Config::read(&|name| settings.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
    }

    fn faults(settings: &[(&str, &str)]) -> String {
        read(settings).unwrap_err().iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn defaults_are_enough_to_start() {
        let config = read(&[]).unwrap();
        assert_eq!(config.database_label(), "sqlite://chatsheet.db");
        assert!(config.slack.is_none() && config.models.is_empty() && config.smartsheet.is_none());
        assert_eq!((config.model_settings.temperature, config.model_settings.max_tokens), (0.7, 4000));
    }

    #[test]
    fn nobody_trusts_everybody_as_a_proxy() {
        for everybody in ["0.0.0.0/0", "::/0", "10.0.0.1, 0.0.0.0/0"] {
            assert!(faults(&[("TRUSTED_PROXIES", everybody)]).contains("is everybody"), "{everybody}");
        }
        assert_eq!(read(&[("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).unwrap().proxies.len(), 2);
    }

    #[test]
    fn all_faults_are_told_at_once_without_the_secrets() {
        insta::assert_snapshot!(faults(&[("LISTEN", "here"), ("SLACK_BOT_TOKEN", "xoxb-canary"), ("AZURE_OPENAI_API_KEY", "canary"), ("CONFIRM_WRITES", "never"),
            ("MODEL_TEMPERATURE", "9"), ("DATABASE_URL", "mysql://x"), ("PUBLIC_BASE_URL", "bot.example.com")]), @"
        DATABASE_URL: expected sqlite://path or postgres://user:password@host/database
        LISTEN: 'here' is not an address and a port, such as 127.0.0.1:3000
        PUBLIC_BASE_URL: not a URL that begins with https:// (or http:// for a local server)
        AZURE_OPENAI_API_BASE: required together with AZURE_OPENAI_API_KEY
        AZURE_OPENAI_DEPLOYMENT: required together with AZURE_OPENAI_API_KEY
        MODEL_TEMPERATURE: '9' is not a number from 0 to 2
        SLACK_SIGNING_SECRET: required with SLACK_BOT_TOKEN or SLACK_CLIENT_ID, otherwise anybody could pose as Slack; it is under Basic Information > App Credentials of the Slack app. Without a public address set SLACK_APP_TOKEN instead
        CONFIRM_WRITES: 'never' is not one of always, bulk
        ");
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let config = read(&[
            ("SMARTSHEET_ACCESS_TOKEN", "canary-1"),
            ("SLACK_BOT_TOKEN", "canary-2"),
            ("SLACK_SIGNING_SECRET", "canary-3"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
            ("OPENAI_MODEL", "m"),
            ("OPENAI_API_KEY", "canary-4"),
            ("DATABASE_URL", "postgres://u:canary-5@h/d"),
        ])
        .unwrap();
        let shown = format!("{config:?} {}", config.database_label());
        assert!(!shown.contains("canary"), "{shown}");
    }
}
