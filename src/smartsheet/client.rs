//! The client: settings, HTTP, and the calls that read.

use super::bounded::Bounded;
use super::breaker::Breaker;
use super::error::Error;
use super::model::{Column, Discussion, Row, SheetHeader};
use super::pace::{Lane, Pace};
use super::reader::Read;
use super::request::{CHANGE_AGENT, Call};
use super::{Identity, PeoplesTokens, SharedBudget, read_sheet};
use futures_util::TryStreamExt;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Most bytes of an answer, as they are after inflation.
    pub answer_bytes: u64,
}

/// Talks to Smartsheet. Cheap to clone; clones share budget, writers and breaker.
#[derive(Clone)]
pub struct Client {
    pub(super) http: reqwest::Client,
    pub(super) settings: Arc<Settings>,
    pub(super) pace: Arc<Pace>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) lane: Lane,
    /// Under which name webhooks tell of what this client writes.
    pub(super) change_agent: Arc<str>,
    /// Sheets whose cells may have several values.
    with_parts: Arc<Mutex<HashSet<i64>>>,
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
        Ok(Self {
            http,
            settings: Arc::new(settings),
            pace: Arc::new(Pace::new(None)),
            breaker,
            lane: Lane::Chat,
            change_agent: CHANGE_AGENT.into(),
            with_parts: Arc::default(),
            people: None,
        })
    }

    /// The same where other processes ask with the same tokens.
    #[must_use]
    pub fn with_shared_budget(self, budget: Arc<dyn SharedBudget>) -> Self {
        Self { pace: Arc::new(Pace::new(Some(budget))), ..self }
    }

    /// The same for one of several installations that write to the same sheets: each hears of what the others write.
    #[must_use]
    pub fn of_installation(self, id: &str) -> Self {
        Self { change_agent: format!("{CHANGE_AGENT}-{id}").into(), ..self }
    }

    /// Under which name webhooks tell of what this client writes.
    pub fn change_agent(&self) -> &str {
        &self.change_agent
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

    /// Whether an identity may read a sheet.
    ///
    /// # Errors
    /// When Smartsheet does not say.
    pub async fn can_read(&self, identity: &Identity, sheet: i64) -> Result<bool, Error> {
        match self.version(identity, sheet).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_) | Error::Forbidden { .. } | Error::NotConnected) => Ok(false),
            Err(error) => Err(error),
        }
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
        let mut tries = 0;
        loop {
            // Each value is sent twice with its parts, so they are asked for only where a column has values of several.
            let with_parts = self.with_parts.lock().unwrap_or_else(PoisonError::into_inner).contains(&sheet);
            let mut path = format!(
                "sheets/{sheet}?level=2&accessApiLevel=1{}&exclude=nonexistentCells,linkInFromCellDetails,linksOutToCellsDetails",
                if with_parts { "&include=objectValue" } else { "" }
            );
            if let Some(version) = known_version {
                path.push_str(&format!("&ifVersionAfter={version}"));
            }
            let call = Call::get(&path);
            let response = self.send(identity, &call).await?;
            let stream = response.bytes_stream().map_err(std::io::Error::other);
            let reader = Bounded::new(SyncIoBridge::new(StreamReader::new(stream)), self.settings.answer_bytes);
            let mut rows = start();
            let parse = move || {
                let mut lacks_parts = false;
                let mut enough = |columns: &[Column]| {
                    lacks_parts = !with_parts && columns.iter().any(Column::has_parts);
                    !lacks_parts
                };
                let reader = std::io::BufReader::with_capacity(1 << 16, reader);
                let read = read_sheet(reader, &mut enough, &mut |row| rows.extend([row]));
                (read, rows, lacks_parts)
            };
            let (read, rows, lacks_parts) = tokio::task::spawn_blocking(parse).await.map_err(|e| Error::Malformed(e.to_string()))?;
            if lacks_parts {
                self.with_parts.lock().unwrap_or_else(PoisonError::into_inner).insert(sheet);
                continue;
            }
            match read {
                Ok(Read::Unchanged(_)) => return Ok(None),
                Ok(Read::Sheet(header)) => return Ok(Some((header, rows))),
                Err(e) if e.io_error_kind() == Some(std::io::ErrorKind::FileTooLarge) => {
                    return Err(Error::TooLarge(self.settings.answer_bytes));
                }
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

    /// How many comments and attachments hang on these rows, and would go with them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn hanging_on(&self, identity: &Identity, sheet: i64, rows: &[i64]) -> Result<(usize, usize), Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            rows: Vec<Hung>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Hung {
            #[serde(default)]
            discussions: Vec<Started>,
            #[serde(default)]
            attachments: Vec<IgnoredAny>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Started {
            #[serde(default = "one")]
            comment_count: usize,
        }
        fn one() -> usize {
            1
        }
        let (mut comments, mut attachments) = (0, 0);
        for chunk in rows.chunks(super::writes::IDS_PER_URL) {
            let list: Vec<String> = chunk.iter().map(i64::to_string).collect();
            let path = format!("sheets/{sheet}?include=discussions,attachments&exclude=nonexistentCells&rowIds={}", list.join(","));
            let answer: Answer = self.get(identity, &path).await?;
            comments += answer.rows.iter().flat_map(|r| &r.discussions).map(|d| d.comment_count).sum::<usize>();
            attachments += answer.rows.iter().map(|r| r.attachments.len()).sum::<usize>();
        }
        Ok((comments, attachments))
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
