//! Changing a service, and beginning the deployment that a change needs.

use std::sync::Arc;

use aws_sdk_ecs::operation::update_service::{UpdateServiceInput, UpdateServiceOutput};
use aws_sdk_ecs::types::{ContainerDefinition, DeploymentAlarms};
use time::OffsetDateTime;

use super::required;
use super::services::{check_load_balancers, count};
use crate::clock;
use crate::ecs::codec::Wire;
use crate::ecs::engine::{Engine, split_image};
use crate::ecs::error::EcsError;
use crate::ecs::names;
use crate::ecs::rollout::{Rollout, SourceScale, Start};
use crate::ecs::scheduler;
use crate::ecs::strategy::{self, Circumstances};
use crate::ecs::view;
use crate::ecs::world::{Definition, Deployment, Image, Revision, Service, Slot, Steadiness, Task};

/// A service keeps this many of its deployments; on AWS they are kept for 90 days.
const HISTORY: usize = 500;

/// What a deployment begins with.
#[derive(Clone, Copy)]
pub(super) struct NewDeployment<'a> {
    /// The service's tasks.
    pub(super) tasks: &'a [Task],
    pub(super) now: OffsetDateTime,
}

/// Changes what the caller names and leaves the rest. A new deployment begins when the revision changes or is forced to;
/// another count or another deployment configuration alone needs none (Amazon ECS API Reference, `UpdateService`).
pub(super) fn update(
    engine: &Arc<Engine>,
    region: &str,
    input: &UpdateServiceInput,
) -> Result<UpdateServiceOutput, EcsError> {
    let name = required("service", input.service())?.to_owned();
    let desired = input
        .desired_count()
        .map(|desired| count("desiredCount", desired))
        .transpose()?;
    let place = engine.place(region);
    let now = clock::now();
    let shown = engine.world.write(|world| {
        let state = world.region_mut(region);
        // Changed on a copy: a refusal half-way leaves the service as it was.
        let mut service = state.active_service_mut(input.cluster(), &name)?.clone();
        let tasks: Vec<Task> = state.tasks_of(&service.key()).cloned().collect();
        let definition = state
            .definition(input.task_definition().unwrap_or(&service.task_definition))?
            .clone();
        service.configuration = Wire(strategy::merged(
            &service.configuration.0,
            input.deployment_configuration.clone(),
        ));
        let redeploys = changes_revision(&mut service, &definition, input);
        let balancers: Vec<_> = service
            .load_balancers
            .iter()
            .map(|balancer| balancer.0.clone())
            .collect();
        check_load_balancers(&balancers, &definition, &service.configuration.0)?;
        if let Some(grace) = input.health_check_grace_period_seconds() {
            service.grace_seconds = grace;
        }
        if redeploys {
            begin_deployment(
                engine,
                region,
                &mut service,
                &definition,
                NewDeployment { tasks: &tasks, now },
            )?;
        } else {
            // Refused now rather than at the next deployment.
            planned(engine, region, &service, SourceScale::Desired, String::new())?;
        }
        if let Some(desired) = desired.filter(|desired| *desired != service.desired) {
            service.desired = desired;
            service.steadiness = Steadiness::Moving;
            if let Some(current) = service.current_mut() {
                current.rollout.rescaled();
            }
        }
        let key = service.key();
        state.services.insert(key.clone(), service);
        Ok(state
            .services
            .get(&key)
            .map(|service| view::service(place, state, service)))
    })?;
    engine.turn();
    Ok(UpdateServiceOutput::builder().set_service(shown).build())
}

/// Takes over what makes a new revision; says whether anything did.
fn changes_revision(service: &mut Service, definition: &Definition, input: &UpdateServiceInput) -> bool {
    let mut changed = input.force_new_deployment().unwrap_or(false);
    // Compared with where the service is, not with what was asked for last: after a rollback the same release may come again.
    let serving = service
        .primary()
        .map_or(&service.task_definition, |primary| &primary.task_definition);
    changed |= serving != definition.arn();
    definition.arn().clone_into(&mut service.task_definition);
    if let Some(balancers) = input.load_balancers.clone() {
        let balancers: Vec<_> = balancers.into_iter().map(Wire).collect();
        changed |= balancers != service.load_balancers;
        service.load_balancers = balancers;
    }
    if let Some(network) = input.network_configuration.clone() {
        let network = Some(Wire(network));
        changed |= network != service.network;
        service.network = network;
    }
    changed
}

/// Adds a revision and starts rolling it out. A deployment in flight gives way: the revision that users meet stays the
/// source, whatever else had been started goes (`RECONCILE_SERVICE`).
pub(super) fn begin_deployment(
    engine: &Engine,
    region: &str,
    service: &mut Service,
    definition: &Definition,
    new: NewDeployment<'_>,
) -> Result<(), EcsError> {
    let NewDeployment { tasks, now } = new;
    let place = engine.place(region);
    let source = service.serving().map(str::to_owned);
    let source_slot = source
        .as_deref()
        .and_then(|source| service.revision(source))
        .map(|source| source.slot);
    let shifts = strategy::shifts_traffic(&service.configuration.0);
    let slot = match (source_slot, shifts) {
        (Some(slot), true) => slot.other(),
        (Some(slot), false) => slot,
        (None, _) => Slot::Primary,
    };
    let scale = source_scale(service, source.as_deref(), tasks, now);
    let strays = tasks
        .iter()
        .any(|task| task.is_present() && task.owner.revision() != source.as_deref());
    let arn = place.service_deployment(&service.cluster, &service.name);
    let plan = planned(engine, region, service, scale, arn.clone())?;
    let plan = if source.is_some() { plan } else { strategy::first(plan) };
    let revision = Revision {
        arn: place.service_revision(&service.cluster, &service.name),
        deployment_id: names::deployment_id(),
        task_definition: definition.arn().to_owned(),
        slot,
        load_balancers: service.load_balancers.clone(),
        network: service.network.clone(),
        created: now,
        images: images(engine, definition),
        failed_tasks: 0,
        failures_in_a_row: 0,
        next_start: None,
    };
    if let Some(current) = service.current_mut() {
        if current.rollout.in_flight() {
            current.updated = now;
        }
        let reason = format!("Service deployment stopped because the newer service deployment {arn} started.");
        current.rollout.give_way(reason, now);
    }
    let (rollout, effects) = Rollout::start(plan, if strays { Start::Reconcile } else { Start::Clean }, now);
    let target = revision.arn.clone();
    service.revisions.push(revision);
    service.deployments.push(Deployment {
        arn,
        created: now,
        updated: now,
        source,
        target,
        configuration: service.configuration.clone(),
        rollout,
    });
    service.steadiness = Steadiness::Moving;
    engine.apply(service, &effects, now);
    forget_old(service);
    Ok(())
}

/// A source that was to have no tasks when the deployment starts gets none while it lasts.
fn source_scale(service: &Service, source: Option<&str>, tasks: &[Task], now: OffsetDateTime) -> SourceScale {
    let tasks: Vec<&Task> = tasks.iter().collect();
    let wanted = scheduler::facts(service, &tasks, Vec::new(), now)
        .zip(service.current())
        .map_or(0, |(facts, current)| {
            let wanted = current.rollout.wanted(&facts);
            if source == Some(current.target.as_str()) {
                wanted.target
            } else {
                wanted.source
            }
        });
    if wanted > 0 {
        SourceScale::Desired
    } else {
        SourceScale::None
    }
}

fn planned(
    engine: &Engine,
    region: &str,
    service: &Service,
    source: SourceScale,
    deployment_id: String,
) -> Result<crate::ecs::rollout::Plan, EcsError> {
    let configuration = &service.configuration.0;
    let names = configuration
        .alarms()
        .map(DeploymentAlarms::alarm_names)
        .unwrap_or_default();
    let firing = engine.plane.firing(region, names);
    strategy::plan(
        configuration,
        Circumstances {
            deployment_id,
            source,
            firing,
            clock: engine.clock,
        },
    )
}

/// The digests that the tags mean now; an image that is not there yet gets its digest when a task pulls it.
fn images(engine: &Engine, definition: &Definition) -> Vec<Image> {
    let image = |container: &ContainerDefinition| {
        let image = container.image().unwrap_or_default();
        let (repository, reference) = split_image(image);
        let digest = engine
            .plane
            .registry
            .resolve(&repository, &reference)
            .map(|digest| digest.to_string());
        Image {
            container: container.name().unwrap_or_default().to_owned(),
            reference: image.to_owned(),
            digest,
        }
    };
    definition.shape.0.container_definitions().iter().map(image).collect()
}

fn forget_old(service: &mut Service) {
    let surplus = service.deployments.len().saturating_sub(HISTORY);
    service.deployments.drain(..surplus);
    let deployments = &service.deployments;
    service.revisions.retain(|revision| {
        deployments
            .iter()
            .any(|deployment| deployment.target == revision.arn || deployment.source.as_ref() == Some(&revision.arn))
    });
}
