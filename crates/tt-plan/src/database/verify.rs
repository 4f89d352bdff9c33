//! Whether the backups are what the environment's policy promises, as far as RDS can tell without a restore.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;
use tt_environment::{BackupPolicy, Environment, Region, SnapshotName};

use super::{
    backup::policy,
    drill::{DrillOutcome, DrillRecord},
    observed::{Abroad, DatabaseObserved, QUOTA, Snapshot},
    status::SnapshotStatus,
};
use crate::{preflight, refusal::Refusals};

/// Something that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupCheck {
    /// Automated backups are kept as long as promised.
    Retention,
    /// The last restorable moment is recent enough.
    Window,
    /// Snapshots are whole.
    Snapshots,
    /// The quota is far.
    Quota,
    /// The second Region has what it should.
    Copy,
    /// A restore was tried not long ago.
    Drill,
}

impl BackupCheck {
    /// One word for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Window => "window",
            Self::Snapshots => "snapshots",
            Self::Quota => "quota",
            Self::Copy => "copy",
            Self::Drill => "drill",
        }
    }
}

/// A check with what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupFinding {
    /// What was looked at.
    pub check: BackupCheck,
    /// Good, or not.
    pub found: Result<BackupFact, Shortcoming>,
}

/// What is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFact {
    /// So many days.
    Days(u32),
    /// So old is the newest of it.
    Age(Duration),
    /// So many snapshots.
    Count(u32),
}

/// What is not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Shortcoming {
    /// Fewer days than promised.
    #[error("automated backups are kept {found} days, {promised} are promised")]
    Retention {
        /// As RDS has it.
        found: u32,
        /// As the environment has it.
        promised: u32,
    },
    /// There is nothing to judge by.
    #[error("there is no {0}")]
    NoData(&'static str),
    /// Too long ago.
    #[error("the newest {what} is {} s old, {} s are promised", age.as_secs(), promised.as_secs())]
    TooOld {
        /// What.
        what: &'static str,
        /// Its age.
        age: Duration,
        /// The limit.
        promised: Duration,
    },
    /// A snapshot that can never be restored.
    #[error("snapshot `{snapshot}` is {status}")]
    Broken {
        /// Which.
        snapshot: SnapshotName,
        /// Where it is.
        status: SnapshotStatus,
    },
    /// The quota comes near.
    #[error("the account has {found} manual snapshots in this Region, and AWS allows {quota}")]
    NearQuota {
        /// So many there are.
        found: u32,
        /// So many AWS allows.
        quota: u32,
    },
    /// Backups are not replicated.
    #[error("automated backups are not replicated to {region}")]
    NotReplicated {
        /// Where they should be.
        region: Region,
    },
    /// The last drill failed.
    #[error("the last drill, of `{copy}`, did not pass")]
    DrillFailed {
        /// The copy's name, which `backup report` shows with its findings.
        copy: String,
    },
}

impl Shortcoming {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Retention { .. } => "set it on the instance (Terraform module `database`)".to_owned(),
            Self::NoData(_) => "nothing to judge by counts as missing: make one with `backup ENV create`, or `restore ENV --to latest --as NAME --drill`".to_owned(),
            Self::TooOld { .. } => "look at the instance's events in RDS; `backup ENV create` makes a snapshot now".to_owned(),
            Self::Broken { .. } => "delete it, and make another with `backup ENV create`".to_owned(),
            Self::NearQuota { .. } => "run `backup ENV prune`, or have AWS raise the quota".to_owned(),
            Self::NotReplicated { .. } => "`backup ENV create` starts the replication".to_owned(),
            Self::DrillFailed { .. } => "find out why from its findings, then run another drill".to_owned(),
        }
    }
}

/// Looks at everything, in the order of the report.
pub fn verify(environment: &Environment, observed: &DatabaseObserved) -> Result<Vec<BackupFinding>, Refusals> {
    let policy = policy(environment)?;
    Refusals::none_or(preflight::account(environment, &observed.caller))?;
    let finding = |check, found| BackupFinding { check, found };
    let mut findings = vec![
        finding(BackupCheck::Retention, retention(policy, observed)),
        finding(BackupCheck::Window, window(policy, observed)),
    ];
    findings.extend(
        snapshots(observed)
            .into_iter()
            .map(|found| finding(BackupCheck::Snapshots, found)),
    );
    findings.push(finding(BackupCheck::Quota, quota(policy, observed)));
    if let Some(copy) = &policy.copy {
        let abroad = observed.abroad.as_ref().filter(|abroad| abroad.region == copy.region);
        findings.push(finding(BackupCheck::Copy, copied(observed.at, copy, abroad)));
        if !abroad.is_some_and(|abroad| abroad.replicating) {
            let region = copy.region.clone();
            findings.push(finding(BackupCheck::Copy, Err(Shortcoming::NotReplicated { region })));
        }
    }
    findings.push(finding(BackupCheck::Drill, drill(policy, observed)));
    Ok(findings)
}

fn retention(policy: &BackupPolicy, observed: &DatabaseObserved) -> Result<BackupFact, Shortcoming> {
    let (found, promised) = (observed.source.retention_days, policy.retention_days);
    if found < promised {
        return Err(Shortcoming::Retention { found, promised });
    }
    Ok(BackupFact::Days(found))
}

fn window(policy: &BackupPolicy, observed: &DatabaseObserved) -> Result<BackupFact, Shortcoming> {
    let latest = observed
        .window
        .map(|window| window.latest)
        .or(observed.source.latest_restorable);
    let latest = latest.ok_or(Shortcoming::NoData("moment to restore to"))?;
    recent("restorable moment", observed.at, latest, policy.rpo)
}

/// Each broken one, or how many there are; those that are still being made are nobody's fault.
fn snapshots(observed: &DatabaseObserved) -> Vec<Result<BackupFact, Shortcoming>> {
    let broken: Vec<_> = observed
        .snapshots
        .iter()
        .filter(|snapshot| matches!(snapshot.status, SnapshotStatus::Broken(_)))
        .map(|snapshot| {
            Err(Shortcoming::Broken {
                snapshot: snapshot.name.clone(),
                status: snapshot.status.clone(),
            })
        })
        .collect();
    if !broken.is_empty() {
        return broken;
    }
    let available = observed
        .snapshots
        .iter()
        .filter(|snapshot| snapshot.is_available())
        .count();
    match u32::try_from(available) {
        Ok(0) => vec![Err(Shortcoming::NoData("snapshot that can be restored"))],
        Ok(count) => vec![Ok(BackupFact::Count(count))],
        Err(_more_than_aws_can_hold) => vec![Ok(BackupFact::Count(u32::MAX))],
    }
}

fn quota(policy: &BackupPolicy, observed: &DatabaseObserved) -> Result<BackupFact, Shortcoming> {
    let found = observed.manual_snapshots;
    if found >= policy.quota_warning {
        return Err(Shortcoming::NearQuota { found, quota: QUOTA });
    }
    Ok(BackupFact::Count(found))
}

fn copied(
    now: OffsetDateTime,
    copy: &tt_environment::BackupCopy,
    abroad: Option<&Abroad>,
) -> Result<BackupFact, Shortcoming> {
    let newest = abroad
        .and_then(newest_abroad)
        .ok_or(Shortcoming::NoData("backup in the second Region"))?;
    recent("backup in the second Region", now, newest, copy.rpo)
}

/// Of snapshots and replicated backups, the newest moment that the second Region can give back.
pub(super) fn newest_abroad(abroad: &Abroad) -> Option<OffsetDateTime> {
    let replicated = abroad.replicated.map(|window| window.latest);
    newest(&abroad.snapshots).max(replicated)
}

/// When the data of the newest restorable snapshot is from.
pub(super) fn newest(snapshots: &[Snapshot]) -> Option<OffsetDateTime> {
    let available = snapshots.iter().filter(|snapshot| snapshot.is_available());
    available.filter_map(|snapshot| snapshot.taken).max()
}

fn drill(policy: &BackupPolicy, observed: &DatabaseObserved) -> Result<BackupFact, Shortcoming> {
    let last = observed.drills.first().ok_or(Shortcoming::NoData("drill on record"))?;
    if last.outcome != DrillOutcome::Passed {
        return Err(Shortcoming::DrillFailed {
            copy: last.copy.to_string(),
        });
    }
    let limit = Duration::from_hours(24) * policy.retention_days;
    recent("drill", observed.at, last.started_at, limit)
}

/// The newest drill that passed.
pub(super) fn passed(drills: &[DrillRecord]) -> Option<&DrillRecord> {
    drills.iter().find(|drill| drill.outcome == DrillOutcome::Passed)
}

fn recent(
    what: &'static str,
    now: OffsetDateTime,
    then: OffsetDateTime,
    promised: Duration,
) -> Result<BackupFact, Shortcoming> {
    let age = Duration::try_from(now - then).unwrap_or_default();
    if age > promised {
        return Err(Shortcoming::TooOld { what, age, promised });
    }
    Ok(BackupFact::Age(age))
}
