//! Why a deployment failed. Gathered at once: stopped tasks vanish after about an hour, and nobody should have to know where to look.

use aws_sdk_ecs::types::{DesiredStatus, Task};
use tt_environment::Environment;
use tt_execute::{Evidence, PortError, StoppedTask};
use tt_plan::Arn;

use crate::{
    clients::Clients,
    ecs::{
        deployment::{Cache, describe, to_deployment},
        one_off,
        service::describe_service,
    },
    elb,
    error::failed,
};

const EVENTS: usize = 8;
const TASKS: usize = 3;

/// What ECS says of every deployment, good or bad (Amazon ECS Developer Guide, "Amazon ECS service event messages").
const ROUTINE: [&str; 6] = [
    "has started",
    "has stopped",
    "registered ",
    "has begun draining connections",
    "has reached a steady state",
    "deployment completed",
];
/// Stopped because ECS wanted fewer of them, which is no finding.
const SCALED: &str = "Scaling activity initiated by";

/// Whatever can be had; what cannot is named, because missing evidence is a finding too.
pub(crate) async fn evidence(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    deployment: &Arn,
) -> Evidence {
    let mut evidence = Evidence::default();
    match describe_service(clients, environment).await {
        Ok(service) => {
            evidence.events = service
                .events()
                .iter()
                .filter_map(|event| event.message())
                .filter(|message| !ROUTINE.iter().any(|routine| message.contains(routine)))
                .map(ToOwned::to_owned)
                .take(EVENTS)
                .collect();
        }
        Err(error) => evidence.missing.push(error.to_string()),
    }
    let deployment = match describe(clients, deployment).await {
        Ok(Some(found)) => to_deployment(clients, environment, cache, &found).await.map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    match deployment {
        Ok(Some(deployment)) => {
            match stopped_tasks(clients, environment, &deployment.to.task_definition).await {
                Ok(stopped) => evidence.stopped = stopped,
                Err(error) => evidence.missing.push(error.to_string()),
            }
            if let Some(group) = &deployment.target_group {
                match unhealthy(clients, group).await {
                    Ok(unhealthy) => evidence.unhealthy = unhealthy,
                    Err(error) => evidence.missing.push(error.to_string()),
                }
            }
        }
        Ok(None) => evidence
            .missing
            .push("ECS does not know the deployment any more".to_owned()),
        Err(error) => evidence.missing.push(error.to_string()),
    }
    evidence
}

async fn stopped_tasks(
    clients: &Clients,
    environment: &Environment,
    task_definition: &Arn,
) -> Result<Vec<StoppedTask>, PortError> {
    let cluster = environment.service.cluster.as_str();
    let action = "list the stopped tasks";
    let listed = clients
        .ecs
        .list_tasks()
        .cluster(cluster)
        .service_name(environment.service.name.as_str())
        .desired_status(DesiredStatus::Stopped)
        .send()
        .await
        .map_err(failed(action))?;
    if listed.task_arns().is_empty() {
        return Ok(Vec::new());
    }
    let described = clients
        .ecs
        .describe_tasks()
        .cluster(cluster)
        .set_tasks(Some(listed.task_arns().to_vec()))
        .send()
        .await
        .map_err(failed(action))?;
    // One that is still being stopped knows already why.
    let ours = |task: &&Task| {
        task.task_definition_arn() == Some(task_definition.as_str())
            && task.stopped_reason().is_some_and(|reason| !reason.starts_with(SCALED))
    };
    let mut stopped = Vec::new();
    for task in described.tasks().iter().filter(ours).take(TASKS) {
        stopped.push(one_off::stopped(clients, task, &environment.service.container).await?);
    }
    Ok(stopped)
}

async fn unhealthy(clients: &Clients, group: &Arn) -> Result<Vec<String>, PortError> {
    use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum as State;
    let states = elb::target_states(clients, group).await?;
    let ill = states
        .iter()
        .filter(|target| target.state != State::Healthy && target.state != State::Draining);
    Ok(ill
        .map(|target| format!("{} is {}: {}", target.address, target.state.as_str(), target.reason))
        .collect())
}
