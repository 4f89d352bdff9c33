//! A restore: always beside, never in place, never over a name that exists.

use std::str::FromStr;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_environment::{Environment, InstanceName, InvalidValue, SnapshotName};

use super::{
    mark::{Mark, Purpose, RunId},
    observed::{DatabaseObserved, Instance},
    refusal::DatabaseRefusal,
    status::SnapshotStatus,
    step::{DatabaseCommand, DatabasePlan, DatabaseStep, RestoreFrom, RestoreSettings},
};
use crate::{preflight, refusal::Refusals};

/// What people ask to have back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreTarget {
    /// The last moment there is.
    Latest,
    /// A moment.
    Time(OffsetDateTime),
    /// A snapshot by name.
    Snapshot(SnapshotName),
}

impl FromStr for RestoreTarget {
    type Err = InvalidValue;

    /// `latest`, a moment as RFC 3339 writes it, or else the name of a snapshot.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(at) => Ok(Self::Time(at)),
            Err(_no_moment) => SnapshotName::parse(text).map(Self::Snapshot),
        }
    }
}

/// Plans to restore `target` as the new instance `copy`, and what `command` does with it. By `run` its own copy is known from one that
/// somebody else restores under the same name at the same time.
pub fn restore(
    environment: &Environment,
    observed: &DatabaseObserved,
    target: &RestoreTarget,
    copy: &InstanceName,
    command: DatabaseCommand,
    run: &RunId,
) -> Result<DatabasePlan, Refusals> {
    let mut refusals = preflight::account(environment, &observed.caller);
    if let Some(taken) = observed.instances.iter().find(|instance| instance.name == *copy) {
        refusals.push(
            DatabaseRefusal::InstanceExists {
                instance: copy.clone(),
                status: taken.status.clone(),
            }
            .into(),
        );
    }
    let from = match found(observed, target) {
        Ok(from) => Some(from),
        Err(refusal) => {
            refusals.push(refusal.into());
            None
        }
    };
    Refusals::none_or(refusals)?;
    let steps = from.map(|from| steps(environment, &observed.source, from, copy, command, run));
    Ok(DatabasePlan {
        command,
        instance: observed.source.name.clone(),
        warnings: Vec::new(),
        steps: steps.unwrap_or_default(),
    })
}

fn steps(
    environment: &Environment,
    source: &Instance,
    from: RestoreFrom,
    copy: &InstanceName,
    command: DatabaseCommand,
    run: &RunId,
) -> Vec<DatabaseStep> {
    let purpose = match command {
        DatabaseCommand::Drill => Purpose::Drill,
        DatabaseCommand::Rehearse => Purpose::Rehearsal,
        DatabaseCommand::Restore | DatabaseCommand::Backup | DatabaseCommand::Prune => Purpose::Restore,
    };
    let mut steps = vec![DatabaseStep::Restore {
        from,
        source: source.name.clone(),
        copy: copy.clone(),
        settings: settings(source, purpose),
        mark: Mark::new(&environment.name, purpose).of_run(run),
    }];
    match purpose {
        Purpose::Drill => steps.push(DatabaseStep::Examine {
            source: source.name.clone(),
            copy: copy.clone(),
        }),
        Purpose::Rehearsal => steps.push(DatabaseStep::Migrate { copy: copy.clone() }),
        Purpose::Restore | Purpose::Backup => {}
    }
    if command.leaves_nothing() {
        steps.push(DatabaseStep::DeleteInstance { instance: copy.clone() });
    }
    steps
}

/// As the source is. What goes again needs neither a standby nor backups of its own.
fn settings(source: &Instance, purpose: Purpose) -> RestoreSettings {
    let stays = !purpose.passes();
    RestoreSettings {
        class: source.class.clone(),
        subnet_group: source.subnet_group.clone(),
        security_groups: source.security_groups.clone(),
        parameter_group: source.parameter_group.clone(),
        multi_az: source.multi_az && stays,
        retention_days: if stays { source.retention_days } else { 0 },
    }
}

fn found(observed: &DatabaseObserved, target: &RestoreTarget) -> Result<RestoreFrom, DatabaseRefusal> {
    match target {
        RestoreTarget::Latest => {
            let seen = observed
                .source
                .latest_restorable
                .or(observed.window.map(|window| window.latest));
            seen.map(|seen| RestoreFrom::Latest { seen })
                .ok_or_else(|| no_point_in_time(observed))
        }
        RestoreTarget::Time(at) => {
            let window = observed.window.ok_or_else(|| no_point_in_time(observed))?;
            if window.holds(*at) {
                Ok(RestoreFrom::Time { at: *at })
            } else {
                Err(DatabaseRefusal::OutsideWindow {
                    asked: *at,
                    earliest: window.earliest,
                    latest: window.latest,
                })
            }
        }
        RestoreTarget::Snapshot(name) => snapshot(observed, name),
    }
}

fn no_point_in_time(observed: &DatabaseObserved) -> DatabaseRefusal {
    DatabaseRefusal::NoPointInTime {
        instance: observed.source.name.clone(),
    }
}

fn snapshot(observed: &DatabaseObserved, name: &SnapshotName) -> Result<RestoreFrom, DatabaseRefusal> {
    let snapshot = observed.snapshots.iter().find(|snapshot| snapshot.name == *name);
    let Some(snapshot) = snapshot else {
        let known = observed.snapshots.iter().filter(|snapshot| snapshot.is_available());
        return Err(DatabaseRefusal::UnknownSnapshot {
            snapshot: name.clone(),
            instance: observed.source.name.clone(),
            known: known.take(3).map(|snapshot| snapshot.name.clone()).collect(),
        });
    };
    match (&snapshot.status, snapshot.taken) {
        (SnapshotStatus::Available, Some(taken)) => Ok(RestoreFrom::Snapshot {
            snapshot: name.clone(),
            taken,
        }),
        (status, _) => Err(DatabaseRefusal::SnapshotUnusable {
            snapshot: name.clone(),
            status: status.clone(),
        }),
    }
}
