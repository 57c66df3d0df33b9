//! What is kept sealed, so that it can be sealed anew with another key.

use super::{Store, on, on_durable};

/// Something that is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// What somebody has granted: its kind and id.
    Grant(String, String),
    /// The secret of the webhook of a sheet.
    Webhook(String),
    /// The word by which a wrong key is told.
    Check,
}

impl Store {
    /// Everything that is kept sealed, as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sealed(&self) -> Result<Vec<(Sealed, String)>, sqlx::Error> {
        const GRANTS: &str = "SELECT kind, id, sealed FROM grants ORDER BY kind, id";
        const WEBHOOKS: &str = "SELECT sheet_id, secret FROM webhooks WHERE secret IS NOT NULL ORDER BY sheet_id";
        let grants: Vec<(String, String, String)> = on!(self, pool => sqlx::query_as(GRANTS).fetch_all(pool).await?);
        let webhooks: Vec<(String, String)> = on!(self, pool => sqlx::query_as(WEBHOOKS).fetch_all(pool).await?);
        let grants = grants.into_iter().map(|(kind, id, sealed)| (Sealed::Grant(kind, id), sealed));
        let webhooks = webhooks.into_iter().map(|(sheet, sealed)| (Sealed::Webhook(sheet), sealed));
        let check = self.key_check().await?.map(|sealed| (Sealed::Check, sealed));
        Ok(grants.chain(webhooks).chain(check).collect())
    }

    /// Puts something that was sealed anew in the place of what it was; `false` when it was changed meanwhile.
    ///
    /// # Errors
    /// When the database fails; nothing was changed.
    pub async fn seal_anew(&self, what: &Sealed, before: &str, after: &str) -> Result<bool, sqlx::Error> {
        const GRANT: &str = "UPDATE grants SET sealed = $2 WHERE sealed = $1 AND kind = $3 AND id = $4";
        const WEBHOOK: &str = "UPDATE webhooks SET secret = $2 WHERE secret = $1 AND sheet_id = $3";
        const CHECK: &str = "UPDATE installation SET key_check = $2 WHERE key_check = $1";
        let changed = on_durable!(self, pool => {
            let set = match what {
                Sealed::Grant(kind, id) => sqlx::query(GRANT).bind(before).bind(after).bind(kind).bind(id),
                Sealed::Webhook(sheet) => sqlx::query(WEBHOOK).bind(before).bind(after).bind(sheet),
                Sealed::Check => sqlx::query(CHECK).bind(before).bind(after),
            };
            set.execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }

    /// The word that a wrong key does not open, where one is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key_check(&self) -> Result<Option<String>, sqlx::Error> {
        const GET: &str = "SELECT key_check FROM installation WHERE one = 1";
        let row: Option<(Option<String>,)> = on!(self, pool => sqlx::query_as(GET).fetch_optional(pool).await?);
        Ok(row.and_then(|(sealed,)| sealed))
    }

    /// Keeps the word that a wrong key does not open, unless there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_key_check(&self, sealed: &str) -> Result<(), sqlx::Error> {
        self.installation_id().await?;
        const SET: &str = "UPDATE installation SET key_check = $1 WHERE one = 1 AND key_check IS NULL";
        on_durable!(self, pool => sqlx::query(SET).bind(sealed).execute(pool).await.map(|_| ()))
    }
}
