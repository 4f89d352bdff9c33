//! Snapshots: from the SDK's words to ours.

use std::cmp::Reverse;

use aws_sdk_rds::{operation::describe_db_snapshots::DescribeDBSnapshotsError, types::DbSnapshot};
use tt_environment::{InstanceName, SnapshotName};
use tt_execute::{PortError, PortErrorKind};
use tt_plan::{
    Arn,
    database::{Encryption, Snapshot, SnapshotKind, SnapshotStatus},
};

use super::tags;
use crate::{
    ecs::deployment::at,
    error::{absent, failed, other},
};

const ACTION: &str = "read a snapshot";

/// A snapshot by name, or nothing when there is none.
pub(crate) async fn find(rds: &aws_sdk_rds::Client, name: &SnapshotName) -> Result<Option<Snapshot>, PortError> {
    let action = format!("describe snapshot `{name}`");
    match rds
        .describe_db_snapshots()
        .db_snapshot_identifier(name.as_str())
        .send()
        .await
    {
        Ok(answer) => answer.db_snapshots().first().map(of).transpose(),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeDBSnapshotsError::is_db_snapshot_not_found_fault) =>
        {
            Ok(None)
        }
        Err(error) => Err(failed(action)(error)),
    }
}

/// An instance's snapshots of every kind, newest first; those that are still being made come before all.
pub(crate) async fn of_instance(
    rds: &aws_sdk_rds::Client,
    instance: &InstanceName,
) -> Result<Vec<Snapshot>, PortError> {
    let action = format!("list the snapshots of database instance `{instance}`");
    let request = rds.describe_db_snapshots().db_instance_identifier(instance.as_str());
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(snapshot) = pages.next().await {
        found.push(of(&snapshot.map_err(failed(action.clone()))?)?);
    }
    found.sort_by_key(|snapshot| Reverse((snapshot.taken.is_none(), snapshot.taken)));
    Ok(found)
}

/// How many manual snapshots the account has in the client's Region: what AWS's quota counts.
pub(crate) async fn manual(rds: &aws_sdk_rds::Client) -> Result<u32, PortError> {
    let mut pages = rds
        .describe_db_snapshots()
        .snapshot_type("manual")
        .into_paginator()
        .items()
        .send();
    let mut count = 0;
    while let Some(snapshot) = pages.next().await {
        snapshot.map_err(failed("count the account's manual snapshots"))?;
        count += 1;
    }
    Ok(count)
}

fn of(found: &DbSnapshot) -> Result<Snapshot, PortError> {
    let name = found
        .db_snapshot_identifier()
        .ok_or_else(|| absent(ACTION, "identifier"))?;
    let status = found.status().ok_or_else(|| absent(ACTION, "status"))?;
    // Amazon RDS API Reference, DBSnapshot: a copy has a creation time of its own and keeps its original's beside it.
    let taken = found.original_snapshot_create_time().or(found.snapshot_create_time());
    Ok(Snapshot {
        name: SnapshotName::parse(name).map_err(|error| other(ACTION, PortErrorKind::Unexpected, error.to_string()))?,
        arn: Arn::new(found.db_snapshot_arn().ok_or_else(|| absent(ACTION, "ARN"))?),
        kind: match found.snapshot_type().unwrap_or("manual") {
            "manual" => SnapshotKind::Manual,
            "automated" => SnapshotKind::Automated,
            kind => SnapshotKind::Other(kind.to_owned()),
        },
        status: SnapshotStatus::of(status),
        percent: found
            .percent_progress()
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(0),
        taken: taken.map(at).transpose()?,
        storage_gigabytes: found
            .allocated_storage()
            .and_then(|gigabytes| u32::try_from(gigabytes).ok())
            .unwrap_or(0),
        encryption: if found.encrypted().unwrap_or(false) {
            Encryption::Kms(found.kms_key_id().map(ToOwned::to_owned))
        } else {
            Encryption::Plain
        },
        mark: tags::mark(found.tag_list()),
    })
}
