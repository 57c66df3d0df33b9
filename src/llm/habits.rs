//! What a deployment takes. Its name says nothing about the model behind it, and what is reported of models contradicts
//! itself, so this is learned from refusals, and kept once an answer has proven it.

use super::error::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What says how freely words are chosen. Whoever refuses one of these chooses by itself how it answers.
const SAMPLING: [&str; 4] = ["temperature", "top_p", "presence_penalty", "frequency_penalty"];

/// What was learned of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Habits {
    refused: BTreeSet<String>,
    effort: Effort,
    pub surface: Surface,
    /// Whether thoughts have used up a limit.
    pub thirsty: bool,
}

/// The operation that is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Surface {
    /// `/chat/completions`
    #[default]
    Chat,
    /// `/responses`
    Responses,
    /// `/chat/completions`, because the other is not offered.
    OnlyChat,
}

/// What is said of thinking where functions are offered in chat completions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Effort {
    /// Nothing, as long as nobody minds.
    #[default]
    Unsaid,
    /// That there is to be none.
    None,
    /// Nothing: `none` was refused as well.
    Omitted,
}

impl Habits {
    /// Draws the conclusion from a refusal. `false` when there is nothing left to try. `prefers_responses`: whether the Responses API is
    /// tried before an effort of `none`.
    pub fn learn(&mut self, refusal: Refusal, prefers_responses: bool) -> bool {
        match refusal {
            Refusal::Operation => self.change_surface(),
            Refusal::Thoughts => false,
            Refusal::Parameter("reasoning_effort") => self.learn_effort(prefers_responses),
            // Models that count their thoughts choose their words by themselves.
            Refusal::Parameter("max_tokens") => {
                self.refused.extend(SAMPLING.map(str::to_owned));
                self.refused.insert("max_tokens".into())
            }
            Refusal::Parameter(name) if SAMPLING.contains(&name) => {
                let known = self.refused.contains(name);
                self.refused.extend(SAMPLING.map(str::to_owned));
                !known
            }
            Refusal::Parameter(name) => self.refused.insert(name.into()),
        }
    }

    fn learn_effort(&mut self, prefers_responses: bool) -> bool {
        if prefers_responses {
            // Who minds how functions and thoughts go together has thoughts: it counts them, and chooses its words by itself.
            self.refused.extend(SAMPLING.map(str::to_owned));
            self.refused.insert("max_tokens".into());
        }
        let next = match (self.surface, self.effort) {
            (Surface::Chat, Effort::Unsaid) if prefers_responses => (Surface::Responses, Effort::Unsaid),
            (Surface::Chat | Surface::OnlyChat, Effort::Unsaid) => (self.surface, Effort::None),
            (Surface::Chat, Effort::None) => (Surface::Responses, Effort::None),
            (Surface::OnlyChat, Effort::None) => (self.surface, Effort::Omitted),
            (Surface::Responses, Effort::Unsaid) => (Surface::OnlyChat, Effort::None),
            (Surface::Responses, _) => (Surface::OnlyChat, Effort::Omitted),
            (_, Effort::Omitted) => return false,
        };
        (self.surface, self.effort) = next;
        true
    }

    fn change_surface(&mut self) -> bool {
        match self.surface {
            Surface::Chat => self.surface = Surface::Responses,
            Surface::Responses => {
                self.surface = Surface::OnlyChat;
                self.effort = if self.effort == Effort::Unsaid { Effort::None } else { Effort::Omitted };
            }
            Surface::OnlyChat => return false,
        }
        true
    }

    /// Whether a parameter is taken, as far as is known.
    pub fn takes(&self, parameter: &str) -> bool {
        !self.refused.contains(parameter)
    }

    /// Fits a request for chat completions, or for a continuation, to what is known.
    pub fn fit(&self, mut request: Value) -> Value {
        let Some(fields) = request.as_object_mut() else { return request };
        for message in fields.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
            message.as_object_mut().map(|message| message.remove(super::stream::CARRIED));
        }
        if !self.takes("max_tokens")
            && let Some(limit) = fields.remove("max_tokens")
        {
            fields.insert("max_completion_tokens".into(), limit);
        }
        // A schema that is not taken as a parameter is told in words.
        let schema = fields.get("response_format").map(|format| format["json_schema"]["schema"].clone());
        if let Some(schema) = schema.filter(|schema| !self.takes("response_format") && schema.is_object())
            && let Some(system) = fields.get_mut("messages").and_then(|messages| messages.get_mut(0)).map(|first| &mut first["content"])
            && let Some(words) = system.as_str()
        {
            *system =
                json!(format!("{words}\n\nAnswer with one JSON object and nothing else. The JSON object follows this schema: {schema}"));
        }
        fields.retain(|name, _| self.takes(name));
        if !self.takes("strict") {
            if let Some(schema) = fields.get_mut("response_format").and_then(|format| format["json_schema"].as_object_mut()) {
                schema.remove("strict");
            }
            for tool in fields.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten() {
                tool["function"].as_object_mut().map(|function| function.remove("strict"));
            }
        }
        if self.effort == Effort::None && fields.contains_key("tools") {
            fields.insert("reasoning_effort".into(), json!("none"));
        }
        request
    }

    /// For people: what is left out, and what is asked.
    pub fn describe(&self) -> String {
        let mut said = Vec::new();
        if self.surface == Surface::Responses {
            said.push("through the Responses API".to_owned());
        }
        if self.effort == Effort::None && self.surface != Surface::Responses {
            said.push("with reasoning_effort none".to_owned());
        }
        if !self.refused.is_empty() {
            said.push(format!("without {}", self.refused.iter().cloned().collect::<Vec<_>>().join(", ")));
        }
        if said.is_empty() { String::new() } else { format!(" ({})", said.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was tried after each refusal of functions.
    fn tried(prefers_responses: bool) -> Vec<String> {
        let mut habits = Habits::default();
        let mut all = Vec::new();
        while habits.learn(Refusal::Parameter("reasoning_effort"), prefers_responses) {
            all.push(format!("{:?} {:?}", habits.surface, habits.effort));
            assert!(all.len() < 9, "it tries for ever: {all:?}");
        }
        all
    }

    #[test]
    fn every_way_to_offer_functions_is_tried_once() {
        assert_eq!(tried(true), ["Responses Unsaid", "OnlyChat None", "OnlyChat Omitted"]);
        assert_eq!(tried(false), ["Chat None", "Responses None", "OnlyChat Omitted"]);
    }

    #[test]
    fn a_surface_that_is_not_there_leads_back() {
        let mut habits = Habits::default();
        assert!(habits.learn(Refusal::Parameter("reasoning_effort"), true) && habits.learn(Refusal::Operation, true));
        let request = habits.fit(json!({ "tools": [{}], "messages": [] }));
        assert_eq!((habits.surface, &request["reasoning_effort"]), (Surface::OnlyChat, &json!("none")));
        assert!(!habits.learn(Refusal::Operation, true), "there is no third");
    }

    #[test]
    fn what_thinks_gets_its_limit_by_another_name_and_no_sampling() {
        let mut habits = Habits::default();
        assert!(habits.learn(Refusal::Parameter("max_tokens"), true) && habits.learn(Refusal::Parameter("strict"), true));
        let request = json!({
            "max_tokens": 9, "temperature": 1, "top_p": 1, "tools": [{ "function": { "name": "f", "strict": true } }],
            "response_format": { "json_schema": { "strict": true, "name": "n" } }, "messages": [{ "role": "assistant", "carried": [1] }],
        });
        insta::assert_snapshot!(habits.fit(request), @r#"{"messages":[{"role":"assistant"}],"tools":[{"function":{"name":"f"}}],"response_format":{"json_schema":{"name":"n"}},"max_completion_tokens":9}"#);
        assert!(!habits.learn(Refusal::Parameter("strict"), true), "known already");
        insta::assert_snapshot!(habits.describe(), @" (without frequency_penalty, max_tokens, presence_penalty, strict, temperature, top_p)");
    }
}
