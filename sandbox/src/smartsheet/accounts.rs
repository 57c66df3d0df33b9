//! Accounts of people, and how they let the app work in their name: OAuth 2, tokens that are renewed.

use super::error::Failure;
use super::{Service, Smartsheet, TOKEN};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, MutexGuard, PoisonError};
use url::Url;

/// The app's client id.
pub const CLIENT_ID: &str = "sandbox-smartsheet-client";
/// The app's client secret.
pub const CLIENT_SECRET: &str = "sandbox-smartsheet-client-secret";

/// Somebody with an account of their own.
#[derive(Clone, Debug)]
pub struct Account {
    /// Their e-mail address.
    pub email: String,
    /// The sheets that are shared with them, and their access level.
    pub sheets: Vec<(String, &'static str)>,
}

tokio::task_local! {
    /// Whose token the request has; none for the one that sees everything.
    pub(crate) static PERSON: Option<Account>;
}

/// What whoever asks may do in a sheet; `None` when they do not see it.
pub(super) fn level(sheet: &str, of_all: &'static str) -> Option<&'static str> {
    let person = PERSON.try_with(Clone::clone).ok().flatten();
    match person {
        None => Some(of_all),
        Some(person) => person.sheets.iter().find(|(name, _)| name == sheet).map(|(_, level)| *level),
    }
}

/// Why somebody may not do this in the sheet that the path names.
pub(super) fn forbidden(service: &Service, person: Option<&Account>, path: &str, change: bool) -> Option<Failure> {
    let mut parts = path.split('/').skip_while(|p| *p != "sheets").skip(1);
    let sheet: i64 = parts.next()?.parse().ok()?;
    let name = service.world().sheet(sheet).ok()?.name.clone();
    let level = person?.sheets.iter().find(|(of, _)| *of == name).map(|(_, level)| *level);
    match level {
        None => Some(Failure::not_found()),
        Some("COMMENTER") if change && (path.contains("/discussions") || path.contains("/comments")) => None,
        Some("VIEWER" | "COMMENTER") if change => Some(Failure::new(1004, "You are not authorized to perform this action.")),
        Some(_) => None,
    }
}

/// Tokens and codes.
#[derive(Default)]
pub(super) struct Tokens {
    people: Vec<Account>,
    /// The account of the first token, if it does not see everything.
    first: Option<Account>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, (String, String)>,
    codes: HashMap<String, (String, String)>,
    /// Where the app wants people back, as it was told when the app was made.
    redirect: Option<Url>,
    made: usize,
    renewed: usize,
    /// Names and addresses of people whom every account knows.
    contacts: Vec<(String, String)>,
}

/// A token of a person.
struct Access {
    email: String,
    ended: bool,
    /// What it may be used for, separated by spaces or commas.
    scopes: String,
}

impl Tokens {
    /// Why a token may not be used for this: what the person did not agree to. The first token may be used for everything.
    pub fn out_of_scope(&self, authorization: &str, path: &str, change: bool) -> Option<Failure> {
        let access = self.access.get(authorization.strip_prefix("Bearer ")?)?;
        let needed = match (path, change) {
            (path, _) if path.contains("/webhooks") => "ADMIN_WEBHOOKS",
            (path, _) if path.ends_with("/users/me") => return None,
            (path, _) if path.ends_with("/contacts") => "READ_CONTACTS",
            (_, false) => "READ_SHEETS",
            (path, true) if path.contains("/columns") => "ADMIN_SHEETS",
            (_, true) => "WRITE_SHEETS",
        };
        let granted = access.scopes.split([' ', ',']).any(|scope| scope == needed);
        (!granted).then(|| Failure::new(1004, "You are not authorized to perform this action."))
    }

    fn next(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{}", self.made)
    }

    /// Whose token this is; an error when it is nobody's.
    pub fn open(&self, authorization: &str) -> Result<Option<Account>, Failure> {
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if token == TOKEN {
            return Ok(self.first.clone());
        }
        match self.access.get(token) {
            Some(Access { ended: true, .. }) => Err(Failure::new(1003, "Your Access Token has expired.")),
            Some(Access { email, .. }) => Ok(self.people.iter().find(|p| p.email == *email).cloned()),
            None => Err(Failure::new(1002, "Your Access Token is invalid.")),
        }
    }
}

/// `/b/authorize`, by hand: whoever comes agrees as the first person there is.
pub(super) async fn authorize(State(service): State<Arc<Service>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let first = service.tokens().people.first().map(|p| p.email.clone());
    match first.and_then(|email| allow(&service, &asked, &email)) {
        Some(back) => Redirect::to(back.as_str()).into_response(),
        None => (StatusCode::BAD_REQUEST, "nobody has an account here, or the app is not known").into_response(),
    }
}

fn allow(service: &Service, asked: &HashMap<String, String>, email: &str) -> Option<Url> {
    let field = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    if field("client_id") != CLIENT_ID || field("response_type") != "code" || !field("scope").contains("READ_SHEETS") {
        return None;
    }
    let mut tokens = service.tokens();
    let mut back = tokens.redirect.clone()?;
    let code = tokens.next("code");
    tokens.codes.insert(code.clone(), (email.to_owned(), field("scope").to_owned()));
    back.query_pairs_mut().append_pair("code", &code).append_pair("expires_in", "599135").append_pair("state", field("state"));
    Some(back)
}

/// `POST /2.0/token`: a token for a code, or a new pair for an old one, which ends at once.
pub(super) async fn token(State(service): State<Arc<Service>>, body: String) -> Response {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let refused = |error: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({ "errorCode": 1004, "error": error, "error_description": error }))).into_response()
    };
    if (field("client_id"), field("client_secret")) != (CLIENT_ID, CLIENT_SECRET) {
        return refused("invalid_client");
    }
    let mut tokens = service.tokens();
    let known = match field("grant_type") {
        "authorization_code" => tokens.codes.remove(field("code")),
        "refresh_token" => {
            let known = tokens.refresh.remove(field("refresh_token"));
            if let Some((email, _)) = &known {
                tokens.renewed += 1;
                tokens.access.retain(|_, access| access.email != *email);
            }
            known
        }
        _ => return refused("unsupported_grant_type"),
    };
    let Some((email, scopes)) = known else { return refused("invalid_grant") };
    let (access, refresh) = (tokens.next("account-canary"), tokens.next("refresh-canary"));
    tokens.access.insert(access.clone(), Access { email: email.clone(), ended: false, scopes: scopes.clone() });
    tokens.refresh.insert(refresh.clone(), (email, scopes));
    let lifetime = service.options.token_lifetime.as_secs();
    Json(json!({ "access_token": access, "token_type": "bearer", "refresh_token": refresh, "expires_in": lifetime })).into_response()
}

/// `DELETE /2.0/token`: the token ends.
pub(super) async fn revoke(State(service): State<Arc<Service>>, headers: axum::http::HeaderMap) -> Json<Value> {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
    service.tokens().access.remove(token);
    Json(json!({ "message": "SUCCESS", "resultCode": 0 }))
}

/// `GET /2.0/contacts`: whom the account knows, in pages.
pub(super) async fn contacts(State(service): State<Arc<Service>>, Query(page): Query<BTreeMap<String, String>>) -> Json<Value> {
    let known: Vec<Value> = service
        .tokens()
        .contacts
        .iter()
        .enumerate()
        .map(|(i, (name, email))| json!({ "id": format!("contact-{}", i + 1), "name": name, "email": email }))
        .collect();
    Json(super::sheets::paged(known, &page))
}

impl Service {
    pub(super) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Smartsheet {
    /// The settings of an app that people let work in their name.
    pub fn account_settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SMARTSHEET_CLIENT_ID", CLIENT_ID.to_owned()),
            ("SMARTSHEET_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
            ("SMARTSHEET_AUTHORIZE_URL", format!("{}/b/authorize", self.running.origin())),
        ]
    }

    /// The first token sees these sheets only.
    pub fn restrict(&self, sheets: &[(&str, &'static str)]) {
        let sheets = sheets.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        self.service.tokens().first = Some(Account { email: "bot@example.com".into(), sheets });
    }

    /// Every account knows this person, too.
    pub fn acquaint(&self, name: &str, email: &str) {
        self.service.tokens().contacts.push((name.to_owned(), email.to_owned()));
    }

    /// The app is told to want people back here.
    pub fn send_people_back_to(&self, url: &str) {
        self.service.tokens().redirect = Url::parse(url).ok();
    }

    /// Somebody gets an account, or other rights in it.
    pub fn account(&self, email: &str, sheets: &[(&str, &'static str)]) {
        let sheets = sheets.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let mut tokens = self.service.tokens();
        tokens.people.retain(|p| p.email != email);
        tokens.people.push(Account { email: email.to_owned(), sheets });
    }

    /// Somebody opens Smartsheet's question and agrees: where their browser is sent.
    pub fn agree(&self, question: &Url, email: &str) -> Option<Url> {
        allow(&self.service, &question.query_pairs().into_owned().collect(), email)
    }

    /// All tokens of people have run out.
    pub fn expire_tokens(&self) {
        self.service.tokens().access.values_mut().for_each(|access| access.ended = true);
    }

    /// Everybody takes the app's access to their account away.
    pub fn revoke_all(&self) {
        let mut tokens = self.service.tokens();
        tokens.access.clear();
        tokens.refresh.clear();
    }

    /// How many tokens of people work, and how often one was renewed.
    pub fn tokens(&self) -> (usize, usize) {
        let tokens = self.service.tokens();
        (tokens.access.values().filter(|access| !access.ended).count(), tokens.renewed)
    }
}
