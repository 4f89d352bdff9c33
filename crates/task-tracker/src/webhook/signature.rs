//! Signatures as Standard Webhooks has them, so that receivers can use its libraries (standardwebhooks.com,
//! "Specification": `webhook-id`, `webhook-timestamp`, `webhook-signature`, scheme `v1`).

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use rand::{TryRngCore, rngs::OsRng};

/// What the secrets begin with.
const PREFIX: &str = "whsec_";

/// What one webhook's messages are signed with: 256 random bits.
pub(crate) struct SigningSecret([u8; 32]);

impl SigningSecret {
    /// None when the system has no randomness, which nobody should work around.
    pub(crate) fn new() -> Option<Self> {
        let mut bits = [0; 32];
        OsRng.try_fill_bytes(&mut bits).ok()?;
        Some(Self(bits))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// For the one response that hands it over.
    pub(super) fn expose(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }

    /// For the header `webhook-signature`; several are given with spaces between.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reckoned with OpenSSL: `printf '%s' 'msg_1.1700000000.{"a":1}' | openssl dgst -sha256 -mac hmac -macopt
    /// hexkey:$(printf '07%.0s' $(seq 32)) -binary | base64`.
    #[test]
    fn a_signature_is_what_the_specification_says() {
        let secret = SigningSecret([7; 32]);
        assert_eq!(
            secret.sign("msg_1", 1_700_000_000, br#"{"a":1}"#),
            "v1,LInk7lWC3DLGgRP3k/Xpm933fgj/SEGrik4mpkLgnKE="
        );
        assert_eq!(secret.expose(), "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    }
}
