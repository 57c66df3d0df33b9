//! What Slack sends, as events of the port. What is not for the bot ends here.

use crate::wire::{Callback, Container, Happened, Interaction, Links, Press, Pushed, Slash, Words};
use chat::{AMENDED_WITHIN_MS, Addressed, Anchor, Incoming, Mentioned, MessageRef, Platform, Sender, Standing, ThreadKey, What};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a delivery says.
pub(crate) enum Parsed {
    /// The handshake of the Events API: this is to be answered.
    Challenge(String),
    /// Nothing for the bot.
    Nothing,
    /// An event for the bot.
    Event(Box<Incoming>),
    /// A slash command, and where it may be answered.
    Command(Box<Incoming>, String),
    /// An installation has lost its token.
    Revoked(Box<Revoked>),
}

/// The end of a token.
pub(crate) struct Revoked {
    pub install: String,
    /// When that was; epoch milliseconds, to the second.
    pub at_ms: i64,
    /// The app is no longer there at all.
    pub left: Option<Incoming>,
}

/// Where to post: the private part of [`Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The workspace, or the organisation when the app is installed for all of it.
    pub team: String,
    pub channel: String,
    pub thread_ts: Option<String>,
    /// Whose App Home it is; the channel is their direct messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_of: Option<String>,
    /// A conversation in the assistant pane that its person has just opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opened: bool,
    /// Direct messages with an agent: what is said stands below the message that it answers, and is one conversation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
    /// The thread is that below a message that has just been written: nothing stands in it yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// The link of a message that this stands below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<Shared>,
}

/// A link that somebody shared, and the message it stands in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shared {
    pub url: String,
    pub ts: String,
}

impl Place {
    /// A channel of an installation.
    pub fn channel(team: String, channel: String) -> Self {
        Self { team, channel, thread_ts: None, home_of: None, opened: false, agent: false, fresh: false, below: None }
    }

    pub fn anchor(&self) -> Anchor {
        Anchor(serde_json::to_string(self).unwrap_or_default())
    }

    pub fn read(anchor: &Anchor) -> Option<Self> {
        serde_json::from_str(&anchor.0).ok()
    }

    /// Whether the app is installed for a whole organisation (Enterprise Grid).
    pub fn is_of_organisation(&self) -> bool {
        self.team.starts_with('E')
    }

    pub fn is_dm(&self) -> bool {
        self.channel.starts_with('D')
    }

    /// The thread of the port. Direct messages outside threads are one conversation, with an agent all of them; in the assistant pane
    /// each is a thread.
    pub fn thread(&self) -> ThreadKey {
        ThreadKey {
            platform: Platform::Slack,
            install: self.team.clone(),
            conversation: self.channel.clone(),
            root: self.thread_ts.clone().filter(|_| !self.agent),
        }
    }
}

/// The address of a message.
pub(crate) fn message_ref(place: &Place, ts: &str) -> MessageRef {
    let opens = (place.thread_ts.is_none() && !place.is_dm()).then(|| {
        let inside = Place { thread_ts: Some(ts.to_owned()), ..place.clone() };
        (inside.thread(), inside.anchor())
    });
    let thread = place.thread_ts.as_deref().filter(|thread| *thread != ts).map(|thread| format!("/{thread}")).unwrap_or_default();
    MessageRef { place: format!("{}:{}:{ts}{thread}", place.team, place.channel), opens }
}

/// Where a message stands, and its time stamp. Addresses that were made when one workspace was all there is name none.
pub(crate) fn place_of(message: &MessageRef) -> Option<(Place, &str)> {
    let (message, thread) = message.place.split_once('/').map_or((message.place.as_str(), None), |(m, thread)| (m, Some(thread)));
    let mut parts = message.rsplitn(3, ':');
    let (ts, channel) = (parts.next()?, parts.next()?);
    let place = Place::channel(parts.next().unwrap_or_default().to_owned(), channel.to_owned());
    Some((Place { thread_ts: thread.map(str::to_owned), ..place }, ts))
}

/// Reads a verified body: JSON for events, a form for commands and presses.
pub(crate) fn parse(body: &str, now_ms: i64) -> Parsed {
    if body.trim_start().starts_with('{') {
        return pushed(serde_json::from_str(body), now_ms);
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    match field("payload") {
        Some(payload) => interaction(serde_json::from_str(payload), now_ms),
        None => slash(field, now_ms),
    }
}

/// Reads an envelope of Socket Mode.
pub(crate) fn parse_envelope(kind: &str, payload: &str, now_ms: i64) -> Parsed {
    match kind {
        "events_api" => pushed(serde_json::from_str(payload), now_ms),
        "interactive" => interaction(serde_json::from_str(payload), now_ms),
        "slash_commands" => {
            let fields: Value = serde_json::from_str(payload).unwrap_or_default();
            slash(|name| fields[name].as_str(), now_ms)
        }
        _ => Parsed::Nothing,
    }
}

fn pushed(pushed: serde_json::Result<Pushed>, now_ms: i64) -> Parsed {
    match pushed {
        Ok(Pushed::UrlVerification { challenge }) => Parsed::Challenge(challenge),
        Ok(Pushed::EventCallback(callback)) => of_callback(*callback, now_ms).unwrap_or(Parsed::Nothing),
        Ok(Pushed::AppRateLimited { team_id }) => {
            tracing::warn!(team = team_id, "slack limits the events it sends us");
            Parsed::Nothing
        }
        Ok(Pushed::Unknown) => Parsed::Nothing,
        Err(error) => {
            unreadable(&error);
            Parsed::Nothing
        }
    }
}

/// Counts what cannot be read, and tells it without its content.
fn unreadable(error: &serde_json::Error) {
    metrics::counter!("chatsheet_unreadable_events_total", "platform" => "slack").increment(1);
    tracing::warn!(%error, "something that slack sent cannot be read and was left out");
}

fn interaction(happened: serde_json::Result<Interaction>, now_ms: i64) -> Parsed {
    let event = match happened {
        Ok(Interaction::BlockActions(press)) => press_event(*press, now_ms),
        Ok(Interaction::ViewSubmission(submission)) => crate::form::filled(*submission, now_ms),
        Ok(Interaction::Unknown) => None,
        Err(error) => {
            unreadable(&error);
            None
        }
    };
    event.map_or(Parsed::Nothing, Parsed::event)
}

fn slash<'a>(field: impl Fn(&str) -> Option<&'a str>, now_ms: i64) -> Parsed {
    let Some(slash) = Slash::read(field) else { return Parsed::Nothing };
    let place = Place::channel(slash.install, slash.channel);
    let event = Incoming {
        dedupe_id: format!("slash:{}", slash.trigger),
        delivery_id: slash.trigger,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { id: slash.user, name: slash.user_name, ..Sender::default() },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what: What::Command { text: crate::emoji::in_text(&plain_text(&slash.text, None), &Value::Null) },
        beside: Vec::new(),
        mentions: mentions(&slash.text, None),
        amends: false,
        received_at_ms: now_ms,
    };
    Parsed::Command(Box::new(event), slash.response_url)
}

/// The same event in direct messages with an agent.
pub(crate) fn with_agent(event: Incoming, place: Place) -> Incoming {
    // The answer stands below the message that it answers, whose time stamp is a part of its id.
    let said = matches!(event.what, What::Text { .. }).then(|| event.dedupe_id.split_once(':')).flatten();
    let root = said.filter(|(channel, _)| *channel == place.channel).map(|(_, ts)| ts.to_owned());
    let place = Place { thread_ts: place.thread_ts.clone().or(root), agent: true, ..place };
    Incoming { thread: place.thread(), anchor: place.anchor(), ..event }
}

impl Parsed {
    fn event(event: Incoming) -> Self {
        Self::Event(Box::new(event))
    }
}

/// What the Events API tells.
fn of_callback(callback: Callback, now_ms: i64) -> Option<Parsed> {
    let (install, bot) = (callback.install()?, callback.bot());
    let (id, at_ms) = (callback.event_id, callback.event_time.as_i64().unwrap_or_default() * 1_000);
    let beside = |what: What, place: Place, user: String, id: String| happened(what, place, user, id, now_ms);
    let event = match callback.event {
        Happened::AppMention(words) => said(words, true, install, bot.as_deref(), id, now_ms)?,
        Happened::Message(words) if words.subtype.as_deref() == Some("message_changed") => {
            Incoming { amends: true, ..said(changed(words)?, false, install, bot.as_deref(), id, now_ms)? }
        }
        Happened::Message(words) => said(words, false, install, bot.as_deref(), id, now_ms)?,
        Happened::ChannelLeft { channel } | Happened::GroupLeft { channel } => {
            beside(What::Left, Place::channel(install, channel), String::new(), id)
        }
        Happened::AppHomeOpened { user, channel, tab } if tab.as_deref().is_none_or(|tab| tab == "home") => {
            beside(What::Home, Place { home_of: Some(user.clone()), ..Place::channel(install, channel) }, user, id)
        }
        Happened::MemberJoinedChannel { user, channel, inviter } if Some(&user) == bot.as_ref() => {
            beside(What::Added, Place::channel(install, channel), inviter?, id)
        }
        // Somebody opens the conversation with an agent.
        Happened::AppHomeOpened { user, channel, tab } if tab.as_deref() == Some("messages") => {
            beside(What::Opened, Place { opened: true, ..Place::channel(install, channel) }, user, id)
        }
        Happened::AssistantThreadStarted { assistant_thread: pane } => {
            let place = Place { thread_ts: Some(pane.thread_ts), opened: true, ..Place::channel(install, pane.channel_id) };
            beside(What::Opened, place, pane.user_id, id)
        }
        Happened::AgentSessionStopped { channel, thread_ts, user } => {
            beside(What::Text { text: "stop".into() }, Place { thread_ts, ..Place::channel(install, channel) }, user?, id)
        }
        Happened::LinkShared(links) => link_shared(links, install, id, now_ms)?,
        Happened::AppUninstalled => {
            let left = beside(What::Left, Place::channel(install.clone(), String::new()), String::new(), id);
            return Some(Parsed::Revoked(Box::new(Revoked { install, at_ms, left: Some(left) })));
        }
        Happened::TokensRevoked { tokens } if !tokens.bot.is_empty() => {
            return Some(Parsed::Revoked(Box::new(Revoked { install, at_ms, left: None })));
        }
        _ => return None,
    };
    Some(Parsed::event(event))
}

/// A message whose words somebody has changed a short while after they wrote it. Slack changes messages of its own accord, too.
fn changed(change: Words) -> Option<Words> {
    let mut message = change.message?;
    let at_ms = |ts: &Value| Some((ts.as_str()?.parse::<f64>().ok()? * 1_000.0) as i64);
    let after_ms = at_ms(&message["edited"]["ts"])? - at_ms(&message["ts"])?;
    let same = change.previous_message.is_some_and(|before| before["text"] == message["text"]);
    message["channel"] = Value::String(change.channel);
    Words::deserialize(message).ok().filter(|_| !same && after_ms < AMENDED_WITHIN_MS)
}

/// What a person wrote. A message that mentions the bot is a mention, too, since Slack tells it both ways.
fn said(words: Words, mention: bool, install: String, bot: Option<&str>, id: String, now_ms: i64) -> Option<Incoming> {
    let by_person = matches!(words.subtype.as_deref(), None | Some("file_share" | "thread_broadcast" | "me_message"));
    if !by_person || words.bot_id.is_some() || words.hidden {
        return None;
    }
    let user = words.user.filter(|user| Some(user.as_str()) != bot)?;
    let text = words.text.unwrap_or_default();
    let mention = mention || bot.is_some_and(|b| text.contains(&format!("<@{b}>")) || text.contains(&format!("<@{b}|")));
    let dm = words.channel.starts_with('D');
    let addressed = match (dm, mention, &words.thread_ts) {
        (true, _, _) => Addressed::Dm,
        (false, true, _) => Addressed::Mention,
        (false, false, Some(_)) => Addressed::FollowUp,
        (false, false, None) => return None,
    };
    // In a thread the bot keeps out of what is said to somebody else, and of pictures without words.
    let typed = crate::emoji::in_text(&plain_text(&text, bot), &words.blocks);
    let to_others = text.contains("<@") || typed.is_empty();
    if addressed == Addressed::FollowUp && to_others {
        return None;
    }
    let fresh = !dm && words.thread_ts.is_none();
    let thread_ts = if dm { words.thread_ts } else { Some(words.thread_ts.unwrap_or_else(|| words.ts.clone())) };
    // A mention comes twice, as `message` and as `app_mention`, with the same time stamp.
    let dedupe_id = format!("{}:{}", words.channel, words.ts);
    let place = Place { thread_ts, fresh, ..Place::channel(install, words.channel) };
    let beside = crate::beside::read(&words.attachments, &words.files);
    Some(Incoming {
        delivery_id: id,
        dedupe_id,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: from(user, words.user_team, &place),
        addressed,
        what: What::Text { text: typed },
        beside,
        mentions: mentions(&text, bot),
        amends: false,
        received_at_ms: now_ms,
    })
}

/// Somebody of this workspace, or of another one with which a channel is shared. An organisation has many workspaces of its own.
pub(crate) fn from(id: String, team: Option<String>, place: &Place) -> Sender {
    let home = team.filter(|team| *team != place.team && !place.is_of_organisation());
    let standing = if home.is_some() { Standing::External } else { Standing::Unknown };
    Sender { id, standing, home, ..Sender::default() }
}

/// What happens beside messages: known by the id of its event.
fn happened(what: What, place: Place, user: String, event_id: String, now_ms: i64) -> Incoming {
    Incoming {
        dedupe_id: format!("event:{event_id}"),
        delivery_id: event_id,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { id: user, ..Sender::default() },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what,
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    }
}

/// The first link to a sheet in a message that people see where the bot is a member; not of one that is still being written.
fn link_shared(shared: Links, install: String, event_id: String, now_ms: i64) -> Option<Incoming> {
    let sent = shared.is_bot_user_member && shared.source.as_deref() != Some("composer");
    let (mut links, others): (Vec<_>, Vec<_>) = shared.links.into_iter().partition(|link| link.url.path().starts_with("/sheets/"));
    links.extend(others);
    let url = links.into_iter().next().filter(|_| sent)?.url;
    let below = Shared { url: url.to_string(), ts: shared.message_ts };
    let place = Place { below: Some(below), ..Place::channel(install, shared.channel) };
    Some(happened(What::Link { url }, place, shared.user, event_id, now_ms))
}

fn press_event(press: Press, now_ms: i64) -> Option<Incoming> {
    let install = press.install()?;
    let pressed = press.actions.into_iter().next()?;
    let action = pressed.value?;
    // One press is told once; what it opens a form with names it.
    let id = Some(press.trigger_id.as_str()).filter(|id| !id.is_empty()).or(pressed.action_ts.as_deref())?;
    let dedupe_id = format!("press:{id}");
    let (place, message) = match (press.container, press.view) {
        (Container::Message { message_ts: ts, channel_id, thread_ts, is_ephemeral }, _) => {
            let here = Place {
                thread_ts: press.message.and_then(|m| m.thread_ts).or(thread_ts),
                ..Place::channel(install, channel_id.or(press.channel.map(|c| c.id))?)
            };
            let message = message_ref(&here, &ts);
            let thread_ts = here.thread_ts.clone().or_else(|| (!here.is_dm() && !is_ephemeral).then_some(ts));
            (Place { thread_ts, ..here }, Some(message))
        }
        // App Home tells nothing of a channel; the direct messages of whoever sees it were noted when it was made.
        (Container::View, Some(view)) if view.kind == "home" => (Place::channel(install, view.private_metadata?), None),
        _ => return None,
    };
    Some(Incoming {
        delivery_id: press.trigger_id.clone(),
        dedupe_id,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { name: press.user.name(), ..from(press.user.id.clone(), press.user.team_id.clone(), &place) },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what: What::Press { action, message },
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    })
}

/// Slack's text as people typed it: mentions of the bot gone, links and entities in plain.
pub(crate) fn plain_text(text: &str, bot: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>').map(|e| e + start) else { break };
        let inner = &rest[start + 1..end];
        let (target, label) = inner.split_once('|').map_or((inner, None), |(t, l)| (t, Some(l)));
        match target.chars().next() {
            // With one of the spaces around it.
            Some('@') if bot == Some(&target[1..]) => {
                let after = &rest[end + 1..];
                rest = if out.is_empty() || out.ends_with(' ') { after.strip_prefix(' ').unwrap_or(after) } else { after };
                continue;
            }
            Some('@' | '#') => out.push_str(&written(target, label)),
            Some('!') => out.push_str(&label.map_or_else(|| group(&target[1..]), str::to_owned)),
            // Slack makes links of addresses and numbers; what was typed is their label.
            _ => out.push_str(label.filter(|label| is_made_of(target, label)).unwrap_or(target)),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").trim().to_owned()
}

/// How a mention stands in the words: by its name, or by its id where Slack leaves the name out.
fn written(target: &str, label: Option<&str>) -> String {
    format!("{}{}", &target[..1], label.filter(|label| !label.is_empty()).unwrap_or(&target[1..]))
}

/// The people and channels that Slack's text mentions, as [`plain_text`] writes them; not the bot itself.
fn mentions(text: &str, bot: Option<&str>) -> Vec<Mentioned> {
    let mention = |piece: &str| {
        let (target, label) = piece.split_once('>')?.0.split_once('|').map_or((piece.split_once('>')?.0, None), |(t, l)| (t, Some(l)));
        match target.chars().next()? {
            '@' if bot != Some(&target[1..]) => Some(Mentioned::person(&target[1..], written(target, label))),
            '#' => Some(Mentioned::channel(&target[1..], written(target, label))),
            _ => None,
        }
    };
    text.split('<').skip(1).filter_map(mention).collect()
}

/// A group of people that is called: `here`, or one of the workspace, of which Slack tells the id alone.
fn group(target: &str) -> String {
    match target.split_once('^') {
        Some(("subteam", id)) => format!("@group {id}"),
        Some(_) => String::new(),
        None => format!("@{target}"),
    }
}

/// Whether a link is one that Slack made of what was typed, and not one that a person gave another text.
fn is_made_of(target: &str, label: &str) -> bool {
    let bare = ["mailto:", "tel:", "http://", "https://"].into_iter().find_map(|scheme| target.strip_prefix(scheme)).unwrap_or(target);
    let digits = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    // Slack puts the code of a country before a number that was typed without one.
    let dialled = |label: &str| digits(label).len() >= 5 && digits(bare).ends_with(&digits(label));
    bare == label || bare.trim_end_matches('/') == label || (target.starts_with("tel:") && dialled(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_text_becomes_what_people_typed() {
        let text = "<@UBOT> set Status to &lt;Done&gt; for <@U2|dana>, see <https://x.test/a|x> &amp; <!here> <#C1|plan>";
        assert_eq!(plain_text(text, Some("UBOT")), "set Status to <Done> for @dana, see https://x.test/a & @here #plan");
        assert_eq!(plain_text("set Name to \"A  B\" <@UBOT>", Some("UBOT")), "set Name to \"A  B\"", "spaces are values, too");
    }

    #[test]
    fn groups_of_people_do_not_vanish() {
        assert_eq!(plain_text("assign to <!subteam^S0614TZR7> or <!subteam^S1|@leads>", None), "assign to @group S0614TZR7 or @leads");
        assert_eq!(plain_text("due <!date^1795305600^{date_short}|Nov 22, 2026>", None), "due Nov 22, 2026");
    }

    #[test]
    fn links_that_slack_made_are_what_was_typed() {
        for (sent, typed) in [
            ("assign to <mailto:dana@acme.test|dana@acme.test>", "assign to dana@acme.test"),
            ("see <http://acme.com|acme.com> and <http://readme.md|readme.md>", "see acme.com and readme.md"),
            ("call <tel:+498912345|+49 89 12345>", "call +49 89 12345"),
            ("<https://app.smartsheet.com/sheets/x>", "https://app.smartsheet.com/sheets/x"),
            ("<https://evil.test/|the plan>", "https://evil.test/"),
        ] {
            assert_eq!(plain_text(sent, Some("UBOT")), typed);
        }
    }

    #[test]
    fn odd_bodies_are_nothing() {
        for body in
            ["", "null", "[]", "{", "{}", "{\"type\":\"event_callback\"}", "payload=null", "payload=%7B%7D", "command=x", "a=b", "\u{0}"]
        {
            assert!(matches!(parse(body, 0), Parsed::Nothing), "{body}");
        }
    }
}
