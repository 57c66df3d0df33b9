//! What names mean: columns of the sheet by name or title, columns of other queries, and what is near a name that means nothing.

use super::super::cell::Style;
use super::super::names::sql_name;
use super::super::snapshot::{Snapshot, SnapshotColumn};
use super::super::typed::{Values, normal};
use super::left_out::RowNumbers;
use super::read::{Kind, Origin, Part};
use super::{Table, near};
use sqlparser::ast::Expr;

/// A column that a query can name.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    pub kind: Kind,
    pub style: Style,
    pub origin: Option<Origin>,
}

/// A table in `FROM`.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub alias: String,
    /// The table itself; another query is none.
    pub table: Table,
    /// The rows that it is made of.
    pub rows_of: Table,
    /// What holds for them.
    pub filter: Option<String>,
    /// Whether a query has carried along which row of the sheet each is.
    pub carries_rows: bool,
    pub fields: Vec<Field>,
}

/// The tables of one `SELECT`.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub sources: Vec<Source>,
    /// What the query at hand calls by a name of its own.
    pub aliases: Vec<(String, Expr)>,
}

/// The columns of `sheet` and `leaf`, in the order of the table.
pub(super) fn fields_of(snapshot: &Snapshot) -> Vec<Field> {
    let own = |name: &str, kind, part| Field { name: name.into(), kind, style: Style::Plain, origin: Some(Origin { column: None, part }) };
    let mut fields = vec![
        own("row_id", Kind::Number, Part::RowId),
        own("parent_id", Kind::Number, Part::RowId),
        own("level", Kind::Number, Part::Own),
        own("row_number", Kind::Number, Part::Own),
        own("is_parent", Kind::Checkbox, Part::Own),
        own("path", Kind::Text, Part::Own),
        own("top", Kind::Text, Part::Own),
    ];
    for (position, column) in snapshot.columns.iter().enumerate() {
        let field = |name: &str, kind, style: Style, part| Field {
            name: name.into(),
            kind,
            style,
            origin: Some(Origin { column: Some(position), part }),
        };
        fields.push(field(&column.sql, kind_of(column), column.style.clone(), Part::Main));
        fields.extend(column.email_sql.as_ref().map(|name| field(name, Kind::Text, Style::Plain, Part::Email)));
        fields.extend(column.names_sql.as_ref().map(|name| field(name, Kind::Text, Style::Plain, Part::Names)));
        fields.extend(column.moment_sql.as_ref().map(|name| field(name, Kind::Moment, Style::Plain, Part::Moment)));
        fields.extend(column.text_sql.as_ref().map(|name| field(name, Kind::Text, Style::Plain, Part::Text)));
    }
    fields
}

fn kind_of(column: &SnapshotColumn) -> Kind {
    match column.values {
        Values::Text | Values::People => Kind::Text,
        Values::Number | Values::Duration => Kind::Number,
        Values::Day | Values::Moment => Kind::Day,
        Values::Checkbox => Kind::Checkbox,
    }
}

impl Source {
    /// How a row of this table tells which one of the sheet it is, where it does.
    pub fn row_numbers(&self) -> Option<RowNumbers> {
        match self.table {
            Table::Sheet | Table::Leaf => Some(RowNumbers::Own),
            Table::Other => self.carries_rows.then_some(RowNumbers::Carried),
        }
    }

    /// The column of this table that a name or a title means. A title as it stands in the sheet goes before a name that we gave.
    pub fn field(&self, name: &str, snapshot: &Snapshot) -> Option<&Field> {
        let lower = normal(name.trim()).to_lowercase();
        // Out of another query come the values of a column, whatever that calls it.
        let passed = if self.table == Table::Other { Part::Carried } else { Part::Main };
        let of = |position: usize| self.fields.iter().find(|f| f.origin.is_some_and(|o| o.column == Some(position) && o.part == passed));
        let as_it_stands = snapshot.columns.iter().position(|c| c.title == name && c.title.to_lowercase() != name);
        // What a query names itself goes before the titles of the sheet.
        let as_it_stands = as_it_stands.filter(|_| self.table != Table::Other);
        if let Some(field) = as_it_stands.and_then(of).or_else(|| self.fields.iter().find(|f| f.name.to_lowercase() == lower)) {
            return Some(field);
        }
        let by_title = |c: &SnapshotColumn| normal(c.title.trim()).to_lowercase() == lower;
        let position = snapshot.columns.iter().position(by_title).or_else(|| {
            let plain = sql_name(name);
            snapshot.columns.iter().position(|c| c.sql == plain)
        });
        position.and_then(of)
    }
}

/// The error for a name that is no column: the nearest ones, and all of them.
pub(super) fn no_such_column(name: &str, snapshot: &Snapshot) -> String {
    let known = snapshot.columns.iter().flat_map(|c| [c.sql.as_str(), c.title.as_str()]);
    let near = near::nearest(name, known.map(str::to_owned));
    let near: Vec<&str> =
        snapshot.columns.iter().filter(|c| near.contains(&c.sql) || near.contains(&c.title)).map(|c| c.sql.as_str()).collect();
    let guess = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
    let names: Vec<&str> = snapshot.columns.iter().map(|c| c.sql.as_str()).collect();
    format!(
        "no such column: {name}{guess}; the columns are: row_id, parent_id, level, row_number, is_parent, path, top, {}",
        names.join(", ")
    )
}
