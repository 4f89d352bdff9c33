//! Releases that must not reach all users: each is taken back by itself, says why, and leaves the one before it serving.

use serde_json::{Value, json};

use crate::harness::{Ended, Program, Rehearsal, nothing_lost};

#[test]
fn a_release_that_answers_with_errors_is_taken_back_from_the_canary() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::FaultyRelease, "1.1.1");
    let load = rehearsal.load();
    let ended = rehearsal.tt("deploy local --image 1.1.1");
    let mut report = load.finish();

    taken_back(&rehearsal, ended, "1.1.1").complains("requests failed, at most 1.0 % may");
    assert_eq!(rehearsal.history()[0]["stopped_at"], "analyse");
    let failures = report["failures"].as_array().unwrap();
    assert!(
        !failures.is_empty() && failures.iter().all(|failure| failure["release"] == "1.1.1"),
        "{failures:#?}"
    );
    report["failed"] = 0.into();
    nothing_lost(&report);

    // It was never a release that one could go back to.
    let refused = rehearsal.tt("rollback local --to 1.1.1").exits(4);
    refused
        .complains("release 1.1.1 was never deployed here with success")
        .complains("on record: 1.0.0");
}

#[test]
fn a_release_that_never_becomes_ready_is_given_up_by_ecs_before_anybody_meets_it() {
    let rehearsal = Rehearsal::serving("1.0.0");
    with_a_circuit_breaker(&rehearsal);
    rehearsal.push(Program::NeverReady, "1.1.2");
    let ended = taken_back(&rehearsal, rehearsal.tt("deploy local --image 1.1.2"), "1.1.2");
    ended
        .complains("circuit breaker")
        .prints("Task failed ELB health checks")
        .never_prints("[5/9] shift");
    assert_eq!(rehearsal.history()[0]["stopped_at"], "smoke-test");
}

#[test]
fn a_release_that_ends_at_once_shows_its_exit_code_and_its_last_words() {
    let rehearsal = Rehearsal::serving("1.0.0");
    with_a_circuit_breaker(&rehearsal);
    rehearsal.push(Program::EndsAtOnce, "1.1.3");
    let ended = taken_back(&rehearsal, rehearsal.tt("deploy local --image 1.1.3"), "1.1.3");
    ended
        .complains("circuit breaker")
        .prints("exit code 3")
        .prints("| ends_at_once: the service cannot start: FEATURE_FLAGS is not set");
}

#[test]
fn a_first_release_that_cannot_start_is_given_up_and_the_next_one_serves() {
    let rehearsal = Rehearsal::up();
    with_a_circuit_breaker(&rehearsal);
    rehearsal.push(Program::EndsAtOnce, "0.9.0");
    let ended = rehearsal.tt("deploy local --image 0.9.0").exits(6);
    let ended = ended.prints("Deploy 0.9.0 to local (users are on no release)");
    ended
        .prints("exit code 3")
        .complains("circuit breaker")
        .complains("users: back on no release");
    rehearsal.push(Program::TaskTracker, "1.0.0");
    rehearsal.tt("deploy local --image 1.0.0").exits(0);
    assert_eq!(rehearsal.answering(), "1.0.0");
}

/// As the service of a real account has one. `tt-ops` leaves it as it is: that it still trips is the proof.
fn with_a_circuit_breaker(rehearsal: &Rehearsal) {
    let breaker = json!({ "enable": true, "rollback": true });
    let input = json!({
        "cluster": "task-tracker", "service": "task-tracker", "deploymentConfiguration": { "deploymentCircuitBreaker": breaker },
    });
    rehearsal.ecs("UpdateService", &input);
}

#[test]
fn a_release_that_fails_its_migrations_or_its_smoke_test_touches_no_user() {
    let rehearsal = Rehearsal::serving("1.0.0");

    rehearsal.push(Program::FailsToMigrate, "1.1.4");
    rehearsal.forget_calls();
    let ended = rehearsal.tt("deploy local --image 1.1.4").exits(1);
    ended
        .prints("| ends_at_once: the migrations cannot start: FEATURE_FLAGS is not set")
        .complains("migrations failed: the task ended with exit code 3")
        .complains("users: on 1.0.0; nothing was changed for them")
        .complains("the deployment was not started");
    assert_eq!(rehearsal.calls().get("ecs:UpdateService"), None);
    assert_eq!(rehearsal.history()[0]["outcome"]["outcome"], "failed");

    rehearsal.push(Program::TaskTracker, "1.1.5");
    rehearsal.environment(
        "teapot",
        &[(
            "get: /api/openapi.json, expect: 200",
            "get: /api/openapi.json, expect: 418",
        )],
    );
    let ended = taken_back(&rehearsal, rehearsal.tt("deploy teapot --image 1.1.5"), "1.1.5");
    ended
        .complains("smoke test: GET http://")
        .complains("/api/openapi.json answered 200, expected 418");
    assert_eq!(rehearsal.answering(), "1.0.0");
}

#[test]
fn a_release_that_nobody_uses_is_not_called_good() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.push(Program::TaskTracker, "1.1.0");
    rehearsal.environment("hasty", &[("{wait: 5m, then: rollback}", "{wait: 1s, then: rollback}")]);
    let ended = taken_back(&rehearsal, rehearsal.tt("deploy hasty --image 1.1.0"), "1.1.0");
    ended.complains("the analysis could not tell: ");

    rehearsal.environment("patient", &[("{wait: 5m, then: rollback}", "{wait: 1s, then: pause}")]);
    let paused = rehearsal.tt("deploy patient --image 1.1.0").exits(12);
    paused
        .complains("the analysis cannot tell")
        .complains("users: partly on 1.1.0")
        .complains("rollback patient`");
    assert_eq!(rehearsal.status()["in_flight"]["waits_for_answer"], true);
    rehearsal.tt("rollback patient").exits(0);
    assert_eq!(rehearsal.answering(), "1.0.0");
}

/// What is the same for all of them: the exit code, the three things an operator asks, the record, and who serves.
#[track_caller]
fn taken_back(rehearsal: &Rehearsal, ended: Ended, release: &str) -> Ended {
    let ended = ended
        .exits(6)
        .complains(&format!("error: release {release} was taken back: "))
        .complains("users: back on 1.0.0")
        .complains(" next: read the evidence above, mend the release, deploy again");
    let status = rehearsal.status();
    assert_eq!(
        (&status["live"], &status["in_flight"]),
        (&"1.0.0".into(), &Value::Null),
        "{status:#}"
    );
    assert_eq!(rehearsal.answering(), "1.0.0");
    let newest = &rehearsal.history()[0];
    assert_eq!(
        (&newest["release"], &newest["outcome"]["outcome"]),
        (&release.into(), &"rolled-back".into()),
        "{newest:#}"
    );
    ended
}
