//! Writes that wait for a person: kept until they are confirmed, cancelled or too old.

use super::audit::audit;
use super::{AuditAction, AuditEvent, Store, on, on_write};
use crate::sheet::SheetId;
use chat::MessageRef;
use serde_json::json;
use serde_json::value::RawValue;
use sqlx::types::Json;

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "lowercase")]
pub enum ProposalState {
    /// Waits for Confirm or Cancel.
    Open,
    /// Confirmed once; waits for the number of rows as a second step.
    Counting,
    /// Approved; it became a change.
    Confirmed,
    /// Declined.
    Cancelled,
    /// Nobody decided in time.
    Expired,
}

impl ProposalState {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Counting => "counting",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// A write that nobody has approved yet.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its id.
    pub id: String,
    /// The session it was made in.
    pub session_id: String,
    /// The thread it was made in.
    pub thread_key: String,
    /// Who asked; only this person may decide.
    pub asker: String,
    /// On whose behalf it will be written.
    pub identity: String,
    /// The sheet.
    pub sheet: SheetId,
    /// The version that the old values were read from.
    pub sheet_version: i64,
    /// What will be done, with old values.
    pub plan: Box<RawValue>,
    /// Which rows, in the words of the sheet.
    pub filter: Option<String>,
    /// Rows that it touches.
    pub row_count: i64,
    /// Where it stands.
    pub state: ProposalState,
    /// The message that shows it.
    pub message: Option<MessageRef>,
    /// When it was made, epoch milliseconds.
    pub created_at_ms: i64,
    /// When it can no longer be confirmed, epoch milliseconds.
    pub expires_at_ms: i64,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    session_id: String,
    thread_key: String,
    asker: String,
    identity: String,
    sheet_id: String,
    sheet_version: i64,
    plan: Json<Box<RawValue>>,
    filter: Option<String>,
    row_count: i64,
    state: ProposalState,
    message: Option<Json<MessageRef>>,
    created_at_ms: i64,
    expires_at_ms: i64,
}

const COLUMNS: &str = "id, session_id, thread_key, asker, identity, sheet_id, sheet_version, plan, filter, row_count, state, message, created_at_ms, expires_at_ms";

fn proposal(row: Row) -> Option<Proposal> {
    Some(Proposal {
        sheet: SheetId::try_from(row.sheet_id).ok()?,
        state: row.state,
        id: row.id,
        session_id: row.session_id,
        thread_key: row.thread_key,
        asker: row.asker,
        identity: row.identity,
        sheet_version: row.sheet_version,
        plan: row.plan.0,
        filter: row.filter,
        row_count: row.row_count,
        message: row.message.map(|Json(m)| m),
        created_at_ms: row.created_at_ms,
        expires_at_ms: row.expires_at_ms,
    })
}

impl Store {
    /// Keeps a new proposal, and the event that it was made for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_proposal(&self, p: &Proposal, event: Option<&str>) -> Result<(), sqlx::Error> {
        const ADD: &str = "INSERT INTO proposals (id, session_id, thread_key, asker, identity, sheet_id, sheet_version, plan, row_count, state, created_at_ms, expires_at_ms, filter, event)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let entry = AuditEvent {
            at_ms: p.created_at_ms,
            what: AuditAction::Proposed,
            who: p.asker.clone(),
            place: p.thread_key.clone(),
            subject: format!("proposal:{}", p.id),
            detail: json!({ "sheet": p.sheet.to_string(), "version": p.sheet_version, "identity": p.identity, "rows": p.row_count, "plan": p.plan }),
        };
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            sqlx::query(ADD).bind(&p.id).bind(&p.session_id).bind(&p.thread_key).bind(&p.asker).bind(&p.identity).bind(p.sheet.to_string())
                .bind(p.sheet_version).bind(Json(&p.plan)).bind(p.row_count).bind(p.state).bind(p.created_at_ms).bind(p.expires_at_ms)
                .bind(&p.filter).bind(event).execute(&mut *tx).await?;
            audit!(tx, entry);
            tx.commit().await
        })
    }

    /// Whether a person has decided on what was proposed for an event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn was_decided(&self, event: &str) -> Result<bool, sqlx::Error> {
        const GET: &str = "SELECT count(*) FROM proposals WHERE event = $1 AND state IN ('confirmed', 'counting', 'cancelled')";
        let (decided,): (i64,) = on!(self, pool => sqlx::query_as(GET).bind(event).fetch_one(pool).await?);
        Ok(decided > 0)
    }

    /// The proposal with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn proposal(&self, id: &str) -> Result<Option<Proposal>, sqlx::Error> {
        let sql = || sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM proposals WHERE id = $1"));
        let row: Option<Row> = on!(self, pool => sqlx::query_as(sql()).bind(id).fetch_optional(pool).await?);
        Ok(row.and_then(proposal))
    }

    /// The proposals of a thread that wait for a person, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn waiting_proposals(&self, thread: &str) -> Result<Vec<Proposal>, sqlx::Error> {
        let sql = || {
            sqlx::AssertSqlSafe(format!(
                "SELECT {COLUMNS} FROM proposals WHERE thread_key = $1 AND state IN ('open', 'counting') ORDER BY created_at_ms DESC"
            ))
        };
        let rows: Vec<Row> = on!(self, pool => sqlx::query_as(sql()).bind(thread).fetch_all(pool).await?);
        Ok(rows.into_iter().filter_map(proposal).collect())
    }

    /// Remembers the message that shows a proposal.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_proposal_message(&self, id: &str, message: &MessageRef) -> Result<(), sqlx::Error> {
        const SET: &str = "UPDATE proposals SET message = $2 WHERE id = $1";
        on_write!(self, pool => sqlx::query(SET).bind(id).bind(Json(message)).execute(pool).await.map(|_| ()))
    }

    /// Who has decided a proposal, if somebody has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decider(&self, id: &str) -> Result<Option<String>, sqlx::Error> {
        const GET: &str = "SELECT decided_by FROM proposals WHERE id = $1 AND state = 'confirmed'";
        let decided: Option<(Option<String>,)> = on!(self, pool => sqlx::query_as(GET).bind(id).fetch_optional(pool).await?);
        Ok(decided.and_then(|(by,)| by))
    }

    /// Who has confirmed a change; `None` where nobody had to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn decider_of_change(&self, change: &str) -> Result<Option<String>, sqlx::Error> {
        const GET: &str =
            "SELECT p.decided_by FROM proposals p JOIN changes c ON c.proposal_id = p.id WHERE c.id = $1 AND p.state = 'confirmed'";
        let decided: Option<(Option<String>,)> = on!(self, pool => sqlx::query_as(GET).bind(change).fetch_optional(pool).await?);
        Ok(decided.and_then(|(by,)| by))
    }

    /// Moves a proposal on, if it still stands where it is thought to stand. `false` when somebody was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn move_proposal(
        &self,
        id: &str,
        from: ProposalState,
        to: ProposalState,
        by: &str,
        now_ms: i64,
    ) -> Result<bool, sqlx::Error> {
        const SET: &str = "UPDATE proposals SET state = $3, decided_by = $4, decided_at_ms = $5 WHERE id = $1 AND state = $2";
        let entry = AuditEvent {
            at_ms: now_ms,
            what: AuditAction::Moved,
            who: by.to_owned(),
            place: String::new(),
            subject: format!("proposal:{id}"),
            detail: json!({ "from": from.as_str(), "to": to.as_str() }),
        };
        on_write!(self, pool => {
            let mut tx = pool.begin().await?;
            let moved = sqlx::query(SET).bind(id).bind(from).bind(to).bind(by).bind(now_ms).execute(&mut *tx).await?;
            if moved.rows_affected() == 0 {
                return Ok(false);
            }
            audit!(tx, entry);
            tx.commit().await?;
            Ok(true)
        })
    }
}
