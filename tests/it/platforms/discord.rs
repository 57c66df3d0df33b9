//! Discord, from the people's side.

use super::{Lee, Person, Side, World};
use async_trait::async_trait;
use sandbox::discord;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// A direct message of Lee's in Discord (`thread` is none), or a thread of a channel.
pub(super) struct InDiscord {
    far: discord::Discord,
    thread: Option<u64>,
    /// Where the next message goes: the channel, as long as there is no thread.
    at: AtomicU64,
}

impl InDiscord {
    pub(super) fn begin(world: &World, direct: bool) -> Self {
        let at = if direct { 901 } else { discord::CHANNEL };
        Self { far: world.discord.clone().unwrap(), thread: (!direct).then_some(0), at: at.into() }
    }

    fn user(who: Person) -> u64 {
        if who == Lee { 1 } else { 2 }
    }

    fn messages(&self) -> impl Iterator<Item = discord::Posted> {
        let at = self.at.load(Ordering::SeqCst);
        self.far.messages().into_iter().filter(move |m| m.from == discord::APPLICATION && m.channel == at)
    }

    /// Something that comes to nothing: told by what somebody else says later, and what they are answered.
    async fn taken(&self) {
        let answers = |far: &discord::Discord| far.messages().iter().filter(|m| m.channel == 903 && m.from == discord::APPLICATION).count();
        let before = answers(&self.far);
        self.far.say(903, 3, "help").await;
        self.far.until(|far| answers(far) > before).await.unwrap();
    }
}

#[async_trait]
impl Side for InDiscord {
    fn name(&self) -> &'static str {
        if self.thread.is_none() { "discord" } else { "discord_channel" }
    }

    async fn say(&self, who: Person, text: &str) {
        let at = self.at.load(Ordering::SeqCst);
        let before = self.messages().count();
        let said = self.far.say(at, Self::user(who), &format!("<@{}> {text}", discord::APPLICATION)).await;
        if at == discord::CHANNEL {
            // The first mention opens a thread; the talk goes on in it.
            self.far.until(|far| far.threads().contains_key(&said.id)).await.unwrap();
            self.at.store(said.id, Ordering::SeqCst);
        }
        // The gateway tells nobody when it has been heard: the answer begins.
        self.far.until(|_| self.messages().count() > before).await.unwrap();
    }

    async fn press(&self, who: Person, label: &str) {
        let shown =
            |far: &discord::Discord| far.calls().iter().filter(|(what, _)| what == "edit" || what == "interaction followed up").count();
        let before = shown(&self.far);
        assert_eq!(self.far.press(self.at.load(Ordering::SeqCst), Self::user(who), label).await.answer, Some(6));
        self.far.until(|far| shown(far) > before).await.unwrap();
    }

    fn seen(&self) -> Vec<String> {
        self.messages().filter(|m| m.only_for.is_none()).map(|m| m.seen()).collect()
    }

    fn wire(&self) -> Vec<Value> {
        self.messages().filter(|m| m.only_for.is_none()).map(|m| m.body).collect()
    }

    fn aside(&self, who: Person) -> Vec<String> {
        self.messages().filter(|m| m.only_for == Some(Self::user(who))).map(|m| m.seen()).collect()
    }

    async fn again(&self) {
        self.far.redeliver().await;
    }

    async fn reordered(&self, first: &str, second: &str) {
        let (at, before) = (self.at.load(Ordering::SeqCst), self.messages().count());
        self.far.hold();
        for text in [first, second] {
            self.far.say(at, 1, &format!("<@{}> {text}", discord::APPLICATION)).await;
        }
        self.far.release_reversed();
        self.far.until(|_| self.messages().count() > before).await.unwrap();
    }

    async fn noise(&self) {
        self.far.echo().await;
        self.far.noise(self.at.load(Ordering::SeqCst)).await;
        self.taken().await;
    }

    fn calls_somebody(&self) -> bool {
        let quiet = |m: &discord::Posted| m.body["allowed_mentions"] == json!({ "parse": [] });
        self.messages().any(|m| !quiet(&m) || m.body["content"].as_str().is_some_and(|c| c.contains("](<https://evil")))
    }

    async fn say_elsewhere(&self, text: &str) {
        let before = self.seen_elsewhere().len();
        self.far.say(discord::OTHER_CHANNEL, Self::user(Lee), &format!("<@{}> {text}", discord::APPLICATION)).await;
        self.far.until(|_| self.seen_elsewhere().len() > before).await.unwrap();
    }

    fn seen_elsewhere(&self) -> Vec<String> {
        // Ids are unique among servers; only the person is the same. Each mention in the channel opens a thread.
        let threads = self.far.threads();
        let there = |m: &discord::Posted| m.from == discord::APPLICATION && threads.get(&m.channel) == Some(&discord::OTHER_CHANNEL);
        self.far.messages().iter().filter(|m| there(m)).map(discord::Posted::seen).collect()
    }

    async fn remove_bot(&self) {
        self.far.remove_bot().await;
        self.taken().await;
    }

    async fn invite_bot(&self) {
        self.far.invite_bot();
    }

    async fn until_last_says(&self, words: &str) {
        self.far.until(|_| self.seen().last().is_some_and(|m| m.contains(words))).await.unwrap();
    }
}
