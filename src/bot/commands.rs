//! Short words that need no model: help, status, stop, undo, use a sheet, sheets.

use super::live_reply::LiveReply;
use super::rules::{self, Rule};
use super::sheets::Used;
use super::speech::{self, SmallTalk};
use super::words::Here;
use super::{Bot, phrases, words};
use crate::access::Role;
use crate::error::{Result, told};
use crate::sheet::Snapshot;
use crate::smartsheet::Identity;
use crate::store::{Asker, Event, Proposal, ProposalState, Session};
use chat::{Addressed, ChatError, Incoming, Message, What};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A person who waits for an answer that only they will see is told so after this time.
const QUIET: Duration = Duration::from_millis(900);

/// Words up to which what stands behind “allow” is taken for the name of a sheet.
const LONG_NAME: usize = 5;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    /// A file, or somebody else's message, without a word about it.
    Wordless,
    /// A greeting, or thanks.
    SmallTalk(SmallTalk),
    Status,
    Stop,
    Undo,
    Use(String),
    Sheets,
    /// A link to the sheet for everybody in the thread.
    View,
    /// A link of one's own, with which the sheet can be edited.
    Edit,
    /// Ends all links of the thread.
    Unshare,
    /// A link to connect one's own Smartsheet account.
    Connect,
    /// Gives that account up.
    Disconnect,
    Jobs,
    JobStatus(String),
    CancelJob(String),
    RetryJob(String),
    /// A bare number: the second step of a large change, if one waits for it.
    Count(i64),
    /// Typed instead of pressed.
    Confirm,
    /// Typed instead of pressed.
    Cancel,
    /// Typed instead of pressed, or an answer to what was asked.
    Yes,
    /// The same.
    No,
    /// How the last answer was found.
    Why,
    /// About what admins decide.
    Rule(Rule),
}

impl Command {
    /// Whether it opens something to others or gives something up, which nobody means by words to a colleague.
    const fn wants_to_be_meant(&self) -> bool {
        matches!(self, Self::Connect | Self::Disconnect | Self::View | Self::Edit | Self::Unshare)
    }
}

/// Whether what somebody has said is served at once, beside a running turn.
pub(super) fn is_express(incoming: &Incoming) -> bool {
    matches!(
        of(incoming),
        Some(
            Command::Stop
                | Command::Help
                | Command::SmallTalk(_)
                | Command::Jobs
                | Command::JobStatus(_)
                | Command::CancelJob(_)
                | Command::RetryJob(_)
        )
    )
}

/// The command that an event is, if it is one.
pub(super) fn of(incoming: &Incoming) -> Option<Command> {
    let (What::Text { text } | What::Command { text }) = &incoming.what else { return None };
    if !incoming.beside.is_empty() && speech::is_wordless(text) {
        return Some(Command::Wordless);
    }
    let command = parse(text)?;
    let people = |rule: &Rule| matches!(rule, Rule::Approvers(who) if !rules::names_people(who, &incoming.mentions));
    match &command {
        // What people say to each other is no command of that kind, and neither is a sentence that begins like one.
        Command::Why | Command::Rule(_) if incoming.addressed == Addressed::FollowUp => None,
        Command::Rule(rule) if people(rule) => None,
        // “Great. Now log out” is said to a colleague.
        command if incoming.addressed == Addressed::FollowUp && speech::exclaims(text) && command.wants_to_be_meant() => None,
        _ => Some(command),
    }
}

/// The command that a text is, if it is one.
pub(super) fn parse(text: &str) -> Option<Command> {
    // Words are the same on two lines, with the blanks that editors make, and in bold.
    let spaced = text.replace(['\n', '\r', '\t', '\u{a0}', '\u{202f}'], " ");
    let text = spaced.trim().trim_matches(['*', '_', '`']).trim();
    let talk = speech::small_talk(text).map(Command::SmallTalk);
    // Some menus of commands send what was chosen as it is shown there.
    let text = text.strip_prefix('/').unwrap_or(text);
    // “ok” alone wants nothing; it is no empty command.
    let text = Some(speech::wanted(text)).filter(|wanted| !wanted.is_empty()).unwrap_or(text);
    let bare = text.trim_end_matches(['.', '!', '?']).trim().to_lowercase();
    // “hey, help” wants help; “thanks for the help” wants nothing.
    if let Some(command) = phrases::command(&bare).or_else(|| phrases::command(&speech::plainly(&bare)?)).or(talk) {
        return Some(command);
    }
    if let Some(rule) = rules::parse(text.trim_end_matches(['.', '!', '?']), &bare) {
        return Some(Command::Rule(rule));
    }
    if let Some(n) = words::number(&bare) {
        return Some(Command::Count(n));
    }
    let job = |verb: &str| {
        let rest = bare.strip_prefix(verb)?.trim();
        let id = rest.strip_prefix("job").unwrap_or(rest).trim().trim_matches('`');
        (id.len() == 6 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
    };
    if let Some(id) = job("status ").or_else(|| job("job ")) {
        return Some(Command::JobStatus(id));
    }
    if let Some(id) = job("cancel ") {
        return Some(Command::CancelJob(id));
    }
    if let Some(id) = job("retry ") {
        return Some(Command::RetryJob(id));
    }
    for opening in [
        "use the sheet ",
        "use sheet ",
        "switch to the sheet ",
        "switch to sheet ",
        "switch to ",
        "work on the sheet ",
        "work with the sheet ",
        "use ",
    ] {
        if text.len() > opening.len() && text.is_char_boundary(opening.len()) && text[..opening.len()].eq_ignore_ascii_case(opening) {
            return Some(Command::Use(text[opening.len()..].trim().to_owned()));
        }
    }
    None
}

impl Bot {
    pub(super) async fn command(&self, event: &mut Event, command: Command, token: &CancellationToken) -> Result<()> {
        let thread = event.incoming.thread.storage_key();
        let takes_time = matches!(command, Command::Status | Command::Sheets | Command::View | Command::Use(_) | Command::Undo);
        // “Great, use that one” may be said to a colleague.
        let unsure = matches!(command, Command::Use(_)) && event.incoming.addressed == Addressed::FollowUp;
        let _sign_of_life = if takes_time && !unsure { self.sign_of_life(event).await } else { None };
        match command {
            Command::Help => {
                let session = self.session(&event.incoming).await?;
                let snapshot = self.sheet_at_hand(&event.incoming, session.as_ref()).await;
                let here = Here::of(&event.incoming);
                let words = words::help(session.as_ref(), snapshot.as_deref(), self.parts.accounts.is_some(), here);
                self.answer(event, words).await
            }
            Command::Wordless => self.wordless(event).await,
            Command::SmallTalk(talk) => self.answer(event, talk.answer()).await,
            Command::Status => self.status(event, &thread).await,
            Command::Sheets => {
                let sheets = self.all_sheets(&event.incoming, &self.identity(&event.incoming).await?).await?;
                self.answer(event, words::sheets(&sheets)).await
            }
            Command::View => self.view(event).await,
            Command::Edit => self.edit(event).await,
            Command::Unshare => self.unshare(event).await,
            Command::Connect => self.connect(event).await,
            Command::Disconnect => self.disconnect(event).await,
            Command::Jobs => {
                let mut jobs = match self.role(event).await? {
                    Some(Role::Admin) => self.parts.jobs.everybodys(10).await?,
                    _ => self.parts.jobs.list(&thread, Some(&Asker::from(&event.incoming)), 10).await?,
                };
                let identity = self.identity(&event.incoming).await.unwrap_or(Identity::Service);
                let scope = self.scope(&event.incoming, &identity).await?;
                jobs.retain(|job| scope.allows(job.sheet));
                self.answer(event, words::jobs(&jobs)).await
            }
            Command::JobStatus(id) => {
                let job = self.parts.jobs.look(&thread, &id, &self.person_of_job(event, &id).await?).await?;
                self.scope(&event.incoming, &Identity::read(&job.identity)).await?.check(job.sheet)?;
                self.answer(event, words::job_status(&job, self.parts.clock.now_ms())).await
            }
            Command::CancelJob(id) => {
                self.parts.jobs.cancel(&id, &self.person_of_job(event, &id).await?).await?;
                self.answer(event, Message::text("The job stops. Its message says what was done.")).await
            }
            Command::RetryJob(id) => {
                let ((person, job), jobs) = (self.editor_of_job(event, &id).await?, &self.parts.jobs);
                let waits_for = jobs.waits_for(&person).await?;
                self.answer(event, words::job_queued(&jobs.retry(&job.id, &person).await?, waits_for)).await
            }
            Command::Use(name) => match self.use_sheet(event, &name).await? {
                Used::Answered => Ok(()),
                // “use the Status column instead” is meant for the model, where there is a sheet to ask about.
                Used::NoSheet { near: false } if !self.is_command(event) && self.session(&event.incoming).await?.is_some() => {
                    self.turn(event, token).await
                }
                Used::NoSheet { .. } => self.no_such_sheet(event, &name).await,
            },
            Command::Why => self.why(event).await,
            // “allow the whole team to see …” is meant for the model.
            Command::Rule(Rule::Allow(name) | Rule::Disallow(name)) if name.split_whitespace().count() > LONG_NAME => {
                self.turn(event, token).await
            }
            Command::Rule(rule) => self.rule(event, rule).await,
            Command::Stop => self.stop(event, &thread).await,
            Command::Undo => self.undo_last(event, &thread).await,
            Command::Count(n) => match self.waiting(event, &thread).await? {
                Some((id, ProposalState::Counting, rows)) if rows == n => self.decide(event, &id, true).await,
                None if let Some(id) = self.counting(&thread, n).await? => self.decide(event, &id, true).await,
                Some((_, ProposalState::Counting, rows)) => Err(told(words::wrong_count(n, rows))),
                _ => self.turn(event, token).await,
            },
            Command::Confirm | Command::Yes | Command::Cancel | Command::No => {
                let waits = self.waiting(event, &thread).await?;
                match (&command, waits) {
                    (Command::Confirm | Command::Yes, Some(_)) => Err(told(words::press_instead())),
                    (_, Some((id, _, _))) => self.cancel(event, &id).await,
                    // A plain answer to what the model has asked.
                    (Command::Yes | Command::No, None) => self.turn(event, token).await,
                    (_, None) => Err(told(words::nothing_waits())),
                }
            }
        }
    }

    /// The sheet of a thread for examples, which nobody waits long for.
    async fn sheet_at_hand(&self, incoming: &Incoming, session: Option<&Session>) -> Option<Arc<Snapshot>> {
        let sheet = session?.sheet;
        let read = async {
            let identity = self.identity(incoming).await.ok()?;
            self.scope(incoming, &identity).await.ok()?.check(sheet).ok()?;
            self.parts.sheets.known(&identity, sheet).await.ok()
        };
        tokio::time::timeout(QUIET, read).await.ok()?
    }

    /// The newest proposal of this person that waits in this thread.
    async fn waiting(&self, event: &Event, thread: &str) -> Result<Option<(String, ProposalState, i64)>> {
        let asker = &event.incoming.sender.id;
        let waiting = self.parts.store.waiting_proposals(thread).await?;
        let now = self.parts.clock.now_ms();
        let mine = waiting.into_iter().find(|p| p.asker == *asker && p.expires_at_ms > now);
        Ok(mine.map(|p| (p.id, p.state, p.row_count)))
    }

    /// The proposal of somebody else in this thread that waits for this number: it may be an approver who types it.
    async fn counting(&self, thread: &str, rows: i64) -> Result<Option<String>> {
        let waiting = self.parts.store.waiting_proposals(thread).await?;
        let now = self.parts.clock.now_ms();
        let counts = |p: &Proposal| p.state == ProposalState::Counting && p.row_count == rows && p.expires_at_ms > now;
        Ok(waiting.into_iter().find(counts).map(|p| p.id))
    }

    /// Answers a command: to the person alone after a slash command, else in the thread.
    pub(super) async fn answer(&self, event: &Event, message: Message) -> Result<()> {
        let chat = self.chat(event.incoming.thread.platform)?;
        if !self.is_private(event).await? {
            LiveReply::new(self.parts.store.clone(), chat.clone(), event).finish(&message).await.map_err(anyhow::Error::from)?;
            return Ok(());
        }
        // What is pressed in the page beside the sheet is said in no direct message.
        if event.incoming.addressed == Addressed::Dm && !self.is_only_me(&event.incoming).await? {
            self.tell_alone(event, &message).await.map_err(anyhow::Error::from)?;
            return Ok(());
        }
        let (incoming, now_ms) = (&event.incoming, self.parts.clock.now_ms());
        let kept = self.parts.links.sealed_in(serde_json::to_value(&message)?);
        if self.parts.store.keep_whisper(event.id, &Asker::alone(incoming), &incoming.anchor, &kept, now_ms).await? {
            // The process died behind it.
            return Ok(());
        }
        self.tell_alone(event, &words::alone(event.id, &message)).await.map_err(anyhow::Error::from)?;
        Ok(self.parts.store.whispered(event.id).await?)
    }

    /// Tells the person who caused the event alone. Where that cannot be they are told so before everybody, so that nobody
    /// waits for an answer.
    pub(super) async fn tell_alone(&self, event: &Event, message: &Message) -> Result<(), ChatError> {
        let (incoming, platform) = (&event.incoming, event.incoming.thread.platform);
        let chat = self.chat(platform).map_err(|_| ChatError::Gone("the platform is not connected any more".into()))?;
        match chat::insist_alone(chat.as_ref(), &incoming.anchor, &incoming.sender.id, message).await {
            Err(error @ (ChatError::Forbidden(_) | ChatError::Gone(_))) if incoming.addressed != Addressed::Dm => {
                tracing::info!(%error, event = event.id, "somebody cannot be told something alone");
                chat::insist(chat.as_ref(), &incoming.anchor, &mut None, &Message::text(words::cannot_whisper(platform))).await
            }
            other => other,
        }
    }

    /// Whether the answer is for the person alone: after a slash command to which nothing was said in the thread, after a press
    /// on such an answer, and in channels whose admins want it so.
    pub(super) async fn is_private(&self, event: &Event) -> Result<bool> {
        let theirs = matches!(event.incoming.what, What::Text { .. } | What::Press { .. } | What::Filled { .. });
        let only_me = theirs && self.is_only_me(&event.incoming).await?;
        let alone = only_me || self.is_command(event);
        Ok(alone && event.reply.is_none() && self.parts.store.reply_of(event.id).await?.is_none())
    }

    /// Whether it is a command that nobody else sees, or a press on the answer to one.
    pub(super) fn is_command(&self, event: &Event) -> bool {
        match &event.incoming.what {
            What::Command { .. } => true,
            What::Press { action, .. } => words::pressed_alone(action).is_some(),
            _ => false,
        }
    }

    /// Whether answers here are for whoever asks alone: in channels whose admins want it so, and where they are found with an account of
    /// one's own in a sheet that not everybody may read.
    pub(super) async fn is_only_me(&self, incoming: &Incoming) -> Result<bool> {
        if self.parts.access.rules_of(&incoming.thread).await?.only_me {
            return Ok(true);
        }
        if !self.shows_to_others_what_all_may_read(incoming) || self.connected(incoming).await? != Some(true) {
            return Ok(false);
        }
        match self.session(incoming).await? {
            Some(session) => Ok(!self.parts.access.is_shared(session.sheet).await?),
            None => Ok(true),
        }
    }

    /// Shows everybody what a person alone has seen until now.
    pub(super) async fn share(&self, event: &Event, id: &str) -> Result<()> {
        let (store, person) = (&self.parts.store, Asker::alone(&event.incoming));
        let id = id.parse().map_err(|_| told(words::nothing_to_share()))?;
        let (anchor, told_them) = store.take_whisper(id, &person).await?.ok_or_else(|| told(words::nothing_to_share()))?;
        let chat = self.chat(event.incoming.thread.platform)?;
        let name = chat.profile(&anchor, &person.id).await.ok().map(|p| p.name);
        let mut shared: Message = serde_json::from_value(self.parts.links.opened_in(told_them))?;
        shared.blocks.push(words::shared_by(name.as_deref()));
        if let Err(error) = chat::insist(chat.as_ref(), &anchor, &mut None, &shared).await {
            store.give_whisper_back(id).await?;
            tracing::warn!(%error, event = event.id, "an answer could not be shared");
            return Err(told(words::cannot_share_here()));
        }
        Ok(())
    }

    async fn status(&self, event: &Event, thread: &str) -> Result<()> {
        let Some(session) = self.session(&event.incoming).await? else {
            return self.answer(event, words::no_sheet_yet(Here::of(&event.incoming))).await;
        };
        let identity = self.identity(&event.incoming).await?;
        let snapshot = self.sheet(&event.incoming, &identity, session.sheet).await?;
        let waiting = self.parts.store.waiting_proposals(thread).await?;
        let now = self.parts.clock.now_ms();
        let open = waiting.iter().filter(|p| p.expires_at_ms > now).count();
        let last = self.parts.store.last_undoable(&session.id).await?;
        let jobs = self.parts.jobs.list(thread, None, 20).await?;
        let running: Vec<_> = jobs.into_iter().filter(|j| !j.status.ended()).collect();
        let model = (self.role(event).await? == Some(Role::Admin)).then(|| self.parts.model.label());
        let words = words::status(&snapshot, identity != Identity::Service, open, last.is_some(), model.as_deref(), &running);
        self.answer(event, words).await
    }

    /// Shows how the last answer of the thread was found.
    async fn why(&self, event: &Event) -> Result<()> {
        let (incoming, only_me) = (&event.incoming, self.is_only_me(&event.incoming).await?);
        let Some(session) = self.session(incoming).await? else { return self.answer(event, words::why(&[])).await };
        let mut queries = self.parts.store.last_why(&session.id, only_me.then_some(incoming.sender.id.as_str())).await?;
        let scope = self.scope(incoming, &self.identity(incoming).await?).await?;
        queries.retain(|(sheet, _)| scope.allows(*sheet));
        self.answer(event, words::why(&queries.into_iter().map(|(_, query)| query).collect::<Vec<_>>())).await
    }

    /// Shows that the text was heard, before anything that may take time. As long as what is returned
    /// lives, a person whose answer takes long is told so.
    pub(super) async fn sign_of_life(&self, event: &Event) -> Option<AbortOnDropHandle<()>> {
        let chat = self.chat(event.incoming.thread.platform).ok()?;
        let only_me = self.is_only_me(&event.incoming).await.unwrap_or(true);
        if only_me || matches!(event.incoming.what, What::Command { .. }) {
            // The answer is for the person alone and cannot be edited later: it is better to wait a little.
            let (chat, anchor, person) = (chat.clone(), event.incoming.anchor.clone(), event.incoming.sender.id.clone());
            let whisper = async move {
                tokio::time::sleep(QUIET).await;
                if let Err(error) = chat.whisper(&anchor, &person, &Message::text(words::one_moment())).await {
                    tracing::warn!(%error, "a sign of life did not go out");
                }
            };
            return Some(AbortOnDropHandle::new(tokio::spawn(whisper)));
        }
        let reply = LiveReply::new(self.parts.store.clone(), chat.clone(), event);
        if let Err(error) = reply.begin(words::having_a_look()).await {
            tracing::warn!(%error, event = event.id, "the placeholder did not go out");
        }
        None
    }

    /// Stops what runs in the thread; a slash command in a channel stops what the person started in any of its threads.
    async fn stop(&self, event: &Event, thread: &str) -> Result<()> {
        let now = self.parts.clock.now_ms();
        let inside = format!("{thread}|");
        let channel_wide = matches!(event.incoming.what, What::Command { .. });
        let asker = &event.incoming.sender.id;
        let mut threads: Vec<String> = vec![thread.to_owned()];
        if channel_wide {
            threads.extend(self.running().iter().filter(|(k, r)| k.starts_with(&inside) && r.asker == *asker).map(|(k, _)| k.clone()));
        }
        // The answer that is stopped says so itself.
        let (mut running, mut dropped, mut says_so) = (false, 0, false);
        for thread in &threads {
            running |= self.parts.store.is_served(thread, now).await?;
            dropped += self.parts.store.drop_waiting(thread, event.id, now).await?;
            self.parts.store.request_stop(thread, now).await?;
            if let Some(turn) = self.running().get(thread) {
                // Before the answer ends: it says how much was dropped with it.
                turn.dropped.store(dropped, Ordering::Relaxed);
                turn.token.cancel();
                says_so = true;
            }
        }
        if says_so && !self.is_private(event).await? {
            return Ok(());
        }
        let jobs = self.parts.jobs.list(thread, None, 10).await?;
        let job = jobs.iter().find(|j| !j.status.ended()).map(|j| crate::jobs::short(&j.id));
        self.answer(event, Message::text(&words::stopped(running, dropped, job.as_deref()))).await
    }

    /// Takes the last change of the thread back; a slash command in a channel the person's last one there.
    async fn undo_last(&self, event: &mut Event, thread: &str) -> Result<()> {
        let last = match self.parts.store.session_of(thread).await? {
            _ if matches!(event.incoming.what, What::Command { .. }) => {
                self.parts.store.last_undoable_of(&event.incoming.sender.id, thread).await?
            }
            Some(session) => self.parts.store.last_undoable(&session.id).await?,
            None => None,
        };
        let last = last.ok_or_else(|| told(words::nothing_to_undo()))?;
        self.undo(event, &last.id, None).await
    }
}

/// The id that a change gets when this event causes it: the same after a crash.
pub(super) fn uuid_of(event: &Event) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, event.incoming.dedupe_key().as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_and_commands_are_the_same() {
        assert_eq!(parse("Help!"), Some(Command::Help));
        assert_eq!((parse("/help"), parse("/ or no /")), (Some(Command::Help), None));
        assert_eq!(parse("undo that"), Some(Command::Undo));
        assert_eq!(parse("use Budget 2026"), Some(Command::Use("Budget 2026".into())));
        assert_eq!(
            parse("switch to https://app.smartsheet.com/sheets/abc"),
            Some(Command::Use("https://app.smartsheet.com/sheets/abc".into()))
        );
        assert_eq!(parse("use\u{a0}Plan"), Some(Command::Use("Plan".into())));
        assert_eq!((parse("use\nPlan"), parse("*use Plan*")), (parse("use Plan"), parse("use Plan")));
        assert_eq!(parse("status a1b2c3"), Some(Command::JobStatus("a1b2c3".into())));
        assert_eq!(
            (parse("Open the sheet."), parse("edit"), parse("unshare")),
            (Some(Command::View), Some(Command::Edit), Some(Command::Unshare))
        );
        assert_eq!(parse("edit the budget"), None);
        assert_eq!(parse("1,240 rows"), Some(Command::Count(1240)));
        assert_eq!(parse("which tasks are overdue?"), None);
    }
}
