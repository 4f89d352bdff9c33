//! Task definitions as revisions of the service.

use aws_sdk_ecs::types::{ContainerDefinition, Tag, TaskDefinition, TaskDefinitionField};
use tt_environment::{ContainerName, ImageDigest, ReleaseName};
use tt_execute::PortError;
use tt_plan::{Arn, Revision};

use crate::{
    clients::Clients,
    error::{absent, failed, not_found},
};

/// The tag that says which release a task definition belongs to.
pub(crate) const RELEASE_TAG: &str = "tt-ops:release";

/// A task definition with its tags.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) sdk: TaskDefinition,
    pub(crate) tags: Vec<Tag>,
}

impl Definition {
    pub(crate) fn container(&self, name: &ContainerName) -> Result<&ContainerDefinition, PortError> {
        let containers = self.sdk.container_definitions();
        containers
            .iter()
            .find(|container| container.name() == Some(name.as_str()))
            .ok_or_else(|| {
                let known: Vec<&str> = containers.iter().filter_map(ContainerDefinition::name).collect();
                not_found(
                    format!(
                        "find container `{name}` in task definition {}",
                        self.sdk.task_definition_arn().unwrap_or("?")
                    ),
                    format!("its containers are: {}", known.join(", ")),
                    "correct `service.container` in the environment file",
                )
            })
    }

    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
    }

    pub(crate) fn arn(&self) -> Result<Arn, PortError> {
        self.sdk
            .task_definition_arn()
            .map(Arn::new)
            .ok_or_else(|| absent("read a task definition", "ARN"))
    }

    pub(crate) fn revision(&self, container: &ContainerName) -> Result<Revision, PortError> {
        let image = self.container(container)?.image().unwrap_or_default().to_owned();
        let digest = image
            .split_once('@')
            .and_then(|(_, digest)| ImageDigest::parse(digest).ok());
        let release = self
            .tag(RELEASE_TAG)
            .and_then(|release| ReleaseName::parse(release).ok());
        Ok(Revision {
            task_definition: self.arn()?,
            image,
            digest,
            release,
        })
    }
}

/// Reads a task definition by ARN, or the newest one of a family.
pub(crate) async fn definition(clients: &Clients, name: &str) -> Result<Definition, PortError> {
    let action = format!("describe task definition {}", Arn::new(name).short());
    let answer = clients
        .ecs
        .describe_task_definition()
        .task_definition(name)
        .include(TaskDefinitionField::Tags)
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let tags = answer.tags().to_vec();
    let sdk = answer
        .task_definition
        .ok_or_else(|| absent(&action, "task definition"))?;
    Ok(Definition { sdk, tags })
}
