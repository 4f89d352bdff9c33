//! Safety rules that hold for every world, not only for those in the tables.

use std::time::Duration;

use proptest::prelude::*;
use tt_environment::{Environment, Minutes, Percent, Strategy as Rollout};

use super::world::{environment, in_flight, quiet, release};
use crate::{Consent, LifecycleStage, Observed, Sample, Share, Step, Verdict, deploy, judge};

fn rollouts() -> impl Strategy<Value = Rollout> {
    let percents = (30_u16..=1000).prop_filter_map("a percentage", Percent::from_tenths);
    prop_oneof![
        Just(Rollout::AllAtOnce),
        percents.clone().prop_map(|percent| Rollout::Linear {
            percent,
            bake: Minutes::new(1)
        }),
        percents.prop_map(|percent| Rollout::Canary {
            percent,
            bake: Minutes::new(1)
        }),
    ]
}

fn worlds() -> impl Strategy<Value = (Environment, Observed)> {
    (
        rollouts(),
        any::<bool>(),
        any::<bool>(),
        0_u32..4,
        0_usize..12,
        0_u16..=1000,
    )
        .prop_map(|(rollout, test_route, migrations, running, stage, shifted)| {
            let mut environment = environment();
            environment.rollout.strategy = rollout;
            if !migrations {
                environment.migrations = None;
            }
            let mut observed = match LifecycleStage::ALL.get(stage) {
                Some(stage) => in_flight(2, *stage, Share::from_tenths(shifted)),
                None => quiet(),
            };
            observed.service.running = running;
            if !test_route {
                observed.service.traffic.test = None;
            }
            (environment, observed)
        })
}

fn position(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> Option<usize> {
    steps.iter().position(wanted)
}

proptest! {
    #[test]
    fn migrations_come_before_the_start_and_after_the_image_is_known((environment, observed) in worlds()) {
        let Ok(plan) = deploy(&environment, &release(2), &observed, Consent::None) else { return Ok(()) };
        if let Some(migrate) = position(&plan.steps, |step| matches!(step, Step::Migrate { .. })) {
            let register = position(&plan.steps, |step| matches!(step, Step::Register { .. }));
            let start = position(&plan.steps, |step| matches!(step, Step::Start { .. }));
            prop_assert!(register < Some(migrate) && Some(migrate) < start);
        }
    }

    #[test]
    fn no_traffic_moves_before_the_smoke_test_when_there_is_one((environment, observed) in worlds()) {
        let Ok(plan) = deploy(&environment, &release(2), &observed, Consent::None) else { return Ok(()) };
        if let Some(smoke) = position(&plan.steps, |step| matches!(step, Step::SmokeTest)) {
            let first_shift = position(&plan.steps, |step| matches!(step, Step::Shift { .. }));
            prop_assert!(first_shift.is_none_or(|shift| smoke < shift));
        }
    }

    #[test]
    fn every_further_step_of_traffic_stands_behind_an_analysis_of_the_one_before((environment, observed) in worlds()) {
        let Ok(plan) = deploy(&environment, &release(2), &observed, Consent::None) else { return Ok(()) };
        let mut share: Option<Share> = observed.service.deployment.as_ref().map(|deployment| deployment.shifted).filter(|share| *share != Share::NONE);
        let mut analysed: Option<Share> = None;
        for step in &plan.steps {
            if let Step::Analyse { at } = step {
                analysed = Some(*at);
            }
            if let Step::Shift { to } = step {
                prop_assert!(share.is_none_or(|share| analysed == Some(share)), "shift to {to} without an analysis at {share:?}");
                prop_assert!(share.is_none_or(|share| share < *to));
                share = Some(*to);
            }
        }
    }

    #[test]
    fn a_plan_that_starts_something_brings_it_to_everybody_and_waits_for_the_end((environment, observed) in worlds()) {
        let Ok(plan) = deploy(&environment, &release(2), &observed, Consent::None) else { return Ok(()) };
        if plan.steps.iter().any(|step| matches!(step, Step::Start { .. })) {
            let everybody = Step::Shift { to: Share::ALL };
            prop_assert!(plan.steps.contains(&everybody));
        }
        prop_assert!(plan.steps.is_empty() || plan.steps.last() == Some(&Step::Complete));
    }

    #[test]
    fn a_deployment_in_flight_is_never_started_a_second_time((environment, observed) in worlds()) {
        let Ok(plan) = deploy(&environment, &release(2), &observed, Consent::None) else { return Ok(()) };
        let starts = plan.steps.iter().any(|step| matches!(step, Step::Start { .. } | Step::Register { .. }));
        let in_flight = observed.service.deployment.is_some();
        prop_assert!(!(starts && in_flight));
    }

    #[test]
    fn too_little_data_never_passes(requests in 0_u64..100, errors in 0_u64..100, p95 in proptest::option::of(0_u64..10_000)) {
        let sample = Sample { requests, errors, p95: p95.map(Duration::from_millis) };
        prop_assert_ne!(judge(&environment().analysis, &sample), Verdict::Passed);
    }

    #[test]
    fn more_errors_never_turn_a_failure_into_a_pass(requests in 100_u64..10_000, errors in 0_u64..1_000, more in 1_u64..100) {
        let verdict = |errors| judge(&environment().analysis, &Sample { requests, errors, p95: Some(Duration::from_millis(10)) });
        if matches!(verdict(errors), Verdict::Failed { .. }) {
            let still_failed = matches!(verdict(errors + more), Verdict::Failed { .. });
            prop_assert!(still_failed);
        }
    }
}
