//! People's own Smartsheet accounts: connected by OAuth 2, kept encrypted, renewed in time, given up when they say so. Who has
//! connected one is asked for, shown and allowed what Smartsheet allows them.

use crate::clock::Clock;
use crate::error::of_request;
use crate::smartsheet::{Error, Identity, PeoplesTokens};
use crate::store::Store;
use crate::vault::Vault;
use async_trait::async_trait;
use backon::{ConstantBuilder, Retryable};
use chat::{Anchor, Platform};
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use url::form_urlencoded::Serializer;

/// The kind of grant that an account is.
pub const KIND: &str = "smartsheet";
/// What is asked for: reading, writing cells, rows and comments, and columns.
const SCOPES: &str = "READ_SHEETS WRITE_SHEETS ADMIN_SHEETS READ_CONTACTS";
/// How long a link to connect can be used, and Smartsheet's question be looked at.
const LINK: Duration = Duration::from_secs(30 * 60);
/// Tokens live for a week; they are renewed in its last day.
const RENEW_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// How long one process has for it.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long a token is used without looking whether another process has changed it.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const KNOWN: u64 = 10_000;
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How people connect their accounts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Client id of the app in Smartsheet.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// Where Smartsheet asks people.
    pub authorize_url: Url,
    /// Base URL of the API.
    pub api_base_url: Url,
    /// Where the sidecar is reached from outside.
    pub public_base_url: Url,
    /// Whether nothing is asked for people who have not connected an account.
    pub required: bool,
    /// Whether answers from sheets that the installation's account cannot read are for the person alone.
    pub answers_alone: bool,
}

/// Whom a link to connect is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The key of the person.
    pub person: String,
    /// Their id on the platform.
    pub user: String,
    /// Their name there, if it is known.
    pub name: Option<String>,
    /// The platform.
    pub platform: Platform,
    /// Where they asked for it.
    pub anchor: Anchor,
    until_ms: i64,
}

/// What Smartsheet is asked with, between its question and the answer.
#[derive(Serialize, Deserialize)]
struct State {
    invitation: Invitation,
    browser: String,
}

/// An account, as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    access_token: String,
    refresh_token: String,
    expires_at_ms: i64,
    email: String,
    connected_at_ms: i64,
}

/// The answer of `/token`.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    refresh_token: String,
    /// Seconds.
    expires_in: i64,
}

/// The accounts of people. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    settings: Arc<Settings>,
    store: Store,
    vault: Vault,
    clock: Clock,
    http: reqwest::Client,
    known: Cache<String, Account>,
}

fn purpose(person: &str) -> String {
    format!("grant|{KIND}|{person}")
}

impl Accounts {
    /// Accounts with these settings.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    #[expect(clippy::disallowed_methods, reason = "tokens are asked for beside the client that uses them")]
    pub fn new(settings: Settings, store: Store, vault: Vault, clock: Clock) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(CALL_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        let known = Cache::builder().max_capacity(KNOWN).time_to_live(KNOWN_FOR).build();
        Ok(Self { settings: Arc::new(settings), store, vault, clock, http, known })
    }

    /// Whether nothing is asked for people who have not connected an account.
    pub fn required(&self) -> bool {
        self.settings.required
    }

    /// Whether answers from sheets that the installation's account cannot read are for the person alone.
    pub fn answers_alone(&self) -> bool {
        self.settings.answers_alone
    }

    /// Where Smartsheet asks people.
    pub fn authorize_url(&self) -> &Url {
        &self.settings.authorize_url
    }

    /// Where people reach us.
    pub fn base(&self) -> &Url {
        &self.settings.public_base_url
    }

    /// Who a person is to Smartsheet, if they have connected an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identity(&self, person: &str) -> anyhow::Result<Option<Identity>> {
        Ok(self.store.grant(KIND, person).await?.map(|_| Identity::Person(person.into())))
    }

    /// The address of the account that a person has connected, if they have.
    pub async fn email(&self, person: &str) -> Option<String> {
        self.read(person).await.ok().map(|account| account.email)
    }

    /// A link by which a person connects their account.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn invite(&self, person: String, user: String, name: Option<String>, platform: Platform, anchor: Anchor) -> anyhow::Result<Url> {
        let until_ms = self.clock.now_ms() + LINK.as_millis() as i64;
        let invitation = Invitation { person, user, name, platform, anchor, until_ms };
        let sealed = self.vault.seal("connect", &serde_json::to_string(&invitation)?)?;
        Ok(format!("{}/connect/{sealed}", self.base().as_str().trim_end_matches('/')).parse()?)
    }

    /// Whom a link is for; `None` when it was not made here, or has ended.
    pub fn invited(&self, sealed: &str) -> Option<Invitation> {
        let invitation: Invitation = serde_json::from_str(&self.vault.open("connect", sealed).ok()?).ok()?;
        (invitation.until_ms > self.clock.now_ms()).then_some(invitation)
    }

    /// Smartsheet's question to the person in this browser.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn question(&self, invitation: Invitation, browser: &str) -> anyhow::Result<Url> {
        let state = serde_json::to_string(&State { invitation, browser: browser.to_owned() })?;
        let mut url = self.settings.authorize_url.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("scope", SCOPES)
            .append_pair("state", &self.vault.seal("connect state", &state)?);
        Ok(url)
    }

    /// Who was asked; `None` when nobody was, in another browser, or too long ago.
    pub fn answered(&self, state: &str, browser: &str) -> Option<Invitation> {
        let state: State = serde_json::from_str(&self.vault.open("connect state", state).ok()?).ok()?;
        let here = state.browser == browser && state.invitation.until_ms > self.clock.now_ms();
        here.then_some(state.invitation)
    }

    /// Connects an account by the code that Smartsheet gave; its e-mail address.
    ///
    /// # Errors
    /// When Smartsheet does not take the code, or the account cannot be kept.
    pub async fn connect(&self, person: &str, code: &str) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Me {
            email: String,
        }
        let granted = self.granted("authorization_code", "code", code).await?;
        let me = format!("{}/users/me", self.settings.api_base_url.as_str().trim_end_matches('/'));
        let me: Me = self.http.get(me).bearer_auth(&granted.access_token).send().await?.error_for_status()?.json().await?;
        let now_ms = self.clock.now_ms();
        let sealed = self.sealed(person, &account(granted, me.email.clone(), now_ms))?;
        self.store.keep_grant(KIND, person, &sealed, now_ms).await?;
        self.known.invalidate(person).await;
        tracing::info!("a person connected their smartsheet account");
        Ok(me.email)
    }

    /// Gives an account up, here and at Smartsheet; `false` when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disconnect(&self, person: &str) -> anyhow::Result<bool> {
        let account = self.read(person).await.ok();
        let gone = self.store.forget_grant(KIND, person, i64::MAX, self.clock.now_ms()).await?;
        self.known.invalidate(person).await;
        if let Some(account) = account {
            let revoked = self.http.delete(self.token_url()).bearer_auth(&account.access_token).send().await;
            if let Err(error) = revoked.and_then(reqwest::Response::error_for_status) {
                tracing::warn!(error = %error.without_url(), "a token was forgotten, but smartsheet was not told");
            }
        }
        Ok(gone)
    }

    /// Gives the accounts of everybody in an install up, which the bot was taken out of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn disconnect_all(&self, install: &str) -> anyhow::Result<()> {
        let there = format!("{install}|");
        for person in self.store.grants(KIND).await?.into_iter().filter(|p| p.starts_with(&there)) {
            self.disconnect(&person).await?;
        }
        Ok(())
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.settings.api_base_url.as_str().trim_end_matches('/'))
    }

    fn sealed(&self, person: &str, account: &Account) -> anyhow::Result<String> {
        self.vault.seal(&purpose(person), &serde_json::to_string(account)?)
    }

    async fn read(&self, person: &str) -> Result<Account, Error> {
        let sealed = self.store.grant(KIND, person).await.map_err(|e| Error::Unreachable(format!("the database: {e}")))?;
        let opened = self.vault.open(&purpose(person), &sealed.ok_or(Error::NotConnected)?);
        opened.ok().and_then(|text| serde_json::from_str(&text).ok()).ok_or(Error::NotConnected)
    }

    async fn granted(&self, grant: &str, name: &str, value: &str) -> Result<Granted, Error> {
        let form = Serializer::new(String::new())
            .append_pair("grant_type", grant)
            .append_pair(name, value)
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("client_secret", self.settings.client_secret.expose_secret())
            .finish();
        let request = self.http.post(self.token_url()).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.map_err(|e| Error::Unreachable(of_request(e)))?;
        match answer.status() {
            s if s.is_client_error() && s.as_u16() != 429 => {
                tracing::warn!(status = s.as_u16(), grant, "smartsheet does not give a token");
                Err(Error::NotConnected)
            }
            s if !s.is_success() => Err(Error::Unreachable(format!("HTTP {s}"))),
            _ => answer.json().await.map_err(|e| Error::Malformed(e.without_url().to_string())),
        }
    }

    /// Reads an account and renews its token if it is time, or if it is one that Smartsheet has refused.
    async fn look(&self, person: &str, refused: Option<&SecretString>) -> Result<Account, Error> {
        let account = self.read(person).await?;
        let (now_ms, runs_out_ms) = (self.clock.now_ms(), account.expires_at_ms);
        let refused = refused.is_some_and(|r| r.expose_secret() == account.access_token);
        if !refused && runs_out_ms - now_ms > RENEW_BEFORE.as_millis() as i64 {
            return Ok(account);
        }
        let failed = |e: sqlx::Error| Error::Unreachable(format!("the database: {e}"));
        let until_ms = now_ms + RENEWAL.as_millis() as i64;
        if !self.store.take_renewal(KIND, person, now_ms, until_ms).await.map_err(failed)? {
            // Another process is about to renew it.
            let works = !refused && runs_out_ms > now_ms;
            return if works { Ok(account) } else { Err(Error::Busy("the token is being renewed".into())) };
        }
        let now_kept = self.read(person).await?;
        if now_kept != account {
            return Ok(now_kept);
        }
        // The pair before ends when the new one is given: what has begun is brought to its end, whoever waits for it.
        let (this, person) = (self.clone(), person.to_owned());
        let renewed = tokio::spawn(async move { this.renew(&person, account, until_ms).await }).await;
        renewed.map_err(|e| Error::Unreachable(e.to_string()))?
    }

    async fn renew(&self, person: &str, before: Account, until_ms: i64) -> Result<Account, Error> {
        let granted = match self.granted("refresh_token", "refresh_token", &before.refresh_token).await {
            Ok(granted) => granted,
            Err(error) => {
                if let Err(error) = self.store.take_renewal(KIND, person, until_ms, 0).await {
                    tracing::warn!(%error, "the turn to renew a token could not be given back");
                }
                return Err(error);
            }
        };
        let renewed = Account { connected_at_ms: before.connected_at_ms, ..account(granted, before.email, self.clock.now_ms()) };
        let sealed = self.sealed(person, &renewed).map_err(|e| Error::Unreachable(format!("{e:#}")))?;
        let keep = || self.store.keep_renewed(KIND, person, &sealed, renewed.connected_at_ms);
        let kept = keep.retry(ConstantBuilder::default()).await.map_err(|e| Error::Unreachable(format!("the database: {e}")))?;
        // It was connected anew, or given up.
        if kept { Ok(renewed) } else { self.read(person).await }
    }
}

fn account(granted: Granted, email: String, now_ms: i64) -> Account {
    let Granted { access_token, refresh_token, expires_in } = granted;
    Account { access_token, refresh_token, expires_at_ms: now_ms + expires_in * 1_000, email, connected_at_ms: now_ms }
}

#[async_trait]
impl PeoplesTokens for Accounts {
    async fn token(&self, person: &str, refused: Option<&SecretString>) -> Result<SecretString, Error> {
        if refused.is_some() {
            self.known.invalidate(person).await;
        }
        let found = self.known.try_get_with_by_ref(person, self.look(person, refused)).await;
        let account = found.map_err(|error| match &*error {
            Error::NotConnected => Error::NotConnected,
            Error::Busy(why) => Error::Busy(why.clone()),
            other => Error::Unreachable(other.to_string()),
        })?;
        match refused {
            Some(refused) if refused.expose_secret() == account.access_token => Err(Error::Busy("the token is being renewed".into())),
            _ => Ok(account.access_token.into()),
        }
    }
}
