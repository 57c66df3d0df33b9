//! The terminal passes the port's contract. It has no far side: what it cannot have, such as forged
//! requests or refused markup, holds by itself.
#![expect(clippy::unwrap_used, reason = "a broken clause fails by panicking")]

use async_trait::async_trait;
use chat::contract::{Remembering, Rig, run};
use chat::{Chat, Inbox, Incoming};
use console_chat::{Console, Look};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Terminal {
    console: Console,
    screen: Screen,
    inbox: Remembering,
    last: Mutex<Option<Incoming>>,
}

impl Terminal {
    async fn type_line(&self, line: &str) {
        let event = self.console.line(line, 0);
        *self.last.lock().unwrap() = Some(event.clone());
        self.inbox.accept(event).await.unwrap();
    }
}

#[async_trait]
impl Rig for Terminal {
    fn chat(&self) -> &dyn Chat {
        &self.console
    }

    fn inbox(&self) -> &Remembering {
        &self.inbox
    }

    async fn mention(&self, text: &str) {
        self.type_line(text).await;
    }

    async fn follow_up(&self, text: &str) {
        self.type_line(text).await;
    }

    async fn redeliver(&self) {
        let last = self.last.lock().unwrap().clone().unwrap();
        self.inbox.accept(last).await.unwrap();
    }

    async fn echo_own_message(&self) {}

    async fn forged(&self) -> bool {
        true
    }

    async fn press(&self, label: &str) {
        self.type_line(label).await;
    }

    async fn visible(&self) -> Vec<String> {
        let text = String::from_utf8(self.screen.0.lock().unwrap().clone()).unwrap();
        text.split("bot> ").skip(1).map(|m| m.trim().to_owned()).collect()
    }

    async fn refuse_markup(&self) {}
}

#[tokio::test]
async fn the_terminal_passes_the_contract() {
    let screen = Screen::default();
    let console = Console::new("lee", Look::default(), Box::new(screen.clone()));
    run(&Terminal { console, screen, inbox: Remembering::default(), last: Mutex::default() }).await;
}
