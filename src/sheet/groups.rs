//! Indexes for columns that people group by again and again.

use super::query::authorize;
use super::snapshot::Snapshot;
use super::sql::Checked;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, Error};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Indexes of a sheet; each takes about as much memory as its columns.
const MOST_INDEXES: usize = 3;
/// Columns of an index, beside the one that is grouped by.
const MOST_COLUMNS: usize = 4;
/// Queries that are remembered.
const MOST_QUERIES: usize = 1_000;
/// Smaller sheets are read through in less than a millisecond.
const LEAST_ROWS: usize = 2_000;

/// Holds for every row, and stands in the condition of queries that group by this column: its indexes are for those alone. Others would
/// find their rows in another order than that of the sheet.
pub(super) fn marker(column: usize) -> String {
    format!("level >= -{column}")
}

/// A sheet as a table of SQLite, and what was asked of it.
pub(super) struct Loaded {
    pub connection: Connection,
    /// How often rows were grouped by a column.
    asked: HashMap<usize, usize>,
    /// Queries that an index was looked for already.
    known: HashSet<String>,
    /// What each index holds, by the column that it begins with.
    indexes: Vec<(usize, BTreeSet<String>)>,
}

impl Loaded {
    pub fn new(connection: Connection) -> Self {
        Self { connection, asked: HashMap::new(), known: HashSet::new(), indexes: Vec::new() }
    }

    /// Makes an index that holds all that a query reads, when rows are grouped by its column for the second time.
    pub fn prepare_for(&mut self, snapshot: &Snapshot, checked: &Checked) -> Result<(), Error> {
        let [column] = checked.grouped[..] else { return Ok(()) };
        let asked = self.asked.entry(column).or_default();
        *asked += 1;
        if *asked < 2 || snapshot.rows.len() < LEAST_ROWS || self.indexes.len() == MOST_INDEXES || self.known.contains(&checked.sql) {
            return Ok(());
        }
        if self.known.len() == MOST_QUERIES {
            self.known.clear();
        }
        self.known.insert(checked.sql.clone());
        let key = &snapshot.columns[column].sql;
        let mut read = self.columns_read_by(&checked.sql)?;
        read.remove(key);
        read.remove("row_number");
        if read.len() > MOST_COLUMNS || self.indexes.iter().any(|(of, held)| *of == column && read.is_subset(held)) {
            return Ok(());
        }
        // What stands for a group is in its first row, as it is without an index.
        let columns: Vec<String> =
            [key.as_str(), "row_number"].into_iter().chain(read.iter().map(String::as_str)).map(|name| format!("\"{name}\"")).collect();
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
        let name = self.indexes.len();
        let made = self.connection.execute_batch(&format!(
            "PRAGMA query_only=OFF; CREATE INDEX \"grouped {name}\" ON sheet ({}) WHERE {}; PRAGMA query_only=ON;",
            columns.join(", "),
            marker(column)
        ));
        self.indexes.push((column, read));
        made
    }

    /// The columns of the sheet that a query reads.
    fn columns_read_by(&self, sql: &str) -> Result<BTreeSet<String>, Error> {
        let read: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let seen = read.clone();
        self.connection.authorizer(Some(move |context: AuthContext<'_>| {
            if let AuthAction::Read { table_name: "sheet", column_name } = context.action
                && !column_name.is_empty()
            {
                seen.lock().unwrap_or_else(PoisonError::into_inner).insert(column_name.to_owned());
            }
            authorize(context)
        }))?;
        self.connection.prepare(sql)?;
        let read = std::mem::take(&mut *read.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::snapshot_of;
    use super::super::sql::check;
    use super::*;
    use jiff::civil::datetime;
    use serde_json::{Value, json};

    /// Rows whose groups are written in several ways, with gaps; the numbers are whole, so that their sum has no order.
    fn sheet(rows: usize) -> Snapshot {
        let columns = [("Name", "TEXT_NUMBER"), ("Team", "PICKLIST"), ("Cost", "TEXT_NUMBER"), ("Due", "DATE"), ("Done", "CHECKBOX")];
        let columns: Vec<Value> =
            (0..).zip(columns).map(|(i, (t, k))| json!({ "id": i, "index": i, "title": t, "type": k, "primary": i == 0 })).collect();
        let teams = ["North", "north", " NORTH", "Süd", "SÜD", "East", ""];
        let row = |n: usize| {
            // A walk through all residues that is not in step with any of the lists.
            let at = n * 7_919 + n / 3;
            let values = [
                json!(format!("task {n}")),
                json!(teams[at % 7]),
                json!(at % 1_000),
                json!(format!("2026-{:02}-{:02}", 1 + at % 12, 1 + at % 28)),
                json!(at.is_multiple_of(5)),
            ];
            let cells: Vec<Value> =
                (0..).zip(values).filter(|(_, v)| *v != json!("")).map(|(i, value)| json!({ "columnId": i, "value": value })).collect();
            json!({ "id": n + 1, "rowNumber": n + 1, "cells": cells })
        };
        let rows: Vec<Value> = (0..rows).map(row).collect();
        snapshot_of(
            &json!({ "id": 1, "name": "Plan", "version": 1, "permalink": "https://x.test", "accessLevel": "OWNER", "columns": columns, "rows": rows }),
        )
    }

    #[test]
    fn an_answer_is_the_same_with_an_index_and_without() {
        let queries = [
            "SELECT team, sum(cost), count(*) FROM sheet GROUP BY team",
            "SELECT team, count(*) AS n FROM leaf WHERE cost > 250 GROUP BY team ORDER BY n DESC, team",
            "SELECT team, min(due), max(due), avg(cost) FROM sheet WHERE done GROUP BY team HAVING count(*) > 10",
            "SELECT due, name, count(*) FROM sheet GROUP BY due",
            "SELECT team, median(cost) FROM sheet GROUP BY 1 ORDER BY 2 DESC",
            "SELECT count(*) FROM (SELECT team FROM sheet GROUP BY team)",
            "SELECT done, sum(cost) FROM sheet WHERE team LIKE 'n%' OR done GROUP BY done",
            "SELECT group_concat(name) FROM sheet WHERE cost < 20",
            "SELECT due, name, group_concat(name) FROM sheet WHERE team IN ('North', 'East') GROUP BY due",
            "SELECT cost, name, group_concat(team) FROM sheet WHERE due BETWEEN '2026-03-01' AND '2026-06-30' GROUP BY cost",
            "SELECT team, name, count(*) FROM sheet WHERE due > '2026-10-01' AND cost < 300 GROUP BY team",
            "SELECT name, cost FROM sheet WHERE team = 'North' LIMIT 7",
            "SELECT team, group_concat(name) FROM sheet WHERE cost < 20 GROUP BY team",
        ];
        let now = datetime(2026, 11, 29, 10, 30, 0, 0);
        let answer = |sheet: &Snapshot, sql: &str| {
            let result = sheet.query(&check(sql, sheet, now).unwrap(), 500).unwrap();
            (result.rows, result.total, result.notes)
        };
        let (plain, indexed) = (sheet(LEAST_ROWS - 1), sheet(LEAST_ROWS + 500));
        for sql in queries {
            let first = answer(&indexed, sql);
            for _ in 0..3 {
                assert_eq!(answer(&indexed, sql), first, "{sql}");
                answer(&plain, sql);
            }
        }
        // What was asked before there was an index, once more.
        let fresh = sheet(LEAST_ROWS + 500);
        for sql in queries {
            assert_eq!(answer(&indexed, sql), answer(&fresh, sql), "{sql}");
        }
        let made = |sheet: &Snapshot| sheet.database.lock().unwrap().as_ref().unwrap().indexes.clone();
        assert_eq!(made(&plain), Vec::new(), "small sheets have none");
        assert_eq!(made(&indexed).len(), MOST_INDEXES, "{:?}", made(&indexed));
        let plan: Vec<String> = {
            let database = indexed.database.lock().unwrap();
            let connection = &database.as_ref().unwrap().connection;
            connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", check(queries[0], &indexed, now).unwrap().sql)).unwrap();
            explain.query_map([], |row| row.get("detail")).unwrap().collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(plan, ["SCAN sheet USING COVERING INDEX grouped 0"]);
    }
}
