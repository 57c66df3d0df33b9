//! Messages out: the connector's REST API, with its errors named after what the core does next.
//! <https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference>

use crate::Teams;
use crate::event::{At, Place, bare};
use crate::render::{Part, plain, render};
use async_trait::async_trait;
use chat::{Anchor, Chat, ChatError, Citation, File, Limits, Message, MessageRef, Platform, Profile, Source, Standing, ThreadKey};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

const CARD: &str = "application/vnd.microsoft.card.adaptive";
/// Lines of a file that are shown; Teams takes no files from bots without asking the person first.
const FILE_CHARS: usize = 10_000;

/// The answer to what was sent.
#[derive(Default, Deserialize)]
pub(crate) struct Created {
    #[serde(default)]
    pub id: String,
}

#[derive(Deserialize)]
struct Member {
    name: Option<String>,
    email: Option<String>,
    #[serde(rename = "userPrincipalName")]
    principal: Option<String>,
    /// `user` or `guest`.
    #[serde(rename = "userRole")]
    role: Option<String>,
    #[serde(rename = "tenantId")]
    tenant: Option<String>,
}

impl Member {
    /// Whether they were invited into the tenant from elsewhere; their names are made of their address then.
    fn is_guest(&self) -> bool {
        self.role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("guest"))
            || self.principal.as_deref().is_some_and(|name| name.to_ascii_uppercase().contains("#EXT#"))
    }
}

/// How the connector words a refusal.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: Detail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: String,
    message: String,
}

#[async_trait]
impl Chat for Teams {
    fn platform(&self) -> Platform {
        Platform::Teams
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_millis(2_000),
            progress_interval: Duration::from_secs(3),
            table_rows: 40,
            table_columns: 12,
            buttons: 24,
            forms: false,
        }
    }

    fn thread_of(&self, anchor: &Anchor) -> Option<ThreadKey> {
        Place::read(anchor).map(|place| place.thread())
    }

    fn thread_url(&self, anchor: &Anchor) -> Option<Url> {
        let place = Place::read(anchor)?;
        let thread = place.thread();
        let root = thread.root?;
        let mut url = Url::parse("https://teams.microsoft.com/l/message/").ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().push(&thread.conversation).push(&root);
        url.query_pairs_mut().append_pair("tenantId", &place.tenant);
        Some(url)
    }

    async fn status(&self, anchor: &Anchor, doing: &str) -> bool {
        match Place::read(anchor) {
            Some(place) => self.say_status(&place, doing).await,
            None => false,
        }
    }

    async fn post_growing(&self, anchor: &Anchor, _person: &str, message: &Message) -> Result<MessageRef, ChatError> {
        let place = place_of(anchor)?;
        match self.show_in_stream(&place, message).await? {
            Some(id) => {
                self.presses.below(&place.conversation);
                Ok(place.message(&id))
            }
            None => self.post(anchor, message).await,
        }
    }

    async fn post(&self, anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let place = place_of(anchor)?;
        self.pace(&place.conversation, false).await?;
        let id = match self.send_all(&place, None, render(message)).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "teams refused the card; the words go out as text");
                self.send_all(&place, None, plain(message)).await?
            }
            other => other?,
        };
        self.presses.below(&place.conversation);
        Ok(place.message(&id))
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let at = At::read(at).ok_or_else(|| ChatError::Gone("the address is not one of Teams".into()))?;
        if self.edit_in_stream(&at.place(), &at.id, message).await? {
            return Ok(());
        }
        self.pace(&at.conversation, message.partial).await?;
        let mut parts = render(message).into_iter();
        let first = parts.next().unwrap_or_default();
        let card = first.card.clone();
        match self.update(&at, first).await {
            Err(ChatError::Rejected(why)) => {
                tracing::warn!(why, "teams refused the card; the words go out as text");
                parts = plain(message).into_iter();
                self.update(&at, parts.next().unwrap_or_default()).await?;
            }
            other => other?,
        }
        if message.partial {
            return Ok(());
        }
        if let Some(card) = card {
            self.presses.outcome(&at.conversation, &at.id, &card);
        }
        self.send_rest(&at.place(), None, parts.collect()).await;
        Ok(())
    }

    async fn whisper(&self, anchor: &Anchor, user: &str, message: &Message) -> Result<(), ChatError> {
        let place = place_of(anchor)?;
        let words = message.plain();
        let plain_words = message.buttons().next().is_none() && !words.contains("://");
        if plain_words && self.presses.aside(&place.conversation, user, words.trim()) {
            return Ok(());
        }
        if !place.personal {
            self.pace(&place.conversation, false).await?;
            match self.send_all(&place, Some(user), render(message)).await {
                Ok(_) => {
                    self.presses.below_for(&place.conversation, user);
                    return Ok(());
                }
                Err(ChatError::Rejected(why) | ChatError::Forbidden(why) | ChatError::Gone(why)) => {
                    tracing::info!(why, "teams shows nothing to one person alone here; it goes into their own chat");
                }
                Err(error) => return Err(error),
            }
        }
        let aside = if place.personal { place } else { self.direct(&place, user).await? };
        // What was being done is done; nothing else would take the place of that sign of life.
        if self.only_says_what_it_does(&aside.conversation) && self.show_in_stream(&aside, message).await?.is_some() {
            return Ok(());
        }
        self.post(&aside.anchor(), message).await.map(drop)
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let content = String::from_utf8_lossy(&file.bytes);
        let shown = chat::text::shorten(&content, FILE_CHARS);
        let left_out = content.lines().count().saturating_sub(shown.lines().count());
        let mut words = format!("{}:\n{shown}", file.name);
        if left_out > 0 {
            words.push_str(&format!("\n… and {left_out} more lines"));
        }
        let place = place_of(anchor)?;
        self.pace(&place.conversation, false).await?;
        self.send_all(&place, None, vec![Part { text: words, ..Part::default() }]).await.map(drop)
    }

    async fn source(&self, _anchor: &Anchor, place: &str) -> Result<Source, ChatError> {
        let url = Url::parse(place).ok().filter(|url| self.keeps_files_at(url));
        Ok(Source { url: url.ok_or_else(|| ChatError::Rejected("the file is not kept by Teams".into()))?, bearer: None })
    }

    fn begins_threads(&self, anchor: &Anchor) -> bool {
        Place::read(anchor).is_some_and(|place| place.top)
    }

    async fn profile(&self, anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        let place = place_of(anchor)?;
        let listed = place.team.as_deref().unwrap_or_else(|| bare(&place.conversation));
        let url = self.url(&place.service_url, &["conversations", listed, "members", user])?;
        let member: Member = self.call(Method::GET, url, None).await?;
        let home = member.tenant.clone().filter(|tenant| !place.tenant.is_empty() && *tenant != place.tenant);
        let standing = match (member.is_guest(), &home) {
            (true, _) => Standing::Guest,
            (false, Some(_)) => Standing::External,
            // Whoever is not said to be a member is not taken for one.
            (false, None) if member.role.is_none() && member.tenant.is_none() => Standing::Unknown,
            (false, None) => Standing::Member,
        };
        let name = member.name.unwrap_or_else(|| user.to_owned());
        Ok(Profile { name, email: member.email.or(member.principal), standing, home, ..Profile::default() })
    }
}

fn place_of(anchor: &Anchor) -> Result<Place, ChatError> {
    Place::read(anchor).ok_or_else(|| ChatError::Gone("the address is not one of Teams".into()))
}

pub(crate) fn activity(part: Part) -> Value {
    let (by_model, sources) = (part.by_model, part.sources);
    let mut activity = match part.card {
        Some(card) => json!({
            "type": "message", "summary": part.text,
            "attachments": [{ "contentType": CARD, "content": card }],
        }),
        None => json!({ "type": "message", "textFormat": "plain", "text": part.text }),
    };
    if by_model {
        activity["entities"] = json!([written_by_model(&sources)]);
        activity["channelData"] = json!({ "feedbackLoop": { "type": "default" } });
    }
    activity
}

/// Characters of the name and of the abstract of a source.
const SOURCE_CHARS: (usize, usize) = (80, 160);

/// Says that a model has written a message, and what it rests on.
/// <https://learn.microsoft.com/microsoftteams/platform/bots/how-to/bot-messages-ai-generated-content>
fn written_by_model(sources: &[Citation]) -> Value {
    let mut entity = json!({ "type": "https://schema.org/Message", "@type": "Message", "@context": "https://schema.org", "additionalType": ["AIGeneratedContent"] });
    if !sources.is_empty() {
        let cite = |(position, source): (usize, &Citation)| {
            let (name, about) = (chat::text::shorten(&source.title, SOURCE_CHARS.0), chat::text::shorten(&source.about, SOURCE_CHARS.1));
            let document = json!({ "@type": "DigitalDocument", "name": name, "url": source.url, "abstract": about });
            json!({ "@type": "Claim", "position": position + 1, "appearance": document })
        };
        entity["citation"] = sources.iter().enumerate().map(cite).collect();
    }
    entity
}

impl Teams {
    pub(crate) async fn pace(&self, conversation: &str, partial: bool) -> Result<(), ChatError> {
        match &self.paces {
            Some((pace, all)) => pace.turn(conversation, all, partial).await,
            None => Ok(()),
        }
    }

    /// The conversation of the bot with one person.
    async fn direct(&self, place: &Place, user: &str) -> Result<Place, ChatError> {
        let url = self.url(&place.service_url, &["conversations"])?;
        let wanted = json!({
            "bot": { "id": place.bot }, "members": [{ "id": user }], "isGroup": false, "tenantId": place.tenant,
            "channelData": { "tenant": { "id": place.tenant } },
        });
        let created: Created = self.call(Method::POST, url, Some(&wanted)).await?;
        Ok(Place { conversation: created.id, personal: true, top: false, ..place.clone() })
    }

    /// Sends parts one after the other, for everybody or for one person alone; the id of the first.
    async fn send_all(&self, place: &Place, only_for: Option<&str>, parts: Vec<Part>) -> Result<String, ChatError> {
        let mut parts = parts.into_iter();
        let first = parts.next().ok_or_else(|| ChatError::Rejected("an empty message".into()))?;
        let created = self.send(place, only_for, first).await?;
        let rest = if only_for.is_some() { place.clone() } else { place.below(&created.id) };
        self.send_rest(&rest, only_for, parts.collect()).await;
        Ok(created.id)
    }

    /// Sends the parts that come after the first one.
    pub(crate) async fn send_rest(&self, place: &Place, only_for: Option<&str>, parts: Vec<Part>) {
        let send = |part: Part| async move {
            self.pace(&place.conversation, false).await?;
            self.send(place, only_for, part).await.map(drop)
        };
        chat::rest(parts, send).await;
    }

    /// What one person alone sees is a targeted message: everybody else in the conversation does not.
    /// <https://learn.microsoft.com/microsoftteams/platform/agents-in-teams/targeted-messages>
    async fn send(&self, place: &Place, only_for: Option<&str>, part: Part) -> Result<Created, ChatError> {
        let mut url = self.url(&place.service_url, &["conversations", &place.conversation, "activities"])?;
        let mut body = activity(part);
        if let Some(user) = only_for {
            url.query_pairs_mut().append_pair("isTargetedActivity", "true");
            body["recipient"] = json!({ "id": user });
        }
        self.call(Method::POST, url, Some(&body)).await
    }

    pub(crate) async fn update(&self, at: &At, part: Part) -> Result<(), ChatError> {
        let url = self.url(&at.service_url, &["conversations", &at.conversation, "activities", &at.id])?;
        let mut body = activity(part);
        body["id"] = json!(at.id);
        self.call::<Created>(Method::PUT, url, Some(&body)).await.map(drop)
    }

    /// An address of the connector. Ids hold characters that mean something in paths.
    pub(crate) fn url(&self, service_url: &str, path: &[&str]) -> Result<Url, ChatError> {
        let gone = || ChatError::Gone("the service's address is none".into());
        let mut url = Url::parse(service_url).map_err(|_| gone())?;
        if !self.may_serve(&url) {
            return Err(ChatError::Forbidden(format!(
                "{} is not a service that our token may be sent to",
                url.host_str().unwrap_or_default()
            )));
        }
        url.path_segments_mut().map_err(|()| gone())?.pop_if_empty().push("v3").extend(path);
        Ok(url)
    }

    /// Calls the connector; a token that has ended is taken anew once.
    pub(crate) async fn call<T: for<'de> Deserialize<'de>>(&self, method: Method, url: Url, body: Option<&Value>) -> Result<T, ChatError> {
        for last in [false, true] {
            let mut request = self.http.request(method.clone(), url.clone()).bearer_auth(self.token().await?);
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.map_err(|e| lost(&e))?;
            if answer.status() == StatusCode::UNAUTHORIZED && !last {
                self.forget_token().await;
                continue;
            }
            return read(answer).await;
        }
        Err(ChatError::Forbidden("the token is refused".into()))
    }
}

fn lost(error: &reqwest::Error) -> ChatError {
    if error.is_connect() {
        ChatError::Unreachable("teams cannot be reached".into())
    } else {
        ChatError::MayHaveLanded("teams did not answer".into())
    }
}

/// The connector's answers, by what to do next.
async fn read<T: for<'de> Deserialize<'de>>(answer: Response) -> Result<T, ChatError> {
    let status = answer.status();
    let wait =
        answer.headers().get("retry-after").and_then(|v| v.to_str().ok()?.parse().ok()).map_or(Duration::from_secs(5), Duration::from_secs);
    let bytes = answer.bytes().await.map_err(|e| lost(&e))?;
    if status.is_success() {
        let text = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        return serde_json::from_slice(text).map_err(|_| ChatError::MayHaveLanded("teams' answer cannot be read".into()));
    }
    let Detail { code, message } = serde_json::from_slice::<Refusal>(&bytes).unwrap_or_default().error;
    let words = format!("{status} {code} {message}").trim().to_owned();
    Err(match status.as_u16() {
        429 => ChatError::RateLimited(wait),
        404 | 410 => ChatError::Gone(words),
        400 | 413 => ChatError::Rejected(words),
        // Microsoft says of these that they are to be sent again.
        412 | 502..=504 => ChatError::Unreachable(words),
        500 => ChatError::MayHaveLanded(words),
        _ => ChatError::Forbidden(words),
    })
}
