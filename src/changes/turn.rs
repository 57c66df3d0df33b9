//! The right to write to a sheet, among the tasks of this process and among processes.

use super::Changes;
use crate::clock::Clock;
use crate::error::Result;
use crate::sheet::{SheetId, Sheets};
use crate::smartsheet::{Hold, SheetWriter};
use crate::store::{HEARTBEAT, LEASE, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

/// How often a sheet that another process writes to is asked for.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Held from comparing to writing, so that no other change of ours comes between.
pub(super) struct Turn {
    pub writer: SheetWriter,
    lease: Lease,
    sheets: Arc<Sheets>,
    _heartbeat: AbortOnDropHandle<()>,
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
        let owner = uuid::Uuid::new_v4().simple().to_string();
        let lease = Lease { store: self.store.clone(), clock: self.clock.clone(), sheet, owner, hold: writer.until() };
        while !lease.take().await? {
            tokio::time::sleep(ASK_AGAIN).await;
        }
        let kept = lease.clone();
        let heartbeat = tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                match kept.take().await {
                    Ok(true) => {}
                    Ok(false) => tracing::warn!(sheet = %kept.sheet, "the lease of a sheet was lost; nothing more is sent under it"),
                    Err(error) => tracing::warn!(sheet = %kept.sheet, %error, "the lease of a sheet could not be prolonged"),
                }
            }
        });
        Ok(Turn { writer, lease, sheets: self.sheets.clone(), _heartbeat: AbortOnDropHandle::new(heartbeat) })
    }
}

impl Lease {
    async fn take(&self) -> Result<bool, sqlx::Error> {
        let (asked, now_ms) = (Instant::now(), self.clock.now_ms());
        let taken = self.store.take_sheet(self.sheet, &self.owner, now_ms, now_ms + LEASE.as_millis() as i64).await?;
        self.hold.set(if taken { asked + LEASE } else { asked });
        Ok(taken)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.sheets.written(self.lease.sheet);
        let lease = self.lease.clone();
        tokio::spawn(async move {
            if let Err(error) = lease.store.leave_sheet(lease.sheet, &lease.owner).await {
                tracing::warn!(sheet = %lease.sheet, %error, "the lease of a sheet could not be given back; it runs out by itself");
            }
        });
    }
}
