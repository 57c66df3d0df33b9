//! Forms as modals: opened over a press, and what comes back from them.

use crate::Slack;
use crate::event::Place;
use crate::wire::{Submission, Typed};
use chat::{Addressed, Anchor, ChatError, Field, Form, Incoming, MessageRef, Sender, What, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

const TITLE_CHARS: usize = 24;
const LABEL_CHARS: usize = 2_000;
const VALUE_CHARS: usize = 3_000;
/// The action of a field's element; the field's name is its block.
const ELEMENT: &str = "value";

/// Where a form was opened, kept in the form itself.
#[derive(Serialize, Deserialize)]
struct Opened {
    anchor: Anchor,
    message: Option<MessageRef>,
}

impl Slack {
    /// Opens a form over the message whose button was pressed; Slack allows that for three seconds.
    pub(crate) async fn open_modal(&self, press: &Incoming, form: &Form) -> Result<(), ChatError> {
        let message = match &press.what {
            What::Press { message, .. } => message.clone(),
            _ => None,
        };
        let opened = serde_json::to_string(&Opened { anchor: press.anchor.clone(), message }).unwrap_or_default();
        let view = json!({
            "type": "modal", "callback_id": form.action, "private_metadata": opened, "title": words(&form.title, TITLE_CHARS),
            "submit": words(&form.submit, TITLE_CHARS), "close": words("Close", TITLE_CHARS),
            "blocks": form.fields.iter().map(input).collect::<Vec<_>>(),
        });
        let place = Place::read(&press.anchor).ok_or_else(|| ChatError::Gone("the address is not one of Slack".into()))?;
        self.call::<Value>(&place.team, "views.open", &json!({ "trigger_id": press.delivery_id, "view": view })).await.map(drop)
    }
}

fn words(text: &str, chars: usize) -> Value {
    json!({ "type": "plain_text", "text": text::shorten(text, chars) })
}

fn input(field: &Field) -> Value {
    let mut element = json!({ "type": "plain_text_input", "action_id": ELEMENT, "multiline": field.long, "max_length": VALUE_CHARS });
    if !field.value.is_empty() {
        element["initial_value"] = json!(text::shorten(&field.value, VALUE_CHARS));
    }
    let label = words(&field.label, LABEL_CHARS);
    let mut block = json!({ "type": "input", "block_id": field.name, "optional": field.optional, "label": label, "element": element });
    if !field.hint.is_empty() {
        block["hint"] = words(&field.hint, LABEL_CHARS);
    }
    block
}

/// A form that was filled in.
pub(crate) fn filled(submission: Submission, now_ms: i64) -> Option<Incoming> {
    let view = submission.view;
    let Opened { anchor, message } = serde_json::from_str(view.private_metadata.as_deref().filter(|_| view.kind == "modal")?).ok()?;
    let place = Place::read(&anchor)?;
    let value = |mut elements: HashMap<String, Typed>| elements.remove(ELEMENT).and_then(|e| e.value).unwrap_or_default();
    Some(Incoming {
        dedupe_id: format!("form:{}", view.id),
        delivery_id: view.id,
        thread: place.thread(),
        anchor,
        sender: Sender {
            name: submission.user.name(),
            ..crate::event::from(submission.user.id.clone(), submission.user.team_id.clone(), &place)
        },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what: What::Filled {
            action: view.callback_id?,
            values: view.state.values.into_iter().map(|(name, e)| (name, value(e))).collect(),
            message,
        },
        beside: Vec::new(),
        mentions: Vec::new(),
        amends: false,
        received_at_ms: now_ms,
    })
}
