use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::load::{File, load};

/// `1e 2b 3c`: versions with the first letter of their phase.
fn release(text: &str) -> Migrations {
    let files = text.split_whitespace().flat_map(|word| {
        let (version, phase) = word.split_at(word.len() - 1);
        let version: i64 = version.parse().unwrap();
        let up = match phase {
            "e" => "-- tt: phase=expand\nselect 1".to_owned(),
            "b" => "-- tt: phase=backfill\nupdate t set a = 1".to_owned(),
            _ => format!("-- tt: phase=contract breaks-below={version}\nselect 1"),
        };
        [
            File::new(format!("{version:04}_x.up.sql"), up),
            File::new(format!("{version:04}_x.down.sql"), "-- tt: phase=expand\n"),
        ]
    });
    load(files).unwrap()
}

fn applied(release: &Migrations, versions: &[i64]) -> History {
    let records = versions.iter().map(|version| {
        let version = Version::new(*version);
        let text = release
            .get(version)
            .map_or("gone", |migration| migration.up.text.as_str());
        Record {
            version,
            name: "x".to_owned(),
            success: true,
            checksum: <sha2::Sha384 as sha2::Digest>::digest(text).to_vec(),
        }
    });
    let entries = versions
        .iter()
        .filter_map(|version| release.get(Version::new(*version)))
        .map(|migration| Entry {
            version: migration.version,
            name: migration.name.clone(),
            breaks_below: migration.breaks_below,
            up_sha256: migration.up.digest(),
            down_sha256: migration.down.digest(),
            backend_pid: 1,
            finished: true,
            undoing: false,
            cursor: None,
            rows: 0,
        });
    History {
        records: records.collect(),
        entries: entries.collect(),
        tables: Tables::There,
    }
}

fn check(files: &str, versions: &[i64], expected: &Expect) {
    let release = release(files);
    let drift: Vec<String> = applied(&release, versions)
        .drift(&release)
        .iter()
        .map(ToString::to_string)
        .collect();
    expected.assert_eq(&drift.join("; "));
}

#[test]
fn only_phases_may_overtake_each_other() {
    check("1e 2e", &[], &expect![""]);
    check("1e 2e", &[1], &expect![""]);
    check(
        "1e 3e 5e",
        &[1, 5],
        &expect!["migration 0003 was added below 0005, which is applied (0003_x.up.sql)"],
    );
    check("1e 2c 3e", &[1, 3], &expect![""]);
    check("1e 2b 3e", &[1, 3], &expect![""]);
    check("1e 2c 3b", &[1, 3], &expect![""]);
    check(
        "1e 2e 3b",
        &[1, 3],
        &expect!["migration 0002 was added below 0003, which is applied (0002_x.up.sql)"],
    );
    check(
        "1e 2b 3c",
        &[1, 3],
        &expect!["migration 0002 was added below 0003, which is applied (0002_x.up.sql)"],
    );
    check(
        "1e 2c 4c",
        &[1, 4],
        &expect!["migration 0002 was added below 0004, which is applied (0002_x.up.sql)"],
    );
}

#[test]
fn a_newer_release_may_have_been_here_but_no_file_may_vanish() {
    check("1e 2e", &[1, 2, 3], &expect![""]);
    check(
        "1e 3e",
        &[1, 2, 3],
        &expect!["migration 0002 x is applied and its file is gone"],
    );
    check(
        "1e 2e",
        &[1, 3],
        &expect!["migration 0002 was added below 0003, which is applied (0002_x.up.sql)"],
    );
}

#[test]
fn an_edited_file_is_noticed() {
    let release = release("1e");
    let mut history = applied(&release, &[1]);
    history.records[0].checksum = vec![0];
    assert_eq!(
        history.drift(&release)[0].to_string(),
        "migration 0001 was edited after it was applied (0001_x.up.sql)"
    );
}

#[test]
fn a_release_serves_on_what_it_needs_and_not_on_what_was_taken_from_it() {
    let new = release("1e 2e 3c 4e");
    let old = release("1e 2e");
    let fits = |release: &Migrations, versions: &[i64]| {
        applied(&new, versions)
            .fits(release)
            .err()
            .map_or_else(String::new, |unfit| unfit.to_string())
    };
    assert_eq!(fits(&old, &[1, 2]), "");
    assert_eq!(fits(&old, &[1, 2, 4]), "");
    assert_eq!(
        fits(&old, &[1]),
        "the schema is at version 1 and this release needs 2: run `task-tracker migrate` first"
    );
    assert_eq!(fits(&new, &[1, 2, 4]), "");
    assert_eq!(
        fits(&old, &[1, 2, 3, 4]),
        "migration 3 x took away what releases below schema 3 use, and this one knows schema 2: run a newer release"
    );
}

proptest! {
    /// However far a run came, phase by phase and in order, it is never taken for drift.
    #[test]
    fn what_a_run_leaves_behind_is_never_drift(phases in proptest::collection::vec(0..3usize, 1..8), cut in 0..9usize) {
        let letters = ["e", "b", "c"];
        let words: Vec<String> = phases.iter().enumerate().map(|(at, phase)| format!("{}{}", at + 1, letters[*phase])).collect();
        let release = release(&words.join(" "));
        let mut order: Vec<(usize, i64)> = phases.iter().enumerate().map(|(at, phase)| (*phase, i64::try_from(at + 1).unwrap())).collect();
        order.sort_unstable();
        let mut versions: Vec<i64> = order.iter().take(cut).map(|(_, version)| *version).collect();
        versions.sort_unstable();
        prop_assert_eq!(applied(&release, &versions).drift(&release), vec![]);
    }
}
