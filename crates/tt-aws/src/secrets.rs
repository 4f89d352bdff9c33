//! Secrets Manager: whether secrets exist, and the few values the tool itself needs.

use std::collections::BTreeSet;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;
use tt_environment::{Environment, SecretName};
use tt_execute::PortError;
use tt_plan::Arn;

use crate::{
    clients::Clients,
    error::{absent, failed},
};

/// The environment's secrets that do not exist.
pub(crate) async fn missing(clients: &Clients, environment: &Environment) -> Result<Vec<SecretName>, PortError> {
    let names: BTreeSet<&SecretName> = environment
        .secrets
        .values()
        .chain(&environment.image.credentials)
        .collect();
    let mut missing = Vec::new();
    for name in names {
        if find(clients, name).await?.is_none() {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// A secret's ARN, or nothing when it does not exist.
pub(crate) async fn find(clients: &Clients, name: &SecretName) -> Result<Option<Arn>, PortError> {
    let action = format!("look up secret `{name}`");
    match clients.secrets.describe_secret().secret_id(name.as_str()).send().await {
        Ok(secret) => Ok(Some(Arn::new(secret.arn().ok_or_else(|| absent(&action, "ARN"))?))),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeSecretError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(failed(action)(error)),
    }
}

impl Clients {
    /// A database's address with its login, for who may read it. Never logged; the caller parses it and shows neither.
    pub async fn database_url(&self, name: &SecretName) -> Result<String, PortError> {
        value(self, name).await
    }
}

/// A secret's value, for logins only. Never logged.
pub(crate) async fn value(clients: &Clients, name: &SecretName) -> Result<String, PortError> {
    let action = format!("read secret `{name}`");
    let secret = clients
        .secrets
        .get_secret_value()
        .secret_id(name.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))?;
    secret
        .secret_string()
        .map(ToOwned::to_owned)
        .ok_or_else(|| absent(&action, "text value"))
}
