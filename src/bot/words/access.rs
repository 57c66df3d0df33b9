//! Words about who may use the bot.

use crate::access::Role;
use chat::Message;

pub(in crate::bot) fn welcome(role: Role) -> Message {
    let may = match role {
        Role::Nobody | Role::Reader => "You can ask me about sheets.",
        Role::Editor => "You can ask me about sheets, and change them.",
        Role::Admin => "You can ask me about sheets, change them, and decide for others.",
    };
    Message::text(&format!("Welcome! {may} Type `help` to see how."))
}

pub(in crate::bot) fn no_such_code() -> &'static str {
    "That code does not work: it was used before, or a day has passed. Ask whoever runs me for a new one."
}

pub(in crate::bot) fn who_are_you() -> &'static str {
    "I cannot find out who you are at the moment, so I do nothing. Please try again in a minute."
}

pub(in crate::bot) fn may_only_ask() -> &'static str {
    "You may ask me about sheets here, not change them. Whoever runs me can change that (`chatsheet access role`)."
}
