//! Links to the sheet viewer: signed, for one sheet, one session and one right; they end by themselves or when the thread says so.

use crate::access;
use crate::clock::Clock;
use crate::sheet::SheetId;
use crate::smartsheet::Identity;
use crate::store::Store;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use url::Url;

const PURPOSE: &str = "link";
/// For what the tokens in messages are sealed that are kept, and how they begin then.
const KEPT: &str = "kept link";
const SEALED: &str = "~";
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
        Ok(self.holds(&link).await?.then_some(link))
    }

    /// Whether a link was not revoked. One of nobody's ends also when somebody is removed who may have it: a person who uses the bot on the
    /// platform, and in the workspace, that it is from.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(&self, link: &Link) -> Result<bool, sqlx::Error> {
        let revoked = self.store.links_revoked_until(&link.session).await?;
        if revoked.is_none_or(|until_ms| link.made_ms <= until_ms) {
            return Ok(false);
        }
        if link.person.is_some() {
            return Ok(true);
        }
        let Some(thread) = self.store.thread_of_session(&link.session).await? else { return Ok(true) };
        let install = access::Person::within(&thread.key, "").install;
        let removed_ms = self.store.last_removal_ms(thread.key.platform, &install).await?;
        Ok(removed_ms.is_none_or(|removed_ms| link.made_ms > removed_ms))
    }

    /// A message as it is kept: whoever reads the database cannot use the links in it.
    pub fn sealed_in(&self, message: Value) -> Value {
        self.each_token(message, "", |token| Some(format!("{SEALED}{}", self.vault.seal(KEPT, token).ok()?)))
    }

    /// A message that was kept, as it was. Links that were sealed with a key that is gone lead nowhere, as they would anyway.
    pub fn opened_in(&self, message: Value) -> Value {
        self.each_token(message, SEALED, |token| self.vault.open(KEPT, token).ok())
    }

    /// Puts something else in the place of every token behind this mark.
    fn each_token(&self, message: Value, mark: &str, change: impl Fn(&str) -> Option<String> + Copy) -> Value {
        let Some(base) = &self.base else { return message };
        let before = format!("{}/v/{mark}", base.as_str().trim_end_matches('/'));
        in_texts(message, &|text| {
            if !text.contains(&before) {
                return None;
            }
            let mut parts = text.split(&before);
            let mut out = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let end = part.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(part.len());
                let (token, rest) = part.split_at(end);
                match change(token).filter(|_| !token.is_empty()) {
                    Some(changed) => out.extend([&before[..before.len() - mark.len()], &changed, rest]),
                    None => out.extend([&before, part]),
                }
            }
            Some(out)
        })
    }

    /// Ends all links that a session has made so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, session: &str) -> Result<(), sqlx::Error> {
        self.store.revoke_links(session, self.clock.now_ms()).await
    }
}

/// A value with the texts in it changed that have to be.
fn in_texts(value: Value, change: &dyn Fn(&str) -> Option<String>) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text).unwrap_or(text)),
        Value::Array(values) => values.into_iter().map(|value| in_texts(value, change)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, in_texts(value, change))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;
    use serde_json::json;

    #[tokio::test]
    async fn links_in_kept_messages_cannot_be_used_and_come_back_as_they_were() {
        let vault = Vault::new(&SecretString::from("a key that nobody guesses, for tests only"));
        let store = Store::connect("sqlite::memory:").await.unwrap();
        let links = Links::new(store, vault, Clock::System, "https://bot.example/".parse().ok(), Duration::from_secs(60));
        let link = links.make(SheetId(5), "s1", &Identity::Service, None).unwrap();
        let token = link.path().rsplit('/').next().unwrap().to_owned();
        for message in [
            json!({ "text": format!("Open {link}, or ({link}?rows=1-2)."), "blocks": [{ "link": link }, { "rows": [[{ "link": format!("{link}#x") }]] }] }),
            json!({ "text": "https://bot.example/v/ and https://other.example/v/abc, no link", "n": 5, "none": null }),
            json!(link),
        ] {
            let kept = links.sealed_in(message.clone());
            assert!(!kept.to_string().contains(&token), "{kept}");
            assert_eq!(links.opened_in(kept), message);
        }
        assert_eq!(links.open(&links.sealed_in(json!(link)).as_str().unwrap().rsplit('/').next().unwrap()[1..]).await.unwrap(), None);
    }
}
