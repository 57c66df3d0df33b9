//! A visit: a link becomes a cookie for its own page, and what the cookie opens is looked at with every request.

use super::Viewer;
use crate::access::Role;
use crate::links::Link;
use crate::server::api::{Caller, Problem};
use crate::server::live::from_our_page;
use askama::Template;
use axum::extract::{FromRequestParts, Path, RawPathParams, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

const COOKIE: &str = "chatsheet_link";

/// Somebody who came with a link that works.
pub(super) struct Visit {
    /// What the link opens.
    pub link: Link,
    /// The name of its page.
    pub id: String,
    /// What the person may do whose link it is.
    role: Option<Role>,
}

impl Visit {
    /// The person whose link it is, as somebody who writes.
    pub fn caller(&self) -> Result<Caller, Problem> {
        let detail = "This link is for looking only. Type `edit` in the thread: the bot gives you a link of your own.";
        let person = self.link.person.as_ref().ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "read_only", detail))?;
        if self.role < Some(Role::Editor) {
            let detail = "You may ask about sheets here, not change them. Whoever runs the bot can change that.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "read_only", detail));
        }
        Ok(Caller::viewer(&self.link.session, &person.id, person.name.as_deref().unwrap_or(&person.id), self.link.identity()))
    }
}

/// Swaps a link for a cookie. Whoever unfurls links may come as often as they like: nothing is used up.
pub(super) async fn enter(State(viewer): State<Arc<Viewer>>, Path(token): Path<String>, RawQuery(query): RawQuery) -> Response {
    let link = match viewer.links.open(&token).await {
        Ok(Some(link)) => link,
        Ok(None) => return ended(),
        Err(error) => return refused(true, Problem::from(error)),
    };
    let id = page_of(&token);
    let base = viewer.links.base().map_or("/", |b| b.path()).trim_end_matches('/').to_owned();
    let secure = if viewer.links.base().is_some_and(|b| b.scheme() == "https") { "; Secure" } else { "" };
    let seconds = (link.until_ms - viewer.api.parts.clock.now_ms()) / 1000;
    let cookie = format!("{COOKIE}={token}; Path={base}/sheet/{id}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let query = query.map(|q| format!("?{q}")).unwrap_or_default();
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, format!("../sheet/{id}{query}"))]).into_response()
}

/// The name of a link's page; it tells nothing of the link.
fn page_of(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

impl FromRequestParts<Arc<Viewer>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, viewer: &Arc<Viewer>) -> Result<Self, Response> {
        let html = wants_html(&parts.headers);
        let path = RawPathParams::from_request_parts(parts, viewer).await.map_err(IntoResponse::into_response)?;
        let id = path.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned()).unwrap_or_default();
        let token = cookies(&parts.headers).find(|token| page_of(token) == id);
        let link = match token {
            Some(token) => viewer.links.open(token).await.map_err(|e| refused(html, Problem::from(e)))?,
            None => None,
        };
        let Some(link) = link else {
            let detail = "This link does not work any more. Type `view` or `edit` in the thread: the bot gives you a new one.";
            return Err(if html { ended() } else { Problem::new(StatusCode::GONE, "link_ended", detail).into_response() });
        };
        if parts.method != Method::GET && !from_our_page(&parts.headers, viewer.links.base()) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "other_page", "This is only taken from the page itself.").into_response());
        }
        viewer.api.paced(&id).map_err(|problem| refused(html, problem))?;
        let role = role_of(viewer, &link).await.map_err(|problem| refused(html, problem))?;
        may_be_used(viewer, &link).await.map_err(|problem| refused(html, problem))?;
        Ok(Self { link, id, role })
    }
}

/// What the person may do whose link it is; nothing to ask for a link of nobody's.
async fn role_of(viewer: &Viewer, link: &Link) -> Result<Option<Role>, Problem> {
    let Some(person) = &link.person else { return Ok(None) };
    let role = viewer.api.parts.access.role_in_session(&link.session, &person.id).await?;
    let detail = "You are not let in any more. Whoever runs the bot can change that.";
    role.map(Some).ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "not_let_in", detail))
}

/// Whether the sheet of a link may be used in the channel that the link is from.
async fn may_be_used(viewer: &Viewer, link: &Link) -> Result<(), Problem> {
    let parts = &viewer.api.parts;
    let scope = parts.access.scope_of_session(&link.session, &link.identity()).await?;
    let detail = "This sheet may not be used any more in the channel that the link is from. An admin can `allow` it there.";
    if scope.allows(link.sheet) { Ok(()) } else { Err(Problem::new(StatusCode::FORBIDDEN, "not_let_in", detail)) }
}

/// The links that a browser brings; it may have several.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(|c| c.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Whether a page is wanted, and not what a page reads.
pub(super) fn wants_html(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    title: &'a str,
    detail: &'a str,
    say: &'a [(&'a str, &'a str)],
    /// Whether it leads on to the documents of the API.
    front: bool,
}

fn ended() -> Response {
    let notice = Notice {
        title: "This link does not work any more",
        detail: "Links to a sheet end after a while, or when somebody ends them. In the thread that you have it from, type one of these words to the bot:",
        say: &[("view", "for a link to look at the sheet"), ("edit", "for a link of your own to edit it")],
        front: false,
    };
    shown(StatusCode::GONE, &notice)
}

/// What went wrong, as a page for people or as a document for the page.
pub(super) fn refused(html: bool, problem: Problem) -> Response {
    if !html {
        return problem.into_response();
    }
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    notice(status, "The sheet cannot be shown", &problem.detail)
}

/// The page of whoever opens the address of the server itself.
pub(super) async fn front() -> Response {
    let detail = "This is the server of a chat bot that answers questions about Smartsheet sheets and changes them. Sheets are opened by links \
        from the thread in which you talk to it; it understands these words there:";
    let say: &[(&str, &str)] = &[
        ("view", "for a link to look at the sheet."),
        ("edit", "for a link of your own to change it."),
        ("help", "for what else it can do."),
    ];
    shown(StatusCode::OK, &Notice { title: "ChatSheetAI", detail, say, front: true })
}

/// A page that says one thing.
pub(in crate::server) fn notice(status: StatusCode, title: &str, detail: &str) -> Response {
    shown(status, &Notice { title, detail, say: &[], front: false })
}

/// A template as an answer.
pub(in crate::server) fn shown(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => Problem::from(anyhow::Error::from(error)).into_response(),
    }
}
