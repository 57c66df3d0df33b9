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
use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Slack waits three seconds. What is not stored by now is sent again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_millis(2_500);

/// How long Slack may take to greet a connection; then it hangs somewhere on the way, and another one is opened.
const GREETED_WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(5);
/// How long the next renewal waits for a connection that was just opened.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

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
    places: Arc<Places>,
}

/// The connections as they are now, by their place.
#[derive(Default)]
struct Places(std::sync::Mutex<HashMap<u32, Place>>);

struct Place {
    connection: SlackSocketModeWssClientId,
    /// When it was opened, as long as Slack has not greeted it.
    waits_since: Option<Instant>,
}

impl Places {
    fn all(&self) -> MutexGuard<'_, HashMap<u32, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, connection: SlackSocketModeWssClientId) {
        self.all().insert(connection.initial_index, Place { connection, waits_since: Some(Instant::now()) });
    }

    fn greeted(&self, connection: &SlackSocketModeWssClientId) {
        if let Some(place) = self.all().get_mut(&connection.initial_index).filter(|place| place.connection == *connection) {
            place.waits_since = None;
        }
    }

    /// Whether it was not replaced yet.
    fn holds(&self, connection: &SlackSocketModeWssClientId) -> bool {
        self.all().get(&connection.initial_index).is_some_and(|place| place.connection == *connection)
    }

    /// Those that hang.
    fn overdue(&self) -> Vec<SlackSocketModeWssClientId> {
        let overdue = |place: &&Place| place.waits_since.is_some_and(|since| since.elapsed() > GREETED_WITHIN);
        self.all().values().filter(overdue).map(|place| place.connection.clone()).collect()
    }
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
        let places = Arc::<Places>::default();
        let listener = Listener { slack: self, inbox, connections: Arc::downgrade(&connections), renewal: Arc::default(), places };
        let listener = Arc::new(listener);
        let settings = SlackClientSocketModeConfig::new()
            .with_initial_backoff_in_seconds(0)
            .with_reconnect_timeout_in_seconds(2)
            .with_ping_interval_in_seconds(5)
            .with_ping_failure_threshold_times(3);
        for place in 0..settings.max_connections_count {
            listener.places.opened(SlackSocketModeWssClientId::new(place, place, 0));
        }
        if let Err(error) = connections.register_new_token(&settings, token, listener.clone()).await {
            tracing::error!(error = %crate::web::chat_error(error), "slack's Socket Mode cannot be used; check SLACK_APP_TOKEN");
            return;
        }
        connections.start().await;
        tracing::info!("slack is listened to over Socket Mode");
        while tokio::time::timeout(LOOK, stop.cancelled()).await.is_err() {
            for connection in listener.places.overdue() {
                tracing::warn!("a connection to slack hangs before it is open; another is opened");
                listener.renew(&connection);
            }
        }
        connections.shutdown().await;
    }
}

impl Listener {
    /// Renews a connection when it is its turn; what comes over it until then is heard.
    fn renew(&self, connection: &SlackSocketModeWssClientId) {
        let (connections, renewal, connection) = (self.connections.clone(), self.renewal.clone(), connection.clone());
        let places = self.places.clone();
        tokio::spawn(async move {
            let _turn = renewal.turn.lock().await;
            let hello = renewal.hello.notified();
            // One that was renewed already says nothing new.
            if let Some(connections) = connections.upgrade().filter(|_| places.holds(&connection)) {
                places.opened(connection.new_reconnected_id());
                connections.restart_client(&connection).await;
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
            "hello" => {
                self.places.greeted(connection);
                self.renewal.hello.notify_waiters();
            }
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
