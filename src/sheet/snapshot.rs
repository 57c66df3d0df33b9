//! One version of one sheet as one identity sees it: typed columns, rows with their place in the
//! hierarchy, and a private in-memory database for queries.

use super::cell::{Cell, Style};
use super::groups::Loaded;
use super::names::sql_name;
use super::typed::{self, Typed, Values};
use super::work_days::WorkDays;
use crate::smartsheet::{Column, ColumnSpec, Contact, Hyperlink};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// A column of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct SnapshotColumn {
    /// Column id.
    pub id: i64,
    /// Title.
    pub title: String,
    /// Name in SQL.
    pub sql: String,
    /// Smartsheet's type.
    pub kind: String,
    /// Whether it is the primary column.
    pub primary: bool,
    /// Options of a picklist.
    pub options: Vec<String>,
    /// What its cells are in SQL.
    pub values: Values,
    /// Cells that hold a text where the column holds values of another type.
    pub strays: u32,
    /// Name in SQL of the texts among its values, where there are any.
    pub text_sql: Option<String>,
    /// Name in SQL of people's addresses.
    pub email_sql: Option<String>,
    /// Name in SQL of what the rows are called that a row waits for.
    pub names_sql: Option<String>,
    /// Name in SQL of the moments of which the column itself holds the day.
    pub moment_sql: Option<String>,
    /// Whether only its options may be chosen, and only values of its type be typed.
    pub validation: bool,
    /// People who may be chosen by name.
    pub contacts: Vec<Contact>,
    /// Its part in a project, such as `GANTT_END_DATE`.
    pub tags: Vec<String>,
    /// How its numbers look.
    pub style: Style,
    /// Symbols of a checkbox or picklist, such as `FLAG` or `RYG`.
    pub symbol: Option<String>,
    /// Whether people do not see it in Smartsheet.
    pub hidden: bool,
    /// Width in pixels, as people have set it.
    pub width: Option<u32>,
    /// Why it cannot be written; `None` when it can.
    pub read_only: Option<String>,
    /// How to make it anew.
    pub spec: ColumnSpec,
}

/// A row of a snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotRow {
    /// Row id.
    pub id: i64,
    /// The parent row.
    pub parent: Option<i64>,
    /// Position, from 1.
    pub number: u32,
    /// 0 for the outermost rows.
    pub level: u16,
    /// Whether it has children.
    pub is_parent: bool,
    /// Whether Smartsheet keeps whoever asks from changing it.
    pub locked: bool,
    /// One cell per column.
    pub cells: Box<[Cell]>,
    /// What makes the value of a cell, by the position of its column, where nobody types it.
    pub makers: Box<[(u16, Maker)]>,
}

/// What makes the value of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Maker {
    /// A formula.
    Formula(Arc<str>),
    /// A link to a cell of another sheet.
    Link,
}

impl SnapshotRow {
    /// What makes the value in the column at this position; `None` where somebody typed it.
    pub fn maker(&self, position: usize) -> Option<&Maker> {
        self.makers.iter().find(|(at, _)| usize::from(*at) == position).map(|(_, maker)| maker)
    }
}

/// One version of a sheet.
pub struct Snapshot {
    /// Sheet id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Version.
    pub version: i64,
    /// What the identity may do.
    pub access_level: String,
    /// Link for people.
    pub permalink: String,
    /// When it was read.
    pub read_at: Timestamp,
    /// The time zone in which moments of the sheet have their days.
    pub zone: TimeZone,
    /// When it is worked on, where it is a project: dates carry times, ends and parents are computed.
    pub project: Option<WorkDays>,
    /// Columns, left to right.
    pub columns: Vec<SnapshotColumn>,
    /// Rows, top to bottom.
    pub rows: Vec<SnapshotRow>,
    /// Links that stand in cells.
    pub links: HashSet<String>,
    /// Targets of cells whose text is not the link itself, by row and position of the column.
    pub hyperlinks: HashMap<i64, Vec<(u16, Arc<Hyperlink>)>>,
    /// About how much memory it takes.
    pub size_bytes: usize,
    pub(super) by_id: HashMap<i64, u32>,
    /// Made by the first query: who only reads or compares rows does without.
    pub(super) database: Mutex<Option<Loaded>>,
}

impl SnapshotColumn {
    /// Whether its cells are people.
    pub fn is_contact(&self) -> bool {
        self.kind == "CONTACT_LIST" || self.kind == "MULTI_CONTACT_LIST"
    }

    /// Whether its cells are days.
    pub fn is_date(&self) -> bool {
        matches!(self.values, Values::Day | Values::Moment)
    }

    /// Whether its cells are numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(self.values, Values::Number | Values::Duration)
    }

    /// A cell of it as its type sees it.
    pub fn typed<'a>(&self, cell: &'a Cell, zone: &TimeZone) -> Typed<'a> {
        self.values.read(&self.kind, cell, zone)
    }

    /// The day that a cell of this column holds, where it holds one.
    pub fn day(&self, cell: &Cell, zone: &TimeZone) -> Option<Date> {
        match self.typed(cell, zone) {
            Typed::Day(day) => Some(day),
            Typed::Moment(at) => Some(at.date()),
            _ => None,
        }
    }

    pub(super) fn reason_read_only(column: &Column) -> Option<String> {
        if let Some(system) = &column.system_column_type {
            return Some(format!("Smartsheet fills this column itself ({system})"));
        }
        if column.formula.is_some() {
            return Some("a column formula fills it".into());
        }
        if column.locked_for_user.unwrap_or(column.locked) {
            return Some("the column is locked".into());
        }
        if column.tags.iter().any(|tag| tag == "GANTT_END_DATE") && column.kind == "ABSTRACT_DATETIME" {
            return Some("Smartsheet computes it from start and duration in this project sheet: change the duration or the start".into());
        }
        (column.kind == "DATETIME").then(|| "Smartsheet fills this column itself".to_owned())
    }

    /// Whether it holds the ends of a project's tasks, which Smartsheet computes.
    pub fn is_project_end(&self) -> bool {
        self.kind == "ABSTRACT_DATETIME" && self.tags.iter().any(|tag| tag == "GANTT_END_DATE")
    }

    /// Whether Smartsheet computes it for rows with children in a project sheet.
    pub fn rolls_up(&self) -> bool {
        let rolled = ["GANTT_START_DATE", "GANTT_END_DATE", "GANTT_DURATION", "GANTT_PERCENT_COMPLETE"];
        self.tags.iter().any(|tag| rolled.contains(&tag.as_str()))
    }
}

impl Snapshot {
    /// The row with this id.
    pub fn row(&self, id: i64) -> Option<&SnapshotRow> {
        self.by_id.get(&id).and_then(|i| self.rows.get(*i as usize))
    }

    /// The column that a title or SQL name means, ignoring case.
    pub fn column(&self, name: &str) -> Option<(usize, &SnapshotColumn)> {
        let lower = typed::normal(name.trim()).to_lowercase();
        let all = || self.columns.iter().enumerate();
        let alike = |title: &str| typed::normal(title.trim()).to_lowercase() == lower;
        let plain = sql_name(&lower);
        all()
            .find(|(_, c)| c.title == name)
            .or_else(|| all().find(|(_, c)| alike(&c.title) || c.sql == lower))
            .or_else(|| all().find(|(_, c)| c.sql == plain))
    }

    /// The position of the column with this id.
    pub fn column_by_id(&self, id: i64) -> Option<(usize, &SnapshotColumn)> {
        self.columns.iter().enumerate().find(|(_, c)| c.id == id)
    }

    /// The primary column.
    pub fn primary(&self) -> Option<(usize, &SnapshotColumn)> {
        self.columns.iter().enumerate().find(|(_, c)| c.primary)
    }

    /// What a row is called: its primary cell, or its number.
    pub fn label(&self, row: &SnapshotRow) -> String {
        let primary = self.primary().map(|(i, c)| row.cells[i].shown(&c.style)).filter(|l| !l.is_empty());
        primary.unwrap_or_else(|| format!("row {}", row.number))
    }

    /// The link to a row, for people.
    pub fn row_link(&self, row: i64) -> Option<url::Url> {
        let mut url = url::Url::parse(&self.permalink).ok()?;
        url.query_pairs_mut().append_pair("rowId", &row.to_string());
        Some(url)
    }

    /// Whether the identity may change cells.
    pub fn writable(&self) -> bool {
        !matches!(self.access_level.as_str(), "VIEWER" | "COMMENTER")
    }

    /// Whether the identity may comment on rows.
    pub fn commentable(&self) -> bool {
        self.access_level != "VIEWER"
    }

    /// Whether the identity may make, change and delete columns.
    pub fn shapeable(&self) -> bool {
        matches!(self.access_level.as_str(), "OWNER" | "ADMIN")
    }

    /// Everybody who stands in a contact column, alone or with others, or on the list of one: address and name, without doubles.
    pub fn people(&self) -> Vec<(String, String)> {
        let mut seen = HashSet::new();
        let mut people = Vec::new();
        let mut add = |email: &str, name: &str| {
            if email.contains('@') && seen.insert(email.to_lowercase()) {
                people.push((email.to_owned(), if name.is_empty() { email.to_owned() } else { name.to_owned() }));
            }
        };
        let contacts: Vec<usize> = (0..self.columns.len()).filter(|i| self.columns[*i].is_contact()).collect();
        for row in &self.rows {
            for i in &contacts {
                match &row.cells[*i] {
                    Cell::Named(named) => add(&named.0, &named.1),
                    Cell::Several(several) => {
                        for one in several.1["values"].as_array().into_iter().flatten() {
                            add(one["email"].as_str().unwrap_or_default(), one["name"].as_str().unwrap_or_default());
                        }
                    }
                    _ => {}
                }
            }
        }
        for contact in self.columns.iter().flat_map(|c| &c.contacts) {
            add(contact.email.as_deref().unwrap_or_default(), contact.name.as_deref().unwrap_or_default());
        }
        people
    }

    /// Ids of all rows below a row, top to bottom.
    pub fn descendants(&self, id: i64) -> Vec<i64> {
        let Some(start) = self.by_id.get(&id).map(|i| *i as usize) else { return Vec::new() };
        let level = self.rows[start].level;
        self.rows[start + 1..].iter().take_while(|r| r.level > level).map(|r| r.id).collect()
    }
}
