//! Activities of the Bot Framework, as events of the port. What is not for the bot ends here.

use chat::{AMENDED_WITHIN_MS, Addressed, Anchor, Incoming, Mentioned, MessageRef, Platform, Sender, Standing, ThreadKey, What};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The mark between a channel and the root of a thread in it.
const ROOT: &str = ";messageid=";
/// Commands are typed like this; the rest of the line is what is meant.
const COMMAND: &str = "/sheet";

/// An activity; only what is needed of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Activity {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// When it happened.
    #[serde(deserialize_with = "or_default")]
    timestamp: String,
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    #[serde(deserialize_with = "or_default")]
    pub action: String,
    #[serde(deserialize_with = "or_default")]
    pub text: String,
    #[serde(deserialize_with = "or_default")]
    pub channel_id: String,
    #[serde(deserialize_with = "or_default")]
    pub service_url: String,
    pub reply_to_id: Option<String>,
    pub local_timezone: Option<String>,
    pub locale: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub from: Account,
    #[serde(deserialize_with = "or_default")]
    pub recipient: Account,
    #[serde(deserialize_with = "or_default")]
    pub conversation: Conversation,
    #[serde(deserialize_with = "or_default")]
    pub entities: Vec<Entity>,
    #[serde(deserialize_with = "or_default")]
    pub channel_data: ChannelData,
    #[serde(deserialize_with = "or_default")]
    pub members_removed: Vec<Account>,
    pub value: Value,
    pub attachments: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Account {
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    pub name: Option<String>,
    pub role: Option<String>,
    /// Of the one who receives: nobody else sees the message.
    #[serde(deserialize_with = "or_default")]
    pub is_targeted: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Conversation {
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    #[serde(deserialize_with = "or_default")]
    pub conversation_type: String,
    pub tenant_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entity {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    pub text: Option<String>,
    /// Of the entity `clientInfo`.
    pub timezone: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub mentioned: Account,
    /// Of the entity `quotedReply`, which some clients have in an object of its own.
    pub quoted_reply: Option<Quoted>,
    #[serde(flatten)]
    pub quoted: Quoted,
}

/// A message that is quoted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Quoted {
    pub sender_name: Option<String>,
    /// Its first words.
    pub preview: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ChannelData {
    #[serde(deserialize_with = "or_default")]
    pub tenant: Tenant,
    #[serde(deserialize_with = "or_default")]
    pub team: Tenant,
    /// What became of a message that is told anew.
    #[serde(deserialize_with = "or_default")]
    pub event_type: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tenant {
    #[serde(deserialize_with = "or_default")]
    pub id: String,
}

/// What is null is as if it were not there.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Where to post: the private part of [`Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub tenant: String,
    pub service_url: String,
    /// As Teams names it, with the root of the thread in it.
    pub conversation: String,
    pub bot: String,
    /// A conversation with one person.
    pub personal: bool,
    /// A channel, outside of its threads: what is posted there opens one.
    #[serde(default)]
    pub top: bool,
    /// The team that the channel belongs to: its people are listed there, not in the thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

impl Place {
    pub fn anchor(&self) -> Anchor {
        Anchor(serde_json::to_string(self).unwrap_or_default())
    }

    pub fn read(anchor: &Anchor) -> Option<Self> {
        serde_json::from_str(&anchor.0).ok()
    }

    pub fn thread(&self) -> ThreadKey {
        let (conversation, root) = match self.conversation.split_once(ROOT) {
            Some((conversation, root)) => (conversation, Some(root.to_owned())),
            None => (self.conversation.as_str(), None),
        };
        ThreadKey { platform: Platform::Teams, install: self.tenant.clone(), conversation: conversation.to_owned(), root }
    }

    /// The address of a message.
    pub fn message(&self, id: &str) -> MessageRef {
        let inside = self.below(id);
        let place = At { service_url: self.service_url.clone(), conversation: inside.conversation.clone(), id: id.to_owned() };
        let opens = self.top.then(|| (inside.thread(), inside.anchor()));
        MessageRef { place: serde_json::to_string(&place).unwrap_or_default(), opens }
    }

    /// Where what comes after a message goes: at the top of a channel into the thread that it opens.
    pub fn below(&self, message: &str) -> Self {
        if !self.top {
            return self.clone();
        }
        Self { conversation: format!("{}{ROOT}{message}", self.conversation), top: false, ..self.clone() }
    }
}

/// The private part of a message's address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct At {
    pub service_url: String,
    pub conversation: String,
    pub id: String,
}

impl At {
    pub fn read(at: &MessageRef) -> Option<Self> {
        serde_json::from_str(&at.place).ok()
    }

    /// Where the message stands, as far as its address tells.
    pub fn place(&self) -> Place {
        let (service_url, conversation) = (self.service_url.clone(), self.conversation.clone());
        Place { tenant: String::new(), service_url, conversation, bot: String::new(), personal: false, top: false, team: None }
    }
}

/// The event that an activity is for the bot, if any.
pub(crate) fn parse(activity: &Activity, now_ms: i64) -> Option<Incoming> {
    let own =
        activity.from.id == activity.recipient.id || activity.from.role.as_deref() == Some("bot") || activity.from.id.starts_with("28:");
    if own || activity.from.id.is_empty() || activity.conversation.id.is_empty() {
        return None;
    }
    let (what, addressed) = match activity.kind.as_str() {
        "message" => said(activity)?,
        "messageUpdate" if activity.changes_a_recent_one() => said(activity)?,
        "invoke" if activity.name == "adaptiveCard/action" => {
            let data = &activity.value["action"]["data"];
            (pressed(activity, data)?, addressed(activity, true))
        }
        // Whoever updates the app brings `add-upgrade` and `remove-upgrade`: it stays.
        "installationUpdate" if activity.action == "add" => {
            let what = if is_personal(activity) { What::Opened } else { What::Added };
            (what, addressed(activity, true))
        }
        "installationUpdate" if activity.action == "remove" => (What::Left, Addressed::Mention),
        "conversationUpdate" if activity.members_removed.iter().any(|m| m.id == activity.recipient.id) => (What::Left, Addressed::Mention),
        _ => return None,
    };
    let place = place(activity);
    let beside = if matches!(what, What::Text { .. }) { crate::beside::read(activity) } else { Vec::new() };
    let kind = match what {
        What::Press { .. } => "press:",
        What::Left => "left:",
        What::Opened | What::Added => "opened:",
        What::Text { .. } | What::Command { .. } | What::Filled { .. } | What::Home | What::Link { .. } | What::Moved { .. } => "",
    };
    let thread = place.thread();
    // Somebody of another tenant in a conversation of this one.
    let home = Some(activity.channel_data.tenant.id.clone()).filter(|home| !home.is_empty() && *home != place.tenant);
    Some(Incoming {
        delivery_id: activity.id.clone(),
        dedupe_id: format!("{kind}{}:{}", thread.conversation, activity.id),
        thread,
        anchor: place.anchor(),
        sender: Sender {
            id: activity.from.id.clone(),
            name: activity.from.name.as_deref().map(chat::text::clean),
            time_zone: activity.time_zone(),
            locale: activity.locale.clone(),
            standing: if home.is_some() { Standing::External } else { Standing::Unknown },
            home,
        },
        addressed,
        what,
        beside,
        mentions: mentions(activity),
        amends: activity.kind == "messageUpdate",
        received_at_ms: now_ms,
    })
}

impl Entity {
    /// How the words name a person in the end.
    fn written(&self) -> String {
        format!("@{}", self.mentioned.name.as_deref().unwrap_or_default())
    }

    /// How the text writes this mention, if it does: an entity without a text of its own is marked by the name.
    fn mark_in(&self, text: &str) -> Option<String> {
        let name = self.mentioned.name.as_deref().unwrap_or_default();
        let escaped = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let marks = [self.text.clone(), Some(format!("<at>{name}</at>")), Some(format!("<at>{escaped}</at>"))];
        marks.into_iter().flatten().find(|mark| !mark.is_empty() && text.contains(mark.as_str()))
    }
}

impl Activity {
    /// Whether it changes a message that was written a short while before: ids of messages are the time, in milliseconds.
    fn changes_a_recent_one(&self) -> bool {
        let (changed, written_ms) = (self.timestamp.parse::<Timestamp>(), self.id.parse::<i64>());
        let after_ms = changed.ok().zip(written_ms.ok()).map(|(at, written_ms)| at.as_millisecond() - written_ms);
        self.channel_data.event_type == "editMessage" && after_ms.is_some_and(|after_ms| after_ms < AMENDED_WITHIN_MS)
    }

    /// The time zone of whoever sent it: beside the message, or in the entity that tells of their client.
    fn time_zone(&self) -> Option<String> {
        self.local_timezone.clone().or_else(|| self.entities.iter().find_map(|e| e.timezone.clone()))
    }
}

/// A conversation without the root of a thread.
pub(crate) fn bare(conversation: &str) -> &str {
    conversation.split(ROOT).next().unwrap_or_default()
}

/// Where an activity happened. A post in a channel that answers nothing opens a thread; a command that nobody else sees opens
/// none, and speaks of the channel; what is posted to everybody because of it opens one.
pub(crate) fn place(activity: &Activity) -> Place {
    let conversation = &activity.conversation;
    let top = conversation.conversation_type == "channel" && !conversation.id.contains(ROOT);
    // Who installs the app has posted nothing.
    let opens = top && !activity.recipient.is_targeted && activity.kind != "installationUpdate";
    let tenant = conversation.tenant_id.clone().filter(|t| !t.is_empty()).unwrap_or_else(|| activity.channel_data.tenant.id.clone());
    let root = activity.reply_to_id.as_deref().filter(|_| activity.kind == "invoke").unwrap_or(&activity.id);
    Place {
        tenant,
        service_url: activity.service_url.clone(),
        conversation: if opens { format!("{}{ROOT}{root}", conversation.id) } else { conversation.id.clone() },
        bot: activity.recipient.id.clone(),
        personal: is_personal(activity),
        top: top && !opens,
        team: Some(activity.channel_data.team.id.clone()).filter(|team| !team.is_empty()),
    }
}

fn is_personal(activity: &Activity) -> bool {
    activity.conversation.conversation_type == "personal"
}

fn addressed(activity: &Activity, mentioned: bool) -> Addressed {
    match (is_personal(activity), mentioned) {
        (true, _) => Addressed::Dm,
        (false, true) => Addressed::Mention,
        (false, false) => Addressed::FollowUp,
    }
}

/// The people whom the words name, other than the bot.
fn mentions(activity: &Activity) -> Vec<Mentioned> {
    let people = activity.entities.iter().filter(|e| e.kind == "mention" && !is_me(&e.mentioned.id, &activity.recipient.id));
    people.map(|e| Mentioned::person(&e.mentioned.id, e.written())).collect()
}

fn said(activity: &Activity) -> Option<(What, Addressed)> {
    // A card of the older kind sends what was pressed as a message without text.
    if activity.text.trim().is_empty() && activity.value.is_object() {
        return Some((pressed(activity, &activity.value)?, addressed(activity, true)));
    }
    let mut text = crate::beside::own_words(&activity.text, &activity.attachments);
    let (mut mentioned, mut others) = (false, false);
    for entity in activity.entities.iter().filter(|e| e.kind == "mention") {
        let Some(marked) = entity.mark_in(&text) else { continue };
        if is_me(&entity.mentioned.id, &activity.recipient.id) {
            mentioned = true;
            text = chat::text::without(&text.replace("&nbsp;", " "), &marked);
        } else {
            others = true;
            // Two people may be shortened to the same word: each entity is one of them, in the order of the text.
            let alike = activity.entities.iter().filter(|e| e.text == entity.text && e.mentioned.id != entity.mentioned.id).count();
            let times = if alike == 0 { usize::MAX } else { 1 };
            text = text.replacen(&marked, &entity.written(), times);
        }
    }
    let words = unescaped(&text);
    let words = words.trim().to_owned();
    let command = words.strip_prefix(COMMAND).filter(|rest| rest.is_empty() || rest.starts_with(' ')).map(str::trim);
    // A command of the slash menu is seen by nobody else.
    let alone = activity.recipient.is_targeted;
    let what = match command {
        Some(rest) => What::Command { text: rest.to_owned() },
        None if alone => What::Command { text: words.trim_start_matches('/').to_owned() },
        None => What::Text { text: words },
    };
    let addressed = addressed(activity, mentioned || alone);
    // In a thread the bot keeps out of what is said to somebody else, and of pictures without words.
    let silent = addressed == Addressed::FollowUp && (others || matches!(&what, What::Text { text } if text.is_empty()));
    (!silent).then_some((what, addressed))
}

/// The bot is called `28:APPLICATION`, or by the application alone.
fn is_me(id: &str, me: &str) -> bool {
    let bare = |id: &str| id.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
    !id.is_empty() && bare(id) == bare(me)
}

/// Text comes with the few entities that Teams writes.
pub(crate) fn unescaped(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace('\u{a0}', " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

fn pressed(activity: &Activity, data: &Value) -> Option<What> {
    let action = data["action"].as_str()?.to_owned();
    let message = activity.reply_to_id.as_deref().map(|id| place(activity).message(id));
    Some(What::Press { action, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn heard(text: &str, conversation: &Value, mentioned: &str) -> Option<Incoming> {
        let entity = json!({ "type": "mention", "text": "<at>Chat Sheet</at>", "mentioned": { "id": mentioned, "name": "Chat Sheet" } });
        let activity = json!({
            "type": "message", "id": "5", "text": text, "serviceUrl": "https://smba.trafficmanager.net/emea/", "channelId": "msteams",
            "from": { "id": "29:lee", "name": "Lee" }, "recipient": { "id": "28:app" }, "conversation": conversation, "entities": [entity],
        });
        parse(&serde_json::from_value(activity).expect("an activity"), 0)
    }

    #[test]
    fn an_upgrade_of_the_app_is_neither_its_removal_nor_its_installation() {
        let happened = |action: &str| {
            let activity = json!({
                "type": "installationUpdate", "action": action, "id": "5", "serviceUrl": "https://smba.trafficmanager.net/emea/", "from": { "id": "29:lee" },
                "recipient": { "id": "28:app" }, "conversation": { "id": "a:1", "conversationType": "personal", "tenantId": "t" },
            });
            parse(&serde_json::from_value(activity).expect("an activity"), 0).map(|event| event.what)
        };
        assert_eq!(happened("add"), Some(What::Opened));
        assert_eq!(happened("remove"), Some(What::Left));
        assert_eq!((happened("add-upgrade"), happened("remove-upgrade")), (None, None));
    }

    #[test]
    fn threads_mentions_and_commands_are_found() {
        let channel = json!({ "id": "19:plan@thread.tacv2", "conversationType": "channel", "tenantId": "t" });
        let event = heard("<at>Chat Sheet</at>&nbsp;which tasks are <late>?", &channel, "28:APP").expect("for the bot");
        assert_eq!((event.addressed, event.what), (Addressed::Mention, What::Text { text: "which tasks are <late>?".into() }));
        assert_eq!(event.thread.root.as_deref(), Some("5"), "a post opens a thread");
        let inside = json!({ "id": "19:plan@thread.tacv2;messageid=3", "conversationType": "channel", "tenantId": "t" });
        assert!(heard("and <at>Chat Sheet</at>?", &inside, "29:mia").is_none(), "said to somebody else");
        let event = heard("and how many are late?", &inside, "").expect("heard");
        assert_eq!((event.addressed, event.what), (Addressed::FollowUp, What::Text { text: "and how many are late?".into() }));
        assert_eq!((event.thread.conversation.as_str(), event.thread.root.as_deref()), ("19:plan@thread.tacv2", Some("3")));
        let targeted = json!({
            "type": "message", "id": "6", "text": "/help", "serviceUrl": "https://smba.trafficmanager.net/emea/", "channelId": "msteams",
            "from": { "id": "29:lee", "name": "Lee" }, "recipient": { "id": "28:app", "isTargeted": true }, "conversation": inside,
        });
        let event = parse(&serde_json::from_value(targeted).expect("an activity"), 0).expect("for the bot");
        assert_eq!(
            (event.addressed, event.what),
            (Addressed::Mention, What::Command { text: "help".into() }),
            "by the menu of slash commands"
        );
        let top = json!({
            "type": "message", "id": "7", "text": "/use Budget", "serviceUrl": "https://smba.trafficmanager.net/emea/", "channelId": "msteams",
            "from": { "id": "29:lee", "name": "Lee" }, "recipient": { "id": "28:app", "isTargeted": true }, "conversation": channel,
        });
        let event = parse(&serde_json::from_value(top).expect("an activity"), 0).expect("for the bot");
        assert_eq!((event.thread.conversation.as_str(), event.thread.root), ("19:plan@thread.tacv2", None), "it speaks of the channel");
        let alone = json!({ "id": "a:1", "conversationType": "personal", "tenantId": "t" });
        let event = heard("assign it to <at>Chat Sheet</at>", &alone, "29:mia").expect("for the bot");
        assert_eq!((event.addressed, event.what), (Addressed::Dm, What::Text { text: "assign it to @Chat Sheet".into() }));
        let event = heard("/sheet use Budget", &alone, "").expect("for the bot");
        assert_eq!((event.addressed, event.what, event.thread.root), (Addressed::Dm, What::Command { text: "use Budget".into() }, None));
    }

    #[test]
    fn people_who_are_shortened_alike_are_told_apart() {
        let dana = |id: &str, name: &str| json!({ "type": "mention", "text": "<at>Dana</at>", "mentioned": { "id": id, "name": name } });
        let group = json!({ "type": "mention", "mentioned": { "id": "28:app", "name": "Test (R&D)" } });
        let activity = json!({
            "type": "message", "id": "5", "text": "<at>Test (R&amp;D)</at> assign A to <at>Dana</at> and B to <at>Dana</at>",
            "serviceUrl": "https://smba.trafficmanager.net/emea/", "from": { "id": "29:lee" }, "recipient": { "id": "28:app" },
            "conversation": { "id": "a:1", "conversationType": "groupChat", "tenantId": "t" },
            "entities": [group, dana("29:r", "Dana Reyes"), dana("29:c", "Dana Cho")],
        });
        let event = parse(&serde_json::from_value(activity).expect("an activity"), 0).expect("for the bot");
        assert_eq!(event.what, What::Text { text: "assign A to @Dana Reyes and B to @Dana Cho".into() });
    }

    #[test]
    fn odd_activities_are_nothing() {
        for odd in [
            "{}",
            "{\"type\":\"message\"}",
            "{\"type\":\"invoke\",\"name\":\"task/fetch\",\"from\":{\"id\":\"29:a\"},\"conversation\":{\"id\":\"x\"}}",
        ] {
            let activity: Activity = serde_json::from_str(odd).expect("an activity");
            assert!(parse(&activity, 0).is_none(), "{odd}");
        }
    }
}
