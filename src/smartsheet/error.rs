//! Why a call failed, named after what the caller does next.

use std::time::Duration;

/// Error of a Smartsheet call. Transient faults were already tried again where that is safe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is missing, wrong or expired: the operator must replace it.
    #[error("smartsheet refused the access token (code {code}): {message}")]
    Unauthorized {
        /// Smartsheet's `errorCode`.
        code: u32,
        /// Smartsheet's words.
        message: String,
    },
    /// The person's own account is not connected any more: they have to connect it again.
    #[error("the person's account is not connected")]
    NotConnected,
    /// The sheet, row or column does not exist, or the identity may not see it.
    #[error("not found, or not shared with this token: {0}")]
    NotFound(String),
    /// The identity may not do this: tell the person.
    #[error("not allowed (code {code}): {message}")]
    Forbidden {
        /// Smartsheet's `errorCode`.
        code: u32,
        /// Smartsheet's words.
        message: String,
    },
    /// Smartsheet does not accept the request as it is: change it before sending it again.
    #[error("smartsheet refused the request (code {code}): {message}")]
    Refused {
        /// Smartsheet's `errorCode`.
        code: u32,
        /// Smartsheet's words.
        message: String,
        /// The row of a bulk request that was at fault.
        row_id: Option<i64>,
    },
    /// Too many requests: try again after this time, if one was given.
    #[error("smartsheet's rate limit is used up")]
    RateLimited(Option<Duration>),
    /// Somebody else is saving the sheet, still after several tries: try again later.
    #[error("the sheet is being saved by another request: {0}")]
    Busy(String),
    /// The answer was lost and the write may have been carried out: read back before sending again.
    #[error("the write may have been carried out: {0}")]
    MayHaveLanded(String),
    /// Smartsheet is down or cannot be reached: try again later.
    #[error("smartsheet cannot be reached: {0}")]
    Unreachable(String),
    /// The answer is larger than is taken in; the most bytes.
    #[error("smartsheet's answer is larger than {} MB (SMARTSHEET_MAX_ANSWER_MB)", .0 / 1_000_000)]
    TooLarge(u64),
    /// Smartsheet answered something that is not documented.
    #[error("smartsheet's answer cannot be read: {0}")]
    Malformed(String),
}

/// What happened to one attempt, before it is decided whether to try again.
#[derive(Debug)]
pub(super) enum Attempt {
    /// Not carried out for sure; may be sent again after the time that was asked for, if any.
    Transient { error: Error, wait: Option<Duration> },
    /// Perhaps carried out: only requests that may be repeated are sent again.
    Doubtful(String),
    /// Final.
    Final(Error),
}

/// The documented error body.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body {
    pub error_code: u32,
    pub message: String,
    pub detail: serde_json::Value,
}

impl Body {
    pub fn row_id(&self) -> Option<i64> {
        let detail = self.detail.as_array().and_then(|a| a.first()).unwrap_or(&self.detail);
        detail["rowId"].as_i64()
    }
}

/// Reads status, error body and `Retry-After` the way the official SDKs do: by `errorCode` first.
pub(super) fn classify(status: u16, body: &[u8], retry_after: Option<Duration>) -> Attempt {
    let parsed: Body = serde_json::from_slice(body).unwrap_or_default();
    let (code, message) = (parsed.error_code, parsed.message.clone());
    let transient = |error| Attempt::Transient { error, wait: retry_after };
    match (code, status) {
        (4003, _) | (0, 429) => transient(Error::RateLimited(retry_after)),
        (4004, _) => transient(Error::Busy(message)),
        (4001, _) => transient(Error::Unreachable(message)),
        (4002, _) => Attempt::Doubtful(message),
        (0, 500..=599) => Attempt::Doubtful(format!("HTTP {status}")),
        (1001..=1003, _) => Attempt::Final(Error::Unauthorized { code, message }),
        (1006, _) => Attempt::Final(Error::NotFound(message)),
        (_, 401) => Attempt::Final(Error::Unauthorized { code, message }),
        (_, 403) => Attempt::Final(Error::Forbidden { code, message }),
        (0, 404) => Attempt::Final(Error::NotFound(format!("HTTP {status}"))),
        _ => Attempt::Final(Error::Refused { code, message, row_id: parsed.row_id() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(attempt: &Attempt) -> String {
        match attempt {
            Attempt::Transient { error, .. } => format!("again: {error}"),
            Attempt::Doubtful(why) => format!("doubtful: {why}"),
            Attempt::Final(error) => format!("final: {error}"),
        }
    }

    #[test]
    fn the_error_code_decides_what_is_tried_again() {
        let of = |status, code: u32| name(&classify(status, format!(r#"{{"errorCode":{code},"message":"m"}}"#).as_bytes(), None));
        insta::assert_snapshot!(of(429, 4003), @"again: smartsheet's rate limit is used up");
        insta::assert_snapshot!(of(500, 4004), @"again: the sheet is being saved by another request: m");
        insta::assert_snapshot!(of(503, 4001), @"again: smartsheet cannot be reached: m");
        insta::assert_snapshot!(of(500, 4002), @"doubtful: m");
        insta::assert_snapshot!(of(500, 4000), @"final: smartsheet refused the request (code 4000): m");
        insta::assert_snapshot!(of(401, 1002), @"final: smartsheet refused the access token (code 1002): m");
        insta::assert_snapshot!(of(404, 1006), @"final: not found, or not shared with this token: m");
        insta::assert_snapshot!(of(403, 1004), @"final: not allowed (code 1004): m");
        insta::assert_snapshot!(of(400, 1042), @"final: smartsheet refused the request (code 1042): m");
        insta::assert_snapshot!(name(&classify(502, b"<html>", None)), @"doubtful: HTTP 502");
        insta::assert_snapshot!(name(&classify(503, b"upstream reset before headers", None)), @"doubtful: HTTP 503");
    }
}
