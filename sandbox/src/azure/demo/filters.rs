//! Conditions in words -> SQL: values of the sheet, people, dates, amounts, empty cells, hierarchy.

use super::schema::{Column, Schema};
use super::words;
use jiff::ToSpan;
use std::collections::BTreeMap;

/// What a text says about which rows are meant.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub conditions: Vec<String>,
    /// A question back: more than one person has this name.
    pub ambiguous: Option<String>,
}

impl Filter {
    pub fn sql(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }
}

pub(super) fn read(text: &str, schema: &Schema) -> Filter {
    let mut rest = text.to_owned();
    let mut filter = Filter::default();
    under(&mut rest, schema, &mut filter);
    overdue(&mut rest, schema, &mut filter);
    values(&mut rest, schema, &mut filter);
    phase(&mut rest, schema, &mut filter);
    people(&mut rest, schema, &mut filter);
    empty_cells(&mut rest, schema, &mut filter);
    dates(&mut rest, schema, &mut filter);
    amounts(&mut rest, schema, &mut filter);
    containing(&rest, schema, &mut filter);
    filter
}

/// A row that is spoken of by its name: words in capitals behind the first word, or in quotes.
pub(super) fn named_row(text: &str, schema: &Schema) -> Option<String> {
    let name = words::quoted(text).or_else(|| {
        let mut words = text.split_whitespace().skip(1).skip_while(|w| !w.starts_with(char::is_uppercase));
        let name = words.by_ref().collect::<Vec<_>>().join(" ");
        Some(words::bare(&name)).filter(|n| !n.is_empty() && schema.column(n).is_none())
    })?;
    Some(format!("{} LIKE {}", schema.primary().sql, words::quote(&format!("%{name}%"))))
}

/// Replaces a span by blanks, so that it is not read twice.
fn blank(text: &mut String, (at, end): (usize, usize)) {
    text.replace_range(at..end, &" ".repeat(end - at));
}

fn negated(before: &str) -> bool {
    let tail: Vec<&str> = before.split_whitespace().rev().take(3).collect();
    tail.iter()
        .any(|w| matches!(w.to_lowercase().as_str(), "not" | "isn't" | "aren't" | "except" | "without" | "excluding" | "than" | "but"))
        && !tail.iter().any(|w| matches!(w.to_lowercase().as_str(), "more" | "less" | "greater"))
}

fn under(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let Some((_, rest)) = words::around(text, &["under", "within", "inside", "below the row", "part of"]) else { return };
    if words::number(rest).is_some_and(|_| rest.starts_with(|c: char| c.is_ascii_digit() || c == '$')) {
        return;
    }
    let name = words::quoted(rest).unwrap_or_else(|| words::bare(rest.split([',', '?']).next().unwrap_or_default()));
    let name = words::around(&name, &["that", "which", "and", "with", "by"]).map_or(name.clone(), |(before, _)| before.to_owned());
    if name.is_empty() {
        return;
    }
    filter.conditions.push(family(schema, &name));
    if let Some(span) = words::find(text, &name) {
        blank(text, span);
    }
}

/// “Phase 3” without a word before it, where no column has that value.
fn phase(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let Some((at, end)) = words::find(text, "phase") else { return };
    let number: String = text[end..].trim_start().chars().take_while(char::is_ascii_digit).collect();
    if number.is_empty() {
        return;
    }
    filter.conditions.push(family(schema, &format!("Phase {number}")));
    let behind = text[end..].find(&number).map_or(end, |i| end + i + number.len());
    blank(text, (at, behind));
}

/// A row whose name begins so, and everything below it.
fn family(schema: &Schema, name: &str) -> String {
    let (primary, inside) = (&schema.primary().sql, words::quote(&format!("%> {name}%")));
    let name = words::quote(&format!("{name}%"));
    format!("(path LIKE {name} OR path LIKE {inside} OR ({primary} LIKE {name} AND is_parent = 1))")
}

fn overdue(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let Some(span) =
        ["overdue", "past due", "late", "behind schedule", "past their due date", "delayed"].iter().find_map(|w| words::find(text, w))
    else {
        return;
    };
    let Some(due) = schema.due() else { return };
    filter.conditions.push(format!("{} < '{}'", due.sql, schema.today));
    if let Some(status) = schema.status() {
        let done: Vec<String> = status.values.iter().filter(|v| finished(v)).map(|v| words::quote(v)).collect();
        if !done.is_empty() {
            filter.conditions.push(format!("({0} IS NULL OR {0} NOT IN ({1}))", status.sql, done.join(", ")));
        }
    }
    blank(text, span);
}

fn finished(value: &str) -> bool {
    let lower = value.to_lowercase();
    ["complete", "done", "closed", "cancel", "finished", "terminated"].iter().any(|w| lower.contains(w))
}

fn values(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let mut known: Vec<(&Column, &String)> =
        schema.columns.iter().filter(|c| !c.is_contact() && !c.primary).flat_map(|c| c.values.iter().map(move |v| (c, v))).collect();
    known.sort_by_key(|(_, v)| usize::MAX - v.len());
    let mut wanted: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for (column, value) in known {
        let forms = [
            value.clone(),
            value.replace("Complete", "Completed"),
            value.replace("Completed", "Complete"),
            value.replace("Cancelled", "Canceled"),
            format!("{value}s"),
            if finished(value) && value.to_lowercase().contains("complete") { "done".into() } else { value.clone() },
        ];
        let Some(span) = forms.iter().find_map(|f| words::find(text, f)) else { continue };
        let no = negated(&text[..span.0]);
        wanted.entry((column.sql.clone(), no)).or_default().push(words::quote(value));
        blank(text, span);
    }
    let open = words::find(text, "open").or_else(|| words::find(text, "unfinished"));
    if let (Some(span), Some(status), true) = (open, schema.status(), wanted.is_empty()) {
        let done: Vec<String> = status.values.iter().filter(|v| finished(v)).map(|v| words::quote(v)).collect();
        if !done.is_empty() {
            wanted.insert((status.sql.clone(), true), done);
            blank(text, span);
        }
    }
    for ((sql, no), mut list) in wanted {
        list.sort();
        filter.conditions.push(match (no, list.len()) {
            (false, 1) => format!("{sql} = {}", list[0]),
            (false, _) => format!("{sql} IN ({})", list.join(", ")),
            (true, 1) => format!("({sql} IS NULL OR {sql} <> {})", list[0]),
            (true, _) => format!("({sql} IS NULL OR {sql} NOT IN ({}))", list.join(", ")),
        });
    }
}

fn people(text: &mut String, schema: &Schema, filter: &mut Filter) {
    for column in schema.columns.iter().filter(|c| c.is_contact()) {
        let mut full: Vec<String> = Vec::new();
        for name in &column.values {
            let forms = [name.clone(), format!("{name}'s"), format!("{name}’s")];
            if let Some(span) = forms.iter().find_map(|f| words::find(text, f)) {
                blank(text, span);
                full.push(name.clone());
            }
        }
        let firsts: Vec<String> = column.values.iter().filter_map(|n| n.split(' ').next().map(str::to_owned)).collect();
        for (i, first) in firsts.iter().enumerate() {
            let Some(span) = words::find(text, first) else { continue };
            let same: Vec<&String> = column.values.iter().zip(&firsts).filter(|(_, f)| *f == first).map(|(n, _)| n).collect();
            if same.len() > 1 {
                let list: Vec<&str> = same.iter().map(|n| n.as_str()).collect();
                filter.ambiguous = Some(format!(
                    "There is more than one {first} in {}: {}. Which one do you mean? Please write the full name.",
                    column.title,
                    list.join(" and ")
                ));
            }
            full.push(column.values[i].clone());
            blank(text, span);
        }
        let list: Vec<String> = full.iter().map(|n| words::quote(n)).collect();
        match list.as_slice() {
            [] => {}
            [one] => filter.conditions.push(format!("{} = {one}", column.sql)),
            more => filter.conditions.push(format!("{} IN ({})", column.sql, more.join(", "))),
        }
        if !list.is_empty() {
            return;
        }
    }
}

fn empty_cells(text: &mut String, schema: &Schema, filter: &mut Filter) {
    if let (Some(span), Some(contact)) =
        (["unassigned", "not assigned", "nobody"].iter().find_map(|w| words::find(text, w)), schema.contact())
    {
        filter.conditions.push(format!("{} IS NULL", contact.sql));
        blank(text, span);
    }
    for phrase in ["without a", "without an", "without any", "without", "with no", "have no", "has no", "missing", "lacking"] {
        let Some((at, end)) = words::find(text, phrase) else { continue };
        if let Some(column) = schema.column(&text[end..]) {
            filter.conditions.push(format!("{} IS NULL", column.sql));
            let all = text.len();
            blank(text, (at, all));
            return;
        }
    }
    for phrase in ["is empty", "is blank", "is missing", "are empty", "are blank", "are missing"] {
        let Some((at, end)) = words::find(text, phrase) else { continue };
        if let Some(column) = schema.mentioned(&text[..at]).last() {
            filter.conditions.push(format!("{} IS NULL", column.sql));
            blank(text, (at, end));
            return;
        }
    }
}

fn dates(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let today = schema.today;
    let monday = today.saturating_sub(i32::from(today.weekday().to_monday_zero_offset()).days());
    let next_month = today.first_of_month().saturating_add(1.month());
    let spans = [
        ("this week", monday, monday.saturating_add(6.days())),
        ("next week", monday.saturating_add(7.days()), monday.saturating_add(13.days())),
        ("this month", today.first_of_month(), today.last_of_month()),
        ("next month", next_month, next_month.last_of_month()),
        ("today", today, today),
        ("tomorrow", today.saturating_add(1.days()), today.saturating_add(1.days())),
    ];
    let column = |text: &str| schema.mentioned(text).into_iter().find(|c| c.is_date()).or_else(|| schema.due()).map(|c| c.sql.clone());
    for (phrase, from, to) in spans {
        if let (Some(span), Some(sql)) = (words::find(text, phrase), column(text)) {
            filter.conditions.push(format!("{sql} BETWEEN '{from}' AND '{to}'"));
            blank(text, span);
            return;
        }
    }
    if let (Some((_, rest)), Some(sql)) = (words::around(text, &["next", "coming", "within the next"]), column(text))
        && let Some(n) = words::number(rest).filter(|_| words::any(rest, &["days", "weeks"]))
    {
        let days = (n as i32) * if words::any(rest, &["weeks"]) { 7 } else { 1 };
        filter.conditions.push(format!("{sql} BETWEEN '{today}' AND '{}'", today.saturating_add(days.days())));
        *text = text.replace(rest, "");
        return;
    }
    for (phrase, operator) in [("before", "<"), ("after", ">"), ("since", ">="), ("until", "<="), ("by", "<="), ("on", "=")] {
        let Some((at, end)) = words::find(text, phrase) else { continue };
        if let (Some(date), Some(sql)) = (words::date(&text[end..], today), column(text)) {
            filter.conditions.push(format!("{sql} {operator} '{date}'"));
            let all = text.len();
            blank(text, (at, all));
            return;
        }
    }
}

fn amounts(text: &mut String, schema: &Schema, filter: &mut Filter) {
    let phrases = [
        ("more than", ">"),
        ("greater than", ">"),
        ("higher than", ">"),
        ("over", ">"),
        ("above", ">"),
        ("exceeding", ">"),
        ("at least", ">="),
        ("less than", "<"),
        ("lower than", "<"),
        ("under", "<"),
        ("below", "<"),
        ("at most", "<="),
        (">=", ">="),
        ("<=", "<="),
        (">", ">"),
        ("<", "<"),
    ];
    for (phrase, operator) in phrases {
        let span =
            if phrase.starts_with(['<', '>']) { text.find(phrase).map(|at| (at, at + phrase.len())) } else { words::find(text, phrase) };
        let Some((at, end)) = span else { continue };
        let Some(n) = words::number(&text[end..]) else { continue };
        let numeric = |t: &str| schema.mentioned(t).into_iter().rev().find(|c| c.numeric).cloned();
        let column = numeric(&text[..at])
            .or_else(|| numeric(&text[end..]))
            .or_else(|| schema.columns.iter().find(|c| c.numeric && !c.percent).cloned());
        if let Some(column) = column {
            let n = if column.percent && n > 1.0 { n / 100.0 } else { n };
            filter.conditions.push(format!("{} {operator} {n}", column.sql));
            let all = text.len();
            blank(text, (at, all));
            return;
        }
    }
}

fn containing(text: &str, schema: &Schema, filter: &mut Filter) {
    let Some((before, rest)) =
        words::around(text, &["containing", "contains", "contain", "mentioning", "mention", "mentions", "named", "called", "about"])
    else {
        return;
    };
    let value = words::quoted(rest).unwrap_or_else(|| words::bare(rest));
    if value.trim().is_empty() {
        return;
    }
    let column = schema.mentioned(before).into_iter().rfind(|c| c.kind == "TEXT_NUMBER" && !c.numeric).unwrap_or(schema.primary());
    filter.conditions.push(format!("{} LIKE {}", column.sql, words::quote(&format!("%{}%", value.trim()))));
}
