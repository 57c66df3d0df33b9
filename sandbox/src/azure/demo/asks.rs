//! Questions: counting, listing with filters, sums and averages by group, extremes, what the sheet has.

use super::filters::{self, Filter};
use super::reading::Reading;
use super::schema::{Column, Schema};
use super::{Intent, words};
use serde_json::Value;

const CHANGES: [&str; 17] = [
    "set", "change", "update", "make", "mark", "move", "assign", "add", "create", "delete", "remove", "drop", "rename", "clear",
    "postpone", "push", "delay",
];
/// Words right before the name of a row.
const BEFORE_NAMES: [&str; 14] = ["of", "for", "about", "owns", "own", "is", "on", "does", "the", "task", "row", "what's", "who's", "show"];

pub(super) fn read(text: &str, schema: &Schema) -> Option<Intent> {
    let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
    if CHANGES.contains(&first.as_str()) {
        return None;
    }
    let reading = &mut Reading::new(text, schema);
    reading.take(&["show me", "give me", "tell me", "let me see", "and only", "only", "just", "what about", "how about"]);
    if let Some(intent) = the_sheet(reading) {
        return Some(intent);
    }
    if let Some(query) = waits_for(reading) {
        return Some(Intent::Query(query));
    }
    let heads =
        reading.take(&["how many people", "how many different people", "how many owners", "how many assignees", "number of people"]);
    let chart = reading.take(&["a chart of", "a graph of", "chart", "graph", "plot", "diagram", "draw"]).is_some();
    let share = share(reading);
    if let Some(intent) = share {
        return Some(intent);
    }
    let next = reading.take(&["what's next", "what’s next", "what is next", "up next"]).is_some();
    let most = ["who has the most", "who has most", "who does the most", "who has the fewest", "who has the least"]
        .iter()
        .find(|p| reading.take(&[p]).is_some());
    let (order, groups) = (sorting(reading), grouping(reading));
    let extreme = Extreme::take(reading);
    let mut filter = filters::read(reading);
    if let Some(question) = filter.question.take() {
        return Some(Intent::Say(question));
    }
    if next && let Some(open) = filters::open(reading) {
        filter.conditions.push(open);
    }
    let measure = if let Some(contact) = heads.and(schema.contact()) {
        reading.take(&["are there", "in all", "work", "are working", "are assigned", "have tasks"]);
        Some(Measure::different(contact))
    } else if most.is_some() {
        reading.take(&["work"]);
        // What is done is not to do any more.
        if reading.take(&["left to do", "to do", "left"]).is_some() {
            filter.conditions.extend(filters::open(reading));
        }
        Some(Measure::rows())
    } else {
        Measure::take(reading, &filter, !groups.is_empty())
    };
    let counts = measure.as_ref().is_some_and(|m| m.counts);
    let name = if filter.conditions.is_empty() && !counts { row_name(reading) } else { None };
    if let Some(name) = &name {
        filter.conditions.push(format!("{} LIKE {}", schema.primary().sql, words::quote(&format!("%{name}%"))));
    }
    if let Some(refusal) = reading.refusal() {
        return Some(Intent::Say(refusal));
    }
    if filter.conditions.is_empty() && measure.is_none() && extreme.is_none() && order.is_none() && groups.is_empty() && !asks(reading) {
        return None;
    }
    let mut query = if let Some(direction) = most {
        let contact = schema.contact()?;
        aggregate(&Measure::rows(), &[contact], &filter, if direction.ends_with("most") { "DESC" } else { "ASC" })
    } else if let Some(extreme) = extreme {
        match extreme.query(reading, &filter) {
            Some(query) => query,
            None => return Some(Intent::Say("Of which column? Name one with numbers or dates, for example “highest budget”.".into())),
        }
    } else if let Some(measure) = measure {
        let compared: Vec<&Column> = schema.columns.iter().filter(|c| measure.compared && filter.by_value.contains(&c.sql)).collect();
        aggregate(&measure, if groups.is_empty() { &compared } else { &groups }, &filter, "DESC")
    } else if !groups.is_empty() {
        aggregate(&Measure::rows(), &groups, &filter, "DESC")
    } else if let Some(family) = filter.family.clone().filter(|_| filter.conditions.len() == 1)
        && let Some(percent) = reading.mentioned(usize::MAX, |c| c.percent)
    {
        let (primary, name) = (&schema.primary().sql, words::quote(&format!("{family}%")));
        let sql = format!("SELECT {primary}, {} FROM sheet WHERE {primary} LIKE {name} AND is_parent = 1", percent.sql);
        Query::new(sql, format!("{} of {family}:", percent.title))
    } else {
        list(reading, &filter, order, next)
    };
    if chart {
        query.lead = format!("I cannot draw here; these are the figures. {}", query.lead);
    }
    let note = filter.note.filter(|_| query.lead == "list");
    Some(Intent::Query(Query { name, note, ..query }))
}

/// One query, and the words around its result.
pub(super) struct Query {
    pub sql: String,
    lead: String,
    /// The name by which a row is looked for.
    name: Option<String>,
    /// What is to be known beside the result.
    note: Option<String>,
}

impl Query {
    fn new(sql: String, lead: impl Into<String>) -> Self {
        Self { sql, lead: lead.into(), name: None, note: None }
    }

    pub(super) fn answer(&self, result: &Value) -> String {
        let single = result.get("result").is_some();
        let total = if single { 1 } else { result["total"].as_u64().unwrap_or(0) };
        let note = self.note.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
        match (self.lead.as_str(), total) {
            (_, 0) => self.name.as_ref().map_or("No rows match.".into(), |n| format!("I found no row whose name contains “{n}”.")),
            ("list", 1) => format!("One row matches.{note}"),
            ("list", n) => format!("{n} rows match.{note}"),
            ("Number of rows", 1) if single => match result["result"].as_str().unwrap_or("0") {
                "1" => format!("It is **1** row.{note}"),
                n => format!("There are **{n}** rows.{note}"),
            },
            (lead, 1) if single => format!("{lead}: **{}**", result["result"].as_str().filter(|f| !f.is_empty()).unwrap_or("nothing")),
            (lead, _) => lead.to_owned(),
        }
    }
}

/// Whether the sentence asks to see rows at all.
fn asks(reading: &Reading<'_>) -> bool {
    let verbs =
        ["which", "what", "show", "list", "find", "who", "give me", "display", "see", "get", "tell me", "when", "everything", "all"];
    words::any(&reading.text, &verbs)
        && (!reading.mentions.is_empty() || words::any(&reading.text, &["rows", "tasks", "items", "everything", "all"]))
}

/// What the sheet itself is like: its columns, the options of one, how many rows.
fn the_sheet(reading: &mut Reading<'_>) -> Option<Intent> {
    let schema = reading.schema;
    let lower = reading.text.to_lowercase();
    if words::any(&lower, &["columns", "fields", "headers"]) && words::any(&lower, &["list", "which", "what", "show", "name"]) {
        let titles: Vec<&str> = schema.columns.iter().map(|c| c.title.as_str()).collect();
        return Some(Intent::Say(format!("The columns are {}.", titles.join(", "))));
    }
    if words::any(&lower, &["options", "choices", "possible values"]) {
        let column = schema.column(&reading.text).filter(|c| !c.values.is_empty())?;
        return Some(Intent::Say(format!("{} has the values {}.", column.title, column.values.join(", "))));
    }
    let bare = lower.trim().trim_end_matches(['?', '.', '!']).trim().to_owned();
    let all =
        ["how many rows are there", "how many rows", "how many rows does the sheet have", "how many tasks are there", "how many tasks"];
    all.contains(&bare.as_str()).then(|| {
        let note = (schema.leaves < schema.rows).then(|| format!("{} of them have no rows below them.", schema.leaves));
        Intent::Query(Query { note, ..Query::new("SELECT count(*) AS rows FROM sheet".into(), "Number of rows") })
    })
}

/// “what does X wait for”: the rows before it.
fn waits_for(reading: &Reading<'_>) -> Option<Query> {
    let schema = reading.schema;
    let before = schema.columns.iter().find_map(|c| c.names.as_ref())?;
    let (_, behind) = words::around(&reading.text, &["what does", "what do", "what is"])?;
    let (name, _) = words::around(behind, &["wait for", "waiting for", "depend on", "blocked by"])?;
    let (primary, name) = (&schema.primary().sql, words::bare(name));
    let sql = format!("SELECT {primary}, {before} FROM sheet WHERE {primary} LIKE {}", words::quote(&name));
    Some(Query { name: Some(name), ..Query::new(sql, "It waits for these rows:") })
}

/// “what percent of X are Y”.
fn share(reading: &mut Reading<'_>) -> Option<Intent> {
    reading.take(&[
        "what percentage of",
        "what percent of",
        "which percentage of",
        "percentage of",
        "percent of",
        "what share of",
        "what fraction of",
    ])?;
    let schema = reading.schema;
    let Some((of, are)) = words::around(&reading.rest, &["are", "is", "have", "were"]) else {
        return Some(Intent::Say("Of which rows, and in which state? For example: “what percent of tasks are complete?”.".into()));
    };
    let (of, mut are) = (&mut Reading::new(of, schema), Reading::new(are, schema));
    let (whole, part) = (filters::read(of), filters::read(&mut are));
    if let Some(question) = whole.question.clone().or(part.question.clone()).or(of.refusal()).or(are.refusal()) {
        return Some(Intent::Say(question));
    }
    let wanted = part.sql()?;
    let filter = whole.sql().map(|c| format!(" WHERE {c}")).unwrap_or_default();
    let sql = format!("SELECT round(100.0 * sum(CASE WHEN {wanted} THEN 1 ELSE 0 END) / count(*), 1) AS percent FROM leaf{filter}");
    Some(Intent::Query(Query::new(sql, "Share of the rows, in percent")))
}

#[derive(Debug)]
struct Measure {
    sql: String,
    name: String,
    /// Whether rows are counted.
    counts: bool,
    /// Whether the values that were named are to stand side by side.
    compared: bool,
}

impl Measure {
    fn rows() -> Self {
        Self { sql: "count(*) AS rows".into(), name: "Number of rows".into(), counts: true, compared: false }
    }

    fn different(column: &Column) -> Self {
        let sql = format!("COUNT(DISTINCT {}) AS different", column.sql);
        Self { sql, name: format!("Different values of {}", column.title), counts: true, compared: false }
    }

    fn take(reading: &mut Reading<'_>, filter: &Filter, grouped: bool) -> Option<Self> {
        let schema = reading.schema;
        let numeric = reading.mentioned(usize::MAX, |c| c.numeric).or(schema.amount());
        let of = |function: &str, word: &str, column: &Column| Self {
            sql: format!("{function}({}) AS {word}_{}", column.sql, column.sql),
            name: format!("{} {}", capital(word), column.title),
            counts: false,
            compared: false,
        };
        let kinds: [(&[&str], &str, &str); 3] = [
            (&["average", "mean", "avg"], "avg", "average"),
            (&["median"], "median", "median"),
            (&["in total", "total", "sum up", "sum", "add up", "overall"], "sum", "total"),
        ];
        for (phrases, function, word) in kinds {
            if words::any(&reading.rest, phrases)
                && let Some(column) = numeric
            {
                while reading.take(phrases).is_some() {}
                return Some(of(function, word, column));
            }
        }
        if reading.take(&["how many", "number of", "count of", "count"]).is_some() {
            return Some(Self::rows());
        }
        let spoken = reading.mentioned(usize::MAX, |c| c.numeric);
        let compared = !filter.by_value.is_empty() && reading.take(&["compare", "versus", "vs"]).is_some();
        if words::any(&reading.text, &["how much"])
            || compared
            || grouped
            || (filter.family.is_some() && spoken.is_some_and(|c| !c.percent))
        {
            return spoken.map(|c| Self { compared, ..of("sum", "total", c) });
        }
        None
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The columns by which figures are to be split.
fn grouping<'a>(reading: &mut Reading<'a>) -> Vec<&'a Column> {
    let mut found: Vec<(usize, &Column)> = Vec::new();
    for phrase in [
        "grouped by",
        "group by",
        "broken down by",
        "split by",
        "for each",
        "in each",
        "does each",
        "per",
        "by each",
        "by",
        "and by",
        "each",
    ] {
        let Some((at, end)) = words::find(&reading.rest, phrase) else { continue };
        let saved = reading.rest.clone();
        match reading.take_column_at(end) {
            Some(column) if !column.numeric && !column.primary && !column.is_date() => {
                reading.blank((at, end));
                found.push((at, column));
            }
            _ => reading.rest = saved,
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, c)| c).collect()
}

/// By which column a list is to be sorted, and whether downwards.
fn sorting<'a>(reading: &mut Reading<'a>) -> Option<(&'a Column, bool)> {
    let (at, end) = ["sorted by", "sort by", "ordered by", "order by", "sort"].iter().find_map(|p| words::find(&reading.rest, p))?;
    let end = words::find(&reading.rest[end..], "by").filter(|_| !reading.rest[at..end].contains("by")).map_or(end, |(_, e)| end + e);
    let column = reading.take_column_at(end)?;
    let verb = ["sorted", "sort", "ordered", "order"].iter().filter_map(|p| words::find(&reading.rest, p)).min()?;
    reading.blank(verb);
    reading.take(&["ascending", "asc", "upwards", "first to last", "oldest first", "lowest first"]);
    let down = reading.take(&["descending", "desc", "downwards", "newest first", "latest first", "highest first"]).is_some();
    Some((column, down))
}

fn aggregate(measure: &Measure, groups: &[&Column], filter: &Filter, direction: &str) -> Query {
    let condition = filter.sql().map(|c| format!(" WHERE {c}")).unwrap_or_default();
    if groups.is_empty() {
        return Query::new(format!("SELECT {} FROM leaf{condition}", measure.sql), measure.name.clone());
    }
    let columns: Vec<&str> = groups.iter().map(|c| c.sql.as_str()).collect();
    let titles: Vec<&str> = groups.iter().map(|c| c.title.as_str()).collect();
    let by = columns.join(", ");
    let order = if groups.len() == 1 { format!("2 {direction}") } else { by.clone() };
    let sql = format!("SELECT {by}, {} FROM leaf{condition} GROUP BY {by} ORDER BY {order}", measure.sql);
    Query::new(sql, format!("{} by {}:", measure.name, titles.join(" and ")))
}

/// “the largest”, “top 3”, “cheapest 5”, “longest”.
struct Extreme {
    down: bool,
    length: bool,
    limit: u32,
}

impl Extreme {
    fn take(reading: &mut Reading<'_>) -> Option<Self> {
        let kinds: [(&[&str], bool, bool); 3] = [
            (&["longest", "shortest"], true, true),
            (&["highest", "largest", "biggest", "most expensive", "maximum", "max", "top", "latest"], true, false),
            (&["lowest", "smallest", "cheapest", "minimum", "min", "earliest", "bottom"], false, false),
        ];
        for (phrases, down, length) in kinds {
            let Some((at, end)) = phrases.iter().find_map(|p| words::find(&reading.rest, p)) else { continue };
            let word = reading.rest[at..end].to_lowercase();
            reading.blank((at, end));
            let usual = if matches!(word.as_str(), "top" | "bottom") { 5 } else { 1 };
            let before = reading.rest[..at].trim_end().rsplit(' ').next().and_then(|w| w.parse::<u32>().ok());
            let limit = if let Some(n) = before {
                let from = reading.rest[..at].trim_end().len() - n.to_string().len();
                reading.blank((from, from + n.to_string().len()));
                n
            } else {
                let next = reading.rest[end..].split_whitespace().next().and_then(|w| w.trim_end_matches(['?', '.']).parse::<u32>().ok());
                next.filter(|_| reading.take_number(end).is_some()).unwrap_or(usual)
            };
            return Some(Self { down: down && word != "shortest", length, limit: limit.clamp(1, 50) });
        }
        None
    }

    fn query(&self, reading: &Reading<'_>, filter: &Filter) -> Option<Query> {
        let schema = reading.schema;
        let (direction, first) = if self.down { ("DESC", "highest") } else { ("ASC", "lowest") };
        let also = filter.sql().map(|c| format!(" AND {c}")).unwrap_or_default();
        let (primary, limit) = (&schema.primary().sql, self.limit);
        if self.length {
            let start = schema.columns.iter().find(|c| c.is_date() && c.title.to_lowercase().starts_with("start"))?;
            let due = schema.due().filter(|d| d.sql != start.sql)?;
            let status = schema.status().map(|s| format!(", {}", s.sql)).unwrap_or_default();
            let days = format!("julianday({}) - julianday({})", due.sql, start.sql);
            let sql = format!(
                "SELECT {primary}, {0}, {1}{status}, {days} AS days FROM leaf WHERE {0} IS NOT NULL AND {1} IS NOT NULL{also} ORDER BY {days} {direction} LIMIT {limit}",
                start.sql, due.sql
            );
            return Some(Query::new(sql, format!("By days from {} to {}:", start.title, due.title)));
        }
        let ordered = |c: &Column| c.numeric || c.is_date();
        let column = reading.mentioned(usize::MAX, ordered).or_else(|| schema.amount())?;
        let sql = format!("SELECT {primary}, {0} FROM leaf WHERE {0} IS NOT NULL{also} ORDER BY {0} {direction} LIMIT {limit}", column.sql);
        Some(Query::new(sql, format!("By {}, {first} first:", column.title)))
    }
}

/// The name of one row: the words that are left over, where a name would stand.
fn row_name(reading: &mut Reading<'_>) -> Option<String> {
    if let Some(name) = words::quoted(&reading.rest) {
        let (at, end) = words::find(&reading.rest, &name)?;
        reading.blank((at, end));
        return Some(name);
    }
    let left = reading.left_over();
    let (first, last) = (left.first()?.0, left.last()?.1);
    let before = reading.text[..first].split_whitespace().next_back().unwrap_or_default().to_lowercase();
    // Blanks inside are words that were used for something else: then it is no name.
    let whole = reading.rest[first..last] == reading.text[first..last];
    let capital = reading.text[first..].starts_with(char::is_uppercase);
    if !whole || !(BEFORE_NAMES.contains(&before.as_str()) || (capital && first > 0)) || last - first > 80 {
        return None;
    }
    let name = reading.text[first..last].to_owned();
    reading.blank((first, last));
    Some(name)
}

fn list(reading: &Reading<'_>, filter: &Filter, order: Option<(&Column, bool)>, next: bool) -> Query {
    let schema = reading.schema;
    let mut columns = vec![schema.primary()];
    let usual = [schema.contact(), schema.status(), schema.due()];
    let spoken = reading.mentions.iter().map(|(_, c)| *c).chain(order.iter().map(|(c, _)| *c));
    for column in spoken.chain(usual.into_iter().flatten()) {
        if !columns.iter().any(|c| c.sql == column.sql) && columns.len() < 6 {
            columns.push(column);
        }
    }
    let names: Vec<&str> = columns.iter().map(|c| c.sql.as_str()).collect();
    let condition = filter.sql().map(|c| format!(" WHERE {c}")).unwrap_or_default();
    let order = match (order, schema.due()) {
        (Some((column, down)), _) => format!(" ORDER BY {}{}", column.sql, if down { " DESC" } else { "" }),
        (None, Some(due)) if next || words::any(&reading.text, &["overdue", "due", "late", "deadline"]) => format!(" ORDER BY {}", due.sql),
        _ => " ORDER BY row_number".into(),
    };
    Query::new(format!("SELECT {} FROM leaf{condition}{order}", names.join(", ")), "list")
}
