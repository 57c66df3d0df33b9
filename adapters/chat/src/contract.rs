//! The contract that every adapter passes against its stand-in: give it a rig, it tells the stories.
#![expect(clippy::expect_used, reason = "the suite fails by panicking, naming the broken clause")]

use crate::{
    Accepted, Anchor, Beside, Block, Button, ButtonStyle, Chat, Column, Inbox, InboxError, Incoming, Markdown, Message, Standing, What,
};
use crate::{Align, ChatError, TableBlock, TableCell, insist};
use async_trait::async_trait;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// An inbox that only remembers, for adapters that are tested on their own.
#[derive(Default)]
pub struct Remembering {
    seen: Mutex<HashSet<String>>,
    events: Mutex<Vec<Incoming>>,
    refuses: AtomicUsize,
    came: Notify,
}

impl Remembering {
    /// Returns when there is something to take, for platforms that tell nobody when an event was taken.
    pub async fn wait(&self) {
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            loop {
                let came = self.came.notified();
                if !self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty() {
                    return;
                }
                came.await;
            }
        });
        waited.await.expect("an event comes in");
    }

    /// The next events cannot be stored.
    pub fn refuse(&self, times: usize) {
        self.refuses.store(times, Ordering::SeqCst);
    }

    /// What was accepted since the last call, oldest first.
    pub fn take(&self) -> Vec<Incoming> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

#[async_trait]
impl Inbox for Remembering {
    async fn accept(&self, event: Incoming) -> Result<Accepted, InboxError> {
        if self.refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(InboxError("refused on demand".into()));
        }
        if !self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(event.dedupe_key()) {
            return Ok(Accepted::Duplicate);
        }
        self.events.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
        self.came.notify_one();
        Ok(Accepted::New)
    }
}

/// An inbox whose disk is slow once, and that works all the same.
pub struct Slow {
    inner: Arc<Remembering>,
    by: Mutex<Option<Duration>>,
}

impl Slow {
    /// The next event is stored so much later, whether or not anybody waits for it.
    pub fn once(inner: Arc<Remembering>, by: Duration) -> Self {
        Self { inner, by: Mutex::new(Some(by)) }
    }
}

#[async_trait]
impl Inbox for Slow {
    async fn accept(&self, event: Incoming) -> Result<Accepted, InboxError> {
        let inner = self.inner.clone();
        let by = self.by.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let stored = tokio::spawn(async move {
            if let Some(by) = by {
                tokio::time::sleep(by).await;
            }
            inner.accept(event).await
        });
        stored.await.map_err(|e| InboxError(Box::new(e)))?
    }
}

/// What an adapter's test brings: ways to make its stand-in do what people do, and to look at what
/// people would see.
#[async_trait]
pub trait Rig: Send + Sync {
    /// The adapter under test.
    fn chat(&self) -> &dyn Chat;
    /// The inbox it feeds.
    fn inbox(&self) -> &Remembering;
    /// Somebody mentions the bot in a fresh place; returns when the adapter has answered the platform.
    async fn mention(&self, text: &str);
    /// Somebody writes under the last mention, without a mention.
    async fn follow_up(&self, text: &str);
    /// The platform delivers the last event again.
    async fn redeliver(&self);
    /// The bot's own last message comes in as an event.
    async fn echo_own_message(&self);
    /// A request with a wrong signature comes in; returns whether it was refused.
    async fn forged(&self) -> bool;
    /// Somebody presses the button with this label on the last message of the bot.
    async fn press(&self, label: &str);
    /// The texts that people see in the thread of the last mention, oldest first.
    async fn visible(&self) -> Vec<String>;
    /// Somebody who does not belong to the place mentions the bot; `false` where everybody does.
    async fn stranger(&self, _text: &str) -> bool {
        false
    }
    /// Somebody says this to the bot beside words of somebody else, which they answer or share; `false` where there are none.
    async fn beside(&self, _quoted: &str, _text: &str) -> bool {
        false
    }
    /// Somebody writes under the last mention, to somebody else; returns when the bot would have heard it. `false` where there is
    /// nobody else.
    async fn to_somebody_else(&self) -> bool {
        false
    }
    /// From now on the stand-in refuses rich markup (blocks, cards, entities).
    async fn refuse_markup(&self);
    /// The stand-in serves `skip` calls well, and then one that asks for patience, or whose answer is `lost` after it was
    /// carried out. A platform without a network has no such calls.
    fn stumble(&self, skip: usize, lost: bool) {
        let _ = (skip, lost);
    }
}

/// Runs all stories. Panics, naming the broken clause.
pub async fn run(rig: &dyn Rig) {
    who_speaks_and_what_they_said_is_told(rig).await;
    let anchor = keys_are_stable_and_duplicates_accepted_once(rig).await;
    own_messages_and_forgeries_are_ignored(rig, &anchor).await;
    replies_stay_in_the_thread_and_edits_replace(rig, &anchor).await;
    answers_grow_into_one_message(rig, &anchor).await;
    long_text_is_split_and_complete(rig, &anchor).await;
    parts_stand_once_whatever_happens_to_one(rig, &anchor).await;
    last_words_stand_once_whatever_happens_on_the_way(rig, &anchor).await;
    tables_are_shown(rig, &anchor).await;
    buttons_round_trip(rig, &anchor).await;
    rejected_markup_falls_back_to_text(rig, &anchor).await;
}

fn one(rig: &dyn Rig) -> Incoming {
    let mut events = rig.inbox().take();
    assert_eq!(events.len(), 1, "exactly one event is accepted: {events:?}");
    events.remove(0)
}

async fn who_speaks_and_what_they_said_is_told(rig: &dyn Rig) {
    rig.mention(", help").await;
    let known = one(rig);
    assert!(
        matches!(&known.what, What::Text { text } if text.trim_matches([',', ' ']) == "help"),
        "words stand behind the mention: {:?}",
        known.what
    );
    if rig.to_somebody_else().await {
        assert!(rig.inbox().take().is_empty(), "what is said to somebody else is not for the bot");
    }
    if rig.stranger("which tasks are overdue?").await {
        let stranger = one(rig);
        let outside = matches!(stranger.sender.standing, Standing::Guest | Standing::External) || stranger.sender.home.is_some();
        let elsewhere = (&stranger.thread.install, &stranger.thread.conversation) != (&known.thread.install, &known.thread.conversation);
        assert!(stranger.sender.id != known.sender.id && (outside || elsewhere), "whoever does not belong there can be told: {stranger:?}");
    }
    if rig.beside("the AC is broken", "add this").await {
        let said = one(rig);
        assert_eq!(said.what, What::Text { text: "add this".into() }, "the words are those of whoever speaks");
        let quoted =
            said.beside.iter().any(|b| matches!(b, Beside::Answered(q) | Beside::Forwarded(q) if q.text.contains("the AC is broken")));
        assert!(quoted, "what they answer or share stands beside: {:?}", said.beside);
    }
}

async fn keys_are_stable_and_duplicates_accepted_once(rig: &dyn Rig) -> Anchor {
    rig.mention("which tasks are overdue?").await;
    let first = one(rig);
    assert_eq!(first.what, What::Text { text: "which tasks are overdue?".into() }, "the mention is removed");
    rig.redeliver().await;
    assert!(rig.inbox().take().is_empty(), "a redelivered event is not accepted again");
    rig.follow_up("and who owns them?").await;
    let second = one(rig);
    assert_eq!(first.thread, second.thread, "a follow-up has the thread key of the mention");
    assert_ne!(first.dedupe_id, second.dedupe_id, "different messages are different events");
    for event in [&first, &second] {
        assert_eq!(rig.chat().thread_of(&event.anchor).as_ref(), Some(&event.thread), "an anchor tells its thread");
    }
    second.anchor
}

async fn own_messages_and_forgeries_are_ignored(rig: &dyn Rig, anchor: &Anchor) {
    rig.chat().post(anchor, &Message::text("hello")).await.expect("a plain message goes out");
    rig.echo_own_message().await;
    assert!(rig.inbox().take().is_empty(), "the bot does not hear itself");
    assert!(rig.forged().await, "a forged request is refused");
    assert!(rig.inbox().take().is_empty(), "a forged request is not accepted");
}

async fn replies_stay_in_the_thread_and_edits_replace(rig: &dyn Rig, anchor: &Anchor) {
    let before = rig.visible().await.len();
    let at = rig.chat().post(anchor, &Message::text("working").partial()).await.expect("a partial message goes out");
    rig.chat().edit(&at, &Message::text("done **now**")).await.expect("an edit goes out");
    rig.chat().edit(&at, &Message::text("done **now**")).await.expect("an edit may be repeated");
    let seen = rig.visible().await;
    assert_eq!(seen.len(), before + 1, "an edit adds no message: {seen:?}");
    assert!(seen[before].contains("done"), "the edit is seen in the thread: {seen:?}");
}

async fn answers_grow_into_one_message(rig: &dyn Rig, anchor: &Anchor) {
    let before = rig.visible().await.len();
    rig.chat().status(anchor, "looking at the plan").await;
    assert_eq!(rig.visible().await.len(), before, "a status is no message");
    let drafted = rig.chat().draft(anchor, &Message::text("the plan").partial()).await.expect("a draft is shown or not");
    assert_eq!(rig.visible().await.len(), before, "a draft is no message");
    if drafted {
        rig.chat().post(anchor, &Message::text("the plan is late")).await.expect("a message takes the place of its draft");
        assert_eq!(rig.visible().await.len(), before + 1, "it is one message");
    }
    let before = rig.visible().await.len();
    let at = rig.chat().post_growing(anchor, "U1", &Message::text("the plan is").partial()).await.expect("first words go out");
    for words in ["the plan is on time but for", "the plan is on time but for five tasks and"] {
        rig.chat().edit(&at, &Message::text(words).partial()).await.expect("more words go out");
    }
    rig.chat().edit(&at, &Message::text("the plan is on time")).await.expect("the last words go out");
    let seen = rig.visible().await;
    assert_eq!(seen.len(), before + 1, "all of it is one message: {seen:?}");
    assert!(seen[before].contains("on time") && !seen[before].contains("five tasks"), "the last words stand there: {seen:?}");
}

async fn long_text_is_split_and_complete(rig: &dyn Rig, anchor: &Anchor) {
    let before = rig.visible().await.len();
    rig.chat().post(anchor, &Message::text(&long_text())).await.expect("long text goes out");
    assert_eq!(rig.visible().await[before..].join(" ").split_whitespace().collect::<Vec<_>>().join(" "), long_text());
    an_edit_may_end_long(rig, anchor).await;
}

fn long_text() -> String {
    text_of(9_000)
}

fn text_of(words: usize) -> String {
    (0..words).map(|i| format!("word{i}")).collect::<Vec<_>>().join(" ")
}

/// Answers grow by edits, and may end longer than one message: every word is there, in the same thread, and none stick together.
async fn an_edit_may_end_long(rig: &dyn Rig, anchor: &Anchor) {
    let before = rig.visible().await.len();
    let at = rig.chat().post(anchor, &Message::text("It grows")).await.expect("it begins");
    rig.chat().edit(&at, &Message::text(&long_text())).await.expect("it ends long");
    // A terminal shows what was there before, too.
    let seen = rig.visible().await[before..].join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(seen.ends_with(&long_text()), "{} of {} characters: {}", seen.len(), long_text().len(), &seen[..40]);
}

/// Words that no platform takes in one message.
const VERY_LONG: usize = 20_000;

/// A part that is asked to wait comes later, one whose answer is lost is not sent again, and neither makes the parts before it come twice.
async fn parts_stand_once_whatever_happens_to_one(rig: &dyn Rig, anchor: &Anchor) {
    for (lost, edited) in [(false, false), (true, false), (false, true), (true, true)] {
        // The connection that broke may be found out only by the next call.
        let begun = match rig.chat().post(anchor, &Message::text("It grows")).await {
            Err(ChatError::MayHaveLanded(_)) => rig.chat().post(anchor, &Message::text("It grows")).await,
            other => other,
        };
        let mut at = Some(begun.expect("it begins")).filter(|_| edited);
        let before = rig.visible().await.len();
        rig.stumble(1, lost);
        insist(rig.chat(), anchor, &mut at, &Message::text(&text_of(VERY_LONG))).await.expect("it goes out");
        let seen = rig.visible().await[before.saturating_sub(usize::from(edited))..].join(" ");
        let words: Vec<&str> = seen.split_whitespace().filter(|w| w.starts_with("word")).collect();
        assert_eq!(words.len(), VERY_LONG, "every word once; lost: {lost}, edited: {edited}");
        assert!(at.is_some(), "and it is known where it stands");
    }
}

/// An answer to the last edit that is lost, or that asks for patience, neither loses nor doubles the last words.
async fn last_words_stand_once_whatever_happens_on_the_way(rig: &dyn Rig, anchor: &Anchor) {
    for (n, lost) in [true, false, true].into_iter().enumerate() {
        let begun = match rig.chat().post(anchor, &Message::text("It begins")).await {
            Err(ChatError::MayHaveLanded(_)) => rig.chat().post(anchor, &Message::text("It begins")).await,
            other => other,
        };
        let mut at = Some(begun.expect("it begins"));
        let place = at.clone();
        rig.stumble(0, lost);
        let last = format!("The last word {n} of it");
        insist(rig.chat(), anchor, &mut at, &Message::text(&last)).await.expect("it goes out");
        let seen = rig.visible().await;
        assert_eq!(seen.iter().filter(|m| m.contains(&last)).count(), 1, "lost: {lost}: {seen:?}");
        assert_eq!(at, place, "in the message that was there");
    }
}

async fn tables_are_shown(rig: &dyn Rig, anchor: &Anchor) {
    let column = |title: &str, align| Column { title: title.into(), align };
    let row = |i: usize| vec![TableCell::plain(format!("task {i}")), TableCell::plain("")];
    let table = TableBlock {
        columns: vec![column("Task", Align::Left), column("Days", Align::Right)],
        rows: (0..150).map(row).collect(),
        total: 150,
    };
    rig.chat().post(anchor, &Message::new(vec![Block::Table(table)])).await.expect("a table with empty cells goes out");
    let seen = rig.visible().await.pop().unwrap_or_default();
    assert!(seen.contains("task 3") && seen.contains("Days"), "cells and heads are shown: {seen}");
}

async fn buttons_round_trip(rig: &dyn Rig, anchor: &Anchor) {
    let button = Button { label: "Confirm".into(), action: "confirm:42".into(), style: ButtonStyle::Primary };
    let blocks = vec![Block::Markdown(Markdown::ours("Sure?")), Block::Buttons(vec![button])];
    let at = rig.chat().post(anchor, &Message::new(blocks)).await.expect("buttons go out");
    rig.press("Confirm").await;
    let What::Press { action, message } = one(rig).what else { panic!("a press is a press") };
    assert_eq!(action, "confirm:42", "the action comes back");
    assert_eq!(message.map(|m| m.place), Some(at.place), "the press names its message");
}

async fn rejected_markup_falls_back_to_text(rig: &dyn Rig, anchor: &Anchor) {
    rig.refuse_markup().await;
    rig.chat().post(anchor, &Message::text("still **here**")).await.expect("plain text goes out instead");
    let seen = rig.visible().await.pop().unwrap_or_default();
    assert!(seen.contains("still here"), "the words arrive without markup: {seen}");
    an_edit_may_end_long(rig, anchor).await;
}
