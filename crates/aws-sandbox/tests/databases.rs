//! Databases are saved and brought back: what a client wrote is what it finds, and nothing more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "databases/database.rs"]
mod database;
mod support;

use aws_sdk_rds::error::ProvideErrorMetadata as _;
use aws_sdk_rds::primitives::DateTime;
use aws_sdk_rds::types::{DbInstance, Tag};
use database::{HERE, Machine, PASSWORD, THERE, code, installed, moment, query, try_query};
use support::{PATIENCE, eventually};

/// One instance, because each takes a second to make.
#[tokio::test(flavor = "multi_thread")]
async fn any_moment_can_be_restored_and_each_has_its_own_rows() {
    if !installed() {
        return;
    }
    let machine = Machine::start().await;
    let source = machine.create("app", 7).await;
    assert_eq!(source.backup_retention_period(), Some(7));
    query(
        &source,
        "CREATE TABLE notes (n int); INSERT INTO notes SELECT generate_series(1, 3)",
    );
    let snapshot = machine.snapshot("app", "three").await;
    assert_eq!(snapshot.percent_progress(), Some(100));
    query(&source, "INSERT INTO notes SELECT generate_series(4, 6)");
    let between = moment(&source);
    query(&source, "INSERT INTO notes SELECT generate_series(7, 9)");
    let after = moment(&source);
    let latest = machine.restorable_after("app", after).await;

    let (three, six, nine) = tokio::join!(
        machine.restore_snapshot("three", "from-three"),
        machine.restore_to("app", "from-six", between),
        machine.restore_to("app", "from-nine", latest),
    );
    for (instance, rows) in [(&three, "3|3"), (&six, "6|6"), (&nine, "9|9"), (&source, "9|9")] {
        assert_eq!(
            query(instance, "SELECT count(*), max(n) FROM notes"),
            rows,
            "{instance:?}"
        );
    }
    let addresses = [&three, &six, &nine, &source].map(|instance| instance.endpoint().unwrap().address().unwrap());
    let distinct: std::collections::BTreeSet<_> = addresses.into_iter().collect();
    assert_eq!(distinct.len(), 4, "every instance has an address of its own");
    query(&six, "INSERT INTO notes VALUES (0)");
    assert_eq!(query(&source, "SELECT count(*) FROM notes"), "9", "and data of its own");

    refuse_what_cannot_be_restored(&machine).await;
    restore_a_restored_one(&machine, &six).await;
    retain_after_deletion(&machine).await;
    machine.stop().await;
}

async fn refuse_what_cannot_be_restored(machine: &Machine) {
    let to = || machine.going_back("app", "never");
    let window = machine.window("app").await;
    let early = to()
        .restore_time(DateTime::from_secs(window.0.secs() - 60))
        .send()
        .await
        .unwrap_err();
    assert_eq!(early.code(), Some("InvalidParameterValue"));
    assert!(early.message().unwrap().contains("earlier than"), "{early:?}");
    let late = to()
        .restore_time(DateTime::from_secs(window.1.secs() + 3600))
        .send()
        .await
        .unwrap_err();
    assert_eq!(late.code(), Some("InvalidParameterValue"));
    assert!(late.message().unwrap().contains("later than"), "{late:?}");
    let neither = to().send().await;
    assert_eq!(code(neither), "InvalidParameterCombination");
    let both = to()
        .use_latest_restorable_time(true)
        .restore_time(window.0)
        .send()
        .await;
    assert_eq!(code(both), "InvalidParameterCombination");
    let over = machine
        .going_back("app", "from-six")
        .use_latest_restorable_time(true)
        .send()
        .await;
    assert_eq!(code(over), "DBInstanceAlreadyExists");
    let nobody = machine
        .going_back("nobody", "never")
        .use_latest_restorable_time(true)
        .send()
        .await;
    assert_eq!(code(nobody), "DBInstanceNotFound");
    let no_group = to()
        .db_subnet_group_name("absent")
        .use_latest_restorable_time(true)
        .send()
        .await;
    assert_eq!(code(no_group), "DBSubnetGroupNotFoundFault");
    let absent = machine.restoring("absent", "never").send().await;
    assert_eq!(code(absent), "DBSnapshotNotFound");
    let again = machine.shoot("app", "three").send().await;
    assert_eq!(code(again), "DBSnapshotAlreadyExists");
    let delete = machine.here.delete_db_snapshot().db_snapshot_identifier("three");
    delete.send().await.unwrap();
    let deleting = machine.restoring("three", "never").send().await;
    // How long it can be seen going is a matter of a moment.
    assert!(["InvalidDBSnapshotState", "DBSnapshotNotFound"].contains(&code(deleting).as_str()));
    machine.gone("three").await;
}

/// A restored instance has backups of its own, from its restore on.
async fn restore_a_restored_one(machine: &Machine, restored: &DbInstance) {
    let before = moment(restored);
    query(restored, "DELETE FROM notes");
    machine.restorable_after("from-six", moment(restored)).await;
    let again = machine.restore_to("from-six", "again", before).await;
    assert_eq!(query(&again, "SELECT count(*) FROM notes"), "7");
}

async fn retain_after_deletion(machine: &Machine) {
    let here = &machine.here;
    let resource = machine.instance("app").await.unwrap().dbi_resource_id.unwrap();
    let delete = here.delete_db_instance().db_instance_identifier("app");
    let delete = delete
        .delete_automated_backups(false)
        .final_db_snapshot_identifier("last");
    delete.send().await.unwrap();
    eventually("the deletion", async || machine.instance("app").await.is_none()).await;
    let kept = here
        .describe_db_instance_automated_backups()
        .dbi_resource_id(&resource)
        .send()
        .await
        .unwrap();
    assert_eq!(kept.db_instance_automated_backups()[0].status(), Some("retained"));
    let from_last = machine.restore_snapshot("last", "from-last").await;
    assert_eq!(query(&from_last, "SELECT count(*) FROM notes"), "9");
    here.restore_db_instance_to_point_in_time()
        .source_dbi_resource_id(&resource)
        .target_db_instance_identifier("from-retained")
        .use_latest_restorable_time(true)
        .send()
        .await
        .unwrap();
    let retained = machine.available("from-retained").await;
    assert_eq!(query(&retained, "SELECT count(*) FROM notes"), "9");
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_reach_another_region_and_stay_when_this_one_is_gone() {
    if !installed() {
        return;
    }
    let machine = Machine::start().await;
    let source = machine.create("app", 1).await;
    query(&source, "CREATE TABLE notes AS SELECT generate_series(1, 5) AS n");
    let arn = source.db_instance_arn().unwrap();
    let replicate = machine
        .there
        .start_db_instance_automated_backups_replication()
        .source_db_instance_arn(arn);
    let replica = replicate.send().await.unwrap().db_instance_automated_backup.unwrap();
    assert_eq!((replica.status(), replica.region()), (Some("replicating"), Some(HERE)));
    let twice = machine
        .there
        .start_db_instance_automated_backups_replication()
        .source_db_instance_arn(arn);
    assert_eq!(code(twice.send().await), "InvalidDBInstanceAutomatedBackupState");
    machine.snapshot("app", "five").await;
    let snapshot_arn = format!("arn:aws:rds:{HERE}:000000000000:snapshot:five");
    let copy = || {
        machine
            .there
            .copy_db_snapshot()
            .source_db_snapshot_identifier(&snapshot_arn)
            .target_db_snapshot_identifier("five-there")
    };
    let copied = copy()
        .tags(Tag::builder().key("of").value("app").build())
        .send()
        .await
        .unwrap();
    assert_eq!(copied.db_snapshot().unwrap().source_region(), Some(HERE));
    assert_eq!(code(copy().send().await), "DBSnapshotAlreadyExists");
    machine.restorable_after("app", moment(&source)).await;

    machine.delete_snapshot("five").await;
    machine.delete_instance("app").await;

    machine.snapshot_there("five-there").await;
    let restore = machine
        .there
        .restore_db_instance_from_db_snapshot()
        .db_instance_identifier("from-copy");
    restore.db_snapshot_identifier("five-there").send().await.unwrap();
    let restore = machine
        .there
        .restore_db_instance_to_point_in_time()
        .target_db_instance_identifier("from-replica");
    let by_arn = replica.db_instance_automated_backups_arn().unwrap();
    let restore = restore
        .source_db_instance_automated_backups_arn(by_arn)
        .use_latest_restorable_time(true);
    restore.send().await.unwrap();
    for name in ["from-copy", "from-replica"] {
        let restored = machine.available_there(name).await;
        assert!(restored.db_instance_arn().unwrap().contains(THERE));
        assert_eq!(query(&restored, "SELECT sum(n) FROM notes"), "15", "{name}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_changed_protected_and_failed_over() {
    if !installed() {
        return;
    }
    let machine = Machine::start().await;
    let source = machine.create("app", 0).await;
    let here = &machine.here;
    let to = machine.going_back("app", "never").use_latest_restorable_time(true);
    assert_eq!(code(to.send().await), "PointInTimeRestoreNotEnabled");

    let modify = || here.modify_db_instance().db_instance_identifier("app");
    let waiting = modify()
        .db_instance_class("db.m7g.large")
        .deletion_protection(true)
        .send()
        .await
        .unwrap();
    let waiting = waiting.db_instance.unwrap();
    assert_eq!(waiting.db_instance_class(), Some("db.t4g.micro"));
    assert_eq!(
        waiting.pending_modified_values().unwrap().db_instance_class(),
        Some("db.m7g.large")
    );
    let early = machine.shoot("app", "early").send().await;
    assert_eq!(code(early), "InvalidDBInstanceState");
    machine.available("app").await;
    let delete = || {
        here.delete_db_instance()
            .db_instance_identifier("app")
            .skip_final_snapshot(true)
    };
    assert_eq!(code(delete().send().await), "InvalidParameterCombination");
    let all = modify()
        .multi_az(true)
        .backup_retention_period(1)
        .deletion_protection(false)
        .apply_immediately(true);
    all.master_user_password("another-secret").send().await.unwrap();
    let changed = machine.available("app").await;
    assert_eq!(changed.db_instance_class(), Some("db.m7g.large"));
    assert!(try_query(&source, "SELECT 1").is_err(), "the password is another one");
    modify().master_user_password(PASSWORD).send().await.unwrap();
    machine.available("app").await;
    machine.restorable_after("app", moment(&source)).await;

    fail_over(&machine, &source).await;
    refuse_too_many(&machine).await;
    delete().send().await.unwrap();
    eventually("the deletion", async || machine.instance("app").await.is_none()).await;
    machine.stop().await;
}

async fn fail_over(machine: &Machine, source: &DbInstance) {
    query(source, "CREATE TABLE kept AS SELECT 42 AS n");
    let before = machine.available("app").await;
    let connected = {
        let source = source.clone();
        tokio::task::spawn_blocking(move || try_query(&source, "SELECT pg_sleep(600)"))
    };
    eventually("the connection", async || {
        query(
            source,
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'",
        ) == "1"
    })
    .await;
    let reboot = machine
        .here
        .reboot_db_instance()
        .db_instance_identifier("app")
        .force_failover(true);
    reboot.send().await.unwrap();
    let broken = tokio::time::timeout(PATIENCE, connected)
        .await
        .expect("the connection broke")
        .unwrap();
    assert!(broken.is_err(), "{broken:?}");
    let after = machine.available("app").await;
    assert_ne!(after.availability_zone(), before.availability_zone());
    assert_eq!(query(&after, "SELECT n FROM kept"), "42");
}

async fn refuse_too_many(machine: &Machine) {
    machine.put("quotas", r#"{"manualSnapshots": 1}"#);
    machine.snapshot("app", "one").await;
    let two = machine.shoot("app", "two").send().await;
    assert_eq!(code(two), "SnapshotQuotaExceeded");
    let attributes = machine.here.describe_account_attributes().send().await.unwrap();
    let quota = attributes
        .account_quotas()
        .iter()
        .find(|quota| quota.account_quota_name() == Some("ManualSnapshots"));
    assert_eq!((quota.unwrap().used(), quota.unwrap().max()), (Some(1), Some(1)));
    machine.put("quotas", r#"{"manualSnapshots": 100}"#);

    let arn = format!("arn:aws:rds:{HERE}:000000000000:snapshot:one");
    let tag = machine
        .here
        .add_tags_to_resource()
        .resource_name(&arn)
        .tags(Tag::builder().key("tested").value("yes").build());
    tag.send().await.unwrap();
    assert_eq!(machine.tags(&arn).await[0].key(), Some("tested"));
    machine
        .here
        .remove_tags_from_resource()
        .resource_name(&arn)
        .tag_keys("tested")
        .send()
        .await
        .unwrap();
    assert!(machine.tags(&arn).await.is_empty());

    // Nothing can be written where snapshots go: the snapshot fails, the instance does not.
    let folder = machine.state().join("rds/snapshots");
    std::fs::rename(&folder, folder.with_extension("aside")).unwrap();
    std::fs::write(&folder, "").unwrap();
    machine.shoot("app", "three").send().await.unwrap();
    eventually("the failure", async || {
        machine.snapshot_status("three").await.as_deref() == Some("failed")
    })
    .await;
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(folder.with_extension("aside"), &folder).unwrap();
    machine.available("app").await;
    machine.delete_snapshot("three").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_has_its_databases_and_backups_again() {
    if !installed() {
        return;
    }
    let machine = Machine::spawn().await;
    let source = machine.create("app", 1).await;
    query(&source, "CREATE TABLE notes AS SELECT generate_series(1, 5) AS n");
    machine.snapshot("app", "five").await;
    query(&source, "INSERT INTO notes VALUES (6)");
    let before = moment(&source);
    query(&source, "DELETE FROM notes");
    machine.restorable_after("app", moment(&source)).await;
    // In the middle of a restore and of a snapshot.
    machine.restoring("five", "copy").send().await.unwrap();
    machine.shoot("app", "cut").send().await.unwrap();

    let machine = machine.kill_and_spawn().await;
    machine.available("app").await;
    assert_eq!(query(&source, "SELECT count(*) FROM notes"), "0");
    assert_eq!(machine.snapshot_status("cut").await.as_deref(), Some("failed"));
    let copy = machine.available("copy").await;
    assert_eq!(
        query(&copy, "SELECT count(*) FROM notes"),
        "5",
        "the restore began anew"
    );
    let six = machine.restore_to("app", "six", before).await;
    assert_eq!(query(&six, "SELECT count(*) FROM notes"), "6");
    machine.kill().await;
}
