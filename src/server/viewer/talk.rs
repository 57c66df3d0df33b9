//! The conversation from the page: the same thread, the same buttons, the same bot.

use super::Viewer;
use super::visit::{Visit, refused, wants_html};
use crate::server::api::{Body, Fields, Problem, Result, Served, Whence};
use crate::server::live::{Holder, TICKET};
use crate::store::Thread;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::{Message, Platform, What};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Characters of a message.
const LONGEST: usize = 4_000;

/// A button that was pressed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pressed {
    action: String,
}

/// Something said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    text: String,
}

/// A button of a proposal or a job; without scripts a form.
pub(super) async fn press(
    State(viewer): State<Arc<Viewer>>,
    visit: Visit,
    headers: HeaderMap,
    Fields(pressed): Fields<Pressed>,
) -> Response {
    let done = async {
        let caller = visit.caller()?;
        let (verb, id) = pressed.action.split_once(':').filter(|_| pressed.action.len() <= 64).unwrap_or_default();
        let store = &viewer.api.parts.store;
        // Proposals say themselves whether they are of this thread.
        let here = match verb {
            "confirm" | "count" | "cancel" => true,
            "jobcancel" | "jobundo" | "jobretry" | "jobstatus" => store.job(id).await?.is_some_and(|j| j.session_id == visit.link.session),
            "undo" => store.change(id).await?.is_some_and(|c| c.session_id == visit.link.session),
            _ => false,
        };
        if !here {
            return Err(Problem::not_valid("There is no such button here."));
        }
        let thread = viewer.thread(&visit).await?;
        let name = format!("view-{}", uuid::Uuid::new_v4());
        let what = What::Press { action: pressed.action, message: None };
        viewer.api.happen_at(&caller, Whence::default(), &thread.key, &thread.anchor, &name, what).await
    };
    match done.await {
        // Whoever has pressed is told here, too.
        Ok(Served { told: Some(words), .. }) => refused(wants_html(&headers), Problem::new(StatusCode::CONFLICT, "not_done", words)),
        Ok(_) => (StatusCode::SEE_OTHER, [(header::LOCATION, format!("../{}", visit.id))]).into_response(),
        Err(problem) => refused(wants_html(&headers), problem),
    }
}

/// Says something in the thread, where everybody sees who said it.
pub(super) async fn say(State(viewer): State<Arc<Viewer>>, visit: Visit, whence: Whence, Body(said): Body<Said>) -> Result<Json<Value>> {
    let caller = visit.caller()?;
    let text = said.text.trim();
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(Problem::not_fitting(format!("A message has 1 to {LONGEST} characters.")));
    }
    let thread = viewer.thread(&visit).await?;
    let about = viewer.api.parts.store.session_of(&thread.key.storage_key()).await?.map(|s| s.sheet);
    if about != Some(visit.link.sheet) {
        let detail = "The thread is about another sheet by now. Type `edit` there for a link to it, or `use` this sheet again.";
        return Err(Problem::new(StatusCode::CONFLICT, "other_sheet", detail));
    }
    // What is said here is repeated there, and so is the answer.
    if viewer.api.parts.access.rules_of(&thread.key).await?.only_me {
        let detail = "In this channel each person alone sees what they are answered. Ask there; this page shows what everybody sees.";
        return Err(Problem::new(StatusCode::CONFLICT, "only_me", detail));
    }
    if thread.key.platform != Platform::Web {
        viewer.repeat(&thread, caller.name(), text).await?;
    }
    let name = format!("view-{}", uuid::Uuid::new_v4());
    let what = What::Text { text: text.to_owned() };
    let served = viewer.api.happen_at(&caller, whence, &thread.key, &thread.anchor, &name, what).await?;
    Ok(Json(json!({ "served": served.done })))
}

/// A ticket for the live connection of the page.
pub(super) async fn ticket(State(viewer): State<Arc<Viewer>>, visit: Visit) -> Result<Json<Value>> {
    let ticket = viewer.api.parts.live.ticket(Holder::Viewer(visit.link))?;
    Ok(Json(json!({ "ticket": ticket, "seconds": TICKET.as_secs() })))
}

impl Viewer {
    /// Says in a thread of a chat platform what somebody has said in the page: there it is nobody's message yet.
    async fn repeat(&self, thread: &Thread, who: &str, text: &str) -> Result<()> {
        let chat = self.chats.get(&thread.key.platform).ok_or_else(|| anyhow::anyhow!("no chat for {}", thread.key.platform))?;
        let shown = format!("**{}**, beside the sheet: {}", chat::escape(who), chat::escape(text));
        chat.post(&thread.anchor, &Message::text(&shown)).await.map(drop).map_err(|error| {
            tracing::warn!(%error, "a message from the viewer could not be shown in its thread");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try_later", "The thread cannot be reached at the moment. Nothing was said.")
        })
    }

    /// The thread of the link's session.
    async fn thread(&self, visit: &Visit) -> Result<Thread> {
        let thread = self.api.parts.store.thread_of_session(&visit.link.session).await?;
        thread.ok_or_else(|| Problem::new(StatusCode::GONE, "thread_gone", "The bot is not part of that thread any more."))
    }
}
