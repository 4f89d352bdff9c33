//! What `serve` is told in the environment only, since a command line is visible to every user of the machine: keys, and by
//! what it is known to AWS. Keys may stand in AWS Secrets Manager instead, and are followed there. Never printed.

mod held;

pub use held::Unheld;
pub(crate) use held::{Held, ROUTINE, URGENT};

use std::env;

use secrecy::{ExposeSecret, SecretString};

use crate::{
    credentials::{BadSource, Source},
    webhook::Keys,
};

/// The secrets of a process besides the database's; none of them has to be there.
#[derive(Clone, Default)]
pub struct Secrets {
    pub(crate) webhook_keys: Option<Keys>,
    /// Where those stand that take the place of `webhook_keys`.
    held_keys: Option<Held>,
    pub(crate) credentials: Option<Source>,
}

/// A secret is there and cannot be used; the text never repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// `WEBHOOK_KEYS`, or what its secret holds, is no list of keys.
    #[error(
        "WEBHOOK_KEYS is not a list of keys; give 32 random bytes in base64, such as `openssl rand -base64 32` prints, and earlier ones behind a comma"
    )]
    WebhookKeys,
    /// The environment names AWS credentials in a way that cannot be followed.
    #[error(transparent)]
    Credentials(#[from] BadSource),
    /// The secret is elsewhere, and cannot be read there.
    #[error("the keys of webhooks are not to be had")]
    Unheld(#[from] Unheld),
}

impl Secrets {
    /// From this process's environment, and from Secrets Manager where that names a secret.
    pub async fn from_environment() -> Result<Self, BadSecret> {
        Self::read(|name| env::var(name).ok().filter(|value| !value.is_empty()))?
            .fetched()
            .await
    }

    /// From variables that somebody else knows the values of; nobody is asked yet.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadSecret> {
        let keys = variable("WEBHOOK_KEYS").map(|keys| Keys::parse(&keys).ok_or(BadSecret::WebhookKeys));
        Ok(Self {
            webhook_keys: keys.transpose()?,
            held_keys: Held::named_by("WEBHOOK_KEYS_SECRET_ARN", &variable)?,
            credentials: Source::read(variable)?,
        })
    }

    /// With what Secrets Manager holds.
    pub async fn fetched(self) -> Result<Self, BadSecret> {
        let Some(held) = &self.held_keys else {
            return Ok(self);
        };
        let keys = parsed(&held.value(ROUTINE).await?)?;
        Ok(Self {
            webhook_keys: Some(keys),
            ..self
        })
    }

    /// Takes new keys while the service runs; never ends by itself. What is no list of keys is left for the next look: those
    /// that are in use still open everything.
    pub(crate) async fn follow(self) {
        let (Some(held), Some(keys)) = (&self.held_keys, &self.webhook_keys) else {
            return;
        };
        loop {
            tokio::time::sleep(ROUTINE).await;
            let Ok(text) = held.value(URGENT).await else {
                continue;
            };
            match parsed(&text) {
                Ok(new) => keys.become_like(&new),
                Err(cause) => tracing::error!(%cause, "the keys of webhooks were changed to something else"),
            }
        }
    }
}

fn parsed(text: &SecretString) -> Result<Keys, BadSecret> {
    Keys::parse(text.expose_secret().trim()).ok_or(BadSecret::WebhookKeys)
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            webhook_keys,
            held_keys,
            credentials,
        } = self;
        formatter
            .debug_struct("Secrets")
            .field("webhook_keys", webhook_keys)
            .field("held_keys", &held_keys.is_some())
            .field("credentials", credentials)
            .finish()
    }
}
