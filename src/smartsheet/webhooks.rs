//! Webhooks: Smartsheet calls an address of ours when a sheet changes.

use super::Identity;
use super::client::Client;
use super::error::Error;
use super::request::Call;
use reqwest::Method;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

/// A webhook as Smartsheet knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: i64,
    /// The sheet that it is about.
    #[serde(default)]
    pub scope_object_id: i64,
    /// The address that is called.
    #[serde(default)]
    pub callback_url: String,
    /// What calls are signed with.
    #[serde(default, deserialize_with = "secret")]
    pub shared_secret: Option<SecretString>,
    /// `NEW_NOT_VERIFIED`, `ENABLED` or one of `DISABLED_…`.
    #[serde(default)]
    pub status: String,
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

#[derive(Deserialize)]
struct Answer {
    result: Webhook,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    data: Vec<Webhook>,
}

impl Client {
    /// All webhooks of the account.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn webhooks(&self, identity: &Identity) -> Result<Vec<Webhook>, Error> {
        let list: List = self.get(identity, "webhooks?pageSize=10000").await?;
        Ok(list.data)
    }

    /// Makes a webhook for all events of a sheet; it does not work before it is enabled.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::MayHaveLanded`] when the answer was lost.
    pub async fn create_webhook(&self, identity: &Identity, sheet: i64, callback_url: &str) -> Result<Webhook, Error> {
        let body = json!({
            "name": "ChatSheetAI", "callbackUrl": callback_url, "scope": "sheet", "scopeObjectId": sheet, "events": ["*.*"], "version": 1,
        });
        let answer: Answer = self.call(identity, &Call::outside_of_sheets(Method::POST, "webhooks".into(), Some(&body))?).await?;
        Ok(answer.result)
    }

    /// Enables a webhook. Smartsheet asks the callback address for an answer before this returns.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn enable_webhook(&self, identity: &Identity, id: i64) -> Result<Webhook, Error> {
        let call = Call::outside_of_sheets(Method::PUT, format!("webhooks/{id}"), Some(&json!({ "enabled": true })))?;
        let answer: Answer = self.call(identity, &call).await?;
        Ok(answer.result)
    }

    /// Deletes a webhook; one that is gone already is no error.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_webhook(&self, identity: &Identity, id: i64) -> Result<(), Error> {
        let call = Call::outside_of_sheets(Method::DELETE, format!("webhooks/{id}"), None::<&()>)?;
        match self.call::<serde_json::Value>(identity, &call).await {
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
