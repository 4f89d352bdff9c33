//! A task in the words of the model.

use aws_sdk_ecs::types::{
    Attachment, Container, HealthStatus, KeyValuePair, LaunchType, NetworkInterface, Task, TaskStopCode,
};

use super::{at, tags};
use crate::ecs::names::Place;
use crate::ecs::world::{self, Health, Owner, StopCode, TaskStatus};

pub(crate) fn task(place: Place<'_>, task: &world::Task) -> Task {
    let (group, started_by) = match &task.owner {
        Owner::Service {
            name, deployment_id, ..
        } => (Some(format!("service:{name}")), Some(deployment_id.clone())),
        Owner::Caller { group, started_by } => (
            Some(group.clone().unwrap_or_else(|| format!("family:{}", task.family))),
            started_by.clone(),
        ),
    };
    let desired = if task.stop.is_some() || task.status == TaskStatus::Stopped {
        "STOPPED"
    } else {
        "RUNNING"
    };
    Task::builder()
        .task_arn(&task.arn)
        .cluster_arn(place.cluster(&task.cluster))
        .task_definition_arn(&task.definition)
        .set_group(group)
        .set_started_by(started_by)
        .last_status(task.status.as_str())
        .desired_status(desired)
        .health_status(health(task.health))
        .version(task.version)
        .availability_zone(format!("{}a", place.region))
        .launch_type(LaunchType::from(task.launch_type.as_str()))
        .set_cpu(task.cpu.clone())
        .set_memory(task.memory.clone())
        .set_overrides(task.overrides.as_ref().map(|overrides| overrides.0.clone()))
        .set_attachments(Some(attachments(task)))
        .set_containers(Some(task.containers.iter().map(|each| container(task, each)).collect()))
        .set_stop_code(task.stop.as_ref().map(|stop| stop_code(stop.code)))
        .set_stopped_reason(task.stop.as_ref().map(|stop| stop.reason.clone()))
        .created_at(at(task.created_at))
        .set_pull_started_at(task.pull_started_at.map(at))
        .set_pull_stopped_at(task.pull_stopped_at.map(at))
        .set_started_at(task.started_at.map(at))
        .set_stopping_at(task.stopping_at.map(at))
        .set_execution_stopped_at(task.execution_stopped_at.map(at))
        .set_stopped_at(task.stopped_at.map(at))
        .set_tags(Some(tags(&task.tags)))
        .build()
}

fn container(task: &world::Task, container: &world::Container) -> Container {
    let interface = task
        .address
        .map(|ip| NetworkInterface::builder().private_ipv4_address(ip.to_string()).build());
    Container::builder()
        .container_arn(&container.arn)
        .task_arn(&task.arn)
        .name(&container.name)
        .image(&container.image)
        .set_image_digest(container.digest.clone())
        .last_status(container.status.as_str())
        .set_exit_code(container.exit_code)
        .set_reason(container.reason.clone())
        .health_status(health(container.health.unwrap_or(Health::Unknown)))
        .set_network_interfaces(interface.map(|interface| vec![interface]))
        .build()
}

fn attachments(task: &world::Task) -> Vec<Attachment> {
    let Some(ip) = task.address else { return Vec::new() };
    let status = if task.status == TaskStatus::Stopped {
        "DELETED"
    } else {
        "ATTACHED"
    };
    let address = KeyValuePair::builder()
        .name("privateIPv4Address")
        .value(ip.to_string())
        .build();
    vec![
        Attachment::builder()
            .id(&task.id)
            .r#type("ElasticNetworkInterface")
            .status(status)
            .details(address)
            .build(),
    ]
}

fn health(health: Health) -> HealthStatus {
    match health {
        Health::Unknown => HealthStatus::UnknownValue,
        Health::Healthy => HealthStatus::Healthy,
        Health::Unhealthy => HealthStatus::Unhealthy,
    }
}

fn stop_code(code: StopCode) -> TaskStopCode {
    match code {
        StopCode::TaskFailedToStart => TaskStopCode::TaskFailedToStart,
        StopCode::EssentialContainerExited => TaskStopCode::EssentialContainerExited,
        StopCode::UserInitiated => TaskStopCode::UserInitiated,
        StopCode::ServiceSchedulerInitiated => TaskStopCode::ServiceSchedulerInitiated,
        StopCode::InfrastructureHealth => TaskStopCode::from("InfrastructureHealth"),
    }
}
