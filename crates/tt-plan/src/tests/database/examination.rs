//! When a restored copy counts as whole.

use expect_test::{Expect, expect};

use crate::database::{Amcheck, AppliedMigration, Examination, TableCount, compare};

fn migration(version: i64, checksum: &str) -> AppliedMigration {
    AppliedMigration {
        version,
        name: format!("m{version}"),
        checksum: checksum.to_owned(),
    }
}

fn table(table: &str, rows: u64) -> TableCount {
    TableCount {
        table: table.to_owned(),
        rows,
    }
}

fn examination() -> Examination {
    Examination {
        server: "16.4".to_owned(),
        bytes: 1 << 20,
        migrations: vec![migration(1, "aa"), migration(2, "bb")],
        known: Vec::new(),
        tables: vec![
            table("public._sqlx_migrations", 2),
            table("public.tasks", 10),
            table("public.projects", 3),
        ],
        unvalidated: Vec::new(),
        invalid_indexes: Vec::new(),
        amcheck: Amcheck::Sound { tables: 3, indexes: 5 },
    }
}

fn check(change: impl FnOnce(&mut Examination, &mut Examination), expected: &Expect) {
    let (mut source, mut copy) = (examination(), examination());
    change(&mut source, &mut copy);
    let findings = compare(&source, &copy);
    let lines = findings
        .iter()
        .map(|finding| format!("{} {:?}", finding.name(), finding.verdict()));
    expected.assert_eq(&lines.collect::<Vec<_>>().join(", "));
}

#[test]
fn a_whole_copy() {
    check(
        |_, _| {},
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn an_older_copy_lacks_what_came_later() {
    check(
        |_, copy| {
            copy.migrations.pop();
            copy.tables.pop();
        },
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn what_should_be_there_and_is_not() {
    check(
        |_, copy| {
            copy.tables.pop();
        },
        &expect!["migrations Passed, rows Failed, constraints Passed, indexes Passed, pages Passed"],
    );
    check(
        |_, copy| copy.tables.iter_mut().for_each(|table| table.rows = 0),
        &expect!["migrations Passed, rows Failed, constraints Passed, indexes Passed, pages Passed"],
    );
    check(
        |source, copy| {
            source.tables.truncate(1);
            copy.tables.truncate(1);
            copy.migrations.clear();
        },
        &expect!["migrations Failed, rows Failed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn a_checksum_that_nobody_knows() {
    check(
        |_, copy| copy.migrations[1] = migration(2, "xx"),
        &expect!["migrations Failed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn the_release_knows_better_than_the_source() {
    check(
        |source, copy| {
            source.migrations[1] = migration(2, "xx");
            copy.known = copy.migrations.clone();
        },
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
    check(
        |source, copy| {
            copy.known = copy.migrations.clone();
            copy.migrations[1] = migration(2, "xx");
            source.migrations[1] = migration(2, "xx");
        },
        &expect!["migrations Failed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
    // Recorded by a checkout with other line endings: one of several checksums that the release knows.
    check(
        |_, copy| copy.known = vec![migration(1, "aa"), migration(2, "cc"), migration(2, "bb")],
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
    // Older than the schema: the source speaks for what it does not have.
    check(
        |_, copy| copy.known = vec![migration(1, "aa")],
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn flaws_count_when_the_source_has_them_not() {
    let flawed = |found: &mut Examination| {
        found.unvalidated.push("public.tasks.tasks_check".to_owned());
        found.invalid_indexes.push("public.tasks_i".to_owned());
    };
    check(
        |_, copy| flawed(copy),
        &expect!["migrations Passed, rows Passed, constraints Failed, indexes Failed, pages Passed"],
    );
    check(
        |source, copy| {
            flawed(source);
            flawed(copy);
        },
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Passed"],
    );
}

#[test]
fn pages_that_were_not_read_are_neither_good_nor_bad() {
    check(
        |_, copy| {
            copy.amcheck = Amcheck::NotDone {
                reason: "may not".to_owned(),
            };
        },
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages NotDone"],
    );
    check(
        |_, copy| {
            copy.amcheck = Amcheck::Damaged {
                findings: vec!["page 3".to_owned()],
            };
        },
        &expect!["migrations Passed, rows Passed, constraints Passed, indexes Passed, pages Failed"],
    );
}
