//! A chat whose messages are also kept for, and told to, pages that show the conversation beside the sheet.

use super::web::body;
use crate::clock::Clock;
use crate::events::{Event, Events, PostEvent};
use crate::links::Links;
use crate::store::{Post, Store};
use async_trait::async_trait;
use chat::{Anchor, Chat, ChatError, File, Form, Incoming, Limits, Message, MessageRef, Platform, Profile, Source, ThreadKey};
use moka::future::Cache;
use serde_json::{Value, json};
use std::sync::Arc;
use url::Url;
use uuid::Uuid;

/// Messages whose thread is known, so that their edits can be told.
const KNOWN: u64 = 10_000;

/// Wraps the chat of a platform.
pub struct Mirror {
    chat: Arc<dyn Chat>,
    store: Store,
    events: Events,
    clock: Clock,
    links: Links,
    /// By the id of a message: its thread, and the revision that was kept.
    known: Cache<String, (Arc<str>, i64)>,
}

impl Mirror {
    /// A chat that tells what it shows.
    pub fn new(chat: Arc<dyn Chat>, store: Store, events: Events, clock: Clock, links: Links) -> Self {
        Self { chat, store, events, clock, links, known: Cache::new(KNOWN) }
    }

    /// What a message is called beside the sheet.
    fn id(&self, at: &MessageRef) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}|{}", self.chat.platform(), at.place).as_bytes()).to_string()
    }

    async fn posted(&self, anchor: &Anchor, at: MessageRef, message: &Message) -> MessageRef {
        // A message that opens a thread belongs to it.
        let thread = at.opens.as_ref().map(|(thread, _)| thread.clone()).or_else(|| self.chat.thread_of(anchor));
        if let Some(thread) = thread {
            self.keep(self.id(&at), thread.storage_key().into(), body(message), message.partial, None).await;
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

    /// Where a message stands that was shown before, by this process or another.
    async fn place_of(&self, id: &str) -> Option<(Arc<str>, i64)> {
        if let Some(known) = self.known.get(id).await {
            return Some(known);
        }
        let found = self.store.place_of_post(id).await.inspect_err(|error| tracing::warn!(%error, "a message cannot be looked up"));
        found.ok().flatten().map(|(thread, revision)| (thread.into(), revision))
    }

    /// Keeps a message, new or as it is now, and tells it. While it grows it is only told: what was kept has a `revision`.
    async fn keep(&self, id: String, thread: Arc<str>, mut body: Value, partial: bool, revision: Option<i64>) {
        (body["id"], body["partial"]) = (json!(id), json!(partial));
        let revision = match revision.filter(|_| partial) {
            Some(revision) => revision,
            None => {
                let kept = self.links.sealed_in(body.clone());
                let post = Post { id: id.clone(), revision: 0, partial, body: kept, author: None, created_at_ms: self.clock.now_ms() };
                match self.store.put_post(&thread, &post, revision.is_none()).await {
                    Ok(kept) => kept.unwrap_or_default(),
                    Err(error) => {
                        tracing::warn!(%error, "a message could not be kept for the page beside the sheet");
                        revision.unwrap_or_default()
                    }
                }
            }
        };
        self.known.insert(id, (thread.clone(), revision)).await;
        self.events.tell(Event::Post(PostEvent { thread, revision, author: None, post: body.into() }));
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
        let id = self.id(at);
        if let Some((thread, revision)) = self.place_of(&id).await {
            self.keep(id, thread, body(message), message.partial, Some(revision)).await;
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
        self.chat.upload(anchor, file).await?;
        if let Some(thread) = self.chat.thread_of(anchor) {
            let block = json!({ "type": "file", "name": file.name, "mediaType": file.media_type });
            let body = json!({ "text": file.name, "blocks": [block] });
            self.keep(Uuid::now_v7().to_string(), thread.storage_key().into(), body, false, None).await;
        }
        Ok(())
    }

    async fn source(&self, anchor: &Anchor, place: &str) -> Result<Source, ChatError> {
        self.chat.source(anchor, place).await
    }

    fn begins_threads(&self, anchor: &Anchor) -> bool {
        self.chat.begins_threads(anchor)
    }

    async fn channel_name(&self, anchor: &Anchor, channel: &str) -> Result<String, ChatError> {
        self.chat.channel_name(anchor, channel).await
    }

    async fn belongs(&self, user: &str, install: &str) -> Result<bool, ChatError> {
        self.chat.belongs(user, install).await
    }

    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        self.chat.profile(anchor, user).await
    }
}
