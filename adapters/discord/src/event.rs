//! What Discord sends, as events of the port. What is not for the bot ends here.

use chat::{Addressed, Anchor, Incoming, Mentioned, MessageRef, Platform, Sender, ThreadKey, What};
use serde::{Deserialize, Serialize};
use serenity::model::application::{CommandDataOptionValue, Interaction};
use serenity::model::channel::{ChannelType, Message, MessageType};
use serenity::model::guild::Guild;
use serenity::model::id::{ChannelId, GuildId, MessageId, RoleId, UserId};
use serenity::model::user::User;

/// Name of a thread that is opened.
const NAME_CHARS: usize = 80;
/// Kinds of channels that are threads.
pub(crate) const THREADS: [ChannelType; 3] = [ChannelType::PublicThread, ChannelType::PrivateThread, ChannelType::NewsThread];

/// Where to post: the private part of [`Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The server; none in a direct message.
    pub guild: Option<GuildId>,
    /// The channel itself, or the parent of the thread.
    pub channel: ChannelId,
    /// The thread: its id is that of the message that it began with.
    pub thread: Option<ChannelId>,
    /// What the thread is called when it has to be opened.
    pub opens: Option<String>,
    /// The interaction that asked: as long as its token lives its person can be answered alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<u64>,
}

impl Place {
    pub fn channel(guild: Option<GuildId>, channel: ChannelId) -> Self {
        Self { guild, channel, thread: None, opens: None, interaction: None }
    }

    /// A channel, or a thread below its `parent`.
    fn below(guild: Option<GuildId>, channel: ChannelId, parent: Option<ChannelId>) -> Self {
        match parent {
            Some(parent) => Self { thread: Some(channel), ..Self::channel(guild, parent) },
            None => Self::channel(guild, channel),
        }
    }

    pub fn anchor(&self) -> Anchor {
        Anchor(serde_json::to_string(self).unwrap_or_default())
    }

    pub fn read(anchor: &Anchor) -> Option<Self> {
        serde_json::from_str(&anchor.0).ok()
    }

    /// Direct messages belong to no server; their channels have ids of their own.
    pub fn thread(&self) -> ThreadKey {
        ThreadKey {
            platform: Platform::Discord,
            install: self.guild.map_or_else(|| "direct".to_owned(), |g| g.to_string()),
            conversation: self.channel.to_string(),
            root: self.thread.map(|t| t.to_string()),
        }
    }

    /// The thread below a message of this channel, which may still have to be opened.
    fn opening(&self, message: MessageId, name: String) -> Self {
        Self { thread: Some(ChannelId::new(message.get())), opens: Some(name), ..Self::channel(self.guild, self.channel) }
    }

    /// The channel that messages go to.
    pub fn target(&self) -> ChannelId {
        self.thread.unwrap_or(self.channel)
    }

    pub fn is_direct(&self) -> bool {
        self.guild.is_none()
    }
}

/// The address of a message; in a channel of a server it may become a thread.
pub(crate) fn message_ref(place: &Place, id: MessageId) -> MessageRef {
    let opens = (place.thread.is_none() && !place.is_direct()).then(|| {
        let inside = place.opening(id, "ChatSheet".into());
        (inside.thread(), inside.anchor())
    });
    MessageRef { place: format!("{}:{id}", place.target()), opens }
}

/// Where a message is.
pub(crate) fn address(at: &MessageRef) -> Option<(ChannelId, MessageId)> {
    let (channel, id) = at.place.split_once(':')?;
    Some((ChannelId::new(channel.parse().ok().filter(|c| *c != 0)?), MessageId::new(id.parse().ok().filter(|m| *m != 0)?)))
}

/// The bot itself, as people mention it in a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Me {
    pub id: UserId,
    /// The role that the server made for it, which has its name.
    pub role: Option<RoleId>,
}

/// Whether a message mentions the bot, by its name or by its role.
pub(crate) fn is_mentioned(message: &Message, me: Me) -> bool {
    let own_role = |role: &RoleId| Some(*role) == me.role;
    message.mentions.iter().any(|u| u.id == me.id) || message.mention_roles.iter().any(own_role)
}

/// What a message says to the bot; `parent` of the thread that it stands in.
pub(crate) fn said(message: &Message, parent: Option<ChannelId>, me: Me, now_ms: i64) -> Option<Incoming> {
    let by_person = !message.author.bot && !message.author.system && message.webhook_id.is_none();
    if !by_person || !matches!(message.kind, MessageType::Regular | MessageType::InlineReply) {
        return None;
    }
    let direct = message.guild_id.is_none();
    let addressed = match (direct, is_mentioned(message, me), parent) {
        (true, _, _) => Addressed::Dm,
        (false, true, _) => Addressed::Mention,
        (false, false, Some(_)) => Addressed::FollowUp,
        (false, false, None) => return None,
    };
    let text = words(message, me);
    // Without the privileged intent Discord leaves the words of follow-ups out. What is said to somebody else is not for the bot.
    if addressed == Addressed::FollowUp && (text.is_empty() || !message.mentions.is_empty() || !message.mention_roles.is_empty()) {
        return None;
    }
    let here = Place::below(message.guild_id, message.channel_id, parent);
    let place = if direct || here.thread.is_some() { here } else { here.opening(message.id, name_of_thread(&text)) };
    Some(Incoming {
        delivery_id: message.id.to_string(),
        dedupe_id: message.id.to_string(),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&message.author),
        addressed,
        what: What::Text { text },
        beside: crate::beside::read(message, me.id),
        mentions: mentions(message, me),
        amends: false,
        received_at_ms: now_ms,
    })
}

fn name_of_thread(text: &str) -> String {
    let line = chat::text::clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let name = chat::text::shorten(&line, NAME_CHARS);
    if name.is_empty() { "ChatSheet".into() } else { name }
}

fn sender(user: &User) -> Sender {
    Sender {
        id: user.id.to_string(),
        name: Some(chat::text::clean(user.global_name.as_deref().unwrap_or(&user.name))),
        ..Sender::default()
    }
}

/// How the words name a person.
fn written(user: &User) -> String {
    format!("@{}", user.global_name.as_deref().unwrap_or(&user.name))
}

/// The people whom a message mentions, and its channels, whose names Discord does not tell.
fn mentions(message: &Message, me: Me) -> Vec<Mentioned> {
    let people = message.mentions.iter().filter(|user| user.id != me.id).map(|user| Mentioned::person(user.id.to_string(), written(user)));
    let channel = |piece: &str| {
        let id = piece.split_once('>')?.0;
        id.parse::<u64>().ok().map(|_| Mentioned::channel(id, format!("<#{id}>")))
    };
    people.chain(message.content.split("<#").skip(1).filter_map(channel)).collect()
}

/// The words, without the mention of the bot; other people by their names.
fn words(message: &Message, me: Me) -> String {
    let mut text = message.content.clone();
    for user in &message.mentions {
        for mark in [format!("<@{}>", user.id), format!("<@!{}>", user.id)] {
            text = match user.id == me.id {
                true => chat::text::without(&text, &mark),
                false => text.replace(&mark, &written(user)),
            };
        }
    }
    if let Some(role) = me.role {
        text = chat::text::without(&text, &format!("<@&{role}>"));
    }
    text.trim().to_owned()
}

/// An interaction, as far as it matters.
pub(crate) struct Interacted {
    pub incoming: Incoming,
    pub token: String,
    pub id: u64,
    /// A press keeps its message; a command gets an answer.
    pub press: bool,
}

/// What an interaction tells of the channel above its thread.
pub(crate) enum Known {
    /// The channel; none where it stands in a channel itself.
    Told(Option<ChannelId>),
    /// Nothing: this channel has to be asked for.
    Ask(ChannelId),
}

/// The channel above the thread of an interaction; above a channel stands at most a category.
pub(crate) fn parent(interaction: &Interaction) -> Known {
    let (guild, id, channel) = match interaction {
        Interaction::Command(command) => (command.guild_id, command.channel_id, command.channel.as_ref()),
        Interaction::Component(press) => (press.guild_id, press.channel_id, press.channel.as_ref()),
        _ => return Known::Told(None),
    };
    match (guild, channel) {
        (Some(_), None) => Known::Ask(id),
        (_, channel) => Known::Told(channel.filter(|c| THREADS.contains(&c.kind)).and_then(|c| c.parent_id)),
    }
}

/// A command or a press; `parent` of the thread that it happens in.
pub(crate) fn interacted(interaction: Interaction, parent: Option<ChannelId>, now_ms: i64) -> Option<Interacted> {
    let (place, user, locale, what, token, id) = match interaction {
        Interaction::Command(command) => {
            let text = command.data.options.iter().find_map(|o| match &o.value {
                CommandDataOptionValue::String(text) => Some(text.trim().to_owned()),
                _ => None,
            });
            let what = What::Command { text: text.unwrap_or_default() };
            let here = Place::below(command.guild_id, command.channel_id, parent);
            (here, command.user, command.locale, what, command.token, command.id.get())
        }
        Interaction::Component(press) => {
            let here = Place::below(press.guild_id, press.channel_id, parent);
            let message = MessageRef { opens: None, ..message_ref(&here, press.message.id) };
            let what = What::Press { action: press.data.custom_id, message: Some(message) };
            // A press on a message of the channel belongs to the thread below it.
            let in_channel = here.thread.is_none() && !here.is_direct();
            let at = if in_channel { here.opening(press.message.id, "ChatSheet".into()) } else { here };
            (at, press.user, press.locale, what, press.token, press.id.get())
        }
        _ => return None,
    };
    let press = matches!(what, What::Press { .. });
    let place = Place { interaction: Some(id), ..place };
    let incoming = Incoming {
        delivery_id: id.to_string(),
        dedupe_id: format!("interaction:{id}"),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { locale: Some(locale), ..sender(&user) },
        addressed: if place.is_direct() { Addressed::Dm } else { Addressed::Mention },
        what,
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    };
    Some(Interacted { incoming, token, id, press })
}

/// The bot was added to a server: it introduces itself where Discord welcomes people, if anywhere. Who added it Discord does not tell.
pub(crate) fn added(guild: &Guild, now_ms: i64) -> Option<Incoming> {
    let place = Place::channel(Some(guild.id), guild.system_channel_id?);
    Some(Incoming {
        delivery_id: format!("added-{}", guild.id),
        dedupe_id: format!("added:{}:{}", guild.id, guild.joined_at.unix_timestamp()),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender::default(),
        addressed: Addressed::Mention,
        what: What::Added,
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    })
}

/// The bot was removed from a server, and with it from all that was said there.
pub(crate) fn left(guild: GuildId, now_ms: i64) -> Incoming {
    let place = Place::channel(Some(guild), ChannelId::new(guild.get()));
    Incoming {
        delivery_id: format!("left-{guild}"),
        dedupe_id: format!("left:{now_ms}"),
        thread: ThreadKey { conversation: String::new(), root: None, ..place.thread() },
        anchor: place.anchor(),
        sender: Sender::default(),
        addressed: Addressed::Mention,
        what: What::Left,
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    }
}
