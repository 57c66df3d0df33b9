//! Project sheets: what Smartsheet computes is left to it, and what moves along is said before.

use crate::world::World;

async fn office_move() -> World {
    let world = World::start().await;
    world.use_sheet("🏢 Office Move").await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_smartsheet_sets_back_is_not_called_done() {
    let world = office_move().await;
    let before = world.sheets.world().picture("🏢 Office Move");
    insta::assert_snapshot!(world.type_line("push Build by a week").await, @r"
    bot> Set Start in 1 row of 🏢 Office Move (‹sheet›)?
           Where Task is “Build”
         Row    Now               New
         ─────  ────────────────  ──────────
         Build  2026-11-26 08:00  2026-12-03
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Build waits for other rows: Smartsheet may set its start back to what they make of it.
           ⚠️ Smartsheet may move the rows that wait for these, too: Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ⚠️ Nothing was changed: set Start in 1 row.
         Left alone (1):
         • Build: Smartsheet has set it back, because it works it out from the rows before it: change those, or what this row waits for
    ");
    insta::assert_snapshot!(world.type_line("undo").await, @"bot> There is no change of this thread that could be taken back.");
    assert_eq!(world.sheets.world().picture("🏢 Office Move"), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_waits_for_nothing_moves_and_comes_back() {
    let world = office_move().await;
    let before = world.sheets.world().picture("🏢 Office Move");
    world.type_line("push \"Choose a site\" by a week").await;
    insta::assert_snapshot!(world.type_line("confirm").await, @r"
    bot> ✅ Done: set Start in 1 row in 🏢 Office Move (‹sheet›).
           Rows: Choose a site
         [1] Undo   (type the number or the words)
           You can take this back for 24 hours.
    ");
    assert_ne!(world.sheets.world().picture("🏢 Office Move"), before);
    insta::assert_snapshot!(world.type_line("undo").await, @r"
    bot> ↩️ Taken back in 🏢 Office Move (‹sheet›): set Start in 1 row.
           Rows: Choose a site
    ");
    assert_eq!(world.sheets.world().picture("🏢 Office Move"), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_task_waits_for_is_told() {
    let world = office_move().await;
    insta::assert_snapshot!(world.type_line("what does Paint wait for?").await, @r"
    bot> It waits for the rows with these numbers:
         Task   Predecessors
         ─────  ────────────
         Paint  6
           Queried 🏢 Office Move: Task is “Paint” · all 8 rows · 1 result · version 1 · 10:30 UTC
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_refused_with_what_to_change_instead() {
    let world = office_move().await;
    insta::assert_snapshot!(world.type_line("set Finish of Build to 2027-01-15").await, @"bot> That did not work: Finish cannot be written: Smartsheet computes it from start and duration in this project sheet: change the duration or the start");
    insta::assert_snapshot!(world.type_line("set Duration of Build to 4d").await, @r"
    bot> Set Duration in 1 row of 🏢 Office Move (‹sheet›)?
           Where Task is “Build”
         Row    Now  New
         ─────  ───  ───
         Build  15d  4d
           ⚠️ Finish follows by itself: Smartsheet computes it from start and duration.
           ⚠️ Smartsheet may move the rows that wait for these, too: Paint and Moving day.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    world.end().await;
}
