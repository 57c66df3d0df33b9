//! How jobs end when something stands against it: halves are finished, last words are said later, limits are waited for.

use crate::jobs::{cells, new_job, trials, type_and_wait};
use crate::world::{Setting, World};
use chatsheet::events::Event;
use chatsheet::store::{JobStatus, LEASE};
use sandbox::azure::{Mode, Reply};
use sandbox::fault::Kind;
use sandbox::{azure, slack, smartsheet};
use serde_json::json;
use std::time::Duration;

/// A large sheet, of which as many rows can be changed as one likes.
async fn large() -> World {
    let options = smartsheet::Options { seed: smartsheet::Seed::Large { rows: 2_000, columns: 4 }, ..smartsheet::Options::default() };
    let settings = vec![("CONFIRM_LIMIT_ROWS", "5000".into())];
    World::with(Setting { smartsheet: Some(options), settings, unbound: true, ..Setting::default() }).await.unwrap()
}

fn puts(world: &smartsheet::World) -> usize {
    world.log.iter().filter(|l| l.method == "PUT").count()
}

fn groups(world: &World) -> Vec<String> {
    world.sheets.world().rows("Large").iter().map(|r| r["Group 1"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_that_was_cancelled_half_way_is_finished_later_and_nothing_before_it_is_touched() {
    let world = large().await;
    world.use_sheet("Large").await;
    let original = groups(&world);
    world.type_line("set Notes to checked for row 1").await;
    world.type_line("confirm").await;
    world.type_line("set Group 1 to North for all rows").await;
    let said = type_and_wait(&world, "confirm").await;
    assert!(said.contains("1,500 rows") && groups(&world).iter().all(|g| g == "North"), "{said}");
    let before = puts(&world.sheets.world());
    world.sheets.hold_writes(true);
    world.send_line("undo").await;
    world.sheets.until(|w| puts(w) == before + 1).await.unwrap();
    let undo = world.app.jobs.list("", Some(&world.asker("lee")), 1).await.unwrap().remove(0);
    world.app.jobs.cancel(&undo.id, &world.asker("lee")).await.unwrap();
    world.sheets.hold_writes(false);
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let said = world.seen();
    let back = groups(&world).iter().zip(&original).filter(|(now, was)| now == was && *was != "North").count();
    assert!((1..=500).contains(&back) && said.contains(&format!("{back} of 1500 rows were taken back")), "{back}: {said}");
    assert!(said.contains("Take back the rest"), "{said}");
    let said = type_and_wait(&world, "undo").await;
    assert!(groups(&world) == original && said.contains(&format!("({} changes)", 1_500 - back)), "the rest, and that alone: {said}");
    assert_eq!(puts(&world.sheets.world()) - before, 3, "no row is taken back twice");
    let again = world
        .app
        .jobs
        .undo(&world.app.store.jobs_of("", Some(&world.asker("lee")), 9, 0).await.unwrap().0.last().unwrap().id, &world.asker("lee"), "lee")
        .await;
    assert!(again.is_err_and(|e| e.to_string().contains("asked for already")), "all of it is taken back");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_of_which_nothing_came_does_not_stand_before_older_changes() {
    let world = trials().await;
    world.type_line("set Recruitment to Terminated for NCT-01").await;
    world.type_line("confirm").await;
    let state = |world: &World| world.cell_of("Clinical Trials", "Trial", "NCT-01", "Recruitment");
    assert_eq!(state(&world), "Terminated");
    world.type_line("summarize Protocol into Short for the phase 3 trials that are recruiting").await;
    type_and_wait(&world, "confirm").await;
    let rows = world.sheets.world().rows("Clinical Trials");
    for trial in rows.iter().filter(|r| r.get("Short").is_some_and(|s| !s.is_empty())) {
        world.sheets.edit("Clinical Trials", &trial["Trial"], "Short", "mine".into());
    }
    let said = type_and_wait(&world, "undo").await;
    assert!(said.contains("Nothing was taken back") && cells(&world, "Short").iter().any(|c| c == "mine"), "{said}");
    world.type_line("undo").await;
    assert_eq!(state(&world), "Recruiting", "the change before it is next");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_last_word_that_cannot_be_said_is_said_when_the_platform_is_back() {
    let world = World::with(Setting { slack: Some(slack::Options::default()), ..Setting::default() }).await.unwrap();
    let say = async |text: &str| {
        world.slack.say("D1", "U1", text, None).await;
        world.app.bot.until_idle().await;
    };
    say("use Clinical Trials").await;
    say("summarize Protocol into Short for the phase 3 trials that are recruiting").await;
    world.azure.pause(true);
    world.slack.press("D1", "U1", "Confirm").await;
    world.slack.until(|all| all.last().unwrap().seen().contains("so far")).await.unwrap();
    world.slack.faults().rate(Kind::RateLimited, 1.0);
    world.azure.pause(false);
    world.app.jobs.until_idle().await.unwrap();
    let person = chatsheet::store::Asker { id: "U1".into(), install: "slack|T1".into() };
    let job = world.app.jobs.list("", Some(&person), 1).await.unwrap().remove(0);
    assert_eq!(job.status, JobStatus::Completed);
    assert!(world.slack.messages().last().unwrap().seen().contains("so far"), "the thread does not know yet");
    world.slack.faults().clear();
    world.clock.advance(Duration::from_secs(31));
    world.slack.until(|all| all.last().unwrap().seen().contains("6 rows written")).await.unwrap();
    let last = world.slack.messages().pop().unwrap();
    assert!(last.seen().contains("[Undo]"), "{}", last.seen());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_far_an_undo_came_is_told_later_too() {
    let world = large().await;
    let said = async |words: &'static str| world.slack.until(|all| all.iter().any(|m| m.seen().contains(words))).await.unwrap();
    world.slack.say("D1", "U1", "use Large", None).await;
    said("is now about").await;
    world.slack.say("D1", "U1", "set Group 1 to North for all rows", None).await;
    said("[Confirm]").await;
    world.slack.press("D1", "U1", "Confirm").await;
    said("Done: set Group 1").await;
    let before = puts(&world.sheets.world());
    world.sheets.hold_writes(true);
    world.slack.press("D1", "U1", "Undo").await;
    world.sheets.until(|w| puts(w) == before + 1).await.unwrap();
    world.slack.faults().rate(Kind::RateLimited, 1.0);
    let person = chatsheet::store::Asker { id: "U1".into(), install: "slack|T1".into() };
    // Both began in the same millisecond of this world's clock.
    let undo = world.app.jobs.list("", Some(&person), 9).await.unwrap().into_iter().find(|j| !j.status.ended()).unwrap();
    world.app.jobs.cancel(&undo.id, &person).await.unwrap();
    world.sheets.hold_writes(false);
    world.app.jobs.until_idle().await.unwrap();
    world.slack.faults().clear();
    world.clock.advance(Duration::from_secs(31));
    said("of 1500 rows were taken back").await;
    let last = world.slack.messages().into_iter().rfind(|m| m.seen().contains("were taken back")).unwrap().seen();
    assert!(!last.contains(" 0 of 1500") && last.contains("[Take back the rest]"), "{last}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_lasts_longer_than_anybody_waits_ends_no_job() {
    // The deployment asks for an hour; that is no try, however often it does.
    let limit = Some((5, Duration::from_secs(3_600)));
    let world =
        World::with(Setting { azure: Some(azure::Options { limit, ..azure::Options::default() }), ..Setting::default() }).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.send_line("confirm").await;
    world.app.bot.until_idle().await;
    let job = async || world.app.jobs.list("", Some(&world.asker("lee")), 1).await.unwrap().remove(0);
    // Less than a lease at a time, and none while it runs, as if it slept.
    let until = world.clock.now_ms() + 720_000;
    while world.clock.now_ms() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if world.app.store.running_jobs_of(&world.asker("lee"), world.clock.now_ms()).await.unwrap() == 0 {
            world.clock.advance(LEASE / 2);
        }
    }
    assert!(!job().await.status.ended(), "{:?}", job().await);
    assert!(job().await.attempts <= 2, "to wait is no try: {}", job().await.attempts);
    world.app.jobs.cancel(&job().await.id, &world.asker("lee")).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_model_never_answers_fails_alone() {
    let world = trials().await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.azure.stumble_over("IGNORE PREVIOUS INSTRUCTIONS");
    let said = world.ticking(type_and_wait(&world, "confirm")).await;
    assert!(said.contains("59 rows written") && said.contains("NCT-34: the model did not answer for this row"), "{said}");
    assert!(said.contains("Retry failed"), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_change_passes_a_large_one_of_the_same_sheet() {
    let options = smartsheet::Options {
        seed: smartsheet::Seed::Large { rows: 16_000, columns: 4 },
        write_latency: Duration::from_millis(150),
        ..smartsheet::Options::default()
    };
    let world = World::with(Setting { smartsheet: Some(options), unbound: true, ..Setting::default() }).await.unwrap();
    let change = async |id: &str, asker: &str, criteria: &str, value: &str| {
        let parameters = json!({ "criteria": criteria, "updates": { "Group 1": value } });
        let place = world.place_of(asker, "Large").await;
        world.app.jobs.create(new_job(id, "BULK_UPDATE", parameters, place)).await.unwrap();
    };
    let mut events = world.app.events.listen();
    let mut told = async |id: &str, status: JobStatus| {
        loop {
            if let Event::Job(e) = events.recv().await.unwrap()
                && (&*e.id, e.status) == (id, status.as_str())
            {
                return;
            }
        }
    };
    world.sheets.hold_writes(true);
    change("large", "omar", "row_number > 10", "North").await;
    world.sheets.until(|w| puts(w) == 1).await.unwrap();
    change("small", "mia", "row_number <= 10", "South").await;
    told("small", JobStatus::Processing).await;
    world.sheets.hold_writes(false);
    told("small", JobStatus::Completed).await;
    let before = puts(&world.sheets.world());
    let large = world.app.jobs.read("large", &world.asker("omar")).await.unwrap();
    assert!(before < 24 && !large.status.ended(), "{before} requests of the large one had to come first");
    assert!(groups(&world)[..10].iter().all(|g| g == "South"));
    world.app.jobs.cancel("large", &world.asker("omar")).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_while_a_job_runs_is_told_how_to_stop_it_and_lists_lead_to_it() {
    let world = trials().await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.azure.pause(true);
    world.type_line("confirm").await;
    let stopped = world.type_line("stop").await;
    assert!(stopped.contains("goes on; cancel"), "{stopped}");
    let listed = world.type_line("jobs").await;
    let status = listed.split("Status ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let detail = world.type_line(&format!("Status {status}")).await;
    assert!(detail.contains("processing") && detail.contains("Cancel"), "{detail}");
    let told = world.type_line(&format!("cancel {status}")).await;
    assert!(told.contains("The job stops"), "{told}");
    world.azure.pause(false);
    world.app.jobs.until_idle().await.unwrap();
    assert!(world.seen().contains("Cancelled: summarize"));
    let again = type_and_wait(&world, &format!("retry {status}")).await;
    assert!(again.contains("Queued") && again.contains("Done: summarize"), "{again}");
    assert!(cells(&world, "AI Summary").iter().all(|c| !c.is_empty()), "the rest is done");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_many_rows_have_failed_is_seen_while_a_job_runs() {
    let call = json!({ "sheet": null, "kind": "SUMMARIZE", "source_columns": ["Protocol"], "target_column": "AI Summary",
        "where_sql": "row_number <= 30", "instructions": null, "limit": null });
    let good = || Reply::Say(json!({ "summary": "A short text." }).to_string());
    let unusable = || Reply::Say("no JSON".into());
    let mut script = vec![Reply::call("propose_job", call), good(), good(), good(), unusable(), unusable()];
    script.extend((0..26).map(|_| good()));
    let setting = Setting {
        slack: Some(slack::Options::default()),
        azure: Some(azure::Options { row_latency: Duration::from_millis(250), ..azure::Options::default() }),
        model: Some(Mode::Script(script)),
        settings: vec![("JOB_CONCURRENCY", "1".into())],
        ..Setting::default()
    };
    let world = World::with(setting).await.unwrap();
    for text in ["use Clinical Trials", "summarize"] {
        world.slack.say("D1", "U1", text, None).await;
        world.app.bot.until_idle().await;
    }
    world.slack.press("D1", "U1", "Confirm").await;
    world.slack.until(|all| all.last().unwrap().seen().contains("1 failed")).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert!(world.slack.messages().last().unwrap().seen().contains("29 rows written"));
    world.end().await;
}
