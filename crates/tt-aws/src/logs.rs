//! The last lines that a task's container printed, by the awslogs driver's naming (Amazon ECS Developer Guide, "Send logs to CloudWatch").

use aws_sdk_ecs::types::{ContainerDefinition, LogDriver};
use tt_plan::Arn;

use crate::clients::Clients;

const LINES: i32 = 20;

/// Oldest first; empty when the container logs elsewhere or nothing can be read. Evidence is never worth failing for.
pub(crate) async fn last_lines(clients: &Clients, container: &ContainerDefinition, task: &Arn) -> Vec<String> {
    let Some((group, stream)) = stream_of(container, task) else {
        return Vec::new();
    };
    let answer = clients
        .logs
        .get_log_events()
        .log_group_name(group)
        .log_stream_name(stream)
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

fn stream_of(container: &ContainerDefinition, task: &Arn) -> Option<(String, String)> {
    let configuration = container
        .log_configuration()
        .filter(|configuration| *configuration.log_driver() == LogDriver::Awslogs)?;
    let options = configuration.options()?;
    let id = task.as_str().rsplit('/').next()?;
    Some((
        options.get("awslogs-group")?.clone(),
        format!("{}/{}/{id}", options.get("awslogs-stream-prefix")?, container.name()?),
    ))
}
