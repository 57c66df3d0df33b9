//! The audit log: every proposal, decision, write, refusal and change of access, each line chained to the one before it by its hash.

use super::{Store, on, on_durable};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A change was proposed and shown.
    Proposed,
    /// Somebody confirmed a proposal.
    Confirmed,
    /// Somebody cancelled a proposal, or asked for its number, or it ran out.
    Moved,
    /// A change that needs no proposal began: an undo, a part of a job.
    Began,
    /// A change was carried out; old and new values stand in the detail.
    Applied,
    /// A change was given up.
    Failed,
    /// Somebody was not let in.
    TurnedAway,
    /// Somebody may do something else from now on.
    Access,
    /// A key of the API was made.
    KeyMade,
    /// A key of the API was revoked.
    KeyRevoked,
}

impl Deed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Confirmed => "confirmed",
            Self::Moved => "moved",
            Self::Began => "began",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::TurnedAway => "turned_away",
            Self::Access => "access",
            Self::KeyMade => "key_made",
            Self::KeyRevoked => "key_revoked",
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A line that is to be written.
#[derive(Clone, Debug)]
pub struct Deeds {
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What happened.
    pub what: Deed,
    /// Whoever did it: an id of the platform, `key:…`, or `operator`.
    pub who: String,
    /// The thread, or the platform and workspace.
    pub place: String,
    /// What it was done to: `proposal:…`, `change:…`, `person:…`, `key:…`.
    pub subject: String,
    /// The rest.
    pub detail: Value,
}

/// A line as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// Its number; there are no gaps.
    pub seq: i64,
    /// See [`Deeds`].
    pub at_ms: i64,
    /// The name of a [`Deed`].
    pub what: String,
    /// See [`Deeds`].
    pub who: String,
    /// See [`Deeds`].
    pub place: String,
    /// See [`Deeds`].
    pub subject: String,
    /// JSON.
    pub detail: String,
    /// SHA-256 of the line before and of this one, in hexadecimal.
    pub hash: String,
}

impl Line {
    pub(super) fn new(deed: &Deeds, seq: i64, before: &str) -> Self {
        let mut line = Self {
            seq,
            at_ms: deed.at_ms,
            what: deed.what.to_string(),
            who: deed.who.clone(),
            place: deed.place.clone(),
            subject: deed.subject.clone(),
            detail: deed.detail.to_string(),
            hash: String::new(),
        };
        line.hash = line.hash_after(before);
        line
    }

    /// What its hash has to be behind a line with this one.
    pub fn hash_after(&self, before: &str) -> String {
        let mut hasher = Sha256::new();
        let (seq, at) = (self.seq.to_string(), self.at_ms.to_string());
        // With their lengths, so that nothing moves from one part to the next.
        for part in [before, &seq, &at, &self.what, &self.who, &self.place, &self.subject, &self.detail] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Adds a line to the log within a transaction, so that what was done and its line are there together.
macro_rules! note {
    ($tx:ident, $deed:expr) => {{
        const NEXT: &str = "UPDATE audit_head SET seq = seq + 1 WHERE one = 1 RETURNING seq, hash";
        const ADD: &str = "INSERT INTO audit (seq, at_ms, what, who, place, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        const HEAD: &str = "UPDATE audit_head SET hash = $1 WHERE one = 1";
        let (seq, before): (i64, String) = sqlx::query_as(NEXT).fetch_one(&mut *$tx).await?;
        let line = $crate::store::audit::Line::new(&$deed, seq, &before);
        let add = sqlx::query(ADD).bind(line.seq).bind(line.at_ms).bind(&line.what).bind(&line.who).bind(&line.place);
        add.bind(&line.subject).bind(&line.detail).bind(&line.hash).execute(&mut *$tx).await?;
        sqlx::query(HEAD).bind(&line.hash).execute(&mut *$tx).await?;
    }};
}
pub(super) use note;

/// What is wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A line is not there, or there twice.
    Gap {
        /// The number that should have come.
        expected: i64,
        /// The number that came.
        found: i64,
    },
    /// A line was changed, or stands behind another one than when it was written.
    Changed(i64),
    /// Lines are missing at the end, or the last one was changed: as many there are, and as many were written.
    End {
        /// The last line that is there.
        found: i64,
        /// The last one that was written.
        written: i64,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, found } => write!(f, "line {expected} is missing: line {found} stands in its place"),
            Self::Changed(seq) => write!(f, "line {seq} was changed, or the one before it"),
            Self::End { found, written } => write!(f, "the log ends with line {found}, and {written} were written"),
        }
    }
}

/// Lines that are read at a time.
const PAGE: i64 = 5_000;

impl Store {
    /// Adds a line for what changes nothing else in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note(&self, deed: &Deeds) -> Result<(), sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            note!(tx, deed);
            tx.commit().await
        })
    }

    /// Lines behind this one that are not older than a moment, in their order, as many as fit into a page; empty at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_lines(&self, after: i64, since_ms: i64) -> Result<Vec<Line>, sqlx::Error> {
        const GET: &str =
            "SELECT seq, at_ms, what, who, place, subject, detail, hash FROM audit WHERE seq > $1 AND at_ms >= $2 ORDER BY seq LIMIT $3";
        on!(self, pool => sqlx::query_as(GET).bind(after).bind(since_ms).bind(PAGE).fetch_all(pool).await)
    }

    /// The number and hash of the last line that was written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_head(&self) -> Result<(i64, String), sqlx::Error> {
        on!(self, pool => sqlx::query_as("SELECT seq, hash FROM audit_head WHERE one = 1").fetch_one(pool).await)
    }

    /// Reads the whole log and says whether anything in it was changed; how many lines there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify_audit(&self) -> Result<Result<i64, Broken>, sqlx::Error> {
        // Lines that are written meanwhile are left for the next time.
        let (written, head) = self.audit_head().await?;
        let (mut seq, mut before) = (0, String::new());
        'pages: loop {
            let page = self.audit_lines(seq, i64::MIN).await?;
            if page.is_empty() {
                break;
            }
            for line in page {
                if seq == written {
                    break 'pages;
                }
                if line.seq != seq + 1 {
                    return Ok(Err(Broken::Gap { expected: seq + 1, found: line.seq }));
                }
                if line.hash != line.hash_after(&before) {
                    return Ok(Err(Broken::Changed(line.seq)));
                }
                (seq, before) = (line.seq, line.hash);
            }
        }
        if seq != written || before != head {
            return Ok(Err(Broken::End { found: seq, written }));
        }
        Ok(Ok(seq))
    }
}
