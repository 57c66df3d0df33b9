//! The gateway: hello, identify or resume, ready, heartbeats, events with numbers; missed ones are sent after a resume.

use super::{APPLICATION, BOT_ROLE, BOT_TOKEN, GUILD, Service, user};
use axum::Json;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

const MESSAGE_CONTENT: u64 = 1 << 15;
const DISALLOWED_INTENTS: u16 = 4014;
const BAD_TOKEN: u16 = 4004;

/// Sessions that are open, and what was sent.
#[derive(Default)]
pub(super) struct Gateway {
    open: Vec<(u64, mpsc::UnboundedSender<Value>)>,
    connections: u64,
    begun: usize,
    resumed: usize,
    sent: Vec<Value>,
    /// Events that are not sent yet.
    held: Option<Vec<(String, Value)>>,
    /// Whether the session hears the words of messages that do not mention it.
    pub content: bool,
    /// Where interactions go, when not over the gateway.
    pub interactions_url: Option<String>,
}

impl Gateway {
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.open.len(), self.begun, self.resumed)
    }

    /// From now on nobody listens, until somebody comes back.
    pub fn forget_sessions(&mut self) {
        self.open.clear();
    }

    /// From now on events are told later.
    pub fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Tells what was held back, the newest first.
    pub fn release_reversed(&mut self) {
        for (kind, data) in self.held.take().unwrap_or_default().into_iter().rev() {
            self.dispatch(&kind, &data);
        }
    }

    pub fn tell_all(&self, frame: &Value) {
        for (_, session) in &self.open {
            let _ = session.send(frame.clone());
        }
    }

    /// Sends an event to the session, with the next number.
    pub fn dispatch(&mut self, kind: &str, data: &Value) {
        if let Some(held) = &mut self.held {
            held.push((kind.to_owned(), data.clone()));
            return;
        }
        let event = json!({ "op": 0, "t": kind, "s": self.sent.len() + 1, "d": data });
        self.sent.push(event.clone());
        self.tell_all(&event);
    }
}

/// `GET /gateway`.
pub(super) async fn address(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "url": service.origin().replace("http://", "ws://") }))
}

pub(super) async fn connect(State(service): State<Arc<Service>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve(service, socket))
}

async fn serve(service: Arc<Service>, socket: WebSocket) {
    let (frames, mut arriving) = mpsc::unbounded_channel::<Value>();
    let (mut sink, mut stream) = socket.split();
    let hello = json!({ "op": 10, "d": { "heartbeat_interval": 41_250 }, "s": null, "t": null });
    if sink.send(Message::Text(hello.to_string().into())).await.is_err() {
        return;
    }
    let mut id = None;
    loop {
        tokio::select! {
            frame = arriving.recv() => {
                let Some(frame) = frame else { break };
                let last = frame["op"] == 7;
                if sink.send(Message::Text(frame.to_string().into())).await.is_err() || last {
                    break;
                }
            }
            said = stream.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    let said: Value = serde_json::from_str(&text).unwrap_or_default();
                    match hear(&service, &said, &frames, &mut id) {
                        Ok(answer) => if let Some(answer) = answer && sink.send(Message::Text(answer.to_string().into())).await.is_err() { break },
                        Err(code) => {
                            let _ = sink.send(Message::Close(Some(CloseFrame { code, reason: "refused".into() }))).await;
                            break;
                        }
                    }
                    service.changed.notify_waiters();
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    service.state().gateway.open.retain(|(open, _)| Some(*open) != id);
    service.changed.notify_waiters();
}

/// What the bot says; the answer, or the code to close with.
fn hear(service: &Service, said: &Value, frames: &mpsc::UnboundedSender<Value>, id: &mut Option<u64>) -> Result<Option<Value>, u16> {
    let mut state = service.state();
    let gateway = &mut state.gateway;
    match said["op"].as_u64() {
        Some(1) => Ok(Some(json!({ "op": 11, "d": null, "s": null, "t": null }))),
        Some(2) => {
            if said["d"]["token"].as_str().is_none_or(|t| t.trim_start_matches("Bot ") != BOT_TOKEN) {
                return Err(BAD_TOKEN);
            }
            let wanted = said["d"]["intents"].as_u64().unwrap_or_default();
            if wanted & MESSAGE_CONTENT != 0 && !service.options.message_content {
                return Err(DISALLOWED_INTENTS);
            }
            gateway.content = wanted & MESSAGE_CONTENT != 0;
            gateway.connections += 1;
            gateway.begun += 1;
            gateway.sent.clear();
            *id = Some(gateway.connections);
            gateway.open.push((gateway.connections, frames.clone()));
            let ready = json!({
                "v": 10, "user": { "id": APPLICATION.to_string(), "username": "chatsheet", "discriminator": "0", "avatar": null, "bot": true,
                    "mfa_enabled": false, "verified": true, "email": null, "flags": 0 },
                "guilds": [{ "id": GUILD.to_string(), "unavailable": true }], "session_id": "session", "session_type": "normal",
                "resume_gateway_url": service.origin().replace("http://", "ws://"), "shard": [0, 1],
                "application": { "id": APPLICATION.to_string(), "flags": 0 },
            });
            gateway.dispatch("READY", &ready);
            Ok(None)
        }
        Some(6) => {
            let known = said["d"]["seq"].as_u64().unwrap_or_default() as usize;
            gateway.connections += 1;
            gateway.resumed += 1;
            *id = Some(gateway.connections);
            gateway.open.push((gateway.connections, frames.clone()));
            for missed in gateway.sent.iter().skip(known) {
                let _ = frames.send(missed.clone());
            }
            let _ = frames.send(json!({ "op": 0, "t": "RESUMED", "s": gateway.sent.len(), "d": {} }));
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// A message as the gateway tells it: without its words, where the bot may not hear them.
pub(super) fn told(message: &Value, content: bool) -> Value {
    let mut told = message.clone();
    let mentions = message["mentions"].as_array().is_some_and(|all| all.iter().any(|u| u["id"] == user(APPLICATION)["id"]));
    let role = BOT_ROLE.to_string();
    let mentions = mentions || message["mention_roles"].as_array().is_some_and(|all| all.iter().any(|r| r == &role));
    let direct = message["guild_id"].is_null();
    if !(content || mentions || direct) {
        told["content"] = json!("");
    }
    told
}
