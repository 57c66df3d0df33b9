//! Makes a snapshot: rows are taken as they arrive, then laid out by column.

use super::cell::{Cell, Style};
use super::names::{RESERVED, sql_names, unique};
use super::snapshot::{Maker, Snapshot, SnapshotColumn, SnapshotRow};
use super::typed::{Typed, Values};
use super::work_days::WorkDays;
use crate::smartsheet::{AddedColumn, Column, ColumnSpec, Hyperlink, Row, Scalar, SheetHeader};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// Texts up to this length are stored once per snapshot.
const SHARED_TEXT_BYTES: usize = 48;

/// What a cell takes beside its text, here and in SQL.
const CELL_BYTES: usize = size_of::<Cell>() + 24;

/// Collects rows in arrival order.
#[derive(Default)]
pub(super) struct Builder {
    rows: Vec<RawRow>,
    texts: HashSet<Arc<str>>,
    named: HashMap<(String, String), Arc<(String, String)>>,
    styles: HashMap<i64, Style>,
    links: HashSet<String>,
    hyperlinks: HashMap<i64, Vec<(i64, Arc<Hyperlink>)>>,
    formulas: HashSet<Arc<str>>,
    text_bytes: usize,
}

struct RawRow {
    id: i64,
    parent: Option<i64>,
    number: u32,
    locked: bool,
    cells: Vec<(i64, Cell, Option<Maker>)>,
}

impl Extend<Row> for Builder {
    fn extend<I: IntoIterator<Item = Row>>(&mut self, rows: I) {
        for row in rows {
            // Not collected: that keeps the memory of the cells as they were sent, which take some five times as much.
            let mut cells = Vec::with_capacity(row.cells.len());
            cells.extend(row.cells.into_iter().map(|cell| self.cell(row.id, cell)).filter(|(_, c, m)| *c != Cell::Empty || m.is_some()));
            let locked = row.locked_for_user.unwrap_or(row.locked);
            self.rows.push(RawRow { id: row.id, parent: row.parent_id, number: row.row_number, locked, cells });
        }
    }
}

impl Builder {
    fn cell(&mut self, row: i64, cell: crate::smartsheet::Cell) -> (i64, Cell, Option<Maker>) {
        if let Some(link) = cell.hyperlink {
            self.links.extend(link.url.clone());
            self.hyperlinks.entry(row).or_default().push((cell.column_id, Arc::new(link)));
        }
        let maker = match cell.formula {
            Some(formula) => Some(Maker::Formula(self.formula(formula))),
            None => cell.link_in_from_cell.map(|_| Maker::Link),
        };
        let value = match (cell.value, cell.display_value, cell.object_value) {
            (_, shown, Some(object)) if object["values"].is_array() || object["predecessors"].is_array() => {
                Cell::Several(Arc::new((shown.unwrap_or_default(), object)))
            }
            (Scalar::Empty, _, _) => Cell::Empty,
            (Scalar::Bool(b), _, _) => Cell::Bool(b),
            (Scalar::Number(n), shown, _) => {
                let Some(own) = shown.map(|shown| Style::of_display(&shown)) else {
                    return (cell.column_id, Cell::Number(n), maker);
                };
                let usual = self.styles.entry(cell.column_id).or_insert_with(|| own.clone());
                if *usual == own { Cell::Number(n) } else { Cell::Styled(Arc::new((n, own))) }
            }
            (Scalar::Text(text), Some(shown), _) if shown != text => self.named(text, shown),
            (Scalar::Text(text), _, _) => {
                if text.starts_with("http://") || text.starts_with("https://") {
                    self.links.insert(text.clone());
                }
                Cell::Text(self.text(text))
            }
        };
        (cell.column_id, value, maker)
    }

    fn formula(&mut self, formula: String) -> Arc<str> {
        if let Some(known) = self.formulas.get(formula.as_str()) {
            return known.clone();
        }
        self.text_bytes += formula.len();
        let shared: Arc<str> = formula.into();
        self.formulas.insert(shared.clone());
        shared
    }

    fn text(&mut self, text: String) -> Arc<str> {
        if text.len() > SHARED_TEXT_BYTES {
            self.text_bytes += text.len();
            return text.into();
        }
        if let Some(known) = self.texts.get(text.as_str()) {
            return known.clone();
        }
        self.text_bytes += text.len();
        let shared: Arc<str> = text.into();
        self.texts.insert(shared.clone());
        shared
    }

    fn named(&mut self, value: String, shown: String) -> Cell {
        let entry = self.named.entry((value, shown));
        let pair = entry.key().clone();
        Cell::Named(entry.or_insert_with(|| Arc::new(pair)).clone())
    }

    pub fn finish(self, header: SheetHeader, read_at: Timestamp, zone: TimeZone) -> Snapshot {
        let names = sql_names(header.columns.iter().map(|c| c.title.as_str()));
        let position: HashMap<i64, usize> = header.columns.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        let mut columns: Vec<SnapshotColumn> =
            header.columns.into_iter().zip(names).map(|(c, sql)| column(c, sql, &self.styles, &zone)).collect();
        let parents: HashSet<i64> = self.rows.iter().filter_map(|r| r.parent).collect();
        let mut levels: HashMap<i64, u16> = HashMap::with_capacity(parents.len());
        let mut by_id = HashMap::with_capacity(self.rows.len());
        let mut rows = Vec::with_capacity(self.rows.len());
        for (i, raw) in self.rows.into_iter().enumerate() {
            let level = raw.parent.and_then(|p| levels.get(&p)).map_or(0, |l| l + 1);
            let is_parent = parents.contains(&raw.id);
            if is_parent {
                levels.insert(raw.id, level);
            }
            let mut cells = vec![Cell::Empty; columns.len()].into_boxed_slice();
            let mut makers = Vec::new();
            for (id, cell, maker) in raw.cells {
                let Some(at) = position.get(&id) else { continue };
                cells[*at] = cell;
                makers.extend(maker.map(|maker| (*at as u16, maker)));
            }
            by_id.insert(raw.id, i as u32);
            let number = if raw.number == 0 { i as u32 + 1 } else { raw.number };
            rows.push(SnapshotRow {
                id: raw.id,
                parent: raw.parent,
                number,
                level,
                is_parent,
                locked: raw.locked,
                cells,
                makers: makers.into(),
            });
        }
        for (i, column) in columns.iter_mut().enumerate() {
            if rows.iter().any(|r| matches!(r.cells[i], Cell::Styled(_))) {
                mix(column, rows.iter_mut().map(|r| &mut r.cells[i]));
            }
            column.values = Values::of(&column.kind, rows.iter().map(|r| &r.cells[i]));
            let stray = |r: &&SnapshotRow| matches!(column.typed(&r.cells[i], &zone), Typed::Stray(_));
            column.strays = u32::try_from(rows.iter().filter(stray).count()).unwrap_or(u32::MAX);
        }
        name_beside(&mut columns);
        let cells = rows.len() * columns.len();
        let placed = |(column, link): (i64, Arc<Hyperlink>)| position.get(&column).map(|at| (*at as u16, link));
        Snapshot {
            id: header.id,
            name: header.name,
            version: header.version,
            access_level: header.access_level,
            permalink: header.permalink,
            read_at,
            zone,
            project: header.dependencies_enabled.then(|| WorkDays::of(&header.project_settings)),
            columns,
            rows,
            links: self.links,
            hyperlinks: self.hyperlinks.into_iter().map(|(row, links)| (row, links.into_iter().filter_map(placed).collect())).collect(),
            size_bytes: cells * CELL_BYTES + 3 * self.text_bytes,
            by_id,
            database: Mutex::default(),
        }
    }
}

impl Snapshot {
    /// This sheet after nothing but a new column was made, which is empty; `None` when something else came between, or it
    /// is not the last column.
    pub(super) fn widened(&self, AddedColumn { column: added, version }: AddedColumn) -> Option<Self> {
        if version != self.version + 1 || added.index as usize != self.columns.len() {
            return None;
        }
        let titles = self.columns.iter().map(|c| c.title.as_str()).chain([added.title.as_str()]);
        let sql = sql_names(titles).pop()?;
        let mut columns: Vec<SnapshotColumn> = self.columns.clone();
        columns.push(column(added, sql, &HashMap::new(), &self.zone));
        name_beside(&mut columns);
        let mut rows = self.rows.clone();
        for row in &mut rows {
            row.cells = std::mem::take(&mut row.cells).into_iter().chain([Cell::Empty]).collect();
        }
        Some(Self {
            id: self.id,
            name: self.name.clone(),
            version,
            access_level: self.access_level.clone(),
            permalink: self.permalink.clone(),
            read_at: self.read_at,
            zone: self.zone.clone(),
            project: self.project.clone(),
            columns,
            rows,
            links: self.links.clone(),
            hyperlinks: self.hyperlinks.clone(),
            size_bytes: self.size_bytes + self.rows.len() * CELL_BYTES,
            by_id: self.by_id.clone(),
            database: Mutex::default(),
        })
    }
}

fn column(column: Column, sql: String, styles: &HashMap<i64, Style>, zone: &TimeZone) -> SnapshotColumn {
    let read_only = SnapshotColumn::reason_read_only(&column);
    let filled = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let spec = ColumnSpec {
        title: Some(column.title.clone()),
        kind: Some(column.kind.clone()),
        index: Some(column.index),
        options: filled(&column.options),
        symbol: column.symbol.clone(),
        validation: column.validation.then_some(true),
        description: column.description.clone(),
        width: column.width,
        hidden: column.hidden.then_some(true),
        locked: column.locked.then_some(true),
        formula: column.formula.clone(),
        format: column.format.clone(),
        system_column_type: column.system_column_type.clone(),
        auto_number_format: column.auto_number_format.clone(),
        contact_options: (!column.contact_options.is_empty()).then(|| column.contact_options.clone()),
    };
    SnapshotColumn {
        id: column.id,
        sql,
        primary: column.primary,
        style: match column.kind.as_str() {
            "DATETIME" | "ABSTRACT_DATETIME" => Style::Moment(zone.clone()),
            "DURATION" => Style::Days,
            _ => styles.get(&column.id).cloned().unwrap_or_default(),
        },
        values: Values::of(&column.kind, [].into_iter()),
        read_only,
        symbol: column.symbol,
        hidden: column.hidden,
        width: column.width,
        validation: column.validation,
        contacts: column.contact_options,
        tags: column.tags,
        spec,
        title: column.title,
        kind: column.kind,
        options: column.options,
        ..SnapshotColumn::default()
    }
}

/// Gives names to what stands beside the values of columns, without taking one from a column.
fn name_beside(columns: &mut [SnapshotColumn]) {
    let own = columns.iter().map(|c| c.sql.clone());
    let mut taken: HashSet<String> = RESERVED.iter().map(|r| (*r).to_owned()).chain(own).collect();
    for column in columns {
        let mut name = |beside: &str, is_there: bool| is_there.then(|| unique(&format!("{}_{beside}", column.sql), &mut taken));
        column.email_sql = name("email", column.is_contact());
        column.names_sql = name("names", column.kind == "PREDECESSOR");
        column.moment_sql = name("time", column.values == Values::Moment);
        column.text_sql = name("text", column.strays > 0);
    }
}

/// The numbers of a column look in different ways: those of the column as they are, and each of the others for itself.
fn mix<'a>(column: &mut SnapshotColumn, cells: impl Iterator<Item = &'a mut Cell>) {
    let usual = std::mem::take(&mut column.style);
    for cell in cells {
        match cell {
            Cell::Number(n) if usual != Style::Plain => *cell = Cell::Styled(Arc::new((*n, usual.clone()))),
            Cell::Styled(styled) if styled.1 == Style::Plain => *cell = Cell::Number(styled.0),
            _ => {}
        }
    }
}

/// A snapshot of a sheet as `GET /sheets/{id}` answers it.
#[cfg(test)]
pub(super) fn snapshot_of(sheet: &serde_json::Value) -> Snapshot {
    let mut builder = Builder::default();
    let read =
        crate::smartsheet::read_sheet(sheet.to_string().as_bytes(), &mut |_| true, &mut |row| builder.extend([row])).expect("a sheet");
    let crate::smartsheet::Read::Sheet(header) = read else { panic!("a sheet") };
    builder.finish(header, Timestamp::UNIX_EPOCH, TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_of_one_column_may_look_in_different_ways() {
        let row = |id: i64, value: f64, shown: &str| json!({ "id": id, "rowNumber": id, "cells": [{ "columnId": 10, "value": value, "displayValue": shown }] });
        let sheet = json!({
            "id": 1, "name": "KPI", "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER",
            "columns": [{ "id": 10, "index": 0, "title": "Value", "type": "TEXT_NUMBER", "primary": true }],
            "rows": [row(1, 1.0, "100%"), row(2, 10.0, "10"), row(3, 0.45, "45%"), row(4, 1_000.0, "$1,000")],
        });
        let snapshot = snapshot_of(&sheet);
        let column = &snapshot.columns[0];
        let shown: Vec<String> = snapshot.rows.iter().map(|r| r.cells[0].shown(&column.style)).collect();
        assert_eq!(shown, ["100%", "10", "45%", "$1,000"], "each as people see it in the sheet");
        assert!(column.style == Style::Plain && column.is_numeric(), "and together as they are");
    }
}
