//! The sentences of a service's event list, as the Amazon ECS Developer Guide writes them ("Amazon ECS service event
//! messages").

use super::rollout::Milestone;

fn tasks(ids: &[String]) -> String {
    ids.iter()
        .map(|id| format!("(task {id})"))
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn started(service: &str, ids: &[String]) -> String {
    format!("(service {service}) has started {} tasks: {}.", ids.len(), tasks(ids))
}

pub(crate) fn stopped(service: &str, ids: &[String]) -> String {
    format!(
        "(service {service}) has stopped {} running tasks: {}.",
        ids.len(),
        tasks(ids)
    )
}

pub(crate) fn registered(service: &str, group: &str) -> String {
    format!("(service {service}) registered 1 targets in (target-group {group})")
}

pub(crate) fn deregistered(service: &str, group: &str) -> String {
    format!("(service {service}) deregistered 1 targets in (target-group {group})")
}

pub(crate) fn draining(service: &str) -> String {
    format!("(service {service}) has begun draining connections on 1 tasks.")
}

pub(crate) fn steady(service: &str) -> String {
    format!("(service {service}) has reached a steady state.")
}

pub(crate) fn unhealthy(service: &str, port: u16, group: &str, why: &str) -> String {
    format!("(service {service}) (port {port}) is unhealthy in (target-group {group}) due to (reason {why})")
}

pub(crate) fn container_unhealthy(service: &str, task: &str) -> String {
    format!("(service {service}) (task {task}) failed container health checks.")
}

pub(crate) fn unable_to_start(service: &str) -> String {
    format!("(service {service}) is unable to consistently start tasks successfully.")
}

pub(crate) fn unable_to_place(service: &str, task: &str, reason: &str) -> String {
    format!("(service {service}) was unable to place a task. (task {task}) Reason: {reason}.")
}

pub(crate) fn unable_to_shift(service: &str, rule: &str, reason: &str) -> String {
    format!("(service {service}) was unable to update the listener rule {rule}. Reason: {reason}.")
}

pub(crate) fn milestone(service: &str, deployment: &str, milestone: Milestone) -> String {
    match milestone {
        Milestone::Completed => format!("(service {service}) (deployment {deployment}) deployment completed."),
        Milestone::RollingBack => format!("(service {service}) rolling back (deployment {deployment})."),
        Milestone::RolledBack => format!("(service {service}) (deployment {deployment}) rollback completed."),
        Milestone::Failed => format!(
            "(service {service}) (deployment {deployment}) rollback failed: tasks of the previous revision failed to start."
        ),
    }
}
