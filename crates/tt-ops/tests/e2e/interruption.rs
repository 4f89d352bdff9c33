//! Runs that are cancelled, killed or run twice: ECS holds the state, and somebody can always go on.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Program, Rehearsal, Running, eventually, nothing_lost};

/// A second release that waits in its canary, because without users the analysis cannot tell.
fn in_the_canary(rehearsal: &Rehearsal) -> Running {
    rehearsal.push(Program::TaskTracker, "1.1.0");
    let mut deploy = rehearsal.start("deploy local --image 1.1.0 --output json");
    deploy.wait_for_step("analyse");
    deploy
}

#[test]
fn a_cancelled_deploy_is_explained_by_status_and_resumed_by_the_same_deploy() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let deploy = in_the_canary(&rehearsal);
    deploy.signal(Signal::TERM);
    let ended = deploy.finish().exits(7).json();
    let last = ended.last().unwrap();
    assert_eq!(
        (&last["users"], &last["exit_code"]),
        (&"in-flight".into(), &7.into()),
        "{last}"
    );
    assert!(
        last["next"].as_str().unwrap().contains("the same deploy again resumes"),
        "{last}"
    );

    let status = rehearsal.tt("status local").exits(0);
    status
        .prints("live     1.0.0")
        .prints("in flight: 1.0.0 → 1.1.0")
        .prints("10 % of production traffic")
        .prints("the same `tt-ops deploy local` resumes it, `tt-ops rollback local` takes it back")
        .never_prints("lock     held");
    assert_eq!(rehearsal.history()[0]["outcome"]["outcome"], "interrupted");

    rehearsal.push(Program::TaskTracker, "1.2.0");
    let refused = rehearsal.tt("deploy local --image 1.2.0").exits(4);
    refused
        .complains("another release is in flight: 1.1.0")
        .complains("take it back with `rollback`");

    let load = rehearsal.load();
    let resumed = rehearsal.tt("deploy local --image 1.1.0").exits(0);
    resumed
        .prints("Resume 1.1.0 to local")
        .prints("attach to deployment")
        .never_prints("register a task definition");
    nothing_lost(&load.finish());
    assert_eq!(rehearsal.answering(), "1.1.0");
}

#[test]
fn the_lock_of_a_killed_deploy_is_taken_over_and_its_release_brought_to_the_end() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let deploy = in_the_canary(&rehearsal);
    deploy.signal(Signal::KILL);
    assert_eq!(deploy.finish().code(), None);

    let load = rehearsal.load();
    let resumed = eventually("the dead holder's lock expires", || {
        let ended = rehearsal.tt("deploy local --image 1.1.0");
        if ended.code() == Some(10) {
            ended.complains("holds the deploy lock until").complains("users: ");
            return None;
        }
        Some(ended)
    });
    resumed
        .exits(0)
        .prints("the deploy lock was taken over from ada@")
        .prints("done: 1.1.0 serves all users");
    nothing_lost(&load.finish());
    assert_eq!(rehearsal.answering(), "1.1.0");
}

#[test]
fn of_two_deploys_at_once_one_is_refused_and_a_rollback_waits_for_neither() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let deploy = in_the_canary(&rehearsal);

    let busy = rehearsal.tt("deploy local --image 1.1.0").exits(10);
    busy.complains("ada@")
        .complains("holds the deploy lock until")
        .complains("a rollback never waits");
    rehearsal.push(Program::TaskTracker, "1.2.0");
    rehearsal
        .tt("deploy local --image 1.2.0")
        .exits(4)
        .complains("another release is in flight: 1.1.0");
    rehearsal.tt("status local").exits(0).prints("lock     held by ada@");

    let back = rehearsal.tt("rollback local").exits(0);
    back.prints("mode   instant")
        .prints("the deploy lock was taken over from ada@");
    assert_eq!(rehearsal.answering(), "1.0.0");
    let ended = deploy.finish().exits(6);
    assert!(ended.stdout.contains("rolled back by ada@"), "{ended}");
}

#[test]
fn a_deploy_goes_on_through_throttled_slow_and_lost_answers() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    let load = rehearsal.load();
    for fault in [
        json!({ "on": "ecs:UpdateService", "times": 1, "effect": { "drop_response": true } }),
        json!({ "on": "ecs:ContinueServiceDeployment", "times": 1, "effect": { "drop_response": true } }),
        json!({ "on": "ecs:DescribeServiceDeployments", "times": 2, "effect": { "throttle": true } }),
        json!({ "on": "cloudwatch:GetMetricData", "times": 2, "effect": { "error": { "code": "InternalFailure", "status": 500 } } }),
        json!({ "on": "s3:PutObject", "times": 2, "effect": { "delay_ms": 500 } }),
    ] {
        rehearsal.fault(&fault);
    }
    let deployed = rehearsal.tt("deploy local --image 1.1.0").exits(0);
    nothing_lost(&load.finish());
    deployed.prints("done: 1.1.0 serves all users of local.");
    assert_eq!(rehearsal.answering(), "1.1.0");
    let tried = rehearsal.history();
    assert_eq!(tried.len(), 2, "one record for each release: {tried:#?}");
}

#[test]
fn a_deploy_that_cannot_see_what_it_started_does_not_say_that_nothing_was_changed() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    // Long enough for the next fault to be there before ECS has answered.
    rehearsal.fault(&json!({ "on": "ecs:UpdateService", "times": 1, "effect": { "delay_ms": 5000 } }));
    rehearsal.forget_calls();
    let deploy = rehearsal.start("deploy local --image 1.1.0 --output json");
    eventually("the deployment is being started", || {
        rehearsal.calls().get("ecs:UpdateService").copied()
    });
    let denied = json!({ "error": { "code": "AccessDeniedException", "status": 400 } });
    rehearsal.fault(&json!({ "on": "ecs:ListServiceDeployments", "effect": denied }));
    let ended = deploy.finish();
    rehearsal.no_faults();

    assert_eq!(rehearsal.status()["in_flight"]["to"], "1.1.0");
    let ended = ended.exits(7).json();
    let last = ended.last().unwrap();
    assert_eq!(last["users"], "in-flight", "{last}");

    let load = rehearsal.load();
    rehearsal
        .tt("deploy local --image 1.1.0")
        .exits(0)
        .prints("Resume 1.1.0 to local");
    nothing_lost(&load.finish());
}
