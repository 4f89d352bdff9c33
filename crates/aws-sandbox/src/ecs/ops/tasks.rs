//! Tasks: one-off runs, stopping, looking.

use std::sync::Arc;

use aws_sdk_ecs::operation::describe_tasks::{DescribeTasksInput, DescribeTasksOutput};
use aws_sdk_ecs::operation::list_tasks::{ListTasksInput, ListTasksOutput};
use aws_sdk_ecs::operation::run_task::{RunTaskInput, RunTaskOutput};
use aws_sdk_ecs::operation::stop_task::{StopTaskInput, StopTaskOutput};
use aws_sdk_ecs::types::{DesiredStatus, TaskField, TaskOverride};

use super::page::page;
use super::{required, tags};
use crate::clock;
use crate::ecs::codec::Wire;
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::world::{Definition, Owner, StopCode, Task, TaskStatus};
use crate::ecs::{names, view};

/// Amazon ECS API Reference, `RunTask`.
const MOST_RUN: i32 = 10;
/// Amazon ECS API Reference, `DescribeTasks`.
const MOST_DESCRIBED: usize = 100;

pub(super) fn run(engine: &Arc<Engine>, region: &str, input: &RunTaskInput) -> Result<RunTaskOutput, EcsError> {
    let name = required("taskDefinition", input.task_definition())?;
    let count = input.count().unwrap_or(1);
    if !(1..=MOST_RUN).contains(&count) {
        return Err(EcsError::invalid("The count must be between 1 and 10."));
    }
    let task_tags = tags::parse(input.tags())?;
    let place = engine.place(region);
    let now = clock::now();
    let tasks = engine.world.write(|world| {
        let state = world.region_mut(region);
        let cluster = state.cluster(input.cluster())?.name.clone();
        let definition = state.definition(name)?.clone();
        if let Some(overrides) = input.overrides() {
            check_overrides(overrides, &definition)?;
        }
        let mut tasks = Vec::new();
        for _ in 0..count {
            let owner = Owner::Caller {
                group: input.group().map(str::to_owned),
                started_by: input.started_by().map(str::to_owned),
            };
            let mut task = Task::new(place, &cluster, &definition, owner, now);
            task.tags.clone_from(&task_tags);
            task.overrides = input.overrides().cloned().map(Wire);
            if let Some(launch) = input.launch_type() {
                launch.as_str().clone_into(&mut task.launch_type);
            }
            tasks.push(task.clone());
            state.tasks.insert(task.id.clone(), task);
        }
        Ok(tasks)
    })?;
    engine.start_tasks(region, tasks.iter().map(|task| task.id.clone()).collect());
    let shown = tasks.iter().map(|task| view::task(place, task)).collect();
    Ok(RunTaskOutput::builder()
        .set_tasks(Some(shown))
        .set_failures(Some(Vec::new()))
        .build())
}

fn check_overrides(overrides: &TaskOverride, definition: &Definition) -> Result<(), EcsError> {
    let known = |name: &str| {
        definition
            .shape
            .0
            .container_definitions()
            .iter()
            .any(|container| container.name() == Some(name))
    };
    for container in overrides.container_overrides() {
        let name = required("containerOverrides.name", container.name())?;
        if !known(name) {
            return Err(EcsError::invalid(
                "Override for container named ".to_owned() + name + " is not a container in the TaskDefinition.",
            ));
        }
    }
    Ok(())
}

pub(super) fn stop(engine: &Arc<Engine>, region: &str, input: &StopTaskInput) -> Result<StopTaskOutput, EcsError> {
    let id = names::last(required("task", input.task())?).to_owned();
    let place = engine.place(region);
    let shown = engine.world.write(|world| {
        let state = world.region_mut(region);
        let cluster = state.cluster(input.cluster())?.name.clone();
        let task = state.tasks.get_mut(&id).filter(|task| task.cluster == cluster);
        let task = task.ok_or_else(|| EcsError::invalid("The referenced task was not found."))?;
        if task.status != TaskStatus::Stopped {
            task.ask_to_stop(
                StopCode::UserInitiated,
                input.reason().unwrap_or("Task stopped by user"),
                clock::now(),
            );
        }
        Ok::<_, EcsError>(view::task(place, task))
    })?;
    engine.ask_to_stop(&id);
    engine.turn();
    Ok(StopTaskOutput::builder().task(shown).build())
}

pub(super) fn describe(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeTasksInput,
) -> Result<DescribeTasksOutput, EcsError> {
    let asked = input.tasks();
    if asked.is_empty() {
        return Err(EcsError::invalid("Tasks cannot be empty."));
    }
    if asked.len() > MOST_DESCRIBED {
        return Err(EcsError::invalid(
            "Too many tasks: at most 100 can be described at once.",
        ));
    }
    let place = engine.place(region);
    engine.world.read(|world| {
        let state = world.region(region);
        let cluster = state.cluster(input.cluster())?.name.clone();
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for name in asked {
            let id = names::last(name);
            match state.tasks.get(id).filter(|task| task.cluster == cluster) {
                Some(task) => {
                    let mut shown = view::task(place, task);
                    if !input.include().contains(&TaskField::Tags) {
                        shown.tags = None;
                    }
                    tasks.push(shown);
                }
                None => failures.push(view::missing(place.task(&cluster, id))),
            }
        }
        Ok(DescribeTasksOutput::builder()
            .set_tasks(Some(tasks))
            .set_failures(Some(failures))
            .build())
    })
}

/// Running tasks unless the caller asks for stopped ones.
pub(super) fn list(engine: &Arc<Engine>, region: &str, input: &ListTasksInput) -> Result<ListTasksOutput, EcsError> {
    let stopped = input.desired_status() == Some(&DesiredStatus::Stopped);
    let arns = engine.world.read(|world| {
        let state = world.region(region);
        let cluster = state.cluster(input.cluster())?;
        let service = input
            .service_name()
            .map(|name| state.service_key(Some(&cluster.name), name))
            .transpose()?;
        if service.as_ref().is_some_and(|key| !state.services.contains_key(key)) {
            return Err(EcsError::service_not_found());
        }
        let wanted = |task: &&Task| {
            task.cluster == cluster.name
                && (task.stop.is_some() == stopped)
                && service.as_ref().is_none_or(|key| task.owner.service() == Some(key))
                && input.family().is_none_or(|family| task.family == family)
                && input.started_by().is_none_or(|by| started_by(task) == Some(by))
        };
        let mut tasks: Vec<&Task> = state.tasks.values().filter(wanted).collect();
        tasks.sort_by_key(|task| task.created_at);
        Ok(tasks.into_iter().map(|task| task.arn.clone()).collect())
    })?;
    let (arns, token) = page(arns, input.next_token(), input.max_results(), 100)?;
    Ok(ListTasksOutput::builder()
        .set_task_arns(Some(arns))
        .set_next_token(token)
        .build())
}

fn started_by(task: &Task) -> Option<&str> {
    match &task.owner {
        Owner::Service { deployment_id, .. } => Some(deployment_id),
        Owner::Caller { started_by, .. } => started_by.as_deref(),
    }
}
