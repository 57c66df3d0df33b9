//! Links from a thread to the sheet: what they open, for whom and how long; and what a page may do with them.

use crate::api::Program;
use crate::watching::{Wire, reachable};
use crate::world::{Setting, World, readable};
use chatsheet::server::api::Scope;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::time::Duration;

/// A browser that came with a link.
pub struct Page {
    http: reqwest::Client,
    url: String,
    cookie: String,
    pub origin: String,
}

/// A browser that shows where it is sent.
#[expect(clippy::disallowed_methods, reason = "a browser of a story")]
pub fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

impl Page {
    pub async fn open(link: &str) -> Result<Self, StatusCode> {
        let http = browser();
        let entered = http.get(link).send().await.unwrap();
        if entered.status() != StatusCode::SEE_OTHER {
            return Err(entered.status());
        }
        let cookie = entered.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let to = url::Url::parse(link).unwrap().join(entered.headers()[header::LOCATION].to_str().unwrap()).unwrap();
        let origin = to.origin().ascii_serialization();
        Ok(Self { http, url: to.as_str().split('?').next().unwrap().to_owned(), cookie, origin })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).header("cookie", &self.cookie).header("origin", &self.origin)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.request(Method::GET, path).header("accept", "text/html").send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        let answer = self.request(Method::POST, path).json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    pub async fn press(&self, action: &str) -> StatusCode {
        self.request(Method::POST, "/press").form(&[("action", action)]).send().await.unwrap().status()
    }
}

/// The first link to the viewer in a text.
pub fn link_in(text: &str) -> String {
    let at = text.find("/v/").unwrap_or_else(|| panic!("no link in {text}"));
    let from = text[..at].rfind("http").unwrap();
    text[from..].split([' ', ')', '"', '|', '>', '\\']).next().unwrap().to_owned()
}

/// Links that were posted to Slack or shown to one person there, oldest first.
pub fn links_in_slack(world: &World, method: &str) -> Vec<String> {
    let calls = world.slack.calls();
    calls.iter().filter(|(m, b)| m == method && b.to_string().contains("/v/")).map(|(_, b)| link_in(&b.to_string())).collect()
}

/// A channel whose bot can be reached, and a thread in it.
async fn in_slack() -> (World, String) {
    let world = reachable().await;
    let root = thread(&world).await;
    (world, root)
}

/// A thread about the project plan.
async fn thread(world: &World) -> String {
    world.slack.slash("C1", "U1", "use Project Plan").await;
    world.app.bot.until_idle().await;
    let root = world.slack.say("C1", "U1", "<@UBOT> status", None).await.ts;
    world.app.bot.until_idle().await;
    root
}

async fn say(world: &World, root: &str, user: &str, text: &str) {
    world.slack.say("C1", user, text, Some(root)).await;
    world.app.bot.until_idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_a_thread_may_look_and_a_link_for_editing_is_shown_to_its_person_alone() {
    let (world, root) = in_slack().await;
    say(&world, &root, "U1", "<@UBOT> view").await;
    let posted = links_in_slack(&world, "chat.postMessage");
    let [posted] = posted.as_slice() else { panic!("one link is posted: {posted:?}") };
    let for_all = Page::open(posted).await.unwrap();
    let (status, page) = for_all.get("").await;
    assert!(status.is_success() && page.contains("Usability test") && page.contains("Look only"), "{page}");
    assert!(page.contains("https://slack.com/app_redirect?team="), "a way back to the thread");
    let (status, refused) = for_all.post("/say", json!({ "text": "how many rows?" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{refused}");
    say(&world, &root, "U1", "<@UBOT> edit").await;
    assert_eq!(links_in_slack(&world, "chat.postMessage").len(), 1, "the other one is not");
    assert!(links_in_slack(&world, "chat.update").is_empty());
    let own = links_in_slack(&world, "chat.postEphemeral");
    assert_eq!(own.len(), 1, "whispered");
    let own = Page::open(&own[0]).await.unwrap();
    let (_, page) = own.get("").await;
    assert!(page.contains("Editing as") && !page.contains(&own.cookie), "the page does not say what opens it");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_beside_the_sheet_is_said_in_the_thread_and_what_waits_there_is_decided_here() {
    let (world, root) = in_slack().await;
    say(&world, &root, "U1", "<@UBOT> edit").await;
    let page = Page::open(&links_in_slack(&world, "chat.postEphemeral")[0]).await.unwrap();
    let (status, _) = page.post("/say", json!({ "text": "set Status to Blocked for \"Page templates\"" })).await;
    assert_eq!(status, StatusCode::OK);
    let thread: Vec<String> = world.slack.thread("C1", Some(&root)).into_iter().map(|(who, text)| format!("{who}: {text}")).collect();
    insta::assert_snapshot!(readable(&thread[thread.len() - 2..].join("\n")).lines().map(|l| l.split(" See").next().unwrap()).collect::<Vec<_>>().join("\n"), @r#"
    UBOT: Lee Park, beside the sheet: set Status to Blocked for "Page templates"
    UBOT: Set Status in 1 row of Project Plan?
    Where Task Name is “Page templates”
    Row | Now | New
    Page templates | In Progress | Blocked
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes.
    "#);
    let (_, work) = page.get("/work").await;
    let action = work.split("value=\"confirm:").nth(1).unwrap().split('"').next().unwrap();
    say(&world, &root, "U2", "<@UBOT> edit").await;
    let mia = Page::open(links_in_slack(&world, "chat.postEphemeral").last().unwrap()).await.unwrap();
    assert!(!mia.get("/work").await.1.contains("<button"), "somebody else has no button");
    mia.press(&format!("confirm:{action}")).await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress", "and pressing does nothing all the same");
    assert_eq!(page.press(&format!("confirm:{action}")).await, StatusCode::SEE_OTHER);
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    let last = world.slack.thread("C1", Some(&root)).into_iter().filter(|(_, text)| text.contains("Done: set Status")).count();
    assert_eq!(last, 1, "the thread says so, too");
    assert_eq!(page.press("undo:x").await, StatusCode::BAD_REQUEST, "only what there is");
    let shown = world.slack.messages().into_iter().rfind(|m| m.seen().contains("Done: set Status")).unwrap();
    let blocks = Value::from(shown.blocks).to_string();
    let undo = blocks.split("\"undo:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(mia.press(&format!("undo:{undo}")).await, StatusCode::CONFLICT, "who presses in vain is told so here, too");
    assert_eq!(world.cell("Page templates", "Status"), "Blocked", "only who has changed it takes it back");
    assert_eq!(page.press(&format!("undo:{undo}")).await, StatusCode::SEE_OTHER);
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    // The conversation is that of the thread, with what people said, commands, tables and buttons, also after it was left.
    say(&world, &root, "U1", "<@UBOT> which tasks are blocked?").await;
    let said: Value = serde_json::from_str(&page.get("/said").await.1).unwrap();
    let said = said.as_array().unwrap();
    let by_people = |text: &str| said.iter().filter(|m| m["author"] == "Lee Park" && m["text"] == text).count();
    assert_eq!((by_people("edit"), by_people("which tasks are blocked?")), (1, 1), "{said:?}");
    let kinds =
        |message: &Value| message["blocks"].as_array().unwrap().iter().map(|b| b["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let last = said.last().unwrap();
    assert!(last["author"].is_null() && kinds(last).contains(&"table".to_owned()), "{last}");
    let undone = said.iter().find(|m| m["text"].as_str().unwrap().contains("Taken back")).unwrap();
    assert_eq!(said.iter().filter(|m| m["id"] == undone["id"]).count(), 1, "a message that changed is there once, as it is now");
    let position = |of: &Value| said.iter().position(|m| m["id"] == of["id"]);
    assert!(position(undone) < position(last), "in the order in which they came");
    world.slack.remove_bot("C1").await;
    world.app.bot.until_idle().await;
    let thread =
        chat::ThreadKey { platform: chat::Platform::Slack, install: "T1".into(), conversation: "C1".into(), root: Some(root.clone()) };
    assert_eq!(world.app.store.last_posts(&thread.storage_key(), 50).await.unwrap(), [], "who is removed keeps nothing of it");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opens_its_own_sheet_until_its_time_is_over_on_both_databases() {
    for postgres in [false, true] {
        let settings = vec![("PUBLIC_BASE_URL", "https://bot.example.com/sub".to_owned()), ("LINK_HOURS", "2".to_owned())];
        let Some(world) = World::with(Setting { settings, postgres, ..Setting::default() }).await else { return };
        let program = Program::new(&world, "tester", &Scope::ALL).await;
        let session = program.session("Project Plan").await;
        let link = async |words: &str| {
            let said = program.post("/api/messages", json!({ "sessionId": session, "content": words })).await;
            link_in(said.body["messages"][0]["text"].as_str().unwrap())
                .replace("https://bot.example.com/sub", &format!("http://{}", world.app.address))
        };
        let (for_all, own) = (link("view").await, link("edit").await);
        let http = browser();
        let entered = http.get(&own).send().await.unwrap();
        let cookie = entered.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("; Path=/sub/sheet/") && cookie.ends_with("Max-Age=7200; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        let page = Page::open(&own).await.unwrap();
        assert!(page.get("").await.0.is_success());
        let row = |sheet: &str, name: &str| world.sheets.world().row_id(sheet, name).unwrap().to_string();
        let sheet = world.sheets.world().sheet_id("Project Plan").unwrap();
        let columns = program.get(&format!("/api/smartsheet/{sheet}/columns")).await.body["columns"].clone();
        let column = columns.as_array().unwrap().iter().find(|c| c["title"] == "Priority").unwrap()["id"].as_str().unwrap().to_owned();
        let edit = |row: String| json!({ "row": row, "column": column, "value": "Low", "was": "Medium" });
        let foreign = http.post(format!("{}/cell", page.url)).header("cookie", &page.cookie).header("origin", "https://evil.example");
        let foreign = foreign.json(&edit(row("Project Plan", "Usability test"))).send().await.unwrap();
        assert_eq!(foreign.status(), StatusCode::FORBIDDEN, "a page of somebody else");
        let elsewhere = row("Budget 2026", "Licences");
        assert_eq!(page.post("/cell", edit(elsewhere)).await, (StatusCode::CONFLICT, json!({ "code": "conflict", "now": null })));
        let (status, saved) = page.post("/cell", edit(row("Project Plan", "Usability test"))).await;
        assert_eq!((status, &saved["display"]), (StatusCode::OK, &json!("Low")), "{saved}");
        let (status, taken_back) = page.post("/undo", json!({ "change": saved["change"] })).await;
        assert!(status.is_success() && taken_back["said"].as_str().unwrap().contains("Taken back"), "{taken_back}");
        for broken in [format!("{own}A"), own.replace("/v/", "/v/x"), for_all.split_at(for_all.len() - 9).0.to_owned()] {
            assert_eq!(Page::open(&broken).await.err(), Some(StatusCode::GONE), "{broken}");
        }
        world.clock.advance(Duration::from_secs(2 * 3600));
        assert_eq!(Page::open(&for_all).await.err(), Some(StatusCode::GONE));
        let (status, ended) = page.get("").await;
        assert_eq!(status, StatusCode::GONE);
        assert!(ended.contains("<code>edit</code>") && !ended.contains("Project Plan"), "{ended}");
        let (status, ended) = page.post("/ticket", json!({})).await;
        assert_eq!((status, &ended["code"]), (StatusCode::GONE, &json!("link_ended")));
        let fresh = link("view").await;
        program.post("/api/messages", json!({ "sessionId": session, "content": "unshare" })).await;
        assert_eq!(Page::open(&fresh).await.err(), Some(StatusCode::GONE), "revoked");
        world.clock.advance(Duration::from_millis(1));
        assert!(Page::open(&link("view").await).await.is_ok());
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_told_what_happens_to_its_sheet_and_nothing_else() {
    let (world, root) = in_slack().await;
    say(&world, &root, "U1", "<@UBOT> view").await;
    say(&world, &root, "U1", "<@UBOT> edit").await;
    let (for_all, own) = (links_in_slack(&world, "chat.postMessage"), links_in_slack(&world, "chat.postEphemeral"));
    let (for_all, own) = (Page::open(for_all.last().unwrap()).await.unwrap(), Page::open(&own[0]).await.unwrap());
    let html = own.get("").await.1;
    let session = html.split("data-session=\"").nth(1).unwrap().split('"').next().unwrap();
    let [mine, other] = ["Project Plan", "Budget 2026"].map(|name| world.sheets.world().sheet_id(name).unwrap());
    for (page, may_listen) in [(&for_all, false), (&own, true)] {
        let ticket = page.post("/ticket", json!({})).await.1["ticket"].as_str().unwrap().to_owned();
        let mut wire = Wire::with(&world, &ticket, None, Some(&page.origin)).await.unwrap();
        assert_eq!(wire.subscribe(&format!("sheet:{mine}")).await["type"], "subscribed");
        assert_eq!(wire.subscribe(&format!("sheet:{other}")).await["code"], "not_found");
        let told = wire.subscribe(&format!("session:{session}")).await;
        assert_eq!(told["type"], if may_listen { "subscribed" } else { "error" }, "{told}");
        if may_listen {
            say(&world, &root, "U1", "<@UBOT> how many tasks are blocked?").await;
            let mut said = wire.next().await;
            assert_eq!(
                (&said["type"], &said["message"]["author"], &said["message"]["text"], &said["topic"]),
                (&json!("said"), &json!("Lee Park"), &json!("how many tasks are blocked?"), &json!(format!("session:{session}"))),
                "what people say in the thread is told as well"
            );
            said = wire.next().await;
            while said["message"]["partial"] != json!(false) {
                said = wire.next().await;
            }
            assert_eq!((&said["topic"], &said["message"]["author"]), (&json!(format!("session:{session}")), &Value::Null), "{said}");
            assert!(
                said["message"]["text"].as_str().unwrap().contains("blocked") || said["message"]["text"].as_str().unwrap().contains("2"),
                "{said}"
            );
        }
    }
    let ticket = own.post("/ticket", json!({})).await.1["ticket"].as_str().unwrap().to_owned();
    say(&world, &root, "U1", "<@UBOT> unshare").await;
    assert_eq!(Wire::with(&world, &ticket, None, Some(&own.origin)).await.err(), Some(401), "a ticket of a link that was revoked");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_may_only_be_read_says_so_and_offers_nothing_else() {
    let world = reachable().await;
    world.sheets.world().set_access("Project Plan", "VIEWER");
    let root = thread(&world).await;
    say(&world, &root, "U1", "<@UBOT> edit").await;
    let page = Page::open(links_in_slack(&world, "chat.postEphemeral").last().unwrap()).await.unwrap();
    let html = page.get("").await.1;
    assert!(html.contains("Read only for the bot") && html.contains("aria-readonly=\"true\""), "{html}");
    for offered in ["data-edit", "id=\"add\"", "id=\"undo\""] {
        assert!(!html.contains(offered), "{offered}");
    }
    let row = world.sheets.world().row_id("Project Plan", "Load test").unwrap().to_string();
    let (status, refused) = page.post("/row/delete", json!({ "row": row })).await;
    assert!(status.is_client_error() && refused["detail"].as_str().unwrap().contains("may only"), "{refused}");
    assert!(world.sheets.world().row_id("Project Plan", "Load test").is_some());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_and_durations_of_projects_are_shown_as_people_read_them() {
    let world = reachable().await;
    world.sheets.world().make_project("Budget 2026");
    let program = Program::new(&world, "tester", &Scope::ALL).await;
    let session = program.session("Budget 2026").await;
    let said = program.post("/api/messages", json!({ "sessionId": session, "content": "view" })).await;
    let page = Page::open(&link_in(said.body["messages"][0]["text"].as_str().unwrap())).await.unwrap().get("").await.1;
    assert!(page.contains("2026-03-02 08:00<") && page.contains("5d 4h<"), "{page}");
    world.end().await;
}
