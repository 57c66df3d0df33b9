//! Socket Mode: events come over connections that we open, so that no public address is needed. Two are held, so that one
//! is there while the other is renewed; an envelope is acknowledged when its event is stored.

use crate::event::{self, Slash};
use crate::{Connector, Slack, now_ms};
use chat::{Inbox, Incoming};
use slack_morphism::errors::SlackClientError;
use slack_morphism::listener::{HttpStatusCode, SlackClientEventsListenerEnvironment, SlackClientEventsUserState};
use slack_morphism::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Slack waits three seconds. What is not stored by now is sent again; it still runs once.
const STORE_WITHIN: Duration = Duration::from_millis(2_500);

type Refusal = Box<dyn std::error::Error + Send + Sync>;

impl Slack {
    /// Takes events over Socket Mode until told to stop; nothing without an app-level token.
    pub async fn run(self: Arc<Self>, inbox: Arc<dyn Inbox>, stop: CancellationToken) {
        let Some(token) = self.app_token.clone() else { return };
        let environment = SlackClientEventsListenerEnvironment::new(Arc::new(self.client.clone()))
            .with_error_handler(refused)
            .with_user_state::<Arc<dyn Inbox>>(inbox);
        let callbacks = SlackSocketModeListenerCallbacks::new()
            .with_push_events(push)
            .with_interaction_events(interaction)
            .with_command_events(command);
        let settings = SlackClientSocketModeConfig::new()
            .with_initial_backoff_in_seconds(0)
            .with_reconnect_timeout_in_seconds(2)
            .with_ping_interval_in_seconds(5)
            .with_ping_failure_threshold_times(3);
        let listener = SlackClientSocketModeListener::new(&settings, Arc::new(environment), callbacks);
        if let Err(error) = listener.listen_for(&token).await {
            tracing::error!(error = %crate::web::chat_error(error), "slack's Socket Mode cannot be used; check SLACK_APP_TOKEN");
            return;
        }
        listener.start().await;
        tracing::info!("slack is listened to over Socket Mode");
        stop.cancelled().await;
        listener.shutdown().await;
    }
}

async fn push(callback: SlackPushEventCallback, _: Arc<SlackClient<Connector>>, state: SlackClientEventsUserState) -> Result<(), Refusal> {
    store(event::of_callback(callback, now_ms()), &state).await
}

async fn interaction(
    happened: SlackInteractionEvent,
    _: Arc<SlackClient<Connector>>,
    state: SlackClientEventsUserState,
) -> Result<(), Refusal> {
    store(event::of_interaction(happened, now_ms()), &state).await
}

async fn command(
    command: SlackCommandEvent,
    _: Arc<SlackClient<Connector>>,
    state: SlackClientEventsUserState,
) -> Result<SlackCommandEventResponse, Refusal> {
    let slash = Slash {
        team: command.team_id.0,
        channel: command.channel_id.0,
        user: command.user_id.0,
        user_name: None,
        trigger: command.trigger_id.0,
        text: command.text.unwrap_or_default(),
    };
    store(Some(slash.event(now_ms())), &state).await?;
    Ok(SlackCommandEventResponse::new(SlackMessageContent::new()))
}

/// Stores an event; an error leaves the envelope unacknowledged, and Slack sends it again.
async fn store(event: Option<Incoming>, state: &SlackClientEventsUserState) -> Result<(), Refusal> {
    let Some(event) = event else { return Ok(()) };
    let inbox = state.read().await.get_user_state::<Arc<dyn Inbox>>().cloned().ok_or("there is no inbox")?;
    let (delivery, thread) = (event.delivery_id.clone(), event.thread.storage_key());
    match tokio::time::timeout(STORE_WITHIN, inbox.accept(event)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            tracing::error!(%error, delivery, thread, "an event could not be stored; slack will deliver it again");
            Err(error.into())
        }
        Err(late) => {
            tracing::warn!(delivery, thread, "storing an event took too long; slack will deliver it again");
            Err(late.into())
        }
    }
}

/// What was not taken: an event of a kind that is not known, an interruption, or one that could not be stored.
fn refused(error: Refusal, _: Arc<SlackClient<Connector>>, _: SlackClientEventsUserState) -> HttpStatusCode {
    match error.downcast_ref::<SlackClientError>() {
        // Bodies are not logged: they hold what people write.
        Some(SlackClientError::ProtocolError(e)) => tracing::debug!(error = %e.json_error, "an unknown kind of event was left out"),
        Some(SlackClientError::SocketModeProtocolError(_)) => tracing::debug!("a connection to slack broke off; another is opened"),
        _ => {}
    }
    HttpStatusCode::SERVICE_UNAVAILABLE
}
