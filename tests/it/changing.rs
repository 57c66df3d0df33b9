//! Changes at the terminal: previews, confirming, undoing, and all that may come between.

use crate::world::{Setting, World};
use sandbox::smartsheet::{Options, Seed};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_previewed_confirmed_and_taken_back() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("set Status to \"In Progress\" for everything assigned to Dana that is Not Started").await, @r"
    bot> Set Status in 5 rows of Project Plan (‹sheet›)?
           Where Status is “Not Started” and Assigned To is “Dana Reyes”
         Row             Now          New
         ──────────────  ───────────  ───────────
         Usability test  Not Started  In Progress
         Page assembly   Not Started  In Progress
         Search page     Not Started  In Progress
         Test plan       Not Started  In Progress
         Training        Not Started  In Progress
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    assert_eq!(world.cell("Test plan", "Status"), "Not Started", "a preview writes nothing");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Status in 5 rows in Project Plan (‹sheet›).
         Row             Was          Is
         ──────────────  ───────────  ───────────
         Usability test  Not Started  In Progress
         Page assembly   Not Started  In Progress
         Search page     Not Started  In Progress
         Test plan       Not Started  In Progress
         Training        Not Started  In Progress
           Asked for and confirmed by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(world.cell("Test plan", "Status"), "In Progress");
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): set Status in 5 rows.
         Row             Was          Is
         ──────────────  ───────────  ───────────
         Usability test  In Progress  Not Started
         Page assembly   In Progress  Not Started
         Search page     In Progress  Not Started
         Test plan       In Progress  Not Started
         Training        In Progress  Not Started
           Asked for, confirmed and taken back by lee.
    ");
    assert_eq!(world.cell("Test plan", "Status"), "Not Started");
    assert_eq!(world.cell("Front end", "Status"), "In Progress", "what was not part of the change stays");
    assert_eq!(world.writes(), ["PUT /sheets/ID/rows", "PUT /sheets/ID/rows"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_added_in_their_place_and_taken_away_again() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("add a task \"Security review\" under Phase 3, owner Omar, start 2026-12-07").await, @"
    bot> Add 1 row under “Phase 3: Build” of Project Plan (‹sheet›)?
         • Task Name: Security review · Assigned To: Omar Haddad · Start: 2026-12-07
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: add 1 row under “Phase 3: Build” in Project Plan (‹sheet›).
         • Task Name: Security review · Assigned To: Omar Haddad · Start: 2026-12-07
           Asked for and confirmed by lee.
           Rows: Security review
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    let rows = world.sheets.world().rows("Project Plan");
    let added = rows.iter().find(|r| r["Task Name"] == "Security review").unwrap().clone();
    insta::assert_json_snapshot!(added, @r#"
    {
      "Assigned To": "Omar Haddad",
      "Start": "2026-12-07",
      "Task Name": "Security review",
      "_parent": "Phase 3: Build"
    }
    "#);
    world.type_line("undo").await;
    assert_eq!(world.cell("Security review", "Task Name"), "", "the row is gone");
    assert_eq!(world.sheets.world().rows("Project Plan").len(), rows.len() - 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_family_comes_back_where_it_stood() {
    let world = World::start().await;
    let before = world.sheets.world().rows("Project Plan");
    insta::assert_snapshot!(world.type_line("delete \"Back end\"").await, @r"
    bot> Delete 4 rows of Project Plan (‹sheet›)?
           Where Task Name is “Back end”
         Row                  Values
         ───────────────────  ────────────────────────────────────────
         Back end             Omar Haddad · In Progress · High · Engi…
         Order service        Omar Haddad · In Progress · High · Engi…
         Payment integration  Blocked · High · Engineering · 2026-11-…
         Mail service         Lee Park · Not Started · Medium · Engin…
           ⚠️ 3 of these rows go because they stand below one that is deleted.
           ⚠️ Undo brings rows back as new ones: links to them lead nowhere then.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(world.sheets.world().rows("Project Plan").len(), before.len() - 4);
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): bring back 4 rows.
         Row                  Values
         ───────────────────  ────────────────────────────────────────
         Back end             Omar Haddad · In Progress · High · Engi…
         Order service        Omar Haddad · In Progress · High · Engi…
         Payment integration  Blocked · High · Engineering · 2026-11-…
         Mail service         Lee Park · Not Started · Medium · Engin…
           Asked for, confirmed and taken back by lee.
           Rows: Back end, Order service, Payment integration, Mail service
    ");
    let without_budget = |rows: Vec<std::collections::BTreeMap<String, String>>| -> Vec<_> {
        rows.into_iter()
            .map(|mut r| {
                r.remove("Budget");
                r.remove("% Complete");
                r
            })
            .collect()
    };
    assert_eq!(without_budget(world.sheets.world().rows("Project Plan")), without_budget(before));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_come_and_go_and_come_back_with_their_cells() {
    let world = World::start().await;
    let before = world.sheets.world().rows("Project Plan");
    insta::assert_snapshot!(world.type_line("add a picklist column Risk with Low, Medium, High").await, @"
    bot> Add column Risk of Project Plan (‹sheet›)?
         title Risk · type picklist · options Low, Medium, High
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert!(world.sheets.world().column_titles("Project Plan").contains(&"Risk".to_owned()));
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): delete column Risk.
           Asked for, confirmed and taken back by lee.
    ");
    assert!(!world.sheets.world().column_titles("Project Plan").contains(&"Risk".to_owned()));
    insta::assert_snapshot!(world.type_line("delete the Notes column").await, @"
    bot> Delete column Notes of Project Plan (‹sheet›)?
           ⚠️ 10 cells with values go with it.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(world.cell("Search page", "Notes"), "");
    world.type_line("undo").await;
    assert_eq!(world.sheets.world().rows("Project Plan"), before, "every note is back");
    world.type_line("rename column Notes to Remarks").await;
    world.type_line("confirm").await;
    assert_eq!(world.cell("Search page", "Remarks"), "Scope to be agreed");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_written_and_taken_back() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("comment on Load test: who books the servers?").await, @"
    bot> Comment on “Load test” of Project Plan (‹sheet›)?
         “who books the servers?”
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: comment on “Load test” in Project Plan (‹sheet›).
         “who books the servers?”
           Asked for and confirmed by lee.
           Rows: Load test
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back in Project Plan (‹sheet›): delete the comment on “Load test”.
           Asked for, confirmed and taken back by lee.
    ");
    assert_eq!(world.writes().last().unwrap(), "DELETE /sheets/ID/comments/ID");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_changed_meanwhile_are_left_alone_and_named() {
    let world = World::start().await;
    world.type_line("set Status to \"In Progress\" for everything assigned to Dana that is Not Started").await;
    world.sheets.world().edit("Project Plan", "Test plan", "Status", "Blocked".into());
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done for 4 of 5 rows: set Status in 5 rows in Project Plan (‹sheet›).
         Row             Was          Is
         ──────────────  ───────────  ───────────
         Usability test  Not Started  In Progress
         Page assembly   Not Started  In Progress
         Search page     Not Started  In Progress
         Training        Not Started  In Progress
           Asked for and confirmed by lee.
         Left alone (1):
         • Test plan: it was changed by somebody else meanwhile
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(world.cell("Test plan", "Status"), "Blocked");
    world.sheets.world().edit("Project Plan", "Training", "Status", "Complete".into());
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ↩️ Taken back for 3 of 4 rows in Project Plan (‹sheet›).
         Row             Was          Is
         ──────────────  ───────────  ───────────
         Usability test  In Progress  Not Started
         Page assembly   In Progress  Not Started
         Search page     In Progress  Not Started
           Asked for, confirmed and taken back by lee.
         Left alone (1):
         • Training: it was changed by somebody else meanwhile
    ");
    assert_eq!(world.cell("Training", "Status"), "Complete", "undo is conditional, too");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_or_late_proposal_changes_nothing() {
    let world = World::start().await;
    world.type_line("mark \"Usability test\" as complete").await;
    insta::assert_snapshot!(world.type_line("cancel").await, @"bot> ✖️ Cancelled: set Status in 1 row. Nothing was changed.");
    world.type_line("mark \"Usability test\" as complete").await;
    world.clock.advance(Duration::from_secs(601));
    insta::assert_snapshot!(world.type_line("confirm").await, @"bot> ⌛ Too late to confirm: set Status in 1 row. Nothing was changed. Please ask again if you still want it.");
    assert!(world.writes().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_comes_once_and_not_after_a_day() {
    let world = World::start().await;
    world.type_line("mark \"Usability test\" as complete").await;
    world.type_line("confirm").await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    insta::assert_snapshot!(world.type_line("undo").await, @"bot> Changes can be taken back for 24 hours; this one is older.");
    world.type_line("mark \"Go-live\" as complete").await;
    world.type_line("confirm").await;
    world.type_line("undo").await;
    assert_eq!(world.cell("Go-live", "Status"), "Not Started");
    assert_eq!(world.cell("Usability test", "Status"), "Complete");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_change_asks_for_its_number() {
    let settings = vec![("CONFIRM_LIMIT_ROWS", "5".to_owned())];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.type_line("set Status to \"In Progress\" for everything assigned to Dana that is Not Started").await;
    insta::assert_snapshot!(world.type_line("confirm").await, @"
    bot> This is a large change: set Status in 5 rows. To carry it out, press the button with the number, or type 5.
         Row             Now          New
         ──────────────  ───────────  ───────────
         Usability test  Not Started  In Progress
         Page assembly   Not Started  In Progress
         Search page     Not Started  In Progress
         Test plan       Not Started  In Progress
         Training        Not Started  In Progress
         [1] Yes, all 5 rows   [2] Cancel   (type the number or the words)
    ");
    assert!(world.writes().is_empty(), "one press is not enough");
    insta::assert_snapshot!(world.type_line("4").await, @"bot> The waiting change touches 5 rows, not 4. Type 5 to carry it out, or press Cancel.");
    let said = world.type_line("5").await;
    assert!(said.contains("Done: set Status in 5 rows"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_changes_may_be_applied_at_once_when_the_operator_allows_it() {
    let settings = vec![("CONFIRM_WRITES", "bulk".to_owned())];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    insta::assert_snapshot!(world.type_line("mark \"Usability test\" as complete").await, @r"
    bot> ✅ Done: set Status in 1 row in Project Plan (‹sheet›).
         Row             Was          Is
         ──────────────  ───────────  ────────
         Usability test  Not Started  Complete
           Asked for by lee.
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_eq!(world.cell("Usability test", "Status"), "Complete");
    assert!(world.type_line("delete \"Press kit\"").await.contains("[1] Confirm"), "a deletion still asks");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_that_do_not_fit_are_refused_with_what_would() {
    let world = World::start().await;
    insta::assert_snapshot!(world.type_line("set Status to \"Someday\" for Load test").await, @"bot> That did not work: “Someday” is not an option of Status; the options are: Not Started, In Progress, Complete, Blocked, Cancelled");
    insta::assert_snapshot!(world.type_line("assign Load test to Ghost").await, @"bot> That did not work: I do not know the e-mail address of “Ghost” for Assigned To; use an e-mail address, or one of: Lee Park, Priya Nair, Mia Jensen, Omar Haddad, Dana Reyes");
    insta::assert_snapshot!(world.type_line("set Status to Complete for \"No such task\"").await, @"bot> That did not work: nothing would change: no row matches (condition: Task Name is “No such task”); no row has Task Name “No such task”");
    assert!(world.writes().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_holds_on_postgresql() {
    let Some(world) = World::with(Setting { postgres: true, ..Setting::default() }).await else { return };
    world.type_line("set Status to \"In Progress\" for everything assigned to Dana that is Not Started").await;
    world.type_line("confirm").await;
    assert_eq!(world.cell("Test plan", "Status"), "In Progress");
    world.type_line("undo").await;
    assert_eq!(world.cell("Test plan", "Status"), "Not Started");
    world.type_line("delete the rows marked Cancelled").await;
    assert!(world.type_line("confirm").await.contains("Done: delete 2 rows"));
    assert!(world.type_line("which tasks are overdue?").await.contains("5 rows match"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_changes_go_in_chunks() {
    let smartsheet = Options { seed: Seed::Large { rows: 1200, columns: 4 }, ..Options::default() };
    let world = World::with(Setting { smartsheet: Some(smartsheet), unbound: true, ..Setting::default() }).await.unwrap();
    world.use_sheet("Large").await;
    let before = world.sheets.world().rows("Large");
    world.type_line("set Group 1 to North for all rows").await;
    assert!(world.type_line("confirm").await.contains("type"), "a large change asks for its number");
    world.type_line("900").await;
    world.app.jobs.until_idle().await.unwrap();
    let said = world.seen();
    assert!(said.contains("Done: set Group 1 in 900 rows"), "it is carried out by a job: {said}");
    assert_eq!(world.writes().len(), 2, "500 rows a call");
    assert!(world.sheets.world().rows("Large").iter().all(|r| r["Group 1"] == "North"));
    world.type_line("undo").await;
    world.app.jobs.until_idle().await.unwrap();
    assert_eq!(world.sheets.world().rows("Large"), before);
    world.type_line("delete all rows that are South").await;
    world.type_line("confirm").await;
    world.type_line("Yes, all 720 rows").await;
    world.app.jobs.until_idle().await.unwrap();
    let said = world.seen();
    assert!(said.contains("Done: delete 720 rows"), "it is a job, too: {said}");
    let longest = world.sheets.world().log.iter().filter(|l| l.method == "DELETE").map(|l| l.path.split(',').count()).max().unwrap();
    assert!(longest <= 350, "{longest} ids in one URL");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undo_never_takes_away_what_others_wrote() {
    let world = World::start().await;
    world.type_line("add a task \"Fire drill\" under Phase 4").await;
    world.type_line("confirm").await;
    world.sheets.world().edit("Project Plan", "Fire drill", "Notes", "Omar: booked for Friday".into());
    insta::assert_snapshot!(world.type_line("undo").await, @"
    bot> ⚠️ Nothing was taken back.
         Left alone (1):
         • Fire drill: it was changed by somebody else meanwhile
    ");
    assert_eq!(world.cell("Fire drill", "Notes"), "Omar: booked for Friday");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_stay_with_a_parent_that_is_left_alone() {
    let world = World::start().await;
    world.type_line("delete \"Back end\"").await;
    world.sheets.world().edit("Project Plan", "Back end", "Priority", "Low".into());
    insta::assert_snapshot!(world.type_line("confirm").await, @"
    bot> ⚠️ Nothing was changed: delete 4 rows.
         Left alone (4):
         • Back end: it was changed by somebody else meanwhile
         • Order service: the row above it is left alone
         • Payment integration: the row above it is left alone
         • Mail service: the row above it is left alone
    ");
    assert_eq!(world.sheets.world().rows("Project Plan").len(), 42);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_fits_two_people_is_asked_back_with_buttons() {
    let world = World::start().await;
    world.use_sheet("Budget 2026").await;
    insta::assert_snapshot!(world.type_line("assign \"Cloud hosting\" to Dana").await, @r"
    bot> More than one person is called “Dana”: Dana Cho (dana.cho@example.com) and Dana Reyes (dana.reyes@example.com). Which one do you mean?
         [1] Dana Cho   [2] Dana Reyes   (type the number or the words)
    ");
    insta::assert_snapshot!(world.type_line("Dana Reyes").await, @r"
    bot> Set Owner in 1 row of Budget 2026 (‹sheet›)?
           Where Line Item is “Cloud hosting”
         Row            Now          New
         ─────────────  ───────────  ──────────
         Cloud hosting  Omar Haddad  Dana Reyes
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(world.sheets.world().cell("Budget 2026", "Cloud hosting", "Owner").unwrap()["value"], "dana.reyes@example.com");
    // Whatever else is said after the question is not taken for an answer.
    world.type_line("assign \"Office rent\" to Dana").await;
    insta::assert_snapshot!(world.type_line("how many rows are there?").await, @"
    bot> There are 30 rows.
           Rows: 30 · all 30 rows · Budget 2026 · as of 10:30 UTC
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_whom_the_account_knows_are_found_by_name() {
    let world = World::start().await;
    world.sheets.acquaint("Erin Fox", "erin.fox@example.com");
    world.sheets.acquaint("Erin Hale", "erin.hale@example.com");
    insta::assert_snapshot!(world.type_line("assign \"Load test\" to Erin Fox").await, @r"
    bot> Set Assigned To in 1 row of Project Plan (‹sheet›)?
           Where Task Name is “Load test”
         Row        Now          New
         ─────────  ───────────  ────────
         Load test  Omar Haddad  Erin Fox
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.type_line("confirm").await;
    assert_eq!(world.sheets.world().cell("Project Plan", "Load test", "Assigned To").unwrap()["value"], "erin.fox@example.com");
    // Now she is one of the sheet, which comes first.
    insta::assert_snapshot!(world.type_line("assign \"Usability test\" to Erin").await, @r"
    bot> Set Assigned To in 1 row of Project Plan (‹sheet›)?
           Where Task Name is “Usability test”
         Row             Now         New
         ──────────────  ──────────  ────────
         Usability test  Dana Reyes  Erin Fox
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.end().await;
}

/// Cells that another sheet fills, rows that a filter of the account hides, and locked rows of a sheet that is one's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linked_hidden_and_locked_rows_are_what_they_are_in_smartsheet() {
    let world = World::start().await;
    let link = json!({ "status": "OK", "sheetId": 1, "rowId": 2, "columnId": 3, "sheetName": "Elsewhere" });
    let row = |name: &str, amount: Value| json!({ "cells": { "Item": { "value": name, "displayValue": name }, "Amount": amount } });
    let linked = json!({ "value": 5.0, "displayValue": "5", "linkInFromCell": link });
    let rows = [row("Linked", linked), row("Typed", json!({ "value": 7.0, "displayValue": "7" }))];
    let columns = json!([{ "title": "Item", "type": "TEXT_NUMBER" }, { "title": "Amount", "type": "TEXT_NUMBER" }]);
    world.sheets.world().plant(&json!({ "name": "Ledger", "columns": columns, "rows": rows }));
    world.type_line("use Ledger").await;
    let refused = world.type_line("set Amount to 9 for Linked").await;
    assert!(refused.contains("linked from another sheet"), "{refused}");
    let both = world.type_line("set Amount to 9 for all rows").await;
    assert!(both.contains("1 cell is left alone because it is linked from another sheet"), "{both}");
    world.type_line("cancel").await;

    world.type_line("use Project Plan").await;
    let all = world.type_line("how many rows are there?").await;
    world.sheets.world().filter_out("Project Plan", "Load test");
    assert_eq!(world.type_line("how many rows are there?").await, all, "what a filter hides is counted");
    let found = world.type_line("who owns Load test?").await;
    assert!(found.contains("Omar Haddad"), "{found}");

    world.sheets.world().lock_row("Project Plan", "Usability test");
    world.type_line("mark \"Usability test\" as complete").await;
    let done = world.type_line("confirm").await;
    assert!(done.contains("Done: set Status in 1 row"), "owners write to what is locked: {done}");
    assert_eq!(world.cell("Usability test", "Status"), "Complete");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_a_date_do_not_keep_others_from_moving() {
    let world = World::start().await;
    let cell = |text: &str| json!({ "value": text, "displayValue": text });
    let rows =
        [json!({ "cells": { "Item": cell("Dated"), "Due": { "value": "2026-12-01" } } }), json!({ "cells": { "Item": cell("Undated") } })];
    let columns = json!([{ "title": "Item", "type": "TEXT_NUMBER" }, { "title": "Due", "type": "DATE" }]);
    world.sheets.world().plant(&json!({ "name": "Ledger", "columns": columns, "rows": rows }));
    world.type_line("use Ledger").await;
    let asked = world.type_line("set Due to +7 days for all rows").await;
    assert!(asked.contains("2026-12-08") && asked.contains("1 cell is left alone because it holds no date that could be moved"), "{asked}");
    world.end().await;
}
