//! A small account with one database, its snapshots and its drills.

use std::{fmt::Write, time::Duration};

use expect_test::Expect;
use time::OffsetDateTime;
use tt_environment::{BackupCopy, BackupPolicy, Database, Environment, InstanceName, Reach, Region, SnapshotName};

use super::super::world as whole;
use crate::{
    Arn, Refusals,
    database::{
        Abroad, DRILL_VERSION, DatabaseObserved, DatabasePlan, DatabaseStep, DrillOutcome, DrillRecord, Encryption,
        Endpoint, Instance, InstanceStatus, Mark, Purpose, RestoreFrom, Snapshot, SnapshotKind, SnapshotStatus, Window,
    },
    tests::world::{NOW, quiet},
};

pub(super) const DAY: Duration = Duration::from_hours(24);

/// Keeps 35 days and two tested snapshots; promises ten minutes and an hour, and a day of the second Region.
pub(super) fn environment() -> Environment {
    let mut environment = whole::environment();
    environment.database = Some(Database {
        reach: Reach::Task,
        instance: instance("db"),
        backup: Some(BackupPolicy {
            retention_days: 35,
            keep_tested: 2,
            quota_warning: 80,
            rpo: Duration::from_mins(10),
            rto: Duration::from_hours(1),
            copy: Some(BackupCopy {
                region: region("eu-west-1"),
                kms_key: None,
                rpo: DAY,
            }),
        }),
    });
    environment
}

pub(super) fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

pub(super) fn instance(name: &str) -> InstanceName {
    InstanceName::parse(name).unwrap()
}

pub(super) fn snapshot_name(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

pub(super) fn mark(purpose: Purpose) -> Mark {
    Mark::new(&environment().name, purpose)
}

/// An available instance with backups up to five minutes ago.
pub(super) fn an_instance(name: &str) -> Instance {
    Instance {
        name: instance(name),
        arn: Arn::new(format!("arn:aws:rds:eu-central-1:123456789012:db:{name}")),
        status: InstanceStatus::Available,
        percent: None,
        engine: "postgres 16.4".to_owned(),
        class: "db.t4g.medium".to_owned(),
        endpoint: Some(Endpoint {
            host: format!("{name}.example.com"),
            port: 5432,
        }),
        created: Some(NOW - DAY * 100),
        subnet_group: Some("private".to_owned()),
        security_groups: vec!["sg-1".to_owned()],
        parameter_group: Some("tuned".to_owned()),
        multi_az: true,
        storage_gigabytes: 100,
        encryption: Encryption::Plain,
        retention_days: 35,
        latest_restorable: Some(NOW - Duration::from_mins(5)),
        mark: None,
    }
}

/// A snapshot of ours, so many days old.
pub(super) fn a_snapshot(name: &str, days: u32) -> Snapshot {
    Snapshot {
        name: snapshot_name(name),
        arn: Arn::new(format!("arn:aws:rds:eu-central-1:123456789012:snapshot:{name}")),
        kind: SnapshotKind::Manual,
        status: SnapshotStatus::Available,
        percent: 100,
        taken: Some(NOW - DAY * days),
        storage_gigabytes: 100,
        encryption: Encryption::Plain,
        mark: Some(mark(Purpose::Backup)),
    }
}

/// The same, restored by a drill so many days ago.
pub(super) fn tested(name: &str, days: u32, tested_days: u32) -> Snapshot {
    let mut snapshot = a_snapshot(name, days);
    snapshot.mark = Some(Mark {
        tested: Some(NOW - DAY * tested_days),
        ..mark(Purpose::Backup)
    });
    snapshot
}

/// Everything as the environment wants it.
pub(super) fn observed() -> DatabaseObserved {
    let source = an_instance("db");
    DatabaseObserved {
        at: NOW,
        caller: quiet().caller,
        instances: vec![source.clone()],
        source,
        snapshots: vec![a_snapshot("db-1", 1)],
        manual_snapshots: 1,
        window: Some(Window {
            earliest: NOW - DAY * 35,
            latest: NOW - Duration::from_mins(5),
        }),
        abroad: Some(Abroad {
            region: region("eu-west-1"),
            snapshots: Vec::new(),
            replicated: Some(Window {
                earliest: NOW - DAY * 35,
                latest: NOW - Duration::from_mins(30),
            }),
            replicating: true,
        }),
        drills: vec![drill(3, DrillOutcome::Passed)],
    }
}

pub(super) fn drill(days: u32, outcome: DrillOutcome) -> DrillRecord {
    let started_at: OffsetDateTime = NOW - DAY * days;
    DrillRecord {
        version: DRILL_VERSION,
        environment: environment().name,
        region: region("eu-central-1"),
        instance: instance("db"),
        copy: instance("db-drill"),
        from: RestoreFrom::Latest { seen: started_at },
        who: whole::record(1, crate::Command::Deploy, 1, crate::Outcome::Done).who,
        started_at,
        data_age_millis: 300_000,
        available_after_millis: Some(600_000),
        verified_after_millis: Some(900_000),
        findings: Vec::new(),
        outcome,
    }
}

/// A plan in a line.
pub(super) fn check(planned: Result<DatabasePlan, Refusals>, expected: &Expect) {
    expected.assert_eq(&match planned {
        Ok(plan) => line(&plan),
        Err(refusals) => format!("refused: {refusals}"),
    });
}

fn line(plan: &DatabasePlan) -> String {
    let mut text = plan.steps.iter().map(word).collect::<Vec<_>>().join("; ");
    for warning in &plan.warnings {
        write!(text, " [{warning:?}]").unwrap();
    }
    text
}

fn word(step: &DatabaseStep) -> String {
    let detail = match step {
        DatabaseStep::TakeSnapshot { snapshot, .. } => snapshot.to_string(),
        DatabaseStep::CopySnapshot { snapshot, to, .. } => format!("{snapshot} to {to}"),
        DatabaseStep::ReplicateBackups { to, .. } => format!("to {to}"),
        DatabaseStep::DeleteSnapshot {
            region,
            snapshot,
            outlived_by,
            ..
        } => format!("{snapshot} in {region} while {outlived_by} is there"),
        DatabaseStep::Restore {
            from, copy, settings, ..
        } => {
            let from = match from {
                RestoreFrom::Snapshot { snapshot, .. } => snapshot.to_string(),
                RestoreFrom::Time { at } => at.to_string(),
                RestoreFrom::Latest { .. } => "latest".to_owned(),
            };
            format!(
                "{from} as {copy} ({}, {:?}, {}, {}, standby {}, {} days)",
                settings.class,
                settings.security_groups,
                settings.subnet_group.as_deref().unwrap_or("-"),
                settings.parameter_group.as_deref().unwrap_or("-"),
                settings.multi_az,
                settings.retention_days
            )
        }
        DatabaseStep::Examine { copy, .. } | DatabaseStep::Migrate { copy } => copy.to_string(),
        DatabaseStep::DeleteInstance { instance } => instance.to_string(),
    };
    format!("{} {detail}", step.name())
}
