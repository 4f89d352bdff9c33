//! What a task's container prints, by the awslogs driver's naming (Amazon ECS Developer Guide, "Send logs to CloudWatch").

use std::{collections::HashMap, sync::Mutex};

use aws_sdk_cloudwatchlogs::operation::get_log_events::GetLogEventsError;
use aws_sdk_ecs::types::{ContainerDefinition, LogDriver};
use tt_environment::ContainerName;
use tt_execute::{PortError, TaskArn, TaskLines};
use tt_plan::Arn;

use crate::{clients::Clients, ecs::revision::definition, error::failed};

const LINES: i32 = 20;

/// Where a container's lines are.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    group: String,
    name: String,
}

/// The streams of tasks that are followed, so that following does not ask for their task definitions again and again.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<String, Option<Stream>>>);

impl Streams {
    /// Nothing when the container logs elsewhere.
    pub(crate) async fn get_or_find(
        &self,
        clients: &Clients,
        task_definition: &Arn,
        container: &ContainerName,
        task: &TaskArn,
    ) -> Result<Option<Stream>, PortError> {
        let key = task.0.as_str();
        if let Some(known) = self.known().get(key) {
            return Ok(known.clone());
        }
        let definition = definition(clients, task_definition.as_str()).await?;
        let found = stream_of(definition.container(container)?, &task.0);
        self.known().insert(key.to_owned(), found.clone());
        Ok(found)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Stream>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The lines after an earlier look, oldest first. CloudWatch gives the same token again at the end of what there is (Amazon CloudWatch
/// Logs API Reference, `GetLogEvents`).
pub(crate) async fn read(
    clients: &Clients,
    stream: Option<&Stream>,
    after: Option<&str>,
) -> Result<TaskLines, PortError> {
    let Some(stream) = stream else {
        return Ok(TaskLines::default());
    };
    let request = clients
        .logs
        .get_log_events()
        .log_group_name(&stream.group)
        .log_stream_name(&stream.name)
        .start_from_head(true)
        .set_next_token(after.map(ToOwned::to_owned));
    match request.send().await {
        Ok(page) => Ok(TaskLines {
            lines: page
                .events()
                .iter()
                .filter_map(|event| event.message().map(ToOwned::to_owned))
                .collect(),
            next: page.next_forward_token().map(ToOwned::to_owned),
        }),
        // There is no stream before the container's first line.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(GetLogEventsError::is_resource_not_found_exception) =>
        {
            Ok(TaskLines::default())
        }
        Err(error) => Err(failed(format!("read log stream `{}`", stream.name))(error)),
    }
}

/// The last lines, oldest first; empty when the container logs elsewhere or nothing can be read. Evidence is never worth failing for.
pub(crate) async fn last_lines(clients: &Clients, container: &ContainerDefinition, task: &Arn) -> Vec<String> {
    let Some(stream) = stream_of(container, task) else {
        return Vec::new();
    };
    let answer = clients
        .logs
        .get_log_events()
        .log_group_name(stream.group)
        .log_stream_name(stream.name)
        .limit(LINES)
        .start_from_head(false)
        .send()
        .await;
    answer
        .map(|events| {
            events
                .events()
                .iter()
                .filter_map(|event| event.message().map(ToOwned::to_owned))
                .collect()
        })
        .unwrap_or_default()
}

fn stream_of(container: &ContainerDefinition, task: &Arn) -> Option<Stream> {
    let configuration = container
        .log_configuration()
        .filter(|configuration| *configuration.log_driver() == LogDriver::Awslogs)?;
    let options = configuration.options()?;
    let id = task.as_str().rsplit('/').next()?;
    Some(Stream {
        group: options.get("awslogs-group")?.clone(),
        name: format!("{}/{}/{id}", options.get("awslogs-stream-prefix")?, container.name()?),
    })
}
