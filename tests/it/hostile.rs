//! Statements that want more than an answer: out of the sheet, a change, the processor, the memory. None gets it.

use crate::queries::{check, snapshot_of};
use crate::world::install_tls;
use chatsheet::sheet::query;
use sandbox::smartsheet::{Options, Seed, Smartsheet};
use std::time::{Duration, Instant};

/// What a statement may take beside the loaded sheet.
const MEGABYTES: u64 = 64;
/// How often a statement is measured that takes more.
const TRIES: usize = 3;
/// The limit of a query, and the time in which a single step of SQLite ends, on a busy machine and without optimization.
const SECONDS: u64 = 6;

/// A sheet of 200,000 cells.
async fn far_side() -> Smartsheet {
    install_tls();
    let seed = Seed::Large { rows: 20_000, columns: 10 };
    Smartsheet::start(Options { seed, ..Options::default() }).await.unwrap()
}

/// A line of what Linux says about this process, in kilobytes.
fn kilobytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    value.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// Statements that nest something so deeply that reading them would end the process where nothing bounds it.
fn deep() -> Vec<String> {
    let around = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
    let mut all = Vec::new();
    for n in [10, 20, 30, 45, 60, 120, 250, 500] {
        all.extend([
            around("(", ")", n),
            around("NOT ", "", n),
            around("- ", "", n),
            around("~", "", n),
            around("CASE WHEN 1 THEN ", " END", n),
            around("CASE WHEN ", " THEN 1 END", n),
            around("EXISTS (SELECT 1 WHERE ", ")", n),
            around("1 IN (", ")", n),
            around("coalesce(", ", 2)", n),
            around("CAST(", " AS TEXT)", n),
            around("(SELECT ", ")", n),
            format!("SELECT * FROM {}sheet{}", "(SELECT * FROM ".repeat(n), ")".repeat(n)),
            format!("SELECT {}", vec!["'a'"; n].join(" || ")),
            format!("SELECT name FROM sheet WHERE {}", vec!["level = 1"; n].join(" AND ")),
            format!("SELECT name FROM sheet WHERE {}", vec!["level = 1"; n].join(" OR ")),
            vec!["SELECT 1"; n].join(" UNION ALL "),
            format!("SELECT name FROM sheet WHERE row_id IN ({})", vec!["1"; n].join(", ")),
            format!("SELECT {}", "((((".repeat(n)),
        ]);
    }
    all
}

/// Runs a test of this file again in a process of its own: Linux counts the memory of a process, and `cargo test` runs other
/// tests in the same one. Whether this is that process.
fn alone(test: &str) -> bool {
    const ALONE: &str = "CHATSHEET_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let exe = std::env::current_exe().unwrap();
    let run = std::process::Command::new(exe).args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
    print!("{told}");
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_takes_the_machine() {
    if !alone("hostile::no_statement_takes_the_machine") {
        return;
    }
    let far_side = far_side().await;
    let large = snapshot_of(&far_side, "Large").await;
    let count = check("SELECT count(*) FROM sheet", &large).unwrap();
    let before = query(&large, &count, 1).await.unwrap().rows;
    let hostile = include_str!("hostile/statements.sql").lines().filter(|line| !line.starts_with("-- ")).map(str::to_owned);
    let statements: Vec<String> = hostile.chain(deep()).collect();
    assert!(statements.len() >= 250, "{} statements", statements.len());
    let mut told = Vec::new();
    for sql in statements {
        let short: String = sql.chars().take(90).collect();
        let mut tried = Vec::new();
        // Linux counts pages of the program, too, that it had taken away and reads again: what a statement takes itself, it takes every time.
        let (result, took, megabytes) = loop {
            std::fs::write("/proc/self/clear_refs", "5").unwrap();
            let (idle, began, of) = (kilobytes("VmRSS"), Instant::now(), large.clone());
            // As the server does it: on one of its threads.
            let statement = sql.clone();
            let result = tokio::spawn(async move {
                let checked = check(&statement, &of)?;
                query(&of, &checked, 100).await
            });
            let result = result.await.unwrap();
            let (took, megabytes) = (began.elapsed(), kilobytes("VmHWM").saturating_sub(idle) >> 10);
            assert!(took < Duration::from_secs(SECONDS), "{took:?}: {short}");
            tried.push(megabytes);
            if megabytes <= MEGABYTES || tried.len() == TRIES {
                break (result, took, megabytes);
            }
        };
        assert!(megabytes <= MEGABYTES, "{tried:?} MB: {short}");
        if let Err(error) = &result {
            assert!(error.0.len() > 10 && error.0.len() < 600, "{short}: {error}");
        }
        told.push((took, megabytes, short));
    }
    let slowest = told.iter().max_by_key(|t| t.0).unwrap();
    let largest = told.iter().max_by_key(|t| t.1).unwrap();
    println!("{} statements; the slowest {slowest:?}; the largest {largest:?}", told.len());
    assert_eq!(query(&large, &count, 1).await.unwrap().rows, before, "nothing changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_somebody_asks_for_everything() {
    let far_side = far_side().await;
    let (attacked, quiet) = (snapshot_of(&far_side, "Large").await, snapshot_of(&far_side, "Large").await);
    let endless = check("SELECT count(*) FROM sheet a, sheet b, sheet c", &attacked).unwrap();
    let greedy = check("SELECT length(s) FROM (SELECT printf('%60000s', row_id) AS s FROM sheet) ORDER BY s", &attacked).unwrap();
    let plain = check("SELECT group_1, sum(amount_2) FROM sheet GROUP BY group_1", &quiet).unwrap();
    let expected = query(&quiet, &plain, 100).await.unwrap().rows;
    let attacks: Vec<_> = [endless, greedy]
        .into_iter()
        .map(|checked| {
            let of = attacked.clone();
            tokio::spawn(async move { query(&of, &checked, 10).await.unwrap_err().0 })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(query(&quiet, &plain, 100).await.unwrap().rows, expected, "a plain question is answered meanwhile");
    }
    let mut errors = Vec::new();
    for attack in attacks {
        errors.push(attack.await.unwrap());
    }
    insta::assert_snapshot!(errors.join("\n"), @r"
    the query took longer than 3 s; make it simpler
    the query takes more than 48 MB; join, sort or select fewer rows and columns
    ");
}
