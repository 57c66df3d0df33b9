//! What operators see of the settings: what holds and from where, slips, secrets in files, and a `check` that changes nothing.

use crate::command_line::run;
use crate::world::{Setting, World, folder, install_tls, readable};
use chat::Platform;
use chatsheet::access::{Person, Role, hash_of};
use chatsheet::store::{Look, Store};
use sqlx::SqlitePool;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| readable(&String::from_utf8_lossy(bytes));
    (text(&output.stdout), text(&output.stderr))
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn config_prints_what_holds_and_from_where_and_no_secret() {
    let folder = folder();
    let token = folder.0.join("token");
    std::fs::write(&token, "canary-of-a-file\n").unwrap();
    std::fs::write(
        folder.0.join(".env"),
        "SMARTSHEET_ACESS_TOKEN=canary-slip\nLINK_HOURS=48\nUNDO_HOURS=12\nOPENAI_API_KEY=canary-dotenv\n",
    )
    .unwrap();
    let settings = [
        ("SLACK_BOT_TOKEN_FILE", token.display().to_string()),
        ("SLACK_SIGNING_SECRET", "canary-environment".into()),
        ("DATABASE_URL", "postgres://bot:canary-password@db/bot".into()),
        ("LINK_HOURS", "72".into()),
        ("PATH", "/usr/bin".into()),
    ];
    let done = run(&["config"], &settings, &folder.0, "");
    let (out, err) = said(&done);
    assert_eq!(done.status.code(), Some(0), "{err}");
    assert!(!format!("{out}{err}").contains("canary"), "{out}{err}");
    let line = |name: &str| {
        let found =
            out.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_else(|| panic!("{name} is not in {out}"));
        found.split_whitespace().skip(1).collect::<Vec<_>>().join(" ").replace(&folder.0.display().to_string(), "…")
    };
    assert_eq!(line("LINK_HOURS"), "environment 72");
    assert_eq!(line("UNDO_HOURS"), ".env 12");
    assert_eq!(line("SLACK_BOT_TOKEN"), "file …/token (secret)");
    assert_eq!(line("OPENAI_API_KEY"), ".env (secret)");
    assert_eq!(line("RETENTION_DAYS"), "default 90");
    assert!(line("DATABASE_URL").starts_with("environment postgres://bot:") && !out.contains("SLACK_APP_TOKEN"), "{out}");
    assert_eq!(err, "chatsheet: SMARTSHEET_ACESS_TOKEN is no setting; SMARTSHEET_ACCESS_TOKEN is");
    let (all, _) = said(&run(&["config", "--all", "--json"], &settings, &folder.0, ""));
    let all: Vec<serde_json::Value> = all.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.len(), chatsheet::config::VARIABLES.len());
    assert!(all.iter().any(|v| v["name"] == "SLACK_APP_TOKEN" && v["from"] == "unset" && v["secret"] == true));
}

#[test]
fn a_secret_stands_in_the_environment_or_in_a_file_and_not_in_both() {
    let folder = folder();
    let path = |name: &str| folder.0.join(name).display().to_string();
    std::fs::write(path("empty"), " \n").unwrap();
    std::fs::write(path("large"), "x".repeat(70_000)).unwrap();
    std::fs::write(path("token"), "xoxb-1").unwrap();
    let settings = [
        ("SLACK_BOT_TOKEN_FILE", path("token")),
        ("SLACK_BOT_TOKEN", "xoxb-2".into()),
        ("SLACK_SIGNING_SECRET_FILE", path("empty")),
        ("OPENAI_API_KEY_FILE", path("nowhere")),
        ("SMARTSHEET_ACCESS_TOKEN_FILE", path("large")),
        ("CHATSHEET_SECRET_KEY_FILE", folder.0.display().to_string()),
    ];
    let done = run(&["serve"], &settings, &folder.0, "");
    let (_, err) = said(&done);
    assert_eq!(done.status.code(), Some(2));
    insta::assert_snapshot!(err.replace(&folder.0.display().to_string(), "…"), @r"
    chatsheet: these settings are wrong:
      CHATSHEET_SECRET_KEY_FILE: '…' cannot be read: Is a directory (os error 21)
      OPENAI_API_KEY_FILE: '…/nowhere' cannot be read: No such file or directory (os error 2)
      SMARTSHEET_ACCESS_TOKEN_FILE: '…/large' holds 70000 bytes; a secret has at most 65536
      SLACK_BOT_TOKEN_FILE: SLACK_BOT_TOKEN is set, too; unset one of them
      SLACK_SIGNING_SECRET_FILE: '…/empty' is empty
    Settings come from the environment and from .env; .env.example explains them.
    ");
}

#[test]
fn a_folder_holds_a_file_for_each_secret() {
    let folder = folder();
    let secrets = folder.0.join("secrets");
    std::fs::create_dir_all(secrets.join("..data")).unwrap();
    for (name, secret) in
        [("SMARTSHEET_ACCESS_TOKEN", "canary-1"), ("OPENAI_API_KEY", "canary-2"), ("SLACK_BOT_TOKE", "canary-3"), ("LINK_HOURS", "5")]
    {
        std::fs::write(secrets.join(name), secret).unwrap();
    }
    let settings = [("SECRETS_DIRECTORY", secrets.display().to_string()), ("OPENAI_API_KEY", "canary-4".into())];
    let (out, err) = said(&run(&["config"], &settings, &folder.0, ""));
    let holds = |words: &[&str]| out.lines().any(|line| line.split_whitespace().take(2).eq(words.iter().copied()));
    assert!(holds(&["SMARTSHEET_ACCESS_TOKEN", "file"]) && holds(&["OPENAI_API_KEY", "environment"]), "what is set goes first: {out}");
    assert!(holds(&["LINK_HOURS", "default"]), "what is no secret is not read there: {out}");
    assert_eq!(err, "chatsheet: SLACK_BOT_TOKE is no setting; SLACK_BOT_TOKEN is");
    let missing = run(&["config"], &[("SECRETS_DIRECTORY", "/nowhere".into())], &folder.0, "");
    assert!(said(&missing).1.contains("SECRETS_DIRECTORY: '/nowhere' cannot be read"), "{:?}", said(&missing));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_changes_nothing_and_doubts_what_is_doubtful() {
    let folder = folder();
    let settings = [
        ("SMARTSHET_REGION", "eu".to_owned()),
        ("PUBLIC_BASE_URL", "http://bot.example.com".into()),
        ("METRICS_LISTEN", "0.0.0.0:9090".into()),
        ("CHATSHEET_SECRET_KEY", "a".repeat(40)),
    ];
    let (out, _) = said(&run(&["check"], &settings, &folder.0, ""));
    let doubts: Vec<&str> = out.lines().filter(|line| line.starts_with("doubt")).collect();
    insta::assert_snapshot!(doubts.join("\n"), @r"
    doubt  settings     SMARTSHET_REGION is no setting; SMARTSHEET_REGION is. What is misspelt has no effect.
    doubt  public URL   http://bot.example.com/: platforms deliver over https only, and whoever is between reads along; put a proxy with a certificate in front
    doubt  metrics      0.0.0.0:9090: everybody who reaches this machine reads them, they ask for no key; name an address of your own network
    doubt  secret key   CHATSHEET_SECRET_KEY can be guessed; `openssl rand -hex 32` prints a good one, and `chatsheet keys rotate` puts it in the place of this one
    ");
    assert!(out.contains("SQLite, chatsheet.db, is made by the first start"), "{out}");
    assert_eq!(names_in(&folder.0), Vec::<String>::new(), "nothing is made");
    // A database of before: what is to be done is told and not done.
    let path = folder.0.join("chatsheet.db");
    let url = format!("sqlite://{}", path.display());
    let store = Store::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let database = SqlitePool::connect(&url).await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .execute(&database)
        .await
        .unwrap();
    let (out, _) = said(&run(&["check"], &[], &folder.0, ""));
    assert!(out.contains("is brought up to date by the next start (1 step)"), "{out}");
    assert!(matches!(Store::look(&url).await.unwrap(), Look::Older { steps: 1 }), "it was not brought up to date");
    database.close().await;
    let missing = [("DATABASE_URL", "sqlite://no/such/folder/bot.db".to_owned())];
    let (out, _) = said(&run(&["check"], &missing, &folder.0, ""));
    assert!(out.contains("FAILS  database") && out.contains("no/such/folder/bot.db cannot be made"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_program_says_that_the_database_is_newer_and_touches_nothing() {
    let folder = folder();
    let url = format!("sqlite://{}", folder.0.join("chatsheet.db").display());
    let store = Store::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    let database = SqlitePool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO _sqlx_migrations SELECT 9001, 'of tomorrow', installed_on, success, x'00', 0 FROM _sqlx_migrations LIMIT 1")
        .execute(&database)
        .await
        .unwrap();
    let store = Store::connect(&url).await.unwrap();
    let refused = store.migrate().await.unwrap_err().to_string();
    assert!(refused.starts_with("a newer version of chatsheet has brought this database to step 9001"), "{refused}");
    let (out, _) = said(&run(&["check"], &[], &folder.0, ""));
    assert!(out.contains("FAILS  database") && out.contains("a newer version of chatsheet"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_asks_the_bot_that_runs() {
    let world = World::with(Setting::default()).await.unwrap();
    let health = |address: String, folder: std::path::PathBuf| {
        tokio::task::spawn_blocking(move || {
            let done = run(&["health"], &[("LISTEN", address)], &folder, "");
            (done.status.code(), said(&done))
        })
    };
    let (address, path) = (world.app.address.to_string(), world.folder.0.clone());
    assert_eq!(health(address.clone(), path.clone()).await.unwrap(), (Some(0), ("ready".into(), String::new())));
    // Where it listens everywhere, it is asked on this machine.
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    assert_eq!(health(everywhere, path).await.unwrap().0, Some(0));
    world.end().await;
    let folder = folder();
    let (code, (_, err)) = health(address, folder.0.clone()).await.unwrap();
    assert_eq!(code, Some(1));
    assert!(err.ends_with("nothing listens there; check LISTEN, and that the bot runs"), "{err}");
}

/// Everybody is let in only where an operator says twice that it is meant.
#[test]
fn everybody_is_let_in_only_where_that_is_meant() {
    let folder = folder();
    let with = |more: &[(&'static str, &str)]| {
        let mut settings = vec![
            ("SMARTSHEET_ACCESS_TOKEN", "t".to_owned()),
            ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1".into()),
            ("OPENAI_MODEL", "m".into()),
            ("TELEGRAM_BOT_TOKEN", "7007:t".into()),
            ("TELEGRAM_ALLOWED", "*".into()),
            ("DATABASE_URL", "sqlite://x.db".into()),
        ];
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        settings
    };
    let refused = run(&["serve"], &with(&[]), &folder.0, "");
    assert_eq!(refused.status.code(), Some(2));
    let (_, err) = said(&refused);
    assert!(err.contains("TELEGRAM_ALLOWED: * lets everybody who finds the bot read and change all sheets"), "{err}");
    for meant in [("ALLOW_EVERYBODY", "yes"), ("SMARTSHEET_ACCOUNTS", "required")] {
        let (_, err) = said(&run(&["config"], &with(&[meant]), &folder.0, ""));
        assert!(!err.contains("lets everybody"), "{err}");
    }
    let (out, _) = said(&run(&["check"], &with(&[("ALLOW_EVERYBODY", "yes")]), &folder.0, ""));
    let access = out.lines().find(|line| line.contains(" access ")).unwrap_or_default();
    assert!(access.starts_with("doubt") && access.contains("open to the world") && access.contains("TELEGRAM_ALLOWED"), "{out}");
    // Where nobody is named nobody is let in, and how to let somebody in is said.
    let (out, _) = said(&run(&["check"], &with(&[("TELEGRAM_ALLOWED", "")]), &folder.0, ""));
    let access = out.lines().find(|line| line.contains(" access ")).unwrap_or_default();
    assert!(access.contains("set TELEGRAM_ALLOWED, or send people a code (`chatsheet access invite`)"), "{out}");
}

/// The start says of every platform who is let in, and how to let somebody in where nobody is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_says_who_is_let_in() {
    install_tls();
    let (folder, telegram) = (folder(), sandbox::telegram::Telegram::start(sandbox::telegram::Options::default()).await.unwrap());
    let mut settings = telegram.settings();
    settings.retain(|(name, _)| *name != "TELEGRAM_ALLOWED");
    settings.extend([
        ("SMARTSHEET_ACCESS_TOKEN", "t".to_owned()),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1".into()),
        ("OPENAI_MODEL", "m".into()),
        ("DATABASE_URL", "sqlite://x.db".into()),
        ("LISTEN", "127.0.0.1:0".into()),
    ]);
    let path = folder.0.clone();
    let line = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatsheet"));
        command.arg("serve").env_clear().envs(settings).current_dir(path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let lines = BufReader::new(err.chain(out)).lines().map_while(Result::ok);
        let line = lines.into_iter().find(|line| line.contains("let in"));
        child.kill().unwrap();
        child.wait().unwrap();
        line
    });
    let line = line.await.unwrap().expect("a line about who is let in");
    let words = "nobody is let in but those who were invited: set TELEGRAM_ALLOWED, or run `chatsheet access invite`";
    assert!(line.contains(words) && line.contains("WARN"), "{line}");
}

/// What operators decide of people by name, from the invitation to the last day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_invite_list_and_remove_people() {
    let folder = folder();
    let database = format!("sqlite://{}", folder.0.join("people.db").display());
    let settings = [("DATABASE_URL", database.clone())];
    let access = |words: &[&str]| {
        let words: Vec<&str> = ["access"].iter().chain(words).copied().collect();
        let done = run(&words, &settings, &folder.0, "");
        let (out, err) = said(&done);
        (done.status.code(), out, err)
    };
    assert!(access(&["list"]).2.contains("Nothing was decided by name"));
    let (status, code, words) = access(&["invite", "--role", "reader"]);
    assert_eq!((status, code.trim().is_empty()), (Some(0), false));
    assert!(words.contains("within a day, first, may use it as reader"), "{words}");
    let store = Store::connect(&database).await.unwrap();
    let person = Person { platform: Platform::Telegram, install: String::new(), id: "501".into() };
    let redeemed = store.redeem(&hash_of(code.trim()), &person, Some("Mia Jensen"), 1_000).await.unwrap();
    assert_eq!(redeemed, Some(Role::Reader));
    assert_eq!(store.redeem(&hash_of(code.trim()), &person, None, 1_000).await.unwrap(), None, "once");
    let listed = access(&["list"]).1;
    assert!(listed.contains("telegram:501  reader") && listed.contains("Mia Jensen"), "{listed}");
    assert_eq!(access(&["role", "telegram:501", "admin"]).0, Some(0));
    assert!(access(&["list"]).1.contains("telegram:501  admin"));
    assert_eq!(access(&["remove", "telegram:501"]).0, Some(0));
    assert!(access(&["list"]).1.contains("telegram:501  nobody"));
    assert_ne!(access(&["role", "nobody-at-all", "admin"]).0, Some(0), "who is not named is refused");
}
