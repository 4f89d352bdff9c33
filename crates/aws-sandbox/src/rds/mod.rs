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
mod files;
mod groups;
mod installation;
mod instance;
mod keeper;
mod making;
mod meter;
mod pace;
mod postgres;
mod privilege;
mod programs;
mod records;
mod restore;
mod settings;
mod snapshot;
mod status;
mod vault;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
use groups::Groups;
use installation::Installation;
use instance::Instance;
use keeper::Wanted;
use making::Origin;
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
                    files::remove(&self.files(&instance));
                    self.bring_up(id, Origin::Backup);
                }
                Revival::Forget => {
                    files::remove(&self.files(&instance));
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
            files::remove(&entry.path());
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

    fn endpoint(&self, instance: &Instance) -> Endpoint {
        Endpoint {
            host: Ipv4Addr::new(127, self.network, 250, instance.slot),
            port: instance.port,
        }
    }

    fn keepers(&self) -> MutexGuard<'_, HashMap<InstanceId, watch::Sender<Wanted>>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
