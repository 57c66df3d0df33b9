//! What Slack has beside threads: the home of the app, links that people share, the end of an install.

use crate::in_slack::{LEE, MIA, ask, thread, world};
use crate::world::{Setting, World};
use sandbox::{azure, slack};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_home_of_the_app_offers_sheets_and_shows_running_jobs() {
    let setting = Setting {
        azure: Some(azure::Options { latency: Duration::from_millis(60), ..azure::Options::default() }),
        settings: vec![("JOB_CONCURRENCY", "1".into())],
        ..Setting::default()
    };
    let world = World::with(setting).await.unwrap();
    assert_eq!(world.slack.open_home(MIA, "messages").await.statuses, [200]);
    assert_eq!(world.slack.open_home(MIA, "home").await.statuses, [200]);
    world.app.bot.until_idle().await;
    let fresh = world.slack.home(MIA).unwrap();
    insta::assert_snapshot!(fresh, @r#"
    Sheets
    The one you press is the one that our direct messages are about.
    [Sales Pipeline] [Clinical Trials] [Risk Register] [Budget 2026] [Project Plan]
    Your running jobs
    None.
    • Ask: “which tasks are overdue?”, “total budget by department”
    • Change: “set Status to Complete for "Load test"” (you see it first and confirm it with a button; `undo` takes it back)
    • Long work: “summarize Notes into Summary” (in the background, with a bar in the thread)
    • Beside it: quote or forward a message, or attach a text or CSV file, and say what to do with it
    • Words: `help`, `status`, `sheets`, `use <sheet>`, `view`, `edit`, `unshare`, `undo`, `stop`, `jobs`, `cancel <job>`, `retry <job>`, `rules`, `why?`
    Figures are computed by SQL over the sheet.
    "#);
    world.slack.slash("C1", LEE, "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    ask(&world, "summarize Protocol into AI Summary").await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.slack.open_home(LEE, "home").await;
    world.app.bot.until_idle().await;
    let (own, job) = (world.slack.home(LEE).unwrap(), "summarize Protocol into AI Summary");
    assert!(own.contains("[Clinical Trials]") && !own.contains("[Project Plan]") && own.contains(job), "{own}");
    world.slack.open_home(MIA, "home").await;
    world.app.bot.until_idle().await;
    assert!(!world.slack.home(MIA).unwrap().contains(job), "jobs are shown to whom they belong to");
    assert_eq!(world.slack.press_home(MIA, "Project Plan").await.statuses, [200]);
    world.app.bot.until_idle().await;
    let told: Vec<String> = world.slack.messages().iter().filter(|m| m.channel == "DU2").map(slack::Posted::seen).collect();
    assert_eq!(told, ["This chat is now about Project Plan (42 rows)."]);
    world.app.jobs.until_idle().await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_to_sheets_say_what_they_lead_to_and_an_uninstalled_app_forgets() {
    let world = world().await;
    let sheet = world.sheets.world().permalink("Project Plan").unwrap();
    let (known, secret) = (format!("{sheet}?view=grid"), "https://app.smartsheet.com/sheets/ofSomebodyElse");
    for (url, member) in [(known.as_str(), false), (secret, true), (known.as_str(), true)] {
        assert_eq!(world.slack.share("C1", LEE, url, member).await.statuses, [200, 200]);
        world.app.bot.until_idle().await;
    }
    let shown = world.slack.unfurled();
    assert_eq!(shown.len(), 1, "where the bot is, and what it may show: {shown:?}");
    assert!(shown[0].0 == known && shown[0].1.starts_with("Project Plan · 42 rows, ") && shown[0].1.contains("Task Name"), "{shown:?}");
    let said = |m: &slack::Posted| m.user == slack::BOT_USER && m.only_for.is_none() && !m.seen().contains("start with Project Plan");
    assert!(!world.slack.messages().iter().any(said), "nobody asked, so nothing is said");
    assert_eq!(world.slack.uninstall().await, [200]);
    world.app.bot.until_idle().await;
    world.slack.reinstall();
    let root = ask(&world, "status").await;
    assert!(thread(&world, &root).contains("no sheet yet"), "{}", thread(&world, &root));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_slash_command_told_one_person_they_can_share_once() {
    let world = world().await;
    world.slack.slash("C1", LEE, "sheets").await;
    world.app.bot.until_idle().await;
    let told = world.slack.messages().pop().unwrap();
    assert!(told.only_for.as_deref() == Some(LEE) && told.seen().ends_with("[Share to channel]"), "{}", told.seen());
    let value = told.blocks.last().unwrap()["elements"][0]["value"].as_str().unwrap().to_owned();
    world.slack.press_value(&told, &value, MIA).await;
    world.app.bot.until_idle().await;
    let refused = world.slack.messages().pop().unwrap();
    assert!(refused.only_for.as_deref() == Some(MIA) && refused.seen().contains("Please ask again"), "nobody shares for others");
    world.slack.keep_out_of(Some("C1"));
    world.slack.press_value(&told, &value, LEE).await;
    world.app.bot.until_idle().await;
    let refused = world.slack.messages().pop().unwrap();
    assert!(refused.only_for.as_deref() == Some(LEE) && refused.seen().contains("press the button once more"), "{}", refused.seen());
    world.slack.keep_out_of(None);
    for _ in 0..2 {
        world.slack.press_value(&told, &value, LEE).await;
        world.app.bot.until_idle().await;
    }
    let shared: Vec<String> =
        world.slack.messages().into_iter().filter(|m| m.only_for.is_none() && m.user == "UBOT").skip(1).map(|m| m.seen()).collect();
    assert_eq!(shared.len(), 1, "{shared:?}");
    assert!(
        shared[0].contains("Project Plan") && shared[0].ends_with("Shared by Lee Park") && !shared[0].contains("Share to"),
        "{shared:?}"
    );
    world.slack.slash("D1", LEE, "sheets").await;
    world.app.bot.until_idle().await;
    assert!(!world.slack.messages().pop().unwrap().seen().contains("Share to"), "nobody else is there");
    world.slack.slash("C1", LEE, "undo").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.slack.messages().pop().unwrap().only_for.as_deref(), Some(LEE), "and what went wrong is for them alone");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_assistant_pane_greets_with_sheets_and_its_stop_ends_an_answer() {
    let world = world().await;
    let pane = world.slack.open_pane(LEE).await;
    world.app.bot.until_idle().await;
    let prompt = |title: &str, message: &str| (title.to_owned(), message.to_owned());
    let prompts = world.slack.prompts("DU1", &pane.ts);
    assert_eq!(prompts.first(), Some(&prompt("Work on Project Plan", "use Project Plan")), "the sheet that Lee talked about comes first");
    assert_eq!(prompts.last(), Some(&prompt("What can you do?", "help")));
    world.slack.say("DU1", LEE, &prompts[0].1, Some(&pane.ts)).await;
    world.app.bot.until_idle().await;
    world.azure.faults().next(sandbox::fault::Kind::Slow, 1);
    world.slack.say("DU1", LEE, "how many tasks are blocked?", Some(&pane.ts)).await;
    world.slack.until_status("DU1").await.unwrap();
    assert_eq!(world.slack.press_stop("DU1", LEE, &pane.ts).await, [200]);
    world.app.bot.until_idle().await;
    let seen: Vec<String> = world.slack.thread("DU1", Some(&pane.ts)).into_iter().map(|(_, words)| words).collect();
    assert!(seen[1].contains("Which sheet is it about?") && seen[3].contains("is now about Project Plan"), "{seen:?}");
    assert!(seen.iter().any(|s| s.contains("Stopped. Nothing was changed.")) && !seen.concat().contains("There are 2"), "{seen:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_change_is_confirmed_by_typing_its_number_into_a_form() {
    let setting = Setting { settings: vec![("CONFIRM_LIMIT_ROWS", "5".into())], ..Setting::default() };
    let world = World::with(setting).await.unwrap();
    world.slack.slash("C1", LEE, "use Project Plan").await;
    world.app.bot.until_idle().await;
    let question = "set Status to \"In Progress\" for everything assigned to Dana that is Not Started";
    let root = ask(&world, question).await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    let form = world.slack.modal(LEE).unwrap();
    assert_eq!(form, ["A large change", "How many rows are changed? Type 5 to carry it out. []"]);
    assert!(thread(&world, &root).contains("press the button with the number, or type 5"), "for whoever closes the form");
    assert_eq!(world.slack.fill(LEE, &[("count", "7")]).await.statuses, [200]);
    world.app.bot.until_idle().await;
    assert!(thread(&world, &root).contains("touches 5 rows, not 7") && world.cell("Usability test", "Status") == "Not Started");
    world.slack.press("C1", LEE, "Yes, all 5 rows").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "In Progress");
    world.slack.press("C1", LEE, "Undo").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "Not Started");

    ask(&world, question).await;
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.slack.fill(LEE, &[("count", "5 rows")]).await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Usability test", "Status"), "In Progress");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_adjusted_in_a_form_before_it_begins() {
    let world = world().await;
    world.slack.slash("C1", LEE, "use Clinical Trials").await;
    world.app.bot.until_idle().await;
    let root = ask(&world, "summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    world.slack.press("C1", MIA, "Adjust").await;
    world.app.bot.until_idle().await;
    assert!(world.slack.modal(MIA).is_none(), "only the person who asked may");
    world.slack.press("C1", LEE, "Adjust").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.slack.modal(LEE).unwrap(), ["Adjust the job", "What to pay attention to []", "Limit []"]);
    world.slack.fill(LEE, &[("instructions", "what is measured"), ("limit", "60")]).await;
    world.app.bot.until_idle().await;
    let seen = thread(&world, &root);
    assert!(seen.contains("Adjusted: the new proposal is below.") && seen.matches("[Confirm]").count() == 1, "{seen}");
    world.slack.press("C1", LEE, "Adjust").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.slack.modal(LEE).unwrap()[1..], ["What to pay attention to [what is measured]", "Limit [60]"]);
    world.slack.fill(LEE, &[("limit", "many")]).await;
    world.app.bot.until_idle().await;
    assert!(thread(&world, &root).contains("a whole number, such as 200, not “many”"), "what does not fit changes nothing");
    world.slack.press("C1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
    let person = chatsheet::store::Asker { id: LEE.into(), install: "slack|T1".into() };
    let jobs = world.app.store.jobs_of("", Some(&person), 10, 0).await.unwrap().0;
    let done: Vec<_> = jobs.iter().filter(|j| j.status == chatsheet::store::JobStatus::Completed).collect();
    assert_eq!(done.len(), 1, "{jobs:?}");
    assert_eq!((&done[0].parameters["limit"], &done[0].parameters["instructions"]), (&60.into(), &"what is measured".into()));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_answered_where_it_was_typed_also_where_the_bot_is_not() {
    let world = world().await;
    world.slack.keep_out_of(Some("C9"));
    let told = async |channel: &str| {
        world.slack.slash(channel, LEE, "use Project Plan").await;
        world.app.bot.until_idle().await;
        let last = world.slack.messages().pop().unwrap();
        let seen = last.seen();
        assert!(seen.contains("New threads in this channel start with Project Plan") && seen.contains("only you see this"), "{seen}");
        (last.channel, last.only_for)
    };
    for _ in 0..7 {
        assert_eq!(told("C9").await, ("C9".into(), Some(LEE.into())), "each command has its own way back");
    }
    assert_eq!(world.slack.calls().iter().filter(|(method, _)| method == "conversations.open").count(), 0, "no direct message");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn direct_messages_with_an_agent_are_one_conversation_that_is_answered_below_each() {
    let world = world().await;
    world.slack.become_agent();
    let shown = world.slack.messages().len();
    assert_eq!(world.slack.open_home(LEE, "messages").await.statuses, [200]);
    world.app.bot.until_idle().await;
    let prompts = world.slack.prompts("DU1", "");
    assert_eq!(prompts.first().map(|(title, _)| title.as_str()), Some("Work on Project Plan"), "{prompts:?}");
    assert_eq!(world.slack.messages().len(), shown, "whoever opens it again and again is greeted by prompts alone");

    let below = async |text: &str| {
        let asked = world.slack.say("DU1", LEE, text, None).await.ts;
        world.app.bot.until_idle().await;
        (world.slack.thread("DU1", Some(&asked)).into_iter().skip(1).map(|(_, words)| words).collect::<Vec<_>>().join("\n"), asked)
    };
    assert!(below("use Project Plan").await.0.contains("now about Project Plan"));
    world.azure.faults().next(sandbox::fault::Kind::Slow, 1);
    let asked = world.slack.say("DU1", LEE, "which tasks are blocked?", None).await.ts;
    world.slack.until_status("DU1").await.unwrap();
    world.app.bot.until_idle().await;
    let answer: Vec<String> = world.slack.thread("DU1", Some(&asked)).into_iter().map(|(_, words)| words).collect();
    assert!(answer.len() == 2 && answer[1].contains("2 rows match"), "a status, then one message: {answer:?}");
    let (only, _) = below("and only Dana's?").await;
    assert!(only.contains("One row matches"), "it goes on with what was asked above: {only}");
    let (proposed, root) = below("set Status to Blocked for \"Load test\"").await;
    assert!(proposed.contains("[Confirm]"), "{proposed}");
    world.slack.press("DU1", LEE, "Confirm").await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Load test", "Status"), "Blocked");
    world.slack.say("DU1", LEE, "undo", Some(&root)).await;
    world.app.bot.until_idle().await;
    assert_eq!(world.cell("Load test", "Status"), "Not Started", "a reply below an answer belongs to the same conversation");
    world.end().await;
}

/// The official client sends the fields of a call as a form, with JSON inside: the stand-in takes it as it takes JSON.
#[tokio::test]
async fn the_stand_in_takes_calls_as_the_official_client_sends_them() {
    let http = crate::smartsheet_api::http();
    let far_side = slack::Slack::start(slack::Options::default()).await.unwrap();
    let blocks = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "*2* rows & more" } }]);
    let form = [("channel", "C1".to_owned()), ("text", "2 rows".into()), ("unfurl_links", "false".into()), ("blocks", blocks.to_string())];
    let post = http.post(format!("{}/chat.postMessage", far_side.base_url())).bearer_auth(slack::BOT_TOKEN);
    let answer: serde_json::Value = post.form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    let posted = far_side.messages().pop().unwrap();
    assert_eq!((posted.channel.as_str(), posted.text.as_str(), json!(posted.blocks)), ("C1", "2 rows", blocks));
}
