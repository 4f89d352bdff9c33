//! The operations of the ECS API: each takes the SDK's input and gives the SDK's output.

pub(crate) mod clusters;
pub(crate) mod definitions;
mod deployments;
mod page;
pub(crate) mod services;
mod tags;
mod tasks;
mod update;

use std::sync::Arc;

use aws_smithy_schema::serde::SerializableStruct;

use super::codec::{self, Shape};
use super::engine::Engine;
use super::error::EcsError;
use crate::front::call::{Call, Reply};

/// Answers one call.
pub(crate) fn answer(engine: &Arc<Engine>, call: &Call) -> Reply {
    match call.operation.as_str() {
        "CreateCluster" => perform(engine, call, clusters::create),
        "DescribeClusters" => perform(engine, call, clusters::describe),
        "ListClusters" => perform(engine, call, clusters::list),
        "DeleteCluster" => perform(engine, call, clusters::delete),
        "RegisterTaskDefinition" => perform(engine, call, definitions::register),
        "DescribeTaskDefinition" => perform(engine, call, definitions::describe),
        "DeregisterTaskDefinition" => perform(engine, call, definitions::deregister),
        "ListTaskDefinitions" => perform(engine, call, definitions::list),
        "ListTaskDefinitionFamilies" => perform(engine, call, definitions::list_families),
        "CreateService" => perform(engine, call, services::create),
        "DescribeServices" => perform(engine, call, services::describe),
        "ListServices" => perform(engine, call, services::list),
        "DeleteService" => perform(engine, call, services::delete),
        "UpdateService" => perform(engine, call, update::update),
        "ListServiceDeployments" => perform(engine, call, deployments::list),
        "DescribeServiceDeployments" => perform(engine, call, deployments::describe),
        "DescribeServiceRevisions" => perform(engine, call, deployments::describe_revisions),
        "ContinueServiceDeployment" => perform(engine, call, deployments::go_on),
        "StopServiceDeployment" => perform(engine, call, deployments::stop),
        "RunTask" => perform(engine, call, tasks::run),
        "StopTask" => perform(engine, call, tasks::stop),
        "DescribeTasks" => perform(engine, call, tasks::describe),
        "ListTasks" => perform(engine, call, tasks::list),
        "TagResource" => perform(engine, call, tags::tag),
        "UntagResource" => perform(engine, call, tags::untag),
        "ListTagsForResource" => perform(engine, call, tags::list),
        other => codec::refuse(call, &EcsError::unknown_operation(other)),
    }
}

/// An operation: the engine, the region, the input.
type Operation<I, O> = fn(&Arc<Engine>, &str, &I) -> Result<O, EcsError>;

fn perform<I: Shape, O: SerializableStruct>(engine: &Arc<Engine>, call: &Call, operation: Operation<I, O>) -> Reply {
    match codec::parse(call).and_then(|input| operation(engine, &call.region, &input)) {
        Ok(output) => codec::reply(call, &output),
        Err(error) => codec::refuse(call, &error),
    }
}

/// A field that AWS requires.
fn required<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str, EcsError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| EcsError::missing(field))
}
