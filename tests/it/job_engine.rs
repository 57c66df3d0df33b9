//! The engine behind jobs: asked for without a conversation, fair, within the limits of others, stopped in time.

use crate::jobs::{cells, new_job, trials, type_and_wait};
use crate::world::{Setting, World};
use chatsheet::events::{Event, JobEvent};
use chatsheet::store::{JobStatus, LEASE, Place};
use sandbox::azure::Reply;
use sandbox::fault::Kind;
use sandbox::{azure, smartsheet};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;

fn slow_model(milliseconds: u64) -> azure::Options {
    azure::Options { latency: Duration::from_millis(milliseconds), ..azure::Options::default() }
}

fn large(rows: usize) -> smartsheet::Options {
    smartsheet::Options { seed: smartsheet::Seed::Large { rows, columns: 6 }, ..smartsheet::Options::default() }
}

/// The last thing that the bus says of a job.
async fn ended(events: &mut Receiver<Event>, id: &str) -> JobEvent {
    loop {
        if let Event::Job(event) = events.recv().await.unwrap()
            && *event.id == *id
            && !matches!(event.status, "queued" | "processing")
        {
            return event;
        }
    }
}

fn rows_in(requests: &[Value]) -> usize {
    requests.iter().filter(|r| r["response_format"].is_object() || r["prompt"].is_string()).count()
}

fn about_rows(world: &World) -> usize {
    rows_in(&world.azure.requests())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_made_read_listed_and_cancelled_without_a_conversation() {
    let world = trials().await;
    let place = world.place_of("mia", "Clinical Trials").await;
    let new = |id: &str, kind: &str, parameters: Value| new_job(id, kind, parameters, place.clone());
    let jobs = &world.app.jobs;
    let mut events = world.app.events.listen();
    let update = json!({ "criteria": "phase = 'Phase 1'", "updates": { "Country": "EMEA", "Fit": "1" } });
    let job = jobs.create(new("j1", "BULK_UPDATE", update.clone())).await.unwrap();
    assert_eq!(jobs.create(new("j1", "BULK_UPDATE", update)).await.unwrap().id, job.id, "asked for twice, done once");
    let last = ended(&mut events, "j1").await;
    jobs.until_idle().await.unwrap();
    let done = jobs.read("j1", &world.asker("mia")).await.unwrap();
    let changed = cells(&world, "Country").iter().filter(|c| *c == "EMEA").count();
    assert_eq!((last.status, last.view.settled, last.view.total), ("completed", changed, changed));
    assert_eq!(done.result.unwrap()["rowsAffected"], json!(changed));
    assert!(changed > 0 && world.writes().len() == 1, "{changed} rows, {:?}", world.writes());
    assert_eq!(done.parameters["criteria"], "phase = 'Phase 1'");
    assert_eq!(done.parameters["updates"], json!({ "Country": "EMEA", "Fit": "1" }));
    let scores = json!({ "sourceColumns": ["Protocol"], "targetColumn": "Fit", "filter": "phase = 'Phase 1'", "instructions": "asthma" });
    jobs.create(new("j2", "SCORE_ALIGNMENT", scores)).await.unwrap();
    jobs.until_idle().await.unwrap();
    assert_eq!(jobs.read("j2", &world.asker("mia")).await.unwrap().result.unwrap()["processedRows"], json!(changed));
    let listed: Vec<(String, JobStatus)> =
        jobs.list("", Some(&world.asker("mia")), 10).await.unwrap().into_iter().map(|j| (j.id, j.status)).collect();
    assert_eq!(listed, [("j2".into(), JobStatus::Completed), ("j1".into(), JobStatus::Completed)]);
    for (kind, parameters, why) in [
        ("POLISH", json!({}), "'POLISH' is not a kind of job"),
        ("SUMMARIZE", json!({ "sourceColumns": ["Protocol"], "targetColumn": "AI Summary", "rows": 5 }), "unknown field `rows`"),
        ("SUMMARIZE", json!({ "sourceColumns": ["Nothing"], "targetColumn": "AI Summary" }), "there is no column called Nothing"),
        ("BULK_UPDATE", json!({ "criteria": "1 = 1; DROP TABLE sheet", "updates": { "Fit": "1" } }), ""),
        ("BULK_UPDATE", json!({ "updates": {} }), "nothing to set"),
    ] {
        let refused = jobs.create(new("j3", kind, parameters)).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert!(jobs.read("j1", &world.asker("lee")).await.is_err(), "jobs of others are not shown");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_with_a_model_takes_two_requests_beside_those_that_write() {
    let setting = Setting { smartsheet: Some(large(1_200)), azure: Some(slow_model(5)), unbound: true, ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    let writes = 1_200_usize.div_ceil(500);
    let summary = async |id: &str, rewritten: Option<&str>| {
        let place = world.place_of("mia", "Large").await;
        let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Summary" });
        let (asked, before) = (about_rows(&world), world.sheets.world().log.len());
        world.app.jobs.create(new_job(id, "SUMMARIZE", parameters, place)).await.unwrap();
        if let Some(row) = rewritten {
            world.azure.until(|requests| rows_in(requests) > asked + 600).await.unwrap();
            world.sheets.edit("Large", row, "Summary", json!("my own words"));
        }
        world.app.jobs.until_idle().await.unwrap();
        let job = world.app.jobs.read(id, &world.asker("mia")).await.unwrap();
        let sheet = world.sheets.world();
        // Where the account is is asked once, not for each job.
        let log: Vec<_> = sheet.log[before..].iter().filter(|l| !l.path.ends_with("/users/me")).collect();
        assert_eq!(log.iter().filter(|l| l.method == "PUT").count(), writes, "{log:?}");
        (log.len(), job.result.unwrap()["processedRows"].clone())
    };
    assert_eq!(summary("new column", None).await, (writes + 2, json!(1_200)), "read, column, rows");
    assert_eq!(summary("same column", None).await, (writes + 2, json!(1_200)), "read, look, rows");
    // A person writes something of their own into a row that has its answer already, but not in the sheet.
    let row = world.sheets.world().rows("Large")[7]["Name"].clone();
    assert_eq!(summary("edited", Some(&row)).await, (writes + 2, json!(1_199)), "what people write stays");
    assert_eq!(world.sheets.world().rows("Large")[7]["Summary"], "my own words");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_of_a_long_job_come_into_the_sheet_while_it_runs() {
    let settings = vec![("JOB_WRITE_SECONDS", "1".into())];
    let setting = Setting { smartsheet: Some(large(1_000)), azure: Some(slow_model(40)), settings, unbound: true, ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    let place = world.place_of("mia", "Large").await;
    let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Summary" });
    world.app.jobs.create(new_job("long", "SUMMARIZE", parameters, place)).await.unwrap();
    world.sheets.until(|w| w.log.iter().any(|l| l.method == "PUT")).await.unwrap();
    assert!(about_rows(&world) < 1_000, "the other half is still asked for");
    world.app.jobs.until_idle().await.unwrap();
    assert!(world.sheets.world().rows("Large").iter().all(|r| r.contains_key("Summary")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_goes_away_meanwhile_costs_no_answer() {
    let smartsheet = smartsheet::Options { seed: smartsheet::Seed::Large { rows: 700, columns: 11 }, ..smartsheet::Options::default() };
    let setting = Setting { smartsheet: Some(smartsheet), azure: Some(slow_model(5)), unbound: true, ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    let place = world.place_of("mia", "Large").await;
    let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Text 10" });
    world.app.jobs.create(new_job("gone", "SUMMARIZE", parameters, place)).await.unwrap();
    world.azure.until(|requests| rows_in(requests) > 300).await.unwrap();
    world.sheets.world().drop_column("Large", "Text 10");
    world.app.jobs.until_idle().await.unwrap();
    let asker = world.asker("mia");
    let failed = world.app.jobs.read("gone", &asker).await.unwrap();
    assert_eq!((failed.status, failed.progress), (JobStatus::Failed, 0));
    assert!(failed.error.unwrap().contains("The column Text 10 is gone."));
    let asked = about_rows(&world);
    assert_eq!(asked, 700);
    let again = world.app.jobs.retry("gone", &asker).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert_eq!(world.app.jobs.read(&again.id, &asker).await.unwrap().result.unwrap()["processedRows"], json!(700));
    assert_eq!(about_rows(&world), asked, "nothing is asked for twice");
    assert!(world.sheets.world().rows("Large").iter().all(|r| r.contains_key("Text 10")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cancels_a_long_job_gets_one_batch_more_and_the_rest_for_nothing() {
    let setting = Setting { smartsheet: Some(large(1_500)), azure: Some(slow_model(5)), unbound: true, ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    let (place, asker) = (world.place_of("mia", "Large").await, world.asker("mia"));
    let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Summary" });
    world.app.jobs.create(new_job("long", "SUMMARIZE", parameters, place)).await.unwrap();
    world.azure.until(|requests| rows_in(requests) >= 1_200).await.unwrap();
    world.azure.pause(true);
    let under_way = world.app.jobs.read("long", &asker).await.unwrap();
    assert!(under_way.progress > 1_000, "what the model has answered counts: {}", under_way.progress);
    world.app.jobs.cancel("long", &asker).await.unwrap();
    world.azure.pause(false);
    world.app.jobs.until_idle().await.unwrap();
    let written = || world.sheets.world().rows("Large").iter().filter(|r| r.contains_key("Summary")).count();
    let job = world.app.jobs.read("long", &asker).await.unwrap();
    assert_eq!((job.status, job.progress, written()), (JobStatus::Cancelled, 500, 500));
    let asked = about_rows(&world);
    assert!((1_200..1_500).contains(&asked), "{asked}");
    world.app.jobs.retry("long", &asker).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert_eq!((written(), about_rows(&world)), (1_500, 1_500), "the rest is written, and nothing is asked for twice");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn formulas_locked_rows_and_what_is_read_are_not_written_over() {
    let world = World::start().await;
    world.sheets.world().set_access("Project Plan", "EDITOR");
    world.sheets.world().lock_row("Project Plan", "Usability test");
    let place = world.place_of("mia", "Project Plan").await;
    let new = |id: &str, parameters: Value| new_job(id, "CUSTOM", parameters, place.clone());
    let same = json!({ "sourceColumns": ["Notes"], "targetColumn": "notes", "instructions": "shorter" });
    let refused = world.app.jobs.create(new("same", same)).await.unwrap_err().to_string();
    assert!(refused.contains("cannot be one that is read"), "{refused}");
    let without = json!({ "sourceColumns": ["Task Name"], "targetColumn": "Notes", "instructions": " " });
    let refused = world.app.jobs.create(new("without", without)).await.unwrap_err().to_string();
    assert!(refused.contains("say in instructions what to do"), "{refused}");
    let before = world.sheets.world().rows("Project Plan");
    let over = json!({ "sourceColumns": ["Task Name"], "targetColumn": "Budget", "instructions": "say it in other words" });
    world.app.jobs.create(new("over", over)).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    let after = world.sheets.world().rows("Project Plan");
    let kept = |name: &str| {
        let of = |rows: &[BTreeMap<String, String>]| rows.iter().find(|r| r["Task Name"] == name).unwrap().get("Budget").cloned();
        of(&before) == of(&after)
    };
    let phase = after.iter().find(|r| r["Task Name"] == "Phase 1: Discovery").unwrap();
    assert_eq!(phase["Budget"], "$0", "a formula still makes it: the sum of texts");
    assert!(kept("Usability test") && !kept("Style guide"), "{after:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_job_says_exactly_what_it_has_done() {
    let setting = Setting { azure: Some(slow_model(40)), settings: vec![("JOB_CONCURRENCY", "2".into())], ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.send_line("confirm").await;
    world.azure.until(|asked| rows_in(asked) >= 13).await.unwrap();
    world.azure.pause(true);
    let asked = about_rows(&world);
    let job = world.app.jobs.list("", Some(&world.asker("lee")), 1).await.unwrap().remove(0);
    world.app.jobs.cancel(&job.id, &world.asker("lee")).await.unwrap();
    world.azure.pause(false);
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    assert!(about_rows(&world) <= asked + 2, "no call begins after it: {asked} before, {} after", about_rows(&world));
    let written = cells(&world, "AI Summary").iter().filter(|c| !c.is_empty()).count();
    let said = world.seen();
    assert!(said.contains(&format!("{written} of 60 rows were written.")), "{said}");
    assert_eq!(written, about_rows(&world), "what was paid for is written");
    assert!(world.azure.most_at_once() <= 3, "two rows at a time, or three for the preview: {}", world.azure.most_at_once());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_cancelled_between_two_requests_and_taken_back() {
    let settings = vec![("CONFIRM_LIMIT_ROWS", "1000".into())];
    let world = World::with(Setting { smartsheet: Some(large(1_000)), settings, unbound: true, ..Setting::default() }).await.unwrap();
    world.type_line("use Large").await;
    let before = world.sheets.world().rows("Large");
    world.type_line("delete all rows that are South").await;
    world.sheets.hold_writes(true);
    world.send_line("confirm").await;
    let deletions = |w: &smartsheet::World| w.log.iter().filter(|l| l.method == "DELETE").count();
    world.sheets.until(|w| deletions(w) == 1).await.unwrap();
    let job = world.app.jobs.list("", Some(&world.asker("lee")), 1).await.unwrap().remove(0);
    world.app.jobs.cancel(&job.id, &world.asker("lee")).await.unwrap();
    world.sheets.hold_writes(false);
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let left = world.sheets.world().rows("Large");
    assert_eq!(deletions(&world.sheets.world()), 1, "it stops between two requests");
    let said = world.seen();
    let gone = before.len() - left.len();
    assert!((1..600).contains(&gone) && said.contains(&format!("{gone} of 600 rows were written.")), "{said}");
    world.type_line("undo").await;
    world.app.jobs.until_idle().await.unwrap();
    let names = |rows: &[BTreeMap<String, String>]| rows.iter().map(|r| r["Name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&world.sheets.world().rows("Large")), names(&before), "what was deleted stands where it stood");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_job_is_not_delayed_by_a_large_one() {
    let setting = Setting {
        azure: Some(slow_model(10)),
        smartsheet: Some(large(2_000)),
        settings: vec![("JOB_CONCURRENCY", "4".into())],
        unbound: true,
        ..Setting::default()
    };
    let world = World::with(setting).await.unwrap();
    let summaries = |filter: &str, target: &str| json!({ "sourceColumns": ["Text 5"], "targetColumn": target, "filter": filter, "instructions": null, "limit": null });
    let mut events = world.app.events.listen();
    let of = world.place_of("omar", "Large").await;
    let new = new_job("large", "SUMMARIZE", summaries("1 = 1", "One"), of);
    world.app.jobs.create(new).await.unwrap();
    world.azure.until(|asked| rows_in(asked) >= 100).await.unwrap();
    let before = about_rows(&world);
    let of = world.place_of("mia", "Large").await;
    let new = new_job("small", "SUMMARIZE", summaries("row_number <= 10", "Two"), of);
    world.app.jobs.create(new).await.unwrap();
    assert_eq!(ended(&mut events, "small").await.status, "completed");
    let item = |r: &Value| r["messages"][1]["content"].as_str()?.split("on item ").nth(1)?.split(',').next()?.parse::<u32>().ok();
    let since = world.azure.requests().split_off(before);
    let small: Vec<usize> = since.iter().enumerate().filter(|(_, r)| item(r).is_some_and(|i| i < 10)).map(|(at, _)| at).collect();
    assert_eq!(small.len(), 10);
    assert!(small[9] - small[0] < 30, "ten questions of the small job, and not many more of the large one in between: {small:?}");
    assert!(!world.app.jobs.read("large", &world.asker("omar")).await.unwrap().status.ended(), "the large one still runs");
    world.app.jobs.cancel("large", &world.asker("omar")).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_three_jobs_running_is_told_that_the_fourth_waits() {
    let setting = Setting { azure: Some(slow_model(100)), settings: vec![("JOB_CONCURRENCY", "1".into())], ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    for target in ["One", "Two", "Three"] {
        world.type_line(&format!("summarize Protocol into {target}")).await;
        world.type_line("confirm").await;
    }
    let mut running = 0;
    while running < 3 {
        running = world.app.store.running_jobs_of(&world.asker("lee"), world.clock.now_ms()).await.unwrap();
        tokio::task::yield_now().await;
    }
    world.seen();
    world.type_line("summarize Protocol into Four").await;
    world.seen();
    insta::assert_snapshot!(world.type_line("confirm").await, @"bot> ⏳ Queued: summarize Protocol into Four for 60 rows. 3 jobs of yours are running already; it begins when one of them has ended. jobs tells how far it is.");
    for job in world.app.jobs.list("", Some(&world.asker("lee")), 10).await.unwrap() {
        world.app.jobs.cancel(&job.id, &world.asker("lee")).await.unwrap();
    }
    world.app.jobs.until_idle().await.unwrap();
    let said = world.seen();
    let four = said.split("\n\n").find(|m| m.contains("Cancelled: summarize Protocol into Four")).unwrap_or_else(|| panic!("{said}"));
    assert!(four.contains("0 of 60 rows were written."), "who waits is told, too: {four}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_a_deployment_slow_a_job_and_do_not_end_it() {
    let limit = Some((15, Duration::from_millis(400)));
    let setting = Setting { azure: Some(azure::Options { limit, ..azure::Options::default() }), ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    world.type_line("summarize Protocol into AI Summary").await;
    let said = type_and_wait(&world, "confirm").await;
    assert!(said.contains("60 rows written"), "{said}");
    let asked = about_rows(&world);
    assert!(asked <= 66, "it waits for the reset instead of running into the limit: {asked} requests for 60 rows");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_only_continues_texts_serves_the_rows() {
    let settings = vec![("AZURE_OPENAI_COMPLETIONS_DEPLOYMENT", azure::TEXT_DEPLOYMENT.to_owned())];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    world.type_line("score how well each protocol fits children with asthma into Fit").await;
    world.azure.faults().rate(Kind::RateLimited, 0.05);
    let said = world.ticking(type_and_wait(&world, "confirm")).await;
    assert!(said.contains("60 rows written"), "{said}");
    let texts = world.azure.requests().iter().filter(|r| r["prompt"].is_string()).count();
    assert!(texts >= 60, "{texts}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_score_is_explained_on_demand() {
    let world = trials().await;
    world.type_line("score how well each protocol fits children with asthma into Fit").await;
    type_and_wait(&world, "confirm").await;
    insta::assert_snapshot!(world.type_line("why does NCT-04 score so?").await, @"bot> NCT-04 has 66 in Fit: It speaks of 2 of 3 words of the criteria.");
    insta::assert_snapshot!(world.type_line("why is that the Fit of NCT-11?").await, @"bot> NCT-11 has 33 in Fit: It speaks of 1 of 3 words of the criteria.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_never_gets_on_is_given_up_with_the_reason() {
    let world = trials().await;
    world.type_line("summarize Protocol into AI Summary").await;
    world.azure.faults().rate(Kind::ServerError, 1.0);
    // Between two tries it waits longer and longer; there the clock hurries. Less than a lease at a time: a try that
    // begins while it is looked and moved is not taken for interrupted.
    let hurry = async {
        loop {
            tokio::time::sleep(Duration::from_millis(30)).await;
            if world.app.store.running_jobs_of(&world.asker("lee"), world.clock.now_ms()).await.unwrap() == 0 {
                world.clock.advance(LEASE / 2);
            }
        }
    };
    let said = tokio::select! {
        said = type_and_wait(&world, "confirm") => said,
        () = hurry => unreachable!("it hurries for ever"),
    };
    assert!(
        said.contains("⚠️ Not finished") && said.contains("The model does not answer, although it was asked again and again."),
        "{said}"
    );
    world.azure.faults().clear();
    let again = type_and_wait(&world, "Retry failed").await;
    assert!(said.contains("3 of 60 rows were written"), "what the preview had shown was paid for: {said}");
    assert!(again.contains("57 rows written"), "{again}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_written_is_listed_in_a_file() {
    let call = json!({ "sheet": null, "kind": "SUMMARIZE", "source_columns": ["Protocol"], "target_column": "AI Summary",
        "where_sql": "row_number <= 12", "instructions": null, "limit": null });
    let mut script = vec![Reply::call("propose_job", call)];
    script.extend((0..3).map(|_| Reply::Say(json!({ "summary": "A short text." }).to_string())));
    script.extend((0..18).map(|_| Reply::Say("no JSON".into())));
    let world = World::scripted(script).await;
    world.use_sheet("Clinical Trials").await;
    world.type_line("summarize").await;
    let said = type_and_wait(&world, "confirm").await;
    assert!(said.contains("Not written (9):") && said.contains("and 4 more, listed in the file below"), "{said}");
    assert!(said.contains("-not-written.csv ("), "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_message_was_deleted_says_the_rest_in_a_new_one() {
    let setting = Setting { azure: Some(slow_model(60)), settings: vec![("JOB_CONCURRENCY", "1".into())], ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    world.slack.slash("C1", "U1", "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    let asked = world.slack.say("C1", "U1", "<@UBOT> summarize Protocol into AI Summary", None).await;
    world.app.bot.until_idle().await;
    world.slack.press("C1", "U1", "Confirm").await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("[Cancel]") && m.seen().contains("so far"))).await.unwrap();
    assert_eq!(world.slack.delete("so far"), 1);
    world.app.jobs.until_idle().await.unwrap();
    let left = world.slack.thread("C1", Some(&asked.ts));
    let said: Vec<&String> = left.iter().filter(|(who, _)| who == "UBOT").map(|(_, words)| words).collect();
    assert!(said.len() == 1 && said[0].contains("Done: summarize"), "{said:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_and_criteria_come_from_the_settings() {
    let settings = vec![
        ("MODEL_PRICE_PER_1K_INPUT", "0.01".into()),
        ("MODEL_PRICE_PER_1K_OUTPUT", "0.03".into()),
        ("ALIGNMENT_CRITERIA", "paediatric asthma".into()),
    ];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.use_sheet("Clinical Trials").await;
    let said = world.type_line("score Protocol into Fit").await;
    assert!(said.contains("About 57 model calls") && said.contains(" in model cost · "), "{said}");
    let asked = world.azure.requests();
    let task = asked.iter().find(|r| r["response_format"].is_object()).unwrap()["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(task.contains("The person wants in particular: paediatric asthma"), "{task}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_change_says_before_what_it_takes() {
    let world = World::with(Setting { smartsheet: Some(large(2_000)), unbound: true, ..Setting::default() }).await.unwrap();
    world.use_sheet("Large").await;
    let said = world.type_line("set Group 1 to North for all rows").await;
    assert!(said.contains("Runs in the background with about 4 requests to Smartsheet, no model calls · about 8 seconds."), "{said}");
    world.end().await;
}

/// Everything fails a little while fifty jobs run: each comes to its end, and every row has its new text or a reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_jobs_finish_whatever_fails() {
    let seed = smartsheet::Seed::Large { rows: 1_000, columns: 11 };
    let smartsheet = Some(smartsheet::Options { seed, ..smartsheet::Options::default() });
    let world = World::with(Setting { smartsheet, unbound: true, impatient: true, ..Setting::default() }).await.unwrap();
    let place = world.place_of("mia", "Large").await;
    let before = world.sheets.world().rows("Large");
    let passing =
        [(Kind::RateLimited, 0.05), (Kind::ServerError, 0.05), (Kind::Hang, 0.02), (Kind::Reset, 0.005), (Kind::Truncated, 0.005)];
    for (kind, share) in passing {
        world.azure.faults().rate(kind, share);
        world.sheets.faults().rate(kind, share);
    }
    world.azure.faults().rate(Kind::Nonsense, 0.02);
    world.sheets.faults().rate(Kind::Busy, 0.05);
    let jobs = &world.app.jobs;
    // One person has three jobs running at most.
    let person = |n: usize| format!("person {}", n / 3);
    let create = |n: usize| {
        let filter = format!("row_number > {} AND row_number <= {}", n * 20, n * 20 + 20);
        let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Text 10", "filter": filter });
        let place = Place { asker: person(n), ..place.clone() };
        let new = new_job(&format!("job {n}"), "SUMMARIZE", parameters, place);
        async move {
            while let Err(error) = jobs.create(new.clone()).await {
                assert!(error.to_string().contains("does not answer"), "{error}");
            }
        }
    };
    world.ticking(futures_util::future::join_all((0..50).map(create))).await;
    world.ticking(jobs.until_idle()).await.unwrap();
    let mut written = 0;
    for n in 0..50 {
        let job = jobs.read(&format!("job {n}"), &world.asker(&person(n))).await.unwrap();
        assert_eq!(job.status, JobStatus::Completed, "{:?}", job.error);
        let result = job.result.unwrap();
        written += result["processedRows"].as_u64().unwrap();
        assert_eq!(result["processedRows"].as_u64().unwrap() + result["failedRows"].as_u64().unwrap(), 20, "{result}");
    }
    let now = world.sheets.world().rows("Large");
    // The demo model summarizes these texts by themselves.
    let summarized = now.iter().filter(|r| r["Text 10"] == r["Text 5"]).count() as u64;
    let untouched = now.iter().zip(&before).filter(|(now, before)| now == before).count() as u64;
    assert!(
        summarized >= written && summarized + untouched >= 1_000,
        "{summarized} summarized, {untouched} untouched, {written} said to be written"
    );
    assert!(written >= 950, "{written} of 1,000 rows");
    world.end().await;
}
