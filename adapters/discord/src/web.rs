//! Messages out: the REST API, with its errors named after what the core does next.

use crate::event::{Place, address, message_ref};
use crate::render::{Part, plain, render};
use crate::{Aside, Discord, EPHEMERAL};
use async_trait::async_trait;
use chat::{Anchor, Chat, ChatError, File, Limits, Message, MessageRef, Platform, Profile, Source, ThreadKey};
use serde_json::{Value, json};
use serenity::builder::CreateAttachment;
use serenity::http::{HttpError, StatusCode};
use serenity::model::id::{ChannelId, GuildId, MessageId, UserId};
use std::sync::atomic::Ordering;
use std::time::Duration;
use url::Url;

/// Links are not unfolded.
const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// A thread that nobody writes in goes out of sight after a day.
const ARCHIVE_MINUTES: u32 = 1_440;
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long growing words leave a message alone that takes few edits.
const FEW_EDITS: Duration = Duration::from_secs(60);

/// Hosts of what people attach to messages.
const FILES: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Codes of Discord: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>
mod code {
    pub const UNKNOWN_CHANNEL: isize = 10_003;
    pub const UNKNOWN_GUILD: isize = 10_004;
    pub const UNKNOWN_MESSAGE: isize = 10_008;
    pub const UNKNOWN_WEBHOOK: isize = 10_015;
    pub const UNKNOWN_INTERACTION: isize = 10_062;
    pub const INVALID_WEBHOOK_TOKEN: isize = 50_027;
    /// Messages that are older than an hour take few edits.
    pub const TOO_OLD_FOR_MANY_EDITS: isize = 30_046;
    pub const INVALID_FORM: isize = 50_035;
    pub const EMPTY_MESSAGE: isize = 50_006;
    pub const ARCHIVED: isize = 50_083;
    pub const THREAD_EXISTS: isize = 160_004;
}

#[async_trait]
impl Chat for Discord {
    fn platform(&self) -> Platform {
        Platform::Discord
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_millis(1_500),
            progress_interval: Duration::from_secs(3),
            table_rows: 20,
            table_columns: 6,
            buttons: 25,
            forms: false,
        }
    }

    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey> {
        Place::read(anchor).map(|place| place.thread())
    }

    fn thread_url(&self, anchor: &Anchor) -> Option<Url> {
        let place = Place::read(anchor)?;
        let guild = place.guild.map_or_else(|| "@me".to_owned(), |g| g.to_string());
        Url::parse(&format!("https://discord.com/channels/{guild}/{}", place.target())).ok()
    }

    async fn leave_unanswered(&self, anchor: &Anchor) {
        let Some(place) = Place::read(anchor) else { return };
        if let Some(aside) = self.asked(&place).await {
            self.stop_thinking(&aside).await;
        }
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let place = self.opened(place_of(anchor)?).await?;
        let asked = self.asked(&place).await;
        let id = match self.send_all(place.target(), render(message)).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "discord refused the message; the words go out alone");
                self.send_all(place.target(), plain(message)).await?
            }
            other => other?,
        };
        if let Some(aside) = asked {
            self.stop_thinking(&aside).await;
        }
        Ok(message_ref(&place, id))
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let (channel, id) = address(at).ok_or_else(|| ChatError::Gone("the address is not one of Discord".into()))?;
        self.pace(channel, "edit", message.partial).await?;
        let mut parts = render(message).into_iter();
        let first = body(&parts.next().unwrap_or_default());
        match self.edit_once(channel, id, &first, message.partial).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "discord refused the message; the words go out alone");
                parts = plain(message).into_iter();
                let first = body(&parts.next().unwrap_or_default());
                self.edit_once(channel, id, &first, message.partial).await?;
            }
            other => other?,
        }
        if !message.partial {
            self.send_rest(channel, parts).await;
        }
        Ok(())
    }

    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError> {
        let place = place_of(anchor)?;
        if let Some(aside) = self.asked(&place).await {
            match self.aside(&aside, message).await {
                // What the token of the interaction is too old for, the bot's own says in a direct message.
                Err(ChatError::Gone(why)) => tracing::info!(why, "an interaction has ended; its person is written to"),
                other => return other,
            }
        }
        let direct = if place.is_direct() { place } else { self.direct(user).await? };
        self.post(&direct.anchor(), message).await.map(drop)
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let place = self.opened(place_of(anchor)?).await?;
        self.pace(place.target(), "send", false).await?;
        let attachment = CreateAttachment::bytes(file.bytes.clone(), file.name.clone());
        timely(self.http.send_message(place.target(), vec![attachment], &json!({ "allowed_mentions": { "parse": [] } }))).await.map(drop)
    }

    async fn source(&self, _anchor: &Anchor, place: &str) -> Result<Source, ChatError> {
        let url = Url::parse(place).ok().filter(|url| self.keeps_files_at(url));
        Ok(Source { url: url.ok_or_else(|| ChatError::Rejected("the file is not kept by Discord".into()))?, bearer: None })
    }

    async fn belongs(&self, user: &str, install: &str) -> Result<bool, ChatError> {
        let Some(guild) = install.parse().ok().filter(|id| *id != 0).map(GuildId::new) else { return Ok(false) };
        match timely(self.http.get_member(guild, user_id(user)?)).await {
            Ok(_) => Ok(true),
            Err(ChatError::Gone(_) | ChatError::Forbidden(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn begins_threads(&self, anchor: &Anchor) -> bool {
        Place::read(anchor).is_some_and(|place| !place.is_direct() && place.thread.is_none())
    }

    async fn channel_name(&self, _anchor: &Anchor, channel: &str) -> Result<String, ChatError> {
        let id = channel.parse().ok().filter(|id| *id != 0).ok_or_else(|| ChatError::Gone("the channel is not one of Discord".into()))?;
        let channel = timely(self.http.get_channel(ChannelId::new(id))).await?;
        channel.guild().map(|channel| channel.name).ok_or_else(|| ChatError::Gone("the channel is not one of a server".into()))
    }

    async fn profile(&self, _anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        let user = timely(self.http.get_user(user_id(user)?)).await?;
        Ok(Profile { name: chat::text::clean(user.global_name.as_deref().unwrap_or(&user.name)), ..Profile::default() })
    }
}

fn place_of(anchor: &Anchor) -> Result<Place, ChatError> {
    Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Discord".into()))
}

fn user_id(user: &str) -> Result<UserId, ChatError> {
    let id = user.parse().ok().filter(|id| *id != 0);
    id.map(UserId::new).ok_or_else(|| ChatError::Gone("the person is not one of Discord".into()))
}

fn body(part: &Part) -> Value {
    let mut body = json!({
        "content": part.content, "components": part.components, "allowed_mentions": { "parse": [] }, "flags": SUPPRESS_EMBEDS,
    });
    if !part.embeds.is_empty() {
        body["embeds"] = json!(part.embeds);
        body["flags"] = json!(0);
    }
    body
}

impl Discord {
    /// A message that is older than an hour takes few edits: growing words wait, last words go into a new one.
    async fn edit_once(&self, channel: ChannelId, id: MessageId, body: &Value, partial: bool) -> Result<(), ChatError> {
        match timely(self.http.edit_message(channel, id, body, Vec::new())).await {
            Err(ChatError::Gone(_)) if partial && self.is_there(channel, id).await => Err(ChatError::RateLimited(FEW_EDITS)),
            other => other.map(drop),
        }
    }

    async fn is_there(&self, channel: ChannelId, id: MessageId) -> bool {
        timely(self.http.get_message(channel, id)).await.is_ok()
    }

    /// Messages and edits are counted apart.
    async fn pace(&self, channel: ChannelId, what: &str, partial: bool) -> Result<(), ChatError> {
        match &self.paces {
            Some((pace, all)) => pace.turn(&format!("{what} {channel}"), all, partial).await,
            None => Ok(()),
        }
    }

    /// Opens the thread of a place, if that is still to be done. Where threads cannot be opened, the channel has to do.
    async fn opened(&self, place: Place) -> Result<Place, ChatError> {
        let (Some(name), Some(thread)) = (&place.opens, place.thread) else { return Ok(place) };
        let open = Place { opens: None, ..place.clone() };
        if self.channels.get(&thread).await.flatten().is_some() {
            return Ok(open);
        }
        let wanted = json!({ "name": name, "auto_archive_duration": ARCHIVE_MINUTES });
        let made = tokio::time::timeout(
            CALL_TIMEOUT,
            self.http.create_thread_from_message(place.channel, MessageId::new(thread.get()), &wanted, None),
        );
        match made.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if code_of(&error) == Some(code::THREAD_EXISTS) => {}
            Ok(Err(error)) => match chat_error(&error) {
                why @ (ChatError::Forbidden(_) | ChatError::Rejected(_)) => {
                    tracing::warn!(%why, "a thread cannot be opened; the answer goes into the channel");
                    return Ok(Place { thread: None, opens: None, ..place });
                }
                other => return Err(other),
            },
            Err(_) => return Err(ChatError::Unreachable("discord did not answer".into())),
        }
        self.channels.insert(thread, Some(place.channel)).await;
        Ok(open)
    }

    /// Sends parts one after the other; the id of the first.
    async fn send_all(&self, channel: ChannelId, parts: Vec<Part>) -> Result<MessageId, ChatError> {
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| ChatError::Rejected("an empty message".into()))?;
        let id = self.send(channel, body(&first)).await?;
        self.send_rest(channel, parts).await;
        Ok(id)
    }

    /// Sends the parts that come after the first one.
    async fn send_rest(&self, channel: ChannelId, parts: std::vec::IntoIter<Part>) {
        chat::rest(parts, |part: Part| async move { self.send(channel, body(&part)).await.map(drop) }).await;
    }

    /// Sends a message once: the same nonce makes Discord give back the message that is there already.
    async fn send(&self, channel: ChannelId, mut body: Value) -> Result<MessageId, ChatError> {
        self.pace(channel, "send", false).await?;
        body["nonce"] = json!(&uuid::Uuid::new_v4().simple().to_string()[..25]);
        body["enforce_nonce"] = json!(true);
        let sent = async || timely(self.http.send_message(channel, Vec::new(), &body)).await.map(|m| m.id);
        match sent().await {
            Err(ChatError::MayHaveLanded(_)) => sent().await,
            other => other,
        }
    }

    /// The interaction that asked, as long as it can be answered.
    async fn asked(&self, place: &Place) -> Option<Aside> {
        self.asides.get(&place.interaction?).await
    }

    /// Answers an interaction to the person alone.
    async fn aside(&self, aside: &Aside, message: &Message) -> Result<(), ChatError> {
        match self.aside_in(aside, render(message)).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "discord refused the message; the words go out alone");
                self.aside_in(aside, plain(message)).await
            }
            other => other,
        }
    }

    async fn aside_in(&self, aside: &Aside, parts: Vec<Part>) -> Result<(), ChatError> {
        let mut parts = parts.into_iter();
        let first = body(&parts.next().unwrap_or_default());
        if aside.deferred.swap(false, Ordering::Relaxed) {
            let edited = aside.timely(|| self.http.edit_original_interaction_response(&aside.token, &first, Vec::new())).await;
            edited.inspect_err(|_| aside.deferred.store(true, Ordering::Relaxed)).map_err(|error| match error {
                // An edit is the same twice as once.
                ChatError::MayHaveLanded(why) => ChatError::Unreachable(why),
                other => other,
            })?;
        } else {
            self.follow_up(aside, first).await?;
        }
        chat::rest(parts, |part: Part| self.follow_up(aside, body(&part))).await;
        Ok(())
    }

    async fn follow_up(&self, aside: &Aside, mut body: Value) -> Result<(), ChatError> {
        body["flags"] = json!(SUPPRESS_EMBEDS | EPHEMERAL);
        aside.timely(|| self.http.create_followup_message(&aside.token, &body, Vec::new())).await.map(drop)
    }

    /// What a command asked for is answered where everybody sees it, or not at all: its person is no longer shown that the bot thinks.
    async fn stop_thinking(&self, aside: &Aside) {
        if !aside.deferred.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = aside.timely(async || self.http.delete_original_interaction_response(&aside.token).await).await {
            tracing::info!(%error, "discord goes on showing that the bot thinks");
        }
    }

    /// Whether Discord keeps files there.
    fn keeps_files_at(&self, url: &Url) -> bool {
        let discords = url.scheme() == "https" && url.host_str().is_some_and(|host| FILES.contains(&host));
        discords || self.settings.api_base_url.as_ref().is_some_and(|base| base.origin() == url.origin())
    }

    /// The conversation of the bot with one person.
    async fn direct(&self, user: &str) -> Result<Place, ChatError> {
        let channel = timely(self.http.create_private_channel(&json!({ "recipient_id": user_id(user)? }))).await?;
        Ok(Place::channel(None, channel.id))
    }
}

/// How long the first answer to an interaction may be on its way to Discord, and how often it is looked whether it is there.
const FIRST_ANSWER: Duration = Duration::from_secs(3);
const FIRST_ANSWER_AGAIN: Duration = Duration::from_millis(100);

impl Aside {
    /// Waits for an answer to a call with the token, which Discord does not know before the first answer is there.
    async fn timely<T, C: Future<Output = serenity::Result<T>> + Send>(&self, call: impl Fn() -> C + Send) -> Result<T, ChatError> {
        loop {
            match tokio::time::timeout(CALL_TIMEOUT, call()).await {
                Ok(Err(error)) if code_of(&error) == Some(code::UNKNOWN_WEBHOOK) && self.since.elapsed() < FIRST_ANSWER => {
                    tokio::time::sleep(FIRST_ANSWER_AGAIN).await;
                }
                Ok(answer) => return answer.map_err(|e| chat_error(&e)),
                Err(_) => return Err(ChatError::MayHaveLanded("discord did not answer".into())),
            }
        }
    }
}

/// Waits for an answer, but not for ever.
async fn timely<T>(call: impl Future<Output = serenity::Result<T>>) -> Result<T, ChatError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|e| chat_error(&e)),
        Err(_) => Err(ChatError::MayHaveLanded("discord did not answer".into())),
    }
}

fn code_of(error: &serenity::Error) -> Option<isize> {
    match error {
        serenity::Error::Http(HttpError::UnsuccessfulRequest(answer)) => Some(answer.error.code),
        _ => None,
    }
}

/// Discord's errors, by what to do next.
pub(crate) fn chat_error(error: &serenity::Error) -> ChatError {
    let serenity::Error::Http(http) = error else {
        return match error {
            serenity::Error::Json(_) => ChatError::MayHaveLanded("discord's answer cannot be read".into()),
            other => ChatError::Unreachable(other.to_string()),
        };
    };
    match http {
        HttpError::UnsuccessfulRequest(answer) => {
            let words = format!("{} {} ({})", answer.status_code, answer.error.message, answer.error.code);
            match (answer.status_code, answer.error.code) {
                (_, code::TOO_OLD_FOR_MANY_EDITS) => ChatError::Gone(words),
                (StatusCode::TOO_MANY_REQUESTS, _) => ChatError::RateLimited(Duration::from_secs(2)),
                (_, code::UNKNOWN_CHANNEL | code::UNKNOWN_GUILD | code::UNKNOWN_MESSAGE | code::ARCHIVED) => ChatError::Gone(words),
                (_, code::UNKNOWN_WEBHOOK | code::UNKNOWN_INTERACTION | code::INVALID_WEBHOOK_TOKEN) => ChatError::Gone(words),
                (_, code::INVALID_FORM | code::EMPTY_MESSAGE) => ChatError::Rejected(words),
                (status, _) if status.is_server_error() => ChatError::MayHaveLanded(words),
                (StatusCode::BAD_REQUEST, _) => ChatError::Rejected(words),
                _ => ChatError::Forbidden(words),
            }
        }
        HttpError::Request(e) if e.is_connect() => ChatError::Unreachable("discord cannot be reached".into()),
        HttpError::Request(_) => ChatError::MayHaveLanded("discord did not answer".into()),
        other => ChatError::Unreachable(other.to_string()),
    }
}
