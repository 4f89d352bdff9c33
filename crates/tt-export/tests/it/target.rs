//! The database that a restore makes: one name while it is half full, another when it is whole, and nobody's database touched.

use std::time::Duration;

use sqlx::Connection as _;
use tt_export::{DatabaseName, DatabaseUrl, ExportError, Folder, Standing, Target, Trouble, fill, verify};
use tt_fixture::postgres::Server;
use uuid::Uuid;

use super::cluster::{Database, database};
use super::exported;

/// Nothing here takes a tenth of it.
const PATIENCE: Duration = Duration::from_mins(1);

fn target(server: &Database) -> Target {
    let name = DatabaseName::parse(&format!("r_{}", Uuid::new_v4().simple())).unwrap();
    Target::new(server.url(), name).unwrap()
}

async fn databases(server: &Database, target: &Target) -> String {
    let name = target.name();
    server
        .ask(&format!(
            "SELECT string_agg(datname || ': ' || coalesce(shobj_description(oid, 'pg_database'), ''), ', ') \
             FROM pg_database WHERE datname LIKE '{name}%'"
        ))
        .await
        .replace(name.as_str(), "copy")
}

#[tokio::test]
async fn a_database_has_its_name_when_it_is_whole() {
    let server = database().await;
    let target = target(&server);
    assert_eq!(target.look().await.unwrap(), Standing::Free);
    target.begin("it's x").await.unwrap();
    assert_eq!(
        databases(&server, &target).await,
        "copy_unfinished: unfinished restore of it's x"
    );
    target.finish("it's x").await.unwrap();
    assert_eq!(databases(&server, &target).await, "copy: restored from it's x");
    let again = target.begin("y").await.unwrap_err();
    assert!(matches!(again, ExportError::Exists { .. }), "{again}");
}

#[tokio::test]
async fn what_is_left_behind_goes_unless_somebody_is_there_or_made_it() {
    let server = database().await;
    let target = target(&server);
    target.begin("x").await.unwrap();
    let left = target.look().await.unwrap();
    assert_eq!(
        left,
        Standing::LeftBehind {
            says: "unfinished restore of x".to_owned()
        }
    );
    let name = target.unfinished().as_str();
    let busy = sqlx::PgConnection::connect(&Server::shared().url(name)).await.unwrap();
    let refused = target.begin("y").await.unwrap_err();
    assert!(matches!(refused, ExportError::Busy { .. }), "{refused}");
    busy.close().await.unwrap();
    // A session ends after its client has left.
    let left = async { while let Err(ExportError::Busy { .. }) = target.look().await {} };
    tokio::time::timeout(PATIENCE, left).await.unwrap();
    target.begin("y").await.unwrap();
    assert_eq!(
        databases(&server, &target).await,
        "copy_unfinished: unfinished restore of y"
    );

    server
        .run(&format!("COMMENT ON DATABASE {name} IS 'somebody''s own'"))
        .await;
    let foreign = target.begin("z").await.unwrap_err();
    assert!(
        matches!(&foreign, ExportError::Exists { name: found } if found == name),
        "{foreign}"
    );
    target.remove().await.unwrap();
    assert_eq!(databases(&server, &target).await, "nothing");
}

#[test]
fn a_name_leaves_room_for_its_unfinished_form() {
    let url = DatabaseUrl::parse("postgres://a@localhost/a").unwrap();
    let of = |letters: usize| Target::new(url.clone(), DatabaseName::parse(&"a".repeat(letters)).unwrap());
    assert!(of(52).is_ok());
    assert!(of(53).is_err());
}

/// Where this user may mount a disk, and where the test would prove nothing says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_from_a_refused_statement() {
    let server = match Server::with_a_small_disk(16 << 20) {
        Ok(server) => server,
        Err(why) => {
            let line = format!(
                "SKIPPED a_full_disk_is_told_from_a_refused_statement: this user may not mount a disk: {why}\n"
            );
            return std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
        }
    };
    let (source, folder) = (database().await, tempfile::tempdir().unwrap());
    source
        .run("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 30) AS note FROM generate_series(1, 20000) i")
        .await;
    exported(&source, &folder).await;
    let mut admin = sqlx::PgConnection::connect(&server.url("postgres")).await.unwrap();
    let disk = server.small_disk();
    for statement in [
        format!("CREATE TABLESPACE small LOCATION '{}'", disk.display()),
        "CREATE DATABASE small TABLESPACE small".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut admin)
            .await
            .unwrap();
    }
    let store = Folder::new(folder.path());
    let verified = verify(&store, 2, drop).await.unwrap();
    let url = DatabaseUrl::parse(&server.url("small")).unwrap();
    let full = fill(&url, &store, &verified, 2, drop).await.unwrap_err();
    assert_eq!(full.trouble(), Some(Trouble::DiskFull), "{full:?}");
    assert!(full.to_string().contains("public.t"), "{full}");
}
