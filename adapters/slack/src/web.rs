//! Messages out: the Web API, with its errors named after what the core does next.

use crate::Slack;
use crate::event::{Place, Shared, message_ref, place_of};
use crate::render::{Part, render, text_only};
use async_trait::async_trait;
use chat::{
    Anchor, Block, Button, Chat, ChatError, File, Form, Incoming, Limits, Message, MessageRef, Platform, Profile, Source, Standing,
    ThreadKey,
};
use hyper_util::client::legacy;
use serde::Deserialize;
use serde_json::{Value, json};
use slack_morphism::errors::SlackClientError;
use slack_morphism::prelude::*;
use std::time::Duration;
use url::Url;

/// The error of an edit while a message is a stream.
const STREAMING: &str = "streaming_state_conflict";
/// Prompts that Slack shows in the assistant pane.
const PROMPTS: usize = 4;
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// What a method is asked with; some read no JSON.
enum With<'a> {
    Json(&'a Value),
    Params(Vec<(&'a str, Option<&'a str>)>),
}

/// A person, as far as it is read.
#[derive(Deserialize)]
pub(crate) struct Person {
    /// Their workspace.
    pub team_id: Option<String>,
    name: Option<String>,
    tz: Option<String>,
    locale: Option<String>,
    #[serde(default)]
    profile: PersonProfile,
    /// A guest of several channels, or of one.
    #[serde(default)]
    is_restricted: bool,
    #[serde(default)]
    is_ultra_restricted: bool,
    /// Somebody of another workspace with whom no channel is shared.
    #[serde(default)]
    is_stranger: bool,
    enterprise_user: Option<EnterpriseUser>,
}

/// Somebody in an organisation of workspaces.
#[derive(Deserialize)]
struct EnterpriseUser {
    enterprise_id: Option<String>,
}

impl Person {
    /// How they belong to an installation, and where they come from when it is another one.
    fn standing(&self, place: &Place) -> (Standing, Option<String>) {
        let organisation = self.enterprise_user.as_ref().and_then(|e| e.enterprise_id.as_ref());
        let home = if place.is_of_organisation() { organisation } else { self.team_id.as_ref() };
        match home.filter(|home| **home != place.team) {
            Some(other) => (Standing::External, Some(other.clone())),
            None if self.is_stranger => (Standing::External, None),
            None if self.is_restricted || self.is_ultra_restricted => (Standing::Guest, None),
            None => (Standing::Member, None),
        }
    }
}

#[derive(Default, Deserialize)]
struct PersonProfile {
    display_name: Option<String>,
    real_name: Option<String>,
    email: Option<String>,
}

/// Where a file may be sent to.
#[derive(Deserialize)]
struct UploadGranted {
    upload_url: SlackFileUploadUrl,
    file_id: String,
}

/// The answer to what was posted.
#[derive(Deserialize)]
pub(crate) struct Posted {
    #[serde(default)]
    pub ts: String,
}

#[async_trait]
impl Chat for Slack {
    fn platform(&self) -> Platform {
        Platform::Slack
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_secs(1),
            progress_interval: Duration::from_secs(3),
            table_rows: 99,
            table_columns: 20,
            buttons: 25,
            forms: true,
        }
    }

    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey> {
        // What is shown in App Home, below a link, or as prompts is no part of a conversation.
        let prompts = |place: &Place| place.opened && place.thread_ts.is_none();
        Place::read(anchor).filter(|p| p.home_of.is_none() && p.below.is_none() && !prompts(p)).map(|place| place.thread())
    }

    /// The conversation of the thread; Slack documents no address of a thread that can be built without asking it.
    fn thread_url(&self, anchor: &Anchor) -> Option<Url> {
        let place = Place::read(anchor)?;
        if place.is_of_organisation() {
            return Url::parse(&format!("https://app.slack.com/client/{}/{}", place.team, place.channel)).ok();
        }
        Url::parse_with_params("https://slack.com/app_redirect", [("team", &place.team), ("channel", &place.channel)]).ok()
    }

    async fn status(&self, anchor: &Anchor, doing: &str) -> bool {
        match Place::read(anchor) {
            Some(place) => self.set_status(&place, doing).await,
            None => false,
        }
    }

    async fn post_growing(&self, anchor: &Anchor, person: &str, message: &Message) -> Result<MessageRef, ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        match self.start_stream(&place, person, message).await? {
            Some(ts) => Ok(message_ref(&place, &ts)),
            None => self.post(anchor, message).await,
        }
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        let mut parts = render(message).into_iter();
        let first = parts.next().unwrap_or_default();
        if let Some(user) = &place.home_of {
            return self.publish_home(&place, user, &first).await;
        }
        if let Some(shared) = &place.below {
            return self.unfurl(&place, shared, &first).await;
        }
        if place.opened {
            return self.greet(&place, message).await;
        }
        let ts = match self.send_part(&place, &first).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "slack refused the blocks; the words go out as text");
                return self.post_text(&place, message).await;
            }
            other => other?,
        };
        self.send_rest(&place, &ts, parts).await;
        Ok(message_ref(&place, &ts))
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let (place, ts) = place_of(at).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        if place.team.is_empty() && self.tokens.are_many() {
            return Err(ChatError::Gone("the message is of before the app was installed by a link".into()));
        }
        if message.partial && self.append(&place, ts, message).await? {
            return Ok(());
        }
        self.end_stream(&place, ts).await?;
        self.pace_edit(&place, message.partial).await?;
        let mut parts = render(message).into_iter();
        let first = parts.next().unwrap_or_default();
        match self.update_part(&place, ts, &first).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "slack refused the blocks; the words go out as text");
                parts = text_only(message).into_iter();
                self.update_part(&place, ts, &parts.next().unwrap_or_default()).await?;
            }
            other => other?,
        }
        if message.partial {
            return Ok(());
        }
        self.send_rest(&place, ts, parts).await;
        Ok(())
    }

    async fn open_form(&self, press: &Incoming, form: &Form) -> Result<(), ChatError> {
        self.open_modal(press, form).await
    }

    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        if place.is_dm() {
            return match self.post(anchor, message).await {
                // A command among other people: only the conversation with the bot is one that it can write to.
                Err(ChatError::Gone(_) | ChatError::Forbidden(_)) => self.tell_elsewhere(&place, user, message).await,
                other => other.map(|_| ()),
            };
        }
        let mut parts = render(message).into_iter();
        match self.send_alone(&place, user, parts.next().unwrap_or_default()).await {
            Err(ChatError::Gone(_) | ChatError::Forbidden(_)) => return self.tell_elsewhere(&place, user, message).await,
            other => other?,
        }
        chat::rest(parts, |part| self.send_alone(&place, user, part)).await;
        Ok(())
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        let length = file.bytes.len().to_string();
        let wanted = With::Params(vec![("filename", Some(file.name.as_str())), ("length", Some(length.as_str()))]);
        let granted: UploadGranted = self.ask(&place.team, "files.getUploadURLExternal", &wanted).await?;
        let request = SlackApiFilesUploadViaUrlRequest::new(granted.upload_url, file.bytes.clone(), file.media_type.clone());
        let token = self.tokens.of(&place.team).await?;
        self.client.open_session(&token).files_upload_via_url(&request).await.map_err(chat_error)?;
        let mut body = json!({ "files": [{ "id": granted.file_id, "title": file.name }], "channel_id": place.channel });
        if let Some(thread) = &place.thread_ts {
            body["thread_ts"] = json!(thread);
        }
        self.call::<Value>(&place.team, "files.completeUploadExternal", &body).await.map(|_| ())
    }

    /// Needs the scope `files:read`.
    async fn source(&self, anchor: &Anchor, file: &str) -> Result<Source, ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        let url = Url::parse(file).ok().filter(|url| self.keeps_files_at(url));
        let url = url.ok_or_else(|| ChatError::Rejected("the file is not kept by Slack".into()))?;
        let token = self.tokens.of(&place.team).await?;
        Ok(Source { url, bearer: Some(token.token_value.0) })
    }

    fn begins_threads(&self, anchor: &Anchor) -> bool {
        Place::read(anchor).is_some_and(|place| !place.is_dm() && place.thread_ts.is_none())
    }

    async fn channel_name(&self, anchor: &Anchor, channel: &str) -> Result<String, ChatError> {
        #[derive(Deserialize)]
        struct Known {
            channel: Named,
        }
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        let with = With::Params(vec![("channel", Some(channel))]);
        self.ask::<Known>(&place.team, "conversations.info", &with).await.map(|known| known.channel.name)
    }

    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        let place = Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        let known = self.person(&place, user).await?;
        let (standing, home) = known.standing(&place);
        let shown = known.profile.display_name.filter(|n| !n.is_empty()).or(known.profile.real_name);
        Ok(Profile {
            name: shown.or(known.name).unwrap_or_else(|| user.to_owned()),
            email: known.profile.email,
            time_zone: known.tz,
            locale: known.locale,
            standing,
            home,
        })
    }
}

impl Slack {
    /// Tells a person alone where the bot may not write: by the way back of their command, else in a direct message.
    async fn tell_elsewhere(&self, place: &Place, user: &str, message: &Message) -> Result<(), ChatError> {
        if self.respond(place, user, &render(message)).await {
            return Ok(());
        }
        self.direct_message(place, user, message).await
    }

    pub(crate) async fn pace_post(&self, place: &Place) -> Result<(), ChatError> {
        match &self.workspace(&place.team).paces {
            Some(paces) => paces.posts.turn(&place.channel, &paces.all, false).await,
            None => Ok(()),
        }
    }

    /// Edits are counted for the whole workspace.
    async fn pace_edit(&self, place: &Place, partial: bool) -> Result<(), ChatError> {
        match &self.workspace(&place.team).paces {
            Some(paces) => paces.edits.turn("workspace", &paces.all, partial).await,
            None => Ok(()),
        }
    }

    /// What Slack knows of a person.
    pub(crate) async fn person(&self, place: &Place, user: &str) -> Result<Person, ChatError> {
        #[derive(Deserialize)]
        struct Known {
            user: Person,
        }
        self.ask::<Known>(&place.team, "users.info", &With::Params(vec![("user", Some(user)), ("include_locale", Some("true"))]))
            .await
            .map(|k| k.user)
    }

    /// Further parts of a message go into its thread.
    fn inside(&self, place: &Place, ts: &str) -> Place {
        let thread_ts = place.thread_ts.clone().or_else(|| (!place.is_dm()).then(|| ts.to_owned()));
        Place { thread_ts, ..place.clone() }
    }

    /// Fills a person's App Home.
    async fn publish_home(&self, place: &Place, user: &str, part: &Part) -> Result<MessageRef, ChatError> {
        let view = json!({ "type": "home", "private_metadata": place.channel, "blocks": part.blocks });
        self.call::<Value>(&place.team, "views.publish", &json!({ "user_id": user, "view": view })).await?;
        Ok(MessageRef { opens: None, ..message_ref(place, "home") })
    }

    /// Greets in the assistant pane: buttons become prompts that a person can send with a click. In the conversation with an agent, which
    /// people open again and again, there is nothing else.
    async fn greet(&self, place: &Place, message: &Message) -> Result<MessageRef, ChatError> {
        let prompt = |b: &Button| b.action.strip_prefix("say:").map(|words| json!({ "title": b.label, "message": words }));
        let prompts: Vec<Value> = message.buttons().filter_map(prompt).take(PROMPTS).collect();
        if let Err(error) = self.set_prompts(place, &prompts).await {
            tracing::info!(%error, "slack shows no prompts here");
        }
        if place.thread_ts.is_none() {
            return Ok(message_ref(place, "prompts"));
        }
        let words = message.blocks.iter().filter(|b| !matches!(b, Block::Buttons(_))).cloned().collect();
        let first = render(&Message::new(words)).into_iter().next().unwrap_or_default();
        let ts = self.send_part(place, &first).await?;
        Ok(message_ref(place, &ts))
    }

    /// Shows a message below a link.
    async fn unfurl(&self, place: &Place, shared: &Shared, part: &Part) -> Result<MessageRef, ChatError> {
        let unfurls = json!({ &shared.url: { "blocks": part.blocks } });
        let body = json!({ "channel": place.channel, "ts": shared.ts, "unfurls": unfurls });
        self.call::<Value>(&place.team, "chat.unfurl", &body).await?;
        Ok(message_ref(place, &shared.ts))
    }

    async fn post_text(&self, place: &Place, message: &Message) -> Result<MessageRef, ChatError> {
        let mut parts = text_only(message).into_iter();
        let first = parts.next().ok_or_else(|| ChatError::Rejected("an empty message".into()))?;
        let ts = self.send_part(place, &first).await?;
        self.send_rest(place, &ts, parts).await;
        Ok(message_ref(place, &ts))
    }

    async fn direct_message(&self, place: &Place, user: &str, message: &Message) -> Result<(), ChatError> {
        #[derive(Deserialize)]
        struct Opened {
            channel: Id,
        }
        #[derive(Deserialize)]
        struct Id {
            id: String,
        }
        let opened: Opened = self.call(&place.team, "conversations.open", &json!({ "users": user })).await?;
        let dm = Place::channel(place.team.clone(), opened.channel.id);
        self.post(&dm.anchor(), message).await.map(|_| ())
    }

    /// Shows a part to one person.
    async fn send_alone(&self, place: &Place, user: &str, part: Part) -> Result<(), ChatError> {
        let mut body = part_body(&place.channel, &part);
        body["user"] = json!(user);
        // Slack shows it in a thread only where something stands already.
        // <https://docs.slack.dev/reference/methods/chat.postEphemeral>
        if let Some(thread) = place.thread_ts.as_ref().filter(|_| !place.fresh) {
            body["thread_ts"] = json!(thread);
        }
        self.call::<Value>(&place.team, "chat.postEphemeral", &body).await.map(drop)
    }

    /// Sends the parts that come after the first one, into its thread.
    async fn send_rest(&self, place: &Place, ts: &str, parts: std::vec::IntoIter<Part>) {
        let inside = &self.inside(place, ts);
        chat::rest(parts, |part| async move { self.send_part(inside, &part).await.map(drop) }).await;
    }

    async fn send_part(&self, place: &Place, part: &Part) -> Result<String, ChatError> {
        self.pace_post(place).await?;
        let mut body = part_body(&place.channel, part);
        if let Some(thread) = &place.thread_ts {
            body["thread_ts"] = json!(thread);
        }
        body["unfurl_links"] = json!(false);
        body["unfurl_media"] = json!(false);
        self.call::<Posted>(&place.team, "chat.postMessage", &body).await.map(|p| p.ts)
    }

    async fn update_part(&self, place: &Place, ts: &str, part: &Part) -> Result<(), ChatError> {
        let mut body = part_body(&place.channel, part);
        body["ts"] = json!(ts);
        match self.call::<Value>(&place.team, "chat.update", &body).await {
            // Whoever let it grow is gone without ending it.
            Err(ChatError::Forbidden(why)) if why.starts_with(STREAMING) => {
                self.stop_stream(place, ts).await?;
                self.call::<Value>(&place.team, "chat.update", &body).await.map(|_| ())
            }
            other => other.map(|_| ()),
        }
    }

    /// Calls a method with the bot's token of an installation.
    pub(crate) async fn call<T>(&self, install: &str, method: &str, body: &Value) -> Result<T, ChatError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        self.ask(install, method, &With::Json(body)).await
    }

    /// Asks with the bot's token of an installation; once more when that token was replaced meanwhile.
    async fn ask<T>(&self, install: &str, method: &str, with: &With<'_>) -> Result<T, ChatError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let token = self.tokens.of(install).await?;
        match self.ask_once(&token, method, with).await {
            Err(ChatError::Forbidden(why)) => match self.tokens.instead(install, &token, &why).await? {
                Some(token) => self.ask_once(&token, method, with).await,
                None => Err(ChatError::Forbidden(why)),
            },
            other => other,
        }
    }

    async fn ask_once<T>(&self, token: &SlackApiToken, method: &str, with: &With<'_>) -> Result<T, ChatError>
    where
        T: for<'de> Deserialize<'de> + Send,
    {
        let session = self.client.open_session(token);
        let api = &session.http_session_api;
        let asked = async {
            match with {
                With::Json(body) => api.http_post(method, body, None).await,
                With::Params(params) => api.http_get(method, params, None).await,
            }
        };
        match tokio::time::timeout(CALL_TIMEOUT, asked).await {
            Ok(answer) => answer.map_err(chat_error),
            Err(_) => Err(ChatError::MayHaveLanded(format!("{method} was not answered in {} s", CALL_TIMEOUT.as_secs()))),
        }
    }
}

pub(crate) fn part_body(channel: &str, part: &Part) -> Value {
    json!({ "channel": channel, "text": part.text, "blocks": part.blocks, "parse": "none", "link_names": false })
}

/// Slack's errors, by what to do next.
pub(crate) fn chat_error(error: SlackClientError) -> ChatError {
    match error {
        SlackClientError::RateLimitError(limit) => ChatError::RateLimited(limit.retry_after.unwrap_or(Duration::from_secs(30))),
        SlackClientError::ApiError(api) => {
            let detail = api.errors.map(|e| format!(" ({})", e.join("; "))).unwrap_or_default();
            // Which scope it is stands in the answer only.
            let answer = api.http_response_body.and_then(|body| serde_json::from_str::<Value>(&body).ok());
            let needed = answer.and_then(|a| a["needed"].as_str().map(|scope| format!(" (needed: {scope})"))).unwrap_or_default();
            let words = format!("{}{needed}{detail}", api.code);
            match api.code.as_str() {
                "ratelimited" | "rate_limited" => ChatError::RateLimited(Duration::from_secs(30)),
                "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long" | "no_text" | "invalid_arguments" => {
                    ChatError::Rejected(words)
                }
                "message_not_found"
                | "channel_not_found"
                | "thread_not_found"
                | "is_archived"
                | "cant_update_message"
                | "edit_window_closed"
                | "invalid_thread_ts"
                | "message_not_in_streaming_state"
                | "stopped_by_user" => ChatError::Gone(words),
                "service_unavailable" => ChatError::Unreachable(words),
                "fatal_error" | "internal_error" | "request_timeout" => ChatError::MayHaveLanded(words),
                _ => ChatError::Forbidden(words),
            }
        }
        SlackClientError::HttpProtocolError(e) => {
            let connect = e.cause.as_ref().and_then(|c| c.downcast_ref::<legacy::Error>()).is_some_and(legacy::Error::is_connect);
            let why = e.cause.map_or_else(|| "connection failed".to_owned(), |c| c.to_string());
            if connect { ChatError::Unreachable(why) } else { ChatError::MayHaveLanded(why) }
        }
        SlackClientError::HttpError(e) if e.status_code.as_u16() == 503 => ChatError::Unreachable(format!("HTTP {}", e.status_code)),
        SlackClientError::HttpError(e) if e.status_code.is_server_error() => ChatError::MayHaveLanded(format!("HTTP {}", e.status_code)),
        SlackClientError::HttpError(e) => ChatError::Forbidden(format!("HTTP {}", e.status_code)),
        SlackClientError::ProtocolError(e) => ChatError::MayHaveLanded(format!("its answer cannot be read: {}", e.json_error)),
        other => ChatError::MayHaveLanded(other.to_string()),
    }
}
