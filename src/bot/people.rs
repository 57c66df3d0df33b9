//! Whether an answer names people whom the turn has found.

use super::grounds::{borne_out, is_check};
use super::turn::Gathered;
use crate::sheet::Checked;
use serde_json::Value;

/// Words with which somebody is named who was not found: “nobody but Lee”, “Dana has none”.
const NOT: [&str; 57] = [
    "no",
    "not",
    "none",
    "nobody",
    "nothing",
    "neither",
    "nor",
    "never",
    "without",
    "except",
    "excluding",
    "excludes",
    "besides",
    "but",
    "only",
    "zero",
    "0",
    "isn't",
    "aren't",
    "wasn't",
    "hasn't",
    "haven't",
    "doesn't",
    "don't",
    "didn't",
    "kein",
    "keine",
    "keinen",
    "keiner",
    "keinem",
    "nicht",
    "nichts",
    "nie",
    "niemand",
    "weder",
    "ohne",
    "außer",
    "ausgenommen",
    "aucun",
    "aucune",
    "pas",
    "ni",
    "sans",
    "sauf",
    "hormis",
    "jamais",
    "ningún",
    "ninguna",
    "ninguno",
    "nadie",
    "nunca",
    "sin",
    "salvo",
    "excepto",
    "nessuno",
    "niente",
    "senza",
];
/// The same in several words.
const OTHER_THAN: [&str; 3] = ["other than", "apart from", "aside from"];
/// How the line of a prompt begins that says who asks.
const ASKER: &str = "Who asks now";
/// Words by which somebody speaks of themselves, or is spoken to.
const PERSONAL: [&str; 43] = [
    "i", "i'm", "i've", "me", "my", "mine", "we", "us", "our", "you", "your", "yours", "ich", "mir", "mich", "mein", "meine", "meiner",
    "meinen", "meinem", "wir", "uns", "du", "dir", "dich", "dein", "deine", "je", "j'ai", "moi", "mon", "mes", "nous", "tu", "vous", "yo",
    "mí", "mi", "mis", "nosotros", "tú", "usted", "io",
];
/// How a sentence ends within a line: before a blank alone, as in “0.5 days” none does.
const SENTENCE_ENDS: [&str; 9] = [". ", "! ", "? ", "; ", ".” ", ".\" ", ".) ", "!” ", "?” "];
/// Letters of a part of a name by which a query may look for somebody.
const SHORTEST_PART: usize = 3;

/// People of a sheet whom an answer names although nothing that was found, said or asked does. Names of one word are no names here, a
/// sentence that denies something may name anybody, and beside a proposal people see what is proposed.
pub(super) fn found_nowhere(answer: &str, messages: &[Value], gathered: &Gathered) -> Vec<String> {
    let Some(shown) = gathered.shown.last().filter(|_| gathered.made.is_none()) else { return Vec::new() };
    let said = affirmed(answer);
    let people = shown.snapshot.people().into_iter().filter(|(_, name)| name.contains(' ') && said.contains(name.as_str()));
    let people: Vec<(String, String)> = people.collect();
    if people.is_empty() {
        return Vec::new();
    }
    let grounds = grounds(messages, answer).to_lowercase();
    let wanted: Vec<String> = gathered.shown.iter().flat_map(|shown| wanted(&shown.checked)).collect();
    let all = shown.snapshot.people();
    let is_whole = |text: &str| all.iter().any(|(email, name)| email.to_lowercase() == text || name.to_lowercase() == text);
    let is_grounded = |email: &str, name: &str| {
        let (email, name) = (email.to_lowercase(), name.to_lowercase());
        // Who is asked for by a whole name is nobody else of the same first name.
        let asks_for = |text: &String| match is_whole(text) {
            true => *text == email || *text == name,
            false => text.contains(&name) || (text.chars().count() >= SHORTEST_PART && (name.contains(text) || email.contains(text))),
        };
        [&email, &name].iter().any(|word| grounds.contains(word.as_str())) || wanted.iter().any(asks_for)
    };
    people.into_iter().filter(|(email, name)| !is_grounded(email, name)).map(|(_, name)| name).collect()
}

/// Texts that a query wants rows for, in small letters: of its conditions, and those of which is not known what they are held against.
fn wanted(checked: &Checked) -> Vec<String> {
    let known: Vec<String> = checked.known_texts().map(str::to_lowercase).collect();
    let quoted = checked.asked.split('\'').skip(1).step_by(2).map(|text| text.trim_matches('%').trim().to_lowercase());
    // A part of a name was completed already where it is known.
    let others = quoted.filter(|text| !known.iter().any(|known| known.contains(text.as_str())));
    let others: Vec<String> = others.flat_map(|text| text.split('%').map(str::to_owned).collect::<Vec<_>>()).collect();
    checked.wanted_texts().map(str::to_lowercase).chain(others).collect()
}

/// The sentences of an answer that deny nothing. What a line denies that leads to a list, its items do.
fn affirmed(answer: &str) -> String {
    let (mut said, mut denied) = (String::new(), false);
    for line in answer.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let is_item = is_item(line);
        let line = line.replace(['*', '_', '#'], "");
        let leads = line.ends_with(':');
        if leads || !is_item {
            denied = leads && denies(&line);
        }
        if !denied {
            let sentences = SENTENCE_ENDS.iter().fold(line, |line, sign| line.replace(sign, "\n"));
            sentences.lines().filter(|sentence| !denies(sentence)).for_each(|sentence| said.extend([sentence, "\n"]));
        }
    }
    said
}

/// Whether a line is one of a list: “- Lee”, “2. Lee”.
fn is_item(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let behind = if number.len() < line.len() { number.strip_prefix(['.', ')']) } else { line.strip_prefix(['-', '*', '•', '–']) };
    behind.is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

fn denies(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    let words = lower.split(|c: char| c.is_whitespace() || ",;:()*_“”\"/–—".contains(c));
    let mut words = words.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()));
    // “Personne n'a …”.
    words.any(|word| NOT.contains(&word) || word.starts_with("n'")) || OTHER_THAN.iter().any(|words| lower.contains(words))
}

/// All that may be named: results, people's words, earlier answers, and who asks where the question or the answer is about them. The list of
/// people in the outline says of nobody that they were found.
fn grounds(messages: &[Value], answer: &str) -> String {
    let question = messages.iter().rfind(|message| message["role"] == "user" && !is_check(message));
    let question = question.and_then(|message| message["content"].as_str());
    let about_asker = [question.unwrap_or_default(), answer].iter().any(|text| is_personal(text));
    let mut grounds = String::new();
    for (at, message) in messages.iter().enumerate() {
        // What is doubted, and the doubt, bear out nothing.
        let doubted = is_check(message) || messages.get(at + 1).is_some_and(is_check);
        let Some(text) = message["content"].as_str().filter(|_| !doubted) else { continue };
        match message["role"].as_str() {
            Some("system") => grounds.extend(text.lines().filter(|line| about_asker && line.starts_with(ASKER))),
            Some("assistant") if message["tool_calls"].is_array() => {}
            Some("assistant") => grounds.push_str(&borne_out(text)),
            // Whose line it is stands before it.
            Some("user") => {
                grounds.push_str(text.strip_prefix('[').and_then(|line| line.split_once("] ")).map_or(text, |(_, words)| words));
            }
            _ => grounds.push_str(text),
        }
        grounds.push('\n');
    }
    grounds
}

fn is_personal(text: &str) -> bool {
    let lower = text.to_lowercase().replace('’', "'");
    lower.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|word| PERSONAL.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::affirmed;

    #[test]
    fn what_is_denied_names_anybody() {
        let said = affirmed(
            "Lee Park has 4. Mia Jensen hasn’t any; Omar Haddad leads with 0.5 days.\n\n**These people have no tasks:**\n- Erin Fox\n1. Dana Cho\n\n\
             **Priya Nair** is next.\n3 are Sam Ortiz’s.\nWeder Ada Quist noch Bo Li.\nNone of these:\n* Ann Wu\n\n**No task is blocked.** Kim Roe has 3.\n\
             Kim Roe hat noch 4. People other than Jo Day have 12. Personne n’a rien, surtout Al Ray. La personne est Mo Fox.",
        );
        for (name, stays) in [
            ("Lee Park", true),
            ("Omar Haddad", true),
            ("Priya Nair", true),
            ("Sam Ortiz", true),
            ("Mia Jensen", false),
            ("Ada Quist", false),
            ("Ann Wu", false),
            ("Kim Roe has 3", true),
            ("Kim Roe hat noch 4", true),
            ("Jo Day", false),
            ("Al Ray", false),
            ("Mo Fox", true),
            ("Erin Fox", false),
            ("Dana Cho", false),
        ] {
            assert_eq!(said.contains(name), stays, "{name} in {said:?}");
        }
    }
}
