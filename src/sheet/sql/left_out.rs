//! What a query leaves out: texts in columns of numbers, days or boxes, and empty cells where a condition says what they are not.

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
}

/// The column in which a query carries along which row of the sheet each of its rows is.
pub(super) const CARRIED_ROW: &str = "· row";

/// How the rows of a table tell which rows of the sheet they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowNumbers {
    /// They are rows of the sheet.
    Own,
    /// A query has carried their numbers along.
    Carried,
}

impl RowNumbers {
    /// The number of a row of the table of this name.
    pub fn sql(self, alias: &str) -> String {
        match self {
            Self::Own => format!("{}.row_number", name(alias)),
            Self::Carried => format!("{}.{}", name(alias), name(CARRIED_ROW)),
        }
    }
}

/// The parts of one `SELECT` that may leave something out.
pub(super) struct Parts<'a> {
    pub condition: Option<&'a Read>,
    pub figures: &'a [Read],
    pub order: &'a [Read],
    /// What stands behind `FROM`.
    pub from: &'a str,
    /// How it can be told which rows were left out; not of several tables, nor where a name of an outer query stands in it.
    pub rows: Option<RowNumbers>,
    pub alias: &'a str,
}

impl Parts<'_> {
    /// Holds for rows of which this holds in the sheet.
    fn in_sheet(&self, condition: impl Fn(&str) -> String) -> String {
        match self.rows {
            Some(carried @ RowNumbers::Carried) => {
                format!("{} IN (SELECT row_number FROM sheet WHERE {})", carried.sql(self.alias), condition("sheet"))
            }
            Some(RowNumbers::Own) | None => condition(self.alias),
        }
    }
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
                let is_text = parts.in_sheet(|table| format!("{}.{} IS NOT NULL", name(table), name(&texts)));
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
        if parts.rows.is_none() {
            return;
        }
        for column in parts.condition.into_iter().flat_map(|c| &c.blanks) {
            let empty = self.is_blank(parts, *column);
            if let Some(unknown) = &unknown {
                self.add_left_out(parts, *column, Why::Blank, &format!("{empty} AND {unknown}"));
            }
        }
        // Of all rows that a condition decides on by its branches, those count that it does not hold for.
        let missed = format!("{holds} IS NOT TRUE");
        for (whole, part) in parts.figures.iter().map(|f| (&holds, f)).chain(parts.condition.map(|c| (&missed, c))) {
            for PassedOver { column, condition, filter, otherwise } in &part.passed_over {
                let why = if *otherwise { Why::BlankOtherwise } else { Why::Blank };
                let empty = self.is_blank(parts, *column);
                let filter = filter.as_ref().map(|f| format!(" AND {f}")).unwrap_or_default();
                self.add_left_out(parts, *column, why, &format!("{empty} AND {whole} AND ({condition}) IS NULL{filter}"));
            }
        }
    }

    /// Holds where a cell holds nothing at all.
    fn is_blank(&self, parts: &Parts<'_>, column: usize) -> String {
        let of = &self.snapshot.columns[column];
        parts.in_sheet(|table| {
            let mut empty = format!("{}.{} IS NULL", name(table), name(&of.sql));
            if let Some(texts) = &of.text_sql {
                empty.push_str(&format!(" AND {}.{} IS NULL", name(table), name(texts)));
            }
            empty
        })
    }

    /// What stands before a query beside the one at hand: the tables that `WITH` has named so far.
    pub fn with(&self) -> String {
        if self.defined.is_empty() { String::new() } else { format!("WITH {} ", self.defined.join(", ")) }
    }

    fn add_left_out(&mut self, parts: &Parts<'_>, column: usize, why: Why, condition: &str) {
        let left_out = match parts.rows {
            Some(rows) => {
                let with = self.with();
                let sql = format!("{with}SELECT {} FROM {} WHERE {condition}", rows.sql(parts.alias), parts.from);
                LeftOut { column, why, sql }
            }
            None => LeftOut { column, why: Why::Somewhere, sql: String::new() },
        };
        if !self.left_out.contains(&left_out) {
            self.left_out.push(left_out);
        }
    }

    /// The column whose empty cells a condition leaves out when it says what this is not.
    pub fn blank_of(&self, read: &Read) -> Option<usize> {
        let origin = read.origin?;
        matches!(origin.part, Part::Main | Part::Carried).then_some(origin.column)?
    }
}
