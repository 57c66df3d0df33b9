//! Near misses: a text that no cell holds, but nearly.

use super::super::cell::plain_number;
use super::super::snapshot::Snapshot;
use super::super::typed::{Typed, Values, words};
use super::read::Part;
use super::several::each_of;
use std::collections::{BTreeMap, HashMap};

/// A text that a column is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Literal {
    pub(super) column: usize,
    pub(super) part: Part,
    pub(super) text: String,
    /// Whether it is looked for inside of texts, as by `LIKE`.
    pub(super) within: bool,
    /// Whether rows are wanted that do not hold it.
    pub(super) denied: bool,
}

/// A text that no cell of its column holds.
#[derive(Clone, Debug)]
pub(in super::super) struct Miss {
    /// That there is none, and what is near.
    pub words: String,
    /// Whether it is no option either; what is looked for inside of texts is none of both.
    is_unknown: bool,
    column: usize,
    text: String,
}

/// Values that are listed when none is near.
const MOST_LISTED: usize = 12;
/// Names that are offered.
const MOST_OFFERED: usize = 3;

/// Those of these names that are nearest to a text, the nearest first: the same but for case, spaces and signs, one or two letters
/// apart, or the one a part of the other. Empty when none is near.
pub fn nearest(text: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let bare = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let wanted = bare(text);
    let first = |text: &str| text.split_whitespace().next().map(str::to_lowercase).unwrap_or_default();
    let score = |candidate: &str| -> Option<usize> {
        let other = bare(candidate);
        let apart = strsim::damerau_levenshtein(&wanted, &other);
        let length = wanted.chars().count().min(other.chars().count());
        match apart {
            0 => Some(0),
            1 | 2 if apart * 3 <= length => Some(apart),
            _ if length >= 3 && (other.contains(&wanted) || wanted.contains(&other)) => Some(3),
            // Another person of the same first name.
            _ if length >= 3 && text.contains(' ') && first(text) == first(candidate) => Some(4),
            _ => None,
        }
    };
    let mut scored: Vec<(usize, String)> = known.filter_map(|name| Some((score(&name)?, name))).collect();
    scored.sort();
    scored.dedup();
    let best = scored.first().map(|(score, _)| *score);
    scored.into_iter().filter(|(score, _)| Some(*score) == best).map(|(_, name)| name).take(MOST_OFFERED).collect()
}

impl Snapshot {
    /// Says which of these texts no cell of their column holds, and what is near: “no row has Status “Bloked”; did you mean
    /// “Blocked” (3 rows)?”.
    pub(in super::super) fn near_misses(&self, literals: &[Literal]) -> Vec<Miss> {
        let is_option =
            |l: &Literal| self.columns[l.column].options.iter().any(|o| o.trim().to_lowercase() == l.text.trim().to_lowercase());
        // What is wanted in one place and denied in another is one text.
        let same = |a: &Literal, b: &Literal| (a.column, a.part, &a.text, a.within) == (b.column, b.part, &b.text, b.within);
        let distinct: Vec<&Literal> =
            literals.iter().enumerate().filter(|(at, l)| !literals[..*at].iter().any(|other| same(other, l))).map(|(_, l)| l).collect();
        let words: Vec<Option<String>> = distinct.iter().map(|l| self.near_miss(l)).collect();
        // Models look for people by name or address; a text with “@” in another column is no address.
        let by_name = |column: usize| {
            let found = distinct.iter().zip(&words).any(|(l, miss)| l.column == column && l.part == Part::Main && miss.is_none());
            found || !self.columns[column].is_contact()
        };
        let miss = |(l, words): (&Literal, Option<String>)| {
            let is_known = l.within || is_option(l) || (l.part == Part::Email && by_name(l.column));
            Some(Miss { words: words?, is_unknown: !is_known, column: l.column, text: l.text.clone() })
        };
        distinct.iter().copied().zip(words.clone()).filter_map(miss).collect()
    }

    /// What people are told of them beside whatever was found: a line for each column, with what is near where it is one text alone.
    pub(in super::super) fn unknown(&self, misses: &[Miss]) -> Vec<String> {
        let mut columns: BTreeMap<usize, Vec<&Miss>> = BTreeMap::new();
        for miss in misses.iter().filter(|miss| miss.is_unknown) {
            columns.entry(miss.column).or_default().push(miss);
        }
        let line = |(column, misses): (usize, Vec<&Miss>)| match misses.as_slice() {
            [only] => only.words.clone(),
            several => {
                let texts: Vec<String> = several.iter().map(|miss| format!("“{}”", miss.text)).collect();
                format!("no row has {} {}", self.columns[column].title, texts.join(" or "))
            }
        };
        columns.into_iter().map(line).collect()
    }

    fn near_miss(&self, literal: &Literal) -> Option<String> {
        let column = &self.columns[literal.column];
        let mut values: HashMap<String, usize> = HashMap::new();
        let wanted = literal.text.trim().to_lowercase();
        let several = column.kind.starts_with("MULTI_");
        for row in &self.rows {
            if several && words(&row.cells[literal.column]).trim().to_lowercase() == wanted {
                return None;
            }
            let texts = match column.typed(&row.cells[literal.column], &self.zone) {
                Typed::Text(_) | Typed::People(..) if several => each_of(&row.cells[literal.column])
                    .into_iter()
                    .map(|one| if literal.part == Part::Email { one.email.unwrap_or_default() } else { one.name })
                    .collect(),
                Typed::Text(text) | Typed::Stray(text) => vec![text.into_owned()],
                Typed::People(_, email) if literal.part == Part::Email => vec![email.unwrap_or_default()],
                Typed::People(names, _) => vec![names.into_owned()],
                // A pattern looks into numbers, too.
                Typed::Number(n) if literal.within => vec![plain_number(n)],
                Typed::Day(day) if literal.within => vec![day.to_string()],
                Typed::Moment(moment) if literal.within => vec![moment.to_string()],
                Typed::Checkbox(ticked) if literal.within => vec![u8::from(ticked).to_string()],
                _ => continue,
            };
            for text in texts {
                let bare = text.trim().to_lowercase();
                if bare == wanted || (literal.within && bare.contains(&wanted)) {
                    return None;
                }
                if !text.is_empty() {
                    *values.entry(text).or_default() += 1;
                }
            }
        }
        let what = match literal.part {
            Part::Email => format!("{} with the address", column.title),
            _ => column.title.clone(),
        };
        let head = match literal.within {
            true => format!("no row has “{}” in {what}", literal.text),
            false => format!("no row has {what} “{}”", literal.text),
        };
        let near = nearest(&literal.text, values.keys().cloned());
        if !near.is_empty() {
            let offered: Vec<String> = near.iter().map(|v| format!("“{v}” ({})", rows(values[v]))).collect();
            return Some(format!("{head}; did you mean {}?", offered.join(" or ")));
        }
        let listed = values.len() <= MOST_LISTED && column.values != Values::Day && !values.is_empty();
        let mut all: Vec<&String> = values.keys().collect();
        all.sort();
        let all: Vec<String> = all.iter().map(|v| format!("“{v}”")).collect();
        Some(if listed { format!("{head}; the values are: {}", all.join(", ")) } else { head })
    }
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_is_what_people_mean() {
        let near = |text: &str, known: &[&str]| nearest(text, known.iter().map(|k| (*k).to_owned()));
        assert_eq!(near("Bloked", &["Blocked", "Complete"]), ["Blocked"]);
        assert_eq!(near("in-progress", &["In Progress", "Not Started"]), ["In Progress"]);
        assert_eq!(near("Dana Cho", &["Dana Reyes", "Lee Park"]), ["Dana Reyes"]);
        assert_eq!(near("Lee", &["Lee Park", "Omar Haddad"]), ["Lee Park"]);
        assert_eq!(near("to do ", &["To Do", "Done"]), ["To Do"]);
        assert_eq!(near("Weather", &["Blocked", "Complete"]), [""; 0]);
    }
}
