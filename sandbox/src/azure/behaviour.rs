//! What deployments take and how they answer: no two families are alike, and none says so beforehand.
//!
//! Each behaviour is one that was documented or reported of a model, a server or a gateway.

use super::wire;
use axum::response::Response;
use serde_json::{Value, json};

/// How a deployment differs from the classic one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// How it is called, here and in `sandbox azure --behaviour`.
    pub name: &'static str,
    /// Parameters that it refuses, as far as a request has them; those of functions and schemas by their last name.
    pub refuses: &'static [&'static str],
    /// Where functions are taken.
    pub functions: Functions,
    /// The operations that it offers.
    pub surface: Surface,
    /// How it refuses.
    pub wording: Wording,
    /// How it answers.
    pub shape: Shape,
}

/// Where functions are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Functions {
    /// Wherever it can be asked.
    #[default]
    Anywhere,
    /// In chat completions only together with the effort `none`.
    WithoutThinking,
    /// In chat completions only when no effort is named.
    EffortUnnamed,
    /// Not in chat completions.
    ResponsesOnly,
    /// Nowhere, as an operation that is told to lack them: Ollama.
    Nowhere,
    /// Nowhere, though each refusal names another way.
    NeverAsTold,
}

/// The operations that a deployment offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surface {
    /// `/chat/completions` and `/responses`.
    #[default]
    Both,
    /// `/chat/completions` alone, as most gateways and servers.
    Chat,
    /// `/responses` alone.
    Responses,
}

/// How a deployment refuses a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// `unsupported_parameter`, with the parameter beside it.
    #[default]
    Azure,
    /// Words with a parameter and no code.
    NoCode,
    /// "Unrecognized request argument supplied", without a parameter: older API versions.
    Unrecognized,
    /// A list of what is forbidden, with 422: servers that are made with FastAPI.
    Forbidden,
    /// A sentence in a gateway's own envelope.
    Gateway,
    /// The sentence of LiteLLM.
    LiteLlm,
}

/// How a deployment answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As Azure streams.
    #[default]
    Azure,
    /// Calls come whole, all with the index 0: Ollama.
    OneIndex,
    /// Calls come whole, without an index.
    NoIndex,
    /// Each fragment of a call has another id.
    IdPerFragment,
    /// The name stands in each fragment of a call.
    NameRepeated,
    /// Arguments are an object.
    Objects,
    /// Words come in parts.
    Parts,
    /// Thoughts stand before the words: vLLM and Ollama with models that think.
    Thoughts,
    /// The answer comes whole though a stream was asked for.
    Whole,
    /// Chunks without words tell what the filter has checked.
    Annotated,
    /// Thinking takes this many tokens of the limit.
    Thirsty(u64),
}

/// What reasoning models do not take.
const SAMPLING: &[&str] = &["max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty"];

const fn behaviour(name: &'static str) -> Behaviour {
    Behaviour { name, refuses: &[], functions: Functions::Anywhere, surface: Surface::Both, wording: Wording::Azure, shape: Shape::Azure }
}

/// All behaviours, the classic one first.
pub const BEHAVIOURS: [Behaviour; 26] = [
    behaviour("classic"),
    Behaviour { refuses: SAMPLING, ..behaviour("reasoning") },
    Behaviour {
        refuses: &["max_tokens", "temperature", "top_p", "frequency_penalty", "presence_penalty", "parallel_tool_calls"],
        ..behaviour("o-series")
    },
    Behaviour { refuses: SAMPLING, functions: Functions::WithoutThinking, wording: Wording::NoCode, ..behaviour("effort-none") },
    Behaviour { refuses: SAMPLING, functions: Functions::WithoutThinking, surface: Surface::Chat, ..behaviour("effort-none-chat-only") },
    Behaviour { refuses: SAMPLING, functions: Functions::EffortUnnamed, wording: Wording::NoCode, ..behaviour("effort-unnamed") },
    Behaviour { refuses: SAMPLING, functions: Functions::ResponsesOnly, wording: Wording::NoCode, ..behaviour("responses-for-functions") },
    Behaviour { refuses: SAMPLING, surface: Surface::Responses, ..behaviour("responses-only") },
    Behaviour { refuses: &["include"], surface: Surface::Responses, wording: Wording::NoCode, ..behaviour("responses-without-reasoning") },
    Behaviour { refuses: SAMPLING, surface: Surface::Responses, shape: Shape::Whole, ..behaviour("responses-whole") },
    Behaviour { refuses: &["parallel_tool_calls"], wording: Wording::Unrecognized, ..behaviour("no-parallel-calls") },
    Behaviour { refuses: &["stream_options"], wording: Wording::Unrecognized, ..behaviour("no-stream-options") },
    Behaviour { refuses: &["strict"], ..behaviour("no-strict") },
    Behaviour { refuses: &["response_format"], wording: Wording::NoCode, ..behaviour("no-response-format") },
    Behaviour {
        refuses: &["frequency_penalty", "presence_penalty"],
        surface: Surface::Chat,
        wording: Wording::Unrecognized,
        ..behaviour("no-penalties")
    },
    Behaviour { refuses: &["strict"], surface: Surface::Chat, wording: Wording::Forbidden, ..behaviour("fastapi") },
    Behaviour { refuses: &["parallel_tool_calls"], surface: Surface::Chat, wording: Wording::Gateway, ..behaviour("gateway") },
    Behaviour {
        refuses: &["parallel_tool_calls"],
        surface: Surface::Chat,
        wording: Wording::LiteLlm,
        shape: Shape::NameRepeated,
        ..behaviour("litellm")
    },
    Behaviour { surface: Surface::Chat, shape: Shape::OneIndex, ..behaviour("ollama") },
    Behaviour { surface: Surface::Chat, shape: Shape::Thoughts, ..behaviour("vllm") },
    Behaviour { surface: Surface::Chat, shape: Shape::NoIndex, ..behaviour("no-index") },
    Behaviour { surface: Surface::Chat, shape: Shape::IdPerFragment, ..behaviour("id-per-fragment") },
    Behaviour { surface: Surface::Chat, shape: Shape::Objects, ..behaviour("arguments-as-objects") },
    Behaviour { surface: Surface::Chat, shape: Shape::Parts, ..behaviour("words-in-parts") },
    Behaviour { shape: Shape::Annotated, ..behaviour("annotated") },
    Behaviour { refuses: SAMPLING, shape: Shape::Thirsty(6_000), ..behaviour("thirsty") },
];

/// Deployments that cannot serve this bot, whatever it tries.
pub const WITHOUT_FUNCTIONS: [Behaviour; 2] = [
    Behaviour { surface: Surface::Chat, functions: Functions::Nowhere, ..behaviour("no-functions") },
    Behaviour { functions: Functions::NeverAsTold, ..behaviour("functions-refused") },
];

impl Behaviour {
    /// The behaviour of this name.
    pub fn named(name: &str) -> Option<Self> {
        BEHAVIOURS.into_iter().chain(WITHOUT_FUNCTIONS).find(|b| b.name == name)
    }

    /// Whether it offers this operation.
    pub(super) fn offers(&self, responses: bool) -> bool {
        self.surface != if responses { Surface::Chat } else { Surface::Responses }
    }

    /// What it refuses of a request, which stands as it was sent.
    pub(super) fn refusal(&self, body: &Value, responses: bool) -> Option<Response> {
        let asks_for_functions = body["tools"].as_array().is_some_and(|tools| !tools.is_empty());
        if asks_for_functions && self.functions == Functions::Nowhere {
            let message = "registry.ollama.ai/library/sandbox:1b does not support tools";
            return Some(wire::refusal(
                400,
                &json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } }),
            ));
        }
        if asks_for_functions && (!responses || self.functions == Functions::NeverAsTold) {
            let effort = body["reasoning_effort"].as_str();
            let taken = match self.functions {
                Functions::Anywhere => true,
                Functions::WithoutThinking => effort == Some("none"),
                Functions::EffortUnnamed => effort.is_none(),
                Functions::ResponsesOnly | Functions::NeverAsTold | Functions::Nowhere => false,
            };
            if !taken {
                let message = "Function tools with reasoning_effort are not supported for sandbox-model in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'.";
                return Some(wire::refusal(
                    400,
                    &json!({ "error": { "message": message, "type": "invalid_request_error", "param": "reasoning_effort", "code": null } }),
                ));
            }
        }
        let named = self.refuses.iter().find_map(|name| Some((*name, place(body, name)?)));
        named.map(|(name, place)| self.wording.refusal(name, &place))
    }
}

/// Where a request names a parameter.
fn place(body: &Value, name: &str) -> Option<String> {
    let is_given = |value: &Value| !value.is_null();
    match name {
        // Without a word of it the Responses API takes schemas strictly.
        "strict" => {
            let chat = body["tools"].as_array().is_some_and(|tools| tools.iter().any(|t| is_given(&t["function"]["strict"])));
            let flat = body["tools"].as_array().is_some_and(|tools| tools.iter().any(|t| t["strict"] == true));
            (chat || flat).then(|| if chat { "tools[0].function.strict".into() } else { "tools[0].strict".into() })
        }
        name => is_given(&body[name]).then(|| name.to_owned()),
    }
}

impl Wording {
    fn refusal(self, name: &str, place: &str) -> Response {
        let hint = if name == "max_tokens" { " Use 'max_completion_tokens' instead." } else { "" };
        let message = format!("Unsupported parameter: '{place}' is not supported with this model.{hint}");
        let (status, body) = match self {
            Self::Azure => (
                400,
                json!({ "error": { "message": message, "type": "invalid_request_error", "param": place, "code": "unsupported_parameter" } }),
            ),
            Self::NoCode => {
                (400, json!({ "error": { "message": message, "type": "invalid_request_error", "param": place, "code": null } }))
            }
            Self::Unrecognized => {
                let message = format!("Unrecognized request argument supplied: {name}");
                (400, json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } }))
            }
            Self::Forbidden => (
                422,
                json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", place], "msg": "Extra inputs are not permitted", "input": true }] }),
            ),
            Self::Gateway => (400, json!({ "statusCode": 400, "message": format!("Parameter {name} is not allowed by policy.") })),
            Self::LiteLlm => {
                let message = format!(
                    "litellm.UnsupportedParamsError: openai does not support parameters: ['{name}'], for model=sandbox. To drop these, set `litellm.drop_params=True`."
                );
                (400, json!({ "error": { "message": message, "type": "None", "param": "None", "code": "400" } }))
            }
        };
        wire::refusal(status, &body)
    }
}
