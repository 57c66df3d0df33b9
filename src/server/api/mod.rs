//! The REST API: the seed's endpoints over the same parts that the conversation uses. One file per resource.
#![expect(unused_qualifications, reason = "utoipa writes its paths out in full")]

mod auth;
mod columns;
mod conversation;
mod examples;
mod extract;
mod idempotency;
mod jobs;
mod messages;
mod page;
mod problem;
mod rows;
mod sessions;
mod sheets;
mod ticket;
mod writes;

pub(super) use auth::{Caller, at_the_pace_of_its_address};
pub use auth::{Scope, new_key};
pub(super) use conversation::Served;
pub(super) use extract::{Body, Fields, Whence, Writer};
pub use problem::Problem;
pub(super) use problem::Result;

use crate::access::Access;
use crate::bot::Door;
use crate::changes::Changes;
use crate::clock::Clock;
use crate::events::Events;
use crate::jobs::Jobs;
use crate::links::Links;
use crate::server::Proxies;
use crate::server::live::Live;
use crate::sheet::Sheets;
use crate::smartsheet::SheetEntry;
use crate::store::Store;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use bytes::Bytes;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the API works with.
pub struct Parts {
    /// What is remembered.
    pub store: Store,
    /// Sheets.
    pub sheets: Sheets,
    /// Proposals and their application.
    pub changes: Changes,
    /// Long work.
    pub jobs: Arc<Jobs>,
    /// Where messages and approvals come in.
    pub door: Arc<Door>,
    /// Who may use the bot.
    pub access: Access,
    /// The time.
    pub clock: Clock,
    /// What happens.
    pub events: Events,
    /// Links to the sheet viewer, which stand sealed in messages that are kept.
    pub links: Links,
    /// Live connections.
    pub live: Arc<Live>,
    /// Who tells where requests come from.
    pub proxies: Proxies,
}

/// The API.
pub struct Api {
    pub(super) parts: Parts,
    gate: auth::Gate,
    /// The sheets that there are, for some seconds: programs name them again and again.
    directory: Cache<(), Arc<Vec<SheetEntry>>>,
}

/// How long it is remembered which sheets there are.
const DIRECTORY: Duration = Duration::from_secs(5);

impl Api {
    /// The API over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let directory = Cache::builder().time_to_live(DIRECTORY).build();
        Arc::new(Self { parts, gate: auth::Gate::new(), directory })
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ChatSheetAI",
        description = "Sheets, conversations and jobs of a ChatSheetAI bot. Every request carries `Authorization: Bearer KEY`; `chatsheet key create` makes keys. POST requests may carry an `Idempotency-Key`: the same request, sent again, is carried out once and gets the same answer. Ids are text: they may be larger than numbers in JavaScript. Problems come as `application/problem+json`.",
    ),
    tags(
        (name = "sessions", description = "Conversations about a sheet."),
        (name = "messages", description = "What is said in them."),
        (name = "smartsheet", description = "Sheets, their columns and rows."),
        (name = "jobs", description = "Long work over rows."),
        (name = "live", description = "What happens, told at once."),
    ),
    servers((url = "/", description = "The server that this document comes from.")),
    paths(crate::server::smartsheet::called),
    security(("key" = [])),
    modifiers(&Security),
    components(schemas(Problem)),
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        document.components.get_or_insert_default().add_security_scheme("key", scheme);
    }
}

fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(sessions::list, sessions::create))
        .routes(routes!(sessions::read, sessions::delete))
        .routes(routes!(messages::list, messages::send, messages::clear))
        .routes(routes!(sheets::list))
        .routes(routes!(sheets::read))
        .routes(routes!(columns::list, columns::add))
        .routes(routes!(columns::update, columns::delete))
        .routes(routes!(rows::list, rows::add))
        .routes(routes!(rows::read, rows::update, rows::delete))
        .routes(routes!(jobs::list, jobs::create))
        .routes(routes!(jobs::read, jobs::cancel))
        .routes(routes!(ticket::make))
}

/// The description of the API as JSON (OpenAPI 3.1).
///
/// # Errors
/// When it cannot be written as JSON.
pub fn document() -> serde_json::Result<String> {
    described(routes().into_openapi()).to_pretty_json()
}

/// What any request may meet.
const FAILURES: [(&str, &str); 2] = [
    ("500", "Our fault; `reference` names the line in the log."),
    ("503", "Smartsheet, the model or the database does not answer, or a limit is used up; `Retry-After` says when to try again."),
];

/// Says what answers are that say nothing of themselves, since OpenAPI wants a description of each, and what any of them may be.
fn described(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    examples::put_into(&mut document);
    for item in document.paths.paths.values_mut() {
        let mut operations: Vec<_> = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten().collect();
        for operation in &mut operations {
            for (status, words) in FAILURES {
                let problem = Content::new(Some(Ref::from_schema_name("Problem")));
                let response = ResponseBuilder::new().description(words).content("application/problem+json", problem).build();
                operation.responses.responses.entry(status.into()).or_insert(RefOr::T(response));
            }
        }
        for (status, response) in operations.into_iter().flat_map(|o| &mut o.responses.responses) {
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                let problem = !status.starts_with('2');
                response.description = if problem { "A problem; `code` says what to do." } else { "As it is then." }.into();
            }
        }
    }
    document
}

/// The routes of the API.
pub fn router(api: Arc<Api>) -> Router {
    let (behind_the_gate, document) = routes().split_for_parts();
    let document = described(document);
    let page = page::of(&document);
    let document = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    behind_the_gate
        .layer(from_fn_with_state(api.clone(), idempotency::once))
        .layer(from_fn_with_state(api.clone(), auth::authenticate))
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "not_allowed",
                "This path does not take this method; /api/docs lists what it takes.",
            )
        })
        .with_state(api)
        .route("/api/openapi.json", get(move || async move { ([(CONTENT_TYPE, "application/json")], document) }))
        .route("/api/docs", get(move || async move { page }))
        .route("/api/docs.css", get(|| async { ([(CONTENT_TYPE, "text/css")], page::STYLE) }))
}
