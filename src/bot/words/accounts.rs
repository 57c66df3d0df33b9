//! What is said about people's own accounts.

use super::{md, note};
use chat::{Block, Button, ButtonStyle, Message, escape};
use url::Url;

pub(in crate::bot) fn connect(link: &Url) -> Message {
    Message::new(vec![
        md(&format!("[Connect your Smartsheet account]({link}).")),
        note(
            "From then on I see and change for you what you may, and nothing else. This link is for you alone and works for half an hour; `disconnect` ends it all.",
        ),
    ])
}

pub(in crate::bot) fn connect_first() -> &'static str {
    "I work with your own rights in Smartsheet here, so please connect your account first: say `connect`."
}

pub(super) fn sheets_need_one() -> &'static str {
    "**Sheets**\nConnect your Smartsheet account below to see yours here."
}

pub(in crate::bot) fn no_accounts() -> &'static str {
    "Nobody can connect an account of their own here: I work with the rights of the account that I run under. Whoever runs me sets SMARTSHEET_CLIENT_ID to change that."
}

pub(in crate::bot) fn disconnected(was_connected: bool, required: bool) -> Message {
    Message::text(match (was_connected, required) {
        (false, _) => "You have no account connected.",
        (true, true) => "Your Smartsheet account is no longer connected. `connect` connects it again.",
        (true, false) => "Your Smartsheet account is no longer connected; what you ask for is done under the account that I run under.",
    })
}

/// What a person is told who has just connected their account.
pub fn connected(email: &str) -> Message {
    Message::text(&format!("Your Smartsheet account {} is connected: I work with your rights from now on.", escape(email)))
}

/// For the page of the bot: connect, or disconnect.
pub(super) fn account(connected: bool) -> Vec<Block> {
    let (words, label, action) = if connected {
        ("**Your Smartsheet account**\nIt is connected: I work with your rights.", "Disconnect", "say:disconnect")
    } else {
        ("**Your Smartsheet account**\nConnect it, and I work with your rights.", "Connect", "say:connect")
    };
    let button = Button { label: label.into(), action: action.into(), style: ButtonStyle::Plain };
    vec![md(words), Block::Buttons(vec![button])]
}
