//! Project sheets: what leads to the dates that somebody wants, and what Smartsheet moves along.

use super::plan::RowEdit;
use crate::sheet::{Cell, Coerced, Snapshot, SnapshotRow, WorkDays, days_of_duration, predecessors_in_words};
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Names that are listed.
const LISTED: usize = 5;

/// What to know of a change of dates before it is approved: which rows wait for these.
pub(super) fn warnings(snapshot: &Snapshot, rows: &[RowEdit], said: bool) -> Vec<String> {
    if snapshot.project.is_none() {
        return Vec::new();
    }
    let scheduled = |id: i64| {
        let column = snapshot.column_by_id(id).map(|(_, c)| c);
        column.filter(|c| matches!(c.kind.as_str(), "ABSTRACT_DATETIME" | "DURATION" | "PREDECESSOR"))
    };
    let touched = |row: &&RowEdit| row.cells.iter().any(|c| scheduled(c.column_id).is_some());
    let moved: Vec<i64> = rows.iter().filter(touched).map(|r| r.row_id).collect();
    if moved.is_empty() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    // Where somebody wanted an end they are told already what leads to it.
    if let Some(end) = snapshot.columns.iter().find(|c| c.is_project_end()).filter(|_| !said) {
        warnings.push(format!("{} follows by itself: Smartsheet computes it from start and duration.", end.title));
    }
    let along = along(snapshot, &moved);
    if !along.is_empty() {
        let names = listed(along.iter().filter_map(|id| snapshot.row(*id)).map(|r| snapshot.label(r)).collect());
        warnings.push(format!("Smartsheet may move the rows that wait for these, too: {names}."));
    }
    warnings
}

/// The rows that wait for these, at whatever remove, in the order of the sheet. Rows above follow from those below them and are not listed.
fn along(snapshot: &Snapshot, moved: &[i64]) -> Vec<i64> {
    let Some(position) = snapshot.columns.iter().position(|c| c.kind == "PREDECESSOR") else { return Vec::new() };
    let mut waiting: HashMap<i64, Vec<i64>> = HashMap::new();
    let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
    for row in &snapshot.rows {
        if let Some(parent) = row.parent {
            below.entry(parent).or_default().push(row.id);
        }
        let Cell::Several(cell) = &row.cells[position] else { continue };
        for before in cell.1["predecessors"].as_array().into_iter().flatten().filter_map(|p| p["rowId"].as_i64()) {
            waiting.entry(before).or_default().push(row.id);
        }
    }
    let (mut seen, mut above) = (moved.iter().copied().collect::<HashSet<i64>>(), HashSet::new());
    let mut next: Vec<i64> = moved.to_vec();
    while let Some(id) = next.pop() {
        let successors = waiting.get(&id).into_iter().flatten();
        // What waits as a whole moves with everything in it.
        let inside = below.get(&id).into_iter().flatten().filter(|_| !above.contains(&id));
        for other in successors.chain(inside) {
            if seen.insert(*other) {
                next.push(*other);
            }
        }
        if let Some(parent) = snapshot.row(id).and_then(|r| r.parent)
            && seen.insert(parent)
        {
            above.insert(parent);
            next.push(parent);
        }
    }
    snapshot.rows.iter().map(|r| r.id).filter(|id| seen.contains(id) && !above.contains(id) && !moved.contains(id)).collect()
}

/// The columns of a plan, by their positions.
pub(super) struct Schedule<'a> {
    snapshot: &'a Snapshot,
    days: &'a WorkDays,
    start: usize,
    end: usize,
    duration: usize,
    predecessors: Option<usize>,
}

/// What somebody wants of a row's dates.
#[derive(Clone, Copy, Default)]
pub(super) struct Wanted {
    start: Option<Date>,
    end: Option<Date>,
    /// Whether it was told by how much the row moves, not whereto.
    relative: bool,
}

/// What leads to wanted dates, and what to say of it.
#[derive(Default)]
pub(super) struct Replanned {
    /// Cells to set, by row: position and value.
    pub cells: HashMap<i64, Vec<(usize, Coerced)>>,
    /// What was chosen.
    pub said: Vec<String>,
    /// Whether a duration was set, which leads to an end.
    pub ended: bool,
}

impl<'a> Schedule<'a> {
    /// The schedule of a project sheet that has all that one needs.
    pub fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let at = |tag: &str| snapshot.columns.iter().position(|c| c.tags.iter().any(|t| t == tag));
        Some(Self {
            snapshot,
            days: snapshot.project.as_ref()?,
            start: at("GANTT_START_DATE")?,
            end: at("GANTT_END_DATE")?,
            duration: at("GANTT_DURATION")?,
            predecessors: at("GANTT_PREDECESSOR"),
        })
    }

    /// Whether dates are wanted of a row by setting this column: then what leads to them is set.
    pub fn sets_dates(&self, position: usize, row: &SnapshotRow) -> bool {
        (position == self.start || position == self.end) && !row.is_parent
    }

    /// Whether this column holds the ends, which follow from the others.
    pub fn is_end(&self, position: usize) -> bool {
        position == self.end
    }

    /// Notes that a row's start or end, whichever stands at this position, is to be this day.
    pub fn want(&self, wanted: &mut Wanted, position: usize, day: Date, relative: bool) {
        wanted.relative = relative;
        if position == self.end { wanted.end = Some(day) } else { wanted.start = Some(day) }
    }

    /// What to set so that rows begin and end on these days: starts, the lag of rows that wait for others, durations.
    ///
    /// # Errors
    /// A sentence when a day cannot be reached.
    pub fn replan(&self, wanted: &HashMap<i64, Wanted>) -> Result<Replanned, String> {
        let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
        for row in &self.snapshot.rows {
            if let Some(parent) = row.parent {
                below.entry(parent).or_default().push(row.id);
            }
        }
        let mut replan =
            Replan { schedule: self, wanted, below, known: HashMap::new(), replanned: Replanned::default(), begin: Vec::new() };
        for row in self.snapshot.rows.iter().filter(|r| wanted.contains_key(&r.id)) {
            replan.dates(row.id)?;
        }
        let Replan { mut replanned, begin, .. } = replan;
        let title = |at: usize| &self.snapshot.columns[at].title;
        if replanned.ended {
            replanned.said.insert(
                0,
                format!("{} follows from start and duration: {} is set so that it ends then.", title(self.end), title(self.duration)),
            );
        }
        if let Some(predecessors) = self.predecessors.filter(|_| !begin.is_empty()) {
            let names = listed(begin.iter().map(|(label, day)| format!("{label} begins on {day}")).collect());
            let said = format!(
                "{} follows from what a row waits for: the lag in {} is set so that {names}.",
                title(self.start),
                title(predecessors)
            );
            replanned.said.insert(0, said);
        }
        Ok(replanned)
    }

    /// The duration that leads from a start to an end, beginning on working days; the end is the last of those until the one that is wanted.
    fn length(&self, label: &str, start: Date, end: Date, elapsed: bool) -> Result<(Date, Coerced), String> {
        let last = if elapsed { end } else { self.days.at_or_before(end) };
        if last < start {
            return Err(format!("{label} would end on {last}, before it begins on {start}: move its start instead"));
        }
        let text = match elapsed {
            true => format!("e{}d", start.until(last).map_or(0, |span| span.get_days()) + 1),
            false => format!("{}d", self.days.between(start, last) + 1),
        };
        let note = (last != end).then(|| format!("{end} is no working day: {label} ends on {last}."));
        Ok((last, Coerced { value: json!(text), shown: text, note }))
    }

    /// The duration of a new row that begins and ends on these days, and the position of its column.
    ///
    /// # Errors
    /// A sentence when it would end before it begins, or its start is not given.
    pub fn length_of_new(&self, label: &str, start: Option<&str>, end: Date) -> Result<(usize, Coerced), String> {
        let title = |at: usize| &self.snapshot.columns[at].title;
        let start = start.and_then(|text| text.get(..10)?.parse().ok());
        let start = start.ok_or_else(|| format!("{} follows from start and duration: give {}, too", title(self.end), title(self.start)))?;
        let (_, length) = self.length(label, self.days.at_or_after(start), end, false)?;
        let note = format!("{} follows from start and duration: {} is set so that it ends then.", title(self.end), title(self.duration));
        let note = length.note.map_or(note.clone(), |more| format!("{note} {more}"));
        Ok((self.duration, Coerced { note: Some(note), ..length }))
    }

    /// The position of the starts.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Of rows that would wait for themselves, by whatever detour, the first.
    pub fn circle(&self, rows: &[RowEdit]) -> Option<String> {
        let at = self.predecessors?;
        let column = self.snapshot.columns[at].id;
        let edited = |id: i64| rows.iter().find(|r| r.row_id == id)?.cells.iter().find(|c| c.column_id == column).map(|c| c.after.clone());
        let waits = |id: i64| -> Vec<i64> {
            let list = edited(id).or_else(|| self.snapshot.row(id).map(|row| row.cells[at].to_json())).unwrap_or_default();
            list["predecessors"].as_array().into_iter().flatten().filter_map(|p| p["rowId"].as_i64()).collect()
        };
        let wrong = rows.iter().find(|row| {
            let (mut seen, mut next) = (HashSet::new(), waits(row.row_id));
            while let Some(id) = next.pop() {
                if !seen.insert(id) {
                    continue;
                }
                // Who waits for a row waits for all below it, and each of those for what the row waits for.
                next.extend(waits(id));
                next.extend(self.snapshot.rows.iter().filter(|r| r.parent == Some(id)).map(|r| r.id));
            }
            seen.contains(&row.row_id)
        })?;
        Some(wrong.label.clone())
    }

    /// Start and end of a row as they are.
    fn present(&self, row: &SnapshotRow) -> (Option<Date>, Option<Date>) {
        let day = |at: usize| row.cells[at].to_json().as_str().and_then(|text| text.get(..10)?.parse().ok());
        (day(self.start), day(self.end))
    }

    /// The end of a row that begins on this day and takes so long.
    fn end_of(&self, start: Date, duration: &str) -> Option<Date> {
        let days = (days_of_duration(duration)?.ceil() as i64 - 1).max(0);
        Some(if is_elapsed(duration) { start.saturating_add(days.days()) } else { self.days.plus(start, days) })
    }
}

/// Whether a duration counts all days, not only working days.
fn is_elapsed(duration: &str) -> bool {
    duration.trim_start_matches('~').starts_with(['e', 'E'])
}

struct Replan<'a> {
    schedule: &'a Schedule<'a>,
    wanted: &'a HashMap<i64, Wanted>,
    below: HashMap<i64, Vec<i64>>,
    /// Dates as they will be; nothing for rows that are being looked at, or have none.
    known: HashMap<i64, (Option<Date>, Option<Date>)>,
    replanned: Replanned,
    /// Rows whose lag is set, and when they begin.
    begin: Vec<(String, Date)>,
}

impl Replan<'_> {
    /// Start and end of a row as they will be.
    fn dates(&mut self, id: i64) -> Result<(Option<Date>, Option<Date>), String> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let Some(row) = self.schedule.snapshot.row(id) else { return Ok((None, None)) };
        let present = self.schedule.present(row);
        // Rows that wait for each other in a circle stay where they are.
        self.known.insert(id, present);
        let dates = if row.is_parent {
            let mut all = Vec::new();
            for child in self.below.get(&id).cloned().unwrap_or_default() {
                all.push(self.dates(child)?);
            }
            (all.iter().filter_map(|d| d.0).min(), all.iter().filter_map(|d| d.1).max())
        } else {
            self.leaf(row, present)?
        };
        self.known.insert(id, dates);
        Ok(dates)
    }

    fn leaf(&mut self, row: &SnapshotRow, present: (Option<Date>, Option<Date>)) -> Result<(Option<Date>, Option<Date>), String> {
        let Schedule { snapshot, duration, .. } = *self.schedule;
        let takes = row.cells[duration].shown(&snapshot.columns[duration].style);
        let mut wanted = self.wanted.get(&row.id).copied().unwrap_or_default();
        let label = snapshot.label(row);
        // A milestone has no length: its end is its start.
        if wanted.start.is_none() && days_of_duration(&takes) == Some(0.0) {
            wanted = Wanted { start: wanted.end, end: None, ..wanted };
        }
        let start = self.start(row, present.0, wanted)?;
        let Some(end) = wanted.end else {
            let moved = start != present.0;
            return Ok((start, if moved { start.and_then(|s| self.schedule.end_of(s, &takes)) } else { present.1 }));
        };
        let start_day = start.ok_or_else(|| format!("{label} has no start yet: set its start and its duration"))?;
        let (last, length) = self.schedule.length(&label, start_day, end, is_elapsed(&takes))?;
        if (start, Some(last)) != present {
            self.replanned.said.extend(length.note.clone());
            self.set(row.id, duration, Coerced { note: None, ..length });
            self.replanned.ended = true;
        }
        Ok((start, Some(last)))
    }

    /// The start of a row as it will be, by what it waits for or by what is wanted.
    fn start(&mut self, row: &SnapshotRow, present: Option<Date>, wanted: Wanted) -> Result<Option<Date>, String> {
        let Schedule { snapshot, days, predecessors, start, .. } = *self.schedule;
        let label = snapshot.label(row);
        let day = wanted.start.map(|day| days.at_or_after(day));
        let free = wanted.start.zip(day).filter(|(asked, day)| asked != day);
        let free = free.map(|(asked, day)| format!("{asked} is no working day: {label} begins on {day}."));
        let waits = predecessors.map(|at| (at, row.cells[at].to_json()));
        let list = waits.as_ref().and_then(|(_, value)| value["predecessors"].as_array()).filter(|list| !list.is_empty());
        let (Some((at, value)), Some(list)) = (&waits, list) else {
            self.replanned.said.extend(free);
            if let Some(day) = day {
                self.set(row.id, start, Coerced { value: json!(day.to_string()), shown: day.to_string(), note: None });
            }
            return Ok(day.or(present));
        };
        let (mut bases, mut moved) = (Vec::new(), false);
        for before in list {
            let other = before["rowId"].as_i64().unwrap_or_default();
            let was = snapshot.row(other).map(|r| self.schedule.present(r));
            let dates = self.dates(other)?;
            moved |= was.is_some_and(|was| was != dates);
            let base = match before["type"].as_str().unwrap_or("FS") {
                "FS" => dates.1.map(|end| days.plus(end, 1)),
                "SS" => dates.0.map(|start| days.at_or_after(start)),
                _ => None,
            };
            let lag = before["lag"]["days"].as_f64().unwrap_or_default();
            bases.push(base.map(|base| (base, days.plus(base, lag.round() as i64))));
        }
        let first = bases.iter().flatten().map(|(_, begins)| *begins).max();
        // What moves along with the rows that it waits for keeps its distance to them.
        let Some(day) = day.filter(|_| !(wanted.relative && moved)) else { return Ok(if moved { first.or(present) } else { present }) };
        self.replanned.said.extend(free);
        let Some(first) = first.filter(|_| bases.iter().all(Option::is_some)) else {
            let shown = predecessors_in_words(value, snapshot);
            return Err(format!(
                "{label} waits for other rows ({shown}) in a way that leaves its start to Smartsheet: change {} instead",
                snapshot.columns[*at].title
            ));
        };
        if first != day {
            let mut value = value.clone();
            for (i, (base, begins)) in bases.iter().flatten().enumerate() {
                // Later: behind the row that holds it up most. Earlier: behind each that would still hold it up.
                if if day > first { *begins == first } else { *begins > day } {
                    value["predecessors"][i]["lag"] = json!({ "objectType": "DURATION", "days": days.between(*base, day) as f64 });
                }
            }
            let shown = predecessors_in_words(&value, snapshot);
            self.set(row.id, *at, Coerced { value, shown, note: None });
            self.begin.push((label, day));
        }
        Ok(Some(day))
    }

    fn set(&mut self, row: i64, position: usize, value: Coerced) {
        self.replanned.cells.entry(row).or_default().push((position, value));
    }
}

/// Some of these in a sentence, and how many more there are.
fn listed(mut names: Vec<String>) -> String {
    if names.len() > LISTED {
        let more = names.len() - LISTED;
        names.truncate(LISTED);
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
