//! The good way: a first release, a second one under load, and everything a person looks at before and after.

use serde_json::Value;

use crate::harness::{Program, Rehearsal, nothing_lost};

#[test]
fn a_second_release_reaches_all_users_under_load_and_none_of_them_notices() {
    let rehearsal = Rehearsal::up();
    let first = rehearsal.push(Program::TaskTracker, "1.0.0");
    let second = rehearsal.push(Program::TaskTracker, "1.1.0");

    rehearsal.tt("history local").exits(0).prints("no deploy is on record");
    let deployed = rehearsal.tt("deploy local --image 1.0.0 --commit 0a1b2c3").exits(0);
    deployed
        .prints("Deploy 1.0.0 to local")
        .prints("| applied 0001")
        .prints("done: 1.0.0 serves all users of local.")
        .never_prints("\u{1b}");
    assert_eq!(rehearsal.answering(), "1.0.0");
    // Each task reads its login from Secrets Manager itself, so that a new password needs no new tasks.
    let calls = rehearsal.calls();
    assert!(calls.get("secretsmanager:GetSecretValue") >= Some(&2), "{calls:?}");

    let checked = rehearsal.tt("verify local --image 1.1.0").exits(0);
    checked
        .prints(&second)
        .prints("available, reached at")
        .never_prints("NO ");
    rehearsal
        .tt("diff local --image 1.1.0 --check")
        .exits(3)
        .prints("- 1.0.0")
        .prints("+ 1.1.0");

    let load = rehearsal.load();
    let deployed = rehearsal.tt("deploy local --image 1.1.0 --output json").exits(0);
    let report = load.finish();
    nothing_lost(&report);
    for release in ["1.0.0", "1.1.0"] {
        assert!(
            report["by_release"][release]["requests"].as_u64() > Some(0),
            "{release} served: {report:#}"
        );
    }
    the_story_is_complete(&deployed.json());

    let status = rehearsal.status();
    assert_eq!(
        (&status["live"], &status["in_flight"]),
        (&"1.1.0".into(), &Value::Null),
        "{status:#}"
    );
    assert_eq!(status["running"], 2, "{status:#}");
    assert_eq!(rehearsal.answering(), "1.1.0");
    rehearsal
        .tt("status local")
        .exits(0)
        .prints("live     1.1.0")
        .prints("in flight: nothing");
    rehearsal
        .tt("diff local --image 1.1.0 --check")
        .exits(0)
        .prints("nothing would change");

    let history = rehearsal.history();
    let told: Vec<_> = history
        .iter()
        .map(|record| [&record["release"], &record["outcome"]["outcome"]])
        .collect();
    assert_eq!(told, [["1.1.0", "done"], ["1.0.0", "done"]]);
    assert_eq!(history[0]["image"]["digest"], second);
    assert_eq!(history[1]["image"]["digest"], first);
    assert_eq!(history[1]["commit"], "0a1b2c3");

    rehearsal.forget_calls();
    rehearsal
        .tt("deploy local --image 1.1.0")
        .exits(0)
        .prints("1.1.0 already serves all users of local; nothing to do.");
    assert_eq!(
        rehearsal.calls().get("ecs:UpdateService"),
        None,
        "nothing to do is nothing done"
    );
}

/// Steps in their order, traffic that only grows, a verdict on enough requests, and a word at the end.
fn the_story_is_complete(events: &[Value]) {
    let of = |name: &'static str| events.iter().filter(move |event| event["event"] == name);
    let started: Vec<&str> = of("step-started")
        .filter_map(|event| event["step"]["step"].as_str())
        .collect();
    let steps = [
        "register",
        "migrate",
        "start",
        "smoke-test",
        "shift",
        "analyse",
        "shift",
        "bake",
        "complete",
    ];
    assert_eq!(started, steps);
    assert_eq!(of("step-finished").count(), steps.len());
    assert_eq!(
        of("plan").next().map(|plan| plan["steps"].as_array().unwrap().len()),
        Some(steps.len())
    );

    let shares: Vec<f64> = of("traffic")
        .filter_map(|event| event["share_percent"].as_f64())
        .collect();
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!((shares.first(), shares.last()), (Some(&0.0), Some(&100.0)));
    assert!(shares.contains(&10.0), "{shares:?}");

    let passed = of("measured")
        .find(|event| event["result"]["verdict"] == "passed")
        .expect("the analysis passed");
    assert!(passed["requests"].as_u64() >= Some(20), "{passed}");

    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["exit_code"]),
        (&"ended".into(), &0.into()),
        "{last}"
    );
}
