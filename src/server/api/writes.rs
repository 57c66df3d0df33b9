//! Writes to a sheet: a proposal that the key approves itself, journalled, carried out and undoable like every other.

use super::Api;
use super::auth::Caller;
use super::problem::{Problem, Result};
use crate::changes::{CellEdit, Draft, Outcome, Plan, Stop};
use crate::sheet::{SheetId, Snapshot};
use crate::smartsheet::Identity;
use axum::Json;
use axum::http::StatusCode;
use chat::What;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::watch;
use utoipa::ToSchema;

/// What became of a write.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// `written`, or `under_way`: it takes longer, and the messages of the session tell what becomes of it.
    pub status: &'static str,
    /// The change in the journal. In its session, `POST /api/messages` with `action` `undo:` and this id takes it back.
    pub change_id: String,
    /// The session that the change belongs to.
    pub session_id: String,
    /// The row that was made or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_id: Option<String>,
    /// The column that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column_id: Option<String>,
    /// How many rows, columns or cells' rows were written.
    pub written: usize,
    /// The values that were written, by column.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub cells: Map<String, Value>,
    /// Things to look at twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Api {
    /// The sheet as it is now, for a program that names it by its id or its name.
    pub(in crate::server) async fn sheet(&self, word: &str) -> Result<Arc<Snapshot>> {
        let id = self.sheet_named(word, true).await?;
        self.sheet_for(&Identity::Service, &id.to_string()).await
    }

    /// The same for a program that is about to change it: a part of its name does not do.
    pub(in crate::server) async fn sheet_to_change(&self, word: &str) -> Result<Arc<Snapshot>> {
        let id = self.sheet_named(word, false).await?;
        self.sheet_for(&Identity::Service, &id.to_string()).await
    }

    /// The sheet as it is now, as this identity sees it.
    pub(in crate::server) async fn sheet_for(&self, identity: &Identity, id: &str) -> Result<Arc<Snapshot>> {
        let sheet = SheetId::try_from(id.to_owned()).map_err(|_| Problem::not_found("sheet"))?;
        let snapshot = self.parts.sheets.snapshot(identity, sheet).await;
        snapshot.map_err(|trouble| match Problem::from(trouble) {
            refused if refused.code == "refused" => Problem::new(StatusCode::NOT_FOUND, "not_found", refused.detail),
            other => other,
        })
    }

    /// Carries a draft out that the key asked for by this request.
    pub(in crate::server) async fn write(&self, caller: &Caller, snapshot: &Snapshot, draft: Draft) -> Result<Written> {
        let store = &self.parts.store;
        let (session, thread) = self.session_of_sheet(caller, SheetId(snapshot.id), &snapshot.name).await?;
        let place = self.place(caller, &session, &thread);
        let changes = &self.parts.changes;
        if let Some(approval) = changes.approval(SheetId(snapshot.id), &draft.plan).await? {
            return Err(Problem::new(StatusCode::FORBIDDEN, "approval_needed", approval.elsewhere(caller.id())));
        }
        let proposal = changes.keep(None, &draft, snapshot, &place, changes.rules.proposal_lifetime).await?;
        let mut served = self.happen(caller, &thread, &format!("write-{}", proposal.id), press("confirm", &proposal.id)).await?;
        if proposal.row_count >= self.parts.changes.rules.confirm_limit_rows {
            // The request itself names what goes: nobody has to be asked for the number of rows.
            served = self.happen(caller, &thread, &format!("count-{}", proposal.id), press("count", &proposal.id)).await?;
        }
        let change = store.change_of_proposal(&proposal.id).await?;
        if served && change.is_none() {
            let detail = "The write was not approved in time, or was given up in its session. Nothing was written; send it again.";
            return Err(Problem::new(StatusCode::CONFLICT, "not_approved", detail));
        }
        let change_id = change.as_ref().map(|c| c.id.clone()).unwrap_or_default();
        let mut written =
            Written { status: "under_way", change_id, session_id: session.id, warnings: draft.warnings, ..Written::default() };
        let (true, Some(change)) = (served, change.filter(|c| !c.applying)) else { return Ok(written) };
        let outcome = self.parts.changes.apply(&change, &watch::Sender::default(), &Stop::default()).await?;
        if outcome.done == 0 {
            return Err(refused(&outcome));
        }
        written.warnings.extend(outcome.altered.iter().map(|r| format!("{}: {}.", r.label, r.reason)));
        let made = store.change_rows(&change.id).await?.first().and_then(|r| r.made.clone());
        (written.status, written.written, written.row_id) = ("written", outcome.done, outcome.rows.first().map(i64::to_string));
        let cells: Vec<&CellEdit> = match &draft.plan {
            Plan::Update { rows } => rows.iter().flat_map(|r| &r.cells).collect(),
            Plan::Add { rows, .. } => rows.iter().flat_map(|r| &r.cells).collect(),
            _ => Vec::new(),
        };
        written.cells = cells.into_iter().map(|c| (c.title.clone(), c.after.clone())).collect();
        if let Plan::AddColumn { .. } = draft.plan {
            written.column_id = made.as_ref().and_then(Value::as_i64).map(|id| id.to_string());
        }
        Ok(written)
    }
}

impl Written {
    /// The answer: with this status when it is written.
    pub(super) fn answer(self, done: StatusCode) -> (StatusCode, Json<Self>) {
        let status = if self.status == "written" { done } else { StatusCode::ACCEPTED };
        (status, Json(self))
    }
}

fn press(verb: &str, proposal: &str) -> What {
    What::Press { action: format!("{verb}:{proposal}"), message: None }
}

/// Why nothing was written: somebody else was faster, or Smartsheet said no.
fn refused(outcome: &Outcome) -> Problem {
    let (status, code, row) = match (outcome.skipped.first(), outcome.failed.first()) {
        (Some(skipped), _) => (StatusCode::CONFLICT, "conflict", Some(skipped)),
        (None, failed) => (StatusCode::UNPROCESSABLE_ENTITY, "refused", failed),
    };
    let detail = row.map_or_else(|| "Nothing was written.".to_owned(), |r| format!("Nothing was written: {}: {}.", r.label, r.reason));
    Problem::new(status, code, detail)
}
