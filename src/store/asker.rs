//! People, as what belongs to them is stored.

use chat::{Incoming, Platform};

/// A person. Ids of people are unique only within an install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The platform's id of the person, or the id of an API key.
    pub id: String,
    /// What the keys of all threads of the install begin with, see [`chat::ThreadKey::install_key`].
    pub install: String,
}

impl From<&Incoming> for Asker {
    fn from(event: &Incoming) -> Self {
        Self { id: event.sender.id.clone(), install: event.thread.install_key() }
    }
}

impl Asker {
    /// Whoever holds this API key; their threads may be anywhere on the web.
    pub fn with_key(id: &str) -> Self {
        Self { id: id.to_owned(), install: Platform::Web.as_str().to_owned() }
    }

    /// Who asked for something in this thread.
    pub fn in_thread(id: &str, thread_key: &str) -> Self {
        Self { id: id.to_owned(), install: thread_key.splitn(3, '|').take(2).collect::<Vec<_>>().join("|") }
    }

    /// Whoever caused an event, as private answers are kept for them: in Discord and Telegram they may get them elsewhere.
    pub fn alone(event: &Incoming) -> Self {
        let person = crate::access::Person::of(event);
        Self { id: person.id, install: format!("{}|{}", person.platform, person.install) }
    }

    /// Whether something is this person's that was asked for by `asker` in this thread.
    pub fn has(&self, asker: &str, thread_key: &str) -> bool {
        self.id == asker && thread_key.strip_prefix(&self.install).is_some_and(|rest| rest.starts_with('|'))
    }
}
