//! Service deployments and revisions: looking, continuing, stopping.

use std::sync::Arc;

use aws_sdk_ecs::operation::continue_service_deployment::{
    ContinueServiceDeploymentInput, ContinueServiceDeploymentOutput,
};
use aws_sdk_ecs::operation::describe_service_deployments::{
    DescribeServiceDeploymentsInput, DescribeServiceDeploymentsOutput,
};
use aws_sdk_ecs::operation::describe_service_revisions::{
    DescribeServiceRevisionsInput, DescribeServiceRevisionsOutput,
};
use aws_sdk_ecs::operation::list_service_deployments::{ListServiceDeploymentsInput, ListServiceDeploymentsOutput};
use aws_sdk_ecs::operation::stop_service_deployment::{StopServiceDeploymentInput, StopServiceDeploymentOutput};
use aws_sdk_ecs::types::{DeploymentLifecycleHookAction, StopServiceDeploymentStopType};
use time::OffsetDateTime;

use super::page::page;
use super::required;
use crate::clock;
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::rollout::{AnswerError, Effect, HookAction, Rollout, Stop};
use crate::ecs::world::{Region, Service};
use crate::ecs::{strategy, view};

/// Amazon ECS API Reference, `DescribeServiceDeployments` and `DescribeServiceRevisions`.
const MOST_DESCRIBED: usize = 20;

/// Newest first.
pub(super) fn list(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListServiceDeploymentsInput,
) -> Result<ListServiceDeploymentsOutput, EcsError> {
    let name = required("service", input.service())?;
    let place = engine.place(region);
    let briefs = engine.world.read(|world| {
        let state = world.region(region);
        let key = state.service_key(input.cluster(), name)?;
        let service = state.services.get(&key).ok_or_else(EcsError::service_not_found)?;
        let wanted = |deployment: &&crate::ecs::world::Deployment| {
            let status = view::deployment_status(&deployment.rollout);
            let created = view::at(deployment.created);
            let range = input.created_at();
            (input.status().is_empty() || input.status().contains(&status))
                && range
                    .and_then(|range| range.after())
                    .is_none_or(|after| created >= *after)
                && range
                    .and_then(|range| range.before())
                    .is_none_or(|before| created <= *before)
        };
        let deployments = service.deployments.iter().rev().filter(wanted);
        Ok(deployments
            .map(|deployment| view::deployment_brief(place, service, deployment))
            .collect())
    })?;
    let size = input.max_results().or(Some(20));
    let (briefs, token) = page(briefs, input.next_token(), size, 100)?;
    Ok(ListServiceDeploymentsOutput::builder()
        .set_service_deployments(Some(briefs))
        .set_next_token(token)
        .build())
}

pub(super) fn describe(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeServiceDeploymentsInput,
) -> Result<DescribeServiceDeploymentsOutput, EcsError> {
    let arns = input.service_deployment_arns();
    check_number("serviceDeploymentArns", arns.len())?;
    let place = engine.place(region);
    Ok(engine.world.read(|world| {
        let state = world.region(region);
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for arn in arns {
            match state.deployment(arn) {
                Some((service, deployment)) => found.push(view::deployment(place, state, service, deployment)),
                None => failures.push(view::missing(arn)),
            }
        }
        DescribeServiceDeploymentsOutput::builder()
            .set_service_deployments(Some(found))
            .set_failures(Some(failures))
            .build()
    }))
}

pub(super) fn describe_revisions(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeServiceRevisionsInput,
) -> Result<DescribeServiceRevisionsOutput, EcsError> {
    let arns = input.service_revision_arns();
    check_number("serviceRevisionArns", arns.len())?;
    let place = engine.place(region);
    Ok(engine.world.read(|world| {
        let state = world.region(region);
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for arn in arns {
            let known = state
                .services
                .values()
                .find_map(|service| service.revision(arn).map(|revision| (service, revision)));
            match known {
                Some((service, revision)) => found.push(view::revision(place, service, revision)),
                None => failures.push(view::missing(arn)),
            }
        }
        DescribeServiceRevisionsOutput::builder()
            .set_service_revisions(Some(found))
            .set_failures(Some(failures))
            .build()
    }))
}

/// Answers a pause.
pub(super) fn go_on(
    engine: &Arc<Engine>,
    region: &str,
    input: &ContinueServiceDeploymentInput,
) -> Result<ContinueServiceDeploymentOutput, EcsError> {
    let arn = required("serviceDeploymentArn", input.service_deployment_arn())?;
    let hook = required("hookId", input.hook_id())?;
    let action = strategy::action(input.action().unwrap_or(&DeploymentLifecycleHookAction::Continue))?;
    change(engine, region, arn, |rollout, now| answer(rollout, hook, action, now))?;
    Ok(ContinueServiceDeploymentOutput::builder()
        .service_deployment_arn(arn)
        .build())
}

fn answer(rollout: &mut Rollout, hook: &str, action: HookAction, now: OffsetDateTime) -> Result<Vec<Effect>, EcsError> {
    rollout.answer(hook, action, now).map_err(|error| match error {
        AnswerError::NoSuchHook | AnswerError::NotWaiting => {
            EcsError::invalid(format!("Hook {hook} cannot be answered: {error}."))
        }
    })
}

pub(super) fn stop(
    engine: &Arc<Engine>,
    region: &str,
    input: &StopServiceDeploymentInput,
) -> Result<StopServiceDeploymentOutput, EcsError> {
    let arn = required("serviceDeploymentArn", input.service_deployment_arn())?;
    let how = match input.stop_type().map(StopServiceDeploymentStopType::as_str) {
        None | Some("ROLLBACK") => Stop::Rollback,
        Some("ABORT") => Stop::Abort,
        Some(other) => {
            return Err(EcsError::invalid(format!(
                "{other} is not a stop type: use ROLLBACK or ABORT."
            )));
        }
    };
    change(engine, region, arn, |rollout, now| {
        rollout
            .stop(how, now)
            .map_err(|error| EcsError::conflict(format!("The deployment {arn} cannot be stopped: {error}.")))
    })?;
    Ok(StopServiceDeploymentOutput::builder()
        .service_deployment_arn(arn)
        .build())
}

/// Changes a rollout and carries the effects out before the caller has its answer: a rollback moves the traffic now, not
/// at the next tick.
fn change(
    engine: &Arc<Engine>,
    region: &str,
    arn: &str,
    change: impl FnOnce(&mut Rollout, OffsetDateTime) -> Result<Vec<Effect>, EcsError>,
) -> Result<(), EcsError> {
    engine.world.write(|world| {
        let now = clock::now();
        let service = service_of(world.region_mut(region), arn)?;
        let current = service.current_mut().filter(|current| current.arn == arn);
        let current = current.ok_or_else(|| EcsError::conflict(format!("The deployment {arn} is not in progress.")))?;
        let effects = change(&mut current.rollout, now)?;
        current.updated = now;
        engine.apply(service, &effects, now);
        Ok::<_, EcsError>(())
    })?;
    engine.turn();
    Ok(())
}

fn service_of<'a>(region: &'a mut Region, deployment: &str) -> Result<&'a mut Service, EcsError> {
    region
        .services
        .values_mut()
        .find(|service| service.deployments.iter().any(|known| known.arn == deployment))
        .ok_or_else(EcsError::deployment_not_found)
}

fn check_number(field: &str, count: usize) -> Result<(), EcsError> {
    match count {
        0 => Err(EcsError::missing(field)),
        count if count > MOST_DESCRIBED => Err(EcsError::invalid(format!(
            "{field}: at most {MOST_DESCRIBED} can be described at once."
        ))),
        _ => Ok(()),
    }
}
