//! Column titles -> the snake_case names that SQL uses.

use std::collections::HashSet;

/// Names that the snapshot itself gives to columns.
pub const RESERVED: [&str; 5] = ["row_id", "parent_id", "level", "row_number", "is_parent"];

const KEYWORDS: [&str; 24] = [
    "select", "from", "where", "group", "order", "by", "limit", "table", "index", "values", "set", "case", "when", "then", "end", "as",
    "and", "or", "not", "null", "in", "is", "default", "check",
];

/// One name per title, unique, in the same order.
pub fn sql_names<'a>(titles: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken: HashSet<String> = RESERVED.iter().map(|r| (*r).to_owned()).collect();
    titles
        .map(|title| {
            let base = sql_name(title);
            let free = |name: &String| !taken.contains(name) && !taken.contains(&format!("{name}_email"));
            let name = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}_{n}"))).find(free).unwrap_or(base);
            taken.insert(name.clone());
            taken.insert(format!("{name}_email"));
            name
        })
        .collect()
}

fn sql_name(title: &str) -> String {
    let mut name = String::new();
    let spelled = title.replace('%', " percent ").replace('#', " number ").replace('$', " dollars ");
    for c in spelled.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if let Some(plain) = plain_letter(c) {
            name.push_str(plain);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_').to_owned();
    match name.chars().next() {
        None => "column".into(),
        Some(c) if c.is_ascii_digit() => format!("c_{name}"),
        Some(_) if KEYWORDS.contains(&name.as_str()) => format!("{name}_"),
        Some(_) => name,
    }
}

fn plain_letter(c: char) -> Option<&'static str> {
    Some(match c.to_lowercase().next()? {
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
        let titles = ["Task Name", "% Complete", "Due Date", "due date", "Level", "2026 Plan", "Größe (cm)", "日本", "Order"];
        let names = sql_names(titles.into_iter()).join(" ");
        insta::assert_snapshot!(names, @"task_name percent_complete due_date due_date_2 level_2 c_2026_plan grosse_cm column order_");
    }
}
