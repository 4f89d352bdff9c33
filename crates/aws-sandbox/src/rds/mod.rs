//! Amazon RDS: database instances, each a real PostgreSQL of its own at 127.n.250.i.
//!
//! Owns the instances, their files and their processes. Never keeps a client's password: PostgreSQL has its SCRAM verifier.
//! Instances run without fsync: what an acknowledged write survives is a killed sandbox, not a power cut.

mod api;
mod error;
mod installation;
mod instance;
mod keeper;
mod meter;
mod postgres;
mod privilege;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

pub(crate) use error::RdsError;
pub(crate) use instance::{InstanceSpec, Status};

use crate::cloudwatch::Metrics;
use crate::front::call::{Call, Reply};
use crate::front::persist::{Persisted, StateDir};
use crate::runtime::Runtime;
use installation::Installation;
use instance::Instance;
use keeper::Wanted;
use postgres::Cluster;
use privilege::Identity;

/// By region and identifier.
type Instances = BTreeMap<String, BTreeMap<String, Instance>>;

/// The service. Lives in an `Arc`, because each instance has a keeper that outlives the call that made it.
pub(crate) struct Rds {
    account: String,
    network: u8,
    folder: PathBuf,
    /// Starts PostgreSQL; its processes die with the sandbox.
    runtime: Arc<Runtime>,
    as_user: Option<(u32, u32)>,
    metrics: Arc<Metrics>,
    instances: Persisted<Instances>,
    keepers: Mutex<HashMap<InstanceId, watch::Sender<Wanted>>>,
    /// Tells those who wait for a status that one has changed.
    changes: watch::Sender<()>,
}

/// Region and identifier.
pub(crate) type InstanceId = (String, String);

/// Whether an instance had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    There,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: Ipv4Addr,
    pub(crate) port: u16,
}

impl Rds {
    /// `network` is the n of 127.n.0.0/16. `as_user` is who PostgreSQL runs as when the sandbox is root; without one a user
    /// of the system is chosen.
    pub(crate) fn open(
        dir: &StateDir,
        account: &str,
        network: u8,
        as_user: Option<(u32, u32)>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, RdsError> {
        let folder = dir.join("rds");
        std::fs::create_dir_all(&folder).map_err(|cause| RdsError::Folder {
            path: folder.clone(),
            cause,
        })?;
        let runtime = Runtime::start(network, None).map_err(RdsError::Runtime)?;
        let instances = Persisted::open(dir, "rds").map_err(RdsError::State)?;
        let account = account.to_owned();
        Ok(Arc::new(Self {
            account,
            network,
            folder,
            runtime,
            as_user,
            metrics,
            instances,
            keepers: Mutex::default(),
            changes: watch::Sender::default(),
        }))
    }

    /// Starts the instances of an earlier run again. One whose creation was cut short is gone: nobody has its password.
    pub(crate) fn start(self: &Arc<Self>) {
        let unfinished = self.instances.write(|regions| {
            let mut unfinished = Vec::new();
            for instances in regions.values_mut() {
                let (kept, cut): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(instances)
                    .into_iter()
                    .partition(|(_, instance)| instance.status.survives_restart());
                *instances = kept;
                unfinished.extend(cut.into_values());
            }
            unfinished
        });
        for instance in unfinished {
            remove_files(&self.files(&instance));
        }
        let kept: Vec<(InstanceId, Status)> = self.instances.read(|regions| {
            let all = regions
                .iter()
                .flat_map(|(region, all)| all.values().map(move |instance| (region, instance)));
            all.map(|(region, instance)| ((region.clone(), instance.identifier.clone()), instance.status.clone()))
                .collect()
        });
        for (id, status) in kept {
            if status == Status::Stopped {
                self.keep(id, Wanted::Stopped);
            } else {
                self.set_status(&id, Status::Starting);
                self.keep(id, Wanted::Running);
            }
        }
    }

    /// Creates an instance and waits until it is available. One that is there already gets this password.
    pub(crate) async fn create(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Endpoint, RdsError> {
        let id = (region.to_owned(), spec.identifier.clone());
        let found = match self.launch(region, spec.clone()) {
            Ok(_) => Found::New,
            Err(RdsError::AlreadyExists(_)) => Found::There,
            Err(error) => return Err(error),
        };
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            match self
                .instance(&id)
                .map(|instance| (self.endpoint(&instance), instance.status))
            {
                None => return Err(RdsError::NotFound(id.1)),
                Some((endpoint, Status::Available)) => {
                    if found == Found::There {
                        self.set_password(&id, &spec.password).await?;
                    }
                    return Ok(endpoint);
                }
                Some((_, Status::Failed { reason })) => {
                    return Err(RdsError::Failed {
                        identifier: id.1,
                        reason,
                    });
                }
                Some((
                    _,
                    Status::Creating | Status::Starting | Status::Stopping | Status::Stopped | Status::Deleting,
                )) => {
                    // The sender lives as long as this service.
                    changes.changed().await.unwrap_or_default();
                }
            }
        }
    }

    /// Answers one call.
    pub(crate) fn answer(self: &Arc<Self>, call: &Call) -> Reply {
        api::answer_call(self, call)
    }

    /// Shuts every instance down cleanly, so that the next start needs no recovery.
    pub(crate) async fn stop(&self) {
        let keepers: Vec<_> = self.keepers().drain().map(|(_, wanted)| wanted).collect();
        for wanted in &keepers {
            wanted.send_replace(Wanted::Paused);
        }
        for wanted in &keepers {
            wanted.closed().await;
        }
    }

    /// Records a new instance and starts to make it.
    fn launch(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Instance, RdsError> {
        spec.check()?;
        let version = Installation::find()?.version;
        let instance = self.instances.write(|regions| {
            let taken: BTreeSet<u8> = regions
                .values()
                .flat_map(BTreeMap::values)
                .map(|instance| instance.slot)
                .collect();
            let slot = (1..=254).find(|slot| !taken.contains(slot)).ok_or(RdsError::TooMany)?;
            let instances = regions.entry(region.to_owned()).or_default();
            if instances.contains_key(&spec.identifier) {
                return Err(RdsError::AlreadyExists(spec.identifier.clone()));
            }
            let instance = Instance::new(&spec, slot, version, OffsetDateTime::now_utc());
            instances.insert(spec.identifier.clone(), instance.clone());
            Ok(instance)
        })?;
        let id = (region.to_owned(), spec.identifier.clone());
        let rds = Arc::clone(self);
        tokio::spawn(async move {
            match rds.make(&id, &spec).await {
                Ok(()) => rds.keep(id, Wanted::Running),
                Err(error) => {
                    let reason = crate::front::chain(&error);
                    tracing::error!(instance = %id.1, %reason, "the database instance could not be created");
                    rds.set_status(&id, Status::Failed { reason });
                }
            }
        });
        Ok(instance)
    }

    async fn make(&self, id: &InstanceId, spec: &InstanceSpec) -> Result<(), RdsError> {
        let cluster = self.cluster(id)?;
        let made = cluster.make(spec).await;
        if made.is_err() {
            remove_files(&cluster.folder);
        }
        made
    }

    /// Of a running instance; with its master user's new password.
    async fn set_password(&self, id: &InstanceId, password: &str) -> Result<(), RdsError> {
        let username = self.instance(id).map(|instance| instance.username);
        let username = username.ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        self.cluster(id)?.set_password(&username, password).await
    }

    fn cluster(&self, id: &InstanceId) -> Result<Cluster, RdsError> {
        let instance = self.instance(id).ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        Ok(Cluster {
            runtime: Arc::clone(&self.runtime),
            installation: Installation::find()?,
            identity: Identity::choose(self.as_user, &self.folder)?,
            folder: self.files(&instance),
            endpoint: self.endpoint(&instance),
        })
    }

    /// Gives an instance its keeper.
    fn keep(self: &Arc<Self>, id: InstanceId, wanted: Wanted) {
        let (sender, receiver) = watch::channel(wanted);
        self.keepers().insert(id.clone(), sender);
        let rds = Arc::clone(self);
        tokio::spawn(async move { keeper::keep(&rds, &id, receiver).await });
    }

    fn instance(&self, (region, identifier): &InstanceId) -> Option<Instance> {
        self.instances
            .read(|regions| regions.get(region)?.get(identifier).cloned())
    }

    fn set_status(&self, (region, identifier): &InstanceId, status: Status) {
        self.instances.write(|regions| {
            if let Some(instance) = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier))
            {
                tracing::info!(instance = %identifier, status = status.name(), "database instance");
                instance.status = status;
            }
        });
        self.changes.send_replace(());
    }

    fn forget(&self, (region, identifier): &InstanceId) {
        self.instances.write(|regions| {
            if let Some(instances) = regions.get_mut(region) {
                instances.remove(identifier);
            }
        });
        self.changes.send_replace(());
    }

    fn endpoint(&self, instance: &Instance) -> Endpoint {
        Endpoint {
            host: Ipv4Addr::new(127, self.network, 250, instance.slot),
            port: instance.port,
        }
    }

    /// Named by the sandbox, never by a client.
    fn files(&self, instance: &Instance) -> PathBuf {
        self.folder.join(&instance.resource_id)
    }

    fn keepers(&self) -> MutexGuard<'_, HashMap<InstanceId, watch::Sender<Wanted>>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove_files(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %cause, "files of a deleted database instance stay on disk");
        }
        Ok(()) | Err(_) => {}
    }
}
