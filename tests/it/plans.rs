//! How the database answers the statements of the store: none of them reads a table through that grows with what people say.

use crate::world::{Setting, World};
use sqlx::{AssertSqlSafe, Row, SqlitePool};

/// Tables that grow with every message or change.
const GROWING: [&str; 11] = [
    "inbox",
    "jobs",
    "job_rows",
    "changes",
    "change_rows",
    "messages",
    "posts",
    "threads",
    "chat_sessions",
    "proposals",
    "idempotent_requests",
];

/// Statements that may, and why.
const RARE: [(&str, &str); 8] = [
    ("DELETE FROM threads", "a conversation is forgotten when the bot is removed from it"),
    ("DELETE FROM messages WHERE session_id IN (SELECT session_id FROM threads", "the same"),
    ("DELETE FROM posts WHERE thread_key = $1 OR", "the same"),
    ("DELETE FROM inbox WHERE thread_key = $1 OR", "the same"),
    ("DELETE FROM chat_sessions", "somebody deletes a session over the API"),
    ("UPDATE proposals SET thread_key", "a group gets another id"),
    ("SELECT s.sheet_id, max(s.sheet_name)", "the last events, of which there is a limit"),
    ("SELECT count(*) FROM chat_sessions s", "once a minute: which sheets are not watched"),
];

/// The whole statements that stand in the sources of the store.
fn statements() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (at, _) in text.match_indices('"') {
            let rest = &text[at + 1..];
            if !["SELECT ", "UPDATE ", "DELETE ", "WITH "].iter().any(|verb| rest.starts_with(verb)) {
                continue;
            }
            let statement = rest[..rest.find('"').unwrap()].replace("\\\n", "").replace("{COLUMNS}", "*").replace("{each}", "json_each");
            // What is put together of parts is not whole here, PostgreSQL's own is not for SQLite, and names stand where somebody is forgotten,
            // which an operator does now and then.
            let of_postgres = ["pg_", "extract(", "FOR UPDATE", "split_part", "::", "_sqlx"].iter().any(|word| statement.contains(word));
            let part =
                statement.contains('{') || statement.contains(" :") || (statement.starts_with("UPDATE") && !statement.contains("WHERE"));
            if !of_postgres && !part {
                all.push(statement);
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_growing_table_through() {
    let world = World::with(Setting::default()).await.unwrap();
    let pool = SqlitePool::connect(&format!("sqlite://{}", world.folder.0.join("story.db").display())).await.unwrap();
    let statements = statements();
    assert!(statements.len() > 100, "{} statements were found", statements.len());
    let mut through = Vec::new();
    for statement in &statements {
        let parameters = (1..=20).filter(|n| statement.contains(&format!("${n}"))).max().unwrap_or(0);
        let mut explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")));
        for _ in 0..parameters {
            explain = explain.bind(None::<String>);
        }
        let plan = explain.fetch_all(&pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        for step in plan.iter().map(|row| row.get::<String, _>("detail")) {
            let reads_on = step.starts_with("SCAN ") && !step.contains(" INDEX ");
            let half = step.contains("INTEGER PRIMARY KEY (rowid>") || step.contains("INTEGER PRIMARY KEY (rowid<");
            let table = step.split_whitespace().nth(1).unwrap_or_default();
            // Another name for a table stands behind it in the statement.
            let named = |growing: &&str| table == *growing || statement.contains(&format!("{growing} {table}"));
            let rare = RARE.iter().any(|(begins, _)| statement.starts_with(begins));
            if (reads_on || half) && !rare && GROWING.iter().any(named) {
                through.push(format!("{step}: {statement}"));
            }
        }
    }
    assert!(through.is_empty(), "{}", through.join("\n"));
    world.end().await;
}
