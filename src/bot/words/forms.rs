//! The words of forms.

use crate::jobs::Parameters;
use crate::store::Proposal;
use chat::{Field, Form, Message, escape};

/// Fields of forms.
pub(in crate::bot) const COUNT: &str = "count";
/// See [`COUNT`].
pub(in crate::bot) const INSTRUCTIONS: &str = "instructions";
/// See [`COUNT`].
pub(in crate::bot) const LIMIT: &str = "limit";

pub(in crate::bot) fn count_form(proposal: &Proposal) -> Form {
    let rows = proposal.row_count;
    let field = Field {
        name: COUNT,
        label: format!("How many rows are changed? Type {rows} to carry it out."),
        hint: String::new(),
        value: String::new(),
        long: false,
        optional: false,
    };
    Form { action: format!("count:{}", proposal.id), title: "A large change".into(), submit: "Carry it out".into(), fields: vec![field] }
}

pub(in crate::bot) fn adjust_form(id: &str, parameters: &Parameters) -> Form {
    let field = |name, label: &str, hint: &str, value: String, long| Field {
        name,
        label: label.into(),
        hint: hint.into(),
        value,
        long,
        optional: true,
    };
    let limit = parameters.limit.map(|l| l.to_string()).unwrap_or_default();
    let instructions = parameters.instructions.clone().unwrap_or_default();
    let fields = vec![
        field(INSTRUCTIONS, "What to pay attention to", "Criteria, focus or tone, in your words.", instructions, true),
        field(LIMIT, "Limit", "Longest text in characters, highest score, or most terms. Empty for the usual one.", limit, false),
    ];
    Form { action: format!("adjust:{id}"), title: "Adjust the job".into(), submit: "Try it".into(), fields }
}

pub(in crate::bot) fn trying_that() -> &'static str {
    "trying that on the first rows"
}

pub(in crate::bot) fn adjusted() -> Message {
    Message::text("✏️ Adjusted: the new proposal is below.")
}

pub(in crate::bot) fn no_form() -> &'static str {
    "The form could not be opened in time. Please press Adjust again, or say in the thread what is to be different."
}

pub(in crate::bot) fn needs_instructions() -> &'static str {
    "This job does what its instructions say, so it needs some. Press Adjust again."
}

pub(in crate::bot) fn not_a_limit(given: &str) -> String {
    format!("The limit is a whole number, such as 200, not “{}”. Press Adjust again.", escape(&chat::text::shorten(given, 40)))
}
