//! Service deployments: from the SDK's words to ours.

use std::{collections::HashMap, sync::Mutex};

use aws_sdk_ecs::types::{
    DeploymentConfiguration, DeploymentLifecycleHookStatus, DeploymentLifecycleHookTargetType, DeploymentStrategy,
    ServiceDeployment, ServiceDeploymentStatus,
};
use time::OffsetDateTime;
use tt_environment::{Environment, Minutes, Percent, Strategy};
use tt_execute::{PortError, PortErrorKind};
use tt_plan::{Arn, Deployment, DeploymentStatus, LifecycleStage, LiveRollout, LiveStrategy, Pause, Revision, Share};

use crate::{
    clients::Clients,
    ecs::revision::definition,
    error::{absent, failed, other},
};

const ACTION: &str = "read a service deployment";

/// What never changes of a service revision, so that polling does not ask for it again.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<HashMap<String, Known>>);

#[derive(Debug, Clone)]
struct Known {
    revision: Revision,
    target_group: Option<Arn>,
}

/// The SDK's view; nothing when ECS does not know it.
pub(crate) async fn describe(clients: &Clients, arn: &Arn) -> Result<Option<ServiceDeployment>, PortError> {
    let action = format!("describe service deployment {}", arn.short());
    let answer = clients
        .ecs
        .describe_service_deployments()
        .service_deployment_arns(arn.as_str())
        .send()
        .await
        .map_err(failed(action))?;
    Ok(answer.service_deployments.unwrap_or_default().into_iter().next())
}

pub(crate) async fn to_deployment(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    found: &ServiceDeployment,
) -> Result<Deployment, PortError> {
    let target = found
        .target_service_revision()
        .ok_or_else(|| absent(ACTION, "target revision"))?;
    let to = known(
        clients,
        environment,
        cache,
        target.arn().ok_or_else(|| absent(ACTION, "target revision ARN"))?,
    )
    .await?;
    let source = found.source_service_revisions().iter().find_map(|source| source.arn());
    let from = match source {
        Some(arn) => Some(known(clients, environment, cache, arn).await?.revision),
        None => None,
    };
    let stage = found
        .lifecycle_stage()
        .and_then(|stage| LifecycleStage::from_ecs_name(stage.as_str()));
    Ok(Deployment {
        arn: Arn::new(found.service_deployment_arn().ok_or_else(|| absent(ACTION, "ARN"))?),
        from,
        to: to.revision,
        target_group: to.target_group,
        status: status(found)?,
        stage,
        shifted: requested_share(target.requested_production_traffic_weight()),
        pause: stage.and_then(|stage| pause(found, stage)),
        created_at: at(found.created_at().ok_or_else(|| absent(ACTION, "creation time"))?)?,
        rollout: live_rollout(found.deployment_configuration())?,
    })
}

async fn known(clients: &Clients, environment: &Environment, cache: &Cache, arn: &str) -> Result<Known, PortError> {
    if let Some(known) = cache
        .0
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .get(arn)
    {
        return Ok(known.clone());
    }
    let action = "describe a service revision";
    let answer = clients
        .ecs
        .describe_service_revisions()
        .service_revision_arns(arn)
        .send()
        .await
        .map_err(failed(action))?;
    let found = answer
        .service_revisions()
        .first()
        .ok_or_else(|| absent(action, "service revision"))?;
    let name = found
        .task_definition()
        .ok_or_else(|| absent(action, "task definition"))?;
    let revision = definition(clients, name)
        .await?
        .revision(&environment.service.container)?;
    let resolved = found
        .resolved_configuration()
        .and_then(|resolved| resolved.load_balancers().first());
    let target_group = resolved.and_then(|balancer| balancer.target_group_arn()).map(Arn::new);
    let known = Known { revision, target_group };
    // ECS resolves the target group only after it has accepted the revision; until then there is nothing worth keeping.
    if known.target_group.is_some() {
        cache
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(arn.to_owned(), known.clone());
    }
    Ok(known)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "AWS adds statuses, and the SDK forbids naming its catch-all"
)]
fn status(found: &ServiceDeployment) -> Result<DeploymentStatus, PortError> {
    let reason = || {
        let rollback = found.rollback().and_then(|rollback| rollback.reason());
        found
            .status_reason()
            .or(rollback)
            .unwrap_or("ECS gave no reason")
            .to_owned()
    };
    match found.status().ok_or_else(|| absent(ACTION, "status"))? {
        ServiceDeploymentStatus::Pending => Ok(DeploymentStatus::Pending),
        ServiceDeploymentStatus::InProgress => Ok(DeploymentStatus::InProgress),
        ServiceDeploymentStatus::StopRequested
        | ServiceDeploymentStatus::RollbackRequested
        | ServiceDeploymentStatus::RollbackInProgress => Ok(DeploymentStatus::RollingBack { reason: reason() }),
        ServiceDeploymentStatus::Successful => Ok(DeploymentStatus::Successful),
        ServiceDeploymentStatus::Stopped => Ok(DeploymentStatus::Stopped { reason: reason() }),
        ServiceDeploymentStatus::RollbackSuccessful => Ok(DeploymentStatus::RolledBack { reason: reason() }),
        ServiceDeploymentStatus::RollbackFailed => Ok(DeploymentStatus::RollbackFailed { reason: reason() }),
        unknown => Err(other(
            ACTION,
            PortErrorKind::Unexpected,
            format!("ECS says its status is {unknown}, which this version does not know"),
        )),
    }
}

/// Whether ECS waits for an answer to this very hook.
pub(crate) fn awaits(found: &ServiceDeployment, hook: &str) -> bool {
    let ours = |detail: &&aws_sdk_ecs::types::DeploymentLifecycleHookDetail| detail.hook_id() == Some(hook);
    let detail = found.lifecycle_hook_details().iter().find(ours);
    detail.is_some_and(|detail| detail.status() == Some(&DeploymentLifecycleHookStatus::AwaitingAction))
}

/// A hook that waits carries no stage of its own: it is the deployment's. The SDK's enum lacks `PRE_PRODUCTION_TRAFFIC_SHIFT`, so stages are compared as text.
fn pause(found: &ServiceDeployment, stage: LifecycleStage) -> Option<Pause> {
    found.lifecycle_hook_details().iter().find_map(|hook| {
        let ours = hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause);
        let waits = hook.status() == Some(&DeploymentLifecycleHookStatus::AwaitingAction);
        (ours && waits).then_some(())?;
        Some(Pause {
            hook: hook.hook_id()?.to_owned(),
            stage,
            expires_at: hook.expires_at().and_then(|time| at(time).ok()),
        })
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage, clamped"
)]
fn requested_share(weight: Option<f64>) -> Share {
    Share::from_tenths((weight.unwrap_or(0.0).clamp(0.0, 100.0) * 10.0).round() as u16)
}

/// The strategy, bake and pauses that a configuration says.
pub(crate) fn live_rollout(configuration: Option<&DeploymentConfiguration>) -> Result<LiveRollout, PortError> {
    let Some(configuration) = configuration else {
        return Ok(LiveRollout {
            strategy: LiveStrategy::Rolling,
            bake: Minutes::ZERO,
            pauses: Vec::new(),
            decision_timeout: None,
        });
    };
    let hooks = || {
        configuration
            .lifecycle_hooks()
            .iter()
            .filter(|hook| hook.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause))
    };
    let mut pauses: Vec<LifecycleStage> = hooks()
        .flat_map(aws_sdk_ecs::types::DeploymentLifecycleHook::lifecycle_stages)
        .filter_map(|stage| LifecycleStage::from_ecs_name(stage.as_str()))
        .collect();
    pauses.sort_unstable();
    pauses.dedup();
    let timeout = hooks().find_map(|hook| hook.timeout_configuration()?.timeout_in_minutes());
    Ok(LiveRollout {
        strategy: live_strategy(configuration)?,
        bake: minutes(configuration.bake_time_in_minutes().unwrap_or(0)),
        pauses,
        decision_timeout: timeout.map(minutes),
    })
}

fn live_strategy(configuration: &DeploymentConfiguration) -> Result<LiveStrategy, PortError> {
    // Defaults from the Amazon ECS API Reference, "LinearConfiguration" and "CanaryConfiguration".
    match configuration.strategy() {
        None | Some(DeploymentStrategy::Rolling) => Ok(LiveStrategy::Rolling),
        Some(DeploymentStrategy::BlueGreen) => Ok(LiveStrategy::Shifting(Strategy::AllAtOnce)),
        Some(DeploymentStrategy::Linear) => {
            let linear = configuration.linear_configuration();
            let percent = percent(
                linear
                    .and_then(aws_sdk_ecs::types::LinearConfiguration::step_percent)
                    .unwrap_or(10.0),
            )?;
            Ok(LiveStrategy::Shifting(Strategy::Linear {
                percent,
                bake: minutes(
                    linear
                        .and_then(aws_sdk_ecs::types::LinearConfiguration::step_bake_time_in_minutes)
                        .unwrap_or(6),
                ),
            }))
        }
        Some(DeploymentStrategy::Canary) => {
            let canary = configuration.canary_configuration();
            let percent = percent(
                canary
                    .and_then(aws_sdk_ecs::types::CanaryConfiguration::canary_percent)
                    .unwrap_or(5.0),
            )?;
            Ok(LiveStrategy::Shifting(Strategy::Canary {
                percent,
                bake: minutes(
                    canary
                        .and_then(aws_sdk_ecs::types::CanaryConfiguration::canary_bake_time_in_minutes)
                        .unwrap_or(10),
                ),
            }))
        }
        Some(unknown) => Err(other(
            ACTION,
            PortErrorKind::Unexpected,
            format!("strategy {unknown} is not known to this version"),
        )),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage, clamped"
)]
fn percent(value: f64) -> Result<Percent, PortError> {
    Percent::from_tenths((value.clamp(0.0, 100.0) * 10.0).round() as u16).ok_or_else(|| {
        other(
            ACTION,
            PortErrorKind::Unexpected,
            format!("{value} is no step of traffic"),
        )
    })
}

fn minutes(value: i32) -> Minutes {
    Minutes::new(u32::try_from(value).unwrap_or(0))
}

pub(crate) fn at(time: &aws_smithy_types::DateTime) -> Result<OffsetDateTime, PortError> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos())
        .map_err(|error| other(ACTION, PortErrorKind::Unexpected, error.to_string()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{DeploymentLifecycleHookDetail, ServiceDeploymentLifecycleStage};

    use super::*;

    fn waiting(stage: &str, status: DeploymentLifecycleHookStatus) -> ServiceDeployment {
        let hook = DeploymentLifecycleHookDetail::builder()
            .hook_id("h-1")
            .target_type(DeploymentLifecycleHookTargetType::Pause)
            .status(status)
            .build();
        ServiceDeployment::builder()
            .lifecycle_stage(ServiceDeploymentLifecycleStage::from(stage))
            .lifecycle_hook_details(hook)
            .build()
    }

    #[test]
    fn a_pause_is_found_at_a_stage_that_the_sdk_does_not_know() {
        let found = waiting(
            "PRE_PRODUCTION_TRAFFIC_SHIFT",
            DeploymentLifecycleHookStatus::AwaitingAction,
        );
        let stage = LifecycleStage::from_ecs_name(found.lifecycle_stage().unwrap().as_str()).unwrap();
        assert_eq!(stage, LifecycleStage::PreProductionTrafficShift);
        assert_eq!(pause(&found, stage).unwrap().hook, "h-1");
    }

    #[test]
    fn a_pause_that_was_answered_waits_no_more() {
        let found = waiting("POST_TEST_TRAFFIC_SHIFT", DeploymentLifecycleHookStatus::Succeeded);
        assert_eq!(pause(&found, LifecycleStage::PostTestTrafficShift), None);
    }

    #[test]
    fn a_status_of_a_later_api_is_an_error_and_no_guess() {
        let found = ServiceDeployment::builder()
            .status(ServiceDeploymentStatus::from("SUSPENDED"))
            .build();
        assert_eq!(status(&found).unwrap_err().kind, PortErrorKind::Unexpected);
        assert_eq!(
            status(&ServiceDeployment::builder().build()).unwrap_err().kind,
            PortErrorKind::Unexpected
        );
    }

    #[test]
    fn percentages_keep_their_tenths() {
        assert_eq!(requested_share(Some(0.1)), Share::from_tenths(1));
        assert_eq!(requested_share(Some(33.3)), Share::from_tenths(333));
        assert_eq!(requested_share(None), Share::NONE);
    }
}
