//! People: they write, mention, press and use the slash command; the bot is told over the gateway, or by signed requests.

use super::{APPLICATION, BOT_ROLE, CHANNEL, Discord, GUILD, PATIENCE, Posted, Service, api, direct_channel, gateway, user};
use crate::files;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How the bot answered something that happened.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The message that was written or pressed on.
    pub id: u64,
    /// The HTTP status, for interactions over HTTP; 200 for what the gateway took.
    pub status: u16,
    /// The kind of the first answer to an interaction.
    pub answer: Option<u64>,
}

impl Discord {
    /// Somebody writes into a channel, a thread, or to the bot alone (channel 901 for user 1). `<@7007>` mentions the bot.
    pub async fn say(&self, channel: u64, from: u64, text: &str) -> Delivered {
        self.service.say(channel, from, text, &Value::Null)
    }

    /// The same with something beside the words: `attachments`, `referenced_message`, `message_snapshots`.
    pub async fn say_with(&self, channel: u64, from: u64, text: &str, beside: &Value) -> Delivered {
        self.service.say(channel, from, text, beside)
    }

    /// Somebody changes what they wrote, five seconds later.
    pub async fn rewrite(&self, id: u64, text: &str) -> Delivered {
        let mut state = self.service.state();
        let Some(message) = state.messages.iter_mut().find(|m| m.id == id) else { return Delivered::default() };
        message.body["content"] = json!(text);
        message.body["mentions"] = mentioned(text);
        let message = message.clone();
        let mut changed = api::described(&message, &state.threads);
        changed["edited_timestamp"] = json!("2026-11-22T10:30:05.000000+00:00");
        state.gateway.dispatch("MESSAGE_UPDATE", &changed);
        Delivered { id, status: 200, answer: None }
    }

    /// Keeps a file; its address.
    pub fn keep_file(&self, name: &str, bytes: &[u8]) -> String {
        self.service.files.put(name, bytes);
        format!("{}/files/{name}", self.running.origin())
    }

    /// Somebody presses the button with this label on the newest message of a channel or thread that has it.
    pub async fn press(&self, channel: u64, from: u64, label: &str) -> Delivered {
        let found = {
            let state = self.service.state();
            state
                .messages
                .iter()
                .rev()
                .filter(|m| m.channel == channel && m.only_for.is_none_or(|person| person == from))
                .find_map(|m| Some((m.clone(), button(m, label)?)))
        };
        let Some((message, id)) = found else { return Delivered::default() };
        let threads = self.service.state().threads.clone();
        let data = json!({ "component_type": 2, "custom_id": id });
        let extra = json!({ "type": 3, "data": data, "message": api::described(&message, &threads) });
        Delivered { id: message.id, ..self.service.interact(channel, from, extra).await }
    }

    /// Somebody uses the slash command.
    pub async fn slash(&self, channel: u64, from: u64, text: &str) -> Delivered {
        let options = json!([{ "name": "ask", "type": 3, "value": text }]);
        let data = json!({ "id": "800", "name": "sheet", "type": 1, "options": options });
        self.service.interact(channel, from, json!({ "type": 2, "data": data })).await
    }

    /// From now on interactions come by signed requests to this address.
    pub fn send_interactions_to(&self, url: &str) {
        self.service.state().gateway_to(url);
    }

    /// Discord checks the address of interactions; the HTTP status.
    pub async fn probe(&self, url: &str, forged: bool) -> u16 {
        self.probe_again(url, forged, 0).await
    }

    /// The same request, sent once more so many seconds after it was signed.
    pub async fn probe_again(&self, url: &str, forged: bool, seconds: u64) -> u16 {
        let ping = json!({ "type": 1, "id": "1", "application_id": APPLICATION.to_string(), "token": "t", "version": 1 });
        self.service.post_at(url, &ping, forged, seconds).await.0
    }

    /// How many people are shown that the bot thinks.
    pub fn thinking(&self) -> usize {
        self.service.state().thinking.len()
    }

    /// The tokens of all interactions so far end, as they do after fifteen minutes.
    pub fn end_interactions(&self) {
        self.service.state().interactions.clear();
    }

    /// Discord is slow: what happens from now on is told later.
    pub fn hold(&self) {
        self.service.state().gateway.hold();
    }

    /// Tells what was held back, the newest first.
    pub fn release_reversed(&self) {
        self.service.state().gateway.release_reversed();
    }

    /// The last event comes again.
    pub async fn redeliver(&self) {
        let mut state = self.service.state();
        if let Some((kind, data)) = state.last_event.clone() {
            state.gateway.dispatch(&kind, &data);
        }
    }

    /// The bot's newest message comes in as an event.
    pub async fn echo(&self) {
        let mut state = self.service.state();
        let Some(message) = state.messages.iter().rev().find(|m| m.from == APPLICATION).cloned() else { return };
        let described = api::described(&message, &state.threads);
        state.gateway.dispatch("MESSAGE_CREATE", &described);
    }

    /// Another bot mentions the bot, a message is changed or deleted, something happens that nobody knows yet.
    pub async fn noise(&self, channel: u64) {
        let mut state = self.service.state();
        let id = state.next_id();
        let body = json!({ "content": format!("<@{APPLICATION}> status"), "mentions": [user(APPLICATION)] });
        let message = Posted { channel, id, from: 1, body, only_for: None, edits: 0 };
        let mut by_bot = api::described(&message, &state.threads);
        by_bot["author"] = json!({ "id": "999", "username": "other", "discriminator": "0", "avatar": null, "bot": true });
        state.gateway.dispatch("MESSAGE_CREATE", &by_bot);
        let mut changed = api::described(&message, &state.threads);
        changed["edited_timestamp"] = json!("2026-11-22T10:31:00.000000+00:00");
        state.gateway.dispatch("MESSAGE_UPDATE", &changed);
        state
            .gateway
            .dispatch("MESSAGE_DELETE", &json!({ "id": id.to_string(), "channel_id": channel.to_string(), "guild_id": GUILD.to_string() }));
        state.gateway.dispatch("NOVELTY_CREATE", &json!({ "of": "tomorrow" }));
    }

    /// The bot is removed from the server.
    pub async fn remove_bot(&self) {
        let mut state = self.service.state();
        let all: Vec<u64> = state.threads.keys().copied().chain([CHANNEL]).collect();
        state.gone.extend(all);
        state.gateway.dispatch("GUILD_DELETE", &json!({ "id": GUILD.to_string() }));
    }

    /// The bot is in the server again, which welcomes people in its channel.
    pub fn invite_bot(&self) {
        let mut state = self.service.state();
        state.gone.clear();
        state.ticks += 1;
        let joined = format!("2026-11-22T10:30:{:02}.000000+00:00", state.ticks % 60);
        let guild = json!({
            "id": GUILD.to_string(), "name": "Acme", "icon": null, "splash": null, "discovery_splash": null, "owner_id": "1",
            "afk_channel_id": null, "afk_timeout": 300, "verification_level": 0, "default_message_notifications": 0,
            "explicit_content_filter": 0, "roles": [], "emojis": [], "features": [], "mfa_level": 0, "application_id": null,
            "system_channel_id": CHANNEL.to_string(), "system_channel_flags": 0, "rules_channel_id": null, "vanity_url_code": null,
            "description": null, "banner": null, "premium_tier": 0, "preferred_locale": "en-US", "public_updates_channel_id": null,
            "nsfw_level": 0, "stickers": [], "premium_progress_bar_enabled": false, "joined_at": joined, "large": false,
            "unavailable": false, "member_count": 4, "voice_states": [], "members": [], "channels": [], "threads": [], "presences": [],
            "stage_instances": [], "guild_scheduled_events": [],
        });
        state.gateway.dispatch("GUILD_CREATE", &guild);
    }
}

fn mentioned(text: &str) -> Value {
    [1, 2, APPLICATION].into_iter().filter(|u| text.contains(&format!("<@{u}>"))).map(user).collect()
}

fn button(message: &Posted, label: &str) -> Option<String> {
    let rows = message.body["components"].as_array().into_iter().flatten();
    let mut buttons = rows.flat_map(|row| row["components"].as_array().into_iter().flatten());
    buttons.find(|b| b["label"] == label).and_then(|b| b["custom_id"].as_str().map(str::to_owned))
}

/// Discord's markdown as people see it: no backslashes, no marks, links by their words.
pub(super) fn readable(content: &str) -> String {
    let mut out = String::new();
    let mut chars = content.chars().peekable();
    let mut link = 0;
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.extend(chars.next()),
            '*' => {}
            '[' => link += 1,
            ']' if link > 0 && chars.peek() == Some(&'(') => {
                link -= 1;
                chars.by_ref().find(|c| *c == ')');
            }
            '`' => {}
            c => out.push(c),
        }
    }
    out.replace("-# ", "")
}

/// `GET /files/{name}`: a file, for whoever knows where it is.
pub(super) async fn file(State(service): State<Arc<Service>>, Path(name): Path<String>) -> Response {
    service.files.get(&name)
}

/// `POST /sandbox/say`: a person writes, by hand.
pub(super) async fn say_route(State(service): State<Arc<Service>>, Form(form): Form<BTreeMap<String, String>>) -> String {
    let number = |name: &str, or: u64| form.get(name).and_then(|v| v.parse().ok()).unwrap_or(or);
    let delivered = service.say(
        number("channel", direct_channel(1)),
        number("user", 1),
        form.get("text").map(String::as_str).unwrap_or_default(),
        &Value::Null,
    );
    format!("{delivered:?}\n")
}

/// `GET /sandbox/messages`: what people see, by hand.
pub(super) async fn messages_route(State(service): State<Arc<Service>>) -> String {
    let line = |m: &Posted| format!("channel {}, {} {}: {}\n\n", m.channel, m.from, m.id, m.seen());
    service.state().messages.iter().map(line).collect()
}

impl super::State {
    fn gateway_to(&mut self, url: &str) {
        self.gateway.interactions_url = Some(url.to_owned());
    }
}

impl Service {
    fn say(&self, channel: u64, from: u64, text: &str, beside: &Value) -> Delivered {
        let mut state = self.state();
        let id = state.next_id();
        let body = json!({ "content": text, "mentions": mentioned(text) });
        let message = Posted { channel, id, from, body, only_for: None, edits: 0 };
        state.messages.push(message.clone());
        let mut described = api::described(&message, &state.threads);
        described["mention_roles"] = if text.contains(&format!("<@&{BOT_ROLE}>")) { json!([BOT_ROLE.to_string()]) } else { json!([]) };
        let told = gateway::told(&files::with(described, beside), state.gateway.content);
        state.last_event = Some(("MESSAGE_CREATE".into(), told.clone()));
        state.gateway.dispatch("MESSAGE_CREATE", &told);
        Delivered { id, status: 200, answer: None }
    }

    /// An interaction over the gateway or HTTP; returns when it was answered.
    async fn interact(&self, channel: u64, from: u64, extra: Value) -> Delivered {
        let (interaction, token, url) = {
            let mut state = self.state();
            let id = state.next_id();
            let token = format!("interaction-{id}");
            state.interactions.insert(token.clone(), (channel, from));
            let direct = (900..1_000).contains(&channel);
            let place = match state.threads.get(&channel) {
                Some(parent) => json!({ "id": channel.to_string(), "type": 11, "parent_id": parent.to_string(), "name": "thread" }),
                None if direct => json!({ "id": channel.to_string(), "type": 1 }),
                None => json!({ "id": channel.to_string(), "type": 0, "parent_id": "77", "name": "plan" }),
            };
            let mut interaction = json!({
                "id": id.to_string(), "application_id": APPLICATION.to_string(), "channel_id": channel.to_string(), "channel": place, "token": token, "version": 1,
                "locale": "en-GB", "entitlements": [], "attachment_size_limit": 10_485_760, "authorizing_integration_owners": {}, "app_permissions": "0",
            });
            if direct {
                interaction["user"] = user(from);
            } else {
                interaction["guild_id"] = json!(api::guild_of(channel, &state.threads).to_string());
                interaction["member"] = json!({
                    "user": user(from), "nick": null, "roles": [], "joined_at": "2026-01-01T00:00:00.000000+00:00", "deaf": false, "mute": false, "flags": 0,
                    "permissions": "0",
                });
            }
            if state.silent_on_channels {
                interaction.as_object_mut().map(|all| all.remove("channel"));
            }
            if let (Some(all), Some(more)) = (interaction.as_object_mut(), extra.as_object()) {
                all.extend(more.clone());
            }
            let url = state.gateway.interactions_url.clone();
            state.last_event = Some(("INTERACTION_CREATE".into(), interaction.clone()));
            if url.is_none() {
                state.gateway.dispatch("INTERACTION_CREATE", &interaction);
            }
            (interaction, token, url)
        };
        if let Some(url) = url {
            let (status, answer) = self.post(&url, &interaction, false).await;
            let kind = answer["type"].as_u64();
            if let Some(kind) = kind {
                let mut state = self.state();
                state.think(&token, kind);
                state.answered.insert(token, kind);
            }
            return Delivered { id: 0, status, answer: kind };
        }
        let answered = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(kind) = self.state().answered.get(&token) {
                    return *kind;
                }
                changed.await;
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answered).await.ok();
        Delivered { id: 0, status: if answer.is_some() { 200 } else { 0 }, answer }
    }

    /// A signed request; the status, and the answer's body.
    async fn post(&self, url: &str, body: &Value, forged: bool) -> (u16, Value) {
        self.post_at(url, body, forged, 0).await
    }

    /// A request that was signed so many seconds ago.
    async fn post_at(&self, url: &str, body: &Value, forged: bool, seconds_ago: u64) -> (u16, Value) {
        #[expect(clippy::disallowed_methods, reason = "Discord signs with its own time")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let (timestamp, text) = ((now - seconds_ago).to_string(), body.to_string());
        let signature: String =
            self.key.sign(format!("{timestamp}{text}").as_bytes()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        let signature = if forged { "00".repeat(64) } else { signature };
        let request = self.http.post(url).header("content-type", "application/json").header("x-signature-ed25519", signature);
        match request.header("x-signature-timestamp", timestamp).body(text).send().await {
            Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
            Err(_) => (0, Value::Null),
        }
    }
}
