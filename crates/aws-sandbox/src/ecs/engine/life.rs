//! The life of one task from PROVISIONING to STOPPED, as Amazon ECS tells it ("Amazon ECS task lifecycle").

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;

use super::Engine;
use super::launch::{Essential, LaunchError, Running};
use super::turn::failed;
use crate::clock;
use crate::ecs::events;
use crate::ecs::plane::TargetStates;
use crate::ecs::world::{Region, Revision, Service, StopCode, Target, Task, TaskStatus};
use crate::elb;

/// How often a draining target is looked at.
const DRAIN_POLL: Duration = Duration::from_millis(20);
/// The longest deregistration delay there is (Elastic Load Balancing, "Target group attributes").
const LONGEST_DRAIN: Duration = Duration::from_hours(1);

/// Why a running task came to its end.
enum End {
    Asked,
    Exited,
}

impl Engine {
    pub(super) async fn live_a_life(self: Arc<Self>, region: String, id: String, mut asked: watch::Receiver<bool>) {
        let address = self.plane.runtime.allocate();
        let Some(task) = self.change_task(&region, &id, |task| {
            task.address = Some(address);
            task.pull_started_at = Some(clock::now());
            task.turn(TaskStatus::Pending);
            task.clone()
        }) else {
            return;
        };
        match self.launch(&region, &task, address).await {
            Ok(running) => {
                self.serve(&region, &id, address, &running, &mut asked).await;
            }
            Err(error) => self.could_not_start(&region, &id, &error),
        }
        self.plane.runtime.release(address);
        self.live().remove(&id);
        self.wake.notify_one();
    }

    async fn serve(
        self: &Arc<Self>,
        region: &str,
        id: &str,
        address: Ipv4Addr,
        running: &[Running],
        asked: &mut watch::Receiver<bool>,
    ) {
        if let Some(live) = self.live().get_mut(id) {
            live.processes = running
                .iter()
                .map(|container| (container.name.clone(), container.process.clone()))
                .collect();
        }
        self.came_up(region, id, address);
        self.note_exits_of_helpers(region, id, running);
        self.check_health(region, id, running);
        self.wake.notify_one();
        let end = tokio::select! {
            () = essential_exit(running) => End::Exited,
            // The sender lives as long as the task is in `live`; if it is gone, the sandbox is closing.
            _ = asked.wait_for(|asked| *asked) => End::Asked,
        };
        if self.closing.load(Ordering::Acquire) {
            return;
        }
        if let End::Exited = end {
            self.exited_unasked(region, id);
        }
        self.leave_the_load_balancer(region, id, address, running, &end).await;
        self.change_task(region, id, |task| task.turn(TaskStatus::Stopping));
        for container in running {
            container.process.terminate();
        }
        futures_util::future::join_all(running.iter().map(end_in_time)).await;
        self.went_down(region, id, running);
    }

    fn came_up(&self, region: &str, id: &str, address: Ipv4Addr) {
        let registered = self.with_service(region, id, |task, service| {
            let ports = service
                .and_then(|service| service.revision(task.owner.revision()?))
                .map(Revision::ports)
                .unwrap_or_default();
            task.targets = ports
                .into_iter()
                .map(|port| Target {
                    target_group: port.target_group,
                    port: port.port,
                })
                .collect();
            for container in &mut task.containers {
                container.status = TaskStatus::Running;
            }
            task.started_at = Some(clock::now());
            task.turn(TaskStatus::Running);
            task.targets.clone()
        });
        let mut refused = false;
        for target in registered.unwrap_or_default() {
            let registered = self.plane.elb.register(
                &target.target_group,
                elb::Target {
                    ip: address,
                    port: target.port,
                },
            );
            refused |= registered.is_err();
            self.with_service(region, id, |task, service| {
                // Only a service's tasks have targets.
                let Some(service) = service else { return };
                let now = clock::now();
                let said = match registered {
                    Ok(()) => events::registered(&service.name, &target.target_group),
                    Err(error) => {
                        let reason = format!("The target could not be registered: {error}");
                        task.ask_to_stop(StopCode::TaskFailedToStart, reason, now);
                        failed(service, task.owner.revision(), now);
                        events::unable_to_place(&service.name, id, &error.to_string())
                    }
                };
                service.say(now, said);
            });
        }
        if refused {
            self.ask_to_stop(id);
        }
    }

    /// A container that is not essential may end while its task goes on.
    fn note_exits_of_helpers(self: &Arc<Self>, region: &str, id: &str, running: &[Running]) {
        for container in running.iter().filter(|container| container.essential == Essential::No) {
            let (engine, region, id) = (Arc::clone(self), region.to_owned(), id.to_owned());
            let (name, process) = (container.name.clone(), container.process.clone());
            tokio::spawn(async move {
                let exit = process.wait().await;
                engine.change_task(&region, &id, |task| {
                    if let Some(known) = task.containers.iter_mut().find(|known| known.name == name) {
                        known.status = TaskStatus::Stopped;
                        known.exit_code = Some(exit.code);
                    }
                });
            });
        }
    }

    fn exited_unasked(&self, region: &str, id: &str) {
        self.with_service(region, id, |task, service| {
            if task.stop.is_none() {
                task.ask_to_stop(
                    StopCode::EssentialContainerExited,
                    "Essential container in task exited",
                    clock::now(),
                );
                if let Some(service) = service {
                    failed(service, task.owner.revision(), clock::now());
                }
            }
        });
        self.wake.notify_one();
    }

    fn could_not_start(&self, region: &str, id: &str, error: &LaunchError) {
        let now = clock::now();
        self.with_service(region, id, |task, service| {
            task.ask_to_stop(StopCode::TaskFailedToStart, error.to_string(), now);
            task.execution_stopped_at = Some(now);
            task.stopped_at = Some(now);
            for container in &mut task.containers {
                container.status = TaskStatus::Stopped;
                if error.container() == Some(&container.name) {
                    container.reason = Some(error.to_string());
                }
            }
            task.turn(TaskStatus::Stopped);
            if let Some(service) = service {
                failed(service, task.owner.revision(), now);
                service.say(now, events::unable_to_place(&service.name, id, &error.to_string()));
            }
        });
    }

    /// New requests go elsewhere first; those under way get the group's deregistration delay. A task that is dead has
    /// nothing to wait for.
    async fn leave_the_load_balancer(&self, region: &str, id: &str, address: Ipv4Addr, running: &[Running], end: &End) {
        let targets = self.change_task(region, id, |task| {
            task.turn(TaskStatus::Deactivating);
            task.targets.clone()
        });
        let targets = targets.unwrap_or_default();
        if targets.is_empty() {
            return;
        }
        for target in &targets {
            self.deregister(address, target);
        }
        self.with_service(region, id, |_, service| {
            let Some(service) = service else { return };
            service.say(clock::now(), events::draining(&service.name));
            for target in &targets {
                service.say(clock::now(), events::deregistered(&service.name, &target.target_group));
            }
        });
        if let End::Asked = end {
            let drained = tokio::time::timeout(LONGEST_DRAIN, self.drained(address, &targets));
            tokio::select! {
                drained = drained => {
                    if drained.is_err() {
                        tracing::warn!(task = id, "the target did not drain within an hour");
                    }
                }
                () = essential_exit(running) => {}
            }
        }
    }

    async fn drained(&self, address: Ipv4Addr, targets: &[Target]) {
        for target in targets {
            while TargetStates::default()
                .of(&self.plane.elb, &target.target_group, address, target.port)
                .is_some()
            {
                tokio::time::sleep(DRAIN_POLL).await;
            }
        }
    }

    fn went_down(&self, region: &str, id: &str, running: &[Running]) {
        let now = clock::now();
        self.change_task(region, id, |task| {
            for container in &mut task.containers {
                container.status = TaskStatus::Stopped;
                let exit = running
                    .iter()
                    .find(|each| each.name == container.name)
                    .and_then(|each| each.process.ended());
                container.exit_code = exit.map(|exit| exit.code);
            }
            task.execution_stopped_at = Some(now);
            task.turn(TaskStatus::Deprovisioning);
            task.stopped_at = Some(now);
            task.turn(TaskStatus::Stopped);
        });
    }

    pub(super) fn deregister(&self, address: Ipv4Addr, target: &Target) {
        let gone = self.plane.elb.deregister(
            &target.target_group,
            elb::Target {
                ip: address,
                port: target.port,
            },
        );
        if let Err(error) = gone {
            tracing::debug!(group = target.target_group, %error, "the target group was gone before the target");
        }
    }

    /// Changes one task; nothing when it is no longer known.
    pub(super) fn change_task<R>(&self, region: &str, id: &str, change: impl FnOnce(&mut Task) -> R) -> Option<R> {
        self.world
            .write(|world| world.region_mut(region).tasks.get_mut(id).map(change))
    }

    /// Changes one task together with the service it belongs to, if any.
    fn with_service<R>(
        &self,
        region: &str,
        id: &str,
        change: impl FnOnce(&mut Task, Option<&mut Service>) -> R,
    ) -> Option<R> {
        self.world.write(|world| {
            let Region { tasks, services, .. } = world.region_mut(region);
            let task = tasks.get_mut(id)?;
            let service = task.owner.service().cloned().and_then(|key| services.get_mut(&key));
            Some(change(task, service))
        })
    }
}

/// Ends when the task does: with its first essential container, or with its last when none is essential.
async fn essential_exit(running: &[Running]) {
    let mut exits: FuturesUnordered<_> = running
        .iter()
        .map(|container| async move {
            container.process.wait().await;
            container.essential
        })
        .collect();
    while let Some(essential) = exits.next().await {
        if essential == Essential::Yes {
            return;
        }
    }
}

async fn end_in_time(container: &Running) {
    if tokio::time::timeout(container.stop_timeout, container.process.wait())
        .await
        .is_err()
    {
        container.process.kill();
        container.process.wait().await;
    }
}
