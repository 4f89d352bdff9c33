//! A simulated RDS, and a database in it.

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
        Amcheck, AppliedMigration, DatabasePlan, DrillRecord, Encryption, Endpoint, Examination, Instance,
        InstanceStatus, Mark, RestoreFrom, RestoreSettings, Snapshot, SnapshotKind, SnapshotStatus, TableCount,
    },
};

use crate::{
    Clock, Event, PortError, PortErrorKind,
    database::{
        Backups, Database, DatabaseEvent, DatabaseExecutor, DatabaseHalted, DatabaseOutcome, Depth, MigrationsEnded, On,
    },
    tests::world::{BEGIN, environment, holder},
};
/// What RDS and the copy are like.
#[derive(Debug, Clone, Default)]
pub(super) struct Script {
    /// The status in which snapshots and instances end, when not available.
    pub(super) ends_as: Option<&'static str>,
    /// Rows that a copy has.
    pub(super) lost_rows: bool,
    /// Every look at an instance fails this often before it succeeds.
    pub(super) flaky: u32,
    /// What migrations end with.
    pub(super) migrations: u8,
    /// RDS restores, and its answer does not arrive: asked again, it says that the instance exists.
    pub(super) lost_answer: bool,
}

/// A simulated RDS: things take a minute and a half each.
#[derive(Debug, Clone)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    begun: tokio::time::Instant,
    script: Script,
    pub(super) snapshots: BTreeMap<(String, String), (OffsetDateTime, Mark)>,
    pub(super) instances: BTreeMap<String, (OffsetDateTime, Option<Mark>)>,
    pub(super) replicated: Vec<Region>,
    pub(super) drills: Vec<DrillRecord>,
    pub(super) migrated: Vec<Option<Endpoint>>,
    failures: u32,
}

pub(super) const TAKES: Duration = Duration::from_secs(90);

impl World {
    pub(super) fn new(script: Script) -> Self {
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.state().instances.keys().cloned().collect()
    }

    pub(super) async fn run(
        &self,
        plan: &DatabasePlan,
    ) -> (Result<DatabaseOutcome, DatabaseHalted>, Vec<DatabaseEvent>) {
        self.run_until(plan, std::future::pending()).await
    }

    pub(super) async fn run_until(
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

fn conflict(action: &str) -> PortError {
    PortError {
        action: action.to_owned(),
        kind: PortErrorKind::Conflict,
        hint: None,
        source: None,
    }
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
