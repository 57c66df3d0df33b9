//! The rounds of a turn: ask the model, run its functions, hold its answer against what they have found.

use super::allowance::SPENT;
use super::grounds::{Doubt, doubts, is_check};
use super::live_reply::LiveReply;
use super::prompt::Asked;
use super::sheets::Heard;
use super::turn::{Gathered, begin, model_trouble};
use super::{Bot, prompt, words};
use crate::access::Role;
use crate::error::{Result, told};
use crate::llm::{Answer, Calling, Error as ModelError, ToolCall};
use crate::sheet::Snapshot;
use crate::store::MessageRecord;
use crate::tools::{self, Context};
use chat::{Markdown, Message};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Rounds of asking and running functions.
const MAX_ROUNDS: usize = 8;
/// Messages of the conversation whose words say which functions may be meant.
pub(super) const RECENT: usize = 6;
/// Calls of one answer that are run.
const MAX_CALLS: usize = 8;

/// What is known of a turn while it lasts.
#[derive(Default)]
struct Progress {
    gathered: Gathered,
    /// Results of calls that read, by function and arguments.
    results: HashMap<(String, String), String>,
    /// A sign of life was given.
    begun: bool,
    /// All functions are offered, not only the usual ones.
    more: bool,
    /// The conversation was made shorter.
    compacted: bool,
    /// The answer that the model was asked to write anew, and why.
    doubted: Option<(String, Vec<Doubt>)>,
    /// It has asked for nothing but what it knows: it answers now.
    closing: bool,
}

impl Bot {
    /// Asks until there is an answer.
    pub(super) async fn work(
        &self,
        context: &Context,
        snapshot: &Arc<Snapshot>,
        heard: &Heard,
        reply: &LiveReply,
        history: &[MessageRecord],
    ) -> Result<Gathered> {
        let may_write = context.role >= Role::Editor && snapshot.writable();
        let asked = Asked { heard, locality: &context.locality, may_write };
        let mut messages = prompt::messages(snapshot, history, &asked, false);
        let said = history.iter().rev().take(RECENT).filter(|m| m.role == "user").map(|m| m.content.as_str());
        let points = said.chain([heard.question.as_str()]).any(tools::points_to_more);
        let mut progress = Progress { more: points, ..Progress::default() };
        for round in 0..MAX_ROUNDS {
            let last = round + 1 == MAX_ROUNDS;
            let mut functions = tools::schemas(snapshot, context.role, progress.more);
            if heard.unasked {
                functions.push(tools::no_answer());
            }
            let calling = if last || progress.closing { Calling::Not } else { Calling::Free };
            let mut answer = match self.ask(&messages, &functions, calling, snapshot, reply).await {
                Err((ModelError::TooLong, _)) if !progress.compacted => {
                    progress.compacted = true;
                    messages = compact(snapshot, &asked, &messages);
                    continue;
                }
                other => other.map_err(|(error, said)| model_trouble(error, &said))?,
            };
            let unmade = answer.calls.is_empty() && read_calls_in_words(&mut answer, calling);
            let first_word = !progress.begun && progress.doubted.is_none();
            if heard.unasked && first_word && says_nothing(&answer) {
                return Ok(Gathered { silent: true, ..progress.gathered });
            }
            if calling == Calling::Not {
                answer.calls.clear();
            }
            if answer.calls.is_empty() {
                if answer.text.trim().is_empty() && (calling == Calling::Not || progress.doubted.is_some()) {
                    // What was said before, and what was found, is better than nothing.
                    if let Some((text, doubts)) = progress.doubted.take() {
                        return Ok(Gathered { doubts, ..progress.gathered.answering(text) });
                    }
                    if !progress.gathered.shown.is_empty() {
                        // A model that only repeats itself has its answer; one that still looks has none.
                        let text = if last && !progress.closing { words::too_many_rounds() } else { String::new() };
                        // Figures of these words are not told of the sheet.
                        return Ok(Gathered { text, ..progress.gathered.answering(String::new()) });
                    }
                    break;
                }
                let mut doubts = doubts(&answer.text, &messages, &progress.gathered, context.locality.today());
                doubts.extend(unmade.then_some(Doubt::CallInWords));
                if !doubts.is_empty() && progress.doubted.is_none() && !last {
                    write_anew(&answer, doubts, &mut messages, &mut progress);
                    continue;
                }
                count_doubts(&doubts, "told");
                return Ok(Gathered { cut_off: answer.cut_off, doubts, ..progress.gathered.answering(answer.text) });
            }
            if heard.unasked && !progress.begun && answer.calls.iter().any(|call| call.name != tools::DESCRIBE_SHEET) {
                progress.begun = true;
                begin(reply, &snapshot.name).await?;
            }
            self.run_calls(context, &answer, &mut messages, &mut progress).await?;
            if progress.gathered.made.is_some() {
                // What is said beside a proposal is not asked for again, but doubted like the rest.
                let doubts = doubts(&answer.text, &messages, &progress.gathered, context.locality.today());
                count_doubts(&doubts, "told");
                return Ok(Gathered { doubts, ..progress.gathered.answering(answer.text) });
            }
        }
        Err(told(words::too_many_rounds()))
    }

    /// Runs the calls of an answer, the first few of them.
    async fn run_calls(&self, context: &Context, answer: &Answer, messages: &mut Vec<Value>, progress: &mut Progress) -> Result<()> {
        messages.push(answer.message());
        let mut anew = false;
        for (n, call) in answer.calls.iter().enumerate() {
            let key = (call.name.clone(), canonical(&call.arguments));
            let content = match progress.results.get(&key) {
                _ if call.name == tools::MORE_FUNCTIONS => {
                    (anew, progress.more) = (true, true);
                    json!({ "status": "they are offered now" }).to_string()
                }
                _ if n >= MAX_CALLS => error("too many calls in one answer; make those that are still needed in the next"),
                Some(known) => repeated(known),
                None => {
                    anew = true;
                    let content = self.run_call(context, call, &mut progress.gathered).await?;
                    if !call.name.starts_with("propose_") {
                        progress.results.insert(key, content.clone());
                    }
                    content
                }
            };
            messages.push(json!({ "role": "tool", "tool_call_id": call.id, "content": content }));
        }
        progress.closing = !anew;
        Ok(())
    }

    /// Asks the model and shows the words as they come; an error comes with the words so far, as they were shown.
    async fn ask(
        &self,
        messages: &[Value],
        functions: &[Value],
        calling: Calling,
        snapshot: &Snapshot,
        reply: &LiveReply,
    ) -> Result<Answer, (ModelError, String)> {
        let (words, growing) = watch::channel(String::new());
        let policy = self.link_policy(snapshot, &Gathered::default());
        let shown = policy.clone();
        let follower = reply.follow(growing, move |text| Message::new(vec![chat::Block::Markdown(Markdown::untrusted(text, &shown))]));
        let answer = self.parts.model.ask(messages, functions, calling, &words).await;
        follower.end().await;
        if let Ok(Answer { usage, .. }) = &answer {
            let _ = SPENT.try_with(|spent| spent.add(usage, self.parts.model.cost(usage)));
        }
        answer.map_err(|error| (error, Markdown::untrusted(&words.borrow(), &policy).plain()))
    }

    /// Runs a call; one proposal per answer, and none is made twice.
    async fn run_call(&self, context: &Context, call: &ToolCall, gathered: &mut Gathered) -> Result<String> {
        if gathered.made.is_some() && call.name.starts_with("propose_") {
            gathered.one_of_several = true;
            return Ok(error("one proposal per answer; the first one waits for the person"));
        }
        let output = tools::run(context, call).await?;
        gathered.failed = output.json["error"].as_str().map(str::to_owned);
        tracing::debug!(function = %call.name, failed = gathered.failed.is_some(), "function called");
        // Looking around before asking back leaves open what had to be asked.
        if call.name.starts_with("propose_") || !output.choices.is_empty() {
            gathered.choices = output.choices;
        }
        match output.shown {
            Some(found) => gathered.found(found),
            // What was looked up for this call is no answer by itself.
            None if ![tools::DESCRIBE_SHEET, tools::FIND_SHEETS].contains(&call.name.as_str()) => gathered.queried_last = false,
            None => {}
        }
        gathered.made = output.made.or(gathered.made.take());
        Ok(output.json.to_string())
    }
}

/// Takes the calls that some models write as words out of them; returns whether one is left that is not made.
fn read_calls_in_words(answer: &mut Answer, calling: Calling) -> bool {
    let written = tools::calls_in(&answer.text);
    // Where no calls are asked for, words beside them are the answer.
    if !written.calls.is_empty() && (calling != Calling::Not || written.alone()) {
        (answer.text, answer.calls, answer.carried) = (String::new(), written.calls, Vec::new());
        return false;
    }
    answer.text = written.words;
    written.unmade
}

/// Asks the model to write its answer anew.
fn write_anew(answer: &Answer, doubts: Vec<Doubt>, messages: &mut Vec<Value>, progress: &mut Progress) {
    count_doubts(&doubts, "again");
    let check: Vec<String> = doubts.iter().map(Doubt::to_model).collect();
    // Not every service takes a message without words.
    let said = if answer.text.is_empty() { "…" } else { &answer.text };
    messages.push(json!({ "role": "assistant", "content": said }));
    messages.push(json!({ "role": "user", "content": check.join("\n") }));
    progress.doubted = Some((answer.text.clone(), doubts));
    // It may compute what it had guessed.
    progress.closing = false;
}

fn count_doubts(doubts: &[Doubt], result: &'static str) {
    if !doubts.is_empty() {
        metrics::counter!("chatsheet_answers_doubted_total", "result" => result).increment(1);
        let kinds: Vec<&str> = doubts.iter().map(Doubt::kind).collect();
        tracing::info!(?kinds, result, "an answer says what was not found");
    }
}

fn error(words: &str) -> String {
    json!({ "error": words }).to_string()
}

/// Arguments in one form, whatever blanks and order they came in.
fn canonical(arguments: &str) -> String {
    let read = serde_json::from_str::<Value>(arguments);
    read.map_or_else(
        |_| arguments.trim().to_owned(),
        |mut value| {
            value.sort_all_objects();
            value.to_string()
        },
    )
}

/// A result that the model knows already.
fn repeated(known: &str) -> String {
    let mut result: Value = serde_json::from_str(known).unwrap_or_default();
    if result.is_object() {
        result["repeated"] = json!("the same call has brought the same result before: answer from it");
    }
    result.to_string()
}

/// Whether the model stays silent: it says so, or has nothing to say.
fn says_nothing(answer: &Answer) -> bool {
    let words = answer.text.trim();
    answer.calls.iter().any(|call| call.name == tools::NO_ANSWER)
        || (answer.calls.is_empty() && (words.is_empty() || words == tools::NO_ANSWER))
}

/// The same question with next to no history and short function results.
fn compact(snapshot: &Snapshot, asked: &Asked<'_>, messages: &[Value]) -> Vec<Value> {
    let mut short = prompt::messages(snapshot, &[], asked, true);
    let since = messages.iter().rposition(|m| m["role"] == "user" && !is_check(m)).map_or(messages.len(), |i| i + 1);
    for message in &messages[since..] {
        let mut message = message.clone();
        if let Some(content) = message["content"].as_str().filter(|c| c.len() > 2_000) {
            message["content"] = json!(chat::text::shorten(content, 2_000));
        }
        short.push(message);
    }
    short
}
