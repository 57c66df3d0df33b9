//! Who has caused a change, as its record names them.

use chat::escape;

/// Who has asked for a change and who has decided it, as far as their names are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Who has asked for it.
    pub asker: Option<String>,
    /// Who has confirmed it; nobody where the operator lets cells of one row be written at once.
    pub decider: Option<String>,
    /// Who has taken it back, where somebody has.
    pub undoer: Option<String>,
}

impl People {
    /// A sentence or two about them, in Markdown.
    pub fn words(&self) -> Option<String> {
        let named = |name: &Option<String>| name.as_deref().filter(|name| !name.trim().is_empty()).map(escape);
        let made = match (named(&self.asker), named(&self.decider)) {
            (Some(asker), Some(decider)) if asker == decider => Some(format!("Asked for and confirmed by {asker}.")),
            (Some(asker), Some(decider)) => Some(format!("Asked for by {asker}, confirmed by {decider}.")),
            (Some(asker), None) => Some(format!("Asked for by {asker}.")),
            (None, Some(decider)) => Some(format!("Confirmed by {decider}.")),
            (None, None) => None,
        };
        let undone = named(&self.undoer).map(|name| format!("Taken back by {name}."));
        // One person who has done it all is named once.
        if let (Some(undoer), Some(asker)) = (named(&self.undoer), named(&self.asker))
            && undoer == asker
        {
            match named(&self.decider) {
                None => return Some(format!("Asked for and taken back by {asker}.")),
                Some(decider) if decider == asker => return Some(format!("Asked for, confirmed and taken back by {asker}.")),
                Some(_) => {}
            }
        }
        let words: Vec<String> = undone.into_iter().chain(made).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}
