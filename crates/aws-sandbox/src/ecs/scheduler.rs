//! The service scheduler's arithmetic: which tasks to start and which to stop so that every revision has what its
//! deployment wants. Pure; the engine carries it out.

use std::time::Duration;

use time::OffsetDateTime;

use super::rollout::{Counts, Facts};
use super::world::{Health, Revision, Service, Task};

/// The first task after a failure comes at once, then the wait doubles: "the time between restart attempts is
/// gradually increased" (Amazon ECS Developer Guide, "Service throttle logic").
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The tasks of one revision, counted.
pub(crate) fn count<'a>(tasks: impl Iterator<Item = &'a Task>, revision: &str) -> Counts {
    sum(tasks.filter(|task| task.owner.revision() == Some(revision)))
}

fn sum<'a>(tasks: impl Iterator<Item = &'a Task>) -> Counts {
    let mut counts = Counts::default();
    for task in tasks {
        counts.present += u32::from(task.is_present());
        counts.active += u32::from(task.is_active());
        counts.healthy += u32::from(is_healthy(task));
    }
    counts
}

/// Running, and passing the checks of its load balancers and containers, if there are any.
pub(crate) fn is_healthy(task: &Task) -> bool {
    let unchecked = task.targets.is_empty() && task.checked().is_none();
    task.is_running() && (unchecked || task.health == Health::Healthy)
}

/// What the rollout is told.
pub(crate) fn facts(service: &Service, tasks: &[&Task], firing: Vec<String>, now: OffsetDateTime) -> Option<Facts> {
    let current = service.current()?;
    let of = |revision: &str| count(tasks.iter().copied(), revision);
    let mine = [current.source.as_deref(), Some(current.target.as_str())];
    let others = sum(tasks
        .iter()
        .copied()
        .filter(|task| !mine.contains(&task.owner.revision())));
    let source_failures = current
        .source
        .as_deref()
        .and_then(|source| service.revision(source))
        .map_or(0, |source| source.failures_in_a_row);
    Some(Facts {
        now,
        desired: service.desired,
        source: current.source.as_deref().map(of).unwrap_or_default(),
        target: of(&current.target),
        others,
        source_failures,
        firing,
    })
}

/// How many tasks to start now. A revision that keeps failing waits.
pub(crate) fn to_start(revision: &Revision, active: u32, wanted: u32, now: OffsetDateTime) -> u32 {
    if revision.next_start.is_some_and(|at| at > now) {
        return 0;
    }
    wanted.saturating_sub(active)
}

/// Ids of the tasks to stop so that `wanted` stay: the sick ones first, then those not yet running, then the oldest.
pub(crate) fn to_stop(tasks: &[&Task], of: impl Fn(&Task) -> bool, wanted: u32) -> Vec<String> {
    let mut active: Vec<&&Task> = tasks.iter().filter(|task| of(task) && task.is_active()).collect();
    let excess = active
        .len()
        .saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
    active.sort_by_key(|task| {
        (
            task.health != Health::Unhealthy,
            task.is_running(),
            is_healthy(task),
            task.created_at,
        )
    });
    active.iter().take(excess).map(|task| task.id.clone()).collect()
}

/// How long to wait after so many failures in a row.
pub(crate) fn wait_after(failures_in_a_row: u32) -> Duration {
    match failures_in_a_row.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_WAIT
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
            .min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute() {
        let waits: Vec<_> = (0..6).map(|failures| wait_after(failures).as_millis()).collect();
        assert_eq!(waits, [0, 0, 250, 500, 1000, 2000]);
        assert_eq!(wait_after(100), LONGEST_WAIT);
    }
}
