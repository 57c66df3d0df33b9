//! Why the model did not answer, named after what the caller does next.

use serde_json::Value;
use std::time::Duration;

/// Error of a model call. Transient faults were already tried again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The content filter refused the prompt or the answer: tell the person; never repeat.
    #[error("the content filter refused it ({})", .0.join(", "))]
    Filtered(Vec<String>),
    /// The conversation is longer than the model takes: make it shorter, once.
    #[error("the conversation is too long for the model")]
    TooLong,
    /// The answer was cut off at the token limit; what there is of a function call must not be run.
    #[error("the answer was cut off at the token limit")]
    CutOff,
    /// The key is wrong, or the network rules keep us out: the operator must act.
    #[error("the model refused the credentials: {0}")]
    Unauthorized(String),
    /// There is no such deployment or URL: the operator must act.
    #[error("the deployment was not found: {0}")]
    NotFound(String),
    /// The answer is not the JSON that was asked for.
    #[error("the model's answer is not what was asked for: {0}")]
    Nonsense(String),
    /// The model asks to wait longer than a person would: try again after that.
    #[error("the model's rate limit is used up, retry after {0:?}")]
    RateLimited(Duration),
    /// The quota or the budget of the deployment is used up: waiting does not help, the operator must act.
    #[error("the model's quota is used up: {0}")]
    QuotaSpent(String),
    /// It takes no functions, so it cannot look into a sheet: the operator must choose another one.
    #[error("the model takes no functions: {0}")]
    NoFunctions(String),
    /// The request is not accepted as it is: a fault of ours, or an operation this model lacks.
    #[error("the model refused the request: {0}")]
    Refused(String),
    /// The model cannot be reached, or fails: try again later.
    #[error("the model does not answer: {0}")]
    Unavailable(String),
}

/// How long a deployment that is overrun is left alone when it does not say.
pub(super) const UNTOLD_WAIT: Duration = Duration::from_secs(10);

/// An HTTP answer that is not a success, with all that async-openai's own error would drop.
#[derive(Debug, thiserror::Error)]
#[error("HTTP {status}")]
pub(super) struct HttpFailure {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: String,
}

/// What to do about a failed attempt.
#[derive(Debug)]
pub(super) enum Verdict {
    Final(Error),
    /// Try again, after this long if the service said so.
    Again(Error, Option<Duration>),
    /// What this deployment does not take, and what it says of it.
    Unsupported(Refusal, String),
}

/// What a deployment does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A parameter.
    Parameter(&'static str),
    /// The operation as a whole.
    Operation,
    /// What was thought elsewhere.
    Thoughts,
}

impl HttpFailure {
    /// What stands for an answer where there was no token to ask with: for now, or until an operator acts.
    pub fn without_token(why: &str, for_now: bool) -> Self {
        Self { status: if for_now { 503 } else { 401 }, retry_after: None, body: why.to_owned() }
    }

    pub fn verdict(&self) -> Verdict {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        // Gateways in front of the service answer `{"statusCode":429,"message":…}`.
        let error = if body["error"].is_object() { &body["error"] } else { &body };
        let message = error["message"].as_str().unwrap_or(&self.body).chars().take(500).collect::<String>();
        let code = error["code"].as_str().unwrap_or_default();
        // What a quota is called stands beside the code, too.
        let spent = [code, error["type"].as_str().unwrap_or_default()].iter().any(|word| SPENT.contains(word));
        if let Some(categories) = filter_categories(error) {
            return Verdict::Final(Error::Filtered(categories));
        }
        match (self.status, code) {
            (400, "context_length_exceeded") => Verdict::Final(Error::TooLong),
            (400, _) if ["maximum context length", "context limit", "context window"].iter().any(|words| message.contains(words)) => {
                Verdict::Final(Error::TooLong)
            }
            (413 | 431, _) => Verdict::Final(Error::TooLong),
            (400, "invalid_encrypted_content") => Verdict::Unsupported(Refusal::Thoughts, message),
            (400, "invalid_prompt") => Verdict::Final(Error::Filtered(Vec::new())),
            (400 | 404, _) if code == "OperationNotSupported" || ELSEWHERE.iter().any(|words| message.contains(words)) => {
                Verdict::Unsupported(Refusal::Operation, message)
            }
            (400..=499, _) if WITHOUT_FUNCTIONS.iter().any(|words| message.contains(words)) => Verdict::Final(Error::NoFunctions(message)),
            (402, _) => Verdict::Final(Error::QuotaSpent(message)),
            (400..=499, _) if spent => Verdict::Final(Error::QuotaSpent(message)),
            (400 | 422, _) => match refused_parameter(error, &self.body) {
                Some(parameter) => Verdict::Unsupported(Refusal::Parameter(parameter), message),
                None => Verdict::Final(Error::Refused(message)),
            },
            (401 | 403, _) => Verdict::Final(Error::Unauthorized(message)),
            (404, _) => Verdict::Final(Error::NotFound(message)),
            (429, _) => Verdict::Again(Error::RateLimited(self.retry_after.unwrap_or(UNTOLD_WAIT)), self.retry_after),
            (408 | 409 | 500..=599, _) => Verdict::Again(Error::Unavailable(format!("HTTP {}: {message}", self.status)), self.retry_after),
            _ => Verdict::Final(Error::Refused(message)),
        }
    }
}

/// How a quota is called that comes back only when somebody pays.
const SPENT: [&str; 4] = ["insufficient_quota", "billing_hard_limit_reached", "budget_exceeded", "billing_not_active"];
/// What a request can do without, as refusals name it.
const PARAMETERS: [&str; 16] = [
    "tool_choice",
    "max_tokens",
    "max_output_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "parallel_tool_calls",
    "stream_options",
    "reasoning_effort",
    "reasoning",
    "response_format",
    "text",
    "include",
    "prompt_cache_key",
    "strict",
];
/// How refusals say that a model is to be asked by another operation.
const ELSEWHERE: [&str; 3] = ["only supported in v1/responses", "not a chat model", "only available through the Responses API"];
/// How servers say that a model takes no functions: Ollama, and vLLM without a parser for them.
const WITHOUT_FUNCTIONS: [&str; 3] =
    ["does not support tools", "tool choice requires --enable-auto-tool-choice", "does not support function calling"];
/// How refusals say that something is not taken.
const NOT_TAKEN: [&str; 7] =
    ["unsupported", "not supported", "does not support", "unrecognized", "unknown", "not permitted", "not allowed"];

/// How refusals say that a value is wrong, not that it is not taken.
const WRONG_VALUE: [&str; 6] = ["too large", "too small", "minimum", "maximum", "invalid schema", "invalid json"];
/// Parameters whose names are words, too: they count only where a refusal names them beside its words.
const PLAIN_WORDS: [&str; 3] = ["text", "include", "reasoning"];

/// The parameter that a refusal is about: named beside its words, or in them, whatever its code is. Gateways name it in a list of their own.
fn refused_parameter(error: &Value, body: &str) -> Option<&'static str> {
    let named_in = |text: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !PLAIN_WORDS.contains(word));
        words.find_map(|word| PARAMETERS.into_iter().find(|known| *known == word))
    };
    let said = error["message"].as_str().unwrap_or(body);
    let not_taken = || NOT_TAKEN.iter().any(|words| said.to_lowercase().contains(words));
    if WRONG_VALUE.iter().any(|words| said.to_lowercase().contains(words)) {
        return None;
    }
    // `tools[0].function.strict` is about its last name, `reasoning.effort` about its first.
    let beside = error["param"].as_str().and_then(|param| {
        let first = param.split(['.', '[']).next().unwrap_or_default();
        let name = if param.ends_with("strict") { "strict" } else { first };
        PARAMETERS.into_iter().find(|known| *known == name)
    });
    let found = beside.or_else(|| not_taken().then(|| named_in(said)).flatten());
    found.map(|name| if name == "reasoning" { "reasoning_effort" } else { name })
}

/// An error that comes inside an answer whose status says that all is well.
pub(super) fn failure_inside(error: &Value) -> Error {
    let message = error["message"].as_str().unwrap_or("an error inside the answer").to_owned();
    match error["code"].as_str().or(error["type"].as_str()).unwrap_or_default() {
        "rate_limit_exceeded" | "too_many_requests" | "429" => Error::RateLimited(UNTOLD_WAIT),
        spent if SPENT.contains(&spent) => Error::QuotaSpent(message),
        "invalid_prompt" => Error::Filtered(Vec::new()),
        _ => Error::Unavailable(message),
    }
}

/// The categories of a content filter error, in all its spellings; `None` when it is none.
pub(super) fn filter_categories(error: &Value) -> Option<Vec<String>> {
    let inner = [&error["innererror"], &error["inner_error"]].into_iter().find(|i| i.is_object()).unwrap_or(&Value::Null);
    let named = error["code"] == "content_filter" || inner["code"] == "ResponsibleAIPolicyViolation";
    if !named {
        return None;
    }
    // The Responses API lists what was found by whom.
    if let Some(all) = error["content_filters"].as_array() {
        return Some(all.iter().flat_map(|one| filtered(&one["content_filter_results"])).collect());
    }
    let results =
        ["content_filter_result", "content_filter_results"].iter().map(|k| &inner[*k]).find(|r| r.is_object()).unwrap_or(&Value::Null);
    Some(filtered(results))
}

/// The categories in a filter result that were filtered.
pub(super) fn filtered(results: &Value) -> Vec<String> {
    let entries = results.as_object().into_iter().flatten();
    entries.filter(|(_, v)| v["filtered"] == true || v["detected"] == true).map(|(k, _)| k.replace('_', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> String {
        format!("{:?}", HttpFailure { status, retry_after: None, body: body.into() }.verdict())
    }

    #[test]
    fn errors_are_told_apart() {
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"filtered","code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"jailbreak":{"filtered":true,"detected":true},"hate":{"filtered":false}}}}}"#), @r#"Final(Filtered(["jailbreak"]))"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"inner_error":{"code":"ResponsibleAIPolicyViolation","content_filter_results":{"violence":{"filtered":true}}},"code":"content_filter"}}"#), @r#"Final(Filtered(["violence"]))"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"This model's maximum context length is 128000 tokens.","code":"context_length_exceeded"}}"#), @"Final(TooLong)");
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Unsupported parameter","param":"max_tokens","code":"unsupported_parameter"}}"#), @r#"Unsupported(Parameter("max_tokens"), "Unsupported parameter")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Function tools with reasoning_effort are not supported for gpt-5.6-sol.","param":"reasoning_effort","code":null}}"#), @r#"Unsupported(Parameter("reasoning_effort"), "Function tools with reasoning_effort are not supported for gpt-5.6-sol.")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Unrecognized request argument supplied: presence_penalty","code":null}}"#), @r#"Unsupported(Parameter("presence_penalty"), "Unrecognized request argument supplied: presence_penalty")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Unknown parameter: 'tools[0].function.strict'.","param":"tools[0].function.strict","code":"unknown_parameter"}}"#), @r#"Unsupported(Parameter("strict"), "Unknown parameter: 'tools[0].function.strict'.")"#);
        insta::assert_snapshot!(verdict(422, r#"{"detail":[{"type":"extra_forbidden","loc":["body","parallel_tool_calls"],"msg":"Extra inputs are not permitted"}]}"#), @r#"Unsupported(Parameter("parallel_tool_calls"), "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"parallel_tool_calls\"],\"msg\":\"Extra inputs are not permitted\"}]}")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Invalid value for messages[3].content","param":"messages"}}"#), @r#"Final(Refused("Invalid value for messages[3].content"))"#);
        insta::assert_snapshot!(verdict(429, r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#), @r#"Final(QuotaSpent("You exceeded your current quota"))"#);
        insta::assert_snapshot!(verdict(429, r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":null}}"#), @r#"Final(QuotaSpent("You exceeded your current quota"))"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Budget has been exceeded!","type":"budget_exceeded","param":null,"code":"400"}}"#), @r#"Final(QuotaSpent("Budget has been exceeded!"))"#);
        insta::assert_snapshot!(verdict(402, r#"{"error":{"message":"pay"}}"#), @r#"Final(QuotaSpent("pay"))"#);
        insta::assert_snapshot!(verdict(413, "<html>too large</html>"), @"Final(TooLong)");
        insta::assert_snapshot!(verdict(404, r#"{"error":{"code":"DeploymentNotFound","message":"no"}}"#), @r#"Final(NotFound("no"))"#);
        insta::assert_snapshot!(verdict(429, r#"{"statusCode":429,"message":"slow down"}"#), @"Again(RateLimited(10s), None)");
        insta::assert_snapshot!(verdict(400, r#"{"error":{"code":"OperationNotSupported","message":"wrong model"}}"#), @r#"Unsupported(Operation, "wrong model")"#);
        insta::assert_snapshot!(verdict(404, r#"{"error":{"message":"This model is only supported in v1/responses and not in v1/chat/completions.","param":"model"}}"#), @r#"Unsupported(Operation, "This model is only supported in v1/responses and not in v1/chat/completions.")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"litellm.UnsupportedParamsError: azure does not support parameters: ['parallel_tool_calls']","type":"None","param":"None","code":"400"}}"#), @r#"Unsupported(Parameter("parallel_tool_calls"), "litellm.UnsupportedParamsError: azure does not support parameters: ['parallel_tool_calls']")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"Unsupported value","param":"reasoning.effort","code":"unsupported_value"}}"#), @r#"Unsupported(Parameter("reasoning_effort"), "Unsupported value")"#);
        insta::assert_snapshot!(verdict(400, r#"{"error":{"message":"registry.ollama.ai/library/gemma3:1b does not support tools","type":"invalid_request_error"}}"#), @r#"Final(NoFunctions("registry.ollama.ai/library/gemma3:1b does not support tools"))"#);
        insta::assert_snapshot!(verdict(503, "<html>"), @r#"Again(Unavailable("HTTP 503: <html>"), None)"#);
    }
}
