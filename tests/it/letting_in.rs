//! Who is let in: strangers are turned away everywhere, invitations let people in, roles hold, and what is taken away is gone at once.

use crate::api::Program;
use crate::links::{Page, browser, links_in_slack};
use crate::platforms::{settle, world};
use crate::world::{Setting, World};
use chat::Platform;
use chatsheet::access::{Person, Role, hash_of, new_code};
use chatsheet::server::api::Scope;
use chatsheet::store::Granted;
use reqwest::StatusCode;
use sandbox::{azure, discord, slack, smartsheet, teams, telegram};
use serde_json::json;
use std::time::{Duration, Instant};

/// Rounds in which each stranger tries everything.
const ROUNDS: usize = 25;
/// What they try.
const TRIED: [&str; 5] = ["use Budget 2026", "total budget by department", "set Status to Blocked for \"Load test\"", "sheets", "undo"];

async fn grant(world: &World, person: Person, role: Role) {
    world.app.store.grant_access(&Granted { person, name: None, role, at_ms: world.clock.now_ms() }).await.unwrap();
}

fn slack_person(id: &str) -> Person {
    Person { platform: Platform::Slack, install: slack::TEAM.into(), id: id.into() }
}

/// A thousand tries of people who may not, on every platform, by words, commands and the buttons of others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_served_who_is_not_let_in() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    // What is theirs whose buttons strangers press.
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for \"Load test\"", None).await;
    settle(&world).await;
    let proposal = world.slack.messages().into_iter().rev().find(|m| m.seen().contains("[Confirm]")).unwrap();
    let confirm = proposal.body["blocks"].to_string();
    let confirm = confirm.split("confirm:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let before = (world.sheets.world().picture("Project Plan"), world.azure.requests().len());
    let mut tries = 0;
    for round in 0..ROUNDS {
        for text in TRIED {
            let mention = format!("<@UBOT> {text}");
            let at_discord = format!("<@{}> {text}", discord::APPLICATION);
            let at_teams = format!("<at>{}</at> {text}", teams::BOT_NAME);
            world.slack.say("C1", "UX1", &mention, None).await;
            world.slack.say("C1", "UG1", &mention, None).await;
            on_discord.say(discord::STRANGE_CHANNEL, discord::STRANGERS, &at_discord).await;
            on_discord.say(900 + discord::STRANGERS, discord::STRANGERS, text).await;
            on_discord.slash(discord::STRANGE_CHANNEL, discord::STRANGERS, text).await;
            on_teams.say(teams::CHANNEL, "29:guest-1", &at_teams).await;
            on_teams.say("a:strange", "29:strange-1", text).await;
            on_telegram.say(501, 501, text, None).await;
            on_telegram.say(-777, 502, &format!("@{} {text}", telegram::BOT_NAME), None).await;
            tries += 9;
        }
        if round % 5 == 0 {
            for person in ["UX1", "UG1"] {
                world.slack.press_value(&proposal, &format!("confirm:{confirm}"), person).await;
                tries += 1;
            }
        }
    }
    let refused = |seen: &str| seen.contains("I do not know you");
    world.slack.until(|m| m.iter().filter(|m| refused(&m.seen())).count() >= 2).await.unwrap();
    // In a group nobody can be told alone who has never written to the bot.
    on_telegram.until(|far| far.messages().iter().any(|m| refused(&m.seen()))).await.unwrap();
    on_teams.until(|far| far.messages().iter().filter(|m| refused(&m.seen())).count() >= 2).await.unwrap();
    on_discord.until(|far| far.thinking() == 0).await.unwrap();
    settle(&world).await;
    assert!(tries >= 1_000, "{tries}");
    assert_eq!((world.sheets.world().picture("Project Plan"), world.azure.requests().len()), before, "0 served, 0 written");
    let told: Vec<String> = [
        world.slack.messages().iter().map(slack::Posted::seen).collect::<Vec<_>>(),
        on_discord.messages().iter().map(discord::Posted::seen).collect(),
        on_teams.messages().iter().map(teams::Posted::seen).collect(),
        on_telegram.messages().iter().map(telegram::Posted::seen).collect(),
    ]
    .concat()
    .into_iter()
    .filter(|m| m.contains("I do not know you"))
    .collect();
    for person in ["UX1", "UG1", "80", "29:guest-1", "29:strange-1", "501", "502"] {
        let of_them = told
            .iter()
            .filter(|words| words.contains(&format!("add {person} to")) || words.contains(&format!("add `{person}` to")))
            .count();
        assert!(of_them <= 1, "{person} was told {of_them} times: {told:?}");
    }
    assert!(told.len() >= 5, "{told:?}");
    let aloud = world.slack.messages().iter().any(|m| refused(&m.seen()) && m.only_for.is_none() && !m.channel.starts_with('D'));
    let aloud = aloud
        || on_teams.messages().iter().any(|m| refused(&m.seen()) && m.conversation.starts_with(teams::CHANNEL) && m.only_for.is_none());
    assert!(!aloud, "a refusal is for the person alone");
    println!("{tries} tries, 0 served, {} told why", told.len());
    world.end().await;
}

/// A thousand tries over HTTP of who may not: without a key, with one that is revoked, lacks the scope or is another's, and with links
/// that are made up, ended, for looking only, or of another thread.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_served_over_http_who_may_not() {
    let world = world().await;
    let owner = Program::new(&world, "owner", &Scope::ALL).await;
    let session = owner.session("Project Plan").await;
    let proposed =
        owner.post("/api/messages", json!({ "sessionId": session, "content": "set Status to Blocked for \"Page templates\"" })).await;
    let confirm = proposed.body.to_string().split("confirm:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let job = json!({ "sessionId": session, "type": "CUSTOM", "parameters": { "sourceColumns": ["Notes"], "targetColumn": "Copy", "instructions": "Repeat it." } });
    let job = owner.post("/api/jobs", job).await.body["id"].as_str().unwrap().to_owned();
    settle(&world).await;
    let (other, reader, revoked) = (
        Program::new(&world, "other", &Scope::ALL).await,
        Program::new(&world, "reader", &[Scope::Read]).await,
        Program::new(&world, "revoked", &Scope::ALL).await,
    );
    let keys = world.app.store.api_keys().await.unwrap();
    let gone = keys.iter().find(|key| key.name == "revoked").unwrap();
    assert!(world.app.store.revoke_api_key(&gone.id, world.clock.now_ms()).await.unwrap());
    // A thread with a link to look at the sheet, a link of Lee's, and one that was ended.
    world.slack.slash("C2", "U1", "use Budget 2026").await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    for (channel, text) in [("C2", "edit"), ("C1", "view"), ("C1", "edit")] {
        world.slack.slash(channel, "U1", text).await;
        settle(&world).await;
    }
    let links = links_in_slack(&world, "chat.postEphemeral");
    let [elsewhere, looking, own] = links.as_slice() else { panic!("three links: {links:?}") };
    let (elsewhere, looking, ended) =
        (Page::open(elsewhere).await.unwrap(), Page::open(looking).await.unwrap(), Page::open(own).await.unwrap());
    world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for \"Load test\"", None).await;
    settle(&world).await;
    let proposal = world.slack.messages().into_iter().rev().find(|m| m.seen().contains("[Confirm]")).unwrap();
    let waiting = proposal.body["blocks"].to_string().split("confirm:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let (sheet, row) = {
        let far = world.sheets.world();
        (far.sheet_id("Project Plan").unwrap(), far.row_id("Project Plan", "Load test").unwrap())
    };
    let path = format!("/api/smartsheet/{sheet}");
    let pictures = || ["Project Plan", "Budget 2026"].map(|sheet| world.sheets.world().picture(sheet));
    let before = (pictures(), world.azure.requests().len());
    let (mut tried, mut paced) = (0, 0);
    let mut refused = |what: &str, status: StatusCode| {
        assert!(status.is_client_error(), "{what}: {status}");
        (tried, paced) = (tried + 1, paced + usize::from(status == StatusCode::TOO_MANY_REQUESTS));
    };
    // `unshare` ends all links of a thread; one for looking is made anew.
    world.slack.slash("C1", "U1", "unshare").await;
    settle(&world).await;
    world.clock.advance(Duration::from_secs(1));
    world.slack.slash("C1", "U1", "view").await;
    settle(&world).await;
    let for_all = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    let stranger = browser();
    for round in 0..22 {
        for (name, program) in [("other", &other), ("reader", &reader), ("revoked", &revoked)] {
            let message = json!({ "sessionId": session, "content": "how many tasks are blocked?" });
            let press = json!({ "sessionId": session, "action": format!("confirm:{confirm}") });
            refused(&format!("{name} talks"), program.post("/api/messages", message).await.status);
            refused(&format!("{name} confirms"), program.post("/api/messages", press).await.status);
            refused(&format!("{name} reads a session"), program.get(&format!("/api/sessions/{session}")).await.status);
            refused(&format!("{name} reads messages"), program.get(&format!("/api/messages?sessionId={session}")).await.status);
            refused(&format!("{name} reads a job"), program.get(&format!("/api/jobs/{job}")).await.status);
            refused(&format!("{name} ends a job"), program.delete(&format!("/api/jobs/{job}")).await.status);
            refused(&format!("{name} deletes a session"), program.delete(&format!("/api/sessions/{session}")).await.status);
        }
        for (name, program) in [("reader", &reader), ("revoked", &revoked)] {
            refused(&format!("{name} deletes a row"), program.delete(&format!("{path}/rows/{row}")).await.status);
            let row = json!({ "cells": { "Task Name": "x" } });
            refused(&format!("{name} adds a row"), program.post(&format!("{path}/rows"), row).await.status);
        }
        for way in ["", "/rows", "/columns"] {
            refused("a revoked key reads", revoked.get(&format!("{path}{way}")).await.status);
            let stranger = stranger.get(format!("http://{}{path}{way}", world.app.address)).bearer_auth(format!("csk_{round}_guess"));
            refused("nobody reads", stranger.send().await.unwrap().status());
        }
        for (name, page) in [("ended", &ended), ("ended too", &looking)] {
            refused(&format!("{name} reads"), page.get("/data").await.0);
        }
        refused("a link that is made up", Page::open(&format!("{}/v/{round}guess", ended.origin)).await.err().unwrap());
        for (name, page) in [("ended", &ended), ("for looking", &for_all), ("of another thread", &elsewhere)] {
            refused(&format!("{name} confirms"), page.press(&format!("confirm:{waiting}")).await);
            refused(&format!("{name} sees to a job"), page.press(&format!("jobundo:{job}")).await);
            let cell = json!({ "row": row.to_string(), "column": "1", "value": "x", "was": null });
            refused(&format!("{name} writes"), page.post("/cell", cell).await.0);
            refused(&format!("{name} deletes"), page.post("/row/delete", json!({ "row": row.to_string() })).await.0);
        }
    }
    settle(&world).await;
    assert!(tried >= 1_000 && paced < tried / 2, "{tried} tries, {paced} of them were told to wait");
    assert_eq!((pictures(), world.azure.requests().len()), before, "0 served, 0 written");
    println!("{tried} tries over HTTP, 0 served, {paced} told to wait");
    world.end().await;
}

/// Somebody in a direct message is let in who is in a server that is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_in_a_named_server_may_write_directly() {
    let world = world().await;
    let far = world.discord.clone().unwrap();
    far.say(901, 1, "help").await;
    let answered = |m: &discord::Posted| m.channel == 901 && m.from == discord::APPLICATION && m.seen().contains("Smartsheet");
    far.until(|far| far.messages().iter().any(answered)).await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_code_of_an_invitation_lets_in_once() {
    let world = world().await;
    let far = world.telegram.clone().unwrap();
    let code = new_code();
    world.app.store.add_access_code(&hash_of(&code), Role::Reader, world.clock.now_ms() + 60_000).await.unwrap();
    let said = async |person: i64, text: &str| {
        far.say(person, person, text, None).await;
        settle(&world).await;
        far.messages().into_iter().rev().find(|m| m.chat == person && m.from == telegram::BOT_ID).map(|m| m.seen()).unwrap_or_default()
    };
    insta::assert_snapshot!(said(601, &format!("join {code}")).await, @"Welcome! You can ask me about sheets. Type help to see how.");
    assert!(said(601, "use Project Plan").await.contains("Project Plan"));
    assert!(said(601, "how many tasks are blocked?").await.contains("There are 2 rows"));
    // A reader asks, and changes nothing.
    insta::assert_snapshot!(said(601, "set Status to Blocked for \"Load test\"").await, @"That did not work: this person may ask about sheets, not change them");
    insta::assert_snapshot!(said(601, "edit").await, @"You may ask me about sheets here, not change them. Whoever runs me can change that (chatsheet access role).");
    insta::assert_snapshot!(said(602, &code).await, @"That code does not work: it was used before, or a day has passed. Ask whoever runs me for a new one.");
    for _ in 0..6 {
        said(603, &new_code()).await;
    }
    assert_eq!(world.writes(), Vec::<String>::new());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_decides_for_others() {
    let world = World::with(Setting::default()).await.unwrap();
    grant(&world, slack_person("U2"), Role::Admin).await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for \"Page templates\"", None).await;
    settle(&world).await;
    world.slack.press("C1", "U3", "Confirm").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress", "others still may not");
    world.slack.press("C1", "U2", "Confirm").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    world.slack.press("C1", "U2", "Undo").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_is_out_everywhere() {
    let world = world().await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for \"Page templates\"", None).await;
    settle(&world).await;
    world.slack.slash("C1", "U1", "edit").await;
    settle(&world).await;
    let link = links_in_slack(&world, "chat.postEphemeral").pop().expect("a link of their own");
    let page = Page::open(&link).await.unwrap();
    assert_eq!(page.get("/data").await.0, StatusCode::OK);
    world.slack.slash("C1", "U1", "view").await;
    settle(&world).await;
    let shared = links_in_slack(&world, "chat.postEphemeral").pop().expect("a link for looking");
    let looked_at = Page::open(&shared).await.unwrap();
    assert_eq!(looked_at.get("/data").await.0, StatusCode::OK);
    grant(&world, slack_person("U1"), Role::Nobody).await;
    assert_eq!(looked_at.get("/data").await.0, StatusCode::GONE, "they may have kept a link of nobody's, too");
    assert_eq!(Page::open(&shared).await.err(), Some(StatusCode::GONE));
    // What was decided before is taken for granted for five seconds at most.
    let until = Instant::now() + Duration::from_secs(20);
    while page.get("/data").await.0 != StatusCode::FORBIDDEN {
        assert!(Instant::now() < until, "the page still shows the sheet");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    world.slack.press("C1", "U1", "Confirm").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    // A key of the API is no person; it has its own scopes.
    let program = Program::new(&world, "reader", &[Scope::Read]).await;
    assert_eq!(program.get("/api/sessions").await.status, StatusCode::FORBIDDEN, "without the scope for conversations");
    world.end().await;
}

/// Requests for the rows of a job.
fn asked_about_rows(requests: &[serde_json::Value]) -> usize {
    requests.iter().filter(|r| r["response_format"].is_object()).count()
}

/// A world in which a job of U1 is under way, and takes its time.
async fn with_a_long_job() -> World {
    let sheets = smartsheet::Options { seed: smartsheet::Seed::Large { rows: 180, columns: 6 }, ..smartsheet::Options::default() };
    let model = azure::Options { latency: Duration::from_secs(1), ..azure::Options::default() };
    let world = World::with(Setting { smartsheet: Some(sheets), azure: Some(model), unbound: true, ..Setting::default() }).await.unwrap();
    world.slack.slash("C1", "U1", "use Large").await;
    world.app.bot.until_idle().await;
    world.slack.say("C1", "U1", "<@UBOT> summarize Text 5 into Summary", None).await;
    world.app.bot.until_idle().await;
    world.slack.press("C1", "U1", "Confirm").await;
    world.azure.until(|requests| asked_about_rows(requests) > 20).await.unwrap();
    world
}

/// Rights of admins over what is not theirs: jobs of all people, wherever they were asked for, and which model answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admin_sees_all_jobs_and_ends_them() {
    let world = with_a_long_job().await;
    grant(&world, slack_person("U2"), Role::Admin).await;
    let answer = async |channel: &str, person: &str, words: &str| {
        let before = world.slack.messages().len();
        world.slack.say(channel, person, &format!("<@UBOT> {words}"), None).await;
        world.slack.until(|m| m.iter().skip(before).any(|m| m.channel == channel && m.user == slack::BOT_USER)).await.unwrap();
        world.slack.messages().into_iter().skip(before).find(|m| m.channel == channel && m.user == slack::BOT_USER).unwrap().seen()
    };
    let (others, theirs) = (answer("C3", "U3", "jobs").await, answer("C2", "U2", "jobs").await);
    assert!(others.contains("There are no jobs in this thread") && theirs.contains("summarize Text 5 into Summary"), "{others}\n{theirs}");
    let id = theirs.split('`').nth(1).unwrap_or_default().to_owned();
    assert!(answer("C3", "U3", &format!("cancel {id}")).await.contains("I know no such job of yours"));
    assert!(answer("C2", "U2", &format!("status {id}")).await.contains("summarize Text 5"));
    assert!(answer("C2", "U2", &format!("cancel {id}")).await.contains("The job stops"));
    world.app.jobs.until_idle().await.unwrap();
    assert!(
        world.sheets.world().rows("Large").iter().any(|row| row.get("Summary").is_none_or(String::is_empty)),
        "it ended before its time"
    );
    world.slack.slash("C2", "U2", "use Large").await;
    world.app.bot.until_idle().await;
    assert!(answer("C2", "U2", "status").await.contains("Model: "));
    assert!(!answer("C1", "U1", "status").await.contains("Model: "));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_somebody_who_is_removed_ends() {
    let world = with_a_long_job().await;
    grant(&world, slack_person("U1"), Role::Nobody).await;
    world.app.jobs.until_idle().await.unwrap();
    assert!(asked_about_rows(&world.azure.requests()) < 170, "it ends long before all rows are asked about");
    let last = world.slack.messages().iter().map(slack::Posted::seen).rfind(|m| m.contains("summarize")).unwrap();
    assert!(last.to_lowercase().contains("cancelled"), "{last}");
    world.end().await;
}

/// The buttons and jobs of others: whoever is let in, and whoever was, moves nothing that is not theirs, on any platform.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_somebody_elses_is_moved_by_nobody_on_any_platform() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    let (change, job) = ("set Status to Blocked for \"Page templates\"", "summarize Notes into Summary");
    let at_discord = |text: &str| format!("<@{}> {text}", discord::APPLICATION);
    let at_teams = |text: &str| format!("<at>{}</at> {text}", teams::BOT_NAME);
    let at_telegram = |text: &str| format!("@{} {text}", telegram::BOT_NAME);
    world.slack.slash("C1", "U1", "use Project Plan").await;
    on_discord.slash(discord::CHANNEL, 1, "use Project Plan").await;
    on_teams.slash(teams::CHANNEL, "29:lee", "/use Project Plan").await;
    on_telegram.say(telegram::GROUP, 1, "/sheet use Project Plan", None).await;
    settle(&world).await;
    // Lee's proposals, of a change and of a job, wait on each platform.
    let mut threads = Vec::new();
    for text in [change, job] {
        world.slack.say("C1", "U1", &format!("<@UBOT> {text}"), None).await;
        let thread = on_discord.say(discord::CHANNEL, 1, &at_discord(text)).await.id;
        on_discord.until(|far| far.messages().iter().any(|m| m.channel == thread && m.seen().contains("[Confirm]"))).await.unwrap();
        let below = teams::Teams::thread_of(&on_teams.say(teams::CHANNEL, "29:lee", &at_teams(text)).await.id);
        on_telegram.say(telegram::GROUP, 1, &at_telegram(text), None).await;
        settle(&world).await;
        threads.push((thread, below));
    }
    let picture = || world.sheets.world().picture("Project Plan");
    let before = (world.app.store.unfinished_jobs().await.unwrap(), picture());
    // Omar was let in, and is not any more.
    for (platform, install, id) in
        [(Platform::Discord, "", "3"), (Platform::Teams, teams::TENANT, "29:omar"), (Platform::Telegram, "", "3")]
    {
        grant(&world, Person { platform, install: install.into(), id: id.into() }, Role::Nobody).await;
    }
    grant(&world, slack_person("U3"), Role::Nobody).await;
    let mut tries = 0;
    for _ in 0..6 {
        for label in ["Confirm", "Cancel"] {
            for person in ["U2", "U3", "UX1", "UG1"] {
                world.slack.press("C1", person, label).await;
                tries += 1;
            }
            for (thread, below) in &threads {
                for person in [2, 3, discord::STRANGERS] {
                    on_discord.press(*thread, person, label).await;
                    tries += 1;
                }
                for person in ["29:mia", "29:omar", "29:guest-1"] {
                    on_teams.press(below, person, label).await;
                    tries += 1;
                }
            }
            for person in [2, 3, 502] {
                on_telegram.press(telegram::GROUP, person, label).await;
                tries += 1;
            }
        }
    }
    settle(&world).await;
    let after = (world.app.store.unfinished_jobs().await.unwrap(), picture());
    assert_eq!(after, before, "0 written, 0 begun");
    // None of Lee's proposals was decided: each still does what it says.
    world.slack.press("C1", "U1", "Confirm").await;
    settle(&world).await;
    on_telegram.press(telegram::GROUP, 1, "Cancel").await;
    settle(&world).await;
    let waiting = |seen: &str| seen.contains("[Confirm]");
    assert!(on_discord.messages().iter().filter(|m| waiting(&m.seen())).count() == 2, "both wait in Discord");
    assert!(on_teams.messages().iter().filter(|m| waiting(&m.seen())).count() == 2, "both wait in Teams");
    println!("{tries} presses of others, 0 decided");
    world.end().await;
}

/// A guest is known as one only by asking Slack: not a word of theirs is kept, and whichever process they reach tells them once an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_a_word_is_kept_of_whoever_is_not_let_in() {
    let world = world().await;
    for text in ["<@UBOT> the secret is marmalade", "<@UBOT> marmalade again"] {
        world.slack.say("C1", "UG1", text, None).await;
        world.slack.say("C1", "UX1", text, None).await;
    }
    world.slack.until(|m| m.iter().filter(|m| m.seen().contains("I do not know you")).count() >= 2).await.unwrap();
    settle(&world).await;
    let kept = std::fs::read(world.folder.0.join("story.db")).unwrap();
    let kept = [kept, std::fs::read(world.folder.0.join("story.db-wal")).unwrap_or_default()].concat();
    assert!(!kept.windows(9).any(|bytes| bytes == b"marmalade"), "their words are in the database");
    let (store, hour) = (&world.app.store, 3_600_000);
    let tells = [
        store.may_turn_away("slack:T1:U7", 1_000, hour).await.unwrap(),
        store.may_turn_away("slack:T1:U7", 2_000, hour).await.unwrap(),
        store.may_turn_away("slack:T1:U8", 2_000, hour).await.unwrap(),
        store.may_turn_away("slack:T1:U7", 1_000 + hour, hour).await.unwrap(),
    ];
    assert_eq!(tells, [true, false, true, true]);
    world.end().await;
}
