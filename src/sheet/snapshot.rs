//! One version of one sheet as one identity sees it: typed columns, rows with their place in the
//! hierarchy, and a private in-memory database for queries.

use super::value::{Cell, Style};
use crate::smartsheet::{Column, ColumnSpec};
use jiff::Timestamp;
use rusqlite::Connection;
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
    /// Whether most of its filled cells are numbers.
    pub numeric: bool,
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
    /// Whether Smartsheet lets nobody but owners change it.
    pub locked: bool,
    /// One cell per column.
    pub cells: Box<[Cell]>,
    /// Columns (by position) whose cell in this row is made by a formula.
    pub formulas: Box<[u16]>,
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
    /// Columns, left to right.
    pub columns: Vec<SnapshotColumn>,
    /// Rows, top to bottom.
    pub rows: Vec<SnapshotRow>,
    /// Links that stand in cells.
    pub links: HashSet<String>,
    /// Targets of cells whose text is not the link itself, by row and position of the column.
    pub hyperlinks: HashMap<i64, Vec<(u16, Arc<str>)>>,
    /// About how much memory it takes.
    pub size_bytes: usize,
    pub(super) by_id: HashMap<i64, u32>,
    /// Made by the first query: who only reads or compares rows does without.
    pub(super) database: Mutex<Option<Connection>>,
}

impl SnapshotColumn {
    /// Whether its cells are people.
    pub fn is_contact(&self) -> bool {
        self.kind == "CONTACT_LIST" || self.kind == "MULTI_CONTACT_LIST"
    }

    /// Whether its cells are days.
    pub fn is_date(&self) -> bool {
        matches!(self.kind.as_str(), "DATE" | "DATETIME" | "ABSTRACT_DATETIME")
    }

    pub(super) fn reason_read_only(column: &Column) -> Option<String> {
        if let Some(system) = &column.system_column_type {
            return Some(format!("Smartsheet fills this column itself ({system})"));
        }
        if column.formula.is_some() {
            return Some("a column formula fills it".into());
        }
        if column.locked {
            return Some("the column is locked".into());
        }
        matches!(column.kind.as_str(), "DATETIME" | "PREDECESSOR" | "DURATION")
            .then(|| format!("columns of type {} are set by Smartsheet's project settings", column.kind))
    }
}

impl Snapshot {
    /// The row with this id.
    pub fn row(&self, id: i64) -> Option<&SnapshotRow> {
        self.by_id.get(&id).and_then(|i| self.rows.get(*i as usize))
    }

    /// The column that a title or SQL name means, ignoring case.
    pub fn column(&self, name: &str) -> Option<(usize, &SnapshotColumn)> {
        let lower = name.trim().to_lowercase();
        let all = || self.columns.iter().enumerate();
        all().find(|(_, c)| c.title == name).or_else(|| all().find(|(_, c)| c.title.to_lowercase() == lower || c.sql == lower))
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

    /// Whether the identity may make, change and delete columns.
    pub fn shapeable(&self) -> bool {
        matches!(self.access_level.as_str(), "OWNER" | "ADMIN")
    }

    /// Everybody who stands in a contact column: address and name, without doubles.
    pub fn people(&self) -> Vec<(String, String)> {
        let mut seen = HashSet::new();
        let mut people = Vec::new();
        let contacts: Vec<usize> = (0..self.columns.len()).filter(|i| self.columns[*i].is_contact()).collect();
        for row in &self.rows {
            for i in &contacts {
                if let Cell::Named(named) = &row.cells[*i]
                    && seen.insert(named.0.clone())
                {
                    people.push((named.0.clone(), named.1.clone()));
                }
            }
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
