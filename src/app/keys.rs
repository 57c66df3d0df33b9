//! The secret key of an installation: whether it fits what is kept, and how it is changed.

use crate::store::{Sealed, Store};
use crate::vault::Vault;
use crate::watch::WEBHOOK_PURPOSE;
use anyhow::Context;

/// What is sealed to tell a wrong key.
const WORD: &str = "chatsheet";

/// What something is sealed for.
fn purpose(of: &Sealed) -> String {
    match of {
        Sealed::Grant(kind, id) => format!("grant|{kind}|{id}"),
        Sealed::Webhook(_) => WEBHOOK_PURPOSE.into(),
        Sealed::Check => "key check".into(),
    }
}

/// Refuses a key that does not open what is kept.
///
/// # Errors
/// When the key is another one, or the database fails.
pub async fn fit(store: &Store, vault: &Vault) -> anyhow::Result<()> {
    let sealed = store.sealed().await.context("what is kept sealed cannot be read")?;
    let known = sealed.iter().find(|(what, _)| *what == Sealed::Check).or_else(|| sealed.first());
    let fits = known.is_none_or(|(what, sealed)| vault.open(&purpose(what), sealed).is_ok());
    anyhow::ensure!(
        fits,
        "CHATSHEET_SECRET_KEY is not the key that this database was sealed with: set the one that it was. To change it, set the new one, \
         put the one before into CHATSHEET_SECRET_KEY_OLD, and run `chatsheet keys rotate`"
    );
    Ok(())
}

/// Keeps what tells a wrong key from now on.
///
/// # Errors
/// When the database fails.
pub async fn remember(store: &Store, vault: &Vault) -> anyhow::Result<()> {
    if store.key_check().await?.is_none() {
        store.keep_key_check(&vault.seal(&purpose(&Sealed::Check), WORD)?).await?;
    }
    Ok(())
}

/// What a change of the key did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Sealed anew.
    pub anew: usize,
    /// Sealed with the new key already.
    pub current: usize,
    /// Opened by neither key; they are left as they are.
    pub lost: usize,
}

/// Seals everything anew that the key before has sealed. Whatever was done stays done, so it can be begun again at any time, also while
/// the bot runs with both keys. `tell` is called now and then with how many were looked at, of how many.
///
/// # Errors
/// When the database fails.
pub async fn rotate(store: &Store, vault: &Vault, mut tell: impl FnMut(usize, usize)) -> anyhow::Result<Rotated> {
    let mut rotated = Rotated::default();
    let all = store.sealed().await?;
    for (n, (what, sealed)) in all.iter().enumerate() {
        let purpose = purpose(what);
        if vault.is_current(&purpose, sealed) {
            rotated.current += 1;
        } else if let Ok(text) = vault.open(&purpose, sealed) {
            // What was changed meanwhile was sealed with the new key by whoever changed it.
            store.seal_anew(what, sealed, &vault.seal(&purpose, &text)?).await?;
            rotated.anew += 1;
        } else {
            rotated.lost += 1;
        }
        if (n + 1) % 100 == 0 || n + 1 == all.len() {
            tell(n + 1, all.len());
        }
    }
    Ok(rotated)
}
