//! The way back: from another process while a release is on its way, and long after.

use serde_json::json;

use crate::harness::{Program, Rehearsal, nothing_lost};

/// The rollout of the usual environment, to be replaced by another one.
const CANARY: &str = "strategy: canary\n  canary: {percent: 10, bake: 2m}\n  bake: 3m";

#[test]
fn a_rollback_during_the_bake_comes_from_another_process_and_loses_nothing() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    // An hour's bake is a minute here: the rollback always comes in the middle of it.
    rehearsal.environment("slow", &[("  bake: 3m\n", "  bake: 60m\n")]);
    let load = rehearsal.load();
    let mut deploy = rehearsal.start("deploy slow --image 1.1.0 --output json");
    deploy.wait_for_step("bake");
    assert_eq!(rehearsal.answering(), "1.1.0");

    let planned = rehearsal.tt("rollback slow --plan").exits(0);
    planned
        .prints("Roll 1.1.0 back: users of slow get 1.0.0 again")
        .prints("mode   instant");
    assert_eq!(rehearsal.answering(), "1.1.0", "a plan changes nothing");

    let back = rehearsal.tt("rollback slow").exits(0);
    assert_eq!(rehearsal.answering(), "1.0.0");
    back.prints("the deploy lock was taken over from ada@")
        .prints("done: users of slow are on 1.0.0; none reaches 1.1.0.");

    let ended = deploy.finish().exits(6).json();
    let last = ended.last().unwrap();
    assert_eq!(
        (&last["users"], &last["exit_code"]),
        (&"returned".into(), &6.into()),
        "{last}"
    );
    assert!(
        last["error"].as_str().unwrap().contains("rolled back by ada@"),
        "{last}"
    );
    nothing_lost(&load.finish());

    let history = rehearsal.history();
    let told: Vec<_> = history
        .iter()
        .map(|record| [&record["command"], &record["release"], &record["outcome"]["outcome"]])
        .collect();
    assert_eq!(
        told,
        [
            ["rollback", "1.0.0", "done"],
            ["deploy", "1.1.0", "rolled-back"],
            ["deploy", "1.0.0", "done"]
        ],
        "newest first, by when they began"
    );

    // Users have what they had before; there is nothing before that.
    rehearsal
        .tt("rollback slow")
        .exits(4)
        .complains("no earlier release is on record");
}

#[test]
fn a_rollback_after_the_bake_starts_the_earlier_tasks_again() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    rehearsal.environment("quick", &[(CANARY, "strategy: all-at-once\n  bake: 0m")]);
    rehearsal.tt("deploy quick --image 1.1.0").exits(0);
    assert_eq!(rehearsal.answering(), "1.1.0");

    let load = rehearsal.load();
    let back = rehearsal.tt("rollback quick").exits(0);
    back.prints("mode   relaunch").prints("start the tasks of 1.0.0 again");
    assert_eq!(rehearsal.answering(), "1.0.0");
    nothing_lost(&load.finish());

    // ECS may still be ending tasks; a second rollback must not go forward to what was just taken back.
    rehearsal
        .tt("rollback quick")
        .exits(4)
        .complains("no earlier release is on record");
    let refused = rehearsal.tt("rollback quick --to 9.9.9").exits(4);
    refused
        .complains("release 9.9.9 was never deployed here")
        .complains("on record: 1.0.0, 1.1.0");
    rehearsal
        .tt("rollback quick --to 1.0.0")
        .exits(4)
        .complains("already serves all users");
    rehearsal.tt("rollback quick --to 1.1.0").exits(0);
    assert_eq!(rehearsal.answering(), "1.1.0");
}

#[test]
fn a_job_may_leave_when_all_users_have_the_release_and_anybody_may_still_take_it_back() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    rehearsal.environment("slow", &[("  bake: 3m\n", "  bake: 60m\n")]);
    let load = rehearsal.load();
    let left = rehearsal.tt("deploy slow --image 1.1.0 --until shifted").exits(0);
    left.prints("shifted: 1.1.0 serves all users of slow; ECS bakes on.");
    assert_eq!(rehearsal.answering(), "1.1.0");
    let status = rehearsal.status();
    assert_eq!(status["in_flight"]["stage"], "BAKE_TIME", "{status:#}");
    assert_eq!(rehearsal.history()[0]["outcome"]["outcome"], "shifted");

    rehearsal.tt("rollback slow").exits(0).prints("mode   instant");
    assert_eq!(rehearsal.answering(), "1.0.0");
    nothing_lost(&load.finish());
    rehearsal
        .tt("status slow --watch")
        .exits(0)
        .prints("in flight: nothing");
    // ECS is asked how the deployment ended that its own job could not see to the end.
    assert_eq!(rehearsal.history()[1]["outcome"]["outcome"], "rolled-back");
}

#[test]
fn what_somebody_else_changed_is_refused_until_it_is_adopted() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    rehearsal.environment("quick", &[(CANARY, "strategy: all-at-once\n  bake: 0m")]);
    let earlier = rehearsal.status()["task_definition"].clone();
    rehearsal.tt("deploy quick --image 1.1.0").exits(0);

    // By hand, past tt-ops and its hooks.
    let configuration = json!({ "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [] });
    let by_hand = json!({
        "cluster": "task-tracker", "service": "task-tracker", "taskDefinition": earlier, "deploymentConfiguration": configuration,
    });
    rehearsal.ecs("UpdateService", &by_hand);
    rehearsal.tt("status quick --watch").exits(0).prints("live     1.0.0");

    let refused = rehearsal.tt("deploy quick --image 1.1.0").exits(4);
    refused
        .complains("the service runs 1.0.0, the last deploy on record left task-tracker:3")
        .complains("if what runs is right, deploy with --adopt");
    rehearsal.tt("verify quick").exits(4).prints("NO  drift");
    rehearsal.tt("deploy quick --image 1.1.0 --adopt").exits(0);
    assert_eq!(rehearsal.answering(), "1.1.0");
    rehearsal.tt("verify quick").exits(0);
}
