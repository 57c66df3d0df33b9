//! Makes plans: finds the rows, makes values fit their columns, reads the old values, warns.

use super::Changes;
use super::matching::{Matching, matching, of_condition};
use super::plan::{Beside, CellEdit, DeletedRow, Location, NewRowPlan, Plan, RowEdit};
use super::schedule::{self, Schedule};
use crate::error::{Result, told};
use crate::locality::Locality;
use crate::sheet::{Author, Cell, Coerced, Maker, Snapshot, SnapshotColumn, SnapshotRow, ValueReader, day_shift, nearest};
use crate::store::{Place, Proposal, ProposalState};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
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

/// Sets columns of all rows that match an SQL condition.
///
/// # Errors
/// A sentence that says what to change.
pub async fn update(snapshot: &Arc<Snapshot>, condition: &str, set: &[SetRequest], author: &Author) -> Result<Draft> {
    writable(snapshot)?;
    if set.is_empty() {
        return Err(told("nothing to set: name at least one column and its new value"));
    }
    let reader = ValueReader::new(snapshot, author);
    let expressions: Vec<&str> = set.iter().filter_map(|s| s.expression.as_deref()).collect();
    let Matching { filter, rows: found, warnings: left_out, hints } = matching(snapshot, condition, &expressions, &author.locality).await?;
    let schedule = Schedule::of(snapshot);
    let mut targets = Vec::new();
    for request in set {
        let (position, column) = column_of(snapshot, &request.column)?;
        let follows = schedule.as_ref().is_some_and(|s| s.is_end(position));
        if let Some(why) = column.read_only.as_ref().filter(|_| !follows) {
            return Err(told(format!("{} cannot be written: {why}", column.title)));
        }
        targets.push((position, column, request));
    }
    let (mut edited, mut left, mut notes, mut dates) = (Vec::new(), Left::default(), Vec::new(), HashMap::new());
    for (id, computed) in found {
        let Some(row) = snapshot.row(id) else { continue };
        if row.locked {
            left.locked += 1;
            continue;
        }
        let mut cells = Vec::new();
        let mut computed = computed.into_iter();
        for (position, column, request) in &targets {
            let computed = request.expression.is_some().then(|| computed.next().unwrap_or_default());
            match row.maker(*position) {
                Some(Maker::Formula(_)) => left.made += 1,
                Some(Maker::Link) => left.linked += 1,
                None if snapshot.project.is_some() && row.is_parent && column.rolls_up() => left.rolled_up += 1,
                None => {
                    let (value, relative) = match computed {
                        Some(value) => (value, true),
                        None => match shifted(snapshot, row, *position, &request.value)? {
                            Shift::To(day) => (day, true),
                            Shift::NoDay => {
                                left.dayless += 1;
                                continue;
                            }
                            Shift::None => (request.value.clone(), false),
                        },
                    };
                    match schedule.as_ref().filter(|s| !value.is_null() && s.sets_dates(*position, row)) {
                        Some(schedule) => {
                            schedule.want(dates.entry(id).or_default(), *position, reader.read_day(column, &value)?, relative);
                        }
                        None => {
                            let after = reader.read_as(column, row.cells[*position].style(&column.style), &value)?;
                            notes.extend(after.note.clone().filter(|note| !notes.contains(note)));
                            cells.push((*position, after));
                        }
                    }
                }
            }
        }
        edited.push((row, cells));
    }
    let mut ended = false;
    if let Some(schedule) = &schedule {
        let mut replanned = schedule.replan(&dates).map_err(told)?;
        for (row, cells) in &mut edited {
            cells.extend(replanned.cells.remove(&row.id).unwrap_or_default());
            let twice = cells.iter().enumerate().find(|(i, (at, _))| cells[..*i].iter().any(|(other, _)| other == at));
            if let Some((_, (at, _))) = twice {
                let why = format!(
                    "{} of {} follows from the dates that are set beside it: set one or the other",
                    snapshot.columns[*at].title,
                    snapshot.label(row)
                );
                return Err(told(why));
            }
        }
        notes.extend(replanned.said);
        ended = replanned.ended;
    }
    let mut rows = Vec::new();
    for (row, mut cells) in edited {
        let all = cells.len();
        cells.retain(|(position, after)| !Cell::same(&row.cells[*position].to_json(), &after.value));
        left.same += if all == 0 && dates.contains_key(&row.id) { 1 } else { all - cells.len() };
        if !cells.is_empty() {
            let cells = cells.into_iter().map(|(position, after)| changed(snapshot, row, position, after)).collect();
            rows.push(RowEdit { row_id: row.id, label: snapshot.label(row), cells });
        }
    }
    if rows.is_empty() {
        return Err(told(format!("nothing would change: {}{}", left.why(), of_condition(filter.as_deref(), &hints))));
    }
    if let Some(label) = schedule.as_ref().and_then(|s| s.circle(&rows)) {
        return Err(told(format!("{label} would wait for itself: choose other predecessors")));
    }
    let mut warnings = Vec::new();
    if filter.is_none() && rows.len() > 1 {
        warnings.push("This touches every row of the sheet.".to_owned());
    }
    warnings.extend(left.warnings());
    warnings.extend(left_out);
    warnings.extend(same_first_names(snapshot, &rows));
    warnings.extend(notes);
    warnings.extend(schedule::warnings(snapshot, &rows, ended));
    Ok(Draft { plan: Plan::Update { rows }, filter, warnings })
}

/// What “+7 days” means in a cell.
enum Shift {
    /// This day.
    To(Value),
    /// The cell holds no day that could be moved.
    NoDay,
    /// It is another value, or another column.
    None,
}

/// The day that “+7 days” means in this row: from the one that stands there.
fn shifted(snapshot: &Snapshot, row: &SnapshotRow, position: usize, value: &Value) -> Result<Shift> {
    let column = &snapshot.columns[position];
    let shift = value.as_str().filter(|_| matches!(column.kind.as_str(), "DATE" | "ABSTRACT_DATETIME")).and_then(day_shift);
    let Some(shift) = shift else { return Ok(Shift::None) };
    let Some(day) = column.day(&row.cells[position], &snapshot.zone) else { return Ok(Shift::NoDay) };
    let moved =
        day.checked_add(shift).map_err(|_| told(format!("{} of {} would leave the calendar", column.title, snapshot.label(row))))?;
    Ok(Shift::To(Value::String(moved.to_string())))
}

/// Cells and rows that a change leaves alone, by the reason.
#[derive(Default)]
struct Left {
    made: usize,
    linked: usize,
    rolled_up: usize,
    dayless: usize,
    locked: usize,
    same: usize,
}

impl Left {
    /// Why nothing would change at all.
    fn why(&self) -> &'static str {
        if self.same > 0 {
            "they have these values already"
        } else if self.made > 0 {
            "formulas make these cells"
        } else if self.linked > 0 {
            "these cells are linked from another sheet"
        } else if self.rolled_up > 0 {
            "Smartsheet computes these cells from the rows below them"
        } else if self.dayless > 0 {
            "these cells hold no date that could be moved"
        } else if self.locked > 0 {
            "the rows are locked"
        } else {
            "no row matches"
        }
    }

    fn warnings(&self) -> impl Iterator<Item = String> {
        let all = [
            (self.made, "cells are left alone because a formula makes them"),
            (self.linked, "cells are left alone because they are linked from another sheet"),
            (self.rolled_up, "cells are left alone because Smartsheet computes them from the rows below"),
            (self.dayless, "cells are left alone because they hold no date that could be moved"),
            (self.locked, "rows are left alone because they are locked"),
        ];
        // One of them is one.
        let one = |why: &str| {
            why.replacen("cells are", "cell is", 1).replacen("rows are", "row is", 1).replacen("they are", "it is", 1).replacen(
                "they hold",
                "it holds",
                1,
            )
        };
        let said = move |(count, why): (usize, &str)| if count == 1 { format!("1 {}.", one(why)) } else { format!("{count} {why}.") };
        all.into_iter().filter(|(count, _)| *count > 0).map(said)
    }
}

/// Adds rows.
///
/// # Errors
/// A sentence that says what to change.
pub fn add(snapshot: &Snapshot, requests: &[NewRowRequest], location: Location, author: &Author) -> Result<Draft> {
    writable(snapshot)?;
    if requests.is_empty() {
        return Err(told("nothing to add: give at least one row"));
    }
    let reader = ValueReader::new(snapshot, author);
    let mut location = location;
    if let Some(parent) = location.parent {
        let row = snapshot.row(parent).ok_or_else(|| told(format!("there is no row {parent} to add under")))?;
        if row.cells.iter().all(|cell| *cell == Cell::Empty) {
            return Err(told(format!("row {} is blank, and Smartsheet adds no rows below a blank one: fill it first", row.number)));
        }
        location.parent_label = Some(snapshot.label(row));
    }
    if let Some(after) = location.after {
        snapshot.row(after).ok_or_else(|| told(format!("there is no row {after} to add behind")))?;
    }
    let schedule = Schedule::of(snapshot);
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for request in requests {
        let (mut values, mut end) = (Vec::new(), None);
        for (name, value) in &request.cells {
            let (position, column) = column_of(snapshot, name)?;
            if !value.is_null() && schedule.as_ref().is_some_and(|s| s.is_end(position)) {
                end = Some(reader.read_day(column, value)?);
                continue;
            }
            values.push((position, reader.read(column, value)?));
        }
        if let Some((schedule, end)) = schedule.as_ref().zip(end) {
            let start = values.iter().find(|(at, _)| *at == schedule.start()).and_then(|(_, start)| start.value.as_str());
            let (position, length) = schedule.length_of_new("The new row", start, end).map_err(told)?;
            if values.iter().any(|(at, _)| *at == position) {
                let length = &snapshot.columns[position].title;
                return Err(told(format!("{length} follows from start and end: give it or the end, not both")));
            }
            values.push((position, length));
        }
        let mut cells = Vec::new();
        for (position, after) in values {
            warnings.extend(after.note.clone());
            if !after.value.is_null() {
                cells.push(edit(&snapshot.columns[position], Value::Null, String::new(), after));
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
    warnings.dedup();
    Ok(Draft { plan: Plan::Add { location, rows }, filter: None, warnings })
}

/// Deletes all rows that match an SQL condition, with their children.
///
/// # Errors
/// A sentence that says what to change.
pub async fn delete(snapshot: &Arc<Snapshot>, condition: &str, locality: &Locality) -> Result<Draft> {
    writable(snapshot)?;
    let Matching { filter, rows: found, warnings: left_out, hints } = matching(snapshot, condition, &[], locality).await?;
    let named: HashSet<i64> = found.iter().map(|(id, _)| *id).collect();
    let mut all: HashSet<i64> = named.clone();
    for id in &named {
        all.extend(snapshot.descendants(*id));
    }
    if named.is_empty() {
        return Err(told(format!("nothing would be deleted: no row matches{}", of_condition(filter.as_deref(), &hints))));
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
    let linked = snapshot.rows.iter().filter(|r| all.contains(&r.id)).flat_map(|r| &r.makers).filter(|(_, m)| *m == Maker::Link).count();
    if linked > 0 {
        warnings.push(format!("{linked} cells are linked from other sheets: undo brings their values back, not the links."));
    }
    warnings.extend(left_out);
    Ok(Draft { plan: Plan::Delete { rows }, filter, warnings })
}

/// Comments on a row.
///
/// # Errors
/// A sentence that says what to change.
pub fn comment(snapshot: &Snapshot, row_id: i64, text: &str) -> Result<Draft> {
    if !snapshot.commentable() {
        return Err(told(format!("I may only look at {}, not comment", snapshot.name)));
    }
    let row = snapshot.row(row_id).ok_or_else(|| told(format!("there is no row {row_id}")))?;
    if text.trim().is_empty() {
        return Err(told("a comment needs words"));
    }
    Ok(Draft { plan: Plan::Comment { row_id, label: snapshot.label(row), text: text.trim().into() }, filter: None, warnings: Vec::new() })
}

impl Changes {
    /// Keeps a draft as a proposal of this person in this thread, to be decided within a time; made for this event if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(&self, event: Option<&str>, draft: &Draft, snapshot: &Snapshot, place: &Place, within: Duration) -> Result<Proposal> {
        let now = self.clock.now_ms();
        let proposal = Proposal {
            id: Uuid::now_v7().to_string(),
            session_id: place.session_id.clone(),
            thread_key: place.thread_key.clone(),
            asker: place.asker.clone(),
            identity: place.identity.clone(),
            sheet: crate::sheet::SheetId(snapshot.id),
            sheet_version: snapshot.version,
            plan: draft.plan.kept()?,
            filter: draft.filter.clone(),
            row_count: draft.plan.rows_touched() as i64,
            state: ProposalState::Open,
            message: None,
            created_at_ms: now,
            expires_at_ms: now + within.as_millis() as i64,
        };
        self.store.add_proposal(&proposal, event).await?;
        Ok(proposal)
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
        let may = if snapshot.commentable() { "look at and comment on" } else { "look at" };
        Err(told(format!("I may only {may} {}; ask its owner for editor rights for the account I run under", snapshot.name)))
    }
}

pub(super) fn column_of<'a>(snapshot: &'a Snapshot, name: &str) -> Result<(usize, &'a SnapshotColumn)> {
    snapshot.column(name).ok_or_else(|| {
        let titles: Vec<&str> = snapshot.columns.iter().map(|c| c.title.as_str()).collect();
        let near = nearest(name, titles.iter().map(|t| (*t).to_owned()));
        let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        told(format!("there is no column called {name}{guess}; the columns are: {}", titles.join(", ")))
    })
}

/// A cell that gets its first value, or another one. A person keeps the name under which they were found.
fn edit(column: &SnapshotColumn, before: Value, before_shown: String, after: Coerced) -> CellEdit {
    let named = column.is_contact() && after.value.as_str().is_some_and(|address| address != after.shown);
    let after_beside = named.then(|| Box::new(Beside { name: Some(after.shown.clone()), ..Beside::default() }));
    CellEdit {
        column_id: column.id,
        title: column.title.clone(),
        before,
        after: after.value,
        before_shown,
        after_shown: after.shown,
        before_beside: None,
        after_beside,
    }
}

/// A cell of a row with another value, and all that it holds now.
fn changed(snapshot: &Snapshot, row: &SnapshotRow, position: usize, after: Coerced) -> CellEdit {
    let (column, cell) = (&snapshot.columns[position], &row.cells[position]);
    let before_beside = Beside::of(snapshot, row, position);
    CellEdit { before_beside, ..edit(column, cell.to_json(), cell.shown(cell.style(&column.style)), after) }
}

fn deleted(snapshot: &Snapshot, row: &SnapshotRow, above: Option<i64>, as_child: bool) -> DeletedRow {
    let filled = (0..snapshot.columns.len()).filter(|at| {
        let column = &snapshot.columns[*at];
        // What Smartsheet computes comes back by itself.
        let computed = column.read_only.is_some() || (snapshot.project.is_some() && row.is_parent && column.rolls_up());
        !computed && row.cells[*at] != Cell::Empty
    });
    let gone = Coerced { value: Value::Null, shown: String::new(), note: None };
    let cells = filled.map(|at| changed(snapshot, row, at, gone.clone())).collect();
    DeletedRow { row_id: row.id, label: snapshot.label(row), parent: row.parent, above, cells, as_child }
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
