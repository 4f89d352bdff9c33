//! Amazon RDS: database instances, each a real PostgreSQL of its own at 127.n.250.i.
//!
//! Owns the instances, their backups, their files and their processes. A snapshot is a base backup; a point in time is a base
//! backup and the saved log up to there. Never keeps a client's password: PostgreSQL has its SCRAM verifier.
//! Instances run without fsync: what an acknowledged write survives is a killed sandbox, not a power cut.

mod api;
mod arn;
mod backup;
mod config;
mod error;
mod groups;
mod installation;
mod instance;
mod keeper;
mod meter;
mod pace;
mod postgres;
mod privilege;
mod programs;
mod restore;
mod settings;
mod snapshot;
mod status;
mod vault;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use time::OffsetDateTime;
use tokio::sync::watch;

pub(crate) use error::RdsError;
pub(crate) use instance::InstanceSpec;
pub(crate) use settings::Settings;

use crate::clock::Clock;
use crate::cloudwatch::Metrics;
use crate::front::call::{Call, Reply};
use crate::front::persist::{Persisted, StateDir};
use crate::runtime::Runtime;
use config::Archiving;
use groups::{GroupKind, Groups};
use installation::Installation;
use instance::Instance;
use keeper::Wanted;
use postgres::Cluster;
use privilege::Identity;
use programs::Programs;
use status::{Birth, LastWish, Revival, Status};
use vault::{Leftover, Vault};

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
    clock: Clock,
    instances: Persisted<Instances>,
    vault: Persisted<Vault>,
    /// By Region.
    groups: Persisted<BTreeMap<String, Groups>>,
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

/// What a new instance is made of.
enum Origin {
    Nothing(Box<InstanceSpec>),
    /// As it says itself.
    Backup,
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
        clock: Clock,
    ) -> Result<Arc<Self>, RdsError> {
        let folder = dir.join("rds");
        for name in ["snapshots", "wal", "trash"] {
            let path = folder.join(name);
            std::fs::create_dir_all(&path).map_err(|cause| RdsError::Folder { path, cause })?;
        }
        let runtime = Runtime::start(network, None).map_err(RdsError::Runtime)?;
        let instances = Persisted::open(dir, "rds").map_err(RdsError::State)?;
        let vault = Persisted::open(dir, "rds-backups").map_err(RdsError::State)?;
        let groups = Persisted::open(dir, "rds-groups").map_err(RdsError::State)?;
        let account = account.to_owned();
        Ok(Arc::new(Self {
            account,
            network,
            folder,
            runtime,
            as_user,
            metrics,
            clock,
            instances,
            vault,
            groups,
            keepers: Mutex::default(),
            changes: watch::Sender::default(),
        }))
    }

    /// Takes up what an earlier run left: instances serve again, a restore begins anew, a snapshot that was cut short has failed.
    /// An instance that was being created is gone: nobody has its password.
    pub(crate) fn start(self: &Arc<Self>) {
        for (id, instance) in self.list_instances() {
            let birth = if instance.restored_from.is_some() {
                Birth::FromBackup
            } else {
                Birth::Empty
            };
            let backed_up = self
                .vault
                .read(|vault| vault.is_backed_up(&id.0, &instance.resource_id));
            let wish = if backed_up {
                LastWish::FinalSnapshot
            } else {
                LastWish::None
            };
            match instance.status.revival(birth, wish) {
                Revival::Serve => {
                    self.set_status(&id, Status::Starting);
                    self.keep(id, Wanted::Running);
                }
                Revival::StayStopped => self.keep(id, Wanted::Stopped),
                Revival::RestoreAgain => {
                    remove_files(&self.files(&instance));
                    self.bring_up(id, Origin::Backup);
                }
                Revival::Forget => {
                    remove_files(&self.files(&instance));
                    self.end_automated(&id, &instance, Leftover::Deleted);
                    self.forget(&id);
                }
            }
        }
        self.vault
            .write(|vault| vault.fail_unfinished("the sandbox ended while it was being taken"));
        self.sweep();
        for entry in std::fs::read_dir(self.folder.join("trash"))
            .into_iter()
            .flatten()
            .flatten()
        {
            remove_files(&entry.path());
        }
    }

    /// Creates an instance and waits until it is available. One that is there already gets this password.
    pub(crate) async fn create(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Endpoint, RdsError> {
        let id = (region.to_owned(), spec.identifier.clone());
        let found = match self.launch_new(region, spec.clone()) {
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
                Some((endpoint, status)) if status.serves() => {
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
                Some(_) => {
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

    /// Records an instance that nobody had before and starts to make it.
    fn launch_new(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Instance, RdsError> {
        spec.check()?;
        self.check_groups(region, &spec.settings)?;
        let version = Installation::find()?.version;
        let instance = Instance::new(&spec, version, OffsetDateTime::now_utc());
        self.launch(region, instance, Origin::Nothing(Box::new(spec)))
    }

    /// Gives a new instance an address, records it and starts to make it.
    fn launch(self: &Arc<Self>, region: &str, mut instance: Instance, origin: Origin) -> Result<Instance, RdsError> {
        let id = (region.to_owned(), instance.identifier.clone());
        self.instances.write(|regions| {
            let taken: BTreeSet<u8> = regions
                .values()
                .flat_map(BTreeMap::values)
                .map(|instance| instance.slot)
                .collect();
            instance.slot = (1..=254).find(|slot| !taken.contains(slot)).ok_or(RdsError::TooMany)?;
            let instances = regions.entry(region.to_owned()).or_default();
            if instances.contains_key(&instance.identifier) {
                return Err(RdsError::AlreadyExists(instance.identifier.clone()));
            }
            instances.insert(instance.identifier.clone(), instance.clone());
            Ok(())
        })?;
        self.bring_up(id, origin);
        Ok(instance)
    }

    /// Makes a recorded instance and lets it serve.
    fn bring_up(self: &Arc<Self>, id: InstanceId, origin: Origin) {
        let rds = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            match rds.make(&id, &origin).await {
                Ok(()) => {
                    if let Origin::Backup = origin {
                        let at_least = rds.clock.minutes(pace::BACKUP_MINUTES);
                        tokio::time::sleep(at_least.saturating_sub(began.elapsed())).await;
                    }
                    rds.keep(id, Wanted::Running);
                }
                Err(error) => {
                    let reason = crate::front::chain(&error);
                    tracing::error!(instance = %id.1, %reason, "the database instance could not be created");
                    rds.set_status(&id, Status::Failed { reason });
                }
            }
        });
    }

    async fn make(&self, id: &InstanceId, origin: &Origin) -> Result<(), RdsError> {
        let instance = self.instance(id).ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        let cluster = Cluster {
            // Its log is of no use to anybody before it has a backup to follow.
            archiving: Archiving::Off,
            ..self.cluster(id)?
        };
        let made = match (origin, &instance.restored_from) {
            (Origin::Nothing(spec), _) => cluster.make(spec).await,
            (Origin::Backup, Some(from)) => {
                let base = self.base_folder(&from.files);
                cluster.restore(&base, from.replay.as_ref()).await
            }
            (Origin::Backup, None) => Err(RdsError::Restore(format!("{} has no backup to restore", id.1))),
        };
        if made.is_err() {
            remove_files(&cluster.folder);
        }
        made
    }

    /// Refuses groups that are not there.
    fn check_groups(&self, region: &str, settings: &Settings) -> Result<(), RdsError> {
        self.groups.write(|regions| {
            let groups = regions.entry(region.to_owned()).or_default();
            groups.check(GroupKind::Subnet, &settings.subnet_group)?;
            match &settings.parameter_group {
                Some(name) => groups.check(GroupKind::Parameter, name),
                None => Ok(()),
            }
        })
    }

    /// Of a running instance; with its master user's new password.
    async fn set_password(&self, id: &InstanceId, password: &str) -> Result<(), RdsError> {
        let username = self.instance(id).map(|instance| instance.username);
        let username = username.ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        self.cluster(id)?.set_password(&username, password).await
    }

    fn cluster(&self, id: &InstanceId) -> Result<Cluster, RdsError> {
        let instance = self.instance(id).ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        let archives = instance.settings.backup_retention_days > 0;
        Ok(Cluster {
            programs: self.programs()?,
            folder: self.files(&instance),
            endpoint: self.endpoint(&instance),
            archiving: if archives {
                Archiving::Into(instance.resource_id)
            } else {
                Archiving::Off
            },
        })
    }

    fn programs(&self) -> Result<Programs, RdsError> {
        Ok(Programs {
            runtime: Arc::clone(&self.runtime),
            installation: Installation::find()?,
            identity: Identity::choose(self.as_user, &self.folder)?,
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

    fn list_instances(&self) -> Vec<(InstanceId, Instance)> {
        self.instances.read(|regions| {
            let all = regions
                .iter()
                .flat_map(|(region, all)| all.values().map(move |instance| (region, instance)));
            all.map(|(region, instance)| ((region.clone(), instance.identifier.clone()), instance.clone()))
                .collect()
        })
    }

    /// Tells an instance's keeper what is wanted; one that failed before it had a keeper gets one.
    fn want(self: &Arc<Self>, id: &InstanceId, wanted: Wanted) {
        let keeper = match wanted {
            // Another instance may have the name soon, and a keeper of its own.
            Wanted::Deleted => self.keepers().remove(id),
            Wanted::Running | Wanted::Restarted(_) | Wanted::Stopped | Wanted::Paused => {
                self.keepers().get(id).cloned()
            }
        };
        match keeper {
            Some(keeper) => drop(keeper.send_replace(wanted)),
            None => self.keep(id.clone(), wanted),
        }
    }

    /// Changes what is wanted unless somebody wants something else by now.
    fn want_if(&self, id: &InstanceId, now: Wanted, next: Wanted) {
        if let Some(keeper) = self.keepers().get(id) {
            keeper.send_if_modified(|wanted| {
                let same = *wanted == now;
                if same {
                    *wanted = next;
                }
                same
            });
        }
    }

    /// How many manual snapshots each Region may have from now on.
    pub(crate) fn set_manual_snapshot_quota(&self, most: usize) {
        self.vault.write(|vault| vault.quota.manual_snapshots = most);
    }

    /// Changes what is kept about an instance, if there is one.
    fn change(&self, (region, identifier): &InstanceId, change: impl FnOnce(&mut Instance)) {
        self.instances.write(|regions| {
            let instance = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier));
            if let Some(instance) = instance {
                change(instance);
            }
        });
    }

    /// Changes the status if it is the needed one.
    fn set_status_if(&self, (region, identifier): &InstanceId, needed: &Status, next: Status) -> Result<(), RdsError> {
        self.instances.write(|regions| {
            let instance = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier))
                .ok_or_else(|| RdsError::NotFound(identifier.clone()))?;
            if instance.status != *needed {
                return Err(RdsError::WrongState {
                    identifier: identifier.clone(),
                    status: instance.status.name(),
                    needed: needed.name(),
                });
            }
            instance.status = next;
            Ok(())
        })?;
        self.changes.send_replace(());
        Ok(())
    }

    /// Makes an instance available again, unless something else has happened to it.
    fn settle(&self, id: &InstanceId, from: &Status) {
        if let Err(error) = self.set_status_if(id, from, Status::Available) {
            tracing::debug!(%error, "the instance is in another state by now");
        }
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

    /// The folder of a base backup.
    fn base_folder(&self, name: &str) -> PathBuf {
        self.bases().join(name)
    }

    /// The folder of the saved log of an instance.
    fn log_folder(&self, resource_id: &str) -> PathBuf {
        self.logs().join(resource_id)
    }

    fn bases(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("wal")
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
