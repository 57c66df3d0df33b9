//! Project sheets: what Smartsheet computes is left to it, and what moves along is said before.

use crate::dice::Dice;
use crate::world::{Setting, World, number};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use sandbox::azure::{Mode, Reply};
use sandbox::smartsheet::Options;
use serde_json::{Value, json};

async fn office_move() -> World {
    let world = World::start().await;
    world.use_sheet("🏢 Office Move").await;
    world
}

/// Start and end of a row as they stand in Smartsheet.
fn dates(world: &World, row: &str) -> (String, String) {
    let day = |column: &str| {
        let cell = world.sheets.world().cell("🏢 Office Move", row, column).unwrap();
        cell["value"].as_str().unwrap()[..10].to_owned()
    };
    (day("Start"), day("Finish"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_waits_is_moved_by_its_lag_and_comes_back() {
    let world = office_move().await;
    let before = world.sheets.world().picture("🏢 Office Move");
    insta::assert_snapshot!(world.type_line("push Build by a week").await, @r"
    bot> Set Predecessors in 1 row of 🏢 Office Move (‹sheet›)?
           Where Task is “Build”
         Row    Now  New
         ─────  ───  ───────
         Build  5    5FS +5d
           ⚠️ Start follows from what a row waits for: the lag in Predecessors is set so that Build begins on 2026-12-03.
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Smartsheet may move the rows that wait for these, too: Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Predecessors in 1 row in 🏢 Office Move (‹sheet›).
         Row    Was  Is
         ─────  ───  ───────
         Build  5    5FS +5d
           Asked for and confirmed by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(dates(&world, "Build"), ("2026-12-03".into(), "2026-12-25".into()));
    world.type_line("undo").await;
    assert_eq!(world.sheets.world().picture("🏢 Office Move"), before);
    insta::assert_snapshot!(world.type_line("move the start of Build to 2026-11-24").await, @r"
    bot> Set Predecessors in 1 row of 🏢 Office Move (‹sheet›)?
           Where Task is “Build”
         Row    Now  New
         ─────  ───  ───────
         Build  5    5FS -2d
           ⚠️ Start follows from what a row waits for: the lag in Predecessors is set so that Build begins on 2026-11-24.
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Smartsheet may move the rows that wait for these, too: Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(dates(&world, "Build").0, "2026-11-24", "earlier than what it waits for allows: a lead");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_move_together_keep_their_distances() {
    let world = office_move().await;
    let names = ["Choose a site", "Design", "Permits", "Build", "Paint", "Moving day"];
    let before = names.map(|name| dates(&world, name));
    insta::assert_snapshot!(world.type_line("push all rows by a week").await, @r"
    bot> Set Start in 1 row of 🏢 Office Move (‹sheet›)?
         Row            Now               New
         ─────────────  ────────────────  ──────────
         Choose a site  2026-11-16 08:00  2026-11-23
           ⚠️ 2 cells are left alone because Smartsheet computes them from the rows below.
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Smartsheet may move the rows that wait for these, too: Design, Permits, Build, Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    let days = |(a, b): ((String, String), (String, String))| {
        let day = |text: &str| text.parse::<Date>().unwrap();
        (day(&b.0) - day(&a.0)).get_days()
    };
    let moved: Vec<i32> = before.into_iter().zip(names.map(|name| dates(&world, name))).map(days).collect();
    assert_eq!(moved, [7, 7, 7, 7, 7, 7]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_reached_by_the_duration() {
    let world = office_move().await;
    let before = world.sheets.world().picture("🏢 Office Move");
    // The Sunday before; in the plan there are two holidays in between.
    insta::assert_snapshot!(world.type_line("move the finish of Build to 2027-01-10").await, @r"
    bot> Set Duration in 1 row of 🏢 Office Move (‹sheet›)?
           Where Task is “Build”
         Row    Now  New
         ─────  ───  ───
         Build  15d  30d
           ⚠️ Finish follows from start and duration: Duration is set so that it ends then.
           ⚠️ 2027-01-10 is no working day: Build ends on 2027-01-08.
           ⚠️ Smartsheet may move the rows that wait for these, too: Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(dates(&world, "Build"), ("2026-11-26".into(), "2027-01-08".into()));
    world.type_line("undo").await;
    assert_eq!(world.sheets.world().picture("🏢 Office Move"), before);
    insta::assert_snapshot!(world.type_line("set Finish of Build to 2026-11-01").await, @"bot> That did not work: Build would end on 2026-10-30, before it begins on 2026-11-26: move its start instead");
    insta::assert_snapshot!(world.type_line("add a task \"Clean up\" under \"Phase 2\", start 2026-12-23, finish 2026-12-31").await, @r"
    bot> Add 1 row under “Phase 2: Build” of 🏢 Office Move (‹sheet›)?
         • Task: Clean up · Start: 2026-12-23 · Duration: 7d
           ⚠️ Finish follows from start and duration: Duration is set so that it ends then.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(dates(&world, "Clean up"), ("2026-12-23".into(), "2026-12-31".into()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_smartsheet_sets_back_is_not_called_done() {
    let world = office_move().await;
    let sheet = "🏢 Office Move";
    let waits = world.sheets.world().cell(sheet, "Paint", "Predecessors").unwrap();
    world.sheets.world().put_cell(sheet, "Paint", "Predecessors", &serde_json::json!({}));
    let before = dates(&world, "Paint");
    world.type_line("push Paint by a week").await;
    // Meanwhile somebody makes it wait again.
    world.sheets.world().put_cell(sheet, "Paint", "Predecessors", &waits);
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ⚠️ Nothing was changed: set Start in 1 row.
         Left alone (1):
         • Paint: Smartsheet has set it back, because it works it out from the rows before it: change those, or what this row waits for
    ");
    assert_eq!(dates(&world, "Paint"), before);
    insta::assert_snapshot!(world.type_line("undo").await, @"bot> There is no change of this thread that could be taken back.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_smartsheet_moves_on_is_told_and_comes_back() {
    let world = office_move().await;
    let before = dates(&world, "Choose a site");
    world.type_line("push \"Choose a site\" by a week").await;
    // Meanwhile the day becomes a holiday.
    world.sheets.world().add_holiday("🏢 Office Move", "2026-11-23".parse().unwrap());
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Start in 1 row in 🏢 Office Move (‹sheet›).
         Row            Was               Is
         ─────────────  ────────────────  ────────────────
         Choose a site  2026-11-16 08:00  2026-11-24 08:00
           Asked for and confirmed by lee.
         Otherwise than asked (1):
         • Choose a site: Smartsheet has set something else: Start became 2026-11-24
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(dates(&world, "Choose a site").0, "2026-11-24");
    insta::assert_snapshot!(world.type_line("undo").await, @r"
    bot> ↩️ Taken back in 🏢 Office Move (‹sheet›): set Start in 1 row.
         Row            Was         Is
         ─────────────  ──────────  ────────────────
         Choose a site  2026-11-23  2026-11-16 08:00
           Asked for, confirmed and taken back by lee.
    ");
    assert_eq!(dates(&world, "Choose a site"), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_waits_for_nothing_moves_and_comes_back() {
    let world = office_move().await;
    let before = world.sheets.world().picture("🏢 Office Move");
    world.type_line("push \"Choose a site\" by a week").await;
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Start in 1 row in 🏢 Office Move (‹sheet›).
         Row            Was               Is
         ─────────────  ────────────────  ────────────────
         Choose a site  2026-11-16 08:00  2026-11-23 08:00
           Asked for and confirmed by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_ne!(world.sheets.world().picture("🏢 Office Move"), before);
    insta::assert_snapshot!(world.type_line("undo").await, @r"
    bot> ↩️ Taken back in 🏢 Office Move (‹sheet›): set Start in 1 row.
         Row            Was         Is
         ─────────────  ──────────  ────────────────
         Choose a site  2026-11-23  2026-11-16 08:00
           Asked for, confirmed and taken back by lee.
    ");
    assert_eq!(world.sheets.world().picture("🏢 Office Move"), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_waits_for_is_told() {
    let world = office_move().await;
    insta::assert_snapshot!(world.type_line("what does Paint wait for?").await, @r"
    bot> It waits for these rows:
         Task   Predecessors (names)
         ─────  ────────────────────
         Paint  Build
           1 result · Task is “Paint” · all 8 rows · 🏢 Office Move · as of 10:30 UTC
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weekends_do_not_tear_rows_apart_that_move_together() {
    let world = office_move().await;
    insta::assert_snapshot!(world.type_line("push all rows by 3 days").await, @r"
    bot> Set Start in 1 row of 🏢 Office Move (‹sheet›)?
         Row            Now               New
         ─────────────  ────────────────  ──────────
         Choose a site  2026-11-16 08:00  2026-11-19
           ⚠️ 2 cells are left alone because Smartsheet computes them from the rows below.
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Smartsheet may move the rows that wait for these, too: Design, Permits, Build, Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    for row in ["Permits", "Build", "Paint"] {
        assert!(dates(&world, row).0.as_str() > "2026-11-19", "{row}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_waits_for_itself() {
    let set = |column: &str, value: &str, row: &str| {
        let set = json!([{ "column": column, "value": value, "expression": null }]);
        Reply::call("propose_update", json!({ "sheet": null, "where_sql": format!("task = '{row}'"), "set": set }))
    };
    let world = World::scripted(vec![
        set("Predecessors", "6", "Build"),
        Reply::Say("no".into()),
        set("Predecessors", "7", "Build"),
        Reply::Say("no".into()),
        set("Predecessors", "4", "Build"),
        Reply::Say("no".into()),
        set("Duration", "3 weeks", "Paint"),
    ])
    .await;
    world.use_sheet("🏢 Office Move").await;
    let mut said = String::new();
    for _ in 0..3 {
        said.push_str(&world.type_line("do it").await);
        said.push('\n');
    }
    insta::assert_snapshot!(said, @r"
    bot> no
           ⚠️ The last step failed: Build would wait for itself: choose other predecessors
    bot> no
           ⚠️ The last step failed: Build would wait for itself: choose other predecessors
    bot> no
           ⚠️ The last step failed: Build would wait for itself: choose other predecessors
    ");
    // Smartsheet reads no units that are written out.
    assert!(world.type_line("three weeks").await.contains("3w"));
    assert!(world.type_line("confirm").await.contains("✅ Done"));
    world.end().await;
}

/// A plan of ten rows under three heads; rows wait for ends and starts of rows above them, with lags and leads.
fn plan(dice: &mut Dice, name: &str) -> Value {
    let column = |title: &str, kind: &str, tag: &str| json!({ "title": title, "type": kind, "tags": [tag] });
    let columns = json!([
        { "title": "Task", "type": "TEXT_NUMBER" },
        column("Begin", "ABSTRACT_DATETIME", "GANTT_START_DATE"),
        column("End", "ABSTRACT_DATETIME", "GANTT_END_DATE"),
        column("Effort", "DURATION", "GANTT_DURATION"),
        column("After", "PREDECESSOR", "GANTT_PREDECESSOR"),
    ]);
    let (mut rows, mut leaves, mut head) = (Vec::new(), Vec::new(), None);
    for at in 0..13 {
        if at % 5 == 0 {
            head = Some(at);
            rows.push(json!({ "cells": { "Task": { "value": format!("Head {at}") } } }));
            continue;
        }
        let monday: Date = "2026-11-30".parse().unwrap();
        let begin = monday.saturating_add((dice.below(20) as i64).days());
        let effort = *dice.of(&["1d", "3d", "5d", "2.5d", "1w 2d", "e4d", "20d"]);
        let mut cells = json!({
            "Task": { "value": format!("Row {at}") }, "Begin": { "value": format!("{begin}T08:00:00") },
            "Effort": { "value": effort, "displayValue": effort },
        });
        if dice.chance(60) && !leaves.is_empty() {
            let mut waits: Vec<usize> = (0..1 + dice.below(2)).map(|_| *dice.of(&leaves)).collect();
            waits.dedup();
            let one = |of: &usize| {
                let lag = *dice.of(&[0, 0, 0, 2, -1, 5]);
                let mut one = json!({ "rowId": of, "type": if dice.chance(75) { "FS" } else { "SS" } });
                if lag != 0 {
                    one["lag"] = json!({ "objectType": "DURATION", "days": lag });
                }
                one
            };
            let list: Vec<Value> = waits.iter().map(one).collect();
            cells["After"] = json!({ "objectValue": { "objectType": "PREDECESSOR_LIST", "predecessors": list } });
        }
        leaves.push(at);
        rows.push(json!({ "parent": head, "cells": cells }));
    }
    json!({ "name": name, "project": true, "columns": columns, "rows": rows })
}

fn worked(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && day.to_string() != "2026-12-25"
}

/// Whatever days somebody asks for, of rows that wait for each other and others, the far side has them afterwards, or the change is
/// refused with a reason; taken back it is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_begin_and_end_on_the_days_that_are_asked_for() {
    let smartsheet = Options { requests_per_minute: usize::MAX, ..Options::default() };
    let world =
        World::with(Setting { model: Some(Mode::Script(Vec::new())), smartsheet: Some(smartsheet), ..Setting::default() }).await.unwrap();
    // More would use up what a token may ask for in a minute.
    let (seed, trials) = (number("PLAN_SEED").unwrap_or(7), number("PLAN_TRIALS").unwrap_or(25));
    let mut dice = Dice(seed);
    let (mut done, mut refused) = (0, 0);
    for trial in 0..trials {
        let name = format!("Plan {trial}");
        let described = plan(&mut dice, &name);
        world.sheets.world().plant(&described);
        world.sheets.world().add_holiday(&name, "2026-12-25".parse().unwrap());
        world.use_sheet(&name).await;
        let before = world.sheets.world().picture(&name);
        let rows: Vec<usize> = (0..13).filter(|at| at % 5 != 0 && dice.chance(40)).collect();
        let (by, ends) = (dice.below(30) as i64 - 8, dice.chance(40));
        let (column, sql) = if ends { ("End", "\"end\"") } else { ("Begin", "begin") };
        let list: Vec<String> = rows.iter().map(|at| format!("'Row {at}'")).collect();
        let set = json!([{ "column": column, "value": null, "expression": format!("date({sql}, '{by:+} days')") }]);
        world.azure.script([Reply::call(
            "propose_update",
            json!({ "sheet": null, "where_sql": format!("task IN ({})", list.join(", ")), "set": set }),
        )]);
        let day = |at: usize| -> Option<Date> {
            let cell = world.sheets.world().cell(&name, &format!("Row {at}"), column)?;
            cell["value"].as_str()?.get(..10)?.parse().ok()
        };
        let wanted: Vec<(usize, Date)> = rows.iter().filter_map(|at| Some((*at, day(*at)?.saturating_add(by.days())))).collect();
        let dates = |at: usize| ["Begin", "End"].map(|column| world.sheets.world().cell(&name, &format!("Row {at}"), column));
        let stood: Vec<_> = (0..13).map(dates).collect();
        let proposed = world.type_line("please").await;
        if !proposed.contains("[1] Confirm") {
            assert_eq!(world.sheets.world().picture(&name), before);
            refused += 1;
            continue;
        }
        let answer = world.type_line("confirm").await;
        assert!(answer.contains("✅ Done:") && !answer.contains("Otherwise"), "seed {seed}, trial {trial}: {proposed}\n{answer}");
        for (at, asked) in wanted {
            // What waits for rows that have moved keeps its distance to them.
            let waits = described["rows"][at]["cells"]["After"]["objectValue"]["predecessors"].as_array();
            let moved = |p: &Value| p["rowId"].as_u64().is_some_and(|of| dates(of as usize) != stood[of as usize]);
            if !ends && waits.is_some_and(|list| list.iter().any(moved)) {
                continue;
            }
            let elapsed = described["rows"][at]["cells"]["Effort"]["value"].as_str().unwrap().starts_with('e');
            let step = if ends { -1 } else { 1 };
            let right = (0..9).map(|n| asked.saturating_add((n * step).days())).find(|d| worked(*d) || (ends && elapsed)).unwrap();
            assert_eq!(day(at), Some(right), "seed {seed}, trial {trial}, row {at}, asked for {asked}: {proposed}\n{answer}");
        }
        let back = world.type_line("undo").await;
        assert!(back.contains("↩️ Taken back"), "seed {seed}, trial {trial}: {proposed}\n{back}");
        assert_eq!(world.sheets.world().picture(&name), before, "seed {seed}, trial {trial}: {proposed}\n{back}");
        done += 1;
    }
    println!("seed {seed}: {done} plans moved as asked and came back, {refused} refused");
    assert!(done > trials / 2, "{done} of {trials}");
    world.end().await;
}
