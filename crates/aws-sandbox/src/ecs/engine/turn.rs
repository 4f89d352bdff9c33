//! One turn: facts in, decisions out, under the world's lock. Nothing here waits.

use std::net::Ipv4Addr;
use std::sync::Arc;

use time::OffsetDateTime;

use super::{Engine, Order};
use crate::clock;
use crate::ecs::events;
use crate::ecs::plane::TargetStates;
use crate::ecs::rollout::Wanted;
use crate::ecs::scheduler;
use crate::ecs::world::{
    Health, Owner, Region, Service, ServiceKey, ServiceStatus, Steadiness, StopCode, Target, Task,
};
use crate::elb::TargetState;
use crate::front::persist::Touched;

/// Why a task is unhealthy.
enum Complaint {
    Target(Target, String),
    Container,
}

/// A turn in one region.
struct Turn<'a> {
    engine: &'a Engine,
    region_name: &'a str,
    region: &'a mut Region,
    now: OffsetDateTime,
    states: TargetStates,
    orders: Vec<Order>,
    touched: bool,
}

impl Engine {
    pub(super) fn decide(self: &Arc<Self>) -> Vec<Order> {
        let now = clock::now();
        self.world.write_if(|world| {
            let mut orders = Vec::new();
            let mut touched = false;
            for (name, region) in world.regions_mut() {
                let mut turn = Turn {
                    engine: self,
                    region_name: name,
                    region,
                    now,
                    states: TargetStates::default(),
                    orders: Vec::new(),
                    touched: false,
                };
                turn.take();
                touched |= turn.touched;
                orders.append(&mut turn.orders);
            }
            (if touched { Touched::Yes } else { Touched::No }, orders)
        })
    }
}

impl Turn<'_> {
    fn take(&mut self) {
        self.touched |= self.region.forget_stopped_tasks(self.now) > 0;
        let keys: Vec<ServiceKey> = self
            .region
            .services
            .iter()
            .filter(|(_, service)| service.status != ServiceStatus::Inactive)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            // The service is taken out for its turn, so that it and the tasks can be changed side by side.
            let Some(mut service) = self.region.services.remove(&key) else {
                continue;
            };
            self.see_health(&mut service);
            self.move_deployment(&mut service);
            self.scale(&mut service);
            self.settle(&mut service);
            self.region.services.insert(key, service);
        }
    }

    /// What the load balancers and the containers' own checks think of the tasks.
    fn see_health(&mut self, service: &mut Service) {
        let key = service.key();
        let ids: Vec<String> = self
            .region
            .tasks_of(&key)
            .filter(|task| task.is_running() && (!task.targets.is_empty() || task.checked().is_some()))
            .map(|task| task.id.clone())
            .collect();
        for id in ids {
            let Some(ip) = self.region.tasks.get(&id).and_then(|task| task.address) else {
                continue;
            };
            let (health, complaint) = self.judged(&id, ip);
            let Some(task) = self.region.tasks.get_mut(&id) else {
                continue;
            };
            if task.health == health {
                if complaint.is_none() {
                    continue;
                }
            } else {
                task.health = health;
                task.version += 1;
                self.touched = true;
            }
            let young = task
                .started_at
                .is_none_or(|started| self.now - started < time::Duration::seconds(i64::from(service.grace_seconds)));
            match (health, complaint) {
                (Health::Healthy, _) => recovered(service, task),
                (Health::Unhealthy, Some(complaint)) if !young => {
                    let (reason, said) = match complaint {
                        Complaint::Target(target, why) => (
                            format!(
                                "Task failed ELB health checks in (target-group {})",
                                target.target_group
                            ),
                            events::unhealthy(&service.name, target.port, &target.target_group, &why),
                        ),
                        Complaint::Container => (
                            "Task failed container health checks".to_owned(),
                            events::container_unhealthy(&service.name, &id),
                        ),
                    };
                    task.ask_to_stop(StopCode::ServiceSchedulerInitiated, reason, self.now);
                    self.orders.push(Order::Stop { task: id.clone() });
                    service.say(self.now, said);
                    let revision = task.owner.revision().map(str::to_owned);
                    failed(service, revision.as_deref(), self.now);
                    self.touched = true;
                }
                (Health::Unhealthy | Health::Unknown, _) => {}
            }
        }
    }

    /// A task's health by its containers and targets, and what the worst of them complains about.
    fn judged(&mut self, id: &str, ip: Ipv4Addr) -> (Health, Option<Complaint>) {
        let (targets, checked) = self
            .region
            .tasks
            .get(id)
            .map(|task| (task.targets.clone(), task.checked()))
            .unwrap_or_default();
        let mut health = checked.unwrap_or(Health::Healthy);
        if health == Health::Unhealthy {
            return (health, Some(Complaint::Container));
        }
        for target in targets {
            match self
                .states
                .of(&self.engine.plane.elb, &target.target_group, ip, target.port)
            {
                // A group without a listener checks nobody; its tasks count as soon as they run.
                Some(TargetState::Healthy | TargetState::Unused) => {}
                Some(state @ TargetState::Unhealthy { .. }) => {
                    return (
                        Health::Unhealthy,
                        Some(Complaint::Target(target, state.description().unwrap_or_default())),
                    );
                }
                Some(TargetState::Initial | TargetState::Draining | TargetState::NotRegistered) | None => {
                    health = Health::Unknown;
                }
            }
        }
        (health, None)
    }

    fn move_deployment(&mut self, service: &mut Service) {
        let tasks: Vec<&Task> = self.region.tasks_of(&service.key()).collect();
        let Some(current) = service.current() else { return };
        if !current.rollout.in_flight() {
            return;
        }
        let firing = self
            .engine
            .plane
            .firing(self.region_name, current.rollout.plan.alarms.names());
        let Some(facts) = scheduler::facts(service, &tasks, firing, self.now) else {
            return;
        };
        let Some(current) = service.current_mut() else { return };
        let before = current.rollout.clone();
        let effects = current.rollout.advance(&facts);
        if current.rollout != before {
            current.updated = self.now;
            service.steadiness = Steadiness::Moving;
            self.touched = true;
        }
        self.engine.apply(service, &effects, self.now);
    }

    fn scale(&mut self, service: &mut Service) {
        let key = service.key();
        let tasks: Vec<&Task> = self.region.tasks_of(&key).collect();
        let (Some(facts), Some(current)) = (
            scheduler::facts(service, &tasks, Vec::new(), self.now),
            service.current(),
        ) else {
            return;
        };
        let wanted = match service.status {
            ServiceStatus::Active => current.rollout.wanted(&facts),
            ServiceStatus::Draining | ServiceStatus::Inactive => Wanted {
                source: 0,
                target: 0,
                others: 0,
            },
        };
        let mut plans: Vec<(String, u32, u32)> = vec![(current.target.clone(), facts.target.active, wanted.target)];
        plans.extend(
            current
                .source
                .clone()
                .map(|source| (source, facts.source.active, wanted.source)),
        );
        let stray = |task: &Task| {
            task.owner
                .revision()
                .is_some_and(|arn| plans.iter().all(|(revision, ..)| revision != arn))
        };
        let mut excess = scheduler::to_stop(&tasks, stray, wanted.others);
        for (revision, _, wanted) in &plans {
            excess.extend(scheduler::to_stop(
                &tasks,
                |task| task.owner.revision() == Some(revision),
                *wanted,
            ));
        }
        self.stop(service, &excess);
        for (revision, active, wanted) in plans {
            self.start(service, &revision, active, wanted);
        }
    }

    fn stop(&mut self, service: &mut Service, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let reason = match service.current() {
            Some(current) if service.status == ServiceStatus::Active => {
                let deployment = service
                    .revision(&current.target)
                    .map_or("", |target| &target.deployment_id);
                format!("Scaling activity initiated by (deployment {deployment})")
            }
            Some(_) | None => "The service was deleted.".to_owned(),
        };
        for id in ids {
            if let Some(task) = self.region.tasks.get_mut(id) {
                task.ask_to_stop(StopCode::ServiceSchedulerInitiated, reason.clone(), self.now);
                self.orders.push(Order::Stop { task: id.clone() });
            }
        }
        service.say(self.now, events::stopped(&service.name, ids));
        service.steadiness = Steadiness::Moving;
        self.touched = true;
    }

    fn start(&mut self, service: &mut Service, revision: &str, active: u32, wanted: u32) {
        let Some(known) = service.revision(revision) else {
            return;
        };
        let count = scheduler::to_start(known, active, wanted, self.now);
        if count == 0 {
            return;
        }
        let owner = Owner::Service {
            key: service.key(),
            revision: revision.to_owned(),
            deployment_id: known.deployment_id.clone(),
            name: service.name.clone(),
        };
        let Ok(definition) = self.region.definition(&known.task_definition).cloned() else {
            return;
        };
        let place = self.engine.place(self.region_name);
        let images = known.images.clone();
        let mut ids = Vec::new();
        for _ in 0..count {
            let mut task = Task::new(place, &service.cluster, &definition, owner.clone(), self.now);
            task.launch_type.clone_from(&service.launch_type);
            task.pin(&images);
            self.orders.push(Order::Start {
                region: self.region_name.to_owned(),
                task: task.id.clone(),
            });
            ids.push(task.id.clone());
            self.region.tasks.insert(task.id.clone(), task);
        }
        service.say(self.now, events::started(&service.name, &ids));
        service.steadiness = Steadiness::Moving;
        self.touched = true;
    }

    /// Says once that everything is as it should be, and ends a deleted service with its last task.
    fn settle(&mut self, service: &mut Service) {
        let key = service.key();
        let tasks: Vec<&Task> = self.region.tasks_of(&key).collect();
        let present = tasks.iter().filter(|task| task.is_present()).count();
        if service.status == ServiceStatus::Draining && present == 0 {
            service.status = ServiceStatus::Inactive;
            self.touched = true;
            return;
        }
        let settled = service.current().is_some_and(|current| !current.rollout.in_flight());
        let healthy = tasks.iter().filter(|task| scheduler::is_healthy(task)).count();
        let wanted = usize::try_from(service.desired).unwrap_or(usize::MAX);
        if service.steadiness == Steadiness::Moving && settled && healthy == wanted && present == healthy {
            service.steadiness = Steadiness::Steady;
            service.say(self.now, events::steady(&service.name));
            self.touched = true;
        }
    }
}

/// A task of this revision is healthy again, so its failures are over.
fn recovered(service: &mut Service, task: &Task) {
    let Some(arn) = task.owner.revision() else { return };
    if let Some(current) = service.current_mut().filter(|current| current.target == arn) {
        current.rollout.task_healthy();
    }
    if let Some(revision) = service.revision_mut(arn) {
        revision.failures_in_a_row = 0;
        revision.next_start = None;
    }
}

/// A task of this revision failed: the circuit breaker counts, and the scheduler waits before the next.
pub(super) fn failed(service: &mut Service, revision: Option<&str>, now: OffsetDateTime) {
    let Some(arn) = revision else { return };
    if let Some(current) = service.current_mut().filter(|current| current.target == arn) {
        current.rollout.task_failed();
        current.updated = now;
    }
    if let Some(revision) = service.revision_mut(arn) {
        revision.failed_tasks += 1;
        revision.failures_in_a_row += 1;
        revision.next_start = Some(now + scheduler::wait_after(revision.failures_in_a_row));
    }
}
