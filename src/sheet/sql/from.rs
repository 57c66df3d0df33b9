//! Tables of a query: the sheet, its rows without children, what `WITH` names, queries in brackets, and how they are joined.

use super::super::names::sql_name;
use super::read::{Origin, Part, Read, Reader, name};
use super::scope::{Field, Source};
use super::select::{About, Compiled, Item, Place};
use super::{SqlError, Table, refused};
use sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, ObjectName, Select, TableFactor};

/// Conditions of joins, each with its place in `FROM`.
pub(super) type Constraints = Vec<(usize, JoinConstraint)>;

impl Reader<'_> {
    /// `FROM` without the conditions of its joins, the tables, and the conditions with the place where each goes.
    pub fn tables(&mut self, select: &Select) -> Result<(String, Vec<Source>, Constraints), SqlError> {
        let (mut sql, mut sources, mut constraints) = (String::new(), Vec::new(), Vec::new());
        for table in &select.from {
            if !sql.is_empty() {
                sql.push_str(", ");
            }
            sql.push_str(&self.table(&table.relation, &mut sources)?);
            for Join { relation, join_operator, global } in &table.joins {
                let (word, constraint) = match join_operator {
                    JoinOperator::Join(c) | JoinOperator::Inner(c) => ("JOIN", c),
                    JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => ("LEFT JOIN", c),
                    JoinOperator::Right(c) | JoinOperator::RightOuter(c) => ("RIGHT JOIN", c),
                    JoinOperator::FullOuter(c) => ("FULL JOIN", c),
                    JoinOperator::CrossJoin(c) => ("CROSS JOIN", c),
                    _ => return refused("joins are JOIN, LEFT JOIN, RIGHT JOIN, FULL JOIN and CROSS JOIN"),
                };
                if *global {
                    return refused("GLOBAL joins are not available");
                }
                sql.push_str(&format!(" {word} {}", self.table(relation, &mut sources)?));
                constraints.push((sql.len(), constraint.clone()));
            }
        }
        Ok((sql, sources, constraints))
    }

    /// The condition of a join, where it has one.
    pub fn constraint(&mut self, constraint: &JoinConstraint) -> Result<Option<Read>, SqlError> {
        match constraint {
            JoinConstraint::None => Ok(None),
            JoinConstraint::On(expr) => self.expr(expr).map(Some),
            JoinConstraint::Using(_) | JoinConstraint::Natural => refused("write the condition of a join: ON a.x = b.x"),
        }
    }

    fn table(&mut self, factor: &TableFactor, sources: &mut Vec<Source>) -> Result<String, SqlError> {
        match factor {
            TableFactor::Table { name: table, alias, args: None, version: None, json_path: None, sample: None, .. } => {
                let wanted = bare(table);
                let alias = alias.as_ref().map_or_else(|| wanted.clone(), |a| a.name.value.clone());
                let (sql, mut source) = self.named_table(&wanted)?;
                source.alias.clone_from(&alias);
                sources.push(source);
                Ok(format!("{sql} AS {}", name(&alias)))
            }
            TableFactor::Derived { lateral: false, subquery, alias, sample: None } => {
                let compiled = self.query(subquery, Place::Table)?;
                let shown = alias.as_ref().map_or_else(|| format!("query_{}", sources.len() + 1), |a| a.name.value.clone());
                let sql = format!("({}) AS {}", compiled.sql, name(&shown));
                if alias.as_ref().is_some_and(|a| !a.columns.is_empty()) {
                    return refused("give the columns their names inside the query");
                }
                sources.push(source_of(&shown, compiled, &[]));
                Ok(sql)
            }
            _ => refused("a table is sheet, leaf, a name from WITH, or a query in brackets"),
        }
    }

    fn named_table(&mut self, wanted: &str) -> Result<(String, Source), SqlError> {
        if let Some(named) = self.named.iter().rev().find(|s| s.alias.eq_ignore_ascii_case(wanted)) {
            return Ok((name(&named.alias), named.clone()));
        }
        let base =
            |table, rows_of| Source { alias: String::new(), table, rows_of, filter: None, carries_rows: false, fields: self.base.clone() };
        match wanted.to_lowercase().as_str() {
            "sheet" => Ok(("sheet".into(), base(Table::Sheet, Table::Sheet))),
            "leaf" => Ok(("leaf".into(), base(Table::Leaf, Table::Leaf))),
            _ if sql_name(wanted) == sql_name(&self.snapshot.name) => {
                let source = base(Table::Leaf, Table::Leaf);
                self.say(format!("FROM {wanted} was read as FROM leaf, the rows without children; FROM sheet is all rows"));
                Ok(("leaf".into(), source))
            }
            _ => refused(format!(
                "there is no table {wanted}: use sheet (all rows) or leaf (rows without children); another sheet is asked by its name as \"sheet\" beside the query"
            )),
        }
    }
}

/// A table's name without quotes.
pub(super) fn bare(table: &ObjectName) -> String {
    table.0.iter().map(|part| part.as_ident().map_or_else(|| part.to_string(), |i| i.value.clone())).collect::<Vec<_>>().join(".")
}

pub(super) fn renamed(columns: &[&Ident]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    format!("({})", columns.iter().map(|c| name(&c.value)).collect::<Vec<_>>().join(", "))
}

/// A query as a table of another.
pub(super) fn source_of(alias: &str, compiled: Compiled, columns: &[&Ident]) -> Source {
    let field = |(at, item): (usize, Item)| Field {
        name: columns.get(at).map_or(item.name, |c| c.value.clone()),
        kind: item.read.kind,
        style: item.read.style,
        origin: item.read.origin.filter(|_| !item.read.aggregate).and_then(|o| match o.part {
            Part::Main | Part::Carried => Some(Origin { part: Part::Carried, ..o }),
            Part::RowId => Some(o),
            _ => None,
        }),
    };
    let About { table: rows_of, filter } = compiled.about;
    let fields = compiled.items.into_iter().enumerate().map(field).collect();
    Source { alias: alias.to_owned(), table: Table::Other, rows_of, filter, carries_rows: compiled.carries_rows, fields }
}
