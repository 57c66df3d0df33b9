//! One answer: from the words of a person to the message that answers them.

use super::allowance::{SPENT, Spent};
use super::beside::Read;
use super::grounds::Doubt;
use super::live_reply::LiveReply;
use super::preview::{self, Part};
use super::rounds::RECENT;
use super::sheets::Heard;
use super::{Bot, Running, figures, prompt, words};
use crate::access::Role;
use crate::error::{Choice, Result, Trouble, told};
use crate::llm::Error as ModelError;
use crate::sheet::{SheetId, Snapshot, rows_met};
use crate::smartsheet::Identity;
use crate::store::{self, Event, NewMessage, Session, asked_again};
use crate::tools::{Context, Made, Shown};
use chat::{Addressed, ChatError, Incoming, LinkPolicy, Message, What};
use jiff::tz::TimeZone;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Tables of one answer.
const MAX_TABLES: usize = 3;

/// How long an answer waits for the rows that its figures were made of, which `why?` names.
const MET: Duration = Duration::from_secs(1);

/// What a turn has brought so far.
#[derive(Default)]
pub(super) struct Gathered {
    pub text: String,
    /// What queries have found, in order; the last one even if its rows are not for people.
    pub shown: Vec<Shown>,
    pub made: Option<Made>,
    /// The error of the last function, if it failed.
    pub failed: Option<String>,
    /// What the person can mean, if the last function had to ask.
    pub choices: Vec<Choice>,
    pub cut_off: bool,
    /// More was to be proposed than the one change that an answer proposes.
    pub one_of_several: bool,
    /// Nobody has spoken to the bot, and it says nothing.
    pub silent: bool,
    /// Whether a query was the last that was done.
    pub queried_last: bool,
    /// What the answer says and nothing has shown.
    pub doubts: Vec<Doubt>,
}

impl Gathered {
    /// Takes what a query has found. The same is shown once, and no more than a few of those whose rows people see, and of the others.
    pub fn found(&mut self, found: Shown) {
        self.shown.retain(|shown| (shown.snapshot.id, &shown.checked.asked) != (found.snapshot.id, &found.checked.asked));
        let rows_wanted = found.rows_wanted;
        self.shown.push(found);
        self.queried_last = true;
        if self.shown.iter().filter(|shown| shown.rows_wanted == rows_wanted).count() > MAX_TABLES
            && let Some(first) = self.shown.iter().position(|shown| shown.rows_wanted == rows_wanted)
        {
            self.shown.remove(first);
        }
    }

    /// The same with these words as its answer. Of queries whose rows people do not see those count whose figure the words tell, and the
    /// last one when nothing was done after it: the others were asked on the way.
    pub fn answering(mut self, text: String) -> Self {
        let last = self.shown.len().checked_sub(1).filter(|_| self.queried_last);
        let figure = |shown: &Shown| shown.result.figure().and_then(serde_json::Value::as_f64);
        let told = |shown: &Shown| figure(shown).is_some_and(|value| figures::tells(&text, value));
        let mut at = 0;
        self.shown.retain(|shown| {
            at += 1;
            shown.rows_wanted || last == Some(at - 1) || told(shown)
        });
        Self { text, ..self }
    }

    /// How much the last query has found, when nothing else was done after it: its count, where it is one, or its results. A row of
    /// noughts and nothing is none.
    pub fn last_found(&self) -> Option<u64> {
        let result = &self.shown.last().filter(|_| self.queried_last)?.result;
        let nothing = |value: &serde_json::Value| value.is_null() || value.as_f64() == Some(0.0);
        if result.total == 1 && result.columns.iter().any(|c| c.computed) && result.rows.first().is_some_and(|row| row.iter().all(nothing))
        {
            return Some(0);
        }
        let count = result.figure().filter(|_| result.columns.iter().any(|c| c.computed)).and_then(serde_json::Value::as_u64);
        Some(count.unwrap_or(result.total as u64))
    }
}

impl Bot {
    /// Answers a text with the model's help.
    pub(super) async fn turn(&self, event: &mut Event, token: &CancellationToken) -> Result<()> {
        let thread = event.incoming.thread.storage_key();
        let asker = event.incoming.sender.id.clone();
        self.running().insert(thread.clone(), Running { event: event.id, asker, token: token.clone(), dropped: AtomicU64::new(0) });
        let spent = Spent::default();
        let result = SPENT.scope(spent.clone(), self.answer_text(event, token)).await;
        self.note_spent(event, &spent).await;
        self.running().remove(&thread);
        result
    }

    /// The session that a question is answered in; none where its words have chosen the sheet, or whoever asked was asked for one.
    async fn session_for(&self, event: &Event) -> Result<Option<Session>> {
        let incoming = &event.incoming;
        let waits = !self.parts.store.waiting_questions(&incoming.thread.storage_key()).await?.is_empty();
        let (known, unasked) = (self.session(incoming).await?, incoming.addressed == Addressed::FollowUp);
        let _sign_of_life = if unasked || known.is_some() { None } else { self.sign_of_life(event).await };
        // What people say to each other counts only where somebody was asked for a sheet. A process that died may have chosen it already.
        let may_choose = waits || event.fence > 1 || (known.is_none() && !unasked);
        if may_choose && self.chosen_by_name(event, &text_of(event)).await? {
            return Ok(None);
        }
        let session = match known {
            Some(session) => Some(session),
            None => self.session_or_ask(event).await?,
        };
        if waits && session.is_some() {
            // However the thread came by its sheet.
            self.ask_again(incoming).await?;
        }
        Ok(session)
    }

    async fn answer_text(&self, event: &mut Event, token: &CancellationToken) -> Result<()> {
        // A process that died may have shown a proposal, and not noted yet that the event was served.
        if event.fence > 1 && self.parts.store.was_decided(&event.incoming.dedupe_key()).await? {
            tracing::info!(event = event.id, "what was proposed before the process died was decided already");
            return Ok(());
        }
        // Or have kept a question that was asked again since.
        let again = Incoming { dedupe_id: asked_again(&event.incoming.dedupe_id), ..event.incoming.clone() };
        if event.fence > 1 && self.parts.store.was_accepted(&again.dedupe_key()).await? {
            tracing::info!(event = event.id, "what waited for a sheet when the process died was asked again since");
            return Ok(());
        }
        let chat = self.chat(event.incoming.thread.platform)?.clone();
        let unasked = event.incoming.addressed == Addressed::FollowUp;
        let session = match self.session_for(event).await {
            // Nobody has asked for it, so nobody is told why it is not answered; but whoever was asked for a sheet.
            Err(Trouble::Told(why)) if unasked => {
                let thread = event.incoming.thread.storage_key();
                let waiting = self.parts.store.waiting_questions(&thread).await?;
                let was_asked = waiting.iter().any(|question| question.sender.id == event.incoming.sender.id);
                return if was_asked { Err(Trouble::Told(why)) } else { Ok(()) };
            }
            session => session?,
        };
        let Some(session) = session else { return Ok(()) };
        match self.take_turn(event).await {
            Err(Trouble::Told(_)) if unasked => return Ok(()),
            taken => taken?,
        }
        let reply = LiveReply::new(self.parts.store.clone(), chat, event);
        let only_me = self.is_only_me(&event.incoming).await? && self.is_private(event).await?;
        let reply = if only_me { reply.alone() } else { reply };
        let _sign_of_life = if only_me && !unasked { self.sign_of_life(event).await } else { None };
        if !unasked {
            begin(&reply, &session.sheet_name).await?;
        }
        let session = self.move_to_opened(event, &reply, session).await?;
        let identity = self.identity(&event.incoming).await?;
        let snapshot = self.sheet(&event.incoming, &identity, session.sheet).await?;
        let heard = self.heard(&event.incoming, &text_of(event)).await?;
        let mut history = self.parts.store.recent_messages(&session.id, prompt::HISTORY, 0).await?;
        if only_me {
            history.retain(|message| message.is_of(&event.incoming.sender.id));
        }
        let theirs = history.iter().rev().filter(|m| m.role == "user" && m.is_of(&event.incoming.sender.id)).take(RECENT);
        let mut said: Vec<String> = theirs.map(|m| m.content.clone()).collect();
        said.push(heard.question.clone());
        let context = Context { people: heard.people.clone(), said, ..self.context(event, &session, identity).await? };
        let work = self.work(&context, &snapshot, &heard, &reply, &history);
        let gathered = tokio::select! {
            gathered = work => gathered?,
            () = token.cancelled() => return self.stopped(event, &reply).await,
        };
        self.remember_turn(event, &session, &heard, &gathered, &context.locality.zone).await?;
        if gathered.silent {
            return self.say_nothing(event, &reply).await;
        }
        if let Some(made) = gathered.made.as_ref().filter(|m| self.at_once(m)) {
            if !reply.is_alone() {
                if reply.message().await.is_none() {
                    reply.show(&Message::text(&words::doing(&made.draft.plan)).partial()).await.map_err(anyhow::Error::from)?;
                }
                let at = reply.message().await.ok_or_else(|| anyhow::anyhow!("no place for the outcome"))?;
                self.parts.store.set_proposal_message(&made.proposal.id, &at).await?;
            }
            let proposal = self.parts.store.proposal(&made.proposal.id).await?.ok_or_else(|| anyhow::anyhow!("the proposal is gone"))?;
            return self.carry_out(event, &proposal).await;
        }
        let policy = self.link_policy(&snapshot, &gathered);
        self.finish_with(event, &reply, &session, &policy, &gathered).await
    }

    /// Ends a reply with what was gathered; a proposal learns where it stands.
    pub(super) async fn finish_with(
        &self,
        event: &Event,
        reply: &LiveReply,
        session: &Session,
        policy: &LinkPolicy,
        gathered: &Gathered,
    ) -> Result<()> {
        let limits = self.chat(event.incoming.thread.platform)?.limits();
        let identity = self.identity(&event.incoming).await?;
        let viewer = |of: &Snapshot, rows: &[i64]| self.parts.links.to_rows(SheetId(of.id), &session.id, &identity, rows.iter().copied());
        let (lifetime, zone) = (self.parts.changes.rules.proposal_lifetime, self.locality(&event.incoming, &identity).await.zone);
        let message = |part| preview::answer(gathered, part, policy, &limits, lifetime, &zone, &viewer);
        let approval = gathered.made.as_ref().and_then(|made| Some((made, made.approval.as_ref()?)));
        if reply.is_alone() && approval.is_none() {
            return self.answer(event, message(Part::Whole)).await;
        }
        // What somebody else has to confirm cannot be shown to the asker alone; the rest of the answer is.
        let part = if reply.is_alone() { Part::Proposal } else { Part::Whole };
        let rest = message(Part::Rest);
        if part == Part::Proposal && !rest.blocks.is_empty() {
            self.answer(event, rest).await?;
        }
        reply.finish(&message(part)).await.map_err(anyhow::Error::from)?;
        if let (Some(made), Some(at)) = (&gathered.made, reply.message().await) {
            self.parts.store.set_proposal_message(&made.proposal.id, &at).await?;
        }
        if let Some((made, approval)) = approval {
            self.call_approvers(event, approval, &words::what(&made.draft.plan), made.proposal.sheet).await;
        }
        Ok(())
    }

    /// Whether the rules let a proposal be carried out without a press: cells of a single row.
    fn at_once(&self, made: &Made) -> bool {
        let small = matches!(&made.draft.plan, crate::changes::Plan::Update { rows } if rows.len() == 1) && made.draft.warnings.is_empty();
        small && made.approval.is_none() && !self.parts.changes.rules.confirm_always
    }

    /// A reply that opened a thread of its own: the conversation goes on there.
    async fn move_to_opened(&self, event: &mut Event, reply: &LiveReply, session: Session) -> Result<Session> {
        let Some((thread, anchor)) = reply.opened().await.filter(|(t, _)| *t != event.incoming.thread) else { return Ok(session) };
        event.incoming.thread = thread.clone();
        event.incoming.anchor = anchor.clone();
        Ok(self.parts.store.bind_sheet(&thread, &anchor, session.sheet, &session.sheet_name, self.parts.clock.now()).await?)
    }

    /// What functions work with on behalf of whoever caused the event.
    pub(super) async fn context(&self, event: &Event, session: &Session, identity: Identity) -> Result<Context> {
        let role = self.role(event).await?.unwrap_or(Role::Nobody);
        Ok(Context {
            locality: self.locality(&event.incoming, &identity).await,
            sheets: self.parts.sheets.clone(),
            changes: self.parts.changes.clone(),
            jobs: self.parts.jobs.clone(),
            anchor: event.incoming.anchor.clone(),
            identity: identity.clone(),
            session: session.clone(),
            thread_key: event.incoming.thread.storage_key(),
            asker: event.incoming.sender.id.clone(),
            people: Vec::new(),
            role,
            event: event.incoming.dedupe_key(),
            scope: self.scope(&event.incoming, &identity).await?,
            said: vec![text_of(event)],
            shared_only: self.shows_to_others_what_all_may_read(&event.incoming),
            seen_by_others: Some(event.incoming.thread.clone()).filter(|_| event.incoming.addressed != Addressed::Dm),
        })
    }

    pub(super) fn link_policy(&self, snapshot: &Snapshot, gathered: &Gathered) -> LinkPolicy {
        let mut policy = LinkPolicy { exact: snapshot.links.clone(), hosts: self.parts.link_hosts.iter().cloned().collect() };
        for of in gathered.shown.iter().map(|s| &s.snapshot).map(AsRef::as_ref).chain([snapshot]) {
            policy.exact.extend(of.links.iter().cloned());
            policy.hosts.extend(url::Url::parse(&of.permalink).ok().and_then(|u| u.host_str().map(str::to_owned)));
        }
        policy
    }

    async fn remember_turn(&self, event: &Event, session: &Session, heard: &Heard, gathered: &Gathered, zone: &TimeZone) -> Result<()> {
        let mut messages = vec![self.said_by_person(event, &heard.question, &heard.beside).await];
        for (i, shown) in gathered.shown.iter().enumerate() {
            let function = line(event, &format!("function{i}"), store::Role::Function, &shown.checked.asked);
            let lists_rows = shown.result.columns.iter().any(|c| c.is_row_id);
            let met = async { if lists_rows { None } else { rows_met(&shown.snapshot, &shown.checked).await } };
            // The answer waits for it.
            let met = tokio::time::timeout(MET, met).await.unwrap_or_default();
            let why = Some((SheetId(shown.snapshot.id), preview::why(shown, met.as_ref(), zone)));
            messages.push(NewMessage { name: Some("query_sheet"), why, ..function });
        }
        if !gathered.silent {
            messages.push(line(event, "assistant", store::Role::Assistant, &preview::for_history(gathered)));
        }
        Ok(self.parts.store.add_messages(&session.id, &messages, self.parts.clock.now()).await?)
    }

    /// What a person has said, as it is remembered.
    pub(super) async fn said_by_person(&self, event: &Event, words: &str, beside: &Read) -> NewMessage {
        let author = self.author(&event.incoming).await;
        NewMessage { author, beside: beside.shortened().words(), ..line(event, "user", store::Role::User, words) }
    }

    /// Ends a turn without an answer. A sign of life that stands there already is not left hanging.
    async fn say_nothing(&self, event: &Event, reply: &LiveReply) -> Result<()> {
        tracing::debug!(event = event.id, "nobody has spoken to the bot");
        Ok(reply.withdraw(&Message::text(words::not_for_me())).await.map_err(anyhow::Error::from)?)
    }

    async fn stopped(&self, event: &Event, reply: &LiveReply) -> Result<()> {
        if !self.parts.store.prolong(event.id, event.fence, self.parts.clock.now_ms() + 1_000).await? {
            return Ok(());
        }
        let thread = event.incoming.thread.storage_key();
        let dropped = self.running().get(&thread).map_or(0, |running| running.dropped.load(Ordering::Relaxed));
        let message = Message::text(&words::turn_stopped(dropped));
        if reply.is_alone() {
            return self.answer(event, message).await;
        }
        Ok(reply.finish(&message).await.map_err(anyhow::Error::from)?)
    }
}

/// Gives a sign of life; an error when the answer could not be shown: then nothing is asked of the model.
pub(super) async fn begin(reply: &LiveReply, sheet: &str) -> Result<()> {
    match reply.begin(&words::looking_at(sheet)).await {
        Ok(()) => {}
        Err(error @ (ChatError::Forbidden(_) | ChatError::Gone(_))) if reply.message().await.is_none() => {
            return Err(anyhow::Error::from(error).into());
        }
        Err(error) => tracing::warn!(%error, "the placeholder did not go out"),
    }
    Ok(())
}

/// A line of the conversation that an event has caused: the same however often the event is served.
pub(super) fn line(event: &Event, part: &str, role: store::Role, content: &str) -> NewMessage {
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{}|{part}", event.incoming.dedupe_key()).as_bytes());
    NewMessage {
        id: id.to_string(),
        role,
        content: content.to_owned(),
        name: None,
        author: None,
        beside: None,
        why: None,
        asker: Some(event.incoming.sender.id.clone()),
    }
}

/// The words of an event.
pub(super) fn text_of(event: &Event) -> String {
    match &event.incoming.what {
        What::Text { text } | What::Command { text } => text.clone(),
        What::Press { .. }
        | What::Filled { .. }
        | What::Home
        | What::Opened
        | What::Added
        | What::Link { .. }
        | What::Left
        | What::Moved { .. } => String::new(),
    }
}

/// What a person is told; what was said before the answer broke off stays, unless it was filtered.
pub(super) fn model_trouble(error: ModelError, said: &str) -> Trouble {
    let after = |trouble: String| match said.trim() {
        "" => told(trouble),
        said => told(words::broke_off(said, &trouble)),
    };
    match error {
        ModelError::Filtered(categories) => told(words::filtered(&categories)),
        ModelError::CutOff => told(words::cut_off()),
        ModelError::TooLong => told(words::too_long()),
        ModelError::RateLimited(wait) => after(words::model_busy(wait)),
        ModelError::QuotaSpent(_) => {
            tracing::error!(%error, "the model cannot be used until somebody raises its quota");
            after(words::quota_spent())
        }
        ModelError::Unavailable(_) => after(words::model_down()),
        ModelError::NoFunctions(_) => {
            tracing::error!(%error, "the model cannot look into sheets; choose one that takes functions, `chatsheet check` tries it");
            told(words::takes_no_functions())
        }
        ModelError::Unauthorized(_) | ModelError::NotFound(_) => {
            tracing::error!(%error, "the model cannot be used; run `chatsheet check`");
            told(words::model_misconfigured())
        }
        error @ (ModelError::Refused(_) | ModelError::Nonsense(_)) => Trouble::Logged(error.into()),
    }
}
