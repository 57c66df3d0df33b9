//! Questions: counting, listing with filters, sums and averages by group, extremes.

use super::schema::{Column, Schema};
use super::{Intent, filters, words};
use serde_json::Value;

const CHANGES: [&str; 14] =
    ["set", "change", "update", "make", "mark", "move", "assign", "add", "create", "delete", "remove", "drop", "rename", "clear"];

pub(super) fn read(text: &str, schema: &Schema) -> Option<Intent> {
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    if CHANGES.contains(&first.as_str()) {
        return None;
    }
    let filter = filters::read(text, schema);
    let condition = filter.sql().or_else(|| filters::named_row(text, schema));
    let group = group_column(text, schema);
    if let Some(measure) = measure(text, schema) {
        return Some(aggregate(&measure, group, condition));
    }
    let asks = words::any(
        text,
        &[
            "which",
            "what",
            "show",
            "list",
            "find",
            "who",
            "give me",
            "display",
            "any",
            "are there",
            "see",
            "get",
            "tell me",
            "where",
            "when",
            "top",
            "whose",
            "open",
            "everything",
            "all",
        ],
    );
    if let Some(intent) = extreme(text, schema, condition.as_deref()) {
        return Some(intent);
    }
    (condition.is_some()
        || (asks && (!schema.mentioned(text).is_empty() || words::any(text, &["rows", "tasks", "items", "everything", "all"]))))
    .then(|| list(text, schema, condition))
    .filter(|_| asks || condition_like(text))
}

/// A bare phrase such as “overdue tasks” or “blocked?” is a question too.
fn condition_like(text: &str) -> bool {
    text.split_whitespace().count() <= 6
}

struct Measure {
    sql: String,
    name: String,
}

fn measure(text: &str, schema: &Schema) -> Option<Measure> {
    let numeric = || -> Option<&Column> {
        schema.mentioned(text).into_iter().find(|c| c.numeric).or_else(|| schema.columns.iter().find(|c| c.numeric && !c.percent))
    };
    let of = |function: &str, word: &str| {
        numeric()
            .map(|c| Measure { sql: format!("{function}({}) AS {word}_{}", c.sql, c.sql), name: format!("{} {}", capital(word), c.title) })
    };
    if words::any(text, &["average", "mean", "avg"]) {
        return of("avg", "average");
    }
    if words::any(text, &["how many", "number of", "count", "how much work"]) {
        return Some(Measure { sql: "count(*) AS rows".into(), name: "Number of rows".into() });
    }
    if words::any(text, &["total", "sum", "sum up", "add up", "how much", "overall"]) {
        return of("sum", "total");
    }
    None
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn group_column<'a>(text: &str, schema: &'a Schema) -> Option<&'a Column> {
    for phrase in ["grouped by", "group by", "broken down by", "split by", "for each", "in each", "per", "by", "each"] {
        let Some((_, rest)) = words::around(text, &[phrase]) else { continue };
        let head: String = rest.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
        if let Some(column) = schema.column(&head) {
            return Some(column);
        }
    }
    None
}

fn aggregate(measure: &Measure, group: Option<&Column>, condition: Option<String>) -> Intent {
    let filter = condition.map(|c| format!(" WHERE {c}")).unwrap_or_default();
    match group {
        Some(column) => Intent::Query {
            sql: format!("SELECT {0}, {1} FROM leaf{filter} GROUP BY {0} ORDER BY 2 DESC", column.sql, measure.sql),
            lead: format!("{} by {}:", measure.name, column.title),
        },
        None => Intent::Query { sql: format!("SELECT {} FROM leaf{filter}", measure.sql), lead: measure.name.clone() },
    }
}

fn extreme(text: &str, schema: &Schema, condition: Option<&str>) -> Option<Intent> {
    let down = words::any(text, &["highest", "largest", "biggest", "most expensive", "maximum", "max", "top", "latest", "longest"]);
    let up = words::any(text, &["lowest", "smallest", "cheapest", "minimum", "min", "earliest", "bottom", "least"]);
    if !down && !up {
        return None;
    }
    let ordered = |c: &&Column| c.numeric || c.is_date();
    let column = schema.mentioned(text).into_iter().find(ordered).or_else(|| schema.columns.iter().find(|c| c.numeric && !c.percent))?;
    let limit = words::number(text).map_or(if words::any(text, &["top", "bottom"]) { 5 } else { 1 }, |n| n as u32).clamp(1, 50);
    let filter = condition.map(|c| format!(" AND {c}")).unwrap_or_default();
    let direction = if down { "DESC" } else { "ASC" };
    let real =
        if column.is_date() { format!("{} IS NOT NULL", column.sql) } else { format!("typeof({}) IN ('real', 'integer')", column.sql) };
    Some(Intent::Query {
        sql: format!(
            "SELECT {}, {1} FROM leaf WHERE {real}{filter} ORDER BY {1} {direction} LIMIT {limit}",
            schema.primary().sql,
            column.sql
        ),
        lead: format!("By {}, {} first:", column.title, if down { "highest" } else { "lowest" }),
    })
}

fn list(text: &str, schema: &Schema, condition: Option<String>) -> Intent {
    let mut columns = vec![schema.primary()];
    let usual = [schema.contact(), schema.status(), schema.due()];
    for column in schema.mentioned(text).into_iter().chain(usual.into_iter().flatten()) {
        if !columns.iter().any(|c| c.sql == column.sql) && columns.len() < 6 {
            columns.push(column);
        }
    }
    let names: Vec<&str> = columns.iter().map(|c| c.sql.as_str()).collect();
    let from = if condition.as_deref().is_some_and(|c| c.contains("RECURSIVE")) { "sheet" } else { "leaf" };
    let filter = condition.map(|c| format!(" WHERE {c}")).unwrap_or_default();
    let order = match schema.due() {
        Some(due) if words::any(text, &["overdue", "due", "late", "deadline"]) => format!(" ORDER BY {}", due.sql),
        _ => " ORDER BY row_number".into(),
    };
    Intent::Query { sql: format!("SELECT {} FROM {from}{filter}{order}", names.join(", ")), lead: "list".into() }
}

/// The words around a result.
pub(super) fn answer(lead: &str, result: &Value) -> String {
    let total = result["total"].as_u64().unwrap_or(0);
    let single = result["columns"].as_array().is_some_and(|c| c.len() == 1) && total == 1;
    match (lead, total) {
        (_, 0) => "No rows match.".into(),
        ("list", 1) => "One row matches.".into(),
        ("list", n) => format!("{n} rows match."),
        ("Number of rows", 1) if single => match result["rows"][0][0].as_str().unwrap_or("0") {
            "1" => "It is **1** row.".into(),
            n => format!("There are **{n}** rows."),
        },
        (lead, 1) if single => format!("{lead}: **{}**", result["figure"].as_str().filter(|f| !f.is_empty()).unwrap_or("nothing")),
        (lead, _) => lead.to_owned(),
    }
}
