//! Writes of which nobody knows whether they were carried out: nothing of them is lost, done twice or forgotten by an undo.

use crate::jobs::{cells, trials, type_and_wait};
use crate::world::{Setting, World};
use sandbox::fault::Kind;
use sandbox::smartsheet;
use serde_json::json;

async fn impatient(seed: smartsheet::Seed) -> World {
    let smartsheet = Some(smartsheet::Options { seed, ..smartsheet::Options::default() });
    let settings = vec![("CONFIRM_LIMIT_ROWS", "5000".into())];
    World::with(Setting { smartsheet, settings, unbound: true, impatient: true, ..Setting::default() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_answers_are_lost_goes_on_later_and_fails_no_row() {
    let world = impatient(smartsheet::Seed::Large { rows: 2_000, columns: 4 }).await;
    world.use_sheet("Large").await;
    let groups = || world.sheets.world().rows("Large").iter().map(|r| r["Group 1"].clone()).collect::<Vec<_>>();
    let original = groups();
    world.type_line("set Group 1 to North for all rows").await;
    for _ in 0..8 {
        world.sheets.faults().next_write(Kind::Reset);
    }
    let said = world.ticking(type_and_wait(&world, "confirm")).await;
    assert!(said.contains("1,500 rows") && said.contains("Done") && !said.contains("Not written"), "{said}");
    assert!(groups().iter().all(|g| g == "North"));
    world.ticking(type_and_wait(&world, "undo")).await;
    assert_eq!(groups(), original);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lands_after_a_second_try_was_refused_is_ours_and_is_taken_back() {
    let world = impatient(smartsheet::Seed::Samples).await;
    world.use_sheet("Project Plan").await;
    let before = world.cell("Mail service", "Status");
    world.type_line("mark \"Mail service\" as Complete").await;
    // The first answer never comes; the second try is refused because the first one is still being saved, and now it lands.
    world.sheets.faults().next_write(Kind::Hang);
    world.sheets.faults().next_write(Kind::Busy);
    world.sheets.at_write(2, |w| w.edit("Project Plan", "Mail service", "Status", json!("Complete")));
    let said = world.type_line("confirm").await;
    assert!(said.contains("Done: set Status in 1 row"), "{said}");
    assert!(world.type_line("undo").await.contains("Taken back"));
    assert_eq!(world.cell("Mail service", "Status"), before);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_undo_could_not_take_back_is_taken_back_by_the_next() {
    let world = trials().await;
    world.type_line("set Recruitment to Terminated for NCT-01").await;
    world.type_line("confirm").await;
    world.type_line("summarize Protocol into Short for the phase 3 trials that are recruiting").await;
    type_and_wait(&world, "confirm").await;
    let filled = || cells(&world, "Short").iter().filter(|c| !c.is_empty()).count();
    let written = filled();
    assert!(written > 0);
    world.sheets.at_write(1, |w| w.set_access("Clinical Trials", "VIEWER"));
    let said = type_and_wait(&world, "undo").await;
    assert!(filled() == written && said.contains("Take back the rest"), "{said}");
    world.sheets.world().set_access("Clinical Trials", "OWNER");
    let said = type_and_wait(&world, "undo").await;
    assert!(filled() == 0 && said.contains("Taken back"), "{said}");
    assert_eq!(world.cell_of("Clinical Trials", "Trial", "NCT-01", "Recruitment"), "Terminated", "nothing older was taken back");
    world.end().await;
}
