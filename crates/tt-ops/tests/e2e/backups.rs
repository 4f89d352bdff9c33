//! Backups as a DBA meets them: a snapshot and its copy, a drill that proves it, and everything that is refused.

use serde_json::Value;

use crate::harness::{LOCAL, Program, Rehearsal, eventually};

/// What is promised is wide: none of these tests is about speed.
const POLICY: (&str, &str) = (
    "database: {instance: task-tracker}",
    "database:\n  instance: task-tracker\n  backup: {retention: 7d, rpo: 60m, rto: 60m, copy: {region: eu-west-1, rpo: 24h}}",
);

/// A release that serves, users who have written something, and an instance that can be restored to a moment.
fn with_data() -> Rehearsal {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.environment(LOCAL, &[POLICY]);
    rehearsal.load().finish();
    eventually("the first automated backup", || {
        let lines = rehearsal.tt("backup local list --output json").exits(0).json();
        let window = lines.into_iter().find(|line| line["event"] == "window")?;
        (!window["window"].is_null()).then_some(())
    });
    rehearsal
}

#[test]
fn a_backup_is_proved_by_a_drill_that_leaves_nothing_but_its_figures() {
    let rehearsal = with_data();
    rehearsal
        .tt("backup local report")
        .exits(9)
        .prints("no data")
        .prints("no drill");
    rehearsal
        .tt("backup local create --name before-noon")
        .exits(0)
        .prints("1. take snapshot before-noon of task-tracker")
        .prints("2. copy snapshot before-noon to eu-west-1")
        .prints("3. have RDS replicate the automated backups to eu-west-1")
        .prints("done: task-tracker of local is backed up.");
    rehearsal
        .tt("backup local create --name before-noon")
        .exits(4)
        .complains("a snapshot `before-noon` exists already");

    let drilled = rehearsal
        .tt("restore local --to before-noon --as drill-one --drill --output json")
        .exits(0);
    let events = drilled.json();
    let drill = &events.last().unwrap()["drill"];
    assert_eq!(drill["outcome"]["outcome"], "passed", "{drill:#}");
    let (available, verified) = (&drill["available_after_millis"], &drill["verified_after_millis"]);
    assert!(available.as_u64().unwrap() <= verified.as_u64().unwrap(), "{drill:#}");
    let rows = events.iter().find(|event| event["finding"]["check"] == "rows").unwrap();
    assert!(rows["finding"]["rows"].as_u64().unwrap() > 0, "{rows}");
    let known: Vec<&Value> = events.iter().filter(|event| event["event"] == "found").collect();
    assert_eq!(known.len(), 5, "{known:?}");
    gone(&rehearsal, "drill-one");

    rehearsal
        .tt("backup local list")
        .exits(0)
        .prints("any moment from")
        .prints("before-noon")
        .prints("tt-ops, tested")
        .prints("eu-west-1: snapshot");
    rehearsal.tt("backup local verify").exits(0).never_prints("NO ");
    rehearsal
        .tt("backup local report")
        .exits(0)
        .prints("verified after (RTO)")
        .never_prints("BROKEN");
    rehearsal
        .tt("backup local prune --yes")
        .exits(0)
        .prints("nothing to do");
    assert_eq!(rehearsal.answering(), "1.0.0");
}

#[test]
fn a_moment_comes_back_beside_what_users_have() {
    let rehearsal = with_data();
    rehearsal
        .tt("restore local --to latest --as task-tracker-again --plan")
        .exits(0)
        .prints("1. restore the latest moment");
    rehearsal
        .tt("restore local --to latest --as task-tracker-again --yes")
        .exits(0)
        .prints("task-tracker-again stands beside task-tracker at ");
    let found = rehearsal.aws("rds", "Action=DescribeDBInstances&Version=2014-10-31");
    assert!(found.contains("task-tracker-again"), "{found}");
    assert_eq!(rehearsal.answering(), "1.0.0");
}

#[test]
fn what_cannot_be_restored_is_refused_with_what_can() {
    let rehearsal = with_data();
    let refused = |words: &str, complaint: &str| {
        rehearsal.tt(words).exits(4).complains(complaint);
    };
    refused(
        "restore local --to 2020-01-01T00:00:00Z --as copy",
        "2020-01-01T00:00:00Z is outside of what can be restored: from ",
    );
    refused(
        "restore local --to latest --as task-tracker",
        "a database instance `task-tracker` exists already (available)",
    );
    refused(
        "restore local --to no-such-thing --as copy",
        "there is no snapshot `no-such-thing` of database instance `task-tracker`",
    );
    rehearsal.tt("restore local --to 2026-02-30 --as copy").exits(2);

    rehearsal.tt("backup local create --name short-lived").exits(0);
    rehearsal.aws(
        "rds",
        "Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=short-lived",
    );
    refused(
        "restore local --to short-lived --as copy --drill",
        "snapshot `short-lived` is deleting, so nothing can be restored from it",
    );

    rehearsal.quota(0);
    rehearsal
        .tt("backup local create")
        .exits(9)
        .complains("SnapshotQuotaExceeded");
    let found = rehearsal.aws("rds", "Action=DescribeDBInstances&Version=2014-10-31");
    assert_eq!(found.matches("<DBInstanceIdentifier>").count(), 1, "{found}");
}

#[test]
fn contract_migrations_wait_for_the_end_of_the_bake() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.environment(LOCAL, &[("bake: 3m", "bake: 600m")]);
    rehearsal.push(Program::TaskTracker, "1.1.0");
    let load = rehearsal.load();
    rehearsal.tt("deploy local --image 1.1.0 --until shifted").exits(0);
    load.finish();
    rehearsal
        .tt("db-migrate local --phase contract --yes")
        .exits(4)
        .complains("releases that may need what a contract migration removes are still in service: 1.0.0")
        .complains("(BAKE_TIME)");
    rehearsal.tt("rollback local").exits(0);
}

/// Gone, or going: RDS takes its time over the files.
#[track_caller]
fn gone(rehearsal: &Rehearsal, name: &str) {
    let found = rehearsal.aws("rds", "Action=DescribeDBInstances&Version=2014-10-31");
    let rest = found.split(&format!("<DBInstanceIdentifier>{name}<")).nth(1);
    let status = rest.and_then(|rest| rest.split("<DBInstanceStatus>").nth(1));
    assert!(status.is_none_or(|status| status.starts_with("deleting")), "{found}");
}
