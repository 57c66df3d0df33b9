//! Modals: opened over a press within three seconds, filled in by people.

use super::api::{ok, refused};
use super::people::Delivered;
use super::{Slack, State as World};
use crate::serve;
use axum::response::Response;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a press allows a modal to be opened.
const OPENABLE: Duration = Duration::from_secs(3);

/// Presses, and the modals that are open.
#[derive(Default)]
pub(super) struct Modals {
    presses: HashMap<String, (String, Instant)>,
    open: HashMap<String, Value>,
    opened: usize,
}

impl Modals {
    /// A person pressed something.
    pub fn pressed(&mut self, trigger: &str, user: &str) {
        self.presses.insert(trigger.to_owned(), (user.to_owned(), Instant::now()));
    }
}

fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |s| s.chars().count())
}

/// What is wrong with a modal; `None` when Slack would take it.
fn fault(view: &Value) -> Option<String> {
    let titles =
        ["title", "submit", "close"].iter().all(|t| (1..=24).contains(&chars(&view[*t]["text"])) && view[*t]["type"] == "plain_text");
    if view["type"] != "modal" || !titles || chars(&view["callback_id"]) > 255 || chars(&view["private_metadata"]) > 3_000 {
        return Some("bad modal".into());
    }
    let blocks = view["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    blocks.iter().find_map(|block| {
        let element = &block["element"];
        let fits = block["type"] == "input"
            && (1..=255).contains(&chars(&block["block_id"]))
            && (1..=2_000).contains(&chars(&block["label"]["text"]))
            && chars(&block["hint"]["text"]) <= 2_000
            && element["type"] == "plain_text_input"
            && (1..=255).contains(&chars(&element["action_id"]))
            && chars(&element["initial_value"]) <= 3_000;
        (!fits).then(|| format!("bad input {block}"))
    })
}

pub(super) fn open(state: &mut World, body: &Value) -> Response {
    let Some((user, at)) = state.modals.presses.remove(body["trigger_id"].as_str().unwrap_or_default()) else {
        return refused("invalid_trigger_id");
    };
    if at.elapsed() > OPENABLE {
        return refused("expired_trigger_id");
    }
    let mut view = body["view"].clone();
    if fault(&view).is_some() {
        return refused("invalid_arguments");
    }
    state.modals.opened += 1;
    (view["id"], view["hash"], view["team_id"]) = (json!(format!("V{}", state.modals.opened)), json!("1.x"), json!(state.acting));
    state.modals.open.insert(user, view.clone());
    ok(json!({ "view": view }))
}

impl Slack {
    /// What a person reads in the modal that is open for them: its title, and each question with what stands there.
    pub fn modal(&self, user: &str) -> Option<Vec<String>> {
        let state = self.service.state();
        let view = state.modals.open.get(user)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let questions = view["blocks"].as_array().into_iter().flatten();
        let asked = questions.map(|b| format!("{} [{}]", text(&b["label"]["text"]), text(&b["element"]["initial_value"])));
        Some([text(&view["title"]["text"])].into_iter().chain(asked).collect())
    }

    /// Returns when a modal is open for a person. Fails after a minute.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn until_modal(&self, user: &str) -> anyhow::Result<()> {
        let seen = || vec![format!("no modal for {user}")];
        serve::until(&self.service.changed, || self.modal(user).is_some(), seen).await
    }

    /// Somebody fills in the modal that is open for them: names of fields, and what they type. The rest stays as it is.
    pub async fn fill(&self, user: &str, typed: &[(&str, &str)]) -> Delivered {
        let Some(view) = self.service.state().modals.open.remove(user) else { return Delivered::default() };
        let mut values = Map::new();
        for block in view["blocks"].as_array().into_iter().flatten() {
            let (name, element) = (block["block_id"].as_str().unwrap_or_default(), &block["element"]);
            let value = typed.iter().find(|(n, _)| *n == name).map_or(element["initial_value"].clone(), |(_, v)| json!(v));
            let action = element["action_id"].as_str().unwrap_or_default();
            values.insert(name.to_owned(), json!({ action: { "type": "plain_text_input", "value": value } }));
        }
        let mut filled = view;
        filled["state"] = json!({ "values": values });
        let payload = json!({
            "type": "view_submission", "api_app_id": "A1", "token": "x", "trigger_id": "trigger.form",
            "user": { "id": user, "username": user, "name": user }, "view": filled, "response_urls": [],
        });
        self.service.deliver_payload(&self.workspace, payload).await
    }
}
