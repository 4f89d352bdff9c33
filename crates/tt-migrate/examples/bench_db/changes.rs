//! The table, and the changes to it: as people write them, and in the form that keeps nobody waiting.

use tt_migrate::{File, Migrations};

use crate::{Failure, cluster::Database};

/// A change in both forms.
pub(crate) struct Change {
    pub(crate) name: &'static str,
    /// One file, as people write it.
    pub(crate) naive: &'static str,
    /// Files with their headers, in order.
    pub(crate) safe: &'static [&'static str],
}

/// A database to be copied for each measurement: `big` with so many rows, and `kinds` for its foreign key.
pub(crate) async fn table(rows: u32) -> Result<Database, Failure> {
    let database = Database::empty().await;
    database
        .execute(&format!(
            "create table kinds (id int primary key); insert into kinds select generate_series(0, 99);\
             create table big (id bigint primary key, kind int, code bigint, note text);\
             insert into big select n, n % 100, n, 'note ' || n from generate_series(1, {rows}) n"
        ))
        .await;
    database.execute("vacuum analyze big").await;
    Ok(database)
}

pub(crate) fn all() -> Vec<Change> {
    vec![
        Change {
            name: "add column, volatile default",
            naive: "alter table big add column token uuid default gen_random_uuid()",
            safe: &[
                "-- tt: phase=expand\nalter table big add column token uuid;\nalter table big alter column token set default gen_random_uuid()",
                "-- tt: phase=backfill\nupdate big set token = gen_random_uuid() where token is null",
            ],
        },
        Change {
            name: "create index",
            naive: "create index big_code on big (code)",
            safe: &["-- no-transaction\n-- tt: phase=expand\ncreate index concurrently big_code on big (code)"],
        },
        Change {
            name: "check",
            naive: "alter table big add constraint big_code_positive check (code > 0)",
            safe: &[
                "-- tt: phase=expand\nalter table big add constraint big_code_positive check (code > 0) not valid",
                "-- tt: phase=expand\nalter table big validate constraint big_code_positive",
            ],
        },
        Change {
            name: "foreign key",
            naive: "alter table big add constraint big_kind foreign key (kind) references kinds (id)",
            safe: &[
                "-- tt: phase=expand\nalter table big add constraint big_kind foreign key (kind) references kinds (id) not valid",
                "-- tt: phase=expand\nalter table big validate constraint big_kind",
            ],
        },
        Change {
            name: "set not null",
            naive: "alter table big alter column note set not null",
            safe: &[
                "-- tt: phase=expand\nalter table big add constraint big_note_set check (note is not null) not valid",
                "-- tt: phase=expand\nalter table big validate constraint big_note_set",
                "-- tt: phase=expand\nalter table big alter column note set not null",
                "-- tt: phase=expand\nalter table big drop constraint big_note_set",
            ],
        },
        Change {
            name: "unique",
            naive: "alter table big add constraint big_code_once unique (code)",
            safe: &[
                "-- no-transaction\n-- tt: phase=expand\ncreate unique index concurrently big_code_once on big (code)",
                "-- tt: phase=expand\nalter table big add constraint big_code_once unique using index big_code_once",
            ],
        },
    ]
}

/// The files of a release that holds these ways up.
pub(crate) fn release<'t>(ups: impl IntoIterator<Item = &'t str>) -> Result<Migrations, Failure> {
    let files = ups.into_iter().zip(1..).flat_map(|(up, version)| {
        [
            File::new(format!("{version:04}_change.up.sql"), up),
            File::new(format!("{version:04}_change.down.sql"), "-- tt: phase=expand\n"),
        ]
    });
    Ok(tt_migrate::load(files)?)
}
