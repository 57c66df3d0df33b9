//! One message per answer: a sign of life, growing words, the final text; never two, never a leak.

use super::inbox::lane;
use super::line::give_back_place;
use super::words;
use crate::store::{Event, Lane, Store};
use chat::{Anchor, Chat, ChatError, Message, MessageRef, ThreadKey};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

/// The reply to one event.
#[derive(Clone)]
pub(super) struct LiveReply {
    store: Store,
    chat: Arc<dyn Chat>,
    event: i64,
    fence: i64,
    anchor: Anchor,
    person: String,
    /// Whether it is for the asker alone: then nothing is shown before the answer, which is not edited.
    alone: bool,
    /// Whether it is the thread's turn: then it takes the place of the status, which belongs to whoever is served.
    in_line: bool,
    /// Where it stands. Whoever shows something holds it, so that nothing overtakes the last word.
    at: Arc<Mutex<Option<MessageRef>>>,
    /// Somebody else has taken the event: nothing more is shown here.
    gone: Arc<AtomicBool>,
    /// Keeps up what is shown as long as there is no message.
    keeper: Arc<std::sync::Mutex<Option<AbortOnDropHandle<()>>>>,
}

/// What is shown before there is a message.
enum Preview {
    Status(String),
    Draft(Message),
}

/// Telegram drops a draft after 30 seconds, Slack a status after two minutes.
const PREVIEW_AGAIN: Duration = Duration::from_secs(20);

impl LiveReply {
    /// The reply of an event; after a crash it is the message that was posted before.
    pub fn new(store: Store, chat: Arc<dyn Chat>, event: &Event) -> Self {
        let at = Arc::new(Mutex::new(event.reply.clone()));
        let (anchor, person) = (event.incoming.anchor.clone(), event.incoming.sender.id.clone());
        let in_line = matches!(lane(&event.incoming), Lane::Queue);
        Self {
            store,
            chat,
            event: event.id,
            fence: event.fence,
            anchor,
            person,
            alone: false,
            in_line,
            at,
            gone: Arc::default(),
            keeper: Arc::default(),
        }
    }

    /// The same for the asker alone: what is not the answer itself goes nowhere.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// The same for an event that waits: the status there, and the message that takes its place, belong to the one that is served.
    pub fn waiting(self) -> Self {
        Self { in_line: false, ..self }
    }

    /// Whether it is for the asker alone.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Says what is being done (“looking at Plan”): beside the messages where the platform can, else in a message that
    /// becomes the answer.
    pub async fn begin(&self, doing: &str) -> Result<(), ChatError> {
        if self.alone {
            return Ok(());
        }
        let mut at = self.at.lock().await;
        self.find(&mut at).await;
        if at.is_none() && self.chat.status(&self.anchor, doing).await {
            self.keep_up(Preview::Status(doing.to_owned()));
            return Ok(());
        }
        self.put(&mut at, &words::under_way(doing), false).await
    }

    /// Shows what is no message yet again and again, since platforms drop it after a while.
    fn keep_up(&self, preview: Preview) {
        let (chat, anchor, at) = (self.chat.clone(), self.anchor.clone(), self.at.clone());
        let again = async move {
            loop {
                tokio::time::sleep(PREVIEW_AGAIN).await;
                // Whoever shows something holds the place, and ends this before giving it back.
                let _at = at.lock().await;
                let shown = match &preview {
                    Preview::Status(doing) => Ok(chat.status(&anchor, doing).await),
                    Preview::Draft(message) => chat.draft(&anchor, message).await,
                };
                if !matches!(shown, Ok(true)) {
                    tracing::debug!("a sign of life was not shown again; it is tried later");
                }
            }
        };
        *self.keeper() = Some(AbortOnDropHandle::new(tokio::spawn(again)));
    }

    fn keeper(&self) -> MutexGuard<'_, Option<AbortOnDropHandle<()>>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a partial message; a platform that asks to wait is not waited for.
    pub async fn show(&self, message: &Message) -> Result<(), ChatError> {
        let mut at = self.at.lock().await;
        self.find(&mut at).await;
        self.put(&mut at, message, false).await
    }

    /// Edits the message, or posts it; `grows` says that these are the first words of an answer.
    async fn put(&self, at: &mut Option<MessageRef>, message: &Message, grows: bool) -> Result<(), ChatError> {
        if self.alone || self.gone.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.keeper().take();
        if grows && at.is_none() && self.chat.draft(&self.anchor, message).await? {
            self.keep_up(Preview::Draft(message.clone()));
            return Ok(());
        }
        *at = Some(match at {
            Some(at) => return self.chat.edit(at, message).await,
            // A status that stands there is taken the place of.
            None if grows || self.in_line => self.chat.post_growing(&self.anchor, &self.person, message).await?,
            None => self.chat.post(&self.anchor, message).await?,
        });
        self.remember(at.as_ref()).await;
        Ok(())
    }

    /// The placeholder may have been posted meanwhile, while the event waited.
    async fn find(&self, at: &mut Option<MessageRef>) {
        if at.is_none() {
            *at = self.store.reply_of(self.event).await.ok().flatten();
        }
    }

    async fn remember(&self, at: Option<&MessageRef>) {
        let Some(at) = at else { return };
        match self.store.set_reply(self.event, self.fence, at).await {
            Ok(true) => {}
            // This process has slept for longer than its lease: what it has posted just now would stay as it is.
            Ok(false) => {
                self.gone.store(true, Ordering::Relaxed);
                if let Err(error) = self.chat.edit(at, &Message::text(words::taken_over())).await {
                    tracing::warn!(%error, event = self.event, "a message of an event that somebody else serves now stays behind");
                }
            }
            Err(error) => tracing::warn!(%error, event = self.event, "the place of a reply could not be remembered"),
        }
    }

    /// Where the reply stands.
    pub async fn message(&self) -> Option<MessageRef> {
        self.at.lock().await.clone()
    }

    /// The thread that replies to this message arrive under, where that is another one.
    pub async fn opened(&self) -> Option<(ThreadKey, Anchor)> {
        self.at.lock().await.as_ref().and_then(|m| m.opens.clone())
    }

    /// Shows the last state. It goes out even when the platform asks for patience.
    pub async fn finish(&self, message: &Message) -> Result<(), ChatError> {
        let mut at = self.at.lock().await;
        self.keeper().take();
        if self.gone.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.find(&mut at).await;
        give_back_place();
        let before = at.clone();
        if at.is_none() && self.in_line {
            match self.chat.post_growing(&self.anchor, &self.person, message).await {
                Ok(place) => *at = Some(place),
                Err(ChatError::MayHaveLanded(_)) => return Ok(()),
                Err(error @ (ChatError::Gone(_) | ChatError::Forbidden(_))) => return Err(error),
                Err(error) => tracing::info!(%error, event = self.event, "the answer does not take the place of its status"),
            }
            self.remember(at.as_ref()).await;
            if at.is_some() {
                return Ok(());
            }
        }
        chat::insist(self.chat.as_ref(), &self.anchor, &mut at, message).await?;
        if *at != before {
            self.remember(at.as_ref()).await;
        }
        Ok(())
    }

    /// Ends a reply that says nothing: a status goes away, and a message that stands there already becomes this.
    pub async fn withdraw(&self, message: &Message) -> Result<(), ChatError> {
        let mut at = self.at.lock().await;
        self.find(&mut at).await;
        let kept_up = self.keeper().take().is_some();
        match &*at {
            Some(at) => self.chat.edit(at, message).await,
            None => {
                if kept_up && !self.chat.status(&self.anchor, "").await {
                    tracing::debug!("a status could not be taken away; it goes away by itself");
                }
                Ok(())
            }
        }
    }

    /// Starts to show growing words, no faster than the platform allows. The newest words win.
    pub fn follow(&self, mut words: watch::Receiver<String>, render: impl Fn(&str) -> Message + Send + 'static) -> Follower {
        let (stop, mut stopped) = watch::channel(false);
        let reply = self.clone();
        let task = tokio::spawn(async move {
            let interval = reply.chat.limits().edit_interval;
            // The first words are shown at once where nothing but a status is there yet.
            let mut pause = if reply.message().await.is_some() { interval } else { Duration::ZERO };
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
                let mut at = reply.at.lock().await;
                // An error: whoever wanted it shown is gone, and may have shown the last word already.
                if stopped.has_changed().unwrap_or(true) {
                    return;
                }
                pause = match reply.put(&mut at, &render(&text).partial(), true).await {
                    // The first words may be there: they are not begun a second time.
                    Err(ChatError::MayHaveLanded(_)) if at.is_none() => return,
                    Err(ChatError::RateLimited(wait)) if at.is_some() => wait.max(interval),
                    Err(ChatError::RateLimited(wait)) => wait,
                    _ => interval,
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
