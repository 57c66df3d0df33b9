//! Long work: proposed with its first results, started by a button, seen in one message, taken back.

use crate::api::Program;
use crate::in_slack::{LEE, MIA, ask, thread};
use crate::world::{Setting, World};
use chatsheet::events::Event;
use chatsheet::jobs::NewJob;
use chatsheet::locality::Told;
use chatsheet::server::api::Scope;
use chatsheet::store::Place;
use reqwest::{Method, StatusCode};
use sandbox::azure::{Mode, Reply};
use sandbox::fault::Kind;
use sandbox::{azure, slack, smartsheet};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

pub async fn trials() -> World {
    let world = World::start().await;
    world.use_sheet("Clinical Trials").await;
    world
}

/// Types a line and waits until no job is left.
pub async fn type_and_wait(world: &World, line: &str) -> String {
    world.send_line(line).await;
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    without_times(&world.seen())
}

/// Job ids and lengths of time differ from run to run.
fn without_times(text: &str) -> String {
    let word = |before: &str, w: &str| {
        let bare = w.trim_matches(['`', ':', ',', '(', ')', '.']);
        // Some ids have no digit.
        let named = bare.bytes().any(|b| b.is_ascii_digit()) || ["job", "•", "status"].contains(&before.to_lowercase().as_str());
        let id = bare.len() == 6 && bare.bytes().all(|b| b.is_ascii_hexdigit()) && named;
        if id { w.replace(bare, "‹job›") } else { w.to_owned() }
    };
    let line = |l: &str| {
        let words: Vec<&str> = l.split(' ').collect();
        let before = |n: usize| n.checked_sub(1).map_or("", |n| words[n]);
        words.iter().enumerate().map(|(n, w)| word(before(n), w)).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A job of nobody in particular.
pub fn new_job(id: &str, kind: &str, parameters: Value, place: Place) -> NewJob {
    NewJob { id: id.into(), kind: kind.into(), parameters, place, told: Told::default() }
}

pub fn cells(world: &World, column: &str) -> Vec<String> {
    world.sheets.world().rows("Clinical Trials").iter().map(|r| r.get(column).cloned().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_is_summarized_and_taken_back() {
    let world = trials().await;
    insta::assert_snapshot!(without_times(&world.type_line("summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await), @r"
    bot> Summarize Protocol into AI Summary for 6 rows of Clinical Trials (‹sheet›)?
           Where Phase is “Phase 3” and Recruitment is “Recruiting”
         Row     Result
         ──────  ────────────────────────────────────────
         NCT-11  Randomised, double-blind study of triva…
         NCT-19  Randomised, double-blind study of triva…
         NCT-31  Randomised, double-blind study of nadof…
           The first results, kept for the job. About 3 model calls, 6302 tokens · 2 seconds.
         [1] Confirm   [2] Cancel   (type the number or the words)
           Nothing is written until you confirm. Only you can, for 10 minutes.
    ");
    let asked = world.azure.requests().len();
    insta::assert_snapshot!(type_and_wait(&world, "confirm").await, @"
    bot> ⏳ Queued: summarize Protocol into AI Summary for 6 rows. It begins at once. jobs tells how far it is.

    bot> ✅ Done: summarize Protocol into AI Summary in Clinical Trials (‹sheet›), 6 rows written.
         Row     Was      Is
         ──────  ───────  ────────────────────────────────────────
         NCT-11  (empty)  Randomised, double-blind study of triva…
         NCT-19  (empty)  Randomised, double-blind study of triva…
         NCT-31  (empty)  Randomised, double-blind study of nadof…
         NCT-39  (empty)  Randomised, double-blind study of cemlo…
         NCT-51  (empty)  Randomised, double-blind study of velma…
         NCT-59  (empty)  Randomised, double-blind study of nadof…
         [1] Undo   (type the number or the words)
           Job ‹job› · 1 second
           Asked for and confirmed by lee.
    ");
    assert_eq!(world.azure.requests().len() - asked, 3, "what the preview has shown is not asked for again");
    let written = cells(&world, "AI Summary").iter().filter(|c| !c.is_empty()).count();
    assert_eq!(written, 6);
    assert_eq!(world.writes(), ["PUT /sheets/ID/rows"], "one request");
    insta::assert_snapshot!(without_times(&world.type_line("jobs").await), @"
    bot> Jobs, newest first
         • ‹job› summarize Protocol into AI Summary: completed, 6 of 6 rows
         [1] Status ‹job›   (type the number or the words)
           status <job> says more about one, cancel <job> stops it, retry <job> does again what failed.
    ");
    insta::assert_snapshot!(type_and_wait(&world, "undo").await, @"
    bot> ⏳ Queued as job ‹job›.

    bot> ↩️ Taken back in Clinical Trials (‹sheet›): summarize Protocol into AI Summary (6 changes).
         Row     Was                                       Is
         ──────  ────────────────────────────────────────  ───────
         NCT-11  Randomised, double-blind study of triva…  (empty)
         NCT-19  Randomised, double-blind study of triva…  (empty)
         NCT-31  Randomised, double-blind study of nadof…  (empty)
         NCT-39  Randomised, double-blind study of cemlo…  (empty)
         NCT-51  Randomised, double-blind study of velma…  (empty)
         NCT-59  Randomised, double-blind study of nadof…  (empty)
           Job ‹job› · 1 second
           Asked for, confirmed and taken back by lee.
    ");
    assert!(cells(&world, "AI Summary").iter().all(String::is_empty));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scores_and_terms_go_into_new_columns() {
    let world = trials().await;
    world.type_line("score how well each protocol fits children with asthma into Match").await;
    type_and_wait(&world, "confirm").await;
    let scores = cells(&world, "Match");
    assert!(scores.iter().all(|s| s.parse::<u32>().is_ok_and(|n| n <= 100)), "{scores:?}");
    world.type_line("extract the key terms of Protocol into Terms").await;
    type_and_wait(&world, "confirm").await;
    assert_eq!(cells(&world, "Terms").iter().filter(|t| !t.is_empty()).count(), 60);
    assert_eq!(world.writes(), ["POST /sheets/ID/columns", "PUT /sheets/ID/rows", "POST /sheets/ID/columns", "PUT /sheets/ID/rows"]);
    type_and_wait(&world, "undo").await;
    assert!(!world.sheets.world().column_titles("Clinical Trials").contains(&"Terms".to_owned()), "the column that was made goes with it");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_without_a_usable_answer_are_named_and_can_be_tried_again() {
    let call = json!({ "sheet": null, "kind": "SUMMARIZE", "source_columns": ["Protocol"], "target_column": "AI Summary",
        "where_sql": "row_number <= 5", "instructions": null, "limit": null });
    let good = || Reply::Say(json!({ "summary": "A short text." }).to_string());
    let filtered = Reply::Http {
        status: 400,
        headers: Default::default(),
        body: json!({ "error": { "code": "content_filter", "message": "filtered", "innererror": { "content_filter_result": { "violence": { "filtered": true } } } } }),
    };
    let script = vec![
        Reply::call("propose_job", call),
        good(),
        good(),
        good(),
        filtered,
        Reply::Say("no JSON".into()),
        Reply::Say("{}".into()),
        good(),
        good(),
    ];
    let world =
        World::with(Setting { model: Some(Mode::Script(script)), settings: vec![("JOB_CONCURRENCY", "1".into())], ..Setting::default() })
            .await
            .unwrap();
    world.use_sheet("Clinical Trials").await;
    world.type_line("summarize").await;
    insta::assert_snapshot!(type_and_wait(&world, "confirm").await, @"
    bot> ⏳ Queued: summarize Protocol into AI Summary for 5 rows. It begins at once. jobs tells how far it is.

    bot> ✅ Done: summarize Protocol into AI Summary in Clinical Trials (‹sheet›), 3 rows written.
         Row     Was      Is
         ──────  ───────  ─────────────
         NCT-01  (empty)  A short text.
         NCT-02  (empty)  A short text.
         NCT-03  (empty)  A short text.
         Not written (2):
         • NCT-04: the content filter of the model refused this row
         • NCT-05: the model gave no summary
         [1] Undo   [2] Retry failed   (type the number or the words)
           Job ‹job› · 1 second
           Asked for and confirmed by lee.
    ");
    insta::assert_snapshot!(type_and_wait(&world, "Retry failed").await, @"
    bot> ✅ Done: summarize Protocol into AI Summary in Clinical Trials (‹sheet›), 2 rows written.
         Row     Was      Is
         ──────  ───────  ─────────────
         NCT-04  (empty)  A short text.
         NCT-05  (empty)  A short text.
         [1] Undo   (type the number or the words)
           Job ‹job› · 1 second
           Asked for by lee.
    ");
    assert_eq!(cells(&world, "AI Summary")[..6].iter().filter(|c| !c.is_empty()).count(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_change_is_a_job_that_can_be_cancelled_and_taken_back() {
    let large = smartsheet::Options { seed: smartsheet::Seed::Large { rows: 2_000, columns: 4 }, ..smartsheet::Options::default() };
    let world = World::with(Setting { smartsheet: Some(large), unbound: true, ..Setting::default() }).await.unwrap();
    world.use_sheet("Large").await;
    let north = |world: &World| world.sheets.world().rows("Large").iter().filter(|r| r["Group 1"] == "North").count();
    let before = north(&world);
    world.type_line("set Group 1 to North for all rows").await;
    world.type_line("confirm").await;
    world.sheets.hold_writes(true);
    world.send_line("Yes, all 1,500 rows").await;
    world.sheets.until(|w| w.log.iter().filter(|l| l.method == "PUT").count() == 1).await.unwrap();
    let jobs = world.app.store.jobs_of("", Some(&world.asker("lee")), 1, 0).await.unwrap().0;
    world.app.jobs.cancel(&jobs[0].id, &world.asker("lee")).await.unwrap();
    world.sheets.hold_writes(false);
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let said = without_times(&world.seen());
    let written = north(&world) - before;
    assert_eq!(written, 500, "it stops between two requests");
    assert!(
        said.contains("Cancelled: set Group 1 in 1,500 rows")
            && said.contains(&format!("{written} of 1500 rows were written"))
            && said.contains("Do the rest"),
        "{said}"
    );
    type_and_wait(&world, "undo").await;
    assert_eq!(north(&world), before);
    // What was not reached is done after all, and that alone.
    let rest = world.app.jobs.retry(&jobs[0].id, &world.asker("lee")).await.unwrap();
    world.app.jobs.until_idle().await.unwrap();
    assert_eq!(rest.total as usize, 1_500 - written);
    assert_eq!(north(&world), before + 1_500 - written);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_model_and_a_failing_smartsheet_slow_a_job_and_do_not_end_it() {
    let world = trials().await;
    world.type_line("extract terms of Protocol into AI Summary").await;
    world.azure.faults().rate(Kind::RateLimited, 0.05);
    world.azure.faults().rate(Kind::ServerError, 0.05);
    world.azure.faults().rate(Kind::Truncated, 0.02);
    world.sheets.faults().rate(Kind::RateLimited, 0.1);
    world.sheets.faults().rate(Kind::ServerError, 0.1);
    let said = world.ticking(type_and_wait(&world, "confirm")).await;
    assert!(said.contains("Done"), "{said}");
    assert_eq!(cells(&world, "AI Summary").iter().filter(|c| !c.is_empty()).count(), 60, "{said}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_have_written_since_stays_when_a_job_is_taken_back() {
    let world = trials().await;
    let before = cells(&world, "AI Summary");
    world.type_line("summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    assert!(type_and_wait(&world, "confirm").await.contains("6 rows written"));
    world.sheets.edit("Clinical Trials", "NCT-19", "AI Summary", json!("my own words"));
    let undone = type_and_wait(&world, "undo").await;
    assert!(undone.contains("(5 changes)") && undone.contains("NCT-19: it was changed by somebody else meanwhile"), "{undone}");
    let now = cells(&world, "AI Summary");
    let different: Vec<&str> = now.iter().zip(&before).filter(|(now, before)| now != before).map(|(now, _)| now.as_str()).collect();
    assert_eq!(different, ["my own words"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_job_is_cancelled_over_the_api() {
    let azure = Some(azure::Options { latency: Duration::from_millis(50), ..azure::Options::default() });
    let large = smartsheet::Options { seed: smartsheet::Seed::Large { rows: 600, columns: 6 }, ..smartsheet::Options::default() };
    let world = World::with(Setting { azure, smartsheet: Some(large), unbound: true, ..Setting::default() }).await.unwrap();
    let program = Program::new(&world, "worker", &Scope::ALL).await;
    let sheet = world.sheets.world().sheet_id("Large").unwrap().to_string();
    let parameters = json!({ "sourceColumns": ["Text 5"], "targetColumn": "Summary" });
    let made = program.post("/api/jobs", json!({ "type": "SUMMARIZE", "sheetId": sheet, "parameters": parameters })).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    world.azure.until(|requests| requests.len() > 20).await.unwrap();
    let path = made.headers["location"].to_str().unwrap();
    let cancelled = program.send(program.request(Method::DELETE, path)).await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{}", cancelled.body);
    world.app.jobs.until_idle().await.unwrap();
    let job = program.get(path).await.body;
    let written = world.sheets.world().rows("Large").iter().filter(|r| r.get("Summary").is_some_and(|s| !s.is_empty())).count();
    assert_eq!((&job["status"], &job["result"]["processedRows"]), (&json!("cancelled"), &json!(written)), "{job}");
    assert!((20..600).contains(&written), "{written} rows had an answer, which was paid for, and were written");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_a_thread_sees_its_jobs_and_only_their_person_changes_them() {
    let world = World::start().await;
    world.slack.slash("C1", LEE, "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    let root = ask(&world, "summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let says = async |words: &str, root: Option<&str>| {
        world.slack.say("C1", MIA, &format!("<@{}> {words}", slack::BOT_USER), root).await;
        world.app.bot.until_idle().await;
        world.slack.messages().pop().unwrap().seen()
    };
    let listed = says("jobs", Some(&root)).await;
    let id = listed.split(|c: char| !c.is_ascii_hexdigit()).find(|w| w.len() == 6);
    let id = id.unwrap_or_else(|| panic!("no job in {listed}")).to_owned();
    assert!(says(&format!("status {id}"), Some(&root)).await.contains("6 rows were written"), "{}", thread(&world, &root));
    for words in ["retry", "cancel"] {
        assert!(says(&format!("{words} {id}"), Some(&root)).await.contains("no such job of yours"), "{words}");
    }
    assert!(says(&format!("status {id}"), None).await.contains("no such job of yours"), "elsewhere they are nobody else's business");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_all_places_are_taken_is_told_how_many_run() {
    let world = trials().await;
    world.type_line("summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    world.azure.pause(true);
    let mut events = world.app.events.listen();
    for n in 0..16 {
        let place = world.place_of(&format!("person {n}"), "Clinical Trials").await;
        let parameters = json!({ "sourceColumns": ["Protocol"], "targetColumn": "Fit", "filter": format!("row_number = {}", n + 1) });
        world.app.jobs.create(new_job(&format!("job {n}"), "SUMMARIZE", parameters, place)).await.unwrap();
    }
    let mut running = BTreeSet::new();
    while running.len() < 16 {
        if let Event::Job(job) = events.recv().await.unwrap()
            && job.status == "processing"
        {
            running.insert(job.id);
        }
    }
    let queued = world.type_line("confirm").await;
    assert!(queued.contains("16 jobs are running at the moment; it begins when one of them has ended"), "{queued}");
    // Who cancels one that waits does not wait for a place.
    let place = world.place_of("somebody", "Clinical Trials").await;
    let parameters = json!({ "sourceColumns": ["Protocol"], "targetColumn": "Fit" });
    world.app.jobs.create(new_job("waits", "SUMMARIZE", parameters, place)).await.unwrap();
    world.app.jobs.cancel("waits", &world.asker("somebody")).await.unwrap();
    loop {
        if let Event::Job(job) = events.recv().await.unwrap()
            && (&*job.id, job.status) == ("waits", "cancelled")
        {
            break;
        }
    }
    world.azure.pause(false);
    world.app.jobs.until_idle().await.unwrap();
    assert!(without_times(&world.seen()).contains("6 rows written"));
    world.end().await;
}
