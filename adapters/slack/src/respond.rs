//! The way back to whoever has used the slash command, where the bot itself may not write.
//! <https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>

use crate::Slack;
use crate::event::Place;
use crate::render::Part;
use crate::web::part_body;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use moka::future::Cache;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;

/// Slack takes five answers to a command, within half an hour.
const ANSWERS: usize = 5;
const LIFETIME: Duration = Duration::from_secs(29 * 60);
const REMEMBERED: u64 = 10_000;
const TIMEOUT: Duration = Duration::from_secs(10);
/// Where answers to commands go; nothing is ever sent anywhere else.
const HOST: &str = "hooks.slack.com";

/// The last command of a person in a channel: install, channel, person.
type Key = (String, String, String);

/// The ways back that are known.
pub(crate) struct Responses(Cache<Key, Arc<Way>>);

struct Way {
    url: Url,
    left: AtomicUsize,
}

impl Responses {
    pub fn new() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_live(LIFETIME).build())
    }
}

fn key(place: &Place, user: &str) -> Key {
    (place.team.clone(), place.channel.clone(), user.to_owned())
}

impl Slack {
    /// Remembers where a command of this person may be answered.
    pub(crate) async fn remember_way(&self, place: &Place, user: &str, url: &str) {
        let Ok(url) = Url::parse(url) else { return };
        let slacks = url.scheme() == "https" && url.host_str() == Some(HOST);
        if slacks || url.origin() == self.api_base_url.origin() {
            self.responses.0.insert(key(place, user), Arc::new(Way { url, left: AtomicUsize::new(ANSWERS) })).await;
        }
    }

    /// Answers where the command was typed, for its person alone; `false` when that cannot be done any more.
    pub(crate) async fn respond(&self, place: &Place, user: &str, parts: &[Part]) -> bool {
        let Some(way) = self.responses.0.get(&key(place, user)).await else { return false };
        let take = |left: usize| left.checked_sub(parts.len());
        if way.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return false;
        }
        for part in parts {
            let mut body = part_body(&place.channel, part);
            (body["response_type"], body["replace_original"]) = (json!("ephemeral"), json!(false));
            match tokio::time::timeout(TIMEOUT, self.send_back(&way.url, body.to_string())).await {
                Ok(Ok(StatusCode::OK)) => {}
                Ok(Ok(status)) => {
                    tracing::info!(%status, "slack does not take an answer to a command any more");
                    return false;
                }
                Ok(Err(error)) => {
                    tracing::info!(error, "an answer to a command did not go out");
                    return false;
                }
                Err(_) => return false,
            }
        }
        true
    }

    async fn send_back(&self, url: &Url, body: String) -> Result<StatusCode, String> {
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build(self.https.clone());
        let request = Request::post(url.as_str()).header(header::CONTENT_TYPE, "application/json").body(Body::from(body));
        let answer = client.request(request.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())?;
        Ok(answer.status())
    }
}
