//! One conversation told on every chat platform: what people do and see is the same, what goes over the wire is each platform's own.

mod discord;
mod slack;
mod steady;
mod teams;
mod telegram;

use crate::world::{Setting, World, free_port};
use async_trait::async_trait;
use discord::InDiscord;
use sandbox::azure::{Mode, Reply};
use sandbox::{discord as far_discord, teams as far_teams, telegram as far_telegram};
use serde_json::{Value, json};
use slack::InSlack;
use steady::stable;
use teams::InTeams;
use telegram::InTelegram;

/// Who asks, and who looks on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Person {
    Lee,
    Mia,
}
use Person::{Lee, Mia};

/// A thread of a platform, from the people's side.
#[async_trait]
trait Side: Send + Sync {
    /// What snapshots are called.
    fn name(&self) -> &'static str;
    /// Somebody says something to the bot in the thread.
    async fn say(&self, who: Person, text: &str);
    /// Somebody presses the newest button with this label.
    async fn press(&self, who: Person, label: &str);
    /// The bot's messages that everybody in the thread sees, oldest first.
    fn seen(&self) -> Vec<String>;
    /// The same messages as they went over the wire last.
    fn wire(&self) -> Vec<Value>;
    /// What the person alone has been shown.
    fn aside(&self, who: Person) -> Vec<String>;
    /// The last event comes again.
    async fn again(&self);
    /// Lee says two things, and the bot is told the second one first.
    async fn reordered(&self, first: &str, second: &str);
    /// The bot's own message, another bot's, a changed message and something that nobody knows yet come in.
    async fn noise(&self);
    /// Whether anything that was sent calls somebody.
    fn calls_somebody(&self) -> bool;
    /// The same person says something to the bot in another install, where ids are the same as far as the platform lets them be.
    async fn say_elsewhere(&self, text: &str);
    /// What the bot has said there, oldest first.
    fn seen_elsewhere(&self) -> Vec<String>;
    /// The bot is removed, and invited again.
    async fn remove_bot(&self);
    async fn invite_bot(&self);
    /// Returns when the bot's last message has these words.
    async fn until_last_says(&self, words: &str);
}

/// A world with all platforms, which they can reach.
pub async fn world() -> World {
    let port = free_port();
    let settings = vec![
        ("LISTEN", format!("127.0.0.1:{port}")),
        ("PUBLIC_BASE_URL", format!("http://127.0.0.1:{port}")),
        ("TELEGRAM_WEBHOOK_SECRET", far_telegram::SECRET.to_owned()),
        // People elsewhere are let in, too, so that it shows whether they see anything of each other.
        ("SLACK_ALLOWED", format!("members,{}", sandbox::slack::TEAM)),
        ("TEAMS_ALLOWED", "members,another-tenant".to_owned()),
    ];
    let world = World::with(Setting {
        settings,
        discord: Some(far_discord::Options::default()),
        teams: Some(far_teams::Options::default()),
        telegram: Some(far_telegram::Options::default()),
        ..Setting::default()
    })
    .await
    .unwrap();
    world.telegram.as_ref().unwrap().until(|far| far.webhook().is_some()).await.unwrap();
    world.discord.as_ref().unwrap().until(|far| far.sessions().0 == 1).await.unwrap();
    world
}

pub async fn settle(world: &World) {
    world.app.bot.until_idle().await;
    world.app.jobs.until_idle().await.unwrap();
}

async fn ask(world: &World, side: &dyn Side, text: &str) -> String {
    side.say(Lee, text).await;
    settle(world).await;
    side.seen().pop().unwrap_or_default()
}

/// A question, a change, a job, and what may go wrong.
async fn story(world: World, side: &dyn Side) {
    let nasty = "@every\u{200B}body \u{202E}👧 <!channel> <@U1> [x](https://evil.example) <b>*bold*</b> `code` | cell";
    world.sheets.world().edit("Project Plan", "Order service", "Notes", nasty.into());
    assert!(ask(&world, side, "use Project Plan").await.contains("Project Plan"));
    let answer = ask(&world, side, "which tasks are overdue, and who owns them?").await;
    assert!(answer.contains("5 rows match") && answer.contains("Priya Nair"), "{answer}");
    let proposal = ask(&world, side, "set Status to Blocked for \"Page templates\"").await;
    assert!(proposal.contains("[Confirm]") && proposal.contains("In Progress"), "{proposal}");
    let shown = side.seen().len();
    if !matches!(side.name(), "discord" | "teams" | "telegram") {
        side.press(Mia, "Confirm").await;
        settle(&world).await;
        assert!(side.aside(Mia).concat().contains("Only the person who asked"), "{:?}", side.aside(Mia));
    }
    assert_eq!(world.cell("Page templates", "Status"), "In Progress");
    side.press(Lee, "Confirm").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    assert!(side.seen().last().unwrap().contains("Done: set Status in 1 row"));
    side.press(Lee, "Undo").await;
    settle(&world).await;
    assert_eq!(
        (world.cell("Page templates", "Status").as_str(), side.seen().len()),
        ("In Progress", shown),
        "the same message tells it all"
    );

    side.again().await;
    side.noise().await;
    settle(&world).await;
    assert_eq!(side.seen().len(), shown, "nothing of that is for the bot: {:?}", side.seen().last());

    side.reordered("how many tasks are blocked?", "which tasks are overdue?").await;
    settle(&world).await;
    // One behind the other they get an answer each, and one to both when the second was there in time.
    let answers = side.seen().split_off(shown);
    let all = answers.concat();
    let (blocked, overdue) = (all.matches("Status is “Blocked”").count(), all.matches("Due Date is before").count());
    assert!((blocked, overdue) == (1, 1) && answers.len() <= 2, "each is answered, and once: {answers:?}");
    let shown = side.seen().len();

    let listed = ask(&world, side, "list notes for tasks in progress").await;
    assert!(listed.contains("everybody") && !side.calls_somebody(), "{listed}");
    assert!(listed.contains("@everybody 👧"), "nothing is hidden: {listed}");
    let long = ask(&world, side, &format!("how many tasks are blocked? {}", "Ignore this. ".repeat(1_000))).await;
    assert!(!long.is_empty() && side.seen().len() == shown + 2, "a long message is answered: {long}");
    let disguised = ask(&world, side, "how many tasks are \u{202E}blo\u{200B}cked\u{202C}? 🗼👩‍👩‍👧").await;
    assert!(disguised.contains('2'), "{disguised}");

    assert!(ask(&world, side, "use Clinical Trials").await.contains("Clinical Trials"));
    let job = ask(&world, side, "summarize Protocol into AI Summary for the phase 3 trials that are recruiting").await;
    assert!(job.contains("for 6 rows") && job.contains("[Confirm]"), "{job}");
    side.press(Lee, "Confirm").await;
    settle(&world).await;
    let told = side.seen().pop().unwrap_or_default();
    assert!(told.contains("6 rows written"), "{told}");

    let answered = |text: &'static str| {
        let world = &world;
        async move {
            side.say_elsewhere(text).await;
            settle(world).await;
            side.seen_elsewhere().pop().unwrap_or_default()
        }
    };
    let asked = answered("how many tasks are blocked?").await;
    assert!(asked.contains("Which sheet"), "the sheet of this thread is nobody's elsewhere: {asked}");
    assert!(answered("undo").await.contains("no change of this thread"));
    // A token of Telegram is one bot, with one install: people see their own jobs from everywhere.
    if !side.name().starts_with("telegram") {
        assert!(answered("jobs").await.contains("no jobs in this thread, and none of yours elsewhere"));
    }

    side.remove_bot().await;
    settle(&world).await;
    side.invite_bot().await;
    settle(&world).await;
    let again = ask(&world, side, "how many patients are there?").await;
    // To be removed from a server of Discord says nothing about direct messages.
    assert_eq!(again.contains("Which sheet"), side.name() != "discord", "who was removed has forgotten: {again}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_slack() {
    let world = world().await;
    let side = InSlack::begin(&world).await;
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_direct_message_of_discord() {
    let world = world().await;
    let side = InDiscord::begin(&world, true);
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_channel_of_discord() {
    let world = world().await;
    let side = InDiscord::begin(&world, false);
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_discord_are_answered_alone_and_leave_nobody_looking_at_a_bot_that_thinks() {
    let world = world().await;
    let far = world.discord.clone().unwrap();
    for (user, over_http) in [(1, false), (2, true)] {
        if over_http {
            far.send_interactions_to(&format!("http://{}/api/webhooks/discord", world.app.address));
        }
        // Two at once: each gets its own answer.
        let both = tokio::join!(far.slash(far_discord::CHANNEL, user, "use Project Plan"), far.slash(far_discord::CHANNEL, user, "help"));
        assert_eq!((both.0.status, both.1.status), (200, 200));
        far.until(|far| far.thinking() == 0).await.unwrap();
        let alone: Vec<String> = far.messages().iter().filter(|m| m.only_for == Some(user)).map(far_discord::Posted::seen).collect();
        let said = |words: &str| alone.iter().filter(|m| m.contains(words)).count();
        assert!(said("I answer questions about") == 1 && alone.len() == 1, "{alone:?}");
        // Which sheet a channel starts with concerns everybody in it.
        let told = far.messages().iter().filter(|m| m.only_for.is_none() && m.seen().contains("start with Project Plan (42 rows)")).count();
        assert_eq!(told, user as usize);
        assert_eq!(far.slash(far_discord::CHANNEL, user, "which tasks are blocked?").await.status, 200);
        // The answer stands in the channel, and nobody waits for another.
        far.until(|far| far.thinking() == 0).await.unwrap();
        settle(&world).await;
    }
    assert!(!far.messages().iter().any(|m| (900..1_000).contains(&m.channel)), "nothing went into direct messages");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_written_to_in_telegram_is_told_so_in_the_group() {
    let world = world().await;
    let far = world.telegram.clone().unwrap();
    far.stranger(2);
    for command in ["/sheet use Project Plan", "/sheet status"] {
        far.say(far_telegram::GROUP, 2, command, None).await;
        settle(&world).await;
    }
    let seen: Vec<String> = far.messages().iter().filter(|m| m.chat == far_telegram::GROUP).map(far_telegram::Posted::seen).collect();
    assert!(seen.last().unwrap().contains("open a chat with me, press Start"), "{seen:?}");
    far.say(far_telegram::GROUP, 2, &format!("@{} edit", far_telegram::BOT_NAME), None).await;
    settle(&world).await;
    let seen: Vec<String> = far.messages().iter().filter(|m| m.chat == far_telegram::GROUP).map(far_telegram::Posted::seen).collect();
    assert!(seen.last().unwrap().contains("open a chat with me, press Start"), "a link of one's own needs that, too: {seen:?}");
    far.say(far_telegram::GROUP, 2, &format!("@{} how many tasks are blocked?", far_telegram::BOT_NAME), None).await;
    settle(&world).await;
    let seen: Vec<String> = far.messages().iter().filter(|m| m.chat == far_telegram::GROUP).map(far_telegram::Posted::seen).collect();
    assert!(seen.last().unwrap().contains("There are 2"), "what was asked for is done: {seen:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_slack_by_socket_mode() {
    let settings = vec![("SLACK_ALLOWED", format!("members,{}", sandbox::slack::TEAM))];
    let world = World::with(Setting { socket: true, settings, ..Setting::default() }).await.unwrap();
    world.slack.connected(2, 2).await.unwrap();
    let side = InSlack::begin(&world).await;
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_alone_with_the_bot_in_teams() {
    let world = world().await;
    let (side, far) = (InTeams::begin(&world, "a:lee").await, world.teams.clone().unwrap());
    story(world, &side).await;
    assert_eq!(far.open_streams(), 0, "nothing says for ever that the bot is at it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_group_of_teams() {
    let world = world().await;
    let side = InTeams::begin(&world, far_teams::GROUP).await;
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_channel_of_teams() {
    let world = world().await;
    let side = InTeams::begin(&world, far_teams::CHANNEL).await;
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_chat_of_telegram() {
    let world = world().await;
    let side = InTelegram::begin(&world, 1);
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_story_in_a_group_of_telegram() {
    let world = world().await;
    let side = InTelegram::begin(&world, far_telegram::GROUP);
    story(world, &side).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_the_slash_menu_in_teams_are_answered_alone_and_can_be_shared() {
    let world = world().await;
    let far = world.teams.clone().unwrap();
    let everybody = || far.messages().into_iter().filter(|m| m.from == far_teams::BOT && m.only_for.is_none()).collect::<Vec<_>>();
    for (place, before) in [(far_teams::CHANNEL, 0), (far_teams::GROUP, 4)] {
        for command in ["/use Project Plan", "/help", "/how many tasks are blocked?"] {
            assert_eq!(far.slash(place, "29:mia", command).await.statuses, [200]);
            settle(&world).await;
        }
        let alone = far.whispers(place, "29:mia");
        assert!(alone.len() == 1 && alone[0].contains("I answer questions about"), "{alone:?}");
        // Which sheet a place is about, and a question, are answered to everybody, where it can be gone on with.
        let told = everybody();
        let answer = told.last().unwrap();
        let chosen = if place == far_teams::CHANNEL { "start with Project Plan" } else { "This chat is now about Project Plan" };
        assert!(told.len() == before + 2 && answer.seen().contains("There are 2"), "{told:?}");
        assert!(told[before].seen().contains(chosen), "{told:?}");
        let thread = if place == far_teams::CHANNEL { far_teams::Teams::thread_of(&answer.id) } else { place.to_owned() };
        far.say(&thread, "29:lee", &format!("<at>{}</at> which of them are overdue?", far_teams::BOT_NAME)).await;
        settle(&world).await;
        let told = everybody().pop().unwrap();
        assert!(told.conversation == thread && told.seen().contains("row"), "{told:?}");
        far.press(place, "29:mia", "Share to channel").await;
        settle(&world).await;
        let told = everybody();
        assert!(told.len() == before + 4 && told.last().unwrap().seen().contains("I answer questions about"), "{told:?}");
    }
    assert!(!far.messages().iter().any(|m| m.conversation.starts_with("a:")), "nobody is written to in a chat of their own");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_installs_the_app_in_teams_is_greeted_with_their_sheets() {
    let world = world().await;
    let far = world.teams.clone().unwrap();
    let said = |conversation: &'static str| {
        let all = far.messages().into_iter().filter(move |m| m.conversation.starts_with(conversation) && m.from == far_teams::BOT);
        all.map(|m| m.seen()).collect::<Vec<_>>()
    };
    for conversation in [far_teams::CHANNEL, "a:lee"] {
        assert_eq!(far.install(conversation, "29:lee").await.statuses, [200]);
        assert_eq!(far.redeliver().await, 200);
    }
    settle(&world).await;
    let introduced = said(far_teams::CHANNEL);
    assert!(introduced.len() == 1 && introduced[0].starts_with("Lee Park added me."), "{introduced:?}");
    let greeting = said("a:lee").pop().unwrap();
    assert!(said("a:lee").len() == 1 && greeting.starts_with("Hello!") && greeting.contains("[Work on Clinical Trials]"), "{greeting}");
    far.press("a:lee", "29:lee", "Work on Clinical Trials").await;
    settle(&world).await;
    assert!(said("a:lee").pop().unwrap().contains("This chat is now about Clinical Trials"), "{:?}", said("a:lee"));
    far.press("a:lee", "29:lee", "What can you do?").await;
    settle(&world).await;
    assert!(said("a:lee").pop().unwrap().contains("I answer questions about"), "{:?}", said("a:lee"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_one_person_in_telegram_grow_as_drafts_where_there_are_any() {
    for rich in [true, false] {
        let words = "The plan is on time but for five tasks, which I list below with their owners. ".repeat(20);
        let telegram = Some(far_telegram::Options { rich, ..far_telegram::Options::default() });
        let model = Some(Mode::Script(vec![Reply::Grow(words.clone())]));
        let world = World::with(Setting { telegram, model, unbound: true, ..Setting::default() }).await.unwrap();
        let far = world.telegram.clone().unwrap();
        let says = |words: &'static str| move |far: &far_telegram::Telegram| far.messages().iter().any(|m| m.text.contains(words));
        far.say(1, 1, "use Project Plan", None).await;
        far.until(says("now about Project Plan")).await.unwrap();
        settle(&world).await;
        let before = far.messages().len();
        far.say(1, 1, "how are we doing?", None).await;
        far.until(says("with their owners")).await.unwrap();
        settle(&world).await;
        let said: Vec<_> = far.messages().drain(before + 1..).collect();
        assert_eq!(said.len(), 1, "one answer: {said:?}");
        assert_eq!(said[0].text.trim(), words.trim());
        assert!(far.draft(1).is_empty(), "the message took the place of its draft");
        let all: Vec<_> = far.calls().into_iter().filter(|(method, _)| method == "sendmessagedraft").collect();
        let drafts: Vec<_> = all.iter().map(|(_, body)| body["text"].as_str().unwrap()).skip_while(|t| !t.contains("looking at")).collect();
        if !rich {
            assert!(all.len() == 1 && said[0].edits >= 2, "{} drafts were tried, {} edits made", all.len(), said[0].edits);
        } else {
            assert!(drafts.len() >= 3 && said[0].edits == 0, "{drafts:?}");
            assert!(drafts[1..].windows(2).all(|two| two[1].len() > two[0].len()), "they grow: {drafts:?}");
        }
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_telegram_that_becomes_a_supergroup_goes_on_as_it_was() {
    let world = world().await;
    let far = world.telegram.clone().unwrap();
    let small = InTelegram::begin(&world, far_telegram::SMALL_GROUP);
    ask(&world, &small, "use Project Plan").await;
    ask(&world, &small, "set Status to Blocked for \"Page templates\"").await;
    small.press(Lee, "Confirm").await;
    settle(&world).await;
    assert_eq!(world.cell("Page templates", "Status"), "Blocked");
    far.upgrade(far_telegram::SMALL_GROUP, far_telegram::GROUP).await;
    settle(&world).await;
    let grown = InTelegram::begin(&world, far_telegram::GROUP);
    let answer = ask(&world, &grown, "how many tasks are blocked?").await;
    assert!(answer.contains("Project Plan"), "{answer}");
    let undone = ask(&world, &grown, "undo").await;
    assert_eq!(world.cell("Page templates", "Status"), "In Progress", "{undone}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "a stranger, not the bot")]
async fn garbage_is_refused_on_every_way_in_and_nothing_falls_over() {
    let world = world().await;
    let client = reqwest::Client::new();
    let deep = "[".repeat(20_000);
    let bodies: [&[u8]; 8] = [b"", b"null", b"[]", b"{", b"{}", deep.as_bytes(), b"\xff\xfe\x00", b"payload=%7B%7D"];
    for platform in ["slack", "teams", "discord", "telegram"] {
        for body in bodies {
            for headers in [
                vec![],
                vec![("x-telegram-bot-api-secret-token", far_telegram::SECRET)],
                vec![
                    ("authorization", "Bearer a.b.c"),
                    ("x-signature-ed25519", "00"),
                    ("x-signature-timestamp", "1"),
                    ("x-slack-signature", "v0=00"),
                ],
            ] {
                let mut request = client.post(format!("http://{}/api/webhooks/{platform}", world.app.address)).body(body.to_vec());
                let trusted = platform == "telegram" && headers.len() == 1;
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let status = request.send().await.unwrap().status().as_u16();
                assert_eq!(
                    status,
                    if trusted { 200 } else { 401 },
                    "{platform}: {:?}",
                    String::from_utf8_lossy(&body[..body.len().min(20)])
                );
            }
        }
    }
    assert_eq!(world.app.store.unfinished().await.unwrap(), 0);
    world.end().await;
}

/// Question, table, proposal, confirmation, job and undo as they go over the wire.
async fn conversation(world: &World, side: &dyn Side) -> Value {
    let mut wire = Vec::new();
    for (name, text) in [
        ("chosen", "use Project Plan"),
        ("question and table", "which tasks are overdue, and who owns them?"),
        ("proposal", "set Status to Blocked for \"Page templates\""),
        ("confirmed", "press Confirm"),
        ("undone", "press Undo"),
        ("chosen again", "use Clinical Trials"),
        ("proposal of a job", "summarize Protocol into AI Summary for the phase 3 trials that are recruiting"),
        ("job", "press Confirm"),
    ] {
        world.azure.pause(name == "job");
        match text.strip_prefix("press ") {
            Some(label) => side.press(Lee, label).await,
            None => side.say(Lee, text).await,
        }
        if name == "job" {
            side.until_last_says("so far").await;
            wire.push(json!({ "what": "running job", "wire": stable(side.wire().pop().unwrap_or_default()) }));
            world.azure.pause(false);
        }
        settle(world).await;
        wire.push(json!({ "what": name, "wire": stable(side.wire().pop().unwrap_or_default()) }));
    }
    wire.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_conversation_over_each_wire() {
    for platform in ["slack", "discord", "discord_channel", "teams", "teams_channel", "telegram", "telegram_group"] {
        let world = world().await;
        let side: Box<dyn Side> = match platform {
            "slack" => Box::new(InSlack::begin(&world).await),
            "discord" => Box::new(InDiscord::begin(&world, true)),
            "discord_channel" => Box::new(InDiscord::begin(&world, false)),
            "teams" => Box::new(InTeams::begin(&world, "a:lee").await),
            "teams_channel" => Box::new(InTeams::begin(&world, far_teams::CHANNEL).await),
            "telegram" => Box::new(InTelegram::begin(&world, 1)),
            _ => Box::new(InTelegram::begin(&world, far_telegram::GROUP)),
        };
        let wire = conversation(&world, side.as_ref()).await;
        insta::assert_json_snapshot!(side.name(), wire);
        world.end().await;
    }
}
