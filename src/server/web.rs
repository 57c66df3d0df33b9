//! The web as a platform: what the bot shows in its threads is kept, and told to whoever listens.

use crate::clock::Clock;
use crate::events::{Event, Events, PostEvent};
use crate::links::Links;
use crate::store::{Post, Store};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chat::{
    Align, Anchor, Block, ButtonStyle, Chat, ChatError, File, Limits, Markdown, Message, MessageRef, Node, Platform, Profile, ThreadKey,
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// Threads of the REST API and of the viewer.
pub struct Web {
    store: Store,
    events: Events,
    clock: Clock,
    links: Links,
}

impl Web {
    /// The web over this store.
    pub fn new(store: Store, events: Events, clock: Clock, links: Links) -> Self {
        Self { store, events, clock, links }
    }

    /// The thread `name` of a key; two keys never meet.
    pub fn thread(key: &str, name: &str) -> ThreadKey {
        ThreadKey { platform: Platform::Web, install: key.to_owned(), conversation: name.to_owned(), root: None }
    }

    /// Where to post in a thread.
    pub fn anchor(thread: &ThreadKey) -> Anchor {
        Anchor(thread.storage_key())
    }

    async fn put(&self, thread: &str, id: &str, partial: bool, mut body: Value, new: bool) -> Result<(), ChatError> {
        let created_at_ms = self.clock.now_ms();
        body["id"] = json!(id);
        body["partial"] = json!(partial);
        let kept = self.links.sealed_in(body.clone());
        let post = Post { id: id.to_owned(), revision: 0, partial, body: kept, author: None, created_at_ms };
        let put = self.store.put_post(thread, &post, new).await.map_err(|e| ChatError::Unreachable(e.to_string()))?;
        let revision = put.ok_or_else(|| ChatError::Gone("the conversation was cleared".into()))?;
        self.events.tell(Event::Post(PostEvent { thread: thread.into(), revision, author: None, post: body.into() }));
        Ok(())
    }
}

/// A message's address: its id behind that of its thread.
fn place_of(thread: &str, id: &str) -> String {
    format!("{thread}#{id}")
}

#[async_trait]
impl Chat for Web {
    fn platform(&self) -> Platform {
        Platform::Web
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_millis(250),
            progress_interval: Duration::from_secs(1),
            table_rows: 100,
            table_columns: 25,
            buttons: 10,
            forms: false,
        }
    }

    /// An anchor is the key of its thread; nobody asks for more than that here.
    fn thread_of(&self, _anchor: &Anchor) -> Option<ThreadKey> {
        None
    }

    fn thread_url(&self, _anchor: &Anchor) -> Option<url::Url> {
        None
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let id = Uuid::now_v7().to_string();
        self.put(&anchor.0, &id, message.partial, body(message), true).await?;
        Ok(MessageRef { place: place_of(&anchor.0, &id), opens: None })
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let (thread, id) = at.place.rsplit_once('#').ok_or_else(|| ChatError::Gone("no such message".into()))?;
        self.put(thread, id, message.partial, body(message), false).await
    }

    async fn whisper(&self, anchor: &Anchor, _user: &str, message: &Message) -> Result<(), ChatError> {
        self.post(anchor, message).await.map(|_| ())
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let block =
            json!({ "type": "file", "name": file.name, "mediaType": file.media_type, "contentBase64": STANDARD.encode(&file.bytes) });
        let body = json!({ "text": file.name, "blocks": [block] });
        self.put(&anchor.0, &Uuid::now_v7().to_string(), false, body, true).await
    }

    /// Whoever has a key or a link is known by the name in it, which events carry.
    async fn profile(&self, _anchor: &Anchor, _user: &str) -> Result<Profile, ChatError> {
        Err(ChatError::Rejected("people of the API are known by their names only".into()))
    }
}

/// A frame that tells a message of the bot, or what somebody said.
pub(super) fn told(author: Option<&str>, revision: i64, post: &Value) -> Value {
    let Some(author) = author else { return json!({ "type": "message", "eventId": revision, "message": post }) };
    let mut message = body(&Message::text(&chat::escape(post["text"].as_str().unwrap_or_default())));
    let author = if author.is_empty() { Value::Null } else { json!(author) };
    (message["id"], message["author"], message["partial"]) = (post["id"].clone(), author, json!(false));
    json!({ "type": "said", "eventId": revision, "message": message })
}

/// A message as programs and the viewer read it: its blocks, and all of it as plain text.
pub(super) fn body(message: &Message) -> Value {
    json!({ "text": message.plain(), "blocks": message.blocks.iter().map(block).collect::<Vec<_>>() })
}

fn block(block: &Block) -> Value {
    match block {
        Block::Markdown(words) => json!({ "type": "text", "nodes": nodes(words) }),
        Block::Note(words) => json!({ "type": "note", "nodes": nodes(words) }),
        Block::Table(table) => {
            let columns =
                table.columns.iter().map(|c| json!({ "title": c.title, "align": if c.align == Align::Right { "right" } else { "left" } }));
            let cell = |c: &chat::TableCell| json!({ "text": c.text, "link": c.link });
            let rows = table.rows.iter().map(|r| r.iter().map(cell).collect::<Vec<_>>());
            json!({ "type": "table", "columns": columns.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>(), "total": table.total })
        }
        Block::Progress(p) => json!({ "type": "progress", "label": p.label, "done": p.done, "total": p.total }),
        Block::Buttons(buttons) => {
            let style = |s| match s {
                ButtonStyle::Primary => "primary",
                ButtonStyle::Danger => "danger",
                ButtonStyle::Plain => "plain",
            };
            let button = |b: &chat::Button| json!({ "label": b.label, "action": b.action, "style": style(b.style) });
            json!({ "type": "buttons", "buttons": buttons.iter().map(button).collect::<Vec<_>>() })
        }
        Block::Image { url, alt } => json!({ "type": "image", "url": url, "alt": alt }),
    }
}

fn nodes(words: &Markdown) -> Vec<Value> {
    let spans = |node: &Node| -> Vec<Value> {
        let span = |s: &chat::Span| json!({ "text": s.text, "bold": s.bold, "italic": s.italic, "code": s.code, "link": s.link });
        node.spans().iter().map(span).collect()
    };
    let node = |node: &Node| match node {
        Node::Paragraph(_) => json!({ "kind": "paragraph", "spans": spans(node) }),
        Node::Heading(_) => json!({ "kind": "heading", "spans": spans(node) }),
        Node::Item { depth, number, .. } => json!({ "kind": "item", "depth": depth, "number": number, "spans": spans(node) }),
        Node::Code(code) => json!({ "kind": "code", "text": code }),
    };
    words.nodes.iter().map(node).collect()
}
