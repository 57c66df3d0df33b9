//! The same in Slack: threads, mentions twice delivered, buttons, other people, forged requests.

use crate::world::{Setting, World, readable};
use chatsheet::store::Asker;
use sandbox::azure::{Mode, Reply};
use sandbox::slack;
use std::time::Duration;

pub const LEE: &str = "U1";
pub const MIA: &str = "U2";

/// A thread of channel C1 as people see it.
pub fn thread(world: &World, root: &str) -> String {
    let name = |id: String| match id.as_str() {
        "U1" => "Lee".to_owned(),
        "U2" => "Mia".to_owned(),
        "UBOT" => "bot".to_owned(),
        other => other.to_owned(),
    };
    let lines = world.slack.thread("C1", Some(root)).into_iter().map(|(who, text)| format!("{}: {text}", name(who)));
    readable(&lines.collect::<Vec<_>>().join("\n"))
}

/// Lee mentions the bot in channel C1, which is about the project plan; returns the thread.
pub async fn ask(world: &World, text: &str) -> String {
    let said = world.slack.say("C1", LEE, &format!("<@UBOT> {text}"), None).await;
    assert_eq!(said.statuses, [200, 200], "both deliveries of a mention are acknowledged");
    world.app.bot.until_idle().await;
    said.ts
}

/// The wall clock, which signatures are made with.
fn now() -> i64 {
    let date = std::process::Command::new("date").arg("+%s").output().unwrap();
    String::from_utf8_lossy(&date.stdout).trim().parse().unwrap()
}

/// Channel C1 is about the project plan; a slow model is waited for.
pub async fn world() -> World {
    let world = World::start().await;
    world.slack.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_a_confirmed_change_and_an_undo() {
    let world = world().await;
    let root = ask(&world, "which tasks are overdue, and who owns them?").await;
    world.slack.say("C1", LEE, "set Status to Blocked for \"Page templates\"", Some(&root)).await;
    world.app.bot.until_idle().await;
    insta::assert_snapshot!(thread(&world, &root), @r#"
    Lee: @UBOT which tasks are overdue, and who owns them?
    bot: 5 rows match.
    Task Name | Assigned To | Status | Due Date
    Page templates | Priya Nair | In Progress | 2026-11-14
    Privacy statement | Lee Park | In Progress | 2026-11-16
    Copy writing | Mia Jensen | In Progress | 2026-11-19
    Accessibility review | Dana Reyes | Blocked | 2026-11-20
    Payment integration | – | Blocked | 2026-11-21
    5 results · Due Date is before 22 Nov 2026 and Status is none of “Complete”, “Cancelled” (or empty) · rows without children: 34 of 42 · Project Plan · as of 10:30 UTC
    Lee: set Status to Blocked for "Page templates"
    bot: Set Status in 1 row of Project Plan?
    Where Task Name is “Page templates”
    Row | Now | New
    Page templates | In Progress | Blocked
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes.
    "#);
    assert_eq!(world.slack.press("C1", LEE, "Confirm").await.statuses, [200]);
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    let asked = |w: &World| thread(w, &root).lines().skip_while(|l| !l.contains("Lee: set")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(asked(&world), @r#"
    Lee: set Status to Blocked for "Page templates"
    bot: ✅ Done: set Status in 1 row in Project Plan.
    Row | Was | Is
    Page templates | In Progress | Blocked
    Asked for and confirmed by Lee Park.
    [Undo]
    You can take this back for 24 hours.
    "#);
    world.slack.press("C1", LEE, "Undo").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    insta::assert_snapshot!(asked(&world), @r#"
    Lee: set Status to Blocked for "Page templates"
    bot: ↩️ Taken back in Project Plan: set Status in 1 row.
    Row | Was | Is
    Page templates | Blocked | In Progress
    Asked for, confirmed and taken back by Lee Park.
    "#);
    let answer = world.slack.messages().into_iter().find(|m| m.seen().contains("5 rows match")).unwrap();
    let row = world.sheets.world().row_id("Project Plan", "Page templates").unwrap();
    assert!(serde_json::to_string(&answer.blocks).unwrap().contains(&format!("?rowId={row}")), "each row is a link to itself");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slack_gets_is_safe_by_construction() {
    let world = World::with(Setting { unbound: true, ..Setting::default() }).await.unwrap();
    // Before anybody has read the sheet: what is known of it is good for a second.
    world.sheets.world().edit("Project Plan", "Order service", "Notes", "<!channel> <https://evil.example|click> *x*".into());
    world.slack.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    ask(&world, "tasks containing \"Order\"").await;
    let root = ask(&world, "list notes for tasks in progress").await;
    assert!(thread(&world, &root).contains("evil.example"), "the cell is shown");
    for (method, body) in world.slack.calls().iter().filter(|(m, _)| m.starts_with("chat.")) {
        let text = body.to_string();
        assert!(!text.contains("<!channel>") && !text.contains("<https://evil"), "{method}: {text}");
        if method == "chat.postMessage" {
            assert!(text.contains("\"unfurl_links\":false") && text.contains("\"unfurl_media\":false"));
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_comes_again_is_answered_once() {
    let world = world().await;
    let root = ask(&world, "how many tasks are blocked?").await;
    for _ in 0..3 {
        assert_eq!(world.slack.redeliver().await, 200);
    }
    world.app.bot.until_idle().await;
    let answers = world.slack.thread("C1", Some(&root)).into_iter().filter(|(who, _)| who == "UBOT").count();
    assert_eq!(answers, 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_messages_in_a_row_are_answered_in_order_and_none_is_lost() {
    let world = world().await;
    let root = ask(&world, "status").await;
    for i in 0..10 {
        world.slack.say("C1", LEE, &format!("how many rows are there, number {i}?"), Some(&root)).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.app.bot.until_idle().await;
    let asked: Vec<String> = world
        .azure
        .requests()
        .iter()
        .filter_map(|r| r["messages"].as_array()?.iter().rfind(|m| m["role"] == "user")?["content"].as_str().map(str::to_owned))
        .collect();
    let mut order: Vec<String> = Vec::new();
    for line in asked.iter().flat_map(|t| t.lines()) {
        if order.last().map(String::as_str) != Some(line) && !order.contains(&line.to_owned()) {
            order.push(line.to_owned());
        }
    }
    let expected: Vec<String> = (0..10).map(|i| format!("how many rows are there, number {i}?")).collect();
    assert_eq!(order, expected, "every message reached the model, in order");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_wait_get_a_sign_of_life_and_are_answered_together() {
    let world = world().await;
    // Where a status is shown it stays there for them, and nothing is posted above the answer that comes first.
    world.slack.refuse_streams();
    let root = ask(&world, "status").await;
    world.azure.faults().next(sandbox::fault::Kind::Slow, 1);
    world.slack.say("C1", LEE, "<@UBOT> how many tasks are blocked?", Some(&root)).await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("Looking at"))).await.unwrap();
    for text in ["<@UBOT> what is late?", "and only Lee's?"] {
        world.slack.say("C1", LEE, text, Some(&root)).await;
    }
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("Noted. I answer this"))).await.unwrap();
    world.app.bot.until_idle().await;
    let seen = thread(&world, &root);
    assert!(!seen.contains("Noted") && seen.contains("There are 2 rows."), "{seen}");
    assert_eq!(seen.matches("bot: ").count(), 3, "status, the first answer, and one for both that waited: {seen}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_are_served_at_the_same_time() {
    let world = world().await;
    world.azure.faults().next(sandbox::fault::Kind::Slow, 1);
    let slow = world.slack.say("C1", LEE, "<@UBOT> how many tasks are blocked?", None).await.ts;
    world.azure.until(|asked| !asked.is_empty()).await.unwrap();
    let fast = world.slack.say("C1", MIA, "<@UBOT> total budget", None).await.ts;
    world.slack.until(|m| m.iter().any(|m| m.thread_ts.as_deref() == Some(&fast) && m.seen().contains("Total Budget"))).await.unwrap();
    assert!(!thread(&world, &slow).contains("There are 2 rows"), "the second thread did not wait for the first");
    world.app.bot.until_idle().await;
    assert!(thread(&world, &slow).contains("There are 2 rows"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_stale_and_odd_requests_are_refused() {
    let world = world().await;
    ask(&world, "status").await;
    let body = world.slack.last_event().unwrap();
    let now = now();
    assert_eq!(world.slack.send_signed(&body, "another secret", now).await, 401, "forged");
    assert_eq!(world.slack.send_signed(&body, slack::SIGNING_SECRET, now - 301).await, 401, "stale");
    assert_eq!(world.slack.send_signed(&body, slack::SIGNING_SECRET, now + 400).await, 401, "from the future");
    assert_eq!(world.slack.send_signed(&body, slack::SIGNING_SECRET, -1).await, 401, "nonsense");
    for odd in ["null", "[]", "{", "\"x\"", "{\"type\":\"event_callback\"}", "payload=%00", "{\"a\":{\"a\":{\"a\":1}}}"] {
        assert_eq!(world.slack.send_signed(odd, slack::SIGNING_SECRET, now).await, 200, "{odd}");
    }
    let deep = format!("{{\"type\":{}", "[".repeat(100_000));
    assert_eq!(world.slack.send_signed(&deep, slack::SIGNING_SECRET, now).await, 200);
    let huge = "x".repeat(2 << 20);
    assert_eq!(world.slack.send_signed(&huge, slack::SIGNING_SECRET, now).await, 413);
    let handshake = "{\"type\":\"url_verification\",\"token\":\"x\",\"challenge\":\"c0ffee\"}";
    assert_eq!(world.slack.send_signed(handshake, slack::SIGNING_SECRET, now).await, 200);
    assert!(ask(&world, "help").await.contains('.'), "still alive");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_asker_may_press() {
    let world = world().await;
    ask(&world, "mark \"Usability test\" as complete").await;
    world.slack.press("C1", MIA, "Confirm").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "Not Started");
    let whispered = world.slack.messages().into_iter().rfind(|m| m.only_for.as_deref() == Some(MIA)).unwrap();
    insta::assert_snapshot!(whispered.seen(), @"Only the person who asked for this change can confirm or cancel it.");
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "Complete");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_presses_write_once() {
    let world = world().await;
    ask(&world, "mark \"Usability test\" as complete").await;
    let message = world.slack.messages().into_iter().rfind(|m| m.seen().contains("Confirm")).unwrap();
    let value =
        message.blocks.iter().find_map(|b| b["elements"][0]["value"].as_str().filter(|v| v.starts_with("confirm:"))).unwrap().to_owned();
    let (first, second) = tokio::join!(world.slack.press_value(&message, &value, LEE), world.slack.press_value(&message, &value, LEE));
    assert_eq!((first.statuses, second.statuses), (vec![200], vec![200]));
    world.app.bot.until_idle().await;
    assert_eq!(world.writes(), ["PUT /sheets/ID/rows"]);
    assert_eq!(world.slack.press_value(&message, "confirm:no-such-proposal", LEE).await.statuses, [200]);
    world.app.bot.until_idle().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slash_question_opens_a_thread_that_goes_on() {
    let world = world().await;
    assert_eq!(world.slack.slash("C1", LEE, "how many tasks are blocked?").await.statuses, [200]);
    world.app.bot.until_idle().await;
    let posted = world.slack.messages().into_iter().rfind(|m| m.seen().contains("There are 2 rows")).unwrap();
    assert_eq!(posted.thread_ts, None, "the answer opens a thread");
    world.slack.say("C1", LEE, "what is late?", Some(&posted.ts)).await;
    world.app.bot.until_idle().await;
    assert!(thread(&world, &posted.ts).contains("5 rows match"), "{}", thread(&world, &posted.ts));
    world.slack.slash("C1", LEE, "help").await;
    world.app.bot.until_idle().await;
    let help = world.slack.messages().pop().unwrap();
    assert_eq!(help.only_for.as_deref(), Some(LEE), "help is for the person alone");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_quiet_where_it_is_not_addressed() {
    let world = world().await;
    let before = world.slack.messages().len();
    let other = world.slack.say("C1", MIA, "lunch?", None).await;
    world.slack.say("C1", LEE, "yes", Some(&other.ts)).await;
    world.slack.say("C2", LEE, "help", None).await;
    world.app.bot.until_idle().await;
    assert_eq!(world.slack.messages().len(), before + 3, "nobody but people said anything");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_messages_are_one_conversation_and_each_thread_of_them_another() {
    let world = world().await;
    world.slack.say("D1", LEE, "use Budget 2026", None).await;
    world.slack.say("D1", LEE, "how many rows are there?", None).await;
    world.app.bot.until_idle().await;
    let last = |thread: Option<&str>| world.slack.thread("D1", thread).last().unwrap().1.clone();
    assert!(last(None).contains("There are 30 rows"), "{}", last(None));
    // A thread, as each conversation in the assistant pane is one, begins with the same sheet and may go on with another.
    let root = world.slack.say("D1", LEE, "status", None).await.ts;
    world.slack.say("D1", LEE, "how many rows are there?", Some(&root)).await;
    world.app.bot.until_idle().await;
    assert!(last(Some(&root)).contains("There are 30 rows"), "{}", last(Some(&root)));
    world.slack.say("D1", LEE, "use Project Plan", Some(&root)).await;
    world.slack.say("D1", LEE, "how many rows are there?", Some(&root)).await;
    world.app.bot.until_idle().await;
    assert!(last(Some(&root)).contains("There are 42 rows"), "{}", last(Some(&root)));
    world.slack.say("D1", LEE, "how many rows are there?", None).await;
    world.app.bot.until_idle().await;
    assert!(last(None).contains("There are 30 rows"), "{}", last(None));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_blocks_become_text_and_asked_for_patience_is_given() {
    let world = world().await;
    world.slack.refuse_blocks(true);
    let root = ask(&world, "what is late?").await;
    assert!(thread(&world, &root).contains("Page templates"), "{}", thread(&world, &root));
    world.slack.refuse_blocks(false);
    world.slack.faults().next(sandbox::fault::Kind::RateLimited, 2);
    let root = ask(&world, "how many tasks are blocked?").await;
    assert!(thread(&world, &root).contains("There are 2 rows"), "{}", thread(&world, &root));
    for kind in [sandbox::fault::Kind::ServerError, sandbox::fault::Kind::Reset, sandbox::fault::Kind::Truncated] {
        world.slack.faults().next(kind, 1);
        let root = ask(&world, "how many tasks are blocked?").await;
        assert_eq!(thread(&world, &root).matches("There are 2 rows").count(), 1, "{kind:?} neither doubles nor loses an answer");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wordy_stop_ends_the_running_turn() {
    let world = world().await;
    world.azure.pause(true);
    for (n, stop) in ["stop", "<@UBOT> stop", "<@UBOT>: stop", "hey <@UBOT>, stop!", "please stop", "Stop."].into_iter().enumerate() {
        let root = ask(&world, "status").await;
        world.slack.say("C1", LEE, "<@UBOT> how many tasks are blocked?", Some(&root)).await;
        world.azure.until(|requests| requests.len() == n + 1).await.unwrap();
        world.slack.say("C1", LEE, stop, Some(&root)).await;
        world.app.bot.until_idle().await;
        let seen = thread(&world, &root);
        assert_eq!(seen.matches("Stopped").count(), 1, "{stop}: one thing is said: {seen}");
        assert!(seen.contains("Stopped. Nothing was changed.") && !seen.contains("There are 2 rows"), "{stop}: {seen}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_says_what_was_dropped_with_it() {
    let world = world().await;
    world.azure.pause(true);
    let root = ask(&world, "status").await;
    world.slack.say("C1", LEE, "<@UBOT> how many tasks are blocked?", Some(&root)).await;
    world.azure.until(|requests| requests.len() == 1).await.unwrap();
    for text in ["<@UBOT> which are overdue?", "<@UBOT> and who owns them?"] {
        world.slack.say("C1", LEE, text, Some(&root)).await;
    }
    world.slack.say("C1", LEE, "<@UBOT> stop", Some(&root)).await;
    world.app.bot.until_idle().await;
    let seen = thread(&world, &root);
    assert!(seen.contains("Stopped, and dropped 2 messages that waited. Nothing was changed."), "{seen}");
    assert_eq!(seen.matches("Stopped").count(), 1, "{seen}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slash_command_undoes_and_stops_what_one_did_in_the_channel() {
    let world = world().await;
    ask(&world, "mark \"Usability test\" as complete").await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.slack.slash("C1", MIA, "undo").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "Complete", "Mia has nothing to undo here");
    world.slack.slash("C1", LEE, "undo").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "Not Started");
    world.slack.slash("C1", LEE, "status").await;
    world.app.bot.until_idle().await;
    world.slack.slash("C1", LEE, "stop").await;
    world.app.bot.until_idle().await;
    let seen: Vec<String> = world.slack.messages().into_iter().rev().take(2).map(|m| m.seen()).collect();
    assert!(seen.iter().any(|s| s.contains("nothing to stop")) && seen.iter().any(|s| s.contains("My rights there")), "{seen:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growing_words_stay_within_the_rates_of_slack() {
    let words = "The plan is on time but for five tasks, which I list below with their owners. ".repeat(20);
    let replies = (0..6).map(|_| Reply::Grow(words.clone())).collect();
    let strict = slack::Options { enforce_rates: true, ..slack::Options::default() };
    let setting = Setting { model: Some(Mode::Script(replies)), slack: Some(strict), ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    for n in 0..6 {
        world.slack.slash(&format!("C{n}"), LEE, "use Project Plan").await;
    }
    world.app.bot.until_idle().await;
    for n in 0..6 {
        world.slack.say(&format!("C{n}"), LEE, "<@UBOT> how are we doing?", None).await;
    }
    world.app.bot.until_idle().await;
    let answers =
        world.slack.messages().into_iter().filter(|m| m.user == "UBOT" && m.seen().contains("with their owners")).collect::<Vec<_>>();
    assert_eq!(answers.len(), 6);
    assert!(answers.iter().all(|m| m.edits >= 2), "the words grew before people's eyes");
    let streams = world.slack.calls().iter().filter(|(method, _)| method == "chat.startStream").count();
    assert!(streams >= 5, "so many may begin at once: {streams}");
    assert_eq!(world.slack.refused_for_rate(), 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn help_and_buttons_are_answered_while_a_turn_runs() {
    let world = world().await;
    let root = ask(&world, "mark \"Usability test\" as complete").await;
    world.azure.faults().next(sandbox::fault::Kind::Slow, 1);
    world.slack.say("C1", LEE, "<@UBOT> how many tasks are blocked?", Some(&root)).await;
    world.slack.until_status("C1").await.unwrap();
    world.slack.say("C1", LEE, "help", Some(&root)).await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("Done: set Status in 1 row"))).await.unwrap();
    world.slack.until(|m| m.iter().any(|m| m.seen().contains("I answer questions about"))).await.unwrap();
    assert!(!thread(&world, &root).contains("There are 2 rows"), "the turn is still running");
    world.app.bot.until_idle().await;
    assert!(thread(&world, &root).contains("There are 2 rows"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slash_command_that_takes_long_says_so() {
    let world = world().await;
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    world.sheets.faults().next(sandbox::fault::Kind::Slow, 2);
    world.slack.slash("C1", LEE, "status").await;
    world.app.bot.until_idle().await;
    let seen: Vec<String> = world.slack.messages().into_iter().filter(|m| m.only_for.is_some()).map(|m| m.seen()).collect();
    let [.., moment, status] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(moment.contains("One moment") && status.contains("My rights there"), "{seen:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follow_ups_are_answered_unless_only_mentions_are_wanted() {
    for (wanted, answers) in [("answer", 2), ("mention", 1)] {
        let settings = vec![("FOLLOW_UPS", wanted.to_owned())];
        let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
        world.slack.slash("C1", LEE, "use Project Plan").await;
        world.app.bot.until_idle().await;
        let root = ask(&world, "how many tasks are blocked?").await;
        assert_eq!(world.slack.say("C1", LEE, "and how many are complete?", Some(&root)).await.statuses, [200]);
        world.app.bot.until_idle().await;
        let shown = world.slack.thread("C1", Some(&root)).into_iter().filter(|(who, _)| who == "UBOT").count();
        assert_eq!(shown, answers, "{wanted}: {}", thread(&world, &root));
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_with_the_same_ids_sees_nothing_of_another() {
    let settings = vec![("SLACK_ALLOWED", format!("members,{}", slack::TEAM))];
    let world = World::with(Setting { settings, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", LEE, "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    let root = ask(&world, "summarize Protocol into AI Summary").await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let job =
        world.app.jobs.list("", Some(&Asker { id: LEE.into(), install: format!("slack|{}", slack::TEAM) }), 1).await.unwrap().remove(0);
    // The same channel, thread and person, of a workspace that is another one.
    let said_elsewhere = async |text: &str| {
        world.slack.say("C1", LEE, &format!("<@UBOT> {text}"), Some(&root)).await;
        world.app.bot.until_idle().await;
        world.app.jobs.until_idle().await.unwrap();
        let before = world.slack.messages().len();
        let body = world.slack.last_event().unwrap().replace(&format!("\"{}\"", slack::TEAM), "\"T2\"");
        assert_eq!(world.slack.send_signed(&body, slack::SIGNING_SECRET, now()).await, 200);
        world.app.bot.until_idle().await;
        world.slack.messages()[before..].iter().map(slack::Posted::seen).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(said_elsewhere("jobs").await, "There are no jobs in this thread, and none of yours elsewhere.");
    for words in ["status", "retry", "cancel"] {
        let said = said_elsewhere(&format!("{words} {}", &job.id[job.id.len() - 6..])).await;
        assert_eq!(said, "I know no such job of yours; `jobs` lists them.", "{words}");
    }
    assert!(said_elsewhere("status").await.contains("no sheet yet"));
    assert_eq!(said_elsewhere("undo").await, "There is no change of this thread that could be taken back.");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_changes_right_after_a_write_is_left_alone_by_the_next() {
    let world = world().await;
    let root = ask(&world, "mark \"Usability test\" as complete").await;
    for text in ["mark \"Load test\" as complete", "mark \"Search page\" as complete"] {
        world.slack.say("C1", LEE, &format!("<@UBOT> {text}"), Some(&root)).await;
        world.app.bot.until_idle().await;
    }
    let confirm = async |row: &'static str| {
        world.slack.press_where(|m| m.seen().contains(row), LEE, "Confirm").await;
        world.app.bot.until_idle().await;
    };
    confirm("Usability test").await;
    // Within the same second, as the version that the write was answered with does not tell.
    world.sheets.edit("Project Plan", "Load test", "Status", "Blocked".into());
    confirm("Load test").await;
    assert_eq!(world.cell("Load test", "Status"), "Blocked", "{}", thread(&world, &root));
    assert!(thread(&world, &root).contains("it was changed by somebody else meanwhile"));
    confirm("Search page").await;
    assert_eq!((world.cell("Usability test", "Status").as_str(), world.cell("Search page", "Status").as_str()), ("Complete", "Complete"));
    world.end().await;
}
