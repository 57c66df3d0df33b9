//! Writes of which nobody knows whether they were carried out: nothing of them is lost, done twice or forgotten by an undo.

use crate::jobs::{cells, trials, type_and_wait};
use crate::world::{Setting, World};
use sandbox::fault::Kind;
use sandbox::{azure, slack, smartsheet};
use serde_json::json;
use std::time::Duration;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_while_nothing_answers_does_not_wait_for_better_times() {
    let world = trials().await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.sheets.faults().rate(Kind::ServerError, 1.0);
    world.azure.pause(true);
    world.send_line("confirm").await;
    world.app.bot.until_idle().await;
    let job = world.app.jobs.list("", Some(&world.asker("lee")), 1).await.unwrap().remove(0);
    world.app.jobs.cancel(&job.id, &world.asker("lee")).await.unwrap();
    world.azure.pause(false);
    world.app.jobs.until_idle().await.unwrap();
    let said = world.seen();
    assert!(said.contains("Cancelled: summarize Protocol into AI Summary"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_presses_at_once_one_counts_and_the_last_word_stands() {
    let world = World::with(Setting { slack: Some(slack::Options::default()), unbound: true, ..Setting::default() }).await.unwrap();
    for text in ["use Clinical Trials", "summarize Protocol into AI Summary"] {
        world.slack.say("D1", "U1", text, None).await;
        world.app.bot.until_idle().await;
    }
    tokio::join!(world.slack.press("D1", "U1", "Confirm"), world.slack.press("D1", "U1", "Confirm"));
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let seen: Vec<String> = world.slack.messages().iter().map(slack::Posted::seen).collect();
    assert_eq!(seen.iter().filter(|m| m.contains("Done: summarize")).count(), 1, "{seen:?}");
    assert!(!seen.iter().any(|m| m.contains("Queued") || m.contains("It begins")), "{seen:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_says_until_when() {
    let limit = Some((5, Duration::from_secs(3_600)));
    let azure = Some(azure::Options { limit, ..azure::Options::default() });
    let world = World::with(Setting { azure, slack: Some(slack::Options::default()), unbound: true, ..Setting::default() }).await.unwrap();
    for text in ["use Clinical Trials", "summarize Protocol into AI Summary"] {
        world.slack.say("D1", "U1", text, None).await;
        world.app.bot.until_idle().await;
    }
    world.slack.press("D1", "U1", "Confirm").await;
    let waits = |m: &slack::Posted| m.seen().contains("the model's limit is used up, it goes on in about 60 minutes");
    world.slack.until(|all| all.iter().any(waits)).await.unwrap();
    let person = chatsheet::store::Asker { id: "U1".into(), install: "slack|T1".into() };
    let job = world.app.jobs.list("", Some(&person), 1).await.unwrap().remove(0);
    world.app.jobs.cancel(&job.id, &person).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert!(world.slack.messages().iter().any(|m| m.seen().contains("Cancelled: summarize")));
    world.end().await;
}
