//! How people talk around what they want: salutations, politeness, small talk.

use super::words;
use chat::Message;

/// Greetings, alone or before what is wanted.
const HELLOS: [&str; 26] = [
    "hey there",
    "hi there",
    "hello there",
    "guten morgen",
    "guten tag",
    "guten abend",
    "buenos días",
    "buenas tardes",
    "buongiorno",
    "bonjour",
    "bonsoir",
    "salut",
    "hola",
    "ciao",
    "moin",
    "servus",
    "good morning",
    "good afternoon",
    "good evening",
    "greetings",
    "hey",
    "hi",
    "hello",
    "hallo",
    "yo",
    "morning",
];
/// Other words before what is wanted, as people address somebody.
const OPENINGS: [&str; 16] = [
    "hey bot",
    "hi bot",
    "hello bot",
    "hallo bot",
    "ok bot",
    "dear",
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
const ENDINGS: [&str; 14] =
    ["please", "pls", "thanks", "thank you", "thx", "now", "then", "for me", "bitte", "danke", "merci", "gracias", "por favor", "grazie"];

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
/// What people say before they want something else, parted from it by a sign: “no, stop”, “thanks, undo that”.
const EXCLAMATIONS: [&str; 20] = [
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
    "well",
    "bot",
];
/// Words that part them from it like a sign: “thanks but undo it”.
const BUTS: [&str; 4] = [" but ", " aber ", " mais ", " pero "];
/// Words of thanks.
const THANKS: [&str; 11] = ["thanks", "thank", "thx", "ty", "danke", "dank", "merci", "gracias", "grazie", "obrigado", "cheers"];
/// What stands around thanks and greetings. “Is” and “was” do so only behind what they speak of: “that was great”, not “is that all”.
const AROUND: [&str; 45] = [
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
    "zusammen",
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
    unwrapped(text).0
}

/// Whether something is said before what is wanted that people say to each other, too: “great. Now log out”.
pub(super) fn exclaims(text: &str) -> bool {
    unwrapped(text).1
}

fn unwrapped(text: &str) -> (&str, bool) {
    let (mut text, mut exclaims) = (trimmed(text), false);
    // The end first: “no, thanks” is “no”.
    while let Some(rest) = ENDINGS.iter().find_map(|ending| before(text, ending)) {
        text = rest;
    }
    loop {
        if let Some(rest) = OPENINGS.iter().chain(&HELLOS).find_map(|opening| behind(text, opening)) {
            text = rest;
        } else if let Some(rest) = exclaimed(text) {
            // Whoever calls the bot means it.
            (text, exclaims) = (rest, exclaims || behind(text, "bot").is_none());
        } else {
            return (text, exclaims);
        }
    }
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
    let spaced = format!(" {} ", words.join(" "));
    let has = |known: &str| spaced.contains(&format!(" {known} "));
    let is_around = |at: usize| match words[at] {
        "is" | "was" => at > 0 && ["that", "this", "it", "all"].contains(&words[at - 1]),
        word => AROUND.contains(&word),
    };
    let is_hello = |word: &str| HELLOS.iter().any(|hello| hello.split(' ').any(|part| part == word) && has(hello));
    if words.iter().any(|word| THANKS.contains(word)) && (0..words.len()).all(|at| THANKS.contains(&words[at]) || is_around(at)) {
        return Some(SmallTalk::Thanks);
    }
    let rest = wanted(&bare);
    let asks = ["who are you", "what are you", "are you a bot", "are you human", "who is this", "what do you do", "what is your job"];
    if asks.contains(&rest) {
        return Some(SmallTalk::WhoAreYou);
    }
    let asks_how = ["how are you", "how are you doing", "how are you today", "how is it going", "how's it going", "what's up"];
    let greets = HELLOS.iter().any(|hello| has(hello)) && (0..words.len()).all(|at| is_hello(words[at]) || is_around(at));
    (greets || asks_how.contains(&rest)).then_some(SmallTalk::Hello)
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
    text.trim_matches(|c: char| c.is_whitespace() || ",:;-–—!.?¡¿".contains(c))
}

/// What stands behind these words, where they are words of their own.
fn behind<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    let head = text.get(..opening.len()).filter(|head| head.eq_ignore_ascii_case(opening))?;
    let rest = &text[head.len()..];
    rest.chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '\'').then(|| trimmed(rest))
}

/// What stands behind an exclamation, where a sign parts them: “no, stop” is not “no stop”, and “non-stop” is neither.
fn exclaimed(text: &str) -> Option<&str> {
    let rest = EXCLAMATIONS.iter().find_map(|word| {
        let head = text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        let tail = &text[head.len()..];
        let but = BUTS.iter().find_map(|but| tail.get(..but.len()).filter(|head| head.eq_ignore_ascii_case(but)));
        let sign = tail.trim_start().strip_prefix([',', '!', '.', ';', ':']);
        let dash = || tail.trim_start().strip_prefix(['-', '–', '—']).filter(|rest| rest.starts_with(char::is_whitespace));
        but.map(|but| &tail[but.len()..]).or(sign).or_else(dash)
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
            ("thanks but undo it", "undo it"),
            ("thanks – undo that", "undo that"),
            ("Non ! Arrête !", "Arrête"),
            ("Moin, stopp!", "stopp"),
            ("¡Para, por favor!", "Para"),
            ("¿Ayuda?", "Ayuda"),
            ("non-stop", "non-stop"),
            ("Well status", "Well status"),
            ("Bot Jobs", "Bot Jobs"),
            ("hey bot stop", "stop"),
            ("hi bot help", "help"),
            ("hey there, well, status", "status"),
            ("Nein danke", "Nein"),
            ("Non, merci !", "Non"),
        ] {
            assert_eq!(wanted(said), right, "{said}");
        }
    }

    #[test]
    fn small_talk_is_a_whole_text() {
        for (talk, texts) in [
            (
                Some(SmallTalk::Hello),
                &[
                    "hello",
                    "Hi!",
                    "hey there",
                    "good morning",
                    "hi, how are you?",
                    "Hello everyone",
                    "guten Tag",
                    "hola",
                    "how are you?",
                    "Moin zusammen",
                    "ok, hello",
                    "hello?",
                ][..],
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
                    "thanks, that was great!",
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
                    "thanks, is that all?",
                    "Thanks, is this for the team?",
                    "hi, is it all there?",
                    "well?",
                    "ok, well",
                    "can you?",
                    "could you please",
                    "morgen",
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
