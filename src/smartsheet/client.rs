//! The client: settings, HTTP, and the calls that read.

use super::breaker::Breaker;
use super::error::Error;
use super::model::{Discussion, Row, SheetHeader};
use super::pace::{Lane, Pace};
use super::reader::Read;
use super::request::Call;
use super::{Identity, PeoplesTokens, SharedBudget, read_sheet};
use futures_util::TryStreamExt;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::io::{StreamReader, SyncIoBridge};
use url::Url;

/// How to reach Smartsheet.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base URL of the API, such as `https://api.smartsheet.com/2.0`.
    pub base_url: Url,
    /// Access token of the service identity.
    pub token: SecretString,
    /// First wait before a failed call is tried again; doubles each time, with jitter.
    pub retry_delay: Duration,
    /// How often a call is tried again.
    pub retries: usize,
    /// Longest silence of the far side within one call.
    pub timeout: Duration,
    /// How long nothing is sent after too many failures in a row.
    pub breaker_pause: Duration,
}

/// Talks to Smartsheet. Cheap to clone; clones share budget, writers and breaker.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) settings: Arc<Settings>,
    pub(super) pace: Arc<Pace>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) lane: Lane,
    /// Tokens of people; `None`: everything is asked for with the token of the settings.
    pub(super) people: Option<Arc<dyn PeoplesTokens>>,
}

#[derive(Deserialize)]
struct Version {
    version: i64,
}

impl Client {
    /// A client with these settings.
    ///
    /// # Errors
    /// When the TLS set-up of this machine is broken.
    #[expect(clippy::disallowed_methods, reason = "the one HTTP client for Smartsheet")]
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(settings.timeout)
            .user_agent(concat!("chatsheet/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let breaker = Arc::new(Breaker::new(settings.breaker_pause));
        Ok(Self { http, settings: Arc::new(settings), pace: Arc::new(Pace::new(None)), breaker, lane: Lane::Chat, people: None })
    }

    /// The same where other processes ask with the same tokens.
    #[must_use]
    pub fn with_shared_budget(self, budget: Arc<dyn SharedBudget>) -> Self {
        Self { pace: Arc::new(Pace::new(Some(budget))), ..self }
    }

    /// The same for people who have accounts of their own.
    #[must_use]
    pub fn with_people(self, people: Option<Arc<dyn PeoplesTokens>>) -> Self {
        Self { people, ..self }
    }

    /// The same for work that can wait: it leaves a part of the budget to the others.
    pub fn for_jobs(&self) -> Self {
        Self { lane: Lane::Job, ..self.clone() }
    }

    /// The version of a sheet; it grows with every change.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version(&self, identity: &Identity, sheet: i64) -> Result<i64, Error> {
        let version: Version = self.get(identity, &format!("sheets/{sheet}/version")).await?;
        Ok(version.version)
    }

    /// Reads a whole sheet, row by row as it arrives, on a thread for blocking work. Returns the
    /// header and what `rows` was folded into, or `None` when the sheet still has this version.
    ///
    /// # Errors
    /// See [`Error`]; an answer that breaks off is tried again from the start.
    pub async fn sheet<B, F>(
        &self,
        identity: &Identity,
        sheet: i64,
        known_version: Option<i64>,
        start: F,
    ) -> Result<Option<(SheetHeader, B)>, Error>
    where
        B: Extend<Row> + Send + 'static,
        F: Fn() -> B + Sync,
    {
        let mut path = format!(
            "sheets/{sheet}?level=2&include=objectValue&exclude=nonexistentCells,filteredOutRows,linkInFromCellDetails,linksOutToCellsDetails"
        );
        if let Some(version) = known_version {
            path.push_str(&format!("&ifVersionAfter={version}"));
        }
        let mut tries = 0;
        loop {
            let call = Call::get(&path);
            let response = self.send(identity, &call).await?;
            let stream = response.bytes_stream().map_err(std::io::Error::other);
            let reader = SyncIoBridge::new(StreamReader::new(stream));
            let mut rows = start();
            let parse = move || (read_sheet(std::io::BufReader::with_capacity(1 << 16, reader), &mut |row| rows.extend([row])), rows);
            let (read, rows) = tokio::task::spawn_blocking(parse).await.map_err(|e| Error::Malformed(e.to_string()))?;
            match read {
                Ok(Read::Unchanged(_)) => return Ok(None),
                Ok(Read::Sheet(header)) => return Ok(Some((header, rows))),
                Err(e) if (e.is_io() || e.is_eof()) && tries < self.settings.retries => {
                    tries += 1;
                    tracing::info!(sheet, tries, "the sheet's answer broke off, reading it again");
                    tokio::time::sleep(self.settings.retry_delay * 2u32.pow(tries as u32)).await;
                }
                Err(e) if e.is_io() || e.is_eof() => return Err(Error::Unreachable(e.to_string())),
                Err(e) => return Err(Error::Malformed(e.to_string())),
            }
        }
    }

    /// Some rows of a sheet as they are now; rows that are gone are missing from the answer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn rows(&self, identity: &Identity, sheet: i64, ids: &[i64]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(super::writes::IDS_PER_URL) {
            let list: Vec<String> = chunk.iter().map(i64::to_string).collect();
            let path = format!("sheets/{sheet}?level=2&include=objectValue&exclude=nonexistentCells&rowIds={}", list.join(","));
            #[derive(Deserialize)]
            struct Answer {
                #[serde(default)]
                rows: Vec<Row>,
            }
            let answer: Answer = self.get(identity, &path).await?;
            rows.extend(answer.rows);
        }
        Ok(rows)
    }

    /// The discussions of a row, with their comments.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn discussions(&self, identity: &Identity, sheet: i64, row: i64) -> Result<Vec<Discussion>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            data: Vec<Discussion>,
        }
        let answer: Answer = self.get(identity, &format!("sheets/{sheet}/rows/{row}/discussions?include=comments")).await?;
        Ok(answer.data)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, identity: &Identity, path: &str) -> Result<T, Error> {
        self.call(identity, &Call::get(path)).await
    }
}
