//! Folders that are refused before the database is asked, next to what PostgreSQL, or sqlx's runner, makes of them.

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{MigrationType, Migrator},
};
use tt_migrate::{Failure, File};

use crate::{
    cluster::Database,
    release::{release, up},
};

const HEADER: &str = "-- tt: phase=expand\n";
const TWO: &str = "create index concurrently i on t (a);\ncreate index concurrently j on t (a)";

#[test]
fn a_folder_that_cannot_be_used_is_refused_by_policy_and_says_what_to_do() {
    let two = format!("-- no-transaction\n{HEADER}{TWO}");
    for (files, words) in [
        (
            vec![("0001_a.up.sql", two.as_str())],
            "0001_a.up.sql:4: it is marked no-transaction and holds 2 statements",
        ),
        (
            vec![("0001_a.up.sql", "create table a (id int)")],
            "0001_a.up.sql: it has no header",
        ),
        (
            vec![
                ("0001_a.up.sql", "-- tt: phase=expand\ncreate table a (id int)"),
                ("0002_b.up.sql", HEADER),
            ],
            "0002_b.up.sql: it has no .down.sql beside it",
        ),
        (
            vec![("0001_a.up.sql", HEADER), ("1_b.up.sql", HEADER)],
            "1_b.up.sql: 0001_a.up.sql has the same version",
        ),
    ] {
        let down = files
            .iter()
            .filter(|(name, _)| name.starts_with("0001"))
            .map(|(name, _)| File::new(name.replace(".up.", ".down."), HEADER));
        let files = files.iter().map(|(name, text)| File::new(*name, *text)).chain(down);
        let failure = Failure::from(tt_migrate::load(files).unwrap_err());
        assert_eq!(failure.exit().code(), 4);
        assert!(failure.to_string().contains(words), "{failure}");
        assert!(failure.hint().contains("correct the files"), "{}", failure.hint());
    }
}

#[tokio::test]
async fn two_statements_that_cannot_share_a_transaction_fail_in_one_file_and_work_in_two() {
    let database = Database::with_rows(10).await;
    let mut connection = database.connect().await;
    // What sqlx's runner does with such a file.
    let sql = AssertSqlSafe(TWO).into_sql_str();
    let together = sqlx::migrate::Migration::new(1, "a".into(), MigrationType::ReversibleUp, sql, true);
    let refused = Migrator::with_migrations(vec![together]).run(&mut connection).await;
    assert!(
        refused.unwrap_err().to_string().contains("transaction block"),
        "PostgreSQL takes statements that arrive together for one transaction"
    );
    drop(connection);
    database.execute("drop table if exists _sqlx_migrations").await;

    let file = |statement: &str| format!("-- no-transaction\n{HEADER}{statement}");
    let (one, other) = TWO.split_once(";\n").unwrap();
    let migrations = release(&[
        ("0001_i", &file(one), &file("drop index concurrently i")),
        ("0002_j", &file(other), &file("drop index concurrently j")),
    ]);
    assert_eq!(up(&database, &migrations).await.well().finished(), [1, 2]);
}
