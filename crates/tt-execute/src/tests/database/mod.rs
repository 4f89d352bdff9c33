//! Backups, drills and migrations against a simulated RDS: what is there afterwards, and what was written down.

mod world;

use std::time::Duration;

use tt_environment::{InstanceName, Region, SnapshotName};
use tt_plan::{
    Arn,
    database::{
        DatabaseCommand, DatabasePlan, DatabaseStep, DrillOutcome, Mark, Purpose, RestoreFrom, RestoreSettings, RunId,
    },
};

use super::world::{BEGIN, environment};
use crate::database::{DatabaseEvent, DatabaseHalt, DatabaseOutcome};
use world::{Script, TAKES, World};

fn instance_name(name: &str) -> InstanceName {
    InstanceName::parse(name).unwrap()
}

fn snapshot_name(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn mark(purpose: Purpose) -> Mark {
    Mark::new(&environment().name, purpose)
}

fn plan(command: DatabaseCommand, steps: Vec<DatabaseStep>) -> DatabasePlan {
    DatabasePlan {
        command,
        instance: instance_name("db"),
        warnings: Vec::new(),
        steps,
    }
}

fn restored(command: DatabaseCommand, purpose: Purpose) -> DatabasePlan {
    let copy = instance_name("db-copy");
    let mut steps = vec![DatabaseStep::Restore {
        from: RestoreFrom::Snapshot {
            snapshot: snapshot_name("s-1"),
            taken: BEGIN - Duration::from_mins(5),
        },
        source: instance_name("db"),
        copy: copy.clone(),
        settings: RestoreSettings {
            class: "db.t4g.micro".to_owned(),
            subnet_group: None,
            security_groups: Vec::new(),
            parameter_group: None,
            multi_az: false,
            retention_days: 0,
        },
        mark: mark(purpose),
    }];
    match purpose {
        Purpose::Drill => steps.push(DatabaseStep::Examine {
            source: instance_name("db"),
            copy: copy.clone(),
        }),
        Purpose::Rehearsal => steps.push(DatabaseStep::Migrate { copy: copy.clone() }),
        Purpose::Restore | Purpose::Backup => {}
    }
    if command.leaves_nothing() {
        steps.push(DatabaseStep::DeleteInstance { instance: copy });
    }
    plan(command, steps)
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_whole_before_it_is_copied() {
    let world = World::new(Script::default());
    let backup = plan(
        DatabaseCommand::Backup,
        vec![
            DatabaseStep::TakeSnapshot {
                instance: instance_name("db"),
                snapshot: snapshot_name("s-1"),
                mark: mark(Purpose::Backup),
            },
            DatabaseStep::CopySnapshot {
                snapshot: snapshot_name("s-1"),
                to: region("eu-west-1"),
                kms_key: None,
                mark: mark(Purpose::Backup),
            },
            DatabaseStep::ReplicateBackups {
                instance: Arn::new("arn"),
                to: region("eu-west-1"),
                kms_key: None,
                retention_days: 35,
            },
        ],
    );
    let (ended, events) = world.run(&backup).await;
    assert_eq!(ended.unwrap(), DatabaseOutcome::Done);
    assert_eq!(world.state().snapshots.len(), 2);
    assert_eq!(world.state().replicated, [region("eu-west-1")]);
    let percents: Vec<u8> = events
        .iter()
        .filter_map(|event| {
            if let DatabaseEvent::Working { percent, .. } = event {
                *percent
            } else {
                None
            }
        })
        .collect();
    assert!(
        percents.iter().any(|percent| (1..100).contains(percent)),
        "{percents:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_rds_gives_up_on_ends_the_run() {
    for status in [
        "failed",
        "storage-full",
        "incompatible-network",
        "inaccessible-encryption-credentials",
    ] {
        let world = World::new(Script {
            ends_as: Some(status),
            ..Script::default()
        });
        let (ended, _) = world.run(&restored(DatabaseCommand::Restore, Purpose::Restore)).await;
        let halted = ended.unwrap_err();
        assert!(
            matches!(&halted.why, DatabaseHalt::Broken { status: found, .. } if found == status),
            "{:?}",
            halted.why
        );
        assert_eq!(
            halted.left,
            Some(instance_name("db-copy")),
            "a person asked for it and may look at it"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_drill_measures_remembers_and_leaves_nothing() {
    let world = World::new(Script {
        flaky: 3,
        ..Script::default()
    });
    let home = environment().aws.region.to_string();
    let tested = mark(Purpose::Backup);
    world
        .state()
        .snapshots
        .insert((home.clone(), "s-1".to_owned()), (BEGIN, tested));
    let (ended, events) = world.run(&restored(DatabaseCommand::Drill, Purpose::Drill)).await;
    let DatabaseOutcome::Drilled { drill } = ended.unwrap() else {
        panic!("a drill ends as one");
    };
    assert_eq!(drill.outcome, DrillOutcome::Passed);
    assert_eq!(drill.data_age_millis, 300_000);
    let (available, verified) = (
        drill.available_after_millis.unwrap(),
        drill.verified_after_millis.unwrap(),
    );
    assert!((90_000..verified).contains(&available), "{available} {verified}");
    assert_eq!(world.state().drills, [*drill]);
    assert!(world.state().snapshots[&(home, "s-1".to_owned())].1.tested.is_some());
    assert_eq!(world.names(), ["db"]);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, DatabaseEvent::Retrying { .. }))
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, DatabaseEvent::Found { .. }))
            .count(),
        5
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_copy_fails_the_drill_and_goes_too() {
    let world = World::new(Script {
        lost_rows: true,
        ..Script::default()
    });
    let (ended, _) = world.run(&restored(DatabaseCommand::Drill, Purpose::Drill)).await;
    assert!(matches!(ended.unwrap(), DatabaseOutcome::Drilled { drill } if drill.outcome == DrillOutcome::Failed));
    assert_eq!(world.names(), ["db"]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_drill_cleans_up_once_rds_lets_it() {
    let world = World::new(Script::default());
    let (ended, events) = world
        .run_until(
            &restored(DatabaseCommand::Drill, Purpose::Drill),
            tokio::time::sleep(Duration::from_secs(20)),
        )
        .await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, DatabaseHalt::Interrupted));
    assert_eq!(halted.left, None);
    assert_eq!(world.names(), ["db"]);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, DatabaseEvent::CleaningUp { .. }))
    );
    assert!(matches!(
        world.state().drills[0].outcome,
        DrillOutcome::NotFinished { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn nothing_without_our_tags_is_ever_deleted() {
    let world = World::new(Script::default());
    let delete = plan(
        DatabaseCommand::Prune,
        vec![DatabaseStep::DeleteInstance {
            instance: instance_name("db"),
        }],
    );
    let (ended, _) = world.run(&delete).await;
    assert!(matches!(ended.unwrap_err().why, DatabaseHalt::NotOurs { .. }));
    let mut theirs = mark(Purpose::Backup);
    theirs.environment = tt_environment::EnvironmentName::parse("other").unwrap();
    let home = environment().aws.region;
    world
        .state()
        .snapshots
        .insert((home.to_string(), "s-9".to_owned()), (BEGIN, theirs));
    let (ended, _) = world.run(&prune("s-9", "s-10")).await;
    assert!(matches!(ended.unwrap_err().why, DatabaseHalt::NotOurs { .. }));
    assert_eq!((world.names().len(), world.state().snapshots.len()), (1, 1));
}

/// One snapshot that goes, because of another one that stays.
fn prune(doomed: &str, newest: &str) -> DatabasePlan {
    plan(
        DatabaseCommand::Prune,
        vec![DatabaseStep::DeleteSnapshot {
            region: environment().aws.region,
            snapshot: snapshot_name(doomed),
            mark: mark(Purpose::Backup),
            outlived_by: snapshot_name(newest),
        }],
    )
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_goes_only_while_what_outlives_it_is_there_and_no_drill_has_passed_on_it() {
    let home = environment().aws.region.to_string();
    let key = |name: &str| (home.clone(), name.to_owned());
    let fresh = || {
        let world = World::new(Script::default());
        for name in ["old", "new"] {
            let kept = (BEGIN - TAKES, mark(Purpose::Backup));
            world.state().snapshots.insert(key(name), kept);
        }
        world
    };

    let world = fresh();
    assert!(world.run(&prune("old", "new")).await.0.is_ok());
    assert!(world.run(&prune("old", "new")).await.0.is_ok(), "gone is gone");
    assert_eq!(world.state().snapshots.len(), 1);

    let world = fresh();
    world.state().snapshots.remove(&key("new"));
    let moved = world.run(&prune("old", "new")).await.0.unwrap_err().why;
    assert!(
        matches!(&moved, DatabaseHalt::Moved { what } if what.contains("new")),
        "{moved}"
    );

    let world = fresh();
    world.state().snapshots.get_mut(&key("old")).unwrap().1.tested = Some(BEGIN);
    let moved = world.run(&prune("old", "new")).await.0.unwrap_err().why;
    assert!(
        matches!(&moved, DatabaseHalt::Moved { what } if what.contains("old")),
        "{moved}"
    );
    assert_eq!(world.state().snapshots.len(), 2);
}

/// A drill whose copy carries the tag of its run.
fn drill_of(run: u32) -> DatabasePlan {
    let mut plan = restored(DatabaseCommand::Drill, Purpose::Drill);
    for step in &mut plan.steps {
        if let DatabaseStep::Restore { mark, .. } = step {
            mark.run = Some(RunId::new(BEGIN, run));
        }
    }
    plan
}

#[tokio::test(start_paused = true)]
async fn of_two_drills_under_one_name_the_second_leaves_the_first_ones_copy_alone() {
    let world = World::new(Script::default());
    let theirs = mark(Purpose::Drill).of_run(&RunId::new(BEGIN, 1));
    let copy = ("db-copy".to_owned(), (BEGIN, Some(theirs)));
    world.state().instances.extend([copy]);
    let (ended, _) = world.run(&drill_of(2)).await;
    let halted = ended.unwrap_err();
    assert!(matches!(halted.why, DatabaseHalt::Port(_)), "{}", halted.why);
    assert_eq!(halted.left, None);
    assert_eq!(world.names(), ["db", "db-copy"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_restore_was_answered_to_nobody_is_known_by_the_runs_tag() {
    let world = World::new(Script {
        lost_answer: true,
        ..Script::default()
    });
    let (ended, _) = world.run(&drill_of(2)).await;
    assert!(matches!(ended.unwrap(), DatabaseOutcome::Drilled { drill } if drill.outcome == DrillOutcome::Passed));
    assert_eq!(world.names(), ["db"]);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_migrates_the_copy_and_nothing_else() {
    for code in [0, 6] {
        let world = World::new(Script {
            migrations: code,
            ..Script::default()
        });
        let (ended, _) = world
            .run(&restored(DatabaseCommand::Rehearse, Purpose::Rehearsal))
            .await;
        let DatabaseOutcome::Rehearsed { migrations } = ended.unwrap() else {
            panic!("a rehearsal ends as one");
        };
        assert_eq!(migrations.exit_code, code);
        let hosts: Vec<_> = world
            .state()
            .migrated
            .iter()
            .flatten()
            .map(|copy| copy.host.clone())
            .collect();
        assert_eq!(hosts, ["db-copy.example.com"]);
        assert_eq!(world.names(), ["db"]);
    }
}
