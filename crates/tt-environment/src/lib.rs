//! What we want: one YAML file per environment, typed.
//!
//! [`load`] reads `production.yaml` and returns an [`Environment`] in which every value is checked. A file that is wrong
//! anywhere is refused with all its problems at once, each with its line and column, what was expected and what was
//! probably meant.
//!
//! ```text
//! text ── node ──► tree ── shape ──► values ── raw ──► as written ── validate ──► Environment
//!                   │        ▲                                          ▲
//!                 locate   schema (generated from raw), interpolate   model, names, …
//! ```
//!
//! This crate never looks at AWS, at the clock or at the process's environment: variables are handed in, and whether a
//! named thing exists is for others to observe.

mod database;
mod error;
mod handover;
mod image;
mod interpolate;
mod invalid;
mod load;
mod locate;
mod minutes;
mod model;
mod names;
mod node;
mod percent;
mod raw;
mod scalar;
mod schema;
mod shape;
mod validate;
mod written;

pub use error::{LoadError, Problem, ProblemKind};
pub use handover::{Difference, Terraform, TerraformError, differences};
pub use image::{ImageDigest, ImageReference, Repository, Version};
pub use invalid::InvalidValue;
pub use load::{known, load};
pub use minutes::Minutes;
pub use model::{
    AfterInconclusive, Analysis, Aws, BackupCopy, BackupPolicy, Credentials, Database, Environment, Freeze, Image,
    Inconclusive, Lock, Migrations, Pinning, Reach, Records, Rehearsal, Rollout, Sandbox, Service, SmokeRequest,
    SmokeTest, Strategy,
};
pub use names::{
    AccountId, AlarmName, BucketName, ClusterName, ContainerName, EnvironmentName, InstanceName, KmsKey, Region,
    ReleaseName, SecretName, ServiceName, SnapshotName,
};
pub use percent::Percent;
pub use schema::schema;
