//! What answers claim: that there is nothing, or that something was done. Both are held against what has happened.

/// What may stand before the claim.
const LEADS: [&str; 9] =
    ["no, ", "nein, ", "currently ", "at the moment ", "at the moment, ", "right now ", "right now, ", "currently, ", "aktuell "];
/// How an answer begins that says that there is nothing.
const NONE: [&str; 27] = [
    "there are no ",
    "there is no ",
    "there are none",
    "there is nothing",
    "there aren't any",
    "there isn't any",
    "there are currently no ",
    "none of the ",
    "none.",
    "none ",
    "nothing is ",
    "nothing matches",
    "0 ",
    "i found no ",
    "i found none",
    "i couldn't find any",
    "i could not find any",
    "es gibt kein",
    "keine ",
    "kein ",
    "nichts ",
    "il n'y a pas",
    "il n'y a auc",
    "aucun",
    "no hay ",
    "ningun",
    "ningún",
];
/// What begins alike and says something else.
const NOT_NONE: [&str; 12] = [
    "kein problem",
    "no hay problema",
    "no problem",
    "none of these",
    "none of them",
    "none of those",
    "there is no need",
    "there is no column",
    "there is no sheet",
    "there is no row",
    "there is no field",
    "keine sorge",
];
/// What is said of things that are there, behind “no …”.
const VERBS: [&str; 9] = [" are ", " is ", " match", " have ", " has ", " were ", " was ", " meet ", " found"];

/// How a sentence says so anywhere in an answer.
const NONE_LATER: [&str; 8] = [
    "there are no ",
    "there are none",
    "there are currently no ",
    "none of the ",
    "i found no ",
    "i found none",
    "es gibt kein",
    "no hay ",
];
/// What makes it a sentence about the rest.
const OF_THE_REST: [&str; 9] = [" other", " else", " more", " further", " need", "weitere", "anderen", "sonst", "más"];

/// Whether an answer says that there is nothing.
pub(in crate::bot) fn none(answer: &str) -> bool {
    let lower = answer.to_lowercase().replace('’', "'").replace(['*', '_'], "");
    let later = lower.split(['.', '!', '\n', ';']).skip(1).map(str::trim_start).any(|sentence| {
        let said = NONE_LATER.iter().any(|words| sentence.starts_with(words)) && !NOT_NONE.iter().any(|words| sentence.starts_with(words));
        said && !sentence.contains(" column") && !OF_THE_REST.iter().any(|word| sentence.contains(word))
    });
    later || begins_with_none(answer)
}

/// Whether an answer begins by saying so.
fn begins_with_none(answer: &str) -> bool {
    let said = answer.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase().replace('’', "'");
    let said = LEADS.iter().find_map(|lead| said.strip_prefix(lead)).unwrap_or(&said);
    let sentence = said.split(['.', '!', '\n']).next().unwrap_or_default();
    if NOT_NONE.iter().any(|words| sentence.starts_with(words)) || sentence.contains(" column") {
        return false;
    }
    let no = sentence.starts_with("no ") && VERBS.iter().any(|verb| format!("{sentence} ").contains(verb));
    no || NONE.iter().any(|words| said.starts_with(words))
}

/// How it is said in English that something was written.
const DONE: [&str; 18] = [
    "set",
    "updated",
    "changed",
    "deleted",
    "added",
    "removed",
    "moved",
    "marked",
    "created",
    "assigned",
    "renamed",
    "cleared",
    "applied",
    "saved",
    "undone",
    "reassigned",
    "rescheduled",
    "put",
];
/// What may stand between who did it and what was done.
const ADVERBS: [&str; 9] = ["now", "just", "already", "successfully", "also", "gone", "ahead", "and", "then"];
/// What makes it something else: a preview, or nothing at all.
const INSTEAD: [&str; 12] = [
    "preview",
    "proposal",
    "propose",
    "prepared",
    "not ",
    "nothing",
    "vorschau",
    "vorschlag",
    "nicht",
    "nichts",
    "proposition",
    "propuesta",
];
/// How it is said in other languages: the beginning, and a word of the same sentence.
const ELSEWHERE: [(&str, &[&str]); 5] = [
    ("ich habe ", &["gesetzt", "geändert", "gelöscht", "hinzugefügt", "aktualisiert", "zugewiesen", "verschoben", "angelegt"]),
    ("wurde", &["gesetzt", "geändert", "gelöscht", "hinzugefügt", "aktualisiert", "zugewiesen", "verschoben", "angelegt"]),
    ("j'ai ", &["mis à jour", "modifié", "supprimé", "ajouté", "changé", "déplacé", "attribué"]),
    ("he ", &["actualizado", "cambiado", "eliminado", "añadido", "puesto", "asignado", "movido"]),
    ("ho ", &["aggiornato", "cambiato", "eliminato", "aggiunto", "impostato", "assegnato"]),
];

/// Whether an answer says that something was written.
pub(in crate::bot) fn done(answer: &str) -> bool {
    let said = answer.to_lowercase().replace('’', "'").replace(['*', '_'], "");
    said.split(['.', '!', '?', '\n']).any(|sentence| sentence_says_done(sentence.trim_start_matches(|c: char| !c.is_alphanumeric())))
}

fn sentence_says_done(sentence: &str) -> bool {
    if INSTEAD.iter().any(|word| sentence.contains(word)) {
        return false;
    }
    let words: Vec<&str> = sentence.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|w| !w.is_empty()).collect();
    let verb_after = |at: usize| words[at..].iter().find(|word| !ADVERBS.contains(word)).is_some_and(|word| DONE.contains(word));
    let by_me = words.iter().enumerate().any(|(at, word)| match *word {
        "i've" => verb_after(at + 1),
        "i" if words.get(at + 1) == Some(&"have") => verb_after(at + 2),
        "i" => verb_after(at + 1),
        _ => false,
    });
    // “has been changed by Ana” is history.
    let passive = words.windows(2).enumerate().any(|(at, pair)| {
        matches!(pair, ["has" | "have", "been"]) && verb_after(at + 2) && !words.contains(&"by") && !words.contains(&"on")
    });
    let curt = words.first().is_some_and(|first| DONE.contains(first) && *first != "set" && *first != "put") || words == ["done"];
    let elsewhere = ELSEWHERE.iter().any(|(begin, participles)| {
        let begins = sentence.match_indices(begin).any(|(at, _)| at == 0 || sentence[..at].ends_with(' '));
        begins
            && !sentence.contains(" von ")
            && participles.iter().any(|word| {
                sentence.trim_end().ends_with(word)
                    || (begin.contains('\'') && sentence.contains(word))
                    || (begin.len() == 3 && sentence.contains(word))
            })
    });
    by_me || passive || curt || elsewhere
}

#[cfg(test)]
mod tests {
    use super::{done, none};

    #[test]
    fn what_says_that_there_is_nothing() {
        for answer in [
            "There are no blocked tasks.",
            "No tasks are overdue.",
            "No, there are none.",
            "None of the tasks is blocked.",
            "0 tasks match.",
            "Nothing is overdue.",
            "I found no such rows.",
            "Currently there are no late tasks.",
            "Es gibt keine Aufgaben.",
            "Aucune tâche n'est en retard.",
            "**No rows match.**",
            "I looked. There are no blocked tasks.",
            "I checked Status:\n**There are none.**",
        ] {
            assert!(none(answer), "{answer}");
        }
        for answer in [
            "No, there are 5.",
            "Here they are. There are no others.",
            "Both are blocked. There is no need to wait.",
            "None of these is overdue.",
            "Kein Problem, unten stehen die Zeilen.",
            "No hay problema, aquí están.",
            "There is no column Budget; I used Cost.",
            "Two tasks are blocked.",
            "No problem. Here are the rows.",
            "Notes are below.",
        ] {
            assert!(!none(answer), "{answer}");
        }
    }

    #[test]
    fn what_says_that_something_was_written() {
        for answer in [
            "I have set Go-live to Blocked.",
            "I've updated the status.",
            "Done! I've gone ahead and updated the rows.",
            "I have now **changed** it.",
            "The status has been updated to Blocked.",
            "I set the status to Blocked.",
            "Updated 3 rows.",
            "Ich habe den Status geändert.",
            "Der Status wurde auf Blocked gesetzt.",
            "J'ai mis à jour la ligne.",
            "He actualizado el estado.",
            "Done!",
        ] {
            assert!(done(answer), "{answer}");
        }
        for answer in [
            "I have found 3 completed tasks.",
            "I've listed the completed tasks below.",
            "I have not set anything.",
            "I have changed nothing.",
            "I've added a preview of the change.",
            "Ich habe nichts geändert.",
            "Ich habe 3 gelöschte Zeilen gefunden.",
            "Offices in Dubai have changed hands.",
            "The status has been changed by Ana.",
            "The two tasks were completed last week.",
            "Set it in Smartsheet yourself.",
            "Here are the done tasks.",
            "I see 3 rows that were added.",
        ] {
            assert!(!done(answer), "{answer}");
        }
    }
}
