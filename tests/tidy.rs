//! The house rules that a program can check; docs/architecture.md and docs/style.md say why.
#![expect(clippy::unwrap_used, reason = "a rule fails by panicking")]

use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;

/// The floors, top to bottom: a room may use what stands below it.
const FLOORS: [(&str, u32); 20] = [
    ("cli", 13),
    ("app", 12),
    ("server", 11),
    ("bot", 10),
    ("tools", 9),
    ("jobs", 8),
    ("changes", 7),
    ("watch", 7),
    ("links", 7),
    ("accounts", 7),
    ("sheet", 6),
    ("store", 6),
    ("llm", 5),
    ("smartsheet", 5),
    ("config", 3),
    ("error", 1),
    ("events", 1),
    ("clock", 1),
    ("vault", 1),
    ("main", 14),
];
/// Settings of a room are its own types, and the store keeps ids of sheets.
const ALLOWED: [(&str, &str); 4] = [("store", "sheet"), ("config", "llm"), ("config", "smartsheet"), ("config", "accounts")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["src", "adapters", "crates", "sandbox", "tests", "benches"].map(|f| root().join(f)).into_iter().filter(|f| f.exists()).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 80, "the walk over the tree is broken");
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_file_says_in_its_first_line_what_it_is_for_and_is_not_too_long() {
    let mut wrong = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        if !text.starts_with("//! ") {
            wrong.push(format!("{}: the first line must be a `//!` sentence (docs/style.md 1)", relative(&path)));
        }
        if text.lines().count() > MAX_LINES {
            wrong.push(format!("{}: {} lines, {MAX_LINES} are allowed (docs/style.md 2)", relative(&path), text.lines().count()));
        }
        if text.contains("#[allow(") && !path.ends_with("tidy.rs") {
            wrong.push(format!("{}: use #[expect(…, reason)] instead of #[allow] (docs/style.md 9)", relative(&path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_use_only_what_stands_below_them() {
    let floor = |room: &str| FLOORS.iter().find(|(name, _)| *name == room).map(|(_, f)| *f);
    let mut wrong = Vec::new();
    for path in rust_files().into_iter().filter(|p| p.starts_with(root().join("src"))) {
        let inside = path.strip_prefix(root().join("src")).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let room = first.trim_end_matches(".rs").to_owned();
        let Some(own) = floor(&room) else { continue };
        for used in read(&path).split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let allowed = ALLOWED.contains(&(room.as_str(), name.as_str()));
            if floor(&name).is_some_and(|f| name != room && f >= own && !allowed) {
                wrong.push(format!("{}: {room} must not use {name} (docs/architecture.md, Floors)", relative(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn leaves_know_nothing_of_the_root_or_of_each_other() {
    for leaf in ["chat", "console", "discord", "slack", "teams", "telegram"] {
        let manifest = read(&root().join("adapters").join(leaf).join("Cargo.toml"));
        let own: Vec<&str> = [
            "chatsheet.workspace",
            "console-chat.workspace",
            "discord-chat.workspace",
            "slack-chat.workspace",
            "teams-chat.workspace",
            "telegram-chat.workspace",
        ]
        .into_iter()
        .filter(|d| manifest.contains(d))
        .collect();
        assert!(own.is_empty(), "adapters/{leaf} depends on {own:?}");
    }
    assert!(!read(&root().join("sandbox/Cargo.toml")).contains("chat.workspace"), "the sandbox shares no type with the bot");
}

#[test]
fn only_one_file_reads_the_environment_and_only_one_asks_for_the_time() {
    for path in rust_files().into_iter().filter(|p| p.starts_with(root().join("src"))) {
        let text = read(&path);
        let name = relative(&path);
        assert!(!text.contains("env::var") || name == "src/config.rs", "{name} reads the environment");
        assert!(!text.contains("Timestamp::now()") || name == "src/clock.rs", "{name} asks for the time");
    }
}

#[test]
fn env_example_equals_the_settings() {
    let example = read(&root().join(".env.example"));
    assert_eq!(example, chatsheet::config::Config::example(), "write it anew: it is made by Config::example()");
}

#[test]
fn migrations_come_in_pairs() {
    let names = |dialect: &str| {
        let mut names: Vec<String> = std::fs::read_dir(root().join("migrations").join(dialect))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
    let tables = |dialect: &str| -> Vec<String> {
        let folder = root().join("migrations").join(dialect);
        let text: String = names(dialect).iter().map(|n| read(&folder.join(n))).collect();
        text.lines()
            .filter_map(|l| l.strip_prefix("CREATE "))
            // What is a function in PostgreSQL stands in the trigger itself in SQLite.
            .filter(|l| !l.starts_with("FUNCTION "))
            .map(|l| l.split(['(', ';']).next().unwrap_or_default().trim().to_owned())
            .collect()
    };
    assert_eq!(tables("sqlite"), tables("postgres"));
}
