//! Smartsheet's errors as what people are told, or what is logged.

use crate::error::{Trouble, UserError, told};
use crate::smartsheet::Error;
use std::time::Duration;

/// Smartsheet counts requests by the minute.
const WINDOW: Duration = Duration::from_secs(60);

/// Decides which errors of Smartsheet a person can do something about, and says what.
pub fn smartsheet_trouble(error: Error) -> Trouble {
    match error {
        // Whoever runs the bot can mend it; what can wait may as well.
        Error::Unauthorized { .. } => later(
            "Smartsheet no longer accepts my access token. Please ask the person who runs me to set a new SMARTSHEET_ACCESS_TOKEN (`chatsheet check` tells whether it works).",
        ),
        Error::NotConnected => told("Your Smartsheet account is not connected any more. Say `connect` to connect it again."),
        Error::NotFound(_) => told(
            "I cannot find that in Smartsheet, or it is not shared with me. Please check the name, or share the sheet with the account I run under.",
        ),
        Error::Forbidden { message, .. } => told(format!(
            "Smartsheet does not let me do that: {message} Ask an owner of the sheet for more rights for the account I run under."
        )),
        Error::Refused { message, code, .. } => told(format!("Smartsheet refused this ({code}): {message}")),
        Error::RateLimited(wait) => later(format!(
            "Smartsheet's rate limit is used up at the moment. Please try again in {}.",
            chat::text::duration(wait.unwrap_or(WINDOW))
        )),
        Error::Busy(_) => {
            later("Somebody else is saving this sheet right now, and it did not become free in time. Please try again in a moment.")
        }
        Error::TooLarge(most) => told(format!(
            "This is larger than the {} MB that I take in at once. Ask the operator to raise SMARTSHEET_MAX_ANSWER_MB, or make the sheet smaller.",
            most / 1_000_000
        )),
        Error::Unreachable(_) => later("Smartsheet does not answer at the moment. Please try again in a minute."),
        error @ (Error::MayHaveLanded(_) | Error::Malformed(_)) => Trouble::Logged(error.into()),
    }
}

fn later(words: impl Into<String>) -> Trouble {
    Trouble::Later(UserError::new(words))
}
