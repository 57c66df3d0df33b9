//! Forms: the number that a large change is confirmed with, and what a job is to do differently.

use super::live_reply::LiveReply;
use super::presses::Decision;
use super::turn::Gathered;
use super::{Bot, words};
use crate::error::{Result, told};
use crate::jobs::{Instructions, Kind, Parameters};
use crate::store::{Event, Job, Proposal, ProposalState};
use chat::{Form, LinkPolicy};
use std::collections::BTreeMap;

impl Bot {
    /// Asks for the number of rows where the platform can; elsewhere the message says what to do.
    pub(super) async fn ask_for_count(&self, event: &Event, proposal: &Proposal) -> Result<()> {
        let chat = self.chat(event.incoming.thread.platform)?;
        if chat.limits().forms
            && let Err(error) = chat.open_form(&event.incoming, &words::count_form(proposal)).await
        {
            tracing::info!(%error, event = event.id, "a form was not opened; the message asks for the number");
        }
        Ok(())
    }

    /// Asks what a job that waits for its decision is to do differently.
    pub(super) async fn ask_to_adjust(&self, event: &Event, id: &str) -> Result<()> {
        let (_, job) = self.adjustable(event, id).await?;
        let form: Form = words::adjust_form(id, &parameters_of(&job)?);
        let chat = self.chat(event.incoming.thread.platform)?;
        chat.open_form(&event.incoming, &form).await.map_err(|error| {
            tracing::info!(%error, event = event.id, "a form was not opened");
            told(words::no_form())
        })
    }

    /// Does what a form was filled in for.
    pub(super) async fn filled(&self, event: &Event, action: &str, values: &BTreeMap<String, String>) -> Result<()> {
        let value = |name: &str| values.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        match action.split_once(':') {
            Some(("count", id)) => {
                let rows = self.decidable(event, id, Decision::Confirm).await?.row_count;
                match words::number(&value(words::COUNT).unwrap_or_default()) {
                    Some(n) if n == rows => self.decide(event, id, true).await,
                    n => Err(told(words::wrong_count(n.unwrap_or(0), rows))),
                }
            }
            Some(("adjust", id)) => {
                let limit = match value(words::LIMIT) {
                    None => None,
                    Some(limit) => Some(limit.parse().map_err(|_| told(words::not_a_limit(&limit)))?),
                };
                self.adjust(event, id, value(words::INSTRUCTIONS), limit).await
            }
            _ => Err(told(words::unknown_button())),
        }
    }

    /// Proposes a job anew, in place of the proposal that waits.
    async fn adjust(&self, event: &Event, id: &str, instructions: Option<String>, limit: Option<u32>) -> Result<()> {
        let (old, job) = self.adjustable(event, id).await?;
        let kind = Kind::named(&job.kind).ok_or_else(|| told(words::proposal_gone()))?;
        if kind.instructions == Instructions::Needed && instructions.is_none() {
            return Err(told(words::needs_instructions()));
        }
        let parameters = Parameters { instructions, limit, ..parameters_of(&job)? };
        let session =
            self.parts.store.session_of(&event.incoming.thread.storage_key()).await?.ok_or_else(|| told(words::proposal_gone()))?;
        let reply = LiveReply::new(self.parts.store.clone(), self.chat(event.incoming.thread.platform)?.clone(), event);
        let reply = if self.is_private(event).await? { reply.alone() } else { reply };
        if let Err(error) = reply.begin(words::trying_that()).await {
            tracing::warn!(%error, event = event.id, "the sign of life did not go out");
        }
        let identity = self.identity(&event.incoming).await?;
        let snapshot = self.sheet(&event.incoming, &identity, old.sheet).await?;
        let proposed = self.parts.jobs.propose(&snapshot, kind, parameters, &self.locality(&event.incoming, &identity).await).await?;
        let now = self.parts.clock.now_ms();
        if !self.parts.store.move_proposal(id, ProposalState::Open, ProposalState::Cancelled, &event.incoming.sender.id, now).await? {
            return Err(told(words::already_decided()));
        }
        let context = self.context(event, &session, identity).await?;
        let made = context.propose(proposed.draft.clone(), snapshot).await?.made;
        let gathered = Gathered { made, ..Gathered::default() };
        let Some(made) = &gathered.made else { return Err(told(words::proposal_gone())) };
        self.parts.jobs.keep(&proposed, &made.proposal, &event.incoming.anchor).await?;
        self.replace(event, old.message.clone(), &words::adjusted()).await?;
        self.finish_with(event, &reply, &session, &LinkPolicy::default(), &gathered).await
    }

    /// A job that waits for the decision of this person.
    async fn adjustable(&self, event: &Event, id: &str) -> Result<(Proposal, Job)> {
        let proposal = self.decidable(event, id, Decision::Adjust).await?;
        match proposal.state {
            ProposalState::Open if proposal.expires_at_ms > self.parts.clock.now_ms() => {}
            ProposalState::Open | ProposalState::Expired => return Err(told(words::was_expired())),
            ProposalState::Cancelled => return Err(told(words::was_cancelled())),
            ProposalState::Counting | ProposalState::Confirmed => return Err(told(words::already_decided())),
        }
        let job = self.parts.store.job(id).await?.ok_or_else(|| told(words::proposal_gone()))?;
        Ok((proposal, job))
    }
}

fn parameters_of(job: &Job) -> Result<Parameters> {
    Ok(serde_json::from_value(job.parameters.clone()).map_err(anyhow::Error::from)?)
}
