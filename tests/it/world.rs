//! The world of a story: the whole program, a terminal, Slack, Smartsheet and a model, all on loopback.

use chat::{Chat, Inbox};
use chatsheet::app::App;
use chatsheet::clock::Clock;
use chatsheet::config::Config;
use chatsheet::sheet::SheetId;
use chatsheet::store::{Asker, Store};
use console_chat::{Console, Look};
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use sqlx::postgres::PgConnectOptions;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

/// A Sunday, so that “this week” has passed.
pub const NOW: &str = "2026-11-22T10:30:00Z";

/// What a story needs to be different.
#[derive(Default)]
pub struct Setting {
    pub model: Option<azure::Mode>,
    /// What the model's deployment takes.
    pub behaviour: Option<azure::Behaviour>,
    /// Time to answer and limits of the model.
    pub azure: Option<azure::Options>,
    pub settings: Vec<(&'static str, String)>,
    pub smartsheet: Option<smartsheet::Options>,
    pub slack: Option<slack::Options>,
    /// Slack is listened to by Socket Mode.
    pub socket: bool,
    /// There is a Discord, too.
    pub discord: Option<discord::Options>,
    /// There is a Teams, too.
    pub teams: Option<teams::Options>,
    /// There is a Telegram, too.
    pub telegram: Option<telegram::Options>,
    pub unbound: bool,
    /// Nobody is waited for long: for stories in which somebody does not answer.
    pub impatient: bool,
    /// Proposals are too old as soon as they are made.
    pub hasty: bool,
    pub postgres: bool,
    /// People can connect accounts of their own.
    pub accounts: bool,
    /// The adapters keep to the rates of their platforms; elsewhere stories would take long.
    pub paced: bool,
}

/// Everything that runs.
pub struct World {
    pub sheets: smartsheet::Smartsheet,
    pub azure: azure::Azure,
    pub slack: slack::Slack,
    pub discord: Option<discord::Discord>,
    pub teams: Option<teams::Teams>,
    pub telegram: Option<telegram::Telegram>,
    pub app: App,
    pub clock: Clock,
    pub folder: Folder,
    pub console: Arc<Console>,
    screen: Screen,
    config: Box<Config>,
    database: Option<Box<PgConnectOptions>>,
}

/// A folder of a story's own.
pub struct Folder(pub PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn install_tls() {
    static TLS: Once = Once::new();
    TLS.call_once(|| rustls::crypto::ring::default_provider().install_default().expect("TLS is installed once"));
}

pub fn folder() -> Folder {
    let path = std::env::temp_dir().join(format!("chatsheet-test-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
}

/// A store of its own on PostgreSQL; `None` when there is none to test with, which CI does not allow.
pub async fn postgres() -> Option<Store> {
    Some(Store::connect_pg(postgres_options().await?).await.unwrap())
}

/// The way to a schema of its own in the test database.
pub async fn postgres_options() -> Option<PgConnectOptions> {
    let (url, schema) = postgres_schema().await?;
    Some(PgConnectOptions::from_str(&url).unwrap().options([("search_path", schema.as_str())]))
}

/// The URL of the test database, and a schema of its own there.
pub async fn postgres_schema() -> Option<(String, String)> {
    let Some(url) = test_database() else {
        assert!(!in_ci(), "TEST_DATABASE_URL must be set in CI");
        return None;
    };
    let schema = format!("story_{}", uuid::Uuid::new_v4().simple());
    let pool = sqlx::PgPool::connect(&url).await.expect("TEST_DATABASE_URL can be reached");
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&pool).await.unwrap();
    pool.close().await;
    Some((url, schema))
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what they may use")]
pub fn test_database() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|u| !u.is_empty())
}

/// A number that the environment sets, such as how many trials there are to be.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment how long they may take")]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment what they may use")]
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| v == "true")
}

impl World {
    /// The usual world: the terminal's thread is about the project plan.
    pub async fn start() -> Self {
        Self::with(Setting::default()).await.expect("SQLite is always there")
    }

    /// A world whose model says exactly this.
    pub async fn scripted(replies: Vec<azure::Reply>) -> Self {
        Self::with(Setting { model: Some(azure::Mode::Script(replies)), ..Setting::default() }).await.expect("SQLite is always there")
    }

    /// `None` when the setting asks for PostgreSQL and there is none.
    pub async fn with(setting: Setting) -> Option<Self> {
        install_tls();
        let folder = folder();
        let database = if setting.postgres { Some(postgres_options().await?) } else { None };
        let store = match database.clone() {
            Some(options) => Store::connect_pg(options).await.unwrap(),
            None => Store::connect(&format!("sqlite://{}", folder.0.join("story.db").display())).await.unwrap(),
        };
        let sheets = smartsheet::Smartsheet::start(setting.smartsheet.unwrap_or_default()).await.unwrap();
        let mode = setting.model.unwrap_or(azure::Mode::Demo);
        let options = setting.azure.unwrap_or_default();
        let behaviour = setting.behaviour.unwrap_or(options.behaviour);
        let azure = azure::Azure::start(azure::Options { mode, behaviour, ..options }).await.unwrap();
        let slack = slack::Slack::start(setting.slack.unwrap_or_default()).await.unwrap();
        let mut settings: Vec<(&str, String)> = far_side(&sheets, &azure, &slack);
        let discord = match setting.discord {
            Some(options) => Some(discord::Discord::start(options).await.unwrap()),
            None => None,
        };
        settings.extend(discord.iter().flat_map(discord::Discord::settings));
        let teams = match setting.teams {
            Some(options) => Some(teams::Teams::start(options).await.unwrap()),
            None => None,
        };
        settings.extend(teams.iter().flat_map(teams::Teams::settings));
        let telegram = match setting.telegram {
            Some(options) => Some(telegram::Telegram::start(options).await.unwrap()),
            None => None,
        };
        settings.extend(telegram.iter().flat_map(telegram::Telegram::settings));
        if setting.socket {
            settings.retain(|(name, _)| *name != "SLACK_SIGNING_SECRET");
            settings.extend(slack.socket_settings());
        }
        settings.push(("LISTEN", "127.0.0.1:0".into()));
        if setting.accounts {
            let address = format!("127.0.0.1:{}", free_port());
            sheets.send_people_back_to(&format!("http://{address}/smartsheet/oauth_redirect"));
            settings.extend(sheets.account_settings());
            settings.extend([("LISTEN", address.clone()), ("PUBLIC_BASE_URL", format!("http://{address}"))]);
            settings.push(("CHATSHEET_SECRET_KEY", "a key of thirty-two characters, and more".into()));
        }
        settings.extend(setting.settings);
        let mut config = Config::read(&|name| settings.iter().rev().find(|(k, _)| *k == name).map(|(_, v)| v.clone())).unwrap();
        hurry(&mut config, setting.paced);
        if setting.impatient {
            config.model_settings.timeout = Duration::from_millis(700);
            config.smartsheet.as_mut().unwrap().timeout = Duration::from_millis(700);
        }
        if setting.hasty {
            config.writes.proposal_lifetime = Duration::ZERO;
        }
        let clock = Clock::manual(NOW.parse().unwrap());
        let screen = Screen::default();
        let console = Arc::new(Console::new("lee", Look::default(), Box::new(screen.clone())));
        let app = Box::pin(App::start_with_store(&config, clock.clone(), vec![console.clone() as Arc<dyn Chat>], store)).await.unwrap();
        slack.send_events_to(&format!("http://{}/api/webhooks/slack", app.address));
        if let Some(teams) = &teams {
            teams.send_events_to(&format!("http://{}/api/webhooks/teams", app.address));
        }
        let world = Self {
            sheets,
            azure,
            slack,
            discord,
            teams,
            telegram,
            app,
            clock,
            folder,
            console,
            screen,
            config: Box::new(config),
            database: database.map(Box::new),
        };
        if !setting.unbound {
            world.use_sheet("Project Plan").await;
        }
        Some(world)
    }

    /// Another process over the same PostgreSQL.
    pub async fn replica(&self) -> App {
        let store = Store::connect_pg(*self.database.clone().expect("it is a world over PostgreSQL")).await.unwrap();
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..*self.config.clone() };
        Box::pin(App::start_with_store(&config, self.clock.clone(), Vec::new(), store)).await.unwrap()
    }

    /// The terminal's thread is about this sheet from now on.
    pub async fn use_sheet(&self, name: &str) {
        let id = self.sheets.world().sheet_id(name).unwrap();
        let (thread, anchor) = (self.console.thread(), self.console.anchor());
        self.app.store.bind_sheet(&thread, &anchor, SheetId(id), name, self.clock.now()).await.unwrap();
    }

    /// Somebody types a line; what the terminal shows when everything is answered.
    pub async fn type_line(&self, line: &str) -> String {
        self.send_line(line).await;
        self.app.bot.until_idle().await;
        self.seen()
    }

    /// Somebody types a line and does not wait.
    pub async fn send_line(&self, line: &str) {
        self.app.door.accept(self.console.line(line, self.clock.now_ms())).await.unwrap();
    }

    /// What the terminal has shown since it was last looked at.
    pub fn seen(&self) -> String {
        let bytes = std::mem::take(&mut *self.screen.0.lock().unwrap());
        readable(&String::from_utf8(bytes).unwrap())
    }

    /// The shown value of a cell of the project plan.
    pub fn cell(&self, row: &str, column: &str) -> String {
        self.cell_of("Project Plan", "Task Name", row, column)
    }

    pub fn cell_of(&self, sheet: &str, primary: &str, row: &str, column: &str) -> String {
        let rows = self.sheets.world().rows(sheet);
        let found = rows.iter().find(|r| r.get(primary).map(String::as_str) == Some(row));
        found.and_then(|r| r.get(column).cloned()).unwrap_or_default()
    }

    /// Requests to Smartsheet that change something: method and path without its query.
    pub fn writes(&self) -> Vec<String> {
        let world = self.sheets.world();
        let writes = world.log.iter().filter(|l| l.method != "GET");
        writes.map(|l| format!("{} {}", l.method, without_ids(l.path.split('?').next().unwrap_or_default()))).collect()
    }

    /// The clock goes on with real time, for as long as something is awaited that waits by the clock.
    pub async fn ticking<T>(&self, awaited: impl Future<Output = T>) -> T {
        let tick = Duration::from_millis(20);
        let ticks = async {
            loop {
                tokio::time::sleep(tick).await;
                self.clock.advance(tick);
            }
        };
        tokio::select! {
            came = awaited => came,
            () = ticks => unreachable!("it ticks for ever"),
        }
    }

    /// A person in the terminal.
    pub fn asker(&self, id: &str) -> Asker {
        Asker { id: id.to_owned(), install: self.console.thread().install_key() }
    }

    /// Where a job of somebody else in another thread of the terminal belongs.
    pub async fn place_of(&self, asker: &str, sheet: &str) -> chatsheet::store::Place {
        let id = SheetId(self.sheets.world().sheet_id(sheet).unwrap());
        let thread = chat::ThreadKey { root: Some(asker.to_owned()), ..self.console.thread() };
        let session = self.app.store.bind_sheet(&thread, &self.console.anchor(), id, sheet, self.clock.now()).await.unwrap();
        chatsheet::store::Place {
            session_id: session.id,
            thread_key: thread.storage_key(),
            anchor: self.console.anchor(),
            asker: asker.to_owned(),
            identity: "service".into(),
            sheet: id,
        }
    }

    /// Ends the world; nothing may be left undone.
    pub async fn end(self) {
        self.app.bot.until_idle().await;
        assert_eq!(self.app.store.unfinished().await.unwrap(), 0, "an event was left over");
        self.app.shut_down().await;
    }
}

/// The settings that lead to the sandbox.
pub fn far_side(sheets: &smartsheet::Smartsheet, azure: &azure::Azure, slack: &slack::Slack) -> Vec<(&'static str, String)> {
    [sheets.settings(), azure.settings(), slack.settings()].concat()
}

/// Waits between tries are real in stories, so they are short.
fn hurry(config: &mut Config, paced: bool) {
    let smartsheet = config.smartsheet.as_mut().unwrap();
    smartsheet.retry_delay = Duration::from_millis(20);
    smartsheet.breaker_pause = Duration::from_millis(300);
    config.slack.iter_mut().for_each(|s| s.paced = paced);
    config.discord.iter_mut().for_each(|d| d.paced = paced);
    config.teams.iter_mut().for_each(|t| t.paced = paced);
    config.telegram.iter_mut().for_each(|t| t.paced = paced);
    config.writes.in_doubt = Duration::from_millis(1_500);
    config.model_settings.retry_delay = Duration::from_millis(20);
}

/// Text without ports, ids and the length of links, which differ from run to run.
pub fn readable(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut out = String::new();
        let mut rest = line;
        while let Some(at) = rest.find("http://127.0.0.1:") {
            out.push_str(&rest[..at]);
            let end = rest[at..].find([' ', ')']).map_or(rest.len(), |e| at + e);
            out.push_str(if rest[at..end].contains("rowId=") { "‹row›" } else { "‹sheet›" });
            rest = &rest[end..];
        }
        out.push_str(rest);
        while out.contains(&"─".repeat(41)) {
            out = out.replace(&"─".repeat(41), &"─".repeat(40));
        }
        lines.push(out.trim_end().to_owned());
    }
    lines.join("\n").trim().to_owned()
}

fn without_ids(path: &str) -> String {
    let part = |p: &str| if p.len() > 8 && p.bytes().all(|b| b.is_ascii_digit()) { "ID".to_owned() } else { p.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A free port to listen on later. Not one of those that systems give to whoever asks for any (from 32768 on), so that
/// nobody else is given it in between.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(37).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(n % 10_000).unwrap();
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
