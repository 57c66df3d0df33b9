//! Asks for one JSON object that follows a schema: of a chat deployment, or of one that only continues texts.

use super::deployment::verdict;
use super::endpoint::Endpoint;
use super::error::{Error, Verdict, filtered};
use super::model::{Api, Haste, Model};
use super::stream::{Answer, Usage};
use async_openai::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tokio::sync::watch;

/// Steps of room that an answer of a job gets.
const MOST_ROOM: u8 = 2;
/// How many times the usual limit the last of them is.
const ROOM: u32 = 4;
/// Characters of a token, about.
const CHARS_PER_TOKEN: usize = 4;

/// What `/completions` answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Completion {
    choices: Vec<Continuation>,
    usage: Usage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Continuation {
    text: String,
    finish_reason: Option<String>,
    content_filter_results: Option<Value>,
}

impl Model {
    /// Asks for one JSON object that follows a schema, in about so many tokens; no functions are offered. Waits for
    /// its turn behind people who are talking. What comes back may not follow the schema: the caller checks it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask_json(&self, messages: &[Value], name: &str, schema: &Value, tokens: u32) -> Result<(Value, Usage), Error> {
        let mut request = match self.api {
            Api::Chat => {
                let mut request = self.request(messages, &[]);
                request["response_format"] =
                    json!({ "type": "json_schema", "json_schema": { "name": name, "strict": true, "schema": schema } });
                request
            }
            Api::Text => self.text_request(messages, schema),
        };
        let read: usize = messages.iter().filter_map(|m| m["content"].as_str()).map(str::len).sum::<usize>() / CHARS_PER_TOKEN;
        let (words, _) = watch::channel(String::new());
        loop {
            // The service counts the limit of a request as if it were used, so it is tight, unless that cuts answers off: by its length
            // first, then by thoughts that are counted with it.
            let room = self.room.load(Ordering::Relaxed);
            let most = match room {
                0 => tokens.min(self.settings.max_tokens),
                1 => self.settings.max_tokens,
                _ => self.settings.max_tokens * ROOM,
            };
            request["max_tokens"] = json!(most);
            let answer = match self.send(request.clone(), &words, Haste::Work(read as u64 + u64::from(most))).await {
                Ok(answer) if !answer.cut_off => answer,
                Ok(_) | Err(Error::CutOff) if room < MOST_ROOM => {
                    // The next step has to be more than this one.
                    let next = if most < self.settings.max_tokens { room + 1 } else { MOST_ROOM };
                    self.room.fetch_max(next, Ordering::Relaxed);
                    continue;
                }
                Ok(_) => return Err(Error::CutOff),
                Err(error) => return Err(error),
            };
            let value = object_in(&answer.text).ok_or_else(|| Error::Nonsense(answer.text.chars().take(200).collect()))?;
            return Ok((value, answer.usage));
        }
    }

    fn text_request(&self, messages: &[Value], schema: &Value) -> Value {
        let said: Vec<&str> = messages.iter().filter_map(|m| m["content"].as_str()).collect();
        let prompt = format!("{}\n\nThe JSON object follows this schema: {schema}\n\nJSON:", said.join("\n\n"));
        let s = &self.settings;
        json!({
            "prompt": prompt, "temperature": s.temperature, "top_p": s.top_p,
            "frequency_penalty": s.frequency_penalty, "presence_penalty": s.presence_penalty,
        })
    }
}

/// A continuation of a text.
pub(super) async fn continued(client: &Client<Endpoint>, request: Value) -> Result<Answer, Verdict> {
    let answer: Completion = client.completions().create_byot(request).await.map_err(verdict)?;
    let none = || Verdict::Again(Error::Unavailable("an answer without a choice".into()), None);
    let said = answer.choices.into_iter().next().ok_or_else(none)?;
    if said.finish_reason.as_deref() == Some("content_filter") {
        return Err(Verdict::Final(Error::Filtered(said.content_filter_results.as_ref().map(filtered).unwrap_or_default())));
    }
    let cut_off = said.finish_reason.as_deref() == Some("length") && object_in(&said.text).is_none();
    Ok(Answer { text: said.text, cut_off, usage: answer.usage, ..Answer::default() })
}

/// The first JSON object in a text, whatever stands around it.
fn object_in(text: &str) -> Option<Value> {
    let rest = &text[text.find('{')?..];
    serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_in_what_models_write_around_it() {
        assert_eq!(object_in("```json\n{\"a\": 1}\n```"), Some(json!({ "a": 1 })));
        assert_eq!(object_in(" {\"a\": {}} And that is why."), Some(json!({ "a": {} })));
        assert_eq!(object_in("{\"a\": 1"), None);
        assert_eq!(object_in("no, sorry"), None);
    }
}
