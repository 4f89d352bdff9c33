//! One-off tasks with the service's network and a release's image.

use aws_sdk_ecs::types::{ContainerOverride, KeyValuePair, Task, TaskOverride};
use tt_environment::{ContainerName, Environment};
use tt_execute::{OneOff, OneOffTask, PortError, PortErrorKind, StoppedTask, TaskArn};
use tt_plan::Arn;

use crate::{
    clients::Clients,
    ecs::{revision::definition, service::describe_service},
    error::{absent, failed, not_found, other},
    logs,
};

/// Starts a task where the service's own tasks run.
pub(crate) async fn run(clients: &Clients, environment: &Environment, task: &OneOffTask) -> Result<TaskArn, PortError> {
    let action = format!("start a one-off task of {}", task.task_definition.short());
    let service = describe_service(clients, environment).await?;
    let variable = |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
    let overrides = ContainerOverride::builder()
        .name(task.container.as_str())
        .set_command(Some(task.command.clone()))
        .set_environment((!task.variables.is_empty()).then(|| task.variables.iter().map(variable).collect()))
        .build();
    let strategy = service.capacity_provider_strategy().to_vec();
    // A launch type and a capacity provider strategy exclude each other (Amazon ECS API Reference, `RunTask`).
    let launch_type = if strategy.is_empty() {
        service.launch_type().cloned()
    } else {
        None
    };
    let answer = clients
        .ecs
        .run_task()
        .cluster(environment.service.cluster.as_str())
        .task_definition(task.task_definition.as_str())
        .set_launch_type(launch_type)
        .set_capacity_provider_strategy((!strategy.is_empty()).then_some(strategy))
        .set_network_configuration(service.network_configuration().cloned())
        .overrides(TaskOverride::builder().container_overrides(overrides).build())
        .started_by("tt-ops")
        .count(1)
        .send()
        .await
        .map_err(failed(action.clone()))?;
    if let Some(failure) = answer.failures().first() {
        let cause = format!(
            "{} {}",
            failure.reason().unwrap_or("no reason given"),
            failure.detail().unwrap_or_default()
        );
        return Err(other(action, PortErrorKind::Conflict, cause.trim_end()));
    }
    let arn = answer
        .tasks()
        .first()
        .and_then(Task::task_arn)
        .ok_or_else(|| absent(&action, "task ARN"))?;
    Ok(TaskArn(Arn::new(arn)))
}

/// Where it is; of a stopped one, the exit code of the container that was asked for, never of whichever comes first.
pub(crate) async fn state(
    clients: &Clients,
    environment: &Environment,
    task: &TaskArn,
    container: &ContainerName,
) -> Result<OneOff, PortError> {
    let action = format!("describe task {}", task.0.short());
    let answer = clients
        .ecs
        .describe_tasks()
        .cluster(environment.service.cluster.as_str())
        .tasks(task.0.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))?;
    let found = answer.tasks().first().ok_or_else(|| {
        not_found(
            action,
            "ECS does not know it any more",
            "stopped tasks vanish after about an hour",
        )
    })?;
    match found.last_status() {
        Some("STOPPED") => Ok(OneOff::Stopped(stopped(clients, found, container).await?)),
        status => Ok(OneOff::Running {
            status: status.unwrap_or("UNKNOWN").to_owned(),
        }),
    }
}

/// A stopped task with its last lines.
pub(crate) async fn stopped(
    clients: &Clients,
    task: &Task,
    container: &ContainerName,
) -> Result<StoppedTask, PortError> {
    let arn = Arn::new(task.task_arn().ok_or_else(|| absent("describe a task", "ARN"))?);
    let ours = task
        .containers()
        .iter()
        .find(|found| found.name() == Some(container.as_str()));
    let last_lines = match task.task_definition_arn() {
        Some(name) => match definition(clients, name).await {
            Ok(definition) => logs::last_lines(clients, definition.container(container)?, &arn).await,
            Err(_unreadable) => Vec::new(),
        },
        None => Vec::new(),
    };
    let reasons = [ours.and_then(|found| found.reason()), task.stopped_reason()];
    let reason = reasons
        .into_iter()
        .flatten()
        .find(|reason| !reason.is_empty())
        .unwrap_or("ECS gave no reason")
        .to_owned();
    Ok(StoppedTask {
        task: arn,
        exit_code: ours.and_then(aws_sdk_ecs::types::Container::exit_code),
        reason,
        last_lines,
    })
}

/// Tells ECS to end it.
pub(crate) async fn stop(
    clients: &Clients,
    environment: &Environment,
    task: &TaskArn,
    reason: &str,
) -> Result<(), PortError> {
    let action = format!("stop task {}", task.0.short());
    clients
        .ecs
        .stop_task()
        .cluster(environment.service.cluster.as_str())
        .task(task.0.as_str())
        .reason(reason)
        .send()
        .await
        .map_err(failed(action))?;
    Ok(())
}
