//! Messages out: the Bot API, with its errors named after what the core does next.

use crate::Telegram;
use crate::event::{Place, address, message_ref};
use crate::payloads::{EditRichMessage, InputRichMessage, SendRichMessage};
use crate::render::{Part, keyboard, plain, render, rich};
use async_trait::async_trait;
use chat::{Anchor, Block, Chat, ChatError, File, Limits, Markdown, Message, MessageRef, Platform, Profile, Source, ThreadKey};
use std::sync::atomic::Ordering;
use std::time::Duration;
use teloxide::payloads::{EditMessageTextSetters, SendDocumentSetters, SendMessageSetters};
use teloxide::requests::{JsonRequest, Requester};
use teloxide::types::{ChatId, FileId, InputFile, LinkPreviewOptions, MessageId, ParseMode, ReplyParameters, UserId};
use teloxide::{ApiError, RequestError};
use url::Url;

/// Words of an alert over a button.
const ALERT_CHARS: usize = 200;

#[async_trait]
impl Chat for Telegram {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_millis(1_500),
            progress_interval: Duration::from_secs(4),
            table_rows: 50,
            table_columns: 12,
            buttons: 30,
            forms: false,
        }
    }

    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey> {
        Place::read(anchor).map(|place| place.thread())
    }

    /// The chat, where it has an address: supergroups and their topics.
    fn thread_url(&self, anchor: &Anchor) -> Option<Url> {
        let place = Place::read(anchor)?;
        let inside = place.chat.to_string().strip_prefix("-100")?.to_owned();
        let message = place.topic.map(|t| t.0).or(place.answers)?;
        Url::parse(&format!("https://t.me/c/{inside}/{message}")).ok()
    }

    async fn status(&self, anchor: &Anchor, doing: &str) -> bool {
        let Some(place) = Place::read(anchor) else { return false };
        let doing = Message::new(vec![Block::Note(Markdown::ours(&format!("{} …", chat::escape(doing))))]);
        self.show_draft(&place, &doing).await.unwrap_or(false)
    }

    async fn draft(&self, anchor: &Anchor, message: &Message) -> Result<bool, ChatError> {
        self.show_draft(&place_of(anchor)?, message).await
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        self.post_at(&place_of(anchor)?, message).await
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let (chat, id, topic) = address(at).ok_or_else(|| ChatError::Gone("the address is not one of Telegram".into()))?;
        self.pace(chat, message.partial).await?;
        if let Some(html) = self.rich_html(message) {
            let rich_message = InputRichMessage { html, skip_entity_detection: true };
            let edit = EditRichMessage { chat_id: chat, message_id: id.0, rich_message, reply_markup: keyboard(message) };
            match JsonRequest::new(self.bot.clone(), edit).await.map(drop) {
                Err(error) if self.refuses_rich(&error) => {}
                other => return unmodified_is_fine(other),
            }
        }
        let mut parts = render(message).into_iter();
        let first = parts.next().unwrap_or_default();
        let mut mode = Some(ParseMode::Html);
        match self.edit_part(chat, id, first, mode).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "telegram refused the markup; the words go out as text");
                (parts, mode) = (plain(message).into_iter(), None);
                let first = parts.next().unwrap_or_default();
                self.edit_part(chat, id, first, mode).await?;
            }
            other => other?,
        }
        if message.partial {
            return Ok(());
        }
        let place = Place { bot: self.id.clone(), chat, topic, answers: (!chat.is_user()).then_some(id) };
        self.send_rest(&place, parts, mode).await;
        Ok(())
    }

    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError> {
        let place = place_of(anchor)?;
        let user: u64 = user.parse().map_err(|_| ChatError::Gone("the person is not one of Telegram".into()))?;
        let words = message.plain();
        let short = words.chars().count() <= ALERT_CHARS && !words.contains("://") && message.buttons().next().is_none();
        if short && self.answer_press(place.chat, UserId(user), words.trim()).await {
            return Ok(());
        }
        // Groups have no messages for one person: it goes into their chat with the bot.
        let direct = Place { bot: place.bot.clone(), chat: ChatId::from(UserId(user)), topic: None, answers: None };
        let aside = if place.is_private() { place } else { direct };
        self.post_at(&aside, message).await.map(drop)
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let place = place_of(anchor)?;
        self.pace(place.chat, false).await?;
        match self.send_file(&place, file).await {
            Err(RequestError::MigrateToChatId(chat)) => self.send_file(&Place { chat, ..place }, file).await,
            other => other,
        }
        .map_err(|e| chat_error(&e))
    }

    /// Telegram hands out files of up to 20 MB, for an hour.
    async fn source(&self, _anchor: &Anchor, place: &str) -> Result<Source, ChatError> {
        let file = self.bot.get_file(FileId(place.to_owned())).await.map_err(|e| chat_error(&e))?;
        let mut url = self.bot.api_url();
        let path = file.path.split('/');
        url.path_segments_mut()
            .map_err(|()| ChatError::Gone("the service's address is none".into()))?
            .pop_if_empty()
            .push("file")
            .push(&format!("bot{}", self.bot.token()))
            .extend(path);
        Ok(Source { url, bearer: None })
    }

    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        let place = place_of(anchor)?;
        let user: u64 = user.parse().map_err(|_| ChatError::Gone("the person is not one of Telegram".into()))?;
        let member = self.bot.get_chat_member(place.chat, UserId(user)).await.map_err(|e| chat_error(&e))?;
        Ok(Profile { name: chat::text::clean(&member.user.full_name()), ..Profile::default() })
    }
}

fn place_of(anchor: &Anchor) -> Result<Place, ChatError> {
    Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Telegram".into()))
}

fn reply(place: &Place) -> Option<ReplyParameters> {
    place.answers.map(|id| ReplyParameters::new(id).allow_sending_without_reply())
}

/// Links are not unfolded; a picture of ours is shown large.
fn preview(picture: Option<Url>) -> LinkPreviewOptions {
    let url = picture.map(String::from);
    LinkPreviewOptions {
        is_disabled: url.is_none(),
        prefer_large_media: url.is_some(),
        url,
        prefer_small_media: false,
        show_above_text: false,
    }
}

impl Telegram {
    pub(crate) async fn pace(&self, chat: ChatId, partial: bool) -> Result<(), ChatError> {
        let Some(paces) = &self.paces else { return Ok(()) };
        let pace = if chat.is_user() { &paces.private } else { &paces.groups };
        pace.turn(&chat.to_string(), &paces.all, partial).await
    }

    fn rich_html(&self, message: &Message) -> Option<String> {
        if self.no_rich.load(Ordering::Relaxed) { None } else { rich(message) }
    }

    /// Whether the message goes out as ordinary HTML instead; a service that does not know the method is not asked again.
    fn refuses_rich(&self, error: &RequestError) -> bool {
        let RequestError::Api(refusal) = error else { return false };
        if matches!(refusal, ApiError::InvalidToken) {
            self.no_rich.store(true, Ordering::Relaxed);
        }
        tracing::warn!(%refusal, "telegram refused a rich message; the table goes out as text");
        matches!(chat_error(error), ChatError::Rejected(_)) || matches!(refusal, ApiError::InvalidToken)
    }

    async fn post_at(&self, place: &Place, message: &Message) -> Result<MessageRef, ChatError> {
        self.pace(place.chat, false).await?;
        match self.send(place, message).await {
            // The group became a supergroup: it has another id from now on.
            Err(RequestError::MigrateToChatId(chat)) => {
                let moved = Place { chat, answers: None, ..place.clone() };
                self.send(&moved, message).await.map_err(|e| chat_error(&e))
            }
            other => other.map_err(|e| chat_error(&e)),
        }
    }

    async fn send_file(&self, place: &Place, file: &File) -> Result<(), RequestError> {
        let document = InputFile::memory(file.bytes.clone()).file_name(file.name.clone());
        let mut request = self.bot.send_document(place.chat, document).disable_content_type_detection(true);
        if let Some(topic) = place.topic {
            request = request.message_thread_id(topic);
        }
        request.await.map(drop)
    }

    async fn send(&self, place: &Place, message: &Message) -> Result<MessageRef, RequestError> {
        if let Some(html) = self.rich_html(message) {
            let rich_message = InputRichMessage { html, skip_entity_detection: true };
            let request = SendRichMessage {
                chat_id: place.chat,
                message_thread_id: place.topic,
                rich_message,
                reply_parameters: reply(place),
                reply_markup: keyboard(message),
            };
            match JsonRequest::new(self.bot.clone(), request).await {
                Err(error) if self.refuses_rich(&error) => {}
                other => return other.map(|sent| message_ref(place, MessageId(sent.message_id))),
            }
        }
        match self.send_all(place, render(message), Some(ParseMode::Html)).await {
            Err(error) if matches!(chat_error(&error), ChatError::Rejected(_)) => {
                tracing::warn!(%error, "telegram refused the markup; the words go out as text");
                self.send_all(place, plain(message), None).await
            }
            other => other,
        }
    }

    async fn send_all(&self, place: &Place, parts: Vec<Part>, mode: Option<ParseMode>) -> Result<MessageRef, RequestError> {
        let mut parts = parts.into_iter();
        let first = self.send_raw(place, parts.next().unwrap_or_default(), mode).await?;
        self.send_rest(place, parts, mode).await;
        Ok(message_ref(place, first))
    }

    /// Sends the parts that come after the first one.
    async fn send_rest(&self, place: &Place, parts: std::vec::IntoIter<Part>, mode: Option<ParseMode>) {
        let send = |part: Part| async move {
            self.pace(place.chat, false).await?;
            self.send_raw(place, part, mode).await.map(drop).map_err(|e| chat_error(&e))
        };
        chat::rest(parts, send).await;
    }

    async fn send_raw(&self, place: &Place, part: Part, mode: Option<ParseMode>) -> Result<MessageId, RequestError> {
        let mut request = self.bot.send_message(place.chat, part.html).link_preview_options(preview(part.picture));
        request.parse_mode = mode;
        request.message_thread_id = place.topic;
        request.reply_parameters = reply(place);
        request.reply_markup = part.keyboard.map(Into::into);
        request.await.map(|sent| sent.id)
    }

    async fn edit_part(&self, chat: ChatId, id: MessageId, part: Part, mode: Option<ParseMode>) -> Result<(), ChatError> {
        let mut request = self.bot.edit_message_text(chat, id, part.html).link_preview_options(preview(part.picture));
        request.parse_mode = mode;
        request.reply_markup = part.keyboard;
        unmodified_is_fine(request.await.map(drop))
    }
}

fn unmodified_is_fine(answer: Result<(), RequestError>) -> Result<(), ChatError> {
    match answer {
        Err(RequestError::Api(ApiError::MessageNotModified)) => Ok(()),
        other => other.map_err(|e| chat_error(&e)),
    }
}

/// Telegram's errors, by what to do next.
pub(crate) fn chat_error(error: &RequestError) -> ChatError {
    let words = error.to_string();
    match error {
        RequestError::RetryAfter(seconds) => ChatError::RateLimited(seconds.duration()),
        RequestError::MigrateToChatId(_) => ChatError::Gone(words),
        RequestError::Api(refusal) => match refusal {
            ApiError::MessageToEditNotFound
            | ApiError::MessageIdInvalid
            | ApiError::MessageCantBeEdited
            | ApiError::ChatNotFound
            | ApiError::GroupDeactivated => ChatError::Gone(words),
            ApiError::CantParseEntities(_)
            | ApiError::MessageIsTooLong
            | ApiError::EditedMessageIsTooLong
            | ApiError::MessageTextIsEmpty
            | ApiError::ButtonDataInvalid
            | ApiError::ButtonUrlInvalid => ChatError::Rejected(words),
            ApiError::Unknown(text) => unknown(text),
            _ => ChatError::Forbidden(words),
        },
        RequestError::Network(e) if e.is_connect() => ChatError::Unreachable(words),
        RequestError::InvalidJson { source, .. } => ChatError::MayHaveLanded(format!("telegram's answer cannot be read: {source}")),
        RequestError::Network(_) | RequestError::Io(_) => ChatError::MayHaveLanded("telegram did not answer".into()),
    }
}

/// Errors that teloxide has no name for; their first words are those of the HTTP status.
fn unknown(text: &str) -> ChatError {
    let lower = text.to_ascii_lowercase();
    if lower.contains("thread not found") || lower.contains("topic_deleted") || lower.contains("topic_closed") {
        ChatError::Gone(text.to_owned())
    } else if lower.starts_with("bad request") && !lower.contains("not enough rights") && !lower.contains("chat_write_forbidden") {
        ChatError::Rejected(text.to_owned())
    } else if lower.starts_with("internal server error") || lower.starts_with("bad gateway") {
        ChatError::MayHaveLanded(text.to_owned())
    } else {
        ChatError::Forbidden(text.to_owned())
    }
}
