//! Tables of whole deployments: each line is one thing that happens, the expectation is what the machine made of it.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes them")]

mod bench;

use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use bench::{Bench, T0, pausing, plan};

fn check(plan: Plan, script: &str, expected: &Expect) {
    check_from(plan, Start::Clean, script, expected);
}

fn check_from(plan: Plan, start: Start, script: &str, expected: &Expect) {
    expected.assert_eq(&Bench::new(plan, start).run(script).log);
}

#[test]
fn blue_green_shifts_when_green_is_healthy_and_cleans_up_after_the_bake() {
    check(
        plan(Strategy::all_at_once()),
        "tick\n settle\n wait 9\n wait 1\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: BAKE_TIME source=2 target=2 Test(100.0) Production(100.0)
        wait 9: BAKE_TIME source=2 target=2 
        wait 1: CLEAN_UP source=0 target=2 
        settle: SUCCESSFUL source=0 target=2 Event(Completed)
    "#]],
    );
}

#[test]
fn a_canary_pauses_before_each_shift_and_bakes_between() {
    let plan = pausing(
        Strategy::canary(10.0, Duration::from_secs(5)),
        Stage::PreProductionTrafficShift,
    );
    check(
        plan,
        "tick\n settle\n wait 30\n continue\n wait 5\n continue\n wait 10\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: PRE_PRODUCTION_TRAFFIC_SHIFT paused source=2 target=2 Test(100.0)
        wait 30: PRE_PRODUCTION_TRAFFIC_SHIFT paused source=2 target=2 
        continue: PRODUCTION_TRAFFIC_SHIFT source=2 target=2 Production(10.0)
        wait 5: PRE_PRODUCTION_TRAFFIC_SHIFT paused source=2 target=2 
        continue: BAKE_TIME source=2 target=2 Production(100.0)
        wait 10: CLEAN_UP source=0 target=2 
        settle: SUCCESSFUL source=0 target=2 Event(Completed)
    "#]],
    );
}

#[test]
fn linear_goes_in_equal_steps() {
    check(
        plan(Strategy::linear(40.0, Duration::from_secs(1))),
        "tick\n settle\n wait 1\n wait 1\n wait 10\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: PRODUCTION_TRAFFIC_SHIFT source=2 target=2 Test(100.0) Production(40.0)
        wait 1: PRODUCTION_TRAFFIC_SHIFT source=2 target=2 Production(80.0)
        wait 1: BAKE_TIME source=2 target=2 Production(100.0)
        wait 10: CLEAN_UP source=0 target=2 
        settle: SUCCESSFUL source=0 target=2 Event(Completed)
    "#]],
    );
}

#[test]
fn a_pause_that_nobody_answers_rolls_back() {
    check(
        pausing(Strategy::all_at_once(), Stage::PostTestTrafficShift),
        "tick\n settle\n wait 59\n wait 1\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: POST_TEST_TRAFFIC_SHIFT paused source=2 target=2 Test(100.0)
        wait 59: POST_TEST_TRAFFIC_SHIFT paused source=2 target=2 
        wait 1: BACK Clear source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0)
        settle: ROLLED BACK source=2 target=0 Event(RolledBack)
    "#]],
    );
}

#[test]
fn a_pause_answered_with_rollback_rolls_back() {
    check(
        pausing(Strategy::canary(10.0, Duration::ZERO), Stage::PreProductionTrafficShift),
        "tick\n settle\n continue\n refuse\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: PRE_PRODUCTION_TRAFFIC_SHIFT paused source=2 target=2 Test(100.0)
        continue: PRE_PRODUCTION_TRAFFIC_SHIFT paused source=2 target=2 Production(10.0)
        refuse: BACK Clear source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0)
        settle: ROLLED BACK source=2 target=0 Event(RolledBack)
    "#]],
    );
}

#[test]
fn a_stop_in_the_bake_gives_the_traffic_back_at_once() {
    check(
        plan(Strategy::all_at_once()),
        "tick\n settle\n stop\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: BAKE_TIME source=2 target=2 Test(100.0) Production(100.0)
        stop: BACK Clear source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0)
        settle: ROLLED BACK source=2 target=0 Event(RolledBack)
    "#]],
    );
}

#[test]
fn a_stop_in_the_clean_up_restores_the_source_first() {
    check(
        plan(Strategy::all_at_once()),
        "tick\n settle\n wait 10\n drain\n stop\n settle\n settle",
        &expect![[r#"
            start: PRE_SCALE_UP source=2 target=0 
            tick: SCALE_UP source=2 target=2 
            settle: BAKE_TIME source=2 target=2 Test(100.0) Production(100.0)
            wait 10: CLEAN_UP source=0 target=2 
            drain: CLEAN_UP source=0 target=2 
            stop: BACK Restore source=2 target=2 Event(RollingBack)
            settle: BACK Clear source=2 target=0 Production(0.0) Test(0.0)
            settle: ROLLED BACK source=2 target=0 Event(RolledBack)
        "#]],
    );
}

#[test]
fn an_aborted_deployment_stays_as_it_is() {
    check(
        plan(Strategy::canary(10.0, Duration::from_secs(5))),
        "tick\n settle\n abort\n fail",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: PRODUCTION_TRAFFIC_SHIFT source=2 target=2 Test(100.0) Production(10.0)
        abort: STOPPED source=2 target=2 
        fail: STOPPED source=2 target=2 
    "#]],
    );
}

#[test]
fn three_failed_tasks_trip_the_breaker() {
    check(
        plan(Strategy::all_at_once()),
        "tick\n fail\n fail\n fail\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        fail: SCALE_UP source=2 target=2 
        fail: SCALE_UP source=2 target=2 
        fail: ROLLED BACK source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0) Event(RolledBack)
        settle: ROLLED BACK source=2 target=0 
    "#]],
    );
}

#[test]
fn an_alarm_rolls_back() {
    check(
        plan(Strategy::all_at_once()),
        "tick\n settle\n alarm\n settle",
        &expect![[r#"
        start: PRE_SCALE_UP source=2 target=0 
        tick: SCALE_UP source=2 target=2 
        settle: BAKE_TIME source=2 target=2 Test(100.0) Production(100.0)
        alarm: BACK Clear source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0)
        settle: ROLLED BACK source=2 target=0 Event(RolledBack)
    "#]],
    );
}

#[test]
fn a_deployment_over_another_reconciles_first() {
    check_from(
        plan(Strategy::all_at_once()),
        Start::Reconcile,
        "tick\n settle\n settle",
        &expect![[r#"
        start: RECONCILE_SERVICE source=2 target=0 Production(0.0) Test(0.0)
        tick: RECONCILE_SERVICE source=2 target=0 
        settle: SCALE_UP source=2 target=2 
        settle: BAKE_TIME source=2 target=2 Test(100.0) Production(100.0)
    "#]],
    );
}

#[test]
fn rolling_never_goes_below_the_minimum() {
    check(
        Plan {
            bake: Duration::ZERO,
            ..plan(Strategy::rolling(100, 150))
        },
        "tick\n settle\n settle\n settle\n settle\n settle",
        &expect![[r#"
        start: ROLLING source=2 target=1 
        tick: ROLLING source=2 target=1 
        settle: ROLLING source=1 target=1 
        settle: ROLLING source=1 target=2 
        settle: ROLLING source=0 target=2 
        settle: SUCCESSFUL source=0 target=2 Event(Completed)
        settle: SUCCESSFUL source=0 target=2 
    "#]],
    );
}

#[test]
fn a_rolling_update_over_another_keeps_enough_tasks() {
    let plan = Plan {
        bake: Duration::ZERO,
        ..plan(Strategy::rolling(100, 200))
    };
    let mut bench = Bench::new(plan, Start::Clean);
    let one = Counts {
        active: 1,
        healthy: 1,
        present: 1,
    };
    (bench.facts.source, bench.facts.others) = (one, one);
    bench.run("tick\n settle\n settle\n settle");
    expect![[r#"
        start: ROLLING source=2 target=2 
        tick: ROLLING source=1 target=2 others=1 
        settle: ROLLING source=0 target=2 
        settle: SUCCESSFUL source=0 target=2 Event(Completed)
        settle: SUCCESSFUL source=0 target=2 
    "#]]
    .assert_eq(&bench.log);
}

#[test]
fn a_rolling_update_that_fails_goes_back() {
    check(
        plan(Strategy::rolling(50, 200)),
        "tick\n fail\n fail\n fail\n settle\n settle",
        &expect![[r#"
        start: ROLLING source=1 target=2 
        tick: ROLLING source=1 target=2 
        fail: ROLLING source=1 target=2 
        fail: ROLLING source=1 target=2 
        fail: ROLLED BACK source=2 target=0 Event(RollingBack) Production(0.0) Test(0.0) Event(RolledBack)
        settle: ROLLED BACK source=2 target=0 
        settle: ROLLED BACK source=2 target=0 
    "#]],
    );
}

#[test]
fn a_source_without_tasks_gets_none() {
    let plan = Plan {
        source: SourceScale::None,
        ..plan(Strategy::all_at_once())
    };
    check(
        plan,
        "tick\n settle\n wait 10",
        &expect![[r#"
        start: PRE_SCALE_UP source=0 target=0 
        tick: SCALE_UP source=0 target=2 
        settle: BAKE_TIME source=0 target=2 Test(100.0) Production(100.0)
        wait 10: SUCCESSFUL source=0 target=2 Event(Completed)
    "#]],
    );
}

#[test]
fn a_late_answer_does_not_release_the_next_step() {
    let plan = pausing(Strategy::canary(10.0, Duration::ZERO), Stage::PreProductionTrafficShift);
    let mut bench = Bench::new(plan, Start::Clean);
    bench.run("settle\n settle");
    let first = bench.rollout.hooks[0].id.clone();
    bench.run("continue");
    assert_eq!(
        bench.rollout.answer(&first, HookAction::Continue, T0),
        Err(AnswerError::NotWaiting)
    );
    assert_ne!(bench.rollout.hooks[1].id, first);
    assert_eq!(
        bench.rollout.answer("other", HookAction::Continue, T0),
        Err(AnswerError::NoSuchHook)
    );
}

#[test]
fn a_stage_knows_how_long_a_pause_held_it() {
    let mut bench = Bench::new(pausing(Strategy::all_at_once(), Stage::PostScaleUp), Start::Clean);
    bench.run("settle\n settle\n wait 7\n continue");
    let record = bench
        .rollout
        .stages
        .iter()
        .find(|record| record.stage == Stage::PostScaleUp)
        .unwrap();
    assert_eq!(record.held_ms, 7000);
}

#[test]
fn thresholds_are_half_the_desired_count_within_bounds() {
    for (desired, failures) in [(0, 3), (1, 3), (10, 5), (11, 6), (1000, 200)] {
        assert_eq!(Threshold::DEFAULT.failures(desired), failures, "desired {desired}");
    }
}
