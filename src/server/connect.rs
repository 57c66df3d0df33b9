//! How people connect their Smartsheet accounts: the page behind the link that the bot gave them, Smartsheet's question, and
//! the way back.

use super::api::Problem;
use super::live::from_our_page;
use super::viewer::{POLICY, notice, shown};
use crate::accounts::{Accounts, Invitation};
use crate::bot::{account_connected, capital};
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chat::Chats;
use serde::Deserialize;
use std::sync::Arc;
use tower_http::set_header::SetResponseHeaderLayer;

/// Names the browser that began, so that nobody can be made to end what another has begun.
const BROWSER: &str = "chatsheet_connect";

struct Desk {
    accounts: Accounts,
    chats: Chats,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct Page<'a> {
    who: &'a str,
    platform: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
}

/// The routes of people who connect an account.
pub(super) fn router(accounts: Accounts, chats: Chats) -> Router {
    // The form leads on to Smartsheet.
    let onward = accounts.authorize_url().origin().ascii_serialization();
    let policy = POLICY.replace("form-action 'self'", &format!("form-action 'self' {onward}"));
    let desk = Arc::new(Desk { accounts, chats });
    let header = |name, value| SetResponseHeaderLayer::overriding(HeaderName::from_static(name), value);
    Router::new()
        .route("/connect/{link}", get(look).post(begin))
        .route("/smartsheet/oauth_redirect", get(end))
        .with_state(desk)
        .layer(header("content-security-policy", HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(POLICY))))
        .layer(header("referrer-policy", HeaderValue::from_static("same-origin")))
        .layer(header("cache-control", HeaderValue::from_static("no-store")))
        .layer(header("x-robots-tag", HeaderValue::from_static("noindex")))
}

fn ended() -> Response {
    notice(StatusCode::GONE, "This link does not work any more", "Say “connect” to the bot: it gives you a new one.")
}

/// Who is about to connect an account; whoever unfurls links may look as often as they like.
async fn look(State(desk): State<Arc<Desk>>, Path(link): Path<String>) -> Response {
    let Some(Invitation { user, name, platform, .. }) = desk.accounts.invited(&link) else { return ended() };
    shown(StatusCode::OK, &Page { who: name.as_deref().unwrap_or(&user), platform: &capital(platform.as_str()) })
}

/// On to Smartsheet's question.
async fn begin(State(desk): State<Arc<Desk>>, Path(link): Path<String>, headers: HeaderMap) -> Response {
    // Programs send no Origin, but nobody but a browser has to do with this.
    if !headers.contains_key(header::ORIGIN) || !from_our_page(&headers, Some(desk.accounts.base())) {
        return notice(
            StatusCode::FORBIDDEN,
            "This did not come from our page",
            "Open the link that the bot gave you, look at whom it names, and press Connect there.",
        );
    }
    let Some(invitation) = desk.accounts.invited(&link) else { return ended() };
    let browser = uuid::Uuid::new_v4().simple().to_string();
    let question = match desk.accounts.question(invitation, &browser) {
        Ok(question) => question,
        Err(error) => return Problem::from(error).into_response(),
    };
    let base = desk.accounts.base();
    let secure = if base.scheme() == "https" { "; Secure" } else { "" };
    let path = format!("{}/smartsheet", base.path().trim_end_matches('/'));
    let cookie = format!("{BROWSER}={browser}; Path={path}; Max-Age=1800; HttpOnly; SameSite=Lax{secure}");
    (StatusCode::SEE_OTHER, [(header::LOCATION, question.to_string()), (header::SET_COOKIE, cookie)]).into_response()
}

/// Back from Smartsheet.
async fn end(State(desk): State<Arc<Desk>>, headers: HeaderMap, Query(answer): Query<Answer>) -> Response {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|c| c.to_str().ok()).flat_map(|c| c.split(';'));
    let mut browsers = cookies.filter_map(|c| c.trim().strip_prefix(BROWSER)?.strip_prefix('='));
    let state = answer.state.unwrap_or_default();
    let Some(invitation) = browsers.find_map(|browser| desk.accounts.answered(&state, browser)) else {
        return notice(
            StatusCode::FORBIDDEN,
            "This took too long, or began in another browser",
            "Open the link that the bot gave you again, or say “connect” for a new one.",
        );
    };
    let Some(code) = answer.code else {
        return notice(StatusCode::OK, "Nothing was connected", "Open the link that the bot gave you again when you want to.");
    };
    match desk.accounts.connect(&invitation.person, &code).await {
        Ok(email) => {
            desk.tell(&invitation, &email).await;
            let detail = format!("{email} is connected. You can close this page and go on in the chat.");
            notice(StatusCode::OK, "Connected", &detail)
        }
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "an account could not be connected");
            let detail = "If this page was opened twice, the account is connected already; otherwise say “connect” to the bot once more.";
            notice(StatusCode::BAD_GATEWAY, "Smartsheet did not let the account be connected", detail)
        }
    }
}

impl Desk {
    /// Tells the person in the chat, too, that it was done: they may not have done it themselves.
    async fn tell(&self, invitation: &Invitation, email: &str) {
        let Some(chat) = self.chats.get(&invitation.platform) else { return };
        if let Err(error) = chat.whisper(&invitation.anchor, &invitation.user, &account_connected(email)).await {
            tracing::info!(%error, "a person was not told that their account is connected");
        }
    }
}
