//! The way back, from another process, while a deploy is at work.

use std::time::Duration;

use tt_plan::{Outcome, Share};

use super::world::{Script, World, environment, intent};
use crate::{Halt, Takeover, Until};

#[tokio::test(start_paused = true)]
async fn a_rollback_comes_through_during_every_stage() {
    for seconds in [5, 45, 60, 110, 180, 400] {
        let world = World::new(Script::default());
        let environment = environment();
        let plan = world.plan_deploy(&environment);
        let deploy = async {
            let (ended, _) = world.run(&environment, &plan, Until::Done).await;
            ended
        };
        let rollback = async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let plan = world.plan_rollback(&environment);
            let (ended, _) = world
                .run_with(
                    &environment,
                    &plan,
                    &intent(Until::Done, Takeover::Any),
                    std::future::pending(),
                )
                .await;
            ended
        };
        let (deployed, rolled_back) = tokio::join!(deploy, rollback);
        assert_eq!(rolled_back.unwrap(), Outcome::Done, "after {seconds} s");
        assert!(
            matches!(deployed.unwrap_err().why, Halt::RolledBack { .. }),
            "after {seconds} s"
        );
        assert_eq!((world.live(), world.share()), (1, Share::NONE), "after {seconds} s");
    }
}
