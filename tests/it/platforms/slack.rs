//! Slack, from the people's side.

use super::{Lee, Person, Side, World};
use async_trait::async_trait;
use sandbox::slack;
use serde_json::Value;

/// Without what depends on whether an answer was posted at once or grew.
fn steady(mut body: Value) -> Value {
    let same = ["channel", "thread_ts", "text", "blocks", "parse", "link_names"];
    body.as_object_mut().unwrap().retain(|field, _| same.contains(&field.as_str()));
    body
}

/// A thread of a channel.
pub(super) struct InSlack {
    far: slack::Slack,
    root: String,
}

impl InSlack {
    pub(super) async fn begin(world: &World) -> Self {
        let said = world.slack.say("C1", "U1", "let us look at the plan", None).await;
        Self { far: world.slack.clone(), root: said.ts }
    }

    fn user(who: Person) -> &'static str {
        if who == Lee { "U1" } else { "U2" }
    }

    fn messages(&self) -> impl Iterator<Item = slack::Posted> {
        self.far.messages().into_iter().filter(|m| m.user == slack::BOT_USER)
    }
}

#[async_trait]
impl Side for InSlack {
    fn name(&self) -> &'static str {
        "slack"
    }

    async fn say(&self, who: Person, text: &str) {
        let text = format!("<@{}> {}", slack::BOT_USER, text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
        assert_eq!(self.far.say("C1", Self::user(who), &text, Some(&self.root)).await.statuses, [200, 200]);
    }

    async fn press(&self, who: Person, label: &str) {
        assert_eq!(self.far.press("C1", Self::user(who), label).await.statuses, [200]);
    }

    fn seen(&self) -> Vec<String> {
        self.messages().filter(|m| m.only_for.is_none()).map(|m| m.seen()).collect()
    }

    fn wire(&self) -> Vec<Value> {
        self.messages().filter(|m| m.only_for.is_none()).map(|m| steady(m.body)).collect()
    }

    fn aside(&self, who: Person) -> Vec<String> {
        self.messages().filter(|m| m.only_for.as_deref() == Some(Self::user(who))).map(|m| m.seen()).collect()
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
        let answered = self.messages().filter(|m| m.user == Self::user(Lee)).last().map(|m| m.ts).unwrap_or_default();
        for statuses in [
            self.far.echo().await.statuses,
            self.far.other_bot("C1", "<@UBOT> status", &self.root).await.statuses,
            self.far.rewrite("C1", &answered, "<@UBOT> status").await.statuses,
            self.far.unsay("C1", "U1", "<@UBOT> status", &self.root).await.statuses,
            self.far.novelty().await.statuses,
        ] {
            assert!(statuses.iter().all(|s| *s == 200), "{statuses:?}");
        }
    }

    fn calls_somebody(&self) -> bool {
        let sent = self.far.calls().into_iter().filter(|(method, _)| method.starts_with("chat."));
        sent.map(|(_, body)| body.to_string()).any(|body| body.contains("<!") || body.contains("<@") || body.contains("<https://evil"))
    }

    async fn say_elsewhere(&self, text: &str) {
        let elsewhere = self.far.from_workspace(slack::Workspace::alone("T2"));
        elsewhere.say("C1", Self::user(Lee), &format!("<@{}> {text}", slack::BOT_USER), Some(&self.root)).await;
    }

    fn seen_elsewhere(&self) -> Vec<String> {
        self.seen()
    }

    async fn remove_bot(&self) {
        self.far.remove_bot("C1").await;
    }

    async fn invite_bot(&self) {
        // The bot is told of its own invitation by an event that it has not asked for.
    }

    async fn until_last_says(&self, words: &str) {
        self.far.until(|all| all.iter().rfind(|m| m.user == slack::BOT_USER).is_some_and(|m| m.seen().contains(words))).await.unwrap();
    }
}
