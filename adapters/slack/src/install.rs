//! How a workspace installs the app (OAuth v2): an invitation of the operator's leads to Slack, which asks whoever opens it and
//! sends them back with a code for a token. Without an invitation anybody could put the bot, and with it the operator's sheets,
//! into a workspace of their own.

use crate::tokens::{Installed, Tokens};
use crate::{SCOPES, Slack, now_ms};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long an invitation can be used.
pub const INVITATION: Duration = Duration::from_secs(24 * 3600);
/// How long somebody may look at Slack's question.
const QUESTION: Duration = Duration::from_secs(15 * 60);
/// Names the browser that began, so that nobody can be made to end what another has begun.
const BROWSER: &str = "chatsheet_slack";
const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}";

/// A link by which one workspace (or organisation) can install the app within a day.
pub fn invitation(client_secret: &str, public_base_url: &Url) -> String {
    let invitation = sign(client_secret, "invitation", INVITATION, &random());
    format!("{}/slack/install?invitation={invitation}", base(public_base_url))
}

/// The routes, to be mounted under `/slack`. They say so where the app is not one to be installed by others.
pub fn install_router(slack: Arc<Slack>) -> Router {
    Router::new().route("/install", get(begin)).route("/oauth_redirect", get(end)).with_state(slack)
}

#[derive(Deserialize)]
struct Begin {
    invitation: Option<String>,
}

#[derive(Deserialize)]
struct End {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// `GET /slack/install`: on to Slack. Spends nothing, since previews of links open it, too.
async fn begin(State(slack): State<Arc<Slack>>, Query(query): Query<Begin>) -> Response {
    let Tokens::Many(installed) = &slack.tokens else { return page(StatusCode::NOT_FOUND, "This bot serves one workspace only.") };
    let app = &installed.app;
    let Some(invitation) = query.invitation.and_then(|i| read(&app.client_secret, "invitation", &i)) else {
        return page(
            StatusCode::FORBIDDEN,
            "This link has ended or is not complete. Ask whoever runs the bot for a new one (chatsheet workspaces invite).",
        );
    };
    let browser = random();
    let state = sign(&app.client_secret, "state", QUESTION, &format!("{browser}-{invitation}"));
    let Ok(mut url) = slack.api_base_url.join("/oauth/v2/authorize") else {
        return page(StatusCode::INTERNAL_SERVER_ERROR, "SLACK_API_BASE_URL is not an address to build on.");
    };
    let scopes: Vec<&str> = SCOPES.iter().map(|(scope, _)| *scope).collect();
    url.query_pairs_mut()
        .append_pair("client_id", &app.client_id)
        .append_pair("scope", &scopes.join(","))
        .append_pair("redirect_uri", &redirect_url(&app.public_base_url))
        .append_pair("state", &state);
    let secure = if app.public_base_url.scheme() == "https" { "; Secure" } else { "" };
    let path = app.public_base_url.path().trim_end_matches('/');
    let cookie = format!("{BROWSER}={browser}; Path={path}/slack; Max-Age={}; HttpOnly; SameSite=Lax{secure}", QUESTION.as_secs());
    (StatusCode::FOUND, [(LOCATION, url.to_string()), (SET_COOKIE, cookie), (CACHE_CONTROL, "no-store".to_owned())]).into_response()
}

/// `GET /slack/oauth_redirect`: back from Slack, with a code or with a refusal.
async fn end(State(slack): State<Arc<Slack>>, headers: HeaderMap, Query(query): Query<End>) -> Response {
    let Tokens::Many(installed) = &slack.tokens else { return page(StatusCode::NOT_FOUND, "This bot serves one workspace only.") };
    let state = query.state.and_then(|state| read(&installed.app.client_secret, "state", &state)).filter(|s| began_here(&headers, s));
    let Some(invitation) = state.as_deref().and_then(|s| s.split_once('-')).map(|(_, invitation)| invitation) else {
        return page(StatusCode::FORBIDDEN, "This took too long, or began in another browser. Open the invitation again.");
    };
    match (query.code, query.error) {
        (Some(code), None) => {
            // A code works once: what has begun is brought to its end, even if the browser goes away.
            let (installed, invitation) = (installed.clone(), invitation.to_owned());
            let done = tokio::spawn(async move { install(&installed, &code, &invitation).await }).await;
            done.unwrap_or_else(|_| page(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong. Open the invitation again."))
        }
        (_, Some(error)) if error == "access_denied" => {
            page(StatusCode::OK, "Nothing was installed. Open the invitation again when you want to.")
        }
        (_, error) => {
            tracing::warn!(error, "slack did not let the app be installed");
            page(
                StatusCode::BAD_GATEWAY,
                "Slack did not let the app be installed. Open the invitation again; the log of the bot says more.",
            )
        }
    }
}

async fn install(installed: &Installed, code: &str, invitation: &str) -> Response {
    let redirect = redirect_url(&installed.app.public_base_url);
    let granted = match installed.access(&[("code", code), ("redirect_uri", &redirect)]).await {
        Ok(granted) => granted,
        Err(error) => {
            tracing::warn!(%error, "slack gave no token for a code");
            return page(
                StatusCode::BAD_GATEWAY,
                "Slack gave no token. If this page was opened twice, the app is installed already; otherwise open the invitation again.",
            );
        }
    };
    match installed.keep(granted, invitation).await {
        Ok(Some(name)) => {
            page(StatusCode::OK, &format!("The app is installed in {name}. In a channel write /invite @chatsheet, then @chatsheet help."))
        }
        Ok(None) => page(StatusCode::FORBIDDEN, "This invitation was used before. Ask whoever runs the bot for a new one."),
        Err(error) => {
            tracing::error!(%error, "an installation could not be kept");
            page(StatusCode::SERVICE_UNAVAILABLE, "The installation could not be kept. Open the invitation again.")
        }
    }
}

/// Whether the browser is the one that the state was made for.
fn began_here(headers: &HeaderMap, state: &str) -> bool {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|c| c.to_str().ok()).flat_map(|c| c.split(';'));
    let mut own = cookies.filter_map(|c| c.trim().strip_prefix(BROWSER)?.strip_prefix('='));
    own.any(|browser| state.split_once('-').is_some_and(|(began, _)| began == browser))
}

fn page(status: StatusCode, words: &str) -> Response {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html =
        format!("<!doctype html><html lang=en><meta charset=utf-8><title>chatsheet</title><style>{STYLE}</style><p>{words}</p></html>");
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Html(html)).into_response()
}

fn base(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

fn redirect_url(public_base_url: &Url) -> String {
    format!("{}/slack/oauth_redirect", base(public_base_url))
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn mac(secret: &str, purpose: &str, until_ms: &str, words: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("chatsheet|{purpose}|{until_ms}|{words}").as_bytes());
    Some(mac)
}

/// Signs words for one purpose and some time.
fn sign(secret: &str, purpose: &str, lifetime: Duration, words: &str) -> String {
    let until_ms = (now_ms() + lifetime.as_millis() as i64).to_string();
    let signature = mac(secret, purpose, &until_ms, words).map(|m| URL_SAFE_NO_PAD.encode(m.finalize().into_bytes()));
    format!("{words}.{until_ms}.{}", signature.unwrap_or_default())
}

/// The words, if they were signed here for this purpose and have not ended.
fn read(secret: &str, purpose: &str, signed: &str) -> Option<String> {
    let mut parts = signed.splitn(3, '.');
    let (words, until_ms, signature) = (parts.next()?, parts.next()?, parts.next()?);
    mac(secret, purpose, until_ms, words)?.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    (until_ms.parse::<i64>().ok()? > now_ms()).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_read_for_its_purpose_with_its_secret_and_in_time_only() {
        let signed = sign("secret", "invitation", INVITATION, "words");
        assert_eq!(read("secret", "invitation", &signed).as_deref(), Some("words"));
        assert!(read("secret", "state", &signed).is_none() && read("other", "invitation", &signed).is_none());
        assert!(read("secret", "invitation", &signed.replace("words", "sword")).is_none());
        let mut parts: Vec<String> = signed.split('.').map(str::to_owned).collect();
        parts[1] = (parts[1].parse::<i64>().unwrap() + 1).to_string();
        assert!(read("secret", "invitation", &parts.join(".")).is_none(), "it cannot be made to last longer");
        assert!(read("secret", "invitation", &sign("secret", "invitation", Duration::ZERO, "words")).is_none());
        assert!(["", ".", "..", "a.b", "a.1.b"].iter().all(|odd| read("secret", "invitation", odd).is_none()));
    }
}
