//! Our state in the words of the ECS model: what describe calls answer.

mod deployment;
mod service;
mod task;

use aws_sdk_ecs::types::{Cluster, Failure, Tag};
use aws_smithy_types::DateTime;
use time::OffsetDateTime;

pub(crate) use deployment::{brief as deployment_brief, deployment, revision, status as deployment_status};
pub(crate) use service::service;
pub(crate) use task::task;

use super::names::Place;
use super::world::{self, Region, ServiceStatus, Tags};

/// A timestamp of the model.
pub(crate) fn at(time: OffsetDateTime) -> DateTime {
    DateTime::from_millis(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

/// A count of the model.
pub(super) fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

pub(crate) fn tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// A resource that a describe call names and that does not exist.
pub(crate) fn missing(arn: impl Into<String>) -> Failure {
    Failure::builder().arn(arn).reason("MISSING").build()
}

pub(crate) fn cluster(place: Place<'_>, region: &Region, cluster: &world::Cluster) -> Cluster {
    let tasks = || region.tasks.values().filter(|task| task.cluster == cluster.name);
    let services = region
        .services
        .values()
        .filter(|service| service.cluster == cluster.name && service.status == ServiceStatus::Active);
    Cluster::builder()
        .cluster_arn(place.cluster(&cluster.name))
        .cluster_name(&cluster.name)
        .status("ACTIVE")
        .registered_container_instances_count(0)
        .running_tasks_count(number(tasks().filter(|task| task.is_running()).count()))
        .pending_tasks_count(number(tasks().filter(|task| task.is_pending()).count()))
        .active_services_count(number(services.count()))
        .set_tags(Some(tags(&cluster.tags)))
        .build()
}
