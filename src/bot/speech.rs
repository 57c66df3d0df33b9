//! How people talk around what they want: salutations, politeness, small talk.

use super::words;
use chat::Message;

/// Words before what is wanted, as people address somebody.
const OPENINGS: [&str; 31] = [
    "guten morgen",
    "guten tag",
    "guten abend",
    "buenos días",
    "buongiorno",
    "bonjour",
    "hola",
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
    "bot",
    "well",
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

/// Words that are only polite, wherever they stand.
const POLITE: [&str; 13] = [
    "please",
    "pls",
    "bitte",
    "mal",
    "doch",
    "svp",
    "s'il te plaît",
    "s'il vous plaît",
    "s'il te plait",
    "por favor",
    "per favore",
    "per piacere",
    "お願いします",
];
/// Words of a text that is read without them.
const MOST_PLAIN: usize = 6;
/// What people say before they want something else: “no, stop”, “thanks, undo that”.
const EXCLAMATIONS: [&str; 18] = [
    "no",
    "nope",
    "wait",
    "oh no",
    "oops",
    "sorry",
    "nein",
    "non",
    "warte",
    "thanks",
    "thank you",
    "thx",
    "danke",
    "merci",
    "gracias",
    "great",
    "perfect",
    "right",
];
/// Words of thanks.
const THANKS: [&str; 11] = ["thanks", "thank", "thx", "ty", "danke", "dank", "merci", "gracias", "grazie", "obrigado", "cheers"];
/// Words of greetings that are no openings of sentences.
const GREETINGS: [&str; 12] = ["hola", "bonjour", "ciao", "moin", "servus", "hi", "hello", "hey", "hallo", "morgen", "tag", "greetings"];
/// Openings that greet nobody.
const BARE: [&str; 8] = ["ok", "okay", "so", "please", "pls", "now", "dear", "let's"];
/// What stands around thanks and greetings.
const AROUND: [&str; 44] = [
    "you",
    "so",
    "very",
    "much",
    "a",
    "lot",
    "many",
    "for",
    "your",
    "the",
    "help",
    "that",
    "this",
    "it",
    "helps",
    "helped",
    "great",
    "perfect",
    "awesome",
    "cool",
    "nice",
    "ok",
    "okay",
    "all",
    "again",
    "everyone",
    "everybody",
    "team",
    "there",
    "is",
    "was",
    "schön",
    "sehr",
    "vielen",
    "dir",
    "beaucoup",
    "muchas",
    "mille",
    "good",
    "day",
    "guten",
    "bot",
    "really",
    "kindly",
];

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
    // The end first: “no, thanks” is “no”.
    while let Some(rest) = ENDINGS.iter().find_map(|ending| before(text, ending)) {
        text = rest;
    }
    while let Some(rest) = OPENINGS.iter().find_map(|opening| behind(text, opening)).or_else(|| exclaimed(text)) {
        text = rest;
    }
    text
}

/// The same without the polite words that stand in the middle of it, in the languages of the fixed words, and without words that are said
/// twice; nothing for whole sentences.
pub(super) fn plainly(wanted: &str) -> Option<String> {
    let mut text = format!(" {} ", wanted.to_lowercase().replace(',', " ").replace('’', "'"));
    for polite in POLITE {
        text = text.replace(&format!(" {polite} "), " ");
    }
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.dedup();
    (1..=MOST_PLAIN).contains(&words.len()).then(|| words.join(" "))
}

/// The small talk that a whole text is.
pub(super) fn small_talk(text: &str) -> Option<SmallTalk> {
    let bare = trimmed(text).to_lowercase();
    let words: Vec<&str> = bare.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty()).collect();
    let all_of = |known: &[&str]| words.iter().all(|word| known.contains(word) || AROUND.contains(word));
    let some_of = |known: &[&str]| words.iter().any(|word| known.contains(word));
    if words.is_empty() {
        return None;
    }
    if some_of(&THANKS) && all_of(&THANKS) {
        return Some(SmallTalk::Thanks);
    }
    let asks = ["who are you", "what are you", "are you a bot", "are you human", "who is this", "what do you do", "what is your job"];
    if asks.contains(&wanted(&bare)) {
        return Some(SmallTalk::WhoAreYou);
    }
    let asks_how = ["how are you", "how are you doing", "how are you today", "how is it going", "how's it going", "what's up"];
    let rest = wanted(&bare);
    let greets = some_of(&GREETINGS) && all_of(&GREETINGS);
    let opens = rest.is_empty() && words.iter().any(|word| !AROUND.contains(word) && !BARE.contains(word));
    (greets || opens || asks_how.contains(&rest)).then_some(SmallTalk::Hello)
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

/// What stands behind an exclamation, where a sign parts them: “no, stop” is not “no stop”.
fn exclaimed(text: &str) -> Option<&str> {
    let rest = EXCLAMATIONS.iter().find_map(|word| {
        let head = text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        text[head.len()..].strip_prefix([',', '!', '.', ';', ':', '-', '–', '—'])
    })?;
    Some(trimmed(rest)).filter(|rest| !rest.is_empty())
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
        for (talk, texts) in [
            (
                Some(SmallTalk::Hello),
                &["hello", "Hi!", "hey there", "good morning", "hi, how are you?", "Hello everyone", "guten Tag", "hola", "how are you?"][..],
            ),
            (
                Some(SmallTalk::Thanks),
                &[
                    "thanks!",
                    "Thank you.",
                    "ok thanks!",
                    "thank you so much",
                    "thanks a lot for your help",
                    "perfect, thanks",
                    "vielen Dank",
                    "Merci beaucoup !",
                ],
            ),
            (Some(SmallTalk::WhoAreYou), &["who are you?", "what do you do?", "hi, who are you?"]),
            (
                None,
                &[
                    "ok",
                    "hi, which tasks are late?",
                    "",
                    "please",
                    "thanks, now undo it",
                    "so",
                    "great",
                    "thank Dana in a comment",
                    "is it all good",
                    "?!",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(small_talk(text), talk, "{text}");
            }
        }
    }

    #[test]
    fn what_is_polite_is_left_out_and_what_is_no_is_not() {
        for (said, right) in [
            ("rückgängig bitte", "rückgängig"),
            ("mach das bitte rückgängig", "mach das rückgängig"),
            ("zeig mir bitte mal das blatt", "zeig mir das blatt"),
            ("annule ça s’il te plaît", "annule ça"),
            ("stop stop stop", "stop"),
        ] {
            assert_eq!(plainly(wanted(said)).as_deref(), Some(right), "{said}");
        }
        assert_eq!(plainly("please"), None, "nothing is no command");
        assert_eq!(plainly("please set the budget of all the tasks of Dana to nothing"), None);
        assert_eq!(
            (wanted("no, stop"), wanted("oh no! stop that"), wanted("no stop"), wanted("no")),
            ("stop", "stop that", "no stop", "no")
        );
    }
}
