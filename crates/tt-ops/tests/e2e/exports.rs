//! Exports as a DBA meets them: taken under load, restored beside, refused when damaged, and nothing left of one that failed.

use std::{path::Path, process::Command};

use rustix::process::Signal;
use secrecy::ExposeSecret;
use serde_json::json;
use tt_aws::{Begun, Clients, ExportId, ExportState, S3Exports};
use tt_environment::{Environment, EnvironmentName};
use tt_export::{Reading as _, Store, StoreError, Upload as _};

use crate::harness::{LOCAL, Rehearsal, eventually, nothing_lost};

const POLICY: (&str, &str) = (
    "database: {instance: task-tracker}",
    "database:\n  instance: task-tracker\n  backup: {retention: 7d, rpo: 60m, rto: 60m}",
);

/// Every table of a database with how many rows it has and a digest of them.
const CONTENTS: &str = "SELECT table_name, (xpath('/row/c/text()', query_to_xml(format(\
    'SELECT count(*) || '':'' || md5(coalesce(string_agg(t::text, E''\\n'' ORDER BY t::text), '''')) AS c FROM %I.%I t', \
    table_schema, table_name), false, true, '')))[1]::text \
    FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1";

type Spoil = fn(&mut Vec<u8>);

#[test]
fn an_export_is_taken_under_load_and_restored_beside() {
    let rehearsal = Rehearsal::serving("1.0.0");
    rehearsal.environment(LOCAL, &[POLICY]);
    rehearsal.tt("backup local exports").exits(0).prints("no export");
    let load = rehearsal.load();
    rehearsal
        .tt("backup local export --id under-load --connections 2")
        .exits(0)
        .prints("task_tracker is exported as under-load: ")
        .prints("s3://tt-ops-local/task-tracker/exports/under-load/")
        .never_prints("postgres://");
    nothing_lost(&load.finish());
    rehearsal
        .tt("backup local export --id under-load")
        .exits(4)
        .complains("there is an export `under-load` already");
    rehearsal
        .tt("restore local --from-export under-load --as under_load --plan")
        .exits(0)
        .prints("1. verify the checksum of every part");
    let events = rehearsal
        .tt("restore local --from-export under-load --as under_load --yes --output json")
        .exits(0)
        .json();
    let imported = events.last().unwrap();
    assert_eq!(imported["event"], "imported", "{imported}");
    assert_eq!(imported["rows"], events[0]["rows"], "{imported}");
    assert!(imported["rows"].as_u64().unwrap() > 100, "{imported}");

    // With nobody writing, source and copy can be compared row by row.
    nobody_writes(&rehearsal);
    rehearsal.tt("backup local export --id quiet").exits(0);
    rehearsal
        .tt("restore local --from-export quiet --as quiet --yes")
        .exits(0)
        .prints("database quiet holds export quiet: ");
    let (source, copy) = (contents(&rehearsal, "task_tracker"), contents(&rehearsal, "quiet"));
    assert!(source.contains("tasks|"), "{source}");
    assert_eq!(copy, source);
    let copies = contents(&rehearsal, "under_load");
    assert_eq!(copies.lines().count(), source.lines().count(), "{copies}");

    rehearsal
        .tt("restore local --from-export quiet --as quiet --yes")
        .exits(4)
        .complains("there is a database `quiet` already");
    rehearsal
        .tt("restore local --from-export no-such-thing --as fresh --yes")
        .exits(9)
        .complains("there is no such object")
        .complains("`tt-ops backup local exports` lists them");
    rehearsal
        .tt("restore local --from-export quiet --as no;name --yes")
        .exits(2);
    damaged_exports_are_refused(&rehearsal);
    failed_exports_leave_nothing(&rehearsal);
    exports_are_pruned(&rehearsal);
}

fn damaged_exports_are_refused(rehearsal: &Rehearsal) {
    let data = largest_part(rehearsal, "quiet");
    let cases: [(&str, Spoil, &str); 3] = [
        (
            &data,
            |bytes| bytes[40] ^= 1,
            "was altered: its checksum does not match",
        ),
        (&data, |bytes| bytes.truncate(30), "was cut short"),
        (
            "manifest.json",
            |bytes| bytes[300] ^= 1,
            "is not the manifest of an export",
        ),
    ];
    for (part, spoil, complaint) in cases {
        let whole = within(rehearsal, async |exports| {
            let export = exports.open(&id("quiet"));
            let whole = read(&export, part).await;
            let mut spoilt = whole.clone();
            spoil(&mut spoilt);
            write(&export, part, &spoilt).await;
            whole
        });
        rehearsal
            .tt("restore local --from-export quiet --as fresh --yes")
            .exits(9)
            .complains(complaint)
            .complains(part);
        assert_eq!(
            contents(rehearsal, "task_tracker").lines().count(),
            databases(rehearsal).1
        );
        assert!(!databases(rehearsal).0.contains("fresh"), "{part}: {complaint}");
        within(rehearsal, async |exports| {
            write(&exports.open(&id("quiet")), part, &whole).await;
        });
    }
    rehearsal
        .tt("restore local --from-export quiet --as fresh --yes")
        .exits(0);
}

fn failed_exports_leave_nothing(rehearsal: &Rehearsal) {
    rehearsal.fault(&json!({"on": "s3:PutObject", "effect": {"delay_ms": 2000}}));
    let mut interrupted = rehearsal.start("backup local export --id cut --output json");
    interrupted.wait_for("the export is begun", |line| line["event"] == "moving");
    interrupted.signal(Signal::INT);
    interrupted
        .finish()
        .exits(1)
        .prints("the export was interrupted")
        .prints("what had been written of it is removed");
    rehearsal.no_faults();
    rehearsal.tt("backup local exports").exits(0).never_prints("cut");

    // The name is taken by the first object; no later one can be written.
    let refused = json!({"error": {"code": "AccessDenied", "status": 403}});
    rehearsal.fault(&json!({"on": "s3:PutObject", "times": 1, "effect": {"delay_ms": 1}}));
    rehearsal.fault(&json!({"on": "s3:PutObject", "effect": refused}));
    rehearsal
        .tt("backup local export --id refused")
        .exits(1)
        .complains("could not write `before-data.sql.gz`")
        .complains("what had been written of it is removed");
    rehearsal.no_faults();
    rehearsal.tt("backup local exports").exits(0).never_prints("refused");
}

fn exports_are_pruned(rehearsal: &Rehearsal) {
    rehearsal
        .tt("backup local exports")
        .exits(0)
        .prints("under-load")
        .prints(" rows in ");
    rehearsal
        .tt("backup local prune-exports --yes")
        .exits(0)
        .prints("nothing to do");
    rehearsal
        .tt("backup local prune-exports --id under-load --plan")
        .exits(0)
        .prints("to delete:");
    rehearsal
        .tt("backup local prune-exports --id under-load --yes")
        .exits(0)
        .prints("deleted export under-load");
    rehearsal
        .tt("backup local prune-exports --id under-load --yes")
        .exits(4)
        .complains("there is no export `under-load`");
}

/// What `tt-ops` keeps exports in, by itself: pieces, connections that break, and what is removed.
#[test]
fn an_object_of_many_pieces_comes_back_and_an_unfinished_one_goes() {
    let rehearsal = Rehearsal::up();
    let body: Vec<u8> = (0..13_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    within(&rehearsal, async |exports| {
        let export = exports.begin(&id("one"), &begun()).await.unwrap();
        assert!(exports.begin(&id("one"), &begun()).await.is_err(), "the name is taken");
        let mut upload = export.create("data/large").await.unwrap();
        for piece in body.chunks(250_000) {
            upload.write(piece.to_vec().into()).await.unwrap();
        }
        assert!(matches!(export.open("data/large").await, Err(StoreError::Absent)));
        upload.finish().await.unwrap();
        assert!(read(&export, "data/large").await == body, "it comes back as it was");
    });
    let calls = rehearsal.calls();
    assert_eq!(calls.get("s3:CompleteMultipartUpload"), Some(&1), "{calls:?}");
    a_broken_connection_is_opened_again_but_not_for_ever(&rehearsal, &body);
    within(&rehearsal, async |exports| {
        let export = exports.open(&id("one"));
        let mut unfinished = export.create("data/unfinished").await.unwrap();
        for piece in body.chunks(250_000) {
            unfinished.write(piece.to_vec().into()).await.unwrap();
        }
        drop(unfinished);
        let listed = exports.list().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&listed[0].begun, &listed[0].state),
            (&Some(begun()), &ExportState::Unfinished)
        );
        exports.remove(&id("one")).await.unwrap();
        assert_eq!(exports.list().await.unwrap(), []);
    });
    let calls = rehearsal.calls();
    assert_eq!(calls.get("s3:AbortMultipartUpload"), Some(&1), "{calls:?}");
}

fn a_broken_connection_is_opened_again_but_not_for_ever(rehearsal: &Rehearsal, body: &[u8]) {
    rehearsal.forget_calls();
    rehearsal.fault(&json!({"on": "s3:GetObject", "times": 2, "effect": {"cut_after_bytes": 3_000_000}}));
    within(rehearsal, async |exports| {
        assert!(
            read(&exports.open(&id("one")), "data/large").await == body,
            "it comes back as it was"
        );
    });
    assert_eq!(rehearsal.calls().get("s3:GetObject"), Some(&3), "twice it broke");
    rehearsal.forget_calls();
    rehearsal.fault(&json!({"on": "s3:GetObject", "effect": {"cut_after_bytes": 1000}}));
    within(rehearsal, async |exports| {
        let mut object = exports.open(&id("one")).open("data/large").await.unwrap();
        let broken = loop {
            match object.next().await {
                Ok(bytes) => assert!(bytes.is_some(), "there is more of it"),
                Err(error) => break error,
            }
        };
        assert!(matches!(broken, StoreError::Failed(_)), "{broken}");
    });
    assert_eq!(rehearsal.calls().get("s3:GetObject"), Some(&6), "and five times more");
    rehearsal.no_faults();
    rehearsal.forget_calls();
}

fn begun() -> Begun {
    Begun {
        at: time::OffsetDateTime::UNIX_EPOCH,
        by: "ada".to_owned(),
    }
}

pub(crate) fn id(text: &str) -> ExportId {
    ExportId::parse(text).unwrap()
}

async fn read(export: &impl Store, name: &str) -> Vec<u8> {
    let mut object = export.open(name).await.unwrap();
    let mut whole = Vec::new();
    while let Some(bytes) = object.next().await.unwrap() {
        whole.extend_from_slice(&bytes);
    }
    whole
}

async fn write(export: &impl Store, name: &str, bytes: &[u8]) {
    let mut upload = export.create(name).await.unwrap();
    upload.write(bytes.to_vec().into()).await.unwrap();
    upload.finish().await.unwrap();
}

fn largest_part(rehearsal: &Rehearsal, export: &str) -> String {
    let listed = within(rehearsal, async |exports| exports.list().await.unwrap());
    let found = listed.into_iter().find(|found| found.id == id(export)).unwrap();
    let ExportState::Complete(manifest) = found.state else {
        panic!("{export} is not complete");
    };
    let parts = manifest.tables.iter().flat_map(|table| &table.parts);
    parts.max_by_key(|part| part.bytes).unwrap().name.clone()
}

/// Does something with the exports as the tool reaches them.
pub(crate) fn within<T>(rehearsal: &Rehearsal, act: impl AsyncFnOnce(S3Exports) -> T) -> T {
    reached(rehearsal, async |clients, environment| {
        act(S3Exports::new(&clients, &environment)).await
    })
}

fn reached<T>(rehearsal: &Rehearsal, act: impl AsyncFnOnce(Clients, Environment) -> T) -> T {
    let file = rehearsal.file(LOCAL);
    let folder: &Path = file.parent().unwrap();
    let environment = tt_environment::load(folder, &EnvironmentName::parse(LOCAL).unwrap(), &|_| None).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clients = Clients::connect(&environment).await;
        act(clients, environment).await
    })
}

pub(crate) fn nobody_writes(rehearsal: &Rehearsal) {
    let stop = json!({"cluster": "task-tracker", "service": "task-tracker", "desiredCount": 0});
    rehearsal.ecs("UpdateService", &stop);
    let all = json!({"cluster": "task-tracker", "desiredStatus": "RUNNING"});
    eventually("the service has stopped", || {
        let listed = rehearsal.ecs("ListTasks", &all);
        listed["taskArns"].as_array().unwrap().is_empty().then_some(())
    });
}

fn contents(rehearsal: &Rehearsal, database: &str) -> String {
    psql(rehearsal, database, CONTENTS)
}

/// The databases there are, and how many tables the service's has.
fn databases(rehearsal: &Rehearsal) -> (String, usize) {
    let names = psql(rehearsal, "task_tracker", "SELECT datname FROM pg_database ORDER BY 1");
    (names, contents(rehearsal, "task_tracker").lines().count())
}

pub(crate) fn psql(rehearsal: &Rehearsal, database: &str, statement: &str) -> String {
    let url = reached(rehearsal, async |clients, environment| {
        clients
            .database_url(&environment.secrets["DATABASE_URL"])
            .await
            .unwrap()
            .expose_secret()
            .to_owned()
    });
    let (server, _) = url.rsplit_once('/').unwrap();
    let asked = Command::new("psql")
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement])
        .arg(format!("{server}/{database}"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).unwrap()
}
