//! A snapshot of the database, its copy in a second Region, and the replication of the automated backups there.

use tt_environment::{BackupCopy, BackupPolicy, Environment, SnapshotName};

use super::{
    mark::{Mark, Purpose},
    observed::{DatabaseObserved, Encryption, QUOTA},
    refusal::DatabaseRefusal,
    status::InstanceStatus,
    step::{DatabaseCommand, DatabasePlan, DatabaseStep, DatabaseWarning},
};
use crate::{
    preflight,
    refusal::{Refusal, Refusals},
};

/// How much of the policy a backup follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it, the second Region included.
    Policy,
    /// A snapshot and nothing else: somebody waits for it.
    SnapshotAlone,
}

/// Plans a snapshot named `snapshot`, and what the environment's policy adds to it.
pub fn backup(
    environment: &Environment,
    observed: &DatabaseObserved,
    snapshot: &SnapshotName,
    extent: Extent,
) -> Result<DatabasePlan, Refusals> {
    let policy = policy(environment)?;
    let copy = match extent {
        Extent::Policy => policy.copy.as_ref(),
        Extent::SnapshotAlone => None,
    };
    Refusals::none_or(refusals(environment, copy, observed, snapshot))?;
    let mark = Mark::new(&environment.name, Purpose::Backup);
    let instance = &observed.source;
    let mut steps = vec![DatabaseStep::TakeSnapshot {
        instance: instance.name.clone(),
        snapshot: snapshot.clone(),
        mark: mark.clone(),
    }];
    if let Some(copy) = copy {
        steps.push(DatabaseStep::CopySnapshot {
            snapshot: snapshot.clone(),
            to: copy.region.clone(),
            kms_key: copy.kms_key.clone(),
            mark,
        });
        let replicating = observed.abroad.as_ref().is_some_and(|abroad| abroad.replicating);
        if !replicating && instance.retention_days > 0 {
            steps.push(DatabaseStep::ReplicateBackups {
                instance: instance.arn.clone(),
                to: copy.region.clone(),
                kms_key: copy.kms_key.clone(),
                retention_days: policy.retention_days,
            });
        }
    }
    let near = observed.manual_snapshots >= policy.quota_warning;
    Ok(DatabasePlan {
        command: DatabaseCommand::Backup,
        instance: instance.name.clone(),
        warnings: near
            .then_some(DatabaseWarning::NearQuota {
                snapshots: observed.manual_snapshots,
                quota: QUOTA,
            })
            .into_iter()
            .collect(),
        steps,
    })
}

/// The environment's policy, or that there is none.
pub(super) fn policy(environment: &Environment) -> Result<&BackupPolicy, Refusal> {
    let database = environment.database.as_ref().ok_or(DatabaseRefusal::NoDatabase)?;
    Ok(database.backup.as_ref().ok_or(DatabaseRefusal::NoPolicy)?)
}

fn refusals(
    environment: &Environment,
    copy: Option<&BackupCopy>,
    observed: &DatabaseObserved,
    snapshot: &SnapshotName,
) -> Vec<Refusal> {
    let mut refusals = preflight::account(environment, &observed.caller);
    let mut refuse = |refusal: DatabaseRefusal| refusals.push(refusal.into());
    let source = &observed.source;
    // Amazon RDS API Reference, CreateDBSnapshot: the instance has to be available.
    if source.status != InstanceStatus::Available {
        refuse(DatabaseRefusal::NotAvailable {
            instance: source.name.clone(),
            status: source.status.clone(),
        });
    }
    if observed.snapshots.iter().any(|found| found.name == *snapshot) {
        refuse(DatabaseRefusal::SnapshotExists {
            snapshot: snapshot.clone(),
        });
    }
    if observed.manual_snapshots >= QUOTA {
        refuse(DatabaseRefusal::QuotaReached {
            snapshots: observed.manual_snapshots,
            quota: QUOTA,
        });
    }
    let keyless = copy.is_some_and(|copy| copy.kms_key.is_none());
    if keyless && source.encryption != Encryption::Plain {
        refuse(DatabaseRefusal::NoKeyAbroad);
    }
    refusals
}
