//! Whether an answer names people whom the turn has found.

use super::grounds::is_check;
use super::turn::Gathered;
use serde_json::Value;

/// Words with which somebody is named who was not found: “nobody but Lee”, “Dana has none”.
const NOT: [&str; 28] = [
    "no", "not", "none", "nobody", "nothing", "neither", "nor", "without", "except", "but", "only", "zero", "0", "isn't", "hasn't",
    "doesn't", "don't", "kein", "keine", "keinen", "nicht", "niemand", "aucun", "aucune", "pas", "ningún", "ninguna", "sin",
];
/// How the line of a prompt begins that says who asks.
const ASKER: &str = "Who asks now";

/// People of a sheet whom an answer names although nothing that was found, said or asked does. Names of one word are no names here, and a
/// sentence that denies something may name anybody.
pub(super) fn found_nowhere(answer: &str, messages: &[Value], gathered: &Gathered) -> Vec<String> {
    let Some(shown) = gathered.shown.last() else { return Vec::new() };
    let sentences: Vec<&str> = answer.split(['.', '!', '?', ';', '\n']).filter(|sentence| !denies(sentence)).collect();
    let told = |name: &str| sentences.iter().any(|sentence| sentence.contains(name));
    let people = shown.snapshot.people().into_iter().map(|(_, name)| name).filter(|name| name.contains(' ') && !name.contains('@'));
    let mut named: Vec<String> = people.filter(|name| told(name)).collect();
    if !named.is_empty() {
        let grounds = grounds(messages, gathered).to_lowercase();
        named.retain(|name| !grounds.contains(&name.to_lowercase()));
    }
    named
}

fn denies(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’').any(|word| NOT.contains(&word.replace('’', "'").as_str()))
}

/// All that may be named: results, people's words, earlier answers, conditions that people see, and who asks. The list of people in the outline
/// says of nobody that they were found.
fn grounds(messages: &[Value], gathered: &Gathered) -> String {
    let mut grounds = String::new();
    for (at, message) in messages.iter().enumerate() {
        // What is doubted, and the doubt, bear out nothing.
        let doubted = is_check(message) || messages.get(at + 1).is_some_and(is_check);
        let Some(text) = message["content"].as_str().filter(|_| !doubted) else { continue };
        match message["role"].as_str() {
            Some("system") => grounds.extend(text.lines().filter(|line| line.starts_with(ASKER))),
            Some("assistant") if message["tool_calls"].is_array() => {}
            _ => grounds.push_str(text),
        }
        grounds.push('\n');
    }
    gathered.shown.iter().filter_map(|shown| shown.checked.filter.as_deref()).for_each(|filter| grounds.push_str(filter));
    grounds
}
