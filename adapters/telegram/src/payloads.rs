//! Requests of the Bot API that teloxide does not know yet: drafts, and rich messages since Bot API 10.1; and updates, which
//! it reads too strictly.

use crate::wire::Update;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use teloxide::requests::Payload;
use teloxide::types::{AllowedUpdate, ChatId, InlineKeyboardMarkup, ParseMode, ReplyParameters, ThreadId, True};

/// The content of a rich message.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InputRichMessage {
    pub html: String,
    /// Words of cells are no commands, mentions or links.
    pub skip_entity_detection: bool,
}

/// `sendRichMessage`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SendRichMessage {
    pub chat_id: ChatId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_thread_id: Option<ThreadId>,
    pub rich_message: InputRichMessage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_parameters: Option<ReplyParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_markup: Option<InlineKeyboardMarkup>,
}

/// `editMessageText` with a rich message.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EditRichMessage {
    pub chat_id: ChatId,
    pub message_id: i32,
    pub rich_message: InputRichMessage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_markup: Option<InlineKeyboardMarkup>,
}

/// `sendMessageDraft`: seen for half a minute, or until the message is sent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SendMessageDraft {
    pub chat_id: ChatId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_thread_id: Option<ThreadId>,
    pub draft_id: u32,
    pub text: String,
    pub parse_mode: ParseMode,
}

/// `getUpdates`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GetUpdates {
    pub offset: i64,
    /// How long Telegram may wait for one.
    pub timeout: u32,
    pub allowed_updates: [AllowedUpdate; 4],
}

/// What is needed of the answer.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Sent {
    pub message_id: i32,
}

impl Payload for GetUpdates {
    type Output = Vec<Update>;
    const NAME: &'static str = "GetUpdates";

    fn timeout_hint(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.timeout.into()))
    }
}

impl Payload for SendRichMessage {
    type Output = Sent;
    const NAME: &'static str = "SendRichMessage";
}

impl Payload for SendMessageDraft {
    type Output = True;
    const NAME: &'static str = "SendMessageDraft";
}

impl Payload for EditRichMessage {
    type Output = Sent;
    const NAME: &'static str = "EditMessageText";
}
