//! A chat whose messages are also told to pages that show the conversation beside the sheet.

use super::web::body;
use crate::events::{Event, Events, PostEvent};
use async_trait::async_trait;
use chat::{Anchor, Chat, ChatError, File, Form, Incoming, Limits, Message, MessageRef, Platform, Profile, ThreadKey};
use moka::future::Cache;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use url::Url;

/// Messages whose thread is known, so that their edits can be told.
const KNOWN: u64 = 10_000;

/// Wraps the chat of a platform.
pub struct Mirror {
    chat: Arc<dyn Chat>,
    events: Events,
    threads: Cache<String, Arc<str>>,
    revision: AtomicI64,
}

impl Mirror {
    /// A chat that tells what it shows.
    pub fn new(chat: Arc<dyn Chat>, events: Events) -> Self {
        Self { chat, events, threads: Cache::new(KNOWN), revision: AtomicI64::new(0) }
    }

    async fn posted(&self, anchor: &Anchor, at: MessageRef, message: &Message) -> MessageRef {
        // A message that opens a thread belongs to it.
        let thread = at.opens.as_ref().map(|(thread, _)| thread.clone()).or_else(|| self.chat.thread_of(anchor));
        if let Some(thread) = thread {
            let thread: Arc<str> = thread.storage_key().into();
            self.threads.insert(at.place.clone(), thread.clone()).await;
            self.tell(thread, &at, message);
        }
        at
    }

    /// Counts what has to wait for a platform's rate, whether it or we said so.
    fn counted<T>(&self, sent: Result<T, ChatError>) -> Result<T, ChatError> {
        if let Err(ChatError::RateLimited(_)) = &sent {
            metrics::counter!("chatsheet_chat_deferred_total", "platform" => self.chat.platform().to_string()).increment(1);
        }
        sent
    }

    fn tell(&self, thread: Arc<str>, at: &MessageRef, message: &Message) {
        let mut post = body(message);
        post["id"] = json!(at.place);
        post["partial"] = json!(message.partial);
        let revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        self.events.tell(Event::Post(PostEvent { thread, revision, post: Arc::new(post) }));
    }
}

#[async_trait]
impl Chat for Mirror {
    fn platform(&self) -> Platform {
        self.chat.platform()
    }

    fn limits(&self) -> Limits {
        self.chat.limits()
    }

    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey> {
        self.chat.thread_of(anchor)
    }

    fn thread_url(&self, anchor: &Anchor) -> Option<Url> {
        self.chat.thread_url(anchor)
    }

    async fn status(&self, anchor: &Anchor, doing: &str) -> bool {
        self.chat.status(anchor, doing).await
    }

    async fn draft(&self, anchor: &Anchor, message: &Message) -> Result<bool, ChatError> {
        self.chat.draft(anchor, message).await
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let at = self.counted(self.chat.post(anchor, message).await)?;
        Ok(self.posted(anchor, at, message).await)
    }

    async fn post_growing(&self, anchor: &Anchor, person: &str, message: &Message) -> Result<MessageRef, ChatError> {
        let at = self.counted(self.chat.post_growing(anchor, person, message).await)?;
        Ok(self.posted(anchor, at, message).await)
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        self.counted(self.chat.edit(at, message).await)?;
        if let Some(thread) = self.threads.get(&at.place).await {
            self.tell(thread, at, message);
        }
        Ok(())
    }

    async fn open_form(&self, press: &Incoming, form: &Form) -> Result<(), ChatError> {
        self.chat.open_form(press, form).await
    }

    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError> {
        self.chat.whisper(anchor, user, message).await
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        self.chat.upload(anchor, file).await
    }

    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        self.chat.profile(anchor, user).await
    }
}
