//! What `backup verify` and `backup report` find: no data is never good data.

#![expect(clippy::needless_raw_string_hashes, reason = "UPDATE_EXPECT=1 writes them so")]

use std::time::Duration;

use expect_test::{Expect, expect};

use super::world::{DAY, a_snapshot, drill, environment, observed};
use crate::database::{BackupFact, DatabaseObserved, DrillOutcome, Measured, SnapshotStatus, report, verify};

fn verified(observed: &DatabaseObserved, expected: &Expect) {
    let findings = verify(&environment(), observed).unwrap();
    let line = |finding: crate::database::BackupFinding| match finding.found {
        Ok(BackupFact::Days(days)) => format!("{}: {days} days", finding.check.name()),
        Ok(BackupFact::Age(age)) => format!("{}: {} s", finding.check.name(), age.as_secs()),
        Ok(BackupFact::Count(count)) => format!("{}: {count}", finding.check.name()),
        Err(shortcoming) => {
            assert!(!shortcoming.hint().is_empty());
            format!("{}: NO, {shortcoming}", finding.check.name())
        }
    };
    expected.assert_eq(&findings.into_iter().map(line).collect::<Vec<_>>().join("\n"));
}

fn measured(observed: &DatabaseObserved, expected: &Expect) {
    let figure = |measured: Measured| match measured {
        Measured::Value { found, promised } => format!("{} of {} s", found.as_secs(), promised.as_secs()),
        Measured::NoData { promised } => format!("no data of {} s", promised.as_secs()),
        Measured::NotPromised => "not promised".to_owned(),
    };
    let regions = report(&environment(), observed).unwrap();
    let lines = regions.into_iter().map(|region| {
        let kept = region.rpo.is_kept() && region.rto.is_kept();
        format!(
            "{}: rpo {}, rto {}: {kept}",
            region.region,
            figure(region.rpo),
            figure(region.rto)
        )
    });
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn everything_in_order() {
    verified(
        &observed(),
        &expect![[r#"
            retention: 35 days
            window: 300 s
            snapshots: 1
            quota: 1
            copy: 1800 s
            drill: 259200 s"#]],
    );
    measured(
        &observed(),
        &expect![[r#"
            eu-central-1: rpo 300 of 600 s, rto 900 of 3600 s: true
            eu-west-1: rpo 1800 of 86400 s, rto not promised: true"#]],
    );
}

#[test]
fn nothing_there_is_nothing_good() {
    let mut empty = observed();
    empty.snapshots = Vec::new();
    empty.window = None;
    empty.source.latest_restorable = None;
    empty.source.retention_days = 0;
    empty.abroad = None;
    empty.drills = Vec::new();
    verified(
        &empty,
        &expect![[r#"
            retention: NO, automated backups are kept 0 days, 35 are promised
            window: NO, there is no moment to restore to
            snapshots: NO, there is no snapshot that can be restored
            quota: 1
            copy: NO, there is no backup in the second Region
            copy: NO, automated backups are not replicated to eu-west-1
            drill: NO, there is no drill on record"#]],
    );
    measured(
        &empty,
        &expect![[r#"
            eu-central-1: rpo no data of 600 s, rto no data of 3600 s: false
            eu-west-1: rpo no data of 86400 s, rto not promised: false"#]],
    );
}

#[test]
fn old_broken_and_too_many() {
    let mut bad = observed();
    bad.window.as_mut().unwrap().latest -= Duration::from_hours(1);
    let mut broken = a_snapshot("db-2", 2);
    broken.status = SnapshotStatus::of("incompatible-restore");
    bad.snapshots.push(broken);
    bad.manual_snapshots = 81;
    bad.abroad.as_mut().unwrap().replicated.as_mut().unwrap().latest -= DAY;
    bad.drills.insert(0, drill(1, DrillOutcome::Failed));
    verified(
        &bad,
        &expect![[r#"
            retention: 35 days
            window: NO, the newest restorable moment is 3900 s old, 600 s are promised
            snapshots: NO, snapshot `db-2` is incompatible-restore
            quota: NO, the account has 81 manual snapshots in this Region, and AWS allows 100
            copy: NO, the newest backup in the second Region is 88200 s old, 86400 s are promised
            drill: NO, the last drill, of `db-drill`, did not pass"#]],
    );
    // The last drill that passed is still what is known of recovering.
    measured(
        &bad,
        &expect![[r#"
            eu-central-1: rpo 3900 of 600 s, rto 900 of 3600 s: false
            eu-west-1: rpo 88200 of 86400 s, rto not promised: false"#]],
    );
}
