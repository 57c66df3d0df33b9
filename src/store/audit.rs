//! The audit log: every proposal, decision, write, refusal and change of access, each line chained to the one before it by its hash.

use super::{Change, Proposal, Store, on, on_durable};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt;

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditAction {
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
    /// Somebody who is let in wanted what is not theirs to decide.
    Refused,
    /// Somebody was not let in.
    TurnedAway,
    /// Somebody may do something else from now on.
    Access,
    /// An admin decided something of a channel or a sheet.
    Rule,
    /// Somebody connected their Smartsheet account, or a workspace installed the app.
    Granted,
    /// That was given back.
    Withdrawn,
    /// What is kept under the secret key was sealed with another one.
    Rotated,
    /// What was kept of a person, a channel or a workspace was removed.
    Forgotten,
    /// A key of the API was made.
    KeyMade,
    /// A key of the API was revoked.
    KeyRevoked,
}

impl AuditAction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Confirmed => "confirmed",
            Self::Moved => "moved",
            Self::Began => "began",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::TurnedAway => "turned_away",
            Self::Access => "access",
            Self::Rule => "rule",
            Self::Granted => "granted",
            Self::Withdrawn => "withdrawn",
            Self::Rotated => "rotated",
            Self::Forgotten => "forgotten",
            Self::KeyMade => "key_made",
            Self::KeyRevoked => "key_revoked",
        }
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A line that is to be written.
#[derive(Clone, Debug)]
pub struct AuditEvent {
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What happened.
    pub what: AuditAction,
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
pub struct AuditRecord {
    /// Its number; there are no gaps.
    pub seq: i64,
    /// See [`AuditEvent`].
    pub at_ms: i64,
    /// The name of a [`AuditAction`].
    pub what: String,
    /// See [`AuditEvent`].
    pub who: String,
    /// See [`AuditEvent`].
    pub place: String,
    /// See [`AuditEvent`].
    pub subject: String,
    /// JSON.
    pub detail: String,
    /// SHA-256 of the line before and of this one, in hexadecimal.
    pub hash: String,
}

impl AuditRecord {
    pub(super) fn new(event: &AuditEvent, seq: i64, before: &str) -> Self {
        let mut line = Self {
            seq,
            at_ms: event.at_ms,
            what: event.what.to_string(),
            who: event.who.clone(),
            place: event.place.clone(),
            subject: event.subject.clone(),
            detail: event.detail.to_string(),
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
macro_rules! audit {
    ($tx:ident, $event:expr) => {{
        const NEXT: &str = "UPDATE audit_head SET seq = seq + 1 WHERE one = 1 RETURNING seq, hash";
        const ADD: &str = "INSERT INTO audit (seq, at_ms, what, who, place, subject, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        const HEAD: &str = "UPDATE audit_head SET hash = $1 WHERE one = 1";
        let (seq, before): (i64, String) = sqlx::query_as(NEXT).fetch_one(&mut *$tx).await?;
        let line = $crate::store::audit::AuditRecord::new(&$event, seq, &before);
        let add = sqlx::query(ADD).bind(line.seq).bind(line.at_ms).bind(&line.what).bind(&line.who).bind(&line.place);
        add.bind(&line.subject).bind(&line.detail).bind(&line.hash).execute(&mut *$tx).await?;
        sqlx::query(HEAD).bind(&line.hash).execute(&mut *$tx).await?;
    }};
}
pub(super) use audit;

/// What is told of a proposal that somebody confirmed; `change` is what it became, where it was no job.
pub(super) fn confirmed(p: &Proposal, decided_by: &str, change: Option<&str>, at_ms: i64) -> AuditEvent {
    AuditEvent {
        at_ms,
        what: AuditAction::Confirmed,
        who: decided_by.to_owned(),
        place: p.thread_key.clone(),
        subject: format!("proposal:{}", p.id),
        detail: json!({ "change": change, "askedBy": p.asker, "identity": p.identity }),
    }
}

/// What is told of a change that no proposal stands behind, at its beginning.
pub(super) fn began(change: &Change) -> AuditEvent {
    AuditEvent {
        at_ms: change.created_at_ms,
        what: AuditAction::Began,
        who: change.asker.clone(),
        place: change.thread_key.clone(),
        subject: format!("change:{}", change.id),
        detail: json!({ "undoOf": change.undo_of, "job": change.job_id, "identity": change.identity }),
    }
}

/// What is told of a change at its end: what stood there, what was written, and which entries were not.
macro_rules! finished {
    ($tx:ident, $change:expr, $what:expr, $now_ms:expr) => {{
        const OF: &str = "SELECT asker, thread_key, identity, sheet_id, sheet_version, plan FROM changes WHERE id = $1";
        const LEFT: &str = "SELECT seq, state, reason FROM change_rows WHERE change_id = $1 AND state <> 'done' ORDER BY seq";
        let of: (String, String, String, String, i64, sqlx::types::Json<serde_json::Value>) = sqlx::query_as(OF).bind($change).fetch_one(&mut *$tx).await?;
        let left: Vec<(i64, String, Option<String>)> = sqlx::query_as(LEFT).bind($change).fetch_all(&mut *$tx).await?;
        let (who, place, identity, sheet, version, sqlx::types::Json(plan)) = of;
        $crate::store::AuditEvent {
            at_ms: $now_ms,
            what: $what,
            who,
            place,
            subject: format!("change:{}", $change),
            detail: serde_json::json!({ "sheet": sheet, "version": version, "identity": identity, "plan": plan, "notDone": left }),
        }
    }};
}
pub(super) use finished;

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
    pub async fn audit(&self, event: &AuditEvent) -> Result<(), sqlx::Error> {
        on_durable!(self, pool => {
            let mut tx = pool.begin().await?;
            audit!(tx, event);
            tx.commit().await
        })
    }

    /// Lines behind this one that are not older than a moment, in their order, as many as fit into a page; empty at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_lines(&self, after: i64, since_ms: i64) -> Result<Vec<AuditRecord>, sqlx::Error> {
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
