//! Presses that wait for what becomes of them: the card as it is then, or words for the person alone, is the answer of
//! the request that brought the press.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::oneshot;

/// Presses by conversation.
#[derive(Default)]
pub(crate) struct Presses(Mutex<HashMap<String, Vec<Press>>>);

struct Press {
    message: String,
    user: String,
    answer: oneshot::Sender<Value>,
}

impl Presses {
    /// A press of a person on a message; the answer comes from [`Presses::outcome`], [`Presses::aside`] or [`Presses::below`].
    pub fn wait(&self, conversation: &str, message: &str, user: &str) -> oneshot::Receiver<Value> {
        let (answer, outcome) = oneshot::channel();
        let mut all = self.all();
        all.values_mut().for_each(|waiting| waiting.retain(|p| !p.answer.is_closed()));
        all.retain(|_, waiting| !waiting.is_empty());
        all.entry(conversation.to_owned()).or_default().push(Press { message: message.to_owned(), user: user.to_owned(), answer });
        outcome
    }

    /// The message looks like this now.
    pub fn outcome(&self, conversation: &str, message: &str, card: &Value) {
        let answer = json!({ "statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": card });
        self.answer(conversation, |p| p.message == message, &answer);
    }

    /// Words for the person alone; `false` when they have not pressed anything just now.
    pub fn aside(&self, conversation: &str, user: &str, words: &str) -> bool {
        let answer = json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": words });
        self.answer(conversation, |p| p.user == user, &answer)
    }

    /// A new message of the bot answers whoever waits in its conversation.
    pub fn below(&self, conversation: &str) {
        let answer = json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": "The answer is below." });
        self.answer(conversation, |_| true, &answer);
    }

    fn answer(&self, conversation: &str, which: impl Fn(&Press) -> bool, answer: &Value) -> bool {
        let mut all = self.all();
        let Some(waiting) = all.get_mut(conversation) else { return false };
        let (mut answered, mut kept) = (false, Vec::new());
        for press in waiting.drain(..) {
            if which(&press) {
                answered |= press.answer.send(answer.clone()).is_ok();
            } else {
                kept.push(press);
            }
        }
        *waiting = kept;
        answered
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Press>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
