//! AWS Secrets Manager: secrets with versions and stages, in a file that only its owner can read.
//!
//! Never encrypts (there is no KMS here) and never shows a value in a log or an error.

mod api;
mod secret;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::distr::Alphanumeric;

use crate::front::call::{Call, Reply};
use crate::front::persist::{PersistError, Persisted, StateDir};
use crate::wire::json::JsonError;
use secret::{Reference, Secret, Value};

/// By region and name.
type State = BTreeMap<String, BTreeMap<String, Secret>>;

pub(crate) struct Secrets {
    account: String,
    state: Persisted<State>,
}

impl Secrets {
    pub(crate) fn open(dir: &StateDir, account: &str) -> Result<Self, PersistError> {
        Ok(Self {
            account: account.to_owned(),
            state: Persisted::open(dir, "secrets")?,
        })
    }

    /// Creates a secret, or gives an existing one this value; its ARN.
    pub(crate) fn create(&self, region: &str, name: &str, value: &str) -> String {
        let arn = self.new_arn(region, name);
        self.state.write(|state| {
            let secret = state
                .entry(region.to_owned())
                .or_default()
                .entry(name.to_owned())
                .or_insert_with(|| Secret::new(name, arn));
            let value = Value::Text(value.to_owned());
            if secret.current().is_none_or(|current| current.value != value) {
                secret.put(new_version_id(), value, &[]);
            }
            secret.arn.clone()
        })
    }

    /// The value that a name, an ARN or ECS's `arn:json-key:version-stage:version-id` refers to.
    pub(crate) fn value(&self, region: &str, reference: &str) -> Option<String> {
        let reference = Reference::parse(reference);
        let region = reference.region.unwrap_or(region);
        self.state.read(|state| {
            let secret = secret::find(state.get(region)?, reference.secret)?;
            if secret.deletion.is_some() {
                return None;
            }
            let Value::Text(text) = &secret.version(reference.version, reference.stage)?.value else {
                return None;
            };
            let Some(key) = reference.json_key else {
                return Some(text.clone());
            };
            let document: serde_json::Value = serde_json::from_str(text).ok()?;
            let field = document.get(key)?;
            Some(field.as_str().map_or_else(|| field.to_string(), str::to_owned))
        })
    }

    /// Answers one call.
    pub(crate) fn answer(&self, call: &Call) -> Reply {
        api::answer(self, call).unwrap_or_else(|error: JsonError| error.reply(call))
    }

    /// Secrets Manager ends an ARN with six random characters, so that a new secret of an old name is another one.
    fn new_arn(&self, region: &str, name: &str) -> String {
        let suffix: String = rand::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect();
        format!(
            "arn:aws:secretsmanager:{region}:{}:secret:{name}-{suffix}",
            self.account
        )
    }
}

fn new_version_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
