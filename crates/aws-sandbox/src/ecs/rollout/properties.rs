//! What holds however a deployment goes: random deployments, each checked after every step.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy;
use time::OffsetDateTime;

use super::*;

/// One thing that happens to a deployment.
#[derive(Debug, Clone)]
enum Happening {
    /// Every wanted task runs and is healthy; every other is gone.
    Settle,
    /// A task of the target fails.
    Fail,
    /// Time passes.
    Wait(u16),
    Answer(HookAction),
    Stop(Stop),
    Rescale(u32),
    Alarm,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => Just(Happening::Settle),
        2 => Just(Happening::Fail),
        4 => (0_u16..20).prop_map(Happening::Wait),
        3 => Just(Happening::Answer(HookAction::Continue)),
        1 => Just(Happening::Answer(HookAction::Rollback)),
        1 => Just(Happening::Stop(Stop::Rollback)),
        1 => Just(Happening::Stop(Stop::Abort)),
        1 => (0_u32..5).prop_map(Happening::Rescale),
        1 => Just(Happening::Alarm),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let bake = Duration::from_secs(5);
    let strategy = prop_oneof![
        Just(super::Strategy::all_at_once()),
        Just(super::Strategy::canary(10.0, bake)),
        Just(super::Strategy::linear(30.0, bake)),
        Just(super::Strategy::rolling(50, 150)),
        Just(super::Strategy::rolling(100, 200)),
    ];
    let pauses = prop_oneof![
        Just(Vec::new()),
        Just(vec![PauseHook {
            stages: vec![Stage::PreProductionTrafficShift, Stage::PostScaleUp],
            timeout: Duration::from_secs(30),
            on_timeout: HookAction::Rollback,
        }]),
    ];
    (strategy, pauses).prop_map(move |(strategy, pauses)| Plan {
        deployment_id: "d".to_owned(),
        strategy,
        pauses,
        bake,
        breaker: Breaker::On {
            threshold: Threshold::DEFAULT,
            then: OnFailure::RollBack,
            reset_on_healthy: true,
        },
        alarms: AlarmWatch::On {
            names: vec!["errors".to_owned()],
            ignored: Vec::new(),
            then: OnFailure::RollBack,
        },
        source: SourceScale::Desired,
    })
}

fn happen(rollout: &mut Rollout, facts: &mut Facts, happening: &Happening) -> Vec<Effect> {
    let mut effects = Vec::new();
    match happening {
        Happening::Settle => {
            let Wanted { source, target, others } = rollout.wanted(facts);
            let all = |count| Counts {
                active: count,
                healthy: count,
                present: count,
            };
            (facts.source, facts.target, facts.others) = (all(source), all(target), all(others));
        }
        Happening::Fail => {
            rollout.task_failed();
            facts.target.healthy = facts.target.healthy.saturating_sub(1);
        }
        Happening::Wait(seconds) => facts.now += Duration::from_secs(u64::from(*seconds)),
        Happening::Answer(action) => {
            if let Some(id) = rollout
                .hooks
                .iter()
                .find(|hook| hook.is_waiting())
                .map(|hook| hook.id.clone())
            {
                effects.extend(rollout.answer(&id, *action, facts.now).unwrap());
            }
        }
        Happening::Stop(stop) => effects.extend(rollout.stop(*stop, facts.now).unwrap_or_default()),
        Happening::Rescale(desired) => facts.desired = *desired,
        Happening::Alarm => facts.firing = vec!["errors".to_owned()],
    }
    effects.extend(rollout.advance(facts));
    effects
}

proptest! {
    #[test]
    fn no_user_meets_a_target_that_is_not_healthy(plan in plan(), happenings in prop::collection::vec(happening(), 1..40)) {
        let now = OffsetDateTime::UNIX_EPOCH;
        let two = Counts { active: 2, healthy: 2, present: 2 };
        let none = Counts::default();
        let mut facts = Facts { now, desired: 2, source: two, target: none, others: none, source_failures: 0, firing: Vec::new() };
        let (mut rollout, _) = Rollout::start(plan, Start::Clean, now);
        for happening in happenings {
            let was_over = !rollout.in_flight();
            let effects = happen(&mut rollout, &mut facts, &happening);
            for effect in &effects {
                if let Effect::Production(percent) = effect {
                    prop_assert!(*percent <= 0.0 || facts.target.healthy >= facts.desired, "{happening:?} shifted to {facts:?}");
                }
            }
            let wanted = rollout.wanted(&facts);
            prop_assert!(wanted.source <= facts.desired.max(facts.source.active) && wanted.target <= facts.desired.max(facts.target.active));
            // While users are with the source, the source keeps its tasks.
            let keeps = matches!(rollout.phase, Phase::Forward { .. }) && rollout.share().production < 100.0;
            prop_assert!(!keeps || wanted.source == facts.desired);
            prop_assert!(!was_over || effects.is_empty(), "an ended deployment did {effects:?}");
        }
    }

    #[test]
    fn a_stop_takes_the_traffic_back_at_once(plan in plan(), happenings in prop::collection::vec(happening(), 0..20)) {
        let now = OffsetDateTime::UNIX_EPOCH;
        let two = Counts { active: 2, healthy: 2, present: 2 };
        let none = Counts::default();
        let mut facts = Facts { now, desired: 2, source: two, target: none, others: none, source_failures: 0, firing: Vec::new() };
        let (mut rollout, _) = Rollout::start(plan, Start::Clean, now);
        for happening in happenings {
            happen(&mut rollout, &mut facts, &happening);
        }
        let shifting = matches!(rollout.phase, Phase::Forward { stage, .. } if stage != Stage::CleanUp)
            && matches!(rollout.plan.strategy, super::Strategy::Shifting { .. });
        if shifting {
            let effects = rollout.stop(Stop::Rollback, facts.now).unwrap();
            prop_assert!(effects.contains(&Effect::Production(0.0)));
            prop_assert!(rollout.share().production <= 0.0);
        }
    }
}
