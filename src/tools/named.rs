//! Whether somebody has named a sheet in what they said: what a cell, a comment or a file says does not count.

use crate::sheet::Snapshot;

/// Words of a name that say nothing about which sheet is meant.
const FILLING: [&str; 12] = ["the", "and", "for", "of", "sheet", "new", "copy", "our", "my", "der", "die", "das"];
/// Letters that the beginnings of two forms of a word share at least: “budget”, “budgets”.
const STEM: usize = 4;
/// Letters by which they differ at most.
const ENDING: usize = 3;

/// Whether one of these texts names the sheet: by its name, by all the words of its name that are no numbers, by its id or its link.
pub(super) fn named(said: &[String], sheet: &Snapshot) -> bool {
    said.iter().any(|said| names(said, &sheet.name, sheet.id, &sheet.permalink))
}

fn names(said: &str, name: &str, id: i64, permalink: &str) -> bool {
    let (lower, name) = (said.to_lowercase(), name.to_lowercase());
    let bare = |url: &str| url.trim_start_matches("https://").trim_start_matches("http://").to_owned();
    if contains_word(&lower, &name) || contains_word(said, &id.to_string()) || (!permalink.is_empty() && said.contains(&bare(permalink))) {
        return true;
    }
    let spoken: Vec<&str> = words(&lower).collect();
    let mut needed = words(&name).filter(|word| word.chars().any(char::is_alphabetic) && !FILLING.contains(word)).peekable();
    needed.peek().is_some() && needed.all(|word| spoken.iter().any(|said| same(said, word)))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether a text holds another one that does not begin or end in the middle of a word.
fn contains_word(text: &str, part: &str) -> bool {
    // Scripts without capitals may set words together.
    let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() || (c.is_alphabetic() && !c.is_lowercase() && !c.is_uppercase()));
    !part.trim().is_empty()
        && text.match_indices(part).any(|(at, _)| ends(text[..at].chars().next_back()) && ends(text[at + part.len()..].chars().next()))
}

/// Whether two words are forms of the same one.
fn same(said: &str, word: &str) -> bool {
    let shared = said.chars().zip(word.chars()).take_while(|(a, b)| a == b).count();
    let (said, word) = (said.chars().count(), word.chars().count());
    (shared == said && shared == word) || (shared >= STEM && said.max(word) - shared <= ENDING && said.min(word) - shared <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_named_by_its_words_its_id_or_its_link() {
        let link = "https://app.smartsheet.com/sheets/abc123";
        let named = |said: &str, name: &str| names(said, name, 4_583_173, link);
        for (said, name) in [
            ("compare it with Budget 2026", "Budget 2026"),
            ("and what do the budgets say?", "Budget 2026"),
            ("how much is in the budget?", "Budget 2026"),
            ("wie viele Urlaubstage stehen in den Urlaubstagen?", "Urlaubstage"),
            ("who is in the salary list of HR", "HR Salary List"),
            ("look at 4583173", "Anything"),
            ("look at app.smartsheet.com/sheets/abc123?view=grid", "Anything"),
            ("what is in 2026?", "2026"),
            ("人事の給与は?", "人事"),
        ] {
            assert!(named(said, name), "{said} / {name}");
        }
        for (said, name) in [
            ("which tasks are overdue?", "HR Salary List"),
            ("which projects are late?", "Project Salaries"),
            ("what did HR say?", "HR Salary List"),
            ("how many rows?", "Rows 2026 Layoffs"),
            ("is 145831739 paid?", "Anything"),
            ("what is in 20261?", "2026"),
            ("", "Budget"),
        ] {
            assert!(!named(said, name), "{said} / {name}");
        }
    }
}
