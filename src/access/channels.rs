//! What admins decide: the sheets that may be used in a channel, answers for the asker alone, and approvers of a sheet.

use super::{Access, Person};
use crate::error::{Result, told};
use crate::sheet::{SheetId, smartsheet_trouble};
use crate::smartsheet::Identity;
use chat::ThreadKey;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::Arc;

/// What may be used in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowedKind {
    /// A sheet.
    Sheet,
    /// A workspace, with all sheets in it and in its folders.
    Workspace,
}

impl AllowedKind {
    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sheet => "sheet",
            Self::Workspace => "workspace",
        }
    }
}

/// A sheet or a workspace that may be used in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSheets {
    /// What it is.
    pub kind: AllowedKind,
    /// Its id in Smartsheet.
    pub id: i64,
    /// Its name when it was allowed.
    pub name: String,
}

/// What admins have decided of a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    /// Answers are for the asker alone.
    pub only_me: bool,
    /// What may be used there; `None` where nothing was decided.
    pub allowed: Option<Vec<AllowedSheets>>,
}

/// Somebody whose OK a change needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// Who.
    pub person: Person,
    /// Their name when they were chosen.
    pub name: String,
}

/// Whose OK changes of a sheet need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Changes of more rows than this need it, and whatever is deleted.
    pub over_rows: usize,
    /// Any one of these, other than whoever asks.
    pub approvers: Vec<Approver>,
}

impl Approval {
    /// Whether this person is one of the approvers.
    pub fn names(&self, person: &Person) -> bool {
        self.approvers.iter().any(|a| a.person == *person)
    }

    /// The names of the approvers other than this person: “Dana, Lee or Mia”.
    pub fn others_than(&self, asker: &str) -> String {
        let names: Vec<&str> = self.approvers.iter().filter(|a| a.person.id != asker).map(|a| a.name.as_str()).collect();
        match names.as_slice() {
            [] => String::new(),
            [one] => (*one).to_owned(),
            [others @ .., last] => format!("{} or {last}", others.join(", ")),
        }
    }

    /// What to do where no approver sees what is asked for.
    pub fn elsewhere(&self, asker: &str) -> String {
        match self.others_than(asker).as_str() {
            "" => "In this sheet that needs the OK of an approver other than whoever asks, and there is none: an admin can name one with `approvers`.".into(),
            names => format!("In this sheet that needs the OK of {names}. Ask for it in a channel where they are."),
        }
    }

    /// Those who can approve in this thread what this person asks for.
    pub fn others_in<'a>(&'a self, thread: &'a ThreadKey, asker: &'a str) -> impl Iterator<Item = &'a Approver> {
        let here = move |a: &&Approver| a.person == Person::within(thread, &a.person.id) && a.person.id != asker;
        self.approvers.iter().filter(here)
    }
}

/// The sheets that may be used in a channel.
#[derive(Clone, Debug)]
pub enum SheetScope {
    /// All that the account sees.
    Everything,
    /// These alone.
    Only(Arc<HashSet<i64>>),
}

impl SheetScope {
    /// Whether a sheet may be used.
    pub fn allows(&self, sheet: SheetId) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(sheets) => sheets.contains(&sheet.0),
        }
    }

    /// # Errors
    /// A sentence when a sheet may not be used.
    pub fn check(&self, sheet: SheetId) -> Result<()> {
        let detail = "That sheet may not be used in this channel. `rules` shows which may; an admin can `allow` it.";
        if self.allows(sheet) { Ok(()) } else { Err(told(detail)) }
    }
}

/// The channel that a thread is in, as rules are kept for it.
pub fn channel_of(thread: &ThreadKey) -> String {
    ThreadKey { root: None, ..thread.clone() }.storage_key()
}

impl Access {
    /// What was decided of the channel that a thread is in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rules_of(&self, thread: &ThreadKey) -> Result<Arc<ChannelRules>, sqlx::Error> {
        let channel = channel_of(thread);
        let ask = async { self.store.channel_rules(&channel).await.map(Arc::new) };
        self.channels.try_get_with_by_ref(&channel, ask).await.map_err(|e| Arc::try_unwrap(e).unwrap_or(sqlx::Error::WorkerCrashed))
    }

    /// Rules of a channel were changed: here they hold at once, elsewhere within seconds.
    pub async fn rules_changed(&self, thread: &ThreadKey) {
        self.channels.invalidate(&channel_of(thread)).await;
    }

    /// The sheets that may be used in a thread, as this identity sees them.
    ///
    /// # Errors
    /// When the database or Smartsheet does not say: then nothing may be used.
    pub async fn scope(&self, thread: &ThreadKey, identity: &Identity) -> Result<SheetScope> {
        let rules = self.rules_of(thread).await?;
        let Some(allowed) = &rules.allowed else { return Ok(SheetScope::Everything) };
        let mut sheets = HashSet::new();
        for place in allowed {
            match place.kind {
                AllowedKind::Sheet => drop(sheets.insert(place.id)),
                AllowedKind::Workspace => sheets.extend(self.sheets_in(place, identity).await?.iter()),
            }
        }
        Ok(SheetScope::Only(Arc::new(sheets)))
    }

    /// The sheets that may be used in the thread of a session; none when the thread is gone.
    ///
    /// # Errors
    /// See [`scope`](Self::scope).
    pub async fn scope_of_session(&self, session: &str, identity: &Identity) -> Result<SheetScope> {
        match self.store.thread_of_session(session).await? {
            Some(thread) => self.scope(&thread.key, identity).await,
            None => Ok(SheetScope::Only(Arc::default())),
        }
    }

    /// Whether the installation's account may read a sheet, and with it everybody whom the bot answers.
    ///
    /// # Errors
    /// When Smartsheet does not say.
    pub async fn is_shared(&self, sheet: SheetId) -> Result<bool> {
        let client = self.smartsheet.get().ok_or_else(|| anyhow::anyhow!("Smartsheet is not connected yet"))?;
        let ask = async { client.can_read(&Identity::Service, sheet.0).await };
        let known = self.shared.try_get_with(sheet.0, ask).await;
        known.map_err(|error| Arc::try_unwrap(error).map_or_else(|e| anyhow::anyhow!("{e}").into(), smartsheet_trouble))
    }

    async fn sheets_in(&self, place: &AllowedSheets, identity: &Identity) -> Result<Arc<HashSet<i64>>> {
        let key = (identity.clone(), place.id);
        if let Some(known) = self.workspaces.get(&key).await {
            return Ok(known);
        }
        let client = self.smartsheet.get().ok_or_else(|| anyhow::anyhow!("Smartsheet is not connected yet"))?;
        let inside = match client.workspace_sheets(identity, place.id).await {
            // Who does not see a workspace sees none of its sheets by it.
            Err(crate::smartsheet::Error::NotFound(_) | crate::smartsheet::Error::Forbidden { .. }) => Vec::new(),
            other => other.map_err(smartsheet_trouble)?,
        };
        let sheets: Arc<HashSet<i64>> = Arc::new(inside.into_iter().map(|sheet| sheet.id).collect());
        self.workspaces.insert(key, sheets.clone()).await;
        Ok(sheets)
    }
}
