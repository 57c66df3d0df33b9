//! What Telegram sends, as events of the port. What is not for the bot ends here.

use crate::beside;
use crate::wire::{Entity, Membership, Message, Press, Update, User};
use chat::{AMENDED_WITHIN_MS, Addressed, Anchor, Beside, Incoming, Mentioned, MessageRef, Platform, Quote, Sender, ThreadKey, What};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use teloxide::types::{CallbackQueryId, ChatId, Me, MessageId, ThreadId, UserId};

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
pub(crate) fn parse(update: &Update, me: &Me, now_ms: i64) -> Option<Incoming> {
    let delivery = update.id.to_string();
    if let Some(message) = update.read::<Message>("message") {
        return said(&message, me, delivery, now_ms);
    }
    if let Some(message) = update.read::<Message>("edited_message") {
        let recent = message.edited_after_ms().is_some_and(|after_ms| after_ms < AMENDED_WITHIN_MS);
        return said(&message, me, delivery, now_ms).filter(|_| recent).map(|event| Incoming { amends: true, ..event });
    }
    if let Some(query) = update.read::<Press>("callback_query") {
        return press(query, me, delivery, now_ms);
    }
    came_or_left(&update.read::<Membership>("my_chat_member")?, me, delivery, now_ms)
}

/// The press of an update, to be acknowledged: its id, and whose it is.
pub(crate) fn pressed(update: &Update) -> Option<(CallbackQueryId, UserId)> {
    let query = update.kinds.get("callback_query")?;
    Some((CallbackQueryId(query["id"].as_str()?.to_owned()), UserId(query["from"]["id"].as_u64()?)))
}

fn said(message: &Message, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    if let Some(old) = message.migrate_from_chat_id {
        return Some(moved(message, old, me, delivery, now_ms));
    }
    let from = message.from.as_ref()?;
    // Whoever writes as the group itself cannot be told from others who do.
    if from.is_bot || message.chat.is_channel() || message.more.contains_key("via_bot") {
        return None;
    }
    // In the inbox of a channel each writer has a topic of their own, in which only its managers answer. Heard without it, all writers
    // would share one conversation.
    if message.more.contains_key("direct_messages_topic") {
        return None;
    }
    let mut beside = beside::read(message, me.id);
    let (words, entities) = message.words().or_else(|| (!beside.is_empty()).then(|| (String::new(), &[] as &[Entity])))?;
    let place = Place {
        bot: me.id.to_string(),
        chat: message.chat.id,
        topic: message.topic(),
        answers: (!message.chat.is_private()).then_some(message.id()),
    };
    let mentions = mentions(&words, entities, me);
    let (mut what, addressed) = addressed(message, words, entities, me)?;
    // What is forwarded says somebody else, and somewhere else.
    if let (Some(author), What::Text { text }) = (beside::forwarded_from(message), &mut what)
        && !text.is_empty()
    {
        beside.push(Beside::Forwarded(Quote { author, text: std::mem::take(text) }));
    }
    Some(Incoming {
        delivery_id: delivery,
        dedupe_id: format!("{}:{}", message.chat.id, message.id()),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(from),
        addressed,
        what,
        beside,
        mentions,
        amends: false,
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
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    }
}

fn sender(user: &User) -> Sender {
    Sender { id: user.id.to_string(), name: Some(user.full_name()), locale: user.language_code.clone(), ..Sender::default() }
}

/// The people whom the words link, other than the bot. A `@username` tells no id, and bots cannot ask for it.
fn mentions(words: &str, entities: &[Entity], me: &Me) -> Vec<Mentioned> {
    let person = |entity: &Entity| {
        let user = entity.user.as_ref().filter(|user| entity.kind == "text_mention" && user.id != me.id)?;
        Some(Mentioned::person(user.id.to_string(), &words[entity.range(words)?]))
    };
    entities.iter().filter_map(person).collect()
}

/// What was said, and how the bot was addressed; `None` when it was not.
fn addressed(message: &Message, words: String, entities: &[Entity], me: &Me) -> Option<(What, Addressed)> {
    let marks: Vec<(&Entity, Range<usize>)> = entities.iter().filter_map(|e| Some((e, e.range(&words)?))).collect();
    let private = message.chat.is_private();
    if let Some((_, at)) = marks.iter().find(|(e, at)| e.kind == "bot_command" && at.start == 0) {
        let command = words[at.clone()].trim_start_matches('/');
        let (name, of) = command.split_once('@').unwrap_or((command, me.username()));
        if !of.eq_ignore_ascii_case(me.username()) {
            return None;
        }
        let rest = words[at.end..].trim();
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
    for (mark, at) in &marks {
        let is_me = match mark.kind.as_str() {
            "mention" => words[at.clone()].trim_start_matches('@').eq_ignore_ascii_case(me.username()),
            "text_mention" => mark.user.as_ref().is_some_and(|user| user.id == me.id),
            _ => false,
        };
        if is_me && at.start >= from {
            mentioned = true;
            kept.push_str(&words[from..at.start]);
            // With one of the spaces around it.
            let space = words[at.end..].starts_with(' ') && (kept.is_empty() || kept.ends_with(' '));
            from = at.end + usize::from(space);
        }
    }
    kept.push_str(&words[from..]);
    let text = kept.trim().to_owned();
    // What is said to somebody else is not for the bot, and neither is a picture without words.
    let calls_somebody = marks.iter().any(|(mark, _)| matches!(mark.kind.as_str(), "mention" | "text_mention"));
    let answered = message.reply_to_message.as_ref().and_then(|m| m.from.as_ref()).is_some_and(|u| u.id == me.id);
    let addressed = match (private, mentioned || answered) {
        (true, _) => Addressed::Dm,
        (false, true) => Addressed::Mention,
        // A topic is a thread; a whole group is not, and the bot stays out of what it is not asked.
        (false, false) if message.is_topic_message && !calls_somebody && !text.is_empty() => Addressed::FollowUp,
        (false, false) => return None,
    };
    Some((What::Text { text }, addressed))
}

fn press(query: Press, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    let action = query.data?;
    let carrier = query.message?;
    let topic = carrier.topic();
    let answers = carrier.reply_to_message.as_ref().map(|m| m.id());
    let place = Place { bot: me.id.to_string(), chat: carrier.chat.id, topic, answers };
    Some(Incoming {
        delivery_id: delivery,
        dedupe_id: format!("press:{}", query.id),
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&query.from),
        addressed: if place.is_private() { Addressed::Dm } else { Addressed::Mention },
        what: What::Press { action, message: Some(message_ref(&place, carrier.id())) },
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    })
}

/// The bot was removed from a group, or blocked by a person.
fn came_or_left(change: &Membership, me: &Me, delivery: String, now_ms: i64) -> Option<Incoming> {
    let what = match change.is_and_was() {
        (false, _) => What::Left,
        (true, false) if !change.chat.is_private() && !change.from.is_bot => What::Added,
        (true, _) => return None,
    };
    if change.whose() != me.id {
        return None;
    }
    let place = Place { bot: me.id.to_string(), chat: change.chat.id, topic: None, answers: None };
    Some(Incoming {
        dedupe_id: format!("membership:{delivery}"),
        delivery_id: delivery,
        thread: place.thread(),
        anchor: place.anchor(),
        sender: sender(&change.from),
        addressed: Addressed::Mention,
        what,
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chat::{Carried, Media};
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
        parse(&update(&json!({ "update_id": 9, "message": message })), &me(), 0).map(|e| (e.what, e.addressed))
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
            assert!(parse(&update(&odd), &me(), 0).is_none(), "{odd}");
        }
    }

    /// The words of a private message, and what stands beside them.
    fn private(more: Value) -> Option<(What, Vec<Beside>)> {
        let mut message = json!({
            "message_id": 5, "date": 1_795_305_600, "from": { "id": 1, "is_bot": false, "first_name": "Lee" }, "chat": { "id": 1, "type": "private" },
        });
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        parse(&update(&json!({ "update_id": 9, "message": message })), &me(), 0).map(|e| (e.what, e.beside))
    }

    fn quote(author: Option<&str>, text: &str) -> Quote {
        Quote { author: author.map(str::to_owned), text: text.to_owned() }
    }

    #[test]
    fn what_is_newer_than_we_are_loses_no_message() {
        let status = |more: Value| {
            let mut message = json!({ "text": "status", "entities": [{ "type": "brand_new", "offset": 0, "length": 6 }, { "type": 5 }] });
            message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            private(message).map(|(what, _)| what)
        };
        let right = Some(What::Text { text: "status".into() });
        let elsewhere = json!({ "origin": { "type": "user", "sender_user": { "id": 2, "first_name": "Mia" } }, "chat": { "id": -100, "type": "supergroup" } });
        assert_eq!(status(json!({ "external_reply": elsewhere })), right, "a reply to a text of another chat");
        assert_eq!(status(json!({ "reply_to_message": { "message_id": 3, "rich_message": 5 } })), right);
        assert_eq!(status(json!({ "live_photo": { "file_id": "x" } })), right);
        assert_eq!(private(json!({ "caption": "status", "live_photo": {} })).map(|(what, _)| what), right);
        let rich = json!({ "rich_message": { "blocks": [{ "type": "paragraph", "text": ["sta", { "type": "bold", "text": "tus" }] }] } });
        assert_eq!(private(rich).map(|(what, _)| what), right);
    }

    #[test]
    fn what_a_message_answers_forwards_or_carries_is_told() {
        let mia = json!({ "id": 2, "is_bot": false, "first_name": "Mia", "last_name": "Jensen" });
        let earlier =
            json!({ "message_id": 3, "date": 1, "chat": { "id": 1, "type": "private" }, "from": mia, "text": "Server room AC is broken" });
        let add = What::Text { text: "add this".into() };
        let (what, beside) = private(json!({ "text": "add this", "reply_to_message": earlier })).expect("heard");
        assert_eq!((what, beside), (add.clone(), vec![Beside::Answered(quote(Some("Mia Jensen"), "Server room AC is broken"))]));
        let part = json!({ "text": "add this", "reply_to_message": earlier, "quote": { "text": "AC is broken", "position": 12 } });
        assert_eq!(private(part).expect("heard").1, [Beside::Answered(quote(Some("Mia Jensen"), "AC is broken"))]);
        let hidden = json!({ "text": "add this", "external_reply": { "origin": { "type": "hidden_user", "sender_user_name": "X" } }, "quote": { "text": "abc" } });
        assert_eq!(private(hidden).expect("heard").1, [Beside::Answered(quote(Some("X"), "abc"))]);
        let forwarded = json!({ "text": "Server room AC is broken", "forward_origin": { "type": "user", "date": 1, "sender_user": mia } });
        let (what, beside) = private(forwarded).expect("heard");
        assert_eq!(what, What::Text { text: String::new() }, "the words are not those of whoever forwards them");
        assert_eq!(beside, [Beside::Forwarded(quote(Some("Mia Jensen"), "Server room AC is broken"))]);
        let own = json!({ "message_id": 3, "chat": { "id": 1, "type": "private" }, "from": { "id": 7, "is_bot": true, "first_name": "C" }, "text": "5 rows match." });
        assert_eq!(
            private(json!({ "text": "add this", "reply_to_message": own })),
            Some((add, Vec::new())),
            "the bot knows what it has said"
        );
        let document = json!({ "file_id": "f1", "file_name": "rows.csv", "mime_type": "text/csv", "file_size": 120 });
        let (_, beside) = private(json!({ "caption": "add these rows", "document": document })).expect("heard");
        let rows = Carried { name: Some("rows.csv".into()), media: Media::Text, size_bytes: Some(120), place: Some("f1".into()) };
        assert_eq!(beside, [Beside::File(rows)]);
        let (what, beside) = private(json!({ "voice": { "file_id": "v", "duration": 3 } })).expect("heard");
        assert_eq!(what, What::Text { text: String::new() });
        assert_eq!(beside, [Beside::File(Carried { name: None, media: Media::Sound, size_bytes: None, place: Some("v".into()) })]);
        assert_eq!(private(json!({ "pinned_message": earlier })), None, "a service message says nothing");
    }
}
