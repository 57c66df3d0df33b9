//! What a query is grouped by, and in which order its rows stand.

use super::read::{Constant, Part, Read, Reader, name};
use super::select::Item;
use super::{SqlError, refused};
use sqlparser::ast::{Expr, OrderBy, OrderByExpr, OrderByKind, OrderBySort};

/// What a `SELECT` is grouped by.
#[derive(Default)]
pub(super) struct Groups {
    pub sql: Vec<String>,
    /// The columns that they are, where they are columns.
    pub keys: Vec<Option<usize>>,
}

impl Reader<'_> {
    /// Reads `GROUP BY`, by columns, expressions and places in the result.
    pub fn groups(&mut self, by: &[Expr], items: &[Item]) -> Result<Groups, SqlError> {
        let mut groups = Groups::default();
        for expr in by {
            let read = self.expr(expr)?;
            if let Some(Constant::Number(n)) = read.constant {
                let Some(item) = items.get((n as usize).wrapping_sub(1)) else {
                    return refused(format!("GROUP BY {n}: there is no such column"));
                };
                groups.keys.push(item.read.origin.and_then(|o| o.column));
                groups.sql.push(format!("{}", n as usize));
                continue;
            }
            let read = self.with_texts(read);
            groups.keys.push(read.origin.filter(|o| o.part == Part::Main).and_then(|o| o.column));
            groups.sql.push(read.sql);
        }
        Ok(groups)
    }

    /// Reads `ORDER BY`.
    pub fn order_by(&mut self, order: &OrderBy, items: &[Item]) -> Result<Vec<Read>, SqlError> {
        let OrderByKind::Expressions(list) = &order.kind else { return refused("ORDER BY ALL is not available") };
        let outputs: Vec<(String, Read)> = items.iter().map(|i| (i.name.clone(), i.read.clone())).collect();
        list.iter().map(|o| self.order(o, &outputs)).collect()
    }

    /// One part of an order: empty cells, and texts among values, stand last.
    pub fn order(&mut self, order: &OrderByExpr, outputs: &[(String, Read)]) -> Result<Read, SqlError> {
        let sort = match &order.options.sort {
            Some(OrderBySort::Desc) => " DESC",
            Some(OrderBySort::Using(_)) => return refused("ORDER BY … USING is not available"),
            Some(OrderBySort::Asc) | None => "",
        };
        let nulls = if order.options.nulls_first == Some(true) { " NULLS FIRST" } else { " NULLS LAST" };
        let by_name = if let Expr::Identifier(ident) = &order.expr { Some(ident.value.to_lowercase()) } else { None };
        let output = outputs.iter().find(|(output, _)| by_name.as_ref().is_some_and(|n| *n == output.to_lowercase()));
        let read = match output {
            Some((output, read)) => Read { sql: name(output), ..read.clone() },
            None => self.expr(&order.expr)?,
        };
        let read = match read.constant {
            Some(Constant::Number(n)) => match outputs.get((n as usize).wrapping_sub(1)) {
                Some((_, of)) => Read { sql: format!("{}", n as usize), ..of.clone() },
                None => return refused(format!("ORDER BY {n}: there is no such column")),
            },
            _ => read,
        };
        if let Some((_, column)) = self.main(&read).filter(|_| self.not_in_order(&read).is_some()) {
            self.remark(format!("{} holds texts that look like days or numbers: their order is that of the letters", column.title));
        }
        Ok(Read { sql: format!("{}{sort}{nulls}", read.sql), ..read })
    }
}
