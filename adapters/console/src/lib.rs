//! A chat on a terminal: typed lines are messages, numbers press buttons.

mod prompt;
mod render;

pub use prompt::Prompt;
pub use render::Look;

use async_trait::async_trait;
use chat::{
    Addressed, Anchor, Button, Chat, ChatError, File, Incoming, Limits, Message, MessageRef, Platform, Profile, Sender, ThreadKey, What,
};
use std::io::Write;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use url::Url;

/// Back to the line of the status, and clear it. What is being typed stands below it.
const UP: &str = "\x1b[1A\r\x1b[2K";

/// The one thread of a terminal.
pub struct Console {
    look: Look,
    user: String,
    state: Mutex<State>,
}

struct State {
    out: Box<dyn Write + Send>,
    lines: u64,
    messages: u64,
    buttons: Vec<Button>,
    message: Option<MessageRef>,
    last: Option<(String, String)>,
    status_shown: bool,
}

impl Console {
    /// A chat of this person that writes to `out`.
    pub fn new(user: &str, look: Look, out: Box<dyn Write + Send>) -> Self {
        let state = State { out, lines: 0, messages: 0, buttons: Vec::new(), message: None, last: None, status_shown: false };
        Self { look, user: user.to_owned(), state: Mutex::new(state) }
    }

    /// The key of the terminal's thread.
    pub fn thread(&self) -> ThreadKey {
        ThreadKey { platform: Platform::Console, install: "local".into(), conversation: "terminal".into(), root: None }
    }

    /// Where to post.
    pub fn anchor(&self) -> Anchor {
        Anchor("terminal".into())
    }

    /// A typed line as an event: a press when it names a button of the last message, else a message.
    pub fn line(&self, line: &str, now_ms: i64) -> Incoming {
        let mut state = self.lock();
        state.lines += 1;
        // What was typed stands below the status by now.
        state.status_shown = false;
        let id = format!("line-{}", state.lines);
        let typed = line.trim();
        let by_number = typed.parse::<usize>().ok().and_then(|n| state.buttons.get(n.wrapping_sub(1)));
        let lower = typed.to_lowercase();
        let by_words = state.buttons.iter().find(|b| b.label.to_lowercase() == lower);
        let what = match by_number.or(by_words) {
            Some(button) => What::Press { action: button.action.clone(), message: state.message.clone() },
            None => What::Text { text: typed.strip_prefix("/sheet").map_or(typed, str::trim).to_owned() },
        };
        Incoming {
            delivery_id: id.clone(),
            dedupe_id: id,
            thread: self.thread(),
            anchor: self.anchor(),
            sender: Sender { id: self.user.clone(), name: Some(self.user.clone()), ..Sender::default() },
            addressed: Addressed::Dm,
            what,
            beside: Vec::new(),
            mentions: Vec::new(),
            amends: false,
            received_at_ms: now_ms,
        }
    }

    /// Writes text that is not part of the conversation.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn print(&self, text: &str) -> std::io::Result<()> {
        let mut state = self.lock();
        writeln!(state.out, "{text}")?;
        state.out.flush()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn show(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        let mut state = self.lock();
        let closed = |e: std::io::Error| ChatError::Gone(e.to_string());
        if message.partial {
            if self.look.terminal {
                let width = self.look.width().saturating_sub(1);
                let line = message.plain().lines().next().unwrap_or_default().chars().take(width).collect::<String>();
                let over = if std::mem::replace(&mut state.status_shown, true) { UP } else { "" };
                writeln!(state.out, "{over}{line}").and_then(|()| state.out.flush()).map_err(closed)?;
            }
            return Ok(());
        }
        let text = render::text(message, self.look);
        if state.last.as_ref() == Some(&(at.place.clone(), text.clone())) {
            return Ok(());
        }
        let over = if std::mem::take(&mut state.status_shown) { UP } else { "" };
        writeln!(state.out, "{over}{}\n", render::speech(&text, self.look)).and_then(|()| state.out.flush()).map_err(closed)?;
        state.buttons = message.buttons().cloned().collect();
        state.message = Some(at.clone());
        state.last = Some((at.place.clone(), text));
        Ok(())
    }
}

#[async_trait]
impl Chat for Console {
    fn platform(&self) -> Platform {
        Platform::Console
    }

    fn limits(&self) -> Limits {
        Limits {
            edit_interval: Duration::from_millis(100),
            progress_interval: Duration::from_millis(100),
            table_rows: 50,
            table_columns: 8,
            buttons: 9,
            forms: false,
        }
    }

    fn thread_of(&self, _anchor: &Anchor) -> Option<ThreadKey> {
        Some(self.thread())
    }

    fn thread_url(&self, _anchor: &Anchor) -> Option<Url> {
        None
    }

    async fn post(&self, _anchor: &Anchor, message: &Message) -> Result<MessageRef, ChatError> {
        let at = {
            let mut state = self.lock();
            state.messages += 1;
            MessageRef { place: format!("message-{}", state.messages), opens: None }
        };
        self.show(&at, message)?;
        Ok(at)
    }

    async fn edit(&self, at: &MessageRef, message: &Message) -> Result<(), ChatError> {
        self.show(at, message)
    }

    async fn whisper(&self, anchor: &Anchor, _user: &str, message: &Message) -> Result<(), ChatError> {
        self.post(anchor, message).await.map(|_| ())
    }

    async fn upload(&self, anchor: &Anchor, file: &File) -> Result<(), ChatError> {
        let words = format!("File {} ({} bytes)", file.name, file.bytes.len());
        self.post(anchor, &Message::text(&chat::escape(&words))).await.map(|_| ())
    }

    async fn profile(&self, _anchor: &Anchor, user: &str) -> Result<Profile, ChatError> {
        Ok(Profile { name: user.to_owned(), ..Profile::default() })
    }
}
