//! One run at a time; a dead one does not keep the next waiting for ever; a rollback does not wait at all.

use std::time::Duration;

use tt_plan::{Command, Lease};

use super::world::{BEGIN, Script, World, environment, holder, intent};
use crate::{Event, Halt, LockError, Takeover, Until, Whereabouts};

fn lease(expires_in: Duration) -> Lease {
    Lease {
        token: 41,
        holder: holder("another job"),
        command: Command::Deploy,
        expires_at: BEGIN + expires_in,
        released: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_lock_stops_a_deploy_before_anything_is_changed() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    world.set_lease(lease(Duration::from_mins(1)));
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, Halt::Lock(LockError::Held { .. })), "{halted}");
    assert_eq!(halted.users, Whereabouts::Untouched);
    assert!(!world.started());
    assert_eq!(world.lease().unwrap().holder.name, "another job");
}

#[tokio::test(start_paused = true)]
async fn an_expired_lock_is_taken_over_and_said_so() {
    let world = World::new(Script::default());
    let plan = world.plan_deploy(&environment());
    world.set_lease(lease(Duration::ZERO));
    let (ended, events) = world.run(&environment(), &plan, Until::Done).await;
    assert!(ended.is_ok());
    let said = events
        .iter()
        .any(|event| matches!(event, Event::Locked { token: 42, taken_from: Some(by) } if by.name == "another job"));
    assert!(said, "{events:?}");
    assert!(world.lease().unwrap().released);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_lost_its_lock_changes_nothing_more() {
    let world = World::new(Script::default());
    let environment = environment();
    let plan = world.plan_deploy(&environment);
    let thief = world.clone();
    let theft = async move {
        tokio::time::sleep(Duration::from_secs(50)).await;
        thief.set_lease(Lease {
            token: 99,
            ..lease(Duration::from_hours(1))
        });
        std::future::pending::<()>().await;
    };
    let (ended, _) = world
        .run_with(&environment, &plan, &intent(Until::Done, Takeover::Expired), theft)
        .await;
    assert!(matches!(ended.unwrap_err().why, Halt::Overruled { .. }));
    let answers = world.answers();
    assert!(answers <= 2, "{answers} pauses were answered by a run without its lock");
    assert_eq!(world.lease().unwrap().token, 99, "the thief's lock is left alone");
}

#[tokio::test(start_paused = true)]
async fn the_token_only_grows() {
    let world = World::new(Script::default());
    let environment = environment();
    for expected in 1..4 {
        let plan = world.plan_deploy(&environment);
        let interrupt = tokio::time::sleep(Duration::from_secs(1));
        let (ended, _) = world
            .run_with(&environment, &plan, &intent(Until::Done, Takeover::Expired), interrupt)
            .await;
        assert!(ended.is_err());
        assert_eq!(world.lease().unwrap().token, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_does_not_lock_a_run_out_of_its_own_lock() {
    let world = World::new(Script {
        loses_lock_answer: true,
        ..Script::default()
    });
    let plan = world.plan_deploy(&environment());
    let (ended, _) = world.run(&environment(), &plan, Until::Done).await;
    assert!(ended.is_ok());
    assert_eq!(world.lease().unwrap().token, 1);
}
