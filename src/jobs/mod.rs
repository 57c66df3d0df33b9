//! Long work: model answers for many rows, large changes, and taking either back. Durable, one
//! message in the thread, stoppable; whoever is killed is followed by whoever comes next.

mod ask;
mod board;
mod fill;
pub mod kinds;
mod propose;
mod record;
mod report;
mod runner;
mod service;

pub use kinds::{Instructions, KINDS, Kind, Parameters};
pub use propose::Proposed;
pub use report::{in_a_line, in_detail};
pub use service::{NewJob, WaitsFor};

use crate::changes::{Changes, Plan};
use crate::clock::Clock;
use crate::config::JobSettings;
use crate::events::Events;
use crate::llm::Model;
use crate::smartsheet::{IDS_PER_URL, ROWS_PER_CALL};
use crate::store::{Change, Job, Place, Store};
use chat::Chats;
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// A confirmed change of more rows than this is carried out by a job.
pub const LARGE: usize = ROWS_PER_CALL;
/// The kind of a job that carries out one large change of rows that exist.
pub const BULK_UPDATE: &str = "BULK_UPDATE";
/// The same for new rows.
pub const BULK_ADD: &str = "BULK_ADD";
/// The same for rows that go.
pub const BULK_DELETE: &str = "BULK_DELETE";
/// The kind of a job that takes another one back.
pub const UNDO: &str = "UNDO";

/// The requests to Smartsheet of a change that is carried out by a job; none for a smaller one.
pub fn requests_of(plan: &Plan) -> Option<usize> {
    let at_once = if matches!(plan, Plan::Delete { .. }) { IDS_PER_URL } else { ROWS_PER_CALL };
    (!matches!(plan, Plan::Job { .. }) && plan.units() > LARGE).then(|| plan.units().div_ceil(at_once) + 1)
}

/// What jobs need.
pub struct Parts {
    /// What is remembered.
    pub store: Store,
    /// Writing, and through it sheets.
    pub changes: Changes,
    /// The model.
    pub model: Arc<Model>,
    /// The chats by platform.
    pub chats: Chats,
    /// The time.
    pub clock: Clock,
    /// Who wants to know how jobs stand.
    pub events: Events,
    /// Settings.
    pub settings: JobSettings,
}

/// A job that runs in this process.
struct Under {
    fence: i64,
    cancel: CancellationToken,
}

/// All jobs of this installation.
pub struct Jobs {
    parts: Parts,
    wake: Notify,
    settled: Notify,
    model_slots: Semaphore,
    running: Mutex<HashMap<String, Under>>,
}

impl Jobs {
    /// Jobs over these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let model_slots = Semaphore::new(parts.settings.concurrency);
        Arc::new(Self { parts, wake: Notify::new(), settled: Notify::new(), model_slots, running: Mutex::default() })
    }

    /// Something was queued.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// The job as it is queued when a large change is confirmed.
    pub fn of_change(change: &Change, plan: &Plan, what: &str, criteria: Option<&str>, place: &Place) -> Job {
        let mut updates = serde_json::Map::new();
        if let Plan::Update { rows } = plan {
            for cell in rows.iter().flat_map(|r| &r.cells) {
                let same = updates.get(&cell.title).is_none_or(|v| *v == cell.after);
                // Where it differs from row to row, the journal says what became of each.
                updates.insert(cell.title.clone(), if same { cell.after.clone() } else { serde_json::Value::Null });
            }
        }
        let kind = match plan {
            Plan::Delete { .. } => BULK_DELETE,
            Plan::Add { .. } | Plan::Restore { .. } => BULK_ADD,
            _ => BULK_UPDATE,
        };
        let parameters = json!({ "change": change.id, "what": what, "criteria": criteria, "updates": updates });
        let id = change.job_id.clone().unwrap_or_default();
        Job { total: plan.units() as i64, ..Job::queued(id, kind, parameters, place, change.created_at_ms) }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Under>> {
        self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What people call a job: the end of its id.
pub fn short(id: &str) -> String {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).collect();
    digits[digits.len().saturating_sub(6)..].to_lowercase()
}
