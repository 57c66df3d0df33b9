//! Whether an answer names people whom the turn has found.

use super::grounds::{borne_out, is_check};
use super::turn::Gathered;
use serde_json::Value;

/// Words with which somebody is named who was not found: “nobody but Lee”, “Dana has none”.
const NOT: [&str; 36] = [
    "no", "not", "none", "nobody", "nothing", "neither", "nor", "never", "without", "except", "but", "only", "zero", "0", "isn't",
    "aren't", "wasn't", "hasn't", "haven't", "doesn't", "don't", "didn't", "kein", "keine", "keinen", "nicht", "niemand", "ohne", "außer",
    "aucun", "aucune", "pas", "ningún", "ninguna", "ninguno", "sin",
];
/// How the line of a prompt begins that says who asks.
const ASKER: &str = "Who asks now";
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
    let grounds = grounds(messages).to_lowercase();
    let asked: Vec<String> = gathered.shown.iter().map(|shown| shown.checked.asked.to_lowercase()).collect();
    let is_asked = |part: &str| part.chars().count() >= SHORTEST_PART && asked.iter().any(|sql| sql.contains(part));
    let is_grounded = |email: &str, name: &str| {
        let (email, name) = (email.to_lowercase(), name.to_lowercase());
        [&email, &name].iter().any(|word| grounds.contains(word.as_str())) || is_asked(&email) || name.split_whitespace().any(is_asked)
    };
    people.into_iter().filter(|(email, name)| !is_grounded(email, name)).map(|(_, name)| name).collect()
}

/// The sentences of an answer that deny nothing. What a line denies that leads to a list, its items do.
fn affirmed(answer: &str) -> String {
    let (mut said, mut denied) = (String::new(), false);
    for line in answer.lines().filter(|line| !line.trim().is_empty()) {
        let is_item = line.trim_start().starts_with(|c: char| "-*•".contains(c) || c.is_ascii_digit());
        if !is_item {
            denied = line.trim_end().ends_with(':') && denies(line);
        }
        if !denied {
            line.split(['.', '!', '?', ';']).filter(|sentence| !denies(sentence)).for_each(|sentence| said.extend([sentence, "\n"]));
        }
    }
    said
}

fn denies(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    lower.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|word| NOT.contains(&word))
}

/// All that may be named: results, people's words, earlier answers, and who asks. The list of people in the outline says of nobody that they
/// were found.
fn grounds(messages: &[Value]) -> String {
    let mut grounds = String::new();
    for (at, message) in messages.iter().enumerate() {
        // What is doubted, and the doubt, bear out nothing.
        let doubted = is_check(message) || messages.get(at + 1).is_some_and(is_check);
        let Some(text) = message["content"].as_str().filter(|_| !doubted) else { continue };
        match message["role"].as_str() {
            Some("system") => grounds.extend(text.lines().filter(|line| line.starts_with(ASKER))),
            Some("assistant") if message["tool_calls"].is_array() => {}
            Some("assistant") => grounds.push_str(&borne_out(text)),
            _ => grounds.push_str(text),
        }
        grounds.push('\n');
    }
    grounds
}

#[cfg(test)]
mod tests {
    use super::affirmed;

    #[test]
    fn what_is_denied_names_anybody() {
        let said = affirmed(
            "Lee Park has 4. Mia Jensen hasn’t any; Omar Haddad leads.\n\nThese people have no tasks:\n- Erin Fox\n1. Dana Cho\n\nPriya Nair is next.",
        );
        for (name, stays) in [
            ("Lee Park", true),
            ("Omar Haddad", true),
            ("Priya Nair", true),
            ("Mia Jensen", false),
            ("Erin Fox", false),
            ("Dana Cho", false),
        ] {
            assert_eq!(said.contains(name), stays, "{name} in {said:?}");
        }
    }
}
