//! What a scripted model says, step by step; also readable from a file of JSON lines.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One answer of the model.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Words.
    Say(String),
    /// Words that grow, a few every 50 ms.
    Grow(String),
    /// One call of a function.
    Call {
        /// Name of the function.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
    /// Several calls in one answer.
    Calls(Vec<(String, Value)>),
    /// A call whose arguments are this text, JSON or not.
    RawCall {
        /// Name of the function.
        name: String,
        /// The text of the arguments.
        arguments: String,
        /// Why the answer ended.
        finish_reason: String,
    },
    /// Words that end for another reason than `stop`.
    Cut {
        /// The words so far.
        text: String,
        /// Why the answer ended.
        finish_reason: String,
    },
    /// An HTTP answer as it is.
    Http {
        /// HTTP status.
        status: u16,
        /// HTTP headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// JSON body.
        body: Value,
    },
    /// A stream of exactly these bytes, status 200.
    Stream(String),
    /// The same in pieces of three bytes, which cut letters and lines in the middle.
    Pieces(String),
}

impl Reply {
    /// A call of a function.
    pub fn call(name: &str, arguments: Value) -> Self {
        Self::Call { name: name.into(), arguments }
    }

    /// The same with what the last function has brought in place of `{result}`, `{total}` and `{first}` (the first value of its first row).
    pub(super) fn filled(self, request: &Value) -> Self {
        let Self::Say(text) = self else { return self };
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let last = messages.iter().rev().find(|m| m["role"] == "tool").and_then(|m| m["content"].as_str());
        let result: Value = last.and_then(|content| serde_json::from_str(content).ok()).unwrap_or_default();
        let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let first = result["rows"][0].as_array().into_iter().flatten().find(|v| v.as_str().is_none_or(|s| s.len() < 15));
        let text = text.replace("{result}", &word(&result["result"])).replace("{total}", &word(&result["total"]));
        Self::Say(text.replace("{first}", &first.map(word).unwrap_or_default()))
    }

    /// Reads a script: one reply a line.
    ///
    /// # Errors
    /// When a line is not a reply; the error names the line.
    pub fn parse_lines(text: &str) -> anyhow::Result<Vec<Self>> {
        let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
        lines.map(|(n, line)| serde_json::from_str(line).map_err(|e| anyhow::anyhow!("line {}: {e}", n + 1))).collect()
    }
}
