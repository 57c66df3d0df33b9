//! What one person alone is told: its buttons work where they asked, on every platform.

use crate::platforms::{settle, world};
use crate::world::World;
use async_trait::async_trait;
use chat::Anchor;
use chatsheet::store::Asker;
use sandbox::{discord, slack, teams, telegram};
use serde_json::json;

/// A channel or group of a platform, where Lee uses commands.
#[async_trait]
trait Place: Send + Sync {
    async fn command(&self, text: &str);
    /// Presses a button of what is shown to Lee alone.
    async fn press(&self, label: &str);
    /// What is shown to Lee alone, oldest first.
    fn alone(&self) -> Vec<String>;
    /// What everybody sees of the bot, oldest first.
    fn everybody(&self) -> Vec<String>;
}

struct Slack(slack::Slack);
struct Discord(discord::Discord);
struct Teams(teams::Teams, &'static str);
struct Telegram(telegram::Telegram);

#[async_trait]
impl Place for Slack {
    async fn command(&self, text: &str) {
        assert_eq!(self.0.slash("C1", "U1", text).await.statuses, [200]);
    }
    async fn press(&self, label: &str) {
        assert_eq!(self.0.press("C1", "U1", label).await.statuses, [200]);
    }
    fn alone(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.only_for.as_deref() == Some("U1")).map(slack::Posted::seen).collect()
    }
    fn everybody(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.only_for.is_none() && m.channel == "C1").map(slack::Posted::seen).collect()
    }
}

#[async_trait]
impl Place for Discord {
    async fn command(&self, text: &str) {
        let before = self.0.messages().len();
        assert_eq!(self.0.slash(discord::CHANNEL, 1, text).await.status, 200);
        // The gateway tells nobody when it has been heard: the answer begins.
        self.0.until(|far| far.messages().len() > before).await.unwrap();
    }
    async fn press(&self, label: &str) {
        let before = self.0.messages().len();
        assert_eq!(self.0.press(discord::CHANNEL, 1, label).await.status, 200);
        self.0.until(|far| far.messages().len() > before).await.unwrap();
    }
    fn alone(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.only_for == Some(1)).map(discord::Posted::seen).collect()
    }
    fn everybody(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.only_for.is_none()).map(discord::Posted::seen).collect()
    }
}

#[async_trait]
impl Place for Teams {
    async fn command(&self, text: &str) {
        assert_eq!(self.0.slash(self.1, "29:lee", &format!("/{text}")).await.statuses, [200]);
    }
    async fn press(&self, label: &str) {
        let pressed = self.0.press(self.1, "29:lee", label).await;
        assert_eq!(pressed.statuses, [200]);
        let answer = pressed.body["value"].to_string();
        assert!(!answer.contains("I am at it"), "nobody waits for more than there is: {answer}");
    }
    fn alone(&self) -> Vec<String> {
        self.0.whispers(self.1, "29:lee")
    }
    fn everybody(&self) -> Vec<String> {
        let all = self.0.messages().into_iter().filter(|m| m.conversation.starts_with(self.1) && m.only_for.is_none());
        all.map(|m| m.seen()).collect()
    }
}

#[async_trait]
impl Place for Telegram {
    async fn command(&self, text: &str) {
        self.0.say(telegram::GROUP, 1, &format!("/sheet {text}"), None).await;
    }
    async fn press(&self, label: &str) {
        assert_eq!(self.0.press(1, 1, label).await.statuses, [200]);
    }
    fn alone(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.chat == 1).map(telegram::Posted::seen).collect()
    }
    fn everybody(&self) -> Vec<String> {
        self.0.messages().iter().filter(|m| m.chat == telegram::GROUP && m.from == telegram::BOT_ID).map(telegram::Posted::seen).collect()
    }
}

/// Lee asks without a sheet, chooses one in what only Lee sees, and is answered where they asked.
async fn chosen_alone(world: &World, place: &dyn Place) {
    place.command("how many tasks are blocked?").await;
    settle(world).await;
    let asked = place.alone().pop().unwrap();
    assert!(asked.contains("[Project Plan]") && asked.contains("as soon as you choose"), "{asked}");
    place.press("Project Plan").await;
    settle(world).await;
    // What a place is about concerns everybody there.
    let answered = place.everybody();
    assert!(answered.iter().any(|m| m.contains("Project Plan (42 rows). Chosen by")), "{answered:?}");
    assert!(answered.last().is_some_and(|m| m.contains("There are 2")), "the question is not lost: {answered:?}");
    // The choice is that of the place, from then on.
    place.command("status").await;
    settle(world).await;
    assert!(place.alone().pop().unwrap().contains("Project Plan"), "{:?}", place.alone());
    place.command("sheets").await;
    settle(world).await;
    place.press("Clinical Trials").await;
    settle(world).await;
    assert!(place.everybody().pop().unwrap().contains("Clinical Trials (60 rows). Chosen by"), "{:?}", place.everybody());
    place.command("status").await;
    settle(world).await;
    // Everybody is shown what stood there.
    let before = place.everybody().len();
    place.press("Share to channel").await;
    settle(world).await;
    let shared = place.everybody();
    assert!(shared.len() == before + 1 && shared.last().unwrap().contains("Clinical Trials"), "{shared:?}");
    let told = [place.alone(), place.everybody()].concat();
    assert!(!told.iter().any(|m| m.contains("went wrong")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_is_chosen_alone_is_that_of_the_place_in_slack() {
    let world = world().await;
    chosen_alone(&world, &Slack(world.slack.clone())).await;
    // What was shared goes on working for its person.
    let (place, alone) = (Slack(world.slack.clone()), |m: &slack::Posted| m.only_for.is_some());
    place.command("sheets").await;
    settle(&world).await;
    for (label, words) in [("Share to channel", "Risk Register"), ("Risk Register", "start with Risk Register")] {
        world.slack.press_where(alone, "U1", label).await;
        settle(&world).await;
        assert!(place.everybody().iter().any(|m| m.contains(words)), "{:?}", place.everybody());
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_is_chosen_alone_is_that_of_the_place_in_discord() {
    let world = world().await;
    chosen_alone(&world, &Discord(world.discord.clone().unwrap())).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_is_chosen_alone_is_that_of_the_place_in_teams() {
    for place in [teams::CHANNEL, teams::GROUP] {
        let world = world().await;
        chosen_alone(&world, &Teams(world.teams.clone().unwrap(), place)).await;
        world.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sheet_that_is_chosen_alone_is_that_of_the_place_in_telegram() {
    let world = world().await;
    chosen_alone(&world, &Telegram(world.telegram.clone().unwrap())).await;
    world.end().await;
}

/// What a process told somebody alone before it died is not told again by whoever serves the event next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_alone_is_not_told_again() {
    let world = World::start().await;
    let (store, lee, anchor) = (&world.app.store, Asker { id: "U1".into(), install: "slack|T1".into() }, Anchor("{}".into()));
    let (first, second) = (json!({ "text": "first" }), json!({ "text": "second" }));
    assert!(!store.keep_whisper(77, &lee, &anchor, &first, 1_000).await.unwrap(), "nothing was told yet");
    assert!(!store.keep_whisper(77, &lee, &anchor, &first, 1_000).await.unwrap(), "it was kept, and not told");
    store.whispered(77).await.unwrap();
    assert!(store.keep_whisper(77, &lee, &anchor, &second, 1_000).await.unwrap(), "it was told: not again");
    let (_, shared) = store.take_whisper(77, &lee).await.unwrap().unwrap();
    assert_eq!(shared["text"], "first", "what was told is what can be shared");
    assert!(store.take_whisper(77, &lee).await.unwrap().is_none(), "once");
    world.end().await;
}
