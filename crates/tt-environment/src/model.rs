//! An environment as the rest of the program sees it: every value checked, every default filled in, nothing optional
//! that must be there.
//!
//! These types are not what is written in the YAML (that is `raw`), and they are free to change with the code.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;

use crate::{
    AccountId, AlarmName, BucketName, ClusterName, ContainerName, EnvironmentName, InstanceName, KmsKey, Minutes,
    Percent, Region, Repository, SecretName, ServiceName,
};

/// Everything `tt-ops` needs to know about one environment before it looks at the account itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What people call it; the stem of its file.
    pub name: EnvironmentName,
    /// Which account, and how to reach it.
    pub aws: Aws,
    /// Which ECS service is deployed. Target groups, rules and listeners are discovered from it.
    pub service: Service,
    /// Which images may be deployed.
    pub image: Image,
    /// How traffic moves to a new release.
    pub rollout: Rollout,
    /// What the new release must show before it gets more traffic.
    pub analysis: Analysis,
    /// What the new release must answer before it gets any.
    pub smoke_test: SmokeTest,
    /// The alarms ECS watches during a deployment; one that is firing refuses a deploy.
    pub alarms: Vec<AlarmName>,
    /// What runs with the new image before its deployment starts.
    pub migrations: Option<Migrations>,
    /// The container's secrets: variable → the Secrets Manager secret that holds its value.
    pub secrets: BTreeMap<String, SecretName>,
    /// Where deploy records and the lock are kept.
    pub records: Records,
    /// The lock that keeps two deploys apart.
    pub lock: Lock,
    /// The database that the service stands on.
    pub database: Option<Database>,
    /// When nothing is deployed.
    pub freeze: Vec<Freeze>,
    /// The sandbox that stands in for an account.
    pub sandbox: Option<Sandbox>,
    /// The file all this was read from, for messages.
    pub file: PathBuf,
}

/// The account and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// The account that the credentials must belong to.
    pub account: AccountId,
    /// The Region everything is in.
    pub region: Region,
    /// Where AWS is spoken instead of at AWS; only a loopback address is a sandbox.
    pub endpoint_url: Option<Url>,
    /// Where the credentials come from.
    pub credentials: Credentials,
    /// How long one AWS minute lasts: 60 s, except on a sandbox that says otherwise.
    pub minute: Duration,
}

/// Where the credentials come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The SDK's own search: environment, profile, web identity, container, instance.
    DefaultChain,
    /// That profile of the shared configuration files.
    Profile(String),
    /// The sandbox's fixed, well-known keys; they are no secret. Only with a loopback `endpoint_url`.
    Sandbox,
}

/// The ECS service that is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub name: ServiceName,
    /// The container whose image a deploy replaces; the others are sidecars.
    pub container: ContainerName,
    /// A deploy raises the desired count to this when it is lower, and otherwise leaves it to autoscaling.
    pub minimum_tasks: u32,
}

/// Which images may be deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The only repository they come from.
    pub repository: Repository,
    /// What counts as naming an image.
    pub pinning: Pinning,
    /// The secret with `username` and `password` for the registry; without it, the container engine's
    /// configuration or ECR's token.
    pub credentials: Option<SecretName>,
}

/// What counts as naming an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// A digest; a tag is refused.
    DigestRequired,
    /// A tag is resolved to its digest first, and the digest deployed.
    TagsResolved,
}

/// How traffic moves to a new release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// In which steps.
    pub strategy: Strategy,
    /// How long the old release is kept after the last step, for an instant rollback: 0 to 24 hours.
    pub bake: Minutes,
    /// How long ECS waits at a pause before it rolls back by itself: 1 minute to 14 days.
    pub decision_timeout: Minutes,
}

/// In which steps traffic moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "strategy", rename_all = "kebab-case")]
pub enum Strategy {
    /// At once (ECS's `BLUE_GREEN`).
    AllAtOnce,
    /// In equal steps (ECS's `LINEAR`).
    Linear {
        /// The size of a step, 3 to 100 %.
        percent: Percent,
        /// How long ECS itself waits after a step.
        bake: Minutes,
    },
    /// A small share first, then the rest (ECS's `CANARY`).
    Canary {
        /// The first share, 0.1 to 100 %.
        percent: Percent,
        /// How long ECS itself waits after it.
        bake: Minutes,
    },
}

/// What the new release must show before it gets more traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// How much time is judged together.
    pub window: Duration,
    /// CloudWatch's period: the window is a multiple of it.
    pub period: Duration,
    /// How often it looks.
    pub interval: Duration,
    /// With fewer requests in the window nothing is concluded.
    pub minimum_requests: u64,
    /// The share of 5xx answers above which the release has failed.
    pub maximum_error_rate: Percent,
    /// The 95th percentile of the response time above which the release has failed.
    pub maximum_p95: Duration,
    /// What happens when nothing can be concluded.
    pub inconclusive: Inconclusive,
}

/// What happens when nothing can be concluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconclusive {
    /// How long to wait for evidence.
    pub wait: Duration,
    /// What to do without it. “Go on” is deliberately not among the choices.
    pub then: AfterInconclusive,
}

/// What to do when the evidence never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterInconclusive {
    /// Take the release back.
    Rollback,
    /// Leave the deployment at its pause, for a person to decide.
    Pause,
}

/// What the new release must answer on the test listener before it gets any traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeTest {
    /// Where to ask; without it, the test listener that was discovered.
    pub base_url: Option<Url>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is tried before it counts as failed.
    pub attempts: u32,
    /// What is asked, in this order.
    pub requests: Vec<SmokeRequest>,
}

/// One GET of the smoke test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmokeRequest {
    /// The path, with its leading slash.
    pub path: String,
    /// The status that must come back.
    pub expect: u16,
}

/// The one-off task that migrates the database with the new image before its deployment starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrations {
    /// The container's command.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether they have to have run on a restored copy first.
    pub rehearsal: Rehearsal,
}

/// Whether migrations have to have run on a restored copy before a deploy runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// A deploy is refused without.
    Required,
    /// It is left to people.
    Optional,
}

/// Where deploy records and the lock are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// The bucket.
    pub bucket: BucketName,
    /// What every key in it begins with: empty, or ending in a slash.
    pub prefix: String,
}

/// The lock that keeps two deploys apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// How long a lock counts after its owner last renewed it.
    pub ttl: Duration,
}

/// The database that the service stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// The RDS instance.
    pub instance: InstanceName,
    /// How it is reached.
    pub reach: Reach,
    /// How it is backed up.
    pub backup: Option<BackupPolicy>,
}

/// How the database is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// By one-off tasks with a release's image, which carries its own migrations.
    Task,
    /// From where tt-ops runs.
    Direct {
        /// The secret that holds its URL.
        url: SecretName,
        /// The folder with the migrations.
        migrations: PathBuf,
    },
}

/// How the database is backed up, and what that promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupPolicy {
    /// Days that automated backups and own snapshots are kept: 1 to 35.
    pub retention_days: u32,
    /// How many snapshots that passed a drill are kept whatever their age.
    pub keep_tested: u32,
    /// The number of manual snapshots from which on a warning is due.
    pub quota_warning: u32,
    /// How much time a failure may cost.
    pub rpo: Duration,
    /// How long a restore may take, until it is verified.
    pub rto: Duration,
    /// A second Region.
    pub copy: Option<BackupCopy>,
}

/// The Region that backups are copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupCopy {
    /// Its code; never the environment's own.
    pub region: Region,
    /// The key that encrypts the copies.
    pub kms_key: Option<KmsKey>,
    /// How much time the loss of the first Region may cost.
    pub rpo: Duration,
}

/// A time in which nothing is deployed. A rollback is always allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its first moment.
    pub from: OffsetDateTime,
    /// The first moment after it.
    pub until: OffsetDateTime,
    /// Why, in words for whoever is refused.
    pub reason: String,
}

/// The sandbox that stands in for an account. Both paths are already resolved against the environment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// The resources it creates at the start.
    pub stack: PathBuf,
    /// Where it keeps its state.
    pub state: PathBuf,
}
