//! Service deployments and revisions in the words of the model.

use aws_sdk_ecs::types::{
    ContainerImage, DeploymentLifecycleHookAction, DeploymentLifecycleHookDetail, DeploymentLifecycleHookStatus,
    DeploymentLifecycleHookTargetType, LaunchType, ResolvedConfiguration, Rollback, ServiceDeployment,
    ServiceDeploymentAlarms, ServiceDeploymentBrief, ServiceDeploymentCircuitBreaker, ServiceDeploymentLifecycleStage,
    ServiceDeploymentRollbackMonitorsStatus, ServiceDeploymentStatus, ServiceRevision, ServiceRevisionLoadBalancer,
    ServiceRevisionSummary,
};
use time::OffsetDateTime;

use super::at;
use crate::ecs::names::Place;
use crate::ecs::rollout::{Breaker, End, Hook, HookAction, HookStatus, Phase, Rollout, Threshold};
use crate::ecs::scheduler;
use crate::ecs::world::{self, Region, Revision, Service, Task};

pub(crate) fn deployment(
    place: Place<'_>,
    region: &Region,
    service: &Service,
    deployment: &world::Deployment,
) -> ServiceDeployment {
    let tasks: Vec<&Task> = region.tasks_of(&service.key()).collect();
    let rollout = &deployment.rollout;
    let share = rollout.share();
    let wanted = Requested::of(service, deployment, &tasks);
    let summary = |arn: &str, requested: u32, production: f64, test: f64| {
        let counts = scheduler::count(tasks.iter().copied(), arn);
        let running = tasks
            .iter()
            .filter(|task| task.owner.revision() == Some(arn) && task.is_running())
            .count();
        let running = u32::try_from(running).unwrap_or(u32::MAX);
        ServiceRevisionSummary::builder()
            .arn(arn)
            .requested_task_count(i32::try_from(requested).unwrap_or(i32::MAX))
            .running_task_count(i32::try_from(running).unwrap_or(i32::MAX))
            .pending_task_count(i32::try_from(counts.active.saturating_sub(running)).unwrap_or(i32::MAX))
            .requested_production_traffic_weight(production)
            .requested_test_traffic_weight(test)
            .build()
    };
    let source = deployment
        .source
        .as_deref()
        .map(|arn| summary(arn, wanted.source, 100.0 - share.production, 100.0 - share.test));
    ServiceDeployment::builder()
        .service_deployment_arn(&deployment.arn)
        .service_arn(&service.arn)
        .cluster_arn(place.cluster(&service.cluster))
        .created_at(at(deployment.created))
        .started_at(at(deployment.created))
        .updated_at(at(deployment.updated))
        .set_finished_at(finished(rollout).map(at))
        .set_stopped_at(stopped(rollout).map(at))
        .set_source_service_revisions(Some(source.into_iter().collect()))
        .target_service_revision(summary(&deployment.target, wanted.target, share.production, share.test))
        .status(status(rollout))
        .set_status_reason(reason(rollout))
        .set_lifecycle_stage(
            rollout
                .stage()
                .map(|stage| ServiceDeploymentLifecycleStage::from(stage.as_str())),
        )
        .set_lifecycle_hook_details(Some(rollout.hooks.iter().map(hook).collect()))
        .deployment_configuration(deployment.configuration.0.clone())
        .set_rollback(rollback(deployment))
        .set_deployment_circuit_breaker(Some(breaker(rollout, service.desired)))
        .set_alarms(Some(alarms(rollout)))
        .build()
}

pub(crate) fn brief(place: Place<'_>, service: &Service, deployment: &world::Deployment) -> ServiceDeploymentBrief {
    let rollout = &deployment.rollout;
    ServiceDeploymentBrief::builder()
        .service_deployment_arn(&deployment.arn)
        .service_arn(&service.arn)
        .cluster_arn(place.cluster(&service.cluster))
        .created_at(at(deployment.created))
        .started_at(at(deployment.created))
        .set_finished_at(finished(rollout).map(at))
        .target_service_revision_arn(&deployment.target)
        .status(status(rollout))
        .set_status_reason(reason(rollout))
        .build()
}

pub(crate) fn revision(place: Place<'_>, service: &Service, revision: &Revision) -> ServiceRevision {
    let images = revision.images.iter().map(|image| {
        ContainerImage::builder()
            .container_name(&image.container)
            .image(&image.reference)
            .set_image_digest(image.digest.clone())
            .build()
    });
    let rules = revision
        .load_balancers
        .iter()
        .filter_map(|balancer| balancer.0.advanced_configuration()?.production_listener_rule());
    let resolved = revision
        .ports()
        .into_iter()
        .zip(rules.map(Some).chain(std::iter::repeat(None)))
        .map(|(port, rule)| {
            ServiceRevisionLoadBalancer::builder()
                .target_group_arn(port.target_group)
                .set_production_listener_rule(rule.map(str::to_owned))
                .build()
        });
    ServiceRevision::builder()
        .service_revision_arn(&revision.arn)
        .service_arn(&service.arn)
        .cluster_arn(place.cluster(&service.cluster))
        .task_definition(&revision.task_definition)
        .launch_type(LaunchType::from(service.launch_type.as_str()))
        .platform_version("LATEST")
        .platform_family("Linux")
        .set_load_balancers(Some(
            revision
                .load_balancers
                .iter()
                .map(|balancer| balancer.0.clone())
                .collect(),
        ))
        .set_network_configuration(revision.network.as_ref().map(|network| network.0.clone()))
        .set_container_images(Some(images.collect()))
        .resolved_configuration(
            ResolvedConfiguration::builder()
                .set_load_balancers(Some(resolved.collect()))
                .build(),
        )
        .guard_duty_enabled(false)
        .created_at(at(revision.created))
        .build()
}

/// How many tasks a deployment asks for. A finished one that a newer replaced asks for none.
#[derive(Default)]
struct Requested {
    source: u32,
    target: u32,
}

impl Requested {
    fn of(service: &Service, deployment: &world::Deployment, tasks: &[&Task]) -> Self {
        let current = service.current().is_some_and(|current| current.arn == deployment.arn);
        scheduler::facts(service, tasks, Vec::new(), deployment.updated)
            .filter(|_| current)
            .map_or_else(Self::default, |facts| {
                let wanted = deployment.rollout.wanted(&facts);
                Self {
                    source: wanted.source,
                    target: wanted.target,
                }
            })
    }
}

pub(crate) fn status(rollout: &Rollout) -> ServiceDeploymentStatus {
    match &rollout.phase {
        Phase::Forward { .. } | Phase::Rolling { .. } => ServiceDeploymentStatus::InProgress,
        Phase::Back { .. } => ServiceDeploymentStatus::RollbackInProgress,
        Phase::Ended { end, .. } => match end {
            End::Successful => ServiceDeploymentStatus::Successful,
            End::Stopped { .. } => ServiceDeploymentStatus::Stopped,
            End::RolledBack { .. } => ServiceDeploymentStatus::RollbackSuccessful,
            End::RollbackFailed { .. } => ServiceDeploymentStatus::RollbackFailed,
        },
    }
}

fn reason(rollout: &Rollout) -> Option<String> {
    match &rollout.phase {
        Phase::Forward { .. }
        | Phase::Rolling { .. }
        | Phase::Ended {
            end: End::Successful, ..
        } => None,
        Phase::Back { reason, .. }
        | Phase::Ended {
            end: End::Stopped { reason, .. } | End::RolledBack { reason, .. } | End::RollbackFailed { reason, .. },
            ..
        } => Some(reason.clone()),
    }
}

fn finished(rollout: &Rollout) -> Option<OffsetDateTime> {
    match &rollout.phase {
        Phase::Ended { at, .. } => Some(*at),
        Phase::Forward { .. } | Phase::Rolling { .. } | Phase::Back { .. } => None,
    }
}

fn stopped(rollout: &Rollout) -> Option<OffsetDateTime> {
    match &rollout.phase {
        Phase::Ended {
            end: End::Stopped { .. },
            at,
        } => Some(*at),
        Phase::Back { asked, .. }
        | Phase::Ended {
            end: End::RolledBack { asked, .. } | End::RollbackFailed { asked, .. },
            ..
        } => Some(*asked),
        Phase::Forward { .. }
        | Phase::Rolling { .. }
        | Phase::Ended {
            end: End::Successful, ..
        } => None,
    }
}

fn rollback(deployment: &world::Deployment) -> Option<Rollback> {
    let (reason, asked) = match &deployment.rollout.phase {
        Phase::Back { reason, asked, .. }
        | Phase::Ended {
            end: End::RolledBack { reason, asked } | End::RollbackFailed { reason, asked },
            ..
        } => (reason, *asked),
        Phase::Forward { .. }
        | Phase::Rolling { .. }
        | Phase::Ended {
            end: End::Successful | End::Stopped { .. },
            ..
        } => return None,
    };
    Some(
        Rollback::builder()
            .reason(reason)
            .started_at(at(asked))
            .set_service_revision_arn(deployment.source.clone())
            .build(),
    )
}

fn hook(hook: &Hook) -> DeploymentLifecycleHookDetail {
    let status = match hook.status {
        HookStatus::AwaitingAction => DeploymentLifecycleHookStatus::AwaitingAction,
        HookStatus::Succeeded => DeploymentLifecycleHookStatus::Succeeded,
        HookStatus::Failed => DeploymentLifecycleHookStatus::Failed,
        HookStatus::TimedOut => DeploymentLifecycleHookStatus::TimedOut,
    };
    let on_timeout = match hook.on_timeout {
        HookAction::Continue => DeploymentLifecycleHookAction::Continue,
        HookAction::Rollback => DeploymentLifecycleHookAction::Rollback,
    };
    DeploymentLifecycleHookDetail::builder()
        .hook_id(&hook.id)
        .target_type(DeploymentLifecycleHookTargetType::Pause)
        .status(status)
        .expires_at(at(hook.expires_at))
        .timeout_action(on_timeout)
        .build()
}

fn breaker(rollout: &Rollout, desired: u32) -> ServiceDeploymentCircuitBreaker {
    let (threshold, on) = match &rollout.plan.breaker {
        Breaker::Off => (Threshold::DEFAULT, false),
        Breaker::On { threshold, .. } => (*threshold, true),
    };
    let tripped = rollout.failures >= threshold.failures(desired);
    ServiceDeploymentCircuitBreaker::builder()
        .status(monitor(on, tripped, rollout))
        .failure_count(i32::try_from(rollout.failures).unwrap_or(i32::MAX))
        .threshold(i32::try_from(threshold.failures(desired)).unwrap_or(i32::MAX))
        .build()
}

fn alarms(rollout: &Rollout) -> ServiceDeploymentAlarms {
    let names = rollout.plan.alarms.names();
    ServiceDeploymentAlarms::builder()
        .status(monitor(
            !names.is_empty(),
            !rollout.triggered_alarms.is_empty(),
            rollout,
        ))
        .set_alarm_names(Some(names.to_vec()))
        .set_triggered_alarm_names(Some(rollout.triggered_alarms.clone()))
        .build()
}

fn monitor(on: bool, triggered: bool, rollout: &Rollout) -> ServiceDeploymentRollbackMonitorsStatus {
    match (on, triggered, rollout.in_flight()) {
        (false, _, _) => ServiceDeploymentRollbackMonitorsStatus::Disabled,
        (true, true, _) => ServiceDeploymentRollbackMonitorsStatus::Triggered,
        (true, false, true) => ServiceDeploymentRollbackMonitorsStatus::Monitoring,
        (true, false, false) => ServiceDeploymentRollbackMonitorsStatus::MonitoringComplete,
    }
}
