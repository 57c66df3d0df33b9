//! Whether an answer says only what the turn has found: its figures, its people, its “none”, its “I have set”.
//!
//! What models write is held against what they were given: results of functions, the sheet's outline, and people's own words.
//! A figure may be rounded, in per cent, or how many rows of a whole result share a value. What the model worked out by itself is not
//! grounded, and neither are its own words and queries.

use super::figures::{Day, Figure, Told, all, told};
use super::people;
use super::turn::Gathered;
use super::words::claims;
use jiff::civil::Date;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

/// Days between dates are looked at for this many dates.
const DATES: usize = 300;
/// How far a figure may be off that is said to be rough.
const ROUGH: f64 = 0.03;

/// What is doubtful about an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Figures and days, as they are written, that stand nowhere.
    Figures(Vec<String>),
    /// People whom nothing has found.
    People(Vec<String>),
    /// It says that there is nothing, and the query has found so many.
    Found(u64),
    /// It says that something was done, and nothing was.
    NotDone,
    /// A call stands in its words, where nothing is carried out.
    CallInWords,
}

/// What the question of a doubt begins with.
const CHECK: &str = "[check]";
/// What stands behind an earlier answer that was doubted.
const DOUBTED: &str = "[doubted: ";

impl Doubt {
    /// What the model is told, so that it writes its answer anew.
    pub fn to_model(&self) -> String {
        let about = match self {
            Self::Figures(figures) => format!(
                "These figures of your answer stand in no result: {}. Let query_sheet compute them, or leave them out.",
                figures.join(", ")
            ),
            Self::People(people) => format!(
                "Your answer names people who stand in no result: {}. Tell what the results say, or query again.",
                people.join(", ")
            ),
            Self::Found(count) => format!("Your answer says that there is nothing, but the last query has found {count}."),
            Self::NotDone => {
                "Nothing was changed: your answer says that something was. Propose it by a function, or say what you found.".to_owned()
            }
            Self::CallInWords => {
                "A call stands in the words of your answer, where it does nothing. Call the function itself, or do without.".to_owned()
            }
        };
        format!("{CHECK} {about} Write the whole answer again, without a word about this check.")
    }

    /// What people are told when the model insists.
    pub fn to_people(&self) -> String {
        match self {
            Self::Figures(figures) => format!("⚠️ Not found in the sheet: {}.", figures.join(", ")),
            Self::People(people) => format!("⚠️ Not in what was found: {}.", people.join(", ")),
            Self::Found(1) => "⚠️ The query has found 1 result.".into(),
            Self::Found(count) => format!("⚠️ The query has found {count} results."),
            Self::NotDone => "⚠️ Nothing was changed.".into(),
            Self::CallInWords => {
                "⚠️ Something was to be done for this answer, and could not be read: please ask again in other words.".into()
            }
        }
    }

    /// Its kind, for logs, where nothing of a sheet stands.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Figures(_) => "figures",
            Self::People(_) => "people",
            Self::Found(_) => "found",
            Self::NotDone => "not done",
            Self::CallInWords => "call in words",
        }
    }

    /// What stands behind the answer in the conversation, so that it bears out nothing later.
    pub fn for_history(&self) -> String {
        format!("\n{DOUBTED}{}]", self.to_people())
    }
}

/// Whether a message asks the model to write its answer anew.
pub(super) fn is_check(message: &Value) -> bool {
    message["role"] == "user" && message["content"].as_str().is_some_and(|words| words.starts_with(CHECK))
}

/// What is doubtful about an answer, given all that the model has read.
pub(super) fn doubts(answer: &str, messages: &[Value], gathered: &Gathered, today: Date) -> Vec<Doubt> {
    let (grounds, said) = (Grounds::of(messages, gathered, today), told(answer));
    let mut unfounded: Vec<String> = said.figures.iter().filter(|f| !grounds.hold(f)).map(|f| f.text.clone()).collect();
    unfounded.extend(said.days.iter().filter(|day| !grounds.hold_day(day)).map(|day| day.text.clone()));
    let unfounded: Vec<String> =
        unfounded.iter().enumerate().filter(|(i, f)| !unfounded[..*i].contains(f)).map(|(_, f)| f.clone()).collect();
    let mut doubts = Vec::new();
    if !unfounded.is_empty() {
        doubts.push(Doubt::Figures(unfounded));
    }
    let strangers = people::found_nowhere(answer, messages, gathered);
    if !strangers.is_empty() {
        doubts.push(Doubt::People(strangers));
    }
    let some = said.figures.iter().any(|f| f.readings.iter().any(|r| r.value > 0.0));
    doubts.extend(gathered.last_found().filter(|count| *count > 0 && !some && claims::none(answer)).map(Doubt::Found));
    if claims::done(answer) && (gathered.made.is_some() || !tells_outcomes(messages)) {
        doubts.push(Doubt::NotDone);
    }
    doubts
}

/// Whether the conversation tells of changes that were carried out: then the model may speak of them.
fn tells_outcomes(messages: &[Value]) -> bool {
    let outcome = |m: &Value| m["content"].as_str().is_some_and(|words| words.starts_with("✅ Done") || words.starts_with("↩️ Taken back"));
    messages.iter().any(|m| m["role"] == "assistant" && outcome(m))
}

/// A figure that an answer may tell.
#[derive(Clone, Copy, Debug)]
struct Ground {
    value: f64,
    percent: bool,
    /// Whether it is a value of a result, not a count or a word of somebody.
    of_result: bool,
}

/// All that an answer may tell.
struct Grounds {
    values: Vec<Ground>,
    dates: BTreeSet<Date>,
    today: Date,
}

impl Grounds {
    fn of(messages: &[Value], gathered: &Gathered, today: Date) -> Self {
        let mut grounds = Self { values: Vec::new(), dates: BTreeSet::from([today]), today };
        for (i, message) in messages.iter().enumerate() {
            // Words of this turn that come with calls, or were doubted, were written before anything was known.
            let doubted = is_check(message) || messages.get(i + 1).is_some_and(is_check);
            let own = message["role"] == "assistant" && message["tool_calls"].is_array();
            let Some(text) = message["content"].as_str().filter(|_| !own && !doubted) else { continue };
            match message["role"].as_str() {
                Some("tool") => grounds.take_result(text),
                Some("assistant") => grounds.take(&all(&borne_out(text)), false),
                // Which version of the sheet it is says nothing of its rows.
                Some("system") => grounds.take(&all(&without_version(text)), false),
                _ => grounds.take(&all(text), false),
            }
        }
        // People see what was asked.
        for filter in gathered.shown.iter().filter_map(|shown| shown.checked.filter.as_deref()) {
            grounds.take(&all(filter), false);
        }
        grounds
    }

    fn take(&mut self, told: &Told, of_result: bool) {
        for figure in &told.figures {
            let grounds = figure.readings.iter().map(|r| Ground { value: r.value, percent: figure.percent, of_result });
            self.values.extend(grounds);
        }
        for day in told.days.iter().take(DATES) {
            self.dates.extend(day.readings.iter().filter_map(|(year, m, d)| Date::new((*year)?, *m, *d).ok()));
        }
    }

    /// Takes the values of a result, but not the ids of rows, and how many of them there are.
    fn take_result(&mut self, text: &str) {
        let Ok(result) = serde_json::from_str::<Value>(text) else { return self.take(&all(text), true) };
        self.counts(&result);
        self.walk(&result);
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                let ids: Vec<usize> = fields.get("columns").map(columns_of_ids).unwrap_or_default();
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        ("row_id" | "parent_id" | "id" | "shown" | "columns", _) => {}
                        ("total", Value::Number(n)) => self.count(n.as_f64().unwrap_or_default()),
                        ("rows", Value::Array(rows)) => {
                            for row in rows {
                                let cells = row.as_array().into_iter().flatten().enumerate().filter(|(at, _)| !ids.contains(at));
                                cells.for_each(|(_, cell)| self.walk(cell));
                                if row.is_object() {
                                    self.walk(row);
                                }
                            }
                        }
                        _ => self.walk(value),
                    }
                }
            }
            Value::Array(all) => all.iter().for_each(|value| self.walk(value)),
            Value::Number(n) => self.values.extend(n.as_f64().map(|value| Ground { value, percent: false, of_result: true })),
            Value::String(text) => self.take(&all(text), true),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn count(&mut self, value: f64) {
        self.values.push(Ground { value, percent: false, of_result: false });
    }

    /// How many rows of a whole result there are, how many share a value in a column, and how many values there are.
    fn counts(&mut self, result: &Value) {
        let Some(rows) = result["rows"].as_array().filter(|_| result["truncated"] != true) else { return };
        let rows: Vec<&Vec<Value>> = rows.iter().filter_map(Value::as_array).collect();
        self.count(rows.len() as f64);
        let ids = columns_of_ids(&result["columns"]);
        for column in (0..rows.first().map_or(0, |row| row.len())).filter(|at| !ids.contains(at)) {
            let mut seen: HashMap<String, u32> = HashMap::new();
            rows.iter().filter_map(|row| row.get(column)).for_each(|value| *seen.entry(value.to_string()).or_default() += 1);
            self.count(seen.len() as f64);
            seen.values().for_each(|n| self.count(f64::from(*n)));
        }
    }

    /// Whether a figure is grounded.
    fn hold(&self, figure: &Figure) -> bool {
        figure.readings.iter().any(|reading| {
            let whole = reading.value.fract() == 0.0 && reading.tolerance <= 0.51;
            let near = |value: f64, tolerance: f64| (value.abs() - reading.value).abs() <= tolerance;
            let within = |value: f64| {
                let rounded = near(value, if whole && value.fract() == 0.0 { 1e-9 } else { reading.tolerance });
                // Nothing is rounded to nothing.
                (rounded && (reading.value != 0.0 || value == 0.0))
                    || (figure.rough && reading.value > 0.0 && near(value, ROUGH * reading.value))
            };
            let told = |ground: &Ground| match (figure.percent, ground.percent) {
                (true, false) => {
                    // 0.56 is 56 %; 56 is only where a result says so.
                    let share =
                        ground.of_result && ground.value.abs() <= 10.0 && (ground.value.fract() != 0.0 || ground.value.abs() <= 1.0);
                    ground.of_result && within(ground.value) || share && within((ground.value * 1e9).round() / 1e7)
                }
                (false, true) => within(ground.value) || !whole && within(ground.value / 100.0),
                _ => within(ground.value),
            };
            self.values.iter().any(told) || self.is_year(figure, reading.value) || self.spans(figure, reading.value)
        }) || self.holds_in_parts(figure)
    }

    /// “Phase 3 120”: what looks like one figure may be two.
    fn holds_in_parts(&self, figure: &Figure) -> bool {
        let parts: Vec<&str> = figure.text.split(' ').collect();
        let digits = figure.text.chars().all(|c| c.is_ascii_digit() || c == ' ');
        digits && parts.len() > 1 && parts.iter().all(|part| told(part).figures.iter().all(|f| f.text != figure.text && self.hold(f)))
    }

    fn is_year(&self, figure: &Figure, value: f64) -> bool {
        figure.text.len() == 4 && self.dates.iter().any(|date| f64::from(date.year()) == value)
    }

    /// Whether a day is one of those that were told.
    fn hold_day(&self, day: &Day) -> bool {
        let same = |date: &Date, (year, m, d): &(Option<i16>, i8, i8)| {
            date.month() == *m && date.day() == *d && year.is_none_or(|year| date.year() == year)
        };
        day.readings.iter().any(|reading| self.dates.iter().any(|date| same(date, reading)))
    }

    /// Whether it counts the days, weeks or months between today and a day of the results.
    fn spans(&self, figure: &Figure, value: f64) -> bool {
        let begins = |words: &[&str]| words.iter().any(|w| figure.unit.starts_with(w));
        let length = if begins(&["day", "tag", "werktag", "arbeitstag", "kalendertag", "jour", "día", "dia", "giorn", "dag"]) {
            1.0
        } else if begins(&["week", "woche", "semaine", "semana", "settiman"]) {
            7.0
        } else if begins(&["month", "monat", "mois", "mes"]) {
            30.4
        } else {
            return false;
        };
        let days = self.dates.iter().filter(|date| **date != self.today).filter_map(|date| date.since(self.today).ok());
        let mut days = days.map(|span| f64::from(span.get_days()).abs());
        days.any(|days| (days / length - value).abs() <= if length > 1.0 { 0.6 } else { 0.0 })
    }
}

/// Where rows of a result have ids.
fn columns_of_ids(columns: &Value) -> Vec<usize> {
    let names = columns.as_array().into_iter().flatten().enumerate();
    names.filter(|(_, name)| ["row_id", "parent_id"].iter().any(|id| name == id)).map(|(at, _)| at).collect()
}

/// What an earlier answer bears out: its words unless they were doubted, and what its queries have found, not what they asked.
pub(super) fn borne_out(text: &str) -> String {
    let doubted = text.contains(DOUBTED);
    let line = |line: &str| {
        if line.starts_with("[query of") {
            return line.rsplit_once("->").map(|(_, found)| found.to_owned());
        }
        (!doubted || line.starts_with("[proposed")).then(|| line.to_owned())
    };
    text.lines().filter(|l| !l.starts_with(DOUBTED)).filter_map(line).collect::<Vec<_>>().join("\n")
}

fn without_version(text: &str) -> String {
    match text.split_once(", version ") {
        Some((before, after)) => format!("{before},{}", after.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TODAY: Date = jiff::civil::date(2026, 11, 29);

    /// The figures of an answer that stand nowhere, after a turn with these results.
    fn unfounded(answer: &str, results: &[Value]) -> String {
        let mut messages = vec![
            json!({ "role": "system", "content": "Today is 2026-11-29. The sheet is \"Plan\", version 12: table leaf has 34 rows, table sheet 42." }),
            json!({ "role": "user", "content": "what about the tasks above 7,500?" }),
        ];
        messages.extend(results.iter().map(|result| json!({ "role": "tool", "content": result.to_string() })));
        match doubts(answer, &messages, &Gathered::default(), TODAY).into_iter().next() {
            Some(Doubt::Figures(figures)) => figures.join(", "),
            other => format!("{other:?}").replace("None", ""),
        }
    }

    #[test]
    fn what_was_found_may_be_told_in_every_way() {
        let one =
            [json!({ "result": "$19,237.04", "exact": 19237.04 }), json!({ "result": "56%", "exact": 0.56 }), json!({ "result": "2" })];
        for answer in [
            "It is $19,237.04.",
            "It is 19,237.",
            "Es sind 19.237,04 €.",
            "About 19,000.",
            "It is 19.2k.",
            "56 % are done",
            "Done: 56 percent",
            "0.56 of it",
            "There are **2** of 42, above 7,500.",
            "In 2026 there are 2.",
            "2 tasks, as of 29 November.",
            "“Phase 3” has 2",
            "1. First\n2. Second",
        ] {
            let seen = unfounded(answer, &one);
            let phase = answer.contains("Phase");
            assert_eq!(seen, if phase { "3" } else { "" }, "{answer}");
        }
        assert_eq!(unfounded("It is 280.9 thousand.", &[json!({ "result": "280.9" })]), "");
        assert_eq!(unfounded("It is 2 million.", &[json!({ "result": "2" })]), "2 million");
        let rows = json!({ "columns": ["row_id", "task_name", "owner", "due_date"], "total": 3, "truncated": false, "rows": [
            ["1133718580784832", "Phase 3: Build", "Ana", "2026-11-12"], ["2", "Test", "Ana", "2026-12-06"], ["3", "Go", "Ben", null]] });
        for answer in [
            "Phase 3 is 17 days late.",
            "2 of them are Ana's, 1 is Ben's",
            "due on 12.11.2026 and Dec 6",
            "a week from now",
            "12 November; 3 tasks; 2 owners",
            "in 1 week",
        ] {
            assert_eq!(unfounded(answer, std::slice::from_ref(&rows)), "", "{answer}");
        }
    }

    #[test]
    fn what_was_not_found_is_named() {
        let one = [
            json!({ "result": "5" }),
            json!({ "result": "$19,237.04", "exact": 19237.04 }),
            json!({ "columns": ["n"], "total": 400, "shown": 50, "truncated": true, "rows": [["4"], ["4"]] }),
        ];
        assert_eq!(unfounded("There are 17 worth $1,234,567.", &one), "17, 1,234,567");
        assert_eq!(unfounded("11 are overdue, 29 blocked, 12 open", &one), "11, 29, 12", "parts of days and the version bear out nothing");
        assert_eq!(unfounded("50 tasks, 2 of them", &one), "50, 2", "what is shown is not what there is");
        assert_eq!(unfounded("It is 19,000.", &one), "19,000", "it is not said to be rough");
        assert_eq!(unfounded("0 tasks, 5 %? 100%", &[json!({ "result": "96%", "exact": 0.96 })]), "0, 5 %, 100%");
        assert_eq!(unfounded("due on 2026-12-24 or Dec 6", &one), "2026-12-24, Dec 6");
    }

    #[test]
    fn an_earlier_answer_bears_out_what_was_not_doubted() {
        let doubted = format!(
            "There are 17.{}\n[query of Plan: SELECT n FROM leaf LIMIT 25 -> 5 rows]",
            Doubt::Figures(vec!["17".into()]).for_history()
        );
        assert_eq!(borne_out(&doubted), " 5 rows]");
        assert_eq!(borne_out("There are 5.\n[query of Plan: SELECT 25 -> 5 rows]"), "There are 5.\n 5 rows]");
    }
}
