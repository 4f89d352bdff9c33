//! The database reached straight from here: everything that is done to its schema, forwards, backwards and half-way.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Ended, LOCAL, Program, Rehearsal, eventually};

/// The environment that goes there itself, with a snapshot before anything is lost.
const DIRECT: (&str, &str) = (
    "database: {instance: task-tracker}",
    "database:\n  instance: task-tracker\n  reach: direct\n  direct: {url: {secret: task-tracker/database-url}, migrations: ../migrations}\n  backup: {retention: 7d, rpo: 60m, rto: 60m}",
);

const SERVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../task-tracker");

/// The folder that the environment names, with the release's own migrations in it.
struct Folder {
    path: PathBuf,
    last: i64,
}

impl Folder {
    fn of(rehearsal: &Rehearsal, releases: &[&str]) -> Self {
        let path = rehearsal.folder().join("migrations");
        fs::create_dir(&path).unwrap();
        let mut folder = Self { path, last: 0 };
        for release in releases {
            for entry in fs::read_dir(Path::new(SERVICE).join(release)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.path().extension().is_some_and(|extension| extension == "sql") {
                    fs::copy(entry.path(), folder.path.join(&name)).unwrap();
                    folder.last = folder.last.max(name[..4].parse().unwrap());
                }
            }
        }
        folder
    }

    /// A migration of one's own; gives its number.
    fn write(&self, number: i64, name: &str, up: &str, down: &str) {
        for (direction, text) in [("up", up), ("down", down)] {
            let file = self.path.join(format!("{number:04}_{name}.{direction}.sql"));
            fs::write(file, text).unwrap();
        }
    }

    fn remove(&self, number: i64, name: &str) {
        for direction in ["up", "down"] {
            fs::remove_file(self.path.join(format!("{number:04}_{name}.{direction}.sql"))).unwrap();
        }
    }
}

/// Twelve rows that a way back would lose, and a function that makes whatever reads them slow.
const MEMOS: (&str, &str) = (
    "-- tt: phase=expand
create table memos (id bigint primary key, note text);
insert into memos (id) select generate_series(1, 12);
create function memo_slowly(bigint) returns bigint language sql immutable as 'select $1 from pg_sleep(0.3)';
",
    "-- tt: phase=expand
drop function memo_slowly;
drop table memos;
",
);

fn slow_index(name: &str) -> (String, String) {
    (
        format!(
            "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently {name} on memos (memo_slowly(id));\n"
        ),
        format!("-- no-transaction\n-- tt: phase=expand\ndrop index concurrently {name};\n"),
    )
}

/// Waits until the lock of a run that died has expired.
#[track_caller]
fn once_the_lock_expires(rehearsal: &Rehearsal, words: &str) -> Ended {
    eventually("the dead run's lock expires", || {
        let ended = rehearsal.tt(words);
        (ended.code() != Some(10)).then_some(ended)
    })
}

/// A fact that the engine said, among the lines of a run.
fn said(line: &Value, event: &str) -> Option<Value> {
    let lines = line["lines"].as_array()?;
    lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line.as_str()?).ok())
        .find(|said| said["event"] == event)
}

#[test]
fn the_schema_is_changed_and_taken_back_straight_from_here() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let folder = Folder::of(&rehearsal, &["migrations"]);
    rehearsal.environment(LOCAL, &[DIRECT]);
    it_is_shown_and_changed(&rehearsal, &folder);
    it_is_taken_back(&rehearsal, &folder);
    what_fails_leaves_nothing(&rehearsal, &folder);
    what_is_not_allowed_changes_nothing(&rehearsal, &folder);
    assert_eq!(rehearsal.answering(), "1.0.0");
}

/// Nothing pending, pending, planned, applied, and on record.
#[track_caller]
fn it_is_shown_and_changed(rehearsal: &Rehearsal, folder: &Folder) {
    let memos = folder.last + 1;
    rehearsal
        .tt("db-status local")
        .exits(0)
        .prints("local, straight from here, with the files in migrations")
        .prints("applied  0001 projects and tasks (expand)")
        .never_prints("pending")
        .never_prints("postgres://");
    rehearsal.tt("db-migrate local --check").exits(0);
    folder.write(memos, "memos", MEMOS.0, MEMOS.1);
    rehearsal
        .tt("db-status local")
        .exits(0)
        .prints(&format!("pending  {memos:04} memos (expand)"));
    rehearsal.tt("db-migrate local --check").exits(3);
    rehearsal
        .tt("db-migrate local --plan")
        .exits(0)
        .prints("create table memos");
    rehearsal.tt("db-migrate local --check").exits(3);
    rehearsal
        .tt("db-migrate local --yes")
        .exits(0)
        .prints(&format!("applied {memos:04} memos"))
        .prints("done: the schema of local is where it should be.")
        .never_prints("postgres://");
    let record = &rehearsal.history()[0];
    assert_eq!(record["command"], "db-migrate", "{record:#}");
    assert_eq!(record["outcome"]["outcome"], "done", "{record:#}");
    assert_eq!(
        (&record["release"], &record["task_definition"]),
        (&"migrations".into(), &Value::Null)
    );
}

/// What a way back loses is counted, shown, refused, and taken only at the very figure.
#[track_caller]
fn it_is_taken_back(rehearsal: &Rehearsal, folder: &Folder) {
    let (last, memos) = (folder.last, folder.last + 1);
    let back = format!("db-rollback local --to {last}");
    rehearsal
        .tt(&format!("{back} --plan"))
        .exits(0)
        .prints("drop table memos")
        .prints("lost: memos.* in 12 rows")
        .prints("--accept-data-loss=memos.*:12");
    rehearsal
        .tt(&format!("{back} --yes"))
        .exits(4)
        .prints("memos.* in 12 rows");
    rehearsal
        .tt(&format!("{back} --yes --accept-data-loss memos.*:11"))
        .exits(4);
    rehearsal.tt("db-migrate local --check").exits(0);
    rehearsal
        .tt(&format!("{back} --yes --accept-data-loss memos.*:12"))
        .exits(0)
        .prints("take snapshot task-tracker-before-rollback-")
        .prints(&format!("undid {memos:04} memos"));
    rehearsal.tt("db-migrate local --check").exits(3);
    assert_eq!(rehearsal.history()[0]["command"], "db-rollback");
    rehearsal
        .tt("db-rollback local --to 1 --yes")
        .exits(4)
        .complains("release 1.0.0 needs schema");
}

/// A step that fails leaves nothing; a file that was edited is refused before anything is touched.
#[track_caller]
fn what_fails_leaves_nothing(rehearsal: &Rehearsal, folder: &Folder) {
    let memos = folder.last + 1;
    folder.remove(memos, "memos");
    folder.write(
        memos,
        "wrong",
        "-- tt: phase=expand\nalter table nowhere add column a bigint;\n",
        "-- tt: phase=expand\n",
    );
    rehearsal
        .tt("db-migrate local --yes")
        .exits(6)
        .prints("relation \"nowhere\" does not exist");
    folder.remove(memos, "wrong");
    rehearsal.tt("db-migrate local --check").exits(0);
    let first = folder.path.join("0001_projects_and_tasks.up.sql");
    let text = fs::read_to_string(&first).unwrap();
    fs::write(&first, format!("{text}\nselect 1;\n")).unwrap();
    rehearsal
        .tt("db-status local")
        .exits(8)
        .prints("drift")
        .complains("restore the files from the release that was applied");
    rehearsal.tt("db-migrate local --yes").exits(8);
    fs::write(&first, text).unwrap();
}

/// A contraction of what the live release needs; a secret and a folder that are not there.
#[track_caller]
fn what_is_not_allowed_changes_nothing(rehearsal: &Rehearsal, folder: &Folder) {
    let memos = folder.last + 1;
    folder.write(
        memos,
        "drop_search",
        &format!("-- tt: phase=contract breaks-below={memos:04}\ndrop table if exists memos;\n"),
        "-- tt: phase=contract\n",
    );
    rehearsal
        .tt("db-migrate local --phase contract --yes")
        .exits(4)
        .complains(&format!(
            "release 1.0.0, which users have, needs what {memos:04} drop search would remove"
        ));
    rehearsal.environment("astray", &[(DIRECT.0, &DIRECT.1.replace("/database-url", "/no-such"))]);
    rehearsal
        .tt("db-status astray")
        .exits(1)
        .complains("task-tracker/no-such");
    rehearsal.environment(
        "nowhere",
        &[(DIRECT.0, &DIRECT.1.replace("../migrations", "../nowhere"))],
    );
    rehearsal
        .tt("db-status nowhere")
        .exits(2)
        .complains("database.direct.migrations");
}

#[test]
fn a_run_from_here_is_killed_resumed_kept_alone_and_survives_a_failover() {
    let rehearsal = Rehearsal::up();
    let folder = Folder::of(&rehearsal, &["migrations"]);
    rehearsal.environment(LOCAL, &[DIRECT]);
    folder.write(folder.last + 1, "memos", MEMOS.0, MEMOS.1);
    rehearsal.tt("db-migrate local --yes").exits(0);

    let number = folder.last + 2;
    let (up, down) = slow_index("memos_slow");
    folder.write(number, "slow", &up, &down);
    let mut run = rehearsal.start("db-migrate local --yes --output json");
    run.wait_for("the index is being built", |line| said(line, "started").is_some());
    rehearsal
        .tt("db-migrate local --yes")
        .exits(10)
        .complains("holds the deploy lock until");
    run.signal(Signal::KILL);
    assert_eq!(run.finish().code(), None);

    rehearsal
        .tt("db-status local")
        .exits(7)
        .prints(&format!("cut off  {number:04}: needs --resume"));
    once_the_lock_expires(&rehearsal, "db-migrate local --yes")
        .exits(7)
        .prints("was cut off half-way")
        .complains("`tt-ops db-migrate local --resume` goes on where it stopped");
    rehearsal
        .tt("db-migrate local --resume --yes")
        .exits(0)
        .prints(&format!("{number:04} was cut off and is done again"));
    rehearsal.tt("db-status local").exits(0).never_prints("INVALID");

    let number = number + 1;
    let (up, down) = slow_index("memos_slower");
    folder.write(number, "slower", &up, &down);
    let mut run = rehearsal.start("db-migrate local --yes --output json");
    run.wait_for("the index is being built", |line| said(line, "started").is_some());
    rehearsal.aws(
        "rds",
        "Action=RebootDBInstance&Version=2014-10-31&DBInstanceIdentifier=task-tracker&ForceFailover=false",
    );
    run.wait_for("the database is away", |line| said(line, "reconnecting").is_some());
    run.finish().exits(0);
    rehearsal
        .tt("db-status local")
        .exits(0)
        .prints(&format!("applied  {number:04} slower (expand)"))
        .never_prints("INVALID");
}

#[test]
fn a_contraction_waits_for_older_tasks_and_closes_the_way_back() {
    let rehearsal = Rehearsal::serving("1.0.0");
    let older = rehearsal.status()["task_definition"].clone();
    rehearsal.push(Program::NextRelease, "2.0.0");
    rehearsal.push(Program::NextRelease, "2.1.0");
    let canary = "strategy: canary\n  canary: {percent: 10, bake: 2m}\n  bake: 3m";
    let at_once = (canary, "strategy: all-at-once\n  bake: 0m");
    rehearsal.environment("quick", &[at_once]);
    rehearsal.environment("straight", &[at_once, DIRECT]);
    rehearsal.environment(
        "careful",
        &[at_once, ("timeout: 2m}", "timeout: 2m, require_rehearsal: true}")],
    );
    rehearsal.tt("deploy quick --image 2.0.0").exits(0);
    rehearsal.tt("status quick --watch").exits(0);

    // By task: what the release in use carries.
    rehearsal
        .tt("db-status quick")
        .exits(0)
        .prints("applied  0102 estimate old tasks (backfill)");
    rehearsal
        .tt("db-rollback quick --to 101 --plan")
        .exits(0)
        .prints("0102 estimate old tasks (backfill)")
        .prints("no data would be lost");

    let folder = Folder::of(&rehearsal, &["migrations", "examples/next_release"]);
    folder.write(
        200,
        "forget_estimates",
        "-- tt: phase=contract breaks-below=0100\nalter table tasks drop column estimate_minutes;\n",
        "-- tt: phase=contract\nalter table tasks add column estimate_minutes bigint;\n",
    );
    let contract = "db-migrate straight --phase contract --yes";
    let left_over = json!({ "cluster": "task-tracker", "taskDefinition": older, "count": 1 });
    let started = rehearsal.ecs("RunTask", &left_over);
    let task = &started["tasks"][0]["taskArn"];
    rehearsal
        .tt(contract)
        .exits(4)
        .complains("releases that may need what a contract migration removes are still in service: 1.0.0 (1 running)");
    rehearsal.ecs("StopTask", &json!({ "cluster": "task-tracker", "task": task }));
    rehearsal
        .tt("db-migrate quick --phase contract --image 2.1.0 --yes")
        .exits(4)
        .complains("2.0.0, which users have");
    let done = eventually("the older task is gone", || {
        let ended = rehearsal.tt(contract);
        (ended.code() != Some(4)).then_some(ended)
    });
    done.exits(0).prints("applied 0200 forget estimates");
    rehearsal
        .tt("rollback quick")
        .exits(4)
        .complains("the schema has moved on since release 1.0.0: 0200 forget estimates removed what it needs");
    assert_eq!(rehearsal.answering(), "2.0.0");

    // Where rehearsals are wanted, an image is deployed after one and not before.
    let deploy = "deploy careful --image 2.1.0 --plan";
    rehearsal
        .tt(deploy)
        .exits(4)
        .complains("have not run on a restored copy");
    eventually("the first automated backup", || {
        let lines = rehearsal.tt("backup careful list --output json").exits(0).json();
        let window = lines.into_iter().find(|line| line["event"] == "window")?;
        (!window["window"].is_null()).then_some(())
    });
    let rehearse = "db-migrate careful --rehearse latest --image 2.1.0";
    rehearsal
        .tt(&format!("{rehearse} --plan"))
        .exits(0)
        .prints("run the pending migrations on task-tracker-rehearsal-");
    rehearsal.tt(deploy).exits(4);
    rehearsal
        .tt(&format!("{rehearse} --yes"))
        .exits(0)
        .prints("the copy is gone");
    rehearsal.tt(deploy).exits(0);
}
