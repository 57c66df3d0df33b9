//! Encrypts what is kept and must not be read from the database: secrets of webhooks, tickets.

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 24;

/// Seals texts with the key of this installation, and opens what was sealed with it or with the one before.
#[derive(Clone)]
pub struct Vault {
    key: XChaCha20Poly1305,
    old: Option<XChaCha20Poly1305>,
}

impl Vault {
    /// A vault with this key, which may be any text that is hard to guess.
    pub fn new(key: &SecretString) -> Self {
        Self { key: cipher(key), old: None }
    }

    /// The same vault, which opens what was sealed with the key before this one, too.
    pub fn with_old(self, key: &SecretString) -> Self {
        Self { old: Some(cipher(key)), ..self }
    }

    /// A vault that nobody can open again after this process.
    pub fn for_this_process() -> Self {
        let key: Vec<String> = (0..3).map(|_| uuid::Uuid::new_v4().to_string()).collect();
        Self::new(&SecretString::from(key.concat()))
    }

    /// Seals a text for one purpose; it opens for no other.
    ///
    /// # Errors
    /// When the text is larger than any text of ours.
    pub fn seal(&self, purpose: &str, text: &str) -> anyhow::Result<String> {
        let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes).concat();
        let nonce: [u8; NONCE_BYTES] = random[..NONCE_BYTES].try_into().context("32 bytes are more than 24")?;
        let payload = Payload { msg: text.as_bytes(), aad: purpose.as_bytes() };
        let sealed = self.key.encrypt(&XNonce::from(nonce), payload).map_err(|_| anyhow::anyhow!("the text is too large to be sealed"))?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<String> {
        self.open_with(&self.key, purpose, sealed).or_else(|error| match &self.old {
            Some(old) => self.open_with(old, purpose, sealed),
            None => Err(error),
        })
    }

    /// Whether it was sealed for this purpose with the key that things are sealed with now.
    pub fn is_current(&self, purpose: &str, sealed: &str) -> bool {
        self.open_with(&self.key, purpose, sealed).is_ok()
    }

    fn open_with(&self, key: &XChaCha20Poly1305, purpose: &str, sealed: &str) -> anyhow::Result<String> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).context("it was not sealed by us")?;
        ensure!(bytes.len() > NONCE_BYTES, "it was not sealed by us");
        let (nonce, sealed) = bytes.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().context("24 bytes are 24 bytes")?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let opened = key.decrypt(&XNonce::from(nonce), payload);
        let opened = opened.map_err(|_| anyhow::anyhow!("it was sealed with another CHATSHEET_SECRET_KEY, or changed since"))?;
        String::from_utf8(opened).context("it is no text")
    }
}

fn cipher(key: &SecretString) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Sha256::digest([b"chatsheet|", key.expose_secret().as_bytes()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_with_its_key_only() {
        let (vault, other) = (Vault::new(&"one key of an installation".into()), Vault::for_this_process());
        let sealed = vault.seal("webhook", "secret").unwrap();
        assert_eq!(vault.open("webhook", &sealed).unwrap(), "secret");
        assert!(!sealed.contains("secret") && sealed != vault.seal("webhook", "secret").unwrap(), "no two are alike");
        assert!(vault.open("ticket", &sealed).is_err() && other.open("webhook", &sealed).is_err());
        let changed = format!("{}A", &sealed[..sealed.len() - 1]);
        assert!(changed == sealed || vault.open("webhook", &changed).is_err());
        assert!(vault.open("webhook", "").is_err() && vault.open("webhook", "ä").is_err());
        let renewed = Vault::new(&"another key of this installation".into()).with_old(&"one key of an installation".into());
        assert_eq!(renewed.open("webhook", &sealed).unwrap(), "secret");
        assert!(!renewed.is_current("webhook", &sealed) && renewed.is_current("webhook", &renewed.seal("webhook", "secret").unwrap()));
        assert!(vault.open("webhook", &renewed.seal("webhook", "secret").unwrap()).is_err(), "the old key opens nothing new");
    }
}
