//! What admins decide of a channel and a sheet: which sheets may be used, answers for the asker alone, approvers.

use crate::api::Program;
use crate::links::{Page, links_in_slack};
use crate::platforms::{settle, world};
use crate::world::World;
use chat::Platform;
use chatsheet::access::{Person, Role};
use chatsheet::server::api::Scope;
use chatsheet::store::Granted;
use reqwest::StatusCode;
use sandbox::{azure, discord, slack, teams, telegram};
use serde_json::json;
use std::time::{Duration, Instant};

async fn admin(world: &World, id: &str) {
    make_admin(world, Platform::Slack, slack::TEAM, id).await;
}

/// Lee is an admin on the other platforms.
async fn lee_is_admin(world: &World) {
    for (platform, install, id) in [(Platform::Discord, "", "1"), (Platform::Teams, teams::TENANT, "29:lee"), (Platform::Telegram, "", "1")]
    {
        make_admin(world, platform, install, id).await;
    }
}

async fn make_admin(world: &World, platform: Platform, install: &str, id: &str) {
    let person = Person { platform, install: install.into(), id: id.into() };
    world.app.store.grant_access(&Granted { person, name: None, role: Role::Admin, at_ms: world.clock.now_ms() }).await.unwrap();
}

/// What the bot says last in Slack to somebody who mentions it.
async fn said(world: &World, user: &str, text: &str) -> String {
    world.slack.say("C1", user, &format!("<@UBOT> {text}"), None).await;
    settle(world).await;
    last(world)
}

fn last(world: &World) -> String {
    world.slack.messages().iter().map(slack::Posted::seen).next_back().unwrap_or_default()
}

async fn command(world: &World, user: &str, text: &str) -> String {
    world.slack.slash("C1", user, text).await;
    settle(world).await;
    last(world)
}

async fn press(world: &World, user: &str, label: &str) -> String {
    world.slack.press("C1", user, label).await;
    settle(world).await;
    last(world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_sheets_that_admins_allow_are_used_in_a_channel() {
    let world = world().await;
    admin(&world, "U2").await;
    command(&world, "U1", "use Budget 2026").await;
    command(&world, "U1", "view").await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    assert_eq!(page.get("/data").await.0, StatusCode::OK);
    let others = command(&world, "U1", "sheets").await;
    assert!(others.contains("Risk Register"), "{others}");
    let answer = said(&world, "U1", "total Actual by Department").await;
    assert!(answer.contains("Department"), "{answer}");
    assert!(said(&world, "U1", "set Quarter to Q4 for \"Laptops\"").await.contains("[Confirm]"));

    insta::assert_snapshot!(command(&world, "U1", "allow Project Plan").await, @"Only admins decide that. Whoever runs me makes somebody one: `chatsheet access role`.");
    insta::assert_snapshot!(command(&world, "U2", "allow the project plan sheet").await, @r"
    • Sheets: only these may be used in this channel: Project Plan.
    • Answers: everybody in this channel sees them.
    • Approvers of Budget 2026: none; whoever asks for a change confirms it.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");
    // Everything that led to another sheet is closed: what is asked, chosen, confirmed, taken back, opened.
    let (before, asked) = (world.sheets.world().picture("Budget 2026"), world.azure.requests().len());
    insta::assert_snapshot!(said(&world, "U1", "total Actual by Department").await, @"That sheet may not be used in this channel. `rules` shows which may; an admin can `allow` it.");
    insta::assert_snapshot!(said(&world, "U1", "use Budget 2026").await, @r"
    I see no sheet called “Budget 2026”. Is it one of these? Otherwise share it with the account I run under.
    [Project Plan]
    ");
    assert!(press(&world, "U1", "Confirm").await.contains("may not be used in this channel"));
    for text in ["view", "edit", "status"] {
        let answer = said(&world, "U1", text).await;
        assert!(answer.contains("may not be used in this channel"), "{text}: {answer}");
    }
    assert_eq!((world.sheets.world().picture("Budget 2026"), world.azure.requests().len()), (before, asked), "0 written, 0 asked");
    assert_eq!(page.get("/data").await.0, StatusCode::FORBIDDEN);
    let sheets = command(&world, "U1", "sheets").await;
    assert!(sheets.contains("Project Plan") && !sheets.contains("Risk Register") && !sheets.contains("Budget"), "{sheets}");
    command(&world, "U1", "use Project Plan").await;
    // Elsewhere nothing has changed.
    world.slack.slash("C2", "U1", "use Budget 2026").await;
    settle(&world).await;
    assert!(last(&world).contains("Budget 2026"));

    insta::assert_snapshot!(command(&world, "U2", "allow workspace Samples").await, @r"
    • Sheets: only these may be used in this channel: Project Plan, all of workspace Samples.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: none; whoever asks for a change confirms it.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");
    assert!(command(&world, "U1", "sheets").await.contains("Risk Register"), "all sheets of the workspace");
    command(&world, "U2", "disallow workspace samples").await;
    insta::assert_snapshot!(command(&world, "U2", "disallow Project Plan").await, @r"
    • Sheets: none may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: none; whoever asks for a change confirms it.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");
    assert!(said(&world, "U1", "how many tasks are blocked?").await.contains("may not be used"), "none is none, not all");
    command(&world, "U2", "allow everything").await;
    assert!(said(&world, "U1", "how many tasks are blocked?").await.contains("There are 2 rows"));
    world.end().await;
}

/// A model that looks beside the thread's own sheet finds nothing that is not allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_sees_no_other_sheets_either() {
    let world = World::scripted(Vec::new()).await;
    admin(&world, "U2").await;
    command(&world, "U1", "use Project Plan").await;
    command(&world, "U2", "allow Project Plan").await;
    let budget = world.sheets.world().sheet_id("Budget 2026").unwrap().to_string();
    world.azure.script([
        azure::Reply::call("find_sheets", json!({ "query": "Budget" })),
        azure::Reply::call("find_sheets", json!({ "query": null })),
        azure::Reply::call("query_sheet", json!({ "sql": "SELECT * FROM sheet", "sheet": "Budget 2026", "show": true })),
        azure::Reply::call("describe_sheet", json!({ "sheet": budget })),
        azure::Reply::Say("I found nothing.".into()),
    ]);
    said(&world, "U1", "what does the budget say?").await;
    let asked = world.azure.requests().pop().unwrap();
    let told =
        asked["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "tool").map(|m| m["content"].as_str().unwrap().to_owned());
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r#"
    {"sheets":[],"total":0}
    {"sheets":[{"id":"1133718580784832","name":"Project Plan"}],"total":1}
    {"error":"there is no sheet called Budget 2026 that I can see; use find_sheets"}
    {"error":"That sheet may not be used in this channel. `rules` shows which may; an admin can `allow` it."}
    "#);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_channel_are_for_the_asker_alone_where_admins_want_it() {
    let world = world().await;
    admin(&world, "U2").await;
    command(&world, "U1", "use Project Plan").await;
    insta::assert_snapshot!(command(&world, "U2", "only me on").await, @r"
    • Sheets: all that I can see may be used in this channel.
    • Answers: each person alone sees what I answer them.
    • Approvers of Project Plan: none; whoever asks for a change confirms it.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");
    let public = |world: &World| world.slack.messages().iter().filter(|m| m.only_for.is_none() && m.user == slack::BOT_USER).count();
    let before = public(&world);
    let mut shown = String::new();
    for text in ["how many tasks are blocked?", "status", "set Status to Blocked for \"Page templates\""] {
        shown.push_str(&format!("{text}\n{}\n\n", said(&world, "U1", text).await));
    }
    shown.push_str(&press(&world, "U1", "Confirm").await);
    shown.push_str(&format!("\n\n{}", press(&world, "U1", "Undo").await));
    insta::assert_snapshot!(shown, @r#"
    how many tasks are blocked?
    There are 2 rows.
    Rows: 2 · Status is “Blocked” · rows without children: 34 of 42 · Project Plan · as of 10:30 UTC · open the sheet
    [Share to channel]

    status
    • Sheet: Project Plan, 42 rows, version 1
    • My rights there: owner
    • No proposal waits for you.
    [Share to channel]

    set Status to Blocked for "Page templates"
    Set Status in 1 row of Project Plan?
    Where Task Name is “Page templates”
    Row | Now | New
    Page templates | In Progress | Blocked
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes. See it in the sheet.
    [Share to channel]

    ✅ Done: set Status in 1 row in Project Plan.
    Row | Was | Is
    Page templates | In Progress | Blocked
    Asked for and confirmed by Lee Park.
    [Undo]
    You can take this back for 24 hours.
    [Share to channel]

    ↩️ Taken back in Project Plan: set Status in 1 row.
    Row | Was | Is
    Page templates | Blocked | In Progress
    Asked for, confirmed and taken back by Lee Park.
    [Share to channel]
    "#);
    assert_eq!(public(&world), before, "nobody else sees anything");
    // The page beside the sheet would say it before everybody.
    command(&world, "U1", "edit").await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    let (status, refused) = page.post("/say", json!({ "text": "how many tasks are blocked?" })).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::CONFLICT, Some("only_me")), "{refused}");
    // What is pressed there is answered alone, too, and its buttons work.
    let root = world.slack.say("C1", "U1", "<@UBOT> set Status to Blocked for \"Page templates\"", None).await.ts;
    settle(&world).await;
    let whispered = world.slack.messages().pop().unwrap().body["blocks"].to_string();
    let id = whispered.split("confirm:").nth(1).unwrap().split('"').next().unwrap();
    let id = id.to_owned();
    world.slack.say("C1", "U1", "<@UBOT> edit", Some(&root)).await;
    settle(&world).await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    assert!(page.press(&format!("confirm:{id}")).await.is_redirection());
    settle(&world).await;
    assert!(last(&world).starts_with("✅ Done"), "{}", last(&world));
    press(&world, "U1", "Undo").await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    // A command is answered alone as well.
    assert!(command(&world, "U1", "how many tasks are blocked?").await.contains("There are 2 rows"));
    assert_eq!(public(&world), before, "nobody else sees anything");
    // Others neither see what somebody was answered, nor how it was found, nor does the model tell them.
    said(&world, "U1", "how many tasks are blocked?").await;
    let root = world.slack.messages().iter().rfind(|m| m.user == "U1").unwrap().ts.clone();
    world.slack.say("C1", "U2", "<@UBOT> why?", Some(&root)).await;
    settle(&world).await;
    assert!(last(&world).contains("asked the sheet nothing"), "{}", last(&world));
    world.slack.say("C1", "U2", "<@UBOT> which tasks are overdue?", Some(&root)).await;
    settle(&world).await;
    let asked = world.azure.requests().into_iter().rev().find(|r| r["messages"][0]["content"].is_string()).unwrap();
    assert!(!asked["messages"].to_string().contains("how many tasks are blocked"), "{}", asked["messages"]);
    assert_eq!(public(&world), before, "nobody else sees anything");
    command(&world, "U2", "only me off").await;
    said(&world, "U1", "how many tasks are blocked?").await;
    assert_eq!(public(&world), before + 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_for_the_asker_alone_go_the_way_of_each_platform() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    lee_is_admin(&world).await;
    let ask = "how many tasks are blocked?";
    for text in ["use Project Plan", "only me on", ask] {
        on_teams.say(teams::GROUP, "29:lee", &format!("<at>{}</at> {text}", teams::BOT_NAME)).await;
        settle(&world).await;
        on_telegram.say(telegram::GROUP, 1, &format!("@{} {text}", telegram::BOT_NAME), None).await;
        settle(&world).await;
    }
    for (text, answered) in [("use Project Plan", "start with"), ("only me on", "alone sees")] {
        on_discord.slash(discord::CHANNEL, 1, text).await;
        on_discord.until(|far| far.messages().iter().any(|m| m.seen().contains(answered))).await.unwrap();
    }
    on_discord.say(discord::CHANNEL, 1, &format!("<@{}> {ask}", discord::APPLICATION)).await;
    on_discord.until(|far| far.messages().iter().any(|m| m.seen().contains("There are 2 rows"))).await.unwrap();
    let found = |seen: String| seen.contains("There are 2 rows");
    let teams: Vec<_> = on_teams.messages().into_iter().filter(|m| found(m.seen())).map(|m| (m.conversation, m.only_for)).collect();
    assert_eq!(teams, [(teams::GROUP.to_owned(), Some("29:lee".to_owned()))]);
    let telegram: Vec<i64> = on_telegram.messages().into_iter().filter(|m| found(m.seen())).map(|m| m.chat).collect();
    assert_eq!(telegram, [1], "in the chat with the bot alone");
    let discord: Vec<u64> = on_discord.messages().into_iter().filter(|m| found(m.seen())).map(|m| m.channel).collect();
    assert_eq!(discord, [901], "in direct messages");
    // Its buttons work where it is shown.
    on_discord.say(discord::CHANNEL, 1, &format!("<@{}> set Status to Blocked for \"Page templates\"", discord::APPLICATION)).await;
    on_discord.until(|far| far.messages().iter().any(|m| m.channel == 901 && m.seen().contains("[Confirm]"))).await.unwrap();
    assert_eq!(on_discord.press(901, 1, "Confirm").await.status, 200);
    on_discord.until(|far| far.messages().iter().any(|m| m.channel == 901 && m.seen().contains("Done: set Status"))).await.unwrap();
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    assert!(!on_discord.messages().iter().any(|m| m.channel != 901 && m.seen().contains("Done: set Status")), "nobody else sees it");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_approvers_are_named_for_is_confirmed_by_them() {
    let world = world().await;
    admin(&world, "U2").await;
    command(&world, "U1", "use Project Plan").await;
    insta::assert_snapshot!(command(&world, "U2", "approvers").await, @r"
    • Sheets: all that I can see may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: none; whoever asks for a change confirms it.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");
    insta::assert_snapshot!(command(&world, "U2", "approvers over 2").await, @"Who is to approve? For example `approvers @Dana over 20`: mention them. `me` is you.");
    insta::assert_snapshot!(command(&world, "U2", "approvers <@U3> me over 2 rows").await, @r"
    • Sheets: all that I can see may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: deletions, and changes of more than 2 rows, need the OK of U3 or Mia Jensen. Nobody approves what they asked for themselves.
    Admins change this: `allow <sheet>`, `allow workspace <name>`, `allow everything`, `disallow <sheet>`, `only me on`, `only me off`, `approvers @name over 20`, `approvers off`.
    [Share to channel]
    ");

    // What is small, and what is not deleted, is confirmed by whoever asks.
    said(&world, "U1", "set Status to Blocked for \"Page templates\"").await;
    press(&world, "U1", "Confirm").await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");

    world.slack.say("C1", "U1", "<@UBOT> delete \"Press kit\"", None).await;
    settle(&world).await;
    let all = world.slack.messages();
    let alone: Vec<String> = all.iter().rev().take(3).filter_map(|m| Some(format!("to {}: {}", m.only_for.clone()?, m.seen()))).collect();
    insta::assert_snapshot!(alone.join("\n"), @r"
    to U2: Lee Park asks for your OK to delete 1 row. The proposal stands in this thread; you confirm or cancel it there.
    to U3: Lee Park asks for your OK to delete 1 row. The proposal stands in this thread; you confirm or cancel it there.
    ");
    let proposal = all.iter().rev().find(|m| m.seen().contains("[Confirm]")).unwrap().clone();
    insta::assert_snapshot!(proposal.seen(), @r"
    Delete 1 row of Project Plan?
    Where Task Name is “Press kit”
    Row | Values
    Press kit | Mia Jensen · Not Started · Low · Marketing · 2027-01-16 · 2…
    ⚠️ Undo brings rows back as new ones: links to them lead nowhere then.
    [Confirm] [Cancel]
    Nothing is written until U3 or Mia Jensen confirms, within 24 hours. Whoever asked can cancel it. See it in the sheet.
    ");
    for (person, right) in [("U1", "somebody else has to confirm it: U3 or Mia Jensen"), ("U4", "Only U3 or Mia Jensen can confirm")] {
        let answer = press(&world, person, "Confirm").await;
        assert!(answer.contains(right), "{person}: {answer}");
    }
    assert!(world.sheets.world().picture("Project Plan").to_string().contains("Press kit"));
    press(&world, "U2", "Confirm").await;
    let now = world.slack.messages().into_iter().find(|m| m.ts == proposal.ts).unwrap().seen();
    insta::assert_snapshot!(now, @r"
    ✅ Done: delete 1 row in Project Plan.
    Row | Values
    Press kit | Mia Jensen · Not Started · Low · Marketing · 2027-01-16 · 2…
    Asked for by Lee Park, confirmed by Mia Jensen.
    [Undo]
    You can take this back for 24 hours.
    ");

    // Nobody approves what they asked for themselves, not even an admin.
    said(&world, "U2", "delete \"Load test\"").await;
    insta::assert_snapshot!(press(&world, "U2", "Confirm").await, @"You asked for this change, so somebody else has to confirm it: U3.");
    press(&world, "U2", "Cancel").await;
    said(&world, "U1", "set Priority to High for everything assigned to Dana Reyes").await;
    assert!(press(&world, "U1", "Confirm").await.contains("somebody else has to confirm"), "many rows");
    press(&world, "U3", "Cancel").await;
    assert!(world.slack.messages().iter().any(|m| m.seen().contains("Cancelled: set Priority")), "an approver may say no");

    // Where no approver sees it, it is not proposed; over HTTP it is refused.
    world.slack.say("DU1", "U1", "use Project Plan", None).await;
    settle(&world).await;
    world.slack.say("DU1", "U1", "delete \"Load test\"", None).await;
    settle(&world).await;
    insta::assert_snapshot!(last(&world), @"That did not work: In this sheet that needs the OK of U3 or Mia Jensen. Ask for it in a channel where they are.");
    let far = world.telegram.clone().unwrap();
    far.say(1, 1, "use Project Plan", None).await;
    settle(&world).await;
    far.say(1, 1, "delete \"Load test\"", None).await;
    settle(&world).await;
    assert!(far.messages().last().unwrap().seen().contains("needs the OK of U3 or Mia Jensen"));
    let before = world.sheets.world().picture("Project Plan");
    command(&world, "U1", "edit").await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    let row = world.sheets.world().row_id("Project Plan", "Load test").unwrap().to_string();
    let (status, refused) = page.post("/row/delete", json!({ "row": row })).await;
    assert_eq!((status, refused["code"].as_str()), (StatusCode::FORBIDDEN, Some("approval_needed")), "{refused}");
    let program = Program::new(&world, "sync", &Scope::ALL).await;
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    let gone = program.delete(&format!("/api/smartsheet/{sheet}/rows/{row}")).await;
    assert_eq!((gone.status, gone.body["code"].as_str()), (StatusCode::FORBIDDEN, Some("approval_needed")), "{:?}", gone.body);
    let session = program.post("/api/sessions", json!({ "sheet": "Project Plan" })).await.body["id"].as_str().unwrap().to_owned();
    let jobs = json!({ "sessionId": session, "type": "BULK_UPDATE", "parameters": { "criteria": "Priority = 'High'", "updates": { "Status": "Blocked" } } });
    let job = program.post("/api/jobs", jobs).await;
    assert!(job.status.is_client_error() && job.body.to_string().contains("needs the OK"), "{:?}", job.body);
    settle(&world).await;
    assert_eq!(world.sheets.world().picture("Project Plan"), before, "0 written");

    command(&world, "U2", "approvers off").await;
    said(&world, "U1", "delete \"Load test\"").await;
    assert!(press(&world, "U1", "Confirm").await.contains("Done"), "{}", last(&world));
    world.end().await;
}

/// Whoever asked for it and was removed since has nothing written in their name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_for_somebody_who_was_removed() {
    let world = world().await;
    admin(&world, "U2").await;
    command(&world, "U1", "use Project Plan").await;
    command(&world, "U2", "approvers me").await;
    command(&world, "U1", "edit").await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral").pop().unwrap()).await.unwrap();
    said(&world, "U1", "set Status to Blocked for \"Page templates\"").await;
    let person = Person { platform: Platform::Slack, install: slack::TEAM.into(), id: "U1".into() };
    let removed = Granted { person, name: None, role: Role::Nobody, at_ms: world.clock.now_ms() };
    world.app.store.grant_access(&removed).await.unwrap();
    // What was decided before is taken for granted for five seconds at most.
    let until = Instant::now() + Duration::from_secs(20);
    while page.get("/data").await.0 != StatusCode::FORBIDDEN {
        assert!(Instant::now() < until, "the page still shows the sheet");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(press(&world, "U2", "Confirm").await.contains("may not change sheets any more"));
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn approvers_are_named_by_mentions_on_every_platform() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    lee_is_admin(&world).await;
    let mut told = Vec::new();
    let answered = async |words: &str| {
        let answer = |m: &discord::Posted| m.from == discord::APPLICATION && m.seen().contains(words);
        on_discord.until(|far| far.messages().iter().any(answer)).await.unwrap();
    };
    on_discord.slash(discord::CHANNEL, 1, "use Project Plan").await;
    answered("start with").await;
    on_discord.say(discord::CHANNEL, 1, &format!("<@{}> approvers <@2> over 3", discord::APPLICATION)).await;
    answered("Approvers").await;
    told.push(on_discord.messages().iter().map(discord::Posted::seen).next_back().unwrap());
    for text in ["use Project Plan", "approvers <at>Mia Jensen</at> over 3"] {
        on_teams.say(teams::GROUP, "29:lee", &format!("<at>{}</at> {text}", teams::BOT_NAME)).await;
        settle(&world).await;
    }
    told.push(on_teams.messages().iter().map(teams::Posted::seen).next_back().unwrap());
    for text in ["use Project Plan", "approvers telegram:2 over 3"] {
        on_telegram.say(telegram::GROUP, 1, &format!("@{} {text}", telegram::BOT_NAME), None).await;
        settle(&world).await;
    }
    told.push(on_telegram.messages().iter().map(telegram::Posted::seen).next_back().unwrap());
    insta::assert_snapshot!(told.join("\n---\n").replace('\u{2060}', ""), @r"
    • Sheets: all that I can see may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: deletions, and changes of more than 3 rows, need the OK of Mia Jensen. Nobody approves what they asked for themselves.
    Admins change this: allow <sheet>, allow workspace <name>, allow everything, disallow <sheet>, only me on, only me off, approvers @name over 20, approvers off.
    ---
    • Sheets: all that I can see may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: deletions, and changes of more than 3 rows, need the OK of Mia Jensen. Nobody approves what they asked for themselves.
    Admins change this: allow <sheet>, allow workspace <name>, allow everything, disallow <sheet>, only me on, only me off, approvers @name over 20, approvers off.
    ---
    • Sheets: all that I can see may be used in this channel.
    • Answers: everybody in this channel sees them.
    • Approvers of Project Plan: deletions, and changes of more than 3 rows, need the OK of Mia Jensen. Nobody approves what they asked for themselves.
    Admins change this: allow <sheet>, allow workspace <name>, allow everything, disallow <sheet>, only me on, only me off, approvers @name over 20, approvers off.
    ");
    world.end().await;
}

/// Where Discord does not tell whether something happens in a channel or in a thread of one, its rules cannot be known.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_discord_does_not_tell_the_channel_nothing_is_shown() {
    let world = world().await;
    let far = world.discord.clone().unwrap();
    let before = (world.sheets.world().picture("Project Plan"), world.azure.requests().len());
    far.keep_channels_to_itself(true);
    let refused = |far: &discord::Discord, alone: bool| {
        let of = |m: &&discord::Posted| m.seen().contains("does not tell me which channel") && m.only_for.is_some() == alone;
        far.messages().iter().filter(of).count()
    };
    far.slash(discord::CHANNEL, 1, "which tasks are blocked?").await;
    far.until(|far| refused(far, true) == 1).await.unwrap();
    far.say(discord::CHANNEL, 1, &format!("<@{}> which tasks are blocked?", discord::APPLICATION)).await;
    far.until(|far| refused(far, false) == 1).await.unwrap();
    far.say(discord::CHANNEL, 2, "what people say to each other").await;
    settle(&world).await;
    assert_eq!((world.sheets.world().picture("Project Plan"), world.azure.requests().len()), before, "0 shown, 0 written");
    assert_eq!((refused(&far, true), refused(&far, false)), (1, 1));
    far.keep_channels_to_itself(false);
    far.slash(discord::CHANNEL, 1, "use Project Plan").await;
    far.until(|far| far.messages().iter().any(|m| m.seen().contains("start with Project Plan"))).await.unwrap();
    world.end().await;
}
