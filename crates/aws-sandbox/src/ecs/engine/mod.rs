//! Carries out what the rollout and the scheduler decide: a turn looks at every service, moves its deployment, and
//! starts and stops tasks. Turns run on a timer, when a task changes, and inside the API calls that must have an
//! effect at once.
//!
//! A turn is synchronous and holds the world's lock for microseconds; what takes time (pulling, starting, draining)
//! runs in one asynchronous task per ECS task.

mod health;
mod launch;
mod life;
mod shift;
mod turn;
mod usage;

pub(super) use launch::split_image;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::names::Place;
use super::plane::Plane;
use super::world::{StopCode, TaskStatus, World};
use crate::clock::{self, Clock};
use crate::front::persist::{PersistError, Persisted, StateDir};
use crate::runtime::Process;

/// The longest time between two looks at what nobody tells us about: clocks and target health.
const TURN: Duration = Duration::from_millis(50);

/// Tasks get this long to end by themselves when the sandbox does.
const FAREWELL: Duration = Duration::from_secs(5);

pub(crate) struct Engine {
    pub(super) account: String,
    pub(super) clock: Clock,
    pub(super) world: Persisted<World>,
    pub(super) plane: Plane,
    dir: StateDir,
    wake: Notify,
    /// By task id: the tasks that have somebody looking after them.
    live: Mutex<HashMap<String, Live>>,
    closing: AtomicBool,
}

/// A task's processes and the way to stop it.
struct Live {
    stop: watch::Sender<bool>,
    processes: Vec<(String, Process)>,
}

/// What a turn leaves to do once the lock is free.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Start { region: String, task: String },
    Stop { task: String },
}

impl Engine {
    pub(crate) fn open(dir: &StateDir, account: &str, clock: Clock, plane: Plane) -> Result<Arc<Self>, PersistError> {
        let world = Persisted::open(dir, "ecs")?;
        let engine = Self {
            account: account.to_owned(),
            clock,
            world,
            plane,
            dir: dir.clone(),
            wake: Notify::new(),
            live: Mutex::default(),
            closing: AtomicBool::new(false),
        };
        engine.bury_the_dead();
        Ok(Arc::new(engine))
    }

    /// Runs until the sandbox closes.
    pub(crate) async fn run(self: Arc<Self>) {
        let usage = tokio::spawn(Arc::clone(&self).measure_forever());
        while !self.closing.load(Ordering::Acquire) {
            self.turn();
            // A wake-up and the timer are equally good reasons; the time-out itself is no error.
            if tokio::time::timeout(TURN, self.wake.notified()).await.is_err() {
                tracing::trace!("turn on the timer");
            }
        }
        usage.abort();
    }

    /// Looks at everything now and carries out what follows.
    pub(super) fn turn(self: &Arc<Self>) {
        for order in self.decide() {
            match order {
                Order::Start { region, task } => self.begin(region, task),
                Order::Stop { task } => self.ask_to_stop(&task),
            }
        }
    }

    fn begin(self: &Arc<Self>, region: String, task: String) {
        // The next start of the sandbox finds the task not running and lets its service start another.
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        let (stop, asked) = watch::channel(false);
        self.live().insert(
            task.clone(),
            Live {
                stop,
                processes: Vec::new(),
            },
        );
        tokio::spawn(Arc::clone(self).live_a_life(region, task, asked));
    }

    pub(super) fn ask_to_stop(&self, task: &str) {
        if let Some(live) = self.live().get(task) {
            live.stop.send_replace(true);
        }
    }

    /// Starts tasks that an API call has put into the world.
    pub(super) fn start_tasks(self: &Arc<Self>, region: &str, tasks: Vec<String>) {
        for task in tasks {
            self.begin(region.to_owned(), task);
        }
    }

    pub(super) fn place<'a>(&'a self, region: &'a str) -> Place<'a> {
        Place {
            region,
            account: &self.account,
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every process. The world keeps saying they ran: the next start of the sandbox starts them again.
    pub(crate) async fn shutdown(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
        let processes: Vec<Process> = self
            .live()
            .values()
            .flat_map(|live| live.processes.iter().map(|(_, process)| process.clone()))
            .collect();
        for process in &processes {
            process.terminate();
        }
        let all = futures_util::future::join_all(processes.iter().map(Process::wait));
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            for process in &processes {
                process.kill();
            }
            futures_util::future::join_all(processes.iter().map(Process::wait)).await;
        }
    }

    /// Tasks of an earlier run of the sandbox died with it; their services start new ones in the first turn.
    fn bury_the_dead(&self) {
        let now = clock::now();
        let gone = self.world.write(|world| {
            let tasks = world.regions_mut().flat_map(|(_, region)| region.tasks.values_mut());
            tasks
                .filter(|task| task.is_present())
                .map(|task| {
                    task.ask_to_stop(StopCode::InfrastructureHealth, "The sandbox was restarted.", now);
                    task.stopped_at = Some(now);
                    task.turn(TaskStatus::Stopped);
                    for container in &mut task.containers {
                        container.status = TaskStatus::Stopped;
                    }
                    (task.address, std::mem::take(&mut task.targets))
                })
                .collect::<Vec<_>>()
        });
        for (address, targets) in gone {
            for target in targets {
                if let Some(ip) = address {
                    self.deregister(ip, &target);
                }
            }
        }
    }
}
