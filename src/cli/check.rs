//! `check`: tries every configured credential and connection; a table of what works and how to fix the rest.

use super::FAILED;
use crate::access::Rules;
use crate::app::keys;
use crate::app::slack::{self, Installations};
use crate::app::{discord, teams_adapter, telegram_adapter};
use crate::config::{Config, SlackAccess};
use crate::llm::{Calling, Endpoint, Error as ModelError, Model, ModelSettings};
use crate::smartsheet::{Client, Error as SmartsheetError, Identity};
use crate::store::{Look, Store};
use chat::Platform;
use secrecy::ExposeSecret;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use telegram_chat::Delivery;
use tokio::sync::watch;
use url::{Host, Url};

/// What is kept, as far as it can be looked at.
enum Kept {
    Store(Store),
    /// The database is made by the first start.
    Nothing,
    /// It is of another version, or cannot be read.
    Unknown,
}

/// What is said where it cannot be looked at.
const UNKNOWN: &str = "is known when the database has been brought up to date";

struct Line {
    what: &'static str,
    state: State,
    detail: String,
}

enum State {
    Works,
    Missing,
    /// It works, and hardly as it is meant.
    Doubtful,
    Fails,
}

pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    // The lines say what works; what happened on the way is told to who asks by RUST_LOG.
    let _logging = super::logging::start(&config.log, "off")?;
    let (database, kept) = database(config).await;
    let lines = [
        settings(config),
        database,
        smartsheet(config).await,
        accounts(config, &kept).await,
        model(config).await,
        of_slack(config, &kept).await,
        of_discord(config).await,
        teams(config).await,
        telegram(config).await,
        access(config),
        public_url(config),
        metrics(config),
        secret_key(config),
    ];
    if let Kept::Store(store) = kept {
        store.close().await;
    }
    for line in &lines {
        let mark = match line.state {
            State::Works => "ok   ",
            State::Missing => "unset",
            State::Doubtful => "doubt",
            State::Fails => "FAILS",
        };
        println!("{mark}  {:<12} {}", line.what, line.detail);
    }
    let fails = lines.iter().any(|l| matches!(l.state, State::Fails));
    Ok(if fails { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn line(what: &'static str, state: State, detail: impl Into<String>) -> Line {
    Line { what, state, detail: detail.into() }
}

/// Names that are set and mean nothing.
fn settings(config: &Config) -> Line {
    match config.unknown.as_slice() {
        [] => line("settings", State::Works, "every name is known (`chatsheet config` prints what holds)"),
        unknown => {
            let named: Vec<String> = unknown.iter().map(ToString::to_string).collect();
            line("settings", State::Doubtful, format!("{}. What is misspelt has no effect.", named.join("; ")))
        }
    }
}

/// Looks at the database and changes nothing; what is there when it can be read by this version.
async fn database(config: &Config) -> (Line, Kept) {
    let label = config.database_label();
    let fails = |error: anyhow::Error| {
        let detail = format!("{label}: {error:#}. Check DATABASE_URL, and that the server runs and the folder can be written.");
        line("database", State::Fails, detail)
    };
    match Store::look(config.database_url.expose_secret()).await {
        Ok(Look::NotYet(path)) => {
            (line("database", State::Works, format!("SQLite, {}, is made by the first start", path.display())), Kept::Nothing)
        }
        Ok(Look::Older { steps }) => {
            let step = if steps == 1 { "step" } else { "steps" };
            (line("database", State::Works, format!("{label}, is brought up to date by the next start ({steps} {step})")), Kept::Unknown)
        }
        Ok(Look::Newer) => {
            let detail = format!(
                "{label}: a newer version of chatsheet has brought it up to date. Run that version, or restore a backup from before."
            );
            (line("database", State::Fails, detail), Kept::Unknown)
        }
        Ok(Look::Ready(store)) => {
            let fits = if config.secret_key.is_some() { keys::fit(&store, &config.vault()).await } else { Ok(()) };
            match fits {
                Ok(()) => (line("database", State::Works, format!("{}, {label}, up to date", store.engine())), Kept::Store(store)),
                Err(error) => (line("database", State::Fails, format!("{label}: {error:#}")), Kept::Store(store)),
            }
        }
        Err(error) => (fails(error), Kept::Unknown),
    }
}

async fn smartsheet(config: &Config) -> Line {
    let Some(settings) = &config.smartsheet else {
        return line("Smartsheet", State::Missing, "set SMARTSHEET_ACCESS_TOKEN (Smartsheet > Personal Settings > API Access)");
    };
    let client = match Client::new(crate::smartsheet::Settings { retries: 0, ..settings.clone() }) {
        Ok(client) => client,
        Err(error) => return line("Smartsheet", State::Fails, error.to_string()),
    };
    match client.me(&Identity::Service).await {
        Ok(me) => match client.sheets(&Identity::Service).await {
            Ok(sheets) => line(
                "Smartsheet",
                State::Works,
                format!("{} {} ({}), {} sheets, {}", me.first_name, me.last_name, me.email, sheets.len(), settings.base_url),
            ),
            Err(error) => line(
                "Smartsheet",
                State::Fails,
                format!("the token works, but sheets cannot be listed: {error}. It needs the scope READ_SHEETS."),
            ),
        },
        Err(SmartsheetError::Unauthorized { message, .. }) => line(
            "Smartsheet",
            State::Fails,
            format!("{message} Create a new SMARTSHEET_ACCESS_TOKEN; check SMARTSHEET_REGION (tokens work only in their region)."),
        ),
        Err(error) => {
            line("Smartsheet", State::Fails, format!("{error}. Check SMARTSHEET_REGION or SMARTSHEET_API_BASE_URL, and the network."))
        }
    }
}

/// People's own accounts prove themselves when the first is connected.
async fn accounts(config: &Config, kept: &Kept) -> Line {
    let Some(settings) = &config.accounts else {
        return line(
            "accounts",
            State::Missing,
            "everybody works with the rights of that account; set SMARTSHEET_CLIENT_ID and SMARTSHEET_CLIENT_SECRET so that people can connect their own",
        );
    };
    let base = settings.public_base_url.as_str().trim_end_matches('/');
    let counted = match kept {
        Kept::Store(store) => store.grants(crate::accounts::KIND).await.map(|grants| grants.len()),
        Kept::Nothing => Ok(0),
        Kept::Unknown => return line("accounts", State::Missing, format!("who has connected one {UNKNOWN}")),
    };
    match counted {
        Ok(count) => line(
            "accounts",
            State::Works,
            format!("{count} connected; the app in Smartsheet has {base}/smartsheet/oauth_redirect as its redirect URL"),
        ),
        Err(error) => line("accounts", State::Fails, format!("{error}. Check DATABASE_URL.")),
    }
}

/// Asks each deployment as people's questions do: with a function. Nothing is remembered of it.
async fn model(config: &Config) -> Line {
    if config.models.is_empty() {
        return line(
            "model",
            State::Missing,
            "set AZURE_OPENAI_API_BASE, AZURE_OPENAI_API_KEY and AZURE_OPENAI_DEPLOYMENT (or OPENAI_BASE_URL and OPENAI_MODEL)",
        );
    }
    let (mut works, mut fails) = (Vec::new(), Vec::new());
    for endpoint in &config.models {
        match answers(endpoint, config).await {
            Ok(words) => works.push(words),
            Err(words) => fails.push(words),
        }
    }
    let state = if fails.is_empty() { State::Works } else { State::Fails };
    line("model", state, fails.into_iter().chain(works).collect::<Vec<_>>().join(" "))
}

/// Whether a deployment answers a question with a function beside it: a sentence either way.
async fn answers(endpoint: &Endpoint, config: &Config) -> Result<String, String> {
    let settings = ModelSettings { max_tokens: 64, ..config.model_settings.clone() };
    let model = Model::new(std::slice::from_ref(endpoint), settings, None).map_err(|e| e.to_string())?;
    let hello = [json!({ "role": "user", "content": "hello" })];
    let parameters = json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": false });
    let function = json!({ "type": "function", "function": { "name": "greet", "description": "Greets the person.", "strict": true, "parameters": parameters } });
    let (words, _) = watch::channel(String::new());
    let label = model.label();
    match model.ask(&hello, &[function], Calling::Free, &words).await {
        Ok(_) | Err(ModelError::CutOff) => Ok(format!("{label} answers and takes functions{}.", model.habits())),
        Err(ModelError::Unauthorized(m)) => {
            Err(format!("{label}: {m} Check AZURE_OPENAI_API_KEY, AZURE_OPENAI_AUTH and the resource's network rules."))
        }
        Err(ModelError::NotFound(m)) => {
            Err(format!("{label}: {m} Check AZURE_OPENAI_API_BASE, AZURE_OPENAI_DEPLOYMENT and AZURE_OPENAI_API_VERSION."))
        }
        Err(error) => {
            let at = endpoint.host().map(|host| format!(" at {host}")).unwrap_or_default();
            Err(format!("{label}{at}: {}.", error.to_string().trim_end_matches('.')))
        }
    }
}

async fn of_slack(config: &Config, kept: &Kept) -> Line {
    let Some(slack) = &config.slack else {
        return line(
            "Slack",
            State::Missing,
            "set SLACK_BOT_TOKEN, and SLACK_SIGNING_SECRET or SLACK_APP_TOKEN (`chatsheet manifest slack` prints the app to install)",
        );
    };
    let (installations, installed) = match installed(config, &slack.access, kept).await {
        Ok(found) => found,
        Err(error) => {
            return line("Slack", State::Fails, format!("who has installed the app cannot be read: {error:#}. Check DATABASE_URL."));
        }
    };
    let adapter = match slack::adapter(slack, installations) {
        Ok(adapter) => adapter,
        Err(error) => return line("Slack", State::Fails, format!("{error:#}")),
    };
    let (mut standings, mut faults) = (Vec::new(), Vec::new());
    for id in installed {
        match adapter.standing(&id).await {
            Ok(standing) => standings.push(standing),
            Err(error) if id.is_empty() => faults.push(error.to_string()),
            Err(error) => faults.push(format!("{id}: {error}")),
        }
    }
    if !faults.is_empty() {
        return line(
            "Slack",
            State::Fails,
            format!(
                "{}. Check SLACK_BOT_TOKEN (OAuth & Permissions > Bot User OAuth Token), SLACK_APP_TOKEN (Basic Information > App-Level Tokens, scope connections:write), and that the app is installed.",
                faults.join("; ")
            ),
        );
    }
    if standings.is_empty() && matches!(kept, Kept::Unknown) {
        return line("Slack", State::Missing, format!("who has installed the app {UNKNOWN}"));
    }
    if standings.is_empty() {
        return line("Slack", State::Missing, "no workspace has installed the app; `chatsheet workspaces invite` makes a link for one");
    }
    let who: Vec<&str> = standings.iter().map(|s| s.who.as_str()).collect();
    let missing: BTreeMap<&str, &str> = standings.iter().filter_map(|s| s.missing.as_ref()).flatten().copied().collect();
    let (left_out, missing): (Vec<_>, Vec<_>) = missing.iter().partition(|(scope, _)| slack_chat::OPTIONAL.contains(scope));
    let listed = |scopes: &[(&&str, &&str)]| scopes.iter().map(|(scope, without)| format!("{scope} ({without})")).collect::<Vec<_>>();
    let left_out = match left_out.as_slice() {
        [] => String::new(),
        all => format!("; left out: {}", listed(all).join(", ")),
    };
    if !missing.is_empty() {
        let missing = listed(&missing);
        // Without this one it says nothing at all.
        let state = if missing.iter().any(|scope| scope.starts_with("chat:write")) { State::Fails } else { State::Missing };
        return line(
            "Slack",
            state,
            format!(
                "{}; scopes are missing: {}. Add them under OAuth & Permissions > Scopes > Bot Token Scopes and install the app again{left_out}.",
                who.join(", "),
                missing.join(", ")
            ),
        );
    }
    let proof = if slack.app_token.is_some() { ", by Socket Mode" } else { ". The signing secret proves itself with the first event." };
    line("Slack", State::Works, format!("{}{left_out}{proof}", who.join(", ")))
}

/// Where installations are kept, and whose token is to be tried: the one there is, or that of everybody who has installed the app.
async fn installed(config: &Config, access: &SlackAccess, kept: &Kept) -> anyhow::Result<(Option<Installations>, Vec<String>)> {
    if let SlackAccess::Token(_) = access {
        return Ok((None, vec![String::new()]));
    }
    let Kept::Store(store) = kept else { return Ok((None, Vec::new())) };
    let installations = Installations::new(store.clone(), config.vault());
    let ids = installations.list().await?;
    Ok((Some(installations), ids))
}

async fn of_discord(config: &Config) -> Line {
    let Some(discord) = &config.discord else {
        return line(
            "Discord",
            State::Missing,
            "set DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID (https://discord.com/developers/applications, New Application)",
        );
    };
    match discord::who_am_i(discord).await {
        Ok(who) => line("Discord", State::Works, who),
        Err(error) => line(
            "Discord",
            State::Fails,
            format!("{error:#}. Check DISCORD_BOT_TOKEN (Bot > Reset Token) and DISCORD_APPLICATION_ID (General Information)."),
        ),
    }
}

async fn teams(config: &Config) -> Line {
    let Some(teams) = &config.teams else {
        return line(
            "Teams",
            State::Missing,
            "set TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID (`chatsheet manifest teams` makes the app to install)",
        );
    };
    let tried = match teams_adapter(teams) {
        Ok(adapter) => adapter.who_am_i().await.map_err(|e| e.to_string()),
        Err(error) => Err(format!("{error:#}")),
    };
    match tried {
        Ok(who) if config.public_base_url.is_some() => {
            line("Teams", State::Works, format!("{who}. The messaging endpoint proves itself with the first message."))
        }
        Ok(who) => line("Teams", State::Missing, format!("{who}; set PUBLIC_BASE_URL, too: Teams delivers messages to it")),
        Err(error) => line(
            "Teams",
            State::Fails,
            format!(
                "{error}. Check TEAMS_APP_PASSWORD (Entra > App registrations > Certificates & secrets: the Value), and TEAMS_TENANT_ID."
            ),
        ),
    }
}

async fn telegram(config: &Config) -> Line {
    let Some(telegram) = &config.telegram else {
        return line("Telegram", State::Missing, "set TELEGRAM_BOT_TOKEN (https://t.me/BotFather, /newbot)");
    };
    let tried = async {
        let adapter = telegram_adapter(telegram, config.public_base_url.as_ref())?;
        let commands =
            if adapter.offers_commands().await? { "" } else { "; it offers no commands yet: `chatsheet manifest telegram --register`" };
        anyhow::Ok((format!("{}{commands}", adapter.who_am_i().await?), adapter.delivery().await?))
    };
    match tried.await {
        Ok((who, Delivery::Works(how))) => {
            let idle = telegram.webhook_secret.is_some() && config.public_base_url.is_none();
            let secret = if idle { ": TELEGRAM_WEBHOOK_SECRET has no use without PUBLIC_BASE_URL" } else { "" };
            line("Telegram", State::Works, format!("{who}; {how}{secret}"))
        }
        Ok((who, Delivery::Fails(why))) => line(
            "Telegram",
            State::Fails,
            format!("{who}; {why}. Check that the bot runs, and that PUBLIC_BASE_URL leads to it over HTTPS from the internet."),
        ),
        Err(error) => line("Telegram", State::Fails, format!("{error:#}. Check TELEGRAM_BOT_TOKEN (BotFather > /mybots > API Token).")),
    }
}

/// Who is let in where.
fn access(config: &Config) -> Line {
    let allowed = |platform: &Platform| config.access.by_platform.get(platform).cloned().unwrap_or_default();
    let all: Vec<Platform> = config.platforms().collect();
    let said: Vec<String> = all.iter().map(|platform| format!("{platform}: {}", allowed(platform))).collect();
    let nobody: Vec<String> = all.iter().filter(|p| allowed(p).is_nobody()).map(|p| Rules::setting(*p)).collect();
    let open: Vec<String> = all.iter().filter(|p| allowed(p).everybody).map(|p| Rules::setting(*p)).collect();
    match (said.is_empty(), nobody.is_empty()) {
        (false, _) if !open.is_empty() => line(
            "access",
            State::Doubtful,
            format!("{}; open to the world: name people, chats or servers in {} instead of *", said.join("; "), open.join(", ")),
        ),
        (true, _) => line("access", State::Missing, "no platform is set, so nobody can write to the bot"),
        (false, true) => line("access", State::Works, said.join("; ")),
        (false, false) => line(
            "access",
            State::Missing,
            format!("{}; set {}, or send people a code (`chatsheet access invite`)", said.join("; "), nobody.join(", ")),
        ),
    }
}

fn public_url(config: &Config) -> Line {
    match &config.public_base_url {
        Some(url) if config.secret_key.is_none() => line(
            "public URL",
            State::Missing,
            format!("{url}; set CHATSHEET_SECRET_KEY, too (openssl rand -hex 32), so that Smartsheet can tell changes at once"),
        ),
        Some(url) if url.scheme() == "http" && !is_of_this_machine(url) => {
            let detail = format!(
                "{url}: platforms deliver over https only, and whoever is between reads along; put a proxy with a certificate in front"
            );
            line("public URL", State::Doubtful, detail)
        }
        Some(url) => line("public URL", State::Works, format!("{url} (platforms must reach the sidecar on {} under it)", config.listen)),
        None => line("public URL", State::Missing, "set PUBLIC_BASE_URL: Slack delivers events to it, and links lead to it"),
    }
}

fn is_of_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn metrics(config: &Config) -> Line {
    match config.metrics_listen {
        Some(address) if address.ip().is_unspecified() => line(
            "metrics",
            State::Doubtful,
            format!("{address}: everybody who reaches this machine reads them, they ask for no key; name an address of your own network"),
        ),
        Some(address) => line("metrics", State::Works, format!("http://{address}/metrics")),
        None => line("metrics", State::Missing, "set METRICS_LISTEN, such as 127.0.0.1:9090, so that Prometheus can read them"),
    }
}

fn secret_key(config: &Config) -> Line {
    match &config.secret_key {
        Some(key) if is_guessable(key.expose_secret()) => {
            let detail = "CHATSHEET_SECRET_KEY can be guessed; `openssl rand -hex 32` prints a good one, and `chatsheet keys rotate` puts it in the place of this one";
            line("secret key", State::Doubtful, detail)
        }
        Some(_) => line("secret key", State::Works, "set"),
        None => line(
            "secret key",
            State::Missing,
            "set CHATSHEET_SECRET_KEY (openssl rand -hex 32): without it there are no webhooks, and links end with the process",
        ),
    }
}

/// Whether a key repeats itself, or is made of few different characters: random ones of its length never are.
fn is_guessable(key: &str) -> bool {
    let chars: Vec<char> = key.chars().collect();
    let different = chars.iter().collect::<std::collections::BTreeSet<_>>().len();
    let repeats = (1..=chars.len() / 2).any(|period| (period..chars.len()).all(|at| chars[at] == chars[at - period]));
    let follows = chars.windows(2).filter(|two| (two[1] as u32).abs_diff(two[0] as u32) <= 1).count();
    different < 7 || repeats || follows * 3 > chars.len() * 2
}

#[cfg(test)]
mod tests {
    use super::is_guessable;

    #[test]
    fn keys_that_people_make_up_are_told_from_random_ones() {
        for guessable in [
            "a".repeat(40).as_str(),
            "changemechangemechangemechangeme",
            "0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz012345",
        ] {
            assert!(is_guessable(guessable), "{guessable}");
        }
        let dice = uuid::Uuid::new_v4;
        for _ in 0..2_000 {
            let random = format!("{}{}", dice().simple(), dice().simple());
            assert!(!is_guessable(&random) && !is_guessable(&random[..32]), "{random}");
        }
    }
}
