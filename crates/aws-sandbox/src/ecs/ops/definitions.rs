//! Task definitions.

use std::sync::Arc;

use aws_sdk_ecs::operation::deregister_task_definition::{
    DeregisterTaskDefinitionInput, DeregisterTaskDefinitionOutput,
};
use aws_sdk_ecs::operation::describe_task_definition::{DescribeTaskDefinitionInput, DescribeTaskDefinitionOutput};
use aws_sdk_ecs::operation::list_task_definition_families::{
    ListTaskDefinitionFamiliesInput, ListTaskDefinitionFamiliesOutput,
};
use aws_sdk_ecs::operation::list_task_definitions::{ListTaskDefinitionsInput, ListTaskDefinitionsOutput};
use aws_sdk_ecs::operation::register_task_definition::{RegisterTaskDefinitionInput, RegisterTaskDefinitionOutput};
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, HealthCheck, SortOrder, TaskDefinition, TaskDefinitionFamilyStatus,
    TaskDefinitionField, TaskDefinitionStatus,
};

use super::page::page;
use super::{required, tags};
use crate::clock;
use crate::ecs::codec::Wire;
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::world::{Definition, Family};
use crate::ecs::{names, view};

pub(crate) fn register(
    engine: &Arc<Engine>,
    region: &str,
    input: &RegisterTaskDefinitionInput,
) -> Result<RegisterTaskDefinitionOutput, EcsError> {
    let family = required("family", input.family())?.to_owned();
    if !names::is_valid(&family) {
        return Err(EcsError::client("Family must match ^[a-zA-Z0-9_-]{1,255}$."));
    }
    check_containers(input.container_definitions())?;
    let tags = tags::parse(input.tags())?;
    let place = engine.place(region);
    let shape = TaskDefinition::builder()
        .family(&family)
        .set_container_definitions(input.container_definitions.clone())
        .set_task_role_arn(input.task_role_arn.clone())
        .set_execution_role_arn(input.execution_role_arn.clone())
        .set_network_mode(input.network_mode.clone())
        .set_volumes(Some(input.volumes.clone().unwrap_or_default()))
        .set_placement_constraints(Some(input.placement_constraints.clone().unwrap_or_default()))
        .set_requires_compatibilities(input.requires_compatibilities.clone())
        .set_compatibilities(Some(vec![Compatibility::Ec2, Compatibility::Fargate]))
        .set_cpu(input.cpu.clone())
        .set_memory(input.memory.clone())
        .set_pid_mode(input.pid_mode.clone())
        .set_ipc_mode(input.ipc_mode.clone())
        .set_proxy_configuration(input.proxy_configuration.clone())
        .set_ephemeral_storage(input.ephemeral_storage.clone())
        .set_runtime_platform(input.runtime_platform.clone())
        .set_enable_fault_injection(input.enable_fault_injection)
        .status(TaskDefinitionStatus::Active)
        .registered_at(view::at(clock::now()))
        .registered_by(format!("arn:aws:iam::{}:user/sandbox", place.account));
    let definition = engine.world.write(|world| {
        let known: &mut Family = world.region_mut(region).families.entry(family.clone()).or_default();
        let number = known.next_number();
        let shape = shape
            .revision(number)
            .task_definition_arn(place.task_definition(&family, number))
            .build();
        let definition = Definition {
            shape: Wire(shape),
            tags,
        };
        known.revisions.push(definition.clone());
        definition
    });
    Ok(RegisterTaskDefinitionOutput::builder()
        .set_tags(Some(view::tags(&definition.tags)))
        .task_definition(definition.shape.0)
        .build())
}

fn check_containers(containers: &[ContainerDefinition]) -> Result<(), EcsError> {
    if containers.is_empty() {
        return Err(EcsError::client("Container list cannot be empty."));
    }
    for (position, container) in containers.iter().enumerate() {
        let name = container
            .name()
            .filter(|name| !name.is_empty())
            .ok_or_else(|| EcsError::client("Container.name must not be empty."))?;
        if container.image().is_none_or(str::is_empty) {
            return Err(EcsError::client("Container.image should not be null or empty."));
        }
        if !container.depends_on().is_empty() {
            return Err(EcsError::client(
                "The sandbox starts containers in the order of their definitions and has no dependsOn.",
            ));
        }
        if let Some(check) = container.health_check() {
            check_health_check(name, check)?;
        }
        if containers.iter().take(position).any(|other| other.name() == Some(name)) {
            return Err(EcsError::client(format!("Container names must be unique: {name}.")));
        }
    }
    if !containers.iter().any(|container| container.essential().unwrap_or(true)) {
        return Err(EcsError::client("At least one container must be marked as essential."));
    }
    Ok(())
}

/// Amazon ECS API Reference, `HealthCheck`.
fn check_health_check(container: &str, check: &HealthCheck) -> Result<(), EcsError> {
    let bounds = [
        ("interval", check.interval(), 5..=300),
        ("timeout", check.timeout(), 2..=60),
        ("retries", check.retries(), 1..=10),
        ("startPeriod", check.start_period(), 0..=300),
    ];
    let outside = bounds
        .into_iter()
        .find(|(_, given, bounds)| given.is_some_and(|given| !bounds.contains(&given)));
    match outside {
        None => Ok(()),
        Some((name, _, bounds)) => Err(EcsError::client(format!(
            "Health check {name} of container {container} must be between {} and {}.",
            bounds.start(),
            bounds.end()
        ))),
    }
}

pub(crate) fn describe(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeTaskDefinitionInput,
) -> Result<DescribeTaskDefinitionOutput, EcsError> {
    let name = required("taskDefinition", input.task_definition())?;
    let definition = engine
        .world
        .read(|world| world.region(region).definition(name).cloned())?;
    let tags = input
        .include()
        .contains(&TaskDefinitionField::Tags)
        .then(|| view::tags(&definition.tags));
    Ok(DescribeTaskDefinitionOutput::builder()
        .set_tags(tags)
        .task_definition(definition.shape.0)
        .build())
}

pub(crate) fn deregister(
    engine: &Arc<Engine>,
    region: &str,
    input: &DeregisterTaskDefinitionInput,
) -> Result<DeregisterTaskDefinitionOutput, EcsError> {
    let name = required("taskDefinition", input.task_definition())?;
    let (family, number) = names::task_definition_parts(name);
    let number = number.ok_or_else(|| EcsError::client("Invalid revision number. Number: null"))?;
    engine.world.write(|world| {
        let family = world
            .region_mut(region)
            .families
            .get_mut(family)
            .ok_or_else(EcsError::task_definition_not_found)?;
        let definition = family
            .revisions
            .iter_mut()
            .find(|definition| definition.shape.0.revision() == number);
        let definition = definition.ok_or_else(EcsError::task_definition_not_found)?;
        if definition.is_active() {
            definition.shape.0.status = Some(TaskDefinitionStatus::Inactive);
            definition.shape.0.deregistered_at = Some(view::at(clock::now()));
        }
        Ok(DeregisterTaskDefinitionOutput::builder()
            .task_definition(definition.shape.0.clone())
            .build())
    })
}

pub(crate) fn list(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListTaskDefinitionsInput,
) -> Result<ListTaskDefinitionsOutput, EcsError> {
    let status = input.status().cloned().unwrap_or(TaskDefinitionStatus::Active);
    let mut arns: Vec<String> = engine.world.read(|world| {
        let families = world.region(region).families.iter();
        // Despite its name it is the whole family, as the API reference says.
        let families = families.filter(|(name, _)| input.family_prefix().is_none_or(|asked| *name == asked));
        let definitions = families.flat_map(|(_, family)| &family.revisions);
        definitions
            .filter(|definition| definition.shape.0.status() == Some(&status))
            .map(|definition| definition.arn().to_owned())
            .collect()
    });
    if input.sort() == Some(&SortOrder::Desc) {
        arns.reverse();
    }
    let (arns, token) = page(arns, input.next_token(), input.max_results(), 100)?;
    Ok(ListTaskDefinitionsOutput::builder()
        .set_task_definition_arns(Some(arns))
        .set_next_token(token)
        .build())
}

pub(crate) fn list_families(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListTaskDefinitionFamiliesInput,
) -> Result<ListTaskDefinitionFamiliesOutput, EcsError> {
    let active = |family: &Family| family.revisions.iter().any(Definition::is_active);
    let shown = |family: &Family| match input.status() {
        None | Some(TaskDefinitionFamilyStatus::All) => true,
        Some(TaskDefinitionFamilyStatus::Inactive) => !active(family),
        Some(_) => active(family),
    };
    let families = engine.world.read(|world| {
        let families = world.region(region).families.iter();
        let families = families.filter(|(name, family)| {
            shown(family) && input.family_prefix().is_none_or(|prefix| name.starts_with(prefix))
        });
        families.map(|(name, _)| name.clone()).collect()
    });
    let (families, token) = page(families, input.next_token(), input.max_results(), 100)?;
    Ok(ListTaskDefinitionFamiliesOutput::builder()
        .set_families(Some(families))
        .set_next_token(token)
        .build())
}
