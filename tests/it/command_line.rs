//! The program as people start it: the piped demo, settings that are wrong, `check`, `manifest`.

use crate::world::{far_side, folder, install_tls, readable};
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub fn run(words: &[&str], settings: &[(&str, String)], folder: &Path, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatsheet"));
    command.args(words).env_clear().envs(settings.iter().map(|(k, v)| (k, v))).current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    readable(&String::from_utf8_lossy(bytes))
}

#[test]
fn the_demo_reads_lines_prints_the_conversation_and_exits() {
    let folder = folder();
    let lines = "which tasks are overdue, and who owns them?\ntotal budget by department\n\
        set Status to \"In Progress\" for everything assigned to Dana that is Not Started\nconfirm\nundo\n\
        add a task \"Security review\" under Phase 3, owner Omar, start 2026-12-07\nconfirm\ndelete the rows marked Cancelled\nconfirm\n\
        add a picklist column Risk with Low, Medium, High\nconfirm\n";
    let done = run(&["demo"], &[("LISTEN", "127.0.0.1:0".into())], &folder.0, lines);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}");
    let expected = [
        "Model: built-in demo model, pattern-based; set AZURE_OPENAI_* for the real one.",
        "5 rows match.",
        "Engineering      $158,750",
        "Done: set Status in 5 rows",
        "Taken back",
        "Done: add 1 row under “Phase 3: Build”",
        "Done: delete 2 rows",
        "Done: add column Risk",
    ];
    let mut rest = said.as_str();
    for words in expected {
        let at = rest.find(words).unwrap_or_else(|| panic!("{words:?} does not come in {said}"));
        rest = &rest[at..];
    }
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0, "the demo leaves nothing behind");
}

/// The demo in a terminal that `script` gives it.
struct Terminal {
    demo: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
    seen: usize,
}

impl Terminal {
    fn open(folder: &Path, columns: usize, settings: &[(&str, &str)]) -> Self {
        let mut demo = Command::new("script")
            .args(["-qec", &format!("stty cols {columns}; exec {} demo", env!("CARGO_BIN_EXE_chatsheet")), "/dev/null"])
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("LISTEN", "127.0.0.1:0"), ("TERM", "xterm")])
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, mut out) = (demo.stdin.take().unwrap(), demo.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let shown = screen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..n]));
            }
        });
        let mut terminal = Self { demo, keys, screen, seen: 0 };
        terminal.until("you> ");
        terminal
    }

    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// What has been written since it was asked last, once it holds these words.
    fn until(&mut self, words: &str) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen.lock().unwrap().clone();
            let new = &screen[self.seen..];
            if let Some(at) = new.find(words) {
                let new = new[..at + words.len()].to_owned();
                self.seen += new.len();
                return new;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{words:?} is not seen: {new}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn in_a_terminal_the_bar_of_a_job_is_seen_moving() {
    let folder = folder();
    let mut terminal = Terminal::open(&folder.0, 80, &[]);
    for (line, answer) in [
        ("use Clinical Trials", "is now about"),
        ("summarize Protocol into AI Summary", "Nothing is written until you confirm"),
        ("confirm", "60 rows written"),
    ] {
        terminal.type_keys(&format!("{line}\n"));
        terminal.until(answer);
    }
    terminal.type_keys("exit\n");
    assert!(terminal.demo.wait().unwrap().success());
    let seen = terminal.screen.lock().unwrap().clone();
    let bars: BTreeSet<&str> = seen.split("\u{1b}[2K").filter_map(|line| Some(line.split_once("/60)")?.0)).collect();
    assert!(bars.len() >= 3, "it moves: {bars:?} in {seen}");
}

#[test]
fn the_terminal_completes_remembers_fits_and_says_goodbye() {
    for (columns, colour) in [(80, true), (120, true), (100, false)] {
        let folder = folder();
        let mut terminal = Terminal::open(&folder.0, columns, if colour { &[] } else { &[("NO_COLOR", "1")] });
        terminal.type_keys("use Bud\t");
        terminal.until("use Budget 2026");
        terminal.type_keys("\r");
        terminal.until("now about Budget 2026");
        terminal.until("you> ");
        // The last line comes back, and is emptied.
        terminal.type_keys("\x1b[A");
        terminal.until("use Budget 2026");
        terminal.type_keys("\x15what is everything in the sheet?\x15use Supplier Requests\r");
        terminal.until("now about Supplier Requests");
        terminal.type_keys("show all rows\r");
        let mut answer = terminal.until("as of ");
        assert_eq!(answer.contains("\x1b[36m") || answer.contains("\x1b[1m") || answer.contains("\x1b[2m"), colour, "{answer}");
        terminal.type_keys("view\r");
        answer.push_str(&terminal.until("6 rows").replace("http", "\nhttp"));
        let plain = |line: &str| {
            let mut parts = line.split("\x1b[");
            let first = parts.next().unwrap_or_default().to_owned();
            first
                + &parts
                    .map(|part| part.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default())
                    .collect::<String>()
        };
        let too_wide = |line: &String| line.chars().count() > columns && !line.contains("/v/");
        let lines: Vec<String> = answer.split(['\n', '\r']).map(plain).collect();
        assert_eq!(lines.iter().find(|line| too_wide(line)), None);
        assert!(lines.iter().any(|line| line.contains("/v/")), "the address is written out: {lines:?}");
        terminal.type_keys("\x03");
        terminal.until("Goodbye");
        assert!(terminal.demo.wait().unwrap().success());
    }
}

#[test]
fn logs_go_into_a_file_and_keys_are_made_listed_and_revoked() {
    let folder = folder();
    let log = folder.0.join("bot.log");
    let settings = |file: &Path| {
        vec![
            ("LISTEN", "127.0.0.1:0".into()),
            ("LOG_FILE", file.display().to_string()),
            ("RUST_LOG", "debug".into()),
            ("LOG_FORMAT", "json".into()),
        ]
    };
    let done = run(&["demo"], &settings(&log), &folder.0, "help\n");
    let written = std::fs::read_to_string(&log).unwrap();
    assert_eq!((done.status.code(), done.stderr.len()), (Some(0), 0), "{}", text(&done.stderr));
    assert!(written.lines().count() > 3 && written.lines().all(|l| serde_json::from_str::<serde_json::Value>(l).is_ok()), "{written}");
    let done = run(&["demo"], &settings(Path::new("/nowhere/bot.log")), &folder.0, "help\n");
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("LOG_FILE: /nowhere/bot.log cannot be written"), "{}", text(&done.stderr));
    let key = run(&["key", "create", "reports", "--scope", "read,chat"], &[], &folder.0, "");
    let secret = String::from_utf8(key.stdout).unwrap();
    assert!(secret.starts_with("csk_"), "{}", text(&key.stderr));
    let id = secret.split('_').nth(1).unwrap();
    let listed = String::from_utf8(run(&["key", "list"], &[], &folder.0, "").stdout).unwrap();
    assert!(
        listed.starts_with(&format!("{id}  read,chat  made ")) && listed.contains("never used") && !listed.contains(secret.trim()),
        "{listed}"
    );
    let database = std::fs::read(folder.0.join("chatsheet.db")).unwrap();
    let hidden = secret.trim().rsplit('_').next().unwrap().as_bytes();
    assert!(!database.windows(hidden.len()).any(|w| w == hidden), "secrets are not kept");
    assert_eq!(run(&["key", "revoke", id], &[], &folder.0, "").status.code(), Some(0));
    assert_eq!(run(&["key", "revoke", id], &[], &folder.0, "").status.code(), Some(1), "it is revoked already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workspaces_are_invited_listed_and_removed() {
    install_tls();
    let folder = folder();
    let slack = slack::Slack::start(slack::Options::default()).await.unwrap();
    let path = folder.0.clone();
    let mut settings = slack.distributed_settings();
    settings.extend([("PUBLIC_BASE_URL", "https://bot.test".to_owned()), ("CHATSHEET_SECRET_KEY", "k".repeat(32))]);
    let workspaces = move |arguments: &'static [&'static str], settings: Vec<(&'static str, String)>| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || run(&[&["workspaces"], arguments].concat(), &settings, &path, ""))
    };
    let without = workspaces(&["invite"], slack.settings()).await.unwrap();
    assert_eq!(without.status.code(), Some(2), "{}", text(&without.stdout));
    assert!(text(&without.stderr).contains("SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are not set"));
    let invited = workspaces(&["invite"], settings.clone()).await.unwrap();
    assert!(text(&invited.stdout).starts_with("https://bot.test/slack/install?invitation="), "{}", text(&invited.stderr));
    let none = workspaces(&["list"], settings.clone()).await.unwrap();
    assert!(none.stdout.is_empty() && text(&none.stderr).contains("No workspace has installed the app"));
    let removed = workspaces(&["remove", "T2"], settings.clone()).await.unwrap();
    assert_eq!(removed.status.code(), Some(1));
    let checked = {
        let path = folder.0.clone();
        tokio::task::spawn_blocking(move || run(&["check"], &settings, &path, "")).await.unwrap()
    };
    let said = text(&checked.stdout);
    assert!(said.contains("unset  Slack        no workspace has installed the app; `chatsheet workspaces invite`"), "{said}");
}

#[test]
fn wrong_settings_are_all_told_and_nothing_starts() {
    let folder = folder();
    std::fs::write(folder.0.join(".env"), "SLACK_BOT_TOKEN=xoxb-canary\nLOG_FORMAT=loud\n").unwrap();
    let done = run(&["serve"], &[("LISTEN", "nowhere".into())], &folder.0, "");
    assert_eq!(done.status.code(), Some(2));
    insta::assert_snapshot!(text(&done.stderr), @"
    chatsheet: these settings are wrong:
      LISTEN: 'nowhere' is not an address and a port, such as 127.0.0.1:3000
      SLACK_SIGNING_SECRET: required with SLACK_BOT_TOKEN or SLACK_CLIENT_ID, otherwise anybody could pose as Slack; it is under Basic Information > App Credentials of the Slack app. Without a public address set SLACK_APP_TOKEN instead
      LOG_FORMAT: 'loud' is not one of pretty, json
    Settings come from the environment and from .env; .env.example explains them.
    ");
    let done = run(&["serve"], &[("SLACK_SIGNING_SECRET", "x".into()), ("LOG_FORMAT", "json".into())], &folder.0, "");
    assert_eq!(done.status.code(), Some(2));
    insta::assert_snapshot!(text(&done.stderr), @"
    chatsheet: cannot serve yet:
      SMARTSHEET_ACCESS_TOKEN: not set. Create one in Smartsheet under Personal Settings > API Access.
      AZURE_OPENAI_API_BASE, AZURE_OPENAI_API_KEY, AZURE_OPENAI_DEPLOYMENT: not set (or OPENAI_BASE_URL and OPENAI_MODEL).
    `chatsheet demo` runs without any of this; `chatsheet check` tries what is set.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_works_and_how_to_fix_the_rest() {
    install_tls();
    let folder = folder();
    let sheets = smartsheet::Smartsheet::start(smartsheet::Options::default()).await.unwrap();
    let azure = azure::Azure::start(azure::Options::default()).await.unwrap();
    let slack = slack::Slack::start(slack::Options::default()).await.unwrap();
    let telegram = telegram::Telegram::start(telegram::Options::default()).await.unwrap();
    let mut settings = far_side(&sheets, &azure, &slack);
    settings.extend(telegram.settings());
    let path = folder.0.clone();
    let check = move |settings: Vec<(&'static str, String)>| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || run(&["check"], &settings, &path, ""))
    };
    let good = check(settings.clone()).await.unwrap();
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    insta::assert_snapshot!(text(&good.stdout).replace("http://127", "http://x127"), @r"
    ok     settings     every name is known (`chatsheet config` prints what holds)
    ok     database     SQLite, chatsheet.db, is made by the first start
    ok     Smartsheet   Lee Park (lee.park@example.com), 9 sheets, ‹sheet›
    unset  accounts     everybody works with the rights of that account; set SMARTSHEET_CLIENT_ID and SMARTSHEET_CLIENT_SECRET so that people can connect their own
    ok     model        Azure OpenAI deployment sandbox answers and takes functions.
    ok     Slack        chatsheet in workspace Sandbox. The signing secret proves itself with the first event.
    unset  Discord      set DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID (https://discord.com/developers/applications, New Application)
    unset  Teams        set TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID (`chatsheet manifest teams` makes the app to install)
    ok     Telegram     @chatsheet_bot, in groups it hears commands and replies to it; mentions only once privacy mode is off (BotFather > Bot Settings > Group Privacy, then remove and add the bot again); it offers no commands yet: `chatsheet manifest telegram --register`; it is asked for updates
    ok     access       slack: members; telegram: 53 ids that are named
    unset  public URL   set PUBLIC_BASE_URL: Slack delivers events to it, and links lead to it
    unset  metrics      set METRICS_LISTEN, such as 127.0.0.1:9090, so that Prometheus can read them
    unset  secret key   set CHATSHEET_SECRET_KEY (openssl rand -hex 32): without it there are no webhooks, and links end with the process
    ");
    slack.grant_only(
        "app_mentions:read,chat:write,commands,channels:history,groups:history,im:history,im:write,files:read,files:write,users:read",
    );
    let fewer = check(settings.clone()).await.unwrap();
    assert_eq!(fewer.status.code(), Some(0));
    let said = text(&fewer.stdout);
    insta::assert_snapshot!(said.lines().find(|l| l.contains("Slack")).unwrap(), @"unset  Slack        chatsheet in workspace Sandbox; scopes are missing: assistant:write (nothing is suggested where people talk to the bot alone), channels:read (the bot goes on as if it were in a public channel that it was removed from). Add them under OAuth & Permissions > Scopes > Bot Token Scopes and install the app again; left out: groups:read (the bot goes on as if it were in a private channel that it was removed from), links:read (links to Smartsheet are not seen), links:write (nothing is shown below links to Smartsheet), mpim:history (follow-ups in direct messages of several people are not heard), users:read.email (people are found in a sheet by their names alone).");
    for name in ["SMARTSHEET_ACCESS_TOKEN", "AZURE_OPENAI_API_KEY", "SLACK_BOT_TOKEN"] {
        settings.push((name, "canary-secret".into()));
    }
    let hooked = [("PUBLIC_BASE_URL", "https://bot.test".to_owned()), ("TELEGRAM_WEBHOOK_SECRET", "a-secret".to_owned())];
    let hooked = check(settings.iter().cloned().chain(hooked).collect()).await.unwrap();
    let said = text(&hooked.stdout);
    assert!(said.contains("once the bot runs, updates go to https://bot.test/api/webhooks/telegram"), "{said}");
    let teams = teams::Teams::start(teams::Options::default()).await.unwrap();
    settings.extend(teams.settings());
    settings.push(("TEAMS_APP_PASSWORD", "canary-secret".into()));
    let discord = discord::Discord::start(discord::Options::default()).await.unwrap();
    settings.extend(discord.settings());
    settings.push(("DISCORD_BOT_TOKEN", "canary-secret".into()));
    settings.push(("TELEGRAM_BOT_TOKEN", "7007:canary-secret".into()));
    let bad = check(settings).await.unwrap();
    assert_eq!(bad.status.code(), Some(1));
    let said = text(&bad.stdout);
    assert!(!said.contains("canary-secret"));
    insta::assert_snapshot!(said, @r"
    ok     settings     every name is known (`chatsheet config` prints what holds)
    ok     database     SQLite, chatsheet.db, is made by the first start
    FAILS  Smartsheet   Your Access Token is invalid. Create a new SMARTSHEET_ACCESS_TOKEN; check SMARTSHEET_REGION (tokens work only in their region).
    unset  accounts     everybody works with the rights of that account; set SMARTSHEET_CLIENT_ID and SMARTSHEET_CLIENT_SECRET so that people can connect their own
    FAILS  model        Azure OpenAI deployment sandbox: Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource. Check AZURE_OPENAI_API_KEY, AZURE_OPENAI_AUTH and the resource's network rules.
    FAILS  Slack        not allowed: invalid_auth. Check SLACK_BOT_TOKEN (OAuth & Permissions > Bot User OAuth Token), SLACK_APP_TOKEN (Basic Information > App-Level Tokens, scope connections:write), and that the app is installed.
    FAILS  Discord      not allowed: 401 Unauthorized 401: Unauthorized (0). Check DISCORD_BOT_TOKEN (Bot > Reset Token) and DISCORD_APPLICATION_ID (General Information).
    FAILS  Teams        not allowed: no token: invalid_client AADSTS7000215: Invalid client secret provided.. Check TEAMS_APP_PASSWORD (Entra > App registrations > Certificates & secrets: the Value), and TEAMS_TENANT_ID.
    FAILS  Telegram     not allowed: A Telegram's error: Invalid bot token. Check TELEGRAM_BOT_TOKEN (BotFather > /mybots > API Token).
    ok     access       slack: members; teams: members; discord: 2 ids that are named; telegram: 53 ids that are named
    unset  public URL   set PUBLIC_BASE_URL: Slack delivers events to it, and links lead to it
    unset  metrics      set METRICS_LISTEN, such as 127.0.0.1:9090, so that Prometheus can read them
    unset  secret key   set CHATSHEET_SECRET_KEY (openssl rand -hex 32): without it there are no webhooks, and links end with the process
    ");
}

#[test]
fn the_slack_manifest_carries_the_public_address() {
    let folder = folder();
    let done = run(&["manifest", "slack"], &[("PUBLIC_BASE_URL", "https://sheets.example.org/".into())], &folder.0, "");
    assert_eq!(text(&done.stdout).matches("https://sheets.example.org/api/webhooks/slack").count(), 3);
    let by_socket = text(&run(&["manifest", "slack"], &[], &folder.0, "").stdout);
    assert!(by_socket.contains("socket_mode_enabled: true") && !by_socket.contains("url:"), "{by_socket}");
    assert!(!text(&done.stdout).contains("redirect") && !by_socket.contains("redirect"), "one workspace needs none");
    let many = run(&["manifest", "slack", "--distributed"], &[("PUBLIC_BASE_URL", "https://sheets.example.org/".into())], &folder.0, "");
    let many = text(&many.stdout);
    for line in ["- https://sheets.example.org/slack/oauth_redirect", "token_rotation_enabled: true", "org_deploy_enabled: true"] {
        assert!(many.contains(line), "{line} is missing:\n{many}");
    }
    assert_eq!(run(&["manifest", "slack", "--distributed"], &[], &folder.0, "").status.code(), Some(2));
    for (scope, _) in slack_chat::SCOPES {
        assert!(many.contains(&format!("      - {scope} #")), "{scope} is not in the manifest");
    }
    let scopes = many.lines().skip_while(|l| !l.contains("bot:")).skip(1).take_while(|l| l.starts_with("      - ")).count();
    assert_eq!(scopes, slack_chat::SCOPES.len(), "the manifest asks for more than the bot");
    let optional: Vec<&str> =
        many.lines().skip_while(|l| !l.contains("bot_optional:")).skip(1).map_while(|l| l.strip_prefix("      - ")).collect();
    assert_eq!(optional, slack_chat::OPTIONAL);
    assert!(!many.contains("assistant_view"), "Slack takes it in new apps no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_telegram_and_discord_are_printed_or_set() {
    install_tls();
    let folder = folder();
    let discord = discord::Discord::start(discord::Options::default()).await.unwrap();
    let (settings, path) = (discord.settings(), folder.0.clone());
    assert!(text(&run(&["manifest", "discord"], &[], &path, "").stdout).contains("\"name\": \"sheet\""));
    let done = tokio::task::spawn_blocking(move || run(&["manifest", "discord", "--register"], &settings, &path, "")).await.unwrap();
    assert!(
        text(&done.stdout).contains("client_id=7007") && discord.commands().len() == 1,
        "{} {}",
        text(&done.stdout),
        text(&done.stderr)
    );
    let telegram = telegram::Telegram::start(telegram::Options::default()).await.unwrap();
    let (settings, path) = (telegram.settings(), folder.0.clone());
    assert!(text(&run(&["manifest", "telegram"], &[], &path, "").stdout).contains("\"command\": \"sheet\""));
    assert_eq!(run(&["manifest", "telegram", "--register"], &[], &path, "").status.code(), Some(2), "which bot is not known");
    let done = tokio::task::spawn_blocking(move || run(&["manifest", "telegram", "--register"], &settings, &path, "")).await.unwrap();
    assert_eq!((text(&done.stdout).trim(), telegram.commands().len()), ("9 commands are offered behind / now.", 9));
}
