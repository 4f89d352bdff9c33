//! How the secrets of webhooks are kept: sealed under a key that the database never sees.
//!
//! A signature needs the secret itself, so a fingerprint will not do. It is sealed with AES-256-GCM under the key of
//! `WEBHOOK_KEYS`, with the id of its webhook as associated data: whoever can only read the database cannot sign, and
//! whoever can write to it cannot make one webhook's secret another's.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};
use uuid::Uuid;

use crate::webhook::signature::SigningSecret;

/// Of a nonce in GCM (NIST SP 800-38D, 5.2.1.1).
const NONCE: usize = 12;

/// The first key seals; all of them open what was sealed before. Clones have the same keys, also after a change.
#[derive(Clone)]
pub(crate) struct Keys(Arc<RwLock<Arc<[RandomizedNonceKey]>>>);

/// No key of the list opens it: the key it was sealed with was taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key in WEBHOOK_KEYS opens the secret of a webhook; put the key back that it was sealed with, behind the new one"
)]
pub(crate) struct Sealed;

impl Keys {
    /// Keys of 32 bytes in base64, between commas; None when one of them is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let keys = text.split(',').map(|key| {
            let bytes = BASE64_STANDARD.decode(key.trim()).ok()?;
            RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()
        });
        let keys = keys.collect::<Option<Vec<_>>>()?;
        Some(Self(Arc::new(RwLock::new(keys.into()))))
    }

    /// From now on goes by what the others are.
    pub(crate) fn become_like(&self, others: &Self) {
        let others = others.now();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = others;
    }

    fn now(&self) -> Arc<[RandomizedNonceKey]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// None when the system has no randomness.
    pub(crate) fn seal(&self, webhook: Uuid, secret: &SigningSecret) -> Option<Vec<u8>> {
        let mut text = secret.as_bytes().to_vec();
        let aad = Aad::from(webhook.into_bytes());
        let nonce = self.now().first()?.seal_in_place_append_tag(aad, &mut text).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Some(sealed)
    }

    pub(crate) fn open(&self, webhook: Uuid, sealed: &[u8]) -> Result<SigningSecret, Sealed> {
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or(Sealed)?;
        for key in self.now().iter() {
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Sealed)?;
            let mut text = text.to_vec();
            if let Ok(secret) = key.open_in_place(nonce, Aad::from(webhook.into_bytes()), &mut text) {
                return SigningSecret::from_bytes(secret).ok_or(Sealed);
            }
        }
        Err(Sealed)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keys({})", self.now().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        BASE64_STANDARD.encode([byte; 32])
    }

    #[test]
    fn a_secret_opens_for_its_own_webhook_and_after_the_key_was_changed() {
        let (webhook, other) = (Uuid::now_v7(), Uuid::now_v7());
        let old = Keys::parse(&key(1)).unwrap();
        let secret = SigningSecret::new().unwrap();
        let sealed = old.seal(webhook, &secret).unwrap();
        assert_eq!(old.open(webhook, &sealed).unwrap().as_bytes(), secret.as_bytes());
        assert!(old.open(other, &sealed).is_err());

        let both = Keys::parse(&format!("{}, {}", key(2), key(1))).unwrap();
        assert!(both.open(webhook, &sealed).is_ok());
        assert!(old.open(webhook, &both.seal(webhook, &secret).unwrap()).is_err());
        // Whoever has them already has the new ones too.
        let in_use = old.clone();
        old.become_like(&both);
        assert!(in_use.open(webhook, &both.seal(webhook, &secret).unwrap()).is_ok());
        for broken in [&[][..], &[0; 11], &sealed[..20]] {
            assert!(both.open(webhook, broken).is_err());
        }
        assert_ne!(
            sealed,
            old.seal(webhook, &secret).unwrap(),
            "each has a nonce of its own"
        );
    }

    #[test]
    fn a_key_is_32_bytes_in_base64_and_never_shown() {
        assert!(Keys::parse(&key(1)).is_some());
        for text in ["", "abc", &BASE64_STANDARD.encode([1; 16]), &format!("{},", key(1))] {
            assert!(Keys::parse(text).is_none(), "{text}");
        }
        assert_eq!(format!("{:?}", Keys::parse(&key(1)).unwrap()), "Keys(1)");
    }
}
