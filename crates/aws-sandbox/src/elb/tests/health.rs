//! Who gets requests while targets come, fall ill and go.

use super::*;
use crate::elb::health::Failure;

#[tokio::test]
async fn an_unhealthy_target_gets_nothing_until_it_recovers() {
    let stage = Stage::new().await;
    let (one, two) = (Program::start("one").await, Program::start("two").await);
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &one).await;
    stage.serve(&group, &two).await;
    two.state.healthy.store(false, Ordering::SeqCst);
    let ill = TargetState::Unhealthy {
        reason: Failure::Mismatch(503),
    };
    stage.until_state(&group, two.target(), ill).await;
    assert_eq!(
        ill.description().unwrap(),
        "Health checks failed with these codes: [503]"
    );
    for _ in 0..20 {
        assert_eq!(stage.get("/").await, got(200, "one"));
    }
    two.state.healthy.store(true, Ordering::SeqCst);
    stage.until_state(&group, two.target(), TargetState::Healthy).await;
    let answers = [stage.get("/").await.body, stage.get("/").await.body];
    assert!(answers.contains(&String::from("two")), "they take turns: {answers:?}");
}

#[tokio::test]
async fn with_no_healthy_target_all_get_requests() {
    let stage = Stage::new().await;
    let program = Program::start("ill").await;
    program.state.healthy.store(false, Ordering::SeqCst);
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.elb.register(&group, program.target()).unwrap();
    let ill = TargetState::Unhealthy {
        reason: Failure::Mismatch(503),
    };
    stage.until_state(&group, program.target(), ill).await;
    assert_eq!(stage.get("/").await, got(200, "ill"));
}

#[tokio::test]
async fn a_draining_target_finishes_what_it_has_and_gets_nothing_new() {
    let stage = Stage::new().await;
    let (old, new) = (Program::start("old").await, Program::start("new").await);
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.serve(&group, &old).await;
    let held = stage.send(stage.request(Method::GET, "/hold").body(Full::default()).unwrap());
    let release = async {
        until(|| old.requests() == 1).await;
        stage.serve(&group, &new).await;
        stage.elb.deregister(&group, old.target()).unwrap();
        for _ in 0..20 {
            assert_eq!(stage.get("/").await, got(200, "new"));
        }
        stage.until_gone(&group, old.target()).await;
        old.state.go_on.notify_one();
    };
    let (held, ()) = tokio::join!(held, release);
    assert_eq!(held.into_body().collect().await.unwrap().to_bytes(), "old");
    assert_eq!(old.requests(), 1);
}

#[tokio::test]
async fn targets_of_an_unused_group_are_not_checked_until_a_rule_names_it() {
    let stage = Stage::new().await;
    let program = Program::start("green").await;
    let (used, unused) = (stage.group("a"), stage.group("b"));
    let rule = stage.listen(&[(used.clone(), 1)]).await;
    stage.elb.register(&unused, program.target()).unwrap();
    assert_eq!(stage.elb.health(&unused), [(program.target(), TargetState::Unused)]);
    stage.elb.set_forward(&rule, &[(used, 1), (unused.clone(), 0)]).unwrap();
    stage.until_state(&unused, program.target(), TargetState::Healthy).await;
    stage.elb.count_hosts();
    let (count, sum) = stage.metric("HealthyHostCount", Some(&unused));
    assert!(count >= 1.0 && sum >= 1.0, "{count} {sum}");
}

#[tokio::test]
async fn a_target_that_does_not_listen_says_why() {
    let stage = Stage::new().await;
    let program = Program::start("gone").await;
    let target = program.target();
    drop(program);
    let group = stage.group("a");
    stage.listen(&[(group.clone(), 1)]).await;
    stage.elb.register(&group, target).unwrap();
    let ill = TargetState::Unhealthy {
        reason: Failure::NoConnection,
    };
    stage.until_state(&group, target, ill).await;
    assert_eq!(
        (ill.word(), ill.reason()),
        ("unhealthy", Some("Target.FailedHealthChecks"))
    );
}
