//! What `restore` plans and refuses.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::world::{DAY, a_snapshot, an_instance, check, environment, instance, observed};
use crate::{
    database::{DatabaseCommand, DatabaseObserved, RestoreTarget, RunId, SnapshotStatus, restore},
    tests::world::NOW,
};

fn planned(observed: &DatabaseObserved, to: &str, copy: &str, command: DatabaseCommand, expected: &Expect) {
    let target: RestoreTarget = to.parse().unwrap();
    check(
        restore(
            &environment(),
            observed,
            &target,
            &instance(copy),
            command,
            &RunId::new(NOW, 1),
        ),
        expected,
    );
}

#[test]
fn a_restore_is_as_its_source_and_stays() {
    planned(
        &observed(),
        "latest",
        "db-again",
        DatabaseCommand::Restore,
        &expect![[r#"restore latest as db-again (db.t4g.medium, ["sg-1"], private, tuned, standby true, 35 days)"#]],
    );
    planned(
        &observed(),
        "2026-02-28T12:00:00Z",
        "db-again",
        DatabaseCommand::Restore,
        &expect![[
            r#"restore 2026-02-28 12:00:00.0 +00:00:00 as db-again (db.t4g.medium, ["sg-1"], private, tuned, standby true, 35 days)"#
        ]],
    );
    planned(
        &observed(),
        "db-1",
        "db-again",
        DatabaseCommand::Restore,
        &expect![[r#"restore db-1 as db-again (db.t4g.medium, ["sg-1"], private, tuned, standby true, 35 days)"#]],
    );
}

#[test]
fn a_drill_looks_and_leaves_nothing() {
    planned(
        &observed(),
        "latest",
        "db-drill",
        DatabaseCommand::Drill,
        &expect![[
            r#"restore latest as db-drill (db.t4g.medium, ["sg-1"], private, tuned, standby false, 0 days); examine db-drill; delete-instance db-drill"#
        ]],
    );
    planned(
        &observed(),
        "latest",
        "db-rehearsal",
        DatabaseCommand::Rehearse,
        &expect![[
            r#"restore latest as db-rehearsal (db.t4g.medium, ["sg-1"], private, tuned, standby false, 0 days); migrate db-rehearsal; delete-instance db-rehearsal"#
        ]],
    );
}

#[test]
fn a_moment_outside_the_window_is_refused_with_the_window() {
    let early = expect![
        "refused: 2020-01-01T00:00:00Z is outside of what can be restored: from 2026-01-25T03:00:00Z to 2026-03-01T02:55:00Z"
    ];
    planned(
        &observed(),
        "2020-01-01T00:00:00Z",
        "again",
        DatabaseCommand::Restore,
        &early,
    );
    let late = expect![
        "refused: 2026-03-01T02:56:00Z is outside of what can be restored: from 2026-01-25T03:00:00Z to 2026-03-01T02:55:00Z"
    ];
    planned(
        &observed(),
        "2026-03-01T02:56:00Z",
        "again",
        DatabaseCommand::Restore,
        &late,
    );
    assert!(observed().window.unwrap().holds(NOW - Duration::from_mins(5)));
    assert!(observed().window.unwrap().holds(NOW - DAY * 35));
}

#[test]
fn never_over_what_exists() {
    planned(
        &observed(),
        "latest",
        "db",
        DatabaseCommand::Restore,
        &expect!["refused: a database instance `db` exists already (available)"],
    );
    let mut observed = observed();
    observed.instances.push(an_instance("other"));
    planned(
        &observed,
        "nothing-like-it",
        "other",
        DatabaseCommand::Drill,
        &expect![
            "refused: a database instance `other` exists already (available); there is no snapshot `nothing-like-it` of database instance `db`"
        ],
    );
}

#[test]
fn a_snapshot_has_to_be_whole() {
    for (status, expected) in [
        (
            "deleting",
            expect!["refused: snapshot `db-0` is deleting, so nothing can be restored from it"],
        ),
        (
            "creating",
            expect!["refused: snapshot `db-0` is creating, so nothing can be restored from it"],
        ),
        (
            "failed",
            expect!["refused: snapshot `db-0` is failed, so nothing can be restored from it"],
        ),
    ] {
        let mut observed = observed();
        let mut snapshot = a_snapshot("db-0", 2);
        snapshot.status = SnapshotStatus::of(status);
        observed.snapshots.push(snapshot);
        planned(&observed, "db-0", "again", DatabaseCommand::Restore, &expected);
    }
}

#[test]
fn without_automated_backups_there_are_only_snapshots() {
    let mut observed = observed();
    observed.window = None;
    observed.source.latest_restorable = None;
    let expected =
        expect!["refused: database instance `db` keeps no automated backups, so it cannot be restored to a moment"];
    planned(&observed, "latest", "again", DatabaseCommand::Drill, &expected);
    planned(
        &observed,
        "2026-02-28T12:00:00Z",
        "again",
        DatabaseCommand::Drill,
        &expected,
    );
}

#[test]
fn what_is_neither_a_moment_nor_a_name_is_no_target() {
    for text in ["yesterday at noon", "2026-02-28", "", "UPPER", "a--b"] {
        assert!(text.parse::<RestoreTarget>().is_err(), "{text}");
    }
    assert!("rds:db-2026-02-28-03-00".parse::<RestoreTarget>().is_ok());
}
