//! Socket Mode: events come over connections that we open, so that no public address is needed. Two are held, so that one
//! is there while the other is renewed; an envelope is acknowledged when its event is stored.

use crate::event;
use crate::{Connector, Slack, now_ms};
use async_trait::async_trait;
use chat::Inbox;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use slack_morphism::clients_manager::{SlackSocketModeClientsManager, SlackSocketModeClientsManagerFactory};
use slack_morphism::errors::SlackClientError;
use slack_morphism::listener::SlackClientEventsListenerEnvironment;
use slack_morphism::prelude::*;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

/// Slack waits three seconds. What is not stored by now is sent again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_millis(2_500);

/// How long the next renewal waits for a connection that was just opened.
const HELLO_WITHIN: Duration = Duration::from_secs(3);

type Connections = dyn SlackSocketModeClientsManager + Send + Sync;

/// What comes over a connection.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    envelope_id: Option<&'a str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Takes in what comes over the connections.
struct Listener {
    slack: Arc<Slack>,
    inbox: Arc<dyn Inbox>,
    connections: Weak<Connections>,
    renewal: Arc<Renewal>,
}

/// Connections are renewed one after the other, so that there is always one.
#[derive(Default)]
struct Renewal {
    turn: Mutex<()>,
    hello: Notify,
}

impl Slack {
    /// Takes events over Socket Mode until told to stop; nothing without an app-level token.
    pub async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: CancellationToken) {
        let Some(token) = self.app_token.clone() else { return };
        let client = Arc::new(self.client.clone());
        let environment = Arc::new(SlackClientEventsListenerEnvironment::<Connector>::new(client.clone()));
        let connections = client.http_api.connector.new_clients_manager(environment);
        let listener = Arc::new(Listener { slack: self, inbox, connections: Arc::downgrade(&connections), renewal: Arc::default() });
        let settings = SlackClientSocketModeConfig::new()
            .with_initial_backoff_in_seconds(0)
            .with_reconnect_timeout_in_seconds(2)
            .with_ping_interval_in_seconds(5)
            .with_ping_failure_threshold_times(3);
        if let Err(error) = connections.register_new_token(&settings, token, listener).await {
            tracing::error!(error = %crate::web::chat_error(error), "slack's Socket Mode cannot be used; check SLACK_APP_TOKEN");
            return;
        }
        connections.start().await;
        tracing::info!("slack is listened to over Socket Mode");
        stop.cancelled().await;
        connections.shutdown().await;
    }
}

impl Listener {
    /// Renews a connection when it is its turn; what comes over it until then is heard.
    fn renew(&self, connection: &SlackSocketModeWssClientId) {
        let (connections, renewal, connection) = (self.connections.clone(), self.renewal.clone(), connection.clone());
        tokio::spawn(async move {
            let _turn = renewal.turn.lock().await;
            let hello = renewal.hello.notified();
            if let Some(connections) = connections.upgrade() {
                connections.restart_client(&connection).await;
                // One that was renewed already says nothing new.
                let _ = tokio::time::timeout(HELLO_WITHIN, hello).await;
            }
        });
    }
}

#[async_trait]
impl SlackSocketModeClientListener for Listener {
    /// What is answered to a frame: an acknowledgement, or nothing, and Slack sends it again.
    async fn on_message(&self, connection: &SlackSocketModeWssClientId, frame: String) -> Option<String> {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(&frame) else {
            tracing::debug!("a frame of slack that cannot be read was left out");
            return None;
        };
        match frame.kind {
            "hello" => self.renewal.hello.notify_waiters(),
            "disconnect" => self.renew(connection),
            _ => {}
        }
        let parsed = event::parse_envelope(frame.kind, frame.payload?.get(), now_ms());
        let stored = self.slack.take(self.inbox.as_ref(), parsed, STORE_WITHIN).await;
        stored.ok().and(frame.envelope_id).map(|id| json!({ "envelope_id": id }).to_string())
    }

    async fn on_error(&self, error: Box<dyn std::error::Error + Send + Sync>) {
        if let Some(SlackClientError::SocketModeProtocolError(_)) = error.downcast_ref() {
            tracing::debug!("a connection to slack broke off; another is opened");
        }
    }

    async fn on_disconnect(&self, connection: &SlackSocketModeWssClientId) {
        self.renew(connection);
    }
}
