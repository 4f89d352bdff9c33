//! The operations of Secrets Manager over the JSON protocol (AWS Secrets Manager API Reference).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use time::{Duration, OffsetDateTime};

use super::secret::{self, Secret, Value, Version};
use super::{Secrets, State, new_version_id};
use crate::front::call::{Call, Reply};
use crate::wire::json::{self, JsonError, epoch_seconds};

pub(crate) fn answer(secrets: &Secrets, call: &Call) -> Result<Reply, JsonError> {
    let output = match call.operation.as_str() {
        "CreateSecret" => create(secrets, call)?,
        "DescribeSecret" => describe(secrets, call)?,
        "GetSecretValue" => get_value(secrets, call)?,
        "PutSecretValue" => put_value(secrets, call)?,
        "UpdateSecret" => update(secrets, call)?,
        "ListSecrets" => list(secrets, call)?,
        "DeleteSecret" => delete(secrets, call)?,
        "RestoreSecret" => restore(secrets, call)?,
        _ => return Err(JsonError::unknown_operation(call)),
    };
    Ok(json::answer(call, &output))
}

/// What a client may send as the value. Not `Debug`, so that no log can show it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewValue {
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateSecret {
    name: String,
    description: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(flatten)]
    value: NewValue,
}

fn create(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: CreateSecret = json::input(call)?;
    let valid = |character: char| character.is_ascii_alphanumeric() || "/_+=.@-".contains(character);
    if input.name.is_empty() || input.name.len() > 512 || !input.name.chars().all(valid) {
        let message =
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(JsonError::client("ValidationException", message));
    }
    let arn = secrets.new_arn(&call.region, &input.name);
    let value = input.value.read()?;
    secrets.state.write(|state| {
        let region = state.entry(call.region.clone()).or_default();
        if let Some(known) = region.get(&input.name) {
            let message = if known.deletion.is_some() {
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            } else {
                "The operation failed because the secret already exists."
            };
            let code = if known.deletion.is_some() {
                "InvalidRequestException"
            } else {
                "ResourceExistsException"
            };
            return Err(JsonError::client(code, message));
        }
        let mut secret = Secret::new(&input.name, arn);
        secret.description = input.description;
        secret.tags = input.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        let mut output = named(&secret);
        if let Some((id, value)) = value {
            output["VersionId"] = id.clone().into();
            secret.put(id, value, &[]);
        }
        region.insert(input.name, secret);
        Ok(output)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Chosen {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

fn describe(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: Chosen = json::input(call)?;
    secrets
        .state
        .read(|state| Ok(description(found(state, call, &input.secret_id)?)))
}

fn get_value(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: Chosen = json::input(call)?;
    secrets.state.read(|state| {
        let secret = alive(found(state, call, &input.secret_id)?)?;
        let (id, stage) = (input.version_id.as_deref(), input.version_stage.as_deref());
        let version = secret.version(id, stage).ok_or_else(|| {
            let wanted = id.or(stage).unwrap_or(secret::CURRENT);
            let message = format!("Secrets Manager can't find the specified secret value for {wanted}");
            JsonError::client("ResourceNotFoundException", message)
        })?;
        let mut output = named(secret);
        output["VersionId"] = version.id.clone().into();
        output["VersionStages"] = version.stages.iter().cloned().collect();
        output["CreatedDate"] = epoch_seconds(version.created).into();
        match &version.value {
            Value::Text(text) => output["SecretString"] = text.clone().into(),
            Value::Binary(base64) => output["SecretBinary"] = base64.clone().into(),
        }
        Ok(output)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutSecretValue {
    secret_id: String,
    #[serde(default)]
    version_stages: Vec<String>,
    #[serde(flatten)]
    value: NewValue,
}

fn put_value(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: PutSecretValue = json::input(call)?;
    let (id, value) = input.value.read()?.ok_or_else(|| {
        JsonError::client(
            "InvalidRequestException",
            "You must provide either SecretString or SecretBinary.",
        )
    })?;
    secrets.state.write(|state| {
        let secret = found_mut(state, call, &input.secret_id)?;
        alive(secret)?;
        put_once(secret, &id, value, &input.version_stages)?;
        let version = secret.version(Some(&id), None);
        let mut output = named(secret);
        output["VersionStages"] = version
            .map(|version| version.stages.iter().cloned().collect())
            .unwrap_or_default();
        output["VersionId"] = id.into();
        Ok(output)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateSecret {
    secret_id: String,
    description: Option<String>,
    #[serde(flatten)]
    value: NewValue,
}

fn update(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: UpdateSecret = json::input(call)?;
    let value = input.value.read()?;
    secrets.state.write(|state| {
        let secret = found_mut(state, call, &input.secret_id)?;
        alive(secret)?;
        if let Some(description) = input.description {
            secret.description = Some(description);
        }
        let mut output = named(secret);
        if let Some((id, value)) = value {
            put_once(secret, &id, value, &[])?;
            output["VersionId"] = id.into();
        }
        Ok(output)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListSecrets {
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default)]
    filters: Vec<Filter>,
    #[serde(default)]
    include_planned_deletion: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

fn list(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: ListSecrets = json::input(call)?;
    if let Some(filter) = input.filters.iter().find(|filter| filter.key != "name") {
        let message = format!("The sandbox cannot filter secrets by {}", filter.key);
        return Err(JsonError::client("InvalidParameterException", message));
    }
    let named = |secret: &Secret| {
        input.filters.iter().all(|filter| {
            filter
                .values
                .iter()
                .any(|prefix| secret.name.starts_with(prefix.as_str()))
        })
    };
    let limit = input.max_results.unwrap_or(100).clamp(1, 100);
    secrets.state.read(|state| {
        let region = state.get(&call.region);
        let after = input.next_token.as_deref().unwrap_or_default();
        let mut found = region.into_iter().flat_map(BTreeMap::values).filter(|secret| {
            secret.name.as_str() > after
                && named(secret)
                && (secret.deletion.is_none() || input.include_planned_deletion == Some(true))
        });
        let page: Vec<&Secret> = found.by_ref().take(limit).collect();
        let next = found.next().and(page.last()).map(|secret| secret.name.clone());
        let described: Vec<Json> = page.into_iter().map(description).collect();
        let mut output = json!({ "SecretList": described });
        if let Some(next) = next {
            output["NextToken"] = next.into();
        }
        Ok(output)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteSecret {
    secret_id: String,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

fn delete(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: DeleteSecret = json::input(call)?;
    let now = OffsetDateTime::now_utc();
    let window = match (input.force_delete_without_recovery, input.recovery_window_in_days) {
        (Some(true), None) => Duration::ZERO,
        (None | Some(false), Some(days @ 7..=30)) => Duration::days(days),
        (None | Some(false), None) => Duration::days(30),
        (Some(_) | None, Some(_)) => {
            let message = "RecoveryWindowInDays must be between 7 and 30, and excludes ForceDeleteWithoutRecovery.";
            return Err(JsonError::client("InvalidParameterException", message));
        }
    };
    secrets.state.write(|state| {
        let secret = found_mut(state, call, &input.secret_id)?;
        alive(secret)?;
        secret.deletion = Some(now + window);
        let mut output = named(secret);
        output["DeletionDate"] = epoch_seconds(now + window).into();
        let name = secret.name.clone();
        if window.is_zero() {
            state.entry(call.region.clone()).or_default().remove(&name);
        }
        Ok(output)
    })
}

fn restore(secrets: &Secrets, call: &Call) -> Result<Json, JsonError> {
    let input: Chosen = json::input(call)?;
    secrets.state.write(|state| {
        let secret = found_mut(state, call, &input.secret_id)?;
        secret.deletion = None;
        Ok(named(secret))
    })
}

impl NewValue {
    /// The version's id and its value, if there is one.
    fn read(self) -> Result<Option<(String, Value)>, JsonError> {
        let value = match (self.secret_string, self.secret_binary) {
            (Some(text), None) => Value::Text(text),
            (None, Some(base64)) => Value::Binary(base64),
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                let message = "You can't specify both a binary secret value and a string secret value.";
                return Err(JsonError::client("InvalidParameterException", message));
            }
        };
        Ok(Some((self.client_request_token.unwrap_or_else(new_version_id), value)))
    }
}

/// A retried request with the same token and value changes nothing; with another value it is refused.
fn put_once(secret: &mut Secret, id: &str, value: Value, stages: &[String]) -> Result<(), JsonError> {
    match secret.version(Some(id), None) {
        Some(known) if known.value == value => Ok(()),
        Some(_) => {
            let message = "You can't use a ClientRequestToken again with a different secret value.";
            Err(JsonError::client("ResourceExistsException", message))
        }
        None => {
            secret.put(id.to_owned(), value, stages);
            Ok(())
        }
    }
}

fn found<'a>(state: &'a State, call: &Call, id: &str) -> Result<&'a Secret, JsonError> {
    state
        .get(&call.region)
        .and_then(|region| secret::find(region, id))
        .ok_or_else(not_found)
}

fn found_mut<'a>(state: &'a mut State, call: &Call, id: &str) -> Result<&'a mut Secret, JsonError> {
    let region = state.get_mut(&call.region).ok_or_else(not_found)?;
    let name = secret::name(region, id).ok_or_else(not_found)?.to_owned();
    region.get_mut(&name).ok_or_else(not_found)
}

fn not_found() -> JsonError {
    JsonError::client(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

fn alive(secret: &Secret) -> Result<&Secret, JsonError> {
    if secret.deletion.is_none() {
        return Ok(secret);
    }
    let message = "You can't perform this operation on the secret because it was marked for deletion.";
    Err(JsonError::client("InvalidRequestException", message))
}

fn named(secret: &Secret) -> Json {
    json!({ "ARN": secret.arn, "Name": secret.name })
}

fn description(secret: &Secret) -> Json {
    let stages = |version: &Version| -> Json { version.stages.iter().cloned().collect() };
    let versions: serde_json::Map<String, Json> = secret
        .versions
        .iter()
        .map(|version| (version.id.clone(), stages(version)))
        .collect();
    let tags: Vec<Json> = secret
        .tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    let mut output = named(secret);
    output["Description"] = secret.description.clone().into();
    output["CreatedDate"] = epoch_seconds(secret.created).into();
    output["LastChangedDate"] = epoch_seconds(secret.changed).into();
    output["DeletedDate"] = secret.deletion.map(epoch_seconds).into();
    output["Tags"] = tags.into();
    output["VersionIdsToStages"] = versions.clone().into();
    output["SecretVersionsToStages"] = versions.into();
    if let Some(output) = output.as_object_mut() {
        output.retain(|_, value| !value.is_null());
    }
    output
}
