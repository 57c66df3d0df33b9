//! Serves one event under its lease: heartbeat, stop, what is told and what is logged when it fails.

use super::commands::uuid_of;
use super::live_reply::LiveReply;
use super::{Bot, commands, words};
use crate::access::{self, Role};
use crate::changes::Stop;
use crate::clock::Clock;
use crate::error::{Result, Trouble, told};
use crate::events::{Event as Happened, PostEvent};
use crate::store::{self, Event, HEARTBEAT, LEASE, NewMessage, Post, Store, Waits};
use chat::{Addressed, ChatError, Message, What};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// After this many tries (crashes, not errors) an event is given up.
const MAX_ATTEMPTS: i64 = 3;

impl Bot {
    /// Serves an event and finishes it. Never fails: trouble is told or logged.
    pub(super) async fn serve(&self, mut event: Event) {
        let (token, began) = (CancellationToken::new(), Instant::now());
        self.in_hand().insert(event.id, event.fence);
        let lease = Lease { id: event.id, fence: event.fence, thread: event.incoming.thread.storage_key(), token: token.clone() };
        let _heartbeat = AbortOnDropHandle::new(tokio::spawn(lease.keep(self.parts.store.clone(), self.parts.clock.clone())));
        let result = if event.attempts > MAX_ATTEMPTS { self.give_up(&event).await } else { self.handle(&mut event, &token).await };
        let told = match result {
            Ok(()) => None,
            Err(Trouble::Logged(error)) if self.causes_change(&event).await => {
                tracing::error!(event = event.id, "{error:#}; the change is taken up again when the lease has run out");
                self.in_hand().remove(&event.id);
                return;
            }
            Err(trouble) => Some(self.report(&event, trouble).await),
        };
        let failed = told.is_some();
        if let Err(error) = self.parts.store.finish(event.id, event.fence, failed, self.parts.clock.now_ms()).await {
            tracing::error!(event = event.id, %error, "a served event could not be finished; it will be served again");
        }
        let result = if failed { "failed" } else { "done" };
        metrics::histogram!("chatsheet_turn_duration_seconds", "result" => result).record(began.elapsed().as_secs_f64());
        self.parts.events.tell(Happened::Served { event: event.incoming.dedupe_key().into(), told });
        self.in_hand().remove(&event.id);
    }

    /// Whether a change of this event is under way, or may be: what cannot be looked up is not given up.
    async fn causes_change(&self, event: &Event) -> bool {
        self.parts.store.change(&uuid_of(event)).await.map_or(true, |change| change.is_some_and(|c| c.applying))
    }

    /// After too many tries: a change that is under way is closed, and the person is told.
    async fn give_up(&self, event: &Event) -> Result<()> {
        if let Some(change) = self.parts.store.change(&uuid_of(event)).await?.filter(|c| c.applying) {
            self.parts
                .changes
                .abandon(&change, "it was interrupted several times; please look whether it was written", &Stop::default())
                .await?;
        }
        Err(told(words::gave_up()))
    }

    async fn handle(&self, event: &mut Event, token: &CancellationToken) -> Result<()> {
        self.back_where_it_was_asked(event).await?;
        if let What::Text { text } | What::Command { text } = &event.incoming.what
            && let Some(code) = access::code_in(text)
        {
            return self.join(event, &code).await;
        }
        match self.is_let_in(event).await {
            Ok(true) => {}
            Ok(false) => {
                self.parts.access.turn_away(&event.incoming).await;
                return Ok(());
            }
            // Who cannot be asked about now may be let in: they are told each time that they try.
            Err(Trouble::Told(error)) => {
                return Ok(self.tell_alone(event, &Message::text(&error.words)).await.map_err(anyhow::Error::from)?);
            }
            Err(trouble) => return Err(trouble),
        }
        if let Some(change) = self.parts.store.change(&uuid_of(event)).await? {
            // This event has caused a change already: whatever caused it, it goes on from there.
            return self.go_on(event, &change).await;
        }
        match event.incoming.what.clone() {
            What::Left => {
                let thread = &event.incoming.thread;
                self.parts.store.forget_conversation(thread).await?;
                if let Some(accounts) = self.parts.accounts.as_ref().filter(|_| thread.conversation.is_empty()) {
                    accounts.disconnect_all(&thread.install_key()).await?;
                }
                Ok(())
            }
            What::Filled { action, values, .. } => self.filled(event, &action, &values).await,
            What::Home => self.home(event).await,
            What::Opened => self.greet(event).await,
            What::Added => self.introduce(event).await,
            What::Link { url } => {
                // Nobody has asked for it, so nobody is told why it is not shown.
                if let Err(error) = self.show_link(event, &url).await {
                    tracing::info!(event = event.id, "a link is not shown: {error}");
                }
                Ok(())
            }
            What::Moved { from } => {
                let incoming = &event.incoming;
                self.parts.access.moved(&from, &incoming.thread, self.parts.clock.now_ms()).await?;
                Ok(self.parts.store.move_thread(&from.storage_key(), &incoming.thread, &incoming.anchor).await?)
            }
            What::Press { action, message } => self.press(event, &action, message).await,
            What::Text { .. } | What::Command { .. } => {
                self.tell_said(event).await;
                self.parts.store.remember_thread(&event.incoming.thread, &event.incoming.anchor).await?;
                match commands::of(&event.incoming) {
                    Some(command) => Box::pin(self.command(event, command, token)).await,
                    None => self.turn(event, token).await,
                }
            }
        }
    }

    /// Whether whoever caused an event may use the bot. What a platform does not tell of somebody lets them in nowhere.
    async fn is_let_in(&self, event: &Event) -> Result<bool> {
        if matches!(event.incoming.what, What::Left | What::Moved { .. }) {
            return Ok(true);
        }
        Ok(self.role(event).await?.is_some())
    }

    /// What whoever caused an event may do.
    pub(super) async fn role(&self, event: &Event) -> Result<Option<Role>> {
        Box::pin(self.parts.access.role(&event.incoming)).await.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), event = event.id, "it is not known who somebody is; they are not served");
            told(words::who_are_you())
        })
    }

    /// Lets somebody in by the code of an invitation.
    async fn join(&self, event: &Event, code: &str) -> Result<()> {
        let now_ms = self.parts.clock.now_ms();
        match self.parts.access.redeem(&event.incoming, code, now_ms).await? {
            Some(role) => {
                tracing::info!(person = %access::Person::of(&event.incoming), %role, "somebody was let in by an invitation");
                self.answer(event, words::welcome(role)).await
            }
            None if self.is_let_in(event).await.unwrap_or(false) => Err(told(words::no_such_code())),
            None => self.refuse_alone(event, told(words::no_such_code())).await,
        }
    }

    /// Tells somebody alone why they are not served; once an hour, as whoever is turned away.
    async fn refuse_alone(&self, event: &Event, trouble: Trouble) -> Result<()> {
        let Trouble::Told(error) = trouble else { return Err(trouble) };
        if self.parts.access.tells(&event.incoming).await {
            self.tell_alone(event, &Message::text(&error.words)).await.map_err(anyhow::Error::from)?;
        }
        Ok(())
    }

    /// Keeps what somebody has said in a thread, for pages that show it, and tells them; once, however often it is served.
    async fn tell_said(&self, event: &Event) {
        let What::Text { text } = &event.incoming.what else { return };
        let (thread, id) = (event.incoming.thread.storage_key(), event.incoming.dedupe_key());
        let said = Post {
            body: json!({ "id": id, "text": text }),
            id,
            revision: 0,
            partial: false,
            author: Some(self.author(&event.incoming).await.unwrap_or_default()),
            created_at_ms: self.parts.clock.now_ms(),
        };
        match self.parts.store.put_post(&thread, &said, true).await {
            Ok(Some(revision)) => {
                let told = PostEvent { thread: thread.into(), revision, author: said.author, post: said.body.into() };
                self.parts.events.tell(Happened::Post(told));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, event = event.id, "what somebody said could not be kept for the page beside the sheet"),
        }
    }

    /// Says what went wrong: in the reply if there is one, with a reference number if it is our fault. Returns the words.
    async fn report(&self, event: &Event, trouble: Trouble) -> String {
        let no_place = match &trouble {
            Trouble::Logged(error) => error.downcast_ref::<ChatError>(),
            _ => None,
        };
        if let Some(error @ (ChatError::Gone(_) | ChatError::Forbidden(_))) = no_place {
            tracing::warn!(%error, event = event.id, "the bot cannot write where it was asked");
            // Where the conversation is gone there is nobody to be told.
            let words = words::cannot_post_here();
            if matches!(error, ChatError::Forbidden(_))
                && let Err(error) = self.tell_alone(event, &Message::text(words)).await
            {
                tracing::warn!(%error, event = event.id, "an error could not be told");
            }
            return words.to_owned();
        }
        let told = self.words_of(event, trouble);
        self.say_trouble(event, told.clone()).await;
        told
    }

    fn words_of(&self, event: &Event, trouble: Trouble) -> String {
        match trouble {
            Trouble::Told(error) | Trouble::Later(error) => error.words,
            Trouble::Logged(error) => {
                let reference = Trouble::reference();
                tracing::error!(%reference, event = event.id, thread = %event.incoming.thread.storage_key(), "{error:#}");
                words::our_fault(&reference)
            }
        }
    }

    async fn say_trouble(&self, event: &Event, told: String) {
        let Ok(chat) = self.chat(event.incoming.thread.platform) else { return };
        let message = Message::text(&told);
        if matches!(event.incoming.what, What::Press { .. } | What::Filled { .. }) || self.is_private(event).await.unwrap_or(false) {
            if let Err(error) = self.tell_alone(event, &message).await {
                tracing::warn!(%error, event = event.id, "an error could not be told");
            }
            return;
        }
        let reply = LiveReply::new(self.parts.store.clone(), chat.clone(), event);
        if let Err(error) = reply.finish(&message).await {
            tracing::warn!(%error, event = event.id, "an error could not be told");
        }
        if let Ok(Some(session)) = self.parts.store.session_of(&event.incoming.thread.storage_key()).await {
            let message = NewMessage {
                id: uuid::Uuid::now_v7().to_string(),
                role: store::Role::Error,
                content: told,
                name: None,
                author: None,
                beside: None,
                why: None,
                asker: Some(event.incoming.sender.id.clone()),
            };
            if let Err(error) = self.parts.store.add_messages(&session.id, &[message], self.parts.clock.now()).await {
                tracing::warn!(%error, "an error could not be remembered");
            }
        }
    }

    /// The next text that waits and has no sign of life yet.
    pub(super) async fn next_to_announce(&self, waits: Waits) -> Option<Event> {
        let until_ms = self.parts.clock.now_ms() + LEASE.as_millis() as i64;
        self.parts.store.take_unannounced(waits, until_ms).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the inbox cannot be read");
            None
        })
    }

    /// Gives a sign of life to a text that waits.
    pub(super) async fn announce(&self, event: Event, waits: Waits) {
        if event.incoming.addressed != Addressed::FollowUp
            && self.is_let_in(&event).await.unwrap_or(false)
            && !self.is_only_me(&event.incoming).await.unwrap_or(true)
            && let Ok(chat) = self.chat(event.incoming.thread.platform)
        {
            let reply = LiveReply::new(self.parts.store.clone(), chat.clone(), &event).waiting();
            if let Err(error) = reply.show(&Message::text(words::queued(waits)).partial()).await {
                tracing::warn!(%error, event = event.id, "a waiting text got no sign of life");
            }
        }
        if let Err(error) = self.parts.store.announced(event.id).await {
            tracing::warn!(%error, event = event.id, "a waiting text is served only when its mark runs out");
        }
    }
}

/// The right to serve an event, and what ends the work.
struct Lease {
    id: i64,
    fence: i64,
    thread: String,
    token: CancellationToken,
}

impl Lease {
    /// Prolongs the lease until aborted. A lost lease stops the work, and so does a stop that
    /// another process took.
    async fn keep(self, store: Store, clock: Clock) {
        let since_ms = clock.now_ms();
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match store.prolong(self.id, self.fence, clock.now_ms() + LEASE.as_millis() as i64).await {
                Ok(true) => {}
                Ok(false) => {
                    metrics::counter!("chatsheet_leases_lost_total", "what" => "event").increment(1);
                    tracing::warn!(event = self.id, "the lease was lost; somebody else serves this event now");
                    self.token.cancel();
                    return;
                }
                Err(error) => tracing::warn!(event = self.id, %error, "the lease could not be prolonged"),
            }
            if matches!(store.thread(&self.thread).await, Ok(Some(thread)) if thread.stop_at_ms > since_ms) {
                self.token.cancel();
                return;
            }
        }
    }
}
