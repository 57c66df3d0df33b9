//! The bot's own token, kept until shortly before it ends.

use crate::Teams;
use chat::ChatError;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// A token is not used for the last minutes of its life.
const EARLY: Duration = Duration::from_secs(300);

/// The token, and until when it is used.
#[derive(Default)]
pub(crate) struct Access(Mutex<Option<(String, Instant)>>);

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

/// How Microsoft words a refusal.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Teams {
    /// The bot's token for the connector.
    pub(crate) async fn token(&self) -> Result<String, ChatError> {
        let mut kept = self.access.0.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let unreachable = |e: reqwest::Error| ChatError::Unreachable(format!("no token: {}", e.without_url()));
        let issuer = self.trust.issuer().await.map_err(|e| ChatError::Unreachable(format!("no token: {e}")))?;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.settings.app_id),
            ("client_secret", &self.settings.app_password),
            ("scope", &format!("{issuer}/.default")),
        ];
        let answer = self.http.post(self.settings.token_url.clone()).form(&form).send().await.map_err(unreachable)?;
        if answer.status().is_client_error() {
            let refusal: Refusal = answer.json().await.unwrap_or_default();
            let first = refusal.error_description.lines().next().unwrap_or_default().to_owned();
            return Err(ChatError::Forbidden(format!("no token: {} {first}", refusal.error)));
        }
        let granted: Granted = answer.error_for_status().map_err(unreachable)?.json().await.map_err(unreachable)?;
        let until = Instant::now() + Duration::from_secs(granted.expires_in).saturating_sub(EARLY);
        *kept = Some((granted.access_token.clone(), until));
        Ok(granted.access_token)
    }

    /// The token was refused: the next call asks for a new one.
    pub(crate) async fn forget_token(&self) {
        *self.access.0.lock().await = None;
    }
}
