//! The documents of the API, as far as we need them. Unknown fields are ignored: new ones may
//! appear at any time.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A sheet without its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SheetHeader {
    /// Sheet id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Grows with every change.
    pub version: i64,
    /// `OWNER`, `ADMIN`, `EDITOR_SHARE`, `EDITOR`, `COMMENTER` or `VIEWER`.
    pub access_level: String,
    /// Link for people.
    pub permalink: String,
    /// The columns, left to right.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Column id.
    pub id: i64,
    /// Title, unique in the sheet.
    pub title: String,
    /// `TEXT_NUMBER`, `DATE`, `CONTACT_LIST`, `PICKLIST`, `CHECKBOX` …
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is the primary column.
    #[serde(default)]
    pub primary: bool,
    /// Options of a picklist.
    #[serde(default)]
    pub options: Vec<String>,
    /// Whether only the options may be chosen.
    #[serde(default)]
    pub validation: bool,
    /// Position, from 0.
    #[serde(default)]
    pub index: u32,
    /// Set for columns that Smartsheet fills.
    pub system_column_type: Option<String>,
    /// Set for columns that a formula fills.
    pub formula: Option<String>,
    /// Symbols of a checkbox or picklist.
    pub symbol: Option<String>,
    /// Whether nobody but owners may change it.
    #[serde(default)]
    pub locked: bool,
    /// Whether people do not see it.
    #[serde(default)]
    pub hidden: bool,
    /// Width in pixels.
    pub width: Option<u32>,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Row id.
    pub id: i64,
    /// Position, from 1.
    #[serde(default)]
    pub row_number: u32,
    /// The parent row.
    pub parent_id: Option<i64>,
    /// The row above on the same level.
    pub sibling_id: Option<i64>,
    /// Whether nobody but owners may change it.
    #[serde(default)]
    pub locked: bool,
    /// When it was made, ISO 8601.
    #[serde(default)]
    pub created_at: String,
    /// The cells that have something in them.
    #[serde(default)]
    pub cells: Vec<Cell>,
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// The column.
    pub column_id: i64,
    /// The value.
    #[serde(default)]
    pub value: Scalar,
    /// What people see, where it differs or is worth telling.
    pub display_value: Option<String>,
    /// The parts of a value that has several.
    pub object_value: Option<Value>,
    /// The formula that makes the value.
    pub formula: Option<String>,
    /// Where the cell links to.
    pub hyperlink: Option<Hyperlink>,
}

/// A link in a cell.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Hyperlink {
    /// Its target, for links to the web.
    pub url: Option<String>,
}

/// A cell's value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scalar {
    /// Nothing.
    #[default]
    Empty,
    /// A number.
    Number(f64),
    /// A tick.
    Bool(bool),
    /// Anything else.
    Text(String),
}

/// A person in a contact cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Contact {
    /// Name, where one is given.
    #[serde(default)]
    pub name: Option<String>,
    /// E-mail address.
    #[serde(default)]
    pub email: Option<String>,
}

/// A value on its way into a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewCell {
    /// The column.
    pub column_id: i64,
    /// A plain value; the empty string clears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// A value of several parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_value: Option<Value>,
    /// Whether Smartsheet checks the type strictly; `false` lets text into number, picklist … columns.
    pub strict: bool,
}

/// Cells of a row that exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowChange {
    /// Row id.
    pub id: i64,
    /// Its new cells.
    pub cells: Vec<NewCell>,
}

/// A row to be added. All rows of one request share one location.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewRow {
    /// Its cells.
    pub cells: Vec<NewCell>,
    /// Under this row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<i64>,
    /// Behind this row, on its level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sibling_id: Option<i64>,
    /// As the first row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_top: Option<bool>,
    /// As the last row, or the last child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_bottom: Option<bool>,
}

/// What a new or changed column is like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnSpec {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its position, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Options of a picklist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
}

/// A discussion.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Discussion {
    /// Discussion id.
    pub id: i64,
    /// Its comments, oldest first.
    #[serde(default)]
    pub comments: Vec<Comment>,
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// Comment id.
    pub id: i64,
    /// Its words.
    #[serde(default)]
    pub text: String,
    /// Who wrote it.
    pub created_by: Option<Contact>,
    /// When, ISO 8601.
    #[serde(default)]
    pub created_at: String,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalars;
        impl Visitor<'_> for Scalars {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, a boolean or null")
            }
            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Empty)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(v))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(v as f64))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(v as f64))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(v))
            }
            fn visit_str<E>(self, v: &str) -> Result<Scalar, E> {
                Ok(if v.is_empty() { Scalar::Empty } else { Scalar::Text(v.to_owned()) })
            }
            fn visit_string<E>(self, v: String) -> Result<Scalar, E> {
                Ok(if v.is_empty() { Scalar::Empty } else { Scalar::Text(v) })
            }
        }
        deserializer.deserialize_any(Scalars)
    }
}
