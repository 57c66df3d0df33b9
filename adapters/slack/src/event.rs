//! What Slack sends, as events of the port. What is not for the bot ends here.

use chat::{Addressed, Anchor, Incoming, MessageRef, Platform, Sender, ThreadKey, What};
use serde::{Deserialize, Serialize};
use slack_morphism::prelude::*;

/// A request, read.
pub(crate) enum Parsed {
    /// The handshake of the Events API: this is to be answered.
    Challenge(String),
    /// Nothing for the bot.
    Nothing,
    /// An event for the bot.
    Event(Box<Incoming>),
}

/// Where to post: the private part of [`Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub team: String,
    pub channel: String,
    pub thread_ts: Option<String>,
    /// Whose App Home it is; the channel is their direct messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_of: Option<String>,
    /// A conversation in the assistant pane that its person has just opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub opened: bool,
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
    /// A channel of a workspace.
    pub fn channel(team: String, channel: String) -> Self {
        Self { team, channel, thread_ts: None, home_of: None, opened: false, below: None }
    }

    pub fn anchor(&self) -> Anchor {
        Anchor(serde_json::to_string(self).unwrap_or_default())
    }

    pub fn read(anchor: &Anchor) -> Option<Self> {
        serde_json::from_str(&anchor.0).ok()
    }

    pub fn is_dm(&self) -> bool {
        self.channel.starts_with('D')
    }

    /// The thread of the port. A direct message is one conversation, whatever it replies to.
    pub fn thread(&self) -> ThreadKey {
        let root = if self.is_dm() { None } else { self.thread_ts.clone() };
        ThreadKey { platform: Platform::Slack, install: self.team.clone(), conversation: self.channel.clone(), root }
    }
}

/// The address of a message.
pub(crate) fn message_ref(place: &Place, ts: &str) -> MessageRef {
    let opens = (place.thread_ts.is_none() && !place.is_dm()).then(|| {
        let inside = Place { thread_ts: Some(ts.to_owned()), ..place.clone() };
        (inside.thread(), inside.anchor())
    });
    MessageRef { place: format!("{}:{ts}", place.channel), opens }
}

/// Reads a verified body: JSON for events, a form for commands and presses.
pub(crate) fn parse(body: &str, now_ms: i64) -> Parsed {
    if body.trim_start().starts_with('{') {
        return match serde_json::from_str(body) {
            Ok(SlackPushEvent::UrlVerification(v)) => Parsed::Challenge(v.challenge),
            Ok(SlackPushEvent::EventCallback(callback)) => boxed(of_callback(callback, now_ms)),
            Ok(SlackPushEvent::AppRateLimited(limited)) => {
                tracing::warn!(team = %limited.team_id, "slack limits the events it sends us");
                Parsed::Nothing
            }
            Err(error) => {
                tracing::debug!(%error, "an unknown kind of event was left out");
                Parsed::Nothing
            }
        };
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
    if let Some(payload) = field("payload") {
        return match serde_json::from_str(payload) {
            Ok(happened) => boxed(of_interaction(happened, now_ms)),
            Err(_) => Parsed::Nothing,
        };
    }
    let slash = (field("command"), field("team_id"), field("channel_id"), field("user_id"), field("trigger_id"));
    let (Some(_), Some(team), Some(channel), Some(user), Some(trigger)) = slash else { return Parsed::Nothing };
    let slash = Slash {
        team: team.into(),
        channel: channel.into(),
        user: user.into(),
        user_name: field("user_name").map(str::to_owned),
        trigger: trigger.into(),
        text: field("text").unwrap_or_default().into(),
    };
    boxed(Some(slash.event(now_ms)))
}

/// A slash command, however it came.
pub(crate) struct Slash {
    pub team: String,
    pub channel: String,
    pub user: String,
    pub user_name: Option<String>,
    pub trigger: String,
    pub text: String,
}

impl Slash {
    pub fn event(self, now_ms: i64) -> Incoming {
        let place = Place::channel(self.team, self.channel);
        Incoming {
            dedupe_id: format!("slash:{}", self.trigger),
            delivery_id: self.trigger,
            thread: place.thread(),
            anchor: place.anchor(),
            sender: Sender { id: self.user, name: self.user_name },
            addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
            what: What::Command { text: plain_text(&self.text, None) },
            received_at_ms: now_ms,
        }
    }
}

/// A press, or a form that was filled in, if that is what happened.
pub(crate) fn of_interaction(happened: SlackInteractionEvent, now_ms: i64) -> Option<Incoming> {
    match happened {
        SlackInteractionEvent::BlockActions(press) => press_event(press, now_ms),
        SlackInteractionEvent::ViewSubmission(submission) => crate::form::filled(submission, now_ms),
        _ => None,
    }
}

fn boxed(event: Option<Incoming>) -> Parsed {
    event.map_or(Parsed::Nothing, |e| Parsed::Event(Box::new(e)))
}

/// What a message or a mention have in common.
struct Said {
    channel: String,
    ts: String,
    thread_ts: Option<String>,
    user: String,
    text: String,
    dm: bool,
    mention: bool,
}

/// What the Events API tells.
pub(crate) fn of_callback(callback: SlackPushEventCallback, now_ms: i64) -> Option<Incoming> {
    let team = callback.team_id.0;
    let bot = callback.authorizations.and_then(|a| a.into_iter().next()).map(|a| a.user_id.0);
    let said = match callback.event {
        SlackEventCallbackBody::AppMention(e) => Said {
            channel: e.channel.0,
            ts: e.origin.ts.0,
            thread_ts: e.origin.thread_ts.map(|t| t.0),
            user: e.user.0,
            text: e.content.text.unwrap_or_default(),
            dm: false,
            mention: true,
        },
        SlackEventCallbackBody::Message(e) => message_said(e, bot.as_deref())?,
        SlackEventCallbackBody::MemberLeftChannel(e) if bot.as_deref() == Some(e.user.0.as_str()) => {
            return Some(happened(What::Left, Place::channel(team, e.channel.0), String::new(), callback.event_id.0, now_ms));
        }
        SlackEventCallbackBody::AppHomeOpened(e) if e.tab.as_deref().is_none_or(|tab| tab == "home") => {
            let place = Place { home_of: Some(e.user.0.clone()), ..Place::channel(team, e.channel.0) };
            return Some(happened(What::Home, place, e.user.0, callback.event_id.0, now_ms));
        }
        SlackEventCallbackBody::AssistantThreadStarted(e) => {
            let opened = e.assistant_thread;
            let place = Place { thread_ts: Some(opened.thread_ts.0), opened: true, ..Place::channel(team, opened.channel_id.0) };
            return Some(happened(What::Opened, place, opened.user_id.0, callback.event_id.0, now_ms));
        }
        SlackEventCallbackBody::AgentSessionStopped(e) => {
            let place = Place { thread_ts: e.thread_ts.map(|t| t.0), ..Place::channel(team, e.channel.0) };
            return Some(happened(What::Text { text: "stop".into() }, place, e.user?.0, callback.event_id.0, now_ms));
        }
        SlackEventCallbackBody::LinkShared(e) => return link_shared(e, team, callback.event_id.0, now_ms),
        SlackEventCallbackBody::AppUninstalled(_) => {
            return Some(happened(What::Left, Place::channel(team, String::new()), String::new(), callback.event_id.0, now_ms));
        }
        _ => return None,
    };
    if bot.as_deref() == Some(said.user.as_str()) {
        return None;
    }
    let addressed = match (said.dm, said.mention, &said.thread_ts) {
        (true, _, _) => Addressed::Dm,
        (false, true, _) => Addressed::Mention,
        (false, false, Some(_)) => Addressed::FollowUp,
        (false, false, None) => return None,
    };
    let thread_ts = if said.dm { said.thread_ts } else { Some(said.thread_ts.unwrap_or_else(|| said.ts.clone())) };
    let place = Place { thread_ts, ..Place::channel(team, said.channel.clone()) };
    Some(Incoming {
        delivery_id: callback.event_id.0,
        // A mention comes twice, as `message` and as `app_mention`, with the same time stamp.
        dedupe_id: format!("{}:{}", said.channel, said.ts),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { id: said.user, name: None },
        addressed,
        what: What::Text { text: plain_text(&said.text, bot.as_deref()) },
        received_at_ms: now_ms,
    })
}

fn message_said(e: SlackMessageEvent, bot: Option<&str>) -> Option<Said> {
    let said_by_person = matches!(
        e.subtype,
        None | Some(SlackMessageEventType::FileShare | SlackMessageEventType::ThreadBroadcast | SlackMessageEventType::MeMessage)
    );
    if !said_by_person || e.sender.bot_id.is_some() || e.hidden == Some(true) {
        return None;
    }
    let text = e.content.and_then(|c| c.text).unwrap_or_default();
    let channel = e.origin.channel?.0;
    Some(Said {
        dm: channel.starts_with('D'),
        mention: bot.is_some_and(|b| text.contains(&format!("<@{b}>")) || text.contains(&format!("<@{b}|"))),
        channel,
        ts: e.origin.ts.0,
        thread_ts: e.origin.thread_ts.map(|t| t.0),
        user: e.sender.user?.0,
        text,
    })
}

/// What happens beside messages: known by the id of its event.
fn happened(what: What, place: Place, user: String, event_id: String, now_ms: i64) -> Incoming {
    Incoming {
        dedupe_id: format!("event:{event_id}"),
        delivery_id: event_id,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { id: user, name: None },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what,
        received_at_ms: now_ms,
    }
}

/// The first link of a message that people see where the bot is a member; not of one that is still being written.
fn link_shared(e: SlackLinkSharedEvent, team: String, event_id: String, now_ms: i64) -> Option<Incoming> {
    let sent = e.is_bot_user_member && e.source.as_deref() != Some("composer");
    let url = e.links.into_iter().next().filter(|_| sent)?.url;
    let below = Shared { url: url.to_string(), ts: e.message_ts.0 };
    let place = Place { below: Some(below), ..Place::channel(team, e.channel.0) };
    Some(happened(What::Link { url }, place, e.user.0, event_id, now_ms))
}

fn press_event(press: SlackInteractionBlockActionsEvent, now_ms: i64) -> Option<Incoming> {
    let action = press.actions?.into_iter().next()?.value?;
    let user = press.user?;
    let (place, message) = match (press.container, press.view) {
        (SlackInteractionActionContainer::Message(container), _) => {
            let channel = container.channel_id.map(|c| c.0).or(press.channel.map(|c| c.id.0))?;
            let ts = container.message_ts.0;
            let thread_ts = press.message.and_then(|m| m.origin.thread_ts).map(|t| t.0);
            let here = Place { thread_ts, ..Place::channel(press.team.id.0, channel) };
            let message = message_ref(&here, &ts);
            let thread_ts = here.thread_ts.clone().or_else(|| (!here.is_dm()).then_some(ts));
            (Place { thread_ts, ..here }, Some(message))
        }
        // App Home tells nothing of a channel; the direct messages of whoever sees it were noted when it was made.
        (SlackInteractionActionContainer::View(_), Some(SlackView::Home(view))) => {
            (Place::channel(press.team.id.0, view.private_metadata?), None)
        }
        _ => return None,
    };
    Some(Incoming {
        delivery_id: press.trigger_id.0.clone(),
        dedupe_id: format!("press:{}", press.trigger_id.0),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender { id: user.id.0, name: user.name },
        addressed: Addressed::Mention,
        what: What::Press { action, message },
        received_at_ms: now_ms,
    })
}

/// Slack's text as people typed it: mentions of the bot gone, links and entities in plain.
fn plain_text(text: &str, bot: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let Some(end) = rest[start..].find('>').map(|e| e + start) else { break };
        let inner = &rest[start + 1..end];
        let (target, label) = inner.split_once('|').map_or((inner, None), |(t, l)| (t, Some(l)));
        match target.chars().next() {
            Some('@') if bot == Some(&target[1..]) => {}
            Some('@' | '#') => out.push_str(&format!("{}{}", &target[..1], label.unwrap_or(&target[1..]))),
            Some('!') => out.push_str(label.unwrap_or_default()),
            _ => out.push_str(target),
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    let words = out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    words.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_text_becomes_what_people_typed() {
        let text = "<@UBOT> set Status to &lt;Done&gt; for <@U2|dana>, see <https://x.test/a|x> &amp; <!here> <#C1|plan>";
        assert_eq!(plain_text(text, Some("UBOT")), "set Status to <Done> for @dana, see https://x.test/a & #plan");
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
