//! What `serve` is told in the environment only, since a command line is visible to every user of the machine: keys, and by
//! what it is known to AWS. Never printed.

use std::env;

use crate::{
    attachment::credentials::{BadSource, Source},
    webhook::Keys,
};

/// The secrets of a process besides the database's; none of them has to be there.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    pub(crate) webhook_keys: Option<Keys>,
    pub(crate) credentials: Option<Source>,
}

/// A secret is there and cannot be used; the text never repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// `WEBHOOK_KEYS` is no list of keys.
    #[error(
        "WEBHOOK_KEYS is not a list of keys; give 32 random bytes in base64, such as `openssl rand -base64 32` prints, and earlier ones behind a comma"
    )]
    WebhookKeys,
    /// The environment names AWS credentials in a way that cannot be followed.
    #[error(transparent)]
    Credentials(#[from] BadSource),
}

impl Secrets {
    /// From this process's environment.
    pub fn from_environment() -> Result<Self, BadSecret> {
        Self::read(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// From variables that somebody else knows the values of.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BadSecret> {
        let keys = variable("WEBHOOK_KEYS").map(|keys| Keys::parse(&keys).ok_or(BadSecret::WebhookKeys));
        Ok(Self {
            webhook_keys: keys.transpose()?,
            credentials: Source::read(variable)?,
        })
    }
}
