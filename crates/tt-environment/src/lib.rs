//! What we want: one YAML file per environment, typed.

mod image;
mod invalid;
mod minutes;
mod model;
mod names;
mod percent;

pub use image::{ImageDigest, ImageReference, Repository, Version};
pub use invalid::InvalidValue;
pub use minutes::Minutes;
pub use model::{
    AfterInconclusive, Analysis, Aws, Credentials, Database, Environment, Freeze, Image,
    Inconclusive, Lock, Migrations, Pinning, Records, Rollout, Sandbox, Service, SmokeRequest,
    SmokeTest, Strategy,
};
pub use names::{
    AccountId, AlarmName, BucketName, ClusterName, ContainerName, EnvironmentName, Region,
    ReleaseName, SecretName, ServiceName,
};
pub use percent::Percent;
