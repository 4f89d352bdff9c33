//! Starting, answering and stopping service deployments.

use std::{collections::HashSet, time::Duration};

use aws_sdk_ecs::types::{
    CanaryConfiguration, DeploymentConfiguration, DeploymentLifecycleHook, DeploymentLifecycleHookAction,
    DeploymentLifecycleHookStage, DeploymentLifecycleHookTargetType, DeploymentLifecycleHookTimeoutConfiguration,
    DeploymentStrategy, LinearConfiguration, StopServiceDeploymentStopType,
};
use tokio::time::{Instant, sleep};
use tt_environment::{Environment, Minutes, Percent, Strategy};
use tt_execute::{Answer, PortError, PortErrorKind, Start};
use tt_plan::{Arn, Desired};

use crate::{
    clients::Clients,
    ecs::{
        deployment::{Cache, awaits, describe, to_deployment},
        service::describe_service,
    },
    error::{absent, failed, other},
};

/// ECS lists a new deployment within seconds of accepting it.
const LISTED_WITHIN: Duration = Duration::from_mins(1);

/// Sends what changes and nothing else: a load balancer or count sent again would undo alternation or autoscaling.
pub(crate) async fn start(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    start: &Start,
) -> Result<Arn, PortError> {
    let wanted = &environment.service;
    let action = format!("start a deployment of service `{}`", wanted.name);
    let service = describe_service(clients, environment).await?;
    let before: HashSet<String> = recent(clients, environment).await?.into_iter().collect();
    let live = service
        .deployment_configuration()
        .cloned()
        .unwrap_or_else(|| DeploymentConfiguration::builder().build());
    let configuration = configuration(&live, start);
    let desired = match start.desired {
        Desired::Unchanged => None,
        Desired::RaiseTo(count) => Some(i32::try_from(count).unwrap_or(i32::MAX)),
    };
    clients
        .ecs
        .update_service()
        .cluster(wanted.cluster.as_str())
        .service(wanted.name.as_str())
        .task_definition(start.task_definition.as_str())
        .set_desired_count(desired)
        .set_deployment_configuration((configuration != live).then_some(configuration))
        .send()
        .await
        .map_err(failed(action.clone()))?;
    started(clients, environment, cache, &before, &start.task_definition, &action).await
}

/// The deployment that was not there before and brings our task definition; never one that merely looks current.
async fn started(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    before: &HashSet<String>,
    task_definition: &Arn,
    action: &str,
) -> Result<Arn, PortError> {
    let deadline = Instant::now() + LISTED_WITHIN;
    loop {
        match find(clients, environment, cache, before, task_definition).await {
            Ok(Some(arn)) => return Ok(arn),
            Ok(None) => {}
            // ECS has accepted the deployment: a call that fails in passing must not lose sight of it.
            Err(error) if error.kind.passes() && Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            let cause = format!(
                "ECS accepted it and lists no deployment of {} after {} s",
                task_definition.short(),
                LISTED_WITHIN.as_secs()
            );
            return Err(other(action, PortErrorKind::Unexpected, cause));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn find(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    before: &HashSet<String>,
    task_definition: &Arn,
) -> Result<Option<Arn>, PortError> {
    for arn in recent(clients, environment)
        .await?
        .into_iter()
        .filter(|arn| !before.contains(arn))
    {
        let Some(found) = describe(clients, &Arn::new(arn)).await? else {
            continue;
        };
        let deployment = to_deployment(clients, environment, cache, &found).await?;
        if deployment.to.task_definition == *task_definition {
            return Ok(Some(deployment.arn));
        }
    }
    Ok(None)
}

/// The newest deployments of the service, newest first.
async fn recent(clients: &Clients, environment: &Environment) -> Result<Vec<String>, PortError> {
    let action = "list the service's deployments";
    let answer = clients
        .ecs
        .list_service_deployments()
        .cluster(environment.service.cluster.as_str())
        .service(environment.service.name.as_str())
        .send()
        .await
        .map_err(failed(action))?;
    let arn =
        |brief: &aws_sdk_ecs::types::ServiceDeploymentBrief| brief.service_deployment_arn().map(ToOwned::to_owned);
    answer
        .service_deployments()
        .iter()
        .map(|brief| arn(brief).ok_or_else(|| absent(action, "ARN")))
        .collect()
}

/// The live configuration with our strategy, bake and pauses; breaker, alarms, percentages and other people's hooks stay.
fn configuration(live: &DeploymentConfiguration, start: &Start) -> DeploymentConfiguration {
    let (strategy, linear, canary) = match start.strategy {
        Strategy::AllAtOnce => (DeploymentStrategy::BlueGreen, None, None),
        Strategy::Linear { percent, bake } => (DeploymentStrategy::Linear, Some(linear(percent, bake)), None),
        Strategy::Canary { percent, bake } => (DeploymentStrategy::Canary, None, Some(canary(percent, bake))),
    };
    let foreign = live
        .lifecycle_hooks()
        .iter()
        .filter(|hook| hook.target_type() != Some(&DeploymentLifecycleHookTargetType::Pause))
        .cloned();
    let hooks: Vec<DeploymentLifecycleHook> = foreign.chain(pause_hook(start)).collect();
    let mut configuration = live.clone();
    configuration.strategy = Some(strategy);
    configuration.linear_configuration = linear;
    configuration.canary_configuration = canary;
    configuration.bake_time_in_minutes = Some(whole(start.bake));
    configuration.lifecycle_hooks = Some(hooks);
    configuration
}

fn pause_hook(start: &Start) -> Option<DeploymentLifecycleHook> {
    if start.pauses.is_empty() {
        return None;
    }
    let timeout = DeploymentLifecycleHookTimeoutConfiguration::builder()
        .timeout_in_minutes(whole(start.decision_timeout))
        .action(DeploymentLifecycleHookAction::Rollback)
        .build();
    let stages = start
        .pauses
        .iter()
        .map(|stage| DeploymentLifecycleHookStage::from(stage.ecs_name()))
        .collect();
    Some(
        DeploymentLifecycleHook::builder()
            .target_type(DeploymentLifecycleHookTargetType::Pause)
            .set_lifecycle_stages(Some(stages))
            .timeout_configuration(timeout)
            .build(),
    )
}

fn linear(percent: Percent, bake: Minutes) -> LinearConfiguration {
    LinearConfiguration::builder()
        .step_percent(percent.as_f64())
        .step_bake_time_in_minutes(whole(bake))
        .build()
}

fn canary(percent: Percent, bake: Minutes) -> CanaryConfiguration {
    CanaryConfiguration::builder()
        .canary_percent(percent.as_f64())
        .canary_bake_time_in_minutes(whole(bake))
        .build()
}

fn whole(minutes: Minutes) -> i32 {
    i32::try_from(minutes.get()).unwrap_or(i32::MAX)
}

/// Answers a PAUSE hook.
pub(crate) async fn answer(clients: &Clients, deployment: &Arn, hook: &str, answer: Answer) -> Result<(), PortError> {
    let action = match answer {
        Answer::Continue => DeploymentLifecycleHookAction::Continue,
        Answer::Rollback => DeploymentLifecycleHookAction::Rollback,
    };
    let answered = clients
        .ecs
        .continue_service_deployment()
        .service_deployment_arn(deployment.as_str())
        .hook_id(hook)
        .action(action)
        .send()
        .await;
    let Err(error) = answered else { return Ok(()) };
    // ECS may have taken an earlier try whose response was lost: a hook that it does not wait for is answered.
    match describe(clients, deployment).await? {
        Some(found) if !awaits(&found, hook) => Ok(()),
        Some(_) | None => Err(failed("answer the deployment's pause")(error)),
    }
}

/// Stops a deployment and has ECS roll it back.
pub(crate) async fn revert(clients: &Clients, deployment: &Arn) -> Result<(), PortError> {
    clients
        .ecs
        .stop_service_deployment()
        .service_deployment_arn(deployment.as_str())
        .stop_type(StopServiceDeploymentStopType::Rollback)
        .send()
        .await
        .map_err(failed("take the deployment back"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{DeploymentAlarms, DeploymentCircuitBreaker};
    use tt_plan::LifecycleStage;

    use super::*;

    fn start(strategy: Strategy, pauses: Vec<LifecycleStage>) -> Start {
        Start {
            task_definition: Arn::new("arn:aws:ecs:r:1:task-definition/web:2"),
            strategy,
            bake: Minutes::new(10),
            pauses,
            decision_timeout: Minutes::new(60),
            desired: Desired::Unchanged,
        }
    }

    fn live() -> DeploymentConfiguration {
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
        let alarms = DeploymentAlarms::builder()
            .alarm_names("errors")
            .enable(true)
            .rollback(true)
            .build()
            .unwrap();
        let foreign = DeploymentLifecycleHook::builder()
            .target_type(DeploymentLifecycleHookTargetType::AwsLambda)
            .hook_target_arn("arn:aws:lambda:r:1:function:audit")
            .build();
        DeploymentConfiguration::builder()
            .deployment_circuit_breaker(breaker)
            .alarms(alarms)
            .maximum_percent(200)
            .minimum_healthy_percent(100)
            .lifecycle_hooks(foreign)
            .build()
    }

    #[test]
    fn what_others_configured_stays() {
        let canary = Strategy::Canary {
            percent: Percent::from_tenths(100).unwrap(),
            bake: Minutes::new(5),
        };
        let pauses = vec![
            LifecycleStage::PostTestTrafficShift,
            LifecycleStage::PreProductionTrafficShift,
        ];
        let sent = configuration(&live(), &start(canary, pauses));
        assert_eq!(sent.deployment_circuit_breaker(), live().deployment_circuit_breaker());
        assert_eq!(sent.alarms(), live().alarms());
        assert_eq!(
            (sent.maximum_percent(), sent.minimum_healthy_percent()),
            (Some(200), Some(100))
        );
        assert_eq!(sent.lifecycle_hooks()[0], live().lifecycle_hooks()[0]);
        let stages: Vec<&str> = sent.lifecycle_hooks()[1]
            .lifecycle_stages()
            .iter()
            .map(DeploymentLifecycleHookStage::as_str)
            .collect();
        assert_eq!(stages, ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"]);
    }

    #[test]
    fn pauses_of_an_earlier_deploy_do_not_linger() {
        let before = configuration(
            &live(),
            &start(Strategy::AllAtOnce, vec![LifecycleStage::PostTestTrafficShift]),
        );
        assert_eq!(before.lifecycle_hooks().len(), 2);
        let after = configuration(&before, &start(Strategy::AllAtOnce, Vec::new()));
        assert_eq!(after.lifecycle_hooks(), live().lifecycle_hooks());
    }

    #[test]
    fn the_same_settings_again_are_no_change_to_send() {
        let once = configuration(
            &live(),
            &start(Strategy::AllAtOnce, vec![LifecycleStage::PostTestTrafficShift]),
        );
        let twice = configuration(
            &once,
            &start(Strategy::AllAtOnce, vec![LifecycleStage::PostTestTrafficShift]),
        );
        assert_eq!(once, twice);
    }
}
