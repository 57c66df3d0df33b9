//! One person asks without end: everybody else is served as if they did not.

use crate::world::{Setting, World};
use chat::{Anchor, Platform, ThreadKey};
use chatsheet::clock::Clock;
use chatsheet::sheet::SheetId;
use sandbox::azure::{self, Mode, Reply};
use sandbox::smartsheet::{Options, Seed};
use std::time::{Duration, Instant};

/// What one person asks at once; more than there are places.
const FLOOD: usize = 150;

/// A world whose model takes its time, and says the same to everybody.
async fn slow(postgres: bool) -> World {
    let model = (0..FLOOD + 10).map(|_| Reply::Say("Please ask Dana about that.".into())).collect();
    let azure = azure::Options { latency: Duration::from_secs(2), ..azure::Options::default() };
    World::with(Setting { model: Some(Mode::Script(model)), azure: Some(azure), postgres, paced: true, ..Setting::default() })
        .await
        .unwrap()
}

async fn others_are_served_at_once(postgres: bool) {
    let world = slow(postgres).await;
    for channel in ["C1", "C2"] {
        world.slack.slash(channel, "U1", "use Project Plan").await;
    }
    world.slack.until(|m| m.iter().filter(|m| m.seen().contains("start with")).count() == 2).await.unwrap();
    for n in 0..FLOOD {
        let statuses = world.slack.say("C1", "U1", &format!("<@UBOT> which tasks are blocked, part {n}?"), None).await.statuses;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
    let answers = |channel: &str| world.slack.messages().iter().filter(|m| m.channel == channel && m.seen().contains("ask Dana")).count();
    world.slack.say("C2", "U2", "<@UBOT> which tasks are blocked?", None).await;
    let answered = world.slack.until(|m| m.iter().any(|m| m.channel == "C2" && m.seen().contains("ask Dana"))).await;
    let last: Vec<String> =
        world.slack.messages().iter().rev().take(12).map(|m| format!("{} {}: {}", m.channel, m.user, m.seen())).collect();
    assert!(answered.is_ok(), "{}", last.join("\n"));
    let before = answers("C1");
    assert!(before < FLOOD / 2, "{before} of {FLOOD} were answered before the one of somebody else");
    world.app.shut_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_at_once_while_one_person_floods_a_channel() {
    others_are_served_at_once(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_served_at_once_on_postgresql_too() {
    others_are_served_at_once(true).await;
}

/// More channels than turns at the same time, whose model does not answer while the story lasts.
const CHANNELS: usize = 130;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_no_place_is_told_that_they_wait() {
    let azure = azure::Options { latency: Duration::from_secs(600), ..azure::Options::default() };
    let world = World::with(Setting { azure: Some(azure), unbound: true, ..Setting::default() }).await.unwrap();
    let sheet = SheetId(world.sheets.world().sheet_id("Project Plan").unwrap());
    for n in 0..CHANNELS {
        let channel = format!("CROWD{n}");
        let anchor = Anchor(serde_json::json!({ "team": "T1", "channel": channel, "thread_ts": null }).to_string());
        let thread = ThreadKey { platform: Platform::Slack, install: "T1".into(), conversation: channel.clone(), root: None };
        world.app.store.bind_sheet(&thread, &anchor, sheet, "Project Plan", Clock::System.now()).await.unwrap();
        for person in ["A", "B"] {
            world.slack.say(&channel, &format!("U{n}{person}"), "<@UBOT> which tasks are blocked?", None).await;
        }
    }
    let waits = |m: &sandbox::slack::Posted| m.seen().contains("Many people ask");
    world.slack.until(|m| m.iter().filter(|m| waits(m)).count() >= 2).await.unwrap();
    let asked = Instant::now();
    world.slack.say("CELSEWHERE", "UELSE", "<@UBOT> which tasks are blocked?", None).await;
    world.slack.until(|m| m.iter().any(|m| m.channel == "CELSEWHERE" && waits(m))).await.unwrap();
    println!("a sign of life elsewhere after {:?}", asked.elapsed());
    let mut told: Vec<String> = world.slack.messages().into_iter().filter(waits).map(|m| m.channel).collect();
    let count = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), count, "a channel is told once: {told:?}");
    world.app.shut_down().await;
}

/// A thread about a sheet whose model answers with these words, or says so when a person has had enough.
async fn told(settings: Vec<(&'static str, String)>, questions: usize) -> Vec<String> {
    let model = (0..questions).map(|_| Reply::Say("Please ask Dana about that.".into())).collect();
    let world = World::with(Setting { model: Some(Mode::Script(model)), settings, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("start with"))).await.unwrap();
    let mut told = Vec::new();
    for n in 0..questions {
        let before = world.slack.messages().len();
        world.slack.say("C1", "U1", &format!("<@UBOT> whom do I ask, part {n}?"), None).await;
        world.app.bot.until_idle().await;
        told.extend(
            world.slack.messages().iter().skip(before).filter(|m| m.user == sandbox::slack::BOT_USER).map(sandbox::slack::Posted::seen),
        );
    }
    let before = world.slack.messages().len();
    world.slack.say("C1", "U1", "<@UBOT> help", None).await;
    world.app.bot.until_idle().await;
    assert!(world.slack.messages()[before..].iter().any(|m| m.seen().contains("I answer questions")), "help is always there");
    world.end().await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_has_so_many_questions_and_so_many_tokens_a_day() {
    insta::assert_snapshot!(told(vec![("PERSON_TURNS_PER_DAY", "2".into())], 3).await.join("\n"), @r"
    Please ask Dana about that.
    Please ask Dana about that.
    That is your limit for today: 2 questions. I answer again from 00:00 UTC on; buttons, `undo` and `help` work meanwhile. The operator sets this limit.
    ");
    insta::assert_snapshot!(told(vec![("PERSON_TOKENS_PER_DAY", "10".into())], 2).await.join("\n"), @r"
    Please ask Dana about that.
    That is your limit for today: 10 tokens. I answer again from 00:00 UTC on; buttons, `undo` and `help` work meanwhile. The operator sets this limit.
    ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_is_too_large_is_refused_in_words() {
    let seed = Seed::Large { rows: 20_000, columns: 10 };
    let smartsheet = Some(Options { seed, ..Options::default() });
    let settings = vec![("SMARTSHEET_MAX_ANSWER_MB", "1".into())];
    let world = World::with(Setting { smartsheet, settings, unbound: true, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Large").await;
    world.app.bot.until_idle().await;
    let last = world.slack.messages().last().unwrap().seen();
    insta::assert_snapshot!(last, @"This is larger than the 1 MB that I take in at once. Ask the operator to raise SMARTSHEET_MAX_ANSWER_MB, or make the sheet smaller.");
    world.end().await;
}
