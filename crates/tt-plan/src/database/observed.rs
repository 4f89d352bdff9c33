//! What RDS has: the instance, its snapshots, how far back it can be restored, and the same in a second Region.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::{InstanceName, Region, SnapshotName};

use super::{
    drill::DrillRecord,
    mark::Mark,
    status::{InstanceStatus, SnapshotStatus},
};
use crate::observed::{Arn, Caller};

/// Everything that a plan of backups or restores stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseObserved {
    /// When the observation was finished, by the observer's clock.
    pub at: OffsetDateTime,
    /// Who the credentials belong to.
    pub caller: Caller,
    /// The instance that the environment names.
    pub source: Instance,
    /// All instances of the account in the environment's Region, the source among them.
    pub instances: Vec<Instance>,
    /// The source's snapshots of every kind, newest first.
    pub snapshots: Vec<Snapshot>,
    /// All manual snapshots of the account in the Region: what the quota counts.
    pub manual_snapshots: u32,
    /// How far back, and up to when, the source can be restored; absent without automated backups.
    pub window: Option<Window>,
    /// The second Region, when the environment names one.
    pub abroad: Option<Abroad>,
    /// Drills on record, newest first.
    pub drills: Vec<DrillRecord>,
}

/// The second Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abroad {
    /// Its code.
    pub region: Region,
    /// Snapshots of the source there, newest first.
    pub snapshots: Vec<Snapshot>,
    /// How far the replicated automated backups reach; absent when nothing is replicated, or not yet.
    pub replicated: Option<Window>,
    /// Whether a replication exists, be it that it has nothing to restore yet.
    pub replicating: bool,
}

/// The moments an instance can be restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub earliest: OffsetDateTime,
    /// The last.
    pub latest: OffsetDateTime,
}

impl Window {
    /// Whether it holds the moment.
    pub fn holds(&self, at: OffsetDateTime) -> bool {
        (self.earliest..=self.latest).contains(&at)
    }
}

/// A database instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its identifier.
    pub name: InstanceName,
    /// Its ARN.
    pub arn: Arn,
    /// Where it is.
    pub status: InstanceStatus,
    /// How much of what it is busy with is done, where RDS says so: 0 to 100.
    pub percent: Option<u8>,
    /// The engine and its version, `postgres 16.4`.
    pub engine: String,
    /// Its class.
    pub class: String,
    /// Where clients connect, once it has been created.
    pub endpoint: Option<Endpoint>,
    /// When it was created; absent until then.
    pub created: Option<OffsetDateTime>,
    /// Its subnet group.
    pub subnet_group: Option<String>,
    /// Its VPC security groups.
    pub security_groups: Vec<String>,
    /// Its parameter group.
    pub parameter_group: Option<String>,
    /// Whether it has a standby.
    pub multi_az: bool,
    /// Gigabytes allocated.
    pub storage_gigabytes: u32,
    /// Whether its storage is encrypted.
    pub encryption: Encryption,
    /// Days that its automated backups are kept; 0 is none.
    pub retention_days: u32,
    /// The last moment it can be restored to.
    pub latest_restorable: Option<OffsetDateTime>,
    /// Set when tt-ops made it.
    pub mark: Option<Mark>,
}

/// Where clients connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Of an instance's storage or of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// None.
    Plain,
    /// With that key, where RDS names it.
    Kms(Option<String>),
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identifier.
    pub name: SnapshotName,
    /// Its ARN.
    pub arn: Arn,
    /// Who takes it away again.
    pub kind: SnapshotKind,
    /// Where it is.
    pub status: SnapshotStatus,
    /// How much of it is done: 0 to 100.
    pub percent: u8,
    /// When its data is from; absent until it is known. A copy keeps its original's.
    pub taken: Option<OffsetDateTime>,
    /// Gigabytes allocated by the instance it is of.
    pub storage_gigabytes: u32,
    /// Whether it is encrypted.
    pub encryption: Encryption,
    /// Set when tt-ops made it.
    pub mark: Option<Mark>,
}

impl Snapshot {
    /// Whether it can be restored now.
    pub fn is_available(&self) -> bool {
        self.status == SnapshotStatus::Available
    }
}

/// Who takes a snapshot away again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotKind {
    /// Whoever took it.
    Manual,
    /// RDS, after the retention.
    Automated,
    /// Somebody else's tool; in RDS's word (`awsbackup`, `shared`, …).
    Other(String),
}

/// AWS's quota of manual snapshots a Region (Amazon RDS User Guide, "Quotas in Amazon RDS"). A raised one is only known to AWS,
/// which then says so itself.
pub(crate) const QUOTA: u32 = 100;
