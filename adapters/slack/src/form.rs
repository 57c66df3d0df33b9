//! Forms as modals: opened over a press, and what comes back from them.

use crate::Slack;
use crate::event::Place;
use chat::{Addressed, Anchor, ChatError, Field, Form, Incoming, MessageRef, Sender, What, text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use slack_morphism::prelude::*;

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
        self.call::<Value>("views.open", &json!({ "trigger_id": press.delivery_id, "view": view })).await.map(drop)
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
pub(crate) fn filled(submission: SlackInteractionViewSubmissionEvent, now_ms: i64) -> Option<Incoming> {
    let SlackView::Modal(view) = submission.view.view else { return None };
    let Opened { anchor, message } = serde_json::from_str(&view.private_metadata?).ok()?;
    let place = Place::read(&anchor)?;
    let fields = submission.view.state_params.state.into_iter().flat_map(|s| s.values);
    let value = |mut elements: std::collections::HashMap<SlackActionId, SlackViewStateValue>| {
        elements.remove(&SlackActionId(ELEMENT.into())).and_then(|e| e.value).unwrap_or_default()
    };
    let id = submission.view.state_params.id.0;
    Some(Incoming {
        dedupe_id: format!("form:{id}"),
        delivery_id: id,
        thread: place.thread(),
        anchor,
        sender: Sender { id: submission.user.id.0, name: submission.user.name },
        addressed: if place.is_dm() { Addressed::Dm } else { Addressed::Mention },
        what: What::Filled { action: view.callback_id?.0, values: fields.map(|(name, e)| (name.0, value(e))).collect(), message },
        received_at_ms: now_ms,
    })
}
