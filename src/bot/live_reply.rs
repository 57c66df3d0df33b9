//! One message per answer: a placeholder, growing words, the final text; never two, never a leak.

use crate::store::{Event, Store};
use chat::{Anchor, Chat, ChatError, Message, MessageRef, ThreadKey};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The reply to one event.
pub(super) struct LiveReply {
    store: Store,
    chat: Arc<dyn Chat>,
    event: i64,
    anchor: Anchor,
    at: Option<MessageRef>,
}

impl LiveReply {
    /// The reply of an event; after a crash it is the message that was posted before.
    pub fn new(store: Store, chat: Arc<dyn Chat>, event: &Event) -> Self {
        Self { store, chat, event: event.id, anchor: event.incoming.anchor.clone(), at: event.reply.clone() }
    }

    /// Shows a partial message; a platform that asks to wait is not waited for.
    pub async fn show(&mut self, message: &Message) -> Result<(), ChatError> {
        self.find().await;
        match &self.at {
            Some(at) => self.chat.edit(at, message).await,
            None => {
                self.at = Some(self.chat.post(&self.anchor, message).await?);
                self.remember().await;
                Ok(())
            }
        }
    }

    /// The placeholder may have been posted meanwhile, while the event waited.
    async fn find(&mut self) {
        if self.at.is_none() {
            self.at = self.store.reply_of(self.event).await.ok().flatten();
        }
    }

    async fn remember(&self) {
        let Some(at) = &self.at else { return };
        if let Err(error) = self.store.set_reply(self.event, at).await {
            tracing::warn!(%error, event = self.event, "the place of a reply could not be remembered");
        }
    }

    /// Where the reply stands.
    pub fn message(&self) -> Option<&MessageRef> {
        self.at.as_ref()
    }

    /// The thread that replies to this message arrive under, where that is another one.
    pub fn opened(&self) -> Option<&(ThreadKey, Anchor)> {
        self.at.as_ref().and_then(|m| m.opens.as_ref())
    }

    /// Shows the last state. It goes out even when the platform asks for patience.
    pub async fn finish(&mut self, message: &Message) -> Result<(), ChatError> {
        self.find().await;
        let before = self.at.clone();
        chat::insist(self.chat.as_ref(), &self.anchor, &mut self.at, message).await?;
        if self.at != before {
            self.remember().await;
        }
        Ok(())
    }

    /// Starts to show growing words, no faster than the platform allows. The newest words win.
    pub fn follow(&self, mut words: watch::Receiver<String>, render: impl Fn(&str) -> Message + Send + 'static) -> Follower {
        let (stop, mut stopped) = watch::channel(false);
        let (chat, at) = (self.chat.clone(), self.at.clone());
        let task = tokio::spawn(async move {
            let Some(at) = at else { return };
            let mut pause = chat.limits().edit_interval;
            loop {
                tokio::select! {
                    _ = stopped.changed() => return,
                    () = tokio::time::sleep(pause) => {}
                }
                tokio::select! {
                    _ = stopped.changed() => return,
                    changed = words.changed() => if changed.is_err() { return },
                }
                let text = words.borrow_and_update().clone();
                if text.is_empty() {
                    continue;
                }
                pause = match chat.edit(&at, &render(&text).partial()).await {
                    Err(ChatError::RateLimited(wait)) => wait.max(chat.limits().edit_interval),
                    _ => chat.limits().edit_interval,
                };
            }
        });
        Follower { stop, task }
    }
}

/// Shows growing words until it is ended.
pub(super) struct Follower {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Ends it; when this returns no edit of it is on its way any more.
    pub async fn end(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}
