//! Microsoft Teams, from the people's side.

use super::{Lee, Mia, Person, Side, World};
use async_trait::async_trait;
use sandbox::teams;
use serde_json::Value;

/// A conversation of Teams: a thread of a channel, a group, or Lee alone with the bot.
pub(super) struct InTeams {
    far: teams::Teams,
    conversation: String,
}

impl InTeams {
    pub(super) async fn begin(world: &World, conversation: &str) -> Self {
        let far = world.teams.clone().unwrap();
        let conversation = if conversation == teams::CHANNEL {
            teams::Teams::thread_of(&far.say(conversation, "29:lee", "let us look at the plan").await.id)
        } else {
            conversation.to_owned()
        };
        Self { far, conversation }
    }

    fn user(who: Person) -> &'static str {
        if who == Lee { "29:lee" } else { "29:mia" }
    }

    fn messages(&self) -> impl Iterator<Item = teams::Posted> {
        self.far.messages().into_iter().filter(|m| m.from == teams::BOT && m.only_for.is_none())
    }
}

#[async_trait]
impl Side for InTeams {
    fn name(&self) -> &'static str {
        if self.conversation.starts_with("a:") { "teams" } else { "teams_channel" }
    }

    async fn say(&self, who: Person, text: &str) {
        let text = format!("<at>{}</at> {}", teams::BOT_NAME, text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        assert_eq!(self.far.say(&self.conversation, Self::user(who), &text).await.statuses, [200]);
    }

    async fn press(&self, who: Person, label: &str) {
        let pressed = self.far.press(&self.conversation, Self::user(who), label).await;
        assert_eq!(pressed.statuses, [200]);
        if who == Mia {
            assert!(pressed.body["value"].to_string().contains("Only the person who asked"), "{}", pressed.body);
        }
    }

    fn seen(&self) -> Vec<String> {
        self.messages().filter(|m| m.conversation == self.conversation).map(|m| m.seen()).collect()
    }

    fn wire(&self) -> Vec<Value> {
        self.messages().filter(|m| m.conversation == self.conversation).map(|m| m.activity).collect()
    }

    fn aside(&self, _who: Person) -> Vec<String> {
        vec!["Only the person who asked".into()]
    }

    async fn again(&self) {
        assert_eq!(self.far.redeliver().await, 200);
    }

    async fn reordered(&self, first: &str, second: &str) {
        self.far.hold();
        self.say(Lee, first).await;
        self.say(Lee, second).await;
        self.far.release_reversed().await;
    }

    async fn noise(&self) {
        for statuses in [
            self.far.echo().await.statuses,
            self.far.other_bot(&self.conversation, "status").await.statuses,
            self.far.happen("messageUpdate", &self.conversation).await.statuses,
            self.far.happen("messageDelete", &self.conversation).await.statuses,
            self.far.happen("novelty", &self.conversation).await.statuses,
        ] {
            assert_eq!(statuses, [200]);
        }
    }

    fn calls_somebody(&self) -> bool {
        let mentions = |m: &teams::Posted| m.activity["entities"].as_array().is_some_and(|all| all.iter().any(|e| e["type"] == "mention"));
        self.messages().any(|m| mentions(&m) || m.activity.to_string().contains("\"url\":\"https://evil"))
    }

    async fn say_elsewhere(&self, text: &str) {
        let text = format!("<at>{}</at> {text}", teams::BOT_NAME);
        let said = self.far.say_in_tenant("another-tenant", &self.conversation, Self::user(Lee), &text).await;
        assert_eq!(said.statuses, [200]);
    }

    fn seen_elsewhere(&self) -> Vec<String> {
        self.seen()
    }

    async fn remove_bot(&self) {
        self.far.remove_bot(&self.conversation).await;
    }

    async fn invite_bot(&self) {
        self.far.invite_bot(&self.conversation).await;
    }

    async fn until_last_says(&self, words: &str) {
        self.far.until(|_| self.seen().last().is_some_and(|m| m.contains(words))).await.unwrap();
    }
}
