//! Which sheet a thread is about: chosen by name, by button, or taken over from the channel.

use super::beside::Read;
use super::live_reply::LiveReply;
use super::words::Here;
use super::{Bot, speech, words};
use crate::access::{Role, SheetScope};
use crate::accounts::Accounts;
use crate::error::{Result, told};
use crate::links::Person;
use crate::sheet::{SheetId, Snapshot, nearest, smartsheet_trouble};
use crate::smartsheet::{Identity, SheetEntry};
use crate::store::{Asker, Event, Session, asked_again};
use crate::tools::{Match, among, resolve};
use chat::{Addressed, ChatError, Inbox, Incoming, MentionKind, Message, MessageRef, Platform, Profile, ThreadKey};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a name is waited for that something else goes on without.
const AUTHOR: Duration = Duration::from_secs(1);

/// Letters of a name of a sheet, or of a link to one, at most.
const LONGEST_NAME: usize = 200;

/// What somebody has asked.
pub(super) struct Heard {
    /// Their words, with names for the people whom they mention.
    pub question: String,
    /// Addresses and names of those people, and of whoever asks.
    pub people: Vec<(String, String)>,
    /// Who asks.
    pub asker: Profile,
    /// What stands beside their words.
    pub beside: Read,
    /// Whether they said it in a thread without speaking to the bot.
    pub unasked: bool,
}

/// What came of choosing a sheet by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Used {
    Answered,
    /// There is none of this name; whether there is one whose name is near.
    NoSheet {
        near: bool,
    },
}

/// A name without an article before it and “sheet” behind it: “the project plan sheet”.
pub(super) fn bare_name(name: &str) -> Option<&str> {
    let lower = name.to_ascii_lowercase();
    let article = ["the ", "my ", "our "].into_iter().find(|a| lower.starts_with(a)).map_or(0, str::len);
    let end = if lower.ends_with(" sheet") { name.len() - " sheet".len() } else { name.len() };
    name.get(article..end).map(str::trim).filter(|bare| !bare.is_empty() && *bare != name)
}

/// Whether somebody has named a sheet, by its whole name, its id or its link.
pub(super) fn is_named(sheet: &SheetEntry, wanted: &str) -> bool {
    let wanted = wanted.trim().trim_matches(['<', '>', '"', '“', '”', '*', '`']).trim();
    let same = |name: &str| name.to_lowercase() == sheet.name.to_lowercase();
    same(wanted) || bare_name(wanted).is_some_and(same) || wanted == sheet.id.to_string() || wanted.contains("/sheets/")
}

impl Bot {
    /// The sheets that may be used where an event happened.
    pub(super) async fn scope(&self, incoming: &Incoming, identity: &Identity) -> Result<SheetScope> {
        self.parts.access.scope(&incoming.thread, identity).await
    }

    /// A sheet as it is now, if it may be used where an event happened.
    pub(super) async fn sheet(&self, incoming: &Incoming, identity: &Identity, sheet: SheetId) -> Result<Arc<Snapshot>> {
        self.scope(incoming, identity).await?.check(sheet)?;
        self.parts.sheets.snapshot(identity, sheet).await
    }

    /// The sheets that may be used where an event happened, last changed first.
    pub(super) async fn all_sheets(&self, incoming: &Incoming, identity: &Identity) -> Result<Vec<SheetEntry>> {
        let scope = self.scope(incoming, identity).await?;
        let mut sheets = self.parts.sheets.client().sheets(identity).await.map_err(smartsheet_trouble)?;
        sheets.retain(|sheet| scope.allows(SheetId(sheet.id)));
        sheets.sort_by(|a, b| b.modified_at.cmp(&a.modified_at));
        Ok(sheets)
    }

    pub(super) async fn use_sheet(&self, event: &Event, name: &str) -> Result<Used> {
        let identity = self.identity(&event.incoming).await?;
        let scope = self.scope(&event.incoming, &identity).await?;
        let mut found = resolve(&self.parts.sheets, &identity, &scope, name).await?;
        if let (Match::None(_), Some(bare)) = (&found, bare_name(name)) {
            found = resolve(&self.parts.sheets, &identity, &scope, bare).await?;
        }
        match found {
            Match::One(sheet) => {
                let snapshot = self.bind(&event.incoming, SheetId(sheet.id), &sheet.name).await?;
                if let Some(answer) = self.tell_channel(event, &snapshot).await? {
                    self.answer(event, answer).await?;
                }
                self.ask_again(&event.incoming).await?;
            }
            Match::Several(sheets) => self.answer(event, words::which_sheet(name, &sheets)).await?,
            Match::None(sheets) => {
                // One that may not be used here is meant as a sheet, too.
                let elsewhere = resolve(&self.parts.sheets, &identity, &SheetScope::Everything, bare_name(name).unwrap_or(name)).await?;
                let names = sheets.into_iter().map(|sheet| sheet.name);
                let near = !matches!(elsewhere, Match::None(_)) || !nearest(bare_name(name).unwrap_or(name), names).is_empty();
                return Ok(Used::NoSheet { near });
            }
        }
        Ok(Used::Answered)
    }

    /// Says that there is no sheet of this name, and which there are.
    pub(super) async fn no_such_sheet(&self, event: &Event, name: &str) -> Result<()> {
        let sheets = self.all_sheets(&event.incoming, &self.identity(&event.incoming).await?).await?;
        self.answer(event, words::no_such_sheet(name, &sheets, Here::of(&event.incoming))).await
    }

    /// Fills the page that a platform gives the bot, for whoever opened it: their sheets, their running jobs, help.
    pub(super) async fn home(&self, event: &Event) -> Result<()> {
        let person = Asker::from(&event.incoming);
        let recent = self.sheets_of(&event.incoming).await?;
        let jobs = self.parts.jobs.list("", Some(&person), 20).await?;
        let running: Vec<_> = jobs.into_iter().filter(|j| !j.status.ended()).collect();
        let page = words::home(&recent, &running, self.connected(&event.incoming).await?);
        let chat = self.chat(event.incoming.thread.platform)?;
        chat::insist(chat.as_ref(), &event.incoming.anchor, &mut None, &page).await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// Greets a person who has opened a conversation and said nothing yet.
    pub(super) async fn greet(&self, event: &Event) -> Result<()> {
        let sheets = self.sheets_of(&event.incoming).await?;
        let chat = self.chat(event.incoming.thread.platform)?;
        let greeting = words::greeting(&sheets);
        chat::insist(chat.as_ref(), &event.incoming.anchor, &mut None, &greeting).await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// Introduces the bot to everybody in a channel that it was added to.
    pub(super) async fn introduce(&self, event: &Event) -> Result<()> {
        let chat = self.chat(event.incoming.thread.platform)?;
        let by = self.profile(&event.incoming).await.map(|p| p.name).or_else(|| event.incoming.sender.name.clone());
        let session = self.session(&event.incoming).await?;
        let words = words::introduction(by.as_deref(), session.as_ref().map(|s| s.sheet_name.as_str()));
        chat::insist(chat.as_ref(), &event.incoming.anchor, &mut None, &words).await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// The sheets that a person last talked about; all that they see for who never did; none for who has to connect an account first.
    async fn sheets_of(&self, incoming: &Incoming) -> Result<Vec<(SheetId, String)>> {
        let recent = self.parts.store.recent_sheets(&Asker::from(incoming), words::OFFERED as i64).await?;
        match self.identity(incoming).await {
            Ok(identity) if !recent.is_empty() => {
                let scope = self.scope(incoming, &identity).await?;
                Ok(recent.into_iter().filter(|(sheet, _)| scope.allows(*sheet)).collect())
            }
            Err(_) if !recent.is_empty() => Ok(recent),
            Ok(identity) => Ok(self.all_sheets(incoming, &identity).await?.into_iter().map(|s| (SheetId(s.id), s.name)).collect()),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Shows which sheet a link leads to; nothing where it is not one that everybody can ask about here. All of the channel
    /// sees it, so it is looked at with the account that all share, never with that of whoever shared the link.
    pub(super) async fn show_link(&self, event: &Event, url: &Url) -> Result<()> {
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        if self.parts.accounts.as_ref().is_some_and(Accounts::required) {
            return Ok(());
        }
        let identity = Identity::Service;
        let Some(sheet) = self.all_sheets(&event.incoming, &identity).await?.into_iter().find(|s| s.permalink == bare.as_str()) else {
            return Ok(());
        };
        let snapshot = self.sheet(&event.incoming, &identity, SheetId(sheet.id)).await?;
        let chat = self.chat(event.incoming.thread.platform)?;
        chat::insist(chat.as_ref(), &event.incoming.anchor, &mut None, &words::linked(&snapshot)).await.map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// A sheet was chosen by its button.
    pub(super) async fn sheet_pressed(&self, event: &Event, id: &str, message: Option<MessageRef>) -> Result<()> {
        let sheet = SheetId::try_from(id.to_owned()).map_err(|e| anyhow::anyhow!(e))?;
        let snapshot = self.sheet(&event.incoming, &self.identity(&event.incoming).await?, sheet).await?;
        let snapshot = self.bind(&event.incoming, sheet, &snapshot.name).await?;
        if let Some(answer) = self.tell_channel(event, &snapshot).await? {
            self.replace(event, message, &answer).await?;
        }
        self.ask_again(&event.incoming).await
    }

    /// Posts a link with which whoever has it sees the sheet.
    pub(super) async fn view(&self, event: &Event) -> Result<()> {
        let Some(session) = self.session_or_ask(event).await? else { return Ok(()) };
        let identity = self.identity(&event.incoming).await?;
        let snapshot = self.sheet(&event.incoming, &identity, session.sheet).await?;
        let url = self.parts.links.make(session.sheet, &session.id, &identity, None).ok_or_else(|| told(words::no_viewer()))?;
        self.answer(event, words::link_to_sheet(&snapshot, &url, self.parts.links.lifetime())).await
    }

    /// Hands a person a link of their own, which nobody else sees.
    pub(super) async fn edit(&self, event: &Event) -> Result<()> {
        if self.role(event).await? < Some(Role::Editor) {
            return Err(told(words::may_only_ask()));
        }
        let Some(session) = self.session_or_ask(event).await? else { return Ok(()) };
        let sender = &event.incoming.sender;
        let person = Person { id: sender.id.clone(), name: self.name_of(&event.incoming).await? };
        let identity = self.identity(&event.incoming).await?;
        self.scope(&event.incoming, &identity).await?.check(session.sheet)?;
        let url = self.parts.links.make(session.sheet, &session.id, &identity, Some(person)).ok_or_else(|| told(words::no_viewer()))?;
        let words = words::own_link(&session.sheet_name, &url, self.parts.links.lifetime());
        self.tell_alone(event, &words).await.map_err(anyhow::Error::from)?;
        match self.parts.store.reply_of(event.id).await? {
            // It had waited, and its sign of life stands there for everybody.
            Some(_) => self.answer(event, words::link_whispered()).await,
            None => Ok(()),
        }
    }

    /// What somebody is called, as far as the platform tells.
    pub(super) async fn name_of(&self, incoming: &Incoming) -> Result<Option<String>> {
        if incoming.sender.name.is_some() {
            return Ok(incoming.sender.name.clone());
        }
        let chat = self.chat(incoming.thread.platform)?;
        Ok(chat.profile(&incoming.anchor, &incoming.sender.id).await.ok().map(|p| p.name))
    }

    /// The same for words beside which the name stands: nothing waits long for it.
    pub(super) async fn author(&self, incoming: &Incoming) -> Option<String> {
        match &incoming.sender.name {
            Some(name) => Some(name.clone()),
            None => self.profile(incoming).await.map(|p| p.name),
        }
    }

    /// Who caused an event, as their platform knows them; asked for once in a while, and not waited for long.
    pub(super) async fn profile(&self, incoming: &Incoming) -> Option<Profile> {
        self.profile_of(incoming, &incoming.sender.id).await
    }

    /// The same of somebody else who is mentioned there.
    pub(super) async fn profile_of(&self, incoming: &Incoming, id: &str) -> Option<Profile> {
        let look = async {
            let chat = self.chat(incoming.thread.platform).ok()?;
            tokio::time::timeout(AUTHOR, chat.profile(&incoming.anchor, id)).await.ok()?.ok()
        };
        self.profiles.get_with(format!("{}|{id}", incoming.thread.install_key()), look).await
    }

    /// The address of the Smartsheet account that whoever asks has connected.
    async fn connected_address(&self, incoming: &Incoming) -> Option<String> {
        self.parts.accounts.as_ref()?.email(&super::accounts::key_of(incoming)).await
    }

    /// What a channel is called that is mentioned there; not waited for long.
    async fn name_of_channel(&self, incoming: &Incoming, id: &str) -> Option<String> {
        let look = async {
            let chat = self.chat(incoming.thread.platform).ok()?;
            tokio::time::timeout(AUTHOR, chat.channel_name(&incoming.anchor, id)).await.ok()?.ok()
        };
        self.channels.get_with(format!("{}|{id}", incoming.thread.install_key()), look).await
    }

    /// What somebody has asked, with the names of the people whom they mention, who all of these are, and what stands beside.
    pub(super) async fn heard(&self, incoming: &Incoming, text: &str) -> Result<Heard> {
        let chat = self.chat(incoming.thread.platform)?;
        let sender = &incoming.sender;
        let profile = self.profile(incoming).await.unwrap_or_default();
        let email = match profile.email {
            None => self.connected_address(incoming).await,
            known => known,
        };
        // Whoever sits at the terminal of the program works with its account.
        let account = match incoming.thread.platform {
            Platform::Console => self.parts.sheets.client().me(&Identity::Service).await.ok(),
            _ => None,
        };
        let account = account.map(|me| (format!("{} {}", me.first_name, me.last_name).trim().to_owned(), me.email));
        let (named, address) = account.filter(|(name, _)| !name.is_empty()).unzip();
        let asker = Profile {
            name: named.or_else(|| sender.name.clone()).unwrap_or(profile.name),
            email: address.or(email),
            time_zone: sender.time_zone.clone().or(profile.time_zone),
            locale: sender.locale.clone().or(profile.locale),
            ..profile
        };
        let mut heard = Heard {
            question: text.to_owned(),
            people: Vec::new(),
            asker,
            beside: self.files.read(chat.as_ref(), incoming).await,
            unasked: incoming.addressed == Addressed::FollowUp,
        };
        for mentioned in &incoming.mentions {
            let name = match mentioned.kind {
                MentionKind::Channel => self.name_of_channel(incoming, &mentioned.id).await.map(|name| format!("#{name}")),
                MentionKind::Person => self.profile_of(incoming, &mentioned.id).await.map(|profile| {
                    heard.people.extend(profile.email.map(|email| (email, profile.name.clone())));
                    format!("@{}", profile.name)
                }),
            };
            if let Some(name) = name.filter(|name| *name != mentioned.written) {
                heard.question = heard.question.replacen(&mentioned.written, &name, 1);
            }
        }
        heard.people.extend(heard.asker.email.clone().map(|email| (email, heard.asker.name.clone())));
        Ok(heard)
    }

    /// Ends the links that were made in this thread.
    pub(super) async fn unshare(&self, event: &Event) -> Result<()> {
        if let Some(session) = self.session(&event.incoming).await? {
            self.parts.links.revoke(&session.id).await?;
        }
        self.answer(event, words::links_ended()).await
    }

    async fn bind(&self, incoming: &Incoming, sheet: SheetId, name: &str) -> Result<Arc<Snapshot>> {
        // A sheet that cannot be read is not chosen.
        let snapshot = self.sheet(incoming, &self.identity(incoming).await?, sheet).await?;
        self.parts.store.bind_sheet(&incoming.thread, &incoming.anchor, sheet, name, self.parts.clock.now()).await?;
        Ok(snapshot)
    }

    /// Tells everybody in a channel which sheet its new threads start with, where a command has chosen it for the channel. What is left
    /// to tell whoever chose it: when it was chosen for a thread or in direct messages, or the bot may not write there.
    async fn tell_channel(&self, event: &Event, snapshot: &Snapshot) -> Result<Option<Message>> {
        let incoming = &event.incoming;
        if incoming.thread.root.is_some() || incoming.addressed == Addressed::Dm || !self.is_command(event) {
            return Ok(Some(words::now_using(snapshot, Here::of(incoming))));
        }
        let by = self.profile(incoming).await.map(|p| p.name).or_else(|| incoming.sender.name.clone());
        let chat = self.chat(incoming.thread.platform)?.clone();
        let message = if chat.begins_threads(&incoming.anchor) {
            let channel = self.name_of_channel(incoming, &incoming.thread.conversation).await;
            words::new_threads_start_with(snapshot, channel.as_deref(), by.as_deref())
        } else {
            words::chat_now_about(snapshot, by.as_deref())
        };
        let reply = LiveReply::new(self.parts.store.clone(), chat, event);
        match reply.finish(&message).await {
            Ok(()) => Ok(None),
            Err(error @ (ChatError::Forbidden(_) | ChatError::Gone(_))) => {
                tracing::info!(%error, event = event.id, "a channel cannot be told which sheet it starts with; whoever chose it is");
                Ok(Some(words::nobody_else_was_told(message)))
            }
            Err(error) => Err(anyhow::Error::from(error).into()),
        }
    }

    /// Questions that waited for the sheet of a thread, or of the threads of a channel, go through the inbox once more, in their order; but
    /// for the one that is being served.
    pub(super) async fn ask_again(&self, serving: &Incoming) -> Result<()> {
        for question in self.waiting_for_sheet(serving).await? {
            if question.dedupe_id == serving.dedupe_id {
                self.parts.store.drop_question(&question).await?;
            } else {
                self.ask_once_more(question).await?;
            }
        }
        Ok(())
    }

    /// What waits for the sheet of the thread of an event, or of the threads of its channel.
    async fn waiting_for_sheet(&self, incoming: &Incoming) -> Result<Vec<Incoming>> {
        let thread = incoming.thread.storage_key();
        let mut waiting = self.parts.store.waiting_questions(&thread).await?;
        if incoming.thread.root.is_none() {
            waiting.extend(self.parts.store.questions_inside(&thread).await?);
        }
        Ok(waiting)
    }

    async fn ask_once_more(&self, question: Incoming) -> Result<()> {
        // Whoever was asked back has spoken to the bot.
        let addressed = if question.addressed == Addressed::Dm { Addressed::Dm } else { Addressed::Mention };
        self.accept_again(Incoming { dedupe_id: asked_again(&question.dedupe_id), addressed, ..question.clone() }).await?;
        Ok(self.parts.store.drop_question(&question).await?)
    }

    /// Takes in an event that another one has caused.
    pub(super) async fn accept_again(&self, incoming: Incoming) -> Result<()> {
        let door = super::Door::new(self.parts.store.clone(), self.parts.access.clone(), self.wake.clone(), true);
        door.accept(incoming).await.map(drop).map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// The session of a thread. A thread without one takes over the sheet of its channel.
    pub(super) async fn session(&self, incoming: &Incoming) -> Result<Option<Session>> {
        if let Some(session) = self.parts.store.session_of(&incoming.thread.storage_key()).await? {
            return Ok(Some(session));
        }
        let channel = ThreadKey { root: None, ..incoming.thread.clone() };
        match self.parts.store.session_of(&channel.storage_key()).await? {
            Some(session) => Ok(Some(self.take_over(incoming, session.sheet, &session.sheet_name).await?)),
            None => Ok(None),
        }
    }

    /// Uses a sheet that nobody has chosen for this thread.
    async fn take_over(&self, incoming: &Incoming, sheet: SheetId, name: &str) -> Result<Session> {
        let bound = self.parts.store.bind_sheet(&incoming.thread, &incoming.anchor, sheet, name, self.parts.clock.now()).await?;
        self.ask_again(incoming).await?;
        Ok(bound)
    }

    /// The session of a thread, if need be with the only sheet there is; otherwise the person is
    /// asked, and the question is kept.
    pub(super) async fn session_or_ask(&self, event: &Event) -> Result<Option<Session>> {
        let incoming = &event.incoming;
        if let Some(session) = self.session(incoming).await? {
            return Ok(Some(session));
        }
        // What is only one sheet for one person may be many for those who were asked.
        let others_wait = self.waiting_for_sheet(incoming).await?.iter().any(|question| question.sender.id != incoming.sender.id);
        let unasked = incoming.addressed == Addressed::FollowUp;
        if unasked && others_wait {
            return Ok(None);
        }
        let sheets = self.all_sheets(incoming, &self.identity(incoming).await?).await?;
        if let [only] = sheets.as_slice()
            && !others_wait
        {
            return Ok(Some(self.take_over(incoming, SheetId(only.id), &only.name).await?));
        }
        if unasked {
            return Ok(None);
        }
        if sheets.is_empty() {
            self.answer(event, words::ask_for_sheet(&sheets)).await?;
            return Ok(None);
        }
        // Once in a thread; what is asked after that waits beside it.
        let words = match self.parts.store.keep_question(incoming).await? {
            true => Message::text(&words::asked_for_sheet_already(Here::of(incoming))),
            false => words::ask_for_sheet(&sheets),
        };
        // A button is pressed beside a turn: the sheet may have been chosen before this question was kept.
        if self.session(incoming).await?.is_some() {
            self.ask_once_more(incoming.clone()).await?;
            self.answer(event, Message::text(&words::has_a_sheet_now(Here::of(incoming)))).await?;
            return Ok(None);
        }
        self.answer(event, words).await?;
        Ok(None)
    }

    /// Uses the sheet whose whole name, id or link is all that was said; whether it was that.
    pub(super) async fn chosen_by_name(&self, event: &Event, text: &str) -> Result<bool> {
        let incoming = &event.incoming;
        if text.chars().count() > LONGEST_NAME {
            return Ok(false);
        }
        let sheets = self.all_sheets(incoming, &self.identity(incoming).await?).await?;
        let forms = [text, text.trim_end_matches(['.', '!']), speech::wanted(text)];
        if !sheets.iter().any(|sheet| forms.iter().any(|name| is_named(sheet, name))) {
            return Ok(false);
        }
        let all_named = |wanted: &str, name: &str| match among(sheets.clone(), wanted) {
            Ok(Match::One(sheet)) => is_named(&sheet, name),
            // The same name twice: which of them is asked.
            Ok(Match::Several(several)) => several.iter().all(|sheet| is_named(sheet, name)),
            Ok(Match::None(_)) | Err(_) => false,
        };
        let names = |name: &str| all_named(name, name) || bare_name(name).is_some_and(|bare| all_named(bare, name));
        match forms.into_iter().find(|name| names(name)) {
            Some(name) => Ok(self.use_sheet(event, name).await? == Used::Answered),
            None => Ok(false),
        }
    }
}
