//! Makes a snapshot: rows are taken as they arrive, then laid out by column; copied into SQL when somebody queries them.

use super::names::sql_names;
use super::snapshot::{Snapshot, SnapshotColumn, SnapshotRow};
use super::value::{Cell, Style};
use crate::smartsheet::{AddedColumn, Column, ColumnSpec, Row, Scalar, SheetHeader};
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::limits::Limit;
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
    hyperlinks: HashMap<i64, Vec<(i64, Arc<str>)>>,
    text_bytes: usize,
}

struct RawRow {
    id: i64,
    parent: Option<i64>,
    number: u32,
    locked: bool,
    cells: Vec<(i64, Cell, bool)>,
}

impl Extend<Row> for Builder {
    fn extend<I: IntoIterator<Item = Row>>(&mut self, rows: I) {
        for row in rows {
            let cells = row.cells.into_iter().map(|cell| self.cell(row.id, cell)).filter(|(_, c, f)| *c != Cell::Empty || *f).collect();
            self.rows.push(RawRow { id: row.id, parent: row.parent_id, number: row.row_number, locked: row.locked, cells });
        }
    }
}

impl Builder {
    fn cell(&mut self, row: i64, cell: crate::smartsheet::Cell) -> (i64, Cell, bool) {
        if let Some(url) = cell.hyperlink.and_then(|h| h.url) {
            self.hyperlinks.entry(row).or_default().push((cell.column_id, url.as_str().into()));
            self.links.insert(url);
        }
        let value = match (cell.value, cell.display_value, cell.object_value) {
            (_, shown, Some(object)) if object["values"].is_array() => Cell::Several(Arc::new((shown.unwrap_or_default(), object))),
            (Scalar::Empty, _, _) => Cell::Empty,
            (Scalar::Bool(b), _, _) => Cell::Bool(b),
            (Scalar::Number(n), shown, _) => {
                let Some(own) = shown.map(|shown| Style::of_display(&shown)) else {
                    return (cell.column_id, Cell::Number(n), cell.formula.is_some());
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
        (cell.column_id, value, cell.formula.is_some())
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

    pub fn finish(self, header: SheetHeader, read_at: Timestamp) -> Snapshot {
        let names = sql_names(header.columns.iter().map(|c| c.title.as_str()));
        let position: HashMap<i64, usize> = header.columns.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        let mut columns: Vec<SnapshotColumn> = header.columns.into_iter().zip(names).map(|(c, sql)| column(c, sql, &self.styles)).collect();
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
            let mut formulas = Vec::new();
            for (id, cell, formula) in raw.cells {
                let Some(at) = position.get(&id) else { continue };
                cells[*at] = cell;
                if formula {
                    formulas.push(*at as u16);
                }
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
                formulas: formulas.into(),
            });
        }
        for (i, column) in columns.iter_mut().enumerate() {
            if rows.iter().any(|r| matches!(r.cells[i], Cell::Styled(_))) {
                mix(column, rows.iter_mut().map(|r| &mut r.cells[i]));
            }
            let numbers = rows.iter().filter(|r| r.cells[i].number().is_some()).count();
            let filled = rows.iter().filter(|r| r.cells[i] != Cell::Empty).count();
            column.numeric = column.kind == "TEXT_NUMBER" && numbers > 0 && numbers * 2 > filled;
        }
        let cells = rows.len() * columns.len();
        let placed = |(column, url): (i64, Arc<str>)| position.get(&column).map(|at| (*at as u16, url));
        Snapshot {
            id: header.id,
            name: header.name,
            version: header.version,
            access_level: header.access_level,
            permalink: header.permalink,
            read_at,
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
            columns: self.columns.iter().cloned().chain([column(added, sql, &HashMap::new())]).collect(),
            rows,
            links: self.links.clone(),
            hyperlinks: self.hyperlinks.clone(),
            size_bytes: self.size_bytes + self.rows.len() * CELL_BYTES,
            by_id: self.by_id.clone(),
            database: Mutex::default(),
        })
    }
}

fn column(column: Column, sql: String, styles: &HashMap<i64, Style>) -> SnapshotColumn {
    let read_only = SnapshotColumn::reason_read_only(&column);
    let options = (!column.options.is_empty()).then(|| column.options.clone());
    SnapshotColumn {
        id: column.id,
        sql,
        primary: column.primary,
        numeric: false,
        style: match column.kind.as_str() {
            "DATETIME" | "ABSTRACT_DATETIME" => Style::Moment,
            _ => styles.get(&column.id).cloned().unwrap_or_default(),
        },
        read_only,
        symbol: column.symbol,
        hidden: column.hidden,
        width: column.width,
        spec: ColumnSpec { title: Some(column.title.clone()), kind: Some(column.kind.clone()), index: Some(column.index), options },
        title: column.title,
        kind: column.kind,
        options: column.options,
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

/// Table `sheet` with every row, view `leaf` with the rows that have no children.
pub(super) fn load(columns: &[SnapshotColumn], rows: &[SnapshotRow]) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;")?;
    let mut names =
        vec!["row_id INTEGER PRIMARY KEY".to_owned(), "parent_id".into(), "level".into(), "row_number".into(), "is_parent".into()];
    for column in columns {
        names.push(format!("\"{}\"", column.sql));
        if column.is_contact() {
            names.push(format!("\"{}_email\"", column.sql));
        }
    }
    connection.execute_batch(&format!(
        "CREATE TABLE sheet ({}); CREATE VIEW leaf AS SELECT * FROM sheet WHERE is_parent = 0; BEGIN",
        names.join(", ")
    ))?;
    let marks = vec!["?"; names.len()].join(", ");
    {
        let mut insert = connection.prepare(&format!("INSERT INTO sheet VALUES ({marks})"))?;
        for row in rows {
            let mut at = 0;
            let mut next = || {
                at += 1;
                at
            };
            insert.raw_bind_parameter(next(), row.id)?;
            insert.raw_bind_parameter(next(), row.parent)?;
            insert.raw_bind_parameter(next(), row.level)?;
            insert.raw_bind_parameter(next(), row.number)?;
            insert.raw_bind_parameter(next(), row.is_parent)?;
            for (column, cell) in columns.iter().zip(&row.cells) {
                let contact = column.is_contact();
                match cell {
                    Cell::Styled(styled) if styled.0.fract() == 0.0 && styled.0.abs() < 9e15 => {
                        insert.raw_bind_parameter(next(), styled.0 as i64)?;
                    }
                    Cell::Styled(styled) => insert.raw_bind_parameter(next(), styled.0)?,
                    Cell::Empty => insert.raw_bind_parameter(next(), None::<i64>)?,
                    Cell::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => insert.raw_bind_parameter(next(), *n as i64)?,
                    Cell::Number(n) => insert.raw_bind_parameter(next(), n)?,
                    Cell::Bool(b) => insert.raw_bind_parameter(next(), b)?,
                    Cell::Text(t) => insert.raw_bind_parameter(next(), &**t)?,
                    Cell::Named(named) => insert.raw_bind_parameter(next(), &named.1)?,
                    Cell::Several(several) => insert.raw_bind_parameter(next(), &several.0)?,
                }
                match cell {
                    Cell::Named(named) if contact => insert.raw_bind_parameter(next(), &named.0)?,
                    Cell::Text(t) if contact => insert.raw_bind_parameter(next(), &**t)?,
                    _ if contact => insert.raw_bind_parameter(next(), None::<i64>)?,
                    _ => {}
                }
            }
            insert.raw_execute()?;
        }
    }
    connection.execute_batch("COMMIT; PRAGMA query_only=ON; PRAGMA case_sensitive_like=OFF;")?;
    // No value that a query makes up may be larger than a row of a sheet can be.
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 4_000_000)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smartsheet::{Read, read_sheet};
    use serde_json::json;

    #[test]
    fn numbers_of_one_column_may_look_in_different_ways() {
        let row = |id: i64, value: f64, shown: &str| json!({ "id": id, "rowNumber": id, "cells": [{ "columnId": 10, "value": value, "displayValue": shown }] });
        let sheet = json!({
            "id": 1, "name": "KPI", "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER",
            "columns": [{ "id": 10, "index": 0, "title": "Value", "type": "TEXT_NUMBER", "primary": true }],
            "rows": [row(1, 1.0, "100%"), row(2, 10.0, "10"), row(3, 0.45, "45%"), row(4, 1_000.0, "$1,000")],
        });
        let mut builder = Builder::default();
        let read = read_sheet(sheet.to_string().as_bytes(), &mut |row| builder.extend([row])).expect("a sheet");
        let Read::Sheet(header) = read else { panic!("a sheet") };
        let snapshot = builder.finish(header, Timestamp::UNIX_EPOCH);
        let column = &snapshot.columns[0];
        let shown: Vec<String> = snapshot.rows.iter().map(|r| r.cells[0].shown(&column.style)).collect();
        assert_eq!(shown, ["100%", "10", "45%", "$1,000"], "each as people see it in the sheet");
        assert!(column.style == Style::Plain && column.numeric, "and together as they are");
    }
}
