//! Presses that wait for what becomes of them: the card as it is then, or words for the person alone, is the answer of
//! the request that brought the press.

use crate::event::bare;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::oneshot;

/// Presses by conversation, all threads of a channel together: where a card for one person stands is not told.
#[derive(Default)]
pub(crate) struct Presses(Mutex<HashMap<String, Vec<Press>>>);

struct Press {
    conversation: String,
    message: String,
    user: String,
    answer: oneshot::Sender<Value>,
}

impl Presses {
    /// A press of a person on a message, which waits for its answer: an outcome, words aside, or a message below.
    pub fn wait(&self, conversation: &str, message: &str, user: &str) -> oneshot::Receiver<Value> {
        let (answer, outcome) = oneshot::channel();
        let mut all = self.all();
        all.values_mut().for_each(|waiting| waiting.retain(|p| !p.answer.is_closed()));
        all.retain(|_, waiting| !waiting.is_empty());
        let press = Press { conversation: conversation.to_owned(), message: message.to_owned(), user: user.to_owned(), answer };
        all.entry(bare(conversation).to_owned()).or_default().push(press);
        outcome
    }

    /// The message looks like this now.
    pub fn outcome(&self, conversation: &str, message: &str, card: &Value) {
        let answer = json!({ "statusCode": 200, "type": "application/vnd.microsoft.card.adaptive", "value": card });
        self.answer(conversation, |p| p.message == message, &answer);
    }

    /// Words for the person alone; `false` when they have not pressed anything just now.
    pub fn aside(&self, conversation: &str, user: &str, words: &str) -> bool {
        self.answer(conversation, |p| p.user == user, &told(words))
    }

    /// A new message for everybody answers whoever waits where it stands.
    pub fn below(&self, conversation: &str) {
        self.answer(conversation, |p| p.conversation == conversation || bare(conversation) == conversation, &told(BELOW));
    }

    /// A new message that a person alone sees answers that person.
    pub fn below_for(&self, conversation: &str, user: &str) {
        self.answer(conversation, |p| p.user == user, &told(BELOW));
    }

    fn answer(&self, conversation: &str, which: impl Fn(&Press) -> bool, answer: &Value) -> bool {
        let mut all = self.all();
        let Some(waiting) = all.get_mut(bare(conversation)) else { return false };
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

const BELOW: &str = "The answer is below.";

fn told(words: &str) -> Value {
    json!({ "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": words })
}
