//! People: they write, mention and press; the bot gets signed activities.

use super::sign::{self, Forgery};
use super::{BOT, BOT_NAME, CHANNEL, GROUP, Posted, STRANGE_TENANT, STRANGER, Service, TEAM, TENANT, Teams, card, name};
use crate::files;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the bot answered the requests about one thing that happened.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The message that was written or pressed on.
    pub id: String,
    /// HTTP statuses, one per request; 0 when there was no answer.
    pub statuses: Vec<u16>,
    /// The last answer's body.
    pub body: Value,
}

impl Teams {
    /// Somebody writes: a post in a channel, an answer in a thread (`CHANNEL;messageid=…`), into a group or to the bot alone (`a:lee`).
    /// `<at>ChatSheet</at>` mentions the bot.
    pub async fn say(&self, conversation: &str, from: &str, text: &str) -> Delivered {
        self.service.say(conversation, from, text, &Value::Null).await
    }

    /// The same with something beside the words: `attachments`.
    pub async fn say_with(&self, conversation: &str, from: &str, text: &str, beside: &Value) -> Delivered {
        self.service.say(conversation, from, text, beside).await
    }

    /// Somebody answers a message: it is quoted as Teams quotes it, in an entity, by a mark in the words, and in HTML.
    pub async fn quote(&self, conversation: &str, from: &str, (author, quoted): (&str, &str), text: &str) -> Delivered {
        let entity = json!({ "type": "quotedReply", "quotedReply": { "messageId": "1", "senderName": author, "preview": quoted } });
        let html = format!(
            "<blockquote itemscope itemtype=\"http://schema.skype.com/Reply\" itemid=\"1\"><strong itemprop=\"mri\">{author}</strong><p itemprop=\"preview\">{quoted}</p></blockquote><p>{text}</p>"
        );
        let beside = json!({ "entities": [entity], "attachments": [{ "contentType": "text/html", "content": html }] });
        self.service.say(conversation, from, &format!("<quoted messageId=\"1\"/> {text}"), &beside).await
    }

    /// Somebody forwards a message: its words stand behind their own, and only the HTML tells them apart.
    pub async fn forward(&self, conversation: &str, from: &str, forwarded: &str, text: &str) -> Delivered {
        let html = format!("<p>{text}</p><blockquote itemtype=\"http://schema.skype.com/Forward\"><p>{forwarded}</p></blockquote>");
        let beside = json!({ "attachments": [{ "contentType": "text/html", "content": html }] });
        self.service.say(conversation, from, &format!("{text}\r\n\r\n{forwarded}"), &beside).await
    }

    /// Keeps a file; the address to which it is itself the key.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> String {
        self.service.files.put(name, bytes);
        format!("{}/files/{name}", self.running.origin())
    }

    /// Somebody changes what they wrote, five seconds later.
    pub async fn rewrite(&self, id: &str, text: &str) -> Delivered {
        let Some(before) = self.messages().into_iter().find(|m| m.id == id) else { return Delivered::default() };
        let activity = &before.activity;
        let mut changed = self.service.said(activity["conversation"]["id"].as_str().unwrap_or_default(), &before.from, text);
        (changed["type"], changed["id"], changed["channelData"]["eventType"]) = (json!("messageUpdate"), json!(id), json!("editMessage"));
        let written_ms = id.parse::<i64>().unwrap_or_default();
        changed["timestamp"] = json!(jiff::Timestamp::from_millisecond(written_ms + 5_000).unwrap_or_default().to_string());
        Delivered { id: id.to_owned(), ..self.service.deliver(changed, true).await }
    }

    /// Somebody takes a command of the slash menu; nobody else sees it.
    pub async fn slash(&self, conversation: &str, from: &str, text: &str) -> Delivered {
        let mut activity = self.service.said(conversation, from, text);
        activity["recipient"]["isTargeted"] = json!(true);
        self.service.deliver(activity, true).await
    }

    /// The thread that a post opened.
    pub fn thread_of(id: &str) -> String {
        format!("{CHANNEL};messageid={id}")
    }

    /// Somebody presses the button with this label on the newest message of a conversation that has it.
    pub async fn press(&self, conversation: &str, from: &str, label: &str) -> Delivered {
        let found = self.service.state().messages.iter().rev().filter(|m| m.conversation == conversation).find_map(|m| {
            let action = card::button(&m.activity["attachments"][0]["content"], label)?;
            Some((m.clone(), action))
        });
        let Some((message, action)) = found else { return Delivered::default() };
        let mut activity = self.service.activity("invoke", conversation, from);
        activity["name"] = json!("adaptiveCard/action");
        activity["replyToId"] = json!(message.id);
        activity["value"] = json!({ "action": { "type": "Action.Execute", "verb": action["verb"], "data": action["data"], "title": label }, "trigger": "manual" });
        let delivered = self.service.deliver(activity, false).await;
        // What the bot answers with replaces the card for who has pressed.
        Delivered { id: message.id, ..delivered }
    }

    /// Somebody says by a thumb what they think of the newest message of a conversation that asks for it, with words beside.
    pub async fn rate(&self, conversation: &str, from: &str, reaction: &str, words: &str) -> Delivered {
        let asks = |m: &&Posted| m.conversation == conversation && m.activity["channelData"]["feedbackLoop"].is_object();
        let Some(id) = self.service.state().messages.iter().rev().find(asks).map(|m| m.id.clone()) else { return Delivered::default() };
        let mut activity = self.service.activity("invoke", conversation, from);
        activity["name"] = json!("message/submitAction");
        activity["replyToId"] = json!(id);
        let feedback = json!({ "feedbackText": words }).to_string();
        activity["value"] = json!({ "actionName": "feedback", "actionValue": { "reaction": reaction, "feedback": feedback } });
        self.service.deliver(activity, false).await
    }

    /// Teams is slow: what happens from now on is told later.
    pub fn hold(&self) {
        self.service.state().held = Some(Vec::new());
    }

    /// Tells what was held back, the newest first.
    pub async fn release_reversed(&self) {
        let held = self.service.state().held.take().unwrap_or_default();
        for activity in held.into_iter().rev() {
            self.service.deliver(activity, true).await;
        }
    }

    /// The last activity is sent again.
    pub async fn redeliver(&self) -> u16 {
        let Some(activity) = self.service.state().last_activity.clone() else { return 0 };
        self.service.send(&activity, Forgery::None).await.0
    }

    /// The last activity is sent with a token that something is wrong with.
    pub async fn forge(&self, forgery: Forgery) -> u16 {
        let Some(mut activity) = self.service.state().last_activity.clone() else { return 0 };
        activity["id"] = json!(self.service.state().next_id());
        self.service.send(&activity, forgery).await.0
    }

    /// Something that is no activity, with a good token; the HTTP status.
    pub async fn garbage(&self, body: &str) -> u16 {
        let service = &self.service;
        let url = service.state().events_url.clone().unwrap_or_default();
        let token = sign::token(&service.service_url(), service.options.issuer, false, Forgery::None).unwrap_or_default();
        let sent = service.http.post(url).bearer_auth(token).header("content-type", "application/json").body(body.to_owned()).send();
        sent.await.map_or(0, |answer| answer.status().as_u16())
    }

    /// An activity of another service, with a good token for that.
    pub async fn from_elsewhere(&self, service_url: &str) -> u16 {
        let Some(mut activity) = self.service.state().last_activity.clone() else { return 0 };
        activity["serviceUrl"] = json!(service_url);
        self.service.send(&activity, Forgery::None).await.0
    }

    /// The bot's newest message comes in as an activity.
    pub async fn echo(&self) -> Delivered {
        let Some(message) = self.service.state().messages.iter().rev().find(|m| m.from == BOT).cloned() else {
            return Delivered::default();
        };
        let mut activity = self.service.activity("message", &message.conversation, BOT);
        activity["text"] = message.activity["text"].clone();
        self.service.deliver(activity, true).await
    }

    /// Another bot mentions the bot.
    pub async fn other_bot(&self, conversation: &str, text: &str) -> Delivered {
        let mut activity = self.service.activity("message", conversation, "28:another");
        activity["text"] = json!(format!("<at>{BOT_NAME}</at> {text}"));
        activity["entities"] = mentions(&format!("<at>{BOT_NAME}</at>")).collect();
        self.service.deliver(activity, true).await
    }

    /// Somebody changes or deletes a message, or something of a kind that nobody knows yet happens.
    pub async fn happen(&self, kind: &str, conversation: &str) -> Delivered {
        let mut activity = self.service.activity(kind, conversation, "29:lee");
        activity["text"] = json!("status");
        self.service.deliver(activity, true).await
    }

    /// The app is installed in a conversation.
    pub async fn install(&self, conversation: &str, from: &str) -> Delivered {
        let mut activity = self.service.activity("installationUpdate", conversation, from);
        activity["action"] = json!("add");
        self.service.deliver(activity, true).await
    }

    /// Somebody removes the app from a conversation.
    pub async fn uninstall(&self, conversation: &str, from: &str) -> Delivered {
        let mut activity = self.service.activity("installationUpdate", conversation, from);
        activity["action"] = json!("remove");
        self.service.deliver(activity, true).await
    }

    /// The same as [`say`](Self::say), in a tenant of another customer where everything has the same ids.
    pub async fn say_in_tenant(&self, tenant: &str, conversation: &str, from: &str, text: &str) -> Delivered {
        let mut activity = self.service.said(conversation, from, text);
        activity["conversation"]["tenantId"] = json!(tenant);
        activity["channelData"]["tenant"]["id"] = json!(tenant);
        self.service.deliver(activity, true).await
    }

    /// The bot is removed from a conversation.
    pub async fn remove_bot(&self, conversation: &str) -> Delivered {
        self.service.state().gone.insert(conversation.split(';').next().unwrap_or_default().to_owned());
        let mut activity = self.service.activity("conversationUpdate", conversation, "29:lee");
        activity["membersRemoved"] = json!([{ "id": BOT }]);
        self.service.deliver(activity, true).await
    }

    /// The bot is added to a conversation that it was removed from.
    pub async fn invite_bot(&self, conversation: &str) -> Delivered {
        self.service.state().gone.remove(conversation.split(';').next().unwrap_or_default());
        self.install(conversation, "29:lee").await
    }
}

/// `GET /files/{name}`: a file, for whoever knows where it is.
pub(super) async fn file(State(service): State<Arc<Service>>, Path(name): Path<String>) -> Response {
    service.files.get(&name)
}

/// `POST /sandbox/say`: a person writes, by hand.
pub(super) async fn say_route(State(service): State<Arc<Service>>, Form(form): Form<BTreeMap<String, String>>) -> String {
    let field = |name: &str, or: &'static str| form.get(name).map_or(or, String::as_str).to_owned();
    let delivered = service.say(&field("conversation", "a:lee"), &field("user", "29:lee"), &field("text", ""), &Value::Null).await;
    format!("{delivered:?}\n")
}

/// `GET /sandbox/messages`: what people see, by hand.
pub(super) async fn messages_route(State(service): State<Arc<Service>>) -> String {
    let line = |m: &Posted| format!("{}, {}: {}\n\n", m.conversation, m.from, m.seen());
    service.state().messages.iter().map(line).collect()
}

/// Whoever can be mentioned: ids and names.
const KNOWN: [(&str, &str); 3] = [(BOT, BOT_NAME), ("29:lee", "Lee Park"), ("29:mia", "Mia Jensen")];

/// The mentions in a text, as `<at>Mia Jensen</at>`.
fn mentions(text: &str) -> impl Iterator<Item = Value> {
    let mention = |(id, name): (&str, &str)| {
        let marked = format!("<at>{name}</at>");
        text.contains(&marked).then(|| json!({ "type": "mention", "text": marked, "mentioned": { "id": id, "name": name } }))
    };
    KNOWN.into_iter().filter_map(mention)
}

impl Service {
    /// An activity as Teams makes it, without what it says.
    fn activity(&self, kind: &str, conversation: &str, from: &str) -> Value {
        let id = self.state().next_id();
        let conversation_type = match conversation {
            c if c.starts_with(CHANNEL) => "channel",
            c if c.starts_with(GROUP) => "groupChat",
            _ => "personal",
        };
        let team = if conversation_type == "channel" { json!({ "id": TEAM, "name": "Plan" }) } else { Value::Null };
        let tenant = if from.starts_with(STRANGER) { STRANGE_TENANT } else { TENANT };
        json!({
            "type": kind, "id": id, "timestamp": "2026-11-22T10:30:00.000Z", "serviceUrl": self.service_url(), "channelId": "msteams",
            "from": { "id": from, "name": name(from), "aadObjectId": "0" }, "recipient": { "id": BOT, "name": BOT_NAME },
            "conversation": { "id": conversation, "conversationType": conversation_type, "tenantId": tenant, "isGroup": conversation_type != "personal" },
            "channelData": { "tenant": { "id": tenant }, "team": team }, "entities": [{ "type": "clientInfo", "locale": "en-GB", "platform": "Web" }],
        })
    }

    /// What somebody says.
    fn said(&self, conversation: &str, from: &str, text: &str) -> Value {
        let mut activity = self.activity("message", conversation, from);
        activity["text"] = json!(text);
        activity["textFormat"] = json!("plain");
        if let Some(entities) = activity["entities"].as_array_mut() {
            entities.extend(mentions(text));
        }
        activity
    }

    async fn say(&self, conversation: &str, from: &str, text: &str, beside: &Value) -> Delivered {
        let activity = files::with(self.said(conversation, from, text), beside);
        let id = activity["id"].as_str().unwrap_or_default().to_owned();
        let kept = if conversation == CHANNEL { Teams::thread_of(&id) } else { conversation.to_owned() };
        self.state().messages.push(Posted {
            conversation: kept,
            id: id.clone(),
            from: from.into(),
            activity: activity.clone(),
            only_for: None,
            edits: 0,
        });
        Delivered { id, ..self.deliver(activity, true).await }
    }

    /// Sends until acknowledged; presses are sent once.
    async fn deliver(&self, activity: Value, retried: bool) -> Delivered {
        self.state().last_activity = Some(activity.clone());
        if let Some(held) = &mut self.state().held {
            held.push(activity);
            return Delivered { id: String::new(), statuses: vec![200], body: Value::Null };
        }
        let (status, mut body) = self.send(&activity, Forgery::None).await;
        let mut statuses = vec![status];
        for wait in self.options.retry_after {
            if !retried || statuses.last().is_some_and(|s| (200..300).contains(s)) {
                break;
            }
            tokio::time::sleep(wait).await;
            let (status, again) = self.send(&activity, Forgery::None).await;
            statuses.push(status);
            body = again;
        }
        Delivered { id: String::new(), statuses, body }
    }

    async fn send(&self, activity: &Value, forgery: Forgery) -> (u16, Value) {
        let url = self.state().events_url.clone().unwrap_or_default();
        // Signed for the service that the activity names.
        let new_keys = self.state().new_keys;
        let token = sign::token(activity["serviceUrl"].as_str().unwrap_or_default(), self.options.issuer, new_keys, forgery);
        let mut request = self.http.post(url).json(activity);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
            Err(_) => (0, Value::Null),
        }
    }
}
