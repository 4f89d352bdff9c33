//! A service in the words of the model.

use aws_sdk_ecs::types::{
    Deployment, DeploymentController, DeploymentControllerType, DeploymentRolloutState, LaunchType, SchedulingStrategy,
    Service, ServiceCurrentRevisionSummary, ServiceEvent,
};

use super::{at, number, tags};
use crate::ecs::names::Place;
use crate::ecs::rollout::{End, Phase};
use crate::ecs::world::{self, Region, Revision, Task};

pub(crate) fn service(place: Place<'_>, region: &Region, service: &world::Service) -> Service {
    let tasks: Vec<&Task> = region.tasks_of(&service.key()).collect();
    let shown = shown(service, &tasks);
    let events = service.events.iter().map(|event| {
        ServiceEvent::builder()
            .id(&event.id)
            .created_at(at(event.at))
            .message(&event.message)
            .build()
    });
    let revisions = shown.iter().map(|shown| current_revision(shown, service, &tasks));
    Service::builder()
        .service_arn(&service.arn)
        .service_name(&service.name)
        .cluster_arn(place.cluster(&service.cluster))
        .status(service.status.as_str())
        .desired_count(i32::try_from(service.desired).unwrap_or(i32::MAX))
        .running_count(number(tasks.iter().filter(|task| task.is_running()).count()))
        .pending_count(number(tasks.iter().filter(|task| task.is_pending()).count()))
        .launch_type(LaunchType::from(service.launch_type.as_str()))
        .platform_version("LATEST")
        .platform_family("Linux")
        .task_definition(&service.task_definition)
        .deployment_configuration(service.configuration.0.clone())
        // The only controller there is here: ECS itself.
        .set_deployment_controller(
            DeploymentController::builder()
                .r#type(DeploymentControllerType::Ecs)
                .build()
                .ok(),
        )
        .scheduling_strategy(SchedulingStrategy::Replica)
        .set_load_balancers(Some(
            service
                .load_balancers
                .iter()
                .map(|balancer| balancer.0.clone())
                .collect(),
        ))
        .set_service_registries(Some(Vec::new()))
        .set_network_configuration(service.network.as_ref().map(|network| network.0.clone()))
        .health_check_grace_period_seconds(service.grace_seconds)
        .set_deployments(Some(
            shown.iter().map(|shown| deployment(shown, service, &tasks)).collect(),
        ))
        .set_current_service_deployment(service.current().map(|current| current.arn.clone()))
        .set_current_service_revisions(Some(revisions.collect()))
        .set_events(Some(events.collect()))
        .created_at(at(service.created))
        .set_tags(Some(tags(&service.tags)))
        .enable_ecs_managed_tags(false)
        .enable_execute_command(false)
        .build()
}

/// A revision in a service's `deployments`: the PRIMARY one is where the service is going, ACTIVE ones still have tasks.
struct Shown<'a> {
    revision: &'a Revision,
    status: &'static str,
    state: DeploymentRolloutState,
    reason: String,
}

fn shown<'a>(service: &'a world::Service, tasks: &[&Task]) -> Vec<Shown<'a>> {
    let Some(current) = service.current() else {
        return Vec::new();
    };
    let goes_back = current.goes_back();
    let primary = service.primary().map_or(&current.target, |revision| &revision.arn);
    let in_flight = current.rollout.in_flight();
    let present = |arn: &str| {
        tasks
            .iter()
            .any(|task| task.is_present() && task.owner.revision() == Some(arn))
    };
    let others = service.revisions.iter().rev().filter(|revision| {
        revision.arn != *primary
            && (present(&revision.arn) || (in_flight && current.source.as_deref() == Some(&revision.arn)))
    });
    let first = service.revision(primary).map(|revision| {
        let id = &revision.deployment_id;
        let (state, reason) = match &current.rollout.phase {
            Phase::Ended {
                end: End::Successful | End::RolledBack { .. },
                ..
            } => (
                DeploymentRolloutState::Completed,
                format!("ECS deployment {id} completed."),
            ),
            Phase::Ended {
                end: End::Stopped { reason, .. } | End::RollbackFailed { reason, .. },
                ..
            } => (DeploymentRolloutState::Failed, reason.clone()),
            Phase::Back { reason, .. } => (
                DeploymentRolloutState::InProgress,
                format!("{reason} Rolling back to {id}."),
            ),
            Phase::Forward { .. } | Phase::Rolling { .. } => (
                DeploymentRolloutState::InProgress,
                format!("ECS deployment {id} in progress."),
            ),
        };
        Shown {
            revision,
            status: "PRIMARY",
            state,
            reason,
        }
    });
    let others = others.map(|revision| {
        let id = &revision.deployment_id;
        let failed = goes_back && revision.arn == current.target;
        let (state, reason) = if failed {
            (DeploymentRolloutState::Failed, format!("ECS deployment {id} failed."))
        } else {
            (
                DeploymentRolloutState::Completed,
                format!("ECS deployment {id} completed."),
            )
        };
        Shown {
            revision,
            status: "ACTIVE",
            state,
            reason,
        }
    });
    first.into_iter().chain(others).collect()
}

/// How many tasks of a revision run, are to come and are wanted.
struct Numbers {
    desired: i32,
    running: i32,
    pending: i32,
}

fn numbers(revision: &Revision, service: &world::Service, tasks: &[&Task]) -> Numbers {
    let of = |has: fn(&Task) -> bool| {
        number(
            tasks
                .iter()
                .filter(|task| task.owner.revision() == Some(&revision.arn) && has(task))
                .count(),
        )
    };
    let wanted = crate::ecs::scheduler::facts(service, tasks, Vec::new(), service.created)
        .zip(service.current())
        .map_or(0, |(facts, current)| {
            let wanted = current.rollout.wanted(&facts);
            match revision.arn.as_str() {
                arn if arn == current.target => wanted.target,
                arn if Some(arn) == current.source.as_deref() => wanted.source,
                _ => 0,
            }
        });
    Numbers {
        desired: i32::try_from(wanted).unwrap_or(i32::MAX),
        running: of(Task::is_running),
        pending: of(Task::is_pending),
    }
}

fn deployment(shown: &Shown<'_>, service: &world::Service, tasks: &[&Task]) -> Deployment {
    let revision = shown.revision;
    let Numbers {
        desired,
        running,
        pending,
    } = numbers(revision, service, tasks);
    let updated = service.current().map_or(revision.created, |current| current.updated);
    Deployment::builder()
        .id(&revision.deployment_id)
        .status(shown.status)
        .task_definition(&revision.task_definition)
        .desired_count(desired)
        .running_count(running)
        .pending_count(pending)
        .failed_tasks(i32::try_from(revision.failed_tasks).unwrap_or(i32::MAX))
        .launch_type(LaunchType::from(service.launch_type.as_str()))
        .platform_version("LATEST")
        .platform_family("Linux")
        .set_network_configuration(revision.network.as_ref().map(|network| network.0.clone()))
        .rollout_state(shown.state.clone())
        .rollout_state_reason(&shown.reason)
        .created_at(at(revision.created))
        .updated_at(at(updated))
        .build()
}

fn current_revision(shown: &Shown<'_>, service: &world::Service, tasks: &[&Task]) -> ServiceCurrentRevisionSummary {
    let Numbers {
        desired,
        running,
        pending,
    } = numbers(shown.revision, service, tasks);
    ServiceCurrentRevisionSummary::builder()
        .arn(&shown.revision.arn)
        .requested_task_count(desired)
        .running_task_count(running)
        .pending_task_count(pending)
        .build()
}
