//! What `rollback` plans: by what was deployed, never by counting revisions.

use expect_test::{Expect, expect};

use super::world::{environment, in_flight, line, quiet, record, revision};
use crate::{Command, DeploymentStatus, LifecycleStage, Observed, Outcome, Share, Target, rollback};

fn check(observed: &Observed, target: &Target, expected: &Expect) {
    let planned = match rollback(&environment(), observed, target) {
        Ok(rollback) => format!(
            "{:?} to {}: {}",
            rollback.mode,
            rollback.plan.brings,
            line(&rollback.plan.steps)
        ),
        Err(refusals) => format!("refused: {refusals}"),
    };
    expected.assert_eq(&planned);
}

/// 1.1.0, then 1.2.0, then 1.3.0; the last one serves.
fn three_releases() -> Observed {
    let mut observed = quiet();
    observed.service.live = revision(3);
    observed.history = vec![
        record(1, Command::Deploy, 3, Outcome::Done),
        record(2, Command::Deploy, 2, Outcome::Done),
        record(3, Command::Deploy, 1, Outcome::Done),
    ];
    observed
}

#[test]
fn until_clean_up_it_is_one_change_of_weights() {
    for stage in LifecycleStage::ALL {
        let expected = if stage == LifecycleStage::CleanUp {
            expect!["refused: no earlier release is on record for this environment"]
        } else {
            expect!["Instant to 1.1.0: revert; await-return"]
        };
        check(&in_flight(2, stage, Share::ALL), &Target::Previous, &expected);
    }
}

#[test]
fn after_the_bake_the_old_tasks_start_again() {
    check(
        &three_releases(),
        &Target::Previous,
        &expect!["Relaunch to 1.2.0: relaunch web:2; await-return"],
    );
}

#[test]
fn a_release_by_name() {
    check(
        &three_releases(),
        &Target::Release("1.1.0".to_owned()),
        &expect!["Relaunch to 1.1.0: relaunch web:1; await-return"],
    );
    check(
        &three_releases(),
        &Target::Release("1.3.0".to_owned()),
        &expect!["refused: release 1.3.0 already serves all users"],
    );
    check(
        &three_releases(),
        &Target::Release("0.9.0".to_owned()),
        &expect!["refused: release 0.9.0 was never deployed here with success"],
    );
}

#[test]
fn twice_in_a_row_goes_further_back_and_never_forward_again() {
    let mut observed = three_releases();
    observed.service.live = revision(2);
    observed
        .history
        .insert(0, record(0, Command::Rollback, 2, Outcome::Done));
    check(
        &observed,
        &Target::Previous,
        &expect!["Relaunch to 1.1.0: relaunch web:1; await-return"],
    );
}

#[test]
fn a_release_that_never_reached_all_users_is_no_place_to_return_to() {
    let mut observed = three_releases();
    observed.history[1].outcome = Outcome::RolledBack {
        reason: "errors".to_owned(),
    };
    check(
        &observed,
        &Target::Previous,
        &expect!["Relaunch to 1.1.0: relaunch web:1; await-return"],
    );
}

#[test]
fn a_third_release_has_to_wait_until_the_one_in_flight_is_back() {
    let observed = in_flight(2, LifecycleStage::BakeTime, Share::ALL);
    check(
        &observed,
        &Target::Release("1.0.0".to_owned()),
        &expect!["refused: release 1.2.0 is in flight and can only be taken back to 1.1.0, not to 1.0.0"],
    );
    check(
        &observed,
        &Target::Release("1.1.0".to_owned()),
        &expect!["Instant to 1.1.0: revert; await-return"],
    );
}

#[test]
fn one_that_is_underway_is_followed() {
    let mut observed = in_flight(2, LifecycleStage::BakeTime, Share::ALL);
    if let Some(deployment) = &mut observed.service.deployment {
        deployment.status = DeploymentStatus::RollingBack {
            reason: "alarm".to_owned(),
        };
    }
    check(
        &observed,
        &Target::Previous,
        &expect!["Underway to 1.1.0: attach; await-return"],
    );
}

#[test]
fn without_records_there_is_nothing_to_return_to() {
    check(
        &quiet(),
        &Target::Previous,
        &expect!["refused: no earlier release is on record for this environment"],
    );
}
