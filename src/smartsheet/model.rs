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
    /// Whether it is a project: dates carry times, ends and parents are computed.
    pub dependencies_enabled: bool,
    /// When a project is worked on.
    pub project_settings: ProjectSettings,
    /// The columns, left to right.
    pub columns: Vec<Column>,
}

/// When a project is worked on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectSettings {
    /// Days of the week: `MONDAY` …
    pub working_days: Vec<String>,
    /// Days on which nobody works, ISO 8601.
    pub non_working_days: Vec<String>,
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
    /// Whether nobody but owners and admins may change it.
    #[serde(default)]
    pub locked: bool,
    /// Whether whoever asks may not change it.
    pub locked_for_user: Option<bool>,
    /// What it is for, as people see it.
    pub description: Option<String>,
    /// Its format, as Smartsheet writes it: `,,1,,,`.
    pub format: Option<String>,
    /// People who may be chosen by name.
    #[serde(default)]
    pub contact_options: Vec<Contact>,
    /// Its part in a project, such as `GANTT_END_DATE`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// How the numbers of a column that counts by itself look.
    pub auto_number_format: Option<Value>,
    /// Whether people do not see it.
    #[serde(default)]
    pub hidden: bool,
    /// Width in pixels.
    pub width: Option<u32>,
}

impl Column {
    /// Whether its values have parts that only `objectValue` tells.
    pub fn has_parts(&self) -> bool {
        self.kind.starts_with("MULTI_") || self.kind == "PREDECESSOR"
    }
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
    /// Whether nobody but owners and admins may change it.
    #[serde(default)]
    pub locked: bool,
    /// Whether whoever asks may not change it.
    pub locked_for_user: Option<bool>,
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
    /// The cell of another sheet that the value comes from.
    pub link_in_from_cell: Option<LinkIn>,
}

/// The mark of a cell whose value comes from another sheet; where from is not read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct LinkIn {}

/// A link in a cell: to the web, or to a sheet, report or dashboard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hyperlink {
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The sheet it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet_id: Option<i64>,
    /// The report it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<i64>,
    /// The dashboard it leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sight_id: Option<i64>,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// The formula that makes the value, instead of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Where the cell links to; its text is the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hyperlink: Option<Hyperlink>,
    /// The name under which a contact is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_value: Option<String>,
    /// Whether Smartsheet checks the type strictly; `false` lets text into number, picklist … columns.
    pub strict: bool,
    /// Whether a value may stand in a column that is restricted to others; for owners and admins (1212 for everybody else).
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub override_validation: bool,
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
    /// Symbols of a checkbox or picklist, such as `FLAG` or `RYG`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Whether only its options may be chosen, and only values of its type be typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<bool>,
    /// What it is for, as people see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Whether people do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// Whether only owners and admins may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// The formula that fills it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Its format, as Smartsheet writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Set for columns that Smartsheet fills.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_column_type: Option<String>,
    /// How the numbers of a column that counts by itself look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_number_format: Option<Value>,
    /// People who may be chosen by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_options: Option<Vec<Contact>>,
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

impl Scalar {
    /// As it is sent.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Empty => Value::Null,
            Self::Number(n) => (*n).into(),
            Self::Bool(b) => (*b).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
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
