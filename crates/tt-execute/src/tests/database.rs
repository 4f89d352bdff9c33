//! Backups, drills and migrations against a simulated RDS: what is there afterwards, and what was written down.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use time::OffsetDateTime;
use tt_environment::{Environment, InstanceName, KmsKey, Region, SnapshotName};
use tt_plan::{
    Arn, MigrationOrder,
    database::{
        Amcheck, AppliedMigration, DatabaseCommand, DatabasePlan, DatabaseStep, DrillOutcome, DrillRecord, Encryption,
        Endpoint, Examination, Instance, InstanceStatus, Mark, Purpose, RestoreFrom, RestoreSettings, RunId, Snapshot,
        SnapshotKind, SnapshotStatus, TableCount,
    },
};

use super::world::{BEGIN, environment, holder};
use crate::{
    Clock, Event, PortError, PortErrorKind,
    database::{
        Backups, Database, DatabaseEvent, DatabaseExecutor, DatabaseHalt, DatabaseHalted, DatabaseOutcome, Depth,
        MigrationsEnded, On,
    },
};

/// What RDS and the copy are like.
#[derive(Debug, Clone, Default)]
struct Script {
    /// The status in which snapshots and instances end, when not available.
    ends_as: Option<&'static str>,
    /// Rows that a copy has.
    lost_rows: bool,
    /// Every look at an instance fails this often before it succeeds.
    flaky: u32,
    /// What migrations end with.
    migrations: u8,
    /// RDS restores, and its answer does not arrive: asked again, it says that the instance exists.
    lost_answer: bool,
}

/// A simulated RDS: things take a minute and a half each.
#[derive(Debug, Clone)]
struct World(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    begun: tokio::time::Instant,
    script: Script,
    snapshots: BTreeMap<(String, String), (OffsetDateTime, Mark)>,
    instances: BTreeMap<String, (OffsetDateTime, Option<Mark>)>,
    replicated: Vec<Region>,
    drills: Vec<DrillRecord>,
    migrated: Vec<Option<Endpoint>>,
    failures: u32,
}

const TAKES: Duration = Duration::from_secs(90);

impl World {
    fn new(script: Script) -> Self {
        let world = Self(Arc::new(Mutex::new(State {
            begun: tokio::time::Instant::now(),
            failures: script.flaky,
            script,
            snapshots: BTreeMap::new(),
            instances: BTreeMap::new(),
            replicated: Vec::new(),
            drills: Vec::new(),
            migrated: Vec::new(),
        })));
        world.state().instances.insert("db".to_owned(), (BEGIN - TAKES, None));
        world
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn names(&self) -> Vec<String> {
        self.state().instances.keys().cloned().collect()
    }

    async fn run(&self, plan: &DatabasePlan) -> (Result<DatabaseOutcome, DatabaseHalted>, Vec<DatabaseEvent>) {
        self.run_until(plan, std::future::pending()).await
    }

    async fn run_until(
        &self,
        plan: &DatabasePlan,
        interrupt: impl Future<Output = ()>,
    ) -> (Result<DatabaseOutcome, DatabaseHalted>, Vec<DatabaseEvent>) {
        let events = Mutex::new(Vec::new());
        let environment: Environment = environment();
        let executor = DatabaseExecutor {
            environment: &environment,
            backups: self,
            database: self,
            clock: self,
            task_definition: None,
            holder: &holder("ci"),
            emit: &|event| events.lock().unwrap().push(event),
        };
        let ended = executor.execute(plan, interrupt).await;
        (ended, events.into_inner().unwrap())
    }
}

impl State {
    fn now(&self) -> OffsetDateTime {
        BEGIN + self.begun.elapsed()
    }

    fn status(&self, since: OffsetDateTime) -> &'static str {
        if self.now() - since < TAKES {
            return "creating";
        }
        self.script.ends_as.unwrap_or("available")
    }

    fn percent(&self, since: OffsetDateTime) -> u8 {
        u8::try_from(((self.now() - since).whole_seconds() * 100 / 90).min(100)).unwrap()
    }
}

fn instance_name(name: &str) -> InstanceName {
    InstanceName::parse(name).unwrap()
}

fn snapshot_name(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

fn region(name: &str) -> Region {
    Region::parse(name).unwrap()
}

fn conflict(action: &str) -> PortError {
    PortError {
        action: action.to_owned(),
        kind: PortErrorKind::Conflict,
        hint: None,
        source: None,
    }
}

fn mark(purpose: Purpose) -> Mark {
    Mark::new(&environment().name, purpose)
}

impl Backups for World {
    async fn take_snapshot(&self, _: &InstanceName, snapshot: &SnapshotName, mark: &Mark) -> Result<(), PortError> {
        let mut state = self.state();
        let now = state.now();
        let home = environment().aws.region.to_string();
        state
            .snapshots
            .insert((home, snapshot.to_string()), (now, mark.clone()));
        Ok(())
    }

    async fn snapshot(&self, region: &Region, snapshot: &SnapshotName) -> Result<Option<Snapshot>, PortError> {
        let state = self.state();
        let found = state.snapshots.get(&(region.to_string(), snapshot.to_string()));
        Ok(found.map(|(since, mark)| Snapshot {
            name: snapshot.clone(),
            arn: Arn::new(format!("arn:aws:rds:{region}:1:snapshot:{snapshot}")),
            kind: SnapshotKind::Manual,
            status: SnapshotStatus::of(state.status(*since)),
            percent: state.percent(*since),
            taken: Some(*since),
            storage_gigabytes: 1,
            encryption: Encryption::Plain,
            mark: Some(mark.clone()),
        }))
    }

    async fn copy_snapshot(
        &self,
        snapshot: &Snapshot,
        to: &Region,
        _: Option<&KmsKey>,
        mark: &Mark,
    ) -> Result<(), PortError> {
        assert_eq!(snapshot.status, SnapshotStatus::Available, "a half snapshot is copied");
        let mut state = self.state();
        let now = state.now();
        state
            .snapshots
            .insert((to.to_string(), snapshot.name.to_string()), (now, mark.clone()));
        Ok(())
    }

    async fn replicate(&self, _: &Arn, to: &Region, _: Option<&KmsKey>, _: u32) -> Result<(), PortError> {
        self.state().replicated.push(to.clone());
        Ok(())
    }

    async fn delete_snapshot(&self, region: &Region, snapshot: &SnapshotName) -> Result<(), PortError> {
        self.state()
            .snapshots
            .remove(&(region.to_string(), snapshot.to_string()));
        Ok(())
    }

    async fn mark_tested(&self, snapshot: &SnapshotName, at: OffsetDateTime) -> Result<(), PortError> {
        let mut state = self.state();
        let home = environment().aws.region.to_string();
        if let Some((_, mark)) = state.snapshots.get_mut(&(home, snapshot.to_string())) {
            mark.tested = Some(at);
        }
        Ok(())
    }

    async fn restore(
        &self,
        _: &RestoreFrom,
        _: &InstanceName,
        copy: &InstanceName,
        _: &RestoreSettings,
        mark: &Mark,
    ) -> Result<(), PortError> {
        let mut state = self.state();
        let now = state.now();
        if state.instances.contains_key(copy.as_str()) {
            return Err(conflict("restore over an instance"));
        }
        state.instances.insert(copy.to_string(), (now, Some(mark.clone())));
        if state.script.lost_answer {
            return Err(conflict("restore over an instance"));
        }
        Ok(())
    }

    async fn instance(&self, instance: &InstanceName) -> Result<Option<Instance>, PortError> {
        let mut state = self.state();
        if state.failures > 0 {
            state.failures -= 1;
            return Err(PortError {
                kind: PortErrorKind::Throttled,
                ..conflict("describe an instance")
            });
        }
        let found = state.instances.get(instance.as_str());
        Ok(found.map(|(since, mark)| Instance {
            name: instance.clone(),
            arn: Arn::new(format!("arn:aws:rds:r:1:db:{instance}")),
            status: InstanceStatus::of(state.status(*since)),
            percent: Some(state.percent(*since)),
            engine: "postgres 16".to_owned(),
            class: "db.t4g.micro".to_owned(),
            endpoint: Some(Endpoint {
                host: format!("{instance}.example.com"),
                port: 5432,
            }),
            created: Some(*since),
            subnet_group: None,
            security_groups: Vec::new(),
            parameter_group: None,
            multi_az: false,
            storage_gigabytes: 1,
            encryption: Encryption::Plain,
            retention_days: 0,
            latest_restorable: None,
            mark: mark.clone(),
        }))
    }

    async fn delete_instance(&self, instance: &InstanceName) -> Result<(), PortError> {
        let mut state = self.state();
        let creating = state
            .instances
            .get(instance.as_str())
            .is_some_and(|(since, _)| state.status(*since) == "creating");
        if creating {
            return Err(conflict("delete an instance"));
        }
        state.instances.remove(instance.as_str());
        Ok(())
    }

    async fn keep(&self, drill: &DrillRecord) -> Result<(), PortError> {
        self.state().drills.push(drill.clone());
        Ok(())
    }
}

impl Database for World {
    async fn migrate(
        &self,
        order: &MigrationOrder,
        on: &On,
        _: &(dyn Fn(Event) + Sync),
    ) -> Result<MigrationsEnded, PortError> {
        assert!(order.changes());
        let mut state = self.state();
        state.migrated.push(on.copy.clone());
        Ok(MigrationsEnded {
            exit_code: state.script.migrations,
            reason: String::new(),
            lines: Vec::new(),
        })
    }

    async fn examine(&self, depth: Depth, on: &On, _: &(dyn Fn(Event) + Sync)) -> Result<Examination, PortError> {
        // A database that users are on is never read in full.
        assert_eq!(depth == Depth::Full, on.copy.is_some());
        let empty = self.state().script.lost_rows && on.copy.is_some();
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(Examination {
            server: "16".to_owned(),
            bytes: 1,
            migrations: vec![AppliedMigration {
                version: 1,
                name: "first".to_owned(),
                checksum: "aa".to_owned(),
            }],
            known: Vec::new(),
            tables: vec![TableCount {
                table: "public.tasks".to_owned(),
                rows: if empty { 0 } else { 7 },
            }],
            unvalidated: Vec::new(),
            invalid_indexes: Vec::new(),
            amcheck: Amcheck::NotDone {
                reason: "not installed".to_owned(),
            },
        })
    }
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        self.state().now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
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
