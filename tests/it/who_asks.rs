//! Who asks, who is mentioned and how people talk: what of it reaches the model, and what needs none.

use crate::platforms::{settle, world};
use crate::world::World;
use chat::Platform;
use sandbox::{discord, slack, teams, telegram};
use serde_json::json;

async fn in_slack(world: &World, person: &str, text: &str) -> String {
    world.slack.say("C1", person, &format!("<@UBOT> {text}"), None).await;
    settle(world).await;
    world.slack.messages().iter().rev().find(|m| m.user == slack::BOT_USER).map(slack::Posted::seen).unwrap_or_default()
}

/// What the model was told last.
fn told(world: &World) -> String {
    let requests = world.azure.requests();
    requests.iter().rev().find_map(|r| r["messages"][0]["content"].as_str()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_knows_who_asks_on_every_platform() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    let answer = in_slack(&world, "U1", "which of my tasks are overdue?").await;
    assert!(answer.contains("Lee Park") && !answer.contains("Priya"), "{answer}");
    assert!(told(&world).contains("Who asks now: \"Lee Park\", e-mail \"lee.park@example.com\""), "{}", told(&world));
    on_teams.say("a:lee", "29:lee", "use Project Plan").await;
    settle(&world).await;
    on_teams.say("a:lee", "29:lee", "which of my tasks are overdue?").await;
    settle(&world).await;
    let answer = on_teams.messages().last().map(teams::Posted::seen).unwrap_or_default();
    assert!(answer.contains("Lee Park") && !answer.contains("Priya"), "{answer}");
    for (text, asked) in [("use Project Plan", false), ("which tasks are blocked?", true)] {
        on_discord.say(901, 1, text).await;
        on_discord
            .until(|far| far.messages().iter().filter(|m| m.channel == 901 && m.from == discord::APPLICATION).count() > usize::from(asked))
            .await
            .unwrap();
        on_telegram.say(1, 1, text, None).await;
        settle(&world).await;
    }
    let systems: Vec<String> =
        world.azure.requests().iter().filter_map(|r| r["messages"][0]["content"].as_str().map(str::to_owned)).collect();
    let named = systems.iter().filter(|s| s.contains("Who asks now: \"Lee")).count();
    assert!(named == systems.len() && named >= 4, "{named} of {}", systems.len());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_are_mentioned_are_found_by_their_address() {
    let world = world().await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    insta::assert_snapshot!(in_slack(&world, "U1", "assign \"Load test\" to <@U2>").await, @r"
    Set Assigned To in 1 row of Project Plan?
    Where Task Name is “Load test”
    Row | Now | New
    Load test | Omar Haddad | Mia Jensen
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes. See it in the sheet.
    ");
    insta::assert_snapshot!(in_slack(&world, "U1", "assign \"Load test\" to <mailto:new@example.com|new@example.com>").await, @r"
    Set Assigned To in 1 row of Project Plan?
    Where Task Name is “Load test”
    Row | Now | New
    Load test | Omar Haddad | new@example.com
    [Confirm] [Cancel]
    Nothing is written until you confirm. Only you can, for 10 minutes. See it in the sheet.
    ");
    world.end().await;
}

/// What mentions bring: ids where words carry no names, and an address wherever the platform tells one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mentions_are_told_by_name_and_people_found_by_their_address() {
    let world = world().await;
    let far = world.teams.clone().unwrap();
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    let channel =
        teams::Teams::thread_of(&far.say(teams::CHANNEL, "29:lee", &format!("<at>{}</at> use Project Plan", teams::BOT_NAME)).await.id);
    settle(&world).await;
    far.say(&channel, "29:lee", &format!("<at>{}</at> assign \"Load test\" to <at>Mia Jensen</at>", teams::BOT_NAME)).await;
    settle(&world).await;
    let proposed = far.messages().iter().rev().find(|m| m.seen().contains("Confirm")).map(|m| m.activity.to_string()).unwrap();
    assert!(proposed.contains("mia.jensen@example.com") || proposed.contains("Mia Jensen"), "{proposed}");
    world.slack.say("C1", "U1", "<@UBOT> is <@U2> or <@U1|lee> late with what <#C2> and <#C1|plan> wait for?", None).await;
    settle(&world).await;
    let asked = world.azure.requests().into_iter().rev().find(|r| r["messages"][0]["content"].is_string()).unwrap();
    let asked = asked["messages"].as_array().unwrap().iter().rev().find_map(|m| m["content"].as_str().filter(|_| m["role"] == "user"));
    insta::assert_snapshot!(asked.unwrap(), @"is @Mia Jensen or @Lee Park late with what #budget and #plan wait for?");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_people_in_a_thread_are_told_apart() {
    let world = world().await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    let root = world.slack.say("C1", "U1", "<@UBOT> which tasks are blocked?", None).await.ts;
    settle(&world).await;
    world.slack.say("C1", "U2", "and which are overdue?", Some(&root)).await;
    settle(&world).await;
    let last = world.azure.requests().into_iter().rev().find(|r| r["messages"][0]["content"].is_string()).unwrap();
    let lines: Vec<&str> = last["messages"].as_array().unwrap().iter().filter_map(|m| m["content"].as_str()).collect();
    assert!(lines.contains(&"[Lee Park] which tasks are blocked?"), "{lines:?}");
    assert!(lines[0].contains("Who asks now: \"Mia Jensen\""), "{}", lines[0]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_words_survive_how_people_talk() {
    let world = world().await;
    let before = world.azure.requests().len();
    let mut said = String::new();
    for text in ["hello", "thanks!", "who are you?", ", help", "please use the project plan, thanks!", ": status", "hey, sheets"] {
        let answer = in_slack(&world, "U1", text).await;
        said.push_str(&format!("{text} -> {}\n", answer.lines().next().unwrap_or_default()));
    }
    insta::assert_snapshot!(said, @r"
    hello -> Hello! Ask me about a Smartsheet sheet, or type `help` to see what I can do.
    thanks! -> You are welcome.
    who are you? -> I am ChatSheetAI, a bot that answers questions about Smartsheet sheets and changes them for you. Nothing is changed before you confirm it. `help` shows how.
    , help -> I answer questions about a Smartsheet sheet and change it for you, from this thread.
    please use the project plan, thanks! -> This thread is now about Project Plan (42 rows).
    : status -> This thread has no sheet yet. Choose one with `use <name, id or link>`, or type `sheets` to see them.
    hey, sheets -> These are the sheets I can see:
    ");
    assert_eq!(world.azure.requests().len(), before, "none of it needs the model");
    for text in ["ok thanks!", "hi, how are you?", "no, stop that"] {
        let asked = world.azure.requests().len();
        let answer = in_slack(&world, "U1", text).await;
        assert!(world.azure.requests().len() == asked && !answer.contains("Which sheet"), "{text}: {answer}");
    }
    // What names no sheet is a question, where there is a sheet that it can be about.
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    let answer = in_slack(&world, "U1", "use bigger words in your answers").await;
    assert!(!answer.contains("I see no sheet called"), "{answer}");
    assert!(world.azure.requests().last().unwrap().to_string().contains("use bigger words in your answers"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_say_to_each_other_is_left_alone() {
    let world = world().await;
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    let root = world.slack.say("C1", "U1", "<@UBOT> which tasks are blocked?", None).await.ts;
    settle(&world).await;
    let shown = world.slack.messages().len();
    for text in ["<@U2> can you take that?", "", "<@U2>"] {
        world.slack.say("C1", "U1", text, Some(&root)).await;
    }
    settle(&world).await;
    assert_eq!(world.slack.messages().len(), shown + 3, "only what they said themselves is new");
    world.slack.say("C1", "U1", "and which are overdue?", Some(&root)).await;
    settle(&world).await;
    assert!(world.slack.messages().len() > shown + 4, "a follow-up is answered");
    world.end().await;
}

/// What the bot says last to Lee, who is alone with it on a platform.
async fn alone(world: &World, platform: Platform, text: &str) -> String {
    match platform {
        Platform::Slack => {
            world.slack.say("D1", "U1", text, None).await;
        }
        Platform::Teams => {
            world.teams.as_ref().unwrap().say("a:lee", "29:lee", text).await;
        }
        Platform::Telegram => {
            let far = world.telegram.as_ref().unwrap();
            let mention = text.find("@Mia Jensen").map(|at| {
                let offset = text[..at].encode_utf16().count();
                json!([{ "type": "text_mention", "offset": offset, "length": 11, "user": { "id": 2, "is_bot": false, "first_name": "Mia", "last_name": "Jensen" } }])
            });
            far.say_with(1, 1, text, &mention.map_or_else(|| json!({}), |entities| json!({ "entities": entities }))).await;
        }
        _ => {
            let far = world.discord.as_ref().unwrap();
            let count =
                |far: &discord::Discord| far.messages().iter().filter(|m| m.channel == 901 && m.from == discord::APPLICATION).count();
            let before = count(far);
            far.say(901, 1, text).await;
            far.until(|far| count(far) > before).await.unwrap();
        }
    }
    settle(world).await;
    match platform {
        Platform::Slack => world.slack.messages().iter().rev().find(|m| m.user == slack::BOT_USER).map(slack::Posted::seen),
        Platform::Teams => world.teams.as_ref().unwrap().messages().last().map(teams::Posted::seen),
        Platform::Telegram => {
            let all = world.telegram.as_ref().unwrap().messages();
            all.iter().rev().find(|m| m.chat == 1 && m.from == telegram::BOT_ID).map(telegram::Posted::seen)
        }
        _ => {
            let all = world.discord.as_ref().unwrap().messages();
            all.iter().rev().find(|m| m.channel == 901 && m.from == discord::APPLICATION).map(discord::Posted::seen)
        }
    }
    .unwrap_or_default()
}

/// What people ask of themselves and of others, on every platform: “my”, “I” and “it”, and somebody by a mention.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mine_and_somebody_else_are_understood_on_every_platform() {
    let world = world().await;
    for (platform, mia) in [
        (Platform::Slack, "<@U2>"),
        (Platform::Teams, "<at>Mia Jensen</at>"),
        (Platform::Discord, "<@2>"),
        (Platform::Telegram, "@Mia Jensen"),
    ] {
        alone(&world, platform, "use Project Plan").await;
        let overdue = alone(&world, platform, "which of my tasks are overdue?").await;
        assert!(overdue.contains("Assigned To is “Lee Park”") && overdue.contains("Due Date is before"), "{platform}: {overdue}");
        let this_week = alone(&world, platform, "what do I have to finish this week?").await;
        assert!(this_week.contains("Assigned To is “Lee Park”") && this_week.contains("Due Date is between"), "{platform}: {this_week}");
        assert!(alone(&world, platform, "who owns Load test?").await.contains("Omar Haddad"), "{platform}");
        let proposed = alone(&world, platform, &format!("assign it to {mia}")).await;
        assert!(
            proposed.contains("[Confirm]") && proposed.contains("Load test") && proposed.contains("Mia Jensen"),
            "{platform}: {proposed}"
        );
    }
    world.end().await;
}

/// Where somebody is, and which language they speak, as each platform tells it: the day goes by it, and the model is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_somebody_is_reaches_the_model_on_every_platform() {
    let world = world().await;
    let (on_discord, on_teams, on_telegram) =
        (world.discord.clone().unwrap(), world.teams.clone().unwrap(), world.telegram.clone().unwrap());
    // It is half past ten in UTC, and tomorrow already in Kiribati.
    let tomorrow = "Today is 2026-11-23, Monday.";
    for text in ["use Project Plan", "which tasks are due today?"] {
        world.slack.say("D9", slack::FAR_AWAY.0, text, None).await;
        settle(&world).await;
    }
    let system = told(&world);
    assert!(system.contains(tomorrow) && system.contains("time zone \"Pacific/Kiritimati\", language \"de-DE\""), "{system}");
    let answer = world.slack.messages().into_iter().rev().find(|m| m.channel == "D9" && m.user == slack::BOT_USER).unwrap().seen();
    assert!(answer.contains("as of 00:30 +14"), "the line under an answer has their time: {answer}");
    for text in ["use Project Plan", "which tasks are due today?"] {
        on_teams.say_with("a:lee", "29:lee", text, &json!({ "localTimezone": "Pacific/Kiritimati", "locale": "fr-FR" })).await;
        settle(&world).await;
    }
    let system = told(&world);
    assert!(system.contains(tomorrow) && system.contains("time zone \"Pacific/Kiritimati\", language \"fr-FR\""), "{system}");
    for text in ["use Project Plan", "which tasks are due today?"] {
        let from = json!({ "id": 1, "is_bot": false, "first_name": "Lee", "last_name": "Park", "language_code": "es" });
        on_telegram.say_with(1, 1, text, &json!({ "from": from })).await;
        settle(&world).await;
    }
    let system = told(&world);
    assert!(system.contains("Today is 2026-11-22") && system.contains("language \"es\""), "{system}");
    let answers = |far: &discord::Discord| far.calls().iter().filter(|(what, _)| what == "send").count();
    on_discord.slash(discord::CHANNEL, 1, "use Project Plan").await;
    on_discord.until(|far| far.messages().iter().any(|m| m.seen().contains("start with Project Plan"))).await.unwrap();
    let before = answers(&on_discord);
    on_discord.slash(discord::CHANNEL, 1, "which tasks are due today?").await;
    on_discord.until(|far| answers(far) > before).await.unwrap();
    settle(&world).await;
    assert!(told(&world).contains("language \"en-GB\""), "{}", told(&world));
    world.end().await;
}

/// Slack names emoji in words: an option of a picklist that carries one is found by its name, its sign, or its word alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_with_emoji_are_found_as_slack_sends_them() {
    let world = world().await;
    let (sheet, column) = {
        let sheets = world.sheets.world();
        (sheets.sheet_id("Project Plan").unwrap(), sheets.column_id("Project Plan", "Status").unwrap())
    };
    let options = json!(["Not Started", "In Progress", "Blocked", "Done", "Cancelled", "🎉 Launched", "🛑 Parked"]);
    let body = json!({ "type": "PICKLIST", "options": options, "validation": true });
    let url = format!("{}/sheets/{sheet}/columns/{column}", world.sheets.base_url());
    let put = crate::smartsheet_api::http().put(url).bearer_auth(sandbox::smartsheet::TOKEN).json(&body);
    assert_eq!(put.send().await.unwrap().status().as_u16(), 200);
    world.slack.slash("C1", "U1", "use Project Plan").await;
    settle(&world).await;
    for (typed, stored) in [
        (":tada: Launched", "🎉 Launched"),
        ("🛑 parked", "🛑 Parked"),
        ("launched", "🎉 Launched"),
        (":octagonal_sign: Parked", "🛑 Parked"),
    ] {
        let shown = in_slack(&world, "U1", &format!("set Status to \"{typed}\" for \"Load test\"")).await;
        assert!(shown.contains(stored), "{typed}: {shown}");
        world.slack.press("C1", "U1", "Confirm").await;
        settle(&world).await;
        assert_eq!(world.cell("Load test", "Status"), stored, "{typed}");
    }
    world.end().await;
}

/// What has no markup is no markup: `/start` is answered in one message, and so is a list of sixty lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn telegram_gets_one_message_for_the_start_and_for_a_long_list() {
    let world = world().await;
    let far = world.telegram.clone().unwrap();
    let said = async |text: &str| -> Vec<String> {
        let before = far.messages().len();
        far.say(1, 1, text, None).await;
        settle(&world).await;
        let messages = far.messages().into_iter().skip(before);
        messages.filter(|m| m.from == telegram::BOT_ID).map(|m| m.seen()).collect()
    };
    let start = said("/start").await;
    assert!(start.len() == 1 && start[0].lines().count() <= 12, "{start:?}");
    said("use Clinical Trials").await;
    let list = said("list all trials").await;
    assert_eq!(list.len(), 1, "{list:?}");
    assert!(list[0].lines().count() >= 20, "{list:?}");
    world.end().await;
}
