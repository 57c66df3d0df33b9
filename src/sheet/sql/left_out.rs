//! What a query leaves out: texts in columns of numbers, days or boxes, and empty cells where a condition says what they are not.

use super::Table;
use super::read::{Part, PassedOver, Read, Reader, name};

/// A column whose texts something leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Use {
    pub column: usize,
    /// Only in rows that this holds for.
    pub filter: Option<String>,
    /// What becomes of them.
    pub become_of: Fate,
}

/// What becomes of the texts of a column of numbers, days or boxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are left out.
    Out,
    /// Something stands in for them, as in `COALESCE(x, 0)`.
    Instead(String),
    /// They are what is not named, as behind `ELSE`.
    Otherwise,
}

/// Where something is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Why {
    /// A figure is made without it.
    Figure,
    /// The condition does not hold for it, whatever it says.
    Condition,
    /// It stands behind the others.
    Order,
    /// Something stands in for it.
    Instead(String),
    /// It falls under what is not named.
    Otherwise,
    /// Its cell is empty, and the condition says what it is not.
    Blank,
    /// Its cell is empty, and falls under what is not named.
    BlankOtherwise,
    /// It is not known in which rows.
    Somewhere,
}

/// What may be left out: a query brings the numbers of the rows for which it is so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct LeftOut {
    pub column: usize,
    pub why: Why,
    pub sql: String,
}

impl Use {
    /// Texts of this column that are left out.
    pub fn of(column: usize) -> Self {
        Self { column, filter: None, become_of: Fate::Out }
    }

    pub fn only_where(&mut self, condition: &str) {
        self.filter = Some(match self.filter.take() {
            Some(before) => format!("{before} AND ({condition})"),
            None => format!("({condition})"),
        });
    }
}

/// The parts of one `SELECT` that may leave something out.
pub(super) struct Parts<'a> {
    pub condition: Option<&'a Read>,
    pub figures: &'a [Read],
    pub order: &'a [Read],
    /// What stands behind `FROM`, and which rows that are; only of one table can be told which rows were left out.
    pub from: &'a str,
    pub table: Table,
    pub alias: &'a str,
    /// Whether a name of an outer query stands in it.
    pub correlated: bool,
}

impl Reader<'_> {
    /// Notes what this `SELECT` may leave out.
    pub fn note_left_out(&mut self, parts: &Parts<'_>) {
        let condition = parts.condition.map(|c| format!("({})", c.sql));
        let holds = condition.clone().unwrap_or_else(|| "1".into());
        let unknown = condition.map(|c| format!("{c} IS NULL"));
        let in_condition = parts.condition.into_iter().flat_map(|c| &c.uses);
        for (why, rows, uses) in [
            (Why::Condition, unknown.as_deref().unwrap_or("0"), in_condition.collect::<Vec<_>>()),
            (Why::Figure, holds.as_str(), parts.figures.iter().flat_map(|f| &f.uses).collect()),
            (Why::Order, holds.as_str(), parts.order.iter().flat_map(|f| &f.uses).collect()),
        ] {
            for one in uses {
                let Some(texts) = self.snapshot.columns[one.column].text_sql.clone() else { continue };
                let is_text = format!("{}.{} IS NOT NULL", name(parts.alias), name(&texts));
                let filter = one.filter.as_ref().filter(|_| why != Why::Condition).map(|f| format!(" AND {f}")).unwrap_or_default();
                // What something stands in for is compared, too, whether the condition holds then or not.
                let rows = if why == Why::Condition && one.become_of != Fate::Out { "1" } else { rows };
                let why = match &one.become_of {
                    Fate::Out => why.clone(),
                    Fate::Instead(other) => Why::Instead(other.clone()),
                    Fate::Otherwise => Why::Otherwise,
                };
                self.add_left_out(parts, one.column, why, &format!("{is_text} AND {rows}{filter}"));
            }
        }
        for column in parts.condition.into_iter().flat_map(|c| &c.blanks) {
            let empty = self.is_blank(parts.alias, *column);
            if let (Some(unknown), Table::Sheet | Table::Leaf, false) = (&unknown, parts.table, parts.correlated) {
                self.add_left_out(parts, *column, Why::Blank, &format!("{empty} AND {unknown}"));
            }
        }
        self.note_passed_over(parts, &holds);
    }

    /// Notes empty cells that a condition inside a figure passes over, of the rows that the query is about.
    fn note_passed_over(&mut self, parts: &Parts<'_>, holds: &str) {
        let all: Vec<PassedOver> = parts.figures.iter().flat_map(|figure| figure.passed_over.clone()).collect();
        for PassedOver { column, condition, otherwise } in all {
            if parts.table != Table::Other && !parts.correlated {
                let empty = self.is_blank(parts.alias, column);
                let why = if otherwise { Why::BlankOtherwise } else { Why::Blank };
                self.add_left_out(parts, column, why, &format!("{empty} AND {holds} AND ({condition}) IS NULL"));
            }
        }
    }

    /// Holds where a cell holds nothing at all.
    fn is_blank(&self, alias: &str, column: usize) -> String {
        let of = &self.snapshot.columns[column];
        let mut empty = format!("{}.{} IS NULL", name(alias), name(&of.sql));
        if let Some(texts) = &of.text_sql {
            empty.push_str(&format!(" AND {}.{} IS NULL", name(alias), name(texts)));
        }
        empty
    }

    fn add_left_out(&mut self, parts: &Parts<'_>, column: usize, why: Why, condition: &str) {
        let one_table = parts.table != Table::Other && !parts.correlated;
        let left_out = if one_table {
            let with = if self.defined.is_empty() { String::new() } else { format!("WITH {} ", self.defined.join(", ")) };
            let sql = format!("{with}SELECT {}.row_number FROM {} WHERE {condition}", name(parts.alias), parts.from);
            LeftOut { column, why, sql }
        } else {
            LeftOut { column, why: Why::Somewhere, sql: String::new() }
        };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// The column whose empty cells a condition leaves out when it says what this is not.
    pub fn blank_of(&self, read: &Read) -> Option<usize> {
        let origin = read.origin?;
        matches!(origin.part, Part::Main).then_some(origin.column)?
    }
}
