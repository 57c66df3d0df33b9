//! A crowd of people who use a platform at the same time: every other one alone with the bot, the others in channels and groups.

use crate::{discord, serve, slack, teams, telegram};
use anyhow::Context;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest that anything is waited for.
const LONGEST: Duration = Duration::from_secs(900);
/// Slack's people who are not alone share a few channels, each in a thread of their own.
const CHANNELS: usize = 3;

/// A platform, from the side of many people; person `n` has one conversation.
#[async_trait]
pub trait Crowd: Send + Sync {
    /// The platform's name.
    fn name(&self) -> &'static str;
    /// Person `n` says something to the bot.
    async fn say(&self, n: usize, text: &str);
    /// Person `n` presses the newest button with this label in their conversation.
    async fn press(&self, n: usize, label: &str);
    /// What person `n` sees of the bot.
    fn seen(&self, n: usize) -> Vec<String>;
    /// How many calls were refused because they came too fast.
    fn refused(&self) -> usize;
    /// Told after every change.
    fn changed(&self) -> &Notify;
}

/// Returns when person `n` sees something with these words.
///
/// # Errors
/// When that does not happen within a quarter of an hour; the error lists what they see.
pub async fn until(crowd: &dyn Crowd, n: usize, words: &str) -> anyhow::Result<()> {
    let fits = || crowd.seen(n).iter().any(|s| s.contains(words));
    let waited = serve::until_within(crowd.changed(), LONGEST, fits, || crowd.seen(n)).await;
    waited.with_context(|| format!("{}: person {n} waits for {words:?}", crowd.name()))
}

/// A question, a job, and its last word.
///
/// # Errors
/// When one of them does not come.
pub async fn converse(crowd: &dyn Crowd, n: usize) -> anyhow::Result<()> {
    crowd.say(n, "use Clinical Trials").await;
    until(crowd, n, "is now about").await?;
    crowd.say(n, "how many trials are recruiting?").await;
    until(crowd, n, "as of ").await?;
    crowd.say(n, &format!("summarize Protocol into Summary {n} of {} for the phase 3 trials that are recruiting", crowd.name())).await;
    until(crowd, n, "[Confirm]").await?;
    crowd.press(n, "Confirm").await;
    until(crowd, n, "6 rows written").await
}

/// Whether person `n` is alone with the bot.
fn alone(n: usize) -> bool {
    n.is_multiple_of(2)
}

/// The threads that people have opened, by person.
#[derive(Default)]
struct Threads<T>(Mutex<HashMap<usize, T>>);

impl<T: Clone> Threads<T> {
    fn of(&self, n: usize) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&n).cloned()
    }

    fn opened(&self, n: usize, thread: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(n, thread);
    }
}

/// Slack: direct messages, and threads of a few channels.
pub struct InSlack {
    far: slack::Slack,
    threads: Threads<String>,
}

impl InSlack {
    /// The people of a workspace.
    pub fn new(far: slack::Slack) -> Self {
        Self { far, threads: Threads::default() }
    }

    fn channel(n: usize) -> String {
        if alone(n) { format!("D{n}") } else { format!("C{}", n % CHANNELS + 1) }
    }

    fn is_in(&self, n: usize, message: &slack::Posted) -> bool {
        message.channel == Self::channel(n) && (alone(n) || message.thread_ts == self.threads.of(n))
    }
}

#[async_trait]
impl Crowd for InSlack {
    fn name(&self) -> &'static str {
        "Slack"
    }

    async fn say(&self, n: usize, text: &str) {
        let (channel, user) = (Self::channel(n), format!("U{n}"));
        if alone(n) {
            self.far.say(&channel, &user, text, None).await;
            return;
        }
        let thread = match self.threads.of(n) {
            Some(thread) => thread,
            None => self.far.say(&channel, &user, "let us look at the trials", None).await.ts,
        };
        self.threads.opened(n, thread.clone());
        self.far.say(&channel, &user, &format!("<@{}> {text}", slack::BOT_USER), Some(&thread)).await;
    }

    async fn press(&self, n: usize, label: &str) {
        self.far.press_where(|m| self.is_in(n, m), &format!("U{n}"), label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        self.far.messages().iter().filter(|m| self.is_in(n, m) && m.user == slack::BOT_USER).map(slack::Posted::seen).collect()
    }

    fn refused(&self) -> usize {
        self.far.refused_for_rate()
    }

    fn changed(&self) -> &Notify {
        self.far.changed()
    }
}

/// Teams: personal chats, and threads of a channel.
pub struct InTeams {
    far: teams::Teams,
    threads: Threads<String>,
}

impl InTeams {
    /// The people of a tenant.
    pub fn new(far: teams::Teams) -> Self {
        Self { far, threads: Threads::default() }
    }

    fn conversation(&self, n: usize) -> String {
        if alone(n) { format!("a:{n}") } else { self.threads.of(n).unwrap_or_else(|| teams::CHANNEL.to_owned()) }
    }
}

#[async_trait]
impl Crowd for InTeams {
    fn name(&self) -> &'static str {
        "Teams"
    }

    async fn say(&self, n: usize, text: &str) {
        let (conversation, text) = (self.conversation(n), if alone(n) { text.to_owned() } else { format!("<at>ChatSheet</at> {text}") });
        let said = self.far.say(&conversation, &format!("29:{n}"), &text).await;
        if conversation == teams::CHANNEL {
            self.threads.opened(n, teams::Teams::thread_of(&said.id));
        }
    }

    async fn press(&self, n: usize, label: &str) {
        self.far.press(&self.conversation(n), &format!("29:{n}"), label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let conversation = self.conversation(n);
        self.far.messages().iter().filter(|m| m.conversation == conversation && m.from == teams::BOT).map(teams::Posted::seen).collect()
    }

    fn refused(&self) -> usize {
        self.far.refused_for_rate()
    }

    fn changed(&self) -> &Notify {
        self.far.changed()
    }
}

/// Discord: direct messages, and threads that the bot opens below mentions in a channel.
pub struct InDiscord {
    far: discord::Discord,
    threads: Threads<u64>,
}

impl InDiscord {
    /// The people of a server; there are fewer than a hundred.
    pub fn new(far: discord::Discord) -> Self {
        Self { far, threads: Threads::default() }
    }

    fn channel(&self, n: usize) -> u64 {
        if alone(n) { discord::direct_channel(n as u64) } else { self.threads.of(n).unwrap_or(discord::CHANNEL) }
    }
}

#[async_trait]
impl Crowd for InDiscord {
    fn name(&self) -> &'static str {
        "Discord"
    }

    async fn say(&self, n: usize, text: &str) {
        let (channel, text) = (self.channel(n), if alone(n) { text.to_owned() } else { format!("<@{}> {text}", discord::APPLICATION) });
        let said = self.far.say(channel, n as u64, &text).await;
        if channel == discord::CHANNEL {
            self.threads.opened(n, said.id);
        }
    }

    async fn press(&self, n: usize, label: &str) {
        self.far.press(self.channel(n), n as u64, label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let channel = self.channel(n);
        self.far.messages().iter().filter(|m| m.channel == channel && m.from == discord::APPLICATION).map(discord::Posted::seen).collect()
    }

    fn refused(&self) -> usize {
        self.far.refused_for_rate()
    }

    fn changed(&self) -> &Notify {
        self.far.changed()
    }
}

/// Telegram: private chats, and groups.
pub struct InTelegram {
    far: telegram::Telegram,
}

impl InTelegram {
    /// The people of Telegram.
    pub fn new(far: telegram::Telegram) -> Self {
        Self { far }
    }

    fn chat(n: usize) -> i64 {
        if alone(n) { n as i64 } else { telegram::FORUM - 1 - n as i64 }
    }
}

#[async_trait]
impl Crowd for InTelegram {
    fn name(&self) -> &'static str {
        "Telegram"
    }

    async fn say(&self, n: usize, text: &str) {
        let text = if alone(n) { text.to_owned() } else { format!("@{} {text}", telegram::BOT_NAME) };
        self.far.say(Self::chat(n), n as i64, &text, None).await;
    }

    async fn press(&self, n: usize, label: &str) {
        self.far.press(Self::chat(n), n as i64, label).await;
    }

    fn seen(&self, n: usize) -> Vec<String> {
        let chat = Self::chat(n);
        self.far.messages().iter().filter(|m| m.chat == chat && m.from == telegram::BOT_ID).map(telegram::Posted::seen).collect()
    }

    fn refused(&self) -> usize {
        self.far.refused_for_rate()
    }

    fn changed(&self) -> &Notify {
        self.far.changed()
    }
}
