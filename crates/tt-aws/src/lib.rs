//! The tool's only user of the AWS SDK: reads an account into [`Observed`](tt_plan::Observed), applies single steps, and keeps records, lock and exports in S3.
//!
//! SDK types end here. A field that AWS leaves out where its documents promise it is a named error, never a default.

mod alarms;
mod clients;
mod cloud;
mod database;
mod ecs;
mod elb;
mod error;
mod evidence;
mod exports;
mod identity;
mod logs;
mod metrics;
mod observe;
mod rds;
mod records;
mod registry;
mod secrets;

pub use clients::Clients;
pub use cloud::AwsCloud;
pub use database::{DatabaseState, Reachability};
pub use exports::{BadExportId, Begun, ExportId, ExportState, ListedExport, Receiving, S3Export, S3Exports, Sending};
pub use rds::AwsBackups;
pub use records::S3Journal;
pub use registry::{Resolved, resolve_image};
