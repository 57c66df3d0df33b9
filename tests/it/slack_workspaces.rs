//! Slack for many: workspaces and organisations install the app by a link, each has a token of its own, which is kept
//! encrypted, is renewed and ends.

use crate::in_slack::{LEE, MIA};
use crate::world::{Setting, World, free_port};
use chat::{Chat, Message};
use chatsheet::app::slack::{Installations, adapter};
use chatsheet::config::{Config, Slack, SlackAccess};
use chatsheet::vault::Vault;
use sandbox::slack::{self, Workspace};
use slack_chat::InstallationStore;
use std::sync::Arc;
use std::time::Duration;

const KEY: &str = "a key of thirty-two characters, and more";

/// A world whose Slack app is installed by whoever is invited, and nobody has been yet.
async fn distributed(postgres: bool, socket: bool, lifetime: Option<Duration>) -> Option<World> {
    let address = format!("127.0.0.1:{}", free_port());
    let options = slack::Options { token_lifetime: lifetime, ..slack::Options::default() };
    let settings = vec![
        ("LISTEN", address.clone()),
        ("PUBLIC_BASE_URL", format!("http://{address}")),
        ("CHATSHEET_SECRET_KEY", KEY.to_owned()),
        ("SLACK_BOT_TOKEN", String::new()),
        ("SLACK_CLIENT_ID", slack::CLIENT_ID.to_owned()),
        ("SLACK_CLIENT_SECRET", slack::CLIENT_SECRET.to_owned()),
    ];
    World::with(Setting { postgres, socket, settings, slack: Some(options), unbound: true, ..Setting::default() }).await
}

/// A link as `chatsheet workspaces invite` prints it.
fn invitation(world: &World) -> String {
    slack_chat::invitation(slack::CLIENT_SECRET, &format!("http://{}", world.app.address).parse().unwrap())
}

/// An admin installs the app in a workspace.
async fn install(world: &World, workspace: Workspace) -> slack::Slack {
    let there = world.slack.from_workspace(workspace);
    let (status, read) = there.install(&invitation(world)).await.unwrap();
    assert_eq!(status, 200, "{read}");
    assert!(read.contains("The app is installed in"), "{read}");
    there
}

/// What the bot says to a mention, in a channel of this workspace that has a sheet.
async fn answer(world: &World, there: &slack::Slack, text: &str) -> String {
    let said = there.say("C1", LEE, &format!("<@UBOT> {text}"), None).await;
    assert_eq!(said.statuses, [200, 200]);
    world.app.bot.until_idle().await;
    let thread = there.thread("C1", Some(&said.ts));
    thread.into_iter().skip(1).map(|(_, words)| words).collect::<Vec<_>>().join("\n")
}

fn installations(world: &World) -> Installations {
    Installations::new(world.app.store.clone(), Vault::new(&KEY.into()))
}

/// Settings of an adapter beside the one that runs.
fn another(world: &World) -> Slack {
    Slack {
        access: SlackAccess::Distributed {
            client_id: slack::CLIENT_ID.into(),
            client_secret: slack::CLIENT_SECRET.into(),
            public_base_url: format!("http://{}", world.app.address).parse().unwrap(),
        },
        signing_secret: Some(slack::SIGNING_SECRET.into()),
        app_token: None,
        api_base_url: world.slack.base_url().parse().unwrap(),
        paced: false,
    }
}

/// Two workspaces with equal channels, threads and people, and an organisation: each is answered where it asked.
async fn everybody_is_answered_where_they_asked(postgres: bool, socket: bool) {
    let Some(world) = distributed(postgres, socket, None).await else { return };
    if socket {
        world.slack.connected(2, 2).await.unwrap();
    }
    let mut all = Vec::new();
    for workspace in [Workspace::alone("T1"), Workspace::alone("T2"), Workspace::of("E9", "T7")] {
        all.push(install(&world, workspace).await);
    }
    assert_eq!(installations(&world).list().await.unwrap(), ["T1", "T2", "E9"]);
    for (there, sheet) in all.iter().zip(["Project Plan", "Clinical Trials", "Project Plan"]) {
        there.slash("C1", LEE, &format!("use {sheet}")).await;
        world.app.bot.until_idle().await;
        assert!(there.messages().last().unwrap().seen().contains(sheet), "{:?}", there.messages().last());
    }
    assert!(answer(&world, &all[0], "which tasks are overdue?").await.contains("Page templates"));
    assert!(answer(&world, &all[1], "which trials are recruiting?").await.contains("NCT"));
    assert!(answer(&world, &all[2], "which tasks are overdue?").await.contains("Page templates"));
    // A change of the organisation: proposed, pressed, done; forms and direct messages know where they are, too.
    let organisation = &all[2];
    let change = answer(&world, organisation, "set Status to Blocked for \"Page templates\"").await;
    assert!(change.contains("Confirm"), "{change}");
    organisation.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    organisation.open_home(MIA, "home").await;
    world.app.bot.until_idle().await;
    assert!(organisation.home(MIA).unwrap().contains("Project Plan"));
    organisation.say("DU1", LEE, "help", None).await;
    world.app.bot.until_idle().await;
    assert!(organisation.thread("DU1", None).len() > 1);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_answered_where_they_asked_sqlite() {
    everybody_is_answered_where_they_asked(false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_answered_where_they_asked_postgres_and_socket_mode() {
    everybody_is_answered_where_they_asked(true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_needed_and_works_once_in_the_browser_that_began() {
    let world = distributed(false, false, None).await.unwrap();
    let link = invitation(&world);
    let (uninvited, _) = link.split_once('?').unwrap();
    for wrong in [uninvited.to_owned(), format!("{link}x"), link.replace("invitation=", "invitation=a")] {
        let (status, read) = world.slack.install(&wrong).await.unwrap();
        assert_eq!(status, 403);
        assert!(read.contains("Ask whoever runs the bot for a new one"), "{read}");
    }
    // A preview opens the link, and spends nothing.
    world.slack.open_page(&link, "").await.unwrap();
    let other = world.slack.from_workspace(Workspace::alone("T2"));
    let (back, cookie) = other.follow_install_link(&link).await.unwrap().unwrap();
    let (status, read) = other.open_page(back.as_str(), "chatsheet_slack=somebodyelse").await.unwrap();
    assert_eq!(status, 403, "another browser ends what this one began");
    assert!(read.contains("in another browser"), "{read}");
    let refusal = format!("{}&error=access_denied", back.as_str().replace("code=", "was="));
    let (status, read) = other.open_page(&refusal, &cookie).await.unwrap();
    assert!(status == 200 && read.contains("Nothing was installed"), "{read}");
    assert_eq!(other.open_page(back.as_str(), &cookie).await.unwrap().0, 200);
    let (status, read) = other.open_page(back.as_str(), &cookie).await.unwrap();
    assert!(status == 502 && read.contains("installed already"), "the page is loaded again: {read}");
    let third = world.slack.from_workspace(Workspace::alone("T3"));
    let (status, read) = third.install(&link).await.unwrap();
    assert!(status == 403 && read.contains("was used before"), "{read}");
    assert_eq!(installations(&world).list().await.unwrap(), ["T2"]);
    // What is kept does not show the token.
    let kept = world.app.store.grant("slack", "T2").await.unwrap().unwrap();
    assert!(!kept.contains("canary") && !kept.contains("xoxb"), "{kept}");
    assert!(Installations::new(world.app.store.clone(), Vault::for_this_process()).load("T2").await.is_err(), "it opens with the key only");
    world.app.store.keep_grant("slack", "T3", &kept, 0).await.unwrap();
    assert!(installations(&world).load("T3").await.is_err(), "it opens for nobody else");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_was_removed_hears_nothing_until_it_is_installed_again() {
    let world = distributed(false, false, None).await.unwrap();
    let there = install(&world, Workspace::alone("T2")).await;
    there.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    assert!(answer(&world, &there, "which tasks are overdue?").await.contains("Page templates"));
    assert_eq!(there.revoke_tokens().await, [200]);
    assert_eq!(installations(&world).list().await.unwrap(), [""; 0]);
    let calls = world.slack.calls().len();
    assert_eq!(answer(&world, &there, "which tasks are overdue?").await, "");
    assert_eq!(world.slack.calls().len(), calls, "nothing is asked of Slack, and nothing of the model");
    // Only the token was gone: the thread still knows its sheet.
    let there = install(&world, Workspace::alone("T2")).await;
    assert!(answer(&world, &there, "which tasks are overdue?").await.contains("Page templates"));
    assert_eq!(there.uninstall().await, [200]);
    world.app.bot.until_idle().await;
    let there = install(&world, Workspace::alone("T2")).await;
    assert!(answer(&world, &there, "status").await.contains("no sheet yet"), "an app that was removed has forgotten its threads");
    // The end of the token before comes late, once more: the new one stays.
    let late = there.last_event().unwrap();
    assert!(late.contains("app_mention"));
    let second = world.slack.from_workspace(Workspace::alone("T2"));
    let removed = second.uninstall_before(3_600).await;
    assert_eq!(removed, [200]);
    assert_eq!(installations(&world).list().await.unwrap(), ["T2"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_renewed_before_it_runs_out() {
    let world = distributed(false, false, Some(Duration::from_secs(3_600))).await.unwrap();
    let there = install(&world, Workspace::alone("T2")).await;
    there.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    assert!(answer(&world, &there, "which tasks are overdue?").await.contains("Page templates"));
    assert_eq!(there.renewals(), 1, "an hour is less than two; then it is known for a while");
    world.end().await;
}

/// Several processes find a token run out at the same time, before any clock of theirs says so; it can be renewed once only.
async fn tokens_are_renewed_once(postgres: bool) {
    let Some(world) = distributed(postgres, false, Some(Duration::from_secs(12 * 3_600))).await else { return };
    let there = install(&world, Workspace::alone("T2")).await;
    there.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    assert!(answer(&world, &there, "which tasks are overdue?").await.contains("Page templates"));
    let said = there.say("C1", LEE, "<@UBOT> help", None).await;
    world.app.bot.until_idle().await;
    there.expire_tokens();
    let chats: Vec<Arc<slack_chat::Slack>> = (0..3).map(|_| adapter(&another(&world), Some(installations(&world))).unwrap()).collect();
    let anchor = chat::Anchor(format!(r#"{{"team":"T2","channel":"C1","thread_ts":"{}"}}"#, said.ts));
    let posts = (0..12).map(|n| {
        let (chat, anchor) = (chats[n % chats.len()].clone(), anchor.clone());
        async move { chat::insist(chat.as_ref() as &dyn Chat, &anchor, &mut None, &Message::text(&format!("post {n}"))).await }
    });
    let sent = futures_util::future::join_all(posts).await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(there.messages().iter().filter(|m| m.seen().starts_with("post ")).count(), 12);
    assert_eq!(there.renewals(), 1);
    assert!(answer(&world, &there, "which tasks are overdue?").await.contains("Page templates"), "the first process finds the new token");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_renewed_once_sqlite() {
    tokens_are_renewed_once(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_renewed_once_postgres() {
    tokens_are_renewed_once(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_before_the_app_was_distributed_is_posted_anew() {
    let world = distributed(false, false, None).await.unwrap();
    let there = install(&world, Workspace::alone("T2")).await;
    let chat = adapter(&another(&world), Some(installations(&world))).unwrap();
    let mut at = Some(chat::MessageRef { place: "C1:1795305600.000001".into(), opens: None });
    let anchor = chat::Anchor(r#"{"team":"T2","channel":"C1","thread_ts":null}"#.into());
    chat::insist(chat.as_ref() as &dyn Chat, &anchor, &mut at, &Message::text("done")).await.unwrap();
    assert_eq!(there.messages().last().map(slack::Posted::seen).as_deref(), Some("done"));
    assert!(at.unwrap().place.starts_with("T2:C1:"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_renewed_too_late_replaces_nothing() {
    let world = distributed(false, false, Some(Duration::from_secs(12 * 3_600))).await.unwrap();
    install(&world, Workspace::alone("T2")).await;
    let kept = installations(&world);
    let old = kept.load("T2").await.unwrap().unwrap();
    assert!(kept.take_turn("T2", 1_000, 31_000).await.unwrap());
    assert!(!kept.take_turn("T2", 2_000, 32_000).await.unwrap(), "one at a time");
    assert!(kept.take_turn("T2", 31_000, 0).await.unwrap() && kept.take_turn("T2", 3_000, 33_000).await.unwrap(), "a turn is given back");
    assert!(kept.take_turn("T2", 33_000, 63_000).await.unwrap(), "or ends");
    install(&world, Workspace::alone("T2")).await;
    let new = kept.load("T2").await.unwrap().unwrap();
    assert!(!kept.save_renewed("T2", &old).await.unwrap(), "the app was installed anew meanwhile");
    assert_eq!(kept.load("T2").await.unwrap(), Some(new.clone()));
    assert!(kept.save_renewed("T2", &new).await.unwrap());
    assert!(kept.remove("T2", i64::MAX).await.unwrap());
    assert!(!kept.save_renewed("T2", &new).await.unwrap() && kept.load("T2").await.unwrap().is_none(), "what was forgotten stays so");
    world.end().await;
}

#[test]
fn settings_that_do_not_go_together_are_told() {
    let read = |settings: &[(&str, &str)]| {
        let read = Config::read(&|name| settings.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
        read.map_err(|faults| faults.into_iter().map(|f| f.variable).collect::<Vec<_>>())
    };
    let app = [("SLACK_CLIENT_ID", "1.2"), ("SLACK_CLIENT_SECRET", "x"), ("SLACK_SIGNING_SECRET", "x")];
    let with = |more: &[(&'static str, &'static str)]| read(&[&app[..], more].concat());
    let whole = [("PUBLIC_BASE_URL", "https://bot.test"), ("CHATSHEET_SECRET_KEY", KEY)];
    assert!(with(&whole).is_ok());
    assert_eq!(with(&whole[..1]).unwrap_err(), ["CHATSHEET_SECRET_KEY"]);
    assert_eq!(with(&whole[1..]).unwrap_err(), ["PUBLIC_BASE_URL"]);
    assert_eq!(with(&[whole[0], whole[1], ("SLACK_BOT_TOKEN", "xoxb-1")]).unwrap_err(), ["SLACK_BOT_TOKEN"]);
    assert_eq!(read(&app[..1]).unwrap_err(), ["SLACK_CLIENT_SECRET"]);
    assert_eq!(read(&app[1..]).unwrap_err(), ["SLACK_CLIENT_ID"]);
}
