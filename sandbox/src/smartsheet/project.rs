//! Project sheets: dates carry the times of the working day, ends follow from starts and durations, rows from the rows they wait for, and
//! parents from the rows below them.

use super::error::Failure;
use super::world::{Column, Sheet};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const MORNING: &str = "T08:00:00";
const EVENING: &str = "T16:59:59";

/// What a column of a project sheet is for.
pub(super) fn has_tag(column: &Column, tag: &str) -> bool {
    column.extra.get("tags").and_then(Value::as_array).is_some_and(|tags| tags.iter().any(|t| t == tag))
}

/// The columns of a plan.
struct Plan {
    start: i64,
    end: i64,
    duration: i64,
    predecessors: Option<i64>,
    complete: Option<i64>,
}

impl Plan {
    fn of(sheet: &Sheet) -> Option<Self> {
        let tagged = |tag: &str| sheet.columns.iter().find(|c| has_tag(c, tag)).map(|c| c.id);
        Some(Self {
            start: tagged("GANTT_START_DATE")?,
            end: tagged("GANTT_END_DATE")?,
            duration: tagged("GANTT_DURATION")?,
            predecessors: tagged("GANTT_PREDECESSOR"),
            complete: tagged("GANTT_PERCENT_COMPLETE"),
        })
    }
}

/// Why a cell of this column cannot be written in a project sheet, for a row that may have children.
pub(super) fn refuses(column: &Column, has_children: bool) -> Option<Failure> {
    if has_tag(column, "GANTT_END_DATE") {
        let words =
            "End Dates on dependency-enabled sheets cannot be created/updated. Please update either the Duration or Start Date column.";
        return Some(Failure::new(1080, words));
    }
    let rolled_up = ["GANTT_START_DATE", "GANTT_DURATION", "GANTT_PERCENT_COMPLETE"].iter().any(|tag| has_tag(column, tag));
    (has_children && rolled_up).then(|| Failure::new(1081, "Start Dates, Durations and % Complete of a parent row cannot be updated."))
}

/// Computes ends, starts of rows that wait, and what parents roll up.
pub(super) fn recompute(sheet: &mut Sheet) {
    let Some(plan) = Plan::of(sheet) else { return };
    let holidays = sheet.holidays.clone();
    let days = Days(&holidays);
    let parents: Vec<i64> = sheet.rows.iter().filter_map(|r| r.parent).collect();
    // A chain of rows that wait for each other settles after as many passes as it has rows.
    for _ in 0..sheet.rows.len().min(50) {
        let before: Vec<_> = sheet.rows.iter().map(|r| (r.cells.get(&plan.start).cloned(), r.cells.get(&plan.end).cloned())).collect();
        let dates: BTreeMap<i64, (Option<Date>, Option<Date>)> =
            sheet.rows.iter().map(|r| (r.id, (day(r.cells.get(&plan.start)), day(r.cells.get(&plan.end))))).collect();
        for row in sheet.rows.iter_mut().filter(|r| !parents.contains(&r.id)) {
            if let Some(earliest) = plan.predecessors.and_then(|p| earliest(row.cells.get(&p), &dates, &days)) {
                row.cells.insert(plan.start, moment(earliest, MORNING));
            }
            let start = day(row.cells.get(&plan.start)).map(|start| days.worked(start, 0));
            row.cells.extend(start.map(|start| (plan.start, moment(start, MORNING))));
            let duration = row.cells.get(&plan.duration).and_then(|c| c.get("value")).and_then(Value::as_str).unwrap_or_default();
            match (start, days_of(duration)) {
                (Some(start), Some(takes)) => {
                    let more = takes.ceil().max(1.0) as i64 - 1;
                    let elapsed = duration.trim_start_matches('~').starts_with('e');
                    let end = if elapsed { start.saturating_add(more.days()) } else { days.worked(start, more) };
                    row.cells.insert(plan.end, moment(end, EVENING));
                }
                _ => {
                    row.cells.remove(&plan.end);
                }
            }
        }
        let after: Vec<_> = sheet.rows.iter().map(|r| (r.cells.get(&plan.start).cloned(), r.cells.get(&plan.end).cloned())).collect();
        if before == after {
            break;
        }
    }
    roll_up(sheet, &plan, &parents, &days);
}

/// What a parent needs to know of a child: start, end, share done.
type Child = (Option<Date>, Option<Date>, f64);

fn roll_up(sheet: &mut Sheet, plan: &Plan, parents: &[i64], days: &Days<'_>) {
    let mut below: BTreeMap<i64, Vec<Child>> = BTreeMap::new();
    for row in sheet.rows.iter_mut().rev() {
        if parents.contains(&row.id) {
            let children = below.remove(&row.id).unwrap_or_default();
            let start = children.iter().filter_map(|c| c.0).min();
            let end = children.iter().filter_map(|c| c.1).max();
            if let (Some(start), Some(end)) = (start, end) {
                row.cells.insert(plan.start, moment(start, MORNING));
                row.cells.insert(plan.end, moment(end, EVENING));
                row.cells.insert(plan.duration, shown(&format!("{}d", days.count(start, end))));
            }
            if let (Some(complete), false) = (plan.complete, children.is_empty()) {
                let share = children.iter().map(|c| c.2).sum::<f64>() / children.len() as f64;
                let share = (share * 100.0).round() / 100.0;
                let cell = json!({ "value": share, "displayValue": format!("{}%", (share * 100.0).round()) });
                row.cells.extend(cell.as_object().cloned().map(|c| (complete, c)));
            }
        }
        if let Some(parent) = row.parent {
            let complete = plan.complete.and_then(|c| row.cells.get(&c)).and_then(|c| c.get("value")).and_then(Value::as_f64);
            let (start, end) = (day(row.cells.get(&plan.start)), day(row.cells.get(&plan.end)));
            below.entry(parent).or_default().push((start, end, complete.unwrap_or(0.0)));
        }
    }
}

/// The first day that a row may start on, by the rows whose end or start it waits for.
fn earliest(cell: Option<&Map<String, Value>>, dates: &BTreeMap<i64, (Option<Date>, Option<Date>)>, days: &Days<'_>) -> Option<Date> {
    let list = cell?.get("objectValue")?.get("predecessors")?.as_array()?;
    let after = |p: &Value| {
        let (start, end) = dates.get(&p["rowId"].as_i64()?)?;
        let lag = p["lag"]["days"].as_f64().unwrap_or(0.0) as i64;
        match p["type"].as_str()? {
            "FS" => Some(days.worked(days.worked((*end)?, 1), lag)),
            "SS" => Some(days.worked((*start)?, lag)),
            _ => None,
        }
    };
    list.iter().filter_map(after).max()
}

/// The text of predecessors by the numbers of their rows.
pub(super) fn predecessors_text(sheet: &Sheet, object: &Value) -> Option<String> {
    let list = object["predecessors"].as_array()?;
    let one = |p: &Value| {
        let number = sheet.position(p["rowId"].as_i64()?)? + 1;
        let kind = p["type"].as_str().unwrap_or("FS");
        Some(match p["lag"]["days"].as_f64().filter(|d| *d != 0.0) {
            Some(days) => format!("{number}{kind} {}{}d", if days < 0.0 { "-" } else { "+" }, days.abs()),
            None if kind == "FS" => number.to_string(),
            None => format!("{number}{kind}"),
        })
    };
    list.iter().map(one).collect::<Option<Vec<_>>>().map(|all| all.join(", "))
}

/// Days of a duration such as `5d`, `1w 2d` or `4h`.
pub(super) fn days_of(text: &str) -> Option<f64> {
    let mut days = 0.0;
    let text = text.trim().trim_start_matches(['~', 'e']);
    if text.is_empty() {
        return None;
    }
    for part in text.split_whitespace() {
        let split = part.find(char::is_alphabetic).unwrap_or(part.len());
        let number: f64 = part[..split].parse().ok()?;
        days += match &part[split..] {
            "w" => number * 5.0,
            "" | "d" => number,
            "h" => number / 8.0,
            "m" => number / 480.0,
            _ => return None,
        };
    }
    Some(days)
}

/// A day as the start of work.
pub(super) fn moment_of(text: &str) -> Option<Map<String, Value>> {
    Some(moment(text.get(..10)?.parse().ok()?, MORNING))
}

fn moment(day: Date, time: &str) -> Map<String, Value> {
    Map::from_iter([("value".to_owned(), json!(format!("{day}{time}")))])
}

pub(super) fn shown(text: &str) -> Map<String, Value> {
    Map::from_iter([("value".to_owned(), json!(text)), ("displayValue".to_owned(), json!(text))])
}

fn day(cell: Option<&Map<String, Value>>) -> Option<Date> {
    cell?.get("value")?.as_str()?.get(..10)?.parse().ok()
}

/// Mondays to Fridays without these holidays.
struct Days<'a>(&'a [Date]);

impl Days<'_> {
    fn are_worked(&self, day: Date) -> bool {
        !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !self.0.contains(&day)
    }

    fn next(&self, mut day: Date, step: i64) -> Date {
        while !self.are_worked(day) {
            day = day.saturating_add(step.days());
        }
        day
    }

    /// The day so many working days later, or earlier.
    fn worked(&self, day: Date, days: i64) -> Date {
        let step = if days < 0 { -1 } else { 1 };
        let mut day = self.next(day, step);
        for _ in 0..days.abs().min(5_000) {
            day = self.next(day.saturating_add(step.days()), step);
        }
        day
    }

    fn count(&self, start: Date, end: Date) -> usize {
        start.series(1.day()).take_while(|day| *day <= end).filter(|day| self.are_worked(*day)).count()
    }
}
