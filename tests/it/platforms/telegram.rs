//! Telegram, from the people's side.

use super::{Lee, Person, Side, World};
use async_trait::async_trait;
use sandbox::telegram;
use serde_json::Value;

/// A chat with the bot alone (`chat` is Lee's), or a group.
pub(super) struct InTelegram {
    far: telegram::Telegram,
    chat: i64,
}

impl InTelegram {
    pub(super) fn begin(world: &World, chat: i64) -> Self {
        Self { far: world.telegram.clone().unwrap(), chat }
    }

    fn user(who: Person) -> i64 {
        if who == Lee { 1 } else { 2 }
    }

    fn messages(&self) -> impl Iterator<Item = telegram::Posted> {
        self.far.messages().into_iter().filter(|m| m.from == telegram::BOT_ID)
    }
}

#[async_trait]
impl Side for InTelegram {
    fn name(&self) -> &'static str {
        if self.chat > 0 { "telegram" } else { "telegram_group" }
    }

    async fn say(&self, who: Person, text: &str) {
        let text = if self.chat > 0 { text.to_owned() } else { format!("@{} {text}", telegram::BOT_NAME) };
        assert_eq!(self.far.say(self.chat, Self::user(who), &text, None).await.statuses, [200]);
    }

    async fn press(&self, who: Person, label: &str) {
        assert_eq!(self.far.press(self.chat, Self::user(who), label).await.statuses, [200]);
    }

    fn seen(&self) -> Vec<String> {
        self.messages().filter(|m| m.chat == self.chat).map(|m| m.seen()).collect()
    }

    fn wire(&self) -> Vec<Value> {
        self.messages().filter(|m| m.chat == self.chat).map(|m| m.body).collect()
    }

    fn aside(&self, who: Person) -> Vec<String> {
        let alerts = self.far.answered().into_iter().map(|(_, words)| words).filter(|w| !w.is_empty());
        let direct = self.messages().filter(|m| m.chat == Self::user(who) && self.chat != m.chat).map(|m| m.seen());
        alerts.chain(direct).collect()
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
        let last = self.far.messages().into_iter().rfind(|m| m.from == 1).unwrap();
        for statuses in [
            self.far.echo().await.statuses,
            self.far.other_bot(self.chat, "status").await.statuses,
            self.far.rewrite(self.chat, last.id, "status").await.statuses,
            self.far.novelty().await.statuses,
        ] {
            assert_eq!(statuses, [200]);
        }
    }

    fn calls_somebody(&self) -> bool {
        self.messages().any(|m| !m.calls.is_empty() || m.body.to_string().contains("href=\\\"https://evil"))
    }

    async fn say_elsewhere(&self, text: &str) {
        // Another group; ids of chats are unique, only the person is the same.
        self.far.say(telegram::SMALL_GROUP, Self::user(Lee), &format!("@{} {text}", telegram::BOT_NAME), None).await;
    }

    fn seen_elsewhere(&self) -> Vec<String> {
        self.messages().filter(|m| m.chat == telegram::SMALL_GROUP).map(|m| m.seen()).collect()
    }

    async fn remove_bot(&self) {
        self.far.remove_bot(self.chat).await;
    }

    async fn invite_bot(&self) {
        self.far.invite_bot(self.chat).await;
    }

    async fn until_last_says(&self, words: &str) {
        self.far.until(|_| self.seen().last().is_some_and(|m| m.contains(words))).await.unwrap();
    }
}
