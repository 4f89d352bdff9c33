//! What `deploy` plans, and what it refuses.

use std::time::Duration;

use expect_test::{Expect, expect};
use tt_environment::{Environment, Freeze, Minutes, Pinning, SecretName, Strategy};

use super::world::{NOW, environment, in_flight, line, percent, quiet, record, release, revision};
use crate::{
    AlarmState, Command, Consent, DeploymentStatus, Desired, GivenBy, LifecycleStage, Observed, Outcome, Share, Step,
    deploy,
};

fn check(environment: &Environment, observed: &Observed, n: u8, expected: &Expect) {
    let planned = match deploy(environment, &release(n), observed, Consent::None) {
        Ok(plan) => line(&plan.steps),
        Err(refusals) => format!("refused: {refusals}"),
    };
    expected.assert_eq(&planned);
}

#[test]
fn a_canary_is_analysed_before_everybody_gets_it() {
    check(
        &environment(),
        &quiet(),
        2,
        &expect!["register; migrate; start; smoke-test; shift 10 %; analyse 10 %; shift 100 %; bake 10; complete"],
    );
}

#[test]
fn linear_steps_end_at_everybody_even_when_they_do_not_divide_100() {
    let mut environment = environment();
    environment.rollout.strategy = Strategy::Linear {
        percent: percent("40%"),
        bake: Minutes::new(1),
    };
    check(
        &environment,
        &quiet(),
        2,
        &expect![
            "register; migrate; start; smoke-test; shift 40 %; analyse 40 %; shift 80 %; analyse 80 %; shift 100 %; bake 10; complete"
        ],
    );
}

#[test]
fn all_at_once_has_nothing_to_analyse_before_the_bake() {
    let mut environment = environment();
    environment.rollout.strategy = Strategy::AllAtOnce;
    environment.migrations = None;
    check(
        &environment,
        &quiet(),
        2,
        &expect!["register; start; smoke-test; shift 100 %; bake 10; complete"],
    );
}

#[test]
fn without_a_test_listener_nothing_can_be_smoke_tested() {
    let mut observed = quiet();
    observed.service.traffic.test = None;
    check(
        &environment(),
        &observed,
        2,
        &expect!["register; migrate; start; shift 10 %; analyse 10 %; shift 100 %; bake 10; complete"],
    );
}

#[test]
fn a_first_release_has_no_users_to_protect() {
    let mut observed = quiet();
    observed.service.running = 0;
    observed.service.desired = 0;
    check(
        &environment(),
        &observed,
        2,
        &expect!["register; migrate; start; smoke-test; shift 100 %; complete"],
    );
    let plan = deploy(&environment(), &release(2), &observed, Consent::None).unwrap();
    let desired = plan.steps.iter().find_map(|step| {
        if let Step::Start { desired, .. } = step {
            Some(*desired)
        } else {
            None
        }
    });
    assert_eq!(desired, Some(Desired::RaiseTo(2)));
}

#[test]
fn autoscaling_keeps_its_count() {
    let mut observed = quiet();
    observed.service.desired = 7;
    let plan = deploy(&environment(), &release(2), &observed, Consent::None).unwrap();
    assert!(plan.steps.iter().any(|step| matches!(
        step,
        Step::Start {
            desired: Desired::Unchanged,
            ..
        }
    )));
}

#[test]
fn what_serves_already_is_not_deployed_again() {
    check(&environment(), &quiet(), 1, &expect![""]);
}

#[test]
fn a_killed_job_is_resumed_from_every_stage() {
    use LifecycleStage as Stage;
    let ten = Share::from_tenths(100);
    let table = [
        (
            Stage::ScaleUp,
            Share::NONE,
            expect!["attach; smoke-test; shift 10 %; analyse 10 %; shift 100 %; bake 10; complete"],
        ),
        (
            Stage::PostTestTrafficShift,
            Share::NONE,
            expect!["attach; smoke-test; shift 10 %; analyse 10 %; shift 100 %; bake 10; complete"],
        ),
        (
            Stage::PreProductionTrafficShift,
            Share::NONE,
            expect!["attach; shift 10 %; analyse 10 %; shift 100 %; bake 10; complete"],
        ),
        (
            Stage::ProductionTrafficShift,
            ten,
            expect!["attach; analyse 10 %; shift 100 %; bake 10; complete"],
        ),
        (
            Stage::PreProductionTrafficShift,
            ten,
            expect!["attach; analyse 10 %; shift 100 %; bake 10; complete"],
        ),
        (Stage::BakeTime, Share::ALL, expect!["attach; bake 10; complete"]),
        (Stage::CleanUp, Share::ALL, expect!["attach; complete"]),
    ];
    for (stage, shifted, expected) in table {
        check(&environment(), &in_flight(2, stage, shifted), 2, &expected);
    }
}

#[test]
fn another_release_in_flight_is_not_run_over() {
    let observed = in_flight(2, LifecycleStage::BakeTime, Share::ALL);
    check(
        &environment(),
        &observed,
        3,
        &expect!["refused: another release is in flight: 1.2.0 (at BAKE_TIME)"],
    );
}

#[test]
fn a_release_on_its_way_back_is_not_pushed_forward() {
    let mut observed = in_flight(2, LifecycleStage::BakeTime, Share::ALL);
    if let Some(deployment) = &mut observed.service.deployment {
        deployment.status = DeploymentStatus::RollingBack {
            reason: "alarm".to_owned(),
        };
    }
    check(
        &environment(),
        &observed,
        2,
        &expect!["refused: release 1.2.0 is being taken back right now: alarm"],
    );
}

#[test]
fn everything_that_speaks_against_it_is_said_at_once() {
    let mut environment = environment();
    environment.image.pinning = Pinning::DigestRequired;
    environment.freeze = vec![Freeze {
        from: NOW,
        until: NOW + Duration::from_hours(1),
        reason: "year-end".to_owned(),
    }];
    let mut observed = quiet();
    observed.alarms[0].state = AlarmState::Firing {
        reason: "12 errors".to_owned(),
    };
    observed.missing_secrets = vec![SecretName::parse("task-tracker/database-url").unwrap()];
    if let Some(route) = &mut observed.service.traffic.production {
        route.sticky = true;
    }
    let mut release = release(2);
    release.given_by = GivenBy::Tag("1.2.0".to_owned());
    let refusals = deploy(&environment, &release, &observed, Consent::None).unwrap_err();
    let lines: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    expect![[r"
        listener rule arn:aws:elasticloadbalancing:r:0:listener-rule/app/web/1/prod/1 is sticky, so clients would stay where they are whatever the weights say
        secret `task-tracker/database-url` does not exist in Secrets Manager
        alarm `errors` is already firing: 12 errors
        deploys are frozen until 2026-03-01 4:00:00.0 +00:00:00: year-end
        image `registry.example.com/acme/web:1.2.0` was given by tag, this environment takes digests only"]]
    .assert_eq(&lines.join("\n"));
    assert!(refusals.iter().all(|refusal| !refusal.hint().is_empty()));
}

#[test]
fn a_freeze_does_not_keep_a_deployment_in_flight_from_being_watched() {
    let mut environment = environment();
    environment.freeze = vec![Freeze {
        from: NOW,
        until: NOW + Duration::from_hours(1),
        reason: "year-end".to_owned(),
    }];
    check(
        &environment,
        &in_flight(2, LifecycleStage::BakeTime, Share::ALL),
        2,
        &expect!["attach; bake 10; complete"],
    );
}

#[test]
fn the_wrong_account_is_refused() {
    let mut observed = quiet();
    observed.caller.account = tt_environment::AccountId::parse("999999999999").unwrap();
    check(
        &environment(),
        &observed,
        2,
        &expect!["refused: the credentials belong to account 999999999999, the environment names account 123456789012"],
    );
}

#[test]
fn drift_is_refused_unless_somebody_has_looked() {
    let mut observed = quiet();
    observed.service.live = revision(7);
    observed.history = vec![record(1, Command::Deploy, 1, Outcome::Done)];
    check(
        &environment(),
        &observed,
        2,
        &expect!["refused: the service runs 1.7.0, the last deploy on record left web:1"],
    );
    assert!(deploy(&environment(), &release(2), &observed, Consent::Drift).is_ok());
}

#[test]
fn a_run_that_was_rolled_back_left_the_revision_before_it() {
    let mut observed = quiet();
    observed.history = vec![
        record(
            1,
            Command::Deploy,
            2,
            Outcome::RolledBack {
                reason: "errors".to_owned(),
            },
        ),
        record(5, Command::Deploy, 1, Outcome::Done),
    ];
    assert!(deploy(&environment(), &release(3), &observed, Consent::None).is_ok());
}
