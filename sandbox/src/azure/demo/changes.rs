//! Changes: setting values, adding and deleting rows, columns, comments.

use super::reading::Reading;
use super::schema::{Column, Schema};
use super::{Intent, New, dates, filters, words};
use serde_json::{Value, json};

pub(super) fn read(text: &str, schema: &Schema) -> Option<Intent> {
    let text = polite(text);
    comment(text, schema)
        .or_else(|| column(text, schema))
        .or_else(|| add(text, schema))
        .or_else(|| delete(text, schema))
        .or_else(|| set(text, schema))
}

fn polite(text: &str) -> &str {
    let mut text = text.trim();
    for opening in [
        "please",
        "can you",
        "could you",
        "would you",
        "i want to",
        "i'd like to",
        "i want you to",
        "i need a",
        "we need a",
        "go ahead and",
        "now",
        "then",
    ] {
        if text.to_lowercase().starts_with(opening) {
            text = text[opening.len()..].trim_start_matches([',', ' ']);
        }
    }
    text.strip_prefix("please ").unwrap_or(text)
}

fn starts<'a>(text: &'a str, verbs: &[&str]) -> Option<&'a str> {
    let lower = text.to_lowercase();
    let found = verbs.iter().filter(|v| lower.starts_with(&format!("{v} "))).max_by_key(|v| v.len())?;
    Some(text[found.len()..].trim())
}

fn comment(text: &str, schema: &Schema) -> Option<Intent> {
    if let Some(rest) = starts(text, &["comment on", "add a comment to", "add a comment on", "leave a comment on"]) {
        let (row, words_) = rest.split_once(':')?;
        return Some(Intent::Comment { row: words::bare(row), text: words_.trim().trim_matches('"').to_owned() });
    }
    let rest = starts(text, &["add a comment", "add comment", "comment"])?;
    let said = words::quoted(rest)?;
    let (_, row) = words::around(rest.split(&said).nth(1)?, &["to", "on"])?;
    let row = words::bare(row);
    (!row.is_empty() && schema.columns.len() > 1).then_some(Intent::Comment { row, text: said })
}

fn column(text: &str, schema: &Schema) -> Option<Intent> {
    let arguments = |action: &str, column: &str, new_title: Value, kind: Value, options: Value| {
        Intent::Column(
            json!({ "sheet": null, "action": action, "column": column, "new_title": new_title, "type": kind, "options": options }),
        )
    };
    if let Some(rest) = starts(text, &["rename column", "rename the column", "rename", "change the name of", "change the title of"]) {
        let (from, to) = words::around(rest, &["to", "into", "as"])?;
        let from = words::bare(from.trim_end_matches(" column"));
        return Some(arguments("update", &from, json!(words::bare(to)), Value::Null, Value::Null));
    }
    let named = |rest: &str| -> Option<String> {
        let (before, after) = words::around(rest, &["column", "field"])?;
        let name = words::bare(words::around(after, &["with", "of type", "as", "having"]).map_or(after, |(name, _)| name));
        let name = if name.is_empty() { words::bare(before) } else { name };
        let name = ["called ", "named "]
            .iter()
            .find_map(|p| name.to_lowercase().starts_with(p).then(|| words::bare(&name[p.len()..])))
            .unwrap_or(name);
        (!name.is_empty()).then_some(name)
    };
    if let Some(rest) = starts(text, &["delete", "remove", "drop"]).filter(|r| words::any(r, &["column", "field"])) {
        return Some(arguments("delete", &named(rest)?, Value::Null, Value::Null, Value::Null));
    }
    let rest = starts(text, &["add", "create", "insert", "make", "new", "append"])?;
    if words::any(rest, &["option", "options"]) && !words::any(rest, &["column", "field"]) {
        let (new, target) = words::around(rest, &["to"])?;
        let target = schema.column(target)?;
        let value = words::quoted(new).unwrap_or_else(|| words::bare(words::around(new, &["option", "options"]).map_or(new, |(_, v)| v)));
        let mut options = target.values.clone();
        options.push(value);
        return Some(arguments("update", &target.title, Value::Null, json!(target.kind), json!(options)));
    }
    let (before, _) = words::around(rest, &["column", "field"])?;
    if words::any(before, &["row", "task", "item"]) {
        return None;
    }
    let list = words::around(rest, &["with options", "with values", "with the options", "with", "having", ":"])
        .map(|(_, l)| split_list(l))
        .unwrap_or_default();
    let kinds = [
        ("picklist", "PICKLIST"),
        ("dropdown", "PICKLIST"),
        ("drop-down", "PICKLIST"),
        ("select", "PICKLIST"),
        ("checkbox", "CHECKBOX"),
        ("date", "DATE"),
        ("contact", "CONTACT_LIST"),
        ("people", "CONTACT_LIST"),
        ("person", "CONTACT_LIST"),
        ("text", "TEXT_NUMBER"),
        ("number", "TEXT_NUMBER"),
    ];
    let kind =
        kinds.iter().find(|(w, _)| words::any(rest, &[w])).map_or(if list.is_empty() { "TEXT_NUMBER" } else { "PICKLIST" }, |(_, k)| k);
    let mut name = named(rest)?;
    for (word, _) in kinds {
        if let Some(stripped) = name.to_lowercase().strip_prefix(&format!("{word} ")) {
            name = name[name.len() - stripped.len()..].to_owned();
        }
    }
    Some(arguments("add", &name, Value::Null, json!(kind), if list.is_empty() { Value::Null } else { json!(list) }))
}

fn split_list(text: &str) -> Vec<String> {
    let text = text.trim_end_matches(['.', '!']).replace(" and ", ", ").replace(" or ", ", ");
    text.split(',').map(words::bare).filter(|v| !v.is_empty()).collect()
}

fn add(text: &str, schema: &Schema) -> Option<Intent> {
    let rest = starts(text, &["add", "create", "insert", "new", "append", "put"])?;
    let nouns = ["task", "row", "item", "entry", "line", "risk", "deal", "trial", "record", "subtask", "milestone"];
    let noun = nouns.iter().filter_map(|n| words::find(rest, n)).filter(|(at, _)| *at < 20).min();
    let title = words::quoted(rest);
    if noun.is_none() && title.is_none() {
        return None;
    }
    let after_noun = noun.map_or(rest, |(_, end)| rest[end..].trim_start_matches([':', ' ']));
    let parent_words = ["under", "below", "in", "to", "as a child of", "within"];
    let title = title.unwrap_or_else(|| {
        let head = after_noun.split([',', ';']).next().unwrap_or_default();
        let head = words::around(head, &["under", "below", "with", "assigned to", "owned by", "as a child of"]).map_or(head, |(t, _)| t);
        let head = words::bare(head);
        ["called ", "named "].iter().find_map(|p| head.strip_prefix(p)).map_or(head.clone(), str::to_owned)
    });
    if title.is_empty() {
        return Some(Intent::Say(
            "What should the new row be called? For example: add a task \"Security review\" under Phase 3, owner Omar.".into(),
        ));
    }
    let tail = rest.split_once(&title).map_or("", |(_, t)| t).trim_start_matches(['"', '”', '\'', ' ']);
    let first = tail.split([',', ';']).next().unwrap_or_default();
    let parent = words::around(first, &parent_words)
        .map(|(_, p)| words::around(p, &["with", "for", "assigned", "and"]).map_or(p, |(n, _)| n))
        .map(words::bare)
        .filter(|p| !p.is_empty());
    let parts = tail.replace(" with ", ", ").replace(" and ", ", ").replace("assigned to", ", owner").replace("owned by", ", owner");
    match cells_of(&parts, &parent_words, schema) {
        Ok(cells) => Some(Intent::Add { title, parent, cells }),
        Err(unused) => Some(Intent::Say(format!(
            "I do not know what “{unused}” says of the new row: name a column and a value, such as “owner Omar, priority High”."
        ))),
    }
}

/// What phrases such as `owner Omar, start 2026-12-07 finish 2026-12-11` give to the cells of a new row; the first of them that says nothing.
fn cells_of(parts: &str, parent_words: &[&str], schema: &Schema) -> Result<Vec<(String, Value)>, String> {
    let mut cells: Vec<(String, Value)> = Vec::new();
    for part in parts.split([',', ';']).map(|p| p.trim().trim_end_matches(['.', '!', '?'])).filter(|p| !p.is_empty()) {
        if starts(part, parent_words).is_some() {
            continue;
        }
        // “… for Omar”
        let whose = starts(part, &["for"]).and_then(|_| schema.contact()).and_then(|c| Some((c.title.clone(), value_in(part, c, schema)?)));
        if let Some(owner) = whose.filter(|(title, _)| !cells.iter().any(|(c, _)| c == title)) {
            cells.push(owner);
            continue;
        }
        let begins: Vec<usize> = schema.spans(part).iter().filter(|(_, _, c)| !c.primary).map(|(at, _, _)| *at).collect();
        let ends = begins.iter().skip(1).copied().chain([part.len()]);
        let pieces: Vec<&str> = begins.iter().zip(ends).map(|(at, end)| &part[*at..end]).collect();
        let named = pieces.iter().filter_map(|piece| {
            let column = schema.column(piece)?;
            Some((column.title.clone(), value_in(piece, column, schema)?))
        });
        let found: Vec<(String, Value)> = named.filter(|(title, _)| !cells.iter().any(|(c, _)| c == title)).collect();
        if found.is_empty() || found.len() < pieces.len() {
            return Err(part.to_owned());
        }
        cells.extend(found);
    }
    Ok(cells)
}

/// The value that a phrase such as `owner Omar` or `start 2026-12-07` gives to a column.
fn value_in(part: &str, column: &Column, schema: &Schema) -> Option<Value> {
    let quoted = words::quoted(part);
    if column.is_date() {
        return dates::day(part, schema.today).map(|(_, d)| json!(d.to_string()));
    }
    if column.is_contact() {
        if let Some(address) = part.split_whitespace().map(|w| w.trim_matches(['.', ',', '!', '?'])).find(|w| w.contains('@')) {
            return Some(json!(address));
        }
        let known = column.values.iter().find(|n| words::find(part, n).is_some());
        let first = |n: &&String| n.split(' ').next().is_some_and(|f| words::find(part, f).is_some());
        let same: Vec<&String> = column.values.iter().filter(first).collect();
        let by_first = match same.as_slice() {
            [one] => Some((*one).clone()),
            // More than one person: the bare first name, so that it is asked who is meant.
            [one, ..] => one.split(' ').next().map(str::to_owned),
            [] => quoted,
        };
        return known.cloned().or(by_first).map(|n| json!(n));
    }
    if column.numeric || column.percent {
        // As it was typed: who reads “12,50” knows how the person writes numbers.
        let typed = part.split_whitespace().find(|w| w.contains(|c: char| c.is_ascii_digit()))?;
        let typed = typed.trim_end_matches(['.', ',', '!', '?']);
        let long = words::number(typed).filter(|_| typed.to_lowercase().ends_with(['k', 'm']));
        return Some(long.map_or_else(|| json!(typed), |n| json!(n)));
    }
    if let Some(value) = column.values.iter().filter(|v| words::find(part, v).is_some()).max_by_key(|v| v.len()) {
        return Some(json!(value));
    }
    let (_, rest) = words::around(part, &[column.title.as_str(), "to", "as", "is"])?;
    quoted.or_else(|| Some(words::bare(rest))).filter(|v| !v.is_empty()).map(|v| json!(v))
}

fn delete(text: &str, schema: &Schema) -> Option<Intent> {
    let rest = starts(text, &["delete", "remove", "drop", "erase", "get rid of"])?;
    which(rest, schema).map(|w| match w {
        Ok(filter) => Intent::Delete { filter },
        Err(ask) => Intent::Say(ask),
    })
}

/// Which rows a phrase means: by conditions, all of them, or by name.
fn which(text: &str, schema: &Schema) -> Option<Result<String, String>> {
    let reading = &mut Reading::new(text, schema);
    let tasks = words::any(text, &["tasks"]);
    let everything = words::any(text, &["everything", "all rows", "all tasks", "every row", "every task", "all items", "each row", "all"]);
    let primary = &schema.primary().sql;
    let name = words::bare(text);
    if let Some(quoted) = words::quoted(text)
        && let Some(span) = words::find(text, &quoted)
    {
        let beside = &mut Reading::new(text, schema);
        beside.blank(span);
        if beside.is_used_up() {
            return Some(Ok(format!("{primary} = {}", words::quote(&quoted))));
        }
    }
    let name = ["task ", "row ", "item ", "entry ", "deal ", "risk ", "rows ", "tasks "]
        .iter()
        .find_map(|p| name.to_lowercase().starts_with(p).then(|| words::bare(&name[p.len()..])))
        .unwrap_or(name);
    let filter = filters::read(reading);
    let whole = reading.is_used_up();
    if let Some(question) = filter.question.clone().filter(|_| whole) {
        return Some(Err(question));
    }
    match filter.sql() {
        // “Tasks” are rows without children, here as in questions.
        Some(sql) if whole && tasks => Some(Ok(format!("{sql} AND is_parent = 0"))),
        Some(sql) if whole => Some(Ok(sql)),
        None if everything && whole => Some(Ok("1 = 1".into())),
        _ if name.is_empty() => None,
        _ if everything || tasks => reading.refusal().map(Err),
        _ => Some(Ok(format!("{primary} LIKE {}", words::quote(&name)))),
    }
}

fn set(text: &str, schema: &Schema) -> Option<Intent> {
    // “… and set it in progress”: a second value for the same rows.
    let second = [
        "and set it to",
        "and set it",
        "and mark it as",
        "and mark it",
        "and make it",
        "and set them to",
        "and mark them as",
        "and assign it to",
    ]
    .iter()
    .filter_map(|p| words::find(text, p).map(|span| (*p, span)))
    .min_by_key(|(_, (at, end))| (*at, usize::MAX - *end));
    if let Some((phrase, (at, end))) = second {
        let first = set(&text[..at], schema)?;
        let Intent::Update { filter, set: mut all } = first else { return Some(first) };
        let behind = &text[end..];
        let (column, new) = if phrase.contains("assign") {
            let contact = schema.contact()?;
            (contact, value_in(behind, contact, schema)?)
        } else if let Some(found) = state(behind, schema) {
            found
        } else {
            return Some(Intent::Say(format!("I do not know the value “{}”: say which column is to have it.", words::bare(behind))));
        };
        all.push((column.title.clone(), New::Value(new)));
        return Some(Intent::Update { filter, set: all });
    }
    if let Some(intent) = shift(text, schema) {
        return Some(intent);
    }
    if let Some(rest) = starts(text, &["clear", "empty", "blank"]) {
        let (name, target) = words::around(rest, &["for", "of", "on", "in", "where"])?;
        return update(schema.column(name)?, New::Value(Value::Null), target, schema);
    }
    if let Some(rest) = starts(text, &["assign", "reassign", "give", "hand"]) {
        let (target, person) = words::around(rest, &["to"])?;
        let contact = schema.contact()?;
        let person = value_in(person, contact, schema).unwrap_or_else(|| json!(words::bare(person)));
        return update(contact, New::Value(person), target, schema);
    }
    if let Some(rest) = starts(text, &["mark", "flag"]) {
        let (target, value) = words::around(rest, &["as", "to"])?;
        return by_value(value, target, schema);
    }
    let rest = starts(text, &["set", "change", "update", "make", "put", "switch", "move", "turn"])?;
    if words::around(rest, &["to", "as", "into"]).is_none() && !rest.contains('=') {
        return last_value(rest, schema);
    }
    let (head, value) =
        words::around(rest, &["to", "=", "as", "into"]).or_else(|| rest.split_once('=').map(|(a, b)| (a.trim(), b.trim())))?;
    let (value_text, behind) = match words::around(value, &["for", "where", "on", "in all", "of", "if", "when"]) {
        Some((v, t)) if !value.starts_with(['"', '“', '\'']) || words::quoted(value).is_none_or(|q| v.contains(&q)) => (v, Some(t)),
        _ => (value, None),
    };
    let in_head = words::around(head, &["of", "for", "on", "from"]);
    let name = in_head.map_or(head, |(name, _)| name);
    match schema.column(name).filter(|c| !c.primary || behind.is_some()) {
        Some(column) => {
            if let Some(factor) = more_or_less(value_text).filter(|_| column.numeric) {
                let target = behind.or(in_head.map(|(_, t)| t)).unwrap_or("");
                return update(column, New::Expression(format!("{} * {factor}", column.sql)), target, schema);
            }
            let typed = format!("{} {value_text}", column.title);
            let read = value_in(value_text, column, schema).or_else(|| value_in(&typed, column, schema));
            let value = read.unwrap_or_else(|| json!(words::bare(value_text)));
            let target = behind.or(in_head.map(|(_, t)| t)).unwrap_or("");
            update(column, New::Value(value), target, schema)
        }
        None => by_value(value_text, head, schema),
    }
}

/// What “10% more” and “5 % less” multiply by.
fn more_or_less(text: &str) -> Option<f64> {
    let (share, word) = words::bare(text)
        .to_lowercase()
        .replace("percent", "%")
        .split_once('%')
        .map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()))?;
    let share = share.parse::<f64>().ok()? / 100.0;
    match word.as_str() {
        "more" | "higher" => Some(1.0 + share),
        "less" | "lower" => Some(1.0 - share),
        _ => None,
    }
}

/// `make all blocked tasks high priority`: the value that is named last is the new one.
fn last_value(text: &str, schema: &Schema) -> Option<Intent> {
    let known = schema.columns.iter().filter(|c| !c.primary && !c.is_contact()).flat_map(|c| c.values.iter().map(move |v| (c, v)));
    let spans = known.filter_map(|(c, v)| words::find(text, v).map(|(at, _)| (at, c, v)));
    let (at, column, value) = spans.max_by_key(|(at, _, v)| (*at, v.len()))?;
    update(column, New::Value(json!(value)), text[..at].trim(), schema)
}

/// `mark … as Complete`: the column is the one that has this value.
fn by_value(value: &str, target: &str, schema: &Schema) -> Option<Intent> {
    let (column, value) = state(value, schema)?;
    update(column, New::Value(value), target, schema)
}

/// The column that has a value which words name, and the value as it is written there.
fn state<'a>(value: &str, schema: &'a Schema) -> Option<(&'a Column, Value)> {
    let wanted = words::bare(value).to_lowercase();
    let wanted = ["in state ", "to ", "as "].iter().find_map(|p| wanted.strip_prefix(p)).unwrap_or(&wanted).to_owned();
    if wanted.is_empty() {
        return None;
    }
    let done = ["done", "finished", "completed", "complete"].contains(&wanted.as_str());
    let same = |v: &str| {
        let v = v.to_lowercase();
        v == wanted || (done && ["done", "complete", "completed", "finished"].contains(&v.as_str()))
    };
    let known = || schema.columns.iter().filter(|c| !c.is_contact() && !c.primary).flat_map(|c| c.values.iter().map(move |v| (c, v)));
    let found = known().find(|(_, v)| same(v)).or_else(|| known().find(|(_, v)| v.to_lowercase().starts_with(&wanted)));
    found.map(|(c, v)| (c, json!(v)))
}

/// “push Build by a week”, “postpone all overdue tasks to next friday”.
fn shift(text: &str, schema: &Schema) -> Option<Intent> {
    let verbs = ["postpone", "push back", "push out", "push", "delay", "reschedule", "move", "pull in", "pull"];
    let rest = starts(text, &verbs)?;
    let earlier = text.to_lowercase().starts_with("pull") || words::any(rest, &["earlier", "forward"]);
    let column = |rest: &str| schema.mentioned(rest).into_iter().find(|c| c.is_date());
    if let Some((target, by)) = words::around(rest, &["by"]) {
        let days = days(by)?;
        let Some(column) = column(rest).or_else(|| schema.moved()) else {
            return Some(Intent::Say("I find no column of dates to move.".into()));
        };
        let days = if earlier { -days } else { days };
        let target = without(target, column, schema);
        return update(column, New::Expression(format!("date({}, '{days:+} days')", column.sql)), &target, schema);
    }
    let (target, to) = words::around(rest, &["to", "until"])?;
    let (_, day) = dates::day(to, schema.today)?;
    let column = column(target).or_else(|| schema.moved())?;
    update(column, New::Value(json!(day.to_string())), &without(target, column, schema), schema)
}

/// A phrase such as “the due date of Load test” without the column's name.
fn without(target: &str, column: &Column, schema: &Schema) -> String {
    let named = schema.spans(target).into_iter().find(|(_, _, c)| c.title == column.title);
    let rest = named.map_or(target, |(_, end, _)| &target[end..]);
    let rest = rest.trim();
    ["of ", "for "].iter().find_map(|p| rest.strip_prefix(p)).unwrap_or(rest).to_owned()
}

/// “a week”, “3 days”, “one month” as days; months are left to those who know which.
fn days(text: &str) -> Option<i32> {
    let mut all = text.split_whitespace().map(|w| w.trim_end_matches(['.', '!', '?', ',']).to_lowercase());
    let count = match all.next()?.as_str() {
        "a" | "an" | "one" => 1,
        "two" => 2,
        "three" => 3,
        n => n.parse().ok()?,
    };
    match all.next()?.as_str() {
        "day" | "days" => Some(count),
        "week" | "weeks" => Some(count * 7),
        _ => None,
    }
}

fn update(column: &Column, value: New, target: &str, schema: &Schema) -> Option<Intent> {
    if target.trim().is_empty() {
        return Some(Intent::Say(format!(
            "For which rows should I set {}? For example: “… for everything assigned to Dana”, or “… for all rows”.",
            column.title
        )));
    }
    let filter = match which(target, schema)? {
        Ok(filter) => filter,
        Err(ask) => return Some(Intent::Say(ask)),
    };
    Some(Intent::Update { filter, set: vec![(column.title.clone(), value)] })
}
