//! Secrets that stand for a person: 256 random bits, given out once, of which only the SHA-256 is kept.
//!
//! A fast hash is enough for what nobody can guess; passwords, which people choose, have `password`.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{TryRngCore, rngs::OsRng};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::problem::Problem;

/// What API tokens begin with, so that a scanner of repositories can find one that leaked.
pub(crate) const API_TOKEN: &str = "tt_";
/// What invitations begin with.
pub(crate) const INVITATION: &str = "tti_";
/// What leave to take a new password begins with.
pub(crate) const RESET: &str = "ttr_";
/// What sessions begin with: nothing, since they only ever stand in a cookie.
pub(crate) const SESSION: &str = "";

/// A secret in the moment it is made; dropped once the client has it.
pub(crate) struct Secret {
    text: SecretString,
    fingerprint: Fingerprint,
}

/// The SHA-256 of a secret, which is what the database knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

/// A secret as somebody sent it, whatever it is: 1 to 100 characters.
#[derive(Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 1, max_length = 100)]
pub(crate) struct Presented(SecretString);

impl Presented {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.expose_secret())
    }
}

impl TryFrom<String> for Presented {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if (1..=100).contains(&text.chars().count()) {
            Ok(Self(SecretString::from(text)))
        } else {
            Err("a secret has 1 to 100 characters")
        }
    }
}

impl Secret {
    /// A new one. Fails when the system has no randomness, which nobody should work around.
    pub(crate) fn new(prefix: &str) -> Result<Self, Problem> {
        let mut bits = [0; 32];
        OsRng.try_fill_bytes(&mut bits).map_err(|cause| {
            tracing::error!(%cause, "the system gives no random numbers");
            Problem::Internal
        })?;
        let text = format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(bits));
        let fingerprint = Fingerprint::of(&text);
        Ok(Self {
            text: SecretString::from(text),
            fingerprint,
        })
    }

    /// For the one response that hands it over.
    pub(crate) fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl Fingerprint {
    /// Of what a client sent, whatever it is.
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fingerprint")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_256_bits_behind_its_prefix_and_never_the_same_twice() {
        let (first, second) = (Secret::new(API_TOKEN).unwrap(), Secret::new(API_TOKEN).unwrap());
        let bits = first.expose().strip_prefix("tt_").unwrap();
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(bits).unwrap().len(), 32);
        assert_ne!(first.expose(), second.expose());
        assert_eq!(first.fingerprint(), Fingerprint::of(first.expose()));
    }
}
