//! Tasks: what ran, where, and how it ended.

use std::net::Ipv4Addr;

use aws_sdk_ecs::types::{ContainerDefinition, ContainerOverride, TaskOverride};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Definition, Image, ServiceKey, Tags};
use crate::ecs::codec::Wire;
use crate::ecs::names::{self, Place};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) cluster: String,
    pub(crate) family: String,
    pub(crate) definition: String,
    pub(crate) owner: Owner,
    pub(crate) overrides: Option<Wire<TaskOverride>>,
    pub(crate) launch_type: String,
    pub(crate) cpu: Option<String>,
    pub(crate) memory: Option<String>,
    pub(crate) tags: Tags,
    pub(crate) status: TaskStatus,
    /// Grows with every change, as in task events.
    pub(crate) version: i64,
    pub(crate) health: Health,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) containers: Vec<Container>,
    /// Where a load balancer sends it requests.
    pub(crate) targets: Vec<Target>,
    /// Why it is to stop, from the moment that is known.
    pub(crate) stop: Option<Stopped>,
    pub(crate) created_at: OffsetDateTime,
    pub(crate) pull_started_at: Option<OffsetDateTime>,
    pub(crate) pull_stopped_at: Option<OffsetDateTime>,
    pub(crate) started_at: Option<OffsetDateTime>,
    pub(crate) stopping_at: Option<OffsetDateTime>,
    pub(crate) execution_stopped_at: Option<OffsetDateTime>,
    pub(crate) stopped_at: Option<OffsetDateTime>,
}

/// Who asked for the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Owner {
    /// A service's scheduler, for one revision.
    Service {
        key: ServiceKey,
        revision: String,
        deployment_id: String,
        name: String,
    },
    /// `RunTask`.
    Caller {
        group: Option<String>,
        started_by: Option<String>,
    },
}

/// Amazon ECS Developer Guide, "Amazon ECS task lifecycle", in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum TaskStatus {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Health {
    Unknown,
    Healthy,
    Unhealthy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopped {
    pub(crate) code: StopCode,
    pub(crate) reason: String,
}

/// Amazon ECS API Reference, `Task`, stopCode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    UserInitiated,
    ServiceSchedulerInitiated,
    /// The sandbox ended under the task.
    InfrastructureHealth,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) digest: Option<String>,
    pub(crate) status: TaskStatus,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: Option<String>,
    /// Whether its end is the task's, and its ill health too.
    #[serde(default)]
    pub(crate) essential: bool,
    /// By its health check; nothing when it has none.
    #[serde(default)]
    pub(crate) health: Option<Health>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) target_group: String,
    pub(crate) port: u16,
}

impl Owner {
    pub(crate) fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Service { key, .. } => Some(key),
            Self::Caller { .. } => None,
        }
    }

    pub(crate) fn revision(&self) -> Option<&str> {
        match self {
            Self::Service { revision, .. } => Some(revision),
            Self::Caller { .. } => None,
        }
    }
}

impl TaskStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

impl Task {
    /// Not asked to stop, not stopped.
    pub(crate) fn is_active(&self) -> bool {
        self.stop.is_none() && self.status <= TaskStatus::Running
    }

    pub(crate) fn is_running(&self) -> bool {
        self.stop.is_none() && self.status == TaskStatus::Running
    }

    /// What the health checks of its containers say: Amazon ECS judges by the essential ones ("Determine Amazon ECS task
    /// health using container health checks"). Nothing when none is checked.
    pub(crate) fn checked(&self) -> Option<Health> {
        let checked = self.containers.iter().filter(|container| container.essential);
        checked
            .filter_map(|container| container.health)
            .max_by_key(|health| match health {
                Health::Healthy => 0,
                Health::Unknown => 1,
                Health::Unhealthy => 2,
            })
    }

    pub(crate) fn is_present(&self) -> bool {
        self.status != TaskStatus::Stopped
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.stop.is_none() && self.status < TaskStatus::Running
    }

    pub(crate) fn turn(&mut self, status: TaskStatus) {
        self.status = status;
        self.version += 1;
    }

    /// The first reason stands: what follows is its consequence.
    pub(crate) fn ask_to_stop(&mut self, code: StopCode, reason: impl Into<String>, now: OffsetDateTime) {
        if self.stop.is_none() {
            self.stop = Some(Stopped {
                code,
                reason: reason.into(),
            });
            self.stopping_at = Some(now);
            self.version += 1;
        }
    }
}

impl Task {
    /// A task that is about to be started.
    pub(crate) fn new(
        place: Place<'_>,
        cluster: &str,
        definition: &Definition,
        owner: Owner,
        now: OffsetDateTime,
    ) -> Self {
        let id = names::task_id();
        let container = |container: &ContainerDefinition| Container {
            arn: place.container(cluster, &id),
            name: container.name().unwrap_or_default().to_owned(),
            image: container.image().unwrap_or_default().to_owned(),
            digest: None,
            status: TaskStatus::Pending,
            exit_code: None,
            reason: None,
            essential: container.essential().unwrap_or(true),
            health: None,
        };
        let shape = &definition.shape.0;
        Self {
            arn: place.task(cluster, &id),
            cluster: cluster.to_owned(),
            family: definition.family().to_owned(),
            definition: definition.arn().to_owned(),
            owner,
            overrides: None,
            launch_type: "FARGATE".to_owned(),
            cpu: shape.cpu().map(str::to_owned),
            memory: shape.memory().map(str::to_owned),
            tags: Tags::new(),
            status: TaskStatus::Provisioning,
            version: 1,
            health: Health::Unknown,
            address: None,
            containers: shape.container_definitions().iter().map(container).collect(),
            targets: Vec::new(),
            stop: None,
            created_at: now,
            pull_started_at: None,
            pull_stopped_at: None,
            started_at: None,
            stopping_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            id,
        }
    }

    /// Every task of a revision runs the same image, wherever its tag points by now (Amazon ECS Developer Guide,
    /// "Container image resolution").
    pub(crate) fn pin(&mut self, images: &[Image]) {
        for container in &mut self.containers {
            container.digest = images
                .iter()
                .find(|image| image.container == container.name)
                .and_then(|image| image.digest.clone());
        }
    }

    pub(crate) fn override_of(&self, container: &str) -> Option<&ContainerOverride> {
        self.overrides
            .as_ref()?
            .0
            .container_overrides()
            .iter()
            .find(|changed| changed.name() == Some(container))
    }
}
