//! Questions that people put to the demo: each is answered right or refused, none is answered beside the point.

use crate::world::{Setting, World};
use jiff::civil::{Date, date};
use serde_json::Value;
use std::collections::BTreeSet;

/// A row without children, read by plain code.
struct Task {
    name: String,
    owner: String,
    status: String,
    priority: String,
    start: Date,
    due: Date,
    budget: Option<f64>,
}

enum Right<'a> {
    /// Exactly these rows.
    Rows(&'a dyn Fn(&Task) -> bool),
    /// All of these words and figures.
    Shows(&'a [&'a str]),
    /// A proposal that says this.
    Proposes(&'a [&'a str]),
    /// Words that nothing understood are named, or it is said that there is no such thing.
    Refused,
}
use Right::{Proposes, Refused, Rows, Shows};

fn tasks(world: &World) -> Vec<Task> {
    let picture = world.sheets.world().picture("Project Plan");
    let rows = picture["rows"].as_array().unwrap();
    let parents: BTreeSet<u64> = rows.iter().filter_map(|r| r["parent"].as_u64()).collect();
    let task = |row: &Value| {
        let text = |title: &str| row["cells"][title]["value"].as_str().unwrap_or_default().to_owned();
        let shown = |title: &str| row["cells"][title]["displayValue"].as_str().map_or_else(|| text(title), str::to_owned);
        Task {
            name: text("Task Name"),
            owner: shown("Assigned To"),
            status: text("Status"),
            priority: text("Priority"),
            start: text("Start").parse().unwrap(),
            due: text("Due Date").parse().unwrap(),
            budget: row["cells"]["Budget"]["value"].as_f64(),
        }
    };
    let leaves = rows.iter().zip(1u64..).filter(|(_, n)| !parents.contains(n));
    leaves.map(|(row, _)| task(row)).collect()
}

/// The first column of the table in a reply.
fn listed(reply: &str) -> BTreeSet<String> {
    let mut lines = reply.lines().skip_while(|l| !l.trim_start().starts_with('─'));
    let Some(width) = lines.next().map(|l| l.chars().skip(5).take_while(|c| *c == '─').count()) else { return BTreeSet::new() };
    let rows = lines.take_while(|l| !l.starts_with("       ") && !l.trim().is_empty());
    rows.map(|l| l.chars().skip(5).take(width).collect::<String>().trim().to_owned()).collect()
}

/// Whether a reply is what was expected, or what is wrong about it.
fn judged(reply: &str, right: &Right<'_>, tasks: &[Task]) -> Result<(), String> {
    let refused = ["I will not guess", "did not understand", "I found no row", "I find no"].iter().any(|w| reply.contains(w));
    match right {
        Refused if refused => Ok(()),
        Refused => Err("it is answered".into()),
        _ if refused => Err("it is refused".into()),
        Rows(wanted) => {
            let right: BTreeSet<String> = tasks.iter().filter(|t| wanted(t)).map(|t| t.name.clone()).collect();
            let got = listed(reply);
            if got == right { Ok(()) } else { Err(format!("wanted {right:?}, got {got:?}")) }
        }
        Shows(all) | Proposes(all) => {
            if matches!(right, Proposes(_)) && !reply.contains("Confirm") {
                return Err("it proposes nothing".into());
            }
            all.iter().find(|w| !reply.contains(**w)).map_or(Ok(()), |w| Err(format!("it does not show “{w}”")))
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_the_questions_is_answered_right_or_refused() {
    // Where weeks begin on Monday.
    let world = World::with(Setting { settings: vec![("LOCALE", "en-GB".into())], ..Setting::default() }).await.unwrap();
    let all = tasks(&world);
    let today = world.clock.today();
    let (open, over) =
        (|t: &Task| !["Complete", "Cancelled"].contains(&t.status.as_str()), |t: &Task, n: f64| t.budget.is_some_and(|b| b > n));
    let overdue = |t: &Task| t.due < today && open(t);
    let monday = today.checked_add(jiff::Span::new().days(7 - i64::from(today.weekday().to_monday_zero_offset()))).unwrap();
    let in_days = |n: i64| today.checked_add(jiff::Span::new().days(n)).unwrap();
    let next_week = |t: &Task| t.due >= monday && t.due < monday.checked_add(jiff::Span::new().days(7)).unwrap();
    let december = |d: Date| d.year() == today.year() && d.month() == 12;
    let questions: [(&str, Right<'_>); 65] = [
        ("whats overdue", Rows(&overdue)),
        ("and only Mia's?", Rows(&|t| overdue(t) && t.owner == "Mia Jensen")),
        ("who has most work", Shows(&["Lee Park        8", "Omar Haddad     7", "Priya Nair      4"])),
        ("who has the least to do?", Shows(&["Priya Nair      2", "Mia Jensen      3", "Status is none of “Complete”, “Cancelled”"])),
        ("who am I?", Shows(&["You are Lee Park."])),
        ("who has the most open tasks?", Shows(&["Dana Reyes      7", "Omar Haddad     5", "Mia Jensen      3"])),
        ("top 3 tasks by budget", Rows(&|t| ["Native app", "Launch campaign", "Order service"].contains(&t.name.as_str()))),
        ("what percent of tasks are complete?", Shows(&["23.5"])),
        ("average budget per person", Shows(&["$10,678.57", "$9,350", "$9,157.14", "$8,300", "$8,000", "$5,050"])),
        ("what is due next week?", Rows(&next_week)),
        ("tasks due this month", Rows(&|t| t.due.first_of_month() == today.first_of_month())),
        ("tasks starting in December", Rows(&|t| december(t.start))),
        ("what is Dana working on?", Rows(&|t| t.owner == "Dana Reyes")),
        ("welche Aufgaben sind blockiert?", Refused),
        ("quelles tâches sont en retard ?", Refused),
        ("¿cuántas tareas están bloqueadas?", Refused),
        ("show me a chart of budget by department", Shows(&["I cannot draw", "$158,750", "$6,200"])),
        ("total bugdet by departmnt", Refused),
        ("how much budget is left in Phase 3?", Refused),
        ("tasks without an owner", Rows(&|t| t.owner.is_empty())),
        ("which high priority tasks are not started?", Rows(&|t| t.priority == "High" && t.status == "Not Started")),
        ("list tasks due between 2026-12-01 and 2026-12-15", Rows(&|t| t.due >= date(2026, 12, 1) && t.due <= date(2026, 12, 15))),
        ("what changed since yesterday?", Refused),
        ("how many rows are there?", Shows(&["42", "34"])),
        ("which task has the largest budget?", Rows(&|t| t.name == "Native app")),
        ("sum of budget for Engineering excluding cancelled", Shows(&["$123,750"])),
        ("what is the budget of Load test?", Shows(&["Load test", "$5,200"])),
        ("sort tasks by due date descending", Rows(&|_| true)),
        ("what's the median budget?", Shows(&["$6,500"])),
        ("are we on track?", Refused),
        ("tell me about Payment integration", Rows(&|t| t.name == "Payment integration")),
        ("compare Engineering and Design budgets", Shows(&["Engineering      $158,750", "Design            $37,500"])),
        (
            "how many tasks does each person have, grouped by status?",
            Shows(&["Lee Park     Complete        2", "Omar Haddad  Not Started     3"]),
        ),
        (
            "the cheapest 5",
            Rows(&|t| {
                ["Interview guide", "Design hand-over", "Go-live", "Interview notes", "Privacy statement"].contains(&t.name.as_str())
            }),
        ),
        ("count of Not Started or Blocked tasks", Shows(&["There are 18 rows"])),
        ("not complete tasks of Omar", Rows(&|t| t.owner == "Omar Haddad" && t.status != "Complete")),
        ("who is Priya's manager?", Refused),
        ("what's the weather?", Refused),
        ("total budget by department", Shows(&["$158,750", "$48,300", "$37,500", "$30,200", "$6,200", "tbd"])),
        ("tasks overdue by more than 5 days", Rows(&|t| t.due < in_days(-5) && open(t))),
        ("which tasks are not blocked?", Rows(&|t| t.status != "Blocked")),
        ("how many overdue?", Shows(&["There are 5 rows"])),
        ("who owns Load test?", Shows(&["Load test", "Omar Haddad"])),
        ("tasks due before Christmas", Rows(&|t| t.due < date(2026, 12, 25))),
        ("tasks with budget over 10k", Rows(&|t| over(t, 10_000.0))),
        ("tasks with budget over $10,000", Rows(&|t| over(t, 10_000.0))),
        ("tasks with budget between 5000 and 10000", Rows(&|t| t.budget.is_some_and(|b| (5000.0..=10_000.0).contains(&b)))),
        ("show me Mia and Omar's tasks", Rows(&|t| ["Mia Jensen", "Omar Haddad"].contains(&t.owner.as_str()))),
        ("how many tasks does Dana Cho have?", Refused),
        ("what's next for Priya?", Rows(&|t| t.owner == "Priya Nair" && open(t))),
        ("budget of phase 2", Shows(&["$39,900"])),
        ("percentage complete of phase 3", Shows(&["35%"])),
        ("longest task", Shows(&["Native app", "80"])),
        ("list the columns", Shows(&["Task Name, Assigned To, Status, Priority, Department, Start, Due Date, % Complete, Budget, Notes"])),
        ("what options does Status have?", Shows(&["Not Started, In Progress, Complete, Blocked, Cancelled"])),
        ("hello", Shows(&["Hello"])),
        ("thanks!", Shows(&["You are welcome"])),
        ("set the budget of Load test to 12,50", Proposes(&["$12.50"])),
        ("mark Load test as done", Proposes(&["Not Started  Complete"])),
        ("assign Payment integration to Mia and set it in progress", Proposes(&["Mia Jensen", "In Progress"])),
        ("move due date of Load test by one week", Proposes(&["2027-01-19  2027-01-26"])),
        ("delete everything", Proposes(&["Delete 42 rows"])),
        ("postpone all overdue tasks to next friday", Proposes(&["2026-11-27", "in 5 rows"])),
        ("add a comment to Load test: please check", Proposes(&["“please check”"])),
        ("tasks without a due date", Shows(&["No rows match"])),
    ];
    let (mut answered, mut wrong) = (0, Vec::new());
    for (question, right) in &questions {
        let reply = world.type_line(question).await;
        match judged(&reply, right, &all) {
            Ok(()) => answered += usize::from(!matches!(right, Refused)),
            Err(why) => wrong.push(format!("{question}: {why}\n{reply}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), questions.len(), wrong.join("\n"));
    assert!(answered >= 45, "{answered} are answered");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_that_is_understood_by_half_is_refused() {
    let world = World::start().await;
    for line in [
        "average budget per quarter",
        "set Priority to Low for everything assigned to Dana Cho",
        "delete tasks of Dana that nobody needs",
        "tasks not assigned to Dana or blocked",
        "how many tasks does Somebody Else have?",
        "total budget by departmnt",
        "which blocked tasks are blue?",
        "tasks due around 2026-12-05",
        "tasks due 12/05/2026",
        "overdue tasks except the ones I own",
        "which tasks are neither blocked nor complete?",
        "tasks costing over ten thousand",
        "mark every second task as done",
    ] {
        let reply = world.type_line(line).await;
        let refused =
            ["I will not guess", "did not understand", "I find no", "I cannot", "no row matches"].iter().any(|w| reply.contains(w));
        assert!(refused && !reply.contains("Confirm"), "{line}\n{reply}");
    }
    for (line, shown) in [
        ("tasks not assigned to Dana", "27 rows match"),
        // Who asks is Lee Park.
        ("my tasks", "8 rows match"),
        ("set Priority to Low for tasks with budget over 10000", "in 7 rows"),
        ("delete Design hand-over", "Delete 1 row"),
        ("tasks due in January 2027", "rows match"),
        ("tasks more than 50% complete", "% Complete is more than 50%"),
        ("set Budget to 10% more for Load test", "Budget"),
        ("tasks starting with \"Page\"", "Task Name begins with “Page”"),
        ("how many people are there?", "Different values of Assigned To: 5"),
        ("what do I have to finish this week?", "Assigned To is “Lee Park”"),
    ] {
        let reply = world.type_line(line).await;
        assert!(reply.contains(shown), "{line}\n{reply}");
    }
    world.end().await;
}
