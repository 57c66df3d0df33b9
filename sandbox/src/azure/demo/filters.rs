//! Conditions in words -> SQL: values of the sheet, people, dates, amounts, empty cells, hierarchy.

use super::reading::Reading;
use super::schema::Column;
use super::{dates, words};
use jiff::ToSpan;
use std::collections::BTreeMap;

const NEGATIONS: [&str; 12] = ["not", "isn't", "aren't", "isn’t", "aren’t", "except", "without", "excluding", "but", "non", "never", "no"];

/// What a sentence says about which rows are meant.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub conditions: Vec<String>,
    /// A question back, or why the sentence cannot be carried out.
    pub question: Option<String>,
    /// What the reader may not expect of the conditions.
    pub note: Option<String>,
    /// The columns whose values were named.
    pub by_value: Vec<String>,
    /// Whether one part of the sheet's tree is meant.
    pub family: Option<String>,
}

impl Filter {
    pub fn sql(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }
}

pub(super) fn read(reading: &mut Reading<'_>) -> Filter {
    let mut filter = Filter::default();
    containing(reading, &mut filter);
    empty_cells(reading, &mut filter);
    under(reading, &mut filter);
    reading.take_columns(true);
    overdue(reading, &mut filter);
    values(reading, &mut filter);
    phase(reading, &mut filter);
    people(reading, &mut filter);
    reading.take_columns(false);
    while date(reading, &mut filter) {}
    while amount(reading, &mut filter) {}
    boxes(reading, &mut filter);
    let kinds = filter.conditions.len();
    if kinds > 1 && words::any(&reading.text, &["or"]) {
        filter.question = Some("I cannot join different conditions with “or”: ask for one of them, and then for the other.".into());
    }
    filter
}

/// Holds for the rows below the one that is called so.
fn below(name: &str) -> String {
    format!("path LIKE {}", words::quote(&format!("%{name}%")))
}

fn under(reading: &mut Reading<'_>, filter: &mut Filter) {
    for phrase in ["under", "within", "inside", "below", "part of"] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        let rest = reading.rest[end..].trim_start();
        if rest.starts_with(|c: char| c.is_ascii_digit() || "$€£".contains(c)) || rest.to_lowercase().starts_with("the next") {
            continue;
        }
        let from = reading.rest.len() - rest.len();
        let tail = words::around(rest, &["that", "which", "and", "with", "by", "is", "are"]).map_or(rest, |(before, _)| before);
        let tail = tail.split([',', '?', ';']).next().unwrap_or_default();
        let name = words::quoted(tail).unwrap_or_else(|| words::bare(tail));
        if name.is_empty() {
            continue;
        }
        filter.conditions.push(below(&name));
        filter.family = Some(name);
        reading.blank((at, from + tail.len()));
        return;
    }
}

/// “Phase 3” without a word before it, where no column has that value.
fn phase(reading: &mut Reading<'_>, filter: &mut Filter) {
    let Some((at, end)) = words::find(&reading.rest, "phase") else { return };
    let number: String = reading.rest[end..].trim_start().chars().take_while(char::is_ascii_digit).collect();
    if number.is_empty() {
        return;
    }
    let name = format!("Phase {number}");
    filter.conditions.push(below(&name));
    filter.family = Some(name);
    let behind = reading.rest[end..].find(&number).map_or(end, |i| end + i + number.len());
    reading.blank((at, behind));
}

fn overdue(reading: &mut Reading<'_>, filter: &mut Filter) {
    let schema = reading.schema;
    let Some(due) = schema.due() else { return };
    let phrases = ["past their due date", "behind schedule", "overdue", "past due", "delayed", "late"];
    let Some((at, end)) = phrases.iter().find_map(|w| words::find(&reading.rest, w)) else { return };
    if reading.take_before(at, &NEGATIONS) {
        filter.question = Some("I can list what is overdue, not what is not: ask for what is due after today.".into());
    }
    reading.blank((at, end));
    let mut since = schema.today;
    if let Some((from, to)) = words::find(&reading.rest, "by more than").or_else(|| words::find(&reading.rest, "more than"))
        && let Some((_, unit)) = ["days", "day", "weeks", "week"].iter().filter_map(|u| words::find(&reading.rest[to..], u)).min()
        && let Some(n) = words::number(&reading.rest[to..to + unit]).filter(|n| n.fract() == 0.0)
    {
        let weeks = reading.rest[to..to + unit].to_lowercase().contains("week");
        since = since.saturating_sub((if weeks { 7 } else { 1 } * n as i64).days());
        reading.blank((from, to + unit));
    }
    filter.conditions.push(format!("{} < '{since}'", due.sql));
    if let Some(open) = open(reading) {
        filter.conditions.push(open);
    }
}

/// What is not finished yet, where the sheet has a status.
pub(super) fn open(reading: &Reading<'_>) -> Option<String> {
    let status = reading.schema.status()?;
    let done: Vec<String> = status.values.iter().filter(|v| finished(v)).map(|v| words::quote(v)).collect();
    (!done.is_empty()).then(|| format!("({0} IS NULL OR {0} NOT IN ({1}))", status.sql, done.join(", ")))
}

pub(super) fn finished(value: &str) -> bool {
    let lower = value.to_lowercase();
    !lower.contains("incomplete") && ["complete", "done", "closed", "cancel", "finished", "terminated"].iter().any(|w| lower.contains(w))
}

fn values(reading: &mut Reading<'_>, filter: &mut Filter) {
    let schema = reading.schema;
    let mut known: Vec<(&Column, &String)> =
        schema.columns.iter().filter(|c| !c.is_contact() && !c.primary).flat_map(|c| c.values.iter().map(move |v| (c, v))).collect();
    known.sort_by_key(|(_, v)| usize::MAX - v.len());
    let mut wanted: BTreeMap<(String, bool), Vec<String>> = BTreeMap::new();
    for (column, value) in known {
        if value.chars().all(|c| c.is_ascii_digit() || ".,-".contains(c)) {
            continue;
        }
        for form in forms(value) {
            let Some((at, end)) = words::find(&reading.rest, &form) else { continue };
            // “50% complete” is a share, and no status.
            let before = reading.rest[..at].trim_end();
            if before.ends_with('%') || before.to_lowercase().ends_with("percent") {
                continue;
            }
            reading.blank((at, end));
            let list = wanted.entry((column.sql.clone(), reading.take_before(at, &NEGATIONS))).or_default();
            list.push(value.clone());
            break;
        }
    }
    if let (Some(span), Some(open), true) = (
        ["still open", "open", "unfinished", "not finished", "not done", "outstanding"].iter().find_map(|w| words::find(&reading.rest, w)),
        open(reading),
        wanted.is_empty(),
    ) {
        filter.conditions.push(open);
        reading.blank(span);
    }
    for ((sql, no), mut list) in wanted {
        list.sort();
        let ended: Vec<&str> = schema
            .columns
            .iter()
            .filter(|c| c.sql == sql)
            .flat_map(|c| &c.values)
            .filter(|v| finished(v) && !list.contains(v))
            .map(String::as_str)
            .collect();
        let completed = |v: &String| finished(v) && !v.to_lowercase().contains("cancel");
        if no && list.iter().any(completed) && !ended.is_empty() {
            filter.note = Some(format!("“{}” rows are among them.", ended.join("”, “")));
        }
        if !no {
            filter.by_value.push(sql.clone());
        }
        let quoted: Vec<String> = list.iter().map(|v| words::quote(v)).collect();
        filter.conditions.push(one_of(&sql, no, &quoted));
    }
}

fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), format!("{value}s")];
    let lower = value.to_lowercase();
    if lower == "complete" || lower == "completed" {
        forms.extend(["completed", "complete", "done", "finished"].map(str::to_owned));
    }
    if lower.contains("cancelled") {
        forms.push(lower.replace("cancelled", "canceled"));
    }
    if lower.contains('-') {
        forms.push(lower.replace('-', " "));
    }
    forms
}

fn one_of(sql: &str, no: bool, list: &[String]) -> String {
    match (no, list) {
        (false, [one]) => format!("{sql} = {one}"),
        (false, _) => format!("{sql} IN ({})", list.join(", ")),
        (true, [one]) => format!("({sql} IS NULL OR {sql} <> {one})"),
        (true, _) => format!("({sql} IS NULL OR {sql} NOT IN ({}))", list.join(", ")),
    }
}

fn people(reading: &mut Reading<'_>, filter: &mut Filter) {
    let schema = reading.schema;
    let named: Vec<&str> =
        schema.spans(&reading.rest).into_iter().filter(|(_, _, c)| c.is_contact()).map(|(_, _, c)| c.sql.as_str()).collect();
    let mut columns: Vec<&Column> = schema.columns.iter().filter(|c| c.is_contact()).collect();
    columns.sort_by_key(|c| !named.contains(&c.sql.as_str()));
    for column in columns {
        let mut full: Vec<String> = Vec::new();
        let mut no = Vec::new();
        for name in &column.values {
            let forms = [format!("{name}'s"), format!("{name}’s"), name.clone()];
            let Some((at, end)) = forms.iter().find_map(|f| words::find(&reading.rest, f)) else { continue };
            reading.blank((at, end));
            no.push(reading.take_before(at, &NEGATIONS));
            full.push(name.clone());
        }
        for name in &column.values {
            let Some(first) = name.split(' ').next().filter(|f| f.chars().count() > 1 && *f != name) else { continue };
            let forms = [format!("{first}'s"), format!("{first}’s"), first.to_owned()];
            let Some((at, end)) = forms.iter().find_map(|f| words::find(&reading.rest, f)) else { continue };
            let same: Vec<&str> = column.values.iter().filter(|n| n.split(' ').next() == Some(first)).map(String::as_str).collect();
            // A capital behind a first name makes it somebody else's name.
            let surname = reading.rest[end..].strip_prefix(' ').and_then(|r| r.split([' ', '?', ',', '.', '!']).next());
            if let Some(other) = surname.filter(|s| s.starts_with(char::is_uppercase)) {
                filter.question =
                    Some(format!("I find no “{first} {other}” in {}; there is {}. Whom do you mean?", column.title, same.join(" and ")));
            } else if same.len() > 1 {
                filter.question = Some(format!(
                    "There is more than one {first} in {}: {}. Which one do you mean? Please write the full name.",
                    column.title,
                    same.join(" and ")
                ));
            }
            reading.blank((at, end));
            no.push(reading.take_before(at, &NEGATIONS));
            full.push(name.clone());
        }
        if full.is_empty() {
            continue;
        }
        let list: Vec<String> = full.iter().map(|n| words::quote(n)).collect();
        let no = no.iter().any(|n| *n);
        if no && list.len() > 1 {
            filter.question = Some("I cannot leave out several people at once: name one of them.".into());
        }
        filter.conditions.push(one_of(&column.sql, no, &list));
        return;
    }
}

fn empty_cells(reading: &mut Reading<'_>, filter: &mut Filter) {
    let schema = reading.schema;
    let nobodys = ["unassigned", "not assigned to anybody", "not assigned to anyone", "assigned to nobody", "nobody"];
    if let Some(contact) = schema.contact()
        && (reading.take(&nobodys).is_some()
            || (words::find(&reading.rest, "not assigned to").is_none() && reading.take(&["not assigned"]).is_some()))
    {
        filter.conditions.push(format!("{} IS NULL", contact.sql));
    }
    for phrase in ["without", "with no", "have no", "has no", "missing", "lacking", "no"] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        if let Some(column) = reading.take_column_at(end) {
            filter.conditions.push(format!("{} IS NULL", column.sql));
            reading.blank((at, end));
        }
    }
    for phrase in ["is empty", "is blank", "is missing", "are empty", "are blank", "are missing"] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        let Some((from, to, column)) = schema.spans(&reading.rest[..at]).pop() else { continue };
        filter.conditions.push(format!("{} IS NULL", column.sql));
        reading.blank((at, end));
        reading.blank((from, to));
    }
}

/// One condition about a date, if there is one that nothing read yet.
fn date(reading: &mut Reading<'_>, filter: &mut Filter) -> bool {
    let (schema, today) = (reading.schema, reading.schema.today);
    let column = |reading: &Reading<'_>, at: usize| reading.mentioned(at, Column::is_date).or(schema.due()).map(|c| c.sql.clone());
    if let Some((at, end)) = words::find(&reading.rest, "between").or_else(|| words::find(&reading.rest, "from"))
        && let Some((first, from)) = dates::day(&reading.rest[end..], today)
        && let Some((second, to)) = dates::day(&reading.rest[end + first.1..], today)
        && let Some(sql) = column(reading, at)
        && reading.rest[end..end + first.0].trim().is_empty()
        && ["and", "to", "until", "-", "–"].contains(&reading.rest[end + first.1..end + first.1 + second.0].trim())
    {
        filter.conditions.push(format!("{sql} BETWEEN '{from}' AND '{to}'"));
        reading.blank((at, end + first.1 + second.1));
        return true;
    }
    for (phrase, operator) in [
        ("on or before", "<="),
        ("on or after", ">="),
        ("before", "<"),
        ("after", ">"),
        ("since", ">="),
        ("until", "<="),
        ("till", "<="),
        ("by", "<="),
        ("on", "="),
    ] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        let Some(((from, to), date)) = dates::day(&reading.rest[end..], today) else { continue };
        let gap = reading.rest[end..end + from].trim().to_lowercase();
        if !matches!(gap.as_str(), "" | "the") {
            continue;
        }
        let Some(sql) = column(reading, at) else { return false };
        filter.conditions.push(format!("{sql} {operator} '{date}'"));
        reading.blank((at, end + to));
        return true;
    }
    let Some((at, from, to)) = dates::span(reading) else { return false };
    let Some(sql) = column(reading, at) else { return false };
    filter.conditions.push(format!("{sql} BETWEEN '{from}' AND '{to}'"));
    true
}

/// One condition about an amount, if there is one that nothing read yet.
fn amount(reading: &mut Reading<'_>, filter: &mut Filter) -> bool {
    let phrases = [
        ("between", "BETWEEN"),
        ("more than", ">"),
        ("greater than", ">"),
        ("higher than", ">"),
        ("larger than", ">"),
        ("over", ">"),
        ("above", ">"),
        ("exceeding", ">"),
        ("at least", ">="),
        ("less than", "<"),
        ("lower than", "<"),
        ("smaller than", "<"),
        ("under", "<"),
        ("below", "<"),
        ("at most", "<="),
        ("of exactly", "="),
        ("exactly", "="),
        (">=", ">="),
        ("<=", "<="),
        (">", ">"),
        ("<", "<"),
    ];
    let schema = reading.schema;
    for (phrase, operator) in phrases {
        let sign = phrase.starts_with(['<', '>']);
        let span = if sign { reading.rest.find(phrase).map(|at| (at, at + phrase.len())) } else { words::find(&reading.rest, phrase) };
        let Some((at, end)) = span else { continue };
        let saved = reading.rest.clone();
        let percent = reading.rest[end..].split_whitespace().next().is_some_and(|w| w.contains('%'));
        let column = reading
            .mentioned(at, |c| c.numeric)
            .or_else(|| if percent { schema.columns.iter().find(|c| c.percent) } else { schema.amount() });
        let Some(column) = column else { continue };
        let scaled = |n: f64| if column.percent && n > 1.0 { n / 100.0 } else { n };
        let Some(n) = reading.take_number(end).map(scaled) else { continue };
        if column.percent {
            reading.take(&["percent", "complete", "completed", "done", "finished"]);
        }
        let condition = if operator == "BETWEEN" {
            let to = words::find(&reading.rest[end..], "and").map(|(_, e)| end + e).and_then(|e| reading.take_number(e)).map(scaled);
            let Some(to) = to else {
                reading.rest = saved;
                continue;
            };
            format!("{} BETWEEN {n} AND {to}", column.sql)
        } else {
            format!("{} {operator} {n}", column.sql)
        };
        reading.blank((at, end));
        reading.take_before(at, &["with", "of"]);
        if reading.take_before(at, &["not"]) {
            filter.question = Some("I cannot turn a comparison of amounts around: ask for “at most” instead of “not over”.".into());
        }
        filter.conditions.push(condition);
        return true;
    }
    false
}

/// “approved”, “not signed off”: a checkbox that is spoken of is a condition.
fn boxes(reading: &mut Reading<'_>, filter: &mut Filter) {
    let boxes: Vec<(usize, &Column)> = reading.mentions.iter().filter(|(_, c)| c.kind == "CHECKBOX").copied().collect();
    for (at, column) in boxes {
        let no = reading.take_before(at, &[&NEGATIONS[..], &["unchecked"]].concat())
            || reading.take(&["unchecked", "not checked", "not ticked"]).is_some();
        reading.take(&["checked", "ticked"]);
        filter.conditions.push(if no { format!("({0} IS NULL OR {0} = 0)", column.sql) } else { format!("{} = 1", column.sql) });
    }
}

fn containing(reading: &mut Reading<'_>, filter: &mut Filter) {
    let anywhere = ["containing", "contains", "contain", "mentioning", "mentions", "mention", "named", "called", "with the name"];
    let first = ["starting with", "starts with", "start with", "beginning with", "begins with", "begin with"];
    let last = ["ending with", "ends with", "end with", "ending in", "ends in"];
    let found = |phrases: &[&str]| phrases.iter().find_map(|p| words::find(&reading.rest, p));
    let beginning = found(&first).map(|span| (span, "", "%"));
    let ending = || found(&last).map(|span| (span, "%", ""));
    let inside = || found(&anywhere).map(|span| (span, "%", "%"));
    let Some(((at, end), before, after)) = beginning.or_else(ending).or_else(inside) else { return };
    let behind = &reading.rest[end..];
    let value = words::quoted(behind).unwrap_or_else(|| words::bare(behind));
    if value.trim().is_empty() {
        return;
    }
    let schema = reading.schema;
    let spoken = schema.spans(&reading.rest[..at]).into_iter().rfind(|(_, _, c)| c.kind == "TEXT_NUMBER" && !c.numeric);
    let column = spoken.map_or(schema.primary(), |(_, _, c)| c);
    filter.conditions.push(format!("{} LIKE {}", column.sql, words::quote(&format!("{before}{}{after}", value.trim()))));
    let to = words::find(behind, &value).map_or(reading.rest.len(), |(_, e)| end + e);
    reading.blank((at, to));
    if let Some((from, to, _)) = spoken {
        reading.blank((from, to));
    }
}
