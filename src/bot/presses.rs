//! Buttons: confirm, cancel, undo, choosing a sheet. Here, and only here, a write is approved.

use super::commands::{self, Command, uuid_of};
use super::live_reply::LiveReply;
use super::{Bot, preview, words};
use crate::access::{Person, Role};
use crate::changes::{Outcome, People, Plan, Progress, Stop};
use crate::error::{Result, Trouble, told};
use crate::jobs::{Jobs, LARGE, WaitsFor};
use crate::smartsheet::Identity;
use crate::store::{self, Asker, AuditAction, AuditEvent, Change, Event, Job, NewMessage, Place, Proposal, ProposalState};
use chat::{Addressed, Chat, ChatError, Incoming, Message, MessageRef, Sender, What};
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A change that takes longer than this shows how far it is.
const SHOW_PROGRESS_AFTER: Duration = Duration::from_secs(1);

impl Bot {
    /// Whoever presses a button of what only they see is where they asked, wherever the platform shows such messages.
    pub(super) async fn back_where_it_was_asked(&self, event: &mut Event) -> Result<()> {
        let What::Press { action, message } = &mut event.incoming.what else { return Ok(()) };
        let Some((answered, _)) = words::pressed_alone(action) else { return Ok(()) };
        *message = None;
        let person = Asker::alone(&event.incoming);
        let at = self.parts.store.whispered_at(answered, &person).await?.ok_or_else(|| told(words::unknown_button()))?;
        let chat = self.chat(event.incoming.thread.platform)?;
        event.incoming.thread = chat.thread_of(&at).ok_or_else(|| told(words::unknown_button()))?;
        (event.incoming.anchor, event.incoming.addressed) = (at, Addressed::Mention);
        Ok(())
    }

    pub(super) async fn press(&self, event: &Event, action: &str, message: Option<MessageRef>) -> Result<()> {
        let action = words::pressed_alone(action).map_or(action, |(_, action)| action);
        let (verb, id) = action.split_once(':').unwrap_or((action, ""));
        match verb {
            "confirm" => self.decide(event, id, false).await,
            "count" => self.decide(event, id, true).await,
            "cancel" => self.cancel(event, id).await,
            "undo" => self.undo(event, id, message).await,
            "use" => self.sheet_pressed(event, id, message).await,
            "say" => self.say(event, id).await,
            "adjust" => self.ask_to_adjust(event, id).await,
            "share" => self.share(event, id).await,
            "jobcancel" => self.parts.jobs.cancel(id, &self.person_of_job(event, id).await?).await,
            "jobstatus" => {
                let (person, thread) = (self.person_of_job(event, id).await?, event.incoming.thread.storage_key());
                let job = self.parts.jobs.look(&thread, id, &person).await?;
                self.scope(&event.incoming, &Identity::read(&job.identity)).await?.check(job.sheet)?;
                self.answer(event, words::job_status(&job, self.parts.clock.now_ms())).await
            }
            "jobundo" | "jobretry" => {
                let ((person, meant), jobs) = (self.editor_of_job(event, id).await?, &self.parts.jobs);
                let waits_for = jobs.waits_for(&person).await?;
                let job = if verb == "jobundo" {
                    jobs.undo(&meant.id, &person, &event.incoming.sender.id).await?
                } else {
                    jobs.retry(&meant.id, &person).await?
                };
                // One that begins at once has a message of its own.
                if waits_for == WaitsFor::Nothing { Ok(()) } else { self.answer(event, words::job_queued(&job, waits_for)).await }
            }
            _ => Err(told(words::unknown_button())),
        }
    }

    /// Whoever a job is of, as far as this person may act for them: an admin for everybody.
    pub(super) async fn person_of_job(&self, event: &Event, id: &str) -> Result<Asker> {
        let person = Asker::from(&event.incoming);
        if self.role(event).await? != Some(Role::Admin) {
            return Ok(person);
        }
        let job = self.parts.jobs.any(id).await?;
        Ok(job.map_or(person, |job| Asker::in_thread(&job.asker, &job.thread_key)))
    }

    /// The same for what writes to a sheet, with the job that is meant.
    pub(super) async fn editor_of_job(&self, event: &Event, id: &str) -> Result<(Asker, Job)> {
        if self.role(event).await? < Some(Role::Editor) {
            return Err(self.refused(event, &format!("job:{id}"), words::may_only_ask()).await);
        }
        let person = self.person_of_job(event, id).await?;
        let job = self.parts.jobs.read(id, &person).await?;
        self.scope(&event.incoming, &Identity::read(&job.identity)).await?.check(job.sheet)?;
        Ok((person, job))
    }

    /// What a button says for a person takes the way of what they type.
    async fn say(&self, event: &Event, words: &str) -> Result<()> {
        let dedupe_id = format!("{}:said", event.incoming.dedupe_id);
        self.accept_again(Incoming { dedupe_id, what: What::Text { text: words.to_owned() }, ..event.incoming.clone() }).await
    }

    /// Keeps in the audit log that somebody wanted what is not theirs to want, and says so.
    pub(super) async fn refused(&self, event: &Event, subject: &str, words: impl Into<String>) -> Trouble {
        let (words, incoming) = (words.into(), &event.incoming);
        let refused = AuditEvent {
            at_ms: self.parts.clock.now_ms(),
            what: AuditAction::Refused,
            who: incoming.sender.id.clone(),
            place: incoming.thread.storage_key(),
            subject: subject.to_owned(),
            detail: json!({ "told": words }),
        };
        match self.parts.store.audit(&refused).await {
            Ok(()) => told(words),
            Err(error) => error.into(),
        }
    }

    /// The proposal of which this person may decide so here, or why not.
    pub(super) async fn decidable(&self, event: &Event, id: &str, decision: Decision) -> Result<Proposal> {
        let mut proposal = self.parts.store.proposal(id).await?.ok_or_else(|| told(words::proposal_gone()))?;
        // Who is quick presses before the place of the message is stored.
        proposal.message = proposal.message.or_else(|| pressed(event));
        if proposal.thread_key != event.incoming.thread.storage_key() {
            return Err(told(words::proposal_gone()));
        }
        self.scope(&event.incoming, &Identity::read(&proposal.identity)).await?.check(proposal.sheet)?;
        let (role, presser) = (self.role(event).await?, &event.incoming.sender.id);
        let approval = self.parts.changes.approval(proposal.sheet, &plan_of(&proposal)?).await?;
        let approves = approval.as_ref().is_some_and(|a| a.names(&Person::of(&event.incoming)) && proposal.asker != *presser);
        if let (Decision::Confirm, Some(approval), false) = (decision, &approval, approves) {
            return Err(self
                .refused(event, &format!("proposal:{id}"), words::not_your_ok(approval, &proposal.asker, proposal.asker == *presser))
                .await);
        }
        if proposal.asker != *presser && role != Some(Role::Admin) && !(approves && decision != Decision::Adjust) {
            return Err(self.refused(event, &format!("proposal:{id}"), words::only_the_asker()).await);
        }
        if role < Some(Role::Editor) && !approves {
            return Err(self.refused(event, &format!("proposal:{id}"), words::may_only_ask()).await);
        }
        // It is written in the name of whoever asked, who may have been removed since.
        if decision == Decision::Confirm && proposal.asker != *presser {
            let asker = Sender { id: proposal.asker.clone(), ..Sender::default() };
            let incoming = &event.incoming;
            if self.parts.access.role_in(&incoming.thread, &incoming.anchor, &asker).await? < Some(Role::Editor) {
                return Err(self.refused(event, &format!("proposal:{id}"), words::asker_may_not()).await);
            }
        }
        Ok(proposal)
    }

    fn deciding(&self) -> MutexGuard<'_, HashSet<String>> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Approves a proposal; `counted` when the number of rows was given as well.
    pub(super) async fn decide(&self, event: &Event, id: &str, counted: bool) -> Result<()> {
        let proposal = self.decidable(event, id, Decision::Confirm).await?;
        let (by, now) = (event.incoming.sender.id.as_str(), self.parts.clock.now_ms());
        match proposal.state {
            ProposalState::Confirmed => return Err(told(words::already_decided())),
            ProposalState::Cancelled => return Err(told(words::was_cancelled())),
            ProposalState::Expired => return Err(told(words::was_expired())),
            ProposalState::Open | ProposalState::Counting if proposal.expires_at_ms <= now => {
                self.parts.store.move_proposal(id, proposal.state, ProposalState::Expired, by, now).await?;
                return self.replace(event, proposal.message.clone(), &words::expired(&plan_of(&proposal)?)).await;
            }
            ProposalState::Open if proposal.row_count >= self.parts.changes.rules.confirm_limit_rows => {
                self.parts.store.move_proposal(id, ProposalState::Open, ProposalState::Counting, by, now).await?;
                self.ask_for_count(event, &proposal).await?;
                return self.replace(event, proposal.message.clone(), &preview::second_step(&proposal, &plan_of(&proposal)?)).await;
            }
            ProposalState::Counting if !counted => return Err(told(words::count_needed(proposal.row_count))),
            ProposalState::Open | ProposalState::Counting => {}
        }
        // Of two presses at once one counts, and the other shows nothing over what comes of it.
        let Some(_deciding) = Deciding::begin(self, id) else { return Err(told(words::already_decided())) };
        let proposal = self.decidable(event, id, Decision::Confirm).await?;
        if !matches!(proposal.state, ProposalState::Open | ProposalState::Counting) {
            return Err(told(words::already_decided()));
        }
        self.carry_out(event, &proposal).await
    }

    /// Journals an approved proposal and carries it out.
    pub(super) async fn carry_out(&self, event: &Event, proposal: &Proposal) -> Result<()> {
        let (by, now) = (event.incoming.sender.id.as_str(), self.parts.clock.now_ms());
        let plan = plan_of(proposal)?;
        if let Plan::Job { .. } = plan {
            self.replace(event, proposal.message.clone(), &self.starting(proposal, &plan).await?).await?;
            if !self.parts.store.start_job(proposal, by, now).await? {
                return Err(told(words::already_decided()));
            }
            tracing::info!(job = %proposal.id, asker = %proposal.asker, sheet = %proposal.sheet, rows = proposal.row_count, "a job was approved");
            self.parts.jobs.wake();
            return Ok(());
        }
        let large = plan.units() > LARGE;
        let change = Change {
            id: uuid_of(event),
            undo_of: None,
            job_id: large.then(|| proposal.id.clone()),
            session_id: proposal.session_id.clone(),
            thread_key: proposal.thread_key.clone(),
            asker: proposal.asker.clone(),
            identity: proposal.identity.clone(),
            sheet: proposal.sheet,
            sheet_version: proposal.sheet_version,
            plan: proposal.plan.clone(),
            applying: true,
            created_at_ms: now,
        };
        let place = Place {
            session_id: proposal.session_id.clone(),
            thread_key: proposal.thread_key.clone(),
            anchor: event.incoming.anchor.clone(),
            asker: proposal.asker.clone(),
            identity: proposal.identity.clone(),
            sheet: proposal.sheet,
        };
        let job = large.then(|| Job {
            message: proposal.message.clone(),
            ..Jobs::of_change(&change, &plan, &words::what(&plan), proposal.filter.as_deref(), &place)
        });
        if large {
            self.replace(event, proposal.message.clone(), &self.starting(proposal, &plan).await?).await?;
        }
        if !self.parts.store.confirm_proposal(proposal, by, &change, plan.units() as i64, job.as_ref(), now).await? {
            return Err(told(words::already_decided()));
        }
        tracing::info!(change = %change.id, proposal = %proposal.id, asker = %proposal.asker, sheet = %proposal.sheet, rows = proposal.row_count, "a change was approved");
        if large {
            self.parts.jobs.wake();
            return Ok(());
        }
        self.run_change(event, &change, &plan, proposal.message.clone()).await
    }

    /// What is shown between the confirmation of a job and its beginning.
    async fn starting(&self, proposal: &Proposal, plan: &Plan) -> Result<Message> {
        Ok(words::starting(plan, self.parts.jobs.waits_for(&Asker::in_thread(&proposal.asker, &proposal.thread_key)).await?))
    }

    /// Goes on with the change that this event has caused before it was interrupted.
    pub(super) async fn go_on(&self, event: &Event, change: &Change) -> Result<()> {
        if change.job_id.is_some() {
            self.parts.jobs.wake();
            return Ok(());
        }
        tracing::info!(change = %change.id, "a change is taken up again");
        let message = pressed(event).or(self.parts.store.message_of_change(&change.id).await?);
        let plan = Plan::read(&change.plan)?;
        self.run_change(event, change, &plan, message).await
    }

    pub(super) async fn cancel(&self, event: &Event, id: &str) -> Result<()> {
        let proposal = self.decidable(event, id, Decision::Cancel).await?;
        let waits = matches!(proposal.state, ProposalState::Open | ProposalState::Counting);
        let now = self.parts.clock.now_ms();
        if !waits || !self.parts.store.move_proposal(id, proposal.state, ProposalState::Cancelled, &event.incoming.sender.id, now).await? {
            return Err(told(words::already_decided()));
        }
        let plan = plan_of(&proposal)?;
        self.remember(&proposal.session_id, &words::cancelled_text(&plan)).await?;
        self.replace(event, proposal.message.clone(), &words::cancelled(&plan)).await
    }

    /// Takes a change back; by the button on its outcome, or by word.
    pub(super) async fn undo(&self, event: &Event, id: &str, message: Option<MessageRef>) -> Result<()> {
        let change = self.parts.store.change(id).await?.ok_or_else(|| told(words::proposal_gone()))?;
        self.scope(&event.incoming, &Identity::read(&change.identity)).await?.check(change.sheet)?;
        let (person, role) = (Asker::from(&event.incoming), self.role(event).await?);
        if !person.has(&change.asker, &change.thread_key) && role != Some(Role::Admin) {
            return Err(self.refused(event, &format!("change:{id}"), words::only_the_asker_undoes()).await);
        }
        if role < Some(Role::Editor) {
            return Err(self.refused(event, &format!("change:{id}"), words::may_only_ask()).await);
        }
        if let Some(job) = &change.job_id {
            let (person, jobs) = (Asker::in_thread(&change.asker, &change.thread_key), &self.parts.jobs);
            let waits_for = jobs.waits_for(&person).await?;
            return self.answer(event, words::job_queued(&jobs.undo(job, &person, &event.incoming.sender.id).await?, waits_for)).await;
        }
        let undo = self.parts.changes.begin_undo(uuid_of(event), &change, &event.incoming.sender.id).await?;
        let plan = Plan::read(&undo.plan)?;
        self.run_change(event, &undo, &plan, message).await
    }

    /// Carries out a change, shows how far it is when that takes long, and says what became of it.
    async fn run_change(&self, event: &Event, change: &Change, plan: &Plan, message: Option<MessageRef>) -> Result<()> {
        let chat = self.chat(event.incoming.thread.platform)?.clone();
        let message = message.or(self.parts.store.reply_of(event.id).await?);
        let (progress, seen) = watch::channel(Progress { total: plan.units(), ..Progress::default() });
        let bar = tokio::spawn(show_progress(chat, message.clone(), seen, words::doing(plan)));
        self.writing().insert(event.id);
        let outcome = self.parts.changes.apply(change, &progress, &Stop::default()).await;
        self.writing().remove(&event.id);
        drop(progress);
        let _ = bar.await;
        let outcome: Outcome = outcome?;
        let snapshot = self.parts.sheets.current(&Identity::read(&change.identity), change.sheet).await.ok();
        let people = self.people_of(event, change).await;
        let answer = preview::outcome(change, plan, &outcome, snapshot.as_deref(), &people, self.parts.changes.rules.undo_window);
        self.remember(&change.session_id, &answer.plain()).await?;
        self.replace(event, message, &answer).await
    }

    /// Who has asked for a change and who has decided it, as far as the platform tells.
    async fn people_of(&self, event: &Event, change: &Change) -> People {
        let by = &event.incoming.sender.id;
        let known = async |person: &str| self.profile_of(&event.incoming, person).await.map(|profile| profile.name);
        if let Some(undone) = &change.undo_of {
            let undoer = known(by).await.or_else(|| event.incoming.sender.name.clone());
            let people = self.people_of_undone(event, undone).await.unwrap_or_else(|error| {
                tracing::warn!(%error, change = undone, "it cannot be read who had asked for what is taken back");
                People::default()
            });
            return People { undoer, ..people };
        }
        // With a press some platforms tell the name that somebody logs in with.
        let decider = known(by).await.or_else(|| event.incoming.sender.name.clone());
        let asker = if change.asker == *by { decider.clone() } else { known(&change.asker).await };
        let pressed = matches!(event.incoming.what, What::Press { .. } | What::Filled { .. });
        let counted = matches!(commands::of(&event.incoming), Some(Command::Count(_)));
        People { asker, decider: if pressed || counted { decider } else { None }, undoer: None }
    }

    /// Who had asked for a change that is taken back, and who had confirmed it.
    async fn people_of_undone(&self, event: &Event, id: &str) -> sqlx::Result<People> {
        let known = async |person: String| self.profile_of(&event.incoming, &person).await.map(|profile| profile.name);
        let (store, mut people) = (&self.parts.store, People::default());
        if let Some(change) = store.change(id).await? {
            people.asker = known(change.asker).await;
        }
        if let Some(decider) = store.decider_of_change(id).await? {
            people.decider = known(decider).await;
        }
        Ok(people)
    }

    async fn remember(&self, session: &str, words: &str) -> Result<()> {
        let message = NewMessage {
            id: uuid::Uuid::now_v7().to_string(),
            role: store::Role::Assistant,
            content: words.to_owned(),
            name: None,
            author: None,
            beside: None,
            why: None,
            asker: None,
        };
        Ok(self.parts.store.add_messages(session, &[message], self.parts.clock.now()).await?)
    }

    /// Puts a new text in the place of a message; when that is gone, posts it in the thread.
    pub(super) async fn replace(&self, event: &Event, at: Option<MessageRef>, message: &Message) -> Result<()> {
        if at.is_none() && self.is_private(event).await? {
            return self.answer(event, message.clone()).await;
        }
        let chat = self.chat(event.incoming.thread.platform)?.clone();
        let mut event = event.clone();
        event.reply = at.or(event.reply);
        LiveReply::new(self.parts.store.clone(), chat, &event).finish(message).await.map_err(anyhow::Error::from)?;
        Ok(())
    }
}

/// What somebody decides of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Confirm,
    Cancel,
    /// A job is to do something else.
    Adjust,
}

/// The right to carry a proposal out, among the presses that this process serves.
struct Deciding<'a> {
    bot: &'a Bot,
    id: String,
}

impl<'a> Deciding<'a> {
    fn begin(bot: &'a Bot, id: &str) -> Option<Self> {
        bot.deciding().insert(id.to_owned()).then(|| Self { bot, id: id.to_owned() })
    }
}

impl Drop for Deciding<'_> {
    fn drop(&mut self) {
        self.bot.deciding().remove(&self.id);
    }
}

/// The message whose button was pressed.
fn pressed(event: &Event) -> Option<MessageRef> {
    match &event.incoming.what {
        What::Press { message, .. } | What::Filled { message, .. } => message.clone(),
        _ => None,
    }
}

fn plan_of(proposal: &Proposal) -> Result<Plan> {
    Ok(Plan::read(&proposal.plan)?)
}

/// Edits the message while the change is carried out; ends when the sender of progress is dropped.
async fn show_progress(chat: Arc<dyn Chat>, at: Option<MessageRef>, mut seen: watch::Receiver<Progress>, doing: String) {
    let Some(at) = at else { return };
    let mut pause = SHOW_PROGRESS_AFTER;
    loop {
        let ended = async { while seen.changed().await.is_ok() {} };
        if tokio::time::timeout(pause, ended).await.is_ok() {
            return;
        }
        let now = *seen.borrow();
        let interval = chat.limits().edit_interval;
        pause = match chat.edit(&at, &words::progress(&doing, now.settled, now.total)).await {
            Err(ChatError::RateLimited(wait)) => wait.max(interval),
            _ => interval.max(SHOW_PROGRESS_AFTER),
        };
    }
}
