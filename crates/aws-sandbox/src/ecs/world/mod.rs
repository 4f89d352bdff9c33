//! What ECS remembers: clusters, task definitions, services and tasks, by region.
//!
//! Plain data and look-ups. Deciding is the rollout's and the scheduler's business, doing is the engine's.

mod definition;
mod service;
mod task;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use definition::{Definition, Family};
pub(crate) use service::{Deployment, Image, Revision, Service, ServiceStatus, Slot, Steadiness};
pub(crate) use task::{Container, Health, Owner, StopCode, Target, Task, TaskStatus};

use super::error::EcsError;
use super::names;

/// Key and value of each tag.
pub(crate) type Tags = BTreeMap<String, String>;

/// Everything, of every region.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct World {
    regions: BTreeMap<String, Region>,
}

/// What one region knows. No call sees another region's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Region {
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) families: BTreeMap<String, Family>,
    /// By cluster and name.
    pub(crate) services: BTreeMap<ServiceKey, Service>,
    /// By id.
    pub(crate) tasks: BTreeMap<String, Task>,
}

/// A cluster is a name here: capacity is the machine's.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) tags: Tags,
}

/// `cluster/name`: what a service is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ServiceKey(String);

impl ServiceKey {
    pub(crate) fn new(cluster: &str, name: &str) -> Self {
        Self(format!("{cluster}/{name}"))
    }
}

static NOWHERE: Region = Region {
    clusters: BTreeMap::new(),
    families: BTreeMap::new(),
    services: BTreeMap::new(),
    tasks: BTreeMap::new(),
};

impl World {
    pub(crate) fn region(&self, name: &str) -> &Region {
        self.regions.get(name).unwrap_or(&NOWHERE)
    }

    pub(crate) fn region_mut(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }

    pub(crate) fn regions_mut(&mut self) -> impl Iterator<Item = (&String, &mut Region)> {
        self.regions.iter_mut()
    }

    pub(crate) fn regions(&self) -> impl Iterator<Item = (&String, &Region)> {
        self.regions.iter()
    }
}

impl Region {
    /// The cluster a call names, or the one called `default`.
    pub(crate) fn cluster(&self, name: Option<&str>) -> Result<&Cluster, EcsError> {
        self.clusters
            .get(names::last(name.unwrap_or("default")))
            .ok_or_else(EcsError::cluster_not_found)
    }

    pub(crate) fn service_key(&self, cluster: Option<&str>, service: &str) -> Result<ServiceKey, EcsError> {
        let (named, name) = names::service_parts(service);
        let cluster = self.cluster(named.or(cluster))?;
        Ok(ServiceKey::new(&cluster.name, name))
    }

    /// A service that a call may change.
    pub(crate) fn active_service_mut(
        &mut self,
        cluster: Option<&str>,
        service: &str,
    ) -> Result<&mut Service, EcsError> {
        let key = self.service_key(cluster, service)?;
        let service = self.services.get_mut(&key).ok_or_else(EcsError::service_not_found)?;
        match service.status {
            ServiceStatus::Active => Ok(service),
            ServiceStatus::Draining | ServiceStatus::Inactive => Err(EcsError::service_not_active()),
        }
    }

    /// `family`, `family:3` or the ARN; without a revision the newest active one.
    pub(crate) fn definition(&self, name: &str) -> Result<&Definition, EcsError> {
        let (family, revision) = names::task_definition_parts(name);
        let family = self
            .families
            .get(family)
            .ok_or_else(EcsError::task_definition_not_found)?;
        family
            .revision(revision)
            .ok_or_else(EcsError::task_definition_not_found)
    }

    pub(crate) fn tasks_of(&self, service: &ServiceKey) -> impl Iterator<Item = &Task> {
        self.tasks
            .values()
            .filter(move |task| task.owner.service() == Some(service))
    }

    /// The service whose deployment an ARN names.
    pub(crate) fn deployment(&self, arn: &str) -> Option<(&Service, &Deployment)> {
        self.services.values().find_map(|service| {
            service
                .deployments
                .iter()
                .find(|deployment| deployment.arn == arn)
                .map(|deployment| (service, deployment))
        })
    }

    /// Stopped tasks are shown for an hour (Amazon ECS API Reference, `DescribeTasks`).
    pub(crate) fn forget_stopped_tasks(&mut self, now: OffsetDateTime) -> usize {
        let before = self.tasks.len();
        self.tasks
            .retain(|_, task| task.stopped_at.is_none_or(|at| now - at < time::Duration::HOUR));
        before - self.tasks.len()
    }
}
