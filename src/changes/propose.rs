//! Makes plans: finds the rows, makes values fit their columns, reads the old values, warns.

use super::Changes;
use super::plan::{CellEdit, DeletedRow, Location, NewRowPlan, Plan, RowEdit};
use crate::error::{Result, told};
use crate::sheet::{Cell, Snapshot, SnapshotColumn, SnapshotRow, check, coerce};
use crate::smartsheet::ColumnSpec;
use crate::store::{Proposal, ProposalState, Session};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// A plan, and what the person should know before approving it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What would be done.
    pub plan: Plan,
    /// Which rows, in the sheet's words.
    pub filter: Option<String>,
    /// Things to look at twice.
    pub warnings: Vec<String>,
}

/// One column to set.
#[derive(Clone, Debug)]
pub struct SetRequest {
    /// Title or SQL name.
    pub column: String,
    /// The same value for every row.
    pub value: Value,
    /// An SQL expression over the row's own columns, instead of a value.
    pub expression: Option<String>,
}

/// A row to add.
#[derive(Clone, Debug)]
pub struct NewRowRequest {
    /// Column title or SQL name, and value.
    pub cells: Vec<(String, Value)>,
}

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

/// Sets columns of all rows that match an SQL condition.
///
/// # Errors
/// A sentence that says what to change.
pub async fn update(snapshot: &Arc<Snapshot>, condition: &str, set: &[SetRequest], today: jiff::civil::Date) -> Result<Draft> {
    writable(snapshot)?;
    if set.is_empty() {
        return Err(told("nothing to set: name at least one column and its new value"));
    }
    let people = snapshot.people();
    let expressions: Vec<&str> = set.iter().filter_map(|s| s.expression.as_deref()).collect();
    let (filter, found) = matching(snapshot, condition, &expressions).await?;
    let mut targets = Vec::new();
    for request in set {
        let (position, column) = column_of(snapshot, &request.column)?;
        if let Some(why) = &column.read_only {
            return Err(told(format!("{} cannot be written: {why}", column.title)));
        }
        targets.push((position, column, request));
    }
    let (mut rows, mut formulas, mut locked, mut same) = (Vec::new(), 0, 0, 0);
    for (id, computed) in found {
        let Some(row) = snapshot.row(id) else { continue };
        if row.locked {
            locked += 1;
            continue;
        }
        let mut cells = Vec::new();
        let mut computed = computed.into_iter();
        for (position, column, request) in &targets {
            let value = if request.expression.is_some() { computed.next().unwrap_or_default() } else { request.value.clone() };
            let after = coerce(column, &value, &people, today).map_err(told)?;
            let before = row.cells[*position].to_json();
            if row.formulas.contains(&(*position as u16)) {
                formulas += 1;
            } else if Cell::same(&before, &after.value) {
                same += 1;
            } else {
                cells.push(edit(column, before, row.cells[*position].shown(&column.style), after.value, after.shown));
            }
        }
        if !cells.is_empty() {
            rows.push(RowEdit { row_id: id, label: snapshot.label(row), cells });
        }
    }
    if rows.is_empty() {
        let why = if same > 0 {
            "they have these values already"
        } else if formulas > 0 {
            "formulas make these cells"
        } else if locked > 0 {
            "the rows are locked"
        } else {
            "no row matches"
        };
        return Err(told(format!("nothing would change: {why} (condition: {})", filter.as_deref().unwrap_or("all rows"))));
    }
    let mut warnings = Vec::new();
    if filter.is_none() && rows.len() > 1 {
        warnings.push("This touches every row of the sheet.".to_owned());
    }
    for (count, why) in
        [(formulas, "cells are left alone because a formula makes them"), (locked, "rows are left alone because they are locked")]
    {
        if count > 0 {
            warnings.push(format!("{count} {why}."));
        }
    }
    warnings.extend(same_first_names(snapshot, &rows));
    warnings.extend(text_for_numbers(snapshot, rows.iter().flat_map(|r| &r.cells)));
    Ok(Draft { plan: Plan::Update { rows }, filter, warnings })
}

/// Adds rows.
///
/// # Errors
/// A sentence that says what to change.
pub fn add(snapshot: &Snapshot, requests: &[NewRowRequest], location: Location, today: jiff::civil::Date) -> Result<Draft> {
    writable(snapshot)?;
    if requests.is_empty() {
        return Err(told("nothing to add: give at least one row"));
    }
    let people = snapshot.people();
    let mut location = location;
    if let Some(parent) = location.parent {
        let row = snapshot.row(parent).ok_or_else(|| told(format!("there is no row {parent} to add under")))?;
        location.parent_label = Some(snapshot.label(row));
    }
    if let Some(after) = location.after {
        snapshot.row(after).ok_or_else(|| told(format!("there is no row {after} to add behind")))?;
    }
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for request in requests {
        let mut cells = Vec::new();
        for (name, value) in &request.cells {
            let (_, column) = column_of(snapshot, name)?;
            let after = coerce(column, value, &people, today).map_err(told)?;
            if !after.value.is_null() {
                cells.push(edit(column, Value::Null, String::new(), after.value, after.shown));
            }
        }
        if cells.is_empty() {
            return Err(told("a new row needs at least one value"));
        }
        let primary = snapshot.primary().map(|(_, c)| c.id);
        let named = cells.iter().find(|c| Some(c.column_id) == primary).map(|c| c.after_shown.clone());
        if named.is_none() {
            warnings.push("The new row has no name: its primary column is empty.".to_owned());
        }
        let label = named.unwrap_or_else(|| cells[0].after_shown.clone());
        if snapshot.rows.iter().any(|r| snapshot.label(r) == label) {
            warnings.push(format!("There is a row called “{label}” already."));
        }
        rows.push(NewRowPlan { label, cells });
    }
    warnings.extend(text_for_numbers(snapshot, rows.iter().flat_map(|r| &r.cells)));
    Ok(Draft { plan: Plan::Add { location, rows }, filter: None, warnings })
}

/// Deletes all rows that match an SQL condition, with their children.
///
/// # Errors
/// A sentence that says what to change.
pub async fn delete(snapshot: &Arc<Snapshot>, condition: &str) -> Result<Draft> {
    writable(snapshot)?;
    let (filter, found) = matching(snapshot, condition, &[]).await?;
    let named: HashSet<i64> = found.iter().map(|(id, _)| *id).collect();
    let mut all: HashSet<i64> = named.clone();
    for id in &named {
        all.extend(snapshot.descendants(*id));
    }
    if named.is_empty() {
        return Err(told(format!("nothing would be deleted: no row matches (condition: {})", filter.as_deref().unwrap_or("all rows"))));
    }
    let mut rows: Vec<DeletedRow> = Vec::with_capacity(all.len());
    let mut last_child: HashMap<Option<i64>, i64> = HashMap::new();
    for row in &snapshot.rows {
        let above = last_child.insert(row.parent, row.id);
        if all.contains(&row.id) {
            rows.push(deleted(snapshot, row, above, !named.contains(&row.id)));
        }
    }
    if snapshot.rows.iter().any(|r| all.contains(&r.id) && r.locked) {
        return Err(told("some of these rows are locked and cannot be deleted; name the others only"));
    }
    let mut warnings = Vec::new();
    let children = rows.iter().filter(|r| r.as_child).count();
    if children > 0 {
        warnings.push(format!("{children} of these rows go because they stand below one that is deleted."));
    }
    if rows.len() == snapshot.rows.len() {
        warnings.push("This deletes every row of the sheet.".to_owned());
    }
    if snapshot.rows.iter().any(|r| all.contains(&r.id) && !r.formulas.is_empty()) {
        warnings.push("Formulas in these rows come back as values if you undo this.".to_owned());
    }
    Ok(Draft { plan: Plan::Delete { rows }, filter, warnings })
}

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
            let after = ColumnSpec { title: new_title, kind: kind.clone(), index: None, options: request.options.clone() };
            if after == ColumnSpec::default() {
                return Err(told("nothing to change: give a new title, type or options"));
            }
            let changes_kind = after.kind.as_ref().is_some_and(|k| *k != column.kind);
            let before = ColumnSpec {
                title: Some(column.title.clone()),
                kind: kind.map(|_| column.kind.clone()),
                index: None,
                options: (after.options.is_some() || changes_kind).then(|| column.options.clone()).filter(|o| !o.is_empty()),
            };
            Plan::UpdateColumn { column_id: column.id, before, after }
        }
        ColumnAction::Delete => {
            let (position, column) = column_of(snapshot, &request.column)?;
            if column.primary {
                return Err(told(format!("{} is the primary column and cannot be deleted", column.title)));
            }
            let filled = snapshot.rows.iter().filter(|r| r.cells[position] != Cell::Empty);
            Plan::DeleteColumn {
                column_id: column.id,
                spec: column.spec.clone(),
                cells: filled.map(|r| (r.id, r.cells[position].to_json())).collect(),
            }
        }
    };
    let mut warnings = Vec::new();
    if let (ColumnAction::Delete, Ok((_, c))) = (request.action, column_of(snapshot, &request.column))
        && let Some(why) = &c.read_only
    {
        warnings.push(format!("Undo brings its values back, but not what fills it today: {why}."));
    }
    match &plan {
        Plan::DeleteColumn { cells, .. } if !cells.is_empty() => warnings.push(format!("{} cells with values go with it.", cells.len())),
        Plan::UpdateColumn { before, after, .. } if before.kind != after.kind => warnings
            .push("Changing the type converts the cells; undo brings the type back, not what was lost in the conversion.".to_owned()),
        _ => {}
    }
    Ok(Draft { plan, filter: None, warnings })
}

/// Comments on a row.
///
/// # Errors
/// A sentence that says what to change.
pub fn comment(snapshot: &Snapshot, row_id: i64, text: &str) -> Result<Draft> {
    if snapshot.access_level == "VIEWER" {
        return Err(told(format!("I may only look at {}, not comment", snapshot.name)));
    }
    let row = snapshot.row(row_id).ok_or_else(|| told(format!("there is no row {row_id}")))?;
    if text.trim().is_empty() {
        return Err(told("a comment needs words"));
    }
    Ok(Draft { plan: Plan::Comment { row_id, label: snapshot.label(row), text: text.trim().into() }, filter: None, warnings: Vec::new() })
}

impl Changes {
    /// Keeps a draft as a proposal of this person in this thread.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(
        &self,
        draft: &Draft,
        snapshot: &Snapshot,
        session: &Session,
        thread_key: &str,
        asker: &str,
        identity: &str,
    ) -> Result<Proposal> {
        let now = self.clock.now_ms();
        let proposal = Proposal {
            id: Uuid::now_v7().to_string(),
            session_id: session.id.clone(),
            thread_key: thread_key.to_owned(),
            asker: asker.to_owned(),
            identity: identity.to_owned(),
            sheet: crate::sheet::SheetId(snapshot.id),
            sheet_version: snapshot.version,
            plan: draft.plan.kept()?,
            filter: draft.filter.clone(),
            row_count: draft.plan.rows_touched() as i64,
            state: ProposalState::Open,
            message: None,
            created_at_ms: now,
            expires_at_ms: now + self.rules.proposal_lifetime.as_millis() as i64,
        };
        self.store.add_proposal(&proposal).await?;
        Ok(proposal)
    }
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
    Ok(ColumnSpec { title: Some(title_of(snapshot, title, None)?), kind: Some("TEXT_NUMBER".into()), index, options: None })
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

/// Whether cells can be written.
///
/// # Errors
/// A sentence that says what to ask for.
pub(crate) fn writable(snapshot: &Snapshot) -> Result<()> {
    if snapshot.writable() {
        Ok(())
    } else {
        Err(told(format!("I may only look at {}; ask its owner for editor rights for the account I run under", snapshot.name)))
    }
}

fn column_of<'a>(snapshot: &'a Snapshot, name: &str) -> Result<(usize, &'a SnapshotColumn)> {
    snapshot.column(name).ok_or_else(|| {
        let titles: Vec<&str> = snapshot.columns.iter().map(|c| c.title.as_str()).collect();
        told(format!("there is no column called {name}; the columns are: {}", titles.join(", ")))
    })
}

fn edit(column: &SnapshotColumn, before: Value, before_shown: String, after: Value, after_shown: String) -> CellEdit {
    CellEdit { column_id: column.id, title: column.title.clone(), before, after, before_shown, after_shown }
}

fn deleted(snapshot: &Snapshot, row: &SnapshotRow, above: Option<i64>, as_child: bool) -> DeletedRow {
    let cells = snapshot.columns.iter().zip(&row.cells).filter(|(c, cell)| c.read_only.is_none() && **cell != Cell::Empty);
    let cells = cells.map(|(c, cell)| edit(c, cell.to_json(), cell.shown(&c.style), Value::Null, String::new())).collect();
    DeletedRow { row_id: row.id, label: snapshot.label(row), parent: row.parent, above, cells, as_child }
}

pub(crate) type Found = Vec<(i64, Vec<Value>)>;

/// Ids of the rows that match, with the values of the expressions for each.
pub(crate) async fn matching(snapshot: &Arc<Snapshot>, condition: &str, expressions: &[&str]) -> Result<(Option<String>, Found)> {
    let condition = condition.trim().trim_end_matches(';');
    if expressions.is_empty()
        && let Some(id) = condition.strip_prefix("row_id = ").and_then(|id| id.parse().ok())
    {
        // One row is found without copying the sheet into SQL.
        return Ok((Some(condition.to_owned()), snapshot.row(id).map(|row| (row.id, Vec::new())).into_iter().collect()));
    }
    let all = condition.is_empty() || matches!(condition.replace(' ', "").to_lowercase().as_str(), "1=1" | "true" | "1");
    let mut sql = String::from("SELECT row_id");
    for expression in expressions {
        sql.push_str(&format!(", ({expression})"));
    }
    sql.push_str(" FROM sheet");
    if !all {
        sql.push_str(&format!(" WHERE {condition}"));
    }
    sql.push_str(" ORDER BY row_number");
    let checked = check(&sql, snapshot).map_err(|e| told(format!("the condition cannot be used: {e}")))?;
    let filter = checked.filter.clone().filter(|_| !all);
    let of = snapshot.clone();
    let run = tokio::task::spawn_blocking(move || of.query(&checked, usize::MAX));
    let result = run.await.map_err(anyhow::Error::from)?.map_err(|e| told(format!("the condition cannot be used: {e}")))?;
    let row = |mut row: Vec<Value>| {
        let values = row.split_off(1);
        Some((row[0].as_str()?.parse().ok()?, values))
    };
    Ok((filter, result.rows.into_iter().filter_map(row).collect()))
}

/// Says so when a text would go into a column of numbers, where sums would leave it out.
fn text_for_numbers<'a>(snapshot: &Snapshot, mut cells: impl Iterator<Item = &'a CellEdit>) -> Option<String> {
    let numeric = |c: &&CellEdit| c.after.is_string() && snapshot.column_by_id(c.column_id).is_some_and(|(_, column)| column.numeric);
    let cell = cells.find(numeric)?;
    Some(format!("{} holds numbers, but “{}” is text: sums will leave it out.", cell.title, chat::text::shorten(&cell.after_shown, 40)))
}

/// Says so when the rows belong to several people of the same first name.
fn same_first_names(snapshot: &Snapshot, rows: &[RowEdit]) -> Option<String> {
    let (position, column) = snapshot.columns.iter().enumerate().find(|(_, c)| c.is_contact())?;
    let owners: BTreeSet<String> = rows
        .iter()
        .filter_map(|r| snapshot.row(r.row_id))
        .map(|r| r.cells[position].shown(&column.style))
        .filter(|n| !n.is_empty())
        .collect();
    let first = |name: &String| name.split_whitespace().next().unwrap_or_default().to_lowercase();
    let twice: Vec<&String> = owners.iter().filter(|n| owners.iter().any(|m| m != *n && first(m) == first(n))).collect();
    if twice.is_empty() || owners.len() > twice.len() {
        return None;
    }
    Some(format!(
        "These rows belong to different people of the same first name: {}.",
        twice.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(", ")
    ))
}
