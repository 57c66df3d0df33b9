//! How people talk around what they want: salutations, politeness, small talk.

use super::words;
use chat::Message;

/// Words before what is wanted, as people address somebody.
const OPENINGS: [&str; 22] = [
    "good morning",
    "good afternoon",
    "good evening",
    "hey there",
    "hi there",
    "hello there",
    "hey",
    "hi",
    "hello",
    "hallo",
    "dear",
    "yo",
    "ok",
    "okay",
    "so",
    "please",
    "pls",
    "now",
    "could you",
    "can you",
    "would you",
    "let's",
];
/// Words behind it.
const ENDINGS: [&str; 8] = ["please", "pls", "thanks", "thank you", "thx", "now", "then", "for me"];

/// Something that wants an answer, and no work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmallTalk {
    Hello,
    Thanks,
    WhoAreYou,
}

/// What is wanted, without how somebody is addressed: “hey @bot, help!” is “help”.
pub(super) fn wanted(text: &str) -> &str {
    let mut text = trimmed(text);
    while let Some(rest) = OPENINGS.iter().find_map(|opening| behind(text, opening)) {
        text = rest;
    }
    while let Some(rest) = ENDINGS.iter().find_map(|ending| before(text, ending)) {
        text = rest;
    }
    text
}

/// The small talk that a whole text is.
pub(super) fn small_talk(text: &str) -> Option<SmallTalk> {
    let bare = trimmed(text).to_lowercase();
    let is = |all: &[&str]| all.contains(&bare.as_str());
    if is(&[
        "thanks",
        "thank you",
        "thx",
        "ty",
        "thanks a lot",
        "many thanks",
        "thank you very much",
        "danke",
        "merci",
        "gracias",
        "cheers",
    ]) {
        return Some(SmallTalk::Thanks);
    }
    if is(&["who are you", "what are you", "are you a bot", "are you human", "who is this"]) {
        return Some(SmallTalk::WhoAreYou);
    }
    let greets = is(&["hola", "bonjour", "ciao", "moin", "servus", "good day", "guten tag", "guten morgen"]);
    (greets || (!bare.is_empty() && wanted(&bare).is_empty() && !is(&["ok", "okay", "so", "please", "pls", "now"])))
        .then_some(SmallTalk::Hello)
}

/// Whether a whole text is a greeting or thanks.
pub(super) fn is_courtesy(text: &str) -> bool {
    matches!(small_talk(text), Some(SmallTalk::Hello | SmallTalk::Thanks))
}

/// Whether a text has no word or number in it: nothing, `?!`, emoji.
pub(super) fn is_wordless(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric)
}

impl SmallTalk {
    /// A line, as a person would answer.
    pub fn answer(self) -> Message {
        Message::text(match self {
            Self::Hello => words::hello(),
            Self::Thanks => words::you_are_welcome(),
            Self::WhoAreYou => words::who_i_am(),
        })
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || ",:;-–—!.?".contains(c))
}

/// What stands behind these words, where they are words of their own.
fn behind<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let head = text.get(..opening.len()).filter(|head| head.eq_ignore_ascii_case(opening))?;
    let rest = &text[head.len()..];
    rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '\'').then(|| trimmed(rest))
}

fn before<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(ending.len()).filter(|at| text.is_char_boundary(*at))?;
    let (rest, tail) = text.split_at(at);
    let apart = rest.chars().next_back().is_some_and(|c| !c.is_alphanumeric());
    (tail.eq_ignore_ascii_case(ending) && apart).then(|| trimmed(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_stands_among_how_people_talk() {
        for (said, right) in [
            (": stop", "stop"),
            (", help", "help"),
            ("hey , help!", "help"),
            ("Hi, use Project Plan", "use Project Plan"),
            ("please use the project plan, thanks!", "use the project plan"),
            ("could you please undo that?", "undo that"),
            ("hello - status", "status"),
            ("history of changes", "history of changes"),
            ("show thanksgiving", "show thanksgiving"),
            ("set Status to ok", "set Status to ok"),
        ] {
            assert_eq!(wanted(said), right, "{said}");
        }
    }

    #[test]
    fn small_talk_is_a_whole_text() {
        let all =
            ["hello", "Hi!", "hey there", "good morning", "thanks!", "Thank you.", "who are you?", "ok", "hi, which tasks are late?", ""];
        let right = [
            Some(SmallTalk::Hello),
            Some(SmallTalk::Hello),
            Some(SmallTalk::Hello),
            Some(SmallTalk::Hello),
            Some(SmallTalk::Thanks),
            Some(SmallTalk::Thanks),
            Some(SmallTalk::WhoAreYou),
            None,
            None,
            None,
        ];
        assert_eq!(all.map(small_talk), right);
    }
}
