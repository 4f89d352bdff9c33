//! The way forward: to the end, back again, or to a clear stop.

use std::time::Duration;

use tt_environment::AfterInconclusive;
use tt_plan::{Outcome, Sample, SchemaRange, Share};

use super::world::{Script, World, bad, environment, good, intent};
use crate::{Event, Halt, Takeover, Until, Whereabouts};

#[tokio::test(start_paused = true)]
async fn a_good_release_reaches_everybody_step_by_step() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    assert_eq!(ended.unwrap(), Outcome::Done);
    assert_eq!(world.live(), 2);
    let shares: Vec<Share> = events
        .iter()
        .filter_map(|event| {
            if let Event::Traffic { share } = event {
                Some(*share)
            } else {
                None
            }
        })
        .collect();
    assert_eq!(shares, [Share::NONE, Share::from_tenths(100), Share::ALL]);
    let record = world.record();
    assert_eq!(record.outcome, Outcome::Done);
    assert_eq!(record.timings.len(), plan.steps.len());
    assert!(record.deployment.is_some() && record.ended_at.is_some() && record.stopped_at.is_none());
}

#[tokio::test(start_paused = true)]
async fn until_shifted_leaves_ecs_baking() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Shifted).await;
    assert_eq!(ended.unwrap(), Outcome::Shifted);
    assert_eq!(world.share(), Share::ALL);
    assert_eq!(world.record().outcome, Outcome::Shifted);
}

#[tokio::test(start_paused = true)]
async fn errors_in_the_canary_bring_users_back() {
    let world = World::new(Script {
        sample: bad,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, Halt::RolledBack { .. }), "{halted}");
    assert_eq!(halted.users, Whereabouts::Returned);
    assert_eq!((world.live(), world.share()), (1, Share::NONE));
    assert!(events.iter().any(|event| matches!(event, Event::Evidence { .. })));
    assert!(matches!(world.record().outcome, Outcome::RolledBack { .. }));
    assert_eq!(world.record().stopped_at.as_deref(), Some("analyse"));
}

#[tokio::test(start_paused = true)]
async fn errors_that_show_only_under_all_traffic_are_caught_in_the_bake() {
    let sample = |share: Share| if share.is_whole() { bad(share) } else { good(share) };
    let world = World::new(Script {
        sample,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    assert!(matches!(ended.unwrap_err().why, Halt::RolledBack { .. }));
    assert_eq!(world.record().stopped_at.as_deref(), Some("bake"));
    assert_eq!(world.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_smoke_test_never_meets_a_user() {
    let world = World::new(Script {
        smoke_status: 500,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    assert!(matches!(ended.unwrap_err().why, Halt::RolledBack { .. }));
    let moved = events
        .iter()
        .any(|event| matches!(event, Event::Traffic { share } if *share != Share::NONE));
    assert!(!moved, "traffic moved before the smoke test passed");
}

#[tokio::test(start_paused = true)]
async fn failing_migrations_start_nothing() {
    for exit_code in [Some(1), None] {
        let world = World::new(Script {
            migration: exit_code,
            ..Script::default()
        });
        let plan = world.plan_deploy(&environment());
        let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
        let halted = ended.unwrap_err();
        assert!(matches!(halted.why, Halt::Migration { .. }), "{halted}");
        assert_eq!(halted.users, Whereabouts::Untouched);
        assert!(!world.started());
        assert!(matches!(world.record().outcome, Outcome::Failed { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn what_migrations_say_comes_as_they_say_it_and_is_kept() {
    let world = World::new(Script {
        says: vec![
            "starting",
            r#"{"event":"finished","version":2,"name":"add_note"}"#,
            r#"{"event":"status","release":{"needs":2,"knows":3}}"#,
        ],
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    assert_eq!(ended.unwrap(), Outcome::Done);
    let said: Vec<usize> = events
        .iter()
        .filter_map(|event| {
            if let Event::TaskOutput { lines } = event {
                Some(lines.len())
            } else {
                None
            }
        })
        .collect();
    assert_eq!(said, [2, 1]);
    assert_eq!(world.record().schema, Some(SchemaRange { needs: 2, knows: 3 }));
    assert_eq!(world.ran()[0].command, ["migrate"]);
}

#[tokio::test(start_paused = true)]
async fn tasks_that_never_get_healthy_are_given_up() {
    let world = World::new(Script {
        healthy: false,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    assert!(matches!(ended.unwrap_err().why, Halt::RolledBack { .. }));
    assert_eq!(world.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_data_the_environment_decides() {
    let silent = |_: Share| Sample::default();
    let world = World::new(Script {
        sample: silent,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    assert!(matches!(ended.unwrap_err().why, Halt::RolledBack { .. }));

    let world = World::new(Script {
        sample: silent,
        ..Script::default()
    });
    let mut patient = environment();
    patient.analysis.inconclusive.then = AfterInconclusive::Pause;
    let plan = world.plan_deploy(&patient);
    let (ended, _) = world.run(&patient, &plan, Until::Done).await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, Halt::Paused { .. }), "{halted}");
    assert_eq!(halted.users, Whereabouts::InFlight);
    assert_eq!(world.share(), Share::from_tenths(100));
    assert!(matches!(world.record().outcome, Outcome::Paused { .. }));
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_in_passing_do_not_end_a_run() {
    let world = World::new(Script {
        flaky_every: Some(3),
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    assert_eq!(ended.unwrap(), Outcome::Done);
    assert!(events.iter().any(|event| matches!(event, Event::Retrying { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_rollback_from_elsewhere_never_looks_like_success() {
    for share in [Share::NONE, Share::from_tenths(100), Share::ALL] {
        let world = World::new(Script {
            taken_back_at: Some(share),
            ..Script::default()
        });
        let plan = world.plan_deploy(&environment());
        let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
        let halted = ended.unwrap_err();
        assert!(matches!(halted.why, Halt::RolledBack { .. }), "{halted}");
        let baked = world.record().timings.iter().any(|timing| timing.step == "bake");
        assert!(!baked, "a bake that was cut short counts as done");
        assert_eq!(world.live(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_is_resumed_by_the_next() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    let in_the_canary = tokio::time::sleep(Duration::from_secs(70));
    let (ended, _) = world
        .run_with(
            &environment(),
            &plan,
            &intent(Until::Done, Takeover::Expired),
            in_the_canary,
        )
        .await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, Halt::Interrupted), "{halted}");
    assert_eq!(halted.users, Whereabouts::InFlight);
    assert!(world.lease().unwrap().released, "the lock is given back");

    let plan = world.plan_deploy(&environment());
    assert!(plan.resumes.is_some());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    assert_eq!(ended.unwrap(), Outcome::Done);
    assert_eq!(world.live(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_plan_for_another_world_is_not_carried_out() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Shifted).await;
    assert!(ended.is_ok());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, Halt::WorldMoved), "{halted}");
    assert_eq!(halted.users, Whereabouts::Untouched);
}
