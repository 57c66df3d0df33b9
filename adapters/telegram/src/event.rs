//! What Telegram sends, as events of the port. What is not for the bot ends here.

use chat::{Addressed, Anchor, Incoming, MessageRef, Platform, Sender, ThreadKey, What};
use serde::{Deserialize, Serialize};
use teloxide::types::{
    CallbackQuery, ChatId, ChatMemberUpdated, Me, MediaKind, Message, MessageEntity, MessageEntityKind, MessageEntityRef, MessageId,
    MessageKind, ThreadId, Update, UpdateKind, User,
};

/// The command that takes a question or a short word: `/sheet use Budget`.
const COMMAND: &str = "sheet";

/// Where to post: the private part of [`Anchor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub bot: String,
    pub chat: ChatId,
    /// The topic, in chats that have them.
    pub topic: Option<ThreadId>,
    /// The message of a group that is answered.
    pub answers: Option<MessageId>,
}

impl Place {
    pub fn anchor(&self) -> Anchor {
        Anchor(serde_json::to_string(self).unwrap_or_default())
    }

    pub fn read(anchor: &Anchor) -> Option<Self> {
        serde_json::from_str(&anchor.0).ok()
    }

    /// People have positive ids, groups negative ones.
    pub fn is_private(&self) -> bool {
        self.chat.is_user()
    }

    pub fn thread(&self) -> ThreadKey {
        ThreadKey {
            platform: Platform::Telegram,
            install: self.bot.clone(),
            conversation: self.chat.to_string(),
            root: self.topic.map(|t| t.to_string()),
        }
    }
}

/// The address of a message. What replies to it arrives in the same chat or topic.
pub(crate) fn message_ref(place: &Place, id: MessageId) -> MessageRef {
    let topic = place.topic.map(|topic| format!("/{}", topic.0)).unwrap_or_default();
    MessageRef { place: format!("{}:{id}{topic}", place.chat), opens: None }
}

/// Where a message is: its chat, itself, its topic.
pub(crate) fn address(at: &MessageRef) -> Option<(ChatId, MessageId, Option<ThreadId>)> {
    let (message, topic) = at.place.split_once('/').map_or((at.place.as_str(), None), |(message, topic)| (message, Some(topic)));
    let (chat, id) = message.split_once(':')?;
    let topic = topic.and_then(|topic| topic.parse().ok()).map(|topic| ThreadId(MessageId(topic)));
    Some((ChatId(chat.parse().ok()?), MessageId(id.parse().ok()?), topic))
}

/// An event for the bot, if the update is one.
pub(crate) fn parse(update: Update, me: &Me, now_ms: i64) -> Option<Incoming> {
    let delivery = update.id.0.to_string();
    match update.kind {
        UpdateKind::Message(message) => said(message, me, delivery, now_ms),
        UpdateKind::CallbackQuery(query) => press(query, me, delivery, now_ms),
        UpdateKind::MyChatMember(change) => left(change, me, delivery, now_ms),
        UpdateKind::Error(_) => {
            tracing::debug!(delivery, "an update of an unknown kind was left out");
            None
        }
        _ => None,
    }
}

fn said(message: Message, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    if let Some(old) = message.migrate_from_chat_id().copied() {
        return Some(moved(&message, old, me, delivery, now_ms));
    }
    let from = message.from.clone()?;
    // Whoever writes as the group itself cannot be told from others who do.
    if from.is_bot || message.chat.is_channel() || message.via_bot.is_some() {
        return None;
    }
    let (words, entities) = text_of(&message)?;
    let place = Place {
        bot: me.id.to_string(),
        chat: message.chat.id,
        topic: message.thread_id.filter(|_| message.is_topic_message),
        answers: (!message.chat.is_private()).then_some(message.id),
    };
    let (what, addressed) = addressed(&message, words, &entities, me)?;
    Some(Incoming {
        delivery_id: delivery,
        dedupe_id: format!("{}:{}", message.chat.id, message.id),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&from),
        addressed,
        what,
        received_at_ms: now_ms,
    })
}

/// A group became a supergroup, which has another id.
fn moved(message: &Message, old: ChatId, me: &Me, delivery: String, now_ms: i64) -> Incoming {
    let place = Place { bot: me.id.to_string(), chat: message.chat.id, topic: None, answers: None };
    let from = Place { chat: old, ..place.clone() }.thread();
    Incoming {
        delivery_id: delivery,
        dedupe_id: format!("moved:{old}"),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: Sender::default(),
        addressed: Addressed::Mention,
        what: What::Moved { from },
        received_at_ms: now_ms,
    }
}

fn sender(user: &User) -> Sender {
    Sender {
        id: user.id.to_string(),
        name: Some(chat::text::clean(&user.full_name())),
        locale: user.language_code.clone(),
        ..Sender::default()
    }
}

/// Text, or what is written under a picture or file; service messages have none.
fn text_of(message: &Message) -> Option<(String, Vec<MessageEntity>)> {
    let MessageKind::Common(common) = &message.kind else { return None };
    match &common.media_kind {
        MediaKind::Text(text) => Some((text.text.clone(), text.entities.clone())),
        _ => Some((message.caption()?.to_owned(), message.caption_entities().unwrap_or_default().to_vec())),
    }
}

/// What was said, and how the bot was addressed; `None` when it was not.
fn addressed(message: &Message, words: String, entities: &[MessageEntity], me: &Me) -> Option<(What, Addressed)> {
    let marks = MessageEntityRef::parse(&words, entities);
    let private = message.chat.is_private();
    if let Some(command) = marks.iter().find(|m| *m.kind() == MessageEntityKind::BotCommand && m.start() == 0) {
        let (name, of) = command.text()[1..].split_once('@').unwrap_or((&command.text()[1..], me.username()));
        if !of.eq_ignore_ascii_case(me.username()) {
            return None;
        }
        let rest = words[command.end()..].trim();
        let text = match name.to_ascii_lowercase().as_str() {
            COMMAND => rest.to_owned(),
            "start" => "help".to_owned(),
            other => format!("{other} {rest}").trim().to_owned(),
        };
        return Some((What::Command { text }, if private { Addressed::Dm } else { Addressed::Mention }));
    }
    let mut mentioned = false;
    let mut kept = String::with_capacity(words.len());
    let mut from = 0;
    for mark in &marks {
        let is_me = match mark.kind() {
            MessageEntityKind::Mention => mark.text()[1..].eq_ignore_ascii_case(me.username()),
            MessageEntityKind::TextMention { user } => user.id == me.id,
            _ => false,
        };
        if is_me && mark.start() >= from {
            mentioned = true;
            kept.push_str(&words[from..mark.start()]);
            // With one of the spaces around it.
            let space = words[mark.end()..].starts_with(' ') && (kept.is_empty() || kept.ends_with(' '));
            from = mark.end() + usize::from(space);
        }
    }
    kept.push_str(&words[from..]);
    // What is said to somebody else is not for the bot.
    let calls_somebody = marks.iter().any(|m| matches!(m.kind(), MessageEntityKind::Mention | MessageEntityKind::TextMention { .. }));
    let answered = message.reply_to_message().and_then(|m| m.from.as_ref()).is_some_and(|u| u.id == me.id);
    let addressed = match (private, mentioned || answered) {
        (true, _) => Addressed::Dm,
        (false, true) => Addressed::Mention,
        // A topic is a thread; a whole group is not, and the bot stays out of what it is not asked.
        (false, false) if message.is_topic_message && !calls_somebody => Addressed::FollowUp,
        (false, false) => return None,
    };
    let text = kept.trim().to_owned();
    Some((What::Text { text }, addressed))
}

fn press(query: CallbackQuery, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    let action = query.data?;
    let carrier = query.message?;
    let (topic, answers) = match carrier.regular_message() {
        Some(m) => (m.thread_id.filter(|_| m.is_topic_message), m.reply_to_message().map(|m| m.id)),
        None => (None, None),
    };
    let place = Place { bot: me.id.to_string(), chat: carrier.chat().id, topic, answers };
    Some(Incoming {
        delivery_id: delivery,
        dedupe_id: format!("press:{}", query.id),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&query.from),
        addressed: if place.is_private() { Addressed::Dm } else { Addressed::Mention },
        what: What::Press { action, message: Some(message_ref(&place, carrier.id())) },
        received_at_ms: now_ms,
    })
}

/// The bot was removed from a group, or blocked by a person.
fn left(change: ChatMemberUpdated, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    if change.new_chat_member.user.id != me.id || change.new_chat_member.is_present() {
        return None;
    }
    let place = Place { bot: me.id.to_string(), chat: change.chat.id, topic: None, answers: None };
    Some(Incoming {
        dedupe_id: format!("left:{delivery}"),
        delivery_id: delivery,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&change.from),
        addressed: Addressed::Mention,
        what: What::Left,
        received_at_ms: now_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn me() -> Me {
        serde_json::from_value(json!({
            "id": 7, "is_bot": true, "first_name": "Chatsheet", "username": "chatsheet_bot", "can_join_groups": true,
            "can_read_all_group_messages": false, "supports_inline_queries": false, "can_connect_to_business": false, "has_main_web_app": false,
        }))
        .expect("a bot")
    }

    fn update(json: &Value) -> Update {
        serde_json::from_str(&json.to_string()).expect("an update")
    }

    fn group(text: &str, entities: &Value) -> Option<(What, Addressed)> {
        let message = json!({
            "message_id": 5, "date": 1_795_305_600, "text": text, "entities": entities, "from": { "id": 1, "is_bot": false, "first_name": "Lee" },
            "chat": { "id": -100_200, "type": "supergroup", "title": "Plan" },
        });
        parse(update(&json!({ "update_id": 9, "message": message })), &me(), 0).map(|e| (e.what, e.addressed))
    }

    #[test]
    fn mentions_are_found_by_utf_16_and_taken_out() {
        let text = "🗼🗼 @Chatsheet_bot which tasks are late?";
        let heard = group(text, &json!([{ "type": "mention", "offset": 5, "length": 14 }]));
        assert_eq!(heard, Some((What::Text { text: "🗼🗼 which tasks are late?".into() }, Addressed::Mention)));
        assert_eq!(group("@other_bot hello", &json!([{ "type": "mention", "offset": 0, "length": 10 }])), None);
        assert_eq!(group("nobody is asked", &json!([])), None);
    }

    #[test]
    fn commands_are_for_the_bot_that_they_name() {
        let command = |text: &str, length: usize| group(text, &json!([{ "type": "bot_command", "offset": 0, "length": length }]));
        let words = |text: &str| Some((What::Command { text: text.into() }, Addressed::Mention));
        assert_eq!(command("/sheet use Budget", 6), words("use Budget"));
        assert_eq!(command("/undo@chatsheet_bot", 19), words("undo"));
        assert_eq!(command("/start", 6), words("help"));
        assert_eq!(command("/undo@other_bot", 15), None);
    }

    #[test]
    fn odd_updates_are_nothing() {
        for odd in
            [json!({ "update_id": 1 }), json!({ "update_id": 1, "novelty": {} }), json!({ "update_id": 1, "message": { "message_id": 1 } })]
        {
            assert!(parse(update(&odd), &me(), 0).is_none(), "{odd}");
        }
    }
}
