//! A new task definition: the live one with another image, the environment's secrets, and tags that say where it came from.

use aws_sdk_ecs::types::{ContainerDefinition, RepositoryCredentials, Secret, Tag};
use tt_environment::{Environment, SecretName};
use tt_execute::{PortError, Registration};
use tt_plan::{Arn, Revision};

use crate::{
    clients::Clients,
    ecs::revision::{Definition, RELEASE_TAG, definition},
    error::{absent, failed, not_found},
    secrets,
};

const COMMIT_TAG: &str = "tt-ops:commit";
const BASE_TAG: &str = "tt-ops:base";

/// Registers it, unless the family's newest one says it is this very release on this very base: then a run that died before could say so.
pub(crate) async fn register(
    clients: &Clients,
    environment: &Environment,
    registration: &Registration,
) -> Result<Revision, PortError> {
    let base = definition(clients, registration.base.as_str()).await?;
    base.container(&registration.container)?;
    let family = base
        .sdk
        .family()
        .ok_or_else(|| absent("read a task definition", "family"))?
        .to_owned();
    let wanted = containers(clients, environment, &base, registration).await?;
    let newest = definition(clients, &family).await?;
    if same(&newest, registration, &wanted) {
        return newest.revision(&registration.container);
    }
    let registered = send(clients, &family, &base, wanted, tags(&base, registration)).await?;
    registered.revision(&registration.container)
}

fn same(newest: &Definition, registration: &Registration, wanted: &[ContainerDefinition]) -> bool {
    newest.tag(RELEASE_TAG) == Some(registration.release.name.as_str())
        && newest.tag(BASE_TAG) == Some(registration.base.as_str())
        && newest.sdk.container_definitions() == wanted
}

async fn containers(
    clients: &Clients,
    environment: &Environment,
    base: &Definition,
    registration: &Registration,
) -> Result<Vec<ContainerDefinition>, PortError> {
    let mut secrets = Vec::new();
    for (variable, name) in &registration.secrets {
        let arn = existing(clients, name).await?;
        let secret = Secret::builder().name(variable).value_from(arn.as_str()).build();
        secrets.push(secret.map_err(|_incomplete| absent("build a container definition", "secret name"))?);
    }
    let credentials = match &environment.image.credentials {
        Some(name) => {
            let arn = existing(clients, name).await?;
            let credentials = RepositoryCredentials::builder()
                .credentials_parameter(arn.as_str())
                .build();
            Some(credentials.map_err(|_incomplete| absent("build a container definition", "repository credentials"))?)
        }
        None => None,
    };
    let mut containers = base.sdk.container_definitions().to_vec();
    for container in containers
        .iter_mut()
        .filter(|container| container.name() == Some(registration.container.as_str()))
    {
        container.image = Some(registration.release.image.to_string());
        if !secrets.is_empty() {
            let foreign = container
                .secrets()
                .iter()
                .filter(|secret| !registration.secrets.contains_key(secret.name()))
                .cloned();
            container.secrets = Some(foreign.chain(secrets.clone()).collect());
        }
        if credentials.is_some() {
            container.repository_credentials.clone_from(&credentials);
        }
    }
    Ok(containers)
}

async fn existing(clients: &Clients, name: &SecretName) -> Result<Arn, PortError> {
    let missing = || {
        not_found(
            format!("find secret `{name}`"),
            "Secrets Manager has none of that name in this account and region",
            "create it first",
        )
    };
    secrets::find(clients, name).await?.ok_or_else(missing)
}

fn tags(base: &Definition, registration: &Registration) -> Vec<Tag> {
    let ours = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let foreign = |tag: &&Tag| {
        tag.key()
            .is_some_and(|key| !key.starts_with("tt-ops:") && !key.starts_with("aws:"))
    };
    let mut tags: Vec<Tag> = base.tags.iter().filter(foreign).cloned().collect();
    tags.push(ours(RELEASE_TAG, registration.release.name.as_str()));
    tags.push(ours(BASE_TAG, registration.base.as_str()));
    if let Some(commit) = &registration.release.commit {
        tags.push(ours(COMMIT_TAG, commit));
    }
    tags
}

/// Copies every setting that a task definition has; what the SDK adds in a later version has to be added here.
async fn send(
    clients: &Clients,
    family: &str,
    base: &Definition,
    containers: Vec<ContainerDefinition>,
    tags: Vec<Tag>,
) -> Result<Definition, PortError> {
    let action = format!("register a task definition for `{family}`");
    let from = base.sdk.clone();
    let answer = clients
        .ecs
        .register_task_definition()
        .family(family)
        .set_container_definitions(Some(containers))
        .set_cpu(from.cpu)
        .set_memory(from.memory)
        .set_network_mode(from.network_mode)
        .set_requires_compatibilities(from.requires_compatibilities)
        .set_execution_role_arn(from.execution_role_arn)
        .set_task_role_arn(from.task_role_arn)
        .set_volumes(from.volumes)
        .set_placement_constraints(from.placement_constraints)
        .set_runtime_platform(from.runtime_platform)
        .set_proxy_configuration(from.proxy_configuration)
        .set_ephemeral_storage(from.ephemeral_storage)
        .set_pid_mode(from.pid_mode)
        .set_ipc_mode(from.ipc_mode)
        .set_enable_fault_injection(from.enable_fault_injection)
        .set_tags(Some(tags.clone()))
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let sdk = answer
        .task_definition
        .ok_or_else(|| absent(&action, "task definition"))?;
    Ok(Definition { sdk, tags })
}
