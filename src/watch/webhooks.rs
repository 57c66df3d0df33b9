//! Makes a webhook for each sheet that a thread is about, keeps it working, and removes it when nobody needs it.

use super::Watch;
use crate::error::Result;
use crate::events::Writer;
use crate::smartsheet::{Identity, Webhook};
use crate::store::{SWITCHED_OFF, WebhookRecord};
use secrecy::ExposeSecret;
use std::time::Duration;

/// What secrets of webhooks are sealed for.
pub const PURPOSE: &str = "webhook";
/// Smartsheet's word for a webhook that works.
pub(super) const ENABLED: &str = "ENABLED";
/// How long one process looks after a webhook before another one may.
const TURN: Duration = Duration::from_secs(60);
/// First and longest wait before a webhook that does not come to work is tried again.
const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// How often it is looked whether a webhook still works: Smartsheet may have switched it off while nobody heard of it.
pub(super) const LOOKED_AT_EVERY: Duration = Duration::from_secs(3600);
/// What Smartsheet says when a sheet has more cells than it tells changes of.
pub(super) const TOO_LARGE: &str = "DISABLED_EXCEEDED_GRID_LIMITS";

impl Watch {
    /// Looks after the webhooks that do not work or are not needed; nothing to do without an address that Smartsheet can call.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look_after_webhooks(&self) -> Result<()> {
        let Some(callback) = self.parts.callback.as_ref().map(ToString::to_string) else { return Ok(()) };
        let (store, now_ms) = (&self.parts.store, self.parts.clock.now_ms());
        store.want_webhooks().await?;
        for (webhook, needed) in store.webhooks_to_look_after(now_ms).await? {
            let turn = now_ms + TURN.as_millis() as i64;
            if !store.take_webhook(&webhook, turn).await? {
                continue;
            }
            let webhook = WebhookRecord { next_try_ms: turn, ..webhook };
            let done = match needed {
                true if webhook.status == ENABLED => self.look_whether_it_works(&webhook, &callback).await,
                true => self.make_work(&webhook, &callback).await,
                false => self.remove(&webhook).await,
            };
            if let Err(error) = done {
                self.try_later(&webhook, &error.to_string()).await?;
            }
        }
        Ok(())
    }

    /// Makes the webhook if need be, and enables it. One that an earlier try left behind is taken over.
    async fn make_work(&self, wanted: &WebhookRecord, callback: &str) -> anyhow::Result<()> {
        let (client, identity) = (self.parts.sheets.client(), Identity::Service);
        let sheet = wanted.sheet.0;
        let all = client.webhooks(&identity).await?;
        let ours = |w: &&Webhook| w.scope_object_id == sheet && w.callback_url == callback;
        let made = match all.into_iter().find(|w| ours(&w)) {
            Some(left) => left,
            None => client.create_webhook(&identity, sheet, callback).await?,
        };
        let secret = made.shared_secret.as_ref().ok_or_else(|| anyhow::anyhow!("Smartsheet gave no secret with the webhook"))?;
        let secret = Some(self.parts.vault.seal(PURPOSE, secret.expose_secret())?);
        let record = WebhookRecord { webhook_id: Some(made.id), secret, status: made.status.clone(), ..wanted.clone() };
        // Known before it is enabled: Smartsheet calls, and wants an answer, before it says that it is.
        self.parts.store.set_webhook(&record).await?;
        let id = made.id;
        let enabled = if made.status == ENABLED { made } else { client.enable_webhook(&identity, id).await? };
        if enabled.status != ENABLED {
            anyhow::bail!("Smartsheet says {}: it could not call {callback}; check PUBLIC_BASE_URL", enabled.status);
        }
        let next_try_ms = self.parts.clock.now_ms() + LOOKED_AT_EVERY.as_millis() as i64;
        // What happened before it worked was not told.
        self.parts.sheets.changed(wanted.sheet, Writer::Others);
        self.parts.store.set_webhook(&WebhookRecord { status: enabled.status, tries: 0, next_try_ms, ..record }).await?;
        tracing::info!(sheet = %wanted.sheet, webhook = id, "a webhook works");
        Ok(())
    }

    /// A webhook that Smartsheet has switched off, or that calls another address, is made to work again.
    async fn look_whether_it_works(&self, known: &WebhookRecord, callback: &str) -> anyhow::Result<()> {
        let all = self.parts.sheets.client().webhooks(&Identity::Service).await?;
        let ours = all.iter().find(|w| Some(w.id) == known.webhook_id);
        let next_try_ms = self.parts.clock.now_ms() + LOOKED_AT_EVERY.as_millis() as i64;
        if let Some(off) = ours.filter(|w| SWITCHED_OFF.contains(&w.status.as_str())) {
            tracing::info!(sheet = %known.sheet, status = %off.status, "a webhook was switched off, and stays so");
            return Ok(self.parts.store.set_webhook(&WebhookRecord { status: off.status.clone(), next_try_ms, ..known.clone() }).await?);
        }
        if !ours.is_some_and(|w| w.status == ENABLED && w.callback_url == callback) {
            tracing::warn!(sheet = %known.sheet, "a webhook has stopped working without a word; it is made to work again");
            return self.make_work(known, callback).await;
        }
        Ok(self.parts.store.set_webhook(&WebhookRecord { next_try_ms, ..known.clone() }).await?)
    }

    async fn remove(&self, webhook: &WebhookRecord) -> anyhow::Result<()> {
        if let Some(id) = webhook.webhook_id {
            self.parts.sheets.client().delete_webhook(&Identity::Service, id).await?;
        }
        self.parts.store.forget_webhook(webhook.sheet).await?;
        tracing::info!(sheet = %webhook.sheet, "a webhook that nobody needs was removed");
        Ok(())
    }

    async fn try_later(&self, webhook: &WebhookRecord, why: &str) -> Result<()> {
        let wait = FIRST_WAIT.saturating_mul(1 << webhook.tries.clamp(0, 10)).min(LONGEST_WAIT);
        tracing::warn!(sheet = %webhook.sheet, wait_s = wait.as_secs(), "a webhook does not work yet: {why}");
        let known = self.parts.store.webhook_of_sheet(webhook.sheet).await?.unwrap_or_else(|| webhook.clone());
        let next_try_ms = self.parts.clock.now_ms() + wait.as_millis() as i64;
        self.parts.store.set_webhook(&WebhookRecord { tries: webhook.tries + 1, next_try_ms, ..known }).await?;
        Ok(())
    }
}
