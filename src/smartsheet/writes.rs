//! The calls that write: rows in bulk with partial success, columns, comments. Each wants the right to
//! write to its sheet.

use super::Identity;
use super::client::Client;
use super::error::{Body, Error};
use super::model::{Column, ColumnSpec, Discussion, NewRow, Row, RowChange};
use super::pace::SheetWriter;
use super::request::Call;
use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Rows that one add or update request may carry.
pub const ROWS_PER_CALL: usize = 500;
/// Ids that one URL may carry.
pub const IDS_PER_URL: usize = 350;

/// What became of a bulk request.
#[derive(Debug, Default)]
pub struct Bulk {
    /// The rows that were written, as they are now.
    pub rows: Vec<Row>,
    /// The rows that were not.
    pub failed: Vec<FailedItem>,
    /// The version of the sheet after it.
    pub version: i64,
}

/// A column that was made.
#[derive(Debug)]
pub struct AddedColumn {
    /// The column.
    pub column: Column,
    /// The version of the sheet after it.
    pub version: i64,
}

/// A row of a bulk request that was not written.
#[derive(Clone, Debug)]
pub struct FailedItem {
    /// Its position in the request, from 0.
    pub index: usize,
    /// Its id, for rows that exist.
    pub row_id: Option<i64>,
    /// Smartsheet's `errorCode`.
    pub code: u32,
    /// Smartsheet's words.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<T> {
    result: T,
    #[serde(default)]
    version: i64,
    #[serde(default)]
    failed_items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    index: usize,
    row_id: Option<i64>,
    error: Body,
}

impl Client {
    /// Waits for the right to write to a sheet.
    pub async fn writer(&self, sheet: i64) -> SheetWriter {
        self.pace.writer(sheet).await
    }

    /// Waits until the rate allows a write, which then goes out without waiting: what is compared in between is not old by then.
    pub async fn reserve(&self, writer: &SheetWriter, identity: &Identity) {
        self.pace.reserve(self.lane, identity, writer).await;
    }

    /// Adds up to `ROWS_PER_CALL` rows in one request.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::MayHaveLanded`] when the answer was lost.
    pub async fn add_rows(&self, writer: &SheetWriter, identity: &Identity, rows: &[NewRow]) -> Result<Bulk, Error> {
        self.bulk(writer, identity, Method::POST, rows).await
    }

    /// Changes cells of up to `ROWS_PER_CALL` rows in one request.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_rows(&self, writer: &SheetWriter, identity: &Identity, rows: &[RowChange]) -> Result<Bulk, Error> {
        self.bulk(writer, identity, Method::PUT, rows).await
    }

    async fn bulk(&self, writer: &SheetWriter, identity: &Identity, method: Method, rows: &[impl serde::Serialize]) -> Result<Bulk, Error> {
        debug_assert!(rows.len() <= ROWS_PER_CALL);
        let call = Call::write(writer, method, format!("sheets/{}/rows?allowPartialSuccess=true", writer.sheet), Some(&rows))?;
        let answer: Answer<Vec<Row>> = self.call(identity, &call).await?;
        let failed = answer.failed_items.into_iter().map(|i| FailedItem {
            index: i.index,
            row_id: i.row_id,
            code: i.error.error_code,
            message: i.error.message,
        });
        Ok(Bulk { rows: answer.result, failed: failed.collect(), version: answer.version })
    }

    /// Deletes rows and all their children; rows that are gone already are no error. Returns the version of the sheet after it,
    /// if a row was there to be deleted.
    ///
    /// # Errors
    /// See [`Error`]. Requests that went through before the failing one stay done, so an error is [`Error::MayHaveLanded`]
    /// unless it was the first one.
    pub async fn delete_rows(&self, writer: &SheetWriter, identity: &Identity, ids: &[i64]) -> Result<Option<i64>, Error> {
        let (mut version, mut sent) = (None, false);
        for chunk in ids.chunks(IDS_PER_URL) {
            let list: Vec<String> = chunk.iter().map(i64::to_string).collect();
            let path = format!("sheets/{}/rows?ignoreRowsNotFound=true&ids={}", writer.sheet, list.join(","));
            let call = Call::write(writer, Method::DELETE, path, None::<&()>)?;
            let answer: Result<Answer<Vec<IgnoredAny>>, Error> = self.call(identity, &call).await;
            match answer {
                Ok(answer) if answer.result.is_empty() => {}
                Ok(answer) => version = Some(answer.version),
                Err(error) if !sent => return Err(error),
                Err(error) => return Err(Error::MayHaveLanded(error.to_string())),
            }
            sent = true;
        }
        Ok(version)
    }

    /// Adds a column.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::MayHaveLanded`] when the answer was lost.
    pub async fn add_column(&self, writer: &SheetWriter, identity: &Identity, column: &ColumnSpec) -> Result<AddedColumn, Error> {
        let call = Call::write(writer, Method::POST, format!("sheets/{}/columns", writer.sheet), Some(&[column]))?;
        let Answer { result, version, .. }: Answer<Vec<Column>> = self.call(identity, &call).await?;
        let column = result.into_iter().next().ok_or_else(|| Error::MayHaveLanded("no column in the answer".into()))?;
        Ok(AddedColumn { column, version })
    }

    /// Changes a column.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_column(&self, writer: &SheetWriter, identity: &Identity, id: i64, column: &ColumnSpec) -> Result<Column, Error> {
        let call = Call::write(writer, Method::PUT, format!("sheets/{}/columns/{id}", writer.sheet), Some(column))?;
        let answer: Answer<Column> = self.call(identity, &call).await?;
        Ok(answer.result)
    }

    /// Deletes a column with all its cells; one that is gone already is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_column(&self, writer: &SheetWriter, identity: &Identity, id: i64) -> Result<(), Error> {
        let call = Call::write(writer, Method::DELETE, format!("sheets/{}/columns/{id}", writer.sheet), None::<&()>)?;
        self.gone(identity, &call).await
    }

    /// Starts a discussion on a row.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::MayHaveLanded`] when the answer was lost.
    pub async fn add_comment(&self, writer: &SheetWriter, identity: &Identity, row: i64, text: &str) -> Result<Discussion, Error> {
        let body = serde_json::json!({ "comment": { "text": text } });
        let call = Call::write(writer, Method::POST, format!("sheets/{}/rows/{row}/discussions", writer.sheet), Some(&body))?;
        let answer: Answer<Discussion> = self.call(identity, &call).await?;
        Ok(answer.result)
    }

    /// Deletes a comment of ours; one that is gone already is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_comment(&self, writer: &SheetWriter, identity: &Identity, id: i64) -> Result<(), Error> {
        let call = Call::write(writer, Method::DELETE, format!("sheets/{}/comments/{id}", writer.sheet), None::<&()>)?;
        self.gone(identity, &call).await
    }

    async fn gone(&self, identity: &Identity, call: &Call) -> Result<(), Error> {
        match self.call::<serde_json::Value>(identity, call).await {
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
