//! Options of picklists, without regard to case, spaces, signs and emoji before the word.

use super::super::snapshot::SnapshotColumn;
use super::super::sql::nearest;
use super::{Coerced, parts, plain};
use serde_json::json;

pub(super) fn one(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    if column.options.is_empty() {
        return Ok(plain(text, text));
    }
    let (option, note) = find(column, text)?;
    Ok(Coerced { note, ..plain(option, option) })
}

pub(super) fn several(column: &SnapshotColumn, text: &str) -> Result<Coerced, String> {
    let (mut chosen, mut notes): (Vec<&str>, Vec<String>) = (Vec::new(), Vec::new());
    for part in parts(text, |part| find(column, part).is_ok()) {
        let (option, note) = find(column, part)?;
        notes.extend(note);
        if !chosen.contains(&option) {
            chosen.push(option);
        }
    }
    let shown = chosen.join(", ");
    let note = Some(notes.join(" ")).filter(|notes| !notes.is_empty());
    Ok(Coerced { note, ..plain(json!({ "objectType": "MULTI_PICKLIST", "values": chosen }), shown) })
}

/// The option that a text means: the same, the same but for case, the same but for everything that is no letter or digit; then the
/// only one that it can be a slip of, with a note that says so.
fn find<'a>(column: &'a SnapshotColumn, text: &str) -> Result<(&'a str, Option<String>), String> {
    let lower = text.trim().to_lowercase();
    let exact = column.options.iter().find(|o| *o == text).or_else(|| column.options.iter().find(|o| o.trim().to_lowercase() == lower));
    if let Some(option) = exact {
        return Ok((option, None));
    }
    let wanted = letters(text);
    let same: Vec<&String> = column.options.iter().filter(|o| !wanted.is_empty() && letters(o) == wanted).collect();
    match same.as_slice() {
        [option] => return Ok((option, None)),
        [] => {}
        [..] => {
            let all: Vec<&str> = same.iter().map(|o| o.as_str()).collect();
            return Err(format!("“{text}” can mean {} in {}", all.join(" or "), column.title));
        }
    }
    let slips: Vec<&String> = column.options.iter().filter(|o| is_slip(&wanted, &letters(o))).collect();
    if let [option] = slips.as_slice() {
        return Ok((option, Some(format!("“{}” was taken for the option “{option}” of {}.", text.trim(), column.title))));
    }
    let near = nearest(text, column.options.iter().cloned());
    let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    Err(format!("“{text}” is not an option of {}{guess}; the options are: {}", column.title, column.options.join(", ")))
}

/// Whether a word is another with a letter or two wrong: “Complet”, “Bloked”.
fn is_slip(written: &str, meant: &str) -> bool {
    let apart = strsim::damerau_levenshtein(written, meant);
    (1..=2).contains(&apart) && apart * 4 <= written.chars().count().min(meant.chars().count())
}

/// The letters and digits of a text; emoji go, also as names between colons.
fn letters(text: &str) -> String {
    let named = |word: &&str| !(word.len() > 2 && word.starts_with(':') && word.ends_with(':'));
    let words = text.split_whitespace().filter(named).collect::<Vec<_>>().join(" ");
    words.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}
