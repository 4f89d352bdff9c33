//! What `backup create` and `backup prune` plan.

use expect_test::expect;
use tt_environment::KmsKey;

use super::world::{a_snapshot, an_instance, check, environment, mark, observed, snapshot_name, tested};
use crate::{
    database::{Encryption, Extent, InstanceStatus, Purpose, SnapshotStatus, backup, prune},
    tests::world::NOW,
};

#[test]
fn a_backup_is_copied_and_the_replication_is_there() {
    let name = snapshot_name("db-2");
    check(
        backup(&environment(), &observed(), &name, Extent::Policy),
        &expect!["take-snapshot db-2; copy-snapshot db-2 to eu-west-1"],
    );
    let mut fresh = observed();
    fresh.abroad = None;
    check(
        backup(&environment(), &fresh, &name, Extent::Policy),
        &expect!["take-snapshot db-2; copy-snapshot db-2 to eu-west-1; replicate-backups to eu-west-1"],
    );
    let mut alone = environment();
    alone.database.as_mut().unwrap().backup.as_mut().unwrap().copy = None;
    check(
        backup(&alone, &observed(), &name, Extent::Policy),
        &expect!["take-snapshot db-2"],
    );
}

#[test]
fn what_speaks_against_a_backup_is_said_at_once() {
    let mut observed = observed();
    observed.source.status = InstanceStatus::of("modifying");
    observed.source.encryption = Encryption::Kms(None);
    observed.manual_snapshots = 100;
    check(
        backup(&environment(), &observed, &snapshot_name("db-1"), Extent::Policy),
        &expect![
            "refused: database instance `db` is modifying, so no snapshot can be taken of it; a snapshot `db-1` exists already; the account has 100 manual snapshots in this Region, and AWS allows 100; the database is encrypted, and its key does not leave the Region: the copy needs a key over there"
        ],
    );
}

#[test]
fn a_key_abroad_lifts_the_refusal() {
    let mut environment = environment();
    let policy = environment.database.as_mut().unwrap().backup.as_mut().unwrap();
    policy.copy.as_mut().unwrap().kms_key = Some(KmsKey::parse("alias/backup").unwrap());
    let mut observed = observed();
    observed.source.encryption = Encryption::Kms(None);
    check(
        backup(&environment, &observed, &snapshot_name("db-2"), Extent::Policy),
        &expect!["take-snapshot db-2; copy-snapshot db-2 to eu-west-1"],
    );
}

#[test]
fn the_quota_is_announced_before_it_is_reached() {
    let mut observed = observed();
    observed.manual_snapshots = 80;
    check(
        backup(&environment(), &observed, &snapshot_name("db-2"), Extent::Policy),
        &expect!["take-snapshot db-2; copy-snapshot db-2 to eu-west-1 [NearQuota { snapshots: 80, quota: 100 }]"],
    );
}

#[test]
fn without_a_policy_there_is_nothing_to_go_by() {
    let mut environment = environment();
    environment.database.as_mut().unwrap().backup = None;
    check(
        backup(&environment, &observed(), &snapshot_name("db-2"), Extent::Policy),
        &expect!["refused: the environment does not say how the database is backed up"],
    );
    environment.database = None;
    check(
        prune(&environment, &observed()),
        &expect!["refused: the environment names no database"],
    );
}

#[test]
fn only_our_own_old_snapshots_go() {
    let mut observed = observed();
    let mut theirs = a_snapshot("theirs", 90);
    theirs.mark = None;
    let mut neighbours = a_snapshot("neighbours", 90);
    neighbours.mark.as_mut().unwrap().environment = tt_environment::EnvironmentName::parse("other").unwrap();
    let mut half = a_snapshot("half", 90);
    half.status = SnapshotStatus::of("creating");
    observed.snapshots = vec![
        a_snapshot("new", 1),
        a_snapshot("edge", 35),
        a_snapshot("old", 36),
        theirs,
        neighbours,
        half,
    ];
    check(
        prune(&environment(), &observed),
        &expect!["delete-snapshot old in eu-central-1 while new is there"],
    );
}

#[test]
fn the_last_tested_and_the_newest_stay_however_old() {
    let mut observed = observed();
    observed.snapshots = vec![
        a_snapshot("newest", 40),
        tested("c", 50, 49),
        tested("b", 60, 59),
        tested("a", 70, 69),
        a_snapshot("plain", 80),
    ];
    let abroad = observed.abroad.as_mut().unwrap();
    abroad.snapshots = vec![a_snapshot("newest", 40), a_snapshot("c", 50), a_snapshot("a", 70)];
    check(
        prune(&environment(), &observed),
        &expect![
            "delete-snapshot a in eu-central-1 while newest is there; delete-snapshot plain in eu-central-1 while newest is there; delete-snapshot a in eu-west-1 while newest is there"
        ],
    );
}

#[test]
fn what_a_dead_drill_left_behind_goes_and_nothing_else() {
    let mut observed = observed();
    let left = |name: &str, purpose, hours| {
        let mut instance = an_instance(name);
        instance.mark = Some(mark(purpose));
        instance.created = Some(NOW - std::time::Duration::from_hours(hours));
        instance
    };
    let mut going = left("going", Purpose::Drill, 24);
    going.status = InstanceStatus::Deleting;
    observed.instances.extend([
        left("drill-old", Purpose::Drill, 13),
        left("drill-new", Purpose::Drill, 1),
        left("rehearsal-old", Purpose::Rehearsal, 24),
        left("kept", Purpose::Restore, 24 * 90),
        going,
    ]);
    check(
        prune(&environment(), &observed),
        &expect!["delete-instance drill-old; delete-instance rehearsal-old"],
    );
}
