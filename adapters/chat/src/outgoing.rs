//! What goes out: the trait that each platform implements, its limits as data, and its errors
//! named after what the caller does next.

use crate::{Anchor, Form, Incoming, Message, MessageRef, Platform, Standing, ThreadKey};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The platforms that are connected.
pub type Chats = HashMap<Platform, Arc<dyn Chat>>;

/// What a platform can carry. The core plans with these; the adapter keeps to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Shortest time between two edits of one message.
    pub edit_interval: Duration,
    /// The same for the message of a job, which is edited for as long as it runs.
    pub progress_interval: Duration,
    /// Rows of a table that are shown in one message; the rest is only counted.
    pub table_rows: usize,
    /// Columns of a table that are shown.
    pub table_columns: usize,
    /// Buttons in one message.
    pub buttons: usize,
    /// Whether forms can be opened.
    pub forms: bool,
}

/// A file to share in a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// File name with extension.
    pub name: String,
    /// MIME type.
    pub media_type: String,
    /// The content.
    pub bytes: Vec<u8>,
}

/// Where a file of the platform can be read, with what a request of it needs. It may hold a token: it is never shown.
pub struct Source {
    /// The address.
    pub url: Url,
    /// The token for the header `authorization`.
    pub bearer: Option<String>,
}

/// A person as the platform knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name to show.
    pub name: String,
    /// The e-mail address, where the platform tells it.
    pub email: Option<String>,
    /// The time zone (`Europe/Berlin`), where the platform tells it.
    pub time_zone: Option<String>,
    /// Language and country (`de-DE`), where the platform tells them.
    pub locale: Option<String>,
    /// How they belong to the install, where the platform tells it.
    pub standing: Standing,
    /// The workspace or tenant that they come from, where it is another one.
    pub home: Option<String>,
}

/// Why a message did not go out, named after what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// Wait this long, then send again. Edits in between are dropped; the last state must go out.
    #[error("rate limited, retry after {0:?}")]
    RateLimited(Duration),
    /// The message or thread no longer exists: post anew, or give up on the thread.
    #[error("the message or thread is gone: {0}")]
    Gone(String),
    /// The bot may not do this here: tell the operator; do not repeat.
    #[error("not allowed: {0}")]
    Forbidden(String),
    /// The platform did not like the markup: send again as plain text.
    #[error("the platform rejected the message: {0}")]
    Rejected(String),
    /// The request may have been carried out: do not post again (an edit may be repeated).
    #[error("the answer was lost, the message may be there: {0}")]
    MayHaveLanded(String),
    /// Nothing was sent: try again later.
    #[error("the platform cannot be reached: {0}")]
    Unreachable(String),
}

/// One chat platform.
#[async_trait]
pub trait Chat: Send + Sync {
    /// Which platform this is.
    fn platform(&self) -> Platform;

    /// What it can carry.
    fn limits(&self) -> Limits;

    /// The thread of the anchor; `None` when the anchor is not one of this platform.
    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey>;

    /// Where people open the thread of the anchor; `None` where threads have no address.
    fn thread_url(&self, anchor: &Anchor) -> Option<Url>;

    /// Shows beside the messages of the thread what the bot is doing (“looking at Plan”), until it posts something there or does
    /// nothing (an empty text) any more; `false` where that cannot be shown, so that a message has to say it.
    async fn status(&self, _anchor: &Anchor, _doing: &str) -> bool {
        false
    }

    /// Says nothing to what was asked there: whoever asked is no longer shown that an answer is on its way.
    async fn leave_unanswered(&self, _anchor: &Anchor) {}

    /// Posts into the thread of the anchor.
    ///
    /// # Errors
    /// See [`ChatError`]; markup that the platform rejects was already tried again as plain text.
    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError>;

    /// Shows growing words as something that is not a message yet, and that the message takes the place of; `false` where there is
    /// no such thing, so that a message has to grow.
    ///
    /// # Errors
    /// [`ChatError::RateLimited`] when it is too early for more words.
    async fn draft(&self, _anchor: &Anchor, _message: &Message) -> Result<bool, ChatError> {
        Ok(false)
    }

    /// Posts the beginning of an answer to a person, which edits let grow until one that is not partial. The same as
    /// [`Self::post`] where the platform has no way of its own to show that.
    ///
    /// # Errors
    /// See [`ChatError`].
    async fn post_growing(&self, anchor: &Anchor, _person: &str, message: &Message) -> Result<MessageRef, ChatError> {
        self.post(anchor, message).await
    }

    /// Replaces a message that was posted before. Safe to repeat.
    ///
    /// # Errors
    /// See [`ChatError`]; "not modified" is not an error.
    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError>;

    /// Opens a form over the button that was pressed; only soon after the press.
    ///
    /// # Errors
    /// See [`ChatError`]; where [`Limits::forms`] is `false`, always.
    async fn open_form(&self, _press: &Incoming, _form: &Form) -> Result<(), ChatError> {
        Err(ChatError::Rejected("there are no forms here".into()))
    }

    /// Shows a message to one person only; falls back to a direct message.
    ///
    /// # Errors
    /// See [`ChatError`].
    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError>;

    /// Shares a file in the thread.
    ///
    /// # Errors
    /// See [`ChatError`].
    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError>;

    /// Where a file that a message carries ([`crate::Carried::place`]) can be read now: an address of the platform itself,
    /// whatever the event says.
    ///
    /// # Errors
    /// See [`ChatError`]; [`ChatError::Rejected`] where files cannot be read.
    async fn source(&self, _anchor: &Anchor, _place: &str) -> Result<Source, ChatError> {
        Err(ChatError::Rejected("files cannot be read here".into()))
    }

    /// Whether a person belongs to an install, where one can be asked of the platform: a server that lists its people.
    ///
    /// # Errors
    /// See [`ChatError`].
    async fn belongs(&self, _user: &str, _install: &str) -> Result<bool, ChatError> {
        Ok(false)
    }

    /// Whether what people ask there begins threads of its own: a channel does, a chat or a thread does not.
    fn begins_threads(&self, _anchor: &Anchor) -> bool {
        false
    }

    /// What a channel is called, without a `#` before it.
    ///
    /// # Errors
    /// See [`ChatError`]; [`ChatError::Rejected`] where events carry the names of channels.
    async fn channel_name(&self, _anchor: &Anchor, _channel: &str) -> Result<String, ChatError> {
        Err(ChatError::Rejected("channels are not asked for by their ids here".into()))
    }

    /// Who a user id belongs to.
    ///
    /// # Errors
    /// See [`ChatError`].
    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError>;
}
