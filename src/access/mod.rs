//! Who may use the bot, and what each of them may do: asked of every event before anything else.

mod allowance;
mod channels;
mod invitations;
mod rules;

pub use allowance::Allowance;
pub use channels::{AllowedKind, AllowedSheets, Approval, Approver, ChannelRules, SheetScope, channel_of};
pub use invitations::{code_in, hash_of, new_code};
pub use rules::{Allowed, Rules, Verdict};

use crate::smartsheet::{Client, Identity};
use crate::store::{AuditAction, AuditEvent, Granted, Store};
use chat::{Addressed, Anchor, Chats, Incoming, Message, Platform, Profile, Sender, ThreadKey, What};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long it is taken for granted what was decided of somebody.
const DECIDED: Duration = Duration::from_secs(5);
/// How long it is remembered what a platform knows of somebody.
const KNOWN: Duration = Duration::from_secs(600);
/// How long it is taken for granted which sheets stand in a workspace.
const INSIDE: Duration = Duration::from_secs(60);
/// How often somebody is told that they are not let in.
const TOLD: Duration = Duration::from_secs(3_600);
/// Codes that somebody may try within an hour.
const TRIES: u32 = 5;
/// People that are remembered.
const MOST: u64 = 10_000;

/// What somebody may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing: they were removed.
    Nobody,
    /// Ask.
    Reader,
    /// Change sheets, and run jobs.
    Editor,
    /// Decide for others, and see all jobs.
    Admin,
}

impl Role {
    /// The word in the database and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Nobody, Self::Reader, Self::Editor, Self::Admin];
        all.into_iter().find(|role| role.as_str() == word).ok_or_else(|| format!("'{word}' is not one of reader, editor, admin"))
    }
}

/// A person as access is kept for them. In Discord and Telegram ids are the same everywhere; elsewhere they are those of an install.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The platform.
    pub platform: Platform,
    /// The workspace or tenant; empty where ids are the same everywhere.
    pub install: String,
    /// The platform's id.
    pub id: String,
}

impl Person {
    /// Whoever caused an event.
    pub fn of(event: &Incoming) -> Self {
        Self::within(&event.thread, &event.sender.id)
    }

    /// Somebody in a thread.
    pub fn within(thread: &ThreadKey, id: &str) -> Self {
        let everywhere = matches!(thread.platform, Platform::Discord | Platform::Telegram);
        let install = if everywhere { String::new() } else { thread.install.clone() };
        Self { platform: thread.platform, install, id: id.to_owned() }
    }
}

/// As the command line names them: `telegram:501`, `slack:T1:U5`.
impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let install = if self.install.is_empty() { String::new() } else { format!("{}:", self.install) };
        write!(f, "{}:{install}{}", self.platform, self.id)
    }
}

/// As [`Display`](fmt::Display) writes them.
impl FromStr for Person {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (platform, rest) = text.trim().split_once(':').ok_or(())?;
        let platform: Platform = serde_json::from_value(platform.into()).map_err(drop)?;
        let (install, id) = match platform {
            Platform::Discord | Platform::Telegram => ("", rest),
            Platform::Slack | Platform::Teams => rest.split_once(':').ok_or(())?,
            Platform::Web | Platform::Console => return Err(()),
        };
        if id.is_empty() { Err(()) } else { Ok(Self { platform, install: install.to_owned(), id: id.to_owned() }) }
    }
}

/// Decides who is let in. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    rules: Arc<Rules>,
    store: Store,
    chats: Arc<OnceLock<Chats>>,
    smartsheet: Arc<OnceLock<Client>>,
    /// What was decided of people by name.
    granted: Cache<Person, Option<Role>>,
    known: Cache<Person, Profile>,
    belongs: Cache<(Person, String), bool>,
    told: Cache<Person, ()>,
    tries: Cache<Person, u32>,
    /// What was decided of channels.
    channels: Cache<String, Arc<ChannelRules>>,
    /// The sheets of workspaces that are allowed somewhere.
    workspaces: Cache<(Identity, i64), Arc<HashSet<i64>>>,
    /// Whether the installation's account reads a sheet.
    shared: Cache<i64, bool>,
}

impl Access {
    /// Access by these rules, and by what is kept of people in this store.
    pub fn new(rules: Rules, store: Store) -> Self {
        let kept = |time: Duration| Cache::builder().max_capacity(MOST).time_to_live(time);
        Self {
            rules: Arc::new(rules),
            store,
            chats: Arc::default(),
            smartsheet: Arc::default(),
            granted: Cache::builder().max_capacity(MOST).time_to_live(DECIDED).build(),
            known: Cache::builder().max_capacity(MOST).time_to_live(KNOWN).build(),
            belongs: Cache::builder().max_capacity(MOST).time_to_live(KNOWN).build(),
            told: kept(TOLD).build(),
            tries: Cache::builder().max_capacity(MOST).time_to_live(TOLD).build(),
            channels: Cache::builder().max_capacity(MOST).time_to_live(DECIDED).build(),
            workspaces: Cache::builder().max_capacity(MOST).time_to_live(INSIDE).build(),
            shared: Cache::builder().max_capacity(MOST).time_to_live(INSIDE).build(),
        }
    }

    /// Tells where the platforms and Smartsheet can be asked, once they are connected.
    pub fn connect(&self, chats: Chats, smartsheet: Client) {
        let _ = self.chats.set(chats);
        let _ = self.smartsheet.set(smartsheet);
    }

    /// What is known at the door, without asking a platform.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn at_the_door(&self, event: &Incoming) -> Result<Verdict, sqlx::Error> {
        // What happens to the bot itself is nobody's doing.
        if matches!(event.what, What::Left | What::Moved { .. }) {
            return Ok(Verdict::Yes);
        }
        Ok(match self.decided(&event.thread, &Person::of(event)).await? {
            Some(Role::Nobody) => Verdict::No,
            Some(_) => Verdict::Yes,
            None => self.rules.verdict(&event.thread, &event.sender),
        })
    }

    /// What whoever caused an event may do; `None` when they are not let in.
    ///
    /// # Errors
    /// When the database fails, or the platform does not say who they are.
    pub async fn role(&self, event: &Incoming) -> anyhow::Result<Option<Role>> {
        self.role_in(&event.thread, &event.anchor, &event.sender).await
    }

    /// What somebody may do in a thread.
    ///
    /// # Errors
    /// See [`role`](Self::role).
    pub async fn role_in(&self, thread: &ThreadKey, anchor: &Anchor, sender: &Sender) -> anyhow::Result<Option<Role>> {
        let person = Person::within(thread, &sender.id);
        if let Some(role) = self.decided(thread, &person).await? {
            return Ok(Some(role).filter(|role| *role != Role::Nobody));
        }
        let let_in = match self.rules.verdict(thread, sender) {
            Verdict::Yes => true,
            Verdict::No => false,
            Verdict::Ask if thread.platform == Platform::Discord => self.is_in_a_server(&person).await?,
            Verdict::Ask => {
                let profile = self.profile(anchor, &person).await?;
                self.rules.of(thread, &person.id, profile.standing, profile.home.as_deref()) == Verdict::Yes
            }
        };
        Ok(let_in.then_some(Role::Editor))
    }

    /// What somebody may do in the thread of a session; `None` also when there is no such thread any more.
    ///
    /// # Errors
    /// See [`role`](Self::role).
    pub async fn role_in_session(&self, session: &str, person: &str) -> anyhow::Result<Option<Role>> {
        let Some(thread) = self.store.thread_of_session(session).await? else { return Ok(None) };
        let sender = Sender { id: person.to_owned(), ..Sender::default() };
        self.role_in(&thread.key, &thread.anchor, &sender).await
    }

    /// What was decided of somebody, or else of the conversation that they are in.
    async fn decided(&self, thread: &ThreadKey, person: &Person) -> Result<Option<Role>, sqlx::Error> {
        match self.granted(person).await? {
            None => self.granted(&Person::within(thread, &thread.conversation)).await,
            decided => Ok(decided),
        }
    }

    /// A conversation goes on under another key: whoever was let in there is let in further on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn moved(&self, from: &ThreadKey, to: &ThreadKey, now_ms: i64) -> Result<(), sqlx::Error> {
        self.store.move_channel_rules(&channel_of(from), &channel_of(to)).await?;
        self.rules_changed(to).await;
        let (old, new) = (Person::within(from, &from.conversation), Person::within(to, &to.conversation));
        let named = self.rules.by_platform.get(&from.platform).is_some_and(|allowed| allowed.ids.contains(&from.conversation));
        let Some(role) = self.granted(&old).await?.or(named.then_some(Role::Editor)) else { return Ok(()) };
        self.store.grant_access(&Granted { person: new.clone(), name: None, role, at_ms: now_ms }).await?;
        self.granted.invalidate(&new).await;
        Ok(())
    }

    async fn granted(&self, person: &Person) -> Result<Option<Role>, sqlx::Error> {
        let ask = self.store.access_of(person);
        self.granted.try_get_with(person.clone(), ask).await.map_err(|e| Arc::try_unwrap(e).unwrap_or(sqlx::Error::WorkerCrashed))
    }

    async fn profile(&self, anchor: &Anchor, person: &Person) -> anyhow::Result<Profile> {
        let chats = self.chats.get().ok_or_else(|| anyhow::anyhow!("the platforms are not connected yet"))?;
        let chat = chats.get(&person.platform).ok_or_else(|| anyhow::anyhow!("{} is not connected", person.platform))?;
        let ask = chat.profile(anchor, &person.id);
        self.known
            .try_get_with(person.clone(), ask)
            .await
            .map_err(|e| anyhow::anyhow!("{} does not tell who somebody is: {e}", person.platform))
    }

    /// Whether somebody who writes directly is in one of the servers that are named.
    async fn is_in_a_server(&self, person: &Person) -> anyhow::Result<bool> {
        let chat =
            self.chats.get().and_then(|chats| chats.get(&person.platform)).ok_or_else(|| anyhow::anyhow!("Discord is not connected"))?;
        for server in self.rules.by_platform.get(&person.platform).into_iter().flat_map(|a| &a.ids) {
            let ask = chat.belongs(&person.id, server);
            let key = (person.clone(), server.clone());
            if self.belongs.try_get_with(key, ask).await.map_err(|e| anyhow::anyhow!("Discord does not tell who is in a server: {e}"))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether whoever is not let in is to be told so now: when they spoke to the bot, and not within an hour again.
    pub async fn tells(&self, event: &Incoming) -> bool {
        let speaks = matches!(event.what, What::Text { .. } | What::Command { .. } | What::Press { .. } | What::Filled { .. });
        let person = Person::of(event);
        if !speaks || event.addressed == Addressed::FollowUp || self.told.contains_key(&person) {
            return false;
        }
        self.told.insert(person.clone(), ()).await;
        let hour_ms = i64::try_from(TOLD.as_millis()).unwrap_or(i64::MAX);
        self.store.may_turn_away(&person.to_string(), event.received_at_ms, hour_ms).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known whether somebody was turned away before");
            true
        })
    }

    /// Tells somebody alone why they are not served.
    pub async fn turn_away(&self, event: &Incoming) {
        let chat = self.chats.get().and_then(|chats| chats.get(&event.thread.platform));
        if !self.tells(event).await {
            if let (Some(chat), What::Command { .. }) = (chat, &event.what) {
                chat.leave_unanswered(&event.anchor).await;
            }
            return;
        }
        let person = Person::of(event);
        tracing::info!(%person, "somebody who is not let in was turned away");
        let refused = AuditEvent {
            at_ms: event.received_at_ms,
            what: AuditAction::TurnedAway,
            who: person.id.clone(),
            place: format!("{}|{}", person.platform, person.install),
            subject: format!("person:{}", person.id),
            detail: serde_json::json!({}),
        };
        if let Err(error) = self.store.audit(&refused).await {
            tracing::warn!(%error, "the refusal is missing in the audit log");
        }
        let Some(chat) = chat else { return };
        let words = Message::text(&refusal(&event.sender, event.thread.platform));
        if let Err(error) = chat::insist_alone(chat.as_ref(), &event.anchor, &event.sender.id, &words).await {
            tracing::info!(%error, "somebody could not be told that they are not let in");
        }
    }

    /// Lets somebody in by the code of an invitation, once; what they may do from then on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem(&self, event: &Incoming, code: &str, now_ms: i64) -> Result<Option<Role>, sqlx::Error> {
        let person = Person::of(event);
        let tried = self.tries.get(&person).await.unwrap_or_default();
        if tried >= TRIES {
            return Ok(None);
        }
        self.tries.insert(person.clone(), tried + 1).await;
        let role = self.store.redeem(&hash_of(code), &person, event.sender.name.as_deref(), now_ms).await?;
        self.granted.invalidate(&person).await;
        Ok(role)
    }
}

/// Why somebody is not served, with what to hand to whoever runs the bot.
pub fn refusal(sender: &Sender, platform: Platform) -> String {
    let setting = Rules::setting(platform);
    format!(
        "I do not know you, so I cannot help you here. Whoever runs me can let you in: ask them for an invitation code and send it to me, or have them add `{}` to {setting}.",
        sender.id
    )
}
