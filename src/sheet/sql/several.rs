//! Cells with several values: people and options. What is compared with one of them is looked for among all of a cell.

use super::super::cell::{Cell, plain_number};
use super::super::snapshot::SnapshotColumn;
use super::super::typed::{normal, words as text_of};
use super::SqlError;
use super::read::{Constant, Kind, Part, Read, Reader, name, quoted, table_of};
use super::words::Comparison;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// A value of a cell: what it is called, and the address where it is somebody.
pub(in super::super) struct One {
    pub name: String,
    pub email: Option<String>,
}

/// The values of a cell, each on its own.
pub(in super::super) fn each_of(cell: &Cell) -> Vec<One> {
    let several = match cell {
        Cell::Several(several) => several.1["values"].as_array(),
        _ => None,
    };
    let one = |value: &serde_json::Value| {
        let word = |key: &str| value[key].as_str().map(str::to_owned);
        let name = value.as_str().map(str::to_owned).or_else(|| word("name")).or_else(|| word("email"));
        name.map(|name| One { name: normal(&name).into_owned(), email: word("email") })
    };
    match (several, cell) {
        (Some(values), _) => values.iter().filter_map(one).collect(),
        (None, Cell::Empty) => Vec::new(),
        (None, Cell::Named(named)) => vec![One { name: normal(&named.1).into_owned(), email: Some(named.0.clone()) }],
        (None, other) => vec![One { name: text_of(other).into_owned(), email: None }],
    }
}

impl Reader<'_> {
    /// The column, where its cells may hold several values.
    pub fn several(&self, read: &Read) -> Option<(usize, &SnapshotColumn)> {
        let origin = read.origin.filter(|o| matches!(o.part, Part::Main | Part::Email | Part::Carried))?;
        let at = origin.column?;
        let column = &self.snapshot.columns[at];
        column.kind.starts_with("MULTI_").then_some((at, column))
    }

    /// Whether one of these texts is among the values of a cell; nothing where the column has one value in each cell.
    pub fn is_among_values(&mut self, left: &Read, how: Comparison, texts: &[Read]) -> Result<Option<Read>, SqlError> {
        let Some((at, column)) = self.several(left) else { return Ok(None) };
        let (title, part) = (column.title.clone(), left.origin.map_or(Part::Main, |o| o.part));
        let mut wanted = Vec::new();
        for text in texts {
            let text = match &text.constant {
                Some(Constant::Text(text)) => Cow::Borrowed(text.as_str()),
                Some(Constant::Number(n)) => Cow::Owned(plain_number(*n)),
                _ => return Ok(None),
            };
            let by_address = part == Part::Email || text.contains('@');
            let text = if by_address { text.into_owned() } else { self.full_name(left, &text)? };
            let part = if by_address { Part::Email } else { Part::Main };
            self.remember_literal_of(at, part, &text, false);
            wanted.push((by_address, text));
        }
        let fits = |one: &One| {
            wanted.iter().any(|(by_address, text)| {
                let of = if *by_address { one.email.as_deref().unwrap_or(&one.name) } else { &one.name };
                normal(of.trim()).to_lowercase() == normal(text.trim()).to_lowercase()
            })
        };
        let whole = |cell: &str| wanted.iter().any(|(_, text)| normal(cell).to_lowercase() == normal(text.trim()).to_lowercase());
        let holds = |cell: &Cell| each_of(cell).iter().any(fits) || whole(&text_of(cell));
        let holding = self.snapshot.rows.iter().filter(|row| row.cells[at] != Cell::Empty && holds(&row.cells[at]));
        let negative = how.is_negative();
        let inside = match table_of(&left.sql).filter(|_| part != Part::Carried) {
            Some(table) => {
                let numbers: Vec<String> = holding.map(|row| row.number.to_string()).collect();
                format!("{table}{} IN ({})", name("row_number"), numbers.join(", "))
            }
            // What a query has carried along is known by its texts only.
            None if part == Part::Carried => {
                let texts: BTreeSet<String> = holding.map(|row| quoted(&text_of(&row.cells[at]))).collect();
                format!("COALESCE({} IN ({}), 0)", left.sql, texts.into_iter().collect::<Vec<_>>().join(", "))
            }
            None => return Ok(None),
        };
        // An empty cell is nothing that it is not, unless IS NOT asks for it.
        let sql = match how {
            Comparison::Same | Comparison::NotSame => format!("{}({inside})", if negative { "NOT " } else { "" }),
            _ => format!("CASE WHEN {} IS NULL THEN NULL ELSE {}({inside}) END", left.sql, if negative { "NOT " } else { "" }),
        };
        let said: Vec<String> = wanted.iter().map(|(_, text)| format!("“{text}”")).collect();
        let verb = if negative { "does not include" } else { "includes" };
        let read = Read::new(sql, format!("{title} {verb} {}", said.join(" or ")), Kind::Checkbox).with(&[left]);
        Ok(Some(read.held(how, self.blank_of(left))))
    }
}
