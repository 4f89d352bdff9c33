//! The tasks that run at this moment, by task definition: of the service, and whatever else was started from its family.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::DesiredStatus;
use tt_environment::Environment;
use tt_execute::PortError;
use tt_plan::{Arn, RunningTasks};

use crate::{
    clients::Clients,
    ecs::{revision::definition, service::describe_service},
    error::{absent, failed},
};

/// `DescribeTasks` takes 100 at a time (Amazon ECS API Reference).
const PAGE: usize = 100;

pub(crate) async fn running(clients: &Clients, environment: &Environment) -> Result<Vec<RunningTasks>, PortError> {
    let action = "list the tasks that run";
    let service = describe_service(clients, environment).await?;
    let current = service
        .task_definition()
        .ok_or_else(|| absent(action, "task definition"))?;
    let (family, _revision) = Arn::new(current)
        .short()
        .rsplit_once(':')
        .map(|(family, revision)| (family.to_owned(), revision.to_owned()))
        .ok_or_else(|| absent(action, "family of the task definition"))?;
    let mut tasks = list(clients, environment, &family).await?;
    tasks.sort();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for page in tasks.chunks(PAGE) {
        let described = clients
            .ecs
            .describe_tasks()
            .cluster(environment.service.cluster.as_str())
            .set_tasks(Some(page.to_vec()))
            .send()
            .await
            .map_err(failed(action))?;
        for definition in described.tasks().iter().filter_map(|task| task.task_definition_arn()) {
            *counts.entry(definition.to_owned()).or_default() += 1;
        }
    }
    let mut running = Vec::new();
    for (arn, count) in counts {
        let revision = definition(clients, &arn)
            .await?
            .revision(&environment.service.container)?;
        running.push(RunningTasks {
            label: revision.label(),
            task_definition: revision.task_definition,
            count,
        });
    }
    Ok(running)
}

async fn list(clients: &Clients, environment: &Environment, family: &str) -> Result<Vec<String>, PortError> {
    let request = clients
        .ecs
        .list_tasks()
        .cluster(environment.service.cluster.as_str())
        .family(family)
        .desired_status(DesiredStatus::Running);
    let mut pages = request.into_paginator().items().send();
    let mut tasks = Vec::new();
    while let Some(task) = pages.next().await {
        tasks.push(task.map_err(failed(format!("list the running tasks of family `{family}`")))?);
    }
    Ok(tasks)
}
