//! Amazon RDS: instances, snapshots, point in time, the second Region.

mod backups;
mod instance;
mod observe;
mod presign;
mod snapshot;
mod tags;

pub use backups::AwsBackups;
