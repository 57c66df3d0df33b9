//! What comes in: one event of a conversation, parsed once at the door and typed ever after.

use crate::Beside;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use url::Url;

/// Where people talk to the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Slack channels, threads and direct messages.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// Discord.
    Discord,
    /// Telegram.
    Telegram,
    /// The sheet viewer and the REST API.
    Web,
    /// A terminal.
    Console,
}

impl Platform {
    /// The lower-case word used in storage keys, logs and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Web => "web",
            Self::Console => "console",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Identity of a conversation: what a session is keyed by. Two installs with equal ids never meet,
/// because the install is part of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ThreadKey {
    /// The platform.
    pub platform: Platform,
    /// The workspace, tenant, guild or bot that the conversation belongs to.
    pub install: String,
    /// The channel or chat.
    pub conversation: String,
    /// The root message of the thread; `None` where the conversation itself is the thread.
    pub root: Option<String>,
}

impl ThreadKey {
    /// One line of text that is equal exactly when the keys are equal.
    pub fn storage_key(&self) -> String {
        let root = self.root.as_deref().map(|r| format!("|{}", part(r))).unwrap_or_default();
        format!("{}|{}{root}", self.install_key(), part(&self.conversation))
    }

    /// The beginning of [`Self::storage_key`] that all threads of the install have, and no others: ids of people and
    /// channels are unique within it.
    pub fn install_key(&self) -> String {
        format!("{}|{}", self.platform, part(&self.install))
    }
}

fn part(key: &str) -> String {
    key.replace('%', "%25").replace('|', "%7C")
}

/// A platform's private address for posting into a thread. Stored and handed back; only the
/// adapter that made it looks inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchor(pub String);

/// A message that was posted, so that it can be edited later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRef {
    /// The platform's private address of the message.
    pub place: String,
    /// The thread that replies to this message arrive under, and the anchor for posting there.
    /// `None` when replies arrive under the thread it was posted into.
    pub opens: Option<(ThreadKey, Anchor)>,
}

/// How somebody belongs to the workspace or tenant that they write in, as far as the platform tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The platform tells nothing, or knows no membership.
    #[default]
    Unknown,
    /// One of its own people.
    Member,
    /// Somebody whom it has let in for some of it.
    Guest,
    /// Somebody of another one, with whom a channel is shared.
    External,
}

/// Who wrote or pressed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The platform's id of the person, unique within the install.
    pub id: String,
    /// The name to show, where the event carries one.
    pub name: Option<String>,
    /// Their time zone (`Europe/Berlin`), where the event carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Their language and country (`de-DE`), where the event carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// How they belong to the install, where the event tells.
    #[serde(default)]
    pub standing: Standing,
    /// The workspace or tenant that they come from, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
}

/// What the words of an event mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionKind {
    /// A person other than the bot.
    Person,
    /// A channel.
    Channel,
}

/// Somebody, or a channel, that the words of an event mention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mentioned {
    /// What it is.
    pub kind: MentionKind,
    /// The platform's id: that of a person as in [`Sender::id`].
    pub id: String,
    /// How the words write it: `@Dana Reyes`, or `@U2` and `#C1` where events carry no names.
    pub written: String,
}

impl Mentioned {
    /// A person.
    pub fn person(id: impl Into<String>, written: impl Into<String>) -> Self {
        Self { kind: MentionKind::Person, id: id.into(), written: written.into() }
    }

    /// A channel.
    pub fn channel(id: impl Into<String>, written: impl Into<String>) -> Self {
        Self { kind: MentionKind::Channel, id: id.into(), written: written.into() }
    }
}

/// How the bot was addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressed {
    /// In a direct message.
    Dm,
    /// By a mention or a slash command.
    Mention,
    /// By a message without mention; answered only where the bot already takes part.
    FollowUp,
}

/// What the event says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum What {
    /// Somebody wrote this text (mention of the bot already removed).
    Text {
        /// The words.
        text: String,
    },
    /// A slash command; the text behind the command's name.
    Command {
        /// The words behind the command.
        text: String,
    },
    /// Somebody pressed a button.
    Press {
        /// The `action` of the pressed [`crate::Button`].
        action: String,
        /// The message that carries the button.
        message: Option<MessageRef>,
    },
    /// Somebody filled in a form.
    Filled {
        /// The action of the [`crate::Form`].
        action: String,
        /// What stands in its fields, by name.
        values: BTreeMap<String, String>,
        /// The message over which it was opened.
        message: Option<MessageRef>,
    },
    /// Somebody opened the page that the platform gives the bot. What is posted to the anchor stands there, for them alone.
    Home,
    /// Somebody opened a conversation with the bot and has said nothing yet. What is posted to the anchor greets them; its
    /// buttons are what they may want to say: the words stand in the action behind `say:`, which a press brings back.
    Opened,
    /// Somebody has added the bot to a channel or a group. What is posted to the anchor introduces it to everybody there.
    Added,
    /// Somebody shared a link where the bot takes part. What is posted to the anchor is shown below the link.
    Link {
        /// The link.
        url: Url,
    },
    /// The bot was removed from the conversation; from all of the install where the conversation is an empty word.
    Left,
    /// The conversation goes on under another key, that of the event.
    Moved {
        /// What it was called until now.
        from: ThreadKey,
    },
}

/// How long after a message was written, in milliseconds, changes of it are heard: what is older is put right, not asked anew.
pub const AMENDED_WITHIN_MS: i64 = 60 * 60 * 1_000;

/// One event of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Names this delivery, for logs.
    pub delivery_id: String,
    /// Equal for all deliveries of the same event, unique within the install.
    pub dedupe_id: String,
    /// The conversation.
    pub thread: ThreadKey,
    /// Where to answer.
    pub anchor: Anchor,
    /// Who did it.
    pub sender: Sender,
    /// How the bot was addressed.
    pub addressed: Addressed,
    /// What was said or pressed.
    pub what: What,
    /// What stands beside the words: a message that they answer or forward, files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// Other people and channels that the words mention, in the order of the words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mentioned>,
    /// Whether these are the new words of a message: somebody has changed what they wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub amends: bool,
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub received_at_ms: i64,
}

impl Incoming {
    /// The key under which the event is accepted once: platform, install and `dedupe_id`.
    pub fn dedupe_key(&self) -> String {
        format!("{}|{}|{}", self.thread.platform, self.thread.install, self.dedupe_id)
    }
}
