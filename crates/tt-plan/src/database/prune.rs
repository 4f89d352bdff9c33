//! Which backups go: only ours, only old ones, and never the last that are known to be good.

use std::time::Duration;

use time::OffsetDateTime;
use tt_environment::{Environment, Region};

use super::{
    backup::policy,
    mark::{Mark, Purpose},
    observed::{DatabaseObserved, Instance, Snapshot},
    status::InstanceStatus,
    step::{DatabaseCommand, DatabasePlan, DatabaseStep},
};
use crate::{preflight, refusal::Refusals};

/// A drill or a rehearsal of this age is nobody's any more.
const LEFT_OVER: Duration = Duration::from_hours(12);

/// Plans to delete what the environment's policy keeps no longer, and what dead drills left behind.
pub fn prune(environment: &Environment, observed: &DatabaseObserved) -> Result<DatabasePlan, Refusals> {
    let policy = policy(environment)?;
    Refusals::none_or(preflight::account(environment, &observed.caller))?;
    let kept_since = observed.at - Duration::from_hours(24) * policy.retention_days;
    let keep_tested = usize::try_from(policy.keep_tested).unwrap_or(usize::MAX);
    let mut steps = snapshots(
        environment,
        &environment.aws.region,
        &observed.snapshots,
        kept_since,
        keep_tested,
    );
    if let Some(abroad) = &observed.abroad {
        // Tests happen at home, so the tested ones abroad are known by name.
        let tested = tested(environment, &observed.snapshots, keep_tested);
        let old = snapshots(environment, &abroad.region, &abroad.snapshots, kept_since, keep_tested);
        steps.extend(old.into_iter().filter(|step| {
            !matches!(step, DatabaseStep::DeleteSnapshot { snapshot, .. } if tested.iter().any(|kept| kept.name == *snapshot))
        }));
    }
    steps.extend(
        observed
            .instances
            .iter()
            .filter(|instance| left_over(environment, observed.at, instance))
            .map(|instance| DatabaseStep::DeleteInstance {
                instance: instance.name.clone(),
            }),
    );
    Ok(DatabasePlan {
        command: DatabaseCommand::Prune,
        instance: observed.source.name.clone(),
        warnings: Vec::new(),
        steps,
    })
}

fn snapshots(
    environment: &Environment,
    region: &Region,
    snapshots: &[Snapshot],
    kept_since: OffsetDateTime,
    keep_tested: usize,
) -> Vec<DatabaseStep> {
    let tested = tested(environment, snapshots, keep_tested);
    let available = || {
        snapshots
            .iter()
            .filter(|snapshot| ours(environment, snapshot) && snapshot.is_available())
    };
    // However old, the newest stays: without it there would be none.
    let Some(newest) = available().next() else {
        return Vec::new();
    };
    available()
        .skip(1)
        .filter(|snapshot| snapshot.taken.is_some_and(|taken| taken < kept_since) && !tested.contains(snapshot))
        .filter_map(|snapshot| {
            Some(DatabaseStep::DeleteSnapshot {
                region: region.clone(),
                snapshot: snapshot.name.clone(),
                mark: snapshot.mark.clone()?,
                outlived_by: newest.name.clone(),
            })
        })
        .collect()
}

/// The last few that a drill found in order.
fn tested<'a>(environment: &Environment, snapshots: &'a [Snapshot], keep: usize) -> Vec<&'a Snapshot> {
    let mut tested: Vec<(OffsetDateTime, &Snapshot)> = snapshots
        .iter()
        .filter(|snapshot| ours(environment, snapshot))
        .filter_map(|snapshot| Some((snapshot.mark.as_ref()?.tested?, snapshot)))
        .collect();
    tested.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    tested.into_iter().take(keep).map(|(_, snapshot)| snapshot).collect()
}

fn ours(environment: &Environment, snapshot: &Snapshot) -> bool {
    is_ours(environment, snapshot.mark.as_ref()).is_some_and(|purpose| purpose == Purpose::Backup)
}

fn left_over(environment: &Environment, now: OffsetDateTime, instance: &Instance) -> bool {
    let passes = is_ours(environment, instance.mark.as_ref()).is_some_and(Purpose::passes);
    let old = instance.created.is_some_and(|created| now - created > LEFT_OVER);
    passes && old && instance.status != InstanceStatus::Deleting
}

fn is_ours(environment: &Environment, mark: Option<&Mark>) -> Option<Purpose> {
    mark.filter(|mark| mark.environment == environment.name)
        .map(|mark| mark.purpose)
}
