//! Reads a sheet of any size from a stream, handing out row by row instead of holding the document.

use super::model::{Column, Row, SheetHeader};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What `GET /sheets/{id}` answered.
#[derive(Debug, PartialEq)]
pub enum Read {
    /// Nothing but the version: the sheet has not changed since `ifVersionAfter`.
    Unchanged(i64),
    /// The sheet; its rows went to the callback.
    Sheet(SheetHeader),
}

/// Reads the document to its end, unless its columns are not `enough` for whoever reads it: then it ends with an error.
///
/// # Errors
/// When the stream breaks off or is not the documented JSON.
pub fn read_sheet(
    reader: impl std::io::Read,
    enough: &mut dyn FnMut(&[Column]) -> bool,
    on_row: &mut dyn FnMut(Row),
) -> Result<Read, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let read = Document { enough, on_row }.deserialize(&mut json)?;
    json.end()?;
    Ok(read)
}

struct Document<'a> {
    enough: &'a mut dyn FnMut(&[Column]) -> bool,
    on_row: &'a mut dyn FnMut(Row),
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sheet")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Read, M::Error> {
        let mut header = SheetHeader::default();
        let mut has_id = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => {
                    header.id = map.next_value()?;
                    has_id = true;
                }
                "name" => header.name = map.next_value()?,
                "version" => header.version = map.next_value()?,
                "accessLevel" => header.access_level = map.next_value()?,
                "permalink" => header.permalink = map.next_value()?,
                "dependenciesEnabled" => header.dependencies_enabled = map.next_value()?,
                "projectSettings" => header.project_settings = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "columns" => {
                    header.columns = map.next_value()?;
                    if !(self.enough)(&header.columns) {
                        return Err(serde::de::Error::custom("the sheet has to be asked for in another way"));
                    }
                }
                "rows" => map.next_value_seed(Rows { on_row: &mut *self.on_row })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(if has_id { Read::Sheet(header) } else { Read::Unchanged(header.version) })
    }
}

struct Rows<'a> {
    on_row: &'a mut dyn FnMut(Row),
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut rows: S) -> Result<(), S::Error> {
        while let Some(row) = rows.next_element()? {
            (self.on_row)(row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_come_before_columns_and_unknown_fields_are_skipped() {
        let text = r#"{"rows":[{"id":7,"x":[1],"cells":[{"columnId":1,"value":2.0,"displayValue":"2"}]}],"id":5,"name":"S","version":3,"columns":[],"new":{"a":1}}"#;
        let mut rows = Vec::new();
        let read = read_sheet(text.as_bytes(), &mut |_| true, &mut |r| rows.push(r)).unwrap();
        assert_eq!((rows.len(), rows[0].id), (1, 7));
        assert!(matches!(read, Read::Sheet(h) if h.version == 3 && h.name == "S"));
    }

    #[test]
    fn a_skinny_answer_means_unchanged_and_a_cut_one_is_an_error() {
        assert_eq!(read_sheet(&br#"{"version":9}"#[..], &mut |_| true, &mut |_| {}).unwrap(), Read::Unchanged(9));
        assert!(read_sheet(&br#"{"id":1,"rows":[{"id":2"#[..], &mut |_| true, &mut |_| {}).unwrap_err().is_eof());
    }
}
