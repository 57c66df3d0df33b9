//! Makes plans for columns: added, changed, deleted.

use super::plan::{Beside, Plan};
use super::propose::{Draft, column_of, writable};
use crate::error::{Result, told};
use crate::sheet::{Cell, Maker, Snapshot, SnapshotColumn};
use crate::smartsheet::ColumnSpec;

/// What to do with a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnAction {
    /// Make it.
    Add,
    /// Change it.
    Update,
    /// Delete it.
    Delete,
}

/// A change of a column.
#[derive(Clone, Debug)]
pub struct ColumnRequest {
    /// What to do.
    pub action: ColumnAction,
    /// Its title (new, or of today).
    pub column: String,
    /// Another title.
    pub new_title: Option<String>,
    /// Its type.
    pub kind: Option<String>,
    /// Options of a picklist.
    pub options: Option<Vec<String>>,
}

/// Columns that a sheet takes.
const MOST_COLUMNS: usize = 400;
const KINDS: [&str; 7] = ["TEXT_NUMBER", "DATE", "CONTACT_LIST", "MULTI_CONTACT_LIST", "PICKLIST", "MULTI_PICKLIST", "CHECKBOX"];

/// Adds, changes or deletes a column.
///
/// # Errors
/// A sentence that says what to change.
pub fn column(snapshot: &Snapshot, request: &ColumnRequest) -> Result<Draft> {
    shapeable(snapshot)?;
    if let Some(kind) = &request.kind
        && !KINDS.contains(&kind.as_str())
    {
        return Err(told(format!("'{kind}' is not a type of column that can be set; use one of {}", KINDS.join(", "))));
    }
    let plan = match request.action {
        ColumnAction::Add => {
            let kind = request.kind.clone().unwrap_or_else(|| if request.options.is_some() { "PICKLIST" } else { "TEXT_NUMBER" }.into());
            Plan::AddColumn {
                spec: ColumnSpec { kind: Some(kind), options: request.options.clone(), ..new_column(snapshot, &request.column)? },
            }
        }
        ColumnAction::Update => {
            let (_, column) = column_of(snapshot, &request.column)?;
            let new_title = request.new_title.as_deref().map(|t| title_of(snapshot, t, Some(column.id))).transpose()?;
            let with_kind = request.kind.is_some() || request.options.is_some();
            let kind = if with_kind { request.kind.clone().or(Some(column.kind.clone())) } else { None };
            let after = ColumnSpec { title: new_title, kind: kind.clone(), options: request.options.clone(), ..ColumnSpec::default() };
            if after == ColumnSpec::default() {
                return Err(told("nothing to change: give a new title, type or options"));
            }
            let changes_kind = after.kind.as_ref().is_some_and(|k| *k != column.kind);
            let before = ColumnSpec {
                title: Some(column.title.clone()),
                kind: kind.map(|_| column.kind.clone()),
                options: (after.options.is_some() || changes_kind).then(|| column.options.clone()).filter(|o| !o.is_empty()),
                symbol: column.symbol.clone().filter(|_| changes_kind),
                validation: (changes_kind && column.validation).then_some(true),
                contact_options: changes_kind.then(|| column.spec.contact_options.clone()).flatten(),
                ..ColumnSpec::default()
            };
            Plan::UpdateColumn { column_id: column.id, before: Box::new(before), after: Box::new(after) }
        }
        ColumnAction::Delete => {
            let (position, column) = column_of(snapshot, &request.column)?;
            if column.primary {
                return Err(told(format!("{} is the primary column and cannot be deleted", column.title)));
            }
            let filled = || snapshot.rows.iter().filter(|r| r.cells[position] != Cell::Empty);
            Plan::DeleteColumn {
                column_id: column.id,
                spec: column.spec.clone(),
                cells: filled().map(|r| (r.id, r.cells[position].to_json())).collect(),
                beside: filled().filter_map(|r| Some((r.id, *Beside::of(snapshot, r, position)?))).collect(),
            }
        }
    };
    let mut warnings = Vec::new();
    if let (ColumnAction::Delete, Ok((position, c))) = (request.action, column_of(snapshot, &request.column)) {
        warnings.extend(lost_with_column(snapshot, position, c));
    }
    match &plan {
        Plan::DeleteColumn { cells, .. } if !cells.is_empty() => warnings.push(format!("{} cells with values go with it.", cells.len())),
        Plan::UpdateColumn { before, after, .. } if before.kind != after.kind => warnings
            .push("Changing the type converts the cells; undo brings the type back, not what was lost in the conversion.".to_owned()),
        _ => {}
    }
    Ok(Draft { plan, filter: None, warnings })
}

/// A new text column of this title, behind the others.
///
/// # Errors
/// A sentence that says what to change.
pub(crate) fn new_column(snapshot: &Snapshot, title: &str) -> Result<ColumnSpec> {
    shapeable(snapshot)?;
    if snapshot.columns.len() >= MOST_COLUMNS {
        return Err(told(format!("{} has {MOST_COLUMNS} columns, and Smartsheet takes no more in a sheet", snapshot.name)));
    }
    let index = u32::try_from(snapshot.columns.len()).ok();
    Ok(ColumnSpec { title: Some(title_of(snapshot, title, None)?), kind: Some("TEXT_NUMBER".into()), index, ..ColumnSpec::default() })
}

/// A title as Smartsheet takes it, for this column or a new one.
fn title_of(snapshot: &Snapshot, text: &str, of: Option<i64>) -> Result<String> {
    let title = text.trim();
    if title.is_empty() || title.chars().count() > 50 {
        return Err(told("the title of a column has 1 to 50 characters"));
    }
    if snapshot.columns.iter().any(|c| c.title.to_lowercase() == title.to_lowercase() && Some(c.id) != of) {
        return Err(told(format!("there is a column called {title} already")));
    }
    Ok(title.to_owned())
}

fn shapeable(snapshot: &Snapshot) -> Result<()> {
    writable(snapshot)?;
    if snapshot.shapeable() {
        Ok(())
    } else {
        Err(told(format!(
            "I may change cells and rows of {}, not its columns; ask its owner for admin rights for the account I run under",
            snapshot.name
        )))
    }
}

/// What undo cannot bring back of a column.
fn lost_with_column(snapshot: &Snapshot, position: usize, column: &SnapshotColumn) -> Vec<String> {
    let mut lost = Vec::new();
    if matches!(column.kind.as_str(), "ABSTRACT_DATETIME" | "DURATION" | "PREDECESSOR") {
        lost.push(format!("Undo cannot bring this column back: only Smartsheet itself makes columns of type {}.", column.kind));
    }
    let linked = snapshot.rows.iter().filter(|r| r.maker(position) == Some(&Maker::Link)).count();
    if linked > 0 {
        lost.push(format!("{linked} cells are linked from other sheets: undo brings their values back, not the links."));
    }
    if column.spec.system_column_type.as_deref().is_some_and(|kind| kind != "AUTO_NUMBER") {
        lost.push("Undo makes the column anew, and Smartsheet fills it with what it knows then.".to_owned());
    } else if column.spec.system_column_type.is_some() {
        lost.push("Undo makes the column anew, and Smartsheet numbers the rows anew.".to_owned());
    }
    lost
}
