//! Socket Mode: connections that the app opens; envelopes go over the newest of them and are sent again when they are not
//! acknowledged.

use super::{APP_TOKEN, Service};
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Connections that are open, and envelopes that wait to be acknowledged.
#[derive(Default)]
pub(super) struct Sockets {
    open: Vec<(u64, mpsc::UnboundedSender<Frame>)>,
    opened: u64,
    /// How many were open at least since they were asked to be renewed.
    fewest: usize,
    waiting: HashMap<String, oneshot::Sender<()>>,
}

/// What is done to a connection.
enum Frame {
    Text(String),
    /// It breaks without a word.
    Break,
    /// It stays open, and nothing is heard or said any more.
    Freeze,
}

/// The answer to `apps.connections.open`.
pub(super) fn open(host: &str, bearer: Option<&str>) -> Value {
    if bearer != Some(APP_TOKEN) {
        return json!({ "ok": false, "error": "invalid_auth" });
    }
    json!({ "ok": true, "url": format!("ws://{host}/link") })
}

pub(super) async fn link(State(service): State<Arc<Service>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| serve(service, socket))
}

async fn serve(service: Arc<Service>, socket: WebSocket) {
    let (frames, mut arriving) = mpsc::unbounded_channel();
    let id = {
        let mut state = service.state();
        state.sockets.opened += 1;
        let id = state.sockets.opened;
        state.sockets.open.push((id, frames));
        id
    };
    let (mut sink, mut stream) = socket.split();
    let hello =
        json!({ "type": "hello", "num_connections": 1, "debug_info": { "host": "sandbox" }, "connection_info": { "app_id": "A1" } });
    let _ = sink.send(Message::Text(hello.to_string().into())).await;
    service.changed.notify_waiters();
    loop {
        tokio::select! {
            frame = arriving.recv() => match frame {
                Some(Frame::Text(text)) => if sink.send(Message::Text(text.into())).await.is_err() { break },
                Some(Frame::Freeze) => {
                    std::future::pending::<()>().await;
                }
                Some(Frame::Break) | None => break,
            },
            said = stream.next() => match said {
                Some(Ok(Message::Text(text))) => {
                    let ack: Value = serde_json::from_str(&text).unwrap_or_default();
                    let waiting = service.state().sockets.waiting.remove(ack["envelope_id"].as_str().unwrap_or_default());
                    if let Some(waiting) = waiting {
                        let _ = waiting.send(());
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    {
        let sockets = &mut service.state().sockets;
        sockets.open.retain(|(open, _)| *open != id);
        sockets.fewest = sockets.fewest.min(sockets.open.len());
    }
    service.changed.notify_waiters();
}

impl Service {
    /// How many connections are open, and how many ever were.
    pub(super) fn connections(&self) -> (usize, u64) {
        let sockets = &self.state().sockets;
        (sockets.open.len(), sockets.opened)
    }

    /// How many connections were open at least since they were asked to be renewed.
    pub(super) fn fewest_connections(&self) -> usize {
        self.state().sockets.fewest
    }

    /// All connections stay open, and nothing is heard or said on them any more.
    pub(super) fn freeze(&self) {
        for (_, frames) in std::mem::take(&mut self.state().sockets.open) {
            let _ = frames.send(Frame::Freeze);
        }
    }

    /// Asks for all connections to be renewed, or breaks them.
    pub(super) fn renew(&self, broken: bool) {
        let bye = json!({ "type": "disconnect", "reason": "refresh_requested", "debug_info": { "host": "sandbox" } });
        let sockets = &mut self.state().sockets;
        sockets.fewest = sockets.open.len();
        for (_, frames) in &sockets.open {
            let _ = frames.send(if broken { Frame::Break } else { Frame::Text(bye.to_string()) });
        }
    }

    /// Sends an envelope over the newest connection; whether it was acknowledged.
    pub(super) async fn send_envelope(&self, kind: &str, payload: &Value, attempt: usize) -> bool {
        let acknowledged = {
            let mut state = self.state();
            let id = state.next_ts().replace('.', "-");
            let envelope = json!({
                "envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api",
                "retry_attempt": attempt, "retry_reason": if attempt > 0 { "timeout" } else { "" },
            });
            let Some((_, frames)) = state.sockets.open.last() else { return false };
            if frames.send(Frame::Text(envelope.to_string())).is_err() {
                return false;
            }
            let (sender, acknowledged) = oneshot::channel();
            state.sockets.waiting.insert(id, sender);
            acknowledged
        };
        matches!(tokio::time::timeout(self.options.ack_within, acknowledged).await, Ok(Ok(())))
    }
}

/// A body of the other way in, as an envelope's kind and payload.
pub(super) fn envelope(content_type: &str, body: &str) -> (&'static str, Value) {
    if content_type == "application/json" {
        return ("events_api", serde_json::from_str(body).unwrap_or_default());
    }
    let mut fields: serde_json::Map<String, Value> =
        url::form_urlencoded::parse(body.as_bytes()).map(|(k, v)| (k.into_owned(), Value::String(v.into_owned()))).collect();
    match fields.remove("payload") {
        Some(payload) => ("interactive", serde_json::from_str(payload.as_str().unwrap_or_default()).unwrap_or_default()),
        None => ("slash_commands", fields.into()),
    }
}
