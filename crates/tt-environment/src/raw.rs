//! The YAML as it is written. The comments here are the descriptions that editors show, by way of the JSON schema.
//!
//! A key that is not here does not exist. What belongs together only under a condition is left to `validate`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::written::{HttpUrl, KeyPrefix, RequestPath, Span, Timestamp, WholeMinutes};
use crate::{
    AccountId, AlarmName, BucketName, ClusterName, ContainerName, InstanceName, KmsKey, Percent, Region, Repository,
    SecretName, ServiceName,
};

/// One environment of tt-ops. Every text may refer to environment variables: `${NAME}`, or `${NAME:-DEFAULT}` for one
/// that may be missing; `$${` is a literal `${`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Environment {
    /// The version of this format.
    #[schemars(extend("const" = 1))]
    #[expect(dead_code, reason = "checked against the schema before it gets here")]
    pub(crate) version: u32,
    /// The account and how to reach it.
    pub(crate) aws: Aws,
    /// The ECS service that is deployed. Target groups, rules and listeners are discovered from it.
    pub(crate) service: Service,
    /// Which images may be deployed.
    pub(crate) image: Image,
    /// How traffic moves to a new release.
    pub(crate) rollout: Rollout,
    /// What the new release must show before it gets more traffic.
    pub(crate) analysis: Analysis,
    /// What the new release must answer before it gets any traffic.
    pub(crate) smoke_test: SmokeTest,
    /// CloudWatch alarms that ECS watches during a deployment. One that is firing refuses a deploy.
    #[serde(default)]
    pub(crate) alarms: Vec<AlarmName>,
    /// A one-off task with the new image that runs before its deployment starts.
    pub(crate) migrations: Option<Migrations>,
    /// The secrets of the container: the variable it reads → the Secrets Manager secret that holds the value.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, SecretReference>,
    /// Where deploy records and the lock are kept.
    pub(crate) records: Records,
    /// The lock that keeps two deploys apart.
    pub(crate) lock: Lock,
    /// The database that the service stands on, and how it is backed up.
    pub(crate) database: Option<Database>,
    /// Times in which nothing is deployed. A rollback is always allowed.
    #[serde(default)]
    pub(crate) freeze: Vec<Freeze>,
    /// The sandbox that stands in for an account. Only with a loopback `aws.endpoint_url`.
    pub(crate) sandbox: Option<Sandbox>,
}

/// The account and how to reach it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aws {
    /// The account that the credentials must belong to; with any other, nothing is done.
    pub(crate) account: AccountId,
    /// The Region everything is in.
    pub(crate) region: Region,
    /// Where AWS is spoken instead of at AWS. A loopback address is a sandbox.
    pub(crate) endpoint_url: Option<HttpUrl>,
    /// Where the credentials come from. Without it and without `profile`, from the SDK's default chain.
    pub(crate) credentials: Option<Credentials>,
    /// The profile of the shared AWS configuration files to use.
    pub(crate) profile: Option<String>,
    /// How long one AWS minute lasts: 60s unless said otherwise. Only with a loopback `endpoint_url`, and the same as
    /// the sandbox was started with. It shortens what AWS counts in minutes (bakes, pauses) and nothing else.
    pub(crate) minute: Option<Span>,
}

/// Where the credentials come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Credentials {
    /// The sandbox's fixed and well-known keys, which are no secret. Only with a loopback `endpoint_url`.
    Sandbox,
}

/// The ECS service that is deployed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    /// Its cluster.
    pub(crate) cluster: ClusterName,
    /// Its name.
    pub(crate) name: ServiceName,
    /// The container whose image a deploy replaces; the others of the task are left alone.
    pub(crate) container: ContainerName,
    /// A deploy raises the desired count to this when it is lower, and otherwise leaves it to autoscaling.
    #[schemars(range(min = 1, max = 5000))]
    pub(crate) minimum_tasks: u32,
}

/// Which images may be deployed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// The only repository that releases come from, without tag or digest.
    pub(crate) repository: Repository,
    /// Refuse a tag. Otherwise a tag is resolved to its digest, and the digest is what gets deployed.
    #[serde(default = "yes")]
    pub(crate) require_digest: bool,
    /// The secret with `username` and `password` for the registry. Without it, the container engine's own
    /// configuration, or ECR's token.
    pub(crate) credentials: Option<SecretReference>,
}

/// A reference to a secret. Its value never stands in this file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-secret-reference" = true))]
pub(crate) struct SecretReference {
    /// The name of the secret in Secrets Manager.
    pub(crate) secret: SecretName,
}

/// How traffic moves to a new release.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollout {
    /// In which steps. `linear` and `canary` are described by the key of the same name.
    pub(crate) strategy: Strategy,
    /// The steps of the strategy `linear`.
    pub(crate) linear: Option<Steps>,
    /// The steps of the strategy `canary`.
    pub(crate) canary: Option<Steps>,
    /// How long the old release is kept after the last step, so that a rollback is instant: whole minutes, up to 24h.
    pub(crate) bake: WholeMinutes,
    /// How long ECS waits for an answer at a pause before it rolls back by itself: whole minutes, 1m to 14d.
    pub(crate) decision_timeout: WholeMinutes,
}

/// In which steps traffic moves.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// All of it, once the new release has answered the smoke test.
    AllAtOnce,
    /// In equal steps.
    Linear,
    /// A small share first, then the rest.
    Canary,
}

/// The size of a step, and the pause after it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Steps {
    /// The share of a step: 3 to 100 for `linear`, 0.1 to 100 for `canary`.
    pub(crate) percent: Percent,
    /// How long ECS itself waits after a step: whole minutes, up to 24h. Keep it short: the analysis waits as long as
    /// the evidence takes.
    pub(crate) bake: WholeMinutes,
}

/// What the new release must show before it gets more traffic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Analysis {
    /// How much time is judged together; a multiple of the period.
    pub(crate) window: Span,
    /// CloudWatch's period: 1s, 5s, 10s, 20s, 30s or a multiple of 60s.
    pub(crate) period: Span,
    /// How often it looks.
    pub(crate) interval: Span,
    /// With fewer requests in the window nothing is concluded.
    #[schemars(range(min = 1))]
    pub(crate) minimum_requests: u64,
    /// The share of 5xx answers above which the release has failed.
    pub(crate) maximum_error_rate: Percent,
    /// The 95th percentile of the response time above which the release has failed.
    pub(crate) maximum_p95: Span,
    /// What happens when nothing can be concluded. It never counts as passed.
    pub(crate) inconclusive: Inconclusive,
}

/// What happens when nothing can be concluded.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Inconclusive {
    /// How long to wait for evidence.
    pub(crate) wait: Span,
    /// What to do without it.
    pub(crate) then: AfterInconclusive,
}

/// What to do when the evidence never came.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AfterInconclusive {
    /// Take the release back.
    Rollback,
    /// Leave the deployment at its pause for a person to decide, until `decision_timeout`.
    Pause,
}

/// What the new release must answer on the test listener before it gets any traffic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmokeTest {
    /// Where to ask. Without it, the load balancer's name and the port of the test listener.
    pub(crate) base_url: Option<HttpUrl>,
    /// How long one request may take.
    pub(crate) timeout: Span,
    /// How often a request is tried before it counts as failed.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) attempts: u32,
    /// What is asked, in this order.
    #[schemars(length(min = 1))]
    pub(crate) requests: Vec<SmokeRequest>,
}

/// One request of the smoke test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmokeRequest {
    /// The path to GET.
    pub(crate) get: RequestPath,
    /// The status that must come back.
    #[schemars(range(min = 100, max = 599))]
    pub(crate) expect: u16,
}

/// A one-off task with the new image that runs before its deployment starts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Migrations {
    /// The container's command, one argument an item.
    #[schemars(length(min = 1))]
    pub(crate) command: Vec<String>,
    /// How long it may take before the deploy gives up, with the traffic where it was.
    pub(crate) timeout: Span,
    /// Refuse a deploy whose image has not run its migrations on a restored copy first: `tt-ops db-migrate ENV --image REF
    /// --rehearse latest`.
    #[serde(default)]
    pub(crate) require_rehearsal: bool,
}

/// Where deploy records and the lock are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Records {
    /// The S3 bucket.
    pub(crate) bucket: BucketName,
    /// What every key in it begins with: empty, or ending in a slash.
    pub(crate) prefix: KeyPrefix,
}

/// The lock that keeps two deploys apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lock {
    /// How long a lock counts after its owner last renewed it: 5s to 1h. Then it belongs to the dead, and is taken over.
    pub(crate) ttl: Span,
}

/// The database that the service stands on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// The identifier of the RDS instance.
    pub(crate) instance: InstanceName,
    /// How `db-status`, `db-migrate` and `db-rollback` reach it when they are given no image, and drills look into it.
    #[serde(default)]
    pub(crate) reach: Reach,
    /// The way there with `reach: direct`.
    pub(crate) direct: Option<Direct>,
    /// How it is backed up. Without it, `tt-ops backup` has nothing to go by and refuses.
    pub(crate) backup: Option<Backup>,
}

/// How the database is reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reach {
    /// By one-off tasks of the release: for a database in private subnets.
    #[default]
    Task,
    /// From where tt-ops runs.
    Direct,
}

/// The way to a database that tt-ops reaches itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Direct {
    /// The secret that holds its URL, `postgres://user:password@host:5432/database`.
    pub(crate) url: SecretReference,
    /// The folder with the migrations, relative to this file.
    pub(crate) migrations: String,
}

/// How the database is backed up.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backup {
    /// How long automated backups and our own snapshots are kept: whole days, up to 35d.
    pub(crate) retention: Span,
    /// How many snapshots that passed a drill are kept whatever their age.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 50))]
    pub(crate) keep_tested: u32,
    /// With so many manual snapshots in the account, `tt-ops backup` warns. AWS's quota is 100 a Region.
    #[serde(default = "eighty")]
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) quota_warning: u32,
    /// How much time a failure may cost at most, measured back from it.
    pub(crate) rpo: Span,
    /// How long a restore may take at most, until it is verified.
    pub(crate) rto: Span,
    /// A second Region: our snapshots are copied there, and the automated backups replicated.
    pub(crate) copy: Option<BackupCopy>,
}

/// The second Region.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupCopy {
    /// Its code.
    pub(crate) region: Region,
    /// The key there that encrypts the copies. An encrypted database needs one: keys do not leave their Region.
    pub(crate) kms_key: Option<KmsKey>,
    /// How much time the loss of the first Region may cost at most.
    pub(crate) rpo: Span,
}

/// A time in which nothing is deployed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freeze {
    /// Its first moment.
    pub(crate) from: Timestamp,
    /// The first moment after it.
    pub(crate) until: Timestamp,
    /// Why, in words for whoever is refused.
    pub(crate) reason: String,
}

/// The sandbox that stands in for an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sandbox {
    /// The file with the resources it creates, relative to this file.
    pub(crate) stack: String,
    /// The folder it keeps its state in, relative to this file.
    pub(crate) state: String,
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

fn eighty() -> u32 {
    80
}
