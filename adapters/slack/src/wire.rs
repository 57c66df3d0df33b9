//! What Slack sends, as far as it is read. The types are ours, since those of the crate want a workspace where an app
//! that is installed for a whole organisation is told none.

use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A body of the Events API.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Pushed {
    UrlVerification {
        challenge: String,
    },
    EventCallback(Box<Callback>),
    AppRateLimited {
        team_id: String,
    },
    #[serde(other)]
    Unknown,
}

/// Something happened.
#[derive(Deserialize)]
pub(crate) struct Callback {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    pub event: Happened,
    pub event_id: String,
    /// Epoch seconds.
    #[serde(default)]
    pub event_time: Value,
    #[serde(default)]
    authorizations: Vec<Authorization>,
}

/// For whom an event is told: one installation that sees it.
#[derive(Deserialize)]
struct Authorization {
    team_id: Option<String>,
    enterprise_id: Option<String>,
    user_id: Option<String>,
    #[serde(default)]
    is_enterprise_install: bool,
}

impl Callback {
    /// The installation that this is told to.
    pub fn install(&self) -> Option<String> {
        match self.authorizations.first() {
            Some(a) => install(a.team_id.as_ref(), a.enterprise_id.as_ref(), a.is_enterprise_install),
            None => install(self.team_id.as_ref(), self.enterprise_id.as_ref(), false),
        }
    }

    /// The bot's user there.
    pub fn bot(&self) -> Option<String> {
        self.authorizations.first()?.user_id.clone()
    }
}

/// The installation: an organisation when the app is installed for all of it, a workspace otherwise.
fn install(team: Option<&String>, enterprise: Option<&String>, for_all: bool) -> Option<String> {
    if for_all { enterprise.cloned() } else { team.cloned() }
}

/// The kinds of events that the bot hears.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Happened {
    AppMention(Words),
    Message(Words),
    /// The bot was removed from a public channel, or left it.
    ChannelLeft {
        channel: String,
    },
    /// The same of a private one.
    GroupLeft {
        channel: String,
    },
    AppHomeOpened {
        user: String,
        channel: String,
        tab: Option<String>,
    },
    /// Somebody, or the bot itself, has come into a channel.
    MemberJoinedChannel {
        user: String,
        channel: String,
        /// Who has brought them in.
        inviter: Option<String>,
    },
    AssistantThreadStarted {
        assistant_thread: Pane,
    },
    AgentSessionStopped {
        channel: String,
        thread_ts: Option<String>,
        user: Option<String>,
    },
    LinkShared(Links),
    AppUninstalled,
    TokensRevoked {
        tokens: Revoked,
    },
    #[serde(other)]
    Unknown,
}

/// A message.
#[derive(Deserialize)]
pub(crate) struct Words {
    pub channel: String,
    pub ts: String,
    pub thread_ts: Option<String>,
    pub user: Option<String>,
    pub bot_id: Option<String>,
    pub text: Option<String>,
    pub subtype: Option<String>,
    #[serde(default)]
    pub hidden: bool,
    /// The message as it is now, of a change; its channel is told beside it.
    pub message: Option<Value>,
    /// As it was before.
    pub previous_message: Option<Value>,
    /// The workspace of whoever wrote, in channels that are shared with other workspaces.
    pub user_team: Option<String>,
    /// Messages that are shared with this one, and previews of links; read by [`crate::beside`].
    #[serde(default)]
    pub attachments: Value,
    /// Files; read by [`crate::beside`].
    #[serde(default)]
    pub files: Value,
    /// The same words as blocks, in which emoji carry their code points.
    #[serde(default)]
    pub blocks: Value,
}

/// A thread of the assistant pane.
#[derive(Deserialize)]
pub(crate) struct Pane {
    pub user_id: String,
    pub channel_id: String,
    pub thread_ts: String,
}

/// Links in a message, which may still be written.
#[derive(Deserialize)]
pub(crate) struct Links {
    pub user: String,
    pub channel: String,
    pub message_ts: String,
    pub source: Option<String>,
    #[serde(default)]
    pub is_bot_user_member: bool,
    pub links: Vec<Link>,
}

#[derive(Deserialize)]
pub(crate) struct Link {
    pub url: url::Url,
}

/// Whose tokens are no longer valid.
#[derive(Deserialize)]
pub(crate) struct Revoked {
    #[serde(default)]
    pub bot: Vec<String>,
}

/// A press, or a form that was filled in.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Interaction {
    BlockActions(Box<Press>),
    ViewSubmission(Box<Submission>),
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(crate) struct Id {
    pub id: String,
}

#[derive(Deserialize)]
pub(crate) struct Person {
    pub id: String,
    /// Their workspace.
    pub team_id: Option<String>,
    name: Option<String>,
    username: Option<String>,
}

impl Person {
    pub fn name(&self) -> Option<String> {
        self.name.clone().or_else(|| self.username.clone())
    }
}

#[derive(Deserialize)]
pub(crate) struct Press {
    team: Option<Id>,
    enterprise: Option<Id>,
    #[serde(default)]
    is_enterprise_install: bool,
    pub user: Person,
    /// Opens a form, for a few seconds.
    #[serde(default)]
    pub trigger_id: String,
    pub container: Container,
    pub channel: Option<Id>,
    pub message: Option<Pressed>,
    pub view: Option<View>,
    pub actions: Vec<Action>,
}

impl Press {
    /// The installation that this is told to.
    pub fn install(&self) -> Option<String> {
        install(self.team.as_ref().map(|t| &t.id), self.enterprise.as_ref().map(|e| &e.id), self.is_enterprise_install)
    }
}

/// What the pressed button stands in.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Container {
    Message {
        message_ts: String,
        channel_id: Option<String>,
        thread_ts: Option<String>,
        /// Only one person sees it: it is no message of the channel, and nothing stands below it.
        #[serde(default)]
        is_ephemeral: bool,
    },
    View,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(crate) struct Pressed {
    pub thread_ts: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Action {
    pub value: Option<String>,
    pub action_ts: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Submission {
    pub user: Person,
    pub view: View,
}

/// App Home, or a form.
#[derive(Deserialize)]
pub(crate) struct View {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub callback_id: Option<String>,
    pub private_metadata: Option<String>,
    #[serde(default)]
    pub state: ViewState,
}

/// What was typed: by block, by element.
#[derive(Default, Deserialize)]
pub(crate) struct ViewState {
    pub values: HashMap<String, HashMap<String, Typed>>,
}

#[derive(Deserialize)]
pub(crate) struct Typed {
    pub value: Option<String>,
}

/// A slash command: fields of a form, or of an object, all of them texts.
pub(crate) struct Slash {
    pub install: String,
    pub channel: String,
    pub user: String,
    pub user_name: Option<String>,
    pub trigger: String,
    pub text: String,
    pub response_url: String,
}

impl Slash {
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let owned = |name: &str| field(name).map(str::to_owned);
        field("command")?;
        Some(Self {
            install: install(owned("team_id").as_ref(), owned("enterprise_id").as_ref(), field("is_enterprise_install") == Some("true"))?,
            channel: owned("channel_id")?,
            user: owned("user_id")?,
            user_name: owned("user_name"),
            trigger: owned("trigger_id")?,
            text: owned("text").unwrap_or_default(),
            response_url: owned("response_url").unwrap_or_default(),
        })
    }
}
