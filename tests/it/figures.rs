//! Figures on the samples, each beside the same worked out by hand from the cells: with texts, blanks and parents in the column.

use crate::queries::{check, snapshot};
use crate::world::World;
use chatsheet::sheet::Snapshot;
use serde_json::Value;
use std::collections::BTreeSet;

/// A row as Smartsheet sends it, and whether rows stand below it.
struct Row {
    cells: Value,
    parent: bool,
}

impl Row {
    fn number(&self, title: &str) -> Option<f64> {
        self.cells[title]["value"].as_f64()
    }

    fn text(&self, title: &str) -> &str {
        self.cells[title]["value"].as_str().unwrap_or_default()
    }
}

fn rows(world: &World, sheet: &str) -> Vec<Row> {
    let picture = world.sheets.world().picture(sheet);
    let all = picture["rows"].as_array().unwrap();
    let parents: BTreeSet<u64> = all.iter().filter_map(|r| r["parent"].as_u64()).collect();
    all.iter().zip(1..).map(|(r, n)| Row { cells: r["cells"].clone(), parent: parents.contains(&n) }).collect()
}

/// The single value of a query.
fn figure(snapshot: &std::sync::Arc<Snapshot>, sql: &str) -> Value {
    let result = snapshot.query(&check(sql, snapshot).unwrap(), 5).unwrap();
    serde_json::to_value(&result.rows[0][0]).unwrap()
}

fn same(snapshot: &std::sync::Arc<Snapshot>, sql: &str, by_hand: f64) {
    let got = figure(snapshot, sql).as_f64();
    assert!(got.is_some_and(|g| (g - by_hand).abs() < 1e-9), "{sql}: {got:?}, by hand {by_hand}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_the_budget_are_those_worked_out_by_hand() {
    let world = World::start().await;
    let (budget, all) = (snapshot(&world, "Budget 2026").await, rows(&world, "Budget 2026"));
    let leaves: Vec<&Row> = all.iter().filter(|r| !r.parent).collect();
    let actual: Vec<f64> = leaves.iter().filter_map(|r| r.number("Actual")).collect();
    let blanks = leaves.iter().filter(|r| r.cells["Actual"].is_null()).count();
    let texts = leaves.iter().filter(|r| r.cells["Actual"]["value"].is_string()).count();
    assert!(texts + blanks > 0 && actual.len() + texts + blanks == leaves.len(), "there are texts or blanks among them");
    let sum = |list: &[f64]| list.iter().sum::<f64>();
    let of = |department: Option<&str>, title: &str| -> f64 {
        leaves.iter().filter(|r| department.is_none_or(|d| r.text("Department") == d)).filter_map(|r| r.number(title)).sum()
    };
    same(&budget, "SELECT avg(actual) FROM leaf", sum(&actual) / actual.len() as f64);
    assert_eq!((sum(&actual) / actual.len() as f64 * 100.0).round() / 100.0, 19_237.04);
    same(&budget, "SELECT max(actual) FROM leaf", 61_200.0);
    same(&budget, "SELECT count(actual) FROM leaf", actual.len() as f64);
    let over = leaves.iter().filter(|r| matches!((r.number("Actual"), r.number("Planned")), (Some(a), Some(p)) if a > p)).count();
    assert_eq!(over, 7);
    same(&budget, "SELECT count(*) FROM leaf WHERE actual > planned", over as f64);
    same(
        &budget,
        "SELECT sum(actual) / sum(planned) FROM leaf WHERE department = 'People'",
        of(Some("People"), "Actual") / of(Some("People"), "Planned"),
    );
    same(&budget, "SELECT round(sum(actual) * 100 / sum(planned), 1) FROM leaf", 78.5);
    assert_eq!(
        figure(&budget, "SELECT line_item FROM leaf ORDER BY actual DESC LIMIT 1"),
        "Office rent",
        "a text is not more than any number"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_the_plan_are_those_worked_out_by_hand() {
    let world = World::start().await;
    let (plan, all) = (snapshot(&world, "Project Plan").await, rows(&world, "Project Plan"));
    let leaves: Vec<&Row> = all.iter().filter(|r| !r.parent).collect();
    let count = |fits: &dyn Fn(&Row) -> bool| leaves.iter().filter(|r| fits(r)).count() as f64;
    let today = world.clock.today().to_string();
    let budgets: Vec<f64> = leaves.iter().filter_map(|r| r.number("Budget")).collect();
    assert_eq!((leaves.len(), budgets.len()), (34, 32), "one text, one blank");
    same(&plan, "SELECT sum(budget) FROM leaf", budgets.iter().sum());
    same(&plan, "SELECT sum(budget) FROM sheet WHERE NOT is_parent", budgets.iter().sum());
    same(&plan, "SELECT round(sum(budget) / 1000, 1) FROM leaf", 280.9);
    let mut sorted = budgets.clone();
    sorted.sort_by(f64::total_cmp);
    same(&plan, "SELECT median(budget) FROM leaf", f64::midpoint(sorted[15], sorted[16]));
    let done: Vec<f64> = leaves.iter().filter(|r| r.text("Department") == "Engineering").filter_map(|r| r.number("% Complete")).collect();
    let share = done.iter().sum::<f64>() / done.len() as f64;
    assert_eq!((share * 1000.0).round() / 10.0, 56.0);
    same(&plan, "SELECT avg(percent_complete) FROM leaf WHERE department = 'Engineering'", share);
    let blocked = count(&|r| r.text("Status") == "Blocked");
    assert_eq!(blocked, 2.0);
    for sql in ["status = 'blocked'", "\"Status\" = 'Blocked' AND \"Due Date\" IS NOT NULL", "[Status] = 'BLOCKED'"] {
        same(&plan, &format!("SELECT count(*) FROM leaf WHERE {sql}"), blocked);
    }
    same(&plan, "SELECT count(*) FROM \"Project Plan\" WHERE status = 'Blocked'", blocked);
    let of = |person: &str| count(&|r| r.cells["Assigned To"]["displayValue"] == person);
    assert_eq!((of("Lee Park"), of("Dana Reyes")), (8.0, 7.0));
    same(&plan, "SELECT count(*) FROM leaf WHERE assigned_to = 'lee park'", of("Lee Park"));
    same(&plan, "SELECT count(*) FROM leaf WHERE assigned_to = 'lee.park@example.com'", of("Lee Park"));
    same(&plan, "SELECT count(*) FROM leaf WHERE assigned_to LIKE '%dana%'", of("Dana Reyes"));
    let late = |r: &Row| r.text("Due Date") < today.as_str() && !["Complete", "Cancelled"].contains(&r.text("Status"));
    assert_eq!(count(&late), 5.0);
    same(&plan, "SELECT count(*) FROM leaf WHERE due_date < '2026-11-22' AND status NOT IN ('Complete', 'Cancelled')", 5.0);
    same(&plan, "SELECT count(*) FROM leaf WHERE percent_complete = 100", count(&|r| r.number("% Complete") == Some(1.0)));
    assert_eq!(figure(&plan, "SELECT task_name FROM leaf ORDER BY budget DESC LIMIT 1"), "Native app");
    let (risks, all) = (snapshot(&world, "Risk Register").await, rows(&world, "Risk Register"));
    let unsigned = all.iter().filter(|r| r.cells["Signed Off"]["value"] != Value::Bool(true)).count() as f64;
    assert_eq!(unsigned, 9.0, "boxes that were never touched are not ticked");
    same(&risks, "SELECT count(*) FROM sheet WHERE signed_off = 0", unsigned);
    same(&risks, "SELECT count(*) FROM sheet WHERE NOT signed_off", unsigned);
    world.end().await;
}

/// Six rows with a text, a blank or a number as text in nearly every column; all figures are worked out from the lines of the sample.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_of_the_untidiest_sample_are_those_worked_out_by_hand() {
    let world = World::start().await;
    let requests = snapshot(&world, "Supplier Requests").await;
    // 450, 1200, 8900 and 75, beside “n/a” and “2,300”.
    same(&requests, "SELECT sum(cost) FROM sheet", 10_625.0);
    same(&requests, "SELECT avg(cost) FROM sheet", 2_656.25);
    same(&requests, "SELECT median(cost) FROM sheet", 825.0);
    same(&requests, "SELECT count(cost) FROM sheet", 4.0);
    same(&requests, "SELECT max(cost) - min(cost) FROM sheet", 8_825.0);
    same(&requests, "SELECT count(*) FROM sheet WHERE cost > 100", 3.0);
    // 300 and 2, beside “1,5”, “12%” and “tbd”.
    same(&requests, "SELECT sum(rate) FROM sheet", 302.0);
    for (condition, rows) in [
        ("ticket = '1003'", 1.0),
        ("ticket = 1003", 1.0),
        ("ticket IN ('1001', 'A-17', 'a-18')", 3.0),
        ("tier = 3", 2.0),
        ("tier = '3'", 2.0),
        ("done = 1", 1.0),
        // “n/a” is neither ticked nor not, which is told beside the figure.
        ("NOT done", 4.0),
        ("due_date < '2026-12-01'", 2.0),
        ("due_date BETWEEN '2026-12-01' AND '2026-12-31'", 2.0),
        ("\"Статус\" = 'open'", 3.0),
        ("статус <> 'Open'", 2.0),
        ("[Статус] IS NULL", 1.0),
        ("assigned_to = 'lee.park@example.com'", 1.0),
        ("assigned_to = 'Lee (contractor)'", 1.0),
        ("upper(request) LIKE 'MÜLLER%'", 1.0),
        ("\"To\" = 'façade'", 1.0),
        ("\"Order\" > 4", 2.0),
    ] {
        same(&requests, &format!("SELECT count(*) FROM sheet WHERE {condition}"), rows);
    }
    same(&requests, "SELECT sum(cost) / sum(\"Order\") FROM sheet WHERE cost IS NOT NULL", 10_625.0 / 14.0);
    assert_eq!(figure(&requests, "SELECT request FROM sheet ORDER BY cost DESC LIMIT 1"), "Carpets");
    assert_eq!(figure(&requests, "SELECT request FROM sheet ORDER BY due_date LIMIT 1"), "Badge printer");
    world.end().await;
}
