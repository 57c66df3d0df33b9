//! The right to write to a sheet, among the tasks of this process and among processes.

use super::Changes;
use crate::clock::Clock;
use crate::error::Result;
use crate::events::Writer;
use crate::sheet::{SheetId, Sheets};
use crate::smartsheet::{Hold, SheetWriter};
use crate::store::{HEARTBEAT, LEASE, Store, UNDER_WAY_MS};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How often a sheet that another process writes to is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Held from comparing to writing, so that no other change of ours comes between.
pub(super) struct Turn {
    pub writer: SheetWriter,
    /// Grows by one with every turn at this sheet, whoever has it.
    pub number: i64,
    lease: Option<Lease>,
    sheets: Sheets,
    heartbeat: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Lease {
    store: Store,
    clock: Clock,
    sheet: SheetId,
    owner: String,
    hold: Hold,
}

impl Changes {
    pub(super) async fn turn(&self, sheet: SheetId) -> Result<Turn> {
        let writer = self.sheets.client().writer(sheet.0).await;
        let owner = format!("{}/{}", self.store.owner(), uuid::Uuid::new_v4().simple());
        let lease = Lease { store: self.store.clone(), clock: self.clock.clone(), sheet, owner, hold: writer.until() };
        let number = loop {
            match lease.take(None).await? {
                Some(number) => break number,
                None => tokio::time::sleep(ASK_AGAIN).await,
            }
        };
        let kept = lease.clone();
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                match kept.take(Some(number)).await {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        metrics::counter!("chatsheet_leases_lost_total", "what" => "sheet").increment(1);
                        tracing::warn!(sheet = %kept.sheet, "the lease of a sheet was lost; nothing more is sent under it");
                    }
                    Err(error) => tracing::warn!(sheet = %kept.sheet, %error, "the lease of a sheet could not be prolonged"),
                }
            }
        });
        Ok(Turn { writer, number, lease: Some(lease), sheets: self.sheets.clone(), heartbeat: AbortOnDropHandle::new(heartbeat) })
    }
}

impl Lease {
    /// Takes the sheet, or prolongs this turn at it: `None` when somebody else has it, or had it since.
    async fn take(&self, turn: Option<i64>) -> Result<Option<i64>, sqlx::Error> {
        let (asked, now_ms) = (Instant::now(), self.clock.now_ms());
        let taken = self.store.take_sheet(self.sheet, &self.owner, now_ms, now_ms + LEASE.as_millis() as i64).await?;
        let taken = taken.filter(|number| turn.is_none_or(|turn| turn == *number));
        self.hold.set(if taken.is_some() { asked + LEASE } else { asked });
        Ok(taken)
    }

    async fn leave(&self, until_ms: i64) {
        if let Err(error) = self.store.leave_sheet(self.sheet, &self.owner, until_ms).await {
            tracing::warn!(sheet = %self.sheet, %error, "the lease of a sheet could not be given back; it runs out by itself");
        }
    }
}

impl Turn {
    /// Ends the turn; whoever waits for the sheet has it when this returns.
    pub async fn end(mut self) {
        // It must not take the sheet again that was just left.
        self.heartbeat.abort();
        if let Some(lease) = self.lease.take() {
            self.sheets.changed(lease.sheet, Writer::Us);
            lease.leave(0).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.sheets.changed(lease.sheet, Writer::Us);
            // What was given up half-way may leave a request on its way.
            let until_ms = if lease.hold.is_busy() { lease.clock.now_ms() + UNDER_WAY_MS } else { 0 };
            tokio::spawn(async move { lease.leave(until_ms).await });
        }
    }
}
