//! Answers that grow, the way Slack shows them: a status below the thread while there are no words, then a stream, which
//! its end turns into an ordinary message. Where Slack does not take a stream, a message is posted and edited; once words
//! were shown, they stay where they are.

use crate::Slack;
use crate::event::Place;
use crate::web::Posted;
use chat::{Block, ChatError, Markdown, Message, Node};
use moka::future::Cache;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What one call may carry.
const TEXT_CHARS: usize = 12_000;
const STATUS_CHARS: usize = 50;
/// Slack ends a stream after some minutes; one that nobody ends is forgotten then.
const OPEN_FOR: Duration = Duration::from_secs(600);
const OPEN: u64 = 1_000;
const STATUS: &str = "status";
const STREAM: &str = "stream";
const AGENT: &str = "agent";
/// How long Slack may take to tell whether an app is an agent, before an event is stored.
const ASKED_WITHIN: Duration = Duration::from_millis(800);
const LACKING_FOR: Duration = Duration::from_secs(3_600);
/// How long the first words are waited for.
const FIRST_WORDS: Duration = Duration::from_millis(200);

/// Streams that this process has begun, and what this workspace does not have.
pub(crate) struct Streams {
    /// What each has shown, by channel and time stamp.
    shown: Cache<String, String>,
    /// What the workspace does not have, for a while: an admin may install the app anew with more scopes.
    lacks: Cache<&'static str, ()>,
    /// Direct messages are conversations with an agent. An app that has become one stays one.
    agent: AtomicBool,
}

impl Default for Streams {
    fn default() -> Self {
        let shown = Cache::builder().max_capacity(OPEN).time_to_idle(OPEN_FOR).build();
        Self { shown, lacks: Cache::builder().time_to_live(LACKING_FOR).build(), agent: AtomicBool::new(false) }
    }
}

impl Slack {
    /// Whether direct messages are conversations with an agent there, as new apps have them: such an app takes prompts that belong to
    /// no thread. Slack tells it by no other sign. As long as it does not answer, they are not.
    /// <https://docs.slack.dev/reference/methods/assistant.threads.setSuggestedPrompts>
    pub(crate) async fn is_agent(&self, place: &Place) -> bool {
        let workspace = self.workspace(&place.team);
        let streams = &workspace.streams;
        if streams.agent.load(Ordering::Relaxed) || streams.lacks.contains_key(AGENT) {
            return streams.agent.load(Ordering::Relaxed);
        }
        let prompts = [json!({ "title": "What can you do?", "message": "help" })];
        let conversation = Place::channel(place.team.clone(), place.channel.clone());
        match tokio::time::timeout(ASKED_WITHIN, self.set_prompts(&conversation, &prompts)).await {
            Ok(Ok(())) => streams.agent.store(true, Ordering::Relaxed),
            Ok(Err(ChatError::Forbidden(_) | ChatError::Rejected(_) | ChatError::Gone(_))) => streams.lacks.insert(AGENT, ()).await,
            Ok(Err(_)) | Err(_) => {}
        }
        streams.agent.load(Ordering::Relaxed)
    }

    /// Suggests what to say, to whoever has opened a conversation.
    pub(crate) async fn set_prompts(&self, place: &Place, prompts: &[Value]) -> Result<(), ChatError> {
        let mut body = json!({ "channel_id": place.channel, "prompts": prompts });
        // With an agent prompts belong to no thread, and are not shown where one is named.
        if let Some(thread) = place.thread_ts.as_ref().filter(|_| !place.agent) {
            body["thread_ts"] = json!(thread);
        }
        self.call::<Value>(&place.team, "assistant.threads.setSuggestedPrompts", &body).await.map(drop)
    }

    /// Shows a status in a thread; whether people see it.
    pub(crate) async fn set_status(&self, place: &Place, doing: &str) -> bool {
        let workspace = self.workspace(&place.team);
        let streams = &workspace.streams;
        let Some(thread) = place.thread_ts.as_ref().filter(|_| !streams.lacks.contains_key(STATUS)) else { return false };
        let status = if doing.is_empty() { String::new() } else { chat::text::shorten(&format!("is {doing} …"), STATUS_CHARS) };
        let body = json!({ "channel_id": place.channel, "thread_ts": thread, "status": status });
        let shown = self.call::<Value>(&place.team, "assistant.threads.setStatus", &body).await;
        if let Err(ChatError::Forbidden(why)) = &shown
            && lacking(why)
        {
            tracing::info!(why, "slack shows no status here; a message says what is being done");
            streams.lacks.insert(STATUS, ()).await;
        }
        shown.is_ok()
    }

    /// Begins a stream with the first words of an answer. `None` where there can be none, and nothing was shown.
    ///
    /// # Errors
    /// [`ChatError::RateLimited`] also as long as there is no whole word.
    pub(crate) async fn start_stream(&self, place: &Place, person: &str, message: &Message) -> Result<Option<String>, ChatError> {
        let (Some(thread), Some(words)) = (&place.thread_ts, growing_words(message)) else { return Ok(None) };
        let workspace = self.workspace(&place.team);
        let streams = &workspace.streams;
        if streams.lacks.contains_key(STREAM) {
            return Ok(None);
        }
        if words.is_empty() {
            return Err(ChatError::RateLimited(FIRST_WORDS)); // Not a whole word yet.
        }
        if workspace.paces.as_ref().is_some_and(|p| p.starts.check().is_err()) {
            return Ok(None);
        }
        let Some(team) = self.team_of(place, person).await else { return Ok(None) };
        let first = head(&words).to_owned();
        let body = json!({ "channel": place.channel, "thread_ts": thread, "recipient_user_id": person,
            "recipient_team_id": team, "markdown_text": first });
        self.pace_post(place).await?;
        match self.call::<Posted>(&place.team, "chat.startStream", &body).await {
            Ok(posted) => {
                streams.shown.insert(key(&place.channel, &posted.ts), first).await;
                Ok(Some(posted.ts))
            }
            Err(error @ ChatError::MayHaveLanded(_)) => Err(error),
            Err(error) => {
                tracing::info!(%error, "slack takes no stream here; the answer grows by edits");
                if matches!(&error, ChatError::Forbidden(why) if lacking(why)) {
                    streams.lacks.insert(STREAM, ()).await;
                }
                Ok(None)
            }
        }
    }

    /// The workspace of a person: that of the place, unless the app is installed for many.
    async fn team_of(&self, place: &Place, person: &str) -> Option<String> {
        if !place.is_of_organisation() {
            return Some(place.team.clone());
        }
        let known = self.person(place, person).await;
        known.inspect_err(|error| tracing::info!(%error, "the workspace of a person is not known")).ok()?.team_id
    }

    /// Appends what is new to a stream; `false` when the message is not one, or shows something else now.
    pub(crate) async fn append(&self, place: &Place, ts: &str, message: &Message) -> Result<bool, ChatError> {
        let (workspace, key) = (self.workspace(&place.team), key(&place.channel, ts));
        let Some(shown) = workspace.streams.shown.get(&key).await else { return Ok(false) };
        let Some(words) = growing_words(message) else {
            self.stop_stream(place, ts).await?;
            return Ok(false);
        };
        let Some(new) = words.strip_prefix(&shown).map(head) else {
            return Ok(true); // Words that were read anew wait for the end, which shows all of them.
        };
        if new.is_empty() {
            return Ok(true);
        }
        if let Some(paces) = &workspace.paces {
            paces.appends.turn("workspace", &paces.all, true).await?;
        }
        let body = json!({ "channel": place.channel, "ts": ts, "markdown_text": new });
        match self.call::<Value>(&place.team, "chat.appendStream", &body).await {
            Ok(_) => {
                workspace.streams.shown.insert(key, shown + new).await;
                Ok(true)
            }
            // It has ended by itself: what it shows stays, and the last word replaces it.
            Err(ChatError::Gone(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Ends a stream, if the message is one that this process has begun: from here on it can be edited like any other.
    pub(crate) async fn end_stream(&self, place: &Place, ts: &str) -> Result<(), ChatError> {
        let begun = self.workspace(&place.team).streams.shown.contains_key(&key(&place.channel, ts));
        if begun { self.stop_stream(place, ts).await } else { Ok(()) }
    }

    /// Ends a stream, whoever has begun it.
    pub(crate) async fn stop_stream(&self, place: &Place, ts: &str) -> Result<(), ChatError> {
        let workspace = self.workspace(&place.team);
        if let Some(paces) = &workspace.paces {
            paces.stops.until_ready().await;
        }
        match self.call::<Value>(&place.team, "chat.stopStream", &json!({ "channel": place.channel, "ts": ts })).await {
            // It has ended by itself, or somebody has deleted it, which the edit then tells.
            Ok(_) | Err(ChatError::Gone(_)) => {
                workspace.streams.shown.invalidate(&key(&place.channel, ts)).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that this workspace does not have something at all.
fn lacking(why: &str) -> bool {
    ["unknown_method", "missing_scope", "not_allowed_token_type", "feature_not_enabled"].iter().any(|e| why.starts_with(e))
}

/// What one call may carry of a text.
fn head(text: &str) -> &str {
    text.char_indices().nth(TEXT_CHARS).map_or(text, |(end, _)| &text[..end])
}

fn key(channel: &str, ts: &str) -> String {
    format!("{channel}:{ts}")
}

/// The words of an answer that grows, as far as they will not be read otherwise when more of them come; `None` for a message
/// of anything else.
fn growing_words(message: &Message) -> Option<String> {
    match message.blocks.as_slice() {
        [Block::Markdown(words)] if message.partial => {
            let text = standard(words);
            Some(text[..settled(&text)].to_owned())
        }
        _ => None,
    }
}

/// Running text in the Markdown that streams take. Escaped as all text of Slack is, so that it cannot mention anybody.
fn standard(words: &Markdown) -> String {
    let mut text = String::new();
    let mut listed = false;
    for node in &words.nodes {
        let spans: String = node.spans().iter().map(span).collect();
        let item = matches!(node, Node::Item { .. });
        if !text.is_empty() {
            text.push_str(if item && listed { "\n" } else { "\n\n" });
        }
        listed = item;
        match node {
            Node::Paragraph(_) => text.push_str(&spans),
            Node::Heading(_) => text.push_str(&format!("### {spans}")),
            Node::Item { depth, number: Some(n), .. } => text.push_str(&format!("{}{n}. {spans}", "   ".repeat(*depth))),
            Node::Item { depth, .. } => text.push_str(&format!("{}- {spans}", "   ".repeat(*depth))),
            Node::Code(code) => text.push_str(&format!("```\n{}\n```", crate::render::escape(code.trim_end()))),
        }
    }
    text
}

fn span(span: &chat::Span) -> String {
    let mut text = crate::render::escape(&span.text);
    if span.code {
        text = format!("`{text}`");
    }
    if let Some(link) = &span.link {
        text = format!("[{text}]({})", link.replace('(', "%28").replace(')', "%29"));
    }
    let around = match (span.bold, span.italic) {
        (true, true) => "***",
        (true, false) => "**",
        (false, true) => "_",
        (false, false) => "",
    };
    format!("{around}{text}{around}")
}

/// Up to where the text stays as it is: whole words, and no mark or link that is still open.
fn settled(text: &str) -> usize {
    let mut end = text.rfind(char::is_whitespace).unwrap_or(0);
    if let Some(link) = text[..end].rfind('[').filter(|at| is_open_link(&text[*at..end])) {
        end = link;
    }
    for mark in ["```", "`", "**"] {
        if text[..end].matches(mark).count() % 2 == 1 {
            end = text[..end].rfind(mark).unwrap_or(0);
        }
    }
    let marks: Vec<usize> = text[..end].match_indices('_').map(|(at, _)| at).filter(|at| !is_inside_a_word(text, *at)).collect();
    if marks.len() % 2 == 1 {
        end = marks.last().copied().unwrap_or(0);
    }
    text[..end].trim_end().len()
}

/// Whether what begins with a bracket may still become a link.
fn is_open_link(text: &str) -> bool {
    match text.split_once(']') {
        None => true,
        Some((_, rest)) => rest.is_empty() || (rest.starts_with('(') && !rest.contains(')')),
    }
}

/// An underscore in `due_date` marks nothing.
fn is_inside_a_word(text: &str, at: usize) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    word(text[..at].chars().next_back()) && word(text[at + 1..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(text: &str) -> String {
        growing_words(&Message::text(text).partial()).unwrap_or_default()
    }

    #[test]
    fn what_was_shown_is_the_beginning_of_what_is_shown_next() {
        let whole = "The plan is **on time** but for [five tasks](https://app.smartsheet.com/sheets/x):\n\n- `Design` (Lee) and <!channel>\n- *Usability* \
            test\n\n1. first\n2. second\n\n```\na & b\n```\n\nThat is all, _really_ all of it.";
        let mut before = String::new();
        for (end, _) in whole.char_indices() {
            let now = grown(&whole[..end]);
            if now.starts_with(&before) {
                before = now;
            }
        }
        assert!(before.len() > whole.len() - 10, "nearly all of it was shown as it came: {before}");
        assert_eq!(grown("due_date is empty in [3] of 5 rows, and"), "due_date is empty in [3] of 5 rows,", "neither a mark nor a link");
        assert!(before.contains("[five tasks](https://app.smartsheet.com/sheets/x)") && before.contains("&lt;!channel&gt;"), "{before}");
    }
}
