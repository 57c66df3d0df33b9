//! Long work: what is asked for (“summarize Protocol into AI Summary”), and the answer for one row.

use super::reading::Reading;
use super::schema::Schema;
use super::{Intent, filters, words};
use serde_json::{Value, json};

pub(super) fn read(text: &str, schema: &Schema) -> Option<Intent> {
    const OPENINGS: [(&str, &str); 10] = [
        ("summarize", "SUMMARIZE"),
        ("summarise", "SUMMARIZE"),
        ("score how well each", "SCORE_ALIGNMENT"),
        ("score how well the", "SCORE_ALIGNMENT"),
        ("score how well", "SCORE_ALIGNMENT"),
        ("score", "SCORE_ALIGNMENT"),
        ("extract the key terms", "EXTRACT_TERMS"),
        ("extract key terms", "EXTRACT_TERMS"),
        ("extract the terms", "EXTRACT_TERMS"),
        ("extract terms", "EXTRACT_TERMS"),
    ];
    let text = text.trim().trim_start_matches("please ").trim_start_matches("Please ");
    let lower = text.to_lowercase();
    let (opening, kind) = OPENINGS.iter().find(|(o, _)| lower.starts_with(&format!("{o} ")))?;
    let rest = text[opening.len()..].trim().trim_end_matches(['.', '!', '?']);
    let Some((before, after)) = words::around(rest, &["into"]) else {
        return Some(Intent::Say(format!("Into which column? For example: “{text} into Summary”.")));
    };
    let (target, which) = words::around(after, &["for", "where"]).map_or((after, ""), |(target, which)| (target, which));
    let target = words::bare(target.trim_start_matches("the ").trim_start_matches("column "));
    let (subject, criteria) = match (*kind, words::around(before, &["fits", "fit", "matches", "match", "aligns with", "against"])) {
        ("SCORE_ALIGNMENT", Some((subject, criteria))) => (subject, Some(words::bare(criteria))),
        _ => (before, None),
    };
    let sources: Vec<&str> = schema.mentioned(subject).into_iter().map(|c| c.title.as_str()).collect();
    if sources.is_empty() {
        let titles: Vec<&str> = schema.columns.iter().map(|c| c.title.as_str()).collect();
        return Some(Intent::Say(format!("Which column should I read? There are {}.", titles.join(", "))));
    }
    let reading = &mut Reading::new(which, schema);
    let filter = filters::read(reading);
    if let Some(ask) = filter.question.clone().or_else(|| reading.refusal()) {
        return Some(Intent::Say(ask));
    }
    let target = schema.columns.iter().find(|c| c.title.to_lowercase() == target.to_lowercase()).map_or(target, |c| c.title.clone());
    Some(Intent::Job(json!({
        "sheet": null, "kind": kind, "source_columns": sources, "target_column": target, "where_sql": filter.sql(),
        "instructions": criteria, "limit": null,
    })))
}

/// What somebody wants to know who asks why a row has a result: its name, and perhaps the column.
pub(super) fn why(text: &str, schema: &Schema) -> Option<Intent> {
    let lower = text.to_lowercase();
    let rest =
        ["why does ", "why did ", "why has ", "why is ", "explain "].iter().find_map(|o| lower.starts_with(o).then(|| &text[o.len()..]))?;
    let rest = rest.trim_end_matches(['?', '.', '!']).trim_start_matches("the ");
    let row = match words::around(rest, &["of", "for"]) {
        Some((_, row)) => row,
        None => words::around(rest, &["score", "scored", "get", "have", "has", "so"]).map_or(rest, |(row, _)| row),
    };
    let column = schema.mentioned(text).into_iter().find(|c| c.title != schema.primary().title).map(|c| c.title.clone());
    Some(Intent::Explain { row: words::bare(row.split(" so ").next().unwrap_or(row)), column })
}

/// The answer for one row, if a request is about one: made of the row's own words.
pub(super) fn row(request: &Value) -> Option<Value> {
    let messages = request["messages"].as_array()?;
    let task = messages.first()?["content"].as_str().unwrap_or_default();
    let told = || task.split_once("The JSON object follows this schema: ").map(|(_, schema)| kind_in(schema));
    let kind = request["response_format"]["json_schema"]["name"].as_str().or_else(told)?;
    answer(kind, task, messages.last()?["content"].as_str()?)
}

/// What is wanted, as a schema shows it.
fn kind_in(schema: &str) -> &'static str {
    let kinds = [("summary", "summarize"), ("score", "score_alignment"), ("terms", "extract_terms")];
    kinds.iter().find(|(property, _)| schema.contains(&format!("\"{property}\""))).map_or("custom", |(_, kind)| kind)
}

/// The same for a text that is to be continued; what is wanted shows in the schema.
pub(super) fn continuation(prompt: &str) -> Option<Value> {
    let (task, rest) = prompt.split_once("\n\n<row>")?;
    let (data, wanted) = rest.split_once("</row>")?;
    answer(kind_in(wanted), task, &format!("<row>{data}</row>"))
}

fn answer(kind: &str, task: &str, content: &str) -> Option<Value> {
    let data = content.trim().strip_prefix("<row>").and_then(|d| d.strip_suffix("</row>"))?.trim();
    let text: Vec<&str> = data.lines().map(|l| l.split_once(": ").map_or(l, |(_, v)| v)).collect();
    let text = text.join(" ");
    let first = text.split_inclusive(". ").next().unwrap_or_default().trim();
    Some(match kind {
        "summarize" => json!({ "summary": first.chars().take(200).collect::<String>() }),
        "score_alignment" => {
            let wanted = task.split("in particular: ").nth(1).and_then(|w| w.lines().next()).unwrap_or_default().to_lowercase();
            let wanted: Vec<&str> = wanted.split_whitespace().filter(|w| w.len() > 3).collect();
            let lower = text.to_lowercase();
            let found: Vec<&str> = wanted.iter().filter(|w| lower.contains(&w[..w.len().min(5)])).copied().collect();
            let score = if wanted.is_empty() { 50 } else { 100 * found.len() / wanted.len() };
            json!({ "score": score, "reason": format!("It speaks of {} of {} words of the criteria.", found.len(), wanted.len()) })
        }
        "extract_terms" => {
            let mut terms: Vec<String> = Vec::new();
            for word in text.split(|c: char| !c.is_alphanumeric() && c != '-').filter(|w| w.len() > 8) {
                if terms.len() < 5 && !terms.iter().any(|t| t.eq_ignore_ascii_case(word)) {
                    terms.push(word.to_owned());
                }
            }
            json!({ "terms": terms })
        }
        _ => json!({ "answer": text.split_whitespace().take(12).collect::<Vec<_>>().join(" ") }),
    })
}
