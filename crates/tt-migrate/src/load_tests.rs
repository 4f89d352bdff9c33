use proptest::prelude::*;

use super::*;
use crate::script::Way;

fn files(pairs: &[(&str, &str)]) -> Vec<File> {
    pairs.iter().map(|(name, text)| File::new(*name, *text)).collect()
}

const UP: &str = "-- tt: phase=expand\ncreate table t (id bigint primary key);\n";
const DOWN: &str = "-- tt: phase=contract\ndrop table t;\n";

fn one(up: &str) -> Result<Migration, Unloadable> {
    let loaded = load(files(&[("0001_a.up.sql", up), ("0001_a.down.sql", DOWN)]))?;
    Ok(loaded.iter().next().unwrap().clone())
}

fn check(pairs: &[(&str, &str)], expected: &[&str]) {
    let problems: Vec<String> = load(files(pairs))
        .unwrap_err()
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(problems, expected, "{pairs:?}");
}

#[test]
fn a_folder_is_refused_with_everything_that_is_wrong_in_it() {
    check(
        &[("0001_a.up.sql", UP)],
        &["0001_a.up.sql: it has no .down.sql beside it"],
    );
    check(
        &[("0001_a.down.sql", DOWN)],
        &["0001_a.down.sql: it has no .up.sql beside it"],
    );
    check(
        &[("0001_a.up.sql", UP), ("0001_a.down.sql", DOWN), ("1_b.up.sql", UP)],
        &["1_b.up.sql: 0001_a.up.sql has the same version"],
    );
    check(
        &[("0001_a.up.sql", UP), ("0001_b.down.sql", DOWN)],
        &["0001_a.up.sql: its other half is called 0001_b.down.sql"],
    );
    check(
        &[("notes.sql", UP), ("0000_a.up.sql", UP)],
        &[
            "0000_a.up.sql: its name is not NNNN_name.up.sql or NNNN_name.down.sql",
            "notes.sql: its name is not NNNN_name.up.sql or NNNN_name.down.sql",
        ],
    );
}

#[test]
fn a_file_is_refused_for_what_would_go_wrong_later() {
    for (up, expected) in [
        (
            "create table t (id int)",
            "0001_a.up.sql: it has no header `-- tt: phase=…` before its first statement",
        ),
        ("-- tt: phase=expand\n", "0001_a.up.sql: it holds no statement"),
        (
            "-- tt: phase=expand\nselect 'a",
            "0001_a.up.sql:2: a quote or comment opens here and never closes",
        ),
        (
            "-- no-transaction\n-- tt: phase=expand\nvacuum t;\nvacuum u",
            "0001_a.up.sql:4: it is marked no-transaction and holds 2 statements",
        ),
        (
            "-- no-transaction\n-- tt: phase=expand\nalter table t add a int",
            "0001_a.up.sql:3: it is marked no-transaction, and nothing would tell after a crash whether this statement took effect",
        ),
        (
            "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently on t (a)",
            "0001_a.up.sql:3: this index is built concurrently and has no name",
        ),
        (
            "-- tt: phase=expand\ncreate index concurrently i on t (a)",
            "0001_a.up.sql:2: PostgreSQL refuses this statement in a transaction",
        ),
        (
            "-- tt: phase=expand\ndo $$ begin end $$",
            "0001_a.up.sql:2: what a DO block does cannot be seen before it runs",
        ),
        (
            "-- tt: phase=expand\nbegin;\nselect 1",
            "0001_a.up.sql:2: it begins or ends a transaction itself",
        ),
        (
            "-- tt: phase=expand\nset lock_timeout = 0",
            "0001_a.up.sql:2: it sets `lock_timeout`, which is the runner's to set",
        ),
        (
            "-- tt: phase=expand\nalter table t add constraint c check (a > 0) not valid;\nalter table t validate constraint c",
            "0001_a.up.sql:3: constraint `c` is added NOT VALID and validated in the same file",
        ),
        (
            "-- tt: phase=contract\ndrop table t",
            "0001_a.up.sql: it takes something away and does not say whose releases stop working",
        ),
        (
            "-- tt: phase=contract breaks-below=2\ndrop table t",
            "0001_a.up.sql: its header says breaks-below=0002, which is newer than the file itself",
        ),
        (
            "-- tt: phase=expand breaks-below=1 batch=9\nselect 1",
            "0001_a.up.sql: its header says `breaks-below`, which means nothing in phase expand",
        ),
        (
            "-- tt: phase=backfill\ninsert into t select 1",
            "0001_a.up.sql:2: a backfill is one UPDATE or DELETE of one table, which the runner cuts into batches",
        ),
        (
            "-- tt: phase=backfill\nupdate t set a = 1 from u where t.id = u.id",
            "0001_a.up.sql:2: a backfill is one UPDATE or DELETE of one table, which the runner cuts into batches",
        ),
    ] {
        let problems = one(up).unwrap_err().problems;
        assert_eq!(problems[0].to_string(), expected, "{up}");
        assert!(!problems[0].fault.hint().is_empty());
    }
}

#[test]
fn a_waiver_with_a_reason_lets_a_do_block_pass() {
    let migration =
        one("-- tt: phase=expand\n-- tt-waive: do-block loops over 400 partitions\ndo $$ begin end $$").unwrap();
    assert_eq!(migration.up.waivers[0].reason, "loops over 400 partitions");
}

#[test]
fn line_endings_and_a_byte_order_mark_change_nothing() {
    let plain = one("-- no-transaction\n-- tt: phase=expand\nvacuum t;\n").unwrap();
    for text in [
        "\u{feff}-- no-transaction\r\n-- tt: phase=expand\r\nvacuum t;\r\n",
        "-- no-transaction\r\n-- tt: phase=expand\r\nvacuum t;\r\n",
        "\u{feff}-- no-transaction\n-- tt: phase=expand\nvacuum t;\n",
    ] {
        assert_eq!(one(text).unwrap(), plain, "{text:?}");
    }
    assert!(matches!(plain.up.way, Way::Alone(_)));
}

#[test]
fn what_sqlx_recorded_is_known_again() {
    use sqlx::{AssertSqlSafe, SqlSafeStr, migrate::MigrationType};
    for text in [UP.to_owned(), UP.replace('\n', "\r\n"), format!("\u{feff}{UP}")] {
        let sql = AssertSqlSafe(text.clone()).into_sql_str();
        let recorded = sqlx::migrate::Migration::new(1, "a".into(), MigrationType::ReversibleUp, sql, false);
        assert!(one(UP).unwrap().up.was_recorded_as(&recorded.checksum), "{text:?}");
        if text == UP {
            assert_eq!(one(UP).unwrap().up.checksum(), *recorded.checksum);
        }
    }
    assert!(!one(UP).unwrap().up.was_recorded_as(b"something else"));
}

#[test]
fn a_release_needs_what_it_adds_and_knows_what_it_carries() {
    let loaded = load(files(&[
        ("0001_a.up.sql", UP),
        ("0001_a.down.sql", DOWN),
        ("0002_b.up.sql", "-- tt: phase=contract breaks-below=1\ndrop view v"),
        ("0002_b.down.sql", "-- tt: phase=expand\n"),
    ]))
    .unwrap();
    let schema = loaded.schema();
    assert_eq!((schema.needs, schema.knows), (Version::new(1), Version::new(2)));
    assert!(schema.survives(Version::new(2)) && !schema.survives(Version::new(3)));
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(name in "[0-9a-z_.]{0,12}(\\.up\\.sql|\\.down\\.sql)?", text in "(-- tt: phase=(expand|backfill|contract)\n)?\\PC{0,200}") {
        let _verdict = load([File::new(name, text)]);
    }

    #[test]
    fn the_order_in_which_files_are_found_changes_nothing(seed in Just(()), shuffled in Just(vec![1i64, 2, 3, 4]).prop_shuffle()) {
        let () = seed;
        let pair = |version: i64| [File::new(format!("{version:04}_a.up.sql"), UP), File::new(format!("{version:04}_a.down.sql"), DOWN)];
        let loaded = load(shuffled.iter().flat_map(|version| pair(*version))).unwrap();
        let versions: Vec<i64> = loaded.iter().map(|migration| migration.version.number()).collect();
        prop_assert_eq!(versions, vec![1, 2, 3, 4]);
    }

    #[test]
    fn words_never_lose_text(text in "\\PC{0,200}") {
        let cut = crate::words::cut(&text);
        for word in &cut.words {
            prop_assert_eq!(text.get(word.start..word.end()), Some(word.text));
        }
    }
}
