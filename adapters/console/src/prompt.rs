//! The line that is being typed: editing, history, Tab, and room above it for what is said meanwhile.

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, ExternalPrinter, Helper};
use std::io::Write;
use tokio::sync::oneshot;

const PROMPT: &str = "you> ";

/// A line editor in a thread of its own.
pub struct Prompt {
    asks: std::sync::mpsc::Sender<oneshot::Sender<Option<String>>>,
}

impl Prompt {
    /// Takes the terminal over. Tab completes these lines; what is written to the second part appears above the prompt.
    ///
    /// # Errors
    /// When there is no terminal, or none that can be edited on.
    pub fn open(lines: Vec<String>) -> std::io::Result<(Self, Box<dyn Write + Send>)> {
        let mut editor: Editor<Lines, _> = Editor::new().map_err(std::io::Error::other)?;
        editor.set_helper(Some(Lines(lines)));
        let printer = editor.create_external_printer().map_err(std::io::Error::other)?;
        let (asks, asked) = std::sync::mpsc::channel::<oneshot::Sender<Option<String>>>();
        std::thread::Builder::new().name("prompt".into()).spawn(move || {
            for answer in asked {
                let line = loop {
                    match editor.readline(PROMPT) {
                        Err(ReadlineError::Signal(_)) => {}
                        // No line: Ctrl-C, Ctrl-D, or a terminal that is gone.
                        read => break read.ok(),
                    }
                };
                if let Some(line) = line.as_ref().filter(|l| !l.trim().is_empty()) {
                    // A line that is not remembered is no reason to stop.
                    let _ = editor.add_history_entry(line.as_str());
                }
                // Nobody waits any more when the program ends.
                let _ = answer.send(line);
            }
        })?;
        Ok((Self { asks }, Box::new(Above { printer, text: Vec::new() })))
    }

    /// The next line; nothing when the person has ended the conversation.
    pub async fn line(&self) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(answer).ok()?;
        answered.await.ok().flatten()
    }
}

/// Writes above the line that is being typed, a message at a time.
struct Above<P> {
    printer: P,
    text: Vec<u8>,
}

impl<P: ExternalPrinter> Write for Above<P> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
        if text.is_empty() { Ok(()) } else { self.printer.print(text).map_err(std::io::Error::other) }
    }
}

/// Lines that can be typed.
struct Lines(Vec<String>);

impl Completer for Lines {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _context: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line[..position].to_lowercase();
        Ok((0, self.0.iter().filter(|l| l.to_lowercase().starts_with(&typed)).cloned().collect()))
    }
}

impl Hinter for Lines {
    type Hint = String;
}

impl Highlighter for Lines {}
impl Validator for Lines {}
impl Helper for Lines {}
