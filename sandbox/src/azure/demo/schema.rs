//! The sheet as the demo model knows it: what `describe_sheet` told it.

use super::words;
use jiff::civil::{Date, Weekday};
use serde_json::Value;

pub(super) struct Schema {
    pub columns: Vec<Column>,
    pub today: Date,
    /// The day on which weeks begin.
    pub week_start: Weekday,
    pub rows: u64,
    pub leaves: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub title: String,
    pub sql: String,
    pub kind: String,
    pub primary: bool,
    pub numeric: bool,
    pub percent: bool,
    /// Smartsheet works it out.
    pub computed: bool,
    /// Where the names of rows stand that it tells by number.
    pub names: Option<String>,
    pub values: Vec<String>,
}

impl Column {
    pub fn is_date(&self) -> bool {
        matches!(self.kind.as_str(), "DATE" | "DATETIME" | "ABSTRACT_DATETIME")
    }

    pub fn is_contact(&self) -> bool {
        self.kind.contains("CONTACT")
    }
}

impl Schema {
    pub fn read(described: &Value, today: &str, week_start: Weekday) -> Self {
        let texts = |v: &Value| -> Vec<String> {
            v.as_array().into_iter().flatten().filter_map(|x| x.as_str().or(x["value"].as_str()).map(str::to_owned)).collect()
        };
        let column = |c: &Value| {
            let mut values = texts(&c["options"]);
            for value in texts(&c["values"]) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            Column {
                title: c["title"].as_str().unwrap_or_default().to_owned(),
                sql: c["sql"].as_str().unwrap_or_default().to_owned(),
                kind: c["type"].as_str().unwrap_or_default().to_owned(),
                primary: c["primary"] == Value::Bool(true),
                numeric: c["numeric"] == Value::Bool(true),
                computed: c["read_only"].is_string() || c["computed"].is_string(),
                names: c["names_column"].as_str().map(str::to_owned),
                percent: c["percent"] == Value::Bool(true),
                values,
            }
        };
        let columns = described["columns"].as_array().into_iter().flatten().map(column).collect();
        let count = |key: &str| described[key].as_u64().unwrap_or_default();
        Self {
            columns,
            rows: count("rows"),
            leaves: count("leaf_rows"),
            week_start,
            today: today.parse().unwrap_or(jiff::civil::date(1970, 1, 1)),
        }
    }

    pub fn primary(&self) -> &Column {
        self.columns.iter().find(|c| c.primary).unwrap_or(&self.columns[0])
    }

    pub fn contact(&self) -> Option<&Column> {
        self.columns.iter().find(|c| c.is_contact())
    }

    /// The column of deadlines.
    pub fn due(&self) -> Option<&Column> {
        let late = ["due", "finish", "end", "deadline", "review", "close", "until"];
        let dates = || self.columns.iter().filter(|c| c.is_date());
        dates().find(|c| late.iter().any(|w| c.title.to_lowercase().contains(w))).or_else(|| dates().next_back())
    }

    /// The column by which a row is moved in time: its deadline, or its start where deadlines follow from starts.
    pub fn moved(&self) -> Option<&Column> {
        match self.due() {
            Some(due) if due.computed => self.columns.iter().find(|c| c.is_date() && !c.computed),
            due => due,
        }
    }

    /// The picklist that tells how far something is.
    pub fn status(&self) -> Option<&Column> {
        let known = ["status", "state", "stage", "recruitment"];
        self.columns.iter().find(|c| known.iter().any(|w| c.title.to_lowercase().contains(w)))
    }

    /// The column that words speak of: its title, its title's main word, or a usual synonym.
    pub fn column(&self, text: &str) -> Option<&Column> {
        self.mentioned(text).into_iter().next()
    }

    /// All columns that are spoken of, in the order in which they are.
    pub fn mentioned(&self, text: &str) -> Vec<&Column> {
        self.spans(text).into_iter().map(|(_, _, c)| c).collect()
    }

    /// The same with where in the text; the longer name wins where two overlap.
    pub fn spans(&self, text: &str) -> Vec<(usize, usize, &Column)> {
        let mut found: Vec<(usize, usize, &Column)> = Vec::new();
        for column in &self.columns {
            let spans = self.names(column).into_iter().filter_map(|n| words::find(text, &n));
            found.extend(spans.map(|(at, end)| (at, end, column)));
        }
        found.sort_by_key(|(at, end, _)| (*at, usize::MAX - *end));
        let mut covered = 0;
        let mut seen: Vec<&str> = Vec::new();
        found.retain(|(at, end, column)| {
            let new = *at >= covered && !seen.contains(&column.title.as_str());
            if new {
                covered = *end;
                seen.push(&column.title);
            }
            new
        });
        found
    }

    /// The column whose name a text begins with, and where that name ends.
    pub fn leading(&self, text: &str) -> Option<(usize, &Column)> {
        let names = self.columns.iter().flat_map(|c| self.names(c).into_iter().map(move |n| (n, c)));
        let at_once = names.filter_map(|(n, c)| words::find(text, &n).filter(|(at, _)| *at == 0).map(|(_, end)| (end, c)));
        at_once.max_by_key(|(end, _)| *end)
    }

    /// The only column of amounts, if there is just one.
    pub fn amount(&self) -> Option<&Column> {
        let mut all = self.columns.iter().filter(|c| c.numeric && !c.percent);
        all.next().filter(|_| all.next().is_none())
    }

    fn names(&self, column: &Column) -> Vec<String> {
        let title = column.title.to_lowercase();
        let mut names = vec![title.clone(), column.sql.replace('_', " ")];
        if !column.primary {
            names.push(format!("{title}s"));
        }
        let first_contact = self.contact().is_some_and(|c| c.title == column.title);
        if first_contact {
            names.extend(
                ["owner", "owners", "owns", "assignee", "assigned", "assigned to", "responsible", "who", "person", "people", "member"]
                    .map(str::to_owned),
            );
        }
        if self.due().is_some_and(|c| c.title == column.title) {
            names.extend(["due", "due date", "deadline", "finish", "end date"].map(str::to_owned));
        }
        if column.is_date() && title.starts_with("start") {
            names.extend(["starts", "starting", "start date", "begin", "begins"].map(str::to_owned));
        }
        if title.contains('%') || title.contains("complete") {
            names.extend(["progress", "percent complete", "percentage complete", "percent done", "completion"].map(str::to_owned));
        }
        if self.status().is_some_and(|c| c.title == column.title) {
            names.extend(["status", "state", "stage"].map(str::to_owned));
        }
        names
    }
}
