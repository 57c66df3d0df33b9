//! The gate and the engine of queries: only reading, exact, limited.

use crate::world::World;
use chatsheet::clock::Clock;
use chatsheet::events::Events;
use chatsheet::sheet::{Checked, SheetId, Sheets, Snapshot, SqlError};
use chatsheet::smartsheet::Identity;
use proptest::prelude::*;
use std::sync::Arc;

/// The query as it may be run, at noon of the day of the stories.
pub fn check(sql: &str, snapshot: &Snapshot) -> Result<Checked, SqlError> {
    chatsheet::sheet::check(sql, snapshot, jiff::civil::datetime(2026, 11, 22, 12, 0, 0, 0))
}

pub async fn snapshot(world: &World, name: &str) -> Arc<Snapshot> {
    snapshot_of(&world.sheets, name).await
}

pub async fn snapshot_of(far_side: &sandbox::smartsheet::Smartsheet, name: &str) -> Arc<Snapshot> {
    let settings = chatsheet::smartsheet::Settings {
        base_url: far_side.base_url().parse().unwrap(),
        token: sandbox::smartsheet::TOKEN.into(),
        retry_delay: std::time::Duration::from_millis(10),
        retries: 1,
        timeout: std::time::Duration::from_secs(30),
        breaker_pause: std::time::Duration::from_secs(1),
        answer_bytes: 300 << 20,
    };
    let client = chatsheet::smartsheet::Client::new(settings).unwrap();
    let sheets = Sheets::new(client, Clock::System, Events::default(), 1 << 24);
    let id = far_side.world().sheet_id(name).unwrap();
    let snapshot = sheets.snapshot(&Identity::Service, SheetId(id)).await;
    snapshot.unwrap_or_else(|e| panic!("{e}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_reading_gets_through_whatever_is_written() {
    let world = World::start().await;
    let snapshot = snapshot(&world, "Project Plan").await;
    let rows = |s: &Snapshot| s.query(&check("SELECT count(*) FROM sheet", s).unwrap(), 1).unwrap().rows[0][0].clone();
    let before = rows(&snapshot);
    let word = prop::sample::select(vec![
        "SELECT",
        "*",
        "FROM",
        "sheet",
        "leaf",
        "WHERE",
        "1",
        "=",
        ";",
        "DELETE",
        "DROP",
        "TABLE",
        "INSERT",
        "INTO",
        "VALUES",
        "(",
        ")",
        ",",
        "ATTACH",
        "PRAGMA",
        "query_only",
        "OFF",
        "WITH",
        "RECURSIVE",
        "t",
        "AS",
        "UNION",
        "ALL",
        "sqlite_master",
        "load_extension",
        "count",
        "row_id",
        "status",
        "'x'",
        "--",
        "/*",
        "UPDATE",
        "SET",
        "VACUUM",
        "main",
        ".",
        "temp",
    ]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(3000));
    let sentences = prop::collection::vec(word, 1..14);
    runner
        .run(&sentences, |words| {
            let sql = words.join(" ");
            if let Ok(checked) = check(&sql, &snapshot) {
                let lower = checked.sql.to_lowercase();
                prop_assert!(
                    lower.trim_start().starts_with("select")
                        || lower.trim_start().starts_with("with")
                        || lower.starts_with("values")
                        || lower.starts_with('('),
                    "{}",
                    sql
                );
                prop_assert!(!lower.contains("from sqlite_master"), "{}", sql);
                let _ = snapshot.query(&checked, 5);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(rows(&snapshot), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_queries_are_interrupted_and_long_answers_capped_with_the_total() {
    let world = World::start().await;
    let snapshot = snapshot(&world, "Project Plan").await;
    let endless = check("SELECT count(*) FROM sheet a, sheet b, sheet c, sheet d, sheet e, sheet f", &snapshot).unwrap();
    insta::assert_snapshot!(snapshot.query(&endless, 5).unwrap_err(), @"the query took longer than 3 s; make it simpler");
    let all = check("SELECT task_name FROM sheet", &snapshot).unwrap();
    let result = snapshot.query(&all, 5).unwrap();
    assert_eq!((result.rows.len(), result.total), (5, 42));
    assert_eq!(result.columns.last().unwrap().name, "row_id", "a list of rows can be linked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_are_typed_for_sql() {
    let world = World::start().await;
    let plan = snapshot(&world, "Project Plan").await;
    let ask = |sql: &str| plan.query(&check(sql, &plan).unwrap(), 5).map(|r| serde_json::to_string(&r.rows).unwrap());
    let one = "SELECT status, due_date, percent_complete, budget, assigned_to, assigned_to_email, level, is_parent FROM sheet WHERE task_name = 'Visual design'";
    insta::assert_snapshot!(ask(&format!("{one} GROUP BY row_id")).unwrap(), @r#"[["In Progress","2026-11-14",0.75,14800,"Priya Nair","priya.nair@example.com",1,1]]"#);
    insta::assert_snapshot!(ask("SELECT budget, typeof(budget) FROM sheet WHERE task_name = 'Search page' GROUP BY 1").unwrap(), @r#"[["tbd","null"]]"#);
    insta::assert_snapshot!(ask("SELECT count(*) FROM leaf WHERE assigned_to IS NULL").unwrap(), @"[[2]]");
    insta::assert_snapshot!(check("SELECT x FROM tasks", &plan).unwrap_err(), @r#"there is no table tasks: use sheet (all rows) or leaf (rows without children); another sheet is asked by its name as "sheet" beside the query"#);
    insta::assert_snapshot!(check("SELECT wrong FROM sheet", &plan).unwrap_err(), @"no such column: wrong; the columns are: row_id, parent_id, level, row_number, is_parent, path, top, task_name, assigned_to, status, priority, department, start, due_date, percent_complete, budget, notes");
    world.end().await;
}
