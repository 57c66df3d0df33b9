//! What grows before people's eyes: the status of a thread, and messages that are streams until they end.

use super::api::{ok, over, posted, refused, too_fast};
use super::{BOT_USER, Posted, Slack, State as World};
use crate::serve;
use axum::response::Response;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
const TEXT_CHARS: usize = 12_000;

/// Statuses and rates.
#[derive(Default)]
pub(super) struct Streams {
    statuses: HashMap<(String, String), String>,
    /// Prompts of the assistant pane, by channel and thread: title and message.
    prompts: HashMap<(String, String), Vec<(String, String)>>,
    refused: bool,
    agent: bool,
    starts: VecDeque<Instant>,
    appends: VecDeque<Instant>,
    stops: VecDeque<Instant>,
}

impl Streams {
    /// A message takes the place of the status.
    pub fn clear(&mut self, channel: &str, thread: Option<&str>) {
        if let Some(thread) = thread {
            self.statuses.remove(&(channel.to_owned(), thread.to_owned()));
        }
    }
}

impl Slack {
    /// From now on there are neither statuses nor streams, as in workspaces that do not have them.
    pub fn refuse_streams(&self) {
        self.service.state().streams.refused = true;
    }

    /// The app has the agent messaging experience, as new ones do.
    pub fn become_agent(&self) {
        self.service.state().streams.agent = true;
    }

    /// All streams end by themselves, as they do after some minutes.
    pub fn end_streams(&self) {
        self.service.state().messages.iter_mut().for_each(|m| m.streaming = false);
    }

    /// The status that people see below a thread of this channel.
    pub fn status(&self, channel: &str) -> Option<String> {
        self.service.state().streams.statuses.iter().find(|((c, _), _)| c == channel).map(|(_, s)| s.clone())
    }

    /// What a thread of the assistant pane suggests to say: title and message.
    pub fn prompts(&self, channel: &str, thread: &str) -> Vec<(String, String)> {
        self.service.state().streams.prompts.get(&(channel.to_owned(), thread.to_owned())).cloned().unwrap_or_default()
    }

    /// Returns when people see a status below a thread of this channel. Fails after a minute.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn until_status(&self, channel: &str) -> anyhow::Result<()> {
        let seen = || vec![format!("no status in {channel}")];
        serve::until(&self.service.changed, || self.status(channel).is_some(), seen).await
    }
}

pub(super) fn set_status(state: &mut World, body: &Value) -> Response {
    if state.streams.refused {
        return refused("unknown_method");
    }
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (channel, thread, status) = (field("channel_id"), field("thread_ts"), field("status"));
    if state.message(&body["channel_id"], &body["thread_ts"]).is_none() {
        return refused("invalid_thread_ts");
    }
    if status.is_empty() {
        state.streams.statuses.remove(&(channel, thread));
    } else {
        state.streams.statuses.insert((channel, thread), status);
    }
    ok(json!({}))
}

pub(super) fn suggest(state: &mut World, body: &Value) -> Response {
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let (channel, thread) = (field(body, "channel_id"), field(body, "thread_ts"));
    let prompts: Vec<_> = body["prompts"].as_array().into_iter().flatten().map(|p| (field(p, "title"), field(p, "message"))).collect();
    let in_thread = !body["thread_ts"].is_null();
    if in_thread != state.message(&body["channel_id"], &body["thread_ts"]).is_some() || !(in_thread || state.streams.agent) {
        return refused("invalid_thread_ts");
    }
    if prompts.is_empty() || prompts.len() > 4 || prompts.iter().any(|(title, message)| title.is_empty() || message.is_empty()) {
        return refused("invalid_arguments");
    }
    // An agent's prompts belong to no thread: in one they are taken, and nobody sees them.
    if !(in_thread && state.streams.agent) {
        state.streams.prompts.insert((channel, thread), prompts);
    }
    ok(json!({}))
}

/// The fault of what is to be shown, if Slack would find one.
fn fault(body: &Value) -> Option<Response> {
    let chars = body["markdown_text"].as_str().map_or(0, |t| t.chars().count());
    (chars > TEXT_CHARS).then(|| refused("msg_too_long"))
}

pub(super) fn start(state: &mut World, body: &Value, rates: bool) -> Response {
    if state.streams.refused {
        return refused("unknown_method");
    }
    if rates && over(&mut state.streams.starts, 20, MINUTE) {
        return too_fast(state, 5);
    }
    let channel = body["channel"].as_str().unwrap_or_default().to_owned();
    if state.message(&body["channel"], &body["thread_ts"]).is_none() {
        return refused("invalid_thread_ts");
    }
    if !channel.starts_with('D') && body["recipient_team_id"].as_str().is_none_or(str::is_empty) {
        return refused("missing_recipient_team_id");
    }
    if body["recipient_team_id"].as_str().is_some_and(|team| !team.starts_with('T')) {
        return refused("team_not_found");
    }
    if !channel.starts_with('D') && body["recipient_user_id"].as_str().is_none_or(str::is_empty) {
        return refused("missing_recipient_user_id");
    }
    if let Some(refusal) = fault(body) {
        return refusal;
    }
    let mut message = posted(state, body, BOT_USER);
    message.text = body["markdown_text"].as_str().unwrap_or_default().into();
    message.streaming = true;
    state.streams.clear(&channel, message.thread_ts.as_deref());
    let answer = json!({ "channel": channel, "ts": message.ts });
    state.messages.push(message);
    ok(answer)
}

fn growing<'a>(state: &'a mut World, body: &Value) -> Result<&'a mut Posted, &'static str> {
    let message = state.message(&body["channel"], &body["ts"]).ok_or("message_not_found")?;
    if message.streaming { Ok(message) } else { Err("message_not_in_streaming_state") }
}

pub(super) fn append(state: &mut World, body: &Value, rates: bool) -> Response {
    if rates && over(&mut state.streams.appends, 100, MINUTE) {
        return too_fast(state, 5);
    }
    if let Some(refusal) = fault(body) {
        return refusal;
    }
    match growing(state, body) {
        Ok(message) => {
            message.text.push_str(body["markdown_text"].as_str().unwrap_or_default());
            message.edits += 1;
            message.changed_by(body);
            ok(json!({ "channel": message.channel, "ts": message.ts }))
        }
        Err(error) => refused(error),
    }
}

pub(super) fn stop(state: &mut World, body: &Value, rates: bool) -> Response {
    if rates && over(&mut state.streams.stops, 20, MINUTE) {
        return too_fast(state, 5);
    }
    match growing(state, body) {
        Ok(message) => {
            message.streaming = false;
            message.changed_by(body);
            message.text.push_str(body["markdown_text"].as_str().unwrap_or_default());
            ok(json!({ "channel": message.channel, "ts": message.ts }))
        }
        Err(error) => refused(error),
    }
}
