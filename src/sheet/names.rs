//! Column titles -> the names that SQL uses. No name needs quotes, in our reader or in SQLite's.

use super::typed::normal;
use std::collections::HashSet;

/// Names that the snapshot itself gives to columns.
pub const RESERVED: [&str; 7] = ["row_id", "parent_id", "level", "row_number", "is_parent", "path", "top"];

/// Words that do not read as a name of a column everywhere in a query. A test tries every word of both readers.
const KEYWORDS: [&str; 66] = [
    "all",
    "and",
    "any",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "check",
    "collate",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "default",
    "desc",
    "distinct",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "false",
    "filter",
    "from",
    "full",
    "glob",
    "group",
    "having",
    "in",
    "index",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "returning",
    "right",
    "select",
    "set",
    "some",
    "table",
    "then",
    "trim",
    "true",
    "union",
    "using",
    "when",
    "where",
    "with",
];

/// Whether a word does not read as a name of a column everywhere in a query.
pub fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word.to_lowercase().as_str())
}

/// One name per title, unique, in the same order.
pub fn sql_names<'a>(titles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let titles: Vec<&str> = titles.collect();
    let mut taken: HashSet<String> = RESERVED.iter().map(|r| (*r).to_owned()).collect();
    // A title that reads as a name already keeps it: nobody who writes it means another column.
    let own: Vec<bool> = titles.iter().map(|title| sql_name(title) == *title && taken.insert((*title).to_owned())).collect();
    let name = |(title, own): (&&str, bool)| if own { (*title).to_owned() } else { unique(&sql_name(title), &mut taken) };
    titles.iter().zip(own).map(name).collect()
}

/// A name that is not taken yet; from now on it is.
pub fn unique(base: &str, taken: &mut HashSet<String>) -> String {
    let mut names = std::iter::once(base.to_owned()).chain((2..).map(|n| format!("{base}_{n}")));
    let name = names.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(name.clone());
    name
}

/// The name that a title has where no other column has it.
pub fn sql_name(title: &str) -> String {
    let mut name = String::new();
    let spelled = normal(title).replace('%', " percent ").replace('#', " number ").replace('$', " dollars ");
    for c in spelled.chars().flat_map(char::to_lowercase) {
        match plain_letter(c) {
            Some(plain) => name.push_str(plain),
            // Both readers take letters of every script in names, sqlparser those of the basic plane.
            None if c.is_alphanumeric() && c <= '\u{ffff}' => name.push(c),
            None if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            None => {}
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    match name.chars().next() {
        None => "column".into(),
        Some(c) if !c.is_alphabetic() => format!("c_{name}"),
        Some(_) if KEYWORDS.contains(&name.as_str()) => format!("{name}_"),
        Some(_) => name,
    }
}

fn plain_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'á' | 'à' | 'â' | 'ã' | 'å' => "a",
        'é' | 'è' | 'ê' | 'ë' => "e",
        'í' | 'ì' | 'î' | 'ï' => "i",
        'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' => "o",
        'ü' | 'ú' | 'ù' | 'û' => "u",
        'ç' => "c",
        'ñ' => "n",
        'ß' => "ss",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_become_unique_snake_case_names() {
        let titles = ["Task Name", "% Complete", "Due Date", "due date", "Level", "2026 Plan", "Größe (cm)", "日本", "Статус", "🔥", "Top"];
        let names = sql_names(titles.into_iter()).join(" ");
        assert_eq!(sql_names(["Due Date", "due_date", "level", "top"].into_iter()), ["due_date_2", "due_date", "level_2", "top_2"]);
        insta::assert_snapshot!(names, @"task_name percent_complete due_date due_date_2 level_2 c_2026_plan grosse_cm 日本 статус column top_2");
    }
}
