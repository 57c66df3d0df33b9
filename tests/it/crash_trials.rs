//! Seeded kills: the real binary dies by kill -9 at random moments of large jobs, one to five times each, and what
//! the far side has seen is counted. `CRASH_TRIALS` sets how many trials each kind gets on each database.

use crate::crashes::{AT_ONCE, Place, kill, signal};
use crate::world::{in_ci, number, postgres_schema};
use chatsheet::store::{Asker, JobRowState, LEASE, Store};
use sandbox::{azure, slack, smartsheet};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Trials of each kind on each database, unless the environment says otherwise; in CI there are 52 in all.
const TRIALS: u64 = 2;
const TRIALS_IN_CI: u64 = 13;
/// The longest time from the start of a process to the first sign that it goes on with the job: it asks the model, or looks
/// at the sheet before it writes. How long the rest takes depends on the machine, and is told.
const RESUME: Duration = Duration::from_secs(5);

/// splitmix64: a seed gives the same kills again, as far as the machine does.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

#[derive(Clone, Copy)]
enum Kind {
    /// 20,000 rows get a value: 40 requests.
    Update,
    /// 1,000 rows are summarized.
    Summaries,
}

impl Kind {
    fn rows(self) -> usize {
        match self {
            Self::Update => 20_000,
            Self::Summaries => 1_000,
        }
    }

    async fn place(self) -> Place {
        let (columns, write_latency) = match self {
            Self::Update => (3, Duration::from_millis(10)),
            Self::Summaries => (6, Duration::from_millis(30)),
        };
        let seed = smartsheet::Seed::Large { rows: self.rows(), columns };
        let sheets = smartsheet::Options { seed, write_latency, requests_per_minute: 3_000, ..smartsheet::Options::default() };
        let azure = azure::Options { latency: Duration::from_millis(15), ..azure::Options::default() };
        let mut place = Place::over(sheets, azure).await;
        place.settings.push(("JOB_CONCURRENCY", AT_ONCE.to_string()));
        place.settings.push(("CONFIRM_LIMIT_ROWS", "20000".into()));
        place
    }

    /// Proposed and confirmed: the job is queued.
    async fn start(self, place: &Place) {
        place.slack.slash("C1", "U1", "use Large").await;
        place.slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await.unwrap();
        let wanted = match self {
            Self::Update => "set Amount 2 to 1234567 for all rows",
            Self::Summaries => "summarize Text 5 into Summary",
        };
        place.slack.say("C1", "U1", &format!("<@UBOT> {wanted}"), None).await;
        place.until("[Confirm]").await;
        place.slack.press("C1", "U1", "Confirm").await;
        if let Self::Update = self {
            place.until("Yes, all 20,000 rows").await;
            place.slack.press("C1", "U1", "Yes, all 20,000 rows").await;
        }
    }

    /// How far the far side has seen the job get: requests that write, or questions about rows.
    fn seen(self, place: &Place) -> usize {
        match self {
            Self::Update => place.sheets.world().log.iter().filter(|l| l.method == "PUT").count(),
            Self::Summaries => items(&place.azure.requests()).len(),
        }
    }

    /// The first sign of the process that goes on, for who has `seen` so much so far.
    async fn first_sign(self, place: &Place, seen: usize, looks: usize) {
        tokio::select! {
            () = self.until_seen(place, seen + 1) => {}
            _ = place.sheets.until(|w| looks_at_rows(w) > looks) => {}
        }
    }

    /// Returns when the far side has seen so much of the job, or waited half a minute for it.
    async fn until_seen(self, place: &Place, wanted: usize) {
        let seen = async {
            match self {
                Self::Update => place.sheets.until(|w| w.log.iter().filter(|l| l.method == "PUT").count() >= wanted).await,
                Self::Summaries => place.azure.until(|asked| items(asked).len() >= wanted).await,
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(30), seen).await;
    }

    /// Returns at a random moment in the job.
    async fn get_on(self, place: &Place, random: &mut Random) {
        let step = match self {
            Self::Update => random.below(12),
            Self::Summaries => random.below(300),
        };
        self.until_seen(place, self.seen(place) + 1 + step as usize).await;
        // Anywhere between two requests, or in the middle of one.
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
    }
}

/// How often the rows of the sheet were read: who takes up a job does so at once.
fn looks_at_rows(world: &smartsheet::World) -> usize {
    world.log.iter().filter(|l| l.method == "GET" && l.path.contains("/sheets/") && !l.path.contains("/version")).count()
}

/// The rows that the model was asked about, by the number in their text, oldest question first.
fn items(requests: &[Value]) -> Vec<u32> {
    let item = |r: &Value| r["messages"][1]["content"].as_str()?.split("on item ").nth(1)?.split(',').next()?.parse().ok();
    requests.iter().filter(|r| r["response_format"].is_object()).filter_map(item).collect()
}

/// The rows whose answers are stored, by the same number.
async fn stored(place: &Place) -> BTreeSet<u32> {
    let url = &place.database;
    let store = match url.split_once("?options[search_path]=") {
        Some((url, schema)) => {
            let options = PgConnectOptions::from_str(url).unwrap().options([("search_path", schema)]);
            Store::connect_pg(options).await.unwrap()
        }
        None => Store::connect(url).await.unwrap(),
    };
    let asker = Asker { id: "U1".into(), install: format!("slack|{}", slack::TEAM) };
    let job = store.jobs_of("", Some(&asker), 1, 0).await.unwrap().0.remove(0);
    let rows = store.job_rows(&job.id).await.unwrap();
    store.close().await;
    let answered = rows.into_iter().filter(|r| r.state != JobRowState::Pending);
    answered.filter_map(|r| r.label.strip_prefix("Row ")?.parse().ok()).collect()
}

/// What the trials have shown together.
#[derive(Debug, Default)]
struct Tally {
    trials: usize,
    kills: usize,
    rows_lost: usize,
    rows_written_twice: usize,
    answers_asked_again: usize,
    messages: usize,
    longest_resume: Duration,
    /// Until the next request that writes, or the next question.
    longest_to_go_on: Duration,
}

async fn trial(kind: Kind, place: Place, seed: u64, tally: &mut Tally) {
    let mut random = Random(seed);
    let mut child = place.serve().await;
    kind.start(&place).await;
    let mut kept: Vec<(usize, BTreeSet<u32>)> = Vec::new();
    for _ in 0..=seed % 5 {
        kind.get_on(&place, &mut random).await;
        kill(child).await;
        tally.kills += 1;
        if let Kind::Summaries = kind {
            kept.push((items(&place.azure.requests()).len(), stored(&place).await));
        }
        let (before, looks) = (kind.seen(&place), looks_at_rows(&place.sheets.world()));
        child = place.serve().await;
        let began = Instant::now();
        if !place.answers().iter().any(|a| a.contains("Done:")) {
            tokio::select! {
                () = kind.first_sign(&place, before, looks) => {}
                () = place.until("Done:") => {}
            }
            tally.longest_resume = tally.longest_resume.max(began.elapsed());
            tokio::select! {
                () = kind.until_seen(&place, before + 1) => {}
                () = place.until("Done:") => {}
            }
            tally.longest_to_go_on = tally.longest_to_go_on.max(began.elapsed());
        }
    }
    place.until("Done:").await;
    kill(child).await;
    let asked = items(&place.azure.requests());
    let again = |(from, stored): &(usize, BTreeSet<u32>)| asked[*from..].iter().filter(|i| stored.contains(i)).count();
    let world = place.sheets.world();
    let value = |row: &BTreeMap<String, String>| match kind {
        Kind::Update => row["Amount 2"].replace(['$', ','], "").starts_with("1234567"),
        Kind::Summaries => row.get("Summary").is_some_and(|s| !s.is_empty()),
    };
    tally.trials += 1;
    tally.rows_lost += world.rows("Large").iter().filter(|r| !value(r)).count();
    tally.rows_written_twice += world.times_written().values().filter(|n| **n > 1).count();
    tally.answers_asked_again += kept.iter().map(again).sum::<usize>();
    tally.messages += place.answers().len();
}

fn trials() -> u64 {
    number("CRASH_TRIALS").unwrap_or(if in_ci() { TRIALS_IN_CI } else { TRIALS })
}

async fn all(kind: Kind, postgres: bool) {
    let mut tally = Tally::default();
    for seed in 0..trials() {
        let mut place = kind.place().await;
        // Some are killed while they ask and write, others write all groups together at the end.
        place.settings.push(("JOB_WRITE_SECONDS", if seed % 3 == 2 { "300" } else { "1" }.into()));
        if postgres {
            let Some((url, schema)) = postgres_schema().await else { return };
            place.database = format!("{url}?options[search_path]={schema}");
        }
        trial(kind, place, seed, &mut tally).await;
    }
    println!("{tally:?}");
    let Tally { rows_lost, rows_written_twice, answers_asked_again, .. } = tally;
    assert_eq!((rows_lost, rows_written_twice, answers_asked_again), (0, 0, 0), "{tally:?}");
    assert_eq!(tally.messages, tally.trials, "one message a job, from the preview to the end: {tally:?}");
    assert!(tally.longest_resume <= RESUME, "{tally:?}");
    assert!(tally.longest_to_go_on < LEASE, "no lease is waited for: {tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_update_survives_any_kill() {
    all(Kind::Update, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_update_survives_any_kill_on_postgresql() {
    all(Kind::Update, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_summaries_survive_any_kill() {
    all(Kind::Summaries, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_summaries_survive_any_kill_on_postgresql() {
    all(Kind::Summaries, true).await;
}

/// A large change is taken back by a job that is killed, one to three times.
async fn taken_back_whatever_kills(postgres: bool) {
    const UNDOS: u64 = 2;
    for seed in 0..UNDOS {
        let mut place = Kind::Update.place().await;
        if postgres {
            let Some((url, schema)) = postgres_schema().await else { return };
            place.database = format!("{url}?options[search_path]={schema}");
        }
        let mut random = Random(seed + 1_000);
        let mut child = place.serve().await;
        let amounts = |place: &Place| place.sheets.world().rows("Large").iter().map(|r| r["Amount 2"].clone()).collect::<Vec<_>>();
        let original = amounts(&place);
        Kind::Update.start(&place).await;
        place.until("Done:").await;
        place.slack.press("C1", "U1", "Undo").await;
        for _ in 0..=seed {
            Kind::Update.get_on(&place, &mut random).await;
            kill(child).await;
            child = place.serve().await;
        }
        place.until("Taken back").await;
        kill(child).await;
        assert!(amounts(&place) == original, "seed {seed}: every row is as it was");
        assert!(place.sheets.world().times_written().values().all(|n| *n == 2), "seed {seed}: each was written once and taken back once");
        let last_words = place.answers().iter().filter(|a| a.contains("Taken back")).count();
        assert_eq!(last_words, 1, "seed {seed}: {:?}", place.answers());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_undo_survives_any_kill() {
    taken_back_whatever_kills(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_undo_survives_any_kill_on_postgresql() {
    taken_back_whatever_kills(true).await;
}

/// A process sleeps for half a minute in the middle of a job; another one takes over, and the sleeper changes nothing.
/// Whether somebody else can write to a database; PostgreSQL has no lock of all of it.
async fn is_free(database: &str) -> bool {
    if !database.starts_with("sqlite:") {
        return true;
    }
    let options = SqliteConnectOptions::from_str(database).unwrap().busy_timeout(Duration::from_millis(100));
    let mut connection = options.connect().await.unwrap();
    let locked = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.is_ok();
    connection.close().await.unwrap();
    locked
}

async fn stopped_for_half_a_minute(kind: Kind, place: Place) {
    let sleeper = place.serve().await;
    kind.start(&place).await;
    kind.get_on(&place, &mut Random(7)).await;
    signal(&sleeper, "-STOP");
    // Whoever is stopped in the middle of a write keeps the file locked, and nobody else can start: then a moment later.
    while !is_free(&place.database).await {
        signal(&sleeper, "-CONT");
        tokio::time::sleep(Duration::from_millis(30)).await;
        signal(&sleeper, "-STOP");
    }
    let (asked, kept) = (items(&place.azure.requests()).len(), stored(&place).await);
    let other = place.serve().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    signal(&sleeper, "-CONT");
    place.until("Done:").await;
    // What the sleeper would do it does at once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lost = place.sheets.world().times_written().len();
    assert_eq!(lost, kind.rows(), "every row was written");
    assert!(place.sheets.world().times_written().values().all(|n| *n == 1), "none twice");
    assert_eq!(place.answers().len(), 1, "{:?}", place.answers());
    let again = items(&place.azure.requests())[asked..].iter().filter(|item| kept.contains(item)).count();
    assert_eq!(again, 0, "no question is repeated whose answer was stored");
    kill(other).await;
    kill(sleeper).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_lease_changes_nothing() {
    stopped_for_half_a_minute(Kind::Summaries, Kind::Summaries.place().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_lease_writes_nothing() {
    stopped_for_half_a_minute(Kind::Update, Kind::Update.place().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_slept_through_its_lease_changes_nothing_on_postgresql() {
    for kind in [Kind::Update, Kind::Summaries] {
        let Some((url, schema)) = postgres_schema().await else { return };
        let mut place = kind.place().await;
        place.database = format!("{url}?options[search_path]={schema}");
        stopped_for_half_a_minute(kind, place).await;
    }
}
