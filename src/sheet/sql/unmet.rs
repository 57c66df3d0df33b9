//! Conditions that no row meets: which of the parts that `AND` joins it is, and what there is instead.

use super::super::snapshot::{Snapshot, SnapshotColumn};
use super::super::typed::{Typed, Values};
use super::left_out::RowNumbers;
use super::read::Reader;
use super::{SqlError, Table, words};
use jiff::civil::Date;
use rusqlite::Connection;
use sqlparser::ast::{BinaryOperator, Expr};

/// Parts of a condition that are tried alone.
const MOST_PARTS: usize = 6;

/// A part of the condition of the outermost `SELECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Demand {
    /// What it says.
    words: String,
    /// Brings a row where one meets it.
    sql: String,
    /// The columns that it names.
    columns: Vec<usize>,
    /// Whether it is asked of rows without children alone.
    leaf: bool,
}

impl Reader<'_> {
    /// Notes the rows that a condition holds for, and its parts that `AND` joins, each with the query that tries it alone.
    pub fn note_demands(&mut self, condition: &Expr, from: &str) -> Result<(), SqlError> {
        let source = self.scopes.last().and_then(|scope| if let [one] = scope.sources.as_slice() { Some(one) } else { None });
        let Some(table) = source.filter(|one| one.row_numbers() == Some(RowNumbers::Own)).map(|one| one.table) else { return Ok(()) };
        let whole = self.expr(condition)?;
        let with = self.with();
        self.touched = Some(format!("{with}SELECT row_number FROM {from} WHERE {} ORDER BY row_number", whole.sql));
        let mut parts = Vec::new();
        conjuncts(condition, &mut parts);
        if parts.len() > MOST_PARTS {
            return Ok(());
        }
        for part in parts {
            let read = self.expr(part)?;
            let columns =
                (0..self.snapshot.columns.len()).filter(|at| read.sql.contains(&super::read::name(&self.snapshot.columns[*at].sql)));
            let (words, columns) = (read.words.clone(), columns.collect());
            self.demands.push(Demand {
                words,
                sql: format!("{with}SELECT 1 FROM {from} WHERE {} LIMIT 1", read.sql),
                columns,
                leaf: table == Table::Leaf,
            });
        }
        Ok(())
    }
}

fn conjuncts<'a>(condition: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match condition {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        Expr::Nested(inner) => conjuncts(inner, parts),
        part => parts.push(part),
    }
}

impl Snapshot {
    /// Why a condition has no rows: the parts that no row meets alone, with what there is; or that only all of them together have none.
    pub(in super::super) fn unmet(&self, database: &Connection, demands: &[Demand]) -> Result<Vec<String>, rusqlite::Error> {
        let mut unmet = Vec::new();
        for demand in demands {
            if database.prepare(&demand.sql)?.exists([])? {
                continue;
            }
            // Of texts that no cell holds the nearest are told.
            let column = if let [at] = demand.columns.as_slice() { Some(&self.columns[*at]) } else { None };
            if column.is_some_and(|c| matches!(c.values, Values::Text | Values::People)) {
                return Ok(Vec::new());
            }
            let there = column.and_then(|column| self.range(column, demand.leaf)).map(|range| format!("; {range}")).unwrap_or_default();
            unmet.push(format!("no row meets “{}”{there}", demand.words));
        }
        if unmet.is_empty() && demands.len() > 1 {
            let all: Vec<&str> = demands.iter().map(|demand| demand.words.as_str()).collect();
            unmet.push(format!("some rows meet each of these, but no row meets all: {}", all.join("; ")));
        }
        Ok(unmet)
    }

    /// From where to where the values of a column go: “Budget goes from $500 to $48,000”.
    fn range(&self, column: &SnapshotColumn, leaf: bool) -> Option<String> {
        let at = self.columns.iter().position(|c| c.id == column.id)?;
        let (mut numbers, mut days): (Vec<f64>, Vec<Date>) = (Vec::new(), Vec::new());
        for row in self.rows.iter().filter(|row| !leaf || !row.is_parent) {
            match column.typed(&row.cells[at], &self.zone) {
                Typed::Number(n) => numbers.push(n),
                Typed::Day(day) => days.push(day),
                Typed::Moment(moment) => days.push(moment.date()),
                _ => {}
            }
        }
        numbers.sort_by(f64::total_cmp);
        days.sort();
        let title = &column.title;
        match (numbers.as_slice(), days.as_slice()) {
            ([first, .., last], _) => Some(format!("{title} goes from {} to {}", column.style.show(*first), column.style.show(*last))),
            ([one], _) => Some(format!("{title} is {} in the one row that has it", column.style.show(*one))),
            (_, [first, .., last]) => Some(format!("{title} goes from {} to {}", words::civil_day(*first), words::civil_day(*last))),
            (_, [one]) => Some(format!("{title} is {} in the one row that has it", words::civil_day(*one))),
            ([], []) => Some(format!("{title} is empty")),
        }
    }
}
