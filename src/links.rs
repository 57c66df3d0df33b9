//! Links to the sheet viewer: signed, for one sheet, one session and one right; they end by themselves or when the thread says so.

use crate::clock::Clock;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use crate::store::Store;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

const PURPOSE: &str = "link";
/// Rows that a link names at most; URLs have limits, too.
const MOST_ROWS: usize = 50;

/// What a link opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The sheet.
    #[serde(rename = "t")]
    pub sheet: SheetId,
    /// The session that it was made in.
    #[serde(rename = "s")]
    pub session: String,
    /// Whose link it is: this person may edit, decide and talk. A link of nobody's shows the sheet to whoever has it.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// On whose behalf the sheet is read and written; unset: of the installation.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    on_behalf: Option<String>,
    /// When it was made.
    #[serde(rename = "m")]
    pub made_ms: i64,
    /// When it ends.
    #[serde(rename = "u")]
    pub until_ms: i64,
}

impl Link {
    /// On whose behalf the sheet is read and written.
    pub fn identity(&self) -> Identity {
        self.on_behalf.as_deref().map_or(Identity::Service, Identity::read)
    }
}

/// A person on the platform of the thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The platform's id.
    #[serde(rename = "i")]
    pub id: String,
    /// The name, where it is known.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Makes links and opens them.
#[derive(Clone)]
pub struct Links {
    store: Store,
    vault: Vault,
    clock: Clock,
    /// Where the viewer is reached; none when it cannot be.
    base: Option<Url>,
    lifetime: Duration,
}

impl Links {
    /// Links to the viewer under this address.
    pub fn new(store: Store, vault: Vault, clock: Clock, base: Option<Url>, lifetime: Duration) -> Self {
        Self { store, vault, clock, base, lifetime }
    }

    /// How long a link works.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Where people reach the viewer.
    pub fn base(&self) -> Option<&Url> {
        self.base.as_ref()
    }

    /// A link to a sheet, for one person or for everybody in the thread; `None` when the viewer cannot be reached.
    pub fn make(&self, sheet: SheetId, session: &str, identity: &Identity, person: Option<Person>) -> Option<Url> {
        let base = self.base.as_ref()?;
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms + self.lifetime.as_millis() as i64;
        let on_behalf = (*identity != Identity::Service).then(|| identity.stored());
        let link = Link { sheet, session: session.to_owned(), person, on_behalf, made_ms: now_ms, until_ms };
        let token = self.vault.seal(PURPOSE, &serde_json::to_string(&link).ok()?).ok()?;
        format!("{}/v/{token}", base.as_str().trim_end_matches('/')).parse().ok()
    }

    /// The same, on whose page these rows are marked.
    pub fn to_rows(&self, sheet: SheetId, session: &str, identity: &Identity, rows: impl Iterator<Item = i64>) -> Option<Url> {
        let mut url = self.make(sheet, session, identity, None)?;
        let rows: Vec<String> = rows.take(MOST_ROWS).map(|r| r.to_string()).collect();
        if !rows.is_empty() {
            url.query_pairs_mut().append_pair("rows", &rows.join("-"));
        }
        Some(url)
    }

    /// What a token opens; `None` when it was not made here, has ended, or was revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(&self, token: &str) -> Result<Option<Link>, sqlx::Error> {
        let opened = self.vault.open(PURPOSE, token).ok().and_then(|text| serde_json::from_str::<Link>(&text).ok());
        let Some(link) = opened.filter(|l| l.until_ms > self.clock.now_ms()) else { return Ok(None) };
        let revoked = self.store.links_revoked_until(&link.session).await?;
        Ok(revoked.is_some_and(|until_ms| link.made_ms > until_ms).then_some(link))
    }

    /// Ends all links that a session has made so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, session: &str) -> Result<(), sqlx::Error> {
        self.store.revoke_links(session, self.clock.now_ms()).await
    }
}
