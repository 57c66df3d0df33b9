//! The contract of the store for jobs: leases, fences, what the dead leave, what is forgotten; on both databases.

use crate::store::{accept, change, on_both, proposal, session};
use crate::world::{folder, install_tls, postgres_options, postgres_schema};
use chat::Anchor;
use chatsheet::sheet::SheetId;
use chatsheet::smartsheet::{Client, Identity, Settings};
use chatsheet::store::{Asker, Change, Job, JobRow, JobRowState, JobStatus, Place, Store, Take};
use sandbox::smartsheet::{Options, Smartsheet, TOKEN};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

on_both!(
    jobs_are_leased_fenced_and_fair,
    parts_of_a_job_belong_to_who_has_it,
    what_ended_long_ago_is_forgotten,
    turns_at_a_sheet_are_counted,
    one_rate_budget_for_all_processes
);

fn job(session: &str, id: &str, asker: &str, created_at_ms: i64) -> Job {
    let place = Place {
        session_id: session.into(),
        thread_key: "t".into(),
        anchor: Anchor("{}".into()),
        asker: asker.into(),
        identity: "service".into(),
        sheet: SheetId(5),
    };
    Job { total: 2, ..Job::queued(id.into(), "SUMMARIZE", json!({ "x": 1 }), &place, created_at_ms) }
}

/// The same in another install.
fn elsewhere(job: Job) -> Job {
    Job { thread_key: "slack|T2|C1".into(), ..job }
}

fn row(seq: i64) -> JobRow {
    JobRow {
        seq,
        row_id: 10 + seq,
        label: format!("row {seq}"),
        before: json!(null),
        state: JobRowState::Pending,
        answer: None,
        reason: None,
    }
}

async fn jobs_are_leased_fenced_and_fair(store: &Store) {
    let session = session(store).await;
    let job = |id: &str, asker: &str, at: i64| job(&session, id, asker, at);
    for (id, asker, at) in [("a1", "a", 1), ("a2", "a", 2), ("b1", "b", 3)] {
        assert!(store.add_job(&job(id, asker, at), &[row(0), row(1)]).await.unwrap());
    }
    assert!(!store.add_job(&job("a1", "a", 1), &[]).await.unwrap(), "the same job is queued once");
    let first = store.claim_job("x", 1, 10, 100).await.unwrap().unwrap();
    let second = store.claim_job("x", 1, 10, 100).await.unwrap().unwrap();
    assert_eq!((first.id.as_str(), second.id.as_str()), ("a1", "b1"), "nobody has two while others wait");
    assert!(store.claim_job("x", 1, 10, 100).await.unwrap().is_none());
    assert!(store.add_job(&elsewhere(job("e1", "a", 4)), &[]).await.unwrap());
    let other = store.claim_job("x", 1, 10, 100).await.unwrap().unwrap();
    assert_eq!(other.id, "e1", "an equal id in another install is another person");
    let person = |install: &str| Asker { id: "a".into(), install: install.into() };
    assert_eq!(store.running_jobs_of(&person("slack|T2"), 10).await.unwrap(), 1);
    assert_eq!(store.running_jobs_of(&person("slack|T1"), 10).await.unwrap(), 0);
    assert!(store.finish_job("e1", other.fence, JobStatus::Completed, None, &json!({}), (10, None)).await.unwrap());
    let again = store.claim_job("y", 1, 101, 200).await.unwrap().unwrap();
    assert_eq!((again.id.as_str(), again.attempts), ("a1", 2), "a lease that ran out is taken over");
    let answered = JobRow { state: JobRowState::Answered, answer: Some(json!({ "value": 1 })), ..row(0) };
    assert!(!store.set_job_rows("a1", first.fence, std::slice::from_ref(&answered)).await.unwrap(), "who was taken for dead notes nothing");
    assert!(store.set_job_rows("a1", again.fence, std::slice::from_ref(&answered)).await.unwrap());
    assert_eq!(store.job_rows("a1").await.unwrap(), [answered.clone(), row(1)]);
    let written = JobRow { state: JobRowState::Written, ..answered };
    let failed = JobRow { state: JobRowState::Failed, reason: Some("no".into()), ..row(1) };
    assert!(!store.set_job_rows("a1", first.fence, &[written.clone(), failed.clone()]).await.unwrap());
    assert_eq!(store.job_rows("a1").await.unwrap()[0].state, JobRowState::Answered, "all or none");
    assert!(store.set_job_rows("a1", again.fence, &[written.clone(), failed.clone()]).await.unwrap());
    assert_eq!(store.job_rows("a1").await.unwrap(), [written, failed], "the answer stays");
    assert_eq!(store.prolong_job("a1", first.fence, 300).await.unwrap(), None);
    assert_eq!(store.prolong_job("a1", again.fence, 300).await.unwrap(), Some(false));
    assert!(store.cancel_job("a1", 120).await.unwrap());
    assert_eq!(store.prolong_job("a1", again.fence, 300).await.unwrap(), Some(true), "the wish to stop is seen with the next heartbeat");
    assert!(!store.finish_job("a1", first.fence, JobStatus::Failed, None, &json!(null), (130, None)).await.unwrap());
    assert!(
        store.finish_job("a1", again.fence, JobStatus::Cancelled, None, &json!({ "processedRows": 1 }), (130, Some(150))).await.unwrap()
    );
    assert!(store.take_untold(149, 0, 500).await.unwrap().is_none(), "not before its time");
    assert!(store.take_untold(150, 130, 500).await.unwrap().is_none(), "nor for ever");
    assert_eq!(store.take_untold(150, 0, 500).await.unwrap().unwrap().id, "a1");
    assert!(store.take_untold(499, 0, 500).await.unwrap().is_none(), "one tells it at a time");
    store.tell_job_at("a1", None).await.unwrap();
    assert!(store.take_untold(500, 0, 600).await.unwrap().is_none());
    assert!(!store.cancel_job("a1", 140).await.unwrap(), "it has ended");
    let ended = store.job("a1").await.unwrap().unwrap();
    assert_eq!((ended.status, ended.progress, ended.attempts), (JobStatus::Cancelled, 2, 0), "a job that gets on is not given up");
    assert!(store.cancel_job("a2", 150).await.unwrap());
    let cancelled = store.claim_job("x", 0, 160, 200).await.unwrap().unwrap();
    assert_eq!(
        (cancelled.id.as_str(), cancelled.cancel_requested),
        ("a2", true),
        "what waits is taken up out of turn, to say that it ends"
    );
    assert!(store.finish_job("a2", cancelled.fence, JobStatus::Cancelled, None, &json!({}), (170, None)).await.unwrap());
    store.release_job("b1", second.fence, 500, true).await.unwrap();
    assert!(store.claim_job("x", 1, 499, 600).await.unwrap().is_none(), "not before its time");
    assert_eq!(store.claim_job("x", 1, 500, 600).await.unwrap().unwrap().id, "b1");
    assert_eq!(store.unfinished_jobs().await.unwrap(), 1);
    let proposed = Job { status: JobStatus::Created, ..job("p1", "a", 50) };
    store.add_job(&proposed, &[row(0)]).await.unwrap();
    assert_eq!(store.forget_unconfirmed_jobs(50).await.unwrap(), 0);
    assert_eq!(store.forget_unconfirmed_jobs(51).await.unwrap(), 1, "and nothing that was confirmed");
    assert!(store.job_rows("p1").await.unwrap().is_empty(), "its rows go with it");
    let listed: Vec<String> = store.jobs_of("t", None, 2, 0).await.unwrap().0.into_iter().map(|j| j.id).collect();
    assert_eq!(listed, ["b1", "a2"]);
}

async fn parts_of_a_job_belong_to_who_has_it(store: &Store) {
    let p = proposal(&session(store).await);
    store.add_job(&job(&p.session_id, "j1", "a", 1), &[row(0)]).await.unwrap();
    let first = store.claim_job("x", 3, 10, 100).await.unwrap().unwrap();
    let second = store.claim_job("y", 3, 101, 200).await.unwrap().unwrap();
    let part = |id: &str| Change { id: id.into(), job_id: Some("j1".into()), ..change(&p) };
    assert!(!store.begin_change(&part("p1"), 1, Some(first.fence)).await.unwrap(), "who has lost the job begins nothing");
    assert!(store.change("p1").await.unwrap().is_none());
    assert!(store.begin_change(&part("p1"), 1, Some(second.fence)).await.unwrap());
    let lease = |job: &Job| Some((job.id.clone(), job.fence));
    assert_eq!(store.take_change("p1", lease(&first).as_ref()).await.unwrap(), None, "nor takes anything up");
    assert_eq!(store.take_change("p1", lease(&second).as_ref()).await.unwrap(), Some(1));
    let answered = JobRow { state: JobRowState::Answered, answer: Some(json!({ "value": 7, "answer": { "score": 7 } })), ..row(0) };
    assert!(store.set_job_rows("j1", second.fence, std::slice::from_ref(&answered)).await.unwrap());
    let answers = store.answers_of_row(SheetId(5), 10).await.unwrap();
    assert_eq!((answers.len(), answers[0].0.id.as_str(), &answers[0].1["value"]), (1, "j1", &json!(7)));
    assert!(store.answers_of_row(SheetId(6), 10).await.unwrap().is_empty(), "another sheet");
}

async fn what_ended_long_ago_is_forgotten(store: &Store) {
    let p = proposal(&session(store).await);
    store.add_proposal(&p, None).await.unwrap();
    assert!(store.confirm_proposal(&p, "U1", &change(&p), 1, None, 150).await.unwrap());
    let fence = store.take_change("c1", None).await.unwrap().unwrap();
    store.finish_change("c1", fence, false, 300).await.unwrap();
    let undo = Change { id: "u1".into(), undo_of: Some("c1".into()), ..change(&p) };
    store.begin_change(&undo, 1, None).await.unwrap();
    let fence = store.take_change("u1", None).await.unwrap().unwrap();
    store.finish_change("u1", fence, false, 900).await.unwrap();
    for (id, at) in [("old", 400), ("new", 1_000)] {
        store.add_job(&job(&p.session_id, id, "a", at), &[row(0)]).await.unwrap();
        let claimed = store.claim_job("x", 3, at, at + 100).await.unwrap().unwrap();
        let part = Change { id: format!("part of {id}"), job_id: Some(id.into()), ..change(&p) };
        store.begin_change(&part, 1, Some(claimed.fence)).await.unwrap();
        let fence = store.take_change(&part.id, None).await.unwrap().unwrap();
        store.finish_change(&part.id, fence, false, at).await.unwrap();
        store.finish_job(id, claimed.fence, JobStatus::Completed, None, &json!({}), (at, None)).await.unwrap();
    }
    store.add_job(&job(&p.session_id, "waits", "b", 1), &[row(0)]).await.unwrap();
    assert_eq!(store.forget_finished(500).await.unwrap(), 2, "the old job and its part");
    assert!(store.change("c1").await.unwrap().is_some(), "what took it back is not old enough");
    assert!(store.job("old").await.unwrap().is_none() && store.job_rows("old").await.unwrap().is_empty());
    assert!(store.job("new").await.unwrap().is_some() && store.job("waits").await.unwrap().is_some());
    assert_eq!(store.forget_finished(950).await.unwrap(), 3, "the change, its undo, and their proposal");
    assert!(store.proposal("p1").await.unwrap().is_none());
    assert!(store.change("part of new").await.unwrap().is_some());
}

async fn turns_at_a_sheet_are_counted(store: &Store) {
    let sheet = SheetId(5);
    assert_eq!(store.take_sheet(sheet, "a", 0, 100).await.unwrap(), Some(1));
    assert_eq!(store.take_sheet(sheet, "b", 50, 150).await.unwrap(), None, "somebody else has it");
    assert_eq!(store.take_sheet(sheet, "a", 50, 150).await.unwrap(), Some(1), "prolonged, no turn of its own");
    store.leave_sheet(sheet, "a", 0).await.unwrap();
    assert_eq!(store.take_sheet(sheet, "b", 60, 160).await.unwrap(), Some(2));
    assert_eq!(store.take_sheet(sheet, "a", 161, 300).await.unwrap(), Some(3), "b's lease ran out");
}

/// `first` dies with a job, an event and a sheet in hand; `second` shares its database.
async fn what_a_dead_process_had_is_free(first: Store, second: Store) {
    first.migrate().await.unwrap();
    let session = session(&first).await;
    assert_eq!(first.free_dead(0).await.unwrap(), 0);
    first.add_job(&job(&session, "j1", "a", 1), &[row(0)]).await.unwrap();
    first.claim_job(first.owner(), 3, 10, 15_000).await.unwrap().unwrap();
    accept(&first, "e1", "1").await;
    first.claim(first.owner(), &Take::ALL, 10, 15_000).await.unwrap().unwrap();
    first.take_sheet(SheetId(5), &format!("{}/1", first.owner()), 10, 15_000).await.unwrap();
    assert_eq!(second.free_dead(20).await.unwrap(), 0, "it lives");
    assert!(second.claim_job(second.owner(), 3, 20, 15_000).await.unwrap().is_none());
    drop(first);
    // The server may take a moment to see that a connection is gone.
    while second.free_dead(20).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(second.claim_job(second.owner(), 3, 20, 15_000).await.unwrap().unwrap().id, "j1");
    assert!(second.claim(second.owner(), &Take::ALL, 20, 15_000).await.unwrap().is_some());
    assert_eq!(second.take_sheet(SheetId(5), "x", 20, 15_000).await.unwrap(), None, "its last request may be under way");
    assert!(second.take_sheet(SheetId(5), "x", 2_100, 15_000).await.unwrap().is_some());
    assert_eq!(second.free_dead(20).await.unwrap(), 0, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_is_free_on_sqlite() {
    let folder = folder();
    let url = format!("sqlite://{}", folder.0.join("store.db").display());
    let (first, second) = (Store::connect(&url).await.unwrap(), Store::connect(&url).await.unwrap());
    what_a_dead_process_had_is_free(first, second).await;
    let left =
        std::fs::read_dir(&folder.0).unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("process-")).count();
    assert_eq!(left, 1, "that of the one that lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_is_free_on_postgresql() {
    let Some((url, schema)) = postgres_schema().await else { return };
    let options = PgConnectOptions::from_str(&url).unwrap().options([("search_path", schema.as_str())]);
    let (first, second) = (Store::connect_pg(options.clone()).await.unwrap(), Store::connect_pg(options).await.unwrap());
    what_a_dead_process_had_is_free(first, second).await;
}

/// Two processes that know of each other by the database alone.
async fn one_rate_budget_for_all_processes(store: &Store) {
    let sheets = Smartsheet::start(Options::default()).await.unwrap();
    let sheet = sheets.world().sheet_id("Project Plan").unwrap();
    install_tls();
    let process = || Client::new(settings_of(&sheets)).unwrap().with_shared_budget(Arc::new(store.clone()));
    let (one, two) = (process(), process());
    let connect = || store.take_from_budget("first", 1, Duration::from_secs(1), 10);
    let (a, b) = tokio::join!(connect(), connect());
    assert_eq!((a.unwrap(), b.unwrap()), (Duration::ZERO, Duration::ZERO));
    let greedy = async |client: Client| {
        let (mut answered, until) = (0, Instant::now() + Duration::from_secs(3));
        while tokio::time::timeout_at(until, client.version(&Identity::Service, sheet)).await.is_ok_and(|v| v.is_ok()) {
            answered += 1;
        }
        answered
    };
    let (a, b) = tokio::join!(greedy(one.for_jobs()), greedy(two.for_jobs()));
    assert!((48..62).contains(&(a + b)), "jobs of both have what jobs of one would have: {a} and {b}");
    let (a, b) = tokio::join!(greedy(one.clone()), greedy(two.clone()));
    assert!((6..34).contains(&(a + b)), "and leave chats of both their part: {a} and {b}");
    let person = Identity::Person("lee".into());
    let wait = store.take_from_budget("smartsheet/person:lee", 1, Duration::from_millis(250), 60).await.unwrap();
    assert_eq!((wait, person.stored().as_str()), (Duration::ZERO, "person:lee"), "another token has a budget of its own");
    let waits = async |n: u32| store.take_from_budget("b", n, Duration::from_secs(1), 10).await.unwrap();
    assert_eq!(waits(10).await, Duration::ZERO);
    let (first, second) = (waits(1).await, waits(10).await);
    assert!(first > Duration::from_millis(800) && first <= Duration::from_secs(1), "{first:?}");
    assert!(second > Duration::from_secs(10) && second <= Duration::from_secs(11), "who comes later waits longer: {second:?}");
    waits(4_000).await;
    assert!(waits(1).await <= Duration::from_secs(301), "whatever a clock does, the wait is bounded");
    assert_eq!(store.forget_whole_budgets(0).await.unwrap(), 0);
    assert_eq!(store.forget_whole_budgets(i64::MAX).await.unwrap(), 5);
}

fn settings_of(sheets: &Smartsheet) -> Settings {
    Settings {
        base_url: sheets.base_url().parse().unwrap(),
        token: TOKEN.into(),
        retry_delay: Duration::from_millis(10),
        retries: 0,
        timeout: Duration::from_secs(5),
        breaker_pause: Duration::from_secs(1),
        answer_bytes: 300 << 20,
    }
}

const PAUSE: &str = "UPDATE jobs SET status = 'paused' WHERE id = 'j1'";

/// What a newer version has stored is no failed job to an older one.
async fn says_what_it_does_not_know(store: &Store) {
    let error = store.job("j1").await.unwrap_err().to_string();
    assert!(error.contains("paused"), "{error}");
}

#[tokio::test]
async fn words_of_another_version_are_errors_on_sqlite() {
    let folder = folder();
    let url = format!("sqlite://{}", folder.0.join("store.db").display());
    let store = Store::connect(&url).await.unwrap();
    store.migrate().await.unwrap();
    assert!(store.add_job(&job(&session(&store).await, "j1", "a", 1), &[row(0)]).await.unwrap());
    assert_eq!(store.job("j1").await.unwrap().unwrap().status, JobStatus::Queued);
    sqlx::query(PAUSE).execute(&sqlx::SqlitePool::connect(&url).await.unwrap()).await.unwrap();
    says_what_it_does_not_know(&store).await;
}

#[tokio::test]
async fn words_of_another_version_are_errors_on_postgres() {
    let Some(options) = postgres_options().await else { return };
    let store = Store::connect_pg(options.clone()).await.unwrap();
    store.migrate().await.unwrap();
    assert!(store.add_job(&job(&session(&store).await, "j1", "a", 1), &[row(0)]).await.unwrap());
    assert_eq!(store.job("j1").await.unwrap().unwrap().status, JobStatus::Queued);
    sqlx::query(PAUSE).execute(&sqlx::PgPool::connect_with(options).await.unwrap()).await.unwrap();
    says_what_it_does_not_know(&store).await;
}
