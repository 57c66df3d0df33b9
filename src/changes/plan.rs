//! What a write does, with the old values: kept in proposals and in the journal.

use crate::sheet::{Cell, Maker, Snapshot, SnapshotRow};
use crate::smartsheet::{ColumnSpec, Hyperlink};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// A write. Ids are numbers here: only this program reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "details", rename_all = "snake_case")]
pub enum Plan {
    /// Cells of rows that exist.
    Update {
        /// The rows, top to bottom.
        rows: Vec<RowEdit>,
    },
    /// New rows.
    Add {
        /// Where they go.
        location: Location,
        /// The rows, in order.
        rows: Vec<NewRowPlan>,
    },
    /// Rows that go, their children included.
    Delete {
        /// The rows, top to bottom.
        rows: Vec<DeletedRow>,
    },
    /// Deleted rows that come back, with new ids.
    Restore {
        /// The rows, top to bottom.
        rows: Vec<DeletedRow>,
    },
    /// A new column.
    AddColumn {
        /// What it is like.
        spec: ColumnSpec,
    },
    /// A column that changes its title, type or options.
    UpdateColumn {
        /// The column.
        column_id: i64,
        /// What it is like now.
        before: Box<ColumnSpec>,
        /// What it will be like.
        after: Box<ColumnSpec>,
    },
    /// A column that goes, with its cells.
    DeleteColumn {
        /// The column.
        column_id: i64,
        /// What it is like.
        spec: ColumnSpec,
        /// Its cells that are not empty.
        cells: Vec<(i64, Value)>,
        /// What some of them hold beside their values, by row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<(i64, Beside)>,
    },
    /// A deleted column that comes back, with a new id.
    RestoreColumn {
        /// What it was like.
        spec: ColumnSpec,
        /// Its cells.
        cells: Vec<(i64, Value)>,
        /// What some of them held beside their values, by row.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<(i64, Beside)>,
    },
    /// A comment on a row.
    Comment {
        /// The row.
        row_id: i64,
        /// What the row is called.
        label: String,
        /// The words.
        text: String,
    },
    /// Work of the model on rows, which a job carries out.
    Job {
        /// What is done, such as “summarize Protocol into AI Summary”.
        what: String,
        /// On how many rows.
        rows: usize,
        /// The results of the first rows.
        samples: Vec<Sample>,
        /// What it may take.
        estimate: String,
    },
    /// A comment of ours that goes.
    DeleteComment {
        /// The comment.
        comment_id: i64,
        /// What the row is called.
        label: String,
    },
}

/// The result of a row that a job would work on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The row.
    pub row_id: i64,
    /// What it is called.
    pub label: String,
    /// The result, or why there is none.
    pub shown: String,
}

/// Cells of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowEdit {
    /// The row.
    pub row_id: i64,
    /// What it is called.
    pub label: String,
    /// Its cells.
    pub cells: Vec<CellEdit>,
}

/// One cell, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellEdit {
    /// The column.
    pub column_id: i64,
    /// Its title.
    pub title: String,
    /// The old value.
    pub before: Value,
    /// The new value.
    pub after: Value,
    /// The old value as people see it.
    pub before_shown: String,
    /// The new value as people see it.
    pub after_shown: String,
    /// What the cell holds beside the old value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_beside: Option<Box<Beside>>,
    /// What it will hold beside the new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_beside: Option<Box<Beside>>,
}

/// What a cell holds beside its value, and what comes back with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// The formula that makes the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Where it links to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hyperlink: Option<Hyperlink>,
    /// The name under which a contact is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Beside {
    /// What a cell of a snapshot holds beside its value.
    pub fn of(snapshot: &Snapshot, row: &SnapshotRow, position: usize) -> Option<Box<Self>> {
        let formula = match row.maker(position) {
            Some(Maker::Formula(formula)) => Some(formula.to_string()),
            Some(Maker::Link) | None => None,
        };
        let links = snapshot.hyperlinks.get(&row.id).into_iter().flatten();
        let hyperlink = links.clone().find(|(at, _)| usize::from(*at) == position).map(|(_, link)| (**link).clone());
        let name = match &row.cells[position] {
            Cell::Named(named) if snapshot.columns[position].is_contact() => Some(named.1.clone()),
            _ => None,
        };
        let beside = Self { formula, hyperlink, name };
        (beside != Self::default()).then(|| Box::new(beside))
    }
}

/// Where new rows go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Under this row.
    pub parent: Option<i64>,
    /// What that row is called.
    pub parent_label: Option<String>,
    /// Behind this row, on its level.
    pub after: Option<i64>,
    /// As the first instead of the last.
    pub top: bool,
}

/// A new row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRowPlan {
    /// What it is called.
    pub label: String,
    /// Its cells; their old values are empty.
    pub cells: Vec<CellEdit>,
}

/// A row that goes or comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeletedRow {
    /// The row.
    pub row_id: i64,
    /// What it is called.
    pub label: String,
    /// Its parent.
    pub parent: Option<i64>,
    /// The row above it on the same level.
    pub above: Option<i64>,
    /// Its cells: the old values stand in `before`.
    pub cells: Vec<CellEdit>,
    /// Whether it goes only because its parent does.
    pub as_child: bool,
}

impl Plan {
    /// Reads a plan that was kept. Large ones are read as they stand, without a tree in between.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn read(kept: &RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(kept.get())
    }

    /// The plan as it is kept.
    ///
    /// # Errors
    /// Never with these types.
    pub fn kept(&self) -> Result<Box<RawValue>, serde_json::Error> {
        to_raw_value(self)
    }

    /// The entries at these positions alone, of a plan for rows.
    pub fn part(mut self, keep: impl Fn(usize) -> bool) -> Self {
        fn only<T>(rows: &mut Vec<T>, keep: impl Fn(usize) -> bool) {
            let mut at = 0..;
            rows.retain(|_| at.next().is_some_and(&keep));
        }
        match &mut self {
            Self::Update { rows } => only(rows, keep),
            Self::Add { rows, .. } => only(rows, keep),
            Self::Delete { rows } | Self::Restore { rows } => only(rows, keep),
            _ => {}
        }
        self
    }

    /// How many entries the journal has for it.
    pub fn units(&self) -> usize {
        match self {
            Self::Update { rows } => rows.len(),
            Self::Add { rows, .. } => rows.len(),
            Self::Delete { rows } | Self::Restore { rows } => rows.len(),
            Self::AddColumn { .. }
            | Self::UpdateColumn { .. }
            | Self::DeleteColumn { .. }
            | Self::RestoreColumn { .. }
            | Self::Comment { .. }
            | Self::DeleteComment { .. } => 1,
            Self::Job { rows, .. } => *rows,
        }
    }

    /// How many rows it touches, for the second step of large changes.
    pub fn rows_touched(&self) -> usize {
        match self {
            Self::DeleteColumn { cells, .. } => cells.len(),
            Self::UpdateColumn { .. }
            | Self::AddColumn { .. }
            | Self::RestoreColumn { .. }
            | Self::Comment { .. }
            | Self::DeleteComment { .. } => 0,
            rows => rows.units(),
        }
    }

    /// The rows that are there and would be changed or deleted.
    pub fn row_ids(&self) -> Vec<i64> {
        match self {
            Self::Update { rows } => rows.iter().map(|r| r.row_id).collect(),
            Self::Delete { rows } => rows.iter().map(|r| r.row_id).collect(),
            Self::Comment { row_id, .. } => vec![*row_id],
            _ => Vec::new(),
        }
    }

    /// What the entry at this position is called.
    pub fn label(&self, seq: usize) -> String {
        let column = |spec: &ColumnSpec| format!("column {}", spec.title.as_deref().unwrap_or_default());
        match self {
            Self::Update { rows } => rows.get(seq).map(|r| r.label.clone()),
            Self::Add { rows, .. } => rows.get(seq).map(|r| r.label.clone()),
            Self::Delete { rows } | Self::Restore { rows } => rows.get(seq).map(|r| r.label.clone()),
            Self::AddColumn { spec } | Self::DeleteColumn { spec, .. } | Self::RestoreColumn { spec, .. } => Some(column(spec)),
            Self::UpdateColumn { before, .. } => Some(column(before)),
            Self::Comment { label, .. } | Self::DeleteComment { label, .. } => Some(label.clone()),
            Self::Job { .. } => None,
        }
        .unwrap_or_default()
    }
}
