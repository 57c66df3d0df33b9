//! People: they write, mention, answer and press; the bot is told by webhook, or when it asks.

use super::{BOT_ID, BOT_NAME, Posted, Service, Telegram, api, bot, chat, user};
use crate::files;
use axum::Form;
use axum::extract::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the bot answered the requests about one thing that happened.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The message that was written or pressed on.
    pub id: i64,
    /// HTTP statuses, one per request; none when the bot asks for updates itself.
    pub statuses: Vec<u16>,
}

impl Telegram {
    /// Somebody writes into a chat, or a topic of it.
    pub async fn say(&self, chat: i64, from: i64, text: &str, topic: Option<i64>) -> Delivered {
        self.service.say(chat, from, text, topic, None).await
    }

    /// Somebody sends something with words or without: `document`, `forward_origin`, `quote`; `text` may be taken out by `null`.
    pub async fn say_with(&self, chat: i64, from: i64, text: &str, beside: &Value) -> Delivered {
        let message = files::with(self.service.written(chat, from, text, None, None), beside);
        let id = message["message_id"].as_i64().unwrap_or_default();
        Delivered { id, statuses: self.service.happen(json!({ "message": message })).await }
    }

    /// Keeps a file, whose id is its name.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) {
        self.service.files.put(name, bytes);
    }

    /// Somebody answers a message.
    pub async fn answer(&self, chat: i64, from: i64, text: &str, answered: i64) -> Delivered {
        let topic = self.service.state().messages.iter().find(|m| m.chat == chat && m.id == answered).and_then(|m| m.topic);
        self.service.say(chat, from, text, topic, Some(answered)).await
    }

    /// Somebody changes what they wrote.
    pub async fn rewrite(&self, chat: i64, id: i64, text: &str) -> Delivered {
        let Some(message) = self.service.state().messages.iter().find(|m| m.chat == chat && m.id == id).cloned() else {
            return Delivered::default();
        };
        let mut message = self.service.described(&Posted { text: text.into(), ..message });
        message["edit_date"] = json!(message["date"].as_i64().unwrap_or_default() + 5);
        Delivered { id, statuses: self.service.happen(json!({ "edited_message": message })).await }
    }

    /// Another bot writes.
    pub async fn other_bot(&self, chat: i64, text: &str) -> Delivered {
        let mut message = self.service.written(chat, 999, text, None, None);
        message["from"] = json!({ "id": 999, "is_bot": true, "first_name": "Other", "username": "other_bot" });
        Delivered { id: 0, statuses: self.service.happen(json!({ "message": message })).await }
    }

    /// The bot's newest message comes in as if somebody had written it.
    pub async fn echo(&self) -> Delivered {
        let Some(message) = self.service.state().messages.iter().rev().find(|m| m.from == BOT_ID).cloned() else {
            return Delivered::default();
        };
        let described = self.service.described(&message);
        Delivered { id: message.id, statuses: self.service.happen(json!({ "message": described })).await }
    }

    /// Something of a kind that nobody knows yet happens.
    pub async fn novelty(&self) -> Delivered {
        Delivered { id: 0, statuses: self.service.happen(json!({ "novelty": { "of": "tomorrow" } })).await }
    }

    /// Somebody presses the button with this label on the newest message of a chat that has it.
    pub async fn press(&self, chat: i64, from: i64, label: &str) -> Delivered {
        let found = self.service.state().messages.iter().rev().filter(|m| m.chat == chat).find_map(|m| {
            let (_, data) = m.buttons.iter().find(|(l, _)| l == label)?;
            Some((m.clone(), data.clone()))
        });
        let Some((message, data)) = found else { return Delivered::default() };
        self.press_data(&message, &data, from).await
    }

    /// Somebody presses a button of a message, even one that is no longer shown.
    pub async fn press_data(&self, message: &Posted, data: &str, from: i64) -> Delivered {
        let id = {
            let mut state = self.service.state();
            let id = format!("press{}", state.next_id(0));
            state.presses.insert(id.clone());
            id
        };
        let query = json!({ "id": id, "from": user(from), "chat_instance": "1", "data": data, "message": self.service.described(message) });
        Delivered { id: message.id, statuses: self.service.happen(json!({ "callback_query": query })).await }
    }

    /// The bot is removed from a group, or blocked by a person.
    pub async fn remove_bot(&self, id: i64) -> Delivered {
        self.service.state().gone.insert(id);
        self.membership(id, "member", "kicked").await
    }

    /// A chat is deleted, and nobody tells the bot.
    pub fn delete_chat(&self, id: i64) {
        self.service.state().deleted.insert(id);
    }

    /// The bot is added to a group again, or the person no longer blocks it.
    pub async fn invite_bot(&self, id: i64) -> Delivered {
        self.service.state().gone.remove(&id);
        self.membership(id, "kicked", "member").await
    }

    async fn membership(&self, id: i64, before: &str, now: &str) -> Delivered {
        let member = |status: &str| {
            let mut member = json!({ "status": status, "user": bot() });
            if status == "kicked" {
                member["until_date"] = json!(0);
            }
            member
        };
        let change = json!({ "chat": chat(id), "from": user(1), "date": 1_795_305_600, "old_chat_member": member(before), "new_chat_member": member(now) });
        Delivered { id: 0, statuses: self.service.happen(json!({ "my_chat_member": change })).await }
    }

    /// A group becomes a supergroup, with another id: the bot is told, and again when it writes to the old one.
    pub async fn upgrade(&self, group: i64, supergroup: i64) -> Delivered {
        self.service.state().moved.insert(group, supergroup);
        let message = json!({
            "message_id": 1, "date": 1_795_305_600, "chat": chat(supergroup), "from": bot_of_groups(), "sender_chat": chat(supergroup),
            "migrate_from_chat_id": group,
        });
        Delivered { id: 1, statuses: self.service.happen(json!({ "message": message })).await }
    }

    /// Telegram is slow: what happens from now on is told to the webhook later.
    pub fn hold(&self) {
        self.service.state().held = Some(Vec::new());
    }

    /// Tells what was held back, the newest first.
    pub async fn release_reversed(&self) {
        let held = self.service.state().held.take().unwrap_or_default();
        for update in held.iter().rev() {
            self.service.deliver(update).await;
        }
    }

    /// The last update is sent again, as after a missed acknowledgement. Returns the HTTP status, 0 without a webhook.
    pub async fn redeliver(&self) -> u16 {
        let Some(update) = self.service.state().last_update.clone() else { return 0 };
        self.service.send(&update).await.unwrap_or_default()
    }

    /// The last update is sent with this secret; returns the HTTP status.
    pub async fn forge(&self, secret: Option<&str>) -> u16 {
        let (webhook, update) = {
            let state = self.service.state();
            (state.webhook.clone(), state.last_update.clone())
        };
        let (Some((url, _)), Some(update)) = (webhook, update) else { return 0 };
        let mut request = self.service.http.post(url).json(&update);
        if let Some(secret) = secret {
            request = request.header("x-telegram-bot-api-secret-token", secret);
        }
        request.send().await.map_or(0, |r| r.status().as_u16())
    }
}

/// Who is named as the sender of what groups do themselves.
fn bot_of_groups() -> Value {
    json!({ "id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot" })
}

/// `POST /sandbox/say`: a person writes, by hand.
pub(super) async fn say_route(State(service): State<Arc<Service>>, Form(form): Form<BTreeMap<String, String>>) -> String {
    let number = |name: &str, or: i64| form.get(name).and_then(|v| v.parse().ok()).unwrap_or(or);
    let text = form.get("text").map(String::as_str).unwrap_or_default();
    let delivered = service.say(number("chat", 1), number("user", 1), text, form.get("topic").and_then(|t| t.parse().ok()), None).await;
    format!("{delivered:?}\n")
}

/// `GET /sandbox/messages`: what people see, by hand.
pub(super) async fn messages_route(State(service): State<Arc<Service>>) -> String {
    let who = |m: &Posted| if m.from == BOT_ID { "bot" } else { "person" };
    let line = |m: &Posted| format!("chat {}, {} {}: {}\n\n", m.chat, who(m), m.id, m.seen());
    service.state().messages.iter().map(line).collect()
}

/// Mentions and a command at the beginning, counted in UTF-16 units as Telegram does.
fn entities(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let units = |text: &str| text.encode_utf16().count();
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '@').collect() };
    if let Some(rest) = text.strip_prefix('/') {
        found.push(json!({ "type": "bot_command", "offset": 0, "length": 1 + units(&word(rest)) }));
    }
    for (at, _) in text.match_indices('@') {
        let name = word(&text[at + 1..]);
        if name.len() >= 4 && !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            found.push(json!({ "type": "mention", "offset": units(&text[..at]), "length": 1 + units(&name) }));
        }
    }
    found
}

impl Service {
    fn described(&self, message: &Posted) -> Value {
        let mut described = api::described(message, &chat(message.chat).unwrap_or_default());
        if message.from != BOT_ID {
            described["entities"] = json!(entities(&message.text));
        }
        described
    }

    /// Keeps what somebody wrote; the message as the bot is told of it.
    fn written(&self, chat: i64, from: i64, text: &str, topic: Option<i64>, answered: Option<i64>) -> Value {
        let message = {
            let mut state = self.state();
            let id = state.next_id(chat);
            // Who writes to the bot itself may be written to.
            if chat == from {
                state.strangers.remove(&from);
            }
            let message = Posted {
                chat,
                id,
                topic,
                from,
                text: text.into(),
                buttons: Vec::new(),
                answers: answered,
                calls: Vec::new(),
                rich: false,
                body: Value::Null,
                edits: 0,
            };
            state.messages.push(message.clone());
            message
        };
        let mut described = self.described(&message);
        if let Some(answered) = answered
            && let Some(original) = self.state().messages.iter().find(|m| m.chat == chat && m.id == answered).cloned()
        {
            described["reply_to_message"] = self.described(&original);
        }
        described
    }

    async fn say(&self, chat: i64, from: i64, text: &str, topic: Option<i64>, answered: Option<i64>) -> Delivered {
        let message = self.written(chat, from, text, topic, answered);
        let id = message["message_id"].as_i64().unwrap_or_default();
        // With privacy mode a bot of a group hears commands, mentions and answers to itself; topics are heard here for the story of an admin who turned it off.
        let private = chat > 0;
        let to_bot = text.starts_with('/') || text.contains(&format!("@{BOT_NAME}")) || message["reply_to_message"]["from"]["id"] == BOT_ID;
        if !private && topic.is_none() && !to_bot {
            return Delivered { id, statuses: Vec::new() };
        }
        Delivered { id, statuses: self.happen(json!({ "message": message })).await }
    }

    /// Tells an update, or keeps it for whoever asks.
    async fn happen(&self, mut update: Value) -> Vec<u16> {
        {
            let mut state = self.state();
            state.updates += 1;
            update["update_id"] = json!(state.updates);
            state.last_update = Some(update.clone());
            if let Some(held) = &mut state.held {
                held.push(update);
                return vec![200];
            }
            if state.webhook.is_none() {
                state.pending.push_back(update.clone());
            }
        }
        self.changed.notify_waiters();
        self.deliver(&update).await
    }

    /// Sends an update to the webhook, if there is one, until it is acknowledged.
    async fn deliver(&self, update: &Value) -> Vec<u16> {
        let mut statuses: Vec<u16> = self.send(update).await.into_iter().collect();
        for wait in self.options.retry_after {
            if statuses.last().is_none_or(|s| (200..300).contains(s)) {
                break;
            }
            tokio::time::sleep(wait).await;
            statuses.extend(self.send(update).await);
        }
        let mut state = self.state();
        state.undelivered = match statuses.last() {
            None | Some(200..=299) => None,
            Some(0) => Some("Connection refused".into()),
            Some(status) => Some(format!("Wrong response from the webhook: {status}")),
        };
        if state.undelivered.is_some() {
            state.pending.push_back(update.clone());
        }
        statuses
    }

    async fn send(&self, update: &Value) -> Option<u16> {
        let (url, secret) = self.state().webhook.clone()?;
        let request = self.http.post(url).header("x-telegram-bot-api-secret-token", secret).json(update);
        Some(request.send().await.map_or(0, |r| r.status().as_u16()))
    }
}
