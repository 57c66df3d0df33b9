//! What is kept of a person, a channel or a workspace goes when it is to be forgotten, and nothing else does.

use crate::command_line::run;
use crate::world::{Setting, World};
use chat::Platform;
use chatsheet::access::{Person, Role};
use chatsheet::store::{Granted, Somewhere, Store, Traces, Whose};
use sandbox::slack;

/// Two people in two channels, each with words of their own.
async fn two_in_two_channels(postgres: bool) -> World {
    let world = World::with(Setting { postgres, ..Setting::default() }).await.unwrap();
    for (channel, user, word) in [("C1", "U1", "aardvark"), ("C1", "U2", "bonobo"), ("C2", "U1", "capybara"), ("C2", "U2", "dormouse")] {
        world.slack.slash(channel, user, "use Project Plan").await;
        world.slack.slash(channel, user, "status").await;
        world.app.bot.until_idle().await;
        world.slack.say(channel, user, &format!("<@UBOT> how many tasks are Blocked? ({word})"), None).await;
        world.app.bot.until_idle().await;
    }
    for user in ["U1", "U2"] {
        world.slack.say("C1", user, "<@UBOT> set Status to Complete for everything that is Blocked", None).await;
        world.app.bot.until_idle().await;
        world.slack.press("C1", user, "Confirm").await;
        world.app.bot.until_idle().await;
        world.slack.press("C1", user, "Undo").await;
        world.app.bot.until_idle().await;
    }
    world
}

fn person(id: &str) -> Person {
    Person { platform: Platform::Slack, install: slack::TEAM.into(), id: id.into() }
}

fn labels(traces: &Traces) -> Vec<&'static str> {
    traces.gone.iter().map(|(label, _)| *label).collect()
}

/// The kinds of what is kept that stand in a list.
fn told(traces: &Traces) -> String {
    traces.gone.iter().map(|(label, n)| format!("{n} {label}")).collect::<Vec<_>>().join(", ")
}

async fn a_person_goes_and_others_stay(postgres: bool) {
    let world = two_in_two_channels(postgres).await;
    let (store, now_ms) = (&world.app.store, world.clock.now_ms());
    store.grant_access(&Granted { person: person("U1"), name: Some("Dana".into()), role: Role::Admin, at_ms: now_ms }).await.unwrap();
    let (first, second) = (Whose::Person(person("U1")), Whose::Person(person("U2")));
    let kept = store.traces(&first).await.unwrap();
    let others = store.traces(&second).await.unwrap();
    assert_eq!(
        labels(&kept),
        ["messages shown in the page", "messages", "private answers", "events", "undos", "changes", "proposals", "counts of use", "roles"]
    );
    let gone = store.forget(&first, now_ms).await.unwrap();
    assert_eq!((gone.under_way, gone.audit_lines), (0, kept.audit_lines));
    // The undo goes with its change, or before it: either way it is gone.
    let of_a_kind = |traces: &Traces| labels(traces).len();
    assert_eq!(of_a_kind(&gone), of_a_kind(&kept), "{} was to go, {} did", told(&kept), told(&gone));
    let left = store.traces(&first).await.unwrap();
    assert_eq!((left.gone, left.audit_lines), (Vec::new(), kept.audit_lines));
    let still = store.traces(&second).await.unwrap();
    let but_posts = |traces: &Traces| traces.gone.iter().filter(|(label, _)| !label.contains("page")).copied().collect::<Vec<_>>();
    assert_eq!(but_posts(&still), but_posts(&others), "nothing of somebody else went but copies of shared threads");
    assert!(store.verify_audit().await.unwrap().is_ok());
    if !postgres {
        let files = ["story.db", "story.db-wal"].map(|name| std::fs::read(world.folder.0.join(name)).unwrap_or_default());
        let holds = |word: &str| files.iter().any(|file| file.windows(word.len()).any(|w| w == word.as_bytes()));
        assert!(!holds("aardvark") && !holds("capybara"), "no free place of the file holds it either");
        assert!(holds("bonobo") && holds("dormouse"));
    }
    // They can come back as anybody can.
    world.slack.say("C1", "U1", "<@UBOT> how many tasks are Blocked?", None).await;
    world.app.bot.until_idle().await;
    let last = world.slack.messages().last().unwrap().seen();
    assert!(last.contains("There are 2 rows."), "{last}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_goes_and_others_stay_on_sqlite() {
    a_person_goes_and_others_stay(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_goes_and_others_stay_on_postgresql() {
    a_person_goes_and_others_stay(true).await;
}

async fn places_go(postgres: bool) {
    let world = two_in_two_channels(postgres).await;
    let (store, now_ms) = (&world.app.store, world.clock.now_ms());
    world.slack.say("C2", "U2", "<@UBOT> set Status to Complete for everything that is Blocked", None).await;
    world.app.bot.until_idle().await;
    let place = |id: &str| Whose::Channel(Somewhere::channel(&format!("slack:{}:{id}", slack::TEAM)).unwrap());
    let (first, second) = (place("C1"), place("C2"));
    let before = store.traces(&second).await.unwrap();
    store.forget(&first, now_ms).await.unwrap();
    assert_eq!(store.traces(&first).await.unwrap().gone, []);
    assert_eq!(store.traces(&second).await.unwrap(), before, "the other channel is as it was");
    world.slack.press("C2", "U2", "Confirm").await;
    world.app.bot.until_idle().await;
    assert!(world.slack.messages().iter().any(|m| m.seen().contains("Done: set Status")), "what waits elsewhere still works");
    let all = Whose::Workspace(Somewhere::workspace(&format!("slack:{}", slack::TEAM)).unwrap());
    store.forget(&all, now_ms).await.unwrap();
    assert_eq!(store.traces(&all).await.unwrap().gone, []);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_go_on_sqlite() {
    places_go(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_go_on_postgresql() {
    places_go(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_go_is_printed_before_it_does() {
    let world = two_in_two_channels(false).await;
    let url = format!("sqlite://{}", world.folder.0.join("story.db").display());
    let said = |words: &[&str]| {
        let done = run(words, &[("DATABASE_URL", url.clone())], &world.folder.0, "");
        format!("{:?}\n{}{}", done.status.code(), String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    };
    let whom = format!("slack:{}:U1", slack::TEAM);
    let before = said(&["forget", "person", &whom]);
    assert!(before.starts_with("Some(0)\nWould be removed:") && before.contains("Add --yes"), "{before}");
    assert_eq!(said(&["forget", "person", &whom]), before, "nothing went");
    let done = said(&["forget", "person", &whom, "--yes"]);
    assert!(done.starts_with("Some(0)\nRemoved:") && done.contains("lines of the audit log stay"), "{done}");
    assert!(said(&["forget", "person", &whom]).starts_with("Some(0)\nNothing is found."));
    for wrong in [["forget", "person", "U1"], ["forget", "channel", "slack:C1"], ["forget", "workspace", "web:x"]] {
        let refused = said(&wrong);
        assert!(refused.starts_with("Some(2)") && refused.contains("slack:T1:U5"), "{refused}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_goes_when_the_bot_leaves() {
    let world = two_in_two_channels(false).await;
    let messages = async || {
        let whose = Whose::Workspace(Somewhere::workspace(&format!("slack:{}", slack::TEAM)).unwrap());
        world.app.store.traces(&whose).await.unwrap().gone.iter().find(|(label, _)| *label == "messages").map_or(0, |(_, n)| *n)
    };
    assert!(messages().await > 0);
    let left = chat::ThreadKey { platform: Platform::Slack, install: slack::TEAM.into(), conversation: String::new(), root: None };
    world.app.store.forget_conversation(&left).await.unwrap();
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", world.folder.0.join("story.db").display())).await.unwrap();
    let (kept,): (i64,) = sqlx::query_as("SELECT count(*) FROM messages").fetch_one(&pool).await.unwrap();
    assert_eq!(kept, 0, "none is left behind that no thread leads to");
    world.end().await;
}

#[tokio::test]
async fn words_go_when_they_are_old() {
    let world = World::start().await;
    world.use_sheet("Project Plan").await;
    world.type_line("how many tasks are Blocked?").await;
    let (store, now_ms): (&Store, i64) = (&world.app.store, world.clock.now_ms());
    assert_eq!(store.forget_said(now_ms - 3_600_000).await.unwrap(), 0);
    assert!(store.forget_said(now_ms + 1_000).await.unwrap() >= 2);
    assert_eq!(store.forget_said(now_ms + 1_000).await.unwrap(), 0);
    world.type_line("how many tasks are Blocked?").await;
    world.end().await;
}
