//! People's own accounts: who has connected one sees and changes what Smartsheet allows them, and nothing else.

use crate::in_slack::{LEE, MIA};
use crate::links::{Page, browser, link_in};
use crate::watching::Wire;
use crate::world::{Setting, World};
use reqwest::{StatusCode, header};
use sandbox::azure::{Mode, Reply};
use sandbox::slack::Posted;
use serde_json::json;
use std::time::Duration;
use url::Url;

const EMAIL: &str = "lee.park@example.com";

/// A snapshot is not read anew within a second.
const FRESH: Duration = Duration::from_millis(1_050);

async fn world(postgres: bool, required: bool) -> Option<World> {
    let settings = if required { vec![("SMARTSHEET_ACCOUNTS", "required".to_owned())] } else { Vec::new() };
    let world = World::with(Setting { accounts: true, unbound: true, postgres, settings, ..Setting::default() }).await?;
    world.sheets.account(EMAIL, &[("Project Plan", "EDITOR")]);
    Some(world)
}

/// What the bot tells somebody who says this in their direct messages.
async fn told(world: &World, who: &str, words: &str) -> String {
    let channel = format!("D{who}");
    let before = world.slack.messages().len();
    world.slack.say(&channel, who, words, None).await;
    world.app.bot.until_idle().await;
    let said: Vec<_> = world.slack.messages().split_off(before).into_iter().filter(|m| m.user == "UBOT" && m.channel == channel).collect();
    said.iter().map(Posted::seen).collect::<Vec<_>>().join("\n")
}

/// The link to connect that the bot gives somebody.
async fn link(world: &World, who: &str) -> String {
    told(world, who, "connect").await;
    let sent = world.slack.messages().pop().unwrap();
    let blocks = serde_json::to_string(&sent.blocks).unwrap();
    let at = blocks.find("/connect/").unwrap_or_else(|| panic!("no link in {blocks}"));
    let from = blocks[..at].rfind("http").unwrap();
    blocks[from..].split(['|', '>', '"']).next().unwrap().to_owned()
}

/// The form of the page behind the link is sent by a page of this origin.
async fn begin(link: &str, origin: Option<&str>) -> reqwest::Response {
    let form = browser().post(link);
    let form = match origin {
        Some(origin) => form.header("origin", origin),
        None => form,
    };
    form.send().await.unwrap()
}

/// Goes on from the page behind the link to Smartsheet's question: the question, and the cookie that the browser got.
async fn question(link: &str) -> (Url, String) {
    let asked = begin(link, Some(&Url::parse(link).unwrap().origin().ascii_serialization())).await;
    assert_eq!(asked.status(), StatusCode::SEE_OTHER);
    let cookie = asked.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    (Url::parse(asked.headers()[header::LOCATION].to_str().unwrap()).unwrap(), cookie)
}

async fn back(url: &Url, cookie: &str) -> (StatusCode, String) {
    let answer = browser().get(url.clone()).header("cookie", cookie).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Lee connects an account in Slack.
async fn connect(world: &World) {
    let (question, cookie) = question(&link(world, LEE).await).await;
    let (status, page) = back(&world.sheets.agree(&question, EMAIL).unwrap(), &cookie).await;
    assert!(status == StatusCode::OK && page.contains(&format!("{EMAIL} is connected")), "{status}: {page}");
    world
        .slack
        .until(|all| all.iter().any(|m| m.channel == "DU1" && m.seen().contains("is connected: I work with your rights")))
        .await
        .unwrap();
}

/// Requests since then that changed something: on whose behalf.
fn writers(world: &World, since: usize) -> Vec<Option<String>> {
    let log = &world.sheets.world().log;
    log[since..].iter().filter(|l| l.method != "GET" && !l.path.contains("webhooks")).map(|l| l.person.clone()).collect()
}

async fn everybody_has_the_rights_that_smartsheet_gives_them(postgres: bool) {
    let Some(world) = world(postgres, false).await else { return };
    let page = browser().get(link(&world, LEE).await).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains(&format!("form-action 'self' {}", world.sheets.base_url().trim_end_matches("/2.0"))), "{policy}");
    assert!(page.text().await.unwrap().contains("<strong>Lee Park</strong> in Slack, what you may see and change"));
    connect(&world).await;
    assert!(told(&world, MIA, "sheets").await.contains("Clinical Trials"), "who has none works under the installation's account");
    assert!(told(&world, LEE, "help").await.contains("`disconnect`"));
    let own = told(&world, LEE, "sheets").await;
    assert!(own.contains("Project Plan") && !own.contains("Clinical Trials"), "{own}");
    assert!(told(&world, LEE, "use Clinical Trials").await.contains("I see no sheet called"));
    assert!(told(&world, LEE, "use Project Plan").await.contains("42 rows"));
    assert!(told(&world, LEE, "status").await.contains("Your rights there: editor"));

    // In a thread about a sheet that Lee does not see, Mia is answered and Lee is not.
    world.slack.slash("C1", MIA, "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    let root = world.slack.say("C1", MIA, "<@UBOT> which trials are recruiting?", None).await.ts;
    world.app.bot.until_idle().await;
    world.slack.say("C1", LEE, "<@UBOT> how many trials are there?", Some(&root)).await;
    world.app.bot.until_idle().await;
    let thread = world.slack.thread("C1", Some(&root));
    assert!(thread[1].1.contains("NCT") && thread.last().unwrap().1.contains("not shared with"), "{thread:?}");

    // What somebody else has just changed is seen at once, although Lee has just looked.
    told(&world, MIA, "use Project Plan").await;
    told(&world, MIA, "set Status to Blocked for \"Usability test\"").await;
    told(&world, LEE, "status").await;
    world.slack.press("DU2", MIA, "Confirm").await;
    world.app.bot.until_idle().await;
    let counted = told(&world, LEE, "how many tasks are blocked?").await;
    assert!(counted.contains("There are 3 rows"), "{counted}");

    // What Lee changes, and takes back, is changed in Lee's name.
    let since = world.sheets.world().log.len();
    told(&world, LEE, "set Status to Blocked for \"Page templates\"").await;
    world.slack.press("DU1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    assert!(told(&world, LEE, "undo").await.contains("Taken back"));
    assert_eq!(writers(&world, since), [Some(EMAIL.to_owned()), Some(EMAIL.to_owned())]);

    // Rights that are withdrawn between a proposal and its press are gone.
    told(&world, LEE, "set Status to Blocked for \"Page templates\"").await;
    world.sheets.account(EMAIL, &[("Project Plan", "VIEWER")]);
    world.slack.press("DU1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    let outcome = world.slack.messages().into_iter().rev().find(|m| m.channel == "DU1").unwrap().seen();
    assert_eq!(world.cell("Page templates", "Status"), "In Progress", "{outcome}");
    assert!(outcome.contains("does not let me") || outcome.contains("not authorized"), "{outcome}");

    // Who takes the app out of the workspace ends what was connected there.
    world.slack.uninstall().await;
    world.app.bot.until_idle().await;
    assert_eq!((world.sheets.tokens().0, world.app.store.grants("smartsheet").await.unwrap().len()), (0, 0));
    world.slack.reinstall();
    connect(&world).await;
    assert!(told(&world, LEE, "disconnect").await.contains("no longer connected"));
    assert_eq!(world.sheets.tokens().0, 0, "Smartsheet was told");
    assert!(told(&world, LEE, "sheets").await.contains("Clinical Trials"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_the_rights_that_smartsheet_gives_them_sqlite() {
    everybody_has_the_rights_that_smartsheet_gives_them(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_has_the_rights_that_smartsheet_gives_them_postgres() {
    everybody_has_the_rights_that_smartsheet_gives_them(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_works_in_the_name_of_whoever_asked_for_it() {
    let world = world(false, false).await.unwrap();
    world.sheets.account(EMAIL, &[("Clinical Trials", "ADMIN")]);
    connect(&world).await;
    told(&world, LEE, "use Clinical Trials").await;
    let since = world.sheets.world().log.len();
    told(&world, LEE, "summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    world.slack.press("DU1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let writers = writers(&world, since);
    assert!(!writers.is_empty() && writers.iter().all(|w| w.as_deref() == Some(EMAIL)), "{writers:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_run_out_is_renewed_once_and_one_that_was_revoked_is_asked_for() {
    let world = world(false, false).await.unwrap();
    connect(&world).await;
    told(&world, LEE, "use Project Plan").await;
    world.sheets.expire_tokens();
    world.clock.advance(Duration::from_secs(2));
    for channel in ["C1", "C2", "C3"] {
        world.slack.slash(channel, LEE, "use Project Plan").await;
    }
    world.app.bot.until_idle().await;
    let answers: Vec<_> = world.slack.messages().into_iter().filter(|m| m.seen().contains("start with Project Plan (42 rows)")).collect();
    assert_eq!((answers.len(), world.sheets.tokens()), (3, (1, 1)));
    // Somebody revokes the app in Smartsheet: nothing is done under another account instead.
    world.sheets.revoke_all();
    let refused = told(&world, LEE, "sheets").await;
    assert!(refused.contains("Say `connect`") || refused.contains("Say connect"), "{refused}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_accounts_are_required_nothing_is_shown_to_who_has_none() {
    let world = world(false, true).await.unwrap();
    for words in ["sheets", "use Project Plan", "which tasks are overdue?"] {
        assert!(told(&world, LEE, words).await.contains("please connect your account first"), "{words}");
    }
    let sheet = world.sheets.world().permalink("Project Plan").unwrap();
    world.slack.share("C1", LEE, &sheet, true).await;
    world.slack.open_home(LEE, "home").await;
    world.app.bot.until_idle().await;
    assert!(world.slack.unfurled().is_empty(), "a link tells nothing, either");
    let home = world.slack.home(LEE).unwrap();
    assert!(home.contains("[Connect]") && !home.contains("Project Plan") && !home.contains("Share one"), "{home}");
    world.slack.press_home(LEE, "Connect").await;
    world.app.bot.until_idle().await;
    assert!(world.slack.messages().pop().unwrap().seen().contains("Connect your Smartsheet account"));
    connect(&world).await;
    assert!(told(&world, LEE, "use Project Plan").await.contains("42 rows"));
    assert!(told(&world, LEE, "which tasks are overdue?").await.contains("Page templates"));
    world.slack.share("C1", LEE, &sheet, true).await;
    world.app.bot.until_idle().await;
    assert!(world.slack.unfurled().is_empty(), "all of the channel would see it with the rights of one");
    world.slack.open_home(LEE, "home").await;
    world.app.bot.until_idle().await;
    assert!(world.slack.home(LEE).unwrap().contains("[Disconnect]"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_connect_is_for_one_person_in_one_browser_and_for_a_while() {
    let world = world(false, false).await.unwrap();
    let link = link(&world, LEE).await;
    for origin in [None, Some("https://elsewhere.test"), Some("null")] {
        let refused = begin(&link, origin).await;
        assert!(refused.status() == StatusCode::FORBIDDEN && !refused.headers().contains_key(header::SET_COOKIE), "{origin:?}");
    }
    let (asked, cookie) = question(&link).await;
    let agreed = world.sheets.agree(&asked, EMAIL).unwrap();
    for wrong in ["", "chatsheet_connect=another"] {
        assert_eq!(back(&agreed, wrong).await.0, StatusCode::FORBIDDEN);
    }
    let mut refused = agreed.clone();
    refused.set_query(Some(&format!("error=access_denied&state={}", asked.query_pairs().find(|(n, _)| n == "state").unwrap().1)));
    assert!(back(&refused, &cookie).await.1.contains("Nothing was connected"));
    let mut forged = agreed.clone();
    forged.set_query(Some("code=code-1&state=nothing"));
    assert_eq!(back(&forged, &cookie).await.0, StatusCode::FORBIDDEN);
    assert_eq!(back(&agreed, &cookie).await.0, StatusCode::OK);
    assert_eq!(back(&agreed, &cookie).await.0, StatusCode::BAD_GATEWAY, "a code works once");
    assert_eq!(browser().get(format!("{link}x")).send().await.unwrap().status(), StatusCode::GONE);
    // What is kept does not show the tokens.
    let people = world.app.store.grants("smartsheet").await.unwrap();
    assert_eq!(people, ["slack|T1|U1"]);
    let kept = world.app.store.grant("smartsheet", &people[0]).await.unwrap().unwrap();
    assert!(!kept.contains("canary"), "{kept}");
    world.clock.advance(Duration::from_secs(31 * 60));
    assert_eq!(browser().get(&link).send().await.unwrap().status(), StatusCode::GONE);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_sheet_that_only_a_person_sees_is_live() {
    let world = world(false, false).await.unwrap();
    world.sheets.restrict(&[("Clinical Trials", "OWNER")]);
    connect(&world).await;
    assert!(told(&world, LEE, "use Project Plan").await.contains("42 rows"));
    told(&world, LEE, "view").await;
    let given = world.slack.messages().pop().unwrap();
    let page = Page::open(&link_in(&serde_json::to_string(&given.blocks).unwrap())).await.unwrap();
    assert!(page.get("").await.1.contains("Page templates"));
    let ticket = page.post("/ticket", serde_json::json!({})).await.1["ticket"].as_str().unwrap().to_owned();
    let mut wire = Wire::with(&world, &ticket, None, Some(&page.origin)).await.unwrap();
    let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
    assert_eq!(wire.subscribe(&format!("sheet:{sheet}")).await["type"], "subscribed");
    told(&world, LEE, "set Status to Blocked for \"Page templates\"").await;
    world.slack.press("DU1", LEE, "Confirm").await;
    let update = wire.next().await;
    assert!(update["type"] == "sheet_update" && update.to_string().contains("Blocked"), "{update}");
    world.app.bot.until_idle().await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_and_changes_what_whoever_made_its_link_may() {
    let world = world(false, false).await.unwrap();
    connect(&world).await;
    told(&world, LEE, "use Project Plan").await;
    told(&world, LEE, "edit").await;
    let given = world.slack.messages().pop().unwrap();
    let page = Page::open(&link_in(&serde_json::to_string(&given.blocks).unwrap())).await.unwrap();
    assert!(page.get("").await.1.contains("Page templates"));
    let since = world.sheets.world().log.len();
    let (row, column) = {
        let sheets = world.sheets.world();
        (sheets.row_id("Project Plan", "Page templates").unwrap(), sheets.column_id("Project Plan", "Status").unwrap())
    };
    let edit = |(was, value): (&str, &str)| serde_json::json!({ "row": row.to_string(), "column": column.to_string(), "was": was, "value": value });
    let (status, answer) = page.post("/cell", edit(("In Progress", "Blocked"))).await;
    assert_eq!((status, world.cell("Page templates", "Status").as_str()), (StatusCode::OK, "Blocked"), "{answer}");
    assert_eq!(writers(&world, since), [Some(EMAIL.to_owned())]);
    world.sheets.account(EMAIL, &[]);
    tokio::time::sleep(FRESH).await;
    let (status, answer) = page.post("/cell", edit(("Blocked", "Complete"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "the sheet is not shared with Lee any more: {answer}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_not_everybody_may_read_is_told_to_whoever_asks_alone_where_the_settings_want_it() {
    let settings = vec![("PERSONAL_ANSWERS", "alone".to_owned())];
    let world = World::with(Setting { accounts: true, unbound: true, settings, ..Setting::default() }).await.unwrap();
    world.sheets.account(EMAIL, &[("Project Plan", "EDITOR"), ("Budget 2026", "EDITOR")]);
    world.sheets.restrict(&[("Budget 2026", "EDITOR")]);
    connect(&world).await;
    let ask = async |words: &str| {
        let before = world.slack.messages().len();
        world.slack.say("C1", LEE, &format!("<@UBOT> {words}"), None).await;
        world.app.bot.until_idle().await;
        let told = world.slack.messages().split_off(before).into_iter().filter(|m| m.user == "UBOT");
        told.map(|m| (m.only_for.is_some(), m.seen())).collect::<Vec<_>>()
    };
    world.slack.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    let told = ask("how many tasks are Blocked?").await;
    assert!(told.iter().all(|(alone, _)| *alone) && told.last().unwrap().1.contains("There are 2 rows."), "{told:?}");
    assert!(told.last().unwrap().1.contains("[Share"), "they can share it: {told:?}");
    world.slack.slash("C1", LEE, "use Budget 2026").await;
    world.app.bot.until_idle().await;
    let told = ask("how many rows are there?").await;
    assert!(told.iter().any(|(alone, words)| !alone && words.contains("rows")), "what the installation reads everybody may: {told:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_sheet_of_everybody_nothing_is_shown_that_not_everybody_may_read() {
    let settings = vec![("PERSONAL_ANSWERS", "alone".to_owned())];
    let query = json!({ "sheet": "Project Plan", "sql": "SELECT task_name FROM sheet", "show": true });
    let model = Some(Mode::Obedient(vec![Reply::call("query_sheet", query)]));
    let world = World::with(Setting { accounts: true, unbound: true, settings, model, ..Setting::default() }).await.unwrap();
    world.sheets.account(EMAIL, &[("Project Plan", "EDITOR"), ("Fences", "EDITOR")]);
    world.sheets.restrict(&[("Fences", "EDITOR")]);
    let order = json!({ "value": "OBEY 0", "displayValue": "OBEY 0" });
    let column = json!([{ "title": "Task", "type": "TEXT_NUMBER" }]);
    world.sheets.world().plant(&json!({ "name": "Fences", "columns": column, "rows": [{ "cells": { "Task": order } }] }));
    connect(&world).await;
    world.slack.slash("C1", LEE, "use Fences").await;
    world.app.bot.until_idle().await;
    world.slack.say("C1", LEE, "<@UBOT> compare it with the Project Plan", None).await;
    world.app.bot.until_idle().await;
    let (told, asked) = (world.slack.messages(), world.azure.requests().pop().unwrap().to_string());
    assert!(asked.contains("not everybody in this thread may read the sheet Project Plan"), "{asked}");
    assert!(told.iter().all(|m| !m.seen().contains("Kick-off")), "{:?}", told.last().unwrap().seen());
    world.end().await;
}

/// Where the platform does not tell somebody's address, that of the account that they have connected stands in the prompt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_address_of_a_connected_account_reaches_the_model() {
    let world = world(false, false).await.unwrap();
    world.slack.grant_only("app_mentions:read,channels:history,channels:read,chat:write,commands,im:history,im:write,users:read");
    told(&world, LEE, "use Project Plan").await;
    let asked = async || {
        told(&world, LEE, "how many tasks are blocked?").await;
        world.azure.requests().iter().rev().find_map(|r| r["messages"][0]["content"].as_str().map(str::to_owned)).unwrap()
    };
    let before = asked().await;
    assert!(before.contains("Who asks now: \"Lee Park\"") && !before.contains(EMAIL), "{before}");
    connect(&world).await;
    let after = asked().await;
    assert!(after.contains(&format!("Who asks now: \"Lee Park\", e-mail \"{EMAIL}\"")), "{after}");
    world.end().await;
}
