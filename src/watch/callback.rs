//! What Smartsheet says when it calls: challenges, changes, and that a webhook no longer works.

use super::Watch;
use super::webhooks::{LOOKED_AT_EVERY, TOO_LARGE};
use crate::error::Result;
use crate::events::Writer;
use crate::sheet::SheetId;
use crate::store::WebhookRecord;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Hexadecimal digits of a signature.
const SIGNATURE_DIGITS: usize = 64;

/// How a call is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this word: the address is ours.
    Challenge(String),
    /// It is taken in; Smartsheet wants exactly 200.
    Taken,
    /// The body is not one of Smartsheet's.
    Malformed,
    /// The webhook is not ours, or the signature is wrong.
    Forbidden,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Callback {
    webhook_id: Id,
    challenge: Option<String>,
    nonce: Option<String>,
    scope_object_id: Option<Id>,
    new_webhook_status: Option<String>,
    events: Option<Vec<Happened>>,
}

/// An id; `5.0` is an integer in JSON, too.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "serde_json::Number")]
struct Id(i64);

impl TryFrom<serde_json::Number> for Id {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> std::result::Result<Self, Self::Error> {
        let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 9.0e18).then_some(n as i64);
        number.as_i64().or_else(|| number.as_f64().and_then(whole)).map(Self).ok_or("an id is a whole number")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Happened {
    /// Who wrote it, when it was a program: separated by commas.
    change_agent: Option<String>,
}

impl Watch {
    /// Takes a call of Smartsheet in. The signature is that of the raw body.
    ///
    /// # Errors
    /// When the store fails; Smartsheet calls again.
    pub async fn called(&self, body: &[u8], signature: Option<&str>) -> Result<Answer> {
        let Ok(call) = serde_json::from_slice::<Callback>(body) else { return Ok(Answer::Malformed) };
        let Id(webhook) = call.webhook_id;
        let known = self.parts.store.webhook(webhook).await?;
        if let Some(word) = call.challenge {
            // It says nothing and changes nothing, so it needs no signature; Smartsheet sends none.
            let ours = known.is_some() || self.parts.hand_made.is_some();
            let fits = !word.is_empty() && word.len() <= 200 && word.bytes().all(|b| b.is_ascii_graphic());
            return Ok(if ours && fits { Answer::Challenge(word) } else { Answer::Forbidden });
        }
        let (secret, sheet) = match (&known, &self.parts.hand_made) {
            (Some(record), _) => (self.secret_of(record), record.sheet),
            (None, Some(secret)) => (Some(secret.clone()), SheetId(call.scope_object_id.map_or(0, |Id(id)| id))),
            (None, None) => return Ok(Answer::Forbidden),
        };
        if !secret.is_some_and(|s| signed(&s, body, signature.unwrap_or_default())) {
            tracing::warn!(webhook, "a call with a wrong signature was refused");
            return Ok(Answer::Forbidden);
        }
        let once = format!("{webhook}|{}", call.nonce.unwrap_or_default());
        if self.seen.contains_key(&once) {
            return Ok(Answer::Taken);
        }
        if let (Some(status), Some(record)) = (call.new_webhook_status, known) {
            self.status_changed(record, status).await?;
            self.parts.sheets.changed(sheet, Writer::Others);
        }
        let own = self.parts.sheets.client().change_agent();
        let ours = |h: &Happened| h.change_agent.as_deref().is_some_and(|a| a.split(',').any(|a| a.trim() == own));
        if call.events.iter().flatten().any(|h| !ours(h)) {
            self.parts.sheets.changed(sheet, Writer::Others);
        }
        self.seen.insert(once, ()).await;
        Ok(Answer::Taken)
    }

    fn secret_of(&self, record: &WebhookRecord) -> Option<SecretString> {
        let opened = self.parts.vault.open(super::webhooks::PURPOSE, record.secret.as_deref()?);
        match opened {
            Ok(secret) => Some(secret.into()),
            Err(error) => {
                tracing::error!(sheet = %record.sheet, error = format!("{error:#}"), "the secret of a webhook cannot be opened");
                None
            }
        }
    }

    /// Smartsheet has switched a webhook off or on. What happened meanwhile is never told: the sheet is compared anew.
    async fn status_changed(&self, record: WebhookRecord, status: String) -> Result<()> {
        tracing::info!(sheet = %record.sheet, %status, "a webhook changed its state");
        // A sheet that is too large stays so for a while.
        let wait = if status == TOO_LARGE { LOOKED_AT_EVERY } else { Duration::ZERO };
        let next_try_ms = self.parts.clock.now_ms() + wait.as_millis() as i64;
        self.parts.store.set_webhook(&WebhookRecord { status, next_try_ms, ..record }).await?;
        Ok(())
    }
}

/// Whether the signature is that of the body. Some senders drop leading zeros or write capitals.
fn signed(secret: &SecretString, body: &[u8], signature: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(body);
    let expected: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    let given = format!("{:0>SIGNATURE_DIGITS$}", signature.trim().to_ascii_lowercase());
    bool::from(expected.as_bytes().ct_eq(given.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_hold_with_capitals_and_without_leading_zeros() {
        let secret: SecretString = "key".into();
        let right = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let body = b"The quick brown fox jumps over the lazy dog";
        assert!(signed(&secret, body, right) && signed(&secret, body, &right.to_uppercase()));
        for wrong in ["", "0", &right[1..], &format!("{right}0"), &right.replace('f', "e"), "ä"] {
            assert!(!signed(&secret, body, wrong), "{wrong}");
        }
        let zero = (0..2_000).map(|i| format!("body {i}")).find_map(|body| {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
            mac.update(body.as_bytes());
            let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
            hex.starts_with('0').then_some((body, hex))
        });
        let (body, hex) = zero.unwrap();
        assert!(signed(&secret, body.as_bytes(), hex.trim_start_matches('0')));
    }
}
