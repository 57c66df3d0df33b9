//! Changes that need the OK of an approver of their sheet.

use super::{Changes, Plan};
use crate::access::Approval;
use crate::error::Result;
use crate::sheet::SheetId;
use std::time::Duration;

/// How long a change waits for an approver, who may be away.
pub const APPROVED_WITHIN: Duration = Duration::from_secs(24 * 3_600);

impl Changes {
    /// Whose OK a change of a sheet needs; `None` when it needs none.
    ///
    /// # Errors
    /// When the database fails: then nothing may be changed.
    pub async fn approval(&self, sheet: SheetId, plan: &Plan) -> Result<Option<Approval>> {
        Ok(self.store.approval(sheet).await?.filter(|approval| needs_one(plan, approval.over_rows)))
    }
}

/// Whether a plan needs an approver where changes of more rows than these do.
fn needs_one(plan: &Plan, over_rows: usize) -> bool {
    match plan {
        Plan::Delete { .. } | Plan::DeleteColumn { .. } => true,
        // Another type changes what stands in every row.
        Plan::UpdateColumn { before, after, .. } if before.kind != after.kind => true,
        Plan::UpdateColumn { .. } | Plan::AddColumn { .. } => over_rows == 0,
        Plan::Update { .. } | Plan::Add { .. } | Plan::Job { .. } => plan.units() > over_rows,
        // What takes something back brings back what stood there.
        Plan::Restore { .. } | Plan::RestoreColumn { .. } | Plan::Comment { .. } | Plan::DeleteComment { .. } => false,
    }
}
