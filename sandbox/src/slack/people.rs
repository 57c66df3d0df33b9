//! People: they write, mention, press and use the slash command; the app gets signed requests.

use super::{BOT_USER, Posted, SIGNING_SECRET, STRANGE_TEAM, STRANGER, Service, Slack, TEAM, Workspace};
use crate::files;
use axum::Form;
use axum::extract::State;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// How the app answered the requests about one thing that happened.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    /// The time stamp of the message that was written or pressed on.
    pub ts: String,
    /// HTTP statuses, one per request; 0 when there was no answer in time.
    pub statuses: Vec<u16>,
}

impl Slack {
    /// Somebody writes. A mention in a channel is sent twice, as `message` and as `app_mention`.
    pub async fn say(&self, channel: &str, user: &str, text: &str, thread: Option<&str>) -> Delivered {
        self.service.say(&self.workspace, channel, user, text, thread, &Value::Null).await
    }

    /// The same with something beside the words: `files`, `attachments`, `blocks`.
    pub async fn say_with(&self, channel: &str, user: &str, text: &str, thread: Option<&str>, beside: &Value) -> Delivered {
        self.service.say(&self.workspace, channel, user, text, thread, beside).await
    }

    /// Somebody changes what they wrote, five seconds later.
    pub async fn rewrite(&self, channel: &str, ts: &str, text: &str) -> Delivered {
        let Some(before) = self.messages().into_iter().find(|m| m.channel == channel && m.ts == ts) else { return Delivered::default() };
        let now = self.service.state().next_ts();
        let edited = format!("{}.000000", ts.split('.').next().and_then(|s| s.parse::<i64>().ok()).unwrap_or_default() + 5);
        let message = |text: &str| {
            let mut message = json!({ "type": "message", "user": before.user, "text": text, "ts": ts, "team": self.workspace.team });
            if let Some(thread) = &before.thread_ts {
                message["thread_ts"] = json!(thread);
            }
            message
        };
        let mut changed = message(text);
        changed["edited"] = json!({ "user": before.user, "ts": edited });
        let event = json!({ "type": "message", "subtype": "message_changed", "hidden": true, "channel": channel, "channel_type": "channel", "ts": now, "event_ts": now,
            "message": changed, "previous_message": message(&before.text) });
        Delivered { ts: ts.to_owned(), statuses: self.service.event(&self.workspace, event).await }
    }

    /// Somebody presses the button with this label on the newest message that has it.
    pub async fn press(&self, channel: &str, user: &str, label: &str) -> Delivered {
        self.press_where(|m| m.channel == channel, user, label).await
    }

    /// The same for the newest of some messages.
    pub async fn press_where(&self, these: impl Fn(&Posted) -> bool, user: &str, label: &str) -> Delivered {
        let found = self.messages().into_iter().rev().filter(these).find_map(|m| button(&m, label).map(|button| (m, button)));
        let Some((message, button)) = found else { return Delivered::default() };
        self.press_on(&message, &button, user).await
    }

    /// Somebody presses a button of a message, even one that is no longer shown.
    pub async fn press_value(&self, message: &Posted, value: &str, user: &str) -> Delivered {
        self.press_on(message, &json!({ "action_id": "button0", "value": value }), user).await
    }

    async fn press_on(&self, message: &Posted, button: &Value, user: &str) -> Delivered {
        let trigger = {
            let mut state = self.service.state();
            let trigger = state.next_ts();
            state.modals.pressed(&format!("trigger.{trigger}"), user);
            trigger
        };
        let mut inner = json!({ "type": "message", "ts": message.ts, "user": BOT_USER, "text": message.text });
        if let Some(thread) = &message.thread_ts {
            inner["thread_ts"] = json!(thread);
        }
        let mut payload = json!({
            "type": "block_actions", "api_app_id": "A1", "token": "x", "trigger_id": format!("trigger.{trigger}"),
            "user": { "id": user, "username": user, "name": user, "team_id": if user.starts_with(STRANGER) { STRANGE_TEAM } else { &self.workspace.team } },
            "container": { "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": message.only_for.is_some() },
            "channel": { "id": message.channel, "name": "plan" }, "response_url": "https://hooks.slack.com/actions/x",
            "actions": [{ "type": "button", "action_id": button["action_id"], "block_id": "b", "value": button["value"], "action_ts": trigger }],
        });
        // What only one person sees is no message of the channel: a press on it brings none.
        if message.only_for.is_none() {
            payload["message"] = inner;
        }
        Delivered { ts: message.ts.clone(), ..self.service.deliver_payload(&self.workspace, payload).await }
    }

    /// Somebody types a link, and sends it in a message; `member` says whether the bot is in the channel.
    pub async fn share(&self, channel: &str, user: &str, url: &str, member: bool) -> Delivered {
        let domain = url.split('/').nth(2).unwrap_or_default();
        let event = |source: &str, channel: &str, ts: &str| {
            json!({ "type": "link_shared", "user": user, "channel": channel, "message_ts": ts, "event_ts": ts, "is_bot_user_member": member,
                "source": source, "unfurl_id": format!("{channel}.{ts}"), "links": [{ "domain": domain, "url": url }] })
        };
        let mut statuses = self.service.event(&self.workspace, event("composer", "COMPOSER", "2f2d3b5c-9b7e")).await;
        let said = self.service.say(&self.workspace, channel, user, url, None, &Value::Null).await;
        statuses.extend(self.service.event(&self.workspace, event("conversations_history", channel, &said.ts)).await);
        Delivered { ts: said.ts, statuses }
    }

    /// Somebody opens a tab of the app's own page.
    pub async fn open_home(&self, user: &str, tab: &str) -> Delivered {
        let ts = self.service.state().next_ts();
        let event = json!({ "type": "app_home_opened", "user": user, "channel": format!("D{user}"), "tab": tab, "event_ts": ts });
        Delivered { ts, statuses: self.service.event(&self.workspace, event).await }
    }

    /// Somebody opens the assistant pane: Slack begins a thread there, whose time stamp is returned.
    pub async fn open_pane(&self, user: &str) -> Delivered {
        let channel = format!("D{user}");
        let ts = {
            let mut state = self.service.state();
            state.acting = self.workspace.install().to_owned();
            let mut root = super::api::posted(&mut state, &json!({ "channel": channel }), BOT_USER);
            root.text = "New Assistant Thread".into();
            let ts = root.ts.clone();
            state.messages.push(root);
            ts
        };
        let opened = json!({ "user_id": user, "channel_id": channel, "thread_ts": ts, "context": {} });
        let event = json!({ "type": "assistant_thread_started", "assistant_thread": opened, "event_ts": ts });
        Delivered { ts: ts.clone(), statuses: self.service.event(&self.workspace, event).await }
    }

    /// Somebody presses Slack's own Stop in a thread.
    pub async fn press_stop(&self, channel: &str, user: &str, thread: &str) -> Vec<u16> {
        let event = json!({ "type": "agent_session_stopped", "channel": channel, "thread_ts": thread, "user": user, "event_ts": "1.1" });
        self.service.event(&self.workspace, event).await
    }

    /// Somebody presses the button with this label in the app's home.
    pub async fn press_home(&self, user: &str, label: &str) -> Delivered {
        let (trigger, found) = {
            let mut state = self.service.state();
            let found = state.homes.get(user).and_then(|(blocks, metadata)| Some((button_in(blocks, label)?, metadata.clone())));
            (state.next_ts(), found)
        };
        let Some((button, metadata)) = found else { return Delivered::default() };
        let view = json!({ "id": "V1", "type": "home", "private_metadata": metadata, "callback_id": "", "external_id": "", "blocks": [] });
        let payload = json!({
            "type": "block_actions", "api_app_id": "A1", "token": "x", "trigger_id": format!("trigger.{trigger}"),
            "user": { "id": user, "username": user, "name": user },
            "container": { "type": "view", "view_id": "V1" }, "view": view,
            "actions": [{ "type": "button", "action_id": button["action_id"], "block_id": "b", "value": button["value"], "action_ts": trigger }],
        });
        Delivered { ts: trigger, ..self.service.deliver_payload(&self.workspace, payload).await }
    }

    /// Somebody uses the slash command.
    pub async fn slash(&self, channel: &str, user: &str, text: &str) -> Delivered {
        let trigger = self.service.state().next_ts();
        let back = format!("{}/respond/{trigger}", self.origin());
        let way = (self.workspace.install().to_owned(), channel.to_owned(), user.to_owned(), 5);
        self.service.state().ways_back.insert(trigger.clone(), way);
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("token", "x"),
                ("team_id", &self.workspace.team),
                ("enterprise_id", self.workspace.organisation.as_deref().unwrap_or_default()),
                ("team_domain", "sandbox"),
                ("channel_id", channel),
                ("channel_name", "plan"),
                ("user_id", user),
                ("user_name", user),
                ("command", "/sheet"),
                ("text", text),
                ("api_app_id", "A1"),
                ("is_enterprise_install", if self.workspace.organisation.is_some() { "true" } else { "false" }),
                ("response_url", &back),
                ("trigger_id", &format!("trigger.{trigger}")),
            ])
            .finish();
        Delivered { ts: String::new(), statuses: self.service.deliver("application/x-www-form-urlencoded", body, false).await }
    }

    /// Slack is slow: what happens from now on is told later.
    pub fn hold(&self) {
        self.service.state().held = Some(Vec::new());
    }

    /// Tells what was held back, the newest first.
    pub async fn release_reversed(&self) {
        let held = self.service.state().held.take().unwrap_or_default();
        for (content_type, body) in held.into_iter().rev() {
            self.service.deliver(&content_type, body, true).await;
        }
    }

    /// The last event is sent again, as after a missed acknowledgement.
    pub async fn redeliver(&self) -> u16 {
        let Some(body) = self.service.state().last_event.clone() else { return 0 };
        if self.connections().0 > 0 {
            return self.service.deliver_by_socket("application/json", &body, false).await[0];
        }
        self.service.send("application/json", &body, Some(1)).await
    }

    /// The bot's newest message comes in as an event, as Slack sends it to every app in the channel.
    pub async fn echo(&self) -> Delivered {
        let Some(message) = self.service.state().messages.iter().rev().find(|m| m.user == BOT_USER).cloned() else {
            return Delivered::default();
        };
        let event = json!({ "type": "message", "user": BOT_USER, "bot_id": "B1", "text": message.text, "ts": message.ts, "thread_ts": message.thread_ts,
            "channel": message.channel, "channel_type": "channel", "event_ts": message.ts });
        let statuses = self.service.event(&self.workspace, event).await;
        Delivered { ts: message.ts, statuses }
    }

    /// Another bot mentions the bot in a thread.
    pub async fn other_bot(&self, channel: &str, text: &str, thread: &str) -> Delivered {
        let ts = self.service.state().next_ts();
        let event = json!({ "type": "message", "subtype": "bot_message", "bot_id": "B999", "text": text, "ts": ts, "thread_ts": thread, "channel": channel,
            "channel_type": "channel", "event_ts": ts });
        Delivered { ts, statuses: self.service.event(&self.workspace, event).await }
    }

    /// Somebody deletes a message.
    pub async fn unsay(&self, channel: &str, user: &str, text: &str, ts: &str) -> Delivered {
        let new = self.service.state().next_ts();
        let event = json!({ "type": "message", "subtype": "message_deleted", "hidden": true, "channel": channel, "channel_type": "channel", "ts": new,
            "deleted_ts": ts, "previous_message": { "type": "message", "user": user, "text": text, "ts": ts }, "event_ts": new });
        Delivered { ts: ts.to_owned(), statuses: self.service.event(&self.workspace, event).await }
    }

    /// Something of a kind that nobody knows yet happens.
    pub async fn novelty(&self) -> Delivered {
        let statuses = self.service.event(&self.workspace, json!({ "type": "novelty", "of": "tomorrow", "event_ts": "1.1" })).await;
        Delivered { ts: String::new(), statuses }
    }

    /// Somebody adds the bot to a channel.
    pub async fn add_bot(&self, channel: &str, inviter: &str) -> Delivered {
        let ts = self.service.state().next_ts();
        let event = json!({ "type": "member_joined_channel", "user": BOT_USER, "channel": channel, "channel_type": "C", "team": self.workspace.team,
            "inviter": inviter, "event_ts": ts });
        Delivered { ts, statuses: self.service.event(&self.workspace, event).await }
    }

    /// The bot is removed from a channel.
    pub async fn remove_bot(&self, channel: &str) -> Delivered {
        let event = json!({ "type": "channel_left", "channel": channel, "actor_id": "U1", "event_ts": "1.1" });
        Delivered { ts: String::new(), statuses: self.service.event(&self.workspace, event).await }
    }

    /// Sends a body with a signature made at this time with this secret; returns the HTTP status.
    pub async fn send_signed(&self, body: &str, secret: &str, timestamp: i64) -> u16 {
        let url = self.service.state().events_url.clone().unwrap_or_default();
        let request = self.service.http.post(url).header("content-type", "application/json");
        let request =
            request.header("x-slack-request-timestamp", timestamp.to_string()).header("x-slack-signature", sign(secret, timestamp, body));
        request.body(body.to_owned()).send().await.map_or(0, |r| r.status().as_u16())
    }

    /// The body of the last event.
    pub fn last_event(&self) -> Option<String> {
        self.service.state().last_event.clone()
    }
}

/// `POST /sandbox/say`: a person writes, by hand.
pub(super) async fn say_route(State(service): State<Arc<Service>>, Form(form): Form<BTreeMap<String, String>>) -> String {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let delivered = service
        .say(&Workspace::alone(TEAM), field("channel"), field("user"), field("text"), form.get("thread").map(String::as_str), &Value::Null)
        .await;
    format!("{delivered:?}\n")
}

/// `GET /sandbox/messages`: what people see, and where its links lead, by hand.
pub(super) async fn messages_route(State(service): State<Arc<Service>>) -> String {
    let line = |m: &Posted| {
        let blocks = Value::from(m.blocks.clone()).to_string();
        let links: String =
            blocks.split("<http").skip(1).filter_map(|l| l.split(['|', '>']).next()).map(|l| format!("\n-> http{l}")).collect();
        format!("{} {}, {}: {}{links}\n\n", m.install, m.channel, m.user, m.seen())
    };
    service.state().messages.iter().map(line).collect()
}

fn button(message: &Posted, label: &str) -> Option<Value> {
    button_in(&message.blocks, label)
}

fn button_in(blocks: &[Value], label: &str) -> Option<Value> {
    let elements = blocks.iter().filter(|b| b["type"] == "actions").flat_map(|b| b["elements"].as_array().into_iter().flatten());
    elements.into_iter().find(|e| e["text"]["text"] == label).cloned()
}

fn sign(secret: &str, timestamp: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("v0:{timestamp}:{body}").as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    format!("v0={hex}")
}

#[expect(clippy::disallowed_methods, reason = "signatures carry the wall clock, as Slack's do")]
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

impl Service {
    async fn say(&self, workspace: &Workspace, channel: &str, user: &str, text: &str, thread: Option<&str>, beside: &Value) -> Delivered {
        let ts = {
            let mut state = self.state();
            let ts = state.next_ts();
            state.messages.push(Posted {
                install: workspace.install().into(),
                channel: channel.into(),
                ts: ts.clone(),
                thread_ts: thread.map(str::to_owned),
                user: user.into(),
                text: text.into(),
                blocks: Vec::new(),
                only_for: None,
                edits: 0,
                streaming: false,
                body: Value::Null,
            });
            ts
        };
        let dm = channel.starts_with('D');
        let mut event = json!({ "type": "message", "user": user, "text": text, "ts": ts, "channel": channel, "channel_type": if dm { "im" } else { "channel" }, "event_ts": ts, "team": workspace.team });
        if user.starts_with(STRANGER) {
            event["user_team"] = json!(STRANGE_TEAM);
            event["source_team"] = json!(STRANGE_TEAM);
        }
        if let Some(thread) = thread {
            event["thread_ts"] = json!(thread);
            event["parent_user_id"] = json!(user);
        }
        let mut event = files::with(event, beside);
        let mut statuses = self.event(workspace, event.clone()).await;
        if !dm && text.contains(&format!("<@{BOT_USER}>")) {
            event["type"] = json!("app_mention");
            statuses.extend(self.event(workspace, event).await);
        }
        Delivered { ts, statuses }
    }

    /// Sends what somebody pressed or filled in.
    pub async fn deliver_payload(&self, workspace: &Workspace, mut payload: Value) -> Delivered {
        workspace.sign(&mut payload);
        let body: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        Delivered { ts: String::new(), statuses: self.deliver("application/x-www-form-urlencoded", body, false).await }
    }

    pub(super) async fn event(&self, workspace: &Workspace, event: Value) -> Vec<u16> {
        let id = {
            let mut state = self.state();
            let ts = state.next_ts();
            format!("Ev{}", ts.replace('.', ""))
        };
        let body = workspace.callback(&event, &id, now()).to_string();
        self.state().last_event = Some(body.clone());
        self.deliver("application/json", body, true).await
    }

    /// Sends until acknowledged, at most four times; commands and presses are sent once.
    pub(super) async fn deliver(&self, content_type: &str, body: String, retried: bool) -> Vec<u16> {
        if let Some(held) = &mut self.state().held {
            held.push((content_type.to_owned(), body));
            return vec![200];
        }
        if self.connections().0 > 0 {
            return self.deliver_by_socket(content_type, &body, retried).await;
        }
        let mut statuses = vec![self.send(content_type, &body, None).await];
        for (n, wait) in self.options.retry_after.iter().enumerate() {
            let acknowledged = statuses.last().is_some_and(|s| (200..300).contains(s));
            if acknowledged || !retried {
                break;
            }
            tokio::time::sleep(*wait).await;
            statuses.push(self.send(content_type, &body, Some(n + 1)).await);
        }
        statuses
    }

    /// The same over Socket Mode: 200 for an acknowledgement, 0 for none.
    async fn deliver_by_socket(&self, content_type: &str, body: &str, retried: bool) -> Vec<u16> {
        let (kind, payload) = super::socket::envelope(content_type, body);
        let mut statuses = Vec::new();
        for attempt in 0..if retried { 4 } else { 1 } {
            let acknowledged = self.send_envelope(kind, &payload, attempt).await;
            statuses.push(if acknowledged { 200 } else { 0 });
            if acknowledged {
                break;
            }
            tokio::time::sleep(self.options.retry_after[attempt.min(2)]).await;
        }
        statuses
    }

    async fn send(&self, content_type: &str, body: &str, retry: Option<usize>) -> u16 {
        let Some(url) = self.state().events_url.clone() else { return 0 };
        let timestamp = now();
        let mut request = self.http.post(url).header("content-type", content_type);
        request = request
            .header("x-slack-request-timestamp", timestamp.to_string())
            .header("x-slack-signature", sign(SIGNING_SECRET, timestamp, body));
        if let Some(n) = retry {
            request = request.header("x-slack-retry-num", n.to_string()).header("x-slack-retry-reason", "http_error");
        }
        request.body(body.to_owned()).send().await.map_or(0, |r| r.status().as_u16())
    }
}
