//! Who has caused a change, as its record names them.

use chat::escape;

/// Who has asked for a change and who has decided it, as far as their names are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Who has asked for it, or takes it back.
    pub asker: Option<String>,
    /// Who has confirmed it; nobody where the operator lets cells of one row be written at once.
    pub decider: Option<String>,
}

impl People {
    /// A sentence about them, in Markdown.
    pub fn words(&self, undo: bool) -> Option<String> {
        let named = |name: &Option<String>| name.as_deref().filter(|name| !name.trim().is_empty()).map(escape);
        Some(match (named(&self.asker), named(&self.decider)) {
            (Some(asker), _) if undo => format!("Taken back by {asker}."),
            (Some(asker), Some(decider)) if asker == decider => format!("Asked for and confirmed by {asker}."),
            (Some(asker), Some(decider)) => format!("Asked for by {asker}, confirmed by {decider}."),
            (Some(asker), None) => format!("Asked for by {asker}."),
            (None, Some(decider)) => format!("Confirmed by {decider}."),
            (None, None) => return None,
        })
    }
}
