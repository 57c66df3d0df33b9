//! Workspaces, organisations, and how they install the app: OAuth v2, tokens that may run out, and the end of tokens.

use super::api::{ok, refused};
use super::{BOT_TOKEN, BOT_USER, Service, Slack, State as World, TEAM};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The app's client id.
pub const CLIENT_ID: &str = "1.2";
/// The app's client secret.
pub const CLIENT_SECRET: &str = "sandbox-slack-client-secret";
/// The scopes of the token that is there from the start.
const SCOPES: &str = "app_mentions:read,assistant:write,channels:history,channels:read,groups:history,groups:read,im:history,im:write,mpim:history,chat:write,commands,files:read,files:write,links:read,links:write,users:read,users:read.email";

/// A workspace, in which the app may be installed by itself or together with its whole organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id, `T…`.
    pub team: String,
    /// The organisation (`E…`) that the app is installed for.
    pub organisation: Option<String>,
}

impl Workspace {
    /// A workspace that installs the app for itself.
    pub fn alone(team: &str) -> Self {
        Self { team: team.into(), organisation: None }
    }

    /// A workspace of an organisation that installs the app for all of its workspaces.
    pub fn of(organisation: &str, team: &str) -> Self {
        Self { team: team.into(), organisation: Some(organisation.into()) }
    }

    /// What messages and tokens belong to.
    pub fn install(&self) -> &str {
        self.organisation.as_deref().unwrap_or(&self.team)
    }

    pub(super) fn callback(&self, event: &Value, id: &str, time: i64) -> Value {
        let all = self.organisation.is_some();
        let team = if all { Value::Null } else { json!(self.team) };
        json!({
            "token": "x", "team_id": self.team, "enterprise_id": self.organisation, "api_app_id": "A1", "event": event, "type": "event_callback",
            "event_id": id, "event_time": time,
            "authorizations": [{ "enterprise_id": self.organisation, "team_id": team, "user_id": BOT_USER, "is_bot": true, "is_enterprise_install": all }],
            "is_ext_shared_channel": false, "event_context": "4-x",
        })
    }

    /// Says in a payload where it comes from.
    pub(super) fn sign(&self, payload: &mut Value) {
        let all = self.organisation.is_some();
        payload["team"] = if all { Value::Null } else { json!({ "id": self.team, "domain": "sandbox" }) };
        payload["enterprise"] = self.organisation.as_ref().map_or(Value::Null, |id| json!({ "id": id, "name": "Sandbox Group" }));
        payload["is_enterprise_install"] = json!(all);
        payload["user"]["team_id"] = json!(self.team);
    }
}

/// A token and what it opens.
#[derive(Clone)]
struct Token {
    workspace: Workspace,
    scopes: String,
    /// Slack's word for why it does not work any more.
    ended: Option<&'static str>,
}

/// Tokens and codes.
pub(super) struct Installs {
    tokens: HashMap<String, Token>,
    /// What tokens are renewed with.
    refreshes: HashMap<String, Token>,
    /// Codes that were given to browsers, and the address they were sent to.
    codes: HashMap<String, (Token, String)>,
    made: usize,
    renewed: usize,
}

impl Default for Installs {
    fn default() -> Self {
        let first = Token { workspace: Workspace::alone(TEAM), scopes: SCOPES.into(), ended: None };
        Self { tokens: HashMap::from([(BOT_TOKEN.into(), first)]), refreshes: HashMap::new(), codes: HashMap::new(), made: 0, renewed: 0 }
    }
}

impl Installs {
    /// The workspace that a token opens, and what it may do there.
    pub fn open(&self, bearer: Option<&str>) -> Result<(Workspace, String), &'static str> {
        let token = bearer.and_then(|b| self.tokens.get(b)).ok_or("invalid_auth")?;
        token.ended.map_or_else(|| Ok((token.workspace.clone(), token.scopes.clone())), Err)
    }

    fn next(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{}", self.made)
    }

    fn end(&mut self, install: &str, why: &'static str) {
        self.tokens.values_mut().filter(|t| t.workspace.install() == install).for_each(|t| t.ended = Some(why));
    }
}

/// `oauth.v2.access`: a token for a code, or a new one for one that runs out. The app proves itself by its secret.
pub(super) fn access(state: &mut World, authorization: Option<&str>, body: &Value, lifetime: Option<Duration>) -> Response {
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    if authorization != Some(&expected) {
        return refused("bad_client_secret");
    }
    let field = |name: &str| body[name].as_str().unwrap_or_default();
    let installs = &mut state.installs;
    let token = if field("grant_type") == "refresh_token" {
        let Some(token) = installs.refreshes.remove(field("refresh_token")) else { return refused("invalid_refresh_token") };
        installs.renewed += 1;
        token
    } else {
        let Some((token, redirect)) = installs.codes.remove(field("code")) else { return refused("invalid_code") };
        if redirect != field("redirect_uri") {
            return refused("bad_redirect_uri");
        }
        token
    };
    let secret = installs.next("xoxb-granted-canary");
    let named = |id: &str, name: &str| json!({ "id": id, "name": name });
    let (workspace, scopes) = (token.workspace.clone(), token.scopes.clone());
    let all = workspace.organisation.is_some();
    let mut answer = json!({
        "access_token": secret, "token_type": "bot", "scope": scopes, "bot_user_id": BOT_USER, "app_id": "A1",
        "team": if all { Value::Null } else { named(&workspace.team, &format!("Workspace {}", workspace.team)) },
        "enterprise": workspace.organisation.as_ref().map(|id| named(id, &format!("Organisation {id}"))),
        "is_enterprise_install": all, "authed_user": { "id": "U1" },
    });
    if let Some(lifetime) = lifetime {
        let refresh = installs.next("xoxe-granted-canary");
        (answer["refresh_token"], answer["expires_in"]) = (json!(refresh), json!(lifetime.as_secs()));
        installs.refreshes.insert(refresh, token.clone());
    }
    installs.tokens.insert(secret, token);
    ok(answer)
}

/// `/oauth/v2/authorize`, by hand: whoever comes agrees for the first workspace.
pub(super) async fn authorize(State(service): State<Arc<Service>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    match allow(&mut service.state(), &asked, &Workspace::alone(TEAM)) {
        Some(back) => Redirect::to(back.as_str()).into_response(),
        None => refused("invalid_client_id"),
    }
}

/// Somebody agrees: where their browser is sent with a code.
fn allow(state: &mut World, asked: &HashMap<String, String>, workspace: &Workspace) -> Option<Url> {
    let field = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != CLIENT_ID || field("scope").is_empty() {
        return None;
    }
    let mut back = Url::parse(field("redirect_uri")).ok()?;
    let code = state.installs.next("code");
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", field("state"));
    let token = Token { workspace: workspace.clone(), scopes: field("scope").into(), ended: None };
    state.installs.codes.insert(code, (token, field("redirect_uri").into()));
    Some(back)
}

impl Slack {
    /// The settings of an app that workspaces install by a link.
    pub fn distributed_settings(&self) -> Vec<(&'static str, String)> {
        let token = |(name, _): &(&str, String)| *name != "SLACK_BOT_TOKEN";
        let app = [("SLACK_CLIENT_ID", CLIENT_ID.to_owned()), ("SLACK_CLIENT_SECRET", CLIENT_SECRET.to_owned())];
        self.settings().into_iter().filter(token).chain(app).collect()
    }

    /// The same people and messages, seen from another workspace.
    #[must_use]
    pub fn from_workspace(&self, workspace: Workspace) -> Self {
        Self { workspace, ..self.clone() }
    }

    /// An admin of this workspace opens a link to install the app: what their browser asks for at last, and its cookie; or
    /// what they read instead, with its status.
    ///
    /// # Errors
    /// When the app cannot be reached.
    pub async fn follow_install_link(&self, link: &str) -> anyhow::Result<Result<(Url, String), (u16, String)>> {
        let answer = self.browse(link, "").await?;
        let header = |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (to, cookie) = (header("location"), header("set-cookie"));
        let Ok(to) = Url::parse(&to) else { return Ok(Err((answer.status().as_u16(), answer.text().await?))) };
        let asked: HashMap<String, String> = to.query_pairs().into_owned().collect();
        let back = allow(&mut self.service.state(), &asked, &self.workspace);
        let back = back.ok_or_else(|| anyhow::anyhow!("slack would show an error for {to}"))?;
        Ok(Ok((back, cookie.split(';').next().unwrap_or_default().to_owned())))
    }

    /// An admin of this workspace installs the app by this link; the status and what they read at last.
    ///
    /// # Errors
    /// When the app cannot be reached.
    pub async fn install(&self, link: &str) -> anyhow::Result<(u16, String)> {
        match self.follow_install_link(link).await? {
            Ok((back, cookie)) => self.open_page(back.as_str(), &cookie).await,
            Err(read) => Ok(read),
        }
    }

    /// Somebody opens a page of the app in a browser; its status and text.
    ///
    /// # Errors
    /// When the app cannot be reached.
    pub async fn open_page(&self, url: &str, cookie: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.browse(url, cookie).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    #[expect(clippy::disallowed_methods, reason = "the browser of a person")]
    async fn browse(&self, url: &str, cookie: &str) -> anyhow::Result<reqwest::Response> {
        let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(browser.get(url).header("cookie", cookie).send().await?)
    }

    /// All tokens of this workspace have run out.
    pub fn expire_tokens(&self) {
        self.service.state().installs.end(self.workspace.install(), "token_expired");
    }

    /// How often a token was renewed.
    pub fn renewals(&self) -> usize {
        self.service.state().installs.renewed
    }

    /// From now on the token of the start may do this only: scopes, separated by commas.
    pub fn grant_only(&self, scopes: &str) {
        if let Some(token) = self.service.state().installs.tokens.get_mut(BOT_TOKEN) {
            token.scopes = scopes.into();
        }
    }

    /// An admin takes the app out of the workspace.
    pub async fn uninstall(&self) -> Vec<u16> {
        self.service.state().installs.end(self.workspace.install(), "account_inactive");
        self.service.event(&self.workspace, json!({ "type": "app_uninstalled" })).await
    }

    /// The app is installed in the workspace again by hand, with the token that it had.
    pub fn reinstall(&self) {
        let state = &mut self.service.state();
        state.installs.tokens.values_mut().filter(|t| t.workspace == self.workspace).for_each(|t| t.ended = None);
    }

    /// The app is told once more, so many seconds late, that it was taken out of the workspace.
    pub async fn uninstall_before(&self, seconds: i64) -> Vec<u16> {
        let body = self.workspace.callback(&json!({ "type": "app_uninstalled" }), "Ev0", super::people::now() - seconds);
        self.service.deliver("application/json", body.to_string(), true).await
    }

    /// An admin revokes the bot's tokens.
    pub async fn revoke_tokens(&self) -> Vec<u16> {
        self.service.state().installs.end(self.workspace.install(), "token_revoked");
        self.service.event(&self.workspace, json!({ "type": "tokens_revoked", "tokens": { "oauth": [], "bot": [BOT_USER] } })).await
    }
}
